/*
 * The connector: a thread per warehouse on which libpq connects. What libpq does while connecting
 * blocks or takes milliseconds: resolving names, reading certificates and .pgpass, thousands of
 * rounds of HMAC for SCRAM. On a worker's loop every session of that worker would wait for it; a
 * warehouse whose name server is dead would stop those of all others.
 *
 *     worker: gh_upstream_connect ──post──▶ connector: PQconnectPoll ... ──post──▶ worker: fn(conn)
 *
 * An attempt is the connector's between the two posts; `is_abandoned` is the worker's always.
 */
#include <stdlib.h>

#include "open_priv.h"
#include "upstream_priv.h"

struct gh_connect {
    gh_upstream *upstream; /* outlives the attempt's time on the connector */
    gh_loop *loop;
    gh_conn_fn fn;
    void *arg;
    bool is_abandoned; /* the requester's thread only */
    /* the connector's */
    gh_connect *next;
    gh_connect **prev;
    PGconn *pg;
    gh_key_trace key;
    unsigned generation;
    gh_watch *watch;
    gh_timer *timer;
    /* the result */
    gh_conn *conn;
    gh_err err;
};

/* ---- the requester's end -------------------------------------------------------------------- */

static void on_result(void *arg)
{
    gh_connect *a = arg;

    if (a->is_abandoned)
        gh_conn_close(a->conn);
    else
        a->fn(a->arg, a->conn, &a->err);
    free(a);
}

/* ---- on the connector's thread -------------------------------------------------------------- */

/*
 * The socket goes to another thread, under another number, and stays open. Were it still in this loop's
 * epoll set, the loop would wake for every answer to a session, forever; so it runs with immediate
 * changes. Test: tests/unit/upstream, connector_lets_go.
 */
static void attempt_end(gh_connect *a)
{
    gh_rc rc = GH_OK;

    gh_watch_free(a->watch);
    gh_timer_free(a->timer);
    a->watch = NULL;
    a->timer = NULL;
    *a->prev = a->next;
    if (a->next != NULL)
        a->next->prev = a->prev;
    if (a->pg != NULL)
        rc = gh_conn_new(a->pg, &a->key, a->upstream->keys, &a->upstream->trust, &a->conn, &a->err);
    if (rc == GH_OK && a->conn != NULL)
        a->conn->generation = a->generation;
    gh_cleanse(&a->key, sizeof(a->key));
    a->pg = NULL; /* taken over, or finished */
    gh_loop_post(a->loop, on_result, a);
}

/* The error is in a->err. */
static void attempt_failed(gh_connect *a)
{
    gh_key_trace_end(&a->key, a->pg);
    PQfinish(a->pg);
    a->pg = NULL;
    attempt_end(a);
}

static void attempt_poll(gh_connect *a);

static void on_ready(void *arg, unsigned ready)
{
    (void)ready;
    attempt_poll(arg);
}

static void on_timeout(void *arg)
{
    gh_connect *a = arg;
    gh_rc rc = gh_upstream_unavailable(GH_IO, &a->err, "no connection to %s within %u ms",
                                       PQhost(a->pg), gh_upstream_connect_timeout_ms(a->upstream));

    (void)rc;
    attempt_failed(a);
}

/* libpq may close its socket and open another one in any poll: the watch goes before. */
static void attempt_poll(gh_connect *a)
{
    gh_watch_free(a->watch);
    a->watch = NULL;
    PostgresPollingStatusType status = PQconnectPoll(a->pg);
    if (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
        a->watch = gh_watch_new(a->upstream->loop, PQsocket(a->pg), on_ready, a);
        gh_watch_set(a->watch, status == PGRES_POLLING_READING ? GH_READABLE : GH_WRITABLE);
        return;
    }
    if (status != PGRES_POLLING_OK) {
        gh_rc rc = gh_upstream_refused(PQerrorMessage(a->pg), &a->err);
        (void)rc;
        attempt_failed(a);
        return;
    }
    gh_key_trace_end(&a->key, a->pg);
    attempt_end(a);
}

