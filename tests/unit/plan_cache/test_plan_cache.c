/*
 * The plan cache: what is found is exactly what was put under exactly that key, and evictions take nothing from who holds it.
 */
#include <gatehouse/plan_cache.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "plan_cache_tests.h"

static gh_plan_set *make_set(const char *source, const char *sql)
{
    gh_str columns[] = { GH_STR("id"), GH_STR("region") };
    gh_touch touch = { .schema = GH_STR("sales"),
                       .name = GH_STR("orders"),
                       .clear = { columns, 2 } };
    gh_offset offsets[] = { { 1, 1 }, { 9, 0 } };
    int64_t grants[] = { 7, 11 };
    gh_output_column outputs[] = { { 16400, 1 } };
    gh_plan plan = { .kind = GH_STMT_QUERY,
                     .sql = gh_str_of(sql),
                     .touches = &touch,
                     .touch_count = 1,
                     .offsets = offsets,
                     .offset_count = 2,
                     .grant_ids = grants,
                     .grant_count = 2,
                     .outputs = outputs,
                     .output_count = 1 };

    return gh_plan_set_new(gh_str_of(source), &plan, 1, GH_STR("POISON"));
}

static gh_plan_key key_of(uint64_t scope, const char *text)
{
    return (gh_plan_key){ .scope = scope, .text = gh_str_of(text) };
}

START_TEST(test_copy_is_deep)
{
    char sql[] = "SELECT 1";
    gh_plan_set *set = make_set("select 1", sql);

    memset(sql, 'x', sizeof(sql) - 1);
    ck_assert(gh_str_is(set->plans[0].sql, "SELECT 1"));
    ck_assert(gh_str_is(set->query, "SELECT 1"));
    ck_assert(gh_str_is(set->source, "select 1"));
    ck_assert(gh_str_is(set->plans[0].touches[0].clear.items[1], "region"));
    ck_assert_int_eq(set->plans[0].grant_ids[1], 11);
    ck_assert_uint_eq(set->plans[0].offsets[1].sent, 9);
    ck_assert_uint_eq(set->plans[0].outputs[0].relation, 16400);
    gh_plan_set_release(set);
}
END_TEST

START_TEST(test_query_is_joined_and_poisoned)
{
    gh_plan plans[3] = { { .kind = GH_STMT_BEGIN, .sql = GH_STR("BEGIN") },
                         { .kind = GH_STMT_QUERY, .sql = GH_STR("SELECT 2") },
                         { .kind = GH_STMT_REFUSED } };
    gh_plan_set *set = gh_plan_set_new(GH_STR("x"), plans, 3, GH_STR("POISON"));

    ck_assert(gh_str_is(set->query, "BEGIN;SELECT 2;POISON"));
    ck_assert(set->is_refused);
    gh_plan_set_release(set);
    set = gh_plan_set_new(GH_STR("x"), plans + 2, 1, GH_STR("POISON"));
    ck_assert(gh_str_is(set->query, "POISON"));
    gh_plan_set_release(set);
    plans[0].kind = GH_STMT_EMPTY;
    plans[0].sql = (gh_str){ NULL, 0 };
    set = gh_plan_set_new(GH_STR(""), plans, 1, GH_STR("POISON"));
    ck_assert_uint_eq(set->query.len, 0);
    ck_assert(!set->is_refused);
    gh_plan_set_release(set);
}
END_TEST

START_TEST(test_key_is_all_of_it)
{
    gh_plan_cache *c = gh_plan_cache_new(1 << 20, 100);
    gh_plan_set *set = make_set("q", "SELECT 1");
    gh_oid types[] = { 23, 25 };
    gh_plan_key key = key_of(1, "q");

    gh_plan_cache_put(c, &key, set);
    ck_assert_ptr_eq(gh_plan_cache_find(c, &key), set);

    gh_plan_key other = key;
    other.scope = 2;
    ck_assert_ptr_null(gh_plan_cache_find(c, &other));
    other = key;
    other.is_extended = true;
    ck_assert_ptr_null(gh_plan_cache_find(c, &other));
    other = key;
    other.text = GH_STR("q ");
    ck_assert_ptr_null(gh_plan_cache_find(c, &other));
    other = key;
    other.param_types = types;
    other.param_count = 2;
    ck_assert_ptr_null(gh_plan_cache_find(c, &other));
    gh_plan_cache_put(c, &other, set);
    ck_assert_ptr_eq(gh_plan_cache_find(c, &other), set);
    types[1] = 1043;
    ck_assert_ptr_null(gh_plan_cache_find(c, &other));
    gh_plan_set_release(set);
    gh_plan_cache_free(c);
}
END_TEST

/* With more keys than buckets most share one; none may answer for another. */
START_TEST(test_equal_hashes_do_not_mix)
{
    enum { KEYS = 5000 };
    gh_plan_cache *c = gh_plan_cache_new(64 << 20, KEYS);
    char text[32];

    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(text, sizeof(text), "SELECT %d", i);
        gh_plan_set *set = make_set(text, text);
        gh_plan_key key = key_of(1 + (uint64_t)(i % 3), text);

        gh_plan_cache_put(c, &key, set);
        gh_plan_set_release(set);
    }
    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(text, sizeof(text), "SELECT %d", i);
        for (uint64_t scope = 1; scope <= 3; scope++) {
            gh_plan_key key = key_of(scope, text);
            gh_plan_set *set = gh_plan_cache_find(c, &key);

            if (scope == 1 + (uint64_t)(i % 3))
                ck_assert(set != NULL && gh_str_is(set->source, text));
            else
                ck_assert_ptr_null(set);
        }
    }
    gh_plan_cache_free(c);
}
END_TEST

