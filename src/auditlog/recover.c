/*
 * Where the chain ended. A process that was killed in write(2), or a machine that lost power,
 * leaves behind the last whole record:
 *
 *     {...,"hash":"..."}\n   {...,"hash":"..."}\n   {"kind":"int
 *                                              ▲    └─ torn: moved to torn-<seq>-<n>.bin
 *                                              └ the chain goes on here
 *
 * Nothing is thrown away: the bytes that are no record move to a file of their own, which the
 * `recovered` record names, because a torn tail and a tail that somebody cut look the same.
 */
#include "auditlog_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The last line of text[0, end) that is a whole record; its end, or 0 if there is none. */
static size_t last_record(gh_str text, gh_audit_chain *chain)
{
    size_t end = text.len;

    while (end > 0) {
        const char *newline = memrchr(text.ptr, '\n', end);
        const char *before;
        size_t start;

        if (newline == NULL)
            return 0;
        end = (size_t)(newline - text.ptr);
        before = memrchr(text.ptr, '\n', end);
        start = before == NULL ? 0 : (size_t)(before - text.ptr) + 1;
        if (gh_audit_chain_anchor((gh_str){ text.ptr + start, end - start }, chain, NULL) == GH_OK)
            return end + 1;
        end = start;
    }
    return 0;
}

static gh_rc write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return GH_IO;
        bytes += n;
        len -= (size_t)n;
    }
    return GH_OK;
}

static gh_rc set_aside(int dir_fd, gh_str bytes, uint64_t seq, gh_tail *tail, gh_err *err)
{
    gh_rc rc = GH_OK;
    int fd;

    gh_torn_name(dir_fd, seq, tail->torn_name);
    fd = openat(dir_fd, tail->torn_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return gh_audit_failed(err, "make", tail->torn_name, errno);
    if (write_all(fd, bytes.ptr, bytes.len) != GH_OK || fsync(fd) != 0) {
        rc = gh_audit_failed(err, "write", tail->torn_name, errno);
        (void)unlinkat(dir_fd, tail->torn_name, 0);
    }
    (void)close(fd);
    tail->torn_len = bytes.len;
    return rc;
}

/* Finds the end of one segment's chain and cuts what is behind it. *found: it has a whole record. */
static gh_rc recover_text(int dir_fd, const char *name, gh_str text, gh_tail *tail, bool *found,
                          gh_err *err)
{
    size_t end = last_record(text, &tail->chain);
    gh_rc rc;

    tail->len = end;
    *found = end > 0;
    if (end == 0 || end == text.len)
        return GH_OK;
    rc = set_aside(dir_fd, (gh_str){ text.ptr + end, text.len - end }, tail->chain.seq + 1, tail,
                   err);
    if (rc != GH_OK)
        return rc;
    if (ftruncate(tail->fd, (off_t)end) != 0)
        return gh_audit_failed(err, "cut", name, errno);
    return GH_OK;
}

static gh_rc recover_segment(int dir_fd, const char *name, gh_tail *tail, bool *found, gh_err *err)
{
    struct stat st;
    void *map;
    size_t size;
    gh_rc rc;

    *found = false;
    tail->fd = openat(dir_fd, name, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (tail->fd < 0 || fstat(tail->fd, &st) != 0)
        return gh_audit_failed(err, "open", name, errno);
    if (!S_ISREG(st.st_mode))
        return gh_audit_failed(err, "use", name, EINVAL);
    if (st.st_size == 0)
        return GH_OK;
    size = (size_t)st.st_size;
    map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, tail->fd, 0);
    if (map == MAP_FAILED)
        return gh_audit_failed(err, "read", name, errno);
    rc = recover_text(dir_fd, name, (gh_str){ map, size }, tail, found, err);
    (void)munmap(map, size);
    return rc;
}

/* A segment without any whole record: made just before the crash. It leaves its name. */
static gh_rc drop_segment(int dir_fd, const char *name, uint64_t seq, gh_tail *tail, gh_err *err)
{
    struct stat st;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return gh_audit_failed(err, "look at", name, errno);
    if (st.st_size == 0)
        return unlinkat(dir_fd, name, 0) == 0 ? GH_OK : gh_audit_failed(err, "remove", name, errno);
    gh_torn_name(dir_fd, seq, tail->torn_name);
    tail->torn_len = (uint64_t)st.st_size;
    if (renameat(dir_fd, name, dir_fd, tail->torn_name) != 0)
        return gh_audit_failed(err, "set aside", name, errno);
    return GH_OK;
}

static void close_tail(gh_tail *tail)
{
    if (tail->fd >= 0)
        (void)close(tail->fd);
    tail->fd = -1;
    tail->len = 0;
}

/* The newest segment holds no whole record: the chain ends in the one before, or never began. */
static gh_rc recover_previous(int dir_fd, const gh_segments *list, gh_tail *tail, gh_err *err)
{
    const char *newest = list->names[list->count - 1];
    const char *previous;
    char first[GH_SEGMENT_NAME];
    bool found = false;
    gh_rc rc;

    close_tail(tail);
    if (list->count == 1) {
        gh_segment_name(1, first);
        if (strcmp(newest, first) != 0)
            return gh_audit_failed(err, "find a whole record in", newest, EBADMSG);
        return drop_segment(dir_fd, newest, 1, tail, err);
    }
    previous = list->names[list->count - 2];
    rc = recover_segment(dir_fd, previous, tail, &found, err);
    if (rc != GH_OK)
        return rc;
    if (!found)
        return gh_audit_failed(err, "find a whole record in", previous, EBADMSG);
    return drop_segment(dir_fd, newest, tail->chain.seq + 1, tail, err);
}

gh_rc gh_tail_recover(int dir_fd, gh_tail *out, gh_err *err)
{
    gh_tail tail = { .fd = -1 };
    gh_segments list;
    bool found = false;
    gh_rc rc = gh_segments_list(dir_fd, &list, err);

    if (rc != GH_OK)
        return rc;
    if (list.count > 0) {
        rc = recover_segment(dir_fd, list.names[list.count - 1], &tail, &found, err);
        if (rc == GH_OK && !found)
            rc = recover_previous(dir_fd, &list, &tail, err);
    }
    gh_segments_free(&list);
    if (rc != GH_OK) {
        close_tail(&tail);
        return rc;
    }
    *out = tail;
    return GH_OK;
}
