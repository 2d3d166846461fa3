#include <check.h>
#include <gatehouse/plan_cache.h>

#include "plan_cache_tests.h"

/* ---- the scanner -------------------------------------------------------------------------------- */

static void check_shape(const char *text, const char *shape, uint32_t slots)
{
    gh_template t;

    ck_assert_msg(gh_template_scan(gh_str_of(text), &t), "%s", text);
    ck_assert_uint_eq(t.slot_count, slots);
    ck_assert_uint_eq(t.shape_len, strlen(shape));
    ck_assert(memcmp(t.shape, shape, t.shape_len) == 0);
}

START_TEST(literals_become_marks)
{
    check_shape("select a from t where b = 17", "select a from t where b = \x01", 1);
    check_shape("select 'x' , 5;", "select \x02 , \x01;", 2);
    check_shape("select t1.a2 from t1 where x=-3", "select t1.a2 from t1 where x=-\x01", 1);
    check_shape("select \"a'1\" , 0", "select \"a'1\" , \x01", 1);
    /* What another kind of token may begin with stays in the shape. */
    check_shape("select 1.5, 1e3, 0123, 1234567890, 7", "select 1.5, 1e3, 0123, 1234567890, \x01",
                1);
}
END_TEST

static const char *const s_not_plain[] = {
    "select a from t", /* no literal */
    "select E'a', 1",  /* prefixed strings */
    "select U&'a', 1",    "select U&\"a\", 1",    "select b'01', 1",
    "select n'a', 1",     "select 'it''s', 1",    /* quotes and backslashes */
    "select 'a\\', 1",    "select 'a'\n'b', 1",   /* one string on two lines */
    "select 'a', 1 -- c",                         /* comments */
    "select 1 /* c */",   "select $1, 1",         /* parameters, dollar quotes */
    "select $$a$$, 1",    "select 'a, 1",         /* no end */
    "select \"a, 1",      "select '\xc3\xa9', 1", /* beyond ASCII */
    "select 1\x01",       "select a\\b, 1",
};

START_TEST(what_is_not_plain_is_left_alone)
{
    gh_template t;

    ck_assert_msg(!gh_template_scan(gh_str_of(s_not_plain[_i]), &t), "%s", s_not_plain[_i]);
}
END_TEST

START_TEST(bounds)
{
    char text[GH_TEMPLATE_BYTES_MAX + 2];
    gh_template t;
    size_t len = 0;

    memset(text, ' ', sizeof(text));
    text[0] = '1';
    ck_assert(gh_template_scan((gh_str){ text, GH_TEMPLATE_BYTES_MAX }, &t));
    ck_assert(!gh_template_scan((gh_str){ text, GH_TEMPLATE_BYTES_MAX + 1 }, &t));
    for (int i = 0; i < GH_TEMPLATE_SLOTS_MAX; i++) {
        memcpy(text + len, "1,", 2);
        len += 2;
    }
    ck_assert(gh_template_scan((gh_str){ text, len - 1 }, &t));
    text[len++] = '1';
    ck_assert(!gh_template_scan((gh_str){ text, len }, &t));
}
END_TEST

/* ---- plans ---------------------------------------------------------------------------------------- */

/* select a from t where b = 17 and c = 'x'  ->  select "a" from (...) where "b" = 17 and "c" = 'x' */
static const char s_source[] = "select a from t where b = 17 and c = 'x'";
static const char s_sent[] = "select \"a\" from (17) where \"b\" = 17 and \"c\" = 'x'";
static const gh_offset s_offsets[] = { { 1, 1 },   { 17, 0 },  { 22, 17 },
                                       { 34, 27 }, { 37, 30 }, { 47, 38 } };

static gh_plan_set *make_set(bool is_shareable, bool is_lookup)
{
    gh_plan p = { .kind = GH_STMT_QUERY,
                  .sql = { s_sent, sizeof(s_sent) - 1 },
                  .offsets = s_offsets,
                  .offset_count = GH_COUNT(s_offsets),
                  .source_len = sizeof(s_source) - 1,
                  .is_shareable = is_shareable,
                  .is_lookup = is_lookup };

    return gh_plan_set_new((gh_str){ s_source, sizeof(s_source) - 1 }, &p, 1, (gh_str){ NULL, 0 });
}

