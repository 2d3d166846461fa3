/*
 * The relations of pg_catalog that clients may read, and what each shows. A relation that is not here is
 * refused (42501); a column is the upstream's own, unless the list below or its type says otherwise:
 *
 *     aclitem[], pg_node_tree   NULL: rights of the upstream's roles, literals of expressions
 *     regproc                   its OID, 0 unless built in: names of functions that are not granted
 *     other reg* types          text
 *     owners                    the upstream's account, which shows under the user's own name
 *
 * SECURITY: catalogs hold values (defaults, checks, predicates, bounds, comments, statistics), sources and
 * other people's queries. Columns that a later server adds show as they are unless their type is one of the
 * above, which is why relations with values in text columns list them here one by one. Attack:
 * tests/attack corpora catalog, stats, exists; tests/integration/catalogs.
 */
#include "system_catalog.h"

#include "allow.h"

#define COLUMNS (const gh_system_column[])

/* Shorthands of the lists below. */
#define HIDE(column)                                                                               \
    {                                                                                              \
        column, "@null"                                                                            \
    }
#define END                                                                                        \
    {                                                                                              \
        NULL, NULL                                                                                 \
    }
#define ROWS_BUILTIN "@builtin(gh.oid)"
#define OWN_BACKEND  "gh.pid = pg_catalog.pg_backend_pid()"
#define TABLE_FIGURES(name)                                                                        \
    {                                                                                              \
        name, "@rel(gh.relid)", NULL                                                               \
    }
#define INDEX_FIGURES(name)                                                                        \
    {                                                                                              \
        name, "@rel(gh.relid) AND @rel(gh.indexrelid)", NULL                                       \
    }

/* What a macro over a row of pg_class says of a row of pg_tables. */
#define OF_TABLE(macro)                                                                            \
    "COALESCE((SELECT @" macro "(gc) FROM pg_catalog.pg_class AS gc JOIN pg_catalog.pg_namespace " \
    "AS gn ON gn.oid = gc.relnamespace WHERE gn.nspname = gh.schemaname AND gc.relname = "         \
    "gh.tablename), false)"

