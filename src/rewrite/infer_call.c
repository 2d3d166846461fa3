/*
 * What calls and operators give.
 *
 *     f(x), x op y          the overload that is meant decides, or all of the name where they agree
 *     anyelement, anyrange  by what the arguments are
 *     f(VARIADIC ...)       any number of arguments: what it gives, unless that depends on them
 *     OUT parameters        columns in FROM, fields elsewhere
 */
#include "infer.h"

static const gh_type *base_of(const gh_judge *j, gh_oid oid)
{
    return gh_catalog_type_by_oid(j->in->catalog, gh_overload_base(j->in->catalog, oid));
}

/* The catalog says what a range is of by its constructors, which go by its name. 0: not known, or none. */
static gh_oid constructed_from(const gh_judge *j, gh_oid type, char kind, uint16_t args)
{
    const gh_type *t = base_of(j, type);
    const gh_function *const *all;
    gh_oid out = 0;
    size_t count;

    if (t == NULL || t->kind != kind)
        return 0;
    all = gh_catalog_functions(j->in->catalog, t->name, &count);
    for (size_t i = 0; i < count; i++) {
        const gh_function *f = all[i];

        if (!gh_str_eq(f->schema, t->schema) || f->result != t->oid || f->arg_count != args ||
            f->variadic != 0)
            continue;
        if (out != 0 && out != f->args[0])
            return 0;
        out = f->args[0];
    }
    return out;
}

static gh_oid range_element(const gh_judge *j, gh_oid range)
{
    return constructed_from(j, range, 'r', 2);
}

static gh_oid range_of(const gh_judge *j, gh_oid multirange)
{
    return constructed_from(j, multirange, 'm', 1);
}

gh_oid gh_infer_bound(const gh_judge *j, gh_oid range)
{
    gh_oid bound = range_element(j, range);

    return bound != 0 ? bound : range_element(j, range_of(j, range));
}

static gh_oid multirange_of(const gh_judge *j, gh_oid range)
{
    size_t count;
    const gh_type *const *all = gh_catalog_types(j->in->catalog, &count);
    gh_oid wanted = gh_overload_base(j->in->catalog, range);

    for (size_t i = 0; i < count && wanted != 0; i++) {
        if (all[i]->kind == 'm' && range_of(j, all[i]->oid) == wanted)
            return all[i]->oid;
    }
    return 0;
}

/* ---- polymorphic results ----------------------------------------------------------------------------- */

/* What a polymorphic type is made of, and whether its kin go by a common type. */
typedef struct gh_family {
    enum { GH_PLAIN, GH_ELEMENT, GH_ARRAY, GH_RANGE, GH_MULTIRANGE } shape;
    bool is_common;
} gh_family;

static gh_family family_of(gh_oid type)
{
    switch (type) {
    case GH_OID_ANYELEMENT:
    case GH_OID_ANYNONARRAY:
    case GH_OID_ANYENUM:
        return (gh_family){ GH_ELEMENT, false };
    case GH_OID_ANYARRAY:
        return (gh_family){ GH_ARRAY, false };
    case GH_OID_ANYRANGE:
        return (gh_family){ GH_RANGE, false };
    case GH_OID_ANYMULTIRANGE:
        return (gh_family){ GH_MULTIRANGE, false };
    case GH_OID_ANYCOMPATIBLE:
    case GH_OID_ANYCOMPATNONARR:
        return (gh_family){ GH_ELEMENT, true };
    case GH_OID_ANYCOMPATARRAY:
        return (gh_family){ GH_ARRAY, true };
    case GH_OID_ANYCOMPATRANGE:
        return (gh_family){ GH_RANGE, true };
    case GH_OID_ANYCOMPATMULTI:
        return (gh_family){ GH_MULTIRANGE, true };
    default:
        return (gh_family){ GH_PLAIN, false };
    }
}

static gh_oid element_of(const gh_judge *j, gh_family is, gh_oid type)
{
    switch (is.shape) {
    case GH_PLAIN:
        return 0;
    case GH_ELEMENT:
        return type;
    case GH_ARRAY:
        return gh_infer_element(j, type);
    case GH_RANGE:
        return range_element(j, type);
    case GH_MULTIRANGE:
        return range_element(j, range_of(j, type));
    }
    return 0;
}

