/*
 * reload.c: SIGHUP, and `gatehouse reload`. The config file is read again as a whole; a fault in it, or a certificate that
 * does not load, leaves everything as it was.
 *
 *     tls.*, limits.*   ─▶ every worker: new clients, new statements
 *     warehouses.*.mode ─▶ every worker: open sessions too
 *     everything else   ─▶ compared; what differs is named in the log and waits for a restart
 *
 * The policy needs no signal: the store thread sees the ACL change.
 */
#include "server_priv.h"

#include <stdlib.h>

static const gh_session_tls s_modes[] = {
    [GH_CONFIG_TLS_REQUIRE] = GH_SESSION_TLS_REQUIRE,
    [GH_CONFIG_TLS_PREFER] = GH_SESSION_TLS_PREFER,
    [GH_CONFIG_TLS_DISABLE] = GH_SESSION_TLS_DISABLE,
};

static const gh_tls_name s_names[] = {
    [GH_CONFIG_CLIENT_CN] = GH_TLS_NAME_CN,   [GH_CONFIG_CLIENT_DN] = GH_TLS_NAME_DN,
    [GH_CONFIG_CLIENT_DNS] = GH_TLS_NAME_DNS, [GH_CONFIG_CLIENT_EMAIL] = GH_TLS_NAME_EMAIL,
    [GH_CONFIG_CLIENT_URI] = GH_TLS_NAME_URI,
};

gh_session_tls srv_tls_mode(const gh_config *config)
{
    return s_modes[config->tls.mode];
}

gh_rc gh_server_load_tls(const gh_config *config, gh_tls_server **out, gh_err *err)
{
    gh_tls_mapping *map;
    gh_rc rc;

    *out = NULL;
    if (config->tls.mode == GH_CONFIG_TLS_DISABLE)
        return GH_OK;
    map = gh_alloc((config->tls.client_map_len + 1) * sizeof(*map));
    for (size_t i = 0; i < config->tls.client_map_len; i++)
        map[i] = (gh_tls_mapping){ config->tls.client_map[i].name, config->tls.client_map[i].user };
    gh_tls_options options = { .cert_file = config->tls.cert,
                               .key_file = config->tls.key,
                               .client_ca_file = config->tls.client_ca,
                               .client_crl_file = config->tls.client_crl,
                               .client_name = s_names[config->tls.client_name],
                               .client_map = map,
                               .client_map_len = config->tls.client_map_len };
    rc = gh_tls_server_new(&options, out, err);
    free(map);
    return rc;
}

gh_session_limits srv_limits(const srv *v)
{
    return (gh_session_limits){ .statement_bytes = v->live.limits.statement_bytes,
                                .statement_memory = v->live.limits.statement_memory,
                                .clients_max = v->live.limits.clients,
                                .logins_max = v->live.limits.logins,
                                .login_timeout_ms = v->live.limits.login_timeout_ms };
}

/* ---- what waits for a restart ---------------------------------------------------------------- */

static bool same_listen(const gh_config *a, const gh_config *b)
{
    bool is_same = a->listen_count == b->listen_count;

    for (size_t i = 0; is_same && i < a->listen_count; i++)
        is_same = gh_str_eq(a->listen[i].address, b->listen[i].address);
    return is_same;
}

static bool same_audit(const gh_config *a, const gh_config *b)
{
    return gh_str_eq(a->audit.dir, b->audit.dir) && a->audit.durability == b->audit.durability &&
           a->audit.statements == b->audit.statements;
}

static bool same_warehouse(const gh_config_warehouse *a, const gh_config_warehouse *b)
{
    return gh_str_eq(a->name, b->name) && gh_str_eq(a->conninfo, b->conninfo) &&
           gh_str_eq(a->password_file, b->password_file) &&
           gh_str_eq(a->password_env, b->password_env) && a->pool_size == b->pool_size &&
           a->pool_idle == b->pool_idle;
}

static bool same_warehouses(const gh_config *a, const gh_config *b)
{
    bool is_same = a->warehouse_count == b->warehouse_count;

    for (size_t i = 0; is_same && i < a->warehouse_count; i++)
        is_same = same_warehouse(&a->warehouses[i], &b->warehouses[i]);
    return is_same;
}