static const gh_system_relation s_relations[] = {
    { "pg_aggregate", "@func(CAST(gh.aggfnoid AS pg_catalog.oid))",
      COLUMNS{ { "aggfnoid", "CAST(gh.aggfnoid AS pg_catalog.oid)" }, END } },
    { "pg_am", ROWS_BUILTIN, NULL },
    { "pg_amop", ROWS_BUILTIN, NULL },
    { "pg_amproc", ROWS_BUILTIN, NULL },
    { "pg_attrdef", "@attr(gh.adrelid, gh.adnum)",
      COLUMNS{ { "adbin", "CASE WHEN @full(gh.adrelid) OR @bland(gh) THEN gh.adbin END" }, END } },
    { "pg_attribute", "@attr(gh.attrelid, gh.attnum)",
      COLUMNS{ HIDE("attmissingval"),
               HIDE("attfdwoptions"),
               { "attoptions", "CASE WHEN @full(gh.attrelid) THEN gh.attoptions END" },
               END } },
    { "pg_auth_members", "false", NULL },
    { "pg_available_extension_versions", "false", NULL },
    { "pg_available_extensions", "@extname(gh.name)", NULL },
    { "pg_cast", ROWS_BUILTIN, NULL },
    { "pg_class", "@rel(gh.oid)",
      COLUMNS{
          { "reltuples", "CASE WHEN gh.oid = ANY (@fulls) THEN gh.reltuples ELSE -1 END" },
          { "relpages", "CASE WHEN gh.oid = ANY (@fulls) THEN gh.relpages ELSE 0 END" },
          { "relallvisible", "CASE WHEN gh.oid = ANY (@fulls) THEN gh.relallvisible ELSE 0 END" },
          { "relallfrozen", "CASE WHEN gh.oid = ANY (@fulls) THEN gh.relallfrozen ELSE 0 END" },
          { "relfrozenxid", "CAST('0' AS pg_catalog.xid)" },
          { "relminmxid", "CAST('0' AS pg_catalog.xid)" },
          { "relfilenode", "CAST(0 AS pg_catalog.oid)" },
          { "reltoastrelid", "CAST(0 AS pg_catalog.oid)" },
          { "relnatts", "CASE WHEN @full(gh.oid) THEN gh.relnatts ELSE (SELECT "
                        "CAST(pg_catalog.count(*) AS pg_catalog.int2) FROM pg_catalog.pg_attribute "
                        "AS ga WHERE ga.attrelid = gh.oid AND ga.attnum > 0 AND @attr(ga.attrelid, "
                        "ga.attnum)) END" },
          { "relhasindex", "@hasindex(gh)" },
          { "relchecks", "CASE WHEN @full(gh.oid) THEN gh.relchecks ELSE CAST(0 AS "
                         "pg_catalog.int2) END" },
          { "relhasrules", "(gh.relhasrules AND (@builtin(gh.oid) OR gh.relkind IN ('v', 'm')))" },
          /* psql looks for foreign keys only where there are triggers. */
          { "relhastriggers", "@hastriggers(gh)" },
          { "relhassubclass", "(@full(gh.oid) AND gh.relhassubclass)" },
          { "relrowsecurity", "(@builtin(gh.oid) AND gh.relrowsecurity)" },
          { "relforcerowsecurity", "(@builtin(gh.oid) AND gh.relforcerowsecurity)" },
          { "relacl",
            "CASE WHEN gh.relkind IN ('r', 'v', 'm', 'p', 'f', 'S') THEN @acl(gh.oid) END" },
          { "reloptions", "CASE WHEN @full(gh.oid) THEN gh.reloptions END" },
          { "relpartbound", "CASE WHEN @full(gh.oid) THEN gh.relpartbound END" },
          END } },
    { "pg_collation", ROWS_BUILTIN, NULL },
    { "pg_constraint", "@con(gh)",
      COLUMNS{ { "conbin", "CASE WHEN gh.conrelid <> 0 AND @full(gh.conrelid) THEN gh.conbin END" },
               END } },
    { "pg_conversion", ROWS_BUILTIN, NULL },
    { "pg_cursors", "gh.name = ANY (@cursor_names)",
      COLUMNS{
          { "statement", "(@cursor_texts)[pg_catalog.array_position(@cursor_names, gh.name)]" },
          END } },
    { "pg_database", "gh.datname = pg_catalog.current_database()",
      COLUMNS{ { "datname", "@db" }, END } },
    { "pg_db_role_setting", "false", NULL },
    { "pg_default_acl", "false", NULL },
    { "pg_depend",
      "@object(gh.classid, gh.objid, gh.objsubid) AND @object(gh.refclassid, gh.refobjid, "
      "gh.refobjsubid)",
      NULL },
    { "pg_description", "@object(gh.classoid, gh.objoid, gh.objsubid)", NULL },
    { "pg_enum", "@type(gh.enumtypid)", NULL },
    { "pg_event_trigger", "false", NULL },
    { "pg_extension", "@extension(gh.oid)",
      COLUMNS{ HIDE("extconfig"), HIDE("extcondition"), END } },
    { "pg_foreign_data_wrapper", "false", NULL },
    { "pg_foreign_server", "false", NULL },
    { "pg_foreign_table", "false", NULL },
    { "pg_group", "false", NULL },
    { "pg_index", "@index(gh)",
      COLUMNS{ { "indpred", "CASE WHEN @full(gh.indrelid) THEN gh.indpred END" },
               { "indexprs", "CASE WHEN @full(gh.indrelid) THEN gh.indexprs END" },
               END } },
    { "pg_indexes", "@relname(gh.schemaname, gh.indexname)", NULL },
    { "pg_inherits", "@rel(gh.inhrelid) AND @rel(gh.inhparent)", NULL },
    { "pg_init_privs", "false", NULL },
    { "pg_language", ROWS_BUILTIN, NULL },
    { "pg_largeobject_metadata", "false", NULL },
    { "pg_locks", "false", NULL },
    { "pg_matviews", "@relname(gh.schemaname, gh.matviewname)",
      COLUMNS{ { "definition", "@viewdefname(gh.schemaname, gh.matviewname)" }, END } },
    { "pg_namespace", "@schema(gh.oid)",
      COLUMNS{ { "nspacl", "ARRAY[pg_catalog.makeaclitem(@owner, @owner, 'USAGE', false)]" },
               END } },
    { "pg_opclass", ROWS_BUILTIN, NULL },
    { "pg_operator", ROWS_BUILTIN, NULL },
    { "pg_opfamily", ROWS_BUILTIN, NULL },
    { "pg_parameter_acl", "false", NULL },
    { "pg_partitioned_table", "@part(gh)",
      COLUMNS{ { "partexprs", "CASE WHEN @full(gh.partrelid) THEN gh.partexprs END" }, END } },
    { "pg_policies", "false", NULL },
    { "pg_policy", "false", NULL },
    { "pg_prepared_statements", "gh.name = ANY (@statement_names)",
      COLUMNS{ { "statement",
                 "(@statement_texts)[pg_catalog.array_position(@statement_names, gh.name)]" },
               END } },
    { "pg_proc", "@func(gh.oid)",
      COLUMNS{ { "prosrc", "CASE WHEN @builtin(gh.oid) OR @source(gh) THEN gh.prosrc ELSE '' END" },
               { "probin", "CASE WHEN @builtin(gh.oid) THEN gh.probin END" },
               HIDE("proconfig"),
               END } },
    { "pg_publication", "false", NULL },
    { "pg_publication_namespace", "false", NULL },
    { "pg_publication_rel", "false", NULL },
    { "pg_range", "@type(gh.rngtypid)", NULL },
    /* that which makes it a view: a view has one, and what it says does not show */
    { "pg_rewrite", "gh.ev_type = '1' AND @rel(gh.ev_class)",
      COLUMNS{ HIDE("ev_qual"), HIDE("ev_action"), END } },
    { "pg_roles", "gh.rolname = CURRENT_USER",
      COLUMNS{ { "oid", "@owner" },
               { "rolname", "@user" },
               { "rolsuper", "false" },
               { "rolcreaterole", "false" },
               { "rolcreatedb", "false" },
               { "rolcanlogin", "true" },
               { "rolreplication", "false" },
               { "rolbypassrls", "false" },
               { "rolconnlimit", "-1" },
               HIDE("rolvaliduntil"),
               HIDE("rolconfig"),
               END } },
    { "pg_rules", "false", NULL },
    { "pg_seclabel", "false", NULL },
    { "pg_seclabels", "false", NULL },
    { "pg_sequence", "@rel(gh.seqrelid)", NULL },
    { "pg_sequences", "@relname(gh.schemaname, gh.sequencename)",
      COLUMNS{ { "last_value", "CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_class AS gc JOIN "
                               "pg_catalog.pg_namespace AS gn ON gn.oid = gc.relnamespace WHERE "
                               "gn.nspname = gh.schemaname AND gc.relname = gh.sequencename AND "
                               "@sequence(gc.oid)) THEN gh.last_value END" },
               END } },
    { "pg_settings", "pg_catalog.lower(gh.name) IN (@settings, 'search_path')",
      COLUMNS{
          { "setting", "CASE gh.name WHEN 'search_path' THEN @search_path ELSE gh.setting END" },
          /* of these two the upstream's own would be Gatehouse's */
          { "reset_val", "CASE WHEN gh.name IN ('search_path', 'application_name') THEN "
                         "gh.boot_val ELSE gh.reset_val END" },
          HIDE("sourcefile"),
          HIDE("sourceline"),
          END } },
    { "pg_shdepend", "false", NULL },
    { "pg_shdescription", "@builtin(gh.objoid)", NULL },
    { "pg_shseclabel", "false", NULL },
    /* What the own session does, and nothing that names a query, which was rewritten, or a peer. */
    { "pg_stat_activity", OWN_BACKEND,
      COLUMNS{ { "datname", "@db" },
               { "usename", "@user" },
               { "usesysid", "@owner" },
               HIDE("query"),
               HIDE("query_id"),
               HIDE("leader_pid"),
               HIDE("client_addr"),
               HIDE("client_hostname"),
               HIDE("client_port"),
               HIDE("wait_event"),
               HIDE("wait_event_type"),
               HIDE("backend_xid"),
               HIDE("backend_xmin"),
               END } },
    { "pg_statistic_ext", "false", NULL },
    { "pg_subscription", "false", NULL },
    { "pg_tables", "@relname(gh.schemaname, gh.tablename)",
      COLUMNS{ { "hasrules", "false" },
               { "hastriggers", OF_TABLE("hastriggers") },
               { "rowsecurity", "false" },
               { "hasindexes", OF_TABLE("hasindex") },
               END } },
    { "pg_tablespace", ROWS_BUILTIN, COLUMNS{ HIDE("spcoptions"), END } },
    { "pg_timezone_abbrevs", NULL, NULL },
    { "pg_timezone_names", NULL, NULL },
    { "pg_transform", ROWS_BUILTIN, NULL },
    { "pg_trigger", "false", NULL },
    { "pg_ts_config", ROWS_BUILTIN, NULL },
    { "pg_ts_config_map", "@builtin(gh.mapcfg) AND @builtin(gh.mapdict)", NULL },
    { "pg_ts_dict", ROWS_BUILTIN, NULL },
    { "pg_ts_parser", ROWS_BUILTIN, NULL },
    { "pg_ts_template", ROWS_BUILTIN, NULL },
    { "pg_type", "@type(gh.oid)",
      COLUMNS{ { "typdefault", "CASE WHEN @builtin(gh.oid) THEN gh.typdefault END" }, END } },
    { "pg_user", "gh.usename = CURRENT_USER",
      COLUMNS{ { "usename", "@user" },
               { "usesysid", "@owner" },
               { "usesuper", "false" },
               { "usecreatedb", "false" },
               { "userepl", "false" },
               { "usebypassrls", "false" },
               HIDE("valuntil"),
               HIDE("useconfig"),
               END } },
    { "pg_user_mappings", "false", NULL },
    { "pg_wait_events", NULL, NULL },
    { "pg_views", "@relname(gh.schemaname, gh.viewname)",
      COLUMNS{ { "definition", "@viewdefname(gh.schemaname, gh.viewname)" }, END } },
    TABLE_FIGURES("pg_stat_all_tables"),
    TABLE_FIGURES("pg_stat_sys_tables"),
    TABLE_FIGURES("pg_stat_user_tables"),
    TABLE_FIGURES("pg_stat_xact_all_tables"),
    TABLE_FIGURES("pg_stat_xact_sys_tables"),
    TABLE_FIGURES("pg_stat_xact_user_tables"),
    TABLE_FIGURES("pg_statio_all_tables"),
    TABLE_FIGURES("pg_statio_sys_tables"),
    TABLE_FIGURES("pg_statio_user_tables"),
    TABLE_FIGURES("pg_statio_all_sequences"),
    TABLE_FIGURES("pg_statio_sys_sequences"),
    TABLE_FIGURES("pg_statio_user_sequences"),
    INDEX_FIGURES("pg_stat_all_indexes"),
    INDEX_FIGURES("pg_stat_sys_indexes"),
    INDEX_FIGURES("pg_stat_user_indexes"),
    INDEX_FIGURES("pg_statio_all_indexes"),
    INDEX_FIGURES("pg_statio_sys_indexes"),
    INDEX_FIGURES("pg_statio_user_indexes"),
    /* What tells of the server and of other people is there, and empty: clients look before they ask. */
    { "pg_prepared_xacts", "false", NULL },
    { "pg_publication_tables", "false", NULL },
    { "pg_replication_origin", "false", NULL },
    { "pg_replication_origin_status", "false", NULL },
    { "pg_replication_slots", "false", NULL },
    { "pg_stat_archiver", "false", NULL },
    { "pg_stat_bgwriter", "false", NULL },
    { "pg_stat_database", "gh.datname = pg_catalog.current_database()",
      COLUMNS{ { "datname", "@db" }, END } },
    { "pg_stat_database_conflicts", "false", NULL },
    /* of the client's own connection, which GSSAPI never secures */
    { "pg_stat_gssapi", OWN_BACKEND,
      COLUMNS{ { "gss_authenticated", "false" },
               { "encrypted", "false" },
               { "credentials_delegated", "false" },
               HIDE("principal"),
               END } },
    { "pg_stat_progress_analyze", "false", NULL },
    { "pg_stat_progress_basebackup", "false", NULL },
    { "pg_stat_progress_cluster", "false", NULL },
    { "pg_stat_progress_copy", "false", NULL },
    { "pg_stat_progress_create_index", "false", NULL },
    { "pg_stat_progress_vacuum", "false", NULL },
    { "pg_stat_checkpointer", "false", NULL },
    { "pg_stat_io", "false", NULL },
    { "pg_stat_recovery_prefetch", "false", NULL },
    { "pg_stat_replication", "false", NULL },
    { "pg_stat_replication_slots", "false", NULL },
    { "pg_stat_slru", "false", NULL },
    /* the same: what the upstream's row says is how Gatehouse reaches it */
    { "pg_stat_ssl", OWN_BACKEND,
      COLUMNS{ { "ssl", "@has_tls" },
               HIDE("version"),
               HIDE("cipher"),
               HIDE("bits"),
               HIDE("client_dn"),
               HIDE("client_serial"),
               HIDE("issuer_dn"),
               END } },
    { "pg_stat_subscription", "false", NULL },
    { "pg_stat_subscription_stats", "false", NULL },
    { "pg_stat_user_functions", "false", NULL },
    { "pg_stat_wal", "false", NULL },
    { "pg_stat_wal_receiver", "false", NULL },
    { "pg_stat_xact_user_functions", "false", NULL },
    { "pg_stats", "false", NULL },
    { "pg_stats_ext", "false", NULL },
    { "pg_stats_ext_exprs", "false", NULL },
    { "pg_subscription_rel", "false", NULL },
};

