/*
 * client.c: bytes from the client, cut into messages and handed to who understands them.
 *
 *     socket ─▶ read buffer (the worker's) ─▶ message by message ─▶ Query, Parse, ... ─▶ upstream
 *                       └ half a message, or reading paused: kept in `in` until more comes or it goes on
 *
 * Three kinds of messages are never held as a whole: CopyData, a Bind that is larger than a buffer,
 * and one that is refused for its size. Their bytes pass as they come (client_left).
 *
 * Reading pauses while: the upstream has not taken what there is; too many answers are outstanding;
 * a barrier stands (what a statement does to the session must be known before the next is judged);
 * a cancel is being delivered; a record is being synced; a catalog is being read; another thread
 * judges the message at hand.
 */
#include "session_priv.h"

#define READS_A_TURN 4

static bool stands_barrier(gh_session *s)
{
    if (s->has_barrier && s->queue.popped > s->barrier)
        s->has_barrier = false;
    return s->has_barrier;
}

/* May messages of the client be taken, as far as the session itself goes? */
static bool may_take(gh_session *s)
{
    switch (s->state) {
    case GH_SESSION_GREETING:
    case GH_SESSION_AUTH_FIRST:
    case GH_SESSION_AUTH_NEXT:
        return true;
    case GH_SESSION_READY:
        return !s->is_terminating && !s->is_held && s->wait_read == 0 && s->cancel == NULL &&
               s->conn != NULL && !gh_judgement_is_awaited(s) &&
               s->up_out.len < GH_UPSTREAM_OUT_MAX && !stands_barrier(s) &&
               s->queue.count < GH_PIPELINE_MAX;
    case GH_SESSION_CLOSED:
    case GH_SESSION_HELLO:
    case GH_SESSION_TLS_SHAKE:
    case GH_SESSION_AUTH_WAIT:
    case GH_SESSION_RECORDING:
    case GH_SESSION_CONNECTING:
    case GH_SESSION_CLOSING:
        return false;
    }
    return false;
}

bool gh_session_may_read(const gh_session *s)
{
    /* The state of the barrier is not changed by asking. */
    bool has_wall = s->has_barrier && s->queue.popped <= s->barrier;

    switch (s->state) {
    case GH_SESSION_HELLO:
    case GH_SESSION_GREETING:
    case GH_SESSION_AUTH_FIRST:
    case GH_SESSION_AUTH_NEXT:
        return true;
    case GH_SESSION_AUTH_WAIT:
    case GH_SESSION_RECORDING:
    case GH_SESSION_CONNECTING:
        /* To notice that the client is gone; what it sends ahead waits, within a bound. */
        return s->in.len < GH_RELAY_BUFFER_BYTES;
    case GH_SESSION_READY:
        return !s->is_terminating && !s->is_held && s->wait_read == 0 && s->cancel == NULL &&
               s->conn != NULL && !gh_judgement_is_awaited(s) &&
               s->up_out.len < GH_UPSTREAM_OUT_MAX && !has_wall && s->queue.count < GH_PIPELINE_MAX;
    case GH_SESSION_CLOSED:
    case GH_SESSION_TLS_SHAKE:
    case GH_SESSION_CLOSING:
        return false;
    }
    return false;
}

/* ---- messages that pass in pieces ------------------------------------------------------------ */

static size_t take_piece(gh_session *s, gh_str bytes)
{
    size_t n = bytes.len < s->client_left ? bytes.len : (size_t)s->client_left;

    if (!s->is_dropping) {
        gh_env_lend(s->env, &s->up_out);
        gh_buf_put(&s->up_out, bytes.ptr, n);
        gh_session_mark(s);
    }
    s->client_left -= n;
    return n;
}

/* Drops a message's body as it comes; its header is used up. */
static size_t drop_body(gh_session *s, const gh_wire_frame *f)
{
    s->client_left = f->body_len;
    s->is_dropping = true;
    return f->header_len;
}

static size_t pass_copy_data(gh_session *s, const gh_wire_frame *f, gh_str bytes)
{
    gh_env_lend(s->env, &s->up_out);
    gh_buf_put(&s->up_out, bytes.ptr, f->header_len);
    gh_session_mark(s);
    s->client_left = f->body_len;
    s->is_dropping = false;
    return f->header_len;
}

