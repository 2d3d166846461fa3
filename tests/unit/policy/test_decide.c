/* Decisions on chosen policies: their exact shape, which the rewriter turns into SQL. */
#include "policy_tests.h"

static world s_world;
static gh_policy *s_policy;
static gh_view *s_view;
static gh_catalog *s_catalog;

/* The user alice with the role r, and the table s.t (a, b, c). */
static void setup(void)
{
    static const gh_str r = { "r", 1 };

    s_policy = NULL;
    s_view = NULL;
    s_catalog = table_of("s", "t", "a b c", 1);
    world_init(&s_world);
    world_role(&s_world, r, (gh_str_list){ 0 });
    world_user(&s_world, S("alice"), (gh_str_list){ &r, 1 });
}

static void teardown(void)
{
    gh_view_release(s_view);
    gh_policy_release(s_policy);
    gh_catalog_release(s_catalog);
}

static const gh_str s_r = { "r", 1 };
static const gh_str s_t = { "s.t", 3 };

#define TO_R ((gh_str_list){ &s_r, 1 })
#define ON_T ((gh_str_list){ &s_t, 1 })

static const gh_decision *decide(void)
{
    gh_view_release(s_view);
    gh_policy_release(s_policy);
    s_policy = world_compile(&s_world);
    s_view = gh_view_new(s_policy, S("wh"), S("alice"), 0);
    return gh_view_decide(s_view, s_catalog, only_relation(s_catalog));
}

/* A set as text: "x|y". */
static const char *set_text(const gh_decision *d, gh_filter_set set)
{
    static char text[4][256];
    static int next;
    char *out = text[next++ % 4];

    out[0] = '\0';
    for (uint16_t i = 0; i < set.count; i++)
        (void)snprintf(out + strlen(out), 256 - strlen(out), "%s" GH_STR_FMT, i > 0 ? "|" : "",
                       GH_STR_ARG(d->filters[set.items[i]]));
    return out;
}

static void only_columns(gh_acl_rule *r, gh_str_list columns)
{
    r->has_columns = true;
    r->columns = columns;
}

START_TEST(full)
{
    const gh_decision *d;

    world_grant(&s_world, TO_R, ON_T);
    d = decide();
    ck_assert(d->exists && d->is_full && d->is_every_row && d->rows_all);
    ck_assert_uint_eq(d->privileges, GH_SELECT);
    ck_assert_uint_eq(d->filter_count, 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(d->columns[i].show, GH_CLEAR);
        ck_assert(d->columns[i].is_writable[0] && !d->columns[i].is_writable[1]);
    }
    ck_assert_uint_eq(d->grant_count, 1);
    ck_assert_int_eq(d->grant_ids[0], 1);
}
END_TEST

START_TEST(nothing)
{
    world_grant(&s_world, TO_R, LIST(S("s.T"), S("S.t"), S("s.tt"), S("\"s*\".t")));
    ck_assert(!decide()->exists);
    ck_assert_uint_eq(decide()->column_count, 0);
    s_world.rules[0].tables = LIST(S("s*.*t"));
    ck_assert(decide()->exists);
}
END_TEST

/* The commonest policy of all must not become a CASE for each cell (S4). */
START_TEST(one_filtered_grant)
{
    gh_acl_rule *r = world_grant(&s_world, TO_R, ON_T);
    const gh_decision *d;

    r->rows = S("  region = attr('region') ");
    r->masks = &(gh_acl_column_mask){ .column = S("b"), .mask = S("email") };
    r->mask_count = 1;
    d = decide();
    ck_assert(!d->is_full && !d->is_every_row && !d->rows_all);
    ck_assert_str_eq(set_text(d, d->rows), "region = attr('region')");
    ck_assert_int_eq(d->columns[0].show, GH_CLEAR);
    ck_assert_int_eq(d->columns[1].show, GH_MASKED);
    ck_assert_int_eq(d->columns[1].arms[0].mask->kind, GH_MASK_EMAIL);
    ck_assert_uint_eq(d->filter_count, 1);
}
END_TEST

