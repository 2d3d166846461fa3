/*
 * policy lint: what a policy says that cannot be meant.
 */
#include "lint.h"

#include <stdlib.h>

/* ---- findings -------------------------------------------------------------------------------- */

static void GH_PRINTF(5, 0)
    add(lint *l, bool is_error, const char *check, lint_place at, const char *fmt, va_list ap)
{
    gh_buf b;
    char *room;
    va_list again;

    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, ap);
    GH_ASSERT(len >= 0);
    gh_buf_init(&b, 0);
    room = gh_buf_reserve(&b, (size_t)len + 1);
    GH_ASSERT(room != NULL);
    (void)vsnprintf(room, (size_t)len + 1, fmt, again);
    va_end(again);
    b.len = (size_t)len;
    if (l->count == l->cap) {
        l->cap = l->cap == 0 ? 64 : l->cap * 2;
        l->findings = gh_realloc_array(l->findings, l->cap, sizeof(*l->findings));
    }
    gh_str where = cli_place(l->arena, at.place, at.kind, at.id);
    if (at.place.line == 0 && at.name.len > 0)
        where = gh_arena_printf(l->arena, GH_STR_FMT " " GH_STR_FMT, GH_STR_ARG(where),
                                GH_STR_ARG(at.name));
    l->findings[l->count] = (lint_finding){ .is_error = is_error,
                                            .check = check,
                                            .place = at.place,
                                            .where = where,
                                            .text = gh_arena_dup(l->arena, gh_buf_str(&b)),
                                            .number = l->count };
    l->count++;
    gh_buf_fini(&b);
}

void lint_error(lint *l, const char *check, lint_place at, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(l, true, check, at, fmt, ap);
    va_end(ap);
}

void lint_warning(lint *l, const char *check, lint_place at, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(l, false, check, at, fmt, ap);
    va_end(ap);
}

lint_place lint_at_rule(const gh_acl_rule *r)
{
    return (lint_place){ .place = r->place, .kind = r->is_deny ? "deny" : "grant", .id = r->id };
}

lint_place lint_at_text(const lint *l, lint_place at, gh_str text)
{
    at.place = gh_policy_place_of(l->acl, at.place, text);
    return at;
}

lint_place lint_at_role(const gh_acl_role *r)
{
    return (lint_place){ .place = r->place, .kind = "role", .name = r->name };
}

lint_place lint_at_user(const gh_acl_user *u)
{
    return (lint_place){ .place = u->place, .kind = "user", .name = u->name };
}

lint_place lint_at_tag(const gh_acl_tag *t)
{
    return (lint_place){ .place = t->place, .kind = "tag", .name = t->name };
}

static int finding_order(const void *x, const void *y)
{
    const lint_finding *f = x;
    const lint_finding *g = y;
    int order = gh_str_cmp(f->place.file, g->place.file);

    if (order != 0)
        return order;
    if (f->place.line != g->place.line)
        return f->place.line < g->place.line ? -1 : 1;
    if (f->place.column != g->place.column)
        return f->place.column < g->place.column ? -1 : 1;
    return f->number < g->number ? -1 : 1;
}

static void print_findings(lint *l)
{
    static const char *const headings[] = { "where", "severity", "check", "text" };
    cli_table t;

    if (l->count > 1)
        qsort(l->findings, l->count, sizeof(*l->findings), finding_order);
    if (!cli_has(l->call, "--json")) { /* as compilers say it: editors find the place */
        for (size_t i = 0; i < l->count; i++)
            (void)printf(GH_STR_FMT ": %s: " GH_STR_FMT " [%s]\n", GH_STR_ARG(l->findings[i].where),
                         l->findings[i].is_error ? "error" : "warning",
                         GH_STR_ARG(l->findings[i].text), l->findings[i].check);
        return;
    }
    cli_table_init(&t, headings, GH_COUNT(headings), l->arena);
    for (size_t i = 0; i < l->count; i++) {
        cli_table_put(&t, l->findings[i].where);
        cli_table_put(&t, gh_str_of(l->findings[i].is_error ? "error" : "warning"));
        cli_table_put(&t, gh_str_of(l->findings[i].check));
        cli_table_put(&t, l->findings[i].text);
    }
    cli_table_print(&t, l->call, stdout);
    cli_table_fini(&t);
}

/* ---- the verb -------------------------------------------------------------------------------- */

static bool take_number(const char **text, uint32_t *out)
{
    const char *end = *text;
    uint32_t n = 0;

    for (; *end >= '0' && *end <= '9' && n < 100000000; end++)
        n = n * 10 + (uint32_t)(*end - '0');
    if (n == 0 || *end != ':')
        return false;
    *text = end + 1;
    *out = n;
    return true;
}

