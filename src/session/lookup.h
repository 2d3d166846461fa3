/*
 * lookup.h: statements that Gatehouse has prepared upstream in place of those that come again, or may: what lookup.c (of a
 * Query) and lookup_parse.c (of the unnamed statement) share.
 */
#ifndef GATEHOUSE_SESSION_LOOKUP_H
#define GATEHOUSE_SESSION_LOOKUP_H

#include "session_priv.h"

#define GH_LOOKUP_NAME_MAX 48

struct gh_lookup {
    gh_plan_set *origin; /* the template, or the plans of a text with parameters; counted */
    uint64_t serial;     /* of its own, whoever has the place later */
    uint64_t used_at;
    uint32_t uses;
    bool is_upstream;
    bool is_barred; /* it failed where the Query might not */
};

/* Nothing is under way, no transaction open, and what is sent is what was judged. */
bool gh_lookup_may_begin(const gh_session *s);
/* Counts one more use; the place of what was used longest ago may become its own. */
gh_lookup *gh_lookup_use(gh_lookups *t, gh_plan_set *origin);
/* Is it worth to be prepared? What comes once or twice is not. */
bool gh_lookup_is_due(const gh_lookup *l);
gh_str gh_lookup_name(gh_lookups *t, const gh_lookup *l, char name[GH_LOOKUP_NAME_MAX]);
gh_expect *gh_lookup_push(gh_session *s, gh_expect_kind kind, bool is_swallowed);

#endif
