/*
 * evict.c: of the statements that a session prepared, the upstream keeps the latest used only.
 *
 *     newest ─▶ s9 ─▶ s4 ─▶ ... ─▶ s2 ─▶ oldest     at most GH_SESSION_UPSTREAM_STATEMENTS_MAX
 *                                   └─ one too many: Close upstream; the session remembers its text
 *
 * One that is used again is prepared again first (gh_session_make_current). A portal that was bound
 * to it goes on without it. Made by SQL (PREPARE), unnamed, or of a user who bypasses: not listed,
 * never evicted.
 *
 * The list holds references: an entry that the session forgot in the meantime is just dropped.
 */
#include "session_priv.h"

static void unlink_named(gh_lru *l, gh_named *n)
{
    if (n->newer != NULL)
        n->newer->older = n->older;
    else
        l->newest = n->older;
    if (n->older != NULL)
        n->older->newer = n->newer;
    else
        l->oldest = n->newer;
    n->newer = NULL;
    n->older = NULL;
    n->is_listed = false;
    l->count--;
}

static void put_newest(gh_lru *l, gh_named *n)
{
    n->older = l->newest;
    if (n->older != NULL)
        n->older->newer = n;
    else
        l->oldest = n;
    l->newest = n;
    n->is_listed = true;
    l->count++;
}

static void put_oldest(gh_lru *l, gh_named *n)
{
    n->newer = l->oldest;
    if (n->newer != NULL)
        n->newer->older = n;
    else
        l->newest = n;
    l->oldest = n;
    n->is_listed = true;
    l->count++;
}

static void evict(gh_session *s, gh_named *n)
{
    gh_expect *e;

    unlink_named(&s->lru, n);
    if (!n->is_in_table || !n->is_upstream) {
        gh_named_release(n);
        return;
    }
    n->is_upstream = false;
    e = gh_session_push(s, GH_EXPECT_CLOSE);
    e->is_swallowed = true;
    e->named = n; /* with the list's reference */
    gh_wire_put_close(&s->up_out, 'S', gh_named_name(n));
    gh_session_pushed(s, e);
}

void gh_session_use_statement(gh_session *s, gh_named *n)
{
    if (n->is_sql || n->name_len == 0 || s->is_bypass)
        return;
    if (n->is_listed)
        unlink_named(&s->lru, n);
    else
        gh_named_acquire(n);
    put_newest(&s->lru, n);
    while (s->lru.count > GH_SESSION_UPSTREAM_STATEMENTS_MAX)
        evict(s, s->lru.oldest);
}

/* The upstream skipped the Close: it still has the statement. */
void gh_session_undo_eviction(gh_session *s, gh_named *n)
{
    n->is_upstream = true;
    if (n->is_listed)
        return;
    put_oldest(&s->lru, gh_named_acquire(n));
}

void gh_session_forget_use(gh_session *s, gh_named *n)
{
    if (n == NULL || !n->is_listed)
        return;
    unlink_named(&s->lru, n);
    gh_named_release(n);
}

void gh_session_forget_uses(gh_session *s)
{
    while (s->lru.oldest != NULL)
        gh_session_forget_use(s, s->lru.oldest);
}

/* SQL may name a statement that the protocol made: the upstream must have it to know it. */
void gh_session_restore_named(gh_session *s, const gh_plan_set *set, bool is_query)
{
    for (size_t i = 0; i < set->count; i++) {
        const gh_plan *p = &set->plans[i];
        gh_str name = p->name;
        gh_expect *e;
        gh_named *n;

        if (p->is_bypassed || name.len == 0 ||
            (p->kind != GH_STMT_EXECUTE && p->kind != GH_STMT_DEALLOCATE &&
             p->kind != GH_STMT_PREPARE))
            continue;
        n = gh_names_find(&s->statements, name);
        if (n == NULL || n->is_sql || n->is_upstream)
            continue;
        gh_session_prepare_upstream(s, n);
        if (!is_query)
            continue;
        /* After an error in Parse the upstream would skip the Query as well. */
        e = gh_session_push(s, GH_EXPECT_SYNC);
        e->is_swallowed = true;
        gh_wire_put_empty(&s->up_out, GH_WIRE_F_SYNC);
        gh_session_pushed(s, e);
    }
}
