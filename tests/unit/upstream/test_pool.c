#include "tests.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#include "fixture.h"

typedef struct setting {
    gh_loop *loop;
    gh_upstream *upstream;
    gh_pool *pool;
} setting;

static setting set_up(uint32_t size, uint32_t idle, const char *init_sql)
{
    setting s = { 0 };
    gh_err err = { 0 };
    gh_pool_options options = { .size = size, .idle = idle, .acquire_timeout_ms = 600 };

    ck_assert_int_eq(gh_loop_new(&s.loop, &err), GH_OK);
    s.upstream = fixture_upstream("", init_sql);
    s.pool = gh_pool_new(s.loop, s.upstream, &options);
    return s;
}

static void tear_down(setting *s)
{
    gh_pool_free(s->pool);
    gh_upstream_release(s->upstream);
    gh_loop_free(s->loop);
}

static gh_pool_stats stats_of(const setting *s)
{
    gh_pool_stats stats;

    gh_pool_stats_get(s->pool, &stats);
    return stats;
}

static void assert_value(gh_conn *c, const char *sql, const char *expected)
{
    char value[256];
    char sqlstate[6];

    raw_query(c, sql, value, sqlstate);
    ck_assert_str_eq(sqlstate, "");
    ck_assert_str_eq(value, expected);
}

/* What one session left is gone for the next, and what init_sql set is there again. */
START_TEST(reset_leaves_nothing)
{
    setting s = set_up(
        2, 2, "SET search_path = pg_catalog; SELECT set_config('gatehouse.k', 'secret', false)");
    char value[256];
    char sqlstate[6];

    gh_conn *c = acquire_now(s.loop, s.pool, "SET DateStyle = 'German'", NULL);
    ck_assert_ptr_nonnull(c);
    uint32_t pid = gh_conn_pid(c);
    ck_assert(gh_str_is(gh_conn_parameter(c, "DateStyle"), "German, DMY"));
    assert_value(c, "SELECT current_setting('gatehouse.k')", "secret");
    raw_query(c, "SELECT set_config('gatehouse.k', 'mine', false)", value, sqlstate);
    raw_query(c, "CREATE TEMP TABLE left_over AS SELECT 1 AS a", value, sqlstate);
    ck_assert_str_eq(sqlstate, "");
    raw_query(c, "PREPARE p AS SELECT 1", value, sqlstate);
    gh_pool_release(s.pool, c, GH_RELEASE_RESET);

    c = acquire_now(s.loop, s.pool, "", NULL);
    ck_assert_uint_eq(gh_conn_pid(c), pid);
    ck_assert(gh_str_is(gh_conn_parameter(c, "DateStyle"), "ISO, MDY"));
    assert_value(c, "SHOW DateStyle", "ISO, MDY");
    assert_value(c, "SELECT current_setting('gatehouse.k')", "secret");
    assert_value(c, "SHOW search_path", "pg_catalog");
    raw_query(c, "SELECT * FROM pg_temp.left_over", value, sqlstate);
    ck_assert_str_ne(sqlstate, "");
    raw_query(c, "EXECUTE p", value, sqlstate);
    ck_assert_str_eq(sqlstate, "26000");
    gh_pool_release(s.pool, c, GH_RELEASE_CLOSE);
    ck_assert_uint_eq(stats_of(&s).connects, 1);
    ck_assert_uint_eq(stats_of(&s).reuses, 1);
    ck_assert_uint_eq(stats_of(&s).idle, 0);
    tear_down(&s);
}
END_TEST

START_TEST(as_is_keeps_settings)
{
    setting s = set_up(1, 1, "");
    char value[256];
    char sqlstate[6];

    gh_conn *c = acquire_now(s.loop, s.pool, "", NULL);
    raw_query(c, "SET DateStyle = 'German'", value, sqlstate);
    gh_pool_release(s.pool, c, GH_RELEASE_AS_IS);
    c = acquire_now(s.loop, s.pool, "", NULL);
    assert_value(c, "SHOW DateStyle", "German, DMY");
    gh_pool_release(s.pool, c, GH_RELEASE_CLOSE);
    tear_down(&s);
}
END_TEST

