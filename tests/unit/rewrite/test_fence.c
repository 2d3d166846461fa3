#include "rewrite_tests.h"

#include <stdio.h>
#include <string.h>

/* Is the relation that goes by this name in the sent text behind a fence? */
static bool is_fenced(const gh_plan *p, const char *alias)
{
    char end[64];

    ck_assert_msg(p->kind == GH_STMT_QUERY, "%s %s", p->error.public_msg, p->error.detail);
    (void)snprintf(end, sizeof(end), "OFFSET 0) \"%s\"", alias);
    return strstr(p->sql.ptr, end) != NULL;
}

/* ---- what a condition on a hidden row may compute ---------------------------------------------- */

START_TEST(computed_values)
{
    static const struct {
        const char *condition;
        bool is_fenced;
    } cases[] = {
        { "price * (1 - price) > 5", false },
        { "price / 7.0 > 5 and - price < 3.5", false },
        { "price * order_id > 5", false },
        { "price in (1, 2.5) and price + 1 between 1 and price * 2", false },
        { "coalesce(price, 0) * 2 > 1", false },
        { "extract(year from shipped) = 1995", false },
        { "substring(note from 1 for 2) in ('13', '31')", false },
        { "length(note) > 5 and order_id::numeric * 2 > 3", false },
        { "case when order_id > 5 then price else 0 end > 3", false },
        { "order_id + 1 > 5", true }, /* integers overflow... */
        { "- order_id > 5", true },
        { "order_id * 1000 > 5", true },
        { "order_id::numeric::int4 > 5", true },
        { "price / 0.0 > 5", true }, /* ...zero divides nothing... */
        { "price / order_id > 5", true },
        { "price * 1e400 > 5", true }, /* ...what an exponent says is not looked at... */
        { "rate * 2 > 5", true },      /* ...floats overflow... */
        { "price > rate", true },
        { "case when order_id > 5 then 1e400 else 0 end > rate",
          true }, /* ...a literal's own type... */
        { "case when order_id > 5 then 1e400 + 1 else 0 end > rate", true }, /* ...or a sum's... */
        { "coalesce(order_id, '1'::int4 + 1e400) > rate", true },
        { "coalesce(order_id, 1 + 2) > rate and price > 1.5 + 2", false },
        { "order_id in (1e400, '1'::float8) and shipped in (current_date, date '2020-01-01')",
          false }, /* fails before there are rows */
        { "case when order_id > 5 then 3000000000 end::int4 > 1", true },
        { "shipped + 1 > shipped", true },
        { "coalesce(shipped, current_timestamp) > at", true },
        { "extract(year from at) = 1995", true },
        { "extract(epoch from shipped) = 1995", true },
        { "extract('year' from shipped) = 1995", true }, /* a template's slot: any word */
        { "substring(note from 1 for 1000000000) = 'x'", true },
        { "substring(note from 1 for -2) = 'x'", true },
        { "substring(note from 1 for -0) = 'x'", true }, /* the slot of another number */
        { "substring(note from order_id) = 'x'", true },
        { "lower(note) = 'x'", true },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        char sql[256];
        const gh_plan *p;

        (void)snprintf(sql, sizeof(sql), "select * from lines l where %s", cases[i].condition);
        p = plan_as("alice", sql);
        ck_assert_msg(is_fenced(p, "l") == cases[i].is_fenced, "%s: %s", sql, p->sql.ptr);
        (void)snprintf(sql, sizeof(sql),
                       "select 1 from (select (%s) as x from lines l) s where s.x",
                       cases[i].condition);
        p = plan_as("alice", sql);
        ck_assert_msg(is_fenced(p, "l") || !cases[i].is_fenced, "%s: %s", sql, p->sql.ptr);
    }
}
END_TEST

/* A plan serves all texts of one template, unless it was the literal that decided. */
START_TEST(literals_that_decide)
{
    static const struct {
        const char *sql;
        bool is_shareable;
    } cases[] = {
        { "select 1 from lines l where price * 12 > 1", true },
        { "select 1 from lines l where price / 12 > 1", false },
        { "select 1 from lines l where substring(note from 2 for 7) = 'x'", true },
        { "select price::numeric(7, 2) from lines l", true },
        { "select price::float from lines l", true },
        { "select price::float(7) from lines l", false },
        { "select float(7) '1' from lines l", false },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++)
        ck_assert_msg(plan_as("alice", cases[i].sql)->is_shareable == cases[i].is_shareable, "%s",
                      cases[i].sql);
    /* Products that could leave numeric's range, whatever the literals of a template become. */
    ck_assert(!is_fenced(plan_as("alice", "select 1 from lines l where price * 1 > 1"), "l"));
}
END_TEST

