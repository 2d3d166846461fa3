/*
 * mode.c: whether statements are judged and rewritten, or go upstream as they are: of a user who may bypass, and of
 * everybody in a warehouse in observe mode, where they are judged for the audit alone.
 *
 *     enforced ──observe, or bypass granted──▶ [idle] ── another connection ──▶ as they are
 *     as they are ──enforce, or bypass taken──▶ blocked ─ [idle] ── another connection ──▶ enforced
 *
 * SECURITY: an upstream session whose client could send anything may hold anything: prepared statements, cursors
 * and temporary views over what the policy hides, another search_path, another role. So no statement is ever
 * enforced on it: from the moment that the policy holds, only the end of the transaction passes, and then the
 * connection is closed and another one taken. Nor may a session that is not enforced have a connection that
 * knows the key of the `hash` mask, which other warehouses' masks share. Attack: tests/attack/observe.
 */
#include "session_priv.h"

#include <stdlib.h>

gh_session_mode_kind gh_session_mode(const gh_session *s)
{
    if (!s->is_bypass)
        return GH_MODE_ENFORCE;
    return s->is_observed ? GH_MODE_OBSERVE : GH_MODE_BYPASS;
}

static gh_rc observe(const gh_rewrite_input *in, gh_arena *a, gh_plan_set *set, gh_err *later)
{
    const gh_plan *plans = NULL;
    size_t count = 0;
    gh_err err = { 0 };
    gh_rc rc = gh_rewrite(in, a, &plans, &count, &err);

    if (err.takes_long) {
        if (later != NULL)
            *later = err;
        return rc;
    }

    if (rc == GH_OK) {
        set->judged = gh_plan_set_new(in->sql, plans, count, gh_session_poison());
        set->bytes += set->judged->bytes;
        set->is_cacheable = set->is_cacheable && set->judged->is_cacheable;
    } else {
        set->unjudged = gh_alloc(sizeof(err));
        *set->unjudged = err;
    }
    return GH_OK; /* whatever the policy says, and whether it can say anything */
}

gh_rc gh_session_make_set(const gh_rewrite_input *in, gh_session_mode_kind mode, gh_arena *a,
                          gh_plan_set **set, gh_err *err)
{
    const gh_plan *plans = NULL;
    size_t count = 0;
    gh_rc rc = mode == GH_MODE_ENFORCE ? gh_rewrite(in, a, &plans, &count, err)
                                       : gh_rewrite_raw(in, a, &plans, &count, err);

    if (rc != GH_OK)
        return rc;
    *set = gh_plan_set_new(in->sql, plans, count, gh_session_poison());
    gh_arena_reset(a);
    if (mode == GH_MODE_OBSERVE)
        rc = observe(in, a, *set, err);
    if (rc != GH_OK) {
        gh_plan_set_release(*set);
        *set = NULL;
    }
    return rc;
}

void gh_session_choose_mode(gh_session *s)
{
    bool may_bypass = (gh_view_may(s->view) & GH_MAY_BYPASS) != 0;
    bool was_raw = s->is_bypass;

    s->saw_observed = s->warehouse->is_observed;
    s->is_observed = false;
    if (may_bypass) {
        s->is_bypass = true;
        s->is_blocked = false;
        s->wants_renewal = s->wants_renewal || !was_raw;
    } else if (s->warehouse->is_observed) {
        bool may_stay = !s->holds_key && (was_raw || s->is_blocked);

        s->is_bypass = may_stay;
        s->is_observed = may_stay;
        s->is_blocked = !may_stay && (was_raw || s->is_blocked);
        s->wants_renewal = !may_stay;
    } else {
        s->is_bypass = false;
        s->is_blocked = s->is_blocked || was_raw;
        s->wants_renewal = s->is_blocked || !s->holds_key;
    }
}

gh_rc gh_session_check_mode(const gh_session *s, const gh_plan_set *set, gh_err *err)
{
    if (!s->is_blocked)
        return GH_OK;
    for (size_t i = 0; i < set->count; i++) {
        gh_stmt_kind kind = set->plans[i].kind;

        if (kind != GH_STMT_COMMIT && kind != GH_STMT_ROLLBACK && kind != GH_STMT_EMPTY)
            return gh_fail(err, GH_DENIED, "42501",
                           "the policy is enforced now; end the transaction to go on");
    }
    return GH_OK;
}

