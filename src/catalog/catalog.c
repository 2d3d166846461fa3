/* Reading a finished snapshot: every function here is a pure look-up. */
#include <gatehouse/catalog.h>

#include <stdlib.h>

#include "catalog_priv.h"

uint64_t gh_catalog_hash_name(gh_str schema, gh_str name)
{
    return gh_hash(name.ptr, name.len, gh_hash(schema.ptr, schema.len, 0));
}

uint64_t gh_catalog_hash_oids(gh_oid a, gh_oid b)
{
    gh_oid both[2] = { a, b };

    return gh_hash(both, sizeof(both), 0);
}

gh_catalog *gh_catalog_acquire(gh_catalog *c)
{
    (void)atomic_fetch_add_explicit(&c->references, 1, memory_order_relaxed);
    return c;
}

void gh_catalog_release(gh_catalog *c)
{
    if (c == NULL)
        return;
    if (atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) != 1)
        return;
    free(c->schemas.items);
    free(c->relations.items);
    free(c->types.items);
    free(c->functions.items);
    free(c->operators.items);
    free(c->casts.items);
    free(c->search_objects.items);
    gh_arena_free(c->arena);
    free(c);
}

uint64_t gh_catalog_epoch(const gh_catalog *c)
{
    return c->epoch;
}

int gh_catalog_server_version(const gh_catalog *c)
{
    return c->version_num;
}

gh_str gh_catalog_account(const gh_catalog *c)
{
    return c->account;
}

gh_str gh_catalog_database(const gh_catalog *c)
{
    return c->database;
}

/* ---- tables --------------------------------------------------------------------------------- */

typedef struct key {
    gh_str schema;
    gh_str name;
    gh_oid a;
    gh_oid b;
} key;

/* The first entry's position in the list, or SIZE_MAX. */
static size_t find(const gh_catalog_table *t, uint64_t hash, const key *k,
                   bool (*is_match)(const void *item, const key *k))
{
    uint32_t h = (uint32_t)hash;

    for (size_t at = h & t->mask; t->slots[at].position != 0; at = (at + 1) & t->mask) {
        size_t position = t->slots[at].position - 1;
        if (t->slots[at].hash == h && is_match(t->list->items[position], k))
            return position;
    }
    return SIZE_MAX;
}

static const void *find_item(const gh_catalog_table *t, uint64_t hash, const key *k,
                             bool (*is_match)(const void *item, const key *k))
{
    size_t position = find(t, hash, k, is_match);

    return position == SIZE_MAX ? NULL : t->list->items[position];
}

static bool match_relation_name(const void *p, const key *k)
{
    const gh_relation *r = p;
    return gh_str_eq(r->name, k->name) && gh_str_eq(r->schema, k->schema);
}

static bool match_relation_oid(const void *p, const key *k)
{
    const gh_relation *r = p;
    return r->oid == k->a;
}

static bool match_type_name(const void *p, const key *k)
{
    const gh_type *t = p;
    return gh_str_eq(t->name, k->name) && gh_str_eq(t->schema, k->schema);
}

static bool match_type_oid(const void *p, const key *k)
{
    const gh_type *t = p;
    return t->oid == k->a;
}

static bool match_function_name(const void *p, const key *k)
{
    const gh_function *f = p;
    return gh_str_eq(f->name, k->name);
}

static bool match_function_oid(const void *p, const key *k)
{
    const gh_function *f = p;
    return f->oid == k->a;
}

static bool match_operator_name(const void *p, const key *k)
{
    const gh_operator *o = p;
    return gh_str_eq(o->name, k->name);
}

static bool match_cast(const void *p, const key *k)
{
    const gh_cast *c = p;
    return c->source == k->a && c->target == k->b;
}

/* ---- look-ups ------------------------------------------------------------------------------- */

