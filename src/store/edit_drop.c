/*
 * Dropping a thing that has a name. What belongs to it goes along: memberships and attributes of a
 * user, memberships on both sides of a role, columns of a tag. What names it otherwise is in the
 * way: a grant that lost its role, or a deny that lost its tag, would say something that nobody
 * wrote. With is_cascade a role or user is taken from the grants, denies, maskings and function
 * entries that name it, and those that name nobody else go along.
 */
#include "store_priv.h"

#include <stdlib.h>

typedef struct pair_row {
    gh_str first;
    gh_str second;
} pair_row;

/* Two columns of a query's rows. */
static gh_rc pairs_of(store_editing *e, const char *sql, gh_str name, pair_row **out, size_t *count)
{
    size_t n = 0;
    pair_row *rows = NULL;
    store_stmt s = store_stmt_of(e->st, sql);

    store_bind_text(&s, name);
    while (store_stmt_row(&s)) {
        if ((n & (n - 1)) == 0)
            rows = gh_realloc_array(rows, n == 0 ? 1 : 2 * n, sizeof(*rows));
        rows[n].first = gh_arena_dup(e->arena, store_text(&s, 0));
        rows[n].second = gh_arena_dup(e->arena, store_text(&s, 1));
        n++;
    }
    *out = rows;
    *count = n;
    return store_stmt_end(&s, e->err);
}

/* Drops what belongs to the thing: rows of another kind that the query names. */
static gh_rc drop_owned(store_editing *e, store_kind kind, const char *sql, gh_str name)
{
    pair_row *rows = NULL;
    size_t count = 0;
    gh_rc rc = pairs_of(e, sql, name, &rows, &count);

    for (size_t i = 0; i < count && rc == GH_OK; i++) {
        store_item item;
        bool is_there = false;
        rc = store_find_named(e->st, kind, rows[i].first, rows[i].second, e->arena, &item,
                              &is_there, e->err);
        if (rc == GH_OK && is_there)
            store_edit_write(e, &item, NULL);
    }
    free(rows);
    return rc;
}

/* ---- what names a role or user --------------------------------------------------------------- */

static gh_str_list without(store_editing *e, gh_str_list list, gh_str name)
{
    gh_str *items = gh_arena_alloc(e->arena, (list.count + 1) * sizeof(*items));
    size_t n = 0;

    GH_ASSERT(items != NULL);
    for (size_t i = 0; i < list.count; i++)
        if (!gh_str_eq(list.items[i], name))
            items[n++] = list.items[i];
    return (gh_str_list){ items, n };
}

/* The item without the principal; false: it names nobody else. */
static bool stripped(store_editing *e, const store_item *old, gh_str principal, store_item *out)
{
    store_item like = *old;
    gh_str_list left = { 0 };

    if (old->kind == STORE_RULE) {
        gh_acl_rule *r = gh_arena_alloc(e->arena, sizeof(*r));
        GH_ASSERT(r != NULL);
        *r = *old->of.rule;
        r->to = without(e, r->to, principal);
        left = r->to;
        like.of.rule = r;
    } else if (old->kind == STORE_FUNCTION) {
        gh_acl_function *f = gh_arena_alloc(e->arena, sizeof(*f));
        GH_ASSERT(f != NULL);
        *f = *old->of.function;
        f->to = without(e, f->to, principal);
        left = f->to;
        like.of.function = f;
    } else {
        gh_acl_masking *m = gh_arena_alloc(e->arena, sizeof(*m));
        GH_ASSERT(m != NULL);
        *m = *old->of.masking;
        m->except = without(e, m->except, principal);
        like.of.masking = m;
    }
    *out = store_item_of(&like, e->arena);
    return old->kind == STORE_MASKING || left.count > 0;
}

static gh_rc strip(store_editing *e, store_kind kind, const int64_t *ids, size_t count,
                   gh_str principal)
{
    store_item *items = NULL;
    size_t found = 0;
    gh_rc rc = store_find_ids(e->st, kind, ids, count, e->arena, &items, &found, e->err);

    for (size_t i = 0; i < found && rc == GH_OK; i++) {
        store_item left;
        bool has_others = stripped(e, &items[i], principal, &left);
        store_edit_write(e, &items[i], has_others ? &left : NULL);
    }
    return rc;
}

