/* Records: fields by kind, bounds, nothing that a client sent becomes structure. */
#include "audit_tests.h"

#include <stdio.h>
#include <stdlib.h>

/* Encodes and closes the object, as the link would. */
static gh_json_value encode(const gh_audit_record *r, gh_arena *a, gh_buf *out)
{
    gh_json_value v = { GH_JSON_NONE, { NULL, 0 } };

    gh_buf_clear(out);
    gh_audit_encode(r, out);
    ck_assert(!out->failed);
    gh_buf_puts(out, "}");
    ck_assert(memchr(out->ptr, '\n', out->len) == NULL);
    ck_assert_int_eq(gh_json_parse(gh_buf_str(out), a, &v, NULL), GH_OK);
    ck_assert_int_eq(v.type, GH_JSON_OBJECT);
    return v;
}

static void member_is(const gh_json_value *v, gh_arena *a, const char *key, const char *want)
{
    gh_json_value m = gh_json_member(v, a, key);

    ck_assert_msg(gh_str_is(m.text, want), "%s is \"%.*s\", not \"%s\"", key, (int)m.text.len,
                  m.text.ptr, want);
}

static gh_json_type type_of(const gh_json_value *v, gh_arena *a, const char *key)
{
    return gh_json_member(v, a, key).type;
}

static size_t count_members(const gh_json_value *v, gh_arena *a)
{
    gh_json_item item;
    size_t n = 0;

    for (bool ok = gh_json_first(v, a, &item); ok; ok = gh_json_next(a, &item))
        n++;
    return n;
}

static void set_who(gh_audit_who *who, gh_str text)
{
    gh_str roles[2] = { text, GH_STR("analyst") };
    gh_audit_session s = { .id = { 1, 2, 3 },
                           .user = text,
                           .warehouse = text,
                           .roles = roles,
                           .role_count = 2,
                           .client = text,
                           .application = text,
                           .tls_version = text,
                           .tls_identity = text };

    gh_audit_who_init(who);
    gh_audit_who_set(who, &s);
}

static void set_plan(gh_buf *out, gh_str text)
{
    int64_t grants[3] = { 1, -5, INT64_MIN };
    gh_audit_relation relations[2] = { { .schema = text,
                                         .name = text,
                                         .privileges = 1 | 4,
                                         .clear = &text,
                                         .clear_count = 1,
                                         .masked = &text,
                                         .masked_count = 1,
                                         .filtered = &text,
                                         .filtered_count = 1,
                                         .is_row_filtered = true },
                                       { .schema = GH_STR("s"), .name = GH_STR("t") } };
    gh_audit_plan p = { .decision = GH_AUDIT_DECIDED_ALLOWED,
                        .command = text,
                        .grant_ids = grants,
                        .grant_count = 3,
                        .policy_version = UINT64_MAX,
                        .catalog_epoch = 9,
                        .relations = relations,
                        .relation_count = 2 };

    gh_buf_init(out, 0);
    gh_audit_plan_encode(&p, out);
}

START_TEST(intent_has_every_field)
{
    gh_arena *a = gh_arena_new(0);
    gh_audit_who who;
    gh_buf plan;
    gh_buf out;
    gh_json_value v;
    gh_json_value list;
    gh_json_item item;

    gh_buf_init(&out, 0);
    set_who(&who, GH_STR("w"));
    set_plan(&plan, GH_STR("p"));
    v = encode(&(gh_audit_record){ .kind = GH_AUDIT_INTENT,
                                   .time_us = 1,
                                   .statement = { 10, 11, 12 },
                                   .who = &who,
                                   .plan = gh_buf_str(&plan),
                                   .sql = GH_STR("select 1"),
                                   .rewritten = GH_STR("SELECT 1") },
               a, &out);
    member_is(&v, a, "kind", "intent");
    member_is(&v, a, "time", "1970-01-01T00:00:00.000001Z");
    member_is(&v, a, "statement", "000000000000000a.12.11");
    member_is(&v, a, "session", "0000000000000001.3.2");
    member_is(&v, a, "user", "w");
    member_is(&v, a, "warehouse", "w");
    member_is(&v, a, "roles", "\"w\",\"analyst\"");
    member_is(&v, a, "client", "w");
    member_is(&v, a, "application", "w");
    member_is(&v, a, "tls", "w");
    member_is(&v, a, "tls_identity", "w");
    member_is(&v, a, "decision", "allowed");
    member_is(&v, a, "command", "p");
    member_is(&v, a, "grants", "1,-5,-9223372036854775808");
    member_is(&v, a, "policy_version", "18446744073709551615");
    member_is(&v, a, "catalog_epoch", "9");
    member_is(&v, a, "sql", "select 1");
    member_is(&v, a, "rewritten", "SELECT 1");
    ck_assert_uint_eq(count_members(&v, a), 19);
    list = gh_json_member(&v, a, "relations");
    ck_assert(gh_json_first(&list, a, &item));
    member_is(&item.value, a, "privileges", "\"select\",\"update\"");
    member_is(&item.value, a, "clear", "\"p\"");
    member_is(&item.value, a, "masked", "\"p\"");
    member_is(&item.value, a, "filtered", "\"p\"");
    member_is(&item.value, a, "row_filtered", "true");
    ck_assert(gh_json_next(a, &item));
    member_is(&item.value, a, "schema", "s");
    member_is(&item.value, a, "name", "t");
    member_is(&item.value, a, "row_filtered", "false");
    ck_assert(!gh_json_next(a, &item));
    gh_buf_fini(&plan);
    gh_buf_fini(&out);
    gh_audit_who_fini(&who);
    gh_arena_free(a);
}
END_TEST

