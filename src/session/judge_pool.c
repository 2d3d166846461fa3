/*
 * judge_pool.c: long statements are judged on threads of their own, so that a worker's other
 * sessions need not wait for them: a megabyte of literals takes some tenths of a second.
 *
 *     worker: message stays unread ──▶ queue ──▶ thread: gh_rewrite
 *     worker: message is read again, finds its answer ◀──post──┘
 *
 * A judgement holds all that its question reads: the text, and a reference to the view, the catalog
 * and the search_path by which the session would have judged. When it comes back, the session looks
 * whether these still are the ones to judge by (the scope says so); if not, it asks again.
 *
 * SECURITY: the answer counts for the scope, text and parameter types that were asked, and for no
 * others: a reload in between must not let an old plan pass. Attack: tests/integration/long_statements.
 */
#include "judge_line.h"
#include "session_priv.h"

#include <stdlib.h>

#define STACK_BYTES (16u << 20) /* the parser recurses */

struct gh_judgement {
    gh_waiting waiting;
    gh_loop *loop;
    gh_session *session; /* NULL: it is gone; the worker's thread alone reads and writes it */
    bool is_done;        /* likewise */

    gh_rewrite_input in; /* all in memory or under references of the judgement's own */
    gh_path *path;
    uint64_t scope;
    uint64_t budget;
    gh_session_mode_kind mode;

    gh_rc rc;
    gh_err err;
    gh_plan_set *set;
};

struct gh_judge_pool {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    gh_judge_line line; /* under lock, as all that follows */
    bool is_stopping;
    size_t thread_count;
    pthread_t threads[GH_JUDGE_THREADS_MAX];
};

/* ---- a judgement ----------------------------------------------------------------------------- */

static gh_str own(gh_str s)
{
    return (gh_str){ gh_strdup(s), s.len };
}

static void free_judgement(gh_judgement *j)
{
    gh_env_free_str(&j->in.sql);
    gh_env_free_str(&j->in.database);
    gh_env_free_str(&j->in.startup);
    gh_env_free_str(&j->in.client_encoding);
    free((void *)(uintptr_t)j->in.param_types);
    gh_plan_set_release(j->set);
    gh_path_release(j->path);
    gh_view_release(j->in.view);
    gh_catalog_release((gh_catalog *)(uintptr_t)j->in.catalog);
    gh_catalog_release((gh_catalog *)(uintptr_t)j->in.temporary);
    free(j);
}

static void judge(gh_judgement *j)
{
    gh_arena *a = gh_arena_new(j->budget);

    j->rc = gh_session_make_set(&j->in, j->mode, a, &j->set, &j->err);
    if (j->rc == GH_OK)
        j->set->scope = j->scope;
    gh_arena_free(a);
}

/* On the worker's thread; or, when that has ended, where its loop is freed. */
static void on_judged(void *arg)
{
    gh_judgement *j = arg;
    gh_session *s = j->session;

    if (s == NULL) {
        free_judgement(j);
        return;
    }
    j->is_done = true;
    gh_session_resume(s);
    gh_session_watch(s);
}

/* ---- the threads ----------------------------------------------------------------------------- */

/* The next in line, or NULL when it is time to end. */
static gh_judgement *next_in_line(gh_judge_pool *p)
{
    gh_waiting *w;

    (void)pthread_mutex_lock(&p->lock);
    while (p->line.first == NULL && !p->is_stopping)
        (void)pthread_cond_wait(&p->wake, &p->lock);
    w = p->is_stopping ? NULL : gh_judge_line_take(&p->line);
    (void)pthread_mutex_unlock(&p->lock);
    return (gh_judgement *)w;
}

static void *thread_main(void *arg)
{
    gh_judge_pool *p = arg;
    gh_judgement *j;

    while ((j = next_in_line(p)) != NULL) {
        judge(j);
        gh_loop_post(j->loop, on_judged, j);
    }
    return NULL;
}

