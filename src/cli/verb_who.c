/*
 * who: access review from an object's side. Every user's decision on it, as a running proxy takes
 * it, and the grants that made it.
 */
#include "who.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct who {
    cli_call *c;
    gh_acl acl;
    gh_policy *policy;
    cli_who_object object;
    const gh_catalog *catalog;
    const gh_relation *relation;
    gh_str warehouse;
    gh_str user;      /* at hand; of the acl: a view's own name goes with it */
    gh_str_list tags; /* on the column that is asked about */
    bool with_rows;
    cli_table table;
} who;

/* ---- words ----------------------------------------------------------------------------------- */

static gh_str joined_filters(who *w, const gh_decision *d, gh_filter_set set, const char *between)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    for (uint16_t i = 0; i < set.count; i++)
        gh_buf_printf(&b, "%s(" GH_STR_FMT ")", i > 0 ? between : "",
                      GH_STR_ARG(d->filters[set.items[i]]));
    gh_str text = gh_arena_dup(w->c->arena, gh_buf_str(&b));
    gh_buf_fini(&b);
    return text;
}

static gh_str granted_rows(who *w, const gh_decision *d)
{
    gh_arena *a = w->c->arena;

    if (d->is_every_row)
        return GH_STR("all");
    if (!w->with_rows)
        return GH_STR("filtered");
    gh_str shown = d->rows_all ? GH_STR("all") : joined_filters(w, d, d->rows, " or ");
    if (d->row_denies.count == 0)
        return shown;
    return gh_arena_printf(a, GH_STR_FMT " but not " GH_STR_FMT, GH_STR_ARG(shown),
                           GH_STR_ARG(joined_filters(w, d, d->row_denies, " nor ")));
}

static gh_str rows_text(who *w, const gh_decision *d)
{
    gh_str rows = granted_rows(w, d);

    return d->is_through
               ? gh_arena_printf(w->c->arena, GH_STR_FMT " that the rules of its tables show",
                                 GH_STR_ARG(rows))
               : rows;
}

static gh_str arm_text(who *w, const gh_mask *mask)
{
    return mask == NULL
               ? GH_STR("clear")
               : gh_arena_printf(w->c->arena, "masked by " GH_STR_FMT, GH_STR_ARG(mask->name));
}

/* "by row: clear, masked by hash, NULL", with the filters if they are asked for. */
static gh_str by_row_text(who *w, const gh_decision *d, const gh_column_decision *column)
{
    bool is_total = false;
    gh_buf b;

    gh_buf_init(&b, 0);
    gh_buf_puts(&b, "by row: ");
    if (column->null_where.count > 0) {
        gh_buf_puts(&b, "NULL");
        if (w->with_rows)
            gh_buf_printf(&b, " where " GH_STR_FMT,
                          GH_STR_ARG(joined_filters(w, d, column->null_where, " or ")));
    }
    for (uint16_t i = 0; i < column->arm_count && !is_total; i++) {
        const gh_arm *arm = &column->arms[i];
        is_total = arm->is_always;
        gh_buf_printf(&b, "%s" GH_STR_FMT, b.len > 8 ? ", " : "",
                      GH_STR_ARG(arm_text(w, arm->mask)));
        if (w->with_rows && !is_total)
            gh_buf_printf(&b, " where " GH_STR_FMT,
                          GH_STR_ARG(joined_filters(w, d, arm->when, " or ")));
    }
    if (!is_total && (column->null_where.count == 0 || w->with_rows))
        gh_buf_puts(&b, w->with_rows ? ", else NULL" : ", NULL");
    gh_str text = gh_arena_dup(w->c->arena, gh_buf_str(&b));
    gh_buf_fini(&b);
    return text;
}

static gh_str show_text(who *w, const gh_decision *d, const gh_column_decision *column)
{
    switch (column->show) {
    case GH_HIDDEN:
        return (gh_str){ 0 };
    case GH_CLEAR:
        return GH_STR("clear");
    case GH_MASKED:
        return arm_text(w, column->arms[0].mask);
    case GH_BY_CELL:
        return by_row_text(w, d, column);
    }
    return (gh_str){ 0 };
}

/* ---- through what ---------------------------------------------------------------------------- */

static bool has_tag_of(const who *w, const gh_acl_rule *r)
{
    for (size_t i = 0; i < r->tags.count; i++)
        for (size_t j = 0; j < w->tags.count; j++)
            if (gh_str_eq(r->tags.items[i], w->tags.items[j]))
                return true;
    return false;
}

/* Does the rule say something about what is asked for? */
static bool concerns(who *w, const gh_acl_rule *r)
{
    if (w->object.column.len == 0)
        return true;
    if ((r->privileges & GH_SELECT) == 0)
        return false;
    if (!r->has_columns && r->tags.count == 0)
        return true;
    return has_tag_of(w, r) ||
           (r->has_columns && cli_rule_names_column(w->c->arena, r, w->object.column));
}

