/* Policy files into the store and out again: what is written, changed, removed, kept. */
#include "world.h"

#include <time.h>
#include <unistd.h>

/* Two roles, two users, a tag, a mask, every form of rule that a file can hold. */
typedef struct full_world {
    gh_acl acl;
    gh_acl_role roles[2];
    gh_acl_user users[2];
    gh_acl_attribute attributes[3];
    gh_acl_tag tags[2];
    gh_acl_mask_def masks[1];
    gh_acl_rule rules[6];
    gh_acl_column_mask column_masks[2];
    gh_acl_masking masking[1];
    gh_acl_function functions[1];
} full_world;

static void full_rules(full_world *w)
{
    w->column_masks[0] = (gh_acl_column_mask){ GH_STR("email"), GH_STR("email_domain") };
    w->column_masks[1] = (gh_acl_column_mask){ GH_STR("phone"), GH_STR("redact") };
    for (size_t i = 0; i < GH_COUNT(w->rules); i++)
        w->rules[i] = rule_of("analyst", "sales.orders mart.*");
    w->rules[1].privileges = GH_SELECT | GH_UPDATE;
    w->rules[1].has_columns = true;
    w->rules[1].columns = list_of("id email amount");
    w->rules[1].masks = w->column_masks;
    w->rules[1].mask_count = 1;
    w->rules[1].rows = GH_STR("region = attr('region')");
    w->rules[1].valid_from = 1767225600000000;
    w->rules[1].valid_until = 1798761600000000;
    w->rules[1].reason = GH_STR("DATA-123");
    w->rules[1].is_blind = true;
    w->rules[2] = rule_of("analyst user:bob", "wh:crm.customers");
    w->rules[2].has_columns = true;
    w->rules[2].is_except = true;
    w->rules[2].columns = list_of("ssn");
    w->rules[2].masks = w->column_masks;
    w->rules[2].mask_count = 2;
    w->rules[2].is_through = true;
    w->rules[3] = rule_of("analyst", "crm.phones");
    w->rules[3].masks = &w->column_masks[1];
    w->rules[3].mask_count = 1;
    w->rules[4] = rule_of("eu_analyst", "*.*");
    w->rules[4].is_deny = true;
    w->rules[4].privileges = GH_ALL_PRIVILEGES;
    w->rules[4].tags = list_of("pii");
    w->rules[5] = rule_of("eu_analyst", "hr.employees");
    w->rules[5].is_deny = true;
    w->rules[5].privileges = GH_ALL_PRIVILEGES;
    w->rules[5].has_columns = true;
    w->rules[5].columns = list_of("pii pay");
    w->rules[5].tags = list_of("pii");
    w->rules[5].rows = GH_STR("level > 5");
}

static const gh_acl *full(full_world *w)
{
    *w = (full_world){ 0 };
    w->roles[0] = (gh_acl_role){ .name = GH_STR("analyst"),
                                 .description = GH_STR("Reads \"all\""),
                                 .may = GH_MAY_EXPLAIN | GH_MAY_NOTIFY };
    w->roles[1] = (gh_acl_role){ .name = GH_STR("eu_analyst"), .member_of = list_of("analyst") };
    w->attributes[0] = (gh_acl_attribute){ GH_STR("region"), false, list_of("EU") };
    w->attributes[1] = (gh_acl_attribute){ GH_STR("teams"), true, list_of("growth core") };
    w->attributes[2] = (gh_acl_attribute){ GH_STR("none"), true, { 0 } };
    w->users[0] = (gh_acl_user){ .name = GH_STR("alice"),
                                 .roles = list_of("eu_analyst"),
                                 .attributes = w->attributes,
                                 .attribute_count = 3 };
    w->users[1] = (gh_acl_user){ .name = GH_STR("bob"), .is_service = true };
    w->tags[0] = (gh_acl_tag){ .name = GH_STR("pii"), .columns = list_of("crm.c.email *.*.ssn") };
    w->tags[1] = (gh_acl_tag){ .name = GH_STR("unused") };
    w->masks[0] = (gh_acl_mask_def){ .name = GH_STR("email_domain"),
                                     .expr = GH_STR("'***@' || split_part(value, '@', 2)") };
    w->masking[0] = (gh_acl_masking){ .tag = GH_STR("pii"),
                                      .mask = GH_STR("hash"),
                                      .except = list_of("analyst") };
    w->functions[0] = (gh_acl_function){ .to = list_of("analyst user:bob"),
                                         .allow = list_of("app.geo app.dist") };
    full_rules(w);
    w->acl = (gh_acl){ .users = w->users,
                       .user_count = 2,
                       .roles = w->roles,
                       .role_count = 2,
                       .tags = w->tags,
                       .tag_count = 2,
                       .masks = w->masks,
                       .mask_count = 1,
                       .rules = w->rules,
                       .rule_count = 6,
                       .masking = w->masking,
                       .masking_count = 1,
                       .functions = w->functions,
                       .function_count = 1 };
    return &w->acl;
}

