/*
 * What runs early though it is no condition. A function in FROM or a row of VALUES that takes its neighbours'
 * columns is joined to them where PostgreSQL likes, what an outer join may extend with NULLs is computed
 * where the row is read, and so is what rows are sorted by:
 *
 *     FROM v, LATERAL f(v.x)          f may run before v's own joins have left rows out
 *     FROM a LEFT JOIN v ON ...       so may an expression of v's
 *     FROM v ORDER BY 1 / v.x         so may this, below a join that keeps the order
 *
 * Row filters are none the less before it, since they are conditions of the row that is read; only views have
 * joins of their own, and foreign servers may sort what is filtered here.
 *
 * SECURITY: what fails there tells of rows that the view leaves out. relation.c fences the views of such a
 * statement. Attack: tests/attack views.
 */
#include "fence.h"
#include "operand.h"

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
    if (IsA(n, RangeFunction) || IsA(n, RangeTableFunc)) {
        Node *copy = (Node *)(uintptr_t)n;

        if (!gh_sql_children((struct Node *)copy, find_column, &j->runs_early))
            j->runs_early = true;
    } else if (IsA(n, RangeSubselect) && ((const RangeSubselect *)n)->lateral) {
        const gh_query *q = gh_query_of(j, ((const RangeSubselect *)n)->subquery);

        j->runs_early |= q == NULL || !q->is_safe;
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

/* A window, or an aggregate over what is sorted or distinct. */
static void find_sort(struct Node **slot, void *arg)
{
    bool *is_found = arg;
    const FuncCall *f = (const FuncCall *)*slot;

    if (IsA(f, FuncCall) && (f->over != NULL || f->agg_distinct || f->agg_order != NIL))
        *is_found = true;
    if (!gh_sql_children(*slot, find_sort, arg))
        *is_found = true;
}

static bool sorts(const SelectStmt *s)
{
    bool is_found = s->sortClause != NIL || s->groupClause != NIL || s->distinctClause != NIL ||
                    s->windowClause != NIL;
    ListCell *cell;

    foreach (cell, s->targetList)
        find_sort((struct Node **)&lfirst(cell), &is_found);
    return is_found;
}

/* What the arms of a set operation compute is compared, unless all of it is kept as it comes. */
static bool have_safe_values(const gh_judge *j, const SelectStmt *s)
{
    const gh_query *q;

    if (s->op != SETOP_NONE)
        return have_safe_values(j, s->larg) && have_safe_values(j, s->rarg);
    q = gh_query_of(j, (const Node *)s);
    return q != NULL && q->has_safe_values;
}

void gh_judge_note_early_keys(gh_judge *j, const SelectStmt *s)
{
    const gh_query *q = gh_query_of(j, (const Node *)s);
    bool is_sorted = s->op == SETOP_NONE ? sorts(s) : !s->all || s->sortClause != NIL;

    if (is_sorted && !(have_safe_values(j, s) && (q == NULL || q->has_safe_keys)))
        j->runs_early = true;
}
