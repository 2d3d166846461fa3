/*
 * explain: what a statement of a user's becomes and why, by the same decision that a running proxy takes.
 */
#include "cli_priv.h"
#include "policy_code.h"

#include <inttypes.h>
#include <time.h>

#include <gatehouse/audit.h>
#include <gatehouse/catalog.h>
#include <gatehouse/policy.h>
#include <gatehouse/rewrite.h>
#include <gatehouse/upstream.h>

static int64_t now_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static const gh_config_warehouse *find_warehouse(const gh_config *config, const char *name)
{
    if (name == NULL)
        return config->warehouse_count == 1 ? &config->warehouses[0] : NULL;
    for (size_t i = 0; i < config->warehouse_count; i++) {
        if (gh_str_is(config->warehouses[i].name, name))
            return &config->warehouses[i];
    }
    return NULL;
}

static gh_rc read_catalog(const gh_config_warehouse *w, gh_str dir, const gh_policy *policy,
                          gh_catalog **out, gh_err *err)
{
    gh_secret password = { 0 };
    gh_upstream *upstream = NULL;
    gh_catalog_reader *reader = NULL;
    gh_rc rc = cli_warehouse_password(w, &password, err);

    if (rc == GH_OK) {
        gh_upstream_options options = { .name = w->name, .conninfo = w->conninfo, .dir = dir };

        options.password = password.len != 0 ? &password : NULL;
        rc = gh_upstream_new(&options, &upstream, err);
    }
    if (rc == GH_OK) {
        reader = gh_catalog_reader_new(upstream);
        cli_expand_views(reader, policy, w->name);
        rc = gh_catalog_read(reader, NULL, out, err);
    }
    gh_catalog_reader_free(reader);
    gh_upstream_release(upstream);
    gh_secret_fini(&password);
    return rc;
}

/* ---- output ------------------------------------------------------------------------------------------- */

static void put_names(gh_buf *b, const char *key, gh_str_list names)
{
    gh_buf_printf(b, ",\"%s\":[", key);
    for (size_t i = 0; i < names.count; i++) {
        gh_buf_puts(b, i == 0 ? "" : ",");
        gh_audit_put_string(b, names.items[i]);
    }
    gh_buf_puts(b, "]");
}

static void put_json(gh_buf *b, const gh_plan *p)
{
    gh_buf_printf(b, "{\"decision\":\"%s\"", p->kind == GH_STMT_REFUSED ? "refused" : "allowed");
    if (p->kind == GH_STMT_REFUSED) {
        gh_buf_printf(b, ",\"sqlstate\":\"%s\",\"message\":", p->error.sqlstate);
        gh_audit_put_string(b, gh_str_of(p->error.public_msg));
        gh_buf_puts(b, ",\"detail\":");
        gh_audit_put_string(b, gh_str_of(p->error.detail));
    }
    gh_buf_puts(b, ",\"sql\":");
    gh_audit_put_string(b, p->sql);
    gh_buf_puts(b, ",\"grants\":[");
    for (size_t i = 0; i < p->grant_count; i++)
        gh_buf_printf(b, "%s%" PRId64, i == 0 ? "" : ",", p->grant_ids[i]);
    gh_buf_puts(b, "],\"relations\":[");
    for (size_t i = 0; i < p->touch_count; i++) {
        const gh_touch *t = &p->touches[i];

        gh_buf_puts(b, i == 0 ? "{\"schema\":" : ",{\"schema\":");
        gh_audit_put_string(b, t->schema);
        gh_buf_puts(b, ",\"name\":");
        gh_audit_put_string(b, t->name);
        put_names(b, "clear", t->clear);
        put_names(b, "masked", t->masked);
        put_names(b, "filtered", t->filtered);
        gh_buf_printf(b, ",\"rows\":\"%s\"}", t->is_row_filtered ? "filtered" : "all");
    }
    gh_buf_puts(b, "]}\n");
}

static void print_names(const char *what, gh_str_list names, cli_call *c)
{
    if (names.count != 0)
        printf("    %s: " GH_STR_FMT "\n", what, GH_STR_ARG(cli_join(c->arena, names)));
}