static void same_list(gh_str_list a, gh_str_list b)
{
    ck_assert_uint_eq(a.count, b.count);
    for (size_t i = 0; i < a.count; i++)
        ck_assert_msg(gh_str_eq(a.items[i], b.items[i]), GH_STR_FMT, GH_STR_ARG(a.items[i]));
}

static void same_rule(const gh_acl_rule *a, const gh_acl_rule *b)
{
    ck_assert(a->is_deny == b->is_deny && a->is_except == b->is_except);
    ck_assert(a->has_columns == b->has_columns);
    ck_assert(a->is_through == b->is_through && a->is_blind == b->is_blind);
    ck_assert_uint_eq(a->privileges, b->privileges);
    ck_assert_int_eq(a->valid_from, b->valid_from);
    ck_assert_int_eq(a->valid_until, b->valid_until);
    ck_assert(gh_str_eq(a->rows, b->rows) && gh_str_eq(a->reason, b->reason));
    same_list(a->to, b->to);
    same_list(a->tables, b->tables);
    same_list(a->columns, b->columns);
    same_list(a->tags, b->tags);
    ck_assert_uint_eq(a->mask_count, b->mask_count);
    for (size_t i = 0; i < a->mask_count; i++) {
        ck_assert(gh_str_eq(a->masks[i].column, b->masks[i].column));
        ck_assert(gh_str_eq(a->masks[i].mask, b->masks[i].mask));
    }
}

static void same_users(const gh_acl *a, const gh_acl *b)
{
    ck_assert_uint_eq(a->user_count, b->user_count);
    for (size_t i = 0; i < a->user_count; i++) {
        ck_assert(gh_str_eq(a->users[i].name, b->users[i].name));
        ck_assert(a->users[i].is_service == b->users[i].is_service);
        same_list(a->users[i].roles, b->users[i].roles);
        ck_assert_uint_eq(a->users[i].attribute_count, b->users[i].attribute_count);
    }
}

