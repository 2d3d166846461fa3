/*
 * explain: what a statement of a user's becomes and why, by the same decision that a running proxy takes.
 */
#include "explain_need.h"
#include "who.h"

#include <inttypes.h>

#include <gatehouse/audit.h>
#include <gatehouse/catalog.h>
#include <gatehouse/policy.h>
#include <gatehouse/rewrite.h>
#include <gatehouse/upstream.h>

static const gh_config_warehouse *find_warehouse(const gh_config *config, const char *name)
{
    if (name == NULL)
        return config->warehouse_count == 1 ? &config->warehouses[0] : NULL;
    for (size_t i = 0; i < config->warehouse_count; i++) {
        if (gh_str_is(config->warehouses[i].name, name))
            return &config->warehouses[i];
    }
    return NULL;
}

/* ---- output ------------------------------------------------------------------------------------------- */

static void put_names(gh_buf *b, const char *key, gh_str_list names)
{
    gh_buf_printf(b, ",\"%s\":[", key);
    for (size_t i = 0; i < names.count; i++) {
        gh_buf_puts(b, i == 0 ? "" : ",");
        gh_audit_put_string(b, names.items[i]);
    }
    gh_buf_puts(b, "]");
}

/* What explains one statement. */
typedef struct explaining {
    cli_call *c;
    const gh_acl *acl;
    const cli_live *live;
    gh_view *view;
    gh_str user; /* of the acl */
    bool is_json;
    gh_buf out;
} explaining;

static gh_str list_text(explaining *e, gh_str_list list, const char *before)
{
    return gh_arena_printf(e->c->arena, "%s" GH_STR_FMT, before,
                           GH_STR_ARG(cli_join(e->c->arena, list)));
}

/* "all", "id, region", "all but phone", "tagged pii" */
static gh_str columns_text(explaining *e, const gh_acl_rule *r)
{
    gh_str named =
        r->has_columns ? list_text(e, r->columns, r->is_except ? "all but " : "") : GH_STR("all");

    if (r->tags.count == 0)
        return named;
    gh_str tagged = list_text(e, r->tags, "tagged ");
    return r->has_columns ? gh_arena_printf(e->c->arena, GH_STR_FMT ", " GH_STR_FMT,
                                            GH_STR_ARG(named), GH_STR_ARG(tagged))
                          : tagged;
}

/* "email by hash", of the columns that the statement may read. */
static gh_str_list masks_of(explaining *e, const gh_acl_rule *r, const gh_touch *t)
{
    gh_str *items = gh_arena_alloc(e->c->arena, (r->mask_count + 1) * sizeof(*items));
    gh_str_list list = { items, 0 };

    GH_ASSERT(items != NULL);
    for (size_t i = 0; i < r->mask_count; i++) {
        gh_str column = cli_name_of(e->c->arena, r->masks[i].column);
        for (size_t j = 0; j < t->masked.count; j++)
            if (gh_str_eq(t->masked.items[j], column))
                items[list.count++] =
                    gh_arena_printf(e->c->arena, GH_STR_FMT " by " GH_STR_FMT, GH_STR_ARG(column),
                                    GH_STR_ARG(r->masks[i].mask));
    }
    return list;
}

static void put_rule(explaining *e, const gh_acl_rule *r, const gh_touch *t, bool is_first)
{
    gh_str via = cli_held(r->to, e->user, gh_view_roles(e->view));
    gh_str columns = columns_text(e, r);
    gh_str_list masks = masks_of(e, r, t);
    const char *effect = r->is_deny ? "deny" : "grant";

    if (e->is_json) {
        gh_buf_printf(&e->out,
                      "%s{\"id\":%" PRId64 ",\"effect\":\"%s\",\"via\":", is_first ? "" : ",",
                      r->id, effect);
        gh_audit_put_string(&e->out, via);
        gh_buf_puts(&e->out, ",\"columns\":");
        gh_audit_put_string(&e->out, columns);
        gh_buf_puts(&e->out, ",\"rows\":");
        gh_audit_put_string(&e->out, r->rows.len > 0 ? r->rows : GH_STR("all"));
        put_names(&e->out, "masks", masks);
        gh_buf_puts(&e->out, "}");
        return;
    }
    gh_buf_printf(&e->out, "    %s %" PRId64 " via " GH_STR_FMT ": columns " GH_STR_FMT, effect,
                  r->id, GH_STR_ARG(via), GH_STR_ARG(columns));
    if (r->rows.len > 0)
        gh_buf_printf(&e->out, "; rows where " GH_STR_FMT,
                      GH_STR_ARG(cli_one_line(e->c->arena, r->rows)));
    if (masks.count > 0)
        gh_buf_printf(&e->out, "; masks " GH_STR_FMT, GH_STR_ARG(cli_join(e->c->arena, masks)));
    gh_buf_puts(&e->out, "\n");
}

