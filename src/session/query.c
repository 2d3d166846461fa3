/*
 * query.c: the simple protocol, and how a message is refused.
 *
 *     Query ─▶ judge ─┬▶ every plan fine ─▶ intent ─▶ one Query upstream: s1;s2;s3
 *                     ├▶ plan k refused ──▶ intent ─▶ s1;...;poison   its error is replaced by the refusal
 *                     └▶ no plans ────────▶ record ─▶ poison          (syntax error, limit)
 *
 * The poison parses, and fails when it is analysed, with an SQLSTATE that nothing else here gives.
 * So the upstream itself rolls back, marks its transaction failed, skips to Sync and keeps the
 * order of answers: the proxy needs no second opinion on any of that, and the transaction status
 * that the client sees is always the upstream's own.
 */
#include "session_priv.h"

#include <stdlib.h>

/* In a failed transaction the upstream answers 25P02 instead, as it would have to the statement
 * itself. */
#define POISON "SELECT gatehouse_refused"

gh_str gh_session_poison(void)
{
    return GH_STR(POISON);
}

/* ---- messages to the upstream ---------------------------------------------------------------- */

gh_expect *gh_session_push(gh_session *s, gh_expect_kind kind)
{
    gh_expect *e = gh_expect_push(&s->queue, kind);

    gh_env_lend(s->env, &s->up_out);
    e->sent_at = (size_t)s->up_taken + s->up_out.len;
    if (kind == GH_EXPECT_QUERY || kind == GH_EXPECT_SYNC)
        s->batches++;
    e->batch = s->batches;
    s->is_mid_batch = kind != GH_EXPECT_QUERY && kind != GH_EXPECT_SYNC;
    gh_session_mark(s);
    return e;
}

void gh_session_pushed(gh_session *s, gh_expect *e)
{
    e->sent_len = (size_t)s->up_taken + s->up_out.len - e->sent_at;
    GH_ASSERT(!s->up_out.failed);
    /* Reading pauses now; without a Flush the upstream might keep the answers that it waits for. */
    if (s->queue.count >= GH_PIPELINE_MAX)
        gh_wire_put_empty(&s->up_out, GH_WIRE_F_FLUSH);
}

static void put_poison(gh_buf *out, bool is_extended)
{
    if (is_extended)
        gh_wire_put_parse(out, GH_STR("gatehouse_refused"), GH_STR(POISON),
                          (gh_wire_ints){ NULL, 0 });
    else
        gh_wire_put_query(out, GH_STR(POISON));
}

static gh_err *copy_err(const gh_err *err)
{
    gh_err *copy = gh_alloc(sizeof(*copy));

    *copy = *err;
    return copy;
}

/* A later reason wins: that the log cannot be written is worse than that the statement was not
 * allowed. */
static void set_refusal(gh_expect *e, const gh_err *err)
{
    free(e->refusal);
    e->refusal = copy_err(err);
}

void gh_session_refuse(gh_session *s, bool is_extended, const gh_err *err)
{
    gh_expect *e = gh_session_push(s, is_extended ? GH_EXPECT_PARSE : GH_EXPECT_QUERY);

    set_refusal(e, err);
    put_poison(&s->up_out, is_extended);
    gh_session_pushed(s, e);
}

void gh_session_set_barrier(gh_session *s)
{
    s->has_barrier = true;
    s->barrier = s->queue.popped + s->queue.count - 1;
    if (gh_expect_at(&s->queue, s->queue.count - 1)->kind != GH_EXPECT_QUERY &&
        gh_expect_at(&s->queue, s->queue.count - 1)->kind != GH_EXPECT_SYNC)
        gh_wire_put_empty(&s->up_out, GH_WIRE_F_FLUSH);
}