START_TEST(apply_round_trip)
{
    full_world w;
    const gh_acl *files = full(&w);
    gh_store *st = world_open(GH_STORE_CREATE);

    expect_counts(apply(st, files, 0, GH_OK, NULL), 22, 0, 0, 0);
    gh_store_close(st);
    gh_acl acl = world_load();
    ck_assert_uint_eq(acl.version, 1);
    same_users(files, &acl);
    const gh_acl_attribute *at = acl.users[0].attributes; /* sorted by name: none, region, teams */
    ck_assert(gh_str_is(at[0].name, "none") && at[0].is_list && at[0].values.count == 0);
    ck_assert(gh_str_is(at[1].name, "region") && !at[1].is_list);
    ck_assert(at[2].is_list);
    same_list(at[2].values, list_of("growth core"));
    ck_assert_uint_eq(acl.roles[0].may, GH_MAY_EXPLAIN | GH_MAY_NOTIFY);
    ck_assert(gh_str_is(acl.roles[0].description, "Reads \"all\""));
    same_list(acl.roles[1].member_of, list_of("analyst"));
    same_list(acl.tags[0].columns, w.tags[0].columns);
    ck_assert_uint_eq(acl.tags[1].columns.count, 0);
    ck_assert(gh_str_eq(acl.masks[0].expr, w.masks[0].expr));
    same_list(acl.masking[0].except, list_of("analyst"));
    same_list(acl.functions[0].to, w.functions[0].to);
    same_list(acl.functions[0].allow, w.functions[0].allow);
    ck_assert_uint_eq(acl.rule_count, 6);
    for (size_t i = 0; i < 6; i++) {
        same_rule(&w.rules[i], &acl.rules[i]);
        ck_assert_int_eq(acl.rules[i].origin, GH_ORIGIN_POLICY);
        ck_assert_int_gt(acl.rules[i].id, 0);
    }
    /* The heart: a row per effect, principal, privilege, object and column pattern. */
    ck_assert_int_eq(world_sql("SELECT count(*) FROM acl WHERE row_filter LIKE 'region%'"),
                     2 * 2 * 3);
}
END_TEST

START_TEST(apply_again_changes_nothing)
{
    full_world w;
    gh_store *st = world_open(GH_STORE_CREATE);

    (void)apply(st, full(&w), 0, GH_OK, NULL);
    int64_t history = world_sql("SELECT count(*) FROM history");
    expect_counts(apply(st, full(&w), 0, GH_OK, ""), 0, 0, 0, 0);
    /* Neither does what the store itself gives back, nor another order of what has none. */
    gh_acl back = world_load();
    expect_counts(apply(st, &back, 0, GH_OK, ""), 0, 0, 0, 0);
    (void)full(&w);
    w.rules[1].columns = list_of("amount id email");
    w.rules[2].to = list_of("user:bob analyst");
    expect_counts(apply(st, &w.acl, 0, GH_OK, ""), 0, 0, 0, 0);
    ck_assert_int_eq(world_sql("SELECT count(*) FROM history"), history);
    ck_assert_uint_eq(world_load().version, 1);
    gh_store_close(st);
}
END_TEST

START_TEST(apply_changes_in_place)
{
    gh_acl_rule rule;
    gh_acl_role role = { .name = GH_STR("analyst") };
    gh_acl files = { .rules = &rule, .rule_count = 1, .roles = &role, .role_count = 1 };
    gh_store *st = world_open(GH_STORE_CREATE);

    rule = rule_of("analyst", "sales.orders");
    (void)apply(st, &files, 0, GH_OK,
                "+ role analyst\n+ grant 1: select on sales.orders to analyst\n");
    rule.rows = GH_STR("region = 'EU'");
    role.description = GH_STR("Reads");
    (void)apply(st, &files, 0, GH_OK,
                "~ role analyst\n"
                "\t{\"description\":\"\",\"may\":\"\"}\t{\"description\":\"Reads\",\"may\":\"\"}\n"
                "~ grant 1: select on sales.orders to analyst\n"
                "\t{\"effect\":\"grant\",\"to\":[\"analyst\"],\"tables\":[\"sales.orders\"],"
                "\"privileges\":[\"select\"]}\t"
                "{\"effect\":\"grant\",\"to\":[\"analyst\"],\"tables\":[\"sales.orders\"],"
                "\"privileges\":[\"select\"],\"rows\":\"region = 'EU'\"}\n");
    gh_acl acl = world_load();
    ck_assert_uint_eq(acl.rule_count, 1);
    ck_assert(gh_str_is(acl.rules[0].rows, "region = 'EU'"));
    ck_assert_int_eq(acl.rules[0].id, 1);
    rule.tables = list_of("sales.refunds");
    (void)apply(st, &files, 0, GH_OK,
                "+ grant 2: select on sales.refunds to analyst\n"
                "- grant 1: select on sales.orders to analyst\n");
    ck_assert_int_eq(world_load().rules[0].id, 2);
    ck_assert_uint_eq(world_load().version, 3);
    gh_store_close(st);
}
END_TEST

