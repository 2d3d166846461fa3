/* Results, errors, strings, hashing, UTF-8. */
#include "base_tests.h"

#include <limits.h>
#include <stdio.h>

START_TEST(rc_zero_is_no_success)
{
    ck_assert_int_ne(GH_OK, 0);
    ck_assert_int_eq(GH_UNSET, 0);
    for (int rc = GH_UNSET; rc <= GH_INTERNAL; rc++)
        ck_assert_str_ne(gh_rc_name((gh_rc)rc), "unknown");
    ck_assert_str_eq(gh_rc_name((gh_rc)99), "unknown");
}
END_TEST

START_TEST(fail_keeps_the_first)
{
    gh_err err = { 0 };

    ck_assert_int_eq(gh_fail(&err, GH_DENIED, "42501", "no %s", "way"), GH_DENIED);
    ck_assert_int_eq(gh_fail(&err, GH_IO, "58030", "later"), GH_IO);
    ck_assert_str_eq(err.sqlstate, "42501");
    ck_assert_str_eq(err.public_msg, "no way");
    gh_err_detail(&err, "rule %d", 7);
    gh_err_detail(&err, "rule %d", 8);
    ck_assert_str_eq(err.detail, "rule 7");
    ck_assert_int_eq(gh_fail(NULL, GH_IO, "58030", "nobody asks"), GH_IO);
    gh_err_detail(NULL, "nobody asks");
}
END_TEST

START_TEST(fail_takes_no_success)
{
    gh_err err = { 0 };

    (void)!gh_fail(&err, GH_OK, "00000", "aborts");
}
END_TEST

/* The bound of public_msg, with characters of every length across it: the cut text must be whole
 * UTF-8. */
START_TEST(fail_cuts_at_a_character)
{
    static const char *const fillers[] = { "x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x98" };
    const size_t room = sizeof(((gh_err *)0)->public_msg) - 1;

    for (size_t f = 0; f < GH_COUNT(fillers); f++) {
        for (size_t shift = 0; shift < 4; shift++) {
            gh_err err = { 0 };
            gh_buf text = { 0 };

            for (size_t i = 0; i < shift; i++)
                gh_buf_puts(&text, "-");
            while (text.len <= room + 8)
                gh_buf_puts(&text, fillers[f]);
            (void)!gh_fail(&err, GH_INVALID, "22023", GH_STR_FMT, GH_STR_ARG(gh_buf_str(&text)));
            ck_assert(gh_utf8_is_valid(gh_str_of(err.public_msg)));
            ck_assert_uint_ge(strlen(err.public_msg), room - 3);
            ck_assert_mem_eq(err.public_msg, text.ptr, strlen(err.public_msg));
            gh_buf_fini(&text);
        }
    }
}
END_TEST

START_TEST(fail_takes_what_fits)
{
    gh_err err = { 0 };
    char text[sizeof(err.public_msg)];

    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    (void)!gh_fail(&err, GH_INVALID, "22023", "%s", text);
    ck_assert_str_eq(err.public_msg, text);
}
END_TEST

START_TEST(str_comparisons)
{
    gh_str none = { NULL, 0 };

    ck_assert(gh_str_eq(none, GH_STR("")));
    ck_assert(gh_str_eq(gh_str_of(NULL), none));
    ck_assert(gh_str_is(GH_STR("abc"), "abc"));
    ck_assert(!gh_str_is(GH_STR("abc"), "abd"));
    ck_assert(!gh_str_is(GH_STR("abc"), "ab"));
    ck_assert(gh_str_ieq(GH_STR("Search_Path"), GH_STR("sEARCH_pATH")));
    ck_assert(!gh_str_ieq(GH_STR("a["), GH_STR("a{"))); /* 0x20 apart, no letters */
    ck_assert(!gh_str_ieq(GH_STR("\xc3\x89"), GH_STR("\xc3\xa9")));
    ck_assert_int_eq(gh_str_cmp(none, none), 0);
    ck_assert_int_eq(gh_str_cmp(GH_STR("ab"), GH_STR("abc")), -1);
    ck_assert_int_eq(gh_str_cmp(GH_STR("abc"), GH_STR("ab")), 1);
    ck_assert_int_eq(gh_str_cmp(GH_STR("a\xff"), GH_STR("az")), 1); /* bytes, not chars */
    ck_assert_int_eq(gh_str_cmp(GH_STR("b"), GH_STR("abc")), 1);
}
END_TEST

