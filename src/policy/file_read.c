/*
 * Policy files: several YAML files into one acl. CONTRACT's keys and no others.
 *
 *     each file ─gh_yaml_parse─▶ tree ─▶ sections, appended in the order of the files
 *                                         roles, users, tags, masks: by name, twice is a fault
 *                                         grants, denies, masking, functions, tests: lists
 *
 * What is wrong in form is found here, where the line is known. What refers to something (a role, a
 * tag) is looked up by gh_policy_compile: it may have been made on the command line.
 */
#include "policy_priv.h"

#include <stdlib.h>

#include <gatehouse/config.h>

#define FAULTS_MAX 65536

typedef struct list { /* a growing array in the arena's keeping only at the end */
    char *items;
    size_t count;
    size_t cap;
} list;

typedef struct reader {
    gh_yaml_reader yaml; /* of the file at hand */
    gh_arena *a;
    list roles;
    list users;
    list tags;
    list masks;
    list rules;
    list masking;
    list functions;
    list tests;
    pol_strings names[4]; /* of roles, users, tags, masks: to find doubles */
    gh_str *first[4];     /* where each was defined, parallel to names */
    size_t first_cap[4];
} reader;

enum { ROLES, USERS, TAGS, MASKS };

/* ---- pieces --------------------------------------------------------------------------------- */

static void *list_add(list *l, size_t size)
{
    if (l->count == l->cap) {
        l->cap = l->cap == 0 ? 32 : l->cap * 2;
        l->items = gh_realloc_array(l->items, l->cap, size);
    }
    memset(l->items + l->count * size, 0, size);
    return l->items + l->count++ * size;
}

static gh_acl_place place_of(const reader *r, const gh_yaml_node *n)
{
    return (gh_acl_place){ .file = r->yaml.name, .line = n->line, .column = n->column };
}

static void *list_move(list *l, size_t size, gh_arena *a)
{
    void *to = gh_arena_alloc(a, l->count * size + 1);

    if (to != NULL && l->count > 0)
        memcpy(to, l->items, l->count * size);
    return to;
}

static void *room(reader *r, const gh_yaml_node *n, size_t count, size_t size)
{
    void *p = gh_arena_alloc(r->a, (count + 1) * size);

    if (p == NULL)
        gh_yaml_fault(&r->yaml, n, NULL, "the policy takes too much memory");
    return p;
}

/* A text that is there and not blank. */
static gh_str take_text(reader *r, const gh_yaml_node *n, const char *key)
{
    gh_str s = gh_yaml_str(&r->yaml, n, key, (gh_str){ 0 });

    if (n != NULL && n->kind == GH_YAML_SCALAR && !gh_yaml_is_null(n) && pol_trim(s).len == 0)
        gh_yaml_fault(&r->yaml, n, key, "expected text, found blanks");
    return s;
}

/* A list of texts; an empty one is a fault: nobody writes it on purpose, and it would mean the
 * opposite of what it says where a list that is not there means all. */
static gh_str_list take_list(reader *r, const gh_yaml_node *n, const char *key)
{
    gh_str_list out = { 0 };

    if (n == NULL)
        return out;
    if (n->kind == GH_YAML_SEQUENCE && n->count == 0)
        gh_yaml_fault(&r->yaml, n, key, "the list is empty");
    out.items = gh_yaml_str_list(&r->yaml, n, key, &out.count);
    for (size_t i = 0; i < out.count; i++)
        (void)take_text(r, &n->items[i], key);
    return out;
}

static gh_str_list take_patterns(reader *r, const gh_yaml_node *n, const char *key, size_t parts,
                                 const char *expected)
{
    gh_str_list out = take_list(r, n, key);

    for (size_t i = 0; i < out.count; i++) {
        pol_parsed parsed;
        const char *why = "";

        if (out.items[i].len > 0 && !pol_pattern_parse(out.items[i], parts, r->a, &parsed, &why))
            gh_yaml_fault(&r->yaml, &n->items[i], key, "expected %s; %s", expected, why);
    }
    return out;
}

static void check_column(reader *r, const gh_yaml_node *n, const char *key)
{
    const char *why = "";
    gh_str name;

    if (n->kind == GH_YAML_SCALAR && n->text.len > 0 && !pol_name_parse(n->text, r->a, &name, &why))
        gh_yaml_fault(&r->yaml, n, key, "expected the name of a column; %s", why);
}

