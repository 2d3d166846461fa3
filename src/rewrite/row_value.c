/*
 * Rows of a relation as values. Of one that does not show in full they are records, of which PostgreSQL knows the fields
 * only where it sees the row's own query; and their type cannot be named. What asks for a field, or for a row of that
 * type, is told anew without it:
 *
 *     (array_agg(o ORDER BY o.placed))[1].note        ─▶  (array_agg(o.note ORDER BY o.placed))[1] AS note
 *     (lag(o) OVER w).note                            ─▶  (lag(o.note) OVER w) AS note
 *     (SELECT c FROM customers c WHERE ...).name      ─▶  (SELECT c.name FROM customers c WHERE ...) AS name
 *     FROM json_populate_recordset(NULL::orders, x)   ─▶  FROM ROWS FROM (json_to_recordset(x)
 *                                                             AS (id int, note text)) AS json_populate_recordset
 *
 * A field of no row is NULL, and so is that of a row that an outer join left out: what is computed of the rows and passes one
 * of them on passes the field on alike.
 *
 * SECURITY: it is text for text, before anything is decided, as in join_on.c: what is told anew is parsed and judged as if the
 * client had sent it. The columns that it names are those that show. Tests: tests/differential/everyday.txt.
 */
#include "row_value.h"

#include "infer.h"
#include "join_on.h"
#include "operand.h"

static bool may_tell(const gh_judge *j)
{
    return !j->is_policy && j->view_depth == 0 && !j->is_retold;
}

/* Is the name that of a function which PostgreSQL alone has? */
static bool is_builtin(const gh_judge *j, const List *name)
{
    size_t count;
    const gh_function *const *f =
        gh_catalog_functions(j->in->catalog, gh_str_of(strVal(llast(name))), &count);

    for (size_t i = 0; i < count; i++) {
        if (!gh_str_is(f[i]->schema, "pg_catalog"))
            return false;
    }
    return count > 0 &&
           (list_length(name) == 1 ||
            (list_length(name) == 2 && strcmp(strVal(linitial(name)), "pg_catalog") == 0));
}

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* ---- fields ------------------------------------------------------------------------------------------ */

/* The rows that a value is one of. */
typedef struct gh_rows {
    gh_judge *j;
    const char *field;
    List *names;    /* of ColumnRef *: where rows are named */
    bool is_listed; /* they are put into an array, which must hold the field instead */
} gh_rows;

/* Does the name mean a column, perhaps, before it means a row of the block? */
static bool may_be_column(gh_judge *j, const char *name, const gh_block *end)
{
    for (gh_block *b = j->block; b != NULL; b = b->outer) {
        ListCell *cell;

        foreach (cell, b->items) {
            gh_found f = { 0 };

            gh_infer_in_item(j, lfirst(cell), name, &f, 0);
            if (f.is_any || f.is_open)
                return true;
        }
        if (b->target != NULL)
            return true;
        if (b == end)
            return false;
    }
    return true;
}

/* A relation's row, of which the field shows. */
static bool add_row(gh_rows *r, const ColumnRef *ref)
{
    const Node *name = linitial(ref->fields);
    gh_block *block = NULL;
    const gh_item *item;
    const gh_column *c;
    const gh_type *t;

    if (list_length(ref->fields) != 1 || !IsA(name, String) || ref->location < 0)
        return false;
    item = gh_judge_find_item(r->j, strVal(name), &block);
    if (item == NULL || item->relation == NULL || item->decision == NULL || item->is_target ||
        item->is_renamed || item->is_covered || item->decision->is_open ||
        may_be_column(r->j, strVal(name), block))
        return false;
    c = gh_relation_column(item->relation, gh_str_of(r->field));
    if (c == NULL || item->decision->columns[c - item->relation->columns].show == GH_HIDDEN)
        return false;
    t = gh_catalog_type_by_oid(r->j->in->catalog, c->type_oid);
    if (t == NULL || (r->is_listed && (t->category == 'A' || t->array == 0)))
        return false;
    r->names = lappend(r->names, (void *)(uintptr_t)ref);
    return true;
}

