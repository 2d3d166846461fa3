/*
 * What a refused statement would need. Nothing here knows the rules: the statement is judged again under a policy
 * that gives everything, and then everything that it can do without is taken away again, piece by piece.
 *
 *     what the user has + all rights - all denies   ──▶ refused: no grant would help
 *              │ allowed: it touches these relations
 *              ▼
 *     denies back? may: explain away? function f away? update on t away? column c away?  ... each: still allowed?
 */
#include "explain_need.h"

#include <stdlib.h>
#include <strings.h>

enum { MAY_GRANTED = GH_MAY_EXPLAIN | GH_MAY_TEMP_TABLES | GH_MAY_NOTIFY };

typedef struct trial {
    cli_call *c;
    const cli_live *live;
    gh_str user;
    gh_str sql;
    int64_t now;
    gh_acl base;        /* what concerns the user, without its denies */
    gh_str_list roles;  /* the user's own */
    gh_str *functions;  /* candidates ... */
    bool *has_function; /* ... that are given */
    size_t function_count;
    const gh_acl_rule **denies;
    bool *has_deny; /* those in force */
    size_t deny_count;
    bool gives_all; /* every relation, whatever `needs` has found */
    needs *found;
} trial;

/* ---- the judgement ---------------------------------------------------------------------------- */

static bool begins(gh_str sql, const char *word)
{
    return sql.len > strlen(word) && strncasecmp(sql.ptr, word, strlen(word)) == 0;
}

/* The text in the parentheses that begin at `from`: the rewriter's own, so that only quotes matter. */
static gh_str inside(gh_str sql, size_t from)
{
    int depth = 0;
    char quote = '\0';

    for (size_t i = from; i < sql.len; i++) {
        char c = sql.ptr[i];

        if (quote == 'E' && c == '\\') {
            i++;
        } else if (quote != '\0') {
            if (c == (quote == 'E' ? '\'' : quote))
                quote = '\0';
        } else if (c == '\'') {
            quote = i > 0 && (sql.ptr[i - 1] == 'E' || sql.ptr[i - 1] == 'e') ? 'E' : c;
        } else if (c == '"') {
            quote = c;
        } else if (c == '(') {
            depth++;
        } else if (c == ')' && --depth == 0) {
            return (gh_str){ sql.ptr + from + 1, i - from - 1 };
        }
    }
    return (gh_str){ 0 };
}

/* What makes the warehouse analyse the statement and not run it; empty: nothing does. */
static gh_str analysis(gh_arena *a, gh_str sql)
{
    static const char *const words[] = { "select", "insert", "update", "delete", "values",
                                         "with",   "table",  "merge",  "(" };
    const char *paren = sql.len > 0 ? memchr(sql.ptr, '(', sql.len) : NULL;

    if (begins(sql, "copy (") && paren != NULL)
        sql = inside(sql, (size_t)(paren - sql.ptr));
    if (begins(sql, "create") || begins(sql, "declare")) /* of a query's result */
        return gh_arena_printf(a, "EXPLAIN " GH_STR_FMT, GH_STR_ARG(sql));
    if (begins(sql, "explain") && memmem(sql.ptr, sql.len, "analy", 5) == NULL)
        return sql;
    for (size_t i = 0; i < GH_COUNT(words); i++)
        if (begins(sql, words[i]))
            return gh_arena_printf(
                a, "PREPARE gatehouse_explain AS " GH_STR_FMT "; DEALLOCATE gatehouse_explain",
                GH_STR_ARG(sql));
    return (gh_str){ 0 };
}

/* The warehouse's text without "ERROR: 42703: ", and without what points into our own statement. */
static void take_said(gh_err *err)
{
    const char *from = strstr(err->detail, err->sqlstate);
    char *to = strstr(err->detail, " LINE 1:");

    if (to != NULL)
        *to = '\0';
    from = from != NULL && strncmp(from + 5, ": ", 2) == 0 ? from + 7 : err->detail;
    memmove(err->public_msg, from, strlen(from) + 1);
    err->detail[0] = '\0';
}

