/*
 * The pure parts of sessions: error texts, expectations, names, settings. The protocol as a whole is tested over sockets, in
 * tests/protocol.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "error_public.h"
#include "expect.h"
#include "fingerprint.h"
#include "judge_line.h"
#include "names.h"
#include "settings.h"

/* ---- error_public --------------------------------------------------------------------------------- */

static void assert_text(const char *sqlstate, const char *message, const char *sql,
                        const char *expected)
{
    gh_buf out;

    gh_buf_init(&out, 0);
    gh_session_public_error(gh_str_of(sqlstate), gh_str_of(message), gh_str_of(sql), &out);
    gh_buf_put_u8(&out, 0);
    ck_assert_str_eq(out.ptr, expected);
    gh_buf_fini(&out);
}

START_TEST(test_public_error_values)
{
    /* The client's own literal may be quoted back; a value of the warehouse may not. */
    assert_text("22P02", "invalid input syntax for type integer: \"abc\"", "select 'abc'::int",
                "invalid input syntax for type integer: \"abc\"");
    assert_text("22P02", "invalid input syntax for type integer: \"078-05-1120\"",
                "select ssn::int from hr.employees", "invalid input syntax");
    /* Part of a word is not the client's. */
    assert_text("22P02", "invalid input syntax for type integer: \"M\"", "select sex::int from Me",
                "invalid input syntax");
    assert_text("23505", "duplicate key value violates unique constraint \"customers_email_key\"",
                "insert into customers_email_key",
                "duplicate key value violates a unique constraint");
    assert_text("23514", "new row for relation \"t\" violates check constraint \"c\"", "t c",
                "new row violates a check constraint");
    assert_text("22012", "division by zero", "", "division by zero");
    assert_text("22003", "value \"99999999999\" is out of range for type integer",
                "select 99999999999::int",
                "value \"99999999999\" is out of range for type integer");
    assert_text("22003", "value \"99999999999\" is out of range for type integer", "select x::int",
                "numeric value out of range");
    /* A function can raise any text under any code. */
    assert_text("22012", "salary of bob is 5", "select f()", "division by zero");
    assert_text("P0001", "salary of bob is 5", "select f()",
                "a function of the warehouse raised an error");
    assert_text("42501", "permission denied for table hidden", "select 1", "permission denied");
    assert_text("XX000", "cache lookup failed for relation 16400", "x",
                "the warehouse met an internal error");
    assert_text("F0000", "whatever", "x", "the statement failed");
}
END_TEST

START_TEST(test_public_error_types)
{
    assert_text("42883", "operator does not exist: integer = text", "",
                "operator does not exist: integer = text");
    assert_text("42883", "operator does not exist: hidden_type = text", "",
                "function or operator does not exist");
    assert_text("42883", "function lower(integer, text) does not exist", "select lower(1, '')",
                "function lower(integer, text) does not exist");
    assert_text("42883", "function secret(integer) does not exist", "select lower(1)",
                "function or operator does not exist");
    assert_text("22001", "value too long for type character varying(3)", "",
                "value too long for type character varying(3)");
    assert_text("42846", "cannot cast type timestamp without time zone[] to numeric(10,2)", "",
                "cannot cast type timestamp without time zone[] to numeric(10,2)");
    assert_text("42804", "argument of WHERE must be type boolean, not type integer", "",
                "argument of WHERE must be type boolean, not type integer");
}
END_TEST

