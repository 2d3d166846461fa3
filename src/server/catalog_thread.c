/*
 * catalog_thread.c: one thread a warehouse reads its catalog, every few seconds and when poked.
 *
 *     poke ──▶ is_wanted ──▶ [read number n begins] ... ends ──▶ every worker: catalog, n
 *       └─ returns n: whoever waits for read n sees a catalog that is newer than its poke
 */
#include "server_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- the upstream's account ------------------------------------------------------------------ */

/*
 * What every upstream session has, whoever uses it.
 *
 * SECURITY: names are sent qualified, so the path finds nothing but built-ins; a temporary schema that
 * is not named in it would come first, and a table of the client's would be the type that a name such
 * as uuid means. Strings mean what the parser here takes them for. Attack: shared attack corpus,
 * settings; tests/attack temporary-tables. Catalog queries hold many
 * small sub-selects: compiling them would take longer than running them.
 */
static const char s_init_sql[] =
    "SET search_path TO pg_catalog, pg_temp; SET standard_conforming_strings TO on; "
    "SET client_min_messages TO notice; SET jit TO off";

/*
 * SECURITY: the key of the `hash` mask is a setting from the connection's start on, so that no statement
 * holds it, no RESET takes it away and no log of statements shows it.
 * Attack: tests/integration/hash_key. In observe mode clients send what they like and could ask for it: those
 * connections do not have it. Attack: tests/attack/observe, test_no_key.
 */
static gh_str settings(srv *v, bool is_observed)
{
    if (is_observed)
        return (gh_str){ NULL, 0 };
    return gh_arena_printf(v->arena, "-c gatehouse.hash_key=%.*s", GH_STR_ARG(v->hash_key));
}

void srv_catalogs_set_key(srv *v)
{
    for (size_t i = 0; v->catalogs != NULL && i < v->config->warehouse_count; i++)
        gh_upstream_set_settings(v->catalogs[i].upstream, settings(v, v->catalogs[i].is_observed));
}

static void warn_observed(const srv_catalog *c)
{
    gh_log(GH_WARN, "warehouse.observed",
           "warehouse=" GH_STR_FMT " note=\"nothing is refused, hidden or masked here\"",
           GH_STR_ARG(c->server->config->warehouses[c->index].name));
}

void srv_catalog_set_observed(srv_catalog *c, bool is_observed)
{
    c->is_observed = is_observed;
    gh_upstream_set_settings(c->upstream, settings(c->server, is_observed));
    if (is_observed)
        warn_observed(c);
    else
        gh_log(GH_INFO, "warehouse.enforced", "warehouse=" GH_STR_FMT,
               GH_STR_ARG(c->server->config->warehouses[c->index].name));
}

void srv_catalogs_set_policy(srv *v)
{
    for (size_t i = 0; v->catalogs != NULL && i < v->config->warehouse_count; i++) {
        srv_catalog *c = &v->catalogs[i];
        gh_policy *old;

        (void)pthread_mutex_lock(&c->lock);
        old = c->policy;
        c->policy = gh_policy_acquire(v->policy);
        c->is_wanted = true;
        (void)pthread_cond_signal(&c->wake);
        (void)pthread_mutex_unlock(&c->lock);
        gh_policy_release(old);
    }
}

/* Tells the reader of which views the policy needs the definition. */
static void take_policy(srv_catalog *c)
{
    gh_arena *a;
    gh_policy *policy;
    size_t count = 0;
    const gh_name_pattern *patterns;

    (void)pthread_mutex_lock(&c->lock);
    policy = gh_policy_acquire(c->policy);
    (void)pthread_mutex_unlock(&c->lock);
    if (policy == c->told) {
        gh_policy_release(policy);
        return;
    }
    gh_policy_release(c->told);
    c->told = policy;
    a = gh_arena_new(0);
    patterns = gh_policy_through(policy, gh_upstream_name(c->upstream), a, &count);
    gh_catalog_reader_expand(c->reader, patterns, count);
    gh_arena_free(a);
}

