/* Policy files: CONTRACT's example, every fault with its place, and the round trip. */
#include "policy_tests.h"

#include <stdlib.h>

static gh_arena *s_arena;

static void setup(void)
{
    s_arena = gh_arena_new(0);
}

static void teardown(void)
{
    gh_arena_free(s_arena);
}

static gh_rc read_text(const char *text, gh_acl *acl, gh_err *err)
{
    gh_policy_file f = { S("p.yaml"), gh_str_of(text) };

    *err = (gh_err){ 0 };
    return gh_policy_read_files(&f, 1, s_arena, acl, err);
}

static gh_acl read_ok(const char *text)
{
    gh_acl acl = { 0 };
    gh_err err;

    ck_assert_msg(read_text(text, &acl, &err) == GH_OK, "%s", err.public_msg);
    return acl;
}

/* CONTRACT.md's example, but for `limits`. */
static const char s_example[] =
    "version: 1\n"
    "roles:\n"
    "  analyst:    { description: Reads governed marts, may: [explain, notify] }\n"
    "  eu_analyst: { member_of: [analyst] }\n"
    "  loader:\n"
    "  contractor: {}\n"
    "  pii_reader: {}\n"
    "users:\n"
    "  alice:   { roles: [eu_analyst], attributes: { region: EU, teams: [growth, core], n: 7 } }\n"
    "  etl_bot: { roles: [loader], kind: service }\n"
    "tags:\n"
    "  pii: [crm.customers.email, crm.customers.phone, \"*.*.ssn\"]\n"
    "masks:\n"
    "  email_domain: \"'***@' || split_part(value, '@', 2)\"\n"
    "grants:\n"
    "  - to: [analyst]\n"
    "    tables: [sales.orders, mart.*]\n"
    "    privileges: [select]\n"
    "    columns: [id, region, amount, email]\n"
    "    rows: \"region = attr('region')\"\n"
    "    mask: { email: email_domain, id: null }\n"
    "    valid: { from: 2026-01-01, until: 2026-12-31 }\n"
    "    reason: DATA-123\n"
    "    through: true\n"
    "    blind: true\n"
    "  - to: [loader, user:alice]\n"
    "    tables: ['\"Sales Dept\".\"Order\"']\n"
    "    privileges: [insert, truncate]\n"
    "    columns: { except: [Group By] }\n"
    "    valid: { until: 2026-01-01T08:00:00.25+01:00 }\n"
    "denies:\n"
    "  - to: [contractor]\n"
    "    tables: [\"*.*\"]\n"
    "    tags: [pii]\n"
    "  - { to: [contractor], tables: [a.b], columns: [c], rows: x > 0, privileges: [update] }\n"
    "masking:\n"
    "  - { tag: pii, with: hash, except: [pii_reader] }\n"
    "functions:\n"
    "  - { to: [analyst], allow: [\"app.geo_distance\"] }\n"
    "tests:\n"
    "  - as: alice\n"
    "    query: select distinct region from sales.orders\n"
    "    rows: [[EU, null, \"null\", \"\"], []]\n"
    "    columns: [region]\n"
    "  - as: alice\n"
    "    query: select ssn from hr.employees\n"
    "    error: \"42P01\"\n";

#define MICROS INT64_C(1000000)

static void check_rules(const gh_acl *acl)
{
    const gh_acl_rule *r = &acl->rules[0];

    ck_assert_uint_eq(acl->rule_count, 4);
    ck_assert(!r->is_deny && r->is_through && r->is_blind && r->has_columns && !r->is_except);
    ck_assert_uint_eq(r->privileges, GH_SELECT);
    ck_assert(gh_str_is(r->rows, "region = attr('region')"));
    ck_assert_uint_eq(r->mask_count, 2);
    ck_assert(gh_str_is(r->masks[1].column, "id") && gh_str_is(r->masks[1].mask, "null"));
    ck_assert_int_eq(r->valid_from, INT64_C(1767225600) * MICROS); /* 2026-01-01 */
    ck_assert_int_eq(r->valid_until,
                     INT64_C(1798761600) * MICROS); /* 2027-01-01: the last day counts */
    ck_assert(gh_str_is(r->reason, "DATA-123"));
    r = &acl->rules[1];
    ck_assert_uint_eq(r->privileges, GH_INSERT | GH_TRUNCATE);
    ck_assert(r->is_except && gh_str_is(r->columns.items[0], "Group By"));
    ck_assert_int_eq(r->valid_from, INT64_MIN);
    ck_assert_int_eq(r->valid_until, INT64_C(1767225600) * MICROS + 7 * 3600 * MICROS + 250000);
    r = &acl->rules[2];
    ck_assert(r->is_deny && !r->has_columns);
    ck_assert_uint_eq(r->privileges, GH_ALL_PRIVILEGES);
    ck_assert_uint_eq(r->tags.count, 1);
    ck_assert_uint_eq(acl->rules[3].privileges, GH_UPDATE);
}

