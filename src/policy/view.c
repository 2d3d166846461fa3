/*
 * Views: one user's share of a policy in one warehouse at one moment.
 *
 *     user ─▶ roles, their roles, ... ─▶ principals (numbers, ascending) ─▶ decide(relation)
 *
 * A view remembers what it decided. The memo's key is the relation's oid; an entry holds for a
 * newer catalog too, if the relation's names and types are what they were, so that the tables that
 * did not change cost nothing when another one does, and a session's memory does not grow with
 * every epoch.
 */
#include "policy_priv.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MEMO_BUCKETS_MIN 16

const pol_held pol_holds_nothing;

struct gh_view {
    _Atomic unsigned int refs; /* as gh_policy's */
    gh_policy *policy;
    gh_arena *arena;
    gh_str warehouse;
    gh_str user;
    const pol_user *entry; /* NULL: unknown or disabled, shows nothing */
    gh_str_list roles;
    uint32_t may;
    bool has_any_grant;
    uint32_t *principals;
    uint32_t principal_count;
    int64_t now;
    int64_t valid_until;
    pthread_mutex_t lock; /* guards what follows, and the arena's growth */
    pol_memo **memo;
    size_t memo_mask;
    size_t memo_count;
    uint64_t kept_epoch;
    size_t kept_size; /* 0: nothing is kept */
    void *kept;
};

/* ---- principals ----------------------------------------------------------------------------- */

size_t pol_principal_count(const gh_policy *p)
{
    return 2 * (size_t)(p->role_count > p->user_count ? p->role_count : p->user_count);
}

void pol_closure_init(pol_closure *c, const gh_policy *p)
{
    *c = (pol_closure){ 0 };
    c->bits = gh_alloc((pol_principal_count(p) / 64 + 1) * sizeof(*c->bits));
    c->items = gh_alloc((pol_principal_count(p) + 1) * sizeof(*c->items));
}

void pol_closure_fini(pol_closure *c)
{
    free(c->bits);
    free(c->items);
    *c = (pol_closure){ 0 };
}

static void closure_add(pol_closure *c, uint32_t principal)
{
    uint64_t bit = UINT64_C(1) << (principal % 64);

    if ((c->bits[principal / 64] & bit) == 0) {
        c->bits[principal / 64] |= bit;
        c->items[c->count++] = principal;
    }
}

static int number_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x == y ? 0 : x < y ? -1 : 1;
}

/* Every role is met once, so diamonds cost nothing; compile has refused cycles. */
void pol_closure_of_user(pol_closure *c, const gh_policy *p, uint32_t user)
{
    const pol_user *u = p->users[user];

    for (uint32_t i = 0; i < c->count; i++)
        c->bits[c->items[i] / 64] = 0;
    c->count = 0;
    for (uint32_t i = 0; i < u->role_count; i++)
        closure_add(c, pol_principal_of_role(u->roles[i]));
    for (uint32_t i = 0; i < c->count; i++) {
        const pol_role *r = p->roles[c->items[i] / 2];

        for (uint32_t j = 0; j < r->member_of_count; j++)
            closure_add(c, pol_principal_of_role(r->member_of[j]));
    }
    closure_add(c, pol_principal_of_user(user));
    qsort(c->items, c->count, sizeof(*c->items), number_order);
}

/* ---- making a view -------------------------------------------------------------------------- */

static int str_order(const void *a, const void *b)
{
    return gh_str_cmp(*(const gh_str *)a, *(const gh_str *)b);
}

static void take_roles(gh_view *v)
{
    const gh_policy *p = v->policy;
    gh_str *names = gh_arena_alloc(v->arena, ((size_t)v->principal_count + 1) * sizeof(*names));
    size_t count = 0;

    for (uint32_t i = 0; i < v->principal_count; i++) {
        if (pol_principal_is_role(v->principals[i])) {
            const pol_role *r = p->roles[v->principals[i] / 2];

            v->may |= r->may;
            names[count++] = r->name;
        }
    }
    qsort(names, count, sizeof(*names), str_order);
    v->roles = (gh_str_list){ names, count };
}