static gh_rc fail_named(store_editing *e, const gh_store_edit *edit, const char *what,
                        const char *by, const int64_t *ids, size_t count, const char *remedy)
{
    enum { SHOWN = 8 };
    gh_buf b;

    gh_buf_init(&b, 0);
    for (size_t i = 0; i < count && i < SHOWN; i++)
        gh_buf_printf(&b, "%s%lld", i > 0 ? ", " : " ", (long long)ids[i]);
    if (count > SHOWN)
        gh_buf_printf(&b, " and %zu more", count - SHOWN);
    gh_rc rc =
        gh_fail(e->err, GH_INVALID, "2BP01", "%s " GH_STR_FMT " is named by %s" GH_STR_FMT "%s",
                what, GH_STR_ARG(edit->name), by, GH_STR_ARG(gh_buf_str(&b)), remedy);
    gh_buf_fini(&b);
    return rc;
}

/* Grants, denies, maskings and function entries that name the principal: in the way, or stripped. */
static gh_rc free_principal(store_editing *e, const gh_store_edit *edit, const char *what,
                            gh_str principal)
{
    static const struct {
        store_kind kind;
        const char *sql;
        const char *by;
    } users[] = {
        { STORE_RULE, "SELECT DISTINCT grant_id FROM acl WHERE principal = ? ORDER BY grant_id",
          "grants or denies" },
        { STORE_FUNCTION, "SELECT DISTINCT id FROM functions WHERE principal = ? ORDER BY id",
          "entries of functions" },
        { STORE_MASKING, "SELECT DISTINCT id FROM masking WHERE except_role = ? ORDER BY id",
          "the masking of tags, as an exception:" },
    };
    gh_rc rc = GH_OK;

    for (size_t i = 0; i < GH_COUNT(users) && rc == GH_OK; i++) {
        const int64_t *ids;
        size_t count;
        rc = store_ids_of(e->st, users[i].sql, principal, (gh_str){ 0 }, e->arena, &ids, &count,
                          e->err);
        if (rc != GH_OK || count == 0)
            continue;
        rc = edit->is_cascade ? strip(e, users[i].kind, ids, count, principal)
                              : fail_named(e, edit, what, users[i].by, ids, count, "");
    }
    return rc;
}

/* ---- each kind ------------------------------------------------------------------------------- */

static gh_rc release_user(store_editing *e, const gh_store_edit *edit)
{
    gh_str principal = gh_arena_printf(e->arena, "user:" GH_STR_FMT, GH_STR_ARG(edit->name));
    gh_rc rc = free_principal(e, edit, "user", principal);

    if (rc == GH_OK)
        rc = drop_owned(e, STORE_MEMBER, "SELECT member, role FROM members WHERE member = ?",
                        principal);
    if (rc == GH_OK)
        rc = drop_owned(e, STORE_ATTRIBUTE,
                        "SELECT DISTINCT user, name FROM attributes WHERE user = ?", edit->name);
    return rc;
}

static gh_rc release_role(store_editing *e, const gh_store_edit *edit)
{
    gh_rc rc = free_principal(e, edit, "role", edit->name);

    if (rc == GH_OK)
        rc = drop_owned(e, STORE_MEMBER,
                        "SELECT member, role FROM members WHERE member = ?1 OR role = ?1",
                        edit->name);
    return rc;
}

/* A deny or a masking without its tag would hide less: they go first, by hand. */
static gh_rc release_tag(store_editing *e, const gh_store_edit *edit)
{
    const int64_t *ids;
    size_t count;
    gh_rc rc = store_ids_of(e->st, "SELECT DISTINCT id FROM masking WHERE tag = ? ORDER BY id",
                            edit->name, (gh_str){ 0 }, e->arena, &ids, &count, e->err);

    if (rc == GH_OK && count > 0)
        return fail_named(e, edit, "tag", "the masking of the policy files", NULL, 0,
                          "; take that out and apply them first");
    if (rc == GH_OK)
        rc = store_ids_of(e->st,
                          "SELECT DISTINCT grant_id FROM acl WHERE column_kind = 'tag' "
                          "AND column_pattern = ? ORDER BY grant_id",
                          edit->name, (gh_str){ 0 }, e->arena, &ids, &count, e->err);
    if (rc == GH_OK && count > 0)
        return fail_named(e, edit, "tag", "denies", ids, count, "; revoke them first");
    if (rc == GH_OK)
        rc = drop_owned(e, STORE_TAG_COLUMN, "SELECT tag, pattern FROM tag_columns WHERE tag = ?",
                        edit->name);
    return rc;
}

