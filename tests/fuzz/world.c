#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OID_BOOL = 16,
    OID_NAME = 19,
    OID_INT8 = 20,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_OID = 26,
    OID_JSON = 114,
    OID_FLOAT8 = 701,
    OID_INT4_ARRAY = 1007,
    OID_TEXT_ARRAY = 1009,
    OID_VARCHAR = 1043,
    OID_DATE = 1082,
    OID_TIMESTAMP = 1114,
    OID_TIMESTAMPTZ = 1184,
    OID_INTERVAL = 1186,
    OID_NUMERIC = 1700,
    OID_REGCLASS = 2205,
    OID_REGTYPE = 2206,
    OID_ANY = 2276,
    OID_ANYARRAY = 2277,
    OID_ANYELEMENT = 2283,
    OID_RECORD = 2249,
    OID_JSONB = 3802
};

typedef struct type_spec {
    gh_oid oid;
    const char *name;
    char kind;
    char category;
    gh_oid element;
} type_spec;

static const type_spec s_types[] = {
    { OID_BOOL, "bool", 'b', 'B', 0 },
    { 18, "char", 'b', 'S', 0 },
    { OID_NAME, "name", 'b', 'S', 0 },
    { OID_INT8, "int8", 'b', 'N', 0 },
    { 21, "int2", 'b', 'N', 0 },
    { OID_INT4, "int4", 'b', 'N', 0 },
    { OID_TEXT, "text", 'b', 'S', 0 },
    { OID_OID, "oid", 'b', 'N', 0 },
    { OID_JSON, "json", 'b', 'U', 0 },
    { 142, "xml", 'b', 'U', 0 },
    { 700, "float4", 'b', 'N', 0 },
    { OID_FLOAT8, "float8", 'b', 'N', 0 },
    { 705, "unknown", 'p', 'X', 0 },
    { 1042, "bpchar", 'b', 'S', 0 },
    { OID_VARCHAR, "varchar", 'b', 'S', 0 },
    { OID_DATE, "date", 'b', 'D', 0 },
    { 1083, "time", 'b', 'D', 0 },
    { OID_TIMESTAMP, "timestamp", 'b', 'D', 0 },
    { OID_TIMESTAMPTZ, "timestamptz", 'b', 'D', 0 },
    { OID_INTERVAL, "interval", 'b', 'T', 0 },
    { 869, "inet", 'b', 'I', 0 },
    { 1560, "bit", 'b', 'V', 0 },
    { OID_NUMERIC, "numeric", 'b', 'N', 0 },
    { OID_REGCLASS, "regclass", 'b', 'N', 0 },
    { OID_REGTYPE, "regtype", 'b', 'N', 0 },
    { OID_RECORD, "record", 'p', 'P', 0 },
    { 2275, "cstring", 'p', 'P', 0 },
    { OID_ANY, "any", 'p', 'P', 0 },
    { OID_ANYARRAY, "anyarray", 'p', 'P', 0 },
    { OID_ANYELEMENT, "anyelement", 'p', 'P', 0 },
    { 2950, "uuid", 'b', 'U', 0 },
    { OID_JSONB, "jsonb", 'b', 'U', 0 },
    { OID_INT4_ARRAY, "_int4", 'b', 'A', OID_INT4 },
    { OID_TEXT_ARRAY, "_text", 'b', 'A', OID_TEXT },
};

typedef struct function_spec {
    const char *name;
    char kind; /* f, a, w; s: a function that returns a set */
    char volatility;
    gh_oid result;
    gh_oid args[3];
} function_spec;

