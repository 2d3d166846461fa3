/*
 * Which functions pass, over a catalog of a few whose shapes differ. The list that comes out of a real
 * server is compared by tests/integration/catalogs.
 */
#include "allow.h"
#include "rewrite_tests.h"

#include "judge.h"

enum { OID_TEXT = 25, OID_INT = 23, OID_REGCLASS = 2205, OID_INTERNAL = 2281, OID_VOID = 2278 };

static gh_catalog *s_catalog;
static gh_policy *s_policy;
static gh_view *s_view;

static void add_type(gh_catalog_builder *b, gh_oid oid, const char *name)
{
    gh_type t = {
        .oid = oid, .schema = GH_STR("pg_catalog"), .name = gh_str_of(name), .kind = 'b'
    };

    gh_catalog_add_type(b, &t);
}

static void add(gh_catalog_builder *b, gh_oid oid, const char *schema, const char *name,
                char volatility, gh_oid arg, gh_oid result, bool returns_set)
{
    gh_function f = { .oid = oid,
                      .schema = gh_str_of(schema),
                      .name = gh_str_of(name),
                      .kind = 'f',
                      .volatility = volatility,
                      .returns_set = returns_set,
                      .result = result,
                      .args = &arg,
                      .arg_count = arg != 0 };

    gh_catalog_add_function(b, &f);
}

static void setup(void)
{
    const gh_str to[] = { GH_STR("user:ann") };
    const gh_str allow[] = { GH_STR("app.*") };
    const gh_acl_user user = { .name = GH_STR("ann") };
    const gh_acl_function function = { .to = { to, 1 }, .allow = { allow, 1 } };
    gh_acl acl = { .users = &user, .user_count = 1, .functions = &function, .function_count = 1 };
    gh_catalog_builder *b = gh_catalog_builder_new();
    gh_err err = { 0 };

    gh_catalog_add_schema(b, 11, GH_STR("pg_catalog"));
    gh_catalog_add_schema(b, 20000, GH_STR("app"));
    gh_catalog_add_schema(b, 20001, GH_STR("lib"));
    add_type(b, OID_TEXT, "text");
    add_type(b, OID_INT, "int4");
    add_type(b, OID_REGCLASS, "regclass");
    add_type(b, OID_INTERNAL, "internal");
    add_type(b, OID_VOID, "void");
    add(b, 100, "pg_catalog", "upper", 'i', OID_TEXT, OID_TEXT, false);
    add(b, 101, "pg_catalog", "brand_new", 's', OID_TEXT, OID_TEXT, false);
    add(b, 102, "pg_catalog", "two_ways", 'i', OID_TEXT, OID_TEXT, false);
    add(b, 103, "pg_catalog", "two_ways", 'i', OID_REGCLASS, OID_TEXT, false);
    add(b, 104, "pg_catalog", "changes", 'v', OID_TEXT, OID_TEXT, false);
    add(b, 105, "pg_catalog", "many", 'i', OID_TEXT, OID_TEXT, true);
    add(b, 106, "pg_catalog", "tells", 's', 0, OID_TEXT, false);
    add(b, 107, "pg_catalog", "makes_name", 'i', OID_TEXT, OID_REGCLASS, false);
    add(b, 108, "pg_catalog", "inside", 'i', OID_INTERNAL, OID_TEXT, false);
    add(b, 109, "pg_catalog", "now", 's', 0, OID_TEXT, false);
    add(b, 110, "pg_catalog", "query_to_xml", 's', OID_TEXT, OID_TEXT, false);
    add(b, 111, "pg_catalog", "pg_future", 'i', OID_TEXT, OID_TEXT, false);
    add(b, 112, "pg_catalog", "to_regfuture", 's', OID_TEXT, OID_INT, false);
    add(b, 113, "pg_catalog", "lower", 'i', OID_TEXT, OID_TEXT, false);
    add(b, 114, "pg_catalog", "lo_future", 'i', OID_TEXT, OID_TEXT, false);
    add(b, 115, "pg_catalog", "textsend", 'i', OID_TEXT, OID_TEXT, false);
    add(b, 116, "pg_catalog", "current_setting", 's', OID_TEXT, OID_TEXT, false);
    add(b, 117, "pg_catalog", "unnest", 'i', OID_TEXT, OID_TEXT, true);
    add(b, 118, "pg_catalog", "planted", 'i', OID_INT, OID_TEXT, false);
    add(b, 20002, "pg_catalog", "planted", 'i', OID_TEXT, OID_TEXT, false);
    add(b, 119, "pg_catalog", "generate_series", 'i', OID_INT, OID_INT, true);
    add(b, 20007, "pg_catalog", "generate_series", 'i', OID_TEXT, OID_TEXT, true);
    add(b, 20003, "app", "tax", 'v', OID_TEXT, OID_TEXT, false);
    add(b, 20004, "app", "upper", 'v', OID_TEXT, OID_TEXT, false);
    add(b, 20005, "lib", "tax", 'v', OID_TEXT, OID_TEXT, false);
    add(b, 20006, "lib", "hidden", 'v', OID_TEXT, OID_TEXT, false);
    s_catalog = gh_catalog_builder_finish(b, 1);
    ck_assert_int_eq(gh_policy_compile(&acl, &s_policy, &err), GH_OK);
    s_view = gh_view_new(s_policy, GH_STR("wh"), GH_STR("ann"), 0);
}

