#include "sql_tests.h"

#include "pg.h"

typedef struct gh_case {
    const char *sql;
    const gh_edit *edits;
    size_t edit_count;
    bool is_ascii;
    gh_buf out;
} gh_case;

/* Emits the text's only statement and, without edits, proves that it still means the same. */
static gh_rc emit(void *arg, gh_err *err)
{
    gh_case *c = arg;
    gh_sql_text t;
    gh_rc rc = gh_sql_parse(gh_str_of(c->sql), &t, err);

    if (rc != GH_OK)
        return rc;
    gh_buf_init(&c->out, 0);
    rc =
        gh_sql_emit(&t, 0, t.token_count, c->edits, c->edit_count, c->is_ascii, &c->out, NULL, err);
    if (rc == GH_OK && c->edit_count == 0)
        rc = gh_sql_verify(gh_buf_str(&c->out), linitial_node(RawStmt, t.stmts)->stmt, err);
    gh_buf_put_u8(&c->out, '\0');
    return rc;
}

static void check_emit(const char *sql, bool is_ascii, const char *expected)
{
    gh_case c = { .sql = sql, .is_ascii = is_ascii };
    gh_err err = { 0 };

    ck_assert_msg(gh_sql_run(emit, &c, &err) == GH_OK, "%s: %s %s", sql, err.sqlstate,
                  err.public_msg);
    ck_assert_str_eq(c.out.ptr, expected);
    gh_buf_fini(&c.out);
}

static const struct {
    const char *sql;
    const char *expected;
} s_canonical[] = {
    { "SELECT  a.B , \"C\" /* x */ FROM t -- end", "select \"a\".\"b\", \"C\" from \"t\"" },
    { "select 'it''s', E'a\\'b\\n', $$dollar$$, $x$ $$ $x$",
      "select 'it''s', 'a''b\n', 'dollar', ' $$ '" },
    { "select 'a\\b'", "select E'a\\\\b'" },
    { "select U&'\\0041', U&\"d!0061ta\" UESCAPE '!'", "select 'A', \"data\"" },
    { "select 'a'\n'b'", "select 'ab'" },
    { "select 1.5e10, .5, 1., 0x1F", NULL },
    { "select B'01', X'1F', N'n'", "select B'01', X'1F', nchar 'n'" },
    { "select a::int, cast(a as text), -1::int",
      "select \"a\"::int, cast (\"a\" as text), - 1::int" },
    { "select f(a, b) over (partition by c), x[1:2], (r).f",
      "select \"f\"(\"a\", \"b\") over (partition by \"c\"), \"x\"[1 : 2], (\"r\").\"f\"" },
    { "select a operator(pg_catalog.+) b", "select \"a\" operator (\"pg_catalog\". +) \"b\"" },
    { "select $1 + $2", "select $1 + $2" },
    { "select k.order, k.where.limit, pg_catalog.left(k.from) as group from k where k.with = 1",
      "select \"k\".\"order\", \"k\".\"where\".\"limit\", \"pg_catalog\".\"left\"(\"k\".\"from\") "
      "as group from "
      "\"k\" where \"k\".\"with\" = 1" },
    { "select a -- c\n@-b", "select \"a\" @- \"b\"" },
    { "select * from t where a not in (1) order by b nulls first",
      "select * from \"t\" where \"a\" not in (1) order by \"b\" nulls first" },
    { "select \"a\"\"b\"", "select \"a\"\"b\"" },
};

START_TEST(canonical_text)
{
    if (s_canonical[_i].expected == NULL) {
        gh_case c = { .sql = s_canonical[_i].sql };
        gh_err err = { 0 };

        /* PostgreSQL 15 refuses what newer servers read as a number. */
        ck_assert_int_eq(gh_sql_run(emit, &c, &err), GH_INVALID);
        ck_assert_str_eq(err.sqlstate, "42601");
        return;
    }
    check_emit(s_canonical[_i].sql, false, s_canonical[_i].expected);
}
END_TEST

