/*
 * What a user may see, as arrays of OIDs, and the macros that use them.
 *
 *     policy view + catalog snapshot ──▶ rels  full  keys  types  funcs  schemas ──▶ '{1,2,3}'::oid[]
 *
 * Objects of initdb (OID below 16384) are the same on every server of that version, so they are visible to
 * all, rows of theirs that hold values aside. Everything else is visible only if it is in an array, or
 * reached from one by a condition that looks at every column involved (indexes, constraints).
 *
 * SECURITY: the arrays name what is visible, never what is hidden, so that an object made after the
 * snapshot is not there. Attack: tests/attack corpora catalog, stats, exists.
 */
#include "setting.h"
#include "system_catalog.h"

#include "bland_default.h"
#include "function_list.h"

#include <inttypes.h>

#define OID_MAX_BUILTIN  16384u
#define OID_PG_TOAST     99
#define EXPAND_DEPTH_MAX 12

typedef struct gh_numbers {
    int64_t *items;
    size_t count;
    size_t cap;
} gh_numbers;

struct gh_system_sets {
    gh_numbers rels; /* OIDs of granted relations and of composite types */
    gh_numbers full;
    gh_numbers keys; /* relation << 16 | attnum */
    gh_numbers types;
    gh_numbers funcs;
    gh_numbers schemas;
    gh_numbers may[5];   /* by privilege bit: OIDs of relations */
    gh_numbers withheld; /* types of columns that do not show */
    const char *sql_rels;
    const char *sql_full;
    const char *sql_keys;
    const char *sql_types;
    const char *sql_funcs;
    const char *sql_schemas;
    const char *sql_may[5];
};

static void add(gh_numbers *n, int64_t value)
{
    if (n->count == n->cap) {
        n->cap = n->cap == 0 ? 64 : n->cap * 2;
        n->items = n->items == NULL ? palloc(n->cap * sizeof(int64_t))
                                    : repalloc(n->items, n->cap * sizeof(int64_t));
    }
    n->items[n->count++] = value;
}

