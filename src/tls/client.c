/*
 * Who a client is by its certificate; and what is trusted about servers.
 *
 *     verified certificate ─▶ names of the configured kind ─▶ each: through the map, or as it is ─▶ user?
 *
 * A certificate may carry several alternative names: it stands for each of them. Of a subject, only
 * one common name counts: which of two a CA had checked cannot be known.
 */
#include <openssl/x509v3.h>

#include <gatehouse/tls.h>

#include "tls_priv.h"

typedef struct search {
    const gh_tls_server *server;
    gh_str user;
    char *identity;
    gh_tls_client found;
} search;

static bool is_named(const gh_tls_server *t, gh_str name, gh_str user)
{
    for (size_t i = 0; i < t->client_map_len; i++) {
        if (gh_str_eq(t->client_map[i].name, name) && gh_str_eq(t->client_map[i].user, user))
            return true;
    }
    return t->client_map_len == 0 && gh_str_eq(name, user);
}

/*
 * SECURITY: a name of "admin\0.evil" must not be read as admin, nor a long one as its beginning.
 * Attack: tests/unit/tls/test_server.c, client_certificate_names.
 */
static void try_name(search *f, const char *bytes, size_t len)
{
    gh_str name = { bytes, len };
    bool is_user;

    if (len == 0 || len >= GH_TLS_IDENTITY_MAX || memchr(bytes, '\0', len) != NULL)
        return;
    is_user = is_named(f->server, name, f->user);
    if (f->found == GH_TLS_CLIENT_IS_USER || (!is_user && f->identity[0] != '\0'))
        return;
    memcpy(f->identity, bytes, len);
    f->identity[len] = '\0';
    if (is_user)
        f->found = GH_TLS_CLIENT_IS_USER;
}

static void try_asn1(search *f, const ASN1_STRING *value)
{
    unsigned char *utf8 = NULL;
    int len = ASN1_STRING_to_UTF8(&utf8, value);

    if (len > 0)
        try_name(f, (const char *)utf8, (size_t)len);
    OPENSSL_free(utf8);
}

static void try_common_name(search *f, const X509_NAME *subject)
{
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
        return;
    try_asn1(f, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

static void try_subject(search *f, const X509_NAME *subject)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *bytes = NULL;

    GH_ASSERT(out != NULL);
    if (X509_NAME_print_ex(out, subject, 0, XN_FLAG_RFC2253) > 0) {
        long len = BIO_get_mem_data(out, &bytes);
        if (len > 0)
            try_name(f, bytes, (size_t)len);
    }
    (void)BIO_free(out);
}

static void try_alternatives(search *f, const X509 *cert, int kind)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) { /* -1 of none */
        int type = 0;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);

        if (type == kind)
            try_name(f, (const char *)ASN1_STRING_get0_data(value),
                     (size_t)ASN1_STRING_length(value));
    }
    GENERAL_NAMES_free(names);
}

static void try_certificate(search *f, const X509 *cert)
{
    const X509_NAME *subject = X509_get_subject_name(cert);

    switch (f->server->client_name) {
    case GH_TLS_NAME_CN:
        try_common_name(f, subject);
        break;
    case GH_TLS_NAME_DN:
        try_subject(f, subject);
        break;
    case GH_TLS_NAME_DNS:
        try_alternatives(f, cert, GEN_DNS);
        break;
    case GH_TLS_NAME_EMAIL:
        try_alternatives(f, cert, GEN_EMAIL);
        break;
    case GH_TLS_NAME_URI:
        try_alternatives(f, cert, GEN_URI);
        break;
    }
}

gh_tls_client gh_tls_client_check(const gh_tls_server *t, const gh_stream *s, gh_str user,
                                  char *identity)
{
    search f = { t, user, identity, GH_TLS_CLIENT_OTHER };
    const X509 *cert;

    identity[0] = '\0';
    if (!s->is_open || s->ssl == NULL || !SSL_is_server(s->ssl))
        return GH_TLS_CLIENT_NONE;
    cert = SSL_get0_peer_certificate(s->ssl);
    if (cert == NULL || (SSL_get_verify_mode(s->ssl) & SSL_VERIFY_PEER) == 0 ||
        SSL_get_verify_result(s->ssl) != X509_V_OK)
        return GH_TLS_CLIENT_NONE;
    ERR_clear_error();
    try_certificate(&f, cert);
    ERR_clear_error();
    return f.found;
}

/* ---- trust shared by upstream connections ---------------------------------------------------- */

static bool is_same_object(const X509_OBJECT *a, const X509_OBJECT *b)
{
    const X509 *cert = X509_OBJECT_get0_X509(a);
    const X509 *other = X509_OBJECT_get0_X509(b);

    /* Revocation lists are few and change: stores that hold one are not shared. */
    return cert != NULL && other != NULL && X509_cmp(cert, other) == 0;
}

static bool is_same_store(X509_STORE *a, X509_STORE *b)
{
    const STACK_OF(X509_OBJECT) * mine;
    const STACK_OF(X509_OBJECT) * other;
    bool is_same;

    /* Another thread may verify by the shared one, which sorts it. */
    GH_ASSERT(X509_STORE_lock(b) == 1);
    mine = X509_STORE_get0_objects(a);
    other = X509_STORE_get0_objects(b);
    is_same = sk_X509_OBJECT_num(mine) == sk_X509_OBJECT_num(other);
    for (int i = 0; is_same && i < sk_X509_OBJECT_num(mine); i++)
        is_same = is_same_object(sk_X509_OBJECT_value(mine, i), sk_X509_OBJECT_value(other, i));
    (void)X509_STORE_unlock(b);
    return is_same;
}

void gh_stream_share_trust(const gh_stream *s, X509_STORE **shared)
{
    SSL_CTX *ctx = s->ssl != NULL ? SSL_get_SSL_CTX(s->ssl) : NULL;
    X509_STORE *own = ctx != NULL ? SSL_CTX_get_cert_store(ctx) : NULL;

    if (own == NULL || own == *shared)
        return;
    if (*shared != NULL && is_same_store(own, *shared)) {
        SSL_CTX_set1_cert_store(ctx, *shared);
        return;
    }
    X509_STORE_free(*shared);
    GH_ASSERT(X509_STORE_up_ref(own) == 1);
    *shared = own;
}

void gh_tls_release_trust(X509_STORE *shared)
{
    X509_STORE_free(shared);
}
