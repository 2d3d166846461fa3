/*
 * The lists that hand and eye made. What they hold of PostgreSQL 15 is reviewed by
 * tests/golden/allowed_functions_15.txt.
 */
#include "function_list.h"

/* Pure, or telling nothing that is not public, whatever the shape of their overloads. */
static const char *const s_allowed[] = {
    /* sets made of their arguments */
    "generate_series",
    "generate_subscripts",
    "unnest",
    "json_array_elements",
    "json_array_elements_text",
    "json_each",
    "json_each_text",
    "json_object_keys",
    "json_populate_recordset",
    "json_to_recordset",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
    "jsonb_each",
    "jsonb_each_text",
    "jsonb_object_keys",
    "jsonb_path_query",
    "jsonb_path_query_tz",
    "jsonb_populate_recordset",
    "jsonb_to_recordset",
    "regexp_matches",
    "regexp_split_to_table",
    "string_to_table",
    "aclexplode",
    "pg_options_to_table",
    "pg_get_keywords",
    /* without arguments, or with an overload without */
    "now",
    "statement_timestamp",
    "transaction_timestamp",
    "clock_timestamp",
    "timeofday",
    "random",
    "random_normal",
    "setseed", /* of random() alone */
    "pi",
    "gen_random_uuid",
    "uuidv4",
    "uuidv7",
    "array_shuffle",
    "array_sample",
    "timezone", /* volatile before 15, for the offset of a time is today's */
    "version",
    "getdatabaseencoding",
    "pg_client_encoding",
    "pg_is_in_recovery",
    "txid_current",
    "txid_current_if_assigned",
    "pg_current_xact_id",
    "pg_current_xact_id_if_assigned",
    "pg_my_temp_schema",
    "count",
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "json_build_array",
    "json_build_object",
    "jsonb_build_array",
    "jsonb_build_object",
    "datemultirange",
    "int4multirange",
    "int8multirange",
    "nummultirange",
    "tsmultirange",
    "tstzmultirange",
    /* numbers that happen to be OIDs, transactions or places, and nothing is looked up by them */
    "max",
    "min",
    "int8",
    "oid",
    "oideq",
    "oidne",
    "oidlt",
    "oidle",
    "oidgt",
    "oidge",
    "oidlarger",
    "oidsmaller",
    "age",
    "text",
    "name",
    /* of pg_*, which is refused otherwise */
    "pg_typeof",
    "pg_size_pretty",
    "pg_size_bytes",
    "pg_encoding_to_char",
    "nameconcatoid", /* of a name and a number, both the caller's: how information_schema names functions */
    "pg_listening_channels", /* the session's own */
    "pg_char_to_encoding",
    "pg_encoding_max_length",
    "pg_collation_for",
    "pg_column_size",
    "pg_indexam_has_property",
    "pg_is_other_temp_schema",
    "pg_advisory_unlock_all",
    "pg_lsn", /* of the caller's own numbers */
    "pg_wal_lsn_diff",
    /* of the own session, and since when there is a server: browsers ask at the start */
    "pg_backend_pid",
    "pg_postmaster_start_time",
    "pg_conf_load_time",
};

static const char *const s_denied[] = {
    "database_to_xml",
    "database_to_xmlschema",
    "database_to_xml_and_xmlschema",
    "schema_to_xml",
    "schema_to_xmlschema",
    "schema_to_xml_and_xmlschema",
    "table_to_xml",
    "table_to_xmlschema",
    "table_to_xml_and_xmlschema",
    "query_to_xml",
    "query_to_xmlschema",
    "query_to_xml_and_xmlschema",
    "cursor_to_xml",
    "cursor_to_xmlschema",
    "ts_rewrite",
    "ts_stat",
    "ts_debug",
    "row_security_active",
    "current_query",
    "get_current_ts_config",
    "oidvectortypes",
    "satisfies_hash_partition",
};

/* Families of which a later server may have more. */
static const char *const s_denied_prefixes[] = {
    "pg_",          "has_",      "to_reg",
    "lo_",          "lo",        "inet_server_",
    "inet_client_", "txid_",     "binary_upgrade_",
    "RI_FKey_",     "brin_",     "gin_",
    "gist_",        "spg_",      "xid",
    "mxid_",        "fmgr_",     "dblink",
    "currtid",      "plpgsql_",  "schema_to_",
    "table_to_",    "query_to_", "database_to_",
    "cursor_to_",   "ts_debug",  "acl",
};

