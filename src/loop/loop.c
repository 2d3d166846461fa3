/*
 * The loop itself, watches, timers, signals and posts, over libevent.
 *
 * The base has no locks: only gh_loop_post and gh_loop_stop come from other threads, and they touch
 * nothing but an atomic list and an eventfd:
 *
 *     poster ──push──▶ posts (newest first) ──exchange, reverse──▶ run in order
 *        └──write──▶ eventfd ──readable──▶ loop's thread
 *
 * A watch that is woken goes on a list of its own, run by a timer of zero delay. libevent's
 * event_active would run it again within the same turn, and one busy session would starve all
 * others.
 */
#include <gatehouse/loop.h>

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

typedef struct gh_post {
    struct gh_post *next;
    void (*fn)(void *arg);
    void *arg;
} gh_post;

struct gh_watch {
    struct event event;
    gh_loop *loop;
    gh_watch_fn fn;
    void *arg;
    gh_watch *wake_next;
    gh_watch **wake_prev; /* what points here; NULL: not to be woken */
    int fd;
    unsigned interest;
    unsigned wake;
};

struct gh_timer {
    struct event event;
    gh_loop *loop;
    void (*fn)(void *arg);
    void *arg;
};

struct gh_signal {
    struct event event;
    void (*fn)(void *arg, int signum);
    void *arg;
};

struct gh_loop {
    struct event_base *base;
    struct event wakeup;     /* of eventfd */
    struct event wake_timer; /* zero delay, runs `woken` */
    gh_watch *woken;         /* to run in the next turn */
    gh_watch *running;       /* being run now */
    int eventfd;
    _Atomic(gh_post *) posts; /* push: release by posters; take: acquire by the loop's thread */
    void (*turn_fn)(void *arg);
    void *turn_arg;
    atomic_bool is_stopping; /* gh_loop_stop: release; the loop's thread: acquire */
};

/* ---- posts ---------------------------------------------------------------------------------- */

static void run_posts(gh_loop *l)
{
    gh_post *newest = atomic_exchange_explicit(&l->posts, NULL, memory_order_acquire);
    gh_post *oldest = NULL;

    while (newest != NULL) {
        gh_post *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        gh_post *p = oldest;
        oldest = p->next;
        p->fn(p->arg);
        free(p);
    }
}

static void wake_thread(gh_loop *l)
{
    uint64_t one = 1;

    /* EAGAIN means that the counter is full, so the thread is being woken anyway. */
    while (write(l->eventfd, &one, sizeof(one)) < 0) {
        if (errno != EINTR)
            break;
    }
}

void gh_loop_post(gh_loop *l, void (*fn)(void *arg), void *arg)
{
    gh_post *p = gh_alloc(sizeof(*p));
    gh_post *head = atomic_load_explicit(&l->posts, memory_order_relaxed);

    p->fn = fn;
    p->arg = arg;
    do {
        p->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&l->posts, &head, p, memory_order_release,
                                                    memory_order_relaxed));
    /* Who finds the list empty wakes the thread; for the others somebody did, who was before them. */
    if (head == NULL)
        wake_thread(l);
}

void gh_loop_stop(gh_loop *l)
{
    atomic_store_explicit(&l->is_stopping, true, memory_order_release);
    wake_thread(l);
}

static void on_wakeup(evutil_socket_t fd, short what, void *arg)
{
    gh_loop *l = arg;
    uint64_t count;

    (void)what;
    /* Before the list is taken: a post that comes after this read wakes us again. */
    while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR) {
    }
    run_posts(l);
}

/* ---- watches -------------------------------------------------------------------------------- */

static void wake_link(gh_watch *w, gh_watch **head)
{
    w->wake_next = *head;
    w->wake_prev = head;
    if (w->wake_next != NULL)
        w->wake_next->wake_prev = &w->wake_next;
    *head = w;
}

static void wake_unlink(gh_watch *w)
{
    if (w->wake_prev == NULL)
        return;
    *w->wake_prev = w->wake_next;
    if (w->wake_next != NULL)
        w->wake_next->wake_prev = w->wake_prev;
    w->wake_next = NULL;
    w->wake_prev = NULL;
}

