/* The snapshot against a naive search of what was put in. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <gatehouse/catalog.h>

static gh_relation relation_of(gh_oid oid, gh_str schema, gh_str name, const gh_column *columns,
                               uint16_t count)
{
    return (gh_relation){ .oid = oid,
                          .schema = schema,
                          .name = name,
                          .kind = 'r',
                          .columns = columns,
                          .column_count = count };
}

/* ---- contents ------------------------------------------------------------------------------- */

/* What the builder was given may go away, and comes back as it was. */
START_TEST(contents_are_copied)
{
    gh_catalog_builder *b = gh_catalog_builder_new();
    char schema[] = "sales";
    char name[] = "orders";
    char column_name[] = "amount";
    char type_sql[] = "numeric(12,2)";
    int16_t key[] = { 3, 1 };
    gh_oid references[] = { 16500, 16400 };
    gh_column columns[] = { { .name = GH_STR("id"), .attnum = 1, .type_oid = 20, .typmod = -1 },
                            { .name = { column_name, 6 },
                              .attnum = 3,
                              .type_oid = 1700,
                              .typmod = 786438,
                              .type_sql = { type_sql, 13 },
                              .is_not_null = true,
                              .generated = 's' } };
    gh_constraint constraint = { .name = { column_name, 6 }, .columns = key, .column_count = 2 };
    gh_relation r = relation_of(16400, (gh_str){ schema, 5 }, (gh_str){ name, 6 }, columns, 2);

    r.primary_key = key;
    r.primary_key_len = 2;
    r.partial_keys = &constraint.name;
    r.partial_key_count = 1;
    r.constraints = &constraint;
    r.constraint_count = 1;
    r.referenced_by = references;
    r.referenced_by_count = 2;
    gh_catalog_add_schema(b, 2200, (gh_str){ schema, 5 });
    gh_catalog_add_relation(b, &r);
    gh_catalog_set_server(b, 150020, (gh_str){ name, 6 }, (gh_str){ schema, 5 });
    memset(schema, '#', 5);
    memset(name, '#', 6);
    memset(column_name, '#', 6);
    memset(type_sql, '#', 13);
    memset(columns, 0xff, sizeof(columns));
    memset(&constraint, 0xff, sizeof(constraint));
    memset(key, 0, sizeof(key));
    memset(references, 0, sizeof(references));
    gh_catalog *c = gh_catalog_builder_finish(b, 7);

    ck_assert_uint_eq(gh_catalog_epoch(c), 7);
    ck_assert_int_eq(gh_catalog_server_version(c), 150020);
    ck_assert(gh_str_is(gh_catalog_account(c), "orders"));
    ck_assert(gh_str_is(gh_catalog_database(c), "sales"));
    ck_assert_uint_eq(gh_catalog_schema(c, GH_STR("sales")), 2200);
    const gh_relation *found = gh_catalog_relation(c, GH_STR("sales"), GH_STR("orders"));
    ck_assert_ptr_nonnull(found);
    ck_assert_ptr_eq(gh_catalog_relation_by_oid(c, 16400), found);
    ck_assert_int_eq(found->primary_key[0], 3);
    ck_assert_int_eq(found->primary_key[1], 1);
    ck_assert_int_eq(found->partial_key_count, 1);
    ck_assert(gh_str_is(found->partial_keys[0], "amount"));
    ck_assert_int_eq(found->constraint_count, 1);
    ck_assert_int_eq(found->referenced_by_count, 2);
    ck_assert_uint_eq(found->referenced_by[0], 16500);
    ck_assert_uint_eq(found->referenced_by[1], 16400);
    ck_assert(gh_str_is(found->constraints[0].name, "amount"));
    ck_assert_int_eq(found->constraints[0].column_count, 2);
    ck_assert_int_eq(found->constraints[0].columns[0], 3);
    const gh_column *amount = gh_relation_column(found, GH_STR("amount"));
    ck_assert_ptr_nonnull(amount);
    ck_assert_int_eq(amount->attnum, 3);
    ck_assert_int_eq(amount->typmod, 786438);
    ck_assert(gh_str_is(amount->type_sql, "numeric(12,2)"));
    ck_assert(amount->is_not_null);
    ck_assert_int_eq(amount->generated, 's');
    gh_catalog_release(c);
}
END_TEST

