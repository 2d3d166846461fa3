/* Collects rows of the upstream's catalog into an arena, then sorts and indexes them once. */
#include <gatehouse/catalog.h>

#include <stdlib.h>

#include "catalog_priv.h"

#define INTERN_SLOTS 1024 /* schema names, and few others, repeat by the thousand */

struct gh_catalog_builder {
    gh_catalog *catalog;
    gh_str interned[INTERN_SLOTS]; /* by hash; a collision costs a copy, nothing else */
};

/* ---- collecting ----------------------------------------------------------------------------- */

static void *keep(gh_catalog_builder *b, const void *bytes, size_t size)
{
    void *p = gh_arena_alloc(b->catalog->arena, size);

    GH_ASSERT(p != NULL); /* the arena has no budget: what the upstream holds must fit */
    if (size > 0)
        memcpy(p, bytes, size);
    return p;
}

static gh_str keep_str(gh_catalog_builder *b, gh_str s)
{
    return s.len == 0 ? (gh_str){ "", 0 } : gh_arena_dup(b->catalog->arena, s);
}

static gh_str intern(gh_catalog_builder *b, gh_str s)
{
    gh_str *slot = &b->interned[gh_hash(s.ptr, s.len, 0) % INTERN_SLOTS];

    if (slot->ptr == NULL || !gh_str_eq(*slot, s))
        *slot = keep_str(b, s);
    return *slot;
}

static void list_add(gh_catalog_list *list, const void *item)
{
    if (list->count == list->cap) {
        list->cap = list->cap == 0 ? 256 : list->cap * 2;
        list->items = gh_realloc_array(list->items, list->cap, sizeof(list->items[0]));
    }
    list->items[list->count] = item;
    list->count++;
}

gh_catalog_builder *gh_catalog_builder_new(void)
{
    gh_catalog_builder *b = gh_alloc(sizeof(*b));

    b->catalog = gh_alloc(sizeof(*b->catalog));
    b->catalog->arena = gh_arena_new(0);
    atomic_init(&b->catalog->references, 1);
    return b;
}

void gh_catalog_builder_free(gh_catalog_builder *b)
{
    if (b == NULL)
        return;
    gh_catalog_release(b->catalog);
    free(b);
}

void gh_catalog_add_schema(gh_catalog_builder *b, gh_oid oid, gh_str name)
{
    gh_catalog_schema_entry entry = { .oid = oid, .name = intern(b, name) };

    list_add(&b->catalog->schemas, keep(b, &entry, sizeof(entry)));
}

static const gh_constraint *keep_constraints(gh_catalog_builder *b, const gh_relation *r)
{
    gh_constraint *out = keep(b, r->constraints, r->constraint_count * sizeof(out[0]));

    for (size_t i = 0; i < r->constraint_count; i++) {
        out[i].name = keep_str(b, out[i].name);
        out[i].columns = keep(b, out[i].columns, out[i].column_count * sizeof(out[i].columns[0]));
    }
    return out;
}

static const gh_str *keep_partial_keys(gh_catalog_builder *b, const gh_relation *r)
{
    gh_str *out = keep(b, r->partial_keys, r->partial_key_count * sizeof(out[0]));

    for (size_t i = 0; i < r->partial_key_count; i++)
        out[i] = keep_str(b, out[i]);
    return out;
}

void gh_catalog_add_relation(gh_catalog_builder *b, const gh_relation *r)
{
    gh_relation copy = *r;
    gh_column *columns = keep(b, r->columns, r->column_count * sizeof(columns[0]));

    for (size_t i = 0; i < r->column_count; i++) {
        columns[i].name = intern(b, columns[i].name);
        columns[i].type_sql = intern(b, columns[i].type_sql);
        columns[i].default_sql = intern(b, columns[i].default_sql);
    }
    copy.schema = intern(b, r->schema);
    copy.name = keep_str(b, r->name);
    copy.definition = keep_str(b, r->definition);
    copy.columns = columns;
    copy.primary_key = NULL;
    if (r->primary_key_len > 0)
        copy.primary_key = keep(b, r->primary_key, r->primary_key_len * sizeof(r->primary_key[0]));
    copy.constraints = r->constraint_count > 0 ? keep_constraints(b, r) : NULL;
    copy.partial_keys = r->partial_key_count > 0 ? keep_partial_keys(b, r) : NULL;
    copy.referenced_by = NULL;
    if (r->referenced_by_count > 0)
        copy.referenced_by =
            keep(b, r->referenced_by, r->referenced_by_count * sizeof(r->referenced_by[0]));
    copy.parents = NULL;
    if (r->parent_count > 0)
        copy.parents = keep(b, r->parents, r->parent_count * sizeof(r->parents[0]));
    list_add(&b->catalog->relations, keep(b, &copy, sizeof(copy)));
}