static gh_str_list take_columns(reader *r, const gh_yaml_node *n, const char *key)
{
    gh_str_list out = take_list(r, n, key);

    for (size_t i = 0; i < out.count; i++)
        check_column(r, &n->items[i], key);
    return out;
}

/* Words to bits; bit i is words[i]. */
static uint32_t take_bits(reader *r, const gh_yaml_node *n, const char *key,
                          const char *const *words, size_t count, uint32_t fallback)
{
    uint32_t bits = 0;

    if (n == NULL)
        return fallback;
    (void)take_list(r, n, key);
    for (size_t i = 0; n->kind == GH_YAML_SEQUENCE && i < n->count; i++)
        bits |= 1u << gh_yaml_choice(&r->yaml, &n->items[i], key, words, count, 0);
    return bits;
}

/* Notes where the name is defined; a fault if it was before. */
static bool define(reader *r, int kind, const char *section, const gh_yaml_node *key)
{
    uint32_t known = pol_strings_find(&r->names[kind], key->text);
    uint32_t number;
    size_t cap = r->first_cap[kind];

    if (pol_trim(key->text).len == 0) {
        gh_yaml_fault(&r->yaml, key, section, "expected a name");
        return false;
    }
    if (known != POL_NONE) {
        gh_yaml_fault(&r->yaml, key, section,
                      "\"" GH_STR_FMT "\" is defined twice; first at " GH_STR_FMT,
                      GH_STR_ARG(key->text), GH_STR_ARG(r->first[kind][known]));
        return false;
    }
    number = pol_strings_add(&r->names[kind], key->text);
    if (number >= cap) {
        r->first_cap[kind] = cap == 0 ? 32 : cap * 2;
        r->first[kind] =
            gh_realloc_array(r->first[kind], r->first_cap[kind], sizeof(*r->first[kind]));
    }
    r->first[kind][number] =
        gh_arena_printf(r->a, GH_STR_FMT ":%u", GH_STR_ARG(r->yaml.name), key->line);
    return true;
}

/* A definition's value: keys, or nothing at all. */
static bool wants_keys(reader *r, const gh_yaml_node *n, const char *key, const char *const *known,
                       size_t count)
{
    return gh_yaml_is_null(n) || gh_yaml_want_keys(&r->yaml, n, key, known, count);
}

/* ---- sections by name ----------------------------------------------------------------------- */

static void read_role(reader *r, const gh_yaml_node *key, const gh_yaml_node *n)
{
    static const char *const keys[] = { "description", "may", "member_of" };
    static const char *const may[] = { "explain", "temp_tables", "notify", "bypass" };
    gh_acl_role *role;

    if (!define(r, ROLES, "roles", key) || !wants_keys(r, n, "roles", keys, GH_COUNT(keys)))
        return;
    role = list_add(&r->roles, sizeof(*role));
    role->name = key->text;
    role->place = place_of(r, key);
    role->origin = GH_ORIGIN_POLICY;
    role->description =
        gh_yaml_str(&r->yaml, gh_yaml_get(n, "description"), "description", (gh_str){ 0 });
    role->may = take_bits(r, gh_yaml_get(n, "may"), "may", may, GH_COUNT(may), 0);
    role->member_of = take_list(r, gh_yaml_get(n, "member_of"), "member_of");
}

static void read_attribute(reader *r, const gh_yaml_node *key, const gh_yaml_node *n,
                           gh_acl_attribute *out)
{
    gh_str *values;

    out->name = take_text(r, key, "attributes");
    if (n->kind == GH_YAML_SEQUENCE) {
        out->is_list = true;
        out->values.items = gh_yaml_str_list(&r->yaml, n, "attributes", &out->values.count);
        return;
    }
    values = room(r, n, 1, sizeof(*values));
    if (values == NULL)
        return;
    values[0] = gh_yaml_str(&r->yaml, n, "attributes", (gh_str){ 0 });
    out->values = (gh_str_list){ values, 1 };
}

