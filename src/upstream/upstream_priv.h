/* Private to upstream: connections, the small query runner, and what libpq's users share. */
#ifndef GATEHOUSE_UPSTREAM_PRIV_H
#define GATEHOUSE_UPSTREAM_PRIV_H

#include <stdio.h>

#include <libpq-fe.h>

#include <gatehouse/upstream.h>

#define GH_CONN_PARAMETERS_MAX      64
#define GH_CONN_PARAMETER_VALUE_MAX 30000 /* libpq takes no longer ParameterStatus */
#define GH_CANCEL_TIMEOUT_MS        10000

/* ---- errors (error.c) ----------------------------------------------------------------------- */

/*
 * A failed login in the words of libpq (verbosity PQERRORS_VERBOSE, so that the server's SQLSTATE
 * is in it): the public text by the code, libpq's text as the detail.
 */
GH_MUST_USE gh_rc gh_upstream_refused(const char *libpq_message, gh_err *err);
/* Not available (08001), with the operator's reason. */
GH_MUST_USE gh_rc gh_upstream_unavailable(gh_rc rc, gh_err *err, const char *fmt, ...)
    GH_PRINTF(3, 4);

/* The operator's text, made one line that can stand in quotes. The first one stays. */
void gh_upstream_detail(gh_err *err, gh_str text);

/* ---- opening by libpq (open.c) -------------------------------------------------------------- */

/* BackendKeyData, picked from libpq's trace: its API shows the process id only. */
typedef struct gh_key_trace {
    FILE *file;
    char line[128];
    size_t len; /* beyond sizeof(line): a line that is too long to be the one */
    bool has_key;
    uint32_t pid;
    uint32_t key;
} gh_key_trace;

void gh_key_trace_start(gh_key_trace *t, PGconn *pg);
void gh_key_trace_end(gh_key_trace *t, PGconn *pg);

/*
 * PQconnectStartParams by the warehouse's options: never NULL. May block for a name to be resolved.
 * *generation (may be NULL): of the settings that it started with.
 */
GH_MUST_USE PGconn *gh_upstream_start(gh_upstream *u, unsigned *generation);
uint32_t gh_upstream_connect_timeout_ms(const gh_upstream *u);
gh_str gh_upstream_init_sql(const gh_upstream *u); /* a NUL follows */
/* Of the settings that a connection starts with: another one, and they changed since. */
unsigned gh_upstream_generation(const gh_upstream *u);

/* ---- which backends are ours (keys.c) ------------------------------------------------------- */

typedef struct gh_keys gh_keys; /* any thread */

gh_keys *gh_keys_new(void);
gh_keys *gh_keys_acquire(gh_keys *k);
void gh_keys_release(gh_keys *k); /* NULL is fine */
/* False: another connection has this backend. */
GH_MUST_USE bool gh_keys_add(gh_keys *k, uint32_t pid, uint32_t key);
void gh_keys_remove(gh_keys *k, uint32_t pid, uint32_t key);

/* ---- how many connections the pools of a warehouse have between them (room.c) ---------------- */

typedef struct gh_room gh_room; /* any thread */
typedef struct gh_seat gh_seat; /* a pool's; the thread of its loop */

gh_room *gh_room_new(void);
void gh_room_free(gh_room *r); /* after the last seat. NULL is fine */
gh_room *gh_upstream_room(gh_upstream *u);

/* size: places of all seats together. fn(arg), on the loop's thread: another seat wants some, or one is free. */
gh_seat *gh_seat_new(gh_room *r, uint32_t size, gh_loop *loop, void (*fn)(void *arg), void *arg);
void gh_seat_free(gh_seat *s); /* with all places given back */
/*
 * A place for a connection. False: there is none, or it is for a seat whose turn comes before; from
 * now on the seat wants so many. A turn is a time, of its oldest waiter: a lesser one comes first.
 */
GH_MUST_USE bool gh_seat_take(gh_seat *s, uint32_t wanted, int64_t turn);
void gh_seat_give(gh_seat *s);         /* one back */
void gh_seat_want_nothing(gh_seat *s); /* any more */
/* Should a place be given back, for those whose turn comes before this one? */
GH_MUST_USE bool gh_seat_is_called(gh_seat *s, int64_t turn);

/* ---- connection (conn.c) -------------------------------------------------------------------- */

typedef enum gh_conn_state {
    GH_CONN_FREE = 0, /* in no pool */
    GH_CONN_INIT,     /* init_sql runs, after connect or with DISCARD ALL */
    GH_CONN_IDLE,
    GH_CONN_SETUP, /* session_sql runs for `ticket` */
    GH_CONN_USED,
    GH_CONN_CANCELLING
} gh_conn_state;

typedef struct gh_query gh_query;

struct gh_conn {
    gh_stream stream; /* the socket and TLS that libpq made */
    uint32_t pid;
    uint32_t key;
    gh_keys *keys; /* counted: where the two above are noted */
    int version;
    char *host; /* to be verified when connecting again; empty: none is */
    gh_parameter *parameters;
    size_t parameter_count;
    /* the pool's */
    gh_pool *pool;
    gh_conn *prev;
    gh_conn *next;
    gh_conn_state state;
    bool was_used;       /* by a session before */
    unsigned generation; /* of the settings that it started with */
    gh_watch *watch;
    gh_query *query;
    gh_cancel *cancel;
    gh_ticket *ticket;
};

/* Takes the connection out of an established PGconn, which is finished in any case. */
GH_MUST_USE gh_rc gh_conn_new(PGconn *pg, const gh_key_trace *key, gh_keys *keys,
                              struct x509_store_st **trust, gh_conn **out, gh_err *err);

/* ---- query runner (query.c) ----------------------------------------------------------------- */

/*
 * Runs simple Queries in a row, one ReadyForQuery each, discards what they return and keeps
 * ParameterStatus.
 *
 *     GH_OK       all ran, the connection is idle and silent
 *     GH_INVALID  the server refused one (its SQLSTATE; its text in detail); idle and silent all the same
 *     other       the connection is to be closed
 *
 * fn is called once, last, never inside start; the query is freed before it.
 */
typedef void (*gh_query_fn)(void *arg, gh_rc rc, const gh_err *err);
GH_MUST_USE gh_query *gh_query_start(gh_loop *loop, gh_conn *c, const gh_str *sqls, size_t count,
                                     uint32_t timeout_ms, gh_query_fn fn, void *arg);
void gh_query_free(gh_query *q); /* before its end: fn is not called. NULL is fine */

/* ---- blocking use of libpq (blocking.c) ----------------------------------------------------- */

/*
 * Connects, waiting for the socket and for stop_fd (-1: none; readable ends the wait with
 * GH_CLOSED). The result is to be finished by PQfinish.
 */
GH_MUST_USE gh_rc gh_blocking_connect(gh_upstream *u, int stop_fd, PGconn **out, gh_err *err);
/* One Query's last result; out may be NULL. A server's error is GH_INVALID. */
GH_MUST_USE gh_rc gh_blocking_query(PGconn *pg, const char *sql, int stop_fd, uint32_t timeout_ms,
                                    PGresult **out, gh_err *err);

#endif
