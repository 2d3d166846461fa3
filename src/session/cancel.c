/*
 * cancel.c: which session a cancel key, or a process id in pg_cancel_backend and pg_terminate_backend, belongs to. A
 * client's CancelRequest may reach any worker, so the table is shared; it is cut into shards with a lock each, taken
 * at login, logout and cancel only, never on the path of a statement.
 *
 *     worker A: CancelRequest ─▶ shard[pid]: key equal? ─▶ post to worker B's loop ─▶ session there,
 *                                                                                     if it still is
 *
 * SECURITY: a key is compared in constant time over its whole length, and a wrong one is answered
 * as a right one: with nothing. Attack: tests/protocol/startup, test_cancel_with_a_wrong_key. A process id alone reaches sessions of
 * one's own only, and is answered alike where it is another's and where it is nobody's. Attack: tests/protocol/signals.
 */
#include "session_priv.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SHARDS      64
#define BUCKETS     64
#define KEY_LEN_MAX 32

struct gh_cancel_entry {
    gh_cancel_entry *chain;
    gh_session *session; /* only its own worker's thread may follow it */
    gh_session_env *env;
    uint64_t
        number; /* of no other entry since the start: servers give a process id again, and several may */
    size_t warehouse;
    gh_str user; /* owned */
    uint32_t pid;
    uint8_t key_len;
    char key[KEY_LEN_MAX];
};

typedef struct shard {
    pthread_mutex_t lock;
    gh_cancel_entry *buckets[BUCKETS];
} shard;

struct gh_cancel_table {
    shard shards[SHARDS];
    atomic_uint_fast64_t
        entries; /* added so far; relaxed: only that each has its own number counts */
};

gh_cancel_table *gh_cancel_table_new(void)
{
    gh_cancel_table *t = gh_alloc(sizeof(*t));

    atomic_init(&t->entries, 0);
    for (size_t i = 0; i < SHARDS; i++) {
        int rc = pthread_mutex_init(&t->shards[i].lock, NULL);

        GH_ASSERT(rc == 0);
    }
    return t;
}

void gh_cancel_table_free(gh_cancel_table *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < SHARDS; i++)
        (void)pthread_mutex_destroy(&t->shards[i].lock);
    free(t);
}

static gh_cancel_entry **bucket_of(gh_cancel_table *t, uint32_t pid)
{
    return &t->shards[pid % SHARDS].buckets[(pid / SHARDS) % BUCKETS];
}

/* What is looked for among the entries of a process id; number 0: the key. */
typedef struct wanted {
    uint32_t pid;
    uint64_t number;
    gh_str key;
} wanted;

static gh_cancel_entry *find(gh_cancel_table *t, const wanted *w)
{
    gh_cancel_entry *e = *bucket_of(t, w->pid);

    for (; e != NULL; e = e->chain) {
        if (e->pid != w->pid)
            continue;
        if (w->number != 0
                ? e->number == w->number
                : w->key.len == e->key_len && gh_secret_eq(w->key.ptr, e->key, w->key.len))
            return e;
    }
    return NULL;
}

static void lock(gh_cancel_table *t, uint32_t pid)
{
    (void)pthread_mutex_lock(&t->shards[pid % SHARDS].lock);
}

static void unlock(gh_cancel_table *t, uint32_t pid)
{
    (void)pthread_mutex_unlock(&t->shards[pid % SHARDS].lock);
}

gh_cancel_entry *gh_cancel_add(gh_cancel_table *t, gh_session *s, size_t key_len)
{
    gh_cancel_entry *e = gh_alloc(sizeof(*e));

    GH_ASSERT(key_len <= KEY_LEN_MAX);
    e->session = s;
    e->env = s->env;
    e->number = 1 + atomic_fetch_add_explicit(&t->entries, 1, memory_order_relaxed);
    e->warehouse = s->warehouse->index;
    e->user = (gh_str){ gh_strdup(s->user), s->user.len };
    e->pid = gh_conn_pid(s->conn);
    e->key_len = (uint8_t)key_len;
    gh_env_random(e->key, key_len);
    lock(t, e->pid);
    e->chain = *bucket_of(t, e->pid);
    *bucket_of(t, e->pid) = e;
    unlock(t, e->pid);
    return e;
}

