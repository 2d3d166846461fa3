#include "rewrite_tests.h"

#define FAILS "CAST(\"pg_catalog\".\"concat\"('gatehouse row check') AS \"pg_catalog\".\"int4\")"

START_TEST(insert_is_checked)
{
    const gh_plan *p = plan_as("alice", "insert into ops.tickets (id, region) values (1, 'EU')");

    ck_assert_int_eq(p->kind, GH_STMT_WRITE);
    ck_assert(p->strips_result);
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, "values (1, 'EU') RETURNING CASE WHEN "));
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, FAILS));
    p = plan_as("alice", "insert into ops.tickets values (1, 'EU') returning *");
    ck_assert(p->strips_column);
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, "\"ops\".\"tickets\" (\"id\", \"region\") values"));
    ck_assert_ptr_nonnull(strstr(p->sql.ptr,
                                 "returning \"tickets\".\"id\", \"tickets\".\"region\", "
                                 "\"tickets\".\"title\", \"tickets\".\"body\", CASE WHEN"));
    check_sent("root", "insert into ops.tickets values (1) returning id",
               "insert into \"ops\".\"tickets\" (\"id\") values (1) returning \"id\"");
}
END_TEST

START_TEST(update_stays_within_visible_rows)
{
    const gh_plan *p = plan_as("alice", "update ops.tickets set body = 'x' where id = 1");

    ck_assert_ptr_nonnull(strstr(p->sql.ptr, ")) AND (\"id\" = 1)"));
    ck_assert(!p->strips_result); /* the filter's column is not written */
    p = plan_as("alice", "update ops.tickets set region = 'US' where 1 / id > 0");
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, "AND CASE WHEN "));
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, "THEN (1 / \"id\" > 0) ELSE false END"));
    ck_assert(p->strips_result);
    p = plan_as("alice", "delete from ops.tickets");
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, "delete from \"ops\".\"tickets\" WHERE "));
}
END_TEST

START_TEST(hidden_columns_of_a_target_do_not_exist)
{
    check_refused("alice", "update ops.tickets set secret = 'x'", "42703",
                  "column \"secret\" of relation \"tickets\" does not exist");
    check_refused("alice", "update ops.tickets set nosuch = 'x'", "42703",
                  "column \"nosuch\" of relation \"tickets\" does not exist");
    check_refused("alice", "update ops.tickets set body = secret", "42703",
                  "column \"secret\" does not exist");
    check_refused("alice", "update ops.tickets t set body = t.secret", "42703",
                  "column t.secret does not exist");
    check_refused("alice", "update ops.tickets t set body = t.row_to_json", "42703",
                  "column t.row_to_json does not exist");
    check_refused("alice", "delete from ops.tickets returning secret", "42703",
                  "column \"secret\" does not exist");
    check_refused("alice", "delete from ops.tickets returning ctid", "42703",
                  "column \"ctid\" does not exist");
    check_refused("alice",
                  "delete from ops.tickets where exists (select 1 from regions where secret = 'x')",
                  "42703", "column \"secret\" does not exist");
    check_refused("alice",
                  "insert into ops.tickets (id) values (1) on conflict (id) do update set body = "
                  "excluded.secret",
                  "42703", "column excluded.secret does not exist");
}
END_TEST

