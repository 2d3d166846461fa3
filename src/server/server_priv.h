/*
 * server_priv.h: what the files of the server module share.
 *
 *     store thread ──policy──▶ main ──▶ every worker      (posted; nobody waits for anybody)
 *     catalog threads ──catalog──▶ every worker
 *     worker ──poke──▶ catalog thread
 *     signals ──▶ main ──drain, tls──▶ every worker ──gone──▶ main
 */
#ifndef GATEHOUSE_SERVER_PRIV_H
#define GATEHOUSE_SERVER_PRIV_H

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#include <gatehouse/server.h>
#include <gatehouse/session.h>
#include <gatehouse/store.h>

#define SRV_STACK_BYTES      (16u << 20) /* of a worker: the parser recurses */
#define SRV_STORE_POLL_MS    20
#define SRV_STORE_NEAR_US    50000 /* how long a write to the ACL is looked for every millisecond */
#define SRV_CLOCK_BEHIND_US  1000000 /* set back by more than slewing does */
#define SRV_CATALOG_MS       5000
#define SRV_CATALOG_RETRY_MS 1000
#define SRV_DRAIN_MS         10000
#define SRV_PLAN_CACHE_BYTES (64u << 20)
#define SRV_LISTEN_MAX       GH_CONFIG_LISTEN_MAX

#define SRV_VERSION "0.1.0"

typedef struct srv srv;
typedef struct srv_peer srv_peer;

/* A socket at which the main thread is asked: peer.c. */
typedef struct srv_peers {
    srv *server;
    const char *name;
    gh_listener *listener; /* NULL: the config names none */
    srv_peer *first;
    size_t count;
    size_t max;              /* connections at once */
    size_t request_max;      /* bytes */
    bool (*may_ask)(int fd); /* NULL: whoever reaches it */
    /* The length of the request at the beginning of what came; 0: not whole yet. */
    size_t (*whole)(gh_str in, bool *is_bad);
    void (*act)(srv_peer *p, gh_str request); /* ptr NULL: it is none */
} srv_peers;

/* How the policy in force relates to the ACL file. */
typedef struct srv_policy_state {
    uint64_t version;  /* loaded last */
    int64_t loaded_us; /* wall clock */
    bool is_stale; /* the file says something else, or cannot be read: the last good policy holds */
    int64_t stale_us; /* since when */
    char cause[512];
} srv_policy_state;

/* How long it takes until every session obeys a change: from the ACL's history to the last worker. */
typedef struct srv_obeyed {
    uint64_t version; /* that is on its way, or has arrived */
    int64_t changed_us;
    size_t workers_left;
    int64_t delay_us; /* of the last one that arrived; 0: none has */
} srv_obeyed;

typedef struct srv_catalog_state {
    int64_t read_us; /* monotonic; of the last read that worked; 0: none yet */
    uint64_t epoch;
    bool is_failing;
    char cause[512];
} srv_catalog_state;

/* A warehouse's catalog and the thread that reads it. */
typedef struct srv_catalog {
    srv *server;
    size_t index;
    gh_upstream *upstream;
    gh_str init_sql;
    gh_catalog_reader *reader;
    pthread_t thread;
    bool is_started;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    uint64_t started;        /* reads begun; under lock */
    gh_policy *policy;       /* tells which views are expanded; a reference; under lock */
    gh_policy *told;         /* the one that the reader knows; a reference of the thread's */
    bool is_wanted;          /* a read is wanted now; under lock */
    bool is_stopping;        /* under lock */
    bool is_observed;        /* the warehouse's mode; main's */
    srv_catalog_state state; /* under lock */
} srv_catalog;

typedef struct srv_worker {
    srv *server;
    size_t index;
    gh_loop *loop;
    gh_session_env *env;
    gh_listener *listeners[SRV_LISTEN_MAX];
    size_t listener_count;
    pthread_t thread;
    bool is_started;
} srv_worker;

