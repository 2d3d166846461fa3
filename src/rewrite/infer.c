/*
 * The types of expressions, as far as the tree and the catalog tell. Nothing rests on it but which operator or
 * function of a name is meant where the client's search_path holds one outside pg_catalog (overload.c); what is not
 * known is 0, and then nothing outside pg_catalog may be in question.
 *
 *     column        its table's; of a query in FROM: what that query computes there
 *     literal       GH_OID_UNKNOWN, as for PostgreSQL, and so is a parameter without a type
 *     f(x), x op y  what the overload that is meant gives
 */
#include "infer.h"

#include "fence.h"
#include "operand.h"
#include "write.h"

#define DEPTH_MAX  60
#define VALUES_MAX 100 /* rows that are looked at */

static gh_oid infer(gh_judge *j, const Node *n, int depth);

/*
 * SECURITY: queries in FROM that name a column twice double the work with each level: 600 bytes of `x || x` took
 * minutes. What is computed from several things is therefore looked at once for each block, and what doubles in
 * some other way is not known beyond a bound. Attack: tests/attack/states, test_types_of_nested_queries.
 */
static bool is_too_much(gh_judge *j)
{
    return ++j->infer_steps > GH_SQL_INFER_STEPS_MAX + 16 * j->text->token_count ||
           gh_judge_is_spent(j);
}

static gh_oid common(gh_judge *j, const List *list, int depth)
{
    gh_oid out = GH_OID_UNKNOWN;
    ListCell *cell;

    foreach (cell, list)
        out = gh_infer_common(j, out, infer(j, lfirst(cell), depth));
    return out;
}

/* A literal alone becomes text. */
gh_oid gh_infer_settled(gh_oid oid)
{
    return oid == GH_OID_UNKNOWN ? GH_OID_TEXT : oid;
}

/* ---- columns --------------------------------------------------------------------------------- */

void gh_infer_take(gh_found *f, gh_oid type)
{
    if (!f->is_any) {
        f->type = type;
        f->is_any = true;
    } else if (!f->is_mixed && f->type != type) {
        f->other = type;
        f->is_mixed = true;
    } else if (f->type != type && f->other != type) {
        f->is_open = true;
    }
}

static void take_type(gh_found *f, gh_oid type)
{
    if (type == 0)
        f->is_open = true;
    else
        gh_infer_take(f, type);
}

/* Of a name of which nothing more is found. */
gh_oid gh_infer_found(gh_judge *j, const gh_block *b, const char *name, const gh_found *f)
{
    if (f->is_open || !f->is_any)
        return 0;
    if (!f->is_mixed)
        return gh_infer_settled(f->type);
    return gh_infer_merges(b, name) ? gh_infer_common(j, f->type, f->other) : 0;
}

/* position -1: by name. The query is a SELECT, or a write with RETURNING. */
static void find_output(gh_judge *j, const Node *query, const char *name, int position, gh_found *f,
                        int depth);

/* What a query without set operations gives. */
static const List *targets_of(const Node *n)
{
    switch (nodeTag(n)) {
    case T_SelectStmt:
        return ((const SelectStmt *)n)->targetList;
    case T_InsertStmt:
        return ((const InsertStmt *)n)->returningList;
    case T_UpdateStmt:
        return ((const UpdateStmt *)n)->returningList;
    case T_DeleteStmt:
        return ((const DeleteStmt *)n)->returningList;
    default:
        return NIL;
    }
}

/* How many columns; -1: a star says. */
static int output_count(const Node *n)
{
    ListCell *cell;

    while (IsA(n, SelectStmt) && ((const SelectStmt *)n)->op != SETOP_NONE)
        n = (const Node *)((const SelectStmt *)n)->larg;
    if (IsA(n, SelectStmt) && ((const SelectStmt *)n)->valuesLists != NIL)
        return list_length(linitial(((const SelectStmt *)n)->valuesLists));
    foreach (cell, targets_of(n)) {
        const ResTarget *t = lfirst_node(ResTarget, cell);

        if (IsA(t->val, ColumnRef) && IsA(llast(((const ColumnRef *)t->val)->fields), A_Star))
            return -1;
    }
    return list_length(targets_of(n));
}