START_TEST(hash_depends_on_seed)
{
    char bytes[64];
    uint64_t seen[64];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    for (size_t len = 0; len < sizeof(bytes); len++) {
        seen[len] = gh_hash(bytes, len, 42);
        ck_assert_uint_eq(seen[len], gh_hash(bytes, len, 42));
        ck_assert_uint_ne(seen[len], gh_hash(bytes, len, 43));
        for (size_t i = 0; i < len; i++)
            ck_assert_uint_ne(seen[len], seen[i]);
    }
    ck_assert_uint_eq(gh_hash(NULL, 0, 1), gh_hash("", 0, 1));
    for (size_t i = 0; i < 40; i++) { /* every byte counts */
        bytes[i] ^= 1;
        ck_assert_uint_ne(gh_hash(bytes, 40, 42), seen[40]);
        bytes[i] ^= 1;
    }
}
END_TEST

/* A second decoder, written from the definition: build the code point, then ask all questions about
 * it. */
static bool utf8_oracle(const unsigned char *p, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = p[i] < 0x80       ? 1
                   : p[i] >> 5 == 6  ? 2
                   : p[i] >> 4 == 14 ? 3
                   : p[i] >> 3 == 30 ? 4
                                     : 0;
        static const uint32_t least[] = { 0, 1, 0x80, 0x800, 0x10000 };
        uint32_t c;

        if (n == 0 || n > len - i)
            return false;
        c = n == 1 ? p[i] : p[i] & (0xFFu >> (n + 1));
        for (size_t k = 1; k < n; k++) {
            if (p[i + k] >> 6 != 2)
                return false;
            c = c << 6 | (p[i + k] & 63u);
        }
        if (c < least[n] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
            return false;
        i += n;
    }
    return true;
}

