/*
 * store_thread.c: watches the ACL and compiles it. A policy that cannot be loaded leaves the last
 * good one in force: failing closed here would be an outage that any typo could cause, and the last
 * good one was someone's decision.
 */
#include "server_priv.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

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
    gh_rc rc = GH_AGAIN;

    /* Nothing can be served meanwhile, so this is as patient as others are. */
    for (int waited_ms = 0; rc == GH_AGAIN && waited_ms < GH_STORE_BUSY_MS;
         waited_ms += GH_STORE_WATCH_BUSY_MS) {
        gh_err_init(err);
        rc = gh_store_open(v->config->acl.ptr, GH_STORE_WATCH, &v->store, err);
    }
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
    int64_t changed_us;
    bool is_update; /* the workers have it */
} news;

static void deliver(void *arg)
{
    news *n = arg;

    srv_on_policy(n->server, n->policy, n->hash_key, n->changed_us, !n->is_update);
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

/*
 * An update has the key of the `hash` mask that there was, so nothing stands between it and the workers: they need not
 * wait for main's turn. Main is told first, so that it knows the version that workers report to it.
 */
static void tell(srv *v, gh_policy *policy, gh_str hash_key, int64_t changed_us, bool is_update)
{
    gh_policy *for_workers = is_update ? gh_policy_acquire(policy) : NULL;
    news *n = gh_alloc(sizeof(*n));

    *n = (news){ v, policy, hash_key, changed_us, is_update };
    gh_loop_post(v->loop, deliver, n);
    if (for_workers != NULL)
        srv_workers_set_policy(v, for_workers);
    gh_policy_release(for_workers);
}

/* False: the file could not be looked at; it is tried again at the next turn. `again`: what failed is too. */
static bool look(srv *v, gh_store *store, gh_policy **last, bool again)
{
    bool is_changed = false;
    gh_policy *policy = NULL;
    gh_str hash_key = { NULL, 0 };
    int64_t changed_us = 0;
    bool is_update;
    gh_err err = { 0 };

    if (gh_store_poll(store, &is_changed, &err) != GH_OK) {
        note_stale(v, "policy.unreadable", &err);
        return false;
    }
    if (!is_changed && !again)
        return true;
    is_update = update(store, *last, &policy, &hash_key);
    if (!is_update && load(store, &policy, &hash_key, &err) != GH_OK) {
        note_stale(v, "policy.failed", &err);
        return true;
    }
    note_loaded(v, gh_policy_version(policy));
    gh_policy_release(*last);
    *last = gh_policy_acquire(policy);
    if (gh_store_changed_us(store, gh_policy_version(policy), &changed_us, NULL) != GH_OK)
        changed_us = 0; /* only a figure is lost */
    tell(v, policy, hash_key, changed_us, is_update);
    return true;
}

static bool is_stale(srv *v)
{
    srv_policy_state state;

    srv_policy_state_get(v, &state);
    return state.is_stale;
}

/* ---- the clock ------------------------------------------------------------------------------- */

/* Looks at it often, for workers that sleep; says it when it was set back. */
static void watch_clock(srv *v, bool *was_behind)
{
    int64_t behind_us = 0;
    bool is_behind;

    (void)gh_session_validity_us(&v->clock, &behind_us);
    is_behind = behind_us > SRV_CLOCK_BEHIND_US;
    if (is_behind && !*was_behind)
        gh_log(GH_WARN, "clock.set_back",
               "seconds=%" PRId64 " note=\"grants end by the time that it was\"",
               behind_us / 1000000);
    if (!is_behind && *was_behind)
        gh_log(GH_INFO, "clock.caught_up", "note=\"grants end by the clock again\"");
    *was_behind = is_behind;
}

/* ---- waiting --------------------------------------------------------------------------------- */

/*
 * The kernel tells of writes beside the ACL file, so that a change is seen at once; but it does so before the commit
 * can be seen, so the file is looked at often for a while. Where it tells nothing (another machine's writes
 * to a shared folder, no more watches to be had) the file is looked at all the same, every SRV_STORE_POLL_MS.
 */
typedef struct waiting {
    int fd;          /* of inotify; -1: there is none */
    char *name;      /* of the ACL file in its folder */
    int64_t near_us; /* until then something is about to be seen; monotonic */
} waiting;

static void waiting_init(waiting *w, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t folder_len = slash == NULL ? 0 : (size_t)(slash - path);
    gh_str folder = slash == NULL     ? GH_STR(".")
                    : folder_len == 0 ? GH_STR("/")
                                      : (gh_str){ path, folder_len };
    char *text = gh_strdup(folder);

    *w = (waiting){ .fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC),
                    .name = gh_strdup(gh_str_of(slash == NULL ? path : slash + 1)) };
    if (w->fd >= 0 && inotify_add_watch(w->fd, text, IN_MODIFY | IN_MOVED_TO | IN_CREATE) < 0) {
        (void)close(w->fd);
        w->fd = -1;
    }
    free(text);
}

static void waiting_fini(waiting *w)
{
    if (w->fd >= 0)
        (void)close(w->fd);
    free(w->name);
}

/* Of the file itself or of what SQLite has beside it: acl.db, acl.db-wal. */
static bool is_of_acl(const waiting *w, const struct inotify_event *e)
{
    size_t len = strlen(w->name);

    return e->len > 0 && strncmp(e->name, w->name, len) == 0 &&
           (e->name[len] == '\0' || e->name[len] == '-');
}

static void read_events(waiting *w)
{
    _Alignas(struct inotify_event) char bytes[4096];
    ssize_t len;

    while ((len = read(w->fd, bytes, sizeof(bytes))) > 0) {
        for (ssize_t at = 0; at < len;) {
            const struct inotify_event *e = (const struct inotify_event *)(bytes + at);

            if (is_of_acl(w, e))
                w->near_us = gh_clock_us() + SRV_STORE_NEAR_US;
            at += (ssize_t)(sizeof(*e) + e->len);
        }
    }
}

static void wait_for_change(waiting *w)
{
    struct pollfd p = { .fd = w->fd, .events = POLLIN };
    bool is_near = gh_clock_us() < w->near_us;

    /* Near a change its own writes need not wake: more of them say nothing new. */
    (void)poll(&p, is_near ? 0 : 1, is_near ? 1 : SRV_STORE_POLL_MS);
    if (w->fd >= 0)
        read_events(w);
}

static void *store_main(void *arg)
{
    srv *v = arg;
    gh_store *store = v->store; /* this thread's from here on */
    bool is_clock_behind = false;
    waiting w;
    gh_policy *last = v->first_policy;
    uint32_t told = 0;

    waiting_init(&w, v->config->acl.ptr);
    while (!atomic_load_explicit(&v->is_stopping, memory_order_acquire)) {
        uint32_t asked = atomic_load_explicit(&v->acl_asked, memory_order_relaxed);
        gh_err err = { 0 };

        if (store == NULL &&
            gh_store_open(v->config->acl.ptr, GH_STORE_WATCH, &store, &err) != GH_OK) {
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
        wait_for_change(&w);
        watch_clock(v, &is_clock_behind);
    }
    waiting_fini(&w);
    gh_store_close(store);
    gh_policy_release(last);
    return NULL;
}

gh_rc srv_store_start(srv *v, gh_err *err)
{
    v->first_policy = gh_policy_acquire(v->policy);
    if (gh_thread_start(&v->store_thread, 0, store_main, v) != 0) {
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
