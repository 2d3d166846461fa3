/*
 * Casts that run code. A cast that somebody made calls a function of theirs, which is asked for as it would be
 * by its name: the policy's `functions` must allow it. PostgreSQL's own casts and those of extensions are
 * trusted, as their operators are.
 *
 *     5::lib.wrap ──▶ pg_cast (int4, lib.wrap) ──▶ lib.int2wrap: allowed? ──▶ refused, or goes on
 *
 * Which cast it will be depends on the operand's type, which is not always known here; where it is not, every
 * cast counts whose source the user can have a value of.
 *
 * SECURITY: a function that reads hidden tables would run without ever being named. Attack: tests/attack
 * code-behind-names.
 */
#include "judge.h"

#define OID_MAX_BUILTIN 16384u
#define NESTING_MAX     16

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
    return t == NULL || type < OID_MAX_BUILTIN || gh_type_is_visible(j, t);
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

    if (IsA(n, ParamRef)) {
        size_t number = (size_t)((const ParamRef *)n)->number;

        return number >= 1 && number <= j->in->param_count ? j->in->param_types[number - 1] : 0;
    }
    if (!IsA(n, ColumnRef))
        return 0;
    column = gh_judge_bind(j, (const ColumnRef *)n, &item);
    return column != NULL ? column->type_oid : 0;
}

/* Text of the statement, or a parameter without a type: the type's own input function reads it. */
static bool is_read_by_type(const gh_judge *j, const Node *n)
{
    if (IsA(n, ParamRef)) {
        size_t number = (size_t)((const ParamRef *)n)->number;

        return number < 1 || number > j->in->param_count || j->in->param_types[number - 1] == 0 ||
               j->in->param_types[number - 1] == 705;
    }
    return IsA(n, A_Const) &&
           (((const A_Const *)n)->isnull || IsA(&((const A_Const *)n)->val, String));
}

void gh_cast_judge(gh_judge *j, const TypeCast *cast, gh_oid target)
{
    gh_oid source = cast->typeName->arrayBounds == NIL ? type_of(j, cast->arg) : 0;

    if (is_read_by_type(j, cast->arg) || is_allowed(j, source, target, true, 0))
        return;
    gh_judge_refuse(j, GH_DENIED, "42501", cast->typeName->location,
                    "this cast to type %s is not allowed", strVal(llast(cast->typeName->names)));
}

bool gh_cast_may_assign(gh_judge *j, gh_oid type)
{
    return is_allowed(j, 0, type, false, 0);
}
