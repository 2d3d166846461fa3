/*
 * policy test: the `tests:` of policy files against a live warehouse, each as the user that it names,
 * through the same rewriter as in a session, in a transaction that is rolled back.
 */
#include "policy_code.h"

#include <errno.h>
#include <inttypes.h>

#include <gatehouse/audit.h> /* gh_audit_put_string */
#include <gatehouse/rewrite.h>

/* Of the files alone there is no ACL and so no key: pseudonyms of tests are made with this one, and are
 * the same in every run. */
#define TEST_KEY "0000000000000000000000000000000000000000000000000000000000000000"

enum { ROWS_MAX = 100000, BOOL_OID = 16 };

typedef struct outcome {
    bool is_ok;
    gh_str name;    /* "alice: select ..." */
    gh_str where;   /* "policy.yaml:12:5" */
    gh_str message; /* of a failure: expected ..., found ... */
    int64_t duration_us;
} outcome;

typedef struct testing {
    cli_call *c;
    cli_live *live;
    gh_policy *policy;
    outcome *outcomes;
    size_t count;
    size_t failed;
} testing;

/* What a query answered. */
typedef struct answer {
    char sqlstate[6]; /* empty: no error */
    gh_str error;
    gh_link_rows rows;
} answer;

/* ---- running --------------------------------------------------------------------------------- */

static void take_error(testing *t, answer *out, const gh_err *err)
{
    memcpy(out->sqlstate, err->sqlstate, sizeof(out->sqlstate));
    out->error = gh_arena_dup(t->c->arena, gh_str_of(err->public_msg));
}

/* An upstream's error as a client would see its code; the text is for the author of the test. */
static void take_upstream_error(testing *t, answer *out, const gh_err *err)
{
    bool is_check =
        strcmp(err->sqlstate, "22P02") == 0 && strstr(err->detail, GH_CHECK_MARK) != NULL;

    take_error(t, out, err);
    if (is_check)
        memcpy(out->sqlstate, "42501", sizeof(out->sqlstate));
    out->error = is_check ? GH_STR("a written row is outside of every grant")
                          : gh_arena_dup(t->c->arena, gh_str_of(err->detail));
}

static gh_rc run_plan(testing *t, const gh_plan *plan, answer *out, gh_err *err)
{
    gh_err said = { 0 };

    if (plan->kind == GH_STMT_REFUSED) {
        take_error(t, out, &plan->error);
        return GH_OK;
    }
    out->rows = (gh_link_rows){ 0 };
    if (plan->kind == GH_STMT_EMPTY)
        return GH_OK;
    if (plan->kind != GH_STMT_QUERY && plan->kind != GH_STMT_WRITE && plan->kind != GH_STMT_SHOW)
        return gh_fail(err, GH_INVALID, "0A000",
                       "a test can hold queries and writes, no other statements");
    gh_rc rc = gh_link_query(t->live->link, plan->sql, ROWS_MAX, t->c->arena, &out->rows, &said);
    if (rc == GH_INVALID) {
        take_upstream_error(t, out, &said);
        return GH_OK;
    }
    if (rc != GH_OK)
        *err = said;
    else if (plan->strips_result)
        out->rows = (gh_link_rows){ 0 };
    return rc;
}

/* The check of a written row is the answer's last column. */
static void strip_column(testing *t, gh_link_rows *rows)
{
    size_t kept = rows->column_count - 1;
    gh_str *cells = gh_arena_alloc(t->c->arena, (rows->row_count * kept + 1) * sizeof(*cells));

    GH_ASSERT(cells != NULL);
    for (size_t i = 0; i < rows->row_count; i++)
        for (size_t j = 0; j < kept; j++)
            cells[i * kept + j] = rows->cells[i * rows->column_count + j];
    rows->cells = cells;
    rows->column_count = kept;
}

static gh_rc run_plans(testing *t, const gh_plan *plans, size_t count, answer *out, gh_err *err)
{
    gh_link_rows ignored;
    gh_err late = { 0 };
    gh_rc rc = gh_link_query(t->live->link, GH_STR("BEGIN"), 0, t->c->arena, &ignored, err);

    for (size_t i = 0; i < count && rc == GH_OK && out->sqlstate[0] == '\0'; i++) {
        rc = run_plan(t, &plans[i], out, err);
        if (rc == GH_OK && plans[i].strips_column && out->rows.column_count > 0)
            strip_column(t, &out->rows);
    }
    if (gh_link_query(t->live->link, GH_STR("ROLLBACK"), 0, t->c->arena, &ignored, &late) !=
            GH_OK &&
        rc == GH_OK) {
        *err = late;
        return GH_IO;
    }
    return rc;
}