START_TEST(apply_keeps_history)
{
    gh_acl_role role = { .name = GH_STR("analyst"), .description = GH_STR("one") };
    gh_acl files = { .roles = &role, .role_count = 1 };
    gh_store *st = world_open(GH_STORE_CREATE);

    (void)apply(st, &files, 0, GH_OK, NULL);
    role.description = GH_STR("two");
    (void)apply(st, &files, 0, GH_OK, NULL);
    files.role_count = 0;
    (void)apply(st, &files, 0, GH_OK, "- role analyst\n");
    ck_assert_int_eq(
        world_sql("SELECT count(*) FROM history WHERE author = 'tester' AND reason = 'why' "
                  "AND action = 'policy apply' AND kind = 'role' AND key = 'analyst'"),
        3);
    ck_assert_int_eq(world_sql("SELECT version FROM history WHERE before IS NULL"), 1);
    ck_assert_int_eq(world_sql("SELECT version FROM history WHERE after IS NULL"), 3);
    ck_assert_int_eq(
        world_sql("SELECT count(*) FROM history WHERE version = 2 AND "
                  "before ->> 'description' = 'one' AND after ->> 'description' = 'two'"),
        1);
    int64_t at = world_sql("SELECT at FROM history WHERE version = 2") / 1000000;
    ck_assert_int_le(at, time(NULL));
    ck_assert_int_ge(at, time(NULL) - 60);
    gh_store_close(st);
}
END_TEST

START_TEST(apply_refuses_what_does_not_compile)
{
    gh_acl_role roles[2] = { { .name = GH_STR("a"), .member_of = { 0 } }, { .name = GH_STR("b") } };
    gh_acl files = { .roles = roles, .role_count = 2 };
    gh_store *st = world_open(GH_STORE_CREATE);

    (void)apply(st, &files, 0, GH_OK, NULL);
    roles[0].member_of = list_of("b");
    roles[1].member_of = list_of("a");
    (void)apply(st, &files, 0, GH_INVALID, NULL);
    gh_acl acl = world_load();
    ck_assert_uint_eq(acl.version, 1);
    ck_assert_uint_eq(acl.roles[0].member_of.count, 0);
    ck_assert_int_eq(world_sql("SELECT count(*) FROM history"), 2);
    gh_store_close(st);
}
END_TEST

START_TEST(apply_dry_run_writes_nothing)
{
    full_world w;
    gh_store *st = world_open(GH_STORE_CREATE);

    expect_counts(apply(st, full(&w), GH_STORE_DRY_RUN, GH_OK, NULL), 22, 0, 0, 0);
    ck_assert_uint_eq(world_load().role_count, 0);
    ck_assert_int_eq(world_sql("SELECT count(*) FROM history"), 0);
    gh_store_close(st);
}
END_TEST

/* What the command line made, as its verbs will write it. */
static void make_by_hand(void)
{
    world_sql("INSERT INTO roles VALUES ('hand', '', '', 'cli')");
    world_sql("INSERT INTO users VALUES ('carol', 'human', 0, '', 'cli')");
    world_sql("INSERT INTO members VALUES ('user:alice', 'hand', 'cli')");
    world_sql(
        "INSERT INTO acl VALUES (1000, 0, 'grant', 'hand', 'select', 'a.b', 'all', '', NULL, '', "
        "NULL, NULL, 0, 0, '', 'eve', 5, 'cli')");
}