gh_block *gh_infer_block(gh_judge *j, const Node *query)
{
    for (int i = list_length(j->blocks); i-- > 0 && !is_too_much(j);) { /* most often a late one */
        gh_block *b = list_nth(j->blocks, i);

        if ((const Node *)b->select == query || b->write == query)
            return b;
    }
    return NULL;
}

/* The query of WITH that a FROM item names. */
static const CommonTableExpr *cte_of(const gh_item *item, bool *is_recursive)
{
    if (item->var == NULL || item->var->schemaname != NULL)
        return NULL;
    for (const gh_block *b = item->block; b != NULL; b = b->outer) {
        ListCell *cell;

        foreach (cell, b->with != NULL ? b->with->ctes : NIL) {
            const CommonTableExpr *c = lfirst_node(CommonTableExpr, cell);

            *is_recursive = b->with->recursive;
            if (strcmp(c->ctename, item->var->relname) == 0)
                return c;
        }
    }
    return NULL;
}

typedef struct gh_mention {
    const char *name;
    bool is_found;
} gh_mention;

static void look_for_name(struct Node **slot, void *arg)
{
    gh_mention *m = arg;
    const RangeVar *v = (const RangeVar *)*slot;

    if (IsA(v, RangeVar))
        m->is_found |= v->schemaname == NULL && strcmp(v->relname, m->name) == 0;
    else if (!m->is_found && !gh_sql_children(*slot, look_for_name, arg))
        m->is_found = true;
}

/* Of a query that reads itself the first arm decides the types, and the second becomes of those. */
static const Node *typing_arm(const CommonTableExpr *c, bool is_recursive)
{
    SelectStmt *s = (SelectStmt *)c->ctequery;
    gh_mention m = { .name = c->ctename };
    Node *second;

    if (!is_recursive || !IsA(s, SelectStmt) || s->op != SETOP_UNION)
        return c->ctequery;
    second = (Node *)s->rarg;
    look_for_name((struct Node **)&second, &m);
    return m.is_found ? (const Node *)s->larg : c->ctequery;
}

/* Columns that SEARCH and CYCLE add. */
static bool is_added(const CommonTableExpr *c, const char *name)
{
    const CTECycleClause *y = c->cycle_clause;

    return (c->search_clause != NULL && strcmp(c->search_clause->search_seq_column, name) == 0) ||
           (y != NULL &&
            (strcmp(y->cycle_mark_column, name) == 0 || strcmp(y->cycle_path_column, name) == 0));
}

static void find_in_relation(const gh_judge *j, const gh_item *item, const char *name, gh_found *f)
{
    const gh_column *c = gh_relation_column(item->relation, gh_str_of(name));
    bool is_hidden = c != NULL && item->decision != NULL && !item->keeps_hidden &&
                     !item->is_target &&
                     item->decision->columns[c - item->relation->columns].show == GH_HIDDEN;

    if (c != NULL && !is_hidden)
        gh_infer_take(f, c->type_oid);
    else if (c == NULL && gh_system_column_type(j, item, name) != 0)
        gh_infer_take(f, gh_system_column_type(j, item, name));
}

/* FROM relation AS a (name, ...): by the places of the columns that show. */
static void find_in_renamed(const gh_item *item, const char *name, gh_found *f)
{
    int place = 0;

    for (uint16_t i = 0; i < item->relation->column_count; i++) {
        const gh_column *c = &item->relation->columns[i];

        if (item->decision->columns[i].show == GH_HIDDEN && !item->keeps_hidden)
            continue;
        if (place < list_length(item->names)
                ? strcmp(strVal(list_nth(item->names, place)), name) == 0
                : gh_str_is(c->name, name))
            gh_infer_take(f, c->type_oid);
        place++;
    }
}

