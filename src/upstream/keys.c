/*
 * The backends that a warehouse's connections have, by process id and secret key.
 *
 * SECURITY: a server that multiplexes its connections over one session (PGlite's socket server) gives all of
 * them one key. On such a server one client's Execute would run what another client's Parse left there, and
 * a cancel would hit whoever runs: so one connection at a time. Attack: tests/clients/versions.py,
 * test_one_session_is_not_shared.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "upstream_priv.h"

struct gh_keys {
    atomic_size_t references; /* release: acq_rel; acquire: relaxed */
    pthread_mutex_t lock;     /* of what follows */
    uint64_t *items;
    size_t count;
    size_t cap;
};

static uint64_t joined(uint32_t pid, uint32_t key)
{
    return (uint64_t)pid << 32 | key;
}

gh_keys *gh_keys_new(void)
{
    gh_keys *k = gh_alloc(sizeof(*k));

    atomic_init(&k->references, 1);
    (void)pthread_mutex_init(&k->lock, NULL);
    return k;
}

gh_keys *gh_keys_acquire(gh_keys *k)
{
    (void)atomic_fetch_add_explicit(&k->references, 1, memory_order_relaxed);
    return k;
}

void gh_keys_release(gh_keys *k)
{
    if (k == NULL || atomic_fetch_sub_explicit(&k->references, 1, memory_order_acq_rel) != 1)
        return;
    (void)pthread_mutex_destroy(&k->lock);
    if (k->items != NULL)
        gh_cleanse(k->items, k->cap * sizeof(k->items[0]));
    free(k->items);
    free(k);
}

static size_t find(const gh_keys *k, uint64_t item)
{
    size_t i = 0;

    while (i < k->count && k->items[i] != item)
        i++;
    return i;
}

bool gh_keys_add(gh_keys *k, uint32_t pid, uint32_t key)
{
    uint64_t item = joined(pid, key);
    bool is_new;

    (void)pthread_mutex_lock(&k->lock);
    is_new = find(k, item) == k->count;
    if (is_new) {
        if (k->count == k->cap) {
            k->cap = k->cap == 0 ? 16 : k->cap * 2;
            k->items = gh_realloc_array(k->items, k->cap, sizeof(k->items[0]));
        }
        k->items[k->count++] = item;
    }
    (void)pthread_mutex_unlock(&k->lock);
    return is_new;
}

void gh_keys_remove(gh_keys *k, uint32_t pid, uint32_t key)
{
    size_t at;

    (void)pthread_mutex_lock(&k->lock);
    at = find(k, joined(pid, key));
    if (at < k->count)
        k->items[at] = k->items[--k->count];
    (void)pthread_mutex_unlock(&k->lock);
}
