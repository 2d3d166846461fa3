/*
 * The one rule, for one relation: every rule of the user that names it, taken together.
 *
 *     rules that apply ─▶ columns of each (bits) ─▶ select: rows, then each column's arms
 *                      ─▶ filters (numbers)      └▶ writes: a grant each, less what is denied
 *
 * A column's cell, in a row that shows, is by the rule: NULL where a deny of the column is not
 * false; else in clear where the filter of a grant without a mask is true; else the weakest mask
 * among the grants whose filters are true; else NULL. As arms of a CASE, weakest first:
 *
 *     null_where ▶ NULL │ clear: f1 or f2 ▶ value │ mask: f3 ▶ ... │ stronger: f4 ▶ ... │ NULL
 *
 * Simplifications, each compared with a naive evaluation of the rule in tests/unit/policy/oracle.c:
 *
 *  S1 Filters of one text are one filter.
 *
 *  S2 An arm whose grant has no filter is always taken; what stands behind it is dropped.
 *
 *  S3 A filter of an earlier arm is dropped from the later ones: where it is true they are not
 *     reached.
 *
 *  S4 Where the arms so far hold every filter that makes rows show, the last of them is always
 *     taken: in a row that shows, one of these filters is true. So a table with one filtered grant
 *     is CLEAR or MASKED throughout instead of BY_CELL.
 *
 *  S5 Neighbouring arms that show the same are one arm (a tag's mask can make them so).
 *
 *  S6 Arms at the end that show NULL are dropped: NULL is what follows them anyway.
 *
 *  S7 A column's deny whose filter also denies the row is dropped: where the row shows, it is
 *     false.
 *
 *  S8 On a view, a `through` grant that gives nothing beyond a grant without `through` is dropped.
 */
#include "decide_priv.h"

#include <stdlib.h>

static const gh_decision s_nothing;
/* What a view inside another one stands for where no grant names it: everything that its tables show. */
static const pol_rule s_inside = { .privileges = GH_SELECT, .flags = POL_THROUGH };

/* ---- which rules apply ---------------------------------------------------------------------- */

typedef struct found {
    uint32_t *items;
    size_t count;
    size_t cap;
} found;

static void found_add(found *f, uint32_t rule)
{
    if (f->count == f->cap) {
        f->cap = f->cap == 0 ? 64 : f->cap * 2;
        f->items = gh_realloc_array(f->items, f->cap, sizeof(*f->items));
    }
    f->items[f->count++] = rule;
}

static void find_by_name(const pol_work *w, uint32_t principal, uint32_t pattern, found *f)
{
    const pol_held *held = pol_held_by(w->p, principal);
    uint32_t low = 0;
    uint32_t end = held->by_name_count;
    uint32_t high = end;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (held->by_name[middle].pattern < pattern)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < end && held->by_name[low].pattern == pattern; low++)
        found_add(f, held->by_name[low].rule);
}

static void find_by_glob(const pol_work *w, uint32_t principal, uint32_t schema, uint32_t name,
                         found *f)
{
    const pol_held *held = pol_held_by(w->p, principal);
    uint32_t last = POL_NONE;
    bool is_match = false;

    for (uint32_t i = 0; i < held->by_glob_count; i++) {
        const pol_pattern *pattern = pol_pattern_at(w->p, held->by_glob[i].pattern);

        if (held->by_glob[i].pattern != last) { /* entries ascend by pattern */
            last = held->by_glob[i].pattern;
            is_match = pol_part_match(w->p, pattern->parts[0], schema, w->r->schema) &&
                       pol_part_match(w->p, pattern->parts[1], name, w->r->name) &&
                       pol_pattern_in_warehouse(w->p, pattern, w->warehouse);
        }
        if (is_match)
            found_add(f, held->by_glob[i].rule);
    }
}

static int number_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x == y ? 0 : x < y ? -1 : 1;
}

static bool is_valid_now(const pol_work *w, const pol_rule *r)
{
    int64_t from;
    int64_t until;

    pol_rule_validity(w->p, r, &from, &until);
    return from <= w->now && w->now < until;
}

