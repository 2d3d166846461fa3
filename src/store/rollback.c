/*
 * The ACL as it was. Of everything that changed since, the first `before` in the history is what it
 * was then; what is there now becomes that, as a change of its own:
 *
 *     version   N      N+1         N+2         N+3 (the rollback)
 *     grant 7   A      A -> B      B -> gone   gone -> A
 *     role x    -      - -> C                  C -> gone
 *
 * A user's row has two halves: what it is, and whether it may log in. The history may hold a change
 * of the second alone ({"disabled":...}), so each half has its own first `before`. Passwords are in
 * no history.
 */
#include "store_priv.h"

#include <stdlib.h>

typedef struct target {
    store_item key;
    gh_str before; /* empty: it was not there */
    gh_origin origin;
    const store_item *now; /* NULL: it is not there */
} target;

typedef struct rolling {
    store_editing *e;
    store_items stored;
    const store_item **sorted; /* of stored */
    target *targets;
    size_t count;
    size_t cap;
} rolling;

/* ---- what is there now ----------------------------------------------------------------------- */

static int item_order(const store_item *a, const store_item *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (store_kind_has_id(a->kind))
        return a->id == b->id ? 0 : a->id < b->id ? -1 : 1;
    int order = gh_str_cmp(a->names[0], b->names[0]);
    return order != 0 ? order : gh_str_cmp(a->names[1], b->names[1]);
}

static int sorted_order(const void *x, const void *y)
{
    return item_order(*(const store_item *const *)x, *(const store_item *const *)y);
}

static gh_rc read_stored(rolling *r)
{
    gh_acl acl = { 0 };
    gh_rc rc = store_load(r->e->st, false, r->e->arena, &acl, r->e->err);

    if (rc == GH_OK)
        rc = store_items_from_store(r->e->st, &r->stored, &acl, r->e->err);
    if (rc != GH_OK)
        return rc;
    r->sorted = gh_realloc_array(NULL, r->stored.count + 1, sizeof(const store_item *));
    for (size_t i = 0; i < r->stored.count; i++) {
        store_item *item = &r->stored.list[i];
        if (item->names[0].ptr == NULL) /* as the history's keys have it */
            item->names[0] = item->key;
        r->sorted[i] = item;
    }
    if (r->stored.count > 1)
        qsort(r->sorted, r->stored.count, sizeof(const store_item *), sorted_order);
    return GH_OK;
}

static const store_item *stored_like(const rolling *r, const store_item *key)
{
    const store_item *const *hit =
        bsearch(&key, r->sorted, r->stored.count, sizeof(const store_item *), sorted_order);

    return hit == NULL ? NULL : *hit;
}

/* ---- what was there -------------------------------------------------------------------------- */

static gh_rc check_reach(rolling *r, uint64_t version)
{
    store_editing *e = r->e;
    uint64_t now = 0;
    int64_t known = 0;
    gh_rc rc = store_version(e->st, &now, e->err);

    if (rc != GH_OK)
        return rc;
    if (version > now)
        return gh_fail(e->err, GH_NOT_FOUND, "42704",
                       "there is no change %llu yet; the last one is %llu",
                       (unsigned long long)version, (unsigned long long)now);
    store_stmt s =
        store_stmt_of(e->st, "SELECT count(DISTINCT version) FROM history WHERE version > ?");
    store_bind_int(&s, (int64_t)version);
    if (store_stmt_row(&s))
        known = store_int(&s, 0);
    rc = store_stmt_end(&s, e->err);
    if (rc == GH_OK && (uint64_t)known != now - version)
        return gh_fail(e->err, GH_NOT_FOUND, "42704",
                       "the history does not reach back to change %llu: it knows %lld of the %llu "
                       "changes since",
                       (unsigned long long)version, (long long)known,
                       (unsigned long long)(now - version));
    return rc;
}

/* A user's row in parts: see above. */
#define IS_WHOLE "(kind <> 'user' OR substr(coalesce(before, after), 1, 8) = '{\"kind\":')"

static gh_rc read_targets(rolling *r, uint64_t version)
{
    store_editing *e = r->e;
    bool is_fine = true;
    store_stmt s = store_stmt_of(e->st, "SELECT kind, key, before, before_origin FROM history "
                                        "WHERE id IN (SELECT min(id) FROM history WHERE "
                                        "version > ? AND " IS_WHOLE " GROUP BY kind, key) "
                                        "ORDER BY id");

    store_bind_int(&s, (int64_t)version);
    while (is_fine && store_stmt_row(&s)) {
        if (r->count == r->cap) {
            r->cap = r->cap == 0 ? 64 : 2 * r->cap;
            r->targets = gh_realloc_array(r->targets, r->cap, sizeof(*r->targets));
        }
        target *t = &r->targets[r->count++];
        *t = (target){ 0 };
        is_fine = store_past_key(gh_arena_dup(e->arena, store_text(&s, 0)),
                                 gh_arena_dup(e->arena, store_text(&s, 1)), e->arena, &t->key);
        t->before = gh_arena_dup(e->arena, store_text(&s, 2));
        if (t->before.len > 0)
            is_fine = is_fine && store_origin_parse(store_text(&s, 3), &t->origin);
        if (is_fine)
            t->now = stored_like(r, &t->key);
    }
    gh_rc rc = store_stmt_end(&s, e->err);
    if (rc == GH_OK && !is_fine)
        return store_corrupt(e->st, e->err, "its history holds something unknown");
    return rc;
}

