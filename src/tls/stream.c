/*
 * Streams: recv and send, or SSL_read and SSL_write, under one set of answers.
 *
 * OpenSSL keeps its errors in a queue of the thread. An entry that some other call left there makes
 * SSL_get_error report a failure that is none, so the queue is cleared before each operation.
 */
#include <gatehouse/tls.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls_priv.h"

void gh_tls_explain(char *out, size_t cap)
{
    unsigned long code = ERR_get_error();

    if (code == 0)
        (void)snprintf(out, cap, "no reason given");
    else
        ERR_error_string_n(code, out, cap);
    ERR_clear_error();
}

void gh_tls_tune(SSL *ssl)
{
    (void)SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* One read for header and record instead of two; gh_stream_pending knows of what stays inside. */
    SSL_set_read_ahead(ssl, 1);
}

void gh_stream_init(gh_stream *s, int fd)
{
    *s = (gh_stream){ .fd = fd, .is_open = true };
}

void gh_stream_adopt(gh_stream *s, int fd, void *ssl)
{
    *s = (gh_stream){ .fd = fd, .ssl = ssl, .is_open = true, .is_adopted = true };
    if (ssl != NULL)
        gh_tls_tune(ssl);
}

/*
 * libpq keeps the number of the descriptor and a reference to the SSL, and says goodbye over both
 * when it is finished. So the socket moves to another number and a null device takes its place;
 * and the SSL says of itself that it is shut down, which makes every read and write fail before
 * its state is touched (a record written in between would break the sequence).
 */
gh_rc gh_stream_take(gh_stream *s, int fd, void *ssl, gh_err *err)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    int nowhere = moved < 0 ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC);
    gh_rc rc;

    if (nowhere < 0 || (ssl != NULL && SSL_set_fd(ssl, moved) != 1) ||
        dup3(nowhere, fd, O_CLOEXEC) != fd) {
        rc = gh_fail(err, GH_IO, "08006", "the connection failed");
        gh_err_detail(err, "taking over a socket: %s", strerror(errno));
        if (moved >= 0)
            (void)close(moved);
        if (nowhere >= 0)
            (void)close(nowhere);
        return rc;
    }
    (void)close(nowhere);
    if (ssl != NULL) {
        GH_ASSERT(SSL_up_ref(ssl) == 1);
        SSL_set_quiet_shutdown(ssl, 1);
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    *s = (gh_stream){ .fd = moved, .ssl = ssl, .is_open = true };
    return GH_OK;
}

void gh_stream_taken(gh_stream *s)
{
    ERR_clear_error(); /* of libpq's goodbye */
    if (s->ssl == NULL)
        return;
    (void)SSL_set_app_data(s->ssl, NULL); /* was libpq's connection */
    SSL_set_quiet_shutdown(s->ssl, 0);
    SSL_set_shutdown(s->ssl, 0);
    SSL_set_default_read_buffer_len(s->ssl, GH_RELAY_BUFFER_BYTES);
    gh_tls_tune(s->ssl);
}

void gh_stream_fini(gh_stream *s)
{
    if (s == NULL || !s->is_open)
        return;
    if (!s->is_adopted) {
        if (s->ssl != NULL) {
            ERR_clear_error();
            if (!s->is_broken && SSL_is_init_finished(s->ssl))
                (void)SSL_shutdown(s->ssl);
            if (!SSL_is_server(s->ssl))
                gh_tls_forget_expectation(s->ssl);
            SSL_free(s->ssl);
            ERR_clear_error();
        }
        (void)close(s->fd);
    }
    *s = (gh_stream){ .fd = -1 };
}

/* What a plain socket's errno means. */
static gh_rc plain_failed(gh_stream *s, uint8_t wants, const char *what, gh_err *err)
{
    int cause = errno;

    if (cause == EAGAIN || cause == EWOULDBLOCK) {
        s->wants = wants;
        return GH_AGAIN;
    }
    s->is_broken = true;
    if (cause == ECONNRESET || cause == EPIPE)
        return GH_CLOSED;
    gh_rc rc = gh_fail(err, GH_IO, "08006", "the connection failed");
    gh_err_detail(err, "%s: %s", what, strerror(cause));
    return rc;
}

/* What the result of an SSL operation means; `cause` is errno right after it. */
static gh_rc ssl_failed(gh_stream *s, int result, int cause, const char *what, gh_err *err)
{
    char reason[160];

    switch (SSL_get_error(s->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        s->wants = GH_WANTS_READ;
        return GH_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        s->wants = GH_WANTS_WRITE;
        return GH_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return GH_CLOSED;
    case SSL_ERROR_SYSCALL:
        s->is_broken = true;
        if (cause == 0 || cause == ECONNRESET || cause == EPIPE)
            return GH_CLOSED;
        break;
    default: /* OpenSSL's numbers, not an enum of ours */
        s->is_broken = true;
        /*
         * End of file without close_notify. Most clients do that, and PostgreSQL's messages carry
         * their lengths, so that a truncated stream is noticed where it matters.
         */
        if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
            ERR_clear_error();
            return GH_CLOSED;
        }
        break;
    }
    gh_rc rc = gh_fail(err, GH_IO, "08006", "the TLS connection failed");
    if (ERR_peek_error() != 0) {
        gh_tls_explain(reason, sizeof(reason));
        gh_err_detail(err, "%s: %s", what, reason);
    } else {
        gh_err_detail(err, "%s: %s", what, strerror(cause));
    }
    return rc;
}