static gh_rc prepare(gh_arena *a, const cli_live *live, gh_plan *plan, gh_err *err)
{
    static const char unknown_type[] = "42P18"; /* of a parameter that a client would give a type */
    enum { ROWS_MAX = 100000 };                 /* of a plan's text */
    gh_link_rows rows;
    gh_err said = { 0 };
    gh_str sql = analysis(a, plan->sql);

    if (sql.len == 0)
        return GH_OK;
    gh_rc rc = gh_link_query(live->link, sql, ROWS_MAX, a, &rows, &said);

    if (rc == GH_OK || (rc == GH_INVALID && strcmp(said.sqlstate, unknown_type) == 0))
        return GH_OK;
    if (rc != GH_INVALID) {
        *err = said;
        return rc;
    }
    take_said(&said);
    plan->kind = GH_STMT_REFUSED;
    plan->error = said;
    return GH_OK;
}

gh_rc cli_explain_judge(gh_arena *a, const cli_live *live, gh_view *view, gh_str sql,
                        gh_plan **plans, size_t *count, gh_err *err)
{
    static const gh_str path[] = { { "public", 6 } };
    gh_rewrite_input in = { .sql = sql,
                            .catalog = live->catalog,
                            .view = view,
                            .database = gh_view_warehouse(view),
                            .search_path = { path, 1 },
                            .search_path_text = GH_STR("\"$user\", public"),
                            .client_encoding = GH_STR("UTF8") };
    const gh_plan *made = NULL;
    bool is_temporary = false;
    gh_rc rc = gh_rewrite(&in, a, &made, count, err);

    if (rc != GH_OK)
        return rc;
    *plans = gh_arena_alloc(a, (*count + 1) * sizeof(**plans));
    GH_ASSERT(*plans != NULL);
    for (size_t i = 0; i < *count && rc == GH_OK; i++) {
        (*plans)[i] = made[i];
        if (!is_temporary && !made[i].is_bypassed && made[i].kind != GH_STMT_REFUSED)
            rc = prepare(a, live, &(*plans)[i], err);
        is_temporary =
            is_temporary || made[i].changes_temporary; /* nothing runs: it is not there */
    }
    return rc;
}

/* ---- one trial -------------------------------------------------------------------------------- */

static gh_str_list one(gh_arena *a, gh_str text)
{
    gh_str *item = gh_arena_alloc(a, sizeof(*item));

    GH_ASSERT(item != NULL);
    *item = text;
    return (gh_str_list){ item, 1 };
}

static gh_str pattern_of(gh_arena *a, gh_str schema, gh_str name)
{
    return gh_arena_printf(a, GH_STR_FMT "." GH_STR_FMT, GH_STR_ARG(cli_name_text(a, schema)),
                           GH_STR_ARG(cli_name_text(a, name)));
}

static gh_acl_rule grant_of(const trial *t, gh_arena *a, const need_grant *g)
{
    gh_acl_rule rule = { .to = one(a, gh_arena_printf(a, "user:" GH_STR_FMT, GH_STR_ARG(t->user))),
                         .tables = one(a, pattern_of(a, g->relation->schema, g->relation->name)),
                         .privileges = g->privileges,
                         .valid_from = INT64_MIN,
                         .valid_until = INT64_MAX,
                         .is_blind = g->is_blind };
    gh_str *columns = gh_arena_alloc(a, (g->relation->column_count + 1u) * sizeof(*columns));

    GH_ASSERT(columns != NULL);
    if (g->is_every_column)
        return rule;
    rule.has_columns = true;
    rule.columns.items = columns;
    for (uint16_t i = 0; i < g->relation->column_count; i++)
        if (g->is_needed[i])
            columns[rule.columns.count++] = cli_quote_ident(a, g->relation->columns[i].name);
    return rule;
}

