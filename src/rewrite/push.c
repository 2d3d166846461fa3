/*
 * The fence, on demand. PostgreSQL may run a condition of the client's on a row before the row
 * filter did; a condition that can fail, or print a value, would tell of hidden rows. So:
 *
 *  - A relation on which every condition is safe (condition.c) needs no fence: the planner may order
 * safe conditions and row filters as it likes.
 *  - One that another condition names gets the fence (OFFSET 0), and the safe conjuncts over it are
 * copied inside, so that its indexes still serve; the originals stay where they are.
 *  - Where the query holds nothing else, CASE does what the fence does, for less: flat.c.
 *
 *     FROM orders o JOIN lineitem l ON l.k = o.k WHERE o.k = 7 AND 1 / o.x > 0
 *          └─ fenced, k = 7 inside   └─ not: no condition on it can fail
 *
 * What a condition names counts through the columns of sub-selects; where that is not certain every relation
 * of the statement is fenced. That one relation's fence is enough: a condition meets a row of another relation
 * only where it names that, and what PostgreSQL derives of its own compares columns that are compared anyway, or
 * a column with what is the same for every row (spread.c).
 *
 * Target lists are no conditions: they are computed from rows that passed the filter of the very scan that
 * reads them. A condition on the column of a sub-select is one on what computes it (query_value.c).
 *
 * Copies are made of strict conjuncts alone: a copy of IS NULL under an outer join would make rows
 * appear that the join then extends with NULLs. A parameter is copied only where it stands once in
 * the text, since its first use would otherwise decide its type. What holds of a column holds of the column
 * that it must equal, so the copy goes there too.
 */
#include "fence.h"
#include "function_list.h"
#include "operand.h"
#include "write.h"

/* Of more conjuncts and equalities than that in one query the rest is not looked at. */
#define PAIRS_MAX 64

/* ---- which relations are fenced -------------------------------------------------------------- */

/* A locked table of which each row shows, though not each cell: to lock all of it for a fence would help nobody. */
static bool needs_no_fence(const gh_item *item)
{
    return item->is_locked && item->where != NULL && item->where[0] == '\0' &&
           strchr("rp", item->relation->kind) != NULL;
}

/* A filter's sub-select becomes a join, before which other expressions may run; of a locked relation it may not. */
bool gh_judge_is_fenced(const gh_judge *j, const gh_item *item)
{
    return (j->is_unsafe || item->is_fenced || (item->has_query && !item->is_locked)) &&
           !needs_no_fence(item);
}

typedef struct gh_named {
    gh_judge *j;
    bool is_certain; /* so far every name led to relations that are known */
    bool is_any;
} gh_named;

static void fence_item(gh_named *named, gh_item *item)
{
    const gh_query *q = item->result;

    named->is_any = true;
    if (item->relation != NULL) {
        item->is_fenced = true;
        return;
    }
    if (q == NULL || q->reads_cte || q->reads_outer) {
        named->is_certain = false;
        return;
    }
    for (int i = q->first; i < q->end; i++)
        ((gh_item *)list_nth(named->j->items, i))->is_fenced = true;
}

/*
 * May the name be one of this item's?
 *
 * SECURITY: a hidden column is none, so its name is one of a query further out, whose rows the condition meets.
 * Attack: tests/attack early-predicates.
 */
static bool may_name(const gh_item *item, const char *name, bool *is_certain)
{
    const gh_column *c;

    if (item->alias != NULL && strcmp(item->alias, name) == 0)
        return true; /* the whole row */
    if (item->result != NULL && item->result->is_complete && !item->is_covered) {
        for (int i = 0; i < item->result->output_count; i++) {
            const char *output = item->result->outputs[i].name;

            if (output == NULL || strcmp(output, name) == 0)
                return true;
        }
        return false;
    }
    if (item->relation == NULL || item->is_renamed) {
        *is_certain = false;
        return false;
    }
    c = gh_relation_column(item->relation, gh_str_of(name));
    return c != NULL && (item->decision == NULL || item->keeps_hidden ||
                         item->decision->columns[c - item->relation->columns].show != GH_HIDDEN);
}

