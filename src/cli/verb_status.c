/*
 * status: how a running proxy is.
 */
#include "control_call.h"

#include <inttypes.h>

#include <gatehouse/audit.h> /* JSON */

/* A member's text; of an object in it where `inner` is given. */
static gh_str at(cli_call *c, const gh_json_value *object, const char *key, const char *inner)
{
    gh_json_value v = gh_json_member(object, c->arena, key);

    if (inner != NULL)
        v = gh_json_member(&v, c->arena, inner);
    return v.type == GH_JSON_NULL || v.type == GH_JSON_NONE ? GH_STR("-") : v.text;
}

static void print_uptime(gh_str seconds)
{
    int64_t s = 0;

    if (!gh_config_parse_int(seconds, &s))
        return;
    (void)printf("up %" PRId64 "d %02" PRId64 ":%02" PRId64 ":%02" PRId64, s / 86400, s / 3600 % 24,
                 s / 60 % 60, s % 60);
}

static void print_policy(cli_call *c, const gh_json_value *v)
{
    bool is_stale = gh_str_is(at(c, v, "policy", "state"), "stale");

    (void)printf("policy:   version " GH_STR_FMT " since " GH_STR_FMT ", from " GH_STR_FMT "\n",
                 GH_STR_ARG(at(c, v, "policy", "version")), GH_STR_ARG(at(c, v, "policy", "since")),
                 GH_STR_ARG(at(c, v, "policy", "path")));
    if (is_stale)
        (void)printf("          STALE: the last good policy stays in force since " GH_STR_FMT
                     ": " GH_STR_FMT "\n",
                     GH_STR_ARG(at(c, v, "policy", "error_since")),
                     GH_STR_ARG(at(c, v, "policy", "error")));
}

static void print_audit(cli_call *c, const gh_json_value *v)
{
    if (!gh_str_is(at(c, v, "audit", "state"), "ok"))
        (void)printf("audit:    FAILING, statements are refused: " GH_STR_FMT "\n",
                     GH_STR_ARG(at(c, v, "audit", "dir")));
    else
        (void)printf("audit:    ok, " GH_STR_FMT " records written to " GH_STR_FMT "\n",
                     GH_STR_ARG(at(c, v, "audit", "records")),
                     GH_STR_ARG(at(c, v, "audit", "dir")));
    if (!gh_str_is(at(c, v, "audit", "lost"), "0"))
        (void)printf("          " GH_STR_FMT " records were lost\n",
                     GH_STR_ARG(at(c, v, "audit", "lost")));
}

static gh_str catalog_text(cli_call *c, const gh_json_value *w)
{
    gh_json_value catalog = gh_json_member(w, c->arena, "catalog");
    gh_json_value age = gh_json_member(&catalog, c->arena, "age_s");
    gh_json_value error = gh_json_member(&catalog, c->arena, "error");
    gh_str text = gh_json_member(&catalog, c->arena, "state").text;

    if (age.type == GH_JSON_NUMBER)
        text = gh_arena_printf(c->arena, GH_STR_FMT ", " GH_STR_FMT " s old", GH_STR_ARG(text),
                               GH_STR_ARG(age.text));
    if (error.type == GH_JSON_STRING)
        text = gh_arena_printf(c->arena, GH_STR_FMT ": " GH_STR_FMT, GH_STR_ARG(text),
                               GH_STR_ARG(error.text));
    return text;
}

static void put_warehouse(cli_call *c, const gh_json_value *w, cli_table *t)
{
    cli_table_put(t, at(c, w, "name", NULL));
    cli_table_put(t, at(c, w, "mode", NULL));
    cli_table_put(t, at(c, w, "pool", "used"));
    cli_table_put(t, at(c, w, "pool", "idle"));
    cli_table_put(t, at(c, w, "pool", "size"));
    cli_table_put(t, at(c, w, "pool", "waiting"));
    cli_table_put(t, catalog_text(c, w));
}

