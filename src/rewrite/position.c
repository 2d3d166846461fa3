/*
 * `ctid` of tables that the policy filters: which statements may name it.
 *
 *     DELETE FROM t a USING t b WHERE a.k = b.k AND a.ctid > b.ctid
 *     DELETE FROM t WHERE ctid NOT IN (SELECT min(ctid) FROM t GROUP BY k)
 *     UPDATE t SET ... WHERE ctid = ANY (ARRAY(SELECT ctid FROM t WHERE ... LIMIT 1000))
 *
 * Where a row is stored tells how many hidden ones lie before it. That one row is another, or comes before it, tells no more
 * than the order in which a query without ORDER BY shows them. So a statement may compare positions of one table with each
 * other, sort, group and count by them, and take the first and last; it may not show one, nor compare it with anything else.
 *
 * A type checker over the tree as it was parsed finds out: each expression is a position of a table, an array of such, or
 * plain. What is a position may stand where this file says so, and a query gives it on by the name of a column.
 *
 *     SELECT min(ctid) AS keep FROM t GROUP BY k      gives one column, `keep`, a position of t
 *     ... WHERE t.ctid <> d.keep                      both of t: plain
 *     ... WHERE t.ctid = '(0,1)'                      refused
 *
 * All of a statement is so, or none of it: each word `ctid` of the text must be one that was understood. Where a name might
 * mean two things the statement is not understood.
 *
 * SECURITY: a table with children has a position more than once, and so have two tables; what is equal would tell where rows
 * of the other lie. Attack: tests/attack/cases/23-system-columns.txt; tests/unit/rewrite, "positions".
 */
#include "position.h"

#include "allow.h"
#include "fence.h"

/* Names are looked for along all that is in scope. */
#define STEPS_MAX 100000

static const gh_place s_plain = { 0 };

static gh_place refuse(gh_positions *p)
{
    p->is_refused = true;
    return s_plain;
}

void gh_position_plain(gh_positions *p, Node *n)
{
    if (gh_position_visit(p, n).table != 0)
        p->is_refused = true;
}

static void plain_child(struct Node **slot, void *arg)
{
    gh_position_plain(arg, (Node *)*slot);
}

bool gh_position_plain_children(gh_positions *p, Node *n)
{
    return gh_sql_children((struct Node *)n, plain_child, p);
}

void gh_position_plain_list(gh_positions *p, List *list)
{
    ListCell *cell;

    foreach (cell, list)
        gh_position_plain(p, lfirst(cell));
}

