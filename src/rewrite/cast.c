/*
 * Casts that run code. A cast that somebody made calls a function of theirs, which is asked for as it would be
 * by its name: the policy's `functions` must allow it. PostgreSQL's own casts and those of extensions are
 * trusted, as their operators are.
 *
 *     5::lib.wrap ──▶ pg_cast (int4, lib.wrap) ──▶ lib.int2wrap: allowed? ──▶ refused, or goes on
 *
 * Which cast it will be depends on the operand's type, which is not always known here; where it is not, every
 * cast counts whose source the user can have a value of in the statement.
 *
 * SECURITY: a function that reads hidden tables would run without ever being named. Attack: tests/attack
 * code-behind-names.
 */
#include "fence.h"
#include "infer.h"

#define NESTING_MAX 16

static bool calls_what_is_allowed(const gh_judge *j, const gh_cast *c)
{
    const gh_function *f = gh_catalog_function_by_oid(j->in->catalog, c->function);

    return c->is_trusted || (f != NULL && gh_view_allows_function(j->in->view, f->schema, f->name));
}

static gh_oid without_domain(const gh_catalog *c, gh_oid oid)
{
    const gh_type *t = gh_catalog_type_by_oid(c, oid);

    for (int i = 0; t != NULL && t->kind == 'd' && i < NESTING_MAX; i++) {
        oid = t->base;
        t = gh_catalog_type_by_oid(c, oid);
    }
    return oid;
}

/* May the operand be of this type? source 0: nobody knows. */
static bool may_be_of(gh_judge *j, gh_oid source, gh_oid type)
{
    const gh_type *t;

    if (source != 0)
        return source == type || without_domain(j->in->catalog, source) == type;
    t = gh_catalog_type_by_oid(j->in->catalog, type);
    return t == NULL || type < GH_OID_MADE_MIN ||
           (gh_type_is_visible(j, t) && (!j->has_all_items || gh_infer_may_occur(j, type)));
}

static bool is_allowed(gh_judge *j, gh_oid source, gh_oid target, bool is_explicit, int depth)
{
    const gh_catalog *c = j->in->catalog;
    gh_oid base = without_domain(c, target);
    const gh_type *t = gh_catalog_type_by_oid(c, base);
    const gh_relation *r;
    size_t count;
    const gh_cast *const *all = gh_catalog_casts(c, &count);

    if (t == NULL || depth == NESTING_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        if ((all[i]->target == target || all[i]->target == base) &&
            !calls_what_is_allowed(j, all[i]) && (is_explicit || all[i]->context != 'e') &&
            may_be_of(j, source, all[i]->source))
            return false;
    }
    if (t->element != 0 && t->category == 'A')
        return is_allowed(j, 0, t->element, is_explicit, depth + 1);
    r = t->relation != 0 ? gh_catalog_relation_by_oid(c, t->relation) : NULL;
    for (uint16_t i = 0; r != NULL && i < r->column_count; i++) { /* ROW(...)::type casts each */
        if (!is_allowed(j, 0, r->columns[i].type_oid, is_explicit, depth + 1))
            return false;
    }
    return true;
}

/* The type of an operand that shows it; 0 for any other. */
static gh_oid type_of(gh_judge *j, const Node *n)
{
    gh_item *item = NULL;
    const gh_column *column;

    if (IsA(n, ParamRef))
        return gh_judge_param_type(j, (const ParamRef *)n);
    if (!IsA(n, ColumnRef))
        return 0;
    column = gh_judge_bind(j, (const ColumnRef *)n, &item);
    return column != NULL ? column->type_oid : 0;
}

/*
 * Text of the statement, or a parameter that takes its type from the cast: the type's own input function reads it.
 *
 * SECURITY: PREPARE declares types, too, and without any the first use of a parameter decides: of `$1::int, $1::lib.boxed`
 * the second is a cast of an integer. Attack: tests/attack code-behind-names.
 */
static bool is_read_by_type(const gh_judge *j, const Node *n)
{
    if (IsA(n, ParamRef))
        return gh_judge_param_type(j, (const ParamRef *)n) == 0 &&
               (gh_judge_param_uses(j, (const ParamRef *)n) == 1 ||
                gh_judge_param_is_cast_alike(j, (const ParamRef *)n));
    return IsA(n, A_Const) &&
           (((const A_Const *)n)->isnull || IsA(&((const A_Const *)n)->val, String));
}