/* Each woken watch runs once a turn; one that wakes itself again waits for the next. */
static void on_wake_timer(evutil_socket_t fd, short what, void *arg)
{
    gh_loop *l = arg;

    (void)fd;
    (void)what;
    while (l->woken != NULL) {
        gh_watch *w = l->woken;
        wake_unlink(w);
        wake_link(w, &l->running);
    }
    while (l->running != NULL) {
        gh_watch *w = l->running;
        unsigned ready = w->wake;
        wake_unlink(w);
        w->wake = 0;
        w->fn(w->arg, ready);
    }
}

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
    gh_watch *w = arg;
    unsigned ready = 0;

    (void)fd;
    if ((what & EV_READ) != 0)
        ready |= GH_READABLE;
    if ((what & EV_WRITE) != 0)
        ready |= GH_WRITABLE;
    w->fn(w->arg, ready);
}

gh_watch *gh_watch_new(gh_loop *l, int fd, gh_watch_fn fn, void *arg)
{
    gh_watch *w = gh_alloc(sizeof(*w));

    w->loop = l;
    w->fd = fd;
    w->fn = fn;
    w->arg = arg;
    return w;
}

void gh_watch_free(gh_watch *w)
{
    if (w == NULL)
        return;
    wake_unlink(w);
    if (w->interest != 0)
        (void)event_del(&w->event);
    free(w);
}

void gh_watch_set(gh_watch *w, unsigned interest)
{
    if (w->interest == interest)
        return;
    if (w->interest != 0)
        (void)event_del(&w->event);
    w->interest = interest;
    if (interest == 0)
        return;
    short what = EV_PERSIST;
    if ((interest & GH_READABLE) != 0)
        what = (short)(what | EV_READ);
    if ((interest & GH_WRITABLE) != 0)
        what = (short)(what | EV_WRITE);
    int rc = event_assign(&w->event, w->loop->base, w->fd, what, on_watch, w);
    GH_ASSERT(rc == 0);
    rc = event_add(&w->event, NULL);
    GH_ASSERT(rc == 0);
}

unsigned gh_watch_interest(const gh_watch *w)
{
    return w->interest;
}

void gh_watch_wake(gh_watch *w, unsigned ready)
{
    struct timeval now = { 0, 0 };

    w->wake |= ready;
    if (w->wake_prev == NULL) {
        wake_link(w, &w->loop->woken);
        (void)event_add(&w->loop->wake_timer, &now);
    }
}

/* ---- timers --------------------------------------------------------------------------------- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    gh_timer *t = arg;

    (void)fd;
    (void)what;
    t->fn(t->arg);
}

gh_timer *gh_timer_new(gh_loop *l, void (*fn)(void *arg), void *arg)
{
    gh_timer *t = gh_alloc(sizeof(*t));

    t->loop = l;
    t->fn = fn;
    t->arg = arg;
    (void)event_assign(&t->event, l->base, -1, 0, on_timer, t);
    return t;
}

void gh_timer_free(gh_timer *t)
{
    if (t == NULL)
        return;
    (void)event_del(&t->event);
    free(t);
}

static void timer_arm(gh_timer *t, uint32_t ms, short what)
{
    struct timeval tv = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000 };

    (void)event_del(&t->event);
    (void)event_assign(&t->event, t->loop->base, -1, what, on_timer, t);
    (void)event_add(&t->event, &tv);
}

void gh_timer_start(gh_timer *t, uint32_t delay_ms)
{
    timer_arm(t, delay_ms, 0);
}

void gh_timer_start_periodic(gh_timer *t, uint32_t interval_ms)
{
    timer_arm(t, interval_ms, EV_PERSIST);
}

void gh_timer_stop(gh_timer *t)
{
    if (t != NULL)
        (void)event_del(&t->event);
}

/* ---- signals -------------------------------------------------------------------------------- */

static void on_signal(evutil_socket_t signum, short what, void *arg)
{
    gh_signal *s = arg;

    (void)what;
    s->fn(s->arg, (int)signum);
}

