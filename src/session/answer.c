/*
 * answer.c: what an answer means, by the entry that it answers.
 *
 *     1 Parse    2 Bind    3 Close         t, T, n  Describe
 *     T, D*, C, I, s, G, H  Query, Execute      Z  Query, Sync
 *     E, N, S, A  at any time
 *
 * A message that the entry at the head cannot have is no PostgreSQL's: the session ends rather than
 * guess.
 *
 * SECURITY: errors, notices and parameters are rebuilt from an allow-list of fields; nothing of the
 * upstream's text passes that error_public.c did not let through. Attack: tests/attack error-fields.
 */
#include "session_priv.h"

#include "error_public.h"
#include "error_rebuild.h"

#include <stdlib.h>

/* ---- what statements do to the session ------------------------------------------------------- */

static void forget_statement(gh_session *s, gh_str name)
{
    gh_named *n;

    if (name.len == 0) {
        gh_session_forget_uses(s);
        gh_names_clear(&s->statements);
        return;
    }
    n = gh_names_take(&s->statements, name);
    gh_session_forget_use(s, n);
    gh_named_release(n);
}

static void forget_portal(gh_session *s, gh_str name)
{
    if (name.len == 0)
        gh_names_clear(&s->portals);
    else
        gh_named_release(gh_names_take(&s->portals, name));
}

static void apply_path(gh_session *s, const gh_expect *e, const gh_plan *p)
{
    gh_path *path = NULL;

    if (p->kind == GH_STMT_SET && !gh_str_is(p->name, "search_path"))
        return;
    if (p->kind == GH_STMT_RESET && p->name.len > 0 && !gh_str_is(p->name, "search_path"))
        return;
    if (p->kind == GH_STMT_SET &&
        gh_path_new(gh_session_set_value(e, p), s->user, &path, NULL) != GH_OK)
        return;
    gh_settings_set(&s->settings, path, p->is_local);
    gh_path_release(path);
    if (p->kind == GH_STMT_RESET && p->name.len == 0)
        s->needs_init = true;
}

static void apply_rollback(gh_session *s)
{
    gh_settings_rollback(&s->settings);
    s->has_failed_since = false;
}

static void apply_discard(gh_session *s, const gh_plan *p)
{
    if (gh_str_is(p->name, "plans") || gh_str_is(p->name, "sequences") ||
        gh_str_is(p->name, "temp"))
        return;
    gh_session_forget_uses(s);
    gh_lookups_renew(&s->lookups);
    gh_names_clear(&s->statements);
    gh_names_clear(&s->portals);
    gh_settings_set(&s->settings, NULL, false);
    s->needs_init = true;
}

/* A statement is complete; `tag` is the upstream's word for it. */
static void apply(gh_session *s, const gh_expect *e, const gh_plan *p, gh_str tag)
{
    switch (p->kind) {
    case GH_STMT_SET:
    case GH_STMT_RESET:
        gh_lookups_renew(&s->lookups);
        apply_path(s, e, p);
        break;
    case GH_STMT_COMMIT:
        /* COMMIT of a failed transaction answers ROLLBACK, and is one. */
        if (gh_str_is(tag, "ROLLBACK"))
            apply_rollback(s);
        else
            gh_settings_commit(&s->settings);
        break;
    case GH_STMT_ROLLBACK:
        apply_rollback(s);
        break;
    case GH_STMT_SAVEPOINT:
        gh_settings_savepoint(&s->settings, p->name);
        break;
    case GH_STMT_RELEASE:
        gh_settings_release(&s->settings, p->name);
        break;
    case GH_STMT_ROLLBACK_TO:
        gh_settings_rollback_to(&s->settings, p->name);
        s->has_failed_since = false;
        break;
    case GH_STMT_DEALLOCATE:
        gh_lookups_renew(&s->lookups);
        forget_statement(s, p->name);
        break;
    case GH_STMT_CLOSE:
        forget_portal(s, p->name);
        break;
    case GH_STMT_DISCARD:
        apply_discard(s, p);
        break;
    case GH_STMT_PREPARE:
        gh_session_note_prepared(s, e, p);
        break;
    case GH_STMT_DECLARE:
        gh_session_note_declared(s, e, p);
        break;
    case GH_STMT_REFUSED:
    case GH_STMT_EMPTY:
    case GH_STMT_QUERY:
    case GH_STMT_WRITE:
    case GH_STMT_BEGIN:
    case GH_STMT_SHOW:
    case GH_STMT_EXECUTE:
    case GH_STMT_FETCH:
    case GH_STMT_COPY_OUT:
    case GH_STMT_COPY_IN:
    case GH_STMT_OTHER:
        break;
    }
    gh_session_note_temporary(s, p);
    if (p->changes_catalog)
        (void)s->env->o.poke_catalog(s->env->o.poke_arg, s->warehouse->index);
}

