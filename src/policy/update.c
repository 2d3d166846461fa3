/*
 * The next policy from the last one and what changed, in a time that depends on what changed.
 *
 *     last ──share──▶ base: strings, patterns, rules, what most principals hold
 *          ──copy───▶ what earlier updates added to it (small, or the whole is compiled anew)
 *     change ──────▶ roles and users of these names are replaced; rules of these ids leave what
 *                    principals hold; rules that are there now are compiled and enter
 *
 * Numbers never change their meaning within a base, so what did not change can be shared and
 * compared by its stamp. What left stays as garbage until the whole is compiled again.
 *
 * The answer is that of gh_policy_compile over the whole ACL, but for pol_check_masks: what that
 * refuses is refused where the ACL is changed, and shows NULL here. Whatever looks odd is
 * GH_AGAIN: the whole decides. Test: tests/unit/store, updates_agree_with_the_whole.
 */
#include "compile_priv.h"

#include <stdatomic.h>
#include <stdlib.h>

/* How much an update may stand beside its base before the whole is compiled anew. */
enum { OWN_MIN = 2048, OWN_PART = 16 };

typedef struct update {
    pol_builder b;
    const gh_policy *last;
    const gh_acl_change *change;
    uint64_t *left; /* rules of `last` that are no longer held, as bits */
    bool has_left;
    bool has_gone; /* a role or user is */
} update;

static gh_rc again(const update *u, const char *why)
{
    return gh_fail(u->b.err, GH_AGAIN, POL_SQLSTATE, "compile the whole: %s", why);
}

/* ---- the last one's part --------------------------------------------------------------------- */

static const pol_role *copy_role(const gh_policy *p, const pol_role *r)
{
    pol_role *copy = gh_arena_alloc(p->arena, sizeof(*copy));
    uint32_t *of = gh_arena_alloc(p->arena, ((size_t)r->member_of_count + 1) * sizeof(*of));

    GH_ASSERT(copy != NULL); /* the arena has no budget */
    GH_ASSERT(of != NULL);
    *copy = *r;
    if (r->member_of_count > 0)
        memcpy(of, r->member_of, r->member_of_count * sizeof(*of));
    copy->name = gh_arena_dup(p->arena, r->name);
    copy->member_of = of;
    return copy;
}

static const pol_user *copy_user(const gh_policy *p, const pol_user *from)
{
    pol_user *u = gh_arena_alloc(p->arena, sizeof(*u));
    uint32_t *roles = gh_arena_alloc(p->arena, ((size_t)from->role_count + 1) * sizeof(*roles));
    gh_acl_attribute *list = gh_arena_alloc(p->arena, (from->attribute_count + 1) * sizeof(*list));

    GH_ASSERT(u != NULL);
    GH_ASSERT(roles != NULL);
    GH_ASSERT(list != NULL);
    *u = *from;
    if (from->role_count > 0)
        memcpy(roles, from->roles, from->role_count * sizeof(*roles));
    u->roles = roles;
    u->pub.name = gh_arena_dup(p->arena, from->pub.name);
    u->pub.verifier = gh_arena_dup(p->arena, from->pub.verifier);
    for (size_t i = 0; i < from->attribute_count; i++) {
        const gh_acl_attribute *a = &from->attributes[i];
        gh_str *values = gh_arena_alloc(p->arena, (a->values.count + 1) * sizeof(*values));

        GH_ASSERT(values != NULL);
        for (size_t j = 0; j < a->values.count; j++)
            values[j] = gh_arena_dup(p->arena, a->values.items[j]);
        list[i] = (gh_acl_attribute){ .name = gh_arena_dup(p->arena, a->name),
                                      .is_list = a->is_list,
                                      .values = { values, a->values.count } };
    }
    u->attributes = list;
    return u;
}