bool gh_session_needs_barrier(const gh_session *s, const gh_plan_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const gh_plan *p = &set->plans[i];

        switch (p->kind) {
        case GH_STMT_SET:
        case GH_STMT_RESET:
        case GH_STMT_DISCARD:
        case GH_STMT_PREPARE:
        case GH_STMT_DEALLOCATE:
        case GH_STMT_DECLARE:
        case GH_STMT_CLOSE:
        case GH_STMT_COPY_IN:
            return true;
        case GH_STMT_COMMIT:
        case GH_STMT_ROLLBACK:
        case GH_STMT_SAVEPOINT:
        case GH_STMT_RELEASE:
        case GH_STMT_ROLLBACK_TO:
            if (gh_settings_is_changed(&s->settings))
                return true;
            break;
        case GH_STMT_EXECUTE: /* while it is answered its name must stay */
            if (gh_session_answering(s, p)->checks_rows)
                return true;
            break;
        case GH_STMT_REFUSED:
        case GH_STMT_EMPTY:
        case GH_STMT_QUERY:
        case GH_STMT_WRITE:
        case GH_STMT_BEGIN:
        case GH_STMT_SHOW:
        case GH_STMT_FETCH:
        case GH_STMT_COPY_OUT:
        case GH_STMT_OTHER:
            break;
        }
        if (p->changes_catalog || gh_session_changes_temporary(s, p))
            return true;
    }
    return false;
}

/* ---- the audit log failed -------------------------------------------------------------------- */

void gh_session_poison_turn(gh_session *s, const gh_err *err)
{
    gh_buf out;
    size_t done = 0;

    /*
     * SECURITY: an intent that is not in the log must not have been sent. Its message still waits
     * in up_out, since that is flushed after the commit only; a poison takes its place. Attack:
     * tests/integration/audit_trail, full disk.
     */
    gh_buf_init(&out, 0);
    for (uint32_t i = 0; i < s->queue.count; i++) {
        gh_expect *e = gh_expect_at(&s->queue, i);

        if (!e->is_uncommitted)
            continue;
        GH_ASSERT(e->sent_at >= s->up_taken);
        size_t at = e->sent_at - (size_t)s->up_taken;

        GH_ASSERT(at >= done);
        GH_ASSERT(at + e->sent_len <= s->up_out.len);
        gh_buf_put(&out, s->up_out.ptr + done, at - done);
        put_poison(&out, e->kind != GH_EXPECT_QUERY);
        done = at + e->sent_len;
        e->has_intent = false;
        set_refusal(e, err);
    }
    gh_buf_put(&out, s->up_out.ptr + done, s->up_out.len - done);
    gh_buf_fini(&s->up_out);
    s->up_out = out;
    gh_log(GH_ERROR, "audit.failed", "peer=%s cause=\"%s\"", s->peer, err->detail);
}

/* ---- Query ----------------------------------------------------------------------------------- */

/* Refused before any plan was made: text and error are recorded. */
static void refuse_text(gh_session *s, gh_str sql, const gh_err *err)
{
    gh_err failed = { 0 };

    if (gh_session_record_refusal(s, sql, NULL, err, &failed) != GH_OK)
        gh_session_refuse(s, false, &failed);
    else
        gh_session_refuse(s, false, err);
}

/* Where the last plan is refused: the refusal, which the audit has before the client. */
static gh_rc record_set(gh_session *s, gh_expect *e, gh_err *err)
{
    const gh_plan_set *set = e->set;
    gh_rc rc;

    if (set->is_refused) {
        const gh_err *refusal = &set->plans[set->count - 1].error;

        rc = gh_session_record_refusal(s, set->source, e->set, refusal, err);
        if (rc != GH_OK)
            return rc;
        set_refusal(e, refusal);
        if (set->count == 1)
            return GH_OK;
    }
    return gh_session_record_intent(s, e, err);
}

