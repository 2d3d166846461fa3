/*
 * Constructs that compare by the name of an operator and have no place for its schema. PostgreSQL compares arrays by
 * what their elements' type is sorted by, and that needs no name; of one element each, they stand for the values:
 *
 *     a IS DISTINCT FROM b      ─▶  CAST(ARRAY[a] AS s.t[]) IS DISTINCT FROM CAST(ARRAY[b] AS s.t[])
 *     NULLIF(a, b)              ─▶  (NULLIF(CAST(ARRAY[a] AS s.t[]), CAST(ARRAY[b] AS s.t[])))[1]
 *     a BETWEEN b AND c         ─▶  ...where an array of NULL counts as NULL:
 *     CASE a WHEN b THEN        ─▶  CASE NULLIF(CAST(ARRAY[a] AS s.t[]), '{NULL}') WHEN CAST(ARRAY[b] AS s.t[]) THEN
 *     (a, x) = (b, y)           ─▶  (NULLIF(CAST(ARRAY[a] AS s.t[]), '{NULL}'), x) = (NULLIF(...), y)
 *
 * Each operand stands once, so it is computed once. It is done where an extension's operator over twice the one type is
 * meant everywhere; where several are, or the text does not show where an operand ends, the construct is refused.
 *
 *     a LIKE b ESCAPE c         ─▶  a OPERATOR(s.~~) pg_catalog.like_escape(b, c)
 *     a SIMILAR TO b            ─▶  a OPERATOR(s.~) pg_catalog.similar_to_escape(b)
 */
#include "overload.h"

/* What is put around an operand. */
typedef struct gh_wrapping {
    const gh_operator *by; /* NULL: nothing */
    const gh_type *type;
    bool drops_null;
    const char *open;
    const char *close;
} gh_wrapping;

static char *array_name(gh_judge *j, const gh_type *t)
{
    return gh_judge_printf("%s.%s[]", gh_judge_ident(j, t->schema), gh_judge_ident(j, t->name));
}

/* False: arrays do not compare as the operator does. */
static bool make_wrap(gh_judge *j, const gh_operator *o, bool drops_null, gh_wrapping *w)
{
    const gh_type *t = gh_catalog_type_by_oid(j->in->catalog, o->left);
    char *name;

    if (t == NULL || t->array == 0 || o->left != o->right || !o->is_trusted)
        return false;
    name = array_name(j, t);
    *w = (gh_wrapping){ .by = o, .type = t, .drops_null = drops_null };
    w->open = drops_null ? "NULLIF(CAST(ARRAY[" : "CAST(ARRAY[";
    w->close = drops_null ? gh_judge_printf("] AS %s), CAST('{NULL}' AS %s))", name, name)
                          : gh_judge_printf("] AS %s)", name);
    return true;
}

static Node *cast_to_array(const gh_wrapping *w, Node *n)
{
    TypeCast *cast = makeNode(TypeCast);

    cast->arg = n;
    cast->typeName = makeNode(TypeName);
    cast->typeName->names = list_make2(makeString(gh_judge_cstr(w->type->schema)),
                                       makeString(gh_judge_cstr(w->type->name)));
    cast->typeName->typemod = -1;
    cast->typeName->arrayBounds = list_make1(makeInteger(-1));
    cast->location = -1;
    return (Node *)cast;
}

static Node *array_of(const gh_wrapping *w, Node *n)
{
    A_ArrayExpr *array = makeNode(A_ArrayExpr);

    array->elements = list_make1(n);
    array->location = -1;
    return cast_to_array(w, (Node *)array);
}