/* Grants and denies that took part, of the privilege that is used. */
static void put_rules(explaining *e, const gh_touch *t)
{
    const gh_relation *r = gh_catalog_relation_by_oid(e->live->catalog, t->relation);
    const gh_decision *d =
        r != NULL && cli_is_table(r) ? gh_view_decide(e->view, e->live->catalog, r) : NULL;
    bool is_first = true;

    for (uint16_t i = 0; d != NULL && i < d->grant_count; i++) {
        const gh_acl_rule *rule = cli_find_rule(e->acl, d->grant_ids[i]);
        if (rule == NULL || (rule->privileges & t->privileges) == 0)
            continue;
        put_rule(e, rule, t, is_first);
        is_first = false;
    }
}

static void put_tags(explaining *e, const gh_touch *t)
{
    cli_who_object object = { .warehouse = gh_view_warehouse(e->view),
                              .schema = t->schema,
                              .name = t->name };
    bool is_first = true;

    for (size_t i = 0; i < t->masked.count; i++) {
        object.column = t->masked.items[i];
        gh_str_list tags = cli_who_tags(e->c, e->acl, &object);
        for (size_t j = 0; j < e->acl->masking_count * tags.count; j++) {
            const gh_acl_masking *m = &e->acl->masking[j / tags.count];
            if (!gh_str_eq(m->tag, tags.items[j % tags.count]) ||
                cli_held(m->except, e->user, gh_view_roles(e->view)).len > 0)
                continue;
            if (e->is_json) {
                gh_buf_puts(&e->out, is_first ? "{\"tag\":" : ",{\"tag\":");
                gh_audit_put_string(&e->out, m->tag);
                gh_buf_puts(&e->out, ",\"column\":");
                gh_audit_put_string(&e->out, object.column);
                gh_buf_puts(&e->out, ",\"mask\":");
                gh_audit_put_string(&e->out, m->mask);
                gh_buf_puts(&e->out, "}");
            } else {
                gh_buf_printf(&e->out,
                              "    tag " GH_STR_FMT ": masks " GH_STR_FMT " by " GH_STR_FMT "\n",
                              GH_STR_ARG(m->tag), GH_STR_ARG(object.column), GH_STR_ARG(m->mask));
            }
            is_first = false;
        }
    }
}

/* ---- what is allowed ------------------------------------------------------------------------- */

static void put_names_line(explaining *e, const char *what, gh_str_list names)
{
    if (names.count != 0)
        gh_buf_printf(&e->out, "    %s: " GH_STR_FMT "\n", what,
                      GH_STR_ARG(cli_join(e->c->arena, names)));
}

