/* Compiling: everything that an ACL can get wrong is refused, and says what. */
#include "policy_tests.h"

#include <stdlib.h>

static world s_world;

static void setup(void)
{
    static const gh_str analyst = { "analyst", 7 };
    static const gh_str loader = { "loader", 6 };
    static const gh_str ssn = { "*.*.ssn", 7 };

    world_init(&s_world);
    world_role(&s_world, analyst, (gh_str_list){ 0 });
    world_role(&s_world, loader, (gh_str_list){ &analyst, 1 });
    world_user(&s_world, S("alice"), (gh_str_list){ &analyst, 1 });
    world_user(&s_world, S("bob"), (gh_str_list){ &loader, 1 });
    world_tag(&s_world, S("pii"), (gh_str_list){ &ssn, 1 });
}

static gh_acl_rule *grant(void)
{
    static const gh_str to = { "analyst", 7 };
    static const gh_str on = { "sales.orders", 12 };

    return world_grant(&s_world, (gh_str_list){ &to, 1 }, (gh_str_list){ &on, 1 });
}

START_TEST(unknown_names)
{
    gh_acl_rule *r = grant();

    r->to = LIST(S("analist"));
    world_refused(&s_world, GH_INVALID, "unknown role \"analist\" (did you mean \"analyst\"?)");
    r->to = LIST(S("user:alise"));
    world_refused(&s_world, GH_INVALID, "unknown user \"alise\" (did you mean \"alice\"?)");
    r->to = LIST(S("user:"));
    world_refused(&s_world, GH_INVALID, "unknown role");
    r->to = LIST(S("user:alice"));
    gh_policy_release(world_compile(&s_world));
    r->masks = &(gh_acl_column_mask){ .column = S("email"), .mask = S("emall") };
    r->mask_count = 1;
    world_refused(&s_world, GH_INVALID, "did you mean \"email\"?");
    r->mask_count = 0;
    r->is_deny = true;
    r->tags = LIST(S("pij"));
    world_refused(&s_world, GH_INVALID, "unknown tag \"pij\" (did you mean \"pii\"?)");
}
END_TEST

START_TEST(unknown_elsewhere)
{
    gh_acl_masking *m = world_masking(&s_world, S("pii"), S("hash"));

    gh_policy_release(world_compile(&s_world));
    m->tag = S("nope");
    world_refused(&s_world, GH_INVALID, "unknown tag");
    m->tag = S("pii");
    m->except = LIST(S("reader"));
    world_refused(&s_world, GH_INVALID, "unknown role \"reader\"");
    s_world.acl.masking_count = 0;
    s_world.users[0].roles = LIST(S("nobody"));
    world_refused(&s_world, GH_INVALID, "user \"alice\": unknown role");
    s_world.users[0].roles = (gh_str_list){ 0 };
    s_world.roles[1].member_of = LIST(S("nobody"));
    world_refused(&s_world, GH_INVALID, "role \"loader\": unknown role");
    s_world.roles[1].member_of = (gh_str_list){ 0 };
    s_world.functions[0] = (gh_acl_function){ .to = LIST(S("x")), .allow = LIST(S("a.b")) };
    s_world.acl.function_count = 1;
    world_refused(&s_world, GH_INVALID, "unknown role \"x\"");
    s_world.functions[0].to = LIST(S("analyst"));
    s_world.functions[0].allow = LIST(S("b"));
    world_refused(&s_world, GH_INVALID, "expected schema.name");
}
END_TEST

START_TEST(doubles)
{
    world_user(&s_world, S("alice"), (gh_str_list){ 0 });
    world_refused(&s_world, GH_INVALID, "user \"alice\" is defined twice");
    s_world.acl.user_count--;
    world_role(&s_world, S("analyst"), (gh_str_list){ 0 });
    world_refused(&s_world, GH_INVALID, "role \"analyst\" is defined twice");
    s_world.acl.role_count--;
    world_tag(&s_world, S("pii"), (gh_str_list){ 0 });
    world_refused(&s_world, GH_INVALID, "tag \"pii\" is defined twice");
    s_world.acl.tag_count--;
    world_mask(&s_world, S("m"), S("upper(value)"));
    world_mask(&s_world, S("m"), S("lower(value)"));
    world_refused(&s_world, GH_INVALID, "mask \"m\" is defined twice");
    s_world.masks[1].name = S("redact");
    world_refused(&s_world, GH_INVALID, "built-in");
}
END_TEST

