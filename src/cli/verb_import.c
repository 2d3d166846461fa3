/*
 * policy import: what a warehouse grants by its own means, as a policy file.
 */
#include "import.h"

#include <stdlib.h>

/* ---- what is collected ----------------------------------------------------------------------- */

void import_note(importing *m, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < m->note_count; i++)
        if (gh_str_is(m->notes[i], text))
            return;
    if (m->note_count == m->note_cap) {
        m->note_cap = m->note_cap == 0 ? 32 : m->note_cap * 2;
        m->notes = gh_realloc_array(m->notes, m->note_cap, sizeof(*m->notes));
    }
    m->notes[m->note_count++] = gh_arena_dup(m->a, gh_str_of(text));
}

gh_str import_quote(gh_arena *a, gh_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (memchr(".*\":", name.ptr[i], 4) != NULL)
            return cli_quote_ident(a, name);
    return name;
}

static void put_key(gh_buf *b, gh_str s)
{
    gh_buf_put_str(b, s);
    gh_buf_put(b, "", 1);
}

void import_add_rule(importing *m, const gh_relation *r, gh_acl_rule rule)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    gh_buf_puts(&b, rule.is_deny ? "d" : "g");
    put_key(&b, rule.to.items[0]);
    for (size_t i = 0; i < rule.columns.count; i++)
        put_key(&b, rule.columns.items[i]);
    gh_buf_put(&b, "", 1);
    put_key(&b, rule.rows);
    gh_buf_printf(&b, "%u", rule.privileges);
    if (m->rule_count == m->rule_cap) {
        m->rule_cap = m->rule_cap == 0 ? 256 : m->rule_cap * 2;
        m->rules = gh_realloc_array(m->rules, m->rule_cap, sizeof(*m->rules));
    }
    m->rules[m->rule_count++] = (import_rule){
        .rule = rule,
        .relation = r,
        .table = gh_arena_printf(m->a, GH_STR_FMT "." GH_STR_FMT,
                                 GH_STR_ARG(import_quote(m->a, r->schema)),
                                 GH_STR_ARG(import_quote(m->a, r->name))),
        .key = gh_arena_dup(m->a, gh_buf_str(&b)),
    };
    gh_buf_fini(&b);
}

/* ---- into an acl ----------------------------------------------------------------------------- */

/* Grants whose rows Gatehouse cannot take are left out; denies have been looked at before. */
static gh_rc drop_misfits(importing *m, gh_err *err)
{
    cli_fit fit;
    size_t kept = 0;
    gh_rc rc = cli_fit_init(&fit, m->c, &m->acl, m->live, err);

    for (size_t i = 0; i < m->rule_count && rc == GH_OK; i++) {
        const import_rule *r = &m->rules[i];
        gh_err said = { 0 };
        gh_rc fits = r->rule.rows.len == 0 || r->rule.is_deny
                         ? GH_OK
                         : cli_fit_filter(&fit, r->relation, r->rule.rows, &said);
        if (fits == GH_OK) {
            m->rules[kept++] = *r;
        } else if (fits == GH_INVALID) {
            import_note(
                m,
                "table " GH_STR_FMT ", grant to " GH_STR_FMT
                ": its rows cannot be said in Gatehouse (%s); it is not imported: " GH_STR_FMT,
                GH_STR_ARG(r->table), GH_STR_ARG(r->rule.to.items[0]), said.public_msg,
                GH_STR_ARG(r->rule.rows));
        } else {
            *err = said;
            rc = fits;
        }
    }
    m->rule_count = kept;
    cli_fit_fini(&fit);
    return rc;
}

static int rule_order(const void *x, const void *y)
{
    const import_rule *a = x;
    const import_rule *b = y;
    int order = gh_str_cmp(a->key, b->key);

    return order != 0 ? order : gh_str_cmp(a->table, b->table);
}

