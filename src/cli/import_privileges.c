/*
 * GRANTs and row-level security. Of a table with row-level security, a grantee's rows are those of the
 * permissive policies that apply to all who have the grant, for each command its own; restrictive
 * policies become denies of what they do not let through. Policies for roles that only some of a
 * grantee's members are in are told, not imported: the policy then shows less than the warehouse.
 */
#include "import.h"

#include <stdlib.h>

enum { ROWS_MAX = 10000000, PRIVILEGES = 5, UPDATE = 2 /* its place among them */ };

/* What an expression reads of the session: inside a view, and in its tables' policies, that is the proxy's. */
#define READS_SESSION                                                                              \
    " ~ '(?i)\\m(current_user|session_user|current_role|user|current_setting|pg_has_role|"         \
    "has_[a-z_]+_privilege|row_security_active)\\M' "

/* odd: views whose rows depend on who asks, by themselves or by what they read. */
#define ODD_VIEWS                                                                                  \
    "WITH RECURSIVE uses AS (SELECT DISTINCT r.ev_class AS view, d.refobjid AS base "              \
    "FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = "      \
    "r.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class), "                \
    "odd AS (SELECT c.oid FROM pg_class c WHERE c.relkind = 'v' AND c.relnamespace <> ALL "        \
    "(ARRAY['pg_catalog'::regnamespace, 'information_schema'::regnamespace]) "                     \
    "AND pg_get_viewdef(c.oid)" READS_SESSION "UNION SELECT u.view FROM uses u "                   \
    "JOIN pg_class v ON v.oid = u.view JOIN pg_roles o ON o.oid = v.relowner "                     \
    "JOIN pg_class b ON b.oid = u.base JOIN pg_policy p ON p.polrelid = b.oid "                    \
    "WHERE b.relrowsecurity AND NOT o.rolsuper AND NOT o.rolbypassrls AND (b.relforcerowsecurity " \
    "OR NOT pg_has_role(o.oid, b.relowner, 'USAGE')) AND coalesce(pg_get_expr(p.polqual, "         \
    "p.polrelid), '')" READS_SESSION "UNION SELECT u.view FROM odd JOIN uses u ON u.base = "       \
    "odd.oid), "

static const char s_privileges_sql[] = ODD_VIEWS
    "rel AS (SELECT c.oid, c.relnamespace, n.nspname, c.relname, c.relrowsecurity, "
    "c.relforcerowsecurity, c.relowner, coalesce(c.relacl, acldefault('r', c.relowner)) AS acl, "
    "EXISTS (SELECT FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = "
    "'security_invoker' AND o.option_value::bool) AS invoker, "
    "EXISTS (SELECT FROM odd WHERE odd.oid = c.oid) AS is_odd "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_(toast|temp_|catalog)' "
    "AND n.nspname <> 'information_schema'), "
    "priv AS (SELECT rel.oid, a.grantee, a.privilege_type AS type, '' AS col, a.is_grantable "
    "FROM rel, aclexplode(rel.acl) a UNION ALL "
    "SELECT rel.oid, a.grantee, a.privilege_type, t.attname, a.is_grantable FROM rel "
    "JOIN pg_attribute t ON t.attrelid = rel.oid AND t.attnum > 0 AND NOT t.attisdropped, "
    "aclexplode(t.attacl) a) "
    "SELECT rel.nspname, rel.relname, coalesce(g.rolname, ''), p.type, p.col, p.is_grantable, "
    "rel.relrowsecurity, rel.relforcerowsecurity, rel.invoker, coalesce(o.rolname, ''), CASE "
    "WHEN has_schema_privilege(coalesce(g.rolname, 'public'), rel.relnamespace, 'USAGE') THEN "
    "'all' "
    "WHEN EXISTS (SELECT FROM pg_roles m WHERE NOT m.rolsuper AND (p.grantee = 0 OR "
    "pg_has_role(m.oid, p.grantee, 'USAGE')) AND has_schema_privilege(m.oid, rel.relnamespace, "
    "'USAGE')) THEN 'some' ELSE 'none' END, rel.is_odd, "
    "(SELECT string_agg(m.rolname, E'\\n' ORDER BY 1) FROM pg_roles m WHERE m.rolcanlogin AND "
    "(p.grantee = 0 OR pg_has_role(m.oid, p.grantee, 'USAGE')) AND has_schema_privilege(m.oid, "
    "rel.relnamespace, 'USAGE')) "
    "FROM priv p JOIN rel ON rel.oid = p.oid LEFT JOIN pg_roles g ON g.oid = p.grantee "
    "LEFT JOIN pg_roles o ON o.oid = rel.relowner WHERE p.grantee = 0 OR g.rolname !~ '^pg_' "
    "ORDER BY 1, 2, 3, 5, 4";

