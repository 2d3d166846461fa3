/*
 * What changed since the last load, read by name and not by size: the history says what was touched,
 * and of that the tables say what is there now.
 *
 *     history rows (since, now] ─▶ names, ids ─▶ temp.scope ─▶ scoped load ─▶ gh_acl_change
 *
 * The history is trusted only where it surely continues what was loaded: the same open file, the
 * same last change as then (its rows' hash), the same key, and no version without a row. Anything
 * else is GH_AGAIN.
 */
#include "store_priv.h"

#include <stdlib.h>

enum { TOUCHED_MAX = 5000 }; /* things in one update; more are loaded as a whole */

typedef struct touched {
    gh_store *st;
    gh_arena *arena;
    gh_err *err;
    gh_acl_change *out;
    gh_str *names[3]; /* roles, users, masks */
    size_t counts[3];
    int64_t *rules;
    size_t rule_count;
} touched;

enum { T_ROLES, T_USERS, T_MASKS };

static gh_rc again(gh_err *err, const char *why)
{
    return gh_fail(err, GH_AGAIN, "F0000", "load the whole: %s", why);
}

/* ---- does the history continue what was loaded? ---------------------------------------------- */

gh_rc store_history_mark(gh_store *st, uint64_t version, uint64_t *mark, gh_err *err)
{
    store_stmt s = store_stmt_of(st, "SELECT id, at, author, action, kind, key, before, after "
                                     "FROM history WHERE version = ? ORDER BY id LIMIT 1000");

    *mark = version;
    store_bind_int(&s, (int64_t)version);
    while (store_stmt_row(&s)) {
        for (int i = 0; i < 8; i++) {
            gh_str text = store_text(&s, i);

            *mark = gh_hash(text.ptr != NULL ? text.ptr : "", text.len, *mark + 1);
        }
    }
    return store_stmt_end(&s, err);
}

static gh_rc check_continuity(touched *t, uint64_t since, uint64_t *version)
{
    uint64_t mark = 0;
    gh_rc rc = store_version(t->st, version, t->err);

    if (rc != GH_OK)
        return rc;
    if (!t->st->is_loaded || t->st->loaded_version != since || *version <= since)
        return again(t->err, "it is not the next version");
    rc = store_history_mark(t->st, since, &mark, t->err);
    if (rc == GH_OK && mark != t->st->loaded_mark)
        return again(t->err, "another history");
    return rc;
}

/* ---- what was touched ------------------------------------------------------------------------ */

static void touch_name(touched *t, int list, gh_str name)
{
    t->names[list][t->counts[list]++] = gh_arena_dup(t->arena, name);
}

static void touch_principal(touched *t, gh_str principal)
{
    if (principal.len > 5 && memcmp(principal.ptr, "user:", 5) == 0)
        touch_name(t, T_USERS, (gh_str){ principal.ptr + 5, principal.len - 5 });
    else
        touch_name(t, T_ROLES, principal);
}

static void touch(touched *t, const store_item *item)
{
    switch (item->kind) {
    case STORE_NO_KIND:
        return;
    case STORE_ROLE:
        touch_name(t, T_ROLES, item->key);
        return;
    case STORE_USER:
    case STORE_ATTRIBUTE:
        touch_name(t, T_USERS, item->names[0]);
        return;
    case STORE_MEMBER:
        touch_principal(t, item->names[0]);
        return;
    case STORE_MASK:
        touch_name(t, T_MASKS, item->key);
        return;
    case STORE_TAG:
    case STORE_TAG_COLUMN:
    case STORE_MASKING:
        t->out->has_tags = true;
        return;
    case STORE_FUNCTION:
        t->out->has_functions = true;
        return;
    case STORE_RULE:
        t->rules[t->rule_count++] = item->id;
        return;
    }
}