static void name_unless(bool is_same, const char *key, gh_buf *lines)
{
    if (is_same)
        return;
    gh_log(GH_WARN, "reload.needs_restart", "key=%s", key);
    gh_buf_printf(lines, "{\"needs_restart\":\"%s\"}\n", key);
}

static void name_what_waits(const gh_config *a, const gh_config *b, gh_buf *lines)
{
    name_unless(same_listen(a, b), "listen", lines);
    name_unless(gh_str_eq(a->acl, b->acl), "acl", lines);
    name_unless(same_audit(a, b), "audit", lines);
    name_unless(same_warehouses(a, b), "warehouses", lines);
    name_unless(a->workers == b->workers, "workers", lines);
    name_unless(gh_str_eq(a->control, b->control), "control", lines);
    name_unless(gh_str_eq(a->admin.address, b->admin.address), "admin", lines);
}

/* ---- the reload ------------------------------------------------------------------------------ */

/* A warehouse that the new config lacks is as it was, until the restart that takes it away. */
static void take_modes(srv *v, const gh_config *next, gh_buf *lines)
{
    for (size_t i = 0; i < v->config->warehouse_count; i++) {
        const gh_config_warehouse *w =
            gh_config_warehouse_find(next, v->config->warehouses[i].name);

        if (w == NULL || w->is_observed == v->catalogs[i].is_observed)
            continue;
        srv_catalog_set_observed(&v->catalogs[i], w->is_observed);
        srv_workers_set_observed(v, i);
        gh_buf_puts(lines, "{\"warehouse\":");
        gh_audit_put_string(lines, w->name);
        gh_buf_printf(lines, ",\"mode\":\"%s\"}\n", w->is_observed ? "observe" : "enforce");
    }
}

static void take(srv *v, const gh_config *next, gh_arena *arena, gh_tls_server *tls, gh_buf *lines)
{
    gh_tls_server_release(v->tls);
    v->tls = tls;
    v->live = *next;
    gh_arena_free(v->live_arena);
    v->live_arena = arena;
    srv_workers_set_tls(v);
    srv_workers_set_limits(v);
    take_modes(v, next, lines);
    name_what_waits(v->config, next, lines);
    gh_log(GH_INFO, "server.reloaded", "certificates=%s client_ca=%s", tls != NULL ? "yes" : "none",
           next->tls.client_ca.len > 0 ? "yes" : "none");
}

/* Each line of `text` becomes a fault, in the log and in the answer. */
static void put_faults(gh_str text, gh_buf *lines)
{
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        gh_str line = { text.ptr, end != NULL ? (size_t)(end - text.ptr) : text.len };

        gh_log(GH_ERROR, "reload.failed", "cause=\"" GH_STR_FMT "\"", GH_STR_ARG(line));
        gh_buf_puts(lines, "{\"fault\":");
        gh_audit_put_string(lines, line);
        gh_buf_puts(lines, "}\n");
        text.ptr += line.len + (end != NULL ? 1 : 0);
        text.len -= line.len + (end != NULL ? 1 : 0);
    }
}

gh_rc srv_reload(srv *v, gh_buf *lines)
{
    gh_arena *arena = gh_arena_new(0);
    gh_config next = { 0 };
    gh_tls_server *tls = NULL;
    gh_err err = { 0 };
    gh_buf faults;
    gh_rc rc;

    gh_buf_init(&faults, 0);
    rc = v->reload(v->reload_arg, arena, &next, &faults);
    if (rc == GH_OK) {
        rc = gh_server_load_tls(&next, &tls, &err);
        if (rc != GH_OK)
            gh_buf_puts(&faults, err.public_msg);
    }
    put_faults(gh_buf_str(&faults), lines);
    gh_buf_fini(&faults);
    if (rc == GH_OK)
        take(v, &next, arena, tls, lines);
    else
        gh_arena_free(arena);
    return rc;
}

void srv_on_reload(void *arg, int signum)
{
    gh_buf lines;

    (void)signum;
    gh_buf_init(&lines, 0);
    if (srv_reload(arg, &lines) == GH_OK)
        (void)srv_store_look(arg);
    gh_buf_fini(&lines);
}