/* Fills w->rules; false: there are more than GH_POLICY_RULES_MAX. */
static bool find_rules(pol_work *w)
{
    const gh_policy *p = w->p;
    uint32_t schema = pol_strings_find(&p->strings, w->r->schema);
    uint32_t name = pol_strings_find(&p->strings, w->r->name);
    uint32_t head = POL_NONE;
    found f = { 0 };
    bool fits = true;

    if (schema != POL_NONE && name != POL_NONE)
        head = pol_relations_find(&p->exact, schema, name);
    for (uint32_t i = 0; i < w->principal_count; i++) {
        for (uint32_t at = head; at != POL_NONE; at = pol_pattern_at(p, at)->next) {
            if (pol_pattern_in_warehouse(p, pol_pattern_at(p, at), w->warehouse))
                find_by_name(w, w->principals[i], at, &f);
        }
        find_by_glob(w, w->principals[i], schema, name, &f);
    }
    if (f.count > 1)
        qsort(f.items, f.count, sizeof(*f.items), number_order);
    w->rules = gh_arena_alloc(w->scratch, (GH_POLICY_RULES_MAX + 1) * sizeof(*w->rules));
    for (size_t i = 0; i < f.count && fits; i++) {
        const pol_rule *r = pol_rule_at(p, f.items[i]);

        if ((i > 0 && f.items[i] == f.items[i - 1]) || !is_valid_now(w, r))
            continue;
        fits = w->rule_count < GH_POLICY_RULES_MAX;
        if (fits)
            w->rules[w->rule_count++] = (pol_applied){ .rule = r, .filter = POL_NONE };
    }
    free(f.items);
    return fits;
}

/* Denies and the masks of tags hold for it too, so they are decided together. */
static void add_inside(pol_work *w)
{
    for (size_t i = 0; i < w->rule_count; i++) {
        const pol_rule *r = w->rules[i].rule;

        if ((r->flags & POL_DENY) == 0 && (r->privileges & GH_SELECT) != 0)
            return;
    }
    if (w->is_inside && w->r->kind == 'v' && w->rule_count < GH_POLICY_RULES_MAX)
        w->rules[w->rule_count++] = (pol_applied){ .rule = &s_inside, .filter = POL_NONE };
}

/* ---- columns and tags ----------------------------------------------------------------------- */

static int named_order(const void *a, const void *b)
{
    uint32_t x = ((const pol_named *)a)->name;
    uint32_t y = ((const pol_named *)b)->name;

    return x == y ? 0 : x < y ? -1 : 1;
}

static void number_columns(pol_work *w)
{
    w->named = gh_arena_alloc(w->scratch, ((size_t)w->column_count + 1) * sizeof(*w->named));
    for (uint16_t i = 0; i < w->column_count; i++)
        w->named[i] = (pol_named){ pol_strings_find(&w->p->strings, w->r->columns[i].name), i };
    qsort(w->named, w->column_count, sizeof(*w->named), named_order);
}

/* The column of that name; POL_NONE: the relation has none. */
static uint32_t column_at(const pol_work *w, uint32_t name)
{
    pol_named key = { .name = name };
    const pol_named *hit;

    hit = bsearch(&key, w->named, w->column_count, sizeof(*w->named), named_order);
    return hit == NULL ? POL_NONE : hit->column;
}

/* Calls for each column of the relation that the pattern of a tag names. */
static void tag_columns(pol_work *w, const pol_tag_column *t)
{
    uint32_t part = t->pattern.parts[2];

    if (!pol_pattern_in_warehouse(w->p, &t->pattern, w->warehouse))
        return;
    for (uint16_t i = 0; i < w->column_count; i++) {
        if (pol_part_match(w->p, part, w->named[i].name, w->r->columns[w->named[i].column].name)) {
            if (w->tagged_count == w->tagged_cap) {
                w->tagged_cap = w->tagged_cap == 0 ? 64 : w->tagged_cap * 2;
                w->tagged = gh_realloc_array(w->tagged, w->tagged_cap, sizeof(*w->tagged));
            }
            w->tagged[w->tagged_count++] = (pol_tagged){ t->tag, w->named[i].column };
        }
    }
}