/* Every version must have rows: one that has none was cut out of the history. */
static gh_rc read_touched(touched *t, uint64_t since, uint64_t version)
{
    store_stmt s = store_stmt_of(t->st, "SELECT version, kind, key FROM history WHERE version > ? "
                                        "ORDER BY version, id");
    uint64_t seen = since;
    size_t count = 0;
    gh_rc rc = GH_OK;

    store_bind_int(&s, (int64_t)since);
    while (rc == GH_OK && store_stmt_row(&s)) {
        uint64_t at = (uint64_t)store_int(&s, 0);
        store_item like;

        if (count == TOUCHED_MAX)
            rc = again(t->err, "much changed");
        else if (at > seen + 1 || at > version ||
                 !store_past_key(store_text(&s, 1), store_text(&s, 2), t->arena, &like))
            rc = again(t->err, "the history has gaps");
        else
            touch(t, &like);
        seen = at;
        count++;
    }
    gh_rc end = store_stmt_end(&s, t->err);
    if (rc == GH_OK)
        rc = end;
    return rc == GH_OK && seen != version ? again(t->err, "the history has gaps") : rc;
}

static int id_order(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;

    return x == y ? 0 : x < y ? -1 : 1;
}

static void hand_over(touched *t)
{
    size_t kept = 0;

    t->out->roles =
        store_unique((gh_str_list){ t->names[T_ROLES], t->counts[T_ROLES] }, true, t->arena);
    t->out->users =
        store_unique((gh_str_list){ t->names[T_USERS], t->counts[T_USERS] }, true, t->arena);
    t->out->masks =
        store_unique((gh_str_list){ t->names[T_MASKS], t->counts[T_MASKS] }, true, t->arena);
    if (t->rule_count > 1)
        qsort(t->rules, t->rule_count, sizeof(*t->rules), id_order);
    for (size_t i = 0; i < t->rule_count; i++)
        if (i == 0 || t->rules[i] != t->rules[i - 1])
            t->rules[kept++] = t->rules[i];
    t->out->rules = t->rules;
    t->out->rule_count = kept;
}

/* ---- what is there now ----------------------------------------------------------------------- */

static const char s_tags_sql[] =
    "INSERT OR IGNORE INTO temp.scope SELECT 'tag', name FROM tags;"
    "INSERT OR IGNORE INTO temp.scope SELECT 'tag_column', pattern FROM tag_columns;"
    "INSERT OR IGNORE INTO temp.scope SELECT 'masking', id FROM masking";
static const char s_functions_sql[] =
    "INSERT OR IGNORE INTO temp.scope SELECT 'functions', id FROM functions";

static gh_rc fill_scope(touched *t)
{
    gh_rc rc = store_scope_clear(t->st, t->err);

    if (rc != GH_OK)
        return rc;
    store_stmt put = store_scope_stmt(t->st);
    for (size_t i = 0; i < t->out->roles.count; i++)
        store_scope_put(&put, "principal", t->out->roles.items[i]);
    for (size_t i = 0; i < t->out->users.count; i++) {
        gh_str name = t->out->users.items[i];

        store_scope_put(&put, "attributes", name);
        store_scope_put(&put, "principal",
                        gh_arena_printf(t->arena, "user:" GH_STR_FMT, GH_STR_ARG(name)));
    }
    for (size_t i = 0; i < t->out->rule_count; i++)
        store_scope_put_id(&put, "grant", t->out->rules[i]);
    rc = store_stmt_end(&put, t->err);
    if (rc == GH_OK && t->out->has_tags)
        rc = store_exec(t->st, s_tags_sql, t->err);
    if (rc == GH_OK && t->out->has_functions)
        rc = store_exec(t->st, s_functions_sql, t->err);
    return rc;
}

static void *room(gh_arena *a, size_t count, size_t size)
{
    void *p = gh_arena_alloc(a, count * size);

    GH_ASSERT(p != NULL); /* the caller's arena has no budget */
    return p;
}

gh_rc store_load_change(gh_store *st, uint64_t since, gh_arena *a, gh_acl_change *out, gh_err *err)
{
    touched t = { .st = st, .arena = a, .err = err, .out = out };
    uint64_t version = 0;
    gh_rc rc = check_continuity(&t, since, &version);

    if (rc != GH_OK)
        return rc;
    *out = (gh_acl_change){ 0 };
    for (size_t i = 0; i < GH_COUNT(t.names); i++)
        t.names[i] = room(a, TOUCHED_MAX, sizeof(gh_str));
    t.rules = room(a, TOUCHED_MAX, sizeof(*t.rules));
    rc = read_touched(&t, since, version);
    if (rc != GH_OK)
        return rc;
    hand_over(&t);
    rc = fill_scope(&t);
    if (rc == GH_OK)
        rc = store_load(st, true, a, &out->now, err);
    return rc;
}
