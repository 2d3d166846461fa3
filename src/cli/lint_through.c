/*
 * Views that somebody is granted both with `through` and without: unless the one with it gives nothing beyond the other
 * (useless-grant says so), the view is expanded for both, and what the other gives by its owner's rights is not had.
 */
#include "lint.h"

#include <stdlib.h>

static bool may_be_in_force(const gh_acl_rule *a, const gh_acl_rule *b)
{
    return a->valid_from <= b->valid_until && b->valid_from <= a->valid_until;
}

/* Is some principal of the rule among what the user holds? */
static bool is_for(const lint *l, const gh_acl_rule *r, size_t user, const bool *is_held)
{
    for (size_t i = 0; i < r->to.count; i++) {
        size_t role = cli_people_role(&l->people, r->to.items[i]);
        if (role != SIZE_MAX ? is_held[role]
                             : cli_people_principal_user(&l->people, r->to.items[i]) == user)
            return true;
    }
    return false;
}

/* The first user who has both; SIZE_MAX: nobody. */
static size_t who_has(const lint *l, const gh_acl_rule *a, const gh_acl_rule *b)
{
    bool *is_held = gh_alloc(l->acl->role_count + 1);
    size_t user = 0;

    for (; user < l->acl->user_count; user++) {
        memset(is_held, 0, l->acl->role_count + 1);
        (void)cli_people_hold(&l->people, l->acl->users[user].roles, is_held);
        if (is_for(l, a, user, is_held) && is_for(l, b, user, is_held))
            break;
    }
    free(is_held);
    return user < l->acl->user_count ? user : SIZE_MAX;
}

static bool names_view(const lint *l, const gh_acl_rule *r, gh_str warehouse, const gh_relation *v)
{
    for (size_t i = 0; i < r->tables.count; i++) {
        cli_pattern p = cli_pattern_of(l->arena, r->tables.items[i]);
        if (cli_pattern_fits(&p, warehouse, v->schema, v->name))
            return true;
    }
    return false;
}

/* A view of a warehouse that both name. */
static const gh_relation *live_view(const lint *l, const gh_acl_rule *a, const gh_acl_rule *b)
{
    for (size_t i = 0; i < l->live_count; i++) {
        gh_str warehouse = l->lives[i].warehouse->name;
        size_t count;
        const gh_relation *const *all = gh_catalog_relations(l->lives[i].catalog, &count);
        for (size_t j = 0; j < count; j++)
            if (all[j]->kind == 'v' && names_view(l, a, warehouse, all[j]) &&
                names_view(l, b, warehouse, all[j]))
                return all[j];
    }
    return NULL;
}

/* Without a warehouse: a name or pattern of the first that the other's patterns hold, or hold of it; empty: none. */
static gh_str same_name(const lint *l, const gh_acl_rule *a, const gh_acl_rule *b)
{
    for (size_t i = 0; i < a->tables.count; i++) {
        cli_pattern p = cli_pattern_of(l->arena, a->tables.items[i]);
        for (size_t j = 0; j < b->tables.count; j++) {
            cli_pattern q = cli_pattern_of(l->arena, b->tables.items[j]);
            if (cli_pattern_covers(&p, &q))
                return b->tables.items[j];
            if (cli_pattern_covers(&q, &p))
                return a->tables.items[i];
        }
    }
    return (gh_str){ 0 };
}

static gh_str common_view(const lint *l, const gh_acl_rule *a, const gh_acl_rule *b)
{
    const gh_relation *v;

    if (l->live_count == 0)
        return same_name(l, a, b);
    v = live_view(l, a, b);
    return v == NULL ? (gh_str){ 0 }
                     : gh_arena_printf(l->arena, GH_STR_FMT "." GH_STR_FMT, GH_STR_ARG(v->schema),
                                       GH_STR_ARG(v->name));
}

static bool is_useless(const lint *l, const gh_acl_rule *r)
{
    gh_str where = cli_place(l->arena, r->place, "grant", r->id);

    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->findings[i].check, "useless-grant") == 0 &&
            gh_str_eq(l->findings[i].where, where))
            return true;
    return false;
}

static void check_pair(lint *l, const gh_acl_rule *through, const gh_acl_rule *other)
{
    gh_str view;
    size_t user;

    if (!may_be_in_force(through, other))
        return;
    user = who_has(l, through, other);
    view = user == SIZE_MAX ? (gh_str){ 0 } : common_view(l, through, other);
    if (view.len == 0)
        return;
    lint_warning(l, "mixed-through", lint_at_rule(through),
                 GH_STR_FMT " is granted with `through` here and without at " GH_STR_FMT
                            ": " GH_STR_FMT ", who has both, gets it by `through` alone",
                 GH_STR_ARG(view),
                 GH_STR_ARG(cli_place(l->arena, other->place, "grant", other->id)),
                 GH_STR_ARG(l->acl->users[user].name));
}

void lint_through(lint *l)
{
    const gh_acl *acl = l->acl;

    for (size_t i = 0; i < acl->rule_count; i++) {
        const gh_acl_rule *r = &acl->rules[i];
        if (r->is_deny || !r->is_through || (r->privileges & GH_SELECT) == 0 || is_useless(l, r))
            continue;
        for (size_t j = 0; j < acl->rule_count; j++) {
            const gh_acl_rule *other = &acl->rules[j];
            if (!other->is_deny && !other->is_through && (other->privileges & GH_SELECT) != 0)
                check_pair(l, r, other);
        }
    }
}