/* FROM (query) AS a (name, ...) */
static void find_renamed(gh_judge *j, const Node *s, const List *names, const char *name,
                         gh_found *f, int depth)
{
    ListCell *cell;

    foreach (cell, names) {
        if (strcmp(strVal(lfirst(cell)), name) == 0) {
            find_output(j, s, name, foreach_current_index(cell), f, depth + 1);
            return;
        }
    }
    f->is_open = f->is_open || list_length(names) != output_count(s);
}

static void find_in_cte(gh_judge *j, const CommonTableExpr *c, bool is_recursive, const char *name,
                        gh_found *f, int depth)
{
    const Node *query = typing_arm(c, is_recursive);

    if (is_added(c, name))
        f->is_open = true;
    else if (c->aliascolnames != NIL)
        find_renamed(j, query, c->aliascolnames, name, f, depth);
    else
        find_output(j, query, name, -1, f, depth + 1);
}

/* Of a query in FROM, or of WITH where nothing is named anew. */
static const Node *query_of(const gh_item *item, const CommonTableExpr *c, bool is_recursive)
{
    if (item->query != NULL)
        return (const Node *)item->query;
    return c != NULL && c->aliascolnames == NIL && c->search_clause == NULL &&
                   c->cycle_clause == NULL
               ? typing_arm(c, is_recursive)
               : NULL;
}

void gh_infer_in_item(gh_judge *j, const gh_item *item, const char *name, gh_found *f, int depth)
{
    bool is_recursive = false;
    const CommonTableExpr *c =
        item->query == NULL && item->relation == NULL ? cte_of(item, &is_recursive) : NULL;
    const Node *query = query_of(item, c, is_recursive);

    if (depth > DEPTH_MAX || is_too_much(j))
        f->is_open = true;
    else if (item->join != NULL)
        gh_infer_in_join(j, item, name, f, depth);
    else if (item->merged != NIL)
        gh_infer_in_merged(j, item, name, f, depth);
    else if (item->table != NULL)
        gh_infer_in_table(j, item, name, f);
    else if (item->function != NULL)
        gh_infer_in_function(j, item->function, name, f, depth);
    else if (item->names != NIL && query != NULL)
        find_renamed(j, query, item->names, name, f, depth);
    else if (item->names != NIL && item->relation != NULL && item->decision != NULL)
        find_in_renamed(item, name, f);
    else if (item->names != NIL || (item->is_renamed && !item->is_covered))
        f->is_open = true;
    else if (item->relation != NULL)
        find_in_relation(j, item, name, f);
    else if (c != NULL)
        find_in_cte(j, c, is_recursive, name, f, depth);
    else if (query != NULL)
        find_output(j, query, name, -1, f, depth);
    else
        f->is_open = true;
}

/* Finds what a reference may mean; false: nothing is called so. */
static bool look_up(gh_judge *j, const ColumnRef *ref, gh_found *f, const gh_block **block,
                    int depth)
{
    const char *alias = list_length(ref->fields) == 2 ? strVal(linitial(ref->fields)) : NULL;
    const char *name = strVal(llast(ref->fields));

    for (gh_block *b = j->block; b != NULL; b = b->outer) {
        ListCell *cell;

        *block = b;
        foreach (cell, b->items) {
            const gh_item *item = lfirst(cell);

            if (alias == NULL ? gh_infer_is_reached(item)
                              : item->alias != NULL && strcmp(item->alias, alias) == 0)
                gh_infer_in_item(j, item, name, f, depth);
        }
        if (b->target != NULL && !f->is_any)
            gh_infer_in_item(j, b->target, name, f, depth);
        if (f->is_open || f->is_any)
            return true;
    }
    return false;
}

static bool is_name(const ColumnRef *ref)
{
    return list_length(ref->fields) <= 2 && IsA(llast(ref->fields), String);
}

