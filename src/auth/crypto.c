/*
 * HMAC, SHA-256 and base64. The primitives are OpenSSL's. They fail only if the library lacks
 * SHA-256 or memory is out; then nobody can be authenticated, and going on would be worse than
 * stopping.
 */
#include "auth_priv.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

void auth_sha256(const void *bytes, size_t len, uint8_t out[GH_AUTH_KEY_LEN])
{
    GH_ASSERT(EVP_Digest(bytes, len, out, NULL, EVP_sha256(), NULL) == 1);
}

void auth_hmac(const void *key, size_t key_len, gh_str first, gh_str second,
               uint8_t out[GH_AUTH_KEY_LEN])
{
    gh_buf all;

    GH_ASSERT(key_len <= INT32_MAX);
    gh_buf_init(&all, 0);
    gh_buf_put_str(&all, first);
    gh_buf_put_str(&all, second);
    GH_ASSERT(HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)all.ptr, all.len, out,
                   NULL) != NULL);
    gh_buf_fini(&all);
}

static const char s_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void auth_put_base64(gh_buf *b, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;

    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t v = (uint32_t)from[i] << 16;

        if (left > 1)
            v |= (uint32_t)from[i + 1] << 8;
        if (left > 2)
            v |= from[i + 2];
        gh_buf_put_u8(b, (uint8_t)s_digits[v >> 18]);
        gh_buf_put_u8(b, (uint8_t)s_digits[v >> 12 & 63]);
        gh_buf_put_u8(b, (uint8_t)(left > 1 ? s_digits[v >> 6 & 63] : '='));
        gh_buf_put_u8(b, (uint8_t)(left > 2 ? s_digits[v & 63] : '='));
    }
}

/* The digit's value, or 64. */
static uint32_t digit_value(char c)
{
    const char *at = c == '\0' ? NULL : strchr(s_digits, c);

    return at == NULL ? 64 : (uint32_t)(at - s_digits);
}

bool auth_read_base64(gh_str text, uint8_t *out, size_t out_max, size_t *out_len)
{
    size_t digits = text.len;
    size_t len = 0;
    uint32_t bits = 0;
    uint32_t bits_len = 0;

    if (text.len == 0 || text.len % 4 != 0)
        return false;
    while (digits > text.len - 2 && text.ptr[digits - 1] == '=')
        digits--;
    for (size_t i = 0; i < digits; i++) {
        uint32_t v = digit_value(text.ptr[i]);

        if (v == 64)
            return false;
        bits = bits << 6 | v;
        bits_len += 6;
        if (bits_len < 8)
            continue;
        if (len == out_max)
            return false;
        bits_len -= 8;
        out[len++] = (uint8_t)(bits >> bits_len);
        bits &= (1u << bits_len) - 1;
    }
    if (bits != 0)
        return false;
    *out_len = len;
    return true;
}
