/*
 * May this function be called? By name, for all overloads of the name alike: which one the upstream will
 * pick depends on types that are known only there, so a name passes only if each of its overloads does.
 *
 *     pg_catalog ─▶ special? ─▶ listed by hand? ─▶ does the shape of every overload rule harm out?
 *     elsewhere  ─▶ does the policy allow schema.name, or is it one of an extension that computes with values alone?
 *
 * SECURITY: built-in functions run SQL from text, read files, tell of other sessions, of objects, settings
 * and sizes. The shape test keeps what is new in a later server out as well: stable at most, no set, no
 * argument that names an object, and something to work on. Attack: tests/attack corpora sqltext, files,
 * lowlevel, stats, exists; the list that comes out is tests/golden/allowed_functions_15.txt.
 */
#include "allow.h"
#include "overload.h"

#include "function_list.h"

static bool is_naming_type(const gh_catalog *c, gh_oid oid)
{
#define NAME(s)                                                                                    \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }
    static const gh_str names[] = { NAME("oid"),       NAME("internal"),    NAME("cstring"),
                                    NAME("aclitem"),   NAME("refcursor"),   NAME("pg_node_tree"),
                                    NAME("oidvector"), NAME("trigger"),     NAME("_oid"),
                                    NAME("_aclitem"),  NAME("pg_snapshot"), NAME("txid_snapshot"),
                                    NAME("xid"),       NAME("xid8"),        NAME("cid"),
                                    NAME("_cstring"),  NAME("pg_lsn"),      NAME("tid") };
#undef NAME
    const gh_type *t = gh_catalog_type_by_oid(c, oid);

    if (t == NULL)
        return true;
    if ((t->name.len >= 3 && memcmp(t->name.ptr, "reg", 3) == 0) ||
        (t->name.len >= 4 && memcmp(t->name.ptr, "_reg", 4) == 0))
        return true;
    for (size_t i = 0; i < GH_COUNT(names); i++) {
        if (gh_str_eq(t->name, names[i]))
            return true;
    }
    return false;
}

static bool has_harmless_shape(const gh_catalog *c, const gh_function *f)
{
    if (f->is_security_definer)
        return false;
    if (f->kind != 'f' && f->kind != 'a' && f->kind != 'w')
        return false;
    if (f->volatility != 'i' && f->volatility != 's')
        return false;
    if (f->arg_count == 0) /* tells of the server or the session, or is listed by hand */
        return false;
    if (is_naming_type(c, f->result))
        return false;
    for (uint16_t i = 0; i < f->arg_count; i++) {
        if (is_naming_type(c, f->args[i]))
            return false;
    }
    return true;
}

static bool is_harmless(const gh_catalog *c, const gh_function *f)
{
    return f->oid < GH_OID_MADE_MIN && !f->returns_set && has_harmless_shape(c, f);
}

static gh_function_rule judge_builtin(const gh_catalog *c, gh_str name)
{
    size_t count;
    const gh_function *const *all = gh_catalog_functions(c, name, &count);
    bool exists = false;
    bool is_allowed = gh_function_listed_allow(name);
    bool passes = is_allowed || !gh_function_listed_deny(name);

    for (size_t i = 0; i < count; i++) {
        if (!gh_str_is(all[i]->schema, "pg_catalog"))
            continue;
        exists = true;
        /* A function that someone put into pg_catalog would be picked by its types. */
        if (all[i]->oid >= GH_OID_MADE_MIN)
            return GH_FUNCTION_DENIED;
        passes = passes && (is_allowed || is_harmless(c, all[i]));
    }
    if (!exists && gh_str_is(name, "extract")) /* what EXTRACT means to PostgreSQL 13 */
        return judge_builtin(c, GH_STR("date_part"));
    if (!exists)
        return GH_FUNCTION_UNKNOWN;
    if (gh_function_special_find(name) != NULL)
        return GH_FUNCTION_SPECIAL;
    return passes ? GH_FUNCTION_ALLOWED : GH_FUNCTION_DENIED;
}

/* A statement may call one function ten thousand times. */
static gh_function_rule recall_builtin(gh_judge *j, gh_str name)
{
    size_t count;
    const void *list = gh_catalog_functions(j->in->catalog, name, &count);
    size_t i = ((uintptr_t)list / sizeof(void *)) % GH_COUNT(j->builtins);

    if (list == NULL)
        return judge_builtin(j->in->catalog, name);
    if (j->builtins[i].list != list) {
        j->builtins[i].list = list;
        j->builtins[i].rule = (uint32_t)judge_builtin(j->in->catalog, name);
    }
    return (gh_function_rule)j->builtins[i].rule;
}

