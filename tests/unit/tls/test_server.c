#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tls_tests.h"

#define ALPN "\x0apostgresql"

/* ---- files ---------------------------------------------------------------------------------- */

START_TEST(key_permissions)
{
    gh_tls_server *t = server_for_test();
    const char *key = test_path("server", ".key");
    static const struct {
        mode_t mode;
        uid_t owner; /* in tests that root runs */
        bool is_taken;
    } cases[] = {
        { 0600, 0, true },  { 0400, 0, true },      { 0640, 0, true },      { 0440, 0, true },
        { 0660, 0, false }, { 0604, 0, false },     { 0644, 0, false },     { 0666, 0, false },
        { 0650, 0, false }, { 0600, 65534, false }, { 0640, 65534, false },
    };

    gh_tls_server_release(t);
    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_err err = { 0 };
        bool is_root = geteuid() == 0;
        /* Not root: our own key must be closed to the group, whatever root's may be. */
        bool is_taken = cases[i].is_taken && (is_root || (cases[i].mode & 077) == 0);
        if (cases[i].owner != 0 && !is_root)
            continue;
        if (is_root)
            ck_assert_int_eq(chown(key, cases[i].owner, (gid_t)-1), 0);
        ck_assert_int_eq(chmod(key, cases[i].mode), 0);
        t = NULL;
        gh_rc rc = open_server("server", NULL, &t, &err);
        ck_assert_msg((rc == GH_OK) == is_taken, "mode %o: %s", cases[i].mode, err.public_msg);
        if (rc != GH_OK) {
            ck_assert_int_eq(rc, GH_INVALID);
            ck_assert_ptr_nonnull(strstr(err.public_msg, "server.key"));
            ck_assert_ptr_null(t);
        }
        gh_tls_server_release(t);
    }
}
END_TEST

START_TEST(bad_files_are_told)
{
    gh_tls_server *t = server_for_test();
    authority other = make_certificate("other", "other", -1, NULL, "RSA", "SHA256", NULL);
    gh_tls_options options = { .cert_file = GH_STR("/nonexistent.crt"),
                               .key_file = gh_str_of(test_path("server", ".key")) };
    gh_err err = { 0 };

    gh_tls_server_release(t);
    t = NULL;
    ck_assert_int_eq(gh_tls_server_new(&options, &t, &err), GH_INVALID);
    ck_assert_ptr_nonnull(strstr(err.public_msg, "/nonexistent.crt"));
    options.cert_file = gh_str_of(test_path("server", ".crt"));
    options.key_file = GH_STR("/nonexistent.key");
    memset(&err, 0, sizeof(err));
    ck_assert_int_eq(gh_tls_server_new(&options, &t, &err), GH_INVALID);
    ck_assert_ptr_nonnull(strstr(err.public_msg, "/nonexistent.key"));
    options.key_file = gh_str_of(test_path("other", ".key")); /* of another certificate */
    memset(&err, 0, sizeof(err));
    ck_assert_int_eq(gh_tls_server_new(&options, &t, &err), GH_INVALID);
    options.key_file = GH_STR("/tmp"); /* no file */
    memset(&err, 0, sizeof(err));
    ck_assert_int_eq(gh_tls_server_new(&options, &t, &err), GH_INVALID);
    ck_assert_ptr_nonnull(strstr(err.public_msg, "regular file"));
    options.key_file = gh_str_of(test_path("server", ".key"));
    options.client_ca_file = GH_STR("/nonexistent.ca");
    memset(&err, 0, sizeof(err));
    ck_assert_int_eq(gh_tls_server_new(&options, &t, &err), GH_INVALID);
    ck_assert_ptr_nonnull(strstr(err.public_msg, "/nonexistent.ca"));
    ck_assert_ptr_null(t);
    authority_free(&other);
}
END_TEST