static void merge_rules(importing *m)
{
    gh_acl_rule *rules = gh_arena_alloc(m->a, (m->rule_count + 1) * sizeof(*rules));
    size_t n = 0;

    GH_ASSERT(rules != NULL);
    if (m->rule_count > 1)
        qsort(m->rules, m->rule_count, sizeof(*m->rules), rule_order);
    for (size_t i = 0, end; i < m->rule_count; i = end) {
        gh_str *tables;
        size_t count = 0;
        for (end = i + 1; end < m->rule_count && gh_str_eq(m->rules[end].key, m->rules[i].key);)
            end++;
        tables = gh_arena_alloc(m->a, (end - i) * sizeof(*tables));
        GH_ASSERT(tables != NULL);
        for (size_t j = i; j < end; j++)
            if (count == 0 || !gh_str_eq(tables[count - 1], m->rules[j].table))
                tables[count++] = m->rules[j].table;
        rules[n] = m->rules[i].rule;
        rules[n++].tables = (gh_str_list){ tables, count };
    }
    m->acl.rules = rules;
    m->acl.rule_count = n;
}

/* ---- the verb -------------------------------------------------------------------------------- */

static gh_rc import(importing *m, gh_err *err)
{
    gh_policy *policy = NULL;
    gh_rc rc = import_people(m, err);

    if (rc != GH_OK)
        return rc;
    cli_people_init(&m->people, &m->acl);
    rc = import_privileges(m, err);
    if (rc == GH_OK)
        rc = drop_misfits(m, err);
    merge_rules(m);
    if (rc == GH_OK) /* what is printed can be applied */
        rc = gh_policy_compile(&m->acl, &policy, err);
    gh_policy_release(policy);
    cli_people_fini(&m->people);
    return rc;
}

static void print(const importing *m)
{
    gh_buf out;

    gh_buf_init(&out, 0);
    gh_buf_printf(&out, "# Imported from warehouse " GH_STR_FMT ", database " GH_STR_FMT ".\n",
                  GH_STR_ARG(m->live->warehouse->name),
                  GH_STR_ARG(gh_catalog_database(m->live->catalog)));
    gh_policy_write_file(&m->acl, &out);
    (void)fwrite(out.ptr, 1, out.len, stdout);
    gh_buf_fini(&out);
    for (size_t i = 0; i < m->note_count; i++)
        (void)fprintf(stderr, "# " GH_STR_FMT "\n", GH_STR_ARG(m->notes[i]));
}

static int run_import(cli_call *c)
{
    const gh_config_warehouse *w = NULL;
    importing m = { .c = c, .a = c->arena };
    cli_live live = { 0 };
    gh_err err = { 0 };
    int code = cli_read_config(c);

    if (code == GH_CLI_DONE)
        code = cli_pick_warehouse(c, &w);
    if (code != GH_CLI_DONE)
        return code;
    gh_log_set_level(GH_ERROR); /* what does not compile is a note */
    gh_rc rc = cli_live_open(c, w, (gh_str){ 0 }, &live, &err);
    if (rc == GH_OK) {
        m.live = &live;
        rc = import(&m, &err);
    }
    if (rc == GH_OK)
        print(&m);
    else
        code = cli_fail_err(&err);
    cli_live_close(&live);
    free(m.rules);
    free(m.notes);
    return code;
}

static const cli_option s_options[] = {
    { "--warehouse", "NAME", "needed where the config file has several" },
};

const cli_verb cli_policy_import = {
    .group = "policy",
    .name = "import",
    .summary = "Write what a PostgreSQL warehouse grants by itself as a policy file",
    .help =
        "Reads roles and memberships, GRANTs on tables and columns, and row-level security, and\n"
        "writes a policy file to stdout. What a policy cannot say is left out, so that nobody "
        "sees\n"
        "more than before, and told on stderr. A policy on current_setting('app.x') becomes one "
        "on\n"
        "attr('x'). Test it before it is applied.",
    .example = "  gatehouse policy import --config gatehouse.yaml > imported.yaml\n"
               "  gatehouse policy plan --config gatehouse.yaml imported.yaml",
    .shared = CLI_CONFIG,
    .options = s_options,
    .option_count = GH_COUNT(s_options),
    .run = run_import,
};
