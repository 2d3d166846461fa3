/*
 * Operators. Upstream a name without a schema is one of pg_catalog's alone. Where the client's search_path holds an
 * operator of that name elsewhere, what PostgreSQL would take is worked out (overload.c), and if it is that one it is
 * written with its schema:
 *
 *     email = 'A'             ─▶  email OPERATOR("public".=) 'A'
 *     email LIKE 'a%'         ─▶  email OPERATOR("public".~~) 'a%'
 *     email IN ('A', 'B')     ─▶  email OPERATOR("public".=) ANY (CAST(ARRAY['A', 'B'] AS "public"."citext"[]))
 *     email NOT IN (SELECT…)  ─▶  email OPERATOR("public".<>) ALL (SELECT…)
 *
 * What has no such spelling (BETWEEN, IS DISTINCT FROM, NULLIF, CASE x WHEN, rows) is written over arrays (operator_wrap.c),
 * USING and NATURAL with ON (operator_join.c). What depends on a type that is not known here is refused: another answer
 * than PostgreSQL's is never given for it.
 *
 * SECURITY: an operator runs a function. Those of extensions are trusted if they are not volatile, as PostgreSQL's own
 * are; any other stands for its function, which the policy's `functions` must allow. One that is neither is not there,
 * unless it is over a type that the user can see. Nothing outside pg_catalog counts as safe without the fence.
 * Attack: tests/attack code-behind-names.
 */
#include "overload.h"

static bool is_allowed(const gh_judge *j, const gh_operator *o)
{
    const gh_function *f = gh_catalog_function_by_oid(j->in->catalog, o->function);

    if (f == NULL)
        return false;
    return (o->is_trusted && f->volatility != 'v' && !f->is_security_definer) ||
           gh_view_allows_function(j->in->view, f->schema, f->name);
}

bool gh_operator_is_seen(gh_judge *j, gh_oid type)
{
    const gh_type *t = gh_catalog_type_by_oid(j->in->catalog, type);

    return type >= GH_OID_MADE_MIN && t != NULL && gh_type_is_visible(j, t);
}

gh_candidates gh_operator_known(gh_judge *j, gh_candidates all)
{
    int kept = 0;

    for (int i = 0; i < all.count; i++) {
        const gh_operator *o = all.items[i].what;

        if (all.items[i].rank == 0 || is_allowed(j, o) || gh_operator_is_seen(j, o->left) ||
            gh_operator_is_seen(j, o->right))
            all.items[kept++] = all.items[i];
    }
    all.count = kept;
    return all;
}

/*
 * Of a view PostgreSQL prints what has a name with its schema, and what has no place for one as it found it, along the
 * path of who made the view. That is not known, so wherever an operator is that the types ask for, it is the one.
 */
gh_candidates gh_operator_candidates(gh_judge *j, const char *name, bool is_prefix,
                                     bool is_nameless)
{
    gh_candidates all;

    j->is_nameless = is_nameless && j->view_depth > 0;
    all = gh_overload_operators(j, gh_str_of(name), is_prefix);
    if (!j->is_nameless && all.count > 0)
        all = gh_operator_known(j, all);
    j->is_nameless = false;
    return all;
}

void gh_operator_judge_name(gh_judge *j, const List *name, int location)
{
    gh_str schema;
    size_t count;
    const gh_operator *const *all;
    bool is_any = false;
    bool passes = true;

    if (list_length(name) <= 1)
        return;
    schema = gh_str_of(strVal(linitial(name)));
    if (list_length(name) == 2 && gh_str_is(schema, "pg_catalog"))
        return;
    all = gh_catalog_operators(j->in->catalog, gh_str_of(strVal(llast(name))), &count);
    for (size_t i = 0; list_length(name) == 2 && i < count; i++) {
        if (!gh_str_eq(all[i]->schema, schema))
            continue;
        is_any = true;
        passes = passes && is_allowed(j, all[i]);
    }
    j->asks_statistics = true;
    if (!is_any || !passes)
        gh_judge_refuse(j, GH_DENIED, "42883", location, "operator does not exist: %s",
                        strVal(llast(name)));
}

