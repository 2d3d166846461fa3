#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls_tests.h"

/* One stream under test, and its peer: a bare socket, or OpenSSL's own client. */
typedef struct ends {
    gh_tls_server *server;
    SSL_CTX *ctx;
    gh_stream s;
    SSL *peer; /* NULL: plain */
    int fd;    /* the peer's */
} ends;

static ends ends_open(bool has_tls)
{
    ends e = { 0 };
    int fds[2];
    gh_err err = { 0 };
    gh_rc rc;

    socket_pair(fds);
    gh_stream_init(&e.s, fds[0]);
    e.fd = fds[1];
    if (has_tls) {
        e.server = server_for_test();
        e.ctx = client_ctx();
        ck_assert_int_eq(gh_tls_accept(e.server, &e.s, false, &err), GH_OK);
        e.peer = client_new(e.ctx, e.fd, NULL);
        ck_assert(shake(e.peer, &e.s, &rc, &err));
        ck_assert_int_eq(rc, GH_OK);
    }
    ck_assert(gh_stream_has_tls(&e.s) == has_tls);
    return e;
}

static void ends_close(ends *e)
{
    gh_stream_fini(&e->s);
    gh_stream_fini(&e->s); /* twice is fine */
    SSL_free(e->peer);
    if (e->fd >= 0)
        close(e->fd);
    SSL_CTX_free(e->ctx);
    gh_tls_server_release(e->server);
}

static ssize_t peer_write(ends *e, const void *bytes, size_t len)
{
    return e->peer != NULL ? SSL_write(e->peer, bytes, (int)len)
                           : send(e->fd, bytes, len, MSG_NOSIGNAL);
}

static ssize_t peer_read(ends *e, void *bytes, size_t cap)
{
    return e->peer != NULL ? SSL_read(e->peer, bytes, (int)cap) : recv(e->fd, bytes, cap, 0);
}

/* ---- both kinds ----------------------------------------------------------------------------- */

START_TEST(nothing_to_read_is_again)
{
    ends e = ends_open(_i == 1);
    char byte;
    size_t got = 77;

    ck_assert_int_eq(gh_stream_read(&e.s, &byte, 1, &got, NULL), GH_AGAIN);
    ck_assert_uint_eq(e.s.wants, GH_WANTS_READ);
    ck_assert_uint_eq(got, 77);
    ck_assert(gh_stream_is_quiet(&e.s));
    ck_assert(!gh_stream_pending(&e.s));
    ck_assert_int_eq(peer_write(&e, "ab", 2), 2);
    ck_assert(!gh_stream_is_quiet(&e.s));
    ck_assert_int_eq(gh_stream_read(&e.s, &byte, 1, &got, NULL), GH_OK); /* looking took nothing */
    ck_assert_int_eq(byte, 'a');
    ck_assert_int_eq(gh_stream_read(&e.s, &byte, 1, &got, NULL), GH_OK);
    ck_assert_int_eq(byte, 'b');
    ck_assert(gh_stream_is_quiet(&e.s));
    ends_close(&e);
}
END_TEST

START_TEST(end_of_stream_is_closed)
{
    ends e = ends_open(_i == 1);
    char byte;
    size_t got;

    ck_assert_int_eq(peer_write(&e, "z", 1), 1);
    if (e.peer != NULL)
        SSL_shutdown(e.peer);
    else
        shutdown(e.fd, SHUT_WR);
    ck_assert_int_eq(gh_stream_read(&e.s, &byte, 1, &got, NULL),
                     GH_OK); /* what came before, first */
    ck_assert_int_eq(gh_stream_read(&e.s, &byte, 1, &got, NULL), GH_CLOSED);
    ck_assert(!gh_stream_is_quiet(&e.s));
    ends_close(&e);
}
END_TEST

/* Cut without a word, as most clients do. */
START_TEST(vanished_peer_is_closed)
{
    ends e = ends_open(_i == 1);
    char bytes[4096] = { 0 };
    size_t moved;
    gh_err err = { 0 };
    gh_rc rc = GH_OK;

    close(e.fd);
    e.fd = -1;
    ck_assert_int_eq(gh_stream_read(&e.s, bytes, 1, &moved, &err), GH_CLOSED);
    ck_assert_str_eq(err.public_msg, "");
    for (int i = 0; i < 5 && rc == GH_OK; i++) /* and no SIGPIPE */
        rc = gh_stream_write(&e.s, bytes, sizeof(bytes), &moved, &err);
    ck_assert_int_eq(rc, GH_CLOSED);
    ends_close(&e);
}
END_TEST