static bool add_rows(gh_rows *r, const Node *n, int depth);

/* What gives one of the rows as it is. */
static bool add_call(gh_rows *r, const FuncCall *f, int depth)
{
    static const char *const windows[] = { "lag", "lead", "first_value", "last_value",
                                           "nth_value" };
    const char *name = strVal(llast(f->funcname));

    if (!is_builtin(r->j, f->funcname) || f->agg_distinct || f->func_variadic ||
        f->agg_within_group || f->args == NIL)
        return false;
    if (r->is_listed)
        return strcmp(name, "array_agg") == 0 && list_length(f->args) == 1 &&
               add_rows(r, linitial(f->args), depth);
    return is_one_of(name, windows, GH_COUNT(windows)) && f->over != NULL &&
           list_length(f->args) <= 2 && add_rows(r, linitial(f->args), depth);
}

static bool add_query(gh_rows *r, const SubLink *s, int depth)
{
    const SelectStmt *q = (const SelectStmt *)s->subselect;
    gh_block *was = r->j->block;
    gh_block *b = gh_infer_block(r->j, s->subselect);
    bool is_added;
    ListCell *cell;

    if (s->subLinkType != EXPR_SUBLINK || !IsA(q, SelectStmt) || b == NULL || q->op != SETOP_NONE ||
        list_length(q->targetList) != 1 || q->distinctClause != NIL || q->groupClause != NIL ||
        linitial_node(ResTarget, q->targetList)->name != NULL)
        return false;
    foreach (cell, q->sortClause) {
        if (IsA(lfirst_node(SortBy, cell)->node, A_Const)) /* ORDER BY 1 */
            return false;
    }
    r->j->block = b;
    is_added = add_rows(r, linitial_node(ResTarget, q->targetList)->val, depth);
    r->j->block = was;
    return is_added;
}

static bool add_branches(gh_rows *r, const CaseExpr *c, int depth)
{
    ListCell *cell;

    if (c->defresult != NULL && !add_rows(r, (const Node *)c->defresult, depth))
        return false;
    foreach (cell, c->args) {
        if (!add_rows(r, (const Node *)lfirst_node(CaseWhen, cell)->result, depth))
            return false;
    }
    return true;
}

static bool add_rows(gh_rows *r, const Node *n, int depth)
{
    if (depth > GH_SQL_DEPTH_MAX)
        return false;
    if (IsA(n, A_Const))
        return ((const A_Const *)n)->isnull && depth > 0;
    if (IsA(n, ColumnRef))
        return add_row(r, (const ColumnRef *)n);
    if (IsA(n, FuncCall))
        return add_call(r, (const FuncCall *)n, depth + 1);
    if (IsA(n, SubLink) && !r->is_listed)
        return add_query(r, (const SubLink *)n, depth + 1);
    return IsA(n, CaseExpr) && !r->is_listed && add_branches(r, (const CaseExpr *)n, depth + 1);
}

static bool is_self(const gh_judge *j, size_t token, char c)
{
    const gh_token *t = token < j->end ? &j->text->tokens[token] : NULL; /* SIZE_MAX: of none */

    return t != NULL && t->kind == GH_TOKEN_SELF && t->text[0] == c && t->text[1] == '\0';
}

/* Behind the brackets that a value stands in of which a part is read. */
static size_t end_of(const gh_judge *j, const Node *n)
{
    int location = IsA(n, FuncCall)   ? ((const FuncCall *)n)->location
                   : IsA(n, CaseExpr) ? ((const CaseExpr *)n)->location
                   : IsA(n, SubLink)  ? ((const SubLink *)n)->location
                                      : -1;
    size_t at = location < 0 ? SIZE_MAX : gh_sql_token_at(j->text, location);

    if (at != SIZE_MAX && !(IsA(n, SubLink) && is_self(j, at, '(')))
        at = gh_join_on_opening(j, at);
    at = at == SIZE_MAX ? SIZE_MAX : gh_sql_token_closing(j->text, at);
    while (is_self(j, at, ')'))
        at++;
    return at;
}

