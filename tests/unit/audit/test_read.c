/* Reading back: JSON, filters, lines for people. */
#include "audit_tests.h"

#include "audit_priv.h"

#include <stdio.h>

START_TEST(json_takes_what_is_json)
{
    static const struct {
        const char *text;
        gh_json_type type;
    } cases[] = { { " null ", GH_JSON_NULL },
                  { "true", GH_JSON_BOOL },
                  { "false", GH_JSON_BOOL },
                  { "0", GH_JSON_NUMBER },
                  { "-0.5e+10", GH_JSON_NUMBER },
                  { "12", GH_JSON_NUMBER },
                  { "\"\\ud83d\\ude00\\/\\b\\f\"", GH_JSON_STRING },
                  { "[]", GH_JSON_ARRAY },
                  { "[ 1 , [ ] , { } ]", GH_JSON_ARRAY },
                  { "{}", GH_JSON_OBJECT },
                  { "{ \"a\" : { \"b\" : [ 1, \"]}\" ] } , \"c\" : null }", GH_JSON_OBJECT } };
    gh_arena *a = gh_arena_new(0);

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_json_value v;

        ck_assert_msg(gh_json_parse(gh_str_of(cases[i].text), a, &v, NULL) == GH_OK, "%s",
                      cases[i].text);
        ck_assert_int_eq(v.type, cases[i].type);
    }
    gh_arena_free(a);
}
END_TEST

START_TEST(json_refuses_the_rest)
{
    static const char *const wrong[] = { "",
                                         " ",
                                         "nul",
                                         "nulll",
                                         "01",
                                         "-",
                                         "1.",
                                         ".5",
                                         "1e",
                                         "+1",
                                         "NaN",
                                         "\"",
                                         "\"\\x\"",
                                         "\"\\",
                                         "\"\\u12\"",
                                         "\"\\ud800\"",
                                         "\"\\udc00\"",
                                         "\"\\ud800\\u0041\"",
                                         "\"a\nb\"",
                                         "\"\xff\"",
                                         "\"\xed\xa0\x80\"",
                                         "[",
                                         "[1",
                                         "[1,",
                                         "[1,]",
                                         "[,1]",
                                         "[1 2]",
                                         "[}",
                                         "{",
                                         "{\"a\"",
                                         "{\"a\":",
                                         "{\"a\":1,",
                                         "{\"a\":1,}",
                                         "{1:2}",
                                         "{\"a\" 1}",
                                         "{\"a\":1]",
                                         "{} {}",
                                         "{}x" };
    gh_arena *a = gh_arena_new(0);

    for (size_t i = 0; i < GH_COUNT(wrong); i++) {
        gh_json_value v = { GH_JSON_NONE, { NULL, 0 } };

        ck_assert_msg(gh_json_parse(gh_str_of(wrong[i]), a, &v, NULL) == GH_INVALID, "%s",
                      wrong[i]);
        ck_assert_int_eq(v.type, GH_JSON_NONE);
    }
    gh_arena_free(a);
}
END_TEST

START_TEST(json_depth_is_bounded)
{
    gh_arena *a = gh_arena_new(0);
    char text[2 * GH_AUDIT_JSON_DEPTH_MAX + 3];
    gh_json_value v;

    for (size_t depth = GH_AUDIT_JSON_DEPTH_MAX; depth <= GH_AUDIT_JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        text[depth] = '1';
        memset(text + depth + 1, ']', depth);
        ck_assert_int_eq(gh_json_parse((gh_str){ text, 2 * depth + 1 }, a, &v, NULL),
                         depth == GH_AUDIT_JSON_DEPTH_MAX ? GH_OK : GH_INVALID);
    }
    gh_arena_free(a);
}
END_TEST

START_TEST(json_prefixes_never_pass)
{
    const gh_str text = GH_STR("{\"a\":[1,-2.5e3,true,null,\"x\\u00e9\\\"\"],\"b\":{\"c\":{}}}");
    gh_arena *a = gh_arena_new(0);
    gh_json_value v;

    for (size_t len = 0; len < text.len; len++)
        ck_assert_int_eq(gh_json_parse((gh_str){ text.ptr, len }, a, &v, NULL), GH_INVALID);
    ck_assert_int_eq(gh_json_parse(text, a, &v, NULL), GH_OK);
    gh_arena_free(a);
}
END_TEST

