/*
 * policy plan: what `policy apply` of the same files would change, in words and in effect.
 */
#include "apply_check.h"
#include "effect.h"

#include <stdlib.h>
#include <unistd.h>

#include <gatehouse/audit.h> /* gh_audit_put_string */

enum { PLAN_CHANGES = 2 }; /* the exit code of --detailed-exitcode, as Terraform's */

typedef struct planning {
    cli_call *c;
    const gh_acl *files;
    const gh_acl *before;
    gh_store_summary summary;
    gh_buf effects;  /* printed behind the differences */
    gh_buf warnings; /* what could not be told, a line each, for stderr */
} planning;

/* ---- output ---------------------------------------------------------------------------------- */

static void put_list(gh_buf *b, gh_str_list list, size_t max)
{
    for (size_t i = 0; i < list.count && i < max; i++)
        gh_buf_printf(b, "%s" GH_STR_FMT, i > 0 ? ", " : "", GH_STR_ARG(list.items[i]));
    if (list.count > max)
        gh_buf_printf(b, " and %zu more", list.count - max);
}

static void put_json_list(gh_buf *b, const char *key, gh_str_list list)
{
    gh_buf_printf(b, ",\"%s\":[", key);
    for (size_t i = 0; i < list.count; i++) {
        gh_buf_puts(b, i > 0 ? "," : "");
        gh_audit_put_string(b, list.items[i]);
    }
    gh_buf_puts(b, "]");
}

static void put_json_text(gh_buf *b, const char *key, gh_str text)
{
    gh_buf_printf(b, ",\"%s\":", key);
    gh_audit_put_string(b, text);
}

static gh_str relation_name(cli_call *c, const gh_relation *r)
{
    return cli_one_line(c->arena, gh_arena_printf(c->arena, GH_STR_FMT "." GH_STR_FMT,
                                                  GH_STR_ARG(r->schema), GH_STR_ARG(r->name)));
}

static void put_change_json(planning *p, const cli_live *live, const effect *e,
                            const effect_change *c)
{
    gh_buf *b = &p->effects;

    gh_buf_printf(b, "{\"effect\":\"%c\"", c->sign);
    put_json_text(b, "warehouse", live->warehouse->name);
    put_json_text(b, "relation", relation_name(p->c, e->relation));
    put_json_list(b, "users", e->users);
    put_json_text(b, "what", gh_str_of(c->what));
    put_json_list(b, "columns", c->columns);
    put_json_text(b, "before", c->before);
    put_json_text(b, "after", c->after);
    gh_buf_puts(b, "}\n");
}

static void put_change(planning *p, const effect *e, const effect_change *c)
{
    enum { SHOWN = 8 };
    gh_buf *b = &p->effects;

    gh_buf_printf(b, "    %c ", c->sign);
    put_list(b, e->users, SHOWN);
    gh_buf_puts(b, ": ");
    if (c->columns.count > 0)
        put_list(b, c->columns, SIZE_MAX);
    else
        gh_buf_puts(b, c->what);
    gh_buf_printf(b, ": " GH_STR_FMT " -> " GH_STR_FMT "\n", GH_STR_ARG(c->before),
                  GH_STR_ARG(c->after));
}

static void put_witness(planning *p, const cli_live *live, const effect *e, char sign,
                        const gh_link_rows *rows)
{
    bool is_json = cli_has(p->c, "--json");
    gh_buf *b = &p->effects;

    if (is_json) {
        gh_buf_printf(b, "{\"witness\":\"%c\"", sign);
        put_json_text(b, "warehouse", live->warehouse->name);
        put_json_text(b, "relation", relation_name(p->c, e->relation));
        put_json_text(b, "user", e->users.items[0]);
        gh_buf_puts(b, ",\"row\":{");
    } else {
        gh_buf_printf(b, "      %c for example, " GH_STR_FMT " %s: ", sign,
                      GH_STR_ARG(e->users.items[0]), sign == '+' ? "will see" : "saw until now");
    }
    for (size_t i = 0; i < rows->column_count; i++) {
        gh_str cell = rows->cells[i];
        gh_buf_puts(b, i == 0 ? "" : is_json ? "," : ", ");
        if (!is_json) {
            gh_buf_printf(
                b, GH_STR_FMT "=" GH_STR_FMT, GH_STR_ARG(rows->columns[i]),
                GH_STR_ARG(cell.ptr == NULL ? GH_STR("NULL") : cli_one_line(p->c->arena, cell)));
            continue;
        }
        gh_audit_put_string(b, rows->columns[i]);
        gh_buf_puts(b, ":");
        if (cell.ptr == NULL)
            gh_buf_puts(b, "null");
        else
            gh_audit_put_string(b, cell);
    }
    gh_buf_puts(b, is_json ? "}}\n" : "\n");
}

