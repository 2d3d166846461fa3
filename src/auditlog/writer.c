/*
 * What one thread collects between commits: bodies one behind the other, each hashed as far as it
 * can be before its place in the chain is known.
 */
#include "auditlog_priv.h"

#include <stdlib.h>

enum { BODIES_KEPT_MAX = 1 << 20, ENTRIES_MIN = 16 };

gh_auditlog_writer *gh_auditlog_writer_new(gh_auditlog *log, gh_auditlog_wake *wake, void *ctx)
{
    gh_auditlog_writer *w = gh_alloc(sizeof(*w));

    w->log = log;
    w->wake = wake;
    w->ctx = ctx;
    gh_buf_init(&w->bodies, GH_AUDIT_PENDING_MAX);
    (void)pthread_mutex_lock(&log->wake_lock);
    (void)pthread_mutex_lock(&log->lock);
    w->index = ++log->writer_count;
    (void)pthread_mutex_unlock(&log->lock);
    w->next = log->writers;
    log->writers = w;
    (void)pthread_mutex_unlock(&log->wake_lock);
    return w;
}

void gh_auditlog_writer_free(gh_auditlog_writer *w)
{
    gh_auditlog_ticket ticket;
    gh_auditlog *log;

    if (w == NULL)
        return;
    log = w->log;
    if (gh_auditlog_commit(w, &ticket, NULL) != GH_OK)
        w->lost += w->entry_count; /* of a commit that was only not synced yet: none are left */
    (void)pthread_mutex_lock(&log->wake_lock);
    for (gh_auditlog_writer **at = &log->writers; *at != NULL; at = &(*at)->next) {
        if (*at == w) {
            *at = w->next;
            break;
        }
    }
    (void)pthread_mutex_lock(&log->lock);
    log->gap_lost += w->lost;
    log->stats.lost += w->lost;
    (void)pthread_mutex_unlock(&log->lock);
    (void)pthread_mutex_unlock(&log->wake_lock);
    for (size_t i = 0; i < GH_WRITER_DIGESTS; i++)
        gh_audit_digest_free(w->digests[i]);
    gh_buf_fini(&w->bodies);
    free(w->entries);
    free(w);
}

gh_audit_id gh_auditlog_next_id(gh_auditlog_writer *w)
{
    return (gh_audit_id){ .boot = w->log->boot, .writer = w->index, .number = ++w->counter };
}

bool gh_auditlog_is_urgent(const gh_auditlog_writer *w)
{
    return w->is_urgent;
}

bool gh_auditlog_is_pending(const gh_auditlog_writer *w)
{
    return w->entry_count > 0;
}

/* Intents and logins announce something that has not happened yet and must not, if nobody will
 * know. */
static bool is_required(gh_audit_kind kind)
{
    return kind == GH_AUDIT_INTENT || kind == GH_AUDIT_LOGIN;
}

static bool is_urgent(gh_audit_kind kind)
{
    return kind != GH_AUDIT_OUTCOME && kind != GH_AUDIT_LOGOUT;
}

static void hash_entry(gh_auditlog_writer *w, size_t i, gh_str body)
{
    if (i >= GH_WRITER_DIGESTS)
        return; /* the commit will */
    if (w->digests[i] == NULL)
        w->digests[i] = gh_audit_digest_new();
    gh_audit_digest_body(w->digests[i], body);
}

gh_rc gh_auditlog_put(gh_auditlog_writer *w, const gh_audit_record *r, gh_err *err)
{
    size_t start = w->bodies.len;
    gh_str body;

    gh_audit_encode(r, &w->bodies);
    if (w->bodies.failed || w->bodies.len - start > GH_AUDIT_RECORD_MAX) {
        gh_rc rc = gh_fail(err, GH_LIMIT, "58030", GH_AUDIT_REFUSAL);

        w->bodies.len = start;
        w->bodies.failed = false;
        w->lost += !is_required(r->kind);
        gh_err_detail(err, "audit: a record exceeds %u bytes or what waits exceeds %u",
                      GH_AUDIT_RECORD_MAX, GH_AUDIT_PENDING_MAX);
        return rc;
    }
    if (w->entry_count == w->entry_cap) {
        w->entry_cap = w->entry_cap == 0 ? ENTRIES_MIN : w->entry_cap * 2;
        w->entries = gh_realloc_array(w->entries, w->entry_cap, sizeof(*w->entries));
    }
    body = (gh_str){ w->bodies.ptr + start, w->bodies.len - start };
    hash_entry(w, w->entry_count, body);
    w->entries[w->entry_count++] = (gh_entry){ body.len, is_required(r->kind) };
    w->is_urgent = w->is_urgent || is_urgent(r->kind);
    return GH_OK;
}

static void clear_batch(gh_auditlog_writer *w)
{
    w->entry_count = 0;
    w->is_urgent = false;
    gh_buf_clear(&w->bodies);
    if (w->bodies.cap > BODIES_KEPT_MAX)
        gh_buf_fini(&w->bodies);
}

/* The entry's digest at its new place: moved, or made again if the failed commit used it up. */
static void keep_digest(gh_auditlog_writer *w, size_t to, size_t from, gh_str body)
{
    if (w->is_linked || from >= GH_WRITER_DIGESTS) {
        hash_entry(w, to, body);
    } else if (to != from) {
        gh_audit_digest *d = w->digests[to];

        w->digests[to] = w->digests[from];
        w->digests[from] = d;
    }
}

/* After a failed commit: what is required is dropped, the rest waits for the next. */
static void keep_rest(gh_auditlog_writer *w)
{
    size_t kept = 0;
    size_t to = 0;
    size_t from = 0;

    for (size_t i = 0; i < w->entry_count; i++) {
        gh_entry e = w->entries[i];

        if (!e.is_required) {
            if (to != from)
                memmove(w->bodies.ptr + to, w->bodies.ptr + from, e.len);
            keep_digest(w, kept, i, (gh_str){ w->bodies.ptr + to, e.len });
            w->entries[kept++] = e;
            to += e.len;
        }
        from += e.len;
    }
    w->entry_count = kept;
    w->bodies.len = to;
    w->is_urgent = false; /* the timer tries again */
}

gh_rc gh_auditlog_commit(gh_auditlog_writer *w, gh_auditlog_ticket *ticket, gh_err *err)
{
    gh_auditlog *log = w->log;
    gh_rc rc;

    if (w->entry_count == 0)
        return GH_OK;
    (void)pthread_mutex_lock(&log->lock);
    rc = gh_log_append(log, w, err);
    if (rc == GH_OK && log->is_synced) {
        rc = GH_AGAIN;
        *ticket = (gh_auditlog_ticket){ log->chain.seq, log->era };
        w->must_wake = w->wake != NULL;
        w->wake_seq = log->chain.seq;
        if (!log->is_sync_wanted) {
            log->is_sync_wanted = true;
            (void)pthread_cond_signal(&log->wanted);
        }
    }
    (void)pthread_mutex_unlock(&log->lock);
    if (rc == GH_OK || rc == GH_AGAIN)
        clear_batch(w);
    else
        keep_rest(w);
    return rc;
}