static void find_tags(pol_work *w)
{
    const gh_policy *p = w->p;
    const pol_tags *tags = p->tags;
    uint32_t schema = pol_strings_find(&p->strings, w->r->schema);
    uint32_t name = pol_strings_find(&p->strings, w->r->name);

    if (schema != POL_NONE && name != POL_NONE) {
        uint32_t at = pol_relations_find(&tags->exact, schema, name);

        for (; at != POL_NONE; at = tags->columns[at].pattern.next) {
            w->is_tag_reached = true;
            tag_columns(w, &tags->columns[at]);
        }
    }
    for (uint32_t i = tags->globs; i < tags->column_count; i++) {
        const pol_pattern *pattern = &tags->columns[i].pattern;

        if (pol_part_match(p, pattern->parts[0], schema, w->r->schema) &&
            pol_part_match(p, pattern->parts[1], name, w->r->name)) {
            w->is_tag_reached = true;
            tag_columns(w, &tags->columns[i]);
        }
    }
}

static bool list_holds(const pol_work *w, uint32_t list, uint32_t v)
{
    const uint32_t *items = pol_list_items(&w->p->lists, list);

    for (uint32_t i = 0; i < pol_list_len(&w->p->lists, list); i++) {
        if (items[i] == v)
            return true;
    }
    return false;
}

/* Which columns a rule is about. */
static void cover(pol_work *w, pol_applied *a)
{
    const pol_rule *r = a->rule;
    const uint32_t *names = pol_list_items(&w->p->lists, r->columns);
    bool names_none = (r->flags & POL_HAS_COLUMNS) == 0 && r->tags == 0;
    bool is_inverse = names_none || (r->flags & POL_EXCEPT) != 0;

    a->columns = pol_bits_new(w->scratch, w->column_words);
    for (uint32_t i = 0; i < pol_list_len(&w->p->lists, r->columns); i++) {
        uint32_t column = column_at(w, names[i]);

        if (column != POL_NONE)
            pol_bit_set(a->columns, column);
    }
    for (uint16_t i = 0; is_inverse && i < w->column_count; i++)
        a->columns[i / 64] ^= UINT64_C(1) << (i % 64);
    for (size_t i = 0; i < w->tagged_count && r->tags != 0; i++) {
        if (list_holds(w, r->tags, w->tagged[i].tag))
            pol_bit_set(a->columns, w->tagged[i].column);
    }
    a->is_whole = names_none;
    /* A relation without columns is covered by what does not name any. */
    a->is_idle = w->column_count == 0 ? !is_inverse
                                      : pol_bits_empty(a->columns, w->column_words) && !names_none;
}

/* ---- filters -------------------------------------------------------------------------------- */

static int str_order(const void *a, const void *b)
{
    return gh_str_cmp(*(const gh_str *)a, *(const gh_str *)b);
}

/* Numbers the distinct filters by their text, so that nothing depends on the rules' order (S1). */
static void number_filters(pol_work *w)
{
    size_t count = 0;

    w->texts = gh_arena_alloc(w->scratch, (w->rule_count + 1) * sizeof(*w->texts));
    for (size_t i = 0; i < w->rule_count; i++) {
        if (w->rules[i].rule->rows != 0)
            w->texts[count++] = pol_text(w->p, w->rules[i].rule->rows);
    }
    if (count > 1)
        qsort(w->texts, count, sizeof(*w->texts), str_order);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || !gh_str_eq(w->texts[i], w->texts[i - 1]))
            w->texts[w->text_count++] = w->texts[i];
    }
    w->filter_words = w->text_count / 64 + 1;
    w->final = gh_arena_alloc(w->scratch, (w->text_count + 1) * sizeof(*w->final));
    for (size_t i = 0; i < w->rule_count; i++) {
        pol_applied *a = &w->rules[i];

        if (a->rule->rows != 0) {
            gh_str text = pol_text(w->p, a->rule->rows);
            const gh_str *at =
                bsearch(&text, w->texts, w->text_count, sizeof(*w->texts), str_order);
            a->filter = (uint32_t)(at - w->texts);
        }
    }
}

