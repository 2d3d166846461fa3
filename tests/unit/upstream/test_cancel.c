#include "tests.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"

typedef struct delivery {
    gh_loop *loop;
    bool is_done;
    gh_rc rc;
} delivery;

static void on_delivered(void *arg, gh_rc rc)
{
    delivery *d = arg;

    ck_assert(!d->is_done);
    d->is_done = true;
    d->rc = rc;
    gh_loop_stop(d->loop);
}

static gh_rc cancel_now(gh_loop *l, const gh_conn *c)
{
    delivery d = { .loop = l };
    gh_cancel *x = gh_conn_cancel(l, c, on_delivered, &d);

    ck_assert(!d.is_done);
    run_loop(l, 20);
    gh_cancel_free(x);
    return d.rc;
}

/* Cancels what sleeps, then runs statements at once: none of those may be hit. */
static void assert_cancels(gh_upstream *u, bool has_tls)
{
    gh_loop *l = NULL;
    gh_err err = { 0 };
    char value[256];
    char sqlstate[6];

    ck_assert_int_eq(gh_loop_new(&l, &err), GH_OK);
    gh_conn *c = connect_now(l, u, &err);
    ck_assert_msg(c != NULL, "%s", err.detail);
    ck_assert(gh_stream_has_tls(gh_conn_stream(c)) == has_tls);
    for (int round = 0; round < 10; round++) {
        int64_t start_us = gh_clock_us();
        raw_sleep(c);
        ck_assert_int_eq(cancel_now(l, c), GH_OK);
        raw_answer(c, value, sqlstate);
        ck_assert_str_eq(sqlstate, "57014");
        ck_assert_int_le(gh_clock_us() - start_us, 10000000);
        for (int i = 0; i < 20; i++) {
            raw_query(c, "SELECT 1", value, sqlstate);
            ck_assert_str_eq(sqlstate, "");
        }
    }
    gh_conn_close(c);
    gh_upstream_release(u);
    gh_loop_free(l);
}

START_TEST(cancels_over_plain)
{
    char conninfo[256];

    snprintf(conninfo, sizeof(conninfo),
             "host=127.0.0.1 port=%d dbname=warehouse user=plain sslmode=disable", fixture_port());
    assert_cancels(fixture_upstream_of(conninfo, "right", "", 0), false);
}
END_TEST

START_TEST(cancels_over_unix_socket)
{
    char conninfo[256];

    snprintf(conninfo, sizeof(conninfo), "host=%s/pg port=%d dbname=warehouse user=postgres",
             fixture_dir(), fixture_port());
    assert_cancels(fixture_upstream_of(conninfo, "", "", 0), false);
}
END_TEST

/* ---- a relay that keeps what clients send in plaintext -------------------------------------- */

typedef struct relay {
    int listener;
    int port;
    atomic_bool is_stopping;
    atomic_int connections;
    atomic_int ssl_requests;
    atomic_int cancel_requests; /* their code, seen in plaintext */
    pthread_t thread;
} relay;

typedef struct pipe_pair {
    int client;
    int server;
    char head[16];
    size_t head_len;
} pipe_pair;

static void note_head(relay *r, pipe_pair *p, const char *bytes, ssize_t len)
{
    static const char ssl_code[4] = { 0x04, (char)0xd2, 0x16, 0x2f };
    static const char cancel_code[4] = { 0x04, (char)0xd2, 0x16, 0x2e };

    for (ssize_t i = 0; i < len; i++) {
        if (p->head_len < sizeof(p->head))
            p->head[p->head_len++] = bytes[i];
    }
    if (len > 0 && p->head_len == 8 && memcmp(p->head + 4, ssl_code, 4) == 0)
        atomic_fetch_add(&r->ssl_requests, 1);
    if (len >= 4 && memmem(bytes, (size_t)len, cancel_code, 4) != NULL)
        atomic_fetch_add(&r->cancel_requests, 1);
}

static bool copy_some(relay *r, pipe_pair *p, int from, int to)
{
    char bytes[4096];
    ssize_t n = recv(from, bytes, sizeof(bytes), 0);

    if (n <= 0)
        return false;
    if (from == p->client)
        note_head(r, p, bytes, n);
    return send(to, bytes, (size_t)n, MSG_NOSIGNAL) == n;
}

static int connect_to(int port)
{
    struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    in4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&in4, sizeof(in4)) != 0)
        abort();
    return fd;
}

