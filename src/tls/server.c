/*
 * The server's certificate and key as a counted snapshot, and TLS over streams in both roles.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <gatehouse/tls.h>

#include "tls_priv.h"

/* Forward secrecy and authenticated encryption, nothing else; TLS 1.3's suites are OpenSSL's own. */
#define TLS12_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

static const unsigned char s_alpn[] = { 10, 'p', 'o', 's', 't', 'g', 'r', 'e', 's', 'q', 'l' };

/* ---- files ---------------------------------------------------------------------------------- */

static gh_rc file_failed(const char *what, const char *path, const char *cause, gh_err *err)
{
    gh_rc rc = gh_fail(err, GH_INVALID, "F0000", "%s %s: %s", what, path, cause);

    gh_err_detail(err, "%s %s: %s", what, path, cause);
    return rc;
}

static gh_rc openssl_failed(const char *what, const char *path, gh_err *err)
{
    char reason[160];

    gh_tls_explain(reason, sizeof(reason));
    return file_failed(what, path, reason, err);
}

/* The rule of PostgreSQL's check_ssl_key_file_permissions. */
static gh_rc check_key_file(const char *path, gh_err *err)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return file_failed("private key file", path, strerror(errno), err);
    if (!S_ISREG(st.st_mode))
        return file_failed("private key file", path, "is not a regular file", err);
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return file_failed("private key file", path, "must be owned by this user or root", err);
    if ((st.st_uid == 0 && (st.st_mode & (S_IWGRP | S_IXGRP | S_IRWXO)) != 0) ||
        (st.st_uid != 0 && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0))
        return file_failed("private key file", path,
                           "has group or world access; it must have 0600 or less, or 0640 or less "
                           "if owned by root",
                           err);
    return GH_OK;
}

/* An encrypted key fails to load instead of asking on a terminal that a daemon does not have. */
static int no_passphrase(char *buf, int size, int is_write, void *arg)
{
    (void)buf;
    (void)size;
    (void)is_write;
    (void)arg;
    return -1;
}

/* ---- context -------------------------------------------------------------------------------- */

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *offered, unsigned offered_len, void *arg)
{
    unsigned char *selected = NULL;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&selected, out_len, s_alpn, sizeof(s_alpn), offered, offered_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = selected;
    return SSL_TLSEXT_ERR_OK;
}

static void configure(SSL_CTX *ctx)
{
    (void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    (void)SSL_CTX_set_cipher_list(ctx, TLS12_CIPHERS);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                       SSL_OP_NO_TICKET | SSL_OP_SINGLE_ECDH_USE);
    (void)SSL_CTX_set_num_tickets(ctx, 0);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(ctx, select_alpn, NULL);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
}

static gh_rc load_own(SSL_CTX *ctx, const char *cert, const char *key, gh_err *err)
{
    gh_rc rc;

    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return openssl_failed("certificate file", cert, err);
    rc = check_key_file(key, err);
    if (rc != GH_OK)
        return rc;
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return openssl_failed("private key file", key, err);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return openssl_failed("private key does not belong to the certificate:", key, err);
    return GH_OK;
}

/* A certificate is not demanded; one that is shown must be good. */
static gh_rc load_client_ca(SSL_CTX *ctx, const char *ca, const char *crl, gh_err *err)
{
    ERR_clear_error();
    if (ca[0] == '\0')
        return GH_OK;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca);
    if (names == NULL)
        return openssl_failed("client CA file", ca, err);
    SSL_CTX_set_client_CA_list(ctx, names);
    if (SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1)
        return openssl_failed("client CA file", ca, err);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (crl[0] == '\0')
        return GH_OK;
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (lookup == NULL || X509_load_crl_file(lookup, crl, X509_FILETYPE_PEM) <= 0)
        return openssl_failed("client revocation list", crl, err);
    (void)X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return GH_OK;
}

static void copy_map(gh_tls_server *t, const gh_tls_options *options)
{
    t->client_name = options->client_name;
    if (options->client_map_len == 0)
        return;
    t->client_map = gh_alloc(options->client_map_len * sizeof(*t->client_map));
    t->client_map_len = options->client_map_len;
    for (size_t i = 0; i < t->client_map_len; i++) {
        const gh_tls_mapping *from = &options->client_map[i];

        t->client_map[i] = (gh_tls_mapping){ { gh_strdup(from->name), from->name.len },
                                             { gh_strdup(from->user), from->user.len } };
    }
}

/*
 * RFC 5929 section 4.1: the hash of the certificate's signature algorithm, SHA-256 instead of MD5
 * and SHA-1; none if the algorithm has no single hash.
 */
static void hash_certificate(gh_tls_server *t)
{
    X509 *cert = SSL_CTX_get0_certificate(t->ctx);
    int hash_nid = NID_undef;
    unsigned len = 0;

    if (cert == NULL || X509_get_signature_info(cert, &hash_nid, NULL, NULL, NULL) != 1)
        return;
    if (hash_nid == NID_md5 || hash_nid == NID_sha1)
        hash_nid = NID_sha256;
    const EVP_MD *md = EVP_get_digestbynid(hash_nid);
    if (md != NULL && X509_digest(cert, md, t->end_point, &len) == 1)
        t->end_point_len = len;
    ERR_clear_error();
}

