#include "tests.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>

#include "fixture.h"

static gh_catalog *read_now(gh_catalog_reader *r, gh_catalog *previous)
{
    gh_catalog *next = NULL;
    gh_err err = { 0 };

    gh_rc rc = gh_catalog_read(r, previous, &next, &err);
    ck_assert_msg(rc == GH_OK, "%s %s", err.sqlstate, err.detail);
    return next;
}

static void recreate_schema(void)
{
    admin_query(
        "warehouse",
        "DROP SCHEMA IF EXISTS shop CASCADE; CREATE SCHEMA shop; "
        "CREATE TYPE shop.mood AS ENUM ('sad', 'ok'); "
        "CREATE DOMAIN shop.positive AS int CHECK (value > 0); "
        "CREATE TABLE shop.orders (id bigint GENERATED ALWAYS AS IDENTITY, gone int, "
        "\"Amount\" numeric(12,2) NOT NULL DEFAULT 0, mood shop.mood, tags text[], "
        "twice numeric GENERATED ALWAYS AS (\"Amount\" * 2) STORED, n shop.positive, "
        "name varchar(20), PRIMARY KEY (name, id), CONSTRAINT once UNIQUE (mood), "
        "EXCLUDE USING btree ((n + 1) WITH =)); "
        "ALTER TABLE shop.orders DROP COLUMN gone; "
        "CREATE UNIQUE INDEX few ON shop.orders (n) WHERE id > 5; "
        "CREATE INDEX ON shop.orders (n) WHERE id > 6; CREATE UNIQUE INDEX ON shop.orders (n); "
        "CREATE VIEW shop.plain AS SELECT id FROM shop.orders; "
        "CREATE VIEW shop.fenced WITH (security_barrier) AS SELECT id FROM shop.orders; "
        "CREATE TABLE shop.parts (d date) PARTITION BY RANGE (d); "
        "CREATE TABLE shop.part1 PARTITION OF shop.parts FOR VALUES FROM ('2020-01-01') TO "
        "('2021-01-01'); "
        "CREATE TABLE shop.lines (name varchar(20), id bigint, by_whom varchar(20), FOREIGN "
        "KEY (name, id) REFERENCES shop.orders, FOREIGN KEY (by_whom, id) REFERENCES "
        "shop.orders) PARTITION BY LIST (id); "
        "CREATE TABLE shop.line1 PARTITION OF shop.lines FOR VALUES IN (1); "
        "CREATE FUNCTION shop.f(a int, b text DEFAULT 'x') RETURNS SETOF int STABLE STRICT "
        "LANGUAGE sql AS 'SELECT 1'",
        NULL);
}

static void assert_column(const gh_relation *r, const char *name, int attnum, const char *type_sql,
                          const char *what)
{
    const gh_column *c = gh_relation_column(r, gh_str_of(name));
    char facts[64];

    ck_assert_msg(c != NULL, "%s", name);
    ck_assert_int_eq(c->attnum, attnum);
    ck_assert_msg(gh_str_is(c->type_sql, type_sql), GH_STR_FMT, GH_STR_ARG(c->type_sql));
    snprintf(facts, sizeof(facts), "%s%s%c%c", c->is_not_null ? "N" : "-",
             c->has_default ? "D" : "-", c->identity != 0 ? c->identity : '-',
             c->generated != 0 ? c->generated : '-');
    ck_assert_str_eq(facts, what);
}