/*
 * In the innermost query that has the name, each item that has it: USING makes one of two. What stands for a relation
 * of the catalogs need not have all its columns.
 */
static void fence_unqualified(gh_named *named, const char *name)
{
    for (gh_block *b = named->j->block; b != NULL; b = b->outer) {
        bool is_found = false;
        ListCell *cell;

        foreach (cell, b->items) {
            gh_item *item = lfirst(cell);

            if (may_name(item, name, &named->is_certain)) {
                fence_item(named, item);
                is_found |= item->system == NULL;
            }
        }
        if (is_found)
            return;
    }
    named->is_certain = false;
}

static void fence_named(struct Node **slot, void *arg)
{
    gh_named *named = arg;
    const Node *n = (const Node *)*slot;
    const ColumnRef *ref = (const ColumnRef *)n;

    if (gh_reg_is_looked_up(named->j, n))
        return; /* it names no row */
    if (IsA(n, SubLink) || (IsA(n, ColumnRef) && !IsA(linitial(ref->fields), String))) {
        named->is_certain = false;
    } else if (!IsA(n, ColumnRef)) {
        if (!gh_sql_children(*slot, fence_named, arg))
            named->is_certain = false;
    } else if (list_length(ref->fields) == 1) {
        fence_unqualified(named, strVal(linitial(ref->fields)));
    } else {
        gh_item *item = gh_judge_find_item(named->j, strVal(linitial(ref->fields)), NULL);

        if (item == NULL || list_length(ref->fields) > 2)
            named->is_certain = false;
        else
            fence_item(named, item);
    }
}

/*
 * SECURITY: one that names nothing is tested somewhere, too. What a view or a write joins is not told apart.
 * Attack: tests/attack early-predicates, tests/differential/interference.
 */
static void expose(gh_judge *j, const Node *condition)
{
    gh_named named = { .j = j, .is_certain = true };

    j->block->has_unsafe = true;
    j->has_unsafe = true;
    if (j->view_depth == 0 && !gh_judge_is_of_write(j)) {
        Node *n = (Node *)(uintptr_t)condition;

        fence_named((struct Node **)&n, &named);
        if (named.is_certain && named.is_any && !gh_judge_spreads(j, condition))
            return;
    }
    j->is_unsafe = true;
}

static void expose_all(gh_judge *j)
{
    j->block->has_unsafe = true;
    j->has_unsafe = true;
    j->is_unsafe = true;
}

/* Is each safe? */
static bool look_at_conjuncts(gh_judge *j, const Node *n)
{
    bool is_safe = true;

    if (n != NULL && IsA(n, BoolExpr) && ((const BoolExpr *)n)->boolop == AND_EXPR) {
        ListCell *cell;

        foreach (cell, ((const BoolExpr *)n)->args)
            is_safe &= look_at_conjuncts(j, lfirst(cell));
    } else if (!gh_judge_is_safe(j, n)) {
        is_safe = false;
        expose(j, n);
    }
    return is_safe;
}

static void look_at_where(gh_judge *j, const Node *where)
{
    ListCell *cell;

    if (!j->block->may_guard || !IsA(where, BoolExpr) ||
        ((const BoolExpr *)where)->boolop != AND_EXPR) {
        (void)look_at_conjuncts(j, where);
        return;
    }
    foreach (cell, ((const BoolExpr *)where)->args)
        gh_flat_note_conjunct(j, where, foreach_current_index(cell),
                              look_at_conjuncts(j, lfirst(cell)));
}

static void look_at_joins(gh_judge *j, const Node *n)
{
    const JoinExpr *join = (const JoinExpr *)n;

    if (n == NULL || !IsA(n, JoinExpr))
        return;
    look_at_joins(j, join->larg);
    look_at_joins(j, join->rarg);
    if (!gh_judge_is_safe_using(j, join))
        expose_all(j);
    (void)look_at_conjuncts(j, join->quals);
}

/* ---- copies ---------------------------------------------------------------------------------- */