START_TEST(ascii_escapes)
{
    check_emit("select 'é', \"naïve\"", true, "select E'\\U000000E9', U&\"na\\+0000EFve\"");
    check_emit("select 'é', \"naïve\"", false, "select 'é', \"naïve\"");
    check_emit("select 'a\\é''', \"q\"\"ï\\\"", true,
               "select E'a\\\\\\U000000E9''', U&\"q\"\"\\+0000EF\\\\\"");
}
END_TEST

START_TEST(edits_replace_and_insert)
{
    static const gh_edit edits[] = { { 1, 1, "x." },
                                     { 3, 4, "(SELECT 1) AS t" },
                                     { 4, 4, "WHERE true" } };
    gh_case c = { .sql = "select a from t", .edits = edits, .edit_count = 3 };
    gh_err err = { 0 };

    ck_assert_int_eq(gh_sql_run(emit, &c, &err), GH_OK);
    ck_assert_str_eq(c.out.ptr, "select x.\"a\" from (SELECT 1) AS t WHERE true");
    gh_buf_fini(&c.out);
}
END_TEST

START_TEST(overlapping_edits_are_a_defect)
{
    static const gh_edit edits[] = { { 1, 3, "x" }, { 2, 4, "y" } };
    gh_case c = { .sql = "select a from t", .edits = edits, .edit_count = 2 };
    gh_err err = { 0 };

    ck_assert_int_eq(gh_sql_run(emit, &c, &err), GH_INTERNAL);
    gh_buf_fini(&c.out);
}
END_TEST

static gh_rc verify_other(void *arg, gh_err *err)
{
    const char *const *pair = arg;
    gh_sql_text t;
    gh_rc rc = gh_sql_parse(gh_str_of(pair[0]), &t, err);

    return rc != GH_OK
               ? rc
               : gh_sql_verify(gh_str_of(pair[1]), linitial_node(RawStmt, t.stmts)->stmt, err);
}

START_TEST(verify_refuses_difference)
{
    static const char *const differ[][2] = {
        { "select a from t", "select b from t" },
        { "select a from t", "select a from t; select 1" },
        { "select a from t where x", "select a from t" },
        { "select (a and b)::int", "select a and b::int" },
        { "select 'a'", "select a" },
        { "select a", "select a from secret where" },
    };
    gh_err err = { 0 };

    ck_assert_int_eq(gh_sql_run(verify_other, (void *)(uintptr_t)differ[_i], &err), GH_INTERNAL);
    ck_assert_str_eq(err.public_msg, "rewritten statement does not verify");
    ck_assert_uint_eq(err.position, 0);
}
END_TEST

START_TEST(verify_accepts_the_same_tree)
{
    static const char *const same[] = { "SELECT  a FROM t", "select \"a\" from \"t\" -- x" };
    gh_err err = { 0 };

    ck_assert_int_eq(gh_sql_run(verify_other, (void *)(uintptr_t)same, &err), GH_OK);
}
END_TEST

/* The first in the text is told, be it the grammar's or, further on, the lexer's. */
START_TEST(syntax_errors_are_postgresqls)
{
    static const char *const texts[] = { "selec 1", "selec 'without an end" };
    gh_case c = { .sql = texts[_i] };
    gh_err err = { 0 };

    ck_assert_int_eq(gh_sql_run(emit, &c, &err), GH_INVALID);
    ck_assert_str_eq(err.sqlstate, "42601");
    ck_assert_str_eq(err.public_msg, "syntax error at or near \"selec\"");
    ck_assert_uint_eq(err.position, 1);
}
END_TEST

Suite *suite_emit(void)
{
    Suite *s = suite_create("emit");
    TCase *c = tcase_create("emit");

    tcase_add_loop_test(c, canonical_text, 0, (int)GH_COUNT(s_canonical));
    tcase_add_test(c, ascii_escapes);
    tcase_add_test(c, edits_replace_and_insert);
    tcase_add_test(c, overlapping_edits_are_a_defect);
    tcase_add_loop_test(c, verify_refuses_difference, 0, 6);
    tcase_add_test(c, verify_accepts_the_same_tree);
    tcase_add_loop_test(c, syntax_errors_are_postgresqls, 0, 2);
    suite_add_tcase(s, c);
    return s;
}
