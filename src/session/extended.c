/*
 * extended.c: Parse, Bind, Describe, Execute, Close, Flush, Sync.
 *
 *     Parse ───▶ judge ─▶ statement {source, plans, scope} ─▶ Parse upstream, under the client's own name
 *     Bind ────▶ scope still the same? ─no─▶ judge the source again ─▶ same text: go on;
 *                                                                      other: Close + Parse upstream first
 *     Execute ─▶ the same for the portal; a portal cannot be made anew, so other text means refused
 *
 * The tables change when a message is sent, not when it is answered, since the messages behind it
 * are judged before; an error undoes what the failed message and those behind it did
 * (gh_session_undo). Behind a Sync that is not answered the tables are a guess: what they would have
 * refused here waits for the answer (is_uncertain).
 *
 * SECURITY: a policy change between Parse, Bind and Execute must count. Attack: tests/protocol,
 * policy_between_parse_and_bind.
 */
#include "lookup.h"

#include <stdlib.h>

/* ---- refusals -------------------------------------------------------------------------------- */

static void refuse_count(gh_session *s, const char *what)
{
    gh_err err = { 0 };

    gh_session_say(&err, "54000", "too many %s in one session", what);
    gh_session_refuse(s, true, &err);
}

static void refuse_recorded(gh_session *s, gh_str sql, gh_plan_set *set, const gh_err *err)
{
    gh_err failed = { 0 };

    if (gh_session_record_refusal(s, sql, set, err, &failed) != GH_OK)
        gh_session_refuse(s, true, &failed);
    else
        gh_session_refuse(s, true, err);
}

static void refuse_statement(gh_session *s, gh_str name)
{
    gh_err err = { 0 };

    if (name.len == 0)
        gh_session_say(&err, "26000", "unnamed prepared statement does not exist");
    else
        gh_session_say(&err, "26000", "prepared statement \"" GH_STR_FMT "\" does not exist",
                       GH_STR_ARG(name));
    gh_session_refuse(s, true, &err);
}

static void refuse_portal(gh_session *s, gh_str name)
{
    gh_err err = { 0 };

    gh_session_say(&err, "34000", "portal \"" GH_STR_FMT "\" does not exist", GH_STR_ARG(name));
    gh_session_refuse(s, true, &err);
}

/*
 * Is it not known yet whether the messages before some Sync failed? Then the next one is not to be refused by
 * what the tables say of them; it is taken again when they are answered.
 */
static bool is_uncertain(gh_session *s)
{
    for (uint32_t i = s->queue.count; i > 0; i--) {
        if (gh_expect_at(&s->queue, i - 1)->kind != GH_EXPECT_SYNC)
            continue;
        s->has_barrier = true;
        s->barrier = s->queue.popped + i - 1;
        return true;
    }
    return false;
}

/* ---- undoing --------------------------------------------------------------------------------- */

/*
 * Parse of the unnamed statement takes away the one before, whether it then fails or not; so does a Query, also one
 * that was sent behind the Sync which ends the skipping.
 */
static bool has_dropped_unnamed(const gh_session *s, const gh_expect *e)
{
    if (e->replaced == NULL || e->replaced->name_len != 0)
        return false;
    if (e == gh_expect_head(&s->queue))
        return true;
    for (uint32_t i = gh_expect_until_sync(&s->queue); i < s->queue.count; i++) {
        if (gh_expect_at(&s->queue, i)->kind == GH_EXPECT_QUERY)
            return true;
    }
    return false;
}

void gh_session_drop_unnamed(gh_session *s)
{
    gh_expect *e = gh_expect_at(&s->queue, s->queue.count - 1);

    if (e->replaced == NULL)
        e->replaced = gh_names_take(&s->statements, GH_STR(""));
}

static void undo_entry(gh_names *t, gh_expect *e)
{
    if (e->named != NULL && e->named->is_in_table)
        gh_named_release(gh_names_take(t, gh_named_name(e->named)));
    if (e->replaced != NULL && !e->replaced->is_in_table &&
        gh_names_find(t, gh_named_name(e->replaced)) == NULL)
        gh_named_release(gh_names_put(t, e->replaced));
}