static void put_touch(explaining *e, const gh_touch *t, bool is_first)
{
    gh_str_list privileges = cli_privileges(e->c->arena, t->privileges);

    if (e->is_json) {
        gh_buf_puts(&e->out, is_first ? "{\"schema\":" : ",{\"schema\":");
        gh_audit_put_string(&e->out, t->schema);
        gh_buf_puts(&e->out, ",\"name\":");
        gh_audit_put_string(&e->out, t->name);
        put_names(&e->out, "privileges", privileges);
        put_names(&e->out, "clear", t->clear);
        put_names(&e->out, "masked", t->masked);
        put_names(&e->out, "filtered", t->filtered);
        gh_buf_printf(&e->out, ",\"rows\":\"%s\",\"rules\":[",
                      t->is_row_filtered ? "filtered" : "all");
        put_rules(e, t);
        gh_buf_puts(&e->out, "],\"tags\":[");
        put_tags(e, t);
        gh_buf_puts(&e->out, "]}");
        return;
    }
    gh_buf_printf(&e->out, "  " GH_STR_FMT "." GH_STR_FMT ": " GH_STR_FMT "%s\n",
                  GH_STR_ARG(t->schema), GH_STR_ARG(t->name),
                  GH_STR_ARG(cli_join(e->c->arena, privileges)),
                  t->is_row_filtered ? " of some rows" : "");
    put_names_line(e, "in clear", t->clear);
    put_names_line(e, "masked, or NULL by row", t->masked);
    put_names_line(e, "in conditions", t->filtered);
    put_rules(e, t);
    put_tags(e, t);
}

/* ---- what would be needed -------------------------------------------------------------------- */

static gh_str_list needed_columns(explaining *e, const need_grant *g)
{
    gh_str *items = gh_arena_alloc(e->c->arena, (g->relation->column_count + 1u) * sizeof(*items));
    gh_str_list list = { items, 0 };

    GH_ASSERT(items != NULL);
    for (uint16_t i = 0; i < g->relation->column_count && !g->is_every_column; i++)
        if (g->is_needed[i])
            items[list.count++] = g->relation->columns[i].name;
    return list;
}

/* As a shell takes it. */
static gh_str shell_word(explaining *e, gh_str s)
{
    bool is_plain = s.len > 0;
    gh_buf b;

    for (size_t i = 0; i < s.len; i++)
        is_plain = is_plain &&
                   (strchr("_.,:-", s.ptr[i]) != NULL || (s.ptr[i] >= '0' && s.ptr[i] <= '9') ||
                    ((s.ptr[i] | 0x20) >= 'a' && (s.ptr[i] | 0x20) <= 'z'));
    if (is_plain)
        return s;
    gh_buf_init(&b, 0);
    gh_buf_puts(&b, "'");
    for (size_t i = 0; i < s.len; i++)
        gh_buf_printf(&b, s.ptr[i] == '\'' ? "'\\''" : "%c", s.ptr[i]);
    gh_buf_puts(&b, "'");
    gh_str word = gh_arena_dup(e->c->arena, gh_buf_str(&b));
    gh_buf_fini(&b);
    return word;
}

static void put_grant(explaining *e, const need_grant *g, bool is_first)
{
    gh_arena *a = e->c->arena;
    gh_str_list columns = needed_columns(e, g);
    gh_str_list privileges = cli_privileges(a, g->privileges);
    gh_str *quoted = gh_arena_alloc(a, (columns.count + 1) * sizeof(*quoted));
    gh_str object = gh_arena_printf(a, GH_STR_FMT "." GH_STR_FMT,
                                    GH_STR_ARG(cli_name_text(a, g->relation->schema)),
                                    GH_STR_ARG(cli_name_text(a, g->relation->name)));

    GH_ASSERT(quoted != NULL);
    if (e->is_json) {
        gh_buf_puts(&e->out, is_first ? "{\"relation\":" : ",{\"relation\":");
        gh_audit_put_string(&e->out, object);
        put_names(&e->out, "privileges", privileges);
        put_names(&e->out, "columns", columns);
        gh_buf_printf(&e->out, ",\"blind\":%s}", g->is_blind ? "true" : "false");
        return;
    }
    for (size_t i = 0; i < columns.count; i++)
        quoted[i] = cli_name_text(a, columns.items[i]);
    gh_str list = columns.count > 0 ? quoted[0] : (gh_str){ 0 };
    for (size_t i = 1; i < columns.count; i++)
        list =
            gh_arena_printf(a, GH_STR_FMT "," GH_STR_FMT, GH_STR_ARG(list), GH_STR_ARG(quoted[i]));
    gh_buf_printf(&e->out, "  needed: gatehouse grant ");
    for (size_t i = 0; i < privileges.count; i++)
        gh_buf_printf(&e->out, "%s" GH_STR_FMT, i > 0 ? "," : "", GH_STR_ARG(privileges.items[i]));
    gh_buf_printf(
        &e->out, " on " GH_STR_FMT " to " GH_STR_FMT, GH_STR_ARG(shell_word(e, object)),
        GH_STR_ARG(shell_word(e, gh_arena_printf(a, "user:" GH_STR_FMT, GH_STR_ARG(e->user)))));
    if (columns.count > 0)
        gh_buf_printf(&e->out, " --columns " GH_STR_FMT, GH_STR_ARG(shell_word(e, list)));
    gh_buf_printf(&e->out, "%s\n", g->is_blind ? " --blind" : "");
}