static const function_spec s_functions[] = {
    { "lower", 'f', 'i', OID_TEXT, { OID_TEXT } },
    { "upper", 'f', 'i', OID_TEXT, { OID_TEXT } },
    { "length", 'f', 'i', OID_INT4, { OID_TEXT } },
    { "substr", 'f', 'i', OID_TEXT, { OID_TEXT, OID_INT4, OID_INT4 } },
    { "substring", 'f', 'i', OID_TEXT, { OID_TEXT, OID_INT4 } },
    { "position", 'f', 'i', OID_INT4, { OID_TEXT, OID_TEXT } },
    { "overlay", 'f', 'i', OID_TEXT, { OID_TEXT, OID_TEXT, OID_INT4 } },
    { "btrim", 'f', 'i', OID_TEXT, { OID_TEXT } },
    { "split_part", 'f', 'i', OID_TEXT, { OID_TEXT, OID_TEXT, OID_INT4 } },
    { "replace", 'f', 'i', OID_TEXT, { OID_TEXT, OID_TEXT, OID_TEXT } },
    { "concat", 'f', 's', OID_TEXT, { OID_ANY } },
    { "abs", 'f', 'i', OID_INT4, { OID_INT4 } },
    { "round", 'f', 'i', OID_NUMERIC, { OID_NUMERIC, OID_INT4 } },
    { "date_trunc", 'f', 's', OID_TIMESTAMPTZ, { OID_TEXT, OID_TIMESTAMPTZ } },
    { "extract", 'f', 'i', OID_NUMERIC, { OID_TEXT, OID_TIMESTAMP } },
    { "timezone", 'f', 'i', OID_TIMESTAMP, { OID_TEXT, OID_TIMESTAMPTZ } },
    { "overlaps", 'f', 'i', OID_BOOL, { OID_TIMESTAMP, OID_TIMESTAMP, OID_TIMESTAMP } },
    { "to_char", 'f', 's', OID_TEXT, { OID_TIMESTAMPTZ, OID_TEXT } },
    { "now", 'f', 's', OID_TIMESTAMPTZ, { 0 } },
    { "row_to_json", 'f', 's', OID_JSON, { OID_RECORD } },
    { "to_jsonb", 'f', 's', OID_JSONB, { OID_ANYELEMENT } },
    { "array_to_string", 'f', 's', OID_TEXT, { OID_ANYARRAY, OID_TEXT } },
    { "array_length", 'f', 'i', OID_INT4, { OID_ANYARRAY, OID_INT4 } },
    { "like_escape", 'f', 'i', OID_TEXT, { OID_TEXT, OID_TEXT } },
    { "similar_to_escape", 'f', 'i', OID_TEXT, { OID_TEXT, OID_TEXT } },
    { "is_normalized", 'f', 'i', OID_BOOL, { OID_TEXT, OID_TEXT } },
    { "generate_series", 's', 'i', OID_INT4, { OID_INT4, OID_INT4 } },
    { "unnest", 's', 'i', OID_ANYELEMENT, { OID_ANYARRAY } },
    { "count", 'a', 'i', OID_INT8, { OID_ANY } },
    { "sum", 'a', 'i', OID_NUMERIC, { OID_NUMERIC } },
    { "avg", 'a', 'i', OID_NUMERIC, { OID_NUMERIC } },
    { "min", 'a', 'i', OID_INT4, { OID_INT4 } },
    { "max", 'a', 'i', OID_INT4, { OID_INT4 } },
    { "bool_and", 'a', 'i', OID_BOOL, { OID_BOOL } },
    { "string_agg", 'a', 'i', OID_TEXT, { OID_TEXT, OID_TEXT } },
    { "array_agg", 'a', 'i', OID_ANYARRAY, { OID_ANYELEMENT } },
    { "percentile_disc", 'a', 'i', OID_ANYELEMENT, { OID_FLOAT8, OID_ANYELEMENT } },
    { "row_number", 'w', 'i', OID_INT8, { 0 } },
    { "rank", 'w', 'i', OID_INT8, { 0 } },
    { "lag", 'w', 'i', OID_ANYELEMENT, { OID_ANYELEMENT } },
    { "current_database", 'f', 's', OID_NAME, { 0 } },
    { "current_schema", 'f', 's', OID_NAME, { 0 } },
    { "current_schemas", 'f', 's', OID_TEXT_ARRAY, { OID_BOOL } },
    { "current_setting", 'f', 's', OID_TEXT, { OID_TEXT } },
    { "set_config", 'f', 'v', OID_TEXT, { OID_TEXT, OID_TEXT, OID_BOOL } },
    { "version", 'f', 's', OID_TEXT, { 0 } },
    { "format_type", 'f', 's', OID_TEXT, { OID_OID, OID_INT4 } },
    { "obj_description", 'f', 's', OID_TEXT, { OID_OID, OID_NAME } },
    { "pg_get_expr", 'f', 's', OID_TEXT, { 194, OID_OID } },
    { "pg_table_is_visible", 'f', 's', OID_BOOL, { OID_OID } },
    { "has_table_privilege", 'f', 's', OID_BOOL, { OID_TEXT, OID_TEXT } },
    { "to_regclass", 'f', 's', OID_REGCLASS, { OID_TEXT } },
    { "pg_read_file", 'f', 'v', OID_TEXT, { OID_TEXT } },
    { "query_to_xml", 'f', 'v', 142, { OID_TEXT } },
    { "nextval", 'f', 'v', OID_INT8, { OID_REGCLASS } },
    { "random", 'f', 'v', OID_FLOAT8, { 0 } },
};