/* What gives the rows: it lists them where the value is an element of it. *parts: what is read of a row. NULL: it is a slice. */
static const Node *rows_of(const A_Indirection *a, bool *is_listed, const List **parts)
{
    const Node *arg = a->arg;
    const A_Indices *first = linitial(a->indirection);

    *is_listed = false;
    *parts = a->indirection;
    if (IsA(arg, A_Indirection) && list_length(((const A_Indirection *)arg)->indirection) == 1 &&
        IsA(linitial(((const A_Indirection *)arg)->indirection), A_Indices)) {
        first = linitial(((const A_Indirection *)arg)->indirection);
        arg = ((const A_Indirection *)arg)->arg;
        *is_listed = true;
    } else if (IsA(first, A_Indices)) {
        *parts = list_copy_tail(a->indirection, 1);
        *is_listed = true;
    }
    return *is_listed && first->is_slice ? NULL : arg;
}

void gh_row_tell_field(gh_judge *j, const A_Indirection *a)
{
    gh_rows r = { .j = j };
    const List *parts;
    const Node *rows = rows_of(a, &r.is_listed, &parts);
    const ResTarget *t = j->naming;
    const char *own;
    const char *name = "";
    size_t at;
    ListCell *cell;

    if (j->rc != GH_OK || !may_tell(j) || rows == NULL || parts == NIL ||
        !IsA(linitial(parts), String))
        return;
    r.field = strVal(linitial(parts));
    at = end_of(j, rows);
    if (r.is_listed && is_self(j, at, '[')) {
        at = gh_sql_token_closing(j->text, at);
        at += at != SIZE_MAX;
    }
    while (r.is_listed && is_self(j, at, ')'))
        at++;
    if (!is_self(j, at, '.') || at + 1 == j->end ||
        strcmp(j->text->tokens[at + 1].text, r.field) != 0 || !add_rows(&r, rows, 0))
        return;
    if (t != NULL && t->name == NULL && list_length(parts) == 1) {
        own = gh_infer_output_name(t);
        if (t->val == (const Node *)a)
            name = gh_judge_printf(" AS %s", gh_judge_ident(j, gh_str_of(r.field)));
        else if (own == NULL || strcmp(own, r.field) == 0)
            return;
    }
    foreach (cell, r.names) {
        size_t token = gh_judge_token(j, lfirst_node(ColumnRef, cell)->location);

        gh_join_on_tell(j, token + 1, token + 1,
                        gh_judge_printf(".%s", gh_judge_ident(j, gh_str_of(r.field))));
    }
    gh_join_on_tell(j, at, at + 2, name);
}

/* ---- json_populate_record and kin ----------------------------------------------------------------- */

/* What makes a record of columns that are written out, where this call makes a row; NULL: it is none. */
static const char *counterpart(const gh_judge *j, const FuncCall *f)
{
    static const char *const calls[][2] = {
        { "json_populate_record", "json_to_record" },
        { "jsonb_populate_record", "jsonb_to_record" },
        { "json_populate_recordset", "json_to_recordset" },
        { "jsonb_populate_recordset", "jsonb_to_recordset" },
    };

    if (!IsA(f, FuncCall) || list_length(f->args) != 2 || f->func_variadic ||
        !is_builtin(j, f->funcname) || IsA(lsecond(f->args), NamedArgExpr))
        return NULL;
    for (size_t i = 0; i < GH_COUNT(calls); i++) {
        if (strcmp(strVal(llast(f->funcname)), calls[i][0]) == 0)
            return calls[i][1];
    }
    return NULL;
}

