/*
 * Listening sockets. TCP: one a worker for the same address, SO_REUSEPORT; the kernel deals
 * connections out by a hash of the four-tuple. Unix: one, for the control socket.
 */
#include <gatehouse/loop.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LISTEN_BACKLOG     1024
#define ACCEPTS_PER_TURN   64 /* then the other sessions have their turn */
#define EXHAUSTED_PAUSE_MS 100
#define FOLDER_LOCK_TRIES  200 /* of 10 ms */

struct gh_listener {
    gh_loop *loop;
    gh_watch *watch;
    gh_timer *retry;
    gh_accept_fn fn;
    void *arg;
    bool *is_gone; /* of the accept loop that is under way, told when closed */
    gh_address address;
    dev_t dev; /* of a Unix socket's file, so that only our own is unlinked */
    ino_t ino;
    int fd;
    bool is_paused;
    bool is_exhausted;
};

static void update_interest(gh_listener *li)
{
    gh_watch_set(li->watch, li->is_paused || li->is_exhausted ? 0 : GH_READABLE);
}

static void on_retry(void *arg)
{
    gh_listener *li = arg;

    li->is_exhausted = false;
    update_interest(li);
}

/* Level-triggered readiness without a free descriptor would spin; clients wait in the backlog
 * meanwhile. */
static void pause_exhausted(gh_listener *li, int cause)
{
    gh_log(GH_ERROR, "listen.exhausted", "address=%s cause=\"%s\"", li->address.text,
           strerror(cause));
    li->is_exhausted = true;
    update_interest(li);
    gh_timer_start(li->retry, EXHAUSTED_PAUSE_MS);
}

/*
 * A vanished client or proxy host is noticed in about two minutes instead of two hours. What the kernel has taken
 * for a slow client can not be taken back when the client loses its right to it: so it takes little ahead of
 * what the network carries.
 */
static void tune_client(int fd)
{
    int on = 1;
    int idle_s = 60;
    int interval_s = 15;
    int count = 4;
    int unsent_bytes = 256 * 1024;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_bytes, sizeof(unsent_bytes));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

/* False: nothing more to accept in this turn. */
static bool accept_one(gh_listener *li)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    gh_address peer;

    int fd = accept4(li->fd, (struct sockaddr *)&addr, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        if (!li->address.is_unix)
            tune_client(fd);
        gh_address_from((const struct sockaddr *)&addr, len, &peer);
        li->fn(li->arg, fd, &peer);
        return true;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return false;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        pause_exhausted(li, errno);
        return false;
    }
    return true; /* one client's own failure: ECONNABORTED and what the network reports by accept */
}

static void on_readable(void *arg, unsigned ready)
{
    gh_listener *li = arg;
    bool is_gone = false;

    (void)ready;
    li->is_gone = &is_gone;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        bool has_more = accept_one(li);
        if (is_gone)
            return;
        if (!has_more || li->is_paused)
            break;
    }
    li->is_gone = NULL;
}

static gh_rc io_failed(const gh_address *address, const char *what, int cause, gh_err *err)
{
    gh_rc rc =
        gh_fail(err, GH_IO, "58000", "cannot listen on %s: %s", address->text, strerror(cause));

    gh_err_detail(err, "%s: %s", what, strerror(cause));
    return rc;
}

/*
 * Two processes that both find a stale file would both remove it, the second one the socket that the first has
 * made meanwhile. So whoever looks, removes and binds holds a lock of the folder. A folder that cannot be
 * locked cannot hold a socket of ours either, or is on a file system without locks: -1, and on with it.
 */
static int lock_folder(const gh_address *address)
{
    static const struct timespec pause = { 0, 10000000 };
    char folder[GH_ADDRESS_TEXT_MAX];
    char *slash;
    int fd;

    memcpy(folder, address->text, sizeof(folder));
    slash = strrchr(folder, '/');
    if (slash == NULL)
        return -1;
    slash[slash == folder ? 1 : 0] = '\0';
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; fd >= 0 && i < FOLDER_LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
            break;
        (void)nanosleep(&pause, NULL);
    }
    return fd;
}

/* Removes a socket file that nobody answers on. GH_IO: somebody does, or it is no socket. */
static gh_rc remove_stale(const gh_address *address, gh_err *err)
{
    struct sockaddr_un un;
    struct stat st;

    memcpy(&un, &address->addr, sizeof(un));
    if (lstat(un.sun_path, &st) != 0)
        return errno == ENOENT ? GH_OK : io_failed(address, "lstat", errno, err);
    if (!S_ISSOCK(st.st_mode))
        return io_failed(address, "file is no socket", EEXIST, err);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return io_failed(address, "socket", errno, err);
    int rc = connect(fd, (const struct sockaddr *)&un, sizeof(un));
    int cause = errno;
    (void)close(fd);
    if (rc == 0 || cause != ECONNREFUSED)
        return io_failed(address, "another process answers", EADDRINUSE, err);
    if (unlink(un.sun_path) != 0)
        return io_failed(address, "unlink", errno, err);
    return GH_OK;
}