static void print_warehouses(cli_call *c, const gh_json_value *v)
{
    static const char *const headings[] = { "warehouse", "mode",    "used",   "idle",
                                            "size",      "waiting", "catalog" };
    gh_json_value list = gh_json_member(v, c->arena, "warehouses");
    gh_json_item item;
    cli_table t;

    cli_table_init(&t, headings, GH_COUNT(headings), c->arena);
    for (bool ok = gh_json_first(&list, c->arena, &item); ok; ok = gh_json_next(c->arena, &item))
        put_warehouse(c, &item.value, &t);
    (void)fputc('\n', stdout);
    cli_table_print(&t, c, stdout);
    cli_table_fini(&t);
    for (bool ok = gh_json_first(&list, c->arena, &item); ok; ok = gh_json_next(c->arena, &item)) {
        if (gh_str_is(at(c, &item.value, "mode", NULL), "observe"))
            (void)printf("OBSERVED: nothing is refused, hidden or masked in " GH_STR_FMT
                         "; see `gatehouse audit stats --would-deny`\n",
                         GH_STR_ARG(at(c, &item.value, "name", NULL)));
    }
}

static void print(cli_call *c, const gh_json_value *v)
{
    (void)printf("gatehouse " GH_STR_FMT ", pid " GH_STR_FMT ", " GH_STR_FMT " workers, ",
                 GH_STR_ARG(at(c, v, "version", NULL)), GH_STR_ARG(at(c, v, "pid", NULL)),
                 GH_STR_ARG(at(c, v, "workers", NULL)));
    print_uptime(at(c, v, "uptime_s", NULL));
    (void)printf("%s\nclients:  " GH_STR_FMT " of " GH_STR_FMT ", " GH_STR_FMT
                 " with a statement under way\n",
                 gh_str_is(at(c, v, "draining", NULL), "true") ? ", DRAINING" : "",
                 GH_STR_ARG(at(c, v, "clients", NULL)), GH_STR_ARG(at(c, v, "clients_max", NULL)),
                 GH_STR_ARG(at(c, v, "active", NULL)));
    (void)printf("so far:   " GH_STR_FMT " statements sent, " GH_STR_FMT " refused; " GH_STR_FMT
                 " logins, " GH_STR_FMT " failed\n",
                 GH_STR_ARG(at(c, v, "statements", NULL)), GH_STR_ARG(at(c, v, "refusals", NULL)),
                 GH_STR_ARG(at(c, v, "logins", NULL)),
                 GH_STR_ARG(at(c, v, "login_failures", NULL)));
    print_policy(c, v);
    print_audit(c, v);
    print_warehouses(c, v);
}

static int run_status(cli_call *c)
{
    gh_str lines;
    gh_str line;
    gh_json_value v;
    int code = cli_control_ask(c, GH_STR("status"), &lines);

    if (code != GH_CLI_DONE)
        return code;
    if (!cli_control_line(&lines, &line) || gh_json_parse(line, c->arena, &v, NULL) != GH_OK)
        return cli_fail("the proxy's answer is not understood");
    if (cli_has(c, "--json"))
        (void)printf(GH_STR_FMT "\n", GH_STR_ARG(line));
    else
        print(c, &v);
    return GH_CLI_DONE;
}

const cli_verb cli_status = {
    .name = "status",
    .summary = "Say how a running proxy is",
    .help = "Version, uptime, clients, the policy in force and whether it is the last good one of "
            "an ACL that can no\n"
            "longer be read, the audit log, and each warehouse with its mode, its pool and the age "
            "of its catalog.\n"
            "Exit 1 if no proxy answers.",
    .example = "  gatehouse status --config gatehouse.yaml\n"
               "  gatehouse status --config gatehouse.yaml --json",
    .shared = CLI_CONFIG | CLI_JSON,
    .options = cli_control_options,
    .option_count = CLI_CONTROL_OPTIONS,
    .run = run_status,
};
