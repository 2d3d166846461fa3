/*
 * The config file: gatehouse.yaml's bytes into gh_config.
 *
 * Every key has one reader function named after it. What a key may hold but this version does not
 * have is a fault: a setting that is taken and ignored would let an operator believe in a
 * protection that is not there.
 */
#include <gatehouse/config.h>

#include <stdio.h>

typedef struct config_reading {
    gh_yaml_reader r;
    gh_config *c;
    bool is_insecure;
} config_reading;

#define KEYS(...)                                                                                  \
    (const char *const[]){ __VA_ARGS__ }, GH_COUNT(((const char *const[]){ __VA_ARGS__ }))

gh_str gh_config_resolve(gh_str dir, gh_str path, gh_arena *a)
{
    if (path.len == 0 || path.ptr[0] == '/')
        return gh_arena_dup(a, path);
    return gh_arena_printf(a, GH_STR_FMT GH_STR_FMT, GH_STR_ARG(dir), GH_STR_ARG(path));
}

const gh_config_warehouse *gh_config_warehouse_find(const gh_config *c, gh_str name)
{
    for (size_t i = 0; i < c->warehouse_count; i++)
        if (gh_str_eq(c->warehouses[i].name, name))
            return &c->warehouses[i];
    return NULL;
}

/* A path, resolved; empty with a fault if it is no usable text. */
static gh_str read_path(config_reading *g, const gh_yaml_node *n, const char *key,
                        const char *fallback)
{
    gh_str path = gh_yaml_str(&g->r, n, key, gh_str_of(fallback));

    if (n != NULL && n->kind == GH_YAML_SCALAR && !n->is_plain && path.len == 0)
        gh_yaml_fault(&g->r, n, key, "expected a path, found \"\"");
    return gh_config_resolve(g->c->dir, path, g->r.arena);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Four numbers up to 255 without leading zeros, as inet_pton has it. */
static bool is_ipv4(gh_str s)
{
    size_t parts = 0;
    size_t i = 0;

    for (;;) {
        size_t start = i;
        int value = 0;

        for (; i < s.len && i - start < 3 && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++)
            value = value * 10 + (s.ptr[i] - '0');
        if (i == start || value > 255 || (s.ptr[start] == '0' && i - start > 1))
            return false;
        parts++;
        if (parts == 4 || i == s.len || s.ptr[i] != '.')
            break;
        i++;
    }
    return parts == 4 && i == s.len;
}

/* Eight groups of up to four digits, of which `::` stands for one or more; the last two may be an IPv4 address. */
static bool is_ipv6(gh_str s)
{
    bool has_gap = s.len >= 2 && s.ptr[0] == ':' && s.ptr[1] == ':';
    size_t groups = 0;
    size_t i = has_gap ? 2 : 0;

    while (i < s.len) {
        size_t start = i;

        while (i < s.len && i - start < 4 && is_hex(s.ptr[i]))
            i++;
        if (i < s.len && s.ptr[i] == '.') {
            groups += 2;
            return is_ipv4((gh_str){ s.ptr + start, s.len - start }) &&
                   (has_gap ? groups < 8 : groups == 8);
        }
        if (i == start)
            return false;
        groups++;
        if (i == s.len)
            break;
        if (s.ptr[i] != ':' || i + 1 == s.len)
            return false;
        i++;
        if (s.ptr[i] == ':') {
            if (has_gap)
                return false;
            has_gap = true;
            i++;
        }
    }
    return has_gap ? groups < 8 : groups == 8;
}

/*
 * 127.0.0.1:6432, [::1]:6432, or *:6432 for every address. No names, as gh_address_parse has it: what one means would
 * depend on a resolver.
 */
static bool split_address(gh_str address, gh_config_listen *out)
{
    size_t colon = address.len;
    bool is_v6;
    int64_t port;

    while (colon > 0 && address.ptr[colon - 1] != ':')
        colon--;
    if (colon < 2)
        return false;
    gh_str host = { address.ptr, colon - 1 };
    gh_str digits = { address.ptr + colon, address.len - colon };
    if (!gh_config_parse_int(digits, &port) || port < 1 || port > 65535)
        return false;
    is_v6 = host.ptr[0] == '[' && host.len > 2 && host.ptr[host.len - 1] == ']';
    if (is_v6)
        host = (gh_str){ host.ptr + 1, host.len - 2 };
    if (is_v6 ? !is_ipv6(host) : !is_ipv4(host) && !gh_str_is(host, "*"))
        return false;
    out->address = address;
    out->host = host;
    out->port = (uint16_t)port;
    out->is_loopback =
        is_v6 ? gh_str_is(host, "::1") : host.len > 4 && memcmp(host.ptr, "127.", 4) == 0;
    return true;
}

/* Every address, or every one of IPv4, has the other among them. */
static bool covers(gh_str host, gh_str other)
{
    return gh_str_eq(host, other) || gh_str_is(host, "*") || gh_str_is(host, "::") ||
           (gh_str_is(host, "0.0.0.0") && memchr(other.ptr, ':', other.len) == NULL);
}

/* Would the second of the two find its port taken? */
static bool are_one_place(const gh_config_listen *a, const gh_config_listen *b)
{
    return a->port != 0 && a->port == b->port &&
           (covers(a->host, b->host) || covers(b->host, a->host));
}

/* None of these may have it. */
static void want_own_place(config_reading *g, const gh_yaml_node *at, const char *key,
                           const gh_config_listen *l, const gh_config_listen *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!are_one_place(l, &list[i]))
            continue;
        gh_yaml_fault(&g->r, at, key,
                      GH_STR_FMT " is listened on already, as " GH_STR_FMT " under listen",
                      GH_STR_ARG(l->address), GH_STR_ARG(list[i].address));
        return;
    }
}