enum {
    SCHEMA,
    TABLE,
    GRANTEE,
    TYPE,
    COLUMN,
    GRANTABLE,
    SECURITY,
    FORCED,
    INVOKER,
    OWNER,
    USAGE,
    ODD,
    USERS, /* logins that have USAGE, a line each */
    PRIVILEGE_COLUMNS
};

/* A setting of an application's own becomes an attribute of the last part of its name. */
#define EXPRESSION(field)                                                                          \
    "regexp_replace(coalesce(pg_get_expr(p." field ", p.polrelid), ''), "                          \
    "'current_setting\\(''[A-Za-z0-9_]+\\.([A-Za-z0-9_]+)''::text(, (true|false))?\\)', "          \
    "'attr(''\\1'')', 'g')"

/* Beside the policy: does it read tables that have row-level security of their own, or views that depend on who
 * asks; and which roles may not read what it reads, a line each. */
static const char s_policies_sql[] = ODD_VIEWS
    "deps AS (SELECT DISTINCT d.objid AS policy, c.oid, c.relnamespace, c.relrowsecurity OR "
    "EXISTS (SELECT FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = "
    "'security_invoker' AND o.option_value::bool) OR EXISTS (SELECT FROM odd WHERE odd.oid = "
    "c.oid) AS is_guarded FROM pg_depend d JOIN pg_policy p ON p.oid = d.objid JOIN pg_class c "
    "ON c.oid = d.refobjid WHERE d.classid = 'pg_policy'::regclass AND d.refclassid = "
    "'pg_class'::regclass AND d.refobjid <> p.polrelid) "
    "SELECT n.nspname, c.relname, p.polname, p.polcmd, p.polpermissive, coalesce(r.rolname, "
    "''), " EXPRESSION("polqual") ", " EXPRESSION(
        "polwithcheck") ", coalesce(pg_get_expr(p.polqual, "
                        "p.polrelid), '') || coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '') "
                        "~ "
                        "'current_setting', EXISTS (SELECT FROM deps WHERE deps.policy = p.oid "
                        "AND deps.is_guarded), (SELECT string_agg(x.name, E'\\n') FROM (SELECT "
                        "rolname::text AS name FROM pg_roles UNION ALL SELECT 'public') x WHERE "
                        "EXISTS (SELECT FROM deps WHERE deps.policy = p.oid AND NOT "
                        "(has_table_privilege(x.name, deps.oid, 'SELECT') AND "
                        "has_schema_privilege(x.name, deps.relnamespace, 'USAGE')))) "
                        "FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid "
                        "JOIN pg_namespace n ON n.oid = c.relnamespace, unnest(p.polroles) AS role "
                        "LEFT JOIN pg_roles r ON r.oid = role ORDER BY 1, 2, 3, 6";

enum {
    P_SCHEMA,
    P_TABLE,
    P_NAME,
    P_COMMAND,
    P_PERMISSIVE,
    P_TO,
    P_WHERE,
    P_CHECK,
    P_SETTING,
    P_GUARDED,
    P_UNREADABLE,
    POLICY_COLUMNS
};

/* ---- one table ------------------------------------------------------------------------------- */

typedef struct table {
    importing *m;
    const gh_relation *relation;
    gh_str name; /* for notes */
    gh_str owner;
    bool has_security;
    bool is_forced;
    bool is_invoker;
    bool is_odd;
    bool is_for_users; /* the grantee at hand is a user, though it may be a role's name as well */
    import_policy *policies;
    size_t policy_count;
} table;

