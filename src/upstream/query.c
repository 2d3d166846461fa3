/*
 * Runs simple Queries of our own over a connection that libpq has handed over.
 *
 *     SENDING ──all bytes out──▶ READING ──one 'Z' a Query, status I──▶ silent? ──▶ done
 *
 * Both directions are worked on each turn: a server may answer before it has read all. Anything
 * that a plain sequence of SET, SELECT and DISCARD does not bring is a broken connection, which is
 * closed, not repaired.
 */
#include <stdlib.h>

#include "upstream_priv.h"

#define HEADER_BYTES   5u
#define MESSAGE_MAX    65536u /* bytes of one answer to our own statements */
#define READ_BYTES     8192u
#define TURN_BYTES_MAX (1u << 20) /* far more than SET and DISCARD answer */
#define OUT_BYTES_MAX  (4u << 20)

struct gh_query {
    gh_conn *conn;
    gh_watch *watch;
    gh_timer *timer;
    gh_buf out;
    size_t sent;
    gh_buf in;
    size_t expected; /* ReadyForQuery still to come */
    bool has_error;  /* the server refused one: `err` */
    gh_err err;
    gh_query_fn fn;
    void *arg;
};

void gh_query_free(gh_query *q)
{
    if (q == NULL)
        return;
    gh_watch_free(q->watch);
    gh_timer_free(q->timer);
    gh_cleanse(q->out.ptr, q->out.len); /* init_sql holds a key */
    gh_buf_fini(&q->out);
    gh_buf_fini(&q->in);
    free(q);
}

static void finish(gh_query *q, gh_rc rc)
{
    gh_query_fn fn = q->fn;
    void *arg = q->arg;
    gh_err err = q->err;

    q->conn->query = NULL;
    gh_query_free(q);
    fn(arg, rc, &err);
}

static gh_rc broken(gh_query *q, const char *why)
{
    return gh_upstream_unavailable(GH_BADMSG, &q->err, "answer to our own statement: %s", why);
}

/* ---- answers -------------------------------------------------------------------------------- */

/* ErrorResponse: the first one's code and text. */
static gh_rc take_error(gh_query *q, gh_rd *r)
{
    gh_str code = { NULL, 0 };
    gh_str message = { NULL, 0 };

    for (;;) {
        uint8_t field = gh_rd_u8(r);
        if (field == 0)
            break;
        gh_str value = gh_rd_cstr(r);
        if (field == 'C')
            code = value;
        if (field == 'M')
            message = value;
    }
    if (!gh_rd_finish(r) || code.len != 5)
        return broken(q, "malformed ErrorResponse");
    if (!q->has_error) {
        char sqlstate[6];
        memcpy(sqlstate, code.ptr, 5);
        sqlstate[5] = '\0';
        gh_rc rc = gh_fail(&q->err, GH_INVALID, sqlstate,
                           "the warehouse did not accept the session's settings");
        (void)rc;
        gh_upstream_detail(&q->err, message);
        q->has_error = true;
    }
    return GH_OK;
}

static gh_rc take_message(gh_query *q, char type, gh_str body)
{
    gh_rd r = { body.ptr, body.ptr + body.len, false };

    switch (type) {
    case 'C': /* CommandComplete, EmptyQueryResponse, RowDescription, DataRow, notices: of no
                 interest */
    case 'I':
    case 'T':
    case 'D':
    case 'N':
    case 'A':
        return GH_OK;
    case 'E':
        return take_error(q, &r);
    case 'S': {
        gh_str name = gh_rd_cstr(&r);
        gh_str value = gh_rd_cstr(&r);
        if (!gh_rd_finish(&r) || !gh_conn_set_parameter(q->conn, name, value))
            return broken(q, "malformed ParameterStatus");
        return GH_OK;
    }
    case 'Z':
        if (body.len != 1 || body.ptr[0] != 'I' || q->expected == 0)
            return broken(q, "not idle");
        q->expected--;
        return GH_OK;
    default: /* a byte from the network */
        return broken(q, "unexpected message");
    }
}