static void read_listen(config_reading *g, const gh_yaml_node *root)
{
    const gh_yaml_node *n = gh_yaml_require(&g->r, root, "listen");

    if (n == NULL || !gh_yaml_want_sequence(&g->r, n, "listen"))
        return;
    if (n->count == 0 || n->count > GH_CONFIG_LISTEN_MAX) {
        gh_yaml_fault(&g->r, n, "listen", "expected 1 to %d addresses", GH_CONFIG_LISTEN_MAX);
        return;
    }
    gh_config_listen *list = gh_arena_alloc(g->r.arena, n->count * sizeof(*list));
    GH_ASSERT(list !=
              NULL); /* the arena of a config file has no budget: the file's size bounds it */
    for (size_t i = 0; i < n->count; i++) {
        const gh_yaml_node *item = &n->items[i];
        if (!gh_yaml_want_keys(&g->r, item, "listen", KEYS("address")))
            continue;
        const gh_yaml_node *address = gh_yaml_require(&g->r, item, "address");
        if (address == NULL)
            continue;
        gh_str text = gh_yaml_str(&g->r, address, "address", GH_STR(""));
        if (text.len == 0)
            continue;
        gh_str copy = gh_arena_dup(g->r.arena, text);
        if (!split_address(copy, &list[i]))
            gh_yaml_fault(&g->r, address, "address",
                          "expected 127.0.0.1:6432, [::1]:6432 or *:6432, found \"" GH_STR_FMT "\"",
                          GH_STR_ARG(text));
        else
            want_own_place(g, address, "address", &list[i], list, i);
    }
    g->c->listen = list;
    g->c->listen_count = n->count;
}

/*
 * SECURITY: passwords and rows in clear text on a network. Plain connections are for loopback;
 * anything else must say `insecure: true`. Attack: tests/integration/cli.py,
 * test_plaintext_off_loopback.
 */
static void check_plaintext(config_reading *g, const gh_yaml_node *mode)
{
    if (g->c->tls.mode != GH_CONFIG_TLS_DISABLE || g->is_insecure)
        return;
    for (size_t i = 0; i < g->c->listen_count; i++) {
        const gh_config_listen *l = &g->c->listen[i];
        if (l->address.len > 0 && !l->is_loopback)
            gh_yaml_fault(&g->r, mode, "tls.mode",
                          "disable is for loopback addresses, and " GH_STR_FMT
                          " is none; use require, or say `insecure: true` under tls",
                          GH_STR_ARG(l->address));
    }
}