/* SQL of a constant operand, or NULL where it may not be copied. */
static char *constant_sql(gh_judge *j, const Node *n)
{
    if (IsA(n, ParamRef))
        return gh_judge_param_uses(j, (const ParamRef *)n) == 1
                   ? gh_judge_printf("$%d", ((const ParamRef *)n)->number)
                   : NULL;
    if (IsA(n, A_Const)) {
        const A_Const *c = (const A_Const *)n;
        if (c->isnull)
            return NULL;
        if (IsA(&c->val, Integer))
            return gh_judge_printf("%d", intVal(&c->val));
        if (IsA(&c->val, Float))
            return pstrdup(c->val.fval.fval);
        if (IsA(&c->val, String))
            return gh_judge_literal(j, gh_str_of(strVal(&c->val)));
        return NULL;
    }
    if (IsA(n, TypeCast)) {
        const TypeCast *c = (const TypeCast *)n;
        char *arg = IsA(c->arg, A_Const) ? constant_sql(j, c->arg) : NULL;

        if (arg == NULL || c->typeName->typmods != NIL || c->typeName->arrayBounds != NIL)
            return NULL;
        return gh_judge_printf("CAST(%s AS \"pg_catalog\".%s)", arg,
                               gh_judge_ident(j, gh_str_of(strVal(llast(c->typeName->names)))));
    }
    return NULL;
}

static char *list_sql(gh_judge *j, const List *list, const char *glue)
{
    List *items = NIL;
    ListCell *cell;

    foreach (cell, list) {
        char *item = constant_sql(j, lfirst(cell));

        if (item == NULL)
            return NULL;
        items = lappend(items, item);
    }
    return gh_judge_join(items, glue);
}

static bool is_constant(const gh_judge *j, const Node *n)
{
    return gh_operand_constant(j, n).class != GH_CLASS_NONE;
}

/* The copy of a strict comparison of one column, by this SQL name, with constants; NULL: there is none to make. */
static char *copy_of(gh_judge *j, const char *column, const A_Expr *e)
{
    const Node *other = e->rexpr;
    char *value;

    switch (e->kind) {
    case AEXPR_OP:
        if (IsA(e->lexpr, ColumnRef) && is_constant(j, other)) {
            value = constant_sql(j, other);
            return value == NULL
                       ? NULL
                       : gh_judge_printf("%s %s %s", column, strVal(linitial(e->name)), value);
        }
        if (is_constant(j, e->lexpr) && IsA(other, ColumnRef)) {
            value = constant_sql(j, e->lexpr);
            return value == NULL
                       ? NULL
                       : gh_judge_printf("%s %s %s", value, strVal(linitial(e->name)), column);
        }
        return NULL;
    case AEXPR_IN:
        value = list_sql(j, (const List *)other, ", ");
        return value == NULL
                   ? NULL
                   : gh_judge_printf("%s %s (%s)", column,
                                     strcmp(strVal(linitial(e->name)), "=") == 0 ? "IN" : "NOT IN",
                                     value);
    case AEXPR_BETWEEN:
        value = list_sql(j, (const List *)other, " AND ");
        return value == NULL ? NULL : gh_judge_printf("%s BETWEEN %s", column, value);
    case AEXPR_OP_ANY:
        if (!IsA(other, ParamRef))
            return NULL;
        value = constant_sql(j, other);
        return value == NULL
                   ? NULL
                   : gh_judge_printf("%s %s ANY (%s)", column, strVal(linitial(e->name)), value);
    case AEXPR_LIKE:
        return gh_judge_printf("%s %s %s", column,
                               strcmp(strVal(linitial(e->name)), "~~") == 0 ? "LIKE" : "NOT LIKE",
                               constant_sql(j, other));
    case AEXPR_OP_ALL:
    case AEXPR_DISTINCT:
    case AEXPR_NOT_DISTINCT:
    case AEXPR_NOT_BETWEEN:
    case AEXPR_ILIKE:
    case AEXPR_NULLIF:
    case AEXPR_SIMILAR:
    case AEXPR_BETWEEN_SYM:
    case AEXPR_NOT_BETWEEN_SYM:
    default:
        return NULL;
    }
}

/* A column of an item of this block. */
typedef struct gh_place {
    gh_item *item;
    const gh_column *column;
} gh_place;

/* A condition that was copied, and to where. */
typedef struct gh_copy {
    gh_place at;
    const A_Expr *condition;
} gh_copy;

