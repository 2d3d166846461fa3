/*
 * cancel.c: which session a cancel key belongs to. A client's CancelRequest may reach any worker,
 * so the table is shared; it is cut into shards with a lock each, taken at login, logout and cancel
 * only, never on the path of a statement.
 *
 *     worker A: CancelRequest ─▶ shard[pid]: key equal? ─▶ post to worker B's loop ─▶ session
 * there, if it still is
 *
 * SECURITY: a key is compared in constant time over its whole length, and a wrong one is answered
 * as a right one: with nothing. Attack: tests/protocol, cancel_wrong_key.
 */
#include "session_priv.h"

#include <pthread.h>
#include <stdlib.h>

#define SHARDS      64
#define BUCKETS     64
#define KEY_LEN_MAX 32

struct gh_cancel_entry {
    gh_cancel_entry *chain;
    gh_session *session; /* only its own worker's thread may follow it */
    gh_session_env *env;
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
};

gh_cancel_table *gh_cancel_table_new(void)
{
    gh_cancel_table *t = gh_alloc(sizeof(*t));

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

static gh_cancel_entry *find(gh_cancel_table *t, uint32_t pid)
{
    gh_cancel_entry *e = *bucket_of(t, pid);

    while (e != NULL && e->pid != pid)
        e = e->chain;
    return e;
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
    e->key_len = (uint8_t)key_len;
    gh_env_random(e->key, key_len);
    for (;;) {
        bool is_new;

        gh_env_random(&e->pid, sizeof(e->pid));
        e->pid &= 0x7fffffffu; /* clients print it as a signed number */
        lock(t, e->pid);
        is_new = e->pid != 0 && find(t, e->pid) == NULL;
        if (is_new) {
            e->chain = *bucket_of(t, e->pid);
            *bucket_of(t, e->pid) = e;
        }
        unlock(t, e->pid);
        if (is_new)
            return e;
    }
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

/* On the worker of the session, which may have ended since, or have nothing to cancel any more. */
static void deliver(void *arg)
{
    delivery *d = arg;
    gh_cancel_entry *e;
    gh_session *s = NULL;

    lock(d->table, d->pid);
    e = find(d->table, d->pid);
    if (e != NULL && e->env == d->env)
        s = e->session;
    unlock(d->table, d->pid);
    free(d);
    if (s != NULL)
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

void gh_cancel_request(gh_cancel_table *t, uint32_t pid, gh_str key)
{
    gh_cancel_entry *e;
    gh_session_env *env = NULL;

    lock(t, pid);
    e = find(t, pid);
    if (e != NULL && key.len == e->key_len && gh_secret_eq(key.ptr, e->key, key.len))
        env = e->env;
    if (env != NULL) {
        delivery *d = gh_alloc(sizeof(*d));

        *d = (delivery){ t, env, pid };
        gh_loop_post(env->o.loop, deliver, d); /* within the lock: the env cannot end before */
    }
    unlock(t, pid);
}