static void read_client_map(config_reading *g, const gh_yaml_node *n)
{
    if (n == NULL || !gh_yaml_want_mapping(&g->r, n, "tls.client_map"))
        return;
    if (n->count == 0 || n->count > GH_CONFIG_CLIENT_MAP_MAX) {
        gh_yaml_fault(&g->r, n, "tls.client_map", "expected 1 to %d names of certificates",
                      GH_CONFIG_CLIENT_MAP_MAX);
        return;
    }
    gh_config_mapping *list = gh_arena_alloc(g->r.arena, n->count * sizeof(*list));
    GH_ASSERT(list != NULL);
    for (size_t i = 0; i < n->count; i++) {
        gh_str user = gh_yaml_str(&g->r, gh_yaml_value(n, i), "tls.client_map", GH_STR(""));

        if (gh_yaml_key(n, i)->text.len == 0)
            gh_yaml_fault(&g->r, gh_yaml_key(n, i), "tls.client_map",
                          "expected a name of a certificate, found \"\"");
        list[i].name = gh_arena_dup(g->r.arena, gh_yaml_key(n, i)->text);
        list[i].user = gh_arena_dup(g->r.arena, user);
    }
    g->c->tls.client_map = list;
    g->c->tls.client_map_len = n->count;
}

/* Client certificates: whose word counts, and which name in them. */
static void read_client_tls(config_reading *g, const gh_yaml_node *n)
{
    static const char *const names[] = { "cn", "dn", "dns", "email", "uri" };
    static const char *const without[] = { "client_crl", "client_name", "client_map" };
    const gh_yaml_node *ca = gh_yaml_get(n, "client_ca");

    g->c->tls.client_ca = read_path(g, ca, "tls.client_ca", "");
    g->c->tls.client_crl = read_path(g, gh_yaml_get(n, "client_crl"), "tls.client_crl", "");
    g->c->tls.client_name = (gh_config_client_name)gh_yaml_choice(
        &g->r, gh_yaml_get(n, "client_name"), "tls.client_name", names, GH_COUNT(names), 0);
    read_client_map(g, gh_yaml_get(n, "client_map"));
    for (size_t i = 0; ca == NULL && i < GH_COUNT(without); i++) {
        if (gh_yaml_get(n, without[i]) != NULL)
            gh_yaml_fault(&g->r, gh_yaml_get(n, without[i]), without[i],
                          "it says how to read client certificates, which need client_ca");
    }
    if (ca != NULL && g->c->tls.mode == GH_CONFIG_TLS_DISABLE)
        gh_yaml_fault(&g->r, ca, "tls.client_ca",
                      "client certificates need TLS, and tls.mode is disable");
}

static void read_tls(config_reading *g, const gh_yaml_node *root)
{
    static const char *const modes[] = { "require", "prefer", "disable" };
    const gh_yaml_node *n = gh_yaml_require(&g->r, root, "tls");

    if (n == NULL || !gh_yaml_want_keys(&g->r, n, "tls",
                                        KEYS("mode", "cert", "key", "client_ca", "client_crl",
                                             "client_name", "client_map", "insecure")))
        return;
    const gh_yaml_node *mode = gh_yaml_get(n, "mode");
    g->c->tls.mode =
        (gh_config_tls_mode)gh_yaml_choice(&g->r, mode, "tls.mode", modes, GH_COUNT(modes), 0);
    g->is_insecure = gh_yaml_bool(&g->r, gh_yaml_get(n, "insecure"), "tls.insecure", false);
    g->c->tls.cert = read_path(g, gh_yaml_get(n, "cert"), "tls.cert", "");
    g->c->tls.key = read_path(g, gh_yaml_get(n, "key"), "tls.key", "");
    if (g->c->tls.mode != GH_CONFIG_TLS_DISABLE) {
        if (gh_yaml_get(n, "cert") == NULL)
            gh_yaml_fault(&g->r, n, "tls.cert",
                          "missing: the path of the server's certificate (PEM)");
        if (gh_yaml_get(n, "key") == NULL)
            gh_yaml_fault(&g->r, n, "tls.key",
                          "missing: the path of the certificate's private key");
    }
    read_client_tls(g, n);
    check_plaintext(g, mode != NULL ? mode : n);
}