struct srv {
    const gh_config *config; /* as at the start: what only a restart changes */
    gh_config live;          /* `tls` and `limits` as of the last reload */
    gh_arena *live_arena;    /* NULL: there was none */
    gh_server_reload_fn reload;
    void *reload_arg;
    gh_arena *arena; /* of the first load's leftovers and texts that live as long as the server */
    gh_loop *loop;   /* main's */
    gh_auditlog *audit;
    gh_auditlog_writer *writer; /* main's */
    gh_cancel_table *cancels;
    gh_judge_pool *judge_pool;
    gh_policy *policy;  /* main's reference */
    gh_str hash_key;    /* in an allocation of its own; see srv_on_policy */
    gh_str mock_secret; /* the first one: see gh_auth_scram_args */
    gh_auth_throttle *throttle;
    pthread_mutex_t throttle_lock;
    gh_tls_server *tls;
    srv_catalog *catalogs; /* one a warehouse */
    srv_worker *workers;
    size_t worker_count;
    size_t workers_running;
    gh_signal *signals[3];
    gh_timer *drain_timer;
    bool is_draining;
    gh_store *store; /* what the first policy was read from; the store thread's once it runs */
    gh_policy *first_policy; /* a reference for the store thread */
    pthread_t store_thread;
    bool is_store_started;
    pthread_mutex_t policy_lock; /* of policy_state */
    srv_policy_state policy_state;
    srv_obeyed obeyed; /* main's */
    srv_peers control;
    srv_peers admin;
    int64_t started_us;
    atomic_uint acl_asked;   /* looks at the ACL that main asked for (relaxed: a number to reach) */
    atomic_uint clients;     /* sessions of all workers (relaxed) */
    gh_session_clock clock;  /* of validity */
    atomic_bool is_stopping; /* main sets (release), the store thread reads (acquire) */
};

/* store_thread.c */
GH_MUST_USE gh_rc srv_policy_load_first(srv *v, gh_err *err);
GH_MUST_USE gh_rc srv_store_start(srv *v, gh_err *err);
void srv_store_stop(srv *v);
/* Any thread. */
void srv_policy_state_get(srv *v, srv_policy_state *out);
/* Asks for a look that tries again what failed before; srv_control_on_acl_look tells its number. */
uint32_t srv_store_look(srv *v);

/* catalog_thread.c */
GH_MUST_USE gh_rc srv_catalogs_new(srv *v, gh_err *err);
GH_MUST_USE gh_rc srv_catalogs_start(srv *v, gh_err *err);
void srv_catalogs_stop(srv *v);
void srv_catalogs_free(srv *v);
uint64_t srv_catalog_poke(void *server, size_t index);
void srv_catalogs_set_key(srv *v); /* hash_key changed */
void srv_catalogs_set_policy(srv *v);
/* Before the workers are told: see gh_session_env_set_observed. */
void srv_catalog_set_observed(srv_catalog *c, bool is_observed);
void srv_catalog_state_get(srv_catalog *c, srv_catalog_state *out); /* any thread */

/* worker.c */
GH_MUST_USE gh_rc srv_workers_new(srv *v, gh_err *err);
GH_MUST_USE gh_rc srv_workers_start(srv *v, gh_err *err);
void srv_workers_free(srv *v); /* joins */
void srv_workers_drain(srv *v);
void srv_workers_kill(srv *v);
void srv_workers_set_policy(srv *v, gh_policy *policy); /* any thread */
void srv_workers_set_tls(srv *v);
void srv_workers_set_limits(srv *v);
void srv_workers_set_observed(srv *v, size_t index);
gh_session_limits srv_limits(const srv *v);
/* GH_IO: somebody listens there, though another socket of this user could be bound too. */
GH_MUST_USE gh_rc srv_probe(const gh_address *address, gh_err *err);
void srv_worker_set_catalog(srv_worker *w, size_t index, gh_catalog *catalog, uint64_t read);

/* control.c: on main's thread */
GH_MUST_USE gh_rc srv_control_open(srv *v, gh_err *err);
void srv_peers_close(srv_peers *peers);
void srv_control_on_acl_look(srv *v, uint32_t number);

/* admin.c: on main's thread */
GH_MUST_USE gh_rc srv_admin_open(srv *v, gh_err *err);

/* reload.c: on main's thread */
/* *lines: a line of JSON for each fault, or for each key that waits for a restart. */
GH_MUST_USE gh_rc srv_reload(srv *v, gh_buf *lines);
void srv_on_reload(void *arg, int signum);
gh_session_tls srv_tls_mode(const gh_config *config);

/* server.c: on main's thread */
/* Takes the reference and the key's bytes (malloc). changed_us: when the ACL was changed; 0: not known. */
void srv_on_policy(srv *v, gh_policy *policy, gh_str hash_key, int64_t changed_us,
                   bool for_workers);
/* One more worker obeys the policy of this version. */
void srv_on_obeyed(srv *v, uint64_t version);
void srv_on_worker_gone(srv *v);
void srv_record_admin(srv *v, const char *by, const char *what);

#endif