static bool is_true(const gh_str *row, int column)
{
    return gh_str_is(row[column], "t");
}

static uint32_t privilege_of(gh_str type)
{
    static const char *const words[] = { "SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE" };

    for (size_t i = 0; i < GH_COUNT(words); i++)
        if (gh_str_is(type, words[i]))
            return 1u << i;
    return 0;
}

/* Is everyone who has the grantee's privileges in the role? Empty: PUBLIC. */
static bool is_within(const table *t, gh_str grantee, gh_str role)
{
    const importing *m = t->m;
    size_t user = cli_people_user(&m->people, grantee);
    gh_str_list start = cli_people_role(&m->people, grantee) == SIZE_MAX && user != SIZE_MAX
                            ? m->acl.users[user].roles
                            : (gh_str_list){ &grantee, 1 };
    bool is_in = role.len == 0 || gh_str_eq(role, grantee);

    if (is_in || grantee.len == 0)
        return is_in;
    bool *is_held = gh_alloc(m->acl.role_count + 1);
    (void)cli_people_hold(&m->people, start, is_held);
    size_t number = cli_people_role(&m->people, role);
    is_in = number != SIZE_MAX && is_held[number];
    free(is_held);
    return is_in;
}

/* The policies' principal: a role, or a user who is none. */
static gh_str principal(const importing *m, gh_str name)
{
    if (name.len == 0)
        return GH_STR("public");
    if (cli_people_role(&m->people, name) != SIZE_MAX)
        return name;
    return gh_arena_printf(m->a, "user:" GH_STR_FMT, GH_STR_ARG(name));
}

static bool is_for(const import_policy *p, uint32_t privilege)
{
    static const char commands[] = "rawd";

    for (size_t i = 0; commands[i] != '\0'; i++)
        if (privilege == (1u << i))
            return p->command == '*' || p->command == commands[i];
    return false;
}

/* Is the name one of the lines? */
static bool is_listed(gh_str lines, gh_str name)
{
    while (lines.len > 0) {
        const char *end = memchr(lines.ptr, '\n', lines.len);
        size_t len = end == NULL ? lines.len : (size_t)(end - lines.ptr);
        if (gh_str_eq((gh_str){ lines.ptr, len }, name))
            return true;
        lines.ptr += len + (end != NULL);
        lines.len -= len + (end != NULL);
    }
    return false;
}

/*
 * SECURITY: a policy without USING lets nothing through. What its sub-selects read is read by the asker's rights
 * in the warehouse and by none here, so a policy that reads what these rights limit would show more.
 * Attack: tests/integration/import_random.py.
 */
static bool shows_rows(const table *t, const import_policy *p, gh_str grantee, uint32_t privilege)
{
    gh_str who = grantee.len > 0 ? grantee : GH_STR("public");

    if (!p->is_permissive || !is_for(p, privilege) ||
        (p->where.len == 0 && (privilege != GH_INSERT || p->check.len == 0)))
        return false;
    if (!p->is_guarded && !is_listed(p->unreadable, who))
        return true;
    import_note(t->m,
                "policy " GH_STR_FMT " of " GH_STR_FMT
                ": what it reads is itself limited for " GH_STR_FMT
                ", and would not be here: not in its rows",
                GH_STR_ARG(p->name), GH_STR_ARG(t->name), GH_STR_ARG(who));
    return false;
}

/* What a row must be for the command, before and after: Gatehouse asks the same of both. */
static gh_str condition(const table *t, const import_policy *p, uint32_t privilege)
{
    gh_arena *a = t->m->a;
    gh_str where = p->where.len > 0 ? p->where : GH_STR("true");
    gh_str check = p->check.len > 0 ? p->check : where;

    if (privilege == GH_INSERT)
        return check;
    if (privilege != GH_UPDATE || gh_str_eq(where, check))
        return where;
    import_note(t->m,
                "policy " GH_STR_FMT " of " GH_STR_FMT
                ": an UPDATE must fulfil both USING and WITH CHECK before and after it",
                GH_STR_ARG(p->name), GH_STR_ARG(t->name));
    if (gh_str_is(check, "true"))
        return where;
    if (gh_str_is(where, "true"))
        return check;
    return gh_arena_printf(a, "(" GH_STR_FMT ") AND (" GH_STR_FMT ")", GH_STR_ARG(where),
                           GH_STR_ARG(check));
}

