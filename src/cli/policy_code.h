/*
 * Policy as code: what `policy plan`, `lint`, `test`, `import` and `apply` share. Policies and
 * decisions come from the policy module, SQL from rewrite, answers from upstream: nothing here
 * decides.
 */
#ifndef GATEHOUSE_CLI_POLICY_CODE_H
#define GATEHOUSE_CLI_POLICY_CODE_H

#include "cli_priv.h"

#include <gatehouse/catalog.h>
#include <gatehouse/policy.h>
#include <gatehouse/upstream.h>

/* ---- files ----------------------------------------------------------------------------------- */

/* The files and folders of the arguments, merged. GH_CLI_DONE, or the exit code: faults are printed. */
GH_MUST_USE int cli_read_policy(cli_call *c, gh_acl *out);
/*
 * What changes, by the lines of a store's summary (differences.c): for people with what a change or a new grant
 * holds below it; or with --json an object each, `change` (the sign), `what`, and `before` and `after` where the
 * store told.
 */
void cli_print_differences(const cli_call *c, gh_str lines);
/* What is wrong with them: "file:line:column: ..." by itself, so that editors find the place. */
int cli_fail_policy(const gh_acl *files, const gh_err *err);

/* ---- a warehouse ----------------------------------------------------------------------------- */

typedef struct cli_live {
    const gh_config_warehouse *warehouse;
    gh_upstream *upstream;
    gh_catalog *catalog;
    gh_link *link; /* as the proxy's own account */
} cli_live;

/* The warehouse of --warehouse, or the only one of the config file, which must be read. */
GH_MUST_USE int cli_pick_warehouse(cli_call *c, const gh_config_warehouse **out);
/* Reads its catalog. Masks that hash use the key. */
GH_MUST_USE gh_rc cli_live_open(cli_call *c, const gh_config_warehouse *w, gh_str hash_key,
                                cli_live *out, gh_err *err);
/* The same, with the definitions of the views that the policy's grants expand. */
GH_MUST_USE gh_rc cli_live_open_for(cli_call *c, const gh_config_warehouse *w,
                                    const gh_policy *policy, gh_str hash_key, cli_live *out,
                                    gh_err *err);
/* The same of a reader that has not read yet. */
void cli_expand_views(gh_catalog_reader *reader, const gh_policy *policy, gh_str warehouse);
void cli_live_close(cli_live *live);
/* A relation that can be granted: no index or sequence, no system catalog. */
bool cli_is_table(const gh_relation *r);
int64_t cli_now_us(void);

/* ---- does it fit the warehouse? (fit.c) ------------------------------------------------------ */

/*
 * Holds row filters and masks against a warehouse. What attr() stands for comes from the acl's users:
 * of each attribute, the first that has it.
 */
typedef struct cli_fit {
    cli_call *call;
    const gh_acl *acl;
    cli_live *live;
    gh_policy *policy;
    gh_view *view;
} cli_fit;

GH_MUST_USE gh_rc cli_fit_init(cli_fit *f, cli_call *c, const gh_acl *acl, cli_live *live,
                               gh_err *err);
void cli_fit_fini(cli_fit *f);
/* GH_INVALID: public_msg says what is wrong with the filter over this relation. */
GH_MUST_USE gh_rc cli_fit_filter(cli_fit *f, const gh_relation *r, gh_str filter, gh_err *err);
/* GH_INVALID: the mask does not fit, or does not keep, the column's type. */
GH_MUST_USE gh_rc cli_fit_mask(cli_fit *f, const gh_relation *r, const gh_column *column,
                               gh_str mask, gh_err *err);
/* Is the text one SQL expression, whatever it names? Needs no warehouse. */
GH_MUST_USE gh_rc cli_check_expression(cli_call *c, gh_str text, gh_err *err);

typedef struct cli_fault {
    gh_acl_place place;
    const char *kind; /* "grant", "masking" */
    int64_t id;       /* of a grant that is stored */
    const gh_relation *relation;
    const gh_column *column;
    gh_str mask;
    const gh_err *err;
} cli_fault;

