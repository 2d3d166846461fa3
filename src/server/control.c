/*
 * control.c: the control socket. One request a connection: a line of words between tabs; the answer is lines of
 * JSON, of which the last says how it went, and the end of the stream.
 *
 *     status                  ─▶ one object                          {"ok":true}
 *     sessions                ─▶ an object a session                 {"ok":true}
 *     kill <id> <by>          ─▶                                     {"ok":false,"error":"there is no such session"}
 *     reload <by>             ─▶ faults, keys that wait, the policy  {"ok":true}
 *
 * SECURITY: it belongs to the account that the proxy runs as, and to root: mode 0600, and the kernel is asked who
 * is at the other end. Whoever connects gets a bounded request, a bounded wait and one of few places, so that
 * even they cannot hang or fill the main thread by accident. Attack: tests/attack/control.
 */
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct control_client control_client;
struct control_client {
    srv_control *control;
    control_client *prev;
    control_client *next;
    int fd;
    gh_watch *watch;
    gh_timer *timer;
    gh_buf in;
    gh_buf out;
    size_t sent;
    char *by;
    srv_ask *ask;
    uint32_t acl_look; /* the look at the ACL that a reload waits for; 0: none */
    bool is_answered;  /* `out` is whole */
};

struct srv_control {
    srv *server;
    gh_listener *listener;
    control_client *clients;
    size_t count;
};

/* ---- a client's life ------------------------------------------------------------------------- */

static void close_client(control_client *c)
{
    srv_ask_forget(c->ask);
    gh_watch_free(c->watch);
    gh_timer_free(c->timer);
    (void)close(c->fd);
    gh_buf_fini(&c->in);
    gh_buf_fini(&c->out);
    free(c->by);
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        c->control->clients = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    c->control->count--;
    free(c);
}

static void on_idle(void *arg)
{
    close_client(arg);
}

/* Writes what goes; closes when all is out. */
static void write_answer(control_client *c)
{
    while (c->sent < c->out.len) {
        ssize_t n = send(c->fd, c->out.ptr + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            gh_timer_start(c->timer, GH_CONTROL_IDLE_MS);
            gh_watch_set(c->watch, GH_WRITABLE);
            return;
        }
        if (n < 0)
            break;
        c->sent += (size_t)n;
    }
    close_client(c);
}

/* `error` NULL: it went well. The client is gone afterwards, or waits to be written to. */
static void finish(control_client *c, const char *error)
{
    c->is_answered = true;
    if (error == NULL)
        gh_buf_puts(&c->out, "{\"ok\":true}\n");
    else {
        gh_buf_puts(&c->out, "{\"ok\":false,\"error\":");
        gh_audit_put_string(&c->out, gh_str_of(error));
        gh_buf_puts(&c->out, "}\n");
    }
    write_answer(c);
}

/* ---- requests -------------------------------------------------------------------------------- */

static bool all_are_here(const srv_ask *a)
{
    return a->outstanding == 0;
}

static void on_status(void *arg, const srv_ask *a)
{
    control_client *c = arg;

    c->ask = NULL;
    srv_put_status(c->control->server, a, &c->out);
    finish(c, NULL);
}

static void on_sessions(void *arg, const srv_ask *a)
{
    control_client *c = arg;

    c->ask = NULL;
    for (size_t i = 0; i < a->part_count; i++) {
        if (a->parts[i].is_here)
            gh_buf_put_str(&c->out, gh_buf_str(&a->parts[i].lines));
    }
    finish(c, all_are_here(a) ? NULL : "a worker did not answer in time: the list is not complete");
}

static void on_ended(void *arg, const srv_ask *a)
{
    control_client *c = arg;

    c->ask = NULL;
    for (size_t i = 0; i < a->part_count; i++) {
        if (a->parts[i].is_here && a->parts[i].has_ended) {
            finish(c, NULL);
            return;
        }
    }
    finish(c, all_are_here(a) ? "there is no such session" : "a worker did not answer in time");
}

/* The config was read; the ACL has been looked at too. */
static void end_reload(control_client *c)
{
    srv_policy_state state;

    c->acl_look = 0;
    srv_policy_state_get(c->control->server, &state);
    if (!state.is_stale) {
        gh_buf_printf(&c->out, "{\"policy_version\":%" PRIu64 "}\n", state.version);
        finish(c, NULL);
        return;
    }
    gh_buf_puts(&c->out, "{\"fault\":");
    gh_audit_put_string(&c->out, gh_str_of(state.cause));
    gh_buf_puts(&c->out, "}\n");
    finish(c, "the ACL could not be read; the last good policy stays in force");
}

void srv_control_on_acl_look(srv *v, uint32_t number)
{
    control_client *next;

    if (v->control == NULL)
        return;
    for (control_client *c = v->control->clients; c != NULL; c = next) {
        next = c->next;
        if (c->acl_look != 0 && c->acl_look <= number)
            end_reload(c);
    }
}

static void reload(control_client *c)
{
    srv *v = c->control->server;

    srv_record_admin(v, c->by, "reload");
    if (srv_reload(v, &c->out) != GH_OK) {
        finish(c, "the config was not taken; everything stays as it was");
        return;
    }
    gh_timer_start(c->timer, GH_CONTROL_RELOAD_MS);
    c->acl_look = srv_store_look(v);
}

