/*
 * policy history, policy rollback.
 */
#include "cli_priv.h"

#include <inttypes.h>

#include <gatehouse/audit.h> /* gh_audit_put_string */

enum { HISTORY_CHANGES = 20, HISTORY_THINGS = 20 };

/* ---- history --------------------------------------------------------------------------------- */

static gh_str json_or_null(gh_str json)
{
    return json.len > 0 ? json : GH_STR("null");
}

static void put_json(gh_buf *b, gh_str time, const gh_store_past *p)
{
    gh_buf_printf(b, "{\"version\":%" PRIu64 ",\"time\":", p->version);
    gh_audit_put_string(b, time);
    gh_buf_puts(b, ",\"author\":");
    gh_audit_put_string(b, p->author);
    gh_buf_puts(b, ",\"action\":");
    gh_audit_put_string(b, p->action);
    gh_buf_puts(b, ",\"reason\":");
    gh_audit_put_string(b, p->reason);
    gh_buf_puts(b, ",\"kind\":");
    gh_audit_put_string(b, p->kind);
    gh_buf_puts(b, ",\"key\":");
    gh_audit_put_string(b, p->key);
    gh_buf_puts(b, ",\"before\":");
    gh_buf_put_str(b, json_or_null(p->before));
    gh_buf_puts(b, ",\"after\":");
    gh_buf_put_str(b, json_or_null(p->after));
    gh_buf_puts(b, "}\n");
}

static void print_json(cli_call *c, const gh_store_past *list, size_t count)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    for (size_t i = 0; i < count; i++)
        put_json(&b, cli_time_text(c->arena, list[i].at_us), &list[i]);
    if (b.len > 0)
        (void)fwrite(b.ptr, 1, b.len, stdout);
    gh_buf_fini(&b);
}

static void print_table(cli_call *c, const gh_store_past *list, size_t count)
{
    static const char *const headings[] = { "version", "time", "author", "action", "reason",
                                            "kind",    "key",  "before", "after" };
    cli_table t;

    cli_table_init(&t, headings, GH_COUNT(headings), c->arena);
    for (size_t i = 0; i < count; i++) {
        const gh_store_past *p = &list[i];
        cli_table_put_number(&t, (int64_t)p->version);
        cli_table_put(&t, cli_time_text(c->arena, p->at_us));
        cli_table_put(&t, p->author);
        cli_table_put(&t, p->action);
        cli_table_put(&t, p->reason);
        cli_table_put(&t, p->kind);
        cli_table_put(&t, p->key);
        cli_table_put(&t, p->before);
        cli_table_put(&t, p->after);
    }
    cli_table_print(&t, c, stdout);
    cli_table_fini(&t);
}

static int show(cli_call *c, gh_store *st, int64_t changes, int64_t only)
{
    const gh_store_past *list = NULL;
    size_t count = 0;
    uint64_t version = 0;
    uint64_t left_out = 0;
    gh_err err = { 0 };
    gh_rc rc = gh_store_version(st, &version, &err);

    if (rc == GH_OK && only > 0 && (uint64_t)only > version)
        return cli_fail("there is no change %" PRId64 " yet; the last one is %" PRIu64, only,
                        version);
    uint64_t from = version > (uint64_t)changes ? version - (uint64_t)changes + 1 : 1;
    size_t max = cli_has(c, "--json") || only > 0 ? SIZE_MAX : HISTORY_THINGS;
    if (only > 0) {
        from = (uint64_t)only;
        version = from;
    }
    if (rc == GH_OK)
        rc = gh_store_history(st, from, version, max, c->arena, &list, &count, &left_out, &err);
    if (rc != GH_OK)
        return cli_fail_err(&err);
    if (cli_has(c, "--json"))
        print_json(c, list, count);
    else
        print_table(c, list, count);
    if (left_out > 0)
        (void)fprintf(stderr,
                      "gatehouse: %" PRIu64 " more things changed with them; --change N shows all "
                      "of one change\n",
                      left_out);
    return GH_CLI_DONE;
}