/* What people get wrong every day is told in PostgreSQL's words, as far as those are the client's own. */
START_TEST(test_public_error_of_the_day)
{
    static const struct {
        const char *sqlstate, *message, *sql, *expected;
    } cases[] = {
        { "42803",
          "column \"plain.a\" must appear in the GROUP BY clause or be used in an aggregate "
          "function",
          "select a from plain group by b", NULL },
        { "42803",
          "column \"gh.secret\" must appear in the GROUP BY clause or be used in an aggregate "
          "function",
          "select * from plain group by b",
          "a column must appear in the GROUP BY clause or be used in an aggregate function" },
        { "42803",
          "column \"plain.secret\" must appear in the GROUP BY clause or be used in an aggregate "
          "function",
          "select * from plain group by b",
          "a column must appear in the GROUP BY clause or be used in an aggregate function" },
        { "42803", "salary of bob is 5", "select f()", "grouping error" },
        { "42883", "function pg_catalog.round(double precision, integer) does not exist",
          "select round(x, 1)", "function round(double precision, integer) does not exist" },
        { "42883", "function pg_catalog.secret(integer) does not exist", "select round(x, 1)",
          "function or operator does not exist" },
        { "42883", "function other.round(integer) does not exist", "select round(x, 1)",
          "function or operator does not exist" },
        { "22P02", "invalid input value for enum shop.state: \"bogus\"", "where state = 'bogus'",
          "invalid input value for enum: \"bogus\"" },
        { "22P02", "invalid input value for enum shop.state: \"bogus\"", "where state = note::x",
          "invalid input syntax" },
        { "42809", "window function pg_catalog.row_number requires an OVER clause",
          "select row_number()", "window function row_number requires an OVER clause" },
        { "42809", "window function row_number requires an OVER clause", "select row_number()",
          NULL },
        { "42701", "column \"secret\" specified more than once", "insert into t select 1",
          "a column is named twice" },
        { "42702", "ORDER BY \"id\" is ambiguous", "select id, id from x order by id", NULL },
        { "42702", "ORDER BY \"secret\" is ambiguous", "select id",
          "column reference is ambiguous" },
        { "42P10", "table \"x\" has 1 columns available but 2 columns specified",
          "from (select 1) x (a, b)", NULL },
        { "2201B", "invalid regular expression: brackets [] not balanced", "select 'a' ~ '['",
          NULL },
        { "2201B", "invalid regular expression: whatever", "whatever",
          "the statement met a value that it cannot process" },
        { "22007", "invalid value \"abc\" for \"YYYY\"", "select to_date('abc', 'YYYY')", NULL },
        { "22007", "invalid value \"abc\" for \"YYYY\"", "select to_date(ssn, 'YYYY')",
          "invalid datetime format" },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++)
        assert_text(cases[i].sqlstate, cases[i].message, cases[i].sql,
                    cases[i].expected != NULL ? cases[i].expected : cases[i].message);
}
END_TEST

START_TEST(test_error_fields)
{
    static const char body[] = "SFEHLER\0VERROR\0C22P02\0Mtext\0DKey (email)=(x)\0P17\0\0";
    gh_upstream_error e;

    ck_assert_int_eq(gh_upstream_error_read((gh_str){ body, sizeof(body) - 1 }, &e), GH_OK);
    ck_assert(gh_str_is(e.severity, "ERROR"));
    ck_assert(gh_str_is(e.sqlstate, "22P02"));
    ck_assert(gh_str_is(e.message, "text"));
    ck_assert_uint_eq(e.position, 17);
    for (size_t len = 0; len < sizeof(body) - 1; len++) /* every truncation */
        ck_assert_int_ne(gh_upstream_error_read((gh_str){ body, len }, &e), GH_OK);
    ck_assert_int_ne(gh_upstream_error_read((gh_str){ "VERROR\0C22\0Mx\0", 15 }, &e), GH_OK);
}
END_TEST