/* For a name that the warehouse does not have: one that it has. */
static const char *suggestion(explaining *e, const gh_err *why)
{
    const char *from = strchr(why->public_msg, '"');
    const char *to = from != NULL ? strchr(from + 1, '"') : NULL;
    size_t count = 0;
    size_t n = 0;
    const gh_relation *const *all = gh_catalog_relations(e->live->catalog, &count);

    if (strcmp(why->sqlstate, "42P01") != 0 || to == NULL)
        return "";
    const char **known = gh_arena_alloc(e->c->arena, (count + 1) * sizeof(*known));
    GH_ASSERT(known != NULL);
    for (size_t i = 0; i < count; i++)
        if (cli_is_table(all[i]))
            known[n++] = gh_arena_printf(e->c->arena, GH_STR_FMT "." GH_STR_FMT,
                                         GH_STR_ARG(all[i]->schema), GH_STR_ARG(all[i]->name))
                             .ptr;
    return cli_did_you_mean(e->c, (gh_str){ from + 1, (size_t)(to - from - 1) }, known, n);
}

static void put_needs_text(explaining *e, const needs *n)
{
    static const char *const may[] = { "explain", "temp_tables", "notify" };

    if (n->why_never.sqlstate[0] != '\0') {
        gh_buf_printf(&e->out, "  no grant would allow it: %s%s\n", n->why_never.public_msg,
                      suggestion(e, &n->why_never));
        return;
    }
    for (size_t i = 0; i < n->deny_count; i++)
        gh_buf_printf(&e->out,
                      "  in the way: deny %" PRId64 " via " GH_STR_FMT
                      ", which no grant gives back\n",
                      n->denies[i]->id,
                      GH_STR_ARG(cli_held(n->denies[i]->to, e->user, gh_view_roles(e->view))));
    for (size_t i = 0; i < n->grant_count; i++)
        put_grant(e, &n->grants[i], false);
    for (size_t i = 0; i < GH_COUNT(may); i++)
        if ((n->may & (1u << i)) != 0)
            gh_buf_printf(&e->out, "  needed: a role with `may: [%s]`\n", may[i]);
    for (size_t i = 0; i < n->functions.count; i++)
        gh_buf_printf(&e->out,
                      "  needed: functions: [{ to: [...], allow: [" GH_STR_FMT
                      "] }] in a policy file\n",
                      GH_STR_ARG(n->functions.items[i]));
    if (n->is_more)
        gh_buf_puts(&e->out, "  needed: select on everything that it names\n");
    if (n->grant_count > 0)
        gh_buf_puts(&e->out, "    (or to a role; --rows and --mask may narrow it)\n");
}

static void put_needs_json(explaining *e, const needs *n)
{
    static const char *const may[] = { "explain", "temp_tables", "notify" };
    gh_str words[GH_COUNT(may)];
    gh_str_list list = { words, 0 };

    gh_buf_puts(&e->out, ",\"never\":");
    if (n->why_never.sqlstate[0] != '\0')
        gh_audit_put_string(&e->out, gh_str_of(n->why_never.public_msg));
    else
        gh_buf_puts(&e->out, "null");
    gh_buf_puts(&e->out, ",\"needs\":{\"grants\":[");
    for (size_t i = 0; i < n->grant_count; i++)
        put_grant(e, &n->grants[i], i == 0);
    gh_buf_puts(&e->out, "]");
    for (size_t i = 0; i < GH_COUNT(may); i++)
        if ((n->may & (1u << i)) != 0)
            words[list.count++] = gh_str_of(may[i]);
    put_names(&e->out, "may", list);
    put_names(&e->out, "functions", n->functions);
    gh_buf_puts(&e->out, ",\"denies\":[");
    for (size_t i = 0; i < n->deny_count; i++)
        gh_buf_printf(&e->out, "%s%" PRId64, i > 0 ? "," : "", n->denies[i]->id);
    gh_buf_puts(&e->out, "]}");
}