static const gh_system_relation *find_in(const gh_system_relation *list, size_t count, gh_str name)
{
    for (size_t i = 0; i < count; i++) {
        if (gh_str_is(name, list[i].name))
            return &list[i];
    }
    return NULL;
}

const gh_system_relation *gh_system_relation_find(gh_str schema, gh_str name)
{
    if (gh_str_is(schema, "information_schema"))
        return gh_system_information_find(name);
    return gh_str_is(schema, "pg_catalog") ? find_in(s_relations, GH_COUNT(s_relations), name)
                                           : NULL;
}

/* ---- columns -------------------------------------------------------------------------------------- */

static bool ends_with(gh_str s, const char *tail)
{
    size_t n = strlen(tail);

    return s.len >= n && memcmp(s.ptr + s.len - n, tail, n) == 0;
}

static char *nothing(gh_judge *j, const gh_column *c)
{
    return gh_judge_printf("CASE WHEN false THEN gh.%s END", gh_judge_ident(j, c->name));
}

/* A value of information_schema, whose columns are domains. */
static char *as_identifier(gh_judge *j, const gh_column *c, const char *macro)
{
    return gh_judge_printf("CAST(CASE WHEN gh.%s IS NOT NULL THEN %s END AS " GH_STR_FMT ")",
                           gh_judge_ident(j, c->name), gh_system_expand(j, macro),
                           GH_STR_ARG(c->type_sql));
}

