/*
 * Of what type a part of a policy's expression is, as far as that says what the session would decide about it: how a literal
 * beside it is read (TimeZone, DateStyle, IntervalStyle), and how it is printed (these, extra_float_digits, bytea_output).
 *
 *     moment >= '2026-01-01'             a domain over timestamptz is one
 *     lower(valid) > '2026-01-01'        so is what a range begins with
 *     valid && '[2026-01-01,)'           refused: nothing here tells the parts of a range's literal their zone
 *     place::text                        refused: a point prints floats
 *
 * SECURITY: see policy_time.c and policy_print.c. Attack: tests/integration/policy_time.py, policy_print.py.
 */
#include "infer.h"
#include "policy_expr.h"

#define NESTING_MAX 8

gh_oid gh_policy_base(const gh_policy_scope *p, gh_oid type)
{
    return gh_overload_base(p->judge.in->catalog, type);
}

/* ---- what the session decides ------------------------------------------------------------------ */

static bool is_among(gh_oid type, const gh_oid *types, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (types[i] == type)
            return true;
    }
    return false;
}

static bool is_geometric(gh_oid type)
{
    static const gh_oid types[] = { 600, 601, 602, 603, 604, 628, 718 };

    return is_among(type, types, GH_COUNT(types));
}

static unsigned traits(const gh_policy_scope *p, gh_oid type, int depth);

static unsigned traits_of_columns(const gh_policy_scope *p, gh_oid relation, int depth)
{
    const gh_relation *r = gh_catalog_relation_by_oid(p->judge.in->catalog, relation);
    unsigned out = GH_TRAIT_HOLDS;

    for (size_t i = 0; r != NULL && i < r->column_count; i++)
        out |= traits(p, r->columns[i].type_oid, depth + 1);
    return out;
}

static unsigned traits(const gh_policy_scope *p, gh_oid type, int depth)
{
    const gh_type *t = gh_catalog_type_by_oid(p->judge.in->catalog, gh_policy_base(p, type));
    gh_oid inner;

    if (t == NULL || depth > NESTING_MAX)
        return 0;
    switch (t->oid) {
    case GH_OID_TIMESTAMPTZ:
        return GH_TRAIT_ZONE | GH_TRAIT_STYLE | GH_TRAIT_PRINTS;
    case GH_OID_TIMETZ:
        return GH_TRAIT_ZONE;
    case GH_OID_DATE:
    case GH_OID_TIMESTAMP:
        return GH_TRAIT_STYLE | GH_TRAIT_PRINTS;
    case GH_OID_INTERVAL:
        return GH_TRAIT_INTERVAL | GH_TRAIT_PRINTS;
    case GH_OID_FLOAT4:
    case GH_OID_FLOAT8:
    case GH_OID_BYTEA:
        return GH_TRAIT_PRINTS;
    default:
        break;
    }
    if (is_geometric(t->oid))
        return GH_TRAIT_PRINTS | GH_TRAIT_HOLDS;
    if (t->relation != 0)
        return traits_of_columns(p, t->relation, depth);
    inner = t->category == 'A' ? t->element : gh_infer_bound(&p->judge, t->oid);
    return inner != 0 ? traits(p, inner, depth + 1) | GH_TRAIT_HOLDS : 0;
}

unsigned gh_policy_traits(const gh_policy_scope *p, gh_oid type)
{
    return traits(p, type, 0);
}

/* ---- types ------------------------------------------------------------------------------------- */

static gh_oid type_of_any(gh_policy_scope *p, const List *list)
{
    ListCell *cell;

    foreach (cell, list) {
        const Node *n = lfirst(cell);
        gh_oid type = gh_policy_type(
            p, n != NULL && IsA(n, CaseWhen) ? (const Node *)((const CaseWhen *)n)->result : n);

        if (type != 0)
            return type;
    }
    return 0;
}

