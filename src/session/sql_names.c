/*
 * sql_names.c: PREPARE, EXECUTE, DECLARE and FETCH. To the upstream what SQL makes and what the protocol
 * makes is one namespace, so it is one here: PREPARE and DECLARE put entries into the session's tables,
 * and whatever uses an entry, in either form, goes on only if its statement would be sent in the same
 * words now.
 */
#include "session_priv.h"

/* The plan of what PREPARE or DECLARE prepares, as its own set. */
static gh_plan_set *inner_set(const gh_expect *e, const gh_plan *p)
{
    gh_plan inner = *p;
    gh_str source = e->set->source;

    if ((size_t)p->source_start + p->source_len <= source.len)
        source = (gh_str){ source.ptr + p->source_start, p->source_len };
    inner.kind = p->inner;
    inner.source_start = 0;
    return gh_plan_set_new(source, &inner, 1, gh_session_poison());
}

static void note(gh_names *t, const gh_expect *e, const gh_plan *p, uint64_t batch)
{
    gh_plan_set *set = inner_set(e, p);
    gh_str name = p->name;
    gh_named *n;

    if (name.len > GH_WIRE_NAME_MAX)
        name.len = GH_WIRE_NAME_MAX;
    n = gh_named_new(name, set, e->set->scope);
    n->is_sql = true;
    n->is_upstream = true;
    n->batch = batch;
    gh_named_release(gh_names_put(t, n));
    gh_named_release(n);
    gh_plan_set_release(set);
}

void gh_session_note_prepared(gh_session *s, const gh_expect *e, const gh_plan *p)
{
    note(&s->statements, e, p, 0);
}

void gh_session_note_declared(gh_session *s, const gh_expect *e, const gh_plan *p)
{
    /* As Bind counts: the Syncs and Queries that had been sent before this one. */
    uint64_t batch = e->kind == GH_EXPECT_QUERY ? e->batch - 1 : e->named->batch;

    note(&s->portals, e, p, p->is_held ? UINT64_MAX : batch);
}

/* Would it be sent in the same words now? `what` changed, if not. */
static gh_rc check_words(gh_session *s, gh_named *n, const char *what, gh_err *err)
{
    const gh_named *types = n->statement != NULL ? n->statement : n;
    gh_plan_set *set = NULL;
    gh_rc rc;

    rc =
        gh_session_judge(s, n->set->source, types->types, types->type_count, !n->is_sql, &set, err);
    if (rc != GH_OK)
        return rc;
    if (set->is_refused) {
        *err = set->plans[set->count - 1].error;
        rc = GH_DENIED;
    } else if (set->count != 1 || n->set->count != 1 ||
               gh_plan_set_is_raw(set) != gh_plan_set_is_raw(n->set) ||
               !gh_str_eq(set->plans[0].sql, n->set->plans[0].sql)) {
        rc = gh_fail(err, GH_DENIED, "42501", "%s", what);
    } else {
        n->scope = s->scope;
    }
    gh_plan_set_release(set);
    return rc;
}

gh_rc gh_session_check_named(gh_session *s, gh_named *n, gh_err *err)
{
    bool is_cursor = gh_names_find(&s->statements, gh_named_name(n)) != n;

    if (n->scope != s->scope)
        return check_words(
            s, n, "the policy changed since the statement was prepared or the cursor was opened",
            err);
    if (n->set->is_cacheable || is_cursor) /* which reads what was there when it was opened */
        return GH_OK;
    return check_words(s, n,
                       "what the statement reads of the session, as lastval() does, changed since "
                       "it was prepared",
                       err);
}

static gh_rc check_use(gh_session *s, gh_names *t, gh_str name, gh_err *err)
{
    gh_named *n;

    if (name.len > GH_WIRE_NAME_MAX)
        name.len = GH_WIRE_NAME_MAX;
    n = gh_names_find(t, name);
    if (n == NULL) /* the upstream does not have it either, and says so in its own words */
        return GH_OK;
    if (t == &s->statements && gh_session_sets_bound(n->set) && !gh_plan_set_is_raw(n->set))
        return gh_fail(err, GH_DENIED, "42501", "EXECUTE of set_config is not allowed");
    return gh_session_check_named(s, n, err);
}

/* What changes names waits for such an EXECUTE to be answered, and it for what changes names. */
const gh_plan *gh_session_answering(const gh_session *s, const gh_plan *p)
{
    const gh_named *n;
    gh_str name;

    if (p == NULL || p->kind != GH_STMT_EXECUTE || p->is_explained || p->is_bypassed)
        return p;
    name = p->name;
    if (name.len > GH_WIRE_NAME_MAX)
        name.len = GH_WIRE_NAME_MAX;
    n = gh_names_find(&s->statements, name);
    return n != NULL && n->set->count == 1 ? &n->set->plans[0] : p;
}

static gh_rc check_count(const gh_names *t, const char *what, gh_err *err)
{
    if (t->count < GH_SESSION_STATEMENTS_MAX)
        return GH_OK;
    return gh_fail(err, GH_LIMIT, "54000", "more than %d %s in one session",
                   GH_SESSION_STATEMENTS_MAX, what);
}

gh_rc gh_session_check_names(gh_session *s, const gh_plan_set *set, gh_err *err)
{
    gh_rc rc = GH_OK;

    for (size_t i = 0; i < set->count && rc == GH_OK; i++) {
        const gh_plan *p = &set->plans[i];

        if (p->kind == GH_STMT_SAVEPOINT)
            rc = gh_settings_check_savepoint(&s->settings, err);
        else if (p->is_bypassed)
            continue;
        else if (p->kind == GH_STMT_EXECUTE)
            rc = check_use(s, &s->statements, p->name, err);
        else if (p->kind == GH_STMT_FETCH)
            rc = check_use(s, &s->portals, p->name, err);
        else if (p->kind == GH_STMT_PREPARE)
            rc = check_count(&s->statements, "prepared statements", err);
        else if (p->kind == GH_STMT_DECLARE)
            rc = check_count(&s->portals, "portals", err);
    }
    return rc;
}