/* ---- one message ----------------------------------------------------------------------------- */

static gh_wire_state wire_state(const gh_session *s)
{
    if (s->is_copying_in)
        return GH_WIRE_STATE_COPY_IN;
    return s->is_skipping ? GH_WIRE_STATE_SKIP : GH_WIRE_STATE_READY;
}

static void end_copy_in(gh_session *s, gh_str message)
{
    s->is_copying_in = false;
    gh_env_lend(s->env, &s->up_out);
    gh_buf_put_str(&s->up_out, message);
    gh_session_mark(s);
}

/* False: the message must stay and be taken again later. */
static bool handle(gh_session *s, const gh_wire_frame *f, gh_str message)
{
    if (f->type != GH_WIRE_F_BIND && f->type != GH_WIRE_F_DESCRIBE)
        gh_session_settle_parse(s, NULL, 0);
    switch ((gh_wire_frontend)f->type) {
    case GH_WIRE_F_QUERY:
        return gh_session_query(s, f->body);
    case GH_WIRE_F_PARSE:
        return gh_session_parse(s, f->body);
    case GH_WIRE_F_BIND:
        return gh_session_bind(s, f->body);
    case GH_WIRE_F_DESCRIBE:
        return gh_session_describe(s, f->body);
    case GH_WIRE_F_EXECUTE:
        return gh_session_execute(s, f->body);
    case GH_WIRE_F_CLOSE:
        gh_session_close_name(s, f->body);
        return true;
    case GH_WIRE_F_FLUSH:
        gh_session_flush_message(s, f->body);
        return true;
    case GH_WIRE_F_SYNC:
        gh_session_sync(s, f->body);
        return true;
    case GH_WIRE_F_COPY_DONE:
    case GH_WIRE_F_COPY_FAIL:
        end_copy_in(s, message);
        return true;
    case GH_WIRE_F_FUNCTION_CALL:
        gh_session_function_call(s, message);
        return true;
    case GH_WIRE_F_COPY_DATA: /* passed in pieces */
    case GH_WIRE_F_PASSWORD:
    case GH_WIRE_F_TERMINATE:
        break;
    }
    return true;
}

/* The bytes are no protocol any more. In COPY that is an error of the statement first, as PostgreSQL says it. */
static void break_off(gh_session *s, const gh_err *err)
{
    if (wire_state(s) != GH_WIRE_STATE_COPY_IN) {
        gh_session_fatal(s, err);
        return;
    }
    gh_wire_put_error(gh_session_out(s), GH_WIRE_ERROR, err);
    gh_session_fatal_text(s, "08P01",
                          "terminating connection because protocol synchronization was lost");
}

/* What may not be buffered, or is not acted on. Returns the bytes used, or 0 where the whole
 * message is wanted. */
static size_t take_unbuffered(gh_session *s, const gh_wire_frame *f, gh_wire_action action,
                              gh_str bytes)
{
    gh_err err;

    gh_err_init(&err);
    switch (action) {
    case GH_WIRE_END:
        s->is_terminating = true;
        gh_session_settle(s);
        return bytes.len;
    case GH_WIRE_ILLEGAL:
        if (gh_wire_illegal(wire_state(s), f->type, &err) != GH_OK)
            break_off(s, &err);
        return bytes.len;
    case GH_WIRE_IGNORE:
        return drop_body(s, f);
    case GH_WIRE_REFUSE:
        if (s->is_bypass)
            break;
        gh_session_refuse_function_call(s);
        return drop_body(s, f);
    case GH_WIRE_HANDLE:
        break;
    }
    if (f->type == GH_WIRE_F_COPY_DATA)
        return pass_copy_data(s, f, bytes);
    if (f->missing == 0)
        return 0;
    if (f->type == GH_WIRE_F_BIND && f->body_len >= GH_RELAY_BUFFER_BYTES)
        return gh_session_bind_large(s, f);
    if (f->body_len > s->env->o.statement_bytes + 2 * GH_RELAY_BUFFER_BYTES) {
        gh_session_too_large(s, f->type);
        return drop_body(s, f);
    }
    return 0;
}

