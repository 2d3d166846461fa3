/*
 * Which parts of a policy's expression are instants (timestamp with time zone), timestamps or days, before anything of it is
 * written in another way: policy_time.c.
 */
#include "infer.h"
#include "policy_expr.h"

static gh_time_kind kind_of_type(gh_oid type)
{
    switch (type) {
    case GH_OID_TIMESTAMPTZ:
        return GH_TIME_INSTANT;
    case GH_OID_TIMESTAMP:
        return GH_TIME_STAMP;
    case GH_OID_DATE:
        return GH_TIME_DAY;
    default:
        return GH_TIME_NONE;
    }
}

const char *gh_policy_own_name(const List *names)
{
    if (list_length(names) == 2 && strcmp(strVal(linitial(names)), "pg_catalog") != 0)
        return "";
    return list_length(names) <= 2 && names != NIL ? strVal(llast(names)) : "";
}

static bool is_word(const char *s, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(s, words[i]) == 0)
            return true;
    }
    return false;
}

/* Functions that make an instant out of other things. */
bool gh_policy_makes_instant(const FuncCall *f)
{
    static const char *const names[] = {
        "now",          "transaction_timestamp", "statement_timestamp", "clock_timestamp",
        "to_timestamp", "make_timestamptz"
    };

    return is_word(gh_policy_own_name(f->funcname), names, GH_COUNT(names));
}

bool gh_policy_is_timezone(const FuncCall *f)
{
    return strcmp(gh_policy_own_name(f->funcname), "timezone") == 0 && list_length(f->args) == 2;
}

/* date_trunc('day', at, 'Europe/Berlin') */
bool gh_policy_cuts_in_a_zone(const FuncCall *f)
{
    return strcmp(gh_policy_own_name(f->funcname), "date_trunc") == 0 && list_length(f->args) == 3;
}

static gh_time_kind kind_of_call(gh_policy_scope *p, const FuncCall *f)
{
    static const char *const same[] = { "date_trunc", "date_bin", "max", "min" };
    const char *name = gh_policy_own_name(f->funcname);
    ListCell *cell;

    if (gh_policy_makes_instant(f) || gh_policy_cuts_in_a_zone(f))
        return GH_TIME_INSTANT;
    if (gh_policy_is_timezone(f)) /* a literal is an instant there */
        return gh_policy_time_kind(p, lsecond(f->args)) == GH_TIME_INSTANT ||
                       gh_policy_literal(lsecond(f->args)) != NULL
                   ? GH_TIME_STAMP
                   : GH_TIME_INSTANT;
    if (!is_word(name, same, GH_COUNT(same)))
        return kind_of_type(gh_policy_type(p, (const Node *)f));
    foreach (cell, f->args) {
        gh_time_kind kind = gh_policy_time_kind(p, lfirst(cell));

        if (kind != GH_TIME_NONE)
            return kind == GH_TIME_DAY && name[0] == 'd' ? GH_TIME_INSTANT : kind;
    }
    return GH_TIME_NONE;
}

/* lower(valid), or a function of the warehouse's: an instant, like a column. */
bool gh_policy_gives_instant(gh_policy_scope *p, const FuncCall *f)
{
    static const char *const others[] = { "timezone", "date_trunc", "date_bin", "max", "min" };

    return !gh_policy_makes_instant(f) && !gh_policy_cuts_in_a_zone(f) &&
           !is_word(gh_policy_own_name(f->funcname), others, GH_COUNT(others)) &&
           kind_of_type(gh_policy_type(p, (const Node *)f)) == GH_TIME_INSTANT;
}

static gh_time_kind kind_of_any(gh_policy_scope *p, const List *list)
{
    ListCell *cell;

    foreach (cell, list) {
        const Node *n = lfirst(cell);
        gh_time_kind kind = gh_policy_time_kind(
            p, IsA(n, CaseWhen) ? (const Node *)((const CaseWhen *)n)->result : n);

        if (kind != GH_TIME_NONE)
            return kind;
    }
    return GH_TIME_NONE;
}

static gh_time_kind kind_of_sum(gh_policy_scope *p, const A_Expr *e)
{
    gh_time_kind left;
    gh_time_kind right;

    if (e->kind == AEXPR_NULLIF)
        return kind_of_any(p, list_make2(e->lexpr, e->rexpr));
    if (e->kind != AEXPR_OP || e->lexpr == NULL ||
        (strcmp(gh_policy_own_name(e->name), "+") != 0 &&
         strcmp(gh_policy_own_name(e->name), "-") != 0))
        return GH_TIME_NONE;
    left = gh_policy_time_kind(p, e->lexpr);
    right = gh_policy_time_kind(p, e->rexpr);
    if (left != GH_TIME_NONE &&
        (right != GH_TIME_NONE ||
         (strcmp(gh_policy_own_name(e->name), "-") == 0 && gh_policy_literal(e->rexpr) != NULL)))
        return GH_TIME_NONE; /* an interval, or days */
    if (right != GH_TIME_NONE)
        left = right;
    return left == GH_TIME_DAY && !IsA(e->rexpr, A_Const) ? GH_TIME_STAMP : left;
}

static gh_time_kind kind_of_query(gh_policy_scope *p, const SubLink *s)
{
    const Node *value;
    gh_time_kind kind;
    List *outer;

    if (s->subLinkType != EXPR_SUBLINK)
        return GH_TIME_NONE;
    value = gh_policy_enter_value(p, s, &outer);
    if (value == NULL)
        return GH_TIME_NONE;
    kind = gh_policy_time_kind(p, value);
    gh_policy_leave(p, outer);
    return kind;
}

static gh_time_kind kind_of_value_function(const SQLValueFunction *f)
{
    if (f->op == SVFOP_CURRENT_TIMESTAMP || f->op == SVFOP_CURRENT_TIMESTAMP_N)
        return GH_TIME_INSTANT;
    if (f->op == SVFOP_LOCALTIMESTAMP || f->op == SVFOP_LOCALTIMESTAMP_N)
        return GH_TIME_STAMP;
    return f->op == SVFOP_CURRENT_DATE ? GH_TIME_DAY : GH_TIME_NONE;
}

gh_time_kind gh_policy_time_kind(gh_policy_scope *p, const Node *n)
{
    if (n == NULL)
        return GH_TIME_NONE;
    switch (nodeTag(n)) {
    case T_ColumnRef:
    case T_TypeCast:
    case T_A_Indirection:
        return kind_of_type(gh_policy_type(p, n));
    case T_FuncCall:
        return kind_of_call(p, (const FuncCall *)n);
    case T_A_Expr:
        return kind_of_sum(p, (const A_Expr *)n);
    case T_SQLValueFunction:
        return kind_of_value_function((const SQLValueFunction *)n);
    case T_CoalesceExpr:
        return kind_of_any(p, ((const CoalesceExpr *)n)->args);
    case T_MinMaxExpr:
        return kind_of_any(p, ((const MinMaxExpr *)n)->args);
    case T_CaseExpr:
        return kind_of_any(
            p, lappend(list_copy(((const CaseExpr *)n)->args), ((const CaseExpr *)n)->defresult));
    case T_SubLink:
        return kind_of_query(p, (const SubLink *)n);
    default:
        return GH_TIME_NONE;
    }
}
