#include "suites.h"

#include <gatehouse/config.h>

#include <stdlib.h>

static gh_arena *s_arena;
static gh_err s_err;

static void setup(void)
{
    s_arena = gh_arena_new(0);
    s_err = (gh_err){ 0 };
}

static void teardown(void)
{
    gh_arena_free(s_arena);
}

static const gh_yaml_node *parsed(const char *text)
{
    const gh_yaml_node *root = NULL;

    ck_assert_msg(gh_yaml_parse(GH_STR("t.yaml"), gh_str_of(text), s_arena, &root, &s_err) == GH_OK,
                  "%s", s_err.public_msg);
    return root;
}

static void refused(const char *text, const char *message)
{
    const gh_yaml_node *root = NULL;
    gh_err err = { 0 };

    ck_assert_int_eq(gh_yaml_parse(GH_STR("t.yaml"), gh_str_of(text), s_arena, &root, &err),
                     GH_INVALID);
    ck_assert_str_eq(err.public_msg, message);
    ck_assert_ptr_null(root);
}

START_TEST(yaml_builds_tree)
{
    const gh_yaml_node *root = parsed("a: 1\nb:\n  - x\n  - 'y z'\nc: { d: [], e: {} }\n");

    ck_assert_int_eq(root->kind, GH_YAML_MAPPING);
    ck_assert_uint_eq(root->count, 3);
    ck_assert(gh_str_is(gh_yaml_key(root, 1)->text, "b"));
    const gh_yaml_node *b = gh_yaml_get(root, "b");
    ck_assert_int_eq(b->kind, GH_YAML_SEQUENCE);
    ck_assert_uint_eq(b->count, 2);
    ck_assert(b->items[0].is_plain);
    ck_assert(!b->items[1].is_plain);
    ck_assert(gh_str_is(b->items[1].text, "y z"));
    ck_assert_uint_eq(b->items[1].line, 4);
    ck_assert_uint_eq(b->items[1].column, 5);
    ck_assert_uint_eq(gh_yaml_get(gh_yaml_get(root, "c"), "d")->count, 0);
    ck_assert_int_eq(gh_yaml_get(gh_yaml_get(root, "c"), "e")->kind, GH_YAML_MAPPING);
    ck_assert_ptr_null(gh_yaml_get(root, "nope"));
    ck_assert_ptr_null(gh_yaml_get(b, "x"));
}
END_TEST

START_TEST(yaml_empty_is_null)
{
    ck_assert(gh_yaml_is_null(parsed("")));
    ck_assert(gh_yaml_is_null(parsed("# a comment\n")));
    ck_assert(gh_yaml_is_null(gh_yaml_get(parsed("a: ~"), "a")));
    ck_assert(!gh_yaml_is_null(gh_yaml_get(parsed("a: ''"), "a")));
    ck_assert(!gh_yaml_is_null(gh_yaml_get(parsed("a: 'null'"), "a")));
}
END_TEST

START_TEST(yaml_refuses_bombs)
{
    refused("a: &x [1]\nb: *x\n", "t.yaml:1:4: an anchor (&name) is not allowed");
    refused("a: *.*\n",
            "t.yaml:1:5: an alias (*name) is not allowed; quote a text that starts with *");
    refused("a: *x\n",
            "t.yaml:1:4: an alias (*name) is not allowed; quote a text that starts with *");
    refused("a: !!python/object:os.system x\n", "t.yaml:1:4: tags (!name) are not allowed");
    refused("a: !!map {}\n", "t.yaml:1:4: tags (!name) are not allowed");
}
END_TEST

START_TEST(yaml_refuses_malformed)
{
    refused("a: 1\n---\nb: 2\n", "t.yaml:2:1: a second document (---) is not allowed");
    refused("a: 1\nb: 2\na: 3\n", "t.yaml:3:1: a: given twice, first in line 1");
    refused("? [a]\n: 1\n", "t.yaml:1:3: a key must be text");
    refused("a: [1, 2\n", "t.yaml:2:1: did not find expected ',' or ']', while parsing a flow "
                          "sequence (which began in line 1)");
    refused("a: \"x\\0y\"\n", "t.yaml:1:4: text must be UTF-8 without NUL");
    refused("a: \xff\n", "t.yaml:1:1: byte 3: invalid leading UTF-8 octet");
}
END_TEST