static void print_plan(cli_call *c, const gh_plan *p)
{
    if (p->kind == GH_STMT_REFUSED) {
        printf("refused  %s  %s\n", p->error.sqlstate, p->error.public_msg);
        if (p->error.detail[0] != '\0')
            printf("  because: %s\n", p->error.detail);
        return;
    }
    printf("%s\n  sent upstream: " GH_STR_FMT "\n", p->is_bypassed ? "bypassed" : "allowed",
           GH_STR_ARG(p->sql));
    for (size_t i = 0; i < p->touch_count; i++) {
        const gh_touch *t = &p->touches[i];

        printf("  " GH_STR_FMT "." GH_STR_FMT "%s\n", GH_STR_ARG(t->schema), GH_STR_ARG(t->name),
               t->is_row_filtered ? "  (rows filtered)" : "");
        print_names("read in clear", t->clear, c);
        print_names("read masked", t->masked, c);
        print_names("in conditions", t->filtered, c);
    }
    if (p->grant_count != 0)
        printf("  by grants:");
    for (size_t i = 0; i < p->grant_count; i++)
        printf(" %" PRId64, p->grant_ids[i]);
    printf(p->grant_count != 0 ? "\n" : "");
}

static int explain(cli_call *c, gh_view *view, const gh_catalog *catalog)
{
    static const gh_str path[] = { { "public", 6 } };
    gh_rewrite_input in = { .sql = gh_str_of(c->args[0]),
                            .catalog = catalog,
                            .view = view,
                            .database = gh_view_warehouse(view),
                            .search_path = { path, 1 },
                            .search_path_text = GH_STR("\"$user\", public"),
                            .client_encoding = GH_STR("UTF8") };
    const gh_plan *plans = NULL;
    size_t count = 0;
    bool is_refused = false;
    gh_err err = { 0 };
    gh_buf json;

    if (gh_rewrite(&in, c->arena, &plans, &count, &err) != GH_OK)
        return cli_fail_err(&err);
    gh_buf_init(&json, 0);
    for (size_t i = 0; i < count; i++) {
        is_refused |= plans[i].kind == GH_STMT_REFUSED;
        if (cli_has(c, "--json"))
            put_json(&json, &plans[i]);
        else
            print_plan(c, &plans[i]);
    }
    if (json.len > 0)
        (void)fwrite(json.ptr, 1, json.len, stdout);
    gh_buf_fini(&json);
    return is_refused ? GH_CLI_FAILED : GH_CLI_DONE;
}

static int run_explain(cli_call *c)
{
    const char *user = cli_value(c, "--user");
    const gh_config_warehouse *w;
    gh_acl acl = { 0 };
    gh_policy *policy = NULL;
    gh_catalog *catalog = NULL;
    gh_err err = { 0 };
    int code;

    if (user == NULL)
        return cli_usage(c, "--user NAME is needed");
    code = cli_read_config(c);
    if (code == GH_CLI_DONE)
        code = cli_load_acl(c, &acl);
    if (code != GH_CLI_DONE)
        return code;
    w = find_warehouse(&c->config, cli_value(c, "--warehouse"));
    if (w == NULL)
        return cli_usage(c, "--warehouse must name a warehouse of the config file");
    if (gh_policy_compile(&acl, &policy, &err) != GH_OK ||
        read_catalog(w, c->config.dir, policy, &catalog, &err) != GH_OK) {
        code = cli_fail_err(&err);
    } else if (gh_policy_user_find(policy, gh_str_of(user)) == NULL) {
        code = cli_fail("no such user: %s", user);
    } else {
        gh_view *view = gh_view_new(policy, w->name, gh_str_of(user), now_us());

        code = explain(c, view, catalog);
        gh_view_release(view);
    }
    gh_catalog_release(catalog);
    gh_policy_release(policy);
    return code;
}

static const cli_option s_options[] = {
    { "--user", "NAME", "whose rights apply" },
    { "--warehouse", "NAME", "needed where the config file has several" },
};

const cli_verb cli_explain = {
    .name = "explain",
    .args = "\"SQL\"",
    .summary = "Show what a user's statement becomes, and by which grants",
    .help =
        "Takes the decision that a running proxy would take, against the ACL and the warehouse's\n"
        "catalog as they are now: whether the statement is allowed, which columns of which\n"
        "relations it reads, in clear or masked, by which grants, and the SQL sent upstream.\n"
        "Nothing of the statement is executed. Exit code 1 if it would be refused.",
    .example =
        "  gatehouse explain --config gatehouse.yaml --user alice \"select * from sales.orders\"",
    .shared = CLI_CONFIG | CLI_ACL | CLI_JSON,
    .options = s_options,
    .option_count = GH_COUNT(s_options),
    .args_min = 1,
    .args_max = 1,
    .run = run_explain,
};
