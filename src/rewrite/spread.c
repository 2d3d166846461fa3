/*
 * spread.c: conditions that PostgreSQL takes further than to what they name. Of columns that are equal it knows that each
 * equals what one of them does:
 *
 *     o.id = p.id AND o.id = 1 / $1   ─▶   also p.id = 1 / $1, on each row of p
 *
 * SECURITY: so where the value may fail and is the same for every row of the query, the fence around o does not keep it from
 * hidden rows of p, and whether it was run there tells of them. Attack: tests/attack early-predicates.
 */
#include "operand.h"

/* Of a larger condition nothing is known, so that looking at it stays quick. */
#define STEPS_MAX 2000

typedef struct gh_spread {
    gh_judge *j;
    int steps;
    bool is_own; /* a column of the query itself was met */
    bool is_spread;
} gh_spread;

static bool is_spent(gh_spread *s)
{
    if (++s->steps > STEPS_MAX)
        s->is_spread = true;
    return s->is_spread;
}

static void look_for_own(struct Node **slot, void *arg)
{
    gh_spread *s = arg;
    Node *n = (Node *)*slot;

    if (is_spent(s) || s->is_own || IsA(n, SubLink))
        return;
    if (IsA(n, ColumnRef)) {
        const gh_item *item = gh_operand_item(s->j, (const ColumnRef *)n);

        s->is_own = item != NULL && item->block == s->j->block;
    } else if (!gh_sql_children(*slot, look_for_own, s)) {
        s->is_spread = true;
    }
}

/* May the value fail, and is it the same for every row? */
static void look_at_side(gh_spread *s, Node *n)
{
    ListCell *cell;

    if (n == NULL || s->is_spread)
        return;
    if (IsA(n, List) || IsA(n, RowExpr)) {
        foreach (cell, IsA(n, List) ? (List *)n : ((RowExpr *)n)->args)
            look_at_side(s, lfirst(cell));
        return;
    }
    s->is_own = false;
    look_for_own((struct Node **)&n, s);
    if (!s->is_own && gh_value(s->j, n).class == GH_CLASS_NONE)
        s->is_spread = true;
}

/* NOT (a <> b) becomes a = b. Of an operator that is not PostgreSQL's own nobody knows here. */
static bool is_equal_operator(const List *names)
{
    const char *name = names == NIL ? "" : strVal(llast(names));

    if (list_length(names) > 1 && strcmp(strVal(linitial(names)), "pg_catalog") != 0)
        return true;
    return strcmp(name, "<>") == 0 ||
           (strchr(name, '=') != NULL && strcmp(name, "<=") != 0 && strcmp(name, ">=") != 0);
}

static bool is_equality(const A_Expr *e)
{
    switch (e->kind) {
    case AEXPR_OP:
        return is_equal_operator(e->name);
    case AEXPR_IN:
    case AEXPR_DISTINCT:
    case AEXPR_NOT_DISTINCT:
        return true;
    case AEXPR_OP_ANY: /* none of them becomes = */
    case AEXPR_OP_ALL:
    case AEXPR_NULLIF:
    case AEXPR_LIKE:
    case AEXPR_ILIKE:
    case AEXPR_SIMILAR:
    case AEXPR_BETWEEN:
    case AEXPR_NOT_BETWEEN:
    case AEXPR_BETWEEN_SYM:
    case AEXPR_NOT_BETWEEN_SYM:
        return false;
    }
    return true;
}

/* A function of SQL may be an equality, for which PostgreSQL then takes it. */
static bool is_foreign(const FuncCall *f)
{
    return list_length(f->funcname) != 2 ||
           strcmp(strVal(linitial(f->funcname)), "pg_catalog") != 0;
}

static void look(struct Node **slot, void *arg)
{
    gh_spread *s = arg;
    Node *n = (Node *)*slot;

    if (is_spent(s) || IsA(n, SubLink))
        return;
    if (IsA(n, A_Expr) && is_equality((const A_Expr *)n)) {
        look_at_side(s, ((A_Expr *)n)->lexpr);
        look_at_side(s, ((A_Expr *)n)->rexpr);
    } else if (IsA(n, FuncCall) && is_foreign((const FuncCall *)n)) {
        look_at_side(s, (Node *)((FuncCall *)n)->args);
    } else if (IsA(n, CaseExpr)) { /* CASE x WHEN y */
        look_at_side(s, (Node *)((CaseExpr *)n)->arg);
    }
    if (!s->is_spread && !gh_sql_children(*slot, look, s))
        s->is_spread = true;
}

bool gh_judge_spreads(gh_judge *j, const Node *condition)
{
    gh_spread s = { .j = j };
    Node *n = (Node *)(uintptr_t)condition;

    if (n != NULL)
        look((struct Node **)&n, &s);
    return s.is_spread;
}