/* A full socket is GH_AGAIN; the same bytes from another place in memory go on where it stopped. */
START_TEST(full_socket_takes_up_again)
{
    enum { TOTAL = 4 << 20 };
    ends e = ends_open(_i == 1);
    unsigned char *data = malloc(TOTAL);
    unsigned char *received = malloc(TOTAL);
    size_t sent = 0;
    size_t have = 0;
    int stops = 0;

    for (size_t i = 0; i < TOTAL; i++)
        data[i] = (unsigned char)(i * 2654435761u >> 13);
    while (have < TOTAL) {
        while (sent < TOTAL) {
            size_t put = 0;
            size_t len = TOTAL - sent;
            unsigned char *moved = malloc(len); /* another address each time */
            memcpy(moved, data + sent, len);
            gh_rc rc = gh_stream_write(&e.s, moved, len, &put, NULL);
            free(moved);
            if (rc == GH_AGAIN) {
                ck_assert_uint_eq(e.s.wants, GH_WANTS_WRITE);
                stops++;
                break;
            }
            ck_assert_int_eq(rc, GH_OK);
            ck_assert_uint_gt(put, 0);
            sent += put;
        }
        for (int i = 0; i < 8; i++) {
            ssize_t n = peer_read(&e, received + have, TOTAL - have);
            if (n <= 0)
                break;
            have += (size_t)n;
        }
    }
    ck_assert_int_gt(stops, 2);
    ck_assert_mem_eq(data, received, TOTAL);
    free(data);
    free(received);
    ends_close(&e);
}
END_TEST

START_TEST(closed_stream_refuses)
{
    ends e = ends_open(_i == 1);
    gh_stream zero = { 0 };
    char byte = 'x';
    size_t moved;
    gh_err err = { 0 };

    gh_stream_fini(&e.s);
    ck_assert_int_eq(gh_stream_read(&e.s, &byte, 1, &moved, &err), GH_IO);
    ck_assert_int_eq(gh_stream_write(&e.s, &byte, 1, &moved, &err), GH_IO);
    ck_assert_int_eq(gh_stream_read(&zero, &byte, 1, &moved, &err), GH_IO);
    ck_assert_int_eq(gh_stream_write(&zero, &byte, 1, &moved, &err), GH_IO);
    ck_assert(!gh_stream_is_quiet(&zero));
    ck_assert(!gh_stream_pending(&zero));
    gh_stream_fini(&zero);
    gh_stream_fini(NULL);
    ends_close(&e);
}
END_TEST

START_TEST(adopted_stream_closes_nothing)
{
    ends e = ends_open(_i == 1);
    gh_stream borrowed;
    char byte = 'x';
    size_t moved;

    gh_stream_adopt(&borrowed, e.s.fd, e.s.ssl);
    ck_assert_int_eq(gh_stream_write(&borrowed, &byte, 1, &moved, NULL), GH_OK);
    gh_stream_fini(&borrowed);
    ck_assert_int_eq(gh_stream_write(&e.s, &byte, 1, &moved, NULL), GH_OK);
    ck_assert_int_ge(peer_read(&e, &byte, 1), 1);
    ends_close(&e);
}
END_TEST

/*
 * What libpq does when it is finished: it writes, shuts down and closes what it still believes to
 * have. None of it may reach the other end, or change the state of the TLS session.
 */
