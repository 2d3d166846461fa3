/*
 * What is known of a sub-select, and when a condition may hold one without a fence.
 *
 *     WHERE EXISTS (SELECT ... WHERE l_orderkey = o_orderkey)        nothing in it fails for any o_orderkey
 *     WHERE l_quantity < (SELECT 0.2 * avg(l_quantity) ...)          ...and it gives one row
 *     WHERE o_orderkey IN (SELECT l_orderkey ... GROUP BY ...)
 *     FROM (SELECT extract(year FROM d) AS y ...) s WHERE s.y = 1995     the condition is one on the expression
 *
 * It is run for the rows of the query around it, hidden ones among them where the row filter is the dearer of
 * the two, so nothing in it may fail for any of their values: neither its conditions, which are judged in its
 * own block, nor what it computes, groups and sorts by. What else a query may hold (a function in FROM, VALUES,
 * WITH, windows, set operations) is not known to be so.
 *
 * SECURITY: EXISTS (SELECT FROM generate_series(1, 1 / (o.amount - 15))) failed for a hidden row of 15. Attack:
 * tests/differential/interference, tests/attack early-predicates.
 */
#include "fence.h"
#include "operand.h"
#include "write.h"

/* Of more queries than that in one statement nothing is known, so that looking for them stays quick. */
#define QUERIES_MAX 256

static const gh_operand s_none = { 0 };

/*
 * SECURITY: more columns PostgreSQL does not compute (MaxTupleAttributeNumber); they double with each level of
 * SELECT a.*, b.* over one query. Attack: tests/attack/states, test_types_of_nested_queries.
 */
#define OUTPUTS_MAX 1664

/* ---- names and stars ------------------------------------------------------------------------- */

/* The name that PostgreSQL gives to a column; NULL where it makes one up in another way. */
static const char *column_name(const ResTarget *t)
{
    const Node *n = t->val;

    if (t->name != NULL)
        return t->name;
    if (IsA(n, ColumnRef) && IsA(llast(((const ColumnRef *)n)->fields), String))
        return strVal(llast(((const ColumnRef *)n)->fields));
    return IsA(n, FuncCall) ? strVal(llast(((const FuncCall *)n)->funcname)) : NULL;
}

typedef struct gh_outputs {
    gh_output *items;
    int count;
    int cap;
} gh_outputs;

static void add(gh_outputs *o, const char *name, gh_operand value)
{
    if (o->count == o->cap) {
        o->cap = o->cap == 0 ? 16 : o->cap * 2;
        o->items = o->items == NULL ? palloc((size_t)o->cap * sizeof(*o->items))
                                    : repalloc(o->items, (size_t)o->cap * sizeof(*o->items));
    }
    o->items[o->count++] = (gh_output){ name, value };
}

/* SECURITY: rate > ANY (SELECT 1e400 ...) compares numbers of another type than rate > 1e400. Attack:
 * tests/differential/early. */
static gh_operand computed(gh_judge *j, const Node *n)
{
    return gh_operand_settled(j, gh_value(j, n));
}

/* What a star takes of one item; false: nobody knows here. */
static bool add_item(gh_judge *j, gh_outputs *o, const gh_item *item)
{
    const gh_relation *r = item->relation;

    if (item->is_covered)
        return false;
    if (item->result != NULL) {
        for (int i = 0; i < item->result->output_count; i++)
            add(o, item->result->outputs[i].name, item->result->outputs[i].value);
        return item->result->is_complete;
    }
    if (r == NULL || item->is_renamed || item->decision == NULL)
        return false;
    for (size_t i = 0; i < r->column_count; i++) {
        if (item->decision->columns[i].show != GH_HIDDEN || item->keeps_hidden)
            add(o, gh_judge_cstr(r->columns[i].name),
                gh_operand_of_column(j, item, &r->columns[i]));
    }
    return true;
}