/* ---- effect ---------------------------------------------------------------------------------- */

static void witness_of(planning *p, cli_live *live, const effect *e, char sign, gh_view *shown,
                       gh_view *missing)
{
    gh_link_rows rows;
    gh_err err = { 0 };
    gh_rc rc = cli_witness(p->c, live, e->relation, shown, missing, &rows, &err);

    if (rc != GH_OK)
        gh_buf_printf(&p->warnings, "no example of " GH_STR_FMT ": %s (%s)\n",
                      GH_STR_ARG(relation_name(p->c, e->relation)), err.public_msg, err.detail);
    else if (rows.row_count > 0)
        put_witness(p, live, e, sign, &rows);
}

static void put_witnesses(planning *p, cli_live *live, const effect_side *before,
                          const effect_side *after, const effect *e)
{
    bool is_more = false;
    bool is_less = false;
    gh_view *b =
        gh_view_new(before->policy, live->warehouse->name, e->users.items[0], cli_now_us());
    gh_view *d = gh_view_new(after->policy, live->warehouse->name, e->users.items[0], cli_now_us());

    for (size_t i = 0; i < e->count; i++) {
        bool is_read = e->changes[i].columns.count > 0 || strcmp(e->changes[i].what, "rows") == 0;
        is_more |= is_read && e->changes[i].sign != '-';
        is_less |= is_read && e->changes[i].sign != '+';
    }
    if (is_more)
        witness_of(p, live, e, '+', d, b);
    if (is_less)
        witness_of(p, live, e, '-', b, d);
    gh_view_release(b);
    gh_view_release(d);
}

static void put_effects(planning *p, cli_live *live, const effect_side *before,
                        const effect_side *after)
{
    bool is_json = cli_has(p->c, "--json");
    const effect *all;
    size_t count;
    const gh_relation *last = NULL;

    cli_effects(p->c, before, after, live, &all, &count);
    if (!is_json)
        gh_buf_printf(&p->effects, "Effect in warehouse " GH_STR_FMT ":%s\n",
                      GH_STR_ARG(live->warehouse->name), count == 0 ? " nobody sees a change" : "");
    for (size_t i = 0; i < count; i++) {
        if (!is_json && all[i].relation != last)
            gh_buf_printf(&p->effects, "  " GH_STR_FMT "\n",
                          GH_STR_ARG(relation_name(p->c, all[i].relation)));
        last = all[i].relation;
        for (size_t j = 0; j < all[i].count; j++) {
            if (is_json)
                put_change_json(p, live, &all[i], &all[i].changes[j]);
            else
                put_change(p, &all[i], &all[i].changes[j]);
        }
        if (cli_has(p->c, "--witness"))
            put_witnesses(p, live, before, after, &all[i]);
    }
}

static void effect_in(planning *p, const gh_config_warehouse *w, const effect_side *before,
                      const effect_side *after)
{
    cli_live live;
    gh_err err = { 0 };
    gh_rc rc = cli_live_open(p->c, w, after->acl->hash_key, &live, &err);

    if (rc != GH_OK) {
        gh_buf_printf(&p->warnings, "no effect shown for warehouse " GH_STR_FMT ": %s (%s)\n",
                      GH_STR_ARG(w->name), err.public_msg, err.detail);
        return;
    }
    put_effects(p, &live, before, after);
    cli_live_close(&live);
}

