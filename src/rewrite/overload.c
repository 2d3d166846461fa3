/*
 * Which of several operators or functions of one name PostgreSQL would take, by the types of the arguments.
 *
 * Upstream, names without a schema are those of pg_catalog alone. An extension's operator stands in the client's
 * search_path and counts there too: `email = 'A'` over citext is citext's own `=`, and pg_catalog's would find it
 * other rows. So where the path holds an operator of the name outside pg_catalog, PostgreSQL's choice is made here:
 *
 *     exact types ─▶ what implicit casts reach ─▶ most exact ─▶ most preferred ─▶ what fits the literals
 *
 * Source: PostgreSQL 15, src/backend/parser/parse_oper.c and parse_func.c (func_select_candidate).
 */
#include "overload.h"

#define ARGS_MAX    8
#define NESTING_MAX 16

gh_oid gh_overload_base(const gh_catalog *c, gh_oid oid)
{
    const gh_type *t = gh_catalog_type_by_oid(c, oid);

    for (int i = 0; t != NULL && t->kind == 'd' && i < NESTING_MAX; i++) {
        oid = t->base;
        t = gh_catalog_type_by_oid(c, oid);
    }
    return oid;
}

/* ---- candidates ------------------------------------------------------------------------------ */

/* Of a schema in the path, pg_catalog first; -1: it is not there. */
static int rank_of(const gh_judge *j, gh_str schema)
{
    if (gh_str_is(schema, "pg_catalog"))
        return 0;
    if (j->is_nameless)
        return 1;
    for (size_t i = 0; i < j->in->search_path.count; i++) {
        if (gh_str_eq(j->in->search_path.items[i], schema))
            return (int)i + 1;
    }
    return -1;
}

/* Of two with the same arguments the first in the path has its way. */
static void add(gh_candidates *all, gh_candidate c)
{
    for (int i = 0; i < all->count; i++) {
        gh_candidate *other = &all->items[i];

        if (other->count == c.count &&
            memcmp(other->args, c.args, (size_t)c.count * sizeof(c.args[0])) == 0) {
            if (c.rank < other->rank)
                *other = c;
            return;
        }
    }
    all->items[all->count++] = c;
}

gh_candidates gh_overload_all_operators(gh_judge *j, gh_str name, bool is_prefix)
{
    gh_candidates all = { .are_operators = true };
    size_t count;
    const gh_operator *const *found = gh_catalog_operators(j->in->catalog, name, &count);

    all.items = palloc((count + 1) * sizeof(all.items[0]));
    for (size_t i = 0; i < count; i++) {
        const gh_operator *o = found[i];
        gh_candidate c = { .args = is_prefix ? &o->right : &o->left,
                           .count = is_prefix ? 1 : 2,
                           .what = o,
                           .rank = rank_of(j, o->schema) };

        _Static_assert(offsetof(gh_operator, right) == offsetof(gh_operator, left) + sizeof(gh_oid),
                       "both operands are read as an array");
        if ((o->left == 0) == is_prefix && c.rank >= 0)
            add(&all, c);
    }
    return all;
}

gh_candidates gh_overload_operators(gh_judge *j, gh_str name, bool is_prefix)
{
    size_t count;
    const gh_operator *const *found = gh_catalog_operators(j->in->catalog, name, &count);

    /* They are ordered by schema: seldom are there any but pg_catalog's. */
    if (count == 0 || (gh_str_is(found[0]->schema, "pg_catalog") &&
                       gh_str_is(found[count - 1]->schema, "pg_catalog")))
        return (gh_candidates){ .are_operators = true };
    return gh_overload_all_operators(j, name, is_prefix);
}

