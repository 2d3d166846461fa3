/*
 * Refuses an ACL that grants one user two masks of one column that cannot be ordered.
 *
 *     mask lists ─▶ columns with masks that cannot be compared ("hot"; mostly none: done)
 *                ─▶ hot claims of each principal ─▶ of each distinct set of roles that a user has
 *                ─▶ two claims whose tables, columns and times can meet: refused, naming both
 *
 * Without the catalog a table's name is all that is known: patterns that can match the same name
 * count as meeting, columns meet by name, filters are not looked at. What is refused here is a
 * courtesy to the author. What gets past it (GH_POLICY_MASK_TESTS_MAX) shows NULL in the decision,
 * so nothing depends on this check being complete.
 */
#include "compile_priv.h"

#include <stdlib.h>

/* A rule's mask of a hot column on a pattern of tables. */
typedef struct claim {
    uint32_t column;
    uint32_t mask;
    uint32_t pattern;
    uint32_t rule;
} claim;

typedef struct check {
    const gh_policy *p;
    const gh_acl *acl;
    uint64_t *hot; /* column << 32 | mask, ascending */
    size_t hot_count;
    claim *claims; /* of principal i at [start[i], start[i + 1]) */
    size_t claim_count;
    size_t claim_cap;
    uint32_t *start;
    uint64_t *done; /* signatures of sets of principals that were looked at; open addressing */
    size_t done_mask;
    claim *mine; /* of the user at hand */
    size_t mine_count;
    size_t mine_cap;
    size_t tests;
} check;

/* ---- which masks cannot be compared --------------------------------------------------------- */

static int key_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x == y ? 0 : x < y ? -1 : 1;
}

static int number_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x == y ? 0 : x < y ? -1 : 1;
}

/* Every (column, mask) of every rule once, ascending. */
static uint64_t *all_pairs(const gh_policy *p, size_t *count)
{
    uint32_t *lists = gh_alloc(((size_t)p->rule_count + 1) * sizeof(*lists));
    uint64_t *keys = NULL;
    size_t list_count = 0;
    size_t n = 0;
    size_t kept = 0;

    for (uint32_t i = 0; i < p->rule_count; i++) {
        if (pol_rule_at(p, i)->masks != 0 && (pol_rule_at(p, i)->privileges & GH_SELECT) != 0)
            lists[list_count++] = pol_rule_at(p, i)->masks;
    }
    if (list_count > 1)
        qsort(lists, list_count, sizeof(*lists), number_order);
    for (size_t i = 0; i < list_count; i++) {
        const uint32_t *items = pol_list_items(&p->lists, lists[i]);
        uint32_t len = pol_list_len(&p->lists, lists[i]);

        if (i > 0 && lists[i] == lists[i - 1])
            continue;
        keys = gh_realloc_array(keys, n + len / 2, sizeof(*keys));
        for (uint32_t j = 0; j < len; j += 2)
            keys[n++] = (uint64_t)items[j] << 32 | items[j + 1];
    }
    free(lists);
    if (n > 1)
        qsort(keys, n, sizeof(*keys), key_order);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || keys[i] != keys[i - 1])
            keys[kept++] = keys[i];
    }
    *count = kept;
    return keys;
}

static bool are_comparable(const gh_policy *p, uint32_t a, uint32_t b)
{
    bool comparable;

    (void)gh_mask_compare(pol_mask_at(p, a), pol_mask_at(p, b), &comparable);
    return comparable;
}

/* Keeps the pairs whose mask cannot be compared with another one of its column. */
static void find_hot(check *c)
{
    size_t count;
    uint64_t *keys = all_pairs(c->p, &count);
    size_t first = 0;

    c->hot = gh_alloc((count + 1) * sizeof(*c->hot));
    for (size_t i = 0; i < count; i++) {
        bool is_hot = false;

        if (keys[i] >> 32 != keys[first] >> 32)
            first = i;
        for (size_t j = first; j < count && !is_hot && keys[j] >> 32 == keys[i] >> 32; j++)
            is_hot = !are_comparable(c->p, (uint32_t)keys[i], (uint32_t)keys[j]);
        if (is_hot)
            c->hot[c->hot_count++] = keys[i];
    }
    free(keys);
}

/* ---- who has them --------------------------------------------------------------------------- */

static void claims_of_entry(check *c, const pol_entry *e)
{
    const gh_policy *p = c->p;
    const pol_rule *r = pol_rule_at(p, e->rule);
    const uint32_t *items = pol_list_items(&p->lists, r->masks);

    if ((r->privileges & GH_SELECT) == 0)
        return;
    for (uint32_t i = 0; i < pol_list_len(&p->lists, r->masks); i += 2) {
        uint64_t key = (uint64_t)items[i] << 32 | items[i + 1];

        if (bsearch(&key, c->hot, c->hot_count, sizeof(*c->hot), key_order) == NULL)
            continue;
        if (c->claim_count == c->claim_cap) {
            c->claim_cap = c->claim_cap == 0 ? 64 : c->claim_cap * 2;
            c->claims = gh_realloc_array(c->claims, c->claim_cap, sizeof(*c->claims));
        }
        c->claims[c->claim_count++] = (claim){ items[i], items[i + 1], e->pattern, e->rule };
    }
}

