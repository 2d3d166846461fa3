/*
 * Borrowed strings: comparison, hashing, UTF-8; and the allocation functions that abort.
 */
#include <gatehouse/base.h>

#include <stdlib.h>

static unsigned char fold(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool gh_str_ieq(gh_str a, gh_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (fold(a.ptr[i]) != fold(b.ptr[i]))
            return false;
    }
    return true;
}

int gh_str_cmp(gh_str a, gh_str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : memcmp(a.ptr, b.ptr, len);

    if (order != 0)
        return order < 0 ? -1 : 1;
    if (a.len == b.len)
        return 0;
    return a.len < b.len ? -1 : 1;
}

/*
 * SipHash-1-3 (Aumasson and Bernstein). Its keys are statements and names that clients choose.
 *
 * SECURITY: a faster hash of the multiply-and-fold kind has collisions that hold for every seed; a
 * client that sends them turns a cache lookup into a walk. Test: tests/unit/base,
 * hash_depends_on_seed.
 */
typedef struct sip {
    uint64_t v0, v1, v2, v3;
} sip;

static uint64_t rotl(uint64_t v, unsigned int bits)
{
    return (v << bits) | (v >> (64 - bits));
}

static inline void sip_round(sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v2 = rotl(s->v2, 32);
}

uint64_t gh_hash(const void *bytes, size_t len, uint64_t seed)
{
    const char *pos = bytes;
    uint64_t k1 = seed * 0x9E3779B97F4A7C15u + 1; /* one 64-bit seed makes both key words */
    sip s = { seed ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, seed ^ 0x6c7967656e657261u,
              k1 ^ 0x7465646279746573u };
    uint64_t last = (uint64_t)len << 56;
    size_t left;

    for (left = len; left >= 8; left -= 8, pos += 8) {
        uint64_t m;

        memcpy(&m, pos, 8);
        s.v3 ^= m;
        sip_round(&s);
        s.v0 ^= m;
    }
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)(unsigned char)pos[i] << (8 * i);
    s.v3 ^= last;
    sip_round(&s);
    s.v0 ^= last;
    s.v2 ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

bool gh_str_is_ascii(gh_str s)
{
    uint64_t seen = 0;
    size_t i = 0;

    for (; s.len - i >= sizeof(seen); i += sizeof(seen)) {
        uint64_t v;

        memcpy(&v, s.ptr + i, sizeof(v));
        seen |= v;
    }
    for (; i < s.len; i++)
        seen |= (unsigned char)s.ptr[i];
    return (seen & 0x8080808080808080u) == 0;
}

/* True if eight bytes are all ASCII and none is NUL. */
static bool is_plain_word(const unsigned char *p)
{
    const uint64_t high = 0x8080808080808080u;
    uint64_t v;

    memcpy(&v, p, 8);
    return ((v | (v - 0x0101010101010101u)) & high) == 0;
}

/* The length of the valid UTF-8 sequence at p, or 0. The ranges are RFC 3629's table. */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
    unsigned char low = 0x80, high = 0xBF;
    size_t len;

    if (p[0] == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    len = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (left < len)
        return 0;
    if (p[0] == 0xE0)
        low = 0xA0; /* shorter forms exist */
    else if (p[0] == 0xED)
        high = 0x9F; /* surrogates */
    else if (p[0] == 0xF0)
        low = 0x90; /* shorter forms exist */
    else if (p[0] == 0xF4)
        high = 0x8F; /* past U+10FFFF */
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    }
    return len;
}

bool gh_utf8_is_valid(gh_str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t left = s.len;

    while (left > 0) {
        size_t len = left >= 8 && is_plain_word(p) ? 8 : utf8_sequence(p, left);

        if (len == 0)
            return false;
        p += len;
        left -= len;
    }
    return true;
}

void *gh_alloc(size_t size)
{
    void *p = calloc(1, size == 0 ? 1 : size);

    GH_ASSERT(p != NULL);
    return p;
}

void *gh_realloc_array(void *p, size_t n, size_t size)
{
    void *next;

    GH_ASSERT(size == 0 || n <= PTRDIFF_MAX / size);
    next = realloc(p, n * size == 0 ? 1 : n * size);
    GH_ASSERT(next != NULL);
    return next;
}

char *gh_strdup(gh_str s)
{
    char *copy = gh_alloc(s.len + 1);

    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return copy;
}