START_TEST(another_text_of_the_shape)
{
    static const char other[] = "select a from t where b = 123456 and c = ''";
    gh_plan_set *set = make_set(true, false);
    gh_template t;
    gh_plan_set *shared;
    gh_plan_set *filled;

    ck_assert(gh_template_scan(set->source, &t));
    shared = gh_template_make(&t, set);
    ck_assert_ptr_nonnull(shared);
    ck_assert(gh_template_scan((gh_str){ other, sizeof(other) - 1 }, &t));
    filled = gh_template_fill(shared, &t, (gh_str){ other, sizeof(other) - 1 });
    gh_plan_set_release(shared); /* the filled set keeps what it needs of it */
    /* The 17 that is Gatehouse's own stays. */
    ck_assert_str_eq(filled->plans[0].sql.ptr,
                     "select \"a\" from (17) where \"b\" = 123456 and \"c\" = ''");
    ck_assert(gh_str_eq(filled->query, filled->plans[0].sql));
    ck_assert_uint_eq(filled->plans[0].source_len, sizeof(other) - 1);
    /* Positions behind the longer number moved on both sides. */
    ck_assert_uint_eq(gh_plan_position(&filled->plans[0], 34), 27);
    ck_assert_uint_eq(gh_plan_position(&filled->plans[0], 41), 34);
    ck_assert_uint_eq(gh_plan_position(&filled->plans[0], 51), 42);
    gh_plan_set_release(filled);
    gh_plan_set_release(set);
}
END_TEST

START_TEST(a_lookup_is_prepared_with_parameters)
{
    gh_plan_set *set = make_set(true, true);
    gh_plan_set *other = make_set(true, false);
    gh_template t;
    gh_plan_set *shared;

    ck_assert(gh_template_scan(set->source, &t));
    shared = gh_template_make(&t, set);
    ck_assert(gh_str_is(gh_template_prepared(shared),
                        "select \"a\" from (17) where \"b\" = $1 and \"c\" = $2"));
    ck_assert(gh_str_is(gh_template_value(set->source, t.slots[0]), "17"));
    ck_assert(gh_str_is(gh_template_value(set->source, t.slots[1]), "x"));
    gh_plan_set_release(shared);
    shared = gh_template_make(&t, other);
    ck_assert_uint_eq(gh_template_prepared(shared).len, 0);
    ck_assert_uint_eq(gh_template_prepared(other).len, 0); /* of no template */
    gh_plan_set_release(shared);
    gh_plan_set_release(other);
    gh_plan_set_release(set);
}
END_TEST

START_TEST(plans_that_looked_at_a_literal_are_not_shared)
{
    gh_plan_set *set = make_set(false, false);
    gh_template t;

    ck_assert(gh_template_scan(set->source, &t));
    ck_assert_ptr_null(gh_template_make(&t, set));
    gh_plan_set_release(set);
}
END_TEST

START_TEST(a_literal_whose_place_is_not_known_is_not_shared)
{
    gh_offset offsets[GH_COUNT(s_offsets)];
    gh_plan p = { .kind = GH_STMT_QUERY,
                  .sql = { s_sent, sizeof(s_sent) - 1 },
                  .offsets = offsets,
                  .offset_count = GH_COUNT(s_offsets),
                  .is_shareable = true };
    gh_plan_set *set;
    gh_template t;

    memcpy(offsets, s_offsets, sizeof(offsets));
    offsets[3].sent++; /* points at something else than the literal */
    set = gh_plan_set_new((gh_str){ s_source, sizeof(s_source) - 1 }, &p, 1, (gh_str){ NULL, 0 });
    ck_assert(gh_template_scan(set->source, &t));
    ck_assert_ptr_null(gh_template_make(&t, set));
    gh_plan_set_release(set);
}
END_TEST

TCase *tcase_template(void)
{
    TCase *c = tcase_create("template");

    tcase_add_test(c, literals_become_marks);
    tcase_add_loop_test(c, what_is_not_plain_is_left_alone, 0, (int)GH_COUNT(s_not_plain));
    tcase_add_test(c, bounds);
    tcase_add_test(c, another_text_of_the_shape);
    tcase_add_test(c, a_lookup_is_prepared_with_parameters);
    tcase_add_test(c, plans_that_looked_at_a_literal_are_not_shared);
    tcase_add_test(c, a_literal_whose_place_is_not_known_is_not_shared);
    return c;
}