START_TEST(json_walks)
{
    gh_arena *a = gh_arena_new(0);
    gh_json_value v;
    gh_json_value list;
    gh_json_item item;
    size_t count = 0;

    ck_assert_int_eq(
        gh_json_parse(GH_STR("{\"k\\u0061\":[1,\"two\",[3],{\"f\":4}],\"\":5}"), a, &v, NULL),
        GH_OK);
    list = gh_json_member(&v, a, "ka");
    ck_assert_int_eq(list.type, GH_JSON_ARRAY);
    for (bool ok = gh_json_first(&list, a, &item); ok; ok = gh_json_next(a, &item)) {
        static const gh_json_type want[] = { GH_JSON_NUMBER, GH_JSON_STRING, GH_JSON_ARRAY,
                                             GH_JSON_OBJECT };

        ck_assert_int_eq(item.value.type, want[count++]);
    }
    ck_assert_uint_eq(count, 4);
    ck_assert(gh_str_is(gh_json_member(&v, a, "").text, "5"));
    ck_assert_int_eq(gh_json_member(&v, a, "k").type, GH_JSON_NONE);
    ck_assert_int_eq(gh_json_member(&list, a, "k").type, GH_JSON_NONE);
    count = 0;
    for (bool ok = gh_json_first(&v, a, &item); ok; ok = gh_json_next(a, &item))
        count++;
    ck_assert_uint_eq(count, 2);
    gh_arena_free(a);
}
END_TEST

static const char s_record[] =
    "{\"kind\":\"intent\",\"time\":\"2026-07-31T12:00:00.250000Z\",\"statement\":\"a.1.1\","
    "\"session\":\"a.1.0\",\"user\":\"alice\",\"warehouse\":\"wh\",\"decision\":\"allowed\","
    "\"relations\":[{\"schema\":\"sales\",\"name\":\"orders\",\"clear\":[\"id\"],\"masked\":["
    "\"email\"],"
    "\"filtered\":[\"region\"]},{\"schema\":\"hr\",\"name\":\"staff\",\"clear\":[\"ssn\"],"
    "\"masked\":[],"
    "\"filtered\":[]}],\"sql\":\"SELECT\\n  \\u001b[2J\\u202e Secret\",\"rewritten\":\"select x\","
    "\"sqlstate\":\"42501\",\"message\":null,\"seq\":12}";

static bool matches(gh_audit_filter f)
{
    gh_arena *a = gh_arena_new(0);
    gh_json_value v;
    bool is_match;

    ck_assert_int_eq(gh_json_parse(GH_STR(s_record), a, &v, NULL), GH_OK);
    is_match = gh_audit_filter_matches(&f, &v, a);
    gh_arena_free(a);
    return is_match;
}

