/*
 * The chain and the file. A batch is linked into a copy of the chain, written with one write(2),
 * and only then does the copy become the chain: a write that fails leaves neither a record nor a
 * number behind.
 *
 *     lock ─ repair? ─ next segment? ─ [recovered] [gap] bodies + links ─ write ─ chain = copy ─ unlock
 *
 * The lock is taken once a turn of a worker's event loop, not once a message, and held for what
 * must be in order: a block or two of SHA-256 a record and the write.
 */
#include "auditlog_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { OUT_KEPT_MAX = 1 << 20 }; /* a larger buffer is given back after the batch that needed it */

int64_t gh_log_now_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* ---- the file ------------------------------------------------------------------------------ */

/*
 * Leaves the segment; the next batch starts another and says why. What was not synced before may be
 * gone, so no ticket of this era comes good: the syncing thread tells who waits for one.
 */
static void abandon(gh_auditlog *log, const char *why)
{
    if (log->fd >= 0)
        (void)close(log->fd);
    log->fd = -1;
    log->is_dirty = false;
    log->abandoned = why;
    log->era++;
    log->is_sync_wanted = true;
    (void)pthread_cond_signal(&log->wanted);
    gh_log(GH_ERROR, "audit.segment_left", "dir=%s seq=%" PRIu64 " reason=\"%s\"", log->dir,
           log->chain.seq, why);
}

void gh_log_sync_failed(gh_auditlog *log, int errnum)
{
    log->stats.failures++;
    log->stats.is_failing = true;
    gh_log(GH_ERROR, "audit.sync_failed", "dir=%s errno=%d", log->dir, errnum);
    /* After a failed sync the kernel may have dropped the pages and a second try would lie. */
    abandon(log, "it could not be synced; records before this one may be lost");
}

/*
 * Somebody may have removed, cut or written the file behind our back. Looked at once a second: the
 * write itself would not notice, and records would go to a file that nobody can find.
 */
static void check_file(gh_auditlog *log)
{
    struct timespec now;
    struct stat st;

    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (log->fd < 0 || now.tv_sec == log->checked_s)
        return;
    log->checked_s = now.tv_sec;
    if (fstat(log->fd, &st) != 0 || st.st_nlink == 0)
        abandon(log, "it was removed while it was in use");
    else if (!log->is_dirty && (uint64_t)st.st_size != log->len)
        abandon(log, "another process changed it while it was in use");
}

/* The folder itself was removed: take its successor, if that holds no other chain. */
static gh_rc reopen_folder(gh_auditlog *log, gh_err *err)
{
    gh_folder next;
    gh_segments list;
    gh_rc rc = gh_folder_open(log->dir, &next, err);

    if (rc != GH_OK)
        return rc;
    rc = gh_segments_list(next.dir_fd, &list, err);
    if (rc == GH_OK) {
        if (list.count > 0)
            rc = gh_audit_failed(err, "go on in another chain's folder", log->dir, EEXIST);
        gh_segments_free(&list);
    }
    if (rc != GH_OK) {
        gh_folder_close(&next);
        return rc;
    }
    gh_folder_close(&log->folder);
    log->folder = next;
    return GH_OK;
}

static gh_rc open_segment(gh_auditlog *log, gh_err *err)
{
    struct stat st;
    gh_rc rc;

    if (fstat(log->folder.dir_fd, &st) == 0 && st.st_nlink == 0) {
        rc = reopen_folder(log, err);
        if (rc != GH_OK)
            return rc;
    }
    rc = gh_segment_create(log->folder.dir_fd, log->chain.seq + 1, log->is_synced, &log->fd, err);
    if (rc == GH_OK)
        log->len = 0;
    return rc;
}