/* anyelement, anyarray, anyrange and kin, by an argument that is declared alike. 0: not known. */
static gh_oid type_by_argument(gh_policy_scope *p, const FuncCall *f, const gh_function *of)
{
    static const gh_oid arrays[] = { 2277, 5078 };
    static const gh_oid elements[] = { 2283, 2776, 5077, 5079 };
    static const gh_oid ranges[] = { 3831, 5080, 4537, 4538 };
    bool gives_array = is_among(of->result, arrays, GH_COUNT(arrays));
    bool gives_element = is_among(of->result, elements, GH_COUNT(elements));
    ListCell *cell;

    foreach (cell, f->args) {
        int i = foreach_current_index(cell);
        gh_oid type = gh_policy_type(p, lfirst(cell));
        gh_oid declared = i < of->arg_count ? of->args[i] : 0;

        if (type == 0)
            continue;
        if (gives_array && is_among(declared, arrays, GH_COUNT(arrays)))
            return type;
        if (gives_array && is_among(declared, elements, GH_COUNT(elements)))
            return gh_infer_array(&p->judge, type);
        if (gives_element && is_among(declared, elements, GH_COUNT(elements)))
            return type;
        if (gives_element && is_among(declared, arrays, GH_COUNT(arrays)))
            return gh_policy_base(p, gh_infer_element(&p->judge, type));
        if (is_among(of->result, ranges, GH_COUNT(ranges)) &&
            is_among(declared, ranges, GH_COUNT(ranges)))
            return type;
    }
    return 0;
}

/* Where all overloads give the same. */
static gh_oid type_of_call(gh_policy_scope *p, const FuncCall *f)
{
    gh_str schema = list_length(f->funcname) > 1 ? gh_str_of(strVal(linitial(f->funcname)))
                                                 : GH_STR("pg_catalog");
    const char *name = strVal(llast(f->funcname));
    const gh_function *any = NULL;
    gh_oid found = 0;
    gh_oid type;
    size_t count;
    const gh_function *const *all =
        gh_catalog_functions(p->judge.in->catalog, gh_str_of(name), &count);

    if ((strcmp(name, "lower") == 0 || strcmp(name, "upper") == 0) && list_length(f->args) == 1) {
        gh_oid bound =
            gh_infer_bound(&p->judge, gh_policy_base(p, gh_policy_type(p, linitial(f->args))));

        if (bound != 0)
            return gh_policy_base(p, bound);
    }
    for (size_t i = 0; i < count; i++) {
        if (!gh_str_eq(all[i]->schema, schema))
            continue;
        if (found != 0 && found != all[i]->result)
            return 0;
        found = all[i]->result;
        if (any == NULL || all[i]->arg_count == list_length(f->args))
            any = all[i];
    }
    if (any == NULL)
        return 0;
    type = type_by_argument(p, f, any);
    return type != 0 ? type : gh_policy_base(p, found);
}

/* (pr).at, ats[1], place[0] */
static gh_oid type_of_part(gh_policy_scope *p, const A_Indirection *a)
{
    gh_oid type = gh_policy_type(p, a->arg);
    ListCell *cell;

    foreach (cell, a->indirection) {
        const Node *n = lfirst(cell);

        if (IsA(n, String))
            type = gh_infer_field_of(&p->judge, type, strVal(n));
        else if (IsA(n, A_Indices) && !((const A_Indices *)n)->is_slice)
            type = is_geometric(type) ? GH_OID_FLOAT8 : gh_infer_element(&p->judge, type);
        else if (!IsA(n, A_Indices))
            return 0;
        type = gh_policy_base(p, type);
    }
    return type;
}

static gh_oid type_of_query(gh_policy_scope *p, const SubLink *s)
{
    const Node *value;
    gh_oid type;
    List *outer;

    if (s->subLinkType != EXPR_SUBLINK && s->subLinkType != ARRAY_SUBLINK)
        return 0;
    value = gh_policy_enter_value(p, s, &outer);
    if (value == NULL)
        return 0;
    type = gh_policy_type(p, value);
    gh_policy_leave(p, outer);
    return s->subLinkType == EXPR_SUBLINK ? type : gh_infer_array(&p->judge, type);
}