static void attempt_start(void *arg)
{
    gh_connect *a = arg;
    gh_upstream *u = a->upstream;

    a->next = u->active;
    a->prev = &u->active;
    if (a->next != NULL)
        a->next->prev = &a->next;
    u->active = a;
    a->pg = gh_upstream_start(u, &a->generation);
    if (PQstatus(a->pg) == CONNECTION_BAD) {
        gh_rc rc = gh_upstream_refused(PQerrorMessage(a->pg), &a->err);
        (void)rc;
        attempt_failed(a);
        return;
    }
    gh_key_trace_start(&a->key, a->pg);
    a->timer = gh_timer_new(u->loop, on_timeout, a);
    gh_timer_start(a->timer, gh_upstream_connect_timeout_ms(u));
    /* As libpq's documentation says: the first poll comes when the socket is writable. */
    a->watch = gh_watch_new(u->loop, PQsocket(a->pg), on_ready, a);
    gh_watch_set(a->watch, GH_WRITABLE);
}

static void on_shutdown(void *arg)
{
    gh_upstream *u = arg;

    while (u->active != NULL) {
        gh_rc rc = gh_upstream_unavailable(GH_CLOSED, &u->active->err, "shutting down");
        (void)rc;
        attempt_failed(u->active);
    }
    gh_loop_stop(u->loop);
}

static void *connector_main(void *arg)
{
    gh_upstream *u = arg;
    gh_err err = { 0 };

    gh_rc rc = gh_loop_run(u->loop, &err);
    GH_ASSERT(rc == GH_OK); /* epoll itself fails for nothing but a defect */
    return NULL;
}

static gh_rc connector_start(gh_upstream *u, gh_err *err)
{
    gh_rc rc = GH_OK;

    (void)pthread_mutex_lock(&u->lock);
    if (u->loop == NULL) {
        gh_loop *loop = NULL;
        rc = gh_loop_new_immediate(&loop, err);
        if (rc == GH_OK) {
            u->loop = loop;
            int failed = gh_thread_start(&u->thread, 0, connector_main, u);
            if (failed != 0) {
                u->loop = NULL;
                gh_loop_free(loop);
                rc = gh_upstream_unavailable(GH_IO, err, "a thread for connections: %s",
                                             strerror(failed));
            }
        }
    }
    (void)pthread_mutex_unlock(&u->lock);
    return rc;
}

/* ---- the warehouse -------------------------------------------------------------------------- */

gh_connect *gh_upstream_connect(gh_upstream *u, gh_loop *loop, gh_conn_fn fn, void *arg)
{
    gh_connect *a = gh_alloc(sizeof(*a));

    a->upstream = u;
    a->loop = loop;
    a->fn = fn;
    a->arg = arg;
    if (connector_start(u, &a->err) != GH_OK)
        gh_loop_post(loop, on_result, a);
    else
        gh_loop_post(u->loop, attempt_start, a);
    return a;
}

void gh_connect_abandon(gh_connect *attempt)
{
    attempt->is_abandoned = true;
}

gh_rc gh_upstream_new(const gh_upstream_options *options, gh_upstream **out, gh_err *err)
{
    gh_upstream *u = gh_alloc(sizeof(*u));

    atomic_init(&u->references, 1);
    (void)pthread_mutex_init(&u->lock, NULL);
    u->keys = gh_keys_new();
    u->room = gh_room_new();
    u->name = gh_strdup(options->name);
    u->init_sql = gh_strdup(options->init_sql);
    u->settings = options->settings.len > 0 ? gh_strdup(options->settings) : NULL;
    u->connect_timeout_ms = options->connect_timeout_ms;
    gh_rc rc = gh_upstream_parse(u, options, err);
    if (rc != GH_OK) {
        gh_upstream_release(u);
        return rc;
    }
    *out = u;
    return GH_OK;
}

gh_upstream *gh_upstream_acquire(gh_upstream *u)
{
    (void)atomic_fetch_add_explicit(&u->references, 1, memory_order_relaxed);
    return u;
}

void gh_upstream_release(gh_upstream *u)
{
    if (u == NULL)
        return;
    if (atomic_fetch_sub_explicit(&u->references, 1, memory_order_acq_rel) != 1)
        return;
    if (u->loop != NULL) {
        gh_loop_post(u->loop, on_shutdown, u);
        (void)pthread_join(u->thread, NULL);
        gh_loop_free(u->loop);
    }
    gh_keys_release(u->keys);
    gh_room_free(u->room);
    gh_upstream_forget(u);
    gh_tls_release_trust(u->trust);
    free(u->init_sql);
    free(u->name);
    (void)pthread_mutex_destroy(&u->lock);
    free(u);
}