/* `p` ran: a statement, or what EXECUTE named. */
static void note_number(gh_session *s, const gh_plan *p)
{
    if (p->takes_number != 0 && gh_plan_runs_at_once(p))
        s->took_number = p->takes_number;
}

/* Does the message that is answered hold more statements? */
static bool goes_on(const gh_expect *e)
{
    return e->kind == GH_EXPECT_QUERY && e->set != NULL && e->plan_at < e->set->count;
}

/* RESET ALL and DISCARD ALL took away what Gatehouse itself had set: it is set again before
 * anything else runs. */
static void send_init(gh_session *s)
{
    gh_expect *e = gh_session_push(s, GH_EXPECT_QUERY);
    size_t at = gh_wire_begin(&s->up_out, GH_WIRE_F_QUERY);

    s->needs_init = false;
    e->is_swallowed = true;
    gh_buf_put_str(&s->up_out, s->warehouse->init_sql);
    gh_buf_puts(&s->up_out, ";");
    gh_session_put_startup(s, gh_settings_path(&s->settings)->text, &s->up_out);
    gh_buf_put_u8(&s->up_out, 0);
    gh_wire_end(&s->up_out, at);
    gh_session_pushed(s, e);
    gh_session_set_barrier(s);
}

/* ---- ends of statements ---------------------------------------------------------------------- */

static bool runs(const gh_expect *e)
{
    return e != NULL && (e->kind == GH_EXPECT_QUERY || e->kind == GH_EXPECT_EXECUTE);
}

/* An Execute is over with its last message, a Query goes on with its next statement. */
static void end_statement(gh_session *s, gh_expect *e)
{
    if (e->kind == GH_EXPECT_QUERY) {
        e->plan_at++;
        return;
    }
    gh_session_record_outcome(s, e);
    gh_expect_pop(&s->queue);
}

/* What a statement did to the search_path decides what later ones mean, to who judges them for the audit too. */
static void apply_observed(gh_session *s, const gh_expect *e)
{
    const gh_plan_set *judged = e->set->judged;
    const gh_plan *p =
        judged != NULL && e->plan_at < judged->count ? &judged->plans[e->plan_at] : NULL;

    if (p != NULL && (p->kind == GH_STMT_SET || p->kind == GH_STMT_RESET))
        apply_path(s, e, p);
}

static gh_answer on_complete(gh_session *s, gh_str body)
{
    gh_expect *e = gh_expect_head(&s->queue);
    const gh_plan *p = gh_expect_plan(e);
    bool is_swallowed;
    bool is_pipelined;
    bool is_dropped;
    gh_str new_tag = { NULL, 0 };
    gh_str tag;

    if (!runs(e) || gh_wire_decode_command_complete(body, &tag, NULL) != GH_OK)
        return GH_ANSWER_BROKEN;
    is_swallowed = e->is_swallowed;
    is_dropped = is_swallowed || e->was_told;
    s->is_copying_in = false;
    if (e->is_temporary && !gh_session_take_temporary(s))
        return GH_ANSWER_BROKEN;
    is_pipelined = e->kind == GH_EXPECT_EXECUTE;
    if (p != NULL) {
        if (p->kind != GH_STMT_QUERY && p->kind != GH_STMT_WRITE)
            apply(s, e, p, tag);
        if (s->is_observed)
            apply_observed(s, e);
        note_number(s, gh_session_answering(s, p));
        new_tag = p->tag;
        if (e->rows == 0 && p->kind != GH_STMT_QUERY && !e->was_told)
            e->rows = gh_wire_tag_rows(tag);
    }
    if (new_tag.len > 0 && !is_dropped)
        gh_wire_put_command_complete(gh_session_out(s), new_tag);
    end_statement(s, e);
    if (s->needs_init && (is_pipelined || !goes_on(e)))
        send_init(s);
    if (s->temporary.is_stale && is_pipelined)
        gh_session_read_temporary(s, false);
    return is_dropped || new_tag.len > 0 ? GH_ANSWER_DROP : GH_ANSWER_RELAY;
}