/* The relation of whose rows NULL is cast to the type, which cannot be named. */
static bool find_relation(gh_judge *j, const Node *n, gh_item *item)
{
    const TypeCast *c = (const TypeCast *)n;
    const TypeName *t;

    if (!IsA(c, TypeCast) || !IsA(c->arg, A_Const) || !((const A_Const *)c->arg)->isnull)
        return false;
    t = c->typeName;
    if (list_length(t->names) > 2 || t->names == NIL || t->arrayBounds != NIL ||
        t->typmods != NIL || t->setof || t->pct_type || gh_type_is_named(j, t))
        return false;
    item->var = makeNode(RangeVar);
    item->var->relname = strVal(llast(t->names));
    if (list_length(t->names) == 2)
        item->var->schemaname = strVal(linitial(t->names));
    return gh_relation_lookup(j, item) && item->decision != NULL &&
           (item->decision->privileges & GH_SELECT) != 0 &&
           item->decision->column_count == item->relation->column_count;
}

/* Sorted as its type is: a definition has no place for another collation. */
static bool has_plain_order(const gh_column *c)
{
    return c->collation == 0 || c->collation == 100 || c->collation == 950; /* default, C */
}

/* "id int, note text"; NULL where a column sorts in its own way, for which there is no place. */
static const char *definitions(const gh_judge *j, const gh_item *item)
{
    bool is_plain = true;
    gh_buf out;

    gh_buf_init(&out, 0);
    for (uint16_t i = 0; i < item->relation->column_count; i++) {
        const gh_column *c = &item->relation->columns[i];

        if (item->decision->columns[i].show == GH_HIDDEN)
            continue;
        is_plain = is_plain && has_plain_order(c);
        gh_buf_printf(&out, "%s%s " GH_STR_FMT, out.len == 0 ? "" : ", ",
                      gh_judge_ident(j, c->name), GH_STR_ARG(c->type_sql));
    }
    if (is_plain)
        return gh_judge_take(&out);
    gh_buf_fini(&out);
    return NULL;
}

/* A column of the row that a call makes, as a value of its own. */
static void put_field(const gh_judge *j, const gh_column *c, const char *own, gh_str value,
                      gh_buf *out)
{
    const char *name = gh_judge_ident(j, c->name);

    gh_buf_printf(
        out,
        "%s(SELECT \"gh\".%s FROM pg_catalog.%s(" GH_STR_FMT ") AS \"gh\" (%s " GH_STR_FMT "))",
        out->len == 0 ? "" : ", ", name, own, GH_STR_ARG(value), name, GH_STR_ARG(c->type_sql));
}

/* The token behind the comma that ends the first argument. */
static size_t second_argument(const gh_judge *j, size_t open)
{
    size_t close = gh_sql_token_closing(j->text, open);

    for (size_t i = open + 1; close != SIZE_MAX && i < close; i++) {
        if (is_self(j, i, ','))
            return i + 1;
        if (is_self(j, i, '(') || is_self(j, i, '['))
            i = gh_sql_token_closing(j->text, i);
        if (i == SIZE_MAX)
            break;
    }
    return SIZE_MAX;
}

bool gh_row_tell_populate(gh_judge *j, const RangeFunction *f, List *pair)
{
    const FuncCall *call = linitial(pair);
    const char *own = may_tell(j) ? counterpart(j, call) : NULL;
    gh_item item = { 0 };
    const char *columns;
    size_t first;
    size_t second;
    size_t close;

    if (own == NULL || lsecond(pair) != NULL || f->coldeflist != NIL ||
        !find_relation(j, linitial(call->args), &item))
        return false;
    columns = definitions(j, &item);
    first = gh_judge_token(j, call->location);
    if (columns == NULL || columns[0] == '\0' || first == SIZE_MAX)
        return false;
    second = second_argument(j, first + 2 * (size_t)list_length(call->funcname) - 1);
    close = gh_sql_token_closing(j->text, first + 2 * (size_t)list_length(call->funcname) - 1);
    if (second == SIZE_MAX)
        return false;
    gh_join_on_tell(j, first, second,
                    gh_judge_printf("%spg_catalog.%s(", f->is_rowsfrom ? "" : "ROWS FROM (", own));
    gh_join_on_tell(j, close, close + 1,
                    gh_judge_printf(") AS (%s)%s", columns, f->is_rowsfrom ? "" : ")"));
    if (!f->is_rowsfrom && f->alias == NULL)
        gh_join_on_tell(j, close + 1 + (f->ordinality ? 2u : 0u),
                        close + 1 + (f->ordinality ? 2u : 0u),
                        gh_judge_printf(" AS %s", strVal(llast(call->funcname))));
    gh_judge_expr(j, (Node **)&lsecond(call->args));
    linitial(pair) = gh_judge_parse_expr(j, gh_judge_printf("pg_catalog.%s(NULL)", own));
    lsecond(pair) = ((const RangeFunction *)gh_judge_parse_item(
                         j, gh_judge_printf("pg_catalog.%s(NULL) AS x (%s)", own, columns)))
                        ->coldeflist;
    return true;
}