/* ---- making it so ---------------------------------------------------------------------------- */

static gh_rc restore(rolling *r, const target *t)
{
    store_editing *e = r->e;
    store_item item;

    if (!store_past_item(&t->key, t->before, t->origin, e->arena, &item))
        return store_corrupt(e->st, e->err, "its history of " GH_STR_FMT " is not readable",
                             GH_STR_ARG(t->key.key));
    if (t->now != NULL && gh_str_eq(t->now->json, item.json) && t->now->origin == item.origin)
        return GH_OK;
    store_edit_write(e, t->now, &item);
    return GH_OK;
}

/* Rows go before rows come: what is dropped takes along what belongs to it. */
static gh_rc write_targets(rolling *r)
{
    gh_rc rc = GH_OK;

    for (size_t i = 0; i < r->count; i++)
        if (r->targets[i].before.len == 0 && r->targets[i].now != NULL)
            store_edit_write(r->e, r->targets[i].now, NULL);
    for (size_t i = 0; i < r->count && rc == GH_OK; i++)
        if (r->targets[i].before.len > 0)
            rc = restore(r, &r->targets[i]);
    return rc;
}

static gh_rc set_disabled(store_editing *e, gh_str user, bool is_disabled)
{
    store_item item;
    bool is_there = false;
    gh_rc rc = store_find_named(e->st, STORE_USER, user, (gh_str){ 0 }, e->arena, &item, &is_there,
                                e->err);

    if (rc != GH_OK || !is_there || item.of.user->is_disabled == is_disabled)
        return rc;
    store_stmt s = store_stmt_of(e->st, "UPDATE users SET disabled = ? WHERE name = ?");
    store_bind_int(&s, is_disabled ? 1 : 0);
    store_bind_text(&s, user);
    store_stmt_run(&s);
    rc = store_stmt_end(&s, e->err);
    if (rc != GH_OK)
        return rc;
    gh_str before =
        item.of.user->is_disabled ? GH_STR("{\"disabled\":true}") : GH_STR("{\"disabled\":false}");
    gh_str after = is_disabled ? GH_STR("{\"disabled\":true}") : GH_STR("{\"disabled\":false}");
    s = store_history_stmt(e->st);
    store_history_put(&s, e->change, "user", user, before, (gh_str){ 0 }, after);
    store_edit_note(e, '~', &item, before, after);
    return store_stmt_end(&s, e->err);
}

/*
 * Who was shut out then is shut out again, and the other way round. What tells: a change of that
 * alone, and the last words of a user who was dropped. A change of kind says nothing of it.
 */
static gh_rc write_access(rolling *r, uint64_t version)
{
    store_editing *e = r->e;
    gh_rc rc = GH_OK;
    store_stmt s = store_stmt_of(
        e->st, "SELECT key, before LIKE '%\"disabled\":true}' FROM history "
               "WHERE before IS NOT NULL AND id IN (SELECT min(id) FROM history "
               "WHERE version > ? AND kind = 'user' "
               "AND coalesce(before, after) NOT LIKE '{\"password\"%' "
               "AND (before IS NULL OR after IS NULL OR before LIKE '{\"disabled\"%') "
               "GROUP BY key) ORDER BY id");

    store_bind_int(&s, (int64_t)version);
    while (rc == GH_OK && store_stmt_row(&s))
        rc = set_disabled(e, gh_arena_dup(e->arena, store_text(&s, 0)), store_int(&s, 1) != 0);
    gh_rc end = store_stmt_end(&s, e->err);
    return rc == GH_OK ? end : rc;
}

static gh_rc roll(store_editing *e, const void *arg)
{
    uint64_t version = *(const uint64_t *)arg;
    rolling r = { .e = e };
    gh_rc rc;

    r.stored.arena = e->arena;
    rc = check_reach(&r, version);
    if (rc == GH_OK)
        rc = read_stored(&r);
    if (rc == GH_OK)
        rc = read_targets(&r, version);
    if (rc == GH_OK)
        rc = write_targets(&r);
    if (rc == GH_OK)
        rc = write_access(&r, version);
    free(r.sorted);
    free(r.targets);
    store_items_fini(&r.stored);
    return rc;
}

gh_rc gh_store_rollback(gh_store *st, uint64_t version, const gh_store_author *author, gh_arena *a,
                        gh_store_changes *out, gh_err *err)
{
    return store_editing_run(st, author, a, roll, &version, true, out, err);
}
