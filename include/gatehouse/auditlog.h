/*
 * auditlog: the audit records on disk. Workers collect records without a lock; one commit a turn of
 * the event loop puts what it collected into the chain and into the file with one write.
 *
 *     worker 1 ─put─▶ writer (bodies, hashed) ─┐
 *     worker 2 ─put─▶ writer (bodies, hashed) ─┤commit: short lock: seq, links, write(2)
 *     worker n ─put─▶ writer (bodies, hashed) ─┘        │
 *                                                       ▼
 *     DIR/audit-<first seq, 20 digits>.jsonl   append-only segments, 0600 in a folder of 0700
 *     DIR/lock                                 one process a folder (flock)
 *     DIR/torn-<next seq>-<n>.bin              what recovery set aside
 *
 * Order of a turn:  put intents ... gh_auditlog_commit ... only then flush what goes upstream.
 *   durability write: commit returns GH_OK when the kernel has the records (they survive kill -9).
 *   durability fsync: commit returns GH_AGAIN and a ticket. A thread syncs for all workers at once
 * and then calls each writer's on_durable; gh_auditlog_ticket_state tells which statements may go
 * on. A commit that fails: nothing of the batch is in the file or the chain. Intents and logins
 *   (whose statements are now refused) are dropped; all others wait for the next commit, up to a
 *   bound. When writing works again a `gap` record counts what is missing. Until then it is tried again
 *   every 100 ms, and commits in between fail at once.
 *
 * Outcomes may wait: commit at the latest GH_AUDIT_OUTCOME_DELAY_MS after gh_auditlog_is_pending
 * turned true.
 *
 * Threads: a writer belongs to one thread; everything else may be called by any.
 */
#ifndef GATEHOUSE_AUDITLOG_H
#define GATEHOUSE_AUDITLOG_H

#include <stdio.h>

#include <gatehouse/audit.h>
#include <gatehouse/base.h>

typedef struct gh_auditlog gh_auditlog;
typedef struct gh_auditlog_writer gh_auditlog_writer;

typedef enum gh_durability {
    GH_DURABILITY_FSYNC = 0, /* survives power loss */
    GH_DURABILITY_WRITE      /* survives a crash of the proxy */
} gh_durability;

typedef struct gh_auditlog_config {
    gh_str dir; /* made (0700) if it is missing, but not its parents */
    gh_durability durability;
    uint64_t segment_bytes; /* a segment that reached it is followed by the next; 0:
                               GH_AUDIT_SEGMENT_BYTES */
} gh_auditlog_config;

/*
 * Takes the folder's lock, checks the end of the newest segment, sets a torn tail aside and goes on
 * with the chain. GH_IO: folder missing, not writable, held by another process, or not a chain.
 */
GH_MUST_USE gh_rc gh_auditlog_open(const gh_auditlog_config *cfg, gh_auditlog **out, gh_err *err);
/* After all writers are freed. Syncs. NULL is fine. */
void gh_auditlog_close(gh_auditlog *log);

/*
 * fsync only: called by the log's thread, with no lock held, when a sync ended well or badly. It
 * may only wake the writer's own thread (which then asks gh_auditlog_ticket_state).
 */
typedef void gh_auditlog_wake(void *ctx);

GH_MUST_USE gh_auditlog_writer *gh_auditlog_writer_new(gh_auditlog *log, gh_auditlog_wake *wake,
                                                       void *ctx);
/* Commits what is pending. After it returns, wake is not called again. NULL is fine. */
void gh_auditlog_writer_free(gh_auditlog_writer *w);

/* A new id for a session or a statement. */
gh_audit_id gh_auditlog_next_id(gh_auditlog_writer *w);

/*
 * Takes the record into the writer's batch; it is neither durable nor in the file before a commit
 * says so. GH_LIMIT: the record is larger than GH_AUDIT_RECORD_MAX or the batch than
 * GH_AUDIT_PENDING_MAX: nothing was taken, refuse the statement (58030). An outcome that is lost so
 * is counted in a `gap` record.
 */
