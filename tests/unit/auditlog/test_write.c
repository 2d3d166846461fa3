/* Writing: modes, lock, order, bounds, rotation, failure, sync. */
#include "auditlog_tests.h"

#include "auditlog_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static mode_t mode_of(const char *path)
{
    struct stat st;

    ck_assert_int_eq(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static gh_rc try_open(const char *dir, gh_err *err)
{
    gh_auditlog_config cfg = { gh_str_of(dir), GH_DURABILITY_WRITE, 0 };
    gh_auditlog *log = NULL;
    gh_rc rc = gh_auditlog_open(&cfg, &log, err);

    if (rc == GH_OK)
        gh_auditlog_close(log);
    return rc;
}

START_TEST(folder_and_files_are_private)
{
    gh_auditlog *log;
    char names[64][64];

    (void)umask(0);
    log = open_log(GH_DURABILITY_WRITE, 0);
    ck_assert_int_eq(mode_of(scratch_dir()), 0700);
    ck_assert_int_eq(mode_of(scratch_path("lock")), 0600);
    ck_assert_int_eq(segment_names(names), 1);
    ck_assert_str_eq(names[0], "audit-00000000000000000001.jsonl");
    ck_assert_int_eq(mode_of(scratch_path(names[0])), 0600);
    gh_auditlog_close(log);
}
END_TEST

START_TEST(shared_folder_is_refused)
{
    gh_err err = { .sqlstate = "" };

    ck_assert_int_eq(mkdir(scratch_dir(), 0700), 0);
    ck_assert_int_eq(chmod(scratch_dir(), 0770), 0);
    ck_assert_int_eq(try_open(scratch_dir(), &err), GH_IO);
    ck_assert_str_eq(err.sqlstate, "58030");
    ck_assert_int_eq(chmod(scratch_dir(), 0750), 0);
    ck_assert_int_eq(try_open(scratch_dir(), NULL), GH_OK);
}
END_TEST

START_TEST(one_process_a_folder)
{
    gh_auditlog *log = open_log(GH_DURABILITY_WRITE, 0);
    gh_err err = { .sqlstate = "" };
    char pid[32];

    ck_assert_int_eq(try_open(scratch_dir(), &err), GH_IO);
    (void)snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    ck_assert_ptr_nonnull(strstr(err.detail, pid));
    gh_auditlog_close(log);
    ck_assert_int_eq(try_open(scratch_dir(), NULL), GH_OK);
}
END_TEST

START_TEST(folders_that_cannot_be_used)
{
    int status;
    pid_t pid;

    ck_assert_int_eq(try_open("/nonexistent/folder/audit", NULL), GH_IO);
    ck_assert_int_eq(try_open("/dev/null", NULL), GH_IO);
    ck_assert_int_eq(mkdir(scratch_dir(), 0700), 0);
    /* Root may write anywhere; nobody may not, as long as the folder is its own and read-only. */
    ck_assert(getuid() != 0 || chown(scratch_dir(), 65534, 65534) == 0);
    ck_assert_int_eq(chmod(scratch_dir(), 0500), 0);
    pid = fork();
    if (pid == 0) {
        gh_err err = { .sqlstate = "" };

        if (getuid() == 0 && setuid(65534) != 0)
            _exit(2);
        _exit(try_open(scratch_dir(), &err) == GH_IO && strcmp(err.sqlstate, "58030") == 0 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(chain_goes_on_after_restart)
{
    gh_audit_id first = { 0, 0, 0 };

    for (int i = 0; i < 3; i++) {
        gh_auditlog *log = open_log(GH_DURABILITY_WRITE, 0);
        gh_auditlog_writer *w = gh_auditlog_writer_new(log, NULL, NULL);
        gh_audit_id id = gh_auditlog_next_id(w);
        gh_auditlog_ticket ticket;

        ck_assert_int_eq(gh_auditlog_commit(w, &ticket, NULL), GH_OK); /* nothing to do */
        ck_assert(!gh_auditlog_is_pending(w));
        put(w, GH_AUDIT_OUTCOME, "a");
        ck_assert(gh_auditlog_is_pending(w));
        ck_assert(!gh_auditlog_is_urgent(w));
        put(w, GH_AUDIT_REFUSED, "c");
        ck_assert(gh_auditlog_is_urgent(w));
        put_and_commit(w, GH_AUDIT_OUTCOME, "b");
        ck_assert(!gh_auditlog_is_pending(w));
        ck_assert(!gh_auditlog_is_urgent(w));
        put(w, GH_AUDIT_STOP, "written by writer_free");
        gh_auditlog_writer_free(w);
        gh_auditlog_close(log);
        ck_assert_uint_eq(verified(), 4u * (unsigned)(i + 1));
        ck_assert_uint_ne(id.boot, first.boot); /* ids never come again */
        first = id;
    }
}
END_TEST

typedef struct worker {
    gh_auditlog *log;
    int turns;
} worker;

static void *work(void *arg)
{
    worker *k = arg;
    gh_auditlog_writer *w = gh_auditlog_writer_new(k->log, NULL, NULL);

    for (int i = 0; i < k->turns; i++) {
        gh_auditlog_ticket ticket;

        for (int n = 0; n <= i % 7; n++)
            put(w, GH_AUDIT_INTENT, "from a thread");
        if (gh_auditlog_commit(w, &ticket, NULL) != GH_OK)
            abort();
    }
    gh_auditlog_writer_free(w);
    return NULL;
}

START_TEST(threads_make_one_chain_over_segments)
{
    gh_auditlog *log = open_log(GH_DURABILITY_WRITE, 100000);
    worker k = { log, 700 };
    pthread_t threads[4];
    gh_auditlog_stats st;
    char names[64][64];
    int count;

    for (size_t i = 0; i < GH_COUNT(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &k), 0);
    for (size_t i = 0; i < GH_COUNT(threads); i++)
        (void)pthread_join(threads[i], NULL);
    gh_auditlog_get_stats(log, &st);
    ck_assert_uint_eq(st.records, 4 * 700 * 4);
    ck_assert_uint_eq(st.seq, st.records);
    ck_assert_uint_eq(st.commits, 4 * 700);
    gh_auditlog_close(log);
    ck_assert_uint_eq(verified(), st.records);
    count = segment_names(names);
    ck_assert_int_gt(count, 20);
    for (int i = 0; i < count; i++) {
        struct stat s;

        ck_assert_int_eq(stat(scratch_path(names[i]), &s), 0);
        ck_assert_int_lt(s.st_size, 100000 + 10000);
    }
}
END_TEST

START_TEST(a_batch_of_any_size)
{
    static const size_t sizes[] = { 1, GH_WRITER_DIGESTS, GH_WRITER_DIGESTS + 1, 3000 };
    gh_auditlog *log = open_log(GH_DURABILITY_WRITE, 0);
    gh_auditlog_writer *w = gh_auditlog_writer_new(log, NULL, NULL);
    uint64_t total = 0;

    for (size_t i = 0; i < GH_COUNT(sizes); i++) {
        gh_auditlog_ticket ticket;

        for (size_t n = 0; n < sizes[i]; n++)
            put(w, GH_AUDIT_OUTCOME, "x");
        ck_assert_int_eq(gh_auditlog_commit(w, &ticket, NULL), GH_OK);
        total += sizes[i];
    }
    ck_assert_uint_eq(verified(), total);
    gh_auditlog_writer_free(w);
    gh_auditlog_close(log);
}
END_TEST

START_TEST(a_record_has_a_bound)
{
    gh_auditlog *log = open_log(GH_DURABILITY_WRITE, 0);
    gh_auditlog_writer *w = gh_auditlog_writer_new(log, NULL, NULL);
    gh_audit_record r = { .kind = GH_AUDIT_STOP, .message = GH_STR("x") };
    gh_auditlog_ticket ticket;
    gh_err err = { .sqlstate = "" };
    char *text = gh_alloc(GH_AUDIT_RECORD_MAX);
    gh_buf body;

    gh_buf_init(&body, 0);
    gh_audit_encode(&r, &body);
    memset(text, 'x', GH_AUDIT_RECORD_MAX);
    r.message = (gh_str){ text, GH_AUDIT_RECORD_MAX - body.len + 1 };
    ck_assert_int_eq(gh_auditlog_put(w, &r, NULL), GH_OK);
    r.message.len++;
    ck_assert_int_eq(gh_auditlog_put(w, &r, &err), GH_LIMIT);
    ck_assert_str_eq(err.sqlstate, "58030");
    ck_assert_int_eq(gh_auditlog_commit(w, &ticket, NULL), GH_OK);
    ck_assert_uint_eq(verified(), 2);
    ck_assert_uint_eq(
        count_of("0 statements or logins were refused for that, 1 other records are lost"), 1);
    gh_auditlog_writer_free(w);
    gh_auditlog_close(log);
    gh_buf_fini(&body);
    free(text);
}
END_TEST

START_TEST(a_batch_has_a_bound)
{
    gh_auditlog *log = open_log(GH_DURABILITY_WRITE, 0);
    gh_auditlog_writer *w = gh_auditlog_writer_new(log, NULL, NULL);
    char *text = gh_alloc(1 << 20);
    gh_audit_record r = { .kind = GH_AUDIT_LOGIN, .message = { text, 1 << 20 } };
    gh_auditlog_ticket ticket;
    uint64_t taken = 0;

    memset(text, 'x', 1 << 20);
    while (gh_auditlog_put(w, &r, NULL) == GH_OK)
        taken++;
    ck_assert_uint_eq(taken, GH_AUDIT_PENDING_MAX / (1 << 20) - 1);
    ck_assert_int_eq(gh_auditlog_commit(w, &ticket, NULL), GH_OK);
    ck_assert_int_eq(gh_auditlog_put(w, &r, NULL), GH_OK);
    gh_auditlog_writer_free(w);
    gh_auditlog_close(log);
    ck_assert_uint_eq(verified(), taken + 1);
    free(text);
}
END_TEST

/*
 * A commit while no file may grow past a size, as on a full disk. No assertion within: Check's own
 * files obey the limit too.
 */
static gh_rc commit_with_limit(gh_auditlog_writer *w, off_t bytes, gh_err *err)
{
    gh_auditlog_ticket ticket;
    struct rlimit old;
    struct rlimit limit;
    gh_rc rc = GH_UNSET;

    (void)getrlimit(RLIMIT_FSIZE, &old);
    limit = old;
    limit.rlim_cur = (rlim_t)bytes;
    if (setrlimit(RLIMIT_FSIZE, &limit) == 0)
        rc = gh_auditlog_commit(w, &ticket, err);
    (void)setrlimit(RLIMIT_FSIZE, &old);
    return rc;
}

static off_t segment_size(void)
{
    struct stat st;

    ck_assert_int_eq(stat(scratch_path("audit-00000000000000000001.jsonl"), &st), 0);
    return st.st_size;
}

/* The file may not grow past a limit in the middle of a record: what a full disk does, without a
 * disk. */
START_TEST(full_disk)
{
    gh_auditlog *log = open_log(GH_DURABILITY_WRITE, 0);
    gh_auditlog_writer *w = gh_auditlog_writer_new(log, NULL, NULL);
    gh_auditlog_ticket ticket;
    gh_auditlog_stats st;
    gh_err err = { .sqlstate = "" };
    off_t size;

    (void)signal(SIGXFSZ, SIG_IGN);
    put_and_commit(w, GH_AUDIT_INTENT, "before");
    size = segment_size();
    for (int extra = 0; extra < 3; extra++) {
        put(w, GH_AUDIT_INTENT, "not written");
        put(w, GH_AUDIT_OUTCOME, "kept");
        put(w, GH_AUDIT_LOGIN, "not written");
        memset(&err, 0, sizeof(err));
        ck_assert_int_eq(commit_with_limit(w, size + extra * 150, &err), GH_IO);
        ck_assert_str_eq(err.sqlstate, "58030");
        ck_assert_ptr_null(strstr(err.public_msg, scratch_dir()));
        ck_assert_ptr_nonnull(strstr(err.detail, "File too large"));
        ck_assert_int_eq(segment_size(), size); /* nothing half-written stays */
        ck_assert(gh_auditlog_is_pending(w));
        gh_auditlog_get_stats(log, &st);
        ck_assert(st.is_failing);
        ck_assert_uint_eq(st.failures, (unsigned)extra + 1);
        /* At once again: refused without another try, whether or not there is room now. */
        put(w, GH_AUDIT_INTENT, "not written");
        memset(&err, 0, sizeof(err));
        ck_assert_int_eq(gh_auditlog_commit(w, &ticket, &err), GH_IO);
        ck_assert_ptr_nonnull(strstr(err.detail, "File too large"));
        gh_auditlog_get_stats(log, &st);
        ck_assert_uint_eq(st.failures, (unsigned)extra + 1);
        (void)usleep(GH_RETRY_MS * 1000 + 1000);
    }
    ck_assert_uint_eq(verified(), 1);
    (void)usleep(GH_RETRY_MS * 1000 + 1000);
    put_and_commit(w, GH_AUDIT_INTENT, "after");
    ck_assert_uint_eq(verified(), 1 + 1 + 3 + 1);
    ck_assert_uint_eq(count_of("9 statements or logins were refused for that, 0 other records"), 1);
    ck_assert_uint_eq(count_of("\"kept\""), 3);
    ck_assert_uint_eq(count_of("not written"), 0);
    gh_auditlog_get_stats(log, &st);
    ck_assert(!st.is_failing);
    ck_assert_uint_eq(st.failures, 3);
    put_and_commit(w, GH_AUDIT_INTENT, "the gap is told once");
    ck_assert_uint_eq(count_of("\"kind\":\"gap\""), 1);
    gh_auditlog_writer_free(w);
    gh_auditlog_close(log);
}
END_TEST

START_TEST(a_descriptor_that_takes_nothing)
{
    gh_auditlog *log = open_log(GH_DURABILITY_WRITE, 0);
    gh_auditlog_writer *w = gh_auditlog_writer_new(log, NULL, NULL);
    gh_auditlog_ticket ticket;
    int null;

    put_and_commit(w, GH_AUDIT_INTENT, "before");
    null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(dup3(null, log->fd, O_CLOEXEC), 0);
    put(w, GH_AUDIT_INTENT, "lost");
    /* Either the write fails, or the look once a second came first and a new segment was made. */
    if (gh_auditlog_commit(w, &ticket, NULL) != GH_OK) {
        log->checked_s = 0;
        (void)usleep(GH_RETRY_MS * 1000 + 1000);
        put_and_commit(w, GH_AUDIT_INTENT, "after");
    }
    ck_assert_uint_eq(count_of("\"kind\":\"recovered\""), 1);
    ck_assert_uint_ge(verified(), 3);
    gh_auditlog_writer_free(w);
    gh_auditlog_close(log);
    (void)close(null);
}
END_TEST

START_TEST(a_segment_that_is_removed_or_changed)
{
    gh_auditlog *log = open_log(GH_DURABILITY_WRITE, 0);
    gh_auditlog_writer *w = gh_auditlog_writer_new(log, NULL, NULL);
    char names[64][64];
    FILE *f;

    put_and_commit(w, GH_AUDIT_INTENT, "one");
    f = fopen(scratch_path("audit-00000000000000000001.jsonl"), "ab");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_gt(fprintf(f, "{}\n"), 0);
    (void)fclose(f);
    log->checked_s = 0;
    put_and_commit(w, GH_AUDIT_INTENT, "two");
    ck_assert_int_eq(segment_names(names), 2);
    ck_assert_str_eq(names[1], "audit-00000000000000000002.jsonl");
    ck_assert_uint_eq(count_of("another process changed it"), 1);
    ck_assert_int_eq(unlink(scratch_path(names[0])), 0);
    ck_assert_int_eq(unlink(scratch_path(names[1])), 0);
    log->checked_s = 0;
    put_and_commit(w, GH_AUDIT_INTENT, "three");
    ck_assert_uint_eq(count_of("it was removed while it was in use"), 1);
    ck_assert_uint_eq(verified(), 5);
    gh_auditlog_writer_free(w);
    gh_auditlog_close(log);
}
END_TEST

START_TEST(a_folder_that_is_removed)
{
    gh_auditlog *log = open_log(GH_DURABILITY_WRITE, 0);
    gh_auditlog_writer *w = gh_auditlog_writer_new(log, NULL, NULL);

    put_and_commit(w, GH_AUDIT_INTENT, "one");
    ck_assert_int_eq(unlink(scratch_path("audit-00000000000000000001.jsonl")), 0);
    ck_assert_int_eq(unlink(scratch_path("lock")), 0);
    ck_assert_int_eq(rmdir(scratch_dir()), 0);
    log->checked_s = 0;
    put_and_commit(w, GH_AUDIT_INTENT, "two");
    ck_assert_uint_eq(verified(), 3);
    ck_assert_int_eq(mode_of(scratch_dir()), 0700);
    gh_auditlog_writer_free(w);
    gh_auditlog_close(log);
    ck_assert_int_eq(try_open(scratch_dir(), NULL), GH_OK);
}
END_TEST

/* ---- fsync ----------------------------------------------------------------------------------- */

static void wake(void *ctx)
{
    uint64_t one = 1;

    ck_assert_int_eq(write(*(int *)ctx, &one, sizeof(one)), sizeof(one));
}

static gh_rc wait_for(gh_auditlog *log, gh_auditlog_ticket ticket, int fd)
{
    gh_rc rc = gh_auditlog_ticket_state(log, ticket);

    while (rc == GH_AGAIN) {
        struct pollfd p = { fd, POLLIN, 0 };
        uint64_t n;

        ck_assert_msg(poll(&p, 1, 20000) == 1, "nobody woke the writer");
        ck_assert_int_eq(read(fd, &n, sizeof(n)), sizeof(n));
        rc = gh_auditlog_ticket_state(log, ticket);
    }
    return rc;
}

static void *work_synced(void *arg)
{
    gh_auditlog *log = arg;
    int fd = eventfd(0, EFD_CLOEXEC);
    gh_auditlog_writer *w = gh_auditlog_writer_new(log, wake, &fd);

    for (int i = 0; i < 100; i++) {
        gh_auditlog_ticket ticket;

        put(w, GH_AUDIT_INTENT, "synced");
        if (gh_auditlog_commit(w, &ticket, NULL) != GH_AGAIN || wait_for(log, ticket, fd) != GH_OK)
            abort();
    }
    gh_auditlog_writer_free(w);
    (void)close(fd);
    return NULL;
}

START_TEST(synced_together)
{
    gh_auditlog *log = open_log(GH_DURABILITY_FSYNC, 20000);
    pthread_t threads[4];
    gh_auditlog_stats st;

    for (size_t i = 0; i < GH_COUNT(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work_synced, log), 0);
    for (size_t i = 0; i < GH_COUNT(threads); i++)
        (void)pthread_join(threads[i], NULL);
    gh_auditlog_get_stats(log, &st);
    ck_assert_uint_eq(st.records, 400);
    ck_assert_uint_gt(st.syncs, 0);
    ck_assert_uint_le(st.syncs, 401);
    gh_auditlog_close(log);
    ck_assert_uint_eq(verified(), 400);
}
END_TEST

/* fdatasync of /dev/null fails with EINVAL, and writing to it works: a disk that loses what it
 * took. */
START_TEST(a_sync_that_fails)
{
    gh_auditlog *log = open_log(GH_DURABILITY_FSYNC, 0);
    int fd = eventfd(0, EFD_CLOEXEC);
    gh_auditlog_writer *w = gh_auditlog_writer_new(log, wake, &fd);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    gh_auditlog_ticket good;
    gh_auditlog_ticket bad;
    gh_auditlog_ticket later;
    struct timespec now;

    put(w, GH_AUDIT_INTENT, "good");
    ck_assert_int_eq(gh_auditlog_commit(w, &good, NULL), GH_AGAIN);
    ck_assert_int_eq(wait_for(log, good, fd), GH_OK);
    ck_assert_int_ge(dup3(null, log->fd, O_CLOEXEC), 0);
    put(w, GH_AUDIT_INTENT, "bad");
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    log->checked_s = now.tv_sec;
    ck_assert_int_eq(gh_auditlog_commit(w, &bad, NULL), GH_AGAIN);
    ck_assert_int_eq(wait_for(log, bad, fd), GH_IO);
    put(w, GH_AUDIT_INTENT, "later");
    ck_assert_int_eq(gh_auditlog_commit(w, &later, NULL), GH_AGAIN);
    ck_assert_int_eq(wait_for(log, later, fd), GH_OK);
    ck_assert_int_eq(gh_auditlog_ticket_state(log, bad), GH_IO); /* for good */
    ck_assert_uint_eq(count_of("it could not be synced"), 1);
    gh_auditlog_writer_free(w);
    gh_auditlog_close(log);
    (void)close(fd);
    (void)close(null);
}
END_TEST

Suite *auditlog_write_suite(void)
{
    Suite *s = suite_create("write");
    TCase *c = tcase_create("write");

    tcase_add_checked_fixture(c, scratch_make, scratch_remove);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, folder_and_files_are_private);
    tcase_add_test(c, shared_folder_is_refused);
    tcase_add_test(c, one_process_a_folder);
    tcase_add_test(c, folders_that_cannot_be_used);
    tcase_add_test(c, chain_goes_on_after_restart);
    tcase_add_test(c, threads_make_one_chain_over_segments);
    tcase_add_test(c, a_batch_of_any_size);
    tcase_add_test(c, a_record_has_a_bound);
    tcase_add_test(c, a_batch_has_a_bound);
    tcase_add_test(c, full_disk);
    tcase_add_test(c, a_descriptor_that_takes_nothing);
    tcase_add_test(c, a_segment_that_is_removed_or_changed);
    tcase_add_test(c, a_folder_that_is_removed);
    tcase_add_test(c, synced_together);
    tcase_add_test(c, a_sync_that_fails);
    suite_add_tcase(s, c);
    return s;
}
