/*
 * gatehouse.my_access: what the user may see, as a relation. It exists nowhere but here:
 *
 *     FROM gatehouse.my_access   becomes
 *     FROM (SELECT * FROM ROWS FROM (unnest('{sales,sales}'), unnest('{orders,orders}'), ...)
 *           AS gh (table_schema, table_name, ...)) AS my_access
 *
 * SECURITY: it is made of decisions about what shows alone: no row filter, no deny, no column that is
 * hidden, no role of others. A mask of the policy's own is named, never quoted: its text may hold what
 * undoes it. Attack: tests/integration/my_access.
 */
#include "allow.h"
#include "system_catalog.h"

#include <inttypes.h>
#include <time.h>

#define TEXT_COLUMN(n, label)                                                                      \
    {                                                                                              \
        .name = { label, sizeof(label) - 1 }, .attnum = n, .type_oid = GH_OID_TEXT, .typmod = -1,  \
        .collation = 100, .type_sql = {                                                            \
            "text",                                                                                \
            4                                                                                      \
        }                                                                                          \
    }

enum { TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, SHOWS, MASK, ROWS, ROLES, VALID_UNTIL, COLUMNS };

static const gh_column s_columns[COLUMNS] = {
    TEXT_COLUMN(1, "table_schema"),
    TEXT_COLUMN(2, "table_name"),
    TEXT_COLUMN(3, "column_name"),
    TEXT_COLUMN(4, "shows"),
    TEXT_COLUMN(5, "mask"),
    TEXT_COLUMN(6, "rows"),
    TEXT_COLUMN(7, "roles"),
    { .name = { "valid_until", 11 },
      .attnum = 8,
      .type_oid = GH_OID_TIMESTAMPTZ,
      .typmod = -1,
      .type_sql = { "timestamp with time zone", 24 } },
};

static const gh_relation s_relation = { .schema = { "gatehouse", 9 },
                                        .name = { "my_access", 9 },
                                        .kind = 'v',
                                        .columns = s_columns,
                                        .column_count = COLUMNS };

static const gh_system_relation s_system = { .name = "my_access" };

const gh_system_relation *gh_my_access_find(gh_str schema, gh_str name, const gh_relation **r)
{
    if (!gh_str_eq(schema, s_relation.schema) || !gh_str_eq(name, s_relation.name))
        return NULL;
    *r = &s_relation;
    return &s_system;
}

bool gh_my_access_is(const gh_system_relation *s)
{
    return s == &s_system;
}

/* ---- elements of the arrays ------------------------------------------------------------------ */

static void put(gh_buf *b, gh_str s)
{
    gh_buf_puts(b, b->len == 0 ? "{\"" : ",\"");
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '"' || s.ptr[i] == '\\')
            gh_buf_put_u8(b, '\\');
        gh_buf_put_u8(b, (uint8_t)s.ptr[i]);
    }
    gh_buf_puts(b, "\"");
}

static void put_null(gh_buf *b)
{
    gh_buf_puts(b, b->len == 0 ? "{NULL" : ",NULL");
}

static void put_time(gh_buf *b, int64_t us)
{
    time_t seconds = (time_t)(us / 1000000 - (us % 1000000 < 0));
    struct tm tm;
    char text[80];

    if (us == INT64_MAX || gmtime_r(&seconds, &tm) == NULL) {
        put_null(b);
        return;
    }
    (void)snprintf(text, sizeof(text), "%04d-%02d-%02d %02d:%02d:%02d.%06" PRId64 "+00",
                   tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                   us - (int64_t)seconds * 1000000);
    put(b, gh_str_of(text));
}

static gh_str mask_name(const gh_mask *m)
{
    if (m->kind == GH_MASK_EXPR && gh_str_eq(m->name, m->expr))
        return GH_STR("expression");
    return m->name;
}

