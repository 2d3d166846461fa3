/*
 * Private to policy_expr.c, policy_time.c and policy_time_text.c: one expression of the policy on its way to SQL.
 */
#ifndef GATEHOUSE_REWRITE_POLICY_EXPR_H
#define GATEHOUSE_REWRITE_POLICY_EXPR_H

#include "judge.h"

typedef struct gh_policy_scope {
    gh_judge judge; /* a judge of its own over the policy's text */
    const gh_relation *relation;
    const char *alias;      /* SQL name of the relation where the expression will stand */
    const gh_column *value; /* masks: what `value` stands for; NULL in a filter */
    List *inner;    /* of const gh_relation *: tables of enclosing sub-selects, NULL if unknown */
    bool *is_guard; /* see gh_item */
    bool is_broken;
    bool has_query;      /* a sub-select: the planner may run it after other conditions */
    bool keeps_instants; /* policy_time.c: they stay what they are in the part that is walked */
} gh_policy_scope;

/* ---- policy_expr.c --------------------------------------------------------------------------- */

/* Refuses the expression; the first reason stays. */
void gh_policy_broken(gh_policy_scope *p, const char *why);
/* Looks into one node and below; a gh_sql_visit. */
void gh_policy_walk(struct Node **slot, void *arg);
void gh_policy_walk_children(gh_policy_scope *p, Node *n);
/* Opens the scope of a sub-select; returns what to put back into p->inner. */
List *gh_policy_enter(gh_policy_scope *p, const SelectStmt *s);
bool gh_policy_is_inner_column(const gh_policy_scope *p, gh_str name);
void gh_policy_column(gh_policy_scope *p, ColumnRef *ref);
/* Writes the schema of a function of PostgreSQL's own; false: it is none, and the expression is broken. */
bool gh_policy_name_call(gh_policy_scope *p, FuncCall *f);
/* attr('x') */
bool gh_policy_is_attribute(const Node *n);

/* ---- policy_time_text.c ---------------------------------------------------------------------- */

bool gh_time_text_is_relative(const char *s);
bool gh_time_text_is_ambiguous(const char *s);
bool gh_time_text_has_zone(const char *s);

/* ---- policy_time.c --------------------------------------------------------------------------- */

/* Handles what has to do with time; false: it has not, and nothing was done. */
bool gh_policy_time(gh_policy_scope *p, Node *n);
/* SQL of a mask's value, sql, over a column of type timestamptz. */
char *gh_policy_time_mask(const char *sql, gh_str type_sql);

#endif
