/*
 * What a grouped query computes from an aggregate. PostgreSQL computes it from rows that are joined and
 * filtered, and a condition on it stays behind the grouping, wherever it was written; so it may fail, and still
 * tells of visible rows alone.
 *
 *     sum(a / b)   100 * sum(a) / sum(b) > 5   0.2 * avg(q)
 *
 * SECURITY: a condition with an aggregate somewhere in it does not stay behind the grouping as a whole. PostgreSQL
 * takes AND and OR apart, also from within CASE, `= true` and rows, and moves the parts without an aggregate to
 * the rows. So only operators may stand around the aggregates here, and AND and OR are taken apart. And a query that
 * sees columns of an outer one is run for the outer one's rows, hidden ones among them: it has no part in this.
 * Attack: tests/attack early-predicates.
 */
#include "fence.h"
#include "judge.h"

/* No name reaches a column of an outer query: what the block computes is the same for all of its rows. */
static bool is_alone(const gh_judge *j)
{
    for (const gh_block *b = j->block->outer; b != NULL; b = b->outer) {
        if (b->items != NIL || b->target != NULL)
            return false;
    }
    return true;
}

bool gh_judge_is_aggregate(const gh_judge *j, const List *name)
{
    size_t count;
    const gh_function *const *all =
        gh_catalog_functions(j->in->catalog, gh_str_of(strVal(llast(name))), &count);
    bool exists = false;

    if (list_length(name) != 2 || strcmp(strVal(linitial(name)), "pg_catalog") != 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!gh_str_is(all[i]->schema, "pg_catalog"))
            continue;
        if (all[i]->kind != 'a')
            return false;
        exists = true;
    }
    return exists;
}

/* False where something stands there that is neither an aggregate nor known to leave it whole. */
static bool look(gh_judge *j, const Node *n, bool *has_aggregate)
{
    if (n == NULL)
        return true;
    switch (nodeTag(n)) {
    case T_A_Const:
    case T_ColumnRef:
    case T_ParamRef:
        return true;
    case T_TypeCast:
        return look(j, ((const TypeCast *)n)->arg, has_aggregate);
    case T_A_Expr:
        return ((const A_Expr *)n)->kind == AEXPR_OP &&
               look(j, ((const A_Expr *)n)->lexpr, has_aggregate) &&
               look(j, ((const A_Expr *)n)->rexpr, has_aggregate);
    case T_SubLink: /* a value; its own conditions are judged in its own block */
        return ((const SubLink *)n)->subLinkType == EXPR_SUBLINK;
    case T_FuncCall:
        if (((const FuncCall *)n)->over != NULL ||
            !gh_judge_is_aggregate(j, ((const FuncCall *)n)->funcname))
            return false;
        *has_aggregate = true;
        return true;
    default:
        return false;
    }
}

bool gh_judge_is_aggregated(gh_judge *j, const Node *n)
{
    bool has_aggregate = false;

    return is_alone(j) && look(j, n, &has_aggregate) && has_aggregate;
}

/* PostgreSQL tests the parts without an aggregate on the rows. */
bool gh_judge_is_safe_having(gh_judge *j, const Node *n)
{
    ListCell *cell;

    if (n == NULL || !IsA(n, BoolExpr))
        return gh_judge_is_safe(j, n) || gh_judge_is_aggregated(j, n);
    foreach (cell, ((const BoolExpr *)n)->args) {
        if (!gh_judge_is_safe_having(j, lfirst(cell)))
            return false;
    }
    return true;
}
