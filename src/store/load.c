/*
 * The tables as a gh_acl. A million rows share few strings, so every name is interned: one copy in
 * the arena, and one entry that also says whether the rule at hand has met it already.
 */
#include "store_priv.h"

#include <stdlib.h>

/* ---- interning ------------------------------------------------------------------------------- */

typedef struct intern_entry {
    gh_str s;
    uint64_t hash;
    uint64_t met[2]; /* per dimension of a product: the last entry, counted from 1, that had it */
    size_t owner;    /* of a name with its kind: index + 1 of the user, role or tag */
} intern_entry;

typedef struct loader {
    gh_store *st;
    gh_arena *arena;
    gh_err *err;
    bool is_scoped; /* only what temp.scope names (scope.c) */
    intern_entry **slots;
    size_t slot_count; /* a power of 2 */
    size_t entry_count;
} loader;

/* What a load takes of a table: all of it, or what the scope names. */
static store_stmt rows_of(loader *l, const char *select, const char *scope, const char *order)
{
    return store_stmt_of(
        l->st, gh_arena_printf(l->arena, "%s WHERE %s%s%s", select, l->is_scoped ? scope : "true",
                               order != NULL ? " ORDER BY " : "", order != NULL ? order : "")
                   .ptr);
}

#define IN_SCOPE(kind) "IN (SELECT name FROM temp.scope WHERE kind = '" kind "')"

static const char s_roles_scope[] = "name " IN_SCOPE("principal");
static const char s_users_scope[] = /* users are principals by the name of user:NAME */
    "name IN (SELECT substr(name, 6) FROM temp.scope "
    "WHERE kind = 'principal' AND name >= 'user:' AND name < 'user;')";
static const char s_members_scope[] = "member " IN_SCOPE("principal");
static const char s_attributes_scope[] = "user " IN_SCOPE("attributes");
static const char s_tags_scope[] = "name " IN_SCOPE("tag");
static const char s_tag_columns_scope[] =
    "tag " IN_SCOPE("tag") " AND pattern " IN_SCOPE("tag_column");
static const char s_masking_scope[] = "id " IN_SCOPE("masking");
static const char s_functions_scope[] = "id " IN_SCOPE("functions");
static const char s_rules_scope[] = "grant_id " IN_SCOPE("grant");

static void intern_grow(loader *l)
{
    size_t count = l->slot_count == 0 ? 1024 : l->slot_count * 2;
    intern_entry **slots = gh_realloc_array(NULL, count, sizeof(intern_entry *));

    memset(slots, 0, count * sizeof(intern_entry *));
    for (size_t i = 0; i < l->slot_count; i++) {
        if (l->slots[i] == NULL)
            continue;
        size_t at = l->slots[i]->hash & (count - 1);
        while (slots[at] != NULL)
            at = (at + 1) & (count - 1);
        slots[at] = l->slots[i];
    }
    free(l->slots);
    l->slots = slots;
    l->slot_count = count;
}

static intern_entry *intern(loader *l, gh_str s)
{
    if (2 * l->entry_count >= l->slot_count)
        intern_grow(l);
    uint64_t hash = gh_hash(s.ptr, s.len, 0);
    size_t at = hash & (l->slot_count - 1);
    while (l->slots[at] != NULL) {
        if (l->slots[at]->hash == hash && gh_str_eq(l->slots[at]->s, s))
            return l->slots[at];
        at = (at + 1) & (l->slot_count - 1);
    }
    intern_entry *e = gh_arena_alloc(l->arena, sizeof(*e));
    GH_ASSERT(e != NULL);
    e->hash = hash;
    e->s = s.len == 0 ? GH_STR("") : gh_arena_dup(l->arena, s);
    l->slots[at] = e;
    l->entry_count++;
    return e;
}

static gh_str text(loader *l, store_stmt *s, int column)
{
    return intern(l, store_text(s, column))->s;
}

static gh_origin origin_of(loader *l, store_stmt *s, int column, gh_rc *rc)
{
    gh_origin origin = GH_ORIGIN_CLI;

    if (!store_origin_parse(store_text(s, column), &origin) && *rc == GH_OK)
        *rc = store_corrupt(l->st, l->err, "an unknown origin");
    return origin;
}

