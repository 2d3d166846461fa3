/*
 * Private to catalog: the finished snapshot.
 *
 *     relations  sorted by schema, name ──▶ [r0][r1][r2]...   each list is an array of pointers
 *     functions  sorted by name ──────────▶ [f0][f1][f2]...   into the arena; a table maps a
 *                                                ▲            key's hash to the position of its
 *     table: [hash, position + 1] ───────────────┘            (first) entry
 *
 * Invariant: nothing is written after gh_catalog_builder_finish but `references`.
 */
#ifndef GATEHOUSE_CATALOG_PRIV_H
#define GATEHOUSE_CATALOG_PRIV_H

#include <stdatomic.h>

#include <gatehouse/catalog.h>

/* A list that grows while building; malloc'd, freed with the snapshot. */
typedef struct gh_catalog_list {
    const void **items;
    size_t count;
    size_t cap;
} gh_catalog_list;

/* Open addressing with linear probing, at most half full; slots live in the arena. */
typedef struct gh_catalog_slot {
    uint32_t hash;
    uint32_t position; /* + 1; 0: free */
} gh_catalog_slot;

typedef struct gh_catalog_table {
    gh_catalog_slot *slots;
    size_t mask;
    const gh_catalog_list *list;
} gh_catalog_table;

typedef struct gh_catalog_schema_entry {
    gh_oid oid;
    gh_str name;
} gh_catalog_schema_entry;

struct gh_catalog {
    atomic_size_t
        references; /* release: acq_rel, the last one sees every reader's end; acquire: relaxed */
    gh_arena *arena;
    uint64_t epoch;
    int version_num;
    gh_str account;
    gh_str database;
    gh_catalog_list schemas; /* of gh_catalog_schema_entry, by name */
    gh_str *schema_names;    /* parallel to schemas */
    gh_catalog_list relations;
    gh_catalog_list types;
    gh_catalog_list functions;
    gh_catalog_list operators;
    gh_catalog_list casts;
    gh_catalog_list search_objects;
    bool has_type_code;  /* some type is_sorted_by_code or is_cast_by_code */
    bool has_made_casts; /* somebody made one that is not explicit */
    gh_catalog_table relation_by_name;
    gh_catalog_table relation_by_oid;
    gh_catalog_table type_by_name;
    gh_catalog_table type_by_oid;
    gh_catalog_table function_by_name;
    gh_catalog_table function_by_oid;
    gh_catalog_table operator_by_name;
    gh_catalog_table cast_by_types;
};

uint64_t gh_catalog_hash_name(gh_str schema, gh_str name);
uint64_t gh_catalog_hash_oids(gh_oid a, gh_oid b);

#endif