START_TEST(what_is_not_there_is_not_found)
{
    gh_catalog_builder *b = gh_catalog_builder_new();
    size_t count = 99;
    gh_relation r = relation_of(5, GH_STR("s"), GH_STR("t"), NULL, 0);

    gh_catalog_add_relation(b, &r);
    gh_catalog *c = gh_catalog_builder_finish(b, 1);
    ck_assert_ptr_null(gh_catalog_relation(c, GH_STR("s"), GH_STR("T"))); /* exact */
    ck_assert_ptr_null(gh_catalog_relation(c, GH_STR("S"), GH_STR("t")));
    ck_assert_ptr_null(gh_catalog_relation(c, GH_STR("st"), GH_STR("")));
    ck_assert_ptr_null(gh_catalog_relation(c, GH_STR(""), GH_STR("st")));
    ck_assert_ptr_null(gh_catalog_relation(c, (gh_str){ 0 }, (gh_str){ 0 }));
    ck_assert_ptr_null(gh_catalog_relation_by_oid(c, 0));
    ck_assert_ptr_null(gh_catalog_type(c, GH_STR("s"), GH_STR("t")));
    ck_assert_ptr_null(gh_catalog_type_by_oid(c, 5));
    ck_assert_ptr_null(gh_catalog_functions(c, GH_STR("f"), &count));
    ck_assert_uint_eq(count, 0);
    ck_assert_ptr_null(gh_catalog_operators(c, GH_STR("+"), &count));
    ck_assert_ptr_null(gh_catalog_function_by_oid(c, 5));
    ck_assert_ptr_null(gh_catalog_cast(c, 5, 5));
    ck_assert_uint_eq(gh_catalog_schema(c, GH_STR("s")), 0);
    ck_assert_ptr_null(gh_relation_column(gh_catalog_relation_by_oid(c, 5), GH_STR("a")));
    gh_catalog_release(c);
    gh_catalog_builder_free(NULL);
    gh_catalog_release(NULL);
    gh_catalog_builder_free(gh_catalog_builder_new()); /* never finished */
}
END_TEST

START_TEST(lists_are_sorted)
{
    static const char *const names[] = { "b", "a", "ab", "A", "\"", "\xc3\xa4", "z" };
    gh_catalog_builder *b = gh_catalog_builder_new();
    size_t count;

    for (size_t i = 0; i < GH_COUNT(names); i++) {
        for (size_t k = 0; k < GH_COUNT(names); k++) {
            gh_relation r = relation_of((gh_oid)(i * 100 + k + 1), gh_str_of(names[i]),
                                        gh_str_of(names[k]), NULL, 0);
            gh_catalog_add_relation(b, &r);
        }
        gh_catalog_add_schema(b, (gh_oid)(i + 1), gh_str_of(names[i]));
    }
    gh_catalog *c = gh_catalog_builder_finish(b, 1);
    const gh_relation *const *all = gh_catalog_relations(c, &count);
    ck_assert_uint_eq(count, GH_COUNT(names) * GH_COUNT(names));
    for (size_t i = 1; i < count; i++) {
        int order = gh_str_cmp(all[i - 1]->schema, all[i]->schema);
        ck_assert(order < 0 || (order == 0 && gh_str_cmp(all[i - 1]->name, all[i]->name) < 0));
    }
    const gh_str *schemas = gh_catalog_schemas(c, &count);
    ck_assert_uint_eq(count, GH_COUNT(names));
    for (size_t i = 1; i < count; i++)
        ck_assert_int_lt(gh_str_cmp(schemas[i - 1], schemas[i]), 0);
    for (size_t i = 0; i < GH_COUNT(names); i++)
        ck_assert_uint_eq(gh_catalog_schema(c, gh_str_of(names[i])), i + 1);
    gh_catalog_release(c);
}
END_TEST

/* Every overload of a name, and no other, in any schema; every operator; casts by direction. */
START_TEST(overloads_come_together)
{
    gh_catalog_builder *b = gh_catalog_builder_new();
    gh_oid args[3] = { 23, 25, 1700 };
    char output[] = "key";
    gh_out_param outputs[2] = { { GH_STR("value"), 25 }, { gh_str_of(output), 23 } };
    size_t count;

    for (uint32_t i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof(name), "f%u", i % 100);
        gh_function f = { .oid = 1000 + i,
                          .schema = i < 150 ? GH_STR("pg_catalog") : GH_STR("app"),
                          .name = gh_str_of(name),
                          .args = args,
                          .arg_count = (uint16_t)(i % 4),
                          .outputs = outputs,
                          .output_count = (uint16_t)(i % 3) };
        gh_catalog_add_function(b, &f);
        snprintf(name, sizeof(name), "%.*s", (int)(1 + i % 5), "+++++");
        gh_operator o = {
            .oid = 5000 + i, .schema = GH_STR("pg_catalog"), .name = gh_str_of(name), .left = i
        };
        gh_catalog_add_operator(b, &o);
        gh_cast cast = {
            .source = i, .target = i + 1, .function = i, .context = 'e', .method = 'f'
        };
        gh_catalog_add_cast(b, &cast);
    }
    gh_catalog *c = gh_catalog_builder_finish(b, 1);
    memset(output, 'x', 3);
    for (uint32_t n = 0; n < 100; n++) {
        char name[16];
        snprintf(name, sizeof(name), "f%u", n);
        const gh_function *const *f = gh_catalog_functions(c, gh_str_of(name), &count);
        ck_assert_uint_eq(count, 3);
        for (size_t i = 0; i < count; i++) {
            ck_assert(gh_str_is(f[i]->name, name));
            ck_assert_uint_eq((f[i]->oid - 1000) % 100, n);
            ck_assert_ptr_eq(gh_catalog_function_by_oid(c, f[i]->oid), f[i]);
            for (uint16_t k = 0; k < f[i]->arg_count; k++)
                ck_assert_uint_eq(f[i]->args[k], args[k]);
            ck_assert_uint_eq(f[i]->output_count, (f[i]->oid - 1000) % 3);
            if (f[i]->output_count == 2) {
                ck_assert(gh_str_is(f[i]->outputs[0].name, "value"));
                ck_assert(gh_str_is(f[i]->outputs[1].name, "key"));
                ck_assert_uint_eq(f[i]->outputs[1].type, 23);
            }
        }
        ck_assert(gh_str_is(f[0]->schema, "app")); /* by schema, then OID */
    }
    const gh_operator *const *o = gh_catalog_operators(c, GH_STR("+++"), &count);
    ck_assert_uint_eq(count, 60);
    for (size_t i = 0; i < count; i++)
        ck_assert(gh_str_is(o[i]->name, "+++"));
    ck_assert_ptr_nonnull(gh_catalog_cast(c, 7, 8));
    ck_assert_uint_eq(gh_catalog_cast(c, 7, 8)->function, 7);
    ck_assert_ptr_null(gh_catalog_cast(c, 8, 7));
    const gh_function *const *all = gh_catalog_all_functions(c, &count);
    ck_assert_uint_eq(count, 300);
    for (size_t i = 1; i < count; i++)
        ck_assert_int_le(gh_str_cmp(all[i - 1]->name, all[i]->name), 0);
    gh_catalog_release(c);
}
END_TEST

