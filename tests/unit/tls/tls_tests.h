/* Certificates made on the spot, and two ends of one socket moved in turns. */
#ifndef GATEHOUSE_TEST_TLS_TESTS_H
#define GATEHOUSE_TEST_TLS_TESTS_H

#include <check.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <gatehouse/tls.h>

TCase *server_tests(void);
TCase *stream_tests(void);

typedef struct authority {
    EVP_PKEY *key;
    X509 *cert;
} authority;

/* Into s_dir/<name>.crt and .key; self-signed without an issuer. `san`: DNS:x,IP:y or NULL. */
authority make_certificate(const char *name, const char *cn, int cn_len, const authority *issuer,
                           const char *key_type, const char *digest, const char *san);
authority load_authority(const char *name);
void authority_free(authority *a);
const char *test_path(const char *name, const char *suffix); /* valid until the fourth call after */
gh_rc open_server(const char *name, const char *client_ca, gh_tls_server **out, gh_err *err);
gh_tls_server *server_for_test(void); /* with certificate "server" signed by "ca" */

/* A plain OpenSSL client, as any driver has it. `alpn`: wire form, NULL: none. */
SSL *client_new(SSL_CTX *ctx, int fd, const char *alpn);
SSL_CTX *client_ctx(void); /* trusts "ca" */
void socket_pair(int fds[2]);
/* Both handshakes, to their ends. True when the client's side succeeded. */
bool shake(SSL *client, gh_stream *server, gh_rc *server_rc, gh_err *err);

#endif
