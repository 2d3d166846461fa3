/*
 * grants: the ACL's grants and denies, searched.
 */
#include "policy_code.h"

#include <stdlib.h>

#include <gatehouse/audit.h> /* gh_audit_put_string */

typedef struct grants_search {
    const gh_acl *acl;
    const gh_acl_user *user; /* NULL: do not care */
    gh_str object;
    gh_str column;
    cli_people people;
    bool *role_is_held; /* parallel to acl->roles: by the user, directly or not */
} grants_search;

static bool concerns_user(const grants_search *s, const gh_acl_rule *r)
{
    for (size_t i = 0; s->user != NULL && i < r->to.count; i++) {
        size_t role = cli_people_role(&s->people, r->to.items[i]);
        size_t user = cli_people_principal_user(&s->people, r->to.items[i]);
        if ((role != SIZE_MAX && s->role_is_held[role]) ||
            (user != SIZE_MAX && &s->acl->users[user] == s->user))
            return true;
    }
    return s->user == NULL;
}

static gh_str skip_warehouse(gh_str s)
{
    const char *colon = s.len > 0 ? memchr(s.ptr, ':', s.len) : NULL;

    return colon == NULL ? s : (gh_str){ colon + 1, s.len - (size_t)(colon + 1 - s.ptr) };
}

/* `*` stands for any characters within one part. The search word may hold `*` too and then fits
 * itself. */