void gh_session_undo(gh_session *s, gh_expect *e)
{
    if (e->is_temporary || e->is_lookup) /* of no client's name */
        return;
    switch (e->kind) {
    case GH_EXPECT_PARSE:
        if (e->is_swallowed) {
            e->named->is_upstream = false;
            break;
        }
        if (has_dropped_unnamed(s, e)) {
            gh_named_release(e->replaced);
            e->replaced = NULL;
        }
        undo_entry(&s->statements, e);
        break;
    case GH_EXPECT_BIND:
        undo_entry(&s->portals, e);
        break;
    case GH_EXPECT_CLOSE: {
        gh_names *t = e->is_portal ? &s->portals : &s->statements;

        if (e->named != NULL && e->is_swallowed)
            gh_session_undo_eviction(s, e->named);
        else if (e->named != NULL && !e->named->is_in_table &&
                 gh_names_find(t, gh_named_name(e->named)) == NULL)
            gh_named_release(gh_names_put(t, e->named));
        break;
    }
    case GH_EXPECT_QUERY: /* skipped */
        if (!has_dropped_unnamed(s, e))
            undo_entry(&s->statements, e);
        break;
    case GH_EXPECT_NONE:
    case GH_EXPECT_DESCRIBE_STATEMENT:
    case GH_EXPECT_DESCRIBE_PORTAL:
    case GH_EXPECT_EXECUTE:
    case GH_EXPECT_SYNC:
        break;
    }
}

/* ---- Parse ----------------------------------------------------------------------------------- */

static gh_oid *copy_types(gh_wire_ints types)
{
    gh_oid *to;

    if (types.len == 0)
        return NULL;
    to = gh_alloc(types.len * sizeof(*to));
    for (size_t i = 0; i < types.len; i++)
        to[i] = gh_wire_u32_at(types, i);
    return to;
}

static gh_str text_to_send(const gh_plan_set *set)
{
    return gh_plan_set_is_raw(set) ? set->source : set->query;
}

/* The same words mean the same only where they are sent in the same mode: mode.c. */
static bool is_same_to_send(const gh_plan_set *a, const gh_plan_set *b)
{
    return gh_plan_set_is_raw(a) == gh_plan_set_is_raw(b) &&
           gh_str_eq(text_to_send(a), text_to_send(b));
}

void gh_session_put_parse(gh_session *s, gh_str name, const gh_named *n)
{
    size_t at = gh_wire_begin(&s->up_out, GH_WIRE_F_PARSE);

    gh_wire_put_string(&s->up_out, name);
    gh_wire_put_string(&s->up_out, text_to_send(n->set));
    gh_buf_put_u16(&s->up_out, n->type_count);
    for (size_t i = 0; i < n->type_count; i++)
        gh_buf_put_u32(&s->up_out, n->types[i]);
    gh_wire_end(&s->up_out, at);
}

static void send_parse(gh_session *s, const gh_wire_parse *msg, gh_oid *types, gh_plan_set *set)
{
    gh_named *n = gh_named_new(msg->name, set, s->scope);
    bool is_silent;
    gh_expect *e;

    n->types = types;
    n->type_count = msg->types.len;
    n->is_upstream = true;
    gh_session_use_statement(s, n);
    is_silent = gh_session_parse_lookup(s, n);
    e = gh_session_push(s, GH_EXPECT_PARSE);
    e->is_silent = is_silent;
    e->set = gh_plan_set_acquire(set);
    s->leaves_setting = s->leaves_setting || set->names_setting;
    e->named = n;
    e->replaced = gh_names_put(&s->statements, e->named);
    if (!is_silent)
        gh_session_put_parse(s, gh_named_name(n), n);
    gh_session_pushed(s, e);
}

/*
 * A name that is there already: PostgreSQL looks at the text first and then says so. Nothing behind it is judged
 * before, since the name would mean another text.
 */
static void send_parse_again(gh_session *s, const gh_wire_parse *msg, gh_oid *types,
                             gh_plan_set *set, gh_named *found)
{
    if (!found->is_sql && !found->is_upstream)
        gh_session_prepare_upstream(s, found);
    else
        gh_session_use_statement(s, found);
    send_parse(s, msg, types, set);
    gh_session_set_barrier(s);
}

