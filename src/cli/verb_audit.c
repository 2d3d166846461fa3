/*
 * audit tail, audit search, audit show, audit stats: the log's own readers, with their options.
 */
#include "cli_priv.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <gatehouse/auditlog.h>

#include "would_deny.h"

int cli_audit_dir(cli_call *c, gh_str *out)
{
    const char *dir = cli_value(c, "--dir");

    if (dir != NULL) {
        *out = gh_str_of(dir);
        return GH_CLI_DONE;
    }
    int code = cli_read_config(c);
    if (code == GH_CLI_DONE)
        *out = c->config.audit.dir;
    return code;
}

static int read_time(cli_call *c, const char *option, int64_t *out)
{
    gh_err err = { 0 };
    struct timespec now;
    const char *text = cli_value(c, option);

    if (text == NULL)
        return GH_CLI_DONE;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    if (gh_audit_time_parse(gh_str_of(text), now_us, out, &err) != GH_OK)
        return cli_usage(c, "%s: %s", option, err.public_msg);
    return GH_CLI_DONE;
}

static int read_filter(cli_call *c, gh_audit_filter *f)
{
    const char *kind = cli_value(c, "--kind");

    f->user = gh_str_of(cli_value(c, "--user"));
    f->warehouse = gh_str_of(cli_value(c, "--warehouse"));
    f->relation = gh_str_of(cli_value(c, "--on"));
    f->column = gh_str_of(cli_value(c, "--column"));
    f->sqlstate = gh_str_of(cli_value(c, "--sqlstate"));
    f->text = gh_str_of(cli_value(c, "--text"));
    f->session = gh_str_of(cli_value(c, "--session"));
    if (kind != NULL) {
        f->kind = gh_audit_kind_parse(gh_str_of(kind));
        if (f->kind == GH_AUDIT_NONE)
            return cli_usage(c, "no such kind of record: \"%s\"", kind);
    }
    int code = read_time(c, "--since", &f->since_us);
    return code == GH_CLI_DONE ? read_time(c, "--until", &f->until_us) : code;
}