static pol_held *new_held(const gh_policy *p, size_t by_name, size_t by_glob, size_t boundaries)
{
    pol_held *h = gh_arena_alloc(p->arena, sizeof(*h));

    GH_ASSERT(h != NULL);
    h->by_name = gh_arena_alloc(p->arena, (by_name + 1) * sizeof(*h->by_name));
    h->by_glob = gh_arena_alloc(p->arena, (by_glob + 1) * sizeof(*h->by_glob));
    h->boundaries = gh_arena_alloc(p->arena, (boundaries + 1) * sizeof(*h->boundaries));
    GH_ASSERT(h->by_name != NULL);
    GH_ASSERT(h->by_glob != NULL);
    GH_ASSERT(h->boundaries != NULL);
    return h;
}

static const pol_held *copy_held(const gh_policy *p, const pol_held *from)
{
    pol_held *h = new_held(p, from->by_name_count, from->by_glob_count, from->boundary_count);
    pol_held parts = *h;

    *h = *from;
    h->by_name = parts.by_name;
    h->by_glob = parts.by_glob;
    h->boundaries = parts.boundaries;
    if (h->by_name_count > 0)
        memcpy(h->by_name, from->by_name, h->by_name_count * sizeof(*h->by_name));
    if (h->by_glob_count > 0)
        memcpy(h->by_glob, from->by_glob, h->by_glob_count * sizeof(*h->by_glob));
    if (h->boundary_count > 0)
        memcpy(h->boundaries, from->boundaries, h->boundary_count * sizeof(*h->boundaries));
    return h;
}

/* Pointers into the base are kept, what earlier updates made is copied. */
static void follow_people(gh_policy *p, const gh_policy *last, const gh_acl_change *change)
{
    const gh_policy *base = p->base;
    size_t principals;

    p->role_count = last->role_count;
    p->user_count = last->user_count;
    p->roles = gh_alloc((last->role_count + change->now.role_count + 1) * sizeof(*p->roles));
    p->users = gh_alloc((last->user_count + change->now.user_count + 1) * sizeof(*p->users));
    for (uint32_t i = 0; i < last->role_count; i++) {
        bool is_own = i >= base->role_count || last->roles[i] != base->roles[i];

        p->own += is_own;
        p->roles[i] =
            is_own && last->roles[i] != NULL ? copy_role(p, last->roles[i]) : last->roles[i];
    }
    for (uint32_t i = 0; i < last->user_count; i++) {
        bool is_own = i >= base->user_count || last->users[i] != base->users[i];

        p->own += is_own;
        p->users[i] =
            is_own && last->users[i] != NULL ? copy_user(p, last->users[i]) : last->users[i];
    }
    principals = pol_principal_count(last);
    p->held = gh_alloc((principals + 2 * (change->now.role_count + change->now.user_count) + 2) *
                       sizeof(*p->held));
    for (size_t i = 0; i < principals; i++) {
        bool is_own = i >= pol_principal_count(base) || last->held[i] != base->held[i];

        p->own += is_own;
        p->held[i] = is_own && last->held[i] != NULL ? copy_held(p, last->held[i]) : last->held[i];
    }
    p->entry_count = last->entry_count;
}

static void follow_rules(gh_policy *p, const gh_policy *last, const gh_acl_change *change)
{
    size_t own = last->base != NULL ? last->rule_count - last->rule_first : 0;

    p->rule_first = p->base->rule_count;
    p->rule_count = last->rule_count;
    p->rules = gh_alloc((own + change->now.rule_count + 1) * sizeof(*p->rules));
    if (own > 0)
        memcpy(p->rules, last->rules, own * sizeof(*p->rules));
    p->own += own;
    own = last->base != NULL ? last->pattern_count - last->pattern_first : 0;
    p->pattern_first = p->base->pattern_count;
    p->pattern_count = last->pattern_count;
    p->patterns = gh_alloc((own + 1) * sizeof(*p->patterns));
    if (own > 0)
        memcpy(p->patterns, last->patterns, own * sizeof(*p->patterns));
    p->own += own;
}

