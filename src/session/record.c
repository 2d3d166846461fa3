/*
 * record.c: a session's audit records. Who it is and what a plan decided are encoded once and
 * copied from then on: the first with the session, the second with the plan set that the cache
 * keeps.
 */
#include "fingerprint.h"
#include "session_priv.h"

#include <stdlib.h>

static gh_str empty_if_null(gh_str s)
{
    return s.ptr != NULL ? s : (gh_str){ "", 0 };
}

void gh_session_record_who(gh_session *s)
{
    gh_str_list roles = s->view != NULL ? gh_view_roles(s->view) : (gh_str_list){ NULL, 0 };
    gh_str application = { "", 0 };
    char identity[GH_TLS_IDENTITY_MAX];
    gh_tls_info tls;
    gh_audit_session who;

    if (s->conn != NULL)
        application = empty_if_null(gh_conn_parameter(s->conn, "application_name"));
    else if (s->login != NULL)
        for (size_t i = 0; i < s->login->startup.settings_len; i++) {
            if (gh_str_ieq(s->login->startup.settings[i].name, GH_STR("application_name")))
                application = s->login->startup.settings[i].value;
        }
    gh_tls_info_get(&s->client, &tls);
    if (s->tls == NULL ||
        gh_tls_client_check(s->tls, &s->client, s->user, identity) == GH_TLS_CLIENT_NONE)
        identity[0] = '\0';
    who = (gh_audit_session){ .id = s->id,
                              .user = s->user,
                              .warehouse = s->database,
                              .roles = roles.items,
                              .role_count = roles.count,
                              .client = gh_str_of(s->peer),
                              .application = application,
                              .tls_version = gh_str_of(tls.version),
                              .tls_identity = gh_str_of(identity) };
    gh_audit_who_set(&s->who, &who);
}

/* ---- plans ----------------------------------------------------------------------------------- */

const char *gh_session_command(const gh_plan *p)
{
    static const char *const names[] = {
        [GH_STMT_REFUSED] = "refused",   [GH_STMT_EMPTY] = "empty",
        [GH_STMT_QUERY] = "select",      [GH_STMT_WRITE] = "write",
        [GH_STMT_BEGIN] = "begin",       [GH_STMT_COMMIT] = "commit",
        [GH_STMT_ROLLBACK] = "rollback", [GH_STMT_SAVEPOINT] = "savepoint",
        [GH_STMT_RELEASE] = "release",   [GH_STMT_ROLLBACK_TO] = "rollback to",
        [GH_STMT_SET] = "set",           [GH_STMT_RESET] = "reset",
        [GH_STMT_SHOW] = "show",         [GH_STMT_PREPARE] = "prepare",
        [GH_STMT_EXECUTE] = "execute",   [GH_STMT_DEALLOCATE] = "deallocate",
        [GH_STMT_DECLARE] = "declare",   [GH_STMT_FETCH] = "fetch",
        [GH_STMT_CLOSE] = "close",       [GH_STMT_COPY_OUT] = "copy to",
        [GH_STMT_COPY_IN] = "copy from", [GH_STMT_DISCARD] = "discard",
        [GH_STMT_OTHER] = "other",
    };

    if (p->kind == GH_STMT_WRITE && p->touch_count > 0) {
        uint32_t used = 0;

        for (size_t i = 0; i < p->touch_count; i++)
            used |= p->touches[i].is_sequence ? 0 : p->touches[i].privileges;
        if ((used & GH_INSERT) != 0)
            return "insert";
        if ((used & GH_UPDATE) != 0)
            return "update";
        if ((used & GH_DELETE) != 0)
            return "delete";
        if ((used & GH_TRUNCATE) != 0)
            return "truncate";
    }
    return names[p->kind];
}

/* What is the same in every record of a plan set, kept with it. */
typedef struct fragments {
    gh_buf plan;
    gh_buf texts; /* empty: made for each record */
} fragments;

static void free_fragments(void *extra)
{
    fragments *f = extra;

    gh_buf_fini(&f->plan);
    gh_buf_fini(&f->texts);
    free(f);
}

