/* Private to rewrite: a call that means something else here than upstream, as function_special.c finds it. */
#ifndef GATEHOUSE_REWRITE_FUNCTION_CALL_H
#define GATEHOUSE_REWRITE_FUNCTION_CALL_H

#include "judge.h"

#include "function_list.h"

#define GH_CALL_ARGS_MAX 8

/* The tokens of a call: first is the name's, delimiters[0] the "(", the last one the ")". */
typedef struct gh_call {
    FuncCall *f;
    const char *name;
    const gh_special *special;
    int args;
    size_t first;
    size_t delimiters[GH_CALL_ARGS_MAX + 1];
} gh_call;

/* ---- function_special.c ---------------------------------------------------------------------- */

void gh_call_refuse(gh_judge *j, const gh_call *c);
/* A literal string, and what it says. */
bool gh_call_is_string(const Node *n);
const char *gh_call_string(const Node *n);
/* Leaves it the function that it is, of pg_catalog. */
void gh_call_qualify(gh_judge *j, gh_call *c);
/* Puts SQL over the arguments gh.a1, gh.a2 ... in its place; `sets`: what it refers to beside them, as gh_system_sets_sql
 * makes it, or empty. */
void gh_call_replace(gh_judge *j, Node **slot, gh_call *c, const char *sql, const char *sets);
/* The argument is NULL unless the condition over it, gh.a1, holds. */
void gh_call_guard_argument(gh_judge *j, gh_call *c, int index, const char *type,
                            const char *condition, const char *sets);

/* ---- function_setting.c ---------------------------------------------------------------------- */

void gh_call_setting(gh_judge *j, Node **slot, gh_call *c);
void gh_call_set_config(gh_judge *j, Node **slot, gh_call *c);

#endif
