/*
 * A worker's connections to one warehouse.
 *
 *     waiting: oldest first ──┐
 *                             ├─ pump ─▶ idle one: session_sql ─▶ handed over
 *     idle: newest first ─────┘      └─▶ none: connect, while room.c has a place
 *
 * Nothing is handed over inside a call of the pool's users: pump runs from the loop, by a timer of
 * no delay.
 *
 * Invariants: each attempt and each connection in `all` has a place of room.c's; a connection is in
 * exactly one state; only idle ones are on the idle list and have a watch; only those in INIT and
 * SETUP have a query.
 */
#include <stdlib.h>

#include "upstream_priv.h"

#define ACQUIRE_TIMEOUT_MS 30000
#define RESET_TIMEOUT_MS   10000

struct gh_ticket {
    gh_ticket *prev;
    gh_ticket *next;
    gh_conn *conn; /* being set up for this wait; NULL: in the queue */
    char *session_sql;
    int64_t deadline_us;
    gh_conn_fn fn;
    void *arg;
};

typedef struct attempt {
    struct attempt *prev;
    struct attempt *next;
    gh_pool *pool;
    gh_connect *connect;
} attempt;

struct gh_pool {
    gh_loop *loop;
    gh_upstream *upstream;
    gh_pool_options options;
    gh_timer *pump;
    gh_timer *deadline;
    gh_ticket *first; /* the queue */
    gh_ticket *last;
    attempt *attempts;
    gh_conn *all;
    gh_conn **idle; /* a stack of at most options.size */
    gh_seat *seat;
    gh_pool_stats stats; /* `connecting` counts attempts and INIT */
};

/* ---- waiters -------------------------------------------------------------------------------- */

static void ticket_free(gh_ticket *t)
{
    free(t->session_sql);
    free(t);
}

static void ticket_dequeue(gh_pool *p, gh_ticket *t)
{
    if (t->prev != NULL)
        t->prev->next = t->next;
    else
        p->first = t->next;
    if (t->next != NULL)
        t->next->prev = t->prev;
    else
        p->last = t->prev;
    t->prev = NULL;
    t->next = NULL;
    p->stats.waiting--;
}

/* Ends a wait: the callee may call any function of the pool. */
static void ticket_answer(gh_ticket *t, gh_conn *c, const gh_err *err)
{
    gh_conn_fn fn = t->fn;
    void *arg = t->arg;

    ticket_free(t);
    fn(arg, c, err);
}

static void fail_oldest(gh_pool *p, const gh_err *err)
{
    gh_ticket *t = p->first;

    if (t == NULL)
        return;
    ticket_dequeue(p, t);
    ticket_answer(t, NULL, err);
}

static void schedule_pump(gh_pool *p)
{
    gh_timer_start(p->pump, 0);
}

/* All wait equally long, so the head of the queue is the next to time out. */
static void schedule_deadline(gh_pool *p)
{
    if (p->first == NULL) {
        gh_timer_stop(p->deadline);
        return;
    }
    int64_t left_us = p->first->deadline_us - gh_clock_us();
    gh_timer_start(p->deadline, left_us <= 0 ? 0 : (uint32_t)(left_us / 1000 + 1));
}

static void on_deadline(void *arg)
{
    gh_pool *p = arg;
    int64_t now_us = gh_clock_us();

    while (p->first != NULL && p->first->deadline_us <= now_us) {
        gh_err err = { 0 };
        gh_rc rc = gh_fail(&err, GH_LIMIT, "53300", "no connection to the warehouse became free");
        (void)rc;
        gh_err_detail(&err, "warehouse " GH_STR_FMT ": this worker uses %u of %u connections",
                      GH_STR_ARG(gh_upstream_name(p->upstream)), (unsigned)p->stats.used,
                      (unsigned)p->options.size);
        fail_oldest(p, &err);
    }
    schedule_pump(p); /* which may want less of the other pools now */
}

/* ---- connections ---------------------------------------------------------------------------- */

static void conn_enter(gh_pool *p, gh_conn *c)
{
    c->pool = p;
    c->prev = NULL;
    c->next = p->all;
    if (p->all != NULL)
        p->all->prev = c;
    p->all = c;
}