void gh_session_put_startup(const gh_session *s, gh_str path, gh_buf *sql)
{
    if (s->is_bypass) {
        /* Whose statements go as they are needs the path that they were written for. */
        gh_buf_puts(sql, "RESET search_path;");
        if (!gh_str_is(path, GH_DEFAULT_PATH))
            gh_settings_put_config(GH_STR("search_path"), path, sql);
        gh_buf_put_str(sql, s->raw_sql);
    }
    gh_buf_put_str(sql, s->startup_sql);
}

/* ---- another connection ---------------------------------------------------------------------- */

/* What drivers remember of a session, and would be wrong about: it goes along. */
static const char *const s_kept[] = { "application_name", "client_encoding", "DateStyle",
                                      "IntervalStyle", "TimeZone" };

static bool is_at_rest(const gh_session *s)
{
    return s->state == GH_SESSION_READY && s->conn != NULL && gh_session_is_idle(s) &&
           !s->is_mid_batch && !s->is_skipping && !s->wants_commit && !s->is_held &&
           s->cancel == NULL && !s->is_terminating;
}

/* Tells what differs between the old connection's parameters and the new one's. */
static void on_renewed(void *arg, gh_conn *conn, const gh_err *err)
{
    gh_session *s = arg;

    if (!gh_session_take_conn(s, conn, err))
        return;
    s->is_blocked = false;
    s->wants_renewal = false;
    s->encoding_changes++; /* the scope is another */
    gh_session_put_parameters(s);
    if (!gh_session_refresh(s))
        return;
    gh_session_resume(s);
    gh_session_watch(s);
}

void gh_session_renew(gh_session *s)
{
    gh_buf sql;

    if (!s->wants_renewal || !is_at_rest(s))
        return;
    s->is_observed = (gh_view_may(s->view) & GH_MAY_BYPASS) == 0 && s->warehouse->is_observed;
    s->is_bypass = (gh_view_may(s->view) & GH_MAY_BYPASS) != 0 || s->is_observed;
    gh_buf_init(&sql, 0);
    gh_session_put_startup(s, gh_settings_path(&s->settings)->text, &sql);
    for (size_t i = 0; i < GH_COUNT(s_kept); i++) {
        gh_str value = gh_conn_parameter(s->conn, s_kept[i]);

        if (value.ptr != NULL)
            gh_settings_put_sql(gh_str_of(s_kept[i]), value, &sql);
    }
    gh_log(GH_INFO, "session.renewed", "peer=%s mode=%s", s->peer,
           s->is_observed ? "observe"
           : s->is_bypass ? "bypass"
                          : "enforce");
    gh_watch_free(s->conn_watch);
    s->conn_watch = NULL;
    gh_pool_release(s->warehouse->pool, s->conn, GH_RELEASE_CLOSE);
    s->conn = NULL;
    gh_names_clear(&s->portals);
    gh_session_forget_uses(s);
    gh_names_renew(&s->statements);
    gh_lookups_renew(&s->lookups);
    gh_temporary_forget(&s->temporary);
    s->temporary.is_stale = false;
    s->temporary.is_touched = false;
    s->needs_init = false;
    s->ticket_conn = gh_pool_acquire(s->warehouse->pool, gh_buf_str(&sql), on_renewed, s);
    gh_buf_fini(&sql);
}

void gh_session_env_set_observed(gh_session_env *env, size_t index, bool is_observed)
{
    gh_env_warehouse *w = &env->warehouses[index];
    gh_session *next;

    if (w->is_observed == is_observed)
        return;
    w->is_observed = is_observed;
    for (gh_session *s = env->sessions; s != NULL; s = next) {
        next = s->next;
        if (s->warehouse != w || s->state != GH_SESSION_READY || s->conn == NULL ||
            !gh_session_refresh(s))
            continue;
        if (!is_observed)
            gh_session_recheck(s);
        gh_session_renew(s);
    }
}
