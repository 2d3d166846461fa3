/*
 * The policy against warehouses: names that they lack, expressions that they refuse, masks that do not
 * fit, views around masks.
 */
#include "lint.h"

#include <stdlib.h>

/* ---- names ----------------------------------------------------------------------------------- */

/* "; did you mean ...?", from the relations of all warehouses. */
static const char *suggest_relation(lint *l, gh_str name)
{
    size_t cap = 0;
    size_t count = 0;

    for (size_t i = 0; i < l->live_count; i++) {
        size_t n;
        (void)gh_catalog_relations(l->lives[i].catalog, &n);
        cap += n;
    }
    const char **known = gh_realloc_array(NULL, cap + 1, sizeof(*known));
    for (size_t i = 0; i < l->live_count; i++) {
        size_t n;
        const gh_relation *const *all = gh_catalog_relations(l->lives[i].catalog, &n);
        for (size_t j = 0; j < n; j++)
            if (cli_is_table(all[j]))
                known[count++] =
                    gh_arena_printf(l->arena, GH_STR_FMT "." GH_STR_FMT, GH_STR_ARG(all[j]->schema),
                                    GH_STR_ARG(all[j]->name))
                        .ptr;
    }
    const char *more = cli_did_you_mean(l->call, name, known, count);
    free(known);
    return more;
}

/* The relations of a pattern in all warehouses, one after the other. */
typedef struct relation_walk {
    const lint *l;
    cli_pattern pattern;
    size_t live;
    size_t next; /* in the catalog's list */
} relation_walk;

static relation_walk walk_of(const lint *l, gh_str text)
{
    return (relation_walk){ .l = l, .pattern = cli_pattern_of(l->arena, text) };
}

static const gh_relation *walk_next(relation_walk *w, cli_live **live)
{
    for (; w->live < w->l->live_count; w->live++, w->next = 0) {
        cli_live *at = &w->l->lives[w->live];
        size_t count = 1;
        const gh_relation *exact = NULL;
        const gh_relation *const *all = &exact;
        if (w->pattern.parts[0].is_glob || w->pattern.parts[1].is_glob)
            all = gh_catalog_relations(at->catalog, &count);
        else
            exact = gh_catalog_relation(at->catalog, w->pattern.parts[0].text,
                                        w->pattern.parts[1].text);
        while (w->next < count) {
            const gh_relation *r = all[w->next++];
            if (r == NULL || !cli_is_table(r) ||
                !cli_pattern_fits(&w->pattern, at->warehouse->name, r->schema, r->name))
                continue;
            *live = at;
            return r;
        }
    }
    return NULL;
}

static bool matches_any(const lint *l, gh_str pattern)
{
    relation_walk w = walk_of(l, pattern);
    cli_live *live;

    return walk_next(&w, &live) != NULL;
}

static void check_tables(lint *l, const gh_acl_rule *r)
{
    for (size_t i = 0; i < r->tables.count; i++) {
        gh_str text = r->tables.items[i];
        cli_pattern p = cli_pattern_of(l->arena, text);
        if (matches_any(l, text))
            continue;
        if (p.parts[0].is_glob || p.parts[1].is_glob)
            lint_warning(l, "pattern-of-nothing", lint_at_text(l, lint_at_rule(r), text),
                         "no table matches " GH_STR_FMT, GH_STR_ARG(text));
        else
            lint_error(l, "no-such-table", lint_at_text(l, lint_at_rule(r), text),
                       "there is no table " GH_STR_FMT "%s", GH_STR_ARG(text),
                       suggest_relation(l, text));
    }
}

/* Does any table of the rule have the column? Otherwise the names that it could be. */
static bool has_column(lint *l, const gh_acl_rule *r, gh_str column, const char ***known,
                       size_t *count)
{
    size_t cap = 0;

    *known = NULL;
    *count = 0;
    for (size_t i = 0; i < r->tables.count; i++) {
        relation_walk w = walk_of(l, r->tables.items[i]);
        cli_live *live;
        for (const gh_relation *t = walk_next(&w, &live); t != NULL; t = walk_next(&w, &live)) {
            if (gh_relation_column(t, column) != NULL)
                return true;
            if (cap - *count < t->column_count) {
                cap = cap * 2 + t->column_count;
                *known = gh_realloc_array(*known, cap, sizeof(**known));
            }
            for (uint16_t j = 0; j < t->column_count; j++)
                (*known)[(*count)++] = gh_arena_dup(l->arena, t->columns[j].name).ptr;
        }
    }
    return false;
}