/* ---- size ----------------------------------------------------------------------------------- */

static int64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

#define RELATIONS 10000
#define COLUMNS   10

START_TEST(hundred_thousand_columns)
{
    gh_catalog_builder *b = gh_catalog_builder_new();
    gh_column columns[COLUMNS];
    char column_names[COLUMNS][24];
    char schema[24];
    char name[24];
    int64_t start_us = now_us();

    for (int k = 0; k < COLUMNS; k++) {
        snprintf(column_names[k], sizeof(column_names[k]), "column_%d", k);
        columns[k] = (gh_column){ .name = gh_str_of(column_names[k]),
                                  .attnum = (int16_t)(k + 1),
                                  .type_sql = GH_STR("bigint") };
    }
    for (uint32_t i = 0; i < RELATIONS; i++) {
        snprintf(schema, sizeof(schema), "schema_%u", i % 37);
        snprintf(name, sizeof(name), "relation_%u", i);
        gh_relation r =
            relation_of(20000 + i, gh_str_of(schema), gh_str_of(name), columns, COLUMNS);
        gh_catalog_add_relation(b, &r);
    }
    gh_catalog *c = gh_catalog_builder_finish(b, 1);
    for (uint32_t i = 0; i < RELATIONS; i++) {
        snprintf(schema, sizeof(schema), "schema_%u", i % 37);
        snprintf(name, sizeof(name), "relation_%u", i);
        const gh_relation *r = gh_catalog_relation(c, gh_str_of(schema), gh_str_of(name));
        ck_assert_ptr_nonnull(r);
        ck_assert_uint_eq(r->oid, 20000 + i);
        ck_assert_ptr_eq(gh_catalog_relation_by_oid(c, 20000 + i), r);
        ck_assert_int_eq(gh_relation_column(r, GH_STR("column_9"))->attnum, 10);
    }
    ck_assert_int_lt(now_us() - start_us, 2000000); /* a bound of order: measured 20 ms */
    gh_catalog_release(c);
}
END_TEST

/* ---- sharing -------------------------------------------------------------------------------- */

static void *use_and_release(void *arg)
{
    gh_catalog *c = arg;

    for (int i = 0; i < 20000; i++) {
        gh_catalog *mine = gh_catalog_acquire(c);
        ck_assert_ptr_nonnull(gh_catalog_relation(mine, GH_STR("s"), GH_STR("t")));
        gh_catalog_release(mine);
    }
    gh_catalog_release(c);
    return NULL;
}

/* The last of many readers frees it: the sanitizers watch. */
START_TEST(references_are_counted)
{
    gh_catalog_builder *b = gh_catalog_builder_new();
    gh_relation r = relation_of(5, GH_STR("s"), GH_STR("t"), NULL, 0);
    pthread_t threads[4];

    gh_catalog_add_relation(b, &r);
    gh_catalog *c = gh_catalog_builder_finish(b, 1);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, use_and_release, gh_catalog_acquire(c)),
                         0);
    gh_catalog_release(c);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("catalog");
    TCase *t = tcase_create("snapshot");

    tcase_set_timeout(t, 30);
    tcase_add_test(t, contents_are_copied);
    tcase_add_test(t, what_is_not_there_is_not_found);
    tcase_add_test(t, lists_are_sorted);
    tcase_add_test(t, overloads_come_together);
    tcase_add_test(t, hundred_thousand_columns);
    tcase_add_test(t, references_are_counted);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
