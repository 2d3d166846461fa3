/*
 * What is computed from columns and may stand in a condition without a fence. PostgreSQL may compute it for
 * hidden rows, so it must not fail for any value that a row can hold:
 *
 *     l_extendedprice * (1 - l_discount)   numeric(15,2): 13 digits and 10 + 1 are far from numeric's 131072
 *     extract(year from o_orderdate)       of a date or timestamp, infinite ones too
 *     substring(c_phone from 1 for 2)      of a length that is no less than nothing
 *     0.2 * avg(l_quantity)                what a grouped query gives
 *     current_date - 30                    of no row at all: time_value.c
 *
 * and not
 *
 *     id + 1        an integer may be the largest      amount * 2    numeric without a precision likewise
 *     o_date + 1    so may a date                      lower(note)   may be longer than memory allows
 *
 * SECURITY: an error tells that there is a row whose value raises it. Attack: tests/attack early-predicates,
 * tests/differential/interference.
 */
#include "fence.h"
#include "operand.h"

/* Of a number, before and behind the point: what multiplies them stays quick, too. */
#define DIGITS_MAX 1000
#define SCALE_MAX  2500
/* What avg and division add at most (NUMERIC_MAX_DISPLAY_SCALE). */
#define QUOTIENT_SCALE 1000
/* Of a sum, for as many rows as there can be. */
#define SUM_DIGITS 20

static const gh_operand s_none = { 0 };

const char *gh_value_plain_name(const FuncCall *f)
{
    if (list_length(f->funcname) != 2 || strcmp(strVal(linitial(f->funcname)), "pg_catalog") != 0 ||
        f->agg_within_group || f->func_variadic || f->agg_order != NIL)
        return NULL;
    return strVal(lsecond(f->funcname));
}

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static bool is_number(gh_operand o)
{
    return o.digits != 0 && (o.class == GH_CLASS_INTEGER || o.class == GH_CLASS_NUMERIC ||
                             o.class == GH_CLASS_CONST);
}

static gh_operand numeric(unsigned digits, unsigned scale)
{
    if (digits > DIGITS_MAX || scale > SCALE_MAX)
        return s_none;
    return (gh_operand){ .class = GH_CLASS_NUMERIC,
                         .type = GH_OID_NUMERIC,
                         .digits = (uint16_t)digits,
                         .scale = (uint16_t)scale };
}

/* A literal by which one may divide. */
static bool is_divisor(gh_judge *j, const Node *n)
{
    const A_Const *c = (const A_Const *)n;

    if (!gh_operand_is_literal(n) || c->isnull)
        return false;
    j->reads_literal = true;
    if (IsA(&c->val, Integer))
        return intVal(&c->val) != 0;
    return IsA(&c->val, Float) && strpbrk(c->val.fval.fval, "123456789") != NULL;
}

static gh_operand sum(gh_operand l, gh_operand r)
{
    return numeric((l.digits > r.digits ? l.digits : r.digits) + 1u,
                   l.scale > r.scale ? l.scale : r.scale);
}

/* `+ - *` and the rest of two numbers, one of them numeric: integers overflow. */
static gh_operand arithmetic(gh_judge *j, const A_Expr *e)
{
    const char *name = strVal(llast(e->name));
    bool divides = strcmp(name, "/") == 0 || strcmp(name, "%") == 0;
    gh_operand l;
    gh_operand r;

    if (strchr("+-*/%", name[0]) == NULL || name[1] != '\0')
        return s_none;
    l = gh_value(j, e->lexpr);
    r = gh_value(j, e->rexpr);
    if (!is_number(l) || !is_number(r))
        return s_none;
    if (divides && !is_divisor(j, e->rexpr))
        return s_none;
    if (l.class != GH_CLASS_NUMERIC && r.class != GH_CLASS_NUMERIC && l.scale == 0 && r.scale == 0)
        return s_none;
    if (name[0] == '*')
        return numeric((unsigned)l.digits + r.digits, (unsigned)l.scale + r.scale);
    if (divides) /* by no less than 10 to the minus scale */
        return numeric((unsigned)l.digits + r.scale + 1, QUOTIENT_SCALE);
    return sum(l, r);
}

