/*
 * plan_cache: what the rewriter decided, kept by exact text. One cache a worker; a hit costs one
 * hash of the text, one probe and one comparison of it.
 *
 *     scope bytes (view, catalog epoch, search_path, ...) ──▶ scope id ─┐
 *     text ─────────────────────────────────────────────────────────────┼─hash─▶ entry ──▶ gh_plan_set
 *     parameter types ──────────────────────────────────────────────────┘
 *
 * Everything that a decision read must be in the key. What seldom changes is interned: the caller
 * writes it as bytes once, gets a number that stands for exactly these bytes and is never used
 * again for others, and the hot path compares that number. The text is compared byte for byte: a
 * hash decides nothing alone.
 *
 * A plan set is a compact copy of the rewriter's plans in one block, counted: evicting an entry
 * takes nothing from a statement that is under way. Eviction is least recently used, bounded by
 * bytes and by entries.
 *
 * Memory: the cache owns its entries and one reference to each set. Threads: one worker's.
 */
#ifndef GATEHOUSE_PLAN_CACHE_H
#define GATEHOUSE_PLAN_CACHE_H

#include <gatehouse/base.h>
#include <gatehouse/rewrite.h>

/* ---- plan sets ------------------------------------------------------------------------------- */

typedef struct gh_plan_set gh_plan_set;
struct gh_plan_set {
    const gh_plan *plans;
    size_t count;
    gh_str source;                /* the client's text: plan positions refer to it */
    gh_str query;                 /* what a simple Query sends: the plans' texts joined by ';' */
    bool is_refused;              /* the last plan is a refusal */
    bool is_cacheable;            /* no plan reads the session */
    bool names_setting;           /* some plan sets a variable of the client's own */
    uint64_t scope;               /* under which it was made; 0 where it must not be found again */
    size_t bytes;                 /* of the whole block */
    const struct gh_slots *slots; /* of a template: where its literals stand; owned */
    gh_plan_set
        *origin; /* the template that this set was filled from, to which the plan's lists belong;
                            counted. NULL: none */
    /* Observe mode: what the policy would have done with what is sent as it is; owned, one of the two. */
    gh_plan_set *judged;
    gh_err *unjudged;                /* the text could not be taken */
    void *extra;                     /* the owner of the set may keep one derived thing here... */
    void (*extra_free)(void *extra); /* ...freed with the set */
    uint32_t references;
};

/*
 * Copies the plans and all that they point to. `poison` ends `query` where the last plan is a
 * refusal: a statement that fails upstream. References: 1.
 */
GH_MUST_USE gh_plan_set *gh_plan_set_new(gh_str source, const gh_plan *plans, size_t count,
                                         gh_str poison);
gh_plan_set *gh_plan_set_acquire(gh_plan_set *set);
void gh_plan_set_release(gh_plan_set *set); /* NULL is fine */
/* Is it sent as the client wrote it? */
static inline bool gh_plan_set_is_raw(const gh_plan_set *set)
{
    return set->count > 0 && set->plans[0].is_bypassed;
}

/* ---- templates ---------------------------------------------------------------------------------- */

#define GH_TEMPLATE_BYTES_MAX 8192 /* of a text that is scanned for literals */
#define GH_TEMPLATE_SLOTS_MAX 64

typedef struct gh_template_slot {
    uint32_t start; /* byte */
    uint32_t len;
} gh_template_slot;

/* A text's shape, in which a mark stands for each literal, and where the literals are. */
typedef struct gh_template {
    size_t shape_len;
    uint32_t slot_count;
    gh_template_slot slots[GH_TEMPLATE_SLOTS_MAX];
    char shape[GH_TEMPLATE_BYTES_MAX];
} gh_template;

/* False: the text has no literals, or is not plain enough to tell. */
GH_MUST_USE bool gh_template_scan(gh_str text, gh_template *t);
/* A set that gh_template_fill takes; NULL where the plan may not be shared. References: 1. */
GH_MUST_USE gh_plan_set *gh_template_make(const gh_template *t, const gh_plan_set *set);
/* Of a template that is a lookup (gh_plan.is_lookup): its text with the literals as $1, $2 ... Empty: it is none. */
gh_str gh_template_prepared(const gh_plan_set *set);
/* What a literal says, as the value of a parameter. */
gh_str gh_template_value(gh_str text, gh_template_slot slot);
/* The set for another text of the same shape; it keeps the template. References: 1. */
GH_MUST_USE gh_plan_set *gh_template_fill(gh_plan_set *set, const gh_template *t, gh_str text);

/* ---- cache ----------------------------------------------------------------------------------- */

typedef struct gh_plan_cache gh_plan_cache;

typedef struct gh_plan_cache_stats {
    uint64_t hits;
    uint64_t misses;
    uint64_t evictions;
    size_t entries;
    size_t bytes;
} gh_plan_cache_stats;

typedef struct gh_plan_key {
    uint64_t scope; /* from gh_plan_cache_scope */
    gh_str text;
    const gh_oid *param_types; /* of Parse */
    size_t param_count;
    bool is_extended;
    bool is_shape; /* text is the shape of a template */
} gh_plan_key;

GH_MUST_USE gh_plan_cache *gh_plan_cache_new(size_t bytes_max, size_t entries_max);
void gh_plan_cache_free(gh_plan_cache *c); /* NULL is fine */

/*
 * The number of exactly these bytes, at least 1. Bytes that were forgotten (the table is bounded)
 * get a new number, so that entries under the old one are never found again.
 */
uint64_t gh_plan_cache_scope(gh_plan_cache *c, gh_str bytes);

/* Borrowed: acquire it to keep it. NULL: not there. */
gh_plan_set *gh_plan_cache_find(gh_plan_cache *c, const gh_plan_key *key);
/* Takes a reference of its own. A set that is not cacheable, or larger than an eighth of the cache,
 * is left out. */
void gh_plan_cache_put(gh_plan_cache *c, const gh_plan_key *key, gh_plan_set *set);
gh_plan_cache_stats gh_plan_cache_stats_get(const gh_plan_cache *c);

#endif
