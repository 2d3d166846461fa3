/*
 * Whether an ACL that compiled still does after a single change, without reading all of it. What
 * gh_policy_compile refuses is wrong with one thing alone, or with two things that meet:
 *
 *     names, patterns, lists, validity     one rule, tag, user             read with it
 *     cycles, depth of roles in roles      roles above and below           read with them
 *     masks that cannot be ordered         rules with such masks of the    read, with the users
 *                                          same column, of one user        below and their roles
 *
 * So the change and its neighbours are compiled, by the same code: the verdict is that of the whole
 * ACL, and the error text too. Test: tests/unit/store, neighbours_agree_with_the_whole.
 */
#include "store_priv.h"

#include <stdlib.h>

typedef struct neighbours {
    gh_store *st;
    gh_arena *arena;
    const store_items *changed;
    const gh_acl_mask_def *masks; /* all named ones */
    size_t mask_count;
    gh_err *err;
} neighbours;

/* An answer of one row; `text` and `text2` are bound if their ptr is set. */
static gh_rc ask(neighbours *n, const char *sql, gh_str text, bool *is_there)
{
    store_stmt s = store_stmt_of(n->st, sql);

    if (text.ptr != NULL)
        store_bind_text(&s, text);
    *is_there = store_stmt_row(&s);
    return store_stmt_end(&s, n->err);
}

static gh_rc run(neighbours *n, const char *sql, gh_str text)
{
    store_stmt s = store_stmt_of(n->st, sql);

    if (text.ptr != NULL)
        store_bind_text(&s, text);
    store_stmt_run(&s);
    return store_stmt_end(&s, n->err);
}

/* ---- what is compiled ------------------------------------------------------------------------ */

static void put_item(neighbours *n, store_stmt *put, const store_item *item)
{
    switch (item->kind) {
    case STORE_NO_KIND:
    case STORE_MASK: /* all masks are always there */
        return;
    case STORE_ROLE:
        store_scope_put(put, "principal", item->key);
        return;
    case STORE_USER:
    case STORE_ATTRIBUTE: {
        gh_str user = item->kind == STORE_USER ? item->key : item->names[0];
        gh_str name = gh_arena_printf(n->arena, "user:" GH_STR_FMT, GH_STR_ARG(user));
        store_scope_put(put, "principal", name);
        store_scope_put(put, "attributes", user);
        return;
    }
    case STORE_MEMBER:
        store_scope_put(put, "principal", item->names[0]);
        store_scope_put(put, "principal", item->names[1]);
        return;
    case STORE_TAG:
        store_scope_put(put, "tag", item->names[0]);
        return;
    case STORE_TAG_COLUMN:
        store_scope_put(put, "tag", item->names[0]);
        store_scope_put(put, "tag_column", item->names[1]);
        return;
    case STORE_MASKING:
        store_scope_put_id(put, "masking", item->id);
        return;
    case STORE_FUNCTION:
        store_scope_put_id(put, "functions", item->id);
        return;
    case STORE_RULE:
        store_scope_put_id(put, "grant", item->id);
        return;
    }
}

static gh_rc put_changed(neighbours *n)
{
    store_stmt put = store_scope_stmt(n->st);

    for (size_t i = 0; i < n->changed->count; i++)
        put_item(n, &put, &n->changed->list[i]);
    return store_stmt_end(&put, n->err);
}

/* Whom and what the rules and entries in scope name. */
static const char s_named_sql[] =
    "INSERT OR IGNORE INTO temp.scope SELECT 'principal', a.principal FROM temp.scope s "
    "CROSS JOIN acl a ON a.grant_id = s.name WHERE s.kind = 'grant';"
    "INSERT OR IGNORE INTO temp.scope SELECT 'tag', a.column_pattern FROM temp.scope s "
    "CROSS JOIN acl a ON a.grant_id = s.name WHERE s.kind = 'grant' AND a.column_kind = 'tag';"
    "INSERT OR IGNORE INTO temp.scope SELECT 'principal', f.principal FROM temp.scope s "
    "CROSS JOIN functions f ON f.id = s.name WHERE s.kind = 'functions';"
    "INSERT OR IGNORE INTO temp.scope SELECT 'tag', m.tag FROM temp.scope s "
    "CROSS JOIN masking m ON m.id = s.name WHERE s.kind = 'masking';"
    "INSERT OR IGNORE INTO temp.scope SELECT 'principal', m.except_role FROM temp.scope s "
    "CROSS JOIN masking m ON m.id = s.name "
    "WHERE s.kind = 'masking' AND m.except_role IS NOT NULL";