/* CONTRACT: one grant's rows are never combined with another grant's columns. */
START_TEST(grants_do_not_combine)
{
    gh_acl_rule *r = world_grant(&s_world, TO_R, ON_T);
    const gh_decision *d;

    r->rows = S("x");
    only_columns(r, LIST(S("a"), S("b")));
    r = world_grant(&s_world, TO_R, LIST(S("*.*")));
    r->rows = S("y");
    only_columns(r, LIST(S("b"), S("c")));
    d = decide();
    ck_assert_str_eq(set_text(d, d->rows), "x|y");
    ck_assert_int_eq(d->columns[0].show, GH_BY_CELL);
    ck_assert_uint_eq(d->columns[0].arm_count, 1);
    ck_assert_str_eq(set_text(d, d->columns[0].arms[0].when), "x");
    ck_assert_int_eq(d->columns[1].show, GH_CLEAR);
    ck_assert_str_eq(set_text(d, d->columns[2].arms[0].when), "y");
}
END_TEST

/* The same filter in two grants is one filter (S1). */
START_TEST(same_filter)
{
    gh_acl_rule *r = world_grant(&s_world, TO_R, ON_T);
    const gh_decision *d;

    r->rows = S("x");
    only_columns(r, LIST(S("a")));
    r = world_grant(&s_world, TO_R, ON_T);
    r->rows = S(" x");
    only_columns(r, LIST(S("b")));
    d = decide();
    ck_assert_uint_eq(d->filter_count, 1);
    ck_assert_int_eq(d->columns[0].show, GH_CLEAR);
    ck_assert_int_eq(d->columns[1].show, GH_CLEAR);
    ck_assert_int_eq(d->columns[2].show, GH_HIDDEN);
}
END_TEST

START_TEST(weakest_mask_of_grants)
{
    gh_acl_column_mask hash = { .column = S("a"), .mask = S("hash") };
    gh_acl_column_mask partial = { .column = S("a"), .mask = S("partial(1,1)") };
    gh_acl_rule *r = world_grant(&s_world, TO_R, ON_T);
    const gh_decision *d;

    r->masks = &hash;
    r->mask_count = 1;
    r = world_grant(&s_world, TO_R, ON_T);
    r->masks = &partial;
    r->mask_count = 1;
    r->rows = S("x");
    d = decide();
    ck_assert(d->is_every_row && !d->is_full);
    ck_assert_int_eq(d->columns[0].show, GH_BY_CELL);
    ck_assert_uint_eq(d->columns[0].arm_count, 2);
    ck_assert_int_eq(d->columns[0].arms[0].mask->kind, GH_MASK_PARTIAL);
    ck_assert_str_eq(set_text(d, d->columns[0].arms[0].when), "x");
    ck_assert_int_eq(d->columns[0].arms[1].mask->kind, GH_MASK_HASH);
    ck_assert(d->columns[0].arms[1].is_always);
    ck_assert_int_eq(d->columns[1].show, GH_CLEAR);
}
END_TEST

/* S3 to S6: what the arms before cannot leave over is no condition; NULL at the end is no arm. */
START_TEST(arms_are_few)
{
    static const char *const masks[] = { "partial(9,9)", "email", "hash", "null" };
    static const gh_str filters[] = { { "x", 1 }, { "y", 1 }, { "z", 1 }, { "u", 1 } };
    gh_acl_column_mask each[GH_COUNT(masks)];
    gh_acl_rule *r[GH_COUNT(masks)];
    const gh_decision *d;

    for (size_t i = 0; i < GH_COUNT(masks); i++) {
        each[i] = (gh_acl_column_mask){ S("a"), gh_str_of(masks[i]) };
        r[i] = world_grant(&s_world, TO_R, ON_T);
        r[i]->rows = filters[i];
        r[i]->masks = &each[i];
        r[i]->mask_count = 1;
    }
    d = decide(); /* the last one, NULL, is what is left anyway */
    ck_assert_uint_eq(d->columns[0].arm_count, 3);
    ck_assert_str_eq(set_text(d, d->columns[0].arms[2].when), "z");
    r[3]->mask_count = 0; /* in clear: first; and the others leave nothing to the last */
    d = decide();
    ck_assert_uint_eq(d->columns[0].arm_count, 4);
    ck_assert_ptr_null(d->columns[0].arms[0].mask);
    ck_assert_str_eq(set_text(d, d->columns[0].arms[0].when), "u");
    ck_assert(!d->columns[0].arms[2].is_always && d->columns[0].arms[3].is_always);
    ck_assert_uint_eq(d->columns[0].arms[3].when.count, 0);
    r[1]->rows = S("x"); /* where x is true, the weaker mask of x shows */
    d = decide();
    ck_assert_uint_eq(d->columns[0].arm_count, 3);
    world_tag(&s_world, S("t"), LIST(S("s.t.a")));
    (void)world_masking(&s_world, S("t"), S("hash")); /* stronger than all: they become one */
    ck_assert_int_eq(decide()->columns[0].show, GH_MASKED);
    r[0]->rows = (gh_str){ 0 }; /* behind what is always taken there is nothing */
    s_world.acl.masking_count = 0;
    d = decide();
    ck_assert_uint_eq(d->columns[0].arm_count, 2);
    ck_assert(d->columns[0].arms[1].is_always);
}
END_TEST