static void teardown(void)
{
    gh_view_release(s_view);
    gh_policy_release(s_policy);
    gh_catalog_release(s_catalog);
}

static gh_function_rule judge(const char *schema, const char *name, const char *expected_schema)
{
    const gh_str path[] = { GH_STR("lib"), GH_STR("app") };
    gh_rewrite_input in = { .catalog = s_catalog, .view = s_view, .search_path = { path, 2 } };
    gh_judge j = { .in = &in };
    gh_str found = { NULL, 0 };
    gh_function_rule rule = gh_function_judge(&j, gh_str_of(schema), gh_str_of(name), &found);

    if (expected_schema != NULL)
        ck_assert(gh_str_is(found, expected_schema));
    return rule;
}

START_TEST(test_builtin_by_shape)
{
    ck_assert_int_eq(judge("pg_catalog", "upper", NULL), GH_FUNCTION_ALLOWED);
    ck_assert_int_eq(judge("pg_catalog", "brand_new", NULL), GH_FUNCTION_ALLOWED);
    ck_assert_int_eq(judge("pg_catalog", "two_ways", NULL), GH_FUNCTION_DENIED);
    ck_assert_int_eq(judge("pg_catalog", "changes", NULL), GH_FUNCTION_DENIED);
    ck_assert_int_eq(judge("pg_catalog", "many", NULL), GH_FUNCTION_DENIED);
    ck_assert_int_eq(judge("pg_catalog", "tells", NULL), GH_FUNCTION_DENIED);
    ck_assert_int_eq(judge("pg_catalog", "makes_name", NULL), GH_FUNCTION_DENIED);
    ck_assert_int_eq(judge("pg_catalog", "inside", NULL), GH_FUNCTION_DENIED);
    ck_assert_int_eq(judge("pg_catalog", "absent", NULL), GH_FUNCTION_UNKNOWN);
}
END_TEST

START_TEST(test_builtin_by_list)
{
    ck_assert_int_eq(judge("pg_catalog", "now", NULL), GH_FUNCTION_ALLOWED);
    ck_assert_int_eq(judge("pg_catalog", "unnest", NULL), GH_FUNCTION_ALLOWED);
    ck_assert_int_eq(judge("pg_catalog", "lower", NULL), GH_FUNCTION_ALLOWED);
    ck_assert_int_eq(judge("pg_catalog", "query_to_xml", NULL), GH_FUNCTION_DENIED);
    ck_assert_int_eq(judge("pg_catalog", "pg_future", NULL), GH_FUNCTION_DENIED);
    ck_assert_int_eq(judge("pg_catalog", "to_regfuture", NULL), GH_FUNCTION_DENIED);
    ck_assert_int_eq(judge("pg_catalog", "lo_future", NULL), GH_FUNCTION_DENIED);
    ck_assert_int_eq(judge("pg_catalog", "textsend", NULL), GH_FUNCTION_DENIED);
    ck_assert_int_eq(judge("pg_catalog", "current_setting", NULL), GH_FUNCTION_SPECIAL);
}
END_TEST

/* What someone put into pg_catalog takes the name from the built-in one. */
START_TEST(test_planted_in_pg_catalog)
{
    ck_assert_int_eq(judge("pg_catalog", "planted", NULL), GH_FUNCTION_DENIED);
    ck_assert_int_eq(judge("", "planted", NULL), GH_FUNCTION_DENIED);
    /* listed by hand */
    ck_assert_int_eq(judge("pg_catalog", "generate_series", NULL), GH_FUNCTION_DENIED);
}
END_TEST

START_TEST(test_granted)
{
    ck_assert_int_eq(judge("app", "tax", "app"), GH_FUNCTION_ALLOWED);
    ck_assert_int_eq(judge("app", "absent", NULL), GH_FUNCTION_UNKNOWN);
    ck_assert_int_eq(judge("lib", "hidden", NULL), GH_FUNCTION_UNKNOWN);
    ck_assert_int_eq(judge("lib", "absent", NULL), GH_FUNCTION_UNKNOWN);
}
END_TEST

/* pg_catalog first, then the client's path; what is hidden does not shadow what is granted. */
START_TEST(test_search)
{
    ck_assert_int_eq(judge("", "tax", "app"), GH_FUNCTION_ALLOWED);
    ck_assert_int_eq(judge("", "upper", "pg_catalog"), GH_FUNCTION_ALLOWED);
    ck_assert_int_eq(judge("", "hidden", NULL), GH_FUNCTION_UNKNOWN);
    ck_assert_int_eq(judge("", "changes", "pg_catalog"), GH_FUNCTION_DENIED);
}
END_TEST

Suite *suite_function(void)
{
    Suite *s = suite_create("function");
    TCase *t = tcase_create("judge");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_builtin_by_shape);
    tcase_add_test(t, test_builtin_by_list);
    tcase_add_test(t, test_planted_in_pg_catalog);
    tcase_add_test(t, test_granted);
    tcase_add_test(t, test_search);
    suite_add_tcase(s, t);
    return s;
}