static char *information_column(gh_judge *j, const gh_column *c)
{
    static const char *const roles[] = { "grantee", "grantor", "role_name", "schema_owner",
                                         "authorization_identifier" };

    if (ends_with(c->name, "_catalog") || gh_str_is(c->name, "catalog_name"))
        return as_identifier(j, c, "@db");
    for (size_t i = 0; i < GH_COUNT(roles); i++) {
        if (gh_str_is(c->name, roles[i]))
            return as_identifier(j, c, "@user");
    }
    return gh_judge_printf("gh.%s", gh_judge_ident(j, c->name));
}

static char *plain_column(gh_judge *j, const gh_relation *r, const gh_column *c)
{
    const char *name = gh_judge_ident(j, c->name);

    if (gh_str_is(r->schema, "information_schema"))
        return information_column(j, c);
    switch (c->type_oid) {
    case GH_OID_ACL_ARRAY:
    case GH_OID_PG_NODE_TREE:
        return nothing(j, c);
    case GH_OID_REGPROC: /* the OID alone: see reg_value.c */
        return gh_judge_printf("CASE WHEN CAST(gh.%s AS pg_catalog.oid) < 16384 THEN CAST(gh.%s AS "
                               "pg_catalog.oid) ELSE CAST(0 AS pg_catalog.oid) END",
                               name, name);
    case GH_OID_OID:
        if (ends_with(c->name, "owner") || gh_str_is(c->name, "datdba"))
            return gh_system_expand(j, "@owner");
        break;
    case GH_OID_NAME:
        if (ends_with(c->name, "owner"))
            return gh_system_expand(j, "@user");
        break;
    default:
        break;
    }
    if (gh_reg_is(gh_catalog_type_by_oid(j->in->catalog, c->type_oid)))
        return gh_judge_printf(
            "CAST(gh.%s AS pg_catalog.text%s)", name,
            c->type_sql.len != 0 && c->type_sql.ptr[c->type_sql.len - 1] == ']' ? "[]" : "");
    return gh_judge_printf("gh.%s", name);
}