START_TEST(denies)
{
    gh_acl_rule *r;
    const gh_decision *d;

    world_grant(&s_world, TO_R, ON_T)->privileges = GH_SELECT | GH_UPDATE | GH_DELETE;
    r = world_deny(&s_world, LIST(S("user:alice")), LIST(S("*.*")));
    only_columns(r, LIST(S("a")));
    r = world_deny(&s_world, TO_R, ON_T);
    only_columns(r, LIST(S("b")));
    r->rows = S("x");
    world_deny(&s_world, TO_R, ON_T)->rows = S("y");
    d = decide();
    ck_assert(d->rows_all && !d->is_every_row && !d->is_full);
    ck_assert_str_eq(set_text(d, d->row_denies), "y");
    ck_assert_str_eq(set_text(d, d->deny_rows[2]), "y");
    ck_assert_int_eq(d->columns[0].show, GH_HIDDEN);
    ck_assert(!d->columns[0].is_writable[0] && !d->columns[0].is_writable[2]);
    ck_assert_int_eq(d->columns[1].show, GH_BY_CELL);
    ck_assert_str_eq(set_text(d, d->columns[1].null_where), "x");
    ck_assert_str_eq(set_text(d, d->columns[1].deny_where[2]), "x");
    ck_assert_int_eq(d->columns[2].show, GH_CLEAR);
    ck_assert_uint_eq(d->write_count, 1);
    ck_assert_uint_eq(d->writes[0].privileges, GH_UPDATE | GH_DELETE);
    ck_assert_uint_eq(d->writes[0].columns[0], 6);
    ck_assert_uint_eq(d->grant_count, 4);
    world_deny(&s_world, TO_R, ON_T);
    ck_assert(!decide()->exists);
}
END_TEST

/* A deny of select leaves what may be written: the relation exists, reading it is another error. */
START_TEST(written_but_not_read)
{
    gh_acl_rule *r = world_grant(&s_world, TO_R, ON_T);
    const gh_decision *d;

    r->privileges = GH_SELECT | GH_INSERT;
    r->rows = S("x");
    r->is_blind = true;
    world_deny(&s_world, TO_R, ON_T)->privileges = GH_SELECT;
    d = decide();
    ck_assert(d->exists);
    ck_assert_uint_eq(d->privileges, GH_INSERT);
    ck_assert_int_eq(d->columns[0].show, GH_HIDDEN);
    ck_assert(d->columns[0].is_writable[1] && !d->columns[0].is_writable[0]);
    ck_assert_uint_eq(d->rows.count, 0);
    ck_assert_uint_eq(d->write_count, 1);
    ck_assert(!d->writes[0].is_every_row && d->writes[0].is_blind);
    ck_assert(gh_str_is(d->filters[d->writes[0].filter], "x"));
}
END_TEST

