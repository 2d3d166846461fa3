/*
 * Private to policy_*.c: one expression of the policy on its way to SQL.
 */
#ifndef GATEHOUSE_REWRITE_POLICY_EXPR_H
#define GATEHOUSE_REWRITE_POLICY_EXPR_H

#include "judge.h"

/* Tokens. */
typedef struct gh_span {
    size_t first;
    size_t end; /* SIZE_MAX: not known */
} gh_span;

typedef struct gh_policy_scope {
    gh_judge judge; /* a judge of its own over the policy's text */
    const gh_relation *relation;
    const char *alias;      /* SQL name of the relation where the expression will stand */
    const gh_column *value; /* masks: what `value` stands for; NULL in a filter */
    List *inner; /* of const gh_relation *: tables of enclosing sub-selects, NULL if unknown */
    List *names; /* of char *: what they go by */
    List *outer_names;
    bool *is_guard; /* see gh_item */
    bool is_broken;
    bool
        is_captured; /* what is of the relation might be of a table inside, by the name that the client gave to it */
    bool has_query;      /* a sub-select: the planner may run it after other conditions */
    bool has_made_casts; /* somebody made casts that run without a word */
    bool may_quote;      /* it may fail by an error that quotes a value of the row */
    bool calls_code;     /* other than PostgreSQL's own: it may cost anything */
    bool is_volatile;    /* some of it may be volatile: a sub-select that computes it stays one */
    bool keeps_instants; /* policy_time.c: they stay what they are in the part that is walked */
} gh_policy_scope;

/* ---- policy_expr.c --------------------------------------------------------------------------- */

/* Refuses the expression; the first reason stays. */
void gh_policy_broken(gh_policy_scope *p, const char *why);
/* Looks into one node and below; a gh_sql_visit. */
void gh_policy_walk(struct Node **slot, void *arg);
void gh_policy_walk_children(gh_policy_scope *p, Node *n);
/* Opens the scope of a sub-select; returns what to close it with. */
List *gh_policy_enter(gh_policy_scope *p, const SelectStmt *s);
void gh_policy_leave(gh_policy_scope *p, List *outer);
/* Does so for a sub-select that stands for its first column, which it returns. NULL: there is none, and nothing to close. */
const Node *gh_policy_enter_value(gh_policy_scope *p, const SubLink *s, List **outer);
bool gh_policy_is_inner_column(const gh_policy_scope *p, gh_str name);
void gh_policy_column(gh_policy_scope *p, ColumnRef *ref);
/* Writes the schema of a function of PostgreSQL's own; false: it is none, and the expression is broken. */
bool gh_policy_name_call(gh_policy_scope *p, FuncCall *f);
/* attr('x') */
bool gh_policy_is_attribute(const Node *n);

/* ---- policy_type.c --------------------------------------------------------------------------- */

/* What the session decides of a type's values. */
#define GH_TRAIT_ZONE     1u  /* TimeZone: which instant a literal is */
#define GH_TRAIT_STYLE    2u  /* DateStyle: which day */
#define GH_TRAIT_INTERVAL 4u  /* IntervalStyle: which interval */
#define GH_TRAIT_PRINTS   8u  /* its text */
#define GH_TRAIT_HOLDS    16u /* it is made of values of other types: a range, an array, a row */

#define GH_TRAIT_NO_ZONE 32u /* of a literal that is read as UTC's, whatever zone it says */

/* Behind domains. */
gh_oid gh_policy_base(const gh_policy_scope *p, gh_oid type);
/* 0: not known. */
gh_oid gh_policy_type(gh_policy_scope *p, const Node *n);
unsigned gh_policy_traits(const gh_policy_scope *p, gh_oid type);
/* Refuses a literal, NULL: none, that a type with these traits would read as the session has it. */
void gh_policy_check_literal(gh_policy_scope *p, const char *s, unsigned what);
/* So those among values of which one type is made. */
void gh_policy_check_alike(gh_policy_scope *p, const List *values);
/* So those beside what is of such types. */
void gh_policy_check_neighbours(gh_policy_scope *p, const A_Expr *e, bool is_compared);

/* ---- policy_call.c --------------------------------------------------------------------------- */

/* Of PostgreSQL's own functions: is it one that takes an instant and asks nobody for a zone? */
bool gh_policy_has_instants(const gh_policy_scope *p, const char *name);
bool gh_policy_asks_session(const FuncCall *f);
/* Of a date or timestamp. */
bool gh_policy_wants_instant(gh_policy_scope *p, const FuncCall *f, int i);
/* Of what a literal there is read as. */
unsigned gh_policy_argument_traits(gh_policy_scope *p, const FuncCall *f, int i);

/* ---- policy_span.c --------------------------------------------------------------------------- */

size_t gh_policy_type_end(const gh_policy_scope *p, const TypeName *t);
/* Is what is in between whole, as to its brackets? */
gh_span gh_policy_whole(const gh_policy_scope *p, gh_span span);

/* ---- policy_time_text.c ---------------------------------------------------------------------- */

bool gh_time_text_is_relative(const char *s);
bool gh_time_text_is_ambiguous(const char *s);
bool gh_time_text_has_zone(const char *s);
/* -1 day 2:00 */
bool gh_time_text_is_signed(const char *s);

/* ---- policy_time.c --------------------------------------------------------------------------- */

typedef enum gh_time_kind {
    GH_TIME_NONE = 0,
    GH_TIME_INSTANT, /* timestamp with time zone */
    GH_TIME_STAMP,
    GH_TIME_DAY
} gh_time_kind;

gh_time_kind gh_policy_time_kind(gh_policy_scope *p, const Node *n);
/* Functions: that make an instant of other things; AT TIME ZONE; date_trunc('day', at, 'Europe/Berlin'). */
bool gh_policy_makes_instant(const FuncCall *f);
bool gh_policy_is_timezone(const FuncCall *f);
bool gh_policy_cuts_in_a_zone(const FuncCall *f);
/* Others of which an instant comes out. */
bool gh_policy_gives_instant(gh_policy_scope *p, const FuncCall *f);
/* The tokens of an expression whose end is certain. */
gh_span gh_policy_span(const gh_policy_scope *p, const Node *n);
/* A string's text; NULL: it is none. */
const char *gh_policy_literal(const Node *n);
/* The bare name of a function or type of PostgreSQL's own, "" for any other. */
const char *gh_policy_own_name(const List *names);
/* Handles what has to do with time; false: it has not, and nothing was done. */
bool gh_policy_time(gh_policy_scope *p, Node *n);
/* All of a filter or mask. */
void gh_policy_value(gh_policy_scope *p, Node *n);
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
bool gh_policy_is_interval(gh_policy_scope *p, const Node *n);
/* Makes the function text or JSON of its arguments? */
bool gh_policy_prints(const FuncCall *f);

#endif