START_TEST(fit_names)
{
    gh_acl_role *r = world_role(&s_world, S(""), (gh_str_list){ 0 });
    static char name[GH_POLICY_NAME_MAX + 1];

    world_refused(&s_world, GH_INVALID, "needs a name");
    r->name = S("a\nb");
    world_refused(&s_world, GH_INVALID, "control characters");
    r->name = S("\xff");
    world_refused(&s_world, GH_INVALID, "UTF-8");
    r->name = S("user:alice"); /* would take over what is granted to the user */
    world_refused(&s_world, GH_INVALID, "user:");
    memset(name, 'x', sizeof(name));
    r->name = (gh_str){ name, GH_POLICY_NAME_MAX };
    gh_policy_release(world_compile(&s_world));
    r->name.len++;
    world_refused(&s_world, GH_INVALID, "1 to 500 bytes");
}
END_TEST

START_TEST(cycles)
{
    world_role(&s_world, S("a"), LIST(S("b")));
    world_role(&s_world, S("b"), LIST(S("loader"), S("c")));
    world_role(&s_world, S("c"), LIST(S("a")));
    world_refused(&s_world, GH_INVALID, "role \"a\" is a member of itself: a -> b -> c -> a");
    s_world.roles[4].member_of = LIST(S("c"));
    world_refused(&s_world, GH_INVALID, "role \"c\" is a member of itself: c -> c");
}
END_TEST

/* Two ways to each next role: walked path by path, 64 levels would never end. */
START_TEST(diamonds)
{
    static char names[GH_POLICY_ROLE_DEPTH_MAX][2][8];
    static gh_str above[GH_POLICY_ROLE_DEPTH_MAX][2];
    gh_policy *p;
    gh_view *v;

    world_init(&s_world);
    for (int i = 0; i < GH_POLICY_ROLE_DEPTH_MAX; i++) {
        for (int j = 0; j < 2; j++) {
            (void)snprintf(names[i][j], sizeof(names[i][j]), "r%d_%d", i, j);
            above[i][j] = gh_str_of(names[i][j]);
            world_role(&s_world, above[i][j],
                       i == 0 ? (gh_str_list){ 0 } : (gh_str_list){ above[i - 1], 2 });
        }
    }
    world_user(&s_world, S("u"), (gh_str_list){ above[GH_POLICY_ROLE_DEPTH_MAX - 1], 2 });
    p = world_compile(&s_world);
    v = gh_view_new(p, S("wh"), S("u"), 0);
    ck_assert_uint_eq(gh_view_roles(v).count, 2 * GH_POLICY_ROLE_DEPTH_MAX);
    gh_view_release(v);
    gh_policy_release(p);
}
END_TEST

START_TEST(depth)
{
    static char names[GH_POLICY_ROLE_DEPTH_MAX + 1][8];
    static gh_str above[GH_POLICY_ROLE_DEPTH_MAX + 1];

    world_init(&s_world);
    for (int i = 0; i <= GH_POLICY_ROLE_DEPTH_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "r%d", i);
        above[i] = gh_str_of(names[i]);
        world_role(&s_world, above[i],
                   i == 0 ? (gh_str_list){ 0 } : (gh_str_list){ &above[i - 1], 1 });
    }
    world_refused(&s_world, GH_LIMIT, "more than 64 roles");
    s_world.acl.role_count--;
    gh_policy_release(world_compile(&s_world));
}
END_TEST