START_TEST(refused_session_sql_is_told)
{
    setting s = set_up(1, 1, "");
    gh_err err = { 0 };

    ck_assert_ptr_null(acquire_now(s.loop, s.pool, "SET DateStyle = 'nonsense'", &err));
    ck_assert_str_eq(err.sqlstate, "22023");
    ck_assert_ptr_nonnull(strstr(err.detail, "nonsense"));
    ck_assert_ptr_null(strstr(err.public_msg, "nonsense"));
    gh_conn *c = acquire_now(s.loop, s.pool, "", &err);
    ck_assert_ptr_nonnull(c); /* the connection survived */
    ck_assert_uint_eq(stats_of(&s).connects, 1);
    gh_pool_release(s.pool, c, GH_RELEASE_CLOSE);
    tear_down(&s);
}
END_TEST

START_TEST(broken_init_sql_is_no_clients_business)
{
    setting s = set_up(1, 1, "SELECT no_such_column");
    gh_err err = { 0 };

    ck_assert_ptr_null(acquire_now(s.loop, s.pool, "", &err));
    ck_assert_str_eq(err.sqlstate, "08001");
    ck_assert_ptr_null(strstr(err.public_msg, "no_such_column"));
    ck_assert_ptr_nonnull(strstr(err.detail, "no_such_column"));
    tear_down(&s);
}
END_TEST

/* The pool never holds more than `size`; who waits too long hears 53300; a release serves the
 * oldest. */
START_TEST(size_is_a_bound)
{
    setting s = set_up(2, 2, "");
    gh_err err = { 0 };

    gh_conn *a = acquire_now(s.loop, s.pool, "", NULL);
    gh_conn *b = acquire_now(s.loop, s.pool, "", NULL);
    ck_assert_ptr_null(acquire_now(s.loop, s.pool, "", &err));
    ck_assert_str_eq(err.sqlstate, "53300");
    outcome first = { .loop = s.loop };
    outcome second = { .loop = s.loop };
    gh_pool_acquire(s.pool, GH_STR(""), outcome_take, &first);
    gh_pool_acquire(s.pool, GH_STR(""), outcome_take, &second);
    run_loop_for(s.loop, 20);
    ck_assert_uint_eq(stats_of(&s).waiting, 2);
    gh_pool_release(s.pool, a, GH_RELEASE_RESET);
    run_loop(s.loop, 5);
    ck_assert_ptr_nonnull(first.conn);
    ck_assert(!second.is_done);
    ck_assert_uint_eq(stats_of(&s).connects, 2);
    gh_pool_release(s.pool, b, GH_RELEASE_CLOSE); /* makes room for a new one */
    run_loop(s.loop, 5);
    ck_assert_ptr_nonnull(second.conn);
    ck_assert_uint_eq(stats_of(&s).connects, 3);
    gh_pool_release(s.pool, first.conn, GH_RELEASE_RESET);
    gh_pool_release(s.pool, second.conn, GH_RELEASE_RESET);
    tear_down(&s);
}
END_TEST

