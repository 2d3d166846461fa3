/*
 * What changed: the history's rows, by the change that wrote them.
 */
#include "store_priv.h"

#include <stdlib.h>

typedef struct past_list {
    gh_store_past *list;
    size_t count;
    size_t cap;
    gh_arena *arena;
} past_list;

static void take_row(past_list *p, store_stmt *s)
{
    if (p->count == p->cap) {
        p->cap = p->cap == 0 ? 64 : 2 * p->cap;
        p->list = gh_realloc_array(p->list, p->cap, sizeof(*p->list));
    }
    p->list[p->count++] = (gh_store_past){ .version = (uint64_t)store_int(s, 0),
                                           .at_us = store_int(s, 1),
                                           .author = gh_arena_dup(p->arena, store_text(s, 2)),
                                           .action = gh_arena_dup(p->arena, store_text(s, 3)),
                                           .reason = gh_arena_dup(p->arena, store_text(s, 4)),
                                           .kind = gh_arena_dup(p->arena, store_text(s, 5)),
                                           .key = gh_arena_dup(p->arena, store_text(s, 6)),
                                           .before = gh_arena_dup(p->arena, store_text(s, 7)),
                                           .after = gh_arena_dup(p->arena, store_text(s, 8)) };
}

static gh_rc read_change(gh_store *st, uint64_t version, size_t max, past_list *p,
                         uint64_t *left_out, gh_err *err)
{
    size_t n = 0;
    store_stmt s = store_stmt_of(st, "SELECT version, at, author, action, reason, kind, key, "
                                     "before, after FROM history WHERE version = ? ORDER BY id");

    store_bind_int(&s, (int64_t)version);
    for (; store_stmt_row(&s); n++) {
        if (n < max)
            take_row(p, &s);
        else
            ++*left_out;
    }
    return store_stmt_end(&s, err);
}

gh_rc gh_store_history(gh_store *st, uint64_t from, uint64_t to, size_t max, gh_arena *a,
                       const gh_store_past **list, size_t *count, uint64_t *left_out, gh_err *err)
{
    past_list p = { .arena = a };
    gh_rc rc = GH_OK;

    *left_out = 0;
    for (uint64_t v = from; v <= to && rc == GH_OK; v++)
        rc = read_change(st, v, max, &p, left_out, err);
    if (rc == GH_OK) {
        gh_store_past *copy = gh_arena_alloc(a, (p.count + 1) * sizeof(*copy));
        GH_ASSERT(copy != NULL);
        if (p.count > 0)
            memcpy(copy, p.list, p.count * sizeof(*copy));
        *list = copy;
        *count = p.count;
    }
    free(p.list);
    return rc;
}

gh_rc gh_store_version(gh_store *st, uint64_t *version, gh_err *err)
{
    return store_version(st, version, err);
}
