/*
 * judge.c: by what a statement is judged, and the judgement.
 *
 *     policy generation, valid until ─▶ view ─┐
 *     warehouse's catalog ────────────────────┼─▶ scope: a number for exactly these ─▶ plan cache
 * ─miss▶ gh_rewrite search_path, encoding, database ────────┘
 *
 * SECURITY: the same view, catalog and search_path must look up the plan and make it; so they are
 * taken once a statement, by gh_session_refresh, and kept in the session. Attack:
 * tests/integration, a reload between two statements of a pipeline.
 */
#include "session_priv.h"

#include <stdlib.h>
#include <strings.h>

/* Who lost the last grant stays, in a warehouse in which there is nothing: grants may be given back, or begin later. */
static bool user_may_stay(const gh_session *s)
{
    const gh_policy_user *user = gh_policy_user_find(s->env->policy, s->user);

    return user != NULL && !user->is_disabled;
}

static void put_part(gh_buf *b, gh_str part)
{
    gh_buf_put_u32(b, (uint32_t)part.len);
    gh_buf_put_str(b, part);
}

static void make_scope(gh_session *s, uint64_t view_id)
{
    uint64_t epoch = gh_catalog_epoch(s->catalog);
    gh_buf b;

    gh_buf_init(&b, 0);
    gh_buf_put(&b, &view_id, sizeof(view_id));
    gh_buf_put(&b, &epoch, sizeof(epoch));
    gh_buf_put(&b, &s->temporary.id, sizeof(s->temporary.id));
    gh_buf_put_u8(&b, (uint8_t)((s->is_bypass ? 1 : 0) | (s->is_observed ? 2 : 0)));
    put_part(&b, s->user);
    put_part(&b, s->database);
    put_part(&b, gh_conn_parameter(s->conn, "client_encoding"));
    put_part(&b, s->path->text);
    for (size_t i = 0; i < s->path->schemas.count; i++)
        put_part(&b, s->path->schemas.items[i]);
    s->scope = gh_plan_cache_scope(s->env->plans, gh_buf_str(&b));
    gh_buf_fini(&b);
}

static bool is_fresh(const gh_session *s, int64_t now)
{
    return s->view != NULL && s->policy_generation == s->env->policy_generation &&
           now < gh_view_valid_until(s->view) && s->catalog == s->warehouse->catalog &&
           s->path == gh_settings_path(&s->settings) && s->scope_encoding == s->encoding_changes &&
           s->scope_temporary == s->temporary.id && s->saw_observed == s->warehouse->is_observed;
}

bool gh_session_refresh(gh_session *s)
{
    int64_t now = gh_wall_us();
    gh_view_entry *entry;
    bool is_new_view;

    if (is_fresh(s, now))
        return true;
    entry = gh_env_view(s->env, s->warehouse, s->user, now);
    is_new_view = entry->view != s->view;
    if (is_new_view) {
        gh_view_acquire(entry->view);
        gh_view_release(s->view);
        s->view = entry->view;
    }
    gh_env_expect_expiry(s->env, gh_view_valid_until(s->view));
    s->policy_generation = s->env->policy_generation;
    if (!user_may_stay(s)) {
        gh_log(GH_INFO, "session.revoked", "peer=%s", s->peer);
        gh_session_fatal_text(s, "57P01", "terminating connection due to administrator command");
        return false;
    }
    gh_session_choose_mode(s);
    if (s->catalog != s->warehouse->catalog) {
        gh_catalog_acquire(s->warehouse->catalog);
        gh_catalog_release(s->catalog);
        s->catalog = s->warehouse->catalog;
    }
    if (s->path != gh_settings_path(&s->settings)) {
        gh_path *path = gh_path_acquire(gh_settings_path(&s->settings));

        gh_path_release(s->path);
        s->path = path;
    }
    s->scope_encoding = s->encoding_changes;
    s->scope_temporary = s->temporary.id;
    make_scope(s, entry->id);
    if (is_new_view)
        gh_session_record_who(s);
    return true;
}

static gh_rewrite_input question(const gh_session *s, const gh_plan_key *key)
{
    return (gh_rewrite_input){ .sql = key->text,
                               .catalog = s->catalog,
                               .temporary = s->temporary.catalog,
                               .view = s->view,
                               .database = s->database,
                               .search_path = s->path->schemas,
                               .search_path_text = s->path->text,
                               .client_encoding = gh_conn_parameter(s->conn, "client_encoding"),
                               .param_types = key->param_types,
                               .param_count = key->param_count,
                               .is_extended = key->is_extended };
}