typedef bool (*cli_fault_fn)(void *arg, const cli_fault *fault); /* false: that is enough */

/* Tells of every mask of the acl that does not fit a column that it would show. Fails where the
 * warehouse cannot be asked. */
GH_MUST_USE gh_rc cli_fit_masks(cli_fit *f, cli_fault_fn fn, void *arg, gh_err *err);

/* ---- what was met before (names.c) ------------------------------------------------------------ */

/* A set of hashes; two things of one hash are taken for one: one in 2^64. Zeroed is empty. */
typedef struct cli_seen {
    uint64_t *slots; /* open addressing, 0 is free */
    size_t mask;
    size_t count;
} cli_seen;

bool cli_seen_has(const cli_seen *s, uint64_t hash);
bool cli_seen_add(cli_seen *s, uint64_t hash); /* true the first time */
void cli_seen_fini(cli_seen *s);

/* ---- patterns of names (names.c) ------------------------------------------------------------- */

/* A part of a pattern; what was quoted holds no star. */
typedef struct cli_part {
    gh_str text;
    bool is_given;
    bool is_glob;
} cli_part;

/* [warehouse:]schema.relation[.column], as the policy module has checked it. */
typedef struct cli_pattern {
    cli_part warehouse;
    cli_part parts[3];
    size_t count;
} cli_pattern;

cli_pattern cli_pattern_of(gh_arena *a, gh_str text);
gh_str cli_name_of(gh_arena *a, gh_str text); /* a column's name, its quotes taken off */
bool cli_part_fits(const cli_part *p, gh_str name);
bool cli_pattern_fits(const cli_pattern *p, gh_str warehouse, gh_str schema, gh_str name);
/* Does everything that `inner` names belong to what `outer` names? False where that is not sure. */
bool cli_pattern_covers(const cli_pattern *outer, const cli_pattern *inner);
/* Is the column one that the grant gives, or the deny takes? Tags are not looked at. */
bool cli_rule_names_column(gh_arena *a, const gh_acl_rule *r, gh_str column);

/* ---- who is in which role (names.c) ---------------------------------------------------------- */

/* Names of one kind, by hash. */
typedef struct cli_index {
    const gh_str **names;
    size_t *numbers;
    size_t mask;
} cli_index;

typedef struct cli_people {
    const gh_acl *acl;
    cli_index roles;
    cli_index users;
} cli_people;

void cli_people_init(cli_people *p, const gh_acl *acl);
void cli_people_fini(cli_people *p);
/* SIZE_MAX: no such role or user. */
size_t cli_people_role(const cli_people *p, gh_str name);
size_t cli_people_user(const cli_people *p, gh_str name);
/* Sets is_held[i] of every role i that the list leads to, however far; returns how many. */
size_t cli_people_hold(const cli_people *p, gh_str_list roles, bool *is_held);
/* The user of a principal `user:NAME`; SIZE_MAX: it is no such principal. */
size_t cli_people_principal_user(const cli_people *p, gh_str principal);

/* ---- rules (names.c) ------------------------------------------------------------------------- */

/* Of an acl that the store gave, whose rules are in the order of their ids. NULL: none. */
const gh_acl_rule *cli_find_rule(const gh_acl *acl, int64_t id);
/* The first principal of the list that the user is, `roles` being all that the user holds; empty: none. */
gh_str cli_held(gh_str_list to, gh_str user, gh_str_list roles);

/* ---- texts ----------------------------------------------------------------------------------- */

/* "file:line:column", or "grant 12" of what is stored. */
gh_str cli_place(gh_arena *a, gh_acl_place place, const char *kind, int64_t id);
gh_str cli_quote_ident(gh_arena *a, gh_str name);
/* As a policy writes it: in quotes only where it holds a dot, a star or a quote. */
gh_str cli_name_text(gh_arena *a, gh_str name);
gh_str_list cli_privileges(gh_arena *a, uint32_t privileges); /* select, insert ... */

#endif