static gh_answer on_empty(gh_session *s)
{
    gh_expect *e = gh_expect_head(&s->queue);

    if (!runs(e))
        return GH_ANSWER_BROKEN;
    end_statement(s, e);
    return GH_ANSWER_RELAY;
}

static gh_answer on_suspended(gh_session *s)
{
    gh_expect *e = gh_expect_head(&s->queue);
    bool was_told;

    if (e == NULL || e->kind != GH_EXPECT_EXECUTE)
        return GH_ANSWER_BROKEN;
    was_told = e->was_told;
    end_statement(s, e);
    return was_told ? GH_ANSWER_DROP : GH_ANSWER_RELAY;
}

static gh_answer on_ready(gh_session *s, gh_str body)
{
    gh_expect *e = gh_expect_head(&s->queue);
    bool is_swallowed;
    bool wants_temporary;
    bool is_paying;
    char status;

    if (e == NULL || (e->kind != GH_EXPECT_QUERY && e->kind != GH_EXPECT_SYNC) ||
        gh_wire_decode_ready(body, &status, NULL) != GH_OK)
        return GH_ANSWER_BROKEN;
    if (s->needs_init) { /* a later statement of the message failed: alone, or with the transaction, which undid it */
        if (status == GH_WIRE_TX_FAILED)
            s->needs_init = false;
        else
            send_init(s);
        e = gh_expect_head(&s->queue); /* the queue may have moved */
    }
    gh_session_record_outcome(s, e);
    s->tx_status = status;
    s->is_copying_in = false;
    if (status == GH_WIRE_TX_IDLE) {
        if (s->has_failed_since)
            gh_settings_rollback(&s->settings);
        else
            gh_settings_commit(&s->settings);
        s->has_failed_since = false;
        gh_names_clear_before(&s->portals, e->batch);
    }
    if (gh_session_end_lookup(s) || gh_session_end_batch(s))
        return GH_ANSWER_DROP;
    is_swallowed = e->is_swallowed;
    is_paying = !is_swallowed && gh_session_pay_failure(s, e, status);
    e = gh_expect_head(&s->queue); /* the queue may have moved */
    wants_temporary = !is_swallowed && !is_paying && gh_session_wants_temporary(s, e, status);
    gh_expect_pop(&s->queue);
    if (wants_temporary)
        gh_session_read_temporary(s, true);
    if (is_swallowed || wants_temporary || is_paying)
        return GH_ANSWER_DROP;
    if (status != GH_WIRE_TX_FAILED) /* which goes back on what it set */
        gh_session_tell_path(s);
    return GH_ANSWER_RELAY;
}

/* An answer that one kind of entry has, and that is all of it. */
static gh_answer on_simple(gh_session *s, gh_expect_kind kind)
{
    gh_expect *e = gh_expect_head(&s->queue);
    bool is_swallowed;

    if (e == NULL || e->kind != kind)
        return GH_ANSWER_BROKEN;
    is_swallowed = e->is_swallowed;
    gh_expect_pop(&s->queue);
    return is_swallowed ? GH_ANSWER_DROP : GH_ANSWER_RELAY;
}

/* ---- descriptions ---------------------------------------------------------------------------- */

/* Puts the table and column that the filtered catalog knows into each field; their place has a
 * fixed size. */
static bool patch_columns(const gh_plan *p, char *body, size_t len)
{
    gh_rd r = { body, body + len, false };
    uint16_t count = gh_rd_u16(&r);

    if (p == NULL || p->outputs == NULL)
        return true;
    for (size_t i = 0; i < count && i < p->output_count && !r.failed; i++) {
        char *at;

        (void)gh_rd_cstr(&r);
        at = body + (r.pos - body);
        (void)gh_rd_bytes(&r, 18);
        if (r.failed || p->outputs[i].attnum == 0)
            continue;
        gh_oid oid = p->outputs[i].relation;
        uint16_t attnum = (uint16_t)p->outputs[i].attnum;

        at[0] = (char)(oid >> 24);
        at[1] = (char)(oid >> 16);
        at[2] = (char)(oid >> 8);
        at[3] = (char)oid;
        at[4] = (char)(attnum >> 8);
        at[5] = (char)attnum;
    }
    return !r.failed;
}