/* Of constants alone, which is folded before any row is read. */
static gh_operand folded(gh_judge *j, const A_Expr *e)
{
    gh_operand o = gh_operand_constant(j, (const Node *)e);
    gh_operand l;
    gh_operand r;

    if (o.class != GH_CLASS_CONST || e->lexpr == NULL)
        return o;
    l = gh_value(j, e->lexpr);
    r = gh_value(j, e->rexpr);
    if (is_number(l) && is_number(r)) {
        o.digits = sum(l, r).digits;
        o.scale = sum(l, r).scale;
    }
    return o;
}

static gh_operand operation(gh_judge *j, const A_Expr *e)
{
    gh_operand o = folded(j, e);

    if (o.class != GH_CLASS_NONE || e->kind != AEXPR_OP || list_length(e->name) != 1)
        return o;
    if (e->lexpr != NULL)
        return arithmetic(j, e);
    o = strcmp(strVal(llast(e->name)), "-") == 0 ? gh_value(j, e->rexpr) : s_none;
    return o.class == GH_CLASS_NUMERIC || o.class == GH_CLASS_FLOAT ? o : s_none;
}

/* ---- one of several -------------------------------------------------------------------------- */

/* Of integer types, and of none. */
static int width(gh_oid type)
{
    return type == GH_OID_INT8 ? 8 : type == GH_OID_INT4 ? 4 : type == GH_OID_INT2 ? 2 : 0;
}

/* The type that both become, as CASE and COALESCE have it, without a cast that may fail. */
static gh_operand combine(gh_operand a, gh_operand b)
{
    if (a.class == GH_CLASS_CONST || b.class == GH_CLASS_CONST) {
        gh_operand o = a.class == GH_CLASS_CONST ? b : a;
        gh_operand literal = a.class == GH_CLASS_CONST ? a : b;

        if (literal.type == GH_OID_NUMERIC &&
            (o.class == GH_CLASS_INTEGER || o.class == GH_CLASS_CONST)) {
            o.class = o.class == GH_CLASS_INTEGER ? GH_CLASS_NUMERIC : o.class;
            o.type = GH_OID_NUMERIC;
        } else if ((o.class == GH_CLASS_INTEGER || o.class == GH_CLASS_CONST) &&
                   o.type != GH_OID_NUMERIC && width(literal.type) > width(o.type)) {
            o.type = literal.type;
        }
        o.scale = a.scale > b.scale ? a.scale : b.scale;
        o.digits = a.digits == 0 || b.digits == 0 ? 0 : a.digits > b.digits ? a.digits : b.digits;
        return o;
    }
    if (a.collation != 0 && b.collation != 0 && a.collation != b.collation)
        return s_none;
    if (a.class == GH_CLASS_INTEGER && b.class == GH_CLASS_NUMERIC)
        a.class = GH_CLASS_NUMERIC;
    if (a.class == GH_CLASS_NUMERIC && b.class == GH_CLASS_INTEGER)
        b.class = GH_CLASS_NUMERIC;
    if (a.class != b.class)
        return s_none;
    if (a.class != GH_CLASS_INTEGER && a.class != GH_CLASS_NUMERIC && a.class != GH_CLASS_TEXT &&
        (a.type != b.type || a.type == 0))
        return s_none;
    a.type = a.type == b.type ? a.type : a.class == GH_CLASS_INTEGER ? GH_OID_INT8 : 0;
    a.collation = a.collation != 0 ? a.collation : b.collation;
    a.is_cast |= b.is_cast;
    a.scale = a.scale > b.scale ? a.scale : b.scale;
    a.digits = a.digits == 0 || b.digits == 0 ? 0 : a.digits > b.digits ? a.digits : b.digits;
    return a;
}