static bool add_star(gh_judge *j, gh_outputs *o, const ColumnRef *ref)
{
    ListCell *cell;

    if (list_length(ref->fields) == 2) {
        const gh_item *item = gh_judge_find_item(j, strVal(linitial(ref->fields)), NULL);

        return item != NULL && add_item(j, o, item);
    }
    if (list_length(ref->fields) != 1 || j->block->merges_columns)
        return false;
    foreach (cell, j->block->items) {
        if (!add_item(j, o, lfirst(cell)))
            return false;
    }
    return true;
}

static bool is_star(const Node *n)
{
    return IsA(n, ColumnRef) && IsA(llast(((const ColumnRef *)n)->fields), A_Star);
}

/* All columns, in order; false where it ends before. */
static bool add_targets(gh_judge *j, gh_outputs *o, const List *targets)
{
    ListCell *cell;

    foreach (cell, targets) {
        const ResTarget *t = lfirst_node(ResTarget, cell);

        if (IsA(t->val, A_Indirection)) /* (row).* */
            return false;
        if (!is_star(t->val))
            add(o, column_name(t), computed(j, t->val));
        else if (!add_star(j, o, (const ColumnRef *)t->val))
            return false;
        if (o->count > OUTPUTS_MAX)
            return false;
    }
    return true;
}

/* ---- what runs without failing --------------------------------------------------------------- */

static gh_item *item_of(const gh_judge *j, const Node *n)
{
    ListCell *cell;

    foreach (cell, j->block->items) {
        gh_item *item = lfirst(cell);

        if ((const Node *)item->var == n)
            return item;
    }
    return NULL;
}

static bool is_safe_item(gh_judge *j, const Node *n)
{
    const gh_item *item;
    const gh_query *q;

    switch (nodeTag(n)) {
    case T_RangeVar:
        item = item_of(j, n);
        return item != NULL &&
               (item->relation != NULL || (item->result != NULL && item->result->is_safe));
    case T_JoinExpr:
        return is_safe_item(j, ((const JoinExpr *)n)->larg) &&
               is_safe_item(j, ((const JoinExpr *)n)->rarg);
    case T_RangeSubselect:
        q = gh_query_of(j, ((const RangeSubselect *)n)->subquery);
        return q != NULL && q->is_safe;
    default:
        return false;
    }
}

/* A key of GROUP BY, ORDER BY or DISTINCT: a column's number or name, or computed. */
static bool is_safe_key(gh_judge *j, const Node *n, const gh_outputs *o)
{
    if (IsA(n, SortBy))
        return ((const SortBy *)n)->useOp == NIL && is_safe_key(j, ((const SortBy *)n)->node, o);
    if (gh_operand_is_literal(n) || gh_value(j, n).class != GH_CLASS_NONE)
        return true;
    if (!IsA(n, ColumnRef) || list_length(((const ColumnRef *)n)->fields) != 1 || is_star(n))
        return false;
    for (int i = 0; i < o->count; i++) {
        if (o->items[i].name != NULL && o->items[i].value.class != GH_CLASS_NONE &&
            strcmp(o->items[i].name, strVal(linitial(((const ColumnRef *)n)->fields))) == 0)
            return true;
    }
    return false;
}

static bool are_safe_keys(gh_judge *j, const List *keys, const gh_outputs *o)
{
    ListCell *cell;

    foreach (cell, keys) { /* DISTINCT alone is a list of NULL */
        if (lfirst(cell) != NULL && !is_safe_key(j, lfirst(cell), o))
            return false;
    }
    return true;
}

static bool are_safe_values(const gh_outputs *o)
{
    for (int i = 0; i < o->count; i++) {
        if (o->items[i].value.class == GH_CLASS_NONE)
            return false;
    }
    return true;
}

/*
 * A number of rows that no row of the query around it makes an error.
 *
 * SECURITY: EXISTS (SELECT ... LIMIT -1) fails where it is run, and so tells that there is a row to run it for. A
 * string may be one of those, too. Attack: tests/unit/rewrite, sub_selects; tests/differential/early.
 */