static gh_rc compile_scope(neighbours *n)
{
    gh_acl acl = { 0 };
    gh_policy *policy = NULL;
    gh_rc rc = store_exec(n->st, s_named_sql, n->err);

    if (rc == GH_OK)
        rc = store_scope_up(n->st, n->err);
    if (rc == GH_OK)
        rc = store_load(n->st, true, n->arena, &acl, n->err);
    if (rc == GH_OK)
        rc = gh_policy_compile(&acl, &policy, n->err);
    if (rc == GH_OK)
        gh_policy_release(policy);
    return rc;
}

/* ---- roles in roles -------------------------------------------------------------------------- */

/* The chain through the new membership may have grown too long below it. */
static gh_rc put_roles_below(neighbours *n, gh_str member)
{
    return run(n,
               "INSERT OR IGNORE INTO temp.scope WITH RECURSIVE down (name) AS (SELECT ?1 UNION "
               "SELECT m.member FROM down JOIN members m ON m.role = down.name "
               "WHERE substr(m.member, 1, 5) <> 'user:') SELECT 'principal', name FROM down",
               member);
}

static gh_rc put_all_below(neighbours *n, gh_str member)
{
    return run(n,
               "INSERT OR IGNORE INTO temp.scope WITH RECURSIVE down (name) AS (SELECT ?1 UNION "
               "SELECT m.member FROM down JOIN members m ON m.role = down.name) "
               "SELECT 'principal', name FROM down",
               member);
}

/* ---- masks that meet ------------------------------------------------------------------------- */

/* The `+` keeps SQLite from the index over masks: principals are the fewer. */
static const char s_masked_grants_sql[] =
    "INSERT OR IGNORE INTO temp.scope SELECT 'grant', a.grant_id FROM temp.scope s "
    "CROSS JOIN acl a ON a.principal = s.name WHERE s.kind = 'principal' AND +a.mask IS NOT NULL";

/* Whoever is below the member gains what is above the role: are masks among it? */
static gh_rc put_masks_of_membership(neighbours *n, const store_item *item)
{
    bool has_masks = false;
    gh_rc rc = ask(n,
                   "WITH RECURSIVE up (name) AS (SELECT ?1 UNION "
                   "SELECT m.role FROM up JOIN members m ON m.member = up.name) "
                   "SELECT 1 FROM up CROSS JOIN acl a ON a.principal = up.name "
                   "WHERE +a.mask IS NOT NULL LIMIT 1",
                   item->names[1], &has_masks);

    if (rc != GH_OK || !has_masks)
        return rc;
    rc = put_all_below(n, item->names[0]);
    if (rc == GH_OK)
        rc = store_scope_up(n->st, n->err);
    return rc == GH_OK ? store_exec(n->st, s_masked_grants_sql, n->err) : rc;
}

/* A column's name may be written in two ways; the table has it as it was written. */
static gh_str other_spelling(neighbours *n, gh_str text)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    if (text.len >= 2 && text.ptr[0] == '"') {
        for (size_t i = 1; i + 1 < text.len; i++) {
            gh_buf_put(&b, text.ptr + i, 1);
            if (text.ptr[i] == '"')
                i++;
        }
    } else {
        gh_buf_puts(&b, "\"");
        gh_buf_put_str(&b, text);
        gh_buf_puts(&b, "\"");
    }
    gh_str other = gh_arena_dup(n->arena, gh_buf_str(&b));
    gh_buf_fini(&b);
    return other;
}