/* The description without the check: its last column, or all of it. */
static gh_answer strip_description(gh_session *s, const gh_plan *p, gh_str body,
                                   bool is_description)
{
    gh_rd r = { body.ptr, body.ptr + body.len, false };
    uint16_t count = gh_rd_u16(&r);
    bool is_whole = p->strips_result;
    const char *fields = r.pos;
    gh_buf *out;
    size_t at;

    for (uint16_t i = 0; i + 1 < count; i++) {
        (void)gh_rd_cstr(&r);
        (void)gh_rd_bytes(&r, 18);
    }
    if (r.failed || count == 0 || (is_whole && count != 1))
        return GH_ANSWER_BROKEN;
    if (is_description)
        gh_expect_pop(&s->queue);
    if (is_whole && !is_description)
        return GH_ANSWER_DROP;
    out = gh_session_out(s);
    at = gh_wire_begin(out, is_whole ? GH_WIRE_B_NO_DATA : GH_WIRE_B_ROW_DESCRIPTION);
    if (!is_whole) {
        gh_buf_put_u16(out, (uint16_t)(count - 1));
        gh_buf_put(out, fields, (size_t)(r.pos - fields));
    }
    gh_wire_end(out, at);
    return GH_ANSWER_DROP;
}

static gh_answer on_row_description(gh_session *s, char *body, size_t len)
{
    gh_expect *e = gh_expect_head(&s->queue);
    const gh_plan *p;
    bool is_description;

    if (e == NULL)
        return GH_ANSWER_BROKEN;
    is_description = e->kind == GH_EXPECT_DESCRIBE_PORTAL ||
                     (e->kind == GH_EXPECT_DESCRIBE_STATEMENT && e->is_described);
    if (!is_description && e->kind != GH_EXPECT_QUERY)
        return GH_ANSWER_BROKEN;
    if (e->is_swallowed || (e->kind == GH_EXPECT_QUERY && e->was_told))
        return GH_ANSWER_DROP;
    p = gh_session_answering(s, gh_expect_plan(e));
    if (p != NULL && (p->strips_result || p->strips_column))
        return strip_description(s, p, (gh_str){ body, len }, is_description);
    if (!patch_columns(gh_expect_plan(e), body, len) ||
        !gh_session_signal_description(p, body, len))
        return GH_ANSWER_BROKEN;
    if (is_description)
        gh_expect_pop(&s->queue);
    return GH_ANSWER_RELAY;
}

static gh_answer on_no_data(gh_session *s)
{
    gh_expect *e = gh_expect_head(&s->queue);

    if (e == NULL || !(e->kind == GH_EXPECT_DESCRIBE_PORTAL ||
                       (e->kind == GH_EXPECT_DESCRIBE_STATEMENT && e->is_described)))
        return GH_ANSWER_BROKEN;
    gh_expect_pop(&s->queue);
    return GH_ANSWER_RELAY;
}

static gh_answer on_parameter_description(gh_session *s)
{
    gh_expect *e = gh_expect_head(&s->queue);

    if (e == NULL || e->kind != GH_EXPECT_DESCRIBE_STATEMENT || e->is_described)
        return GH_ANSWER_BROKEN;
    e->is_described = true;
    return GH_ANSWER_RELAY;
}

static gh_answer on_copy_in(gh_session *s)
{
    gh_expect *e = gh_expect_head(&s->queue);
    const gh_plan *p = gh_expect_plan(e);

    /* Nothing was sent behind a COPY FROM: that is what its barrier is for. */
    if (!runs(e) || p == NULL || p->kind != GH_STMT_COPY_IN || s->queue.count != 1)
        return GH_ANSWER_BROKEN;
    s->is_copying_in = true;
    s->has_barrier = false;
    return GH_ANSWER_RELAY;
}

/* The beginning or the end of what COPY TO sends. */
static gh_answer on_copy_out(const gh_session *s)
{
    const gh_expect *e = gh_expect_head(&s->queue);

    if (!runs(e))
        return GH_ANSWER_BROKEN;
    return e->was_told ? GH_ANSWER_DROP : GH_ANSWER_RELAY;
}

