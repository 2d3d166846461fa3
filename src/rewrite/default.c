/*
 * What a column's default is, where the catalog tells: told anew, with the schema of whatever is named. The catalog's text is
 * PostgreSQL's own, printed where nothing but pg_catalog is in the path, so a name without a schema is of that.
 */
#include "default.h"

#include "infer.h"

#define NEXT "nextval("

/* Of a call without arguments. */
static const char *call_name(const Node *n)
{
    const FuncCall *f = (const FuncCall *)n;

    return n != NULL && IsA(f, FuncCall) && list_length(f->funcname) == 1 && f->args == NIL
               ? strVal(linitial(f->funcname))
               : NULL;
}

/* SQL of the time, which is the same wherever it is asked for in a transaction; NULL of any other value. */
static const char *time_of(const gh_column *c, const Node *n)
{
    const char *name = call_name(n);

    if (name != NULL && strcmp(name, "now") == 0)
        return "pg_catalog.now()";
    return n != NULL && IsA(n, SQLValueFunction) ? gh_judge_cstr(c->default_sql) : NULL;
}

/* SQL of a literal; NULL of any other. */
static const char *literal(gh_judge *j, const A_Const *a)
{
    const char *text = "NULL";

    if (!a->isnull) {
        if (IsA(&a->val, String))
            text = gh_judge_literal(j, gh_str_of(strVal(&a->val)));
        else if (IsA(&a->val, Integer))
            text = gh_judge_printf("%d", intVal(&a->val));
        else if (IsA(&a->val, Float))
            text = ((const Float *)&a->val)->fval;
        else if (IsA(&a->val, Boolean))
            text = boolVal(&a->val) ? "true" : "false";
        else
            return NULL;
    }
    return text;
}

/* The type that a default casts to, in SQL; NULL: it is neither PostgreSQL's own nor the column's, or has a length. */
static const char *cast_type(gh_judge *j, const gh_column *c, const TypeName *t)
{
    const gh_type *type = gh_catalog_type_by_oid(j->in->catalog, gh_infer_named_type(j, t));

    if (type == NULL || t->typmods != NIL ||
        (type->oid != c->type_oid && !gh_str_is(type->schema, "pg_catalog")))
        return NULL;
    return gh_judge_printf("%s.%s", gh_judge_ident(j, type->schema), gh_judge_ident(j, type->name));
}

/* A literal and each cast of it: '2024-01-01 05:00'::date::timestamp has lost its hour. NULL: not understood. */
static const char *cast_literal(gh_judge *j, const gh_column *c, const Node *n)
{
    const char *type;
    const char *value;

    if (IsA(n, A_Const))
        return literal(j, (const A_Const *)n);
    if (!IsA(n, TypeCast))
        return NULL;
    type = cast_type(j, c, ((const TypeCast *)n)->typeName);
    value = type == NULL ? NULL : cast_literal(j, c, ((const TypeCast *)n)->arg);
    return value == NULL ? NULL : gh_judge_printf("CAST(%s AS %s)", value, type);
}

char *gh_default_known(gh_judge *j, const gh_column *c)
{
    const gh_type *t = gh_catalog_type_by_oid(j->in->catalog, c->type_oid);
    const Node *n;
    const char *value;

    if (!c->has_default && c->identity == 0 && t != NULL && t->kind != 'd') /* which has its own */
        return gh_judge_printf("CAST(NULL AS " GH_STR_FMT ")", GH_STR_ARG(c->type_sql));
    n = c->default_sql.len == 0 ? NULL : gh_judge_parse_expr(j, gh_judge_cstr(c->default_sql));
    if (n == NULL)
        return NULL;
    value = cast_literal(j, c, n);
    if (value == NULL)
        value = time_of(c, n);
    return value != NULL ? pstrdup(value) : NULL;
}

/* ---- to be computed for each row ------------------------------------------------------------------- */

bool gh_default_is_number(const gh_column *c)
{
    size_t len = sizeof(NEXT) - 1;

    return c->default_sql.len > len && memcmp(c->default_sql.ptr, NEXT, len) == 0;
}

/* nextval('shop.orders_id_seq'::regclass) */
static const char *next_number(gh_judge *j, const Node *n)
{
    const FuncCall *f = (const FuncCall *)n;
    const TypeCast *name = IsA(f, FuncCall) && list_length(f->args) == 1 ? linitial(f->args) : NULL;
    char *schema;
    char *sequence;

    if (name == NULL || !IsA(name, TypeCast) || !IsA(name->arg, A_Const) ||
        !gh_type_split_name(j, strVal(&((const A_Const *)name->arg)->val), &schema, &sequence) ||
        schema == NULL)
        return NULL;
    return gh_judge_printf(
        "pg_catalog.nextval(CAST(%s AS pg_catalog.regclass))",
        gh_judge_literal(j, gh_str_of(gh_judge_printf("%s.%s", gh_judge_ident(j, gh_str_of(schema)),
                                                      gh_judge_ident(j, gh_str_of(sequence))))));
}

/* SQL of the time or a random number; NULL of any other value. */
static const char *bland_call(const gh_column *c, const Node *n)
{
    static const char *const calls[] = { "clock_timestamp", "statement_timestamp",
                                         "transaction_timestamp", "gen_random_uuid" };
    const char *name = call_name(n);

    for (size_t i = 0; name != NULL && i < GH_COUNT(calls); i++) {
        if (strcmp(name, calls[i]) == 0)
            return gh_judge_printf("pg_catalog.%s()", name);
    }
    return time_of(c, n);
}

/* What anybody would guess: yes and no, zero and one, what is empty. */
static bool is_bland(const Node *n)
{
    static const char *const texts[] = { "", "0", "{}", "[]" };
    const A_Const *a = (const A_Const *)n;

    while (IsA(n, TypeCast))
        n = ((const TypeCast *)n)->arg;
    a = (const A_Const *)n;
    if (a->isnull || IsA(&a->val, Boolean))
        return true;
    if (IsA(&a->val, Integer))
        return intVal(&a->val) == 0 || intVal(&a->val) == 1;
    if (IsA(&a->val, Float))
        return strspn(((const Float *)&a->val)->fval, "0.") ==
               strlen(((const Float *)&a->val)->fval);
    for (size_t i = 0; i < GH_COUNT(texts); i++) {
        if (IsA(&a->val, String) && strcmp(strVal(&a->val), texts[i]) == 0)
            return true;
    }
    return false;
}

char *gh_default_sql(gh_judge *j, const gh_column *c, bool *says_nothing)
{
    const Node *n =
        c->default_sql.len == 0 ? NULL : gh_judge_parse_expr(j, gh_judge_cstr(c->default_sql));
    const char *value = n == NULL ? NULL : cast_literal(j, c, n);

    *says_nothing = value == NULL || is_bland(n);
    if (value == NULL && n != NULL)
        value = gh_default_is_number(c) ? next_number(j, n) : bland_call(c, n);
    /* SECURITY: what PostgreSQL casts to the column's type by itself may call what the policy does not allow. */
    if (value == NULL || !gh_cast_may_assign_value(j, n, c->type_oid))
        return NULL;
    return pstrdup(value);
}