/* "12 via analyst until 2026-12-31T00:00:00Z" */
static gh_str rule_text(who *w, const gh_acl_rule *r, gh_str via)
{
    gh_str until = cli_time_text(w->c->arena, r->valid_until);

    return gh_arena_printf(w->c->arena, "%" PRId64 " via " GH_STR_FMT "%s" GH_STR_FMT, r->id,
                           GH_STR_ARG(via), until.len > 0 ? " until " : "", GH_STR_ARG(until));
}

static void put_rules(who *w, const gh_decision *d, const gh_view *view, bool is_deny)
{
    gh_str *items =
        gh_arena_alloc(w->c->arena, (d->grant_count + w->acl.masking_count + 1u) * sizeof(*items));
    gh_str_list list = { items, 0 };
    gh_str_list roles = gh_view_roles(view);

    GH_ASSERT(items != NULL);
    for (uint16_t i = 0; i < d->grant_count; i++) {
        const gh_acl_rule *r = cli_find_rule(&w->acl, d->grant_ids[i]);
        if (r != NULL && r->is_deny == is_deny && concerns(w, r))
            items[list.count++] = rule_text(w, r, cli_held(r->to, w->user, roles));
    }
    for (size_t i = 0; is_deny && i < w->acl.masking_count; i++) {
        const gh_acl_masking *m = &w->acl.masking[i];
        for (size_t j = 0; j < w->tags.count; j++)
            if (gh_str_eq(m->tag, w->tags.items[j]) && cli_held(m->except, w->user, roles).len == 0)
                items[list.count++] =
                    gh_arena_printf(w->c->arena, "tag " GH_STR_FMT " with " GH_STR_FMT,
                                    GH_STR_ARG(m->tag), GH_STR_ARG(m->mask));
    }
    cli_table_put_list(&w->table, list);
}

/* ---- a user ---------------------------------------------------------------------------------- */

static const char *const s_relation_headings[] = { "user",   "privileges", "clear",
                                                   "masked", "by_row",     "rows",
                                                   "grants", "limits",     "warehouse" };
static const char *const s_column_headings[] = { "user",   "shows",  "rows",
                                                 "grants", "limits", "warehouse" };

/* The columns that show in this way. */
static void put_columns(who *w, const gh_decision *d, gh_show show)
{
    gh_str *items = gh_arena_alloc(w->c->arena, (d->column_count + 1u) * sizeof(*items));
    gh_str_list list = { items, 0 };

    GH_ASSERT(items != NULL);
    for (uint16_t i = 0; i < d->column_count; i++) {
        if (d->columns[i].show != show)
            continue;
        gh_str name = w->relation->columns[i].name;
        if (show != GH_CLEAR)
            name = gh_arena_printf(w->c->arena, GH_STR_FMT " " GH_STR_FMT, GH_STR_ARG(name),
                                   GH_STR_ARG(show_text(w, d, &d->columns[i])));
        items[list.count++] = name;
    }
    cli_table_put_list(&w->table, list);
}

static void put_relation(who *w, const gh_view *view, const gh_decision *d)
{
    cli_table_put(&w->table, w->user);
    cli_table_put_list(&w->table, cli_privileges(w->c->arena, d->privileges));
    put_columns(w, d, GH_CLEAR);
    put_columns(w, d, GH_MASKED);
    put_columns(w, d, GH_BY_CELL);
    cli_table_put(&w->table, (d->privileges & GH_SELECT) != 0 ? rows_text(w, d) : (gh_str){ 0 });
    put_rules(w, d, view, false);
    put_rules(w, d, view, true);
    cli_table_put(&w->table, w->warehouse);
}

static void put_column(who *w, const gh_view *view, const gh_decision *d)
{
    const gh_column *column = gh_relation_column(w->relation, w->object.column);
    const gh_column_decision *cd = &d->columns[column - w->relation->columns];

    if (cd->show == GH_HIDDEN || (d->privileges & GH_SELECT) == 0)
        return;
    cli_table_put(&w->table, w->user);
    cli_table_put(&w->table, show_text(w, d, cd));
    cli_table_put(&w->table, rows_text(w, d));
    put_rules(w, d, view, false);
    put_rules(w, d, view, true);
    cli_table_put(&w->table, w->warehouse);
}