bool gh_session_parse(gh_session *s, gh_str body)
{
    gh_wire_parse msg;
    gh_named *found;
    gh_plan_set *set = NULL;
    gh_oid *types;
    gh_err err;
    gh_rc rc;

    gh_err_init(&err);
    if (!gh_session_refresh(s))
        return true;
    if (gh_wire_decode_parse(body, &msg, &err) != GH_OK) {
        gh_session_refuse(s, true, &err);
        return true;
    }
    if (s->statements.count >= GH_SESSION_STATEMENTS_MAX) {
        refuse_count(s, "prepared statements");
        return true;
    }
    types = copy_types(msg.types);
    rc = gh_session_judge_or_wait(s, msg.sql, types, msg.types.len, true, &set, &err);
    if (rc == GH_AGAIN) {
        free(types);
        return false;
    }
    if (rc == GH_OK)
        rc = gh_session_check_mode(s, set, &err);
    if (rc != GH_OK)
        refuse_recorded(s, msg.sql, NULL, &err);
    else if (!set->is_refused) {
        found = msg.name.len > 0 ? gh_names_find(&s->statements, msg.name) : NULL;
        if (found != NULL)
            send_parse_again(s, &msg, types, set, found);
        else
            send_parse(s, &msg, types, set);
        types = NULL;
    } else if (gh_session_wait_catalog(s, msg.sql, types, msg.types.len, true,
                                       &set->plans[set->count - 1].error)) {
        free(types);
        gh_plan_set_release(set);
        gh_timer_start(s->timer, GH_CATALOG_TIMEOUT_MS);
        return false;
    } else
        refuse_recorded(s, msg.sql, set, &set->plans[set->count - 1].error);
    if (msg.name.len == 0 && (rc != GH_OK || set->is_refused))
        gh_session_drop_unnamed(s);
    free(types);
    gh_plan_set_release(set);
    return true;
}

/* ---- statements that outlive what they were judged by ---------------------------------------- */

/* Judged by what holds now; false: refused, and that was sent. */
static bool judge_again(gh_session *s, gh_named *n)
{
    gh_plan_set *set = NULL;
    gh_err err = { 0 };

    if (gh_session_judge(s, n->set->source, n->types, n->type_count, true, &set, &err) != GH_OK) {
        refuse_recorded(s, n->set->source, NULL, &err);
        return false;
    }
    if (set->is_refused) {
        refuse_recorded(s, n->set->source, set, &set->plans[set->count - 1].error);
        gh_plan_set_release(set);
        return false;
    }
    if (!is_same_to_send(set, n->set))
        n->is_upstream = false;
    gh_plan_set_release(n->set);
    n->set = set;
    n->scope = s->scope;
    return true;
}

void gh_session_prepare_upstream(gh_session *s, gh_named *n)
{
    gh_expect *e;

    n->is_upstream = true;
    n->lookup = 0;
    gh_session_use_statement(s, n);
    e = gh_session_push(s, GH_EXPECT_CLOSE);
    e->is_swallowed = true;
    gh_wire_put_close(&s->up_out, 'S', gh_named_name(n));
    gh_session_pushed(s, e);
    e = gh_session_push(s, GH_EXPECT_PARSE);
    e->is_swallowed = true;
    e->named = gh_named_acquire(n);
    gh_session_put_parse(s, gh_named_name(n), n);
    gh_session_pushed(s, e);
}

static bool make_current(gh_session *s, gh_named *n)
{
    gh_err err;

    gh_err_init(&err);
    if (gh_session_check_mode(s, n->set, &err) != GH_OK) {
        refuse_recorded(s, n->set->source, NULL, &err);
        return false;
    }
    if (n->is_sql) {
        if (gh_session_check_named(s, n, &err) == GH_OK)
            return true;
        refuse_recorded(s, n->set->source, NULL, &err);
        return false;
    }
    if ((n->scope != s->scope || !n->set->is_cacheable) && !judge_again(s, n))
        return false;
    if (n->is_upstream && (n->lookup == 0 || gh_session_has_stand_in(s, n)))
        gh_session_use_statement(s, n);
    else
        gh_session_prepare_upstream(s, n);
    return true;
}