/* Rows in which `from` has another value than `to` are in no result. */
typedef struct gh_equality {
    gh_place from;
    gh_place to;
} gh_equality;

typedef struct gh_copies {
    gh_judge *j;
    const Node *below; /* the join whose items alone may be meant; NULL: any of the block's */
    gh_copy made[PAIRS_MAX];
    size_t made_count;
    gh_equality equalities[PAIRS_MAX];
    size_t equality_count;
} gh_copies;

/* Does the item stand in this part of FROM? */
static bool is_below(const gh_item *item, const Node *n)
{
    if (n == NULL || !IsA(n, JoinExpr))
        return n != NULL && (const Node *)item->var == n;
    return is_below(item, ((const JoinExpr *)n)->larg) ||
           is_below(item, ((const JoinExpr *)n)->rarg);
}

static bool find_place(gh_copies *c, const Node *n, gh_place *place)
{
    if (n == NULL || !IsA(n, ColumnRef))
        return false;
    place->column = gh_operand_clear(c->j, (const ColumnRef *)n, &place->item);
    return place->column != NULL && place->item->block == c->j->block &&
           (c->below == NULL || is_below(place->item, c->below));
}

/* Over the relation by that SQL name. */
static char *copy_under(const gh_copies *c, gh_place at, const char *name, const A_Expr *condition)
{
    return copy_of(c->j, gh_judge_printf("%s.%s", name, gh_judge_ident(c->j, at.column->name)),
                   condition);
}

/* The column where the copy will stand: in the sub-select, or in the condition of a write. */
static void copy_to(gh_copies *c, gh_place at, const A_Expr *condition)
{
    char *sql;

    for (size_t i = 0; i < c->made_count; i++) {
        if (c->made[i].at.column == at.column && c->made[i].at.item == at.item &&
            c->made[i].condition == condition)
            return;
    }
    sql = copy_under(c, at, at.item->inner, condition);
    if (sql == NULL || c->made_count == PAIRS_MAX)
        return;
    at.item->pushed = lappend(at.item->pushed, sql);
    if (c->j->block->may_guard)
        at.item->pushed_flat = lappend(at.item->pushed_flat,
                                       copy_under(c, at, gh_flat_name(c->j, at.item), condition));
    c->made[c->made_count++] = (gh_copy){ at, condition };
}

/* Of one type and collation, so that what compares with one compares alike with the other. */
static void note_equality(gh_copies *c, gh_place from, gh_place to)
{
    if (c->equality_count < PAIRS_MAX && from.column->type_oid == to.column->type_oid &&
        from.column->collation == to.column->collation)
        c->equalities[c->equality_count++] = (gh_equality){ from, to };
}

static void copy_conjunct(gh_copies *c, const Node *n, const Node *source, const Node *target)
{
    const A_Expr *e = (const A_Expr *)n;
    gh_place left;
    gh_place right;
    bool is_left;
    bool is_right;

    if (n == NULL)
        return;
    if (IsA(n, BoolExpr) && ((const BoolExpr *)n)->boolop == AND_EXPR) {
        ListCell *cell;

        foreach (cell, ((const BoolExpr *)n)->args)
            copy_conjunct(c, lfirst(cell), source, target);
        return;
    }
    if (!IsA(n, A_Expr) || !gh_judge_is_safe(c->j, n))
        return;
    is_left = find_place(c, e->lexpr, &left);
    is_right = e->kind == AEXPR_OP && find_place(c, e->rexpr, &right);
    if (is_left && is_right && strcmp(strVal(linitial(e->name)), "=") == 0) {
        if (source == NULL || (is_below(left.item, source) && is_below(right.item, target)))
            note_equality(c, left, right);
        if (source == NULL || (is_below(right.item, source) && is_below(left.item, target)))
            note_equality(c, right, left);
    } else if (is_left && (source == NULL || is_below(left.item, target))) {
        copy_to(c, left, e);
    } else if (is_right && !IsA(e->lexpr, ColumnRef) &&
               (source == NULL || is_below(right.item, target))) {
        copy_to(c, right, e);
    }
}