/* ---- what is meant --------------------------------------------------------------------------- */

const char *gh_operator_type_name(const gh_judge *j, gh_oid oid)
{
    const gh_type *t = gh_catalog_type_by_oid(j->in->catalog, oid);

    return t != NULL ? gh_judge_cstr(t->name) : "?";
}

const gh_operator *gh_operator_meant(gh_judge *j, gh_candidates all, const gh_oid *types, int count,
                                     const char *name, int location)
{
    const gh_candidate *found;
    const gh_operator *o;

    switch (gh_overload_select(j, all, types, count, &found)) {
    case GH_OVERLOAD_NONE:
        return NULL;
    case GH_OVERLOAD_OPEN:
        gh_judge_refuse(j, GH_DENIED, "42501", location,
                        "operator %s is not allowed over an operand of unknown type: cast it",
                        name);
        return NULL;
    case GH_OVERLOAD_FOUND:
        break;
    }
    if (found->rank == 0)
        return NULL;
    o = found->what;
    if (!is_allowed(j, o)) {
        gh_judge_refuse(j, GH_DENIED, "42501", location, "operator %s is not allowed over type %s",
                        name, gh_operator_type_name(j, o->right));
        return NULL;
    }
    return o;
}

static void refuse_absent(gh_judge *j, gh_candidates all, const gh_oid *types, Node *left,
                          Node *right)
{
    const gh_candidate *found;
    bool is_known = types[0] != 0 && (left == NULL || types[1] != 0);

    /* ORDER BY has one for both, which may be the name of an output. */
    if (is_known || left == right ||
        gh_overload_select(j, all, types, left != NULL ? 2 : 1, &found) != GH_OVERLOAD_OPEN)
        return;
    gh_absent_refuse(j, left);
    gh_absent_refuse(j, right);
}

const gh_operator *gh_operator_meant_by(gh_judge *j, const char *name, Node *left, Node *right,
                                        int location, bool is_nameless)
{
    gh_candidates all = gh_operator_candidates(j, name, left == NULL, is_nameless);
    gh_oid types[2];

    if (all.count == 0 || j->rc != GH_OK)
        return NULL;
    types[0] = gh_infer_type(j, left != NULL ? left : right);
    types[1] = left != NULL ? gh_infer_type(j, right) : 0;
    refuse_absent(j, all, types, left, right);
    return j->rc != GH_OK ? NULL
                          : gh_operator_meant(j, all, types, left != NULL ? 2 : 1, name, location);
}

void gh_operator_refuse(gh_judge *j, const gh_operator *o, int location, const char *construct,
                        const char *instead)
{
    gh_judge_refuse(j, GH_DENIED, "42501", location, "%s over type %s is not allowed: write %s",
                    construct, gh_operator_type_name(j, o->left), instead);
}

/* PostgreSQL binds OPERATOR(...) tighter than it binds = and LIKE: a right operand that is an operation itself
 * gets brackets. */
static void put_operator(gh_judge *j, const gh_operator *o, const A_Expr *e, size_t first,
                         size_t end)
{
    char *text = gh_judge_printf("OPERATOR(%s." GH_STR_FMT ")", gh_judge_ident(j, o->schema),
                                 GH_STR_ARG(o->name));
    bool is_loose = e->kind != AEXPR_OP || strspn(strVal(llast(e->name)), "<>=") > 0;
    size_t after;

    if (is_loose && e->rexpr != NULL && IsA(e->rexpr, A_Expr) && e->kind != AEXPR_OP_ANY &&
        e->kind != AEXPR_OP_ALL &&
        !(gh_operator_is_word(j, end, "(") && gh_operator_closing(j, end) == j->end)) {
        after = gh_operator_operand_end(j, e->rexpr, 0);
        if (after == SIZE_MAX) {
            gh_judge_refuse(j, GH_DENIED, "42501", e->location,
                            "operator %s over type %s is not allowed here: put its right side "
                            "into a WITH query",
                            strVal(llast(e->name)), gh_operator_type_name(j, o->right));
            return;
        }
        text = gh_judge_printf("%s (", text);
        gh_judge_edit(j, after, after, ")");
    }
    gh_judge_edit(j, first, end, text);
}