START_TEST(taken_stream_outlives_its_maker)
{
    ends e = ends_open(_i == 1);
    SSL *ssl = e.s.ssl;
    int fd = e.s.fd;
    char bytes[8] = "";
    size_t moved = 0;
    gh_stream taken;
    gh_err err = { 0 };

    ck_assert_int_eq(gh_stream_take(&taken, fd, ssl, &err), GH_OK);
    ck_assert_int_ne(taken.fd, fd);
    if (ssl != NULL) {
        ck_assert_int_le(SSL_write(ssl, "bye", 3), 0);
        ck_assert_int_le(SSL_read(ssl, bytes, 1), 0);
        (void)SSL_shutdown(ssl);
        SSL_free(ssl);
    }
    ck_assert_int_lt(send(fd, "bye", 3, MSG_NOSIGNAL), 0);
    ck_assert_int_eq(close(fd), 0);
    e.s = (gh_stream){ .fd = -1 };
    gh_stream_taken(&taken);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(gh_stream_write(&taken, "ping", 4, &moved, &err), GH_OK);
        ck_assert_int_eq(peer_read(&e, bytes, sizeof(bytes)), 4);
        ck_assert_int_eq(memcmp(bytes, "ping", 4), 0);
        ck_assert_int_eq(peer_write(&e, "pong", 4), 4);
        ck_assert_int_eq(gh_stream_read(&taken, bytes, sizeof(bytes), &moved, &err), GH_OK);
        ck_assert_uint_eq(moved, 4);
    }
    ck_assert_int_eq(gh_stream_read(&taken, bytes, sizeof(bytes), &moved, &err), GH_AGAIN);
    gh_stream_fini(&taken);
    ends_close(&e);
}
END_TEST

/* Equal trust is held once, another one is not mixed up with it. */
START_TEST(trust_is_shared_where_it_is_equal)
{
    X509_STORE *shared = NULL;
    SSL_CTX *same[2] = { client_ctx(), client_ctx() };
    authority other = make_certificate("other-ca", "other", -1, NULL, "EC", "SHA256", NULL);
    SSL_CTX *different = SSL_CTX_new(TLS_client_method());
    X509_STORE *first;

    ck_assert_int_eq(SSL_CTX_load_verify_locations(different, test_path("other-ca", ".crt"), NULL),
                     1);
    SSL_CTX *all[] = { same[0], same[1], different };
    for (size_t i = 0; i < GH_COUNT(all); i++) {
        SSL *ssl = SSL_new(all[i]);
        gh_stream s;

        gh_stream_adopt(&s, -1, ssl);
        first = shared;
        gh_stream_share_trust(&s, &shared);
        ck_assert(SSL_CTX_get_cert_store(all[i]) == shared);
        ck_assert(i == 0 || (shared == first) == (i == 1));
        SSL_free(ssl);
    }
    gh_tls_release_trust(shared);
    SSL_CTX_free(different);
    SSL_CTX_free(same[0]);
    SSL_CTX_free(same[1]);
    authority_free(&other);
}
END_TEST

/* ---- TLS only ------------------------------------------------------------------------------- */

/*
 * A message that straddles the caller's buffer: the descriptor is quiet, OpenSSL is not. Who sleeps
 * now sleeps for ever.
 */
START_TEST(pending_bytes_are_told)
{
    ends e = ends_open(true);
    char part[10];
    char raw;
    size_t got;

    ck_assert_int_eq(peer_write(&e, "0123456789abcdefghij", 20), 20);
    ck_assert_int_eq(gh_stream_read(&e.s, part, 10, &got, NULL), GH_OK);
    ck_assert_uint_eq(got, 10);
    ck_assert_int_lt(recv(e.s.fd, &raw, 1, MSG_PEEK | MSG_DONTWAIT), 0);
    ck_assert(gh_stream_pending(&e.s));
    ck_assert(!gh_stream_is_quiet(&e.s));
    ck_assert_int_eq(gh_stream_read(&e.s, part, 10, &got, NULL), GH_OK);
    ck_assert(!gh_stream_pending(&e.s));
    /* two records in one segment come at once; of a third the buffer holds a part */
    ck_assert_int_eq(peer_write(&e, "one", 3), 3);
    ck_assert_int_eq(peer_write(&e, "two", 3), 3);
    ck_assert_int_eq(peer_write(&e, "three", 5), 5);
    ck_assert_int_eq(gh_stream_read(&e.s, part, 10, &got, NULL), GH_OK);
    ck_assert_uint_eq(got, 10);
    ck_assert_mem_eq(part, "onetwothre", 10);
    ck_assert_int_lt(recv(e.s.fd, &raw, 1, MSG_PEEK | MSG_DONTWAIT), 0);
    ck_assert(gh_stream_pending(&e.s));
    ck_assert_int_eq(gh_stream_read(&e.s, part, 10, &got, NULL), GH_OK);
    ck_assert_uint_eq(got, 1);
    ck_assert(!gh_stream_pending(&e.s));
    ends_close(&e);
}
END_TEST