/* What the call is given, as the client wrote it. */
static bool take_value(gh_judge *j, size_t first, size_t end, gh_buf *out)
{
    ListCell *cell;

    foreach (cell, j->retold) {
        const gh_edit *e = lfirst(cell);

        if (e->first < end && e->end >= first) /* it is told anew itself */
            return false;
    }
    return gh_sql_emit(j->text, first, end, NULL, 0, false, out, NULL, j->err) == GH_OK;
}

/* The columns that are read of the row; false: they are not told. */
static bool put_fields(gh_judge *j, const A_Indirection *a, const gh_item *item, const char *own,
                       gh_str value, gh_buf *out)
{
    const Node *part = linitial(a->indirection);
    size_t count = IsA(part, A_Star) ? item->relation->column_count : 1;

    if (!gh_judge_may_add(j, count * (value.len + 128)))
        return false;
    for (uint16_t i = 0; i < item->relation->column_count; i++) {
        const gh_column *c = &item->relation->columns[i];

        if (item->decision->columns[i].show == GH_HIDDEN ||
            (IsA(part, String) && !gh_str_is(c->name, strVal(part))))
            continue;
        if (!has_plain_order(c))
            return false;
        put_field(j, c, own, value, out);
    }
    return out->len > 0;
}

bool gh_row_tell_made(gh_judge *j, A_Indirection *a)
{
    FuncCall *call = (FuncCall *)a->arg;
    const char *own = may_tell(j) && IsA(call, FuncCall) ? counterpart(j, call) : NULL;
    const ResTarget *t = j->naming;
    gh_item item = { 0 };
    gh_buf value;
    gh_buf out;
    size_t open;
    size_t second;
    size_t close;
    bool is_told;

    if (own == NULL || strstr(own, "set") != NULL || list_length(a->indirection) != 1 ||
        !(IsA(linitial(a->indirection), String) ||
          (IsA(linitial(a->indirection), A_Star) && t != NULL && t->val == (const Node *)a)) ||
        !find_relation(j, linitial(call->args), &item))
        return false;
    open = gh_judge_token(j, call->location);
    if (open == SIZE_MAX)
        return false;
    second = second_argument(j, open + 2 * (size_t)list_length(call->funcname) - 1);
    close = gh_sql_token_closing(j->text, open + 2 * (size_t)list_length(call->funcname) - 1);
    if (second == SIZE_MAX || open == 0 || !is_self(j, open - 1, '(') ||
        !is_self(j, close + 1, ')') || !is_self(j, close + 2, '.'))
        return false;
    gh_judge_expr(j, (Node **)&lsecond(call->args));
    gh_buf_init(&value, GH_SQL_BYTES_MAX);
    gh_buf_init(&out, 0);
    is_told = j->rc == GH_OK && take_value(j, second, close, &value) &&
              put_fields(j, a, &item, own, gh_buf_str(&value), &out);
    if (is_told)
        gh_join_on_tell(j, open - 1, close + 4, gh_judge_cstr(gh_buf_str(&out)));
    gh_buf_fini(&value);
    gh_buf_fini(&out);
    return is_told || j->rc != GH_OK;
}
