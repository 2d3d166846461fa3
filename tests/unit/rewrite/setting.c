#include "rewrite_tests.h"

#include <gatehouse/rewrite.h>

static bool is_no_name(const char *name)
{
    return name[0] == '\0' || strcmp(name, "no_such_setting") == 0;
}

static bool may_set(const char *name, const char *value)
{
    gh_err err = { 0 };
    gh_rc rc = gh_setting_check(gh_str_of(name), gh_str_of(value), &err);

    ck_assert(rc == GH_OK || rc == GH_DENIED);
    if (rc != GH_OK) {
        ck_assert_str_eq(err.sqlstate, is_no_name(name) ? "42704" : "42501");
        ck_assert_ptr_nonnull(strstr(err.public_msg, name));
    }
    return rc == GH_OK;
}

static const char *const s_may[][2] = {
    { "extra_float_digits", "3" },
    { "application_name", "it's \"quoted\"" },
    { "search_path", "shop, public" },
    { "timezone", "Europe/Zurich" },
    { "TimeZone", "UTC" },
    { "datestyle", "ISO, DMY" },
    { "intervalstyle", "iso_8601" },
    { "client_encoding", "UTF8" },
    { "client_encoding", "'utf-8'" },
    { "client_encoding", "latin1" },
    { "client_encoding", "WIN1252" },
    { "client_encoding", "EUC_JP" },
    { "client_min_messages", "WARNING" },
    { "standard_conforming_strings", "on" },
    { "statement_timeout", "5s" },
    { "lock_timeout", "0" },
    { "idle_in_transaction_session_timeout", "1min" },
    { "default_transaction_isolation", "serializable" },
    { "default_transaction_read_only", "on" },
    { "row_security", "off" },
    { "synchronize_seqscans", "off" },
    { "bytea_output", "hex" },
    { "xmloption", "content" },
    { "work_mem", "64MB" },
    { "work_mem", "1GB" },
    { "work_mem", "1048576" },
    { "jit", "off" },
    { "synchronous_commit", "off" },
    { "maintenance_work_mem", "64MB" },
    { "default_statistics_target", "1000" },
    { "join_collapse_limit", "1" },
    { "from_collapse_limit", "12" },
    { "max_parallel_workers_per_gather", "0" },
    { "enable_nestloop", "off" },
    { "plan_cache_mode", "force_custom_plan" },
    /* the head of a dump that holds data alone */
    { "check_function_bodies", "false" },
    { "escape_string_warning", "off" },
};

START_TEST(test_what_clients_set)
{
    ck_assert(may_set(s_may[_i][0], s_may[_i][1]));
}
END_TEST

static const char *const s_must_not[][2] = {
    /* the parser would read another text than the server */
    { "standard_conforming_strings", "off" },
    { "backslash_quote", "on" },
    { "client_encoding", "SJIS" },
    { "client_encoding", "gbk" },
    { "client_encoding", "BIG5" },
    { "client_encoding", "GB18030" },
    { "client_encoding", "UHC" },
    { "client_encoding", "JOHAB" },
    { "client_encoding", "" },
    { "transform_null_equals", "on" },
    { "array_nulls", "off" },
    /* what the upstream would tell of its own statement */
    { "client_min_messages", "log" },
    { "client_min_messages", "debug5" },
    { "debug_print_plan", "on" },
    { "log_statement", "all" },
    { "log_min_messages", "debug5" },
    /* who, and with whose code */
    { "role", "postgres" },
    { "session_authorization", "postgres" },
    { "is_superuser", "on" },
    { "session_replication_role", "replica" },
    { "session_preload_libraries", "x" },
    { "local_preload_libraries", "x" },
    { "dynamic_library_path", "/tmp" },
    { "default_table_access_method", "heap" },
    { "temp_tablespaces", "x" },
    /* cost, and the integrity of others' data */
    { "work_mem", "1048577" },
    { "maintenance_work_mem", "1048577" },
    { "temp_buffers", "1GB" },
    { "default_text_search_config", "pg_catalog.english" },
    { "work_mem", "2GB" },
    { "work_mem", "99999999999999999999999" },
    { "work_mem", "64 XB" },
    { "zero_damaged_pages", "on" },
    { "join_collapse_limit", "13" },
    { "from_collapse_limit", "100" },
    { "max_parallel_workers_per_gather", "99" },
    { "join_collapse_limit", "-1" },
    { "join_collapse_limit", "" },
    { "geqo_seed", "0.5" },
    { "geqo_threshold", "99" },
    { "random_page_cost", "0" },
    { "cpu_operator_cost", "1e10" },
    { "seq_page_cost", "0" },
    { "enable_partitionwise_join", "on" },
    /* the key of the hash mask */
    { "gatehouse.hash_key", "00" },
    { "gatehouse.anything", "1" },
    { "server_version", "9.0" },
    { "no_such_setting", "1" },
    { "", "" },
};