static gh_policy *follow(gh_policy *last, const gh_acl_change *change)
{
    gh_policy *p = gh_alloc(sizeof(*p));

    p->refs = 1;
    p->base = gh_policy_acquire(last->base != NULL ? last->base : last);
    p->arena = gh_arena_new(0);
    p->version = change->now.version;
    p->hash_key = gh_arena_dup(p->arena, last->hash_key);
    pol_strings_follow(&p->strings, &last->strings, p->arena);
    pol_strings_follow(&p->role_names, &last->role_names, p->arena);
    pol_strings_follow(&p->user_names, &last->user_names, p->arena);
    pol_strings_follow(&p->mask_texts, &last->mask_texts, p->arena);
    pol_strings_follow(&p->tag_names, &last->tag_names, p->arena);
    pol_lists_follow(&p->lists, &last->lists);
    pol_relations_follow(&p->exact, &last->exact);
    p->own = p->strings.count;
    follow_people(p, last, change);
    follow_rules(p, last, change);
    p->mask_first = p->base->mask_count;
    p->mask_count = p->mask_first;
    p->tags = last->tags;
    atomic_fetch_add_explicit(&p->tags->refs, 1, memory_order_relaxed);
    p->functions = last->functions;
    atomic_fetch_add_explicit(&p->functions->refs, 1, memory_order_relaxed);
    return p;
}

/* ---- roles, users ---------------------------------------------------------------------------- */

/* The number of a name, from 0; POL_NONE. */
static uint32_t number_of(const pol_strings *names, gh_str name)
{
    uint32_t n = pol_strings_find(names, name);

    return n == POL_NONE || n == 0 ? POL_NONE : n - 1;
}

static gh_rc put_role(update *u, const gh_acl_role *from)
{
    gh_policy *p = u->b.p;
    gh_rc rc = pol_check_name(from->name, "role", u->b.err);
    pol_role *r = gh_arena_alloc(p->arena, sizeof(*r));
    uint32_t number;

    if (rc != GH_OK)
        return rc;
    GH_ASSERT(r != NULL);
    number = pol_strings_add(&p->role_names, from->name);
    *r = (pol_role){ .name = pol_strings_at(&p->role_names, number),
                     .may = from->may,
                     .stamp = p->version };
    p->roles[number - 1] = r;
    if (number > p->role_count)
        p->role_count = number;
    return GH_OK;
}

/* What changed is taken away first; what is not put back is gone. */
static gh_rc update_roles(update *u)
{
    gh_policy *p = u->b.p;
    const gh_acl *now = &u->change->now;
    gh_str_list names = u->change->roles;
    gh_rc rc = GH_OK;

    for (size_t i = 0; i < names.count; i++) {
        uint32_t n = number_of(&p->role_names, names.items[i]);

        if (n != POL_NONE)
            p->roles[n] = NULL;
    }
    for (size_t i = 0; i < now->role_count && rc == GH_OK; i++)
        rc = put_role(u, &now->roles[i]);
    for (size_t i = 0; i < now->role_count && rc == GH_OK; i++) {
        uint32_t n = number_of(&p->role_names, now->roles[i].name);

        /* put_role has just made it */
        rc = pol_take_role_members(&u->b, &now->roles[i], (pol_role *)(uintptr_t)p->roles[n]);
    }
    for (size_t i = 0; i < names.count; i++) {
        uint32_t n = number_of(&p->role_names, names.items[i]);

        u->has_gone = u->has_gone || (n != POL_NONE && p->roles[n] == NULL);
    }
    return rc == GH_OK && names.count > 0 ? pol_check_cycles(&u->b) : rc;
}

static gh_rc put_user(update *u, const gh_acl_user *from)
{
    gh_policy *p = u->b.p;
    gh_rc rc = pol_check_name(from->name, "user", u->b.err);
    pol_user *to = gh_arena_alloc(p->arena, sizeof(*to));
    uint32_t number;

    if (rc != GH_OK)
        return rc;
    GH_ASSERT(to != NULL);
    number = pol_strings_add(&p->user_names, from->name);
    rc = pol_take_user(&u->b, from, pol_strings_at(&p->user_names, number), to);
    if (rc != GH_OK)
        return rc;
    p->users[number - 1] = to;
    if (number > p->user_count)
        p->user_count = number;
    return GH_OK;
}

