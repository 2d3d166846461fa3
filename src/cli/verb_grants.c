/*
 * grants: the ACL's grants and denies, searched.
 */
#include "cli_priv.h"

#include <stdlib.h>

#include <gatehouse/policy.h>

typedef struct grants_search {
    const gh_acl *acl;
    const char *user; /* NULL: do not care */
    gh_str object;
    gh_str column;
    bool *role_is_held; /* parallel to acl->roles: by the user, directly or not */
} grants_search;

static const gh_acl_role *find_role(const gh_acl *acl, gh_str name, size_t *index)
{
    for (size_t i = 0; i < acl->role_count; i++) {
        if (gh_str_eq(acl->roles[i].name, name)) {
            *index = i;
            return &acl->roles[i];
        }
    }
    return NULL;
}

/* Marks the roles, and then all that those are members of, until nothing new comes. */
static void hold_roles(grants_search *s, gh_str_list direct)
{
    bool is_new = false;
    size_t index;

    for (size_t i = 0; i < direct.count; i++) {
        if (find_role(s->acl, direct.items[i], &index) == NULL)
            continue;
        s->role_is_held[index] = true;
        is_new = true;
    }
    while (is_new) {
        is_new = false;
        for (size_t i = 0; i < s->acl->role_count; i++) {
            gh_str_list up = s->acl->roles[i].member_of;
            for (size_t j = 0; s->role_is_held[i] && j < up.count; j++) {
                if (find_role(s->acl, up.items[j], &index) == NULL || s->role_is_held[index])
                    continue;
                s->role_is_held[index] = true;
                is_new = true;
            }
        }
    }
}

static bool concerns_user(const grants_search *s, const gh_acl_rule *r)
{
    static const char prefix[] = "user:";
    const size_t prefix_len = sizeof(prefix) - 1;
    size_t index;

    if (s->user == NULL)
        return true;
    for (size_t i = 0; i < r->to.count; i++) {
        gh_str to = r->to.items[i];
        if (to.len > prefix_len && memcmp(to.ptr, prefix, prefix_len) == 0 &&
            gh_str_is((gh_str){ to.ptr + prefix_len, to.len - prefix_len }, s->user))
            return true;
        if (find_role(s->acl, to, &index) != NULL && s->role_is_held[index])
            return true;
    }
    return false;
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

static gh_str_list privileges_list(gh_arena *a, uint32_t privileges)
{
    static const char *const words[] = { "select", "insert", "update", "delete", "truncate" };
    gh_str *names = gh_arena_alloc(a, GH_COUNT(words) * sizeof(*names));
    gh_str_list list = { names, 0 };

    GH_ASSERT(names != NULL);
    for (size_t i = 0; i < GH_COUNT(words); i++)
        if ((privileges & (1u << i)) != 0)
            names[list.count++] = gh_str_of(words[i]);
    return list;
}

static gh_str columns_text(gh_arena *a, const gh_acl_rule *r)
{
    gh_str columns = cli_join(a, r->columns);

    if (r->tags.count > 0)
        return gh_arena_printf(a, GH_STR_FMT "%stag " GH_STR_FMT, GH_STR_ARG(columns),
                               columns.len > 0 ? ", " : "", GH_STR_ARG(cli_join(a, r->tags)));
    if (!r->has_columns)
        return GH_STR("*");
    return r->is_except ? gh_arena_printf(a, "* except " GH_STR_FMT, GH_STR_ARG(columns)) : columns;
}

static gh_str masks_text(gh_arena *a, const gh_acl_rule *r)
{
    gh_str text = { 0 };

    for (size_t i = 0; i < r->mask_count; i++)
        text = gh_arena_printf(a, GH_STR_FMT "%s" GH_STR_FMT "=" GH_STR_FMT, GH_STR_ARG(text),
                               i > 0 ? ", " : "", GH_STR_ARG(r->masks[i].column),
                               GH_STR_ARG(r->masks[i].mask));
    return text;
}

static const char *const s_headings[] = { "id",     "effect",  "to",     "privileges",
                                          "tables", "columns", "rows",   "mask",
                                          "from",   "until",   "reason", "origin" };

static void put_rule(cli_call *c, cli_table *t, const gh_acl_rule *r)
{
    cli_table_put_number(t, r->id);
    cli_table_put(t, gh_str_of(r->is_deny ? "deny" : "grant"));
    cli_table_put_list(t, r->to);
    cli_table_put_list(t, privileges_list(c->arena, r->privileges));
    cli_table_put_list(t, r->tables);
    cli_table_put(t, columns_text(c->arena, r));
    cli_table_put(t, r->rows);
    cli_table_put(t, masks_text(c->arena, r));
    cli_table_put(t, cli_time_text(c->arena, r->valid_from));
    cli_table_put(t, cli_time_text(c->arena, r->valid_until));
    cli_table_put(t, r->reason);
    cli_table_put(t, gh_str_of(r->origin == GH_ORIGIN_POLICY ? "policy" : "cli"));
}

static const gh_acl_user *find_user(const gh_acl *acl, const char *name)
{
    for (size_t i = 0; i < acl->user_count; i++)
        if (gh_str_is(acl->users[i].name, name))
            return &acl->users[i];
    return NULL;
}

static int run_grants(cli_call *c)
{
    gh_acl acl = { 0 };
    cli_table t;
    int code = cli_load_acl(c, &acl);

    if (code != GH_CLI_DONE)
        return code;
    grants_search s = { .acl = &acl,
                        .user = cli_value(c, "--user"),
                        .object = skip_warehouse(gh_str_of(cli_value(c, "--on"))),
                        .column = gh_str_of(cli_value(c, "--column")) };
    const gh_acl_user *user = s.user != NULL ? find_user(&acl, s.user) : NULL;
    if (s.user != NULL && user == NULL)
        return cli_fail("no such user: %s", s.user);
    s.role_is_held = gh_alloc(acl.role_count + 1);
    if (user != NULL)
        hold_roles(&s, user->roles);
    cli_table_init(&t, s_headings, GH_COUNT(s_headings), c->arena);
    for (size_t i = 0; i < acl.rule_count; i++) {
        const gh_acl_rule *r = &acl.rules[i];
        if (concerns_user(&s, r) && (s.object.len == 0 || any_fits(r->tables, s.object)) &&
            concerns_column(&s, r))
            put_rule(c, &t, r);
    }
    cli_table_print(&t, c, stdout);
    cli_table_fini(&t);
    free(s.role_is_held);
    return GH_CLI_DONE;
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
