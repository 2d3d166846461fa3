/*
 * worker.c: a thread with a loop, its listeners, and its sessions. Everything that comes from other
 * threads comes as a post.
 */
#include "server_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- making ---------------------------------------------------------------------------------- */

static void on_accept(void *arg, int fd, const gh_address *peer)
{
    srv_worker *w = arg;

    gh_session_start(w->env, fd, peer);
}

/* A worker's part of what is kept open: all parts together are the whole, however many workers there are. */
static uint32_t idle_part(uint32_t idle, size_t workers, size_t index)
{
    return idle / (uint32_t)workers + (index < idle % workers ? 1 : 0);
}

static gh_session_env *make_env(srv *v, srv_worker *w)
{
    size_t count = v->config->warehouse_count;
    gh_session_warehouse *warehouses = gh_alloc((count + 1) * sizeof(*warehouses));

    for (size_t i = 0; i < count; i++) {
        const gh_config_warehouse *from = &v->config->warehouses[i];
        gh_pool_options pool = { .size = from->pool_size,
                                 .idle = idle_part(from->pool_idle, v->worker_count, w->index) };

        warehouses[i].name = from->name;
        warehouses[i].init_sql = v->catalogs[i].init_sql;
        warehouses[i].is_observed = v->catalogs[i].is_observed;
        warehouses[i].pool = gh_pool_new(w->loop, v->catalogs[i].upstream, &pool);
    }
    gh_session_env_options options = {
        .loop = w->loop,
        .tls_mode = srv_tls_mode(v->config),
        .tls = v->tls,
        .audit = v->audit,
        .is_fingerprint = v->config->audit.statements != GH_CONFIG_FULL,
        .cancels = v->cancels,
        .judge_pool = v->judge_pool,
        .policy = v->policy,
        .mock_secret = v->mock_secret,
        .warehouses = warehouses,
        .warehouse_count = count,
        .statement_bytes = v->config->limits.statement_bytes,
        .statement_memory = v->config->limits.statement_memory,
        .clients_max = v->config->limits.clients,
        .logins_max = v->config->limits.logins,
        .login_timeout_ms = v->config->limits.login_timeout_ms,
        .clients = &v->clients,
        .clock = &v->clock,
        .throttle = v->throttle,
        .throttle_lock = &v->throttle_lock,
        .plan_cache_bytes = SRV_PLAN_CACHE_BYTES,
        .poke_catalog = srv_catalog_poke,
        .poke_arg = v,
    };
    gh_session_env *env = gh_session_env_new(&options);

    free(warehouses);
    return env;
}

/*
 * SO_REUSEPORT lets another process of this user listen on the same address, and the kernel would deal the clients out between
 * the two. A socket without it can only be bound where nobody listens.
 */
gh_rc srv_probe(const gh_address *address, gh_err *err)
{
    static const int on = 1;
    gh_rc rc = GH_OK;
    int fd;

    if (address->is_unix)
        return GH_OK;
    fd = socket(address->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return gh_fail(err, GH_IO, "58000", "%s: %s", address->text, strerror(errno));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&address->addr, address->len) != 0)
        rc =
            gh_fail(err, GH_IO, "58000", "cannot listen on %s: %s", address->text, strerror(errno));
    (void)close(fd);
    return rc;
}

static gh_rc listen_all(srv *v, srv_worker *w, gh_err *err)
{
    for (size_t i = 0; i < v->config->listen_count; i++) {
        const srv_worker *first = &v->workers[0];
        gh_address address;
        gh_rc rc;

        /* Where the system chose a port, the others share the first one's. */
        if (w != first)
            address = *gh_listener_address(first->listeners[i]);
        else {
            rc = gh_address_parse(v->config->listen[i].address, &address, err);
            if (rc == GH_OK)
                rc = srv_probe(&address, err);
            if (rc != GH_OK)
                return rc;
        }
        rc = gh_listener_open(w->loop, &address, on_accept, w, &w->listeners[i], err);
        if (rc != GH_OK)
            return rc;
        w->listener_count++;
    }
    return GH_OK;
}

gh_rc srv_workers_new(srv *v, gh_err *err)
{
    gh_rc rc = GH_OK;

    v->workers = gh_alloc(v->worker_count * sizeof(srv_worker));
    for (size_t i = 0; i < v->worker_count && rc == GH_OK; i++) {
        srv_worker *w = &v->workers[i];

        w->server = v;
        w->index = i;
        rc = gh_loop_new(&w->loop, err);
        if (rc != GH_OK)
            return rc;
        w->env = make_env(v, w);
        rc = listen_all(v, w, err);
    }
    return rc;
}

/* ---- running --------------------------------------------------------------------------------- */

static void close_listeners(srv_worker *w)
{
    for (size_t i = 0; i < w->listener_count; i++)
        gh_listener_close(w->listeners[i]);
    w->listener_count = 0;
}

static void gone(void *arg)
{
    srv_on_worker_gone(arg);
}

static void *worker_main(void *arg)
{
    srv_worker *w = arg;
    gh_err err = { 0 };

    if (gh_loop_run(w->loop, &err) != GH_OK)
        gh_log(GH_ERROR, "worker.failed", "cause=\"%s\"", err.detail);
    close_listeners(w);
    gh_session_env_free(w->env);
    w->env = NULL;
    gh_loop_post(w->server->loop, gone, w->server);
    return NULL;
}

