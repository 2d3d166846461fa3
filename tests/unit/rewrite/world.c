#include "rewrite_tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gh_catalog *s_catalog;
static gh_policy *s_policy;
static gh_arena *s_arena;

typedef struct column_spec {
    const char *name;
    gh_oid type;
    const char *type_sql;
} column_spec;

#define PRICE "numeric(15,2)"

static const char *s_definition = ""; /* of the relation that is added next */

/* Of the columns of sales.words. */
static gh_oid collation_of(const char *column)
{
    return strcmp(column, "code") == 0  ? 950
           : strcmp(column, "tag") == 0 ? 951
           : strcmp(column, "odd") == 0 ? 16500 /* one that somebody made */
                                        : 0;
}

static void add_relation(gh_catalog_builder *b, gh_oid oid, const char *schema, const char *name,
                         char kind, const column_spec *specs, uint16_t count)
{
    static const int16_t key[] = { 1 };
    gh_column *columns = calloc(count, sizeof(gh_column));
    gh_relation r = { .oid = oid,
                      .schema = gh_str_of(schema),
                      .name = gh_str_of(name),
                      .kind = kind,
                      .is_inserted_as_written = true,
                      .is_updated_as_written = true,
                      .columns = columns,
                      .column_count = count,
                      .primary_key = kind == 'v' ? NULL : key,
                      .primary_key_len = kind == 'v' ? 0 : 1,
                      .definition = gh_str_of(s_definition) };

    for (uint16_t i = 0; i < count; i++)
        columns[i] =
            (gh_column){ .collation = collation_of(specs[i].name),
                         .name = gh_str_of(specs[i].name),
                         .attnum = (int16_t)(i + 1),
                         .type_oid = specs[i].type,
                         .typmod = strcmp(specs[i].type_sql, PRICE) == 0 ? (15 << 16 | 2) + 4 : -1,
                         .type_sql = gh_str_of(specs[i].type_sql) };
    gh_catalog_add_relation(b, &r);
    free(columns);
}

static void add_view(gh_catalog_builder *b, gh_oid oid, const char *name, const char *definition)
{
    static const column_spec columns[] = { { "id", 23, "integer" }, { "x", 25, "text" } };

    s_definition = definition;
    add_relation(b, oid, "mart", name, 'v', columns, 2);
    s_definition = "";
}

/* Views that are granted with `through`. */
static void add_views(gh_catalog_builder *b)
{
    char name[16];
    char below[64];

    add_view(b, 22000, "v_plain",
             " SELECT orders.id,\n    orders.note AS x\n   FROM sales.orders;");
    add_view(b, 22001, "v_hidden",
             "SELECT o.id, o.secret AS x FROM sales.orders o WHERE o.secret <> 'a';");
    add_view(b, 22002, "v_none", "SELECT p.id, p.name AS x FROM hr.people p;");
    add_view(b, 22003, "v_computed", "SELECT o.id, lower(o.note) AS x FROM sales.orders o;");
    add_view(b, 22004, "v_unsafe",
             "SELECT o.id, o.note AS x FROM sales.orders o WHERE (1 / o.id) = 1;");
    add_view(b, 22005, "v_file", "SELECT 1 AS id, pg_read_file(o.note) AS x FROM sales.orders o;");
    add_view(b, 22006, "v_app", "SELECT o.id, app.leak(o.note) AS x FROM sales.orders o;");
    add_view(b, 22007, "v_unread", "");
    add_view(b, 22008, "v_broken", "SELECT FROM WHERE;");
    add_view(b, 22009, "v_two", "SELECT 1; SELECT 2;");
    add_view(b, 22010, "v_table", "SELECT x.id, x.x FROM sales.nothing x;");
    add_view(b, 22011, "v_outer", "SELECT i.id, i.x FROM inner_.v_inner i;");
    for (int i = 0; i <= GH_SQL_VIEW_DEPTH_MAX; i++) {
        (void)snprintf(name, sizeof(name), "v_depth%d", i);
        (void)snprintf(below, sizeof(below), "SELECT v.id, v.x FROM mart.v_depth%d v;", i - 1);
        add_view(b, 22100 + (gh_oid)i, name,
                 i == 0 ? "SELECT o.id, o.note AS x FROM sales.orders o;" : below);
    }
    for (int i = 0; i <= 10; i++) {
        (void)snprintf(name, sizeof(name), "v_wide%d", i);
        (void)snprintf(below, sizeof(below),
                       "SELECT a.id, b.x FROM mart.v_wide%d a, mart.v_wide%d b;", i - 1, i - 1);
        add_view(b, 22200 + (gh_oid)i, name,
                 i == 0 ? "SELECT o.id, o.note AS x FROM sales.orders o;" : below);
    }
}