static bool speaks_of(gh_str text, gh_str word)
{
    for (size_t i = 0; i + word.len <= text.len; i++) {
        if (strncasecmp(text.ptr + i, word.ptr, word.len) == 0)
            return true;
    }
    return false;
}

static void add_name(void *arg, const gh_named *n)
{
    gh_session_name **next = arg;

    if (n->name_len > 0) /* the unnamed portal that is shown would be the one that asks */
        *(*next)++ = (gh_session_name){ gh_named_name(n), n->set->source };
}

/* What the session made, for the few texts that ask; free() it afterwards. NULL: nobody asks. */
static gh_session_name *tell_names(const gh_session *s, gh_rewrite_input *in)
{
    gh_session_name *names;
    gh_session_name *next;

    if (!speaks_of(in->sql, GH_STR("pg_prepared_statements")) &&
        !speaks_of(in->sql, GH_STR("pg_cursors")))
        return NULL;
    names = gh_alloc(((size_t)s->statements.count + s->portals.count + 1) * sizeof(*names));
    next = names;
    in->statements = next;
    gh_names_each(&s->statements, add_name, &next);
    in->statement_count = (size_t)(next - in->statements);
    in->cursors = next;
    gh_names_each(&s->portals, add_name, &next);
    in->cursor_count = (size_t)(next - in->cursors);
    return names;
}

static gh_rc rewrite(gh_session *s, const gh_plan_key *key, size_t added_max, gh_plan_set **set,
                     gh_err *err)
{
    gh_rewrite_input in = question(s, key);
    gh_session_name *names = tell_names(s, &in);
    gh_rc rc;

    in.added_max = added_max;
    rc = gh_session_make_set(&in, gh_session_mode(s), s->env->arena, set, err);
    if (rc == GH_OK)
        (*set)->scope = s->scope;
    gh_arena_reset(s->env->arena);
    free(names);
    return rc;
}

/* Kept for the next text of its shape where literals are all that may differ, else for this text. */
static void keep(gh_session *s, const gh_plan_key *key, const gh_plan_key *shape, gh_plan_set *set)
{
    gh_plan_set *shared = shape->text.len > 0 ? gh_template_make(s->env->template, set) : NULL;

    if (shared != NULL)
        gh_plan_cache_put(s->env->plans, shape, shared);
    else
        gh_plan_cache_put(s->env->plans, key, set);
    gh_plan_set_release(shared);
}

static gh_rc judge_here(gh_session *s, const gh_plan_key *key, size_t added_max, gh_plan_set **set,
                        gh_err *err)
{
    gh_str sql = key->text;
    gh_plan_key shape = { .scope = s->scope, .is_extended = key->is_extended, .is_shape = true };
    gh_plan_set *found = gh_plan_cache_find(s->env->plans, key);
    gh_rc rc;

    if (found != NULL) {
        *set = gh_plan_set_acquire(found);
        return GH_OK;
    }
    if (!s->is_bypass && key->param_count == 0 && gh_template_scan(sql, s->env->template)) {
        shape.text = (gh_str){ s->env->template->shape, s->env->template->shape_len };
        found = gh_plan_cache_find(s->env->plans, &shape);
        if (found != NULL) {
            *set = gh_template_fill(found, s->env->template, sql);
            return GH_OK;
        }
    }
    if (sql.len > s->env->o.statement_bytes)
        return gh_fail(err, GH_LIMIT, "54000", "the statement is longer than %llu bytes",
                       (unsigned long long)s->env->o.statement_bytes);
    rc = rewrite(s, key, added_max, set, err);
    if (rc == GH_OK)
        keep(s, key, &shape, *set);
    return rc;
}

gh_rc gh_session_judge(gh_session *s, gh_str sql, const gh_oid *types, size_t type_count,
                       bool is_extended, gh_plan_set **set, gh_err *err)
{
    gh_plan_key key = { .scope = s->scope,
                        .text = sql,
                        .param_types = types,
                        .param_count = type_count,
                        .is_extended = is_extended };

    return judge_here(s, &key, 0, set, err);
}

/*
 * SECURITY: 6 KB of stars in RETURNING become a megabyte, for which everybody else on the worker would wait. So
 * what grows a lot is given up here and begun again on a thread, as what is long to begin with.
 * Attack: tests/attack/states, test_short_texts_that_grow.
 */