/* The end of the stream was read with the bytes before it: there is something to read, at once. */
START_TEST(end_behind_bytes_is_told)
{
    ends e = ends_open(true);
    char part[10];
    size_t got;

    ck_assert_int_eq(peer_write(&e, "bye", 3), 3);
    ck_assert_int_eq(SSL_shutdown(e.peer), 0);
    ck_assert_int_eq(gh_stream_read(&e.s, part, 10, &got, NULL), GH_OK);
    ck_assert_uint_eq(got, 3);
    ck_assert(gh_stream_pending(&e.s));
    ck_assert_int_eq(gh_stream_read(&e.s, part, 10, &got, NULL), GH_CLOSED);
    ends_close(&e);
}
END_TEST

/* So is a failure behind them: a record that nobody's key made. */
START_TEST(failure_behind_bytes_is_told)
{
    static const char forged[] = "\x17\x03\x03\x00\x20................................";
    ends e = ends_open(true);
    char part[10];
    size_t got;

    ck_assert_int_eq(peer_write(&e, "ok", 2), 2);
    ck_assert_int_eq(send(e.fd, forged, sizeof(forged) - 1, MSG_NOSIGNAL), sizeof(forged) - 1);
    ck_assert_int_eq(gh_stream_read(&e.s, part, 10, &got, NULL), GH_OK);
    ck_assert_uint_eq(got, 2);
    ck_assert(gh_stream_pending(&e.s));
    ck_assert_int_eq(gh_stream_read(&e.s, part, 10, &got, NULL), GH_CLOSED);
    ends_close(&e);
}
END_TEST

/* Half a record is nothing to read: who would look again at once would do so until the rest comes. */
START_TEST(half_a_record_is_not_pending)
{
    ends e = ends_open(true);
    char record[256];
    char part[64];
    size_t got;
    BIO *wire = BIO_new(BIO_s_mem());

    ck_assert_int_eq(peer_write(&e, "ok", 2), 2);
    SSL_set0_wbio(e.peer, wire);
    ck_assert_int_eq(SSL_write(e.peer, "the rest", 8), 8);
    int len = BIO_read(wire, record, sizeof(record));
    ck_assert_int_gt(len, 10);
    ck_assert_int_eq(send(e.fd, record, 7, MSG_NOSIGNAL), 7);
    ck_assert_int_eq(gh_stream_read(&e.s, part, sizeof(part), &got, NULL), GH_OK);
    ck_assert_uint_eq(got, 2);
    ck_assert(!gh_stream_pending(&e.s));
    ck_assert_int_eq(send(e.fd, record + 7, (size_t)len - 7, MSG_NOSIGNAL), len - 7);
    ck_assert_int_eq(gh_stream_read(&e.s, part, sizeof(part), &got, NULL), GH_OK);
    ck_assert_mem_eq(part, "the rest", 8);
    ends_close(&e);
}
END_TEST

/* A cut inside a record loses that record, and is no success. */
START_TEST(truncated_record_is_no_data)
{
    ends e = ends_open(true);
    BIO *out = BIO_new(BIO_s_mem());
    char *record;
    char byte;
    size_t got;

    BIO_up_ref(out);
    SSL_set0_wbio(e.peer, out);
    ck_assert_int_eq(SSL_write(e.peer, "secret", 6), 6);
    long len = BIO_get_mem_data(out, &record);
    ck_assert_int_gt(len, 6);
    ck_assert_int_eq(send(e.fd, record, (size_t)len - 1, 0), len - 1);
    ck_assert_int_eq(gh_stream_read(&e.s, &byte, 1, &got, NULL), GH_AGAIN);
    shutdown(e.fd, SHUT_WR);
    ck_assert_int_eq(gh_stream_read(&e.s, &byte, 1, &got, NULL), GH_CLOSED);
    BIO_free(out);
    ends_close(&e);
}
END_TEST

