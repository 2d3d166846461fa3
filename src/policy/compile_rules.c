/*
 * The rules of an ACL, as numbers, and their index.
 *
 *     triples (principal, pattern, rule), in order of arrival
 *       ──counting sort by pattern──▶ ──counting sort by principal──▶ held
 *
 * Two counting sorts put a million triples in order in a fraction of the time that qsort takes.
 */
#include "compile_priv.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- errors --------------------------------------------------------------------------------- */

/* What an error calls a rule: "grant 12 (to analyst on sales.orders)". */
static pol_where where_of(const gh_acl_rule *r)
{
    pol_where w = { .place = r->place };
    gh_str to = r->to.count > 0 ? r->to.items[0] : GH_STR("?");
    gh_str on = r->tables.count > 0 ? r->tables.items[0] : GH_STR("?");
    char id[32] = "";

    if (r->id != 0)
        (void)snprintf(id, sizeof(id), " %lld", (long long)r->id);
    (void)snprintf(w.text, sizeof(w.text), "%s%s (to %.*s%s on %.*s%s)",
                   r->is_deny ? "deny" : "grant", id, (int)(to.len > 80 ? 80 : to.len),
                   to.ptr != NULL ? to.ptr : "", r->to.count > 1 ? ", ..." : "",
                   (int)(on.len > 80 ? 80 : on.len), on.ptr != NULL ? on.ptr : "",
                   r->tables.count > 1 ? ", ..." : "");
    return w;
}

/* `said`: the text of the rule that is wrong, for its place; empty: the rule as a whole. */
static gh_rc fail_rule(const pol_builder *b, const gh_acl_rule *r, gh_str said, gh_rc rc,
                       const char *fmt, ...) GH_PRINTF(5, 6);
static gh_rc fail_rule(const pol_builder *b, const gh_acl_rule *r, gh_str said, gh_rc rc,
                       const char *fmt, ...)
{
    char text[400];
    pol_where w = where_of(r);
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return gh_fail(b->err, rc, POL_SQLSTATE, "%s%s: %s", pol_place_of(b->acl, w.place, said).text,
                   w.text, text);
}

/* ---- one rule ------------------------------------------------------------------------------- */

static gh_rc take_principals(pol_builder *b, const gh_acl_rule *r)
{
    b->principals.count = 0;
    if (r->to.count == 0)
        return fail_rule(b, r, (gh_str){ 0 }, GH_INVALID, "it names nobody (to)");
    for (size_t i = 0; i < r->to.count; i++) {
        uint32_t principal = pol_lookup_principal(b->p, r->to.items[i]);

        if (principal == POL_NONE) {
            pol_where w = where_of(r);

            return pol_find_principal(b, r->to.items[i], &w, &principal);
        }
        pol_numbers_add(&b->principals, principal);
    }
    pol_numbers_sort(&b->principals);
    return GH_OK;
}

static uint32_t part_number(pol_builder *b, const pol_part *part)
{
    uint32_t number = pol_strings_add(&b->p->strings, part->text);

    return part->is_glob ? number | POL_GLOB : number;
}

pol_pattern pol_pattern_of(pol_builder *b, const pol_parsed *parsed, size_t count)
{
    pol_pattern out = { .next = POL_NONE };

    if (parsed->warehouse.is_given)
        out.warehouse = part_number(b, &parsed->warehouse);
    for (size_t i = 0; i < count; i++)
        out.parts[i] = part_number(b, &parsed->parts[i]);
    return out;
}

bool pol_pattern_is_exact(const pol_pattern *pattern)
{
    return ((pattern->parts[0] | pattern->parts[1]) & POL_GLOB) == 0;
}

/* An exact pattern that the policy has already; POL_NONE. */
static uint32_t find_pattern(const gh_policy *p, const pol_pattern *pattern)
{
    uint32_t at = POL_NONE;

    if (pol_pattern_is_exact(pattern))
        at = pol_relations_find(&p->exact, pattern->parts[0], pattern->parts[1]);
    while (at != POL_NONE && pol_pattern_at(p, at)->warehouse != pattern->warehouse)
        at = pol_pattern_at(p, at)->next;
    return at;
}