/* The masks that cells of the column show, weakest first. */
static void put_masks(gh_buf *out, const gh_column_decision *d)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    for (uint16_t i = 0; i < d->arm_count; i++) {
        if (d->arms[i].mask == NULL)
            continue;
        gh_buf_puts(&b, b.len == 0 ? "" : ", ");
        gh_buf_put_str(&b, mask_name(d->arms[i].mask));
    }
    if (b.len == 0 && d->show == GH_MASKED)
        gh_buf_puts(&b, "null");
    if (b.len == 0)
        put_null(out);
    else
        put(out, gh_buf_str(&b));
    gh_buf_fini(&b);
}

/* Of a view that is expanded the tables inside decide, cell by cell. */
static const char *shows(const gh_column_decision *d, bool is_through)
{
    switch (d->show) {
    case GH_HIDDEN:
        return "unreadable";
    case GH_CLEAR:
        return is_through ? "by row" : "clear";
    case GH_MASKED:
        return "masked";
    case GH_BY_CELL:
        return "by row";
    }
    return "unreadable";
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void put_relation(const gh_judge *j, const gh_relation *r, gh_buf *b)
{
    const gh_decision *d = gh_view_decide(j->in->view, j->in->catalog, r);
    gh_arena *a;
    const gh_str *roles;
    int64_t valid_until;

    if (!d->exists || d->column_count != r->column_count)
        return;
    a = gh_arena_new(0);
    roles = gh_view_sources(j->in->view, j->in->catalog, r, a, &valid_until);
    for (uint16_t i = 0; i < r->column_count; i++) {
        const gh_column_decision *c = &d->columns[i];

        if (c->show == GH_HIDDEN && !c->is_writable[1] && !c->is_writable[2])
            continue;
        put(&b[TABLE_SCHEMA], r->schema);
        put(&b[TABLE_NAME], r->name);
        put(&b[COLUMN_NAME], r->columns[i].name);
        put(&b[SHOWS], gh_str_of(shows(c, d->is_through)));
        put_masks(&b[MASK], c);
        put(&b[ROWS], gh_str_of((d->privileges & GH_SELECT) == 0    ? "none"
                                : d->is_every_row && !d->is_through ? "all"
                                                                    : "filtered"));
        put(&b[ROLES], roles[i]);
        put_time(&b[VALID_UNTIL], valid_until);
    }
    gh_arena_free(a);
}

static bool is_listed(const gh_relation *r)
{
    return r->kind != '\0' && strchr("rpvmfS", r->kind) != NULL &&
           !gh_str_is(r->schema, "pg_catalog") && !gh_str_is(r->schema, "information_schema");
}

/* Types and names of what the arrays hold. */
static char *from_arrays(gh_judge *j, gh_buf *b)
{
    char *arrays = pstrdup("");
    char *names = pstrdup("");

    for (int i = 0; i < COLUMNS; i++) {
        const char *type = i == VALID_UNTIL ? "timestamptz" : "text";

        gh_buf_puts(&b[i], b[i].len == 0 ? "{}" : "}");
        arrays = gh_judge_printf("%s%spg_catalog.unnest(CAST(%s AS pg_catalog.%s[]))", arrays,
                                 i == 0 ? "" : ", ", gh_judge_literal(j, gh_buf_str(&b[i])), type);
        names = gh_judge_printf("%s%s%s", names, i == 0 ? "" : ", ",
                                gh_judge_ident(j, s_columns[i].name));
    }
    return gh_judge_printf("(SELECT %s FROM ROWS FROM (%s) AS gh (%s))", names, arrays, names);
}

char *gh_my_access_sql(gh_judge *j)
{
    gh_buf b[COLUMNS];
    size_t count;
    const gh_relation *const *all = gh_catalog_relations(j->in->catalog, &count);
    bool is_whole = true;
    char *out;

    for (int i = 0; i < COLUMNS; i++)
        gh_buf_init(&b[i], GH_SQL_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        if (is_listed(all[i]))
            put_relation(j, all[i], b);
    }
    for (int i = 0; i < COLUMNS; i++)
        is_whole = is_whole && !b[i].failed;
    if (!is_whole)
        gh_judge_refuse(j, GH_LIMIT, "54000", -1, "statement needs too much memory");
    out = is_whole ? from_arrays(j, b) : NULL;
    for (int i = 0; i < COLUMNS; i++)
        gh_buf_fini(&b[i]);
    return out;
}