/* RFC 5929: the signature's own hash, SHA-256 for SHA-1, none for Ed25519. */
START_TEST(end_point_hash_follows_the_signature)
{
    static const struct {
        const char *key_type;
        const char *digest;
        const char *expected;
    } cases[] = {
        { "RSA", "SHA256", "SHA256" }, { "RSA", "SHA384", "SHA384" }, { "EC", "SHA512", "SHA512" },
        { "RSA", "SHA1", "SHA256" },   { "ED25519", NULL, NULL },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        authority a =
            make_certificate("hash", "hash", -1, NULL, cases[i].key_type, cases[i].digest, NULL);
        gh_tls_server *t = NULL;
        gh_err err = { 0 };
        unsigned char expected[EVP_MAX_MD_SIZE];
        unsigned len = 0;
        gh_rc rc = open_server("hash", NULL, &t, &err);
        if (rc != GH_OK && cases[i].digest != NULL && strcmp(cases[i].digest, "SHA1") == 0) {
            authority_free(&a); /* this OpenSSL's security level has no SHA-1 certificates at all */
            continue;
        }
        ck_assert_msg(rc == GH_OK, "%s", err.public_msg);
        if (cases[i].expected != NULL)
            X509_digest(a.cert, EVP_get_digestbyname(cases[i].expected), expected, &len);
        gh_str hash = gh_tls_server_end_point(t);
        ck_assert_uint_eq(hash.len, len);
        ck_assert(len == 0 || memcmp(hash.ptr, expected, len) == 0);
        gh_tls_server_release(t);
        authority_free(&a);
    }
}
END_TEST

/* ---- handshakes ----------------------------------------------------------------------------- */

/* Of the last handshake: who the client is, asked for alice. */
static gh_tls_client s_client;
static char s_identity[GH_TLS_IDENTITY_MAX];

static gh_rc try_handshake(gh_tls_server *t, SSL_CTX *ctx, const char *alpn, bool is_direct,
                           gh_tls_info *info, bool *client_ok)
{
    int fds[2];
    gh_stream s;
    gh_err err = { 0 };
    gh_rc rc = GH_UNSET;

    socket_pair(fds);
    gh_stream_init(&s, fds[0]);
    ck_assert_int_eq(gh_tls_accept(t, &s, is_direct, &err), GH_OK);
    SSL *client = client_new(ctx, fds[1], alpn);
    *client_ok = shake(client, &s, &rc, &err);
    s_client = gh_tls_client_check(t, &s, GH_STR("alice"), s_identity);
    if (rc == GH_OK)
        gh_tls_info_get(&s, info);
    else
        ck_assert_str_ne(err.detail, "");
    /* A refused handshake is final. */
    if (rc != GH_OK) {
        char byte;
        size_t got;
        ck_assert_int_ne(gh_stream_read(&s, &byte, 1, &got, NULL), GH_OK);
        ck_assert_int_ne(gh_tls_handshake(&s, &err), GH_OK);
    }
    gh_stream_fini(&s);
    SSL_free(client);
    close(fds[1]);
    return rc;
}

START_TEST(alpn_rules)
{
    gh_tls_server *t = server_for_test();
    SSL_CTX *ctx = client_ctx();
    gh_tls_info info;
    bool ok;

    ck_assert_int_eq(try_handshake(t, ctx, NULL, false, &info, &ok), GH_OK);
    ck_assert(ok);
    ck_assert_int_eq(try_handshake(t, ctx, ALPN, false, &info, &ok), GH_OK);
    ck_assert_int_eq(try_handshake(t, ctx, ALPN, true, &info, &ok), GH_OK);
    ck_assert_int_eq(try_handshake(t, ctx, "\x08http/1.1" ALPN, true, &info, &ok), GH_OK);
    /*
     * ALPACA: an HTTP client that was led here must not talk to us, nor anyone directly without a
     * word
     */
    ck_assert_int_eq(try_handshake(t, ctx, "\x08http/1.1", true, &info, &ok), GH_IO);
    ck_assert(!ok);
    ck_assert_int_eq(try_handshake(t, ctx, "\x02h2", false, &info, &ok), GH_IO);
    ck_assert_int_eq(try_handshake(t, ctx, NULL, true, &info, &ok), GH_BADMSG);
    SSL_CTX_free(ctx);
    gh_tls_server_release(t);
}
END_TEST