START_TEST(apply_keeps_what_the_command_line_made)
{
    full_world w;
    gh_store *st = world_open(GH_STORE_CREATE);

    (void)apply(st, full(&w), 0, GH_OK, NULL);
    make_by_hand();
    expect_counts(apply(st, full(&w), 0, GH_OK,
                        "= role hand (made on the command line, kept)\n"
                        "= user carol (made on the command line, kept)\n"
                        "= grant 1000: select on a.b to hand (made on the command line, kept)\n"
                        "= user:alice in role hand (made on the command line, kept)\n"),
                  0, 0, 0, 4);
    expect_counts(apply(st, full(&w), GH_STORE_PRUNE, GH_OK,
                        "- role hand\n"
                        "- user carol\n"
                        "- grant 1000: select on a.b to hand\n"
                        "- user:alice in role hand\n"),
                  0, 0, 4, 0);
    ck_assert_uint_eq(world_load().user_count, 2);
    gh_store_close(st);
}
END_TEST

START_TEST(apply_does_not_overwrite_the_command_line)
{
    gh_acl_user user = { .name = GH_STR("carol"), .is_service = true };
    gh_acl files = { .users = &user, .user_count = 1 };
    gh_store *st = world_open(GH_STORE_CREATE);

    world_sql("INSERT INTO users VALUES ('carol', 'human', 1, 'SCRAM', 'cli')");
    (void)apply(st, &files, 0, GH_INVALID, NULL);
    ck_assert(!world_load().users[0].is_service);
    (void)apply(st, &files, GH_STORE_PRUNE, GH_OK,
                "~ user carol\n\t{\"kind\":\"human\"}\t{\"kind\":\"service\"}\n");
    gh_acl acl = world_load();
    ck_assert(acl.users[0].is_service);
    ck_assert(acl.users[0].is_disabled); /* taken over, with what only the store knows */
    ck_assert(gh_str_is(acl.users[0].verifier, "SCRAM"));
    ck_assert_int_eq(acl.users[0].origin, GH_ORIGIN_POLICY);
    gh_store_close(st);
}
END_TEST

START_TEST(apply_keeps_passwords)
{
    full_world w;
    gh_store *st = world_open(GH_STORE_CREATE);
    bool is_changed = false;

    (void)apply(st, full(&w), 0, GH_OK, NULL);
    ck_assert_int_eq(gh_store_user_set_verifier(st, GH_STR("alice"), GH_STR("SCRAM-SHA-256$x"),
                                                &world_author, NULL),
                     GH_OK);
    ck_assert_int_eq(
        gh_store_user_set_disabled(st, GH_STR("alice"), true, &world_author, &is_changed, NULL),
        GH_OK);
    ck_assert(is_changed);
    ck_assert_int_eq(
        gh_store_user_set_disabled(st, GH_STR("alice"), true, &world_author, &is_changed, NULL),
        GH_OK);
    ck_assert(!is_changed);
    w.users[0].is_service = true;
    (void)apply(st, &w.acl, 0, GH_OK,
                "~ user alice\n\t{\"kind\":\"human\"}\t{\"kind\":\"service\"}\n");
    gh_acl acl = world_load();
    ck_assert(gh_str_is(acl.users[0].verifier, "SCRAM-SHA-256$x"));
    ck_assert(acl.users[0].is_disabled);
    ck_assert_uint_eq(acl.version, 4);
    /* The history knows that it happened, and no verifier. */
    ck_assert_int_eq(world_sql("SELECT count(*) FROM history WHERE after ->> 'password' = 'set'"),
                     1);
    ck_assert_int_eq(
        world_sql("SELECT count(*) FROM history WHERE before LIKE '%SCRAM%' OR after LIKE "
                  "'%SCRAM%'"),
        0);
    ck_assert_int_eq(
        gh_store_user_set_verifier(st, GH_STR("nobody"), GH_STR("x"), &world_author, NULL),
        GH_NOT_FOUND);
    gh_store_close(st);
}
END_TEST

