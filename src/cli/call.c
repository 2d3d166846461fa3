/*
 * What verbs share: options as given, errors, the config file, the ACL, the author.
 */
#include "cli_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool cli_has(const cli_call *c, const char *option)
{
    for (size_t i = 0; i < c->given_count; i++)
        if (strcmp(c->given[i].option->name, option) == 0)
            return true;
    return false;
}

const char *cli_value(const cli_call *c, const char *option)
{
    const char *value = NULL;

    for (size_t i = 0; i < c->given_count; i++)
        if (strcmp(c->given[i].option->name, option) == 0)
            value = c->given[i].value;
    return value;
}

int cli_fail(const char *fmt, ...)
{
    va_list ap;

    (void)fputs("gatehouse: ", stderr);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
    return GH_CLI_FAILED;
}

int cli_fail_err(const gh_err *err)
{
    (void)fprintf(stderr, "gatehouse: %s", err->public_msg);
    if (err->detail[0] != '\0')
        (void)fprintf(stderr, " (%s)", err->detail);
    if (err->hint[0] != '\0')
        (void)fprintf(stderr, "\n  %s", err->hint);
    (void)fputc('\n', stderr);
    return GH_CLI_FAILED;
}

int cli_usage(const cli_call *c, const char *fmt, ...)
{
    va_list ap;

    (void)fputs("gatehouse: ", stderr);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fprintf(stderr, "\n  See `gatehouse %s%s%s --help`.\n",
                  c->verb->group != NULL ? c->verb->group : "", c->verb->group != NULL ? " " : "",
                  c->verb->name);
    return GH_CLI_USAGE;
}

const char *cli_did_you_mean(cli_call *c, gh_str name, const char *const *known, size_t count)
{
    const char *meant = gh_config_suggest(name, known, count);

    return meant == NULL ? "" : gh_arena_printf(c->arena, "; did you mean \"%s\"?", meant).ptr;
}

/* ---- files ----------------------------------------------------------------------------------- */

static gh_rc read_all(int fd, const char *path, size_t max, gh_buf *b, gh_err *err)
{
    enum { CHUNK = 65536 };

    for (;;) {
        char *room = gh_buf_reserve(b, CHUNK);
        GH_ASSERT(room != NULL); /* the buffer has no bound of its own */
        ssize_t n = read(fd, room, CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return gh_fail(err, GH_IO, "58030", "%s: %s", path, strerror(errno));
        if (n == 0)
            return GH_OK;
        b->len += (size_t)n;
        if (b->len > max)
            return gh_fail(err, GH_LIMIT, "54000", "%s: larger than %zu bytes", path, max);
    }
}

gh_rc cli_read_file(const char *path, size_t max, gh_arena *a, gh_str *out, gh_err *err)
{
    struct stat info;
    gh_buf b;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return gh_fail(err, errno == ENOENT ? GH_NOT_FOUND : GH_IO, "58P01", "%s: %s", path,
                       strerror(errno));
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        (void)close(fd);
        return gh_fail(err, GH_IO, "58030", "%s: a folder, not a file", path);
    }
    gh_buf_init(&b, 0);
    gh_rc rc = read_all(fd, path, max, &b, err);
    (void)close(fd);
    if (rc == GH_OK)
        *out = gh_arena_dup(a, gh_buf_str(&b));
    if (b.len > 0)
        gh_cleanse(b.ptr, b.len); /* it may have been a key or a password */
    gh_buf_fini(&b);
    return rc;
}

/* ---- config, ACL, author --------------------------------------------------------------------- */

static int read_config_at(cli_call *c, const char *path)
{
    gh_err err = { 0 };
    gh_str bytes;
    gh_buf faults;
    gh_rc rc = cli_read_file(path, GH_CONFIG_BYTES_MAX, c->arena, &bytes, &err);

    if (rc != GH_OK)
        return cli_fail_err(&err);
    gh_buf_init(&faults, 0);
    rc = gh_config_read(gh_str_of(path), bytes, c->arena, &c->config, &faults);
    if (rc != GH_OK)
        (void)fprintf(stderr, GH_STR_FMT, GH_STR_ARG(gh_buf_str(&faults)));
    gh_buf_fini(&faults);
    c->has_config = rc == GH_OK;
    return rc == GH_OK ? GH_CLI_DONE : GH_CLI_FAILED;
}

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

int cli_read_config(cli_call *c)
{
    const char *path = cli_value(c, "--config");

    if (c->has_config)
        return GH_CLI_DONE;
    if (path == NULL)
        path = from_environment("GATEHOUSE_CONFIG");
    if (path == NULL)
        return cli_usage(c, "which config file? --config FILE, or GATEHOUSE_CONFIG");
    return read_config_at(c, path);
}

/* What is said on the command line comes before the environment. */
int cli_acl_path(cli_call *c, const char **out)
{
    *out = cli_value(c, "--acl");
    if (*out == NULL && cli_value(c, "--config") == NULL)
        *out = from_environment("GATEHOUSE_ACL");
    if (*out != NULL)
        return GH_CLI_DONE;
    if (cli_value(c, "--config") == NULL && from_environment("GATEHOUSE_CONFIG") == NULL)
        return cli_usage(c,
                         "which ACL? --acl FILE, GATEHOUSE_ACL, --config FILE or GATEHOUSE_CONFIG");
    int code = cli_read_config(c);
    if (code == GH_CLI_DONE)
        *out = c->config.acl.ptr;
    return code;
}

int cli_open_acl(cli_call *c, gh_store_mode mode, gh_store **out)
{
    gh_err err = { 0 };
    const char *path;
    int code = cli_acl_path(c, &path);

    if (code != GH_CLI_DONE)
        return code;
    return gh_store_open(path, mode, out, &err) == GH_OK ? GH_CLI_DONE : cli_fail_err(&err);
}

int cli_load_acl(cli_call *c, gh_acl *out)
{
    gh_err err = { 0 };
    gh_store *st = NULL;
    int code = cli_open_acl(c, GH_STORE_READ, &st);

    if (code != GH_CLI_DONE)
        return code;
    gh_rc rc = gh_store_load(st, c->arena, out, &err);
    gh_store_close(st);
    return rc == GH_OK ? GH_CLI_DONE : cli_fail_err(&err);
}

gh_store_author cli_author(cli_call *c)
{
    gh_store_author author = { 0 };
    const char *by = cli_value(c, "--by");
    const char *sudo = getuid() == 0 ? from_environment("SUDO_USER") : NULL;
    const struct passwd *pw = getpwuid(getuid());

    if (by != NULL)
        author.name = gh_str_of(by);
    else if (sudo != NULL)
        author.name = gh_str_of(sudo);
    else if (pw != NULL)
        author.name = gh_arena_dup(c->arena, gh_str_of(pw->pw_name));
    else
        author.name = gh_arena_printf(c->arena, "uid %u", (unsigned int)getuid());
    author.action =
        gh_arena_printf(c->arena, "%s%s%s", c->verb->group != NULL ? c->verb->group : "",
                        c->verb->group != NULL ? " " : "", c->verb->name);
    author.reason = gh_str_of(cli_value(c, "--reason"));
    return author;
}
