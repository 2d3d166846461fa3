#include "sql_tests.h"

#include <stdlib.h>

static gh_rc guard(const char *bytes, size_t len, char sqlstate[6])
{
    gh_err err = { 0 };
    gh_rc rc = gh_sql_guard((gh_str){ bytes, len }, &err);

    memcpy(sqlstate, err.sqlstate, 6);
    return rc;
}

START_TEST(statement_bytes)
{
    char *text = malloc(GH_SQL_BYTES_MAX + 1);
    char state[6];

    memset(text, ' ', GH_SQL_BYTES_MAX + 1);
    ck_assert_int_eq(guard(text, GH_SQL_BYTES_MAX, state), GH_OK);
    ck_assert_int_eq(guard(text, GH_SQL_BYTES_MAX + 1, state), GH_LIMIT);
    ck_assert_str_eq(state, "54000");
    free(text);
}
END_TEST

START_TEST(comment_nesting)
{
    char text[4 * (GH_SQL_COMMENT_DEPTH_MAX + 1) + 1] = "";
    char state[6];

    for (int i = 0; i < GH_SQL_COMMENT_DEPTH_MAX; i++)
        memcpy(text + 2 * i, "/*", 2);
    ck_assert_int_eq(guard(text, 2 * GH_SQL_COMMENT_DEPTH_MAX, state), GH_OK);
    memcpy(text + 2 * GH_SQL_COMMENT_DEPTH_MAX, "/*", 2);
    ck_assert_int_eq(guard(text, 2 * GH_SQL_COMMENT_DEPTH_MAX + 2, state), GH_LIMIT);
    ck_assert_str_eq(state, "54001");
}
END_TEST

START_TEST(bytes_that_no_text_holds)
{
    char state[6];

    ck_assert_int_eq(guard("select 1\0--", 11, state), GH_INVALID);
    ck_assert_str_eq(state, "08P01");
    ck_assert_int_eq(guard("select '\xff'", 10, state), GH_INVALID);
    ck_assert_str_eq(state, "22021");
    ck_assert_int_eq(guard("select '\xed\xa0\x80'", 12, state), GH_INVALID);
    ck_assert_int_eq(guard("select 'é'", 11, state), GH_OK);
}
END_TEST

Suite *suite_guard(void)
{
    Suite *s = suite_create("guard");
    TCase *c = tcase_create("guard");

    tcase_add_test(c, statement_bytes);
    tcase_add_test(c, comment_nesting);
    tcase_add_test(c, bytes_that_no_text_holds);
    suite_add_tcase(s, c);
    return s;
}