/* A user who goes takes along what the command line gave: the next of that name starts with
 * nothing. */
START_TEST(apply_removed_user_leaves_nothing)
{
    full_world w;
    gh_store *st = world_open(GH_STORE_CREATE);

    (void)apply(st, full(&w), 0, GH_OK, NULL);
    make_by_hand();
    w.acl.user_count = 0;
    w.acl.rule_count = 0;
    w.acl.function_count = 0;
    (void)apply(st, &w.acl, 0, GH_OK, NULL);
    ck_assert_int_eq(world_sql("SELECT count(*) FROM members WHERE member = 'user:alice'"), 0);
    ck_assert_int_eq(world_sql("SELECT count(*) FROM attributes"), 0);
    (void)apply(st, full(&w), 0, GH_OK, NULL);
    gh_acl acl = world_load();
    for (size_t i = 0; i < acl.user_count; i++)
        if (gh_str_is(acl.users[i].name, "alice"))
            same_list(acl.users[i].roles, list_of("eu_analyst"));
    gh_store_close(st);
}
END_TEST

static void load_refused(const char *sql, const char *message)
{
    full_world w;
    gh_store *st = world_open(GH_STORE_CREATE);
    gh_err err = { 0 };
    gh_acl acl;

    (void)apply(st, full(&w), 0, GH_OK, NULL);
    world_sql(sql);
    ck_assert_int_eq(gh_store_load(st, world_arena(), &acl, &err), GH_INVALID);
    ck_assert_msg(strstr(err.public_msg, message) != NULL, "%s", err.public_msg);
    gh_store_close(st);
    unlink(world_path());
}

/* SECURITY: a row taken out of a grant by hand must not make the grant wider when it is put
 * together. */
START_TEST(load_refuses_what_makes_no_sense)
{
    load_refused("DELETE FROM acl WHERE grant_id = 2 AND row_no = 7",
                 "grant 2 has 11 rows, not 12");
    load_refused("DELETE FROM acl WHERE grant_id = 2 AND row_no = 0", "the ACL makes no sense");
    load_refused("UPDATE acl SET privilege = 'own' WHERE grant_id = 2",
                 "grant 2 has an unknown privilege");
    load_refused("UPDATE acl SET column_kind = 'odd' WHERE grant_id = 2",
                 "grant 2 has an unknown kind of column");
    load_refused("UPDATE acl SET origin = 'x'", "an unknown origin");
    load_refused("UPDATE roles SET may = 'explain,fly'", "may do something unknown");
    load_refused("DELETE FROM users WHERE name = 'alice'", "the unknown user:alice is in a role");
    load_refused("DELETE FROM tags", "columns of the unknown tag pii");
    load_refused("DELETE FROM functions WHERE row_no = 3", "functions entry 8 lacks rows");
    load_refused("DELETE FROM meta WHERE key = 'hash_key'", "it has no key for the hash mask");
    load_refused("DELETE FROM meta WHERE key = 'version'", "it has no version");
}
END_TEST

Suite *suite_apply(void)
{
    Suite *s = suite_create("apply");
    TCase *t = tcase_create("apply");

    tcase_add_checked_fixture(t, world_setup, world_teardown);
    tcase_add_test(t, apply_round_trip);
    tcase_add_test(t, apply_again_changes_nothing);
    tcase_add_test(t, apply_changes_in_place);
    tcase_add_test(t, apply_keeps_history);
    tcase_add_test(t, apply_refuses_what_does_not_compile);
    tcase_add_test(t, apply_dry_run_writes_nothing);
    tcase_add_test(t, apply_keeps_what_the_command_line_made);
    tcase_add_test(t, apply_does_not_overwrite_the_command_line);
    tcase_add_test(t, apply_keeps_passwords);
    tcase_add_test(t, apply_removed_user_leaves_nothing);
    tcase_add_test(t, load_refuses_what_makes_no_sense);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return s;
}