static void read_acl(config_reading *g, const gh_yaml_node *root)
{
    const gh_yaml_node *n = gh_yaml_require(&g->r, root, "acl");

    if (n == NULL)
        return;
    if (n->kind == GH_YAML_MAPPING)
        gh_yaml_fault(&g->r, n, "acl",
                      "an ACL kept in PostgreSQL (source, cache) is not available in this version; "
                      "expected the path of the ACL file");
    else
        g->c->acl = read_path(g, n, "acl", "");
}

static void read_audit(config_reading *g, const gh_yaml_node *root)
{
    static const char *const durabilities[] = { "fsync", "write" };
    static const char *const statements[] = { "fingerprint", "full" };
    const gh_yaml_node *n = gh_yaml_require(&g->r, root, "audit");

    if (n == NULL || !gh_yaml_want_keys(&g->r, n, "audit", KEYS("dir", "durability", "statements")))
        return;
    if (gh_yaml_get(n, "dir") == NULL)
        gh_yaml_fault(&g->r, n, "audit.dir", "missing: the folder of the audit log");
    g->c->audit.dir = read_path(g, gh_yaml_get(n, "dir"), "audit.dir", "");
    g->c->audit.durability = (gh_config_durability)gh_yaml_choice(
        &g->r, gh_yaml_get(n, "durability"), "audit.durability", durabilities,
        GH_COUNT(durabilities), GH_CONFIG_WRITE);
    g->c->audit.statements = (gh_config_statements)gh_yaml_choice(
        &g->r, gh_yaml_get(n, "statements"), "audit.statements", statements, GH_COUNT(statements),
        GH_CONFIG_FULL);
}

static void read_pool(config_reading *g, const gh_yaml_node *n, gh_config_warehouse *w)
{
    enum { POOL_SIZE = 100, POOL_IDLE = 10 };
    int64_t size;
    int64_t idle;

    w->pool_size = POOL_SIZE;
    w->pool_idle = POOL_IDLE;
    if (n == NULL || !gh_yaml_want_keys(&g->r, n, "pool", KEYS("mode", "size", "idle")))
        return;
    const gh_yaml_node *mode = gh_yaml_get(n, "mode");
    if (mode != NULL && mode->kind == GH_YAML_SCALAR && gh_str_is(mode->text, "transaction"))
        gh_yaml_fault(&g->r, mode, "pool.mode",
                      "transaction is not available in this version; expected session");
    else
        (void)gh_yaml_choice(&g->r, mode, "pool.mode", KEYS("session"), 0);
    size =
        gh_yaml_int(&g->r, gh_yaml_get(n, "size"), "pool.size", 1, GH_CONFIG_POOL_MAX, POOL_SIZE);
    idle = gh_yaml_int(&g->r, gh_yaml_get(n, "idle"), "pool.idle", 0, size,
                       size < POOL_IDLE ? size : POOL_IDLE);
    w->pool_size = (uint32_t)size;
    w->pool_idle = (uint32_t)idle;
}

static void read_password(config_reading *g, const gh_yaml_node *n, gh_config_warehouse *w)
{
    const gh_yaml_node *file = gh_yaml_get(n, "password_file");
    const gh_yaml_node *env = gh_yaml_get(n, "password_env");

    if (file != NULL && env != NULL)
        gh_yaml_fault(&g->r, env, "password_env", "expected it or password_file, not both");
    w->password_file = read_path(g, file, "password_file", "");
    w->password_env = gh_arena_dup(g->r.arena, gh_yaml_str(&g->r, env, "password_env", GH_STR("")));
}