GH_MUST_USE gh_rc gh_auditlog_put(gh_auditlog_writer *w, const gh_audit_record *r, gh_err *err);
bool gh_auditlog_is_pending(const gh_auditlog_writer *w);
/* Something other than outcomes and logouts waits: commit in this turn. */
bool gh_auditlog_is_urgent(const gh_auditlog_writer *w);

typedef struct gh_auditlog_ticket {
    uint64_t seq;
    uint64_t era; /* grows with every failed sync */
} gh_auditlog_ticket;

/*
 * GH_OK: all that was put is durable (or nothing was pending). GH_AGAIN: written, not yet synced,
 * see the ticket (fsync only). Else: refuse every statement and login whose record was put since
 * the last commit; err is 58030 with a text fit for the client and the cause in detail.
 */
GH_MUST_USE gh_rc gh_auditlog_commit(gh_auditlog_writer *w, gh_auditlog_ticket *ticket,
                                     gh_err *err);
/* GH_OK: durable. GH_AGAIN: wait for wake. GH_IO: the sync failed; refuse. */
GH_MUST_USE gh_rc gh_auditlog_ticket_state(gh_auditlog *log, gh_auditlog_ticket t);

typedef struct gh_auditlog_stats {
    uint64_t records; /* written by this process */
    uint64_t bytes;
    uint64_t commits; /* write(2)s */
    uint64_t syncs;
    uint64_t failures; /* commits and syncs that failed */
    uint64_t lost;     /* records dropped by failures */
    uint64_t seq;      /* of the last record */
    bool is_failing;   /* the last commit failed */
} gh_auditlog_stats;
void gh_auditlog_get_stats(gh_auditlog *log, gh_auditlog_stats *out);

/* ---- reading: `audit tail`, `search` and `show`; needs no running proxy and takes no lock ------ */

typedef struct gh_auditlog_query {
    gh_str dir;
    gh_audit_filter
        filter; /* gh_audit_time_parse for --since and --until, gh_audit_kind_parse for --kind */
    uint64_t limit;    /* search: the newest that match; 0: all. tail: how many lines first */
    bool is_json;      /* lines as they are in the file; else a line for people */
    bool is_whole;     /* with every field, an empty line between records; unless is_json */
    bool is_following; /* tail: goes on with what is appended, until *stop */
    size_t width;      /* of the terminal; 0: do not cut lines */
    const volatile int *stop; /* set by a signal handler; may be NULL */
    /* Called for each record that matches, instead of printing it; NULL: print. `a` is the record's. */
    void (*each)(void *arg, const gh_json_value *record, gh_arena *a);
    void *each_arg;
} gh_auditlog_query;

/* Prints the last `limit` records that match, then follows. GH_IO, GH_NOT_FOUND (no such folder). */
GH_MUST_USE gh_rc gh_auditlog_tail(const gh_auditlog_query *q, FILE *out, gh_err *err);
/* Prints every record that matches, oldest first; *matched may be NULL. */
GH_MUST_USE gh_rc gh_auditlog_search(const gh_auditlog_query *q, FILE *out, uint64_t *matched,
                                     gh_err *err);

/* What there is of a chain. Zeroed: nothing, not one record. */
typedef struct gh_auditlog_extent {
    uint64_t first_seq; /* of the oldest record that is left */
    gh_audit_chain end; /* the newest one's number and hash */
} gh_auditlog_extent;
/*
 * Checks the whole chain of a folder. `known` (may be NULL): the number and hash of a record, as they were noted
 * earlier: it must be in the chain, or be the one before its oldest record, for what was cut off the end, and a chain
 * that was written anew, break nothing in the chain itself. GH_INVALID: the error says where it breaks.
 */
GH_MUST_USE gh_rc gh_auditlog_verify(gh_str dir, const gh_audit_chain *known,
                                     gh_auditlog_extent *out, gh_err *err);

#endif