/* Of an operand whose type is not known: what can be one, the whole statement tells. */
typedef struct gh_unsure_cast {
    gh_oid target;
    const char *name;
    int location;
} gh_unsure_cast;

static void refuse(gh_judge *j, const char *type, int location)
{
    gh_judge_refuse(j, GH_DENIED, "42501", location, "this cast to type %s is not allowed", type);
}

void gh_cast_judge(gh_judge *j, const TypeCast *cast, gh_oid target)
{
    gh_oid source = cast->typeName->arrayBounds == NIL ? type_of(j, cast->arg) : 0;

    gh_unsure_cast *unsure;

    if (is_read_by_type(j, cast->arg) || is_allowed(j, source, target, true, 0))
        return;
    if (source != 0 || !j->keeps_casts) {
        refuse(j, strVal(llast(cast->typeName->names)), cast->typeName->location);
        return;
    }
    unsure = palloc(sizeof(*unsure));
    *unsure =
        (gh_unsure_cast){ target, strVal(llast(cast->typeName->names)), cast->typeName->location };
    j->casts = lappend(j->casts, unsure);
}

void gh_cast_judge_unsure(gh_judge *j)
{
    ListCell *cell;

    j->has_all_items = true;
    foreach (cell, j->casts) {
        const gh_unsure_cast *c = lfirst(cell);

        if (!is_allowed(j, 0, c->target, true, 0))
            refuse(j, c->name, c->location);
    }
}

/* ---- assignment ---------------------------------------------------------------------------------- */

bool gh_cast_may_assign(gh_judge *j, gh_oid type)
{
    return is_allowed(j, 0, type, false, 0);
}

bool gh_cast_may_assign_from(gh_judge *j, gh_oid source, gh_oid type)
{
    if (source == GH_OID_RECORD || source == GH_OID_UNKNOWN)
        source = 0;
    return (source != 0 && source == type) || is_allowed(j, source, type, false, 0);
}

/*
 * SECURITY: of what becomes of a literal, or of a parameter that nothing else gives a type, the column's type decides, and reads
 * it itself. Of anything else the type must be known, or no such cast may be there. Attack: tests/attack code-behind-names.
 */
bool gh_cast_may_assign_value(gh_judge *j, const Node *value, gh_oid type)
{
    if (value == NULL || IsA(value, SetToDefault) || gh_cast_may_assign(j, type) ||
        is_read_by_type(j, value))
        return true;
    if (IsA(value, A_Const) &&
        IsA(&((const A_Const *)value)->val, Float)) /* too large a number, or a fraction */
        return is_allowed(j, GH_OID_INT8, type, false, 0) &&
               is_allowed(j, GH_OID_NUMERIC, type, false, 0);
    return gh_cast_may_assign_from(j, gh_infer_type(j, value), type);
}

/* Does it run without a word, in an expression of PostgreSQL's own operators and functions? */
static bool is_made_and_silent(const gh_cast *c)
{
    return c->is_made && c->target < GH_OID_MADE_MIN &&
           (c->context == 'i' || (c->context == 'a' && c->target == GH_OID_BOOL));
}

bool gh_cast_is_made_from(const gh_catalog *c, gh_oid type)
{
    const gh_type *t = gh_catalog_type_by_oid(c, without_domain(c, type));
    size_t count;
    const gh_cast *const *all = gh_catalog_casts(c, &count);

    if (t == NULL || t->kind == 'p' || t->relation != 0)
        return gh_catalog_has_made_casts(c);
    if (t->element != 0 && t->category == 'A' && gh_cast_is_made_from(c, t->element))
        return true;
    for (size_t i = 0; i < count; i++) {
        if (is_made_and_silent(all[i]) && (all[i]->source == type || all[i]->source == t->oid))
            return true;
    }
    return false;
}

/* ---- domains ------------------------------------------------------------------------------------- */

/*
 * SECURITY: who casts to a domain runs its CHECKs, and learns what their functions make of a value of his choice:
 * whether a hidden table holds it. Attack: tests/attack code-behind-names.
 */
