/* What a crash leaves behind, and what is made of it. */
#include "auditlog_tests.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char s_first[] = "audit-00000000000000000001.jsonl";

static void write_records(int count)
{
    gh_auditlog *log = open_log(GH_DURABILITY_WRITE, 0);
    gh_auditlog_writer *w = gh_auditlog_writer_new(log, NULL, NULL);

    for (int i = 0; i < count; i++)
        put_and_commit(w, GH_AUDIT_INTENT, "x");
    gh_auditlog_writer_free(w);
    gh_auditlog_close(log);
}

static void replace(const char *name, const char *bytes, size_t len)
{
    FILE *f = fopen(scratch_path(name), "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
}

static off_t size_of(const char *name)
{
    struct stat st;

    return stat(scratch_path(name), &st) == 0 ? st.st_size : -1;
}

/* Cut at every byte of the last record: the two before it stay, what is left of it moves aside. */
START_TEST(torn_at_every_byte)
{
    char *text;
    size_t len;
    size_t last;

    write_records(3);
    text = folder_text();
    len = strlen(text);
    last = (size_t)((char *)memrchr(text, '\n', len - 1) - text) + 1;
    for (size_t cut = last; cut < len; cut++) {
        bool is_torn = cut > last;

        replace(s_first, text, cut);
        write_records(1);
        ck_assert_uint_eq(verified(), 2u + is_torn + 1u);
        ck_assert_uint_eq(count_of("\"kind\":\"recovered\""), is_torn);
        if (is_torn) {
            ck_assert_int_eq(size_of("torn-00000000000000000003-1.bin"), (off_t)(cut - last));
            ck_assert_int_eq(unlink(scratch_path("torn-00000000000000000003-1.bin")), 0);
        }
    }
    free(text);
}
END_TEST

/* After power loss a tail may be zeros, or lines that are no records. */
START_TEST(tails_that_are_no_records)
{
    static const char zeros[5000] = { 0 };
    static const char lines[] = "{\"kind\":\"stop\"}\n\n{}\n";
    static const char *const tails[] = { zeros, lines };
    static const size_t lens[] = { sizeof(zeros), sizeof(lines) - 1 };

    for (size_t i = 0; i < GH_COUNT(tails); i++) {
        char *text;
        gh_buf all;

        scratch_remove();
        scratch_make();
        write_records(2);
        text = folder_text();
        gh_buf_init(&all, 0);
        gh_buf_puts(&all, text);
        gh_buf_put(&all, tails[i], lens[i]);
        replace(s_first, all.ptr, all.len);
        write_records(1);
        ck_assert_uint_eq(verified(), 4);
        ck_assert_int_eq(size_of("torn-00000000000000000003-1.bin"), (off_t)lens[i]);
        free(text);
        gh_buf_fini(&all);
    }
}
END_TEST

START_TEST(a_new_segment_without_a_record)
{
    static const char next[] = "audit-00000000000000000003.jsonl";

    write_records(2);
    replace(next, "", 0);
    write_records(1);
    ck_assert_uint_eq(verified(), 3);
    ck_assert_int_eq(size_of(next), -1);
    replace("audit-00000000000000000004.jsonl", "{\"kind", 6);
    write_records(1);
    ck_assert_uint_eq(verified(), 5);
    ck_assert_int_eq(size_of("torn-00000000000000000004-1.bin"), 6);
    ck_assert_uint_eq(count_of("6 bytes behind the last whole record were set aside as "
                               "torn-00000000000000000004-1.bin"),
                      1);
}
END_TEST

START_TEST(the_very_first_record_torn)
{
    write_records(0);
    ck_assert_int_eq(size_of(s_first), 0);
    replace(s_first, "{\"kind\":\"int", 12);
    write_records(1);
    ck_assert_uint_eq(verified(), 2);
    ck_assert_int_eq(size_of("torn-00000000000000000001-1.bin"), 12);
}
END_TEST

/* A folder whose chain has no end that can be found is not started over silently. */
START_TEST(what_is_no_chain_is_refused)
{
    gh_auditlog_config cfg = { gh_str_of(scratch_dir()), GH_DURABILITY_WRITE, 0 };
    gh_auditlog *log = NULL;
    gh_err err = { .sqlstate = "" };

    ck_assert_int_eq(mkdir(scratch_dir(), 0700), 0);
    replace("audit-00000000000000000007.jsonl", "junk\n", 5);
    ck_assert_int_eq(gh_auditlog_open(&cfg, &log, &err), GH_IO);
    ck_assert_ptr_nonnull(strstr(err.detail, "audit-00000000000000000007.jsonl"));
    replace("audit-00000000000000000009.jsonl", "junk\n", 5);
    ck_assert_int_eq(gh_auditlog_open(&cfg, &log, NULL), GH_IO);
    ck_assert_int_eq(size_of("audit-00000000000000000007.jsonl"), 5);
    ck_assert_int_eq(size_of("audit-00000000000000000009.jsonl"), 5);
}
END_TEST

START_TEST(a_symbolic_link_is_no_segment)
{
    gh_auditlog_config cfg = { gh_str_of(scratch_dir()), GH_DURABILITY_WRITE, 0 };
    gh_auditlog *log = NULL;

    ck_assert_int_eq(mkdir(scratch_dir(), 0700), 0);
    ck_assert_int_eq(symlink("/etc/passwd", scratch_path(s_first)), 0);
    ck_assert_int_eq(gh_auditlog_open(&cfg, &log, NULL), GH_IO);
}
END_TEST

/* put() for a child, which says nothing to Check: killed while it did, it would leave half a message. */
static void put_quietly(gh_auditlog_writer *w, gh_audit_kind kind, const char *message)
{
    gh_audit_record r = { .kind = kind,
                          .time_us = 1785499200000000,
                          .statement = gh_auditlog_next_id(w),
                          .sql = gh_str_of(message),
                          .message = gh_str_of(message) };

    if (gh_auditlog_put(w, &r, NULL) != GH_OK)
        _exit(8);
}

/* Writes until it is killed, two threads, and says behind every commit what it promised. */
static void *write_and_tell(void *arg)
{
    gh_auditlog *log = ((void **)arg)[0];
    int fd = *(int *)((void **)arg)[1];
    gh_auditlog_writer *w = gh_auditlog_writer_new(log, NULL, NULL);

    for (;;) {
        gh_auditlog_ticket ticket;
        gh_audit_id id;
        char text[GH_AUDIT_ID_TEXT + 1];
        size_t len;

        for (int i = 0; i < 3; i++)
            put_quietly(w, GH_AUDIT_OUTCOME, "filler, so that writes are of some size");
        id = gh_auditlog_next_id(w);
        len = gh_audit_id_text(id, text);
        text[len] = '\0';
        put_quietly(w, GH_AUDIT_INTENT, text);
        if (gh_auditlog_commit(w, &ticket, NULL) != GH_OK)
            _exit(3);
        text[len] = '\n';
        if (write(fd, text, len + 1) < 0)
            _exit(4);
    }
    return NULL;
}

static void run_until_killed(int fd)
{
    gh_auditlog_config cfg = { gh_str_of(scratch_dir()), GH_DURABILITY_WRITE, 1000000 };
    gh_auditlog *log = NULL;
    void *arg[2] = { NULL, &fd };
    pthread_t thread;

    if (gh_auditlog_open(&cfg, &log, NULL) != GH_OK)
        _exit(7);
    arg[0] = log;
    if (pthread_create(&thread, NULL, write_and_tell, arg) != 0)
        _exit(5);
    (void)write_and_tell(arg);
}

/* Every whole line of `told` is the text of an intent that is in the folder. */
static void check_promises(const char *told, size_t len)
{
    char *text = folder_text();
    const char *at = told;
    const char *end = memchr(at, '\n', len);

    ck_assert_ptr_nonnull(end);
    for (; end != NULL; end = memchr(at, '\n', len - (size_t)(at - told))) {
        char want[GH_AUDIT_ID_TEXT + 16];

        (void)snprintf(want, sizeof(want), "\"sql\":\"%.*s\"", (int)(end - at), at);
        ck_assert_msg(strstr(text, want) != NULL, "%s was promised", want);
        at = end + 1;
    }
    free(text);
}

/* Starts a writer, kills it `after_us` behind its first promise; what it promised is in told. */
static size_t kill_one(useconds_t after_us, char *told, size_t cap)
{
    size_t len = 0;
    int fds[2];
    pid_t pid;
    ssize_t got;

    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        run_until_killed(fds[1]);
        _exit(6);
    }
    (void)close(fds[1]);
    got = read(fds[0], told, 1);
    ck_assert_int_eq(got, 1);
    (void)usleep(after_us);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    while (got > 0) {
        len += (size_t)got;
        got = len < cap ? read(fds[0], told + len, cap - len) : 0;
    }
    (void)close(fds[0]);
    return len;
}