static bool gives_something(const need_grant *g)
{
    bool has_column = g->is_every_column;

    for (uint16_t i = 0; i < g->relation->column_count; i++)
        has_column = has_column || g->is_needed[i];
    return g->privileges != 0 && has_column;
}

static gh_acl_rule *rules_of(const trial *t, gh_arena *a, size_t *count)
{
    gh_acl_rule *rules = gh_arena_alloc(
        a, (t->base.rule_count + t->deny_count + t->found->grant_count + 1) * sizeof(*rules));

    GH_ASSERT(rules != NULL);
    *count = 0;
    for (size_t i = 0; i < t->base.rule_count; i++)
        rules[(*count)++] = t->base.rules[i];
    for (size_t i = 0; i < t->deny_count; i++)
        if (t->has_deny[i])
            rules[(*count)++] = *t->denies[i];
    for (size_t i = 0; i < t->found->grant_count; i++)
        if (gives_something(&t->found->grants[i]))
            rules[(*count)++] = grant_of(t, a, &t->found->grants[i]);
    if (t->gives_all)
        rules[(*count)++] =
            (gh_acl_rule){ .to =
                               one(a, gh_arena_printf(a, "user:" GH_STR_FMT, GH_STR_ARG(t->user))),
                           .tables = one(a, GH_STR("*.*")),
                           .privileges = GH_ALL_PRIVILEGES,
                           .valid_from = INT64_MIN,
                           .valid_until = INT64_MAX,
                           .is_blind = true };
    return rules;
}

/* The base and what is given beside it. */
static gh_acl acl_of(const trial *t, gh_arena *a)
{
    static const char role_name[] = "(explain)"; /* stands for the role that would be given */
    gh_acl acl = t->base;
    gh_acl_role *roles = gh_arena_alloc(a, (acl.role_count + 1) * sizeof(*roles));
    gh_acl_user *user = gh_arena_alloc(a, sizeof(*user));
    gh_str *held = gh_arena_alloc(a, (t->roles.count + 1) * sizeof(*held));
    gh_acl_function *functions = gh_arena_alloc(a, (acl.function_count + 1) * sizeof(*functions));
    gh_str *allow = gh_arena_alloc(a, (t->function_count + 1) * sizeof(*allow));

    GH_ASSERT(roles != NULL && user != NULL);
    GH_ASSERT(held != NULL && functions != NULL);
    GH_ASSERT(allow != NULL);
    for (size_t i = 0; i < acl.role_count; i++)
        roles[i] = acl.roles[i];
    roles[acl.role_count] = (gh_acl_role){ .name = GH_STR(role_name), .may = t->found->may };
    acl.roles = roles;
    acl.role_count++;
    for (size_t i = 0; i < t->roles.count; i++)
        held[i] = t->roles.items[i];
    held[t->roles.count] = GH_STR(role_name);
    *user = acl.users[0];
    user->roles = (gh_str_list){ held, t->roles.count + 1 };
    acl.users = user;
    for (size_t i = 0; i < acl.function_count; i++)
        functions[i] = acl.functions[i];
    gh_acl_function *given = &functions[acl.function_count];
    *given = (gh_acl_function){ .to = one(a, GH_STR(role_name)), .allow = { allow, 0 } };
    for (size_t i = 0; i < t->function_count; i++)
        if (t->has_function[i])
            allow[given->allow.count++] = t->functions[i];
    acl.functions = functions;
    acl.function_count += given->allow.count > 0;
    acl.rules = rules_of(t, a, &acl.rule_count);
    return acl;
}

/* Candidates: each privilege by itself, on every column. */
static void take_touch(trial *t, const gh_relation *r)
{
    needs *n = t->found;

    if (r == NULL || !cli_is_table(r))
        return;
    for (size_t i = 0; i < n->grant_count; i++)
        if (n->grants[i].relation == r)
            return;
    for (uint32_t bit = 1; bit <= GH_ALL_PRIVILEGES; bit <<= 1) {
        need_grant g = { .relation = r,
                         .privileges = bit,
                         .is_needed = gh_arena_alloc(t->c->arena, r->column_count + 1u),
                         .is_every_column = true,
                         .is_blind = bit == GH_UPDATE };
        GH_ASSERT(g.is_needed != NULL);
        memset(g.is_needed, 0, r->column_count + 1u);
        n->grants = gh_realloc_array(n->grants, n->grant_count + 1, sizeof(*n->grants));
        n->grants[n->grant_count++] = g;
    }
}

