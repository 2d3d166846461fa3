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
        { "coalesce(order_id, 3000000000)::int4 > 1", true },
        { "price * (1.5 + 2) > 1", false },
        { "price * (1.5 + 1e400) > 1", true },
        { "shipped + 1 > shipped", true },
        { "shipped::timestamp > shipped", true },
        { "coalesce(shipped, at) > at", true },
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
        { "select 1 from pg_catalog.pg_class c where c.note ~ '^x'", false },
        { "select 1 from lines l where l.shipped > current_date", true },
        { "select 1 from lines l where l.shipped > current_date - 7", false },
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
        { "l.order_id > (select sum(i.id) from words i)", false },
        { "l.order_id > (select sum(i.id)::int8 from words i)", true },
        { "l.price > (select sum(i.amount) from words i)", true },
        { "l.price > (select avg(i.amount) from words i)", true },
        { "l.order_id > (select count(i.amount) from words i)", false },
        { "l.order_id > (select count(i.id) filter (where i.id > 5) from words i)", false },
        { "l.order_id > (select count(i.id) filter (where 1 / i.id > 5) from words i)", true },
        { "l.order_id > (select max(i.id) + max(i.id) from words i)", true },
        { "l.order_id > (select max(l.order_id) from words i)", true }, /* of the outer query */
        { "l.order_id > (select max(1) filter (where l.order_id > 1) from words i)", true },
        { "l.order_id > (select max(i.id) from words i group by i.note)", true },
        { "l.price in (select i.price from words i)", true },
        { "l.order_id in (select i.id from words i, lateral (select 1 / i.id) s)", true },
        { "l.order_id in (select i.id from words i, (select 1 / id from words) s)", true },
        { "l.order_id in (select i.id from words i, lower('a') s)", true },
        { "l.order_id in (select i.id from words i join lines x on 1 / x.order_id = i.id)", true },
        { "l.order_id in (select i.id from words i tablesample bernoulli (100))", true },
        { "exists (select 1 / l.order_id from words i)", true },
        { "exists (select * from words i)", false },
        { "exists (select 1 / l.order_id from words i union select 1)", true },
        { "exists (values (1 / l.order_id))", true },
        { "exists (select * from (select 1 / id from words) i)", true },
        { "(select true from words i)", true },
        { "l.order_id = (select 1)", false },
        { "l.order_id > (select rank() over (order by 1 / l.order_id))", true },
        { "l.order_id in (select rank() over (order by i.id) from words i)", false },
        { "l.order_id in (select rank() over (order by 1 / i.id) from words i)", true },
        { "l.order_id in (select rank() over (partition by 1 / i.id) from words i)", true },
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