/* Two workers' pools: places are where they are wanted, and the oldest waiter of both comes first. */
START_TEST(pools_share_the_size)
{
    setting s = set_up(3, 3, "");
    gh_pool_options options = { .size = 3, .idle = 3, .acquire_timeout_ms = 600 };
    gh_pool *other = gh_pool_new(s.loop, s.upstream, &options);
    gh_err err = { 0 };
    gh_conn *c[3];

    for (int i = 0; i < 3; i++) /* as many as there are for all */
        c[i] = acquire_now(s.loop, i < 2 ? s.pool : other, "", NULL);
    ck_assert_ptr_null(acquire_now(s.loop, other, "", &err));
    ck_assert_str_eq(err.sqlstate, "53300");

    outcome older = { .loop = s.loop };
    outcome younger = { .loop = s.loop };
    gh_pool_acquire(other, GH_STR(""), outcome_take, &older);
    run_loop_for(s.loop, 5);
    gh_pool_acquire(s.pool, GH_STR(""), outcome_take, &younger);
    run_loop_for(s.loop, 5);
    gh_pool_release(s.pool, c[0], GH_RELEASE_RESET);
    run_loop(s.loop, 5);
    ck_assert_ptr_nonnull(older.conn);
    ck_assert(!younger.is_done);
    gh_pool_release(other, older.conn, GH_RELEASE_RESET);
    run_loop(s.loop, 5);
    ck_assert_ptr_nonnull(younger.conn);

    /* What the other keeps idle is given up, but no more than is wanted. */
    gh_pool_release(s.pool, younger.conn, GH_RELEASE_RESET);
    gh_pool_release(s.pool, c[1], GH_RELEASE_RESET);
    run_loop_for(s.loop, 100);
    ck_assert_uint_eq(stats_of(&s).idle, 2);
    gh_conn *d = acquire_now(s.loop, other, "", NULL);
    ck_assert_ptr_nonnull(d);
    ck_assert_uint_eq(stats_of(&s).idle, 1);

    /* Nobody is kept waiting for one who gave up. */
    gh_conn *e = acquire_now(s.loop, s.pool, "", NULL);
    gh_ticket *gone = gh_pool_acquire(other, GH_STR(""), outcome_take, &older);
    run_loop_for(s.loop, 5);
    outcome last = { .loop = s.loop };
    gh_pool_acquire(s.pool, GH_STR(""), outcome_take, &last);
    run_loop_for(s.loop, 5);
    gh_pool_abandon(other, gone);
    gh_pool_release(other, d, GH_RELEASE_CLOSE);
    run_loop(s.loop, 5);
    ck_assert_ptr_nonnull(last.conn);
    gh_pool_release(s.pool, last.conn, GH_RELEASE_CLOSE);
    gh_pool_release(s.pool, e, GH_RELEASE_CLOSE);
    gh_pool_release(other, c[2], GH_RELEASE_CLOSE);
    gh_pool_free(other);
    tear_down(&s);
}
END_TEST

/* One of two worker threads: takes a connection and gives it back, again and again. */
static void *visitor(void *arg)
{
    setting *s = arg;
    gh_pool_options options = { .size = 1, .idle = 1 };
    gh_err err = { 0 };

    ck_assert_int_eq(gh_loop_new(&s->loop, &err), GH_OK);
    s->pool = gh_pool_new(s->loop, s->upstream, &options);
    for (int i = 0; i < 10; i++) {
        gh_conn *c = acquire_now(s->loop, s->pool, "", NULL);

        ck_assert_ptr_nonnull(c);
        run_loop_for(s->loop, 2);
        gh_pool_release(s->pool, c, GH_RELEASE_RESET);
    }
    gh_pool_free(s->pool);
    return NULL;
}

START_TEST(threads_take_turns)
{
    gh_upstream *u = fixture_upstream("", "");
    setting s[2] = { { .upstream = u }, { .upstream = u } };
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, visitor, &s[i]), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    gh_upstream_release(u);
    for (int i = 0; i < 2; i++)
        gh_loop_free(s[i].loop);
}
END_TEST

START_TEST(surplus_is_closed)
{
    setting s = set_up(3, 1, "");
    char value[256];
    gh_conn *c[3];

    for (int i = 0; i < 3; i++)
        c[i] = acquire_now(s.loop, s.pool, "", NULL);
    for (int i = 0; i < 3; i++)
        gh_pool_release(s.pool, c[i], GH_RELEASE_RESET);
    run_loop_for(s.loop, 300);
    ck_assert_uint_eq(stats_of(&s).idle, 1);
    ck_assert_uint_eq(stats_of(&s).used, 0);
    ck_assert_uint_eq(stats_of(&s).connecting, 0);
    admin_query("warehouse", "SELECT count(*) FROM pg_stat_activity WHERE usename = 'gatehouse'",
                value);
    ck_assert_str_eq(value, "1");
    tear_down(&s);
}
END_TEST