static bool is_row_count(const gh_judge *j, const Node *n)
{
    return n == NULL || gh_operand_is_unsigned(j, n) ||
           (gh_operand_is_literal(n) && ((const A_Const *)n)->isnull);
}

static bool is_safe_query(gh_judge *j, const SelectStmt *s)
{
    ListCell *cell;

    if (j->block->has_unsafe || s->op != SETOP_NONE || s->valuesLists != NIL ||
        s->withClause != NULL || s->windowClause != NIL || s->intoClause != NULL ||
        !is_row_count(j, s->limitCount) || !is_row_count(j, s->limitOffset))
        return false;
    foreach (cell, s->fromClause) {
        if (!is_safe_item(j, lfirst(cell)))
            return false;
    }
    return gh_judge_is_safe(j, s->havingClause);
}

/* SECURITY: NOWAIT is an error where it is run. */
static bool fails_on_locks(const SelectStmt *s)
{
    ListCell *cell;

    foreach (cell, s->lockingClause) {
        if (lfirst_node(LockingClause, cell)->waitPolicy == LockWaitError)
            return true;
    }
    return false;
}

/* ---- one row --------------------------------------------------------------------------------- */

typedef struct gh_search {
    gh_judge *j;
    bool has_column;
    bool has_own_column; /* of the query itself, for certain */
    bool is_found;       /* an aggregate of the query itself */
} gh_search;

static void find_own_column(struct Node **slot, void *arg)
{
    gh_search *search = arg;
    Node *n = (Node *)*slot;

    if (IsA(n, ColumnRef)) {
        const gh_item *item = gh_operand_item(search->j, (const ColumnRef *)n);

        search->has_column = true;
        search->has_own_column |= item != NULL && item->block == search->j->block;
    } else if (IsA(n, SubLink) || !gh_sql_children(*slot, find_own_column, arg)) {
        search->has_column = true;
    }
}

/*
 * SECURITY: an aggregate of an outer query's columns is the outer query's, and the inner one gives all its rows:
 * one too many for a hidden row would be an error. Attack: tests/differential/early.
 */
static bool is_own_aggregate(gh_judge *j, const FuncCall *f)
{
    gh_search of = { .j = j };
    ListCell *cell;

    if (f->over != NULL || !gh_judge_is_aggregate(j, f->funcname))
        return false;
    foreach (cell, f->args)
        find_own_column((struct Node **)&lfirst(cell), &of);
    return of.has_own_column || (!of.has_column && f->agg_filter == NULL);
}

static void find_aggregate(struct Node **slot, void *arg)
{
    gh_search *search = arg;
    Node *n = (Node *)*slot;

    if (IsA(n, FuncCall) && is_own_aggregate(search->j, (FuncCall *)n))
        search->is_found = true;
    else if (!IsA(n, SubLink) && !gh_sql_children(*slot, find_aggregate, arg))
        search->is_found = false;
}

/* Without GROUP BY an aggregate makes one row of all. */
static bool is_single(gh_judge *j, const SelectStmt *s)
{
    gh_search search = { .j = j };
    ListCell *cell;

    if (s->groupClause != NIL)
        return false;
    foreach (cell, s->targetList)
        find_aggregate((struct Node **)&lfirst(cell), &search);
    return search.is_found || s->fromClause == NIL;
}

/* ---- all together ---------------------------------------------------------------------------- */

