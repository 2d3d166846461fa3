/*
 * Single changes: what a verb adds, changes or drops, in one transaction with its history.
 *
 *     edits ─▶ each against what is stored ─▶ rows and history ─▶ neighbours compile? ─▶ commit
 *                     the same already: no change                   no: nothing was changed
 */
#include "store_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include <gatehouse/config.h> /* gh_config_suggest */

static const char s_user_prefix[] = "user:";
enum { USER_PREFIX_LEN = sizeof(s_user_prefix) - 1 };

/* ---- what is noted --------------------------------------------------------------------------- */

void store_edit_note(store_editing *e, char sign, const store_item *item, gh_str before,
                     gh_str after)
{
    if (e->count == e->cap) {
        e->cap = e->cap == 0 ? 16 : 2 * e->cap;
        e->list = gh_realloc_array(e->list, e->cap, sizeof(*e->list));
    }
    gh_store_changed *c = &e->list[e->count++];
    *c = (gh_store_changed){ .sign = sign,
                             .kind = gh_str_of(store_kind_word(item->kind)),
                             .key = item->key,
                             .title = item->title,
                             .before = before,
                             .after = after,
                             .origin = item->origin };
    if (store_kind_has_id(item->kind)) {
        c->id = item->id;
        c->key = gh_arena_printf(e->arena, "%lld", (long long)item->id);
    }
    if (item->kind == STORE_RULE)
        c->is_deny = item->of.rule->is_deny;
    if (sign != '=')
        e->change_count++;
}

static void to_check(store_editing *e, const store_item *item)
{
    store_items *c = &e->changed;

    if (c->count == c->cap) {
        c->cap = c->cap == 0 ? 16 : 2 * c->cap;
        c->list = gh_realloc_array(c->list, c->cap, sizeof(*c->list));
    }
    c->list[c->count++] = *item;
}

void store_edit_write(store_editing *e, const store_item *old, store_item *item)
{
    if (item == NULL) {
        store_write_remove(e->writer, old);
        store_edit_note(e, '-', old, old->json, (gh_str){ 0 });
        return;
    }
    if (old != NULL)
        store_write_change(e->writer, old, item);
    else
        store_write_add(e->writer, item);
    store_edit_note(e, old != NULL ? '~' : '+', item, old != NULL ? old->json : (gh_str){ 0 },
                    item->json);
    to_check(e, item);
}

/* ---- names that must be there ---------------------------------------------------------------- */

/* The names are many where the ACL is large: read only once a name was not found. */
gh_rc store_fail_unknown(gh_store *st, const char *what, const char *table, gh_str name,
                         gh_err *err)
{
    gh_arena *a = gh_arena_new(0);
    const char **words = NULL;
    size_t count = 0;
    char sql[80];

    (void)snprintf(sql, sizeof(sql), "SELECT name FROM %s", table);
    store_stmt s = store_stmt_of(st, sql);
    while (store_stmt_row(&s)) {
        if ((count & (count - 1)) == 0)
            words = gh_realloc_array(words, count == 0 ? 1 : 2 * count, sizeof(*words));
        words[count++] = gh_arena_dup(a, store_text(&s, 0)).ptr;
    }
    gh_rc rc = store_stmt_end(&s, err);
    const char *meant = count > 0 ? gh_config_suggest(name, words, count) : NULL;
    if (rc == GH_OK)
        rc = gh_fail(err, GH_NOT_FOUND, "42704", "no such %s: " GH_STR_FMT "%s%s%s", what,
                     GH_STR_ARG(name), meant != NULL ? "; did you mean \"" : "",
                     meant != NULL ? meant : "", meant != NULL ? "\"?" : "");
    free(words);
    gh_arena_free(a);
    return rc;
}

static gh_rc is_name(store_editing *e, store_kind kind, gh_str name, bool *is_there)
{
    store_item unused;

    return store_find_named(e->st, kind, name, (gh_str){ 0 }, e->arena, &unused, is_there, e->err);
}