/* The first boundary after `now` of any rule of the user's. */
static void take_validity(gh_view *v)
{
    const gh_policy *p = v->policy;

    for (uint32_t i = 0; i < v->principal_count; i++) {
        const pol_held *held = pol_held_by(p, v->principals[i]);
        uint32_t low = 0;
        uint32_t end = held->boundary_count;
        uint32_t high = end;

        while (low < high) {
            uint32_t middle = low + (high - low) / 2;

            if (held->boundaries[middle] <= v->now)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < end && held->boundaries[low] < v->valid_until)
            v->valid_until = held->boundaries[low];
    }
}

static bool grants_here(const gh_view *v, const pol_entry *entries, uint32_t count)
{
    const gh_policy *p = v->policy;

    for (uint32_t i = 0; i < count; i++) {
        const pol_rule *r = pol_rule_at(p, entries[i].rule);
        int64_t from;
        int64_t until;

        pol_rule_validity(p, r, &from, &until);
        if ((r->flags & POL_DENY) == 0 && from <= v->now && v->now < until &&
            pol_pattern_in_warehouse(p, pol_pattern_at(p, entries[i].pattern), v->warehouse))
            return true;
    }
    return false;
}

static bool find_any_grant(const gh_view *v)
{
    if ((v->may & GH_MAY_BYPASS) != 0)
        return true;
    for (uint32_t i = 0; i < v->principal_count; i++) {
        const pol_held *held = pol_held_by(v->policy, v->principals[i]);

        if (grants_here(v, held->by_name, held->by_name_count) ||
            grants_here(v, held->by_glob, held->by_glob_count))
            return true;
    }
    return false;
}

/* It shows nothing. */
static gh_view *new_view(gh_policy *p, gh_str warehouse, gh_str user, int64_t now)
{
    gh_view *v = gh_alloc(sizeof(*v));

    v->refs = 1;
    v->policy = gh_policy_acquire(p);
    v->arena = gh_arena_new(0);
    v->warehouse = gh_arena_dup(v->arena, warehouse);
    v->user = gh_arena_dup(v->arena, user);
    v->now = now;
    v->valid_until = INT64_MAX;
    v->memo = gh_alloc(MEMO_BUCKETS_MIN * sizeof(v->memo[0]));
    v->memo_mask = MEMO_BUCKETS_MIN - 1;
    GH_ASSERT(pthread_mutex_init(&v->lock, NULL) == 0);
    return v;
}

gh_view *gh_view_new(gh_policy *p, gh_str warehouse, gh_str user, int64_t now)
{
    gh_view *v = new_view(p, warehouse, user, now);
    const pol_user *entry = pol_user_find(p, user);
    uint32_t number;
    pol_closure closure;

    if (entry == NULL || entry->pub.is_disabled)
        return v;
    v->entry = entry;
    number = pol_strings_find(&p->user_names, user);
    pol_closure_init(&closure, p);
    pol_closure_of_user(&closure, p, number - 1);
    v->principals = gh_arena_alloc(v->arena, closure.count * sizeof(*v->principals));
    memcpy(v->principals, closure.items, closure.count * sizeof(*v->principals));
    v->principal_count = closure.count;
    pol_closure_fini(&closure);
    take_roles(v);
    take_validity(v);
    v->has_any_grant = find_any_grant(v);
    return v;
}

gh_view *gh_view_acquire(gh_view *v)
{
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    return v;
}

void gh_view_release(gh_view *v)
{
    if (v == NULL || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1)
        return;
    gh_policy_release(v->policy);
    gh_arena_free(v->arena);
    (void)pthread_mutex_destroy(&v->lock);
    free(v->memo);
    free(v->kept);
    free(v);
}

/* ---- a view of the next policy ----------------------------------------------------------------- */

/*
 * SECURITY: stamps are compared within one base only: another base may have given the same version
 * to another content (a file put in the place of the first). Attack: tests/unit/store,
 * another_file_is_another_base.
 */