typedef struct relation_spec {
    gh_oid oid;
    const char *schema;
    const char *name;
    char kind;
    const char *columns[7];
    gh_oid types[7];
} relation_spec;

static const relation_spec s_relations[] = {
    { 21000,
      "shop",
      "orders",
      'r',
      { "id", "region", "amount", "email", "note", "secret" },
      { OID_INT4, OID_TEXT, OID_NUMERIC, OID_TEXT, OID_TEXT, OID_TEXT } },
    { 21001, "shop", "regions", 'r', { "region", "title" }, { OID_TEXT, OID_TEXT } },
    { 21002, "shop", "v_open", 'v', { "id", "region" }, { OID_INT4, OID_TEXT } },
    { 21003,
      "shop",
      "mixed",
      'r',
      { "id", "region", "a", "b", "c" },
      { OID_INT4, OID_TEXT, OID_DATE, OID_INT4_ARRAY, OID_JSONB } },
    { 21004,
      "ops",
      "tickets",
      'r',
      { "id", "region", "title", "body", "secret" },
      { OID_INT4, OID_TEXT, OID_TEXT, OID_VARCHAR, OID_TEXT } },
    { 21005, "hr", "people", 'r', { "id", "name" }, { OID_INT4, OID_TEXT } },
};

const char *const fuzz_words[] = { "orders",
                                   "regions",
                                   "v_open",
                                   "mixed",
                                   "tickets",
                                   "people",
                                   "shop",
                                   "ops",
                                   "hr",
                                   "id",
                                   "region",
                                   "amount",
                                   "email",
                                   "note",
                                   "secret",
                                   "title",
                                   "a",
                                   "b",
                                   "c",
                                   "body",
                                   "name",
                                   "o",
                                   "t",
                                   "gh",
                                   "shop.orders",
                                   "ops.tickets",
                                   "hr.people",
                                   "shop.mixed",
                                   "pg_class",
                                   "pg_catalog",
                                   "lower",
                                   "count",
                                   "sum",
                                   "max",
                                   "generate_series",
                                   "unnest",
                                   "row_to_json",
                                   "now",
                                   "lib.leak",
                                   "select",
                                   "from",
                                   "where",
                                   "group by",
                                   "having",
                                   "order by",
                                   "limit",
                                   "offset",
                                   "union",
                                   "intersect",
                                   "except",
                                   "all",
                                   "distinct",
                                   "on",
                                   "using (id)",
                                   "using (region)",
                                   "natural join",
                                   "left join",
                                   "full join",
                                   "cross join",
                                   "join",
                                   "lateral",
                                   "with",
                                   "recursive",
                                   "materialized",
                                   "as",
                                   "in",
                                   "not",
                                   "exists",
                                   "any",
                                   "some",
                                   "between",
                                   "and",
                                   "or",
                                   "is null",
                                   "is true",
                                   "like",
                                   "similar to",
                                   "case",
                                   "when",
                                   "then",
                                   "else",
                                   "end",
                                   "cast(",
                                   "::text",
                                   "::regclass",
                                   "::int4[]",
                                   "array[",
                                   "row(",
                                   "(",
                                   ")",
                                   ",",
                                   ".",
                                   "*",
                                   "=",
                                   "<>",
                                   "||",
                                   "+",
                                   "-",
                                   "/",
                                   "@>",
                                   "->>",
                                   "insert into",
                                   "values",
                                   "default values",
                                   "update",
                                   "set",
                                   "delete from",
                                   "merge into",
                                   "when matched then",
                                   "returning",
                                   "on conflict",
                                   "do nothing",
                                   "do update set",
                                   "excluded",
                                   "for update",
                                   "tablesample system (1)",
                                   "grouping sets",
                                   "rollup",
                                   "cube",
                                   "filter (where",
                                   "over (partition by",
                                   "within group (order by",
                                   "rows between 1 preceding and current row",
                                   "window w as (",
                                   "copy",
                                   "to stdout",
                                   "from stdin",
                                   "declare c cursor for",
                                   "prepare p as",
                                   "execute p",
                                   "explain",
                                   "set search_path to",
                                   "show",
                                   "begin",
                                   "$1",
                                   "'x'",
                                   "E'\\\\'",
                                   "$$x$$",
                                   "U&'\\0061'",
                                   "\"Q q\"",
                                   "1",
                                   "1.5e3",
                                   "null",
                                   "true",
                                   "''",
                                   "x'1F'",
                                   "at time zone 'UTC'",
                                   "collate \"C\"",
                                   "current_user",
                                   "current_date",
                                   "current_schema",
                                   "only",
                                   "ordinality",
                                   "fetch first 2 rows with ties",
                                   "/* c */",
                                   "-- c\n",
                                   ";" };