static bool are_comparable(neighbours *n, gh_str x, gh_str y)
{
    gh_mask a = { 0 };
    gh_mask b = { 0 };
    bool comparable = false;

    if (gh_mask_parse(x, n->masks, n->mask_count, n->arena, &a, NULL) != GH_OK ||
        gh_mask_parse(y, n->masks, n->mask_count, n->arena, &b, NULL) != GH_OK)
        return false; /* the compiler will say what is wrong */
    (void)gh_mask_compare(&a, &b, &comparable);
    return comparable;
}

/* Is there one way only to write the pattern, and one relation that it names in a warehouse? */
static bool is_plain(gh_str pattern)
{
    for (size_t i = 0; i < pattern.len; i++)
        if (pattern.ptr[i] == '*' || pattern.ptr[i] == ':' || pattern.ptr[i] == '"')
            return false;
    return true;
}

#define RIVALS_SQL                                                                                 \
    "INSERT OR IGNORE INTO temp.scope SELECT 'grant', grant_id FROM acl "                          \
    "WHERE mask IS NOT NULL AND column_pattern = ? AND mask = ?"

/* Statements that put rules with a mask of a column: on a plain table, on what is not plain, on
 * all. */
typedef struct rivals {
    store_stmt next;
    store_stmt same;
    store_stmt special;
    store_stmt all;
    bool has_some;
} rivals;

static void rivals_put(rivals *r, store_stmt *put, gh_str column, gh_str mask, gh_str object)
{
    store_bind_text(put, column);
    store_bind_text(put, mask);
    if (object.ptr != NULL)
        store_bind_text(put, object);
    store_stmt_run(put);
    r->has_some = r->has_some || sqlite3_changes(put->st->db) > 0;
}

static void rivals_put_tables(rivals *r, gh_str column, gh_str mask, gh_str_list tables)
{
    for (size_t i = 0; i < tables.count; i++) {
        if (!is_plain(tables.items[i])) {
            rivals_put(r, &r->all, column, mask, (gh_str){ 0 });
            return;
        }
    }
    for (size_t i = 0; i < tables.count; i++)
        rivals_put(r, &r->same, column, mask, tables.items[i]);
    rivals_put(r, &r->special, column, mask, (gh_str){ 0 });
}

/*
 * Puts the rules that mask the column (so spelled) by something that `mask` cannot be ordered with,
 * on tables that the rule's may meet. Every distinct mask is looked at once, however many rules have
 * it.
 */
static void put_rivals(neighbours *n, rivals *r, gh_str column, gh_str mask, gh_str_list tables)
{
    gh_str last = { 0 };

    for (;;) {
        store_bind_text(&r->next, column);
        store_bind_text(&r->next, last);
        bool has_row = store_stmt_row(&r->next);
        if (has_row)
            last = gh_arena_dup(n->arena, store_text(&r->next, 0));
        store_stmt_run(&r->next);
        if (!has_row)
            return;
        if (!are_comparable(n, mask, last))
            rivals_put_tables(r, column, last, tables);
    }
}

static gh_rc rivals_end(rivals *r, gh_err *err)
{
    store_stmt *stmts[] = { &r->next, &r->same, &r->special, &r->all };
    gh_rc rc = GH_OK;

    for (size_t i = 0; i < GH_COUNT(stmts); i++) {
        gh_rc end = store_stmt_end(stmts[i], err);
        if (rc == GH_OK)
            rc = end;
    }
    return rc;
}