/* Whoever may bypass is not judged at all. */
static void put_bypass(who *w)
{
    gh_str *all = gh_arena_alloc(w->c->arena, sizeof(*all));
    gh_str_list none = { 0 };

    GH_ASSERT(all != NULL);
    *all = GH_STR("may bypass");
    cli_table_put(&w->table, w->user);
    if (w->object.column.len == 0) {
        cli_table_put_list(&w->table, cli_privileges(w->c->arena, GH_ALL_PRIVILEGES));
        gh_str *star = gh_arena_alloc(w->c->arena, sizeof(*star));
        GH_ASSERT(star != NULL);
        *star = GH_STR("*");
        cli_table_put_list(&w->table, (gh_str_list){ star, 1 });
        cli_table_put_list(&w->table, none);
        cli_table_put_list(&w->table, none);
    } else {
        cli_table_put(&w->table, GH_STR("clear"));
    }
    cli_table_put(&w->table, GH_STR("all"));
    cli_table_put_list(&w->table, (gh_str_list){ all, 1 });
    cli_table_put_list(&w->table, none);
    cli_table_put(&w->table, w->warehouse);
}

/* A rule of one warehouse only is shown for that one; what holds in all is shown once. */
static bool is_of_this_warehouse(const who *w, const gh_decision *d, const gh_decision *general)
{
    if (general == NULL || !general->exists || general->grant_count != d->grant_count)
        return true;
    return w->warehouse.len == 0 ||
           memcmp(general->grant_ids, d->grant_ids, d->grant_count * sizeof(*d->grant_ids)) != 0;
}

