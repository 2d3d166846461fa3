/*
 * init: a folder to begin with. Nothing that exists is touched.
 */
#include "cli_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char s_config_text[] =
    "# Gatehouse. Paths are relative to this file; `gatehouse check --config gatehouse.yaml` "
    "checks it.\n"
    "listen:\n"
    "  - address: 127.0.0.1:6432\n"
    "tls:\n"
    "  mode: require              # require | prefer | disable (loopback only)\n"
    "  cert: server.crt           # self-signed: replace it by one that your clients trust\n"
    "  key: server.key\n"
    "acl: acl.db\n"
    "audit:\n"
    "  dir: audit\n"
    "  durability: write          # write: survives a crash of the proxy; fsync: survives power "
    "loss\n"
    "  statements: full           # full | fingerprint (no literals)\n"
    "warehouses:\n"
    "  warehouse:                 # the database name that clients ask for\n"
    "    conninfo: \"host=127.0.0.1 port=5432 dbname=postgres user=gatehouse sslmode=prefer\"\n"
    "    password_file: warehouse.pass\n"
    "    pool: { mode: session, size: 100, idle: 10 }\n"
    "workers: auto                # one per core\n"
    "control: gatehouse.sock\n"
    "limits: { statement_bytes: 16MiB, statement_memory: 512MiB, clients: 10000 }\n";

static gh_rc write_new(const char *path, const char *text, gh_err *err)
{
    size_t len = strlen(text);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return gh_fail(err, GH_IO, "58030", "%s: %s", path, strerror(errno));
    bool is_good = write(fd, text, len) == (ssize_t)len;
    is_good = close(fd) == 0 && is_good;
    return is_good ? GH_OK : gh_fail(err, GH_IO, "58030", "%s: %s", path, strerror(errno));
}

/* Refuses before anything is written, so that a second `init` leaves no half of one. */
static gh_rc check_absent(const char *const *paths, size_t count, gh_err *err)
{
    struct stat info;

    for (size_t i = 0; i < count; i++)
        if (lstat(paths[i], &info) == 0)
            return gh_fail(err, GH_INVALID, "58P02", "%s: exists already; nothing was changed",
                           paths[i]);
    return GH_OK;
}

static gh_rc make_folder(const char *dir, gh_err *err)
{
    struct stat info;

    if (mkdir(dir, 0700) == 0)
        return GH_OK;
    if (errno == EEXIST && stat(dir, &info) == 0 && S_ISDIR(info.st_mode))
        return GH_OK;
    return gh_fail(err, GH_IO, "58030", "%s: %s", dir, strerror(errno));
}

static gh_rc fill_folder(cli_call *c, const char *dir, gh_err *err)
{
    enum { CERTIFICATE_DAYS = 825 }; /* what clients accept at most */
    char host[256] = "";
    gh_arena *a = c->arena;
    const char *config = gh_arena_printf(a, "%s/gatehouse.yaml", dir).ptr;
    const char *acl = gh_arena_printf(a, "%s/acl.db", dir).ptr;
    const char *cert = gh_arena_printf(a, "%s/server.crt", dir).ptr;
    const char *key = gh_arena_printf(a, "%s/server.key", dir).ptr;
    const char *pass = gh_arena_printf(a, "%s/warehouse.pass", dir).ptr;
    gh_store *st = NULL;
    gh_rc rc = check_absent((const char *const[]){ config, acl, cert, key, pass }, 5, err);

    if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
        (void)snprintf(host, sizeof(host), "localhost");
    if (rc == GH_OK)
        rc = cli_make_certificate(cert, key, host, CERTIFICATE_DAYS, err);
    if (rc == GH_OK)
        rc = gh_store_open(acl, GH_STORE_CREATE, &st, err);
    gh_store_close(st);
    if (rc == GH_OK)
        rc = write_new(pass, "", err);
    return rc == GH_OK ? write_new(config, s_config_text, err) : rc;
}

static int run_init(cli_call *c)
{
    const char *dir = c->args[0];
    gh_err err = { 0 };
    gh_rc rc = make_folder(dir, &err);

    if (rc == GH_OK)
        rc = fill_folder(c, dir, &err);
    if (rc != GH_OK)
        return cli_fail_err(&err);
    (void)printf("%s/gatehouse.yaml   the config file: name your warehouse here\n"
                 "%s/warehouse.pass   the upstream account's password goes here\n"
                 "%s/acl.db           an empty ACL\n"
                 "%s/server.crt, .key a self-signed certificate and its key\n"
                 "\nNext:\n"
                 "  gatehouse check --config %s/gatehouse.yaml\n"
                 "  gatehouse policy apply --acl %s/acl.db POLICY.yaml\n"
                 "  gatehouse user password --acl %s/acl.db NAME\n"
                 "  gatehouse serve --config %s/gatehouse.yaml\n",
                 dir, dir, dir, dir, dir, dir, dir, dir);
    return GH_CLI_DONE;
}

const cli_verb cli_init = {
    .name = "init",
    .args = "DIR",
    .summary = "Make a folder with a config file, an empty ACL and a certificate",
    .help = "The folder is made if it is absent. A file that exists already is never touched.",
    .example = "  gatehouse init /etc/gatehouse",
    .args_min = 1,
    .args_max = 1,
    .run = run_init,
};
