/*
 * upstream: connections to a warehouse. libpq opens, authenticates and secures them; after that the
 * session speaks the protocol itself over the same socket and TLS. The only owner of libpq.
 *
 *     gh_upstream (one a warehouse, shared)         gh_pool (one a warehouse and worker)
 *       conninfo, password, connector thread          idle, busy, waiters
 *             │  PQconnectPoll                              │
 *             └── gh_conn ── posted to the worker's loop ──▶└── gh_conn, for a session's first Query
 *
 * Life of a pooled connection:
 *
 *     connect ─▶ init_sql ─▶ IDLE ─acquire─▶ session_sql ─▶ USED ─release─▶ DISCARD ALL ─▶ init_sql
 *                              │ readable: closed                 └─ not clean ─▶ closed
 *
 * No call blocks the loop: names are resolved, files read, certificates checked and password proofs
 * computed on the connector's thread. Reading the catalog, gh_upstream_check and links block and
 * belong to threads of their own.
 *
 * Errors have a public text that never names the upstream's host, account or database, and the
 * operator's detail that does. What is wrong with *our* account (28xxx, 3D000, 42501 at login) is
 * to a client that the warehouse is not available (08001); too many connections (53300) and
 * starting up or shutting down (57P01..57P03) keep their codes.
 *
 * Threads: gh_upstream is shared; a gh_pool, gh_conn and gh_cancel belong to the thread of their
 * loop; a gh_catalog_reader and a gh_link to one thread.
 * Order at the end: sessions, pools, then gh_upstream_release (joins the connector), then the
 * loops.
 * Source: PostgreSQL documentation, chapters "libpq" and "Frontend/Backend Protocol".
 */
#ifndef GATEHOUSE_UPSTREAM_H
#define GATEHOUSE_UPSTREAM_H

#include <gatehouse/base.h>
#include <gatehouse/catalog.h>
#include <gatehouse/loop.h>
#include <gatehouse/tls.h>

/* ---- a warehouse ---------------------------------------------------------------------------- */

typedef struct gh_upstream gh_upstream;

typedef struct gh_upstream_options {
    gh_str name;     /* the warehouse's, for the log */
    gh_str conninfo; /* libpq keywords or a URI */
    gh_str dir;      /* what file names in conninfo are relative to; empty: the working folder */
    const gh_secret *password; /* NULL: libpq finds one or needs none; copied */
    gh_str application_name;   /* empty: gatehouse */
    gh_str init_sql;           /* one Query after connect and each DISCARD ALL; never logged */
    gh_str
        settings; /* "-c name=value ...": the session's defaults from its first moment on, behind the
                                    conninfo's own `options`; in no statement and no log. Empty: none */
    uint32_t connect_timeout_ms; /* 0: 10 s */
} gh_upstream_options;

/*
 * Connects nowhere yet. GH_INVALID: conninfo does not parse, or asks for what cannot be
 * (replication).
 */
GH_MUST_USE gh_rc gh_upstream_new(const gh_upstream_options *options, gh_upstream **out,
                                  gh_err *err);
gh_upstream *gh_upstream_acquire(gh_upstream *u);
/* The last release ends the connector's thread; not in a callback of this module. NULL is fine. */
void gh_upstream_release(gh_upstream *u);
gh_str gh_upstream_name(const gh_upstream *u);
/*
 * New settings, as in the options. Any thread. Pools hand out no connection that started with the
 * old ones; those in use keep them to their end.
 */
void gh_upstream_set_settings(gh_upstream *u, gh_str settings);

typedef struct gh_upstream_report {
    int version_num; /* 150018 */
    char version[64];
    char account[64];
    char database[64];
    char server[128]; /* host and port, or socket */
    bool has_tls;
    char tls_version[32];
    bool is_verified;  /* verify-ca or verify-full */
    bool is_superuser; /* an account that sees and may do too much: worth a warning */
} gh_upstream_report;

/*
 * Blocks, connects, runs init_sql, looks and disconnects: `gatehouse check`. err->detail says it
 * all.
 */