List *gh_operator_qualified(const gh_operator *o)
{
    return list_make2(makeString(gh_judge_cstr(o->schema)), makeString(gh_judge_cstr(o->name)));
}

/* Operators of arithmetic bind tighter than OPERATOR(...): what stands beside must not. */
static bool stands_alone(gh_judge *j, const A_Expr *e, size_t token)
{
    size_t first = e->lexpr != NULL ? gh_function_operand_start(j, e->lexpr, token) : token;
    size_t after = gh_operator_operand_end(j, e->rexpr, 0);
    const gh_token *t = j->text->tokens;

    if (first == SIZE_MAX || after == SIZE_MAX)
        return false;
    return (first == 0 || t[first - 1].kind != GH_TOKEN_OPERATOR) &&
           (first == 0 || strchr("+-*/%^", t[first - 1].text[0]) == NULL ||
            t[first - 1].kind != GH_TOKEN_SELF) &&
           (after >= j->text->token_count || t[after].kind != GH_TOKEN_SELF ||
            strchr("+-*/%^", t[after].text[0]) == NULL);
}

/* ---- operators by their own name ------------------------------------------------------------- */

static void bind_plain(gh_judge *j, A_Expr *e)
{
    const char *name = strVal(llast(e->name));
    const gh_operator *o = gh_operator_meant_by(j, name, e->lexpr, e->rexpr, e->location, false);
    size_t token;

    if (o == NULL)
        return;
    token = gh_judge_token(j, e->location);
    if (name[1] == '\0' && strchr("+-*/%^", name[0]) != NULL && !stands_alone(j, e, token)) {
        gh_judge_refuse(j, GH_DENIED, "42501", e->location,
                        "operator %s over type %s is not allowed here: put brackets around it",
                        name, gh_operator_type_name(j, o->right));
        return;
    }
    put_operator(j, o, e, token, token + 1);
    e->name = gh_operator_qualified(o);
    j->asks_statistics = true;
}

/* op ANY (array) */
static void bind_array(gh_judge *j, A_Expr *e)
{
    const char *name = strVal(llast(e->name));
    gh_candidates all = gh_overload_operators(j, gh_str_of(name), false);
    const gh_type *array;
    const gh_operator *o;
    gh_oid types[2];
    size_t token;

    if (all.count == 0)
        return;
    all = gh_operator_known(j, all);
    types[0] = gh_infer_type(j, e->lexpr);
    types[1] = gh_infer_type(j, e->rexpr);
    array = gh_catalog_type_by_oid(j->in->catalog, gh_overload_base(j->in->catalog, types[1]));
    if (types[1] != GH_OID_UNKNOWN)
        types[1] = array != NULL && array->category == 'A' ? array->element : 0;
    o = gh_operator_meant(j, all, types, 2, name, e->location);
    if (o == NULL)
        return;
    token = gh_judge_token(j, e->location);
    put_operator(j, o, e, token, token + 1);
    e->name = gh_operator_qualified(o);
    j->asks_statistics = true;
}

/* ---- constructs that stand for operators ----------------------------------------------------- */

/* [NOT] LIKE and ILIKE; the name is the operator's already. */
static void bind_like(gh_judge *j, A_Expr *e)
{
    const char *name = strVal(llast(e->name));
    const gh_operator *o = gh_operator_meant_by(j, name, e->lexpr, e->rexpr, e->location, false);
    size_t token;
    size_t end;

    if (o == NULL)
        return;
    token = gh_judge_token(j, e->location);
    end = token + (gh_operator_is_word(j, token, "not") ? 2 : 1);
    if (IsA(e->rexpr, FuncCall) && ((const FuncCall *)e->rexpr)->location == e->location) {
        if (!gh_operator_escape(j, o, e, end))
            gh_operator_refuse(j, o, e->location, "LIKE ... ESCAPE", "a pattern that needs none");
        return;
    }
    put_operator(j, o, e, token, end);
    e->kind = AEXPR_OP;
    e->name = gh_operator_qualified(o);
    j->asks_statistics = true;
}

