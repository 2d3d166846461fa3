/*
 * Roles that log in become users, the others roles; one that does both becomes both, and the user is
 * in the role. PUBLIC is a role that every user is in.
 */
#include "import.h"

enum { ROWS_MAX = 1000000 };

static const char s_roles_sql[] =
    "SELECT rolname, rolcanlogin, rolsuper OR rolname = current_user, rolbypassrls, "
    "EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = r.oid), rolname = current_user, "
    "rolvaliduntil IS NOT NULL FROM pg_roles r WHERE rolname !~ '^pg_' ORDER BY 1";

/* PostgreSQL 16 says of each membership whether it inherits, before it of the member. */
static const char s_members_sql[] =
    "SELECT m.rolname, r.rolname, r.rolname ~ '^pg_', coalesce((to_jsonb(a) ->> "
    "'inherit_option')::bool, m.rolinherit) FROM pg_auth_members a "
    "JOIN pg_roles m ON m.oid = a.member JOIN pg_roles r ON r.oid = a.roleid "
    "WHERE m.rolname !~ '^pg_' ORDER BY 1, 2";

/* What people rely on beside tables, and what is not imported: a text for each that there is. */
static const char s_others_sql[] =
    "SELECT DISTINCT 'default privileges of ' || defaclrole::regrole || ': tables to come are "
    "granted "
    "by no name; write schema.* where that is meant' FROM pg_default_acl WHERE defaclobjtype = 'r' "
    "UNION ALL SELECT 'functions: EXECUTE is not imported, since a function reads with the rights "
    "of "
    "the proxy''s account; list those that may be called under functions' "
    "WHERE EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
    "WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')) "
    "UNION ALL SELECT 'passwords are not imported; gatehouse user password sets them' ORDER BY 1";

enum { MEMBER_COLUMNS = 4 };
enum { NAME, CAN_LOGIN, IS_APART, IS_BYPASS, IS_GROUP, IS_SELF, EXPIRES, ROLE_COLUMNS };

static bool is_true(const gh_str *row, int column)
{
    return gh_str_is(row[column], "t");
}

gh_str_list import_one(gh_arena *a, gh_str s)
{
    gh_str *items = gh_arena_alloc(a, sizeof(*items));

    GH_ASSERT(items != NULL);
    items[0] = s;
    return (gh_str_list){ items, 1 };
}

bool import_is_apart(const importing *m, gh_str role)
{
    for (size_t i = 0; i < m->apart.count; i++)
        if (gh_str_eq(m->apart.items[i], role))
            return true;
    return false;
}

static void note_role(importing *m, const gh_str *row)
{
    gh_str name = row[NAME];

    if (is_true(row, IS_SELF))
        import_note(m, "role " GH_STR_FMT ": the proxy's own account is not imported",
                    GH_STR_ARG(name));
    else if (is_true(row, IS_APART))
        import_note(m, "role " GH_STR_FMT ": a superuser sees everything, and is not imported",
                    GH_STR_ARG(name));
    else if (is_true(row, IS_BYPASS))
        import_note(m,
                    "role " GH_STR_FMT ": BYPASSRLS is not imported; where it matters, grant the "
                    "table without rows",
                    GH_STR_ARG(name));
    if (is_true(row, EXPIRES) && is_true(row, CAN_LOGIN) && !is_true(row, IS_APART))
        import_note(m, "role " GH_STR_FMT ": the end of its password's validity is not imported",
                    GH_STR_ARG(name));
}