START_TEST(test_what_clients_must_not_set)
{
    ck_assert(!may_set(s_must_not[_i][0], s_must_not[_i][1]));
}
END_TEST

/* With a dot a setting that the upstream has and one that nobody has get the same answer but for the name. */
START_TEST(test_unknown_answers_as_known)
{
    gh_err known = { 0 };
    gh_err unknown = { 0 };

    ck_assert_int_eq(gh_setting_check_name(GH_STR("auto_explain.log_analyze"), &known), GH_DENIED);
    ck_assert_int_eq(gh_setting_check_name(GH_STR("auto_explain.log_analyzx"), &unknown),
                     GH_DENIED);
    ck_assert_str_eq(known.sqlstate, "42501");
    ck_assert_str_eq(unknown.sqlstate, "42501");
    *strstr(unknown.public_msg, "yzx") = '\0';
    *strstr(known.public_msg, "yze") = '\0';
    ck_assert_str_eq(known.public_msg, unknown.public_msg);
}
END_TEST

/* Without one it is the lists that know, whatever the upstream is. */
START_TEST(test_names_that_no_version_has)
{
    gh_err err = { 0 };

    ck_assert_int_eq(gh_setting_check_name(GH_STR("Log_Statement"), &err), GH_DENIED);
    ck_assert_str_eq(err.sqlstate, "42501");
    err = (gh_err){ 0 };
    ck_assert_int_eq(gh_setting_check_name(GH_STR("tables"), &err), GH_DENIED);
    ck_assert_str_eq(err.sqlstate, "42704");
    ck_assert_str_eq(err.public_msg, "unrecognized configuration parameter \"tables\"");
}
END_TEST

START_TEST(test_paths)
{
    static const char *const lists[] = { "",    " ",    "a",       "a, \"B c\" ,d-e",
                                         "\"",  "a,,b", "a,",      ",a",
                                         "a b", "\"a",  "\"a\"\"", "a\"b;c, \"\"" };

    for (size_t i = 0; i < GH_COUNT(lists); i++) {
        gh_err err = { 0 };
        bool is_list = i < 4 || i == GH_COUNT(lists) - 1;

        ck_assert_int_eq(gh_setting_check(GH_STR("search_path"), gh_str_of(lists[i]), &err),
                         is_list ? GH_OK : GH_INVALID);
        ck_assert_str_eq(err.sqlstate, is_list ? "" : "22023");
    }
}
END_TEST

START_TEST(test_virtual_settings)
{
    ck_assert(gh_setting_is_virtual(GH_STR("search_path")));
    ck_assert(gh_setting_is_virtual(GH_STR("session_authorization")));
    ck_assert(gh_setting_is_virtual(GH_STR("role")));
    ck_assert(gh_setting_is_virtual(GH_STR("IS_SUPERUSER")));
    ck_assert(!gh_setting_is_virtual(GH_STR("timezone")));
    ck_assert(!gh_setting_is_virtual(GH_STR("")));
}
END_TEST

Suite *suite_setting(void)
{
    Suite *s = suite_create("setting");
    TCase *t = tcase_create("setting");

    tcase_add_loop_test(t, test_what_clients_set, 0, GH_COUNT(s_may));
    tcase_add_loop_test(t, test_what_clients_must_not_set, 0, GH_COUNT(s_must_not));
    tcase_add_test(t, test_unknown_answers_as_known);
    tcase_add_test(t, test_names_that_no_version_has);
    tcase_add_test(t, test_paths);
    tcase_add_test(t, test_virtual_settings);
    suite_add_tcase(s, t);
    return s;
}