static void read_user(reader *r, const gh_yaml_node *key, const gh_yaml_node *n)
{
    static const char *const keys[] = { "roles", "attributes", "kind" };
    static const char *const kinds[] = { "human", "service" };
    const gh_yaml_node *attributes;
    gh_acl_attribute *all;
    gh_acl_user *u;

    if (!define(r, USERS, "users", key) || !wants_keys(r, n, "users", keys, GH_COUNT(keys)))
        return;
    u = list_add(&r->users, sizeof(*u));
    u->name = key->text;
    u->place = place_of(r, key);
    u->origin = GH_ORIGIN_POLICY;
    u->is_service = gh_yaml_choice(&r->yaml, gh_yaml_get(n, "kind"), "kind", kinds, 2, 0) == 1;
    u->roles = take_list(r, gh_yaml_get(n, "roles"), "roles");
    attributes = gh_yaml_get(n, "attributes");
    if (attributes == NULL || !gh_yaml_want_mapping(&r->yaml, attributes, "attributes"))
        return;
    all = room(r, attributes, attributes->count, sizeof(*all));
    if (all == NULL)
        return;
    for (size_t i = 0; i < attributes->count; i++)
        read_attribute(r, gh_yaml_key(attributes, i), gh_yaml_value(attributes, i), &all[i]);
    u->attributes = all;
    u->attribute_count = attributes->count;
}

static void read_tag(reader *r, const gh_yaml_node *key, const gh_yaml_node *n)
{
    gh_acl_tag *tag;

    if (!define(r, TAGS, "tags", key))
        return;
    tag = list_add(&r->tags, sizeof(*tag));
    tag->name = key->text;
    tag->place = place_of(r, key);
    tag->origin = GH_ORIGIN_POLICY;
    if (n->kind != GH_YAML_SEQUENCE || n->count > 0) /* a tag may wait for its first column */
        tag->columns = take_patterns(r, n, "tags", 3, "[warehouse:]schema.relation.column");
}

static void read_mask(reader *r, const gh_yaml_node *key, const gh_yaml_node *n)
{
    gh_acl_mask_def *mask;

    if (!define(r, MASKS, "masks", key))
        return;
    mask = list_add(&r->masks, sizeof(*mask));
    mask->name = key->text;
    mask->place = place_of(r, key);
    mask->origin = GH_ORIGIN_POLICY;
    mask->expr = take_text(r, n, "masks");
}

static void read_named(reader *r, const gh_yaml_node *root, const char *section,
                       void (*read)(reader *, const gh_yaml_node *, const gh_yaml_node *))
{
    const gh_yaml_node *n = gh_yaml_get(root, section);

    if (n == NULL || gh_yaml_is_null(n) || !gh_yaml_want_mapping(&r->yaml, n, section))
        return;
    for (size_t i = 0; i < n->count; i++)
        read(r, gh_yaml_key(n, i), gh_yaml_value(n, i));
}

/* ---- rules ---------------------------------------------------------------------------------- */

/* `null` is a mask's name as well as YAML's word for nothing. */
static gh_str take_mask(reader *r, const gh_yaml_node *n, const char *key)
{
    if (n != NULL && gh_yaml_is_null(n) && n->text.len > 0)
        return GH_STR("null");
    return take_text(r, n, key);
}

static void read_rule_columns(reader *r, const gh_yaml_node *n, gh_acl_rule *rule)
{
    static const char *const keys[] = { "except" };

    if (n == NULL)
        return;
    rule->has_columns = true;
    if (n->kind != GH_YAML_MAPPING) {
        rule->columns = take_columns(r, n, "columns");
        return;
    }
    rule->is_except = true;
    if (gh_yaml_want_keys(&r->yaml, n, "columns", keys, GH_COUNT(keys)))
        rule->columns = take_columns(r, gh_yaml_require(&r->yaml, n, "except"), "except");
}

static void read_rule_masks(reader *r, const gh_yaml_node *n, gh_acl_rule *rule)
{
    gh_acl_column_mask *all;

    if (n == NULL || !gh_yaml_want_mapping(&r->yaml, n, "mask"))
        return;
    all = room(r, n, n->count, sizeof(*all));
    if (all == NULL)
        return;
    for (size_t i = 0; i < n->count; i++) {
        check_column(r, gh_yaml_key(n, i), "mask");
        all[i].column = take_text(r, gh_yaml_key(n, i), "mask");
        all[i].mask = take_mask(r, gh_yaml_value(n, i), "mask");
    }
    rule->masks = all;
    rule->mask_count = n->count;
}