const size_t fuzz_word_count = GH_COUNT(fuzz_words);

static gh_catalog *s_catalog;
static gh_policy *s_policy;
static gh_arena *s_arena;
static gh_view *s_views[FUZZ_USERS];

_Noreturn void fuzz_fail(const char *why, gh_str first, gh_str second)
{
    fprintf(stderr,
            "== %s\n-- the client's text\n" GH_STR_FMT "\n-- what came of it\n" GH_STR_FMT "\n",
            why, GH_STR_ARG(first), GH_STR_ARG(second));
    abort();
}

static void add_relation(gh_catalog_builder *b, const relation_spec *spec)
{
    static const int16_t key[] = { 1 };
    gh_column columns[7] = { 0 };
    gh_relation r = { .oid = spec->oid,
                      .schema = gh_str_of(spec->schema),
                      .name = gh_str_of(spec->name),
                      .kind = spec->kind,
                      .is_inserted_as_written = true,
                      .is_updated_as_written = true,
                      .columns = columns,
                      .primary_key = key,
                      .primary_key_len = spec->kind == 'r' };

    for (; r.column_count < GH_COUNT(columns) && spec->columns[r.column_count] != NULL;
         r.column_count++) {
        uint16_t i = r.column_count;
        const char *type = "text";

        for (size_t k = 0; k < GH_COUNT(s_types); k++)
            type = s_types[k].oid == spec->types[i] ? s_types[k].name : type;
        columns[i] = (gh_column){ .name = gh_str_of(spec->columns[i]),
                                  .attnum = (int16_t)(i + 1),
                                  .type_oid = spec->types[i],
                                  .typmod = -1,
                                  .type_sql = gh_str_of(type) };
    }
    gh_catalog_add_relation(b, &r);
}

static void add_function(gh_catalog_builder *b, gh_oid oid, const char *schema,
                         const function_spec *spec)
{
    gh_function f = { .oid = oid,
                      .schema = gh_str_of(schema),
                      .name = gh_str_of(spec->name),
                      .kind = spec->kind == 's' ? 'f' : spec->kind,
                      .volatility = spec->volatility,
                      .is_strict = true,
                      .returns_set = spec->kind == 's',
                      .is_builtin = oid < 16384,
                      .result = spec->result,
                      .args = spec->args };

    while (f.arg_count < GH_COUNT(spec->args) && spec->args[f.arg_count] != 0)
        f.arg_count++;
    gh_catalog_add_function(b, &f);
}

