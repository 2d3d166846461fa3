/* The log: what one line looks like, and what does not get into it. */
#include "base_tests.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int s_saved = -1;
static FILE *s_file;

static void capture(void)
{
    s_file = tmpfile();
    ck_assert_ptr_nonnull(s_file);
    s_saved = dup(STDERR_FILENO);
    ck_assert_int_ge(dup2(fileno(s_file), STDERR_FILENO), 0);
}

/* What was logged since capture(); the caller frees. */
static char *captured(void)
{
    long len = lseek(fileno(s_file), 0, SEEK_END);
    char *text = calloc(1, (size_t)len + 1);

    ck_assert_int_ge(dup2(s_saved, STDERR_FILENO), 0);
    close(s_saved);
    ck_assert_int_eq(pread(fileno(s_file), text, (size_t)len, 0), len);
    fclose(s_file);
    return text;
}

static size_t count_lines(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += *text == '\n';
    return n;
}

START_TEST(log_line)
{
    char *text;

    capture();
    gh_log(GH_WARN, "upstream.lost", "session=%d rc=%s", 7, gh_rc_name(GH_CLOSED));
    gh_log(GH_DEBUG, "upstream.detail", "below=%s", "level");
    gh_log(GH_ERROR, "bare", "%s", "");
    text = captured();
    ck_assert_uint_eq(count_lines(text), 2);
    ck_assert_int_eq(strncmp(text, "time=2", 6), 0);
    ck_assert_ptr_nonnull(strstr(text, "Z level=warn event=upstream.lost session=7 rc=closed\n"));
    ck_assert_ptr_nonnull(strstr(text, "Z level=error event=bare\n"));
    free(text);
}
END_TEST

START_TEST(log_level)
{
    char *text;

    capture();
    gh_log_set_level(GH_ERROR);
    gh_log(GH_WARN, "hidden", "a=%d", 1);
    gh_log_set_level(GH_DEBUG);
    gh_log(GH_DEBUG, "shown", "a=%d", 1);
    gh_log(GH_INFO, "shown.too", "a=%d", 1);
    text = captured();
    ck_assert_uint_eq(count_lines(text), 2);
    ck_assert_ptr_nonnull(strstr(text, "level=debug event=shown a=1\n"));
    ck_assert_ptr_nonnull(strstr(text, "level=info event=shown.too a=1\n"));
    free(text);
}
END_TEST

START_TEST(log_takes_no_control_bytes)
{
    char *text;

    capture();
    gh_log(GH_INFO, "login", "user=%s", "eve\ntime=2026-01-01 event=forged \x1b[2J\x7f");
    text = captured();
    ck_assert_uint_eq(count_lines(text), 1);
    ck_assert_ptr_nonnull(strstr(text, "user=eve?time=2026-01-01 event=forged ?[2J?\n"));
    free(text);
}
END_TEST

START_TEST(log_cuts_long_lines)
{
    char value[5000];
    char *text;

    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    capture();
    gh_log(GH_INFO, "long", "v=%s", value);
    gh_log(GH_INFO, "next", "v=%d", 1);
    text = captured();
    ck_assert_uint_eq(count_lines(text), 2);
    ck_assert_ptr_nonnull(strstr(text, "v\ntime="));
    free(text);
}
END_TEST

/* 20 lines an event and second: the rest is held back and counted, other events pass. */
START_TEST(log_rate_limit)
{
    struct timespec now;
    char *text;
    size_t lines;

    /* Start early in a second, so that all of it falls into one. */
    do {
        (void)clock_gettime(CLOCK_REALTIME, &now);
        (void)usleep(1000);
    } while (now.tv_nsec > 300000000);
    capture();
    for (int i = 0; i < 100; i++)
        gh_log(GH_INFO, "flood", "i=%d", i);
    gh_log(GH_INFO, "other", "i=%d", 1);
    (void)usleep(1100000);
    gh_log(GH_INFO, "flood", "i=%d", 100);
    text = captured();
    lines = count_lines(text);
    ck_assert_uint_eq(lines, 22);
    ck_assert_ptr_nonnull(strstr(text, "event=flood i=19\n"));
    ck_assert_ptr_null(strstr(text, "event=flood i=20\n"));
    ck_assert_ptr_nonnull(strstr(text, "event=other i=1\n"));
    ck_assert_ptr_nonnull(strstr(text, "event=flood held_back=80 i=100\n"));
    free(text);
}
END_TEST

static void *log_some(void *arg)
{
    for (int i = 0; i < 20; i++)
        gh_log(GH_INFO, arg, "tail=%s", "end-of-line");
    return NULL;
}

START_TEST(log_threads_do_not_mix)
{
    static char events[4][8] = { "t.one", "t.two", "t.three", "t.four" };
    pthread_t threads[4];
    char *text, *line, *rest = NULL;
    size_t lines = 0;

    capture();
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, log_some, events[i]), 0);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    text = captured();
    for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        ck_assert_int_eq(strncmp(line, "time=", 5), 0);
        ck_assert_str_eq(line + strlen(line) - 16, "tail=end-of-line");
        lines++;
    }
    ck_assert_uint_eq(lines, 80);
    free(text);
}
END_TEST

Suite *base_log_suite(void)
{
    Suite *s = suite_create("base/log");
    TCase *tc = tcase_create("log");

    tcase_add_test(tc, log_line);
    tcase_add_test(tc, log_level);
    tcase_add_test(tc, log_takes_no_control_bytes);
    tcase_add_test(tc, log_cuts_long_lines);
    tcase_add_test(tc, log_rate_limit);
    tcase_add_test(tc, log_threads_do_not_mix);
    tcase_set_timeout(tc, 30);
    suite_add_tcase(s, tc);
    return s;
}
