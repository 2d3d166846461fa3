/*
 * Arenas: a list of blocks, newest first, filled from the front.
 *
 *     arena ─▶ [block: used ####......] ─▶ [block: full ########] ─▶ NULL
 *
 * Small blocks double up to BLOCK_MAX; an allocation larger than that gets a block of its own
 * behind the newest one, so that the newest's free room stays in use. Memory is zeroed as it is
 * handed out. Nothing is allocated before the first use: an idle session's arena costs its struct
 * alone.
 */
#include <gatehouse/base.h>

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#define ALIGN     alignof(max_align_t)
#define BLOCK_MIN 2048
#define BLOCK_MAX 65536

typedef struct block {
    struct block *next;
    size_t cap;
    size_t used;
    alignas(max_align_t) char bytes[];
} block;

struct gh_arena {
    block *head;
    size_t budget; /* 0: unbounded */
    size_t used;   /* bytes handed out, rounded up to ALIGN; never above the budget */
};

gh_arena *gh_arena_new(size_t budget)
{
    gh_arena *a = gh_alloc(sizeof(*a));

    a->budget = budget;
    return a;
}

static void free_blocks(block *b)
{
    while (b != NULL) {
        block *next = b->next;

        free(b);
        b = next;
    }
}

void gh_arena_free(gh_arena *a)
{
    if (a == NULL)
        return;
    free_blocks(a->head);
    free(a);
}

void gh_arena_reset(gh_arena *a)
{
    a->used = 0;
    if (a->head == NULL)
        return;
    free_blocks(a->head->next);
    a->head->next = NULL;
    a->head->used = 0;
    /* One huge statement must not make its session hold the memory for ever. */
    if (a->head->cap > BLOCK_MAX) {
        free(a->head);
        a->head = NULL;
    }
}

static block *new_block(size_t cap)
{
    block *b = malloc(sizeof(*b) + cap);

    GH_ASSERT(b != NULL);
    b->next = NULL;
    b->cap = cap;
    b->used = 0;
    return b;
}

/* The block that has `size` bytes left, made if need be. */
static block *find_room(gh_arena *a, size_t size)
{
    block *head = a->head;
    size_t cap;

    if (head != NULL && size <= head->cap - head->used)
        return head;
    if (size > BLOCK_MAX / 2 && head != NULL) {
        block *own = new_block(size);

        own->next = head->next;
        head->next = own;
        return own;
    }
    cap = head == NULL ? BLOCK_MIN : head->cap * 2;
    if (cap > BLOCK_MAX)
        cap = BLOCK_MAX;
    if (cap < size)
        cap = size;
    a->head = new_block(cap);
    a->head->next = head;
    return a->head;
}

void *gh_arena_alloc(gh_arena *a, size_t size)
{
    size_t rounded;
    block *b;
    void *p;

    if (size > PTRDIFF_MAX - ALIGN)
        return NULL;
    rounded = size == 0 ? ALIGN : (size + ALIGN - 1) / ALIGN * ALIGN;
    if (a->budget != 0 && rounded > a->budget - a->used)
        return NULL;
    b = find_room(a, rounded);
    p = b->bytes + b->used;
    b->used += rounded;
    a->used += rounded;
    return memset(p, 0, rounded);
}

size_t gh_arena_used(const gh_arena *a)
{
    return a->used;
}

size_t gh_arena_budget(const gh_arena *a)
{
    return a->budget;
}

gh_str gh_arena_dup(gh_arena *a, gh_str s)
{
    char *copy;

    if (s.len >= PTRDIFF_MAX)
        return (gh_str){ NULL, 0 };
    copy = gh_arena_alloc(a, s.len + 1);
    if (copy == NULL)
        return (gh_str){ NULL, 0 };
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return (gh_str){ copy, s.len };
}

gh_str gh_arena_printf(gh_arena *a, const char *fmt, ...)
{
    va_list args;
    char *out;
    int len;

    va_start(args, fmt);
    len = gh_vformat(NULL, 0, fmt, args);
    va_end(args);
    GH_ASSERT(len >= 0);
    out = gh_arena_alloc(a, (size_t)len + 1);
    if (out == NULL)
        return (gh_str){ NULL, 0 };
    va_start(args, fmt);
    (void)gh_vformat(out, (size_t)len + 1, fmt, args);
    va_end(args);
    return (gh_str){ out, (size_t)len };
}