/* A full segment is followed by the next. One that cannot be followed just grows. */
static void rotate(gh_auditlog *log)
{
    int old = log->fd;
    gh_err err = { .sqlstate = "" };

    if (log->is_synced && fdatasync(old) != 0) {
        gh_log_sync_failed(log, errno);
        return;
    }
    if (gh_segment_create(log->folder.dir_fd, log->chain.seq + 1, log->is_synced, &log->fd, &err) !=
        GH_OK) {
        log->fd = old;
        gh_log(GH_WARN, "audit.rotate", "dir=%s detail=\"%s\"", log->dir, err.detail);
        return;
    }
    (void)close(old);
    log->len = 0;
}

/* The file open and its end at the last whole record, or nothing can be written. */
static gh_rc prepare(gh_auditlog *log, gh_err *err)
{
    check_file(log);
    if (log->is_dirty) {
        if (ftruncate(log->fd, (off_t)log->len) != 0)
            return gh_audit_failed(err, "cut", log->dir, errno);
        log->is_dirty = false;
    }
    if (log->fd >= 0 && log->len >= log->segment_bytes)
        rotate(log);
    if (log->fd < 0)
        return open_segment(log, err);
    return GH_OK;
}

static gh_rc write_out(gh_auditlog *log, gh_err *err)
{
    size_t done = 0;

    while (done < log->out.len) {
        ssize_t n = write(log->fd, log->out.ptr + done, log->out.len - done);
        int errnum = n == 0 ? ENOSPC : errno;

        if (n < 0 && errnum == EINTR)
            continue;
        if (n <= 0) {
            /* What a short write left would be read as a record cut off. */
            log->is_dirty = done > 0 && ftruncate(log->fd, (off_t)log->len) != 0;
            return gh_audit_failed(err, "write to", log->dir, errnum);
        }
        done += (size_t)n;
    }
    return GH_OK;
}

/* ---- the batch ----------------------------------------------------------------------------- */

static void put_linked(gh_auditlog *log, gh_audit_chain *chain, gh_audit_digest *digest,
                       gh_str body)
{
    char link[GH_AUDIT_LINK_MAX];
    size_t len = gh_audit_chain_link(chain, digest, link);

    gh_buf_put_str(&log->out, body);
    gh_buf_put(&log->out, link, len);
}

/* A record of the log's own. */
static void put_own(gh_auditlog *log, gh_audit_chain *chain, gh_audit_kind kind, gh_str message)
{
    gh_audit_record r = { .kind = kind, .time_us = gh_log_now_us(), .message = message };
    gh_buf body;

    gh_buf_init(&body, 0);
    gh_audit_encode(&r, &body);
    gh_audit_digest_body(log->digest, gh_buf_str(&body));
    put_linked(log, chain, log->digest, gh_buf_str(&body));
    gh_buf_fini(&body);
}

/* What the auditor must know before reading on. Returns how many records that took. */
static size_t put_notices(gh_auditlog *log, gh_audit_chain *chain)
{
    char text[256];
    size_t count = 0;
    int len;

    if (log->abandoned != NULL) {
        len = snprintf(text, sizeof(text), "the segment before this one was left: %s",
                       log->abandoned);
        put_own(log, chain, GH_AUDIT_RECOVERED, (gh_str){ text, (size_t)len });
        count++;
    }
    if (log->gap_required > 0 || log->gap_lost > 0) {
        len = snprintf(text, sizeof(text),
                       "writing failed for a while: %" PRIu64
                       " statements or logins were refused for that, %" PRIu64
                       " other records are lost",
                       log->gap_required, log->gap_lost);
        put_own(log, chain, GH_AUDIT_GAP, (gh_str){ text, (size_t)len });
        count++;
    }
    return count;
}

static void put_batch(gh_auditlog *log, gh_audit_chain *chain, const gh_auditlog_writer *w)
{
    const char *at = w->bodies.ptr;

    for (size_t i = 0; i < w->entry_count; i++) {
        gh_str body = { at, w->entries[i].len };

        at += body.len;
        if (i < GH_WRITER_DIGESTS) {
            put_linked(log, chain, w->digests[i], body);
        } else {
            gh_audit_digest_body(log->digest, body);
            put_linked(log, chain, log->digest, body);
        }
    }
}