static void read_warehouse(config_reading *g, const gh_yaml_node *name, const gh_yaml_node *n,
                           gh_config_warehouse *w)
{
    char key[GH_WIRE_NAME_MAX + 16];

    w->name = gh_arena_dup(g->r.arena, name->text);
    if (name->text.len == 0 || name->text.len > GH_WIRE_NAME_MAX)
        gh_yaml_fault(&g->r, name, "warehouses", "expected a name of 1 to %d bytes",
                      GH_WIRE_NAME_MAX);
    (void)snprintf(key, sizeof(key), "warehouses.%.63s", w->name.ptr);
    if (!gh_yaml_want_keys(&g->r, n, key,
                           KEYS("conninfo", "password_file", "password_env", "pool", "mode")))
        return;
    const gh_yaml_node *conninfo = gh_yaml_require(&g->r, n, "conninfo");
    w->conninfo = gh_arena_dup(g->r.arena, gh_yaml_str(&g->r, conninfo, "conninfo", GH_STR("")));
    read_password(g, n, w);
    read_pool(g, gh_yaml_get(n, "pool"), w);
    w->is_observed =
        gh_yaml_choice(&g->r, gh_yaml_get(n, "mode"), "mode", KEYS("enforce", "observe"), 0) == 1;
}

static void read_warehouses(config_reading *g, const gh_yaml_node *root)
{
    const gh_yaml_node *n = gh_yaml_require(&g->r, root, "warehouses");

    if (n == NULL || !gh_yaml_want_mapping(&g->r, n, "warehouses"))
        return;
    if (n->count == 0 || n->count > GH_CONFIG_WAREHOUSES_MAX) {
        gh_yaml_fault(&g->r, n, "warehouses", "expected 1 to %d warehouses",
                      GH_CONFIG_WAREHOUSES_MAX);
        return;
    }
    gh_config_warehouse *list = gh_arena_alloc(g->r.arena, n->count * sizeof(*list));
    GH_ASSERT(list != NULL);
    for (size_t i = 0; i < n->count; i++)
        read_warehouse(g, gh_yaml_key(n, i), gh_yaml_value(n, i), &list[i]);
    g->c->warehouses = list;
    g->c->warehouse_count = n->count;
}

static void read_workers(config_reading *g, const gh_yaml_node *root)
{
    const gh_yaml_node *n = gh_yaml_get(root, "workers");

    if (n != NULL && n->kind == GH_YAML_SCALAR && gh_str_is(n->text, "auto"))
        return;
    if (n != NULL && (n->kind != GH_YAML_SCALAR || !n->is_plain || n->text.len == 0 ||
                      n->text.ptr[0] < '0' || n->text.ptr[0] > '9')) {
        gh_yaml_fault(&g->r, n, "workers", "expected auto or a whole number from 1 to %d",
                      GH_CONFIG_WORKERS_MAX);
        return;
    }
    g->c->workers = (uint32_t)gh_yaml_int(&g->r, n, "workers", 1, GH_CONFIG_WORKERS_MAX, 0);
}

static void read_limits(config_reading *g, const gh_yaml_node *root)
{
    const gh_yaml_node *n = gh_yaml_get(root, "limits");

    g->c->limits.statement_bytes = GH_SQL_BYTES_MAX;
    g->c->limits.statement_memory = GH_SQL_MEMORY_MAX;
    g->c->limits.clients = GH_CLIENTS_MAX;
    g->c->limits.logins = GH_LOGINS_MAX;
    g->c->limits.login_timeout_ms = GH_LOGIN_TIMEOUT_MS;
    if (n == NULL || !gh_yaml_want_keys(&g->r, n, "limits",
                                        KEYS("statement_bytes", "statement_memory", "clients",
                                             "logins", "login_timeout")))
        return;
    g->c->limits.statement_bytes =
        gh_yaml_size(&g->r, gh_yaml_get(n, "statement_bytes"), "limits.statement_bytes", 1024,
                     GH_WIRE_BODY_MAX, GH_SQL_BYTES_MAX);
    g->c->limits.statement_memory =
        gh_yaml_size(&g->r, gh_yaml_get(n, "statement_memory"), "limits.statement_memory", 1u << 20,
                     (uint64_t)64 << 30, GH_SQL_MEMORY_MAX);
    g->c->limits.clients = (uint32_t)gh_yaml_int(&g->r, gh_yaml_get(n, "clients"), "limits.clients",
                                                 1, 1000000, GH_CLIENTS_MAX);
    g->c->limits.logins = (uint32_t)gh_yaml_int(&g->r, gh_yaml_get(n, "logins"), "limits.logins", 1,
                                                1000000, GH_LOGINS_MAX);
    g->c->limits.login_timeout_ms =
        (uint32_t)gh_yaml_duration_ms(&g->r, gh_yaml_get(n, "login_timeout"),
                                      "limits.login_timeout", 600000, GH_LOGIN_TIMEOUT_MS);
}