/* Is the statement let through? Takes what it touches into *found's grants, if it is asked to. */
static bool is_allowed(trial *t, bool takes_touches, gh_err *why)
{
    gh_arena *a = gh_arena_new(0);
    gh_acl acl = acl_of(t, a);
    gh_policy *policy = NULL;
    gh_view *view = NULL;
    gh_plan *plans = NULL;
    size_t count = 0;
    gh_err err = { 0 };
    gh_rc rc = gh_policy_compile(&acl, &policy, &err);

    if (rc == GH_OK) {
        view = gh_view_new(policy, t->live->warehouse->name, t->user, t->now);
        rc = cli_explain_judge(a, t->live, view, t->sql, &plans, &count, &err);
    }
    bool is_fine = rc == GH_OK;
    for (size_t i = 0; i < count && is_fine; i++) {
        is_fine = plans[i].kind != GH_STMT_REFUSED;
        if (!is_fine)
            err = plans[i].error;
        for (size_t j = 0; is_fine && takes_touches && j < plans[i].touch_count; j++)
            take_touch(t,
                       gh_catalog_relation_by_oid(t->live->catalog, plans[i].touches[j].relation));
    }
    if (why != NULL)
        *why = err;
    gh_view_release(view);
    gh_policy_release(policy);
    gh_arena_free(a);
    return is_fine;
}

/* ---- what concerns the user -------------------------------------------------------------------- */

static bool is_to(const cli_people *p, gh_str_list to, const bool *is_held, gh_str user)
{
    for (size_t i = 0; i < to.count; i++) {
        gh_str name = to.items[i];
        size_t role = cli_people_role(p, name);
        if (role != SIZE_MAX && is_held[role])
            return true;
        if (name.len == user.len + 5 && memcmp(name.ptr, "user:", 5) == 0 &&
            memcmp(name.ptr + 5, user.ptr, user.len) == 0)
            return true;
    }
    return false;
}

/* The list without whom the trial's policy does not have. */
static gh_str_list known(gh_arena *a, const cli_people *p, gh_str_list to, const bool *is_held,
                         gh_str user)
{
    gh_str *items = gh_arena_alloc(a, (to.count + 1) * sizeof(*items));
    gh_str_list out = { items, 0 };

    GH_ASSERT(items != NULL);
    for (size_t i = 0; i < to.count; i++)
        if (is_to(p, (gh_str_list){ &to.items[i], 1 }, is_held, user))
            items[out.count++] = to.items[i];
    return out;
}

/* Grants in front, so that the trial gives or withholds denies one by one. */
static void split_rules(trial *t, const gh_acl *acl, const cli_people *p, const bool *is_held)
{
    gh_acl_rule *all = gh_arena_alloc(t->c->arena, (acl->rule_count + 1) * sizeof(*all));
    size_t end = 0;

    GH_ASSERT(all != NULL);
    t->base.rule_count = 0;
    for (int is_deny = 0; is_deny <= 1; is_deny++)
        for (size_t i = 0; i < acl->rule_count; i++) {
            const gh_acl_rule *r = &acl->rules[i];
            if (r->is_deny != (is_deny == 1) || !is_to(p, r->to, is_held, t->user))
                continue;
            all[end] = *r;
            all[end].to = known(t->c->arena, p, r->to, is_held, t->user);
            end++;
            t->base.rule_count += is_deny == 0;
        }
    t->base.rules = all;
    t->deny_count = end - t->base.rule_count;
    t->denies = gh_arena_alloc(t->c->arena, (t->deny_count + 1) * sizeof(*t->denies));
    GH_ASSERT(t->denies != NULL);
    for (size_t i = 0; i < t->deny_count; i++)
        t->denies[i] = &all[t->base.rule_count + i];
}