/* Of what raised it the context tells: the statement itself, or code that it set off. */
START_TEST(errors_of_code)
{
    static const struct {
        const char *context;
        bool is_of_code;
    } cases[] = {
        { "COPY orders, line 1, column id: \"x\"", false },
        { "JSON data, line 1: {", false },
        { "unnamed portal parameter $1", false },
        { "parallel worker", false },
        { "JSON data, line 1: {\nparallel worker", false },
        { "PL/pgSQL function lib.f() line 1 at RAISE", true },
        { "SQL function \"f\" statement 1", true },
        { "JSON data, line 1: {\nPL/pgSQL function lib.f() line 1 at PERFORM\nCOPY orders, line 1",
          true },
        { "remote SQL command: SELECT 1", true },
    };
    static const char query[] = "VERROR\0C22P02\0Mtext\0qSELECT 1\0\0";
    gh_upstream_error e;

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        char body[256];
        int len = snprintf(body, sizeof(body), "VERROR%cC22P02%cMtext%cW%s%c", 0, 0, 0,
                           cases[i].context, 0);

        ck_assert_int_eq(gh_upstream_error_read((gh_str){ body, (size_t)len + 1 }, &e), GH_OK);
        ck_assert_msg(e.is_of_code == cases[i].is_of_code, "%s", cases[i].context);
    }
    ck_assert_int_eq(gh_upstream_error_read((gh_str){ query, sizeof(query) - 1 }, &e), GH_OK);
    ck_assert(e.is_of_code);
}
END_TEST

/* What the client reads of a notice; "" where it is dropped. */
static void assert_notice(const char *severity, const char *sqlstate, const char *message,
                          const char *expected)
{
    gh_upstream_error e = { .severity = gh_str_of(severity),
                            .sqlstate = gh_str_of(sqlstate),
                            .message = gh_str_of(message) };
    gh_buf out;

    gh_buf_init(&out, 0);
    ck_assert(gh_session_public_notice(&e, GH_STR("DROP TABLE IF EXISTS t"), &out) ==
              (expected[0] != '\0'));
    gh_buf_put_u8(&out, 0);
    ck_assert_str_eq(out.ptr, expected);
    gh_buf_fini(&out);
}

START_TEST(test_notices)
{
    gh_upstream_error raised = { .severity = GH_STR("NOTICE"),
                                 .sqlstate = GH_STR("00000"),
                                 .message = GH_STR("table \"t\" does not exist, skipping"),
                                 .is_of_code = true };
    gh_buf none;

    /* A trigger's own DROP TABLE IF EXISTS, once for each row. */
    gh_buf_init(&none, 0);
    ck_assert(!gh_session_public_notice(&raised, GH_STR("DROP TABLE IF EXISTS t"), &none));
    ck_assert_uint_eq(none.len, 0);
    gh_buf_fini(&none);

    assert_notice("WARNING", "25P01", "there is no transaction in progress",
                  "there is no transaction in progress");
    assert_notice("WARNING", "25P01", "secret", "invalid transaction state");
    /* client_min_messages = log with debug_print_plan */
    assert_notice("LOG", "25P01", "there is no transaction in progress", "");
    assert_notice("NOTICE", "P0001", "x", "");
    /* RAISE NOTICE of a trigger comes under the code of remarks: not even how often is shown. */
    assert_notice("NOTICE", "00000", "table \"t\" does not exist, skipping",
                  "table \"t\" does not exist, skipping");
    assert_notice("NOTICE", "00000", "table \"hidden\" does not exist, skipping", "");
    assert_notice("NOTICE", "00000", "salary of bob is 5", "");
    assert_notice("NOTICE", "00000", "division by zero", "");
}
END_TEST

/* ---- expect ------------------------------------------------------------------------------------------ */

START_TEST(test_expect_order)
{
    gh_expect_queue q = { 0 };

    for (uint32_t round = 0; round < 3; round++) { /* over the ring's end and through its growth */
        for (uint32_t i = 0; i < 100; i++)
            gh_expect_push(&q, GH_EXPECT_EXECUTE)->plan_at = i;
        for (uint32_t i = 0; i < 95; i++) {
            ck_assert_uint_eq(gh_expect_head(&q)->plan_at, i);
            gh_expect_pop(&q);
        }
        for (uint32_t i = 99; i > 94; i--) {
            ck_assert_uint_eq(gh_expect_at(&q, q.count - 1)->plan_at, i);
            gh_expect_pop_last(&q);
        }
        ck_assert_uint_eq(q.count, 0);
    }
    ck_assert_uint_eq(q.popped, 3 * 95);
    ck_assert_ptr_null(gh_expect_head(&q));
    gh_expect_trim(&q);
    ck_assert_uint_eq(q.cap, 0);
    gh_expect_fini(&q);
}
END_TEST

