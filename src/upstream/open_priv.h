/* Private to upstream's open.c and connector.c: the warehouse itself. */
#ifndef GATEHOUSE_UPSTREAM_OPEN_PRIV_H
#define GATEHOUSE_UPSTREAM_OPEN_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include <gatehouse/upstream.h>

struct gh_upstream {
    atomic_size_t references; /* release: acq_rel; acquire: relaxed */
    char *name;
    char **keywords; /* for PQconnectStartParams, NULL at the end; immutable */
    char **values;
    size_t parameter_count;
    uint32_t connect_timeout_ms;
    char *init_sql;
    char *options;          /* the conninfo's own; NULL: none */
    struct gh_keys *keys;   /* counted */
    struct gh_room *room;   /* of the pools' connections */
    atomic_uint generation; /* of settings; relaxed: who sees it late has the old ones */
    pthread_mutex_t lock;   /* of settings, and of starting the connector */
    char *settings;         /* NULL: none; holds a key: cleansed */
    gh_loop *loop;          /* the connector's; NULL: not started */
    pthread_t thread;
    /* the connector's thread only */
    gh_connect *active; /* attempts under way */
    struct x509_store_st *trust;
};

GH_MUST_USE gh_rc gh_upstream_parse(gh_upstream *u, const gh_upstream_options *options,
                                    gh_err *err);
void gh_upstream_forget(gh_upstream *u);

#endif