gh_rc gh_session_judge_or_wait(gh_session *s, gh_str sql, const gh_oid *types, size_t type_count,
                               bool is_extended, gh_plan_set **set, gh_err *err)
{
    gh_plan_key key = { .scope = s->scope,
                        .text = sql,
                        .param_types = types,
                        .param_count = type_count,
                        .is_extended = is_extended };
    gh_rewrite_input in = question(s, &key);
    gh_err given_up = { 0 };
    gh_rc rc;

    if (s->env->o.judge_pool == NULL || sql.len > s->env->o.statement_bytes ||
        gh_plan_cache_find(s->env->plans, &key) != NULL)
        return judge_here(s, &key, 0, set, err);
    if (sql.len <= GH_SQL_INLINE_MAX && s->judgement == NULL) {
        rc = judge_here(s, &key, GH_SQL_INLINE_ADDED_MAX, set, &given_up);
        if (rc == GH_OK || !given_up.takes_long) {
            *err = given_up;
            return rc;
        }
    }
    if (!gh_judgement_take(s, &in, &rc, set, err)) {
        gh_judgement_begin(s, &in);
        return GH_AGAIN;
    }
    if (rc == GH_OK)
        gh_plan_cache_put(s->env->plans, &key, *set);
    return rc;
}

bool gh_session_wait_catalog(gh_session *s, const gh_err *err)
{
    static const char *const missing[] = { "42P01", "42703", "42704", "42883", "3F000" };
    bool is_missing = err->awaits_catalog;

    if (s->has_waited)
        return false;
    for (size_t i = 0; i < GH_COUNT(missing); i++)
        is_missing = is_missing || strcmp(err->sqlstate, missing[i]) == 0;
    if (!is_missing)
        return false;
    s->has_waited = true;
    s->wait_read = s->env->o.poke_catalog(s->env->o.poke_arg, s->warehouse->index);
    return true;
}

/* Would the statement that is under way be sent in the same words now? */
static bool is_still_allowed(gh_session *s, const gh_expect *e)
{
    const gh_named *statement = e->named != NULL ? e->named->statement : NULL;
    gh_plan_set *set = NULL;
    gh_err why = { 0 };
    bool is_same;

    if (gh_session_judge(s, e->set->source, statement != NULL ? statement->types : NULL,
                         statement != NULL ? statement->type_count : 0,
                         e->kind == GH_EXPECT_EXECUTE, &set, NULL) != GH_OK)
        return false;
    is_same = gh_str_eq(set->query, e->set->query) &&
              gh_plan_set_is_raw(set) == gh_plan_set_is_raw(e->set);
    gh_plan_set_release(set);
    /* What runs may be a cursor's, or a prepared statement's. */
    return is_same && gh_session_check_names(s, e->set, &why) == GH_OK;
}

/*
 * SECURITY: a statement that runs for an hour would show, for an hour, what was revoked in its
 * first second. It is judged again, and cancelled unless it would be sent in the same words.
 * Attack: tests/integration/live_policy.
 */
void gh_session_recheck(gh_session *s)
{

    for (uint32_t i = 0; i < s->queue.count; i++) {
        gh_expect *e = gh_expect_at(&s->queue, i);

        if ((e->kind != GH_EXPECT_QUERY && e->kind != GH_EXPECT_EXECUTE) || e->set == NULL ||
            e->refusal != NULL || e->is_failed || is_still_allowed(s, e))
            continue;
        e->is_revoked = true;
        e->refusal = gh_alloc(sizeof(*e->refusal));
        gh_session_say(e->refusal, "42501", "the policy changed while the statement ran");
        s->has_revoked = true;
    }
    gh_session_cancel_revoked(s);
}

void gh_session_cancel_revoked(gh_session *s)
{
    gh_expect *e = gh_expect_head(&s->queue);

    if (!s->has_revoked || e == NULL) {
        s->has_revoked = false;
        return;
    }
    /* Each one when its turn comes: a cancel sent before would hit what runs in front of it. */
    if (!e->is_revoked || e->was_cancelled || e->is_failed)
        return;
    e->was_cancelled = true;
    if (s->is_copying_in && s->client_left == 0) {
        /* Who waits for a client's data hears no cancel. */
        gh_env_lend(s->env, &s->up_out);
        gh_wire_put_copy_fail(&s->up_out, GH_STR("the policy changed"));
        gh_session_mark(s);
    } else
        gh_cancel_running(s);
}