/* The ACL as `apply` would leave it. */
static gh_rc look(void *arg, const gh_acl *acl, gh_err *err)
{
    planning *p = arg;
    effect_side before = { .acl = p->before };
    effect_side after = { .acl = acl };
    const char *name = cli_value(p->c, "--warehouse");
    cli_apply_check check = { .call = p->c, .files = p->files, .is_quiet = true };
    gh_rc rc = GH_OK;

    if (!p->c->has_config)
        return GH_OK;
    rc = cli_apply_look(&check, acl, err);
    if (rc == GH_OK)
        rc = gh_policy_compile(p->before, &before.policy, err);
    if (rc == GH_OK)
        rc = gh_policy_compile(acl, &after.policy, err);
    for (size_t i = 0; i < p->c->config.warehouse_count && rc == GH_OK; i++) {
        const gh_config_warehouse *w = &p->c->config.warehouses[i];
        if (name == NULL || gh_str_is(w->name, name))
            effect_in(p, w, &before, &after);
    }
    gh_policy_release(before.policy);
    gh_policy_release(after.policy);
    return rc;
}

/* ---- the ACL that it is compared with -------------------------------------------------------- */

/* An ACL that is not there yet is planned against as an empty one, which is gone afterwards. */
typedef struct plan_store {
    gh_store *st;
    char folder[64]; /* of the empty one */
} plan_store;

static const char *const s_files[] = { "acl.db", "acl.db-wal", "acl.db-shm" };

static int open_empty(cli_call *c, plan_store *s)
{
    gh_err err = { 0 };

    (void)snprintf(s->folder, sizeof(s->folder), "/tmp/gatehouse-plan-XXXXXX");
    if (mkdtemp(s->folder) == NULL) {
        s->folder[0] = '\0';
        return cli_fail("no temporary folder in /tmp");
    }
    gh_str path = gh_arena_printf(c->arena, "%s/%s", s->folder, s_files[0]);
    return gh_store_open(path.ptr, GH_STORE_CREATE, &s->st, &err) == GH_OK ? GH_CLI_DONE
                                                                           : cli_fail_err(&err);
}

static int open_store(cli_call *c, plan_store *s)
{
    const char *path;
    int code = cli_acl_path(c, &path);

    if (code != GH_CLI_DONE)
        return code;
    if (access(path, F_OK) == 0)
        return cli_open_acl(c, GH_STORE_WRITE, &s->st);
    (void)fprintf(stderr, "%s: there is no such file yet; compared with an empty ACL\n", path);
    return open_empty(c, s);
}

static void close_store(cli_call *c, plan_store *s)
{
    gh_store_close(s->st);
    for (size_t i = 0; i < GH_COUNT(s_files) && s->folder[0] != '\0'; i++)
        (void)unlink(gh_arena_printf(c->arena, "%s/%s", s->folder, s_files[i]).ptr);
    if (s->folder[0] != '\0')
        (void)rmdir(s->folder);
}

/* ---- the verb -------------------------------------------------------------------------------- */

static int report(planning *p)
{
    const gh_store_summary *s = &p->summary;
    size_t changes = s->added + s->changed + s->removed;

    cli_print_differences(p->c, gh_buf_str(&s->lines));
    if (!cli_has(p->c, "--json")) {
        if (changes == 0)
            (void)printf("nothing to change; the ACL is at version %llu\n",
                         (unsigned long long)s->version);
        else
            (void)printf("plan: %zu to add, %zu to change, %zu to remove\n", s->added, s->changed,
                         s->removed);
        if (s->kept > 0)
            (void)printf("%zu made on the command line would be kept; --prune removes what no file "
                         "says\n",
                         s->kept);
    }
    cli_print_lines(gh_buf_str(&p->effects));
    if (p->warnings.len > 0)
        (void)fwrite(p->warnings.ptr, 1, p->warnings.len, stderr);
    return cli_has(p->c, "--detailed-exitcode") && changes > 0 ? PLAN_CHANGES : GH_CLI_DONE;
}