static int64_t monotonic_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/*
 * SECURITY: while the disk is full every statement is refused, but clients may go on asking; each try
 * would carry the whole backlog to the disk again. So there is one try in GH_RETRY_MS.
 * Attack: tests/unit/auditlog, "full_disk".
 */
static bool may_try(const gh_auditlog *log)
{
    return log->retry_ms == 0 || monotonic_ms() >= log->retry_ms;
}

static void count_refused(gh_auditlog *log, const gh_auditlog_writer *w)
{
    for (size_t i = 0; i < w->entry_count; i++) {
        if (w->entries[i].is_required)
            log->gap_required++;
    }
}

static gh_rc fail(gh_auditlog *log, const gh_auditlog_writer *w, const gh_err *err, gh_rc rc)
{
    count_refused(log, w);
    log->retry_ms = monotonic_ms() + GH_RETRY_MS;
    (void)snprintf(log->cause, sizeof(log->cause), "%.255s", err->detail);
    log->stats.failures++;
    if (!log->stats.is_failing)
        gh_log(GH_ERROR, "audit.failed", "detail=\"%s\"", err->detail);
    log->stats.is_failing = true;
    return rc;
}

static void succeed(gh_auditlog *log, const gh_audit_chain *chain)
{
    log->stats.records += chain->seq - log->chain.seq;
    log->stats.bytes += log->out.len;
    log->stats.commits++;
    log->chain = *chain;
    log->len += log->out.len;
    log->gap_required = 0;
    log->gap_lost = 0;
    log->abandoned = NULL;
    log->retry_ms = 0;
    if (log->stats.is_failing)
        gh_log(GH_WARN, "audit.works_again", "dir=%s seq=%" PRIu64, log->dir, chain->seq);
    log->stats.is_failing = false;
}

gh_rc gh_log_append(gh_auditlog *log, gh_auditlog_writer *w, gh_err *err)
{
    gh_audit_chain chain;
    gh_err own;
    gh_err *why = err != NULL ? err : &own;
    gh_rc rc;

    gh_err_init(&own);
    log->gap_lost += w->lost;
    log->stats.lost += w->lost;
    w->lost = 0;
    w->is_linked = false;
    if (!may_try(log)) {
        count_refused(log, w);
        rc = gh_fail(why, GH_IO, "58030", GH_AUDIT_REFUSAL);
        gh_err_detail(why, "%s", log->cause);
        return rc;
    }
    rc = prepare(log, why);
    if (rc != GH_OK)
        return fail(log, w, why, rc);
    w->is_linked = true;
    chain = log->chain;
    gh_buf_clear(&log->out);
    (void)put_notices(log, &chain);
    put_batch(log, &chain, w);
    rc = write_out(log, why);
    if (rc == GH_OK)
        succeed(log, &chain);
    else
        rc = fail(log, w, why, rc);
    if (log->out.cap > OUT_KEPT_MAX)
        gh_buf_fini(&log->out);
    return rc;
}

/* ---- open and close ------------------------------------------------------------------------ */

static gh_rc write_recovered(gh_auditlog *log, const gh_tail *tail, gh_err *err)
{
    char text[160];
    gh_audit_chain chain;
    int len;
    gh_rc rc;

    if (tail->torn_len == 0)
        return GH_OK;
    gh_log(GH_WARN, "audit.torn_tail", "dir=%s bytes=%" PRIu64 " file=%s", log->dir, tail->torn_len,
           tail->torn_name);
    rc = prepare(log, err);
    if (rc != GH_OK)
        return rc;
    chain = log->chain;
    len = snprintf(text, sizeof(text),
                   "%" PRIu64 " bytes behind the last whole record were set aside as %s",
                   tail->torn_len, tail->torn_name);
    put_own(log, &chain, GH_AUDIT_RECOVERED, (gh_str){ text, (size_t)len });
    rc = write_out(log, err);
    if (rc == GH_OK)
        succeed(log, &chain);
    return rc;
}