static gh_rc unusable(gh_err *err)
{
    return gh_fail(err, GH_IO, "08006", "the connection is not open");
}

/*
 * One SSL_read gives one record at most, and a server's are small: as many as are at hand, so that they
 * go on in few. What ends the stream behind them is said by the next call.
 */
static gh_rc read_records(gh_stream *s, char *buf, size_t cap, size_t *got, gh_err *err)
{
    size_t len = 0;

    s->is_dry = false;
    do {
        size_t room = cap - len > INT_MAX ? INT_MAX : cap - len;

        ERR_clear_error();
        errno = 0;
        int n = SSL_read(s->ssl, buf + len, (int)room);
        if (n <= 0) {
            gh_rc rc = ssl_failed(s, n, errno, "SSL_read", len > 0 ? NULL : err);

            s->is_dry = rc == GH_AGAIN;
            if (len == 0)
                return rc;
            break;
        }
        len += (size_t)n;
    } while (len < cap && SSL_has_pending(s->ssl) == 1);
    *got = len;
    return GH_OK;
}

gh_rc gh_stream_read(gh_stream *s, void *buf, size_t cap, size_t *got, gh_err *err)
{
    if (!s->is_open || cap == 0)
        return unusable(err);
    if (s->ssl == NULL) {
        ssize_t n;
        do {
            n = recv(s->fd, buf, cap, 0);
        } while (n < 0 && errno == EINTR);
        if (n < 0)
            return plain_failed(s, GH_WANTS_READ, "recv", err);
        if (n == 0)
            return GH_CLOSED;
        *got = (size_t)n;
        return GH_OK;
    }
    return s->is_broken ? GH_CLOSED : read_records(s, buf, cap, got, err);
}

gh_rc gh_stream_write(gh_stream *s, const void *buf, size_t len, size_t *put, gh_err *err)
{
    if (!s->is_open || len == 0)
        return unusable(err);
    if (s->ssl == NULL) {
        ssize_t n;
        do {
            n = send(s->fd, buf, len, MSG_NOSIGNAL);
        } while (n < 0 && errno == EINTR);
        if (n < 0)
            return plain_failed(s, GH_WANTS_WRITE, "send", err);
        *put = (size_t)n;
        return GH_OK;
    }
    if (s->is_broken)
        return GH_CLOSED;
    ERR_clear_error();
    errno = 0;
    int n = SSL_write(s->ssl, buf, len > INT_MAX ? INT_MAX : (int)len);
    if (n <= 0)
        return ssl_failed(s, n, errno, "SSL_write", err);
    *put = (size_t)n;
    return GH_OK;
}

bool gh_stream_pending(const gh_stream *s)
{
    if (!s->is_open || s->ssl == NULL)
        return false;
    return s->is_broken || (!s->is_dry && SSL_has_pending(s->ssl) == 1) ||
           (SSL_get_shutdown(s->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

bool gh_stream_is_quiet(gh_stream *s)
{
    char byte;

    if (!s->is_open || s->is_broken)
        return false;
    if (s->ssl == NULL) {
        ssize_t n = recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    }
    /* A readable socket may hold no more than a session ticket: only OpenSSL can tell. */
    s->is_dry = false; /* this reads, too */
    ERR_clear_error();
    errno = 0;
    int n = SSL_peek(s->ssl, &byte, 1);
    return n <= 0 && ssl_failed(s, n, errno, "SSL_peek", NULL) == GH_AGAIN;
}

gh_rc gh_tls_handshake(gh_stream *s, gh_err *err)
{
    const unsigned char *alpn = NULL;
    unsigned alpn_len = 0;

    if (!s->is_open || s->ssl == NULL || s->is_broken)
        return unusable(err);
    ERR_clear_error();
    errno = 0;
    int n = SSL_do_handshake(s->ssl);
    if (n != 1)
        return ssl_failed(s, n, errno, "TLS handshake", err);
    if (!SSL_is_server(s->ssl) && !gh_tls_meets_expectation(s->ssl)) {
        s->is_broken = true;
        gh_rc rc = gh_fail(err, GH_IO, "08006", "the TLS connection failed");
        gh_err_detail(err, "the server's certificate is another one, and not for its host");
        return rc;
    }
    SSL_get0_alpn_selected(s->ssl, &alpn, &alpn_len);
    if (s->needs_alpn && alpn_len == 0) {
        s->is_broken = true;
        gh_rc rc = gh_fail(err, GH_BADMSG, "08P01", "direct TLS needs ALPN");
        gh_err_detail(err, "the client offered no ALPN protocol");
        return rc;
    }
    return GH_OK;
}

gh_rc gh_tls_peek_hello(int fd, bool *is_hello, gh_err *err)
{
    unsigned char first = 0;
    ssize_t n;

    do {
        n = recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n == 0)
        return GH_CLOSED;
    if (n < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return GH_AGAIN;
        if (errno == ECONNRESET)
            return GH_CLOSED;
        gh_rc rc = gh_fail(err, GH_IO, "08006", "the connection failed");
        gh_err_detail(err, "recv: %s", strerror(errno));
        return rc;
    }
    /* A handshake record's type. A startup packet begins with its length's high byte: 0. */
    *is_hello = first == 0x16;
    return GH_OK;
}