gh_rc gh_tls_server_new(const gh_tls_options *options, gh_tls_server **out, gh_err *err)
{
    gh_tls_server *t = gh_alloc(sizeof(*t));
    char *cert = gh_strdup(options->cert_file);
    char *key = gh_strdup(options->key_file);
    char *ca = gh_strdup(options->client_ca_file);
    char *crl = gh_strdup(options->client_crl_file);
    gh_rc rc;

    atomic_init(&t->references, 1);
    t->ctx = SSL_CTX_new(TLS_server_method());
    if (t->ctx == NULL) {
        rc = openssl_failed("TLS", "context", err);
        goto done;
    }
    configure(t->ctx);
    rc = load_own(t->ctx, cert, key, err);
    if (rc != GH_OK)
        goto done;
    rc = load_client_ca(t->ctx, ca, crl, err);
    if (rc != GH_OK)
        goto done;
    hash_certificate(t);
    copy_map(t, options);
    *out = t;
    t = NULL;

done:
    free(cert);
    free(key);
    free(ca);
    free(crl);
    gh_tls_server_release(t);
    return rc;
}

gh_tls_server *gh_tls_server_acquire(gh_tls_server *t)
{
    if (t == NULL) /* `mode: disable` has none */
        return NULL;
    (void)atomic_fetch_add_explicit(&t->references, 1, memory_order_relaxed);
    return t;
}

void gh_tls_server_release(gh_tls_server *t)
{
    if (t == NULL)
        return;
    if (atomic_fetch_sub_explicit(&t->references, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(t->ctx);
    for (size_t i = 0; i < t->client_map_len; i++) {
        free((void *)(uintptr_t)t->client_map[i].name.ptr); /* gh_strdup's */
        free((void *)(uintptr_t)t->client_map[i].user.ptr);
    }
    free(t->client_map);
    free(t);
}

gh_str gh_tls_server_end_point(const gh_tls_server *t)
{
    return (gh_str){ (const char *)t->end_point, t->end_point_len };
}

/* ---- streams -------------------------------------------------------------------------------- */

static gh_rc start_failed(const char *what, gh_err *err)
{
    char reason[160];
    gh_rc rc = gh_fail(err, GH_IO, "08006", "TLS could not be started");

    gh_tls_explain(reason, sizeof(reason));
    gh_err_detail(err, "%s: %s", what, reason);
    return rc;
}

gh_rc gh_tls_accept(gh_tls_server *t, gh_stream *s, bool is_direct, gh_err *err)
{
    GH_ASSERT(s->is_open);
    GH_ASSERT(s->ssl == NULL);
    ERR_clear_error();
    SSL *ssl = SSL_new(t->ctx);
    if (ssl == NULL || SSL_set_fd(ssl, s->fd) != 1) {
        SSL_free(ssl);
        return start_failed("SSL_new", err);
    }
    gh_tls_tune(ssl);
    SSL_set_accept_state(ssl);
    s->ssl = ssl;
    s->needs_alpn = is_direct;
    return GH_OK;
}

void gh_tls_info_get(const gh_stream *s, gh_tls_info *out)
{
    *out = (gh_tls_info){ .version = "", .cipher = "" };
    if (!s->is_open || s->ssl == NULL)
        return;
    out->version = SSL_get_version(s->ssl);
    out->cipher = SSL_get_cipher_name(s->ssl);
    out->bits = SSL_get_cipher_bits(s->ssl, NULL);
}

/* ---- the second connection to an upstream --------------------------------------------------- */

/* Hangs on the SSL as its application data. */
typedef struct expectation {
    X509 *pinned;
    char *host; /* empty: any */
} expectation;

void gh_tls_forget_expectation(SSL *ssl)
{
    expectation *e = SSL_get_app_data(ssl);

    if (e == NULL)
        return;
    (void)SSL_set_app_data(ssl, NULL);
    X509_free(e->pinned);
    free(e->host);
    free(e);
}

bool gh_tls_meets_expectation(SSL *ssl)
{
    const expectation *e = SSL_get_app_data(ssl);
    X509 *cert = SSL_get0_peer_certificate(ssl);

    if (e == NULL || e->host[0] == '\0')
        return true;
    if (cert == NULL)
        return false;
    return (e->pinned != NULL && X509_cmp(cert, e->pinned) == 0) ||
           X509_check_host(cert, e->host, 0, 0, NULL) == 1 ||
           X509_check_ip_asc(cert, e->host, 0) == 1;
}

gh_rc gh_tls_connect_like(gh_stream *s, const gh_stream *model, gh_str host, gh_err *err)
{
    GH_ASSERT(s->is_open);
    GH_ASSERT(s->ssl == NULL);
    GH_ASSERT(model->ssl != NULL);
    ERR_clear_error();
    /* The context is counted: it stays as long as this SSL, whatever becomes of the model. */
    SSL *ssl = SSL_new(SSL_get_SSL_CTX(model->ssl));
    if (ssl == NULL || SSL_set_fd(ssl, s->fd) != 1) {
        SSL_free(ssl);
        return start_failed("SSL_new", err);
    }
    gh_tls_tune(ssl);
    const char *sni = SSL_get_servername(model->ssl, TLSEXT_NAMETYPE_host_name);
    if (sni != NULL)
        (void)SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                       (void *)(uintptr_t)sni); /* copied, not changed */
    int verify = SSL_get_verify_mode(model->ssl);
    SSL_set_verify(ssl, verify, NULL);
    X509 *own = SSL_get_certificate(model->ssl);
    EVP_PKEY *key = SSL_get_privatekey(model->ssl);
    if (own != NULL && key != NULL &&
        (SSL_use_certificate(ssl, own) != 1 || SSL_use_PrivateKey(ssl, key) != 1)) {
        SSL_free(ssl);
        return start_failed("client certificate", err);
    }
    if ((verify & SSL_VERIFY_PEER) != 0) {
        expectation *e = gh_alloc(sizeof(*e));
        e->pinned = SSL_get1_peer_certificate(model->ssl);
        e->host = gh_strdup(host);
        (void)SSL_set_app_data(ssl, e);
    }
    SSL_set_connect_state(ssl);
    s->ssl = ssl;
    return GH_OK;
}
