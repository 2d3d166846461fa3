/*
 * How many connections the pools of one warehouse have between them: one number for all, since the kernel deals clients
 * out to the workers unevenly, and with a fixed part each one would be full while another has room.
 *
 *     pool ──take──▶ a place ──▶ connect ──▶ ... ──▶ closed ──give──▶ free ──▶ calls the pools that want one
 *             └────▶ none: it wants some ──▶ calls the others, who close what is idle, and what comes back
 *                    to them while their own waiters came later
 *
 * So the oldest waiter of all is served first. Calls are posts to the other pool's loop, at most one under way for
 * each. The lock is taken where a connection is opened, closed or comes to rest, never for a statement.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "upstream_priv.h"

struct gh_room {
    pthread_mutex_t lock; /* of all below, and of each seat's `wanted` and `turn` */
    uint32_t size;
    uint32_t taken;
    gh_seat *seats;
};

struct gh_seat {
    atomic_size_t references; /* the pool's, and that of a call under way; release: acq_rel */
    atomic_bool is_called;    /* a call is under way: set and unset acq_rel */
    gh_room *room;
    gh_seat *prev;
    gh_seat *next;
    uint32_t wanted; /* written by the seat's own thread */
    int64_t turn;
    gh_loop *loop;
    void (*fn)(void *arg); /* NULL: the pool is gone; the seat's thread */
    void *arg;
};

gh_room *gh_room_new(void)
{
    gh_room *r = gh_alloc(sizeof(*r));

    (void)pthread_mutex_init(&r->lock, NULL);
    return r;
}

void gh_room_free(gh_room *r)
{
    if (r == NULL)
        return;
    GH_ASSERT(r->seats == NULL);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void seat_release(gh_seat *s)
{
    if (atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) == 1)
        free(s);
}

static void on_call(void *arg)
{
    gh_seat *s = arg;

    /* Before it is looked: who comes after that calls again. */
    (void)atomic_exchange_explicit(&s->is_called, false, memory_order_acq_rel);
    if (s->fn != NULL)
        s->fn(s->arg);
    seat_release(s);
}

/* Under the lock: the seat is one of the room's, so its loop runs. */
static void call(gh_seat *s)
{
    if (atomic_exchange_explicit(&s->is_called, true, memory_order_acq_rel))
        return;
    (void)atomic_fetch_add_explicit(&s->references, 1, memory_order_relaxed);
    gh_loop_post(s->loop, on_call, s);
}

static void call_others(const gh_seat *s, bool those_that_want)
{
    for (gh_seat *other = s->room->seats; other != NULL; other = other->next) {
        if (other != s && (other->wanted > 0 || !those_that_want))
            call(other);
    }
}

/* ---- seats ----------------------------------------------------------------------------------- */

gh_seat *gh_seat_new(gh_room *r, uint32_t size, gh_loop *loop, void (*fn)(void *arg), void *arg)
{
    gh_seat *s = gh_alloc(sizeof(*s));

    atomic_init(&s->references, 1);
    atomic_init(&s->is_called, false);
    s->room = r;
    s->loop = loop;
    s->fn = fn;
    s->arg = arg;
    (void)pthread_mutex_lock(&r->lock);
    r->size = size;
    s->next = r->seats;
    if (s->next != NULL)
        s->next->prev = s;
    r->seats = s;
    (void)pthread_mutex_unlock(&r->lock);
    return s;
}

void gh_seat_free(gh_seat *s)
{
    gh_room *r = s->room;

    gh_seat_want_nothing(s);
    (void)pthread_mutex_lock(&r->lock);
    if (s->prev != NULL)
        s->prev->next = s->next;
    else
        r->seats = s->next;
    if (s->next != NULL)
        s->next->prev = s->prev;
    (void)pthread_mutex_unlock(&r->lock);
    s->fn = NULL;
    seat_release(s);
}

/* ---- places ---------------------------------------------------------------------------------- */

/* What the others want whose turn comes before, and what is taken. Under the lock. */
static uint64_t spoken_for(const gh_seat *s, int64_t turn)
{
    uint64_t n = s->room->taken;

    for (const gh_seat *other = s->room->seats; other != NULL; other = other->next) {
        if (other != s && other->turn < turn)
            n += other->wanted;
    }
    return n;
}

bool gh_seat_take(gh_seat *s, uint32_t wanted, int64_t turn)
{
    gh_room *r = s->room;
    bool may;

    (void)pthread_mutex_lock(&r->lock);
    may = spoken_for(s, turn) < r->size;
    if (may) {
        r->taken++;
    } else if (s->wanted != wanted || s->turn != turn) {
        s->wanted = wanted;
        s->turn = turn;
        call_others(s, false);
    }
    (void)pthread_mutex_unlock(&r->lock);
    return may;
}

void gh_seat_want_nothing(gh_seat *s)
{
    if (s->wanted == 0)
        return;
    (void)pthread_mutex_lock(&s->room->lock);
    s->wanted = 0;
    call_others(s, true); /* what was kept for this one is theirs */
    (void)pthread_mutex_unlock(&s->room->lock);
}

void gh_seat_give(gh_seat *s)
{
    (void)pthread_mutex_lock(&s->room->lock);
    GH_ASSERT(s->room->taken > 0);
    s->room->taken--;
    call_others(s, true);
    (void)pthread_mutex_unlock(&s->room->lock);
}

bool gh_seat_is_called(gh_seat *s, int64_t turn)
{
    gh_room *r = s->room;
    uint64_t n;
    bool is_called;

    (void)pthread_mutex_lock(&r->lock);
    n = spoken_for(s, turn);
    is_called = n > r->taken && n > r->size;
    (void)pthread_mutex_unlock(&r->lock);
    return is_called;
}
