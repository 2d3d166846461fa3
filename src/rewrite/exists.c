/*
 * EXISTS as a condition. It is run for the rows of the query around it, hidden ones among them where the row
 * filter is the dearer of the two, so nothing in it may fail for any of their values:
 *
 *     EXISTS (SELECT ... FROM relations and joins WHERE ...)
 *
 * whose conditions are judged in their own block. What else a query may hold is computed from whatever it names:
 * a function's arguments, VALUES, LIMIT, the keys of GROUP BY, ORDER BY and windows, the arms of a set operation.
 *
 * SECURITY: EXISTS (SELECT FROM generate_series(1, 1 / (o.amount - 15))) failed for a hidden row of 15. Attack:
 * tests/differential/interference.
 */
#include "judge.h"

static bool is_plain_query(const Node *n);

static bool is_plain_item(const Node *n)
{
    if (n == NULL)
        return true;
    switch (nodeTag(n)) {
    case T_RangeVar:
        return true;
    case T_JoinExpr:
        return is_plain_item(((const JoinExpr *)n)->larg) &&
               is_plain_item(((const JoinExpr *)n)->rarg);
    case T_RangeSubselect:
        return is_plain_query(((const RangeSubselect *)n)->subquery);
    default:
        return false;
    }
}

static bool is_number(const Node *n)
{
    return n == NULL || IsA(n, A_Const);
}

static bool is_plain_query(const Node *n)
{
    const SelectStmt *s = (const SelectStmt *)n;
    ListCell *cell;

    if (n == NULL || !IsA(n, SelectStmt) || s->op != SETOP_NONE || s->valuesLists != NIL ||
        s->withClause != NULL || s->distinctClause != NIL || s->groupClause != NIL ||
        s->havingClause != NULL || s->windowClause != NIL || s->sortClause != NIL ||
        s->lockingClause != NIL || !is_number(s->limitCount) || !is_number(s->limitOffset))
        return false;
    foreach (cell, s->fromClause) {
        if (!is_plain_item(lfirst(cell)))
            return false;
    }
    return true;
}

bool gh_judge_is_safe_exists(const SubLink *s)
{
    return s->subLinkType == EXISTS_SUBLINK && is_plain_query(s->subselect);
}