static bool glob_fits(gh_str pattern, gh_str name)
{
    size_t p = 0;
    size_t n = 0;
    size_t star = SIZE_MAX; /* behind the last star, and what it had swallowed by then */
    size_t swallowed = 0;

    while (n < name.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            p++;
            star = p;
            swallowed = n;
        } else if (p < pattern.len && pattern.ptr[p] == name.ptr[n]) {
            p++;
            n++;
        } else if (star != SIZE_MAX && name.ptr[swallowed] != '.') {
            swallowed++;
            n = swallowed;
            p = star;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

static bool any_fits(gh_str_list patterns, gh_str name)
{
    for (size_t i = 0; i < patterns.count; i++)
        if (glob_fits(skip_warehouse(patterns.items[i]), name))
            return true;
    return false;
}

static bool concerns_column(const grants_search *s, const gh_acl_rule *r)
{
    if (s->column.len == 0 || r->tags.count > 0)
        return true; /* a tag may be on any column */
    if (!r->has_columns)
        return true;
    return any_fits(r->columns, s->column) != r->is_except;
}

static void put_masks(cli_table *t, const gh_acl_rule *r)
{
    gh_str text = { 0 };
    gh_buf json;

    gh_buf_init(&json, 0);
    gh_buf_puts(&json, "{");
    for (size_t i = 0; i < r->mask_count; i++) {
        const gh_acl_column_mask *m = &r->masks[i];
        text =
            gh_arena_printf(t->arena, GH_STR_FMT "%s" GH_STR_FMT "=" GH_STR_FMT, GH_STR_ARG(text),
                            i > 0 ? ", " : "", GH_STR_ARG(m->column), GH_STR_ARG(m->mask));
        gh_buf_puts(&json, i > 0 ? "," : "");
        gh_audit_put_string(&json, m->column);
        gh_buf_puts(&json, ":");
        gh_audit_put_string(&json, m->mask);
    }
    gh_buf_puts(&json, "}");
    cli_table_put_map(t, text, gh_arena_dup(t->arena, gh_buf_str(&json)));
    gh_buf_fini(&json);
}

/* As policy files say it: a list, or what it leaves out. */
static void put_columns(cli_table *t, const gh_acl_rule *r)
{
    static const gh_str every_column[] = { { "*", 1 } };
    gh_buf json;

    if (!r->has_columns) {
        cli_table_put_list(t, (gh_str_list){ every_column, r->tags.count > 0 ? 0 : 1 });
    } else if (!r->is_except) {
        cli_table_put_list(t, r->columns);
    } else {
        gh_buf_init(&json, 0);
        gh_buf_puts(&json, "{\"except\":");
        cli_put_json_list(&json, r->columns);
        gh_buf_puts(&json, "}");
        cli_table_put_map(t,
                          gh_arena_printf(t->arena, "* except " GH_STR_FMT,
                                          GH_STR_ARG(cli_join(t->arena, r->columns))),
                          gh_arena_dup(t->arena, gh_buf_str(&json)));
        gh_buf_fini(&json);
    }
}

static const char *const s_headings[] = { "id",      "effect", "to",    "privileges", "tables",
                                          "columns", "tags",   "rows",  "mask",       "from",
                                          "until",   "reason", "origin" };

static void put_rule(cli_call *c, cli_table *t, const gh_acl_rule *r)
{
    cli_table_put_number(t, r->id);
    cli_table_put(t, gh_str_of(r->is_deny ? "deny" : "grant"));
    cli_table_put_list(t, r->to);
    cli_table_put_list(t, cli_privileges(c->arena, r->privileges));
    cli_table_put_list(t, r->tables);
    put_columns(t, r);
    cli_table_put_list(t, r->tags);
    cli_table_put(t, r->rows);
    put_masks(t, r);
    cli_table_put(t, cli_time_text(c->arena, r->valid_from));
    cli_table_put(t, cli_time_text(c->arena, r->valid_until));
    cli_table_put(t, r->reason);
    cli_table_put(t, gh_str_of(r->origin == GH_ORIGIN_POLICY ? "policy" : "cli"));
}

static int no_such_user(cli_call *c, const gh_acl *acl, gh_str name)
{
    const char **known = gh_arena_alloc(c->arena, (acl->user_count + 1) * sizeof(*known));

    GH_ASSERT(known != NULL);
    for (size_t i = 0; i < acl->user_count; i++)
        known[i] = gh_arena_dup(c->arena, acl->users[i].name).ptr;
    return cli_fail("no such user: " GH_STR_FMT "%s", GH_STR_ARG(name),
                    cli_did_you_mean(c, name, known, acl->user_count));
}

/* Nothing fits the relation: it may be misspelt. */
static void say_nothing_fits(cli_call *c, const grants_search *s)
{
    size_t count = 0;

    for (size_t i = 0; i < s->acl->rule_count; i++)
        count += s->acl->rules[i].tables.count;
    const char **known = gh_realloc_array(NULL, count + 1, sizeof(*known));
    count = 0;
    for (size_t i = 0; i < s->acl->rule_count; i++)
        for (size_t j = 0; j < s->acl->rules[i].tables.count; j++)
            known[count++] =
                gh_arena_dup(c->arena, skip_warehouse(s->acl->rules[i].tables.items[j])).ptr;
    (void)fprintf(stderr, "no grant or deny fits " GH_STR_FMT "%s\n", GH_STR_ARG(s->object),
                  cli_did_you_mean(c, s->object, known, count));
    free(known);
}

static void search(cli_call *c, grants_search *s)
{
    bool fits_object = false;
    cli_table t;

    cli_table_init(&t, s_headings, GH_COUNT(s_headings), c->arena);
    for (size_t i = 0; i < s->acl->rule_count; i++) {
        const gh_acl_rule *r = &s->acl->rules[i];
        bool fits = s->object.len == 0 || any_fits(r->tables, s->object);
        fits_object = fits_object || fits;
        if (fits && concerns_user(s, r) && concerns_column(s, r))
            put_rule(c, &t, r);
    }
    cli_table_print(&t, c, stdout);
    cli_table_fini(&t);
    if (!fits_object && s->object.len > 0)
        say_nothing_fits(c, s);
}

static int run_grants(cli_call *c)
{
    gh_acl acl = { 0 };
    const char *name = cli_value(c, "--user");
    int code = cli_load_acl(c, &acl);

    if (code != GH_CLI_DONE)
        return code;
    grants_search s = { .acl = &acl,
                        .object = skip_warehouse(gh_str_of(cli_value(c, "--on"))),
                        .column = gh_str_of(cli_value(c, "--column")) };
    cli_people_init(&s.people, &acl);
    s.role_is_held = gh_alloc(acl.role_count + 1);
    size_t user = name != NULL ? cli_people_user(&s.people, gh_str_of(name)) : SIZE_MAX;
    if (user != SIZE_MAX) {
        s.user = &acl.users[user];
        (void)cli_people_hold(&s.people, s.user->roles, s.role_is_held);
    }
    if (name != NULL && s.user == NULL)
        code = no_such_user(c, &acl, gh_str_of(name));
    else
        search(c, &s);
    free(s.role_is_held);
    cli_people_fini(&s.people);
    return code;
}

static const cli_option s_options[] = {
    { "--user", "NAME", "those that concern this user, through roles too" },
    { "--on", "SCHEMA.RELATION", "those whose tables fit this relation" },
    { "--column", "NAME", "those that concern this column" },
};

const cli_verb cli_grants = {
    .name = "grants",
    .summary = "List the grants and denies of the ACL",
    .example = "  gatehouse grants --acl acl.db --user alice --on sales.orders",
    .shared = CLI_ACL | CLI_CONFIG | CLI_JSON,
    .options = s_options,
    .option_count = GH_COUNT(s_options),
    .run = run_grants,
};