START_TEST(dead_idle_connection_is_noticed)
{
    setting s = set_up(2, 2, "");
    char sql[64];

    gh_conn *c = acquire_now(s.loop, s.pool, "", NULL);
    uint32_t pid = gh_conn_pid(c);
    gh_pool_release(s.pool, c, GH_RELEASE_RESET);
    run_loop_for(s.loop, 200);
    ck_assert_uint_eq(stats_of(&s).idle, 1);
    snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%u)", pid);
    admin_query("warehouse", sql, NULL);
    run_loop_for(s.loop, 300);
    ck_assert_uint_eq(stats_of(&s).idle, 0);
    ck_assert_uint_eq(stats_of(&s).lost, 1);
    c = acquire_now(s.loop, s.pool, "", NULL);
    ck_assert_uint_ne(gh_conn_pid(c), pid);
    gh_pool_release(s.pool, c, GH_RELEASE_CLOSE);
    tear_down(&s);
}
END_TEST

/* Died while the loop was busy elsewhere: found out at the moment of handing it over. */
START_TEST(dead_connection_is_not_handed_over)
{
    setting s = set_up(2, 2, "");
    char sql[64];

    gh_conn *c = acquire_now(s.loop, s.pool, "", NULL);
    uint32_t pid = gh_conn_pid(c);
    int fd = gh_conn_stream(c)->fd;
    gh_pool_release(s.pool, c, GH_RELEASE_AS_IS);
    snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%u)", pid);
    admin_query("warehouse", sql, NULL);
    struct pollfd readable = { .fd = fd, .events = POLLIN };
    ck_assert_int_eq(poll(&readable, 1, 5000), 1);
    c = acquire_now(s.loop, s.pool, "", NULL);
    ck_assert_ptr_nonnull(c);
    ck_assert_uint_ne(gh_conn_pid(c), pid);
    gh_pool_release(s.pool, c, GH_RELEASE_CLOSE);
    tear_down(&s);
}
END_TEST

START_TEST(unread_bytes_are_not_reused)
{
    setting s = set_up(2, 2, "");
    const gh_release ways[] = { GH_RELEASE_RESET, GH_RELEASE_AS_IS };

    for (size_t i = 0; i < GH_COUNT(ways); i++) {
        gh_conn *c = acquire_now(s.loop, s.pool, "", NULL);
        uint32_t pid = gh_conn_pid(c);
        raw_send(c, "SELECT 'somebody''s row'");
        struct pollfd readable = { .fd = gh_conn_stream(c)->fd, .events = POLLIN };
        ck_assert_int_eq(poll(&readable, 1, 5000), 1);
        gh_pool_release(s.pool, c, ways[i]);
        ck_assert_uint_eq(stats_of(&s).lost, i + 1);
        c = acquire_now(s.loop, s.pool, "", NULL);
        ck_assert_uint_ne(gh_conn_pid(c), pid);
        gh_pool_release(s.pool, c, GH_RELEASE_CLOSE);
    }
    tear_down(&s);
}
END_TEST

/* An answer that comes only after the release is caught by the reset's own bookkeeping. */
START_TEST(late_answer_is_not_reused)
{
    setting s = set_up(2, 2, "");

    gh_conn *c = acquire_now(s.loop, s.pool, "", NULL);
    uint32_t pid = gh_conn_pid(c);
    raw_send(c, "SELECT pg_sleep(0.3)");
    gh_pool_release(s.pool, c, GH_RELEASE_RESET); /* still silent: the caller broke its word */
    run_loop_for(s.loop, 800);
    ck_assert_uint_eq(stats_of(&s).idle, 0);
    c = acquire_now(s.loop, s.pool, "", NULL);
    ck_assert_uint_ne(gh_conn_pid(c), pid);
    gh_pool_release(s.pool, c, GH_RELEASE_CLOSE);
    tear_down(&s);
}
END_TEST

START_TEST(open_transaction_is_not_reused)
{
    setting s = set_up(2, 2, "");
    char value[256];
    char sqlstate[6];

    gh_conn *c = acquire_now(s.loop, s.pool, "", NULL);
    raw_query(c, "BEGIN", value, sqlstate);
    gh_pool_release(s.pool, c, GH_RELEASE_RESET);
    run_loop_for(s.loop, 300);
    ck_assert_uint_eq(stats_of(&s).idle, 0);
    ck_assert_uint_eq(stats_of(&s).failures, 1);
    tear_down(&s);
}
END_TEST

