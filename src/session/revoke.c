/*
 * revoke.c: what runs while the policy changes. A statement that would not be sent in the same words now has lost its
 * right, and ends with 42501.
 *
 *     the policy changed ─▶ judged again ─┬─ refused ─▶ the error at once, behind the row that is being passed on; what
 *                                         │             still comes is dropped; cancelled if it does not end by itself
 *                                         ├─ allowed in other words, and young ─▶ may end by itself, else as refused
 *                                         └─ writes ──▶ cancelled; the upstream's word ends it
 *
 * So the client hears by the proxy's own pace, not by the upstream's, and what the upstream has sent and the client
 * has not taken goes nowhere. A statement that writes may have written: its end is the upstream's to tell.
 *
 * A statement that was answered with the error may have been complete: in a transaction the poison then fails that,
 * as every refusal does.
 */
#include "session_priv.h"

#define PATIENCE_MS 50     /* for a statement's own end: a cancel costs a connection */
#define YOUNG_US    100000 /* one that runs for longer will not end in that time */

/* What would become of the statement that is under way, if it came now? */
typedef enum standing {
    REFUSED = 0,
    OTHER_WORDS, /* more or less of it would be seen */
    SAME_WORDS
} standing;

static standing judge_again(gh_session *s, const gh_expect *e)
{
    const gh_named *statement = e->named != NULL ? e->named->statement : NULL;
    gh_plan_set *set = NULL;
    gh_err why = { 0 };
    bool is_refused;
    bool is_same;

    if (gh_session_judge(s, e->set->source, statement != NULL ? statement->types : NULL,
                         statement != NULL ? statement->type_count : 0,
                         e->kind == GH_EXPECT_EXECUTE, &set, NULL) != GH_OK)
        return REFUSED;
    is_refused = set->is_refused;
    is_same = gh_str_eq(set->query, e->set->query) &&
              gh_plan_set_is_raw(set) == gh_plan_set_is_raw(e->set);
    gh_plan_set_release(set);
    /* What runs may be a cursor's, or a prepared statement's. */
    if (is_refused || gh_session_check_names(s, e->set, &why) != GH_OK)
        return REFUSED;
    return is_same ? SAME_WORDS : OTHER_WORDS;
}

/*
 * SECURITY: a statement that runs for an hour would show, for an hour, what was revoked in its
 * first second. It is judged again, and ended unless it would be sent in the same words.
 * Attack: tests/integration/revoke.
 */
void gh_session_recheck(gh_session *s)
{
    for (uint32_t i = 0; i < s->queue.count; i++) {
        gh_expect *e = gh_expect_at(&s->queue, i);
        standing now;

        if ((e->kind != GH_EXPECT_QUERY && e->kind != GH_EXPECT_EXECUTE) || e->set == NULL ||
            e->refusal != NULL || e->is_failed)
            continue;
        now = judge_again(s, e);
        if (now == SAME_WORDS)
            continue;
        e->is_revoked = true;
        e->is_lost = now == REFUSED;
        e->due_us = gh_clock_us();
        if (e->due_us - e->started_us < YOUNG_US)
            e->due_us += PATIENCE_MS * 1000;
        e->refusal = gh_alloc(sizeof(*e->refusal));
        gh_session_say(e->refusal, "42501", "the policy changed while the statement ran");
        s->has_revoked = true;
    }
    gh_session_end_revoked(s);
}

/* ---- the error at once ----------------------------------------------------------------------- */

bool gh_session_only_reads(const gh_session *s, const gh_plan_set *set)
{
    const uint32_t writes = GH_INSERT | GH_UPDATE | GH_DELETE | GH_TRUNCATE;
    const gh_plan *p = set->count == 1 ? gh_session_answering(s, &set->plans[0]) : NULL;
    bool reads =
        p != NULL && !p->is_bypassed && !p->changes_temporary && p->signal == GH_SIGNAL_NONE &&
        (p->kind == GH_STMT_QUERY || p->kind == GH_STMT_FETCH || p->kind == GH_STMT_COPY_OUT);

    for (size_t i = 0; reads && i < p->touch_count; i++)
        reads = p->touches[i].is_sequence || (p->touches[i].privileges & writes) == 0;
    return reads;
}

/*
 * Where the upstream does not fail by itself, what was sent behind an Execute, before its Sync, would be answered as if
 * nothing had failed, and what was written before it in the same batch would be committed.
 */
