/*
 * password.c: the password of a warehouse's account, for the proxy and for the command line alike.
 */
#include "server_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PASSWORD_FILE_MAX = 4096 }; /* bytes; the first line is the password */

/* SECURITY: as with the ACL, a secret that others may read is none. Attack: tests/integration/cli.py,
 * test_password_file. */
static gh_rc check_mode(int fd, const char *path, gh_err *err)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return gh_fail(err, GH_IO, "58030", "%s: %s", path, strerror(errno));
    if (S_ISREG(info.st_mode) && (info.st_mode & S_IRWXO) != 0)
        return gh_fail(err, GH_INVALID, "42501",
                       "%s: others may read it (mode %04o), and it holds a password; chmod 600 it",
                       path, (unsigned int)(info.st_mode & 07777));
    return GH_OK;
}

/* *len: at most `max`; more would be one byte more. */
static gh_rc read_up_to(int fd, const char *path, char *bytes, size_t max, size_t *len, gh_err *err)
{
    *len = 0;
    while (*len < max) {
        ssize_t n = read(fd, bytes + *len, max - *len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return gh_fail(err, GH_IO, "58030", "%s: %s", path, strerror(errno));
        if (n == 0)
            break;
        *len += (size_t)n;
    }
    return GH_OK;
}

static gh_rc read_file(const char *path, gh_secret *out, gh_err *err)
{
    char bytes[PASSWORD_FILE_MAX + 1];
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    gh_rc rc;

    if (fd < 0)
        return gh_fail(err, errno == ENOENT ? GH_NOT_FOUND : GH_IO, "58P01", "%s: %s", path,
                       strerror(errno));
    rc = check_mode(fd, path, err);
    if (rc == GH_OK)
        rc = read_up_to(fd, path, bytes, sizeof(bytes), &len, err);
    (void)close(fd);
    if (rc == GH_OK) {
        const char *end = memchr(bytes, '\n', len);
        size_t used = end != NULL ? (size_t)(end - bytes) : len;

        if (used > 0 && bytes[used - 1] == '\r')
            used--;
        if (used > PASSWORD_FILE_MAX)
            rc = gh_fail(err, GH_LIMIT, "54000", "%s: its first line is longer than %d bytes", path,
                         PASSWORD_FILE_MAX);
        else
            gh_secret_init(out, bytes, used);
    }
    gh_cleanse(bytes, sizeof(bytes));
    return rc;
}

gh_rc gh_server_password(const gh_config_warehouse *w, gh_secret *out, gh_err *err)
{
    const char *value;

    if (w->password_file.len > 0)
        return read_file(w->password_file.ptr, out, err);
    if (w->password_env.len == 0) {
        gh_secret_init(out, "", 0);
        return GH_OK;
    }
    value = getenv(w->password_env.ptr);
    if (value == NULL || *value == '\0')
        return gh_fail(err, GH_NOT_FOUND, "F0000",
                       "warehouse " GH_STR_FMT ": the environment has no " GH_STR_FMT,
                       GH_STR_ARG(w->name), GH_STR_ARG(w->password_env));
    gh_secret_init(out, value, strlen(value));
    return GH_OK;
}
