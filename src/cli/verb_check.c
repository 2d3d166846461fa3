/*
 * check: everything that `serve` needs, looked at before it is needed. A line per fault on stderr.
 */
#include "cli_priv.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <gatehouse/audit.h> /* gh_audit_put_string */
#include <gatehouse/policy.h>
#include <gatehouse/server.h>
#include <gatehouse/upstream.h>

typedef struct checking {
    cli_call *c;
    size_t faults;
} checking;

/* One line, whatever libpq or OpenSSL broke it into. */
static void put_line(const char *text)
{
    size_t len = strlen(text);

    while (len > 0 && text[len - 1] == '\n')
        len--;
    for (size_t i = 0; i < len; i++)
        (void)fputc(text[i] == '\n' || text[i] == '\t' ? ' ' : text[i], stderr);
}

static void put_json(const char *what, bool is_good, const char *text)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    gh_buf_puts(&b, "{\"what\":");
    gh_audit_put_string(&b, gh_str_of(what));
    gh_buf_printf(&b, ",\"ok\":%s,\"text\":", is_good ? "true" : "false");
    gh_audit_put_string(&b, gh_str_of(text));
    gh_buf_puts(&b, "}\n");
    (void)fwrite(b.ptr, 1, b.len, stdout);
    gh_buf_fini(&b);
}

static void fault(checking *k, const char *what, const gh_err *err)
{
    k->faults++;
    if (cli_has(k->c, "--json")) {
        put_json(what, false,
                 gh_arena_printf(k->c->arena, "%s%s%s%s", err->public_msg,
                                 err->detail[0] != '\0' ? " (" : "", err->detail,
                                 err->detail[0] != '\0' ? ")" : "")
                     .ptr);
        return;
    }
    (void)fprintf(stderr, "%s: ", what);
    put_line(err->public_msg);
    if (err->detail[0] != '\0') {
        (void)fputs(" (", stderr);
        put_line(err->detail);
        (void)fputc(')', stderr);
    }
    (void)fputc('\n', stderr);
}

static void good(const checking *k, const char *what, const char *how)
{
    if (cli_has(k->c, "--json"))
        put_json(what, true, how);
    else
        (void)printf("%s: %s\n", what, how);
}

static void check_key_mode(checking *k, const char *path)
{
    struct stat info;
    gh_err err = { 0 };

    if (stat(path, &info) != 0 || (info.st_mode & S_IRWXO) == 0)
        return;
    if (gh_fail(&err, GH_INVALID, "42501",
                "%s: others may read the private key (mode %04o); chmod 600 it", path,
                (unsigned int)(info.st_mode & 07777)) != GH_OK)
        fault(k, "tls.key", &err);
}

static void check_dates(checking *k, int64_t starts, int64_t expires)
{
    const int64_t day_us = (int64_t)86400 * 1000000;
    const int64_t soon_us = 14 * day_us;
    int64_t now = (int64_t)time(NULL) * 1000000;
    gh_str end = cli_time_text(k->c->arena, expires);
    gh_err err = { 0 };
    gh_rc rc = GH_OK;

    if (now < starts)
        rc = gh_fail(&err, GH_INVALID, "F0000", "not valid before " GH_STR_FMT,
                     GH_STR_ARG(cli_time_text(k->c->arena, starts)));
    else if (now >= expires)
        rc = gh_fail(&err, GH_INVALID, "F0000", "expired at " GH_STR_FMT, GH_STR_ARG(end));
    if (rc != GH_OK)
        fault(k, "tls.cert", &err);
    else
        good(k, "tls.cert",
             gh_arena_printf(k->c->arena, "%svalid until " GH_STR_FMT,
                             expires - now < soon_us ? "WARNING, expires soon: " : "",
                             GH_STR_ARG(end))
                 .ptr);
}

/* Loads everything as `serve` would: certificate and key were looked at before. */
static void check_client_ca(checking *k)
{
    gh_tls_server *t = NULL;
    gh_err err = { 0 };

    if (k->c->config.tls.client_ca.len == 0)
        return;
    if (gh_server_load_tls(&k->c->config, &t, &err) != GH_OK)
        fault(k, "tls.client_ca", &err);
    else
        good(k, "tls.client_ca", k->c->config.tls.client_ca.ptr);
    gh_tls_server_release(t);
}

