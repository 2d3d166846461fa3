#include "rewrite_tests.h"

#include <stdio.h>

#define EU "CAST('EU''x' AS \"pg_catalog\".\"text\")"
#define ORDERS(columns)                                                                            \
    "(SELECT " columns " FROM \"sales\".\"orders\" AS \"gh\" WHERE ((\"gh\".\"region\" = " EU "))"

/* The part of the sent text from `start` on must be `part`. */
static void check_holds(const gh_plan *p, const char *part)
{
    ck_assert_msg(p->kind != GH_STMT_REFUSED, "%s %s (%s)", p->error.sqlstate, p->error.public_msg,
                  p->error.detail);
    ck_assert_msg(strstr(p->sql.ptr, part) != NULL, "%s\nis not in\n%s", part, p->sql.ptr);
}

static const gh_touch *touch_of(const gh_plan *p, const char *name)
{
    for (size_t i = 0; i < p->touch_count; i++) {
        if (gh_str_is(p->touches[i].name, name))
            return &p->touches[i];
    }
    ck_abort_msg("%s was not touched", name);
    return NULL;
}

START_TEST(tables_stand_as_for_the_user)
{
    check_sent("alice", "select * from mart.v_plain",
               "select * from (SELECT \"gh\".\"id\", \"gh\".\"x\" FROM (select \"orders\".\"id\", "
               "\"orders\".\"note\" as \"x\" from " ORDERS(
                   "\"gh\".\"id\", \"gh\".\"note\"") ") AS \"orders\") AS \"gh\"(\"id\", \"x\")) "
                                                     "AS \"v_plain\"");
    /* owner's rights would be the view as it is */
    check_sent(
        "root", "select * from mart.v_plain",
        "select * from (SELECT \"gh\".\"id\", \"gh\".\"x\" FROM \"mart\".\"v_plain\" AS \"gh\") "
        "AS \"v_plain\"");
}
END_TEST

START_TEST(what_is_hidden_is_null_and_what_is_not_granted_is_empty)
{
    check_holds(plan_as("alice", "select * from mart.v_hidden"),
                "\"o\".\"secret\" as \"x\" from " ORDERS(
                    "\"gh\".\"id\", CAST(NULL AS text) AS \"secret\""));
    check_holds(
        plan_as("alice", "select * from mart.v_none"),
        "from (SELECT CAST(NULL AS integer) AS \"id\", CAST(NULL AS text) AS \"name\" WHERE false) "
        "\"p\"");
    ck_assert_ptr_null(strstr(plan_as("alice", "select * from mart.v_none")->sql.ptr, "people"));
}
END_TEST

START_TEST(what_is_computed_is_fenced)
{
    const gh_plan *p = plan_as("alice", "select id from mart.v_computed where x = 'a' and id = 3");

    check_holds(p, "WHERE (\"gh\".\"id\" = 3) OFFSET 0) AS \"v_computed\" where");
    ck_assert_ptr_null(
        strstr(p->sql.ptr, "\"gh\".\"x\" = 'a'")); /* of a column that is computed no copy */
    p = plan_as("alice", "select id from mart.v_plain where x = 'a'");
    ck_assert_ptr_null(strstr(p->sql.ptr, "OFFSET 0"));
    check_holds(plan_as("alice", "select id from mart.v_plain where 1 / id = 1"),
                "AS \"gh\"(\"id\", \"x\") OFFSET 0) AS \"v_plain\"");
    /* a condition of the definition must not meet rows that its tables hide */
    check_holds(plan_as("alice", "select id from mart.v_unsafe"), EU ")) OFFSET 0) \"o\" where");
    /* nor a filter of the view's own grant */
    check_holds(plan_as("alice", "select id from inner_.v_rows"),
                EU ")) OFFSET 0) \"t\") AS \"gh\"(\"id\", \"region\") WHERE ((1 / \"gh\".\"id\" = "
                   "1)) OFFSET 0)");
}
END_TEST

/* Only a join's alias leads there. */
START_TEST(what_is_computed_is_read_through_a_join)
{
    check_holds(plan_as("alice", "select j.x from (mart.v_computed v cross join regions r) j"),
                "(SELECT \"gh\".\"id\", \"gh\".\"x\" FROM (");
    check_holds(plan_as("alice", "select 1 as x from mart.v_computed v"),
                "(SELECT CAST(NULL AS text) AS \"x\" FROM (");
}
END_TEST