/* The roles that `member` is in; with `self`, the role of its own name too. */
static gh_str_list roles_of(importing *m, const gh_link_rows *members, gh_str member, bool is_user,
                            bool has_role)
{
    gh_str *items = gh_arena_alloc(m->a, (members->row_count + 2) * sizeof(*items));
    gh_str_list list = { items, 0 };

    GH_ASSERT(items != NULL);
    if (is_user)
        items[list.count++] = GH_STR("public");
    if (is_user && has_role)
        items[list.count++] = member;
    for (size_t i = 0; i < members->row_count && !(is_user && has_role); i++) {
        const gh_str *row = &members->cells[i * MEMBER_COLUMNS];
        if (!gh_str_eq(row[0], member))
            continue;
        if (!is_true(row, 3)) {
            import_note(m,
                        "role " GH_STR_FMT ": membership in " GH_STR_FMT
                        " does not inherit, and there is no SET ROLE: it is not imported",
                        GH_STR_ARG(member), GH_STR_ARG(row[1]));
            continue;
        }
        if (is_true(row, 2))
            import_note(m, "role " GH_STR_FMT ": membership in " GH_STR_FMT " is not imported",
                        GH_STR_ARG(member), GH_STR_ARG(row[1]));
        else if (import_is_apart(m, row[1]))
            import_note(m,
                        "role " GH_STR_FMT ": membership in " GH_STR_FMT
                        ", which is not imported, is left out",
                        GH_STR_ARG(member), GH_STR_ARG(row[1]));
        else
            items[list.count++] = row[1];
    }
    return list;
}

/* A login that is granted to others is a role too: its members have what it has. */
static void take_roles(importing *m, const gh_link_rows *roles, const gh_link_rows *members)
{
    gh_acl_user *users = gh_arena_alloc(m->a, (roles->row_count + 1) * sizeof(*users));
    gh_acl_role *out = gh_arena_alloc(m->a, (roles->row_count + 2) * sizeof(*out));
    gh_str *apart = gh_arena_alloc(m->a, (roles->row_count + 1) * sizeof(*apart));
    size_t n = 0;

    GH_ASSERT(users != NULL);
    GH_ASSERT(out != NULL);
    GH_ASSERT(apart != NULL);
    for (size_t i = 0; i < roles->row_count; i++) {
        const gh_str *row = &roles->cells[i * ROLE_COLUMNS];
        note_role(m, row);
        if (is_true(row, IS_APART))
            apart[n++] = row[NAME];
    }
    m->apart = (gh_str_list){ apart, n };
    out[m->acl.role_count++] =
        (gh_acl_role){ .name = GH_STR("public"), .description = GH_STR("Everyone") };
    for (size_t i = 0; i < roles->row_count; i++) {
        const gh_str *row = &roles->cells[i * ROLE_COLUMNS];
        bool is_role = !is_true(row, CAN_LOGIN) || is_true(row, IS_GROUP);
        if (is_true(row, IS_APART))
            continue;
        if (is_role)
            out[m->acl.role_count++] =
                (gh_acl_role){ .name = row[NAME],
                               .member_of = roles_of(m, members, row[NAME], false, true) };
        if (is_true(row, CAN_LOGIN))
            users[m->acl.user_count++] =
                (gh_acl_user){ .name = row[NAME],
                               .roles = roles_of(m, members, row[NAME], true, is_role) };
    }
    m->acl.users = users;
    m->acl.roles = out;
}

gh_rc import_people(importing *m, gh_err *err)
{
    gh_link_rows roles;
    gh_link_rows members;
    gh_link_rows others;
    gh_rc rc = gh_link_query(m->live->link, gh_str_of(s_roles_sql), ROWS_MAX, m->a, &roles, err);

    if (rc == GH_OK)
        rc = gh_link_query(m->live->link, gh_str_of(s_members_sql), ROWS_MAX, m->a, &members, err);
    if (rc == GH_OK)
        rc = gh_link_query(m->live->link, gh_str_of(s_others_sql), ROWS_MAX, m->a, &others, err);
    if (rc != GH_OK)
        return rc;
    take_roles(m, &roles, &members);
    for (size_t i = 0; i < others.row_count; i++)
        import_note(m, GH_STR_FMT, GH_STR_ARG(others.cells[i]));
    return GH_OK;
}
