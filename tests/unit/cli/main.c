/* cli: what its verbs stand on. tests/integration/cli.py drives the binary. */
#include "cli_priv.h"

#include <check.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gatehouse/server.h>

static gh_arena *s_arena;
static char s_dir[64];

static void setup(void)
{
    s_arena = gh_arena_new(0);
    (void)snprintf(s_dir, sizeof(s_dir), "/tmp/gatehouse-cli-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(s_dir));
}

static void teardown(void)
{
    ck_assert_int_eq(rmdir(s_dir), 0);
    gh_arena_free(s_arena);
}

static const char *in_dir(const char *name)
{
    return gh_arena_printf(s_arena, "%s/%s", s_dir, name).ptr;
}

static const char *write_file(const char *name, gh_str text)
{
    const char *path = in_dir(name);
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text.ptr, 1, text.len, f), text.len);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(path, 0600), 0);
    return path;
}

/* ---- tables -------------------------------------------------------------------------------------------- */

static void expect_table(bool is_json, const char *expected)
{
    static const char *const headings[] = { "name", "roles", "id" };
    static const cli_option json = { "--json", NULL, "" };
    static const cli_verb verb = { .name = "x" };
    cli_call *c = gh_alloc(sizeof(*c));
    gh_str roles[] = { GH_STR("a\"b"), GH_STR("c") };
    char *text = NULL;
    size_t len = 0;
    cli_table t;
    FILE *out = open_memstream(&text, &len);

    c->verb = &verb;
    c->arena = s_arena;
    if (is_json) {
        c->given[0].option = &json;
        c->given_count = 1;
    }
    cli_table_init(&t, headings, 3, s_arena);
    cli_table_put(&t, GH_STR("x\ny"));
    cli_table_put_list(&t, (gh_str_list){ roles, 2 });
    cli_table_put_number(&t, -5);
    cli_table_put(&t, (gh_str){ 0 });
    cli_table_put_list(&t, (gh_str_list){ 0 });
    cli_table_put_number(&t, 7);
    cli_table_print(&t, c, out);
    cli_table_fini(&t);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_str_eq(text, expected);
    free(text);
    free(c);
}

START_TEST(table_prints)
{
    expect_table(false, "x?y\ta\"b, c\t-5\n\t\t7\n");
    expect_table(true, "{\"name\":\"x\\ny\",\"roles\":[\"a\\\"b\",\"c\"],\"id\":-5}\n"
                       "{\"name\":\"\",\"roles\":[],\"id\":7}\n");
}
END_TEST

START_TEST(times_print)
{
    ck_assert_str_eq(cli_time_text(s_arena, 1798761600000000).ptr, "2027-01-01T00:00:00Z");
    ck_assert_uint_eq(cli_time_text(s_arena, INT64_MIN).len, 0);
    ck_assert_uint_eq(cli_time_text(s_arena, INT64_MAX).len, 0);
}
END_TEST

/* ---- files --------------------------------------------------------------------------------------------- */

START_TEST(files_have_a_bound)
{
    const char *path = write_file("f", GH_STR("12345"));
    gh_err err = { 0 };
    gh_str text;

    ck_assert_int_eq(cli_read_file(path, 5, s_arena, &text, &err), GH_OK);
    ck_assert(gh_str_is(text, "12345"));
    ck_assert_int_eq(cli_read_file(path, 4, s_arena, &text, &err), GH_LIMIT);
    ck_assert_int_eq(cli_read_file(in_dir("none"), 4, s_arena, &text, NULL), GH_NOT_FOUND);
    ck_assert_int_eq(cli_read_file(s_dir, 4, s_arena, &text, NULL), GH_IO);
    unlink(path);
}
END_TEST

static void expect_password(gh_str file, const char *expected)
{
    const char *path = write_file("pass", file);
    gh_config_warehouse w = { .name = GH_STR("wh"), .password_file = gh_str_of(path) };
    gh_secret got = { 0 };

    ck_assert_int_eq(gh_server_password(&w, &got, NULL), GH_OK);
    ck_assert(gh_str_is((gh_str){ got.ptr, got.len }, expected));
    gh_secret_fini(&got);
    unlink(path);
}

