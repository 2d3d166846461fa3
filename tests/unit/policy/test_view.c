/* Views: who has which roles, until when, in which warehouse; and their memo. */
#include "policy_tests.h"

#include <pthread.h>

static world s_world;
static gh_policy *s_policy;

static gh_view *view(const char *user, int64_t now)
{
    return gh_view_new(s_policy, S("wh"), gh_str_of(user), now);
}

static void compile(void)
{
    gh_policy_release(s_policy);
    s_policy = world_compile(&s_world);
}

static void setup(void)
{
    s_policy = NULL;
    world_init(&s_world);
}

static void teardown(void)
{
    gh_policy_release(s_policy);
}

START_TEST(users)
{
    const gh_policy_user *u;

    world_user(&s_world, S("alice"), (gh_str_list){ 0 })->verifier = S("SCRAM-SHA-256$x");
    world_user(&s_world, S("mallory"), (gh_str_list){ 0 })->is_disabled = true;
    compile();
    u = gh_policy_user_find(s_policy, S("alice"));
    ck_assert(gh_str_is(u->name, "alice") && gh_str_is(u->verifier, "SCRAM-SHA-256$x"));
    ck_assert(!u->is_disabled);
    ck_assert(gh_policy_user_find(s_policy, S("mallory"))->is_disabled);
    ck_assert_ptr_null(gh_policy_user_find(s_policy, S("Alice")));
    ck_assert_ptr_null(gh_policy_user_find(s_policy, S("")));
    ck_assert_uint_eq(gh_policy_version(s_policy), 7);
}
END_TEST

/* The policy owns copies: what it was compiled from may go. */
START_TEST(copies)
{
    char name[] = "alice";
    char key[] = "c0ffee";
    gh_view *v;

    world_user(&s_world, gh_str_of(name), (gh_str_list){ 0 });
    s_world.acl.hash_key = gh_str_of(key);
    compile();
    memset(name, 'x', sizeof(name) - 1);
    memset(key, 'x', sizeof(key) - 1);
    v = view("alice", 0);
    ck_assert(gh_str_is(gh_view_hash_key(v), "c0ffee"));
    ck_assert_ptr_nonnull(gh_policy_user_find(s_policy, S("alice")));
    gh_view_release(v);
}
END_TEST

START_TEST(roles)
{
    gh_view *v;

    world_role(&s_world, S("base"), (gh_str_list){ 0 })->may = GH_MAY_EXPLAIN;
    world_role(&s_world, S("a_left"), LIST(S("base")))->may = GH_MAY_NOTIFY;
    world_role(&s_world, S("z_right"), LIST(S("base")));
    world_role(&s_world, S("unrelated"), (gh_str_list){ 0 })->may = GH_MAY_BYPASS;
    world_user(&s_world, S("alice"), LIST(S("z_right"), S("a_left"), S("z_right")));
    compile();
    v = view("alice", 0);
    ck_assert_uint_eq(gh_view_roles(v).count, 3);
    ck_assert(gh_str_is(gh_view_roles(v).items[0], "a_left"));
    ck_assert(gh_str_is(gh_view_roles(v).items[1], "base"));
    ck_assert(gh_str_is(gh_view_roles(v).items[2], "z_right"));
    ck_assert_uint_eq(gh_view_may(v), GH_MAY_EXPLAIN | GH_MAY_NOTIFY);
    ck_assert(gh_str_is(gh_view_user(v), "alice") && gh_str_is(gh_view_warehouse(v), "wh"));
    ck_assert_uint_eq(gh_view_policy_version(v), 7);
    gh_view_release(v);
}
END_TEST

START_TEST(nobody)
{
    gh_catalog *c = table_of("s", "t", "a", 1);

    world_role(&s_world, S("all"), (gh_str_list){ 0 })->may = GH_MAY_BYPASS;
    world_grant(&s_world, LIST(S("all"), S("user:gone")), LIST(S("*.*")));
    world_user(&s_world, S("gone"), LIST(S("all")))->is_disabled = true;
    compile();
    for (int i = 0; i < 2; i++) {
        gh_view *v = view(i == 0 ? "gone" : "never was", 0);

        ck_assert_uint_eq(gh_view_roles(v).count, 0);
        ck_assert_uint_eq(gh_view_may(v), 0);
        ck_assert(!gh_view_has_any_grant(v));
        ck_assert(!gh_view_decide(v, c, only_relation(c))->exists);
        ck_assert(gh_view_valid_until(v) == INT64_MAX);
        ck_assert_ptr_null(gh_view_attribute(v, S("x")));
        gh_view_release(v);
    }
    gh_catalog_release(c);
}
END_TEST

