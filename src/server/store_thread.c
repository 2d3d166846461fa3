/*
 * store_thread.c: watches the ACL and compiles it. A policy that cannot be loaded leaves the last
 * good one in force: failing closed here would be an outage that any typo could cause, and the last
 * good one was someone's decision.
 */
#include "server_priv.h"

#include <stdlib.h>
#include <time.h>

/*
 * What changed, on the last policy: a single grant takes milliseconds, however large the ACL. False
 * where the whole is to be loaded, which also says what is wrong, if anything is.
 */
static bool update(gh_store *store, gh_policy *last, gh_policy **out, gh_str *hash_key)
{
    gh_arena *a = gh_arena_new(0);
    gh_acl_change change = { 0 };
    gh_rc rc = gh_store_load_change(store, gh_policy_version(last), a, &change, NULL);

    if (rc == GH_OK)
        rc = gh_policy_update(last, &change, out, NULL);
    if (rc == GH_OK)
        *hash_key = (gh_str){ gh_strdup(change.now.hash_key), change.now.hash_key.len };
    gh_arena_free(a);
    return rc == GH_OK;
}

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

/* ---- what status tells ----------------------------------------------------------------------- */

void srv_policy_state_get(srv *v, srv_policy_state *out)
{
    (void)pthread_mutex_lock(&v->policy_lock);
    *out = v->policy_state;
    (void)pthread_mutex_unlock(&v->policy_lock);
}

static void note_loaded(srv *v, uint64_t version)
{
    bool was_stale;

    (void)pthread_mutex_lock(&v->policy_lock);
    was_stale = v->policy_state.is_stale;
    v->policy_state.is_stale = false;
    v->policy_state.version = version;
    v->policy_state.loaded_us = gh_wall_us();
    (void)pthread_mutex_unlock(&v->policy_lock);
    if (was_stale)
        gh_log(GH_INFO, "policy.recovered", "version=%" PRIu64, version);
}

/* Said once for each cause: it is looked at many times a second. */
static void note_stale(srv *v, const char *event, const gh_err *err)
{
    srv_policy_state *s = &v->policy_state;
    bool is_new;

    (void)pthread_mutex_lock(&v->policy_lock);
    is_new = !s->is_stale || strcmp(s->cause, err->public_msg) != 0;
    if (!s->is_stale)
        s->stale_us = gh_wall_us();
    s->is_stale = true;
    memcpy(s->cause, err->public_msg, sizeof(s->cause));
    (void)pthread_mutex_unlock(&v->policy_lock);
    if (is_new)
        gh_log(GH_ERROR, event, "cause=\"%s\" kept_version=%" PRIu64, err->public_msg, s->version);
}

/* ---- reading --------------------------------------------------------------------------------- */

gh_rc srv_policy_load_first(srv *v, gh_err *err)
{
    gh_rc rc = gh_store_open(v->config->acl.ptr, GH_STORE_READ, &v->store, err);

    if (rc == GH_OK)
        rc = load(v->store, &v->policy, &v->hash_key, err);
    if (rc == GH_OK)
        note_loaded(v, gh_policy_version(v->policy));
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

typedef struct looked {
    srv *server;
    uint32_t number;
} looked;

static void deliver_look(void *arg)
{
    looked *l = arg;

    srv_control_on_acl_look(l->server, l->number);
    free(l);
}

static void tell_look(srv *v, uint32_t number)
{
    looked *l = gh_alloc(sizeof(*l));

    *l = (looked){ v, number };
    gh_loop_post(v->loop, deliver_look, l);
}

uint32_t srv_store_look(srv *v)
{
    return atomic_fetch_add_explicit(&v->acl_asked, 1, memory_order_relaxed) + 1;
}

static void tell_main(srv *v, gh_policy *policy, gh_str hash_key)
{
    news *n = gh_alloc(sizeof(*n));

    *n = (news){ v, policy, hash_key };
    gh_loop_post(v->loop, deliver, n);
}

/* False: the file could not be looked at; it is tried again at the next turn. `again`: what failed is too. */
static bool look(srv *v, gh_store *store, gh_policy **last, bool again)
{
    bool is_changed = false;
    gh_policy *policy = NULL;
    gh_str hash_key = { NULL, 0 };
    gh_err err = { 0 };

    if (gh_store_poll(store, &is_changed, &err) != GH_OK) {
        note_stale(v, "policy.unreadable", &err);
        return false;
    }
    if (!is_changed && !again)
        return true;
    if (!update(store, *last, &policy, &hash_key) &&
        load(store, &policy, &hash_key, &err) != GH_OK) {
        note_stale(v, "policy.failed", &err);
        return true;
    }
    note_loaded(v, gh_policy_version(policy));
    gh_policy_release(*last);
    *last = gh_policy_acquire(policy);
    tell_main(v, policy, hash_key);
    return true;
}

static bool is_stale(srv *v)
{
    srv_policy_state state;

    srv_policy_state_get(v, &state);
    return state.is_stale;
}

static void *store_main(void *arg)
{
    static const struct timespec pause = { 0, SRV_STORE_POLL_MS * 1000000L };
    srv *v = arg;
    gh_store *store = v->store; /* this thread's from here on */
    gh_policy *last = v->first_policy;
    uint32_t told = 0;

    while (!atomic_load_explicit(&v->is_stopping, memory_order_acquire)) {
        uint32_t asked = atomic_load_explicit(&v->acl_asked, memory_order_relaxed);
        gh_err err = { 0 };

        if (store == NULL &&
            gh_store_open(v->config->acl.ptr, GH_STORE_READ, &store, &err) != GH_OK) {
            note_stale(v, "policy.unreadable", &err);
            store = NULL;
        }
        if (store != NULL && !look(v, store, &last, asked != told && is_stale(v))) {
            gh_store_close(store);
            store = NULL;
        }
        if (asked != told)
            tell_look(v, asked);
        told = asked;
        (void)nanosleep(&pause, NULL);
    }
    gh_store_close(store);
    gh_policy_release(last);
    return NULL;
}

gh_rc srv_store_start(srv *v, gh_err *err)
{
    v->first_policy = gh_policy_acquire(v->policy);
    if (pthread_create(&v->store_thread, NULL, store_main, v) != 0) {
        gh_policy_release(v->first_policy);
        return gh_fail(err, GH_IO, "58000", "cannot start the store thread");
    }
    v->is_store_started = true;
    return GH_OK;
}

void srv_store_stop(srv *v)
{
    atomic_store_explicit(&v->is_stopping, true, memory_order_release);
    if (v->is_store_started)
        (void)pthread_join(v->store_thread, NULL);
    else
        gh_store_close(v->store);
    v->store = NULL;
    v->is_store_started = false;
}
