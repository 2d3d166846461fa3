/*
 * Grants that another grant makes useless, or that a deny takes away whole. Only what is certain from
 * the rules' texts is told: filters count as equal by their text, patterns are compared as patterns.
 */
#include "lint.h"

#include <stdlib.h>

/* A rule that names a principal and a table, found by both. */
typedef struct entry {
    uint64_t key;
    uint32_t rule;
} entry;

typedef struct finding_rules {
    lint *l;
    entry *entries; /* ascending by key */
    size_t count;
    size_t cap;
    bool *is_held; /* by the principal at hand, of roles */
} finding_rules;

/* ---- one rule against another ---------------------------------------------------------------- */

static bool list_holds(gh_arena *a, gh_str_list list, gh_str name)
{
    for (size_t i = 0; i < list.count; i++)
        if (gh_str_eq(cli_name_of(a, list.items[i]), name))
            return true;
    return false;
}

static bool columns_cover(gh_arena *a, const gh_acl_rule *outer, const gh_acl_rule *inner)
{
    if (!outer->has_columns)
        return outer->tags.count == 0;
    if (!inner->has_columns || (inner->is_except && !outer->is_except))
        return false;
    if (inner->is_except) { /* all but more than the outer one leaves out */
        for (size_t i = 0; i < outer->columns.count; i++)
            if (!list_holds(a, inner->columns, cli_name_of(a, outer->columns.items[i])))
                return false;
        return true;
    }
    for (size_t i = 0; i < inner->columns.count; i++)
        if (!cli_rule_names_column(a, outer, cli_name_of(a, inner->columns.items[i])))
            return false;
    return true;
}

static bool tables_cover(gh_arena *a, const gh_acl_rule *outer, const gh_acl_rule *inner)
{
    for (size_t i = 0; i < inner->tables.count; i++) {
        cli_pattern p = cli_pattern_of(a, inner->tables.items[i]);
        bool is_covered = false;
        for (size_t j = 0; j < outer->tables.count && !is_covered; j++) {
            cli_pattern q = cli_pattern_of(a, outer->tables.items[j]);
            is_covered = cli_pattern_covers(&q, &p);
        }
        if (!is_covered)
            return false;
    }
    return true;
}

/* Does everyone whom the inner rule is for come under the outer one too? */
static bool people_cover(finding_rules *f, const gh_acl_rule *outer, const gh_acl_rule *inner)
{
    const cli_people *people = &f->l->people;

    for (size_t i = 0; i < inner->to.count; i++) {
        gh_str who = inner->to.items[i];
        size_t user = cli_people_principal_user(people, who);
        gh_str_list roles =
            user != SIZE_MAX ? f->l->acl->users[user].roles : (gh_str_list){ &who, 1 };
        bool is_covered = false;
        memset(f->is_held, 0, f->l->acl->role_count + 1);
        (void)cli_people_hold(people, roles, f->is_held);
        for (size_t j = 0; j < outer->to.count && !is_covered; j++) {
            size_t role = cli_people_role(people, outer->to.items[j]);
            is_covered =
                gh_str_eq(outer->to.items[j], who) || (role != SIZE_MAX && f->is_held[role]);
        }
        if (!is_covered)
            return false;
    }
    return true;
}

static const gh_acl_column_mask *mask_of(gh_arena *a, const gh_acl_rule *r, gh_str column)
{
    for (size_t i = 0; i < r->mask_count; i++)
        if (gh_str_eq(cli_name_of(a, r->masks[i].column), column))
            return &r->masks[i];
    return NULL;
}

/* Does the outer grant show each column that the inner one gives at least as clearly? */
static bool masks_cover(const lint *l, const gh_acl_rule *outer, const gh_acl_rule *inner)
{
    const gh_acl *acl = l->acl;

    for (size_t i = 0; i < outer->mask_count; i++) {
        gh_str column = cli_name_of(l->arena, outer->masks[i].column);
        const gh_acl_column_mask *m = mask_of(l->arena, inner, column);
        bool comparable = false;
        gh_mask x;
        gh_mask y;
        if (!cli_rule_names_column(l->arena, inner, column))
            continue;
        if (m == NULL)
            return false;
        if (gh_str_eq(m->mask, outer->masks[i].mask))
            continue;
        if (gh_mask_parse(outer->masks[i].mask, acl->masks, acl->mask_count, l->arena, &x, NULL) !=
                GH_OK ||
            gh_mask_parse(m->mask, acl->masks, acl->mask_count, l->arena, &y, NULL) != GH_OK)
            return false;
        if (gh_mask_compare(&x, &y, &comparable) > 0 || !comparable)
            return false;
    }
    return true;
}

static bool outlasts(const gh_acl_rule *outer, const gh_acl_rule *inner)
{
    return outer->valid_from <= inner->valid_from && inner->valid_until <= outer->valid_until;
}

