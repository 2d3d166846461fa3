/*
 * The ACL as a flat list of items, each with a key and its whole content as JSON: what `policy
 * apply` compares, and what the history keeps. Lists whose order means nothing are sorted in the
 * JSON, so that a reordered policy file is no change.
 */
#include "store_priv.h"

#include <stdlib.h>

#include <gatehouse/audit.h>  /* gh_audit_put_string */
#include <gatehouse/config.h> /* gh_config_put_time */

/* ---- lists ----------------------------------------------------------------------------------- */

typedef struct ranked {
    gh_str s;
    size_t rank;
} ranked;

static int ranked_by_text(const void *x, const void *y)
{
    const ranked *a = x;
    const ranked *b = y;
    int order = gh_str_cmp(a->s, b->s);

    if (order != 0)
        return order;
    return a->rank < b->rank ? -1 : 1;
}

static int ranked_by_rank(const void *x, const void *y)
{
    const ranked *a = x;
    const ranked *b = y;

    return a->rank < b->rank ? -1 : 1;
}

gh_str_list store_unique(gh_str_list list, bool is_sorted, gh_arena *a)
{
    size_t n = 0;

    if (list.count == 0)
        return (gh_str_list){ 0 };
    ranked *r = gh_realloc_array(NULL, list.count, sizeof(*r));
    for (size_t i = 0; i < list.count; i++)
        r[i] = (ranked){ list.items[i], i };
    qsort(r, list.count, sizeof(*r), ranked_by_text);
    for (size_t i = 0; i < list.count; i++)
        if (i == 0 || !gh_str_eq(r[i].s, r[n - 1].s))
            r[n++] = r[i];
    if (!is_sorted)
        qsort(r, n, sizeof(*r), ranked_by_rank);
    gh_str *items = gh_arena_alloc(a, n * sizeof(*items));
    GH_ASSERT(items != NULL);
    for (size_t i = 0; i < n; i++)
        items[i] = r[i].s;
    free(r);
    return (gh_str_list){ items, n };
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_key(gh_buf *b, const char *key)
{
    if (b->len > 0 && b->ptr[b->len - 1] != '{')
        gh_buf_puts(b, ",");
    gh_buf_printf(b, "\"%s\":", key);
}

static void put_member(gh_buf *b, const char *key, gh_str value)
{
    put_key(b, key);
    gh_audit_put_string(b, value);
}

static void put_list(gh_buf *b, gh_str_list list)
{
    gh_buf_puts(b, "[");
    for (size_t i = 0; i < list.count; i++) {
        if (i > 0)
            gh_buf_puts(b, ",");
        gh_audit_put_string(b, list.items[i]);
    }
    gh_buf_puts(b, "]");
}

static void put_time(gh_buf *b, int64_t us)
{
    gh_buf_puts(b, "\"");
    gh_config_put_time(b, us);
    gh_buf_puts(b, "\"");
}

static gh_str take(gh_buf *b, gh_arena *a)
{
    gh_str s = gh_arena_dup(a, gh_buf_str(b));

    GH_ASSERT(s.ptr != NULL);
    gh_buf_clear(b);
    return s;
}

static gh_str two_names_key(gh_str first, gh_str second, gh_buf *b, gh_arena *a)
{
    put_list(b, (gh_str_list){ (const gh_str[]){ first, second }, 2 });
    return take(b, a);
}

/* ---- items ----------------------------------------------------------------------------------- */

static store_item *items_add(store_items *items, store_kind kind, gh_origin origin)
{
    if (items->count == items->cap) {
        items->cap = items->cap == 0 ? 256 : items->cap * 2;
        items->list = gh_realloc_array(items->list, items->cap, sizeof(*items->list));
    }
    store_item *item = &items->list[items->count];
    items->count++;
    memset(item, 0, sizeof(*item));
    item->kind = kind;
    item->origin = origin;
    return item;
}

void store_items_fini(store_items *items)
{
    free(items->list);
    items->list = NULL;
    items->count = 0;
    items->cap = 0;
}

static void add_role(store_items *items, const gh_acl_role *r, gh_buf *b)
{
    store_item *item = items_add(items, STORE_ROLE, r->origin);

    item->of.role = r;
    item->key = r->name;
    gh_buf_puts(b, "{");
    put_member(b, "description", r->description);
    put_member(b, "may", store_may_text(r->may, items->arena));
    gh_buf_puts(b, "}");
    item->json = take(b, items->arena);
    item->title = gh_arena_printf(items->arena, "role " GH_STR_FMT, GH_STR_ARG(r->name));
}

static void add_user(store_items *items, const gh_acl_user *u, gh_buf *b)
{
    store_item *item = items_add(items, STORE_USER, u->origin);

    item->of.user = u;
    item->key = u->name;
    gh_buf_puts(b, "{");
    put_member(b, "kind", u->is_service ? GH_STR("service") : GH_STR("human"));
    gh_buf_puts(b, "}");
    item->json = take(b, items->arena);
    item->title = gh_arena_printf(items->arena, "user " GH_STR_FMT, GH_STR_ARG(u->name));
}

static void add_member(store_items *items, gh_str member, gh_str role, gh_origin origin, gh_buf *b)
{
    store_item *item = items_add(items, STORE_MEMBER, origin);

    item->names[0] = member;
    item->names[1] = role;
    item->key = two_names_key(member, role, b, items->arena);
    item->json = item->key;
    item->title = gh_arena_printf(items->arena, GH_STR_FMT " in role " GH_STR_FMT,
                                  GH_STR_ARG(member), GH_STR_ARG(role));
}

static void add_attribute(store_items *items, gh_str user, const gh_acl_attribute *attribute,
                          gh_origin origin, gh_buf *b)
{
    store_item *item = items_add(items, STORE_ATTRIBUTE, origin);

    item->of.attribute = attribute;
    item->names[0] = user;
    item->names[1] = attribute->name;
    item->key = two_names_key(user, attribute->name, b, items->arena);
    if (attribute->is_list)
        put_list(b, attribute->values);
    else
        gh_audit_put_string(b,
                            attribute->values.count > 0 ? attribute->values.items[0] : GH_STR(""));
    item->json = take(b, items->arena);
    item->title = gh_arena_printf(items->arena, "attribute " GH_STR_FMT " of " GH_STR_FMT,
                                  GH_STR_ARG(attribute->name), GH_STR_ARG(user));
}

static void add_tag(store_items *items, const gh_acl_tag *t)
{
    store_item *item = items_add(items, STORE_TAG, t->origin);

    item->names[0] = t->name;
    item->key = t->name;
    item->json = GH_STR("{}");
    item->title = gh_arena_printf(items->arena, "tag " GH_STR_FMT, GH_STR_ARG(t->name));
}

static void add_tag_column(store_items *items, gh_str tag, gh_str column, gh_origin origin,
                           gh_buf *b)
{
    store_item *item = items_add(items, STORE_TAG_COLUMN, origin);

    item->names[0] = tag;
    item->names[1] = column;
    item->key = two_names_key(tag, column, b, items->arena);
    item->json = item->key;
    item->title = gh_arena_printf(items->arena, "tag " GH_STR_FMT " on " GH_STR_FMT,
                                  GH_STR_ARG(tag), GH_STR_ARG(column));
}

static void add_mask(store_items *items, const gh_acl_mask_def *m, gh_buf *b)
{
    store_item *item = items_add(items, STORE_MASK, m->origin);

    item->of.mask = m;
    item->key = m->name;
    gh_audit_put_string(b, m->expr);
    item->json = take(b, items->arena);
    item->title = gh_arena_printf(items->arena, "mask " GH_STR_FMT, GH_STR_ARG(m->name));
}

static void add_masking(store_items *items, const gh_acl_masking *m, int64_t id, gh_buf *b)
{
    store_item *item = items_add(items, STORE_MASKING, m->origin);

    item->of.masking = m;
    item->id = id;
    gh_buf_puts(b, "{");
    put_member(b, "tag", m->tag);
    put_member(b, "with", m->mask);
    item->key = gh_arena_dup(items->arena, gh_buf_str(b));
    put_key(b, "except");
    put_list(b, store_unique(m->except, true, items->arena));
    gh_buf_puts(b, "}");
    item->json = take(b, items->arena);
    item->title = gh_arena_printf(items->arena, "masking of tag " GH_STR_FMT " with " GH_STR_FMT,
                                  GH_STR_ARG(m->tag), GH_STR_ARG(m->mask));
}

/* "a, b and 3 more" */
static void put_some(gh_buf *b, gh_str_list list)
{
    enum { SHOWN = 3 };

    for (size_t i = 0; i < list.count && i < SHOWN; i++)
        gh_buf_printf(b, "%s" GH_STR_FMT, i > 0 ? ", " : "", GH_STR_ARG(list.items[i]));
    if (list.count > SHOWN)
        gh_buf_printf(b, " and %zu more", list.count - SHOWN);
}

static void add_function(store_items *items, const gh_acl_function *f, int64_t id, gh_buf *b)
{
    store_item *item = items_add(items, STORE_FUNCTION, f->origin);

    item->of.function = f;
    item->id = id;
    gh_buf_puts(b, "{");
    put_key(b, "to");
    put_list(b, store_unique(f->to, true, items->arena));
    item->key = gh_arena_dup(items->arena, gh_buf_str(b));
    put_key(b, "allow");
    put_list(b, store_unique(f->allow, true, items->arena));
    gh_buf_puts(b, "}");
    item->json = take(b, items->arena);
    gh_buf_puts(b, "functions ");
    put_some(b, f->allow);
    gh_buf_puts(b, " to ");
    put_some(b, f->to);
    item->title = take(b, items->arena);
}

static void put_privileges(gh_buf *b, uint32_t privileges, const char *quote, const char *between)
{
    bool is_first = true;

    for (uint32_t bit = GH_SELECT; bit <= GH_TRUNCATE; bit <<= 1) {
        if ((privileges & bit) == 0)
            continue;
        gh_buf_printf(b, "%s%s%s%s", is_first ? "" : between, quote, store_privilege_word(bit),
                      quote);
        is_first = false;
    }
}

static int mask_order(const void *x, const void *y)
{
    const gh_acl_column_mask *a = x;
    const gh_acl_column_mask *b = y;

    return gh_str_cmp(a->column, b->column);
}

static void put_masks(gh_buf *b, const gh_acl_rule *r)
{
    gh_acl_column_mask *sorted = gh_realloc_array(NULL, r->mask_count, sizeof(*sorted));

    memcpy(sorted, r->masks, r->mask_count * sizeof(*sorted));
    qsort(sorted, r->mask_count, sizeof(*sorted), mask_order);
    put_key(b, "mask");
    gh_buf_puts(b, "{");
    for (size_t i = 0; i < r->mask_count; i++) {
        if (i > 0)
            gh_buf_puts(b, ",");
        gh_audit_put_string(b, sorted[i].column);
        gh_buf_puts(b, ":");
        gh_audit_put_string(b, sorted[i].mask);
    }
    gh_buf_puts(b, "}");
    free(sorted);
}

/* What is left out is what an absent key of a policy file means. */
static void put_rule_body(gh_buf *b, const gh_acl_rule *r, gh_arena *a)
{
    if (r->has_columns) {
        put_key(b, r->is_except ? "except" : "columns");
        put_list(b, store_unique(r->columns, true, a));
    }
    if (r->tags.count > 0) {
        put_key(b, "tags");
        put_list(b, store_unique(r->tags, true, a));
    }
    if (r->rows.len > 0)
        put_member(b, "rows", r->rows);
    if (r->mask_count > 0)
        put_masks(b, r);
    if (r->valid_from != INT64_MIN) {
        put_key(b, "valid_from");
        put_time(b, r->valid_from);
    }
    if (r->valid_until != INT64_MAX) {
        put_key(b, "valid_until");
        put_time(b, r->valid_until);
    }
    if (r->reason.len > 0)
        put_member(b, "reason", r->reason);
    if (r->is_through)
        put_member(b, "through", GH_STR("true"));
    if (r->is_blind)
        put_member(b, "blind", GH_STR("true"));
}

static void add_rule(store_items *items, const gh_acl_rule *r, gh_buf *b)
{
    store_item *item = items_add(items, STORE_RULE, r->origin);

    item->of.rule = r;
    item->id = r->id;
    gh_buf_puts(b, "{");
    put_member(b, "effect", r->is_deny ? GH_STR("deny") : GH_STR("grant"));
    put_key(b, "to");
    put_list(b, store_unique(r->to, true, items->arena));
    put_key(b, "tables");
    put_list(b, store_unique(r->tables, true, items->arena));
    put_key(b, "privileges");
    gh_buf_puts(b, "[");
    put_privileges(b, r->privileges, "\"", ",");
    gh_buf_puts(b, "]");
    item->key = gh_arena_dup(items->arena, gh_buf_str(b));
    put_rule_body(b, r, items->arena);
    gh_buf_puts(b, "}");
    item->json = take(b, items->arena);
    put_privileges(b, r->privileges, "", ", ");
    gh_buf_puts(b, " on ");
    put_some(b, r->tables);
    gh_buf_printf(b, " %s ", r->is_deny ? "from" : "to");
    put_some(b, r->to);
    item->title = take(b, items->arena);
}

/* ---- whole lists ----------------------------------------------------------------------------- */

static gh_str user_principal(gh_str name, gh_arena *a)
{
    return gh_arena_printf(a, "user:" GH_STR_FMT, GH_STR_ARG(name));
}

/* Everything that has one origin in either form of the ACL. */
static void add_shared(store_items *items, const gh_acl *acl, gh_buf *b)
{
    for (size_t i = 0; i < acl->role_count; i++)
        add_role(items, &acl->roles[i], b);
    for (size_t i = 0; i < acl->user_count; i++)
        add_user(items, &acl->users[i], b);
    for (size_t i = 0; i < acl->tag_count; i++)
        add_tag(items, &acl->tags[i]);
    for (size_t i = 0; i < acl->mask_count; i++)
        add_mask(items, &acl->masks[i], b);
    for (size_t i = 0; i < acl->rule_count; i++)
        add_rule(items, &acl->rules[i], b);
}

void store_items_from_files(store_items *items, const gh_acl *acl)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    add_shared(items, acl, &b);
    for (size_t i = 0; i < acl->role_count; i++)
        for (size_t j = 0; j < acl->roles[i].member_of.count; j++)
            add_member(items, acl->roles[i].name, acl->roles[i].member_of.items[j],
                       GH_ORIGIN_POLICY, &b);
    for (size_t i = 0; i < acl->user_count; i++) {
        const gh_acl_user *u = &acl->users[i];
        gh_str principal = user_principal(u->name, items->arena);
        for (size_t j = 0; j < u->roles.count; j++)
            add_member(items, principal, u->roles.items[j], GH_ORIGIN_POLICY, &b);
        for (size_t j = 0; j < u->attribute_count; j++)
            add_attribute(items, u->name, &u->attributes[j], GH_ORIGIN_POLICY, &b);
    }
    for (size_t i = 0; i < acl->tag_count; i++)
        for (size_t j = 0; j < acl->tags[i].columns.count; j++)
            add_tag_column(items, acl->tags[i].name, acl->tags[i].columns.items[j],
                           GH_ORIGIN_POLICY, &b);
    for (size_t i = 0; i < acl->masking_count; i++)
        add_masking(items, &acl->masking[i], 0, &b);
    for (size_t i = 0; i < acl->function_count; i++)
        add_function(items, &acl->functions[i], 0, &b);
    for (size_t i = 0; i < items->count; i++)
        items->list[i].origin = GH_ORIGIN_POLICY;
    gh_buf_fini(&b);
}