START_TEST(damaged_record_is_an_error)
{
    ends e = ends_open(true);
    gh_err err = { 0 };
    char byte;
    size_t got;

    ck_assert_int_eq(send(e.fd,
                          "\x17\x03\x03\x00\x20"
                          "0123456789abcdef0123456789abcdef",
                          37, 0),
                     37);
    ck_assert_int_eq(gh_stream_read(&e.s, &byte, 1, &got, &err), GH_IO);
    ck_assert_str_eq(err.public_msg, "the TLS connection failed");
    ck_assert_ptr_nonnull(strstr(err.detail, "SSL_read"));
    ck_assert_int_ne(gh_stream_read(&e.s, &byte, 1, &got, NULL), GH_OK);
    ck_assert_int_ne(gh_stream_write(&e.s, &byte, 1, &got, NULL), GH_OK);
    ends_close(&e);
}
END_TEST

START_TEST(hello_is_peeked)
{
    int fds[2];
    bool is_hello;
    char first[2];

    socket_pair(fds);
    ck_assert_int_eq(gh_tls_peek_hello(fds[0], &is_hello, NULL), GH_AGAIN);
    ck_assert_int_eq(send(fds[1], "\x16\x03", 2, 0), 2);
    ck_assert_int_eq(gh_tls_peek_hello(fds[0], &is_hello, NULL), GH_OK);
    ck_assert(is_hello);
    ck_assert_int_eq(recv(fds[0], first, 2, 0), 2); /* still there */
    ck_assert_int_eq(send(fds[1], "\0\0\0\x08", 4, 0), 4);
    ck_assert_int_eq(gh_tls_peek_hello(fds[0], &is_hello, NULL), GH_OK);
    ck_assert(!is_hello);
    ck_assert_int_eq(recv(fds[0], first, 2, 0), 2);
    ck_assert_int_eq(recv(fds[0], first, 2, 0), 2);
    close(fds[1]);
    ck_assert_int_eq(gh_tls_peek_hello(fds[0], &is_hello, NULL), GH_CLOSED);
    close(fds[0]);
}
END_TEST

/* ---- a second connection like the first ----------------------------------------------------- */

static gh_tls_server *server_named(const char *san, const authority *ca)
{
    authority a = make_certificate("second", "second", -1, ca, "EC", "SHA256", san);
    gh_tls_server *t = NULL;
    gh_err err = { 0 };

    gh_rc rc = open_server("second", NULL, &t, &err);
    ck_assert_msg(rc == GH_OK, "%s", err.public_msg);
    authority_free(&a);
    return t;
}

/* The model is a client that verified `server` over another socket, as libpq does. */
static gh_rc connect_like(gh_tls_server *stranger, const char *renewed_san, gh_str host, int verify)
{
    gh_tls_server *t = server_for_test();
    gh_tls_server *second = stranger;
    SSL_CTX *ctx = client_ctx();
    int fds[2];
    gh_stream server;
    gh_stream model;
    gh_stream client;
    gh_err err = { 0 };
    gh_rc rc;
    gh_rc client_rc = GH_AGAIN;

    if (renewed_san != NULL) {
        authority ca = load_authority("ca");
        second = server_named(renewed_san, &ca);
        authority_free(&ca);
    }
    SSL_CTX_set_verify(ctx, verify, NULL);
    socket_pair(fds);
    gh_stream_init(&server, fds[0]);
    ck_assert_int_eq(gh_tls_accept(t, &server, false, &err), GH_OK);
    SSL *ssl = client_new(ctx, fds[1], NULL);
    ck_assert(shake(ssl, &server, &rc, &err));
    gh_stream_adopt(&model, fds[1], ssl);

    int again[2];
    gh_stream other;
    socket_pair(again);
    gh_stream_init(&other, again[0]);
    gh_stream_init(&client, again[1]);
    ck_assert_int_eq(gh_tls_accept(second != NULL ? second : t, &other, false, &err), GH_OK);
    ck_assert_int_eq(gh_tls_connect_like(&client, &model, host, &err), GH_OK);
    SSL_free(ssl); /* the model may go before the handshake is done */
    SSL_CTX_free(ctx);
    rc = GH_AGAIN;
    for (int i = 0; i < 20 && client_rc == GH_AGAIN; i++) {
        client_rc = gh_tls_handshake(&client, &err);
        if (rc == GH_AGAIN)
            rc = gh_tls_handshake(&other, NULL);
    }
    gh_stream_fini(&client);
    gh_stream_fini(&other);
    gh_stream_fini(&server);
    close(fds[1]);
    gh_tls_server_release(t);
    if (renewed_san != NULL)
        gh_tls_server_release(second);
    return client_rc;
}

