/*
 * Queries whose rows are locked, and names of what writes return: what keeps the planner from the statistics behind them.
 */
#ifndef GATEHOUSE_REWRITE_APART_H
#define GATEHOUSE_REWRITE_APART_H

#include "judge.h"

/* A query before it is judged, where it locks rows and stands in another. */
void gh_apart_note_query(gh_judge *j, const gh_block *block, SelectStmt *s);
/* A RangeVar that means a write of WITH. */
void gh_apart_note_name(gh_judge *j, Node **slot);
/* Once it is known what the statement asks, and everything else is placed. */
void gh_apart_place(gh_judge *j);

#endif