/* SQL of a column; NULL if it is not there. */
static char *column_sql(gh_judge *j, const gh_system_relation *s, const gh_relation *r,
                        const gh_column *c)
{
    for (const gh_system_column *o = s->columns; o != NULL && o->name != NULL; o++) {
        if (!gh_str_is(c->name, o->name))
            continue;
        if (o->sql == NULL)
            return NULL;
        return strcmp(o->sql, "@null") == 0 ? nothing(j, c) : gh_system_expand(j, o->sql);
    }
    return plain_column(j, r, c);
}

/* Figures of a relation tell of rows that do not show, unless all of them do. */
static char *figure(gh_judge *j, const gh_relation *r, const gh_column *c)
{
    static const char *const names[] = { "relid", "indexrelid", "schemaname", "relname",
                                         "indexrelname" };
    bool is_view = ends_with(r->name, "_tables") || ends_with(r->name, "_indexes") ||
                   ends_with(r->name, "_sequences");
    bool is_database = gh_str_is(r->name, "pg_stat_database") && gh_str_is(r->schema, "pg_catalog");

    if (is_database)
        return gh_str_is(c->name, "datid") || gh_str_is(c->name, "datname") ? NULL : nothing(j, c);
    if (!is_view || !gh_str_is(r->schema, "pg_catalog") || r->name.len < 8 ||
        memcmp(r->name.ptr, "pg_stat", 7) != 0)
        return NULL;
    for (size_t i = 0; i < GH_COUNT(names); i++) {
        if (gh_str_is(c->name, names[i]))
            return NULL;
    }
    return gh_judge_printf("CASE WHEN %s THEN gh.%s END",
                           gh_system_expand(j, "gh.relid = ANY (@fulls)"),
                           gh_judge_ident(j, c->name));
}