static void send_query(gh_session *s, gh_plan_set *set)
{
    gh_err err;
    gh_expect *e;

    gh_err_init(&err);
    if (gh_session_send_lookup(s, set))
        return;
    e = gh_session_push(s, GH_EXPECT_QUERY);
    e->set = gh_plan_set_acquire(set);
    s->leaves_setting = s->leaves_setting || set->names_setting;
    if (record_set(s, e, &err) != GH_OK) {
        set_refusal(e, &err);
        put_poison(&s->up_out, false);
    } else if (gh_plan_set_is_raw(set))
        gh_wire_put_query(&s->up_out, set->source);
    else
        gh_wire_put_query(&s->up_out, set->query);
    gh_session_pushed(s, e);
    if (gh_session_needs_barrier(s, set))
        gh_session_set_barrier(s);
}

static void send_judged(gh_session *s, gh_str sql, gh_plan_set *set)
{
    gh_err err;

    gh_err_init(&err);
    if (gh_session_check_mode(s, set, &err) != GH_OK ||
        gh_session_check_names(s, set, &err) != GH_OK) {
        refuse_text(s, sql, &err);
    } else {
        gh_session_restore_named(s, set, true);
        send_query(s, set);
    }
}

bool gh_session_query(gh_session *s, gh_str body)
{
    gh_plan_set *set = NULL;
    gh_err err;
    gh_str sql = { NULL, 0 };
    gh_rc rc;

    gh_err_init(&err);
    if (!gh_session_refresh(s))
        return true;
    rc = gh_wire_decode_query(body, &sql, &err);
    if (rc == GH_OK)
        rc = gh_session_judge_or_wait(s, sql, NULL, 0, false, &set, &err);
    if (rc == GH_AGAIN)
        return false;
    if (rc != GH_OK) {
        refuse_text(s, sql, &err);
        gh_session_drop_unnamed(s);
        return true;
    }
    if (set->is_refused &&
        gh_session_wait_catalog(s, sql, NULL, 0, false, &set->plans[set->count - 1].error)) {
        gh_plan_set_release(set);
        gh_timer_start(s->timer, GH_CATALOG_TIMEOUT_MS);
        return false;
    }
    send_judged(s, sql, set);
    gh_session_drop_unnamed(s);
    gh_plan_set_release(set);
    return true;
}

void gh_session_query_again(gh_session *s, gh_str sql)
{
    gh_plan_set *set = NULL;
    gh_err err = { 0 };

    if (!gh_session_refresh(s))
        return;
    if (gh_session_judge(s, sql, NULL, 0, false, &set, &err) != GH_OK) {
        refuse_text(s, sql, &err);
        return;
    }
    send_judged(s, sql, set);
    gh_plan_set_release(set);
}

void gh_session_function_call(gh_session *s, gh_str message)
{
    const gh_plan plan = { .kind = GH_STMT_OTHER,
                           .sql = GH_STR("(function call)"),
                           .is_bypassed = true };
    gh_plan_set *set;
    gh_expect *e;
    gh_err err = { 0 };

    if (!gh_session_refresh(s))
        return;
    if (!s->is_bypass) {
        gh_session_refuse_function_call(s);
        return;
    }
    set = gh_plan_set_new(plan.sql, &plan, 1, (gh_str){ NULL, 0 });
    e = gh_session_push(s, GH_EXPECT_QUERY);
    e->set = set;
    if (record_set(s, e, &err) != GH_OK) {
        set_refusal(e, &err);
        put_poison(&s->up_out, false);
    } else {
        gh_buf_put_str(&s->up_out, message);
    }
    gh_session_pushed(s, e);
}

void gh_session_refuse_function_call(gh_session *s)
{
    gh_err err = { 0 };

    gh_session_say(&err, "42501", "the function call protocol is not allowed");
    refuse_text(s, GH_STR("(function call)"), &err);
}

void gh_session_too_large(gh_session *s, uint8_t type)
{
    gh_err err = { 0 };

    gh_session_say(&err, "54000", "the statement is longer than %llu bytes",
                   (unsigned long long)s->env->o.statement_bytes);
    gh_session_refuse(s, gh_wire_is_extended(type), &err);
}
