/*
 * What runs early though it is no condition. A function in FROM or a row of VALUES that takes its neighbours'
 * columns is joined to them where PostgreSQL likes, and what an outer join may extend with NULLs is computed
 * where the row is read:
 *
 *     FROM v, LATERAL f(v.x)          f may run before v's own joins have left rows out
 *     FROM a LEFT JOIN v ON ...       so may an expression of v's
 *
 * Row filters are none the less before it, since they are conditions of the row that is read; only views have
 * joins of their own.
 *
 * SECURITY: what fails there tells of rows that the view leaves out. relation.c fences the views of such a
 * statement. Attack: tests/attack views.
 */
#include "judge.h"

/* Does it name any column? */
static void find_column(struct Node **slot, void *arg)
{
    bool *is_found = arg;

    if (IsA((Node *)*slot, ColumnRef) || !gh_sql_children(*slot, find_column, is_found))
        *is_found = true;
}

void gh_judge_note_early(gh_judge *j, const Node *n)
{
    if (n == NULL)
        return;
    if (IsA(n, RangeFunction)) {
        Node *copy = (Node *)(uintptr_t)n;

        if (!gh_sql_children((struct Node *)copy, find_column, &j->runs_early))
            j->runs_early = true;
    } else if (IsA(n, JoinExpr)) {
        const JoinExpr *join = (const JoinExpr *)n;

        j->has_outer_join |= join->jointype != JOIN_INNER;
        gh_judge_note_early(j, join->larg);
        gh_judge_note_early(j, join->rarg);
    }
}

void gh_judge_note_early_row(gh_judge *j, const List *row)
{
    ListCell *cell;

    foreach (cell, row)
        find_column((struct Node **)&lfirst(cell), &j->runs_early);
}
