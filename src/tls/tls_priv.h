/* Private to tls: what stream.c and server.c share. The only headers of OpenSSL's SSL are included
 * here. */
#ifndef GATEHOUSE_TLS_PRIV_H
#define GATEHOUSE_TLS_PRIV_H

#include <stdatomic.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <gatehouse/tls.h>

struct gh_tls_server {
    atomic_size_t references; /* release: acq_rel; acquire: relaxed */
    SSL_CTX *ctx;
    unsigned char end_point[EVP_MAX_MD_SIZE];
    size_t end_point_len;
    gh_tls_name client_name;
    gh_tls_mapping *client_map; /* owned, as its strings */
    size_t client_map_len;
};

/* The oldest error of OpenSSL's queue, in words, for the operator; empties the queue. */
void gh_tls_explain(char *out, size_t cap);
/* Modes that every stream needs: no buffers while idle, partial writes, a write's buffer may move. */
void gh_tls_tune(SSL *ssl);
/* What gh_tls_connect_like expects of the server: checked after the handshake, freed with the SSL. */
bool gh_tls_meets_expectation(SSL *ssl);
void gh_tls_forget_expectation(SSL *ssl);

#endif