/* A statement's own failure comes before what its rows said. */
static gh_rc ended(loader *l, store_stmt *s, gh_rc rc)
{
    gh_err own = { 0 };
    gh_rc end = store_stmt_end(s, &own);

    if (end == GH_OK)
        return rc;
    if (rc == GH_OK && l->err != NULL)
        *l->err = own;
    return rc == GH_OK ? end : rc;
}

static gh_rc count_rows(loader *l, const char *select, const char *scope, size_t *out)
{
    store_stmt s = rows_of(l, select, scope, NULL);

    *out = store_stmt_row(&s) ? (size_t)store_int(&s, 0) : 0;
    return ended(l, &s, GH_OK);
}

static void *array(loader *l, size_t count, size_t size)
{
    size_t bytes;

    GH_ASSERT(!__builtin_mul_overflow(count, size, &bytes));
    void *p = gh_arena_alloc(l->arena, bytes > 0 ? bytes : 1);
    GH_ASSERT(p != NULL);
    return p;
}

/* ---- lists that belong to a named thing ------------------------------------------------------ */

enum { OWNER_USER = 1, OWNER_ROLE, OWNER_TAG };

/*
 * Names of different kinds may be equal (a user and a role): so an entry stands for "kind:name".
 */
static intern_entry *owner_entry(loader *l, uint32_t kind, gh_str name)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    gh_buf_put_u8(&b, (uint8_t)kind);
    gh_buf_put_str(&b, name);
    intern_entry *e = intern(l, gh_buf_str(&b));
    gh_buf_fini(&b);
    return e;
}

typedef struct pair {
    size_t owner;
    gh_str value;
} pair;

typedef struct pairs {
    pair *list;
    size_t count;
    size_t cap;
} pairs;

static void pairs_put(pairs *p, size_t owner, gh_str value)
{
    if (p->count == p->cap) {
        p->cap = p->cap == 0 ? 64 : p->cap * 2;
        p->list = gh_realloc_array(p->list, p->cap, sizeof(*p->list));
    }
    p->list[p->count] = (pair){ owner, value };
    p->count++;
}

/* Hands the pairs' values, in their order, to `owners` lists; frees the pairs. */
static gh_str_list *pairs_group(loader *l, pairs *p, size_t owners)
{
    gh_str_list *lists = array(l, owners, sizeof(*lists));
    gh_str *values = array(l, p->count, sizeof(*values));
    size_t *ends = gh_realloc_array(NULL, owners + 1, sizeof(*ends));
    size_t start = 0;

    memset(ends, 0, (owners + 1) * sizeof(*ends));
    for (size_t i = 0; i < p->count; i++)
        lists[p->list[i].owner].count++;
    for (size_t i = 0; i < owners; i++) {
        lists[i].items = lists[i].count > 0 ? values + start : NULL;
        ends[i] = start;
        start += lists[i].count;
    }
    for (size_t i = 0; i < p->count; i++)
        values[ends[p->list[i].owner]++] = p->list[i].value;
    free(ends);
    free(p->list);
    *p = (pairs){ 0 };
    return lists;
}

/* ---- roles, users ---------------------------------------------------------------------------- */

static gh_rc load_roles(loader *l, gh_acl *acl, gh_acl_role **out)
{
    size_t count;
    size_t n = 0;
    gh_rc rc = count_rows(l, "SELECT count(*) FROM roles", s_roles_scope, &count);

    if (rc != GH_OK)
        return rc;
    gh_acl_role *roles = array(l, count, sizeof(*roles));
    store_stmt s =
        rows_of(l, "SELECT name, description, may, origin FROM roles", s_roles_scope, "rowid");
    while (rc == GH_OK && n < count && store_stmt_row(&s)) {
        roles[n].name = text(l, &s, 0);
        roles[n].description = text(l, &s, 1);
        if (!store_may_parse(store_text(&s, 2), &roles[n].may))
            rc = store_corrupt(l->st, l->err, "role " GH_STR_FMT " may do something unknown",
                               GH_STR_ARG(roles[n].name));
        roles[n].origin = origin_of(l, &s, 3, &rc);
        owner_entry(l, OWNER_ROLE, roles[n].name)->owner = n + 1;
        n++;
    }
    acl->roles = roles;
    acl->role_count = n;
    *out = roles;
    return ended(l, &s, rc);
}

