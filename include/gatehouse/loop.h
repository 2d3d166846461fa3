/*
 * loop: one thread's event loop: readiness of descriptors, timers, signals, listening sockets, and
 * the one way for other threads to get something done on this thread.
 *
 *     gh_watch  ── fd readable / writable ──┐
 *     gh_timer  ── ms passed ───────────────┤
 *     gh_signal ── SIGTERM ... ─────────────┼──▶ callback(arg), on the loop's thread, one at a time
 *     gh_listener ── accepted connection ───┤
 *     gh_loop_post ── from any thread ──────┘
 *
 * Readiness is level-triggered: a callback that leaves bytes unread is called again. Bytes are the
 * business of tls (gh_stream): the loop only says when.
 *
 * Memory: every object belongs to who made it and is freed with its free/close, before the loop.
 * All of them may be freed in any callback, their own included; after that no callback comes.
 * Threads: everything here belongs to the thread that runs the loop (or, before it runs, to the one
 * that made it), but for gh_loop_post and gh_loop_stop. gh_loop_new ignores SIGPIPE for the whole
 * process.
 * Source: libevent 2.1 book, "Working with events"; epoll(7); socket(7), SO_REUSEPORT.
 */
#ifndef GATEHOUSE_LOOP_H
#define GATEHOUSE_LOOP_H

#include <sys/socket.h>

#include <gatehouse/base.h>

/* ---- loop ----------------------------------------------------------------------------------- */

typedef struct gh_loop gh_loop;

GH_MUST_USE gh_rc gh_loop_new(gh_loop **out, gh_err *err);
/*
 * The same, but what gh_watch_set and gh_watch_free change is so in the kernel when they return, and not
 * only at the end of the turn: for a descriptor that goes to another thread right after.
 */
GH_MUST_USE gh_rc gh_loop_new_immediate(gh_loop **out, gh_err *err);
/* Runs what was posted and not yet run (it may own memory), then frees. NULL is fine. */
void gh_loop_free(gh_loop *l);
/* Serves until gh_loop_stop. GH_IO: the system's polling failed. */
GH_MUST_USE gh_rc gh_loop_run(gh_loop *l, gh_err *err);
/* Any thread. gh_loop_run returns after the callbacks that are under way. */
void gh_loop_stop(gh_loop *l);
/*
 * Any thread: fn(arg) on the loop's thread, soon, in the order posted by one thread. Never inside
 * this call. What the poster wrote before is visible to fn.
 */
void gh_loop_post(gh_loop *l, void (*fn)(void *arg), void *arg);
/*
 * fn(arg) at the end of every turn, after the callbacks of all that was ready: for work that is
 * cheaper once for all of them (one audit commit, one write a session). One a loop; NULL: none. Set
 * it before the loop runs.
 */
void gh_loop_on_turn(gh_loop *l, void (*fn)(void *arg), void *arg);
/*
 * Microseconds of the monotonic clock; Unix time in microseconds. Read now, not cached. Any thread.
 */
int64_t gh_clock_us(void);
int64_t gh_wall_us(void);

/* ---- descriptors ---------------------------------------------------------------------------- */

#define GH_READABLE 1u
#define GH_WRITABLE 2u

typedef struct gh_watch gh_watch;
/*
 * `ready`: GH_READABLE and GH_WRITABLE, at least one. A hang-up or an error shows as what is
 * watched.
 */
typedef void (*gh_watch_fn)(void *arg, unsigned ready);

/* Starts with no interest. The descriptor stays the caller's; free the watch before closing it. */
GH_MUST_USE gh_watch *gh_watch_new(gh_loop *l, int fd, gh_watch_fn fn, void *arg);
void gh_watch_free(gh_watch *w); /* NULL is fine */
/*
 * GH_READABLE, GH_WRITABLE, both or 0. Cheap: no system call when nothing changes, at most one a
 * turn.
 */
void gh_watch_set(gh_watch *w, unsigned interest);
unsigned gh_watch_interest(const gh_watch *w);
/*
 * Calls back in the loop's next turn as if `ready` were so, whatever the interest: for bytes that
 * TLS holds already decrypted, and for a relay that yields to other sessions after its share.
 */
void gh_watch_wake(gh_watch *w, unsigned ready);

/* ---- timers --------------------------------------------------------------------------------- */

typedef struct gh_timer gh_timer;

GH_MUST_USE gh_timer *gh_timer_new(gh_loop *l, void (*fn)(void *arg), void *arg);
void gh_timer_free(gh_timer *t); /* NULL is fine */
/* Once in `delay_ms` from now; a timer that was started before is started anew. */
void gh_timer_start(gh_timer *t, uint32_t delay_ms);
void gh_timer_start_periodic(gh_timer *t, uint32_t interval_ms);
void gh_timer_stop(gh_timer *t); /* NULL is fine */

/* ---- signals (the main thread's loop only) -------------------------------------------------- */

typedef struct gh_signal gh_signal;

GH_MUST_USE gh_signal *gh_signal_new(gh_loop *l, int signum, void (*fn)(void *arg, int signum),
                                     void *arg);
void gh_signal_free(gh_signal *s); /* NULL is fine; the signal's default action is back */

/* ---- listening sockets ---------------------------------------------------------------------- */

#define GH_ADDRESS_TEXT_MAX 128

/*
 * Where to listen, or who called. `text` is for people: 127.0.0.1:6432, [::1]:6432,
 * /run/gatehouse.sock.
 */
typedef struct gh_address {
    struct sockaddr_storage addr;
    socklen_t len;
    char text[GH_ADDRESS_TEXT_MAX];
    bool is_loopback; /* 127.0.0.0/8, ::1, or a Unix socket */
    bool is_unix;
} gh_address;

/*
 * "1.2.3.4:6432", "[::1]:6432", "*:6432" (every IPv4 and IPv6 address), or an absolute path for a
 * Unix socket. Port 0 lets the system choose. Names are not resolved: what listens where must not
 * depend on DNS.
 */
GH_MUST_USE gh_rc gh_address_parse(gh_str text, gh_address *out, gh_err *err);
/* From what accept or getsockname gave. */
void gh_address_from(const struct sockaddr *addr, socklen_t len, gh_address *out);

typedef struct gh_listener gh_listener;
/*
 * A client. The callee owns fd: non-blocking, close-on-exec, and on TCP with TCP_NODELAY and
 * keepalive. `peer` is borrowed for the call.
 */
typedef void (*gh_accept_fn)(void *arg, int fd, const gh_address *peer);

/*
 * TCP sockets have SO_REUSEADDR and SO_REUSEPORT, so that each worker opens its own for the same
 * address and the kernel deals the clients out. A Unix socket replaces a stale one, gets mode 0600,
 * and is unlinked at close; one that something answers on is GH_IO. When descriptors run out,
 * accepting pauses for 100 ms.
 */
GH_MUST_USE gh_rc gh_listener_open(gh_loop *l, const gh_address *address, gh_accept_fn fn,
                                   void *arg, gh_listener **out, gh_err *err);
void gh_listener_close(gh_listener *li); /* NULL is fine */
/* The address as bound: with port 0 asked for, the one chosen. */
const gh_address *gh_listener_address(const gh_listener *li);
uint16_t gh_listener_port(const gh_listener *li); /* 0: a Unix socket */
/* Stops taking clients without closing the socket, and takes them again. */
void gh_listener_pause(gh_listener *li);
void gh_listener_resume(gh_listener *li);

#endif
