/*
 * peer.c: who asks the main thread something, over a socket: one request and one answer a connection, bounded in
 * bytes, number and time.
 *
 *     accept ─▶ may_ask? ─▶ bytes ─▶ whole? ─▶ act ... srv_peer_answer ─▶ written ─▶ closed
 *         └ no place left: closed     └ too long, or too slow: act(nothing), or closed
 */
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void close_peer(srv_peer *p)
{
    srv_ask_forget(p->ask);
    gh_watch_free(p->watch);
    gh_timer_free(p->timer);
    (void)close(p->fd);
    gh_buf_fini(&p->in);
    gh_buf_fini(&p->out);
    free(p->by);
    if (p->prev != NULL)
        p->prev->next = p->next;
    else
        p->peers->first = p->next;
    if (p->next != NULL)
        p->next->prev = p->prev;
    p->peers->count--;
    free(p);
}

static void on_idle(void *arg)
{
    close_peer(arg);
}

void srv_peer_answer(srv_peer *p)
{
    p->is_answered = true;
    while (p->sent < p->out.len) {
        ssize_t n = send(p->fd, p->out.ptr + p->sent, p->out.len - p->sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            gh_timer_start(p->timer, GH_CONTROL_IDLE_MS);
            gh_watch_set(p->watch, GH_WRITABLE);
            return;
        }
        if (n < 0)
            break;
        p->sent += (size_t)n;
    }
    close_peer(p);
}

static void on_bytes(srv_peer *p)
{
    size_t left = p->peers->request_max + 1 - p->in.len;
    char *room = gh_buf_reserve(&p->in, left);
    bool is_bad = false;
    size_t len;
    ssize_t n;

    GH_ASSERT(room != NULL);
    n = recv(p->fd, room, left, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n <= 0) {
        close_peer(p);
        return;
    }
    p->in.len += (size_t)n;
    len = p->peers->whole(gh_buf_str(&p->in), &is_bad);
    if (len == 0 && p->in.len <= p->peers->request_max)
        return;
    gh_watch_set(p->watch, 0);
    gh_timer_start(p->timer, GH_CONTROL_WAIT_MS + GH_CONTROL_IDLE_MS);
    is_bad = is_bad || len == 0 || len > p->peers->request_max;
    p->peers->act(p, is_bad ? (gh_str){ NULL, 0 } : (gh_str){ p->in.ptr, len });
}

static void on_ready(void *arg, unsigned ready)
{
    srv_peer *p = arg;

    if (p->is_answered)
        srv_peer_answer(p);
    else if ((ready & GH_READABLE) != 0)
        on_bytes(p);
}

static void on_accept(void *arg, int fd, const gh_address *address)
{
    srv_peers *peers = arg;
    srv_peer *p;

    (void)address;
    if (peers->may_ask != NULL && !peers->may_ask(fd)) {
        (void)close(fd);
        return;
    }
    if (peers->count >= peers->max) {
        gh_log(GH_WARN, "control.busy", "socket=%s connections=%zu", peers->name, peers->count);
        (void)close(fd);
        return;
    }
    p = gh_alloc(sizeof(*p));
    p->peers = peers;
    p->fd = fd;
    gh_buf_init(&p->in, 0);
    gh_buf_init(&p->out, 0);
    p->watch = gh_watch_new(peers->server->loop, fd, on_ready, p);
    p->timer = gh_timer_new(peers->server->loop, on_idle, p);
    p->next = peers->first;
    if (p->next != NULL)
        p->next->prev = p;
    peers->first = p;
    peers->count++;
    gh_timer_start(p->timer, GH_CONTROL_IDLE_MS);
    gh_watch_set(p->watch, GH_READABLE);
}

gh_rc srv_peers_open(srv_peers *peers, const gh_address *address, gh_err *err)
{
    return gh_listener_open(peers->server->loop, address, on_accept, peers, &peers->listener, err);
}

void srv_peers_close(srv_peers *peers)
{
    while (peers->first != NULL)
        close_peer(peers->first);
    gh_listener_close(peers->listener);
    peers->listener = NULL;
}
