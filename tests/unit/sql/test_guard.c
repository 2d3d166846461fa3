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

/* `before`, `piece` over and over up to `len` bytes, `after`. */
static gh_rc guard_row(const char *before, const char *piece, size_t len, const char *after)
{
    gh_buf b;
    char state[6];
    gh_rc rc;

    gh_buf_init(&b, 0);
    gh_buf_puts(&b, before);
    while (b.len + strlen(piece) <= len)
        gh_buf_puts(&b, piece);
    gh_buf_puts(&b, after);
    rc = guard(b.ptr, b.len, state);
    if (rc != GH_OK)
        ck_assert_str_eq(state, "54001");
    gh_buf_fini(&b);
    return rc;
}

START_TEST(runs_of_operators)
{
    static const char *const costly[] = { "+", "-+", "/**/", "@-", "+/**/-@", "/*/**/*/" };
    static const char *const cheap[] = { "+ ",       "/**/ ",     "--\n",        "1-1*", "'+'||",
                                         "\"++\",",  "$a$++$a$,", "1=1 OR",      "<= ",  "= -1, ",
                                         "a/*++*/b", "/*x*/+",    "E'\\'+++'''," };

    for (size_t i = 0; i < GH_COUNT(costly); i++) {
        ck_assert_msg(guard_row("select 1 ", costly[i], 1000, " 1") == GH_OK, "%s", costly[i]);
        ck_assert_msg(guard_row("select 1 ", costly[i], 100000, " 1") == GH_LIMIT, "%s", costly[i]);
    }
    for (size_t i = 0; i < GH_COUNT(cheap); i++)
        ck_assert_msg(guard_row("select ", cheap[i], 1 << 20, "1") == GH_OK, "%s", cheap[i]);
    /* At the bound and beyond: a row of n costs n (n + 1) / 2. */
    ck_assert_int_eq(guard_row("", "+", 1451, ""), GH_OK);
    ck_assert_int_eq(guard_row("", "+", 1453, ""), GH_LIMIT);
    /* Lines and banners are read once, and what is quoted by other rules. */
    ck_assert_int_eq(guard_row("/*", "*", 1 << 20, "*/ select 1"), GH_OK);
    ck_assert_int_eq(guard_row("--", "-=", 1 << 20, "\nselect 1"), GH_OK);
    ck_assert_int_eq(guard_row("select '", "+/**/", 1 << 20, "'"), GH_OK);
    ck_assert_int_eq(guard_row("select E'\\'", "+/**/", 1 << 20, "'"), GH_OK);
    ck_assert_int_eq(guard_row("select \"", "+/**/", 1 << 20, "\""), GH_OK);
    ck_assert_int_eq(guard_row("select $x$", "+/**/", 1 << 20, "$x$"), GH_OK);
    /* What only looks like quotes hides nothing. */
    ck_assert_int_eq(guard_row("select a$x$ ", "+", 100000, "$x$"), GH_LIMIT);
    ck_assert_int_eq(guard_row("select $1$ ", "+", 100000, "$1$"), GH_LIMIT);
    ck_assert_int_eq(guard_row("select '\\' ", "+", 100000, "'"), GH_LIMIT);
    ck_assert_int_eq(guard_row("select nameE'\\' ", "+", 100000, "'"), GH_LIMIT);
    ck_assert_int_eq(guard_row("select '''' ", "+", 100000, "'"), GH_LIMIT);
    ck_assert_int_eq(guard_row("--\r", "+", 100000, ""), GH_LIMIT);
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
    tcase_add_test(c, runs_of_operators);
    tcase_add_test(c, bytes_that_no_text_holds);
    suite_add_tcase(s, c);
    return s;
}
