/* The client that the tests play. */
#include "auth_tests.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

void client_base64(const void *bytes, size_t len, char *out)
{
    EVP_EncodeBlock((unsigned char *)out, bytes, (int)len);
}

static void hmac(const unsigned char *key, const void *bytes, size_t len, unsigned char out[32])
{
    ck_assert_ptr_nonnull(HMAC(EVP_sha256(), key, 32, bytes, len, out, NULL));
}

void client_first(scram_client *c, gh_buf *out)
{
    snprintf(c->first_bare, sizeof(c->first_bare), "n=%s,r=%s", c->user, c->nonce);
    gh_buf_printf(out, "%s%s", c->gs2, c->first_bare);
}

void client_final(scram_client *c, gh_str server_first, gh_buf *out)
{
    unsigned char salt[128], salted[32], client_key[32], server_key[32], stored_key[32],
        signature[32];
    char text[1024], nonce[256], salt64[128], binding64[512], proof64[64];
    unsigned int iterations = 0;
    gh_buf binding = { 0 }, message = { 0 }, bare = { 0 };
    size_t padding;
    int salt_len;

    ck_assert_uint_lt(server_first.len, sizeof(text));
    memcpy(text, server_first.ptr, server_first.len);
    text[server_first.len] = '\0';
    ck_assert_int_eq(sscanf(text, "r=%255[^,],s=%127[^,],i=%u", nonce, salt64, &iterations), 3);
    ck_assert_int_eq(strncmp(nonce, c->nonce, strlen(c->nonce)), 0);
    ck_assert_uint_gt(strlen(nonce), strlen(c->nonce));
    salt_len = EVP_DecodeBlock(salt, (unsigned char *)salt64, (int)strlen(salt64));
    ck_assert_int_gt(salt_len, 0);
    padding = strlen(salt64) - strcspn(salt64, "=");
    ck_assert_int_eq(PKCS5_PBKDF2_HMAC(c->password, (int)strlen(c->password), salt,
                                       salt_len - (int)padding, (int)iterations, EVP_sha256(), 32,
                                       salted),
                     1);
    hmac(salted, "Client Key", 10, client_key);
    hmac(salted, "Server Key", 10, server_key);
    ck_assert_int_eq(EVP_Digest(client_key, 32, stored_key, NULL, EVP_sha256(), NULL), 1);
    gh_buf_puts(&binding, c->gs2);
    gh_buf_put_str(&binding, c->binding);
    client_base64(binding.ptr, binding.len, binding64);
    gh_buf_printf(&bare, "c=%s,r=%s", binding64, nonce);
    gh_buf_printf(&message, "%s,%s,", c->first_bare, text);
    gh_buf_put_str(&message, gh_buf_str(&bare));
    hmac(stored_key, message.ptr, message.len, signature);
    for (size_t i = 0; i < 32; i++)
        client_key[i] ^= signature[i];
    client_base64(client_key, 32, proof64);
    hmac(server_key, message.ptr, message.len, signature);
    client_base64(signature, 32, c->signature);
    gh_buf_put_str(out, gh_buf_str(&bare));
    gh_buf_printf(out, ",p=%s", proof64);
    gh_buf_fini(&binding);
    gh_buf_fini(&message);
    gh_buf_fini(&bare);
}
