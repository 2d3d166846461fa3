/* Strings, ids and times. */
#include "audit_tests.h"

#include "audit_priv.h"

/* A small generator of its own: the same bytes on every machine. */
static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* Bytes as an attacker would mix them: quotes, backslashes, controls, halves of UTF-8, our own
 * escapes. */
static size_t hostile_bytes(uint64_t *state, char out[64])
{
    static const char *const parts[] = {
        "\"",           "\\",           "\n",           "\r",
        "\"}\n{\"a\":", "\\u0022",      "\xee\xbe\x80", "\xee\xbf\xbf",
        "\xee\xbe\xbf", "\xee\xbe\x7f", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xc0\x80",     "\xe2\x80\xa8", "\xc2\x9b",     "\xf0\x9f\x98\x80",
        "\x7f",         "\x1b[2J",      "\xe2\x80\xae", "\xc3\xa9"
    };
    size_t len = 0;

    while (len < 48) {
        uint32_t pick = next_random(state);

        if (pick % 3 == 0) {
            const char *part = parts[pick / 3 % GH_COUNT(parts)];

            memcpy(out + len, part, strlen(part));
            len += strlen(part);
        } else if (pick % 3 == 1) {
            out[len++] = (char)(pick >> 8);
        } else {
            memset(out + len, 'a', 4);
            len += 4;
        }
        if (pick % 29 == 0)
            break;
    }
    return len;
}

static bool has_control(gh_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] < 0x20)
            return true;
    }
    return false;
}

START_TEST(hostile_strings)
{
    gh_arena *a = gh_arena_new(0);
    uint64_t state = 7;
    gh_buf out;

    gh_buf_init(&out, 0);
    for (int i = 0; i < 20000; i++) {
        char bytes[64];
        size_t len = hostile_bytes(&state, bytes);
        gh_json_value v;

        gh_buf_clear(&out);
        gh_audit_put_string(&out, (gh_str){ bytes, len });
        ck_assert(gh_utf8_is_valid(gh_buf_str(&out)));
        ck_assert(!has_control(gh_buf_str(&out)));
        ck_assert_int_eq(gh_json_parse(gh_buf_str(&out), a, &v, NULL), GH_OK);
        ck_assert_int_eq(v.type, GH_JSON_STRING);
        ck_assert(gh_str_eq(v.text, (gh_str){ bytes, len }));
        gh_arena_reset(a);
    }
    gh_buf_fini(&out);
    gh_arena_free(a);
}
END_TEST

START_TEST(every_byte_alone_and_in_a_run)
{
    gh_arena *a = gh_arena_new(0);
    gh_buf out;

    gh_buf_init(&out, 0);
    for (unsigned c = 0; c < 256; c++) {
        for (size_t at = 0; at < 20; at++) {
            char bytes[20];
            gh_json_value v;

            memset(bytes, 'x', sizeof(bytes));
            bytes[at] = (char)c;
            gh_buf_clear(&out);
            gh_audit_put_string(&out, (gh_str){ bytes, sizeof(bytes) });
            ck_assert_int_eq(gh_json_parse(gh_buf_str(&out), a, &v, NULL), GH_OK);
            ck_assert(gh_str_eq(v.text, (gh_str){ bytes, sizeof(bytes) }));
            ck_assert_int_eq(out.len == sizeof(bytes) + 2,
                             c >= 0x20 && c < 0x7f && c != '"' && c != '\\');
        }
        gh_arena_reset(a);
    }
    gh_buf_fini(&out);
    gh_arena_free(a);
}
END_TEST

static void check_string(const char *in, const char *want)
{
    gh_buf out;

    gh_buf_init(&out, 0);
    gh_audit_put_string(&out, gh_str_of(in));
    ck_assert_msg(gh_str_is(gh_buf_str(&out), want), "%.*s is not %s", (int)out.len, out.ptr, want);
    gh_buf_fini(&out);
}

START_TEST(strings_as_documented)
{
    check_string("", "\"\"");
    check_string("a\"b\\c", "\"a\\\"b\\\\c\"");
    check_string("\n\t\r\x01\x7f", "\"\\n\\t\\r\\u0001\\u007f\"");
    check_string("caf\xc3\xa9 \xf0\x9f\x98\x80", "\"caf\xc3\xa9 \xf0\x9f\x98\x80\"");
    check_string("\xff", "\"\\uefff\"");
    check_string("\xc3", "\"\\uefc3\"");
    check_string("\xee\xbe\x80", "\"\\uefee\\uefbe\\uef80\"");
    check_string("\xed\xa0\x80", "\"\\uefed\\uefa0\\uef80\"");
    check_string("\xe2\x80\xae\xc2\x9b", "\"\\u202e\\u009b\"");
}
END_TEST

