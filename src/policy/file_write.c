/*
 * An acl as one policy file. Every text is written in double quotes, so that no YAML reader takes a
 * name for a number, a date or a truth value; numbers come from the rules alone. What files cannot
 * hold (verifiers, the hash key, ids) is left out.
 */
#include "policy_priv.h"

#include <stdio.h>

#include <gatehouse/config.h> /* gh_config_put_time */

/* ---- values --------------------------------------------------------------------------------- */

/* Characters that end a line for YAML, or that it does not take as they are; 0: an ordinary one. */
static unsigned int special(gh_str s, size_t i)
{
    const unsigned char *c = (const unsigned char *)s.ptr + i;

    if (c[0] < ' ' || c[0] == 0x7f)
        return c[0];
    if (i + 1 < s.len && c[0] == 0xc2 && c[1] < 0xa0) /* U+0080 to U+009F */
        return c[1];
    if (i + 2 < s.len && c[0] == 0xe2 && c[1] == 0x80 && (c[2] == 0xa8 || c[2] == 0xa9))
        return 0x2000u + c[2] - 0x80u; /* line and paragraph separators */
    if (i + 2 < s.len && c[0] == 0xef &&
        ((c[1] == 0xbb && c[2] == 0xbf) || (c[1] == 0xbf && c[2] >= 0xbe)))
        return c[1] == 0xbb ? 0xfeffu : 0xff40u + c[2]; /* byte order mark, U+FFFE, U+FFFF */
    return 0;
}

static void put_str(gh_buf *b, gh_str s)
{
    gh_buf_puts(b, "\"");
    for (size_t i = 0; i < s.len; i++) {
        unsigned int code = special(s, i);

        if (code != 0) {
            gh_buf_printf(b, "\\u%04x", code);
            i += code < 0x80 ? 0 : code < 0x800 ? 1 : 2;
        } else {
            if (s.ptr[i] == '"' || s.ptr[i] == '\\')
                gh_buf_puts(b, "\\");
            gh_buf_put(b, &s.ptr[i], 1);
        }
    }
    gh_buf_puts(b, "\"");
}

static void put_list(gh_buf *b, gh_str_list list)
{
    gh_buf_puts(b, "[");
    for (size_t i = 0; i < list.count; i++) {
        if (i > 0)
            gh_buf_puts(b, ", ");
        put_str(b, list.items[i]);
    }
    gh_buf_puts(b, "]");
}

static void put_key_str(gh_buf *b, const char *key, gh_str s)
{
    if (s.len == 0)
        return;
    gh_buf_puts(b, key);
    put_str(b, s);
    gh_buf_puts(b, "\n");
}

static void put_key_list(gh_buf *b, const char *key, gh_str_list list)
{
    if (list.count == 0)
        return;
    gh_buf_puts(b, key);
    put_list(b, list);
    gh_buf_puts(b, "\n");
}

static void put_bits(gh_buf *b, const char *key, uint32_t bits, const char *const *words, size_t n)
{
    const char *comma = "";

    gh_buf_puts(b, key);
    gh_buf_puts(b, "[");
    for (size_t i = 0; i < n; i++) {
        if ((bits & 1u << i) != 0) {
            gh_buf_printf(b, "%s%s", comma, words[i]);
            comma = ", ";
        }
    }
    gh_buf_puts(b, "]\n");
}

/* ---- sections ------------------------------------------------------------------------------- */

static void put_roles(gh_buf *b, const gh_acl *acl)
{
    static const char *const may[] = { "explain", "temp_tables", "notify", "bypass" };

    if (acl->role_count > 0)
        gh_buf_puts(b, "roles:\n");
    for (size_t i = 0; i < acl->role_count; i++) {
        const gh_acl_role *r = &acl->roles[i];
        bool is_bare = r->description.len == 0 && r->may == 0 && r->member_of.count == 0;

        gh_buf_puts(b, "  ");
        put_str(b, r->name);
        gh_buf_puts(b, is_bare ? ": {}\n" : ":\n");
        put_key_str(b, "    description: ", r->description);
        if (r->may != 0)
            put_bits(b, "    may: ", r->may, may, GH_COUNT(may));
        put_key_list(b, "    member_of: ", r->member_of);
    }
}

static void put_attributes(gh_buf *b, const gh_acl_user *u)
{
    if (u->attribute_count == 0)
        return;
    gh_buf_puts(b, "    attributes:\n");
    for (size_t i = 0; i < u->attribute_count; i++) {
        const gh_acl_attribute *a = &u->attributes[i];

        gh_buf_puts(b, "      ");
        put_str(b, a->name);
        gh_buf_puts(b, ": ");
        if (a->is_list)
            put_list(b, a->values);
        else
            put_str(b, a->values.items[0]);
        gh_buf_puts(b, "\n");
    }
}

static void put_users(gh_buf *b, const gh_acl *acl)
{
    if (acl->user_count > 0)
        gh_buf_puts(b, "users:\n");
    for (size_t i = 0; i < acl->user_count; i++) {
        const gh_acl_user *u = &acl->users[i];
        bool is_bare = u->roles.count == 0 && u->attribute_count == 0 && !u->is_service;

        gh_buf_puts(b, "  ");
        put_str(b, u->name);
        gh_buf_puts(b, is_bare ? ": {}\n" : ":\n");
        put_key_list(b, "    roles: ", u->roles);
        put_attributes(b, u);
        if (u->is_service)
            gh_buf_puts(b, "    kind: service\n");
    }
}

