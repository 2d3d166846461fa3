/*
 * Strings and lists as numbers. A million rules repeat the same few names; held once and compared
 * as numbers, a rule takes 32 bytes and a decision compares no text.
 */
#include "policy_priv.h"

#include <stdlib.h>

#define CHUNK     65536
#define SLOTS_MIN 64

void pol_strings_init(pol_strings *t, gh_arena *a)
{
    *t = (pol_strings){ .arena = a };
    t->slots = gh_alloc(SLOTS_MIN * sizeof(*t->slots));
    t->slot_mask = SLOTS_MIN - 1;
    (void)pol_strings_add(t, (gh_str){ "", 0 });
}

void pol_strings_follow(pol_strings *t, const pol_strings *last, gh_arena *a)
{
    *t = (pol_strings){ .arena = a, .base = last->base != NULL ? last->base : last };
    t->first = t->base->count;
    t->slots = gh_alloc(SLOTS_MIN * sizeof(*t->slots));
    t->slot_mask = SLOTS_MIN - 1;
    for (uint32_t i = 0; last->base != NULL && i < last->count; i++)
        (void)pol_strings_add(t, last->items[i]);
}

/* The texts stay: they belong to the arena. */
void pol_strings_fini(pol_strings *t)
{
    free(t->items);
    free(t->hashes);
    free(t->slots);
    *t = (pol_strings){ 0 };
}

/* Arenas align every allocation; names are short, so they are packed into chunks instead. */
static gh_str copy(pol_strings *t, gh_str s)
{
    char *at;

    if (s.len > CHUNK / 4)
        return gh_arena_dup(t->arena, s);
    if (s.len + 1 > t->chunk_left) {
        t->chunk = gh_arena_alloc(t->arena, CHUNK);
        GH_ASSERT(t->chunk != NULL); /* the arena has no budget */
        t->chunk_left = CHUNK;
    }
    at = t->chunk;
    if (s.len > 0)
        memcpy(at, s.ptr, s.len);
    at[s.len] = '\0';
    t->chunk += s.len + 1;
    t->chunk_left -= s.len + 1;
    return (gh_str){ at, s.len };
}

static void strings_grow(pol_strings *t)
{
    uint32_t mask = t->slot_mask * 2 + 1;
    uint32_t *slots = gh_alloc(((size_t)mask + 1) * sizeof(*slots));

    for (uint32_t i = 0; i < t->count; i++) {
        uint32_t at = t->hashes[i] & mask;

        while (slots[at] != 0)
            at = (at + 1) & mask;
        slots[at] = i + 1;
    }
    free(t->slots);
    t->slots = slots;
    t->slot_mask = mask;
}

/* The slot that holds s, or the free one where it belongs. */
static uint32_t strings_slot(const pol_strings *t, gh_str s, uint32_t hash)
{
    uint32_t at = hash & t->slot_mask;

    while (t->slots[at] != 0) {
        uint32_t i = t->slots[at] - 1;

        if (t->hashes[i] == hash && gh_str_eq(t->items[i], s))
            break;
        at = (at + 1) & t->slot_mask;
    }
    return at;
}

uint32_t pol_strings_add(pol_strings *t, gh_str s)
{
    uint32_t hash = (uint32_t)gh_hash(s.ptr, s.len, 0);
    uint32_t at;

    if (t->base != NULL) {
        at = strings_slot(t->base, s, hash);
        if (t->base->slots[at] != 0)
            return t->base->slots[at] - 1;
    }
    at = strings_slot(t, s, hash);
    if (t->slots[at] != 0)
        return t->first + t->slots[at] - 1;
    if (t->count == t->cap) {
        t->cap = t->cap == 0 ? SLOTS_MIN : t->cap * 2;
        t->items = gh_realloc_array(t->items, t->cap, sizeof(*t->items));
        t->hashes = gh_realloc_array(t->hashes, t->cap, sizeof(*t->hashes));
    }
    GH_ASSERT(t->count < POL_GLOB - 1 - t->first);
    t->items[t->count] = copy(t, s);
    t->hashes[t->count] = hash;
    t->slots[at] = ++t->count;
    if (t->count > t->slot_mask / 2)
        strings_grow(t);
    return t->first + t->count - 1;
}

uint32_t pol_strings_find(const pol_strings *t, gh_str s)
{
    uint32_t hash = (uint32_t)gh_hash(s.ptr, s.len, 0);
    uint32_t at;

    if (t->base != NULL) {
        at = strings_slot(t->base, s, hash);
        if (t->base->slots[at] != 0)
            return t->base->slots[at] - 1;
    }
    at = strings_slot(t, s, hash);
    return t->slots[at] == 0 ? POL_NONE : t->first + t->slots[at] - 1;
}

void pol_lists_init(pol_lists *t)
{
    *t = (pol_lists){ .cap = SLOTS_MIN, .len = 1, .slot_mask = SLOTS_MIN - 1 };
    t->pool = gh_alloc(t->cap * sizeof(*t->pool)); /* zeroed: the empty list stands at 0 */
    t->slots = gh_alloc(SLOTS_MIN * sizeof(*t->slots));
}

void pol_lists_follow(pol_lists *t, const pol_lists *last)
{
    *t = (pol_lists){ .base = last->base != NULL ? last->base : last,
                      .cap = SLOTS_MIN,
                      .slot_mask = SLOTS_MIN - 1 };
    t->first = (uint32_t)t->base->len;
    t->pool = gh_alloc(t->cap * sizeof(*t->pool));
    t->slots = gh_alloc(SLOTS_MIN * sizeof(*t->slots));
    for (size_t at = 0; last->base != NULL && at < last->len; at += last->pool[at] + 1)
        (void)pol_lists_add(t, &last->pool[at + 1], last->pool[at]);
}

