/* Single changes: what they write, what they refuse, and that their check is the whole ACL's. */
#include "world.h"

#include "rounds.h"

#include <stdio.h>
#include <stdlib.h>

static const gh_store_author s_author = { { "ann", 3 }, { "grant", 5 }, { "why", 3 } };

static gh_store *s_store;

static void setup(void)
{
    world_setup();
    s_store = world_open(GH_STORE_CREATE);
}

static void teardown(void)
{
    gh_store_close(s_store);
    world_teardown();
}

/* ---- edits in short -------------------------------------------------------------------------- */

static void *keep(const void *thing, size_t size)
{
    void *copy = gh_arena_alloc(world_arena(), size);

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, thing, size);
    return copy;
}

static gh_store_edit role(const char *name)
{
    gh_acl_role r = { .name = gh_str_of(name) };

    return (gh_store_edit){
        .act = GH_STORE_ADD, .thing = GH_STORE_ROLE, .name = r.name, .of.role = keep(&r, sizeof(r))
    };
}

static gh_store_edit user(const char *name)
{
    gh_acl_user u = { .name = gh_str_of(name) };

    return (gh_store_edit){
        .act = GH_STORE_ADD, .thing = GH_STORE_USER, .name = u.name, .of.user = keep(&u, sizeof(u))
    };
}

static gh_store_edit member(const char *who, const char *in)
{
    return (gh_store_edit){ .act = GH_STORE_ADD,
                            .thing = GH_STORE_MEMBER,
                            .name = gh_str_of(who),
                            .other = gh_str_of(in) };
}

static gh_store_edit mask(const char *name, const char *expr)
{
    gh_acl_mask_def m = { .name = gh_str_of(name), .expr = gh_str_of(expr) };

    return (gh_store_edit){
        .act = GH_STORE_PUT, .thing = GH_STORE_MASK, .name = m.name, .of.mask = keep(&m, sizeof(m))
    };
}

static gh_store_edit rule(const gh_acl_rule *r)
{
    return (gh_store_edit){ .act = GH_STORE_ADD,
                            .thing = GH_STORE_RULE,
                            .of.rule = keep(r, sizeof(*r)) };
}

static gh_store_edit grant(const char *to, const char *tables)
{
    gh_acl_rule r = rule_of(to, tables);

    return rule(&r);
}

static gh_store_edit drop(gh_store_edit edit)
{
    edit.act = GH_STORE_DROP;
    return edit;
}

static gh_store_changes make(const gh_store_edit *edits, size_t count, gh_rc expected,
                             const char *message)
{
    gh_store_changes changes = { 0 };
    gh_err err = { 0 };
    gh_rc rc = gh_store_edit_all(s_store, edits, count, &s_author, world_arena(), &changes, &err);

    ck_assert_msg(rc == expected, "%s: %s", gh_rc_name(rc), err.public_msg);
    if (message != NULL)
        ck_assert_str_eq(err.public_msg, message);
    return changes;
}

static gh_store_changes make_one(gh_store_edit edit)
{
    return make(&edit, 1, GH_OK, NULL);
}

static void refuse(gh_store_edit edit, gh_rc rc, const char *message)
{
    int64_t version = world_sql("SELECT value FROM meta WHERE key = 'version'");
    int64_t history = world_sql("SELECT count(*) FROM history");

    (void)make(&edit, 1, rc, message);
    ck_assert_int_eq(world_sql("SELECT value FROM meta WHERE key = 'version'"), version);
    ck_assert_int_eq(world_sql("SELECT count(*) FROM history"), history);
}

/* ---- what is written ------------------------------------------------------------------------- */