/* ...not even as a part of its row, which is made of what is visible. */
START_TEST(rows_of_a_target)
{
    static const char columns[] = "\"t\".\"id\", \"t\".\"region\", \"t\".\"title\", \"t\".\"body\"";
    const gh_plan *p = plan_as("alice", "update ops.tickets t set body = t::text");

    ck_assert_ptr_nonnull(strstr(p->sql.ptr, "= (SELECT \"gh\" AS \"t\" FROM (SELECT "));
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, columns));
    p = plan_as("alice", "delete from ops.tickets t returning ((t.*)), row((t.*)), (((t.*)), 1)");
    ck_assert_int_eq(p->kind, GH_STMT_WRITE);
    p = plan_as("alice", "delete from ops.tickets t returning (t.*) name, t.* as \"A b\", id as x");
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, columns));
    ck_assert_ptr_nonnull(strstr(strstr(p->sql.ptr, columns) + 1, columns));
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, "\"t\".\"body\", \"id\" as \"x\""));
    p = plan_as("alice", "delete from ops.tickets t returning (t.*)::text, row(t.*, 1), t.*");
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, "returning ((SELECT \"gh\" AS \"t\" FROM"));
    ck_assert_ptr_nonnull(strstr(p->sql.ptr,
                                 "row (\"t\".\"id\", \"t\".\"region\", \"t\".\"title\", "
                                 "\"t\".\"body\", 1), \"t\".\"id\", "));
    p = plan_as("alice",
                "insert into ops.tickets (id, region) values (1, 'EU') on conflict (id) do "
                "update set body = excluded::text where excluded.* is not null");
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, "= (SELECT \"gh\" AS \"excluded\" FROM (SELECT "
                                             "\"excluded\".\"id\", \"excluded\".\"region\", "));
    ck_assert_ptr_null(strstr(p->sql.ptr, "secret"));
    check_refused("alice", "update ops.tickets t set body = 'x' returning (select t.*)", "42703",
                  "column t.* does not exist");
}
END_TEST

/* No condition of a query around it runs on a row that is not visible. */
START_TEST(locked_queries_are_closed)
{
    const gh_plan *p = plan_as("alice", "select id from ops.tickets where id = 1 for update");

    ck_assert_ptr_null(strstr(p->sql.ptr, "OFFSET"));
    p = plan_as("alice",
                "select * from (select id from ops.tickets for update) s where 1 / id > 0");
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, " OFFSET 0 for update) "));
    p = plan_as("alice", "insert into ops.tickets (id) select id from ops.tickets t where id = 2 "
                         "order by id for update on conflict do nothing");
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, " order by \"id\" OFFSET 0 for update on conflict "));
    p = plan_as("alice", "select * from (select id from ops.tickets limit 1 for update) s");
    ck_assert_ptr_null(strstr(p->sql.ptr, "OFFSET"));
}
END_TEST

/* A constraint is one that the catalogs would show: all of its columns are known. */
START_TEST(conflicts_of_a_constraint)
{
    check_refused("alice",
                  "insert into ops.tickets (id, region) values (1, 'EU') on conflict on constraint "
                  "no_such do nothing",
                  "42704", "constraint \"no_such\" for table \"tickets\" does not exist");
}
END_TEST

/* A relation that is only written exists, and cannot be read, wherever it stands in FROM. */
START_TEST(join_with_what_is_only_written)
{
    static const char *const joins[] = {
        "select * from sales.regions r join hr.people p using (id)",
        "select * from hr.people p join sales.regions r using (id)",
        "select * from hr.people p join hr.people q using (id, name)",
        "select * from (hr.people p join sales.regions using (id)) join sales.orders using (id)",
        "select * from sales.orders o natural join hr.people p",
        "select * from sales.orders o join hr.people p on o.id = p.id",
        "select * from sales.orders o, hr.people p where o.id = p.id",
        "select * from hr.people p join lateral (select p.id) x using (id)",
        "update ops.tickets t set body = 'x' from hr.people p join sales.regions r using (id)",
        "delete from ops.tickets t using sales.regions r join hr.people p using (id)",
        "with x as (select * from hr.people) select * from x join hr.people using (id)",
    };

    for (size_t i = 0; i < GH_COUNT(joins); i++)
        check_refused("loader", joins[i], "42501", "permission denied for table people");
}
END_TEST