/*
 * SECURITY: CURRENT_DATE and kin have a type of their own, and a column that becomes it may fail to; so may
 * the literal that a hidden row picks, CASE WHEN id = 7 THEN 1e400 END = rate. Attack: tests/unit/rewrite,
 * computed_values.
 */
static gh_operand one_of(gh_judge *j, const List *values)
{
    gh_operand o = s_none;
    ListCell *cell;

    foreach (cell, values) {
        gh_operand v = gh_value(j, lfirst(cell));

        if (v.class == GH_CLASS_NONE || IsA(lfirst(cell), SQLValueFunction))
            return s_none;
        o = foreach_current_index(cell) == 0 ? v : combine(o, v);
        if (o.class == GH_CLASS_NONE)
            return s_none;
    }
    return gh_operand_settled(j, o);
}

static gh_operand case_value(gh_judge *j, const CaseExpr *c)
{
    gh_operand tested = c->arg != NULL ? gh_value(j, (const Node *)c->arg) : s_none;
    List *results = NIL;
    ListCell *cell;

    foreach (cell, c->args) {
        const CaseWhen *w = lfirst_node(CaseWhen, cell);

        if (c->arg != NULL ? !gh_operand_are_comparable(tested, gh_value(j, (const Node *)w->expr))
                           : !gh_judge_is_safe(j, (const Node *)w->expr))
            return s_none;
        results = lappend(results, w->result);
    }
    if (c->defresult != NULL)
        results = lappend(results, c->defresult);
    return one_of(j, results);
}

/* ---- functions ------------------------------------------------------------------------------- */

/* A field that every date and timestamp has, infinite ones as well; named, not quoted, which might be a
 * template's slot. */
static bool is_field(const gh_judge *j, const Node *n)
{
    static const char *const fields[] = { "year",   "month",   "day",     "quarter",
                                          "decade", "dow",     "isodow",  "doy",
                                          "week",   "isoyear", "century", "millennium" };

    size_t token = gh_operand_is_string(n)
                       ? gh_sql_token_at(j->text, ((const A_Const *)n)->location)
                       : SIZE_MAX;

    return token != SIZE_MAX && j->text->tokens[token].kind != GH_TOKEN_STRING &&
           is_one_of(strVal(&((const A_Const *)n)->val), fields, GH_COUNT(fields));
}

/* Before PostgreSQL 14 a date became a timestamp for it, of which there are fewer. */
static gh_operand extract(gh_judge *j, const List *args)
{
    gh_operand of;

    if (list_length(args) != 2 || !is_field(j, linitial(args)) ||
        gh_catalog_server_version(j->in->catalog) < 140000)
        return s_none;
    of = gh_value(j, lsecond(args));
    return (of.class == GH_CLASS_TIME_POINT &&
            (of.type == GH_OID_DATE || of.type == GH_OID_TIMESTAMP)) ||
                   gh_time_is_near(j, lsecond(args))
               ? numeric(10, 0)
               : s_none;
}

/* Of nine digits: the sum of two is an integer still, which PostgreSQL 13 before 13.2 wants of them. */
static bool is_length(const gh_judge *j, const Node *n)
{
    return gh_operand_is_unsigned(j, n) && intVal(&((const A_Const *)n)->val) <= 999999999;
}

static gh_operand substring(gh_judge *j, const List *args)
{
    gh_operand of;

    if (list_length(args) < 2 || list_length(args) > 3 || !is_length(j, lsecond(args)) ||
        (list_length(args) == 3 && !is_length(j, lthird(args))))
        return s_none;
    of = gh_value(j, linitial(args));
    if (of.class != GH_CLASS_TEXT)
        return s_none;
    of.type = GH_OID_TEXT;
    of.is_cast = gh_catalog_is_cast_by_code(j->in->catalog, GH_OID_TEXT);
    return of;
}