/* The rows of a privilege: false if no policy shows any. Empty text: all. */
static bool rows_of(table *t, gh_str grantee, uint32_t privilege, gh_str *out)
{
    size_t count = 0;

    *out = (gh_str){ 0 };
    if (!t->has_security || privilege == GH_TRUNCATE ||
        (!t->is_forced && is_within(t, grantee, t->owner) && t->owner.len > 0))
        return true;
    for (size_t i = 0; i < t->policy_count; i++) {
        const import_policy *p = &t->policies[i];
        if (!is_within(t, grantee, p->to) || !shows_rows(t, p, grantee, privilege))
            continue; /* see add_some */
        gh_str text = condition(t, p, privilege);
        if (gh_str_is(text, "true")) {
            *out = (gh_str){ 0 };
            return true;
        }
        if (count > 0)
            *out = count == 1 ? gh_arena_printf(t->m->a, "(" GH_STR_FMT ") OR (" GH_STR_FMT ")",
                                                GH_STR_ARG(*out), GH_STR_ARG(text))
                              : gh_arena_printf(t->m->a, GH_STR_FMT " OR (" GH_STR_FMT ")",
                                                GH_STR_ARG(*out), GH_STR_ARG(text));
        else
            *out = text;
        count++;
    }
    return count > 0;
}

/* Both; empty text: all. */
static gh_str both(const table *t, gh_str x, gh_str y)
{
    if (x.len == 0 || y.len == 0 || gh_str_eq(x, y))
        return x.len == 0 ? y : x;
    return gh_arena_printf(t->m->a, "(" GH_STR_FMT ") AND (" GH_STR_FMT ")", GH_STR_ARG(x),
                           GH_STR_ARG(y));
}

static void note_shown(const table *t)
{
    import_note(t->m,
                "table " GH_STR_FMT
                ": a row that is updated must be one that policies for SELECT show, also where "
                "the UPDATE reads nothing",
                GH_STR_ARG(t->name));
}

/*
 * SECURITY: of an UPDATE that reads the table PostgreSQL asks that policies for SELECT show the new row, too, so nobody moves
 * one out of their own sight. Attack: tests/integration/import_random.py.
 */
static gh_str shown_rows(table *t, gh_str grantee, gh_str rows)
{
    gh_str shown;

    if (!rows_of(t, grantee, GH_SELECT, &shown) || shown.len == 0 || gh_str_eq(rows, shown))
        return rows;
    note_shown(t);
    return both(t, rows, shown);
}

/* ---- grants ---------------------------------------------------------------------------------- */

/* What one grantee may do to a table, by privilege. */
typedef struct share {
    bool is_whole;       /* every column */
    gh_str_list columns; /* else these */
    gh_str rows;
} share;

static bool same_columns(const share *x, const share *y)
{
    if (x->is_whole != y->is_whole || x->columns.count != y->columns.count)
        return false;
    for (size_t i = 0; i < x->columns.count; i++)
        if (!gh_str_eq(x->columns.items[i], y->columns.items[i]))
            return false;
    return true;
}

static gh_str_list grantee_of(const table *t, gh_str grantee)
{
    if (t->is_for_users)
        return import_one(t->m->a,
                          gh_arena_printf(t->m->a, "user:" GH_STR_FMT, GH_STR_ARG(grantee)));
    return import_one(t->m->a, principal(t->m, grantee));
}

