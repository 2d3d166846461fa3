/*
 * Row filters and masks against a warehouse: compiled as the rewriter would, then planned, never
 * run, by the warehouse itself (LIMIT 0).
 */
#include "policy_code.h"

#include <stdlib.h>

#include <gatehouse/rewrite.h>
#include <gatehouse/sql.h>

/* ---- one expression -------------------------------------------------------------------------- */

static gh_rc parse_text(void *arg, gh_err *err)
{
    const gh_str *text = arg;
    gh_sql_text parsed;

    return gh_sql_parse(*text, &parsed, err);
}

/* Also in brackets: `a FROM b` and `a, b` are more than an expression. */
gh_rc cli_check_expression(cli_call *c, gh_str text, gh_err *err)
{
    gh_str forms[] = { gh_arena_printf(c->arena, "SELECT " GH_STR_FMT, GH_STR_ARG(text)),
                       gh_arena_printf(c->arena, "SELECT ((" GH_STR_FMT ")::text)",
                                       GH_STR_ARG(text)) };
    gh_rc rc = GH_OK;

    for (size_t i = 0; i < GH_COUNT(forms) && rc == GH_OK; i++) {
        rc = gh_sql_guard(forms[i], err);
        if (rc == GH_OK)
            rc = gh_sql_run(parse_text, &forms[i], err);
    }
    return rc;
}

/* ---- the view that expressions are compiled for ---------------------------------------------- */

static bool has_attribute(const gh_acl_attribute *list, size_t count, gh_str name)
{
    for (size_t i = 0; i < count; i++)
        if (gh_str_eq(list[i].name, name))
            return true;
    return false;
}

/* Of every attribute that any user has, one. */
static const gh_acl_attribute *all_attributes(const gh_acl *acl, gh_arena *a, size_t *count)
{
    enum { ATTRIBUTES_MAX = 1000 };
    gh_acl_attribute *out = gh_arena_alloc(a, ATTRIBUTES_MAX * sizeof(*out));
    size_t n = 0;

    GH_ASSERT(out != NULL);
    for (size_t i = 0; i < acl->user_count; i++) {
        const gh_acl_user *u = &acl->users[i];
        for (size_t j = 0; j < u->attribute_count && n < ATTRIBUTES_MAX; j++)
            if (!has_attribute(out, n, u->attributes[j].name))
                out[n++] = u->attributes[j];
    }
    *count = n;
    return out;
}

gh_rc cli_fit_init(cli_fit *f, cli_call *c, const gh_acl *acl, cli_live *live, gh_err *err)
{
    gh_acl_user *reader = gh_arena_alloc(c->arena, sizeof(*reader));
    gh_acl small = { .users = reader, .user_count = 1 };

    GH_ASSERT(reader != NULL);
    *f = (cli_fit){ .call = c, .acl = acl, .live = live };
    reader->name = GH_STR("policy");
    reader->attributes = all_attributes(acl, c->arena, &reader->attribute_count);
    gh_rc rc = gh_policy_compile(&small, &f->policy, err);
    if (rc == GH_OK)
        f->view = gh_view_new(f->policy, live->warehouse->name, reader->name, cli_now_us());
    return rc;
}

void cli_fit_fini(cli_fit *f)
{
    gh_view_release(f->view);
    gh_policy_release(f->policy);
    *f = (cli_fit){ 0 };
}

static gh_rc compile(cli_fit *f, const gh_relation *r, const gh_column *value, bool is_value,
                     gh_str expr, gh_str *out, gh_err *err)
{
    gh_rewrite_input in = { .sql = expr,
                            .catalog = f->live->catalog,
                            .view = f->view,
                            .database = f->live->warehouse->name,
                            .client_encoding = GH_STR("UTF8") };

    return gh_rewrite_expression(&in, r, value, is_value, f->call->arena, out, err);
}

static const char *const s_pointers[] = { " LINE 1:", " LOCATION:" };

/* The warehouse plans the statement; what it says against it becomes the fault's public text. */
static gh_rc ask(cli_fit *f, gh_str sql, gh_link_rows *rows, gh_err *err)
{
    gh_err said = { 0 };
    gh_rc rc = gh_link_query(f->live->link, sql, 1, f->call->arena, rows, &said);

    if (rc == GH_OK)
        return GH_OK;
    if (rc != GH_INVALID) {
        *err = said;
        return rc;
    }
    /* Without what points into our own statement, which nobody wrote. */
    for (size_t i = 0; i < GH_COUNT(s_pointers); i++) {
        char *at = strstr(said.detail, s_pointers[i]);
        if (at != NULL)
            *at = '\0';
    }
    return gh_fail(err, GH_INVALID, said.sqlstate, "the warehouse says: %s", said.detail);
}

static gh_str relation_sql(cli_fit *f, const gh_relation *r)
{
    gh_arena *a = f->call->arena;

    return gh_arena_printf(a, GH_STR_FMT "." GH_STR_FMT " AS \"gh\"",
                           GH_STR_ARG(cli_quote_ident(a, r->schema)),
                           GH_STR_ARG(cli_quote_ident(a, r->name)));
}