uint32_t pol_add_pattern(pol_builder *b, const pol_pattern *pattern)
{
    gh_policy *p = b->p;
    uint32_t own = p->pattern_count - p->pattern_first;

    if (own == b->pattern_cap) {
        b->pattern_cap = b->pattern_cap == 0 ? 64 : b->pattern_cap * 2;
        p->patterns = gh_realloc_array(p->patterns, b->pattern_cap, sizeof(*p->patterns));
    }
    p->patterns[own] = *pattern;
    if (pol_pattern_is_exact(pattern)) {
        uint32_t *head = pol_relations_at(&p->exact, pattern->parts[0], pattern->parts[1]);

        p->patterns[own].next = *head;
        *head = p->pattern_count;
    }
    return p->pattern_count++;
}

static gh_rc take_pattern(pol_builder *b, const gh_acl_rule *r, gh_str text)
{
    gh_policy *p = b->p;
    uint32_t number = pol_strings_find(&b->pattern_texts, text);
    pol_pattern pattern;
    pol_parsed parsed;
    const char *why = NULL;

    if (number != POL_NONE && number != 0) {
        pol_numbers_add(&b->patterns, b->pattern_start + number - 1);
        return GH_OK;
    }
    if (!pol_pattern_parse(text, 2, b->scratch, &parsed, &why))
        return fail_rule(
            b, r, text, GH_INVALID, "table \"%.*s\": %s; expected [warehouse:]schema.relation",
            (int)(text.len > 100 ? 100 : text.len), text.ptr != NULL ? text.ptr : "", why);
    pattern = pol_pattern_of(b, &parsed, 2);
    number = find_pattern(p, &pattern);
    if (number == POL_NONE) {
        number = pol_add_pattern(b, &pattern);
        (void)pol_strings_add(&b->pattern_texts, text);
    }
    pol_numbers_add(&b->patterns, number);
    return GH_OK;
}

static gh_rc take_patterns(pol_builder *b, const gh_acl_rule *r)
{
    b->patterns.count = 0;
    if (r->tables.count == 0)
        return fail_rule(b, r, (gh_str){ 0 }, GH_INVALID, "it names no tables");
    for (size_t i = 0; i < r->tables.count; i++) {
        gh_rc rc = take_pattern(b, r, r->tables.items[i]);

        if (rc != GH_OK)
            return rc;
    }
    pol_numbers_sort(&b->patterns);
    return GH_OK;
}

static gh_rc take_column(pol_builder *b, const gh_acl_rule *r, gh_str text, uint32_t *out)
{
    const char *why = NULL;
    gh_str name;

    if (!pol_name_parse(text, b->scratch, &name, &why))
        return fail_rule(b, r, text, GH_INVALID, "column \"%.*s\": %s",
                         (int)(text.len > 100 ? 100 : text.len), text.ptr != NULL ? text.ptr : "",
                         why);
    *out = pol_strings_add(&b->p->strings, name);
    return GH_OK;
}

/*
 * An empty list of columns is refused: a deny of no columns must not turn into a deny of nothing,
 * nor a list that somebody forgot to fill into a grant of all.
 */
static gh_rc take_columns(pol_builder *b, const gh_acl_rule *r, pol_rule *out)
{
    b->columns.count = 0;
    if (r->has_columns != (r->columns.count > 0) || (r->is_except && !r->has_columns))
        return fail_rule(b, r, (gh_str){ 0 }, GH_INVALID, "its list of columns is empty");
    for (size_t i = 0; i < r->columns.count; i++) {
        uint32_t number;
        gh_rc rc = take_column(b, r, r->columns.items[i], &number);

        if (rc != GH_OK)
            return rc;
        pol_numbers_add(&b->columns, number);
    }
    pol_numbers_sort(&b->columns);
    out->columns = pol_lists_add(&b->p->lists, b->columns.items, b->columns.count);
    return GH_OK;
}

static bool lists(const pol_numbers *n, uint32_t v)
{
    for (uint32_t i = 0; i < n->count; i++) {
        if (n->items[i] == v)
            return true;
    }
    return false;
}

static gh_rc find_rule_mask(pol_builder *b, const gh_acl_rule *r, gh_str text, uint32_t *out)
{
    uint32_t number = pol_strings_find(&b->p->mask_texts, text);

    if (number == POL_NONE || number == 0) {
        pol_where w = where_of(r);

        return pol_find_mask(b, text, &w, out);
    }
    *out = number - 1;
    return GH_OK;
}

