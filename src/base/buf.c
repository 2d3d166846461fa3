/*
 * The growing buffer and its writers. Invariant: len <= cap, and len <= max where max is set.
 */
#include <gatehouse/base.h>

#include <stdio.h>
#include <stdlib.h>

#define CAP_MIN     256
#define PRINTF_ROOM 128 /* more than most formatted pieces take */

void gh_buf_init(gh_buf *b, size_t max)
{
    *b = (gh_buf){ .max = max };
}

void gh_buf_fini(gh_buf *b)
{
    free(b->ptr);
    *b = (gh_buf){ .max = b->max };
}

void gh_buf_clear(gh_buf *b)
{
    b->len = 0;
    b->failed = false;
}

char *gh_buf_reserve(gh_buf *b, size_t extra)
{
    size_t max = b->max != 0 ? b->max : PTRDIFF_MAX;
    size_t cap = b->cap;

    if (b->failed || b->len > max || extra > max - b->len)
        return NULL;
    if (b->ptr != NULL && extra <= cap - b->len)
        return b->ptr + b->len;
    if (cap < CAP_MIN)
        cap = CAP_MIN;
    while (cap - b->len < extra)
        cap = cap > max / 2 ? max : cap * 2;
    if (cap > max)
        cap = max;
    b->ptr = gh_realloc_array(b->ptr, cap, 1);
    b->cap = cap;
    return b->ptr + b->len;
}

void gh_buf_put_grown(gh_buf *b, const void *bytes, size_t len)
{
    char *to = gh_buf_reserve(b, len);

    if (to == NULL) {
        b->failed = true;
        return;
    }
    memcpy(to, bytes, len);
    b->len += len;
}

void gh_buf_put_cstr(gh_buf *b, const char *s)
{
    gh_buf_put(b, s, strlen(s) + 1);
}

void gh_buf_put_u8(gh_buf *b, uint8_t v)
{
    gh_buf_put(b, &v, 1);
}

void gh_buf_put_u16(gh_buf *b, uint16_t v)
{
    unsigned char bytes[2] = { (unsigned char)(v >> 8), (unsigned char)v };

    gh_buf_put(b, bytes, sizeof(bytes));
}

void gh_buf_put_u32(gh_buf *b, uint32_t v)
{
    unsigned char bytes[4] = { (unsigned char)(v >> 24), (unsigned char)(v >> 16),
                               (unsigned char)(v >> 8), (unsigned char)v };

    gh_buf_put(b, bytes, sizeof(bytes));
}

/* Into the buffer itself where text and NUL fit; the NUL, which is not ours, must not count against max. */
void gh_buf_printf(gh_buf *b, const char *fmt, ...)
{
    char *to = gh_buf_reserve(b, PRINTF_ROOM);
    size_t room = to != NULL ? b->cap - b->len : 0;
    va_list args;
    char *text;
    int len;

    va_start(args, fmt);
    len = gh_vformat(to, room, fmt, args);
    va_end(args);
    GH_ASSERT(len >= 0);
    if ((size_t)len < room) {
        b->len += (size_t)len;
        return;
    }
    text = gh_alloc((size_t)len + 1);
    va_start(args, fmt);
    (void)gh_vformat(text, (size_t)len + 1, fmt, args);
    va_end(args);
    gh_buf_put(b, text, (size_t)len);
    free(text);
}

void gh_buf_consume(gh_buf *b, size_t len)
{
    GH_ASSERT(len <= b->len);
    b->len -= len;
    if (b->len > 0 && len > 0)
        memmove(b->ptr, b->ptr + len, b->len);
}
