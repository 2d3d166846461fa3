/*
 * admin.c: the admin address: GET /metrics for Prometheus, GET /healthz for load balancers. HTTP/1.1, one request a
 * connection, no body, no header is looked at.
 *
 * SECURITY: nobody logs in here, so nothing is told but numbers, states and the warehouses' names: no user, no
 * statement, no host, no error's text. It is for loopback, unless the config says otherwise.
 * Attack: tests/integration/metrics, test_nothing_but_numbers.
 */
#include "control.h"

/* ---- figures --------------------------------------------------------------------------------- */

static void put_head(gh_buf *out, const char *name, const char *type, const char *help)
{
    gh_buf_printf(out, "# HELP gatehouse_%s %s\n# TYPE gatehouse_%s %s\n", name, help, name, type);
}

static void put_number(gh_buf *out, const char *name, const char *type, const char *help,
                       uint64_t value)
{
    put_head(out, name, type, help);
    gh_buf_printf(out, "gatehouse_%s %" PRIu64 "\n", name, value);
}

static void put_seconds(gh_buf *out, const char *name, const char *help, int64_t us)
{
    put_head(out, name, "gauge", help);
    gh_buf_printf(out, "gatehouse_%s %" PRId64 ".%06" PRId64 "\n", name, us / 1000000,
                  us % 1000000);
}

/* A label's value: `\`, `"` and newline are escaped. */
static void put_label(gh_buf *out, gh_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        char ch = value.ptr[i];

        if (ch == '\n') {
            gh_buf_puts(out, "\\n");
            continue;
        }
        if (ch == '"' || ch == '\\')
            gh_buf_put_u8(out, '\\');
        gh_buf_put_u8(out, (uint8_t)ch);
    }
}

static void put_sample(const srv *v, size_t warehouse, gh_buf *out, const char *name,
                       const char *state, uint64_t value)
{
    gh_buf_printf(out, "gatehouse_%s{warehouse=\"", name);
    put_label(out, v->config->warehouses[warehouse].name);
    gh_buf_puts(out, "\"");
    if (state != NULL)
        gh_buf_printf(out, ",state=\"%s\"", state);
    gh_buf_printf(out, "} %" PRIu64 "\n", value);
}

static void put_process(srv *v, const srv_ask *a, gh_buf *out)
{
    gh_session_counts c = srv_sum_counts(a);

    put_head(out, "build_info", "gauge", "The version, as a label.");
    gh_buf_puts(out, "gatehouse_build_info{version=\"" SRV_VERSION "\"} 1\n");
    put_seconds(out, "start_time_seconds", "When the process started, Unix time.", v->started_us);
    put_number(out, "workers", "gauge", "Worker threads.", v->worker_count);
    put_number(out, "draining", "gauge", "1: it takes no new clients and ends.", v->is_draining);
    put_number(out, "clients", "gauge", "Clients that have logged in.",
               atomic_load_explicit(&v->clients, memory_order_relaxed));
    put_number(out, "clients_max", "gauge", "limits.clients.", v->live.limits.clients);
    put_number(out, "sessions", "gauge", "Connections of clients, logged in or not.", c.sessions);
    put_number(out, "sessions_active", "gauge", "Sessions with a statement under way.", c.active);
    put_number(out, "logins_total", "counter", "Logins.", c.logins);
    put_number(out, "login_failures_total", "counter", "Logins that failed.", c.login_failures);
    put_number(out, "statements_total", "counter", "Statements sent upstream.", c.statements);
    put_number(out, "refusals_total", "counter", "Statements refused.", c.refusals);
    put_number(out, "observed_total", "counter",
               "Statements that observe mode let through against the policy.", c.observed);
}

static void put_policy(srv *v, gh_buf *out)
{
    srv_policy_state s;

    srv_policy_state_get(v, &s);
    put_number(out, "policy_version", "gauge", "Version of the policy in force.",
               gh_policy_version(v->policy));
    put_seconds(out, "policy_loaded_timestamp_seconds", "When it was read, Unix time.",
                s.loaded_us);
    put_number(out, "policy_stale", "gauge",
               "1: the ACL cannot be read, the last good policy stays in force.", s.is_stale);
    put_seconds(out, "policy_delay_seconds",
                "From the last change of the ACL until every session obeyed it; 0: none yet.",
                v->obeyed.delay_us);
}

