/*
 * judge.c: by what a statement is judged, and the judgement.
 *
 *     policy generation, valid until ──▶ view ─┐
 *     warehouse's catalog ─────────────────────┼─▶ scope: a number for exactly these ─▶ plan cache
 *     search_path, encoding, database ─────────┘                                          └─miss▶ gh_rewrite
 *
 * SECURITY: the same view, catalog and search_path must look up the plan and make it; so they are
 * taken once a statement, by gh_session_refresh, and kept in the session. Attack:
 * tests/attack/observe, test_pipeline_across_the_switch; tests/integration/policy_live.
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

/* All but the view, of what decides how a statement is judged. */
static bool has_same_world(const gh_session *s)
{
    return s->catalog == s->warehouse->catalog && s->path == gh_settings_path(&s->settings) &&
           s->scope_encoding == s->encoding_changes && s->scope_temporary == s->temporary.id &&
           s->saw_observed == s->warehouse->is_observed;
}

static bool is_fresh(const gh_session *s, int64_t now)
{
    return s->view != NULL && s->policy_generation == s->env->policy_generation &&
           now < gh_view_valid_until(s->view) && has_same_world(s);
}

static void note_scope(gh_session *s, uint64_t before, bool is_same_world)
{
    if (s->scope == before)
        return;
    s->earlier_scope = is_same_world ? before : 0;
    s->policy_changed_us = gh_clock_us();
}

bool gh_session_refresh(gh_session *s)
{
    int64_t now = gh_env_now(s->env);
    uint64_t scope = s->scope;
    gh_view_entry *entry;
    bool is_new_view;
    bool is_same_world;

    if (is_fresh(s, now))
        return true;
    is_same_world = s->view != NULL && has_same_world(s);
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
    note_scope(s, scope, is_same_world);
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
                               .startup = s->startup_sql,
                               .client_encoding = gh_conn_parameter(s->conn, "client_encoding"),
                               .param_types = key->param_types,
                               .param_count = key->param_count,
                               .took_number = s->took_number,
                               .has_tls = gh_stream_has_tls(&s->client),
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

/* Borrowed; of the text itself, or of its shape (shape->text.len > 0: it has one). NULL: not there. */
static gh_plan_set *find_plan(gh_session *s, const gh_plan_key *key, gh_plan_key *shape)
{
    gh_plan_set *found = gh_plan_cache_find(s->env->plans, key);

    *shape =
        (gh_plan_key){ .scope = key->scope, .is_extended = key->is_extended, .is_shape = true };
    if (found != NULL || s->is_bypass || key->param_count > 0 ||
        !gh_template_scan(key->text, s->env->template))
        return found;
    shape->text = (gh_str){ s->env->template->shape, s->env->template->shape_len };
    return gh_plan_cache_find(s->env->plans, shape);
}

static gh_rc judge_here(gh_session *s, const gh_plan_key *key, size_t added_max, gh_plan_set **set,
                        gh_err *err)
{
    gh_str sql = key->text;
    gh_plan_key shape;
    gh_plan_set *found = find_plan(s, key, &shape);
    gh_rc rc;

    if (found != NULL) {
        *set = shape.text.len > 0 ? gh_template_fill(found, s->env->template, sql)
                                  : gh_plan_set_acquire(found);
        return GH_OK;
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
    gh_err given_up;
    gh_rc rc;

    gh_err_init(&given_up);
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

/*
 * Was it allowed until the policy changed a moment ago, with the catalog that refuses it now? Then it is the policy
 * that took it away, and who lost a right hears so at once: reading the catalog of a large warehouse takes longer than
 * a change of the policy may.
 */
static bool was_allowed(gh_session *s, const gh_plan_key *now)
{
    gh_plan_key earlier = *now;
    gh_plan_key shape;
    const gh_plan_set *found;

    if (s->earlier_scope == 0 || gh_clock_us() - s->policy_changed_us > GH_POLICY_FRESH_US)
        return false;
    earlier.scope = s->earlier_scope;
    found = find_plan(s, &earlier, &shape);
    return found != NULL && !found->is_refused;
}

bool gh_session_wait_catalog(gh_session *s, gh_str sql, const gh_oid *types, size_t type_count,
                             bool is_extended, const gh_err *err)
{
    gh_plan_key key = { .scope = s->scope,
                        .text = sql,
                        .param_types = types,
                        .param_count = type_count,
                        .is_extended = is_extended };
    static const char *const missing[] = { "42P01", "42703", "42704", "42883", "3F000" };
    bool is_missing = err->awaits_catalog;

    if (s->has_waited)
        return false;
    for (size_t i = 0; i < GH_COUNT(missing); i++)
        is_missing = is_missing || strcmp(err->sqlstate, missing[i]) == 0;
    if (!is_missing || (!err->awaits_catalog && was_allowed(s, &key)))
        return false;
    s->has_waited = true;
    s->wait_read = s->env->o.poke_catalog(s->env->o.poke_arg, s->warehouse->index);
    return true;
}