static gh_rc update_users(update *u)
{
    gh_policy *p = u->b.p;
    const gh_acl *now = &u->change->now;
    gh_str_list names = u->change->users;
    gh_rc rc = GH_OK;

    for (size_t i = 0; i < names.count; i++) {
        uint32_t n = number_of(&p->user_names, names.items[i]);

        if (n != POL_NONE)
            p->users[n] = NULL;
    }
    for (size_t i = 0; i < now->user_count && rc == GH_OK; i++)
        rc = put_user(u, &now->users[i]);
    for (size_t i = 0; i < names.count; i++) {
        uint32_t n = number_of(&p->user_names, names.items[i]);

        u->has_gone = u->has_gone || (n != POL_NONE && p->users[n] == NULL);
    }
    return rc;
}

/* ---- masks, tags, functions ------------------------------------------------------------------ */

/* A name that rules use stands for its expression in the masks that they share. */
static gh_rc update_masks(update *u)
{
    gh_policy *p = u->b.p;

    for (size_t i = 0; i < u->change->masks.count; i++) {
        uint32_t number = pol_strings_find(&p->mask_texts, pol_trim(u->change->masks.items[i]));

        if (number != POL_NONE && number != 0)
            return again(u, "a named mask that is used");
    }
    for (uint32_t i = p->mask_first; i < u->last->mask_count; i++)
        pol_add_mask(&u->b, pol_mask_at(u->last, i));
    return pol_compile_mask_defs(&u->b);
}

static gh_rc update_tags(update *u)
{
    if (!u->change->has_tags)
        return GH_OK;
    pol_tags_release(u->b.p->tags);
    u->b.p->tags = NULL;
    return pol_compile_tags(&u->b);
}

static gh_rc update_functions(update *u)
{
    if (!u->change->has_functions)
        return GH_OK;
    pol_functions_release(u->b.p->functions);
    u->b.p->functions = NULL;
    return pol_compile_functions(&u->b);
}

/* ---- rules ----------------------------------------------------------------------------------- */

static int id_order(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;

    return x == y ? 0 : x < y ? -1 : 1;
}

static int rule_id_order(const void *id, const void *rule)
{
    return id_order(id, &((const pol_rule *)rule)->id);
}

static void leave(update *u, uint32_t rule)
{
    u->left[rule / 64] |= UINT64_C(1) << (rule % 64);
    u->has_left = true;
}

static bool has_left(const update *u, const pol_entry *e)
{
    return (u->left[e->rule / 64] >> (e->rule % 64) & 1) != 0;
}

/* The base's rules ascend by id; a rule that was changed before has its id there, too. */
static void find_left(update *u)
{
    const gh_policy *p = u->b.p;
    const gh_acl_change *c = u->change;

    u->left = gh_alloc(((size_t)u->last->rule_count / 64 + 1) * sizeof(*u->left));
    for (size_t i = 0; i < c->rule_count; i++) {
        const pol_rule *r = bsearch(&c->rules[i], p->base->rules, p->base->rule_count,
                                    sizeof(*p->base->rules), rule_id_order);

        if (r != NULL)
            leave(u, (uint32_t)(r - p->base->rules));
    }
    for (uint32_t i = p->rule_first; i < u->last->rule_count; i++) {
        if (bsearch(&pol_rule_at(p, i)->id, c->rules, c->rule_count, sizeof(*c->rules), id_order) !=
            NULL)
            leave(u, i);
    }
}