/* What a policy for SELECT shows to a part of those who have the grant, that part may make of a row by an UPDATE. */
static void add_shown_updates(table *t, const import_policy *p, const share *update)
{
    gh_acl_rule rule = { .to = import_one(t->m->a, principal(t->m, p->to)),
                         .privileges = GH_UPDATE,
                         .has_columns = !update->is_whole,
                         .columns = update->columns,
                         .valid_from = INT64_MIN,
                         .valid_until = INT64_MAX };

    if ((!update->is_whole && update->columns.count == 0) ||
        !rows_of(t, p->to, GH_UPDATE, &rule.rows))
        return;
    rule.rows = shown_rows(t, p->to, rule.rows);
    import_add_rule(t->m, t->relation, rule);
}

/* Policies for a part of those who have the grant are a grant to that part. */
static void add_some(table *t, gh_str grantee, const share shares[PRIVILEGES])
{
    for (size_t i = 0; t->has_security && i < t->policy_count; i++) {
        const import_policy *p = &t->policies[i];
        if (!p->is_permissive || is_within(t, grantee, p->to))
            continue;
        bool is_part =
            !t->is_for_users && is_within(t, p->to, grantee) && !import_is_apart(t->m, p->to);
        for (uint32_t j = 0; j < PRIVILEGES; j++) {
            gh_acl_rule rule = { .to = import_one(t->m->a, principal(t->m, p->to)),
                                 .privileges = 1u << j,
                                 .has_columns = !shares[j].is_whole,
                                 .columns = shares[j].columns,
                                 .valid_from = INT64_MIN,
                                 .valid_until = INT64_MAX };
            if ((!shares[j].is_whole && shares[j].columns.count == 0) || !is_for(p, 1u << j))
                continue;
            if (!is_part)
                import_note(t->m,
                            "policy " GH_STR_FMT " of " GH_STR_FMT " is for " GH_STR_FMT
                            ", and the grant to " GH_STR_FMT
                            " is not theirs alone: not in its rows",
                            GH_STR_ARG(p->name), GH_STR_ARG(t->name), GH_STR_ARG(p->to),
                            GH_STR_ARG(grantee.len > 0 ? grantee : GH_STR("PUBLIC")));
            else if (shows_rows(t, p, p->to, 1u << j)) {
                rule.rows = condition(t, p, 1u << j);
                rule.rows = gh_str_is(rule.rows, "true") ? (gh_str){ 0 } : rule.rows;
                if (rule.privileges == GH_UPDATE)
                    rule.rows = shown_rows(t, p->to, rule.rows);
                import_add_rule(t->m, t->relation, rule);
            }
        }
        if (is_part && p->command == 'r')
            add_shown_updates(t, p, &shares[UPDATE]);
    }
}

/* Of a column that is written and not shown: nobody is given `blind` unasked. */
static void note_unseen(const table *t, gh_str grantee, const share shares[PRIVILEGES])
{
    const share *seen = &shares[0];
    const share *written = &shares[UPDATE];
    bool sees_all = seen->is_whole;

    for (size_t i = 0; !seen->is_whole && i < written->columns.count; i++) {
        sees_all = false;
        for (size_t k = 0; k < seen->columns.count && !sees_all; k++)
            sees_all = gh_str_eq(seen->columns.items[k], written->columns.items[i]);
        if (!sees_all)
            break;
    }
    if ((written->is_whole || written->columns.count > 0) && !sees_all)
        import_note(t->m,
                    "table " GH_STR_FMT ", grant of UPDATE to " GH_STR_FMT
                    ": columns that they may not SELECT are not written without `blind: true`",
                    GH_STR_ARG(t->name), GH_STR_ARG(grantee.len > 0 ? grantee : GH_STR("PUBLIC")));
}

