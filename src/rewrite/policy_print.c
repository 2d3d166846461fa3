/*
 * Text in row filters and masks. How PostgreSQL prints floats, bytes and intervals depends on settings of the
 * session (extra_float_digits, bytea_output, IntervalStyle), which the client sets. So where such a value becomes
 * text, it does so by a way of its own:
 *
 *     ratio::text      CAST(CAST(ratio AS numeric) AS text)       15 digits, whatever extra_float_digits
 *     concat(photo)    concat('\x' || encode(photo, 'hex'))
 *     pause::text      refused: to_char() or extract() say what is meant
 *
 * SECURITY: with md5(ratio::text) as a mask a client that sets extra_float_digits to -15 sees the pseudonyms of
 * the first digit alone, of which there are few, then those of two digits, and so on to the value.
 * Attack: tests/integration/policy_print.py.
 */
#include "policy_expr.h"

typedef enum gh_print_kind {
    PRINT_PLAIN = 0,
    PRINT_FLOAT,
    PRINT_BYTES,
    PRINT_INTERVAL,
    PRINT_OPAQUE /* made of such */
} gh_print_kind;

static gh_print_kind kind_of_type(const gh_policy_scope *p, gh_oid type)
{
    unsigned traits = gh_policy_traits(p, type);

    switch (gh_policy_base(p, type)) {
    case GH_OID_FLOAT4:
    case GH_OID_FLOAT8:
        return PRINT_FLOAT;
    case GH_OID_BYTEA:
        return PRINT_BYTES;
    case GH_OID_INTERVAL:
        return PRINT_INTERVAL;
    default:
        return (traits & GH_TRAIT_PRINTS) != 0 && (traits & GH_TRAIT_HOLDS) != 0 ? PRINT_OPAQUE
                                                                                 : PRINT_PLAIN;
    }
}

const gh_column *gh_policy_bind(const gh_policy_scope *p, const ColumnRef *ref)
{
    const gh_column *c = NULL;
    ListCell *cell;
    gh_str name;

    if (!IsA(llast(ref->fields), String))
        return NULL;
    name = gh_str_of(strVal(llast(ref->fields)));
    foreach (cell, p->inner) {
        if (c == NULL && lfirst(cell) != NULL)
            c = gh_relation_column(lfirst(cell), name);
    }
    if (c == NULL && list_length(ref->fields) == 1 && p->value != NULL && gh_str_is(name, "value"))
        c = p->value;
    return c != NULL ? c : gh_relation_column(p->relation, name);
}

static gh_print_kind kind_of(gh_policy_scope *p, const Node *n);

static gh_print_kind kind_of_any(gh_policy_scope *p, const List *list)
{
    gh_print_kind kind = PRINT_PLAIN;
    ListCell *cell;

    foreach (cell, list) {
        const Node *n = lfirst(cell);

        if (kind == PRINT_PLAIN && n != NULL)
            kind = kind_of(p, IsA(n, CaseWhen) ? (const Node *)((const CaseWhen *)n)->result : n);
    }
    return kind;
}

/* By what the overloads of the name give; where they differ, by the arguments. */
static gh_print_kind kind_of_call(gh_policy_scope *p, const FuncCall *f)
{
    const char *name = gh_policy_own_name(f->funcname);
    size_t count;
    const gh_function *const *all =
        gh_catalog_functions(p->judge.in->catalog, gh_str_of(name), &count);
    gh_oid type = gh_policy_type(p, (const Node *)f);
    gh_print_kind kind = count > 0 ? kind_of_type(p, all[0]->result) : PRINT_PLAIN;

    if (strcmp(name, "extract") == 0 && count == 0) /* before 14 it is date_part */
        return PRINT_FLOAT;
    if (strcmp(name, "age") == 0) /* or of a transaction, which is nobody's business here */
        return PRINT_INTERVAL;
    if (type != 0)
        return kind_of_type(p, type);
    for (size_t i = 1; i < count; i++) {
        if (kind_of_type(p, all[i]->result) != kind)
            return kind_of_any(p, f->args);
    }
    return kind;
}