/* "file:line:column: text" as a place and a text; what begins otherwise is about the policy as a whole. */
static lint_place take_place(const lint *l, const char **text)
{
    lint_place at = { .kind = "policy" };

    for (size_t i = 0; i < l->acl->tree_count; i++) {
        gh_acl_place place = { .file = l->acl->trees[i].file };
        const char *rest = *text + place.file.len + 1;

        if (strncmp(*text, place.file.ptr, place.file.len) != 0 || rest[-1] != ':' ||
            !take_number(&rest, &place.line) || !take_number(&rest, &place.column) || *rest != ' ')
            continue;
        at.place = place;
        *text = rest + 1;
        break;
    }
    return at;
}

static void check_whole(lint *l)
{
    gh_policy *policy = NULL;
    gh_err err = { 0 };

    if (gh_policy_compile(l->acl, &policy, &err) != GH_OK) {
        const char *text = gh_arena_dup(l->arena, gh_str_of(err.public_msg)).ptr;
        lint_place at = take_place(l, &text);
        lint_error(l, "refused", at, "%s", text);
    }
    gh_policy_release(policy);
    lint_acl(l);
    lint_rules(l);
}

static int open_lives(lint *l)
{
    const gh_config *config = &l->call->config;
    gh_err err = { 0 };

    l->lives = gh_alloc((config->warehouse_count + 1) * sizeof(*l->lives));
    for (size_t i = 0; i < config->warehouse_count; i++) {
        gh_rc rc = cli_live_open(l->call, &config->warehouses[i], l->acl->hash_key,
                                 &l->lives[l->live_count], &err);
        if (rc != GH_OK) {
            (void)fprintf(stderr, "warehouse " GH_STR_FMT ": ",
                          GH_STR_ARG(config->warehouses[i].name));
            return cli_fail_err(&err);
        }
        l->live_count++;
    }
    return GH_CLI_DONE;
}

static int check_lives(lint *l)
{
    gh_err err = { 0 };
    int code = open_lives(l);

    if (code == GH_CLI_DONE && lint_live(l, &err) != GH_OK)
        code = cli_fail_err(&err);
    for (size_t i = 0; i < l->live_count; i++)
        cli_live_close(&l->lives[i]);
    free(l->lives);
    return code;
}

static int verdict(const lint *l)
{
    size_t errors = 0;

    for (size_t i = 0; i < l->count; i++)
        errors += l->findings[i].is_error;
    if (!cli_has(l->call, "--json"))
        (void)fprintf(stderr, "%zu errors, %zu warnings\n", errors, l->count - errors);
    return errors > 0 || (l->count > 0 && cli_has(l->call, "--strict")) ? GH_CLI_FAILED
                                                                        : GH_CLI_DONE;
}

static bool wants_config(const cli_call *c)
{
    const char *in_environment = getenv("GATEHOUSE_CONFIG");

    return cli_value(c, "--config") != NULL ||
           (in_environment != NULL && in_environment[0] != '\0');
}

static int run_lint(cli_call *c)
{
    lint l = { .call = c, .arena = c->arena };
    gh_acl acl = { 0 };
    int code;

    if (c->arg_count == 0 && cli_value(c, "--acl") == NULL && !wants_config(c))
        return cli_usage(c, "which policy? FILE-OR-DIR..., or --acl FILE for the ACL as it is");
    code = c->arg_count > 0 ? cli_read_policy(c, &acl) : cli_load_acl(c, &acl);
    if (code == GH_CLI_DONE && wants_config(c))
        code = cli_read_config(c);
    if (code != GH_CLI_DONE)
        return code;
    gh_log_set_level(GH_ERROR); /* what does not compile is a finding */
    l.acl = &acl;
    cli_people_init(&l.people, &acl);
    check_whole(&l);
    if (c->has_config)
        code = check_lives(&l);
    else
        lint_through(&l);
    print_findings(&l);
    if (code == GH_CLI_DONE)
        code = verdict(&l);
    cli_people_fini(&l.people);
    free(l.findings);
    return code;
}

static const cli_option s_options[] = {
    { "--strict", NULL, "exit 1 for warnings too" },
};

const cli_verb cli_policy_lint = {
    .group = "policy",
    .name = "lint",
    .args = "[FILE-OR-DIR...]",
    .summary = "Find what cannot be meant in policy files, or in the ACL",
    .help =
        "Errors: expressions that do not parse, masks that cannot be ordered, and, with a config\n"
        "file, tables, columns and functions that its warehouses lack, filters that they refuse,\n"
        "masks that do not fit. Warnings: roles without members, grants that another grant or a "
        "deny\n"
        "makes useless, attributes that are missing, names that nothing uses, views that show what "
        "a\n"
        "tag masks, or that somebody is granted both with `through` and without. Without\n"
        "files, the ACL "
        "itself is looked at. Exit 1 if there is an error.",
    .example = "  gatehouse policy lint policies/\n"
               "  gatehouse policy lint --config gatehouse.yaml policies/\n"
               "  gatehouse policy lint --acl acl.db --strict --json",
    .shared = CLI_ACL | CLI_CONFIG | CLI_JSON,
    .options = s_options,
    .option_count = GH_COUNT(s_options),
    .args_max = CLI_ARGS_MAX,
    .run = run_lint,
};
