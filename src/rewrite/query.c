/*
 * SELECT and its clauses. A block is what one FROM brings into scope; blocks nest as queries do:
 *
 *     WITH c AS (...)                    ctes: [c]
 *     SELECT ... FROM sales.orders o,    items: [o → relation, c → columns not known]
 *                     c
 *     WHERE EXISTS (SELECT ... )         a block whose outer is the one above
 *
 * What a name of a column may mean: reference.c.
 */
#include "apart.h"
#include "fence.h"
#include "join_on.h"

/* ---- FROM ------------------------------------------------------------------------------------ */

/* What is known of the name that WITH brought into scope last; *is_found: is there one? */
static const gh_query *cte_query(const gh_block *b, const char *name, bool *is_found)
{
    const gh_query *q = NULL;
    ListCell *cell;
    ListCell *query;

    forboth(cell, b->ctes, query, b->cte_queries)
    {
        if (strcmp(lfirst(cell), name) == 0) {
            *is_found = true;
            q = lfirst(query);
        }
    }
    return q;
}

/* SECURITY: a write without RETURNING has one here that holds its check; nobody may read it, as in PostgreSQL. */
static bool is_cte(gh_judge *j, Node **slot, gh_item *item)
{
    const RangeVar *v = (const RangeVar *)*slot;

    for (gh_block *b = j->block; b != NULL; b = b->outer) {
        bool is_found = false;
        const gh_query *q = cte_query(b, v->relname, &is_found);

        if (!is_found)
            continue;
        if (gh_judge_is_among(b->bare_ctes, v->relname))
            gh_judge_refuse(j, GH_INVALID, "0A000", v->location,
                            "WITH query \"%s\" does not have a RETURNING clause", v->relname);
        if (gh_judge_is_among(b->written_ctes, v->relname))
            gh_apart_note_name(j, slot);
        item->result = gh_query_named(q, v->alias != NULL ? v->alias->colnames : NIL);
        j->block->reads_cte = true;
        return true;
    }
    return false;
}

gh_item *gh_judge_add_item(gh_judge *j, const Alias *alias)
{
    gh_item *item = palloc0(sizeof(gh_item));

    item->block = j->block;
    if (alias != NULL) {
        item->alias = alias->aliasname;
        item->has_alias = true;
        item->is_renamed = alias->colnames != NIL;
        item->names = alias->colnames;
    }
    j->block->items = lappend(j->block->items, item);
    return item;
}

/* Two relations of one name from two schemas stand beside each other: the later gets a name of
 * ours. */
static void invent_alias(gh_judge *j, gh_item *item)
{
    ListCell *cell;

    foreach (cell, j->block->items) {
        const gh_item *other = lfirst(cell);

        if (other != item && other->alias != NULL && item->alias != NULL &&
            strcmp(other->alias, item->alias) == 0 && !item->has_alias && !other->has_alias &&
            other->relation != NULL && other->relation != item->relation) {
            item->invented = gh_judge_printf("gh%d_%.40s", list_length(j->items), item->alias);
            item->alias = NULL; /* the bare name means the first, or is ambiguous upstream */
            return;
        }
    }
}

/* Tokens of the relation's name with ONLY, its parentheses and the `*` of old. */
void gh_judge_locate(gh_judge *j, gh_item *item)
{
    const RangeVar *v = item->var;
    const gh_token *t = j->text->tokens;
    size_t first = gh_judge_token(j, v->location);
    size_t end;

    if (first == SIZE_MAX)
        return;
    end = first + 1 + (v->schemaname != NULL ? 2u : 0u) + (v->catalogname != NULL ? 2u : 0u);
    if (!v->inh && first >= 1 && strcmp(t[first - 1].text, "(") == 0) {
        first -= 2;
        end += 1;
    } else if (!v->inh) {
        first -= 1;
    } else if (end < j->text->token_count && t[end].kind == GH_TOKEN_SELF &&
               strcmp(t[end].text, "*") == 0) {
        end += 1;
    }
    item->first = first;
    item->end = end;
}

