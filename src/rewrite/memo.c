/*
 * What was found out about nodes of the statement, so that nothing is found out twice: a hash table in the
 * statement's memory. A key is a pair of addresses, or of numbers that stand for some.
 */
#include "memo.h"

#include <stdint.h>

static size_t slot_of(const gh_memo *m, const void *a, const void *b)
{
    uint64_t h = ((uint64_t)(uintptr_t)a ^ ((uint64_t)(uintptr_t)b << 7)) * 0x9e3779b97f4a7c15u;
    size_t i = (size_t)(h >> 32) & (m->cap - 1);

    while (m->entries[i].is_set && (m->entries[i].a != a || m->entries[i].b != b))
        i = (i + 1) & (m->cap - 1);
    return i;
}

static void grow(gh_memo *m)
{
    gh_memo old = *m;

    m->cap = old.cap == 0 ? 64 : old.cap * 2;
    m->entries = palloc0(m->cap * sizeof(m->entries[0]));
    for (size_t i = 0; i < old.cap; i++) {
        if (old.entries[i].is_set)
            m->entries[slot_of(m, old.entries[i].a, old.entries[i].b)] = old.entries[i];
    }
    if (old.entries != NULL)
        pfree(old.entries);
}

bool gh_memo_find(const gh_memo *m, const void *a, const void *b, uint32_t *value)
{
    size_t i;

    if (m->count == 0)
        return false;
    i = slot_of(m, a, b);
    if (m->entries[i].is_set)
        *value = m->entries[i].value;
    return m->entries[i].is_set;
}

void gh_memo_put(gh_memo *m, const void *a, const void *b, uint32_t value)
{
    size_t i;

    if (2 * m->count >= m->cap)
        grow(m);
    i = slot_of(m, a, b);
    m->count += m->entries[i].is_set ? 0 : 1;
    m->entries[i] = (gh_memo_entry){ a, b, value, true };
}