static gh_oid bind(gh_judge *j, const ColumnRef *ref, int depth)
{
    const gh_block *block;
    gh_found f = { 0 };

    if (!is_name(ref) || !look_up(j, ref, &f, &block, depth))
        return 0;
    return gh_infer_found(j, block, strVal(llast(ref->fields)), &f);
}

gh_name_state gh_infer_name(gh_judge *j, const ColumnRef *ref)
{
    bool is_qualified = list_length(ref->fields) == 2;
    const gh_block *block;
    gh_found f = { 0 };
    const gh_item *item;

    for (const gh_block *b = j->block; b != NULL; b = b->outer) {
        if (b->is_part)
            return GH_NAME_OPEN;
    }
    if (!is_name(ref) || gh_write_is_system_column(strVal(llast(ref->fields))))
        return GH_NAME_OPEN;
    item = gh_judge_find_item(j, strVal(linitial(ref->fields)), NULL);
    if (item == NULL && is_qualified)
        return GH_NAME_NO_TABLE;
    if (look_up(j, ref, &f, &block, 0))
        return f.is_mixed && !f.is_open && !is_qualified &&
                       !gh_infer_merges(block, strVal(llast(ref->fields)))
                   ? GH_NAME_AMBIGUOUS
                   : GH_NAME_OPEN;
    return item == NULL || is_qualified ? GH_NAME_ABSENT : GH_NAME_OPEN; /* t alone is its row */
}

gh_oid gh_infer_column(gh_judge *j, const char *name)
{
    gh_found f = { 0 };
    ListCell *cell;

    foreach (cell, j->block->items) {
        if (gh_infer_is_reached(lfirst(cell)))
            gh_infer_in_item(j, lfirst(cell), name, &f, 0);
    }
    return gh_infer_found(j, j->block, name, &f);
}

/* ---- what a query computes ------------------------------------------------------------------- */

/* Columns behind a star: by name alone, since their number is not counted. */
static void find_in_star(gh_judge *j, const gh_block *b, const ColumnRef *ref, const char *name,
                         gh_found *f, int depth)
{
    gh_found here = { 0 };
    ListCell *cell;

    foreach (cell, b->items) {
        const gh_item *item = lfirst(cell);

        if (list_length(ref->fields) == 2
                ? item->alias == NULL || strcmp(item->alias, strVal(linitial(ref->fields))) != 0
                : !gh_infer_is_reached(item))
            continue;
        gh_infer_in_item(j, item, name, &here, depth + 1);
    }
    if (here.is_any || here.is_open)
        take_type(f, gh_infer_found(j, b, name, &here));
}

static void find_in_targets(gh_judge *j, const Node *s, const char *name, int position, gh_found *f,
                            int depth)
{
    gh_block *block = gh_infer_block(j, s);
    gh_block *outer = j->block;
    ListCell *cell;

    if (block == NULL && (!IsA(s, SelectStmt) || ((const SelectStmt *)s)->fromClause != NIL)) {
        f->is_open = true;
        return;
    }
    if (block !=
        NULL) /* else it is one that stands for a call of the client's, and names nothing */
        j->block = block;
    foreach (cell, targets_of(s)) {
        const ResTarget *t = lfirst_node(ResTarget, cell);
        const char *own = gh_infer_output_name(t);
        bool is_star =
            IsA(t->val, ColumnRef) && IsA(llast(((const ColumnRef *)t->val)->fields), A_Star);

        if (is_star && position >= 0)
            f->is_open = true;
        else if (is_star)
            find_in_star(j, j->block, (const ColumnRef *)t->val, name, f, depth);
        else if (position >= 0 ? position == foreach_current_index(cell)
                               : own != NULL && strcmp(own, name) == 0)
            gh_infer_take(f, infer(j, t->val, depth + 1));
        else if (position < 0 && own == NULL && !gh_infer_in_row(j, t->val, name, f, depth))
            f->is_open = f->is_open || !f->is_any; /* its name may be this one */
    }
    j->block = outer;
}

