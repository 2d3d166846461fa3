/*
 * session.c: a session's life.
 *
 *     HELLO ─▶ TLS_SHAKE ─▶ GREETING ─▶ AUTH_FIRST ─▶ AUTH_NEXT ⇄ AUTH_WAIT ─▶ RECORDING ─▶ CONNECTING
 *       └──────── plain ───────▲  │ └ SSLRequest: TLS_SHAKE              ▲        └─▶ READY ─▶ CLOSED
 *                                 └──────── by certificate ──────────────┘
 *     any state ─ gh_session_fatal ─▶ CLOSING ─▶ CLOSED
 *
 * on_client is the one switch over the state for what a client's socket says; on_upstream is
 * READY's alone.
 */
#include "session_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void gh_session_say(gh_err *err, const char *sqlstate, const char *fmt, ...)
{
    va_list args;

    *err = (gh_err){ 0 };
    memcpy(err->sqlstate, sqlstate, sizeof(err->sqlstate) - 1);
    va_start(args, fmt);
    (void)vsnprintf(err->public_msg, sizeof(err->public_msg), fmt, args);
    va_end(args);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Writes as much of `bytes` as goes; how much went. False: the stream is gone. */
static bool write_some(gh_stream *stream, gh_str bytes, size_t *put)
{
    *put = 0;
    while (*put < bytes.len) {
        size_t n = 0;
        gh_rc rc = gh_stream_write(stream, bytes.ptr + *put, bytes.len - *put, &n, NULL);

        if (rc == GH_AGAIN)
            return true;
        if (rc != GH_OK)
            return false;
        *put += n;
    }
    return true;
}

bool gh_session_flush_client(gh_session *s)
{
    size_t put = 0;

    if (s->state == GH_SESSION_CLOSED)
        return false;
    if (s->out.len == 0 && s->run.len > 0) {
        /* The common case: what was read goes out from where it was read to. */
        if (!write_some(&s->client, s->run, &put)) {
            gh_session_close(s);
            return false;
        }
        s->run.ptr += put;
        s->run.len -= put;
        if (s->run.len > 0) {
            gh_env_lend(s->env, &s->out);
            gh_buf_put_str(&s->out, s->run);
        }
        s->run = (gh_str){ NULL, 0 };
        return true;
    }
    if (s->run.len > 0) {
        gh_buf_put_str(&s->out, s->run);
        s->run = (gh_str){ NULL, 0 };
    }
    if (s->out.len == 0)
        return true;
    if (!write_some(&s->client, gh_buf_str(&s->out), &put)) {
        gh_session_close(s);
        return false;
    }
    gh_buf_consume(&s->out, put);
    gh_env_return(s->env, &s->out);
    if (s->state == GH_SESSION_CLOSING && s->out.len == 0) {
        gh_session_close(s);
        return false;
    }
    return true;
}

bool gh_session_flush_upstream(gh_session *s)
{
    bool was_full = s->up_out.len >= GH_UPSTREAM_OUT_MAX;
    size_t put = 0;

    if (s->state == GH_SESSION_CLOSED)
        return false;
    if (s->conn == NULL || s->up_out.len == 0 || s->wants_commit || s->is_held || s->cancel != NULL)
        return true;
    if (!write_some(gh_conn_stream(s->conn), gh_buf_str(&s->up_out), &put)) {
        gh_session_lost_upstream(s);
        return s->state != GH_SESSION_CLOSED;
    }
    gh_buf_consume(&s->up_out, put);
    s->up_taken += put;
    /* Messages that are here already bring no readiness of their own: see on_upstream. */
    if (was_full && s->up_out.len < GH_UPSTREAM_OUT_MAX)
        gh_watch_wake(s->conn_watch, GH_WRITABLE);
    gh_env_return(s->env, &s->up_out);
    return true;
}

/* ---- readiness ------------------------------------------------------------------------------- */

void gh_session_mark(gh_session *s)
{
    if (s->is_dirty)
        return;
    s->is_dirty = true;
    s->next_dirty = s->env->dirty;
    s->env->dirty = s;
}

void gh_session_watch(gh_session *s)
{
    unsigned client = 0;
    unsigned upstream = 0;

    if (s->state == GH_SESSION_CLOSED)
        return;
    if (gh_session_may_read(s))
        client |= GH_READABLE;
    if (s->out.len > 0)
        client |= GH_WRITABLE;
    if (s->state == GH_SESSION_TLS_SHAKE)
        client = s->client.wants;
    gh_watch_set(s->client_watch, client);
    if (s->conn_watch == NULL)
        return;
    /* Back-pressure: while the client has not taken what there is, its upstream is not read. */
    if (s->out.len == 0 || gh_session_is_muted(s))
        upstream |= GH_READABLE;
    if (s->up_out.len > 0 && !s->wants_commit && !s->is_held && s->cancel == NULL)
        upstream |= GH_WRITABLE;
    gh_watch_set(s->conn_watch, upstream);
}

static void on_client(void *arg, unsigned ready)
{
    gh_session *s = arg;

    if ((ready & GH_WRITABLE) != 0 && s->state != GH_SESSION_TLS_SHAKE) {
        if (!gh_session_flush_client(s))
            return;
        if (s->out.len == 0 && s->conn != NULL && gh_stream_pending(gh_conn_stream(s->conn)))
            gh_watch_wake(s->conn_watch, GH_READABLE);
    }
    switch (s->state) {
    case GH_SESSION_HELLO:
        gh_session_hello(s);
        break;
    case GH_SESSION_TLS_SHAKE:
        gh_session_shake(s);
        break;
    case GH_SESSION_GREETING:
    case GH_SESSION_AUTH_FIRST:
    case GH_SESSION_AUTH_NEXT:
    case GH_SESSION_READY:
        if ((ready & GH_READABLE) != 0)
            gh_session_read_client(s);
        break;
    case GH_SESSION_AUTH_WAIT:
    case GH_SESSION_RECORDING:
    case GH_SESSION_CONNECTING:
        /* A client that gives up waiting shows as readable without bytes. */
        if ((ready & GH_READABLE) != 0)
            gh_session_read_client(s);
        break;
    case GH_SESSION_CLOSING:
    case GH_SESSION_CLOSED:
        break;
    }
    gh_session_watch(s);
}

static void on_timer(void *arg)
{
    gh_session *s = arg;

    switch (s->state) {
    case GH_SESSION_CLOSED:
        break;
    case GH_SESSION_CLOSING:
        gh_session_close(s);
        break;
    case GH_SESSION_HELLO:
    case GH_SESSION_TLS_SHAKE:
        gh_log(GH_INFO, "login.timeout", "peer=%s", s->peer);
        gh_session_close(s);
        break;
    case GH_SESSION_GREETING:
    case GH_SESSION_AUTH_FIRST:
    case GH_SESSION_AUTH_NEXT:
    case GH_SESSION_RECORDING:
        gh_log(GH_INFO, "login.timeout", "peer=%s", s->peer);
        gh_session_fatal_text(s, "57014", "canceling authentication due to timeout");
        break;
    case GH_SESSION_AUTH_WAIT:
        gh_session_end_wait(s);
        gh_session_mark(s);
        break;
    case GH_SESSION_CONNECTING:
        gh_session_fatal_text(s, "57P03", "the warehouse is not available");
        break;
    case GH_SESSION_READY:
        /* Only the wait for a catalog is timed here: go on with the one there is. */
        if (s->wait_read != 0) {
            s->wait_read = 0;
            gh_session_resume(s);
            gh_session_mark(s);
        }
        break;
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

void gh_session_start(gh_session_env *env, int fd, const gh_address *peer)
{
    gh_session *s = gh_alloc(sizeof(*s));

    s->env = env;
    s->state = env->tls != NULL ? GH_SESSION_HELLO : GH_SESSION_GREETING;
    s->started_us = gh_clock_us();
    memcpy(s->peer, peer->text, sizeof(s->peer));
    s->peer[sizeof(s->peer) - 1] = '\0';
    s->id = gh_auditlog_next_id(env->writer);
    gh_audit_who_init(&s->who);
    gh_temporary_init(&s->temporary);
    gh_buf_init(&s->in, 0);
    gh_buf_init(&s->out, 0);
    gh_buf_init(&s->up_in, GH_ANSWER_BYTES_MAX + 64);
    gh_buf_init(&s->up_out, 0);
    gh_buf_init(&s->kept.bytes, 0);
    gh_buf_init(&s->kept.parameters, 0);
    gh_stream_init(&s->client, fd);
    s->client_watch = gh_watch_new(env->o.loop, fd, on_client, s);
    s->timer = gh_timer_new(env->o.loop, on_timer, s);
    gh_timer_start(s->timer, env->o.login_timeout_ms);
    gh_login_new(s, peer);
    s->tls = env->tls != NULL ? gh_tls_server_acquire(env->tls) : NULL;
    s->next = env->sessions;
    if (s->next != NULL)
        s->next->prev = s;
    env->sessions = s;
    env->session_count++;
    gh_session_watch(s);
}

bool gh_session_is_idle(const gh_session *s)
{
    return s->queue.count == 0 && s->tx_status == GH_WIRE_TX_IDLE && s->answer_left == 0 &&
           s->up_in.len == 0 && s->up_out.len == 0 && s->client_left == 0 && !s->is_copying_in &&
           !gh_judgement_is_awaited(s);
}

/*
 * In which state the upstream's connection goes back. Only what is surely clean is used again.
 *
 * SECURITY: after an error in the extended protocol the upstream answers nothing before a Sync. A
 * client that leaves without one would hand over a connection that is deaf to its cleaning, and
 * the next login that takes it would fail. Attack: tests/attack/states.py, test_lengths_that_lie.
 */
static gh_release release_mode(const gh_session *s)
{
    if (s->is_upstream_lost)
        return GH_RELEASE_CLOSE;
    if (s->leaves_setting && s->queue.count == 0) /* the next would find it, and without a value */
        return GH_RELEASE_CLOSE;
    if (gh_session_is_idle(s) && !s->is_skipping && s->cancel == NULL)
        return GH_RELEASE_RESET;
    return s->queue.count > 0 ? GH_RELEASE_CANCEL : GH_RELEASE_CLOSE;
}

static void release_upstream(gh_session *s)
{
    gh_release how = release_mode(s);

    if (s->ticket_conn != NULL)
        gh_pool_abandon(s->warehouse->pool, s->ticket_conn);
    s->ticket_conn = NULL;
    gh_watch_free(s->conn_watch);
    s->conn_watch = NULL;
    gh_cancel_free(s->cancel);
    s->cancel = NULL;
    if (s->conn != NULL)
        gh_pool_release(s->warehouse->pool, s->conn, how);
    s->conn = NULL;
}

/* What was under way when one side vanished has an outcome too. */
static void end_statements(gh_session *s, const char *sqlstate)
{
    for (uint32_t i = 0; i < s->queue.count; i++) {
        gh_expect *e = gh_expect_at(&s->queue, i);

        if (e->has_intent && e->sqlstate[0] == '\0')
            memcpy(e->sqlstate, sqlstate, sizeof(e->sqlstate));
        gh_session_record_outcome(s, e);
    }
}

/* What a session has from its login on; safe to call twice. */
static void drop_identity(gh_session *s)
{
    gh_cancel_remove(s->env->o.cancels, s->key);
    s->key = NULL;
    gh_judgement_drop(s);
    gh_login_free(s);
    gh_expect_fini(&s->queue);
    gh_session_forget_uses(s);
    gh_names_clear(&s->statements);
    gh_names_clear(&s->portals);
    gh_lookups_fini(&s->lookups);
    gh_settings_fini(&s->settings);
    gh_temporary_fini(&s->temporary);
    gh_path_release(s->told_path);
    s->told_path = NULL;
    gh_path_release(s->path);
    s->path = NULL;
    gh_view_release(s->view);
    s->view = NULL;
    gh_catalog_release(s->catalog);
    s->catalog = NULL;
}

static void unlink_session(gh_session *s)
{
    gh_session_env *env = s->env;

    if (s->prev != NULL)
        s->prev->next = s->next;
    else
        env->sessions = s->next;
    if (s->next != NULL)
        s->next->prev = s->prev;
    env->session_count--;
    if (s->is_counted)
        atomic_fetch_sub_explicit(env->o.clients, 1, memory_order_relaxed);
    s->prev = NULL;
    s->next = env->dead;
    env->dead = s;
}

void gh_session_close(gh_session *s)
{
    gh_session_env *env = s->env;

    if (s->state == GH_SESSION_CLOSED)
        return;
    if (s->state == GH_SESSION_READY)
        end_statements(s, s->is_upstream_lost ? "08006" : "08003");
    gh_session_record_logout(s);
    s->state = GH_SESSION_CLOSED;
    release_upstream(s);
    gh_watch_free(s->client_watch);
    s->client_watch = NULL;
    gh_timer_free(s->timer);
    s->timer = NULL;
    gh_stream_fini(&s->client);
    gh_tls_server_release(s->tls);
    s->tls = NULL;
    drop_identity(s);
    s->run = (gh_str){ NULL, 0 };
    unlink_session(s);
    /* The structure itself goes at the end of the turn: callers up the stack may still look at its
     * state. */
    if (env->is_draining && env->session_count == 0 && env->drained != NULL) {
        void (*drained)(void *arg) = env->drained;

        env->drained = NULL;
        drained(env->drained_arg);
    }
}

void gh_session_free_dead(gh_session_env *env)
{
    while (env->dead != NULL) {
        gh_session *s = env->dead;

        env->dead = s->next;
        gh_buf_fini(&s->in);
        gh_buf_fini(&s->out);
        gh_buf_fini(&s->up_in);
        gh_buf_fini(&s->up_out);
        gh_buf_fini(&s->kept.bytes);
        gh_buf_fini(&s->kept.parameters);
        gh_audit_who_fini(&s->who);
        gh_env_free_str(&s->user);
        gh_env_free_str(&s->database);
        gh_env_free_str(&s->startup_sql);
        gh_env_free_str(&s->raw_sql);
        free(s);
    }
}

void gh_session_fatal(gh_session *s, const gh_err *err)
{
    if (s->state == GH_SESSION_CLOSED || s->state == GH_SESSION_CLOSING)
        return;
    if (s->state == GH_SESSION_READY)
        end_statements(s, err->sqlstate);
    gh_session_record_logout(s);
    if (s->state == GH_SESSION_TLS_SHAKE) {
        gh_session_close(s);
        return;
    }
    /* In the middle of a row there is no place for a message: the end of the stream has to do. */
    if (s->answer_left == 0 || !s->is_relaying)
        gh_wire_put_error(gh_session_out(s), GH_WIRE_FATAL, err);
    s->state = GH_SESSION_CLOSING;
    release_upstream(s);
    drop_identity(s);
    gh_buf_clear(&s->in);
    gh_timer_start(s->timer, GH_CLOSE_TIMEOUT_MS);
    if (gh_session_flush_client(s))
        gh_session_watch(s);
}

void gh_session_fatal_text(gh_session *s, const char *sqlstate, const char *text)
{
    gh_err err = { 0 };

    gh_session_say(&err, sqlstate, "%s", text);
    gh_session_fatal(s, &err);
}

void gh_session_lost_upstream(gh_session *s)
{
    bool was_told = s->is_upstream_lost;

    s->is_upstream_lost = true;
    if (was_told) {
        /* Its own FATAL went to the client already. */
        if (s->state == GH_SESSION_READY)
            end_statements(s, "08006");
        gh_session_record_logout(s);
        s->state = GH_SESSION_CLOSING;
        release_upstream(s);
        drop_identity(s);
        gh_timer_start(s->timer, GH_CLOSE_TIMEOUT_MS);
        if (s->out.len == 0 && s->run.len == 0)
            gh_session_close(s);
        else if (gh_session_flush_client(s))
            gh_session_watch(s);
        return;
    }
    gh_log(GH_WARN, "upstream.lost", "peer=%s warehouse=" GH_STR_FMT, s->peer,
           GH_STR_ARG(s->warehouse->name));
    gh_session_fatal_text(s, "08006", "the connection to the warehouse was lost");
}

void gh_session_settle(gh_session *s)
{
    if (s->state != GH_SESSION_READY) {
        if (s->env->is_draining && s->state != GH_SESSION_CLOSING)
            gh_session_fatal_text(s, "57P01",
                                  "terminating connection due to administrator command");
        return;
    }
    if (s->is_terminating && s->queue.count == 0) {
        gh_session_close(s);
        return;
    }
    if (s->env->is_draining && gh_session_is_idle(s))
        gh_session_fatal_text(s, "57P01", "terminating connection due to administrator command");
}

void gh_session_committed(gh_session *s, gh_rc rc, const gh_err *err)
{
    if (s->state == GH_SESSION_RECORDING) {
        if (rc != GH_OK)
            gh_session_fatal(s, err);
        else
            gh_session_connect(s);
        return;
    }
    if (s->state != GH_SESSION_READY)
        return;
    if (rc != GH_OK)
        gh_session_poison_turn(s, err);
    for (uint32_t i = 0; i < s->queue.count; i++)
        gh_expect_at(&s->queue, i)->is_uncommitted = false;
}