static gh_audit_relation relation_of(const gh_touch *t)
{
    return (gh_audit_relation){ .schema = t->schema,
                                .name = t->name,
                                .privileges = t->privileges,
                                .clear = t->clear.items,
                                .clear_count = t->clear.count,
                                .masked = t->masked.items,
                                .masked_count = t->masked.count,
                                .filtered = t->filtered.items,
                                .filtered_count = t->filtered.count,
                                .hidden = t->hidden.items,
                                .hidden_count = t->hidden.count,
                                .is_row_filtered = t->is_row_filtered };
}

/* Would the policy have refused it, or shown less than it shows as it is? */
static bool is_against_policy(const gh_plan_set *set)
{
    const gh_plan_set *judged = set->judged;

    if (judged == NULL || judged->is_refused)
        return true;
    for (size_t i = 0; i < judged->count; i++) {
        for (size_t k = 0; k < judged->plans[i].touch_count; k++) {
            const gh_touch *t = &judged->plans[i].touches[k];

            if (t->masked.count > 0 || t->hidden.count > 0 || t->is_row_filtered)
                return true;
        }
    }
    return false;
}

static bool is_observed(const gh_plan_set *set)
{
    return set->judged != NULL || set->unjudged != NULL;
}

static gh_audit_decision decision_of(const gh_plan_set *set)
{
    if (is_observed(set))
        return is_against_policy(set) ? GH_AUDIT_DECIDED_OBSERVED : GH_AUDIT_DECIDED_ALLOWED;
    if (set->is_refused)
        return GH_AUDIT_DECIDED_REFUSED;
    if (set->count > 0 && set->plans[0].is_bypassed)
        return GH_AUDIT_DECIDED_BYPASSED;
    return GH_AUDIT_DECIDED_ALLOWED;
}

/* EXECUTE and FETCH read what PREPARE and DECLARE named: of this session, now. */
static bool is_by_name(const gh_plan *p)
{
    return p->kind == GH_STMT_EXECUTE || p->kind == GH_STMT_FETCH;
}

static bool has_names(const gh_plan_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (is_by_name(&set->plans[i]))
            return true;
    }
    return false;
}

/* The plan whose relations and grants count: of what a name stands for, else the statement's own. */
static const gh_plan *reading_plan(const gh_session *s, const gh_plan *p)
{
    const gh_named *n = NULL;

    if (is_by_name(p))
        n = gh_names_find(p->kind == GH_STMT_EXECUTE ? &s->statements : &s->portals, p->name);
    return n != NULL && n->set->count == 1 ? &n->set->plans[0] : p;
}

static const gh_err *would_refuse(const gh_plan_set *set)
{
    if (set->unjudged != NULL)
        return set->unjudged;
    return set->judged != NULL && set->judged->is_refused
               ? &set->judged->plans[set->judged->count - 1].error
               : NULL;
}

/* What the audit may hold of a message about this text. */
static gh_str message_of(const gh_session *s, gh_str sql, const gh_err *err, gh_buf *own)
{
    gh_buf text;

    if (err == NULL || !s->env->o.is_fingerprint)
        return gh_str_of(err != NULL ? err->public_msg : NULL);
    gh_buf_init(&text, 0);
    gh_fingerprint(sql, &text);
    gh_fingerprint_message(gh_str_of(err->public_msg), gh_buf_str(&text), own);
    gh_buf_fini(&text);
    return gh_buf_str(own);
}

