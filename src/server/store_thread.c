/*
 * store_thread.c: watches the ACL and compiles it. A policy that cannot be loaded leaves the last
 * good one in force: failing closed here would be an outage that any typo could cause, and the last
 * good one was someone's decision.
 */
#include "server_priv.h"

#include <stdlib.h>
#include <time.h>

/* *hash_key: gh_strdup's. */
static gh_rc load(gh_store *store, gh_policy **out, gh_str *hash_key, gh_err *err)
{
    gh_arena *a = gh_arena_new(0);
    gh_acl acl = { 0 };
    gh_rc rc = gh_store_load(store, a, &acl, err);

    if (rc == GH_OK)
        rc = gh_policy_compile(&acl, out, err);
    if (rc == GH_OK)
        *hash_key = (gh_str){ gh_strdup(acl.hash_key), acl.hash_key.len };
    gh_arena_free(a);
    return rc;
}

gh_rc srv_policy_load_first(srv *v, gh_err *err)
{
    gh_store *store = NULL;
    gh_rc rc = gh_store_open(v->config->acl.ptr, GH_STORE_READ, &store, err);

    if (rc != GH_OK)
        return rc;
    rc = load(store, &v->policy, &v->hash_key, err);
    gh_store_close(store);
    return rc;
}

typedef struct news {
    srv *server;
    gh_policy *policy;
    gh_str hash_key;
} news;

static void deliver(void *arg)
{
    news *n = arg;

    srv_on_policy(n->server, n->policy, n->hash_key);
    free(n);
}

static void tell_main(srv *v, gh_policy *policy, gh_str hash_key)
{
    news *n = gh_alloc(sizeof(*n));

    *n = (news){ v, policy, hash_key };
    gh_loop_post(v->loop, deliver, n);
}

/* False: the file could not be looked at; it is tried again at the next turn. */
static bool look(srv *v, gh_store *store, uint64_t *version)
{
    bool is_changed = false;
    gh_policy *policy = NULL;
    gh_str hash_key = { NULL, 0 };
    gh_err err = { 0 };

    if (gh_store_poll(store, &is_changed, &err) != GH_OK) {
        gh_log(GH_ERROR, "policy.unreadable", "cause=\"%s\"", err.public_msg);
        return false;
    }
    if (!is_changed)
        return true;
    if (load(store, &policy, &hash_key, &err) != GH_OK) {
        gh_log(GH_ERROR, "policy.failed", "cause=\"%s\" kept_version=%" PRIu64, err.public_msg,
               *version);
        return true;
    }
    *version = gh_policy_version(policy);
    tell_main(v, policy, hash_key);
    return true;
}

static void *store_main(void *arg)
{
    static const struct timespec pause = { 0, SRV_STORE_POLL_MS * 1000000L };
    srv *v = arg;
    gh_store *store = NULL;
    uint64_t version = 0;

    while (!atomic_load_explicit(&v->is_stopping, memory_order_acquire)) {
        gh_err err = { 0 };

        if (store == NULL &&
            gh_store_open(v->config->acl.ptr, GH_STORE_READ, &store, &err) != GH_OK) {
            gh_log(GH_ERROR, "policy.unreadable", "cause=\"%s\"", err.public_msg);
            store = NULL;
        }
        if (store != NULL && !look(v, store, &version)) {
            gh_store_close(store);
            store = NULL;
        }
        (void)nanosleep(&pause, NULL);
    }
    gh_store_close(store);
    return NULL;
}

gh_rc srv_store_start(srv *v, gh_err *err)
{
    if (pthread_create(&v->store_thread, NULL, store_main, v) != 0)
        return gh_fail(err, GH_IO, "58000", "cannot start the store thread");
    v->is_store_started = true;
    return GH_OK;
}

void srv_store_stop(srv *v)
{
    atomic_store_explicit(&v->is_stopping, true, memory_order_release);
    if (v->is_store_started)
        (void)pthread_join(v->store_thread, NULL);
    v->is_store_started = false;
}
