/*
 * CancelRequest, over a connection of its own, in TLS when the session is: whoever can read the key
 * on the wire can cancel for as long as the connection lives. (libpq's PQcancel blocks and sends it
 * in plaintext.)
 *
 *     CONNECT ─▶ ASK_TLS ─▶ TLS_ANSWER ─▶ HANDSHAKE ─┐
 *        └────────────────(plain)────────────────────┴▶ SEND ─▶ WAIT (end of file: delivered) ─▶
 * DONE
 *
 * The postmaster's child signals the backend, then exits, which closes the connection: when that is
 * seen, the signal has been sent, and hits nothing that is sent later. Source: PostgreSQL
 * documentation, "Canceling Requests in Progress", "SSL Session Encryption".
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "upstream_priv.h"

#define CANCEL_CODE 80877102u
#define SSL_CODE    80877103u

typedef enum cancel_state {
    CANCEL_FAILED = 0, /* could not start: told by the timer */
    CANCEL_CONNECT,
    CANCEL_ASK_TLS,
    CANCEL_TLS_ANSWER,
    CANCEL_HANDSHAKE,
    CANCEL_SEND,
    CANCEL_WAIT,
    CANCEL_DONE
} cancel_state;

struct gh_cancel {
    cancel_state state;
    gh_stream plain;  /* borrows secure's socket, for what comes before TLS */
    gh_stream secure; /* owns the socket; has TLS when the session has */
    gh_watch *watch;
    gh_timer *timer;
    gh_buf out;
    size_t sent;
    uint32_t pid;
    uint32_t key;
    void (*fn)(void *arg, gh_rc rc);
    void *arg;
};

void gh_cancel_free(gh_cancel *x)
{
    if (x == NULL)
        return;
    gh_watch_free(x->watch);
    gh_timer_free(x->timer);
    gh_stream_fini(&x->secure);
    gh_cleanse(x->out.ptr, x->out.len);
    gh_buf_fini(&x->out);
    gh_cleanse(&x->key, sizeof(x->key));
    free(x);
}

/* Nothing of x may be used after this: fn may free it. */
static void finish(gh_cancel *x, gh_rc rc, const gh_err *err)
{
    x->state = CANCEL_DONE;
    gh_watch_free(x->watch);
    x->watch = NULL;
    gh_timer_stop(x->timer);
    gh_stream_fini(&x->secure);
    if (rc != GH_OK)
        gh_log(GH_WARN, "upstream.cancel_failed", "pid=%u rc=%s detail=\"%s\"", (unsigned)x->pid,
               gh_rc_name(rc), err->detail);
    x->fn(x->arg, rc);
}

static void put_ssl_request(gh_cancel *x)
{
    gh_buf_clear(&x->out);
    x->sent = 0;
    gh_buf_put_u32(&x->out, 8);
    gh_buf_put_u32(&x->out, SSL_CODE);
}

static void put_cancel_request(gh_cancel *x)
{
    gh_buf_clear(&x->out);
    x->sent = 0;
    gh_buf_put_u32(&x->out, 16);
    gh_buf_put_u32(&x->out, CANCEL_CODE);
    gh_buf_put_u32(&x->out, x->pid);
    gh_buf_put_u32(&x->out, x->key);
}

/* GH_OK: all of it is out. */
static gh_rc send_rest(gh_cancel *x, gh_stream *s, gh_err *err)
{
    while (x->sent < x->out.len) {
        size_t put = 0;
        gh_rc rc = gh_stream_write(s, x->out.ptr + x->sent, x->out.len - x->sent, &put, err);
        if (rc != GH_OK)
            return rc;
        x->sent += put;
    }
    return GH_OK;
}

static gh_rc finish_connect(gh_cancel *x, gh_err *err)
{
    int cause = 0;
    socklen_t len = sizeof(cause);

    if (getsockopt(x->secure.fd, SOL_SOCKET, SO_ERROR, &cause, &len) != 0)
        cause = errno;
    if (cause != 0)
        return gh_upstream_unavailable(GH_IO, err, "connect: %s", strerror(cause));
    return GH_OK;
}

static gh_rc read_tls_answer(gh_cancel *x, gh_err *err)
{
    char answer = 0;
    size_t got = 0;

    /* One byte and no more: what follows belongs to TLS. */
    gh_rc rc = gh_stream_read(&x->plain, &answer, 1, &got, err);
    if (rc != GH_OK)
        return rc;
    if (answer != 'S')
        return gh_upstream_unavailable(GH_IO, err, "the server has no TLS any more");
    return GH_OK;
}