START_TEST(test_expect_until_sync)
{
    gh_expect_queue q = { 0 };

    ck_assert_uint_eq(gh_expect_until_sync(&q), 0);
    (void)gh_expect_push(&q, GH_EXPECT_PARSE);
    (void)gh_expect_push(&q, GH_EXPECT_BIND);
    ck_assert_uint_eq(gh_expect_until_sync(&q), 2);
    (void)gh_expect_push(&q, GH_EXPECT_SYNC);
    (void)gh_expect_push(&q, GH_EXPECT_BIND);
    ck_assert_uint_eq(gh_expect_until_sync(&q), 2);
    gh_expect_fini(&q);
}
END_TEST

/* ---- names -------------------------------------------------------------------------------------------- */

static gh_plan_set *some_set(void)
{
    gh_plan plan = { .kind = GH_STMT_QUERY, .sql = GH_STR("SELECT 1") };

    return gh_plan_set_new(GH_STR("select 1"), &plan, 1, GH_STR("P"));
}

START_TEST(test_names)
{
    gh_names t = { 0 };
    gh_plan_set *set = some_set();
    char text[80];

    ck_assert_ptr_null(gh_names_find(&t, GH_STR("")));
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(text, sizeof(text), "s%d", i);
        gh_named *n = gh_named_new(gh_str_of(text), set, 1);

        ck_assert_ptr_null(gh_names_put(&t, n));
        gh_named_release(n);
    }
    ck_assert_uint_eq(t.count, 1000);
    ck_assert(gh_str_is(gh_named_name(gh_names_find(&t, GH_STR("s999"))), "s999"));

    gh_named *again = gh_named_new(GH_STR("s5"), set, 2);
    gh_named *before = gh_names_put(&t, again);
    ck_assert_ptr_nonnull(before);
    ck_assert_uint_eq(t.count, 1000);
    ck_assert(!before->is_in_table);
    ck_assert_ptr_eq(gh_names_find(&t, GH_STR("s5")), again);
    gh_named_release(before);
    gh_named_release(again);

    gh_named *taken = gh_names_take(&t, GH_STR("s7"));
    ck_assert_ptr_nonnull(taken);
    ck_assert_ptr_null(gh_names_find(&t, GH_STR("s7")));
    gh_named_release(taken);
    gh_names_clear(&t);
    gh_plan_set_release(set);
}
END_TEST

/* Names are cut to 63 bytes, as the upstream cuts them: two that differ in byte 64 are one. */
START_TEST(test_names_are_cut)
{
    gh_names t = { 0 };
    gh_plan_set *set = some_set();
    char a[65];
    char b[65];

    memset(a, 'x', 64);
    memcpy(b, a, 64);
    a[63] = 'a';
    b[63] = 'b';
    gh_named *n = gh_named_new((gh_str){ a, 64 }, set, 1);
    ck_assert_ptr_null(gh_names_put(&t, n));
    gh_named_release(n);
    ck_assert_ptr_nonnull(gh_names_find(&t, (gh_str){ b, 64 }));
    ck_assert_ptr_null(gh_names_find(&t, (gh_str){ b, 62 }));
    gh_names_clear(&t);
    gh_plan_set_release(set);
}
END_TEST

START_TEST(test_names_end_with_their_batch)
{
    gh_names t = { 0 };
    gh_plan_set *set = some_set();

    for (uint64_t i = 0; i < 20; i++) {
        char text[8];
        (void)snprintf(text, sizeof(text), "p%d", (int)i);
        gh_named *n = gh_named_new(gh_str_of(text), set, 1);

        n->batch = i;
        ck_assert_ptr_null(gh_names_put(&t, n));
        gh_named_release(n);
    }
    gh_names_clear_before(&t, 15);
    ck_assert_uint_eq(t.count, 5);
    ck_assert_ptr_null(gh_names_find(&t, GH_STR("p14")));
    ck_assert_ptr_nonnull(gh_names_find(&t, GH_STR("p15")));
    gh_names_clear(&t);
    gh_plan_set_release(set);
}
END_TEST

