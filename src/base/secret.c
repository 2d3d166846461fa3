/*
 * Secrets: kept in one copy, compared in constant time, wiped when done.
 */
#include <gatehouse/base.h>

#include <stdlib.h>

void gh_secret_init(gh_secret *s, const void *bytes, size_t len)
{
    s->ptr = gh_alloc(len + 1);
    if (len > 0)
        memcpy(s->ptr, bytes, len);
    s->len = len;
}

void gh_secret_fini(gh_secret *s)
{
    if (s->ptr != NULL)
        gh_cleanse(s->ptr, s->len);
    free(s->ptr);
    *s = (gh_secret){ NULL, 0 };
}

/*
 * SECURITY: memcmp stops at the first difference, and the time it took tells a guesser how many
 * bytes were right. Every byte is looked at here; volatile keeps the compiler from leaving early.
 */
bool gh_secret_eq(const void *a, const void *b, size_t len)
{
    const volatile unsigned char *x = a;
    const volatile unsigned char *y = b;
    unsigned char differs = 0;

    for (size_t i = 0; i < len; i++)
        differs = (unsigned char)(differs | (x[i] ^ y[i]));
    return differs == 0;
}

void gh_cleanse(void *p, size_t len)
{
    if (len > 0)
        explicit_bzero(p, len);
}
