/*
 * Inside the policy module: what exists only while an ACL is compiled.
 */
#ifndef GATEHOUSE_POLICY_COMPILE_PRIV_H
#define GATEHOUSE_POLICY_COMPILE_PRIV_H

#include "policy_priv.h"

typedef struct pol_triple {
    uint32_t principal;
    uint32_t pattern;
    uint32_t rule;
} pol_triple;

typedef struct pol_boundary {
    uint32_t principal;
    int64_t time;
} pol_boundary;

typedef struct pol_numbers { /* a growing array */
    uint32_t *items;
    uint32_t count;
    uint32_t cap;
} pol_numbers;

typedef struct pol_builder {
    gh_policy *p;
    const gh_acl *acl;
    gh_err *err;
    gh_arena *scratch;
    pol_strings pattern_texts; /* string i + 1 is pattern pattern_start + i */
    uint32_t pattern_start;    /* how many patterns an update begins with */
    pol_strings mask_names;    /* string i + 1 is the acl's named mask i */
    uint32_t pattern_cap;
    uint32_t mask_cap;
    pol_triple *triples;
    size_t triple_count;
    size_t triple_cap;
    pol_boundary *boundaries;
    size_t boundary_count;
    size_t boundary_cap;
    pol_numbers principals; /* of the rule at hand, and so below */
    pol_numbers patterns;
    pol_numbers columns;
    pol_numbers pairs;
} pol_builder;

void pol_numbers_add(pol_numbers *n, uint32_t v);
void pol_numbers_sort(pol_numbers *n); /* and drops repetitions */

/* "file:line:column: " of what a policy file says, for the start of an error; empty for anything else. */
typedef struct pol_place {
    char text[160];
} pol_place;
/* Of the text, one of the acl's strings, in what begins at `place`. */
pol_place pol_place_of(const gh_acl *acl, gh_acl_place place, gh_str text);

/* Who refers to something: what an error says of it, and where it begins. */
typedef struct pol_where {
    gh_acl_place place;
    char text[280]; /* "grant 12 (to analyst on sales.orders)" */
} pol_where;

/* Is the name fit to be a role's, user's, tag's or mask's? `what` is for the error. */
GH_MUST_USE gh_rc pol_check_name(gh_str name, const char *what, gh_err *err);
uint32_t pol_lookup_principal(const gh_policy *p, gh_str name); /* POL_NONE: unknown */
/* A role's name, or user:NAME. `where` says who asks. */
GH_MUST_USE gh_rc pol_find_principal(const pol_builder *b, gh_str name, const pol_where *where,
                                     uint32_t *out);
/* The number of a mask as a policy writes it. */
GH_MUST_USE gh_rc pol_find_mask(pol_builder *b, gh_str text, const pol_where *where, uint32_t *out);
/* `known`'s strings 1.. name roles, tags or masks; ends a message with what was probably meant. */
GH_MUST_USE gh_rc pol_fail_unknown(const pol_builder *b, const pol_strings *known, gh_str name,
                                   const char *what, const pol_where *where);
/* Parts to string numbers; `count` of them. */
pol_pattern pol_pattern_of(pol_builder *b, const pol_parsed *parsed, size_t count);
uint32_t pol_add_pattern(pol_builder *b, const pol_pattern *pattern); /* its number */
bool pol_pattern_is_exact(const pol_pattern *pattern); /* names schema and relation exactly */

void pol_builder_init(pol_builder *b, gh_policy *p, const gh_acl *acl, gh_err *err); /* takes p */
void pol_builder_fini(pol_builder *b); /* and releases p, unless it was taken out */

/* One of each, all of whose names are known by now. */
GH_MUST_USE gh_rc pol_take_role_members(const pol_builder *b, const gh_acl_role *from,
                                        pol_role *to);
GH_MUST_USE gh_rc pol_take_user(const pol_builder *b, const gh_acl_user *from, gh_str name,
                                pol_user *to);
/* Gives triples; `number` is the rule's, and its place is there. */
GH_MUST_USE gh_rc pol_take_rule(pol_builder *b, const gh_acl_rule *r, uint32_t number);
void pol_add_mask(pol_builder *b, const gh_mask *m); /* copies */
void pol_sort_boundaries(pol_builder *b);
GH_MUST_USE gh_rc pol_check_cycles(const pol_builder *b);
GH_MUST_USE gh_rc pol_compile_mask_defs(pol_builder *b);
GH_MUST_USE gh_rc pol_compile_rules(pol_builder *b);
GH_MUST_USE gh_rc pol_compile_tags(pol_builder *b);
GH_MUST_USE gh_rc pol_compile_functions(pol_builder *b);

#endif
