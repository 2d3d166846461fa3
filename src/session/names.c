/*
 * names.c: a chained hash table that starts with nothing, since most sessions name nothing. See
 * names.h.
 */
#include "names.h"

#include <stdlib.h>

gh_named *gh_named_new(gh_str name, gh_plan_set *set, uint64_t scope)
{
    size_t len = name.len < GH_WIRE_NAME_MAX ? name.len : GH_WIRE_NAME_MAX;
    gh_named *n = gh_alloc(sizeof(*n) + len + 1);

    n->references = 1;
    n->name_len = (uint8_t)len;
    if (len > 0)
        memcpy(n->name, name.ptr, len);
    n->hash = (uint32_t)gh_hash(n->name, len, 0);
    n->set = gh_plan_set_acquire(set);
    n->scope = scope;
    return n;
}

gh_named *gh_named_acquire(gh_named *n)
{
    if (n != NULL)
        n->references++;
    return n;
}

void gh_named_release(gh_named *n)
{
    if (n == NULL)
        return;
    GH_ASSERT(n->references > 0);
    n->references--;
    if (n->references > 0)
        return;
    gh_plan_set_release(n->set);
    gh_named_release(n->statement); /* a statement has none: no deeper than this */
    free(n->types);
    free(n->value);
    free(n);
}

void gh_names_each(const gh_names *t, void (*take)(void *arg, const gh_named *n), void *arg)
{
    for (uint32_t i = 0; i < t->bucket_count; i++) {
        for (const gh_named *n = t->buckets[i]; n != NULL; n = n->chain)
            take(arg, n);
    }
}

void gh_names_clear(gh_names *t)
{
    for (uint32_t i = 0; i < t->bucket_count; i++) {
        gh_named *n = t->buckets[i];

        while (n != NULL) {
            gh_named *next = n->chain;

            n->chain = NULL;
            n->is_in_table = false;
            gh_named_release(n);
            n = next;
        }
    }
    free(t->buckets);
    *t = (gh_names){ 0 };
}

void gh_names_clear_before(gh_names *t, uint64_t batch)
{
    for (uint32_t i = 0; t->count > 0 && i < t->bucket_count; i++) {
        gh_named **at = &t->buckets[i];

        while (*at != NULL) {
            gh_named *n = *at;

            if (n->batch >= batch) {
                at = &n->chain;
                continue;
            }
            *at = n->chain;
            n->chain = NULL;
            n->is_in_table = false;
            t->count--;
            gh_named_release(n);
        }
    }
}

void gh_names_renew(gh_names *t)
{
    for (uint32_t i = 0; i < t->bucket_count; i++) {
        gh_named **at = &t->buckets[i];

        while (*at != NULL) {
            gh_named *n = *at;

            n->is_upstream = false;
            if (!n->is_sql) {
                at = &n->chain;
                continue;
            }
            *at = n->chain;
            n->chain = NULL;
            n->is_in_table = false;
            t->count--;
            gh_named_release(n);
        }
    }
}

gh_named *gh_names_find(const gh_names *t, gh_str name)
{
    size_t len = name.len < GH_WIRE_NAME_MAX ? name.len : GH_WIRE_NAME_MAX;
    gh_str cut = { name.ptr, len };
    uint32_t hash;
    gh_named *n;

    if (t->count == 0)
        return NULL;
    hash = (uint32_t)gh_hash(name.ptr, len, 0);
    n = t->buckets[hash & (t->bucket_count - 1)];
    while (n != NULL && !(n->hash == hash && gh_str_eq(gh_named_name(n), cut)))
        n = n->chain;
    return n;
}

static void grow(gh_names *t)
{
    uint32_t count = t->bucket_count == 0 ? 8 : t->bucket_count * 2;
    gh_named **buckets = gh_alloc(count * sizeof(gh_named *));

    for (uint32_t i = 0; i < t->bucket_count; i++) {
        while (t->buckets[i] != NULL) {
            gh_named *n = t->buckets[i];

            t->buckets[i] = n->chain;
            n->chain = buckets[n->hash & (count - 1)];
            buckets[n->hash & (count - 1)] = n;
        }
    }
    free(t->buckets);
    t->buckets = buckets;
    t->bucket_count = count;
}

gh_named *gh_names_put(gh_names *t, gh_named *n)
{
    gh_named *before = gh_names_take(t, gh_named_name(n));

    GH_ASSERT(!n->is_in_table);
    if (t->count >= t->bucket_count)
        grow(t);
    n->chain = t->buckets[n->hash & (t->bucket_count - 1)];
    t->buckets[n->hash & (t->bucket_count - 1)] = gh_named_acquire(n);
    n->is_in_table = true;
    t->count++;
    return before;
}

gh_named *gh_names_take(gh_names *t, gh_str name)
{
    gh_named *n = gh_names_find(t, name);
    gh_named **at;

    if (n == NULL)
        return NULL;
    at = &t->buckets[n->hash & (t->bucket_count - 1)];
    while (*at != n)
        at = &(*at)->chain;
    *at = n->chain;
    n->chain = NULL;
    n->is_in_table = false;
    t->count--;
    return n;
}