static gh_origin row_origin(store_stmt *s, int column)
{
    gh_origin origin = GH_ORIGIN_CLI; /* store_load has refused what is unknown */

    (void)store_origin_parse(store_text(s, column), &origin);
    return origin;
}

typedef void (*pair_fn)(store_items *items, gh_str first, gh_str second, gh_origin origin,
                        gh_buf *b);

/* Memberships, columns of tags: rows that have an origin each. */
static gh_rc add_pairs(gh_store *st, store_items *items, const char *sql, pair_fn add, gh_buf *b,
                       gh_err *err)
{
    store_stmt s = store_stmt_of(st, sql);

    while (store_stmt_row(&s)) {
        gh_str first = gh_arena_dup(items->arena, store_text(&s, 0));
        gh_str second = gh_arena_dup(items->arena, store_text(&s, 1));
        add(items, first, second, row_origin(&s, 2), b);
    }
    return store_stmt_end(&s, err);
}

/* Attributes come as store_load made them; their origins in the same order from their first rows. */
static gh_rc add_attributes(gh_store *st, store_items *items, const gh_acl *acl, gh_buf *b,
                            gh_err *err)
{
    size_t start = items->count;

    for (size_t i = 0; i < acl->user_count; i++)
        for (size_t j = 0; j < acl->users[i].attribute_count; j++)
            add_attribute(items, acl->users[i].name, &acl->users[i].attributes[j], GH_ORIGIN_CLI,
                          b);
    store_stmt s =
        store_stmt_of(st, "SELECT a.origin FROM attributes a JOIN users u ON u.name = a.user "
                          "WHERE a.position <= 0 ORDER BY u.rowid, a.name");
    while (start < items->count && store_stmt_row(&s))
        items->list[start++].origin = row_origin(&s, 0);
    return store_stmt_end(&s, err);
}