static gh_answer on_row(gh_session *s, gh_str body)
{
    gh_expect *e = gh_expect_head(&s->queue);
    const gh_plan *p;

    if (!runs(e))
        return GH_ANSWER_BROKEN;
    if (e->is_temporary) {
        gh_temporary_row(&s->temporary, body);
        return GH_ANSWER_DROP;
    }
    p = gh_session_answering(s, gh_expect_plan(e));
    return p != NULL && p->signal != GH_SIGNAL_NONE ? gh_session_signal_row(s, e, p, body)
                                                    : GH_ANSWER_BROKEN;
}

/* ---- errors ---------------------------------------------------------------------------------- */

/* Errors that PostgreSQL raises before it looks whether the transaction failed: what does not parse, a
 * message that is none, a name that the protocol does not know. */
static bool comes_first(const char *sqlstate)
{
    static const char *const first[] = { "42601", "08P01", "26000", "34000" };

    for (size_t i = 0; i < GH_COUNT(first); i++) {
        if (strcmp(sqlstate, first[i]) == 0)
            return true;
    }
    return false;
}

/* Is this the error of our own poison, or of our own cancel? */
static bool is_refusal(const gh_expect *e, const gh_upstream_error *up)
{
    if (e == NULL || e->refusal == NULL)
        return false;
    if (e->is_revoked)
        return gh_str_is(up->sqlstate, "57014");
    if (gh_str_is(up->sqlstate, "25P02"))
        return comes_first(e->refusal->sqlstate);
    return gh_str_is(up->sqlstate, "42703");
}

/* Did Gatehouse's own check of a written row fail? */
static bool is_failed_check(const gh_plan *p, const gh_upstream_error *up)
{
    return p != NULL && p->checks_rows && gh_str_is(up->sqlstate, "22P02") &&
           memmem(up->message.ptr, up->message.len, GH_CHECK_MARK, sizeof(GH_CHECK_MARK) - 1) !=
               NULL;
}

static void say_failed_check(const gh_plan *p, gh_err *out)
{
    gh_str table = { NULL, 0 };

    for (size_t i = 0; i < p->touch_count; i++) {
        uint32_t privileges = p->touches[i].privileges;

        /* A DELETE is checked by WHERE CURRENT OF alone, and no sequence is. */
        if (p->touches[i].is_sequence)
            continue;
        if ((privileges & (GH_INSERT | GH_UPDATE)) != 0 ||
            ((privileges & GH_DELETE) != 0 && table.len == 0))
            table = p->touches[i].name;
    }
    gh_session_say(out, "42501",
                   "new row violates row-level security policy for table \"" GH_STR_FMT "\"",
                   GH_STR_ARG(table));
}

/* The failed entry and those behind it, up to the Sync: answered by the upstream with nothing more. */
static void skip_to_sync(gh_session *s, const char *sqlstate)
{
    uint32_t n = gh_expect_until_sync(&s->queue);

    if (n == s->queue.count)
        s->is_skipping = true;
    for (uint32_t i = n; i > 0; i--)
        gh_session_undo(s, gh_expect_at(&s->queue, i - 1));
    for (uint32_t i = 0; i < n; i++) {
        gh_expect *e = gh_expect_head(&s->queue);

        memcpy(e->sqlstate, sqlstate, 5);
        gh_session_record_outcome(s, e);
        gh_expect_pop(&s->queue);
    }
}

static gh_answer on_fatal(gh_session *s, const gh_upstream_error *up)
{
    gh_err err = { 0 };

    /* SECURITY: what is wrong with the upstream's account (28xxx, 3D000) is no client's business;
     * fixed texts say no more. */
    gh_session_rebuild_error(NULL, up, &err);
    gh_log(GH_WARN, "upstream.fatal", "peer=%s sqlstate=%s", s->peer, err.sqlstate);
    gh_wire_put_error(gh_session_out(s), GH_WIRE_FATAL, &err);
    s->is_upstream_lost = true;
    for (uint32_t i = 0; i < s->queue.count; i++)
        memcpy(gh_expect_at(&s->queue, i)->sqlstate, err.sqlstate, sizeof(err.sqlstate));
    return GH_ANSWER_DROP;
}

