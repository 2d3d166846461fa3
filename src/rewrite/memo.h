/* memo: a hash table from pairs of addresses to numbers. Zeroed is empty; it lives in the current memory context. */
#ifndef GATEHOUSE_REWRITE_MEMO_H
#define GATEHOUSE_REWRITE_MEMO_H

#include "pg.h"

typedef struct gh_memo_entry {
    const void *a;
    const void *b;
    uint32_t value;
    bool is_set;
} gh_memo_entry;

typedef struct gh_memo {
    gh_memo_entry *entries;
    size_t cap; /* a power of two */
    size_t count;
} gh_memo;

bool gh_memo_find(const gh_memo *m, const void *a, const void *b, uint32_t *value);
/* Replaces what was there. */
void gh_memo_put(gh_memo *m, const void *a, const void *b, uint32_t value);

#endif