/* Where a column of a set operation stands in its arms; the first arm's names are its names. -1: not known. */
static int position_of(const SelectStmt *s, const char *name)
{
    ListCell *cell;

    while (s->op != SETOP_NONE)
        s = s->larg;
    foreach (cell, s->targetList) {
        const ResTarget *t = lfirst_node(ResTarget, cell);
        const char *own = gh_infer_output_name(t);

        if (own == NULL) /* a star, or a name that is not known */
            return -1;
        if (strcmp(own, name) == 0)
            return foreach_current_index(cell);
    }
    return -1;
}

/* -1: it is none of theirs. */
static int position_in_values(const char *name)
{
    size_t digits = strlen(name) > 6 ? strlen(name) - 6 : 0;
    int n = 0;

    if (strncmp(name, "column", 6) != 0 || digits == 0 || digits > 5 || name[6] == '0' ||
        strspn(name + 6, "0123456789") != digits)
        return -1;
    for (size_t i = 6; name[i] != '\0'; i++)
        n = n * 10 + (name[i] - '0');
    return n - 1;
}

/* Columns of VALUES are column1, column2 ...; each is of one type in all rows. */
static void find_in_values(gh_judge *j, const SelectStmt *s, const char *name, int position,
                           gh_found *f, int depth)
{
    gh_block *block = gh_infer_block(j, (const Node *)s);
    gh_block *outer = j->block;
    gh_oid type = GH_OID_UNKNOWN;
    ListCell *cell;

    if (position < 0)
        position = position_in_values(name);
    if (position < 0 || position >= list_length(linitial(s->valuesLists)))
        return;
    if (block == NULL || list_length(s->valuesLists) > VALUES_MAX) {
        f->is_open = true;
        return;
    }
    j->block = block;
    foreach (cell, s->valuesLists) {
        const List *row = lfirst(cell);

        if (position < list_length(row))
            type = gh_infer_common(j, type, infer(j, list_nth(row, position), depth + 1));
    }
    j->block = outer;
    if (type == 0)
        f->is_open = true;
    else
        gh_infer_take(f, gh_infer_settled(type));
}

/* Of UNION and kin: what both arms become. */
static void find_in_arms(gh_judge *j, const SelectStmt *s, const char *name, int position,
                         gh_found *f, int depth)
{
    gh_found left = { 0 };
    gh_found right = { 0 };

    find_output(j, (const Node *)s->larg, name, position, &left, depth + 1);
    find_output(j, (const Node *)s->rarg, name, position, &right, depth + 1);
    if (left.is_open || left.is_mixed || right.is_open || right.is_mixed)
        f->is_open = true;
    else if (left.is_any || right.is_any)
        take_type(f, gh_infer_common(j, left.type, right.type));
}

static void find_output(gh_judge *j, const Node *query, const char *name, int position, gh_found *f,
                        int depth)
{
    const SelectStmt *s = (const SelectStmt *)query;

    if (depth > DEPTH_MAX) {
        f->is_open = true;
    } else if (!IsA(query, SelectStmt)) {
        find_in_targets(j, query, name, position, f, depth);
    } else if (s->valuesLists != NIL) {
        find_in_values(j, s, name, position, f, depth);
    } else if (s->op == SETOP_NONE) {
        find_in_targets(j, query, name, position, f, depth);
    } else {
        if (position < 0)
            position = position_of(s, name);
        f->is_open = f->is_open || position < 0;
        if (position >= 0)
            find_in_arms(j, s, name, position, f, depth);
    }
}

/* The one column of the name at this place, where a star stands before it; NULL: there is none such. */
static const char *only_name(const gh_judge *j, const Node *query, int place)
{
    const gh_query *q = gh_query_of(j, query);
    const char *name =
        q != NULL && q->is_complete && place < q->output_count ? q->outputs[place].name : NULL;

    for (int i = 0; name != NULL && i < q->output_count; i++) {
        if (i != place && (q->outputs[i].name == NULL || strcmp(q->outputs[i].name, name) == 0))
            return NULL;
    }
    return name;
}