GH_MUST_USE gh_rc gh_upstream_check(gh_upstream *u, gh_upstream_report *out, gh_err *err);

/* ---- a link: statements of the command line's own -------------------------------------------- */

typedef struct gh_link gh_link;

/* What a statement answered; everything in the arena that was given. */
typedef struct gh_link_rows {
    const gh_str *columns; /* their names */
    const gh_oid *types;   /* parallel to columns */
    size_t column_count;
    const gh_str *cells; /* row by row, as text; a cell whose ptr is NULL is SQL's NULL */
    size_t row_count;
} gh_link_rows;

/* Connects, and runs init_sql, at the first query. Belongs to one thread; blocks. */
GH_MUST_USE gh_link *gh_link_new(gh_upstream *u);
void gh_link_free(gh_link *l); /* NULL is fine */
/*
 * Runs one Query and keeps what its last statement returned. GH_INVALID: the server refused it, by
 * its SQLSTATE, its text in err->detail. GH_LIMIT: more than rows_max rows, or the arena's budget is
 * spent. After any other failure than GH_INVALID the connection is closed, and the next call makes
 * it anew.
 */
GH_MUST_USE gh_rc gh_link_query(gh_link *l, gh_str sql, size_t rows_max, gh_arena *a,
                                gh_link_rows *out, gh_err *err);

/* ---- a connection --------------------------------------------------------------------------- */

typedef struct gh_conn gh_conn;

/* conn is NULL on failure; it becomes the callee's. err is borrowed for the call. */
typedef void (*gh_conn_fn)(void *arg, gh_conn *conn, const gh_err *err);

typedef struct gh_connect gh_connect; /* an attempt */
/*
 * One connection outside any pool, at an idle ReadyForQuery, init_sql not run. fn is called once,
 * on the loop's thread, never inside this call, unless abandoned. The attempt is gone once fn is
 * called.
 */
gh_connect *gh_upstream_connect(gh_upstream *u, gh_loop *loop, gh_conn_fn fn, void *arg);
void gh_connect_abandon(
    gh_connect *attempt); /* fn will not be called; what still comes is closed */

/* The socket: readable and writable by gh_stream_*; the stream belongs to the connection. */
gh_stream *gh_conn_stream(gh_conn *c);
uint32_t gh_conn_pid(const gh_conn *c);
int gh_conn_server_version(const gh_conn *c);

typedef struct gh_parameter {
    gh_str name;
    gh_str value;
} gh_parameter;

/*
 * What the server last reported (ParameterStatus). Whoever reads the stream hands on what comes by
 * gh_conn_set_parameter. At most 64 are kept: false when it is one too many or its name or value is
 * beyond any sense (the connection is then not to be trusted). Strings live until the next set or
 * the connection's end.
 */
const gh_parameter *gh_conn_parameters(const gh_conn *c, size_t *count);
gh_str gh_conn_parameter(const gh_conn *c, const char *name); /* ptr NULL: not reported */
GH_MUST_USE bool gh_conn_set_parameter(gh_conn *c, gh_str name, gh_str value);

/* Sends Terminate if it can and frees. Only for connections outside a pool. NULL is fine. */
void gh_conn_close(gh_conn *c);

/* ---- cancel --------------------------------------------------------------------------------- */

typedef struct gh_cancel gh_cancel;
/*
 * Asks the server to cancel what the connection runs, over a second connection to the same address,
 * in TLS when the connection is. fn is called once, never inside this call: GH_OK when the server
 * has closed that connection, which it does after it has signalled the backend, so that a statement
 * sent from then on is not hit by it. Any other rc: not known to be delivered. Hold back the next
 * statement until fn is called. The handle is the caller's to free in any case; freeing it early
 * abandons the cancel. It does not refer to the connection any more.
 */
GH_MUST_USE gh_cancel *gh_conn_cancel(gh_loop *loop, const gh_conn *c,
                                      void (*fn)(void *arg, gh_rc rc), void *arg);
