/*
 * What a function of a policy's expression would ask the session: about a literal that it is given, a date or timestamp that it
 * makes an instant of, or an instant of which it makes something else.
 *
 *     date(at)                      asks for the zone: it gets UTC's timestamp (policy_time.c)
 *     shop.is_late(at)              gets the instant
 *     tstzrange('2026-01-01', at)   refused: the literal has no zone
 *     timestamptz(day)              refused: whatever it gets, it asks
 */
#include "policy_expr.h"

/* Of PostgreSQL's own, one that takes an instant for what it is says so by a type and IMMUTABLE. */
bool gh_policy_has_instants(const gh_policy_scope *p, const char *name)
{
    size_t count;
    const gh_function *const *all =
        gh_catalog_functions(p->judge.in->catalog, gh_str_of(name), &count);

    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < all[i]->arg_count; k++) {
            if (gh_str_is(all[i]->schema, "pg_catalog") && all[i]->volatility == 'i' &&
                all[i]->args[k] == GH_OID_TIMESTAMPTZ)
                return true;
        }
    }
    return false;
}

/* Functions of which nothing but an instant in the session's zone comes out, whatever goes in. */
bool gh_policy_asks_session(const FuncCall *f)
{
    const char *name = gh_policy_own_name(f->funcname);
    size_t len = strlen(name);

    return (strstr(name, "timestamptz") != NULL && strcmp(name, "make_timestamptz") != 0) ||
           strstr(name, "timetz") != NULL ||
           (len > 3 && strncmp(name, "json", 4) == 0 && strcmp(name + len - 3, "_tz") == 0);
}

/* tstzrange('2026-01-01', at): the bounds. */
static bool makes_range(gh_policy_scope *p, const FuncCall *f)
{
    gh_oid type = gh_policy_type(p, (const Node *)f);
    const gh_type *t = gh_catalog_type_by_oid(p->judge.in->catalog, type);

    return t != NULL && t->kind == 'r' && gh_str_is(t->name, strVal(llast(f->funcname)));
}

/* Would it make an instant of a date or timestamp, in the session's zone? */
bool gh_policy_wants_instant(gh_policy_scope *p, const FuncCall *f, int i)
{
    gh_str schema = list_length(f->funcname) > 1 ? gh_str_of(strVal(linitial(f->funcname)))
                                                 : GH_STR("pg_catalog");
    bool wants = false;
    size_t count;
    const gh_function *const *all =
        gh_catalog_functions(p->judge.in->catalog, gh_str_of(strVal(llast(f->funcname))), &count);

    for (size_t k = 0; k < count; k++) {
        if (!gh_str_eq(all[k]->schema, schema) || i >= all[k]->arg_count)
            continue;
        if (all[k]->args[i] != GH_OID_TIMESTAMPTZ)
            return false;
        wants = true;
    }
    return wants;
}

/* What a literal is read as: by the function's name, as of date('2026-01-01'), or by a parameter of the warehouse's function. */
unsigned gh_policy_argument_traits(gh_policy_scope *p, const FuncCall *f, int i)
{
    const char *name = gh_policy_own_name(f->funcname);
    const gh_type *type =
        gh_catalog_type(p->judge.in->catalog, GH_STR("pg_catalog"), gh_str_of(name));
    gh_str schema = list_length(f->funcname) > 1 ? gh_str_of(strVal(linitial(f->funcname)))
                                                 : GH_STR("pg_catalog");
    unsigned out = 0;
    size_t count;
    const gh_function *const *all =
        gh_catalog_functions(p->judge.in->catalog, gh_str_of(strVal(llast(f->funcname))), &count);

    if (makes_range(p, f))
        return i < 2 ? gh_policy_traits(p, gh_policy_type(p, (const Node *)f)) : 0;
    if (type != NULL && list_length(f->args) == 1)
        return gh_policy_traits(p, type->oid);
    for (size_t k = 0; name[0] == '\0' && k < count; k++) {
        if (gh_str_eq(all[k]->schema, schema) && i < all[k]->arg_count)
            out |= gh_policy_traits(p, all[k]->args[i]);
    }
    return out;
}