static gh_rc need(store_editing *e, store_kind kind, gh_str name)
{
    bool is_there = false;
    gh_rc rc = is_name(e, kind, name, &is_there);
    const char *word = store_kind_word(kind);
    char table[16];

    if (rc != GH_OK || is_there)
        return rc;
    (void)snprintf(table, sizeof(table), "%ss", word);
    return store_fail_unknown(e->st, word, table, name, e->err);
}

/* A role, or user:NAME. Who forgets the prefix is told so. */
static gh_rc need_principal(store_editing *e, gh_str name)
{
    bool is_role = false;
    bool is_user = false;
    gh_rc rc;

    if (name.len > USER_PREFIX_LEN && memcmp(name.ptr, s_user_prefix, USER_PREFIX_LEN) == 0)
        return need(e, STORE_USER,
                    (gh_str){ name.ptr + USER_PREFIX_LEN, name.len - USER_PREFIX_LEN });
    rc = is_name(e, STORE_ROLE, name, &is_role);
    if (rc == GH_OK && !is_role)
        rc = is_name(e, STORE_USER, name, &is_user);
    if (rc == GH_OK && is_user)
        return gh_fail(e->err, GH_NOT_FOUND, "42704",
                       "no such role: " GH_STR_FMT "; did you mean \"user:" GH_STR_FMT "\"?",
                       GH_STR_ARG(name), GH_STR_ARG(name));
    return rc == GH_OK && !is_role ? need(e, STORE_ROLE, name) : rc;
}

/* Among roles and users alike. */
static gh_rc fail_nobody(store_editing *e, gh_str name)
{
    return store_fail_unknown(e->st, "role or user", "roles UNION SELECT name FROM users", name,
                              e->err);
}

static gh_rc need_owners(store_editing *e, const gh_store_edit *edit)
{
    gh_rc rc = GH_OK;

    if (edit->thing == GH_STORE_MEMBER) {
        rc = need_principal(e, edit->name);
        return rc == GH_OK ? need(e, STORE_ROLE, edit->other) : rc;
    }
    if (edit->thing == GH_STORE_ATTRIBUTE)
        return need(e, STORE_USER, edit->name);
    if (edit->thing == GH_STORE_TAG_COLUMN)
        return need(e, STORE_TAG, edit->name);
    if (edit->thing != GH_STORE_RULE)
        return GH_OK;
    for (size_t i = 0; i < edit->of.rule->to.count && rc == GH_OK; i++)
        rc = need_principal(e, edit->of.rule->to.items[i]);
    for (size_t i = 0; i < edit->of.rule->tags.count && rc == GH_OK; i++)
        rc = need(e, STORE_TAG, edit->of.rule->tags.items[i]);
    return rc;
}

/* ---- things with a name ---------------------------------------------------------------------- */

static void *copy_of(store_editing *e, const void *thing, size_t size)
{
    void *p = gh_arena_alloc(e->arena, size);

    GH_ASSERT(p != NULL);
    memcpy(p, thing, size);
    return p;
}

/* The item that the edit asks for; what it leaves open comes from the old one. */
static store_item wanted(store_editing *e, const gh_store_edit *edit, store_kind kind,
                         const store_item *old)
{
    store_item like = { .kind = kind, .names = { edit->name, edit->other } };

    if (kind == STORE_ROLE) {
        gh_acl_role *role = copy_of(e, edit->of.role, sizeof(*role));
        if (old != NULL && (edit->keeps & GH_STORE_KEEP_DESCRIPTION) != 0)
            role->description = old->of.role->description;
        if (old != NULL && (edit->keeps & GH_STORE_KEEP_MAY) != 0)
            role->may = old->of.role->may;
        like.of.role = role;
    } else if (kind == STORE_USER) {
        gh_acl_user *user = copy_of(e, edit->of.user, sizeof(*user));
        if (old != NULL && (edit->keeps & GH_STORE_KEEP_KIND) != 0)
            user->is_service = old->of.user->is_service;
        like.of.user = user;
    } else if (kind == STORE_ATTRIBUTE) {
        like.of.attribute = edit->of.attribute;
    } else if (kind == STORE_MASK) {
        like.of.mask = edit->of.mask;
    }
    like.origin = old != NULL ? old->origin : GH_ORIGIN_CLI;
    return store_item_of(&like, e->arena);
}

