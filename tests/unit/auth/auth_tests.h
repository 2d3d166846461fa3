#ifndef AUTH_TESTS_H
#define AUTH_TESTS_H

#include <gatehouse/auth.h>

#include <check.h>
#include <stdlib.h>

Suite *auth_verifier_suite(void);
Suite *auth_scram_suite(void);
Suite *auth_psql_suite(void);
Suite *auth_throttle_suite(void);

/*
 * The client's side of SCRAM-SHA-256, written from RFC 5802 with OpenSSL alone: it shares no code
 * with what it tests.
 */
typedef struct scram_client {
    const char *gs2; /* "n,,", "y,,", "p=tls-server-end-point,," */
    gh_str binding;  /* what goes behind the gs2 header in c= */
    const char *user;
    const char *nonce;
    const char *password;
    char first_bare[256];
    char signature[64]; /* base64 of what the server must prove */
} scram_client;

void client_first(scram_client *c, gh_buf *out);
/* Takes server-first, makes client-final. */
void client_final(scram_client *c, gh_str server_first, gh_buf *out);
/* base64 by OpenSSL, with its NUL. */
void client_base64(const void *bytes, size_t len, char *out);

#endif
