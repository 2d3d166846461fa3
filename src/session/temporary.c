/*
 * temporary.c: rows of pg_class and pg_attribute into a snapshot. See temporary.h. Pure.
 */
#include "temporary.h"

#include <gatehouse/rewrite.h>

#include <stdlib.h>

#define FIELDS 17

/* Whatever the client's encoding is. */
#define UTF8(text) "pg_catalog.convert_to(CAST(" text " AS pg_catalog.text), 'UTF8')"

/*
 * By pg_depend, whose index finds what lies in a schema; pg_class has none for that. Indexes depend on
 * their table.
 */
/* A clause a line. */
/* clang-format off */
static const char s_sql[] =
    "WITH d AS MATERIALIZED (SELECT objid FROM pg_catalog.pg_depend "
        "WHERE refclassid = 2615 AND refobjid = pg_catalog.pg_my_temp_schema() AND classid = 1259), "
    "o AS MATERIALIZED (SELECT objid FROM d "
        "UNION SELECT i.indexrelid FROM pg_catalog.pg_index i JOIN d ON i.indrelid = d.objid) "
    "SELECT n.oid, " UTF8("n.nspname") ", c.oid, " UTF8("c.relname") ", c.relkind, c.reltype, "
        "COALESCE(t.typarray, 0), " UTF8("a.attname") ", a.attnum, a.atttypid, a.atttypmod, "
        "a.attcollation, " UTF8("pg_catalog.format_type(a.atttypid, a.atttypmod)") ", "
        "a.attnotnull, a.atthasdef, a.attidentity, a.attgenerated "
    "FROM o JOIN pg_catalog.pg_class c ON c.oid = o.objid "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "LEFT JOIN pg_catalog.pg_type t ON t.oid = c.reltype "
        "LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND "
            "NOT a.attisdropped AND c.relkind <> 'i' "
    "ORDER BY c.oid, a.attnum";
/* clang-format on */

gh_str gh_temporary_sql(void)
{
    return GH_STR(s_sql);
}

gh_str gh_temporary_bind_tail(void)
{
    /* No parameters; of the results those that are bytea as bytes, the others as text. */
    static const unsigned char tail[] = { 0, 0, 0, 0, 0, FIELDS, 0, 0, 0, 1, 0, 0, 0, 1,
                                          0, 0, 0, 0, 0, 0,      0, 1, 0, 0, 0, 0, 0, 0,
                                          0, 0, 0, 1, 0, 0,      0, 0, 0, 0, 0, 0 };

    return (gh_str){ (const char *)tail, sizeof(tail) };
}

void gh_temporary_init(gh_temporary *t)
{
    *t = (gh_temporary){ 0 };
    gh_buf_init(&t->rows, 0);
    gh_buf_init(&t->incoming, 0);
}

void gh_temporary_forget(gh_temporary *t)
{
    gh_catalog_release(t->catalog);
    t->catalog = NULL;
    t->id = 0;
    gh_buf_fini(&t->rows);
    gh_buf_init(&t->rows, 0);
    gh_buf_fini(&t->incoming);
    gh_buf_init(&t->incoming, 0);
}

void gh_temporary_fini(gh_temporary *t)
{
    gh_catalog_release(t->catalog);
    gh_buf_fini(&t->rows);
    gh_buf_fini(&t->incoming);
    *t = (gh_temporary){ 0 };
}

