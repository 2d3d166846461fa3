/*
 * expect: what the upstream still has to answer, in order. Pure.
 *
 *     client ──▶ session ──message──▶ upstream          push: a message was sent
 *                   │                     │
 *                   └─[e1 e2 e3 ... eN]◀──┘ answer      head: whose answer this is
 *                                                        pop: it is complete
 *
 * An error in the extended protocol makes the upstream skip everything up to the next Sync: those
 * entries are popped without an answer, newest first, and what they did to the session's tables is
 * undone.
 */
#ifndef GATEHOUSE_SESSION_EXPECT_H
#define GATEHOUSE_SESSION_EXPECT_H

#include <gatehouse/audit.h>
#include <gatehouse/base.h>
#include <gatehouse/plan_cache.h>

#include "names.h"

typedef enum gh_expect_kind {
    GH_EXPECT_NONE = 0,
    GH_EXPECT_QUERY,
    GH_EXPECT_PARSE,
    GH_EXPECT_BIND,
    GH_EXPECT_DESCRIBE_STATEMENT,
    GH_EXPECT_DESCRIBE_PORTAL,
    GH_EXPECT_EXECUTE,
    GH_EXPECT_CLOSE,
    GH_EXPECT_SYNC
} gh_expect_kind;

typedef struct gh_expect {
    gh_expect_kind kind;
    bool is_swallowed;   /* the proxy's own message: its answer goes nowhere */
    bool has_intent;     /* an intent was recorded: an outcome must follow */
    bool is_uncommitted; /* ...and the intent waits for this turn's commit */
    bool is_failed;      /* an error was answered; waits for ReadyForQuery */
    bool is_revoked;     /* ended because the policy changed: `refusal` says so */
    bool is_lost;        /* ...it would be refused now, not only sent in other words */
    bool was_told;       /* ...the client has `refusal` already: nothing more of this goes there */
    bool was_cancelled;  /* ...so that was asked for */
    bool is_portal;      /* Close: of a portal */
    bool is_described;   /* ParameterDescription came, RowDescription is next */
    bool is_temporary;   /* asks for the session's temporary tables */
    bool is_lookup;      /* of a Query that is sent as a prepared statement: lookup.c */
    bool
        is_silent; /* Parse: no message was sent, the answer is due before the next one: lookup_parse.c */
    bool is_stand_in; /* of what stands for such a one: its Close and Parse */
    bool is_again;    /* Sync: then what was kept is taken once more */
    char sqlstate[6]; /* of the error that was shown */
    uint64_t batch;   /* Query, Sync: its number among them */
    uint32_t plan_at; /* Query: the statement of the set that is being answered */
    size_t sent_at;   /* its bytes in the buffer to the upstream, while is_uncommitted */
    size_t sent_len;
    gh_plan_set *set;   /* counted; NULL: none; of a lookup's Sync: what is sent again then */
    gh_named *named;    /* Parse, Bind: the entry it made; Close: the one it took away; counted */
    gh_named *replaced; /* Parse, Bind: what stood under the name before; counted */
    gh_err *refusal;    /* the answer to the poison; owned */
    gh_audit_id statement;
    int64_t started_us;
    int64_t due_us; /* is_revoked: so long it may go on to its own end */
    uint64_t rows;
    uint64_t bytes;
} gh_expect;

typedef struct gh_expect_queue {
    gh_expect *ring;
    uint32_t cap; /* a power of two, or 0 */
    uint32_t head;
    uint32_t count;
    uint64_t popped; /* since the start: entry i of the queue has the number popped + i */
} gh_expect_queue;

void gh_expect_fini(gh_expect_queue *q); /* the entries' references too */
/* A zeroed entry at the end; valid until the next push. */
gh_expect *gh_expect_push(gh_expect_queue *q, gh_expect_kind kind);
gh_expect *gh_expect_at(const gh_expect_queue *q, uint32_t i); /* NULL past the end */
static inline gh_expect *gh_expect_head(const gh_expect_queue *q)
{
    return gh_expect_at(q, 0);
}
void gh_expect_pop(gh_expect_queue *q);
void gh_expect_pop_last(gh_expect_queue *q);
/* The number of entries before the first Sync from the head on; `count` when there is none. */
uint32_t gh_expect_until_sync(const gh_expect_queue *q);
/* Gives memory back where a burst made the ring large. */
void gh_expect_trim(gh_expect_queue *q);
/* The statement that is being answered. NULL: of none, or of an unknown one. */
const gh_plan *gh_expect_plan(const gh_expect *e);

#endif