void gh_cancel_free(gh_cancel *x); /* NULL is fine */

/* ---- pool ----------------------------------------------------------------------------------- */

typedef struct gh_pool gh_pool;

typedef struct gh_pool_options {
    /* Connections at most, of all states, of all pools of the warehouse together, which say the same;
     * 0: none can be had. */
    uint32_t size;
    uint32_t idle;               /* kept open while unused, of this pool */
    uint32_t acquire_timeout_ms; /* waiting for one: 53300; 0: 30 s */
    uint32_t reset_timeout_ms;   /* init_sql, session_sql, DISCARD ALL; 0: 10 s */
} gh_pool_options;

GH_MUST_USE gh_pool *gh_pool_new(gh_loop *loop, gh_upstream *u, const gh_pool_options *options);
/*
 * Closes everything; what is in use must have come back before. Waiters are dropped, uncalled. Not
 * in a callback of this pool.
 */
void gh_pool_free(gh_pool *p); /* NULL is fine */

typedef struct gh_ticket gh_ticket; /* a wait */
/*
 * A connection for a session: the oldest waiter of all the warehouse's pools comes first. fn is called
 * once, never inside this call. session_sql (may be empty, copied) is run as one Query before, such as
 * SET client_encoding; if the server refuses it, fn gets GH_INVALID's error with the server's SQLSTATE, and the server's
 * text in err->detail only. The ticket is gone once fn is called.
 */
gh_ticket *gh_pool_acquire(gh_pool *p, gh_str session_sql, gh_conn_fn fn, void *arg);
void gh_pool_abandon(gh_pool *p, gh_ticket *ticket); /* fn will not be called */

/* In what state a connection comes back. Zero is the safe one. */
typedef enum gh_release {
    GH_RELEASE_CLOSE = 0, /* close it */
    GH_RELEASE_CANCEL,    /* a statement runs: cancel it first, then close */
    GH_RELEASE_RESET,     /* idle at ReadyForQuery 'I', every byte read: DISCARD ALL, then reuse */
    GH_RELEASE_AS_IS      /* the same; the caller vouches that nothing is left of the session */
} gh_release;
/* The connection's watch must be freed before. */
void gh_pool_release(gh_pool *p, gh_conn *c, gh_release how);

typedef struct gh_pool_stats {
    uint32_t used;
    uint32_t idle;
    uint32_t connecting; /* and being initialised or reset */
    uint32_t waiting;
    uint64_t connects; /* since the start */
    uint64_t failures; /* of connecting or resetting */
    uint64_t reuses;
    uint64_t lost; /* idle connections that died or said something unasked */
} gh_pool_stats;
void gh_pool_stats_get(const gh_pool *p, gh_pool_stats *out);

/* ---- catalog -------------------------------------------------------------------------------- */

typedef struct gh_catalog_reader gh_catalog_reader;

/* Connects at the first read. Belongs to one thread; blocks. */
GH_MUST_USE gh_catalog_reader *gh_catalog_reader_new(gh_upstream *u);
void gh_catalog_reader_free(gh_catalog_reader *r); /* NULL is fine */
/*
 * Any thread: a read that is under way, and every later one, ends with GH_CLOSED. For the end of
 * the process.
 */
void gh_catalog_reader_stop(gh_catalog_reader *r);
/*
 * Of which views the snapshot shall hold the definition, with the views that they read; none before. The
 * next read gives a new snapshot if this is another answer than before.
 */
void gh_catalog_reader_expand(gh_catalog_reader *r, const gh_name_pattern *patterns, size_t count);
/*
 * The warehouse's catalog. One round trip when nothing changed since `previous` (may be NULL; must
 * be the last one that this reader gave): then *next is `previous`, acquired. Otherwise a new
 * snapshot, read in one transaction, whose epoch is greater. A lost connection is made anew at the
 * next call.
 */
GH_MUST_USE gh_rc gh_catalog_read(gh_catalog_reader *r, gh_catalog *previous, gh_catalog **next,
                                  gh_err *err);

#endif