/* System columns are columns of the sub-select only where the statement names them: `*` must not show
 * them. */
static unsigned put_system_columns(gh_judge *j, const gh_relation *r, gh_buf *b)
{
    static const char *const names[] = { "tableoid", "xmin", "ctid" };

    unsigned columns = 0;

    if (r->kind != 'r' || !gh_str_is(r->schema, "pg_catalog"))
        return 0;
    for (size_t n = 0; n < GH_COUNT(names); n++) {
        for (size_t i = 0; i < j->text->token_count; i++) {
            const gh_token *t = &j->text->tokens[i];

            if (t->kind == GH_TOKEN_IDENT && strcmp(t->text, names[n]) == 0) {
                gh_buf_printf(b, ", gh.%s AS \"%s\"", names[n], names[n]);
                columns++;
                break;
            }
        }
    }
    return columns;
}

bool gh_system_is_plain(const gh_system_relation *s, const gh_relation *r, const gh_column *c)
{
    if (r->kind != 'r' || !gh_str_is(r->schema, "pg_catalog") || ends_with(c->name, "owner") ||
        gh_str_is(c->name, "datdba"))
        return false;
    for (const gh_system_column *o = s->columns; o != NULL && o->name != NULL; o++) {
        if (gh_str_is(c->name, o->name))
            return false;
    }
    return true;
}