static void add_type(gh_catalog_builder *b, gh_oid oid, const char *name, char category)
{
    gh_type t = { .oid = oid,
                  .schema = GH_STR("pg_catalog"),
                  .name = gh_str_of(name),
                  .kind = 'b',
                  .category = category };

    gh_catalog_add_type(b, &t);
}

static void add_function(gh_catalog_builder *b, gh_oid oid, const char *schema, const char *name,
                         char volatility, gh_oid arg)
{
    gh_function f = { .oid = oid,
                      .schema = gh_str_of(schema),
                      .name = gh_str_of(name),
                      .kind = strstr("max sum avg count", name) != NULL ? 'a' : 'f',
                      .volatility = volatility,
                      .is_strict = true,
                      .is_builtin = oid < 16384,
                      .result = 25,
                      .args = &arg,
                      .arg_count = 1 };

    gh_catalog_add_function(b, &f);
}

static gh_catalog *make_catalog(void)
{
    static const column_spec orders[] = { { "id", 23, "integer" },       { "region", 25, "text" },
                                          { "amount", 1700, "numeric" }, { "email", 25, "text" },
                                          { "note", 25, "text" },        { "secret", 25, "text" } };
    static const column_spec regions[] = { { "region", 25, "text" }, { "title", 25, "text" } };
    static const column_spec open[] = { { "id", 23, "integer" }, { "region", 25, "text" } };
    static const column_spec tickets[] = { { "id", 23, "integer" },
                                           { "region", 25, "text" },
                                           { "title", 25, "text" },
                                           { "body", 25, "text" },
                                           { "secret", 25, "text" } };
    static const column_spec people[] = { { "id", 23, "integer" }, { "name", 25, "text" } };
    static const column_spec lines[] = { { "order_id", 23, "integer" },
                                         { "price", 1700, PRICE },
                                         { "rate", 701, "double precision" },
                                         { "shipped", 1082, "date" },
                                         { "at", 1184, "timestamp with time zone" },
                                         { "note", 25, "text" } };
    static const column_spec words[] = {
        { "id", 20, "bigint" },        { "price", 701, "double precision" },
        { "amount", 1700, "numeric" }, { "moment", 1114, "timestamp without time zone" },
        { "code", 25, "text" },        { "tag", 25, "text" },
        { "odd", 25, "text" },         { "note", 25, "text" }
    };
    /* Called like columns of sales.words, so that USING may meet them. */
    static const column_spec class[] = { { "oid", 26, "oid" },
                                         { "id", 26, "oid" },
                                         { "note", 19, "name" } };
    gh_catalog_builder *b = gh_catalog_builder_new();

    gh_catalog_add_schema(b, 11, GH_STR("pg_catalog"));
    gh_catalog_add_schema(b, 20000, GH_STR("sales"));
    gh_catalog_add_schema(b, 20001, GH_STR("ops"));
    gh_catalog_add_schema(b, 20002, GH_STR("hr"));
    gh_catalog_add_schema(b, 20003, GH_STR("mart"));
    gh_catalog_add_schema(b, 20004, GH_STR("inner_"));
    add_type(b, 16, "bool", 'B');
    add_type(b, 19, "name", 'S');
    add_type(b, 20, "int8", 'N');
    add_type(b, 23, "int4", 'N');
    add_type(b, 26, "oid", 'N');
    add_type(b, 700, "float4", 'N');
    add_type(b, 701, "float8", 'N');
    add_type(b, 25, "text", 'S');
    add_type(b, 1700, "numeric", 'N');
    add_type(b, 1082, "date", 'D');
    add_type(b, 1114, "timestamp", 'D');
    add_type(b, 1184, "timestamptz", 'D');
    add_type(b, 1186, "interval", 'T');
    add_type(b, 2205, "regclass", 'N');
    add_function(b, 870, "pg_catalog", "lower", 'i', 25);
    add_function(b, 871, "pg_catalog", "length", 'i', 25);
    add_function(b, 872, "pg_catalog", "max", 'i', 23);
    add_function(b, 873, "pg_catalog", "sum", 'i', 1700);
    add_function(b, 874, "pg_catalog", "avg", 'i', 1700);
    add_function(b, 875, "pg_catalog", "count", 'i', 2276);
    add_function(b, 876, "pg_catalog", "extract", 'i', 1082);
    add_function(b, 877, "pg_catalog", "substring", 'i', 25);
    add_function(b, 1299, "pg_catalog", "now", 's', 1184);
    add_function(b, 2649, "pg_catalog", "clock_timestamp", 'v', 1184);
    add_function(b, 1217, "pg_catalog", "date_trunc", 's', 1184);
    add_function(b, 1159, "pg_catalog", "timezone", 'i', 1184);
    add_function(b, 878, "pg_catalog", "abs", 'i', 1700);
    add_function(b, 879, "pg_catalog", "floor", 'i', 1700);
    add_function(b, 880, "pg_catalog", "rank", 'i', 2276);
    add_function(b, 1066, "pg_catalog", "generate_series", 'i', 23);
    add_function(b, 2331, "pg_catalog", "unnest", 'i', 2277);
    add_function(b, 1000, "pg_catalog", "split_part", 'i', 25);
    add_function(b, 1001, "pg_catalog", "pg_read_file", 'v', 25);
    add_function(b, 17000, "app", "leak", 's', 25);
    add_relation(b, 1259, "pg_catalog", "pg_class", 'r', class, 3);
    add_relation(b, 21000, "sales", "orders", 'r', orders, 6);
    add_relation(b, 21001, "sales", "regions", 'r', regions, 2);
    add_relation(b, 21002, "sales", "v_open", 'v', open, 2);
    add_relation(b, 21003, "ops", "tickets", 'r', tickets, 5);
    add_relation(b, 21004, "hr", "people", 'r', people, 2);
    add_relation(b, 21007, "sales", "lines", 'r', lines, 6);
    add_relation(b, 21008, "sales", "words", 'r', words, 8);
    add_views(b);
    s_definition = "SELECT r.region AS id, r.title AS x FROM sales.regions r;";
    add_relation(b, 21005, "inner_", "v_inner", 'v', regions, 2);
    s_definition = "SELECT t.id, t.title AS region FROM ops.tickets t;";
    add_relation(b, 21006, "inner_", "v_rows", 'v', open, 2);
    s_definition = "";
    gh_catalog_set_server(b, 150018, GH_STR("svc"), GH_STR("wh"));
    return gh_catalog_builder_finish(b, 1);
}