START_TEST(attributes)
{
    gh_acl_attribute all[] = {
        { .name = S("region"), .values = LIST(S("EU")) },
        { .name = S("empty"), .values = LIST(S("")) },
        { .name = S("teams"), .is_list = true, .values = LIST(S("a"), S("b")) }
    };
    gh_acl_user *u = world_user(&s_world, S("alice"), (gh_str_list){ 0 });
    gh_view *v;

    u->attributes = all;
    u->attribute_count = 3;
    compile();
    v = view("alice", 0);
    ck_assert(gh_str_is(gh_view_attribute(v, S("region"))->values.items[0], "EU"));
    ck_assert_uint_eq(gh_view_attribute(v, S("empty"))->values.items[0].len, 0);
    ck_assert(gh_view_attribute(v, S("teams"))->is_list);
    ck_assert_uint_eq(gh_view_attribute(v, S("teams"))->values.count, 2);
    ck_assert_ptr_null(gh_view_attribute(v, S("Region"))); /* missing is not empty */
    gh_view_release(v);
}
END_TEST

START_TEST(validity)
{
    gh_catalog *c = table_of("s", "t", "a", 1);
    gh_acl_rule *r;
    /* now, next boundary, visible */
    static const int64_t want[][3] = { { 0, 100, 0 },        { 99, 100, 0 },  { 100, 200, 1 },
                                       { 199, 200, 1 },      { 200, 300, 0 }, { 299, 300, 0 },
                                       { 300, INT64_MAX, 1 } };

    world_role(&s_world, S("r"), (gh_str_list){ 0 });
    world_role(&s_world, S("other"), (gh_str_list){ 0 });
    world_user(&s_world, S("alice"), LIST(S("r")));
    r = world_grant(&s_world, LIST(S("r")), LIST(S("s.t")));
    r->valid_from = 100;
    r->valid_until = 200;
    r = world_grant(&s_world, LIST(S("user:alice")), LIST(S("*.*")));
    r->valid_from = 300;
    r = world_grant(&s_world, LIST(S("other")), LIST(S("*.*")));
    r->valid_from = 150; /* not alice's */
    compile();
    for (size_t i = 0; i < GH_COUNT(want); i++) {
        gh_view *v = view("alice", want[i][0]);

        ck_assert_int_eq(gh_view_valid_until(v), want[i][1]);
        ck_assert_int_eq(gh_view_has_any_grant(v), want[i][2]);
        ck_assert_int_eq(gh_view_decide(v, c, only_relation(c))->exists, want[i][2]);
        gh_view_release(v);
    }
    gh_catalog_release(c);
}
END_TEST

START_TEST(warehouses)
{
    static const struct {
        const char *table;
        const char *warehouse;
        bool has_grant;
    } all[] = { { "*.*", "wh", true },      { "wh:*.*", "wh", true },
                { "wh:*.*", "wh2", false }, { "wh*:s.t", "wh2", true },
                { "WH:s.t", "wh", false },  { "\"wh*\":s.t", "wh", false } };
    gh_catalog *c = table_of("s", "t", "a", 1);

    world_role(&s_world, S("r"), (gh_str_list){ 0 });
    world_user(&s_world, S("alice"), LIST(S("r")));
    for (size_t i = 0; i < GH_COUNT(all); i++) {
        gh_str table = gh_str_of(all[i].table);
        gh_view *v;

        s_world.acl.rule_count = 0;
        world_grant(&s_world, LIST(S("r")), (gh_str_list){ &table, 1 });
        compile();
        v = gh_view_new(s_policy, gh_str_of(all[i].warehouse), S("alice"), 0);
        ck_assert_msg(gh_view_has_any_grant(v) == all[i].has_grant, "%s", all[i].table);
        ck_assert_msg(gh_view_decide(v, c, only_relation(c))->exists == all[i].has_grant, "%s",
                      all[i].table);
        gh_view_release(v);
    }
    gh_catalog_release(c);
}
END_TEST