static void find_claims(check *c)
{
    const gh_policy *p = c->p;
    size_t principals = pol_principal_count(p);

    c->start = gh_alloc((principals + 1) * sizeof(*c->start));
    for (size_t i = 0; i < principals; i++) {
        const pol_held *held = pol_held_by(p, (uint32_t)i);

        c->start[i] = (uint32_t)c->claim_count;
        for (uint32_t j = 0; j < held->by_name_count; j++)
            claims_of_entry(c, &held->by_name[j]);
        for (uint32_t j = 0; j < held->by_glob_count; j++)
            claims_of_entry(c, &held->by_glob[j]);
    }
    c->start[principals] = (uint32_t)c->claim_count;
}

/* ---- whether two meet ----------------------------------------------------------------------- */

static bool parts_overlap(const gh_policy *p, uint32_t a, uint32_t b)
{
    return pol_glob_overlap(pol_text(p, a & ~POL_GLOB), (a & POL_GLOB) != 0,
                            pol_text(p, b & ~POL_GLOB), (b & POL_GLOB) != 0);
}

static bool can_meet(const gh_policy *p, const claim *a, const claim *b)
{
    const pol_pattern *x = pol_pattern_at(p, a->pattern);
    const pol_pattern *y = pol_pattern_at(p, b->pattern);
    int64_t from[2];
    int64_t until[2];

    pol_rule_validity(p, pol_rule_at(p, a->rule), &from[0], &until[0]);
    pol_rule_validity(p, pol_rule_at(p, b->rule), &from[1], &until[1]);
    return from[0] < until[1] && from[1] < until[0] && parts_overlap(p, x->parts[0], y->parts[0]) &&
           parts_overlap(p, x->parts[1], y->parts[1]) &&
           (x->warehouse == 0 || y->warehouse == 0 || parts_overlap(p, x->warehouse, y->warehouse));
}

/* Where a policy file says the mask; empty where none does. */
static pol_place place_of(const check *k, const claim *c)
{
    const gh_acl_rule *rule = &k->acl->rules[c->rule];
    gh_str said = { 0 };

    for (size_t i = 0; i < rule->mask_count; i++)
        if (gh_str_eq(rule->masks[i].column, pol_text(k->p, c->column)))
            said = rule->masks[i].mask;
    return pol_place_of(k->acl, rule->place, said);
}

static void put_claim(gh_buf *b, const check *k, const claim *c)
{
    const gh_policy *p = k->p;
    const pol_pattern *pattern = pol_pattern_at(p, c->pattern);
    gh_str schema = pol_text(p, pattern->parts[0] & ~POL_GLOB);
    gh_str name = pol_text(p, pattern->parts[1] & ~POL_GLOB);

    gh_buf_printf(b, "\"%.60s\" (", pol_mask_at(p, c->mask)->name.ptr);
    if (pol_rule_at(p, c->rule)->id != 0)
        gh_buf_printf(b, "grant %lld ", (long long)pol_rule_at(p, c->rule)->id);
    else if (k->acl->rules[c->rule].place.line != 0) {
        pol_place at = place_of(k, c);

        gh_buf_put(b, at.text, strlen(at.text) - 2); /* without its ": " */
        gh_buf_puts(b, " ");
    }
    gh_buf_printf(b, "on %.63s.%.63s)", schema.ptr, name.ptr); /* the policy's strings end in NUL */
}

static gh_rc refuse(const check *k, uint32_t user, const claim *a, const claim *b, gh_err *err)
{
    const gh_policy *p = k->p;
    gh_buf text;
    gh_rc rc;

    gh_buf_init(&text, 0);
    put_claim(&text, k, a);
    gh_buf_puts(&text, " and ");
    put_claim(&text, k, b);
    rc = gh_fail(
        err, GH_INVALID, POL_SQLSTATE,
        "%suser \"%.63s\" would get two masks of column %.63s that cannot be ordered: " GH_STR_FMT,
        place_of(k, b).text, p->users[user]->pub.name.ptr, pol_text(p, a->column).ptr,
        GH_STR_ARG(gh_buf_str(&text)));
    gh_buf_fini(&text);
    return rc;
}

/* ---- one user ------------------------------------------------------------------------------- */

static bool is_exact(const gh_policy *p, const claim *c)
{
    return ((pol_pattern_at(p, c->pattern)->parts[0] | pol_pattern_at(p, c->pattern)->parts[1]) &
            POL_GLOB) == 0;
}

