/*
 * server.c: the main thread: puts everything together, answers signals, and takes everything apart
 * again.
 *
 * Order at the end: listeners and sessions (workers), catalog threads, store thread, upstreams,
 * loops, audit log.
 */
#include "server_priv.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the process ----------------------------------------------------------------------------- */

/* SECURITY: memory holds passwords' proofs, rows and keys: no core file, no other process of this
 * user may look. */
static void harden(void)
{
    struct rlimit none = { 0, 0 };
    struct rlimit files;

    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    /* A file size limit is a full disk: the audit log refuses statements, the process goes on. */
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)umask(077);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

/*
 * A SIGHUP that nobody handles yet, or any more, would end the process; it waits for the loop instead. SIGTERM and
 * SIGINT keep doing that: there is nothing to drain.
 */
static void hold_reloads(int how)
{
    sigset_t hangup;

    (void)sigemptyset(&hangup);
    (void)sigaddset(&hangup, SIGHUP);
    (void)pthread_sigmask(how, &hangup, NULL);
}

/* ---- audit records of the process ------------------------------------------------------------ */

static void no_wake(void *arg)
{
    (void)arg; /* nothing here waits for a sync */
}

static gh_rc record(srv *v, gh_audit_kind kind, const char *message, gh_err *err)
{
    gh_audit_record r = { .kind = kind,
                          .time_us = gh_wall_us(),
                          .policy_version = v->policy != NULL ? gh_policy_version(v->policy) : 0,
                          .message = gh_str_of(message) };
    gh_auditlog_ticket ticket;
    gh_rc rc = gh_auditlog_put(v->writer, &r, err);

    if (rc == GH_OK)
        rc = gh_auditlog_commit(v->writer, &ticket, err);
    return rc == GH_AGAIN ? GH_OK : rc;
}

static void record_or_log(srv *v, gh_audit_kind kind, const char *message)
{
    gh_err err = { 0 };

    if (record(v, kind, message, &err) != GH_OK)
        gh_log(GH_ERROR, "audit.failed", "cause=\"%s\"", err.detail);
}

void srv_record_admin(srv *v, const char *by, const char *what)
{
    gh_audit_record r = { .kind = GH_AUDIT_ADMIN,
                          .time_us = gh_wall_us(),
                          .by = gh_str_of(by),
                          .message = gh_str_of(what) };
    gh_auditlog_ticket ticket;
    gh_err err = { 0 };
    gh_rc rc = gh_auditlog_put(v->writer, &r, &err);

    if (rc == GH_OK)
        rc = gh_auditlog_commit(v->writer, &ticket, &err);
    if (rc != GH_OK && rc != GH_AGAIN)
        gh_log(GH_ERROR, "audit.failed", "cause=\"%s\"", err.detail);
}

/* ---- what happens while it runs -------------------------------------------------------------- */

static void free_key(gh_str key)
{
    gh_cleanse((void *)(uintptr_t)key.ptr, key.len); /* our own allocation */
    free((void *)(uintptr_t)key.ptr);
}

void srv_on_policy(srv *v, gh_policy *policy, gh_str hash_key, int64_t changed_us, bool for_workers)
{
    gh_policy_release(v->policy);
    v->policy = policy;
    if (!gh_str_eq(v->hash_key, hash_key)) {
        free_key(v->hash_key);
        v->hash_key = hash_key;
        gh_log(GH_INFO, "policy.key", "the key of the hash mask changed: new connections have it");
        srv_catalogs_set_key(v);
    } else
        free_key(hash_key);
    v->obeyed.version = gh_policy_version(policy);
    v->obeyed.changed_us = changed_us;
    v->obeyed.workers_left = v->worker_count;
    if (for_workers) /* before all else: somebody may see what is no longer granted */
        srv_workers_set_policy(v, policy);
    record_or_log(v, GH_AUDIT_POLICY, "policy took effect");
    gh_log(GH_INFO, "policy.loaded", "version=%" PRIu64, gh_policy_version(policy));
    srv_catalogs_set_policy(v);
}