gh_rc gh_judge_pool_new(size_t threads, gh_judge_pool **out, gh_err *err)
{
    gh_judge_pool *p = gh_alloc(sizeof(*p));

    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->wake, NULL);
    gh_judge_line_init(&p->line);
    if (threads > GH_JUDGE_THREADS_MAX)
        threads = GH_JUDGE_THREADS_MAX;
    while (p->thread_count < threads &&
           gh_thread_start(&p->threads[p->thread_count], STACK_BYTES, thread_main, p) == 0)
        p->thread_count++;
    if (p->thread_count < threads) {
        gh_judge_pool_free(p);
        return gh_fail(err, GH_IO, "58000", "cannot start a thread that judges statements");
    }
    *out = p;
    return GH_OK;
}

void gh_judge_pool_free(gh_judge_pool *p)
{
    gh_waiting *w;

    if (p == NULL)
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->is_stopping = true;
    (void)pthread_cond_broadcast(&p->wake);
    (void)pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->thread_count; i++)
        (void)pthread_join(p->threads[i], NULL);
    while ((w = gh_judge_line_take(&p->line)) != NULL)
        free_judgement((gh_judgement *)w); /* its session is gone: no env is left */
    (void)pthread_cond_destroy(&p->wake);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}

/* ---- for the session ------------------------------------------------------------------------- */

void gh_judgement_begin(gh_session *s, const gh_rewrite_input *in)
{
    gh_judge_pool *p = s->env->o.judge_pool;
    gh_judgement *j = gh_alloc(sizeof(*j));

    GH_ASSERT(s->judgement == NULL);
    j->loop = s->env->o.loop;
    j->session = s;
    j->scope = s->scope;
    j->mode = gh_session_mode(s);
    j->budget = s->env->o.statement_memory;
    j->in = *in;
    j->in.sql = own(in->sql);
    j->in.database = own(in->database);
    j->in.startup = own(in->startup);
    j->in.client_encoding = own(in->client_encoding);
    j->in.param_types = NULL;
    if (in->param_count > 0) {
        gh_oid *types = gh_alloc(in->param_count * sizeof(*types));

        memcpy(types, in->param_types, in->param_count * sizeof(*types));
        j->in.param_types = types;
    }
    gh_view_acquire(in->view);
    gh_catalog_acquire((gh_catalog *)(uintptr_t)in->catalog);
    if (in->temporary != NULL)
        gh_catalog_acquire((gh_catalog *)(uintptr_t)in->temporary);
    j->path = gh_path_acquire(s->path); /* search_path and its text lie in it */
    s->judgement = j;
    (void)pthread_mutex_lock(&p->lock);
    gh_judge_line_put(&p->line, s->user, &j->waiting);
    (void)pthread_cond_signal(&p->wake);
    (void)pthread_mutex_unlock(&p->lock);
}

static bool answers(const gh_judgement *j, const gh_session *s, const gh_rewrite_input *in)
{
    return j->scope == s->scope && j->in.is_extended == in->is_extended &&
           j->in.param_count == in->param_count &&
           (in->param_count == 0 || memcmp(j->in.param_types, in->param_types,
                                           in->param_count * sizeof(*in->param_types)) == 0) &&
           gh_str_eq(j->in.sql, in->sql);
}

bool gh_judgement_take(gh_session *s, const gh_rewrite_input *in, gh_rc *rc, gh_plan_set **set,
                       gh_err *err)
{
    gh_judgement *j = s->judgement;
    bool is_it;

    if (j == NULL)
        return false;
    GH_ASSERT(j->is_done);
    is_it = answers(j, s, in);
    if (is_it) {
        *rc = j->rc;
        if (j->rc == GH_OK) {
            *set = j->set;
            j->set = NULL;
        } else if (err != NULL)
            *err = j->err;
    }
    s->judgement = NULL;
    free_judgement(j);
    return is_it;
}

bool gh_judgement_is_awaited(const gh_session *s)
{
    return s->judgement != NULL && !s->judgement->is_done;
}

void gh_judgement_drop(gh_session *s)
{
    gh_judgement *j = s->judgement;

    s->judgement = NULL;
    if (j == NULL)
        return;
    if (j->is_done)
        free_judgement(j);
    else
        j->session = NULL; /* on_judged frees it */
}