/* ---- a statement ------------------------------------------------------------------------------ */

static void put_refused(explaining *e, const gh_plan *p)
{
    gh_str sql = gh_str_of(e->c->args[0]);
    gh_str statement = p->source_len > 0 && p->source_start + p->source_len <= sql.len
                           ? (gh_str){ sql.ptr + p->source_start, p->source_len }
                           : sql;
    needs n;

    cli_explain_needs(e->c, e->acl, e->live, e->user, statement, &n);
    if (e->is_json) {
        gh_buf_printf(&e->out, "{\"decision\":\"refused\",\"sqlstate\":\"%s\",\"message\":",
                      p->error.sqlstate);
        gh_audit_put_string(&e->out, gh_str_of(p->error.public_msg));
        gh_buf_puts(&e->out, ",\"detail\":");
        gh_audit_put_string(&e->out, gh_str_of(p->error.detail));
        put_needs_json(e, &n);
        gh_buf_puts(&e->out, "}\n");
    } else {
        gh_buf_printf(&e->out, "refused  %s  %s\n", p->error.sqlstate, p->error.public_msg);
        if (p->error.detail[0] != '\0' && strncmp(p->error.detail, "statement tag", 13) != 0)
            gh_buf_printf(&e->out, "  because: %s\n", p->error.detail);
        put_needs_text(e, &n);
    }
    cli_needs_fini(&n);
}

static void put_allowed(explaining *e, const gh_plan *p)
{
    const char *decision = p->is_bypassed ? "bypassed" : "allowed";

    if (!e->is_json) {
        gh_buf_printf(&e->out, "%s\n  sent upstream: " GH_STR_FMT "\n", decision,
                      GH_STR_ARG(p->sql.len > 0 ? p->sql : GH_STR("nothing")));
        for (size_t i = 0; i < p->touch_count; i++)
            put_touch(e, &p->touches[i], false);
        return;
    }
    gh_buf_printf(&e->out, "{\"decision\":\"%s\",\"sql\":", decision);
    gh_audit_put_string(&e->out, p->sql);
    gh_buf_puts(&e->out, ",\"grants\":[");
    for (size_t i = 0; i < p->grant_count; i++)
        gh_buf_printf(&e->out, "%s%" PRId64, i == 0 ? "" : ",", p->grant_ids[i]);
    gh_buf_puts(&e->out, "],\"relations\":[");
    for (size_t i = 0; i < p->touch_count; i++)
        put_touch(e, &p->touches[i], i == 0);
    gh_buf_puts(&e->out, "]}\n");
}

static void put_statements(explaining *e, const gh_plan *plans, size_t count, bool *is_refused)
{
    gh_buf_init(&e->out, 0);
    for (size_t i = 0; i < count; i++) {
        if (plans[i].kind == GH_STMT_REFUSED)
            put_refused(e, &plans[i]);
        else
            put_allowed(e, &plans[i]);
        *is_refused |= plans[i].kind == GH_STMT_REFUSED;
    }
    if (e->is_json && e->out.len > 0)
        (void)fwrite(e->out.ptr, 1, e->out.len, stdout);
    else
        cli_print_lines(gh_buf_str(&e->out));
    gh_buf_fini(&e->out);
}