static int read_query(cli_call *c, gh_auditlog_query *q, int64_t limit)
{
    struct winsize size;
    const char *number = cli_value(c, "--limit");

    if (number != NULL && (!gh_config_parse_int(gh_str_of(number), &limit) || limit < 0))
        return cli_usage(c, "--limit: expected a number, found \"%s\"", number);
    q->limit = (uint64_t)limit;
    q->is_json = cli_has(c, "--json");
    if (isatty(STDOUT_FILENO) != 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        q->width = size.ws_col;
    int code = cli_audit_dir(c, &q->dir);
    return code == GH_CLI_DONE ? read_filter(c, &q->filter) : code;
}

static int run_tail(cli_call *c)
{
    gh_auditlog_query q = { 0 };
    gh_err err = { 0 };
    int code = read_query(c, &q, 10);

    if (code != GH_CLI_DONE)
        return code;
    q.is_following = cli_has(c, "--follow");
    /* It only reads: whoever interrupts it ends the process. */
    return gh_auditlog_tail(&q, stdout, &err) == GH_OK ? GH_CLI_DONE : cli_fail_err(&err);
}

static int run_search(cli_call *c)
{
    gh_auditlog_query q = { 0 };
    gh_err err = { 0 };
    uint64_t matched = 0;
    int code = read_query(c, &q, 0);

    if (code != GH_CLI_DONE)
        return code;
    if (gh_auditlog_search(&q, stdout, &matched, &err) != GH_OK)
        return cli_fail_err(&err);
    if (isatty(STDERR_FILENO) != 0)
        (void)fprintf(stderr, "%llu records\n", (unsigned long long)matched);
    return GH_CLI_DONE;
}

/* 1f0c22a9b4d87e35.0.42: of a statement or a session. */
static bool is_id(const char *s)
{
    size_t part;

    if (strspn(s, "0123456789abcdef") != 16 || s[16] != '.')
        return false;
    s += 17;
    part = strspn(s, "0123456789");
    if (part == 0 || s[part] != '.')
        return false;
    s += part + 1;
    part = strspn(s, "0123456789");
    return part > 0 && s[part] == '\0';
}

static int run_show(cli_call *c)
{
    gh_auditlog_query q = { .is_whole = true, .is_json = cli_has(c, "--json") };
    gh_err err = { 0 };
    uint64_t matched = 0;
    int64_t seq = 0;

    if (is_id(c->args[0]))
        q.filter.id = gh_str_of(c->args[0]);
    else if (gh_config_parse_int(gh_str_of(c->args[0]), &seq) && seq > 0)
        q.filter.seq = (uint64_t)seq;
    else
        return cli_usage(
            c, "expected the id of a statement or session, or a record's number, found \"%s\"",
            c->args[0]);
    int code = cli_audit_dir(c, &q.dir);
    if (code != GH_CLI_DONE)
        return code;
    if (gh_auditlog_search(&q, stdout, &matched, &err) != GH_OK)
        return cli_fail_err(&err);
    if (matched == 0)
        return cli_fail("no record of \"%s\" in " GH_STR_FMT, c->args[0], GH_STR_ARG(q.dir));
    return GH_CLI_DONE;
}

static void add(void *arg, const gh_json_value *record, gh_arena *a)
{
    would_add(arg, record, a);
}

static void print_sums(cli_call *c, const would_sums *w)
{
    static const char *const headings[] = {
        "count",    "user",   "warehouse", "effect", "sqlstate",
        "relation", "column", "example",   "last",   "message"
    };
    cli_table t;

    cli_table_init(&t, headings, GH_COUNT(headings), c->arena);
    for (size_t i = 0; i < w->count; i++) {
        const would_group *g = &w->groups[i];

        cli_table_put_number(&t, g->count);
        cli_table_put(&t, g->user);
        cli_table_put(&t, g->warehouse);
        cli_table_put(&t, gh_str_of(g->effect));
        cli_table_put(&t, g->sqlstate);
        cli_table_put(&t, g->relation);
        cli_table_put(&t, g->column);
        cli_table_put(&t, g->example);
        cli_table_put(&t, g->last);
        cli_table_put(&t, g->message);
    }
    cli_table_print(&t, c, stdout);
    cli_table_fini(&t);
}

static int run_stats(cli_call *c)
{
    gh_auditlog_query q = { 0 };
    gh_err err = { 0 };
    would_sums w;

    if (!cli_has(c, "--would-deny"))
        return cli_usage(c, "stats of what? --would-deny: of what observe mode let through");
    int code = read_query(c, &q, 0);
    if (code != GH_CLI_DONE)
        return code;
    would_init(&w, c->arena);
    q.each = add;
    q.each_arg = &w;
    if (gh_auditlog_search(&q, stdout, NULL, &err) != GH_OK)
        code = cli_fail_err(&err);
    else {
        would_sort(&w);
        print_sums(c, &w);
    }
    would_fini(&w);
    return code;
}

#define FILTER_OPTIONS                                                                             \
    { "--dir", "DIR", "the folder of the audit log, instead of the config file's" },               \
        { "--user", "NAME", "records of this user" },                                              \
        { "--warehouse", "NAME", "records of this warehouse" },                                    \
        { "--on", "[SCHEMA.]RELATION", "statements that touched this relation" },                  \
        { "--column", "NAME", "statements that read this column" },                                \
        { "--kind", "KIND", "intent, outcome, refused, login, login_failed ..." },                 \
        { "--sqlstate", "CODE", "records with this error" },                                       \
        { "--text", "TEXT", "records whose SQL or message holds this" },                           \
        { "--session", "ID", "records of this session" },                                          \
        { "--since", "TIME", "2026-12-31, 2026-12-31T08:00:00Z, or so long ago: 15m, 4h, 7d" },    \
        { "--until", "TIME", "the same" },                                                         \
    {                                                                                              \
        "--limit", "N", "at most the newest N"                                                     \
    }

static const cli_option s_tail_options[] = {
    { "--follow", NULL, "go on with what is appended, until interrupted" },
    FILTER_OPTIONS,
};

static const cli_option s_search_options[] = { FILTER_OPTIONS };

const cli_verb cli_audit_tail = {
    .group = "audit",
    .name = "tail",
    .summary = "Print the last records of the audit log",
    .help = "The last 10, or --limit, that match; with --follow, also those to come.",
    .example = "  gatehouse audit tail --config gatehouse.yaml --follow\n"
               "  gatehouse audit tail --dir audit --user alice --limit 50 --json",
    .shared = CLI_CONFIG | CLI_JSON,
    .options = s_tail_options,
    .option_count = GH_COUNT(s_tail_options),
    .run = run_tail,
};

const cli_verb cli_audit_search = {
    .group = "audit",
    .name = "search",
    .summary = "Print the records of the audit log that match",
    .example = "  gatehouse audit search --config gatehouse.yaml --on crm.customers --column email "
               "--since 7d\n"
               "  gatehouse audit search --dir audit --kind refused --json",
    .shared = CLI_CONFIG | CLI_JSON,
    .options = s_search_options,
    .option_count = GH_COUNT(s_search_options),
    .run = run_search,
};

static const cli_option s_show_options[] = {
    { "--dir", "DIR", "the folder of the audit log, instead of the config file's" },
};

const cli_verb cli_audit_show = {
    .group = "audit",
    .name = "show",
    .args = "ID",
    .summary = "Print whole records of the audit log: of a statement, of a session, or one",
    .help =
        "ID is a statement's (its intent or refusal, and its outcome), a session's (all of it, "
        "from login "
        "to\n"
        "logout), or a record's number, `seq`. A field a line, an empty line between records; with "
        "--json\n"
        "each record as it is in the file, a line.",
    .example = "  gatehouse audit show --config gatehouse.yaml 1f0c22a9b4d87e35.0.42\n"
               "  gatehouse audit show --dir audit 17 --json",
    .shared = CLI_CONFIG | CLI_JSON,
    .options = s_show_options,
    .option_count = GH_COUNT(s_show_options),
    .args_min = 1,
    .args_max = 1,
    .run = run_show,
};

static const cli_option s_stats_options[] = {
    { "--would-deny", NULL, "of warehouses in observe mode: what the policy would have done" },
    FILTER_OPTIONS,
};

const cli_verb cli_audit_stats = {
    .group = "audit",
    .name = "stats",
    .summary = "Add up what the policy would have refused, hidden, masked or filtered",
    .help = "A line for each user, warehouse, effect, SQLSTATE, relation and column, the most "
            "frequent first, with the\n"
            "id and time of the newest such statement: `audit search --text` and the record's "
            "`would` tell more.\n"
            "A statement that would be refused counts as that alone.",
    .example = "  gatehouse audit stats --would-deny --config gatehouse.yaml --since 7d\n"
               "  gatehouse audit stats --would-deny --config gatehouse.yaml --user alice --json",
    .shared = CLI_CONFIG | CLI_JSON,
    .options = s_stats_options,
    .option_count = GH_COUNT(s_stats_options),
    .run = run_stats,
};