START_TEST(all_or_nothing_with_history)
{
    gh_store_edit edits[] = { role("analyst"), user("alice"), member("user:alice", "analyst"),
                              grant("analyst", "sales.orders") };
    gh_store_changes c = make(edits, GH_COUNT(edits), GH_OK, NULL);

    ck_assert_uint_eq(c.count, 4);
    ck_assert_uint_eq(c.changed, 4);
    ck_assert_uint_eq(c.version, 1);
    ck_assert_int_eq(c.list[3].id, 1);
    ck_assert_int_eq(c.list[3].sign, '+');
    ck_assert_int_eq(world_sql("SELECT count(*) FROM history WHERE version = 1 AND author = 'ann' "
                               "AND action = 'grant' AND reason = 'why' AND before IS NULL"),
                     4);
    gh_acl acl = world_load();
    ck_assert_uint_eq(acl.rule_count, 1);
    ck_assert_int_eq(acl.rules[0].origin, GH_ORIGIN_CLI);
    ck_assert_uint_eq(acl.users[0].roles.count, 1);

    gh_store_edit broken[] = { role("other"), grant("nobody", "sales.orders") };
    (void)make(broken, 2, GH_NOT_FOUND, "no such role: nobody");
    ck_assert_uint_eq(world_load().role_count, 1);
}
END_TEST

START_TEST(the_same_again_is_no_change)
{
    make_one(role("analyst"));
    make_one(user("alice"));
    make_one(member("user:alice", "analyst"));
    make_one(grant("analyst", "sales.orders"));
    gh_store_changes c = make_one(member("user:alice", "analyst"));
    ck_assert_int_eq(c.list[0].sign, '=');
    ck_assert_uint_eq(c.changed, 0);
    ck_assert_uint_eq(c.version, 4);
    c = make_one(grant("analyst", "sales.orders"));
    ck_assert_int_eq(c.list[0].sign, '=');
    ck_assert_int_eq(c.list[0].id, 1);
    ck_assert_int_eq(world_sql("SELECT value FROM meta WHERE key = 'version'"), 4);
    refuse(role("analyst"), GH_INVALID, "role analyst exists already");
}
END_TEST

START_TEST(put_keeps_what_is_not_said)
{
    gh_acl_role r = { .name = GH_STR("analyst"),
                      .description = GH_STR("reads"),
                      .may = GH_MAY_EXPLAIN };
    gh_store_edit edit = {
        .act = GH_STORE_PUT, .thing = GH_STORE_ROLE, .name = r.name, .of.role = &r
    };

    make_one(edit);
    r.description = (gh_str){ 0 };
    r.may = GH_MAY_NOTIFY;
    edit.keeps = GH_STORE_KEEP_DESCRIPTION;
    gh_store_changes c = make_one(edit);
    ck_assert_int_eq(c.list[0].sign, '~');
    gh_acl acl = world_load();
    ck_assert(gh_str_is(acl.roles[0].description, "reads"));
    ck_assert_uint_eq(acl.roles[0].may, GH_MAY_NOTIFY);
}
END_TEST

START_TEST(revoke_by_id_and_by_words)
{
    gh_acl_rule r = rule_of("analyst", "sales.orders mart.*");
    gh_store_edit edit;

    make_one(role("analyst"));
    r.reason = GH_STR("first");
    r.valid_until = 4000000000000000;
    make_one(rule(&r));
    make_one(grant("analyst", "sales.orders"));
    edit = (gh_store_edit){ .act = GH_STORE_DROP, .thing = GH_STORE_RULE, .id = 77 };
    refuse(edit, GH_NOT_FOUND, "no grant or deny has the id 77");
    r = rule_of("analyst", "mart.* sales.orders"); /* neither order, nor reason, nor time */
    r.tables = list_of("sales.orders mart.*");
    edit = drop(rule(&r));
    ck_assert_int_eq(make_one(edit).list[0].id, 1);
    refuse(edit, GH_NOT_FOUND, "no grant says exactly this; analyst on sales.orders has: 2");
    edit = (gh_store_edit){ .act = GH_STORE_DROP, .thing = GH_STORE_RULE, .id = 2 };
    make_one(edit);
    refuse(drop(grant("analyst", "sales.orders")), GH_NOT_FOUND,
           "no grant says this, nor does any other name analyst on sales.orders");
    r = rule_of("analyst", "sales.orders");
    make_one(rule(&r));
    r.reason = GH_STR("again");
    make_one(rule(&r));
    refuse(drop(rule(&r)), GH_INVALID, "several grants say this: 3, 4; revoke one by its id");
}
END_TEST

