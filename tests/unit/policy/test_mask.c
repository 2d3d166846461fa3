/* Masks: what policies write, their order, what they fit. Their SQL: tests/integration/masks.py. */
#include "policy_tests.h"

static gh_arena *s_arena;

static void setup(void)
{
    s_arena = gh_arena_new(0);
}

static void teardown(void)
{
    gh_arena_free(s_arena);
}

static gh_rc try_parse(const char *text, gh_mask *m, gh_err *err)
{
    static const gh_acl_mask_def defs[] = {
        { .name = { "domain_only", 11 }, .expr = { "split_part(value, '@', 2)", 25 } },
        { .name = { "pseudonym", 9 }, .expr = { "hash", 4 } },
    };

    *err = (gh_err){ 0 };
    return gh_mask_parse(gh_str_of(text), defs, GH_COUNT(defs), s_arena, m, err);
}

static gh_mask parse(const char *text)
{
    gh_mask m;
    gh_err err;

    ck_assert_msg(try_parse(text, &m, &err) == GH_OK, "%s: %s", text, err.public_msg);
    return m;
}

START_TEST(built_in)
{
    static const struct {
        const char *text;
        gh_mask_kind kind;
    } all[] = { { "null", GH_MASK_NULL },          { "NULL", GH_MASK_NULL },
                { " redact ", GH_MASK_REDACT },    { "hash", GH_MASK_HASH },
                { "email", GH_MASK_EMAIL },        { "month", GH_MASK_MONTH },
                { "year", GH_MASK_YEAR },          { "round(10)", GH_MASK_ROUND },
                { "round( 0.25 )", GH_MASK_ROUND } };
    gh_mask m;

    for (size_t i = 0; i < GH_COUNT(all); i++)
        ck_assert_int_eq(parse(all[i].text).kind, all[i].kind);
    m = parse("partial(2, 3)");
    ck_assert_int_eq(m.kind, GH_MASK_PARTIAL);
    ck_assert_int_eq(m.a, 2);
    ck_assert_int_eq(m.b, 3);
    m = parse("constant('it''s')");
    ck_assert_int_eq(m.kind, GH_MASK_CONSTANT);
    ck_assert(gh_str_is(m.expr, "it's"));
    ck_assert(gh_str_is(parse("constant('')").expr, ""));
}
END_TEST

START_TEST(named_and_expressions)
{
    gh_mask m = parse("domain_only");

    ck_assert_int_eq(m.kind, GH_MASK_EXPR);
    ck_assert(gh_str_is(m.name, "domain_only"));
    ck_assert(gh_str_is(m.expr, "split_part(value, '@', 2)"));
    m = parse("pseudonym");
    ck_assert_int_eq(m.kind, GH_MASK_HASH);
    ck_assert(gh_str_is(m.name, "pseudonym"));
    ck_assert_int_eq(parse("round(value)").kind, GH_MASK_EXPR);
    ck_assert_int_eq(parse("round(value / 10, 2)").kind, GH_MASK_EXPR);
    ck_assert_int_eq(parse("(current_user)").kind, GH_MASK_EXPR);
    ck_assert_int_eq(parse("value").kind, GH_MASK_EXPR);
}
END_TEST

START_TEST(refused)
{
    static const struct {
        const char *text;
        const char *why;
    } all[] = { { "", "empty" },
                { "  ", "empty" },
                { "emial", "did you mean \"email\"" },
                { "domain_onyl", "did you mean \"domain_only\"" },
                { "something", "unknown mask" },
                { "round(0)", "above zero" },
                { "round(0.00)", "above zero" },
                { "round(-5)", "above zero" },
                { "round(1e3)", "above zero" },
                { "round(.5)", "above zero" },
                { "round(5.)", "above zero" },
                { "partial(1)", "whole numbers" },
                { "partial(1,2,3)", "whole numbers" },
                { "partial(-1,2)", "whole numbers" },
                { "partial(,)", "whole numbers" },
                { "constant(7)", "one literal" },
                { "constant('a'b')", "one literal" },
                { "constant('a', 'b')", "one literal" },
                { "constant('a'')", "one literal" } };
    gh_mask m;
    gh_err err;

    for (size_t i = 0; i < GH_COUNT(all); i++) {
        ck_assert_msg(try_parse(all[i].text, &m, &err) == GH_INVALID, "%s", all[i].text);
        ck_assert_msg(strstr(err.public_msg, all[i].why) != NULL, "%s: %s", all[i].text,
                      err.public_msg);
    }
}
END_TEST

START_TEST(bounds)
{
    static char text[GH_POLICY_EXPR_MAX + 2];
    gh_mask m;
    gh_err err;

    ck_assert_int_eq(GH_POLICY_MASK_ARG_MAX, 65535);
    ck_assert_int_eq(try_parse("partial(65535,65535)", &m, &err), GH_OK);
    ck_assert_int_eq(try_parse("partial(65536,0)", &m, &err), GH_INVALID);
    ck_assert_int_eq(GH_POLICY_ROUND_DIGITS_MAX, strlen("999999999999999"));
    ck_assert_int_eq(try_parse("round(999999999999999.000000000000001)", &m, &err), GH_OK);
    ck_assert_int_eq(try_parse("round(1000000000000000)", &m, &err), GH_INVALID);
    ck_assert_int_eq(try_parse("round(0.0000000000000001)", &m, &err), GH_INVALID);
    memset(text, '(', GH_POLICY_EXPR_MAX + 1);
    ck_assert_int_eq(try_parse(text, &m, &err), GH_LIMIT);
    text[GH_POLICY_EXPR_MAX] = '\0';
    ck_assert_int_eq(try_parse(text, &m, &err), GH_OK);
}
END_TEST