/* A number's neighbour: floor(x), round(x). */
static gh_operand rounded(gh_judge *j, const List *args)
{
    gh_operand of = list_length(args) == 1 ? gh_value(j, linitial(args)) : s_none;

    return of.class == GH_CLASS_NUMERIC && of.digits != 0 ? numeric(of.digits + 1u, of.scale)
                                                          : s_none;
}

static gh_operand function_value(gh_judge *j, const FuncCall *f)
{
    static const char *const roundings[] = { "abs", "ceil", "ceiling", "floor", "round", "trunc" };
    const char *name = gh_value_plain_name(f);

    if (name == NULL || f->agg_filter != NULL || f->agg_distinct || f->agg_star || f->over != NULL)
        return s_none;
    if (strcmp(name, "extract") == 0)
        return extract(j, f->args);
    if (strcmp(name, "substring") == 0 || strcmp(name, "substr") == 0)
        return substring(j, f->args);
    if (is_one_of(name, roundings, GH_COUNT(roundings)))
        return rounded(j, f->args);
    /* SECURITY: not of a parameter, which may be longer than the memory that it takes. */
    if ((strcmp(name, "lower") == 0 || strcmp(name, "upper") == 0) && list_length(f->args) == 1 &&
        gh_operand_is_string(linitial(f->args)))
        return gh_operand_of_type(j, GH_OID_TEXT, -1, 0);
    /* it looks at a schema's name, and is false of a number that is none's */
    if (strcmp(name, "pg_is_other_temp_schema") == 0)
        return list_length(f->args) == 1 && gh_value(j, linitial(f->args)).class == GH_CLASS_OID
                   ? gh_operand_of_type(j, GH_OID_BOOL, -1, 0)
                   : s_none;
    if (list_length(f->args) == 1 &&
        (strcmp(name, "length") == 0 || strcmp(name, "char_length") == 0)) {
        gh_operand of = gh_value(j, linitial(f->args));

        if (of.class == GH_CLASS_TEXT)
            return gh_operand_of_type(j, GH_OID_INT4, -1, 0);
    }
    return s_none;
}

/* ---- aggregates and windows ------------------------------------------------------------------ */

static gh_operand sum_of(const gh_judge *j, gh_operand o)
{
    if (o.class == GH_CLASS_INTEGER) /* of smaller ones PostgreSQL does not look for an overflow */
        return o.type == GH_OID_INT8 ? numeric(o.digits + SUM_DIGITS, 0)
                                     : gh_operand_of_type(j, GH_OID_INT8, -1, 0);
    return o.class == GH_CLASS_NUMERIC && o.digits != 0 ? numeric(o.digits + SUM_DIGITS, o.scale)
                                                        : s_none;
}

static gh_operand average_of(gh_operand o)
{
    return (o.class == GH_CLASS_INTEGER || o.class == GH_CLASS_NUMERIC) && o.digits != 0
               ? numeric(o.digits, QUOTIENT_SCALE)
               : s_none;
}

static gh_operand aggregate_value(gh_judge *j, const FuncCall *f)
{
    static const char *const names[] = { "count", "sum", "avg", "min", "max" };
    const char *name = gh_value_plain_name(f);
    gh_operand of;

    if (name == NULL || !is_one_of(name, names, GH_COUNT(names)) ||
        !gh_judge_is_safe(j, f->agg_filter))
        return s_none;
    if (f->agg_star)
        return gh_operand_of_type(j, GH_OID_INT8, -1, 0);
    of = list_length(f->args) == 1 ? gh_value(j, linitial(f->args)) : s_none;
    if (of.class == GH_CLASS_NONE || of.class == GH_CLASS_PARAM || of.class == GH_CLASS_CONST)
        return s_none;
    if (strcmp(name, "count") == 0)
        return gh_operand_of_type(j, GH_OID_INT8, -1, 0);
    if (strcmp(name, "sum") == 0)
        return sum_of(j, of);
    if (strcmp(name, "avg") == 0)
        return average_of(of);
    return of;
}