static void password_fails(gh_str file, mode_t mode, gh_rc rc)
{
    const char *path = write_file("pass", file);
    gh_config_warehouse w = { .name = GH_STR("wh"), .password_file = gh_str_of(path) };
    gh_secret got = { 0 };

    ck_assert_int_eq(chmod(path, mode), 0);
    ck_assert_int_eq(gh_server_password(&w, &got, NULL), rc);
    ck_assert_ptr_null(got.ptr);
    unlink(path);
}

START_TEST(passwords_are_found)
{
    char longest[4097];
    char longest_line[4097];
    gh_config_warehouse w = { .name = GH_STR("wh"), .password_env = GH_STR("GH_TEST_PASSWORD") };
    gh_secret got = { 0 };
    gh_err err = { 0 };

    memset(longest, 'x', sizeof(longest));
    memset(longest_line, 'x', sizeof(longest_line));
    longest_line[4096] = '\0';
    expect_password(GH_STR("secret\n"), "secret");
    expect_password(GH_STR("secret"), "secret");
    expect_password(GH_STR("two words\r\nand another line\n"), "two words");
    expect_password(GH_STR(""), "");
    expect_password((gh_str){ longest, sizeof(longest) - 1 }, longest_line);
    password_fails((gh_str){ longest, sizeof(longest) }, 0600, GH_LIMIT);
    password_fails(GH_STR("secret"), 0604, GH_INVALID);
    ck_assert_int_eq(setenv("GH_TEST_PASSWORD", "from env", 1), 0);
    ck_assert_int_eq(gh_server_password(&w, &got, NULL), GH_OK);
    ck_assert(gh_str_is((gh_str){ got.ptr, got.len }, "from env"));
    gh_secret_fini(&got);
    ck_assert_int_eq(unsetenv("GH_TEST_PASSWORD"), 0);
    ck_assert_int_eq(gh_server_password(&w, &got, &err), GH_NOT_FOUND);
    ck_assert_str_eq(err.public_msg, "warehouse wh: the environment has no GH_TEST_PASSWORD");
}
END_TEST

/* ---- certificates --------------------------------------------------------------------------------------- */

static gh_str contents(const char *path)
{
    gh_str text = { 0 };

    ck_assert_int_eq(cli_read_file(path, 1 << 20, s_arena, &text, NULL), GH_OK);
    return text;
}

START_TEST(certificates_are_made_and_checked)
{
    const char *cert = in_dir("a.crt");
    const char *key = in_dir("a.key");
    const char *cert2 = in_dir("b.crt");
    const char *key2 = in_dir("b.key");
    struct stat info;
    gh_err err = { 0 };
    int64_t starts = 0;
    int64_t expires = 0;

    ck_assert_int_eq(cli_make_certificate(cert, key, "host.example", 30, &err), GH_OK);
    ck_assert_int_eq(cli_make_certificate(cert2, key2, "host.example", 30, &err), GH_OK);
    ck_assert_int_eq(stat(key, &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0600);
    ck_assert_int_eq(cli_check_certificate(contents(cert), contents(key), &starts, &expires, &err),
                     GH_OK);
    ck_assert_int_eq((expires - starts) / 1000000, 30 * 86400 + 300);
    ck_assert_int_eq(cli_check_certificate(contents(cert), contents(key2), &starts, &expires, &err),
                     GH_INVALID);
    ck_assert_str_eq(err.public_msg, "the key does not belong to the certificate");
    ck_assert_int_eq(cli_check_certificate(contents(key), contents(key), &starts, &expires, NULL),
                     GH_IO);
    ck_assert_int_eq(cli_check_certificate(GH_STR(""), GH_STR(""), &starts, &expires, NULL), GH_IO);
    /* What exists is not written over. */
    ck_assert_int_eq(cli_make_certificate(cert2, key, "host.example", 30, NULL), GH_IO);
    for (size_t i = 0; i < 4; i++)
        unlink(((const char *[]){ cert, key, cert2, key2 })[i]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cli");
    TCase *t = tcase_create("cli");
    SRunner *sr = srunner_create(s);

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, table_prints);
    tcase_add_test(t, times_print);
    tcase_add_test(t, files_have_a_bound);
    tcase_add_test(t, passwords_are_found);
    tcase_add_test(t, certificates_are_made_and_checked);
    suite_add_tcase(s, t);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
