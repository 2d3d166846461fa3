/*
 * relay.c: bytes from the upstream. Only message headers are looked at, and the few messages that
 * answer.c knows; rows go by.
 *
 *     read buffer │ T...D...D...D...C...Z... │
 *                  └─────── run ───────────┘  ──▶ written to the client from where it lies
 *
 * What is to go out unchanged and lies together is one run; what is dropped or replaced cuts it. So
 * the usual answer costs one read and one write, whatever the number of its messages. A client that
 * does not take it all leaves the rest in `out`, and its upstream is not read until that is gone: a
 * session holds at most one buffer's worth of a result.
 */
#include "session_priv.h"

#define READS_A_TURN 4

gh_buf *gh_session_out(gh_session *s)
{
    gh_env_lend(s->env, &s->out);
    if (s->run.len > 0)
        gh_buf_put_str(&s->out, s->run);
    s->run = (gh_str){ NULL, 0 };
    return &s->out;
}

static void emit(gh_session *s, const char *bytes, size_t len)
{
    if (s->run.len > 0 && s->run.ptr + s->run.len == bytes) {
        s->run.len += len;
        return;
    }
    if (s->run.len > 0)
        (void)gh_session_out(s);
    s->run = (gh_str){ bytes, len };
}

/* The rest of a message whose beginning lies in up_in. `emit` is not for that: it moves. */
static void emit_copy(gh_session *s, gh_str bytes)
{
    gh_buf_put_str(gh_session_out(s), bytes);
}

static bool broken(gh_session *s, const char *what)
{
    if (s->state != GH_SESSION_READY)
        return false;
    gh_log(GH_ERROR, "upstream.protocol", "peer=%s what=%s", s->peer, what);
    s->is_upstream_lost = true;
    gh_session_fatal_text(s, "08P01",
                          "the warehouse broke the protocol: the connection to it was given up");
    return false;
}

static bool is_streamed(const gh_session *s, uint8_t type)
{
    if (type == GH_WIRE_B_DATA_ROW)
        return !gh_session_answer_is_looked_at(s);
    return type == GH_WIRE_B_COPY_DATA;
}

/* A whole message. */
static bool answer(gh_session *s, uint8_t type, char *message, size_t len, bool is_in_buffer)
{
    gh_answer how = gh_session_answer(s, type, message, len);

    if (s->state != GH_SESSION_READY)
        return false;
    if (how == GH_ANSWER_BROKEN)
        return broken(s, "unexpected message");
    if (how == GH_ANSWER_RELAY) {
        if (is_in_buffer)
            emit(s, message, len);
        else
            emit_copy(s, (gh_str){ message, len });
    }
    return true;
}

/*
 * A row whose last column is Gatehouse's check: NULL, so the row's last four bytes, which stay behind. Its
 * length and count, of which `head` holds the seven bytes, say one column less.
 */
static bool trim_row(gh_session *s, char *head, size_t len)
{
    uint32_t length = (uint32_t)len - 1 - 4;
    uint16_t count = (uint16_t)(((unsigned char)head[5] << 8) | (unsigned char)head[6]);

    if (len < 7 + 4 || count == 0)
        return broken(s, "row without its check");
    count--;
    for (int i = 0; i < 4; i++)
        head[1 + i] = (char)(length >> (24 - 8 * i));
    head[5] = (char)(count >> 8);
    head[6] = (char)count;
    s->answer_trim = 4;
    return true;
}

/* `head`: the message's first bytes, seven where it is a row that is trimmed; no row is shorter. */
static bool begin_stream(gh_session *s, uint8_t type, char *head, size_t len)
{
    gh_answer how = gh_session_answer_begin(s, type, len);

    if (how == GH_ANSWER_BROKEN)
        return broken(s, "unexpected data");
    s->answer_trim = 0;
    /* Before anything of the row counts as sent: behind a part of one the client could not be told why. */
    if (how == GH_ANSWER_RELAY && gh_session_answer_trim(s, type) != 0 && !trim_row(s, head, len))
        return false;
    s->answer_left = (uint32_t)len;
    s->is_relaying = how == GH_ANSWER_RELAY;
    return true;
}

/* How much of a streamed message's beginning must lie together. */
static size_t head_len(const gh_session *s, uint8_t type)
{
    return is_streamed(s, type) && gh_session_answer_trim(s, type) != 0 ? 7 : 5;
}

/* Goes on with a message of which up_in holds the beginning. Returns the bytes used; *ok false: the
 * session ended. */
