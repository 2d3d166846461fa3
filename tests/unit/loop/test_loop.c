#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gatehouse/loop.h>

#include "loop_tests.h"

gh_loop *loop_for_test(void)
{
    gh_loop *l = NULL;
    gh_err err = { 0 };

    ck_assert_int_eq(gh_loop_new(&l, &err), GH_OK);
    return l;
}

static void on_late(void *arg)
{
    (void)arg;
    ck_abort_msg("nothing happened in time");
}

void loop_run_for_test(gh_loop *l)
{
    gh_err err = { 0 };
    gh_timer *t = gh_timer_new(l, on_late, NULL);

    gh_timer_start(t, 5000);
    ck_assert_int_eq(gh_loop_run(l, &err), GH_OK);
    gh_timer_free(t);
}

/* ---- posts ---------------------------------------------------------------------------------- */

#define POSTERS 4
#define POSTS   5000

typedef struct post {
    int poster;
    int number;
} post;

static gh_loop *s_loop; /* of the one test of this process */
static int s_next[POSTERS];
static int s_total;

static void take_post(void *arg)
{
    post *p = arg;

    ck_assert_int_eq(p->number, s_next[p->poster]);
    s_next[p->poster]++;
    free(p);
    s_total++;
    if (s_total == POSTERS * POSTS)
        gh_loop_stop(s_loop);
}

static void *post_many(void *arg)
{
    for (int i = 0; i < POSTS; i++) {
        post *p = malloc(sizeof(*p));
        *p = (post){ *(int *)arg, i };
        gh_loop_post(s_loop, take_post, p);
    }
    return NULL;
}

START_TEST(posts_come_in_order)
{
    pthread_t threads[POSTERS];
    int ids[POSTERS];

    s_loop = loop_for_test();
    for (int i = 0; i < POSTERS; i++) {
        ids[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, post_many, &ids[i]), 0);
    }
    loop_run_for_test(s_loop);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(s_total, POSTERS * POSTS);
    gh_loop_free(s_loop);
}
END_TEST

static void post_again(void *arg)
{
    int *left = arg;

    (*left)--;
    if (*left > 0)
        gh_loop_post(s_loop, post_again, arg);
}

/* What was posted may own memory, and may post in its turn. */
START_TEST(free_runs_what_was_posted)
{
    int left = 3;

    s_loop = loop_for_test();
    gh_loop_post(s_loop, post_again, &left);
    ck_assert_int_eq(left, 3); /* not inside the call */
    gh_loop_free(s_loop);
    ck_assert_int_eq(left, 0);
}
END_TEST

START_TEST(stop_before_run_holds)
{
    gh_loop *l = loop_for_test();

    gh_loop_stop(l);
    loop_run_for_test(l);
    gh_loop_stop(l);
    loop_run_for_test(l); /* and a second time */
    gh_loop_free(l);
}
END_TEST

/* ---- watches -------------------------------------------------------------------------------- */

typedef struct probe {
    gh_loop *loop;
    gh_watch *watch;
    int fd;
    int readable;
    int writable;
    int stop_after;
    unsigned wake_again;  /* wakes itself with this */
    struct probe *victim; /* freed by the first call */
} probe;

static void on_probe(void *arg, unsigned ready)
{
    probe *p = arg;

    ck_assert_uint_ne(ready, 0);
    if ((ready & GH_READABLE) != 0)
        p->readable++;
    if ((ready & GH_WRITABLE) != 0)
        p->writable++;
    if (p->victim != NULL) {
        gh_watch_free(p->victim->watch);
        p->victim->watch = NULL;
        p->victim = NULL;
    }
    if (p->wake_again != 0)
        gh_watch_wake(p->watch, p->wake_again);
    if (p->readable + p->writable >= p->stop_after)
        gh_loop_stop(p->loop);
}

