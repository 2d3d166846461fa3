/*
 * An ACL of a million rules and ten thousand users: it compiles, and a decision costs what the user's own
 * rules cost. Times are the processor's, so that a busy machine does not decide.
 */
#include "policy_tests.h"

#include <malloc.h>
#include <stdlib.h>
#include <time.h>

#define USERS     10000
#define ROLES     500
#define TABLES    20000
#define ALL_RULES 1000000

typedef struct big {
    gh_arena *a;
    gh_acl acl;
    gh_acl_role *roles;
    gh_acl_user *users;
    gh_acl_rule *rules;
    gh_str *role_names;
    gh_str *user_principals;
    gh_str *tables;
} big;

static double now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make_people(big *b)
{
    b->roles = gh_alloc(ROLES * sizeof(*b->roles));
    b->role_names = gh_alloc(ROLES * sizeof(*b->role_names));
    b->users = gh_alloc(USERS * sizeof(*b->users));
    b->user_principals = gh_alloc(USERS * sizeof(*b->user_principals));
    for (size_t i = 0; i < ROLES; i++) {
        b->role_names[i] = gh_arena_printf(b->a, "role_%zu", i);
        b->roles[i].name = b->role_names[i];
        if (i >= 10) /* two levels */
            b->roles[i].member_of = (gh_str_list){ &b->role_names[i % 10], 1 };
    }
    for (size_t i = 0; i < USERS; i++) {
        b->user_principals[i] = gh_arena_printf(b->a, "user:u%zu", i);
        b->users[i].name = (gh_str){ b->user_principals[i].ptr + 5, b->user_principals[i].len - 5 };
        b->users[i].roles = (gh_str_list){ &b->role_names[10 + i % (ROLES - 12)], 3 };
    }
}

/* Half the rules are users' own; a few have stars; filters and masks repeat. */
static void make_rules(big *b, size_t count)
{
    static const gh_str columns[] = { { "a", 1 }, { "b", 1 }, { "c", 1 } };
    static const gh_acl_column_mask masks[] = { { { "b", 1 }, { "hash", 4 } },
                                                { { "b", 1 }, { "upper(value)", 12 } } };

    b->tables = gh_alloc(TABLES * sizeof(*b->tables));
    for (size_t i = 0; i < TABLES; i++)
        b->tables[i] = i % 200 == 0 ? gh_arena_printf(b->a, "s%zu.*", i)
                                    : gh_arena_printf(b->a, "s%zu.t%zu", i % 50, i);
    b->rules = gh_alloc(count * sizeof(*b->rules));
    for (size_t i = 0; i < count; i++) {
        gh_acl_rule *r = &b->rules[i];
        size_t table = (i * UINT64_C(2654435761) >> 8) % TABLES;

        r->id = (int64_t)i + 1;
        r->privileges = GH_SELECT;
        r->to = i % 2 == 0 ? (gh_str_list){ &b->user_principals[i / 2 % USERS], 1 }
                           : (gh_str_list){ &b->role_names[i / 2 % ROLES], 1 };
        r->tables = (gh_str_list){ &b->tables[table], 1 };
        r->has_columns = i % 3 == 0;
        if (r->has_columns)
            r->columns = (gh_str_list){ columns, 3 };
        r->rows = gh_arena_printf(b->a, "region = 'region %zu'", i % 100000);
        r->valid_from = INT64_MIN;
        r->valid_until = i % 50 == 0 ? (int64_t)(1000000 + i) : INT64_MAX;
        if (i % 10 < 2) { /* the two cannot be ordered: one for even tables, one for odd ones */
            r->masks = &masks[table % 2];
            r->mask_count = 1;
        }
        r->is_deny = i % 97 == 0 && r->mask_count == 0;
    }
}

static void make(big *b, size_t rules)
{
    *b = (big){ .a = gh_arena_new(0) };
    make_people(b);
    make_rules(b, rules);
    b->acl = (gh_acl){ .roles = b->roles,
                       .role_count = ROLES,
                       .users = b->users,
                       .user_count = USERS,
                       .rules = b->rules,
                       .rule_count = rules };
}

static void fini(big *b)
{
    free(b->roles);
    free(b->users);
    free(b->rules);
    free(b->role_names);
    free(b->user_principals);
    free(b->tables);
    gh_arena_free(b->a);
}

static size_t heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

/* Seconds for 1,000 users' views, each deciding ten relations. */
static double decide_some(gh_policy *p, size_t *seen)
{
    gh_catalog *c[10];
    double begin;
    double end;

    for (int i = 0; i < 10; i++) {
        char schema[16];
        char name[16];

        (void)snprintf(schema, sizeof(schema), "s%d", (i * 137 + 1) % 50);
        (void)snprintf(name, sizeof(name), "t%d", i * 137 + 1);
        c[i] = table_of(schema, name, "a b c", (uint64_t)i + 1);
    }
    begin = now_s();
    for (size_t i = 0; i < 1000; i++) {
        char name[16];
        gh_view *v;

        (void)snprintf(name, sizeof(name), "u%zu", i * 7 % USERS);
        v = gh_view_new(p, S("wh"), gh_str_of(name), 0);
        for (int j = 0; j < 10; j++)
            *seen += gh_view_decide(v, c[j], only_relation(c[j]))->exists;
        gh_view_release(v);
    }
    end = now_s();
    for (int i = 0; i < 10; i++)
        gh_catalog_release(c[i]);
    return end - begin;
}

START_TEST(a_million_rules)
{
    big b;
    gh_policy *p = NULL;
    gh_err err = { 0 };
    size_t before;
    size_t bytes;
    size_t seen = 0;
    double begin;
    double seconds;
    gh_rc rc;

    make(&b, ALL_RULES);
    before = heap_bytes();
    begin = now_s();
    rc = gh_policy_compile(&b.acl, &p, &err);
    seconds = now_s() - begin;
    ck_assert_msg(rc == GH_OK, "%s", err.public_msg);
    bytes = heap_bytes() - before;
    printf("policy: %d rules, %d users compiled in %.2f s of processor time to %zu MB; 1,000 views "
           "of 10 decisions "
           "%.3f s\n",
           ALL_RULES, USERS, seconds, bytes >> 20, decide_some(p, &seen));
    ck_assert_uint_gt(seen, 100);
    ck_assert_uint_lt(bytes, 150u << 20);
    ck_assert_msg(seconds < 20, "%f s", seconds); /* sanitizers included */
    gh_policy_release(p);
    fini(&b);
}
END_TEST

Suite *policy_scale_suite(void)
{
    Suite *s = suite_create("policy scale");
    TCase *t = tcase_create("scale");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_million_rules);
    suite_add_tcase(s, t);
    return s;
}