static void judge_relation(gh_judge *j, Node **slot)
{
    RangeVar *v = (RangeVar *)*slot;
    gh_item *item = gh_judge_add_item(j, v->alias);

    item->var = v;
    if (v->alias == NULL)
        item->alias = v->relname;
    if (v->schemaname == NULL && is_cte(j, slot, item))
        return;
    if (gh_judge_unknown_relation(j, v))
        return;
    item->slot = slot;
    gh_judge_locate(j, item);
    if (list_length(j->items) + j->relations_outside >= GH_SQL_RELATIONS_MAX) {
        gh_judge_refuse(j, GH_LIMIT, "54001", v->location,
                        "more than %d relations in one statement", GH_SQL_RELATIONS_MAX);
        return;
    }
    if (!gh_judge_resolve(j, item))
        return;
    invent_alias(j, item);
    item->is_used = palloc0((size_t)item->relation->column_count + 1);
    item->is_filtered = palloc0((size_t)item->relation->column_count + 1);
    j->items = lappend(j->items, item);
}

/*
 * SECURITY: what PostgreSQL does not see in a part of FROM it looks for further out, up to the target of a
 * write, whose hidden columns are there to be read; so a name must not be found here where it is not found
 * there. Invisible are the neighbours of a sub-select that is not LATERAL, for ON whatever is not of its
 * join, and what an alias of the join around it covers. Attack: tests/attack scope.
 */
typedef struct gh_scope {
    List *items;
    gh_item *target;
    bool is_part;
} gh_scope;

static gh_scope narrow(gh_judge *j, List *visible)
{
    gh_scope old = { j->block->items, j->block->target, j->block->is_part };

    j->block->items = visible;
    j->block->target = NULL;
    j->block->is_part = true;
    return old;
}

static void widen(gh_judge *j, gh_scope old)
{
    j->block->items = old.items;
    j->block->target = old.target;
    j->block->is_part = old.is_part;
}

/* What was reached by name until now. */
static const List *cover(gh_judge *j, int start)
{
    List *parts = NIL;

    for (int i = start; i < list_length(j->block->items); i++) {
        gh_item *item = list_nth(j->block->items, i);

        if (!item->is_covered)
            parts = lappend(parts, item);
        item->is_covered = true;
        item->is_renamed = true; /* its columns may have other names now */
        item->alias = NULL;
    }
    return parts;
}

/*
 * SECURITY: of a filtered table a sample may be drawn by coins alone. SYSTEM takes whole pages, and what
 * REPEATABLE draws depends on where a row is stored, so both tell of the rows around it; a coin for each row,
 * newly cast each time, tells nothing. Its odds are a constant, so that no row has a say in them.
 * Attack: tests/attack places.
 */
static bool may_be_inside(const gh_judge *j, const RangeTableSample *s)
{
    const Node *odds = list_length(s->args) == 1 ? linitial(s->args) : NULL;

    return odds != NULL && (IsA(odds, ParamRef) || IsA(odds, A_Const)) && s->repeatable == NULL &&
           strcmp(strVal(llast(s->method)), "bernoulli") == 0 && j->rc == GH_OK;
}

/* The clause as it will stand inside; the client's is cut out. */
static void take_sample(gh_judge *j, Node **slot, gh_item *item)
{
    const RangeTableSample *s = (const RangeTableSample *)*slot;
    const Node *odds = linitial(s->args);
    size_t method = gh_judge_token(j, s->location);
    size_t close = method == SIZE_MAX ? SIZE_MAX : gh_sql_token_closing(j->text, method + 1);

    if (close != method + 3 || method == 0) /* one token between the brackets */
        return;
    if (IsA(odds, ParamRef))
        item->sample = gh_judge_printf("$%d", ((const ParamRef *)odds)->number);
    else if (j->text->tokens[method + 2].kind == GH_TOKEN_NUMBER)
        item->sample = gh_judge_printf("%s", j->text->tokens[method + 2].text);
    else
        return;
    item->sample = gh_judge_printf(" TABLESAMPLE bernoulli (%s)", item->sample);
    item->sample_slot = slot;
    item->sample_first = method - 1;
    item->sample_end = close + 1;
}

