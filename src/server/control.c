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

/* `error` NULL: it went well. The peer is gone afterwards, or waits to be written to. */
static void finish(srv_peer *c, const char *error)
{
    if (error == NULL)
        gh_buf_puts(&c->out, "{\"ok\":true}\n");
    else {
        gh_buf_puts(&c->out, "{\"ok\":false,\"error\":");
        gh_audit_put_string(&c->out, gh_str_of(error));
        gh_buf_puts(&c->out, "}\n");
    }
    srv_peer_answer(c);
}

/* ---- requests -------------------------------------------------------------------------------- */

static bool all_are_here(const srv_ask *a)
{
    return a->outstanding == 0;
}

static void on_status(void *arg, const srv_ask *a)
{
    srv_peer *c = arg;

    c->ask = NULL;
    srv_put_status(c->peers->server, a, &c->out);
    finish(c, NULL);
}

static void on_sessions(void *arg, const srv_ask *a)
{
    srv_peer *c = arg;

    c->ask = NULL;
    for (size_t i = 0; i < a->part_count; i++) {
        if (a->parts[i].is_here)
            gh_buf_put_str(&c->out, gh_buf_str(&a->parts[i].lines));
    }
    finish(c, all_are_here(a) ? NULL : "a worker did not answer in time: the list is not complete");
}

static void on_ended(void *arg, const srv_ask *a)
{
    srv_peer *c = arg;

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
static void end_reload(srv_peer *c)
{
    srv_policy_state state;

    c->acl_look = 0;
    srv_policy_state_get(c->peers->server, &state);
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
    srv_peer *next;

    for (srv_peer *c = v->control.first; c != NULL; c = next) {
        next = c->next;
        if (c->acl_look != 0 && c->acl_look <= number)
            end_reload(c);
    }
}

static void reload(srv_peer *c)
{
    srv *v = c->peers->server;

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
static void set_author(srv_peer *c, gh_str name)
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

static void act(srv_peer *c, gh_str line)
{
    srv *v = c->peers->server;
    gh_str none = { NULL, 0 };
    gh_str verb;

    if (line.ptr == NULL || memchr(line.ptr, '\0', line.len) != NULL) {
        finish(c, "expected one line");
        return;
    }
    line.len--; /* its newline */
    verb = next_word(&line);
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

static bool may_ask(int fd)
{
    struct ucred who = { .uid = (uid_t)-1 };
    socklen_t len = sizeof(who);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
        (who.uid == geteuid() || who.uid == 0))
        return true;
    gh_log(GH_WARN, "control.refused", "uid=%u", (unsigned)who.uid);
    return false;
}

/* A line, and nothing behind it. */
static size_t whole_request(gh_str in, bool *is_bad)
{
    const char *end = memchr(in.ptr, '\n', in.len);

    *is_bad = end != NULL && (size_t)(end - in.ptr) + 1 != in.len;
    return end != NULL ? in.len : 0;
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
    v->control = (srv_peers){ .server = v,
                              .name = "control",
                              .max = GH_CONTROL_CLIENTS_MAX,
                              .request_max = GH_CONTROL_REQUEST_MAX + 1,
                              .may_ask = may_ask,
                              .whole = whole_request,
                              .act = act };
    return srv_peers_open(&v->control, &address, err);
}
