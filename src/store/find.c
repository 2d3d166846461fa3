/*
 * One thing of the ACL as it is stored, without reading the rest.
 */
#include "store_priv.h"

#include <stdlib.h>

static gh_str read_text(store_stmt *s, int column, gh_arena *a)
{
    return gh_arena_dup(a, store_text(s, column));
}

static gh_rc fail_word(gh_store *st, gh_str name, gh_err *err)
{
    return store_corrupt(st, err, "the row of " GH_STR_FMT " holds an unknown word",
                         GH_STR_ARG(name));
}

static void *one(gh_arena *a, size_t size)
{
    void *p = gh_arena_alloc(a, size);

    GH_ASSERT(p != NULL); /* the store's arenas have no budget */
    return p;
}

static bool take_role(store_stmt *s, store_item *like, gh_arena *a)
{
    gh_acl_role *role = one(a, sizeof(*role));

    role->name = like->key;
    role->description = read_text(s, 1, a);
    like->of.role = role;
    return store_may_parse(store_text(s, 2), &role->may);
}

static bool take_user(store_stmt *s, store_item *like, gh_arena *a)
{
    gh_acl_user *user = one(a, sizeof(*user));

    user->name = like->key;
    user->is_service = gh_str_is(store_text(s, 1), "service");
    user->is_disabled = store_int(s, 2) != 0;
    like->of.user = user;
    return true;
}

static bool take_mask(store_stmt *s, store_item *like, gh_arena *a)
{
    gh_acl_mask_def *mask = one(a, sizeof(*mask));

    mask->name = like->key;
    mask->expr = read_text(s, 1, a);
    like->of.mask = mask;
    return true;
}

/* The first row is read; the rest follows. */
static bool take_attribute(store_stmt *s, store_item *like, gh_arena *a)
{
    gh_acl_attribute *attribute = one(a, sizeof(*attribute));
    gh_str *values = NULL;
    size_t count = 0;

    attribute->name = like->names[1];
    attribute->is_list = store_int(s, 2) >= 0;
    do {
        if (store_is_null(s, 1))
            continue;
        values = gh_realloc_array(values, count + 1, sizeof(*values));
        values[count++] = read_text(s, 1, a);
    } while (store_stmt_row(s));
    gh_str *items = one(a, (count + 1) * sizeof(*items));
    if (count > 0)
        memcpy(items, values, count * sizeof(*items));
    free(values);
    attribute->values = (gh_str_list){ items, count };
    like->of.attribute = attribute;
    return true;
}

static bool take(store_stmt *s, store_item *like, gh_arena *a)
{
    GH_ASSERT(!store_kind_has_id(like->kind));
    switch (like->kind) {
    case STORE_ROLE:
        return take_role(s, like, a);
    case STORE_USER:
        return take_user(s, like, a);
    case STORE_MASK:
        return take_mask(s, like, a);
    case STORE_ATTRIBUTE:
        return take_attribute(s, like, a);
    case STORE_MEMBER:
    case STORE_TAG:
    case STORE_TAG_COLUMN:
        return true;
    case STORE_NO_KIND:
    case STORE_MASKING:
    case STORE_FUNCTION:
    case STORE_RULE:
        break;
    }
    return false;
}