/* ---- settings ------------------------------------------------------------------------------------------- */

static gh_path *path_of(const char *text)
{
    gh_path *p = NULL;

    if (gh_path_new(gh_str_of(text), GH_STR("alice"), &p, NULL) != GH_OK)
        return NULL;
    return p;
}

START_TEST(test_paths)
{
    gh_path *p = path_of("\"$user\", Public , \"Sales \"\"Dept\", pg_catalog");

    ck_assert_uint_eq(p->schemas.count, 3);
    ck_assert(gh_str_is(p->schemas.items[0], "alice"));
    ck_assert(gh_str_is(p->schemas.items[1], "public"));
    ck_assert(gh_str_is(p->schemas.items[2], "Sales \"Dept"));
    gh_path_release(p);
    p = path_of("");
    ck_assert_uint_eq(p->schemas.count, 0);
    gh_path_release(p);
    p = path_of("a,b");
    ck_assert_uint_eq(p->schemas.count, 2);
    gh_path_release(p);
    ck_assert_ptr_null(path_of("a,"));
    ck_assert_ptr_null(path_of(",a"));
    ck_assert_ptr_null(path_of("a b"));
    ck_assert_ptr_null(path_of("\"a"));
    p = path_of("a;b");
    ck_assert(p != NULL && gh_str_is(p->schemas.items[0], "a;b"));
    gh_path_release(p);
}
END_TEST

static void set(gh_settings *s, const char *text, bool is_local)
{
    gh_path *p = path_of(text);

    gh_settings_set(s, p, is_local);
    gh_path_release(p);
}

static void assert_path(const gh_settings *s, const char *text)
{
    ck_assert(gh_str_is(gh_settings_path(s)->text, text));
}

START_TEST(test_settings_follow_transactions)
{
    gh_settings s;

    gh_settings_init(&s, path_of("public"));
    set(&s, "a", false);
    ck_assert(gh_settings_is_changed(&s));
    gh_settings_rollback(&s);
    assert_path(&s, "public");
    set(&s, "a", false);
    gh_settings_commit(&s);
    assert_path(&s, "a");
    set(&s, "b", true);
    assert_path(&s, "b");
    gh_settings_commit(&s); /* SET LOCAL ends with its transaction */
    assert_path(&s, "a");
    gh_settings_savepoint(&s, GH_STR("x"));
    set(&s, "c", false);
    gh_settings_savepoint(&s, GH_STR("y"));
    set(&s, "d", true);
    gh_settings_rollback_to(&s, GH_STR("y"));
    assert_path(&s, "c");
    gh_settings_rollback_to(&s, GH_STR("x")); /* may be repeated */
    gh_settings_rollback_to(&s, GH_STR("x"));
    assert_path(&s, "a");
    set(&s, "e", false);
    gh_settings_release(&s, GH_STR("x"));
    gh_settings_rollback_to(&s, GH_STR("x")); /* gone: nothing happens */
    assert_path(&s, "e");
    gh_settings_commit(&s);
    gh_settings_set(&s, NULL, false);
    gh_settings_commit(&s);
    assert_path(&s, "public");
    ck_assert(!gh_settings_is_changed(&s));
    gh_settings_fini(&s);
}
END_TEST