/* An open portal shows what it was bound to: go on only if that is what would be bound now. */
static bool is_current(gh_session *s, gh_named *portal)
{
    const gh_named *n = portal->statement;
    gh_plan_set *set = NULL;
    gh_err err;

    gh_err_init(&err);
    if (gh_session_check_mode(s, portal->set, &err) != GH_OK) {
        refuse_recorded(s, portal->set->source, NULL, &err);
        return false;
    }
    if (portal->scope == s->scope)
        return true;
    if (n == NULL || n->is_sql) {
        if (gh_session_check_named(s, portal, &err) == GH_OK)
            return true;
        refuse_recorded(s, portal->set->source, NULL, &err);
        return false;
    }
    if (gh_session_judge(s, portal->set->source, n->types, n->type_count, true, &set, &err) !=
        GH_OK) {
        refuse_recorded(s, portal->set->source, NULL, &err);
        return false;
    }
    if (!set->is_refused && is_same_to_send(set, portal->set)) {
        portal->scope = s->scope;
        gh_plan_set_release(set);
        return true;
    }
    if (set->is_refused)
        err = set->plans[set->count - 1].error;
    else
        gh_session_say(&err, "42501", "the policy changed since the portal was opened");
    refuse_recorded(s, portal->set->source, set, &err);
    gh_plan_set_release(set);
    return false;
}

/* ---- Bind ------------------------------------------------------------------------------------ */

/* The statement that a Bind names, ready upstream; NULL: refused, and that was sent, or *waits. */
static gh_named *bound_statement(gh_session *s, gh_str name, size_t len, bool *waits)
{
    gh_named *n = gh_names_find(&s->statements, name);

    gh_session_settle_parse(s, n, len);
    *waits = n == NULL && is_uncertain(s);
    if (*waits)
        return NULL;
    if (n == NULL) {
        refuse_statement(s, name);
        return NULL;
    }
    if (s->portals.count >= GH_SESSION_STATEMENTS_MAX) {
        refuse_count(s, "portals");
        return NULL;
    }
    if (!make_current(s, n))
        return NULL;
    gh_session_restore_named(s, n->set, false);
    return n;
}

static gh_expect *push_bind(gh_session *s, gh_str portal, gh_named *statement)
{
    gh_expect *e = gh_session_push(s, GH_EXPECT_BIND);

    e->named = gh_named_new(portal, statement->set, statement->scope);
    e->named->statement = gh_named_acquire(statement);
    e->named->is_sql = statement->is_sql;
    e->named->batch = s->batches;
    e->set = gh_plan_set_acquire(statement->set);
    e->replaced = gh_names_put(&s->portals, e->named);
    return e;
}

static bool strips_column(const gh_session *s, const gh_plan_set *set)
{
    return set->count == 1 && gh_session_answering(s, &set->plans[0])->strips_column;
}

/* A format for each column of the result needs one more where Gatehouse's check is the last column. */
static void put_bind(gh_session *s, const gh_wire_bind *msg, const gh_named *statement)
{
    const gh_plan_set *set = statement->set;
    char place[GH_LOOKUP_NAME_MAX];
    gh_str name = gh_session_upstream_name(s, statement, place);
    bool has_check = strips_column(s, set) && msg->result_formats.len > 1;
    size_t formats = (size_t)msg->result_formats.len * 2;
    gh_buf tail;

    if (!has_check || msg->tail.len < formats + 2) {
        gh_wire_put_bind(&s->up_out, msg->portal, name, msg->tail);
        return;
    }
    gh_buf_init(&tail, 0);
    gh_buf_put(&tail, msg->tail.ptr, msg->tail.len - formats - 2);
    gh_buf_put_u16(&tail, (uint16_t)(msg->result_formats.len + 1));
    gh_buf_put(&tail, msg->tail.ptr + msg->tail.len - formats, formats);
    gh_buf_put_u16(&tail, 0);
    gh_wire_put_bind(&s->up_out, msg->portal, name, gh_buf_str(&tail));
    gh_buf_fini(&tail);
}

/* A message that is none; PostgreSQL looks for the statement before it reads on. */
static void refuse_bind(gh_session *s, gh_str body, const gh_err *err)
{
    gh_rd r = { body.ptr, body.ptr + body.len, false };
    gh_str name;

    (void)gh_rd_cstr(&r);
    name = gh_rd_cstr(&r);
    if (!r.failed && gh_names_find(&s->statements, name) == NULL)
        refuse_statement(s, name);
    else
        gh_session_refuse(s, true, err);
}

