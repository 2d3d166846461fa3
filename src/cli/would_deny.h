/*
 * would_deny.h: what observe mode let through, added up.
 */
#ifndef GATEHOUSE_CLI_WOULD_DENY_H
#define GATEHOUSE_CLI_WOULD_DENY_H

#include "cli_priv.h"

#include <gatehouse/audit.h>

typedef struct would_group {
    gh_str key; /* all of the following, which it is told apart by */
    gh_str user;
    gh_str warehouse;
    const char *effect; /* refused, hidden, masked, filtered */
    gh_str sqlstate;
    gh_str relation;
    gh_str column;
    gh_str message; /* refused: why */
    int64_t count;
    gh_str example; /* the newest statement's id */
    gh_str last;    /* its time */
} would_group;

typedef struct would_sums {
    gh_arena *arena; /* of all that the groups name */
    would_group *groups;
    size_t count;
    size_t cap;
    size_t *slots; /* a hash table of group numbers, from 1; 0: free */
    size_t slot_count;
} would_sums;

void would_init(would_sums *w, gh_arena *a);
void would_fini(would_sums *w);
/* Takes one record; of those that observe mode made nothing of it is left out. */
void would_add(would_sums *w, const gh_json_value *record, gh_arena *a);
void would_sort(would_sums *w); /* the most frequent first */

#endif
