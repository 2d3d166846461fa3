/*
 * The views of information_schema that clients may read. They read the base catalogs with the upstream
 * account's rights, so each is filtered by the names in its rows; catalog names and roles in them are
 * rewritten by system_catalog.c.
 */
#include "allow.h"
#include "system_catalog.h"

#define COLUMNS (const gh_system_column[])
#define END                                                                                        \
    {                                                                                              \
        NULL, NULL                                                                                 \
    }
#define HIDE(column)                                                                               \
    {                                                                                              \
        column, "@null"                                                                            \
    }
#define IF_FULL(column)                                                                            \
    {                                                                                              \
        column, "CASE WHEN @relfull(gh.table_schema, gh.table_name) THEN gh." column " END"        \
    }
#define ROWS_TABLE   "@relname(gh.table_schema, gh.table_name)"
#define ROWS_COLUMN  "@colname(gh.table_schema, gh.table_name, gh.column_name)"
#define ROWS_ROUTINE "@routine(gh.specific_name)"
/* The upstream's own views show rights of its account; these say what the user holds. */
#define NAME(x) "CAST(" x " AS information_schema.sql_identifier)"
#define GRANT_ROW                                                                                  \
    "SELECT " NAME("@user") " AS grantor, " NAME("@user") " AS grantee, " NAME(                    \
        "@db") " AS table_catalog, " NAME("gn.nspname") " AS table_schema, " NAME("gc.relname") " AS table_name, "
#define GRANT_TYPE                                                                                 \
    "CAST(gp.p AS information_schema.character_data) AS privilege_type, "                          \
    "CAST('NO' AS information_schema.yes_or_no) AS is_grantable"
#define GRANT_FROM                                                                                 \
    " FROM pg_catalog.pg_class AS gc JOIN pg_catalog.pg_namespace AS gn ON gn.oid = "              \
    "gc.relnamespace "
#define TABLE_GRANTS                                                                               \
    GRANT_ROW GRANT_TYPE ", CAST(CASE WHEN gp.p = 'SELECT' THEN 'YES' ELSE 'NO' END AS "           \
                         "information_schema.yes_or_no) AS with_hierarchy" GRANT_FROM              \
                         "CROSS JOIN (VALUES ('SELECT'), ('INSERT'), "                             \
                         "('UPDATE'), ('DELETE'), ('TRUNCATE')) AS gp (p) WHERE gc.relkind IN "    \
                         "('r', 'v', 'f', 'p') AND "                                               \
                         "@rel(gc.oid) AND @may(gp.p, gc.oid)"
#define COLUMN_GRANTS                                                                              \
    GRANT_ROW NAME("ga.attname") " AS column_name, " GRANT_TYPE GRANT_FROM                         \
                                 "JOIN pg_catalog.pg_attribute AS ga ON ga.attrelid = gc.oid AND " \
                                 "ga.attnum > 0 AND NOT "                                          \
                                 "ga.attisdropped CROSS JOIN (VALUES ('SELECT')) AS gp (p) WHERE " \
                                 "gc.relkind IN ('r', 'v', 'f', 'p') AND "                         \
                                 "@attr(ga.attrelid, ga.attnum) AND @may(gp.p, gc.oid)"

/* Of these rights only those that everybody has show. */
#define PUBLIC_GRANTEE                                                                             \
    COLUMNS                                                                                        \
    {                                                                                              \
        { "grantee", "gh.grantee" }, END                                                           \
    }

#define PUBLIC_UDT "@typename(gh.udt_schema, gh.udt_name) AND gh.grantee = 'PUBLIC'", PUBLIC_GRANTEE
#define PUBLIC_USAGE                                                                               \
    "gh.grantee = 'PUBLIC' AND CASE gh.object_type WHEN 'COLLATION' THEN gh.object_schema = "      \
    "'pg_catalog' WHEN 'DOMAIN' THEN @typename(gh.object_schema, gh.object_name) ELSE false END",  \
        PUBLIC_GRANTEE