/* By column; exact patterns first, those of one table together. */
static int claim_order(const void *x, const void *y, void *policy)
{
    const gh_policy *p = policy;
    const claim *a = x;
    const claim *b = y;
    const pol_pattern *m = pol_pattern_at(p, a->pattern);
    const pol_pattern *n = pol_pattern_at(p, b->pattern);

    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    if (is_exact(p, a) != is_exact(p, b))
        return is_exact(p, a) ? -1 : 1;
    if (m->parts[0] != n->parts[0])
        return m->parts[0] < n->parts[0] ? -1 : 1;
    if (m->parts[1] != n->parts[1])
        return m->parts[1] < n->parts[1] ? -1 : 1;
    if (a->mask != b->mask)
        return a->mask < b->mask ? -1 : 1;
    return a->rule == b->rule ? 0 : a->rule < b->rule ? -1 : 1;
}

static gh_rc test_pair(check *c, uint32_t user, const claim *a, const claim *b, gh_err *err)
{
    c->tests++;
    if (a->mask == b->mask || are_comparable(c->p, a->mask, b->mask) || !can_meet(c->p, a, b))
        return GH_OK;
    return refuse(c, user, a, b, err);
}

/* Claims of one column: exact ones with those of the same table, those with a star with all. */
static gh_rc test_column(check *c, uint32_t user, size_t first, size_t end, gh_err *err)
{
    for (size_t i = first; i < end; i++) {
        const claim *a = &c->mine[i];
        const pol_pattern *x = pol_pattern_at(c->p, a->pattern);

        for (size_t j = i; j-- > first && c->tests < GH_POLICY_MASK_TESTS_MAX;) {
            const claim *b = &c->mine[j];
            const pol_pattern *y = pol_pattern_at(c->p, b->pattern);
            gh_rc rc;

            if (is_exact(c->p, a) && (x->parts[0] != y->parts[0] || x->parts[1] != y->parts[1]))
                break;
            rc = test_pair(c, user, b, a, err);
            if (rc != GH_OK)
                return rc;
        }
    }
    return GH_OK;
}

/* True the first time that this set of principals with claims is met. */
static bool is_new_set(check *c, const pol_closure *closure)
{
    uint64_t sum = 0;
    size_t at;

    for (uint32_t i = 0; i < closure->count; i++) {
        uint32_t principal = closure->items[i];

        if (c->start[principal] != c->start[principal + 1])
            sum = gh_hash(&principal, sizeof(principal), sum + 1);
    }
    if (sum == 0)
        return false;
    for (at = sum & c->done_mask; c->done[at] != 0; at = (at + 1) & c->done_mask) {
        if (c->done[at] == sum)
            return false;
    }
    c->done[at] = sum;
    return true;
}

static gh_rc test_user(check *c, const pol_closure *closure, uint32_t user, gh_err *err)
{
    size_t first = 0;

    if (!is_new_set(c, closure))
        return GH_OK;
    c->mine_count = 0;
    for (uint32_t i = 0; i < closure->count; i++) {
        uint32_t from = c->start[closure->items[i]];
        uint32_t count = c->start[closure->items[i] + 1] - from;

        if (c->mine_cap - c->mine_count < count) {
            c->mine_cap = (c->mine_count + count) * 2;
            c->mine = gh_realloc_array(c->mine, c->mine_cap, sizeof(*c->mine));
        }
        if (count > 0)
            memcpy(&c->mine[c->mine_count], &c->claims[from], count * sizeof(*c->mine));
        c->mine_count += count;
    }
    qsort_r(c->mine, c->mine_count, sizeof(*c->mine), claim_order, (void *)(uintptr_t)c->p);
    for (size_t i = 1; i <= c->mine_count; i++) {
        if (i == c->mine_count || c->mine[i].column != c->mine[first].column) {
            gh_rc rc = test_column(c, user, first, i, err);

            if (rc != GH_OK)
                return rc;
            first = i;
        }
    }
    return GH_OK;
}

gh_rc pol_check_masks(const gh_policy *p, const gh_acl *acl, gh_err *err)
{
    check c = { .p = p, .acl = acl, .done_mask = 15 };
    pol_closure closure;
    gh_rc rc = GH_OK;

    find_hot(&c);
    if (c.hot_count == 0) {
        free(c.hot);
        return GH_OK;
    }
    find_claims(&c);
    while (c.done_mask / 2 < p->user_count)
        c.done_mask = c.done_mask * 2 + 1;
    c.done = gh_alloc((c.done_mask + 1) * sizeof(*c.done));
    pol_closure_init(&closure, p);
    for (uint32_t i = 0; i < p->user_count && rc == GH_OK; i++) {
        if (p->users[i] == NULL)
            continue;
        pol_closure_of_user(&closure, p, i);
        rc = test_user(&c, &closure, i, err);
    }
    pol_closure_fini(&closure);
    free(c.hot);
    free(c.claims);
    free(c.start);
    free(c.done);
    free(c.mine);
    return rc;
}