void pol_lists_fini(pol_lists *t)
{
    free(t->pool);
    free(t->slots);
    *t = (pol_lists){ 0 };
}

static uint32_t lists_hash(const uint32_t *items, uint32_t count)
{
    return (uint32_t)gh_hash(items, count * sizeof(*items), 0);
}

static void lists_grow(pol_lists *t)
{
    uint32_t mask = t->slot_mask * 2 + 1;
    uint32_t *slots = gh_alloc(((size_t)mask + 1) * sizeof(*slots));

    for (uint32_t i = 0; i <= t->slot_mask; i++) {
        uint32_t at;

        if (t->slots[i] == 0)
            continue;
        at = lists_hash(&t->pool[t->slots[i]], t->pool[t->slots[i] - 1]) & mask;
        while (slots[at] != 0)
            at = (at + 1) & mask;
        slots[at] = t->slots[i];
    }
    free(t->slots);
    t->slots = slots;
    t->slot_mask = mask;
}

/* The slot of the list, or the free one where it belongs. */
static uint32_t lists_slot(const pol_lists *t, const uint32_t *items, uint32_t count, uint32_t hash)
{
    uint32_t at = hash & t->slot_mask;

    for (; t->slots[at] != 0; at = (at + 1) & t->slot_mask) {
        const uint32_t *list = &t->pool[t->slots[at] - 1];

        if (list[0] == count && memcmp(&list[1], items, count * sizeof(*items)) == 0)
            break;
    }
    return at;
}

uint32_t pol_lists_add(pol_lists *t, const uint32_t *items, uint32_t count)
{
    uint32_t hash;
    uint32_t at;
    uint32_t offset;

    if (count == 0)
        return 0;
    hash = lists_hash(items, count);
    if (t->base != NULL) {
        at = lists_slot(t->base, items, count, hash);
        if (t->base->slots[at] != 0)
            return t->base->slots[at] - 1;
    }
    at = lists_slot(t, items, count, hash);
    if (t->slots[at] != 0)
        return t->first + t->slots[at] - 1;
    while (t->cap - t->len < (size_t)count + 1) {
        t->cap *= 2;
        t->pool = gh_realloc_array(t->pool, t->cap, sizeof(*t->pool));
    }
    GH_ASSERT(t->len < (size_t)POL_NONE - 2 - count - t->first);
    offset = (uint32_t)t->len;
    t->pool[offset] = count;
    memcpy(&t->pool[offset + 1], items, count * sizeof(*items));
    t->len += (size_t)count + 1;
    t->slots[at] = offset + 1;
    t->count++;
    if (t->count > t->slot_mask / 2)
        lists_grow(t);
    return t->first + offset;
}

/* ---- (schema, relation) to the head of a chain ---------------------------------------------- */

void pol_relations_init(pol_relations *t)
{
    *t = (pol_relations){ .mask = SLOTS_MIN - 1 };
    t->keys = gh_alloc(SLOTS_MIN * sizeof(*t->keys));
    t->heads = gh_alloc(SLOTS_MIN * sizeof(*t->heads));
    memset(t->heads, 0xff, SLOTS_MIN * sizeof(*t->heads));
}

void pol_relations_follow(pol_relations *t, const pol_relations *last)
{
    pol_relations_init(t);
    t->base = last->base != NULL ? last->base : last;
    for (uint32_t i = 0; last->base != NULL && i <= last->mask; i++) {
        if (last->heads[i] != POL_NONE)
            *pol_relations_at(t, (uint32_t)(last->keys[i] >> 32), (uint32_t)last->keys[i]) =
                last->heads[i];
    }
}

void pol_relations_fini(pol_relations *t)
{
    free(t->keys);
    free(t->heads);
    *t = (pol_relations){ 0 };
}

static uint32_t relations_slot(const pol_relations *t, uint64_t key)
{
    uint32_t at = (uint32_t)gh_hash(&key, sizeof(key), 0) & t->mask;

    while (t->heads[at] != POL_NONE && t->keys[at] != key)
        at = (at + 1) & t->mask;
    return at;
}

static void relations_grow(pol_relations *t)
{
    pol_relations old = *t;
    size_t size = ((size_t)old.mask + 1) * 2;

    t->mask = (uint32_t)(size - 1);
    t->keys = gh_alloc(size * sizeof(*t->keys));
    t->heads = gh_alloc(size * sizeof(*t->heads));
    memset(t->heads, 0xff, size * sizeof(*t->heads));
    for (uint32_t i = 0; i <= old.mask; i++) {
        if (old.heads[i] != POL_NONE) {
            uint32_t at = relations_slot(t, old.keys[i]);

            t->keys[at] = old.keys[i];
            t->heads[at] = old.heads[i];
        }
    }
    free(old.keys);
    free(old.heads);
}

uint32_t *pol_relations_at(pol_relations *t, uint32_t schema, uint32_t relation)
{
    uint64_t key = (uint64_t)schema << 32 | relation;
    uint32_t at;

    if (t->count > t->mask / 2)
        relations_grow(t);
    at = relations_slot(t, key);
    if (t->heads[at] == POL_NONE) { /* the caller fills it at once */
        t->keys[at] = key;
        t->count++;
        if (t->base != NULL)
            t->heads[at] = t->base->heads[relations_slot(t->base, key)];
    }
    return &t->heads[at];
}

uint32_t pol_relations_find(const pol_relations *t, uint32_t schema, uint32_t relation)
{
    uint64_t key = (uint64_t)schema << 32 | relation;
    uint32_t head = t->heads[relations_slot(t, key)];

    return head == POL_NONE && t->base != NULL ? t->base->heads[relations_slot(t->base, key)]
                                               : head;
}
