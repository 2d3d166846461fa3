/*
 * lookup.c: is a statement a lookup by key, of the kind that programs send all day?
 *
 *     SELECT name, region FROM customers WHERE id = 4711 AND name <> 'x' LIMIT 1
 *            └─ columns alone           └─ one table, its whole primary key by =; otherwise columns compared
 *                                          with constants
 *
 * Such a statement may be sent as a prepared one, with its constants as parameters (src/session/lookup.c), and neither
 * its answer nor its plan is another for it: a constant beside a column in a comparison is resolved by the types
 * alone, which a parameter of the same type (of none, where it is a quoted string) has as well; and what finds at
 * most one row by its key is planned alike for every value, which is not so of other conditions: a rare value
 * wants another plan than a frequent one.
 */
#include "judge.h"

static bool is_comparison(const A_Expr *e)
{
    static const char *const names[] = { "=", "<>", "<", "<=", ">", ">=" };

    for (size_t i = 0; e->kind == AEXPR_OP && list_length(e->name) == 1 && i < GH_COUNT(names);
         i++) {
        if (strcmp(strVal(linitial(e->name)), names[i]) == 0)
            return true;
    }
    return false;
}

static bool is_constant(const Node *n)
{
    const A_Const *c = (const A_Const *)n;

    if (n != NULL && IsA(n, ParamRef))
        return true;
    return n != NULL && IsA(n, A_Const) && !c->isnull &&
           (IsA(&c->val, Integer) || IsA(&c->val, String));
}

static bool is_column(const Node *n)
{
    return n != NULL && IsA(n, ColumnRef) && IsA(llast(((const ColumnRef *)n)->fields), String);
}

/* A condition that holds columns and constants only; *keys: names that it compares for equality. */
static bool take_condition(const Node *n, bool is_top, List **keys)
{
    const A_Expr *e = (const A_Expr *)n;
    const BoolExpr *b = (const BoolExpr *)n;
    const Node *column;
    ListCell *cell;

    if (is_column(n))
        return true;
    if (n != NULL && IsA(n, NullTest))
        return is_column((const Node *)((const NullTest *)n)->arg);
    if (n != NULL && IsA(n, BoolExpr) && is_top && b->boolop == AND_EXPR) {
        foreach (cell, b->args) {
            if (!take_condition(lfirst(cell), false, keys))
                return false;
        }
        return true;
    }
    if (n == NULL || !IsA(n, A_Expr) || !is_comparison(e))
        return false;
    column = is_column(e->lexpr) ? e->lexpr : e->rexpr;
    if (!is_column(column) || !is_constant(column == e->lexpr ? e->rexpr : e->lexpr))
        return false;
    if (strcmp(strVal(linitial(e->name)), "=") == 0)
        *keys = lappend(*keys, llast(((const ColumnRef *)column)->fields));
    return true;
}

static bool are_columns(const List *targets)
{
    ListCell *cell;

    foreach (cell, targets) {
        if (!IsA(lfirst_node(ResTarget, cell)->val, ColumnRef))
            return false;
    }
    return true;
}

static bool are_sorts_by_column(const List *sorts)
{
    ListCell *cell;

    foreach (cell, sorts) {
        if (!is_column(lfirst_node(SortBy, cell)->node) || lfirst_node(SortBy, cell)->useOp != NIL)
            return false;
    }
    return true;
}

List *gh_lookup_keys(const Node *stmt)
{
    const SelectStmt *s = (const SelectStmt *)stmt;
    const RangeVar *from;
    List *keys = NIL;

    if (!IsA(stmt, SelectStmt) || s->op != SETOP_NONE || s->valuesLists != NIL ||
        list_length(s->fromClause) != 1 || !IsA(linitial(s->fromClause), RangeVar) ||
        s->withClause != NULL || s->intoClause != NULL || s->distinctClause != NIL ||
        s->groupClause != NIL || s->havingClause != NULL || s->windowClause != NIL ||
        s->lockingClause != NIL || s->limitOffset != NULL)
        return NIL;
    from = linitial(s->fromClause);
    if ((from->alias != NULL && from->alias->colnames != NIL) || !are_columns(s->targetList) ||
        !are_sorts_by_column(s->sortClause) ||
        (s->limitCount != NULL && !is_constant(s->limitCount)))
        return NIL;
    return take_condition(s->whereClause, true, &keys) ? keys : NIL;
}

bool gh_lookup_is_by_key(const gh_judge *j, const List *keys)
{
    const gh_item *item = list_length(j->items) == 1 ? linitial(j->items) : NULL;
    const gh_relation *r = item != NULL ? item->relation : NULL;
    int found = 0;

    if (keys == NIL || r == NULL || item->decision == NULL || r->kind != 'r' || r->is_temporary)
        return false;
    for (int i = 0; i < r->primary_key_len; i++) {
        ListCell *cell;

        foreach (cell, keys) {
            const gh_column *c = gh_relation_column(r, gh_str_of(strVal(lfirst(cell))));

            if (c != NULL && c->attnum == r->primary_key[i]) {
                found++;
                break;
            }
        }
    }
    return found > 0 && found == r->primary_key_len;
}