START_TEST(writes_need_their_grant)
{
    check_refused("alice", "update sales.orders set note = 'x'", "42501",
                  "permission denied for table orders");
    check_refused("alice", "delete from sales.regions", "42501",
                  "permission denied for table regions");
    check_refused("alice", "insert into hr.people values (1)", "42P01",
                  "relation \"hr.people\" does not exist");
    check_refused("alice", "truncate ops.tickets", "42501", "permission denied for table tickets");
    check_sent("root", "truncate ops.tickets cascade", "truncate \"ops\".\"tickets\" RESTRICT");
    check_sent("root", "truncate ops.tickets", "truncate \"ops\".\"tickets\"");
    ck_assert_ptr_nonnull(strstr(
        plan_as("alice",
                "merge into ops.tickets t using regions r on true when matched then delete")
            ->sql.ptr,
        "ON ((\"t\".\"region\" = CAST('EU''x' AS \"pg_catalog\".\"text\"))) AND (true) when"));
    /* The audit tells of the privileges that its clauses use. */
    ck_assert_uint_eq(
        plan_as("root", "merge into ops.tickets t using regions r on true when matched then delete")
            ->touches[0]
            .privileges,
        GH_DELETE);
    ck_assert_uint_eq(plan_as("root",
                              "merge into ops.tickets t using regions r on true when matched "
                              "then do nothing when not matched then insert (id) values (1)")
                          ->touches[0]
                          .privileges,
                      GH_INSERT);
    check_sent("root", "merge into ops.tickets t using regions r on true when matched then delete",
               "merge into \"ops\".\"tickets\" \"t\" using \"sales\".\"regions\" \"r\" on true "
               "when matched then delete");
    check_sent("root",
               "merge into ops.tickets t using regions r on true when not matched then insert "
               "(region, title) values (r.region, default)",
               "merge into \"ops\".\"tickets\" \"t\" using \"sales\".\"regions\" \"r\" on true "
               "when not matched then insert (\"region\", \"title\") values (\"r\".\"region\", "
               "default)");
    ck_assert_ptr_nonnull(strstr(
        plan_as("alice", "copy ops.tickets from stdin")->sql.ptr,
        "(\"id\", \"region\", \"title\", \"body\") from stdin WHERE CASE WHEN ((\"tickets\""));
    ck_assert_ptr_nonnull(
        strstr(plan_as("alice", "copy ops.tickets from stdin where id > 1")->sql.ptr,
               "WHERE CASE WHEN (\"id\" > 1) THEN CASE WHEN (("));
    ck_assert(plan_as("alice", "copy ops.tickets from stdin")->checks_rows);
    check_sent("root", "copy ops.tickets from stdin",
               "copy \"ops\".\"tickets\" (\"id\", \"region\", \"title\", \"body\", \"secret\") "
               "from stdin");
}
END_TEST