static void read_rule_validity(reader *r, const gh_yaml_node *n, gh_acl_rule *rule)
{
    static const char *const keys[] = { "from", "until" };

    rule->valid_from = INT64_MIN;
    rule->valid_until = INT64_MAX;
    if (n == NULL || !gh_yaml_want_keys(&r->yaml, n, "valid", keys, GH_COUNT(keys)))
        return;
    rule->valid_from =
        gh_yaml_time(&r->yaml, gh_yaml_get(n, "from"), "from", false, rule->valid_from);
    rule->valid_until =
        gh_yaml_time(&r->yaml, gh_yaml_get(n, "until"), "until", true, rule->valid_until);
    if (rule->valid_from >= rule->valid_until)
        gh_yaml_fault(&r->yaml, n, "valid", "it ends before it begins");
}

static void read_rule(reader *r, const gh_yaml_node *n, bool is_deny)
{
    static const char *const grant_keys[] = { "to",   "tables", "privileges", "columns", "rows",
                                              "mask", "valid",  "reason",     "through", "blind" };
    static const char *const deny_keys[] = { "to",   "tables", "privileges", "columns",
                                             "tags", "rows",   "valid",      "reason" };
    static const char *const words[] = { "select", "insert", "update", "delete", "truncate" };
    const char *section = is_deny ? "denies" : "grants";
    gh_yaml_reader *y = &r->yaml;
    gh_acl_rule *rule;

    if (!gh_yaml_want_keys(y, n, section, is_deny ? deny_keys : grant_keys,
                           is_deny ? GH_COUNT(deny_keys) : GH_COUNT(grant_keys)))
        return;
    rule = list_add(&r->rules, sizeof(*rule));
    rule->is_deny = is_deny;
    rule->origin = GH_ORIGIN_POLICY;
    rule->place = place_of(r, n);
    rule->to = take_list(r, gh_yaml_require(y, n, "to"), "to");
    rule->tables = take_patterns(r, gh_yaml_require(y, n, "tables"), "tables", 2,
                                 "[warehouse:]schema.relation");
    rule->privileges = take_bits(r, gh_yaml_get(n, "privileges"), "privileges", words,
                                 GH_COUNT(words), is_deny ? GH_ALL_PRIVILEGES : GH_SELECT);
    read_rule_columns(r, gh_yaml_get(n, "columns"), rule);
    rule->rows = take_text(r, gh_yaml_get(n, "rows"), "rows");
    read_rule_validity(r, gh_yaml_get(n, "valid"), rule);
    rule->reason = gh_yaml_str(&r->yaml, gh_yaml_get(n, "reason"), "reason", (gh_str){ 0 });
    if (is_deny) {
        rule->tags = take_list(r, gh_yaml_get(n, "tags"), "tags");
        return;
    }
    read_rule_masks(r, gh_yaml_get(n, "mask"), rule);
    rule->is_through = gh_yaml_bool(y, gh_yaml_get(n, "through"), "through", false);
    rule->is_blind = gh_yaml_bool(y, gh_yaml_get(n, "blind"), "blind", false);
}

static void read_grant(reader *r, const gh_yaml_node *n)
{
    read_rule(r, n, false);
}

static void read_deny(reader *r, const gh_yaml_node *n)
{
    read_rule(r, n, true);
}

static void read_masking(reader *r, const gh_yaml_node *n)
{
    static const char *const keys[] = { "tag", "with", "except" };
    gh_acl_masking *m;

    if (!gh_yaml_want_keys(&r->yaml, n, "masking", keys, GH_COUNT(keys)))
        return;
    m = list_add(&r->masking, sizeof(*m));
    m->origin = GH_ORIGIN_POLICY;
    m->place = place_of(r, n);
    m->tag = take_text(r, gh_yaml_require(&r->yaml, n, "tag"), "tag");
    m->mask = take_mask(r, gh_yaml_require(&r->yaml, n, "with"), "with");
    m->except = take_list(r, gh_yaml_get(n, "except"), "except");
}