/* The filter, and the client's conditions that may stand beside it. */
static char *conditions(gh_judge *j, const gh_item *item)
{
    const char *glue = " WHERE ";
    ListCell *cell;
    gh_buf b;
    char *out;

    gh_buf_init(&b, 0);

    if (item->system->where != NULL) {
        gh_buf_printf(&b, "%s(%s)", glue, gh_system_expand(j, item->system->where));
        glue = " AND ";
    }
    if (item->pushed != NIL)
        j->reads_literal = true; /* it stands in two places now */
    foreach (cell, item->pushed) {
        gh_buf_printf(&b, "%s(%s)", glue, (const char *)lfirst(cell));
        glue = " AND ";
    }
    out = gh_judge_cstr(gh_buf_str(&b));
    gh_buf_fini(&b);
    return out;
}

/* Tools show the columns of a table as they come, and from PostgreSQL they come in order. */
static const char *order_of(const gh_relation *r)
{
    return gh_str_is(r->schema, "information_schema") && gh_str_is(r->name, "columns")
               ? " ORDER BY gh.table_schema, gh.table_name, gh.ordinal_position"
               : "";
}

/*
 * Is the filter decided where the row is read? That of these is one OR or CASE, whose sub-selects PostgreSQL makes no join
 * of; of others rows that do not show may get as far as a join, and bring conditions there to run.
 */
static bool is_filtered_where_read(const gh_relation *r)
{
    static const char *const names[] = { "pg_class",   "pg_attribute",   "pg_namespace",
                                         "pg_type",    "pg_constraint",  "pg_index",
                                         "pg_attrdef", "pg_description", "pg_proc",
                                         "pg_am",      "pg_collation",   "pg_enum" };

    if (!gh_str_is(r->schema, "pg_catalog"))
        return false;
    for (size_t i = 0; i < GH_COUNT(names); i++) {
        if (gh_str_is(r->name, names[i]))
            return true;
    }
    return false;
}

static bool is_fenced(const gh_judge *j, const gh_item *item)
{
    return j->is_unsafe || item->is_fenced || j->has_query_condition ||
           (j->has_unsafe && !is_filtered_where_read(item->relation));
}

/*
 * SECURITY: a condition of the client's that ran before the filter would tell of hidden names by failing, so
 * the catalogs have the fence of governed relations. Attack: tests/attack, catalogs.
 */
static void put_fence(const gh_judge *j, const gh_item *item, unsigned columns, gh_buf *b)
{
    if (!is_fenced(j, item))
        return;
    if (j->asks_statistics) { /* as in relation.c; a NULL of no type takes the other arm's */
        gh_buf_puts(b, ") UNION ALL SELECT ");
        for (unsigned i = 0; i < columns; i++)
            gh_buf_puts(b, i == 0 ? "NULL" : ", NULL");
        gh_buf_puts(b, " WHERE false");
    }
    gh_buf_puts(b, " OFFSET 0");
}

/*
 * Only what the statement names is computed: behind a fence the planner could leave nothing out, and some
 * columns ask other catalogs for each row. A list of names for the columns goes by their places.
 */
static bool is_wanted(const gh_item *item, uint16_t index)
{
    return item->is_used[index] || item->has_star || item->is_starred || item->is_renamed;
}