void gh_temporary_row(gh_temporary *t, gh_str body)
{
    gh_buf_put_str(&t->incoming, body);
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* NULL is no text; false: the row is none of these. */
static bool read_fields(gh_rd *r, gh_str fields[FIELDS])
{
    uint16_t count = gh_rd_u16(r);

    if (count != FIELDS)
        return false;
    for (size_t i = 0; i < FIELDS; i++) {
        uint32_t len = gh_rd_u32(r);

        fields[i] = len == UINT32_MAX ? (gh_str){ "", 0 } : gh_rd_bytes(r, len);
    }
    return !r->failed;
}

static long long number(gh_str s)
{
    char text[24] = { 0 };

    memcpy(text, s.ptr, s.len < sizeof(text) - 1 ? s.len : sizeof(text) - 1);
    return strtoll(text, NULL, 10);
}

static bool is_true(gh_str s)
{
    return gh_str_is(s, "t");
}

static char letter(gh_str s)
{
    return s.len > 0 ? s.ptr[0] : '\0';
}

static gh_column column_of(const gh_str f[FIELDS])
{
    return (gh_column){ .name = f[7],
                        .attnum = (int16_t)number(f[8]),
                        .type_oid = (gh_oid)number(f[9]),
                        .typmod = (int32_t)number(f[10]),
                        .collation = (gh_oid)number(f[11]),
                        .type_sql = f[12],
                        .is_not_null = is_true(f[13]),
                        .has_default = is_true(f[14]),
                        .identity = letter(f[15]),
                        .generated = letter(f[16]) };
}

/* What the relation's first row says of it. */
static gh_relation relation_of(const gh_str f[FIELDS], const gh_column *columns)
{
    return (gh_relation){ .oid = (gh_oid)number(f[2]),
                          .schema_oid = (gh_oid)number(f[0]),
                          .schema = GH_STR(GH_TEMPORARY_SCHEMA),
                          .name = f[3],
                          .kind = letter(f[4]),
                          .is_inserted_as_written = true,
                          .is_updated_as_written = true,
                          .is_temporary = true,
                          .row_type = (gh_oid)number(f[5]),
                          .columns = columns };
}

#define COLUMNS_MAX 1600 /* PostgreSQL's own bound */

typedef struct gh_taking {
    gh_catalog_builder *builder;
    gh_relation relation; /* oid 0: none begun */
    gh_oid array;         /* of its row type */
    gh_column *columns;
} gh_taking;

static void end_relation(gh_taking *k)
{
    gh_type row = { .oid = k->relation.row_type,
                    .schema = k->relation.schema,
                    .name = k->relation.name,
                    .kind = 'c',
                    .category = 'C',
                    .relation = k->relation.oid,
                    .array = k->array };

    if (k->relation.oid == 0)
        return;
    gh_catalog_add_relation(k->builder, &k->relation);
    if (row.oid != 0)
        gh_catalog_add_type(k->builder, &row);
}

/* False: not an answer to the question. */
static bool take_rows(gh_taking *k, gh_str rows)
{
    gh_rd r = { rows.ptr, rows.ptr + rows.len, false };
    gh_str f[FIELDS];

    while (r.pos < r.end) {
        if (!read_fields(&r, f))
            return false;
        if (k->relation.oid == 0)
            gh_catalog_add_schema(k->builder, (gh_oid)number(f[0]), f[1]);
        if (k->relation.oid != (gh_oid)number(f[2])) {
            end_relation(k);
            k->relation = relation_of(f, k->columns);
            k->array = (gh_oid)number(f[6]);
        }
        if (f[8].len == 0) /* a relation without columns, or an index */
            continue;
        if (k->relation.column_count == COLUMNS_MAX)
            return false;
        k->columns[k->relation.column_count] = column_of(f);
        k->relation.column_count++;
    }
    end_relation(k);
    return true;
}

gh_rc gh_temporary_take(gh_temporary *t, uint64_t *next)
{
    gh_taking k = { 0 };
    gh_str before = gh_buf_str(&t->rows);
    bool is_good;

    t->is_stale = false;
    if (gh_str_eq(before, gh_buf_str(&t->incoming))) {
        gh_buf_fini(&t->incoming);
        gh_buf_init(&t->incoming, 0);
        return GH_OK;
    }
    if (t->incoming.len == 0) {
        gh_temporary_forget(t);
        return GH_OK;
    }
    k.builder = gh_catalog_builder_new();
    k.columns = gh_alloc(COLUMNS_MAX * sizeof(*k.columns));
    is_good = take_rows(&k, gh_buf_str(&t->incoming));
    free(k.columns);
    if (!is_good) {
        gh_catalog_builder_free(k.builder);
        gh_temporary_forget(t);
        return GH_BADMSG;
    }
    (*next)++;
    gh_catalog_release(t->catalog);
    t->catalog = gh_catalog_builder_finish(k.builder, *next);
    t->id = *next;
    gh_buf_fini(&t->rows);
    t->rows = t->incoming;
    gh_buf_init(&t->incoming, 0);
    return GH_OK;
}