START_TEST(writes_in_with)
{
    const gh_plan *p =
        plan_as("alice", "with u as (update ops.tickets set body = 'x' where id = 1 returning id) "
                         "select count(*) from u");
    gh_err err = { 0 };
    size_t count = 0;

    ck_assert_msg(p->kind != GH_STMT_REFUSED || strcmp(p->error.sqlstate, "42883") == 0, "%s",
                  p->error.public_msg);
    p = rewrite_as(
        "alice", "with u as (insert into ops.tickets (id) values (1) returning id) select * from u",
        &count, &err);
    ck_assert_int_eq(p->kind, GH_STMT_QUERY);
    ck_assert(p->checks_rows && !p->strips_column && !p->strips_result);
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, "returning CASE WHEN "));
    ck_assert_msg(strstr(p->sql.ptr, "THEN \"id\" ELSE CAST(CAST(" FAILS
                                     " AS \"pg_catalog\".\"text\") AS integer) END AS "
                                     "\"id\"") != NULL,
                  "%s", p->sql.ptr);
    p = plan_as("alice", "with u as (insert into ops.tickets (id) values (1) returning 1, "
                         "tickets.title as t, *) select * from u");
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, "\"tickets\".\"title\" as \"t\", CASE WHEN "));
    ck_assert_ptr_nonnull(
        strstr(p->sql.ptr, "END AS \"id\", \"tickets\".\"region\", \"tickets\".\"title\""));
    p = plan_as("alice", "with u as (insert into ops.tickets (id) values (1)) select 1");
    ck_assert(p->checks_rows && !p->strips_result);
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, "values (1) RETURNING CASE WHEN "));
    check_refused("alice", "with u as (insert into ops.tickets (id) values (1)) select * from u",
                  "0A000", "WITH query \"u\" does not have a RETURNING clause");
    p = plan_as("alice",
                "with u as (insert into ops.tickets (id) values (1) returning 1) select 1");
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, "RETURNING CASE WHEN CASE WHEN "));
    ck_assert_ptr_nonnull(
        strstr(p->sql.ptr, " END THEN NULL ELSE (1) END AS \"?column?\") select"));
    /* Before what may fail, there is no column more. */
    p = plan_as("alice", "insert into ops.tickets (id) values (1) returning id, 1 / id, id / 2 x");
    ck_assert(p->checks_rows && !p->strips_column && !p->strips_result);
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, "returning \"id\", CASE WHEN CASE WHEN "));
    ck_assert_ptr_nonnull(
        strstr(p->sql.ptr, "ELSE (1 / \"id\") END AS \"?column?\", \"id\" / 2 \"x\""));
}
END_TEST

START_TEST(writes_that_are_prepared)
{
    const gh_plan *p =
        plan_as("alice", "prepare p as insert into ops.tickets (id) values (1) returning id");

    ck_assert_int_eq(p->kind, GH_STMT_PREPARE);
    ck_assert(p->checks_rows && p->strips_column);
    p = plan_as("alice", "prepare p as insert into ops.tickets (id) values (1)");
    ck_assert(p->checks_rows && p->strips_result);
}
END_TEST

START_TEST(a_star_is_as_wide_as_what_is_visible)
{
    const gh_plan *p = plan_as("alice", "insert into ops.tickets select * from sales.v_open");

    ck_assert_msg(p->kind == GH_STMT_WRITE, "%s", p->error.public_msg);
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, "\"tickets\" (\"id\", \"region\") select"));
    p = plan_as("alice",
                "insert into ops.tickets select 1, r.* from sales.v_open v, sales.regions r");
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, "(\"id\", \"region\", \"title\") select"));
    p = plan_as("alice", "insert into ops.tickets select * from (select 1) s, sales.regions");
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, "(\"id\", \"region\", \"title\") select"));
    p = plan_as("alice", "insert into ops.tickets select s.* from (values (1) union select 2) s");
    ck_assert_ptr_nonnull(strstr(p->sql.ptr, "\"tickets\" (\"id\") select"));
    check_refused("alice",
                  "insert into ops.tickets select * from sales.v_open v natural join orders o",
                  "42501", "INSERT of a star without a list of columns is not allowed");
    check_refused("alice", "insert into ops.tickets select * from sales.orders", "42601",
                  "INSERT has more expressions than target columns");
}
END_TEST

Suite *suite_write(void)
{
    Suite *s = suite_create("write");
    TCase *c = tcase_create("write");

    tcase_add_checked_fixture(c, world_setup, world_teardown);
    tcase_add_test(c, insert_is_checked);
    tcase_add_test(c, update_stays_within_visible_rows);
    tcase_add_test(c, hidden_columns_of_a_target_do_not_exist);
    tcase_add_test(c, rows_of_a_target);
    tcase_add_test(c, locked_queries_are_closed);
    tcase_add_test(c, conflicts_of_a_constraint);
    tcase_add_test(c, join_with_what_is_only_written);
    tcase_add_test(c, writes_need_their_grant);
    tcase_add_test(c, writes_in_with);
    tcase_add_test(c, writes_that_are_prepared);
    tcase_add_test(c, a_star_is_as_wide_as_what_is_visible);
    suite_add_tcase(s, c);
    return s;
}