/* Closes a connection in any state but IDLE (idle_remove comes first). */
static void conn_drop(gh_conn *c)
{
    gh_pool *p = c->pool;

    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        p->all = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    gh_watch_free(c->watch);
    c->watch = NULL;
    gh_query_free(c->query);
    c->query = NULL;
    gh_cancel_free(c->cancel);
    c->cancel = NULL;
    gh_conn_close(c);
    gh_seat_give(p->seat);
    schedule_pump(p);
}

static void idle_remove(gh_conn *c)
{
    gh_pool *p = c->pool;
    uint32_t i = 0;

    while (p->idle[i] != c)
        i++;
    p->stats.idle--;
    memmove(&p->idle[i], &p->idle[i + 1], (p->stats.idle - i) * sizeof(gh_conn *));
    gh_watch_free(c->watch);
    c->watch = NULL;
}

/* An idle connection has nothing to say: it died (57P01), or it is confused. */
static void on_idle_readable(void *arg, unsigned ready)
{
    gh_conn *c = arg;

    (void)ready;
    if (gh_stream_is_quiet(&c->stream))
        return; /* TLS's own business, such as a session ticket */
    gh_log(GH_INFO, "upstream.idle_lost", "warehouse=" GH_STR_FMT " pid=%u",
           GH_STR_ARG(gh_upstream_name(c->pool->upstream)), (unsigned)c->pid);
    c->pool->stats.lost++;
    idle_remove(c);
    conn_drop(c);
}

/* What it started with, the hash mask's key among it, is no longer what a new one starts with. */
static bool is_outdated(const gh_conn *c)
{
    return c->generation != gh_upstream_generation(c->pool->upstream);
}

/* When the first in the queue gives up: what came first is first, in whatever pool. */
static int64_t turn_of(const gh_pool *p)
{
    return p->first != NULL ? p->first->deadline_us : INT64_MAX;
}

/* At rest, checked and reset: for a waiter, for later, for another pool's waiter, or too many. */
static void conn_rest(gh_conn *c)
{
    gh_pool *p = c->pool;

    if (is_outdated(c) || (p->stats.idle >= p->options.idle && p->first == NULL) ||
        gh_seat_is_called(p->seat, turn_of(p))) {
        conn_drop(c);
        return;
    }
    c->state = GH_CONN_IDLE;
    c->watch = gh_watch_new(p->loop, c->stream.fd, on_idle_readable, c);
    gh_watch_set(c->watch, GH_READABLE);
    p->idle[p->stats.idle] = c;
    p->stats.idle++;
    if (p->first != NULL)
        schedule_pump(p);
}

static void on_initialised(void *arg, gh_rc rc, const gh_err *err)
{
    gh_conn *c = arg;
    gh_pool *p = c->pool;

    p->stats.connecting--;
    if (rc == GH_OK) {
        conn_rest(c);
        return;
    }
    p->stats.failures++;
    gh_log(GH_WARN, "upstream.init_failed", "warehouse=" GH_STR_FMT " sqlstate=%s detail=\"%s\"",
           GH_STR_ARG(gh_upstream_name(p->upstream)), err->sqlstate, err->detail);
    conn_drop(c);
    /* init_sql is ours: what is wrong with it is no client's business. */
    gh_err told = { 0 };
    rc = gh_upstream_unavailable(GH_IO, &told, "%s", err->detail);
    (void)rc;
    fail_oldest(p, &told);
}

static uint32_t reset_timeout_ms(const gh_pool *p)
{
    return p->options.reset_timeout_ms > 0 ? p->options.reset_timeout_ms : RESET_TIMEOUT_MS;
}

/* DISCARD ALL has to be a Query of its own: it refuses to run in a transaction, which several
 * share. */
static void conn_initialise(gh_conn *c, bool needs_discard)
{
    gh_pool *p = c->pool;
    gh_str init = gh_upstream_init_sql(p->upstream);
    gh_str sqls[2];
    size_t count = 0;

    c->state = GH_CONN_INIT;
    p->stats.connecting++;
    if (needs_discard)
        sqls[count++] = GH_STR("DISCARD ALL");
    if (init.len > 0)
        sqls[count++] = init;
    if (count == 0) {
        gh_err err = { 0 };
        on_initialised(c, GH_OK, &err);
        return;
    }
    c->query = gh_query_start(p->loop, c, sqls, count, reset_timeout_ms(p), on_initialised, c);
}