START_TEST(versions_and_ciphers)
{
    gh_tls_server *t = server_for_test();
    gh_tls_info info;
    bool ok;

    SSL_CTX *ctx = client_ctx();
    ck_assert_int_eq(try_handshake(t, ctx, NULL, false, &info, &ok), GH_OK);
    ck_assert_str_eq(info.version, "TLSv1.3");
    ck_assert_int_ge(info.bits, 128);
    ck_assert_int_eq(s_client, GH_TLS_CLIENT_NONE);
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    ck_assert_int_eq(try_handshake(t, ctx, NULL, false, &info, &ok), GH_OK);
    ck_assert_str_eq(info.version, "TLSv1.2");
    ck_assert_ptr_nonnull(strstr(info.cipher, "ECDHE"));
    ck_assert_int_eq(SSL_CTX_set_cipher_list(ctx, "AES128-SHA"), 1); /* no forward secrecy */
    ck_assert_int_ne(try_handshake(t, ctx, NULL, false, &info, &ok), GH_OK);
    SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
    ck_assert_int_ne(try_handshake(t, ctx, NULL, false, &info, &ok), GH_OK);
    SSL_CTX_free(ctx);
    gh_tls_server_release(t);
}
END_TEST

/* No ticket: nothing to resume from, in either version. */
START_TEST(sessions_are_not_resumed)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    gh_tls_server *t = server_for_test();

    for (size_t i = 0; i < GH_COUNT(versions); i++) {
        SSL_CTX *ctx = client_ctx();
        SSL_SESSION *session = NULL;
        SSL_CTX_set_max_proto_version(ctx, versions[i]);
        for (int round = 0; round < 2; round++) {
            int fds[2];
            gh_stream s;
            gh_err err = { 0 };
            gh_rc rc;
            char byte = 'x';
            size_t moved;
            socket_pair(fds);
            gh_stream_init(&s, fds[0]);
            ck_assert_int_eq(gh_tls_accept(t, &s, false, &err), GH_OK);
            SSL *client = client_new(ctx, fds[1], NULL);
            if (session != NULL)
                SSL_set_session(client, session);
            ck_assert(shake(client, &s, &rc, &err));
            ck_assert_int_eq(SSL_session_reused(client), 0);
            ck_assert_int_eq(gh_stream_write(&s, &byte, 1, &moved, &err), GH_OK);
            ck_assert_int_eq(SSL_read(client, &byte, 1),
                             1); /* and whatever ticket came before it */
            SSL_SESSION_free(session);
            session = SSL_get1_session(client);
            gh_stream_fini(&s);
            SSL_shutdown(client);
            SSL_free(client);
            close(fds[1]);
        }
        SSL_SESSION_free(session);
        SSL_CTX_free(ctx);
    }
    gh_tls_server_release(t);
}
END_TEST

static SSL_CTX *ctx_with(const char *name)
{
    SSL_CTX *ctx = client_ctx();

    ck_assert_int_eq(SSL_CTX_use_certificate_file(ctx, test_path(name, ".crt"), SSL_FILETYPE_PEM),
                     1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(ctx, test_path(name, ".key"), SSL_FILETYPE_PEM),
                     1);
    return ctx;
}

START_TEST(client_certificate_names)
{
    char long_name[66];
    static const struct {
        const char *cn;
        int len;
        const char *expected;
        gh_tls_client client;
    } cases[] = {
        { "alice", 5, "alice", GH_TLS_CLIENT_IS_USER },
        { "Alice", 5, "Alice", GH_TLS_CLIENT_OTHER },
        { "alice2", 6, "alice2", GH_TLS_CLIENT_OTHER },
        { "alice\0.evil.example", 19, "", GH_TLS_CLIENT_OTHER },
        { "alice\0", 6, "", GH_TLS_CLIENT_OTHER },
    };
    authority ca = make_certificate("clients", "clients", -1, NULL, "RSA", "SHA256", NULL);
    authority foreign = make_certificate("foreign", "foreign", -1, NULL, "RSA", "SHA256", NULL);
    gh_tls_server *t = server_for_test();
    gh_tls_info info;
    gh_err err = { 0 };
    bool ok;

    gh_tls_server_release(t);
    t = NULL;
    ck_assert_int_eq(open_server("server", "clients", &t, &err), GH_OK);
    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        authority a =
            make_certificate("client", cases[i].cn, cases[i].len, &ca, "EC", "SHA256", NULL);
        SSL_CTX *ctx = ctx_with("client");
        ck_assert_int_eq(try_handshake(t, ctx, NULL, false, &info, &ok), GH_OK);
        ck_assert_str_eq(s_identity, cases[i].expected);
        ck_assert_int_eq(s_client, cases[i].client);
        SSL_CTX_free(ctx);
        authority_free(&a);
    }
    memset(long_name, 'n', sizeof(long_name));
    authority longest = make_certificate("client", long_name, 64, &ca, "EC", "SHA256", NULL);
    SSL_CTX *ctx = ctx_with("client");
    ck_assert_int_eq(try_handshake(t, ctx, NULL, false, &info, &ok), GH_OK);
    ck_assert_uint_eq(strlen(s_identity), 64);
    SSL_CTX_free(ctx);
    authority_free(&longest);

    /* none is fine, one of another CA is not */
    ctx = client_ctx();
    ck_assert_int_eq(try_handshake(t, ctx, NULL, false, &info, &ok), GH_OK);
    ck_assert_int_eq(s_client, GH_TLS_CLIENT_NONE);
    ck_assert_str_eq(s_identity, "");
    SSL_CTX_free(ctx);
    authority mallory = make_certificate("mallory", "alice", -1, &foreign, "EC", "SHA256", NULL);
    ctx = ctx_with("mallory");
    ck_assert_int_eq(try_handshake(t, ctx, NULL, false, &info, &ok), GH_IO);
    ck_assert_int_ne(s_client, GH_TLS_CLIENT_IS_USER);
    SSL_CTX_free(ctx);
    authority_free(&mallory);
    authority_free(&foreign);
    authority_free(&ca);
    gh_tls_server_release(t);
}
END_TEST