static void put_user(who *w, int64_t now, bool has_general)
{
    gh_view *view = gh_view_new(w->policy, w->warehouse, w->user, now);
    gh_view *general =
        has_general ? gh_view_new(w->policy, (gh_str){ 0 }, w->user, now) : gh_view_acquire(view);

    if ((gh_view_may(view) & GH_MAY_BYPASS) != 0) {
        if (!has_general)
            put_bypass(w);
    } else {
        const gh_decision *d = gh_view_decide(view, w->catalog, w->relation);
        const gh_decision *g =
            has_general ? gh_view_decide(general, w->catalog, w->relation) : NULL;
        if (d->exists && is_of_this_warehouse(w, d, g)) {
            if (w->object.column.len > 0)
                put_column(w, view, d);
            else
                put_relation(w, view, d);
        }
    }
    gh_view_release(general);
    gh_view_release(view);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void put_users(who *w, gh_str_list warehouses)
{
    int64_t now = cli_now_us();

    for (size_t i = 0; i < warehouses.count; i++) {
        w->warehouse = warehouses.items[i];
        for (size_t j = 0; j < w->acl.user_count; j++) {
            w->user = w->acl.users[j].name;
            put_user(w, now, i > 0);
        }
    }
}

static int read_object(cli_call *c, cli_who_object *out)
{
    cli_pattern p = cli_pattern_of(c->arena, gh_str_of(c->args[0]));
    bool is_glob = p.warehouse.is_glob;

    for (size_t i = 0; i < p.count; i++)
        is_glob = is_glob || p.parts[i].is_glob || p.parts[i].text.len == 0;
    if (p.count < 2 || is_glob)
        return cli_usage(c, "expected [warehouse:]schema.relation[.column], found \"%s\"",
                         c->args[0]);
    *out = (cli_who_object){ .warehouse = p.warehouse.text,
                             .schema = p.parts[0].text,
                             .name = p.parts[1].text,
                             .column = p.count == 3 ? p.parts[2].text : (gh_str){ 0 } };
    return GH_CLI_DONE;
}

static bool has_config(const cli_call *c)
{
    const char *named = getenv("GATEHOUSE_CONFIG");

    return cli_has(c, "--config") || (named != NULL && named[0] != '\0');
}

static int fail_relation(who *w)
{
    size_t count = 0;
    const gh_relation *const *all = gh_catalog_relations(w->catalog, &count);
    const char **words = gh_arena_alloc(w->c->arena, (count + 1) * sizeof(*words));
    gh_str name = gh_arena_printf(w->c->arena, GH_STR_FMT "." GH_STR_FMT,
                                  GH_STR_ARG(w->object.schema), GH_STR_ARG(w->object.name));

    GH_ASSERT(words != NULL);
    for (size_t i = 0; i < count; i++)
        words[i] = gh_arena_printf(w->c->arena, GH_STR_FMT "." GH_STR_FMT,
                                   GH_STR_ARG(all[i]->schema), GH_STR_ARG(all[i]->name))
                       .ptr;
    return cli_fail("warehouse " GH_STR_FMT " has no relation " GH_STR_FMT "%s",
                    GH_STR_ARG(w->warehouse), GH_STR_ARG(name),
                    cli_did_you_mean(w->c, name, words, count));
}

static int fail_column(who *w)
{
    const char **words =
        gh_arena_alloc(w->c->arena, (w->relation->column_count + 1u) * sizeof(*words));

    GH_ASSERT(words != NULL);
    for (uint16_t i = 0; i < w->relation->column_count; i++)
        words[i] = gh_arena_dup(w->c->arena, w->relation->columns[i].name).ptr;
    return cli_fail(GH_STR_FMT "." GH_STR_FMT " has no column " GH_STR_FMT "%s",
                    GH_STR_ARG(w->object.schema), GH_STR_ARG(w->object.name),
                    GH_STR_ARG(w->object.column),
                    cli_did_you_mean(w->c, w->object.column, words, w->relation->column_count));
}

static int review(who *w, gh_str_list warehouses)
{
    bool has_column = w->object.column.len > 0;

    w->relation = gh_catalog_relation(w->catalog, w->object.schema, w->object.name);
    if (w->relation == NULL)
        return fail_relation(w);
    if (has_column && gh_relation_column(w->relation, w->object.column) == NULL)
        return fail_column(w);
    if (has_column)
        w->tags = cli_who_tags(w->c, &w->acl, &w->object);
    cli_table_init(&w->table, has_column ? s_column_headings : s_relation_headings,
                   has_column ? GH_COUNT(s_column_headings) : GH_COUNT(s_relation_headings),
                   w->c->arena);
    put_users(w, warehouses);
    cli_table_print(&w->table, w->c, stdout);
    cli_table_fini(&w->table);
    return GH_CLI_DONE;
}

/* By the catalog of the warehouse. GH_CLI_DONE with *is_asked false: it cannot be reached. */
static int review_live(who *w, bool *is_asked)
{
    const gh_config_warehouse *warehouse = NULL;
    cli_live live = { 0 };
    gh_err err = { 0 };
    int code = cli_read_config(w->c);

    *is_asked = false;
    if (code == GH_CLI_DONE && w->object.warehouse.len > 0 && !cli_has(w->c, "--warehouse")) {
        warehouse = gh_config_warehouse_find(&w->c->config, w->object.warehouse);
        if (warehouse == NULL)
            return cli_usage(w->c, "the config file has no warehouse \"" GH_STR_FMT "\"",
                             GH_STR_ARG(w->object.warehouse));
    } else if (code == GH_CLI_DONE) {
        code = cli_pick_warehouse(w->c, &warehouse);
    }
    if (code != GH_CLI_DONE)
        return code;
    if (cli_live_open(w->c, warehouse, w->acl.hash_key, &live, &err) != GH_OK) {
        (void)fprintf(stderr, "gatehouse: %s\n", err.public_msg);
        return GH_CLI_DONE;
    }
    *is_asked = true;
    w->catalog = live.catalog;
    w->warehouse = warehouse->name;
    w->object.warehouse = warehouse->name;
    code = review(w, (gh_str_list){ &warehouse->name, 1 });
    cli_live_close(&live);
    return code;
}

static int review_acl(who *w)
{
    gh_catalog *catalog = cli_who_catalog(w->c, &w->acl, &w->object);
    gh_str_list warehouses = { &w->object.warehouse, 1 };

    if (w->object.warehouse.len == 0)
        warehouses = cli_who_warehouses(w->c, &w->acl, &w->object);
    (void)fputs("gatehouse: no warehouse was asked: this is what the ACL says by itself; * stands "
                "for columns that it does not name\n",
                stderr);
    w->catalog = catalog;
    int code = review(w, warehouses);
    gh_catalog_release(catalog);
    return code;
}

static int run_who(cli_call *c)
{
    who w = { .c = c, .with_rows = cli_has(c, "--rows") };
    gh_err err = { 0 };
    bool is_asked = false;
    int code = read_object(c, &w.object);

    if (code == GH_CLI_DONE)
        code = cli_load_acl(c, &w.acl);
    if (code != GH_CLI_DONE)
        return code;
    if (gh_policy_compile(&w.acl, &w.policy, &err) != GH_OK)
        return cli_fail_err(&err);
    if (has_config(c))
        code = review_live(&w, &is_asked);
    if (code == GH_CLI_DONE && !is_asked)
        code = review_acl(&w);
    gh_policy_release(w.policy);
    return code;
}

static const cli_option s_options[] = {
    { "--rows", NULL, "show the row filters, too" },
    { "--warehouse", "NAME", "needed where the config file has several" },
};

const cli_verb cli_who = {
    .name = "who",
    .args = "OBJECT[.COLUMN]",
    .summary = "Review access: who can read a relation or column, how, through which grant",
    .help =
        "With --config the relation is looked up in the warehouse. Without, or where it cannot\n"
        "be reached, the answer is what the ACL's patterns say. `limits` are the denies and\n"
        "the tags' masks. Disabled users, and grants that are not valid now, do not count.",
    .example = "  gatehouse who --config gatehouse.yaml crm.customers.email\n"
               "  gatehouse who --acl acl.db sales.orders --rows --json",
    .shared = CLI_ACL | CLI_CONFIG | CLI_JSON,
    .options = s_options,
    .option_count = GH_COUNT(s_options),
    .args_min = 1,
    .args_max = 1,
    .run = run_who,
};