START_TEST(who_is_named_is_in_the_way)
{
    gh_store_edit edit;
    gh_acl_rule r = rule_of("user:alice", "*.*");

    make_one(role("analyst"));
    make_one(user("alice"));
    make_one(member("user:alice", "analyst"));
    make_one(grant("analyst user:alice", "a.b"));
    r.is_deny = true;
    make_one(rule(&r));
    refuse(drop(user("alice")), GH_INVALID, "user alice is named by grants or denies 1, 2");
    edit = drop(user("alice"));
    edit.is_cascade = true;
    gh_store_changes c = make_one(edit);
    ck_assert_uint_eq(c.changed, 4); /* grant 1, deny 2, the membership, the user */
    gh_acl acl = world_load();
    ck_assert_uint_eq(acl.rule_count, 1);
    ck_assert_uint_eq(acl.rules[0].to.count, 1);
    ck_assert(gh_str_is(acl.rules[0].to.items[0], "analyst"));
    ck_assert_int_eq(world_sql("SELECT count(*) FROM members"), 0);
    edit = drop(role("analyst"));
    edit.is_cascade = true;
    make_one(edit);
    ck_assert_uint_eq(world_load().rule_count, 0);
}
END_TEST

START_TEST(tags_and_masks_stay_while_something_names_them)
{
    gh_store_edit tag = { .act = GH_STORE_PUT, .thing = GH_STORE_TAG, .name = GH_STR("pii") };
    gh_store_edit column = { .act = GH_STORE_ADD,
                             .thing = GH_STORE_TAG_COLUMN,
                             .name = tag.name,
                             .other = GH_STR("a.b.c") };
    gh_acl_rule r = rule_of("analyst", "*.*");
    gh_acl_column_mask masks[] = { { GH_STR("c"), GH_STR("half") } };

    make_one(role("analyst"));
    make_one(tag);
    make_one(column);
    column.other = GH_STR("a.b");
    refuse(column, GH_INVALID,
           "tag \"pii\": column \"a.b\": it has too few parts; expected "
           "[warehouse:]schema.relation.column");
    r.is_deny = true;
    r.tags = list_of("pii");
    make_one(rule(&r));
    refuse(drop(tag), GH_INVALID, "tag pii is named by denies 1; revoke them first");
    make_one((gh_store_edit){ .act = GH_STORE_DROP, .thing = GH_STORE_RULE, .id = 1 });
    make_one(drop(tag));
    ck_assert_int_eq(world_sql("SELECT count(*) FROM tag_columns"), 0);
    make_one(mask("half", "left(value, 2)"));
    r = rule_of("analyst", "a.b");
    r.masks = masks;
    r.mask_count = 1;
    make_one(rule(&r));
    refuse(drop(mask("half", "")), GH_INVALID, "mask half is named by grants 2; revoke them first");
}
END_TEST

START_TEST(a_name_may_be_guessed)
{
    gh_store_edit edit = member("alice", "analyst");

    make_one(role("analyst"));
    make_one(user("alice"));
    refuse(edit, GH_NOT_FOUND, "no such role: alice; did you mean \"user:alice\"?");
    edit.is_guess = true;
    ck_assert(gh_str_is(make_one(edit).list[0].title, "user:alice in role analyst"));
    make_one(role("alice"));
    refuse(edit, GH_INVALID, "alice is a role and a user: write role:alice or user:alice");
    edit.name = GH_STR("alcie");
    refuse(edit, GH_NOT_FOUND, "no such role or user: alcie; did you mean \"alice\"?");
    refuse(member("analyst", "analyst"), GH_INVALID,
           "role \"analyst\" is a member of itself: analyst -> analyst");
}
END_TEST

/* ---- the check of neighbours ----------------------------------------------------------------- */

static uint32_t s_seed;

static size_t pick(size_t n)
{
    s_seed = s_seed * 1664525u + 1013904223u;
    return (s_seed >> 8) % n;
}

static const char *const s_roles[] = { "r0", "r1", "r2", "r3", "r4", "r5" };
static const char *const s_users[] = { "u0", "u1", "u2", "u3" };
static const char *const s_who[] = { "r0", "r1",      "r2",      "r3",     "r4",
                                     "r5", "user:u0", "user:u1", "user:u2" };