gh_candidates gh_overload_functions(gh_judge *j, gh_str name, int args)
{
    gh_candidates all = { 0 };
    size_t count;
    const gh_function *const *found = gh_catalog_functions(j->in->catalog, name, &count);

    all.items = palloc((count + 1) * sizeof(all.items[0]));
    for (size_t i = 0; i < count; i++) {
        const gh_function *f = found[i];
        gh_candidate c = {
            .args = f->args, .count = args, .what = f, .rank = rank_of(j, f->schema)
        };

        if (args <= f->arg_count && args >= f->arg_count - f->default_count && f->kind != 'p' &&
            c.rank >= 0)
            add(&all, c);
    }
    return all;
}

/* ---- coercion -------------------------------------------------------------------------------- */

static const gh_type *type_of(const gh_judge *j, gh_oid oid)
{
    return gh_catalog_type_by_oid(j->in->catalog, oid);
}

static bool is_array(const gh_type *t)
{
    return t != NULL && t->category == 'A' && t->element != 0;
}

/* Whether a type passes for a polymorphic one; `*is_poly`: whether it is one. */
static bool fits_polymorphic(const gh_judge *j, gh_oid type, gh_oid target, bool *is_poly)
{
    const gh_type *t = type_of(j, gh_overload_base(j->in->catalog, type));

    *is_poly = true;
    switch (target) {
    case GH_OID_ANY:
    case GH_OID_ANYELEMENT:
    case GH_OID_ANYCOMPATIBLE:
        return true;
    case GH_OID_ANYARRAY:
    case GH_OID_ANYCOMPATARRAY:
        return type == GH_OID_UNKNOWN || is_array(t);
    case GH_OID_ANYNONARRAY:
    case GH_OID_ANYCOMPATNONARR:
        return !is_array(t);
    case GH_OID_ANYENUM:
        return t != NULL && t->kind == 'e';
    case GH_OID_ANYRANGE:
    case GH_OID_ANYCOMPATRANGE:
        return type == GH_OID_UNKNOWN || (t != NULL && t->kind == 'r');
    case GH_OID_ANYMULTIRANGE:
    case GH_OID_ANYCOMPATMULTI:
        return type == GH_OID_UNKNOWN || (t != NULL && t->kind == 'm');
    default:
        *is_poly = false;
        return false;
    }
}

static bool is_composite(const gh_type *t)
{
    return t != NULL && t->relation != 0;
}

/* Is there a cast that PostgreSQL makes by itself? */
static bool can_coerce(const gh_judge *j, gh_oid type, gh_oid target, int depth)
{
    gh_oid base = gh_overload_base(j->in->catalog, type);
    const gh_type *from = type_of(j, base);
    const gh_type *to = type_of(j, target);
    const gh_cast *cast;
    bool is_poly;

    bool fits = fits_polymorphic(j, type, target, &is_poly);

    if (type == GH_OID_UNKNOWN || type == target || base == target)
        return true;
    if (is_poly)
        return fits;
    if (target == GH_OID_RECORD && is_composite(from))
        return true;
    if (to == NULL || from == NULL || depth == NESTING_MAX)
        return false;
    if (is_array(from) && target == GH_OID_RECORD_ARRAY)
        return is_composite(type_of(j, from->element));
    target = gh_overload_base(j->in->catalog, target);
    cast = gh_catalog_cast(j->in->catalog, base, target);
    if (cast != NULL)
        return cast->context == 'i';
    to = type_of(j, target);
    return base == target ||
           (is_array(from) && is_array(to) && can_coerce(j, from->element, to->element, depth + 1));
}

bool gh_overload_can_coerce(const gh_judge *j, gh_oid from, gh_oid to)
{
    return can_coerce(j, from, to, 0);
}

/* Arguments of one polymorphic type must agree. */
static bool is_consistent(const gh_judge *j, const gh_candidate *c, const gh_oid *types)
{
    gh_oid element = 0;

    for (int i = 0; i < c->count; i++) {
        gh_oid base = gh_overload_base(j->in->catalog, types[i]);
        const gh_type *t = type_of(j, base);
        gh_oid own;

        if (types[i] == GH_OID_UNKNOWN)
            continue;
        if (c->args[i] == GH_OID_ANYARRAY)
            own = t != NULL ? t->element : 0;
        else if (c->args[i] == GH_OID_ANYELEMENT || c->args[i] == GH_OID_ANYNONARRAY ||
                 c->args[i] == GH_OID_ANYENUM || c->args[i] == GH_OID_ANYRANGE ||
                 c->args[i] == GH_OID_ANYMULTIRANGE)
            own = types[i];
        else
            continue;
        if (element != 0 && own != element)
            return false;
        element = own;
    }
    return true;
}