void srv_on_obeyed(srv *v, uint64_t version)
{
    srv_obeyed *o = &v->obeyed;
    int64_t delay_us = gh_wall_us() - o->changed_us;

    if (version != o->version || o->workers_left == 0)
        return;
    o->workers_left--;
    if (o->workers_left > 0 || o->changed_us == 0)
        return;
    o->delay_us = delay_us > 1 ? delay_us : 1; /* the clock may have been set meanwhile */
    gh_log(GH_INFO, "policy.obeyed", "version=%" PRIu64 " delay_ms=%" PRId64, version,
           o->delay_us / 1000);
}

void srv_on_worker_gone(srv *v)
{
    v->workers_running--;
    if (v->workers_running == 0)
        gh_loop_stop(v->loop);
}

static void on_drain_timer(void *arg)
{
    srv *v = arg;

    gh_log(GH_WARN, "server.cut", "sessions still busy are cut off");
    srv_workers_kill(v);
}

static void on_stop(void *arg, int signum)
{
    srv *v = arg;

    if (v->is_draining) {
        srv_workers_kill(v); /* asked twice: now */
        return;
    }
    v->is_draining = true;
    gh_log(GH_INFO, "server.drain", "signal=%d", signum);
    gh_timer_start(v->drain_timer, SRV_DRAIN_MS);
    srv_workers_drain(v);
}

/* ---- putting together ------------------------------------------------------------------------ */

static gh_rc open_audit(srv *v, gh_err *err)
{
    gh_auditlog_config config = { .dir = v->config->audit.dir,
                                  .durability = v->config->audit.durability == GH_CONFIG_WRITE
                                                    ? GH_DURABILITY_WRITE
                                                    : GH_DURABILITY_FSYNC };
    gh_rc rc = gh_auditlog_open(&config, &v->audit, err);

    if (rc != GH_OK)
        return rc;
    v->writer = gh_auditlog_writer_new(v->audit, no_wake, v);
    return record(v, GH_AUDIT_START, "gatehouse " SRV_VERSION, err);
}

static gh_rc make_throttle(srv *v, gh_err *err)
{
    uint8_t key[GH_AUTH_KEY_LEN];

    if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
        return gh_fail(err, GH_IO, "58000", "the system gives no random bytes");
    v->throttle = gh_auth_throttle_new(key);
    (void)pthread_mutex_init(&v->throttle_lock, NULL);
    gh_cleanse(key, sizeof(key));
    return GH_OK;
}

/* What comes from here on waits for the loop. */
static void take_signals(srv *v)
{
    v->signals[0] = gh_signal_new(v->loop, SIGTERM, on_stop, v);
    v->signals[1] = gh_signal_new(v->loop, SIGINT, on_stop, v);
    v->signals[2] = gh_signal_new(v->loop, SIGHUP, srv_on_reload, v);
    hold_reloads(SIG_UNBLOCK);
}

static gh_rc set_up(srv *v, gh_err *err)
{
    gh_rc rc = gh_loop_new(&v->loop, err);

    if (rc != GH_OK)
        return rc;
    v->drain_timer = gh_timer_new(v->loop, on_drain_timer, v);
    rc = srv_policy_load_first(v, err);
    if (rc != GH_OK)
        return rc;
    v->mock_secret = gh_arena_dup(v->arena, v->hash_key);
    rc = make_throttle(v, err);
    if (rc != GH_OK)
        return rc;
    rc = gh_server_load_tls(v->config, &v->tls, err);
    if (rc != GH_OK)
        return rc;
    rc = open_audit(v, err);
    if (rc != GH_OK)
        return rc;
    v->cancels = gh_cancel_table_new();
    rc = gh_judge_pool_new(v->worker_count, &v->judge_pool, err);
    if (rc != GH_OK)
        return rc;
    rc = srv_catalogs_new(v, err);
    if (rc != GH_OK)
        return rc;
    /* Before anybody can see that it listens. */
    take_signals(v);
    rc = srv_control_open(v, err);
    if (rc == GH_OK)
        rc = srv_admin_open(v, err);
    return rc == GH_OK ? srv_workers_new(v, err) : rc;
}