static gh_tls_client check_by(gh_tls_name name, const gh_tls_mapping *map, size_t map_len)
{
    gh_tls_options options = {
        .cert_file = gh_str_of(test_path("server", ".crt")),
        .key_file = gh_str_of(test_path("server", ".key")),
        .client_ca_file = gh_str_of(test_path("clients", ".crt")),
        .client_name = name,
        .client_map = map,
        .client_map_len = map_len,
    };
    gh_tls_server *t = NULL;
    gh_tls_info info;
    gh_err err = { 0 };
    bool ok;

    ck_assert_int_eq(gh_tls_server_new(&options, &t, &err), GH_OK);
    SSL_CTX *ctx = ctx_with("client");
    ck_assert_int_eq(try_handshake(t, ctx, NULL, false, &info, &ok), GH_OK);
    SSL_CTX_free(ctx);
    gh_tls_server_release(t);
    return s_client;
}

START_TEST(client_names_of_each_kind)
{
    const gh_tls_mapping map[] = { { GH_STR("a@x"), GH_STR("bob") },
                                   { GH_STR("a@x"), GH_STR("alice") },
                                   { GH_STR("CN=cn"), GH_STR("alice") } };
    authority ca = make_certificate("clients", "clients", -1, NULL, "EC", "SHA256", NULL);
    authority a = make_certificate("client", "cn", -1, &ca, "EC", "SHA256",
                                   "DNS:other,DNS:alice,email:a@x,URI:spiffe://x/alice");

    gh_tls_server_release(server_for_test());
    ck_assert_int_eq(check_by(GH_TLS_NAME_DNS, NULL, 0), GH_TLS_CLIENT_IS_USER);
    ck_assert_str_eq(s_identity, "alice");
    ck_assert_int_eq(check_by(GH_TLS_NAME_CN, NULL, 0), GH_TLS_CLIENT_OTHER);
    ck_assert_str_eq(s_identity, "cn");
    ck_assert_int_eq(check_by(GH_TLS_NAME_EMAIL, NULL, 0), GH_TLS_CLIENT_OTHER);
    ck_assert_str_eq(s_identity, "a@x");
    ck_assert_int_eq(check_by(GH_TLS_NAME_URI, NULL, 0), GH_TLS_CLIENT_OTHER);
    ck_assert_str_eq(s_identity, "spiffe://x/alice");
    ck_assert_int_eq(check_by(GH_TLS_NAME_EMAIL, map, GH_COUNT(map)), GH_TLS_CLIENT_IS_USER);
    ck_assert_int_eq(check_by(GH_TLS_NAME_DN, map, GH_COUNT(map)), GH_TLS_CLIENT_IS_USER);
    ck_assert_str_eq(s_identity, "CN=cn");
    /* With a map, a name means nobody unless the map says so. */
    ck_assert_int_eq(check_by(GH_TLS_NAME_DNS, map, GH_COUNT(map)), GH_TLS_CLIENT_OTHER);
    ck_assert_int_eq(check_by(GH_TLS_NAME_EMAIL, map, 1), GH_TLS_CLIENT_OTHER);
    authority_free(&a);
    authority_free(&ca);
}
END_TEST

