#ifndef POLICY_TESTS_H
#define POLICY_TESTS_H

#include <gatehouse/policy.h>

#include <check.h>
#include <stdio.h>

Suite *policy_pattern_suite(void);
Suite *policy_mask_suite(void);
Suite *policy_compile_suite(void);
Suite *policy_view_suite(void);
Suite *policy_decide_suite(void);
Suite *policy_oracle_suite(void);
Suite *policy_file_suite(void);
Suite *policy_scale_suite(void);

/* Prints the SQL of masks for tests/integration/masks.py; see mask_sql.c. */
int print_mask_sql(FILE *in, FILE *out);

/* Lists of strings: LIST("a", "b"). */
#define LIST(...)                                                                                  \
    ((gh_str_list){ (const gh_str[]){ __VA_ARGS__ },                                               \
                    sizeof((const gh_str[]){ __VA_ARGS__ }) / sizeof(gh_str) })
#define S(literal) GH_STR(literal)

/* An ACL under construction; all it points to is the test's. */
typedef struct world {
    gh_acl acl;
    gh_acl_user users[64];
    gh_acl_role roles[128];
    gh_acl_rule rules[64];
    gh_acl_tag tags[16];
    gh_acl_mask_def masks[16];
    gh_acl_masking masking[16];
    gh_acl_function functions[16];
} world;

void world_init(world *w);
gh_acl_user *world_user(world *w, gh_str name, gh_str_list roles);
gh_acl_role *world_role(world *w, gh_str name, gh_str_list member_of);
/* A grant of select, or a deny of everything, of all columns and rows, for ever. */
gh_acl_rule *world_grant(world *w, gh_str_list to, gh_str_list tables);
gh_acl_rule *world_deny(world *w, gh_str_list to, gh_str_list tables);
void world_tag(world *w, gh_str name, gh_str_list columns);
void world_mask(world *w, gh_str name, gh_str expr);
gh_acl_masking *world_masking(world *w, gh_str tag, gh_str mask);
/* Compiles; fails the test if it is refused. */
gh_policy *world_compile(world *w);
/* Fails the test unless compiling is refused with this text somewhere in the message. */
void world_refused(world *w, gh_rc rc, const char *text);

/* A catalog with one relation of text columns, `names` split by blanks ("" for none). */
gh_catalog *table_of(const char *schema, const char *name, const char *columns, uint64_t epoch);
const gh_relation *only_relation(const gh_catalog *c);

#endif