static gh_rc load_users(loader *l, gh_acl *acl, gh_acl_user **out)
{
    size_t count;
    size_t n = 0;
    gh_rc rc = count_rows(l, "SELECT count(*) FROM users", s_users_scope, &count);

    if (rc != GH_OK)
        return rc;
    gh_acl_user *users = array(l, count, sizeof(*users));
    store_stmt s = rows_of(l, "SELECT name, kind, disabled, verifier, origin FROM users",
                           s_users_scope, "rowid");
    while (rc == GH_OK && n < count && store_stmt_row(&s)) {
        users[n].name = text(l, &s, 0);
        users[n].is_service = gh_str_is(store_text(&s, 1), "service");
        users[n].is_disabled = store_int(&s, 2) != 0;
        users[n].verifier = text(l, &s, 3);
        users[n].origin = origin_of(l, &s, 4, &rc);
        owner_entry(l, OWNER_USER, users[n].name)->owner = n + 1;
        n++;
    }
    acl->users = users;
    acl->user_count = n;
    *out = users;
    return ended(l, &s, rc);
}

static gh_rc load_members(loader *l, gh_acl *acl, gh_acl_user *users, gh_acl_role *roles)
{
    static const char prefix[] = "user:";
    const size_t prefix_len = sizeof(prefix) - 1;
    pairs of_users = { 0 };
    pairs of_roles = { 0 };
    gh_rc rc = GH_OK;
    store_stmt s = rows_of(l, "SELECT member, role FROM members", s_members_scope, "rowid");

    while (rc == GH_OK && store_stmt_row(&s)) {
        gh_str member = store_text(&s, 0);
        bool is_user = member.len > prefix_len && memcmp(member.ptr, prefix, prefix_len) == 0;
        gh_str name =
            is_user ? (gh_str){ member.ptr + prefix_len, member.len - prefix_len } : member;
        size_t owner = owner_entry(l, is_user ? OWNER_USER : OWNER_ROLE, name)->owner;
        if (owner == 0)
            rc = store_corrupt(l->st, l->err, "the unknown " GH_STR_FMT " is in a role",
                               GH_STR_ARG(member));
        else
            pairs_put(is_user ? &of_users : &of_roles, owner - 1, text(l, &s, 1));
    }
    const gh_str_list *lists = pairs_group(l, &of_users, acl->user_count);
    for (size_t i = 0; i < acl->user_count; i++)
        users[i].roles = lists[i];
    lists = pairs_group(l, &of_roles, acl->role_count);
    for (size_t i = 0; i < acl->role_count; i++)
        roles[i].member_of = lists[i];
    return ended(l, &s, rc);
}

/* Rows come sorted by user and attribute: every run of them is one attribute. */
static gh_rc load_attributes(loader *l, gh_acl_user *users)
{
    size_t count;
    size_t values_len = 0;
    size_t n = 0;
    gh_rc rc = count_rows(l, "SELECT count(*) FROM attributes", s_attributes_scope, &count);

    if (rc != GH_OK)
        return rc;
    gh_acl_attribute *list = array(l, count, sizeof(*list));
    gh_str *values = array(l, count, sizeof(*values));
    gh_acl_user *user = NULL;
    store_stmt s = rows_of(l, "SELECT user, name, position, value FROM attributes",
                           s_attributes_scope, "user, name, position");
    while (rc == GH_OK && values_len < count && store_stmt_row(&s)) {
        size_t owner = owner_entry(l, OWNER_USER, store_text(&s, 0))->owner;
        if (owner == 0) {
            rc = store_corrupt(l->st, l->err, "an attribute of the unknown user " GH_STR_FMT,
                               GH_STR_ARG(store_text(&s, 0)));
            break;
        }
        bool is_next_user = user != &users[owner - 1];
        user = &users[owner - 1];
        if (is_next_user)
            user->attributes = &list[n];
        if (is_next_user || !gh_str_eq(list[n - 1].name, store_text(&s, 1))) {
            list[n].name = text(l, &s, 1);
            list[n].is_list = store_int(&s, 2) >= 0;
            list[n].values.items = &values[values_len];
            user->attribute_count++;
            n++;
        }
        if (!store_is_null(&s, 3)) {
            values[values_len] = text(l, &s, 3);
            values_len++;
            list[n - 1].values.count++;
        }
        if (!list[n - 1].is_list && list[n - 1].values.count != 1)
            rc = store_corrupt(l->st, l->err, "attribute " GH_STR_FMT " has not one value",
                               GH_STR_ARG(list[n - 1].name));
    }
    return ended(l, &s, rc);
}