START_TEST(rules)
{
    gh_acl_rule *r = grant();
    gh_acl_rule good = *r;
    static const gh_acl_column_mask twice[] = { { { "a", 1 }, { "hash", 4 } },
                                                { { "\"a\"", 3 }, { "null", 4 } } };

    r->to = (gh_str_list){ 0 };
    world_refused(&s_world, GH_INVALID, "names nobody");
    *r = good;
    r->tables = (gh_str_list){ 0 };
    world_refused(&s_world, GH_INVALID, "names no tables");
    r->tables = LIST(S("orders"));
    world_refused(&s_world, GH_INVALID, "grant 1 (to analyst on orders): table \"orders\"");
    *r = good;
    r->privileges = 0;
    world_refused(&s_world, GH_INVALID, "privileges");
    r->privileges = 32;
    world_refused(&s_world, GH_INVALID, "privileges");
    *r = good;
    r->has_columns = true;
    world_refused(&s_world, GH_INVALID, "list of columns is empty");
    r->columns = LIST(S("a*"));
    world_refused(&s_world, GH_INVALID, "not patterns");
    r->columns = LIST(S("a"));
    r->masks = &(gh_acl_column_mask){ .column = S("b"), .mask = S("hash") };
    r->mask_count = 1;
    world_refused(&s_world, GH_INVALID, "masks column b, which it does not grant");
    r->is_except = true;
    r->columns = LIST(S("b"));
    world_refused(&s_world, GH_INVALID, "which it does not grant");
    *r = good;
    r->masks = twice;
    r->mask_count = 2;
    world_refused(&s_world, GH_INVALID, "twice");
    r->is_deny = true;
    world_refused(&s_world, GH_INVALID, "cannot mask");
    *r = good;
    r->tags = LIST(S("pii"));
    world_refused(&s_world, GH_INVALID, "only denies name tags");
    *r = good;
    r->valid_from = r->valid_until = 5;
    world_refused(&s_world, GH_INVALID, "ends before it begins");
}
END_TEST

/* A filter of blanks would be no filter: every row. */
START_TEST(blank_filter)
{
    static char rows[GH_POLICY_EXPR_MAX + 1];
    gh_acl_rule *r = grant();

    r->rows = S(" \n\t ");
    world_refused(&s_world, GH_INVALID, "row filter is blank");
    r->rows = (gh_str){ "a\0b", 3 };
    world_refused(&s_world, GH_INVALID, "NUL");
    memset(rows, 'x', sizeof(rows));
    r->rows = (gh_str){ rows, GH_POLICY_EXPR_MAX };
    gh_policy_release(world_compile(&s_world));
    r->rows.len++;
    world_refused(&s_world, GH_LIMIT, "65536");
}
END_TEST

static void masked_grant(gh_str to, gh_str table, gh_str column, gh_str mask)
{
    gh_acl_rule *r = world_grant(&s_world, (gh_str_list){ 0 }, (gh_str_list){ 0 });
    static gh_acl_column_mask masks[64];
    static gh_str names[64][2];
    size_t i = s_world.acl.rule_count;

    names[i][0] = to;
    names[i][1] = table;
    masks[i] = (gh_acl_column_mask){ column, mask };
    r->to = (gh_str_list){ &names[i][0], 1 };
    r->tables = (gh_str_list){ &names[i][1], 1 };
    r->masks = &masks[i];
    r->mask_count = 1;
}

static void meets(gh_str to, gh_str table, gh_str column, gh_str mask, bool is_refused)
{
    s_world.acl.rule_count = 0;
    masked_grant(S("analyst"), S("sales.orders"), S("email"), S("upper(value)"));
    masked_grant(to, table, column, mask);
    if (is_refused)
        world_refused(&s_world, GH_INVALID, "would get two masks of column email");
    else
        gh_policy_release(world_compile(&s_world));
}