/* Floats of operands that are none: powers, roots, distances (but of a text search's words), money by money. */
static bool makes_float(gh_policy_scope *p, const A_Expr *e, const char *name)
{
    return strcmp(name, "^") == 0 || strcmp(name, "|/") == 0 || strcmp(name, "||/") == 0 ||
           (strcmp(name, "<->") == 0 && gh_policy_type(p, e->rexpr) != GH_OID_TSQUERY) ||
           (strcmp(name, "/") == 0 && gh_policy_type(p, e->rexpr) == GH_OID_MONEY);
}

/* An operator of somebody's own: what any of its name gives. */
static gh_print_kind kind_of_made(const gh_policy_scope *p, const char *name)
{
    size_t count;
    const gh_operator *const *all =
        gh_catalog_operators(p->judge.in->catalog, gh_str_of(name), &count);

    for (size_t i = 0; i < count; i++) {
        if (!gh_str_is(all[i]->schema, "pg_catalog") &&
            kind_of_type(p, all[i]->result) != PRINT_PLAIN)
            return PRINT_OPAQUE;
    }
    return PRINT_PLAIN;
}

static gh_print_kind kind_of_operation(gh_policy_scope *p, const A_Expr *e)
{
    const char *name = gh_policy_own_name(e->name);
    gh_print_kind left;
    gh_print_kind right;

    if (e->kind == AEXPR_NULLIF)
        return kind_of(p, e->lexpr);
    if (e->kind != AEXPR_OP)
        return PRINT_PLAIN;
    if (name[0] == '\0')
        return kind_of_made(p, strVal(llast(e->name)));
    if (makes_float(p, e, name))
        return PRINT_FLOAT;
    if (strpbrk(name, "<>=~") != NULL)
        return PRINT_PLAIN;
    if (gh_policy_time_kind(p, (const Node *)e) != GH_TIME_NONE)
        return PRINT_PLAIN;
    if (strcmp(name, "-") == 0 && gh_policy_time_kind(p, e->lexpr) != GH_TIME_NONE &&
        gh_policy_time_kind(p, e->lexpr) != GH_TIME_DAY)
        return PRINT_INTERVAL;
    left = kind_of(p, e->lexpr);
    right = kind_of(p, e->rexpr);
    if (left == PRINT_OPAQUE || right == PRINT_OPAQUE) /* one more element of an array */
        return PRINT_OPAQUE;
    if (strcmp(name, "||") == 0)
        return left == PRINT_BYTES || right == PRINT_BYTES ? PRINT_BYTES : PRINT_PLAIN;
    return left == PRINT_PLAIN || left == PRINT_FLOAT ? (right != PRINT_PLAIN ? right : left)
                                                      : left;
}

/* ROW(at, ratio), ARRAY[at, ratio] */
static gh_print_kind kind_of_parts(gh_policy_scope *p, const List *parts)
{
    ListCell *cell;

    foreach (cell, parts) {
        const Node *n = lfirst(cell);

        if (kind_of(p, n) != PRINT_PLAIN || gh_policy_time_kind(p, n) != GH_TIME_NONE)
            return PRINT_OPAQUE;
    }
    return PRINT_PLAIN;
}

static gh_print_kind kind_of_query(gh_policy_scope *p, const SubLink *s)
{
    const Node *value;
    gh_print_kind kind;
    List *outer;

    if (s->subLinkType != EXPR_SUBLINK && s->subLinkType != ARRAY_SUBLINK)
        return PRINT_PLAIN;
    value = gh_policy_enter_value(p, s, &outer);
    if (value == NULL)
        return PRINT_PLAIN;
    kind = s->subLinkType == EXPR_SUBLINK ? kind_of(p, value)
                                          : kind_of_parts(p, list_make1((void *)(uintptr_t)value));
    gh_policy_leave(p, outer);
    return kind;
}

