/*
 * Private to rewrite: what of the client's may run on a row before the row filter did, and what stands between where it
 * may not. push.c begins with how it goes together.
 *
 *     condition.c query_value.c aggregate.c   what fails for no row, and does nothing else
 *     early.c                                 what is computed before a view's own joins
 *     push.c                                  who needs a fence; copies behind it
 *     flat.c conjunct.c                       CASE in the place of a fence
 *
 * As judge.h: in the parser's memory, on the thread that judges.
 */
#ifndef GATEHOUSE_REWRITE_FENCE_H
#define GATEHOUSE_REWRITE_FENCE_H

#include "judge.h"

/* ---- flat.c ---------------------------------------------------------------------------------- */

/* May the relation stand as it is, its row condition in the query's WHERE and its masks in the query's result?
 * Known when the statement was judged; a fence is another reason why not. */
bool gh_flat_may_stand(gh_judge *j, gh_item *item);
/* The SQL name of one that stands so. */
char *gh_flat_name(const gh_judge *j, const gh_item *item);
/* Compiles its row condition and masks; false: they cannot be. */
bool gh_flat_prepare(gh_judge *j, gh_item *item);
/* Notes whether the relations of the query, which is judged, may stand so though its WHERE may fail. */
void gh_flat_note_guard(gh_judge *j, SelectStmt *s);
/* May it stand so, fence or not, since the client's WHERE runs behind its row condition? */
bool gh_flat_is_guarded(const gh_judge *j, const gh_item *item);
/* Could the condition hold for no row at all, whatever that holds? */
bool gh_flat_may_hold_for_none(const char *where, const char *inner);
/* Puts the row conditions and masks of the query's relations that do into it. */
void gh_flat_place_filters(gh_judge *j, gh_block *b);

/* ---- conjunct.c ------------------------------------------------------------------------------ */

/* Conjuncts of a WHERE, one behind the other. */
typedef struct gh_flat_run {
    int from; /* of BoolExpr.args */
    int to;
    size_t first; /* tokens */
    size_t end;
} gh_flat_run;

/* Of a WHERE that may be guarded: this conjunct may fail or not. */
void gh_flat_note_conjunct(gh_judge *j, const Node *where, int index, bool is_safe);
/* All that may fail of the WHERE whose condition is these tokens; false: that is not in one place, or not found. */
bool gh_flat_find_run(gh_judge *j, const gh_block *b, const List *args, size_t first, size_t end,
                      gh_flat_run *run);

/* What closes `CASE WHEN ... THEN (` behind a condition of the block. */
const char *gh_flat_case_end(gh_judge *j, gh_block *b, const Node *guarded);

/* ---- early.c --------------------------------------------------------------------------------- */

/* Notes what an item of FROM, and what a row of VALUES, computes with its neighbours' columns. */
void gh_judge_note_early(gh_judge *j, const Node *from);
void gh_judge_note_early_row(gh_judge *j, const List *row);
/* The same for what a query sorts or groups by; its block is the current one. */
void gh_judge_note_early_keys(gh_judge *j, const SelectStmt *s);

/* ---- push.c ---------------------------------------------------------------------------------- */

/* Notes, for the block's items, which conjuncts of its conditions may be copied inside. */
void gh_judge_push(gh_judge *j, SelectStmt *s);
/* The copies as more conjuncts, each with AND before it; "" of none. */
const char *gh_judge_copies(gh_judge *j, const List *pushed);
/* The same for what a write joins its target with. */
void gh_judge_push_write(gh_judge *j, const List *from, const Node *where);
/* Is the item behind a fence? */
bool gh_judge_is_fenced(const gh_judge *j, const gh_item *item);
/* The item and column of a relation that a reference means, or NULL where that is not certain. */
const gh_column *gh_judge_bind(gh_judge *j, const ColumnRef *ref, gh_item **item);

/* ---- condition.c ----------------------------------------------------------------------------- */

/* A constant pattern of LIKE that fails on no text. */
bool gh_judge_is_safe_pattern(const Node *n);
/* Cannot fail on any row and does nothing else. */
bool gh_judge_is_safe(gh_judge *j, const Node *condition);
bool gh_judge_is_safe_using(gh_judge *j, const JoinExpr *join);
/* = <> < <= > >=, or the name that IN has: none. */
bool gh_judge_is_comparison(const List *name);

/* ---- query_value.c --------------------------------------------------------------------------- */

/* Notes of a query that was judged what it gives; its block is the current one. */
void gh_query_note(gh_judge *j, const SelectStmt *s);
/* What was noted; NULL: nothing. */
const gh_query *gh_query_of(const gh_judge *j, const Node *select);
/* The same under other names for its first columns. */
const gh_query *gh_query_named(const gh_query *q, const List *names);

/* ---- aggregate.c ----------------------------------------------------------------------------- */

/* Is every function of the name an aggregate of PostgreSQL's own? */
bool gh_judge_is_aggregate(const gh_judge *j, const List *name);

/* Computed from aggregates of the block: no row filter comes after it. */
bool gh_judge_is_aggregated(gh_judge *j, const Node *n);
/* HAVING needs no fence. */
bool gh_judge_is_safe_having(gh_judge *j, const Node *n);

#endif