static void find_column(struct Node **slot, void *arg)
{
    bool *has_column = arg;

    if (IsA(*slot, ColumnRef) || !gh_sql_children(*slot, find_column, has_column))
        *has_column = true;
}

/*
 * What [NOT] IN (list) compares by. PostgreSQL takes one type for all items without columns, if they are several, as
 * in ARRAY[...], and compares with each other item by itself. *is_one: all by one operator.
 */
static const gh_operator *meant_by_list(gh_judge *j, const A_Expr *e, bool *is_one)
{
    const char *name = strVal(llast(e->name));
    gh_candidates all = gh_operator_known(j, gh_overload_operators(j, gh_str_of(name), false));
    gh_oid left = gh_infer_type(j, e->lexpr);
    gh_oid together = left;
    const gh_operator *first = NULL;
    int number = 0;
    int alone = 0;
    ListCell *cell;

    *is_one = true;
    foreach (cell, (List *)e->rexpr) {
        bool has_column = false;
        gh_oid types[2] = { left, gh_infer_type(j, lfirst(cell)) };
        const gh_operator *o;

        find_column((struct Node **)&lfirst(cell), &has_column);
        if (!has_column && ++alone > 0)
            together = gh_infer_common(j, together, types[1]);
        if (!has_column && list_length((List *)e->rexpr) > 1)
            continue;
        o = gh_operator_meant(j, all, types, 2, name, e->location);
        *is_one = *is_one && (number++ == 0 || o == first);
        first = o;
    }
    if (list_length((List *)e->rexpr) > 1 && alone > 0) {
        gh_oid types[2] = { left, together };
        const gh_operator *o = gh_operator_meant(j, all, types, 2, name, e->location);

        *is_one = *is_one && (number == 0 || o == first);
        first = o != NULL ? o : first;
    }
    return first;
}

static void bind_in_list(gh_judge *j, A_Expr *e)
{
    bool is_in = strcmp(strVal(llast(e->name)), "=") == 0;
    size_t token = gh_judge_token(j, e->location);
    size_t in = token + (is_in ? 0 : 1);
    size_t close;
    bool is_one;
    const gh_operator *o;
    A_ArrayExpr *array;
    TypeCast *cast;
    const gh_type *t;

    if (gh_overload_operators(j, gh_str_of(strVal(llast(e->name))), false).count == 0 ||
        token == SIZE_MAX)
        return;
    o = meant_by_list(j, e, &is_one);
    if (o == NULL && is_one)
        return;
    t = o != NULL ? gh_catalog_type_by_oid(j->in->catalog, o->right) : NULL;
    close = gh_sql_token_closing(j->text, in + 1);
    if (!is_one || t == NULL || t->array == 0 || close == SIZE_MAX) {
        gh_judge_refuse(
            j, GH_DENIED, "42501", e->location,
            "this IN over values of several types is not allowed: write = ... OR = ...");
        return;
    }
    gh_judge_edit(j, token, in + 2,
                  gh_judge_printf("OPERATOR(%s." GH_STR_FMT ") %s (CAST(ARRAY[",
                                  gh_judge_ident(j, o->schema), GH_STR_ARG(o->name),
                                  is_in ? "ANY" : "ALL"));
    gh_judge_edit(j, close, close + 1,
                  gh_judge_printf("] AS %s.%s[]))", gh_judge_ident(j, t->schema),
                                  gh_judge_ident(j, t->name)));
    array = makeNode(A_ArrayExpr);
    array->elements = (List *)e->rexpr;
    cast = makeNode(TypeCast);
    cast->arg = (Node *)array;
    cast->typeName = makeNode(TypeName);
    cast->typeName->names =
        list_make2(makeString(gh_judge_cstr(t->schema)), makeString(gh_judge_cstr(t->name)));
    cast->typeName->typemod = -1;
    cast->typeName->arrayBounds = list_make1(makeInteger(-1));
    e->kind = is_in ? AEXPR_OP_ANY : AEXPR_OP_ALL;
    e->name = gh_operator_qualified(o);
    e->rexpr = (Node *)cast;
    j->asks_statistics = true;
}

