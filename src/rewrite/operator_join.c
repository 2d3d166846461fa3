/*
 * What joins by names compare: USING and NATURAL look for `=` by name, which upstream is pg_catalog's alone. Over types
 * whose `=` is an extension's there is no way to write it, so they are said with ON (join_on.c), or refused.
 */
#include "infer.h"
#include "join_on.h"
#include "operand.h"

/* A column that the user does not see takes no part in NATURAL. */
static bool takes_part(const gh_item *item, const gh_column *c)
{
    return item->decision == NULL || item->keeps_hidden ||
           item->decision->columns[c - item->relation->columns].show != GH_HIDDEN;
}

static bool is_shared(gh_judge *j, const gh_item *owner, gh_str name)
{
    ListCell *cell;

    foreach (cell, j->block->items) {
        const gh_item *item = lfirst(cell);
        const gh_column *c;

        if (item == owner)
            continue;
        if (item->relation == NULL || item->is_renamed) {
            gh_found f = { 0 };

            gh_infer_in_item(j, item, gh_judge_cstr(name), &f, 0);
            if (gh_infer_is_reached(item) && (f.is_any || f.is_open))
                return true;
            continue;
        }
        c = gh_relation_column(item->relation, name);
        if (c != NULL && takes_part(item, c))
            return true;
    }
    return false;
}

/* What `=` compares the columns of this name by, where that is an extension's. */
static const gh_operator *meant_by_column(gh_judge *j, const JoinExpr *join, gh_candidates all,
                                          const char *name)
{
    gh_oid types[2];

    gh_join_on_types(j, join, name, types);
    if (types[0] != 0 && types[1] != 0)
        return gh_operator_meant(j, all, types, 2, "=", -1);
    types[0] = gh_infer_column(j, name);
    types[1] = types[0];
    return gh_operator_meant(j, all, types, 2, "=", -1);
}

/* Whatever the columns of the type are called: PostgreSQL's own. */
static bool is_plain(gh_judge *j, gh_candidates all, const gh_oid *types)
{
    const gh_candidate *found;
    gh_overload o = gh_overload_select(j, all, types, 2, &found);

    return o == GH_OVERLOAD_NONE || (o == GH_OVERLOAD_FOUND && found->rank == 0);
}

static bool has_relation(const gh_item *item)
{
    return item->relation != NULL && !item->is_renamed && !item->is_covered;
}

static bool has_outputs(const gh_item *item)
{
    return !item->is_covered && item->result != NULL && item->result->is_complete;
}

/*
 * SECURITY: types are few, so what one is compared by is asked first, and whether a column has a like of those alone that
 * matter: the other way 4 KiB of joins took minutes. Attack: tests/attack/states, test_natural_joins_of_many_relations.
 */
static const gh_operator *meant_by_relations(gh_judge *j, gh_candidates all)
{
    gh_memo plain = { 0 };
    ListCell *cell;

    foreach (cell, j->block->items) {
        const gh_item *item = lfirst(cell);

        for (uint16_t i = 0; has_relation(item) && i < item->relation->column_count; i++) {
            const gh_column *c = &item->relation->columns[i];
            const void *key = (const void *)(uintptr_t)c->type_oid;
            gh_oid types[2] = { c->type_oid, c->type_oid };
            uint32_t found;

            if (!gh_memo_find(&plain, key, NULL, &found)) {
                found = is_plain(j, all, types);
                gh_memo_put(&plain, key, NULL, found);
            }
            if (found == 0 && takes_part(item, c) && is_shared(j, item, c->name))
                return gh_operator_meant(j, all, types, 2, "=", -1);
        }
    }
    return NULL;
}

/* Of columns that queries compute. Two items of which neither says what it has may share what is an extension's. */
static const gh_operator *meant_by_outputs(gh_judge *j, const JoinExpr *join, gh_candidates all)
{
    const gh_operator *o = NULL;
    int unknown = 0;
    ListCell *cell;

    foreach (cell, j->block->items) {
        const gh_item *item = lfirst(cell);

        unknown += gh_infer_is_reached(item) && !has_relation(item) && !has_outputs(item);
        for (int i = 0;
             has_outputs(item) && i < item->result->output_count && o == NULL && j->rc == GH_OK;
             i++) {
            const char *name = item->result->outputs[i].name;

            if (name != NULL && is_shared(j, item, gh_str_of(name)))
                o = meant_by_column(j, join, all, name);
        }
    }
    for (int i = 0; unknown > 1 && i < all.count && o == NULL; i++) {
        const gh_operator *other = all.items[i].what;

        if (all.items[i].rank > 0 && other->left != 0 && gh_infer_may_occur(j, other->left))
            o = other;
    }
    return o;
}

static const gh_operator *meant_by_natural(gh_judge *j, const JoinExpr *join, gh_candidates all)
{
    const gh_operator *o = meant_by_relations(j, all);

    return o != NULL || j->rc != GH_OK ? o : meant_by_outputs(j, join, all);
}

void gh_operator_judge_using(gh_judge *j, const JoinExpr *join)
{
    gh_candidates all = gh_operator_candidates(j, "=", false, true);
    const char *construct = join->isNatural ? "NATURAL JOIN" : "JOIN USING";
    const gh_operator *o = NULL;
    ListCell *cell;

    if (all.count == 0 || j->rc != GH_OK)
        return;
    o = join->isNatural ? meant_by_natural(j, join, all) : NULL;
    foreach (cell, join->usingClause)
        o = o != NULL ? o : meant_by_column(j, join, all, strVal(lfirst(cell)));
    if (j->rc != GH_OK || (o == NULL && !gh_join_on_is_needed(j, join)) || gh_join_on_say(j, join))
        return;
    if (o != NULL)
        gh_operator_refuse(j, o, -1, construct, "ON");
    else
        gh_judge_refuse(j, GH_DENIED, "42501", -1, "this %s is not allowed: write ON", construct);
}