/* Of ranges and arrays alone: what numbers and times give is for policy_time.c and policy_print.c. */
static gh_oid type_of_operation(gh_policy_scope *p, const A_Expr *e)
{
    const char *name = gh_policy_own_name(e->name);
    gh_oid left = e->lexpr != NULL ? gh_policy_type(p, e->lexpr) : 0;

    if (e->kind == AEXPR_NULLIF)
        return left;
    if (e->kind != AEXPR_OP || strpbrk(name, "<>=~&@") != NULL || IsA(e->rexpr, List))
        return 0;
    if (left == 0)
        left = gh_policy_type(p, e->rexpr);
    return (gh_policy_traits(p, left) & GH_TRAIT_HOLDS) != 0 ? left : 0;
}

gh_oid gh_policy_type(gh_policy_scope *p, const Node *n)
{
    const gh_column *c;
    gh_oid type;

    if (n == NULL)
        return 0;
    switch (nodeTag(n)) {
    case T_ColumnRef:
        c = gh_policy_bind(p, (const ColumnRef *)n);
        return c != NULL ? gh_policy_base(p, c->type_oid) : 0;
    case T_TypeCast:
        return gh_policy_base(p, gh_infer_named_type(&p->judge, ((const TypeCast *)n)->typeName));
    case T_FuncCall:
        return type_of_call(p, (const FuncCall *)n);
    case T_A_Expr:
        return type_of_operation(p, (const A_Expr *)n);
    case T_A_Indirection:
        return type_of_part(p, (const A_Indirection *)n);
    case T_A_ArrayExpr:
        type = type_of_any(p, ((const A_ArrayExpr *)n)->elements);
        return type != 0 ? gh_infer_array(&p->judge, type) : 0;
    case T_RowExpr:
        return GH_OID_RECORD;
    case T_CoalesceExpr:
        return type_of_any(p, ((const CoalesceExpr *)n)->args);
    case T_MinMaxExpr:
        return type_of_any(p, ((const MinMaxExpr *)n)->args);
    case T_CaseExpr:
        return type_of_any(
            p, lappend(list_copy(((const CaseExpr *)n)->args), ((const CaseExpr *)n)->defresult));
    case T_SubLink:
        return type_of_query(p, (const SubLink *)n);
    default:
        return 0;
    }
}

/* ---- literals ---------------------------------------------------------------------------------- */

/* One of the dates, times or intervals that a literal holds. */
static const char *fault_of(const char *part, unsigned what)
{
    bool has_digits = strpbrk(part, "0123456789") != NULL;

    if ((what & GH_TRAIT_STYLE) != 0 && gh_time_text_is_ambiguous(part))
        return "date is not written as year-month-day: DateStyle would decide";
    if ((what & GH_TRAIT_STYLE) != 0 && gh_time_text_is_relative(part))
        return "day is relative to the session's: current_date is not";
    if ((what & GH_TRAIT_ZONE) != 0 && has_digits && !gh_time_text_has_zone(part))
        return "time has no zone: the session's TimeZone would decide; write it with +00";
    if ((what & GH_TRAIT_NO_ZONE) != 0 && has_digits && gh_time_text_has_zone(part))
        return "time in an array's literal says its zone: write ARRAY[...]";
    if ((what & GH_TRAIT_INTERVAL) != 0 && gh_time_text_is_signed(part))
        return "interval has one sign for several fields: IntervalStyle would decide";
    return NULL;
}

/* SECURITY: what the type reads of the literal must not be the session's to say. Ranges and arrays have several parts. */
void gh_policy_check_literal(gh_policy_scope *p, const char *s, unsigned what)
{
    static const char brackets[] = "[](){},\"";
    const char *fault = NULL;

    if (s == NULL || (what & (GH_TRAIT_ZONE | GH_TRAIT_STYLE | GH_TRAIT_INTERVAL)) == 0)
        return;
    while (*s != '\0' && fault == NULL) {
        size_t skipped = strspn(s, brackets);
        size_t len = strcspn(s + skipped, brackets);

        fault = fault_of(gh_judge_cstr((gh_str){ s + skipped, len }), what);
        s += skipped + len;
    }
    if (fault != NULL)
        gh_policy_broken(p, fault);
}