static void put_tags_and_masks(gh_buf *b, const gh_acl *acl)
{
    if (acl->tag_count > 0)
        gh_buf_puts(b, "tags:\n");
    for (size_t i = 0; i < acl->tag_count; i++) {
        gh_buf_puts(b, "  ");
        put_str(b, acl->tags[i].name);
        gh_buf_puts(b, ": ");
        put_list(b, acl->tags[i].columns);
        gh_buf_puts(b, "\n");
    }
    if (acl->mask_count > 0)
        gh_buf_puts(b, "masks:\n");
    for (size_t i = 0; i < acl->mask_count; i++) {
        gh_buf_puts(b, "  ");
        put_str(b, acl->masks[i].name);
        gh_buf_puts(b, ": ");
        put_str(b, acl->masks[i].expr);
        gh_buf_puts(b, "\n");
    }
}

static void put_masks(gh_buf *b, const gh_acl_rule *r)
{
    if (r->mask_count == 0)
        return;
    gh_buf_puts(b, "    mask:\n");
    for (size_t i = 0; i < r->mask_count; i++) {
        gh_buf_puts(b, "      ");
        put_str(b, r->masks[i].column);
        gh_buf_puts(b, ": ");
        put_str(b, r->masks[i].mask);
        gh_buf_puts(b, "\n");
    }
}

static void put_validity(gh_buf *b, const gh_acl_rule *r)
{
    if (r->valid_from == INT64_MIN && r->valid_until == INT64_MAX)
        return;
    gh_buf_puts(b, "    valid: {");
    if (r->valid_from != INT64_MIN) {
        gh_buf_puts(b, " from: ");
        gh_config_put_time(b, r->valid_from);
    }
    if (r->valid_from != INT64_MIN && r->valid_until != INT64_MAX)
        gh_buf_puts(b, ",");
    if (r->valid_until != INT64_MAX) {
        gh_buf_puts(b, " until: ");
        gh_config_put_time(b, r->valid_until);
    }
    gh_buf_puts(b, " }\n");
}

static void put_rule(gh_buf *b, const gh_acl_rule *r)
{
    static const char *const words[] = { "select", "insert", "update", "delete", "truncate" };
    uint32_t by_default = r->is_deny ? GH_ALL_PRIVILEGES : GH_SELECT;

    gh_buf_puts(b, "  - to: ");
    put_list(b, r->to);
    gh_buf_puts(b, "\n");
    put_key_list(b, "    tables: ", r->tables);
    if (r->privileges != by_default)
        put_bits(b, "    privileges: ", r->privileges, words, GH_COUNT(words));
    if (r->is_except) {
        gh_buf_puts(b, "    columns: { except: ");
        put_list(b, r->columns);
        gh_buf_puts(b, " }\n");
    } else {
        put_key_list(b, "    columns: ", r->columns);
    }
    put_key_list(b, "    tags: ", r->tags);
    put_key_str(b, "    rows: ", r->rows);
    put_masks(b, r);
    put_validity(b, r);
    put_key_str(b, "    reason: ", r->reason);
    if (r->is_through)
        gh_buf_puts(b, "    through: true\n");
    if (r->is_blind)
        gh_buf_puts(b, "    blind: true\n");
}

static void put_rules(gh_buf *b, const gh_acl *acl, bool is_deny)
{
    bool is_first = true;

    for (size_t i = 0; i < acl->rule_count; i++) {
        if (acl->rules[i].is_deny != is_deny)
            continue;
        if (is_first)
            gh_buf_puts(b, is_deny ? "denies:\n" : "grants:\n");
        is_first = false;
        put_rule(b, &acl->rules[i]);
    }
}

static void put_masking_and_functions(gh_buf *b, const gh_acl *acl)
{
    if (acl->masking_count > 0)
        gh_buf_puts(b, "masking:\n");
    for (size_t i = 0; i < acl->masking_count; i++) {
        put_key_str(b, "  - tag: ", acl->masking[i].tag);
        put_key_str(b, "    with: ", acl->masking[i].mask);
        put_key_list(b, "    except: ", acl->masking[i].except);
    }
    if (acl->function_count > 0)
        gh_buf_puts(b, "functions:\n");
    for (size_t i = 0; i < acl->function_count; i++) {
        put_key_list(b, "  - to: ", acl->functions[i].to);
        put_key_list(b, "    allow: ", acl->functions[i].allow);
    }
}

static void put_cells(gh_buf *b, const gh_acl_test *t)
{
    if (!t->has_rows)
        return;
    gh_buf_puts(b, "    rows: [");
    for (size_t i = 0; i < t->row_count; i++) {
        gh_buf_puts(b, i > 0 ? ", [" : "[");
        for (size_t j = 0; j < t->rows[i].count; j++) {
            gh_buf_puts(b, j > 0 ? ", " : "");
            if (t->rows[i].items[j].ptr == NULL)
                gh_buf_puts(b, "null");
            else
                put_str(b, t->rows[i].items[j]);
        }
        gh_buf_puts(b, "]");
    }
    gh_buf_puts(b, "]\n");
}

static void put_tests(gh_buf *b, const gh_acl *acl)
{
    if (acl->test_count > 0)
        gh_buf_puts(b, "tests:\n");
    for (size_t i = 0; i < acl->test_count; i++) {
        const gh_acl_test *t = &acl->tests[i];

        put_key_str(b, "  - as: ", t->as);
        put_key_str(b, "    query: ", t->query);
        put_cells(b, t);
        put_key_list(b, "    columns: ", t->columns);
        put_key_str(b, "    error: ", t->error);
    }
}

void gh_policy_write_file(const gh_acl *acl, gh_buf *out)
{
    gh_buf_puts(out, "version: 1\n");
    put_roles(out, acl);
    put_users(out, acl);
    put_tags_and_masks(out, acl);
    put_rules(out, acl, false);
    put_rules(out, acl, true);
    put_masking_and_functions(out, acl);
    put_tests(out, acl);
}