START_TEST(example)
{
    gh_acl acl = read_ok(s_example);
    gh_policy *p = NULL;
    gh_err err = { 0 };

    ck_assert_uint_eq(acl.role_count, 5);
    ck_assert_uint_eq(acl.roles[0].may, GH_MAY_EXPLAIN | GH_MAY_NOTIFY);
    ck_assert(gh_str_is(acl.roles[0].description, "Reads governed marts"));
    ck_assert(gh_str_is(acl.roles[1].member_of.items[0], "analyst"));
    ck_assert_uint_eq(acl.user_count, 2);
    ck_assert_uint_eq(acl.users[0].attribute_count, 3);
    ck_assert(acl.users[0].attributes[1].is_list);
    ck_assert(gh_str_is(acl.users[0].attributes[2].values.items[0], "7"));
    ck_assert(!acl.users[0].is_service && acl.users[1].is_service);
    ck_assert_uint_eq(acl.tags[0].columns.count, 3);
    check_rules(&acl);
    ck_assert(gh_str_is(acl.masking[0].mask, "hash"));
    ck_assert(acl.rules[0].origin == GH_ORIGIN_POLICY && acl.users[0].origin == GH_ORIGIN_POLICY);
    ck_assert_uint_eq(acl.test_count, 2);
    ck_assert_uint_eq(acl.tests[0].row_count, 2);
    ck_assert_ptr_null(acl.tests[0].rows[0].items[1].ptr);
    ck_assert(gh_str_is(acl.tests[0].rows[0].items[2], "null"));
    ck_assert_ptr_nonnull(acl.tests[0].rows[0].items[3].ptr);
    ck_assert_uint_eq(acl.tests[0].rows[1].count, 0);
    ck_assert(gh_str_is(acl.tests[1].error, "42P01") && !acl.tests[1].has_rows);
    ck_assert_msg(gh_policy_compile(&acl, &p, &err) == GH_OK, "%s", err.public_msg);
    gh_policy_release(p);
}
END_TEST

static void expect_fault(const char *text, const char *place, const char *what)
{
    gh_acl acl = { .version = 99 };
    gh_err err;

    ck_assert_msg(read_text(text, &acl, &err) == GH_INVALID, "taken: %s", text);
    ck_assert_msg(strncmp(err.public_msg, place, strlen(place)) == 0, "%s is not %s",
                  err.public_msg, place);
    ck_assert_msg(strstr(err.public_msg, what) != NULL, "%s: %s", err.public_msg, what);
    ck_assert_uint_eq(acl.version, 99); /* written on GH_OK only */
}