static void read_function(reader *r, const gh_yaml_node *n)
{
    static const char *const keys[] = { "to", "allow" };
    gh_acl_function *f;

    if (!gh_yaml_want_keys(&r->yaml, n, "functions", keys, GH_COUNT(keys)))
        return;
    f = list_add(&r->functions, sizeof(*f));
    f->origin = GH_ORIGIN_POLICY;
    f->place = place_of(r, n);
    f->to = take_list(r, gh_yaml_require(&r->yaml, n, "to"), "to");
    f->allow = take_patterns(r, gh_yaml_require(&r->yaml, n, "allow"), "allow", 2, "schema.name");
}

/* ---- tests ---------------------------------------------------------------------------------- */

static gh_str_list read_cells(reader *r, const gh_yaml_node *n)
{
    gh_str_list out = { 0 };
    gh_str *cells;

    if (!gh_yaml_want_sequence(&r->yaml, n, "rows"))
        return out;
    cells = room(r, n, n->count, sizeof(*cells));
    if (cells == NULL)
        return out;
    for (size_t i = 0; i < n->count; i++) {
        if (!gh_yaml_is_null(&n->items[i]))
            cells[i] = gh_yaml_str(&r->yaml, &n->items[i], "rows", (gh_str){ 0 });
    }
    out.items = cells;
    out.count = n->count;
    return out;
}

static void read_test_rows(reader *r, const gh_yaml_node *n, gh_acl_test *t)
{
    gh_str_list *rows;

    if (n == NULL || !gh_yaml_want_sequence(&r->yaml, n, "rows"))
        return;
    rows = room(r, n, n->count, sizeof(*rows));
    if (rows == NULL)
        return;
    for (size_t i = 0; i < n->count; i++)
        rows[i] = read_cells(r, &n->items[i]);
    t->has_rows = true;
    t->rows = rows;
    t->row_count = n->count;
}

static bool is_sqlstate(gh_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!(s.ptr[i] >= '0' && s.ptr[i] <= '9') && !(s.ptr[i] >= 'A' && s.ptr[i] <= 'Z'))
            return false;
    }
    return s.len == 5;
}

static void read_test(reader *r, const gh_yaml_node *n)
{
    static const char *const keys[] = { "as", "query", "rows", "columns", "error" };
    const gh_yaml_node *columns;
    const gh_yaml_node *error;
    gh_acl_test *t;

    if (!gh_yaml_want_keys(&r->yaml, n, "tests", keys, GH_COUNT(keys)))
        return;
    t = list_add(&r->tests, sizeof(*t));
    t->place = place_of(r, n);
    t->as = take_text(r, gh_yaml_require(&r->yaml, n, "as"), "as");
    t->query = take_text(r, gh_yaml_require(&r->yaml, n, "query"), "query");
    read_test_rows(r, gh_yaml_get(n, "rows"), t);
    columns = gh_yaml_get(n, "columns");
    t->has_columns = columns != NULL;
    t->columns = take_list(r, columns, "columns");
    error = gh_yaml_get(n, "error");
    t->error = gh_yaml_str(&r->yaml, error, "error", (gh_str){ 0 });
    if (t->error.len > 0 && !is_sqlstate(t->error))
        gh_yaml_fault(&r->yaml, error, "error", "expected an SQLSTATE such as 42P01");
    if ((t->error.len > 0) == (t->has_rows || t->has_columns))
        gh_yaml_fault(&r->yaml, n, "tests", "expected rows or columns, or else error");
}