static gh_print_kind kind_of(gh_policy_scope *p, const Node *n)
{
    if (n == NULL)
        return PRINT_PLAIN;
    switch (nodeTag(n)) {
    case T_ColumnRef:
    case T_TypeCast:
    case T_A_Indirection:
        return kind_of_type(p, gh_policy_type(p, n));
    case T_A_ArrayExpr:
        return kind_of_parts(p, ((const A_ArrayExpr *)n)->elements);
    case T_RowExpr:
        return kind_of_parts(p, ((const RowExpr *)n)->args);
    case T_FuncCall:
        return kind_of_call(p, (const FuncCall *)n);
    case T_A_Expr:
        return kind_of_operation(p, (const A_Expr *)n);
    case T_CoalesceExpr:
        return kind_of_any(p, ((const CoalesceExpr *)n)->args);
    case T_MinMaxExpr:
        return kind_of_any(p, ((const MinMaxExpr *)n)->args);
    case T_CaseExpr:
        return kind_of_any(
            p, lappend(list_copy(((const CaseExpr *)n)->args), ((const CaseExpr *)n)->defresult));
    case T_SubLink:
        return kind_of_query(p, (const SubLink *)n);
    default:
        return PRINT_PLAIN;
    }
}

bool gh_policy_is_bytes(gh_policy_scope *p, const Node *n)
{
    return kind_of(p, n) == PRINT_BYTES;
}

bool gh_policy_is_interval(gh_policy_scope *p, const Node *n)
{
    return kind_of(p, n) == PRINT_INTERVAL;
}

bool gh_policy_prints(const FuncCall *f)
{
    static const char *const names[] = { "concat",
                                         "concat_ws",
                                         "format",
                                         "to_json",
                                         "to_jsonb",
                                         "json_build_array",
                                         "json_agg",
                                         "json_build_object",
                                         "jsonb_agg",
                                         "jsonb_build_array",
                                         "quote_literal",
                                         "jsonb_build_object",
                                         "quote_nullable",
                                         "json_object_agg",
                                         "jsonb_object_agg",
                                         "array_to_string",
                                         "array_to_json",
                                         "row_to_json",
                                         "json_object",
                                         "text",
                                         "varchar",
                                         "bpchar",
                                         "name" };
    const char *name = gh_policy_own_name(f->funcname);

    for (size_t i = 0; i < GH_COUNT(names); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

bool gh_policy_print_cast(gh_policy_scope *p, const TypeCast *c)
{
    size_t at = gh_sql_token_at(p->judge.text, c->location);
    Node *slot = c->arg;

    if (kind_of(p, c->arg) != PRINT_FLOAT || at == SIZE_MAX ||
        strcmp(p->judge.text->tokens[at].text, "::") != 0)
        return gh_policy_print(p, c->arg);
    gh_policy_walk((struct Node **)&slot, p); /* x::text, wherever x begins */
    gh_judge_edit(&p->judge, at, at, ":: \"pg_catalog\".\"numeric\"");
    return true;
}

bool gh_policy_print(gh_policy_scope *p, const Node *n)
{
    gh_print_kind kind = kind_of(p, n);
    gh_span span = gh_policy_span(p, n);
    Node *slot = (Node *)(uintptr_t)n;

    if (kind == PRINT_PLAIN)
        return false;
    if (kind == PRINT_INTERVAL || kind == PRINT_OPAQUE || span.end == SIZE_MAX) {
        gh_policy_broken(p,
                         kind == PRINT_INTERVAL
                             ? "text of an interval: IntervalStyle would decide; use to_char"
                         : kind == PRINT_OPAQUE
                             ? "text of an array, row, range or shape that holds dates, floats, "
                               "bytea or intervals: "
                               "the session would decide; make text of each"
                             : "text of a float or bytea: cast a float to numeric, encode bytea");
        return true;
    }
    gh_judge_edit(&p->judge, span.first, span.first,
                  kind == PRINT_FLOAT
                      ? "CAST("
                      : "('\\x' OPERATOR(\"pg_catalog\".||) \"pg_catalog\".\"encode\"(");
    gh_policy_walk((struct Node **)&slot, p);
    gh_judge_edit(&p->judge, span.end, span.end,
                  kind == PRINT_FLOAT ? " AS \"pg_catalog\".\"numeric\")" : ", 'hex'))");
    return true;
}