static bool has_function(const gh_catalog *c, gh_str schema, gh_str name)
{
    size_t count;
    const gh_function *const *all = gh_catalog_functions(c, name, &count);

    for (size_t i = 0; i < count; i++) {
        if (gh_str_eq(all[i]->schema, schema) && all[i]->kind != 'p')
            return true;
    }
    return false;
}

/*
 * SECURITY: a lock may be held against another user who counts on its number, and tells that somebody holds it, so it is
 * refused unless the policy names it. Attack: tests/attack functions.
 */
static bool is_lock(gh_str name)
{
    static const char *const prefixes[] = { "pg_advisory_", "pg_try_advisory_" };

    for (size_t i = 0; i < GH_COUNT(prefixes); i++) {
        size_t len = strlen(prefixes[i]);

        if (name.len > len && memcmp(name.ptr, prefixes[i], len) == 0)
            return true;
    }
    return false;
}

/*
 * SECURITY: extensions that PostgreSQL brings, looked through by hand (13 to 18): none of their functions that are stable
 * at most runs SQL, reads a table, a file or a setting of the server, or takes long for what is short. Not so unaccent (a
 * dictionary may be named), earthdistance (it needs a search_path), pgcrypto (a hash may cost hours), tablefunc, xml2 and
 * dblink (they run SQL). What an administrator adds to one is of the same shape or is not called, and outside pg_catalog
 * nothing counts as safe without the fence. Attack: tests/integration/operators.
 */
static bool is_of_values(const gh_catalog *c, const gh_function *f)
{
    static const char *const extensions[] = { "citext", "cube",     "fuzzystrmatch",
                                              "hstore", "intarray", "isn",
                                              "ltree",  "pg_trgm",  "seg" };

    for (size_t i = 0; i < GH_COUNT(extensions); i++) {
        if (gh_str_is(f->extension, extensions[i]))
            return has_harmless_shape(c, f);
    }
    return false;
}

bool gh_function_may_call(const gh_judge *j, gh_str schema, gh_str name)
{
    size_t count;
    const gh_function *const *all = gh_catalog_functions(j->in->catalog, name, &count);
    bool is_any = false;

    if (gh_view_allows_function(j->in->view, schema, name))
        return true;
    for (size_t i = 0; i < count; i++) {
        if (!gh_str_eq(all[i]->schema, schema))
            continue;
        is_any = true;
        if (!is_of_values(j->in->catalog, all[i]))
            return false;
    }
    return is_any;
}

/*
 * SECURITY: floatrange(1, 2) computes what '[1,2)'::floatrange does, by the same code of whoever made the type, so it may be
 * called where that may be written; and PostgreSQL makes the bounds of a domain by its checks. Attack: tests/attack
 * code-behind-names.
 */
static bool is_constructor(gh_judge *j, gh_str schema, gh_str name)
{
    size_t count;
    const gh_function *const *all = gh_catalog_functions(j->in->catalog, name, &count);
    bool is_any = false;

    for (size_t i = 0; i < count; i++) {
        const gh_type *t = gh_catalog_type_by_oid(j->in->catalog, all[i]->result);

        if (!gh_str_eq(all[i]->schema, schema))
            continue;
        is_any = true;
        if (!all[i]->is_constructor || t == NULL || !gh_type_is_visible(j, t) ||
            !gh_cast_may_check(j, t->oid, 0) ||
            (all[i]->arg_count > 0 && !gh_cast_may_check(j, all[i]->args[0], 0)))
            return false;
    }
    return is_any;
}

static gh_function_rule judge_in(gh_judge *j, gh_str schema, gh_str name)
{
    if (gh_str_is(schema, "pg_catalog")) {
        /* What NOTIFY and LISTEN are in SQL: of the session's own channels. */
        if ((gh_view_may(j->in->view) & GH_MAY_NOTIFY) != 0 &&
            (gh_str_is(name, "pg_notify") || gh_str_is(name, "pg_listening_channels")))
            return GH_FUNCTION_ALLOWED;
        return is_lock(name) && gh_view_allows_function(j->in->view, schema, name)
                   ? GH_FUNCTION_ALLOWED
                   : recall_builtin(j, name);
    }
    if (!has_function(j->in->catalog, schema, name))
        return GH_FUNCTION_UNKNOWN;
    if (gh_str_is(schema, "information_schema"))
        return gh_function_listed_information_schema(name) ? GH_FUNCTION_ALLOWED
                                                           : GH_FUNCTION_DENIED;
    /* Not granted is not there. */
    return gh_function_may_call(j, schema, name) || is_constructor(j, schema, name)
               ? GH_FUNCTION_ALLOWED
               : GH_FUNCTION_UNKNOWN;
}