static gh_policy *make_policy(void)
{
    static const gh_str staff[] = { { "staff", 5 } };
    static const gh_str admin[] = { { "admin", 5 } };
    static const gh_str eu[] = { { "EU'x", 4 } };
    static const gh_acl_attribute region = { .name = { "region", 6 }, .values = { eu, 1 } };
    const gh_acl_role roles[] = { { .name = GH_STR("staff") }, { .name = GH_STR("admin") } };
    const gh_acl_user users[] = {
        { .name = GH_STR("alice"),
          .roles = { staff, 1 },
          .attributes = &region,
          .attribute_count = 1 },
        { .name = GH_STR("nora"), .roles = { staff, 1 } },
        { .name = GH_STR("root"), .roles = { admin, 1 } },
        { .name = GH_STR("nobody") },
        { .name = GH_STR("loader"), .roles = { staff, 1 } },
    };
    static const gh_str orders[] = { { "sales.orders", 12 } };
    static const gh_str lookups[] = { { "sales.regions", 13 }, { "sales.v_open", 12 } };
    static const gh_str tickets[] = { { "ops.tickets", 11 } };
    static const gh_str marts[] = { { "mart.*", 6 } };
    static const gh_str people[] = { { "hr.people", 9 } };
    static const gh_str loader[] = { { "user:loader", 11 } };
    static const gh_str rows[] = { { "inner_.v_rows", 13 } };
    static const gh_str lines[] = { { "sales.lines", 11 } };
    static const gh_str words[] = { { "sales.words", 11 } };
    static const gh_str all[] = { { "*.*", 3 } };
    static const gh_str secret[] = { { "secret", 6 } };
    static const gh_acl_column_mask masks[] = { { { "email", 5 },
                                                  { "'***@' || split_part(value, '@', 2)", 35 } } };
    const gh_acl_rule rules[] = {
        { .id = 1,
          .to = { staff, 1 },
          .tables = { orders, 1 },
          .privileges = GH_SELECT,
          .has_columns = true,
          .is_except = true,
          .columns = { secret, 1 },
          .rows = GH_STR("region = attr('region')"),
          .masks = masks,
          .mask_count = 1,
          .valid_from = INT64_MIN,
          .valid_until = INT64_MAX },
        { .id = 2,
          .to = { staff, 1 },
          .tables = { lookups, 2 },
          .privileges = GH_SELECT,
          .valid_from = INT64_MIN,
          .valid_until = INT64_MAX },
        { .id = 3,
          .to = { staff, 1 },
          .tables = { tickets, 1 },
          .privileges = GH_SELECT | GH_INSERT | GH_UPDATE | GH_DELETE,
          .has_columns = true,
          .is_except = true,
          .columns = { secret, 1 },
          .rows = GH_STR("region = attr('region')"),
          .valid_from = INT64_MIN,
          .valid_until = INT64_MAX },
        { .id = 4,
          .to = { admin, 1 },
          .tables = { all, 1 },
          .privileges = GH_ALL_PRIVILEGES,
          .valid_from = INT64_MIN,
          .valid_until = INT64_MAX },
        { .id = 5,
          .to = { staff, 1 },
          .tables = { marts, 1 },
          .privileges = GH_ALL_PRIVILEGES,
          .is_through = true,
          .valid_from = INT64_MIN,
          .valid_until = INT64_MAX },
        { .id = 6,
          .to = { staff, 1 },
          .tables = { rows, 1 },
          .privileges = GH_SELECT,
          .rows = GH_STR("1 / id = 1"),
          .is_through = true,
          .valid_from = INT64_MIN,
          .valid_until = INT64_MAX },
        { .id = 7,
          .to = { loader, 1 },
          .tables = { people, 1 },
          .privileges = GH_INSERT,
          .valid_from = INT64_MIN,
          .valid_until = INT64_MAX },
        { .id = 8,
          .to = { staff, 1 },
          .tables = { lines, 1 },
          .privileges = GH_SELECT,
          .rows = GH_STR("order_id > 7"),
          .valid_from = INT64_MIN,
          .valid_until = INT64_MAX },
        { .id = 9,
          .to = { staff, 1 },
          .tables = { words, 1 },
          .privileges = GH_SELECT,
          .rows = GH_STR("id > 7"),
          .valid_from = INT64_MIN,
          .valid_until = INT64_MAX },
    };
    const gh_acl acl = { .version = 1,
                         .users = users,
                         .user_count = 5,
                         .roles = roles,
                         .role_count = 2,
                         .rules = rules,
                         .rule_count = GH_COUNT(rules) };
    gh_policy *policy = NULL;
    gh_err err = { 0 };

    ck_assert_msg(gh_policy_compile(&acl, &policy, &err) == GH_OK, "%s", err.public_msg);
    return policy;
}

