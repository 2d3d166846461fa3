/*
 * expect.c: a ring of entries that grows by doubling. See expect.h.
 */
#include "expect.h"

#include <stdlib.h>

#define RING_MIN  8
#define RING_KEEP 64

static void drop(gh_expect *e)
{
    gh_plan_set_release(e->set);
    gh_named_release(e->named);
    gh_named_release(e->replaced);
    free(e->refusal);
    *e = (gh_expect){ 0 };
}

void gh_expect_fini(gh_expect_queue *q)
{
    while (q->count > 0)
        gh_expect_pop(q);
    free(q->ring);
    *q = (gh_expect_queue){ 0 };
}

static void grow(gh_expect_queue *q)
{
    uint32_t cap = q->cap == 0 ? RING_MIN : q->cap * 2;
    gh_expect *ring = gh_alloc(cap * sizeof(*ring));

    for (uint32_t i = 0; i < q->count; i++)
        ring[i] = q->ring[(q->head + i) & (q->cap - 1)];
    free(q->ring);
    q->ring = ring;
    q->cap = cap;
    q->head = 0;
}

gh_expect *gh_expect_push(gh_expect_queue *q, gh_expect_kind kind)
{
    gh_expect *e;

    if (q->count == q->cap)
        grow(q);
    e = &q->ring[(q->head + q->count) & (q->cap - 1)];
    *e = (gh_expect){ .kind = kind };
    q->count++;
    return e;
}

gh_expect *gh_expect_at(const gh_expect_queue *q, uint32_t i)
{
    return i < q->count ? &q->ring[(q->head + i) & (q->cap - 1)] : NULL;
}

void gh_expect_pop(gh_expect_queue *q)
{
    GH_ASSERT(q->count > 0);
    drop(&q->ring[q->head]);
    q->head = (q->head + 1) & (q->cap - 1);
    q->count--;
    q->popped++;
}

void gh_expect_pop_last(gh_expect_queue *q)
{
    GH_ASSERT(q->count > 0);
    q->count--;
    drop(&q->ring[(q->head + q->count) & (q->cap - 1)]);
}

uint32_t gh_expect_until_sync(const gh_expect_queue *q)
{
    uint32_t i = 0;

    while (i < q->count && gh_expect_at(q, i)->kind != GH_EXPECT_SYNC)
        i++;
    return i;
}

const gh_plan *gh_expect_plan(const gh_expect *e)
{
    if (e == NULL || e->set == NULL || e->set->count == 0)
        return NULL;
    return &e->set->plans[e->plan_at < e->set->count ? e->plan_at : e->set->count - 1];
}

void gh_expect_trim(gh_expect_queue *q)
{
    if (q->count > 0 || q->cap <= RING_KEEP)
        return;
    free(q->ring);
    q->ring = NULL;
    q->cap = 0;
    q->head = 0;
}