static const char *const s_tables[] = { "a.t", "a.*", "*.t", "w:a.t", "\"a\".t", "b.t", "w*:b.*" };
static const char *const s_columns[] = { "c", "\"c\"", "d" };
static const char *const s_masks[] = { "hash",    "redact",       "null",          "named",
                                       " named ", "value || 'a'", "partial(1,2)",  "partial(2,1)",
                                       "month",   "round(10)",    "constant('a')", "constant('b')",
                                       "hash",    "bad(",         "unknown" };

static gh_acl_rule random_rule(void)
{
    gh_acl_rule r = rule_of(s_who[pick(GH_COUNT(s_who))], s_tables[pick(GH_COUNT(s_tables))]);
    gh_acl_column_mask *masks = gh_arena_alloc(world_arena(), 2 * sizeof(*masks));

    ck_assert_ptr_nonnull(masks);
    r.is_deny = pick(8) == 0;
    r.privileges = pick(6) == 0 ? GH_UPDATE : GH_SELECT;
    r.mask_count = r.is_deny ? 0 : pick(3);
    r.masks = masks;
    for (size_t i = 0; i < r.mask_count; i++)
        masks[i] = (gh_acl_column_mask){ gh_str_of(s_columns[pick(GH_COUNT(s_columns))]),
                                         gh_str_of(s_masks[pick(GH_COUNT(s_masks))]) };
    if (pick(3) == 0) {
        r.valid_from = (int64_t)pick(4);
        r.valid_until = (int64_t)pick(6);
    }
    return r;
}

/* What the compiler says of the ACL as it would be with one rule or membership more, or a mask
 * changed. */
static gh_rc whole_verdict(const gh_store_edit *edit)
{
    gh_acl acl = world_load();
    gh_policy *policy = NULL;
    gh_rc rc;

    if (edit->thing == GH_STORE_RULE) {
        gh_acl_rule *rules = gh_alloc((acl.rule_count + 1) * sizeof(*rules));
        memcpy(rules, acl.rules, acl.rule_count * sizeof(*rules));
        rules[acl.rule_count] = *edit->of.rule;
        acl.rules = rules;
        acl.rule_count++;
        rc = gh_policy_compile(&acl, &policy, NULL);
        free(rules);
    } else if (edit->thing == GH_STORE_MASK) {
        gh_acl_mask_def *masks = keep(acl.masks, acl.mask_count * sizeof(*masks));
        masks[0].expr = edit->of.mask->expr;
        acl.masks = masks;
        rc = gh_policy_compile(&acl, &policy, NULL);
    } else {
        bool is_user = memcmp(edit->name.ptr, "user:", 5) == 0;
        gh_str name = is_user ? (gh_str){ edit->name.ptr + 5, edit->name.len - 5 } : edit->name;
        gh_acl_role *roles = keep(acl.roles, acl.role_count * sizeof(*roles));
        gh_acl_user *users = keep(acl.users, acl.user_count * sizeof(*users));
        gh_str_list *list = NULL;
        for (size_t i = 0; i < acl.role_count && !is_user; i++)
            if (gh_str_eq(roles[i].name, name))
                list = &roles[i].member_of;
        for (size_t i = 0; i < acl.user_count && is_user; i++)
            if (gh_str_eq(users[i].name, name))
                list = &users[i].roles;
        ck_assert_ptr_nonnull(list);
        gh_str *items = gh_arena_alloc(world_arena(), (list->count + 1) * sizeof(*items));
        ck_assert_ptr_nonnull(items);
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof(*items));
        items[list->count] = edit->other;
        *list = (gh_str_list){ items, list->count + 1 };
        acl.roles = roles;
        acl.users = users;
        rc = gh_policy_compile(&acl, &policy, NULL);
    }
    gh_policy_release(policy);
    return rc;
}