START_TEST(snapshot_holds_the_catalog)
{
    gh_upstream *u = fixture_upstream("", "");
    gh_catalog_reader *r = gh_catalog_reader_new(u);
    size_t count;

    recreate_schema();
    gh_catalog *c = read_now(r, NULL);
    ck_assert_int_ge(gh_catalog_server_version(c), 150000);
    ck_assert(gh_str_is(gh_catalog_account(c), "gatehouse"));
    ck_assert(gh_str_is(gh_catalog_database(c), "warehouse"));
    const gh_relation *orders = gh_catalog_relation(c, GH_STR("shop"), GH_STR("orders"));
    ck_assert_ptr_nonnull(orders);
    ck_assert_int_eq(orders->kind, 'r');
    ck_assert_int_eq(orders->column_count, 7);
    assert_column(orders, "id", 1, "bigint", "N-a-");
    assert_column(orders, "Amount", 3, "numeric(12,2)", "ND--");
    assert_column(orders, "mood", 4, "shop.mood", "----");
    assert_column(orders, "tags", 5, "text[]", "----");
    assert_column(orders, "twice", 6, "numeric", "-D-s");
    assert_column(orders, "n", 7, "shop.positive", "----");
    assert_column(orders, "name", 8, "character varying(20)", "N---");
    ck_assert_int_eq(orders->primary_key_len, 2);
    ck_assert_int_eq(orders->primary_key[0], 8);
    ck_assert_int_eq(orders->primary_key[1], 1);
    ck_assert_int_eq(orders->partial_key_count, 1);
    ck_assert(gh_str_is(orders->partial_keys[0], "(id > 5)"));
    ck_assert_int_eq(orders->constraint_count, 3);
    ck_assert(gh_str_is(orders->constraints[0].name, "once"));
    ck_assert_int_eq(orders->constraints[0].column_count, 1);
    ck_assert_int_eq(orders->constraints[0].columns[0], 4);
    ck_assert(gh_str_is(orders->constraints[1].name, "orders_expr_excl"));
    ck_assert_int_eq(orders->constraints[1].column_count, 1);
    ck_assert_int_eq(orders->constraints[1].columns[0], 0);
    ck_assert(gh_str_is(orders->constraints[2].name, "orders_pkey"));
    ck_assert_int_eq(orders->constraints[2].column_count, 2);
    ck_assert_int_eq(orders->constraints[2].columns[1], 1);
    /* Once for both keys, and not for the partition's share of them. */
    ck_assert_int_eq(orders->referenced_by_count, 1);
    ck_assert_uint_eq(orders->referenced_by[0],
                      gh_catalog_relation(c, GH_STR("shop"), GH_STR("lines"))->oid);
    ck_assert_int_eq(gh_catalog_relation(c, GH_STR("shop"), GH_STR("lines"))->referenced_by_count,
                     0);
    ck_assert_ptr_eq(gh_catalog_relation_by_oid(c, orders->oid), orders);
    ck_assert(gh_catalog_relation(c, GH_STR("shop"), GH_STR("fenced"))->is_security_barrier);
    ck_assert(!gh_catalog_relation(c, GH_STR("shop"), GH_STR("plain"))->is_security_barrier);
    ck_assert(gh_catalog_relation(c, GH_STR("shop"), GH_STR("part1"))->is_partition);
    ck_assert(!gh_catalog_relation(c, GH_STR("shop"), GH_STR("parts"))->is_partition);
    ck_assert_int_eq(gh_catalog_relation(c, GH_STR("shop"), GH_STR("parts"))->kind, 'p');

    ck_assert(orders->is_inserted_as_written && orders->is_updated_as_written);
    ck_assert(!gh_catalog_relation(c, GH_STR("shop"), GH_STR("plain"))->is_inserted_as_written);

    const gh_type *domain = gh_catalog_type(c, GH_STR("shop"), GH_STR("positive"));
    ck_assert_int_eq(domain->kind, 'd');
    ck_assert_uint_eq(domain->base, 23);
    ck_assert_uint_eq(gh_catalog_type(c, GH_STR("pg_catalog"), GH_STR("_int4"))->element, 23);
    ck_assert_uint_eq(gh_catalog_type(c, GH_STR("pg_catalog"), GH_STR("name"))->element, 0);
    ck_assert_uint_eq(gh_catalog_type_by_oid(c, orders->row_type)->relation, orders->oid);

    const gh_function *const *f = gh_catalog_functions(c, GH_STR("f"), &count);
    ck_assert_uint_eq(count, 1);
    ck_assert(gh_str_is(f[0]->schema, "shop"));
    ck_assert(f[0]->is_strict && f[0]->returns_set && !f[0]->is_builtin);
    ck_assert_int_eq(f[0]->volatility, 's');
    ck_assert_int_eq(f[0]->arg_count, 2);
    ck_assert_uint_eq(f[0]->args[0], 23);
    ck_assert_uint_eq(f[0]->args[1], 25);
    ck_assert_int_eq(f[0]->default_count, 1);
    f = gh_catalog_functions(c, GH_STR("lower"), &count);
    ck_assert_uint_eq(count, 3); /* of text, of a range, of a multirange */
    ck_assert(f[0]->is_builtin && f[1]->is_builtin);
    ck_assert_ptr_nonnull(gh_catalog_operators(c, GH_STR("+"), &count));
    ck_assert_uint_gt(count, 10);
    ck_assert_int_eq(gh_catalog_cast(c, 23, 20)->context, 'i');
    ck_assert(!gh_catalog_cast(c, 23, 20)->is_made);
    ck_assert_uint_ne(gh_catalog_schema(c, GH_STR("information_schema")), 0);
    ck_assert_ptr_nonnull(
        gh_relation_column(gh_catalog_relation(c, GH_STR("information_schema"), GH_STR("columns")),
                           GH_STR("table_name")));
    ck_assert_uint_eq(gh_catalog_schema(c, GH_STR("pg_toast")), 0);
    gh_catalog_release(c);
    gh_catalog_reader_free(r);
    gh_upstream_release(u);
}
END_TEST