/* Rows that are compared: of each place by itself. */
static bool check_rows(gh_policy_scope *p, const List *sides)
{
    const RowExpr *first = linitial(sides);
    ListCell *cell;

    foreach (cell, sides) {
        const RowExpr *row = lfirst(cell);

        if (row == NULL || !IsA(row, RowExpr) || list_length(row->args) != list_length(first->args))
            return false;
    }
    for (int i = 0; i < list_length(first->args); i++) {
        List *column = NIL;

        foreach (cell, sides)
            column = lappend(column, list_nth(((const RowExpr *)lfirst(cell))->args, i));
        gh_policy_check_alike(p, column);
    }
    return true;
}

/* Instants among them are UTC's timestamps. */
void gh_policy_check_alike(gh_policy_scope *p, const List *values)
{
    unsigned what = 0;
    ListCell *cell;

    if (values == NIL || check_rows(p, values))
        return;
    foreach (cell, values) {
        const Node *n = lfirst(cell);
        unsigned one = gh_policy_traits(p, gh_policy_type(p, n));

        if (n != NULL && gh_policy_time_kind(p, n) != GH_TIME_NONE)
            one &= ~GH_TRAIT_ZONE;
        if (n != NULL && gh_policy_is_interval(p, n))
            one |= GH_TRAIT_INTERVAL;
        what |= one;
    }
    foreach (cell, values)
        gh_policy_check_literal(p, gh_policy_literal(lfirst(cell)), what);
}

/*
 * A literal takes the type of its neighbour, but for an interval's, which is added to a time. Where an instant is compared
 * with it, policy_time.c tells it its zone.
 */
void gh_policy_check_neighbours(gh_policy_scope *p, const A_Expr *e, bool is_compared)
{
    List *sides = IsA(e->rexpr, List) ? lcons(e->lexpr, list_copy((const List *)e->rexpr))
                                      : list_make2(e->lexpr, e->rexpr);
    const char *name = gh_policy_own_name(e->name);
    bool is_plus = e->kind == AEXPR_OP && strcmp(name, "+") == 0;
    bool is_joined = e->kind == AEXPR_OP && strcmp(name, "||") == 0;
    bool is_kept = e->kind == AEXPR_OP && !is_compared && strcmp(name, "-") != 0;
    bool has_literal = false;
    bool has_timetz = false;
    unsigned what = 0;
    ListCell *cell;

    if (check_rows(p, sides))
        return;
    foreach (cell, sides) {
        has_literal |= gh_policy_literal(lfirst(cell)) != NULL;
        has_timetz |= gh_policy_type(p, lfirst(cell)) == GH_OID_TIMETZ;
    }
    if (!has_literal && !has_timetz)
        return;
    foreach (cell, sides) {
        const Node *n = lfirst(cell);
        unsigned one = n != NULL ? gh_policy_traits(p, gh_policy_type(p, n)) : 0;

        if (n != NULL && gh_policy_time_kind(p, n) != GH_TIME_NONE)
            one = is_plus ? GH_TRAIT_INTERVAL : is_kept ? one : one & ~GH_TRAIT_ZONE;
        if (has_timetz && n != NULL && gh_policy_literal(n) == NULL &&
            gh_policy_type(p, n) != GH_OID_TIMETZ)
            gh_policy_broken(p, "time with time zone beside another type: TimeZone would decide");
        if (n != NULL && gh_policy_is_interval(p, n))
            one |= GH_TRAIT_INTERVAL;
        if (!is_joined || (one & GH_TRAIT_HOLDS) != 0)
            what |= one;
    }
    foreach (cell, sides)
        gh_policy_check_literal(p, gh_policy_literal(lfirst(cell)), what);
}