START_TEST(tags)
{
    gh_acl_masking *m;
    const gh_decision *d;
    gh_acl_column_mask null = { .column = S("a"), .mask = S("null") };
    gh_acl_rule *r = world_grant(&s_world, TO_R, ON_T);

    r->masks = &null;
    r->mask_count = 1;
    world_tag(&s_world, S("pii"), LIST(S("s.t.a"), S("*.*.b")));
    world_tag(&s_world, S("other"), LIST(S("other:s.t.c"), S("x.t.c")));
    m = world_masking(&s_world, S("pii"), S("hash"));
    (void)world_masking(&s_world, S("other"), S("redact"));
    d = decide();
    ck_assert_int_eq(d->columns[0].arms[0].mask->kind, GH_MASK_NULL); /* the stronger of the two */
    ck_assert_int_eq(d->columns[1].show, GH_MASKED);
    ck_assert_int_eq(d->columns[1].arms[0].mask->kind, GH_MASK_HASH);
    ck_assert_int_eq(d->columns[2].show, GH_CLEAR);
    m->except = TO_R;
    ck_assert_int_eq(decide()->columns[1].show, GH_CLEAR);
    m->except = (gh_str_list){ 0 };
    r->masks = &(gh_acl_column_mask){ .column = S("a"), .mask = S("upper(value)") };
    d = decide(); /* cannot be compared: the tag's */
    ck_assert_int_eq(d->columns[0].arms[0].mask->kind, GH_MASK_HASH);
    r = world_deny(&s_world, TO_R, ON_T);
    r->tags = LIST(S("pii"));
    d = decide();
    ck_assert_int_eq(d->columns[0].show, GH_HIDDEN);
    ck_assert_int_eq(d->columns[1].show, GH_HIDDEN);
    ck_assert_int_eq(d->columns[2].show, GH_CLEAR);
}
END_TEST

/* A deny of a tag that no column of the relation has takes nothing, not the relation. */
START_TEST(idle_deny)
{
    gh_acl_rule *r;

    world_grant(&s_world, TO_R, ON_T);
    world_tag(&s_world, S("pii"), LIST(S("*.*.ssn")));
    r = world_deny(&s_world, TO_R, LIST(S("*.*")));
    r->tags = LIST(S("pii"));
    r = world_deny(&s_world, TO_R, LIST(S("*.*")));
    only_columns(r, LIST(S("ssn")));
    r->rows = S("x");
    ck_assert(decide()->is_full);
    ck_assert_uint_eq(decide()->grant_count, 1);
}
END_TEST

/* Would a column that is added show in clear as well? */
START_TEST(open_to_new_columns)
{
    gh_acl_rule *r = world_grant(&s_world, TO_R, ON_T);

    ck_assert(decide()->is_full && decide()->is_open);
    only_columns(r, LIST(S("a"), S("b"), S("c")));
    ck_assert(decide()->is_full && !decide()->is_open);
    r->has_columns = false;
    r->columns = (gh_str_list){ 0 };
    r->masks = &(gh_acl_column_mask){ .column = S("ssn"), .mask = S("null") };
    r->mask_count = 1;
    ck_assert(decide()->is_full && !decide()->is_open);
    world_grant(&s_world, TO_R, ON_T); /* gives it all the same */
    ck_assert(decide()->is_full && decide()->is_open);
    world_tag(&s_world, S("pii"), LIST(S("*.*.ssn"), S("x.*.*")));
    ck_assert(decide()->is_open); /* a tag alone takes nothing */
    (void)world_masking(&s_world, S("pii"), S("redact"));
    ck_assert(decide()->is_full && !decide()->is_open);
    s_world.acl.masking_count = 0;
    ck_assert(decide()->is_open);
    only_columns(world_deny(&s_world, TO_R, LIST(S("*.*"))), LIST(S("ssn")));
    ck_assert(decide()->is_full && !decide()->is_open);
}
END_TEST

/* A grant of columns that the relation lacks gives no rows of it either. */
START_TEST(idle_grant)
{
    gh_acl_rule *r = world_grant(&s_world, TO_R, LIST(S("*.*")));
    const gh_decision *d;

    only_columns(r, LIST(S("zzz")));
    ck_assert(!decide()->exists);
    r = world_grant(&s_world, TO_R, ON_T);
    r->rows = S("x");
    d = decide();
    ck_assert(!d->rows_all);
    ck_assert_str_eq(set_text(d, d->rows), "x");
}
END_TEST

/* All columns but one, then that column renamed: the new name is covered, the rule is about names. */
START_TEST(except)
{
    gh_acl_rule *r = world_grant(&s_world, TO_R, ON_T);
    const gh_decision *d;

    only_columns(r, LIST(S("b"), S("nowhere")));
    r->is_except = true;
    d = decide();
    ck_assert_int_eq(d->columns[0].show, GH_CLEAR);
    ck_assert_int_eq(d->columns[1].show, GH_HIDDEN);
    ck_assert_int_eq(d->columns[2].show, GH_CLEAR);
    ck_assert(!d->is_full);
}
END_TEST