static bool is_still(const gh_view *v, const gh_policy *p, int64_t now)
{
    const gh_policy *old = v->policy;
    const pol_user *user = pol_user_find(p, v->user);

    if ((old->base != NULL ? old->base : old) != (p->base != NULL ? p->base : p) ||
        old->tags != p->tags || old->functions != p->functions || v->entry == NULL ||
        user == NULL || user->stamp != v->entry->stamp || now < v->now || now >= v->valid_until)
        return false;
    for (uint32_t i = 0; i < v->principal_count; i++) {
        uint32_t principal = v->principals[i];
        uint32_t n = principal / 2;

        if (pol_held_by(old, principal)->stamp != pol_held_by(p, principal)->stamp)
            return false;
        if (pol_principal_is_role(principal) &&
            (p->roles[n] == NULL || p->roles[n]->stamp != old->roles[n]->stamp))
            return false;
    }
    return true;
}

gh_view *gh_view_follow(const gh_view *v, gh_policy *p, int64_t now)
{
    gh_view *next;

    if (!is_still(v, p, now))
        return NULL;
    next = new_view(p, v->warehouse, v->user, v->now);
    next->valid_until = v->valid_until;
    next->entry = pol_user_find(p, v->user);
    next->principals =
        gh_arena_alloc(next->arena, ((size_t)v->principal_count + 1) * sizeof(*next->principals));
    GH_ASSERT(next->principals != NULL); /* the arena has no budget */
    memcpy(next->principals, v->principals, v->principal_count * sizeof(*next->principals));
    next->principal_count = v->principal_count;
    take_roles(next);
    next->has_any_grant = v->has_any_grant;
    return next;
}

/* ---- reading -------------------------------------------------------------------------------- */

uint64_t gh_view_policy_version(const gh_view *v)
{
    return v->policy->version;
}

int64_t gh_view_valid_until(const gh_view *v)
{
    return v->valid_until;
}

gh_str gh_view_user(const gh_view *v)
{
    return v->user;
}

gh_str gh_view_warehouse(const gh_view *v)
{
    return v->warehouse;
}

gh_str_list gh_view_roles(const gh_view *v)
{
    return v->roles;
}

uint32_t gh_view_may(const gh_view *v)
{
    return v->may;
}

bool gh_view_has_any_grant(const gh_view *v)
{
    return v->has_any_grant;
}

gh_str gh_view_hash_key(const gh_view *v)
{
    return v->policy->hash_key;
}

const gh_acl_attribute *gh_view_attribute(const gh_view *v, gh_str name)
{
    for (size_t i = 0; v->entry != NULL && i < v->entry->attribute_count; i++) {
        if (gh_str_eq(v->entry->attributes[i].name, name))
            return &v->entry->attributes[i];
    }
    return NULL;
}

bool gh_view_allows_function(const gh_view *v, gh_str schema, gh_str name)
{
    const gh_policy *p = v->policy;
    uint32_t schema_number = pol_strings_find(&p->strings, schema);
    uint32_t name_number = pol_strings_find(&p->strings, name);
    uint32_t at = 0;

    /* Both lists ascend by principal. */
    for (uint32_t i = 0; i < p->functions->count; i++) {
        const pol_function *f = &p->functions->items[i];

        while (at < v->principal_count && v->principals[at] < f->principal)
            at++;
        if (at == v->principal_count)
            return false;
        if (v->principals[at] == f->principal &&
            pol_pattern_in_warehouse(p, &f->pattern, v->warehouse) &&
            pol_part_match(p, f->pattern.parts[0], schema_number, schema) &&
            pol_part_match(p, f->pattern.parts[1], name_number, name))
            return true;
    }
    return false;
}

/* ---- the memo ------------------------------------------------------------------------------- */

static void put_shape_str(gh_buf *b, gh_str s)
{
    gh_buf_put_u32(b, (uint32_t)s.len);
    gh_buf_put_str(b, s);
}