bool gh_cast_may_check(const gh_judge *j, gh_oid type, int depth)
{
    const gh_type *t = gh_catalog_type_by_oid(j->in->catalog, type);
    const gh_function *f;
    const gh_relation *r;
    gh_oid bound;

    if (t == NULL || type < GH_OID_MADE_MIN)
        return true;
    if (depth == NESTING_MAX)
        return false;
    f = t->check != 0 ? gh_catalog_function_by_oid(j->in->catalog, t->check) : NULL;
    if (t->check != 0 && (f == NULL || !gh_view_allows_function(j->in->view, f->schema, f->name)))
        return false;
    if ((t->kind == 'd' && !gh_cast_may_check(j, t->base, depth + 1)) ||
        (t->element != 0 && !gh_cast_may_check(j, t->element, depth + 1)))
        return false;
    bound = t->kind == 'r' || t->kind == 'm' ? gh_infer_bound(j, type) : type;
    if (bound == 0 || (bound != type && !gh_cast_may_check(j, bound, depth + 1)))
        return false;
    r = t->relation != 0 ? gh_catalog_relation_by_oid(j->in->catalog, t->relation) : NULL;
    for (uint16_t i = 0; r != NULL && i < r->column_count; i++) {
        if (!gh_cast_may_check(j, r->columns[i].type_oid, depth + 1))
            return false;
    }
    return true;
}

/* ---- casts that functions make --------------------------------------------------------------------- */

static bool takes_anything(const gh_judge *j, gh_str name)
{
    size_t count;
    const gh_function *const *all = gh_catalog_functions(j->in->catalog, name, &count);

    for (size_t i = 0; i < count; i++) {
        for (uint16_t k = 0; k < all[i]->arg_count; k++) {
            const gh_type *t = gh_catalog_type_by_oid(j->in->catalog, all[i]->args[k]);

            if (t == NULL || t->kind == 'p')
                return true;
        }
    }
    return false;
}

/* May a value of the type be in it? */
static bool may_hold(gh_judge *j, const Node *n, gh_oid type)
{
    gh_oid of;
    const gh_type *t;

    if (n == NULL || IsA(n, A_Const)) /* text at most */
        return false;
    of = gh_infer_type(j, n);
    t = gh_catalog_type_by_oid(j->in->catalog, of);
    return t != NULL && t->kind != 'p' ? gh_infer_leads_to(j, of, type, 0)
                                       : gh_infer_may_occur(j, type);
}

/* The type of a value in one of these that a cast to the target which may not run takes; 0: there is none. */
static gh_oid unwanted_cast(gh_judge *j, const List *values, gh_oid target, gh_oid or_target)
{
    size_t count;
    const gh_cast *const *all = gh_catalog_casts(j->in->catalog, &count);

    for (size_t i = 0; i < count; i++) {
        ListCell *cell;

        if ((all[i]->target != target && all[i]->target != or_target) ||
            calls_what_is_allowed(j, all[i]) || !may_be_of(j, 0, all[i]->source))
            continue;
        foreach (cell, values) {
            if (may_hold(j, lfirst(cell), all[i]->source))
                return all[i]->source;
        }
    }
    return 0;
}

/* May every value in it be made anew, of other parts? */
static bool may_populate(gh_judge *j, const Node *n)
{
    gh_oid of = gh_infer_type(j, n);
    const gh_type *t = gh_catalog_type_by_oid(j->in->catalog, of);
    ListCell *cell;

    if (t != NULL && t->kind != 'p')
        return gh_cast_may_check(j, of, 0);
    foreach (cell, j->items) {
        const gh_relation *r = ((const gh_item *)lfirst(cell))->relation;

        for (uint16_t i = 0; i < r->column_count; i++) {
            if (!gh_cast_may_check(j, r->columns[i].type_oid, 0))
                return false;
        }
    }
    return true;
}

/*
 * SECURITY: what PostgreSQL makes json of it casts, where there is a cast from its type: to_json(x) runs that cast's
 * function, and so does row_to_json of a row that holds an x. quote_literal(x) and x || '' are SQL functions of its own
 * that cast x to text. Attack: tests/attack code-behind-names.
 */