START_TEST(interest_decides)
{
    gh_loop *l = loop_for_test();
    int fds[2];
    char byte = 'x';

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    probe p = { .loop = l, .stop_after = 1 };
    p.watch = gh_watch_new(l, fds[0], on_probe, &p);
    ck_assert_uint_eq(gh_watch_interest(p.watch), 0);
    gh_watch_set(p.watch, GH_READABLE | GH_WRITABLE);
    loop_run_for_test(l);
    ck_assert_int_eq(p.readable, 0); /* writable, and nothing to read */
    ck_assert_int_eq(p.writable, 1);
    gh_watch_set(p.watch, GH_READABLE);
    ck_assert_uint_eq(gh_watch_interest(p.watch), GH_READABLE);
    ck_assert_int_eq(write(fds[1], &byte, 1), 1);
    p.stop_after = 4;
    loop_run_for_test(l);
    ck_assert_int_eq(p.readable, 3); /* level-triggered: nobody read it */
    ck_assert_int_eq(p.writable, 1);
    close(fds[1]); /* a hang-up shows as readable */
    p.stop_after = 5;
    loop_run_for_test(l);
    ck_assert_int_eq(p.readable, 4);
    gh_watch_free(p.watch);
    close(fds[0]);
    gh_loop_free(l);
}
END_TEST

/* Two ready watches, of which whichever runs first frees the other. */
START_TEST(callbacks_may_free_others)
{
    gh_loop *l = loop_for_test();
    int fds[2];
    probe a = { .loop = l, .stop_after = 3 };
    probe b = { .loop = l, .stop_after = 3 };

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    a.watch = gh_watch_new(l, fds[0], on_probe, &a);
    b.watch = gh_watch_new(l, fds[1], on_probe, &b);
    a.victim = &b;
    b.victim = &a;
    gh_watch_set(a.watch, GH_WRITABLE);
    gh_watch_set(b.watch, GH_WRITABLE);
    loop_run_for_test(l);
    ck_assert((a.watch == NULL) != (b.watch == NULL));
    ck_assert_int_eq(a.writable == 0 || b.writable == 0, 1);
    gh_watch_free(a.watch);
    gh_watch_free(b.watch);
    close(fds[0]);
    close(fds[1]);
    gh_loop_free(l);
}
END_TEST

/* One that wakes itself for ever does not keep a descriptor, nor a timer, from being served. */
START_TEST(waking_is_fair)
{
    gh_loop *l = loop_for_test();
    int fds[2];
    char byte = 'x';
    probe greedy = { .loop = l, .stop_after = 1000000, .wake_again = GH_READABLE };
    probe other = { .loop = l, .stop_after = 10 };

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    greedy.watch = gh_watch_new(l, -1, on_probe, &greedy);
    other.watch = gh_watch_new(l, fds[0], on_probe, &other);
    gh_watch_set(other.watch, GH_READABLE);
    ck_assert_int_eq(write(fds[1], &byte, 1), 1);
    gh_watch_wake(greedy.watch, GH_READABLE);
    ck_assert_int_eq(greedy.readable, 0); /* not inside the call */
    loop_run_for_test(l);
    ck_assert_int_eq(other.readable, 10);
    ck_assert_int_ge(greedy.readable, 5);
    ck_assert_int_le(greedy.readable, 20);
    gh_watch_free(greedy.watch); /* woken, and never called again */
    gh_watch_free(other.watch);
    close(fds[0]);
    close(fds[1]);
    gh_loop_free(l);
}
END_TEST

START_TEST(woken_watch_may_be_freed_by_another)
{
    gh_loop *l = loop_for_test();
    probe a = { .loop = l, .stop_after = 1 };
    probe b = { .loop = l, .stop_after = 1 };

    a.watch = gh_watch_new(l, -1, on_probe, &a);
    b.watch = gh_watch_new(l, -1, on_probe, &b);
    a.victim = &b;
    b.victim = &a;
    gh_watch_wake(a.watch, GH_READABLE);
    gh_watch_wake(b.watch, GH_WRITABLE);
    gh_watch_wake(b.watch, GH_READABLE); /* both at once */
    loop_run_for_test(l);
    ck_assert((a.watch == NULL) != (b.watch == NULL));
    if (a.watch == NULL) {
        ck_assert_int_eq(b.readable, 1);
        ck_assert_int_eq(b.writable, 1);
    }
    gh_watch_free(a.watch);
    gh_watch_free(b.watch);
    gh_loop_free(l);
}
END_TEST

