/*
 * session list, session kill, reload: what is asked of a running proxy.
 */
#include "control_call.h"

#include <gatehouse/audit.h> /* JSON */

static gh_str member(cli_call *c, const gh_json_value *object, const char *key)
{
    gh_json_value v = gh_json_member(object, c->arena, key);

    return v.type == GH_JSON_STRING || v.type == GH_JSON_NUMBER ? v.text : GH_STR("");
}

static bool is_wanted(cli_call *c, const gh_json_value *session)
{
    gh_str user = gh_str_of(cli_value(c, "--user"));
    gh_str warehouse = gh_str_of(cli_value(c, "--warehouse"));

    return (user.ptr == NULL || gh_str_eq(user, member(c, session, "user"))) &&
           (warehouse.ptr == NULL || gh_str_eq(warehouse, member(c, session, "warehouse")));
}

/* To the second, without the T and the Z: for reading. */
static gh_str moment(cli_call *c, gh_str time)
{
    if (time.len < 19)
        return time;
    return gh_arena_printf(c->arena, "%.10s %.8s", time.ptr, time.ptr + 11);
}

static void put_row(cli_call *c, const gh_json_value *s, cli_table *t)
{
    static const char *const keys[] = { "id", "user", "warehouse", "address", "state" };

    for (size_t i = 0; i < GH_COUNT(keys); i++)
        cli_table_put(t, member(c, s, keys[i]));
    cli_table_put(t, moment(c, member(c, s, "state_since")));
    cli_table_put(t, moment(c, member(c, s, "since")));
    cli_table_put(t, member(c, s, "application"));
    cli_table_put(t, member(c, s, "sql"));
}

static int run_list(cli_call *c)
{
    static const char *const headings[] = {
        "id",          "user",          "warehouse",   "address",  "state",
        "state_since", "session_since", "application", "statement"
    };
    gh_str lines;
    gh_str line;
    cli_table t;
    int code = cli_control_ask(c, GH_STR("sessions"), &lines);

    cli_table_init(&t, headings, GH_COUNT(headings), c->arena);
    while (cli_control_line(&lines, &line)) {
        gh_json_value s;

        if (gh_json_parse(line, c->arena, &s, NULL) != GH_OK || !is_wanted(c, &s))
            continue;
        if (cli_has(c, "--json"))
            (void)printf(GH_STR_FMT "\n", GH_STR_ARG(line));
        else
            put_row(c, &s, &t);
    }
    if (!cli_has(c, "--json"))
        cli_table_print(&t, c, stdout);
    cli_table_fini(&t);
    return code;
}

static int run_kill(cli_call *c)
{
    int worst = GH_CLI_DONE;

    for (size_t i = 0; i < c->arg_count; i++) {
        gh_str lines;
        gh_str by = cli_author(c).name;

        if (strpbrk(c->args[i], "\t\n") != NULL || strlen(c->args[i]) > 100)
            return cli_usage(c, "\"%s\" is no session's id", c->args[i]);
        int code = cli_control_ask(
            c, gh_arena_printf(c->arena, "kill\t%s\t" GH_STR_FMT, c->args[i], GH_STR_ARG(by)),
            &lines);
        if (code == GH_CLI_DONE)
            cli_print_state(c, "session", c->args[i], "killed", true,
                            gh_arena_printf(c->arena, "killed %s", c->args[i]).ptr);
        else
            worst = code;
    }
    return worst;
}

static int run_reload(cli_call *c)
{
    gh_str lines;
    gh_str line;
    gh_str by = cli_author(c).name;
    int code = cli_control_ask(c, gh_arena_printf(c->arena, "reload\t" GH_STR_FMT, GH_STR_ARG(by)),
                               &lines);

    while (cli_control_line(&lines, &line)) {
        gh_json_value v;

        if (cli_has(c, "--json")) {
            (void)printf(GH_STR_FMT "\n", GH_STR_ARG(line));
            continue;
        }
        if (gh_json_parse(line, c->arena, &v, NULL) != GH_OK)
            continue;
        if (member(c, &v, "fault").len > 0)
            (void)fprintf(stderr, GH_STR_FMT "\n", GH_STR_ARG(member(c, &v, "fault")));
        if (member(c, &v, "mode").len > 0)
            (void)printf("warehouse " GH_STR_FMT ": mode " GH_STR_FMT "\n",
                         GH_STR_ARG(member(c, &v, "warehouse")), GH_STR_ARG(member(c, &v, "mode")));
        if (member(c, &v, "needs_restart").len > 0)
            (void)printf(GH_STR_FMT ": changed; takes effect with a restart\n",
                         GH_STR_ARG(member(c, &v, "needs_restart")));
        if (member(c, &v, "policy_version").len > 0)
            (void)printf("reloaded; policy version " GH_STR_FMT "\n",
                         GH_STR_ARG(member(c, &v, "policy_version")));
    }
    return code;
}

static const cli_option s_list_options[] = {
    { "--control", "SOCKET", "the proxy's control socket, instead of the config file's" },
    { "--user", "NAME", "sessions of this user" },
    { "--warehouse", "NAME", "sessions in this warehouse" },
};

static const cli_option s_change_options[] = {
    { "--control", "SOCKET", "the proxy's control socket, instead of the config file's" },
    { "--by", "NAME", "who does it, for the audit (default: the operating system's user)" },
};

const cli_verb cli_session_list = {
    .group = "session",
    .name = "list",
    .summary = "List the sessions of a running proxy",
    .help = "Who is connected, from where, in which state, and what runs, without its literals. "
            "The id is the\n"
            "one of the audit log.",
    .example = "  gatehouse session list --config gatehouse.yaml\n"
               "  gatehouse session list --config gatehouse.yaml --user alice --json",
    .shared = CLI_CONFIG | CLI_JSON,
    .options = s_list_options,
    .option_count = GH_COUNT(s_list_options),
    .run = run_list,
};

const cli_verb cli_session_kill = {
    .group = "session",
    .name = "kill",
    .args = "ID...",
    .summary = "End sessions of a running proxy",
    .help = "The client is told 57P01, what it runs is cancelled, its transaction is rolled back. "
            "The audit log\n"
            "says who did it. Nothing keeps the user from connecting again: see `user disable`.",
    .example = "  gatehouse session kill --config gatehouse.yaml 9f3c1a2b4d5e6f70.1.42",
    .shared = CLI_CONFIG | CLI_JSON,
    .options = s_change_options,
    .option_count = GH_COUNT(s_change_options),
    .args_min = 1,
    .args_max = CLI_ARGS_MAX,
    .run = run_kill,
};

const cli_verb cli_reload = {
    .name = "reload",
    .summary = "Let a running proxy read its config, certificates and ACL again",
    .help = "As SIGHUP does, but says what came of it: a fault leaves everything as it was (exit "
            "1), and keys that\n"
            "only a restart changes are named. Changes of the ACL need no reload; one that failed "
            "is tried again.",
    .example = "  gatehouse reload --config gatehouse.yaml",
    .shared = CLI_CONFIG | CLI_JSON,
    .options = s_change_options,
    .option_count = GH_COUNT(s_change_options),
    .run = run_reload,
};
