/*
 * A naive second implementation of the one rule, and random policies to try it on. It shares no code with
 * the module: own pattern match, own order of masks, own roles.
 */
#ifndef NAIVE_H
#define NAIVE_H

#include "policy_tests.h"

#define FILTERS  4
#define COLUMNS  4
#define ROLES    4
#define RULES    7
#define NOW      100
#define ROWS_MAX 81 /* 3^FILTERS */

#define TOTAL_MASKS 10
#define NULL_MASK   8
#define NO_MASK     (-1)

extern const gh_str naive_filters[FILTERS];
extern const gh_str naive_columns[COLUMNS];
extern const gh_oid naive_types[COLUMNS];

typedef struct naive_mask {
    const char *text;
    const char *shown; /* name in the decision */
    int rank;
    uint32_t fits; /* columns, as bits */
} naive_mask;

extern const naive_mask naive_masks[];
extern const size_t naive_mask_count;

typedef struct random_world {
    gh_acl acl;
    gh_acl_role roles[ROLES];
    gh_acl_user user;
    gh_acl_rule rules[RULES + 1];
    gh_acl_tag tags[2];
    gh_acl_masking masking[3];
    gh_acl_mask_def def;
    gh_str names[400]; /* what lists are cut from */
    size_t name_count;
    gh_acl_column_mask masks[RULES + 1][COLUMNS];
    uint64_t state;
    uint64_t seed;
    size_t mask_kinds; /* how many of naive_masks are drawn from */
} random_world;

typedef enum truth { FALSE, TRUE, UNKNOWN } truth;

typedef struct shown { /* a cell, or a column that is not there */
    bool is_there;
    bool is_clear;
    int mask; /* index into naive_masks; NULL_MASK: NULL */
} shown;

void naive_world(random_world *w, uint64_t seed, size_t mask_kinds, size_t rules);
void naive_rule(random_world *w, gh_acl_rule *r, int64_t id, bool is_deny,
                gh_acl_column_mask *masks);
bool naive_applies(const gh_acl *acl, const gh_acl_rule *r, int privilege);
bool naive_is_whole(const gh_acl_rule *r);
bool naive_names_column(const gh_acl *acl, const gh_acl_rule *r, int column);
truth naive_filter(const gh_acl_rule *r, const truth *row);
int naive_mask_of(const gh_acl_rule *r, int column);
bool naive_comparable(int a, int b);
bool naive_is_grant(const gh_acl *acl, const gh_acl_rule *r, int privilege);
bool naive_has_column(const gh_acl *acl, int privilege, int column);
bool naive_has_privilege(const gh_acl *acl, int privilege);
bool naive_row(const gh_acl *acl, int privilege, const truth *row);
bool naive_cell_denied(const gh_acl *acl, int privilege, int column, const truth *row);
bool naive_is_lost(const gh_acl *acl, int mask, int column);
shown naive_cell(const gh_acl *acl, int column, const truth *row);
uint32_t naive_draw(random_world *w, uint32_t below);

#endif