static int run_history(cli_call *c)
{
    const char *only_text = cli_value(c, "--change");
    gh_store *st = NULL;
    int64_t changes = HISTORY_CHANGES;
    int64_t only = 0;

    if (c->arg_count > 0 && (!gh_config_parse_int(gh_str_of(c->args[0]), &changes) || changes < 1))
        return cli_usage(c, "how many changes? expected a number, found \"%s\"", c->args[0]);
    if (only_text != NULL && (!gh_config_parse_int(gh_str_of(only_text), &only) || only < 1))
        return cli_usage(c, "--change: expected the number of a change, found \"%s\"", only_text);
    int code = cli_open_acl(c, GH_STORE_READ, &st);
    if (code != GH_CLI_DONE)
        return code;
    code = show(c, st, changes, only);
    gh_store_close(st);
    return code;
}

static const cli_option s_history_options[] = {
    { "--change", "N", "all of this change alone" },
};

const cli_verb cli_policy_history = {
    .group = "policy",
    .name = "history",
    .args = "[N]",
    .summary = "Show the last N changes of the ACL: who, when, why, before and after",
    .help = "The last 20 if N is not given. A line per thing that a change touched; of large ones\n"
            "the first 20, unless --change or --json asks for all.",
    .example = "  gatehouse policy history --acl acl.db 5\n"
               "  gatehouse policy history --acl acl.db --change 12 --json",
    .shared = CLI_ACL | CLI_CONFIG | CLI_JSON,
    .options = s_history_options,
    .option_count = GH_COUNT(s_history_options),
    .args_max = 1,
    .run = run_history,
};

/* ---- rollback -------------------------------------------------------------------------------- */

static int run_rollback(cli_call *c)
{
    gh_store *st = NULL;
    gh_err err = { 0 };
    gh_store_changes changes = { 0 };
    gh_store_author author = cli_author(c);
    int64_t version = 0;
    int code = cli_check_words(c);

    if (code != GH_CLI_DONE)
        return code;
    if (!gh_config_parse_int(gh_str_of(c->args[0]), &version) || version < 0)
        return cli_usage(c, "expected the number of a change (policy history), found \"%s\"",
                         c->args[0]);
    if (author.reason.len == 0)
        author.reason = gh_arena_printf(c->arena, "back to change %" PRId64, version);
    code = cli_open_acl(c, GH_STORE_WRITE, &st);
    if (code != GH_CLI_DONE)
        return code;
    if (gh_store_rollback(st, (uint64_t)version, &author, c->arena, &changes, &err) != GH_OK) {
        code = cli_fail_err(&err);
    } else {
        cli_print_changes(c, &changes);
        if (!cli_has(c, "--json") && changes.changed > 0)
            (void)printf("the ACL is what it was after change %" PRId64 "; this is change %" PRIu64
                         "\n",
                         version, changes.version);
        else if (!cli_has(c, "--json"))
            (void)printf("nothing to change; the ACL is what it was after change %" PRId64 "\n",
                         version);
    }
    gh_store_close(st);
    return code;
}

const cli_verb cli_policy_rollback = {
    .group = "policy",
    .name = "rollback",
    .args = "N",
    .summary = "Make the ACL what it was after change N, as a new change",
    .help =
        "Grants come back with their ids, and disabled users are disabled again. Passwords are\n"
        "in no history: who stays keeps the present one, who comes back needs a new one.\n"
        "What policy files made comes back as theirs: change them, too.",
    .example = "  gatehouse policy rollback --acl acl.db 41 --reason 'wrong grant'",
    .shared = CLI_ACL | CLI_CONFIG | CLI_AUTHOR | CLI_JSON,
    .args_min = 1,
    .args_max = 1,
    .run = run_rollback,
};