static bool takes(const gh_judge *j, const gh_candidate *c, const gh_oid *types)
{
    for (int i = 0; i < c->count; i++) {
        if (!can_coerce(j, types[i], c->args[i], 0))
            return false;
    }
    return is_consistent(j, c, types);
}

/* ---- the choice ------------------------------------------------------------------------------ */

static char category_of(const gh_judge *j, gh_oid oid)
{
    const gh_type *t = type_of(j, oid);

    return t != NULL ? t->category : 'X';
}

static bool is_preferred_in(const gh_judge *j, gh_oid oid, char category)
{
    const gh_type *t = type_of(j, oid);

    return t != NULL && t->category == category && t->is_preferred;
}

/* Keeps the candidates with the most arguments that count. */
static void keep_best(const gh_judge *j, gh_candidates *all, const gh_oid *base, bool by_preference)
{
    int best = 0;
    int kept = 0;

    for (int i = 0; i < all->count; i++) {
        const gh_candidate c = all->items[i];
        int n = 0;

        for (int k = 0; k < c.count; k++) {
            n += base[k] != GH_OID_UNKNOWN &&
                 (c.args[k] == base[k] ||
                  (by_preference && is_preferred_in(j, c.args[k], category_of(j, base[k]))));
        }
        if (n > best || kept == 0) {
            best = n;
            kept = 0;
        }
        if (n == best)
            all->items[kept++] = c;
    }
    all->count = kept;
}

/* By what the literals may be: text if any candidate takes text there, else what all agree upon. */
static bool keep_for_literals(const gh_judge *j, gh_candidates *all, const gh_oid *base)
{
    int kept = 0;

    for (int k = 0; k < all->items[0].count; k++) {
        char category = category_of(j, all->items[0].args[k]);
        bool has_preferred = false;
        bool is_conflict = false;

        if (base[k] != GH_OID_UNKNOWN)
            continue;
        for (int i = 0; i < all->count; i++) {
            char own = category_of(j, all->items[i].args[k]);

            if (own == 'S' && category != 'S') {
                category = 'S';
                is_conflict = false;
            } else if (own != category && category != 'S') {
                is_conflict = true;
            }
        }
        if (is_conflict)
            return false;
        for (int i = 0; i < all->count; i++)
            has_preferred |= is_preferred_in(j, all->items[i].args[k], category);
        kept = 0;
        for (int i = 0; i < all->count; i++) {
            if (category_of(j, all->items[i].args[k]) == category &&
                (!has_preferred || is_preferred_in(j, all->items[i].args[k], category)))
                all->items[kept++] = all->items[i];
        }
        if (kept == 0)
            return false;
        all->count = kept;
    }
    return true;
}

/* Last resort: the literals are of the type that all others have. */
static const gh_candidate *by_known_type(const gh_judge *j, const gh_candidates *all,
                                         const gh_oid *base, int count)
{
    const gh_candidate *found = NULL;
    gh_oid types[ARGS_MAX];
    gh_oid known = GH_OID_UNKNOWN;

    for (int k = 0; k < count; k++) {
        if (base[k] == GH_OID_UNKNOWN)
            continue;
        if (known != GH_OID_UNKNOWN && known != base[k])
            return NULL;
        known = base[k];
    }
    if (known == GH_OID_UNKNOWN)
        return NULL;
    for (int k = 0; k < count; k++)
        types[k] = known;
    for (int i = 0; i < all->count; i++) {
        if (!takes(j, &all->items[i], types))
            continue;
        if (found != NULL)
            return NULL;
        found = &all->items[i];
    }
    return found;
}