typedef enum id_table { ID_MASKING, ID_FUNCTIONS } id_table;

/* Entries whose ids gh_acl does not carry; store_load gave them in the order of their ids. */
static gh_rc add_entries(gh_store *st, store_items *items, const gh_acl *acl, id_table table,
                         gh_buf *b, gh_err *err)
{
    size_t count = table == ID_MASKING ? acl->masking_count : acl->function_count;
    size_t i = 0;
    store_stmt s =
        store_stmt_of(st, table == ID_MASKING ? "SELECT DISTINCT id FROM masking ORDER BY id"
                                              : "SELECT DISTINCT id FROM functions ORDER BY id");

    for (; i < count && store_stmt_row(&s); i++) {
        if (table == ID_MASKING)
            add_masking(items, &acl->masking[i], store_int(&s, 0), b);
        else
            add_function(items, &acl->functions[i], store_int(&s, 0), b);
    }
    return store_stmt_end(&s, err);
}

gh_rc store_items_from_store(gh_store *st, store_items *items, const gh_acl *acl, gh_err *err)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    add_shared(items, acl, &b);
    gh_rc rc = add_pairs(st, items, "SELECT member, role, origin FROM members ORDER BY rowid",
                         add_member, &b, err);
    if (rc == GH_OK)
        rc = add_pairs(st, items, "SELECT tag, pattern, origin FROM tag_columns ORDER BY rowid",
                       add_tag_column, &b, err);
    if (rc == GH_OK)
        rc = add_attributes(st, items, acl, &b, err);
    if (rc == GH_OK)
        rc = add_entries(st, items, acl, ID_MASKING, &b, err);
    if (rc == GH_OK)
        rc = add_entries(st, items, acl, ID_FUNCTIONS, &b, err);
    gh_buf_fini(&b);
    return rc;
}