static void put_audit(srv *v, gh_buf *out)
{
    gh_auditlog_stats s;

    gh_auditlog_get_stats(v->audit, &s);
    put_number(out, "audit_records_total", "counter", "Audit records written.", s.records);
    put_number(out, "audit_bytes_total", "counter", "Bytes of them.", s.bytes);
    put_number(out, "audit_failures_total", "counter", "Writes and syncs that failed.", s.failures);
    put_number(out, "audit_lost_total", "counter", "Records that failures dropped.", s.lost);
    put_number(out, "audit_failing", "gauge", "1: it cannot be written, statements are refused.",
               s.is_failing);
}

static void put_pools(srv *v, const srv_ask *a, gh_buf *out)
{
    size_t count = v->config->warehouse_count;

    put_head(out, "pool_connections", "gauge", "Connections to the warehouse.");
    for (size_t i = 0; i < count; i++) {
        gh_pool_stats p = srv_sum_pool(a, i);

        put_sample(v, i, out, "pool_connections", "used", p.used);
        put_sample(v, i, out, "pool_connections", "idle", p.idle);
        put_sample(v, i, out, "pool_connections", "connecting", p.connecting);
    }
    put_head(out, "pool_size", "gauge", "How many there may be.");
    for (size_t i = 0; i < count; i++)
        put_sample(v, i, out, "pool_size", NULL, v->config->warehouses[i].pool_size);
    put_head(out, "pool_waiting", "gauge", "Clients that wait for one.");
    for (size_t i = 0; i < count; i++)
        put_sample(v, i, out, "pool_waiting", NULL, srv_sum_pool(a, i).waiting);
    put_head(out, "pool_failures_total", "counter",
             "Connections that could not be made or cleaned.");
    for (size_t i = 0; i < count; i++)
        put_sample(v, i, out, "pool_failures_total", NULL, srv_sum_pool(a, i).failures);
}

static void put_warehouses(srv *v, gh_buf *out)
{
    size_t count = v->config->warehouse_count;
    srv_catalog_state s;

    put_head(out, "warehouse_observed", "gauge", "1: observe mode, nothing is enforced.");
    for (size_t i = 0; i < count; i++)
        put_sample(v, i, out, "warehouse_observed", NULL, v->catalogs[i].is_observed);
    put_head(out, "catalog_failing", "gauge", "1: the last read of its catalog failed.");
    for (size_t i = 0; i < count; i++) {
        srv_catalog_state_get(&v->catalogs[i], &s);
        put_sample(v, i, out, "catalog_failing", NULL, s.is_failing);
    }
    put_head(out, "catalog_age_seconds", "gauge", "Since its catalog was last confirmed.");
    for (size_t i = 0; i < count; i++) {
        srv_catalog_state_get(&v->catalogs[i], &s);
        if (s.read_us != 0)
            put_sample(v, i, out, "catalog_age_seconds", NULL,
                       (uint64_t)((gh_clock_us() - s.read_us) / 1000000));
    }
}

/* ---- HTTP ------------------------------------------------------------------------------------ */

static void answer(srv_peer *p, const char *status, const char *more, const gh_buf *body)
{
    gh_buf_printf(&p->out,
                  "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                  "Content-Length: %zu\r\nCache-Control: no-store\r\n%sConnection: close\r\n\r\n",
                  status, body->len, more);
    if (!p->is_head)
        gh_buf_put_str(&p->out, gh_buf_str(body));
    srv_peer_answer(p);
}

static void answer_text(srv_peer *p, const char *status, const char *more, const char *text)
{
    gh_buf body;

    gh_buf_init(&body, 0);
    gh_buf_printf(&body, "%s\n", text);
    answer(p, status, more, &body);
    gh_buf_fini(&body);
}