void gh_cast_judge_inner(gh_judge *j, const FuncCall *f, gh_str name)
{
    gh_oid source = 0;

    if (memmem(name.ptr, name.len, "_populate_", 10) != NULL && f->args != NIL &&
        !may_populate(j, linitial(f->args)))
        gh_judge_refuse(j, GH_DENIED, "42501", f->location,
                        "function " GH_STR_FMT
                        " is not allowed over a type whose checks call a function",
                        GH_STR_ARG(name));
    if (memmem(name.ptr, name.len, "json", 4) != NULL && takes_anything(j, name))
        source = unwanted_cast(j, f->args, GH_OID_JSON, GH_OID_JSONB);
    else if (gh_str_is(name, "quote_literal") || gh_str_is(name, "quote_nullable") ||
             gh_str_is(name, "textanycat") || gh_str_is(name, "anytextcat"))
        source = unwanted_cast(j, f->args, GH_OID_TEXT, GH_OID_TEXT);
    if (source != 0)
        gh_judge_refuse(j, GH_DENIED, "42501", f->location,
                        "function " GH_STR_FMT " is not allowed over a value of type %s",
                        GH_STR_ARG(name), gh_operator_type_name(j, source));
}

static bool is_array(gh_judge *j, const Node *n)
{
    return n != NULL && gh_infer_element(j, gh_infer_type(j, n)) != 0;
}

void gh_cast_judge_operator(gh_judge *j, const A_Expr *e)
{
    gh_oid source;

    if (e->kind != AEXPR_OP || strcmp(strVal(llast(e->name)), "||") != 0)
        return;
    source = unwanted_cast(j, list_make2(e->lexpr, e->rexpr), GH_OID_TEXT, GH_OID_TEXT);
    if (source != 0 && !is_array(j, e->lexpr) && !is_array(j, e->rexpr)) /* that takes elements */
        gh_judge_refuse(j, GH_DENIED, "42501", e->location,
                        "operator || is not allowed over a value of type %s: use concat()",
                        gh_operator_type_name(j, source));
}

/* ---- arguments of EXECUTE ------------------------------------------------------------------------ */

/* Is there a cast from the type that may not run, and needs no words? */
static bool has_unwanted_cast(gh_judge *j, gh_oid source)
{
    size_t count;
    const gh_cast *const *all = gh_catalog_casts(j->in->catalog, &count);

    for (size_t i = 0; i < count; i++) {
        if (all[i]->context != 'e' && !calls_what_is_allowed(j, all[i]) &&
            may_be_of(j, source, all[i]->source))
            return true;
    }
    return false;
}

/* A whole number, which any type that takes it reads alike from a string. */
static bool quote_number(gh_judge *j, A_Const *c)
{
    size_t first = gh_judge_token(j, c->location);
    size_t number = first;
    char *text;

    if (first == SIZE_MAX || c->isnull || !IsA(&c->val, Integer))
        return false;
    if (strcmp(j->text->tokens[first].text, "-") == 0)
        number++;
    if (j->text->tokens[number].kind != GH_TOKEN_NUMBER)
        return false;
    text = gh_judge_printf("%d", intVal(&c->val));
    gh_judge_edit(j, first, number + 1, gh_judge_literal(j, gh_str_of(text)));
    c->val.sval = (String){ .type = T_String, .sval = text };
    return true;
}

/*
 * SECURITY: EXECUTE casts its arguments to the parameters' types, which PREPARE may have left to the statement, as
 * INSERT does its values. Attack: tests/attack code-behind-names.
 */
bool gh_cast_may_be_argument(gh_judge *j, Node *value)
{
    gh_oid type = gh_infer_type(j, value);
    gh_oid element = gh_infer_element(j, type);

    if (IsA(value, A_Const) && type == GH_OID_UNKNOWN)
        return true;
    if (type == GH_OID_UNKNOWN) /* 'x' COLLATE "C" */
        type = GH_OID_TEXT;
    if (type == GH_OID_RECORD) /* whose fields may be of any */
        type = 0;
    if (!has_unwanted_cast(j, type) && (element == 0 || !has_unwanted_cast(j, element)))
        return true;
    return IsA(value, A_Const) && quote_number(j, (A_Const *)value);
}