START_TEST(mask_that_does_not_fit)
{
    gh_acl_column_mask year = { .column = S("a"), .mask = S("year") };
    gh_acl_rule *r = world_grant(&s_world, TO_R, ON_T);
    const gh_decision *d;

    r->masks = &year;
    r->mask_count = 1;
    world_tag(&s_world, S("t"), LIST(S("*.*.b")));
    (void)world_masking(&s_world, S("t"), S("round(10)"));
    d = decide();
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(d->columns[i].show, GH_MASKED);
        ck_assert_int_eq(d->columns[i].arms[0].mask->kind, GH_MASK_NULL);
    }
}
END_TEST

/* Behind a view, `through` of one grant holds for all, unless it adds nothing (S8). */
START_TEST(through)
{
    gh_column columns[] = { { .name = S("a"), .attnum = 1, .type_oid = 25, .typmod = -1 } };
    gh_relation view = { .oid = 5,
                         .schema = S("s"),
                         .name = S("t"),
                         .kind = 'v',
                         .columns = columns,
                         .column_count = 1 };
    gh_catalog_builder *b = gh_catalog_builder_new();
    gh_acl_rule *r = world_grant(&s_world, TO_R, ON_T);

    r->is_through = true;
    ck_assert(!decide()->is_through); /* a table has nothing inside */
    gh_catalog_add_relation(b, &view);
    gh_catalog_release(s_catalog);
    s_catalog = gh_catalog_builder_finish(b, 2);
    ck_assert(decide()->is_through && !decide()->is_full);
    r = world_grant(&s_world, TO_R, ON_T);
    ck_assert(!decide()->is_through && decide()->is_full);
    r->rows = S("x");
    ck_assert(decide()->is_through && !decide()->is_full);
    s_world.rules[0].rows = S("x");
    ck_assert(!decide()->is_through);
    r->masks = &(gh_acl_column_mask){ .column = S("a"), .mask = S("hash") };
    r->mask_count = 1;
    ck_assert(decide()->is_through);
}
END_TEST

START_TEST(no_columns_at_all)
{
    gh_acl_rule *r = world_grant(&s_world, TO_R, ON_T);

    gh_catalog_release(s_catalog);
    s_catalog = table_of("s", "t", "", 3);
    r->privileges = GH_SELECT | GH_DELETE;
    ck_assert(decide()->exists && decide()->is_full);
    ck_assert_uint_eq(decide()->write_count, 1);
    only_columns(r, LIST(S("a")));
    ck_assert(!decide()->exists);
}
END_TEST

/* Past the bound nothing shows, rather than some of it. */
START_TEST(rules_bound)
{
    static gh_acl_rule all[GH_POLICY_RULES_MAX + 1];
    gh_acl_rule one;

    world_grant(&s_world, TO_R, ON_T);
    one = s_world.rules[0];
    for (size_t i = 0; i < GH_COUNT(all); i++) {
        all[i] = one;
        all[i].id = (int64_t)i;
    }
    s_world.acl.rules = all;
    s_world.acl.rule_count = GH_POLICY_RULES_MAX;
    ck_assert(decide()->is_full);
    ck_assert_uint_eq(decide()->grant_count, GH_POLICY_RULES_MAX);
    s_world.acl.rule_count++;
    ck_assert(!decide()->exists);
}
END_TEST

Suite *policy_decide_suite(void)
{
    Suite *s = suite_create("policy decisions");
    TCase *t = tcase_create("decisions");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, full);
    tcase_add_test(t, nothing);
    tcase_add_test(t, one_filtered_grant);
    tcase_add_test(t, grants_do_not_combine);
    tcase_add_test(t, same_filter);
    tcase_add_test(t, weakest_mask_of_grants);
    tcase_add_test(t, arms_are_few);
    tcase_add_test(t, denies);
    tcase_add_test(t, written_but_not_read);
    tcase_add_test(t, tags);
    tcase_add_test(t, idle_deny);
    tcase_add_test(t, open_to_new_columns);
    tcase_add_test(t, idle_grant);
    tcase_add_test(t, except);
    tcase_add_test(t, mask_that_does_not_fit);
    tcase_add_test(t, through);
    tcase_add_test(t, no_columns_at_all);
    tcase_add_test(t, rules_bound);
    suite_add_tcase(s, t);
    return s;
}
