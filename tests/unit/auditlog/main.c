/* Unit tests of auditlog, and what they share. */
#include "auditlog_tests.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char s_scratch[64];
static char s_dir[80];

void scratch_make(void)
{
    (void)snprintf(s_scratch, sizeof(s_scratch), "/tmp/gh-auditlog-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(s_scratch));
    ck_assert_int_eq(chmod(s_scratch, 0755), 0);
    (void)snprintf(s_dir, sizeof(s_dir), "%s/audit", s_scratch);
}

void scratch_remove(void)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "rm -rf -- '%s'", s_scratch);
    ck_assert_int_eq(system(command), 0);
}

const char *scratch_dir(void)
{
    return s_dir;
}

const char *scratch_path(const char *in)
{
    static char path[200];

    (void)snprintf(path, sizeof(path), "%s/%.100s", s_dir, in);
    return path;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

int segment_names(char names[64][64])
{
    DIR *dir = opendir(s_dir);
    struct dirent *e;
    int count = 0;

    ck_assert_ptr_nonnull(dir);
    for (e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (strncmp(e->d_name, "audit-", 6) != 0)
            continue;
        ck_assert_int_lt(count, 64);
        (void)snprintf(names[count++], 64, "%.63s", e->d_name);
    }
    (void)closedir(dir);
    qsort(names, (size_t)count, 64, by_name);
    return count;
}

gh_auditlog *open_log(gh_durability durability, uint64_t segment_bytes)
{
    gh_auditlog_config cfg = { gh_str_of(s_dir), durability, segment_bytes };
    gh_auditlog *log = NULL;
    gh_err err = { .sqlstate = "" };

    ck_assert_msg(gh_auditlog_open(&cfg, &log, &err) == GH_OK, "%s %s", err.public_msg, err.detail);
    return log;
}

void put(gh_auditlog_writer *w, gh_audit_kind kind, const char *message)
{
    gh_audit_record r = { .kind = kind,
                          .time_us = 1785499200000000,
                          .statement = gh_auditlog_next_id(w),
                          .sql = gh_str_of(message),
                          .message = gh_str_of(message) };

    ck_assert_int_eq(gh_auditlog_put(w, &r, NULL), GH_OK);
}

void put_and_commit(gh_auditlog_writer *w, gh_audit_kind kind, const char *message)
{
    gh_auditlog_ticket ticket;
    gh_err err = { .sqlstate = "" };

    put(w, kind, message);
    ck_assert_msg(gh_auditlog_commit(w, &ticket, &err) == GH_OK, "%s", err.detail);
}

uint64_t verified(void)
{
    gh_auditlog_extent found = { 0 };
    gh_err err = { .sqlstate = "" };

    ck_assert_msg(gh_auditlog_verify(gh_str_of(s_dir), NULL, &found, &err) == GH_OK, "%s: %s",
                  err.public_msg, err.detail);
    return found.end.seq;
}

char *folder_text(void)
{
    char names[64][64];
    int count = segment_names(names);
    gh_buf out;

    gh_buf_init(&out, 0);
    for (int i = 0; i < count; i++) {
        FILE *f = fopen(scratch_path(names[i]), "rb");
        char chunk[8192];
        size_t got;

        ck_assert_ptr_nonnull(f);
        for (got = fread(chunk, 1, sizeof(chunk), f); got > 0;
             got = fread(chunk, 1, sizeof(chunk), f))
            gh_buf_put(&out, chunk, got);
        (void)fclose(f);
    }
    gh_buf_put(&out, "", 1);
    return out.ptr;
}

size_t count_of(const char *what)
{
    char *text = folder_text();
    size_t count = 0;

    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
        count++;
    free(text);
    return count;
}

int main(void)
{
    SRunner *runner = srunner_create(suite_create("auditlog"));
    int failed;

    gh_log_set_level(GH_ERROR);
    srunner_add_suite(runner, auditlog_write_suite());
    srunner_add_suite(runner, auditlog_crash_suite());
    srunner_add_suite(runner, auditlog_read_suite());
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
