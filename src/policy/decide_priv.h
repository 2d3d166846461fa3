/*
 * Inside the policy module: what exists only while one relation is decided.
 */
#ifndef GATEHOUSE_POLICY_DECIDE_PRIV_H
#define GATEHOUSE_POLICY_DECIDE_PRIV_H

#include "policy_priv.h"

/* ---- bit sets ------------------------------------------------------------------------------- */

static inline uint64_t *pol_bits_new(gh_arena *a, size_t words)
{
    uint64_t *bits = gh_arena_alloc(a, words * sizeof(*bits));

    GH_ASSERT(bits != NULL); /* the arena has no budget */
    return bits;
}
static inline void pol_bit_set(uint64_t *bits, uint32_t i)
{
    bits[i / 64] |= UINT64_C(1) << (i % 64);
}
static inline bool pol_bit_get(const uint64_t *bits, uint32_t i)
{
    return (bits[i / 64] >> (i % 64) & 1) != 0;
}
static inline void pol_bits_or(uint64_t *to, const uint64_t *from, size_t words)
{
    for (size_t i = 0; i < words; i++)
        to[i] |= from[i];
}
static inline bool pol_bits_empty(const uint64_t *bits, size_t words)
{
    uint64_t any = 0;

    for (size_t i = 0; i < words; i++)
        any |= bits[i];
    return any == 0;
}
static inline bool pol_bits_within(const uint64_t *inner, const uint64_t *outer, size_t words)
{
    uint64_t outside = 0;

    for (size_t i = 0; i < words; i++)
        outside |= inner[i] & ~outer[i];
    return outside == 0;
}

/* ---- the work ------------------------------------------------------------------------------- */

/* A rule that applies to the relation. */
typedef struct pol_applied {
    const pol_rule *rule;
    uint64_t *columns;   /* that it is about */
    size_t column_words; /* for sorting */
    uint32_t filter;     /* index into texts; POL_NONE: every row */
    bool is_whole;       /* names no columns and no tags */
    bool is_idle;        /* names only columns that the relation does not have */
    bool is_dropped;     /* from select, by S8 */
} pol_applied;

typedef struct pol_named { /* the relation's columns, ascending by name's number */
    uint32_t name;
    uint32_t column;
} pol_named;

typedef struct pol_tagged {
    uint32_t tag;
    uint32_t column;
} pol_tagged;

/* One privilege after the denies. */
typedef struct pol_share {
    bool is_gone;        /* denied as a whole */
    bool is_held;        /* some grant of it has a column left */
    uint64_t *gone;      /* columns denied in every row */
    uint64_t *deny_rows; /* filters */
} pol_share;

typedef struct pol_work {
    const gh_policy *p;
    const gh_catalog *c;
    const gh_relation *r;
    gh_str warehouse;
    const uint32_t *principals;
    uint32_t principal_count;
    int64_t now;
    bool is_inside;    /* see gh_view_decide_inside */
    gh_arena *arena;   /* of the result */
    gh_arena *scratch; /* of the work */
    uint16_t column_count;
    size_t column_words;
    pol_named *named;
    pol_applied *rules;
    size_t rule_count;
    pol_tagged *tagged;
    size_t tagged_count;
    size_t tagged_cap;
    bool
        is_tag_reached; /* a tag's pattern may name a column of the relation, if not one that it has */
    gh_str *texts;      /* of filters, ascending */
    uint32_t text_count;
    size_t filter_words;
    uint16_t *final; /* a text's index in the decision, plus 1 */
    pol_share shares[POL_PRIVILEGES];
    gh_str *filters; /* the decision's */
    uint16_t filter_count;
    gh_column_decision *columns; /* the decision's */
} pol_work;

gh_filter_set pol_filter_set(pol_work *w, const uint64_t *bits); /* NULL: empty */
uint64_t *pol_select_denies(const pol_work *w, uint16_t column);
/* Rows and columns of select, which is held. */
void pol_decide_select(pol_work *w, gh_decision *d);

#endif