START_TEST(views_inside_are_expanded)
{
    const gh_plan *p = plan_as("alice", "select x from mart.v_outer");

    check_holds(p, "from \"sales\".\"regions\" \"r\"");
    ck_assert_uint_eq(touch_of(p, "regions")->privileges, GH_SELECT);
    ck_assert_uint_eq(touch_of(p, "v_outer")->privileges, GH_SELECT);
    ck_assert(touch_of(p, "v_outer")->is_row_filtered);
    p = plan_as("alice", "select x from mart.v_hidden");
    ck_assert(touch_of(p, "orders")->is_row_filtered);
    ck_assert_uint_eq(touch_of(p, "orders")->filtered.count, 0); /* a hidden column was not read */
    ck_assert_uint_eq(touch_of(p, "orders")->clear.count, 1);
}
END_TEST

START_TEST(what_is_not_understood_refuses_the_view)
{
    static const char *const views[] = { "v_file",   "v_app", "v_unread",
                                         "v_broken", "v_two", "v_table" };

    for (size_t i = 0; i < GH_COUNT(views); i++) {
        char sql[64];
        char message[64];

        (void)snprintf(sql, sizeof(sql), "select 1 from mart.%s", views[i]);
        (void)snprintf(message, sizeof(message), "permission denied for view %s", views[i]);
        check_refused("alice", sql, "42501", message);
    }
    ck_assert(plan_as("alice", "select 1 from mart.v_unread")->error.awaits_catalog);
    ck_assert(!plan_as("alice", "select 1 from mart.v_file")->error.awaits_catalog);
    ck_assert_uint_eq(plan_as("alice", "select 1 from mart.v_file")->error.position, 15);
}
END_TEST

START_TEST(writes_do_not_go_through)
{
    check_refused("alice", "update mart.v_plain set x = 'a'", "42501",
                  "permission denied for table v_plain");
    check_refused("alice", "delete from mart.v_plain", "42501",
                  "permission denied for table v_plain");
    check_refused("alice", "insert into mart.v_plain values (1, 'a')", "42501",
                  "permission denied for table v_plain");
}
END_TEST

START_TEST(depth_and_size_are_bounded)
{
    const gh_plan *p;
    char sql[64];

    (void)snprintf(sql, sizeof(sql), "select 1 from mart.v_depth%d", GH_SQL_VIEW_DEPTH_MAX - 1);
    p = plan_as("alice", sql);
    ck_assert_msg(p->kind == GH_STMT_QUERY, "%s", p->error.public_msg);
    (void)snprintf(sql, sizeof(sql), "select 1 from mart.v_depth%d", GH_SQL_VIEW_DEPTH_MAX);
    check_refused("alice", sql, "54001", "views are nested deeper than 16");
    /* v_wide6 reads 1 + 2 + ... + 64 views and 64 tables */
    p = plan_as("alice", "select 1 from mart.v_wide6");
    ck_assert_msg(p->kind == GH_STMT_QUERY, "%s", p->error.public_msg);
    check_refused("alice", "select 1 from mart.v_wide7", "54001",
                  "more than 200 relations in one statement");
    check_refused("alice", "select 1 from mart.v_wide10", "54001",
                  "more than 200 relations in one statement");
}
END_TEST

Suite *suite_through(void)
{
    Suite *s = suite_create("through");
    TCase *c = tcase_create("through");

    tcase_add_checked_fixture(c, world_setup, world_teardown);
    tcase_add_test(c, tables_stand_as_for_the_user);
    tcase_add_test(c, what_is_hidden_is_null_and_what_is_not_granted_is_empty);
    tcase_add_test(c, what_is_computed_is_fenced);
    tcase_add_test(c, what_is_computed_is_read_through_a_join);
    tcase_add_test(c, views_inside_are_expanded);
    tcase_add_test(c, what_is_not_understood_refuses_the_view);
    tcase_add_test(c, writes_do_not_go_through);
    tcase_add_test(c, depth_and_size_are_bounded);
    suite_add_tcase(s, c);
    return s;
}
