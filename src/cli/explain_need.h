/*
 * What a refused statement would need.
 */
#ifndef GATEHOUSE_CLI_EXPLAIN_NEED_H
#define GATEHOUSE_CLI_EXPLAIN_NEED_H

#include "policy_code.h"

#include <gatehouse/rewrite.h>

typedef struct need_grant {
    const gh_relation *relation;
    uint32_t privileges;
    bool *is_needed; /* by index into the relation's columns */
    bool is_every_column;
    bool is_blind;
} need_grant;

typedef struct needs {
    gh_err why_never; /* set: no grant would let it through, and why */
    need_grant *grants;
    size_t grant_count;
    uint32_t may;
    gh_str_list functions;      /* schema.name */
    const gh_acl_rule **denies; /* that stand in the way: no grant gives back what they take */
    size_t deny_count;
    bool
        is_more; /* and select on something that is no table that it reads: a type, a schema's name */
} needs;

/*
 * What a user's statement becomes, in a session that has set nothing. Names of columns that the user does not have
 * are the warehouse's to refuse, so it is asked to prepare (not to run) what would be sent: what it refuses is refused
 * in *plans. GH_INVALID: no statement at all; GH_IO and others: the warehouse cannot be asked.
 */
GH_MUST_USE gh_rc cli_explain_judge(gh_arena *a, const cli_live *live, gh_view *view, gh_str sql,
                                    gh_plan **plans, size_t *count, gh_err *err);

/*
 * The least that, added to what the user has, lets the one statement through: found by the rewriter itself, which
 * judges it under one policy after the other. In the call's arena; borrows from the acl and the catalog.
 */
void cli_explain_needs(cli_call *c, const gh_acl *acl, const cli_live *live, gh_str user,
                       gh_str sql, needs *out);
void cli_needs_fini(needs *n);

#endif
