/*
 * Items into tables, each change with its line of history. Statements are prepared once and run
 * often: an apply may write a million rows.
 */
#include "store_priv.h"

#include <stdlib.h>

enum { /* statements, prepared when first used */
       W_HISTORY,
       W_ROLE_PUT,
       W_ROLE_DROP,
       W_USER_PUT,
       W_USER_DROP,
       W_USER_MEMBERS_DROP,
       W_USER_ATTRIBUTES_DROP,
       W_MEMBER_PUT,
       W_MEMBER_DROP,
       W_ATTRIBUTE_PUT,
       W_ATTRIBUTE_DROP,
       W_TAG_PUT,
       W_TAG_DROP,
       W_TAG_COLUMN_PUT,
       W_TAG_COLUMN_DROP,
       W_MASK_PUT,
       W_MASK_DROP,
       W_MASKING_PUT,
       W_MASKING_DROP,
       W_FUNCTION_PUT,
       W_FUNCTION_DROP,
       W_RULE_PUT,
       W_RULE_DROP,
       W_COUNT
};

static const char *const s_sql[W_COUNT] = {
    [W_ROLE_PUT] = "INSERT INTO roles (name, description, may, origin) VALUES (?, ?, ?, ?) "
                   "ON CONFLICT (name) DO UPDATE SET description = excluded.description, "
                   "may = excluded.may, origin = excluded.origin",
    [W_ROLE_DROP] = "DELETE FROM roles WHERE name = ?",
    /* The verifier and `disabled` of a user that is there already stay. */
    [W_USER_PUT] =
        "INSERT INTO users (name, kind, disabled, verifier, origin) VALUES (?, ?, 0, '', ?) "
        "ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, origin = excluded.origin",
    [W_USER_DROP] = "DELETE FROM users WHERE name = ?",
    [W_USER_MEMBERS_DROP] = "DELETE FROM members WHERE member = ?",
    [W_USER_ATTRIBUTES_DROP] = "DELETE FROM attributes WHERE user = ?",
    [W_MEMBER_PUT] = "INSERT INTO members (member, role, origin) VALUES (?, ?, ?) "
                     "ON CONFLICT (member, role) DO UPDATE SET origin = excluded.origin",
    [W_MEMBER_DROP] = "DELETE FROM members WHERE member = ? AND role = ?",
    [W_ATTRIBUTE_PUT] =
        "INSERT INTO attributes (user, name, position, value, origin) VALUES (?, ?, ?, ?, ?)",
    [W_ATTRIBUTE_DROP] = "DELETE FROM attributes WHERE user = ? AND name = ?",
    [W_TAG_PUT] = "INSERT INTO tags (name, origin) VALUES (?, ?) "
                  "ON CONFLICT (name) DO UPDATE SET origin = excluded.origin",
    [W_TAG_DROP] = "DELETE FROM tags WHERE name = ?",
    [W_TAG_COLUMN_PUT] = "INSERT INTO tag_columns (tag, pattern, origin) VALUES (?, ?, ?) "
                         "ON CONFLICT (tag, pattern) DO UPDATE SET origin = excluded.origin",
    [W_TAG_COLUMN_DROP] = "DELETE FROM tag_columns WHERE tag = ? AND pattern = ?",
    [W_MASK_PUT] =
        "INSERT INTO masks (name, expression, origin) VALUES (?, ?, ?) ON CONFLICT (name) DO "
        "UPDATE SET expression = excluded.expression, origin = excluded.origin",
    [W_MASK_DROP] = "DELETE FROM masks WHERE name = ?",
    [W_MASKING_PUT] = "INSERT INTO masking (id, row_no, tag, mask, except_role, origin) "
                      "VALUES (?, ?, ?, ?, ?, ?)",
    [W_MASKING_DROP] = "DELETE FROM masking WHERE id = ?",
    [W_FUNCTION_PUT] = "INSERT INTO functions (id, row_no, principal, pattern, origin) "
                       "VALUES (?, ?, ?, ?, ?)",
    [W_FUNCTION_DROP] = "DELETE FROM functions WHERE id = ?",
    [W_RULE_PUT] =
        "INSERT INTO acl (grant_id, row_no, effect, principal, privilege, object, "
        "column_kind, column_pattern, mask, row_filter, valid_from, valid_until, through, "
        "blind, reason, author, changed_at, origin) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [W_RULE_DROP] = "DELETE FROM acl WHERE grant_id = ?",
};

