#include "suites.h"

#include <gatehouse/config.h>

START_TEST(values_int)
{
    static const struct {
        const char *text;
        bool is_good;
        int64_t value;
    } cases[] = {
        { "0", true, 0 },
        { "-7", true, -7 },
        { "1e6", true, 1000000 },
        { "9223372036854775807", true, INT64_MAX },
        { "1E18", true, 1000000000000000000 },
        { "9223372036854775808", false, 0 },
        { "1e19", false, 0 },
        { "10e18", false, 0 },
        { "", false, 0 },
        { "-", false, 0 },
        { "1e", false, 0 },
        { "0x1F", false, 0 },
        { "1_000", false, 0 },
        { " 1", false, 0 },
        { "1 ", false, 0 },
        { "1.5", false, 0 },
    };
    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        int64_t v = 0;
        ck_assert_msg(gh_config_parse_int(gh_str_of(cases[i].text), &v) == cases[i].is_good, "%s",
                      cases[i].text);
        ck_assert_msg(v == cases[i].value, "%s", cases[i].text);
    }
}
END_TEST

START_TEST(values_size)
{
    static const struct {
        const char *text;
        bool is_good;
        uint64_t value;
    } cases[] = {
        { "512", true, 512 },
        { "64kB", true, 64000 },
        { "64KiB", true, 65536 },
        { "16MiB", true, 16 << 20 },
        { "1GB", true, 1000000000 },
        { "1gib", true, 1 << 30 },
        { "8388607TiB", true, (uint64_t)8388607 << 40 },
        { "8388608TiB", false, 0 },
        { "-1", false, 0 },
        { "1.5GB", false, 0 },
        { "1 GB", false, 0 },
        { "1GBs", false, 0 },
        { "MiB", false, 0 },
    };
    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        uint64_t v = 0;
        ck_assert_msg(gh_config_parse_size(gh_str_of(cases[i].text), &v) == cases[i].is_good, "%s",
                      cases[i].text);
        ck_assert_msg(v == cases[i].value, "%s", cases[i].text);
    }
}
END_TEST

START_TEST(values_duration)
{
    int64_t v = 0;

    ck_assert(gh_config_parse_duration_ms(GH_STR("500ms"), &v) && v == 500);
    ck_assert(gh_config_parse_duration_ms(GH_STR("60s"), &v) && v == 60000);
    ck_assert(gh_config_parse_duration_ms(GH_STR("5m"), &v) && v == 300000);
    ck_assert(gh_config_parse_duration_ms(GH_STR("4h"), &v) && v == 14400000);
    ck_assert(gh_config_parse_duration_ms(GH_STR("7d"), &v) && v == 604800000);
    ck_assert(!gh_config_parse_duration_ms(GH_STR("60"), &v)); /* seconds, or what? */
    ck_assert(!gh_config_parse_duration_ms(GH_STR("-4h"), &v));
    ck_assert(!gh_config_parse_duration_ms(GH_STR("9223372036854775807s"), &v));
}
END_TEST

START_TEST(values_time)
{
    static const struct {
        const char *text;
        bool is_until;
        int64_t seconds; /* -1: refused */
    } cases[] = {
        { "1970-01-01", false, 0 },
        { "2026-01-01", false, 1767225600 },
        { "2026-12-31", true, 1798761600 },       /* the next day's start */
        { "2026-12-31T00:00", true, 1798675200 }, /* a time is exact */
        { "2024-02-29", false, 1709164800 },
        { "2026-01-01T10:30:15Z", false, 1767263415 },
        { "2026-01-01 10:30:15+02:00", false, 1767256215 },
        { "2026-01-01T10:30:15-0330", false, -1 },
        { "2026-01-01T10:30:15-03:30", false, 1767276015 },
        { "2026-02-29", false, -1 },
        { "2100-02-29", false, -1 },
        { "2026-13-01", false, -1 },
        { "2026-1-1", false, -1 },
        { "2026-01-01T24:00", false, -1 },
        { "2026-01-01T10:60", false, -1 },
        { "2026-01-01T10:00:00.1234567", false, -1 },
        { "2026-01-01T", false, -1 },
        { "2026-01-01Z", false, -1 },
        { "20260101", false, -1 },
        { "infinity", false, -1 },
        { "", false, -1 },
    };
    int64_t v = 0;

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        bool is_good = gh_config_parse_time(gh_str_of(cases[i].text), cases[i].is_until, &v);
        ck_assert_msg(is_good == (cases[i].seconds >= 0), "%s", cases[i].text);
        if (is_good)
            ck_assert_msg(v == cases[i].seconds * 1000000, "%s: %lld", cases[i].text, (long long)v);
    }
    ck_assert(gh_config_parse_time(GH_STR("1970-01-01T00:00:00.25Z"), false, &v) && v == 250000);
    ck_assert(gh_config_parse_time(GH_STR("1969-12-31"), false, &v) && v == -86400000000);
}
END_TEST

START_TEST(values_time_round_trip)
{
    static const int64_t cases[] = { 0,
                                     1,
                                     -1,
                                     999999,
                                     -1000001,
                                     1767225600000000,
                                     1767225600250000,
                                     253402300799999999,
                                     -62135596800000000 };
    gh_buf b;

    gh_buf_init(&b, 0);
    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        int64_t v = 7;
        gh_buf_clear(&b);
        gh_config_put_time(&b, cases[i]);
        ck_assert_msg(gh_config_parse_time(gh_buf_str(&b), true, &v) && v == cases[i], GH_STR_FMT,
                      GH_STR_ARG(gh_buf_str(&b)));
    }
    gh_buf_clear(&b);
    gh_config_put_time(&b, 1767225600250000);
    ck_assert(gh_str_is(gh_buf_str(&b), "2026-01-01T00:00:00.250000Z"));
    gh_buf_fini(&b);
}
END_TEST

START_TEST(values_suggest)
{
    static const char *const known[] = { "listen", "warehouses", "audit", "acl", "tls" };

    ck_assert_str_eq(gh_config_suggest(GH_STR("listne"), known, 5), "listen");
    ck_assert_str_eq(gh_config_suggest(GH_STR("warehose"), known, 5), "warehouses");
    ck_assert_str_eq(gh_config_suggest(GH_STR("alc"), known, 5), "acl");
    ck_assert_ptr_null(gh_config_suggest(GH_STR("password"), known, 5));
    ck_assert_ptr_null(gh_config_suggest(GH_STR(""), known, 5));
    ck_assert_ptr_null(gh_config_suggest(GH_STR("xyz"), known, 5));
    char long_word[4096];
    memset(long_word, 'a', sizeof(long_word));
    ck_assert_ptr_null(gh_config_suggest((gh_str){ long_word, sizeof(long_word) }, known, 5));
}
END_TEST

Suite *suite_values(void)
{
    Suite *s = suite_create("values");
    TCase *t = tcase_create("values");

    tcase_add_test(t, values_int);
    tcase_add_test(t, values_size);
    tcase_add_test(t, values_duration);
    tcase_add_test(t, values_time);
    tcase_add_test(t, values_time_round_trip);
    tcase_add_test(t, values_suggest);
    suite_add_tcase(s, t);
    return s;
}
