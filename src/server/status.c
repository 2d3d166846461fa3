/*
 * status.c: how the proxy is, as one object of JSON. docs/operations.md has the fields.
 */
#include "control.h"

#include <unistd.h>

static void put_member(gh_buf *out, const char *name, gh_str value)
{
    gh_buf_printf(out, "\"%s\":", name);
    if (value.len == 0)
        gh_buf_puts(out, "null");
    else
        gh_audit_put_string(out, value);
}

static void put_time(gh_buf *out, const char *name, int64_t wall_us)
{
    char text[GH_AUDIT_TIME_TEXT];
    size_t len = wall_us != 0 ? gh_audit_time_text(wall_us, text) : 0;

    put_member(out, name, (gh_str){ text, len });
}

gh_session_counts srv_sum_counts(const srv_ask *a)
{
    gh_session_counts all = { 0 };

    for (size_t i = 0; i < a->part_count; i++) {
        const gh_session_counts *c = &a->parts[i].counts;

        if (!a->parts[i].is_here)
            continue;
        all.logins += c->logins;
        all.login_failures += c->login_failures;
        all.statements += c->statements;
        all.refusals += c->refusals;
        all.observed += c->observed;
        all.sessions += c->sessions;
        all.active += c->active;
    }
    return all;
}

gh_pool_stats srv_sum_pool(const srv_ask *a, size_t index)
{
    gh_pool_stats all = { 0 };

    for (size_t i = 0; i < a->part_count; i++) {
        const gh_pool_stats *p = &a->parts[i].pools[index];

        if (!a->parts[i].is_here)
            continue;
        all.used += p->used;
        all.idle += p->idle;
        all.connecting += p->connecting;
        all.waiting += p->waiting;
        all.failures += p->failures;
    }
    return all;
}

static void put_process(srv *v, gh_buf *out)
{
    gh_buf_puts(out, "{");
    put_member(out, "version", GH_STR(SRV_VERSION));
    gh_buf_printf(out, ",\"pid\":%d,", (int)getpid());
    put_time(out, "started", v->started_us);
    gh_buf_printf(out, ",\"uptime_s\":%" PRId64 ",", (gh_wall_us() - v->started_us) / 1000000);
    put_member(out, "config", v->config->path);
    gh_buf_printf(out, ",\"workers\":%zu,\"draining\":%s,\"listen\":[", v->worker_count,
                  v->is_draining ? "true" : "false");
    for (size_t i = 0; i < v->config->listen_count; i++) {
        gh_buf_puts(out, i > 0 ? "," : "");
        gh_audit_put_string(out, v->config->listen[i].address);
    }
    gh_buf_puts(out, "]");
}

static void put_sessions(srv *v, const srv_ask *a, gh_buf *out)
{
    gh_session_counts c = srv_sum_counts(a);

    gh_buf_printf(out,
                  ",\"clients\":%u,\"clients_max\":%u,\"sessions\":%zu,\"active\":%zu,"
                  "\"statements\":%" PRIu64 ",\"refusals\":%" PRIu64 ",\"observed\":%" PRIu64
                  ",\"logins\":%" PRIu64 ",\"login_failures\":%" PRIu64,
                  atomic_load_explicit(&v->clients, memory_order_relaxed), v->live.limits.clients,
                  c.sessions, c.active, c.statements, c.refusals, c.observed, c.logins,
                  c.login_failures);
}

static void put_policy(srv *v, gh_buf *out)
{
    srv_policy_state s;

    srv_policy_state_get(v, &s);
    gh_buf_printf(out, ",\"policy\":{\"version\":%" PRIu64 ",\"state\":\"%s\",",
                  gh_policy_version(v->policy), s.is_stale ? "stale" : "current");
    put_time(out, "since", s.loaded_us);
    gh_buf_puts(out, ",");
    put_member(out, "error", s.is_stale ? gh_str_of(s.cause) : (gh_str){ NULL, 0 });
    gh_buf_puts(out, ",");
    put_time(out, "error_since", s.is_stale ? s.stale_us : 0);
    gh_buf_puts(out, ",");
    put_member(out, "path", v->config->acl);
    gh_buf_puts(out, "}");
}

static void put_audit(srv *v, gh_buf *out)
{
    gh_auditlog_stats s;

    gh_auditlog_get_stats(v->audit, &s);
    gh_buf_printf(out,
                  ",\"audit\":{\"state\":\"%s\",\"records\":%" PRIu64 ",\"failures\":%" PRIu64
                  ",\"lost\":%" PRIu64 ",\"seq\":%" PRIu64 ",",
                  s.is_failing ? "failing" : "ok", s.records, s.failures, s.lost, s.seq);
    put_member(out, "dir", v->config->audit.dir);
    gh_buf_puts(out, "}");
}

static void put_catalog(srv *v, size_t index, gh_buf *out)
{
    srv_catalog_state s;

    srv_catalog_state_get(&v->catalogs[index], &s);
    gh_buf_printf(out, "\"catalog\":{\"state\":\"%s\",\"epoch\":%" PRIu64 ",",
                  s.is_failing     ? "failing"
                  : s.read_us == 0 ? "not read yet"
                                   : "current",
                  s.epoch);
    if (s.read_us != 0)
        gh_buf_printf(out, "\"age_s\":%" PRId64 ",", (gh_clock_us() - s.read_us) / 1000000);
    else
        gh_buf_puts(out, "\"age_s\":null,");
    put_member(out, "error", s.is_failing ? gh_str_of(s.cause) : (gh_str){ NULL, 0 });
    gh_buf_puts(out, "}}");
}

static void put_warehouse(srv *v, const srv_ask *a, size_t index, gh_buf *out)
{
    const gh_config_warehouse *w = &v->config->warehouses[index];
    gh_pool_stats p = srv_sum_pool(a, index);

    gh_buf_puts(out, index > 0 ? ",{" : "{");
    put_member(out, "name", w->name);
    gh_buf_printf(out,
                  ",\"mode\":\"%s\",\"pool\":{\"size\":%u,\"used\":%u,\"idle\":%u,"
                  "\"connecting\":%u,\"waiting\":%u,\"failures\":%" PRIu64 "},",
                  v->catalogs[index].is_observed ? "observe" : "enforce", w->pool_size, p.used,
                  p.idle, p.connecting, p.waiting, p.failures);
    put_catalog(v, index, out);
}

void srv_put_status(srv *v, const srv_ask *a, gh_buf *out)
{
    put_process(v, out);
    put_sessions(v, a, out);
    put_policy(v, out);
    put_audit(v, out);
    gh_buf_puts(out, ",\"warehouses\":[");
    for (size_t i = 0; i < v->config->warehouse_count; i++)
        put_warehouse(v, a, i, out);
    gh_buf_printf(out, "],\"complete\":%s}\n", a->outstanding == 0 ? "true" : "false");
}