static bool is_named(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* ---- names ------------------------------------------------------------------------------------- */

bool gh_position_is_among(const gh_source *s)
{
    ListCell *cell;

    foreach (cell, s->columns) {
        if (((const gh_given *)lfirst(cell))->place.table != 0)
            return true;
    }
    return false;
}

const gh_given *gh_position_given(const gh_source *s, const char *name, bool *is_double)
{
    const gh_given *found = NULL;
    ListCell *cell;

    foreach (cell, s->columns) {
        const gh_given *g = lfirst(cell);

        if (g->name == NULL || strcmp(g->name, name) != 0)
            continue;
        *is_double |= found != NULL;
        found = g;
    }
    return found;
}

static gh_place understood(gh_positions *p, ColumnRef *ref, gh_place place)
{
    if (strcmp(strVal(llast(ref->fields)), "ctid") == 0 && !gh_position_is(p->j, ref))
        p->j->positions = lappend(p->j->positions, ref);
    return place;
}

/* `name` of this source, which it certainly means. */
static gh_place column_of(gh_positions *p, const gh_source *s, ColumnRef *ref, const char *name)
{
    bool is_double = false;
    const gh_given *g;

    if (s->table != 0)
        return strcmp(name, "ctid") == 0 ? understood(p, ref, (gh_place){ s->table, false })
                                         : s_plain;
    if (!gh_position_is_among(s))
        return strcmp(name, "ctid") == 0 ? refuse(p) : s_plain;
    g = gh_position_given(s, name, &is_double);
    if (g == NULL || is_double) /* x.f is f(x) */
        return refuse(p);
    return g->place.table != 0 ? understood(p, ref, g->place) : s_plain;
}

/* Might the bare name be a position, or a row that holds one? */
static bool may_mean_position(gh_positions *p, const char *name)
{
    for (const gh_reach *r = p->reach; r != NULL; r = r->outer) {
        ListCell *cell;

        foreach (cell, r->sources) {
            const gh_source *s = lfirst(cell);
            bool is_double = false;
            const gh_given *g;

            p->steps += 1 + (size_t)list_length(s->columns);
            if (!gh_position_is_among(s))
                continue;
            g = gh_position_given(s, name, &is_double);
            if (is_double || !s->is_known || (g != NULL && g->place.table != 0) ||
                (s->alias != NULL && strcmp(s->alias, name) == 0))
                return true;
        }
    }
    return false;
}

static gh_place unqualified(gh_positions *p, ColumnRef *ref)
{
    const char *name = strVal(linitial(ref->fields));
    const gh_reach *r = p->reach;
    const gh_source *only;
    bool is_double = false;

    while (r != NULL && r->sources == NIL)
        r = r->outer;
    only =
        r != NULL && list_length(r->sources) == 1 && !r->is_partial ? linitial(r->sources) : NULL;
    if (only != NULL && (only->alias == NULL || strcmp(only->alias, name) != 0) &&
        ((only->table != 0 && strcmp(name, "ctid") == 0) ||
         (only->is_known && gh_position_given(only, name, &is_double) != NULL)))
        return column_of(p, only, ref, name);
    return may_mean_position(p, name) || strcmp(name, "ctid") == 0 ? refuse(p) : s_plain;
}

static gh_place qualified(gh_positions *p, ColumnRef *ref)
{
    const char *alias = strVal(linitial(ref->fields));
    const gh_source *found = NULL;
    bool is_partial = false;
    size_t count = 0;

    for (const gh_reach *r = p->reach; r != NULL; r = r->outer) {
        ListCell *cell;

        is_partial |= r->is_partial;
        foreach (cell, r->sources) {
            const gh_source *s = lfirst(cell);

            p->steps++;
            if (s->alias == NULL || strcmp(s->alias, alias) != 0)
                continue;
            found = found != NULL ? found : s;
            count++;
        }
        if (found != NULL && !is_partial)
            break;
    }
    if (found == NULL)
        return s_plain;
    if (count > 1)
        return refuse(p);
    if (IsA(llast(ref->fields), A_Star)) /* the row as a value */
        return gh_position_is_among(found) ? refuse(p) : s_plain;
    return column_of(p, found, ref, strVal(llast(ref->fields)));
}

gh_place gh_position_reference(gh_positions *p, ColumnRef *ref)
{
    if (list_length(ref->fields) > 2)
        return s_plain; /* `schema.table.ctid` is not understood */
    if (list_length(ref->fields) == 2)
        return IsA(linitial(ref->fields), String) ? qualified(p, ref) : refuse(p);
    if (IsA(linitial(ref->fields), String))
        return unqualified(p, ref);
    for (const gh_reach *r = p->reach; r != NULL; r = r->outer) {
        ListCell *cell;

        foreach (cell, r->sources) {
            if (gh_position_is_among(lfirst(cell)))
                return refuse(p);
        }
    }
    return s_plain;
}

/* ---- expressions -------------------------------------------------------------------------------- */

/* What rows are sorted, grouped or told apart by. */
void gh_position_keys(gh_positions *p, List *list)
{
    ListCell *cell;

    foreach (cell, list) {
        Node *n = lfirst(cell);

        if (n == NULL)
            continue;
        if (IsA(n, SortBy) && ((SortBy *)n)->useOp == NIL)
            n = ((SortBy *)n)->node;
        if (IsA(n, GroupingSet))
            gh_position_keys(p, ((GroupingSet *)n)->content);
        else if (gh_position_visit(p, n).is_array)
            p->is_refused = true;
    }
}

void gh_position_window(gh_positions *p, WindowDef *w)
{
    if (w == NULL)
        return;
    gh_position_keys(p, w->partitionClause);
    gh_position_keys(p, w->orderClause);
    gh_position_plain(p, w->startOffset);
    gh_position_plain(p, w->endOffset);
}

/* Positions of one table, or nothing of that kind. */
bool gh_position_are_alike(gh_place a, gh_place b)
{
    return a.table == b.table && !a.is_array && !b.is_array;
}

static bool is_comparison(const List *name)
{
    if (list_length(name) == 2 && strcmp(strVal(linitial(name)), "pg_catalog") == 0)
        name = list_copy_tail(name, 1);
    return gh_judge_is_comparison(name);
}

static gh_place operation(gh_positions *p, A_Expr *e)
{
    gh_place left;
    gh_place right;
    ListCell *cell;

    switch (e->kind) {
    case AEXPR_OP:
    case AEXPR_DISTINCT:
    case AEXPR_NOT_DISTINCT:
        left = gh_position_visit(p, e->lexpr);
        right = gh_position_visit(p, e->rexpr);
        if (!gh_position_are_alike(left, right) || (left.table != 0 && !is_comparison(e->name)))
            return refuse(p);
        return s_plain;
    case AEXPR_OP_ANY:
    case AEXPR_OP_ALL:
        left = gh_position_visit(p, e->lexpr);
        right = gh_position_visit(p, e->rexpr);
        if (left.table == 0 && right.table == 0)
            return s_plain;
        if (left.is_array || !right.is_array || left.table != right.table ||
            !is_comparison(e->name))
            return refuse(p);
        return s_plain;
    case AEXPR_IN:
        left = gh_position_visit(p, e->lexpr);
        foreach (cell, (List *)e->rexpr) {
            if (!gh_position_are_alike(left, gh_position_visit(p, lfirst(cell))))
                return refuse(p);
        }
        return s_plain;
    default:
        if (!gh_position_plain_children(p, (Node *)e))
            return refuse(p);
        return s_plain;
    }
}

static bool is_own_function(const gh_positions *p, const List *name)
{
    gh_str schema = list_length(name) == 1 ? GH_STR("") : gh_str_of(strVal(linitial(name)));
    gh_str found = { 0 };

    return list_length(name) <= 2 &&
           gh_function_judge(p->j, schema, gh_str_of(strVal(llast(name))), &found) ==
               GH_FUNCTION_ALLOWED &&
           gh_str_is(found, "pg_catalog");
}

/* Functions that give one of the positions that they are given, or count them. */
static gh_place call_over(gh_positions *p, const FuncCall *f, gh_place of)
{
    static const char *const picks[] = { "min",       "max", "first_value", "last_value",
                                         "nth_value", "lag", "lead" };
    const char *name = strVal(llast(f->funcname));
    int count = list_length(f->args);

    if (!is_own_function(p, f->funcname) || f->func_variadic || f->agg_within_group)
        return refuse(p);
    if (strcmp(name, "count") == 0 && count == 1)
        return s_plain;
    if (of.is_array && strcmp(name, "unnest") == 0 && count == 1)
        return (gh_place){ of.table, false };
    if (of.is_array && strcmp(name, "cardinality") == 0)
        return s_plain;
    if (of.is_array)
        return strcmp(name, "array_remove") == 0 ? of : refuse(p);
    if (strcmp(name, "array_agg") == 0)
        return (gh_place){ of.table, true };
    return is_named(name, picks, GH_COUNT(picks)) && count <= 2 ? of : refuse(p);
}

/* array_remove(array_agg(ctid), min(ctid)) */
static bool is_removed(const gh_positions *p, const FuncCall *f, gh_place from, gh_place of)
{
    return strcmp(strVal(llast(f->funcname)), "array_remove") == 0 && from.is_array &&
           !of.is_array && from.table == of.table && list_length(f->args) == 2 &&
           is_own_function(p, f->funcname);
}

static gh_place call(gh_positions *p, FuncCall *f)
{
    gh_place first = s_plain;
    ListCell *cell;

    foreach (cell, f->args) {
        gh_place of = gh_position_visit(p, lfirst(cell));

        if (foreach_current_index(cell) == 0)
            first = of;
        else if (of.table != 0 && !is_removed(p, f, first, of))
            return refuse(p);
    }
    /* SECURITY: percentile_disc() WITHIN GROUP (ORDER BY x) gives an x. Attack: tests/attack/cases/23-system-columns.txt. */
    if (f->agg_within_group)
        gh_position_plain_list(p, f->agg_order);
    else
        gh_position_keys(p, f->agg_order);
    gh_position_plain(p, f->agg_filter);
    gh_position_window(p, f->over);
    return first.table != 0 ? call_over(p, f, first) : s_plain;
}

/* x IN (SELECT ...), (x, y) = ANY (SELECT ...) */
static gh_place compared_query(gh_positions *p, SubLink *s, const List *gives, bool is_known)
{
    List *left =
        IsA(s->testexpr, RowExpr) ? ((RowExpr *)s->testexpr)->args : list_make1(s->testexpr);
    bool is_any = false;
    ListCell *cell;

    foreach (cell, gives)
        is_any |= ((const gh_given *)lfirst(cell))->place.table != 0;
    foreach (cell, left) {
        gh_place place = gh_position_visit(p, lfirst(cell));
        int i = foreach_current_index(cell);

        is_any |= place.table != 0;
        if (is_any &&
            (!is_known || i >= list_length(gives) || !is_comparison(s->operName) ||
             !gh_position_are_alike(place, ((const gh_given *)list_nth(gives, i))->place)))
            return refuse(p);
    }
    return is_any && list_length(left) != list_length(gives) ? refuse(p) : s_plain;
}

static gh_place sub_link(gh_positions *p, SubLink *s)
{
    bool is_known = true;
    List *gives = IsA(s->subselect, SelectStmt)
                      ? gh_position_select(p, (SelectStmt *)s->subselect, &is_known)
                      : NIL;
    gh_place only =
        list_length(gives) == 1 && is_known ? ((const gh_given *)linitial(gives))->place : s_plain;
    ListCell *cell;

    switch (s->subLinkType) {
    case EXISTS_SUBLINK:
        return s_plain;
    case ANY_SUBLINK:
    case ALL_SUBLINK:
        return compared_query(p, s, gives, is_known);
    case EXPR_SUBLINK:
    case ARRAY_SUBLINK:
        if (only.table != 0 && s->subLinkType == ARRAY_SUBLINK)
            return only.is_array ? refuse(p) : (gh_place){ only.table, true };
        if (only.table != 0)
            return only;
        foreach (cell, gives) {
            if (((const gh_given *)lfirst(cell))->place.table != 0)
                return refuse(p);
        }
        return s_plain;
    default:
        return refuse(p);
    }
}

/* (array_agg(ctid))[2:] */
static gh_place element(gh_positions *p, A_Indirection *a)
{
    gh_place of = gh_position_visit(p, a->arg);
    A_Indices *i = linitial(a->indirection);

    gh_position_plain_list(p, a->indirection);
    if (of.table == 0)
        return s_plain;
    if (!of.is_array || list_length(a->indirection) != 1 || !IsA(i, A_Indices))
        return refuse(p);
    return (gh_place){ of.table, i->is_slice };
}

gh_place gh_position_visit(gh_positions *p, Node *n)
{
    if (n == NULL || p->is_refused)
        return s_plain;
    if (p->steps++ > STEPS_MAX || gh_judge_is_spent(p->j))
        return refuse(p);
    switch (nodeTag(n)) {
    case T_List:
        gh_position_plain_list(p, (List *)n);
        return s_plain;
    case T_ColumnRef:
        return gh_position_reference(p, (ColumnRef *)n);
    case T_A_Expr:
        return operation(p, (A_Expr *)n);
    case T_FuncCall:
        return call(p, (FuncCall *)n);
    case T_SubLink:
        return sub_link(p, (SubLink *)n);
    case T_A_Indirection:
        return element(p, (A_Indirection *)n);
    case T_NullTest:
        (void)gh_position_visit(p, (Node *)((NullTest *)n)->arg);
        return s_plain;
    case T_SelectStmt: /* where no case above expects one */
        return refuse(p);
    default:
        return gh_position_plain_children(p, n) ? s_plain : refuse(p);
    }
}

bool gh_position_is(const gh_judge *j, const ColumnRef *ref)
{
    ListCell *cell;

    foreach (cell, j->positions) {
        if (lfirst(cell) == ref)
            return true;
    }
    return false;
}