gh_oid gh_catalog_schema(const gh_catalog *c, gh_str name)
{
    size_t low = 0;
    size_t high = c->schemas.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = gh_str_cmp(c->schema_names[middle], name);
        if (order == 0) {
            const gh_catalog_schema_entry *entry = c->schemas.items[middle];
            return entry->oid;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

const gh_relation *gh_catalog_relation(const gh_catalog *c, gh_str schema, gh_str name)
{
    key k = { .schema = schema, .name = name };

    return find_item(&c->relation_by_name, gh_catalog_hash_name(schema, name), &k,
                     match_relation_name);
}

const gh_relation *gh_catalog_relation_by_oid(const gh_catalog *c, gh_oid oid)
{
    key k = { .a = oid };

    return find_item(&c->relation_by_oid, gh_catalog_hash_oids(oid, 0), &k, match_relation_oid);
}

const gh_column *gh_relation_column(const gh_relation *r, gh_str name)
{
    /* Names of one table tend to begin alike (l_tax, l_quantity). */
    char last = name.len > 0 ? name.ptr[name.len - 1] : '\0';

    for (size_t i = 0; i < r->column_count; i++) {
        gh_str n = r->columns[i].name;

        if (n.len == name.len && (n.len == 0 || n.ptr[n.len - 1] == last) && gh_str_eq(n, name))
            return &r->columns[i];
    }
    return NULL;
}

const gh_type *gh_catalog_type(const gh_catalog *c, gh_str schema, gh_str name)
{
    key k = { .schema = schema, .name = name };

    return find_item(&c->type_by_name, gh_catalog_hash_name(schema, name), &k, match_type_name);
}

const gh_type *gh_catalog_type_by_oid(const gh_catalog *c, gh_oid oid)
{
    key k = { .a = oid };

    return find_item(&c->type_by_oid, gh_catalog_hash_oids(oid, 0), &k, match_type_oid);
}

bool gh_catalog_is_sorted_by_code(const gh_catalog *c, gh_oid type)
{
    const gh_type *t = c->has_type_code ? gh_catalog_type_by_oid(c, type) : NULL;

    return t != NULL && t->is_sorted_by_code;
}

bool gh_catalog_has_made_casts(const gh_catalog *c)
{
    return c->has_made_casts;
}

bool gh_catalog_is_cast_by_code(const gh_catalog *c, gh_oid type)
{
    const gh_type *t = c->has_type_code ? gh_catalog_type_by_oid(c, type) : NULL;

    return t != NULL && t->is_cast_by_code;
}

/*
 * An array of const void * read as one of const T *: both are pointers to objects, of one
 * representation on every platform that PostgreSQL runs on.
 */
const gh_function *const *gh_catalog_functions(const gh_catalog *c, gh_str name, size_t *count)
{
    key k = { .name = name };
    size_t first =
        find(&c->function_by_name, gh_hash(name.ptr, name.len, 0), &k, match_function_name);

    *count = 0;
    if (first == SIZE_MAX)
        return NULL;
    size_t end = first + 1;
    while (end < c->functions.count && match_function_name(c->functions.items[end], &k))
        end++;
    *count = end - first;
    return (const gh_function *const *)(const void *)(c->functions.items + first);
}

const gh_function *gh_catalog_function_by_oid(const gh_catalog *c, gh_oid oid)
{
    key k = { .a = oid };

    return find_item(&c->function_by_oid, gh_catalog_hash_oids(oid, 0), &k, match_function_oid);
}

const gh_operator *const *gh_catalog_operators(const gh_catalog *c, gh_str name, size_t *count)
{
    key k = { .name = name };
    size_t first =
        find(&c->operator_by_name, gh_hash(name.ptr, name.len, 0), &k, match_operator_name);

    *count = 0;
    if (first == SIZE_MAX)
        return NULL;
    size_t end = first + 1;
    while (end < c->operators.count && match_operator_name(c->operators.items[end], &k))
        end++;
    *count = end - first;
    return (const gh_operator *const *)(const void *)(c->operators.items + first);
}

const gh_operator *const *gh_catalog_all_operators(const gh_catalog *c, size_t *count)
{
    *count = c->operators.count;
    return (const gh_operator *const *)(const void *)c->operators.items;
}

const gh_cast *gh_catalog_cast(const gh_catalog *c, gh_oid source, gh_oid target)
{
    key k = { .a = source, .b = target };

    return find_item(&c->cast_by_types, gh_catalog_hash_oids(source, target), &k, match_cast);
}

const gh_search_object *const *gh_catalog_search_objects(const gh_catalog *c, size_t *count)
{
    *count = c->search_objects.count;
    return (const gh_search_object *const *)(const void *)c->search_objects.items;
}

const gh_cast *const *gh_catalog_casts(const gh_catalog *c, size_t *count)
{
    *count = c->casts.count;
    return (const gh_cast *const *)(const void *)c->casts.items;
}

const gh_relation *const *gh_catalog_relations(const gh_catalog *c, size_t *count)
{
    *count = c->relations.count;
    return (const gh_relation *const *)(const void *)c->relations.items;
}

const gh_str *gh_catalog_schemas(const gh_catalog *c, size_t *count)
{
    *count = c->schemas.count;
    return c->schema_names;
}

const gh_function *const *gh_catalog_all_functions(const gh_catalog *c, size_t *count)
{
    *count = c->functions.count;
    return (const gh_function *const *)(const void *)c->functions.items;
}

const gh_type *const *gh_catalog_types(const gh_catalog *c, size_t *count)
{
    *count = c->types.count;
    return (const gh_type *const *)(const void *)c->types.items;
}