/* What savepoints keep is bounded, by their number and by the paths that they alone hold; what goes away gives its share back. */
START_TEST(test_savepoints_are_bounded)
{
    for (int has_paths = 0; has_paths < 2; has_paths++) {
        char path[GH_SESSION_PATH_MAX + 1];
        gh_settings s;
        size_t count = 0;

        gh_settings_init(&s, path_of("public"));
        memset(path, 'x', GH_SESSION_PATH_MAX);
        path[GH_SESSION_PATH_MAX] = '\0';
        while (gh_settings_check_savepoint(&s, NULL) == GH_OK) {
            if (has_paths != 0)
                set(&s, path, count % 2 == 0);
            gh_settings_savepoint(&s, GH_STR("x"));
            count++;
            ck_assert_uint_le(s.savepoint_bytes,
                              GH_SESSION_SAVEPOINT_BYTES_MAX + 10 * sizeof(path));
        }
        ck_assert_uint_gt(count, has_paths != 0 ? 100 : 100000);
        ck_assert_uint_lt(count, has_paths != 0 ? 1000 : 1000000);
        ck_assert_int_eq(gh_settings_check_savepoint(&s, NULL), GH_LIMIT);
        gh_settings_release(&s, GH_STR("x")); /* the newest of that name */
        ck_assert_int_eq(gh_settings_check_savepoint(&s, NULL), GH_OK);
        gh_settings_rollback(&s);
        ck_assert_uint_eq(s.savepoint_bytes, 0);
        gh_settings_fini(&s);
    }
}
END_TEST

START_TEST(test_setting_sql)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    gh_settings_put_sql(GH_STR("timezone"), GH_STR("x'; DROP TABLE t; --"), &b);
    ck_assert(gh_str_is(gh_buf_str(&b), "SET timezone = 'x''; DROP TABLE t; --';"));
    gh_buf_fini(&b);
}
END_TEST

/* ---- fingerprint ---------------------------------------------------------------------------------- */

START_TEST(test_fingerprints)
{
    static const char *const cases[][2] = {
        { "SELECT * FROM t WHERE name = 'Ann' AND id > 7",
          "SELECT * FROM t WHERE name = ? AND id > ?" },
        { "SELECT 'it''s', \"a'b\", x'1f', U&'\\0041', $1, $$b$$, $q$c$$d$q$ FROM t1",
          "SELECT ?, \"a'b\", x?, U&?, $1, ?, ? FROM t1" },
        { "SELECT E'a\\'b', e'c\\\\', 'd\\', f", "SELECT E?, e?, ?, f" },
        /* The e of a name is no E: its backslash is one. */
        { "SELECT name'a\\' , name'b'", "SELECT name? , name?" },
        { "SELECT date'a\\', $e'b\\'", "SELECT date?, ?" },
        { "SELECT 1e5, 1.5, .5, 0x1f, a1, a$1", "SELECT ?, ?, .?, ?, a1, a$1" },
        { "SELECT 1 /* a /* b */ 'c' */ -- 'd'\n + 2", "SELECT ?  \n + ?" },
        { "SELECT 1 /* a /* b */ c", "SELECT ? " },
        { "SELECT 'a", "SELECT ?" },
        { "SELECT $a b", "SELECT ?" },
        { "", "" },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_buf out;

        gh_buf_init(&out, 0);
        gh_fingerprint(gh_str_of(cases[i][0]), &out);
        gh_buf_put_u8(&out, 0);
        ck_assert_str_eq(out.ptr, cases[i][1]);
        gh_buf_fini(&out);
    }
}
END_TEST

