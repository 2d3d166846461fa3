/*
 * Rows and cells of select; decide.c tells the rule and its simplifications S1 to S8.
 */
#include "decide_priv.h"

#include <stdlib.h>

/* Grants that show a column in one way: in clear, or by masks that are equal. */
typedef struct group {
    const gh_mask *mask;  /* what the grants say; NULL: in clear */
    const gh_mask *shown; /* after the masks that cannot be compared, and the tags */
    bool is_always;
    bool is_lost; /* cannot be compared with another mask of the column */
    uint64_t *when;
} group;

typedef struct cell {
    group *groups;
    size_t count;
    const gh_mask *tag_mask;
} cell;

static bool is_grant(const pol_applied *a)
{
    return (a->rule->flags & POL_DENY) == 0 && (a->rule->privileges & GH_SELECT) != 0 &&
           !a->is_idle && !a->is_dropped;
}

/* ---- masks ---------------------------------------------------------------------------------- */

/*
 * SECURITY: a mask that its column's type cannot take shows NULL. Leaving it out would show the
 * value. Attack: tests/unit/policy, mask_that_does_not_fit.
 */
static const gh_mask *fitting(const pol_work *w, const gh_mask *m, uint16_t column)
{
    return gh_mask_fits(m, w->c, &w->r->columns[column]) ? m : &pol_null_mask;
}

/* How a grant masks a column, NULL: not at all. Pairs ascend by column name. */
static const gh_mask *mask_of(const pol_work *w, const pol_applied *a, uint16_t column)
{
    const uint32_t *pairs = pol_list_items(&w->p->lists, a->rule->masks);
    uint32_t count = pol_list_len(&w->p->lists, a->rule->masks);
    uint32_t name;

    if (count == 0)
        return NULL;
    name = pol_strings_find(&w->p->strings, w->r->columns[column].name);
    for (uint32_t i = 0; i < count; i += 2) {
        if (pairs[i] == name)
            return fitting(w, pol_mask_at(w->p, pairs[i + 1]), column);
    }
    return NULL;
}

static bool is_excepted(const pol_work *w, const pol_masking *m)
{
    for (uint32_t i = 0; i < m->except_count; i++) {
        for (uint32_t j = 0; j < w->principal_count; j++) {
            if (m->except[i] == w->principals[j])
                return true;
        }
    }
    return false;
}

static bool is_tagged(const pol_work *w, uint16_t column, uint32_t tag)
{
    for (size_t i = 0; i < w->tagged_count; i++) {
        if (w->tagged[i].column == column && w->tagged[i].tag == tag)
            return true;
    }
    return false;
}

/* Does a show no more than each of the masks? */
static bool is_strongest(const gh_mask *a, const gh_mask *const *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool comparable;

        if (gh_mask_compare(a, all[i], &comparable) < 0 || !comparable)
            return false;
    }
    return true;
}

/* The strongest mask of the column's tags; NULL shown where none of several is; NULL pointer: no
 * mask. */
static const gh_mask *tag_mask_of(const pol_work *w, uint16_t column)
{
    const pol_tags *tags = w->p->tags;
    const gh_mask **all;
    size_t count = 0;

    if (w->tagged_count == 0 || tags->masking_count == 0)
        return NULL;
    all = gh_arena_alloc(w->scratch, tags->masking_count * sizeof(*all));
    for (uint32_t i = 0; i < tags->masking_count; i++) {
        const pol_masking *m = &tags->maskings[i];

        if (is_tagged(w, column, m->tag) && !is_excepted(w, m))
            all[count++] = fitting(w, pol_mask_at(w->p, m->mask), column);
    }
    for (size_t i = 0; i < count; i++) {
        if (is_strongest(all[i], all, count))
            return all[i];
    }
    return count == 0 ? NULL : &pol_null_mask;
}

/* The stronger of the grants' mask and the tags'; the tags' if they cannot be compared, which gives 0. */
static const gh_mask *combine(const gh_mask *mask, const gh_mask *tag_mask)
{
    bool comparable;

    if (mask == NULL || tag_mask == NULL)
        return mask == NULL ? tag_mask : mask;
    return gh_mask_compare(mask, tag_mask, &comparable) > 0 ? mask : tag_mask;
}

/* ---- a column's groups ---------------------------------------------------------------------- */