static void free_log(gh_auditlog *log)
{
    if (log->fd >= 0)
        (void)close(log->fd);
    gh_folder_close(&log->folder);
    gh_audit_digest_free(log->digest);
    gh_buf_fini(&log->out);
    (void)pthread_mutex_destroy(&log->lock);
    (void)pthread_mutex_destroy(&log->wake_lock);
    (void)pthread_cond_destroy(&log->wanted);
    free(log->dir);
    free(log);
}

static gh_auditlog *new_log(const gh_auditlog_config *cfg)
{
    gh_auditlog *log = gh_alloc(sizeof(*log));
    pthread_mutexattr_t attr;

    log->dir = gh_strdup(cfg->dir);
    log->segment_bytes = cfg->segment_bytes != 0 ? cfg->segment_bytes : GH_AUDIT_SEGMENT_BYTES;
    log->is_synced = cfg->durability == GH_DURABILITY_FSYNC;
    log->folder = (gh_folder){ -1, -1 };
    log->fd = -1;
    log->digest = gh_audit_digest_new();
    gh_buf_init(&log->out, 0);
    /* Held for microseconds: spinning a little is cheaper than sleeping. */
    GH_ASSERT(pthread_mutexattr_init(&attr) == 0);
    GH_ASSERT(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP) == 0);
    GH_ASSERT(pthread_mutex_init(&log->lock, &attr) == 0);
    (void)pthread_mutexattr_destroy(&attr);
    GH_ASSERT(pthread_mutex_init(&log->wake_lock, NULL) == 0);
    GH_ASSERT(pthread_cond_init(&log->wanted, NULL) == 0);
    GH_ASSERT(getrandom(&log->boot, sizeof(log->boot), 0) == (ssize_t)sizeof(log->boot));
    return log;
}

gh_rc gh_auditlog_open(const gh_auditlog_config *cfg, gh_auditlog **out, gh_err *err)
{
    gh_auditlog *log = new_log(cfg);
    gh_tail tail = { .fd = -1 };
    gh_rc rc = gh_folder_open(log->dir, &log->folder, err);

    if (rc == GH_OK)
        rc = gh_tail_recover(log->folder.dir_fd, &tail, err);
    if (rc == GH_OK) {
        log->fd = tail.fd;
        log->len = tail.len;
        log->chain = tail.chain;
        rc = write_recovered(log, &tail, err);
    }
    /* A folder that cannot be written to must be known now and not at the first statement. */
    if (rc == GH_OK && log->fd < 0)
        rc = prepare(log, err);
    if (rc == GH_OK && log->is_synced) {
        if (fdatasync(log->fd) != 0)
            rc = gh_audit_failed(err, "sync", log->dir, errno);
        else
            rc = gh_sync_start(log, err);
    }
    if (rc != GH_OK) {
        free_log(log);
        return rc;
    }
    log->synced_seq = log->chain.seq;
    *out = log;
    return GH_OK;
}

void gh_auditlog_close(gh_auditlog *log)
{
    if (log == NULL)
        return;
    GH_ASSERT(log->writers == NULL);
    if (log->is_synced)
        gh_sync_stop(log);
    if (log->fd >= 0 && fdatasync(log->fd) != 0)
        gh_log(GH_ERROR, "audit.sync_failed", "dir=%s errno=%d", log->dir, errno);
    if (log->gap_required > 0 || log->gap_lost > 0)
        gh_log(GH_ERROR, "audit.gap", "dir=%s refused=%" PRIu64 " lost=%" PRIu64, log->dir,
               log->gap_required, log->gap_lost);
    free_log(log);
}

void gh_auditlog_get_stats(gh_auditlog *log, gh_auditlog_stats *out)
{
    (void)pthread_mutex_lock(&log->lock);
    *out = log->stats;
    out->seq = log->chain.seq;
    (void)pthread_mutex_unlock(&log->lock);
}
