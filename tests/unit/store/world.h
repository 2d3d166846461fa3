/* A folder with an ACL file, and ACLs as policy files would give them. */
#ifndef TEST_STORE_WORLD_H
#define TEST_STORE_WORLD_H

#include <check.h>
#include <sqlite3.h>

#include <gatehouse/store.h>

Suite *suite_file(void);
Suite *suite_apply(void);
Suite *suite_edit(void);
Suite *suite_update(void);

void world_setup(void);
void world_teardown(void);
const char *world_path(void); /* of the ACL file; not made yet */
gh_arena *world_arena(void);  /* as long as the test */
gh_store *world_open(gh_store_mode mode);
/* One value, by a connection of its own; runs sql that gives none as well. */
int64_t world_sql(const char *sql);
gh_acl world_load(void); /* by a store of its own */

gh_str_list list_of(const char *words); /* "a b c" */
gh_acl_rule rule_of(const char *to, const char *tables);
extern const gh_store_author world_author;

/* Applies, expects rc, returns counts; lines are compared unless NULL. */
gh_store_summary apply(gh_store *st, const gh_acl *files, uint32_t flags, gh_rc rc,
                       const char *lines);
void expect_counts(gh_store_summary s, size_t added, size_t changed, size_t removed, size_t kept);

#endif
