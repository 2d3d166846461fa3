/*
 * catalog: an immutable snapshot of what the warehouse's own catalog says: schemas, relations with their
 * columns, types, functions, operators, casts. The rewriter resolves every name against it, so that the
 * upstream's search_path has no vote.
 *
 *     upstream's catalog thread ──rows──▶ gh_catalog_builder ──finish──▶ gh_catalog (shared, counted)
 *
 * Memory: the snapshot owns every byte that its structs point to; pointers live as long as the caller's
 * reference. Threads: the builder belongs to one thread; a finished snapshot is immutable, acquire and
 * release may be called by any thread.
 * Source: PostgreSQL documentation, chapter "System Catalogs".
 */
#ifndef GATEHOUSE_CATALOG_H
#define GATEHOUSE_CATALOG_H

#include <gatehouse/base.h>

typedef uint32_t gh_oid; /* 0 is InvalidOid */

/*
 * Numbers of PostgreSQL's own types, which no version changes, and the first of what anybody made. Source:
 * src/include/catalog/pg_type.dat; access/transam.h, FirstNormalObjectId.
 */
#define GH_OID_BOOL            16
#define GH_OID_BYTEA           17
#define GH_OID_CHAR            18
#define GH_OID_NAME            19
#define GH_OID_INT8            20
#define GH_OID_INT2            21
#define GH_OID_INT4            23
#define GH_OID_REGPROC         24
#define GH_OID_TEXT            25
#define GH_OID_OID             26
#define GH_OID_TID             27
#define GH_OID_XID             28
#define GH_OID_JSON            114
#define GH_OID_XML             142
#define GH_OID_PG_NODE_TREE    194
#define GH_OID_FLOAT4          700
#define GH_OID_FLOAT8          701
#define GH_OID_UNKNOWN         705 /* a literal that has no type yet */
#define GH_OID_MONEY           790
#define GH_OID_ACL_ARRAY       1034
#define GH_OID_BPCHAR          1042
#define GH_OID_VARCHAR         1043
#define GH_OID_DATE            1082
#define GH_OID_TIME            1083
#define GH_OID_TIMESTAMP       1114
#define GH_OID_TIMESTAMPTZ     1184
#define GH_OID_INTERVAL        1186
#define GH_OID_TIMETZ          1266
#define GH_OID_BIT             1560
#define GH_OID_NUMERIC         1700
#define GH_OID_REGCLASS        2205
#define GH_OID_REGTYPE         2206
#define GH_OID_RECORD          2249
#define GH_OID_ANY             2276
#define GH_OID_ANYARRAY        2277
#define GH_OID_VOID            2278
#define GH_OID_ANYELEMENT      2283
#define GH_OID_RECORD_ARRAY    2287
#define GH_OID_ANYNONARRAY     2776
#define GH_OID_UUID            2950
#define GH_OID_ANYENUM         3500
#define GH_OID_TSQUERY         3615
#define GH_OID_JSONB           3802
#define GH_OID_ANYRANGE        3831
#define GH_OID_REGNAMESPACE    4089
#define GH_OID_ANYMULTIRANGE   4537
#define GH_OID_ANYCOMPATMULTI  4538
#define GH_OID_ANYCOMPATIBLE   5077
#define GH_OID_ANYCOMPATARRAY  5078
#define GH_OID_ANYCOMPATNONARR 5079
#define GH_OID_ANYCOMPATRANGE  5080

#define GH_OID_MADE_MIN 16384

typedef struct gh_column {
    gh_str name;
    int16_t attnum; /* 1-based; dropped columns are absent, so numbers may have gaps */
    gh_oid type_oid;
    int32_t typmod;
    gh_oid collation;
    gh_str type_sql; /* format_type(): usable in a cast; names outside pg_catalog are qualified */
    bool is_not_null;
    bool has_default;
    char identity;             /* 'a' always, 'd' by default, 0 none */
    char generated;            /* 's' stored, 'v' virtual, 0 none */
    bool is_computed;          /* of a view: more than a column of a table */
    bool is_altered_by_insert; /* a BEFORE ROW trigger may write it */
    bool is_altered_by_update;
    gh_str
        default_sql; /* pg_get_expr() of a default that begins as a literal, is the time, a random uuid or
                        the next number of the column's own sequence; of an identity the options of
                        its sequence; else empty */
} gh_column;