/* Everything of a relation that a decision reads. */
static void put_shape(gh_buf *b, const gh_catalog *c, const gh_relation *r)
{
    put_shape_str(b, r->schema);
    put_shape_str(b, r->name);
    gh_buf_put_u8(b, (uint8_t)r->kind);
    for (uint16_t i = 0; i < r->column_count; i++) {
        put_shape_str(b, r->columns[i].name);
        gh_buf_put_u32(b, r->columns[i].type_oid);
        gh_buf_put_u32(b, (uint32_t)r->columns[i].typmod);
        gh_buf_put_u8(b, (uint8_t)pol_type_of(c, &r->columns[i]));
    }
}

static void memo_add(gh_view *v, pol_memo *m)
{
    if (v->memo_count > v->memo_mask) {
        size_t mask = v->memo_mask * 2 + 1;
        pol_memo **buckets = gh_alloc((mask + 1) * sizeof(buckets[0]));

        for (size_t i = 0; i <= v->memo_mask; i++) {
            while (v->memo[i] != NULL) {
                pol_memo *moved = v->memo[i];

                v->memo[i] = moved->next;
                moved->next = buckets[moved->oid & mask];
                buckets[moved->oid & mask] = moved;
            }
        }
        free(v->memo);
        v->memo = buckets;
        v->memo_mask = mask;
    }
    m->next = v->memo[m->oid & v->memo_mask];
    v->memo[m->oid & v->memo_mask] = m;
    v->memo_count++;
}

static const gh_decision *decide_anew(gh_view *v, const gh_catalog *c, const gh_relation *r,
                                      bool is_inside)
{
    uint64_t epoch = gh_catalog_epoch(c);
    pol_memo *m;
    gh_buf shape;

    gh_buf_init(&shape, 0);
    put_shape(&shape, c, r);
    for (m = v->memo[r->oid & v->memo_mask]; m != NULL; m = m->next) {
        if (m->oid == r->oid && m->is_inside == is_inside &&
            gh_str_eq(m->shape, gh_buf_str(&shape)))
            break;
    }
    if (m == NULL) {
        m = gh_arena_alloc(v->arena, sizeof(*m));
        GH_ASSERT(m != NULL); /* the arena has no budget */
        m->oid = r->oid;
        m->is_inside = is_inside;
        m->shape = gh_arena_dup(v->arena, gh_buf_str(&shape));
        m->decision = pol_decide(v->policy, v->warehouse, v->principals, v->principal_count, v->now,
                                 is_inside, c, r, v->arena);
        memo_add(v, m);
    }
    m->epoch = epoch;
    gh_buf_fini(&shape);
    return m->decision;
}

static const gh_decision *decide(gh_view *v, const gh_catalog *c, const gh_relation *r,
                                 bool is_inside)
{
    uint64_t epoch = gh_catalog_epoch(c);
    const gh_decision *d = NULL;

    GH_ASSERT(pthread_mutex_lock(&v->lock) == 0);
    for (const pol_memo *m = v->memo[r->oid & v->memo_mask]; m != NULL && d == NULL; m = m->next) {
        if (m->oid == r->oid && m->epoch == epoch && m->is_inside == is_inside)
            d = m->decision;
    }
    if (d == NULL)
        d = decide_anew(v, c, r, is_inside);
    GH_ASSERT(pthread_mutex_unlock(&v->lock) == 0);
    return d;
}

const gh_decision *gh_view_decide(gh_view *v, const gh_catalog *c, const gh_relation *r)
{
    return decide(v, c, r, false);
}

const gh_decision *gh_view_decide_inside(gh_view *v, const gh_catalog *c, const gh_relation *r)
{
    return decide(v, c, r, r->kind == 'v');
}

void gh_view_keep(gh_view *v, const gh_catalog *c, const void *bytes, size_t size)
{
    void *copy = gh_alloc(size);

    memcpy(copy, bytes, size);
    GH_ASSERT(pthread_mutex_lock(&v->lock) == 0);
    free(v->kept);
    v->kept = copy;
    v->kept_size = size;
    v->kept_epoch = gh_catalog_epoch(c);
    GH_ASSERT(pthread_mutex_unlock(&v->lock) == 0);
}