static void check_tls(checking *k)
{
    enum { PEM_MAX = 1 << 20 };
    const gh_config *config = &k->c->config;
    gh_str cert;
    gh_str key;
    gh_err err = { 0 };
    int64_t starts;
    int64_t expires;

    if (config->tls.mode == GH_CONFIG_TLS_DISABLE)
        return;
    gh_rc rc = cli_read_file(config->tls.cert.ptr, PEM_MAX, k->c->arena, &cert, &err);
    if (rc != GH_OK) {
        fault(k, "tls.cert", &err);
        return;
    }
    check_key_mode(k, config->tls.key.ptr);
    rc = cli_read_file(config->tls.key.ptr, PEM_MAX, k->c->arena, &key, &err);
    if (rc == GH_OK)
        rc = cli_check_certificate(cert, key, &starts, &expires, &err);
    if (rc != GH_OK)
        fault(k, "tls.key", &err);
    else
        check_dates(k, starts, expires);
    check_client_ca(k);
}

static void check_acl(checking *k)
{
    gh_store *st = NULL;
    gh_policy *policy = NULL;
    gh_acl acl = { 0 };
    gh_err err = { 0 };
    gh_rc rc = gh_store_open(k->c->config.acl.ptr, GH_STORE_READ, &st, &err);

    if (rc == GH_OK)
        rc = gh_store_verify(st, &err);
    if (rc == GH_OK)
        rc = gh_store_load(st, k->c->arena, &acl, &err);
    if (rc == GH_OK)
        rc = gh_policy_compile(&acl, &policy, &err);
    gh_store_close(st);
    if (rc != GH_OK) {
        fault(k, "acl", &err);
        return;
    }
    gh_policy_release(policy);
    good(k, "acl",
         gh_arena_printf(k->c->arena, "version %llu, %zu users, %zu roles, %zu grants and denies",
                         (unsigned long long)acl.version, acl.user_count, acl.role_count,
                         acl.rule_count)
             .ptr);
}

static void check_audit(checking *k)
{
    const char *dir = k->c->config.audit.dir.ptr;
    struct stat info;
    gh_err err = { 0 };
    gh_rc rc = GH_OK;

    if (stat(dir, &info) != 0) {
        if (errno != ENOENT)
            rc = gh_fail(&err, GH_IO, "58030", "%s: %s", dir, strerror(errno));
    } else if (!S_ISDIR(info.st_mode)) {
        rc = gh_fail(&err, GH_IO, "58030", "%s: not a folder", dir);
    } else if (access(dir, R_OK | W_OK | X_OK) != 0) {
        rc = gh_fail(&err, GH_IO, "58030", "%s: %s", dir, strerror(errno));
    }
    if (rc != GH_OK)
        fault(k, "audit.dir", &err);
    else
        good(k, "audit.dir", dir);
}

static void check_warehouse(checking *k, const gh_config_warehouse *w)
{
    const char *what =
        gh_arena_printf(k->c->arena, "warehouses." GH_STR_FMT, GH_STR_ARG(w->name)).ptr;

    if (w->is_observed)
        good(k, what, "WARNING: mode observe, nothing is refused, hidden or masked");
    gh_upstream *upstream = NULL;
    gh_upstream_report report = { 0 };
    gh_secret password = { 0 };
    gh_err err = { 0 };
    gh_rc rc = gh_server_password(w, &password, &err);

    if (rc == GH_OK) {
        gh_upstream_options options = { .name = w->name,
                                        .conninfo = w->conninfo,
                                        .dir = k->c->config.dir,
                                        .password = password.len > 0 ? &password : NULL };
        rc = gh_upstream_new(&options, &upstream, &err);
    }
    if (rc == GH_OK)
        rc = gh_upstream_check(upstream, &report, &err);
    gh_upstream_release(upstream);
    gh_secret_fini(&password);
    if (rc != GH_OK) {
        fault(k, what, &err);
        return;
    }
    good(k, what,
         gh_arena_printf(k->c->arena, "PostgreSQL %s at %s, database %s, account %s, %s%s%s",
                         report.version, report.server, report.database, report.account,
                         report.has_tls ? report.tls_version : "no TLS",
                         report.has_tls && !report.is_verified ? " (server not verified)" : "",
                         report.is_superuser ? "; WARNING: the account is a superuser" : "")
             .ptr);
}

static int run_check(cli_call *c)
{
    checking k = { .c = c };
    int code = cli_read_config(c);

    if (code != GH_CLI_DONE)
        return code;
    good(&k, "config", c->config.path.ptr);
    check_tls(&k);
    check_acl(&k);
    check_audit(&k);
    for (size_t i = 0; i < c->config.warehouse_count; i++)
        check_warehouse(&k, &c->config.warehouses[i]);
    return k.faults == 0 ? GH_CLI_DONE : GH_CLI_FAILED;
}

const cli_verb cli_check = {
    .name = "check",
    .summary = "Check the config file, the ACL, the certificate and the warehouses",
    .help = "A line per fault on stderr (with --json all on stdout), and exit 1 if there is any.",
    .example = "  gatehouse check --config gatehouse.yaml",
    .shared = CLI_CONFIG | CLI_JSON,
    .run = run_check,
};
