#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop_tests.h"

/* ---- addresses ------------------------------------------------------------------------------ */

START_TEST(addresses_are_numbers)
{
    static const struct {
        const char *text;
        const char *shown; /* NULL: refused */
        bool is_loopback;
    } cases[] = {
        { "127.0.0.1:6432", "127.0.0.1:6432", true },
        { "127.9.9.9:1", "127.9.9.9:1", true },
        { "0.0.0.0:65535", "0.0.0.0:65535", false },
        { "10.1.2.3:0", "10.1.2.3:0", false },
        { "[::1]:6432", "[::1]:6432", true },
        { "[::]:6432", "[::]:6432", false },
        { "*:6432", "[::]:6432", false },
        { "[::ffff:127.0.0.1]:5", "127.0.0.1:5", true },
        { "/run/gatehouse.sock", "/run/gatehouse.sock", true },
        { "", NULL, false },
        { ":", NULL, false },
        { ":6432", NULL, false },
        { "127.0.0.1", NULL, false },
        { "127.0.0.1:", NULL, false },
        { "127.0.0.1:65536", NULL, false },
        { "127.0.0.1:99999", NULL, false },
        { "127.0.0.1:-1", NULL, false },
        { "127.0.0.1: 1", NULL, false },
        { "127.0.0.1:1x", NULL, false },
        { "127.0.0:1", NULL, false },
        { "localhost:6432", NULL, false }, /* what it means must not depend on a resolver */
        { "::1:6432", NULL, false },       /* ambiguous without brackets */
        { "[127.0.0.1]:6432", NULL, false },
        { "[::1:6432", NULL, false },
        { "[]:6432", NULL, false },
        { "[*]:6432", NULL, false },
        { "gatehouse.sock", NULL, false },
        { "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:1", NULL, false },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_address a;
        gh_err err = { 0 };
        gh_rc rc = gh_address_parse(gh_str_of(cases[i].text), &a, &err);
        if (cases[i].shown == NULL) {
            ck_assert_msg(rc == GH_INVALID, "taken: %s", cases[i].text);
            ck_assert_str_ne(err.public_msg, "");
        } else {
            ck_assert_msg(rc == GH_OK, "%s", err.public_msg);
            ck_assert_str_eq(a.text, cases[i].shown);
            ck_assert_int_eq(a.is_loopback, cases[i].is_loopback);
        }
    }
    ck_assert_int_eq(gh_address_parse(GH_STR("127.0.0.1\0:1"), &(gh_address){ .len = 0 }, NULL),
                     GH_INVALID);
}
END_TEST

START_TEST(socket_paths_have_a_bound)
{
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
    gh_address a;

    memset(path, 'x', sizeof(path));
    path[0] = '/';
    ck_assert_int_eq(gh_address_parse((gh_str){ path, sizeof(path) - 2 }, &a, NULL), GH_OK);
    ck_assert(a.is_unix);
    ck_assert_int_eq(gh_address_parse((gh_str){ path, sizeof(path) - 1 }, &a, NULL), GH_INVALID);
}
END_TEST

/* ---- listeners ------------------------------------------------------------------------------ */

typedef struct host {
    gh_loop *loop;
    gh_listener *listener;
    int accepted;
    int stop_after;
    int fds[64];
    gh_address peer;
    bool closes_itself;
} host;

static void on_client(void *arg, int fd, const gh_address *peer)
{
    host *h = arg;

    h->peer = *peer;
    h->fds[h->accepted % 64] = fd;
    h->accepted++;
    if (h->closes_itself) {
        gh_listener_close(h->listener);
        h->listener = NULL;
    }
    if (h->accepted >= h->stop_after)
        gh_loop_stop(h->loop);
}

static void host_open(host *h, const char *text)
{
    gh_address a;
    gh_err err = { 0 };

    ck_assert_int_eq(gh_address_parse(gh_str_of(text), &a, &err), GH_OK);
    gh_rc rc = gh_listener_open(h->loop, &a, on_client, h, &h->listener, &err);
    ck_assert_msg(rc == GH_OK, "%s", err.public_msg);
}

static void host_close(host *h)
{
    gh_listener_close(h->listener);
    for (int i = 0; i < h->accepted; i++)
        close(h->fds[i]);
}

static int connect_client(const gh_address *a)
{
    int fd = socket(a->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&a->addr, a->len), 0);
    return fd;
}