static void judge_sample(gh_judge *j, Node **slot)
{
    RangeTableSample *s = (RangeTableSample *)*slot;
    const char *method = strVal(llast(s->method));
    gh_item *item;
    gh_scope old;

    if (!IsA(s->relation, RangeVar) || list_length(s->method) != 1 ||
        (strcmp(method, "system") != 0 && strcmp(method, "bernoulli") != 0)) {
        gh_judge_refuse(j, GH_DENIED, "42501", s->location, "this TABLESAMPLE is not allowed");
        return;
    }
    judge_relation(j, &s->relation);
    item = llast(j->block->items);
    item->must_stand = true;
    if (may_be_inside(j, s) && item->relation != NULL && item->decision != NULL &&
        strchr("rpm", item->relation->kind) != NULL)
        take_sample(j, slot, item);
    old = narrow(j, NIL);
    gh_judge_expr_list(j, s->args);
    gh_judge_expr(j, &s->repeatable);
    widen(j, old);
}

/* XMLTABLE, which sees its neighbours as a function does; what it makes of their XML are casts from text. */
static void judge_table_function(gh_judge *j, RangeTableFunc *r)
{
    ListCell *cell;

    gh_judge_expr(j, &r->rowexpr);
    gh_judge_expr(j, &r->docexpr);
    gh_judge_expr_list(j, r->namespaces);
    foreach (cell, r->columns) {
        RangeTableFuncCol *c = lfirst_node(RangeTableFuncCol, cell);

        if (c->typeName != NULL)
            gh_judge_type(j, c->typeName);
        gh_judge_expr(j, &c->colexpr);
        gh_judge_expr(j, &c->coldefexpr);
    }
    gh_judge_add_item(j, r->alias)->table = r;
}

/* Whichever of its columns the two sides share are compared: for the audit, any of them. */
static void note_natural(gh_item *item, bool is_natural)
{
    item->has_star |= is_natural;
    if (is_natural && item->relation != NULL)
        memset(item->is_filtered, true, item->relation->column_count * sizeof(bool));
}

static void judge_join(gh_judge *j, JoinExpr *join)
{
    bool was_condition = j->block->is_condition;
    int start = list_length(j->block->items);

    gh_judge_from_item(j, &join->larg);
    gh_judge_from_item(j, &join->rarg);
    /*
     * SECURITY: a relation that was refused has no columns to note. Attack: tests/unit/rewrite,
     * "join_with_what_is_only_written": it ended the proxy.
     */
    if (j->rc != GH_OK)
        return;
    j->block->merges_columns |=
        (join->usingClause != NIL || join->isNatural) && join->alias == NULL;
    if (join->usingClause != NIL || join->isNatural) {
        ListCell *cell; /* natural joins read what the two sides share */
        gh_operator_judge_using(j, join);
        foreach (cell, j->block->items)
            note_natural(lfirst(cell), join->isNatural);
        gh_reference_note_using(j, join);
    }
    if (join->quals != NULL) {
        gh_scope old = narrow(j, list_copy_tail(j->block->items, start));

        j->block->is_condition = true;
        gh_judge_expr(j, &join->quals);
        j->block->is_condition = was_condition;
        widen(j, old);
    }
    if (join->alias != NULL) {
        gh_item *item;
        const List *parts;

        gh_join_on_cover(j, join);
        parts = cover(j, start);
        item = gh_judge_add_item(j, join->alias);
        item->is_join = true;
        item->join = join;
        item->parts = parts;
    }
    if (join->join_using_alias != NULL)
        gh_judge_add_item(j, join->join_using_alias)->merged = join->usingClause;
}

