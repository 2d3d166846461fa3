/*
 * What `policy lint` finds. Checks of the policy by itself (lint_acl.c, lint_rules.c) and against
 * warehouses (lint_live.c, lint_through.c) put findings here; the verb sorts and prints them.
 */
#ifndef GATEHOUSE_CLI_LINT_H
#define GATEHOUSE_CLI_LINT_H

#include "policy_code.h"

typedef struct lint_finding {
    bool is_error;     /* what is written cannot work; else it works, but hardly as meant */
    const char *check; /* a word for programs: "no-such-table" */
    gh_acl_place place;
    gh_str where; /* "policy.yaml:12:5", "grant 5" */
    gh_str text;
    size_t number; /* in order of arrival */
} lint_finding;

/* Where a finding belongs: what it is about. */
typedef struct lint_place {
    gh_acl_place place;
    const char *kind;
    int64_t id;
    gh_str name;
} lint_place;

typedef struct lint {
    cli_call *call;
    gh_arena *arena;
    const gh_acl *acl;
    cli_people people;
    cli_live *lives;
    size_t live_count;
    lint_finding *findings;
    size_t count;
    size_t cap;
} lint;

void lint_error(lint *l, const char *check, lint_place at, const char *fmt, ...) GH_PRINTF(4, 5);
void lint_warning(lint *l, const char *check, lint_place at, const char *fmt, ...) GH_PRINTF(4, 5);

lint_place lint_at_rule(const gh_acl_rule *r);
/* The same with the line and column of the text, one of the acl's strings, where a file says it. */
lint_place lint_at_text(const lint *l, lint_place at, gh_str text);
lint_place lint_at_role(const gh_acl_role *r);
lint_place lint_at_user(const gh_acl_user *u);
lint_place lint_at_tag(const gh_acl_tag *t);

void lint_acl(lint *l);   /* people, names, expressions */
void lint_rules(lint *l); /* rules that others make useless */
/* Views granted both with `through` and without; after lint_rules, with what warehouses there are. */
void lint_through(lint *l);
GH_MUST_USE gh_rc lint_live(lint *l, gh_err *err);
/* Of that only names of tables and columns, and row filters. */
GH_MUST_USE gh_rc lint_names(lint *l, gh_err *err);
/* Views that show what a tag masks or denies. */
GH_MUST_USE gh_rc lint_views(lint *l, cli_live *live, gh_err *err);

#endif