START_TEST(faults)
{
#define V "version: 1\n"
    static const char *const all[][3] = {
        { "", "p.yaml:1:1: ", "expected keys" },
        { "roles: {}\n", "p.yaml:1:1: version", "missing" },
        { "version: 2\n", "p.yaml:1:10: version", "from 1 to 1" },
        { V "grnats: []\n", "p.yaml:2:1: grnats", "did you mean \"grants\"" },
        { V "roles:\n  a: { limits: { rows: 1 } }\n", "p.yaml:3:8: limits", "unknown key" },
        { V "roles:\n  a: { may: [explian] }\n", "p.yaml:3:14: may", "expected one of explain" },
        { V "roles:\n  a: {}\n  a: {}\n", "p.yaml:4:3", "" },
        { V "users:\n  a: { kind: robot }\n", "p.yaml:3:14: kind", "human, service" },
        { V "users:\n  a: { attributes: { x: null } }\n", "p.yaml:3:25", "expected text" },
        { V "tags: { pii: [a.b] }\n", "p.yaml:2:15: tags", "schema.relation.column" },
        { V "masks: { m: ' ' }\n", "p.yaml:2:13: masks", "blanks" },
        { V "grants: [{ tables: [a.b] }]\n", "p.yaml:2:10: to", "missing" },
        { V "grants: [{ to: [r] }]\n", "p.yaml:2:10: tables", "missing" },
        { V "grants: [{ to: r, tables: [a.b] }]\n", "p.yaml:2:16: to", "expected a list" },
        { V "grants: [{ to: [], tables: [a.b] }]\n", "p.yaml:2:16: to", "empty" },
        { V "grants: [{ to: [r], tables: [b] }]\n", "p.yaml:2:30: tables", "too few parts" },
        { V "grants: [{ to: [r], tables: [a.b], columns: [] }]\n", "p.yaml:2:45: columns",
          "empty" },
        { V "grants: [{ to: [r], tables: [a.b], columns: ['*'] }]\n", "p.yaml:2:46: columns",
          "not patterns" },
        { V "grants: [{ to: [r], tables: [a.b], columns: { but: [a] } }]\n", "p.yaml:2:47: but",
          "except" },
        { V "grants: [{ to: [r], tables: [a.b], rows: '' }]\n", "p.yaml:2:42: rows", "blanks" },
        { V "grants: [{ to: [r], tables: [a.b], rows: }]\n", "p.yaml:2:", "rows" },
        { V "grants: [{ to: [r], tables: [a.b], privileges: [all] }]\n", "p.yaml:2:49: privileges",
          "select, insert" },
        { V "grants: [{ to: [r], tables: [a.b], tags: [x] }]\n", "p.yaml:2:36: tags",
          "unknown key" },
        { V "denies: [{ to: [r], tables: [a.b], tags: [] }]\n", "p.yaml:2:42: tags", "empty" },
        { V "denies: [{ to: [r], tables: [a.b], mask: {} }]\n", "p.yaml:2:36: mask",
          "unknown key" },
        { V "denies: [{ to: [r], tables: [a.b], blind: true }]\n", "p.yaml:2:36: blind",
          "unknown key" },
        { V "grants: [{ to: [r], tables: [a.b], through: yes }]\n", "p.yaml:2:45: through",
          "true or false" },
        { V "grants: [{ to: [r], tables: [a.b], valid: { from: soon } }]\n", "p.yaml:2:51: from",
          "a date" },
        { V
          "grants: [{ to: [r], tables: [a.b], valid: { from: 2026-02-01, until: 2026-01-01 } }]\n",
          "p.yaml:2:43: valid", "ends before" },
        { V "masking: [{ tag: t }]\n", "p.yaml:2:11: with", "missing" },
        { V "functions: [{ to: [r], allow: [f] }]\n", "p.yaml:2:32: allow", "schema.name" },
        { V "tests: [{ as: a, query: q, error: nope }]\n", "p.yaml:2:35: error", "SQLSTATE" },
        { V "tests: [{ as: a, query: q }]\n", "p.yaml:2:9: tests", "rows or columns" },
        { V "tests: [{ as: a, query: q, rows: [1] }]\n", "p.yaml:2:35: rows", "expected a list" },
        { V "a: &x [*x]\n", "p.yaml:2:", "" },
    };

    for (size_t i = 0; i < GH_COUNT(all); i++)
        expect_fault(all[i][0], all[i][1], all[i][2]);
}
END_TEST

/* A NUL inside a name or a filter would end it early wherever C strings are read, upstream included. */
START_TEST(file_nul)
{
    expect_fault(V "roles: { \"a\\0b\": {} }\n", "p.yaml:2:10: ", "NUL");
    expect_fault(V "grants: [{ to: [r], tables: [a.b], rows: \"true\\0and false\" }]\n",
                 "p.yaml:2:42: ", "NUL");
    expect_fault(V "users: { a: { attributes: { x: \"\\0\" } } }\n", "p.yaml:2:32: ", "NUL");
}
END_TEST