/* PRIMARY KEY, UNIQUE or EXCLUDE. */
typedef struct gh_constraint {
    gh_str name;
    char kind;              /* pg_constraint.contype: p u x */
    const int16_t *columns; /* attnums; 0 for an expression */
    uint16_t column_count;
} gh_constraint;

typedef struct gh_relation {
    gh_oid oid;
    gh_oid schema_oid;
    gh_str schema;
    gh_str name;
    char kind;                /* pg_class.relkind: r p v m f S i I c t */
    bool is_security_barrier; /* a view with security_barrier */
    bool is_projection;       /* a view of one table, which leaves no row out */
    bool is_partition;
    bool is_inserted_as_written; /* no BEFORE ROW trigger, no rule changes what INSERT writes, */
    bool is_updated_as_written;  /* or UPDATE, but in the columns that say so */
    bool is_temporary;           /* of one session: its own, whatever the policy says */
    gh_oid row_type;             /* reltype */
    const gh_column *columns;    /* in attnum order */
    uint16_t column_count;
    const int16_t *primary_key; /* attnums, NULL without one */
    uint16_t primary_key_len;
    const gh_constraint *constraints; /* those that ON CONFLICT can name */
    uint16_t constraint_count;
    const gh_str
        *partial_keys; /* conditions of its unique indexes that have one, by pg_get_expr() */
    uint16_t partial_key_count;
    const gh_oid *referenced_by; /* relations with a foreign key to it, each once */
    uint16_t referenced_by_count;
    const gh_oid *parents; /* what it is a partition or child of */
    uint16_t parent_count;
    gh_str definition; /* of a view, every name with its schema; empty: it was not asked for */
} gh_relation;

/* Relations by name; a glob holds stars, each for any text. */
typedef struct gh_name_pattern {
    gh_str schema;
    gh_str name;
    bool is_schema_glob;
    bool is_name_glob;
} gh_name_pattern;

typedef struct gh_type {
    gh_oid oid;
    gh_str schema;
    gh_str name;
    char kind;         /* pg_type.typtype: b c d e p r m */
    char category;     /* typcategory */
    bool is_preferred; /* typispreferred */
    gh_oid relation;   /* of a composite type: its pg_class entry */
    gh_oid element;    /* of an array type */
    gh_oid array;      /* its array type */
    gh_oid base;       /* of a domain */
    bool
        is_sorted_by_code; /* its default operator class is neither PostgreSQL's nor an extension's */
    bool
        is_cast_by_code; /* some cast that PostgreSQL did not bring makes another type of it without a word */
    gh_oid
        check; /* of a domain: the function that its CHECKs call, neither PostgreSQL's nor an extension's; 1: several */
} gh_type;

/* What a function gives beside its one value: a parameter that is OUT, INOUT or of TABLE. */
typedef struct gh_out_param {
    gh_str name;
    gh_oid type;
} gh_out_param;

/* What a temporary table stands in front of, where a function has a search_path of its own that does not end in pg_temp. */
typedef enum gh_front {
    GH_FRONT_NONE = 0,
    GH_FRONT_SYSTEM, /* of pg_catalog: its path has nothing else */
    GH_FRONT_ALL
} gh_front;

typedef struct gh_function {
    gh_oid oid;
    gh_str schema;
    gh_str name;
    char kind;       /* prokind: f a w p */
    char volatility; /* i s v */
    bool is_strict;
    bool is_leakproof;
    bool returns_set;
    bool is_builtin; /* language internal or c in pg_catalog, oid < 16384 */
    bool is_security_definer;
    gh_front temporary_front;
    bool is_constructor; /* PostgreSQL's own code that makes a range or multirange of its bounds */
    gh_str extension;    /* that it is of; empty: of none */
    gh_oid variadic;     /* provariadic */
    gh_oid result;
    const gh_oid *args; /* input arguments, proargtypes */
    uint16_t arg_count;
    uint16_t default_count;
    const gh_out_param *outputs; /* in their order */
    uint16_t output_count;
} gh_function;

typedef struct gh_operator {
    gh_oid oid;
    gh_str schema;
    gh_str name;
    gh_oid left; /* 0: prefix operator */
    gh_oid right;
    gh_oid result;
    gh_oid function;
    bool is_trusted; /* PostgreSQL's own, or an extension's */
} gh_operator;

typedef struct gh_cast {
    gh_oid source;
    gh_oid target;
    gh_oid function; /* 0: binary coercible or by I/O */
    char context;    /* e a i */
    char method;     /* f i b */
    bool is_trusted; /* PostgreSQL's own, or an extension's */
    bool is_made;    /* PostgreSQL did not bring it */
} gh_cast;

