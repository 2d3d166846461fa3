/*
 * ask.c: a question to every worker, answered on main's thread.
 *
 *     main ──post──▶ worker 1 ─ looks at its sessions ─post─▶ main ─┐
 *          ──post──▶ worker n ─ looks at its sessions ─post─▶ main ─┴─ all, or time is up ──▶ done
 *
 * A part belongs to its worker until the worker's post has come back. A question is freed when all have, whoever
 * still waits for it.
 */
#include "control.h"

#include <stdlib.h>

typedef struct ask_post {
    srv_ask *ask;
    srv_worker *worker; /* gone when a late post comes back */
    size_t index;
} ask_post;

static void free_ask(srv_ask *a)
{
    for (size_t i = 0; i < a->part_count; i++) {
        gh_buf_fini(&a->parts[i].lines);
        free(a->parts[i].pools);
    }
    gh_timer_free(a->timer);
    free(a->parts);
    free(a->id);
    free(a->by);
    free(a);
}

static void answer(srv_ask *a)
{
    void (*done)(void *arg, const srv_ask *a) = a->done;

    a->done = NULL;
    gh_timer_stop(a->timer);
    if (done != NULL)
        done(a->arg, a);
}

static void on_time(void *arg)
{
    answer(arg);
}

static void on_part(void *arg)
{
    ask_post *p = arg;
    srv_ask *a = p->ask;

    a->parts[p->index].is_here = true;
    a->outstanding--;
    free(p);
    if (a->outstanding > 0)
        return;
    answer(a);
    free_ask(a);
}

/* A worker that has ended has no env, and no sessions. */
static void on_worker(void *arg)
{
    ask_post *p = arg;
    srv_ask *a = p->ask;
    srv_part *part = &a->parts[p->index];
    gh_session_env *env = p->worker->env;

    if (env != NULL) {
        gh_session_env_counts(env, &part->counts);
        for (size_t i = 0; i < a->server->config->warehouse_count; i++)
            gh_session_env_pool(env, i, &part->pools[i]);
        if (a->kind == SRV_ASK_SESSIONS)
            gh_session_env_list(env, &part->lines);
        if (a->kind == SRV_ASK_END)
            part->has_ended = gh_session_env_end(env, gh_str_of(a->id), gh_str_of(a->by));
    }
    gh_loop_post(a->server->loop, on_part, p);
}

srv_ask *srv_ask_workers(srv *v, srv_ask_kind kind, gh_str id, gh_str by,
                         void (*done)(void *arg, const srv_ask *a), void *arg)
{
    srv_ask *a = gh_alloc(sizeof(*a));

    a->server = v;
    a->kind = kind;
    a->id = gh_strdup(id);
    a->by = gh_strdup(by);
    a->done = done;
    a->arg = arg;
    a->outstanding = v->worker_count;
    a->part_count = v->worker_count;
    a->parts = gh_alloc(v->worker_count * sizeof(srv_part));
    a->timer = gh_timer_new(v->loop, on_time, a);
    gh_timer_start(a->timer, GH_CONTROL_WAIT_MS);
    for (size_t i = 0; i < v->worker_count; i++) {
        ask_post *p = gh_alloc(sizeof(*p));

        gh_buf_init(&a->parts[i].lines, 0);
        a->parts[i].pools = gh_alloc((v->config->warehouse_count + 1) * sizeof(gh_pool_stats));
        *p = (ask_post){ a, &v->workers[i], i };
        gh_loop_post(v->workers[i].loop, on_worker, p);
    }
    return a;
}

void srv_ask_forget(srv_ask *a)
{
    if (a == NULL)
        return;
    a->done = NULL;
    gh_timer_free(a->timer);
    a->timer = NULL;
}
