#include "sql_tests.h"

#include "pg.h"

#include <stdlib.h>

/* Every node kind that a query may hold, for the comparison with PostgreSQL's own walker. */
static const char *const s_queries[] = {
    "with recursive c(a) as (select 1 union all select a + 1 from c) cycle a set m to 'y' default "
    "'n' using p "
    "select distinct on (a) a, case a when 1 then 2 else 3 end, coalesce(a, b), greatest(a, b), "
    "nullif(a, 1) "
    "from c, lateral (select x from t tablesample system (1) repeatable (2)) s, "
    "rows from (f(1), g(2) as (x int, y text)) with ordinality, xmltable('/a' passing d columns e "
    "int path 'f' default 1) "
    "where a in (1, 2) and b between 1 and 2 and c is null and d is true and not e or f like 'g' "
    "escape 'h' "
    "group by grouping sets ((a), (b, c), ()) having count(*) filter (where x > 1) > 2 "
    "window w as (partition by a order by b rows between 1 preceding and 2 following) "
    "order by a using < nulls last limit 1 offset 2 for update of c",
    "select array[1, 2], a[1:2], (a).b, row(1, 2), exists (select 1), a = any (select 2), "
    "array(select 3), "
    "current_user, xmlelement(name a, xmlattributes(b as c), d), xmlserialize(content a as text), "
    "grouping(a), f(x => 1), string_agg(a, b order by c), percentile_cont(0.5) within group (order "
    "by a), "
    "sum(a) over (order by b), a collate \"C\", 'x'::varchar(3), $1, b'01', null, true, 1.5 "
    "from a join b on a.x = b.x left join c using (y) natural join d",
    "values (1, 2), (3, default)",
    "insert into t (a, b[1]) values (1, 2) on conflict (a) where a > 1 do update set b = "
    "excluded.b where t.a > 1 "
    "returning a, b",
    "update t set (a, b) = (select 1, 2), c = default from u where t.x = u.x returning *",
    "delete from t using u where current of c returning a",
    "merge into t using u on t.a = u.a when matched and t.b > 1 then update set b = 2 when not "
    "matched then insert "
    "(a) values (1)",
};

static void count_child(struct Node **slot, void *arg)
{
    size_t *count = arg;

    (*count)++;
    ck_assert(gh_sql_children(*slot, count_child, count));
}

static bool count_postgres(Node *n, void *arg)
{
    size_t *count = arg;

    if (n == NULL)
        return false;
    /* Ours visits types and passes through lists; theirs skips types, walks lists as nodes and an
     * alias, which holds nothing but names, as one too. */
    if (!IsA(n, List) && !IsA(n, Alias))
        (*count)++;
    return raw_expression_tree_walker(n, count_postgres, arg);
}

static void ignore(struct Node **slot, void *arg)
{
    (void)slot;
    (void)arg;
}

/* True where PostgreSQL walks to a node whose kind the table lacks. */
static bool finds_unknown(Node *n, void *arg)
{
    if (n != NULL && IsA(n, List)) {
        ListCell *cell;

        foreach (cell, (List *)n) {
            if (finds_unknown(lfirst(cell), arg))
                return true;
        }
        return false;
    }
    if (n == NULL || IsA(n, Alias))
        return false;
    if (!gh_sql_children(n, ignore, NULL))
        return true;
    return raw_expression_tree_walker(n, finds_unknown, arg);
}

static gh_rc compare_walkers(void *arg, gh_err *err)
{
    gh_sql_text t;
    gh_rc rc = gh_sql_parse(gh_str_of(arg), &t, err);
    size_t ours = 0;
    size_t theirs = 0;
    Node *stmt;

    if (rc != GH_OK)
        return rc;
    stmt = linitial_node(RawStmt, t.stmts)->stmt;
    count_child((struct Node **)&stmt, &ours);
    (void)count_postgres(stmt, &theirs);
    ck_assert_uint_ge(ours, theirs);
    ck_assert(!finds_unknown(stmt, NULL));
    return GH_OK;
}

START_TEST(shapes_hold_every_child_that_postgresql_walks)
{
    gh_err err = { 0 };

    ck_assert_msg(gh_sql_run(compare_walkers, (void *)(uintptr_t)s_queries[_i], &err) == GH_OK,
                  "%s", err.public_msg);
}
END_TEST

static gh_rc check_tree(void *arg, gh_err *err)
{
    gh_sql_text t;
    gh_rc rc = gh_sql_parse(gh_str_of(arg), &t, err);

    return rc != GH_OK ? rc : gh_sql_check_tree(linitial_node(RawStmt, t.stmts)->stmt, err);
}

static gh_rc check_chain(unsigned terms, gh_err *err)
{
    char *sql = malloc(8 + 2 * terms);
    gh_rc rc;

    strcpy(sql, "select 1");
    for (unsigned i = 1; i < terms; i++)
        memcpy(sql + 8 + 2 * (i - 1), "+1", 3);
    rc = gh_sql_run(check_tree, sql, err);
    free(sql);
    return rc;
}

START_TEST(depth_at_the_bound_and_past_it)
{
    gh_err err = { 0 };

    /* SELECT, its target and then one level a plus sign */
    ck_assert_int_eq(check_chain(GH_SQL_DEPTH_MAX - 2, &err), GH_OK);
    ck_assert_int_eq(check_chain(GH_SQL_DEPTH_MAX - 1, &err), GH_LIMIT);
    ck_assert_str_eq(err.sqlstate, "54001");
    memset(&err, 0, sizeof(err));
    ck_assert_int_eq(check_chain(100000, &err), GH_LIMIT);
}
END_TEST

START_TEST(unknown_nodes_are_refused)
{
    gh_err err = { 0 };
    char sql[] = "create function f() returns int language sql return 1";

    ck_assert_int_eq(gh_sql_run(check_tree, sql, &err), GH_DENIED);
    ck_assert_str_eq(err.sqlstate, "42501");
}
END_TEST

Suite *suite_tree(void)
{
    Suite *s = suite_create("tree");
    TCase *c = tcase_create("tree");

    tcase_add_loop_test(c, shapes_hold_every_child_that_postgresql_walks, 0,
                        (int)GH_COUNT(s_queries));
    tcase_add_test(c, depth_at_the_bound_and_past_it);
    tcase_add_test(c, unknown_nodes_are_refused);
    suite_add_tcase(s, c);
    return s;
}