static void on_connected(void *arg, gh_conn *c, const gh_err *err)
{
    attempt *a = arg;
    gh_pool *p = a->pool;

    if (a->prev != NULL)
        a->prev->next = a->next;
    else
        p->attempts = a->next;
    if (a->next != NULL)
        a->next->prev = a->prev;
    free(a);
    p->stats.connecting--;
    if (c == NULL) {
        gh_seat_give(p->seat);
        p->stats.failures++;
        gh_log(GH_WARN, "upstream.connect_failed",
               "warehouse=" GH_STR_FMT " sqlstate=%s detail=\"%s\"",
               GH_STR_ARG(gh_upstream_name(p->upstream)), err->sqlstate, err->detail);
        schedule_pump(p);
        fail_oldest(p, err);
        return;
    }
    p->stats.connects++;
    conn_enter(p, c);
    conn_initialise(c, false);
}

static void connect_one(gh_pool *p)
{
    attempt *a = gh_alloc(sizeof(*a));

    a->pool = p;
    a->next = p->attempts;
    if (a->next != NULL)
        a->next->prev = a;
    p->attempts = a;
    p->stats.connecting++;
    a->connect = gh_upstream_connect(p->upstream, p->loop, on_connected, a);
}

/* ---- handing over --------------------------------------------------------------------------- */

static void hand_over(gh_conn *c, gh_ticket *t)
{
    gh_err none = { 0 };

    c->state = GH_CONN_USED;
    c->was_used = true;
    c->ticket = NULL;
    c->pool->stats.used++;
    ticket_answer(t, c, &none);
}

static void on_set_up(void *arg, gh_rc rc, const gh_err *err)
{
    gh_conn *c = arg;
    gh_pool *p = c->pool;
    gh_ticket *t = c->ticket;

    c->ticket = NULL;
    if (rc == GH_OK && t != NULL) {
        hand_over(c, t);
        return;
    }
    if (rc == GH_OK || rc == GH_INVALID) {
        conn_initialise(c, true); /* part of it may have been set */
    } else {
        p->stats.failures++;
        conn_drop(c);
    }
    if (t != NULL)
        ticket_answer(t, NULL, err);
}

static void serve(gh_pool *p, gh_conn *c, gh_ticket *t)
{
    gh_str sql = gh_str_of(t->session_sql);

    ticket_dequeue(p, t);
    if (sql.len == 0) {
        hand_over(c, t);
        return;
    }
    c->state = GH_CONN_SETUP;
    c->ticket = t;
    t->conn = c;
    c->query = gh_query_start(p->loop, c, &sql, 1, reset_timeout_ms(p), on_set_up, c);
}

static void on_pump(void *arg)
{
    gh_pool *p = arg;

    while (p->first != NULL && p->stats.idle > 0) {
        gh_conn *c = p->idle[p->stats.idle - 1];
        idle_remove(c);
        if (!gh_stream_is_quiet(&c->stream)) { /* died since the loop last looked */
            p->stats.lost++;
            conn_drop(c);
            continue;
        }
        if (is_outdated(c)) {
            conn_drop(c);
            continue;
        }
        if (c->was_used)
            p->stats.reuses++;
        serve(p, c, p->first);
    }
    while (p->stats.waiting > p->stats.connecting &&
           gh_seat_take(p->seat, p->stats.waiting - p->stats.connecting, turn_of(p)))
        connect_one(p);
    if (p->stats.waiting <= p->stats.connecting)
        gh_seat_want_nothing(p->seat);
    /* A waiter changed its mind, or another pool has one. */
    while (p->first == NULL && p->stats.idle > 0 &&
           (p->stats.idle > p->options.idle || gh_seat_is_called(p->seat, INT64_MAX))) {
        gh_conn *c = p->idle[0];
        idle_remove(c);
        conn_drop(c);
    }
    schedule_deadline(p);
}