/* ---- tags, masks, masking, functions --------------------------------------------------------- */

static gh_rc load_tags(loader *l, gh_acl *acl)
{
    size_t count;
    size_t n = 0;
    pairs columns = { 0 };
    gh_rc rc = count_rows(l, "SELECT count(*) FROM tags", s_tags_scope, &count);

    if (rc != GH_OK)
        return rc;
    gh_acl_tag *tags = array(l, count, sizeof(*tags));
    store_stmt s = rows_of(l, "SELECT name, origin FROM tags", s_tags_scope, "rowid");
    while (rc == GH_OK && n < count && store_stmt_row(&s)) {
        tags[n].name = text(l, &s, 0);
        tags[n].origin = origin_of(l, &s, 1, &rc);
        owner_entry(l, OWNER_TAG, tags[n].name)->owner = n + 1;
        n++;
    }
    rc = ended(l, &s, rc);
    if (rc != GH_OK)
        return rc;
    s = rows_of(l, "SELECT tag, pattern FROM tag_columns", s_tag_columns_scope, "rowid");
    while (rc == GH_OK && store_stmt_row(&s)) {
        size_t owner = owner_entry(l, OWNER_TAG, store_text(&s, 0))->owner;
        if (owner == 0)
            rc = store_corrupt(l->st, l->err, "columns of the unknown tag " GH_STR_FMT,
                               GH_STR_ARG(store_text(&s, 0)));
        else
            pairs_put(&columns, owner - 1, text(l, &s, 1));
    }
    const gh_str_list *lists = pairs_group(l, &columns, n);
    for (size_t i = 0; i < n; i++)
        tags[i].columns = lists[i];
    acl->tags = tags;
    acl->tag_count = n;
    return ended(l, &s, rc);
}

static gh_rc load_masks(loader *l, gh_acl *acl)
{
    size_t count;
    size_t n = 0;
    gh_rc rc = count_rows(l, "SELECT count(*) FROM masks", "true", &count);

    if (rc != GH_OK)
        return rc;
    gh_acl_mask_def *masks = array(l, count, sizeof(*masks));
    store_stmt s = rows_of(l, "SELECT name, expression, origin FROM masks", "true", "rowid");
    while (rc == GH_OK && n < count && store_stmt_row(&s)) {
        masks[n].name = text(l, &s, 0);
        masks[n].expr = text(l, &s, 1);
        masks[n].origin = origin_of(l, &s, 2, &rc);
        n++;
    }
    acl->masks = masks;
    acl->mask_count = n;
    return ended(l, &s, rc);
}