static void make_catalog(void)
{
    static const function_spec leak = { "leak", 'f', 'v', OID_TEXT, { OID_TEXT } };
    static const function_spec listed = { "geo", 'f', 's', OID_TEXT, { OID_TEXT } };
    gh_catalog_builder *b = gh_catalog_builder_new();

    gh_catalog_add_schema(b, 11, GH_STR("pg_catalog"));
    gh_catalog_add_schema(b, 20000, GH_STR("shop"));
    gh_catalog_add_schema(b, 20001, GH_STR("ops"));
    gh_catalog_add_schema(b, 20002, GH_STR("hr"));
    gh_catalog_add_schema(b, 20003, GH_STR("lib"));
    for (size_t i = 0; i < GH_COUNT(s_types); i++) {
        gh_type t = { .oid = s_types[i].oid,
                      .schema = GH_STR("pg_catalog"),
                      .name = gh_str_of(s_types[i].name),
                      .kind = s_types[i].kind,
                      .category = s_types[i].category,
                      .element = s_types[i].element };
        gh_catalog_add_type(b, &t);
    }
    for (size_t i = 0; i < GH_COUNT(s_functions); i++)
        add_function(b, 1000 + (gh_oid)i, "pg_catalog", &s_functions[i]);
    add_function(b, 17000, "lib", &leak);
    add_function(b, 17001, "lib", &listed);
    for (size_t i = 0; i < GH_COUNT(s_relations); i++)
        add_relation(b, &s_relations[i]);
    gh_catalog_set_server(b, 150018, GH_STR("svc"), GH_STR("wh"));
    s_catalog = gh_catalog_builder_finish(b, 1);
}

static const char s_policy_text[] =
    "version: 1\n"
    "roles:\n"
    "  staff: { description: some, may: [explain] }\n"
    "  admin: { description: all, may: [explain] }\n"
    "users:\n"
    "  alice: { roles: [staff], attributes: { region: \"EU'x\" } }\n"
    "  root: { roles: [admin] }\n"
    "grants:\n"
    "  - { to: [staff], tables: [shop.orders], columns: { except: [secret] }, rows: \"region = "
    "attr('region')\",\n"
    "      mask: { email: \"'***@' || split_part(value, '@', 2)\" } }\n"
    "  - { to: [staff], tables: [shop.regions, shop.v_open] }\n"
    "  - { to: [staff], tables: [shop.mixed], columns: [id, region, a], rows: \"id < 10\" }\n"
    "  - { to: [staff], tables: [shop.mixed], columns: [id, b, c], rows: \"region = "
    "attr('region')\", mask: { c: 'null' } }\n"
    "  - { to: [staff], tables: [ops.tickets], privileges: [select, insert, update, delete], "
    "columns: { except: [secret] },\n"
    "      rows: \"region = attr('region')\" }\n"
    "  - { to: [admin], tables: ['*.*'], privileges: [select, insert, update, delete, truncate] }\n"
    "functions:\n"
    "  - { to: [staff], allow: [lib.geo] }\n";

static void setup(void)
{
    const gh_policy_file file = { GH_STR("policy.yaml"), gh_str_of(s_policy_text) };
    gh_err err = { 0 };
    gh_arena *a = gh_arena_new(GH_SQL_MEMORY_MAX);
    gh_acl acl = { 0 };

    make_catalog();
    if (gh_policy_read_files(&file, 1, a, &acl, &err) != GH_OK ||
        gh_policy_compile(&acl, &s_policy, &err) != GH_OK)
        fuzz_fail("the policy", file.text, gh_str_of(err.public_msg));
    gh_arena_free(a);
    s_arena = gh_arena_new(GH_SQL_MEMORY_MAX);
    s_views[0] = gh_view_new(s_policy, GH_STR("wh"), GH_STR("alice"), 0);
    s_views[1] = gh_view_new(s_policy, GH_STR("wh"), GH_STR("root"), 0);
}

gh_rc fuzz_rewrite(int user, gh_str sql, bool is_extended, const gh_plan **plans, size_t *count,
                   gh_err *err)
{
    static const gh_str path[] = { { "public", 6 }, { "shop", 4 }, { "ops", 3 } };

    if (s_catalog == NULL)
        setup();
    gh_arena_reset(s_arena);
    gh_rewrite_input in = { .sql = sql,
                            .catalog = s_catalog,
                            .view = s_views[user],
                            .database = GH_STR("wh"),
                            .search_path = { path, GH_COUNT(path) },
                            .search_path_text = GH_STR("public, shop, ops"),
                            .client_encoding = GH_STR("UTF8"),
                            .is_extended = is_extended };

    return gh_rewrite(&in, s_arena, plans, count, err);
}