static void wrap(const gh_wrapping *w, Node **slot)
{
    A_Const *null = makeNode(A_Const);
    A_Expr *nullif = makeNode(A_Expr);

    *slot = array_of(w, *slot);
    if (!w->drops_null)
        return;
    null->val.sval.type = T_String;
    null->val.sval.sval = pstrdup("{NULL}");
    null->location = -1;
    nullif->kind = AEXPR_NULLIF;
    nullif->name = list_make1(makeString(pstrdup("=")));
    nullif->lexpr = *slot;
    nullif->rexpr = cast_to_array(w, (Node *)null);
    nullif->location = -1;
    *slot = (Node *)nullif;
}

/* The end of an operand that begins at a token, its brackets with it. */
static size_t end_from(const gh_judge *j, const Node *n, size_t first)
{
    size_t end = first < j->text->token_count ? gh_operator_operand_end(j, n, 0) : SIZE_MAX;

    for (size_t i = first; end != SIZE_MAX && gh_operator_is_word(j, i, "(") &&
                           gh_sql_token_closing(j->text, i) >= end;
         i++)
        end = end < gh_operator_closing(j, i) ? gh_operator_closing(j, i) : end;
    return end;
}

/* The first token of a kind at the level of this one, up to the closing bracket; SIZE_MAX: there is none. */
static size_t next_at_level(const gh_judge *j, size_t from, const char *word)
{
    int cases = 0;

    for (size_t i = from; i < j->text->token_count; i++) {
        if (cases == 0 && gh_operator_is_word(j, i, word))
            return i;
        if (gh_operator_is_word(j, i, ")") || gh_operator_is_word(j, i, "]"))
            return SIZE_MAX;
        if (gh_operator_is_word(j, i, "(") || gh_operator_is_word(j, i, "["))
            i = gh_sql_token_closing(j->text, i);
        else if (gh_operator_is_word(j, i, "case"))
            cases++;
        else if (gh_operator_is_word(j, i, "end"))
            cases--;
        if (i == SIZE_MAX)
            return SIZE_MAX;
    }
    return SIZE_MAX;
}

/* One operator for several comparisons: the first decides. False: they differ. */
static bool joins(const gh_operator **all, const gh_operator *o, bool is_first)
{
    if (is_first)
        *all = o;
    return (*all == NULL) == (o == NULL) &&
           (o == NULL || (o->left == (*all)->left && o->right == (*all)->right));
}

/* ---- two operands ------------------------------------------------------------------------------------ */

void gh_operator_bind_distinct(gh_judge *j, A_Expr *e)
{
    const gh_operator *o =
        gh_operator_meant_by(j, strVal(llast(e->name)), e->lexpr, e->rexpr, e->location, true);
    bool is_not = e->kind == AEXPR_NOT_DISTINCT;
    size_t token;
    size_t first;
    size_t end;
    gh_wrapping w;

    if (o == NULL)
        return;
    token = gh_judge_token(j, e->location);
    first = token == SIZE_MAX ? SIZE_MAX : gh_function_operand_start(j, e->lexpr, token);
    end = token == SIZE_MAX ? SIZE_MAX : end_from(j, e->rexpr, token + (is_not ? 4 : 3));
    if (first == SIZE_MAX || end == SIZE_MAX || !make_wrap(j, o, false, &w)) {
        gh_operator_refuse(j, o, e->location, "IS DISTINCT FROM", "it with the operator");
        return;
    }
    gh_judge_edit_around(j, first, end, w.open, w.close);
    gh_judge_edit(
        j, token, token + (is_not ? 4 : 3),
        gh_judge_printf("%s IS %sDISTINCT FROM %s", w.close, is_not ? "NOT " : "", w.open));
    wrap(&w, &e->lexpr);
    wrap(&w, &e->rexpr);
    j->asks_statistics = true;
}

