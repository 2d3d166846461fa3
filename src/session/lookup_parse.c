/*
 * lookup_parse.c: the unnamed statement that comes again and again stands for one that was prepared before.
 *
 *     Parse "" SELECT … WHERE id = $1     first times: as it is
 *     Parse "" SELECT … WHERE id = $1     from then on, with what comes behind it:
 *     Bind "" → "", Describe, Execute     Bind "gatehouse_…" → "", Describe, Execute
 *     Sync                                Sync
 *
 * What most drivers send for a statement with parameters makes PostgreSQL parse and plan it each time. Which statements
 * are worth more, and under which names, is as for Queries: lookup.c. What is prepared has the very text and parameter
 * types of the client's Parse, whose answer is told when that of the next message comes.
 *
 * A statement that was prepared a while ago may be out of date where one that is parsed now is not: the table changed its
 * columns. So the client's messages from Parse to Sync are kept, and where the upstream refuses what comes behind
 * Parse, nothing of which has run, the client is not told and all of it is taken once more, without this. Once
 * something of it was answered the upstream has looked at the statement, which is then like any that was parsed before.
 */
#include "lookup.h"

static gh_lookup *stand_in(const gh_session *s, const gh_named *n)
{
    for (uint32_t i = 0; i < s->lookups.count; i++) {
        gh_lookup *l = &s->lookups.items[i];

        if (l->serial == n->lookup)
            return l;
    }
    return NULL;
}

static gh_expect *newest(const gh_session *s)
{
    return s->queue.count > 0 ? gh_expect_at(&s->queue, s->queue.count - 1) : NULL;
}

/* ---- the client's messages ------------------------------------------------------------------- */

static void begin_keeping(gh_session *s)
{
    gh_env_lend(s->env, &s->kept.bytes);
    gh_buf_clear(&s->kept.bytes);
    s->kept.is_on = true;
    s->kept.is_whole = false;
    s->kept.batch = s->batches + 1;
}

void gh_session_stop_keeping(gh_session *s)
{
    if (s->kept.bytes.len == 0 && !s->kept.is_on)
        return;
    gh_buf_clear(&s->kept.bytes);
    gh_env_return(s->env, &s->kept.bytes);
    s->kept.is_on = false;
    s->kept.is_whole = false;
}

void gh_session_keep_message(gh_session *s, uint8_t type, gh_str message)
{
    if (!s->kept.is_on)
        return;
    if (message.len > GH_SESSION_KEPT_MAX - s->kept.bytes.len) {
        gh_session_stop_keeping(s);
        return;
    }
    gh_buf_put_str(&s->kept.bytes, message);
    if (type != GH_WIRE_F_SYNC)
        return;
    s->kept.is_on = false;
    s->kept.is_whole = true;
}

/* ---- sending --------------------------------------------------------------------------------- */

static void prepare(gh_session *s, gh_lookup *l, const gh_named *n, gh_str name)
{
    gh_expect *e = gh_lookup_push(s, GH_EXPECT_CLOSE, true);

    e->is_stand_in = true; /* what the place held before */
    gh_wire_put_close(&s->up_out, 'S', name);
    gh_session_pushed(s, e);
    e = gh_lookup_push(s, GH_EXPECT_PARSE, true);
    e->is_stand_in = true;
    gh_session_put_parse(s, name, n);
    gh_session_pushed(s, e);
    l->is_upstream = true;
}

bool gh_session_parse_lookup(gh_session *s, gh_named *n)
{
    const gh_plan_set *set = n->set;
    char name[GH_LOOKUP_NAME_MAX];
    gh_lookup *l;

    if (n->name_len > 0 || set->count != 1 || !set->plans[0].is_lookup || set->origin != NULL ||
        !set->is_cacheable || !gh_lookup_may_begin(s))
        return false;
    l = gh_lookup_use(&s->lookups, n->set);
    if (!gh_lookup_is_due(l))
        return false;
    n->lookup = l->serial;
    begin_keeping(s);
    if (!l->is_upstream)
        prepare(s, l, n, gh_lookup_name(&s->lookups, l, name));
    return true;
}