static void check_column(lint *l, const gh_acl_rule *r, gh_str text, const char *what)
{
    gh_str column = cli_name_of(l->arena, text);
    const char **known;
    size_t count;

    if (!has_column(l, r, column, &known, &count) && count > 0) {
        const char *more = cli_did_you_mean(l->call, column, known, count);
        lint_error(l, "no-such-column", lint_at_text(l, lint_at_rule(r), text),
                   "%s: none of the rule's tables has a column " GH_STR_FMT "%s", what,
                   GH_STR_ARG(column), more);
    }
    free(known);
}

static void check_tags(lint *l)
{
    for (size_t i = 0; i < l->acl->tag_count; i++) {
        const gh_acl_tag *t = &l->acl->tags[i];
        for (size_t j = 0; j < t->columns.count; j++) {
            relation_walk w = walk_of(l, t->columns.items[j]);
            const cli_part *column = &w.pattern.parts[2];
            bool is_exact =
                !w.pattern.parts[0].is_glob && !w.pattern.parts[1].is_glob && !column->is_glob;
            bool is_there = false;
            cli_live *live;
            for (const gh_relation *r = walk_next(&w, &live); r != NULL && !is_there;
                 r = walk_next(&w, &live))
                for (uint16_t k = 0; k < r->column_count && !is_there; k++)
                    is_there = cli_part_fits(column, r->columns[k].name);
            if (!is_there && is_exact)
                lint_error(l, "no-such-column",
                           lint_at_text(l, lint_at_tag(t), t->columns.items[j]),
                           "there is no column " GH_STR_FMT, GH_STR_ARG(t->columns.items[j]));
            else if (!is_there)
                lint_warning(l, "pattern-of-nothing",
                             lint_at_text(l, lint_at_tag(t), t->columns.items[j]),
                             "no column matches " GH_STR_FMT, GH_STR_ARG(t->columns.items[j]));
        }
    }
}

static bool has_function(const lint *l, const cli_pattern *p)
{
    for (size_t i = 0; i < l->live_count; i++) {
        size_t count;
        const gh_function *const *all = gh_catalog_all_functions(l->lives[i].catalog, &count);
        for (size_t j = 0; j < count; j++)
            if (cli_pattern_fits(p, l->lives[i].warehouse->name, all[j]->schema, all[j]->name))
                return true;
    }
    return false;
}

/* A text search configuration or dictionary. */
static bool has_search_object(const lint *l, const cli_pattern *p)
{
    for (size_t i = 0; i < l->live_count; i++) {
        size_t count;
        const gh_search_object *const *all = gh_catalog_search_objects(l->lives[i].catalog, &count);
        for (size_t j = 0; j < count; j++)
            if (cli_pattern_fits(p, l->lives[i].warehouse->name, all[j]->schema, all[j]->name))
                return true;
    }
    return false;
}

static void check_functions(lint *l)
{
    for (size_t i = 0; i < l->acl->function_count; i++) {
        const gh_acl_function *f = &l->acl->functions[i];
        for (size_t j = 0; j < f->allow.count; j++) {
            cli_pattern p = cli_pattern_of(l->arena, f->allow.items[j]);
            if (!has_function(l, &p) && !has_search_object(l, &p))
                lint_error(l, "no-such-function",
                           lint_at_text(l, (lint_place){ f->place, "functions", 0, { NULL, 0 } },
                                        f->allow.items[j]),
                           "there is no function " GH_STR_FMT, GH_STR_ARG(f->allow.items[j]));
        }
    }
}

/* ---- filters --------------------------------------------------------------------------------- */