gh_rc srv_workers_start(srv *v, gh_err *err)
{
    for (size_t i = 0; i < v->worker_count; i++) {
        srv_worker *w = &v->workers[i];

        if (gh_thread_start(&w->thread, SRV_STACK_BYTES, worker_main, w) != 0)
            return gh_fail(err, GH_IO, "58000", "cannot start a worker");
        w->is_started = true;
        v->workers_running++;
    }
    return GH_OK;
}

void srv_workers_free(srv *v)
{
    if (v->workers == NULL)
        return;
    for (size_t i = 0; i < v->worker_count; i++) {
        srv_worker *w = &v->workers[i];

        if (w->is_started)
            (void)pthread_join(w->thread, NULL);
        close_listeners(w);
        gh_session_env_free(w->env);
        w->env = NULL;
    }
}

/* ---- posts ----------------------------------------------------------------------------------- */

typedef struct post {
    srv *server;
    srv_worker *worker; /* not for posts back to main, which may outlive it */
    gh_policy *policy;
    gh_catalog *catalog;
    gh_tls_server *tls;
    gh_session_tls tls_mode;
    gh_session_limits limits;
    size_t index;
    uint64_t read;
    bool is_observed;
} post;

static void send_post(srv_worker *w, void (*fn)(void *arg), post p)
{
    post *copy = gh_alloc(sizeof(*copy));

    *copy = p;
    copy->server = w->server;
    copy->worker = w;
    gh_loop_post(w->loop, fn, copy);
}

/* On main's thread. */
static void obeyed(void *arg)
{
    post *p = arg;

    srv_on_obeyed(p->server, gh_policy_version(p->policy));
    gh_policy_release(p->policy);
    free(p);
}

/* A worker that has ended has no env: what comes late is only let go. */
static void take_policy(void *arg)
{
    post *p = arg;

    if (p->worker->env == NULL) {
        gh_policy_release(p->policy);
        free(p);
        return;
    }
    gh_session_env_set_policy(p->worker->env, p->policy);
    gh_loop_post(p->server->loop, obeyed, p);
}

static void take_catalog(void *arg)
{
    post *p = arg;

    if (p->worker->env != NULL)
        gh_session_env_set_catalog(p->worker->env, p->index, p->catalog, p->read);
    gh_catalog_release(p->catalog);
    free(p);
}

static void take_tls(void *arg)
{
    post *p = arg;

    if (p->worker->env != NULL)
        gh_session_env_set_tls(p->worker->env, p->tls_mode, p->tls);
    gh_tls_server_release(p->tls);
    free(p);
}

static void take_limits(void *arg)
{
    post *p = arg;

    if (p->worker->env != NULL)
        gh_session_env_set_limits(p->worker->env, &p->limits);
    free(p);
}

static void take_observed(void *arg)
{
    post *p = arg;

    if (p->worker->env != NULL)
        gh_session_env_set_observed(p->worker->env, p->index, p->is_observed);
    free(p);
}

static void on_drained(void *arg)
{
    srv_worker *w = arg;

    gh_loop_stop(w->loop);
}

static void take_drain(void *arg)
{
    post *p = arg;

    close_listeners(p->worker);
    if (p->worker->env != NULL)
        gh_session_env_drain(p->worker->env, on_drained, p->worker);
    free(p);
}

static void take_kill(void *arg)
{
    post *p = arg;

    close_listeners(p->worker);
    gh_loop_stop(p->worker->loop);
    free(p);
}

void srv_workers_set_policy(srv *v, gh_policy *policy)
{
    for (size_t i = 0; i < v->worker_count; i++)
        send_post(&v->workers[i], take_policy, (post){ .policy = gh_policy_acquire(policy) });
}

void srv_workers_set_tls(srv *v)
{
    for (size_t i = 0; i < v->worker_count; i++)
        send_post(
            &v->workers[i], take_tls,
            (post){ .tls = gh_tls_server_acquire(v->tls), .tls_mode = srv_tls_mode(&v->live) });
}

void srv_workers_set_limits(srv *v)
{
    for (size_t i = 0; i < v->worker_count; i++)
        send_post(&v->workers[i], take_limits, (post){ .limits = srv_limits(v) });
}

void srv_workers_set_observed(srv *v, size_t index)
{
    for (size_t i = 0; i < v->worker_count; i++)
        send_post(&v->workers[i], take_observed,
                  (post){ .index = index, .is_observed = v->catalogs[index].is_observed });
}

void srv_workers_drain(srv *v)
{
    for (size_t i = 0; i < v->worker_count; i++)
        send_post(&v->workers[i], take_drain, (post){ .index = 0 });
}

void srv_workers_kill(srv *v)
{
    for (size_t i = 0; i < v->worker_count; i++)
        send_post(&v->workers[i], take_kill, (post){ .index = 0 });
}

void srv_worker_set_catalog(srv_worker *w, size_t index, gh_catalog *catalog, uint64_t read)
{
    gh_catalog *mine = catalog != NULL ? gh_catalog_acquire(catalog) : NULL;

    send_post(w, take_catalog, (post){ .index = index, .catalog = mine, .read = read });
}
