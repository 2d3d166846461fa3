/*
 * Bytes to JSON strings, numbers and times to text.
 *
 * A JSON string must be valid UTF-8 and clients send what they like. Each byte that is part of no
 * valid sequence becomes the private-use character U+EF00 + byte (U+EF80..U+EFFF, as in MirBSD's
 * OPTU-8), and so that this can be undone, the three bytes of such a character in the input become
 * three of them. Whatever a terminal could take for a command is escaped too: the file is safe to
 * print.
 */
#include "audit_priv.h"

#include <endian.h>

enum {
    BYTE_BASE = 0xEF00,
    BYTE_FIRST = 0xEF80,
    BYTE_LAST = 0xEFFF,
    PIECE = 4096 /* bytes for which room is made at once */
};

static const char s_hex[] = "0123456789abcdef";

size_t gh_audit_u64_text(uint64_t v, char out[GH_AUDIT_NUMBER_MAX])
{
    char digits[GH_AUDIT_NUMBER_MAX];
    size_t len = 0;

    do {
        digits[len++] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    for (size_t i = 0; i < len; i++)
        out[i] = digits[len - 1 - i];
    return len;
}

void gh_audit_put_u64(gh_buf *out, uint64_t v)
{
    char text[GH_AUDIT_NUMBER_MAX];

    gh_buf_put(out, text, gh_audit_u64_text(v, text));
}

void gh_audit_put_i64(gh_buf *out, int64_t v)
{
    if (v < 0)
        gh_buf_puts(out, "-");
    gh_audit_put_u64(out, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

bool gh_audit_u64_parse(gh_str text, uint64_t *out)
{
    uint64_t v = 0;

    if (text.len == 0 || text.len > GH_AUDIT_NUMBER_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)text.ptr[i] - '0';

        if (digit > 9 || v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *out = v;
    return true;
}

/* Eight digits of four bytes at once: each nibble in a byte of its own, those above 9 moved on to the letters. */
static void put_hex4(uint32_t v, char out[8])
{
    uint64_t n = v;
    uint64_t letters;

    n = (n | n << 16) & 0x0000FFFF0000FFFFu;
    n = (n | n << 8) & 0x00FF00FF00FF00FFu;
    n = (n | n << 4) & 0x0F0F0F0F0F0F0F0Fu;
    letters = ((n + 0x0606060606060606u) >> 4) & 0x0101010101010101u;
    n += 0x3030303030303030u + letters * ('a' - '0' - 10);
    n = htobe64(n);
    memcpy(out, &n, sizeof(n));
}

void gh_audit_hex(const uint8_t *bytes, size_t len, char *out)
{
    size_t i = 0;

    for (; len - i >= 4; i += 4)
        put_hex4((uint32_t)bytes[i] << 24 | (uint32_t)bytes[i + 1] << 16 |
                     (uint32_t)bytes[i + 2] << 8 | bytes[i + 3],
                 out + 2 * i);
    for (; i < len; i++) {
        out[2 * i] = s_hex[bytes[i] >> 4];
        out[2 * i + 1] = s_hex[bytes[i] & 15];
    }
}

size_t gh_audit_id_text(gh_audit_id id, char out[GH_AUDIT_ID_TEXT])
{
    size_t len = 16;

    put_hex4((uint32_t)(id.boot >> 32), out);
    put_hex4((uint32_t)id.boot, out + 8);
    out[len++] = '.';
    len += gh_audit_u64_text(id.writer, out + len);
    out[len++] = '.';
    len += gh_audit_u64_text(id.number, out + len);
    out[len] = '\0';
    return len;
}

/* ---- UTF-8 --------------------------------------------------------------------------------- */

static bool is_continuation(gh_str s, size_t at)
{
    return at < s.len && ((unsigned char)s.ptr[at] & 0xC0) == 0x80;
}

uint32_t gh_audit_utf8_at(gh_str s, size_t at, size_t *len)
{
    unsigned char lead = (unsigned char)s.ptr[at];
    uint32_t code;
    uint32_t least;
    size_t more;

    *len = 1;
    if (lead < 0x80)
        return lead;
    if (lead >= 0xC2 && lead < 0xE0) {
        more = 1, code = lead & 0x1Fu, least = 0x80;
    } else if (lead >= 0xE0 && lead < 0xF0) {
        more = 2, code = lead & 0x0Fu, least = 0x800;
    } else if (lead >= 0xF0 && lead < 0xF5) {
        more = 3, code = lead & 0x07u, least = 0x10000;
    } else {
        return 0;
    }
    for (size_t i = 1; i <= more; i++) {
        if (!is_continuation(s, at + i))
            return 0;
        code = code << 6 | ((unsigned char)s.ptr[at + i] & 0x3Fu);
    }
    if (code < least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return 0;
    *len = more + 1;
    return code;
}

void gh_audit_utf8_put(gh_buf *out, uint32_t code)
{
    char bytes[4];
    size_t len = 0;

    if (code < 0x80) {
        bytes[len++] = (char)code;
    } else if (code < 0x800) {
        bytes[len++] = (char)(0xC0 | code >> 6);
        bytes[len++] = (char)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        bytes[len++] = (char)(0xE0 | code >> 12);
        bytes[len++] = (char)(0x80 | (code >> 6 & 0x3F));
        bytes[len++] = (char)(0x80 | (code & 0x3F));
    } else {
        bytes[len++] = (char)(0xF0 | code >> 18);
        bytes[len++] = (char)(0x80 | (code >> 12 & 0x3F));
        bytes[len++] = (char)(0x80 | (code >> 6 & 0x3F));
        bytes[len++] = (char)(0x80 | (code & 0x3F));
    }
    gh_buf_put(out, bytes, len);
}

bool gh_audit_is_unprintable(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x061C || code == 0x200E ||
           code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF;
}

/* ---- JSON strings -------------------------------------------------------------------------- */

static void put_escape(gh_buf *out, uint32_t code)
{
    char text[6] = { '\\',
                     'u',
                     s_hex[code >> 12 & 15],
                     s_hex[code >> 8 & 15],
                     s_hex[code >> 4 & 15],
                     s_hex[code & 15] };

    gh_buf_put(out, text, sizeof(text));
}

static bool is_plain_byte(unsigned char c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

/* A bit per byte of v that is zero; exact for the lowest one, which is all that the caller needs. */
static uint64_t zero_bytes(uint64_t v)
{
    return (v - 0x0101010101010101u) & ~v & 0x8080808080808080u;
}

/* How many of eight bytes are plain before the first that is not. */
static size_t plain_of_eight(const char *at)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t odd;
    uint64_t v;

    memcpy(&v, at, 8);
    v = le64toh(v);
    odd = (v & 0x8080808080808080u) | zero_bytes(v ^ (ones * '"')) | zero_bytes(v ^ (ones * '\\')) |
          zero_bytes(v ^ (ones * 0x7F)) | zero_bytes(v & (ones * 0xE0));
    return odd == 0 ? 8 : (size_t)__builtin_ctzll(odd) / 8;
}

/*
 * From `at` on: what is plain, and quotes and backslashes, of which SQL holds many, with their escape. `to`
 * has room for two bytes for each; both are moved.
 */
static char *copy_plain(gh_str s, size_t *at, char *to)
{
    size_t i = *at;

    for (;;) {
        unsigned char c;

        while (s.len - i >= 8) {
            size_t n = plain_of_eight(s.ptr + i);

            memcpy(to, s.ptr + i, 8);
            i += n;
            to += n;
            if (n < 8)
                break;
        }
        if (i == s.len)
            break;
        c = (unsigned char)s.ptr[i];
        if (c == '"' || c == '\\')
            *to++ = '\\';
        else if (!is_plain_byte(c))
            break;
        *to++ = (char)c;
        i++;
    }
    *at = i;
    return to;
}

static size_t put_odd(gh_buf *out, gh_str s, size_t at)
{
    unsigned char c = (unsigned char)s.ptr[at];
    uint32_t code;
    size_t len;

    if (c == '\n' || c == '\t' || c == '\r') {
        gh_buf_put(out, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r", 2);
        return 1;
    }
    if (c < 0x80) {
        put_escape(out, c);
        return 1;
    }
    code = gh_audit_utf8_at(s, at, &len);
    if (code == 0 || (code >= BYTE_FIRST && code <= BYTE_LAST)) {
        for (size_t i = 0; i < len; i++)
            put_escape(out, BYTE_BASE + (unsigned char)s.ptr[at + i]);
    } else if (gh_audit_is_unprintable(code)) {
        put_escape(out, code);
    } else {
        gh_buf_put(out, s.ptr + at, len);
    }
    return len;
}

void gh_audit_put_string(gh_buf *out, gh_str s)
{
    size_t at = 0;

    gh_buf_put(out, "\"", 1);
    while (at < s.len && !out->failed) {
        gh_str piece = { s.ptr, s.len - at < PIECE ? s.len : at + PIECE };
        char *to = gh_buf_reserve(out, 2 * (piece.len - at));

        if (to == NULL) {
            out->failed = true;
            return;
        }
        out->len = (size_t)(copy_plain(piece, &at, to) - out->ptr);
        if (at < piece.len)
            at += put_odd(out, s, at);
    }
    gh_buf_put(out, "\"", 1);
}