/* `fine`: filters that their relations take; a policy says one filter many times. */
static gh_rc check_filter(lint *l, cli_fit *fits, const gh_acl_rule *r, cli_seen *fine, gh_err *err)
{
    gh_err last = { 0 }; /* of this rule: told once, not for each of a hundred tables */

    for (size_t i = 0; i < r->tables.count; i++) {
        relation_walk w = walk_of(l, r->tables.items[i]);
        cli_live *live;
        for (const gh_relation *t = walk_next(&w, &live); t != NULL; t = walk_next(&w, &live)) {
            gh_err said = { 0 };
            uint64_t hash = gh_hash(r->rows.ptr, r->rows.len,
                                    ((uint64_t)t->oid << 16) + (uint64_t)(live - l->lives));
            if (cli_seen_has(fine, hash))
                continue;
            gh_rc rc = cli_fit_filter(&fits[live - l->lives], t, r->rows, &said);
            if (rc == GH_OK)
                (void)cli_seen_add(fine, hash);
            if (rc == GH_OK || (rc == GH_INVALID && strcmp(said.public_msg, last.public_msg) == 0))
                continue;
            if (rc != GH_INVALID) {
                *err = said;
                return rc;
            }
            last = said;
            lint_error(l, "bad-filter", lint_at_text(l, lint_at_rule(r), r->rows),
                       "rows, on " GH_STR_FMT "." GH_STR_FMT ": %s", GH_STR_ARG(t->schema),
                       GH_STR_ARG(t->name), said.public_msg);
        }
    }
    return GH_OK;
}

static gh_rc check_filters(lint *l, cli_fit *fits, gh_err *err)
{
    cli_seen fine = { 0 };
    gh_rc rc = GH_OK;

    for (size_t i = 0; i < l->acl->rule_count && rc == GH_OK; i++) {
        const gh_acl_rule *r = &l->acl->rules[i];
        if (r->rows.len > 0 && cli_check_expression(l->call, r->rows, NULL) == GH_OK)
            rc = check_filter(l, fits, r, &fine, err);
    }
    cli_seen_fini(&fine);
    return rc;
}

/* ---- masks ----------------------------------------------------------------------------------- */

static bool on_fault(void *arg, const cli_fault *f)
{
    lint *l = arg;

    lint_error(l, "mask-does-not-fit", (lint_place){ f->place, f->kind, f->id, { NULL, 0 } },
               "mask " GH_STR_FMT " of " GH_STR_FMT "." GH_STR_FMT "." GH_STR_FMT ": %s",
               GH_STR_ARG(f->mask), GH_STR_ARG(f->relation->schema), GH_STR_ARG(f->relation->name),
               GH_STR_ARG(f->column->name), f->err->public_msg);
    return true;
}

static bool has_tag(const lint *l, const cli_live *live, const gh_relation *r, gh_str column,
                    gh_str tag)
{
    for (size_t i = 0; i < l->acl->tag_count; i++) {
        const gh_acl_tag *t = &l->acl->tags[i];
        for (size_t j = 0; gh_str_eq(t->name, tag) && j < t->columns.count; j++) {
            cli_pattern p = cli_pattern_of(l->arena, t->columns.items[j]);
            if (cli_pattern_fits(&p, live->warehouse->name, r->schema, r->name) &&
                cli_part_fits(&p.parts[2], column))
                return true;
        }
    }
    return false;
}

static bool are_comparable(const lint *l, const gh_acl_masking *x, const gh_acl_masking *y)
{
    bool comparable = true;
    gh_mask a;
    gh_mask b;

    if (gh_mask_parse(x->mask, l->acl->masks, l->acl->mask_count, l->arena, &a, NULL) == GH_OK &&
        gh_mask_parse(y->mask, l->acl->masks, l->acl->mask_count, l->arena, &b, NULL) == GH_OK)
        (void)gh_mask_compare(&a, &b, &comparable);
    return comparable;
}