/* There are few views to expand, and the list is not sorted yet. */
void gh_catalog_set_definition(gh_catalog_builder *b, gh_oid oid, gh_str definition)
{
    for (size_t i = 0; i < b->catalog->relations.count; i++) {
        gh_relation *r = (gh_relation *)(uintptr_t)b->catalog->relations.items[i];

        if (r->oid == oid)
            r->definition = keep_str(b, definition);
    }
}

void gh_catalog_add_type(gh_catalog_builder *b, const gh_type *t)
{
    gh_type copy = *t;

    copy.schema = intern(b, t->schema);
    copy.name = keep_str(b, t->name);
    b->catalog->has_type_code |= t->is_sorted_by_code || t->is_cast_by_code;
    list_add(&b->catalog->types, keep(b, &copy, sizeof(copy)));
}

static const gh_out_param *keep_outputs(gh_catalog_builder *b, const gh_function *f)
{
    gh_out_param *out = keep(b, f->outputs, f->output_count * sizeof(out[0]));

    for (size_t i = 0; i < f->output_count; i++)
        out[i].name = intern(b, out[i].name);
    return out;
}

void gh_catalog_add_function(gh_catalog_builder *b, const gh_function *f)
{
    gh_function copy = *f;

    copy.schema = intern(b, f->schema);
    copy.name = intern(b, f->name);
    copy.extension = intern(b, f->extension);
    copy.args = keep(b, f->args, f->arg_count * sizeof(f->args[0]));
    copy.outputs = f->output_count > 0 ? keep_outputs(b, f) : NULL;
    list_add(&b->catalog->functions, keep(b, &copy, sizeof(copy)));
}

void gh_catalog_add_operator(gh_catalog_builder *b, const gh_operator *o)
{
    gh_operator copy = *o;

    copy.schema = intern(b, o->schema);
    copy.name = intern(b, o->name);
    list_add(&b->catalog->operators, keep(b, &copy, sizeof(copy)));
}

void gh_catalog_add_cast(gh_catalog_builder *b, const gh_cast *c)
{
    b->catalog->has_made_casts |= c->is_made && c->context != 'e';
    list_add(&b->catalog->casts, keep(b, c, sizeof(*c)));
}

void gh_catalog_add_search_object(gh_catalog_builder *b, const gh_search_object *o)
{
    gh_search_object copy = { .schema = intern(b, o->schema),
                              .name = intern(b, o->name),
                              .is_dictionary = o->is_dictionary };

    list_add(&b->catalog->search_objects, keep(b, &copy, sizeof(copy)));
}

void gh_catalog_set_server(gh_catalog_builder *b, int version_num, gh_str account, gh_str database)
{
    b->catalog->version_num = version_num;
    b->catalog->account = keep_str(b, account);
    b->catalog->database = keep_str(b, database);
}

/* ---- order ---------------------------------------------------------------------------------- */

static const void *item_of(const void *p)
{
    return *(const void *const *)p;
}

static int order_oids(gh_oid a, gh_oid b)
{
    return (a > b) - (a < b);
}

static int order_schemas(const void *pa, const void *pb)
{
    const gh_catalog_schema_entry *a = item_of(pa);
    const gh_catalog_schema_entry *b = item_of(pb);

    return gh_str_cmp(a->name, b->name);
}

static int order_relations(const void *pa, const void *pb)
{
    const gh_relation *a = item_of(pa);
    const gh_relation *b = item_of(pb);
    int order = gh_str_cmp(a->schema, b->schema);

    if (order == 0)
        order = gh_str_cmp(a->name, b->name);
    return order != 0 ? order : order_oids(a->oid, b->oid);
}

static int order_types(const void *pa, const void *pb)
{
    const gh_type *a = item_of(pa);
    const gh_type *b = item_of(pb);
    int order = gh_str_cmp(a->schema, b->schema);

    if (order == 0)
        order = gh_str_cmp(a->name, b->name);
    return order != 0 ? order : order_oids(a->oid, b->oid);
}

