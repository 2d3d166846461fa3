/*
 * temporary: what the session knows of its temporary tables. After a statement that changed them,
 * and after a rollback or commit that may have, its own upstream connection is asked, and nothing
 * of the client's is judged before the answer:
 *
 *     CREATE TEMP TABLE ─▶ complete ─▶ [Close Parse Bind Execute Close Sync] ─rows─▶ snapshot
 *                                       the client's ReadyForQuery is that Sync's
 *     within a pipeline: the same with a Flush, before the next message is read
 *
 * The snapshot is immutable and counted; its number is part of the scope, so that whatever was
 * judged by another is judged again.
 */
#ifndef GATEHOUSE_SESSION_TEMPORARY_H
#define GATEHOUSE_SESSION_TEMPORARY_H

#include <gatehouse/base.h>
#include <gatehouse/catalog.h>

typedef struct gh_temporary {
    gh_catalog *catalog; /* NULL: there are none */
    uint64_t id;         /* of the snapshot, 0 without one; never used again by this worker */
    gh_buf rows;         /* of which the snapshot was made */
    gh_buf incoming;     /* of the reading that is under way */
    bool is_stale;       /* they must be read before the next message is judged */
    bool is_touched;     /* changed in this transaction: its end may change them again */
} gh_temporary;

void gh_temporary_init(gh_temporary *t);
void gh_temporary_fini(gh_temporary *t); /* safe to call twice */
/* The body of a DataRow of the answer. */
void gh_temporary_row(gh_temporary *t, gh_str body);
/* The answer is complete; `next` is the worker's last number. GH_BADMSG: it is none; then there are no tables. */
GH_MUST_USE gh_rc gh_temporary_take(gh_temporary *t, uint64_t *next);
/* Forgets what it knew, as after a failed reading; the next transaction's end brings it back. */
void gh_temporary_forget(gh_temporary *t);
/* The statement that asks, and what stands behind the names in the Bind of it. */
gh_str gh_temporary_sql(void);
gh_str gh_temporary_bind_tail(void);

#endif