static int explain(explaining *e)
{
    gh_plan unread = { .kind = GH_STMT_REFUSED };
    gh_plan *plans = NULL;
    size_t count = 0;
    bool is_refused = false;
    gh_err err = { 0 };
    gh_rc rc = cli_explain_judge(e->c->arena, e->live, e->view, gh_str_of(e->c->args[0]), &plans,
                                 &count, &err);

    if (rc != GH_OK && rc != GH_INVALID)
        return cli_fail_err(&err);
    if (!gh_view_has_any_grant(e->view))
        (void)fprintf(stderr,
                      GH_STR_FMT " has no grant in warehouse " GH_STR_FMT
                                 ": a login there is refused (3D000)\n",
                      GH_STR_ARG(e->user), GH_STR_ARG(gh_view_warehouse(e->view)));
    unread.error = err;
    put_statements(e, rc == GH_OK ? plans : &unread, rc == GH_OK ? count : 1, &is_refused);
    return is_refused ? GH_CLI_FAILED : GH_CLI_DONE;
}

/* The user, whose name is the acl's. Wrong: what was probably meant is said. */
static const gh_acl_user *find_user(cli_call *c, const gh_acl *acl, const char *name)
{
    const char **known = gh_arena_alloc(c->arena, (acl->user_count + 1) * sizeof(*known));

    GH_ASSERT(known != NULL);
    for (size_t i = 0; i < acl->user_count; i++) {
        if (gh_str_is(acl->users[i].name, name))
            return &acl->users[i];
        known[i] = gh_arena_dup(c->arena, acl->users[i].name).ptr;
    }
    (void)cli_fail("no such user: %s%s", name,
                   cli_did_you_mean(c, gh_str_of(name), known, acl->user_count));
    return NULL;
}

static int run_explain(cli_call *c)
{
    const char *user = cli_value(c, "--user");
    const gh_config_warehouse *w;
    gh_acl acl = { 0 };
    gh_policy *policy = NULL;
    cli_live live = { 0 };
    gh_err err = { 0 };
    int code;

    if (user == NULL)
        return cli_usage(c, "--user NAME is needed");
    code = cli_read_config(c);
    if (code == GH_CLI_DONE)
        code = cli_load_acl(c, &acl);
    if (code != GH_CLI_DONE)
        return code;
    w = find_warehouse(&c->config, cli_value(c, "--warehouse"));
    if (w == NULL)
        return cli_usage(c, "--warehouse must name a warehouse of the config file");
    const gh_acl_user *who = find_user(c, &acl, user);
    if (who == NULL)
        return GH_CLI_FAILED;
    if (who->is_disabled)
        (void)fprintf(stderr, "%s is disabled: every login is refused\n", user);
    gh_log_set_level(GH_ERROR);
    if (gh_policy_compile(&acl, &policy, &err) != GH_OK ||
        cli_live_open_for(c, w, policy, acl.hash_key, &live, &err) != GH_OK) {
        code = cli_fail_err(&err);
    } else {
        explaining e = { .c = c,
                         .acl = &acl,
                         .live = &live,
                         .view = gh_view_new(policy, w->name, who->name, cli_now_us()),
                         .user = who->name,
                         .is_json = cli_has(c, "--json") };

        code = explain(&e);
        gh_view_release(e.view);
    }
    cli_live_close(&live);
    gh_policy_release(policy);
    return code;
}

static const cli_option s_options[] = {
    { "--user", "NAME", "whose rights apply" },
    { "--warehouse", "NAME", "needed where the config file has several" },
};

const cli_verb cli_explain = {
    .name = "explain",
    .args = "\"SQL\"",
    .summary = "Show what a user's statement becomes, and by which grants",
    .help =
        "Takes the decision that a running proxy would take, against the ACL and the warehouse's\n"
        "catalog as they are now: whether the statement is allowed, which columns of which\n"
        "relations it reads, in clear or masked, by which grants, denies and tags, and the SQL "
        "sent\n"
        "upstream; or which grant would be needed. Nothing of the statement is executed. Exit "
        "code 1\n"
        "if it would be refused.",
    .example =
        "  gatehouse explain --config gatehouse.yaml --user alice \"select * from sales.orders\"\n"
        "  gatehouse explain --config gatehouse.yaml --user alice --json \"delete from hr.staff\"",
    .shared = CLI_CONFIG | CLI_ACL | CLI_JSON,
    .options = s_options,
    .option_count = GH_COUNT(s_options),
    .args_min = 1,
    .args_max = 1,
    .run = run_explain,
};