static void answer_health(srv_peer *p, const srv_ask *a)
{
    static const char unavailable[] = "503 Service Unavailable";
    srv *v = p->peers->server;
    gh_auditlog_stats audit;
    srv_policy_state policy;

    gh_auditlog_get_stats(v->audit, &audit);
    srv_policy_state_get(v, &policy);
    if (a->outstanding > 0)
        answer_text(p, unavailable, "", "a worker does not answer");
    else if (v->is_draining)
        answer_text(p, unavailable, "", "draining");
    else if (audit.is_failing)
        answer_text(p, unavailable, "", "the audit log cannot be written");
    else
        answer_text(p, "200 OK", "", policy.is_stale ? "ok; the policy is stale" : "ok");
}

static void on_answers(void *arg, const srv_ask *a)
{
    srv_peer *p = arg;
    srv *v = p->peers->server;
    gh_buf body;

    p->ask = NULL;
    if (p->is_health) {
        answer_health(p, a);
        return;
    }
    /* Sums that lack a worker would look like counters that went back. */
    if (a->outstanding > 0) {
        answer_text(p, "503 Service Unavailable", "", "a worker does not answer");
        return;
    }
    gh_buf_init(&body, 0);
    put_process(v, a, &body);
    put_policy(v, &body);
    put_audit(v, &body);
    put_pools(v, a, &body);
    put_warehouses(v, &body);
    answer(p, "200 OK", "", &body);
    gh_buf_fini(&body);
}

/* The next word of the request line. */
static gh_str next_word(gh_str *line)
{
    const char *space = line->len > 0 ? memchr(line->ptr, ' ', line->len) : NULL;
    gh_str word = { line->ptr, space != NULL ? (size_t)(space - line->ptr) : line->len };

    line->ptr += word.len + (space != NULL ? 1 : 0);
    line->len -= word.len + (space != NULL ? 1 : 0);
    return word;
}

static void act(srv_peer *p, gh_str request)
{
    gh_str none = { NULL, 0 };
    gh_str line = request;
    const char *end = request.ptr != NULL ? memchr(request.ptr, '\n', request.len) : NULL;
    gh_str method;
    gh_str path;
    const char *query;

    if (end == NULL) {
        answer_text(p, "400 Bad Request", "", "bad request");
        return;
    }
    line.len = (size_t)(end - request.ptr);
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    method = next_word(&line);
    path = next_word(&line);
    query = path.len > 0 ? memchr(path.ptr, '?', path.len) : NULL;
    if (query != NULL)
        path.len = (size_t)(query - path.ptr);
    p->is_head = gh_str_is(method, "HEAD");
    p->is_health = gh_str_is(path, "/healthz");
    if (!gh_str_is(line, "HTTP/1.1") && !gh_str_is(line, "HTTP/1.0"))
        answer_text(p, "400 Bad Request", "", "bad request");
    else if (!p->is_health && !gh_str_is(path, "/metrics"))
        answer_text(p, "404 Not Found", "", "there are /metrics and /healthz");
    else if (!p->is_head && !gh_str_is(method, "GET"))
        answer_text(p, "405 Method Not Allowed", "Allow: GET, HEAD\r\n", "GET or HEAD");
    else
        p->ask = srv_ask_workers(p->peers->server, SRV_ASK_COUNTS, none, none, on_answers, p);
}

/* Up to the empty line behind the headers. What follows, a body, is not waited for. */
static size_t whole_request(gh_str in, bool *is_bad)
{
    const char *end = memmem(in.ptr, in.len, "\r\n\r\n", 4);

    (void)is_bad;
    return end != NULL ? (size_t)(end - in.ptr) + 4 : 0;
}

gh_rc srv_admin_open(srv *v, gh_err *err)
{
    gh_address address;
    gh_rc rc;

    if (v->config->admin.address.len == 0)
        return GH_OK;
    rc = gh_address_parse(v->config->admin.address, &address, err);
    if (rc == GH_OK)
        rc = srv_probe(&address, err);
    if (rc != GH_OK)
        return rc;
    v->admin = (srv_peers){ .server = v,
                            .name = "admin",
                            .max = GH_ADMIN_CLIENTS_MAX,
                            .request_max = GH_ADMIN_REQUEST_MAX,
                            .whole = whole_request,
                            .act = act };
    return srv_peers_open(&v->admin, &address, err);
}
