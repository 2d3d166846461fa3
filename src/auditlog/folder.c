/*
 * The audit folder: one process at a time, segments named by the number of their first record, so
 * that the order of names is the order of the chain.
 */
#include "auditlog_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

gh_rc gh_audit_failed(gh_err *err, const char *what, const char *name, int errnum)
{
    char text[128];
    gh_rc rc = gh_fail(err, GH_IO, "58030", GH_AUDIT_REFUSAL);

    gh_err_detail(err, "audit: cannot %s %s: %s", what, name,
                  strerror_r(errnum, text, sizeof(text)));
    return rc;
}

/* ---- the folder and its lock --------------------------------------------------------------- */

/*
 * SECURITY: who may write to the folder may replace segments, and who may list it may read SQL.
 * Others' write access is refused, read access is the operator's choice (a group of auditors), but
 * said. Attack: tests/unit/auditlog, "shared_folder_is_refused".
 */
static gh_rc check_mode(const char *path, int fd, gh_err *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return gh_audit_failed(err, "look at", path, errno);
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        gh_rc rc = gh_audit_failed(err, "use", path, EPERM);

        gh_log(GH_ERROR, "audit.folder", "dir=%s reason=\"writable by others: chmod 700\"", path);
        return rc;
    }
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        gh_log(GH_WARN, "audit.folder", "dir=%s reason=\"readable by others\"", path);
    return GH_OK;
}

static gh_rc take_lock(const char *path, int dir_fd, int *out, gh_err *err)
{
    char pid[32];
    int len;
    int fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return gh_audit_failed(err, "open the lock of", path, errno);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        gh_rc rc = GH_IO;

        if (errno == EWOULDBLOCK) {
            ssize_t got = pread(fd, pid, sizeof(pid) - 1, 0);

            pid[got > 0 ? got : 0] = '\0';
            pid[strcspn(pid, "\n")] = '\0';
            rc = gh_fail(err, GH_IO, "58030", "the audit folder is in use by another process");
            gh_err_detail(err, "audit: %s is locked by process %s", path, pid);
        } else {
            rc = gh_audit_failed(err, "lock", path, errno);
        }
        (void)close(fd);
        return rc;
    }
    /* For the message above only; the lock itself is the kernel's and ends with the process. */
    len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0 && pwrite(fd, pid, (size_t)len, 0) < 0)
        gh_log(GH_WARN, "audit.lock", "dir=%s errno=%d", path, errno);
    *out = fd;
    return GH_OK;
}

gh_rc gh_folder_open(const char *path, gh_folder *out, gh_err *err)
{
    gh_folder f = { -1, -1 };
    gh_rc rc;

    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return gh_audit_failed(err, "make the folder", path, errno);
    f.dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f.dir_fd < 0)
        return gh_audit_failed(err, "open the folder", path, errno);
    rc = check_mode(path, f.dir_fd, err);
    if (rc == GH_OK)
        rc = take_lock(path, f.dir_fd, &f.lock_fd, err);
    if (rc != GH_OK) {
        gh_folder_close(&f);
        return rc;
    }
    *out = f;
    return GH_OK;
}

void gh_folder_close(gh_folder *f)
{
    if (f->lock_fd >= 0)
        (void)close(f->lock_fd);
    if (f->dir_fd >= 0)
        (void)close(f->dir_fd);
    *f = (gh_folder){ -1, -1 };
}

/* ---- segments ------------------------------------------------------------------------------ */

static bool is_segment_name(const char *name)
{
    static const char before[] = "audit-";
    static const char after[] = ".jsonl";
    size_t len = strlen(name);

    if (len != sizeof(before) - 1 + 20 + sizeof(after) - 1 ||
        memcmp(name, before, sizeof(before) - 1) != 0 ||
        strcmp(name + sizeof(before) - 1 + 20, after) != 0)
        return false;
    return strspn(name + sizeof(before) - 1, "0123456789") == 20;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

gh_rc gh_segments_list(int dir_fd, gh_segments *out, gh_err *err)
{
    gh_segments list = { NULL, 0 };
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    size_t cap = 0;
    struct dirent *e;

    if (dir == NULL) {
        int errnum = errno;

        if (fd >= 0)
            (void)close(fd);
        return gh_audit_failed(err, "list", "the folder", errnum);
    }
    for (e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (!is_segment_name(e->d_name))
            continue;
        if (list.count == cap) {
            cap = cap == 0 ? 16 : cap * 2;
            list.names = gh_realloc_array(list.names, cap, sizeof(*list.names));
        }
        memcpy(list.names[list.count++], e->d_name, strlen(e->d_name) + 1);
    }
    (void)closedir(dir);
    if (list.count > 1)
        qsort(list.names, list.count, sizeof(*list.names), by_name);
    *out = list;
    return GH_OK;
}

void gh_segments_free(gh_segments *s)
{
    free(s->names);
    *s = (gh_segments){ NULL, 0 };
}

void gh_segment_name(uint64_t first_seq, char out[GH_SEGMENT_NAME])
{
    (void)snprintf(out, GH_SEGMENT_NAME, "audit-%020" PRIu64 ".jsonl", first_seq);
}

void gh_torn_name(int dir_fd, uint64_t seq, char out[GH_TORN_NAME])
{
    struct stat st;
    unsigned n = 1;

    do {
        (void)snprintf(out, GH_TORN_NAME, "torn-%020" PRIu64 "-%u.bin", seq, n++);
    } while (fstatat(dir_fd, out, &st, AT_SYMLINK_NOFOLLOW) == 0);
}

gh_rc gh_segment_create(int dir_fd, uint64_t first_seq, bool is_synced, int *out, gh_err *err)
{
    const int how = O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    char name[GH_SEGMENT_NAME];
    int fd;

    gh_segment_name(first_seq, name);
    fd = openat(dir_fd, name, how, 0600);
    if (fd < 0 && errno == EEXIST) {
        /* Our chain has no such record yet, so the file holds nothing of it: keep it, out of the
         * way. */
        char aside[GH_TORN_NAME];

        gh_torn_name(dir_fd, first_seq, aside);
        if (renameat(dir_fd, name, dir_fd, aside) != 0)
            return gh_audit_failed(err, "set aside", name, errno);
        fd = openat(dir_fd, name, how, 0600);
    }
    if (fd < 0)
        return gh_audit_failed(err, "make", name, errno);
    if (is_synced && fsync(dir_fd) != 0) {
        gh_rc rc = gh_audit_failed(err, "sync the folder of", name, errno);

        (void)close(fd);
        (void)unlinkat(dir_fd, name, 0);
        return rc;
    }
    *out = fd;
    return GH_OK;
}
