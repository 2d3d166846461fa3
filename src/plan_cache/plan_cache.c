/*
 * plan_cache.c: a chained hash table whose entries also stand in one list by last use.
 *
 *     buckets ─▶ entry ─▶ entry            newest ◀──▶ entry ◀──▶ entry ◀──▶ oldest
 *
 * SECURITY: a plan holds one user's rows and columns; handing it to another is the leak this
 * product exists against. So a probe compares scope, flag, parameter types and the whole text,
 * never a hash alone. Attack: tests/unit/plan_cache, test_equal_hashes_do_not_mix.
 */
#include <gatehouse/plan_cache.h>

#include <stdlib.h>

#define SCOPES_MAX 4096

typedef struct entry entry;
struct entry {
    entry *chain;
    entry *newer;
    entry *older;
    uint64_t hash;
    gh_plan_key key; /* text and types lie behind the entry */
    gh_plan_set *set;
    size_t bytes;
};

typedef struct scope {
    uint64_t hash;
    uint64_t id; /* 0: free */
    char *bytes;
    size_t len;
} scope;

struct gh_plan_cache {
    entry **buckets;
    size_t bucket_mask;
    entry *newest;
    entry *oldest;
    size_t bytes_max;
    size_t entries_max;
    scope scopes[2 * SCOPES_MAX]; /* open addressing, at most half full */
    size_t scope_count;
    uint64_t next_scope;
    gh_plan_cache_stats stats;
};

gh_plan_cache *gh_plan_cache_new(size_t bytes_max, size_t entries_max)
{
    gh_plan_cache *c = gh_alloc(sizeof(*c));
    size_t buckets = 64;

    while (buckets < entries_max)
        buckets *= 2;
    c->buckets = gh_alloc(buckets * sizeof(entry *));
    c->bucket_mask = buckets - 1;
    c->bytes_max = bytes_max;
    c->entries_max = entries_max;
    c->next_scope = 1;
    return c;
}

static void forget_scopes(gh_plan_cache *c)
{
    for (size_t i = 0; i < GH_COUNT(c->scopes); i++) {
        free(c->scopes[i].bytes);
        c->scopes[i] = (scope){ 0 };
    }
    c->scope_count = 0;
}

static void unlink_use(gh_plan_cache *c, entry *e)
{
    if (e->newer != NULL)
        e->newer->older = e->older;
    else
        c->newest = e->older;
    if (e->older != NULL)
        e->older->newer = e->newer;
    else
        c->oldest = e->newer;
    e->newer = NULL;
    e->older = NULL;
}

static void link_newest(gh_plan_cache *c, entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    if (c->newest != NULL)
        c->newest->newer = e;
    else
        c->oldest = e;
    c->newest = e;
}

static void drop(gh_plan_cache *c, entry *e)
{
    entry **at = &c->buckets[e->hash & c->bucket_mask];

    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    unlink_use(c, e);
    c->stats.entries--;
    c->stats.bytes -= e->bytes;
    gh_plan_set_release(e->set);
    free(e);
}

void gh_plan_cache_free(gh_plan_cache *c)
{
    if (c == NULL)
        return;
    while (c->oldest != NULL)
        drop(c, c->oldest);
    forget_scopes(c);
    free(c->buckets);
    free(c);
}

uint64_t gh_plan_cache_scope(gh_plan_cache *c, gh_str bytes)
{
    uint64_t hash = gh_hash(bytes.ptr, bytes.len, 0);
    size_t i;

    for (i = hash % GH_COUNT(c->scopes); c->scopes[i].id != 0; i = (i + 1) % GH_COUNT(c->scopes)) {
        const scope *s = &c->scopes[i];

        if (s->hash == hash && gh_str_eq((gh_str){ s->bytes, s->len }, bytes))
            return s->id;
    }
    if (c->scope_count == SCOPES_MAX) {
        forget_scopes(c);
        i = hash % GH_COUNT(c->scopes);
    }
    c->scopes[i] = (scope){ hash, c->next_scope, gh_strdup(bytes), bytes.len };
    c->next_scope++;
    c->scope_count++;
    return c->scopes[i].id;
}

static uint64_t hash_key(const gh_plan_key *key)
{
    uint64_t seed = key->scope * 4 + (key->is_extended ? 1 : 0) + (key->is_shape ? 2 : 0);

    if (key->param_count > 0)
        seed = gh_hash(key->param_types, key->param_count * sizeof(gh_oid), seed);
    return gh_hash(key->text.ptr, key->text.len, seed);
}

static bool key_equals(const gh_plan_key *a, const gh_plan_key *b)
{
    return a->scope == b->scope && a->is_extended == b->is_extended && a->is_shape == b->is_shape &&
           a->param_count == b->param_count && gh_str_eq(a->text, b->text) &&
           (a->param_count == 0 ||
            memcmp(a->param_types, b->param_types, a->param_count * sizeof(gh_oid)) == 0);
}

static entry *probe(const gh_plan_cache *c, const gh_plan_key *key, uint64_t hash)
{
    entry *e = c->buckets[hash & c->bucket_mask];

    while (e != NULL && !(e->hash == hash && key_equals(&e->key, key)))
        e = e->chain;
    return e;
}

gh_plan_set *gh_plan_cache_find(gh_plan_cache *c, const gh_plan_key *key)
{
    /* What is too long to be kept need not be read for its hash. */
    entry *e = key->text.len > c->bytes_max / 8 ? NULL : probe(c, key, hash_key(key));

    if (e == NULL) {
        c->stats.misses++;
        return NULL;
    }
    c->stats.hits++;
    if (e != c->newest) {
        unlink_use(c, e);
        link_newest(c, e);
    }
    return e->set;
}

void gh_plan_cache_put(gh_plan_cache *c, const gh_plan_key *key, gh_plan_set *set)
{
    size_t types = key->param_count * sizeof(gh_oid);
    size_t size = sizeof(entry) + types + key->text.len;
    size_t bytes = size + 2 * set->bytes; /* what the session keeps with a set is about as large */
    uint64_t hash;
    entry *e;
    char *tail;

    if (!set->is_cacheable || bytes > c->bytes_max / 8)
        return;
    hash = hash_key(key);
    e = probe(c, key, hash);
    if (e != NULL)
        drop(c, e);
    while (c->oldest != NULL &&
           (c->stats.entries >= c->entries_max || c->stats.bytes + bytes > c->bytes_max)) {
        drop(c, c->oldest);
        c->stats.evictions++;
    }
    e = gh_alloc(size);
    tail = (char *)(e + 1);
    e->hash = hash;
    e->bytes = bytes;
    e->set = gh_plan_set_acquire(set);
    e->key = *key;
    if (types > 0) {
        e->key.param_types = memcpy(tail, key->param_types, types);
        tail += types;
    }
    if (key->text.len > 0)
        e->key.text.ptr = memcpy(tail, key->text.ptr, key->text.len);
    e->chain = c->buckets[hash & c->bucket_mask];
    c->buckets[hash & c->bucket_mask] = e;
    link_newest(c, e);
    c->stats.entries++;
    c->stats.bytes += bytes;
}

gh_plan_cache_stats gh_plan_cache_stats_get(const gh_plan_cache *c)
{
    return c->stats;
}