/* As it is printed, where that is all that is done with it. */
static char *printed(gh_judge *j, const gh_item *item, const gh_column *c, char *sql)
{
    uint16_t index = (uint16_t)(c - item->relation->columns);
    gh_wrap w = { 0 };

    if (sql != NULL && item->is_starred && !item->has_star && !item->is_used[index] &&
        !item->is_renamed)
        w = gh_print_system_column(j, item->relation, c);
    return w.prefix != NULL ? gh_judge_printf("%s%s%s", w.prefix, sql, w.suffix) : sql;
}

/* The last of the templates; the arrays that they used stand first, since the query refers to them too. */
static void put_source(gh_judge *j, const gh_relation *r, const char *where, gh_buf *b)
{
    const char *query =
        gh_str_is(r->schema, "information_schema") ? gh_system_information_query(r->name) : NULL;
    char *source = query == NULL
                       ? gh_judge_printf("%s.%s AS gh", gh_judge_ident(j, r->schema),
                                         gh_judge_ident(j, r->name))
                       : gh_judge_printf("LATERAL (%s) AS gh", gh_system_expand(j, query));
    char *sets = gh_system_sets_sql(j, "");

    gh_buf_printf(b, " FROM %s%s%s%s", sets, sets[0] == '\0' ? "" : ", ", source, where);
}

/* Of pg_stat_activity, where nothing is asked but the signal of a process: see signal.c. */
static bool is_signalled(const gh_item *item)
{
    if (item->signalled == NULL || item->has_star || item->is_starred || item->is_renamed)
        return false;
    for (uint16_t i = 0; i < item->relation->column_count; i++) {
        if (item->is_used[i] && !gh_str_is(item->relation->columns[i].name, "pid"))
            return false;
    }
    return true;
}

/* Computed once: by itself the planner takes them for one row, and computes them again for each row of a join. */
static bool is_materialized(const gh_relation *r)
{
    static const char *const names[] = { "key_column_usage",        "constraint_column_usage",
                                         "referential_constraints", "table_constraints",
                                         "check_constraints",       "element_types" };

    if (!gh_str_is(r->schema, "information_schema"))
        return false;
    for (size_t i = 0; i < GH_COUNT(names); i++) {
        if (gh_str_is(r->name, names[i]))
            return true;
    }
    return false;
}

char *gh_system_relation_sql(gh_judge *j, const gh_item *item)
{
    const gh_system_relation *s = item->system;
    const gh_relation *r = item->relation;
    unsigned columns = 0;
    gh_buf b;
    char *out;

    if (gh_my_access_is(s))
        return gh_my_access_sql(j);
    if (is_signalled(item))
        return gh_judge_printf("(SELECT CAST(%s AS pg_catalog.int4) AS \"pid\")", item->signalled);
    gh_system_sets_beside(j);
    gh_buf_init(&b, 0);
    gh_buf_puts(&b, is_materialized(r) ? "(WITH gm AS MATERIALIZED " : "");
    gh_buf_puts(&b, is_fenced(j, item) && j->asks_statistics ? "((SELECT " : "(SELECT ");
    for (uint16_t i = 0; i < r->column_count && j->rc == GH_OK; i++) {
        const gh_column *c = &r->columns[i];
        char *sql = is_wanted(item, i) ? figure(j, r, c) : NULL;

        if (sql == NULL && is_wanted(item, i))
            sql = printed(j, item, c, column_sql(j, s, r, c));
        if (sql == NULL)
            continue;
        gh_buf_printf(&b, "%s%s AS %s", columns == 0 ? "" : ", ", sql, gh_judge_ident(j, c->name));
        columns++;
    }
    if (columns == 0) { /* count(*) and the like */
        gh_buf_puts(&b, "NULL AS \"gh\"");
        columns++;
    }
    columns += put_system_columns(j, r, &b);
    put_source(j, r, conditions(j, item), &b);
    gh_buf_puts(&b, order_of(r));
    put_fence(j, item, columns, &b);
    gh_buf_puts(&b, is_materialized(r) ? ") SELECT * FROM gm)" : ")");
    out = j->rc == GH_OK && !b.failed ? gh_judge_cstr(gh_buf_str(&b)) : NULL;
    gh_buf_fini(&b);
    return out;
}