gh_rc store_find_named(gh_store *st, store_kind kind, gh_str name, gh_str other, gh_arena *a,
                       store_item *out, bool *is_there, gh_err *err)
{
    static const char *const sql[] = {
        [STORE_ROLE] = "SELECT origin, description, may FROM roles WHERE name = ?",
        [STORE_USER] = "SELECT origin, kind, disabled FROM users WHERE name = ?",
        [STORE_MEMBER] = "SELECT origin FROM members WHERE member = ? AND role = ?",
        [STORE_ATTRIBUTE] = "SELECT origin, value, position FROM attributes "
                            "WHERE user = ? AND name = ? ORDER BY position",
        [STORE_TAG] = "SELECT origin FROM tags WHERE name = ?",
        [STORE_TAG_COLUMN] = "SELECT origin FROM tag_columns WHERE tag = ? AND pattern = ?",
        [STORE_MASK] = "SELECT origin, expression FROM masks WHERE name = ?",
    };
    store_item like = { .kind = kind, .key = name, .names = { name, other } };
    bool is_fine = true;
    store_stmt s = store_stmt_of(st, sql[kind]);

    store_bind_text(&s, name);
    if (kind == STORE_MEMBER || kind == STORE_ATTRIBUTE || kind == STORE_TAG_COLUMN)
        store_bind_text(&s, other);
    *is_there = store_stmt_row(&s);
    if (*is_there)
        is_fine = store_origin_parse(store_text(&s, 0), &like.origin) && take(&s, &like, a);
    gh_rc rc = store_stmt_end(&s, err);
    if (rc == GH_OK && !is_fine)
        return fail_word(st, name, err);
    if (rc == GH_OK && *is_there)
        *out = store_item_of(&like, a);
    return rc;
}

/* Entries of one kind with these ids, from what a scoped load gave. */
static size_t entries(const gh_acl *acl, store_kind kind, const int64_t *ids, size_t count,
                      store_item *out, gh_arena *a)
{
    size_t there = kind == STORE_RULE      ? acl->rule_count
                   : kind == STORE_MASKING ? acl->masking_count
                                           : acl->function_count;
    size_t n = 0;

    for (size_t i = 0; i < there && n < count; i++) {
        store_item like = { .kind = kind };
        if (kind == STORE_RULE) {
            like.of.rule = &acl->rules[i];
            like.origin = acl->rules[i].origin;
            like.id = acl->rules[i].id;
        } else if (kind == STORE_MASKING) {
            like.of.masking = &acl->masking[i];
            like.origin = acl->masking[i].origin;
            like.id = ids[i]; /* both ascend, and every id is there */
        } else {
            like.of.function = &acl->functions[i];
            like.origin = acl->functions[i].origin;
            like.id = ids[i];
        }
        out[n++] = store_item_of(&like, a);
    }
    return n;
}

gh_rc store_find_ids(gh_store *st, store_kind kind, const int64_t *ids, size_t count, gh_arena *a,
                     store_item **out, size_t *found, gh_err *err)
{
    gh_acl acl = { 0 };
    gh_rc rc = store_scope_clear(st, err);

    if (rc != GH_OK)
        return rc;
    store_stmt put = store_scope_stmt(st);
    for (size_t i = 0; i < count; i++)
        store_scope_put_id(&put, store_kind_word(kind), ids[i]);
    rc = store_stmt_end(&put, err);
    if (rc == GH_OK)
        rc = store_load(st, true, a, &acl, err);
    if (rc != GH_OK)
        return rc;
    *out = one(a, (count + 1) * sizeof(**out));
    *found = entries(&acl, kind, ids, count, *out, a);
    return GH_OK;
}

gh_rc store_ids_of(gh_store *st, const char *sql, gh_str text, gh_str text2, gh_arena *a,
                   const int64_t **out, size_t *count, gh_err *err)
{
    int64_t *ids = NULL;
    size_t n = 0;
    store_stmt s = store_stmt_of(st, sql);

    store_bind_text(&s, text);
    if (text2.ptr != NULL)
        store_bind_text(&s, text2);
    while (store_stmt_row(&s)) {
        if ((n & (n - 1)) == 0)
            ids = gh_realloc_array(ids, n == 0 ? 1 : 2 * n, sizeof(*ids));
        ids[n++] = store_int(&s, 0);
    }
    gh_rc rc = store_stmt_end(&s, err);
    if (rc == GH_OK) {
        int64_t *copy = one(a, (n + 1) * sizeof(*copy));
        if (n > 0)
            memcpy(copy, ids, n * sizeof(*copy));
        *out = copy;
        *count = n;
    }
    free(ids);
    return rc;
}