static bool contains(const gh_numbers *n, int64_t value)
{
    for (size_t i = 0; i < n->count; i++) {
        if (n->items[i] == value)
            return true;
    }
    return false;
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* '{1,2,3}'::pg_catalog.oid[] */
static const char *array_of(gh_numbers *n, const char *type)
{
    gh_buf b;
    char *out;

    if (n->count != 0)
        qsort(n->items, n->count, sizeof(int64_t), compare);
    gh_buf_init(&b, 0);
    gh_buf_puts(&b, "CAST('{");
    for (size_t i = 0; i < n->count; i++) {
        if (i == 0 || n->items[i] != n->items[i - 1])
            gh_buf_printf(&b, "%s%" PRId64, i == 0 ? "" : ",", n->items[i]);
    }
    gh_buf_printf(&b, "}' AS pg_catalog.%s[])", type);
    out = gh_judge_cstr(gh_buf_str(&b));
    gh_buf_fini(&b);
    return out;
}

/* ---- what is visible ------------------------------------------------------------------------------ */

static bool is_system_schema(gh_str schema)
{
    return (schema.len >= 3 && memcmp(schema.ptr, "pg_", 3) == 0) ||
           gh_str_is(schema, "information_schema");
}

static void see_type(const gh_judge *j, gh_system_sets *s, gh_oid oid);

/* The columns of a composite type that no table has: nothing of it is governed. */
static void see_composite(const gh_judge *j, gh_system_sets *s, const gh_relation *r)
{
    if (r == NULL || r->kind != 'c')
        return;
    add(&s->rels, r->oid);
    add(&s->full, r->oid);
    for (uint16_t i = 0; i < r->column_count; i++) {
        add(&s->keys, ((int64_t)r->oid << 16) + r->columns[i].attnum);
        see_type(j, s, r->columns[i].type_oid);
    }
}

/* A type that something visible is of, with those that it is made of. */
static void see_type(const gh_judge *j, gh_system_sets *s, gh_oid oid)
{
    const gh_type *t;
    const gh_relation *r;

    if (oid < OID_MAX_BUILTIN || contains(&s->types, oid))
        return;
    t = gh_catalog_type_by_oid(j->in->catalog, oid);
    if (t == NULL)
        return;
    r = t->relation != 0 ? gh_catalog_relation_by_oid(j->in->catalog, t->relation) : NULL;
    if (t->relation != 0 && (r == NULL || r->kind != 'c'))
        return; /* a table's row: visible with the table */
    add(&s->types, oid);
    see_composite(j, s, r);
    if (t->array != 0)
        add(&s->types, t->array);
    see_type(j, s, t->element);
    see_type(j, s, t->base);
}

static void see_schema(const gh_judge *j, gh_system_sets *s, gh_str name)
{
    gh_oid oid = gh_catalog_schema(j->in->catalog, name);

    if (oid != 0 && !contains(&s->schemas, oid))
        add(&s->schemas, oid);
}

/* OID of the session's temporary schema; 0 without one. */
static gh_oid temporary_schema(const gh_judge *j)
{
    const gh_str *names;
    size_t count = 0;

    if (j->in->temporary == NULL || j->is_policy)
        return 0;
    names = gh_catalog_schemas(j->in->temporary, &count);
    return count == 1 ? gh_catalog_schema(j->in->temporary, names[0]) : 0;
}

static void see_columns(const gh_judge *j, gh_system_sets *s, const gh_relation *r,
                        const gh_decision *d)
{
    for (uint16_t i = 0; i < r->column_count; i++) {
        if (d->columns[i].show == GH_HIDDEN && !d->columns[i].is_writable[1] &&
            !d->columns[i].is_writable[2])
            continue;
        add(&s->keys, ((int64_t)r->oid << 16) + r->columns[i].attnum);
        see_type(j, s, r->columns[i].type_oid);
    }
}

static void see_decided(const gh_judge *j, gh_system_sets *s, const gh_relation *r)
{
    const gh_decision *d = gh_judge_decide(j, r);

    if (!d->exists || d->column_count != r->column_count)
        return;
    add(&s->rels, r->oid);
    if (d->is_full)
        add(&s->full, r->oid);
    for (unsigned bit = 0; bit < GH_COUNT(s->may); bit++) {
        if ((d->privileges & (1u << bit)) != 0)
            add(&s->may[bit], r->oid);
    }
    see_columns(j, s, r, d);
    if (!r->is_temporary)
        see_schema(j, s, r->schema);
}

static void see_relation(const gh_judge *j, gh_system_sets *s, const gh_relation *r)
{
    if (r->kind != '\0' && strchr("rpvmfS", r->kind) != NULL && r->oid >= OID_MAX_BUILTIN &&
        !is_system_schema(r->schema))
        see_decided(j, s, r);
}

/* The session's own temporary relations with their schema and row types; indexes by their tables. */
static void see_temporary(const gh_judge *j, gh_system_sets *s)
{
    size_t count;
    const gh_relation *const *relations;

    if (j->in->temporary == NULL || j->is_policy)
        return;
    relations = gh_catalog_relations(j->in->temporary, &count);
    for (size_t i = 0; i < count; i++) {
        const gh_type *t = gh_catalog_type_by_oid(j->in->temporary, relations[i]->row_type);

        if (strchr("rpvS", relations[i]->kind) == NULL)
            continue;
        see_decided(j, s, relations[i]);
        if (t == NULL)
            continue;
        add(&s->types, t->oid);
        if (t->array != 0)
            add(&s->types, t->array);
    }
    add(&s->schemas, temporary_schema(j));
}

/* The same walk as see_type, of what stays hidden. */
static void withhold(const gh_judge *j, gh_system_sets *s, gh_oid oid)
{
    const gh_type *t;
    const gh_relation *r;

    if (oid < OID_MAX_BUILTIN || contains(&s->withheld, oid))
        return;
    t = gh_catalog_type_by_oid(j->in->catalog, oid);
    if (t == NULL)
        return;
    add(&s->withheld, oid);
    r = t->relation != 0 ? gh_catalog_relation_by_oid(j->in->catalog, t->relation) : NULL;
    for (uint16_t i = 0; r != NULL && r->kind == 'c' && i < r->column_count; i++)
        withhold(j, s, r->columns[i].type_oid);
    withhold(j, s, t->element);
    withhold(j, s, t->base);
}

static void withhold_columns(const gh_judge *j, gh_system_sets *s, const gh_relation *r)
{
    const gh_decision *d;

    if (r->kind == 'c' || r->oid < OID_MAX_BUILTIN || is_system_schema(r->schema))
        return;
    d = gh_view_decide(j->in->view, j->in->catalog, r);
    for (uint16_t i = 0; i < r->column_count; i++) {
        if (d->column_count != r->column_count || d->columns[i].show == GH_HIDDEN)
            withhold(j, s, r->columns[i].type_oid);
    }
}

/* Does a grant name the type, as it names relations? A composite's attributes are its columns. */
static bool is_named(const gh_judge *j, const gh_type *t)
{
    const gh_relation *r;
    const gh_decision *d;

    if (t->kind != 'c')
        return gh_view_names(j->in->view, j->in->catalog, t->schema, t->name);
    r = gh_catalog_relation_by_oid(j->in->catalog, t->relation);
    if (r == NULL || r->kind != 'c')
        return false;
    d = gh_view_decide(j->in->view, j->in->catalog, r);
    if (!d->exists || d->column_count != r->column_count)
        return false;
    for (uint16_t i = 0; i < r->column_count; i++) {
        if (d->columns[i].show == GH_HIDDEN)
            return false;
    }
    return true;
}

/*
 * Types that stand for themselves. What decides is the grants' names alone: were it whether all of the
 * schema's relations show, a type that shows would tell that there are no others.
 */
static void see_named_types(const gh_judge *j, gh_system_sets *s)
{
    size_t count;
    const gh_type *const *all = gh_catalog_types(j->in->catalog, &count);

    for (size_t i = 0; i < count; i++) {
        const gh_type *t = all[i];

        if (t->oid >= OID_MAX_BUILTIN && t->kind != '\0' && strchr("edcrm", t->kind) != NULL &&
            !is_system_schema(t->schema) && !contains(&s->withheld, t->oid) && is_named(j, t))
            see_type(j, s, t->oid);
    }
}

/* Beside a visible type stands what an extension's operators take with it: ltree ~ lquery. */
static void see_operands(const gh_judge *j, gh_system_sets *s)
{
    size_t count;
    const gh_operator *const *all = gh_catalog_all_operators(j->in->catalog, &count);

    for (size_t i = 0; i < count; i++) {
        if (all[i]->oid < OID_MAX_BUILTIN || !all[i]->is_trusted)
            continue;
        if (contains(&s->types, all[i]->left))
            see_type(j, s, all[i]->right);
        else if (contains(&s->types, all[i]->right))
            see_type(j, s, all[i]->left);
    }
}

/* Row types of visible relations, and their arrays. */
static void see_row_types(const gh_judge *j, gh_system_sets *s)
{
    size_t count = s->rels.count;

    for (size_t i = 0; i < count; i++) {
        const gh_relation *r = gh_catalog_relation_by_oid(j->in->catalog, (gh_oid)s->rels.items[i]);
        const gh_type *t = r != NULL && r->row_type != 0
                               ? gh_catalog_type_by_oid(j->in->catalog, r->row_type)
                               : NULL;

        if (t == NULL)
            continue;
        add(&s->types, t->oid);
        if (t->array != 0)
            add(&s->types, t->array);
    }
}

static void see_functions(const gh_judge *j, gh_system_sets *s)
{
    size_t count;
    const gh_function *const *all = gh_catalog_all_functions(j->in->catalog, &count);

    for (size_t i = 0; i < count; i++) {
        const gh_function *f = all[i];

        if (f->oid < OID_MAX_BUILTIN || !gh_view_allows_function(j->in->view, f->schema, f->name))
            continue;
        add(&s->funcs, f->oid);
        see_schema(j, s, f->schema);
        see_type(j, s, f->result);
        for (uint16_t k = 0; k < f->arg_count; k++)
            see_type(j, s, f->args[k]);
    }
}

static const gh_system_sets *sets_of(gh_judge *j)
{
    gh_system_sets *s;
    size_t count;
    const gh_relation *const *relations;

    if (j->sets != NULL)
        return j->sets;
    s = palloc0(sizeof(*s));
    relations = gh_catalog_relations(j->in->catalog, &count);
    for (size_t i = 0; i < count; i++) {
        see_relation(j, s, relations[i]);
        withhold_columns(j, s, relations[i]);
    }
    see_temporary(j, s);
    see_functions(j, s);
    see_named_types(j, s);
    see_operands(j, s);
    for (size_t i = 0; i < s->types.count; i++) {
        const gh_type *t = gh_catalog_type_by_oid(j->in->catalog, (gh_oid)s->types.items[i]);

        if (t != NULL)
            see_schema(j, s, t->schema);
    }
    see_row_types(j, s);
    add(&s->schemas, OID_PG_TOAST); /* as pg_catalog: initdb's relations are in it */
    see_schema(j, s, GH_STR("pg_catalog"));
    see_schema(j, s, GH_STR("information_schema"));
    see_schema(j, s, GH_STR("public")); /* every database has it, in every client's path */
    s->sql_rels = array_of(&s->rels, "oid");
    s->sql_full = array_of(&s->full, "oid");
    s->sql_keys = array_of(&s->keys, "int8");
    s->sql_types = array_of(&s->types, "oid");
    s->sql_funcs = array_of(&s->funcs, "oid");
    s->sql_schemas = array_of(&s->schemas, "oid");
    for (unsigned bit = 0; bit < GH_COUNT(s->may); bit++)
        s->sql_may[bit] = array_of(&s->may[bit], "oid");
    j->sets = s;
    return s;
}

bool gh_system_schema_is_visible(gh_judge *j, gh_oid oid)
{
    return oid != 0 && contains(&sets_of(j)->schemas, oid);
}

bool gh_system_type_is_visible(gh_judge *j, gh_oid oid)
{
    return contains(&sets_of(j)->types, oid);
}

/* ---- macros of the session ------------------------------------------------------------------------ */

static char *name_literal(const gh_judge *j, gh_str value)
{
    return gh_judge_printf("CAST(%s AS pg_catalog.name)", gh_judge_literal(j, value));
}

/* The first schema of the path that exists for this user. */
static char *current_schema(gh_judge *j)
{
    const gh_system_sets *s = sets_of(j);

    for (size_t i = 0; i < j->in->search_path.count; i++) {
        gh_oid oid = gh_catalog_schema(j->in->catalog, j->in->search_path.items[i]);

        if (oid != 0 && contains(&s->schemas, oid))
            return name_literal(j, j->in->search_path.items[i]);
    }
    return pstrdup("CAST(NULL AS pg_catalog.name)");
}

static char *path_names(gh_judge *j, bool is_implicit)
{
    const gh_system_sets *s = sets_of(j);
    char *out = pstrdup("");

    if (is_implicit && temporary_schema(j) != 0)
        out = gh_judge_printf(
            "%s, ", name_literal(j, gh_catalog_schemas(j->in->temporary, &(size_t){ 0 })[0]));
    if (is_implicit)
        out = gh_judge_printf("%s%s", out, name_literal(j, GH_STR("pg_catalog")));
    for (size_t i = 0; i < j->in->search_path.count; i++) {
        gh_str name = j->in->search_path.items[i];
        gh_oid oid = gh_catalog_schema(j->in->catalog, name);

        if (oid == 0 || !contains(&s->schemas, oid) ||
            (is_implicit && gh_str_is(name, "pg_catalog")))
            continue;
        out = gh_judge_printf("%s%s%s", out, out[0] == '\0' ? "" : ", ", name_literal(j, name));
    }
    return gh_judge_printf("CAST(ARRAY[%s] AS pg_catalog.name[])", out);
}

static const char *path_oids(gh_judge *j)
{
    gh_numbers n = { 0 };

    add(&n, gh_catalog_schema(j->in->catalog, GH_STR("pg_catalog")));
    if (temporary_schema(j) != 0)
        add(&n, temporary_schema(j));
    for (size_t i = 0; i < j->in->search_path.count; i++) {
        gh_oid oid = gh_catalog_schema(j->in->catalog, j->in->search_path.items[i]);

        if (oid != 0)
            add(&n, oid);
    }
    return array_of(&n, "oid");
}

/* Settings whose upstream value may be seen: not the virtual ones. */
static char *setting_names(const gh_judge *j)
{
    char *out = pstrdup("");
    const char *name;

    for (size_t i = 0; (name = gh_setting_name(i)) != NULL; i++) {
        if (!gh_setting_is_virtual(gh_str_of(name)))
            out = gh_judge_printf("%s%s%s", out, i == 0 ? "" : ", ",
                                  gh_judge_literal(j, gh_str_of(name)));
    }
    return out;
}

/* ---- macros --------------------------------------------------------------------------------------- */

typedef struct gh_macro {
    const char *name;
    int args;
    const char *body; /* $1 $2 $3 are the arguments */
} gh_macro;

static const gh_macro s_macros[] = {
    { "builtin", 1, "($1 < 16384)" },
    { "type", 1, "($1 < 16384 OR $1 = ANY (@types))" },
    { "func", 1, "($1 < 16384 OR $1 = ANY (@funcs))" },
    { "schema", 1, "($1 = ANY (@visible_schemas))" },
    { "full", 1, "($1 < 16384 OR $1 = ANY (@fulls))" },
    { "key", 2, "((CAST($1 AS pg_catalog.int8) * 65536 + $2) = ANY (@keys))" },
    /* Every column, INCLUDE's too; expressions and conditions only of what is seen in full. */
    { "index", 1,
      "($1.indrelid < 16384 OR ($1.indrelid = ANY (@rels) AND ($1.indrelid = ANY (@fulls) OR "
      "($1.indpred IS NULL AND $1.indexprs IS NULL)) AND NOT EXISTS (SELECT FROM "
      "pg_catalog.unnest(CAST($1.indkey AS pg_catalog.int2[])) AS gk (n) WHERE gk.n <> 0 AND NOT "
      "@key($1.indrelid, gk.n))))" },
    { "indexid", 1,
      "($1 IN (SELECT gi.indexrelid FROM pg_catalog.pg_index AS gi WHERE @index(gi)))" },
    { "owned", 1,
      "($1 IN (SELECT gd.objid FROM pg_catalog.pg_depend AS gd JOIN pg_catalog.pg_class AS gs ON "
      "gs.oid = gd.objid AND gs.relkind = 'S' WHERE gd.classid = 1259 AND gd.refclassid = 1259 AND "
      "gd.objsubid = 0 AND gd.deptype IN ('a', 'i') AND @key(gd.refobjid, gd.refobjsubid)))" },
    { "sequence", 1,
      "($1 = ANY (@fulls) OR $1 IN (SELECT gd.objid FROM pg_catalog.pg_depend AS gd WHERE "
      "gd.classid = 1259 AND gd.refclassid = 1259 AND gd.deptype IN ('a', 'i') AND gd.refobjid = "
      "ANY (@fulls)))" },
    { "bland", 1, "(" GH_BLAND_TEXT("$1") " OR " GH_BLAND_SEQUENCE("$1") ")" },
    { "blandname", 3,
      "(EXISTS (SELECT FROM pg_catalog.pg_attrdef AS gb JOIN pg_catalog.pg_attribute AS ga ON "
      "ga.attrelid = gb.adrelid AND ga.attnum = gb.adnum JOIN pg_catalog.pg_class AS gc ON gc.oid "
      "= gb.adrelid JOIN pg_catalog.pg_namespace AS gn ON gn.oid = gc.relnamespace WHERE "
      "gn.nspname = $1 AND gc.relname = $2 AND ga.attname = $3 AND @bland(gb)))" },
    /* The name that information_schema gives to NOT NULL (before 18), if no constraint has it. */
    { "notnull", 1,
      "(CASE WHEN $1 ~ '^[0-9]{1,9}_[0-9]{1,9}_[0-9]{1,4}_not_null$' AND NOT EXISTS (SELECT FROM "
      "pg_catalog.pg_constraint AS gc WHERE gc.conname = $1) THEN "
      "@key(CAST(pg_catalog.split_part(CAST($1 AS pg_catalog.text), '_', 2) AS pg_catalog.int8), "
      "CAST(pg_catalog.split_part(CAST($1 AS pg_catalog.text), '_', 3) AS pg_catalog.int8)) ELSE "
      "false END)" },
    { "rel", 1, "($1 < 16384 OR $1 = ANY (@rels) OR @indexid($1) OR @owned($1))" },
    { "attr", 2, "($1 < 16384 OR @key($1, $2) OR @indexid($1))" },
    { "con", 1,
      "(CASE WHEN $1.contypid <> 0 THEN @type($1.contypid) WHEN $1.conrelid < 16384 THEN true "
      "WHEN NOT $1.conrelid = ANY (@rels) OR EXISTS (SELECT FROM pg_catalog.unnest($1.conkey) AS "
      "gk (n) WHERE NOT @key($1.conrelid, gk.n)) THEN false WHEN $1.contype = 'f' THEN "
      "$1.confrelid = ANY (@rels) AND NOT EXISTS (SELECT FROM pg_catalog.unnest($1.confkey) AS gk "
      "(n) WHERE NOT @key($1.confrelid, gk.n)) WHEN $1.contype = 'c' THEN $1.conrelid = ANY "
      "(@fulls) WHEN $1.contype IN ('p', 'u', 'x') THEN @indexid($1.conindid) WHEN $1.contype = "
      "'n' THEN true ELSE false END)" },
    { "conid", 1, "($1 IN (SELECT gc.oid FROM pg_catalog.pg_constraint AS gc WHERE @con(gc)))" },
    { "part", 1,
      "($1.partrelid = ANY (@rels) AND ($1.partrelid = ANY (@fulls) OR $1.partexprs IS NULL) AND "
      "NOT EXISTS (SELECT FROM pg_catalog.unnest(CAST($1.partattrs AS pg_catalog.int2[])) AS gk "
      "(n) "
      "WHERE gk.n <> 0 AND NOT @key($1.partrelid, gk.n)))" },
    { "partid", 1,
      "($1 IN (SELECT gp.partrelid FROM pg_catalog.pg_partitioned_table AS gp WHERE @part(gp)))" },
    /* pg_class pg_type pg_proc pg_constraint pg_attrdef pg_namespace pg_extension; never pg_authid and
     * pg_database */
    { "object", 3,
      "(CASE $1 WHEN 1259 THEN @rel($2) AND ($3 = 0 OR @attr($2, $3)) WHEN 1247 THEN @type($2) "
      "WHEN "
      "1255 THEN @func($2) WHEN 2606 THEN @conid($2) WHEN 2604 THEN $2 IN (SELECT ga.oid FROM "
      "pg_catalog.pg_attrdef AS ga WHERE @attr(ga.adrelid, ga.adnum) AND (@full(ga.adrelid) OR "
      "@bland(ga))) WHEN 2615 THEN @schema($2) "
      "WHEN 3079 THEN @extension($2) WHEN 1260 THEN false WHEN 1262 THEN false ELSE $2 < 16384 "
      "END)" },
    { "extension", 1,
      "($1 < 16384 OR $1 IN (SELECT gd.refobjid FROM pg_catalog.pg_depend AS gd WHERE gd.classid = "
      "1247 AND gd.refclassid = 3079 AND gd.deptype = 'e' AND gd.objid = ANY (@types)))" },
    { "extname", 1,
      "(EXISTS (SELECT FROM pg_catalog.pg_extension AS ge WHERE ge.extname = $1 AND "
      "@extension(ge.oid)))" },
    /* What pg_class.relhasindex and relhastriggers tell, of a row of pg_class. */
    { "hasindex", 1,
      "(CASE WHEN @full($1.oid) THEN $1.relhasindex ELSE EXISTS (SELECT FROM pg_catalog.pg_index "
      "AS gx WHERE gx.indrelid = $1.oid AND @index(gx)) END)" },
    { "hastriggers", 1,
      "(EXISTS (SELECT FROM pg_catalog.pg_constraint AS gf WHERE gf.contype = 'f' AND "
      "(gf.conrelid = $1.oid OR gf.confrelid = $1.oid) AND @con(gf)))" },
    { "relname", 2,
      "(EXISTS (SELECT FROM pg_catalog.pg_class AS gc JOIN pg_catalog.pg_namespace AS gn ON gn.oid "
      "= gc.relnamespace WHERE gn.nspname = $1 AND gc.relname = $2 AND @rel(gc.oid)))" },
    { "relfull", 2,
      "(EXISTS (SELECT FROM pg_catalog.pg_class AS gc JOIN pg_catalog.pg_namespace AS gn ON gn.oid "
      "= gc.relnamespace WHERE gn.nspname = $1 AND gc.relname = $2 AND @full(gc.oid)))" },
    { "colname", 3,
      "(EXISTS (SELECT FROM pg_catalog.pg_attribute AS ga JOIN pg_catalog.pg_class AS gc ON gc.oid "
      "= ga.attrelid JOIN pg_catalog.pg_namespace AS gn ON gn.oid = gc.relnamespace WHERE "
      "gn.nspname = $1 AND gc.relname = $2 AND ga.attname = $3 AND @attr(ga.attrelid, "
      "ga.attnum)))" },
    /* The same for all rows at once. */
    { "anycolname", 3,
      "((($1, $2, $3) IN (SELECT gn.nspname, gc.relname, ga.attname FROM pg_catalog.pg_attribute "
      "AS ga JOIN pg_catalog.pg_class AS gc ON gc.oid = ga.attrelid JOIN pg_catalog.pg_namespace "
      "AS gn ON gn.oid = gc.relnamespace WHERE @attr(ga.attrelid, ga.attnum))) IS TRUE)" },
    { "colnumber", 3,
      "((($1, $2, CAST($3 AS pg_catalog.text)) IN (SELECT gn.nspname, gc.relname, "
      "CAST(ga.attnum AS pg_catalog.text) FROM pg_catalog.pg_attribute AS ga JOIN "
      "pg_catalog.pg_class AS gc ON gc.oid = ga.attrelid JOIN pg_catalog.pg_namespace AS gn ON "
      "gn.oid = gc.relnamespace WHERE @attr(ga.attrelid, ga.attnum))) IS TRUE)" },
    { "conname", 2,
      "((($1, $2) IN (SELECT gn.nspname, gc.conname FROM pg_catalog.pg_constraint AS gc JOIN "
      "pg_catalog.pg_namespace AS gn ON gn.oid = gc.connamespace WHERE @con(gc))) IS TRUE)" },
    { "relcon", 4,
      "((($1, $2, $3, $4) IN (SELECT gn.nspname, gc.conname, gm.nspname, gr.relname FROM "
      "pg_catalog.pg_constraint AS gc JOIN pg_catalog.pg_namespace AS gn ON gn.oid = "
      "gc.connamespace JOIN pg_catalog.pg_class AS gr ON gr.oid = gc.conrelid JOIN "
      "pg_catalog.pg_namespace AS gm ON gm.oid = gr.relnamespace WHERE @con(gc))) IS TRUE)" },
    { "typename", 2,
      "(EXISTS (SELECT FROM pg_catalog.pg_type AS gt JOIN pg_catalog.pg_namespace AS gn ON gn.oid "
      "= "
      "gt.typnamespace WHERE gn.nspname = $1 AND gt.typname = $2 AND @type(gt.oid)))" },
    /* The name that information_schema gives to a function ends with its OID. */
    { "routineoid", 1,
      "CAST(pg_catalog.\"substring\"(CAST($1 AS pg_catalog.text), '[0-9]+$') AS pg_catalog.oid)" },
    { "routine", 1, "@func(@routineoid($1))" },
    { "may", 2,
      "(CASE WHEN $1 ~* 'grant option' THEN false ELSE ($1 ~* 'select' AND ($2 < 16384 OR $2 = ANY "
      "(@may0))) OR ($1 ~* 'insert' AND $2 = ANY (@may1)) OR ($1 ~* 'update' AND $2 = ANY (@may2)) "
      "OR ($1 ~* 'delete' AND $2 = ANY (@may3)) OR ($1 ~* 'truncate' AND $2 = ANY (@may4)) END)" },
    { "maybyname", 3,
      "(EXISTS (SELECT FROM pg_catalog.pg_class AS gc JOIN pg_catalog.pg_namespace AS gn ON gn.oid "
      "= gc.relnamespace WHERE gn.nspname = $1 AND gc.relname = $2 AND @may(CAST($3 AS "
      "pg_catalog.text), gc.oid)))" },
    /* Of a privilege's name and a relation: those that the user holds, in PostgreSQL's order. */
    { "acl", 1,
      "(SELECT pg_catalog.array_agg(pg_catalog.makeaclitem(@owner, @owner, gp.p, false) ORDER BY "
      "gp.n) FROM "
      "(VALUES (1, 'INSERT'), (2, 'SELECT'), (3, 'UPDATE'), (4, 'DELETE'), (5, 'TRUNCATE')) AS gp "
      "(n, p) "
      "WHERE @may(gp.p, $1))" },
    { "viewdefname", 2,
      "(SELECT @viewdef(gv.oid) FROM pg_catalog.pg_class AS gv JOIN pg_catalog.pg_namespace AS gm "
      "ON "
      "gm.oid = gv.relnamespace WHERE gm.nspname = $1 AND gv.relname = $2)" },
    { "viewdef", 1,
      "(SELECT ' SELECT ' || pg_catalog.string_agg(pg_catalog.quote_ident(CAST(ga.attname AS "
      "pg_catalog.text)), ', ' ORDER BY ga.attnum) || ' FROM ' || pg_catalog.quote_ident(CAST("
      "gn.nspname AS pg_catalog.text)) || '.' || pg_catalog.quote_ident(CAST(gc.relname AS "
      "pg_catalog.text)) || ';' FROM pg_catalog.pg_class AS gc JOIN pg_catalog.pg_namespace AS gn "
      "ON gn.oid = gc.relnamespace JOIN pg_catalog.pg_attribute AS ga ON ga.attrelid = gc.oid AND "
      "ga.attnum > 0 WHERE gc.oid = $1 AND gc.relkind IN ('v', 'm') AND @rel(gc.oid) AND "
      "@attr(ga.attrelid, ga.attnum) GROUP BY gn.nspname, gc.relname)" },
    /* The row of pg_proc: SQL that runs with the caller's rights and in which every word is a parameter's
     * name, a keyword, or the name of a function or type of initdb; nothing is quoted. A body of SQL (from 14
     * on) has no text. */
    { "source", 1,
      "($1.oid = ANY (@funcs) AND $1.prolang = 14 AND NOT $1.prosecdef AND $1.proconfig IS NULL "
      "AND "
      "$1.prosrc <> '' AND $1.prosrc ~ '^[][A-Za-z0-9_$ \\t\\r\\n+*/%(),;:.<>=!|&~^#?-]*$' "
      "AND "
      "NOT EXISTS (SELECT FROM pg_catalog.regexp_matches(pg_catalog.lower($1.prosrc), "
      "'[a-z_][a-z0-9_$]*', 'g') AS gw (w) WHERE gw.w[1] <> ALL (COALESCE($1.proargnames, '{}')) "
      "AND NOT EXISTS (SELECT FROM pg_catalog.pg_get_keywords() AS gk WHERE gk.word = gw.w[1]) AND "
      "NOT EXISTS (SELECT FROM pg_catalog.pg_proc AS gb WHERE gb.proname = gw.w[1] AND "
      "@builtin(gb.oid)) AND NOT EXISTS (SELECT FROM pg_catalog.pg_type AS gt WHERE gt.typname = "
      "gw.w[1] AND @builtin(gt.oid))))" },
    { "sourceid", 1,
      "(EXISTS (SELECT FROM pg_catalog.pg_proc AS gp WHERE gp.oid = $1 AND @source(gp)))" },
    { "owner", 0, "CAST(" GH_SYSTEM_OWNER " AS pg_catalog.oid)" },
};

/* Values of this statement; NULL if the name is not one. */
static const char *value_of(gh_judge *j, gh_str name)
{
    const gh_system_sets *s = sets_of(j);
    const struct {
        const char *name;
        const char *sql;
    } arrays[] = {
        { "rels", s->sql_rels },   { "fulls", s->sql_full },  { "keys", s->sql_keys },
        { "types", s->sql_types }, { "funcs", s->sql_funcs }, { "visible_schemas", s->sql_schemas },
        { "may0", s->sql_may[0] }, { "may1", s->sql_may[1] }, { "may2", s->sql_may[2] },
        { "may3", s->sql_may[3] }, { "may4", s->sql_may[4] },
    };

    for (size_t i = 0; i < GH_COUNT(arrays); i++) {
        if (gh_str_is(name, arrays[i].name))
            return arrays[i].sql;
    }
    if (gh_str_is(name, "user"))
        return name_literal(j, gh_view_user(j->in->view));
    if (gh_str_is(name, "db"))
        return name_literal(j, j->in->database);
    if (gh_str_is(name, "schemas"))
        return path_oids(j);
    if (gh_str_is(name, "current_schema"))
        return current_schema(j);
    if (gh_str_is(name, "path"))
        return path_names(j, false);
    if (gh_str_is(name, "implicit_path"))
        return path_names(j, true);
    if (gh_str_is(name, "find_relation"))
        return gh_function_find(j, "regclass");
    if (gh_str_is(name, "find_type"))
        return gh_function_find(j, "regtype");
    if (gh_str_is(name, "find_function"))
        return gh_function_find(j, "regprocedure");
    if (gh_str_is(name, "settings"))
        return setting_names(j);
    if (gh_str_is(name, "column_default"))
        return gh_print_default(j);
    if (gh_str_is(name, "search_path"))
        return gh_judge_literal(j, j->in->search_path_text);
    return gh_system_session_value(j, name);
}

/* ---- expansion ------------------------------------------------------------------------------------ */

/* Splits "(a, b)" into arguments; returns what follows, NULL if it is not closed. */
static const char *split_args(const char *p, gh_str *args, int max, int *count)
{
    int depth = 0;
    const char *start = p + 1;

    *count = 0;
    for (; *p != '\0'; p++) {
        if (*p == '(' && depth++ == 0)
            start = p + 1;
        else if (*p == ')')
            depth--;
        if ((*p == ',' && depth == 1) || depth == 0) {
            if (*count == max)
                return NULL;
            while (*start == ' ')
                start++;
            args[(*count)++] = (gh_str){ start, (size_t)(p - start) };
            start = p + 1;
        }
        if (depth == 0)
            return p + 1;
    }
    return NULL;
}

static bool expand(gh_judge *j, gh_str text, int depth, gh_buf *out);

static bool expand_macro(gh_judge *j, const gh_macro *m, const gh_str *args, int depth, gh_buf *out)
{
    gh_buf b;
    bool is_ok;

    gh_buf_init(&b, 0);
    for (const char *p = m->body; *p != '\0'; p++) {
        if (*p == '$' && p[1] >= '1' && p[1] <= '4' && p[1] - '1' < m->args)
            gh_buf_put_str(&b, args[*++p - '1']);
        else
            gh_buf_put_u8(&b, (uint8_t)*p);
    }
    is_ok = expand(j, gh_buf_str(&b), depth + 1, out);
    gh_buf_fini(&b);
    return is_ok;
}

static const gh_macro *find_macro(gh_str name)
{
    for (size_t i = 0; i < GH_COUNT(s_macros); i++) {
        if (gh_str_is(name, s_macros[i].name))
            return &s_macros[i];
    }
    return NULL;
}

/* One macro at p, behind its @; returns what follows it. */
static const char *expand_at(gh_judge *j, const char *p, int depth, gh_buf *out)
{
    gh_str name = { p, strspn(p, "abcdefghijklmnopqrstuvwxyz_01234") };
    const gh_macro *m = find_macro(name);
    const char *value;
    gh_str args[4];
    int count = 0;

    p += name.len;
    if (m != NULL) {
        if (m->args > 0)
            p = split_args(p, args, 4, &count);
        if (p == NULL || count != m->args || !expand_macro(j, m, args, depth, out))
            return NULL;
        return p;
    }
    value = value_of(j, name);
    if (value != NULL)
        gh_buf_puts(out, value);
    return value != NULL ? p : NULL;
}

static bool expand(gh_judge *j, gh_str text, int depth, gh_buf *out)
{
    char *copy = gh_judge_cstr(text);

    if (depth > EXPAND_DEPTH_MAX)
        return false;
    for (const char *p = copy; *p != '\0';) {
        size_t plain = strcspn(p, "@");

        gh_buf_put(out, p, plain);
        p += plain;
        if (*p != '@')
            continue;
        p = expand_at(j, p + 1, depth, out);
        if (p == NULL)
            return false;
    }
    return true;
}

char *gh_system_expand(gh_judge *j, const char *text)
{
    gh_buf b;
    char *out = NULL;

    gh_buf_init(&b, 0);
    if (expand(j, gh_str_of(text), 0, &b) && !b.failed) {
        out = gh_judge_cstr(gh_buf_str(&b));
    } else {
        gh_judge_refuse(j, GH_INTERNAL, "XX000", -1, "statement cannot be rewritten");
        gh_err_detail(j->err, "a template of the system catalogs is wrong");
    }
    gh_buf_fini(&b);
    return out;
}