/* Inserts the pair by column; few masks a rule. */
static bool insert_pair(pol_numbers *pairs, uint32_t column, uint32_t mask)
{
    uint32_t at = 0;

    while (at < pairs->count && pairs->items[at] < column)
        at += 2;
    if (at < pairs->count && pairs->items[at] == column)
        return false;
    pol_numbers_add(pairs, 0);
    pol_numbers_add(pairs, 0);
    memmove(&pairs->items[at + 2], &pairs->items[at],
            (pairs->count - 2 - at) * sizeof(*pairs->items));
    pairs->items[at] = column;
    pairs->items[at + 1] = mask;
    return true;
}

static gh_rc take_masks(pol_builder *b, const gh_acl_rule *r, pol_rule *out)
{
    b->pairs.count = 0;
    if (r->is_deny && r->mask_count > 0)
        return fail_rule(b, r, (gh_str){ 0 }, GH_INVALID, "a deny cannot mask");
    for (size_t i = 0; i < r->mask_count; i++) {
        uint32_t column;
        uint32_t mask;
        gh_rc rc = take_column(b, r, r->masks[i].column, &column);

        if (rc != GH_OK)
            return rc;
        if (r->has_columns && lists(&b->columns, column) == r->is_except)
            return fail_rule(b, r, r->masks[i].column, GH_INVALID,
                             "it masks column " GH_STR_FMT ", which it does not grant",
                             GH_STR_ARG(r->masks[i].column));
        rc = find_rule_mask(b, r, r->masks[i].mask, &mask);
        if (rc != GH_OK)
            return rc;
        if (!insert_pair(&b->pairs, column, mask))
            return fail_rule(b, r, r->masks[i].column, GH_INVALID,
                             "it masks column " GH_STR_FMT " twice",
                             GH_STR_ARG(r->masks[i].column));
    }
    out->masks = pol_lists_add(&b->p->lists, b->pairs.items, b->pairs.count);
    return GH_OK;
}

static gh_rc take_tags(pol_builder *b, const gh_acl_rule *r, pol_rule *out)
{
    b->pairs.count = 0;
    if (!r->is_deny && r->tags.count > 0)
        return fail_rule(b, r, r->tags.items[0], GH_INVALID, "only denies name tags");
    for (size_t i = 0; i < r->tags.count; i++) {
        uint32_t tag = pol_strings_find(&b->p->tag_names, r->tags.items[i]);

        if (tag == POL_NONE || tag == 0) {
            pol_where w = where_of(r);

            return pol_fail_unknown(b, &b->p->tag_names, r->tags.items[i], "tag", &w);
        }
        pol_numbers_add(&b->pairs, tag - 1);
    }
    pol_numbers_sort(&b->pairs);
    out->tags = pol_lists_add(&b->p->lists, b->pairs.items, b->pairs.count);
    return GH_OK;
}

static gh_rc take_rest(pol_builder *b, const gh_acl_rule *r, pol_rule *out)
{
    gh_str rows = pol_trim(r->rows);

    if (r->privileges == 0 || (r->privileges & ~(uint32_t)GH_ALL_PRIVILEGES) != 0)
        return fail_rule(b, r, (gh_str){ 0 }, GH_INVALID,
                         "it names no privileges, or unknown ones");
    /* SECURITY: blanks are no filter, and no filter is every row. Test: policy, blank_filter. */
    if (rows.len == 0 && r->rows.len > 0)
        return fail_rule(b, r, r->rows, GH_INVALID, "its row filter is blank");
    if (rows.len > GH_POLICY_EXPR_MAX)
        return fail_rule(b, r, r->rows, GH_LIMIT, "its row filter is longer than %d bytes",
                         GH_POLICY_EXPR_MAX);
    if (rows.len > 0 && memchr(rows.ptr, '\0', rows.len) != NULL)
        return fail_rule(b, r, r->rows, GH_INVALID, "its row filter holds a NUL");
    if (r->valid_from >= r->valid_until)
        return fail_rule(b, r, (gh_str){ 0 }, GH_INVALID, "its validity ends before it begins");
    if (r->valid_from != INT64_MIN || r->valid_until != INT64_MAX) {
        uint64_t from = (uint64_t)r->valid_from;
        uint64_t until = (uint64_t)r->valid_until;
        uint32_t halves[4] = { (uint32_t)(from >> 32), (uint32_t)from, (uint32_t)(until >> 32),
                               (uint32_t)until };

        out->validity = pol_lists_add(&b->p->lists, halves, 4);
    }
    out->rows = pol_strings_add(&b->p->strings, rows);
    out->id = r->id;
    out->privileges = (uint8_t)r->privileges;
    out->flags = (uint8_t)((r->is_deny ? POL_DENY : 0) | (r->has_columns ? POL_HAS_COLUMNS : 0) |
                           (r->is_except ? POL_EXCEPT : 0) | (r->is_through ? POL_THROUGH : 0) |
                           (r->is_blind ? POL_BLIND : 0));
    return GH_OK;
}