/* Everything that a client could be told is an answer; only what is none is a failure. */
static gh_rc ask(testing *t, const gh_acl_test *test, answer *out, gh_err *err)
{
    static const gh_str path[] = { { "public", 6 } };
    gh_view *view = gh_view_new(t->policy, t->live->warehouse->name, test->as, cli_now_us());
    gh_rewrite_input in = { .sql = test->query,
                            .catalog = t->live->catalog,
                            .view = view,
                            .database = t->live->warehouse->name,
                            .search_path = { path, 1 },
                            .search_path_text = GH_STR("\"$user\", public"),
                            .client_encoding = GH_STR("UTF8") };
    const gh_plan *plans = NULL;
    size_t count = 0;
    gh_err said = { 0 };
    gh_rc rc = GH_OK;

    if (!gh_view_has_any_grant(view) && (gh_view_may(view) & GH_MAY_BYPASS) == 0) {
        memcpy(out->sqlstate, "3D000", sizeof(out->sqlstate));
        out->error = GH_STR("the user has no grant in this warehouse");
    } else if (gh_rewrite(&in, t->c->arena, &plans, &count, &said) != GH_OK) {
        take_error(t, out, &said);
    } else {
        rc = run_plans(t, plans, count, out, err);
    }
    gh_view_release(view);
    return rc;
}

/* ---- comparing ------------------------------------------------------------------------------- */

static void put_cell(gh_buf *b, gh_str cell)
{
    if (cell.ptr == NULL)
        gh_buf_puts(b, "NULL");
    else
        gh_audit_put_string(b, cell);
}

static void put_row(gh_buf *b, const gh_str *cells, size_t count)
{
    gh_buf_puts(b, "[");
    for (size_t i = 0; i < count; i++) {
        gh_buf_puts(b, i > 0 ? ", " : "");
        put_cell(b, cells[i]);
    }
    gh_buf_puts(b, "]");
}

static gh_str fail_text(testing *t, gh_buf *b)
{
    gh_str s = gh_arena_dup(t->c->arena, gh_buf_str(b));

    gh_buf_fini(b);
    return s;
}

static bool cell_fits(gh_str expected, gh_str found, gh_oid type)
{
    if (expected.ptr == NULL || found.ptr == NULL)
        return expected.ptr == NULL && found.ptr == NULL;
    if (type == BOOL_OID && (gh_str_is(expected, "true") || gh_str_is(expected, "false")))
        expected.len = 1; /* PostgreSQL writes t and f, YAML true and false */
    return gh_str_eq(expected, found);
}

static bool row_fits(const gh_str_list *expected, const gh_link_rows *rows, size_t row)
{
    if (expected->count != rows->column_count)
        return false;
    for (size_t i = 0; i < expected->count; i++)
        if (!cell_fits(expected->items[i], rows->cells[row * rows->column_count + i],
                       rows->types[i]))
            return false;
    return true;
}

/* Empty: as expected. */
static gh_str compare_rows(testing *t, const gh_acl_test *test, const gh_link_rows *rows)
{
    gh_buf b;
    size_t row = 0;

    while (row < test->row_count && row < rows->row_count && row_fits(&test->rows[row], rows, row))
        row++;
    if (row == test->row_count && row == rows->row_count)
        return (gh_str){ 0 };
    gh_buf_init(&b, 0);
    gh_buf_printf(&b, "row %zu: expected ", row + 1);
    if (row < test->row_count)
        put_row(&b, test->rows[row].items, test->rows[row].count);
    else
        gh_buf_puts(&b, "none");
    gh_buf_puts(&b, ", found ");
    if (row < rows->row_count)
        put_row(&b, &rows->cells[row * rows->column_count], rows->column_count);
    else
        gh_buf_puts(&b, "none");
    gh_buf_printf(&b, " (%zu rows expected, %zu found)", test->row_count, rows->row_count);
    return fail_text(t, &b);
}

static gh_str compare_columns(testing *t, const gh_acl_test *test, const gh_link_rows *rows)
{
    bool is_same = test->columns.count == rows->column_count;
    gh_buf b;

    for (size_t i = 0; is_same && i < rows->column_count; i++)
        is_same = gh_str_eq(test->columns.items[i], rows->columns[i]);
    if (is_same)
        return (gh_str){ 0 };
    gh_buf_init(&b, 0);
    gh_buf_puts(&b, "columns: expected ");
    put_row(&b, test->columns.items, test->columns.count);
    gh_buf_puts(&b, ", found ");
    put_row(&b, rows->columns, rows->column_count);
    return fail_text(t, &b);
}

