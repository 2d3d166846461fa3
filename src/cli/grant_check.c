/*
 * A grant or deny against the warehouses of the config file, before it is made: do its relations and
 * columns exist, do its filter and masks fit them?
 */
#include "grant_check.h"

#include <stdlib.h>

typedef struct checking {
    cli_call *c;
    const gh_acl_rule *rule;
    const cli_pattern *tables; /* parallel to rule->tables */
    bool *is_met;              /* by some relation of some warehouse */
    cli_live *live;
    cli_fit *fit;
} checking;

static gh_str title_of(const checking *k, const gh_relation *r)
{
    return gh_arena_printf(k->c->arena, GH_STR_FMT ":" GH_STR_FMT "." GH_STR_FMT,
                           GH_STR_ARG(k->live->warehouse->name), GH_STR_ARG(r->schema),
                           GH_STR_ARG(r->name));
}

/* One that a pattern with a star meets need not have every column. */
static int check_columns(checking *k, const gh_relation *r)
{
    const char **known = gh_arena_alloc(k->c->arena, (r->column_count + 1u) * sizeof(*known));

    GH_ASSERT(known != NULL);
    for (uint16_t i = 0; i < r->column_count; i++)
        known[i] = gh_arena_dup(k->c->arena, r->columns[i].name).ptr;
    for (size_t i = 0; i < k->rule->columns.count + k->rule->mask_count; i++) {
        gh_str name = i < k->rule->columns.count
                          ? k->rule->columns.items[i]
                          : k->rule->masks[i - k->rule->columns.count].column;
        name = cli_name_of(k->c->arena, name);
        if (gh_relation_column(r, name) == NULL)
            return cli_fail(GH_STR_FMT " has no column " GH_STR_FMT "%s",
                            GH_STR_ARG(title_of(k, r)), GH_STR_ARG(name),
                            cli_did_you_mean(k->c, name, known, r->column_count));
    }
    return GH_CLI_DONE;
}

static int check_fit(checking *k, const gh_relation *r)
{
    gh_err err = { 0 };
    gh_str title = title_of(k, r);

    if (k->rule->rows.len > 0 && cli_fit_filter(k->fit, r, k->rule->rows, &err) != GH_OK)
        return cli_fail("--rows on " GH_STR_FMT ": %s", GH_STR_ARG(title), err.public_msg);
    for (size_t i = 0; i < k->rule->mask_count; i++) {
        const gh_acl_column_mask *m = &k->rule->masks[i];
        const gh_column *column = gh_relation_column(r, cli_name_of(k->c->arena, m->column));
        if (column != NULL && cli_fit_mask(k->fit, r, column, m->mask, &err) != GH_OK)
            return cli_fail("--mask of " GH_STR_FMT "." GH_STR_FMT ": %s", GH_STR_ARG(title),
                            GH_STR_ARG(column->name), err.public_msg);
    }
    return GH_CLI_DONE;
}

static int check_relation(checking *k, const gh_relation *r)
{
    bool is_exact = false;
    bool is_met = false;

    for (size_t i = 0; i < k->rule->tables.count; i++) {
        const cli_pattern *p = &k->tables[i];
        if (!cli_pattern_fits(p, k->live->warehouse->name, r->schema, r->name))
            continue;
        is_met = true;
        k->is_met[i] = true;
        is_exact = is_exact || (!p->parts[0].is_glob && !p->parts[1].is_glob);
    }
    if (!is_met)
        return GH_CLI_DONE;
    int code = is_exact ? check_columns(k, r) : GH_CLI_DONE;
    return code == GH_CLI_DONE ? check_fit(k, r) : code;
}

static int check_warehouse(checking *k, const gh_acl *acl, const gh_config_warehouse *w)
{
    cli_live live = { 0 };
    cli_fit fit = { 0 };
    gh_err err = { 0 };
    size_t count = 0;

    if (cli_live_open(k->c, w, acl->hash_key, &live, &err) != GH_OK)
        return cli_fail_err(&err);
    k->live = &live;
    k->fit = &fit;
    int code = GH_CLI_DONE;
    if (cli_fit_init(&fit, k->c, acl, &live, &err) != GH_OK)
        code = cli_fail_err(&err);
    const gh_relation *const *all = gh_catalog_relations(live.catalog, &count);
    for (size_t i = 0; i < count && code == GH_CLI_DONE; i++)
        if (cli_is_table(all[i]))
            code = check_relation(k, all[i]);
    cli_fit_fini(&fit);
    cli_live_close(&live);
    return code;
}

int cli_check_rule(cli_call *c, const gh_acl_rule *rule)
{
    cli_pattern *tables = gh_arena_alloc(c->arena, (rule->tables.count + 1) * sizeof(*tables));
    checking k = { .c = c, .rule = rule, .tables = tables };
    gh_acl acl = { 0 };
    int code = cli_read_config(c);

    k.is_met = gh_arena_alloc(c->arena, rule->tables.count + 1);
    GH_ASSERT(tables != NULL);
    GH_ASSERT(k.is_met != NULL);
    for (size_t i = 0; i < rule->tables.count; i++)
        tables[i] = cli_pattern_of(c->arena, rule->tables.items[i]);
    if (code == GH_CLI_DONE)
        code = cli_load_acl(c, &acl);
    gh_log_set_level(GH_ERROR); /* what a filter or mask lacks is said as an error */
    for (size_t i = 0; i < c->config.warehouse_count && code == GH_CLI_DONE; i++)
        code = check_warehouse(&k, &acl, &c->config.warehouses[i]);
    for (size_t i = 0; i < rule->tables.count && code == GH_CLI_DONE; i++)
        if (!k.is_met[i])
            code = cli_fail("no warehouse of the config file has a relation " GH_STR_FMT,
                            GH_STR_ARG(rule->tables.items[i]));
    return code;
}