void gh_query_note(gh_judge *j, const SelectStmt *s)
{
    bool was_condition = j->has_query_condition;
    gh_outputs o = { 0 };
    gh_query *q;
    bool is_unread; /* the star of EXISTS, which is not computed */

    if (j->rc != GH_OK || list_length(j->queries) >= QUERIES_MAX)
        return;
    q = palloc0(sizeof(*q));
    q->select = s;
    q->is_complete = s->valuesLists == NIL && add_targets(j, &o, s->targetList);
    q->outputs = o.items;
    q->output_count = o.count;
    is_unread = j->block->is_tested && list_length(s->targetList) == 1 &&
                is_star(linitial_node(ResTarget, s->targetList)->val);
    q->has_safe_values = q->is_complete && are_safe_values(&o);
    q->has_safe_keys = are_safe_keys(j, s->groupClause, &o) &&
                       are_safe_keys(j, s->sortClause, &o) &&
                       are_safe_keys(j, s->distinctClause, &o);
    q->is_safe_but_locks = (q->has_safe_values || is_unread) && q->has_safe_keys &&
                           is_safe_query(j, s) && !fails_on_locks(s);
    q->is_safe = q->is_safe_but_locks && s->lockingClause == NIL;
    q->is_single = is_single(j, s);
    q->reads_cte = j->block->reads_cte;
    q->reads_outer = j->block->reads_outer;
    q->first = j->block->first_relation;
    q->end = list_length(j->items);
    j->queries = lappend(j->queries, q);
    if (j->block->is_output) /* no condition is on what it computes */
        j->has_query_condition = was_condition;
}

const gh_query *gh_query_of(const gh_judge *j, const Node *select)
{
    ListCell *cell;

    foreach (cell, j->queries) {
        const gh_query *q = lfirst(cell);

        if ((const Node *)q->select == select)
            return q;
    }
    return NULL;
}

const gh_query *gh_query_named(const gh_query *q, const List *names)
{
    gh_query *named;
    gh_output *outputs;
    ListCell *cell;

    if (q == NULL || names == NIL)
        return q;
    if (list_length(names) > q->output_count)
        return NULL;
    named = palloc(sizeof(*named));
    *named = *q;
    outputs = palloc((size_t)q->output_count * sizeof(*outputs));
    memcpy(outputs, q->outputs, (size_t)q->output_count * sizeof(*outputs));
    foreach (cell, names)
        outputs[foreach_current_index(cell)].name = strVal(lfirst(cell));
    named->outputs = outputs;
    return named;
}

gh_operand gh_query_value(gh_judge *j, const SubLink *s)
{
    const gh_query *q = s->subLinkType == EXPR_SUBLINK ? gh_query_of(j, s->subselect) : NULL;

    if (q == NULL || !q->is_safe || !q->is_single || q->output_count != 1 ||
        gh_judge_is_of_write(j))
        return s_none;
    j->has_query_condition = true;
    return q->outputs[0].value;
}

/*
 * A target has no fence, so what is dear there would tell by its time how often it runs. Not so the positions of a table's rows
 * by a query that does not look at the row: PostgreSQL makes a list of them once. What it locks on the way are rows of the
 * table that are visible, and where there are none there is nothing to lock.
 */
static bool gives_positions_once(const gh_query *q)
{
    return q->is_safe_but_locks && q->output_count == 1 &&
           q->outputs[0].value.class == GH_CLASS_POSITION && !q->reads_outer;
}

gh_operand gh_query_elements(gh_judge *j, const SubLink *s)
{
    const gh_query *q = s->subLinkType == ARRAY_SUBLINK ? gh_query_of(j, s->subselect) : NULL;

    if (q == NULL || !gives_positions_once(q))
        return s_none;
    j->has_query_condition = true;
    return q->outputs[0].value;
}

bool gh_query_is_safe(gh_judge *j, const SubLink *s)
{
    const gh_query *q = gh_query_of(j, s->subselect);

    if (q == NULL || (!q->is_safe && !gives_positions_once(q)))
        return false;
    if (s->subLinkType == EXISTS_SUBLINK) {
        j->has_exists_condition |= q->is_safe;
        return q->is_safe;
    }
    if ((s->subLinkType != ANY_SUBLINK && s->subLinkType != ALL_SUBLINK) || q->output_count != 1 ||
        (gh_judge_is_of_write(j) && !gives_positions_once(q)) ||
        !gh_judge_is_comparison(s->operName))
        return false;
    j->has_query_condition = true;
    return gh_operand_are_comparable(gh_value(j, s->testexpr), q->outputs[0].value);
}