static gh_str compare(testing *t, const gh_acl_test *test, const answer *a)
{
    gh_arena *arena = t->c->arena;
    gh_str text = { 0 };

    if (test->error.len > 0 && a->sqlstate[0] == '\0')
        return gh_arena_printf(arena, "expected error " GH_STR_FMT ", found %zu rows",
                               GH_STR_ARG(test->error), a->rows.row_count);
    if (!gh_str_is(test->error, a->sqlstate))
        return gh_arena_printf(arena, "expected %s" GH_STR_FMT ", found error %s: " GH_STR_FMT,
                               test->error.len > 0 ? "error " : "an answer",
                               GH_STR_ARG(test->error), a->sqlstate, GH_STR_ARG(a->error));
    if (a->sqlstate[0] != '\0')
        return text;
    if (test->has_columns)
        text = compare_columns(t, test, &a->rows);
    return text.len == 0 && test->has_rows ? compare_rows(t, test, &a->rows) : text;
}

static gh_str one_line(gh_arena *a, gh_str s)
{
    char *out = gh_arena_alloc(a, s.len + 1);
    size_t len = 0;

    GH_ASSERT(out != NULL);
    for (size_t i = 0; i < s.len; i++) {
        char ch = (unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == '#' ? ' ' : s.ptr[i];
        if (ch != ' ' || (len > 0 && out[len - 1] != ' '))
            out[len++] = ch;
    }
    return (gh_str){ out, len };
}

static gh_rc run_test(testing *t, const gh_acl_test *test, outcome *o, gh_err *err)
{
    int64_t begin = cli_now_us();
    answer a = { 0 };
    gh_err said = { 0 };
    gh_rc rc = GH_OK;

    o->name = one_line(t->c->arena, gh_arena_printf(t->c->arena, GH_STR_FMT ": " GH_STR_FMT,
                                                    GH_STR_ARG(test->as), GH_STR_ARG(test->query)));
    o->where = cli_place(t->c->arena, test->place, "test", 0);
    if (gh_policy_user_find(t->policy, test->as) == NULL) {
        o->message = gh_arena_printf(t->c->arena, "the policy has no user " GH_STR_FMT,
                                     GH_STR_ARG(test->as));
        return GH_OK;
    }
    rc = ask(t, test, &a, &said);
    if (rc == GH_OK)
        o->message = compare(t, test, &a);
    else if (rc == GH_IO || rc == GH_CLOSED) /* the warehouse is gone: no verdict on any test */
        *err = said;
    else
        o->message = gh_arena_dup(t->c->arena, gh_str_of(said.public_msg));
    o->is_ok = rc == GH_OK && o->message.len == 0;
    o->duration_us = cli_now_us() - begin;
    return rc == GH_IO || rc == GH_CLOSED ? rc : GH_OK;
}

/* ---- output ---------------------------------------------------------------------------------- */

static void print_tap(const testing *t)
{
    (void)printf("TAP version 13\n1..%zu\n", t->count);
    for (size_t i = 0; i < t->count; i++) {
        const outcome *o = &t->outcomes[i];
        (void)printf("%s %zu - " GH_STR_FMT "\n", o->is_ok ? "ok" : "not ok", i + 1,
                     GH_STR_ARG(o->name));
        if (o->is_ok)
            continue;
        gh_str text = one_line(t->c->arena, o->message);
        gh_buf b;
        gh_buf_init(&b, 0);
        gh_buf_puts(&b, "  ---\n  at: ");
        gh_audit_put_string(&b, o->where);
        gh_buf_puts(&b, "\n  message: ");
        gh_audit_put_string(&b, text);
        gh_buf_puts(&b, "\n  ...\n");
        (void)fwrite(b.ptr, 1, b.len, stdout);
        gh_buf_fini(&b);
    }
}

static void print_json(const testing *t)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    for (size_t i = 0; i < t->count; i++) {
        const outcome *o = &t->outcomes[i];
        gh_buf_printf(&b, "{\"test\":%zu,\"ok\":%s,\"name\":", i + 1, o->is_ok ? "true" : "false");
        gh_audit_put_string(&b, o->name);
        gh_buf_puts(&b, ",\"where\":");
        gh_audit_put_string(&b, o->where);
        gh_buf_puts(&b, ",\"message\":");
        gh_audit_put_string(&b, o->message);
        gh_buf_printf(&b, ",\"duration_us\":%" PRId64 "}\n", o->duration_us);
    }
    if (b.len > 0)
        (void)fwrite(b.ptr, 1, b.len, stdout);
    gh_buf_fini(&b);
}

/* Of XML 1.0: the five characters with a meaning, and none that it forbids. */
static void put_xml(gh_buf *b, gh_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        switch (s.ptr[i]) {
        case '<':
            gh_buf_puts(b, "&lt;");
            break;
        case '>':
            gh_buf_puts(b, "&gt;");
            break;
        case '&':
            gh_buf_puts(b, "&amp;");
            break;
        case '"':
            gh_buf_puts(b, "&quot;");
            break;
        default:
            gh_buf_put(b, (unsigned char)s.ptr[i] < 0x20 ? " " : &s.ptr[i], 1);
        }
    }
}

