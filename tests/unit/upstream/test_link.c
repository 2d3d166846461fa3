#include "tests.h"

#include "fixture.h"

static gh_link *link_now(const char *init_sql)
{
    gh_upstream *u = fixture_upstream("", init_sql);
    gh_link *l = gh_link_new(u);

    gh_upstream_release(u);
    return l;
}

START_TEST(rows_come_as_text)
{
    gh_link *l = link_now("SET search_path TO pg_catalog");
    gh_arena *a = gh_arena_new(0);
    gh_link_rows rows;
    gh_err err = { 0 };

    gh_rc rc = gh_link_query(
        l, GH_STR("SELECT 1 AS a, NULL AS b, ''::text AS c UNION ALL SELECT 2, 'x', 'y'"), 10, a,
        &rows, &err);
    ck_assert_msg(rc == GH_OK, "%s %s", err.sqlstate, err.detail);
    ck_assert_uint_eq(rows.column_count, 3);
    ck_assert_uint_eq(rows.row_count, 2);
    ck_assert(gh_str_is(rows.columns[2], "c"));
    ck_assert_uint_eq(rows.types[0], 23);
    ck_assert(gh_str_is(rows.cells[0], "1"));
    ck_assert_ptr_null(rows.cells[1].ptr);
    ck_assert_ptr_nonnull(rows.cells[2].ptr);
    ck_assert_uint_eq(rows.cells[2].len, 0);
    ck_assert(gh_str_is(rows.cells[5], "y"));
    ck_assert(gh_link_query(l, GH_STR("SELECT 1; SHOW search_path"), 1, a, &rows, &err) == GH_OK);
    ck_assert(gh_str_is(rows.cells[0], "pg_catalog")); /* init_sql ran; the last statement counts */
    ck_assert(gh_link_query(l, GH_STR("SELECT 1 WHERE false"), 0, a, &rows, &err) == GH_OK);
    ck_assert_uint_eq(rows.row_count, 0);
    ck_assert_uint_eq(rows.column_count, 1);
    gh_arena_free(a);
    gh_link_free(l);
}
END_TEST

START_TEST(bounds)
{
    gh_link *l = link_now("");
    gh_arena *a = gh_arena_new(0);
    gh_arena *small = gh_arena_new(65536);
    gh_link_rows rows;
    gh_err err = { 0 };

    ck_assert(gh_link_query(l, GH_STR("SELECT generate_series(1, 100)"), 100, a, &rows, &err) ==
              GH_OK);
    ck_assert_uint_eq(rows.row_count, 100);
    ck_assert(gh_link_query(l, GH_STR("SELECT generate_series(1, 101)"), 100, a, &rows, &err) ==
              GH_LIMIT);
    err = (gh_err){ 0 }; /* the connection is made anew */
    ck_assert(gh_link_query(l, GH_STR("SELECT 1"), 1, a, &rows, &err) == GH_OK);
    ck_assert(gh_link_query(l, GH_STR("SELECT repeat('x', 1000000)"), 1, small, &rows, &err) ==
              GH_LIMIT);
    gh_arena_free(a);
    gh_arena_free(small);
    gh_link_free(l);
}
END_TEST

START_TEST(errors_keep_it_in_step)
{
    gh_link *l = link_now("");
    gh_arena *a = gh_arena_new(0);
    gh_link_rows rows;
    gh_err err = { 0 };

    ck_assert(gh_link_query(l, GH_STR("BEGIN"), 0, a, &rows, &err) == GH_OK);
    ck_assert(gh_link_query(l, GH_STR("SELECT generate_series(1, 9) / 0; SELECT 2"), 10, a, &rows,
                            &err) == GH_INVALID);
    ck_assert_str_eq(err.sqlstate, "22012");
    ck_assert_ptr_nonnull(strstr(err.detail, "division by zero"));
    err = (gh_err){ 0 };
    ck_assert(gh_link_query(l, GH_STR("SELECT 1"), 1, a, &rows, &err) == GH_INVALID);
    ck_assert_str_eq(err.sqlstate, "25P02"); /* still the same transaction */
    err = (gh_err){ 0 };
    ck_assert(gh_link_query(l, GH_STR("ROLLBACK"), 0, a, &rows, &err) == GH_OK);
    ck_assert(gh_link_query(l, GH_STR("COPY (SELECT 1) TO STDOUT"), 1, a, &rows, &err) == GH_IO);
    err = (gh_err){ 0 };
    ck_assert(gh_link_query(l, GH_STR("SELECT pg_terminate_backend(pg_backend_pid())"), 1, a, &rows,
                            &err) == GH_IO);
    err = (gh_err){ 0 };
    ck_assert(gh_link_query(l, GH_STR("SELECT 7"), 1, a, &rows, &err) == GH_OK);
    ck_assert(gh_str_is(rows.cells[0], "7"));
    gh_arena_free(a);
    gh_link_free(l);
}
END_TEST

START_TEST(nobody_answers)
{
    gh_upstream *u =
        fixture_upstream_of("host=127.0.0.1 port=1 user=gatehouse dbname=warehouse", "x", "", 2000);
    gh_link *l = gh_link_new(u);
    gh_arena *a = gh_arena_new(0);
    gh_link_rows rows;
    gh_err err = { 0 };

    ck_assert(gh_link_query(l, GH_STR("SELECT 1"), 1, a, &rows, &err) == GH_IO);
    ck_assert_str_eq(err.sqlstate, "08001");
    gh_arena_free(a);
    gh_link_free(l);
    gh_upstream_release(u);
}
END_TEST

TCase *link_tests(void)
{
    TCase *tc = tcase_create("link");

    tcase_add_test(tc, rows_come_as_text);
    tcase_add_test(tc, bounds);
    tcase_add_test(tc, errors_keep_it_in_step);
    tcase_add_test(tc, nobody_answers);
    return tc;
}