START_TEST(incomparable_masks)
{
    world_role(&s_world, S("other"), (gh_str_list){ 0 });
    meets(S("analyst"), S("sales.orders"), S("email"), S("hash"), true);
    meets(S("loader"), S("sales.orders"), S("email"), S("hash"), true); /* bob has both */
    meets(S("user:bob"), S("sales.*"), S("email"), S("lower(value)"), true);
    meets(S("user:alice"), S("*.ord*"), S("\"email\""), S("constant('x')"), true);
    meets(S("user:alice"), S("wh:\"sales\".orders"), S("email"), S("constant('x')"), true);
    meets(S("analyst"), S("sales.orders"), S("email"), S("redact"), false);
    meets(S("analyst"), S("sales.orders"), S("email"), S("upper(value)"), false);
    meets(S("analyst"), S("sales.orders"), S("phone"), S("hash"), false);
    meets(S("analyst"), S("sales.order"), S("email"), S("hash"), false);
    meets(S("analyst"), S("*.customers"), S("email"), S("hash"), false);
    meets(S("other"), S("sales.orders"), S("email"), S("hash"), false); /* nobody has both */
}
END_TEST

START_TEST(incomparable_masks_name_both)
{
    masked_grant(S("analyst"), S("sales.orders"), S("email"), S("upper(value)"));
    masked_grant(S("loader"), S("sales.*"), S("email"), S("lower(value)"));
    world_refused(&s_world, GH_INVALID, "user \"bob\"");
    world_refused(&s_world, GH_INVALID, "\"upper(value)\" (grant 1 on sales.orders)");
    world_refused(&s_world, GH_INVALID, "\"lower(value)\" (grant 2 on sales.*)");
    /* At different times they never meet. */
    s_world.rules[0].valid_until = 100;
    s_world.rules[1].valid_from = 100;
    gh_policy_release(world_compile(&s_world));
    s_world.rules[1].valid_from = 99;
    world_refused(&s_world, GH_INVALID, "user \"bob\"");
}
END_TEST

static gh_rc compile_cross(size_t roles, size_t tables)
{
    gh_acl_role *all = gh_alloc(roles * sizeof(*all));
    gh_str *to = gh_alloc(roles * sizeof(*to));
    gh_str *on = gh_alloc(tables * sizeof(*on));
    gh_arena *a = gh_arena_new(0);
    gh_acl_rule r = { .privileges = 1, .valid_from = INT64_MIN, .valid_until = INT64_MAX };
    gh_acl acl = { .roles = all, .role_count = roles, .rules = &r, .rule_count = 1 };
    gh_policy *p = NULL;
    gh_err err = { 0 };
    gh_rc rc;

    for (size_t i = 0; i < roles; i++)
        all[i].name = to[i] = gh_arena_printf(a, "r%zu", i);
    for (size_t i = 0; i < tables; i++)
        on[i] = gh_arena_printf(a, "s.t%zu", i);
    r.to = (gh_str_list){ to, roles };
    r.tables = (gh_str_list){ on, tables };
    rc = gh_policy_compile(&acl, &p, &err);
    gh_policy_release(p);
    gh_arena_free(a);
    free(all);
    free(to);
    free(on);
    return rc;
}

START_TEST(entries_bound)
{
    ck_assert_uint_eq(GH_POLICY_ENTRIES_MAX, 4096u * 4096u);
    ck_assert_int_eq(compile_cross(4096, 4096), GH_OK);
    ck_assert_int_eq(compile_cross(4096, 4097), GH_LIMIT);
}
END_TEST

Suite *policy_compile_suite(void)
{
    Suite *s = suite_create("policy compile");
    TCase *t = tcase_create("compile");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, unknown_names);
    tcase_add_test(t, unknown_elsewhere);
    tcase_add_test(t, doubles);
    tcase_add_test(t, fit_names);
    tcase_add_test(t, cycles);
    tcase_add_test(t, diamonds);
    tcase_add_test(t, depth);
    tcase_add_test(t, rules);
    tcase_add_test(t, blank_filter);
    tcase_add_test(t, incomparable_masks);
    tcase_add_test(t, incomparable_masks_name_both);
    tcase_add_test(t, entries_bound);
    suite_add_tcase(s, t);
    return s;
}
