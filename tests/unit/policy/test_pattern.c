/* Patterns of names. */
#include "policy_priv.h"
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

static const char *parse(const char *text, size_t parts, pol_parsed *out)
{
    const char *why = "no reason";

    return pol_pattern_parse(gh_str_of(text), parts, s_arena, out, &why) ? NULL : why;
}

static void expect(const char *text, const char *warehouse, const char *a, const char *b)
{
    pol_parsed p;
    const char *why = parse(text, 2, &p);

    ck_assert_msg(why == NULL, "%s: %s", text, why);
    ck_assert_msg(p.warehouse.is_given == (warehouse != NULL), "%s", text);
    if (warehouse != NULL)
        ck_assert_msg(gh_str_is(p.warehouse.text, warehouse), "%s", text);
    ck_assert_msg(gh_str_is(p.parts[0].text, a) && gh_str_is(p.parts[1].text, b), "%s", text);
}

START_TEST(parts)
{
    expect("sales.orders", NULL, "sales", "orders");
    expect("wh:sales.orders", "wh", "sales", "orders");
    expect("\"Sales Dept\".\"Order\"", NULL, "Sales Dept", "Order");
    expect("\"a.b\":\"c\"\"d\".\"e*f\"", "a.b", "c\"d", "e*f");
    expect("Sales Dept.a:b", NULL, "Sales Dept", "a:b");
    expect("\"wh\":na\xc3\xafve.*", "wh", "na\xc3\xafve", "*");
}
END_TEST

START_TEST(stars)
{
    pol_parsed p;

    ck_assert_ptr_null(parse("s*.\"o*\"", 2, &p));
    ck_assert(p.parts[0].is_glob);
    ck_assert(!p.parts[1].is_glob);
    ck_assert_ptr_null(parse("*:*.*.*", 3, &p));
    ck_assert(p.warehouse.is_glob && p.parts[2].is_glob);
}
END_TEST

START_TEST(refused)
{
    static const char *const bad[] = { "",      "orders", "a.b.c",    ".b",       "a.",
                                       "a..b",  "\"a.b",  "\"a\"b.c", "a\"b.c",   ":a.b",
                                       "x:y:a", "\"\".b", "wh:a",     "a.\"b\"c", "x:.b" };
    pol_parsed p;

    for (size_t i = 0; i < GH_COUNT(bad); i++)
        ck_assert_msg(parse(bad[i], 2, &p) != NULL, "%s was taken", bad[i]);
    ck_assert_ptr_nonnull(parse("a.b", 3, &p));
}
END_TEST

START_TEST(length)
{
    char text[GH_POLICY_NAME_MAX + 2];
    const char *why;
    pol_parsed p;

    memset(text, 'x', sizeof(text));
    text[1] = '.';
    ck_assert(pol_pattern_parse((gh_str){ text, GH_POLICY_NAME_MAX }, 2, s_arena, &p, &why));
    ck_assert(!pol_pattern_parse((gh_str){ text, GH_POLICY_NAME_MAX + 1 }, 2, s_arena, &p, &why));
    text[5] = '\0';
    ck_assert(!pol_pattern_parse((gh_str){ text, 10 }, 2, s_arena, &p, &why));
}
END_TEST

START_TEST(columns)
{
    static const char *const bad[] = { "", "a.b", "a*", "a\"b", "\"a", "\"a\"b", "\"\"" };
    const char *why;
    gh_str name;

    ck_assert(pol_name_parse(S("Group By"), s_arena, &name, &why));
    ck_assert(gh_str_is(name, "Group By"));
    ck_assert(pol_name_parse(S("\"a.b*\"\"c\""), s_arena, &name, &why));
    ck_assert(gh_str_is(name, "a.b*\"c"));
    for (size_t i = 0; i < GH_COUNT(bad); i++)
        ck_assert_msg(!pol_name_parse(gh_str_of(bad[i]), s_arena, &name, &why), "%s", bad[i]);
}
END_TEST

/* The obvious matcher: a star is nothing, or one character and a star. */
static bool naive_match(const char *glob, const char *s)
{
    if (*glob == '\0')
        return *s == '\0';
    if (*glob == '*')
        return naive_match(glob + 1, s) || (*s != '\0' && naive_match(glob, s + 1));
    return *glob == *s && naive_match(glob + 1, s + 1);
}

/* Every text of up to `len` of the letters, in turn. */
static bool next_text(char *s, size_t len, const char *letters)
{
    size_t i = 0;

    while (s[i] != '\0') {
        const char *at = strchr(letters, s[i]);

        if (at[1] != '\0') {
            s[i] = at[1];
            return true;
        }
        s[i++] = letters[0];
    }
    if (i == len)
        return false;
    s[i] = letters[0];
    return true;
}

START_TEST(glob_matches_as_the_naive_one)
{
    char glob[6] = "";

    do {
        char s[6] = "";

        do {
            ck_assert_msg(pol_glob_match(gh_str_of(glob), gh_str_of(s)) == naive_match(glob, s),
                          "%s %s", glob, s);
        } while (next_text(s, 5, "ab"));
    } while (next_text(glob, 5, "ab*"));
}
END_TEST

/* Two globs of up to 3 characters overlap exactly if a text of up to 6 matches both. */
START_TEST(overlap_as_the_naive_one)
{
    char a[4] = "";

    do {
        char b[4] = "";

        do {
            char s[7] = "";
            bool meets = false;

            do {
                meets = meets || (naive_match(a, s) && naive_match(b, s));
            } while (next_text(s, 6, "ab"));
            ck_assert_msg(pol_glob_overlap(gh_str_of(a), strchr(a, '*') != NULL, gh_str_of(b),
                                           strchr(b, '*') != NULL) == meets,
                          "%s %s", a, b);
        } while (next_text(b, 3, "ab*"));
    } while (next_text(a, 3, "ab*"));
}
END_TEST

/* 1,000 stars against a text that never matches: the time is a product, not a power. */
START_TEST(glob_is_not_exponential)
{
    char glob[2001];
    char s[2001];

    for (size_t i = 0; i < 2000; i += 2) {
        glob[i] = '*';
        glob[i + 1] = 'a';
    }
    memset(s, 'a', 2000);
    s[1999] = 'b';
    glob[2000] = s[2000] = '\0';
    ck_assert(!pol_glob_match(gh_str_of(glob), gh_str_of(s)));
}
END_TEST

Suite *policy_pattern_suite(void)
{
    Suite *s = suite_create("policy patterns");
    TCase *t = tcase_create("patterns");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, parts);
    tcase_add_test(t, stars);
    tcase_add_test(t, refused);
    tcase_add_test(t, length);
    tcase_add_test(t, columns);
    tcase_add_test(t, glob_matches_as_the_naive_one);
    tcase_add_test(t, overlap_as_the_naive_one);
    tcase_add_test(t, glob_is_not_exponential);
    suite_add_tcase(s, t);
    return s;
}