/* One grant for each set of columns and rows. */
static void add_grants(table *t, gh_str grantee, share shares[PRIVILEGES])
{
    gh_acl_rule rule = { .to = grantee_of(t, grantee),
                         .valid_from = INT64_MIN,
                         .valid_until = INT64_MAX };
    uint32_t left = 0;

    for (uint32_t i = 0; i < PRIVILEGES; i++) {
        if (!shares[i].is_whole && shares[i].columns.count == 0)
            continue;
        if (rows_of(t, grantee, 1u << i, &shares[i].rows)) {
            left |= 1u << i;
            if (i == UPDATE)
                shares[i].rows = shown_rows(t, grantee, shares[i].rows);
        } else
            import_note(t->m,
                        "table " GH_STR_FMT ", grant to " GH_STR_FMT
                        ": what no policy shows a row for is not granted",
                        GH_STR_ARG(t->name),
                        GH_STR_ARG(grantee.len > 0 ? grantee : GH_STR("PUBLIC")));
    }
    note_unseen(t, grantee, shares);
    for (uint32_t i = 0; i < PRIVILEGES; i++) {
        if ((left & (1u << i)) == 0)
            continue;
        rule.rows = shares[i].rows;
        rule.has_columns = !shares[i].is_whole;
        rule.columns = shares[i].columns;
        rule.privileges = 0;
        for (uint32_t j = i; j < PRIVILEGES; j++)
            if ((left & (1u << j)) != 0 && gh_str_eq(shares[j].rows, shares[i].rows) &&
                same_columns(&shares[j], &shares[i])) {
                rule.privileges |= 1u << j;
                left &= ~(1u << j);
            }
        import_add_rule(t->m, t->relation, rule);
    }
    add_some(t, grantee, shares);
}

/* Rows of one table and grantee, ordered by column; those without a column are the table's. */
static void take_grantee(table *t, const gh_str *rows, size_t count, gh_str grantee)
{
    share shares[PRIVILEGES] = { 0 };
    gh_str *names[PRIVILEGES];

    for (size_t p = 0; p < PRIVILEGES; p++) {
        names[p] = gh_arena_alloc(t->m->a, (count + 1) * sizeof(*names[p]));
        GH_ASSERT(names[p] != NULL);
        shares[p].columns.items = names[p];
    }
    for (size_t i = 0; i < count; i++) {
        const gh_str *row = &rows[i * PRIVILEGE_COLUMNS];
        uint32_t bit = privilege_of(row[TYPE]);
        if (bit != 0 && is_true(row, GRANTABLE) && !gh_str_eq(row[GRANTEE], row[OWNER]))
            import_note(t->m,
                        "WITH GRANT OPTION is not imported: policies are changed by their owners");
        for (size_t p = 0; p < PRIVILEGES; p++) {
            if (bit != 1u << p)
                continue;
            if (row[COLUMN].len == 0)
                shares[p].is_whole = true;
            else
                names[p][shares[p].columns.count++] = import_quote(t->m->a, row[COLUMN]);
        }
    }
    for (size_t p = 0; p < PRIVILEGES; p++)
        if (shares[p].is_whole)
            shares[p].columns = (gh_str_list){ 0 };
    add_grants(t, grantee, shares);
}

/*
 * SECURITY: a grant in a schema without USAGE shows nothing, so where only some have both, it is theirs by name. Attack:
 * tests/integration/import_random.py.
 */
static void take_users(table *t, const gh_str *rows, size_t count)
{
    gh_str lines = rows[USERS];

    t->is_for_users = true;
    while (lines.len > 0) {
        const char *end = memchr(lines.ptr, '\n', lines.len);
        gh_str name = { lines.ptr, end == NULL ? lines.len : (size_t)(end - lines.ptr) };
        if (cli_people_user(&t->m->people, name) != SIZE_MAX)
            take_grantee(t, rows, count, name);
        lines.ptr += name.len + (end != NULL);
        lines.len -= name.len + (end != NULL);
    }
    t->is_for_users = false;
}