static size_t take_message(gh_session *s, gh_str bytes)
{
    gh_wire_frame f;
    gh_err err;
    gh_rc rc;
    size_t used;
    size_t len;

    gh_err_init(&err);
    if (s->client_left > 0)
        return take_piece(s, bytes);
    rc = gh_wire_frame_frontend(GH_WIRE_PHASE_SESSION, bytes, &f, &err);
    if (rc == GH_AGAIN)
        return 0;
    if (rc != GH_OK) {
        break_off(s, &err);
        return bytes.len;
    }
    used = take_unbuffered(s, &f, gh_wire_judge(wire_state(s), f.type), bytes);
    if (used > 0)
        gh_session_stop_keeping(s);
    if (used > 0 || f.missing > 0)
        return used;
    len = gh_wire_frame_len(&f);
    if (!handle(s, &f, (gh_str){ bytes.ptr, len }))
        return 0;
    gh_session_keep_message(s, f.type, (gh_str){ bytes.ptr, len });
    s->has_waited = false;
    return len;
}

/* Takes whole messages from the front of `bytes` while it may; how much was used. */
static size_t take(gh_session *s, gh_str bytes)
{
    size_t used = 0;

    while (used < bytes.len && may_take(s)) {
        gh_str rest = { bytes.ptr + used, bytes.len - used };
        size_t n = 0;

        if (s->state == GH_SESSION_GREETING)
            n = gh_session_take_startup(s, rest);
        else if (s->state == GH_SESSION_READY)
            n = take_message(s, rest);
        else
            n = gh_session_take_auth(s, rest);
        if (n == 0)
            break;
        used += n;
    }
    return used;
}

/* ---- reading --------------------------------------------------------------------------------- */

static void take_kept(gh_session *s)
{
    size_t used = take(s, gh_buf_str(&s->in));

    if (s->state == GH_SESSION_CLOSED)
        return;
    gh_buf_consume(&s->in, used <= s->in.len ? used : s->in.len);
    gh_env_return(s->env, &s->in);
}

/* One read; false when there is nothing more to read now. */
static bool read_once(gh_session *s)
{
    bool is_direct = s->in.len == 0;
    char *to = s->env->read_bytes;
    size_t got = 0;
    gh_rc rc;

    if (!is_direct) {
        gh_env_lend(s->env, &s->in);
        to = gh_buf_reserve(&s->in, GH_RELAY_BUFFER_BYTES);
        GH_ASSERT(to != NULL);
    }
    rc = gh_stream_read(&s->client, to, GH_RELAY_BUFFER_BYTES, &got, NULL);
    if (rc == GH_AGAIN)
        return false;
    if (rc != GH_OK) {
        gh_session_close(s);
        return false;
    }
    if (!is_direct) {
        s->in.len += got;
        take_kept(s);
    } else {
        size_t used = take(s, (gh_str){ to, got });

        if (s->state == GH_SESSION_CLOSED)
            return false;
        if (used < got && s->state != GH_SESSION_CLOSING) {
            gh_env_lend(s->env, &s->in);
            gh_buf_put(&s->in, to + used, got - used);
        }
    }
    return s->state != GH_SESSION_CLOSED &&
           (got == GH_RELAY_BUFFER_BYTES || gh_stream_pending(&s->client));
}

void gh_session_read_client(gh_session *s)
{
    for (int i = 0; i < READS_A_TURN; i++) {
        if (!gh_session_may_read(s) || !read_once(s))
            return;
    }
    /* Others have their turn first. */
    gh_watch_wake(s->client_watch, GH_READABLE);
}

void gh_session_resume(gh_session *s)
{
    if (s->state == GH_SESSION_CLOSED)
        return;
    if (s->in.len > 0)
        take_kept(s);
    if (s->state == GH_SESSION_CLOSED)
        return;
    if (gh_session_may_read(s) && gh_stream_pending(&s->client))
        gh_watch_wake(s->client_watch, GH_READABLE);
    gh_session_mark(s);
}
