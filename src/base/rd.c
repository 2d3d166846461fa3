/*
 * The reader of what a peer sent. Lengths are compared with what is left, never as pos + n.
 */
#include <gatehouse/base.h>

/* The next len bytes, or NULL and a failure that stays. */
static const unsigned char *take(gh_rd *r, size_t len)
{
    const char *p = r->pos;

    if (r->failed || len > (size_t)(r->end - r->pos)) {
        r->failed = true;
        return NULL;
    }
    if (len > 0)
        r->pos += len;
    return (const unsigned char *)p;
}

uint8_t gh_rd_u8(gh_rd *r)
{
    const unsigned char *p = take(r, 1);

    return p == NULL ? 0 : p[0];
}

uint16_t gh_rd_u16(gh_rd *r)
{
    const unsigned char *p = take(r, 2);

    return p == NULL ? 0 : (uint16_t)((unsigned int)p[0] << 8 | p[1]);
}

uint32_t gh_rd_u32(gh_rd *r)
{
    const unsigned char *p = take(r, 4);

    if (p == NULL)
        return 0;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

gh_str gh_rd_cstr(gh_rd *r)
{
    const char *start = r->pos;
    const char *nul = NULL;

    if (!r->failed && r->pos != r->end)
        nul = memchr(r->pos, '\0', (size_t)(r->end - r->pos));
    if (nul == NULL) {
        r->failed = true;
        return (gh_str){ NULL, 0 };
    }
    r->pos = nul + 1;
    return (gh_str){ start, (size_t)(nul - start) };
}

gh_str gh_rd_bytes(gh_rd *r, size_t len)
{
    const unsigned char *p = take(r, len);

    if (p == NULL)
        return (gh_str){ NULL, 0 };
    return (gh_str){ (const char *)p, len };
}

bool gh_rd_finish(const gh_rd *r)
{
    return !r->failed && r->pos == r->end;
}