START_TEST(several_files)
{
    gh_policy_file files[] = {
        { S("a.yaml"), S(V "roles: { r: {} }\ngrants: [{ to: [r], tables: [a.b] }]\n") },
        { S("b.yaml"),
          S(V "users: { u: { roles: [r] } }\ngrants: [{ to: [r], tables: [c.d] }]\n") },
        { S("c.yaml"), S(V "tags: { t: [a.b.c] }\nroles: { r: {} }\n") }
    };
    gh_acl acl;
    gh_err err = { 0 };

    ck_assert_int_eq(gh_policy_read_files(files, 2, s_arena, &acl, &err), GH_OK);
    ck_assert_uint_eq(acl.rule_count, 2);
    ck_assert_uint_eq(acl.user_count, 1);
    ck_assert_int_eq(gh_policy_read_files(files, 3, s_arena, &acl, &err), GH_INVALID);
    ck_assert_str_eq(err.public_msg,
                     "c.yaml:3:10: roles: \"r\" is defined twice; first at a.yaml:2");
    ck_assert_int_eq(gh_policy_read_files(NULL, 0, s_arena, &acl, &err), GH_OK);
    ck_assert_uint_eq(acl.role_count, 0);
}
END_TEST

/* What only compiling can find is found where it is written, too. */
START_TEST(places)
{
    static const char *const all[][2] = {
        { V "roles: { r: {} }\nusers:\n  a: { roles: [r, nobody] }\n",
          "p.yaml:4:19: user \"a\": unknown role" },
        { V "roles:\n  a: { member_of: [nobody] }\n", "p.yaml:3:20: role \"a\": unknown role" },
        { V "roles:\n  a: { member_of: [b] }\n  b:\n    member_of: [a]\n",
          "p.yaml:3:3: role \"a\" is a member of itself" },
        { V "grants:\n  - to: [nobody]\n    tables: [a.b]\n",
          "p.yaml:3:10: grant (to nobody on a.b): unknown role" },
        { V "grants:\n  - tables: [a.b]\n    to: ['user:nobody']\n",
          "p.yaml:4:10: grant (to user:nobody on a.b): unknown user" },
        { V "roles: { r: {} }\ngrants:\n  - { to: [r], tables: [a.b], mask: { x: 'round(0)' } }\n",
          "p.yaml:4:42: grant (to r on a.b): " },
        { V "roles: { r: {} }\ngrants:\n  - { to: [r], tables: [a.b], columns: [y], mask: { x: "
            "hash } "
            "}\n",
          "p.yaml:4:53: grant (to r on a.b): it masks column x" },
        { V "roles: { r: {} }\ndenies:\n  - { to: [r], tables: [a.b], tags: [no] }\n",
          "p.yaml:4:38: deny (to r on a.b): unknown tag" },
        { V "tags: { t: [] }\nmasking:\n  - { tag: t, with: nomask }\n",
          "p.yaml:4:21: masking of tag" },
        { V "tags: { t: [] }\nmasking:\n  - { tag: t, with: hash, except: [no] }\n",
          "p.yaml:4:36: masking of tag" },
        { V "functions:\n  - { to: [no], allow: [a.b] }\n",
          "p.yaml:3:12: functions: unknown role" },
        { V "masks:\n  m: 'partial(1)'\n", "p.yaml:3:6: mask \"m\": " },
        { V "roles: { r: {} }\nusers: { u: { roles: [r] } }\ngrants:\n"
            "  - { to: [r], tables: [a.b], mask: { x: 'left(value, 1)' } }\n"
            "  - { to: [r], tables: ['a.*'], mask: { x: 'right(value, 1)' } }\n",
          "p.yaml:6:44: user \"u\" would get two masks of column x that cannot be ordered: "
          "\"left(value, 1)\" (p.yaml:5:42 on a.b) and" },
    };

    for (size_t i = 0; i < GH_COUNT(all); i++) {
        gh_acl acl = read_ok(all[i][0]);
        gh_policy *p = NULL;
        gh_err err = { 0 };

        ck_assert_int_eq(gh_policy_compile(&acl, &p, &err), GH_INVALID);
        ck_assert_msg(strncmp(err.public_msg, all[i][1], strlen(all[i][1])) == 0, "%s",
                      err.public_msg);
    }
}
END_TEST

static gh_str written(const gh_acl *acl)
{
    gh_buf b;
    gh_str out;

    gh_buf_init(&b, 0);
    gh_policy_write_file(acl, &b);
    ck_assert(!b.failed);
    out = gh_arena_dup(s_arena, gh_buf_str(&b));
    gh_buf_fini(&b);
    return out;
}