static void encode_plan(const gh_session *s, const gh_plan_set *whole, gh_buf *out)
{
    const gh_plan_set *set = whole->judged != NULL ? whole->judged : whole;
    const gh_err *would = would_refuse(whole);
    size_t touches = 0;
    size_t grants = 0;
    gh_audit_relation *relations;
    int64_t *ids;
    gh_buf message;

    gh_buf_init(&message, 0);
    for (size_t i = 0; i < set->count; i++) {
        const gh_plan *p = reading_plan(s, &set->plans[i]);

        touches += p->touch_count;
        grants += p->grant_count;
    }
    relations = gh_alloc((touches + 1) * sizeof(*relations));
    ids = gh_alloc((grants + 1) * sizeof(*ids));
    touches = 0;
    grants = 0;
    for (size_t i = 0; i < set->count; i++) {
        const gh_plan *p = reading_plan(s, &set->plans[i]);

        for (size_t k = 0; k < p->touch_count; k++)
            relations[touches++] = relation_of(&p->touches[k]);
        for (size_t k = 0; k < p->grant_count; k++)
            ids[grants++] = p->grant_ids[k];
    }
    gh_audit_plan p = { .decision = decision_of(whole),
                        .command = whole->count > 0
                                       ? gh_str_of(gh_session_command(&whole->plans[0]))
                                       : GH_STR("empty"),
                        .is_observed = is_observed(whole),
                        .would_sqlstate = gh_str_of(would != NULL ? would->sqlstate : NULL),
                        .would_message = message_of(s, whole->source, would, &message),
                        .grant_ids = ids,
                        .grant_count = grants,
                        .policy_version = gh_view_policy_version(s->view),
                        .catalog_epoch = gh_catalog_epoch(s->catalog),
                        .relations = relations,
                        .relation_count = touches };

    gh_audit_plan_encode(&p, out);
    gh_buf_fini(&message);
    free(relations);
    free(ids);
}