static gh_rc put_masks_of_rule(neighbours *n, const gh_acl_rule *r)
{
    if (r->is_deny || (r->privileges & GH_SELECT) == 0 || r->mask_count == 0)
        return GH_OK;
    rivals v = { .next = store_stmt_of(n->st, "SELECT mask FROM acl WHERE mask IS NOT NULL "
                                              "AND column_pattern = ? AND mask > ? "
                                              "ORDER BY mask LIMIT 1"),
                 .same = store_stmt_of(n->st, RIVALS_SQL " AND object = ?"),
                 .special = store_stmt_of(n->st, RIVALS_SQL " AND (instr(object, '*') > 0 OR "
                                                            "instr(object, ':') > 0 OR "
                                                            "instr(object, '\"') > 0)"),
                 .all = store_stmt_of(n->st, RIVALS_SQL) };
    for (size_t i = 0; i < r->mask_count; i++) {
        gh_str column = r->masks[i].column;
        put_rivals(n, &v, column, r->masks[i].mask, r->tables);
        put_rivals(n, &v, other_spelling(n, column), r->masks[i].mask, r->tables);
    }
    gh_rc rc = rivals_end(&v, n->err);
    for (size_t i = 0; i < r->to.count && v.has_some && rc == GH_OK; i++)
        rc = put_all_below(n, r->to.items[i]);
    return rc;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* A mask that rules name already meets whatever they meet. */
static gh_rc mask_is_used(neighbours *n, gh_str name, bool *is_used)
{
    return ask(n,
               "SELECT 1 FROM acl WHERE mask IS NOT NULL AND trim(mask, char(9, 10, 11, 12, 13, "
               "32)) = ?1 UNION ALL SELECT 1 FROM masking "
               "WHERE trim(mask, char(9, 10, 11, 12, 13, 32)) = ?1 LIMIT 1",
               name, is_used);
}

/*
 * Could the pairs of principals and patterns pass GH_POLICY_ENTRIES_MAX? Every pair has a row of
 * its own, and no row with its index entries takes less than this.
 */
static gh_rc is_huge(neighbours *n, bool *out)
{
    enum { ROW_BYTES_MIN = 40 };
    store_stmt s = store_stmt_of(n->st, "SELECT page_count * page_size FROM pragma_page_count, "
                                        "pragma_page_size");
    int64_t bytes = store_stmt_row(&s) ? store_int(&s, 0) : 0;

    *out = bytes / ROW_BYTES_MIN >= (int64_t)GH_POLICY_ENTRIES_MAX;
    return store_stmt_end(&s, n->err);
}

static gh_rc needs_whole(neighbours *n, bool *out)
{
    gh_rc rc = is_huge(n, out);

    for (size_t i = 0; i < n->changed->count && rc == GH_OK && !*out; i++)
        if (n->changed->list[i].kind == STORE_MASK)
            rc = mask_is_used(n, n->changed->list[i].key, out);
    return rc;
}

static gh_rc put_neighbours(neighbours *n)
{
    gh_rc rc = GH_OK;

    for (size_t i = 0; i < n->changed->count && rc == GH_OK; i++) {
        const store_item *item = &n->changed->list[i];
        if (item->kind == STORE_MEMBER) {
            rc = put_roles_below(n, item->names[0]);
            if (rc == GH_OK)
                rc = put_masks_of_membership(n, item);
        } else if (item->kind == STORE_RULE) {
            rc = put_masks_of_rule(n, item->of.rule);
        }
    }
    return rc;
}

/* The scope is empty yet: this loads the named masks, and nothing else. */
static gh_rc load_masks(neighbours *n)
{
    gh_acl acl = { 0 };
    gh_rc rc = store_load(n->st, true, n->arena, &acl, n->err);

    n->masks = acl.masks;
    n->mask_count = acl.mask_count;
    return rc;
}

gh_rc store_check_changed(gh_store *st, const store_items *changed, gh_err *err)
{
    neighbours n = { .st = st, .changed = changed, .err = err };
    bool is_whole = false;
    gh_rc rc;

    n.arena = gh_arena_new(0);
    rc = needs_whole(&n, &is_whole);
    if (rc == GH_OK && is_whole) {
        rc = store_check_all(st, err);
    } else if (rc == GH_OK) {
        rc = store_scope_clear(st, err);
        if (rc == GH_OK)
            rc = load_masks(&n);
        if (rc == GH_OK)
            rc = put_changed(&n);
        if (rc == GH_OK)
            rc = put_neighbours(&n);
        if (rc == GH_OK)
            rc = compile_scope(&n);
    }
    gh_arena_free(n.arena);
    return rc;
}