START_TEST(sub_selects)
{
    static const struct {
        const char *condition;
        bool is_fenced;
    } cases[] = {
        { "l.price > (select avg(i.price) from lines i where i.order_id = l.order_id)", false },
        { "l.price > (select 0.2 * sum(i.price * 2) from lines i where i.order_id = l.order_id)",
          false },
        { "l.order_id in (select i.order_id from lines i)", false },
        { "l.order_id not in (select i.order_id from lines i group by i.order_id having "
          "sum(i.price) > 3)",
          false },
        { "l.order_id > all (select count(*) from lines i group by extract(year from i.shipped))",
          false },
        { "l.price > (select i.price from lines i where i.order_id = l.order_id)", true },
        { "exists (select (select max(i.price) from orders o) from lines i)", true },
        { "l.price > (select sum(i.price) / count(*) from lines i)", true },
        { "l.price > (select avg(i.price / l.order_id) from lines i)", true },
        { "l.price > (select avg(i.price) from lines i where 1 / i.order_id > 0)", true },
        { "l.order_id in (select 1 / i.order_id from lines i)", true },
        { "l.order_id in (select i.order_id from lines i group by i.order_id, 1 / l.order_id)",
          true },
        { "l.order_id in (select i.order_id from lines i order by 1 / l.order_id)", true },
        { "l.order_id in (select distinct on (1 / l.order_id) i.order_id from lines i)", true },
        { "l.order_id in (select i.order_id from lines i group by 1 having 1 / count(*) > 0)",
          true },
        { "l.order_id in (select i.order_id from lines i union select 1)", true },
        { "l.order_id in (values (1))", true },
        { "l.rate > any (select 1e400 from lines i)", true },
        { "exists (select 1 from lines i where i.order_id in (l.price, 1.5))", false },
        { "exists (select 1 from lines i where i.order_id in (l.price, '1.5'::float8))", true },
        { "exists (select 1 from lines i where i.order_id in (l.rate, l.price))", true },
        { "exists (select 1 from lines i where i.at in (l.shipped, current_timestamp))", true },
        { "exists (select 1 from lines i where i.at in (l.shipped, l.shipped))", true },
        { "exists (select 1 from lines i where i.shipped in (l.shipped, date '2020-01-01'))",
          false },
        { "exists (select 1 from lines i limit 1)", false },
        { "exists (select 1 from lines i limit -1)", true },
        { "exists (select 1 from lines i limit -0)", true }, /* a template's next is -1 */
        { "l.order_id = (select max(i.order_id) from lines i offset -1)", true },
        { "l.order_id = (select max(i.order_id) from lines i limit '-1')", true },
        { "l.order_id in (with c as (select 1 / i.order_id as x from lines i) select x from c)",
          true },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        char sql[256];
        const gh_plan *p;

        (void)snprintf(sql, sizeof(sql), "select * from lines l where %s", cases[i].condition);
        p = plan_as("alice", sql);
        ck_assert_msg(is_fenced(p, "l") == cases[i].is_fenced, "%s: %s", sql, p->sql.ptr);
    }
}
END_TEST

/* ---- names lead through sub-selects ------------------------------------------------------------- */

START_TEST(columns_of_sub_selects)
{
    static const struct {
        const char *sql;
        bool is_fenced;
    } cases[] = {
        { "select * from (select 1 / order_id as x, shipped from lines l) s", false },
        { "select * from (select 1 / order_id as x, shipped from lines l) s where shipped > "
          "current_date",
          false },
        { "select * from (select 1 / order_id as x from lines l) s where x > 1", true },
        { "select * from (select 1 / order_id from lines l) s (x) where s.x > 1", true },
        { "select * from (select price * 2 as x from lines l) s where x > 1", false },
        { "select * from (select * from (select price * 2 as x from lines l) a) s where x > 1",
          false },
        { "select * from (select * from (select 1 / order_id as x from lines l) a) s where x > 1",
          true },
        { "with s (x) as (select price * 2 from lines l) select * from s where x > 1", false },
        { "with s (x) as (select 1 / order_id from lines l) select * from s where x > 1", true },
        { "with s (x) as (select sum(price) from lines l group by order_id) select * from s where "
          "x = (select max(x) from s)",
          false },
        { "with s (x) as (select sum(price) from lines l group by order_id) select * from s where "
          "x = (select x from s)",
          true },
        { "with s as (select 1 / order_id as x from lines l), t as (select x from s) select * from "
          "t where x > 1",
          true },
        { "select * from (select order_id as x from lines l union select 1) s where x > 1", true },
        { "select * from (select 1 / order_id as x from lines l) s, orders o where x = o.id",
          true },
        { "select * from orders o join (select 1 / order_id as id from lines l) s using (id)",
          true },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        const gh_plan *p = plan_as("alice", cases[i].sql);

        ck_assert_msg(is_fenced(p, "l") == cases[i].is_fenced, "%s: %s", cases[i].sql, p->sql.ptr);
    }
}
END_TEST

/* ---- which relations ---------------------------------------------------------------------------- */