gh_rc cli_fit_filter(cli_fit *f, const gh_relation *r, gh_str filter, gh_err *err)
{
    gh_link_rows rows;
    gh_str sql;
    gh_rc rc = compile(f, r, NULL, false, filter, &sql, err);

    if (rc != GH_OK)
        return rc;
    gh_str from = relation_sql(f, r);
    return ask(f,
               gh_arena_printf(f->call->arena,
                               "SELECT 1 FROM " GH_STR_FMT " WHERE (" GH_STR_FMT ") LIMIT 0",
                               GH_STR_ARG(from), GH_STR_ARG(sql)),
               &rows, err);
}

/* ---- masks ----------------------------------------------------------------------------------- */

static gh_oid base_type(const gh_catalog *c, gh_oid oid)
{
    for (int depth = 0; depth < 64; depth++) {
        const gh_type *t = gh_catalog_type_by_oid(c, oid);
        if (t == NULL || t->base == 0)
            break;
        oid = t->base;
    }
    return oid;
}

static bool is_literal(gh_str expr)
{
    return expr.len >= 2 && expr.ptr[0] == '\'' && expr.ptr[expr.len - 1] == '\'' &&
           memchr(expr.ptr + 1, '\'', expr.len - 2) == NULL;
}

/* A value of type `from` becomes one of type `to` without a cast that could fail on some texts. */
static bool keeps_type(const gh_catalog *c, gh_oid from, gh_oid to)
{
    const gh_cast *cast;

    from = base_type(c, from);
    to = base_type(c, to);
    if (from == to)
        return true;
    cast = gh_catalog_cast(c, from, to);
    return cast != NULL && cast->context != 'e';
}

static gh_rc fit_expression(cli_fit *f, const gh_relation *r, const gh_column *column,
                            const gh_mask *m, gh_err *err)
{
    const gh_catalog *catalog = f->live->catalog;
    gh_link_rows rows = { 0 };
    gh_str sql;
    gh_str value_sql;
    gh_rc rc = compile(f, r, column, false, m->expr, &sql, err);

    if (rc == GH_OK)
        rc = compile(f, r, column, true, m->expr, &value_sql, err);
    if (rc != GH_OK)
        return rc;
    gh_str from = relation_sql(f, r);
    rc = ask(f,
             gh_arena_printf(f->call->arena,
                             "SELECT (" GH_STR_FMT "), CAST((" GH_STR_FMT ") AS " GH_STR_FMT
                             ") FROM " GH_STR_FMT " LIMIT 0",
                             GH_STR_ARG(value_sql), GH_STR_ARG(sql), GH_STR_ARG(column->type_sql),
                             GH_STR_ARG(from)),
             &rows, err);
    if (rc != GH_OK || is_literal(m->expr) || rows.column_count < 1 ||
        keeps_type(catalog, rows.types[0], column->type_oid))
        return rc;
    const gh_type *type = gh_catalog_type_by_oid(catalog, rows.types[0]);
    return gh_fail(err, GH_INVALID, "42804", "it makes a %.*s of a column of type " GH_STR_FMT,
                   type != NULL ? (int)type->name.len : 5, type != NULL ? type->name.ptr : "value",
                   GH_STR_ARG(column->type_sql));
}

gh_rc cli_fit_mask(cli_fit *f, const gh_relation *r, const gh_column *column, gh_str mask,
                   gh_err *err)
{
    gh_link_rows rows;
    gh_mask m;
    gh_buf sql;
    gh_rc rc = gh_mask_parse(mask, f->acl->masks, f->acl->mask_count, f->call->arena, &m, err);

    if (rc != GH_OK)
        return rc;
    if (m.kind == GH_MASK_EXPR)
        return fit_expression(f, r, column, &m, err);
    if (!gh_mask_fits(&m, f->live->catalog, column))
        return gh_fail(err, GH_INVALID, "42804", "it does not fit a column of type " GH_STR_FMT,
                       GH_STR_ARG(column->type_sql));
    if (m.kind != GH_MASK_CONSTANT)
        return GH_OK;
    gh_buf_init(&sql, 0); /* does the type read the literal? */
    gh_buf_puts(&sql, "SELECT ");
    rc = gh_mask_sql(&m, f->live->catalog, column, cli_quote_ident(f->call->arena, column->name),
                     &sql, err);
    if (rc == GH_OK)
        rc = ask(f, gh_buf_str(&sql), &rows, err);
    gh_buf_fini(&sql);
    return rc;
}

/* ---- every mask of an acl -------------------------------------------------------------------- */

typedef struct mask_walk {
    cli_fit *fit;
    cli_fault_fn fn;
    void *arg;
    cli_seen seen; /* (mask, column) pairs that were looked at */
    bool is_stopped;
} mask_walk;