const gh_operator *gh_operator_meant_by_rows(gh_judge *j, const char *name, const Node *left,
                                             const Node *right, int location)
{
    const List *rights = IsA(right, RowExpr) ? ((const RowExpr *)right)->args : NIL;
    ListCell *cell;

    foreach (cell, ((const RowExpr *)left)->args) {
        int i = foreach_current_index(cell);
        Node *other = i < list_length(rights) ? list_nth(rights, i) : NULL; /* not known */
        const gh_operator *o = gh_operator_meant_by(j, name, lfirst(cell), other, location, true);

        if (o != NULL)
            return o;
    }
    return NULL;
}

static void bind_similar(gh_judge *j, A_Expr *e)
{
    const gh_operator *o =
        gh_operator_meant_by(j, strVal(llast(e->name)), e->lexpr, e->rexpr, e->location, false);
    size_t token;

    if (o == NULL)
        return;
    token = gh_judge_token(j, e->location);
    if (!gh_operator_escape(j, o, e, token + (gh_operator_is_word(j, token, "not") ? 3 : 2)))
        gh_operator_refuse(j, o, e->location, "SIMILAR TO", "it with the operator");
}

/* In a view the operator of a row has the schema of the first column's, by which the others' are not found. */
static List *unqualified(gh_judge *j, List *name, int location)
{
    size_t token;
    size_t close;

    if (list_length(name) < 2 || j->view_depth == 0)
        return name;
    token = gh_judge_token(j, location);
    close = token == SIZE_MAX ? SIZE_MAX : gh_sql_token_closing(j->text, token + 1);
    gh_judge_edit(j, token, close == SIZE_MAX ? close : close + 1, strVal(llast(name)));
    return list_make1(llast(name));
}

static void bind_a_expr(gh_judge *j, Node **slot)
{
    A_Expr *e = (A_Expr *)*slot;

    if (e->lexpr != NULL && IsA(e->lexpr, RowExpr)) {
        e->name = unqualified(j, e->name, e->location);
        gh_operator_bind_rows(j, e);
        return;
    }
    switch (e->kind) {
    case AEXPR_OP:
        bind_plain(j, e);
        return;
    case AEXPR_OP_ANY:
    case AEXPR_OP_ALL:
        bind_array(j, e);
        return;
    case AEXPR_LIKE:
    case AEXPR_ILIKE:
        bind_like(j, e);
        return;
    case AEXPR_IN:
        bind_in_list(j, e);
        return;
    case AEXPR_DISTINCT:
    case AEXPR_NOT_DISTINCT:
        gh_operator_bind_distinct(j, e);
        return;
    case AEXPR_NULLIF:
        gh_operator_bind_nullif(j, slot);
        return;
    case AEXPR_SIMILAR:
        bind_similar(j, e);
        return;
    case AEXPR_BETWEEN:
    case AEXPR_NOT_BETWEEN:
    case AEXPR_BETWEEN_SYM:
    case AEXPR_NOT_BETWEEN_SYM:
        gh_operator_bind_between(j, e);
        return;
    default:
        return;
    }
}

/* ---- queries as operands --------------------------------------------------------------------- */

/* What `x op ANY (SELECT ...)` compares by, where it is not pg_catalog's. */
static const gh_operator *meant_by_query(gh_judge *j, const SubLink *s, const char *name)
{
    gh_candidates all = gh_overload_operators(j, gh_str_of(name), false);
    SubLink value = *s;
    gh_oid types[2];

    if (all.count == 0)
        return NULL;
    all = gh_operator_known(j, all);
    value.subLinkType = EXPR_SUBLINK;
    types[0] = gh_infer_type(j, s->testexpr);
    types[1] = gh_infer_type(j, (const Node *)&value);
    return gh_operator_meant(j, all, types, 2, name, s->location);
}