START_TEST(same_certificate_is_taken)
{
    /* by being the very same, though not for that name (libpq had its own reasons) */
    ck_assert_int_eq(connect_like(NULL, NULL, GH_STR("db.example"), SSL_VERIFY_PEER), GH_OK);
    ck_assert_int_eq(connect_like(NULL, NULL, GH_STR(""), SSL_VERIFY_PEER), GH_OK);
}
END_TEST

/* Renewed since the session began: for the same host it will do. */
START_TEST(renewed_certificate_needs_the_host)
{
    static const struct {
        const char *san;
        const char *host;
        gh_rc expected;
    } cases[] = {
        { "DNS:db.example", "db.example", GH_OK },
        { "DNS:*.db.example", "a.db.example", GH_OK },
        { "IP:10.0.0.7", "10.0.0.7", GH_OK },
        { "DNS:other.example", "db.example", GH_IO },
        { "IP:10.0.0.8", "10.0.0.7", GH_IO },
        { "DNS:other.example", "", GH_OK }, /* verify-ca */
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_rc rc = connect_like(NULL, cases[i].san, gh_str_of(cases[i].host), SSL_VERIFY_PEER);
        ck_assert_msg(rc == cases[i].expected, "%s as %s: %s", cases[i].san, cases[i].host,
                      gh_rc_name(rc));
    }
}
END_TEST

/* Who answers a cancel in the server's place learns its key. */
START_TEST(stranger_is_refused)
{
    authority other_ca = make_certificate("other_ca", "ca", -1, NULL, "EC", "SHA256", NULL);
    gh_tls_server *stranger = server_named("DNS:localhost", &other_ca);

    ck_assert_int_eq(connect_like(stranger, NULL, GH_STR("localhost"), SSL_VERIFY_PEER), GH_IO);
    ck_assert_int_eq(connect_like(stranger, NULL, GH_STR(""), SSL_VERIFY_PEER), GH_IO);
    /* a session that verified nobody asks no more of its cancel */
    ck_assert_int_eq(connect_like(stranger, NULL, GH_STR("localhost"), SSL_VERIFY_NONE), GH_OK);
    gh_tls_server_release(stranger);
    authority_free(&other_ca);
}
END_TEST

TCase *stream_tests(void)
{
    TCase *t = tcase_create("stream");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, nothing_to_read_is_again, 0, 2);
    tcase_add_loop_test(t, end_of_stream_is_closed, 0, 2);
    tcase_add_loop_test(t, vanished_peer_is_closed, 0, 2);
    tcase_add_loop_test(t, full_socket_takes_up_again, 0, 2);
    tcase_add_loop_test(t, closed_stream_refuses, 0, 2);
    tcase_add_loop_test(t, adopted_stream_closes_nothing, 0, 2);
    tcase_add_loop_test(t, taken_stream_outlives_its_maker, 0, 2);
    tcase_add_test(t, trust_is_shared_where_it_is_equal);
    tcase_add_test(t, pending_bytes_are_told);
    tcase_add_test(t, end_behind_bytes_is_told);
    tcase_add_test(t, failure_behind_bytes_is_told);
    tcase_add_test(t, half_a_record_is_not_pending);
    tcase_add_test(t, truncated_record_is_no_data);
    tcase_add_test(t, damaged_record_is_an_error);
    tcase_add_test(t, hello_is_peeked);
    tcase_add_test(t, same_certificate_is_taken);
    tcase_add_test(t, renewed_certificate_needs_the_host);
    tcase_add_test(t, stranger_is_refused);
    return t;
}