static gh_answer on_error(gh_session *s, gh_str body)
{
    gh_expect *e;
    gh_answer how = GH_ANSWER_DROP;
    gh_upstream_error up;
    gh_err err = { 0 };

    if (gh_upstream_error_read(body, &up) != GH_OK)
        return GH_ANSWER_BROKEN;
    if (!gh_str_is(up.severity, "ERROR"))
        return on_fatal(s, &up);
    if (gh_session_retry_lookup(s, up.sqlstate) || gh_session_retry_batch(s, up.sqlstate)) {
        skip_to_sync(s, up.sqlstate.ptr);
        return GH_ANSWER_DROP;
    }
    gh_session_tell_parsed(s);
    e = gh_expect_head(&s->queue);
    if (e == NULL) /* but the Sync of a failing COMMIT (a deferred constraint) */
        return GH_ANSWER_BROKEN;
    if (e->kind == GH_EXPECT_QUERY && e->is_swallowed)
        return GH_ANSWER_BROKEN; /* our own SET failed: the session's state is not known */
    if (is_refusal(e, &up))
        err = *e->refusal;
    else if (is_failed_check(gh_session_answering(s, gh_expect_plan(e)), &up))
        say_failed_check(gh_session_answering(s, gh_expect_plan(e)), &err);
    else
        gh_session_rebuild_error(e, &up, &err);
    if (e->was_told)
        err = *e->refusal;
    else if (s->is_bypass && e->refusal == NULL)
        how = GH_ANSWER_RELAY;
    else
        gh_wire_put_error(gh_session_out(s), GH_WIRE_ERROR, &err);
    s->owes_failure = false;
    s->has_failed_since = true;
    s->is_copying_in = false;
    if (e->is_temporary)
        gh_session_fail_temporary(s);
    memcpy(e->sqlstate, err.sqlstate, sizeof(e->sqlstate));
    if (e->kind == GH_EXPECT_QUERY)
        e->is_failed = true;
    else if (e->kind != GH_EXPECT_SYNC)
        skip_to_sync(s, err.sqlstate);
    return how;
}

/* ---- at any time ----------------------------------------------------------------------------- */

static gh_answer on_notice(gh_session *s, gh_str body)
{
    const gh_expect *e = gh_expect_head(&s->queue);
    gh_str client_sql = e != NULL && e->set != NULL ? e->set->source : (gh_str){ NULL, 0 };
    gh_upstream_error up;
    gh_buf text;

    if (gh_upstream_error_read(body, &up) != GH_OK)
        return GH_ANSWER_BROKEN;
    if (e != NULL && e->is_swallowed)
        return GH_ANSWER_DROP;
    if (s->is_bypass)
        return GH_ANSWER_RELAY;
    gh_buf_init(&text, 0);
    if (!gh_session_public_notice(&up, client_sql, &text)) {
        gh_buf_fini(&text);
        return GH_ANSWER_DROP;
    }
    gh_buf_put_u8(&text, 0);
    char sqlstate[6] = { 0 };

    memcpy(sqlstate, up.sqlstate.ptr, 5);
    gh_wire_put_notice(gh_session_out(s),
                       gh_str_is(up.severity, "NOTICE") ? GH_WIRE_NOTICE : GH_WIRE_WARNING,
                       sqlstate, text.ptr, NULL);
    gh_buf_fini(&text);
    return GH_ANSWER_DROP;
}

static gh_answer on_parameter(gh_session *s, gh_str body)
{
    gh_wire_param p;
    gh_str value;

    if (gh_wire_decode_parameter_status(body, &p, NULL) != GH_OK ||
        !gh_conn_set_parameter(s->conn, p.name, p.value))
        return GH_ANSWER_BROKEN;
    if (gh_str_is(p.name, "client_encoding")) {
        s->encoding_changes++;
        if (!gh_session_has_safe_encoding(s))
            return GH_ANSWER_BROKEN;
    }
    gh_lookups_renew(&s->lookups);
    if (gh_str_is(p.name, "application_name"))
        gh_session_record_who(s);
    value = p.value;
    if (!gh_session_show_parameter(s, p.name, &value))
        return GH_ANSWER_DROP;
    if (value.ptr == p.value.ptr)
        return GH_ANSWER_RELAY;
    gh_wire_put_parameter_status(gh_session_out(s), p.name, value);
    return GH_ANSWER_DROP;
}

static gh_answer on_notification(const gh_session *s)
{
    bool may = s->is_bypass || (gh_view_may(s->view) & GH_MAY_NOTIFY) != 0;

    return may ? GH_ANSWER_RELAY : GH_ANSWER_DROP;
}

/* ---- the switch ------------------------------------------------------------------------------ */