/* A text search configuration or dictionary of the warehouse's own. */
typedef struct gh_search_object {
    gh_str schema;
    gh_str name;
    bool is_dictionary;
} gh_search_object;

typedef struct gh_catalog gh_catalog;
typedef struct gh_catalog_builder gh_catalog_builder;

/* ---- building (the bytes of strings and arrays are copied) --------------------------------------- */

gh_catalog_builder *gh_catalog_builder_new(void);
void gh_catalog_builder_free(gh_catalog_builder *b); /* NULL is fine */
void gh_catalog_add_schema(gh_catalog_builder *b, gh_oid oid, gh_str name);
void gh_catalog_add_relation(gh_catalog_builder *b, const gh_relation *r); /* with its columns */
/* Of a relation that was added; nothing where there is none. */
void gh_catalog_set_definition(gh_catalog_builder *b, gh_oid oid, gh_str definition);
void gh_catalog_add_type(gh_catalog_builder *b, const gh_type *t);
void gh_catalog_add_function(gh_catalog_builder *b, const gh_function *f);
void gh_catalog_add_operator(gh_catalog_builder *b, const gh_operator *o);
void gh_catalog_add_cast(gh_catalog_builder *b, const gh_cast *c);
void gh_catalog_add_search_object(gh_catalog_builder *b, const gh_search_object *o);
/* Facts of the server: its version number (150018), its account, its database. */
void gh_catalog_set_server(gh_catalog_builder *b, int version_num, gh_str account, gh_str database);
/* Consumes the builder. `epoch` grows with every snapshot whose contents differ. References: 1. */
gh_catalog *gh_catalog_builder_finish(gh_catalog_builder *b, uint64_t epoch);

gh_catalog *gh_catalog_acquire(gh_catalog *c);
void gh_catalog_release(gh_catalog *c); /* NULL is fine */

/* ---- reading ------------------------------------------------------------------------------------ */

uint64_t gh_catalog_epoch(const gh_catalog *c);
int gh_catalog_server_version(const gh_catalog *c);
gh_str gh_catalog_account(const gh_catalog *c);
gh_str gh_catalog_database(const gh_catalog *c);

/* 0 when there is no such schema. */
gh_oid gh_catalog_schema(const gh_catalog *c, gh_str name);
/* NULL when there is none. Names are exact, as the catalog shows them. */
const gh_relation *gh_catalog_relation(const gh_catalog *c, gh_str schema, gh_str name);
const gh_relation *gh_catalog_relation_by_oid(const gh_catalog *c, gh_oid oid);
const gh_column *gh_relation_column(const gh_relation *r, gh_str name);
const gh_type *gh_catalog_type(const gh_catalog *c, gh_str schema, gh_str name);
const gh_type *gh_catalog_type_by_oid(const gh_catalog *c, gh_oid oid);
bool gh_catalog_is_cast_by_code(const gh_catalog *c, gh_oid type);
bool gh_catalog_is_sorted_by_code(const gh_catalog *c, gh_oid type);
/* Did somebody make a cast that runs without a word? */
bool gh_catalog_has_made_casts(const gh_catalog *c);
/* All functions of one name, in any schema; iterate `count` pointers from the result. */
const gh_function *const *gh_catalog_functions(const gh_catalog *c, gh_str name, size_t *count);
const gh_function *gh_catalog_function_by_oid(const gh_catalog *c, gh_oid oid);
/* All operators of one name, ordered by schema. */
const gh_operator *const *gh_catalog_operators(const gh_catalog *c, gh_str name, size_t *count);
const gh_operator *const *gh_catalog_all_operators(const gh_catalog *c, size_t *count);
const gh_cast *gh_catalog_cast(const gh_catalog *c, gh_oid source, gh_oid target);
const gh_cast *const *gh_catalog_casts(const gh_catalog *c, size_t *count);
const gh_search_object *const *gh_catalog_search_objects(const gh_catalog *c, size_t *count);
/* Every relation, ordered by schema and name. */
const gh_relation *const *gh_catalog_relations(const gh_catalog *c, size_t *count);
const gh_str *gh_catalog_schemas(const gh_catalog *c, size_t *count);
const gh_type *const *gh_catalog_types(const gh_catalog *c, size_t *count);
/* Every function, ordered by name. */
const gh_function *const *gh_catalog_all_functions(const gh_catalog *c, size_t *count);

#endif