static void bind_query(gh_judge *j, SubLink *s, const char *name, SubLinkType type)
{
    const gh_operator *o;
    size_t token;
    size_t end;

    if ((s->subLinkType != ANY_SUBLINK && s->subLinkType != ALL_SUBLINK) || j->rc != GH_OK)
        return;
    if (IsA(s->testexpr, RowExpr))
        s->operName = unqualified(j, s->operName, s->location);
    if (list_length(s->operName) > 1)
        return;
    if (IsA(s->testexpr, RowExpr)) { /* NOT IN stays what it is */
        gh_operator_bind_row_query(j, (RowExpr *)s->testexpr, s, s->operName == NIL ? "=" : name);
        return;
    }
    o = meant_by_query(j, s, name);
    if (o == NULL)
        return;
    token = gh_judge_token(j, s->location);
    end = token + 1;
    if (s->operName == NIL) { /* IN and NOT IN */
        end = gh_operator_is_word(j, token, "not") ? token + 2 : token + 1;
        gh_judge_edit(j, token, end,
                      gh_judge_printf("OPERATOR(%s." GH_STR_FMT ") %s",
                                      gh_judge_ident(j, o->schema), GH_STR_ARG(o->name),
                                      type == ANY_SUBLINK ? "ANY" : "ALL"));
    } else {
        gh_judge_edit(j, token, end,
                      gh_judge_printf("OPERATOR(%s." GH_STR_FMT ")", gh_judge_ident(j, o->schema),
                                      GH_STR_ARG(o->name)));
    }
    s->operName = gh_operator_qualified(o);
    s->subLinkType = type;
    j->asks_statistics = true;
}

bool gh_operator_bind_not_in(gh_judge *j, Node **slot)
{
    const BoolExpr *b = (const BoolExpr *)*slot;
    SubLink *s = b->boolop == NOT_EXPR ? linitial(b->args) : NULL;

    if (s == NULL || !IsA(s, SubLink) || s->subLinkType != ANY_SUBLINK || s->operName != NIL ||
        !gh_operator_is_word(j, gh_judge_token(j, s->location), "not"))
        return false;
    gh_judge_expr(j, &s->testexpr);
    gh_judge_sublink_query(j, s);
    bind_query(j, s, "<>", ALL_SUBLINK);
    if (s->subLinkType == ALL_SUBLINK)
        *slot = (Node *)s;
    return true;
}

/* ORDER BY x USING < */
static void bind_sort(gh_judge *j, SortBy *s, const gh_operator *o)
{
    size_t token = gh_judge_token(j, s->location);

    gh_judge_edit(j, token, token == SIZE_MAX ? token : token + 1,
                  gh_judge_printf("OPERATOR(%s." GH_STR_FMT ")", gh_judge_ident(j, o->schema),
                                  GH_STR_ARG(o->name)));
    s->useOp = gh_operator_qualified(o);
    j->asks_statistics = true;
}

/* ---- the rest -------------------------------------------------------------------------------- */

void gh_operator_bind(gh_judge *j, Node **slot)
{
    Node *n = *slot;

    if (j->rc != GH_OK)
        return;
    switch (nodeTag(n)) {
    case T_A_Expr:
        if (list_length(((A_Expr *)n)->name) == 1 ||
            (j->view_depth > 0 && ((A_Expr *)n)->lexpr != NULL &&
             IsA(((A_Expr *)n)->lexpr, RowExpr)))
            bind_a_expr(j, slot);
        return;
    case T_SubLink: {
        SubLink *s = (SubLink *)n;

        bind_query(j, s, s->operName == NIL ? "=" : strVal(llast(s->operName)), s->subLinkType);
        return;
    }
    case T_CaseExpr:
        gh_operator_bind_case(j, (CaseExpr *)n);
        return;
    case T_SortBy:
        if (list_length(((SortBy *)n)->useOp) == 1) {
            const SortBy *s = (const SortBy *)n;
            const gh_operator *o = gh_operator_meant_by(j, strVal(linitial(s->useOp)), s->node,
                                                        s->node, s->location, false);

            if (o != NULL)
                bind_sort(j, (SortBy *)n, o);
        }
        return;
    default:
        return;
    }
}