static gh_store_edit random_edit(void)
{
    gh_acl_rule r;

    switch (pick(8)) {
    case 0:
        return mask("named", pick(2) == 0 ? "value || 'n'" : pick(2) == 0 ? "hash" : "redact");
    case 1:
    case 2:
    case 3:
        return member(s_who[pick(GH_COUNT(s_who))], s_roles[pick(GH_COUNT(s_roles))]);
    default:
        r = random_rule();
        return rule(&r);
    }
}

/* Every verdict of the neighbours against the compiler's over the whole ACL. */
START_TEST(neighbours_agree_with_the_whole)
{
    size_t refused = 0;
    size_t done = 0;

    s_seed = (uint32_t)_i + 1;
    for (size_t i = 0; i < GH_COUNT(s_roles); i++)
        make_one(role(s_roles[i]));
    for (size_t i = 0; i < GH_COUNT(s_users); i++)
        make_one(user(s_users[i]));
    make_one(mask("named", "value || 'n'"));
    for (size_t i = 0; i < 150; i++) {
        gh_store_edit edit = random_edit();
        gh_rc expected = whole_verdict(&edit);
        gh_store_changes changes = { 0 };
        gh_err err = { 0 };
        gh_rc rc = gh_store_edit_all(s_store, &edit, 1, &s_author, world_arena(), &changes, &err);
        ck_assert_msg((rc == GH_OK) == (expected == GH_OK), "step %zu of %d: %s, not %s: %s", i, _i,
                      gh_rc_name(rc), gh_rc_name(expected), err.public_msg);
        refused += rc == GH_OK ? 0 : 1;
        done += rc == GH_OK ? 1 : 0;
        if (pick(4) == 0 && rc == GH_OK && changes.list[0].id > 0)
            make_one((gh_store_edit){
                .act = GH_STORE_DROP, .thing = GH_STORE_RULE, .id = changes.list[0].id });
    }
    ck_assert_uint_gt(refused, 10);
    ck_assert_uint_gt(done, 10);
}
END_TEST

START_TEST(a_chain_of_roles_has_its_bound)
{
    char names[GH_POLICY_ROLE_DEPTH_MAX + 1][8];

    for (size_t i = 0; i <= GH_POLICY_ROLE_DEPTH_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "x%zu", i);
        make_one(role(names[i]));
    }
    /* Two halves, joined last: below and above the new membership both count. */
    for (size_t i = 0; i + 1 < GH_POLICY_ROLE_DEPTH_MAX; i++)
        if (i != 30)
            make_one(member(names[i], names[i + 1]));
    make_one(member(names[30], names[31]));
    refuse(member(names[GH_POLICY_ROLE_DEPTH_MAX], names[0]), GH_LIMIT, NULL);
    refuse(member(names[GH_POLICY_ROLE_DEPTH_MAX - 1], names[GH_POLICY_ROLE_DEPTH_MAX]), GH_LIMIT,
           NULL);
}
END_TEST

/* ---- the way back ---------------------------------------------------------------------------- */

START_TEST(rollback_is_a_change_of_its_own)
{
    gh_store_changes c = { 0 };
    gh_err err = { 0 };
    gh_acl_rule r = rule_of("analyst", "a.b");
    gh_acl_column_mask masks[] = { { GH_STR("c"), GH_STR("hash") } };

    make_one(role("analyst"));
    r.has_columns = true;
    r.columns = list_of("c d");
    r.rows = GH_STR("x = 'a\"b\\c'");
    r.masks = masks;
    r.mask_count = 1;
    r.valid_from = 5;
    r.valid_until = 4000000000000000;
    r.reason = GH_STR("because");
    r.is_blind = true;
    r.is_through = true;
    make_one(rule(&r));
    make_one((gh_store_edit){ .act = GH_STORE_DROP, .thing = GH_STORE_RULE, .id = 1 });
    make_one(user("late"));
    ck_assert_int_eq(gh_store_rollback(s_store, 2, &s_author, world_arena(), &c, &err), GH_OK);
    ck_assert_uint_eq(c.version, 5);
    ck_assert_uint_eq(c.changed, 2);
    gh_acl acl = world_load();
    ck_assert_uint_eq(acl.user_count, 0);
    ck_assert_uint_eq(acl.rule_count, 1);
    const gh_acl_rule *back = &acl.rules[0];
    ck_assert_int_eq(back->id, 1);
    ck_assert(gh_str_eq(back->rows, r.rows));
    ck_assert(gh_str_is(back->masks[0].mask, "hash"));
    ck_assert_uint_eq(back->columns.count, 2);
    ck_assert_int_eq(back->valid_from, 5);
    ck_assert_int_eq(back->valid_until, r.valid_until);
    ck_assert(back->is_blind && back->is_through && gh_str_is(back->reason, "because"));
    ck_assert_int_eq(gh_store_rollback(s_store, 99, &s_author, world_arena(), &c, &err),
                     GH_NOT_FOUND);
}
END_TEST