/* lo_* and loread, but not these. */
static const char *const s_not_denied[] = { "log", "log10", "lower", "lower_inc", "lower_inf" };

static bool is_listed(const char *const *list, size_t count, gh_str name)
{
    for (size_t i = 0; i < count; i++) {
        if (gh_str_is(name, list[i]))
            return true;
    }
    return false;
}

bool gh_function_listed_allow(gh_str name)
{
    return is_listed(s_allowed, GH_COUNT(s_allowed), name);
}

/* A type's own functions of the wire and of text (textsend, record_send). */
static bool is_wire_function(gh_str name)
{
    return name.len > 4 && memcmp(name.ptr + name.len - 4, "send", 4) == 0;
}

bool gh_function_listed_deny(gh_str name)
{
    if (is_listed(s_denied, GH_COUNT(s_denied), name) || is_wire_function(name))
        return true;
    if (is_listed(s_not_denied, GH_COUNT(s_not_denied), name))
        return false;
    for (size_t i = 0; i < GH_COUNT(s_denied_prefixes); i++) {
        size_t n = strlen(s_denied_prefixes[i]);

        if (name.len >= n && memcmp(name.ptr, s_denied_prefixes[i], n) == 0)
            return true;
    }
    return false;
}

bool gh_function_listed_information_schema(gh_str name)
{
    static const char *const names[] = {
        "_pg_expandarray",       "_pg_keysequal",
        "_pg_truetypid",         "_pg_truetypmod",
        "_pg_char_max_length",   "_pg_char_octet_length",
        "_pg_numeric_precision", "_pg_numeric_precision_radix",
        "_pg_numeric_scale",     "_pg_datetime_precision",
        "_pg_interval_type",
    };

    return is_listed(names, GH_COUNT(names), name);
}

/* ---- with a meaning of their own ------------------------------------------------------------------ */

#define OID1    "CAST(gh.a1 AS pg_catalog.oid)"
#define OID2    "CAST(gh.a2 AS pg_catalog.oid)"
#define NO_TEXT "CAST(NULL AS pg_catalog.text)"
#define NO_SIZE "CAST(NULL AS pg_catalog.int8)"
/* The same of an object, whose name is looked up all the same: one that is nobody's fails. */
#define NO_SIZE_OF "CAST(CASE WHEN gh.a1 IS NULL THEN NULL END AS pg_catalog.int8)"
#define NEVER(n, a, b, null)                                                                       \
    {                                                                                              \
        n, GH_SPECIAL_VALUE, a, b, 0, null                                                         \
    }
#define GUARD(n, a, b, arg, sql)                                                                   \
    {                                                                                              \
        n, GH_SPECIAL_GUARD, a, b, arg, sql                                                        \
    }
#define RELATION(n, a, b, sql)                                                                     \
    {                                                                                              \
        n, GH_SPECIAL_RELATION, a, b, 1, sql                                                       \
    }
#define VALUE(n, a, b, sql)                                                                        \
    {                                                                                              \
        n, GH_SPECIAL_VALUE, a, b, 0, sql                                                          \
    }
#define IN_PATH(n, table, ns, guard)                                                               \
    VALUE(n, 1, 1,                                                                                 \
          "(SELECT gv." ns " = ANY (@schemas) FROM pg_catalog." table                              \
          " AS gv WHERE gv.oid = " OID1 " AND " guard ")")
#define WITHOUT_HIDDEN(f, oid)                                                                     \
    "@rel(gh.a1) AND NOT EXISTS (SELECT FROM pg_catalog." f " AS gp WHERE NOT "                    \
    "@rel(CAST(gp." oid " AS pg_catalog.oid)))"

/* The relation that a name along the client's path or an OID means; NULL if it may not be seen. */
#define REL_OF(arg)                                                                                \
    "(SELECT CASE WHEN gt.t ~ '^[0-9]+$' THEN CAST(gt.t AS pg_catalog.oid) ELSE @find_relation "   \
    "END "                                                                                         \
    "FROM (SELECT CAST(" arg " AS pg_catalog.text) OFFSET 0) AS gt (t))"
#define TEXT_OF(arg) "CAST(" arg " AS pg_catalog.text)"
#define IS_USER(arg)                                                                               \
    TEXT_OF(arg) " IN (CAST(@user AS pg_catalog.text), CAST(@owner AS pg_catalog.text))"

/* SECURITY: a hidden name and one that does not exist both give NULL, never an error that tells them
 * apart. Attack: tests/attack corpus exists. */