static int write_junit(const testing *t, const char *path)
{
    gh_buf b;
    FILE *out = fopen(path, "we");

    if (out == NULL)
        return cli_fail("%s: %s", path, strerror(errno));
    gh_buf_init(&b, 0);
    gh_buf_printf(&b,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<testsuite name=\"policy\" tests=\"%zu\" failures=\"%zu\">\n",
                  t->count, t->failed);
    for (size_t i = 0; i < t->count; i++) {
        const outcome *o = &t->outcomes[i];
        gh_buf_puts(&b, "  <testcase classname=\"");
        put_xml(&b, o->where);
        gh_buf_puts(&b, "\" name=\"");
        put_xml(&b, o->name);
        gh_buf_printf(&b, "\" time=\"%.6f\"", (double)o->duration_us / 1e6);
        if (o->is_ok) {
            gh_buf_puts(&b, "/>\n");
            continue;
        }
        gh_buf_puts(&b, "><failure message=\"");
        put_xml(&b, o->message);
        gh_buf_puts(&b, "\"/></testcase>\n");
    }
    gh_buf_puts(&b, "</testsuite>\n");
    bool is_written = fwrite(b.ptr, 1, b.len, out) == b.len;
    gh_buf_fini(&b);
    if (fclose(out) != 0 || !is_written)
        return cli_fail("%s: it could not be written", path);
    return GH_CLI_DONE;
}

/* ---- the verb -------------------------------------------------------------------------------- */

static int run_tests(testing *t, const gh_acl *acl)
{
    gh_err err = { 0 };

    for (size_t i = 0; i < acl->test_count; i++) {
        if (run_test(t, &acl->tests[i], &t->outcomes[i], &err) != GH_OK) {
            if (!cli_has(t->c, "--json"))
                (void)printf("Bail out! %s\n", err.public_msg);
            return cli_fail_err(&err);
        }
        t->count++;
        t->failed += !t->outcomes[i].is_ok;
    }
    if (cli_has(t->c, "--json"))
        print_json(t);
    else
        print_tap(t);
    int code = cli_has(t->c, "--junit") ? write_junit(t, cli_value(t->c, "--junit")) : GH_CLI_DONE;
    return t->failed > 0 ? GH_CLI_FAILED : code;
}

static int run_policy_test(cli_call *c)
{
    const gh_config_warehouse *w = NULL;
    testing t = { .c = c };
    cli_live live = { 0 };
    gh_acl acl = { 0 };
    gh_err err = { 0 };
    int code = cli_read_policy(c, &acl);

    if (code == GH_CLI_DONE)
        code = cli_read_config(c);
    if (code == GH_CLI_DONE)
        code = cli_pick_warehouse(c, &w);
    if (code != GH_CLI_DONE)
        return code;
    if (acl.test_count == 0)
        return cli_fail("the policy files hold no tests");
    acl.hash_key = GH_STR(TEST_KEY);
    gh_log_set_level(GH_ERROR); /* what does not compile is the test's finding */
    t.outcomes = gh_arena_alloc(c->arena, acl.test_count * sizeof(*t.outcomes));
    GH_ASSERT(t.outcomes != NULL); /* the call's arena has no budget */
    if (gh_policy_compile(&acl, &t.policy, &err) != GH_OK ||
        cli_live_open_for(c, w, t.policy, acl.hash_key, &live, &err) != GH_OK) {
        code = cli_fail_policy(&acl, &err);
    } else {
        t.live = &live;
        code = run_tests(&t, &acl);
    }
    cli_live_close(&live);
    gh_policy_release(t.policy);
    return code;
}

static const cli_option s_options[] = {
    { "--junit", "FILE", "the results as JUnit's XML too" },
    { "--warehouse", "NAME", "needed where the config file has several" },
};

const cli_verb cli_policy_test = {
    .group = "policy",
    .name = "test",
    .args = "FILE-OR-DIR...",
    .summary = "Run the tests of policy files against the warehouse",
    .help = "Each case of `tests:` runs as the user that it names, under the policy of the files "
            "alone\n"
            "(whatever the ACL says), in a transaction that is rolled back. Rows are compared in "
            "order\n"
            "and as text, `error` with the SQLSTATE that a client would get. Masks that hash use a "
            "key\n"
            "of zeros. Results are TAP; exit 1 if any test fails.",
    .example = "  gatehouse policy test --config gatehouse.yaml policies/\n"
               "  gatehouse policy test --config ci.yaml --junit results.xml policy.yaml",
    .shared = CLI_CONFIG | CLI_JSON,
    .options = s_options,
    .option_count = GH_COUNT(s_options),
    .args_min = 1,
    .args_max = CLI_ARGS_MAX,
    .run = run_policy_test,
};