static gh_oid output_at(gh_judge *j, const Node *query, int place, int depth)
{
    gh_found f = { 0 };
    const char *name;

    if (!IsA(query, SelectStmt))
        return 0;
    find_output(j, query, "", place, &f, depth);
    name = f.is_open ? only_name(j, query, place) : NULL;
    if (name != NULL) {
        f = (gh_found){ 0 };
        find_output(j, query, name, -1, &f, depth);
    }
    return f.is_open || f.is_mixed ? 0 : f.type;
}

gh_oid gh_infer_output(gh_judge *j, const Node *query, int place)
{
    return output_at(j, query, place, 0);
}

static gh_oid infer_a_expr(gh_judge *j, const A_Expr *e, int depth)
{
    switch (e->kind) {
    case AEXPR_OP:
        return gh_infer_operator(j, e, depth);
    case AEXPR_NULLIF:
        return infer(j, e->lexpr, depth);
    default:
        return GH_OID_BOOL;
    }
}

/* ---- expressions ----------------------------------------------------------------------------- */

static gh_oid infer_const(const A_Const *c)
{
    if (c->isnull || IsA(&c->val, String))
        return GH_OID_UNKNOWN;
    if (IsA(&c->val, Integer))
        return GH_OID_INT4;
    if (IsA(&c->val, Boolean))
        return GH_OID_BOOL;
    if (IsA(&c->val, BitString))
        return GH_OID_BIT;
    return strpbrk(c->val.fval.fval, ".eE") == NULL && strlen(c->val.fval.fval) < 19
               ? GH_OID_INT8
               : GH_OID_NUMERIC;
}

static gh_oid infer_case(gh_judge *j, const CaseExpr *c, int depth)
{
    gh_oid out =
        c->defresult != NULL ? infer(j, (const Node *)c->defresult, depth) : GH_OID_UNKNOWN;
    ListCell *cell;

    foreach (cell, c->args)
        out = gh_infer_common(j, out,
                              infer(j, (const Node *)lfirst_node(CaseWhen, cell)->result, depth));
    return gh_infer_settled(out);
}

static gh_oid infer_sublink(gh_judge *j, const SubLink *s, int depth)
{
    gh_oid first;

    if (s->subLinkType != EXPR_SUBLINK && s->subLinkType != ARRAY_SUBLINK)
        return GH_OID_BOOL;
    first = gh_infer_settled(output_at(j, s->subselect, 0, depth));
    return s->subLinkType == ARRAY_SUBLINK && first != 0 ? gh_infer_array(j, first) : first;
}

/* An element or a slice of an array; of a jsonb, which is one again; a field. */
static gh_oid infer_indirection(gh_judge *j, const A_Indirection *a, int depth)
{
    bool is_field = IsA(linitial(a->indirection), String);
    gh_oid type = is_field ? gh_infer_field(j, a->arg, strVal(linitial(a->indirection)), depth)
                           : infer(j, a->arg, depth);
    bool is_array = false;
    bool is_slice = false;
    ListCell *cell;

    foreach (cell, a->indirection) {
        if (IsA(lfirst(cell), A_Indices)) {
            is_array = true;
            is_slice = is_slice || lfirst_node(A_Indices, cell)->is_slice;
        } else if (IsA(lfirst(cell), String) && !is_array) {
            if (foreach_current_index(cell) > 0)
                type = gh_infer_field_of(j, type, strVal(lfirst(cell)));
        } else {
            return 0;
        }
    }
    return !is_array || is_slice || type == GH_OID_JSONB ? type : gh_infer_element(j, type);
}