/* True the first time. */
static bool is_new(mask_walk *w, const gh_relation *r, const gh_column *column, gh_str mask)
{
    return cli_seen_add(
        &w->seen, gh_hash(mask.ptr, mask.len, ((uint64_t)r->oid << 16) + (uint16_t)column->attnum));
}

static gh_rc walk_mask(mask_walk *w, cli_fault *fault, gh_err *err)
{
    gh_err said = { 0 };

    if (!is_new(w, fault->relation, fault->column, fault->mask))
        return GH_OK;
    gh_rc rc = cli_fit_mask(w->fit, fault->relation, fault->column, fault->mask, &said);
    if (rc == GH_OK)
        return GH_OK;
    if (rc != GH_INVALID) {
        *err = said;
        return rc;
    }
    fault->err = &said;
    w->is_stopped = !w->fn(w->arg, fault);
    return GH_OK;
}

static gh_rc walk_rule(mask_walk *w, const gh_acl_rule *rule, const gh_relation *r, gh_err *err)
{
    gh_arena *a = w->fit->call->arena;
    cli_fault fault = { .place = rule->place, .kind = "grant", .id = rule->id, .relation = r };
    gh_rc rc = GH_OK;

    for (size_t i = 0; i < rule->mask_count && rc == GH_OK && !w->is_stopped; i++) {
        gh_str name = cli_name_of(a, rule->masks[i].column);
        fault.column = gh_relation_column(r, name);
        fault.mask = rule->masks[i].mask;
        fault.place = gh_policy_place_of(w->fit->acl, rule->place, fault.mask);
        if (fault.column != NULL && cli_rule_names_column(a, rule, name))
            rc = walk_mask(w, &fault, err);
    }
    return rc;
}

static gh_rc walk_tag(mask_walk *w, const gh_acl_masking *m, const gh_relation *r,
                      const cli_pattern *p, gh_err *err)
{
    cli_fault fault = { .place = gh_policy_place_of(w->fit->acl, m->place, m->mask),
                        .kind = "masking",
                        .relation = r,
                        .mask = m->mask };
    gh_rc rc = GH_OK;

    for (uint16_t i = 0; i < r->column_count && rc == GH_OK && !w->is_stopped; i++) {
        fault.column = &r->columns[i];
        if (cli_part_fits(&p->parts[2], r->columns[i].name))
            rc = walk_mask(w, &fault, err);
    }
    return rc;
}

/* The relations of a pattern; an exact one is looked up. */
static gh_rc walk_pattern(mask_walk *w, gh_str text, const gh_acl_rule *rule,
                          const gh_acl_masking *m, gh_err *err)
{
    const cli_live *live = w->fit->live;
    cli_pattern p = cli_pattern_of(w->fit->call->arena, text);
    size_t count = 1;
    const gh_relation *exact = NULL;
    const gh_relation *const *all = &exact;
    gh_rc rc = GH_OK;

    if (p.parts[0].is_glob || p.parts[1].is_glob)
        all = gh_catalog_relations(live->catalog, &count);
    else
        exact = gh_catalog_relation(live->catalog, p.parts[0].text, p.parts[1].text);
    for (size_t i = 0; i < count && rc == GH_OK && !w->is_stopped; i++) {
        const gh_relation *r = all[i];
        if (r == NULL || !cli_is_table(r) ||
            !cli_pattern_fits(&p, live->warehouse->name, r->schema, r->name))
            continue;
        rc = rule != NULL ? walk_rule(w, rule, r, err) : walk_tag(w, m, r, &p, err);
    }
    return rc;
}

static const gh_acl_tag *find_tag(const gh_acl *acl, gh_str name)
{
    for (size_t i = 0; i < acl->tag_count; i++)
        if (gh_str_eq(acl->tags[i].name, name))
            return &acl->tags[i];
    return NULL;
}

gh_rc cli_fit_masks(cli_fit *f, cli_fault_fn fn, void *arg, gh_err *err)
{
    mask_walk w = { .fit = f, .fn = fn, .arg = arg };
    const gh_acl *acl = f->acl;
    gh_rc rc = GH_OK;

    for (size_t i = 0; i < acl->rule_count && rc == GH_OK && !w.is_stopped; i++) {
        const gh_acl_rule *r = &acl->rules[i];
        for (size_t j = 0; j < r->tables.count && r->mask_count > 0 && rc == GH_OK; j++)
            rc = walk_pattern(&w, r->tables.items[j], r, NULL, err);
    }
    for (size_t i = 0; i < acl->masking_count && rc == GH_OK && !w.is_stopped; i++) {
        const gh_acl_tag *tag = find_tag(acl, acl->masking[i].tag);
        for (size_t j = 0; tag != NULL && j < tag->columns.count && rc == GH_OK; j++)
            rc = walk_pattern(&w, tag->columns.items[j], NULL, &acl->masking[i], err);
    }
    cli_seen_fini(&w.seen);
    return rc;
}