START_TEST(ids)
{
    char text[GH_AUDIT_ID_TEXT];
    gh_audit_id most = { UINT64_MAX, UINT64_MAX, UINT32_MAX };

    ck_assert_uint_eq(gh_audit_id_text((gh_audit_id){ 0xabc, 7, 2 }, text), 20);
    ck_assert_str_eq(text, "0000000000000abc.2.7");
    ck_assert_uint_lt(gh_audit_id_text(most, text), GH_AUDIT_ID_TEXT);
    ck_assert_str_eq(text, "ffffffffffffffff.4294967295.18446744073709551615");
}
END_TEST

START_TEST(times_to_text)
{
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = { { 0, "1970-01-01T00:00:00.000000Z" },
                  { -1, "1969-12-31T23:59:59.999999Z" },
                  { 951782400000000, "2000-02-29T00:00:00.000000Z" },
                  { 1785499199123456, "2026-07-31T11:59:59.123456Z" },
                  { 4102444799999999, "2099-12-31T23:59:59.999999Z" },
                  { INT64_MIN, "0000-00-00T00:00:00.000000Z" } };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        char text[GH_AUDIT_TIME_TEXT];
        int64_t back;

        ck_assert_uint_eq(gh_audit_time_text(cases[i].us, text), strlen(cases[i].text));
        ck_assert_str_eq(text, cases[i].text);
        if (cases[i].us == INT64_MIN)
            continue;
        ck_assert_int_eq(gh_audit_time_parse(gh_str_of(text), 0, &back, NULL), GH_OK);
        ck_assert_int_eq(back, cases[i].us);
    }
}
END_TEST

START_TEST(every_day_there_and_back)
{
    for (int64_t day = -150000; day < 1000000; day += 17) {
        char text[GH_AUDIT_TIME_TEXT];
        int64_t back;

        (void)gh_audit_time_text(day * 86400 * 1000000, text);
        ck_assert_int_eq(gh_audit_time_parse(gh_str_of(text), 0, &back, NULL), GH_OK);
        ck_assert_int_eq(back, day * 86400 * 1000000);
    }
}
END_TEST

START_TEST(times_as_people_write_them)
{
    const int64_t now = 1000000000000000;
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = { { "2026-07-31", 1785456000000000 },
                  { "2026-07-31 12:00", 1785499200000000 },
                  { "2026-07-31T12:00:01", 1785499201000000 },
                  { "2026-07-31t12:00:01.5z", 1785499201500000 },
                  { "2026-07-31T12:00:01.1234567Z", 1785499201123456 },
                  { "2026-07-31T12:00:00+02:00", 1785492000000000 },
                  { "2026-07-31T12:00:00-00:30", 1785501000000000 },
                  { "30s", 999999970000000 },
                  { "15m", 999999100000000 },
                  { "4h", 999985600000000 },
                  { "7d", 999395200000000 },
                  { "2w", 998790400000000 } };
    static const char *const wrong[] = { "",
                                         "x",
                                         "h",
                                         "-4h",
                                         "4y",
                                         "100000001s",
                                         "99999999999999999999h",
                                         "2026-13-01",
                                         "2026-02-29",
                                         "2026-01-00",
                                         "2026-1-1",
                                         "2026-01-01T24:00",
                                         "2026-01-01T12",
                                         "2026-01-01T12:00:00.",
                                         "2026-01-01T12:00:00Zjunk",
                                         "2026-01-01T12:00:00+0200" };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        int64_t us = 0;

        ck_assert_msg(gh_audit_time_parse(gh_str_of(cases[i].text), now, &us, NULL) == GH_OK &&
                          us == cases[i].us,
                      "%s gives %lld", cases[i].text, (long long)us);
    }
    for (size_t i = 0; i < GH_COUNT(wrong); i++) {
        int64_t us = 5;
        gh_err err = { .sqlstate = "" };

        ck_assert_msg(gh_audit_time_parse(gh_str_of(wrong[i]), now, &us, &err) == GH_INVALID,
                      "%s is taken", wrong[i]);
        ck_assert_int_eq(us, 5);
        ck_assert_str_eq(err.sqlstate, "22007");
    }
}
END_TEST

Suite *audit_text_suite(void)
{
    Suite *s = suite_create("text");
    TCase *c = tcase_create("text");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, hostile_strings);
    tcase_add_test(c, every_byte_alone_and_in_a_run);
    tcase_add_test(c, strings_as_documented);
    tcase_add_test(c, ids);
    tcase_add_test(c, times_to_text);
    tcase_add_test(c, every_day_there_and_back);
    tcase_add_test(c, times_as_people_write_them);
    suite_add_tcase(s, c);
    return s;
}
