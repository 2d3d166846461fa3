/*
 * session: one client's life, from the first byte to the last. Everything about the protocol's
 * order is here; what bytes mean is wire's, what a statement may do is rewrite's, how bytes travel
 * is tls' and upstream's.
 *
 *                 ┌────────────────── gh_session_env: one a worker ──────────────────┐
 *     client ◀──▶ │ session: GREETING ▶ TLS ▶ AUTH ▶ CONNECTING ▶ READY ▶ CLOSING    │ ◀──▶ upstream
 *                 │   buffers lent while bytes are pending · views · plan cache      │
 *                 │   audit writer · pools                                           │
 *                 └──────────────────────────────────────────────────────────────────┘
 *
 * A turn of the loop: clients' messages are read, judged, recorded and collected; at its end one
 * audit commit makes all intents of the turn durable, and only then the collected bytes go
 * upstream.
 *
 * Memory: a session frees itself when its client is gone; gh_session_env_free ends those that are
 * left.
 * Threads: an env and its sessions belong to one worker; the cancel table is shared;
 * gh_session_env's setters are called on the worker's thread (by gh_loop_post).
 * Source: PostgreSQL documentation, chapter "Frontend/Backend Protocol".
 */
#ifndef GATEHOUSE_SESSION_H
#define GATEHOUSE_SESSION_H

#include <pthread.h>
#include <stdatomic.h>

#include <gatehouse/auditlog.h>
#include <gatehouse/auth.h>
#include <gatehouse/base.h>
#include <gatehouse/catalog.h>
#include <gatehouse/loop.h>
#include <gatehouse/plan_cache.h>
#include <gatehouse/policy.h>
#include <gatehouse/tls.h>
#include <gatehouse/upstream.h>

/* ---- cancel keys ----------------------------------------------------------------------------- */

typedef struct gh_cancel_table gh_cancel_table;
/* Shared by all workers: which session a cancel key belongs to. */
GH_MUST_USE gh_cancel_table *gh_cancel_table_new(void);
void gh_cancel_table_free(gh_cancel_table *t); /* when no env is left; NULL is fine */

/* ---- long statements ------------------------------------------------------------------------- */

typedef struct gh_judge_pool gh_judge_pool;
/* Threads that judge what is longer than GH_SQL_INLINE_MAX, for all workers. GH_IO: cannot start. */
GH_MUST_USE gh_rc gh_judge_pool_new(size_t threads, gh_judge_pool **out, gh_err *err);
/* Joins. When no env is left, and before the loops are freed: judgements are posted there. NULL is
 * fine. */
void gh_judge_pool_free(gh_judge_pool *p);

/* ---- the time by which grants are valid --------------------------------------------------------- */

/* Zero at the start; shared by all who ask. How far the wall clock has ever been ahead of the monotonic one (relaxed). */
typedef _Atomic int64_t gh_session_clock;
/* Unix microseconds, which never go back. *behind_us (may be NULL): by so much the wall clock was set back. Any thread. */
int64_t gh_session_validity_us(gh_session_clock *c, int64_t *behind_us);

/* ---- a worker's sessions --------------------------------------------------------------------- */

typedef struct gh_session_env gh_session_env;

typedef struct gh_session_warehouse {
    gh_str name;
    gh_pool *pool;    /* the env's to free */
    gh_str init_sql;  /* the upstream's own: run again where a client resets its session */
    bool is_observed; /* see gh_session_env_set_observed */
} gh_session_warehouse;

typedef enum gh_session_tls {
    GH_SESSION_TLS_REQUIRE = 0,
    GH_SESSION_TLS_PREFER,
    GH_SESSION_TLS_DISABLE
} gh_session_tls;

/* Strings and structs are copied; objects are borrowed and must outlive the env, unless it says
 * otherwise. */
