/*
 * A PostgreSQL warehouse's own privileges as a policy.
 *
 *     pg_roles, pg_auth_members ─▶ users, roles      what has no counterpart is not guessed: it is
 *     relacl, attacl ────────────▶ grants            left out, so that the policy shows no more than
 *     pg_policy ─────────────────▶ rows, denies      the warehouse does, and said in a note
 */
#ifndef GATEHOUSE_CLI_IMPORT_H
#define GATEHOUSE_CLI_IMPORT_H

#include "policy_code.h"

/* A rule on one table; those that differ in nothing but the table become one. */
typedef struct import_rule {
    gh_acl_rule rule;
    const gh_relation *relation;
    gh_str table; /* as a pattern */
    gh_str key;
} import_rule;

typedef struct import_policy { /* of pg_policy */
    gh_str name;
    char command; /* r a w d * */
    bool is_permissive;
    gh_str to;         /* a role; empty: PUBLIC */
    gh_str where;      /* USING; empty: none */
    gh_str check;      /* WITH CHECK */
    bool is_guarded;   /* reads what has row-level security of its own, or depends on who asks */
    gh_str unreadable; /* roles that may not read what it reads, a line each */
} import_policy;

typedef struct importing {
    cli_call *c;
    gh_arena *a;
    cli_live *live;
    gh_acl acl; /* grows: users and roles first */
    cli_people people;
    gh_str_list
        apart; /* superusers and the proxy's own account: their privileges are not imported */
    import_rule *rules;
    size_t rule_count;
    size_t rule_cap;
    gh_str *notes;
    size_t note_count;
    size_t note_cap;
} importing;

/* Each text once. */
void import_note(importing *m, const char *fmt, ...) GH_PRINTF(2, 3);
void import_add_rule(importing *m, const gh_relation *r, gh_acl_rule rule);
gh_str_list import_one(gh_arena *a, gh_str s);
gh_str import_quote(gh_arena *a, gh_str name); /* for a pattern or a list of columns */
bool import_is_apart(const importing *m, gh_str role);

GH_MUST_USE gh_rc import_people(importing *m, gh_err *err);
GH_MUST_USE gh_rc import_privileges(importing *m, gh_err *err);

#endif
