/*
 * The hash chain. A line ends with its link, which has one form only:
 *
 *     ,"seq":<digits>,"prev":"<64 hex>","hash":"<64 hex>"}
 *     └────────────── hashed with the body ─┘
 *
 * A body cannot end in something that reads as a link: a string escapes its quotes, and every other
 * value is made by record.c.
 */
#include "audit_priv.h"

#include <openssl/evp.h>
#include <stdlib.h>

enum {
    HEX_LEN = 2 * GH_AUDIT_HASH_LEN,
    HASH_PART = 9 + HEX_LEN + 2, /* ,"hash":"..."} */
    PREV_PART = 9 + HEX_LEN + 1  /* ,"prev":"..." */
};

struct gh_audit_digest {
    EVP_MD_CTX *ctx;
};

/* A digest that fails is a broken or forbidden libcrypto: there is no evidence without it, so no
 * process. */
static void must(int ok)
{
    GH_ASSERT(ok == 1);
}

gh_audit_digest *gh_audit_digest_new(void)
{
    gh_audit_digest *d = gh_alloc(sizeof(*d));
    EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", NULL);

    d->ctx = EVP_MD_CTX_new();
    GH_ASSERT(md != NULL);
    GH_ASSERT(d->ctx != NULL);
    must(EVP_DigestInit_ex2(d->ctx, md, NULL));
    EVP_MD_free(md); /* the context holds its own reference */
    return d;
}

void gh_audit_digest_free(gh_audit_digest *d)
{
    if (d == NULL)
        return;
    EVP_MD_CTX_free(d->ctx);
    free(d);
}

void gh_audit_digest_body(gh_audit_digest *d, gh_str body)
{
    /* Without a type: starts afresh with the algorithm that was fetched, which costs no look-up. */
    must(EVP_DigestInit_ex2(d->ctx, NULL, NULL));
    must(EVP_DigestUpdate(d->ctx, body.ptr, body.len));
}

void gh_audit_sha256(gh_str bytes, uint8_t out[GH_AUDIT_HASH_LEN])
{
    must(EVP_Digest(bytes.len > 0 ? bytes.ptr : "", bytes.len, out, NULL, EVP_sha256(), NULL));
}

static size_t put(char *out, const char *text, size_t len)
{
    memcpy(out, text, len);
    return len;
}

size_t gh_audit_chain_link(gh_audit_chain *c, gh_audit_digest *d, char out[GH_AUDIT_LINK_MAX])
{
    size_t len = put(out, ",\"seq\":", 7);

    c->seq++;
    len += gh_audit_u64_text(c->seq, out + len);
    len += put(out + len, ",\"prev\":\"", 9);
    if (c->hex[0] == '\0')
        gh_audit_hex(c->hash, GH_AUDIT_HASH_LEN, c->hex);
    len += put(out + len, c->hex, HEX_LEN);
    len += put(out + len, "\"", 1);
    must(EVP_DigestUpdate(d->ctx, out, len));
    must(EVP_DigestFinal_ex(d->ctx, c->hash, NULL));
    len += put(out + len, ",\"hash\":\"", 9);
    gh_audit_hex(c->hash, GH_AUDIT_HASH_LEN, c->hex);
    len += put(out + len, c->hex, HEX_LEN);
    len += put(out + len, "\"}\n", 3);
    return len;
}

/* ---- checking ------------------------------------------------------------------------------ */

typedef struct link_parts {
    uint64_t seq;
    gh_str prev; /* hex */
    gh_str hash;
    size_t hashed_len;
} link_parts;

static bool ends_with(gh_str s, const char *text)
{
    size_t len = strlen(text);

    return s.len >= len && memcmp(s.ptr + s.len - len, text, len) == 0;
}

static bool is_hex(gh_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!((s.ptr[i] >= '0' && s.ptr[i] <= '9') || (s.ptr[i] >= 'a' && s.ptr[i] <= 'f')))
            return false;
    }
    return true;
}