/* What a trigger function may write, by its text. */
START_TEST(altered_columns_are_known)
{
    static const struct {
        const char *body;
        const char *columns; /* of a, b and "C d", in this order; NULL: any */
    } expected[] = {
        { "BEGIN RETURN NEW; END", "" },
        { "BEGIN NEW.b := 1; return new ; END", "b" },
        { "BEGIN IF new . A IS NULL THEN RETURN NULL; END IF; NEW.\"C d\" = 1; RETURN NEW; END",
          "aC" },
        { "BEGIN SELECT 1 INTO NEW.b; new_b := 1; RETURN NEW; END", "b" },
        { "BEGIN NEW.b := 1; RETURN OLD; END", NULL },
        { "BEGIN NEW := NULL; RETURN NEW; END", NULL },
        { "DECLARE r record; BEGIN r := NEW; r.a := 1; RETURN r; END", NULL },
        { "DECLARE r ALIAS FOR NEW; BEGIN r.a := 1; RETURN NEW; END", NULL },
        { "BEGIN NEW /**/ .b := 1; RETURN NEW; END", NULL },
        { "BEGIN \"new\".a := 1; RETURN NEW; END", NULL },
        { "BEGIN U&\"\\006eew\".a := 1; RETURN NEW; END", NULL },
        { "BEGIN NEW.\"C\"\"d\" := 1; RETURN NEW; END", NULL },
        { "BEGIN NEW.a\xc3\xa9 := 1; RETURN NEW; END", NULL },
        { "BEGIN SELECT * INTO NEW FROM pg_class; RETURN NEW; END", NULL },
        { "BEGIN RETURN (SELECT 1); END", NULL },
        { "BEGIN INSERT INTO log VALUES (now(), to_jsonb(NEW), row_to_json( new )); RETURN NEW; "
          "END",
          "" },
        { "BEGIN INSERT INTO log SELECT NEW.*; IF NEW.* IS DISTINCT FROM OLD.* THEN NEW.a := 1; "
          "END "
          "IF; RETURN NEW; END",
          "a" },
        { "DECLARE r w.parent := NEW; BEGIN IF OLD IS DISTINCT FROM NEW THEN r.a := f(1, NEW, 2); "
          "END "
          "IF; RETURN NEW; END",
          "" },
        { "DECLARE r record; BEGIN r := NEW; r.a := 1; NEW := r; RETURN NEW; END", NULL },
        { "BEGIN CALL change(NEW); RETURN NEW; END", NULL },
        { "BEGIN SELECT f(NEW) INTO NEW; RETURN NEW; END", NULL },
        { "DECLARE r ALIAS FOR NEW; BEGIN INSERT INTO log VALUES (r); r.a := 1; RETURN NEW; END",
          NULL },
        { "BEGIN NEW:=f(NEW); RETURN NEW; END", NULL },
        { "BEGIN PERFORM f(NEW.a); RETURN f(NEW); END", NULL },
    };
    gh_upstream *u = fixture_upstream("", "");
    gh_catalog_reader *r = gh_catalog_reader_new(u);

    admin_query("warehouse",
                "SET check_function_bodies = off; DROP SCHEMA IF EXISTS w CASCADE; "
                "CREATE SCHEMA w; CREATE TABLE w.parent (a int, b int, \"C d\" int)",
                NULL);
    for (size_t i = 0; i < GH_COUNT(expected); i++) {
        char sql[1024];

        snprintf(
            sql, sizeof(sql),
            "CREATE TABLE w.t%zu (a int, b int, \"C d\" int); SET check_function_bodies = off; "
            "CREATE FUNCTION w.f%zu() RETURNS trigger LANGUAGE plpgsql AS $f$%s$f$; "
            "CREATE TRIGGER x BEFORE INSERT ON w.t%zu FOR EACH ROW EXECUTE FUNCTION w.f%zu()",
            i, i, expected[i].body, i, i);
        admin_query("warehouse", sql, NULL);
    }
    gh_catalog *c = read_now(r, NULL);
    for (size_t i = 0; i < GH_COUNT(expected); i++) {
        char name[16];
        char columns[4] = "";

        snprintf(name, sizeof(name), "t%zu", i);
        const gh_relation *rel = gh_catalog_relation(c, GH_STR("w"), gh_str_of(name));
        ck_assert_ptr_nonnull(rel);
        ck_assert_msg(rel->is_inserted_as_written == (expected[i].columns != NULL), "%s",
                      expected[i].body);
        for (size_t k = 0; k < rel->column_count; k++) {
            ck_assert(!rel->columns[k].is_altered_by_update);
            if (rel->columns[k].is_altered_by_insert)
                columns[strlen(columns)] = rel->columns[k].name.ptr[0];
        }
        ck_assert_str_eq(columns, expected[i].columns != NULL ? expected[i].columns : "");
    }
    gh_catalog_release(c);
    gh_catalog_reader_free(r);
    gh_upstream_release(u);
}
END_TEST