static bool may_fail_alone(const gh_session *s, const gh_expect *e)
{
    const gh_expect *next = gh_expect_at(&s->queue, 1);

    if (e->kind == GH_EXPECT_QUERY)
        return true;
    if (next == NULL)
        return s->client_left == 0 || s->is_dropping;
    return next->kind == GH_EXPECT_SYNC &&
           (s->tx_status == GH_WIRE_TX_ACTIVE || s->wrote_batch != e->batch + 1);
}

/* What the client was told, the upstream is made to do: as in every refusal, a poison fails. */
static void put_told_poison(gh_session *s, bool is_extended)
{
    gh_err err = { 0 };

    gh_session_say(&err, "42501", "the policy changed while the statement ran");
    gh_session_refuse(s, is_extended, &err);
    gh_expect_at(&s->queue, s->queue.count - 1)->was_told = true;
}

bool gh_session_tell_revoked(gh_session *s)
{
    gh_expect *e = gh_expect_head(&s->queue);

    if (!s->has_revoked || e == NULL || !e->is_revoked || e->is_failed)
        return false;
    if (e->was_told)
        return true;
    if (!e->is_lost && gh_clock_us() < e->due_us)
        return false;
    if ((s->answer_left > 0 && s->is_relaying) || !gh_session_only_reads(s, e->set) ||
        !may_fail_alone(s, e))
        return false;
    e->was_told = true;
    memcpy(e->sqlstate, e->refusal->sqlstate, sizeof(e->sqlstate));
    gh_wire_put_error(gh_session_out(s), GH_WIRE_ERROR, e->refusal);
    s->owes_failure = true;
    if (e->kind == GH_EXPECT_EXECUTE && s->queue.count == 1) {
        s->owes_failure = false;
        s->is_skipping = true;
        put_told_poison(s, true);
    }
    /* What was not read because the client was slow is read now. */
    if (s->conn_watch != NULL)
        gh_watch_wake(s->conn_watch, GH_READABLE);
    gh_session_mark(s);
    return true;
}

bool gh_session_is_muted(const gh_session *s)
{
    const gh_expect *e = gh_expect_head(&s->queue);

    return e != NULL && e->was_told;
}

bool gh_session_pay_failure(gh_session *s, const gh_expect *ended, char status)
{
    bool owes = s->owes_failure;

    s->owes_failure = false;
    if (!owes || ended->is_failed || status != GH_WIRE_TX_ACTIVE || s->queue.count > 1)
        return false;
    put_told_poison(s, false);
    gh_session_set_barrier(s);
    return true;
}

/* ---- the cancel ------------------------------------------------------------------------------ */

static void cancel(gh_session *s, gh_expect *e)
{
    e->was_cancelled = true;
    if (s->is_copying_in && s->client_left == 0) {
        /* Who waits for a client's data hears no cancel. */
        gh_env_lend(s->env, &s->up_out);
        gh_wire_put_copy_fail(&s->up_out, GH_STR("the policy changed"));
        gh_session_mark(s);
    } else
        gh_cancel_running(s);
}

void gh_session_end_revoked(gh_session *s)
{
    gh_expect *e = gh_expect_head(&s->queue);
    bool was_told;

    if (!s->has_revoked || e == NULL) {
        s->has_revoked = false;
        return;
    }
    /* Each one when its turn comes: a cancel sent before would hit what runs in front of it. */
    if (!e->is_revoked || e->was_cancelled || e->is_failed)
        return;
    was_told = gh_session_tell_revoked(s);
    e = gh_expect_head(&s->queue); /* the queue may have moved */
    if (gh_clock_us() < e->due_us && (was_told || !e->is_lost)) {
        if (!s->env->is_revoke_timer_on)
            gh_timer_start(s->env->revoke_timer, PATIENCE_MS / 2);
        s->env->is_revoke_timer_on = true;
        return;
    }
    cancel(s, e);
}

void gh_env_on_revoke_timer(void *arg)
{
    gh_session_env *env = arg;
    gh_session *next;

    env->is_revoke_timer_on = false;
    for (gh_session *s = env->sessions; s != NULL; s = next) {
        next = s->next;
        if (s->state == GH_SESSION_READY && s->has_revoked)
            gh_session_end_revoked(s);
    }
}