static void group_add(const pol_work *w, cell *c, const gh_mask *mask, uint32_t filter)
{
    group *g = NULL;

    for (size_t i = 0; i < c->count && g == NULL; i++) {
        const gh_mask *other = c->groups[i].mask;

        if (mask == other || (mask != NULL && other != NULL && pol_mask_eq(mask, other)))
            g = &c->groups[i];
    }
    if (g == NULL) {
        g = &c->groups[c->count++];
        *g = (group){ .mask = mask, .when = pol_bits_new(w->scratch, w->filter_words) };
    }
    if (filter == POL_NONE)
        g->is_always = true;
    else
        pol_bit_set(g->when, filter);
}

static int group_order(const void *x, const void *y)
{
    const group *a = x;
    const group *b = y;

    if (a->mask == NULL || b->mask == NULL)
        return (a->mask != NULL) - (b->mask != NULL);
    return pol_mask_order(a->mask, b->mask);
}

/*
 * Two masks of a column that cannot be compared both show NULL: compile refuses them where it can
 * tell, and where it cannot (a new table matched a wildcard) neither may win.
 */
static void lose_incomparable(cell *c)
{
    for (size_t i = 0; i < c->count; i++) {
        for (size_t j = i + 1; j < c->count; j++) {
            bool comparable = true;

            if (c->groups[i].mask != NULL && c->groups[j].mask != NULL)
                (void)gh_mask_compare(c->groups[i].mask, c->groups[j].mask, &comparable);
            if (!comparable) {
                c->groups[i].is_lost = true;
                c->groups[j].is_lost = true;
            }
        }
    }
}

static cell cell_of(const pol_work *w, uint16_t column)
{
    cell c = { .tag_mask = tag_mask_of(w, column) };

    c.groups = gh_arena_alloc(w->scratch, (w->rule_count + 1) * sizeof(*c.groups));
    for (size_t i = 0; i < w->rule_count; i++) {
        const pol_applied *a = &w->rules[i];

        if (is_grant(a) && pol_bit_get(a->columns, column))
            group_add(w, &c, mask_of(w, a, column), a->filter);
    }
    lose_incomparable(&c);
    if (c.count > 1)
        qsort(c.groups, c.count, sizeof(*c.groups), group_order);
    for (size_t i = 0; i < c.count; i++)
        c.groups[i].shown =
            combine(c.groups[i].is_lost ? &pol_null_mask : c.groups[i].mask, c.tag_mask);
    return c;
}

/* ---- a column's arms ------------------------------------------------------------------------ */

static bool shows_same(const gh_mask *a, const gh_mask *b)
{
    return a == b || (a != NULL && b != NULL && pol_mask_eq(a, b));
}

static bool shows_null(const group *g)
{
    return g->shown != NULL && g->shown->kind == GH_MASK_NULL;
}

/* Simplifies the groups in place (S2 to S6). `rows` is NULL where every row shows. */
static void simplify(const pol_work *w, cell *c, const uint64_t *rows)
{
    uint64_t *seen = pol_bits_new(w->scratch, w->filter_words);
    size_t kept = 0;
    bool is_last = false;

    for (size_t i = 0; i < c->count && !is_last; i++) {
        group g = c->groups[i];

        for (size_t word = 0; word < w->filter_words; word++) {
            g.when[word] &= ~seen[word]; /* S3 */
            seen[word] |= g.when[word];
        }
        if (rows != NULL && pol_bits_within(rows, seen, w->filter_words))
            g.is_always = true; /* S4 */
        if (!g.is_always && pol_bits_empty(g.when, w->filter_words))
            continue;
        is_last = g.is_always;                                            /* S2 */
        if (kept > 0 && shows_same(c->groups[kept - 1].shown, g.shown)) { /* S5 */
            pol_bits_or(c->groups[kept - 1].when, g.when, w->filter_words);
            c->groups[kept - 1].is_always = g.is_always;
        } else {
            c->groups[kept++] = g;
        }
    }
    while (kept > 0 && shows_null(&c->groups[kept - 1])) /* S6 */
        kept--;
    if (kept == 0) /* nothing but NULL */
        c->groups[kept++] = (group){ .shown = &pol_null_mask, .is_always = true };
    c->count = kept;
}

static void decide_column(pol_work *w, uint16_t column, const uint64_t *rows)
{
    gh_column_decision *out = &w->columns[column];
    cell c;
    gh_arm *arms;

    if (pol_bit_get(w->shares[0].gone, column))
        return; /* hidden */
    c = cell_of(w, column);
    if (c.count == 0)
        return;
    simplify(w, &c, rows);
    out->null_where = pol_filter_set(w, pol_select_denies(w, column));
    arms = gh_arena_alloc(w->arena, c.count * sizeof(*arms));
    for (size_t i = 0; i < c.count; i++) {
        arms[i].is_always = c.groups[i].is_always;
        arms[i].mask = c.groups[i].shown;
        if (!arms[i].is_always)
            arms[i].when = pol_filter_set(w, c.groups[i].when);
    }
    out->arms = arms;
    out->arm_count = (uint16_t)c.count;
    if (!arms[0].is_always || out->null_where.count > 0)
        out->show = GH_BY_CELL;
    else
        out->show = arms[0].mask == NULL ? GH_CLEAR : GH_MASKED;
}

