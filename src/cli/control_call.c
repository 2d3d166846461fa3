/*
 * control_call.c: see control_call.h. The socket of another account is not talked to: what it says would be taken
 * for the proxy's word.
 */
#include "control_call.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <gatehouse/audit.h> /* JSON */

#define ANSWER_MAX ((size_t)1 << 30)

const cli_option cli_control_options[CLI_CONTROL_OPTIONS] = {
    { "--control", "SOCKET", "the proxy's control socket, instead of the config file's" },
};

static int socket_path(cli_call *c, const char **out)
{
    *out = cli_value(c, "--control");
    if (*out != NULL)
        return GH_CLI_DONE;
    int code = cli_read_config(c);
    if (code != GH_CLI_DONE)
        return code;
    if (c->config.control.len == 0)
        return cli_fail(GH_STR_FMT ": no `control` socket is configured",
                        GH_STR_ARG(c->config.path));
    *out = c->config.control.ptr;
    return GH_CLI_DONE;
}

/* SECURITY: a link could lead to anybody's socket. Attack: tests/attack/control, test_client_follows_no_link. */
static int look_at(const char *path)
{
    struct stat info;

    if (lstat(path, &info) != 0)
        return errno == ENOENT ? cli_fail("%s: no proxy is running (there is no socket)", path)
                               : cli_fail("%s: %s", path, strerror(errno));
    if (!S_ISSOCK(info.st_mode))
        return cli_fail("%s: not a socket", path);
    return GH_CLI_DONE;
}

static int open_socket(const char *path, int *out)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct timeval patience = { .tv_sec = 90 };
    struct ucred peer = { .uid = (uid_t)-1 };
    socklen_t len = sizeof(peer);
    size_t path_len = strlen(path);
    int code = look_at(path);
    int fd;

    if (code != GH_CLI_DONE)
        return code;
    if (path_len >= sizeof(un.sun_path))
        return cli_fail("%s: the path of a socket has at most %zu bytes", path,
                        sizeof(un.sun_path) - 1);
    memcpy(un.sun_path, path, path_len);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return cli_fail("socket: %s", strerror(errno));
    if (connect(fd, (const struct sockaddr *)&un, sizeof(un)) != 0) {
        int cause = errno;

        (void)close(fd);
        return cause == ECONNREFUSED ? cli_fail("%s: no proxy is running (nobody answers)", path)
                                     : cli_fail("%s: %s", path, strerror(cause));
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 ||
        (geteuid() != 0 && peer.uid != 0 && peer.uid != geteuid())) {
        (void)close(fd);
        return cli_fail("%s: held by another account (uid %u)", path, (unsigned)peer.uid);
    }
    *out = fd;
    return GH_CLI_DONE;
}

static bool send_all(int fd, gh_str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EPIPE || errno == ECONNRESET; /* receive_all tells why */
        bytes.ptr += n;
        bytes.len -= (size_t)n;
    }
    return true;
}

static bool receive_all(int fd, gh_buf *b)
{
    enum { CHUNK = 65536 };

    for (;;) {
        char *room = gh_buf_reserve(b, CHUNK);
        ssize_t n = room != NULL ? recv(fd, room, CHUNK, 0) : -1;

        if (n < 0 && room != NULL && errno == EINTR)
            continue;
        if (n < 0 && room != NULL && errno == ECONNRESET)
            return true; /* hung up on, with the request unread */
        if (n <= 0)
            return n == 0;
        b->len += (size_t)n;
    }
}

bool cli_control_line(gh_str *lines, gh_str *line)
{
    const char *end = lines->len > 0 ? memchr(lines->ptr, '\n', lines->len) : NULL;

    if (end == NULL)
        return false;
    *line = (gh_str){ lines->ptr, (size_t)(end - lines->ptr) };
    lines->ptr += line->len + 1;
    lines->len -= line->len + 1;
    return true;
}

/* Takes the last line off. */
static int verdict(cli_call *c, gh_str *lines)
{
    size_t at = lines->len > 0 ? lines->len - 1 : 0;
    gh_json_value v = { 0 };

    if (lines->len == 0 || lines->ptr[at] != '\n')
        return cli_fail("the proxy's answer is cut short");
    while (at > 0 && lines->ptr[at - 1] != '\n')
        at--;
    gh_str last = { lines->ptr + at, lines->len - at - 1 };
    lines->len = at;
    if (gh_json_parse(last, c->arena, &v, NULL) != GH_OK)
        return cli_fail("the proxy's answer is not understood");
    if (gh_str_is(gh_json_member(&v, c->arena, "ok").text, "true"))
        return GH_CLI_DONE;
    return cli_fail(GH_STR_FMT, GH_STR_ARG(gh_json_member(&v, c->arena, "error").text));
}

int cli_control_ask(cli_call *c, gh_str request, gh_str *lines)
{
    const char *path;
    gh_buf answer;
    bool is_whole;
    int fd = -1;
    int code = socket_path(c, &path);

    *lines = (gh_str){ NULL, 0 };
    if (code == GH_CLI_DONE)
        code = open_socket(path, &fd);
    if (code != GH_CLI_DONE)
        return code;
    gh_buf_init(&answer, ANSWER_MAX);
    is_whole = send_all(fd, gh_arena_printf(c->arena, GH_STR_FMT "\n", GH_STR_ARG(request))) &&
               receive_all(fd, &answer);
    (void)close(fd);
    if (is_whole)
        *lines = gh_arena_dup(c->arena, gh_buf_str(&answer));
    gh_buf_fini(&answer);
    if (!is_whole)
        return cli_fail("%s: the proxy did not answer in time", path);
    if (lines->len == 0)
        return cli_fail(
            "%s: the proxy hung up: it answers its own account and root, and %d at a time", path,
            GH_CONTROL_CLIENTS_MAX);
    return verdict(c, lines);
}