size_t gh_view_kept(gh_view *v, const gh_catalog *c, void *to, size_t size)
{
    size_t kept;

    GH_ASSERT(pthread_mutex_lock(&v->lock) == 0);
    kept = v->kept_epoch == gh_catalog_epoch(c) ? v->kept_size : 0;
    if (to != NULL && kept == size && size != 0)
        memcpy(to, v->kept, size);
    GH_ASSERT(pthread_mutex_unlock(&v->lock) == 0);
    return kept;
}

/* A relation of that name with one column, whose name nobody can write. */
bool gh_view_names(gh_view *v, const gh_catalog *c, gh_str schema, gh_str name)
{
    gh_column column = { .name = GH_STR(""), .attnum = 1, .type_oid = GH_OID_TEXT };
    gh_relation r = {
        .schema = schema, .name = name, .kind = 'c', .columns = &column, .column_count = 1
    };
    gh_arena *a = gh_arena_new(0);
    const gh_decision *d = pol_decide(v->policy, v->warehouse, v->principals, v->principal_count,
                                      v->now, false, c, &r, a);
    bool is_named = d->column_count == 1 && d->columns[0].show != GH_HIDDEN;

    gh_arena_free(a);
    return is_named;
}

/* "role" or "user:name". */
static void put_principal(const gh_view *v, uint32_t principal, gh_buf *b)
{
    const gh_policy *p = v->policy;

    if (pol_principal_is_role(principal)) {
        gh_buf_put_str(b, p->roles[principal / 2]->name);
        return;
    }
    gh_buf_puts(b, "user:");
    gh_buf_put_str(b, p->users[principal / 2]->pub.name);
}

/* Roles, then the user. */
static void sources_order(const gh_view *v, uint32_t *order)
{
    uint32_t count = 0;

    for (int is_role = 1; is_role >= 0; is_role--) {
        for (uint32_t i = 0; i < v->principal_count; i++) {
            if (pol_principal_is_role(v->principals[i]) == (is_role == 1))
                order[count++] = v->principals[i];
        }
    }
}

const gh_str *gh_view_sources(gh_view *v, const gh_catalog *c, const gh_relation *r, gh_arena *a,
                              int64_t *valid_until)
{
    gh_str *out = gh_arena_alloc(a, ((size_t)r->column_count + 1) * sizeof(*out));
    gh_buf *names = gh_alloc(((size_t)r->column_count + 1) * sizeof(*names));
    gh_arena *scratch = gh_arena_new(0);
    uint32_t *order = gh_arena_alloc(scratch, ((size_t)v->principal_count + 1) * sizeof(*order));

    GH_ASSERT(out != NULL);
    for (uint16_t i = 0; i < r->column_count; i++)
        gh_buf_init(&names[i], 0);
    sources_order(v, order);
    /* Alone, a principal has only what its own grants give it. */
    for (uint32_t k = 0; k < v->principal_count; k++) {
        const gh_decision *d =
            pol_decide(v->policy, v->warehouse, &order[k], 1, v->now, false, c, r, scratch);

        for (uint16_t i = 0; i < d->column_count; i++) {
            if (d->columns[i].show == GH_HIDDEN && !d->columns[i].is_writable[1] &&
                !d->columns[i].is_writable[2])
                continue;
            gh_buf_puts(&names[i], gh_buf_str(&names[i]).len == 0 ? "" : ", ");
            put_principal(v, order[k], &names[i]);
        }
    }
    for (uint16_t i = 0; i < r->column_count; i++) {
        out[i] = gh_arena_dup(a, gh_buf_str(&names[i]));
        gh_buf_fini(&names[i]);
    }
    *valid_until =
        pol_grants_end(v->policy, v->warehouse, v->principals, v->principal_count, v->now, r);
    gh_arena_free(scratch);
    free(names);
    return out;
}