/* pg_show_all_settings() in FROM, which pgAdmin asks, is what the view pg_settings reads. */
static bool becomes_pg_settings(gh_judge *j, Node **slot)
{
    const RangeFunction *f = (const RangeFunction *)*slot;
    const FuncCall *call = linitial((List *)linitial(f->functions));
    int parts = IsA(call, FuncCall) ? list_length(call->funcname) : 0;
    RangeVar *v;
    size_t name;

    if (list_length(f->functions) != 1 || parts == 0 || parts > 2 || f->ordinality || f->lateral ||
        f->is_rowsfrom || f->coldeflist != NIL || call->args != NIL ||
        strcmp(strVal(llast(call->funcname)), "pg_show_all_settings") != 0 ||
        (parts == 2 && strcmp(strVal(linitial(call->funcname)), "pg_catalog") != 0))
        return false;
    name = gh_judge_token(j, call->location);
    if (name == SIZE_MAX)
        return false;
    if (parts == 2) { /* pg_catalog . */
        gh_judge_edit(j, name, name + 2, "");
        name += 2;
    }
    if (gh_sql_token_closing(j->text, name + 1) != name + 2)
        return false;
    v = makeNode(RangeVar); /* with a schema it is as many tokens as the call */
    v->schemaname = pstrdup("pg_catalog");
    v->relname = pstrdup("pg_settings");
    v->inh = true;
    v->relpersistence = 'p';
    v->alias = f->alias;
    v->location = (int)j->text->tokens[name].start;
    *slot = (Node *)v;
    return true;
}

void gh_judge_from_item(gh_judge *j, Node **slot)
{
    Node *n = *slot;

    if (j->rc != GH_OK || n == NULL)
        return;
    switch (nodeTag(n)) {
    case T_RangeVar:
        judge_relation(j, slot);
        return;
    case T_RangeSubselect: {
        RangeSubselect *s = (RangeSubselect *)n;
        gh_scope old = { j->block->items, j->block->target, j->block->is_part };
        gh_item *item;

        if (!IsA(s->subquery, SelectStmt))
            break;
        if (!s->lateral)
            old = narrow(j, NIL);
        gh_judge_select(j, (SelectStmt *)s->subquery);
        widen(j, old);
        item = gh_judge_add_item(j, s->alias);
        item->query = (SelectStmt *)s->subquery;
        item->result = gh_query_named(gh_query_of(j, s->subquery),
                                      s->alias != NULL ? s->alias->colnames : NIL);
        return;
    }
    case T_RangeTableSample:
        judge_sample(j, slot);
        return;
    case T_RangeFunction:
        if (becomes_pg_settings(j, slot))
            judge_relation(j, slot);
        else
            gh_judge_range_function(j, (RangeFunction *)n);
        return;
    case T_RangeTableFunc:
        judge_table_function(j, (RangeTableFunc *)n);
        return;
    case T_JoinExpr:
        judge_join(j, (JoinExpr *)n);
        return;
    default:
        break;
    }
    gh_judge_refuse(j, GH_DENIED, "42501", -1, "this construct in FROM is not allowed");
}

void gh_judge_from_list(gh_judge *j, List *from)
{
    ListCell *cell;

    foreach (cell, from)
        gh_judge_from_item(j, (Node **)&lfirst(cell));
    gh_reference_settle(j);
}

size_t gh_judge_clause_end(const gh_judge *j, size_t start)
{
    static const char *const ends[] = { "group",  "having", "window",   "order", "limit",
                                        "offset", "fetch",  "for",      "union", "intersect",
                                        "except", "into",   "returning" };

    for (size_t i = start; i < j->end; i++) {
        const gh_token *t = &j->text->tokens[i];

        if (t->kind == GH_TOKEN_SELF && (t->text[0] == '(' || t->text[0] == '['))
            i = gh_sql_token_closing(j->text, i);
        else if (t->kind == GH_TOKEN_SELF && (t->text[0] == ')' || t->text[0] == ';'))
            return i;
        for (size_t k = 0; t->kind == GH_TOKEN_KEYWORD && k < GH_COUNT(ends); k++) {
            if (strcmp(t->text, ends[k]) == 0)
                return i;
        }
    }
    return j->end;
}

