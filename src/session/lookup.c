/*
 * lookup.c: a Query that comes again and again with another key is sent as a prepared statement.
 *
 *     Query  SELECT … WHERE id = 17      first times: Query, as any other
 *     Query  SELECT … WHERE id = 42      from then on: [Parse … $1] Bind 42, Describe, Execute, Sync
 *                    └── one template                  └ once a connection
 *
 * PostgreSQL parses and plans a Query each time, which for a lookup takes most of its time, and more with the row
 * filters and masks that Gatehouse writes into it. What is prepared is the template of the plan cache, so it is what was
 * judged for these very texts, and another policy, catalog or path has another template. Only what the rewriter calls
 * a lookup (gh_plan.is_lookup) is sent this way, outside of a transaction, with nothing else under way.
 *
 * To the client it is a Query still: it sees RowDescription, rows, CommandComplete and ReadyForQuery. What fails
 * before it runs (the table changed its columns, a value that its type does not take) has done nothing: it is sent
 * again as the Query that it was, whose answer is the client's.
 *
 * Names are drawn at random, so that no client can use or close by name what is not its own.
 */
#include "lookup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define USES_BEFORE 3 /* as Queries: what comes once or twice is not worth a Parse */

static void forget(gh_lookup *l)
{
    gh_plan_set_release(l->origin);
    *l = (gh_lookup){ 0 };
}

void gh_lookups_fini(gh_lookups *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        forget(&t->items[i]);
    free(t->items);
    *t = (gh_lookups){ 0 };
}

void gh_lookups_renew(gh_lookups *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        t->items[i].is_upstream = false;
}

/* A place for one more: a new one, or that of what was used longest ago, whose name it takes over. */
static gh_lookup *make_place(gh_lookups *t)
{
    gh_lookup *oldest = t->items;

    if (t->count < GH_SESSION_LOOKUPS_MAX) {
        if (t->count == t->cap) {
            t->cap = t->cap == 0 ? 4 : t->cap * 2;
            t->items = gh_realloc_array(t->items, t->cap, sizeof(*t->items));
        }
        t->items[t->count] = (gh_lookup){ 0 };
        return &t->items[t->count++];
    }
    for (uint32_t i = 1; i < t->count; i++) {
        if (t->items[i].used_at < oldest->used_at)
            oldest = &t->items[i];
    }
    forget(oldest);
    return oldest;
}

gh_lookup *gh_lookup_use(gh_lookups *t, gh_plan_set *origin)
{
    gh_lookup *l = NULL;

    for (uint32_t i = 0; i < t->count && l == NULL; i++) {
        if (t->items[i].origin == origin)
            l = &t->items[i];
    }
    if (l == NULL) {
        l = make_place(t);
        l->origin = gh_plan_set_acquire(origin);
        l->serial = ++t->clock;
    }
    l->used_at = ++t->clock;
    if (l->uses <= USES_BEFORE)
        l->uses++;
    return l;
}

bool gh_lookup_is_due(const gh_lookup *l)
{
    return l->uses > USES_BEFORE && !l->is_barred;
}

/* ---- sending --------------------------------------------------------------------------------- */

gh_str gh_lookup_name(gh_lookups *t, const gh_lookup *l, char name[GH_LOOKUP_NAME_MAX])
{
    int len;

    if (t->key == 0)
        gh_env_random(&t->key, sizeof(t->key));
    len = snprintf(name, GH_LOOKUP_NAME_MAX, "gatehouse_%016" PRIx64 "_%u", t->key,
                   (unsigned)(l - t->items));
    return (gh_str){ name, (size_t)len };
}

gh_expect *gh_lookup_push(gh_session *s, gh_expect_kind kind, bool is_swallowed)
{
    gh_expect *e = gh_session_push(s, kind);

    e->is_lookup = true;
    e->is_swallowed = is_swallowed;
    return e;
}

/* Numbers are of the type that they have as constants, strings of none. */
static void put_parse(gh_session *s, gh_str name, gh_str sql, gh_str text, const gh_template *t)
{
    size_t at = gh_wire_begin(&s->up_out, GH_WIRE_F_PARSE);

    gh_wire_put_string(&s->up_out, name);
    gh_wire_put_string(&s->up_out, sql);
    gh_buf_put_u16(&s->up_out, (uint16_t)t->slot_count);
    for (uint32_t i = 0; i < t->slot_count; i++)
        gh_buf_put_u32(&s->up_out, text.ptr[t->slots[i].start] == '\'' ? 0 : GH_OID_INT4);
    gh_wire_end(&s->up_out, at);
}

/* What the place held before under that name is closed first. */
static void prepare(gh_session *s, gh_lookup *l, gh_str name, gh_str text)
{
    gh_expect *e = gh_lookup_push(s, GH_EXPECT_CLOSE, true);

    gh_wire_put_close(&s->up_out, 'S', name);
    gh_session_pushed(s, e);
    e = gh_lookup_push(s, GH_EXPECT_PARSE, true);
    put_parse(s, name, gh_template_prepared(l->origin), text, s->env->template);
    gh_session_pushed(s, e);
    l->is_upstream = true;
}