#define TABLE_PRIVILEGE(rel, priv)                                                                 \
    "(SELECT CASE WHEN @rel(gr.o) THEN @may(" TEXT_OF(priv) ", gr.o) END FROM (SELECT " REL_OF(    \
        rel) " OFFSET 0) AS gr (o))"
#define COLUMN_PRIVILEGE(rel, col, priv)                                                           \
    "(SELECT CASE WHEN @attr(ga.attrelid, ga.attnum) THEN @may(" TEXT_OF(                          \
        priv) ", ga.attrelid) "                                                                    \
              "END FROM "                                                                          \
              "pg_catalog.pg_"                                                                     \
              "attribute AS ga "                                                                   \
              "WHERE "                                                                             \
              "ga.attrelid "                                                                       \
              "= " REL_OF(rel) " AND (ga.attname = CAST(" TEXT_OF(                                 \
                  col) " AS "                                                                      \
                       "pg_"                                                                       \
                       "catalog."                                                                  \
                       "name) "                                                                    \
                       "OR "                                                                       \
                       "CAST(ga."                                                                  \
                       "attnum "                                                                   \
                       "AS "                                                                       \
                       "pg_"                                                                       \
                       "catalog."                                                                  \
                       "text) "                                                                    \
                       "="                                                                         \
                       " " TEXT_OF(col) ") AND ga.attnum > 0 LIMIT 1)"
#define SCHEMA_PRIVILEGE(ns, priv)                                                                 \
    "(SELECT " TEXT_OF(priv) " ~* 'usage' FROM pg_catalog.pg_namespace AS gn WHERE (gn.nspname = " \
                             "CAST(" TEXT_OF(ns) " AS pg_catalog.name) OR CAST(gn.oid AS "         \
                                                 "pg_catalog.text) = " TEXT_OF(                    \
                                                     ns) ") AND @schema(gn.oid) LIMIT 1)"
#define DATABASE_PRIVILEGE(db, priv)                                                               \
    "(SELECT " TEXT_OF(priv) " !~* 'grant option' AND (" TEXT_OF(                                  \
        priv) " ~* 'connect' OR (" TEXT_OF(priv) " ~* 'temp' AND @may_temporary)) "                \
                                                 "FROM pg_catalog.pg_database AS gd WHERE "        \
                                                 "gd.datname = "                                   \
                                                 "pg_catalog.current_database() AND " TEXT_OF(     \
                                                     db) " IN (CAST(@db AS pg_catalog.text), "     \
                                                         "CAST(gd.oid AS pg_catalog.text)))"
/* By name or OID. */
#define OBJECT_PRIVILEGE(find, arg, guard, priv, word)                                             \
    "(SELECT CASE WHEN " guard " THEN " TEXT_OF(                                                   \
        priv) " ~* '" word "' END FROM (SELECT CASE WHEN "                                         \
              "gt.t ~ '^[0-9]+$' THEN CAST(gt.t AS pg_catalog.oid) ELSE " find                     \
              " END FROM (SELECT " TEXT_OF(arg) " OFFSET 0) AS gt (t) OFFSET 0) AS gr (o))"
#define FUNCTION_PRIVILEGE(arg, priv)                                                              \
    OBJECT_PRIVILEGE("@find_function", arg, "@func(gr.o)", priv, "execute")
/* Everybody has it on each of PostgreSQL's own, though not one makes functions here. */
#define LANGUAGE_PRIVILEGE(arg, priv)                                                              \
    "(SELECT " TEXT_OF(priv) " ~* 'usage' AND " TEXT_OF(                                           \
        priv) " !~* 'grant option' FROM pg_catalog.pg_language AS gl WHERE "                       \
              "@builtin(gl.oid) AND " TEXT_OF(                                                     \
                  arg) " IN (CAST(gl.lanname AS pg_catalog.text), CAST(gl.oid AS "                 \
                       "pg_catalog.text)) LIMIT 1)"
#define TYPE_PRIVILEGE(arg, priv) OBJECT_PRIVILEGE("@find_type", arg, "@type(gr.o)", priv, "usage")
/* One column of the extensions that show, in the order of their names. */
#define OF_EXTENSIONS(of, column)                                                                  \
    "ARRAY(SELECT gx." column " FROM pg_catalog.pg_available_" of                                  \
    "() AS gx WHERE @extname(gx.name) ORDER BY gx.name)"
#define OF_USER(user, sql) "CASE WHEN " IS_USER(user) " THEN " sql " END"