/* ---- WITH ------------------------------------------------------------------------------------ */

static void add_cte(gh_judge *j, const CommonTableExpr *c, const gh_query *query)
{
    j->block->ctes = lappend(j->block->ctes, c->ctename);
    j->block->cte_queries = lappend(j->block->cte_queries, (void *)(uintptr_t)query);
}

void gh_judge_with(gh_judge *j, WithClause *w)
{
    ListCell *cell;

    if (w == NULL)
        return;
    j->block->with = w;
    foreach (cell, w->ctes) {
        const CommonTableExpr *c = lfirst_node(CommonTableExpr, cell);
        const Node *n = c->ctequery;

        if ((IsA(n, InsertStmt) && ((const InsertStmt *)n)->returningList == NIL) ||
            (IsA(n, UpdateStmt) && ((const UpdateStmt *)n)->returningList == NIL) ||
            (IsA(n, DeleteStmt) && ((const DeleteStmt *)n)->returningList == NIL))
            j->block->bare_ctes = lappend(j->block->bare_ctes, c->ctename);
        else if (!IsA(n, SelectStmt))
            j->block->written_ctes = lappend(j->block->written_ctes, c->ctename);
    }
    if (w->recursive) {
        foreach (cell, w->ctes)
            add_cte(j, lfirst_node(CommonTableExpr, cell), NULL);
    }
    foreach (cell, w->ctes) {
        CommonTableExpr *c = lfirst_node(CommonTableExpr, cell);

        if (j->rc != GH_OK)
            return;
        if (IsA(c->ctequery, SelectStmt))
            gh_judge_select(j, (SelectStmt *)c->ctequery);
        else
            gh_judge_cte_statement(j, c);
        if (c->cycle_clause != NULL) {
            gh_judge_expr(j, &c->cycle_clause->cycle_mark_value);
            gh_judge_expr(j, &c->cycle_clause->cycle_mark_default);
        }
        if (!w->recursive)
            add_cte(j, c, gh_query_named(gh_query_of(j, c->ctequery), c->aliascolnames));
    }
}

/* ---- SELECT ---------------------------------------------------------------------------------- */

void gh_judge_condition(gh_judge *j, Node **slot)
{
    j->block->is_condition = true;
    gh_judge_expr(j, slot);
    j->block->is_condition = false;
}

static void judge_values(gh_judge *j, List *rows)
{
    ListCell *cell;

    foreach (cell, rows)
        gh_judge_expr_list(j, lfirst(cell));
}

/*
 * Without the fence a row filter such as region = 'EU' makes the column a constant to PostgreSQL, which
 * then takes it for sorted; under GROUPING SETS, where it is NULL in some groups, that is wrong (seen up to
 * PostgreSQL 17).
 */
static void judge_grouping_sets(gh_judge *j, const SelectStmt *s)
{
    ListCell *cell;

    foreach (cell, s->groupClause) {
        if (IsA(lfirst(cell), GroupingSet))
            j->is_unsafe = true;
    }
}

/* GROUP BY, DISTINCT ON, and ORDER BY alike: what stands there must stay equal to what is computed. */
static void judge_keys(gh_judge *j, List *keys, bool is_sorted)
{
    ListCell *cell;

    foreach (cell, keys) {
        j->takes_reg = gh_reg_is_kept_in(j->block);
        j->sort_key = is_sorted ? lfirst(cell) : NULL;
        gh_judge_expr(j, (Node **)&lfirst(cell));
    }
}

/* ORDER BY takes a name for one of the result's columns first. */
static bool is_output_name(const SelectStmt *s, const SortBy *key)
{
    const ColumnRef *ref = (const ColumnRef *)key->node;
    ListCell *cell;

    if (!IsA(ref, ColumnRef) || list_length(ref->fields) != 1 ||
        !IsA(linitial(ref->fields), String))
        return false;
    foreach (cell, s->targetList) {
        const ResTarget *t = lfirst_node(ResTarget, cell);

        if (t->name != NULL && strcmp(t->name, strVal(linitial(ref->fields))) == 0)
            return true;
    }
    return false;
}