/* Types and collations that meet: what fails to become of the other's type, or cannot be compared at all. */
START_TEST(types_that_meet)
{
    static const struct {
        const char *condition;
        bool is_fenced;
    } cases[] = {
        { "w.amount > 1 and - w.amount < 1e400 and w.price > 1", false },
        { "w.amount > w.price", true },
        { "coalesce(w.amount, w.price) > 1", true },
        { "coalesce(w.id, w.amount) > 1", false },
        { "coalesce(w.id, w.amount) > w.price", true },
        { "case w.amount when w.price then 1 end = 1", true },
        { "case w.amount when w.id then 1 end = 1", false },
        { "coalesce(w.id, 3000000000)::int4 > 1", true }, /* casts to what is narrower... */
        { "w.id::int4 > 1", true },
        { "w.price::numeric > 1", true },
        { "w.amount::float8 > 1", true },
        { "w.amount::numeric(4, 1) > 1", true },
        { "w.moment::date > current_date", false },
        { "w.id::numeric + 1 > 1", false },
        { "w.amount * 2 > 1", true }, /* ...of a size that nobody knows... */
        { "coalesce(w.amount, 1) * 2 > 1", true },
        { "coalesce(w.amount, w.id::numeric) * 2 > 1", true },
        { "coalesce(w.id::numeric, 1e400) * 2 > 1", true },
        { "w.id::numeric / -7 > 1 and w.id::numeric % -0.5 = 0", false },
        { "w.id::numeric / 0 > 1", true },
        { "w.id / 0.0 > 1", true },
        { "w.id % 7 = 1", true },
        { "abs(w.id) > 1", true },
        { "floor(w.id::numeric) > 1", false },
        { "w.code = w.note and w.code < 'a'", false }, /* ...collations... */
        { "w.code = w.tag", true },
        { "w.odd = w.code", true },
        { "coalesce(w.code, w.tag) = 'a'", true },
        { "coalesce(w.note, w.tag) = w.code", true },
        { "w.code like 'a%' and w.note not like '_'", false },
        { "w.odd like 'a%'", true },
        { "w.note like 'a\\'", true },
        { "w.note like w.code", true },
        { "w.note ilike 'a%'", true },
        { "substring(coalesce(w.note, w.code) from 1 for 2) = 'a'", false },
        { "w.id = any ('{1,2}') and w.amount = any ('{1,2}'::int8[])", false }, /* ...arrays... */
        { "w.amount = any ('{1}'::float8[])", true },
        { "w.id between 1 and 2.5 and w.amount not between 1 and w.id", false },
        { "w.amount between 1 and w.price", true },
        { "w.amount in (w.price, 1)", true },
        { "1 between w.amount and w.id",
          true }, /* ...and parameters, typed where they first stand. */
        { "w.amount > $1 and w.id::numeric > $2", false },
        { "w.amount > $1 and w.price > $1", true },
        { "w.id > $1 and w.price > $1", true },
        { "$1 between w.id and w.price", true },
        { "coalesce(w.id, $1) > w.price and $1 > 1.5", true },
        { "w.id::numeric * $1 > 1", true },
        { "w.id in (select i.id from words i join lines l using (price))", true },
        { "w.id in (select i.id from words i join lines l using (note))", false },
        { "w.id in (select i.id from words i natural join lines l)", true },
        { "exists (select 1 from words i where i.note in (w.code, w.note))", false },
        { "exists (select 1 from words i where i.note in (w.code, w.tag))", true },
        { "exists (select 1 from words i where i.moment in (w.moment, current_timestamp))", true },
        { "exists (select 1 from words i where i.id in (w.amount, $1, $1))", true },
        { "w.moment in (current_timestamp, '2020-01-01')", false },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        char sql[256];
        const gh_plan *p;

        (void)snprintf(sql, sizeof(sql), "select * from words w where %s", cases[i].condition);
        p = plan_as("alice", sql);
        ck_assert_msg(is_fenced(p, "w") == cases[i].is_fenced, "%s: %s", sql, p->sql.ptr);
    }
}
END_TEST

/* `l.price` and so often the one operator and operand behind it, then so often the other. */
static bool is_fenced_chain(const char *first, int firsts, const char *next, int nexts)
{
    static char sql[1 << 16];
    size_t len = (size_t)snprintf(sql, sizeof(sql), "select * from lines l where (l.price");

    for (int i = 0; i < firsts + nexts; i++)
        len += (size_t)snprintf(sql + len, sizeof(sql) - len, "%s", i < firsts ? first : next);
    ck_assert_uint_lt(len, sizeof(sql) - 16);
    (void)snprintf(sql + len, sizeof(sql) - len, ") > 1");
    return is_fenced(plan_as("alice", sql), "l");
}