static void take_base(trial *t, const gh_acl *acl)
{
    gh_arena *a = t->c->arena;
    bool *is_held = gh_arena_alloc(a, acl->role_count + 1);
    gh_acl_role *roles = gh_arena_alloc(a, (acl->role_count + 1) * sizeof(*roles));
    gh_acl_masking *masking = gh_arena_alloc(a, (acl->masking_count + 1) * sizeof(*masking));
    gh_acl_function *functions = gh_arena_alloc(a, (acl->function_count + 1) * sizeof(*functions));
    cli_people people;

    GH_ASSERT(is_held != NULL && roles != NULL);
    GH_ASSERT(masking != NULL && functions != NULL);
    cli_people_init(&people, acl);
    const gh_acl_user *user = &acl->users[cli_people_user(&people, t->user)];
    t->base = *acl;
    t->base.trees = NULL;
    t->base.tree_count = 0;
    t->base.users = user;
    t->base.user_count = 1;
    t->roles = user->roles;
    memset(is_held, 0, acl->role_count + 1);
    (void)cli_people_hold(&people, user->roles, is_held);
    t->base.roles = roles;
    t->base.role_count = 0;
    for (size_t i = 0; i < acl->role_count; i++)
        if (is_held[i])
            roles[t->base.role_count++] = acl->roles[i];
    t->base.masking = masking;
    for (size_t i = 0; i < acl->masking_count; i++) {
        masking[i] = acl->masking[i];
        masking[i].except = known(a, &people, masking[i].except, is_held, t->user);
    }
    t->base.functions = functions;
    t->base.function_count = 0;
    for (size_t i = 0; i < acl->function_count; i++)
        if (is_to(&people, acl->functions[i].to, is_held, t->user)) {
            gh_acl_function *f = &functions[t->base.function_count++];
            *f = acl->functions[i];
            f->to = known(a, &people, f->to, is_held, t->user);
        }
    split_rules(t, acl, &people, is_held);
    cli_people_fini(&people);
}

/* ---- candidates ------------------------------------------------------------------------------- */

static void take_functions(trial *t)
{
    size_t count = 0;
    const gh_function *const *all = gh_catalog_all_functions(t->live->catalog, &count);

    t->functions = gh_arena_alloc(t->c->arena, (count + 1) * sizeof(*t->functions));
    t->has_function = gh_arena_alloc(t->c->arena, count + 1);
    GH_ASSERT(t->functions != NULL && t->has_function != NULL);
    for (size_t i = 0; i < count; i++) {
        const gh_function *f = all[i];
        if (gh_str_is(f->schema, "pg_catalog") || gh_str_is(f->schema, "information_schema") ||
            (i > 0 && gh_str_eq(f->name, all[i - 1]->name) &&
             gh_str_eq(f->schema, all[i - 1]->schema)))
            continue;
        t->functions[t->function_count] = pattern_of(t->c->arena, f->schema, f->name);
        t->has_function[t->function_count++] = true;
    }
}

/* ---- taking away what can be done without -------------------------------------------------------- */

/* Takes parts of the flags away, large ones first and from the end; what must stay stays. */
static void thin(trial *t, bool *flags, size_t count)
{
    bool *saved = gh_alloc(count + 1);

    for (size_t step = count; step > 0; step /= 2) {
        for (size_t to = count; to > 0; to = to > step ? to - step : 0) {
            size_t from = to > step ? to - step : 0;
            if (memchr(flags + from, 1, to - from) == NULL)
                continue;
            memcpy(saved, flags + from, to - from);
            memset(flags + from, 0, to - from);
            if (!is_allowed(t, false, NULL))
                memcpy(flags + from, saved, to - from);
        }
    }
    free(saved);
}