START_TEST(round_trip)
{
    gh_acl first = read_ok(s_example);
    gh_str text = written(&first);
    gh_acl again = read_ok(text.ptr);

    check_rules(&again);
    ck_assert_uint_eq(again.role_count, first.role_count);
    ck_assert_uint_eq(again.users[0].attribute_count, 3);
    ck_assert(again.users[1].is_service);
    ck_assert_uint_eq(again.tests[0].rows[0].count, 4);
    ck_assert_ptr_null(again.tests[0].rows[0].items[1].ptr);
    ck_assert(gh_str_is(again.tests[0].rows[0].items[2], "null"));
    ck_assert_str_eq(written(&again).ptr, text.ptr);
}
END_TEST

/* Names and texts that YAML could take for something else, or that carry SQL or YAML of their own. */
START_TEST(round_trip_hostile)
{
    static const gh_str evil[] = { { "null", 4 },
                                   { "~", 1 },
                                   { "1e3", 3 },
                                   { "2026-01-01", 10 },
                                   { "a: b # c", 8 },
                                   { "'; DROP TABLE t; --", 19 },
                                   { "\"quoted\" \\ back", 15 },
                                   { "l1\nl2\ttab\r", 10 },
                                   { "\x7f\x01", 2 },
                                   { "na\xc3\xafve \xf0\x9f\x90\x98", 11 },
                                   { "\xc2\x85\xe2\x80\xa8\xef\xbb\xbf\xef\xbf\xbf", 11 },
                                   { "- x", 3 },
                                   { " lead", 5 } };
    gh_acl_role roles[GH_COUNT(evil)] = { 0 };
    gh_acl_rule rule = { .privileges = GH_SELECT,
                         .to = { evil, GH_COUNT(evil) },
                         .tables = LIST(S("a.b")),
                         .rows = evil[6],
                         .reason = evil[7],
                         .valid_from = -1,
                         .valid_until = 1 };
    gh_acl acl = { .roles = roles, .role_count = GH_COUNT(evil), .rules = &rule, .rule_count = 1 };
    gh_acl again;

    for (size_t i = 0; i < GH_COUNT(evil); i++) {
        roles[i].name = evil[i];
        roles[i].description = evil[i];
    }
    again = read_ok(written(&acl).ptr);
    ck_assert_uint_eq(again.role_count, GH_COUNT(evil));
    for (size_t i = 0; i < GH_COUNT(evil); i++) {
        ck_assert_msg(gh_str_eq(again.roles[i].name, evil[i]), "name %zu", i);
        ck_assert_msg(gh_str_eq(again.roles[i].description, evil[i]), "description %zu", i);
        ck_assert_msg(gh_str_eq(again.rules[0].to.items[i], evil[i]), "to %zu", i);
    }
    ck_assert(gh_str_eq(again.rules[0].rows, evil[6]) && gh_str_eq(again.rules[0].reason, evil[7]));
    ck_assert_int_eq(again.rules[0].valid_from, -1);
    ck_assert_int_eq(again.rules[0].valid_until, 1);
}
END_TEST

/* The longest name, every byte of it escaped, is still a key that YAML takes. */
START_TEST(round_trip_longest)
{
    char name[GH_POLICY_NAME_MAX];
    gh_acl_role role = { .name = { name, sizeof(name) } };
    gh_acl acl = { .roles = &role, .role_count = 1 };
    gh_acl again;

    memset(name, '"', sizeof(name));
    again = read_ok(written(&acl).ptr);
    ck_assert(gh_str_eq(again.roles[0].name, role.name));
}
END_TEST

START_TEST(memory_bound)
{
    gh_arena *small = gh_arena_new(2000);
    gh_policy_file f = { S("p.yaml"), { s_example, sizeof(s_example) - 1 } };
    gh_acl acl;
    gh_err err = { 0 };
    gh_rc rc = gh_policy_read_files(&f, 1, small, &acl, &err);

    ck_assert(rc == GH_LIMIT || rc == GH_INVALID);
    gh_arena_free(small);
}
END_TEST

Suite *policy_file_suite(void)
{
    Suite *s = suite_create("policy files");
    TCase *t = tcase_create("files");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, example);
    tcase_add_test(t, faults);
    tcase_add_test(t, file_nul);
    tcase_add_test(t, several_files);
    tcase_add_test(t, places);
    tcase_add_test(t, round_trip);
    tcase_add_test(t, round_trip_hostile);
    tcase_add_test(t, round_trip_longest);
    tcase_add_test(t, memory_bound);
    suite_add_tcase(s, t);
    return s;
}