static gh_rc catalog_init(srv *v, size_t index, gh_err *err)
{
    const gh_config_warehouse *w = &v->config->warehouses[index];
    srv_catalog *c = &v->catalogs[index];
    pthread_condattr_t attr;
    gh_secret password = { 0 };
    gh_rc rc = gh_server_password(w, &password, err);

    c->server = v;
    c->index = index;
    c->is_observed = w->is_observed;
    if (c->is_observed)
        warn_observed(c);
    c->init_sql = gh_str_of(s_init_sql);
    c->policy = gh_policy_acquire(v->policy);
    (void)pthread_mutex_init(&c->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* in_ms */
    (void)pthread_cond_init(&c->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    if (rc == GH_OK) {
        gh_upstream_options options = { .name = w->name,
                                        .conninfo = w->conninfo,
                                        .dir = v->config->dir,
                                        .password = password.len > 0 ? &password : NULL,
                                        .init_sql = c->init_sql,
                                        .settings = settings(v, w->is_observed) };

        rc = gh_upstream_new(&options, &c->upstream, err);
    }
    gh_secret_fini(&password);
    if (rc == GH_OK)
        c->reader = gh_catalog_reader_new(c->upstream);
    return rc;
}

gh_rc srv_catalogs_new(srv *v, gh_err *err)
{
    gh_rc rc = GH_OK;

    v->catalogs = gh_alloc((v->config->warehouse_count + 1) * sizeof(srv_catalog));
    for (size_t i = 0; i < v->config->warehouse_count && rc == GH_OK; i++)
        rc = catalog_init(v, i, err);
    return rc;
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* By the monotonic clock: were the wall clock set back by an hour, the catalog would not be read for as long. */
static struct timespec in_ms(long ms)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (ms % 1000) * 1000000L;
    if (t.tv_nsec >= 1000000000L) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000L;
    }
    return t;
}

/* Waits for the time or a poke; the number of the read to do, 0 to end. */
static uint64_t next_read(srv_catalog *c, long pause_ms)
{
    struct timespec until = in_ms(pause_ms);
    uint64_t number = 0;
    int rc = 0;

    (void)pthread_mutex_lock(&c->lock);
    while (!c->is_wanted && !c->is_stopping && rc == 0)
        rc = pthread_cond_timedwait(&c->wake, &c->lock, &until);
    if (!c->is_stopping) {
        c->is_wanted = false;
        c->started++;
        number = c->started;
    }
    (void)pthread_mutex_unlock(&c->lock);
    return number;
}

void srv_catalog_state_get(srv_catalog *c, srv_catalog_state *out)
{
    (void)pthread_mutex_lock(&c->lock);
    *out = c->state;
    (void)pthread_mutex_unlock(&c->lock);
}

/* err NULL: the read went well. */
static void set_state(srv_catalog *c, const gh_catalog *catalog, const gh_err *err)
{
    (void)pthread_mutex_lock(&c->lock);
    c->state.is_failing = err != NULL;
    if (err != NULL)
        memcpy(c->state.cause, err->detail[0] != '\0' ? err->detail : err->public_msg,
               sizeof(c->state.cause));
    else {
        c->state.read_us = gh_clock_us();
        c->state.epoch = gh_catalog_epoch(catalog);
    }
    (void)pthread_mutex_unlock(&c->lock);
}

static void tell_workers(srv_catalog *c, gh_catalog *catalog, uint64_t number)
{
    for (size_t i = 0; i < c->server->worker_count; i++)
        srv_worker_set_catalog(&c->server->workers[i], c->index, catalog, number);
}

static void *catalog_main(void *arg)
{
    srv_catalog *c = arg;
    gh_catalog *catalog = NULL;
    long pause_ms = 0;
    bool was_failing = false;

    for (;;) {
        gh_catalog *next = NULL;
        gh_err err = { 0 };
        uint64_t number = next_read(c, pause_ms);

        if (number == 0)
            break;
        take_policy(c);
        gh_rc rc = gh_catalog_read(c->reader, catalog, &next, &err);

        if (rc == GH_OK) {
            gh_catalog_release(catalog);
            catalog = next;
        } else if (!was_failing)
            gh_log(GH_WARN, "catalog.failed", "warehouse=" GH_STR_FMT " cause=\"%s\"",
                   GH_STR_ARG(gh_upstream_name(c->upstream)), err.detail);
        was_failing = rc != GH_OK;
        set_state(c, catalog, rc == GH_OK ? NULL : &err);
        tell_workers(c, rc == GH_OK ? catalog : NULL, number);
        pause_ms = rc == GH_OK ? SRV_CATALOG_MS : SRV_CATALOG_RETRY_MS;
    }
    gh_catalog_release(catalog);
    return NULL;
}

uint64_t srv_catalog_poke(void *server, size_t index)
{
    srv *v = server;
    srv_catalog *c = &v->catalogs[index];
    uint64_t number;

    (void)pthread_mutex_lock(&c->lock);
    c->is_wanted = true;
    number = c->started + 1;
    (void)pthread_cond_signal(&c->wake);
    (void)pthread_mutex_unlock(&c->lock);
    return number;
}

gh_rc srv_catalogs_start(srv *v, gh_err *err)
{
    for (size_t i = 0; i < v->config->warehouse_count; i++) {
        srv_catalog *c = &v->catalogs[i];

        if (gh_thread_start(&c->thread, 0, catalog_main, c) != 0)
            return gh_fail(err, GH_IO, "58000", "cannot start a catalog thread");
        c->is_started = true;
    }
    return GH_OK;
}

void srv_catalogs_stop(srv *v)
{
    for (size_t i = 0; v->catalogs != NULL && i < v->config->warehouse_count; i++) {
        srv_catalog *c = &v->catalogs[i];

        if (!c->is_started)
            continue;
        (void)pthread_mutex_lock(&c->lock);
        c->is_stopping = true;
        (void)pthread_cond_signal(&c->wake);
        (void)pthread_mutex_unlock(&c->lock);
        gh_catalog_reader_stop(c->reader);
    }
    for (size_t i = 0; v->catalogs != NULL && i < v->config->warehouse_count; i++) {
        if (v->catalogs[i].is_started)
            (void)pthread_join(v->catalogs[i].thread, NULL);
        v->catalogs[i].is_started = false;
    }
}

void srv_catalogs_free(srv *v)
{
    for (size_t i = 0; v->catalogs != NULL && i < v->config->warehouse_count; i++) {
        srv_catalog *c = &v->catalogs[i];

        if (c->server == NULL)
            continue;
        gh_catalog_reader_free(c->reader);
        gh_policy_release(c->policy);
        gh_policy_release(c->told);
        gh_upstream_release(c->upstream);
        (void)pthread_cond_destroy(&c->wake);
        (void)pthread_mutex_destroy(&c->lock);
    }
    free(v->catalogs);
    v->catalogs = NULL;
}