static bool covers(finding_rules *f, const gh_acl_rule *outer, const gh_acl_rule *inner)
{
    gh_arena *a = f->l->arena;

    if ((inner->privileges & ~outer->privileges) != 0 || !outlasts(outer, inner))
        return false;
    if (outer->rows.len > 0 && (outer->is_deny || !gh_str_eq(outer->rows, inner->rows)))
        return false;
    if (!outer->is_deny &&
        ((inner->is_blind && !outer->is_blind) || (outer->is_through && !inner->is_through)))
        return false;
    return tables_cover(a, outer, inner) && columns_cover(a, outer, inner) &&
           (outer->is_deny || masks_cover(f->l, outer, inner)) && people_cover(f, outer, inner);
}

/* ---- candidates ------------------------------------------------------------------------------ */

static uint64_t key_of(gh_str principal, gh_str table)
{
    return gh_hash(table.ptr, table.len, gh_hash(principal.ptr, principal.len, 1));
}

static bool has_star(gh_str text)
{
    return memchr(text.ptr, '*', text.len) != NULL;
}

static void add_entries(finding_rules *f, uint32_t rule)
{
    const gh_acl_rule *r = &f->l->acl->rules[rule];

    for (size_t i = 0; i < r->to.count; i++) {
        for (size_t j = 0; j < r->tables.count; j++) {
            gh_str table = has_star(r->tables.items[j]) ? GH_STR("*") : r->tables.items[j];
            if (f->count == f->cap) {
                f->cap = f->cap == 0 ? 256 : f->cap * 2;
                f->entries = gh_realloc_array(f->entries, f->cap, sizeof(*f->entries));
            }
            f->entries[f->count++] = (entry){ key_of(r->to.items[i], table), rule };
        }
    }
}

static int entry_order(const void *x, const void *y)
{
    const entry *a = x;
    const entry *b = y;

    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return a->rule == b->rule ? 0 : a->rule < b->rule ? -1 : 1;
}

static size_t first_at(const finding_rules *f, uint64_t key)
{
    size_t low = 0;
    size_t high = f->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (f->entries[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Of two rules that cover each other, the later one is the useless one. */
static bool is_candidate(finding_rules *f, uint32_t inner, uint32_t outer)
{
    const gh_acl_rule *rules = f->l->acl->rules;

    if (inner == outer || !covers(f, &rules[outer], &rules[inner]))
        return false;
    return rules[outer].is_deny || outer < inner || !covers(f, &rules[inner], &rules[outer]);
}

/* The rule that covers this one, among those of the principal and the table. */
static const gh_acl_rule *search(finding_rules *f, uint32_t inner, gh_str who, gh_str table)
{
    uint64_t key = key_of(who, table);

    for (size_t i = first_at(f, key); i < f->count && f->entries[i].key == key; i++)
        if (is_candidate(f, inner, f->entries[i].rule))
            return &f->l->acl->rules[f->entries[i].rule];
    return NULL;
}

static const gh_acl_rule *search_for(finding_rules *f, uint32_t inner, gh_str who)
{
    gh_str table = f->l->acl->rules[inner].tables.items[0];
    const gh_acl_rule *found = has_star(table) ? NULL : search(f, inner, who, table);

    return found != NULL ? found : search(f, inner, who, GH_STR("*"));
}

/* By its first principal, and by all roles that this one is in. */
static const gh_acl_rule *find_cover(finding_rules *f, uint32_t inner)
{
    const gh_acl *acl = f->l->acl;
    gh_str who = acl->rules[inner].to.items[0];
    size_t user = cli_people_principal_user(&f->l->people, who);
    gh_str_list roles = user != SIZE_MAX ? acl->users[user].roles : (gh_str_list){ &who, 1 };
    bool *is_held = gh_alloc(acl->role_count + 1);
    const gh_acl_rule *found = search_for(f, inner, who);

    if (found == NULL && cli_people_hold(&f->l->people, roles, is_held) > 0) {
        for (size_t i = 0; i < acl->role_count && found == NULL; i++)
            if (is_held[i] && !gh_str_eq(acl->roles[i].name, who))
                found = search_for(f, inner, acl->roles[i].name);
    }
    free(is_held);
    return found;
}

void lint_rules(lint *l)
{
    finding_rules f = { .l = l };
    const gh_acl *acl = l->acl;

    f.is_held = gh_alloc(acl->role_count + 1);
    for (size_t i = 0; i < acl->rule_count; i++)
        add_entries(&f, (uint32_t)i);
    if (f.count > 1)
        qsort(f.entries, f.count, sizeof(*f.entries), entry_order);
    for (size_t i = 0; i < acl->rule_count; i++) {
        const gh_acl_rule *r = &acl->rules[i];
        if (r->is_deny || r->to.count == 0 || r->tables.count == 0)
            continue;
        const gh_acl_rule *by = find_cover(&f, (uint32_t)i);
        if (by == NULL)
            continue;
        gh_str where = cli_place(l->arena, by->place, by->is_deny ? "deny" : "grant", by->id);
        if (by->is_deny)
            lint_warning(l, "denied-grant", lint_at_rule(r),
                         "the deny at " GH_STR_FMT " takes away all that this grant gives",
                         GH_STR_ARG(where));
        else
            lint_warning(l, "useless-grant", lint_at_rule(r),
                         "the grant at " GH_STR_FMT " gives all this already", GH_STR_ARG(where));
    }
    free(f.is_held);
    free(f.entries);
}
