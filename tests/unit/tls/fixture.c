#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tls_tests.h"

static char s_dir[64];

const char *test_path(const char *name, const char *suffix)
{
    static char paths[4][128];
    static int next;

    if (s_dir[0] == '\0') {
        strcpy(s_dir, "/tmp/gatehouse-tls.XXXXXX");
        if (mkdtemp(s_dir) == NULL) /* outside any test: the runner asks first */
            abort();
    }
    next = (next + 1) % 4;
    snprintf(paths[next], sizeof(paths[next]), "%s/%s%s", s_dir, name, suffix);
    return paths[next];
}

static EVP_PKEY *make_key(const char *type)
{
    if (strcmp(type, "RSA") == 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    if (strcmp(type, "EC") == 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    return EVP_PKEY_Q_keygen(NULL, NULL, type);
}

static void write_files(const char *name, const authority *a)
{
    /* Anew: a test may have given the old ones away. */
    unlink(test_path(name, ".crt"));
    unlink(test_path(name, ".key"));
    FILE *f = fopen(test_path(name, ".crt"), "w");
    ck_assert_ptr_nonnull(f);
    PEM_write_X509(f, a->cert);
    fclose(f);
    int fd = open(test_path(name, ".key"), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    f = fdopen(fd, "w");
    ck_assert_ptr_nonnull(f);
    PEM_write_PrivateKey(f, a->key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
}

authority make_certificate(const char *name, const char *cn, int cn_len, const authority *issuer,
                           const char *key_type, const char *digest, const char *san)
{
    static long serial;
    authority a = { .key = make_key(key_type), .cert = X509_new() };
    X509_NAME *subject = X509_NAME_new();
    const EVP_PKEY *signer = issuer != NULL ? issuer->key : a.key;

    ck_assert_ptr_nonnull(a.key);
    X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, (const unsigned char *)cn,
                               cn_len, -1, 0);
    X509_set_version(a.cert, 2);
    serial++;
    ASN1_INTEGER_set(X509_get_serialNumber(a.cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(a.cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(a.cert), 3600);
    X509_set_subject_name(a.cert, subject);
    X509_set_issuer_name(a.cert, issuer != NULL ? X509_get_subject_name(issuer->cert) : subject);
    X509_set_pubkey(a.cert, a.key);
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer != NULL ? issuer->cert : a.cert, a.cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, NID_basic_constraints,
                                            issuer == NULL ? "critical,CA:TRUE" : "CA:FALSE");
    X509_add_ext(a.cert, e, -1);
    X509_EXTENSION_free(e);
    if (san != NULL) {
        e = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, san);
        X509_add_ext(a.cert, e, -1);
        X509_EXTENSION_free(e);
    }
    int size = X509_sign(a.cert, (EVP_PKEY *)(uintptr_t)signer,
                         digest != NULL ? EVP_get_digestbyname(digest) : NULL);
    ck_assert_int_gt(size, 0);
    X509_NAME_free(subject);
    write_files(name, &a);
    return a;
}

void authority_free(authority *a)
{
    EVP_PKEY_free(a->key);
    X509_free(a->cert);
}

authority load_authority(const char *name)
{
    authority a = { 0 };
    FILE *f = fopen(test_path(name, ".crt"), "r");

    ck_assert_ptr_nonnull(f);
    a.cert = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    f = fopen(test_path(name, ".key"), "r");
    ck_assert_ptr_nonnull(f);
    a.key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    fclose(f);
    return a;
}

gh_rc open_server(const char *name, const char *client_ca, gh_tls_server **out, gh_err *err)
{
    gh_tls_options options = {
        .cert_file = gh_str_of(test_path(name, ".crt")),
        .key_file = gh_str_of(test_path(name, ".key")),
    };

    if (client_ca != NULL)
        options.client_ca_file = gh_str_of(test_path(client_ca, ".crt"));
    return gh_tls_server_new(&options, out, err);
}

gh_tls_server *server_for_test(void)
{
    authority ca = make_certificate("ca", "ca", -1, NULL, "EC", "SHA256", NULL);
    authority server =
        make_certificate("server", "server", -1, &ca, "EC", "SHA256", "DNS:localhost,IP:127.0.0.1");
    gh_tls_server *t = NULL;
    gh_err err = { 0 };

    gh_rc rc = open_server("server", NULL, &t, &err);
    ck_assert_msg(rc == GH_OK, "%s", err.public_msg);
    authority_free(&ca);
    authority_free(&server);
    return t;
}

SSL_CTX *client_ctx(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    ck_assert_int_eq(SSL_CTX_load_verify_locations(ctx, test_path("ca", ".crt"), NULL), 1);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return ctx;
}

SSL *client_new(SSL_CTX *ctx, int fd, const char *alpn)
{
    SSL *ssl = SSL_new(ctx);

    SSL_set_fd(ssl, fd);
    SSL_set_connect_state(ssl);
    if (alpn != NULL)
        ck_assert_int_eq(
            SSL_set_alpn_protos(ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn)), 0);
    return ssl;
}

void socket_pair(int fds[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

bool shake(SSL *client, gh_stream *server, gh_rc *server_rc, gh_err *err)
{
    int done = 0;

    *server_rc = GH_AGAIN;
    for (int i = 0; i < 50; i++) {
        if (done != 1) {
            done = SSL_do_handshake(client);
            if (done != 1 && SSL_get_error(client, done) != SSL_ERROR_WANT_READ)
                i = 49; /* it failed: one last turn for the server */
        }
        if (*server_rc == GH_AGAIN)
            *server_rc = gh_tls_handshake(server, err);
        if (done == 1 && *server_rc != GH_AGAIN)
            break;
    }
    return done == 1;
}
