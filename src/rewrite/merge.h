/*
 * Private to merge.c and merge_check.c: what an action of MERGE stores, and its tokens.
 */
#ifndef GATEHOUSE_REWRITE_MERGE_H
#define GATEHOUSE_REWRITE_MERGE_H

#include "judge.h"

/* What an action stores in a column. */
typedef struct gh_merge_value {
    Node **slot;    /* NULL: nothing is said of the column */
    size_t first;   /* its tokens... */
    size_t end;     /* ...behind `=`, a bracket or a comma */
    bool is_part;   /* of the column, as by d[1] = 2, or its tokens are not known */
    SubLink *query; /* it comes out of this, which gives several columns... */
    int place;      /* ...and is this one of them, from 0... */
    int width;      /* ...of so many */
} gh_merge_value;

typedef struct gh_merge_action {
    gh_item *target;
    MergeWhenClause *when;
    gh_merge_value *values; /* by column */
    const bool *written;
    bool is_update;
    List *added_columns; /* INSERT: SQL of the columns that are to be named besides... */
    List *added_values;  /* ...of their values... */
    List *
        added; /* ...and the same as trees, for the end of the list, which slots point into until then */
} gh_merge_action;

/*
 * The condition under which the new row may be stored, over copies of its values; "" for always, or where the check stands
 * around a value; NULL after a refusal. Values that INSERT leaves to a default are put into the tree and added_columns.
 */
char *gh_merge_check(gh_judge *j, gh_merge_action *a);

#endif