START_TEST(running_statement_is_cancelled)
{
    setting s = set_up(1, 1, "");
    char value[256];

    gh_conn *c = acquire_now(s.loop, s.pool, "", NULL);
    raw_sleep(c);
    gh_pool_release(s.pool, c, GH_RELEASE_CANCEL);
    c = acquire_now(s.loop, s.pool, "", NULL); /* size 1: once the first is closed */
    ck_assert_ptr_nonnull(c);
    for (int i = 0; i < 50; i++) {
        admin_query("warehouse",
                    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO % pg_sleep(60%'",
                    value);
        if (strcmp(value, "0") == 0)
            break;
        run_loop_for(s.loop, 50);
    }
    ck_assert_str_eq(value, "0");
    gh_pool_release(s.pool, c, GH_RELEASE_CLOSE);
    tear_down(&s);
}
END_TEST

static void must_not_be_called(void *arg, gh_conn *conn, const gh_err *err)
{
    (void)arg;
    (void)conn;
    (void)err;
    ck_abort_msg("called after it was abandoned");
}

/* In the queue, and while session_sql runs; the connection is for others then, without the
 * settings. */
START_TEST(abandoned_waits_are_silent)
{
    setting s = set_up(1, 1, "");

    gh_pool_abandon(s.pool, gh_pool_acquire(s.pool, GH_STR(""), must_not_be_called, NULL));
    gh_conn *c = acquire_now(s.loop, s.pool, "", NULL);
    gh_pool_release(s.pool, c, GH_RELEASE_RESET);
    run_loop_for(s.loop, 200);
    gh_ticket *t = gh_pool_acquire(s.pool, GH_STR("SET DateStyle = 'German'; SELECT pg_sleep(0.2)"),
                                   must_not_be_called, NULL);
    run_loop_for(s.loop, 50);
    gh_pool_abandon(s.pool, t);
    c = acquire_now(s.loop, s.pool, "", NULL);
    ck_assert_ptr_nonnull(c);
    assert_value(c, "SHOW DateStyle", "ISO, MDY");
    ck_assert_uint_eq(stats_of(&s).connects, 1);
    gh_pool_release(s.pool, c, GH_RELEASE_CLOSE);
    tear_down(&s);
}
END_TEST

/* With everything under way: connecting, waiting, setting up, idle, cancelling. */
START_TEST(free_while_busy)
{
    setting s = set_up(4, 4, "SELECT pg_sleep(0.05)");

    gh_conn *a = acquire_now(s.loop, s.pool, "", NULL);
    gh_conn *b = acquire_now(s.loop, s.pool, "", NULL);
    raw_sleep(b);
    gh_pool_release(s.pool, a, GH_RELEASE_RESET);
    gh_pool_release(s.pool, b, GH_RELEASE_CANCEL);
    for (int i = 0; i < 6; i++)
        gh_pool_acquire(s.pool, GH_STR("SELECT pg_sleep(5)"), must_not_be_called, NULL);
    run_loop_for(s.loop, 60);
    tear_down(&s);
}
END_TEST

TCase *pool_tests(void)
{
    TCase *t = tcase_create("pool");

    tcase_add_test(t, reset_leaves_nothing);
    tcase_add_test(t, as_is_keeps_settings);
    tcase_add_test(t, refused_session_sql_is_told);
    tcase_add_test(t, broken_init_sql_is_no_clients_business);
    tcase_add_test(t, size_is_a_bound);
    tcase_add_test(t, pools_share_the_size);
    tcase_add_test(t, threads_take_turns);
    tcase_add_test(t, surplus_is_closed);
    tcase_add_test(t, dead_idle_connection_is_noticed);
    tcase_add_test(t, dead_connection_is_not_handed_over);
    tcase_add_test(t, unread_bytes_are_not_reused);
    tcase_add_test(t, late_answer_is_not_reused);
    tcase_add_test(t, open_transaction_is_not_reused);
    tcase_add_test(t, running_statement_is_cancelled);
    tcase_add_test(t, abandoned_waits_are_silent);
    tcase_add_test(t, free_while_busy);
    return t;
}