/* ---- views that let rules through ----------------------------------------------------------- */

static bool gives_no_more(const pol_work *w, const pol_applied *a, const pol_applied *than)
{
    if (than->filter != POL_NONE && than->filter != a->filter)
        return false;
    if (!pol_bits_within(a->columns, than->columns, w->column_words))
        return false;
    for (uint16_t i = 0; i < w->column_count; i++) {
        const gh_mask *mask = pol_bit_get(a->columns, i) ? mask_of(w, than, i) : NULL;
        const gh_mask *own = mask == NULL ? NULL : mask_of(w, a, i);

        if (mask != NULL && (own == NULL || !pol_mask_eq(mask, own)))
            return false;
    }
    return true;
}

/*
 * S8; and then: one `through` grant that is left makes the whole view one whose base tables' rules
 * apply. Taking only the other grants' rows and columns out of that would need two views in one;
 * showing the through grant's columns without its base tables' rules would reveal.
 */
static bool decide_through(pol_work *w)
{
    bool is_through = false;

    if (w->r->kind != 'v')
        return false;
    for (size_t i = 0; i < w->rule_count; i++) {
        pol_applied *a = &w->rules[i];

        if (!is_grant(a) || (a->rule->flags & POL_THROUGH) == 0)
            continue;
        for (size_t j = 0; j < w->rule_count && !a->is_dropped; j++) {
            const pol_applied *than = &w->rules[j];

            a->is_dropped = is_grant(than) && (than->rule->flags & POL_THROUGH) == 0 &&
                            gives_no_more(w, a, than);
        }
        is_through = is_through || !a->is_dropped;
    }
    return is_through;
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* The filters that make rows show; *is_all: every row does. */
static uint64_t *row_filters(const pol_work *w, bool *is_all)
{
    uint64_t *bits = pol_bits_new(w->scratch, w->filter_words);

    *is_all = false;
    for (size_t i = 0; i < w->rule_count; i++) {
        if (!is_grant(&w->rules[i]))
            continue;
        if (w->rules[i].filter == POL_NONE)
            *is_all = true;
        else
            pol_bit_set(bits, w->rules[i].filter);
    }
    return bits;
}

/*
 * SECURITY: the catalog tells of a new column some seconds late. Until then a star may be sent as it is only where
 * the new column would show anyway. Attack: tests/attack/new_column.
 */
static bool shows_new_columns(const pol_work *w)
{
    bool is_given = false;

    for (size_t i = 0; i < w->rule_count; i++) {
        const pol_applied *a = &w->rules[i];
        bool is_deny = (a->rule->flags & POL_DENY) != 0;

        if (is_deny && !a->is_whole)
            return false;
        is_given = is_given || (is_grant(a) && a->is_whole && a->filter == POL_NONE &&
                                pol_list_len(&w->p->lists, a->rule->masks) == 0);
    }
    return is_given && !(w->is_tag_reached && w->p->tags->masking_count > 0);
}

/* Would it be there at all? */
static bool names_new_columns(const pol_work *w)
{
    bool is_given = false;

    for (size_t i = 0; i < w->rule_count; i++) {
        const pol_applied *a = &w->rules[i];

        if ((a->rule->flags & POL_DENY) != 0 && !a->is_whole)
            return false;
        is_given = is_given || (is_grant(a) && a->is_whole);
    }
    return is_given;
}

void pol_decide_select(pol_work *w, gh_decision *d)
{
    uint64_t *rows;

    d->is_through = decide_through(w);
    rows = row_filters(w, &d->rows_all);
    if (!d->rows_all)
        d->rows = pol_filter_set(w, rows);
    d->row_denies = pol_filter_set(w, w->shares[0].deny_rows);
    d->is_every_row = d->rows_all && d->row_denies.count == 0;
    d->is_full = d->is_every_row && !d->is_through;
    d->is_named = names_new_columns(w);
    for (uint16_t i = 0; i < w->column_count; i++) {
        decide_column(w, i, d->rows_all ? NULL : rows);
        d->is_full = d->is_full && w->columns[i].show == GH_CLEAR;
        d->is_named = d->is_named && w->columns[i].show != GH_HIDDEN;
    }
    d->is_open = d->is_full && shows_new_columns(w);
}