/* Kills a writing process at any moment: what it said is written, is; the chain goes on. */
START_TEST(kill_9_keeps_every_promise)
{
    const char *rounds = getenv("GH_KILL_ROUNDS");
    long count = rounds != NULL ? strtol(rounds, NULL, 10) : 25;
    uint64_t before = 0;

    for (long i = 0; i < count; i++) {
        char told[65536];
        size_t len = kill_one((useconds_t)(i * 137 % 2000), told, sizeof(told));

        write_records(1);
        ck_assert_uint_gt(verified(), before + 4);
        before = verified();
        check_promises(told, len);
        if (i % 5 == 4) {
            scratch_remove();
            scratch_make();
            before = 0;
        }
    }
}
END_TEST

Suite *auditlog_crash_suite(void)
{
    Suite *s = suite_create("crash");
    TCase *c = tcase_create("crash");

    tcase_add_checked_fixture(c, scratch_make, scratch_remove);
    tcase_set_timeout(c, 100);
    tcase_add_test(c, torn_at_every_byte);
    tcase_add_test(c, tails_that_are_no_records);
    tcase_add_test(c, a_new_segment_without_a_record);
    tcase_add_test(c, the_very_first_record_torn);
    tcase_add_test(c, what_is_no_chain_is_refused);
    tcase_add_test(c, a_symbolic_link_is_no_segment);
    tcase_add_test(c, kill_9_keeps_every_promise);
    suite_add_tcase(s, c);
    return s;
}