static gh_rc load_masking(loader *l, gh_acl *acl)
{
    size_t count;
    size_t n = 0;
    int64_t last = 0;
    pairs except = { 0 };
    gh_rc rc = count_rows(l, "SELECT count(*) FROM masking", s_masking_scope, &count);

    if (rc != GH_OK)
        return rc;
    gh_acl_masking *masking = array(l, count, sizeof(*masking));
    int64_t *ids = array(l, count, sizeof(*ids));
    store_stmt s = rows_of(l, "SELECT id, tag, mask, except_role, origin FROM masking",
                           s_masking_scope, "id, row_no");
    while (rc == GH_OK && n <= count && store_stmt_row(&s)) {
        if (store_int(&s, 0) != last) {
            last = store_int(&s, 0);
            ids[n] = last;
            masking[n].tag = text(l, &s, 1);
            masking[n].mask = text(l, &s, 2);
            masking[n].origin = origin_of(l, &s, 4, &rc);
            n++;
        }
        if (!store_is_null(&s, 3))
            pairs_put(&except, n - 1, text(l, &s, 3));
    }
    const gh_str_list *lists = pairs_group(l, &except, n);
    for (size_t i = 0; i < n; i++)
        masking[i].except = lists[i];
    acl->masking = masking;
    acl->masking_count = n;
    return ended(l, &s, rc);
}

/* ---- products: the rows of a function entry, of a rule --------------------------------------- */

typedef struct str_vec {
    gh_str *list;
    size_t count;
    size_t cap;
} str_vec;

static void vec_put(str_vec *v, gh_str s)
{
    if (v->count == v->cap) {
        v->cap = v->cap == 0 ? 64 : v->cap * 2;
        v->list = gh_realloc_array(v->list, v->cap, sizeof(*v->list));
    }
    v->list[v->count] = s;
    v->count++;
}

/* Appends the name unless the entry `serial` met it already in this dimension. */
static void vec_meet(loader *l, str_vec *v, size_t dimension, uint64_t serial, gh_str name)
{
    intern_entry *e = intern(l, name);

    if (e->met[dimension] == serial)
        return;
    e->met[dimension] = serial;
    vec_put(v, e->s);
}

static gh_str_list vec_copy(loader *l, const str_vec *v)
{
    if (v->count == 0)
        return (gh_str_list){ 0 };
    gh_str *items = array(l, v->count, sizeof(*items));
    memcpy(items, v->list, v->count * sizeof(*items));
    return (gh_str_list){ items, v->count };
}

static gh_rc load_functions(loader *l, gh_acl *acl, uint64_t *serial)
{
    size_t count;
    size_t n = 0;
    size_t rows = 0;
    int64_t last = 0;
    str_vec to = { 0 };
    str_vec allow = { 0 };
    gh_rc rc = count_rows(l, "SELECT count(DISTINCT id) FROM functions", s_functions_scope, &count);

    if (rc != GH_OK)
        return rc;
    gh_acl_function *functions = array(l, count, sizeof(*functions));
    store_stmt s = rows_of(l, "SELECT id, principal, pattern, origin FROM functions",
                           s_functions_scope, "id, row_no");
    bool has_row = store_stmt_row(&s);
    while (rc == GH_OK && has_row && n < count) {
        last = store_int(&s, 0);
        functions[n].origin = origin_of(l, &s, 3, &rc);
        to.count = 0;
        allow.count = 0;
        rows = 0;
        ++*serial;
        for (; has_row && store_int(&s, 0) == last; has_row = store_stmt_row(&s)) {
            vec_meet(l, &to, 0, *serial, store_text(&s, 1));
            vec_meet(l, &allow, 1, *serial, store_text(&s, 2));
            rows++;
        }
        if (rows != to.count * allow.count)
            rc = store_corrupt(l->st, l->err, "functions entry %lld lacks rows", (long long)last);
        functions[n].to = vec_copy(l, &to);
        functions[n].allow = vec_copy(l, &allow);
        n++;
    }
    free(to.list);
    free(allow.list);
    acl->functions = functions;
    acl->function_count = n;
    return ended(l, &s, rc);
}

/* A rule while its rows go by. */
typedef struct rule_rows {
    str_vec to;
    str_vec tables;
    str_vec columns; /* of kinds only and except */
    str_vec tags;
    str_vec masked; /* columns and, parallel, masks */
    str_vec masks;
    size_t column_rows; /* the length of the column dimension */
    size_t rows;
    uint64_t serial;
} rule_rows;