static gh_rc put_named(store_editing *e, const gh_store_edit *edit, store_kind kind)
{
    store_item old;
    bool is_there = false;
    gh_rc rc = need_owners(e, edit);

    if (rc == GH_OK)
        rc = store_find_named(e->st, kind, edit->name, edit->other, e->arena, &old, &is_there,
                              e->err);
    if (rc != GH_OK)
        return rc;
    if (is_there && edit->act == GH_STORE_ADD &&
        (kind == STORE_ROLE || kind == STORE_USER || kind == STORE_TAG || kind == STORE_MASK))
        return gh_fail(e->err, GH_INVALID, "42710", GH_STR_FMT " exists already",
                       GH_STR_ARG(old.title));
    store_item item = wanted(e, edit, kind, is_there ? &old : NULL);
    if (is_there && gh_str_eq(old.json, item.json)) {
        store_edit_note(e, '=', &old, old.json, old.json);
        return GH_OK;
    }
    if (is_there && edit->act == GH_STORE_ADD)
        return gh_fail(e->err, GH_INVALID, "42710",
                       GH_STR_FMT " exists already, with other content", GH_STR_ARG(item.title));
    store_edit_write(e, is_there ? &old : NULL, &item);
    return GH_OK;
}

/* ---- grants and denies ----------------------------------------------------------------------- */

static const char s_candidates_sql[] =
    "SELECT DISTINCT grant_id FROM acl WHERE principal = ? AND object = ? ORDER BY grant_id";

/* What a rule gives or takes, as JSON: without why, and without when unless it is asked for. */
static gh_str essence(store_editing *e, const gh_acl_rule *rule, bool with_time)
{
    gh_acl_rule *r = copy_of(e, rule, sizeof(*r));
    store_item like = { .kind = STORE_RULE, .of.rule = r };

    r->reason = (gh_str){ 0 };
    if (!with_time) {
        r->valid_from = INT64_MIN;
        r->valid_until = INT64_MAX;
    }
    return store_item_of(&like, e->arena).json;
}

/* Stored rules that share the first principal and the first table. */
static gh_rc candidates(store_editing *e, const gh_acl_rule *rule, store_item **items,
                        size_t *count)
{
    const int64_t *ids;
    size_t id_count;
    gh_rc rc;

    *count = 0;
    if (rule->to.count == 0 || rule->tables.count == 0)
        return GH_OK;
    rc = store_ids_of(e->st, s_candidates_sql, rule->to.items[0], rule->tables.items[0], e->arena,
                      &ids, &id_count, e->err);
    if (rc != GH_OK || id_count == 0)
        return rc;
    return store_find_ids(e->st, STORE_RULE, ids, id_count, e->arena, items, count, e->err);
}

static gh_rc add_rule(store_editing *e, const gh_store_edit *edit)
{
    store_item like = { .kind = STORE_RULE, .of.rule = edit->of.rule };
    store_item *items = NULL;
    size_t count = 0;
    gh_rc rc = need_owners(e, edit);

    if (rc == GH_OK)
        rc = candidates(e, edit->of.rule, &items, &count);
    if (rc != GH_OK)
        return rc;
    store_item item = store_item_of(&like, e->arena);
    for (size_t i = 0; i < count; i++) {
        if (gh_str_eq(items[i].json, item.json)) {
            store_edit_note(e, '=', &items[i], items[i].json, items[i].json);
            return GH_OK;
        }
    }
    store_edit_write(e, NULL, &item);
    return GH_OK;
}

static void put_ids(gh_buf *b, const store_item *items, size_t count)
{
    enum { SHOWN = 8 };

    for (size_t i = 0; i < count && i < SHOWN; i++)
        gh_buf_printf(b, "%s%lld", i > 0 ? ", " : "", (long long)items[i].id);
    if (count > SHOWN)
        gh_buf_printf(b, " and %zu more", count - SHOWN);
}