static void read_items(reader *r, const gh_yaml_node *root, const char *section,
                       void (*read)(reader *, const gh_yaml_node *))
{
    const gh_yaml_node *n = gh_yaml_get(root, section);

    if (n == NULL || gh_yaml_is_null(n) || !gh_yaml_want_sequence(&r->yaml, n, section))
        return;
    for (size_t i = 0; i < n->count; i++)
        read(r, &n->items[i]);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void read_file(reader *r, const gh_yaml_node *root)
{
    static const char *const keys[] = { "version", "roles",  "users",   "tags",      "masks",
                                        "grants",  "denies", "masking", "functions", "tests" };

    if (!gh_yaml_want_keys(&r->yaml, root, NULL, keys, GH_COUNT(keys)))
        return;
    (void)gh_yaml_int(&r->yaml, gh_yaml_require(&r->yaml, root, "version"), "version", 1, 1, 1);
    read_named(r, root, "roles", read_role);
    read_named(r, root, "users", read_user);
    read_named(r, root, "tags", read_tag);
    read_named(r, root, "masks", read_mask);
    read_items(r, root, "grants", read_grant);
    read_items(r, root, "denies", read_deny);
    read_items(r, root, "masking", read_masking);
    read_items(r, root, "functions", read_function);
    read_items(r, root, "tests", read_test);
}

static void move_out(reader *r, gh_acl *out)
{
    *out = (gh_acl){ 0 };
    out->roles = list_move(&r->roles, sizeof(*out->roles), r->a);
    out->role_count = r->roles.count;
    out->users = list_move(&r->users, sizeof(*out->users), r->a);
    out->user_count = r->users.count;
    out->tags = list_move(&r->tags, sizeof(*out->tags), r->a);
    out->tag_count = r->tags.count;
    out->masks = list_move(&r->masks, sizeof(*out->masks), r->a);
    out->mask_count = r->masks.count;
    out->rules = list_move(&r->rules, sizeof(*out->rules), r->a);
    out->rule_count = r->rules.count;
    out->masking = list_move(&r->masking, sizeof(*out->masking), r->a);
    out->masking_count = r->masking.count;
    out->functions = list_move(&r->functions, sizeof(*out->functions), r->a);
    out->function_count = r->functions.count;
    out->tests = list_move(&r->tests, sizeof(*out->tests), r->a);
    out->test_count = r->tests.count;
}

static bool is_moved(const gh_acl *acl)
{
    return acl->roles != NULL && acl->users != NULL && acl->tags != NULL && acl->masks != NULL &&
           acl->rules != NULL && acl->masking != NULL && acl->functions != NULL &&
           acl->tests != NULL;
}

static void reader_fini(reader *r)
{
    free(r->roles.items);
    free(r->users.items);
    free(r->tags.items);
    free(r->masks.items);
    free(r->rules.items);
    free(r->masking.items);
    free(r->functions.items);
    free(r->tests.items);
    for (size_t i = 0; i < GH_COUNT(r->names); i++) {
        pol_strings_fini(&r->names[i]);
        free(r->first[i]);
    }
}

gh_rc gh_policy_read_files(const gh_policy_file *files, size_t count, gh_arena *a, gh_acl *out,
                           gh_err *err)
{
    reader r = { .a = a };
    gh_arena *names = gh_arena_new(0);
    gh_policy_tree *trees = gh_arena_alloc(a, (count + 1) * sizeof(*trees));
    gh_acl acl;
    gh_buf faults;
    gh_rc rc = GH_OK;

    gh_buf_init(&faults, FAULTS_MAX);
    for (size_t i = 0; i < GH_COUNT(r.names); i++)
        pol_strings_init(&r.names[i], names);
    if (trees == NULL)
        rc = gh_fail(err, GH_LIMIT, POL_SQLSTATE, "the policy takes too much memory");
    for (size_t i = 0; i < count && rc == GH_OK; i++) {
        const gh_yaml_node *root;

        rc = gh_yaml_parse(files[i].name, files[i].text, a, &root, err);
        if (rc != GH_OK)
            break;
        trees[i] = (gh_policy_tree){ .file = files[i].name, .root = root };
        r.yaml = gh_yaml_reader_of(files[i].name, a, &faults);
        read_file(&r, root);
        rc = gh_yaml_finish(&r.yaml, err);
        if (rc != GH_OK) /* operators may want all of them */
            gh_err_detail(err, GH_STR_FMT, GH_STR_ARG(gh_buf_str(&faults)));
    }
    if (rc == GH_OK) {
        move_out(&r, &acl);
        acl.trees = trees;
        acl.tree_count = count;
        if (is_moved(&acl))
            *out = acl;
        else
            rc = gh_fail(err, GH_LIMIT, POL_SQLSTATE, "the policy takes too much memory");
    }
    gh_buf_fini(&faults);
    reader_fini(&r);
    gh_arena_free(names);
    return rc;
}
