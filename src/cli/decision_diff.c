/*
 * Two decisions on one relation, in words, and where the words differ.
 */
#include "effect.h"

#include <stdlib.h>

enum { PRIVILEGES = 5 };

/* ---- words ----------------------------------------------------------------------------------- */

static gh_str take(gh_buf *b, gh_arena *a)
{
    gh_str s = gh_arena_dup(a, gh_buf_str(b));

    gh_buf_fini(b);
    return s;
}

static bool holds(gh_str text, gh_str part)
{
    return part.len > 0 && text.len >= part.len &&
           memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

/* A filter; where it reads an attribute that changes, with what the user has for it. */
static void put_filter(gh_buf *b, const effect_view *v, gh_str filter)
{
    gh_buf_put_str(b, filter);
    for (size_t i = 0; i < v->changed_count; i++) {
        const gh_acl_attribute *now = gh_view_attribute(v->view, v->changed[i].name);
        if (!holds(filter, v->changed[i].name))
            continue;
        gh_buf_printf(b, " (" GH_STR_FMT " = ", GH_STR_ARG(v->changed[i].name));
        for (size_t j = 0; now != NULL && j < now->values.count; j++)
            gh_buf_printf(b, "%s" GH_STR_FMT, j > 0 ? ", " : "", GH_STR_ARG(now->values.items[j]));
        gh_buf_puts(b, now == NULL ? "NULL)" : ")");
    }
}

static void put_filters(gh_buf *b, const effect_view *v, const gh_decision *d, gh_filter_set set)
{
    for (uint16_t i = 0; i < set.count; i++) {
        gh_buf_puts(b, i > 0 ? " or " : "");
        put_filter(b, v, d->filters[set.items[i]]);
    }
}

static bool reads(const gh_decision *d)
{
    return d->exists && (d->privileges & GH_SELECT) != 0;
}

static gh_str rows_text(gh_arena *a, const effect_view *v, const gh_decision *d)
{
    gh_buf b;

    if (!reads(d))
        return GH_STR("none");
    gh_buf_init(&b, 0);
    if (d->is_every_row || d->rows_all) {
        gh_buf_puts(&b, "all");
    } else {
        gh_buf_puts(&b, "where ");
        put_filters(&b, v, d, d->rows);
    }
    if (d->row_denies.count > 0) {
        gh_buf_puts(&b, ", but not where ");
        put_filters(&b, v, d, d->row_denies);
    }
    return take(&b, a);
}

static void put_shown(gh_buf *b, const gh_mask *mask)
{
    if (mask == NULL)
        gh_buf_puts(b, "in clear");
    else
        gh_buf_printf(b, "masked by " GH_STR_FMT, GH_STR_ARG(mask->name));
}

static gh_str column_text(gh_arena *a, const effect_view *v, const gh_decision *d, size_t i)
{
    const gh_column_decision *c = &d->columns[i];
    gh_buf b;

    if (!reads(d) || c->show == GH_HIDDEN)
        return GH_STR("hidden");
    gh_buf_init(&b, 0);
    if (c->show == GH_CLEAR)
        put_shown(&b, NULL);
    else if (c->show == GH_MASKED)
        put_shown(&b, c->arms[0].mask);
    for (uint16_t j = 0; c->show == GH_BY_CELL && j < c->arm_count; j++) {
        gh_buf_puts(&b, j > 0 ? ", " : "");
        put_shown(&b, c->arms[j].mask);
        gh_buf_puts(&b, c->arms[j].is_always ? " elsewhere" : " where ");
        if (!c->arms[j].is_always)
            put_filters(&b, v, d, c->arms[j].when);
    }
    if (c->show == GH_BY_CELL && (c->arm_count == 0 || !c->arms[c->arm_count - 1].is_always))
        gh_buf_puts(&b, c->arm_count > 0 ? ", NULL elsewhere" : "NULL");
    if (c->null_where.count > 0) {
        gh_buf_puts(&b, ", NULL where ");
        put_filters(&b, v, d, c->null_where);
    }
    return take(&b, a);
}

static void put_write_columns(gh_buf *b, const gh_relation *r, const gh_write_grant *g)
{
    size_t given = 0;

    for (uint16_t i = 0; i < r->column_count; i++)
        given += (g->columns[i / 8] >> (i % 8) & 1) != 0;
    if (given == r->column_count) {
        gh_buf_puts(b, "every column");
        return;
    }
    given = 0;
    for (uint16_t i = 0; i < r->column_count; i++) {
        if ((g->columns[i / 8] >> (i % 8) & 1) == 0)
            continue;
        gh_buf_printf(b, "%s" GH_STR_FMT, given > 0 ? ", " : "", GH_STR_ARG(r->columns[i].name));
        given++;
    }
}

static gh_str write_text(gh_arena *a, const gh_relation *r, const effect_view *v,
                         const gh_decision *d, int privilege)
{
    bool has_columns = privilege == 1 || privilege == 2; /* insert, update */
    gh_buf b;

    if (!d->exists || (d->privileges & (1u << privilege)) == 0)
        return GH_STR("no");
    gh_buf_init(&b, 0);
    for (uint16_t i = 0; i < d->write_count; i++) {
        const gh_write_grant *g = &d->writes[i];
        if ((g->privileges & (1u << privilege)) == 0)
            continue;
        gh_buf_puts(&b, b.len > 0 ? "; or " : "");
        if (has_columns) {
            put_write_columns(&b, r, g);
            gh_buf_puts(&b, g->is_blind ? ", blind" : "");
            gh_buf_puts(&b, " of ");
        }
        if (g->is_every_row) {
            gh_buf_puts(&b, "every row");
        } else {
            gh_buf_puts(&b, "rows where ");
            put_filter(&b, v, d->filters[g->filter]);
        }
    }
    if (d->deny_rows[privilege].count > 0) {
        gh_buf_puts(&b, ", but not where ");
        put_filters(&b, v, d, d->deny_rows[privilege]);
    }
    return take(&b, a);
}

/* ---- more or less ---------------------------------------------------------------------------- */

/* Is every filter of the one set, by its text, in the other? */
static bool is_within(const gh_decision *d, gh_filter_set inner, const gh_decision *e,
                      gh_filter_set outer)
{
    for (uint16_t i = 0; i < inner.count; i++) {
        bool is_there = false;
        for (uint16_t j = 0; j < outer.count && !is_there; j++)
            is_there = gh_str_eq(d->filters[inner.items[i]], e->filters[outer.items[j]]);
        if (!is_there)
            return false;
    }
    return true;
}

static bool shows_all_rows(const gh_decision *d)
{
    return d->is_every_row || d->rows_all;
}

/* Are all rows of b among those of d, as far as the filters' texts tell? */
static bool rows_within(const gh_decision *b, const gh_decision *d)
{
    if (!reads(b))
        return true;
    if (!reads(d) || !is_within(d, d->row_denies, b, b->row_denies))
        return false;
    return shows_all_rows(d) || (!shows_all_rows(b) && is_within(b, b->rows, d, d->rows));
}

static char sign_of(bool is_more, bool is_less)
{
    if (is_more == is_less)
        return '~';
    return is_more ? '+' : '-';
}

static bool is_plain(const gh_column_decision *c)
{
    return c->null_where.count == 0 && (c->show == GH_CLEAR || c->show == GH_MASKED);
}

/* Does the column show no less on d's side than on b's? */
static bool column_within(const gh_decision *b, const gh_decision *d, size_t i)
{
    bool comparable = false;

    if (!reads(b) || b->columns[i].show == GH_HIDDEN)
        return true;
    if (!reads(d) || d->columns[i].show == GH_HIDDEN)
        return false;
    if (!is_plain(&d->columns[i]))
        return false;
    if (d->columns[i].show == GH_CLEAR)
        return true;
    if (!is_plain(&b->columns[i]) || b->columns[i].show == GH_CLEAR)
        return false;
    int order =
        gh_mask_compare(d->columns[i].arms[0].mask, b->columns[i].arms[0].mask, &comparable);
    return comparable && order <= 0;
}

/* ---- the difference -------------------------------------------------------------------------- */

typedef struct diff {
    gh_arena *a;
    const gh_relation *r;
    const effect_view *before;
    const effect_view *after;
    const gh_decision *b;
    const gh_decision *d;
    effect_change *changes;
    size_t count;
} diff;

static void diff_rows(diff *x)
{
    effect_change c = { .what = "rows",
                        .before = rows_text(x->a, x->before, x->b),
                        .after = rows_text(x->a, x->after, x->d) };

    if (gh_str_eq(c.before, c.after))
        return;
    c.sign = sign_of(rows_within(x->b, x->d), rows_within(x->d, x->b));
    x->changes[x->count++] = c;
}

/* Columns that change in the same words are one change. */
static void diff_columns(diff *x)
{
    size_t first = x->count;

    for (uint16_t i = 0; i < x->r->column_count; i++) {
        effect_change c = { .what = "columns",
                            .before = column_text(x->a, x->before, x->b, i),
                            .after = column_text(x->a, x->after, x->d, i) };
        size_t at = first;
        if (gh_str_eq(c.before, c.after))
            continue;
        while (at < x->count && !(gh_str_eq(x->changes[at].before, c.before) &&
                                  gh_str_eq(x->changes[at].after, c.after)))
            at++;
        if (at == x->count) {
            gh_str *names = gh_arena_alloc(x->a, (x->r->column_count + 1u) * sizeof(*names));
            GH_ASSERT(names != NULL);
            c.columns.items = names;
            c.sign = sign_of(column_within(x->b, x->d, i), column_within(x->d, x->b, i));
            x->changes[x->count++] = c;
        }
        gh_str *names = (gh_str *)(uintptr_t)x->changes[at].columns.items;
        names[x->changes[at].columns.count++] = x->r->columns[i].name;
    }
}

static void diff_writes(diff *x)
{
    static const char *const words[] = { "select", "insert", "update", "delete", "truncate" };

    for (int p = 1; p < PRIVILEGES; p++) {
        effect_change c = { .what = words[p],
                            .before = write_text(x->a, x->r, x->before, x->b, p),
                            .after = write_text(x->a, x->r, x->after, x->d, p) };
        if (gh_str_eq(c.before, c.after))
            continue;
        c.sign = sign_of(gh_str_is(c.before, "no"), gh_str_is(c.after, "no"));
        x->changes[x->count++] = c;
    }
}

const effect_change *cli_decision_diff(gh_arena *a, const gh_relation *r, const effect_view *before,
                                       const gh_decision *b, const effect_view *after,
                                       const gh_decision *d, size_t *count)
{
    diff x = { .a = a, .r = r, .before = before, .after = after, .b = b, .d = d };

    *count = 0;
    if (!b->exists && !d->exists)
        return NULL;
    x.changes = gh_arena_alloc(a, (r->column_count + 1u + PRIVILEGES) * sizeof(*x.changes));
    GH_ASSERT(x.changes != NULL);
    diff_rows(&x);
    diff_columns(&x);
    diff_writes(&x);
    *count = x.count;
    return x.changes;
}