void gh_operator_bind_nullif(gh_judge *j, Node **slot)
{
    A_Expr *e = (A_Expr *)*slot;
    const gh_operator *o =
        gh_operator_meant_by(j, strVal(llast(e->name)), e->lexpr, e->rexpr, e->location, true);
    A_Indices *one = makeNode(A_Indices);
    A_Indirection *part = makeNode(A_Indirection);
    A_Const *number = makeNode(A_Const);
    size_t token;
    size_t comma;
    size_t end;
    gh_wrapping w;

    if (o == NULL)
        return;
    token = gh_judge_token(j, e->location);
    comma = token == SIZE_MAX ? SIZE_MAX : next_at_level(j, token + 2, ",");
    end = token == SIZE_MAX ? SIZE_MAX : gh_sql_token_closing(j->text, token + 1);
    if (comma == SIZE_MAX || end == SIZE_MAX || !make_wrap(j, o, false, &w)) {
        gh_operator_refuse(j, o, e->location, "NULLIF", "it with the operator");
        return;
    }
    gh_judge_edit(j, token, token + 2, gh_judge_printf("(NULLIF(%s", w.open));
    gh_judge_edit(j, comma, comma + 1, gh_judge_printf("%s, %s", w.close, w.open));
    gh_judge_edit(j, end, end + 1, gh_judge_printf("%s))[1]", w.close));
    wrap(&w, &e->lexpr);
    wrap(&w, &e->rexpr);
    number->val.ival.type = T_Integer;
    number->val.ival.ival = 1;
    number->location = -1;
    one->uidx = (Node *)number;
    part->arg = (Node *)e;
    part->indirection = list_make1(one);
    *slot = (Node *)part;
    j->asks_statistics = true;
}

/* ---- several operands -------------------------------------------------------------------------------- */

static const gh_operator *meant_between(gh_judge *j, const A_Expr *e, bool *is_one)
{
    static const char *const names[] = { ">=", "<=", ">", "<" };
    const gh_operator *found = NULL;
    const gh_operator *all = NULL;
    bool is_first = true;
    ListCell *cell;

    *is_one = true;
    foreach (cell, (List *)e->rexpr) {
        for (size_t i = 0; i < GH_COUNT(names) && j->rc == GH_OK; i++) {
            const gh_operator *o =
                gh_operator_meant_by(j, names[i], e->lexpr, lfirst(cell), e->location, true);

            *is_one = joins(&all, o, is_first) && *is_one;
            is_first = false;
            found = o != NULL ? o : found;
        }
    }
    return found;
}

void gh_operator_bind_between(gh_judge *j, A_Expr *e)
{
    bool is_one;
    const gh_operator *o = meant_between(j, e, &is_one);
    List *bounds = (List *)e->rexpr;
    bool is_not = e->kind == AEXPR_NOT_BETWEEN || e->kind == AEXPR_NOT_BETWEEN_SYM;
    bool is_symmetric = e->kind == AEXPR_BETWEEN_SYM || e->kind == AEXPR_NOT_BETWEEN_SYM;
    size_t token;
    size_t first;
    size_t low;
    size_t mid;
    size_t end;
    gh_wrapping w;

    if (o == NULL || j->rc != GH_OK)
        return;
    token = gh_judge_token(j, e->location);
    first = token == SIZE_MAX ? SIZE_MAX : gh_function_operand_start(j, e->lexpr, token);
    low = token + (is_not ? 2 : 1);
    low += low < j->text->token_count &&
           (gh_operator_is_word(j, low, "symmetric") || gh_operator_is_word(j, low, "asymmetric"));
    mid = token == SIZE_MAX ? SIZE_MAX : next_at_level(j, low, "and");
    end = mid == SIZE_MAX ? SIZE_MAX : end_from(j, llast(bounds), mid + 1);
    if (first == SIZE_MAX || end == SIZE_MAX || !is_one || !make_wrap(j, o, true, &w)) {
        gh_operator_refuse(j, o, e->location, "BETWEEN", ">= and <=");
        return;
    }
    gh_judge_edit_around(j, first, end, w.open, w.close);
    gh_judge_edit(j, token, low,
                  gh_judge_printf("%s %sBETWEEN %s%s", w.close, is_not ? "NOT " : "",
                                  is_symmetric ? "SYMMETRIC " : "", w.open));
    gh_judge_edit(j, mid, mid + 1, gh_judge_printf("%s AND %s", w.close, w.open));
    wrap(&w, &e->lexpr);
    wrap(&w, (Node **)&linitial(bounds));
    wrap(&w, (Node **)&lsecond(bounds));
    j->asks_statistics = true;
}

