/*
 * Private to rewrite: which functions, settings and relations of the catalogs there are for a client, and what stands for
 * those that have a meaning of their own here. What is on no list is refused.
 *
 * As judge.h: in the parser's memory, on the thread that judges; what is refused is in the gh_judge.
 */
#ifndef GATEHOUSE_REWRITE_ALLOW_H
#define GATEHOUSE_REWRITE_ALLOW_H

#include "judge.h"

/* ---- allow-lists ----------------------------------------------------------------------------- */

typedef enum gh_function_rule {
    GH_FUNCTION_UNKNOWN = 0, /* nothing of that name: 42883 */
    GH_FUNCTION_DENIED,      /* 42501 */
    GH_FUNCTION_ALLOWED,
    GH_FUNCTION_SPECIAL /* has a meaning of its own: function.c rewrites it */
} gh_function_rule;

gh_function_rule gh_function_judge(gh_judge *j, gh_str schema, gh_str name, gh_str *found_schema);
/* Is the call a cast in a function's clothes (`inet('::1')`)? *found_schema: the type's. */
bool gh_function_is_cast(gh_judge *j, gh_str schema, const FuncCall *f, gh_str *found_schema);
/* Rewrites a call that has a meaning of its own (current_database, current_setting, obj_description
 * ...) */
void gh_function_special(gh_judge *j, Node **slot);
/* Counts a question to the catalogs, at this byte of the text or -1; refuses what is beyond the limit. */
bool gh_function_is_one_too_many(gh_judge *j, int location);
/* signal.c: pg_cancel_backend and pg_terminate_backend; tokens of the call, its commas and brackets. */
void gh_signal_call(gh_judge *j, Node **slot, size_t first, const size_t *delimiters);
/* A cast to a reg* type of something that is no constant: allowed over OIDs of catalog columns,
 * guarded. */
void gh_function_reg_cast(gh_judge *j, Node **slot, const gh_type *type);
bool gh_setting_may_show(gh_str name);
/* What SHOW answers for a virtual setting. */
gh_str gh_setting_virtual_value(const gh_rewrite_input *in, gh_str name);

const gh_system_relation *gh_system_relation_find(gh_str schema, gh_str name);
/* The sub-select that stands for a system relation, without alias; NULL after a refusal. */
char *gh_system_relation_sql(gh_judge *j, const gh_item *item);
/* gatehouse.my_access (my_access.c), a relation that only Gatehouse has; NULL for any other name. */
const gh_system_relation *gh_my_access_find(gh_str schema, gh_str name, const gh_relation **r);
bool gh_my_access_is(const gh_system_relation *s);
/* The sub-select that stands for it, without alias; NULL after a refusal. */
char *gh_my_access_sql(gh_judge *j);
/* Does this column of a system relation show as it is stored? */
bool gh_system_is_plain(const gh_system_relation *s, const gh_relation *r, const gh_column *c);
/* Is this column of a view of information_schema the name of an object, as a catalog has it? */
bool gh_system_is_name(const gh_relation *r, const gh_column *c);

#endif