/* ---- timers, turns, signals ----------------------------------------------------------------- */

typedef struct clockwork {
    gh_loop *loop;
    gh_timer *timer;
    int count;
    int stop_after;
} clockwork;

static void on_tick(void *arg)
{
    clockwork *c = arg;

    c->count++;
    if (c->count == c->stop_after)
        gh_loop_stop(c->loop);
}

START_TEST(timers_fire_when_due)
{
    gh_loop *l = loop_for_test();
    clockwork once = { .loop = l, .stop_after = 1000 };
    clockwork often = { .loop = l, .stop_after = 5 };
    clockwork never = { .loop = l, .stop_after = 1 };

    once.timer = gh_timer_new(l, on_tick, &once);
    often.timer = gh_timer_new(l, on_tick, &often);
    never.timer = gh_timer_new(l, on_tick, &never);
    int64_t start_us = gh_clock_us();
    gh_timer_start(once.timer, 5);
    gh_timer_start_periodic(often.timer, 20);
    gh_timer_start(never.timer, 10);
    gh_timer_stop(never.timer);
    loop_run_for_test(l);
    int64_t took_us = gh_clock_us() - start_us;
    ck_assert_int_ge(took_us, 90000);
    ck_assert_int_le(took_us, 2000000);
    ck_assert_int_eq(once.count, 1);
    ck_assert_int_eq(never.count, 0);
    gh_timer_stop(often.timer);
    once.stop_after = 2;
    gh_timer_start(once.timer, 3600000);
    gh_timer_start(once.timer, 1); /* anew */
    loop_run_for_test(l);
    ck_assert_int_eq(often.count, 5);
    gh_timer_free(once.timer);
    gh_timer_free(often.timer);
    gh_timer_free(never.timer);
    gh_loop_free(l);
}
END_TEST

static void count_turn(void *arg)
{
    (*(int *)arg)++;
}

START_TEST(turns_end_once)
{
    gh_loop *l = loop_for_test();
    clockwork c = { .loop = l, .stop_after = 3 };
    int turns = 0;

    gh_loop_on_turn(l, count_turn, &turns);
    c.timer = gh_timer_new(l, on_tick, &c);
    gh_timer_start_periodic(c.timer, 2);
    loop_run_for_test(l);
    ck_assert_int_ge(turns, 3);
    ck_assert_int_le(turns, 8);
    gh_timer_free(c.timer);
    gh_loop_free(l);
}
END_TEST

static void on_usr1(void *arg, int signum)
{
    clockwork *c = arg;

    ck_assert_int_eq(signum, SIGUSR1);
    on_tick(c);
}

START_TEST(signals_are_callbacks)
{
    gh_loop *l = loop_for_test();
    clockwork c = { .loop = l, .stop_after = 1 };
    gh_signal *s = gh_signal_new(l, SIGUSR1, on_usr1, &c);
    struct sigaction pipe_action;

    ck_assert_int_eq(raise(SIGUSR1), 0);
    ck_assert_int_eq(c.count, 0);
    loop_run_for_test(l);
    ck_assert_int_eq(c.count, 1);
    gh_signal_free(s);
    ck_assert_int_eq(sigaction(SIGPIPE, NULL, &pipe_action), 0);
    ck_assert(pipe_action.sa_handler == SIG_IGN);
    gh_loop_free(l);
}
END_TEST

TCase *loop_tests(void)
{
    TCase *t = tcase_create("loop");

    tcase_add_test(t, posts_come_in_order);
    tcase_add_test(t, free_runs_what_was_posted);
    tcase_add_test(t, stop_before_run_holds);
    tcase_add_test(t, interest_decides);
    tcase_add_test(t, callbacks_may_free_others);
    tcase_add_test(t, waking_is_fair);
    tcase_add_test(t, woken_watch_may_be_freed_by_another);
    tcase_add_test(t, timers_fire_when_due);
    tcase_add_test(t, turns_end_once);
    tcase_add_test(t, signals_are_callbacks);
    return t;
}