static bool is_usable(table *t, const gh_str *row)
{
    gh_str grantee = row[GRANTEE].len > 0 ? row[GRANTEE] : GH_STR("PUBLIC");

    if (import_is_apart(t->m, row[GRANTEE]))
        return false;
    if (t->is_invoker) { /* by its owner's rights it would show more */
        import_note(t->m,
                    "view " GH_STR_FMT
                    " has security_invoker: not imported, since a view shows what its owner sees",
                    GH_STR_ARG(t->name));
        return false;
    }
    if (t->is_odd) { /* by the proxy's account it would show that account's rows */
        import_note(t->m,
                    "view " GH_STR_FMT
                    " depends on who asks (current_user, settings, policies): not imported, since "
                    "inside a view it is the proxy's account",
                    GH_STR_ARG(t->name));
        return false;
    }
    if (gh_str_is(row[USAGE], "none")) {
        import_note(t->m,
                    "schema " GH_STR_FMT ": " GH_STR_FMT
                    " has grants in it and nobody of them USAGE; they are not imported",
                    GH_STR_ARG(row[SCHEMA]), GH_STR_ARG(grantee));
        return false;
    }
    if (gh_str_is(row[USAGE], "some"))
        import_note(t->m,
                    "schema " GH_STR_FMT ": not everyone of " GH_STR_FMT
                    " has USAGE of it; the grants are imported for each user who has",
                    GH_STR_ARG(row[SCHEMA]), GH_STR_ARG(grantee));
    return true;
}

/* ---- policies -------------------------------------------------------------------------------- */

/*
 * SECURITY: a restrictive policy that is left out would show more rows than the warehouse does, so
 * what cannot be said row by row is denied whole. Attack: tests/integration/policy_code.py,
 * restrictive_policies_restrict.
 */
static void deny_rest(table *t, const import_policy *p)
{
    gh_arena *a = t->m->a;
    cli_fit fit;
    gh_err err = { 0 };
    if (!t->is_forced && !import_is_apart(t->m, t->owner) && is_within(t, t->owner, p->to))
        import_note(t->m,
                    "policy " GH_STR_FMT " of " GH_STR_FMT ": it restricts the owner " GH_STR_FMT
                    " too from now on",
                    GH_STR_ARG(p->name), GH_STR_ARG(t->name), GH_STR_ARG(t->owner));
    bool fits = cli_fit_init(&fit, t->m->c, &t->m->acl, t->m->live, &err) == GH_OK;

    for (uint32_t bit = GH_SELECT; bit <= GH_DELETE; bit <<= 1) {
        gh_acl_rule rule = { .is_deny = true,
                             .to = import_one(a, principal(t->m, p->to)),
                             .privileges = bit,
                             .valid_from = INT64_MIN,
                             .valid_until = INT64_MAX };
        gh_str text = condition(t, p, bit);
        if (!is_for(p, bit) || gh_str_is(text, "true"))
            continue;
        if (p->command == 'r') { /* see shown_rows */
            rule.privileges |= GH_UPDATE;
            note_shown(t);
        }
        rule.rows = gh_arena_printf(a, "(" GH_STR_FMT ") IS NOT TRUE", GH_STR_ARG(text));
        bool is_limited = p->is_guarded || p->unreadable.len > 0;
        if (is_limited || !fits || cli_fit_filter(&fit, t->relation, rule.rows, &err) != GH_OK) {
            import_note(t->m,
                        "policy " GH_STR_FMT " of " GH_STR_FMT
                        " restricts by what Gatehouse cannot say (%s): the table is denied",
                        GH_STR_ARG(p->name), GH_STR_ARG(t->name),
                        is_limited ? "what it reads is itself limited" : err.public_msg);
            rule.rows = (gh_str){ 0 };
        }
        import_add_rule(t->m, t->relation, rule);
    }
    cli_fit_fini(&fit);
}

/* Whom a policy is for, and may not read what it reads, is refused every query by the warehouse. */
static void deny_unreadable(table *t, const import_policy *p)
{
    for (size_t i = 0; p->unreadable.len > 0 && i < t->m->acl.user_count; i++) {
        gh_str user = t->m->acl.users[i].name;
        gh_acl_rule rule = { .is_deny = true,
                             .to = import_one(t->m->a, gh_arena_printf(t->m->a, "user:" GH_STR_FMT,
                                                                       GH_STR_ARG(user))),
                             .valid_from = INT64_MIN,
                             .valid_until = INT64_MAX };
        for (uint32_t bit = GH_SELECT; bit <= GH_DELETE; bit <<= 1)
            rule.privileges |= is_for(p, bit) ? bit : 0;
        if (!is_listed(p->unreadable, user) || !is_within(t, user, p->to) ||
            (!t->is_forced && t->owner.len > 0 && is_within(t, user, t->owner)))
            continue;
        import_note(
            t->m,
            "policy " GH_STR_FMT " of " GH_STR_FMT ": " GH_STR_FMT
            " may not read what it reads; the warehouse refuses the table, and so does this",
            GH_STR_ARG(p->name), GH_STR_ARG(t->name), GH_STR_ARG(user));
        import_add_rule(t->m, t->relation, rule);
    }
}

