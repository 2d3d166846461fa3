/*
 * names: a session's prepared statements, or its portals, by name. Pure. One table serves a kind in
 * its protocol and in its SQL form, because to the upstream they are one namespace; names are
 * upstream what they are here.
 *
 * Entries are counted: the queue of expectations holds those whose Parse, Bind or Close is not
 * answered yet, so that an error can put back what stood there before.
 */
#ifndef GATEHOUSE_SESSION_NAMES_H
#define GATEHOUSE_SESSION_NAMES_H

#include <gatehouse/base.h>
#include <gatehouse/plan_cache.h>

typedef struct gh_named gh_named;
struct gh_named {
    gh_named *chain;
    uint32_t references;
    uint32_t hash;
    bool is_upstream; /* the upstream has it (or will, when it has read what was sent) */
    bool is_in_table;
    bool is_sql;         /* made by PREPARE or DECLARE: its set's text is that statement */
    uint8_t name_len;    /* at most GH_WIRE_NAME_MAX */
    uint16_t type_count; /* of a statement: the parameter types that its Parse gave */
    uint64_t batch;   /* of a portal: how many Syncs and Queries had been sent when it was made */
    uint64_t lookup;  /* of the unnamed statement: what stands for it upstream; 0: nothing does */
    uint64_t scope;   /* what its plans were judged by; 0: judge again */
    gh_plan_set *set; /* counted */
    gh_oid *types;    /* owned */
    gh_named *statement; /* of a portal: what was bound; counted */
    char *value;         /* of a portal that sets something: to what; owned. NULL: none */
    gh_named *newer;     /* in the order of use: evict.c */
    gh_named *older;
    bool is_listed;
    char name[];
};

GH_MUST_USE gh_named *gh_named_new(gh_str name, gh_plan_set *set,
                                   uint64_t scope); /* acquires the set */
gh_named *gh_named_acquire(gh_named *n);
void gh_named_release(gh_named *n); /* NULL is fine */
static inline gh_str gh_named_name(const gh_named *n)
{
    return (gh_str){ n->name, n->name_len };
}

/* Statements that the upstream has, in the order of their last use; a reference each. */
typedef struct gh_lru {
    gh_named *newest;
    gh_named *oldest;
    uint32_t count;
} gh_lru;

typedef struct gh_names {
    gh_named **buckets;
    uint32_t bucket_count; /* a power of two, or 0 */
    uint32_t count;
} gh_names;

void gh_names_each(const gh_names *t, void (*take)(void *arg, const gh_named *n), void *arg);
void gh_names_clear(gh_names *t); /* forgets all and gives the memory back */
/* Forgets those made before batch number `batch` was complete: a transaction's end takes its
 * portals along. */
void gh_names_clear_before(gh_names *t, uint64_t batch);
/* Another upstream session: what SQL made is forgotten, nothing else is upstream any more. */
void gh_names_renew(gh_names *t);
gh_named *gh_names_find(const gh_names *t, gh_str name);
/* Puts an entry in, with a reference of the table's own; what stood under the name is returned with
 * the table's reference, or NULL. */
GH_MUST_USE gh_named *gh_names_put(gh_names *t, gh_named *n);
/* Takes an entry out and returns it with the table's reference; NULL: there is none. */
GH_MUST_USE gh_named *gh_names_take(gh_names *t, gh_str name);

#endif