START_TEST(clients_arrive_tuned)
{
    gh_loop *l = loop_for_test();
    host h = { .loop = l, .stop_after = 1 };
    int value = 0;
    socklen_t len = sizeof(value);

    host_open(&h, "127.0.0.1:0");
    ck_assert_uint_ne(gh_listener_port(h.listener), 0);
    int client = connect_client(gh_listener_address(h.listener));
    loop_run_for_test(l);
    ck_assert_int_eq(h.accepted, 1);
    ck_assert_int_ne(fcntl(h.fds[0], F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(h.fds[0], F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(getsockopt(h.fds[0], IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    ck_assert_int_ne(value, 0);
    ck_assert_int_eq(getsockopt(h.fds[0], SOL_SOCKET, SO_KEEPALIVE, &value, &len), 0);
    ck_assert_int_ne(value, 0);
    ck_assert_int_eq(strncmp(h.peer.text, "127.0.0.1:", 10), 0);
    ck_assert(h.peer.is_loopback);
    close(client);
    host_close(&h);
    gh_loop_free(l);
}
END_TEST

/* A worker each: the same port twice, and the kernel deals out. */
START_TEST(workers_share_a_port)
{
    gh_loop *l = loop_for_test();
    host a = { .loop = l, .stop_after = 1000 };
    host b = { .loop = l, .stop_after = 1000 };
    char text[32];
    int clients[60];

    host_open(&a, "127.0.0.1:0");
    snprintf(text, sizeof(text), "127.0.0.1:%u", gh_listener_port(a.listener));
    host_open(&b, text);
    for (int i = 0; i < 60; i++)
        clients[i] = connect_client(gh_listener_address(b.listener));
    for (int i = 0; i < 100 && a.accepted + b.accepted < 60; i++) {
        gh_loop_stop(l);
        loop_run_for_test(l);
        usleep(2000);
        gh_loop_post(l, (void (*)(void *))gh_loop_stop, l);
        loop_run_for_test(l);
    }
    ck_assert_int_eq(a.accepted + b.accepted, 60);
    ck_assert_int_gt(a.accepted, 5);
    ck_assert_int_gt(b.accepted, 5);
    for (int i = 0; i < 60; i++)
        close(clients[i]);
    host_close(&a);
    host_close(&b);
    gh_loop_free(l);
}
END_TEST

START_TEST(wildcard_serves_both_families)
{
    gh_loop *l = loop_for_test();
    host h = { .loop = l, .stop_after = 1 };
    gh_address to;
    char text[32];

    host_open(&h, "*:0");
    snprintf(text, sizeof(text), "127.0.0.1:%u", gh_listener_port(h.listener));
    ck_assert_int_eq(gh_address_parse(gh_str_of(text), &to, NULL), GH_OK);
    int client = connect_client(&to);
    loop_run_for_test(l);
    ck_assert_int_eq(strncmp(h.peer.text, "127.0.0.1:", 10), 0); /* not ::ffff:127.0.0.1 */
    ck_assert(h.peer.is_loopback);
    close(client);
    host_close(&h);
    gh_loop_free(l);
}
END_TEST

START_TEST(used_port_is_told)
{
    gh_loop *l = loop_for_test();
    struct sockaddr_in in4 = { .sin_family = AF_INET };
    socklen_t len = sizeof(in4);
    gh_address a;
    gh_listener *li = NULL;
    gh_err err = { 0 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* without SO_REUSEPORT */

    in4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&in4, sizeof(in4)), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in4, &len), 0);
    gh_address_from((struct sockaddr *)&in4, len, &a);
    ck_assert_int_eq(gh_listener_open(l, &a, on_client, NULL, &li, &err), GH_IO);
    ck_assert_ptr_nonnull(strstr(err.public_msg, a.text));
    ck_assert_ptr_nonnull(strstr(err.detail, "bind"));
    close(fd);
    gh_loop_free(l);
}
END_TEST

START_TEST(listener_may_close_in_its_callback)
{
    gh_loop *l = loop_for_test();
    host h = { .loop = l, .stop_after = 1, .closes_itself = true };

    host_open(&h, "127.0.0.1:0");
    int first = connect_client(gh_listener_address(h.listener));
    int second = connect_client(gh_listener_address(h.listener));
    loop_run_for_test(l);
    ck_assert_int_eq(h.accepted, 1);
    close(first);
    close(second);
    host_close(&h);
    gh_loop_free(l);
}
END_TEST

static void on_resume(void *arg)
{
    host *h = arg;

    ck_assert_int_eq(h->accepted, 0);
    gh_listener_resume(h->listener);
}

START_TEST(paused_clients_wait)
{
    gh_loop *l = loop_for_test();
    host h = { .loop = l, .stop_after = 1 };

    host_open(&h, "127.0.0.1:0");
    gh_listener_pause(h.listener);
    int client = connect_client(gh_listener_address(h.listener));
    gh_timer *t = gh_timer_new(l, on_resume, &h);
    gh_timer_start(t, 50);
    loop_run_for_test(l);
    ck_assert_int_eq(h.accepted, 1);
    gh_timer_free(t);
    close(client);
    host_close(&h);
    gh_loop_free(l);
}
END_TEST

static void raise_limit(void *arg)
{
    struct rlimit *limit = arg;

    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, limit), 0);
}

/* Out of descriptors: no spinning, no lost client; served once there are some again. */
START_TEST(exhausted_descriptors_pause)
{
    gh_loop *l = loop_for_test();
    host h = { .loop = l, .stop_after = 1 };
    struct rlimit before;
    struct rusage start;
    struct rusage end;

    host_open(&h, "127.0.0.1:0");
    int client = connect_client(gh_listener_address(h.listener));
    int highest = dup(client);
    close(highest);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = { .rlim_cur = (rlim_t)highest, .rlim_max = before.rlim_max };
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    gh_timer *t = gh_timer_new(l, raise_limit, &before);
    gh_timer_start(t, 250);
    getrusage(RUSAGE_SELF, &start);
    loop_run_for_test(l);
    getrusage(RUSAGE_SELF, &end);
    ck_assert_int_eq(h.accepted, 1);
    long used_us = (end.ru_utime.tv_sec - start.ru_utime.tv_sec) * 1000000 + end.ru_utime.tv_usec -
                   start.ru_utime.tv_usec +
                   (end.ru_stime.tv_sec - start.ru_stime.tv_sec) * 1000000 + end.ru_stime.tv_usec -
                   start.ru_stime.tv_usec;
    ck_assert_int_lt(used_us, 100000);
    gh_timer_free(t);
    close(client);
    host_close(&h);
    gh_loop_free(l);
}
END_TEST

START_TEST(unix_socket_is_private_and_replaces_a_stale_one)
{
    gh_loop *l = loop_for_test();
    host h = { .loop = l, .stop_after = 1 };
    host second = { .loop = l };
    char dir[] = "/tmp/gatehouse-loop.XXXXXX";
    char path[64];
    struct stat st;
    gh_address a;
    gh_err err = { 0 };

    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/control", dir);
    host_open(&h, path);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    int client = connect_client(gh_listener_address(h.listener));
    loop_run_for_test(l);
    ck_assert(h.peer.is_unix);

    /* somebody answers: not to be replaced */
    ck_assert_int_eq(gh_address_parse(gh_str_of(path), &a, &err), GH_OK);
    ck_assert_int_eq(gh_listener_open(l, &a, on_client, &second, &second.listener, &err), GH_IO);

    close(client);
    host_close(&h);
    ck_assert_int_ne(stat(path, &st), 0); /* unlinked */

    /* a stale one: bound once, nobody listens */
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(stale, (struct sockaddr *)&a.addr, a.len), 0);
    close(stale);
    host_open(&second, path);
    gh_listener_close(second.listener);

    /* a file that is no socket: not ours to remove */
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(file);
    ck_assert_int_eq(gh_listener_open(l, &a, on_client, &second, &second.listener, &err), GH_IO);
    ck_assert_int_eq(stat(path, &st), 0);
    unlink(path);
    rmdir(dir);
    gh_loop_free(l);
}
END_TEST

TCase *listener_tests(void)
{
    TCase *t = tcase_create("listener");

    tcase_set_timeout(t, 20);
    tcase_add_test(t, addresses_are_numbers);
    tcase_add_test(t, socket_paths_have_a_bound);
    tcase_add_test(t, clients_arrive_tuned);
    tcase_add_test(t, workers_share_a_port);
    tcase_add_test(t, wildcard_serves_both_families);
    tcase_add_test(t, used_port_is_told);
    tcase_add_test(t, listener_may_close_in_its_callback);
    tcase_add_test(t, paused_clients_wait);
    tcase_add_test(t, exhausted_descriptors_pause);
    tcase_add_test(t, unix_socket_is_private_and_replaces_a_stale_one);
    return t;
}