static void thin_bits(trial *t, uint32_t *bits, uint32_t all)
{
    for (uint32_t bit = 1; bit <= all; bit <<= 1) {
        if ((*bits & bit) == 0)
            continue;
        *bits &= ~bit;
        if (!is_allowed(t, false, NULL))
            *bits |= bit;
    }
}

static void thin_grant(trial *t, need_grant *g)
{
    uint32_t privilege = g->privileges;

    g->privileges = 0;
    if (is_allowed(t, false, NULL))
        return;
    g->privileges = privilege;
    if (g->is_blind) {
        g->is_blind = false;
        g->is_blind = !is_allowed(t, false, NULL);
    }
    if (privilege == GH_DELETE || privilege == GH_TRUNCATE)
        return;
    g->is_every_column = false;
    memset(g->is_needed, 1, g->relation->column_count);
    thin(t, g->is_needed, g->relation->column_count);
}

/* Privileges that are needed on the same columns are one grant. */
static bool is_same(const need_grant *a, const need_grant *b)
{
    bool any = ((a->privileges | b->privileges) & ~(uint32_t)(GH_DELETE | GH_TRUNCATE)) == 0;

    return a->relation == b->relation && a->is_blind == b->is_blind &&
           (any || (a->is_every_column == b->is_every_column &&
                    memcmp(a->is_needed, b->is_needed, a->relation->column_count) == 0));
}

static void merge(needs *n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n->grant_count; i++) {
        size_t same = 0;
        if (n->grants[i].privileges == 0)
            continue;
        while (same < kept && !is_same(&n->grants[same], &n->grants[i]))
            same++;
        if (same < kept)
            n->grants[same].privileges |= n->grants[i].privileges;
        else
            n->grants[kept++] = n->grants[i];
    }
    n->grant_count = kept;
}

static void keep_needed(trial *t)
{
    needs *n = t->found;
    gh_str *functions = gh_arena_alloc(t->c->arena, (t->function_count + 1) * sizeof(*functions));

    GH_ASSERT(functions != NULL);
    merge(n);
    n->functions.items = functions;
    for (size_t i = 0; i < t->function_count; i++)
        if (t->has_function[i])
            functions[n->functions.count++] = t->functions[i];
    n->denies = t->denies;
    n->deny_count = 0;
    for (size_t i = 0; i < t->deny_count; i++)
        if (!t->has_deny[i])
            n->denies[n->deny_count++] = t->denies[i];
}

/* Denies come back one by one; those that stand in the way stay away. */
static void put_denies_back(trial *t)
{
    for (size_t i = 0; i < t->deny_count; i++) {
        t->has_deny[i] = true;
        t->has_deny[i] = is_allowed(t, false, NULL);
    }
}

void cli_explain_needs(cli_call *c, const gh_acl *acl, const cli_live *live, gh_str user,
                       gh_str sql, needs *out)
{
    trial t = { .c = c,
                .live = live,
                .user = user,
                .sql = sql,
                .now = cli_now_us(),
                .gives_all = true,
                .found = out };

    *out = (needs){ .may = MAY_GRANTED };
    take_base(&t, acl);
    take_functions(&t);
    t.has_deny = gh_arena_alloc(c->arena, t.deny_count + 1);
    GH_ASSERT(t.has_deny != NULL);
    memset(t.has_deny, 0, t.deny_count + 1);
    if (!is_allowed(&t, true, &out->why_never)) {
        out->may = 0;
        return;
    }
    t.gives_all = false;
    if (!is_allowed(&t, false, NULL)) {
        t.gives_all = true; /* what it needs is not among the tables that it touches */
        out->grant_count = 0;
        out->is_more = true;
    }
    put_denies_back(&t);
    thin(&t, t.has_function, t.function_count);
    thin_bits(&t, &out->may, MAY_GRANTED);
    for (size_t i = 0; i < out->grant_count; i++)
        thin_grant(&t, &out->grants[i]);
    keep_needed(&t);
}

void cli_needs_fini(needs *n)
{
    free(n->grants);
    *n = (needs){ 0 };
}