/*
 * ON of an inner join leaves rows out of both sides; ON of an outer one out of the side that it extends with
 * NULLs, since the rows of the other are there in any case.
 */
static void copy_joins(gh_copies *c, const Node *n)
{
    const JoinExpr *join = (const JoinExpr *)n;

    if (n == NULL || !IsA(n, JoinExpr))
        return;
    copy_joins(c, join->larg);
    copy_joins(c, join->rarg);
    c->below = n;
    if (join->jointype == JOIN_INNER)
        copy_conjunct(c, join->quals, NULL, NULL);
    else if (join->jointype == JOIN_LEFT)
        copy_conjunct(c, join->quals, join->larg, join->rarg);
    else if (join->jointype == JOIN_RIGHT)
        copy_conjunct(c, join->quals, join->rarg, join->larg);
    c->below = NULL;
}

/* LIKE sees the blanks that char(n) is filled up with, and = does not: 'a ' is 'a', but not LIKE 'a'. */
static bool sees_no_more_than_equality(const gh_copy *copy)
{
    return copy->condition->kind != AEXPR_LIKE || copy->at.column->type_oid != GH_OID_BPCHAR;
}

/* Each round carries a condition one equality further. */
static void carry_on(gh_copies *c)
{
    for (size_t i = 0; i < c->made_count; i++) {
        if (!sees_no_more_than_equality(&c->made[i]))
            continue;
        for (size_t k = 0; k < c->equality_count; k++) {
            const gh_equality *e = &c->equalities[k];

            if (e->from.item == c->made[i].at.item && e->from.column == c->made[i].at.column)
                copy_to(c, e->to, c->made[i].condition);
        }
    }
}

const char *gh_judge_copies(gh_judge *j, const List *pushed)
{
    if (pushed == NIL)
        return "";
    j->reads_literal = true; /* it stands in two places now */
    return gh_judge_printf(" AND (%s)", gh_judge_join(pushed, ") AND ("));
}

/* ---- the block ------------------------------------------------------------------------------- */

/* A value that the parser made: of whatever type. */
static bool is_parsed_value(const Node *n)
{
    return gh_operand_is_literal(n) ||
           (IsA(n, TypeCast) && gh_operand_is_string(((const TypeCast *)n)->arg));
}

/* Of a view that is expanded: a condition on a column that is no plain one is one on what computes it. */
static void note_computed(gh_judge *j, const List *targets)
{
    for (int i = 0; i < list_length(targets) && i < j->column_count; i++) {
        const Node *value = list_nth_node(ResTarget, targets, i)->val;
        bool is_column = IsA(value, ColumnRef);
        gh_item *item = NULL;

        if (is_column && IsA(llast(((const ColumnRef *)value)->fields), A_Star))
            return; /* from here on no position is certain */
        j->is_computed[i] =
            !is_parsed_value(value) &&
            (!is_column || gh_operand_clear(j, (const ColumnRef *)value, &item) == NULL);
    }
}

void gh_judge_push_write(gh_judge *j, const List *from, const Node *where)
{
    gh_copies c = { .j = j };
    ListCell *cell;

    copy_conjunct(&c, where, NULL, NULL);
    (void)look_at_conjuncts(j, where);
    foreach (cell, from) {
        gh_judge_note_early(j, lfirst(cell));
        look_at_joins(j, lfirst(cell));
    }
}

void gh_judge_push(gh_judge *j, SelectStmt *s)
{
    gh_copies c = { .j = j };
    ListCell *cell;

    gh_flat_note_guard(j, s);
    copy_conjunct(&c, s->whereClause, NULL, NULL);
    look_at_where(j, s->whereClause);
    foreach (cell, s->fromClause) {
        gh_judge_note_early(j, lfirst(cell));
        copy_joins(&c, lfirst(cell));
        look_at_joins(j, lfirst(cell));
    }
    carry_on(&c);
    foreach (cell, s->valuesLists)
        gh_judge_note_early_row(j, lfirst(cell));
    if (!gh_judge_is_safe_having(j, s->havingClause))
        expose(j, s->havingClause);
    if (j->view_block != NULL && j->block->outer == j->view_block)
        note_computed(j, s->targetList);
}
