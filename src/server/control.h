/*
 * control.h: the control socket's half of the server module. All of it on main's thread.
 */
#ifndef GATEHOUSE_SERVER_CONTROL_H
#define GATEHOUSE_SERVER_CONTROL_H

#include "server_priv.h"

/* ---- ask.c ----------------------------------------------------------------------------------- */

typedef enum srv_ask_kind {
    SRV_ASK_COUNTS = 0,
    SRV_ASK_SESSIONS, /* and a line for each */
    SRV_ASK_END       /* the session `id` */
} srv_ask_kind;

typedef struct srv_part {
    bool is_here; /* the worker has answered; until then the rest is its own */
    bool has_ended;
    gh_session_counts counts;
    gh_pool_stats *pools; /* one a warehouse */
    gh_buf lines;
} srv_part;

typedef struct srv_ask srv_ask;
struct srv_ask {
    srv *server;
    srv_ask_kind kind;
    char *id;
    char *by;
    size_t outstanding;
    srv_part *parts; /* one a worker */
    size_t part_count;
    gh_timer *timer;
    void (*done)(void *arg, const srv_ask *a); /* NULL: nobody waits any more */
    void *arg;
};

/* Calls done once, later, with what the workers told until then; the question is gone after it. */
srv_ask *srv_ask_workers(srv *v, srv_ask_kind kind, gh_str id, gh_str by,
                         void (*done)(void *arg, const srv_ask *a), void *arg);
void srv_ask_forget(srv_ask *a); /* done will not be called; NULL is fine */

/* ---- peer.c ---------------------------------------------------------------------------------- */

struct srv_peer {
    srv_peers *peers;
    srv_peer *prev;
    srv_peer *next;
    int fd;
    gh_watch *watch;
    gh_timer *timer;
    gh_buf in;
    gh_buf out; /* the answer */
    size_t sent;
    bool is_answered; /* `out` is whole */
    srv_ask *ask;
    char *by;          /* control: who asks */
    uint32_t acl_look; /* control: the look at the ACL that a reload waits for; 0: none */
    bool is_head;      /* admin: without the body */
    bool is_health;    /* admin */
};

GH_MUST_USE gh_rc srv_peers_open(srv_peers *peers, const gh_address *address, gh_err *err);
/* Sends `out` and closes; the peer may be gone afterwards. */
void srv_peer_answer(srv_peer *p);

/* ---- status.c -------------------------------------------------------------------------------- */

/* One line of JSON. */
void srv_put_status(srv *v, const srv_ask *a, gh_buf *out);
/* Over the workers that have answered. */
gh_session_counts srv_sum_counts(const srv_ask *a);
gh_pool_stats srv_sum_pool(const srv_ask *a, size_t warehouse);

#endif