/* Shut out, dropped, brought back: still shut out. A password never comes back. */
START_TEST(rollback_lets_nobody_in)
{
    gh_store_changes c = { 0 };
    gh_err err = { 0 };
    bool is_changed = false;

    make_one(user("mallory"));
    ck_assert_int_eq(
        gh_store_user_set_verifier(s_store, GH_STR("mallory"), GH_STR("SCRAM-x"), &s_author, &err),
        GH_OK);
    ck_assert_int_eq(
        gh_store_user_set_disabled(s_store, GH_STR("mallory"), true, &s_author, &is_changed, &err),
        GH_OK);
    make_one(drop(user("mallory")));
    ck_assert_int_eq(gh_store_rollback(s_store, 3, &s_author, world_arena(), &c, &err), GH_OK);
    gh_acl acl = world_load();
    ck_assert_uint_eq(acl.user_count, 1);
    ck_assert(acl.users[0].is_disabled);
    ck_assert_uint_eq(acl.users[0].verifier.len, 0);
    /* Before the disabling: back in, for that is what it was. */
    ck_assert_int_eq(gh_store_rollback(s_store, 2, &s_author, world_arena(), &c, &err), GH_OK);
    ck_assert(!world_load().users[0].is_disabled);
    ck_assert_int_eq(gh_store_rollback(s_store, 5, &s_author, world_arena(), &c, &err), GH_OK);
    ck_assert(world_load().users[0].is_disabled);
}
END_TEST

START_TEST(rollback_needs_the_whole_history)
{
    gh_store_changes c = { 0 };
    gh_err err = { 0 };

    make_one(role("a"));
    make_one(role("b"));
    make_one(role("c"));
    (void)world_sql("DELETE FROM history WHERE version = 2");
    ck_assert_int_eq(gh_store_rollback(s_store, 1, &s_author, world_arena(), &c, &err),
                     GH_NOT_FOUND);
    ck_assert_int_eq(gh_store_rollback(s_store, 2, &s_author, world_arena(), &c, &err), GH_OK);
    (void)world_sql("UPDATE history SET before = '{\"may\":7}', kind = 'role', key = 'z' "
                    "WHERE version = 4");
    err = (gh_err){ 0 };
    ck_assert_int_eq(gh_store_rollback(s_store, 3, &s_author, world_arena(), &c, &err), GH_INVALID);
    ck_assert_uint_eq(world_load().role_count, 2);
}
END_TEST

Suite *suite_edit(void)
{
    Suite *s = suite_create("edit");
    TCase *t = tcase_create("edit");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, all_or_nothing_with_history);
    tcase_add_test(t, the_same_again_is_no_change);
    tcase_add_test(t, put_keeps_what_is_not_said);
    tcase_add_test(t, revoke_by_id_and_by_words);
    tcase_add_test(t, who_is_named_is_in_the_way);
    tcase_add_test(t, tags_and_masks_stay_while_something_names_them);
    tcase_add_test(t, a_name_may_be_guessed);
    tcase_add_loop_test(t, neighbours_agree_with_the_whole, 0, (int)rounds(20, 200));
    tcase_add_test(t, a_chain_of_roles_has_its_bound);
    tcase_add_test(t, rollback_is_a_change_of_its_own);
    tcase_add_test(t, rollback_lets_nobody_in);
    tcase_add_test(t, rollback_needs_the_whole_history);
    suite_add_tcase(s, t);
    return s;
}
