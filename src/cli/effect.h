/*
 * The effect of a change of policy: who sees what of a warehouse otherwise than before. Users whose
 * decisions must be the same (equal roles, no rule of their own) are decided once.
 */
#ifndef GATEHOUSE_CLI_EFFECT_H
#define GATEHOUSE_CLI_EFFECT_H

#include "policy_code.h"

/* One difference between two decisions on a relation. */
typedef struct effect_change {
    char sign;           /* '+' more shows, '-' less, '~' neither, or both */
    const char *what;    /* "rows", "columns", "insert", "update", "delete", "truncate" */
    gh_str_list columns; /* of "columns" */
    gh_str before;
    gh_str after;
} effect_change;

/* What changes on a relation, and for whom. */
typedef struct effect {
    const gh_relation *relation;
    gh_str_list users;
    const effect_change *changes;
    size_t count;
} effect;

typedef struct effect_side {
    const gh_acl *acl;
    gh_policy *policy;
} effect_side;

/* Every effect in the warehouse, by schema and relation; in the call's arena. */
void cli_effects(cli_call *c, const effect_side *before, const effect_side *after,
                 const cli_live *live, const effect **out, size_t *count);

/* The differences between two decisions on one relation (diff.c); `note` ends filters' texts. */
typedef struct effect_view {
    gh_view *view;
    const gh_acl_attribute
        *changed; /* attributes of the user that are not the same on both sides */
    size_t changed_count;
} effect_view;

const effect_change *cli_decision_diff(gh_arena *a, const gh_relation *r, const effect_view *before,
                                       const gh_decision *b, const effect_view *after,
                                       const gh_decision *d, size_t *count);

/*
 * A row that shows otherwise to the user: as it shows on the one side and not on the other. GH_OK
 * with row_count 0: none was found.
 */
GH_MUST_USE gh_rc cli_witness(cli_call *c, cli_live *live, const gh_relation *r, gh_view *shown,
                              gh_view *missing, gh_link_rows *out, gh_err *err);

#endif