START_TEST(only_what_a_condition_names_is_fenced)
{
    static const struct {
        const char *sql;
        bool is_o;
        bool is_l;
    } cases[] = {
        { "select 1 from orders o join lines l on l.order_id = o.id where 1 / o.id > 0", true,
          false },
        { "select 1 from orders o join lines l on l.order_id = o.id where 1 / order_id > 0", false,
          true },
        { "select 1 from orders o join lines l on 1 / o.id = l.order_id", true, true },
        { "select 1 from orders o, lines l where 1 / length('') > 0", true, true },
        { "select 1 from orders o, lines l where row(o.*) is null", true, false },
        { "select 1 from orders o, lines l where o is null", true, false },
        { "select 1 from (select id from orders o) s, lines l where 1 / s.id > 0", true, false },
        { "select 1 from orders o, lines l where o.id in (select 1 / id from regions r, orders)",
          true, true },
        { "select 1 from orders o, lines l where exists (select 1 from ops.tickets t where 1 / "
          "t.id "
          "> 0)",
          true, true },
        { "select (select 1 from ops.tickets t where 1 / t.id > 0) from orders o, lines l", false,
          false },
        { "select (select 1 from ops.tickets t where 1 / o.id > 0) from orders o, lines l", true,
          false },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        const gh_plan *p = plan_as("alice", cases[i].sql);

        ck_assert_msg(is_fenced(p, "o") == cases[i].is_o, "%s: %s", cases[i].sql, p->sql.ptr);
        ck_assert_msg(is_fenced(p, "l") == cases[i].is_l, "%s: %s", cases[i].sql, p->sql.ptr);
    }
}
END_TEST

/* A view may join; what is sorted may then be computed before that. So may a sub-select take its time. */
START_TEST(views_are_fenced_from_what_runs_early)
{
    static const struct {
        const char *sql;
        bool is_fenced;
    } cases[] = {
        { "select 1 / id from v_open v", false },
        { "select id from v_open v order by region, 1, length(region)", false },
        { "select id from v_open v order by 1 / id", true },
        { "select 1 / id from v_open v order by 1", true },
        { "select distinct 1 / id from v_open v", true },
        { "select 1 / id, count(*) from v_open v group by 1", true },
        { "select count(distinct 1 / id) from v_open v", true },
        { "select 1 / id from v_open v union select 1", true },
        { "select 1 / id from v_open v union all select 1", false },
        { "select x from (select 1 / id as x from v_open v) s order by x", true },
        { "select 1 from v_open v, lateral (select 1 / v.id as x) s", true },
        { "select 1 from v_open v where exists (select 1 from ops.tickets t where t.id = v.id)",
          true },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        const gh_plan *p = plan_as("alice", cases[i].sql);

        ck_assert_msg(is_fenced(p, "v") == cases[i].is_fenced, "%s: %s", cases[i].sql, p->sql.ptr);
    }
}
END_TEST

/* ---- copies --------------------------------------------------------------------------------------- */

START_TEST(copies_follow_equal_columns)
{
    static const struct {
        const char *sql;
        bool is_copied; /* order_id = 7 into lines */
    } cases[] = {
        { "orders o join lines l on l.order_id = o.id where o.id = 7", true },
        { "orders o, lines l where l.order_id = o.id and 7 = o.id", true },
        { "orders o join lines l on l.order_id = o.id and o.id = 7", true },
        { "orders o left join lines l on l.order_id = o.id where o.id = 7", true },
        { "orders o left join lines l on l.order_id = 7", true },
        { "orders o join ops.tickets t on t.id = o.id join lines l on l.order_id = t.id where o.id "
          "= 7",
          true },
        { "lines l left join orders o on l.order_id = o.id and o.id = 7", false },
        { "lines l left join orders o on l.order_id = 7", false },
        { "lines l full join orders o on l.order_id = o.id and l.order_id = 7", false },
        { "orders o join lines l on l.order_id <> o.id where o.id = 7", false },
        { "orders o join lines l on l.order_id = o.id or true where o.id = 7", false },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        char sql[256];
        const gh_plan *p;
        bool is_copied;

        (void)snprintf(sql, sizeof(sql), "select 1 / max(l.order_id) from %s%s", cases[i].sql,
                       strstr(cases[i].sql, "where") != NULL ? " and 1 / l.order_id > 0"
                                                             : " where 1 / l.order_id > 0");
        p = plan_as("alice", sql);
        is_copied = strstr(p->sql.ptr, "AND (\"gh\".\"order_id\" = 7)") != NULL ||
                    strstr(p->sql.ptr, "AND (7 = \"gh\".\"order_id\")") != NULL;
        ck_assert_msg(is_copied == cases[i].is_copied, "%s: %s", sql, p->sql.ptr);
    }
}
END_TEST

Suite *suite_fence(void)
{
    Suite *s = suite_create("fence");
    TCase *c = tcase_create("fence");

    tcase_add_checked_fixture(c, world_setup, world_teardown);
    tcase_add_test(c, computed_values);
    tcase_add_test(c, literals_that_decide);
    tcase_add_test(c, sub_selects);
    tcase_add_test(c, columns_of_sub_selects);
    tcase_add_test(c, only_what_a_condition_names_is_fenced);
    tcase_add_test(c, views_are_fenced_from_what_runs_early);
    tcase_add_test(c, copies_follow_equal_columns);
    suite_add_tcase(s, c);
    return s;
}