/* Takes `before` HEX `after` off the end of s. */
static bool take_hex(gh_str *s, const char *before, const char *after, gh_str *hex)
{
    size_t len = strlen(before) + HEX_LEN + strlen(after);

    if (s->len < len || !ends_with(*s, after))
        return false;
    *hex = (gh_str){ s->ptr + s->len - strlen(after) - HEX_LEN, HEX_LEN };
    s->len -= strlen(after) + HEX_LEN;
    if (!ends_with(*s, before) || !is_hex(*hex))
        return false;
    s->len -= strlen(before);
    return true;
}

static bool split_link(gh_str line, link_parts *out)
{
    gh_str rest = line;
    size_t digits = 0;
    gh_str number;

    if (line.len == 0 || line.ptr[0] != '{' || memchr(line.ptr, '\n', line.len) != NULL)
        return false;
    if (!take_hex(&rest, ",\"hash\":\"", "\"}", &out->hash))
        return false;
    out->hashed_len = rest.len;
    if (!take_hex(&rest, ",\"prev\":\"", "\"", &out->prev))
        return false;
    while (digits < rest.len && rest.ptr[rest.len - 1 - digits] >= '0' &&
           rest.ptr[rest.len - 1 - digits] <= '9')
        digits++;
    number = (gh_str){ rest.ptr + rest.len - digits, digits };
    rest.len -= digits;
    return gh_audit_u64_parse(number, &out->seq) && (digits == 1 || number.ptr[0] != '0') &&
           ends_with(rest, ",\"seq\":");
}

gh_rc gh_audit_chain_anchor(gh_str line, gh_audit_chain *out, gh_err *err)
{
    link_parts parts;
    gh_audit_chain end = { 0 };
    char hex[HEX_LEN];

    if (!split_link(line, &parts))
        return gh_fail(err, GH_INVALID, "XX001", "not an audit record");
    gh_audit_sha256((gh_str){ line.ptr, parts.hashed_len }, end.hash);
    gh_audit_hex(end.hash, sizeof(end.hash), hex);
    if (!gh_str_eq(parts.hash, (gh_str){ hex, sizeof(hex) }))
        return gh_fail(err, GH_INVALID, "XX001",
                       "record %llu was changed: its bytes do not have the hash that it carries",
                       (unsigned long long)parts.seq);
    end.seq = parts.seq;
    *out = end;
    return GH_OK;
}

gh_rc gh_audit_chain_check(gh_audit_chain *c, gh_str line, gh_err *err)
{
    gh_audit_chain end;
    link_parts parts;
    char hex[HEX_LEN];
    gh_rc rc = gh_audit_chain_anchor(line, &end, err);

    if (rc != GH_OK)
        return rc;
    if (!split_link(line, &parts) || end.seq != c->seq + 1)
        return gh_fail(err, GH_INVALID, "XX001", "record %llu follows record %llu",
                       (unsigned long long)end.seq, (unsigned long long)c->seq);
    gh_audit_hex(c->hash, sizeof(c->hash), hex);
    if (!gh_str_eq(parts.prev, (gh_str){ hex, sizeof(hex) }))
        return gh_fail(err, GH_INVALID, "XX001", "record %llu does not follow from its predecessor",
                       (unsigned long long)end.seq);
    *c = end;
    return GH_OK;
}

gh_rc gh_audit_chain_check_text(gh_audit_chain *c, gh_str text, gh_err *err)
{
    size_t number = 0;

    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        gh_str line = { text.ptr, end == NULL ? text.len : (size_t)(end - text.ptr) };
        gh_rc rc;

        number++;
        if (end == NULL)
            return gh_fail(err, GH_INVALID, "XX001", "line %zu is cut off", number);
        rc = gh_audit_chain_check(c, line, err);
        if (rc != GH_OK) {
            gh_err_detail(err, "line %zu", number);
            return rc;
        }
        text.ptr = end + 1;
        text.len -= line.len + 1;
    }
    return GH_OK;
}