/* ---- the pool's users ----------------------------------------------------------------------- */

gh_ticket *gh_pool_acquire(gh_pool *p, gh_str session_sql, gh_conn_fn fn, void *arg)
{
    gh_ticket *t = gh_alloc(sizeof(*t));
    uint32_t timeout_ms =
        p->options.acquire_timeout_ms > 0 ? p->options.acquire_timeout_ms : ACQUIRE_TIMEOUT_MS;

    t->session_sql = gh_strdup(session_sql);
    t->deadline_us = gh_clock_us() + (int64_t)timeout_ms * 1000;
    t->fn = fn;
    t->arg = arg;
    t->prev = p->last;
    if (p->last != NULL)
        p->last->next = t;
    else
        p->first = t;
    p->last = t;
    p->stats.waiting++;
    schedule_pump(p);
    return t;
}

void gh_pool_abandon(gh_pool *p, gh_ticket *ticket)
{
    if (ticket->conn != NULL)
        ticket->conn->ticket = NULL; /* on_set_up then resets the connection */
    else
        ticket_dequeue(p, ticket);
    ticket_free(ticket);
    schedule_pump(p); /* which may want less of the other pools now */
}

static void on_cancelled(void *arg, gh_rc rc)
{
    (void)rc; /* the log says so; closing is all that is left either way */
    conn_drop(arg);
}

void gh_pool_release(gh_pool *p, gh_conn *c, gh_release how)
{
    GH_ASSERT(c->pool == p);
    GH_ASSERT(c->state == GH_CONN_USED);
    p->stats.used--;
    switch (how) {
    case GH_RELEASE_CLOSE:
        conn_drop(c);
        return;
    case GH_RELEASE_CANCEL:
        c->state = GH_CONN_CANCELLING;
        c->cancel = gh_conn_cancel(p->loop, c, on_cancelled, c);
        return;
    case GH_RELEASE_RESET:
        if (gh_stream_is_quiet(&c->stream)) {
            conn_initialise(c, true);
            return;
        }
        break;
    case GH_RELEASE_AS_IS:
        if (gh_stream_is_quiet(&c->stream)) {
            conn_rest(c);
            return;
        }
        break;
    }
    /*
     * SECURITY: bytes that nobody read would be the next client's first answer.
     * Attack: tests/unit/upstream/test_pool.c, unread_bytes_are_not_reused.
     */
    p->stats.lost++;
    conn_drop(c);
}

static void on_called(void *arg)
{
    schedule_pump(arg);
}

gh_pool *gh_pool_new(gh_loop *loop, gh_upstream *u, const gh_pool_options *options)
{
    gh_pool *p = gh_alloc(sizeof(*p));

    p->loop = loop;
    p->upstream = gh_upstream_acquire(u);
    p->options = *options;
    p->seat = gh_seat_new(gh_upstream_room(u), options->size, loop, on_called, p);
    p->idle = gh_realloc_array(NULL, (size_t)options->size + 1, sizeof(gh_conn *));
    p->pump = gh_timer_new(loop, on_pump, p);
    p->deadline = gh_timer_new(loop, on_deadline, p);
    return p;
}

void gh_pool_free(gh_pool *p)
{
    if (p == NULL)
        return;
    GH_ASSERT(p->stats.used == 0);
    while (p->first != NULL) {
        gh_ticket *t = p->first;
        ticket_dequeue(p, t);
        ticket_free(t);
    }
    while (p->attempts != NULL) {
        attempt *a = p->attempts;
        p->attempts = a->next;
        gh_connect_abandon(a->connect);
        gh_seat_give(p->seat);
        free(a);
    }
    while (p->all != NULL) {
        gh_conn *c = p->all;
        if (c->ticket != NULL)
            ticket_free(c->ticket);
        conn_drop(c);
    }
    gh_timer_free(p->pump);
    gh_timer_free(p->deadline);
    gh_seat_free(p->seat);
    gh_upstream_release(p->upstream);
    free(p->idle);
    free(p);
}

void gh_pool_stats_get(const gh_pool *p, gh_pool_stats *out)
{
    *out = p->stats;
}