/* PostgreSQL makes a literal behind CASE a text. */
static const gh_operator *meant_by_case(gh_judge *j, const CaseExpr *c, bool *is_one)
{
    bool is_text = gh_infer_type(j, (const Node *)c->arg) == GH_OID_UNKNOWN;
    gh_candidates named = gh_operator_candidates(j, "=", false, true);
    const gh_operator *found = NULL;
    const gh_operator *all = NULL;
    ListCell *cell;

    *is_one = !is_text;
    if (named.count == 0)
        return NULL;
    foreach (cell, c->args) {
        Node *value = (Node *)lfirst_node(CaseWhen, cell)->expr;
        gh_oid types[2] = { GH_OID_TEXT, is_text ? gh_infer_type(j, value) : 0 };
        const gh_operator *o =
            is_text ? gh_operator_meant(j, named, types, 2, "=", c->location)
                    : gh_operator_meant_by(j, "=", (Node *)c->arg, value, c->location, true);

        *is_one = joins(&all, o, foreach_current_index(cell) == 0) && *is_one;
        found = o != NULL ? o : found;
    }
    return found;
}

void gh_operator_bind_case(gh_judge *j, CaseExpr *c)
{
    bool is_one;
    const gh_operator *o = c->arg != NULL ? meant_by_case(j, c, &is_one) : NULL;
    size_t at;
    gh_wrapping once;
    gh_wrapping w;
    ListCell *cell;

    if (o == NULL || j->rc != GH_OK)
        return;
    at = gh_judge_token(j, c->location);
    if (at == SIZE_MAX || !is_one || !make_wrap(j, o, true, &once) || !make_wrap(j, o, false, &w)) {
        gh_operator_refuse(j, o, c->location, "CASE x WHEN", "CASE WHEN x = ...");
        return;
    }
    gh_judge_edit(j, at, at + 1, gh_judge_printf("CASE %s", once.open));
    foreach (cell, c->args) {
        size_t when = at == SIZE_MAX ? at : next_at_level(j, at + 1, "when");
        bool is_first = foreach_current_index(cell) == 0;

        at = when == SIZE_MAX ? when : next_at_level(j, when + 1, "then");
        gh_judge_edit(j, when, when == SIZE_MAX ? when : when + 1,
                      gh_judge_printf("%s WHEN %s", is_first ? once.close : "", w.open));
        gh_judge_edit(j, at, at == SIZE_MAX ? at : at + 1, gh_judge_printf("%s THEN", w.close));
        wrap(&w, (Node **)&lfirst_node(CaseWhen, cell)->expr);
    }
    wrap(&once, (Node **)&c->arg);
    j->asks_statistics = true;
}

/* ---- rows -------------------------------------------------------------------------------------------- */

/* ROW(a, b) or (a, b): what stands between the items gets what is around them. */
static void wrap_row(gh_judge *j, RowExpr *row, const gh_wrapping *wraps)
{
    int count = list_length(row->args);
    size_t at = gh_judge_token(j, row->location);

    if (at != SIZE_MAX && gh_operator_is_word(j, at, "row"))
        at++;
    for (int i = 0; i <= count && j->rc == GH_OK; i++) {
        bool is_behind = i > 0 && wraps[i - 1].by != NULL;
        bool is_before = i < count && wraps[i].by != NULL;

        if (i > 0)
            at = i < count ? next_at_level(j, at + 1, ",") : next_at_level(j, at + 1, ")");
        if (is_behind || is_before)
            gh_judge_edit(j, at, at == SIZE_MAX ? at : at + 1,
                          gh_judge_printf("%s%s%s", is_behind ? wraps[i - 1].close : "",
                                          i == 0       ? "("
                                          : i == count ? ")"
                                                       : ", ",
                                          is_before ? wraps[i].open : ""));
        if (is_before)
            wrap(&wraps[i], (Node **)&lfirst(list_nth_cell(row->args, i)));
    }
}