START_TEST(denies_are_no_grant)
{
    gh_view *v;

    world_role(&s_world, S("r"), (gh_str_list){ 0 });
    world_role(&s_world, S("boss"), (gh_str_list){ 0 })->may = GH_MAY_BYPASS;
    world_user(&s_world, S("alice"), LIST(S("r")));
    world_user(&s_world, S("root"), LIST(S("boss")));
    world_deny(&s_world, LIST(S("r")), LIST(S("*.*")));
    compile();
    v = view("alice", 0);
    ck_assert(!gh_view_has_any_grant(v));
    gh_view_release(v);
    v = view("root", 0); /* its bytes are forwarded: the warehouse exists for it */
    ck_assert(gh_view_has_any_grant(v));
    gh_view_release(v);
}
END_TEST

START_TEST(functions)
{
    gh_view *v;

    world_role(&s_world, S("r"), (gh_str_list){ 0 });
    world_role(&s_world, S("q"), (gh_str_list){ 0 });
    world_user(&s_world, S("alice"), LIST(S("r")));
    world_user(&s_world, S("bob"), (gh_str_list){ 0 });
    s_world.functions[0] = (gh_acl_function){ .to = LIST(S("q")), .allow = LIST(S("app.secret")) };
    s_world.functions[1] =
        (gh_acl_function){ .to = LIST(S("r")), .allow = LIST(S("app.geo_*"), S("o.\"f\"")) };
    s_world.functions[2] =
        (gh_acl_function){ .to = LIST(S("user:bob")), .allow = LIST(S("other:app.f")) };
    s_world.acl.function_count = 3;
    compile();
    v = view("alice", 0);
    ck_assert(gh_view_allows_function(v, S("app"), S("geo_distance")));
    ck_assert(gh_view_allows_function(v, S("o"), S("f")));
    ck_assert(!gh_view_allows_function(v, S("app"), S("geo")));
    ck_assert(!gh_view_allows_function(v, S("app"), S("secret")));
    ck_assert(!gh_view_allows_function(v, S("App"), S("geo_x")));
    gh_view_release(v);
    v = view("bob", 0);
    ck_assert(!gh_view_allows_function(v, S("app"), S("f")));
    gh_view_release(v);
    v = gh_view_new(s_policy, S("other"), S("bob"), 0);
    ck_assert(gh_view_allows_function(v, S("app"), S("f")));
    gh_view_release(v);
}
END_TEST

START_TEST(memo)
{
    gh_catalog *first = table_of("s", "t", "a b", 1);
    gh_catalog *same = table_of("s", "t", "a b", 2);
    gh_catalog *wider = table_of("s", "t", "a b c", 3);
    gh_catalog *renamed = table_of("s", "u", "a b", 4);
    const gh_decision *d;
    gh_view *v;

    world_user(&s_world, S("alice"), (gh_str_list){ 0 });
    world_grant(&s_world, LIST(S("user:alice")), LIST(S("s.t")));
    compile();
    v = view("alice", 0);
    d = gh_view_decide(v, first, only_relation(first));
    ck_assert_uint_eq(d->column_count, 2);
    ck_assert_ptr_eq(gh_view_decide(v, first, only_relation(first)), d);
    ck_assert_ptr_eq(gh_view_decide(v, same, only_relation(same)), d);
    ck_assert_uint_eq(gh_view_decide(v, wider, only_relation(wider))->column_count, 3);
    ck_assert(!gh_view_decide(v, renamed, only_relation(renamed))->exists);
    ck_assert_ptr_eq(gh_view_decide(v, first, only_relation(first)), d);
    /* What was decided lives as long as the view, whatever becomes of catalogs and policy. */
    gh_catalog_release(first);
    gh_catalog_release(same);
    gh_catalog_release(wider);
    gh_catalog_release(renamed);
    gh_policy_release(s_policy);
    s_policy = NULL;
    ck_assert(d->is_full);
    gh_view_release(gh_view_acquire(v));
    ck_assert_uint_eq(d->column_count, 2);
    gh_view_release(v);
}
END_TEST