/* None says it, or several do: the ids that could have been meant. */
static gh_rc fail_words(store_editing *e, const gh_acl_rule *rule, const store_item *items,
                        size_t count, bool is_ambiguous)
{
    const char *word = rule->is_deny ? "deny" : "grant";
    gh_buf ids;
    gh_rc rc;

    gh_buf_init(&ids, 0);
    put_ids(&ids, items, count);
    if (is_ambiguous)
        rc = gh_fail(e->err, GH_INVALID, "42725",
                     "several %ss say this: " GH_STR_FMT "; revoke one by its id", word,
                     GH_STR_ARG(gh_buf_str(&ids)));
    else if (count == 0)
        rc = gh_fail(e->err, GH_NOT_FOUND, "42704",
                     "no %s says this, nor does any other name " GH_STR_FMT " on " GH_STR_FMT, word,
                     GH_STR_ARG(rule->to.items[0]), GH_STR_ARG(rule->tables.items[0]));
    else
        rc = gh_fail(e->err, GH_NOT_FOUND, "42704",
                     "no %s says exactly this; " GH_STR_FMT " on " GH_STR_FMT " has: " GH_STR_FMT,
                     word, GH_STR_ARG(rule->to.items[0]), GH_STR_ARG(rule->tables.items[0]),
                     GH_STR_ARG(gh_buf_str(&ids)));
    gh_buf_fini(&ids);
    return rc;
}

static gh_rc drop_rule_by_words(store_editing *e, const gh_acl_rule *rule)
{
    bool with_time = rule->valid_from != INT64_MIN || rule->valid_until != INT64_MAX;
    gh_str meant = essence(e, rule, with_time);
    store_item *items = NULL;
    size_t count = 0;
    size_t hits = 0;
    gh_rc rc = candidates(e, rule, &items, &count);

    if (rc != GH_OK)
        return rc;
    for (size_t i = 0; i < count; i++) {
        if (gh_str_eq(essence(e, items[i].of.rule, with_time), meant)) {
            store_item hit = items[i];
            items[i] = items[hits];
            items[hits++] = hit;
        }
    }
    if (hits == 1) {
        store_edit_write(e, &items[0], NULL);
        return GH_OK;
    }
    return fail_words(e, rule, items, hits > 1 ? hits : count, hits > 1);
}