void pol_rule_validity(const gh_policy *p, const pol_rule *r, int64_t *from, int64_t *until)
{
    const uint32_t *halves = pol_list_items(&p->lists, r->validity);

    *from = INT64_MIN;
    *until = INT64_MAX;
    if (r->validity != 0) {
        *from = (int64_t)((uint64_t)halves[0] << 32 | halves[1]);
        *until = (int64_t)((uint64_t)halves[2] << 32 | halves[3]);
    }
}

static void add_boundary(pol_builder *b, uint32_t principal, int64_t time)
{
    if (time == INT64_MIN || time == INT64_MAX)
        return;
    if (b->boundary_count == b->boundary_cap) {
        b->boundary_cap = b->boundary_cap == 0 ? 64 : b->boundary_cap * 2;
        b->boundaries = gh_realloc_array(b->boundaries, b->boundary_cap, sizeof(*b->boundaries));
    }
    b->boundaries[b->boundary_count++] = (pol_boundary){ principal, time };
}

static gh_rc add_entries(pol_builder *b, const gh_acl_rule *r, uint32_t rule)
{
    size_t more = (size_t)b->principals.count * b->patterns.count;

    if (more > GH_POLICY_ENTRIES_MAX - b->triple_count)
        return fail_rule(b, r, (gh_str){ 0 }, GH_LIMIT,
                         "the rules have more than %u pairs of who and what",
                         GH_POLICY_ENTRIES_MAX);
    while (b->triple_cap - b->triple_count < more) {
        b->triple_cap = b->triple_cap == 0 ? 1024 : b->triple_cap * 2;
        b->triples = gh_realloc_array(b->triples, b->triple_cap, sizeof(*b->triples));
    }
    for (uint32_t i = 0; i < b->principals.count; i++) {
        for (uint32_t j = 0; j < b->patterns.count; j++)
            b->triples[b->triple_count++] =
                (pol_triple){ b->principals.items[i], b->patterns.items[j], rule };
        add_boundary(b, b->principals.items[i], r->valid_from);
        add_boundary(b, b->principals.items[i], r->valid_until);
    }
    return GH_OK;
}

gh_rc pol_take_rule(pol_builder *b, const gh_acl_rule *r, uint32_t number)
{
    pol_rule *out = &b->p->rules[number - b->p->rule_first];
    gh_rc rc = take_principals(b, r);

    if (rc == GH_OK)
        rc = take_patterns(b, r);
    if (rc == GH_OK)
        rc = take_columns(b, r, out);
    if (rc == GH_OK)
        rc = take_masks(b, r, out);
    if (rc == GH_OK)
        rc = take_tags(b, r, out);
    if (rc == GH_OK)
        rc = take_rest(b, r, out);
    if (rc == GH_OK)
        rc = add_entries(b, r, number);
    return rc;
}

/* ---- the index ------------------------------------------------------------------------------ */

/* order[] lists the triples by pattern, and in order of arrival within one. */
static uint32_t *order_by_pattern(const pol_builder *b)
{
    uint32_t *order = gh_alloc((b->triple_count + 1) * sizeof(*order));
    uint32_t *next = gh_alloc(((size_t)b->p->pattern_count + 1) * sizeof(*next));
    uint32_t sum = 0;

    for (size_t i = 0; i < b->triple_count; i++)
        next[b->triples[i].pattern]++;
    for (uint32_t i = 0; i < b->p->pattern_count; i++) {
        uint32_t count = next[i];

        next[i] = sum;
        sum += count;
    }
    for (size_t i = 0; i < b->triple_count; i++)
        order[next[b->triples[i].pattern]++] = (uint32_t)i;
    free(next);
    return order;
}