gh_function_rule gh_function_judge(gh_judge *j, gh_str schema, gh_str name, gh_str *found_schema)
{
    gh_function_rule rule;

    if (schema.len != 0) {
        *found_schema = schema;
        return judge_in(j, schema, name);
    }
    *found_schema = GH_STR("pg_catalog");
    rule = judge_in(j, *found_schema, name);
    for (size_t i = 0; rule == GH_FUNCTION_UNKNOWN && i < j->in->search_path.count; i++) {
        *found_schema = j->in->search_path.items[i];
        rule = judge_in(j, *found_schema, name);
    }
    return rule;
}

/*
 * SECURITY: upstream a function of the type's name would be called instead, hidden or not; so where one is
 * there, this is no cast. Attack: tests/attack code behind names.
 */
bool gh_function_is_cast(gh_judge *j, gh_str schema, const FuncCall *f, gh_str *found_schema)
{
    gh_str name = gh_str_of(strVal(llast(f->funcname)));
    const gh_type *type;

    if (list_length(f->args) != 1 || IsA(linitial(f->args), NamedArgExpr) || f->agg_order != NIL ||
        f->agg_filter != NULL || f->over != NULL || f->agg_within_group || f->agg_star ||
        f->agg_distinct || f->func_variadic || j->is_from_function)
        return false;
    type = gh_type_of_call(j, schema, name);
    if (type == NULL || has_function(j->in->catalog, type->schema, name))
        return false;
    *found_schema = type->schema;
    return true;
}

/* ---- overloads ------------------------------------------------------------------------------- */

gh_str gh_operator_function_schema(gh_judge *j, const FuncCall *f)
{
    gh_str name = gh_str_of(strVal(llast(f->funcname)));
    size_t count;
    const gh_function *const *found = gh_catalog_functions(j->in->catalog, name, &count);
    gh_oid types[8] = { 0 };
    const gh_candidate *chosen;
    gh_candidates all;
    int args = 0;
    bool is_outside = false;
    bool is_inside = false;
    ListCell *cell;

    for (size_t i = 0; i < count; i++) {
        is_inside = is_inside || gh_str_is(found[i]->schema, "pg_catalog");
        is_outside = is_outside || !gh_str_is(found[i]->schema, "pg_catalog");
    }
    if (!is_inside || !is_outside || list_length(f->funcname) != 1 || list_length(f->args) > 8)
        return (gh_str){ NULL, 0 };
    all = gh_overload_functions(j, name, list_length(f->args));
    for (int i = 0; i < all.count; i++) {
        const gh_function *g = all.items[i].what;
        bool is_known = all.items[i].rank == 0 || gh_function_may_call(j, g->schema, g->name);

        for (int k = 0; k < all.items[i].count && !is_known; k++)
            is_known = gh_operator_is_seen(j, g->args[k]);
        all.items[i].rank = is_known ? all.items[i].rank : -1;
    }
    count = 0;
    for (int i = 0; i < all.count; i++) {
        if (all.items[i].rank >= 0)
            all.items[count++] = all.items[i];
    }
    all.count = (int)count;
    foreach (cell, f->args) {
        if (IsA(lfirst(cell), NamedArgExpr))
            return (gh_str){ NULL, 0 };
        types[args++] = gh_infer_type(j, lfirst(cell));
    }
    switch (gh_overload_select(j, all, types, args, &chosen)) {
    case GH_OVERLOAD_NONE:
        return (gh_str){ NULL, 0 };
    case GH_OVERLOAD_OPEN:
        foreach (cell, f->args)
            gh_absent_refuse(j, lfirst(cell));
        gh_judge_refuse(j, GH_DENIED, "42501", f->location,
                        "function " GH_STR_FMT
                        " is not allowed over an argument of unknown type: cast it",
                        GH_STR_ARG(name));
        return (gh_str){ NULL, 0 };
    case GH_OVERLOAD_FOUND:
        break;
    }
    if (chosen->rank == 0)
        return (gh_str){ NULL, 0 };
    if (!gh_function_may_call(j, ((const gh_function *)chosen->what)->schema, name))
        gh_judge_refuse(j, GH_DENIED, "42501", f->location,
                        "function " GH_STR_FMT " is not allowed over type %s", GH_STR_ARG(name),
                        gh_operator_type_name(j, chosen->args[0]));
    return ((const gh_function *)chosen->what)->schema;
}