static const gh_system_relation s_views[] = {
    { "administrable_role_authorizations", "false", NULL },
    { "applicable_roles", "false", NULL },
    { "attributes",
      "@typename(gh.udt_schema, gh.udt_name) AND @colname(gh.udt_schema, gh.udt_name, "
      "gh.attribute_name)",
      COLUMNS{ HIDE("attribute_default"), END } },
    { "character_sets", NULL, NULL },
    { "check_constraint_routine_usage", "false", NULL },
    { "check_constraints",
      "@conname(gh.constraint_schema, gh.constraint_name) OR (@notnull(gh.constraint_name) AND "
      "gh.check_clause LIKE '% IS NOT NULL')",
      NULL },
    { "collation_character_set_applicability", "gh.collation_schema = 'pg_catalog'", NULL },
    { "collations", "gh.collation_schema = 'pg_catalog'", NULL },
    { "column_column_usage", "false", NULL },
    { "column_domain_usage", ROWS_COLUMN, NULL },
    { "column_options", "false", NULL },
    { "column_privileges", NULL, NULL },
    { "column_udt_usage", ROWS_COLUMN, NULL },
    { "columns", ROWS_COLUMN,
      COLUMNS{ { "column_default",
                 "CASE WHEN @relfull(gh.table_schema, gh.table_name) OR "
                 "@blandname(gh.table_schema, gh.table_name, gh.column_name) THEN "
                 "@column_default END" },
               IF_FULL("generation_expression"),
               END } },
    { "constraint_column_usage",
      "@anycolname(gh.table_schema, gh.table_name, gh.column_name) AND "
      "@conname(gh.constraint_schema, gh.constraint_name)",
      NULL },
    { "constraint_table_usage",
      ROWS_TABLE " AND @conname(gh.constraint_schema, gh.constraint_name)", NULL },
    { "data_type_privileges",
      "CASE gh.object_type WHEN 'TABLE' THEN @colnumber(gh.object_schema, gh.object_name, "
      "gh.dtd_identifier) WHEN 'DOMAIN' THEN @typename(gh.object_schema, gh.object_name) WHEN "
      "'USER-DEFINED TYPE' THEN @typename(gh.object_schema, gh.object_name) WHEN 'ROUTINE' THEN "
      "@routine(gh.object_name) ELSE false END",
      NULL },
    { "domain_constraints", "@typename(gh.domain_schema, gh.domain_name)", NULL },
    { "domain_udt_usage", "@typename(gh.domain_schema, gh.domain_name)", NULL },
    { "domains", "@typename(gh.domain_schema, gh.domain_name)",
      COLUMNS{ HIDE("domain_default"), END } },
    { "element_types",
      "@colnumber(gh.object_schema, gh.object_name, gh.collection_type_identifier) AND "
      "gh.object_type = 'TABLE'",
      NULL },
    { "enabled_roles", "gh.role_name = CURRENT_USER", NULL },
    { "foreign_data_wrapper_options", "false", NULL },
    { "foreign_data_wrappers", "false", NULL },
    { "foreign_server_options", "false", NULL },
    { "foreign_servers", "false", NULL },
    { "foreign_table_options", "false", NULL },
    { "foreign_tables", "false", NULL },
    { "information_schema_catalog_name", NULL, NULL },
    { "key_column_usage",
      "@relcon(gh.constraint_schema, gh.constraint_name, gh.table_schema, gh.table_name)", NULL },
    { "parameters", ROWS_ROUTINE, COLUMNS{ { "parameter_default", "@parameter_default" }, END } },
    { "referential_constraints", "@conname(gh.constraint_schema, gh.constraint_name)", NULL },
    { "role_column_grants", NULL, NULL },
    { "role_routine_grants", ROWS_ROUTINE " AND gh.grantee = 'PUBLIC'", PUBLIC_GRANTEE },
    { "role_table_grants", NULL, NULL },
    { "role_udt_grants", PUBLIC_UDT },
    { "role_usage_grants", PUBLIC_USAGE },
    { "routine_column_usage", "false", NULL },
    { "routine_privileges", ROWS_ROUTINE " AND gh.grantee = 'PUBLIC'", PUBLIC_GRANTEE },
    { "routine_routine_usage", "false", NULL },
    { "routine_sequence_usage", "false", NULL },
    { "routine_table_usage", "false", NULL },
    { "routines", ROWS_ROUTINE,
      COLUMNS{ { "routine_definition",
                 "CAST((SELECT gp.prosrc FROM pg_catalog.pg_proc AS gp WHERE gp.oid = "
                 "@routineoid(gh.specific_name) AND @source(gp)) AS "
                 "information_schema.character_data)" },
               END } },
    { "schemata",
      "EXISTS (SELECT FROM pg_catalog.pg_namespace AS gn WHERE gn.nspname = gh.schema_name AND "
      "@schema(gn.oid))",
      NULL },
    { "sequences", "@relname(gh.sequence_schema, gh.sequence_name)", NULL },
    { "sql_features", NULL, NULL },
    { "sql_implementation_info", NULL, NULL },
    { "sql_parts", NULL, NULL },
    { "sql_sizing", NULL, NULL },
    { "table_constraints",
      "@relcon(gh.constraint_schema, gh.constraint_name, gh.table_schema, gh.table_name) OR "
      "@notnull(gh.constraint_name)",
      NULL },
    { "table_privileges", NULL, NULL },
    { "tables", ROWS_TABLE, NULL },
    { "transforms", "false", NULL },
    { "triggered_update_columns", "false", NULL },
    { "triggers", "false", NULL },
    { "udt_privileges", PUBLIC_UDT },
    { "usage_privileges", PUBLIC_USAGE },
    { "user_defined_types", "@typename(gh.user_defined_type_schema, gh.user_defined_type_name)",
      NULL },
    { "user_mapping_options", "false", NULL },
    { "user_mappings", "false", NULL },
    { "view_column_usage", "false", NULL },
    { "view_routine_usage", "false", NULL },
    { "view_table_usage", "false", NULL },
    { "views", ROWS_TABLE,
      COLUMNS{ { "view_definition", "CAST(@viewdefname(gh.table_schema, gh.table_name) AS "
                                    "information_schema.character_data)" },
               END } },
};