static size_t collect(gh_session *s, const char *bytes, size_t len, bool *ok)
{
    gh_wire_frame f;
    size_t used = 0;
    gh_rc rc;

    if (s->up_in.len < 5) {
        used = 5 - s->up_in.len < len ? 5 - s->up_in.len : len;
        gh_buf_put(&s->up_in, bytes, used);
    }
    rc = gh_wire_frame_backend(gh_buf_str(&s->up_in), &f, NULL);
    if (rc == GH_AGAIN)
        return used;
    if (rc != GH_OK) {
        *ok = broken(s, "bad frame");
        return used;
    }
    if (s->up_in.len < head_len(s, f.type)) {
        size_t more = head_len(s, f.type) - s->up_in.len;

        more = more < len - used ? more : len - used;
        gh_buf_put(&s->up_in, bytes + used, more);
        used += more;
        if (s->up_in.len < head_len(s, f.type))
            return used;
    }
    if (is_streamed(s, f.type)) {
        *ok = begin_stream(s, f.type, s->up_in.ptr, gh_wire_frame_len(&f));
        if (*ok && s->is_relaying)
            emit_copy(s, gh_buf_str(&s->up_in));
        s->answer_left -= (uint32_t)(*ok ? s->up_in.len : 0);
        gh_buf_clear(&s->up_in);
        gh_env_return(s->env, &s->up_in);
        return used;
    }
    if (gh_wire_frame_len(&f) > GH_ANSWER_BYTES_MAX) {
        *ok = broken(s, "message too large");
        return used;
    }
    if (f.missing > 0) {
        size_t more = f.missing < len - used ? f.missing : len - used;

        gh_buf_put(&s->up_in, bytes + used, more);
        used += more;
        if (more < f.missing)
            return used;
    }
    *ok = answer(s, f.type, s->up_in.ptr, s->up_in.len, false);
    gh_buf_clear(&s->up_in);
    gh_env_return(s->env, &s->up_in);
    return used;
}

static size_t pass(gh_session *s, const char *bytes, size_t len)
{
    size_t n = len < s->answer_left ? len : s->answer_left;
    size_t shown = s->answer_left > s->answer_trim ? s->answer_left - s->answer_trim : 0;

    if (s->is_relaying && shown > 0)
        emit(s, bytes, n < shown ? n : shown);
    s->answer_left -= (uint32_t)n;
    return n;
}

/* False: the session ended. */
static bool take(gh_session *s, char *bytes, size_t len)
{
    size_t used = 0;
    bool ok = true;

    while (used < len && ok) {
        gh_wire_frame f;
        gh_rc rc;

        if (s->answer_left > 0) {
            used += pass(s, bytes + used, len - used);
            continue;
        }
        if (s->up_in.len > 0) {
            used += collect(s, bytes + used, len - used, &ok);
            continue;
        }
        rc = gh_wire_frame_backend((gh_str){ bytes + used, len - used }, &f, NULL);
        if (rc != GH_OK && rc != GH_AGAIN)
            return broken(s, "bad frame");
        if (rc == GH_OK && is_streamed(s, f.type) && len - used >= head_len(s, f.type)) {
            ok = begin_stream(s, f.type, bytes + used, gh_wire_frame_len(&f));
            continue;
        }
        if (rc == GH_AGAIN || f.missing > 0) {
            gh_env_lend(s->env, &s->up_in);
            gh_buf_put(&s->up_in, bytes + used, rc == GH_AGAIN || len - used < 5 ? len - used : 5);
            used += s->up_in.len;
            continue;
        }
        ok = answer(s, f.type, bytes + used, gh_wire_frame_len(&f), true);
        used += gh_wire_frame_len(&f);
    }
    return ok && s->state == GH_SESSION_READY;
}

/* One read. False: nothing more now. */
static bool read_once(gh_session *s)
{
    gh_stream *stream = gh_conn_stream(s->conn);
    size_t got = 0;
    gh_rc rc = gh_stream_read(stream, s->env->read_bytes, GH_RELAY_BUFFER_BYTES, &got, NULL);

    if (rc == GH_AGAIN)
        return false;
    if (rc != GH_OK) {
        gh_session_lost_upstream(s);
        return false;
    }
    if (!take(s, s->env->read_bytes, got)) {
        /* What still points into the read buffer goes out, or is kept, before that is used again. */
        if (s->state != GH_SESSION_CLOSED)
            (void)gh_session_flush_client(s);
        return false;
    }
    if (!gh_session_flush_client(s))
        return false;
    if (s->has_revoked)
        gh_session_end_revoked(s);
    if (s->queue.count == 0) {
        gh_expect_trim(&s->queue);
        if (s->is_terminating || s->env->is_draining)
            gh_session_settle(s);
        if (s->wants_renewal)
            gh_session_renew(s);
        if (s->state != GH_SESSION_READY || s->conn == NULL)
            return false;
    }
    /* What paused the client may be over. What TLS holds back gives no readiness of its own. */
    if (s->in.len > 0 || gh_stream_pending(&s->client))
        gh_session_resume(s);
    return s->state == GH_SESSION_READY &&
           (got == GH_RELAY_BUFFER_BYTES || gh_stream_pending(stream));
}

void gh_session_read_upstream(gh_session *s)
{
    for (int i = 0; i < READS_A_TURN; i++) {
        if ((s->out.len > 0 && !gh_session_is_muted(s)) || !read_once(s))
            return;
    }
    gh_watch_wake(s->conn_watch, GH_READABLE);
}