/* Takes every whole message in the buffer. */
static gh_rc take_messages(gh_query *q)
{
    size_t pos = 0;
    gh_rc rc = GH_OK;

    while (rc == GH_OK && q->in.len - pos >= HEADER_BYTES) {
        gh_rd header = { q->in.ptr + pos, q->in.ptr + pos + HEADER_BYTES, false };
        char type = (char)gh_rd_u8(&header);
        uint32_t len = gh_rd_u32(&header); /* counts itself */
        if (len < 4 || len > MESSAGE_MAX)
            return broken(q, "message of impossible length");
        if (q->in.len - pos < 1 + (size_t)len)
            break;
        rc = take_message(q, type, (gh_str){ q->in.ptr + pos + HEADER_BYTES, len - 4 });
        pos += 1 + (size_t)len;
    }
    gh_buf_consume(&q->in, pos);
    return rc;
}

/* ---- moving bytes --------------------------------------------------------------------------- */

static gh_rc send_rest(gh_query *q, unsigned *interest)
{
    while (q->sent < q->out.len) {
        size_t put = 0;
        gh_rc rc = gh_stream_write(&q->conn->stream, q->out.ptr + q->sent, q->out.len - q->sent,
                                   &put, &q->err);
        if (rc == GH_AGAIN) {
            *interest |= q->conn->stream.wants;
            return GH_OK;
        }
        if (rc != GH_OK)
            return rc;
        q->sent += put;
    }
    return GH_OK;
}

/* GH_AGAIN: all that there is was read. */
static gh_rc receive(gh_query *q, unsigned *interest)
{
    size_t total = 0;

    while (total < TURN_BYTES_MAX) {
        size_t got = 0;
        char *room = gh_buf_reserve(&q->in, READ_BYTES);
        if (room == NULL)
            return broken(q, "answer beyond all bounds");
        gh_rc rc = gh_stream_read(&q->conn->stream, room, READ_BYTES, &got, &q->err);
        if (rc == GH_AGAIN)
            *interest |= q->conn->stream.wants;
        if (rc != GH_OK)
            return rc;
        q->in.len += got;
        total += got;
        rc = take_messages(q);
        if (rc != GH_OK)
            return rc;
    }
    return broken(q, "answer beyond all bounds");
}

static void work(void *arg, unsigned ready)
{
    gh_query *q = arg;
    unsigned interest = GH_READABLE;

    (void)ready;
    gh_rc rc = send_rest(q, &interest);
    if (rc == GH_OK)
        rc = receive(q, &interest);
    if (rc == GH_AGAIN && q->expected > 0) {
        gh_watch_set(q->watch, interest);
        return;
    }
    if (rc == GH_AGAIN) {
        /* Everything was answered and read: what is left is half a message, or bytes that nobody
         * asked for. */
        if (q->in.len > 0 || q->sent < q->out.len)
            rc = broken(q, "bytes after the answer");
        else
            rc = q->has_error ? GH_INVALID : GH_OK;
    } else if (rc == GH_CLOSED) {
        rc = gh_upstream_unavailable(GH_CLOSED, &q->err, "the server closed the connection");
    }
    finish(q, rc);
}

static void on_timeout(void *arg)
{
    gh_query *q = arg;

    finish(q, gh_upstream_unavailable(GH_IO, &q->err, "no answer to our own statement in time"));
}

gh_query *gh_query_start(gh_loop *loop, gh_conn *c, const gh_str *sqls, size_t count,
                         uint32_t timeout_ms, gh_query_fn fn, void *arg)
{
    gh_query *q = gh_alloc(sizeof(*q));

    GH_ASSERT(c->query == NULL);
    q->conn = c;
    q->fn = fn;
    q->arg = arg;
    gh_buf_init(&q->out, OUT_BYTES_MAX);
    gh_buf_init(&q->in, MESSAGE_MAX + HEADER_BYTES + READ_BYTES);
    for (size_t i = 0; i < count; i++) {
        gh_buf_put_u8(&q->out, 'Q');
        gh_buf_put_u32(&q->out, (uint32_t)(4 + sqls[i].len + 1));
        gh_buf_put_str(&q->out, sqls[i]);
        gh_buf_put_u8(&q->out, 0);
    }
    GH_ASSERT(!q->out.failed); /* the config's and the session's settings, each bounded far below */
    q->expected = count;
    q->watch = gh_watch_new(loop, c->stream.fd, work, q);
    q->timer = gh_timer_new(loop, on_timeout, q);
    gh_timer_start(q->timer, timeout_ms);
    gh_watch_wake(q->watch, GH_WRITABLE);
    c->query = q;
    return q;
}