struct store_writer {
    gh_store *st;
    const store_change *change;
    gh_arena *arena; /* one item's lists */
    int64_t next_id; /* 0: not read yet */
    store_stmt stmts[W_COUNT];
    bool is_ready[W_COUNT];
};

store_writer *store_writer_new(gh_store *st, const store_change *change)
{
    store_writer *w = gh_alloc(sizeof(*w));

    w->st = st;
    w->change = change;
    w->arena = gh_arena_new(0);
    return w;
}

static store_stmt *stmt(store_writer *w, size_t which)
{
    if (!w->is_ready[which]) {
        w->stmts[which] =
            which == W_HISTORY ? store_history_stmt(w->st) : store_stmt_of(w->st, s_sql[which]);
        w->is_ready[which] = true;
    }
    return &w->stmts[which];
}

/* Ids are never used twice: the audit log refers to them. */
static int64_t next_id(store_writer *w)
{
    if (w->next_id == 0) {
        store_stmt s =
            store_stmt_of(w->st, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'next_id'");
        w->next_id = store_stmt_row(&s) ? store_int(&s, 0) : 1;
        if (store_stmt_end(&s, NULL) != GH_OK || w->next_id < 1)
            w->next_id = 1; /* taken ids make the inserts fail, and with them the whole change */
    }
    return w->next_id++;
}

static void run_with_text(store_writer *w, size_t which, gh_str v)
{
    store_stmt *s = stmt(w, which);

    store_bind_text(s, v);
    store_stmt_run(s);
}

static void run_with_two(store_writer *w, size_t which, gh_str v, gh_str v2)
{
    store_stmt *s = stmt(w, which);

    store_bind_text(s, v);
    store_bind_text(s, v2);
    store_stmt_run(s);
}

static void run_with_int(store_writer *w, size_t which, int64_t v)
{
    store_stmt *s = stmt(w, which);

    store_bind_int(s, v);
    store_stmt_run(s);
}

static void put_attribute(store_writer *w, const store_item *item)
{
    const gh_acl_attribute *attribute = item->of.attribute;
    size_t rows = attribute->values.count > 0 ? attribute->values.count : 1;

    for (size_t i = 0; i < rows; i++) {
        store_stmt *s = stmt(w, W_ATTRIBUTE_PUT);
        store_bind_text(s, item->names[0]);
        store_bind_text(s, item->names[1]);
        store_bind_int(s, attribute->is_list ? (int64_t)i : -1);
        if (i < attribute->values.count)
            store_bind_text(s, attribute->values.items[i]);
        else if (attribute->is_list)
            store_bind_null(s);
        else
            store_bind_text(s, GH_STR(""));
        store_bind_text(s, gh_str_of(store_origin_word(item->origin)));
        store_stmt_run(s);
    }
}

static void put_masking(store_writer *w, const store_item *item)
{
    const gh_acl_masking *m = item->of.masking;
    gh_str_list except = store_unique(m->except, false, w->arena);
    size_t rows = except.count > 0 ? except.count : 1;

    for (size_t i = 0; i < rows; i++) {
        store_stmt *s = stmt(w, W_MASKING_PUT);
        store_bind_int(s, item->id);
        store_bind_int(s, (int64_t)i);
        store_bind_text(s, m->tag);
        store_bind_text(s, m->mask);
        if (i < except.count)
            store_bind_text(s, except.items[i]);
        else
            store_bind_null(s);
        store_bind_text(s, gh_str_of(store_origin_word(item->origin)));
        store_stmt_run(s);
    }
}

static void put_function(store_writer *w, const store_item *item)
{
    gh_str_list to = store_unique(item->of.function->to, false, w->arena);
    gh_str_list allow = store_unique(item->of.function->allow, false, w->arena);
    int64_t row_no = 0;

    for (size_t i = 0; i < to.count; i++) {
        for (size_t j = 0; j < allow.count; j++) {
            store_stmt *s = stmt(w, W_FUNCTION_PUT);
            store_bind_int(s, item->id);
            store_bind_int(s, row_no++);
            store_bind_text(s, to.items[i]);
            store_bind_text(s, allow.items[j]);
            store_bind_text(s, gh_str_of(store_origin_word(item->origin)));
            store_stmt_run(s);
        }
    }
}

typedef struct rule_cell { /* what differs between the rows of a rule */
    int64_t row_no;
    gh_str principal;
    gh_str object;
    uint32_t privilege;
    const store_rule_column *column;
} rule_cell;

static void bind_optional_time(store_stmt *s, int64_t v, int64_t none)
{
    if (v == none)
        store_bind_null(s);
    else
        store_bind_int(s, v);
}

static void put_rule_row(store_writer *w, const store_item *item, const rule_cell *cell)
{
    const gh_acl_rule *r = item->of.rule;
    store_stmt *s = stmt(w, W_RULE_PUT);

    store_bind_int(s, item->id);
    store_bind_int(s, cell->row_no);
    store_bind_text(s, r->is_deny ? GH_STR("deny") : GH_STR("grant"));
    store_bind_text(s, cell->principal);
    store_bind_text(s, gh_str_of(store_privilege_word(cell->privilege)));
    store_bind_text(s, cell->object);
    store_bind_text(s, gh_str_of(store_column_kind_word(cell->column->kind)));
    store_bind_text(s, cell->column->pattern);
    if (cell->column->has_mask)
        store_bind_text(s, cell->column->mask);
    else
        store_bind_null(s);
    store_bind_text(s, r->rows);
    bind_optional_time(s, r->valid_from, INT64_MIN);
    bind_optional_time(s, r->valid_until, INT64_MAX);
    store_bind_int(s, r->is_through ? 1 : 0);
    store_bind_int(s, r->is_blind ? 1 : 0);
    store_bind_text(s, r->reason);
    store_bind_text(s, w->change->author->name);
    store_bind_int(s, w->change->at_us);
    store_bind_text(s, gh_str_of(store_origin_word(item->origin)));
    store_stmt_run(s);
}

static void put_rule(store_writer *w, const store_item *item)
{
    const gh_acl_rule *r = item->of.rule;
    gh_str_list to = store_unique(r->to, false, w->arena);
    gh_str_list tables = store_unique(r->tables, false, w->arena);
    size_t column_count;
    const store_rule_column *columns = store_rule_columns(r, w->arena, &column_count);
    rule_cell cell = { 0 };

    for (size_t i = 0; i < to.count; i++) {
        cell.principal = to.items[i];
        for (size_t j = 0; j < tables.count; j++) {
            cell.object = tables.items[j];
            for (uint32_t bit = GH_SELECT; bit <= GH_TRUNCATE; bit <<= 1) {
                cell.privilege = bit;
                for (size_t k = 0; (r->privileges & bit) != 0 && k < column_count; k++) {
                    cell.column = &columns[k];
                    put_rule_row(w, item, &cell);
                    cell.row_no++;
                }
            }
        }
    }
}

static void put(store_writer *w, const store_item *item)
{
    gh_str origin = gh_str_of(store_origin_word(item->origin));
    store_stmt *s;

    GH_ASSERT(item->kind != STORE_NO_KIND);
    switch (item->kind) {
    case STORE_NO_KIND:
        break;
    case STORE_ROLE:
        s = stmt(w, W_ROLE_PUT);
        store_bind_text(s, item->of.role->name);
        store_bind_text(s, item->of.role->description);
        store_bind_text(s, store_may_text(item->of.role->may, w->arena));
        store_bind_text(s, origin);
        store_stmt_run(s);
        return;
    case STORE_USER:
        s = stmt(w, W_USER_PUT);
        store_bind_text(s, item->of.user->name);
        store_bind_text(s, item->of.user->is_service ? GH_STR("service") : GH_STR("human"));
        store_bind_text(s, origin);
        store_stmt_run(s);
        return;
    case STORE_MEMBER:
    case STORE_TAG_COLUMN:
        s = stmt(w, item->kind == STORE_MEMBER ? W_MEMBER_PUT : W_TAG_COLUMN_PUT);
        store_bind_text(s, item->names[0]);
        store_bind_text(s, item->names[1]);
        store_bind_text(s, origin);
        store_stmt_run(s);
        return;
    case STORE_ATTRIBUTE:
        run_with_two(w, W_ATTRIBUTE_DROP, item->names[0], item->names[1]);
        put_attribute(w, item);
        return;
    case STORE_TAG:
        run_with_two(w, W_TAG_PUT, item->names[0], origin);
        return;
    case STORE_MASK:
        s = stmt(w, W_MASK_PUT);
        store_bind_text(s, item->of.mask->name);
        store_bind_text(s, item->of.mask->expr);
        store_bind_text(s, origin);
        store_stmt_run(s);
        return;
    case STORE_MASKING:
        run_with_int(w, W_MASKING_DROP, item->id);
        put_masking(w, item);
        return;
    case STORE_FUNCTION:
        run_with_int(w, W_FUNCTION_DROP, item->id);
        put_function(w, item);
        return;
    case STORE_RULE:
        run_with_int(w, W_RULE_DROP, item->id);
        put_rule(w, item);
        return;
    }
}

/* A user goes with what the command line gave it: nobody of that name may inherit it later. */
static void drop_user(store_writer *w, gh_str name)
{
    gh_str principal = gh_arena_printf(w->arena, "user:" GH_STR_FMT, GH_STR_ARG(name));

    run_with_text(w, W_USER_DROP, name);
    run_with_text(w, W_USER_MEMBERS_DROP, principal);
    run_with_text(w, W_USER_ATTRIBUTES_DROP, name);
}

static void drop(store_writer *w, const store_item *item)
{
    GH_ASSERT(item->kind != STORE_NO_KIND);
    switch (item->kind) {
    case STORE_NO_KIND:
        break;
    case STORE_ROLE:
        run_with_text(w, W_ROLE_DROP, item->key);
        run_with_text(w, W_USER_MEMBERS_DROP, item->key);
        return;
    case STORE_USER:
        drop_user(w, item->key);
        return;
    case STORE_MEMBER:
        run_with_two(w, W_MEMBER_DROP, item->names[0], item->names[1]);
        return;
    case STORE_ATTRIBUTE:
        run_with_two(w, W_ATTRIBUTE_DROP, item->names[0], item->names[1]);
        return;
    case STORE_TAG:
        run_with_text(w, W_TAG_DROP, item->key);
        return;
    case STORE_TAG_COLUMN:
        run_with_two(w, W_TAG_COLUMN_DROP, item->names[0], item->names[1]);
        return;
    case STORE_MASK:
        run_with_text(w, W_MASK_DROP, item->key);
        return;
    case STORE_MASKING:
        run_with_int(w, W_MASKING_DROP, item->id);
        return;
    case STORE_FUNCTION:
        run_with_int(w, W_FUNCTION_DROP, item->id);
        return;
    case STORE_RULE:
        run_with_int(w, W_RULE_DROP, item->id);
        return;
    }
}

/* A user who is dropped was disabled, or not: a rollback must not let in who was shut out. */
static gh_str last_words(store_writer *w, const store_item *old)
{
    if (old->kind != STORE_USER || !old->of.user->is_disabled)
        return old->json;
    return gh_arena_printf(w->arena, GH_STR_FMT ",\"disabled\":true}", (int)old->json.len - 1,
                           old->json.ptr);
}

static void note(store_writer *w, const store_item *old, const store_item *item)
{
    const store_item *either = item != NULL ? item : old;
    gh_str key = either->key;
    gh_str before = { 0 };
    gh_str origin = { 0 };

    if (store_kind_has_id(either->kind))
        key = gh_arena_printf(w->arena, "%lld", (long long)either->id);
    if (old != NULL) {
        before = item == NULL ? last_words(w, old) : old->json;
        origin = gh_str_of(store_origin_word(old->origin));
    }
    store_history_put(stmt(w, W_HISTORY), w->change, store_kind_word(either->kind), key, before,
                      origin, item != NULL ? item->json : (gh_str){ 0 });
    gh_arena_reset(w->arena);
}

void store_write_add(store_writer *w, store_item *item)
{
    if (store_kind_has_id(item->kind) && item->id == 0)
        item->id = next_id(w);
    put(w, item);
    note(w, NULL, item);
}

void store_write_change(store_writer *w, const store_item *old, store_item *item)
{
    item->id = old->id;
    put(w, item);
    note(w, old, item);
}

void store_write_remove(store_writer *w, const store_item *item)
{
    drop(w, item);
    note(w, item, NULL);
}

gh_rc store_writer_end(store_writer *w, gh_err *err)
{
    gh_rc rc = GH_OK;

    for (size_t i = 0; i < W_COUNT; i++) {
        if (!w->is_ready[i])
            continue;
        gh_rc end = store_stmt_end(&w->stmts[i], err);
        if (rc == GH_OK)
            rc = end;
    }
    if (rc == GH_OK && w->next_id > 0) {
        store_stmt s = store_stmt_of(w->st, "UPDATE meta SET value = ? WHERE key = 'next_id'");
        store_bind_int(&s, w->next_id);
        store_stmt_run(&s);
        rc = store_stmt_end(&s, err);
    }
    gh_arena_free(w->arena);
    free(w);
    return rc;
}