void world_setup(void)
{
    s_catalog = make_catalog();
    s_policy = make_policy();
    s_arena = gh_arena_new(GH_SQL_MEMORY_MAX);
}

void world_teardown(void)
{
    gh_arena_free(s_arena);
    gh_policy_release(s_policy);
    gh_catalog_release(s_catalog);
}

const gh_plan *rewrite_within(const char *user, const char *sql, size_t added_max, size_t *count,
                              gh_err *err)
{
    static const gh_str path[] = { { "public", 6 }, { "sales", 5 } };
    gh_view *view = gh_view_new(s_policy, GH_STR("wh"), gh_str_of(user), 0);
    gh_rewrite_input in = { .sql = gh_str_of(sql),
                            .catalog = s_catalog,
                            .view = view,
                            .database = GH_STR("wh"),
                            .search_path = { path, 2 },
                            .search_path_text = GH_STR("public, sales"),
                            .client_encoding = GH_STR("UTF8"),
                            .added_max = added_max };
    const gh_plan *plans = NULL;
    gh_rc rc = gh_rewrite(&in, s_arena, &plans, count, err);

    gh_view_release(view);
    return rc == GH_OK ? plans : NULL;
}

const gh_plan *rewrite_as(const char *user, const char *sql, size_t *count, gh_err *err)
{
    return rewrite_within(user, sql, 0, count, err);
}

const gh_plan *plan_as(const char *user, const char *sql)
{
    gh_err err = { 0 };
    size_t count = 0;
    const gh_plan *plan = rewrite_as(user, sql, &count, &err);

    ck_assert_msg(plan != NULL, "%s: %s %s", sql, err.sqlstate, err.public_msg);
    ck_assert_uint_eq(count, 1);
    return plan;
}

void check_sent(const char *user, const char *sql, const char *sent)
{
    const gh_plan *p = plan_as(user, sql);

    ck_assert_msg(p->kind != GH_STMT_REFUSED, "%s: %s %s (%s)", sql, p->error.sqlstate,
                  p->error.public_msg, p->error.detail);
    ck_assert_str_eq(p->sql.ptr, sent);
}

void check_refused(const char *user, const char *sql, const char *sqlstate, const char *message)
{
    const gh_plan *p = plan_as(user, sql);

    ck_assert_msg(p->kind == GH_STMT_REFUSED, "%s: sent as %s", sql, p->sql.ptr);
    ck_assert_str_eq(p->error.sqlstate, sqlstate);
    ck_assert_str_eq(p->error.public_msg, message);
    ck_assert_uint_eq(p->sql.len, 0);
}