enum { /* columns of the query below */
       R_GRANT,
       R_PRINCIPAL,
       R_PRIVILEGE,
       R_OBJECT,
       R_COLUMN_KIND,
       R_COLUMN,
       R_MASK,
       R_EFFECT,
       R_FILTER,
       R_FROM,
       R_UNTIL,
       R_THROUGH,
       R_BLIND,
       R_REASON,
       R_ORIGIN
};

static const char s_rules_sql[] =
    "SELECT grant_id, principal, privilege, object, column_kind, column_pattern, mask, effect, "
    "row_filter, valid_from, valid_until, through, blind, reason, origin FROM acl";

/* What all rows of a rule share, from its first. */
static void rule_head(loader *l, store_stmt *s, gh_acl_rule *r, gh_rc *rc)
{
    r->id = store_int(s, R_GRANT);
    r->is_deny = gh_str_is(store_text(s, R_EFFECT), "deny");
    r->rows = text(l, s, R_FILTER);
    r->valid_from = store_is_null(s, R_FROM) ? INT64_MIN : store_int(s, R_FROM);
    r->valid_until = store_is_null(s, R_UNTIL) ? INT64_MAX : store_int(s, R_UNTIL);
    r->is_through = store_int(s, R_THROUGH) != 0;
    r->is_blind = store_int(s, R_BLIND) != 0;
    r->reason = text(l, s, R_REASON);
    r->origin = origin_of(l, s, R_ORIGIN, rc);
}

/* The column dimension is met whole in the first rows: those of the first principal, privilege,
 * object. */
static void rule_column(loader *l, store_stmt *s, rule_rows *rows, gh_acl_rule *r, gh_rc *rc)
{
    store_column_kind kind;
    gh_str column = text(l, s, R_COLUMN);

    if (!store_column_kind_parse(store_text(s, R_COLUMN_KIND), &kind)) {
        *rc = store_corrupt(l->st, l->err, "grant %lld has an unknown kind of column",
                            (long long)r->id);
        return;
    }
    rows->column_rows++;
    switch (kind) {
    case STORE_COLUMN_ALL:
    case STORE_COLUMN_MASK:
        break;
    case STORE_COLUMN_EXCEPT:
    case STORE_COLUMN_ONLY:
        r->is_except = kind == STORE_COLUMN_EXCEPT;
        r->has_columns = true;
        vec_put(&rows->columns, column);
        break;
    case STORE_COLUMN_TAG:
        vec_put(&rows->tags, column);
        break;
    case STORE_COLUMN_NONE:
        r->has_columns = true;
        break;
    }
    if (!store_is_null(s, R_MASK)) {
        vec_put(&rows->masked, column);
        vec_put(&rows->masks, text(l, s, R_MASK));
    }
}

static void rule_row(loader *l, store_stmt *s, rule_rows *rows, gh_acl_rule *r, gh_rc *rc)
{
    uint32_t privilege = 0;

    if (!store_privilege_parse(store_text(s, R_PRIVILEGE), &privilege))
        *rc = store_corrupt(l->st, l->err, "grant %lld has an unknown privilege", (long long)r->id);
    vec_meet(l, &rows->to, 0, rows->serial, store_text(s, R_PRINCIPAL));
    vec_meet(l, &rows->tables, 1, rows->serial, store_text(s, R_OBJECT));
    r->privileges |= privilege;
    if (rows->to.count == 1 && rows->tables.count == 1 && r->privileges == privilege)
        rule_column(l, s, rows, r, rc);
    rows->rows++;
}

static gh_rc rule_finish(loader *l, rule_rows *rows, gh_acl_rule *r)
{
    size_t product = rows->to.count * rows->tables.count * rows->column_rows *
                     (size_t)__builtin_popcount(r->privileges);

    if (rows->rows != product)
        return store_corrupt(l->st, l->err, "grant %lld has %zu rows, not %zu", (long long)r->id,
                             rows->rows, product);
    r->to = vec_copy(l, &rows->to);
    r->tables = vec_copy(l, &rows->tables);
    r->columns = vec_copy(l, &rows->columns);
    r->tags = vec_copy(l, &rows->tags);
    if (rows->masked.count > 0) {
        gh_acl_column_mask *masks = array(l, rows->masked.count, sizeof(*masks));
        for (size_t i = 0; i < rows->masked.count; i++)
            masks[i] = (gh_acl_column_mask){ rows->masked.list[i], rows->masks.list[i] };
        r->masks = masks;
        r->mask_count = rows->masked.count;
    }
    return GH_OK;
}

