/*
 * What the files of auditlog share.
 *
 *     folder.c    the folder, its lock and its segments' names
 *     recover.c   the end of the newest segment, at start
 *     log.c       the chain and the file: one batch at a time, under the log's lock
 *     writer.c    what one thread collects between commits
 *     sync.c      the thread that syncs for all writers (durability fsync)
 *     read.c      tail, search, verify
 *
 * Locks: wake_lock before lock, never the other way round.
 */
#ifndef GATEHOUSE_AUDITLOG_PRIV_H
#define GATEHOUSE_AUDITLOG_PRIV_H

#include <gatehouse/auditlog.h>

#include <pthread.h>

enum {
    GH_SEGMENT_NAME = 40,    /* audit-<20 digits>.jsonl and a NUL */
    GH_TORN_NAME = 64,       /* torn-<20 digits>-<n>.bin and a NUL */
    GH_WRITER_DIGESTS = 256, /* records of one batch that are hashed before the lock is taken */
    GH_RETRY_MS = 100        /* after a failed write the next try */
};

/* What a client may know. */
#define GH_AUDIT_REFUSAL "refused because it could not be recorded in the audit log"

/* ---- folder.c ------------------------------------------------------------------------------ */

typedef struct gh_folder {
    int dir_fd;
    int lock_fd;
} gh_folder;

/* Opens the folder (made if missing) and takes its lock. */
GH_MUST_USE gh_rc gh_folder_open(const char *path, gh_folder *out, gh_err *err);
void gh_folder_close(gh_folder *f);

/* Names of segments in the order of the chain; the caller frees the array. */
typedef struct gh_segments {
    char (*names)[GH_SEGMENT_NAME];
    size_t count;
} gh_segments;

GH_MUST_USE gh_rc gh_segments_list(int dir_fd, gh_segments *out, gh_err *err);
void gh_segments_free(gh_segments *s);
void gh_segment_name(uint64_t first_seq, char out[GH_SEGMENT_NAME]);
/* A new segment, open for appending. A file of that name that holds no record of ours is set aside. */
GH_MUST_USE gh_rc gh_segment_create(int dir_fd, uint64_t first_seq, bool is_synced, int *fd,
                                    gh_err *err);
/* A name torn-<seq>-<n>.bin that is free. */
void gh_torn_name(int dir_fd, uint64_t seq, char out[GH_TORN_NAME]);
/* 58030: what the client may know, and in detail what failed. */
GH_MUST_USE gh_rc gh_audit_failed(gh_err *err, const char *what, const char *name, int errnum);

/* ---- recover.c ----------------------------------------------------------------------------- */

typedef struct gh_tail {
    gh_audit_chain chain;
    uint64_t len;                 /* of the segment, whole records only */
    int fd;                       /* -1: there is no segment to go on with */
    uint64_t torn_len;            /* bytes that were set aside; 0: none */
    char torn_name[GH_TORN_NAME]; /* where they are now */
} gh_tail;

GH_MUST_USE gh_rc gh_tail_recover(int dir_fd, gh_tail *out, gh_err *err);

/* ---- log.c --------------------------------------------------------------------------------- */

/* One record in a writer's batch. */
typedef struct gh_entry {
    size_t len;       /* of its body */
    bool is_required; /* intents and logins: what they announce does not happen if they cannot be
                         written */
} gh_entry;

struct gh_auditlog_writer {
    gh_auditlog *log;
    gh_auditlog_writer *next; /* guarded by wake_lock */
    gh_auditlog_wake *wake;
    void *ctx;
    bool must_wake;    /* guarded by log->lock: waits for a sync ... */
    uint64_t wake_seq; /* ... of this record */
    uint32_t index;
    uint64_t counter;
    gh_buf bodies; /* of all entries, one behind the other */
    gh_entry *entries;
    size_t entry_count;
    size_t entry_cap;
    bool is_urgent;                              /* an entry is neither outcome nor logout */
    bool is_linked;                              /* the last commit used the digests up */
    gh_audit_digest *digests[GH_WRITER_DIGESTS]; /* made on first use */
    uint64_t lost; /* records that did not fit; moved to the log's count by the next commit */
};

struct gh_auditlog {
    char *dir;
    uint64_t segment_bytes;
    bool is_synced; /* durability fsync */
    uint64_t boot;

    pthread_mutex_t lock; /* guards all below but the writers' list */
    gh_folder folder;
    int fd;                /* -1: the next commit makes a segment */
    uint64_t len;          /* bytes of whole records in it */
    bool is_dirty;         /* bytes of a failed write may stand behind len */
    const char *abandoned; /* why the segment before was left; told in a `recovered` record */
    gh_audit_chain chain;
    gh_audit_digest *digest;
    gh_buf out;
    int64_t checked_s;     /* when the file was last looked at */
    int64_t retry_ms;      /* monotonic; before it nothing is tried. 0: nothing failed */
    char cause[256];       /* of the last failure, for those that are not even tried */
    uint64_t gap_required; /* not yet told in a `gap` record */
    uint64_t gap_lost;
    gh_auditlog_stats stats;
    uint32_t writer_count;

    pthread_t syncer;
    pthread_cond_t wanted;
    bool is_sync_wanted;
    bool is_stopping;
    uint64_t synced_seq;
    uint64_t era;

    pthread_mutex_t wake_lock;
    gh_auditlog_writer *writers;
};

/* The writer's batch into the chain and the file, all or nothing. The lock is held. */
GH_MUST_USE gh_rc gh_log_append(gh_auditlog *log, gh_auditlog_writer *w, gh_err *err);
/* A sync failed: leaves the segment. The lock is held. */
void gh_log_sync_failed(gh_auditlog *log, int errnum);
int64_t gh_log_now_us(void);

/* ---- sync.c -------------------------------------------------------------------------------- */

GH_MUST_USE gh_rc gh_sync_start(gh_auditlog *log, gh_err *err);
void gh_sync_stop(gh_auditlog *log);

#endif
