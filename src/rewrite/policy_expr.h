/*
 * Private to policy_expr.c, policy_time.c, policy_time_text.c and policy_print.c: one expression of the policy on its way to SQL.
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
    bool may_quote;      /* it may fail by an error that quotes a value of the row */
    bool calls_code;     /* other than PostgreSQL's own: it may cost anything */
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

typedef enum gh_time_kind {
    GH_TIME_NONE = 0,
    GH_TIME_INSTANT, /* timestamp with time zone */
    GH_TIME_STAMP,
    GH_TIME_DAY
} gh_time_kind;

/* Tokens. */
typedef struct gh_span {
    size_t first;
    size_t end; /* SIZE_MAX: not known */
} gh_span;

gh_time_kind gh_policy_time_kind(gh_policy_scope *p, const Node *n);
/* The tokens of an expression whose end is certain. */
gh_span gh_policy_span(const gh_policy_scope *p, const Node *n);
/* The bare name of a function or type of PostgreSQL's own, "" for any other. */
const char *gh_policy_own_name(const List *names);
/* Handles what has to do with time; false: it has not, and nothing was done. */
bool gh_policy_time(gh_policy_scope *p, Node *n);
/* SQL of a mask's value, sql, over a column of type timestamptz. */
char *gh_policy_time_mask(const char *sql, gh_str type_sql);

/* ---- policy_print.c -------------------------------------------------------------------------- */

/* The column that a reference of the policy means; NULL where nobody knows. */
const gh_column *gh_policy_bind(const gh_policy_scope *p, const ColumnRef *ref);
/* Writes a value, which is to become text, in a form of which no setting has a say; false: it is of another
 * type, and nothing was done. */
bool gh_policy_print(gh_policy_scope *p, const Node *n);
/* The same for what a cast makes text of. */
bool gh_policy_print_cast(gh_policy_scope *p, const TypeCast *c);
bool gh_policy_is_bytes(gh_policy_scope *p, const Node *n);
/* Makes the function text or JSON of its arguments? */
bool gh_policy_prints(const FuncCall *f);

#endif