START_TEST(yaml_refuses_duplicates_in_large_mappings)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    for (int i = 0; i < 1000; i++)
        gh_buf_printf(&b, "k%d: %d\n", i, i);
    gh_buf_put_u8(&b, 0);
    ck_assert_uint_eq(parsed(b.ptr)->count, 1000);
    b.len--;
    gh_buf_puts(&b, "k17: again\n");
    gh_buf_put_u8(&b, 0);
    refused(b.ptr, "t.yaml:1001:1: k17: given twice, first in line 18");
    gh_buf_fini(&b);
}
END_TEST

static gh_rc nested(size_t depth, gh_err *err)
{
    const gh_yaml_node *root;
    gh_buf b;

    gh_buf_init(&b, 0);
    for (size_t i = 0; i < depth; i++)
        gh_buf_puts(&b, "[");
    for (size_t i = 0; i < depth; i++)
        gh_buf_puts(&b, "]");
    gh_rc rc = gh_yaml_parse(GH_STR("t.yaml"), gh_buf_str(&b), s_arena, &root, err);
    gh_buf_fini(&b);
    return rc;
}

START_TEST(yaml_depth_bound)
{
    gh_err err = { 0 };

    ck_assert_int_eq(nested(GH_YAML_DEPTH_MAX, NULL), GH_OK);
    ck_assert_int_eq(nested(GH_YAML_DEPTH_MAX + 1, &err), GH_LIMIT);
    ck_assert_str_eq(err.public_msg, "t.yaml:1:33: nested too deeply");
}
END_TEST

START_TEST(yaml_bytes_bound)
{
    const gh_yaml_node *root;
    size_t len = (size_t)GH_YAML_BYTES_MAX + 1;
    char *text = malloc(len);

    memset(text, ' ', len);
    text[0] = '#';
    ck_assert_int_eq(gh_yaml_parse(GH_STR("t"), (gh_str){ text, len - 1 }, s_arena, &root, NULL),
                     GH_OK);
    ck_assert_int_eq(gh_yaml_parse(GH_STR("t"), (gh_str){ text, len }, s_arena, &root, &s_err),
                     GH_LIMIT);
    ck_assert_str_eq(s_err.public_msg, "t: the file is larger than 256 MiB");
    free(text);
}
END_TEST

START_TEST(yaml_memory_bound)
{
    const gh_yaml_node *root;
    gh_arena *small = gh_arena_new(200);

    ck_assert_int_eq(gh_yaml_parse(GH_STR("t"), GH_STR("a: 1\nb: [1,2,3,4,5,6,7,8,9,10]\n"), small,
                                   &root, &s_err),
                     GH_LIMIT);
    gh_arena_free(small);
}
END_TEST