/* Without a CA for clients, a certificate that is shown names nobody. */
START_TEST(unasked_certificate_names_nobody)
{
    gh_tls_server *t = server_for_test();
    authority self = make_certificate("self", "admin", -1, NULL, "EC", "SHA256", NULL);
    SSL_CTX *ctx = ctx_with("self");
    gh_tls_info info;
    bool ok;

    ck_assert_int_eq(try_handshake(t, ctx, NULL, false, &info, &ok), GH_OK);
    ck_assert_int_eq(s_client, GH_TLS_CLIENT_NONE);
    ck_assert_str_eq(s_identity, "");
    SSL_CTX_free(ctx);
    authority_free(&self);
    gh_tls_server_release(t);
}
END_TEST

/* Open streams keep the certificate that they began with. */
START_TEST(streams_outlive_a_reload)
{
    gh_tls_server *t = server_for_test();
    SSL_CTX *ctx = client_ctx();
    int fds[2];
    gh_stream s;
    gh_err err = { 0 };
    gh_rc rc;
    char byte = 'x';
    size_t moved;

    socket_pair(fds);
    gh_stream_init(&s, fds[0]);
    gh_tls_server *mine = gh_tls_server_acquire(t);
    ck_assert_ptr_eq(mine, t);
    ck_assert_int_eq(gh_tls_accept(t, &s, false, &err), GH_OK);
    gh_tls_server_release(t);
    gh_tls_server_release(mine);
    SSL *client = client_new(ctx, fds[1], NULL);
    ck_assert(shake(client, &s, &rc, &err));
    ck_assert_int_eq(rc, GH_OK);
    ck_assert_int_eq(gh_stream_write(&s, &byte, 1, &moved, &err), GH_OK);
    ck_assert_int_eq(SSL_read(client, &byte, 1), 1);
    gh_stream_fini(&s);
    SSL_free(client);
    close(fds[1]);
    SSL_CTX_free(ctx);
}
END_TEST

START_TEST(garbage_is_refused)
{
    static const char *const garbage[] = { "\x16\x03\x01\xff\xff\x01", "GET / HTTP/1.1\r\n\r\n",
                                           "\x16\x03\x01\x00\x05hello",
                                           "\x15\x03\x01\x00\x02\x02\x28" };
    gh_tls_server *t = server_for_test();

    for (size_t i = 0; i < GH_COUNT(garbage); i++) {
        int fds[2];
        gh_stream s;
        gh_err err = { 0 };
        socket_pair(fds);
        gh_stream_init(&s, fds[0]);
        ck_assert_int_eq(gh_tls_accept(t, &s, false, &err), GH_OK);
        ck_assert_int_gt(send(fds[1], garbage[i], 7, 0), 0);
        gh_rc rc = gh_tls_handshake(&s, &err);
        if (rc ==
            GH_AGAIN) { /* the record's length asks for more: the end of it settles the matter */
            shutdown(fds[1], SHUT_WR);
            rc = gh_tls_handshake(&s, &err);
        }
        ck_assert_msg(rc == GH_IO || rc == GH_CLOSED, "%zu: %s", i, gh_rc_name(rc));
        gh_stream_fini(&s);
        close(fds[1]);
    }
    gh_tls_server_release(t);
}
END_TEST

TCase *server_tests(void)
{
    TCase *t = tcase_create("server");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, key_permissions);
    tcase_add_test(t, bad_files_are_told);
    tcase_add_test(t, end_point_hash_follows_the_signature);
    tcase_add_test(t, alpn_rules);
    tcase_add_test(t, versions_and_ciphers);
    tcase_add_test(t, sessions_are_not_resumed);
    tcase_add_test(t, client_certificate_names);
    tcase_add_test(t, client_names_of_each_kind);
    tcase_add_test(t, unasked_certificate_names_nobody);
    tcase_add_test(t, streams_outlive_a_reload);
    tcase_add_test(t, garbage_is_refused);
    return t;
}
