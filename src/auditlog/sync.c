/*
 * Durability fsync: one thread syncs for everybody. While it waits for the disk, workers go on
 * writing; what they wrote meanwhile is one more sync, however many statements it holds.
 */
#include "auditlog_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

gh_rc gh_auditlog_ticket_state(gh_auditlog *log, gh_auditlog_ticket t)
{
    gh_rc rc;

    (void)pthread_mutex_lock(&log->lock);
    if (t.era != log->era)
        rc = GH_IO; /* perhaps it was synced before the failure; who did not ask then is refused */
    else
        rc = t.seq <= log->synced_seq ? GH_OK : GH_AGAIN;
    (void)pthread_mutex_unlock(&log->lock);
    return rc;
}

/* Tells every writer that waited for something up to synced_seq, or for a sync that failed. */
static void wake_writers(gh_auditlog *log, uint64_t up_to)
{
    (void)pthread_mutex_lock(&log->wake_lock);
    for (gh_auditlog_writer *w = log->writers; w != NULL; w = w->next) {
        bool now;

        (void)pthread_mutex_lock(&log->lock);
        now = w->must_wake;
        if (w->wake_seq <= up_to)
            w->must_wake = false;
        (void)pthread_mutex_unlock(&log->lock);
        if (now)
            w->wake(w->ctx);
    }
    (void)pthread_mutex_unlock(&log->wake_lock);
}

/* The lock is held, and given away while the disk works. */
static void sync_once(gh_auditlog *log)
{
    uint64_t seq = log->chain.seq;
    uint64_t era = log->era;
    /* A copy: a rotation may close the log's own meanwhile (and syncs it first). */
    bool is_open = log->fd >= 0; /* if not, a segment was left: only tell who waited for it */
    int fd = is_open ? fcntl(log->fd, F_DUPFD_CLOEXEC, 0) : -1;
    int errnum = is_open && fd < 0 ? errno : 0;

    log->is_sync_wanted = false;
    (void)pthread_mutex_unlock(&log->lock);
    if (fd >= 0) {
        if (fdatasync(fd) != 0)
            errnum = errno;
        (void)close(fd);
    }
    (void)pthread_mutex_lock(&log->lock);
    log->stats.syncs++;
    if (era == log->era) {
        if (errnum != 0)
            gh_log_sync_failed(log, errnum);
        else
            log->synced_seq = seq;
    }
    (void)pthread_mutex_unlock(&log->lock);
    wake_writers(log, seq);
    (void)pthread_mutex_lock(&log->lock);
}

static void *run(void *arg)
{
    gh_auditlog *log = arg;

    (void)pthread_mutex_lock(&log->lock);
    while (!log->is_stopping || log->is_sync_wanted) {
        if (log->is_sync_wanted)
            sync_once(log);
        else
            (void)pthread_cond_wait(&log->wanted, &log->lock);
    }
    (void)pthread_mutex_unlock(&log->lock);
    return NULL;
}

gh_rc gh_sync_start(gh_auditlog *log, gh_err *err)
{
    int errnum = gh_thread_start(&log->syncer, 0, run, log);

    if (errnum != 0)
        return gh_audit_failed(err, "start the thread that syncs", log->dir, errnum);
    return GH_OK;
}

void gh_sync_stop(gh_auditlog *log)
{
    (void)pthread_mutex_lock(&log->lock);
    log->is_stopping = true;
    (void)pthread_cond_signal(&log->wanted);
    (void)pthread_mutex_unlock(&log->lock);
    (void)pthread_join(log->syncer, NULL);
}