START_TEST(test_messages_without_literals)
{
    static const char *const cases[][2] = {
        { "relation \"T\" does not exist", "relation \"T\" does not exist" },
        { "column \"a\" of relation \"t\" does not exist",
          "column \"a\" of relation \"t\" does not exist" },
        { "DO is not allowed", "DO is not allowed" },
        { "syntax error at or near \";\"", "syntax error at or near \";\"" },
        { "relation \"ann\" does not exist", "relation \"?\" does not exist" },
        { "unterminated quoted string at or near \"'a ann\"",
          "unterminated quoted string at or near \"?\"" },
        { "permission denied to set parameter \"a\" to \"ann\"",
          "permission denied to set parameter \"?\"" },
        { "syntax error at or near \"'a\" of ann \"b'\"", "syntax error at or near \"?\"" },
        { "trailing junk at or near \"1t\"", "trailing junk at or near \"?\"" },
        { "unterminated quoted string at or near \"'ann",
          "unterminated quoted string at or near \"?\"" },
    };
    char cut[sizeof(((gh_err *)NULL)->public_msg)];

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_buf out;

        gh_buf_init(&out, 0);
        gh_fingerprint_message(gh_str_of(cases[i][0]), GH_STR("SELECT a, b FROM t WHERE ? = ?"),
                               &out);
        gh_buf_put_u8(&out, 0);
        ck_assert_str_eq(out.ptr, cases[i][1]);
        gh_buf_fini(&out);
    }
    memset(cut, '7', sizeof(cut) - 1);
    cut[sizeof(cut) - 1] = '\0';
    memcpy(cut, "unterminated at or near \"'a\" ", 29);
    for (size_t len = strlen(cut) - 1; len <= strlen(cut); len++) {
        gh_buf out;

        gh_buf_init(&out, 0);
        gh_fingerprint_message((gh_str){ cut, len }, GH_STR("SELECT a"), &out);
        ck_assert(gh_str_is(gh_buf_str(&out), "unterminated at or near \"?\"") ==
                  (len == strlen(cut)));
        gh_buf_fini(&out);
    }
}
END_TEST

/* ---- judge_line ----------------------------------------------------------------------------------- */

/* What is taken, as letters of items in the order in which they were put. */
static void assert_taken(gh_judge_line *l, const gh_waiting *items, size_t count,
                         const char *expected)
{
    for (const char *at = expected; *at != '\0'; at++) {
        const gh_waiting *w = gh_judge_line_take(l);

        ck_assert_ptr_nonnull(w);
        ck_assert_uint_lt((size_t)(w - items), count);
        ck_assert_int_eq('a' + (int)(w - items), *at);
    }
}

/* Users take turns, whoever of them came with more. */
START_TEST(test_judge_line)
{
    static const char *const users[] = { "ann", "ann", "ann", "an", "ann", "ben", "an", "" };
    gh_waiting items[GH_COUNT(users) + 2];
    gh_judge_line l;

    gh_judge_line_init(&l);
    ck_assert_ptr_null(gh_judge_line_take(&l));
    for (size_t i = 0; i < GH_COUNT(users); i++)
        gh_judge_line_put(&l, gh_str_of(users[i]), &items[i]);
    assert_taken(&l, items, GH_COUNT(items), "adf");
    gh_judge_line_put(&l, GH_STR("ben"), &items[8]); /* who was served goes behind who waits */
    gh_judge_line_put(&l, GH_STR("ann"), &items[9]);
    assert_taken(&l, items, GH_COUNT(items), "hbgicej");
    ck_assert_ptr_null(gh_judge_line_take(&l));
    gh_judge_line_put(&l, GH_STR("ben"), &items[0]);
    assert_taken(&l, items, GH_COUNT(items), "a");
    ck_assert_ptr_null(gh_judge_line_take(&l));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, test_public_error_values);
    tcase_add_test(tc, test_public_error_types);
    tcase_add_test(tc, test_public_error_of_the_day);
    tcase_add_test(tc, test_error_fields);
    tcase_add_test(tc, errors_of_code);
    tcase_add_test(tc, test_notices);
    tcase_add_test(tc, test_expect_order);
    tcase_add_test(tc, test_expect_until_sync);
    tcase_add_test(tc, test_names);
    tcase_add_test(tc, test_names_are_cut);
    tcase_add_test(tc, test_names_end_with_their_batch);
    tcase_add_test(tc, test_paths);
    tcase_add_test(tc, test_settings_follow_transactions);
    tcase_add_test(tc, test_savepoints_are_bounded);
    tcase_add_test(tc, test_setting_sql);
    tcase_add_test(tc, test_fingerprints);
    tcase_add_test(tc, test_messages_without_literals);
    tcase_add_test(tc, test_judge_line);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