static gh_rc release_mask(store_editing *e, const gh_store_edit *edit)
{
    const int64_t *ids;
    size_t count;
    gh_rc rc = store_ids_of(e->st,
                            "SELECT DISTINCT grant_id FROM acl WHERE mask IS NOT NULL "
                            "AND trim(mask, char(9, 10, 13, 32)) = ? ORDER BY grant_id",
                            edit->name, (gh_str){ 0 }, e->arena, &ids, &count, e->err);

    if (rc == GH_OK && count > 0)
        return fail_named(e, edit, "mask", "grants", ids, count, "; revoke them first");
    if (rc == GH_OK)
        rc = store_ids_of(e->st,
                          "SELECT DISTINCT id FROM masking "
                          "WHERE trim(mask, char(9, 10, 13, 32)) = ? ORDER BY id",
                          edit->name, (gh_str){ 0 }, e->arena, &ids, &count, e->err);
    if (rc == GH_OK && count > 0)
        return fail_named(e, edit, "mask", "the masking of tags in the policy files", NULL, 0,
                          "; take that out and apply them first");
    return rc;
}

static gh_rc fail_absent(store_editing *e, const gh_store_edit *edit, store_kind kind)
{
    switch (kind) {
    case STORE_ROLE:
        return store_fail_unknown(e->st, "role", "roles", edit->name, e->err);
    case STORE_USER:
        return store_fail_unknown(e->st, "user", "users", edit->name, e->err);
    case STORE_TAG:
        return store_fail_unknown(e->st, "tag", "tags", edit->name, e->err);
    case STORE_MASK:
        return store_fail_unknown(e->st, "mask", "masks", edit->name, e->err);
    case STORE_MEMBER:
        return gh_fail(e->err, GH_NOT_FOUND, "42704",
                       GH_STR_FMT " is not a member of role " GH_STR_FMT, GH_STR_ARG(edit->name),
                       GH_STR_ARG(edit->other));
    case STORE_ATTRIBUTE:
        return gh_fail(e->err, GH_NOT_FOUND, "42704",
                       "user " GH_STR_FMT " has no attribute " GH_STR_FMT, GH_STR_ARG(edit->name),
                       GH_STR_ARG(edit->other));
    case STORE_TAG_COLUMN:
        return gh_fail(e->err, GH_NOT_FOUND, "42704", "tag " GH_STR_FMT " is not on " GH_STR_FMT,
                       GH_STR_ARG(edit->name), GH_STR_ARG(edit->other));
    case STORE_NO_KIND:
    case STORE_MASKING:
    case STORE_FUNCTION:
    case STORE_RULE:
        break;
    }
    return gh_fail(e->err, GH_INTERNAL, "XX000", "nothing of this kind can be dropped by name");
}

gh_rc store_edit_drop(store_editing *e, const gh_store_edit *edit, store_kind kind)
{
    store_item item;
    bool is_there = false;
    gh_rc rc =
        store_find_named(e->st, kind, edit->name, edit->other, e->arena, &item, &is_there, e->err);

    if (rc == GH_OK && !is_there)
        return fail_absent(e, edit, kind);
    if (rc == GH_OK && kind == STORE_USER)
        rc = release_user(e, edit);
    if (rc == GH_OK && kind == STORE_ROLE)
        rc = release_role(e, edit);
    if (rc == GH_OK && kind == STORE_TAG)
        rc = release_tag(e, edit);
    if (rc == GH_OK && kind == STORE_MASK)
        rc = release_mask(e, edit);
    if (rc == GH_OK)
        store_edit_write(e, &item, NULL);
    return rc;
}