/* Rows that the session itself asked for, and those that signal sessions, are few. */
bool gh_session_answer_is_looked_at(const gh_session *s)
{
    const gh_expect *e = gh_expect_head(&s->queue);
    const gh_plan *p;

    if (e == NULL || e->is_temporary)
        return e != NULL;
    p = gh_session_answering(s, gh_expect_plan(e));
    return p != NULL && p->signal != GH_SIGNAL_NONE;
}

size_t gh_session_answer_trim(const gh_session *s, uint8_t type)
{
    const gh_plan *p = gh_session_answering(s, gh_expect_plan(gh_expect_head(&s->queue)));

    return type == GH_WIRE_B_DATA_ROW && p != NULL && p->strips_column ? 4 : 0;
}

gh_answer gh_session_answer_begin(gh_session *s, uint8_t type, size_t len)
{
    gh_expect *e = gh_expect_head(&s->queue);
    const gh_plan *p = gh_session_answering(s, gh_expect_plan(e));

    if (!runs(e))
        return GH_ANSWER_BROKEN;
    if (s->has_revoked && gh_session_tell_revoked(s))
        return GH_ANSWER_DROP;
    e->rows++;
    e->bytes += len;
    if (type == GH_WIRE_B_DATA_ROW && p != NULL && p->strips_result)
        return GH_ANSWER_DROP;
    return e->is_swallowed ? GH_ANSWER_DROP : GH_ANSWER_RELAY;
}

gh_answer gh_session_answer(gh_session *s, uint8_t type, char *message, size_t len)
{
    gh_str body = { message + 5, len - 5 };

    if (type == GH_WIRE_B_PARAMETER_DESCRIPTION &&
        gh_session_hold_parameters(s, (gh_str){ message, len }))
        return GH_ANSWER_DROP;
    if (type != GH_WIRE_B_ERROR_RESPONSE)
        gh_session_tell_parsed(s);
    switch ((gh_wire_backend)type) {
    case GH_WIRE_B_PARSE_COMPLETE:
        return on_simple(s, GH_EXPECT_PARSE);
    case GH_WIRE_B_BIND_COMPLETE:
        return on_simple(s, GH_EXPECT_BIND);
    case GH_WIRE_B_CLOSE_COMPLETE:
        return on_simple(s, GH_EXPECT_CLOSE);
    case GH_WIRE_B_COMMAND_COMPLETE:
        return on_complete(s, body);
    case GH_WIRE_B_EMPTY_QUERY_RESPONSE:
        return on_empty(s);
    case GH_WIRE_B_PORTAL_SUSPENDED:
        return on_suspended(s);
    case GH_WIRE_B_READY_FOR_QUERY:
        return on_ready(s, body);
    case GH_WIRE_B_ROW_DESCRIPTION:
        return on_row_description(s, message + 5, len - 5);
    case GH_WIRE_B_NO_DATA:
        return on_no_data(s);
    case GH_WIRE_B_PARAMETER_DESCRIPTION:
        return on_parameter_description(s);
    case GH_WIRE_B_COPY_IN_RESPONSE:
        return on_copy_in(s);
    case GH_WIRE_B_COPY_OUT_RESPONSE:
    case GH_WIRE_B_COPY_DONE:
        return on_copy_out(s);
    case GH_WIRE_B_FUNCTION_CALL_RESPONSE:
        return s->is_bypass && runs(gh_expect_head(&s->queue)) ? GH_ANSWER_RELAY : GH_ANSWER_BROKEN;
    case GH_WIRE_B_ERROR_RESPONSE:
        return on_error(s, body);
    case GH_WIRE_B_NOTICE_RESPONSE:
        return on_notice(s, body);
    case GH_WIRE_B_PARAMETER_STATUS:
        return on_parameter(s, body);
    case GH_WIRE_B_NOTIFICATION_RESPONSE:
        return on_notification(s);
    case GH_WIRE_B_DATA_ROW: /* the others are passed on in pieces */
        return on_row(s, body);
    case GH_WIRE_B_AUTHENTICATION:
    case GH_WIRE_B_BACKEND_KEY_DATA:
    case GH_WIRE_B_COPY_BOTH_RESPONSE:
    case GH_WIRE_B_COPY_DATA:
    case GH_WIRE_B_NEGOTIATE_PROTOCOL_VERSION:
        break;
    }
    return GH_ANSWER_BROKEN;
}
