/*
 * Types of types: an array's element, what several become beside each other.
 */
#include "infer.h"

gh_oid gh_infer_element(const gh_judge *j, gh_oid array)
{
    const gh_type *t =
        gh_catalog_type_by_oid(j->in->catalog, gh_overload_base(j->in->catalog, array));

    return t != NULL && t->category == 'A' ? t->element : 0;
}

gh_oid gh_infer_array(const gh_judge *j, gh_oid element)
{
    const gh_type *t = gh_catalog_type_by_oid(j->in->catalog, element);

    if (t != NULL && t->category == 'A' && t->element != 0)
        return element; /* arrays have any number of dimensions */
    return t != NULL ? t->array : 0;
}

gh_oid gh_infer_named_type(const gh_judge *j, const TypeName *t)
{
    gh_str name = gh_str_of(strVal(llast(t->names)));
    const gh_type *type = NULL;

    if (list_length(t->names) == 2)
        type = gh_catalog_type(j->in->catalog, gh_str_of(strVal(linitial(t->names))), name);
    else if (list_length(t->names) == 1)
        type = gh_catalog_type(j->in->catalog, GH_STR("pg_catalog"), name);
    for (size_t i = 0; type == NULL && list_length(t->names) == 1 && i < j->in->search_path.count;
         i++)
        type = gh_catalog_type(j->in->catalog, j->in->search_path.items[i], name);
    if (type == NULL)
        return 0;
    return t->arrayBounds == NIL ? type->oid : gh_infer_array(j, type->oid);
}

/* As PostgreSQL's select_common_type. */
gh_oid gh_infer_common(gh_judge *j, gh_oid a, gh_oid b)
{
    const gh_type *x = gh_catalog_type_by_oid(j->in->catalog, gh_overload_base(j->in->catalog, a));
    const gh_type *y = gh_catalog_type_by_oid(j->in->catalog, gh_overload_base(j->in->catalog, b));

    if (a == 0 || b == 0)
        return 0;
    if (a == b || b == GH_OID_UNKNOWN)
        return a;
    if (a == GH_OID_UNKNOWN)
        return b;
    if (x == NULL || y == NULL || x->category != y->category)
        return 0;
    return !x->is_preferred && gh_overload_can_coerce(j, x->oid, y->oid) &&
                   !gh_overload_can_coerce(j, y->oid, x->oid)
               ? y->oid
               : x->oid;
}