/* The encoded plan, made at its first use and kept with the set. One filled from a template decided what that did. */
static fragments *fragments_of(gh_session *s, gh_plan_set *set)
{
    gh_plan_set *owner = set->origin != NULL ? set->origin : set;
    fragments *f = owner->extra;

    if (f == NULL) {
        f = gh_alloc(sizeof(*f));
        gh_buf_init(&f->plan, 0);
        gh_buf_init(&f->texts, 0);
        encode_plan(s, owner, &f->plan);
        owner->extra = f;
        owner->extra_free = free_fragments;
    } else if (has_names(owner)) { /* the set serves other sessions, the names are this one's */
        gh_buf_clear(&f->plan);
        encode_plan(s, owner, &f->plan);
    }
    return f;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static gh_rc put(gh_session *s, gh_audit_record *r, gh_err *err)
{
    r->time_us = gh_wall_us();
    return gh_auditlog_put(s->env->writer, r, err);
}

static void encode_texts(const gh_session *s, gh_audit_record *r, gh_buf *out)
{
    gh_buf sql;
    gh_buf rewritten;

    gh_buf_init(&sql, 0);
    gh_buf_init(&rewritten, 0);
    if (s->env->o.is_fingerprint) {
        gh_fingerprint(r->sql, &sql);
        gh_fingerprint(r->rewritten, &rewritten);
        r->sql = gh_buf_str(&sql);
        r->rewritten = gh_buf_str(&rewritten);
        r->is_fingerprint = true;
    }
    gh_audit_texts_encode(r, out);
    gh_buf_fini(&sql);
    gh_buf_fini(&rewritten);
}

/* Of a statement or a refusal; `f`: where its texts are kept, NULL: they are this record's alone. */
static gh_rc put_statement(gh_session *s, gh_audit_record *r, fragments *f, gh_err *err)
{
    gh_buf own;
    gh_buf *texts = f != NULL ? &f->texts : &own;
    gh_rc rc;

    gh_buf_init(&own, 0);
    if (texts->len == 0 && (f != NULL || s->env->o.is_fingerprint))
        encode_texts(s, r, texts);
    r->texts = gh_buf_str(texts);
    rc = put(s, r, err);
    gh_buf_fini(&own);
    return rc;
}

/* A record that nobody can be refused for: the log counts it as lost, and says so in the chain. */
static void put_anyway(gh_session *s, gh_audit_record *r)
{
    gh_err err = { 0 };

    if (put(s, r, &err) != GH_OK)
        gh_log(GH_ERROR, "audit.lost", "kind=%s cause=\"%s\"", gh_audit_kind_name(r->kind),
               err.detail);
}

/* ---- statements ------------------------------------------------------------------------------ */

gh_rc gh_session_record_intent(gh_session *s, gh_expect *e, gh_err *err)
{
    fragments *f = fragments_of(s, e->set);
    gh_audit_record r = { .kind = GH_AUDIT_INTENT,
                          .statement = gh_auditlog_next_id(s->env->writer),
                          .who = &s->who,
                          .plan = gh_buf_str(&f->plan),
                          .sql = e->set->source,
                          .rewritten = e->set->query };
    gh_rc rc = put_statement(s, &r, e->set->origin == NULL ? f : NULL, err);

    if (rc != GH_OK)
        return rc;
    e->statement = r.statement;
    e->started_us = gh_clock_us();
    e->has_intent = true;
    e->is_uncommitted = true;
    s->env->counts.statements++;
    if (is_observed(e->set) && is_against_policy(e->set))
        s->env->counts.observed++;
    s->wants_commit = true;
    gh_session_mark(s);
    return GH_OK;
}

void gh_session_record_outcome(gh_session *s, gh_expect *e)
{
    gh_audit_record r = { .kind = GH_AUDIT_OUTCOME,
                          .statement = e->statement,
                          .who = &s->who,
                          .rows = e->rows,
                          .bytes = e->bytes,
                          .sqlstate = gh_str_of(e->sqlstate) };

    if (!e->has_intent)
        return;
    e->has_intent = false;
    s->idle_since_us = gh_clock_us();
    r.duration_us = (uint64_t)(s->idle_since_us - e->started_us);
    put_anyway(s, &r);
}

gh_rc gh_session_record_refusal(gh_session *s, gh_str sql, gh_plan_set *set, const gh_err *refusal,
                                gh_err *err)
{
    gh_buf message;
    gh_rc rc;

    gh_buf_init(&message, 0);
    gh_audit_record r = { .kind = GH_AUDIT_REFUSED,
                          .statement = gh_auditlog_next_id(s->env->writer),
                          .who = &s->who,
                          .plan = set != NULL ? gh_buf_str(&fragments_of(s, set)->plan)
                                              : (gh_str){ NULL, 0 },
                          .sql = sql,
                          .sqlstate = gh_str_of(refusal->sqlstate),
                          .message = message_of(s, sql, refusal, &message) };

    s->env->counts.refusals++;
    s->env->wants_commit = true;
    rc = put_statement(s, &r, NULL, err);
    gh_buf_fini(&message);
    return rc;
}

/* ---- logins ---------------------------------------------------------------------------------- */

gh_rc gh_session_record_login(gh_session *s, gh_err *err)
{
    gh_audit_record r = { .kind = GH_AUDIT_LOGIN, .who = &s->who };
    gh_err refused = { 0 };
    gh_buf would;
    gh_rc rc;

    gh_buf_init(&would, 0);
    if (s->is_observed && !gh_view_has_any_grant(s->view))
        gh_audit_would_encode(GH_STR("3D000"), GH_STR("no grant in this warehouse"), &would);
    else if (s->is_observed && gh_session_check_startup(s, &refused) != GH_OK)
        gh_audit_would_encode(gh_str_of(refused.sqlstate), gh_str_of(refused.public_msg), &would);
    r.plan_would = gh_buf_str(&would);
    rc = put(s, &r, err);
    gh_buf_fini(&would);
    s->has_login = rc == GH_OK;
    s->env->counts.logins += rc == GH_OK ? 1 : 0;
    return rc;
}

void gh_session_record_failure(gh_session *s, const gh_err *err)
{
    gh_audit_record r = { .kind = GH_AUDIT_LOGIN_FAILED,
                          .who = s->user.ptr != NULL ? &s->who : NULL,
                          .sqlstate = gh_str_of(err->sqlstate),
                          .message = gh_str_of(err->public_msg) };

    s->env->counts.login_failures++;
    s->env->wants_commit = true;
    put_anyway(s, &r);
}

void gh_session_record_logout(gh_session *s)
{
    gh_audit_record r = { .kind = GH_AUDIT_LOGOUT,
                          .who = &s->who,
                          .duration_us = (uint64_t)(gh_clock_us() - s->started_us) };

    if (!s->has_login)
        return;
    s->has_login = false;
    put_anyway(s, &r);
}

void gh_session_record_admin(gh_session *s, gh_str by, const char *what)
{
    gh_audit_record r = {
        .kind = GH_AUDIT_ADMIN, .who = &s->who, .by = by, .message = gh_str_of(what)
    };

    s->env->wants_commit = true;
    put_anyway(s, &r);
}