/* Triggers before a row, rules, and partitions or children that have them. */
START_TEST(altered_rows_are_known)
{
    static const struct {
        const char *name;
        bool is_inserted_as_written;
        bool is_updated_as_written;
    } expected[] = {
        { "plain_table", true, true },      { "after_trigger", true, true },
        { "before_statement", true, true }, { "ruled", false, false },
        { "before_trigger", true, false },  { "partitioned", false, false },
        { "good_part", true, true },        { "triggered_part", false, true },
        { "parent", false, true },          { "child", false, true },
        { "partitioned_well", true, true }, { "before_delete", true, true },
    };
    gh_upstream *u = fixture_upstream("", "");
    gh_catalog_reader *r = gh_catalog_reader_new(u);

    admin_query(
        "warehouse",
        "DROP SCHEMA IF EXISTS w CASCADE; CREATE SCHEMA w; SET search_path = w; "
        "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW := NEW; RETURN NEW; "
        "END'; "
        "CREATE TABLE plain_table (a int); CREATE TABLE after_trigger (a int); "
        "CREATE TABLE before_statement (a int); CREATE TABLE ruled (a int); "
        "CREATE TABLE before_trigger (a int); CREATE TABLE parent (a int); "
        "CREATE TABLE child () INHERITS (parent); "
        "CREATE TABLE partitioned (a int) PARTITION BY LIST (a); "
        "CREATE TABLE good_part PARTITION OF partitioned FOR VALUES IN (1); "
        "CREATE TABLE triggered_part PARTITION OF partitioned FOR VALUES IN (2); "
        "CREATE TABLE partitioned_well (a int) PARTITION BY LIST (a); "
        "CREATE TABLE well1 PARTITION OF partitioned_well FOR VALUES IN (1); "
        "CREATE TRIGGER x AFTER UPDATE ON after_trigger FOR EACH ROW EXECUTE FUNCTION t(); "
        "CREATE TRIGGER x BEFORE UPDATE ON before_statement EXECUTE FUNCTION t(); "
        "CREATE TRIGGER x BEFORE UPDATE ON before_trigger FOR EACH ROW EXECUTE FUNCTION t(); "
        "CREATE TRIGGER x BEFORE INSERT ON triggered_part FOR EACH ROW EXECUTE FUNCTION t(); "
        "CREATE TRIGGER x BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION t(); "
        "CREATE TABLE before_delete (a int); "
        "CREATE TRIGGER x BEFORE DELETE ON before_delete FOR EACH ROW EXECUTE FUNCTION t(); "
        "CREATE RULE x AS ON INSERT TO ruled DO ALSO NOTIFY n",
        NULL);
    gh_catalog *c = read_now(r, NULL);
    for (size_t i = 0; i < GH_COUNT(expected); i++) {
        const gh_relation *rel = gh_catalog_relation(c, GH_STR("w"), gh_str_of(expected[i].name));
        ck_assert_ptr_nonnull(rel);
        ck_assert_msg(rel->is_inserted_as_written == expected[i].is_inserted_as_written, "%s",
                      expected[i].name);
        ck_assert_msg(rel->is_updated_as_written == expected[i].is_updated_as_written, "%s",
                      expected[i].name);
    }
    gh_catalog_release(c);
    gh_catalog_reader_free(r);
    gh_upstream_release(u);
}
END_TEST

