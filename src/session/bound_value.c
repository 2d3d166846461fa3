/*
 * bound_value.c: SELECT set_config('search_path', $1, false). Which value it is, Bind tells: it is looked at there as
 * the judge looks at one that stands in the text, and the portal keeps it until the statement is complete.
 *
 *     Parse ─▶ plan {SET, name, value_param} ─▶ Bind ─▶ value refused, or kept by the portal ─▶ Execute ─▶ applied
 *
 * SECURITY: a statement of that kind must not be run but by a Bind that was looked at: EXECUTE of it is refused
 * (sql_names.c), and the judge takes it in the extended protocol alone. Attack: tests/protocol/flow.
 */
#include "session_priv.h"

#include <stdlib.h>

/* The plan that says so, also of a text that is sent as it is; NULL: none. */
static const gh_plan *setting_plan(const gh_plan_set *set)
{
    if (gh_plan_set_is_raw(set))
        set = set->judged;
    return set != NULL && set->count == 1 &&
                   (set->plans[0].value_param != 0 || set->plans[0].role_param != 0)
               ? &set->plans[0]
               : NULL;
}

/* The parameter of that number, from 1 on; NULL where Bind has too few, of which the upstream says so. */
static gh_wire_value param_of(const gh_wire_bind *msg, uint16_t number)
{
    gh_rd r = { msg->params.ptr, msg->params.ptr + msg->params.len, false };
    gh_wire_value v = { .is_null = true };

    for (uint16_t i = 0; i < number && number <= msg->params_len; i++)
        v = gh_wire_next_value(&r);
    return v;
}

static gh_rc check_role(const gh_session *s, gh_wire_value v, gh_err *err)
{
    if (!v.is_null && gh_setting_is_own_role(s->user, v.bytes))
        return GH_OK;
    return gh_fail(err, GH_DENIED, "42501", "permission denied to set parameter \"role\"");
}

bool gh_session_sets_bound(const gh_plan_set *set)
{
    return setting_plan(set) != NULL;
}

static gh_rc check(const gh_session *s, const gh_plan *p, gh_wire_value v, gh_err *err)
{
    gh_path *path = NULL;
    gh_rc rc;

    if (v.is_null)
        return gh_fail(err, GH_DENIED, "42501",
                       "permission denied to set parameter \"" GH_STR_FMT "\" to NULL",
                       GH_STR_ARG(p->name));
    rc = gh_setting_check(p->name, v.bytes, err);
    if (rc != GH_OK || !gh_str_is(p->name, "search_path"))
        return rc;
    rc = gh_path_new(v.bytes, s->user, &path, err);
    gh_path_release(path);
    return rc;
}

gh_rc gh_session_bind_value(const gh_session *s, const gh_wire_bind *msg, const gh_plan_set *set,
                            char **value, gh_err *err)
{
    const gh_plan *p = setting_plan(set);
    gh_wire_value v;
    gh_rc rc = GH_OK;

    if (p == NULL || p->value_param > msg->params_len || p->role_param > msg->params_len)
        return GH_OK; /* too few: the upstream says so */
    v = param_of(msg, p->value_param);
    if (!gh_plan_set_is_raw(set) && p->role_param != 0)
        rc = check_role(s, param_of(msg, p->role_param), err);
    if (rc == GH_OK && !gh_plan_set_is_raw(set) && p->value_param != 0)
        rc = check(s, p, v, err);
    if (rc == GH_OK && !v.is_null)
        *value = gh_strdup(v.bytes);
    return rc;
}

gh_str gh_session_set_value(const gh_expect *e, const gh_plan *p)
{
    if (p->value_param == 0)
        return p->value;
    return e->named != NULL && e->named->value != NULL ? gh_str_of(e->named->value)
                                                       : (gh_str){ NULL, 0 };
}