/* Only filters that some set uses get into the decision. */
static uint16_t final_filter(pol_work *w, uint32_t filter)
{
    if (w->final[filter] == 0) {
        w->filters[w->filter_count++] = w->texts[filter];
        w->final[filter] = w->filter_count;
    }
    return (uint16_t)(w->final[filter] - 1);
}

static int short_order(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

gh_filter_set pol_filter_set(pol_work *w, const uint64_t *bits)
{
    uint16_t *items;
    uint16_t count = 0;

    if (bits == NULL || pol_bits_empty(bits, w->filter_words))
        return (gh_filter_set){ 0 };
    for (uint32_t i = 0; i < w->text_count; i++)
        count = (uint16_t)(count + pol_bit_get(bits, i));
    items = gh_arena_alloc(w->arena, count * sizeof(*items));
    count = 0;
    for (uint32_t i = 0; i < w->text_count; i++) {
        if (pol_bit_get(bits, i))
            items[count++] = final_filter(w, i);
    }
    qsort(items, count, sizeof(*items), short_order);
    return (gh_filter_set){ items, count };
}

/* ---- the privileges ------------------------------------------------------------------------- */

static bool has_privilege(const pol_applied *a, int privilege)
{
    return (a->rule->privileges & (1u << privilege)) != 0;
}

/* What denies take of one privilege, and whether any grant of it is left. */
static void weigh(pol_work *w, int privilege)
{
    pol_share *s = &w->shares[privilege];

    s->gone = pol_bits_new(w->scratch, w->column_words);
    s->deny_rows = pol_bits_new(w->scratch, w->filter_words);
    for (size_t i = 0; i < w->rule_count; i++) {
        const pol_applied *a = &w->rules[i];

        if ((a->rule->flags & POL_DENY) == 0 || !has_privilege(a, privilege))
            continue;
        if (a->is_whole && a->filter == POL_NONE)
            s->is_gone = true;
        else if (a->is_whole)
            pol_bit_set(s->deny_rows, a->filter);
        else if (a->filter == POL_NONE)
            pol_bits_or(s->gone, a->columns, w->column_words);
    }
    for (size_t i = 0; i < w->rule_count && !s->is_gone && !s->is_held; i++) {
        const pol_applied *a = &w->rules[i];

        if ((a->rule->flags & POL_DENY) == 0 && has_privilege(a, privilege) && !a->is_idle)
            s->is_held =
                w->column_count == 0 || !pol_bits_within(a->columns, s->gone, w->column_words);
    }
}

/* The filters of the denies of a cell. */
static uint64_t *cell_denies(const pol_work *w, int privilege, uint16_t column)
{
    uint64_t *bits = NULL;

    for (size_t i = 0; i < w->rule_count; i++) {
        const pol_applied *a = &w->rules[i];

        if ((a->rule->flags & POL_DENY) != 0 && has_privilege(a, privilege) && !a->is_whole &&
            a->filter != POL_NONE && pol_bit_get(a->columns, column)) {
            if (bits == NULL)
                bits = pol_bits_new(w->scratch, w->filter_words);
            pol_bit_set(bits, a->filter);
        }
    }
    for (size_t i = 0; bits != NULL && i < w->filter_words; i++)
        bits[i] &= ~w->shares[privilege].deny_rows[i]; /* S7 */
    return bits;
}

static bool is_covered(const pol_work *w, int privilege, uint16_t column)
{
    if (!w->shares[privilege].is_held || pol_bit_get(w->shares[privilege].gone, column))
        return false;
    for (size_t i = 0; i < w->rule_count; i++) {
        const pol_applied *a = &w->rules[i];

        if ((a->rule->flags & POL_DENY) == 0 && has_privilege(a, privilege) &&
            pol_bit_get(a->columns, column))
            return true;
    }
    return false;
}

/* ---- writes --------------------------------------------------------------------------------- */

static const uint8_t *bytes_of(const pol_work *w, const uint64_t *bits)
{
    uint8_t *bytes = gh_arena_alloc(w->arena, (size_t)w->column_count / 8 + 1);

    for (uint16_t i = 0; i < w->column_count; i++)
        bytes[i / 8] = (uint8_t)(bytes[i / 8] | (unsigned int)pol_bit_get(bits, i) << (i % 8));
    return bytes;
}

/* Privileges of a grant that are left the same columns share an entry. */
static void write_grants_of(pol_work *w, const pol_applied *a, gh_write_grant *out, uint16_t *count)
{
    uint64_t *sets[POL_PRIVILEGES];
    uint16_t first = *count;

    for (int p = 1; p < POL_PRIVILEGES; p++) {
        uint64_t *left;
        uint16_t at = first;

        if (!has_privilege(a, p) || !w->shares[p].is_held)
            continue;
        /* The tables' own grants would have to be asked, and are not: fail closed. */
        if (w->r->kind == 'v' && (a->rule->flags & POL_THROUGH) != 0)
            continue;
        left = pol_bits_new(w->scratch, w->column_words);
        for (size_t i = 0; i < w->column_words; i++)
            left[i] = a->columns[i] & ~w->shares[p].gone[i];
        if (w->column_count > 0 && pol_bits_empty(left, w->column_words))
            continue;
        while (at < *count && memcmp(sets[at - first], left, w->column_words * sizeof(*left)) != 0)
            at++;
        if (at == *count) {
            sets[at - first] = left;
            out[at] = (gh_write_grant){ .grant_id = a->rule->id,
                                        .is_every_row = a->filter == POL_NONE,
                                        .is_blind = (a->rule->flags & POL_BLIND) != 0,
                                        .columns = bytes_of(w, left) };
            if (a->filter != POL_NONE)
                out[at].filter = final_filter(w, a->filter);
            (*count)++;
        }
        out[at].privileges |= 1u << p;
    }
}

static void decide_writes(pol_work *w, gh_decision *d)
{
    gh_write_grant *out;
    uint16_t count = 0;

    out = gh_arena_alloc(w->arena, (w->rule_count + 1) * (POL_PRIVILEGES - 1) * sizeof(*out));
    for (size_t i = 0; i < w->rule_count; i++) {
        if ((w->rules[i].rule->flags & POL_DENY) == 0 && !w->rules[i].is_idle)
            write_grants_of(w, &w->rules[i], out, &count);
    }
    d->writes = out;
    d->write_count = count;
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* An order of the rules that depends on what they say alone. */
static int applied_order(const void *x, const void *y)
{
    const pol_applied *a = x;
    const pol_applied *b = y;

    if (a->rule->id != b->rule->id)
        return a->rule->id < b->rule->id ? -1 : 1;
    if (a->filter != b->filter)
        return a->filter < b->filter ? -1 : 1;
    if (a->rule->flags != b->rule->flags)
        return a->rule->flags < b->rule->flags ? -1 : 1;
    if (a->rule->privileges != b->rule->privileges)
        return a->rule->privileges < b->rule->privileges ? -1 : 1;
    return memcmp(a->columns, b->columns, a->column_words * sizeof(*a->columns));
}

static void list_ids(pol_work *w, gh_decision *d)
{
    int64_t *ids = gh_arena_alloc(w->arena, (w->rule_count + 1) * sizeof(*ids));
    uint16_t count = 0;

    for (size_t i = 0; i < w->rule_count; i++) { /* the rules are sorted by id */
        if (!w->rules[i].is_idle && w->rules[i].rule != &s_inside &&
            (count == 0 || ids[count - 1] != w->rules[i].rule->id))
            ids[count++] = w->rules[i].rule->id;
    }
    d->grant_ids = ids;
    d->grant_count = count;
}

static const gh_decision *decide(pol_work *w)
{
    gh_decision *d;
    uint32_t held = 0;

    w->column_words = (size_t)w->column_count / 64 + 1;
    if (!find_rules(w))
        return &s_nothing;
    add_inside(w);
    if (w->rule_count == 0)
        return &s_nothing;
    number_columns(w);
    find_tags(w);
    number_filters(w);
    for (size_t i = 0; i < w->rule_count; i++) {
        cover(w, &w->rules[i]);
        w->rules[i].column_words = w->column_words;
    }
    qsort(w->rules, w->rule_count, sizeof(*w->rules), applied_order);
    for (int p = 0; p < POL_PRIVILEGES; p++) {
        weigh(w, p);
        held |= (uint32_t)w->shares[p].is_held << p;
    }
    if (held == 0)
        return &s_nothing;
    d = gh_arena_alloc(w->arena, sizeof(*d));
    w->filters = gh_arena_alloc(w->arena, (w->text_count + 1) * sizeof(*w->filters));
    w->columns = gh_arena_alloc(w->arena, ((size_t)w->column_count + 1) * sizeof(*w->columns));
    d->exists = true;
    d->privileges = held;
    if ((held & GH_SELECT) != 0)
        pol_decide_select(w, d);
    for (uint16_t i = 0; i < w->column_count; i++) {
        gh_column_decision *c = &w->columns[i];

        c->is_writable[0] = c->show != GH_HIDDEN;
        c->deny_where[0] = c->null_where;
        for (int p = 1; p < POL_PRIVILEGES; p++) {
            c->is_writable[p] = is_covered(w, p, i);
            if (c->is_writable[p])
                c->deny_where[p] = pol_filter_set(w, cell_denies(w, p, i));
        }
    }
    d->deny_rows[0] = d->row_denies;
    for (int p = 1; p < POL_PRIVILEGES; p++) {
        if (w->shares[p].is_held)
            d->deny_rows[p] = pol_filter_set(w, w->shares[p].deny_rows);
    }
    if ((held & ~(uint32_t)GH_SELECT) != 0)
        decide_writes(w, d);
    list_ids(w, d);
    d->columns = w->columns;
    d->column_count = w->column_count;
    d->filters = w->filters;
    d->filter_count = w->filter_count;
    return d;
}

uint64_t *pol_select_denies(const pol_work *w, uint16_t column)
{
    return cell_denies(w, 0, column);
}

const gh_decision *pol_decide(const gh_policy *p, gh_str warehouse, const uint32_t *principals,
                              uint32_t principal_count, int64_t now, bool is_inside,
                              const gh_catalog *c, const gh_relation *r, gh_arena *a)
{
    pol_work w = { .p = p,
                   .c = c,
                   .r = r,
                   .warehouse = warehouse,
                   .principals = principals,
                   .principal_count = principal_count,
                   .now = now,
                   .is_inside = is_inside,
                   .column_count = r->column_count,
                   .arena = a };
    const gh_decision *d;

    if (principal_count == 0)
        return &s_nothing;
    w.scratch = gh_arena_new(0);
    d = decide(&w);
    gh_arena_free(w.scratch);
    free(w.tagged);
    return d;
}

int64_t pol_grants_end(const gh_policy *p, gh_str warehouse, const uint32_t *principals,
                       uint32_t principal_count, int64_t now, const gh_relation *r)
{
    pol_work w = { .p = p,
                   .r = r,
                   .warehouse = warehouse,
                   .principals = principals,
                   .principal_count = principal_count,
                   .now = now,
                   .scratch = gh_arena_new(0) };
    int64_t end = INT64_MAX;

    (void)find_rules(&w); /* too many: those that were found */
    for (size_t i = 0; i < w.rule_count; i++) {
        int64_t from;
        int64_t until;

        pol_rule_validity(p, w.rules[i].rule, &from, &until);
        if ((w.rules[i].rule->flags & POL_DENY) == 0 && until < end)
            end = until;
    }
    gh_arena_free(w.scratch);
    return end;
}