/* What each pair is compared by in all the rows; false: that cannot be written. */
static bool wraps_of(gh_judge *j, const A_Expr *e, const List *rights, gh_wrapping *wraps)
{
    const List *left = ((const RowExpr *)e->lexpr)->args;
    bool drops_null = e->kind != AEXPR_DISTINCT && e->kind != AEXPR_NOT_DISTINCT;
    ListCell *cell;

    for (int i = 0; i < list_length(left); i++) {
        const gh_operator *all = NULL;

        foreach (cell, rights) {
            const RowExpr *right = lfirst(cell);
            const gh_operator *o;

            if (!IsA(right, RowExpr) || list_length(right->args) != list_length(left))
                return false;
            o = gh_operator_meant_by(j, strVal(llast(e->name)), list_nth(left, i),
                                     list_nth(right->args, i), e->location, true);
            if (!joins(&all, o, foreach_current_index(cell) == 0))
                return false;
        }
        if (all != NULL && !make_wrap(j, all, drops_null, &wraps[i]))
            return false;
    }
    return true;
}

void gh_operator_bind_rows(gh_judge *j, A_Expr *e)
{
    const char *name = strVal(llast(e->name));
    const gh_operator *o = NULL;
    List *rights = e->kind == AEXPR_IN ? (List *)e->rexpr : list_make1(e->rexpr);
    gh_wrapping *wraps;
    ListCell *cell;

    if (e->kind != AEXPR_IN && e->kind != AEXPR_OP && e->kind != AEXPR_DISTINCT &&
        e->kind != AEXPR_NOT_DISTINCT)
        return;
    if (e->kind == AEXPR_OP && e->rexpr != NULL && IsA(e->rexpr, SubLink) &&
        ((const SubLink *)e->rexpr)->subLinkType == EXPR_SUBLINK) {
        gh_operator_bind_row_query(j, (RowExpr *)e->lexpr, (SubLink *)e->rexpr, name);
        return;
    }
    foreach (cell, rights)
        o = o != NULL ? o : gh_operator_meant_by_rows(j, name, e->lexpr, lfirst(cell), e->location);
    if (o == NULL || j->rc != GH_OK)
        return;
    wraps = palloc0(((size_t)list_length(((RowExpr *)e->lexpr)->args) + 1) * sizeof(wraps[0]));
    if (!wraps_of(j, e, rights, wraps)) {
        gh_operator_refuse(j, o, e->location, "comparing rows", "each comparison");
        return;
    }
    wrap_row(j, (RowExpr *)e->lexpr, wraps);
    foreach (cell, rights)
        wrap_row(j, lfirst(cell), wraps);
    j->asks_statistics = true;
}

/* ---- a row and a query ------------------------------------------------------------------------------- */

/* "NULLIF(CAST(ARRAY[gh.c1] AS ...), ...), gh.c2 ..." and "c1, c2 ..."; false: it cannot be written. */
static bool columns_of_query(gh_judge *j, const SubLink *s, const RowExpr *row, const char *name,
                             gh_wrapping *wraps, List **values, List **names)
{
    gh_candidates all = gh_operator_candidates(j, name, false, true);
    const gh_operator *any = NULL;
    ListCell *cell;

    *values = NIL;
    *names = NIL;
    foreach (cell, row->args) {
        int i = foreach_current_index(cell);
        gh_oid types[2] = { gh_infer_type(j, lfirst(cell)),
                            gh_infer_settled(gh_infer_output(j, s->subselect, i)) };
        const gh_operator *o = gh_operator_meant(j, all, types, 2, name, s->location);

        if (o != NULL && !make_wrap(j, o, true, &wraps[i])) {
            gh_operator_refuse(j, o, s->location, "comparing rows", "EXISTS");
            return false;
        }
        any = any != NULL ? any : o;
        *values = lappend(*values, gh_judge_printf("%sgh.c%d%s", o != NULL ? wraps[i].open : "", i,
                                                   o != NULL ? wraps[i].close : ""));
        *names = lappend(*names, gh_judge_printf("c%d", i));
    }
    return any != NULL && j->rc == GH_OK;
}