static gh_rc drop_rule(store_editing *e, const gh_store_edit *edit)
{
    store_item *items = NULL;
    size_t count = 0;
    gh_rc rc;

    if (edit->id == 0)
        return drop_rule_by_words(e, edit->of.rule);
    rc = store_find_ids(e->st, STORE_RULE, &edit->id, 1, e->arena, &items, &count, e->err);
    if (rc != GH_OK)
        return rc;
    if (count == 0)
        return gh_fail(e->err, GH_NOT_FOUND, "42704", "no grant or deny has the id %lld",
                       (long long)edit->id);
    store_edit_write(e, &items[0], NULL);
    return GH_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static store_kind kind_of(gh_store_thing thing)
{
    static const store_kind kinds[] = {
        [GH_STORE_ROLE] = STORE_ROLE,     [GH_STORE_USER] = STORE_USER,
        [GH_STORE_MEMBER] = STORE_MEMBER, [GH_STORE_ATTRIBUTE] = STORE_ATTRIBUTE,
        [GH_STORE_TAG] = STORE_TAG,       [GH_STORE_TAG_COLUMN] = STORE_TAG_COLUMN,
        [GH_STORE_MASK] = STORE_MASK,     [GH_STORE_RULE] = STORE_RULE
    };

    GH_ASSERT(thing > GH_STORE_NO_THING && thing <= GH_STORE_RULE);
    return kinds[thing];
}

/* A name of people's: a role's, or a user's that lacks the prefix. */
static gh_rc guess(store_editing *e, const gh_store_edit *edit, gh_store_edit *out)
{
    bool is_role = false;
    bool is_user = false;
    gh_rc rc = is_name(e, STORE_ROLE, edit->name, &is_role);

    if (rc == GH_OK)
        rc = is_name(e, STORE_USER, edit->name, &is_user);
    if (rc == GH_OK && is_role && is_user)
        return gh_fail(e->err, GH_INVALID, "42725",
                       GH_STR_FMT " is a role and a user: write role:" GH_STR_FMT
                                  " or user:" GH_STR_FMT,
                       GH_STR_ARG(edit->name), GH_STR_ARG(edit->name), GH_STR_ARG(edit->name));
    if (rc == GH_OK && !is_role && !is_user)
        return fail_nobody(e, edit->name);
    *out = *edit;
    out->is_guess = false;
    if (is_user)
        out->name = gh_arena_printf(e->arena, "user:" GH_STR_FMT, GH_STR_ARG(edit->name));
    return rc;
}

static gh_rc edit_one(store_editing *e, const gh_store_edit *edit)
{
    store_kind kind = kind_of(edit->thing);
    gh_store_edit guessed;

    GH_ASSERT(edit->act != GH_STORE_NO_ACT);
    if (edit->is_guess) {
        gh_rc rc = guess(e, edit, &guessed);
        if (rc != GH_OK)
            return rc;
        edit = &guessed;
    }
    if (kind == STORE_RULE)
        return edit->act == GH_STORE_DROP ? drop_rule(e, edit) : add_rule(e, edit);
    return edit->act == GH_STORE_DROP ? store_edit_drop(e, edit, kind) : put_named(e, edit, kind);
}

typedef struct edit_list {
    const gh_store_edit *edits;
    size_t count;
} edit_list;

static gh_rc edit_each(store_editing *e, const void *arg)
{
    const edit_list *list = arg;
    gh_rc rc = GH_OK;

    for (size_t i = 0; i < list->count && rc == GH_OK; i++)
        rc = edit_one(e, &list->edits[i]);
    return rc;
}

gh_rc gh_store_edit_all(gh_store *st, const gh_store_edit *edits, size_t count,
                        const gh_store_author *author, gh_arena *a, gh_store_changes *out,
                        gh_err *err)
{
    edit_list list = { edits, count };

    return store_editing_run(st, author, a, edit_each, &list, false, out, err);
}

static void give(const store_editing *e, uint64_t version, gh_store_changes *out)
{
    gh_store_changed *list = gh_arena_alloc(e->arena, (e->count + 1) * sizeof(*list));

    GH_ASSERT(list != NULL);
    if (e->count > 0)
        memcpy(list, e->list, e->count * sizeof(*list));
    *out = (gh_store_changes){ list, e->count, e->change_count, version };
}

static gh_rc run_inside(store_editing *e, const gh_store_author *author,
                        gh_rc (*work)(store_editing *e, const void *arg), const void *arg,
                        bool checks_all, uint64_t *version)
{
    store_change change = { .at_us = store_now_us(), .author = author };
    gh_rc rc = store_version(e->st, version, e->err);

    if (rc != GH_OK)
        return rc;
    change.version = *version + 1;
    e->change = &change;
    e->writer = store_writer_new(e->st, &change);
    rc = work(e, arg);
    gh_rc end = store_writer_end(e->writer, e->err);
    if (rc == GH_OK)
        rc = end;
    if (rc != GH_OK || e->change_count == 0)
        return rc;
    rc = store_next_version(e->st, version, e->err);
    if (rc == GH_OK)
        rc = checks_all ? store_check_all(e->st, e->err)
                        : store_check_changed(e->st, &e->changed, e->err);
    return rc == GH_OK ? store_commit(e->st, e->err) : rc;
}

gh_rc store_editing_run(gh_store *st, const gh_store_author *author, gh_arena *a,
                        gh_rc (*work)(store_editing *e, const void *arg), const void *arg,
                        bool checks_all, gh_store_changes *out, gh_err *err)
{
    store_editing e = { .st = st, .arena = a, .err = err };
    uint64_t version = 0;
    gh_rc rc = store_begin(st, err);

    e.changed.arena = a;
    if (rc == GH_OK)
        rc = run_inside(&e, author, work, arg, checks_all, &version);
    store_rollback(st); /* of a failure, or of nothing */
    if (rc == GH_OK)
        give(&e, version, out);
    store_items_fini(&e.changed);
    free(e.list);
    return rc;
}

gh_rc gh_store_has(gh_store *st, gh_store_thing thing, gh_str name, bool *is_there, gh_err *err)
{
    gh_arena *a = gh_arena_new(0);
    store_item unused;
    gh_rc rc = store_find_named(st, kind_of(thing), name, (gh_str){ 0 }, a, &unused, is_there, err);

    gh_arena_free(a);
    return rc;
}