store_item store_item_of(const store_item *like, gh_arena *a)
{
    store_items items = { .arena = a };
    store_item item;
    gh_buf b;

    gh_buf_init(&b, 0);
    GH_ASSERT(like->kind != STORE_NO_KIND);
    switch (like->kind) {
    case STORE_NO_KIND:
        break;
    case STORE_ROLE:
        add_role(&items, like->of.role, &b);
        break;
    case STORE_USER:
        add_user(&items, like->of.user, &b);
        break;
    case STORE_MEMBER:
        add_member(&items, like->names[0], like->names[1], like->origin, &b);
        break;
    case STORE_ATTRIBUTE:
        add_attribute(&items, like->names[0], like->of.attribute, like->origin, &b);
        break;
    case STORE_TAG: {
        gh_acl_tag tag = { .name = like->names[0] };
        add_tag(&items, &tag);
        break;
    }
    case STORE_TAG_COLUMN:
        add_tag_column(&items, like->names[0], like->names[1], like->origin, &b);
        break;
    case STORE_MASK:
        add_mask(&items, like->of.mask, &b);
        break;
    case STORE_MASKING:
        add_masking(&items, like->of.masking, like->id, &b);
        break;
    case STORE_FUNCTION:
        add_function(&items, like->of.function, like->id, &b);
        break;
    case STORE_RULE:
        add_rule(&items, like->of.rule, &b);
        break;
    }
    item = items.list[0];
    item.id = like->id;
    item.origin = like->origin;
    store_items_fini(&items);
    gh_buf_fini(&b);
    return item;
}
