/*
 * ON CONFLICT (columns) WHERE condition: which conditions may be said. PostgreSQL takes each that implies that of a unique
 * index, so whether it takes `n > 5` and not `n > 4` tells a constant of the index that no catalog shows. Of a table that
 * does not show in full what holds a constant must say all that an index itself says, by the same words:
 *
 *     CREATE UNIQUE INDEX ON t (email) WHERE deleted_at IS NULL AND kind = 'a'
 *     ON CONFLICT (email) WHERE kind = 'a' AND deleted_at IS NULL       goes upstream
 *     ON CONFLICT (email) WHERE kind = 'b' AND deleted_at IS NULL       42P10, as for a table without such an index
 *     ON CONFLICT (email) WHERE deleted_at IS NULL                      goes upstream, which tells by nothing that was chosen
 *
 * Both are compared without casts, which pg_get_expr() shows and nobody writes, and with each shorthand written out.
 *
 * SECURITY: that a guess of the whole condition was right is told, but by inserting a row with that value twice one learns as
 * much; so a constant may be guessed of columns that the user may insert. Attack: tests/attack writes.
 */
#include "judge.h"
#include "write.h"

/* ---- one way to say it ---------------------------------------------------------------------------- */

static void normalise(struct Node **slot, void *arg);

static Node *text_of(const A_Const *c)
{
    A_Const *out = makeNode(A_Const);

    out->location = -1;
    out->isnull = c->isnull;
    if (c->isnull)
        return (Node *)out;
    if (IsA(&c->val, Integer))
        out->val.sval = *makeString(gh_judge_printf("%d", intVal(&c->val)));
    else if (IsA(&c->val, Float))
        out->val.sval = *makeString(pstrdup(c->val.fval.fval));
    else
        out->val = c->val;
    return (Node *)out;
}

static bool is_bool(const Node *n, bool value)
{
    return IsA(n, A_Const) && !((const A_Const *)n)->isnull &&
           IsA(&((const A_Const *)n)->val, Boolean) && boolVal(&((const A_Const *)n)->val) == value;
}

static Node *operation(const char *name, Node *left, Node *right)
{
    A_Expr *e = makeNode(A_Expr);

    e->kind = AEXPR_OP;
    e->name = list_make1(makeString(pstrdup(name)));
    e->lexpr = left;
    e->rexpr = right;
    return (Node *)e;
}

static Node *logic(BoolExprType op, List *args)
{
    BoolExpr *e = makeNode(BoolExpr);

    e->boolop = op;
    e->args = args;
    return (Node *)e;
}

/* x IN (1, 2) as x = ANY (ARRAY[1, 2]), x IN (1) as x = 1, BETWEEN as two comparisons, x = true as x. */
static Node *plain_operation(A_Expr *e)
{
    const char *name = strVal(llast(e->name));
    A_ArrayExpr *array;

    e->name = list_make1(llast(e->name));
    switch (e->kind) {
    case AEXPR_IN:
        if (list_length((List *)e->rexpr) == 1)
            return operation(name, e->lexpr, linitial((List *)e->rexpr));
        array = makeNode(A_ArrayExpr);
        array->elements = (List *)e->rexpr;
        e->kind = strcmp(name, "=") == 0 ? AEXPR_OP_ANY : AEXPR_OP_ALL;
        e->rexpr = (Node *)array;
        return (Node *)e;
    case AEXPR_BETWEEN:
        return logic(AND_EXPR, list_make2(operation(">=", e->lexpr, linitial((List *)e->rexpr)),
                                          operation("<=", e->lexpr, lsecond((List *)e->rexpr))));
    case AEXPR_LIKE:
    case AEXPR_ILIKE:
        e->kind = AEXPR_OP;
        return (Node *)e;
    case AEXPR_OP:
        if (strcmp(name, "=") == 0 && e->rexpr != NULL && is_bool(e->rexpr, true))
            return e->lexpr;
        if (strcmp(name, "=") == 0 && e->rexpr != NULL && is_bool(e->rexpr, false))
            return logic(NOT_EXPR, list_make1(e->lexpr));
        return (Node *)e;
    default:
        return (Node *)e;
    }
}