START_TEST(yaml_getters_collect_faults)
{
    static const char *const known[] = { "n", "b", "size", "time", "word", "list", "span" };
    static const char *const words[] = { "red", "green" };
    const gh_yaml_node *root = parsed("n: 11\nb: yes\nsize: 3 MiB\ntime: 2026-02-30\nword: blue\n"
                                      "list: one\nspan: 5 years\nwrod: red\n");
    gh_buf faults;
    size_t count;

    gh_buf_init(&faults, 0);
    gh_yaml_reader r = gh_yaml_reader_of(GH_STR("t.yaml"), s_arena, &faults);
    ck_assert(gh_yaml_want_keys(&r, root, NULL, known, GH_COUNT(known)));
    ck_assert_int_eq(gh_yaml_int(&r, gh_yaml_get(root, "n"), "n", 0, 10, 7), 7);
    ck_assert(gh_yaml_bool(&r, gh_yaml_get(root, "b"), "b", true));
    ck_assert_uint_eq(gh_yaml_size(&r, gh_yaml_get(root, "size"), "size", 0, 1 << 30, 5), 5);
    ck_assert_int_eq(gh_yaml_time(&r, gh_yaml_get(root, "time"), "time", false, 9), 9);
    ck_assert_uint_eq(gh_yaml_choice(&r, gh_yaml_get(root, "word"), "word", words, 2, 1), 1);
    ck_assert_ptr_null(gh_yaml_str_list(&r, gh_yaml_get(root, "list"), "list", &count));
    ck_assert_int_eq(gh_yaml_duration_ms(&r, gh_yaml_get(root, "span"), "span", 60000, 4), 4);
    ck_assert_ptr_null(gh_yaml_require(&r, root, "gone"));
    ck_assert_uint_eq(r.fault_count, 9);
    ck_assert_int_eq(gh_yaml_finish(&r, &s_err), GH_INVALID);
    ck_assert_str_eq(s_err.public_msg, "t.yaml:8:1: wrod: unknown key; did you mean \"word\"?");
    gh_buf_put_u8(&faults, 0);
    ck_assert_str_eq(faults.ptr,
                     "t.yaml:8:1: wrod: unknown key; did you mean \"word\"?\n"
                     "t.yaml:1:4: n: expected a whole number from 0 to 10, found \"11\"\n"
                     "t.yaml:2:4: b: expected true or false, found \"yes\"\n"
                     "t.yaml:3:7: size: expected a size from 0 to 1024MiB, such as 64kB, 16MiB or "
                     "1GB, found \"3 MiB\"\n"
                     "t.yaml:4:7: time: expected a date such as 2026-12-31 or a time such as "
                     "2026-12-31T08:00:00Z, "
                     "found \"2026-02-30\"\n"
                     "t.yaml:5:7: word: expected one of red, green, found \"blue\"\n"
                     "t.yaml:6:7: list: expected a list, found a single value\n"
                     "t.yaml:7:7: span: expected a duration up to 60s, such as 500ms, 60s, 5m, 4h "
                     "or 7d, found \"5 "
                     "years\"\n"
                     "t.yaml:1:1: gone: missing\n");
    gh_buf_fini(&faults);
}
END_TEST

START_TEST(yaml_getters_read)
{
    const gh_yaml_node *root = parsed("n: 1e6\nb: true\nl: [a, 'b', NO]\nq: '5'\n");
    gh_buf faults;
    size_t count;

    gh_buf_init(&faults, 0);
    gh_yaml_reader r = gh_yaml_reader_of(GH_STR("t.yaml"), s_arena, &faults);
    ck_assert_int_eq(gh_yaml_int(&r, gh_yaml_get(root, "n"), "n", 0, 1000000, 0), 1000000);
    ck_assert(gh_yaml_bool(&r, gh_yaml_get(root, "b"), "b", false));
    const gh_str *list = gh_yaml_str_list(&r, gh_yaml_get(root, "l"), "l", &count);
    ck_assert_uint_eq(count, 3);
    ck_assert(gh_str_is(list[2], "NO"));
    ck_assert(gh_str_is(gh_yaml_str(&r, NULL, "x", GH_STR("dflt")), "dflt"));
    ck_assert_int_eq(gh_yaml_finish(&r, NULL), GH_OK);
    ck_assert_int_eq(gh_yaml_int(&r, gh_yaml_get(root, "q"), "q", 0, 9, 0), 0); /* quoted: text */
    ck_assert_uint_eq(r.fault_count, 1);
    gh_buf_fini(&faults);
}
END_TEST

Suite *suite_yaml(void)
{
    Suite *s = suite_create("yaml");
    TCase *t = tcase_create("yaml");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, yaml_builds_tree);
    tcase_add_test(t, yaml_empty_is_null);
    tcase_add_test(t, yaml_refuses_bombs);
    tcase_add_test(t, yaml_refuses_malformed);
    tcase_add_test(t, yaml_refuses_duplicates_in_large_mappings);
    tcase_add_test(t, yaml_depth_bound);
    tcase_add_test(t, yaml_bytes_bound);
    tcase_add_test(t, yaml_memory_bound);
    tcase_add_test(t, yaml_getters_collect_faults);
    tcase_add_test(t, yaml_getters_read);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return s;
}