static gh_rc wait_for_end(gh_cancel *x, gh_err *err)
{
    char byte;
    size_t got = 0;

    gh_rc rc = gh_stream_read(&x->secure, &byte, 1, &got, err);
    if (rc == GH_OK) /* nothing is ever answered, but for errors */
        return gh_upstream_unavailable(GH_BADMSG, err, "the server answered a CancelRequest");
    return rc;
}

/* One transition; GH_OK: go on, GH_AGAIN: wait for *interest, anything else ends it. */
static gh_rc step(gh_cancel *x, unsigned *interest, gh_err *err)
{
    gh_rc rc = GH_INTERNAL;

    switch (x->state) {
    case CANCEL_CONNECT:
        rc = finish_connect(x, err);
        x->state = gh_stream_has_tls(&x->secure) ? CANCEL_ASK_TLS : CANCEL_SEND;
        if (x->state == CANCEL_ASK_TLS)
            put_ssl_request(x);
        else
            put_cancel_request(x);
        return rc;
    case CANCEL_ASK_TLS:
        rc = send_rest(x, &x->plain, err);
        *interest = x->plain.wants;
        if (rc == GH_OK)
            x->state = CANCEL_TLS_ANSWER;
        return rc;
    case CANCEL_TLS_ANSWER:
        rc = read_tls_answer(x, err);
        *interest = x->plain.wants;
        if (rc == GH_OK)
            x->state = CANCEL_HANDSHAKE;
        return rc;
    case CANCEL_HANDSHAKE:
        rc = gh_tls_handshake(&x->secure, err);
        *interest = x->secure.wants;
        if (rc == GH_OK) {
            put_cancel_request(x);
            x->state = CANCEL_SEND;
        }
        return rc;
    case CANCEL_SEND:
        rc = send_rest(x, &x->secure, err);
        *interest = x->secure.wants;
        if (rc == GH_OK)
            x->state = CANCEL_WAIT;
        return rc;
    case CANCEL_WAIT:
        rc = wait_for_end(x, err);
        *interest = x->secure.wants;
        if (rc == GH_CLOSED)
            x->state = CANCEL_DONE;
        return rc;
    case CANCEL_FAILED:
    case CANCEL_DONE:
        break;
    }
    return rc;
}

static void on_ready(void *arg, unsigned ready)
{
    gh_cancel *x = arg;
    gh_err err = { 0 };
    unsigned interest = 0;
    gh_rc rc;

    (void)ready;
    do {
        rc = step(x, &interest, &err);
    } while (rc == GH_OK);
    if (rc == GH_AGAIN)
        gh_watch_set(x->watch, interest);
    else
        finish(x, x->state == CANCEL_DONE ? GH_OK : rc, &err);
}

static void on_timer(void *arg)
{
    gh_cancel *x = arg;
    gh_err err = { 0 };

    gh_rc rc = gh_upstream_unavailable(GH_IO, &err, "%s",
                                       x->state == CANCEL_FAILED ? "cannot connect" : "timed out");
    finish(x, rc, &err);
}

/* A socket that connects to where the session's goes, whatever names say now. */
static int connect_alike(int model)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);

    memset(&addr, 0, sizeof(addr));
    if (getpeername(model, (struct sockaddr *)&addr, &len) != 0)
        return -1;
    int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&addr, len) != 0 && errno != EINPROGRESS) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

gh_cancel *gh_conn_cancel(gh_loop *loop, const gh_conn *c, void (*fn)(void *arg, gh_rc rc),
                          void *arg)
{
    gh_cancel *x = gh_alloc(sizeof(*x));
    gh_err err = { 0 };

    x->fn = fn;
    x->arg = arg;
    x->pid = c->pid;
    x->key = c->key;
    gh_buf_init(&x->out, 64);
    x->timer = gh_timer_new(loop, on_timer, x);
    int fd = connect_alike(c->stream.fd);
    if (fd < 0) {
        gh_timer_start(x->timer, 0);
        return x;
    }
    gh_stream_init(&x->secure, fd);
    gh_stream_adopt(&x->plain, fd, NULL);
    if (gh_stream_has_tls(&c->stream) &&
        gh_tls_connect_like(&x->secure, &c->stream, gh_str_of(c->host), &err) != GH_OK) {
        gh_timer_start(x->timer, 0);
        return x;
    }
    x->state = CANCEL_CONNECT;
    x->watch = gh_watch_new(loop, fd, on_ready, x);
    gh_watch_set(x->watch, GH_WRITABLE);
    gh_timer_start(x->timer, GH_CANCEL_TIMEOUT_MS);
    return x;
}