static int triple_order(const void *x, const void *y)
{
    const pol_triple *a = x;
    const pol_triple *b = y;

    if (a->principal != b->principal)
        return a->principal < b->principal ? -1 : 1;
    if (a->pattern != b->pattern)
        return a->pattern < b->pattern ? -1 : 1;
    return a->rule == b->rule ? 0 : a->rule < b->rule ? -1 : 1;
}

/* What stays of `old` and the triples of that kind, merged by pattern. The number of entries. */
static uint32_t merge(const update *u, const pol_entry *old, uint32_t old_count,
                      const pol_triple *more, size_t more_count, bool is_exact, pol_entry *out)
{
    uint32_t count = 0;
    uint32_t i = 0;

    for (size_t j = 0; j <= more_count; j++) {
        bool is_last = j == more_count;

        if (!is_last && pol_pattern_is_exact(pol_pattern_at(u->b.p, more[j].pattern)) != is_exact)
            continue;
        for (; i < old_count && (is_last || old[i].pattern <= more[j].pattern); i++) {
            if (!u->has_left || !has_left(u, &old[i]))
                out[count++] = old[i];
        }
        if (!is_last)
            out[count++] = (pol_entry){ more[j].pattern, more[j].rule };
    }
    return count;
}

static void add_boundaries(const gh_policy *p, const pol_entry *entries, uint32_t count,
                           int64_t *out, uint32_t *n)
{
    for (uint32_t i = 0; i < count; i++) {
        const pol_rule *r = pol_rule_at(p, entries[i].rule);
        int64_t from;
        int64_t until;

        if (r->validity == 0)
            continue;
        pol_rule_validity(p, r, &from, &until);
        if (from != INT64_MIN)
            out[(*n)++] = from;
        if (until != INT64_MAX)
            out[(*n)++] = until;
    }
}

/* A principal's rules anew; `more` are its triples. */
static void rebuild(update *u, uint32_t principal, const pol_triple *more, size_t more_count)
{
    gh_policy *p = u->b.p;
    const pol_held *old = pol_held_by(p, principal);
    size_t by_name = old->by_name_count + more_count;
    size_t by_glob = old->by_glob_count + more_count;
    int64_t *times = gh_alloc((2 * (by_name + by_glob) + 1) * sizeof(*times));
    uint32_t count = 0;
    pol_held *h = new_held(p, by_name, by_glob, 0);

    h->stamp = p->version;
    h->by_name_count =
        merge(u, old->by_name, old->by_name_count, more, more_count, true, h->by_name);
    h->by_glob_count =
        merge(u, old->by_glob, old->by_glob_count, more, more_count, false, h->by_glob);
    add_boundaries(p, h->by_name, h->by_name_count, times, &count);
    add_boundaries(p, h->by_glob, h->by_glob_count, times, &count);
    if (count > 1)
        qsort(times, count, sizeof(*times), id_order);
    h->boundaries = gh_arena_alloc(p->arena, ((size_t)count + 1) * sizeof(*h->boundaries));
    GH_ASSERT(h->boundaries != NULL);
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || times[i] != times[i - 1])
            h->boundaries[h->boundary_count++] = times[i];
    }
    free(times);
    p->entry_count += (size_t)h->by_name_count + h->by_glob_count;
    p->entry_count -= (size_t)old->by_name_count + old->by_glob_count;
    p->held[principal] = h;
}

static bool loses(const update *u, const pol_held *h)
{
    for (uint32_t i = 0; i < h->by_name_count; i++) {
        if (has_left(u, &h->by_name[i]))
            return true;
    }
    for (uint32_t i = 0; i < h->by_glob_count; i++) {
        if (has_left(u, &h->by_glob[i]))
            return true;
    }
    return false;
}

