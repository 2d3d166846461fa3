/*
 * policy unused: grants that no statement of the audit log was allowed by.
 */
#include "policy_code.h"

#include <inttypes.h>
#include <stdlib.h>

#include <gatehouse/auditlog.h>

enum { DAYS_MAX = 36500 };

typedef struct reading {
    int64_t *used; /* ids, ascending once everything is read */
    size_t count;
    size_t cap;
    gh_buf line;
    gh_arena *a; /* of the line at hand */
    uint64_t records;
    bool is_bad;
} reading;

/* ---- the log, line by line ------------------------------------------------------------------- */

static int id_order(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x;
    int64_t b = *(const int64_t *)y;

    return a == b ? 0 : a < b ? -1 : 1;
}

/* Sorted, and each once: what a log of any length needs is bounded by the grants that it names. */
static void compact(reading *r)
{
    size_t kept = 0;

    if (r->count > 1)
        qsort(r->used, r->count, sizeof(*r->used), id_order);
    for (size_t i = 0; i < r->count; i++)
        if (kept == 0 || r->used[kept - 1] != r->used[i])
            r->used[kept++] = r->used[i];
    r->count = kept;
}

static void add_used(reading *r, gh_str number)
{
    int64_t id;

    if (!gh_config_parse_int(number, &id))
        return;
    if (r->count == r->cap) {
        compact(r);
        if (r->count * 2 >= r->cap) {
            r->cap = r->cap == 0 ? 1024 : r->cap * 2;
            r->used = gh_realloc_array(r->used, r->cap, sizeof(*r->used));
        }
    }
    r->used[r->count++] = id;
}

static void take_line(reading *r)
{
    gh_json_value record;
    gh_json_item item;

    if (gh_json_parse(gh_buf_str(&r->line), r->a, &record, NULL) != GH_OK) {
        r->is_bad = true;
        return;
    }
    gh_json_value grants = gh_json_member(&record, r->a, "grants");
    for (bool more = grants.type == GH_JSON_ARRAY && gh_json_first(&grants, r->a, &item); more;
         more = gh_json_next(r->a, &item))
        add_used(r, item.value.text);
    r->records++;
}

/* fopencookie's write: what the log's reader prints. */
static ssize_t take_bytes(void *cookie, const char *bytes, size_t size)
{
    reading *r = cookie;
    size_t done = 0;

    while (done < size) {
        const char *end = memchr(bytes + done, '\n', size - done);
        size_t len = (end == NULL ? size : (size_t)(end - bytes)) - done;
        gh_buf_put(&r->line, bytes + done, len);
        done += len + (end != NULL);
        if (end == NULL)
            break;
        take_line(r);
        gh_buf_clear(&r->line);
        gh_arena_reset(r->a);
    }
    return (ssize_t)size;
}

static gh_rc read_log(reading *r, gh_str dir, int64_t since_us, gh_err *err)
{
    cookie_io_functions_t functions = { .write = take_bytes };
    gh_auditlog_query q = { .dir = dir,
                            .filter = { .kind = GH_AUDIT_INTENT, .since_us = since_us },
                            .is_json = true };
    FILE *out = fopencookie(r, "w", functions);

    if (out == NULL)
        return gh_fail(err, GH_IO, "58030", "no memory for a stream");
    gh_rc rc = gh_auditlog_search(&q, out, NULL, err);
    if (fclose(out) != 0 && rc == GH_OK)
        rc = gh_fail(err, GH_IO, "58030", "the log could not be read to its end");
    compact(r);
    if (rc == GH_OK && r->is_bad)
        rc = gh_fail(err, GH_INVALID, "58030", "a record of the audit log is damaged");
    return rc;
}

static bool is_used(const reading *r, int64_t id)
{
    return r->count > 0 && bsearch(&id, r->used, r->count, sizeof(*r->used), id_order) != NULL;
}

/* ---- output ---------------------------------------------------------------------------------- */

static void print_unused(cli_call *c, const gh_acl *acl, const reading *r)
{
    static const char *const headings[] = { "id", "to", "tables", "reason", "origin" };
    cli_table t;
    size_t grants = 0;
    size_t unused = 0;

    cli_table_init(&t, headings, GH_COUNT(headings), c->arena);
    for (size_t i = 0; i < acl->rule_count; i++) {
        const gh_acl_rule *rule = &acl->rules[i];
        if (rule->is_deny)
            continue;
        grants++;
        if (is_used(r, rule->id))
            continue;
        unused++;
        cli_table_put_number(&t, rule->id);
        cli_table_put_list(&t, rule->to);
        cli_table_put_list(&t, rule->tables);
        cli_table_put(&t, rule->reason);
        cli_table_put(&t, gh_str_of(rule->origin == GH_ORIGIN_POLICY ? "policy" : "cli"));
    }
    cli_table_print(&t, c, stdout);
    cli_table_fini(&t);
    (void)fprintf(stderr, "%zu of %zu grants unused in %" PRIu64 " statements\n", unused, grants,
                  r->records);
}

static int audit_dir(cli_call *c, gh_str *out)
{
    const char *dir = cli_value(c, "--dir");
    int code = GH_CLI_DONE;

    *out = gh_str_of(dir);
    if (dir == NULL)
        code = cli_read_config(c);
    if (dir == NULL && code == GH_CLI_DONE)
        *out = c->config.audit.dir;
    return code;
}

static int run_unused(cli_call *c)
{
    const char *days_text = cli_value(c, "--days");
    reading r = { 0 };
    gh_acl acl = { 0 };
    gh_str dir;
    gh_err err = { 0 };
    int64_t days = 90;

    if (days_text != NULL &&
        (!gh_config_parse_int(gh_str_of(days_text), &days) || days < 1 || days > DAYS_MAX))
        return cli_usage(c, "--days: expected a number of days from 1 to %d, found \"%s\"",
                         DAYS_MAX, days_text);
    int code = cli_load_acl(c, &acl);
    if (code == GH_CLI_DONE)
        code = audit_dir(c, &dir);
    if (code != GH_CLI_DONE)
        return code;
    r.a = gh_arena_new(0);
    gh_buf_init(&r.line, 0);
    if (read_log(&r, dir, cli_now_us() - days * 86400 * 1000000, &err) == GH_OK)
        print_unused(c, &acl, &r);
    else
        code = cli_fail_err(&err);
    gh_buf_fini(&r.line);
    gh_arena_free(r.a);
    free(r.used);
    return code;
}

static const cli_option s_options[] = {
    { "--days", "N", "how far back to look (default: 90)" },
    { "--dir", "DIR", "the folder of the audit log, instead of the config file's" },
};

const cli_verb cli_policy_unused = {
    .group = "policy",
    .name = "unused",
    .summary = "List the grants that no statement needed in N days",
    .help =
        "Reads the audit log: a grant is used when it took part in a decision that let a "
        "statement\n"
        "through. A grant that is changed gets another id, and counts as unused until it is used\n"
        "again. Denies are not listed: nobody can tell whether one was needed.",
    .example = "  gatehouse policy unused --config gatehouse.yaml --days 30\n"
               "  gatehouse policy unused --acl acl.db --dir audit --days 7 --json",
    .shared = CLI_ACL | CLI_CONFIG | CLI_JSON,
    .options = s_options,
    .option_count = GH_COUNT(s_options),
    .run = run_unused,
};
