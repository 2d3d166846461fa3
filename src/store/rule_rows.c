/*
 * A rule's columns, tags and masks as one list, which makes a dimension of the product that its
 * rows are:
 *
 *     columns: [id, email], mask: { email: hash }      only id | only email hash
 *     columns: { except: [ssn] }, mask: { email: x }   except ssn | mask email x
 *     tags: [pii]                                      tag pii
 *     nothing                                          all
 */
#include "store_priv.h"

static const gh_acl_column_mask *mask_of(const gh_acl_rule *r, gh_str column)
{
    for (size_t i = 0; i < r->mask_count; i++)
        if (gh_str_eq(r->masks[i].column, column))
            return &r->masks[i];
    return NULL;
}

static bool is_listed(const gh_acl_rule *r, gh_str column)
{
    for (size_t i = 0; i < r->columns.count; i++)
        if (gh_str_eq(r->columns.items[i], column))
            return true;
    return false;
}

const store_rule_column *store_rule_columns(const gh_acl_rule *r, gh_arena *a, size_t *count)
{
    size_t max = r->columns.count + r->tags.count + r->mask_count + 1;
    store_rule_column *list = gh_arena_alloc(a, max * sizeof(*list));
    size_t n = 0;

    GH_ASSERT(list != NULL); /* the store's arenas have no budget */
    for (size_t i = 0; r->has_columns && i < r->columns.count; i++) {
        const gh_acl_column_mask *m = r->is_except ? NULL : mask_of(r, r->columns.items[i]);
        list[n].kind = r->is_except ? STORE_COLUMN_EXCEPT : STORE_COLUMN_ONLY;
        list[n].pattern = r->columns.items[i];
        if (m != NULL) {
            list[n].has_mask = true;
            list[n].mask = m->mask;
        }
        n++;
    }
    for (size_t i = 0; i < r->tags.count; i++)
        list[n++] = (store_rule_column){ .kind = STORE_COLUMN_TAG, .pattern = r->tags.items[i] };
    if (n == 0)
        list[n++].kind = r->has_columns ? STORE_COLUMN_NONE : STORE_COLUMN_ALL;
    for (size_t i = 0; i < r->mask_count; i++) {
        if (r->has_columns && !r->is_except && is_listed(r, r->masks[i].column))
            continue;
        list[n++] = (store_rule_column){ .kind = STORE_COLUMN_MASK,
                                         .pattern = r->masks[i].column,
                                         .mask = r->masks[i].mask,
                                         .has_mask = true };
    }
    *count = n;
    return list;
}