START_TEST(test_least_recently_used_goes)
{
    gh_plan_cache *c = gh_plan_cache_new(1 << 20, 3);
    const char *texts[] = { "a", "b", "c" };
    gh_plan_set *held = NULL;

    for (size_t i = 0; i < 3; i++) {
        gh_plan_set *set = make_set(texts[i], texts[i]);
        gh_plan_key key = key_of(1, texts[i]);

        gh_plan_cache_put(c, &key, set);
        if (i == 1)
            held = gh_plan_set_acquire(set);
        gh_plan_set_release(set);
    }
    gh_plan_key a = key_of(1, "a");
    gh_plan_key b = key_of(1, "b");
    gh_plan_key d = key_of(1, "d");
    ck_assert_ptr_nonnull(gh_plan_cache_find(c, &a));
    gh_plan_set *set = make_set("d", "d");
    gh_plan_cache_put(c, &d, set);
    gh_plan_set_release(set);
    ck_assert_ptr_nonnull(gh_plan_cache_find(c, &a));
    ck_assert_ptr_null(gh_plan_cache_find(c, &b));
    ck_assert(gh_str_is(held->source, "b")); /* evicted, but still whole for who holds it */
    ck_assert_uint_eq(gh_plan_cache_stats_get(c).evictions, 1);
    gh_plan_set_release(held);
    gh_plan_cache_free(c);
}
END_TEST

START_TEST(test_bytes_are_bounded)
{
    gh_plan_cache *c = gh_plan_cache_new(128 << 10, 100000);
    char text[32];

    for (int i = 0; i < 1000; i++) {
        (void)snprintf(text, sizeof(text), "SELECT %d", i);
        gh_plan_set *set = make_set(text, text);
        gh_plan_key key = key_of(1, text);

        gh_plan_cache_put(c, &key, set);
        gh_plan_set_release(set);
        ck_assert_uint_le(gh_plan_cache_stats_get(c).bytes, 128 << 10);
    }
    ck_assert_uint_gt(gh_plan_cache_stats_get(c).entries, 10);

    char *large = malloc(20000);
    memset(large, 'x', 19999);
    large[19999] = '\0';
    gh_plan_set *set = make_set(large, large);
    gh_plan_key key = key_of(1, large);
    gh_plan_cache_put(c, &key, set); /* more than an eighth: not worth it */
    ck_assert_ptr_null(gh_plan_cache_find(c, &key));
    gh_plan_set_release(set);
    free(large);
    gh_plan_cache_free(c);
}
END_TEST

START_TEST(test_what_reads_the_session_is_left_out)
{
    gh_plan_cache *c = gh_plan_cache_new(1 << 20, 10);
    gh_plan plan = { .kind = GH_STMT_QUERY, .sql = GH_STR("s"), .reads_session = true };
    gh_plan_set *set = gh_plan_set_new(GH_STR("s"), &plan, 1, GH_STR("POISON"));
    gh_plan_key key = key_of(1, "s");

    gh_plan_cache_put(c, &key, set);
    ck_assert_ptr_null(gh_plan_cache_find(c, &key));
    gh_plan_set_release(set);
    gh_plan_cache_free(c);
}
END_TEST

START_TEST(test_scopes)
{
    gh_plan_cache *c = gh_plan_cache_new(1 << 20, 10);
    uint64_t one = gh_plan_cache_scope(c, GH_STR("alice"));
    uint64_t last = 0;
    char text[32];

    ck_assert_uint_ne(one, 0);
    ck_assert_uint_eq(gh_plan_cache_scope(c, GH_STR("alice")), one);
    ck_assert_uint_ne(gh_plan_cache_scope(c, GH_STR("bob")), one);
    for (int i = 0; i < 20000; i++) { /* past the table's bound: numbers are never used again */
        (void)snprintf(text, sizeof(text), "user%d", i);
        uint64_t id = gh_plan_cache_scope(c, gh_str_of(text));

        ck_assert_uint_gt(id, last);
        last = id;
    }
    ck_assert_uint_ne(gh_plan_cache_scope(c, GH_STR("alice")), one);
    gh_plan_cache_free(c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan_cache");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, test_copy_is_deep);
    tcase_add_test(tc, test_query_is_joined_and_poisoned);
    tcase_add_test(tc, test_key_is_all_of_it);
    tcase_add_test(tc, test_equal_hashes_do_not_mix);
    tcase_add_test(tc, test_least_recently_used_goes);
    tcase_add_test(tc, test_bytes_are_bounded);
    tcase_add_test(tc, test_what_reads_the_session_is_left_out);
    tcase_add_test(tc, test_scopes);
    suite_add_tcase(suite, tc);
    suite_add_tcase(suite, tcase_template());
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