/* Entries by principal, in that order: those of principal i at [start[i], start[i + 1]). */
static pol_entry *entries_of(const pol_builder *b, const uint32_t *order, bool is_exact,
                             uint32_t *start, pol_entry *items)
{
    size_t principals = pol_principal_count(b->p);
    uint32_t sum = 0;

    memset(start, 0, (principals + 1) * sizeof(*start));
    for (size_t i = 0; i < b->triple_count; i++) {
        if (pol_pattern_is_exact(&b->p->patterns[b->triples[i].pattern]) == is_exact)
            start[b->triples[i].principal]++;
    }
    for (size_t i = 0; i <= principals; i++) {
        uint32_t count = start[i];

        start[i] = sum;
        sum += count;
    }
    for (size_t i = 0; i < b->triple_count; i++) {
        const pol_triple *t = &b->triples[order[i]];

        if (pol_pattern_is_exact(&b->p->patterns[t->pattern]) == is_exact)
            items[start[t->principal]++] = (pol_entry){ t->pattern, t->rule };
    }
    for (size_t i = principals; i > 0;
         i--) /* each start has moved to its end, the next one's start */
        start[i] = start[i - 1];
    start[0] = 0;
    return items + sum;
}

static int boundary_order(const void *a, const void *b)
{
    const pol_boundary *x = a;
    const pol_boundary *y = b;

    if (x->principal != y->principal)
        return x->principal < y->principal ? -1 : 1;
    return x->time == y->time ? 0 : x->time < y->time ? -1 : 1;
}

void pol_sort_boundaries(pol_builder *b)
{
    if (b->boundary_count > 1)
        qsort(b->boundaries, b->boundary_count, sizeof(*b->boundaries), boundary_order);
}

static void index_boundaries(pol_builder *b)
{
    gh_policy *p = b->p;
    size_t kept = 0;

    pol_sort_boundaries(b);
    p->all_boundaries = gh_alloc((b->boundary_count + 1) * sizeof(*p->all_boundaries));
    for (size_t i = 0; i < b->boundary_count; i++) {
        pol_held *held = &p->all_held[b->boundaries[i].principal];

        if (held->boundary_count == 0)
            held->boundaries = &p->all_boundaries[kept];
        else if (p->all_boundaries[kept - 1] == b->boundaries[i].time)
            continue;
        p->all_boundaries[kept++] = b->boundaries[i].time;
        held->boundary_count++;
    }
}

static void index_entries(pol_builder *b)
{
    gh_policy *p = b->p;
    size_t principals = pol_principal_count(p);
    uint32_t *order = order_by_pattern(b);
    uint32_t *start = gh_alloc((principals + 1) * sizeof(*start));
    pol_entry *items = gh_alloc((b->triple_count + 1) * sizeof(*items));

    p->all_entries = items;
    for (int is_exact = 1; is_exact >= 0; is_exact--) {
        pol_entry *end = entries_of(b, order, is_exact == 1, start, items);

        for (size_t i = 0; i < principals; i++) {
            if (is_exact == 1) {
                p->all_held[i].by_name = items + start[i];
                p->all_held[i].by_name_count = start[i + 1] - start[i];
            } else {
                p->all_held[i].by_glob = items + start[i];
                p->all_held[i].by_glob_count = start[i + 1] - start[i];
            }
        }
        items = end;
    }
    p->entry_count = b->triple_count;
    free(start);
    free(order);
}

gh_rc pol_compile_rules(pol_builder *b)
{
    gh_policy *p = b->p;
    size_t principals = pol_principal_count(p);

    if (b->acl->rule_count >= POL_GLOB)
        return gh_fail(b->err, GH_LIMIT, POL_SQLSTATE, "too many rules");
    p->rules = gh_alloc((b->acl->rule_count + 1) * sizeof(*p->rules));
    for (size_t i = 0; i < b->acl->rule_count; i++) {
        gh_rc rc = pol_take_rule(b, &b->acl->rules[i], (uint32_t)i);

        if (rc != GH_OK)
            return rc;
        p->rule_count++;
    }
    p->all_held = gh_alloc((principals + 1) * sizeof(*p->all_held));
    p->held = gh_alloc((principals + 1) * sizeof(*p->held));
    index_entries(b);
    index_boundaries(b);
    for (size_t i = 0; i < principals; i++) {
        p->all_held[i].stamp = p->version;
        p->held[i] = &p->all_held[i];
    }
    return GH_OK;
}