bool gh_session_bind(gh_session *s, gh_str body)
{
    gh_wire_bind msg;
    gh_named *statement;
    gh_err err;
    gh_expect *e;
    char *value = NULL;
    bool waits;

    gh_err_init(&err);
    if (!gh_session_refresh(s))
        return true;
    if (gh_wire_decode_bind(body, &msg, &err) != GH_OK) {
        if (is_uncertain(s))
            return false;
        gh_session_settle_parse(s, NULL, 0);
        refuse_bind(s, body, &err);
        return true;
    }
    statement = bound_statement(s, msg.statement, body.len, &waits);
    if (statement == NULL)
        return !waits;
    if (gh_session_bind_value(s, &msg, statement->set, &value, &err) != GH_OK) {
        refuse_recorded(s, statement->set->source, NULL, &err);
        return true;
    }
    e = push_bind(s, msg.portal, statement);
    e->named->value = value;
    put_bind(s, &msg, statement);
    gh_session_pushed(s, e);
    return true;
}

static gh_str cut_name(gh_str name)
{
    if (name.len > GH_WIRE_NAME_MAX)
        name.len = GH_WIRE_NAME_MAX;
    return name;
}

size_t gh_session_bind_large(gh_session *s, const gh_wire_frame *f)
{
    gh_rd r = { f->body.ptr, f->body.ptr + f->body.len, false };
    gh_str portal = gh_rd_cstr(&r);
    gh_str name = gh_rd_cstr(&r);
    gh_named *statement;
    gh_err err = { 0 };
    gh_expect *e;
    size_t names;
    bool waits;

    s->client_left = f->body_len;
    s->is_dropping = true;
    if (r.failed) {
        if (f->body.len < GH_RELAY_BUFFER_BYTES / 2) {
            s->client_left = 0;
            return 0;
        }
        gh_session_say(&err, "08P01", "invalid string in message");
        gh_session_refuse(s, true, &err);
        return f->header_len;
    }
    names = portal.len + name.len + 2;
    if (!gh_session_refresh(s))
        return f->header_len;
    statement = bound_statement(s, cut_name(name), f->body_len, &waits);
    if (statement == NULL && waits) {
        s->client_left = 0;
        return 0;
    }
    if (statement == NULL)
        return f->header_len;
    if (gh_session_sets_bound(statement->set)) {
        gh_session_say(&err, "54000", "the value is longer than %d bytes", GH_RELAY_BUFFER_BYTES);
        gh_session_refuse(s, true, &err);
        return f->header_len;
    }
    /* Its formats, which come last, decide how long the message becomes (put_bind). */
    if (strips_column(s, statement->set) && f->body_len <= s->env->o.statement_bytes) {
        s->client_left = 0;
        return 0;
    }
    e = push_bind(s, cut_name(portal), statement);
    gh_buf_put_u8(&s->up_out, GH_WIRE_F_BIND);
    gh_buf_put_u32(&s->up_out, (uint32_t)(f->body_len - names + cut_name(portal).len +
                                          cut_name(name).len + 2 + 4));
    gh_wire_put_string(&s->up_out, cut_name(portal));
    gh_wire_put_string(&s->up_out, cut_name(name));
    gh_session_pushed(s, e);
    s->client_left = f->body_len - names;
    s->is_dropping = false;
    return f->header_len + names;
}

/* ---- Describe, Execute, Close ---------------------------------------------------------------- */

/* `n`: what it names; NULL: something that only the upstream knows. */
static void push_describe(gh_session *s, const gh_wire_target *t, const gh_named *n)
{
    char place[GH_LOOKUP_NAME_MAX];
    gh_expect *e = gh_session_push(s, t->kind == 'S' ? GH_EXPECT_DESCRIBE_STATEMENT
                                                     : GH_EXPECT_DESCRIBE_PORTAL);

    e->set = n != NULL ? gh_plan_set_acquire(n->set) : NULL;
    gh_wire_put_describe(&s->up_out, t->kind,
                         n != NULL ? gh_session_upstream_name(s, n, place) : t->name);
    gh_session_pushed(s, e);
}