static void rule_start(rule_rows *rows, uint64_t *serial)
{
    ++*serial;
    rows->serial = *serial;
    rows->to.count = 0;
    rows->tables.count = 0;
    rows->columns.count = 0;
    rows->tags.count = 0;
    rows->masked.count = 0;
    rows->masks.count = 0;
    rows->column_rows = 0;
    rows->rows = 0;
}

static gh_rc load_rules(loader *l, gh_acl *acl, uint64_t *serial)
{
    size_t count;
    size_t n = 0;
    rule_rows rows = { 0 };
    gh_rc rc =
        count_rows(l, "SELECT count(*) FILTER (WHERE row_no = 0) FROM acl", s_rules_scope, &count);

    if (rc != GH_OK)
        return rc;
    gh_acl_rule *rules = array(l, count, sizeof(*rules));
    store_stmt s = rows_of(l, s_rules_sql, s_rules_scope, "grant_id, row_no");
    bool has_row = store_stmt_row(&s);
    while (rc == GH_OK && has_row) {
        if (n == count) {
            rc = store_corrupt(l->st, l->err, "a grant lacks its first row");
            break;
        }
        gh_acl_rule *r = &rules[n];
        rule_start(&rows, serial);
        rule_head(l, &s, r, &rc);
        for (; rc == GH_OK && has_row && store_int(&s, R_GRANT) == r->id;
             has_row = store_stmt_row(&s))
            rule_row(l, &s, &rows, r, &rc);
        if (rc == GH_OK && s.rc == SQLITE_OK)
            rc = rule_finish(l, &rows, r);
        n++;
    }
    free(rows.to.list);
    free(rows.tables.list);
    free(rows.columns.list);
    free(rows.tags.list);
    free(rows.masked.list);
    free(rows.masks.list);
    acl->rules = rules;
    acl->rule_count = n;
    return ended(l, &s, rc);
}

static gh_rc load_meta(loader *l, gh_acl *acl)
{
    store_stmt s = store_stmt_of(l->st, "SELECT value FROM meta WHERE key = 'hash_key'");

    if (store_stmt_row(&s))
        acl->hash_key = gh_arena_dup(l->arena, store_text(&s, 0));
    gh_rc rc = ended(l, &s, GH_OK);
    if (rc == GH_OK && acl->hash_key.len == 0)
        return store_corrupt(l->st, l->err, "it has no key for the hash mask");
    return rc == GH_OK ? store_version(l->st, &acl->version, l->err) : rc;
}

gh_rc store_load(gh_store *st, bool is_scoped, gh_arena *a, gh_acl *out, gh_err *err)
{
    loader l = { .st = st, .arena = a, .err = err, .is_scoped = is_scoped };
    gh_acl acl = { 0 };
    gh_acl_role *roles = NULL;
    gh_acl_user *users = NULL;
    uint64_t serial = 0;
    gh_rc rc = load_meta(&l, &acl);

    if (rc == GH_OK)
        rc = load_roles(&l, &acl, &roles);
    if (rc == GH_OK)
        rc = load_users(&l, &acl, &users);
    if (rc == GH_OK)
        rc = load_members(&l, &acl, users, roles);
    if (rc == GH_OK)
        rc = load_attributes(&l, users);
    if (rc == GH_OK)
        rc = load_tags(&l, &acl);
    if (rc == GH_OK)
        rc = load_masks(&l, &acl);
    if (rc == GH_OK)
        rc = load_masking(&l, &acl);
    if (rc == GH_OK)
        rc = load_functions(&l, &acl, &serial);
    if (rc == GH_OK)
        rc = load_rules(&l, &acl, &serial);
    free(l.slots);
    if (rc == GH_OK)
        *out = acl;
    return rc;
}