/* Two tags on one column, each with a mask, and no order between these. */
static void check_tag_pair(lint *l, const gh_acl_masking *x, const gh_acl_masking *y)
{
    for (size_t i = 0; i < l->live_count; i++) {
        const cli_live *live = &l->lives[i];
        size_t count;
        const gh_relation *const *all = gh_catalog_relations(live->catalog, &count);
        for (size_t j = 0; j < count; j++)
            for (uint16_t k = 0; cli_is_table(all[j]) && k < all[j]->column_count; k++)
                if (has_tag(l, live, all[j], all[j]->columns[k].name, x->tag) &&
                    has_tag(l, live, all[j], all[j]->columns[k].name, y->tag))
                    lint_warning(l, "masks-without-order",
                                 (lint_place){ y->place, "masking", 0, y->tag },
                                 "tags " GH_STR_FMT " and " GH_STR_FMT " are both on " GH_STR_FMT
                                 "." GH_STR_FMT "." GH_STR_FMT ", and their masks " GH_STR_FMT
                                 " and " GH_STR_FMT " have no order: it shows NULL",
                                 GH_STR_ARG(x->tag), GH_STR_ARG(y->tag), GH_STR_ARG(all[j]->schema),
                                 GH_STR_ARG(all[j]->name), GH_STR_ARG(all[j]->columns[k].name),
                                 GH_STR_ARG(x->mask), GH_STR_ARG(y->mask));
    }
}

static gh_rc check_masks(lint *l, cli_fit *fits, gh_err *err)
{
    gh_rc rc = GH_OK;

    for (size_t i = 0; i < l->live_count && rc == GH_OK; i++)
        rc = cli_fit_masks(&fits[i], on_fault, l, err);
    for (size_t i = 0; i < l->acl->masking_count; i++)
        for (size_t j = 0; j < i; j++)
            if (!are_comparable(l, &l->acl->masking[j], &l->acl->masking[i]))
                check_tag_pair(l, &l->acl->masking[j], &l->acl->masking[i]);
    return rc;
}

/* ---- views ----------------------------------------------------------------------------------- */

/* view, the table and column below it, and whether directly. */
static const char s_views_sql[] =
    "WITH RECURSIVE direct AS (SELECT DISTINCT r.ev_class AS view, d.refobjid AS base, "
    "d.refobjsubid AS column FROM pg_rewrite r JOIN pg_depend d ON d.objid = r.oid "
    "AND d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass "
    "AND d.refobjsubid > 0 AND d.refobjid <> r.ev_class), "
    "below AS (SELECT view, base, direct.column, true AS is_direct FROM direct "
    "UNION SELECT b.view, d.base, d.column, false FROM below b JOIN direct d ON d.view = b.base) "
    "SELECT vn.nspname, v.relname, tn.nspname, t.relname, a.attname, bool_or(is_direct) "
    "FROM below b JOIN pg_class v ON v.oid = b.view JOIN pg_namespace vn ON vn.oid = "
    "v.relnamespace "
    "JOIN pg_class t ON t.oid = b.base JOIN pg_namespace tn ON tn.oid = t.relnamespace "
    "JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = b.column "
    "WHERE v.relkind IN ('v', 'm') AND vn.nspname NOT IN ('pg_catalog', 'information_schema') "
    "AND tn.nspname NOT IN ('pg_catalog', 'information_schema') "
    "GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5";

/* The grant by which someone reads the column of the view by its owner's rights. */
static const gh_acl_rule *grant_of(const lint *l, const cli_live *live, const gh_relation *view,
                                   const gh_column *column)
{
    for (size_t i = 0; i < l->acl->rule_count; i++) {
        const gh_acl_rule *r = &l->acl->rules[i];
        if (r->is_deny || r->is_through || (r->privileges & GH_SELECT) == 0 ||
            (column != NULL && !cli_rule_names_column(l->arena, r, column->name)))
            continue;
        for (size_t j = 0; j < r->tables.count; j++) {
            cli_pattern p = cli_pattern_of(l->arena, r->tables.items[j]);
            if (cli_pattern_fits(&p, live->warehouse->name, view->schema, view->name))
                return r;
        }
    }
    return NULL;
}

/* A column of another name may be the one that shows it: then its author has thought of it. */
static bool has_tag_anywhere(const lint *l, const cli_live *live, const gh_relation *r, gh_str tag)
{
    for (uint16_t i = 0; i < r->column_count; i++)
        if (has_tag(l, live, r, r->columns[i].name, tag))
            return true;
    return false;
}