/* Texts encoded once for all runs make the same record. */
START_TEST(texts_encoded_before)
{
    gh_audit_record r = { .kind = GH_AUDIT_INTENT,
                          .statement = { 10, 11, 12 },
                          .sql = GH_STR("select \"a\", '\\'"),
                          .rewritten = GH_STR("SELECT ?"),
                          .is_fingerprint = true };
    gh_buf texts;
    gh_buf once;
    gh_buf again;

    gh_buf_init(&texts, 0);
    gh_buf_init(&once, 0);
    gh_buf_init(&again, 0);
    gh_audit_encode(&r, &once);
    gh_audit_texts_encode(&r, &texts);
    r.texts = gh_buf_str(&texts);
    gh_audit_encode(&r, &again);
    ck_assert(gh_str_eq(gh_buf_str(&once), gh_buf_str(&again)));
    gh_buf_fini(&texts);
    gh_buf_fini(&once);
    gh_buf_fini(&again);
}
END_TEST

START_TEST(kinds_have_their_fields)
{
    static const struct {
        gh_audit_kind kind;
        const char *name;
        size_t members;
    } cases[] = { { GH_AUDIT_START, "start", 4 },    { GH_AUDIT_STOP, "stop", 4 },
                  { GH_AUDIT_LOGIN, "login", 12 },   { GH_AUDIT_LOGIN_FAILED, "login_failed", 12 },
                  { GH_AUDIT_LOGOUT, "logout", 13 }, { GH_AUDIT_OUTCOME, "outcome", 11 },
                  { GH_AUDIT_POLICY, "policy", 5 },  { GH_AUDIT_RECOVERED, "recovered", 4 },
                  { GH_AUDIT_GAP, "gap", 4 },        { GH_AUDIT_REFUSED, "refused", 15 },
                  { GH_AUDIT_INTENT, "intent", 13 }, { GH_AUDIT_ADMIN, "admin", 13 } };
    gh_arena *a = gh_arena_new(0);
    gh_audit_who who;
    gh_buf out;

    gh_buf_init(&out, 0);
    set_who(&who, GH_STR("w"));
    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_json_value v = encode(&(gh_audit_record){ .kind = cases[i].kind,
                                                     .who = &who,
                                                     .rows = 3,
                                                     .bytes = 4,
                                                     .duration_us = 5,
                                                     .policy_version = 6,
                                                     .sqlstate = GH_STR("42501"),
                                                     .message = GH_STR("m") },
                                 a, &out);

        member_is(&v, a, "kind", cases[i].name);
        ck_assert_msg(count_members(&v, a) == cases[i].members, "%s has %zu members", cases[i].name,
                      count_members(&v, a));
        ck_assert_int_eq(gh_audit_kind_parse(gh_str_of(cases[i].name)), cases[i].kind);
        if (cases[i].kind != GH_AUDIT_INTENT)
            member_is(&v, a, "sqlstate", "42501");
        if (cases[i].kind == GH_AUDIT_OUTCOME) {
            member_is(&v, a, "user", "w");
            member_is(&v, a, "rows", "3");
            member_is(&v, a, "bytes", "4");
            member_is(&v, a, "duration_us", "5");
            ck_assert_int_eq(type_of(&v, a, "client"), GH_JSON_NONE);
        }
    }
    ck_assert_int_eq(gh_audit_kind_parse(GH_STR("none")), GH_AUDIT_NONE);
    ck_assert_int_eq(gh_audit_kind_parse(GH_STR("")), GH_AUDIT_NONE);
    gh_buf_fini(&out);
    gh_audit_who_fini(&who);
    gh_arena_free(a);
}
END_TEST

START_TEST(a_record_without_a_kind_is_none)
{
    gh_audit_record r = { .kind = GH_AUDIT_NONE };
    gh_buf out;

    gh_buf_init(&out, 0);
    gh_audit_encode(&r, &out);
    ck_assert(out.failed);
    gh_buf_fini(&out);
}
END_TEST

/* Every text field of a refusal, one after the other, tries to close the string and to add a
 * record. */