START_TEST(utf8_all_short_strings)
{
    unsigned char s[4];
    size_t wrong = 0; /* one assertion at the end: Check's are slow */

    /* every string of up to two bytes, and every third and fourth byte class behind it */
    for (unsigned int a = 0; a < 256; a++) {
        for (unsigned int b = 0; b < 256; b++) {
            static const unsigned char tails[] = { 0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90,
                                                   0x9F, 0xA0, 0xBF, 0xC0, 0xFF };

            s[0] = (unsigned char)a;
            s[1] = (unsigned char)b;
            wrong += gh_utf8_is_valid((gh_str){ (char *)s, 1 }) != utf8_oracle(s, 1);
            wrong += gh_utf8_is_valid((gh_str){ (char *)s, 2 }) != utf8_oracle(s, 2);
            for (size_t i = 0; i < sizeof(tails); i++) {
                s[2] = tails[i];
                for (size_t k = 0; k < sizeof(tails); k++) {
                    s[3] = tails[k];
                    wrong += gh_utf8_is_valid((gh_str){ (char *)s, 3 }) != utf8_oracle(s, 3);
                    wrong += gh_utf8_is_valid((gh_str){ (char *)s, 4 }) != utf8_oracle(s, 4);
                }
            }
        }
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert(gh_utf8_is_valid((gh_str){ NULL, 0 }));
}
END_TEST

/* The eight-byte step must see a NUL or a bad byte at each place. */
START_TEST(utf8_words_hide_nothing)
{
    char s[25];

    for (size_t i = 0; i < 24; i++) {
        memset(s, 'a', sizeof(s));
        ck_assert(gh_utf8_is_valid((gh_str){ s, 24 }));
        s[i] = '\0';
        ck_assert(!gh_utf8_is_valid((gh_str){ s, 24 }));
        s[i] = '\x01';
        ck_assert(gh_utf8_is_valid((gh_str){ s, 24 }));
        s[i] = '\x80';
        ck_assert(!gh_utf8_is_valid((gh_str){ s, 24 }));
        s[i] = '\xc3';
        s[i + 1] = '\xa9';
        ck_assert_int_eq(gh_utf8_is_valid((gh_str){ s, 24 }), i < 23);
    }
}
END_TEST

static int GH_PRINTF(3, 4) by_library(char *to, size_t room, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(to, room, fmt, args);
    va_end(args);
    return n;
}

static int GH_PRINTF(3, 4) by_us(char *to, size_t room, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int n = gh_vformat(to, room, fmt, args);
    va_end(args);
    return n;
}

/* The C library is the oracle, whatever the room. */
#define CHECK_FORMAT(...)                                                                          \
    do {                                                                                           \
        for (size_t room = 0; room < 24; room++) {                                                 \
            char ours[32];                                                                         \
            char theirs[32];                                                                       \
            memset(ours, 'x', sizeof(ours));                                                       \
            memset(theirs, 'x', sizeof(theirs));                                                   \
            ck_assert_int_eq(by_us(ours, room, __VA_ARGS__),                                       \
                             by_library(theirs, room, __VA_ARGS__));                               \
            ck_assert_mem_eq(ours, theirs, room);                                                  \
            ck_assert_int_eq(ours[room], 'x');                                                     \
        }                                                                                          \
    } while (0)

START_TEST(format_is_the_librarys)
{
    static const int numbers[] = { 0, 1, -1, 9, 10, -10, 12345, INT_MAX, INT_MIN };
    static const long long longs[] = { 0, -7, LLONG_MAX, LLONG_MIN };
    const char *not_ended = "abc";

    CHECK_FORMAT("%s", "");
    CHECK_FORMAT("plain");
    CHECK_FORMAT("a%%b%s%%", "c");
    CHECK_FORMAT("%s, %s and %s", "one", "", "three");
    for (int most = -1; most < 6; most++)
        CHECK_FORMAT("<%.*s>", most, "abcd");
    CHECK_FORMAT("%.*s", 2, not_ended);
    CHECK_FORMAT("a" GH_STR_FMT "b", GH_STR_ARG((gh_str){ 0 }));
    for (size_t i = 0; i < GH_COUNT(numbers); i++)
        CHECK_FORMAT("%d:%s", numbers[i], "x");
    for (size_t i = 0; i < GH_COUNT(longs); i++)
        CHECK_FORMAT("%lld%s", longs[i], "x");
    CHECK_FORMAT("%s %05d", "a", 42); /* theirs */
    CHECK_FORMAT("%s %zu %c", "a", (size_t)42, 'c');
    CHECK_FORMAT("%.3s|%5s", "abcdef", "a");
}
END_TEST

Suite *base_text_suite(void)
{
    Suite *s = suite_create("base/text");
    TCase *tc = tcase_create("text");

    tcase_add_test(tc, rc_zero_is_no_success);
    tcase_add_test(tc, fail_keeps_the_first);
    tcase_add_test_raise_signal(tc, fail_takes_no_success, 6);
    tcase_add_test(tc, fail_cuts_at_a_character);
    tcase_add_test(tc, fail_takes_what_fits);
    tcase_add_test(tc, str_comparisons);
    tcase_add_test(tc, hash_depends_on_seed);
    tcase_add_test(tc, utf8_all_short_strings);
    tcase_add_test(tc, utf8_words_hide_nothing);
    tcase_add_test(tc, format_is_the_librarys);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(s, tc);
    return s;
}