static int plan(planning *p, plan_store *s, const gh_acl *files)
{
    gh_acl before = { 0 };
    gh_store_author author = cli_author(p->c);
    gh_err err = { 0 };
    uint32_t flags =
        GH_STORE_DRY_RUN | GH_STORE_CONTENT | (cli_has(p->c, "--prune") ? GH_STORE_PRUNE : 0u);

    if (gh_store_load(s->st, p->c->arena, &before, &err) != GH_OK)
        return cli_fail_err(&err);
    p->before = &before;
    p->files = files;
    if (gh_store_apply_looked_at(s->st, files, flags, &author, look, p, &p->summary, &err) != GH_OK)
        return cli_fail_policy(files, &err);
    return report(p);
}

/* The config file is wanted for the effect, wherever the ACL's path comes from. */
static int read_config_if_named(cli_call *c)
{
    const char *in_environment = getenv("GATEHOUSE_CONFIG");

    if (cli_value(c, "--config") == NULL && (in_environment == NULL || in_environment[0] == '\0'))
        return GH_CLI_DONE;
    return cli_read_config(c);
}

static int run_plan(cli_call *c)
{
    planning p = { .c = c };
    plan_store s = { 0 };
    const gh_config_warehouse *w;
    gh_acl files = { 0 };
    int code = cli_read_policy(c, &files);

    if (code == GH_CLI_DONE)
        code = cli_check_expressions(c, &files);
    if (code == GH_CLI_DONE)
        code = read_config_if_named(c);
    if (code == GH_CLI_DONE && !c->has_config &&
        (cli_has(c, "--witness") || cli_has(c, "--warehouse")))
        code = cli_usage(c, "--witness and --warehouse need the config file");
    if (code == GH_CLI_DONE && cli_has(c, "--warehouse"))
        code = cli_pick_warehouse(c, &w);
    if (code != GH_CLI_DONE)
        return code;
    gh_log_set_level(GH_ERROR); /* what a filter lacks is told as an effect, or by lint */
    gh_store_summary_init(&p.summary);
    gh_buf_init(&p.effects, 0);
    gh_buf_init(&p.warnings, 0);
    code = open_store(c, &s);
    if (code == GH_CLI_DONE)
        code = plan(&p, &s, &files);
    close_store(c, &s);
    gh_buf_fini(&p.effects);
    gh_buf_fini(&p.warnings);
    gh_store_summary_fini(&p.summary);
    return code;
}

static const cli_option s_options[] = {
    { "--witness", NULL, "an example row from the warehouse for each effect" },
    { "--warehouse", "NAME", "the effect in this one only, instead of all of the config file" },
    { "--prune", NULL, "as `policy apply --prune`" },
    { "--detailed-exitcode", NULL, "exit 2 if there is something to change, 0 if not" },
};

const cli_verb cli_policy_plan = {
    .group = "policy",
    .name = "plan",
    .args = "FILE-OR-DIR...",
    .summary = "Show what `policy apply` would change, and its effect",
    .help =
        "First the differences between the files and the ACL: + what would be added, ~ changed,\n"
        "- removed, = kept; what `apply` would refuse is refused. Then, with a config file and "
        "its\n"
        "warehouses at hand, the effect: of which relation who gains (+) or loses (-) which rows\n"
        "and columns; ~ where it is neither, or both. Grants count as they are valid now. Nothing\n"
        "is changed.",
    .example = "  gatehouse policy plan --config gatehouse.yaml policies/\n"
               "  gatehouse policy plan --config gatehouse.yaml --witness --json policy.yaml\n"
               "  gatehouse policy plan --acl acl.db --detailed-exitcode policies/",
    .shared = CLI_ACL | CLI_CONFIG | CLI_JSON,
    .options = s_options,
    .option_count = GH_COUNT(s_options),
    .args_min = 1,
    .args_max = CLI_ARGS_MAX,
    .run = run_plan,
};
