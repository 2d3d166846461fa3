/*
 * env.c: what the sessions of one worker share, and the end of a turn.
 *
 *     turn: reads ▶ judgements ▶ records ▶ bytes collected ──▶ one commit ──▶ bytes go upstream
 *           ──▶ the dead are freed
 */
#include "session_priv.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

#define SPARE_BYTES_MAX (4 * GH_RELAY_BUFFER_BYTES)
#define EXPIRY_MS_MAX   1000 /* the wall clock may jump */

void gh_env_random(void *bytes, size_t len)
{
    char *pos = bytes;

    while (len > 0) {
        ssize_t got = getrandom(pos, len, 0);

        GH_ASSERT(got > 0 || errno == EINTR);
        if (got > 0) {
            pos += got;
            len -= (size_t)got;
        }
    }
}

void gh_env_free_str(gh_str *s)
{
    /* The bytes are gh_strdup's; a gh_str only promises not to write to them. */
    if (s->ptr != NULL) {
        gh_cleanse((void *)(uintptr_t)s->ptr, s->len);
        free((void *)(uintptr_t)s->ptr);
    }
    *s = (gh_str){ NULL, 0 };
}

/* ---- buffers --------------------------------------------------------------------------------- */

void gh_env_lend(gh_session_env *env, gh_buf *b)
{
    size_t max = b->max;

    if (b->ptr != NULL || env->spare_count == 0)
        return;
    env->spare_count--;
    *b = env->spare[env->spare_count];
    b->max = max;
}

void gh_env_return(gh_session_env *env, gh_buf *b)
{
    if (b->ptr == NULL || b->len > 0)
        return;
    if (env->spare_count < GH_SPARE_BUFFERS && b->cap <= SPARE_BYTES_MAX) {
        size_t max = b->max;

        gh_buf_clear(b);
        env->spare[env->spare_count] = *b;
        env->spare_count++;
        gh_buf_init(b, max);
        return;
    }
    size_t max = b->max;

    gh_buf_fini(b);
    gh_buf_init(b, max);
}

/* ---- views ----------------------------------------------------------------------------------- */

static gh_view_entry **view_bucket(gh_session_env *env, const gh_env_warehouse *w, gh_str user)
{
    uint64_t hash = gh_hash(user.ptr, user.len, w->index);

    return &env->views[hash % GH_COUNT(env->views)];
}

static void free_view(gh_view_entry *e)
{
    gh_view_release(e->view);
    free(e);
}

/* The entry's view of the policy as it is now. Its id, and so its plans, stay if all of it does. */
static void renew_view(gh_session_env *env, gh_view_entry *e, gh_str user, int64_t now)
{
    gh_view *next = e->view == NULL ? NULL : gh_view_follow(e->view, env->policy, now);

    if (next == NULL) {
        next = gh_view_new(env->policy, e->warehouse->name, user, now);
        env->next_view++;
        e->id = env->next_view;
    }
    gh_view_release(e->view);
    e->view = next;
    e->generation = env->policy_generation;
}

gh_view_entry *gh_env_view(gh_session_env *env, const gh_env_warehouse *w, gh_str user, int64_t now)
{
    gh_view_entry **bucket = view_bucket(env, w, user);
    gh_view_entry *e = *bucket;

    while (e != NULL && (e->warehouse != w || !gh_str_eq(gh_view_user(e->view), user)))
        e = e->next;
    if (e == NULL) {
        e = gh_alloc(sizeof(*e));
        e->warehouse = w;
        e->next = *bucket;
        *bucket = e;
    }
    if (e->view == NULL || e->generation != env->policy_generation ||
        now >= gh_view_valid_until(e->view))
        renew_view(env, e, user, now);
    return e;
}

void gh_env_forget_views(gh_session_env *env, uint64_t before)
{
    for (size_t i = 0; i < GH_COUNT(env->views); i++) {
        gh_view_entry **at = &env->views[i];

        while (*at != NULL) {
            gh_view_entry *e = *at;

            if (e->generation >= before) {
                at = &e->next;
                continue;
            }
            *at = e->next;
            free_view(e);
        }
    }
}

/* ---- validity -------------------------------------------------------------------------------- */

/*
 * SECURITY: a grant that ended would begin again when the wall clock is set back, and one that is about to end would go
 * on for as long. So the time by which grants are valid is the monotonic clock's, by the most that the wall clock has
 * ever been ahead of it while this process runs: what is set back is not followed until it has caught up.
 * Attack: tests/integration/clock.
 */