bool gh_session_describe(gh_session *s, gh_str body)
{
    gh_wire_target msg;
    gh_named *n;
    gh_err err;

    gh_err_init(&err);
    if (!gh_session_refresh(s))
        return true;
    if (gh_wire_decode_describe(body, &msg, &err) != GH_OK) {
        gh_session_settle_parse(s, NULL, 0);
        gh_session_refuse(s, true, &err);
        return true;
    }
    n = gh_names_find(msg.kind == 'S' ? &s->statements : &s->portals, msg.name);
    gh_session_settle_parse(s, n, body.len);
    if (n == NULL) {
        if (s->is_bypass) /* made by SQL: the upstream knows */
            push_describe(s, &msg, NULL);
        else if (is_uncertain(s))
            return false;
        else if (msg.kind == 'S')
            refuse_statement(s, msg.name);
        else
            refuse_portal(s, msg.name);
        return true;
    }
    if (msg.kind == 'S' ? make_current(s, n) : is_current(s, n)) {
        gh_session_restore_named(s, n->set, false);
        push_describe(s, &msg, n);
    }
    return true;
}

static void send_execute(gh_session *s, const gh_wire_execute *msg, gh_named *portal)
{
    gh_expect *e;
    gh_err err;

    gh_err_init(&err);
    gh_session_restore_named(s, portal->set, false);
    e = gh_session_push(s, GH_EXPECT_EXECUTE);
    if (!gh_session_only_reads(s, portal->set))
        s->wrote_batch = e->batch + 1;
    e->set = gh_plan_set_acquire(portal->set);
    e->named = gh_named_acquire(portal);
    if (gh_session_check_names(s, portal->set, &err) != GH_OK ||
        gh_session_record_intent(s, e, &err) != GH_OK) {
        gh_expect_pop_last(&s->queue);
        gh_session_refuse(s, true, &err);
        return;
    }
    /* A write whose result the client did not ask for must not stop in the middle of it. */
    gh_wire_put_execute(&s->up_out, msg->portal,
                        portal->set->count == 1 &&
                                gh_session_answering(s, &portal->set->plans[0])->strips_result
                            ? 0
                            : msg->rows_max);
    gh_session_pushed(s, e);
    if (gh_session_needs_barrier(s, portal->set))
        gh_session_set_barrier(s);
}

bool gh_session_execute(gh_session *s, gh_str body)
{
    gh_wire_execute msg;
    gh_named *portal;
    gh_err err;

    gh_err_init(&err);
    if (!gh_session_refresh(s))
        return true;
    if (gh_wire_decode_execute(body, &msg, &err) != GH_OK) {
        gh_session_refuse(s, true, &err);
        return true;
    }
    portal = gh_names_find(&s->portals, msg.portal);
    if (portal == NULL && is_uncertain(s))
        return false;
    if (portal == NULL)
        refuse_portal(s, msg.portal);
    else if (is_current(s, portal))
        send_execute(s, &msg, portal);
    return true;
}

void gh_session_close_name(gh_session *s, gh_str body)
{
    gh_wire_target msg;
    gh_err err = { 0 };
    gh_expect *e;

    if (gh_wire_decode_close(body, &msg, &err) != GH_OK) {
        gh_session_refuse(s, true, &err);
        return;
    }
    e = gh_session_push(s, GH_EXPECT_CLOSE);
    e->is_portal = msg.kind == 'P';
    e->named = gh_names_take(e->is_portal ? &s->portals : &s->statements, msg.name);
    gh_session_forget_use(s, e->named);
    gh_wire_put_close(&s->up_out, msg.kind, msg.name);
    gh_session_pushed(s, e);
}

static bool has_no_body(gh_session *s, gh_str body, bool is_extended)
{
    gh_err err;

    gh_err_init(&err);
    if (body.len == 0)
        return true;
    gh_session_say(&err, "08P01", "invalid message format");
    gh_session_refuse(s, is_extended, &err);
    return false;
}

void gh_session_flush_message(gh_session *s, gh_str body)
{
    if (!has_no_body(s, body, true))
        return;
    gh_env_lend(s->env, &s->up_out);
    gh_wire_put_empty(&s->up_out, GH_WIRE_F_FLUSH);
    gh_session_mark(s);
}

void gh_session_sync(gh_session *s, gh_str body)
{
    gh_expect *e = gh_session_push(s, GH_EXPECT_SYNC);

    s->is_skipping = false;
    /* One with a body ends the skipping too, and is an error. */
    e->is_swallowed = body.len > 0;
    gh_wire_put_empty(&s->up_out, GH_WIRE_F_SYNC);
    gh_session_pushed(s, e);
    /* The end of its transaction may take away what the pipeline made. */
    if (s->temporary.is_touched)
        gh_session_set_barrier(s);
    (void)has_no_body(s, body, false);
}