START_TEST(filters)
{
    const int64_t at = 1785499200250000;

    ck_assert(matches((gh_audit_filter){ .kind = GH_AUDIT_NONE }));
    ck_assert(matches((gh_audit_filter){ .kind = GH_AUDIT_INTENT }));
    ck_assert(!matches((gh_audit_filter){ .kind = GH_AUDIT_OUTCOME }));
    ck_assert(matches((gh_audit_filter){ .user = GH_STR("alice") }));
    ck_assert(!matches((gh_audit_filter){ .user = GH_STR("ALICE") }));
    ck_assert(!matches((gh_audit_filter){ .user = GH_STR("alic") }));
    ck_assert(matches((gh_audit_filter){ .warehouse = GH_STR("wh"), .session = GH_STR("a.1.0") }));
    ck_assert(!matches((gh_audit_filter){ .warehouse = GH_STR("other") }));
    ck_assert(!matches((gh_audit_filter){ .session = GH_STR("a.1.1") }));
    ck_assert(matches((gh_audit_filter){ .id = GH_STR("a.1.0") }));
    ck_assert(matches((gh_audit_filter){ .id = GH_STR("a.1.1") }));
    ck_assert(!matches((gh_audit_filter){ .id = GH_STR("a.1") }));
    ck_assert(matches((gh_audit_filter){ .seq = 12 }));
    ck_assert(!matches((gh_audit_filter){ .seq = 1 }));
    ck_assert(matches((gh_audit_filter){ .sqlstate = GH_STR("42501") }));
    ck_assert(!matches((gh_audit_filter){ .sqlstate = GH_STR("42P01") }));
    ck_assert(matches((gh_audit_filter){ .since_us = at, .until_us = at + 1 }));
    ck_assert(!matches((gh_audit_filter){ .since_us = at + 1 }));
    ck_assert(!matches((gh_audit_filter){ .until_us = at }));
    ck_assert(matches((gh_audit_filter){ .relation = GH_STR("orders") }));
    ck_assert(matches((gh_audit_filter){ .relation = GH_STR("hr.staff") }));
    ck_assert(!matches((gh_audit_filter){ .relation = GH_STR("sales.staff") }));
    ck_assert(!matches((gh_audit_filter){ .relation = GH_STR("sales") }));
    ck_assert(matches((gh_audit_filter){ .column = GH_STR("email") }));
    ck_assert(matches((gh_audit_filter){ .column = GH_STR("region") }));
    ck_assert(matches((gh_audit_filter){ .relation = GH_STR("staff"), .column = GH_STR("ssn") }));
    ck_assert(!matches((gh_audit_filter){ .relation = GH_STR("orders"), .column = GH_STR("ssn") }));
    ck_assert(matches((gh_audit_filter){ .text = GH_STR("sEcReT") }));
    ck_assert(matches((gh_audit_filter){ .text = GH_STR("SELECT X") }));
    ck_assert(!matches((gh_audit_filter){ .text = GH_STR("orders") }));
    ck_assert(!matches((gh_audit_filter){ .text = GH_STR("secret, and more than there is") }));
}
END_TEST

static void show(const char *record, size_t width, gh_buf *out)
{
    gh_arena *a = gh_arena_new(0);
    gh_json_value v;

    ck_assert_int_eq(gh_json_parse(gh_str_of(record), a, &v, NULL), GH_OK);
    gh_buf_clear(out);
    gh_audit_show(&v, a, width, out);
    gh_arena_free(a);
}

static void show_fields(const char *record, gh_buf *out)
{
    gh_arena *a = gh_arena_new(0);
    gh_json_value v;

    ck_assert_int_eq(gh_json_parse(gh_str_of(record), a, &v, NULL), GH_OK);
    gh_buf_clear(out);
    gh_audit_show_fields(&v, a, out);
    gh_arena_free(a);
}

START_TEST(show_is_one_line)
{
    gh_buf out;

    gh_buf_init(&out, 0);
    show(s_record, 0, &out);
    ck_assert_msg(gh_str_is(gh_buf_str(&out),
                            "2026-07-31 12:00:00.250  intent        alice        wh         "
                            "SELECT ?[2J? Secret  masked orders.email\n"),
                  "%.*s", (int)out.len, out.ptr);
    show(s_record, 40, &out);
    ck_assert_uint_eq(out.len, 41);
    show("{\"kind\":\"outcome\",\"time\":\"2026-07-31T12:00:00.250000Z\",\"user\":\"al\","
         "\"warehouse\":\"wh\","
         "\"rows\":3,\"bytes\":45,\"duration_us\":1234,\"sqlstate\":null,\"message\":null}",
         0, &out);
    ck_assert(gh_str_is(gh_buf_str(&out),
                        "2026-07-31 12:00:00.250  outcome       al           wh         "
                        "3 rows, 45 bytes, 1.234 ms\n"));
    gh_buf_fini(&out);
}
END_TEST