static gh_rc update_rules(update *u)
{
    gh_policy *p = u->b.p;
    const gh_acl *now = &u->change->now;
    size_t at = 0;

    find_left(u);
    for (size_t i = 0; i < now->rule_count; i++) {
        gh_rc rc = pol_take_rule(&u->b, &now->rules[i], p->rule_count);

        if (rc != GH_OK)
            return rc;
        p->rule_count++;
    }
    if (u->b.triple_count > 1)
        qsort(u->b.triples, u->b.triple_count, sizeof(*u->b.triples), triple_order);
    for (uint32_t principal = 0; principal < pol_principal_count(p); principal++) {
        size_t first = at;

        while (at < u->b.triple_count && u->b.triples[at].principal == principal)
            at++;
        if (at > first || (u->has_left && loses(u, pol_held_by(p, principal))))
            rebuild(u, principal, &u->b.triples[first], at - first);
    }
    return p->entry_count > GH_POLICY_ENTRIES_MAX ? again(u, "too many entries") : GH_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static bool is_there(const gh_policy *p, uint32_t principal)
{
    return pol_principal_is_role(principal) ? p->roles[principal / 2] != NULL
                                            : p->users[principal / 2] != NULL;
}

static bool are_there(const gh_policy *p, const uint32_t *roles, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (p->roles[roles[i]] == NULL)
            return false;
    }
    return true;
}

/* Does anything still name a role or user that is gone? */
static bool names_the_gone(const gh_policy *p)
{
    for (uint32_t i = 0; i < p->role_count; i++) {
        const pol_role *r = p->roles[i];
        const pol_held *h = pol_held_by(p, pol_principal_of_role(i));

        if (r == NULL ? h->by_name_count + h->by_glob_count > 0
                      : !are_there(p, r->member_of, r->member_of_count))
            return true;
    }
    for (uint32_t i = 0; i < p->user_count; i++) {
        const pol_user *u = p->users[i];
        const pol_held *h = pol_held_by(p, pol_principal_of_user(i));

        if (u == NULL ? h->by_name_count + h->by_glob_count > 0
                      : !are_there(p, u->roles, u->role_count))
            return true;
    }
    for (uint32_t i = 0; i < p->functions->count; i++) {
        if (!is_there(p, p->functions->items[i].principal))
            return true;
    }
    for (uint32_t i = 0; i < p->tags->masking_count; i++) {
        const pol_masking *m = &p->tags->maskings[i];

        for (uint32_t j = 0; j < m->except_count; j++) {
            if (!is_there(p, m->except[j]))
                return true;
        }
    }
    return false;
}

/* Is `last` such that updates can stand on it? */
static gh_rc check_last(const update *u, const gh_policy *last)
{
    const gh_policy *base = last->base != NULL ? last->base : last;

    if (u->change->now.version <= last->version)
        return again(u, "the version is no later one");
    if (!gh_str_eq(u->change->now.hash_key, last->hash_key))
        return again(u, "another key of the hash mask");
    for (uint32_t i = 0; last->base == NULL && i < base->rule_count; i++) {
        if (base->rules[i].id <= (i == 0 ? 0 : base->rules[i - 1].id))
            return again(u, "rules without ids");
    }
    if (last->own > OWN_MIN + (base->rule_count + base->user_count) / OWN_PART)
        return again(u, "many updates");
    return GH_OK;
}

gh_rc gh_policy_update(gh_policy *last, const gh_acl_change *change, gh_policy **out, gh_err *err)
{
    static gh_rc (*const steps[])(update *) = { update_roles, update_users, update_masks,
                                                update_tags,  update_rules, update_functions };
    update u = { .last = last, .change = change, .b = { .err = err } };
    gh_rc rc = check_last(&u, last);

    if (rc != GH_OK)
        return rc;
    pol_builder_init(&u.b, follow(last, change), &change->now, err);
    for (size_t i = 0; i < GH_COUNT(steps) && rc == GH_OK; i++)
        rc = steps[i](&u);
    if (rc == GH_OK && u.has_gone && names_the_gone(u.b.p))
        rc = again(&u, "something names what is gone");
    if (rc == GH_OK) {
        *out = u.b.p;
        u.b.p = NULL;
    }
    free(u.left);
    pol_builder_fini(&u.b);
    return rc;
}