/* *arg becomes false where something is not understood. */
static void normalise(struct Node **slot, void *arg)
{
    Node **n = (Node **)slot;

    while (IsA(*n, TypeCast) || IsA(*n, CollateClause))
        *n = IsA(*n, TypeCast) ? ((TypeCast *)*n)->arg : ((CollateClause *)*n)->arg;
    if (IsA(*n, ColumnRef)) {
        ((ColumnRef *)*n)->fields = list_make1(llast(((ColumnRef *)*n)->fields));
        return;
    }
    if (IsA(*n, A_Const)) {
        *n = text_of((const A_Const *)*n);
        return;
    }
    if (!gh_sql_children((struct Node *)*n, normalise, arg))
        *(bool *)arg = false;
    if (IsA(*n, A_Expr))
        *n = plain_operation((A_Expr *)*n);
    else if (IsA(*n, FuncCall))
        ((FuncCall *)*n)->funcname = list_make1(llast(((FuncCall *)*n)->funcname));
}

static List *add_parts(List *out, Node *n)
{
    ListCell *cell;

    if (!IsA(n, BoolExpr) || ((BoolExpr *)n)->boolop != AND_EXPR)
        return lappend(out, n);
    foreach (cell, ((BoolExpr *)n)->args)
        out = add_parts(out, lfirst(cell));
    return out;
}

/* What AND joins, each in one way; NIL: not understood. */
static List *parts_of(Node *n)
{
    bool is_understood = true;

    if (n == NULL)
        return NIL;
    normalise((struct Node **)&n, &is_understood);
    return is_understood ? add_parts(NIL, n) : NIL;
}

/* ---- what it tells -------------------------------------------------------------------------------- */

typedef struct arbiter_look {
    const gh_item *target;
    bool has_constant; /* but NULL, true and false, by which nothing is found out */
    bool is_insertable;
} arbiter_look;

static void look(struct Node **slot, void *arg)
{
    arbiter_look *l = arg;
    const Node *n = (const Node *)*slot;

    if (IsA(n, A_Const)) {
        l->has_constant |=
            !((const A_Const *)n)->isnull && !IsA(&((const A_Const *)n)->val, Boolean);
    } else if (IsA(n, ColumnRef)) {
        const Node *name = llast(((const ColumnRef *)n)->fields);
        const gh_column *c = IsA(name, String)
                                 ? gh_relation_column(l->target->relation, gh_str_of(strVal(name)))
                                 : NULL;

        l->is_insertable &=
            c != NULL &&
            l->target->decision->columns[c - l->target->relation->columns].is_writable[1];
    } else if (!gh_sql_children((struct Node *)(uintptr_t)n, look, arg)) {
        l->has_constant = true;
        l->is_insertable = false;
    }
}

/* No constant stands beside what may not be inserted; *has_any: there is one. */
static bool may_be_guessed(const gh_item *target, List *parts, bool *has_any)
{
    ListCell *cell;

    *has_any = false;
    foreach (cell, parts) {
        arbiter_look l = { .target = target, .is_insertable = true };

        look((struct Node **)&lfirst(cell), &l);
        *has_any |= l.has_constant;
        if (l.has_constant && !l.is_insertable)
            return false;
    }
    return true;
}

/* Is each of these among the others? */
static bool are_among(const List *parts, const List *others)
{
    ListCell *cell;
    ListCell *other;

    foreach (cell, parts) {
        bool is_found = false;

        foreach (other, others)
            is_found = is_found || equal(lfirst(cell), lfirst(other));
        if (!is_found)
            return false;
    }
    return true;
}

bool gh_arbiter_is_named(gh_judge *j, const gh_item *target, const Node *where)
{
    const gh_relation *r = target->relation;
    List *said = parts_of((Node *)copyObjectImpl(where));
    bool has_constant;

    j->reads_literal = true;
    if (said == NIL || !may_be_guessed(target, said, &has_constant))
        return false;
    if (!has_constant)
        return true;
    for (uint16_t i = 0; i < r->partial_key_count; i++) {
        List *own = parts_of(gh_judge_parse_expr(j, gh_judge_cstr(r->partial_keys[i])));

        if (own != NIL && are_among(own, said))
            return true;
    }
    return false;
}