/* 13 digits before the point and 2 behind it, with numbers of a hundred: no more than 1000 and 2500 in all. */
START_TEST(sizes_of_numbers)
{
    static const char *const adds[] = { " + l.price", " - 1", " + 1.5" };
    char nines[128];
    char large[160];
    char small[160];

    memset(nines, '9', 100);
    nines[100] = '\0';
    (void)snprintf(large, sizeof(large), " * %s.0", nines);
    (void)snprintf(small, sizeof(small), " * 0.%s", nines);
    ck_assert(!is_fenced_chain(large, 9, "", 0));
    ck_assert(is_fenced_chain(large, 10, "", 0));
    ck_assert(!is_fenced_chain(small, 24, "", 0));
    ck_assert(is_fenced_chain(small, 25, "", 0));
    for (size_t i = 0; i < GH_COUNT(adds); i++) { /* one more digit each */
        ck_assert(!is_fenced_chain(large, 9, adds[i], 87));
        ck_assert(is_fenced_chain(large, 9, adds[i], 88));
    }
    (void)snprintf(small, sizeof(small), " / 0.%s",
                   nines); /* by what may be as small as 10 to the minus 100 */
    ck_assert(!is_fenced_chain(small, 9, "", 0));
    ck_assert(is_fenced_chain(small, 10, "", 0));
    memset(nines, '9', 101); /* of a longer literal nothing is known */
    nines[101] = '\0';
    (void)snprintf(large, sizeof(large), " * %s", nines);
    ck_assert(is_fenced_chain(large, 1, "", 0));
    (void)snprintf(small, sizeof(small), " * 0.%s", nines);
    ck_assert(is_fenced_chain(small, 1, "", 0));
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
        { "with c as (select id as x from words) select * from lines l where exists (select 1 from "
          "c)",
          false },
        { "with c as (select 1 / id as x from words) select * from lines l where exists (select 1 "
          "from c)",
          true },
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

/* What a catalog has on its side of USING is compared like anything else. */
START_TEST(joins_with_catalogs)
{
    static const struct {
        const char *sql;
        bool is_fenced;
    } cases[] = {
        { "select 1 from words o join pg_class c using (note)", false },
        { "select 1 from words o join pg_class c using (id)", true },
        { "select 1 from pg_class c join words o using (id)", true },
        { "select 1 from words o left join pg_class c using (note, id)", true },
        { "select 1 from words o join pg_class c on c.id = o.id", true },
        { "select 1 from words o join pg_class c on c.oid = 7", false },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        const gh_plan *p = plan_as("alice", cases[i].sql);

        ck_assert_msg(is_fenced(p, "o") == cases[i].is_fenced, "%s: %s", cases[i].sql, p->sql.ptr);
    }
}
END_TEST

/* Of names, and of nothing longer; a pattern of plain words. */
START_TEST(patterns)
{
    static const struct {
        const char *condition;
        bool is_fenced;
    } cases[] = {
        { "o.note ~ '^(t5)$'", false },
        { "o.note operator(pg_catalog.~) '^(a.*|b-_c?.+)$' collate pg_catalog.default", false },
        { "o.note !~ '^pg_' and o.note !~* 'Temp'", false },
        { "pg_catalog.pg_class.note ~ 'a'", false },
        { "o.note ~ 'a{9}'", true },
        { "o.note ~ '(a'", true },
        { "o.note ~ 'a)('", true },
        { "o.note ~ '*a'", true },
        { "o.note ~ 'a**'", true },
        { "o.note ~ '(?i)a'", true },
        { "o.note ~ '***:a'", true },
        { "o.note ~ '^*'", true },
        { "o.note ~ E'\\\\d'", true },
        { "o.note ~ '[a-z]'", true },
        { "o.note ~ o.note", true },
        { "(o.note || 'x') ~ 'a'", true },
        { "'a' ~ o.note", true },
        { "cast(o.note as text) ~ 'a'", true },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        bool has_alias = strncmp(cases[i].condition, "pg_catalog", 10) != 0;
        char sql[256];

        (void)snprintf(sql, sizeof(sql), "select 1 from pg_class%s where %s", has_alias ? " o" : "",
                       cases[i].condition);
        const gh_plan *p = plan_as("alice", sql);

        ck_assert_msg(is_fenced(p, has_alias ? "o" : "pg_class") == cases[i].is_fenced, "%s: %s",
                      cases[i].condition, p->sql.ptr);
    }
    ck_assert(is_fenced(plan_as("alice", "select 1 from words o where o.note ~ 'a'"), "o") ||
              strstr(plan_as("alice", "select 1 from words o where o.note ~ 'a'")->sql.ptr,
                     "CASE WHEN") != NULL);
}
END_TEST

/* A catalog's filter is decided where its rows are read, so another relation's condition is none of its. */
START_TEST(catalogs_beside_what_can_fail)
{
    const char *const sql = "select 1 from pg_class c join words o on o.note = 'a' where %s";
    static const struct {
        const char *condition;
        bool is_fenced;
    } cases[] = {
        { "1 / o.id > 0", false },
        { "1 / c.oid::int8 > 0", true },
        { "1 / (o.id + c.oid::int8) > 0", true },
        { "1 / 0 > 0", true },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        char text[256];

        (void)snprintf(text, sizeof(text), sql, cases[i].condition);
        const gh_plan *p = plan_as("alice", text);

        ck_assert_msg(is_fenced(p, "c") == cases[i].is_fenced, "%s: %s", text, p->sql.ptr);
    }
}
END_TEST

/* USING and NATURAL over what queries compute; the second of two joins compares with either side of the first. */
START_TEST(joins_by_names)
{
    static const struct {
        const char *sql;
        bool is_fenced;
    } cases[] = {
        { "select 1 from orders o natural join ops.tickets t where o.id = 1", false },
        { "select 1 from orders o natural join (select id from ops.tickets) t where o.id = 1",
          false },
        { "select 1 from orders o join (select id from ops.tickets) t using (id)", false },
        { "select 1 from orders o natural join (select 1 / t.id as id from ops.tickets t) t",
          true },
        { "select 1 from orders o join (select 1 / t.id as id from ops.tickets t) t using (id)",
          true },
        { "select 1 from orders o natural join (select 7 as nothing) t where 1 = 1", false },
        { "select 1 from lines o join (select 1 as rate) a using (rate)", false },
        { "select 1 from lines o join (select 1 as rate) a using (rate) join (select 1.5 as rate) "
          "b "
          "using (rate)",
          true },
        { "select 1 from orders o natural join regions r", true }, /* which may have more columns */
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        const gh_plan *p = plan_as("alice", cases[i].sql);

        ck_assert_msg(p->kind == GH_STMT_QUERY, "%s: %s", cases[i].sql, p->error.public_msg);
        ck_assert_msg(is_fenced(p, "o") == cases[i].is_fenced, "%s: %s", cases[i].sql, p->sql.ptr);
    }
}
END_TEST

/* A value that is the same for every row, and may fail, meets those of what must be equal to what it is compared with. */
START_TEST(values_that_spread)
{
    static const struct {
        const char *condition;
        bool is_fenced; /* the other relation */
    } cases[] = {
        { "o.id = 1 / $1", true },
        { "o.id in (1 / $1)", true },
        { "not (o.id <> 1 / $1)", true },
        { "(o.id, o.region) = (1 / $1, 'EU')", true },
        { "case when true then o.id = 1 / $1 end", true },
        { "1 / $1 = o.id or false", true },
        { "lower(o.region) = lower('EU')", false },
        { "lower(o.region) = lower($1)", true },
        { "o.id > 1 / $1", false },
        { "o.id + 1 / $1 > 3", false },
        { "o.id / 2 = 7", false },
        { "1 / o.id = o.id", false },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        char sql[256];

        (void)snprintf(sql, sizeof(sql),
                       "select l.order_id from orders o join lines l on l.order_id = o.id where %s",
                       cases[i].condition);
        const gh_plan *p = plan_as("alice", sql);

        ck_assert_msg(is_fenced(p, "o"), "%s: %s", sql, p->sql.ptr);
        ck_assert_msg(is_fenced(p, "l") == cases[i].is_fenced, "%s: %s", sql, p->sql.ptr);
    }
    ck_assert(is_fenced(plan_as("alice",
                                "select 1 from orders o where exists (select 1 from lines l join "
                                "ops.tickets t on t.id = l.order_id where t.id = 1 / o.id)"),
                        "l"));
}
END_TEST

/* Of today and what is near to it no calendar ends; of any other time one may. */
START_TEST(times_near_today)
{
    static const struct {
        const char *condition;
        bool is_fenced;
    } cases[] = {
        { "w.moment >= now() - interval '30 days'", false },
        { "w.moment >= current_date - 7", false },
        { "w.moment >= date_trunc('month', now()) - interval '3 months'", false },
        { "w.moment between current_date - interval '1 year' and now()", false },
        { "w.moment::date = (now() at time zone 'UTC')::date - 1", false },
        { "extract(year from w.moment) = extract(year from now())", false },
        { "w.moment in (now(), current_timestamp)", true },
        { "coalesce(w.moment, now() - interval '1 hour') > now()", true }, /* of another type... */
        { "w.moment >= current_date - 3000000", true },                    /* ...far away... */
        { "w.moment >= current_date - -7", true },
        { "w.moment >= now() - interval '9999 years'", true },
        { "w.moment >= now() - interval '-30 days'", true },
        { "w.moment >= now() - interval '30 days 178000000 years'", true },
        { "w.moment >= now() - interval '9999 months' - interval '9999 months' - interval '9999 "
          "months' - interval '9999 months' - interval '9999 months'",
          true },
        { "w.moment >= now() - $1", true }, /* ...as far as somebody says... */
        { "w.moment >= current_date - $1", true },
        { "w.moment >= current_date - w.id", true },
        { "w.moment >= date_trunc($1, now())", true },
        { "w.moment >= date_trunc('fortnight', now())", true }, /* ...of a unit that is none... */
        { "w.moment >= clock_timestamp()", true },              /* ...another for each row... */
        { "date_trunc('month', w.moment) = date_trunc('month', now())", true }, /* ...of a row. */
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        char sql[512];
        const gh_plan *p;

        (void)snprintf(sql, sizeof(sql), "select * from words w where %s", cases[i].condition);
        p = plan_as("alice", sql);
        ck_assert_msg(p->error.sqlstate[0] == '\0' && is_fenced(p, "w") == cases[i].is_fenced,
                      "%s: %s %s", sql, p->error.public_msg, p->sql.ptr);
    }
    ck_assert(is_fenced(plan_as("alice", "select * from orders o join lines l on l.order_id = o.id "
                                         "where l.shipped = current_date - $1::int4"),
                        "o"));
    ck_assert(!is_fenced(plan_as("alice", "select * from orders o join lines l on l.order_id = "
                                          "o.id where l.shipped = current_date - 7"),
                         "o"));
    /* What another text of its template says may be further away. */
    ck_assert(!is_fenced(
        plan_as("alice", "select * from words w where w.moment > current_date - 8"), "w"));
    ck_assert(is_fenced(
        plan_as("alice", "select * from words w where w.moment > current_date - 90000000"), "w"));
}
END_TEST

/* What functions in FROM give, where that is certain; what else a condition over it may meet is not. */
START_TEST(functions_in_from)
{
    static const struct {
        const char *sql;
        bool is_fenced;
    } cases[] = {
        { "select 1 from orders o, generate_series(1, 3) g where g > 1 and o.id = g", false },
        { "select 1 from orders o join generate_series(1, 3) as g (n) on n = o.id", false },
        { "select 1 from orders o, generate_series(1, 9000000000) as g (n) where g.n = o.id",
          false },
        { "select 1 from orders o, generate_series(1, o.id) with ordinality as g (n, k) where k = "
          "o.id",
          false },
        { "select 1 from orders o, unnest('{1}'::int4[]) u where u = o.id", false },
        { "select 1 from orders o, generate_series(1, 1.5) g where g = o.id", true },
        { "select 1 from orders o, generate_series(1, 3) with ordinality as g (n) where n = o.id",
          true },
        { "select 1 from orders o, generate_series(1, o.id) as g (n) where 1 / g.n > 0", true },
        { "select 1 from orders o, generate_series(1, 3) as g (n) where 1 / n > 0", true },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        const gh_plan *p = plan_as("alice", cases[i].sql);

        ck_assert_msg(is_fenced(p, "o") == cases[i].is_fenced, "%s: %s", cases[i].sql, p->sql.ptr);
    }
}
END_TEST

/* ON sees the queries around, and of its own what it joins; an alias that both have is not what it seems. */
START_TEST(joins_that_name_outer_queries)
{
    static const struct {
        const char *from;
        bool is_fenced;
    } cases[] = {
        { "orders o join lines l on l.order_id = t.id", false },
        { "orders o join lines l on o.id = l.order_id and l.order_id < t.id, regions r", false },
        { "orders o join lines l on l.order_id = t.id, regions t", true },
        { "regions t, orders o join lines l on l.order_id = t.id", true },
        { "orders o join lines l on 1 / (t.id - o.id) > 0", true },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        char sql[256];

        (void)snprintf(sql, sizeof(sql),
                       "select 1 from ops.tickets t, lateral (select o.id from %s) x",
                       cases[i].from);
        const gh_plan *p = plan_as("alice", sql);

        ck_assert_msg(is_fenced(p, "o") == cases[i].is_fenced, "%s: %s", sql, p->sql.ptr);
    }
}
END_TEST

/* PREPARE says what its parameters are as Parse does. */
START_TEST(declared_parameters)
{
    static const struct {
        const char *sql;
        bool is_guarded; /* it may fail */
    } cases[] = {
        { "prepare p (int) as select 1 from words o where id = $1", false },
        { "prepare p (bigint, text) as select 1 from words o where id = $1 and note = $2", false },
        { "prepare p (int) as select 1 from words o where id = $1 and id < $1", false },
        { "prepare p (oid) as select 1 from words o where id = $1", true },
        { "prepare p (float8) as select 1 from words o where amount = $1", true },
        { "prepare p (numeric) as select 1 from words o where price > any (array[$1])", true },
        { "prepare p (int) as select 1 from words o where id = $1 and amount = $2", false },
        { "prepare p as select 1 from words o where id = $1", false },
        { "prepare p as select 1 from words o where id = $1 and amount = $1", true },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        const gh_plan *p = plan_as("alice", cases[i].sql);

        ck_assert_msg(p->kind == GH_STMT_PREPARE, "%s", p->error.public_msg);
        ck_assert_msg((strstr(p->sql.ptr, "CASE WHEN") != NULL) == cases[i].is_guarded, "%s: %s",
                      cases[i].sql, p->sql.ptr);
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
    tcase_add_test(c, types_that_meet);
    tcase_add_test(c, sizes_of_numbers);
    tcase_add_test(c, sub_selects);
    tcase_add_test(c, columns_of_sub_selects);
    tcase_add_test(c, only_what_a_condition_names_is_fenced);
    tcase_add_test(c, joins_with_catalogs);
    tcase_add_test(c, patterns);
    tcase_add_test(c, catalogs_beside_what_can_fail);
    tcase_add_test(c, joins_by_names);
    tcase_add_test(c, values_that_spread);
    tcase_add_test(c, times_near_today);
    tcase_add_test(c, functions_in_from);
    tcase_add_test(c, joins_that_name_outer_queries);
    tcase_add_test(c, declared_parameters);
    tcase_add_test(c, views_are_fenced_from_what_runs_early);
    tcase_add_test(c, copies_follow_equal_columns);
    suite_add_tcase(s, c);
    return s;
}