const gh_system_relation *gh_system_information_find(gh_str name)
{
    for (size_t i = 0; i < GH_COUNT(s_views); i++) {
        if (gh_str_is(name, s_views[i].name))
            return &s_views[i];
    }
    return NULL;
}

const char *gh_system_information_query(gh_str name)
{
    if (gh_str_is(name, "column_privileges") || gh_str_is(name, "role_column_grants"))
        return COLUMN_GRANTS;
    return gh_str_is(name, "table_privileges") || gh_str_is(name, "role_table_grants")
               ? TABLE_GRANTS
               : NULL;
}

/*
 * They are made of columns of type `name` by casts, COALESCE and `||`, which fail for no row, and nothing of them is
 * rewritten, so a condition on one may run before the filter as one on the catalog's own column may.
 */
bool gh_system_is_name(const gh_relation *r, const gh_column *c)
{
    static const char *const names[] = { "table_schema",    "table_name",      "column_name",
                                         "schema_name",     "routine_schema",  "routine_name",
                                         "sequence_schema", "sequence_name",   "constraint_schema",
                                         "constraint_name", "specific_schema", "specific_name" };

    if (!gh_str_is(r->schema, "information_schema"))
        return false;
    for (size_t i = 0; i < GH_COUNT(names); i++) {
        if (gh_str_is(c->name, names[i]))
            return true;
    }
    return false;
}