typedef struct gh_session_env_options {
    gh_loop *loop;
    gh_session_tls tls_mode;
    gh_tls_server *tls; /* acquired; NULL with GH_SESSION_TLS_DISABLE */
    gh_auditlog *audit;
    bool is_fingerprint; /* audit texts without literals */
    gh_cancel_table *cancels;
    gh_judge_pool *judge_pool; /* NULL: the worker judges long statements itself */
    gh_policy *policy;         /* acquired */
    gh_str mock_secret;        /* for users that do not exist: gh_auth_scram_args */
    const gh_session_warehouse *warehouses;
    size_t warehouse_count;
    uint64_t statement_bytes;
    uint64_t statement_memory;
    uint32_t clients_max;      /* that have logged in, of all workers together */
    uint32_t logins_max;       /* that have not yet, of this worker; 0: GH_LOGINS_MAX */
    uint32_t login_timeout_ms; /* 0: GH_LOGIN_TIMEOUT_MS */
    /* How many sessions have logged in, in all workers; each env counts its own in and out
     * (relaxed: a bound, not a lock). */
    atomic_uint *clients;
    gh_session_clock *clock;
    gh_auth_throttle *throttle; /* shared by all workers; NULL: guesses are not slowed down */
    pthread_mutex_t *throttle_lock;
    size_t plan_cache_bytes;
    /* Asks for a catalog read of warehouse `index` that begins after this call; returns its number:
     * the one that gh_session_env_set_catalog will bring. Any thread's work; must not block. */
    uint64_t (*poke_catalog)(void *arg, size_t index);
    void *poke_arg;
} gh_session_env_options;

GH_MUST_USE gh_session_env *gh_session_env_new(const gh_session_env_options *options);
/* Ends every session and frees the pools. NULL is fine. */
void gh_session_env_free(gh_session_env *env);

/* A new client, who owns fd from now on. */
void gh_session_start(gh_session_env *env, int fd, const gh_address *peer);

/* What changes while it runs. */
void gh_session_env_set_policy(gh_session_env *env, gh_policy *policy); /* acquires */
/* `read` is the number of the newest read that had begun when this catalog was read. NULL catalog:
 * the read failed. */
void gh_session_env_set_catalog(gh_session_env *env, size_t index, gh_catalog *catalog,
                                uint64_t read);
/*
 * Observe mode of a warehouse, on or off: statements go upstream as the client wrote them, and are judged for the
 * audit alone. Open sessions follow: those that are idle now, others with the end of their transaction; what the
 * policy does not allow of running statements is cancelled when it ends. The upstream's settings must be the new
 * mode's before this call: an observed session must not hold the key of the `hash` mask.
 */
void gh_session_env_set_observed(gh_session_env *env, size_t index, bool is_observed);
/* New clients get it; acquires. */
void gh_session_env_set_tls(gh_session_env *env, gh_session_tls mode, gh_tls_server *tls);
typedef struct gh_session_limits {
    uint64_t statement_bytes;
    uint64_t statement_memory;
    uint32_t clients_max;
    uint32_t logins_max;
    uint32_t login_timeout_ms;
} gh_session_limits;
/* As the options of the same names; who is inside already stays. */
void gh_session_env_set_limits(gh_session_env *env, const gh_session_limits *limits);
/* Idle sessions end now with 57P01, others with their transaction. done(arg) once all are gone. */
void gh_session_env_drain(gh_session_env *env, void (*done)(void *arg), void *arg);
/* What is left after the drain's time is cut off. */
void gh_session_env_kill(gh_session_env *env);
size_t gh_session_env_count(const gh_session_env *env);

/* ---- for people ------------------------------------------------------------------------------ */

/* What happened since the start, and what is now. */
typedef struct gh_session_counts {
    uint64_t logins;
    uint64_t login_failures;
    uint64_t statements; /* that went upstream */
    uint64_t refusals;
    uint64_t observed; /* statements that observe mode let through against the policy */
    size_t sessions;   /* now, those that have not logged in among them */
    size_t active;     /* ...with a statement under way */
} gh_session_counts;
void gh_session_env_counts(const gh_session_env *env, gh_session_counts *out);
void gh_session_env_pool(const gh_session_env *env, size_t index, gh_pool_stats *out);

/*
 * Appends a line of JSON for each session: who, from where, since when, and of the statement that is under way
 * its kind and its text without literals. docs/operations.md has the fields.
 */
void gh_session_env_list(const gh_session_env *env, gh_buf *out);
/*
 * Ends the session of that id with 57P01 and cancels what it runs; the audit says by whom. False: it is none of
 * this worker's.
 */
bool gh_session_env_end(gh_session_env *env, gh_str id, gh_str by);

#endif
