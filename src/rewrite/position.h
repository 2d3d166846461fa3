/*
 * The type checker of positions of rows: position.c.
 *
 *     position.c         names and expressions
 *     position_query.c   FROM, queries and statements
 */
#ifndef GATEHOUSE_REWRITE_POSITION_H
#define GATEHOUSE_REWRITE_POSITION_H

#include "judge.h"

/* What an expression is; zeroed: plain. */
typedef struct gh_place {
    gh_oid table; /* a position of a row of it... */
    bool is_array;
} gh_place;

/* A column that a query gives. */
typedef struct gh_given {
    const char *name; /* NULL: it has one that is not known */
    gh_place place;
} gh_given;

/* An item of FROM, or the target of a write. */
typedef struct gh_source {
    const char *alias;
    gh_oid table;  /* whose rows have positions that may be compared; 0: none */
    List *columns; /* of gh_given *... */
    bool is_known; /* ...which are all, in order */
} gh_source;

typedef struct gh_reach {
    struct gh_reach *outer;
    List *sources;   /* of gh_source * */
    bool is_partial; /* what is looked at may see a part of them only */
} gh_reach;

typedef struct gh_named_query {
    const struct gh_named_query *outer;
    const char *name;
    const List *columns;
    bool is_known;
} gh_named_query;

typedef struct gh_positions {
    gh_judge *j;
    gh_reach *reach;
    const gh_named_query *with;
    size_t names; /* `AS ctid` that were understood; references are in gh_judge.positions */
    size_t steps;
    bool is_refused;
} gh_positions;

/* What an expression is. */
gh_place gh_position_visit(gh_positions *p, Node *n);
/* Refuses what is a position. */
void gh_position_plain(gh_positions *p, Node *n);
void gh_position_plain_list(gh_positions *p, List *list);
bool gh_position_plain_children(gh_positions *p, Node *n);
/* What rows are sorted, grouped or told apart by. */
void gh_position_keys(gh_positions *p, List *list);
void gh_position_window(gh_positions *p, WindowDef *w);
/* Positions of one table, or nothing of that kind. */
bool gh_position_are_alike(gh_place a, gh_place b);
/* A bare star, or one of an alias, as a value. */
gh_place gh_position_reference(gh_positions *p, ColumnRef *ref);
bool gh_position_is_among(const gh_source *s);
const gh_given *gh_position_given(const gh_source *s, const char *name, bool *is_double);
/* The columns (gh_given *) that a query gives; *is_known is cleared where these are not all. */
List *gh_position_select(gh_positions *p, SelectStmt *s, bool *is_known);

#endif