void gh_session_settle_parse(gh_session *s, const gh_named *next, size_t len)
{
    gh_expect *e = newest(s);

    if (e == NULL || !e->is_silent ||
        (e->named == next && len <= GH_SESSION_KEPT_MAX - s->kept.bytes.len))
        return;
    e->is_silent = false;
    e->named->lookup = 0;
    gh_session_put_parse(s, gh_named_name(e->named), e->named);
    gh_session_pushed(s, e);
    gh_session_stop_keeping(s);
}

bool gh_session_has_stand_in(const gh_session *s, const gh_named *n)
{
    const gh_lookup *l = n->lookup != 0 ? stand_in(s, n) : NULL;

    return l != NULL && l->is_upstream;
}

gh_str gh_session_upstream_name(gh_session *s, const gh_named *n, char *name)
{
    return n->lookup == 0 ? gh_named_name(n) : gh_lookup_name(&s->lookups, stand_in(s, n), name);
}

/* ---- answers --------------------------------------------------------------------------------- */

void gh_session_tell_parsed(gh_session *s)
{
    gh_expect *e = gh_expect_head(&s->queue);

    if (e == NULL || !e->is_silent)
        return;
    gh_wire_put_empty(gh_session_out(s), GH_WIRE_B_PARSE_COMPLETE);
    gh_buf_put_str(&s->out, gh_buf_str(&s->kept.parameters));
    gh_buf_fini(&s->kept.parameters);
    gh_expect_pop(&s->queue);
}

/* PostgreSQL tells of the parameters before it looks whether the result is what it was. */
bool gh_session_hold_parameters(gh_session *s, gh_str message)
{
    const gh_expect *head = gh_expect_head(&s->queue);
    gh_expect *next = gh_expect_at(&s->queue, 1);

    if (head == NULL || !head->is_silent || next == NULL ||
        next->kind != GH_EXPECT_DESCRIBE_STATEMENT || next->is_described)
        return false;
    next->is_described = true;
    gh_buf_put_str(&s->kept.parameters, message);
    return true;
}

/* Again, unless something was sent behind it, which would be answered out of order. */
bool gh_session_retry_batch(gh_session *s, gh_str sqlstate)
{
    const gh_expect *head = gh_expect_head(&s->queue);
    uint32_t sync = gh_expect_until_sync(&s->queue);

    if (head == NULL || !(head->is_silent || head->is_stand_in))
        return false;
    gh_lookups_renew(&s->lookups); /* what it was may be the reason */
    for (uint32_t i = 0; i < sync; i++) {
        const gh_expect *e = gh_expect_at(&s->queue, i);
        gh_lookup *l = e->is_silent ? stand_in(s, e->named) : NULL;

        if (l != NULL)
            l->uses = 0;
    }
    if (!s->kept.is_whole || sync + 1 != s->queue.count ||
        (sqlstate.len > 2 && memcmp(sqlstate.ptr, "57", 2) == 0))
        return false;
    gh_buf_fini(&s->kept.parameters);
    gh_expect_at(&s->queue, sync)->is_again = true;
    s->has_barrier = true;
    s->barrier = s->queue.popped + sync;
    return true;
}

/* The messages stand in front of what the client has sent since. */
static void take_again(gh_session *s)
{
    gh_buf_put_str(&s->kept.bytes, gh_buf_str(&s->in));
    gh_env_lend(s->env, &s->in);
    gh_buf_clear(&s->in);
    gh_buf_put_str(&s->in, gh_buf_str(&s->kept.bytes));
}

bool gh_session_end_batch(gh_session *s)
{
    const gh_expect *e = gh_expect_head(&s->queue);
    bool is_again = e->is_again;

    if (s->kept.bytes.len == 0 || e->batch < s->kept.batch)
        return false;
    if (is_again) {
        gh_expect_pop(&s->queue);
        take_again(s);
    }
    gh_session_stop_keeping(s);
    return is_again;
}