gh_signal *gh_signal_new(gh_loop *l, int signum, void (*fn)(void *arg, int signum), void *arg)
{
    gh_signal *s = gh_alloc(sizeof(*s));

    s->fn = fn;
    s->arg = arg;
    (void)event_assign(&s->event, l->base, signum, EV_SIGNAL | EV_PERSIST, on_signal, s);
    (void)event_add(&s->event, NULL);
    return s;
}

void gh_signal_free(gh_signal *s)
{
    if (s == NULL)
        return;
    (void)event_del(&s->event);
    free(s);
}

/* ---- loop ----------------------------------------------------------------------------------- */

/*
 * A loop may collect changes of interest and make them once a turn. So libevent may take from our epoll a
 * number that was closed since and is another thread's now: the kernel answers ENOENT, as our epoll does not
 * hold that file. The thread sanitizer cannot tell it from a descriptor that is closed too early, which
 * it shall find; in its build each change is made at once.
 */
#ifdef __SANITIZE_THREAD__
enum { COLLECT_FLAG = 0 };
#else
enum { COLLECT_FLAG = EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST };
#endif

/* Own locks are not needed. */
static struct event_base *base_new(int more_flags)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (config == NULL)
        return NULL;
    if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | more_flags) == 0)
        base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

static gh_rc loop_new(int more_flags, gh_loop **out, gh_err *err)
{
    gh_loop *l = gh_alloc(sizeof(*l));

    (void)signal(SIGPIPE, SIG_IGN);
    l->base = base_new(more_flags);
    l->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->base == NULL || l->eventfd < 0) {
        int cause = errno;
        if (l->base != NULL)
            event_base_free(l->base);
        if (l->eventfd >= 0)
            (void)close(l->eventfd);
        free(l);
        gh_rc rc = gh_fail(err, GH_IO, "58000", "an event loop could not be set up");
        gh_err_detail(err, "event base or eventfd: %s", strerror(cause));
        return rc;
    }
    (void)event_assign(&l->wakeup, l->base, l->eventfd, EV_READ | EV_PERSIST, on_wakeup, l);
    (void)event_add(&l->wakeup, NULL);
    (void)event_assign(&l->wake_timer, l->base, -1, 0, on_wake_timer, l);
    *out = l;
    return GH_OK;
}

gh_rc gh_loop_new(gh_loop **out, gh_err *err)
{
    return loop_new(COLLECT_FLAG, out, err);
}

gh_rc gh_loop_new_immediate(gh_loop **out, gh_err *err)
{
    return loop_new(0, out, err);
}

void gh_loop_free(gh_loop *l)
{
    if (l == NULL)
        return;
    /* What runs may post again: until there is no more. */
    while (atomic_load_explicit(&l->posts, memory_order_relaxed) != NULL)
        run_posts(l);
    (void)event_del(&l->wakeup);
    (void)event_del(&l->wake_timer);
    event_base_free(l->base);
    (void)close(l->eventfd);
    free(l);
}

void gh_loop_on_turn(gh_loop *l, void (*fn)(void *arg), void *arg)
{
    l->turn_fn = fn;
    l->turn_arg = arg;
}

gh_rc gh_loop_run(gh_loop *l, gh_err *err)
{
    /* One run, one stop: the stop is taken back, so that a loop may be run again. */
    while (!atomic_exchange_explicit(&l->is_stopping, false, memory_order_acquire)) {
        /* One turn: waits, then calls back all that is ready. */
        if (event_base_loop(l->base, EVLOOP_ONCE) != 0) {
            gh_rc failed = gh_fail(err, GH_IO, "58000", "the event loop failed");
            gh_err_detail(err, "event_base_loop: %s", strerror(errno));
            return failed;
        }
        if (l->turn_fn != NULL)
            l->turn_fn(l->turn_arg);
    }
    return GH_OK;
}

static int64_t clock_read(clockid_t clock)
{
    struct timespec ts;
    int rc = clock_gettime(clock, &ts);

    GH_ASSERT(rc == 0);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t gh_clock_us(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

int64_t gh_wall_us(void)
{
    return clock_read(CLOCK_REALTIME);
}