static const gh_special s_specials[] = {
    VALUE("current_database", 0, 0, "@db"),
    VALUE("current_schema", 0, 0, "@current_schema"),
    VALUE("current_schemas", 1, 1,
          "CASE WHEN CAST(gh.a1 AS pg_catalog.bool) THEN @implicit_path ELSE @path END"),
    VALUE("current_user", 0, 0, "@user"),
    VALUE("session_user", 0, 0, "@user"),
    VALUE("getpgusername", 0, 0, "@user"),
    VALUE("pg_get_userbyid", 1, 1, "@user"),
    { "pg_cancel_backend", GH_SPECIAL_SIGNAL, 1, 1, 0, NULL },
    { "pg_terminate_backend", GH_SPECIAL_SIGNAL, 1, 2, 0, NULL },
    { "pg_sleep", GH_SPECIAL_WAIT, 1, 1, 0, NULL },
    { "pg_sleep_for", GH_SPECIAL_WAIT, 1, 1, 0, NULL },
    { "pg_sleep_until", GH_SPECIAL_WAIT, 1, 1, 0, NULL },
    { "current_setting", GH_SPECIAL_SETTING, 1, 2, 1, NULL },
    { "set_config", GH_SPECIAL_SET_CONFIG, 3, 3, 0, NULL },

    /* sources, which hold literals and names of what is hidden: of views their outside, of functions those
     * that name nothing */
    VALUE("pg_get_viewdef", 1, 2, "@viewdef(" REL_OF("gh.a1") ")"),
    GUARD("pg_get_functiondef", 1, 1, 1, "@sourceid(gh.a1)"),
    NEVER("pg_get_ruledef", 1, 2, NO_TEXT),
    NEVER("pg_get_triggerdef", 1, 2, NO_TEXT),
    NEVER("pg_get_function_sqlbody", 1, 1, NO_TEXT),
    NEVER("pg_get_statisticsobjdef", 1, 1, NO_TEXT),
    NEVER("pg_get_statisticsobjdef_columns", 1, 1, NO_TEXT),
    VALUE("pg_is_wal_replay_paused", 0, 0, "false"),
    /* DuckDB takes none for a server that shares no snapshots; which there are is nobody's business */
    NEVER("pg_export_snapshot", 0, 0, NO_TEXT),
    /* as where nothing is replayed */
    VALUE("pg_last_wal_receive_lsn", 0, 0, "CAST(NULL AS pg_catalog.pg_lsn)"),
    VALUE("pg_last_wal_replay_lsn", 0, 0, "CAST(NULL AS pg_catalog.pg_lsn)"),
    VALUE("pg_last_xact_replay_timestamp", 0, 0, "CAST(NULL AS pg_catalog.timestamptz)"),
    VALUE("pg_blocking_pids", 1, 1, "CAST('{}' AS pg_catalog.int4[])"),
    VALUE("pg_safe_snapshot_blocking_pids", 1, 1, "CAST('{}' AS pg_catalog.int4[])"),
    /* as by a Unix-domain socket: where the upstream is, and that Gatehouse asks, is nobody's business */
    VALUE("inet_server_addr", 0, 0, "CAST(NULL AS pg_catalog.inet)"),
    VALUE("inet_server_port", 0, 0, "CAST(NULL AS pg_catalog.int4)"),
    VALUE("inet_client_addr", 0, 0, "CAST(NULL AS pg_catalog.inet)"),
    VALUE("inet_client_port", 0, 0, "CAST(NULL AS pg_catalog.int4)"),
    NEVER("pg_stat_get_numscans", 1, 1, NO_SIZE_OF),
    NEVER("pg_stat_get_live_tuples", 1, 1, NO_SIZE_OF),
    NEVER("pg_stat_get_dead_tuples", 1, 1, NO_SIZE_OF),
    NEVER("pg_stat_get_tuples_inserted", 1, 1, NO_SIZE_OF),
    NEVER("pg_stat_get_tuples_updated", 1, 1, NO_SIZE_OF),
    NEVER("pg_stat_get_tuples_deleted", 1, 1, NO_SIZE_OF),
    NEVER("pg_stat_get_db_numbackends", 1, 1, "CAST(NULL AS pg_catalog.int4)"),
    NEVER("pg_stat_get_db_xact_commit", 1, 1, NO_SIZE),
    NEVER("pg_stat_get_db_xact_rollback", 1, 1, NO_SIZE),
    NEVER("pg_stat_get_db_blocks_fetched", 1, 1, NO_SIZE),
    NEVER("pg_stat_get_db_blocks_hit", 1, 1, NO_SIZE),
    NEVER("pg_stat_get_db_stat_reset_time", 1, 1, "CAST(NULL AS pg_catalog.timestamptz)"),
    /* how far the server has come is nobody's business: as of what has just been written */
    VALUE("mxid_age", 1, 1, "CAST(CASE WHEN gh.a1 IS NOT NULL THEN 0 END AS pg_catalog.int4)"),
    NEVER("pg_database_size", 1, 1, NO_SIZE),
    NEVER("pg_tablespace_size", 1, 1, NO_SIZE),
    { "pg_tablespace_location", GH_SPECIAL_VALUE, 1, 1, 1,
      "CASE WHEN gh.a1 IS NOT NULL THEN CAST('' AS pg_catalog.text) END" },

    GUARD("pg_get_constraintdef", 1, 2, 1, "@conid(gh.a1)"),
    GUARD("pg_get_indexdef", 1, 3, 1, "@indexid(gh.a1)"),
    GUARD("pg_get_partkeydef", 1, 1, 1, "@partid(gh.a1)"),
    GUARD("pg_get_partition_constraintdef", 1, 1, 1, "@full(gh.a1)"),
    { "pg_get_expr", GH_SPECIAL_PRINTED, 2, 3, 2, "@full(gh.a1)" },
    GUARD("pg_get_function_arguments", 1, 1, 1, "@func(gh.a1)"),
    GUARD("pg_get_function_identity_arguments", 1, 1, 1, "@func(gh.a1)"),
    GUARD("pg_get_function_result", 1, 1, 1, "@func(gh.a1)"),
    GUARD("pg_get_function_arg_default", 2, 2, 1, "@func(gh.a1)"),
    GUARD("format_type", 2, 2, 1, "@type(gh.a1)"),
    VALUE("oidvectortypes", 1, 1,
          "COALESCE((SELECT pg_catalog.string_agg(CASE WHEN @type(gt.o) THEN "
          "pg_catalog.format_type(gt.o, NULL) ELSE '\?\?\?' END, ', ' ORDER BY gt.n) FROM "
          "pg_catalog.unnest(CAST(CAST(gh.a1 AS pg_catalog.oidvector) AS pg_catalog.oid[])) WITH "
          "ORDINALITY AS gt (o, n)), CASE WHEN gh.a1 IS NOT NULL THEN '' END)"),
    GUARD("pg_collation_actual_version", 1, 1, 1, "@builtin(gh.a1)"),
    GUARD("shobj_description", 2, 2, 1, "@builtin(gh.a1)"),
    GUARD("ts_token_type", 1, 1, 1, "@builtin(gh.a1)"),
    GUARD("pg_index_has_property", 2, 2, 1, "@indexid(gh.a1)"),
    GUARD("pg_index_column_has_property", 3, 3, 1, "@indexid(gh.a1)"),
    GUARD("pg_relation_is_updatable", 2, 2, 1, "@rel(gh.a1)"),

    RELATION("pg_relation_size", 1, 2, "@any(gh.a1, @fulls)"),
    RELATION("pg_table_size", 1, 1, "@any(gh.a1, @fulls)"),
    RELATION("pg_indexes_size", 1, 1, "@any(gh.a1, @fulls)"),
    RELATION("pg_total_relation_size", 1, 1, "@any(gh.a1, @fulls)"),
    /* where it lies, which pg_class does not tell either */
    RELATION("pg_relation_filenode", 1, 1, "false"),
    RELATION("pg_sequence_last_value", 1, 1, "@any(gh.a1, @fulls)"),
    VALUE("lastval", 0, 0, "@last_number"),
    { "nextval", GH_SPECIAL_SEQUENCE, 1, 1, 1, "@may('update', gh.a1)" },
    { "setval", GH_SPECIAL_SEQUENCE, 2, 3, 1, "@may('update', gh.a1)" },
    { "currval", GH_SPECIAL_SEQUENCE, 1, 1, 1, "@may('select update', gh.a1)" },
    RELATION("pg_relation_is_publishable", 1, 1, "@rel(gh.a1)"),
    RELATION("pg_partition_ancestors", 1, 1,
             WITHOUT_HIDDEN("pg_partition_ancestors(gh.a1)", "relid")),
    RELATION("pg_partition_root", 1, 1, WITHOUT_HIDDEN("pg_partition_ancestors(gh.a1)", "relid")),
    /* it names the parent of its root as well */
    RELATION("pg_partition_tree", 1, 1,
             WITHOUT_HIDDEN("pg_partition_tree(gh.a1)", "relid") " AND " WITHOUT_HIDDEN(
                 "pg_partition_ancestors(gh.a1)", "relid")),

    /* psql 18 and pgAdmin join them; they show what the views of these names do, the latter nothing */
    { "pg_available_extensions", GH_SPECIAL_SET, 0, 0, 0,
      "unnest(" OF_EXTENSIONS("extensions", "name") ", " OF_EXTENSIONS(
          "extensions", "default_version") ", " OF_EXTENSIONS("extensions",
                                                              "comment") ") AS (name, "
                                                                         "default_"
                                                                         "version, "
                                                                         "comment)" },
    { "pg_available_extension_versions", GH_SPECIAL_SET, 0, 0, 0,
      "unnest(CAST('{}' AS pg_catalog.name[]), CAST('{}' AS pg_catalog.text[]), "
      "CAST('{}' AS pg_catalog.bool[]), CAST('{}' AS pg_catalog.bool[]), CAST('{}' AS "
      "pg_catalog.bool[]), CAST('{}' AS pg_catalog.name[]), CAST('{}' AS pg_catalog.name[]), "
      "CAST('{}' AS pg_catalog.text[])) AS (name, version, superuser, trusted, relocatable, "
      "schema, requires, comment)" },

    VALUE("obj_description", 1, 1,
          "(SELECT gd.description FROM pg_catalog.pg_description AS gd WHERE gd.objoid = " OID1
          " AND gd.objsubid = 0 AND @object(gd.classoid, gd.objoid, gd.objsubid) LIMIT 1)"),
    VALUE("obj_description", 2, 2,
          "CASE WHEN CASE CAST(gh.a2 AS pg_catalog.text) WHEN 'pg_class' THEN @rel(" OID1
          ") WHEN 'pg_type' THEN @type(" OID1 ") WHEN 'pg_proc' THEN @func(" OID1
          ") WHEN 'pg_namespace' THEN @schema(" OID1 ") WHEN 'pg_constraint' THEN @conid(" OID1
          ") ELSE @builtin(" OID1 ") END THEN pg_catalog.obj_description(" OID1
          ", CAST(gh.a2 AS pg_catalog.name)) END"),
    VALUE("col_description", 2, 2,
          "CASE WHEN @attr(" OID1 ", CAST(gh.a2 AS pg_catalog.int4)) THEN "
          "pg_catalog.col_description(" OID1 ", CAST(gh.a2 AS pg_catalog.int4)) END"),
    /* of a view the answer depends on the column */
    VALUE("pg_column_is_updatable", 3, 3,
          "CASE WHEN @attr(" OID1 ", CAST(gh.a2 AS pg_catalog.int4)) THEN "
          "pg_catalog.pg_column_is_updatable(CAST(" OID1 " AS pg_catalog.regclass), "
          "CAST(gh.a2 AS pg_catalog.int2), CAST(gh.a3 AS pg_catalog.bool)) ELSE false END"),
    /* as text it would name any role of the upstream's */
    VALUE("acldefault", 2, 2,
          "CASE WHEN " OID2 " = @owner THEN pg_catalog.acldefault(CAST(gh.a1 AS "
          "pg_catalog.\"char\"), @owner) END"),
    VALUE("pg_describe_object", 3, 3,
          "CASE WHEN @object(" OID1 ", " OID2 ", CAST(gh.a3 AS pg_catalog.int4)) THEN "
          "pg_catalog.pg_describe_object(" OID1 ", " OID2 ", CAST(gh.a3 AS pg_catalog.int4)) END"),
    VALUE(
        "pg_get_serial_sequence", 2, 2,
        "(SELECT pg_catalog.pg_get_serial_sequence(CAST(CAST(ga.attrelid AS pg_catalog.regclass) "
        "AS "
        "pg_catalog.text), CAST(ga.attname AS pg_catalog.text)) FROM pg_catalog.pg_attribute AS ga "
        "WHERE ga.attrelid = " REL_OF(
            "gh.a1") " AND ga.attname = CAST(gh.a2 AS pg_catalog.text) AND "
                     "@key(ga.attrelid, ga.attnum))"),

    IN_PATH("pg_table_is_visible", "pg_class", "relnamespace", "@rel(gv.oid)"),
    IN_PATH("pg_type_is_visible", "pg_type", "typnamespace", "@type(gv.oid)"),
    IN_PATH("pg_function_is_visible", "pg_proc", "pronamespace", "@func(gv.oid)"),
    IN_PATH("pg_operator_is_visible", "pg_operator", "oprnamespace", "@builtin(gv.oid)"),
    IN_PATH("pg_opclass_is_visible", "pg_opclass", "opcnamespace", "@builtin(gv.oid)"),
    IN_PATH("pg_opfamily_is_visible", "pg_opfamily", "opfnamespace", "@builtin(gv.oid)"),
    IN_PATH("pg_collation_is_visible", "pg_collation", "collnamespace", "@builtin(gv.oid)"),
    IN_PATH("pg_conversion_is_visible", "pg_conversion", "connamespace", "@builtin(gv.oid)"),
    IN_PATH("pg_ts_config_is_visible", "pg_ts_config", "cfgnamespace", "@builtin(gv.oid)"),
    IN_PATH("pg_ts_dict_is_visible", "pg_ts_dict", "dictnamespace", "@builtin(gv.oid)"),
    IN_PATH("pg_ts_parser_is_visible", "pg_ts_parser", "prsnamespace", "@builtin(gv.oid)"),
    IN_PATH("pg_ts_template_is_visible", "pg_ts_template", "tmplnamespace", "@builtin(gv.oid)"),
    IN_PATH("pg_statistics_obj_is_visible", "pg_statistic_ext", "stxnamespace", "false"),

    VALUE("has_table_privilege", 2, 2, TABLE_PRIVILEGE("gh.a1", "gh.a2")),
    VALUE("has_table_privilege", 3, 3, OF_USER("gh.a1", TABLE_PRIVILEGE("gh.a2", "gh.a3"))),
    VALUE("has_any_column_privilege", 2, 2, TABLE_PRIVILEGE("gh.a1", "gh.a2")),
    VALUE("has_any_column_privilege", 3, 3, OF_USER("gh.a1", TABLE_PRIVILEGE("gh.a2", "gh.a3"))),
    VALUE("has_sequence_privilege", 2, 2, TABLE_PRIVILEGE("gh.a1", "gh.a2")),
    VALUE("has_sequence_privilege", 3, 3, OF_USER("gh.a1", TABLE_PRIVILEGE("gh.a2", "gh.a3"))),
    VALUE("has_column_privilege", 3, 3, COLUMN_PRIVILEGE("gh.a1", "gh.a2", "gh.a3")),
    VALUE("has_column_privilege", 4, 4,
          OF_USER("gh.a1", COLUMN_PRIVILEGE("gh.a2", "gh.a3", "gh.a4"))),
    VALUE("has_schema_privilege", 2, 2, SCHEMA_PRIVILEGE("gh.a1", "gh.a2")),
    VALUE("has_schema_privilege", 3, 3, OF_USER("gh.a1", SCHEMA_PRIVILEGE("gh.a2", "gh.a3"))),
    VALUE("has_database_privilege", 2, 2, DATABASE_PRIVILEGE("gh.a1", "gh.a2")),
    VALUE("has_database_privilege", 3, 3, OF_USER("gh.a1", DATABASE_PRIVILEGE("gh.a2", "gh.a3"))),
    VALUE("has_function_privilege", 2, 2, FUNCTION_PRIVILEGE("gh.a1", "gh.a2")),
    VALUE("has_function_privilege", 3, 3, OF_USER("gh.a1", FUNCTION_PRIVILEGE("gh.a2", "gh.a3"))),
    VALUE("has_type_privilege", 2, 2, TYPE_PRIVILEGE("gh.a1", "gh.a2")),
    VALUE("has_type_privilege", 3, 3, OF_USER("gh.a1", TYPE_PRIVILEGE("gh.a2", "gh.a3"))),
    VALUE("has_language_privilege", 2, 2, LANGUAGE_PRIVILEGE("gh.a1", "gh.a2")),
    VALUE("has_language_privilege", 3, 3, OF_USER("gh.a1", LANGUAGE_PRIVILEGE("gh.a2", "gh.a3"))),
    VALUE("has_tablespace_privilege", 2, 3, "CAST(NULL AS pg_catalog.bool)"),
    VALUE("has_server_privilege", 2, 3, "CAST(NULL AS pg_catalog.bool)"),
    VALUE("has_foreign_data_wrapper_privilege", 2, 3, "CAST(NULL AS pg_catalog.bool)"),
    VALUE("has_parameter_privilege", 2, 3, "CAST(NULL AS pg_catalog.bool)"),
    VALUE("pg_has_role", 2, 2, "COALESCE(" IS_USER("gh.a1") ", false)"),
    VALUE("pg_has_role", 3, 3, "COALESCE(" IS_USER("gh.a1") " AND " IS_USER("gh.a2") ", false)"),

    /* the cast in a function's clothes: a name that is nobody's fails as under the cast */
    VALUE("regclass", 1, 1,
          "CAST((SELECT CASE WHEN gr.o IS NULL AND gr.t IS NOT NULL THEN "
          "CAST(CAST('\"pg_catalog\".\"gatehouse: absent\"' || pg_catalog.substr(gr.t, 1, 0) AS "
          "pg_catalog.regclass) AS pg_catalog.oid) ELSE gr.o END FROM (SELECT @find_relation, gt.t "
          "FROM (SELECT CAST(gh.a1 AS pg_catalog.text) OFFSET 0) AS gt (t) OFFSET 0) AS gr (o, t)) "
          "AS pg_catalog.regclass)"),
    { "to_regclass", GH_SPECIAL_SEARCH, 1, 1, 1, "@rel(gr.o)" },
    { "to_regtype", GH_SPECIAL_SEARCH, 1, 1, 1, "@type(gr.o)" },
    { "to_regproc", GH_SPECIAL_SEARCH, 1, 1, 1, "@func(gr.o)" },
    { "to_regprocedure", GH_SPECIAL_SEARCH, 1, 1, 1, "@func(gr.o)" },
    { "to_regoper", GH_SPECIAL_SEARCH, 1, 1, 1, "@builtin(gr.o)" },
    { "to_regoperator", GH_SPECIAL_SEARCH, 1, 1, 1, "@builtin(gr.o)" },
    { "to_regcollation", GH_SPECIAL_SEARCH, 1, 1, 1, "@builtin(gr.o)" },
    { "to_regnamespace", GH_SPECIAL_SEARCH, 1, 1, 1, "@schema(gr.o)" },
    { "to_regrole", GH_SPECIAL_SEARCH, 1, 1, 1, "gr.o = @owner" },
    VALUE(
        "to_regnamespace", 1, 1,
        "(SELECT CAST(gn.oid AS pg_catalog.regnamespace) FROM pg_catalog.pg_namespace AS gn WHERE "
        "pg_catalog.quote_ident(CAST(gn.nspname AS pg_catalog.text)) = CAST(gh.a1 AS "
        "pg_catalog.text) AND @schema(gn.oid))"),

    { "to_tsvector", GH_SPECIAL_TEXT_SEARCH, 1, 2, 1, NULL },
    { "to_tsquery", GH_SPECIAL_TEXT_SEARCH, 1, 2, 1, NULL },
    { "plainto_tsquery", GH_SPECIAL_TEXT_SEARCH, 1, 2, 1, NULL },
    { "phraseto_tsquery", GH_SPECIAL_TEXT_SEARCH, 1, 2, 1, NULL },
    { "websearch_to_tsquery", GH_SPECIAL_TEXT_SEARCH, 1, 2, 1, NULL },
    { "ts_headline", GH_SPECIAL_TEXT_SEARCH, 2, 4, 1, NULL },
    { "json_to_tsvector", GH_SPECIAL_TEXT_SEARCH, 2, 3, 1, NULL },
    { "jsonb_to_tsvector", GH_SPECIAL_TEXT_SEARCH, 2, 3, 1, NULL },
    { "ts_lexize", GH_SPECIAL_TEXT_SEARCH, 1, 2, 1, NULL },
    { "ts_parse", GH_SPECIAL_TEXT_SEARCH, 2, 2, 1, NULL },
    { "ts_rewrite", GH_SPECIAL_TEXT_SEARCH, 2, 2, 0, NULL }, /* it runs a query */
    { "ts_rewrite", GH_SPECIAL_TEXT_SEARCH, 3, 3, 1, NULL },
};

const gh_special *gh_function_special_find(gh_str name)
{
    for (size_t i = 0; i < GH_COUNT(s_specials); i++) {
        if (gh_str_is(name, s_specials[i].name))
            return &s_specials[i];
    }
    return NULL;
}

const gh_special *gh_function_special_of(gh_str name, int args)
{
    for (size_t i = 0; i < GH_COUNT(s_specials); i++) {
        if (gh_str_is(name, s_specials[i].name) && args >= s_specials[i].min &&
            args <= s_specials[i].max)
            return &s_specials[i];
    }
    return NULL;
}