int64_t gh_session_validity_us(gh_session_clock *c, int64_t *behind_us)
{
    int64_t wall_us = gh_wall_us();
    int64_t clock_us = gh_clock_us();
    int64_t ahead_us = wall_us - clock_us;
    int64_t most_us = atomic_load_explicit(c, memory_order_relaxed);

    while (ahead_us > most_us &&
           !atomic_compare_exchange_weak_explicit(c, &most_us, ahead_us, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
    most_us = ahead_us > most_us ? ahead_us : most_us;
    if (behind_us != NULL)
        *behind_us = most_us - ahead_us;
    return clock_us + most_us;
}

int64_t gh_env_now(const gh_session_env *env)
{
    return gh_session_validity_us(env->o.clock, NULL);
}

static void start_expiry_timer(gh_session_env *env)
{
    int64_t left_ms = (env->next_expiry - gh_env_now(env)) / 1000 + 1;

    if (env->next_expiry == INT64_MAX)
        return;
    if (left_ms < 0)
        left_ms = 0;
    gh_timer_start(env->expiry_timer,
                   (uint32_t)(left_ms < EXPIRY_MS_MAX ? left_ms : EXPIRY_MS_MAX));
}

/*
 * SECURITY: a grant that ends while a statement runs ends that statement, as a revoke does; messages to come are
 * judged by the time anyway. Attack: tests/integration/revoke, test_valid.
 */
static void on_expiry(void *arg)
{
    gh_session_env *env = arg;
    int64_t now = gh_env_now(env);
    gh_session *next;

    if (now >= env->next_expiry) {
        env->next_expiry = INT64_MAX;
        for (gh_session *s = env->sessions; s != NULL; s = next) {
            next = s->next;
            if (s->state != GH_SESSION_READY || s->conn == NULL || s->view == NULL)
                continue;
            if (now < gh_view_valid_until(s->view))
                gh_env_expect_expiry(env, gh_view_valid_until(s->view));
            else if (gh_session_refresh(s))
                gh_session_recheck(s);
        }
    }
    start_expiry_timer(env);
}

void gh_env_expect_expiry(gh_session_env *env, int64_t until)
{
    if (until >= env->next_expiry)
        return;
    env->next_expiry = until;
    start_expiry_timer(env);
}

/* ---- the end of a turn ----------------------------------------------------------------------- */

/* Everyone of this turn whose records wait; what is not durable does not go on. */
static void commit(gh_session_env *env)
{
    gh_auditlog_ticket ticket = { 0 };
    gh_err err;
    gh_rc rc;

    gh_err_init(&err);
    rc = gh_auditlog_commit(env->writer, &ticket, &err);
    env->wants_commit = false;
    for (gh_session *s = env->dirty; s != NULL; s = s->next_dirty) {
        if (!s->wants_commit)
            continue;
        s->wants_commit = false;
        if (rc == GH_AGAIN) {
            s->is_held = true;
            s->ticket = ticket;
            continue;
        }
        gh_session_committed(s, rc, &err);
    }
}

static bool anyone_wants_commit(const gh_session_env *env)
{
    if (env->wants_commit)
        return true;
    for (const gh_session *s = env->dirty; s != NULL; s = s->next_dirty) {
        if (s->wants_commit)
            return true;
    }
    return false;
}

void gh_env_turn(void *arg)
{
    gh_session_env *env = arg;

    /* Refusals and failed logins too: nobody waits for them, but they are evidence. */
    if (anyone_wants_commit(env) || gh_auditlog_is_urgent(env->writer))
        commit(env);
    while (env->dirty != NULL) {
        gh_session *s = env->dirty;

        env->dirty = s->next_dirty;
        s->is_dirty = false;
        if (s->state == GH_SESSION_CLOSED)
            continue;
        if (gh_session_flush_upstream(s) && gh_session_flush_client(s))
            gh_session_watch(s);
    }
    if (!env->is_audit_timer_on && gh_auditlog_is_pending(env->writer)) {
        env->is_audit_timer_on = true;
        gh_timer_start(env->audit_timer, GH_AUDIT_OUTCOME_DELAY_MS);
    }
    gh_session_free_dead(env);
}

/* Outcomes that no intent took along. A failure keeps them for the next commit; statements will
 * notice it. */
static void on_audit_timer(void *arg)
{
    gh_session_env *env = arg;
    gh_auditlog_ticket ticket;
    gh_err err = { 0 };

    env->is_audit_timer_on = false;
    if (anyone_wants_commit(env)) {
        commit(env);
        return;
    }
    gh_rc rc = gh_auditlog_commit(env->writer, &ticket, &err);

    if (rc != GH_OK && rc != GH_AGAIN)
        gh_log(GH_ERROR, "audit.failed", "cause=\"%s\"", err.detail);
}

/*
 * What a posted wake finds its env by: the log's thread may post when the env is about to end, and the loop runs late
 * posts. Each post holds a reference.
 */
struct gh_env_mail {
    atomic_uint references;
    gh_session_env *env; /* NULL: ended; only the worker's thread reads and writes it */
};

static void release_mail(gh_env_mail *m)
{
    /* acq_rel: the last release sees what the others wrote before theirs. */
    if (atomic_fetch_sub_explicit(&m->references, 1, memory_order_acq_rel) == 1)
        free(m);
}

static void take_durable(gh_session_env *env)
{
    gh_session *next;

    for (gh_session *s = env->sessions; s != NULL; s = next) {
        next = s->next;
        if (!s->is_held)
            continue;
        gh_rc rc = gh_auditlog_ticket_state(env->o.audit, s->ticket);
        gh_err err = { 0 };

        if (rc == GH_AGAIN)
            continue;
        s->is_held = false;
        if (rc != GH_OK)
            rc = gh_fail(&err, rc, "58030", "the audit log cannot be written");
        gh_session_committed(s, rc, &err);
        gh_session_mark(s);
    }
    gh_env_turn(env);
}

/* fsync: a sync ended. Runs on the worker's thread. */
static void on_durable(void *arg)
{
    gh_env_mail *m = arg;

    if (m->env != NULL)
        take_durable(m->env);
    release_mail(m);
}

/* Called by the log's thread, never after the writer is freed, so that the env still is. */
static void wake(void *arg)
{
    gh_session_env *env = arg;

    atomic_fetch_add_explicit(&env->mail->references, 1, memory_order_relaxed);
    gh_loop_post(env->o.loop, on_durable, env->mail);
}

/* ---- life ------------------------------------------------------------------------------------ */

gh_session_env *gh_session_env_new(const gh_session_env_options *options)
{
    gh_session_env *env = gh_alloc(sizeof(*env));

    env->o = *options;
    if (env->o.logins_max == 0)
        env->o.logins_max = GH_LOGINS_MAX;
    if (env->o.login_timeout_ms == 0)
        env->o.login_timeout_ms = GH_LOGIN_TIMEOUT_MS;
    env->policy = gh_policy_acquire(options->policy);
    env->policy_generation = 1;
    env->tls = options->tls != NULL ? gh_tls_server_acquire(options->tls) : NULL;
    env->mock_secret = gh_strdup(options->mock_secret);
    env->o.mock_secret.ptr = env->mock_secret;
    env->mail = gh_alloc(sizeof(*env->mail));
    atomic_init(&env->mail->references, 1);
    env->mail->env = env;
    env->writer = gh_auditlog_writer_new(options->audit, wake, env);
    env->plans = gh_plan_cache_new(options->plan_cache_bytes, options->plan_cache_bytes / 1024);
    env->template = gh_alloc(sizeof(*env->template));
    env->warehouses = gh_alloc((options->warehouse_count + 1) * sizeof(gh_env_warehouse));
    for (size_t i = 0; i < options->warehouse_count; i++) {
        env->warehouses[i].name.ptr = gh_strdup(options->warehouses[i].name);
        env->warehouses[i].name.len = options->warehouses[i].name.len;
        env->warehouses[i].init_sql.ptr = gh_strdup(options->warehouses[i].init_sql);
        env->warehouses[i].init_sql.len = options->warehouses[i].init_sql.len;
        env->warehouses[i].pool = options->warehouses[i].pool;
        env->warehouses[i].index = i;
        env->warehouses[i].is_observed = options->warehouses[i].is_observed;
    }
    env->arena = gh_arena_new(options->statement_memory);
    env->read_bytes = gh_alloc(GH_RELAY_BUFFER_BYTES);
    env->audit_timer = gh_timer_new(options->loop, on_audit_timer, env);
    env->revoke_timer = gh_timer_new(options->loop, gh_env_on_revoke_timer, env);
    env->expiry_timer = gh_timer_new(options->loop, on_expiry, env);
    env->next_expiry = INT64_MAX;
    gh_loop_on_turn(options->loop, gh_env_turn, env);
    return env;
}

void gh_session_env_free(gh_session_env *env)
{
    if (env == NULL)
        return;
    gh_loop_on_turn(env->o.loop, NULL, NULL);
    gh_session_env_kill(env);
    gh_session_free_dead(env);
    gh_env_forget_views(env, UINT64_MAX);
    for (size_t i = 0; i < env->o.warehouse_count; i++) {
        gh_pool_free(env->warehouses[i].pool);
        gh_catalog_release(env->warehouses[i].catalog);
        gh_env_free_str(&env->warehouses[i].name);
        gh_env_free_str(&env->warehouses[i].init_sql);
    }
    free(env->warehouses);
    gh_timer_free(env->audit_timer);
    gh_timer_free(env->revoke_timer);
    gh_timer_free(env->expiry_timer);
    gh_auditlog_writer_free(env->writer);
    env->mail->env = NULL;
    release_mail(env->mail);
    gh_plan_cache_free(env->plans);
    free(env->template);
    gh_policy_release(env->policy);
    gh_tls_server_release(env->tls);
    gh_arena_free(env->arena);
    for (size_t i = 0; i < env->spare_count; i++)
        gh_buf_fini(&env->spare[i]);
    free(env->read_bytes);
    gh_cleanse(env->mock_secret, env->o.mock_secret.len);
    free(env->mock_secret);
    free(env);
}

/* ---- changes --------------------------------------------------------------------------------- */

void gh_session_env_set_policy(gh_session_env *env, gh_policy *policy)
{
    gh_session *next;

    gh_policy_acquire(policy);
    gh_policy_release(env->policy);
    env->policy = policy;
    env->policy_generation++;
    for (gh_session *s = env->sessions; s != NULL; s = next) {
        next = s->next;
        if (s->state != GH_SESSION_READY || s->conn == NULL || !gh_session_refresh(s))
            continue; /* without a connection: when it has one */
        gh_session_recheck(s);
        gh_session_renew(s);
    }
    /* Who has no session here now may come back before the next change: that view is kept so long. */
    gh_env_forget_views(env, env->policy_generation - 1);
}

void gh_session_env_set_catalog(gh_session_env *env, size_t index, gh_catalog *catalog,
                                uint64_t read)
{
    gh_env_warehouse *w = &env->warehouses[index];
    gh_session *next;

    if (catalog != NULL) {
        gh_catalog_acquire(catalog);
        gh_catalog_release(w->catalog);
        w->catalog = catalog;
    }
    w->has_failed = catalog == NULL;
    if (read > w->read)
        w->read = read;
    for (gh_session *s = env->sessions; s != NULL; s = next) {
        next = s->next;
        if (s->warehouse != w || s->wait_read == 0 || s->wait_read > w->read)
            continue;
        s->wait_read = 0;
        if (s->state == GH_SESSION_CONNECTING)
            gh_session_welcome(s);
        else
            gh_session_resume(s);
        gh_session_mark(s);
    }
}

void gh_session_env_set_tls(gh_session_env *env, gh_session_tls mode, gh_tls_server *tls)
{
    if (tls != NULL)
        gh_tls_server_acquire(tls);
    gh_tls_server_release(env->tls);
    env->tls = tls;
    env->o.tls_mode = mode;
}

void gh_session_env_set_limits(gh_session_env *env, const gh_session_limits *limits)
{
    env->o.statement_bytes = limits->statement_bytes;
    env->o.clients_max = limits->clients_max;
    env->o.logins_max = limits->logins_max;
    env->o.login_timeout_ms = limits->login_timeout_ms;
    if (limits->statement_memory != env->o.statement_memory) {
        env->o.statement_memory = limits->statement_memory;
        gh_arena_free(env->arena); /* between statements: nothing lives in it */
        env->arena = gh_arena_new(limits->statement_memory);
    }
}

void gh_session_env_drain(gh_session_env *env, void (*done)(void *arg), void *arg)
{
    gh_session *next;

    env->is_draining = true;
    env->drained = done;
    env->drained_arg = arg;
    for (gh_session *s = env->sessions; s != NULL; s = next) {
        next = s->next;
        gh_session_settle(s);
    }
    if (env->session_count == 0 && done != NULL) {
        env->drained = NULL;
        done(arg);
    }
}

void gh_session_env_kill(gh_session_env *env)
{
    while (env->sessions != NULL)
        gh_session_close(env->sessions);
}

size_t gh_session_env_count(const gh_session_env *env)
{
    return env->session_count;
}
