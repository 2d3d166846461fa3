/*
 * Verifiers: what is kept so that a password can be checked and not be learned.
 *
 *     SaltedPassword = PBKDF2(password, salt, iterations)
 *     StoredKey      = SHA-256(HMAC(SaltedPassword, "Client Key"))     checks the client's proof
 *     ServerKey      = HMAC(SaltedPassword, "Server Key")              proves us to the client
 */
#include "auth_priv.h"

#include <openssl/evp.h>

#define PREFIX "SCRAM-SHA-256$"

/* Splits text at the first `at`; false if there is none. */
static bool split(gh_str *text, char at, gh_str *before)
{
    const char *found = text->len == 0 ? NULL : memchr(text->ptr, at, text->len);
    size_t len;

    if (found == NULL)
        return false;
    len = (size_t)(found - text->ptr);
    *before = (gh_str){ text->ptr, len };
    text->ptr += len + 1;
    text->len -= len + 1;
    return true;
}

static bool read_iterations(gh_str text, uint32_t *out)
{
    uint32_t value = 0;

    if (text.len == 0 || text.ptr[0] == '0')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        value = value * 10 + (uint32_t)(text.ptr[i] - '0');
        if (value > GH_AUTH_ITERATIONS_MAX)
            return false;
    }
    *out = value;
    return true;
}

static bool read_key(gh_str text, uint8_t out[GH_AUTH_KEY_LEN])
{
    size_t len = 0;

    return auth_read_base64(text, out, GH_AUTH_KEY_LEN, &len) && len == GH_AUTH_KEY_LEN;
}

gh_rc gh_auth_verifier_parse(gh_str text, gh_auth_verifier *out, gh_err *err)
{
    const size_t prefix_len = sizeof(PREFIX) - 1;
    gh_auth_verifier v;
    gh_str iterations, salt, stored_key;
    size_t salt_len = 0;
    bool is_valid = text.len > prefix_len && memcmp(text.ptr, PREFIX, prefix_len) == 0;

    memset(&v, 0, sizeof(v));
    if (is_valid) {
        text = (gh_str){ text.ptr + prefix_len, text.len - prefix_len };
        is_valid = split(&text, ':', &iterations) && split(&text, '$', &salt) &&
                   split(&text, ':', &stored_key) && read_iterations(iterations, &v.iterations) &&
                   auth_read_base64(salt, v.salt, sizeof(v.salt), &salt_len) &&
                   read_key(stored_key, v.stored_key) && read_key(text, v.server_key);
    }
    if (!is_valid)
        return gh_fail(err, GH_INVALID, "22023", "not a SCRAM-SHA-256 verifier");
    v.salt_len = (uint32_t)salt_len;
    *out = v;
    return GH_OK;
}

void gh_auth_verifier_format(const gh_auth_verifier *v, gh_buf *out)
{
    gh_buf_printf(out, PREFIX "%u:", v->iterations);
    auth_put_base64(out, v->salt, v->salt_len);
    gh_buf_puts(out, "$");
    auth_put_base64(out, v->stored_key, sizeof(v->stored_key));
    gh_buf_puts(out, ":");
    auth_put_base64(out, v->server_key, sizeof(v->server_key));
}

gh_rc gh_auth_verifier_make(gh_str password, const void *salt, size_t salt_len, uint32_t iterations,
                            gh_auth_verifier *out, gh_err *err)
{
    uint8_t salted[GH_AUTH_KEY_LEN];
    uint8_t client_key[GH_AUTH_KEY_LEN];
    gh_auth_verifier v;

    GH_ASSERT(salt_len > 0);
    GH_ASSERT(salt_len <= GH_AUTH_SALT_MAX);
    if (password.len == 0)
        return gh_fail(err, GH_INVALID, "22023", "the password is empty");
    if (password.len > GH_AUTH_PASSWORD_MAX)
        return gh_fail(err, GH_INVALID, "22023", "the password is longer than %d bytes",
                       GH_AUTH_PASSWORD_MAX);
    if (memchr(password.ptr, '\0', password.len) != NULL)
        return gh_fail(err, GH_INVALID, "22023", "the password holds a NUL byte");
    if (iterations < 1 || iterations > GH_AUTH_ITERATIONS_MAX)
        return gh_fail(err, GH_INVALID, "22023", "the number of iterations is not between 1 and %d",
                       GH_AUTH_ITERATIONS_MAX);
    memset(&v, 0, sizeof(v));
    v.iterations = iterations;
    v.salt_len = (uint32_t)salt_len;
    memcpy(v.salt, salt, salt_len);
    GH_ASSERT(PKCS5_PBKDF2_HMAC(password.ptr, (int)password.len, v.salt, (int)salt_len,
                                (int)iterations, EVP_sha256(), (int)sizeof(salted), salted) == 1);
    auth_hmac(salted, sizeof(salted), GH_STR("Client Key"), (gh_str){ NULL, 0 }, client_key);
    auth_sha256(client_key, sizeof(client_key), v.stored_key);
    auth_hmac(salted, sizeof(salted), GH_STR("Server Key"), (gh_str){ NULL, 0 }, v.server_key);
    gh_cleanse(salted, sizeof(salted));
    gh_cleanse(client_key, sizeof(client_key));
    *out = v;
    return GH_OK;
}

/*
 * SECURITY: the salt that an unknown user gets must stay the same from try to try, as a real user's
 * does, and must not be computable without the secret: otherwise two connections, or a look at the
 * source, tell which users exist. Test: tests/unit/auth, unknown_user_looks_like_wrong_password.
 */
void auth_verifier_mock(gh_str mock_secret, gh_str user, gh_auth_verifier *out)
{
    uint8_t salt[GH_AUTH_KEY_LEN];

    memset(out, 0, sizeof(*out));
    out->iterations = GH_AUTH_ITERATIONS_DEFAULT;
    out->salt_len = GH_AUTH_SALT_LEN;
    auth_hmac(mock_secret.ptr, mock_secret.len, GH_STR("salt:"), user, salt);
    memcpy(out->salt, salt, GH_AUTH_SALT_LEN);
    auth_hmac(mock_secret.ptr, mock_secret.len, GH_STR("stored key:"), user, out->stored_key);
    auth_hmac(mock_secret.ptr, mock_secret.len, GH_STR("server key:"), user, out->server_key);
}