START_TEST(unchanged_catalog_is_the_same_snapshot)
{
    static const char *const changes[] = {
        "ALTER TABLE shop.orders ADD COLUMN added int",
        "ALTER TABLE shop.orders RENAME COLUMN added TO renamed",
        "ALTER TABLE shop.orders ALTER COLUMN renamed TYPE text",
        "ALTER TABLE shop.orders DROP COLUMN renamed",
        "ALTER VIEW shop.plain SET (security_barrier)",
        "ALTER TABLE shop.orders DROP CONSTRAINT orders_pkey CASCADE",
        "ALTER TABLE shop.orders RENAME CONSTRAINT once TO twice",
        "ALTER TABLE shop.orders ADD CONSTRAINT more UNIQUE (tags)",
        "ALTER FUNCTION shop.f(int, text) VOLATILE",
        "DROP INDEX shop.few",
        "CREATE CAST (shop.mood AS int) WITH FUNCTION shop.m(shop.mood)",
        "CREATE OPERATOR shop.@+ (RIGHTARG = shop.mood, FUNCTION = shop.m)",
        "ALTER TYPE shop.mood RENAME TO feeling",
        "ALTER SCHEMA shop RENAME TO shop2",
        "ALTER SCHEMA shop2 RENAME TO shop",
        "CREATE RULE x AS ON INSERT TO shop.orders DO ALSO NOTIFY n",
        "CREATE TRIGGER x BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE PROCEDURE shop.t()",
        "DROP TABLE shop.parts",
    };
    gh_upstream *u = fixture_upstream("", "");
    gh_catalog_reader *r = gh_catalog_reader_new(u);

    recreate_schema();
    admin_query("warehouse",
                "CREATE FUNCTION shop.m(shop.mood) RETURNS int LANGUAGE sql AS 'SELECT 1'; "
                "CREATE FUNCTION shop.t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; "
                "END'",
                NULL);
    gh_catalog *c = read_now(r, NULL);
    for (size_t i = 0; i < GH_COUNT(changes); i++) {
        gh_catalog *same = read_now(r, c);
        ck_assert_ptr_eq(same, c);
        gh_catalog_release(same);
        admin_query("warehouse", changes[i], NULL);
        gh_catalog *next = read_now(r, c);
        ck_assert_msg(next != c, "not noticed: %s", changes[i]);
        ck_assert_uint_gt(gh_catalog_epoch(next), gh_catalog_epoch(c));
        gh_catalog_release(c);
        c = next;
    }
    ck_assert_ptr_null(gh_catalog_relation(c, GH_STR("shop"), GH_STR("parts")));
    gh_catalog_release(c);
    gh_catalog_reader_free(r);
    gh_upstream_release(u);
}
END_TEST