static const gh_candidate *exact(const gh_candidates *all, const gh_oid *types, int count)
{
    for (int i = 0; i < all->count; i++) {
        if (memcmp(all->items[i].args, types, (size_t)count * sizeof(types[0])) == 0)
            return &all->items[i];
    }
    return NULL;
}

/* An operator's literal is tried first as of the other operand's type, then of what is behind its domain. */
static const gh_candidate *exact_beside(const gh_judge *j, const gh_candidates *all,
                                        const gh_oid *types, int count)
{
    gh_oid same[2];
    const gh_candidate *found;

    if (!all->are_operators || count != 2 ||
        (types[0] == GH_OID_UNKNOWN) == (types[1] == GH_OID_UNKNOWN))
        return NULL;
    same[0] = types[0] == GH_OID_UNKNOWN ? types[1] : types[0];
    same[1] = same[0];
    found = exact(all, same, 2);
    if (found != NULL)
        return found;
    same[0] = gh_overload_base(j->in->catalog, same[0]);
    same[1] = same[0];
    return exact(all, same, 2);
}

static const gh_candidate *choose(const gh_judge *j, gh_candidates all, const gh_oid *types,
                                  int count)
{
    gh_candidates left = { .items = palloc((size_t)all.count * sizeof(all.items[0])) };
    const gh_candidate *found = exact(&all, types, count);
    gh_oid base[ARGS_MAX];
    bool has_literal = false;

    if (found == NULL)
        found = exact_beside(j, &all, types, count);
    if (found != NULL)
        return found;
    for (int i = 0; i < all.count; i++) {
        if (takes(j, &all.items[i], types))
            left.items[left.count++] = all.items[i];
    }
    for (int k = 0; k < count; k++) {
        has_literal |= types[k] == GH_OID_UNKNOWN;
        base[k] = gh_overload_base(j->in->catalog, types[k]);
    }
    if (left.count > 1)
        keep_best(j, &left, base, false);
    if (left.count > 1)
        keep_best(j, &left, base, true);
    if (left.count > 1 && has_literal) {
        gh_candidates kept = left;

        kept.items = palloc((size_t)left.count * sizeof(left.items[0]));
        memcpy(kept.items, left.items, (size_t)left.count * sizeof(left.items[0]));
        if (keep_for_literals(j, &kept, base))
            left = kept;
        if (left.count > 1)
            return by_known_type(j, &left, base, count);
    }
    return left.count == 1 ? &left.items[0] : NULL;
}

/* ---- types that are not known ---------------------------------------------------------------- */

/* Can a candidate outside pg_catalog take the arguments, whatever those are that are not known? */
static bool may_take(gh_judge *j, const gh_candidate *c, const gh_oid *types)
{
    for (int i = 0; i < c->count; i++) {
        if (types[i] == 0 ? !gh_infer_may_occur(j, c->args[i])
                          : !can_coerce(j, types[i], c->args[i], 0))
            return false;
    }
    return true;
}

gh_overload gh_overload_select(gh_judge *j, gh_candidates all, const gh_oid *types, int count,
                               const gh_candidate **found)
{
    bool is_known = true;

    *found = NULL;
    if (count < 1 || count > ARGS_MAX || all.count == 0)
        return GH_OVERLOAD_NONE;
    for (int k = 0; k < count; k++)
        is_known = is_known && types[k] != 0;
    if (is_known) {
        *found = choose(j, all, types, count);
        return *found != NULL ? GH_OVERLOAD_FOUND : GH_OVERLOAD_NONE;
    }
    for (int i = 0; i < all.count; i++) {
        if (all.items[i].rank > 0 && may_take(j, &all.items[i], types))
            return GH_OVERLOAD_OPEN;
    }
    return GH_OVERLOAD_NONE; /* one of pg_catalog's, whichever */
}
