/*
 * What auth's files share: SHA-256's relatives by OpenSSL, and base64.
 */
#ifndef GATEHOUSE_AUTH_PRIV_H
#define GATEHOUSE_AUTH_PRIV_H

#include <gatehouse/auth.h>

/* HMAC-SHA-256 over two pieces in a row (the second may be empty). */
void auth_hmac(const void *key, size_t key_len, gh_str first, gh_str second,
               uint8_t out[GH_AUTH_KEY_LEN]);
void auth_sha256(const void *bytes, size_t len, uint8_t out[GH_AUTH_KEY_LEN]);

void auth_put_base64(gh_buf *b, const void *bytes, size_t len);
/* RFC 4648 to the letter: padded, no white space, no bits left over. False: it is not, or does not
 * fit. */
bool auth_read_base64(gh_str text, uint8_t *out, size_t out_max, size_t *out_len);

/* A verifier that no password fits, always the same for a user: SHA-256's output is the randomness. */
void auth_verifier_mock(gh_str mock_secret, gh_str user, gh_auth_verifier *out);

#endif