void gh_cancel_remove(gh_cancel_table *t, gh_cancel_entry *e)
{
    gh_cancel_entry **at;

    if (e == NULL)
        return;
    lock(t, e->pid);
    at = bucket_of(t, e->pid);
    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    unlock(t, e->pid);
    gh_env_free_str(&e->user);
    gh_cleanse(e, sizeof(*e));
    free(e);
}

uint32_t gh_cancel_pid(const gh_cancel_entry *e)
{
    return e->pid;
}

gh_str gh_cancel_key(const gh_cancel_entry *e)
{
    return (gh_str){ e->key, e->key_len };
}

typedef struct delivery {
    gh_cancel_table *table;
    gh_session_env *env;
    uint32_t pid;
    uint64_t number;
    gh_signal_kind kind;
} delivery;

static void on_cancelled(void *arg, gh_rc rc)
{
    gh_session *s = arg;

    gh_cancel_free(s->cancel);
    s->cancel = NULL;
    if (rc != GH_OK)
        gh_log(GH_WARN, "cancel.failed", "pid=%u rc=%s", gh_cancel_pid(s->key), gh_rc_name(rc));
    gh_session_resume(s);
    gh_session_watch(s);
}

static void terminate(gh_session *s)
{
    if (s->state != GH_SESSION_READY)
        return;
    gh_log(GH_INFO, "session.terminated", "peer=%s", s->peer);
    gh_session_record_admin(s, s->user, "session terminated by its user");
    gh_session_fatal_text(s, "57P01", "terminating connection due to administrator command");
}

/* On the worker of the session, which may have ended since, or have nothing to cancel any more. */
static void deliver(void *arg)
{
    delivery *d = arg;
    wanted w = { .pid = d->pid, .number = d->number };
    gh_signal_kind kind = d->kind;
    gh_cancel_entry *e;
    gh_session *s = NULL;

    lock(d->table, d->pid);
    e = find(d->table, &w);
    if (e != NULL && e->env == d->env)
        s = e->session;
    unlock(d->table, d->pid);
    free(d);
    if (s != NULL && kind == GH_SIGNAL_TERMINATE)
        terminate(s);
    else if (s != NULL)
        gh_cancel_running(s);
}

void gh_cancel_running(gh_session *s)
{
    if (s->state != GH_SESSION_READY || s->cancel != NULL || s->queue.count == 0 ||
        gh_expect_head(&s->queue)->is_temporary) /* the client's statement is done */
        return;
    s->cancel = gh_conn_cancel(s->env->o.loop, s->conn, on_cancelled, s);
    gh_session_watch(s);
}

/* Within the lock of the entry's shard: its env cannot end before. */
static void post(gh_cancel_table *t, const gh_cancel_entry *e, gh_signal_kind kind)
{
    delivery *d = gh_alloc(sizeof(*d));

    *d = (delivery){ t, e->env, e->pid, e->number, kind };
    gh_loop_post(e->env->o.loop, deliver, d);
}

void gh_cancel_request(gh_cancel_table *t, uint32_t pid, gh_str key)
{
    wanted w = { .pid = pid, .key = key };
    gh_cancel_entry *e;

    lock(t, pid);
    e = find(t, &w);
    if (e != NULL)
        post(t, e, GH_SIGNAL_CANCEL);
    unlock(t, pid);
}

bool gh_cancel_signal(gh_session *by, int64_t pid, gh_signal_kind kind)
{
    gh_cancel_table *t = by->env->o.cancels;
    bool is_found = false;
    gh_cancel_entry *e;

    if (pid <= 0 || pid > UINT32_MAX)
        return false;
    lock(t, (uint32_t)pid);
    for (e = *bucket_of(t, (uint32_t)pid); e != NULL; e = e->chain) {
        if (e->pid != (uint32_t)pid || e->warehouse != by->warehouse->index ||
            !gh_str_eq(e->user, by->user))
            continue;
        is_found = true;
        /* What a session runs when it cancels itself is this statement, and it is done. */
        if (e->session != by || kind != GH_SIGNAL_CANCEL)
            post(t, e, kind);
    }
    unlock(t, (uint32_t)pid);
    return is_found;
}