static bool are_values(gh_judge *j, const List *list)
{
    ListCell *cell;

    foreach (cell, list) {
        const Node *n = lfirst(cell);

        if (gh_value(j, IsA(n, SortBy) ? ((const SortBy *)n)->node : n).class == GH_CLASS_NONE)
            return false;
    }
    return true;
}

/* Which place a row has among the others. */
static gh_operand window_value(gh_judge *j, const FuncCall *f)
{
    static const char *const names[] = { "row_number", "rank", "dense_rank" };
    const char *name = gh_value_plain_name(f);
    const WindowDef *w = f->over;

    return name != NULL && f->args == NIL && f->agg_filter == NULL &&
                   is_one_of(name, names, GH_COUNT(names)) && w->name == NULL &&
                   w->refname == NULL && w->startOffset == NULL && w->endOffset == NULL &&
                   are_values(j, w->partitionClause) && are_values(j, w->orderClause)
               ? gh_operand_of_type(j, GH_OID_INT8, -1, 0)
               : s_none;
}

/* ---- casts ----------------------------------------------------------------------------------- */

/* A cast to a wider type, or to text's kin. */
static gh_operand cast_value(gh_judge *j, const TypeCast *c)
{
    gh_operand o = gh_operand_constant(j, (const Node *)c);
    gh_oid type = gh_operand_cast_type(j, c);
    gh_operand of;

    if (o.class != GH_CLASS_NONE || c->typeName->typmods != NIL || type == 0)
        return o;
    of = gh_value(j, c->arg);
    if (of.type == type && of.class != GH_CLASS_ENUM)
        return of;
    if (of.class == GH_CLASS_TEXT && (type == GH_OID_TEXT || type == GH_OID_VARCHAR) &&
        !gh_catalog_is_sorted_by_code(j->in->catalog, type)) {
        of.type = type;
        of.is_cast = gh_catalog_is_cast_by_code(j->in->catalog, type);
        return of;
    }
    if (of.class == GH_CLASS_INTEGER && type == GH_OID_NUMERIC)
        return numeric(of.digits, 0);
    if ((of.class == GH_CLASS_INTEGER && type == GH_OID_INT8) ||
        (of.type == GH_OID_INT2 && type == GH_OID_INT4) ||
        (of.class == GH_CLASS_INTEGER && type == GH_OID_FLOAT8) ||
        (of.type == GH_OID_TIMESTAMP && type == GH_OID_DATE))
        return gh_operand_of_type(j, type, -1, 0);
    return s_none;
}

/* ---- all together ---------------------------------------------------------------------------- */

static gh_operand call_value(gh_judge *j, const FuncCall *f)
{
    gh_operand o;

    if (f->over != NULL)
        return window_value(j, f);
    o = function_value(j, f);
    return o.class != GH_CLASS_NONE ? o : aggregate_value(j, f);
}

static gh_operand value_of_row(gh_judge *j, const Node *n)
{
    switch (nodeTag(n)) {
    case T_ColumnRef:
        return gh_operand_column(j, (const ColumnRef *)n);
    case T_A_Expr:
        return operation(j, (const A_Expr *)n);
    case T_TypeCast:
        return cast_value(j, (const TypeCast *)n);
    case T_CoalesceExpr:
        return one_of(j, ((const CoalesceExpr *)n)->args);
    case T_MinMaxExpr:
        return one_of(j, ((const MinMaxExpr *)n)->args);
    case T_CaseExpr:
        return case_value(j, (const CaseExpr *)n);
    case T_FuncCall:
        return call_value(j, (const FuncCall *)n);
    case T_SubLink:
        return gh_query_value(j, (const SubLink *)n);
    default:
        return gh_operand_constant(j, n);
    }
}

gh_operand gh_value(gh_judge *j, const Node *n)
{
    gh_operand o;

    if (n == NULL || gh_judge_is_spent(j))
        return s_none;
    o = value_of_row(j, n);
    return o.class != GH_CLASS_NONE ? o : gh_time_value(j, n);
}