static void put_bind(gh_session *s, gh_str name, gh_str text)
{
    const gh_template *t = s->env->template;
    gh_wire_value values[GH_TEMPLATE_SLOTS_MAX];
    gh_expect *e = gh_lookup_push(s, GH_EXPECT_BIND, true);

    for (uint32_t i = 0; i < t->slot_count; i++)
        values[i] = (gh_wire_value){ .bytes = gh_template_value(text, t->slots[i]) };
    gh_wire_put_bind_text(&s->up_out, GH_STR(""), name, values, t->slot_count, 0);
    gh_session_pushed(s, e);
}

static void execute(gh_session *s, gh_plan_set *set)
{
    gh_expect *e = gh_lookup_push(s, GH_EXPECT_DESCRIBE_PORTAL, false);
    gh_err err;

    gh_err_init(&err);
    e->set = gh_plan_set_acquire(set);
    gh_wire_put_describe(&s->up_out, 'P', GH_STR(""));
    gh_session_pushed(s, e);
    e = gh_lookup_push(s, GH_EXPECT_EXECUTE, false);
    e->set = gh_plan_set_acquire(set);
    if (gh_session_record_intent(s, e, &err) == GH_OK) {
        gh_wire_put_execute(&s->up_out, GH_STR(""), 0);
        gh_session_pushed(s, e);
    } else {
        gh_expect_pop_last(&s->queue);
        gh_session_refuse(s, true, &err);
    }
    e = gh_lookup_push(s, GH_EXPECT_SYNC, false);
    gh_wire_put_empty(&s->up_out, GH_WIRE_F_SYNC);
    gh_session_pushed(s, e);
}

bool gh_lookup_may_begin(const gh_session *s)
{
    return s->queue.count == 0 && s->tx_status == GH_WIRE_TX_IDLE && !s->is_mid_batch &&
           !s->is_skipping && !s->is_bypass && !s->is_observed && !s->temporary.is_stale &&
           !s->temporary.is_touched;
}

bool gh_session_send_lookup(gh_session *s, gh_plan_set *set)
{
    char name_bytes[GH_LOOKUP_NAME_MAX];
    gh_lookup *l;
    gh_str name;

    if (set->origin == NULL || gh_template_prepared(set->origin).len == 0 ||
        !gh_lookup_may_begin(s))
        return false;
    l = gh_lookup_use(&s->lookups, set->origin);
    if (!gh_lookup_is_due(l) || !gh_template_scan(set->source, s->env->template))
        return false;
    name = gh_lookup_name(&s->lookups, l, name_bytes);
    if (!l->is_upstream)
        prepare(s, l, name, set->source);
    put_bind(s, name, set->source);
    execute(s, set);
    return true;
}

/* ---- failing --------------------------------------------------------------------------------- */

static void bar(gh_lookups *t, const gh_plan_set *origin)
{
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->items[i].origin == origin)
            t->items[i].is_barred = true;
    }
}

/*
 * Again, unless the statement itself ended, or something was sent behind it: a pipeline of Queries, which would be
 * answered out of order.
 */
bool gh_session_retry_lookup(gh_session *s, gh_str sqlstate)
{
    const gh_expect *head = gh_expect_head(&s->queue);
    uint32_t sync = gh_expect_until_sync(&s->queue);
    gh_expect *last = gh_expect_at(&s->queue, sync);
    const gh_expect *run = sync > 0 ? gh_expect_at(&s->queue, sync - 1) : NULL;

    if (head == NULL || !head->is_lookup || head->is_stand_in || head->kind == GH_EXPECT_EXECUTE ||
        head->kind == GH_EXPECT_SYNC)
        return false;
    gh_lookups_renew(&s->lookups); /* what is not there any more may be the reason */
    if (run != NULL && run->set != NULL)
        bar(&s->lookups, run->set->origin);
    if (sync + 1 != s->queue.count || run->kind != GH_EXPECT_EXECUTE || run->refusal != NULL ||
        (sqlstate.len > 2 && memcmp(sqlstate.ptr, "57", 2) == 0))
        return false;
    last->set = gh_plan_set_acquire(run->set);
    s->has_barrier = true;
    s->barrier = s->queue.popped + sync;
    return true;
}

bool gh_session_end_lookup(gh_session *s)
{
    const gh_expect *e = gh_expect_head(&s->queue);
    gh_plan_set *set = e->set;

    if (!e->is_lookup || set == NULL)
        return false;
    (void)gh_plan_set_acquire(set);
    gh_expect_pop(&s->queue);
    gh_session_query_again(s, set->source);
    gh_plan_set_release(set);
    return true;
}