/* SECURITY: nobody logs in there. Attack: tests/integration/metrics, test_off_loopback. */
static void read_admin(config_reading *g, const gh_yaml_node *n)
{
    gh_config_listen *admin = &g->c->admin;

    if (n == NULL || !gh_yaml_want_keys(&g->r, n, "admin", KEYS("address", "insecure")))
        return;
    bool is_insecure = gh_yaml_bool(&g->r, gh_yaml_get(n, "insecure"), "admin.insecure", false);
    const gh_yaml_node *address = gh_yaml_require(&g->r, n, "address");
    gh_str text = gh_yaml_str(&g->r, address, "admin.address", GH_STR(""));
    if (text.len == 0)
        return;
    if (!split_address(gh_arena_dup(g->r.arena, text), admin))
        gh_yaml_fault(&g->r, address, "admin.address",
                      "expected an address such as 127.0.0.1:6433, found \"" GH_STR_FMT "\"",
                      GH_STR_ARG(text));
    else if (!admin->is_loopback && !is_insecure)
        gh_yaml_fault(&g->r, address, "admin.address",
                      "metrics ask nobody who they are: expected a loopback address, or "
                      "`insecure: true`");
    else
        want_own_place(g, address, "admin.address", admin, g->c->listen, g->c->listen_count);
}

static void read_control(config_reading *g, const gh_yaml_node *n)
{
    g->c->control = read_path(g, n, "control", "");
    if (g->c->control.len > GH_CONFIG_SOCKET_PATH_MAX)
        gh_yaml_fault(&g->r, n, "control", "expected a path of at most %d bytes, found " GH_STR_FMT,
                      GH_CONFIG_SOCKET_PATH_MAX, GH_STR_ARG(g->c->control));
}

static void read_root(config_reading *g, const gh_yaml_node *root)
{
    if (!gh_yaml_want_keys(&g->r, root, NULL,
                           KEYS("listen", "tls", "acl", "audit", "warehouses", "workers", "control",
                                "admin", "limits")))
        return;
    read_listen(g, root); /* before tls: which addresses are loopback decides what tls may say */
    read_tls(g, root);
    read_acl(g, root);
    read_audit(g, root);
    read_warehouses(g, root);
    read_workers(g, root);
    read_control(g, gh_yaml_get(root, "control"));
    read_admin(g, gh_yaml_get(root, "admin"));
    read_limits(g, root);
}

gh_rc gh_config_read(gh_str path, gh_str bytes, gh_arena *a, gh_config *out, gh_buf *faults)
{
    const gh_yaml_node *root;
    gh_config c = { 0 };
    gh_err err = { 0 };
    size_t slash = path.len;

    while (slash > 0 && path.ptr[slash - 1] != '/')
        slash--;
    c.path = gh_arena_dup(a, path);
    c.dir = gh_arena_dup(a, (gh_str){ path.ptr, slash });
    if (bytes.len > GH_CONFIG_BYTES_MAX) {
        gh_buf_printf(faults, GH_STR_FMT ": expected at most %u KiB\n", GH_STR_ARG(path),
                      GH_CONFIG_BYTES_MAX >> 10);
        return GH_LIMIT;
    }
    gh_rc rc = gh_yaml_parse(path, bytes, a, &root, &err);
    if (rc != GH_OK) {
        gh_buf_printf(faults, "%s\n", err.public_msg);
        return rc;
    }
    config_reading g = { .r = gh_yaml_reader_of(path, a, faults), .c = &c };
    read_root(&g, root);
    if (g.r.fault_count > 0)
        return GH_INVALID;
    *out = c;
    return GH_OK;
}