static gh_rc start(srv *v, gh_err *err)
{
    gh_rc rc = srv_workers_start(v, err);

    if (rc != GH_OK)
        return rc;
    rc = srv_catalogs_start(v, err);
    if (rc != GH_OK)
        return rc;
    return srv_store_start(v, err);
}

static void say_ready(const srv *v)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    for (size_t i = 0; i < v->workers[0].listener_count; i++)
        gh_buf_printf(&b, "%s%s", i > 0 ? "," : "",
                      gh_listener_address(v->workers[0].listeners[i])->text);
    gh_log(GH_INFO, "server.ready", "addresses=" GH_STR_FMT " workers=%zu pid=%d",
           GH_STR_ARG(gh_buf_str(&b)), v->worker_count, (int)getpid());
    gh_buf_fini(&b);
}

/* ---- taking apart ---------------------------------------------------------------------------- */

/* A start that failed half-way: the workers that run are stopped before they are joined. */
static void stop_workers(srv *v)
{
    for (size_t i = 0; v->workers != NULL && i < v->worker_count; i++) {
        if (v->workers[i].is_started)
            gh_loop_stop(v->workers[i].loop);
    }
    srv_workers_free(v);
}

static void tear_down(srv *v)
{
    srv_peers_close(&v->control);
    srv_peers_close(&v->admin);
    stop_workers(v);
    gh_judge_pool_free(v->judge_pool);
    srv_catalogs_stop(v);
    srv_store_stop(v);
    srv_catalogs_free(v);
    for (size_t i = 0; v->workers != NULL && i < v->worker_count; i++)
        gh_loop_free(v->workers[i].loop); /* runs late posts, which only let go */
    free(v->workers);
    gh_cancel_table_free(v->cancels);
    for (size_t i = 0; i < GH_COUNT(v->signals); i++)
        gh_signal_free(v->signals[i]);
    gh_timer_free(v->drain_timer);
    v->workers = NULL;
    v->worker_count = 0;
    gh_loop_free(v->loop);
    if (v->writer != NULL)
        record_or_log(v, GH_AUDIT_STOP, "gatehouse " SRV_VERSION);
    gh_auditlog_writer_free(v->writer);
    gh_auditlog_close(v->audit);
    gh_tls_server_release(v->tls);
    gh_policy_release(v->policy);
    if (v->throttle != NULL)
        (void)pthread_mutex_destroy(&v->throttle_lock);
    (void)pthread_mutex_destroy(&v->policy_lock);
    gh_auth_throttle_free(v->throttle);
    free_key(v->hash_key);
    gh_arena_free(v->live_arena);
    gh_arena_free(v->arena);
}

gh_rc gh_server_run(const gh_config *config, gh_server_reload_fn reload, void *arg, gh_err *err)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    srv *v = gh_alloc(sizeof(*v));
    gh_rc rc;

    hold_reloads(SIG_BLOCK);
    harden();
    v->config = config;
    v->live = *config;
    v->reload = reload;
    v->reload_arg = arg;
    v->arena = gh_arena_new(0);
    v->started_us = gh_session_validity_us(&v->clock, NULL);
    (void)pthread_mutex_init(&v->policy_lock, NULL);
    v->worker_count = config->workers > 0 ? config->workers : (size_t)(cores > 0 ? cores : 1);
    if (v->worker_count > GH_CONFIG_WORKERS_MAX)
        v->worker_count = GH_CONFIG_WORKERS_MAX;
    rc = set_up(v, err);
    if (rc == GH_OK)
        rc = start(v, err);
    if (rc == GH_OK) {
        say_ready(v);
        rc = gh_loop_run(v->loop, err);
        gh_log(GH_INFO, "server.stopped", "rc=%s", gh_rc_name(rc));
    }
    hold_reloads(SIG_BLOCK);
    tear_down(v);
    free(v);
    return rc;
}