static int order_functions(const void *pa, const void *pb)
{
    const gh_function *a = item_of(pa);
    const gh_function *b = item_of(pb);
    int order = gh_str_cmp(a->name, b->name);

    if (order == 0)
        order = gh_str_cmp(a->schema, b->schema);
    return order != 0 ? order : order_oids(a->oid, b->oid);
}

static int order_operators(const void *pa, const void *pb)
{
    const gh_operator *a = item_of(pa);
    const gh_operator *b = item_of(pb);
    int order = gh_str_cmp(a->name, b->name);

    if (order == 0)
        order = gh_str_cmp(a->schema, b->schema);
    return order != 0 ? order : order_oids(a->oid, b->oid);
}

static void list_sort(gh_catalog_list *list, int (*order)(const void *, const void *))
{
    if (list->count > 1)
        qsort(list->items, list->count, sizeof(list->items[0]), order);
}

/* ---- index ---------------------------------------------------------------------------------- */

static uint64_t hash_relation_name(const void *p)
{
    const gh_relation *r = p;
    return gh_catalog_hash_name(r->schema, r->name);
}

static uint64_t hash_relation_oid(const void *p)
{
    const gh_relation *r = p;
    return gh_catalog_hash_oids(r->oid, 0);
}

static uint64_t hash_type_name(const void *p)
{
    const gh_type *t = p;
    return gh_catalog_hash_name(t->schema, t->name);
}

static uint64_t hash_type_oid(const void *p)
{
    const gh_type *t = p;
    return gh_catalog_hash_oids(t->oid, 0);
}

static uint64_t hash_function_name(const void *p)
{
    const gh_function *f = p;
    return gh_hash(f->name.ptr, f->name.len, 0);
}

static uint64_t hash_function_oid(const void *p)
{
    const gh_function *f = p;
    return gh_catalog_hash_oids(f->oid, 0);
}

static uint64_t hash_operator_name(const void *p)
{
    const gh_operator *o = p;
    return gh_hash(o->name.ptr, o->name.len, 0);
}

static uint64_t hash_cast_types(const void *p)
{
    const gh_cast *c = p;
    return gh_catalog_hash_oids(c->source, c->target);
}

/*
 * Entries go in by position, so that of several with one key the first of the sorted list is found
 * first (linear probing keeps their order).
 */
static void table_build(gh_catalog *c, gh_catalog_table *t, const gh_catalog_list *list,
                        uint64_t (*hash)(const void *item))
{
    size_t size = 16;

    while (size < list->count * 2)
        size *= 2;
    t->slots = gh_arena_alloc(c->arena, size * sizeof(t->slots[0]));
    GH_ASSERT(t->slots != NULL);
    t->mask = size - 1;
    t->list = list;
    for (size_t i = 0; i < list->count; i++) {
        uint32_t h = (uint32_t)hash(list->items[i]);
        size_t at = h & t->mask;
        while (t->slots[at].position != 0)
            at = (at + 1) & t->mask;
        t->slots[at] = (gh_catalog_slot){ .hash = h, .position = (uint32_t)(i + 1) };
    }
}

gh_catalog *gh_catalog_builder_finish(gh_catalog_builder *b, uint64_t epoch)
{
    gh_catalog *c = b->catalog;

    free(b);
    c->epoch = epoch;
    list_sort(&c->schemas, order_schemas);
    list_sort(&c->relations, order_relations);
    list_sort(&c->types, order_types);
    list_sort(&c->functions, order_functions);
    list_sort(&c->operators, order_operators);
    c->schema_names = gh_arena_alloc(c->arena, (c->schemas.count + 1) * sizeof(gh_str));
    GH_ASSERT(c->schema_names != NULL);
    for (size_t i = 0; i < c->schemas.count; i++) {
        const gh_catalog_schema_entry *entry = c->schemas.items[i];
        c->schema_names[i] = entry->name;
    }
    table_build(c, &c->relation_by_name, &c->relations, hash_relation_name);
    table_build(c, &c->relation_by_oid, &c->relations, hash_relation_oid);
    table_build(c, &c->type_by_name, &c->types, hash_type_name);
    table_build(c, &c->type_by_oid, &c->types, hash_type_oid);
    table_build(c, &c->function_by_name, &c->functions, hash_function_name);
    table_build(c, &c->function_by_oid, &c->functions, hash_function_oid);
    table_build(c, &c->operator_by_name, &c->operators, hash_operator_name);
    table_build(c, &c->cast_by_types, &c->casts, hash_cast_types);
    return c;
}