static int bound_socket(const gh_address *address, const char **what)
{
    int on = 1;
    int off = 0;
    int fd = socket(address->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    *what = "socket";
    if (fd < 0)
        return -1;
    *what = "setsockopt";
    int rc = 0;
    if (address->is_unix) {
        /* Before bind, so that the file never exists with more: umask belongs to all threads. */
        rc = fchmod(fd, S_IRUSR | S_IWUSR);
    } else {
        rc = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (rc == 0)
            rc = setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
        if (rc == 0 && address->addr.ss_family == AF_INET6)
            rc = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    }
    if (rc == 0) {
        *what = "bind";
        rc = bind(fd, (const struct sockaddr *)&address->addr, address->len);
    }
    if (rc == 0) {
        *what = "listen";
        rc = listen(fd, LISTEN_BACKLOG);
    }
    if (rc != 0) {
        int cause = errno;
        (void)close(fd);
        errno = cause;
        return -1;
    }
    return fd;
}

/* "*" is the IPv6 wildcard, which a kernel without IPv6 does not have; then IPv4's. */
static bool fall_back_to_ipv4(gh_address *address, int cause)
{
    struct sockaddr_in6 in6;
    struct sockaddr_in in4 = { .sin_family = AF_INET };

    if (address->addr.ss_family != AF_INET6 || (cause != EAFNOSUPPORT && cause != EADDRNOTAVAIL))
        return false;
    memcpy(&in6, &address->addr, sizeof(in6));
    if (!IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr))
        return false;
    in4.sin_port = in6.sin6_port;
    gh_address_from((const struct sockaddr *)&in4, sizeof(in4), address);
    return true;
}

gh_rc gh_listener_open(gh_loop *l, const gh_address *address, gh_accept_fn fn, void *arg,
                       gh_listener **out, gh_err *err)
{
    gh_address bound = *address;
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    int folder = bound.is_unix ? lock_folder(&bound) : -1;
    gh_rc stale = bound.is_unix ? remove_stale(&bound, err) : GH_OK;
    const char *what = "";
    struct stat st;
    int fd = -1;
    int cause = 0;

    if (stale == GH_OK) {
        fd = bound_socket(&bound, &what);
        if (fd < 0 && fall_back_to_ipv4(&bound, errno))
            fd = bound_socket(&bound, &what);
        cause = errno;
    }
    if (folder >= 0)
        (void)close(folder);
    if (stale != GH_OK)
        return stale;
    if (fd < 0)
        return io_failed(&bound, what, cause, err);
    memset(&addr, 0, sizeof(addr));
    if (getsockname(fd, (struct sockaddr *)&addr, &len) != 0) {
        gh_rc rc = io_failed(&bound, "getsockname", errno, err);
        (void)close(fd);
        return rc;
    }
    gh_listener *li = gh_alloc(sizeof(*li));
    gh_address_from((const struct sockaddr *)&addr, len, &li->address);
    if (li->address.is_unix && lstat(li->address.text, &st) == 0) {
        li->dev = st.st_dev;
        li->ino = st.st_ino;
    }
    li->loop = l;
    li->fd = fd;
    li->fn = fn;
    li->arg = arg;
    li->watch = gh_watch_new(l, fd, on_readable, li);
    li->retry = gh_timer_new(l, on_retry, li);
    update_interest(li);
    *out = li;
    return GH_OK;
}

void gh_listener_close(gh_listener *li)
{
    struct stat st;

    if (li == NULL)
        return;
    if (li->is_gone != NULL)
        *li->is_gone = true;
    gh_watch_free(li->watch);
    gh_timer_free(li->retry);
    if (li->address.is_unix && lstat(li->address.text, &st) == 0 && st.st_dev == li->dev &&
        st.st_ino == li->ino)
        (void)unlink(li->address.text);
    (void)close(li->fd);
    free(li);
}

const gh_address *gh_listener_address(const gh_listener *li)
{
    return &li->address;
}

uint16_t gh_listener_port(const gh_listener *li)
{
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;

    if (li->address.addr.ss_family == AF_INET) {
        memcpy(&in4, &li->address.addr, sizeof(in4));
        return ntohs(in4.sin_port);
    }
    if (li->address.addr.ss_family == AF_INET6) {
        memcpy(&in6, &li->address.addr, sizeof(in6));
        return ntohs(in6.sin6_port);
    }
    return 0;
}

void gh_listener_pause(gh_listener *li)
{
    li->is_paused = true;
    update_interest(li);
}

void gh_listener_resume(gh_listener *li)
{
    li->is_paused = false;
    update_interest(li);
}