static void judge_order(gh_judge *j, const SelectStmt *s)
{
    uint64_t compared = (uint64_t)list_length(s->targetList) * (uint64_t)list_length(s->sortClause);
    ListCell *cell;

    if (compared > GH_SQL_SORTED_MAX) {
        gh_judge_refuse(j, GH_LIMIT, "54001", -1, "too many columns are sorted by too many");
        return;
    }

    foreach (cell, s->sortClause) {
        j->takes_reg = gh_reg_is_kept_in(j->block);
        j->is_output_name = is_output_name(s, lfirst_node(SortBy, cell));
        j->sort_key = lfirst_node(SortBy, cell)->node;
        gh_judge_expr(j, (Node **)&lfirst(cell));
        j->is_output_name = false;
    }
}

static void judge_leaf(gh_judge *j, SelectStmt *s)
{
    if (s->intoClause != NULL) {
        gh_judge_refuse(j, GH_DENIED, "42501", -1, "SELECT INTO is not allowed");
        return;
    }
    if (gh_judge_locked_select(j, s))
        return;
    judge_values(j, s->valuesLists);
    gh_judge_lock_queries(j, s);
    gh_judge_from_list(j, s->fromClause);
    gh_system_column_stars(j, s);
    gh_judge_locked_stars(j, s);
    gh_judge_expr_list(j, s->targetList);
    if (s->distinctClause != NIL && linitial(s->distinctClause) != NULL)
        judge_keys(j, s->distinctClause, true);
    gh_judge_condition(j, &s->whereClause);
    judge_keys(j, s->groupClause, false);
    judge_grouping_sets(j, s);
    gh_judge_condition(j, &s->havingClause);
    gh_judge_expr_list(j, s->windowClause);
    gh_judge_locking(j, s);
}

void gh_judge_select(gh_judge *j, SelectStmt *s)
{
    gh_block block = { .outer = j->block };
    gh_block *heap = palloc(sizeof(block)); /* items point to it until the statement is placed */

    if (j->rc != GH_OK || gh_judge_is_spent(j))
        return;
    /* What PostgreSQL itself then throws away (simplify_EXISTS_query). */
    block.is_tested = j->is_exists && s->op == SETOP_NONE && s->havingClause == NULL &&
                      s->limitCount == NULL && s->limitOffset == NULL;
    j->is_exists = false;
    block.is_output = j->block->outer == NULL || (j->block->is_arms && j->block->is_output);
    block.select = s;
    block.first_relation = list_length(j->items);
    *heap = block;
    gh_apart_note_query(j, heap, s);
    j->block = heap;
    j->blocks = lappend(j->blocks, heap);
    gh_judge_with(j, s->withClause);
    if (s->op != SETOP_NONE) {
        heap->is_arms = true;
        gh_judge_select(j, s->larg);
        gh_judge_select(j, s->rarg);
        heap->is_arms = false;
        if (s->lockingClause != NIL)
            gh_judge_refuse(j, GH_INVALID, "0A000", -1,
                            "row locks are not allowed with UNION/INTERSECT/EXCEPT");
    } else {
        judge_leaf(j, s);
    }
    judge_order(j, s);
    gh_judge_expr(j, &s->limitOffset);
    gh_judge_expr(j, &s->limitCount);
    if (s->op == SETOP_NONE && j->rc == GH_OK) {
        gh_judge_push(j, s);
        gh_query_note(j, s);
        gh_judge_group(j, s);
    }
    gh_judge_note_early_keys(j, s);
    if (s->op == SETOP_NONE && heap->outer->outer == NULL)
        gh_judge_outputs(j, s);
    heap->outer->has_unsafe |= heap->has_unsafe;
    heap->outer->reads_cte |= heap->reads_cte;
    j->block = heap->outer;
}