START_TEST(no_field_becomes_structure)
{
    const gh_str evil =
        GH_STR("\",\"decision\":\"allowed\",\"x\":\"\\\"\n{\"kind\":\"login\"}\r\n\\");
    gh_arena *a = gh_arena_new(0);
    gh_audit_who who;
    gh_buf plan;
    gh_buf out;
    gh_json_value v;
    gh_json_value list;
    gh_json_item item;

    gh_buf_init(&out, 0);
    set_who(&who, evil);
    set_plan(&plan, evil);
    v = encode(&(gh_audit_record){ .kind = GH_AUDIT_REFUSED,
                                   .who = &who,
                                   .plan = gh_buf_str(&plan),
                                   .sql = evil,
                                   .rewritten = evil,
                                   .sqlstate = evil,
                                   .message = evil },
               a, &out);
    ck_assert_uint_eq(count_members(&v, a), 21);
    for (bool ok = gh_json_first(&v, a, &item); ok; ok = gh_json_next(a, &item)) {
        if (gh_str_is(item.key, "kind") || gh_str_is(item.key, "time") ||
            gh_str_is(item.key, "statement") || gh_str_is(item.key, "session") ||
            gh_str_is(item.key, "decision"))
            continue;
        if (item.value.type == GH_JSON_STRING)
            ck_assert(gh_str_eq(item.value.text, evil));
    }
    member_is(&v, a, "decision", "allowed");
    list = gh_json_member(&v, a, "relations");
    ck_assert(gh_json_first(&list, a, &item));
    ck_assert(gh_str_eq(gh_json_member(&item.value, a, "schema").text, evil));
    ck_assert_uint_eq(count_members(&item.value, a), 7);
    gh_buf_fini(&plan);
    gh_buf_fini(&out);
    gh_audit_who_fini(&who);
    gh_arena_free(a);
}
END_TEST

START_TEST(long_sql_is_cut_and_pinned)
{
    gh_arena *a = gh_arena_new(0);
    char *sql = gh_alloc(GH_AUDIT_SQL_MAX + 1);
    uint8_t hash[GH_AUDIT_HASH_LEN];
    char hex[2 * GH_AUDIT_HASH_LEN + 1] = "";
    gh_buf out;
    gh_json_value v;

    memset(sql, 'x', GH_AUDIT_SQL_MAX + 1);
    gh_buf_init(&out, 0);
    v = encode(&(gh_audit_record){ .kind = GH_AUDIT_INTENT, .sql = { sql, GH_AUDIT_SQL_MAX } }, a,
               &out);
    ck_assert_uint_eq(gh_json_member(&v, a, "sql").text.len, GH_AUDIT_SQL_MAX);
    ck_assert_int_eq(type_of(&v, a, "sql_len"), GH_JSON_NONE);
    v = encode(&(gh_audit_record){ .kind = GH_AUDIT_INTENT,
                                   .is_fingerprint = true,
                                   .sql = { sql, GH_AUDIT_SQL_MAX + 1 },
                                   .rewritten = { sql, GH_AUDIT_SQL_MAX + 1 } },
               a, &out);
    ck_assert_uint_eq(gh_json_member(&v, a, "sql").text.len, GH_AUDIT_SQL_MAX);
    member_is(&v, a, "sql_len", "65537");
    member_is(&v, a, "rewritten_len", "65537");
    member_is(&v, a, "fingerprint", "true");
    gh_audit_sha256((gh_str){ sql, GH_AUDIT_SQL_MAX + 1 }, hash);
    gh_audit_hex(hash, sizeof(hash), hex);
    member_is(&v, a, "sql_sha256", hex);
    member_is(&v, a, "rewritten_sha256", hex);
    free(sql);
    gh_buf_fini(&out);
    gh_arena_free(a);
}
END_TEST

START_TEST(decisions)
{
    static const char *const names[] = { "refused", "allowed", "bypassed", "observed" };

    for (size_t i = 0; i < GH_COUNT(names); i++) {
        gh_audit_plan p = { .decision = (gh_audit_decision)i };
        char want[64];
        gh_buf out;

        gh_buf_init(&out, 0);
        gh_audit_plan_encode(&p, &out);
        (void)snprintf(want, sizeof(want), ",\"decision\":\"%s\",\"command\":\"\",", names[i]);
        ck_assert(out.len > strlen(want) && memcmp(out.ptr, want, strlen(want)) == 0);
        gh_buf_fini(&out);
    }
}
END_TEST

Suite *audit_record_suite(void)
{
    Suite *s = suite_create("record");
    TCase *c = tcase_create("record");

    tcase_add_test(c, intent_has_every_field);
    tcase_add_test(c, texts_encoded_before);
    tcase_add_test(c, kinds_have_their_fields);
    tcase_add_test(c, a_record_without_a_kind_is_none);
    tcase_add_test(c, no_field_becomes_structure);
    tcase_add_test(c, long_sql_is_cut_and_pinned);
    tcase_add_test(c, decisions);
    suite_add_tcase(s, c);
    return s;
}