/* A range is not told by its element: of one it is one of the arguments. */
static gh_oid range_among(const gh_judge *j, gh_family wants, const gh_candidate *c,
                          const gh_oid *types)
{
    for (int i = 0; i < c->count; i++) {
        gh_family is = family_of(c->args[i]);
        gh_oid range;

        if (is.is_common != wants.is_common || types[i] == GH_OID_UNKNOWN ||
            (is.shape != GH_RANGE && is.shape != GH_MULTIRANGE))
            continue;
        if (is.shape == wants.shape)
            return gh_overload_base(j->in->catalog, types[i]);
        range = is.shape == GH_RANGE ? types[i] : range_of(j, types[i]);
        return wants.shape == GH_RANGE ? range : multirange_of(j, range);
    }
    return 0;
}

/* What a polymorphic result is, by the arguments. */
static gh_oid resolved(gh_judge *j, gh_oid result, const gh_candidate *c, const gh_oid *types)
{
    gh_family wants = family_of(result);
    const gh_type *t = gh_catalog_type_by_oid(j->in->catalog, result);
    gh_oid element = GH_OID_UNKNOWN;

    if (t == NULL || t->kind != 'p' || result == GH_OID_RECORD || result == GH_OID_VOID)
        return result;
    if (wants.shape == GH_PLAIN)
        return 0;
    if (wants.shape == GH_RANGE || wants.shape == GH_MULTIRANGE)
        return range_among(j, wants, c, types);
    for (int i = 0; i < c->count; i++) {
        gh_family is = family_of(c->args[i]);

        if (is.shape == GH_PLAIN || is.is_common != wants.is_common || types[i] == GH_OID_UNKNOWN ||
            (types[i] == 0 && !is.is_common))
            continue;
        element = is.is_common ? gh_infer_common(j, element, element_of(j, is, types[i]))
                               : element_of(j, is, types[i]);
        if (element == 0 || !is.is_common) /* those that are no kin by a common type are all one */
            break;
    }
    if (element == 0 || element == GH_OID_UNKNOWN)
        return 0;
    return wants.shape == GH_ARRAY ? gh_infer_array(j, element) : element;
}

/* ---- which one --------------------------------------------------------------------------------------- */

static gh_oid result_of(const gh_candidates *all, const gh_candidate *c)
{
    return all->are_operators ? ((const gh_operator *)c->what)->result
                              : ((const gh_function *)c->what)->result;
}

/* The one that is meant, or the first of those that agree in what they give. NULL: not known. */
static const gh_candidate *meant(gh_judge *j, gh_candidates all, const gh_oid *types, int count)
{
    const gh_candidate *found = NULL;
    bool is_one = all.count > 0;

    for (int i = 1; i < all.count; i++)
        is_one = is_one && result_of(&all, &all.items[i]) == result_of(&all, &all.items[0]);
    if (is_one)
        return &all.items[0];
    return gh_overload_select(j, all, types, count, &found) == GH_OVERLOAD_FOUND ? found : NULL;
}

/* The arguments, with those of WITHIN GROUP behind them. */
static List *arguments(const FuncCall *f)
{
    List *all = list_copy(f->args);
    ListCell *cell;

    foreach (cell, f->agg_within_group ? f->agg_order : NIL)
        all = lappend(all, lfirst_node(SortBy, cell)->node);
    return all;
}

static bool is_of_schema(const FuncCall *f, const gh_function *fn)
{
    return list_length(f->funcname) < 2 ||
           gh_str_is(fn->schema, strVal(list_nth(f->funcname, list_length(f->funcname) - 2)));
}

/* Of those that take any number of arguments, and so this one, what all give; 0: not known, or none. */
static gh_oid variadic_result(const gh_judge *j, const FuncCall *f, int count, bool *is_any)
{
    size_t found;
    const gh_function *const *all =
        gh_catalog_functions(j->in->catalog, gh_str_of(strVal(llast(f->funcname))), &found);
    gh_oid out = 0;

    for (size_t i = 0; i < found; i++) {
        if (all[i]->variadic == 0 || count < all[i]->arg_count - 1 - all[i]->default_count ||
            !is_of_schema(f, all[i]))
            continue;
        if (*is_any && out != all[i]->result)
            return 0;
        *is_any = true;
        out = all[i]->result;
    }
    return family_of(out).shape == GH_PLAIN ? out : 0;
}