/*
 *     (a, b) IN (SELECT x, y ...)
 *     ─▶  (NULLIF(ARRAY[a], ...), b) IN (SELECT NULLIF(ARRAY[gh.c0], ...), gh.c1 FROM (SELECT x, y ...) AS gh (c0, c1))
 */
void gh_operator_bind_row_query(gh_judge *j, RowExpr *row, SubLink *s, const char *name)
{
    gh_wrapping *wraps = palloc0(((size_t)list_length(row->args) + 1) * sizeof(wraps[0]));
    size_t open = gh_judge_token(j, s->location);
    size_t close;
    List *all_values;
    List *all_names;
    const char *values;
    const char *names;
    SelectStmt *around;

    if (!columns_of_query(j, s, row, name, wraps, &all_values, &all_names) || open == SIZE_MAX)
        return;
    values = gh_judge_join(all_values, ", ");
    names = gh_judge_join(all_names, ", ");
    if (gh_operator_is_word(j, open, "operator")) /* (schema.name) */
        open = gh_sql_token_closing(j->text, open + 1) + 1;
    while (open < j->end && !gh_operator_is_word(j, open, "("))
        open++;
    close = open < j->end ? gh_sql_token_closing(j->text, open) : SIZE_MAX;
    gh_judge_edit(j, open, open + 1, gh_judge_printf("(SELECT %s FROM (", values));
    gh_judge_edit(j, close, close == SIZE_MAX ? close : close + 1,
                  gh_judge_printf(") AS gh (%s))", names));
    wrap_row(j, row, wraps);
    around = (SelectStmt *)((SubLink *)gh_judge_parse_expr(
                                j, gh_judge_printf("(SELECT %s FROM (SELECT) AS gh (%s))", values,
                                                   names)))
                 ->subselect;
    linitial_node(RangeSubselect, around->fromClause)->subquery = s->subselect;
    s->subselect = (Node *)around;
    j->asks_statistics = true;
}

/* ---- patterns ---------------------------------------------------------------------------------------- */

bool gh_operator_escape(gh_judge *j, const gh_operator *o, A_Expr *e, size_t end)
{
    const FuncCall *f = (const FuncCall *)e->rexpr;
    bool has_escape = list_length(f->args) == 2;
    size_t pattern = end_from(j, linitial(f->args), end);
    size_t last = pattern;

    if (has_escape)
        last = pattern == SIZE_MAX || !gh_operator_is_word(j, pattern, "escape")
                   ? SIZE_MAX
                   : end_from(j, lsecond(f->args), pattern + 1);
    if (last == SIZE_MAX)
        return false;
    gh_judge_edit(j, gh_judge_token(j, e->location), end,
                  gh_judge_printf("OPERATOR(%s." GH_STR_FMT ") pg_catalog.%s(",
                                  gh_judge_ident(j, o->schema), GH_STR_ARG(o->name),
                                  strVal(llast(f->funcname))));
    if (has_escape)
        gh_judge_edit(j, pattern, pattern + 1, ",");
    gh_judge_edit(j, last, last, ")");
    e->kind = AEXPR_OP;
    e->name = gh_operator_qualified(o);
    j->asks_statistics = true;
    return true;
}