static void check_view(lint *l, const cli_live *live, const gh_str *row, gh_str tag)
{
    const gh_relation *view = gh_catalog_relation(live->catalog, row[0], row[1]);
    const gh_relation *table = gh_catalog_relation(live->catalog, row[2], row[3]);

    if (view == NULL || table == NULL || !has_tag(l, live, table, row[4], tag))
        return;
    const gh_column *same = gh_relation_column(view, row[4]);
    const gh_acl_rule *grant = grant_of(l, live, view, same);
    if (grant == NULL || (same == NULL && !gh_str_is(row[5], "t")))
        return;
    if (same != NULL ? has_tag(l, live, view, same->name, tag)
                     : has_tag_anywhere(l, live, view, tag))
        return;
    lint_warning(l, "view-around-tag", lint_at_rule(grant),
                 "view " GH_STR_FMT "." GH_STR_FMT " %s " GH_STR_FMT "." GH_STR_FMT "." GH_STR_FMT
                 ", which has tag " GH_STR_FMT "; tag the view's column too, or grant it `through`",
                 GH_STR_ARG(row[0]), GH_STR_ARG(row[1]), same != NULL ? "shows" : "reads",
                 GH_STR_ARG(row[2]), GH_STR_ARG(row[3]), GH_STR_ARG(row[4]), GH_STR_ARG(tag));
}

static bool tag_protects(const lint *l, gh_str tag)
{
    for (size_t i = 0; i < l->acl->masking_count; i++)
        if (gh_str_eq(l->acl->masking[i].tag, tag))
            return true;
    for (size_t i = 0; i < l->acl->rule_count; i++)
        for (size_t j = 0; j < l->acl->rules[i].tags.count; j++)
            if (gh_str_eq(l->acl->rules[i].tags.items[j], tag))
                return true;
    return false;
}

gh_rc lint_views(lint *l, cli_live *live, gh_err *err)
{
    enum { ROWS_MAX = 1000000, COLUMNS = 6 };
    gh_link_rows rows;
    gh_rc rc = gh_link_query(live->link, gh_str_of(s_views_sql), ROWS_MAX, l->arena, &rows, err);

    if (rc != GH_OK)
        return rc;
    for (size_t i = 0; i < l->acl->tag_count; i++)
        for (size_t j = 0; tag_protects(l, l->acl->tags[i].name) && j < rows.row_count; j++)
            check_view(l, live, &rows.cells[j * COLUMNS], l->acl->tags[i].name);
    return GH_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void check_names(lint *l)
{
    for (size_t i = 0; i < l->acl->rule_count; i++) {
        const gh_acl_rule *r = &l->acl->rules[i];
        check_tables(l, r);
        for (size_t j = 0; j < r->columns.count; j++)
            check_column(l, r, r->columns.items[j], r->is_except ? "except" : "columns");
        for (size_t j = 0; j < r->mask_count; j++)
            check_column(l, r, r->masks[j].column, "mask");
    }
    check_tags(l);
}

static gh_rc fits_open(lint *l, cli_fit **out, gh_err *err)
{
    gh_rc rc = GH_OK;

    *out = gh_alloc((l->live_count + 1) * sizeof(**out));
    for (size_t i = 0; i < l->live_count && rc == GH_OK; i++)
        rc = cli_fit_init(&(*out)[i], l->call, l->acl, &l->lives[i], err);
    return rc;
}

static void fits_close(lint *l, cli_fit *fits)
{
    for (size_t i = 0; i < l->live_count; i++)
        cli_fit_fini(&fits[i]);
    free(fits);
}

gh_rc lint_names(lint *l, gh_err *err)
{
    cli_fit *fits;
    gh_rc rc = fits_open(l, &fits, err);

    check_names(l);
    if (rc == GH_OK)
        rc = check_filters(l, fits, err);
    fits_close(l, fits);
    return rc;
}

gh_rc lint_live(lint *l, gh_err *err)
{
    cli_fit *fits;
    gh_rc rc = fits_open(l, &fits, err);

    check_names(l);
    check_functions(l);
    lint_through(l);
    if (rc == GH_OK)
        rc = check_filters(l, fits, err);
    if (rc == GH_OK)
        rc = check_masks(l, fits, err);
    for (size_t i = 0; i < l->live_count && rc == GH_OK; i++)
        rc = lint_views(l, &l->lives[i], err);
    fits_close(l, fits);
    return rc;
}