static void take_policies(table *t, const gh_link_rows *rows, size_t *at)
{
    t->policies = gh_arena_alloc(t->m->a, (rows->row_count + 1) * sizeof(*t->policies));
    GH_ASSERT(t->policies != NULL);
    for (; *at < rows->row_count; *at += 1) {
        const gh_str *row = &rows->cells[*at * POLICY_COLUMNS];
        int order = gh_str_cmp(row[P_SCHEMA], t->relation->schema);
        if (order == 0)
            order = gh_str_cmp(row[P_TABLE], t->relation->name);
        if (order > 0)
            break;
        if (order < 0 || !t->has_security)
            continue;
        import_policy p = { .name = row[P_NAME],
                            .command = row[P_COMMAND].ptr[0],
                            .is_permissive = is_true(row, P_PERMISSIVE),
                            .to = row[P_TO],
                            .where = row[P_WHERE],
                            .check = row[P_CHECK],
                            .is_guarded = is_true(row, P_GUARDED),
                            .unreadable = row[P_UNREADABLE] };
        if (is_true(row, P_SETTING))
            import_note(
                t->m,
                "policy " GH_STR_FMT " of " GH_STR_FMT
                " reads a setting of the session; it became attr(...): give users the attribute",
                GH_STR_ARG(p.name), GH_STR_ARG(t->name));
        t->policies[t->policy_count++] = p;
        if (!p.is_permissive)
            deny_rest(t, &p);
        deny_unreadable(t, &p);
    }
}

gh_rc import_privileges(importing *m, gh_err *err)
{
    gh_link_rows rows;
    gh_link_rows policies;
    table t = { .m = m };
    size_t policy = 0;
    gh_rc rc =
        gh_link_query(m->live->link, gh_str_of(s_privileges_sql), ROWS_MAX, m->a, &rows, err);

    if (rc == GH_OK)
        rc =
            gh_link_query(m->live->link, gh_str_of(s_policies_sql), ROWS_MAX, m->a, &policies, err);
    for (size_t i = 0, end; rc == GH_OK && i < rows.row_count; i = end) {
        const gh_str *row = &rows.cells[i * PRIVILEGE_COLUMNS];
        const gh_relation *r = gh_catalog_relation(m->live->catalog, row[SCHEMA], row[TABLE]);
        for (end = i + 1; end < rows.row_count; end++) {
            const gh_str *next = &rows.cells[end * PRIVILEGE_COLUMNS];
            if (!gh_str_eq(next[SCHEMA], row[SCHEMA]) || !gh_str_eq(next[TABLE], row[TABLE]) ||
                !gh_str_eq(next[GRANTEE], row[GRANTEE]))
                break;
        }
        if (r == NULL) /* dropped since the catalog was read */
            continue;
        if (r != t.relation) {
            t = (table){ .m = m,
                         .relation = r,
                         .name = gh_arena_printf(m->a, GH_STR_FMT "." GH_STR_FMT,
                                                 GH_STR_ARG(r->schema), GH_STR_ARG(r->name)),
                         .owner = row[OWNER],
                         .has_security = is_true(row, SECURITY),
                         .is_forced = is_true(row, FORCED),
                         .is_invoker = is_true(row, INVOKER),
                         .is_odd = is_true(row, ODD) };
            take_policies(&t, &policies, &policy);
        }
        if (!is_usable(&t, row))
            continue;
        if (gh_str_is(row[USAGE], "some"))
            take_users(&t, row, end - i);
        else
            take_grantee(&t, row, end - i, row[GRANTEE]);
    }
    return rc;
}