static gh_oid infer_value_function(const SQLValueFunction *f)
{
    switch (f->op) {
    case SVFOP_CURRENT_DATE:
        return GH_OID_DATE;
    case SVFOP_CURRENT_TIME:
    case SVFOP_CURRENT_TIME_N:
        return GH_OID_TIMETZ;
    case SVFOP_CURRENT_TIMESTAMP:
    case SVFOP_CURRENT_TIMESTAMP_N:
        return GH_OID_TIMESTAMPTZ;
    case SVFOP_LOCALTIME:
    case SVFOP_LOCALTIME_N:
        return GH_OID_TIME;
    case SVFOP_LOCALTIMESTAMP:
    case SVFOP_LOCALTIMESTAMP_N:
        return GH_OID_TIMESTAMP;
    default:
        return 19; /* name */
    }
}

static gh_oid infer_any(gh_judge *j, const Node *n, int depth)
{
    gh_oid element;

    switch (nodeTag(n)) {
    case T_A_Const:
        return infer_const((const A_Const *)n);
    case T_ParamRef: {
        gh_oid declared = gh_judge_param_type(j, (const ParamRef *)n);

        return declared != 0 ? declared : GH_OID_UNKNOWN;
    }
    case T_TypeCast:
        return gh_infer_named_type(j, ((const TypeCast *)n)->typeName);
    case T_ColumnRef:
        return bind(j, (const ColumnRef *)n, depth);
    case T_FuncCall:
        return gh_infer_call(j, (const FuncCall *)n, depth);
    case T_A_Expr:
        return infer_a_expr(j, (const A_Expr *)n, depth);
    case T_BoolExpr:
    case T_NullTest:
    case T_BooleanTest:
        return GH_OID_BOOL;
    case T_CaseExpr:
        return infer_case(j, (const CaseExpr *)n, depth);
    case T_CoalesceExpr:
        return gh_infer_settled(common(j, ((const CoalesceExpr *)n)->args, depth));
    case T_MinMaxExpr:
        return gh_infer_settled(common(j, ((const MinMaxExpr *)n)->args, depth));
    case T_SubLink:
        return infer_sublink(j, (const SubLink *)n, depth);
    case T_A_ArrayExpr:
        element = gh_infer_settled(common(j, ((const A_ArrayExpr *)n)->elements, depth));
        return element == 0 ? 0 : gh_infer_array(j, element);
    case T_A_Indirection:
        return infer_indirection(j, (const A_Indirection *)n, depth);
    case T_CollateClause:
        return infer(j, ((const CollateClause *)n)->arg, depth);
    case T_SQLValueFunction:
        return infer_value_function((const SQLValueFunction *)n);
    case T_RowExpr:
        return 2249; /* record */
    case T_GroupingFunc:
        return GH_OID_INT4;
    case T_XmlExpr:
        return ((const XmlExpr *)n)->op == IS_DOCUMENT ? GH_OID_BOOL : GH_OID_XML;
    case T_XmlSerialize:
        return gh_infer_named_type(j, ((const XmlSerialize *)n)->typeName);
    default:
        return 0;
    }
}

/* Of several parts, each of which would be looked at again. */
static bool has_parts(const Node *n)
{
    switch (nodeTag(n)) {
    case T_A_Expr:
    case T_FuncCall:
    case T_CaseExpr:
    case T_CoalesceExpr:
    case T_MinMaxExpr:
    case T_A_ArrayExpr:
        return true;
    default:
        return false;
    }
}

static gh_oid infer(gh_judge *j, const Node *n, int depth)
{
    uint32_t known;

    if (n == NULL || ++depth > DEPTH_MAX || is_too_much(j))
        return 0;
    if (!has_parts(n))
        return infer_any(j, n, depth);
    if (!gh_memo_find(&j->types, n, j->block, &known)) {
        known = infer_any(j, n, depth);
        gh_memo_put(&j->types, n, j->block, known);
    }
    return known;
}

gh_oid gh_infer_at(gh_judge *j, const Node *n, int depth)
{
    return infer(j, n, depth);
}

gh_oid gh_infer_type(gh_judge *j, const Node *n)
{
    return infer(j, n, 0);
}