static gh_candidates candidates(gh_judge *j, const FuncCall *f, int count)
{
    gh_candidates all = gh_overload_functions(j, gh_str_of(strVal(llast(f->funcname))), count);
    int kept = 0;

    for (int i = 0; i < all.count; i++) {
        if (is_of_schema(f, all.items[i].what))
            all.items[kept++] = all.items[i];
    }
    all.count = kept;
    return all;
}

gh_oid gh_infer_call(gh_judge *j, const FuncCall *f, int depth)
{
    List *args = arguments(f);
    int count = list_length(args);
    gh_oid types[GH_INFER_ARGS_MAX] = { 0 };
    bool is_variadic = false;
    const gh_candidate *c;
    gh_candidates all;
    gh_oid out;
    gh_oid more;
    ListCell *cell;

    if (list_length(f->funcname) > 2)
        return 0;
    more = variadic_result(j, f, count, &is_variadic);
    all = candidates(j, f, count);
    if (is_variadic && all.count == 0)
        return more;
    if (count > GH_INFER_ARGS_MAX)
        return 0;
    foreach (cell, args)
        types[foreach_current_index(cell)] = gh_infer_at(j, lfirst(cell), depth);
    c = meant(j, all, types, count);
    out = c != NULL ? resolved(j, result_of(&all, c), c, types) : 0;
    return is_variadic && more != out ? 0 : out;
}

gh_oid gh_infer_operator(gh_judge *j, const A_Expr *e, int depth)
{
    gh_oid types[2] = { 0, 0 };
    gh_str name = gh_str_of(strVal(llast(e->name)));
    bool is_prefix = e->lexpr == NULL;
    gh_candidates all;
    const gh_candidate *c;
    size_t count;
    const gh_operator *const *found = gh_catalog_operators(j->in->catalog, name, &count);
    bool is_bool = count > 0;

    for (size_t i = 0; i < count && is_bool; i++)
        is_bool = found[i]->result == GH_OID_BOOL;
    if (is_bool)
        return GH_OID_BOOL;
    types[0] = gh_infer_at(j, is_prefix ? e->rexpr : e->lexpr, depth);
    if (!is_prefix)
        types[1] = gh_infer_at(j, e->rexpr, depth);
    all = gh_overload_all_operators(j, name, is_prefix);
    c = meant(j, all, types, is_prefix ? 1 : 2);
    return c != NULL ? resolved(j, result_of(&all, c), c, types) : 0;
}

/* ---- OUT parameters ---------------------------------------------------------------------------------- */

static bool are_same_outputs(const gh_function *a, const gh_function *b)
{
    if (a->output_count != b->output_count || a->result != b->result)
        return false;
    for (int i = 0; i < a->output_count; i++) {
        if (a->outputs[i].type != b->outputs[i].type ||
            !gh_str_eq(a->outputs[i].name, b->outputs[i].name))
            return false;
    }
    return true;
}

bool gh_infer_outputs(gh_judge *j, const FuncCall *f, gh_outputs *out, int depth)
{
    int count = list_length(f->args);
    gh_candidates all = candidates(j, f, count);
    const gh_candidate *c = all.count > 0 ? &all.items[0] : NULL;
    bool is_variadic = false;
    ListCell *cell;

    (void)variadic_result(j, f, count, &is_variadic);
    if (c == NULL || count > GH_INFER_ARGS_MAX || list_length(f->funcname) > 2 ||
        (is_variadic && !f->func_variadic))
        return false;
    foreach (cell, f->args)
        out->types[foreach_current_index(cell)] = gh_infer_at(j, lfirst(cell), depth);
    for (int i = 1; i < all.count && c != NULL; i++) {
        if (!are_same_outputs(all.items[i].what, c->what))
            c = NULL;
    }
    if (c == NULL && gh_overload_select(j, all, out->types, count, &c) != GH_OVERLOAD_FOUND)
        return false;
    out->function = c->what;
    out->candidate = *c;
    return true;
}

gh_oid gh_infer_output_type(gh_judge *j, const gh_outputs *out, int i)
{
    return resolved(j, out->function->outputs[i].type, &out->candidate, out->types);
}