static void *relay_main(void *arg)
{
    relay *r = arg;
    pipe_pair pairs[8];
    struct pollfd fds[17];
    int count = 0;

    while (!atomic_load(&r->is_stopping)) {
        fds[0] = (struct pollfd){ .fd = r->listener, .events = POLLIN };
        for (int i = 0; i < count; i++) {
            fds[1 + 2 * i] = (struct pollfd){ .fd = pairs[i].client, .events = POLLIN };
            fds[2 + 2 * i] = (struct pollfd){ .fd = pairs[i].server, .events = POLLIN };
        }
        if (poll(fds, (nfds_t)(1 + 2 * count), 50) <= 0)
            continue;
        int polled = count;
        if (fds[0].revents != 0 && count < 8) {
            pairs[count] = (pipe_pair){ .client = accept(r->listener, NULL, NULL),
                                        .server = connect_to(fixture_port()) };
            count++;
            atomic_fetch_add(&r->connections, 1);
        }
        for (int i = polled - 1; i >= 0; i--) {
            bool is_open = true;
            if (fds[1 + 2 * i].revents != 0)
                is_open = copy_some(r, &pairs[i], pairs[i].client, pairs[i].server);
            if (is_open && fds[2 + 2 * i].revents != 0)
                is_open = copy_some(r, &pairs[i], pairs[i].server, pairs[i].client);
            if (!is_open) {
                close(pairs[i].client);
                close(pairs[i].server);
                memmove(&pairs[i], &pairs[i + 1], (size_t)(count - i - 1) * sizeof(pairs[0]));
                count--;
            }
        }
    }
    for (int i = 0; i < count; i++) {
        close(pairs[i].client);
        close(pairs[i].server);
    }
    return NULL;
}

static void relay_start(relay *r)
{
    struct sockaddr_in in4 = { .sin_family = AF_INET };
    socklen_t len = sizeof(in4);

    memset(r, 0, sizeof(*r));
    r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    in4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(r->listener, (struct sockaddr *)&in4, sizeof(in4)), 0);
    ck_assert_int_eq(listen(r->listener, 8), 0);
    ck_assert_int_eq(getsockname(r->listener, (struct sockaddr *)&in4, &len), 0);
    r->port = ntohs(in4.sin_port);
    ck_assert_int_eq(pthread_create(&r->thread, NULL, relay_main, r), 0);
}

static void relay_stop(relay *r)
{
    atomic_store(&r->is_stopping, true);
    pthread_join(r->thread, NULL);
    close(r->listener);
}

/* libpq's own PQcancel would show the key to whoever listens on the way. */
START_TEST(cancels_over_tls_without_showing_the_key)
{
    relay r;
    char conninfo[512];

    relay_start(&r);
    snprintf(conninfo, sizeof(conninfo),
             "host=127.0.0.1 port=%d dbname=warehouse user=gatehouse sslmode=verify-full "
             "sslrootcert=%s/ca.crt",
             r.port, fixture_dir());
    assert_cancels(fixture_upstream_of(conninfo, "right", "", 0), true);
    relay_stop(&r);
    ck_assert_int_eq(atomic_load(&r.connections), 11); /* the session, ten cancels */
    ck_assert_int_eq(atomic_load(&r.ssl_requests), 11);
    ck_assert_int_eq(atomic_load(&r.cancel_requests), 0);
}
END_TEST

/* ---- failures ------------------------------------------------------------------------------- */

START_TEST(server_gone_is_reported)
{
    gh_loop *l = NULL;
    gh_err err = { 0 };
    relay r;
    char conninfo[512];

    relay_start(&r);
    snprintf(conninfo, sizeof(conninfo),
             "host=127.0.0.1 port=%d dbname=warehouse user=gatehouse sslmode=verify-full "
             "sslrootcert=%s/ca.crt",
             r.port, fixture_dir());
    ck_assert_int_eq(gh_loop_new(&l, &err), GH_OK);
    gh_upstream *u = fixture_upstream_of(conninfo, "right", "", 0);
    gh_conn *c = connect_now(l, u, &err);
    ck_assert_ptr_nonnull(c);
    delivery d = { .loop = l };
    relay_stop(&r); /* the peer's address is still known; nobody listens there */
    gh_cancel *x = gh_conn_cancel(l, c, on_delivered, &d);
    gh_conn_close(c); /* the cancel does not refer to it */
    run_loop(l, 20);
    ck_assert(d.is_done);
    ck_assert_int_ne(d.rc, GH_OK);
    gh_cancel_free(x);
    gh_upstream_release(u);
    gh_loop_free(l);
}
END_TEST

START_TEST(freed_early_is_silent)
{
    gh_loop *l = NULL;
    gh_err err = { 0 };

    ck_assert_int_eq(gh_loop_new(&l, &err), GH_OK);
    gh_upstream *u = fixture_upstream("", "");
    gh_conn *c = connect_now(l, u, &err);
    delivery d = { .loop = l };
    for (uint32_t ms = 0; ms < 4; ms++) {
        gh_cancel *x = gh_conn_cancel(l, c, on_delivered, &d);
        run_loop_for(l, ms);
        gh_cancel_free(x);
        d.is_done = false;
    }
    gh_conn_close(c);
    gh_upstream_release(u);
    gh_loop_free(l);
}
END_TEST

TCase *cancel_tests(void)
{
    TCase *t = tcase_create("cancel");

    tcase_add_test(t, cancels_over_plain);
    tcase_add_test(t, cancels_over_unix_socket);
    tcase_add_test(t, cancels_over_tls_without_showing_the_key);
    tcase_add_test(t, server_gone_is_reported);
    tcase_add_test(t, freed_early_is_silent);
    return t;
}