/* They come and go by the thousand on a busy warehouse. */
START_TEST(what_others_do_in_passing_changes_nothing)
{
    gh_upstream *u = fixture_upstream("", "");
    gh_catalog_reader *r = gh_catalog_reader_new(u);
    char conninfo[256];

    recreate_schema();
    gh_catalog *c = read_now(r, NULL);
    snprintf(conninfo, sizeof(conninfo),
             "host=127.0.0.1 port=%d user=postgres dbname=warehouse sslmode=require",
             fixture_port());
    PGconn *other = PQconnectdb(conninfo);
    PGresult *result = PQexec(other, "CREATE TEMP TABLE passing (a int PRIMARY KEY, b text); "
                                     "INSERT INTO shop.orders (name) VALUES ('x')");
    ck_assert_int_eq(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
    result = PQexec(other, "VACUUM ANALYZE shop.orders");
    ck_assert_int_eq(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
    gh_catalog *same = read_now(r, c);
    ck_assert_ptr_eq(same, c);
    gh_catalog_release(same);
    gh_catalog_reader *fresh = gh_catalog_reader_new(u);
    gh_catalog *all = read_now(fresh, NULL);
    size_t count;
    const gh_str *schemas = gh_catalog_schemas(all, &count);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(strncmp(schemas[i].ptr, "pg_temp", 7) != 0, GH_STR_FMT,
                      GH_STR_ARG(schemas[i]));
    gh_catalog_release(all);
    gh_catalog_reader_free(fresh);
    PQfinish(other);
    gh_catalog_release(c);
    gh_catalog_reader_free(r);
    gh_upstream_release(u);
}
END_TEST

START_TEST(lost_connection_is_made_anew)
{
    gh_upstream *u = fixture_upstream("", "");
    gh_catalog_reader *r = gh_catalog_reader_new(u);
    gh_catalog *next = NULL;
    gh_err err = { 0 };

    recreate_schema();
    gh_catalog *c = read_now(r, NULL);
    admin_query(
        "warehouse",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gatehouse'", NULL);
    ck_assert_int_ne(gh_catalog_read(r, c, &next, &err), GH_OK);
    ck_assert_str_eq(err.sqlstate, "08001");
    next = read_now(r, c);
    ck_assert_ptr_eq(next, c);
    gh_catalog_release(next);
    gh_catalog_release(c);
    gh_catalog_reader_free(r);
    gh_upstream_release(u);
}
END_TEST

static void *stop_soon(void *arg)
{
    struct timespec delay = { 0, 200000000 };

    nanosleep(&delay, NULL);
    gh_catalog_reader_stop(arg);
    return NULL;
}

/* A lock on a catalog makes the read wait for as long as its holder likes. */
START_TEST(stop_ends_a_read)
{
    gh_upstream *u = fixture_upstream("", "");
    gh_catalog_reader *r = gh_catalog_reader_new(u);
    gh_catalog *c = NULL;
    gh_err err = { 0 };
    pthread_t thread;
    char conninfo[256];

    c = read_now(r, NULL);
    snprintf(conninfo, sizeof(conninfo),
             "host=127.0.0.1 port=%d user=postgres dbname=warehouse sslmode=require",
             fixture_port());
    PGconn *other = PQconnectdb(conninfo);
    PGresult *result =
        PQexec(other, "BEGIN; LOCK TABLE pg_catalog.pg_cast IN ACCESS EXCLUSIVE MODE");
    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s", PQerrorMessage(other));
    PQclear(result);
    ck_assert_int_eq(pthread_create(&thread, NULL, stop_soon, r), 0);
    gh_catalog *next = NULL;
    int64_t start_us = gh_clock_us();
    ck_assert_int_eq(gh_catalog_read(r, c, &next, &err), GH_CLOSED);
    ck_assert_int_le(gh_clock_us() - start_us, 5000000);
    pthread_join(thread, NULL);
    ck_assert_int_eq(gh_catalog_read(r, c, &next, &err), GH_CLOSED);
    PQfinish(other);
    gh_catalog_release(c);
    gh_catalog_reader_free(r);
    gh_upstream_release(u);
}
END_TEST

TCase *catalog_read_tests(void)
{
    TCase *t = tcase_create("catalog_read");

    tcase_add_test(t, snapshot_holds_the_catalog);
    tcase_add_test(t, altered_rows_are_known);
    tcase_add_test(t, altered_columns_are_known);
    tcase_add_test(t, unchanged_catalog_is_the_same_snapshot);
    tcase_add_test(t, what_others_do_in_passing_changes_nothing);
    tcase_add_test(t, lost_connection_is_made_anew);
    tcase_add_test(t, stop_ends_a_read);
    return t;
}