/* The next word of a request; empty: there is none. */
static gh_str next_word(gh_str *rest)
{
    const char *tab = rest->len > 0 ? memchr(rest->ptr, '\t', rest->len) : NULL;
    gh_str word = *rest;

    if (tab == NULL) {
        *rest = (gh_str){ NULL, 0 };
        return word;
    }
    word.len = (size_t)(tab - rest->ptr);
    rest->ptr = tab + 1;
    rest->len -= word.len + 1;
    return word;
}

/* Who says so is believed, as with every other change; which account it was the kernel says. */
static void set_author(control_client *c, gh_str name)
{
    struct ucred peer = { 0 };
    socklen_t len = sizeof(peer);
    gh_buf b;

    (void)getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
    gh_buf_init(&b, 0);
    gh_buf_printf(&b, GH_STR_FMT " (uid %u)", GH_STR_ARG(name), (unsigned)peer.uid);
    c->by = gh_strdup(gh_buf_str(&b));
    gh_buf_fini(&b);
}

static void act(control_client *c, gh_str line)
{
    srv *v = c->control->server;
    gh_str none = { NULL, 0 };
    gh_str verb = next_word(&line);

    gh_timer_start(c->timer, GH_CONTROL_WAIT_MS + GH_CONTROL_IDLE_MS);
    if (gh_str_is(verb, "status") && line.len == 0) {
        c->ask = srv_ask_workers(v, SRV_ASK_COUNTS, none, none, on_status, c);
    } else if (gh_str_is(verb, "sessions") && line.len == 0) {
        c->ask = srv_ask_workers(v, SRV_ASK_SESSIONS, none, none, on_sessions, c);
    } else if (gh_str_is(verb, "kill")) {
        gh_str id = next_word(&line);

        set_author(c, line);
        c->ask = srv_ask_workers(v, SRV_ASK_END, id, gh_str_of(c->by), on_ended, c);
    } else if (gh_str_is(verb, "reload")) {
        set_author(c, line);
        reload(c);
    } else
        finish(c, "unknown request: is the proxy of another version?");
}

/* ---- the socket ------------------------------------------------------------------------------ */

static void on_bytes(control_client *c)
{
    char *room = gh_buf_reserve(&c->in, GH_CONTROL_REQUEST_MAX + 1 - c->in.len);
    const char *end;
    ssize_t n;

    GH_ASSERT(room != NULL);
    n = recv(c->fd, room, GH_CONTROL_REQUEST_MAX + 1 - c->in.len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n <= 0) {
        close_client(c);
        return;
    }
    c->in.len += (size_t)n;
    end = memchr(c->in.ptr, '\n', c->in.len);
    if (end == NULL && c->in.len <= GH_CONTROL_REQUEST_MAX)
        return;
    gh_watch_set(c->watch, 0);
    if (end == NULL || (size_t)(end - c->in.ptr) + 1 != c->in.len ||
        memchr(c->in.ptr, '\0', c->in.len) != NULL)
        finish(c, "expected one line");
    else
        act(c, (gh_str){ c->in.ptr, c->in.len - 1 });
}

static void on_ready(void *arg, unsigned ready)
{
    control_client *c = arg;

    if (c->is_answered)
        write_answer(c);
    else if ((ready & GH_READABLE) != 0)
        on_bytes(c);
}

static void on_accept(void *arg, int fd, const gh_address *peer)
{
    srv_control *control = arg;
    struct ucred who = { .uid = (uid_t)-1 };
    socklen_t len = sizeof(who);
    control_client *c;

    (void)peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0 ||
        (who.uid != geteuid() && who.uid != 0)) {
        gh_log(GH_WARN, "control.refused", "uid=%u", (unsigned)who.uid);
        (void)close(fd);
        return;
    }
    if (control->count >= GH_CONTROL_CLIENTS_MAX) {
        gh_log(GH_WARN, "control.busy", "connections=%zu", control->count);
        (void)close(fd);
        return;
    }
    c = gh_alloc(sizeof(*c));
    c->control = control;
    c->fd = fd;
    gh_buf_init(&c->in, 0);
    gh_buf_init(&c->out, 0);
    c->watch = gh_watch_new(control->server->loop, fd, on_ready, c);
    c->timer = gh_timer_new(control->server->loop, on_idle, c);
    c->next = control->clients;
    if (c->next != NULL)
        c->next->prev = c;
    control->clients = c;
    control->count++;
    gh_timer_start(c->timer, GH_CONTROL_IDLE_MS);
    gh_watch_set(c->watch, GH_READABLE);
}

gh_rc srv_control_open(srv *v, gh_err *err)
{
    gh_str path = v->config->control;
    gh_address address;
    char *folder = NULL;
    gh_rc rc;

    if (path.len == 0)
        return GH_OK;
    if (path.ptr[0] != '/') {
        folder = getcwd(NULL, 0);
        if (folder == NULL)
            return gh_fail(err, GH_IO, "58000", "control: the working folder: %s", strerror(errno));
        path = gh_arena_printf(v->arena, "%s/%s", folder, path.ptr);
        free(folder);
    }
    rc = gh_address_parse(path, &address, err);
    if (rc != GH_OK)
        return rc;
    v->control = gh_alloc(sizeof(*v->control));
    v->control->server = v;
    return gh_listener_open(v->loop, &address, on_accept, v->control, &v->control->listener, err);
}

void srv_control_close(srv *v)
{
    if (v->control == NULL)
        return;
    while (v->control->clients != NULL)
        close_client(v->control->clients);
    gh_listener_close(v->control->listener);
    free(v->control);
    v->control = NULL;
}
