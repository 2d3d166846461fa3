/*
 * What planning costs: a template's hit, and misses on a point query and on TPC-H's Q3, over the catalog of
 * a real server, with a row filter and a mask on every table that is read.
 *
 *     bench_plan CONNINFO ROUNDS          user `bench`; tables of bench.py, part plan
 *
 * Prints one line a kind: microseconds of this thread's CPU a plan, the least of a few tries, since a busy
 * machine only ever adds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <gatehouse/catalog.h>
#include <gatehouse/plan_cache.h>
#include <gatehouse/policy.h>
#include <gatehouse/upstream.h>

#define TRIES 7

static gh_catalog *s_catalog;
static gh_view *s_view;
static gh_arena *s_arena;

static const char s_point[] = "SELECT abalance FROM pgbench_accounts WHERE aid = 4711";
static const char s_q3[] =
    "select l_orderkey, sum(l_extendedprice * (1 - l_discount)) as revenue, o_orderdate, "
    "o_shippriority from customer, orders, lineitem where c_mktsegment = 'BUILDING' and "
    "c_custkey = o_custkey and l_orderkey = o_orderkey and o_orderdate < date '1995-03-15' and "
    "l_shipdate > date '1995-03-15' group by l_orderkey, o_orderdate, o_shippriority "
    "order by revenue desc, o_orderdate limit 10";

static void die(const char *what, const gh_err *err)
{
    fprintf(stderr, "bench_plan: %s: %s %s %s\n", what, err->sqlstate, err->public_msg,
            err->detail);
    exit(1);
}

static double cpu_us(void)
{
    struct timespec t;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0)
        abort();
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void read_catalog(const char *conninfo)
{
    gh_upstream_options options = { .name = GH_STR("bench"), .conninfo = gh_str_of(conninfo) };
    gh_upstream *u = NULL;
    gh_err err = { 0 };

    if (gh_upstream_new(&options, &u, &err) != GH_OK)
        die("conninfo", &err);
    gh_catalog_reader *r = gh_catalog_reader_new(u);
    if (gh_catalog_read(r, NULL, &s_catalog, &err) != GH_OK)
        die("catalog", &err);
    gh_catalog_reader_free(r);
    gh_upstream_release(u);
}

static gh_acl_rule rule(int64_t id, const gh_str_list *to, const gh_str_list *tables, gh_str rows,
                        const gh_acl_column_mask *mask)
{
    return (gh_acl_rule){ .id = id,
                          .to = *to,
                          .tables = *tables,
                          .privileges = GH_SELECT,
                          .rows = rows,
                          .masks = mask,
                          .mask_count = 1,
                          .valid_from = INT64_MIN,
                          .valid_until = INT64_MAX };
}

static void make_view(void)
{
    static const gh_str role[] = { { "reader", 6 } };
    static const gh_str names[] = { { "public.pgbench_accounts", 23 },
                                    { "public.customer", 15 },
                                    { "public.orders", 13 },
                                    { "public.lineitem", 15 } };
    static const gh_acl_column_mask masks[] = { { { "abalance", 8 }, { "round(10)", 9 } },
                                                { { "c_phone", 7 }, { "redact", 6 } },
                                                { { "o_clerk", 7 }, { "redact", 6 } },
                                                { { "l_comment", 9 }, { "redact", 6 } } };
    static const gh_str filters[] = { { "bid >= 1", 8 },
                                      { "c_nationkey < 20", 16 },
                                      { "o_totalprice > 0", 16 },
                                      { "l_quantity < 100", 16 } };
    const gh_str_list to = { role, 1 };
    const gh_acl_role roles[] = { { .name = GH_STR("reader") } };
    const gh_acl_user users[] = { { .name = GH_STR("bench"), .roles = to } };
    gh_acl_rule rules[GH_COUNT(names)];
    gh_policy *policy = NULL;
    gh_err err = { 0 };

    for (size_t i = 0; i < GH_COUNT(names); i++) {
        const gh_str_list table = { &names[i], 1 };
        rules[i] = rule((int64_t)i + 1, &to, &table, filters[i], &masks[i]);
    }
    const gh_acl acl = { .version = 1,
                         .users = users,
                         .user_count = 1,
                         .roles = roles,
                         .role_count = 1,
                         .rules = rules,
                         .rule_count = GH_COUNT(rules) };
    if (gh_policy_compile(&acl, &policy, &err) != GH_OK)
        die("policy", &err);
    s_view = gh_view_new(policy, GH_STR("bench"), GH_STR("bench"), 0);
    gh_policy_release(policy);
}

static gh_plan_set *plan(gh_str sql)
{
    static const gh_str path[] = { { "public", 6 } };
    const gh_rewrite_input in = { .sql = sql,
                                  .catalog = s_catalog,
                                  .view = s_view,
                                  .database = GH_STR("bench"),
                                  .search_path = { path, 1 },
                                  .search_path_text = GH_STR("public"),
                                  .client_encoding = GH_STR("UTF8") };
    const gh_plan *plans = NULL;
    size_t count = 0;
    gh_err err = { 0 };

    if (gh_rewrite(&in, s_arena, &plans, &count, &err) != GH_OK)
        die("rewrite", &err);
    if (plans[count - 1].kind == GH_STMT_REFUSED)
        die("refused", &plans[count - 1].error);
    gh_plan_set *set = gh_plan_set_new(sql, plans, count, GH_STR("SELECT"));
    gh_arena_reset(s_arena);
    return set;
}

static void misses(const char *name, gh_str sql, int rounds)
{
    double best = 1e12;

    for (int t = 0; t < TRIES; t++) {
        double begin = cpu_us();
        for (int i = 0; i < rounds; i++)
            gh_plan_set_release(plan(sql));
        double took = (cpu_us() - begin) / rounds;
        best = took < best ? took : best;
    }
    printf("miss, %s: %.2f us\n", name, best);
}

/* As a session does it: scan, look up, fill. */
static void hits(int rounds)
{
    gh_plan_cache *cache = gh_plan_cache_new(1 << 20, 64);
    gh_template *t = gh_alloc(sizeof(*t));
    gh_plan_key key = { .scope = 1, .is_shape = true };
    double best = 1e12;
    char text[128];

    if (!gh_template_scan(gh_str_of(s_point), t))
        abort();
    gh_plan_set *set = plan(gh_str_of(s_point));
    gh_plan_set *shared = gh_template_make(t, set);
    if (shared == NULL)
        abort();
    key.text = (gh_str){ t->shape, t->shape_len };
    gh_plan_cache_put(cache, &key, shared);
    for (int n = 0; n < TRIES; n++) {
        double begin = cpu_us();
        for (int i = 0; i < rounds; i++) {
            size_t len = sizeof(s_point) - 1;
            memcpy(text, s_point, len);
            text[len - 1] = (char)('0' + i % 10);
            if (!gh_template_scan((gh_str){ text, len }, t))
                abort();
            key.text = (gh_str){ t->shape, t->shape_len };
            gh_plan_set *found = gh_plan_cache_find(cache, &key);
            if (found == NULL)
                abort();
            gh_plan_set_release(gh_template_fill(found, t, (gh_str){ text, len }));
        }
        double took = (cpu_us() - begin) / rounds;
        best = took < best ? took : best;
    }
    printf("template hit: %.2f us\n", best);
    gh_plan_set_release(shared);
    gh_plan_set_release(set);
    gh_plan_cache_free(cache);
    free(t);
}

int main(int argc, char **argv)
{
    int rounds = argc == 3 ? (int)strtol(argv[2], NULL, 10) : 0;

    if (rounds < 1)
        return 2;
    s_arena = gh_arena_new(GH_SQL_MEMORY_MAX);
    read_catalog(argv[1]);
    make_view();
    hits(rounds * 10);
    misses("point query", gh_str_of(s_point), rounds);
    misses("TPC-H Q3", gh_str_of(s_q3), rounds);
    gh_view_release(s_view);
    gh_catalog_release(s_catalog);
    gh_arena_free(s_arena);
    return 0;
}