START_TEST(show_fields_is_a_field_a_line)
{
    gh_buf out;

    gh_buf_init(&out, 0);
    show_fields(
        "{\"kind\":\"refused\",\"roles\":[\"a\",\"b\"],\"grants\":[],\"tls\":null,\"relations\":["
        "{\"schema\":\"s\",\"name\":\"t\",\"privileges\":[\"select\"],\"clear\":[\"x\",\"y\"],"
        "\"masked\":[],\"filtered\":[\"x\"],\"row_filtered\":true},"
        "{\"schema\":\"s\",\"name\":\"u\",\"clear\":[],\"row_filtered\":false}],"
        "\"would\":{\"sqlstate\":\"42501\",\"message\":\"no\"},\"fingerprint\":true,"
        "\"a_name_longer_than_the_column\":1,"
        "\"sql\":\"SELECT 1,\\r\\n\\t2\\nuser mallory\\u001b[2J\\r\"}",
        &out);
    ck_assert_msg(gh_str_is(gh_buf_str(&out),
                            "kind             refused\n"
                            "roles            a, b\n"
                            "grants           \n"
                            "tls              -\n"
                            "relation         s.t: privileges select; clear x, y; filtered x; "
                            "row_filtered\n"
                            "relation         s.u\n"
                            "would            42501 no\n"
                            "fingerprint      true\n"
                            "a_name_longer_than_the_column 1\n"
                            "sql              SELECT 1,\n"
                            "                  2\n"
                            "                 user mallory?[2J?\n"),
                  "%.*s", (int)out.len, out.ptr);
    gh_buf_fini(&out);
}
END_TEST

static void check_safe(gh_str text, const char *fine)
{
    for (size_t i = 0; i + 1 < text.len; i++) {
        size_t len;
        uint32_t code = gh_audit_utf8_at(text, i, &len);

        ck_assert_msg((len == 1 && strchr(fine, text.ptr[i]) != NULL) ||
                          (code != 0 && !gh_audit_is_unprintable(code)),
                      "byte %zu of %.*s", i, (int)text.len, text.ptr);
        i += len - 1;
    }
}

/* Every field full of control sequences, in every kind: what is printed holds none. */
START_TEST(show_is_safe)
{
    static const char evil[] = "\\u001b]0;x\\u0007\\u009b2J\\u202e\\n\\r\\b\\uefff\\u007f";
    gh_buf out;

    gh_buf_init(&out, 0);
    for (int kind = GH_AUDIT_NONE; kind <= GH_AUDIT_GAP; kind++) {
        char record[2048];

        (void)snprintf(
            record, sizeof(record),
            "{\"kind\":\"%s\",\"time\":\"%s\",\"user\":\"%s\",\"warehouse\":\"%s\","
            "\"client\":\"%s\",\"tls\":\"%s\",\"application\":\"%s\",\"sqlstate\":\"%s\","
            "\"message\":\"%s\",\"sql\":\"%s\",\"rows\":\"%s\",\"bytes\":\"%s\",\"policy_version\":"
            "\"%s\","
            "\"relations\":[{\"name\":\"%s\",\"masked\":[\"%s\"]}]}",
            kind == GH_AUDIT_NONE ? evil : gh_audit_kind_name((gh_audit_kind)kind), evil, evil,
            evil, evil, evil, evil, evil, evil, evil, evil, evil, evil, evil, evil);
        show(record, 0, &out);
        check_safe(gh_buf_str(&out), "");
        show_fields(record, &out);
        check_safe(gh_buf_str(&out), "\n");
        /* What a value continues is indented: only fields are at the start of a line. */
        size_t fields = 0;
        for (size_t i = 0; i < out.len; i++)
            fields += (i == 0 || out.ptr[i - 1] == '\n') && out.ptr[i] != ' ';
        ck_assert_uint_eq(fields, 14);
    }
    gh_buf_fini(&out);
}
END_TEST

Suite *audit_read_suite(void)
{
    Suite *s = suite_create("read");
    TCase *c = tcase_create("read");

    tcase_add_test(c, json_takes_what_is_json);
    tcase_add_test(c, json_refuses_the_rest);
    tcase_add_test(c, json_depth_is_bounded);
    tcase_add_test(c, json_prefixes_never_pass);
    tcase_add_test(c, json_walks);
    tcase_add_test(c, filters);
    tcase_add_test(c, show_is_one_line);
    tcase_add_test(c, show_fields_is_a_field_a_line);
    tcase_add_test(c, show_is_safe);
    suite_add_tcase(s, c);
    return s;
}