/* CONTRACT's table, weakest first. */
START_TEST(the_order)
{
    static const char *const ladder[] = { "round(0.5)",   "round(9)",     "round(10.0)",
                                          "round(100)",   "month",        "year",
                                          "partial(4,4)", "partial(0,7)", "partial(0,0)",
                                          "email",        "hash",         "constant('x')",
                                          "redact",       "null" };

    for (size_t i = 0; i < GH_COUNT(ladder); i++) {
        for (size_t j = 0; j < GH_COUNT(ladder); j++) {
            gh_mask a = parse(ladder[i]);
            gh_mask b = parse(ladder[j]);
            bool comparable = false;
            int order = gh_mask_compare(&a, &b, &comparable);

            ck_assert_msg(comparable, "%s %s", ladder[i], ladder[j]);
            ck_assert_msg((order < 0) == (i < j) && (order > 0) == (i > j), "%s %s %d", ladder[i],
                          ladder[j], order);
        }
    }
}
END_TEST

static void pair(const char *x, const char *y, bool is_comparable, int sign)
{
    gh_mask a = parse(x);
    gh_mask b = parse(y);
    bool comparable = !is_comparable;
    int order = gh_mask_compare(&a, &b, &comparable);

    ck_assert_msg(comparable == is_comparable, "%s %s", x, y);
    ck_assert_msg((order > 0) - (order < 0) == sign, "%s %s %d", x, y, order);
    order = gh_mask_compare(&b, &a, &comparable);
    ck_assert_msg(comparable == is_comparable && (order > 0) - (order < 0) == -sign, "%s %s", y, x);
}

START_TEST(partial_order)
{
    pair("partial(1,2)", "partial(2,1)", false, 0);
    pair("partial(1,2)", "partial(1,2)", true, 0);
    pair("round(2)", "round(02.00)", true, 0);
    pair("constant('a')", "constant('b')", false, 0);
    pair("constant('a')", "constant( 'a' )", true, 0);
    pair("upper(value)", "lower(value)", false, 0);
    pair("upper(value)", "upper(value)", true, 0);
    pair("upper(value)", "hash", false, 0);
    pair("upper(value)", "round(1)", false, 0);
    pair("upper(value)", "constant('a')", false, 0);
    pair("upper(value)", "redact", true, -1);
    pair("upper(value)", "null", true, -1);
    pair("pseudonym", "hash", true, 0);
}
END_TEST

static bool fits(const char *mask, gh_oid type, int32_t typmod)
{
    gh_column c = { .type_oid = type, .typmod = typmod };
    gh_mask m = parse(mask);

    return gh_mask_fits(&m, NULL, &c);
}

START_TEST(fitting)
{
    ck_assert(fits("hash", 25, -1) && fits("hash", 21, -1) && fits("hash", 2950, -1));
    ck_assert(!fits("hash", 1082, -1) && !fits("hash", 1700, -1) && !fits("hash", 17, -1));
    ck_assert(fits("hash", 1043, 32 + 4));
    ck_assert(!fits("hash", 1043, 31 + 4)); /* a cut pseudonym could meet another */
    ck_assert(fits("round(10)", 23, -1) && !fits("round(0.5)", 23, -1) &&
              fits("round(2.0)", 23, -1));
    ck_assert(fits("year", 1184, -1) && !fits("year", 1083, -1));
    ck_assert(fits("email", 1042, 14) && !fits("email", 23, -1));
    ck_assert(fits("redact", 3802, -1) && fits("null", 0, -1) && fits("constant('x')", 23, -1));
}
END_TEST

START_TEST(expressions_are_not_rendered)
{
    gh_column c = { .name = S("c"), .type_oid = 25, .typmod = -1, .type_sql = S("text") };
    gh_mask m = parse("upper(value)");
    gh_err err = { 0 };
    gh_buf out;

    gh_buf_init(&out, 0);
    ck_assert_int_eq(gh_mask_sql(&m, NULL, &c, S("t.c"), &out, &err), GH_INVALID);
    ck_assert_uint_eq(out.len, 0);
    /* The public text names neither the mask nor the column. */
    ck_assert_ptr_null(strstr(err.public_msg, "upper"));
    gh_buf_fini(&out);
}
END_TEST

START_TEST(sql_is_bounded)
{
    gh_column c = { .name = S("c"), .type_oid = 25, .typmod = -1, .type_sql = S("text") };
    gh_mask m = parse("hash");
    gh_err err = { 0 };
    gh_buf out;

    gh_buf_init(&out, 100);
    ck_assert_int_eq(gh_mask_sql(&m, NULL, &c, S("t.c"), &out, &err), GH_LIMIT);
    gh_buf_fini(&out);
}
END_TEST

Suite *policy_mask_suite(void)
{
    Suite *s = suite_create("policy masks");
    TCase *t = tcase_create("masks");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, built_in);
    tcase_add_test(t, named_and_expressions);
    tcase_add_test(t, refused);
    tcase_add_test(t, bounds);
    tcase_add_test(t, the_order);
    tcase_add_test(t, partial_order);
    tcase_add_test(t, fitting);
    tcase_add_test(t, expressions_are_not_rendered);
    tcase_add_test(t, sql_is_bounded);
    suite_add_tcase(s, t);
    return s;
}