#define THREADS   4
#define RELATIONS 200

static gh_catalog *s_catalog;
static gh_view *s_view;

static void *decide_all(void *arg)
{
    size_t count;
    const gh_relation *const *all = gh_catalog_relations(s_catalog, &count);
    size_t seen = 0;

    (void)arg;
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < count; i++)
            seen += gh_view_decide(s_view, s_catalog, all[i])->is_full;
    }
    return (void *)seen;
}

START_TEST(memo_is_shared_by_threads)
{
    gh_catalog_builder *b = gh_catalog_builder_new();
    pthread_t threads[THREADS];

    for (gh_oid i = 0; i < RELATIONS; i++) {
        char name[16];
        gh_column column = { .name = S("c"), .attnum = 1, .type_oid = 25, .typmod = -1 };
        gh_relation r = {
            .oid = 20000 + i, .schema = S("s"), .kind = 'r', .columns = &column, .column_count = 1
        };

        (void)snprintf(name, sizeof(name), "%s%u", i % 2 == 0 ? "even" : "odd", i);
        r.name = gh_str_of(name);
        gh_catalog_add_relation(b, &r);
    }
    s_catalog = gh_catalog_builder_finish(b, 1);
    world_user(&s_world, S("alice"), (gh_str_list){ 0 });
    world_grant(&s_world, LIST(S("user:alice")), LIST(S("s.even*")));
    compile();
    s_view = view("alice", 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, decide_all, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        void *seen = NULL;

        ck_assert_int_eq(pthread_join(threads[i], &seen), 0);
        ck_assert_uint_eq((size_t)seen, 20 * RELATIONS / 2);
    }
    gh_view_release(s_view);
    gh_catalog_release(s_catalog);
}
END_TEST

START_TEST(what_is_kept_is_of_one_catalog)
{
    gh_catalog *first = table_of("s", "t", "c", 1);
    gh_catalog *next = table_of("s", "t", "c", 2);
    char bytes[] = "four";
    gh_view *v;

    world_user(&s_world, S("alice"), (gh_str_list){ 0 });
    compile();
    v = view("alice", 0);
    ck_assert_uint_eq(gh_view_kept(v, first, NULL, 0), 0);
    gh_view_keep(v, first, "1234", 4);
    ck_assert_uint_eq(gh_view_kept(v, first, NULL, 0), 4);
    ck_assert_uint_eq(gh_view_kept(v, first, bytes, 3), 4);
    ck_assert_str_eq(bytes, "four");
    ck_assert_uint_eq(gh_view_kept(v, next, bytes, 4), 0);
    ck_assert_str_eq(bytes, "four");
    ck_assert_uint_eq(gh_view_kept(v, first, bytes, 4), 4);
    ck_assert_str_eq(bytes, "1234");
    gh_view_keep(v, next, "56", 2);
    ck_assert_uint_eq(gh_view_kept(v, first, bytes, 4), 0);
    ck_assert_uint_eq(gh_view_kept(v, next, bytes, 2), 2);
    ck_assert_str_eq(bytes, "5634");
    gh_view_release(v);
    gh_catalog_release(first);
    gh_catalog_release(next);
}
END_TEST

Suite *policy_view_suite(void)
{
    Suite *s = suite_create("policy views");
    TCase *t = tcase_create("views");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, users);
    tcase_add_test(t, copies);
    tcase_add_test(t, roles);
    tcase_add_test(t, nobody);
    tcase_add_test(t, attributes);
    tcase_add_test(t, validity);
    tcase_add_test(t, warehouses);
    tcase_add_test(t, denies_are_no_grant);
    tcase_add_test(t, functions);
    tcase_add_test(t, memo);
    tcase_add_test(t, memo_is_shared_by_threads);
    tcase_add_test(t, what_is_kept_is_of_one_catalog);
    suite_add_tcase(s, t);
    return s;
}
