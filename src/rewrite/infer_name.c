/*
 * What an output column is called that has no name of its own. Source: PostgreSQL 15, src/backend/parser/parse_target.c
 * (FigureColnameInternal).
 */
#include "infer.h"

#define NO_NAME "?column?"

/* A name, and whether it yields to that of a type. */
typedef struct gh_output_name {
    const char *text; /* NULL: not known, or a star */
    bool is_weak;
} gh_output_name;

static gh_output_name name_of(const Node *n, int depth);

static gh_output_name strong(const char *text)
{
    return (gh_output_name){ text, false };
}

/* The last field; the brackets of an array count for nothing. */
static gh_output_name name_of_part(const A_Indirection *a, int depth)
{
    const char *name = NULL;
    ListCell *cell;

    foreach (cell, a->indirection) {
        if (IsA(lfirst(cell), A_Star))
            return strong(NULL);
        if (IsA(lfirst(cell), String))
            name = strVal(lfirst(cell));
    }
    return name != NULL ? strong(name) : name_of(a->arg, depth);
}

static gh_output_name name_of_sublink(const SubLink *s, int depth)
{
    const SelectStmt *q = (const SelectStmt *)s->subselect;
    const ResTarget *t;

    if (s->subLinkType == EXISTS_SUBLINK)
        return strong("exists");
    if (s->subLinkType == ARRAY_SUBLINK)
        return strong("array");
    if (s->subLinkType != EXPR_SUBLINK || !IsA(q, SelectStmt) || list_length(q->targetList) != 1)
        return strong(NULL);
    t = linitial_node(ResTarget, q->targetList);
    return t->name != NULL ? strong(t->name) : name_of((const Node *)t->val, depth);
}

/* What yields to a name of ours, unless it is strong itself. */
static gh_output_name or_weak(gh_output_name inside, const char *own)
{
    return inside.is_weak ? (gh_output_name){ own, true } : inside;
}

static gh_output_name name_of(const Node *n, int depth)
{
    if (++depth > GH_SQL_DEPTH_MAX)
        return strong(NULL);
    if (n == NULL)
        return (gh_output_name){ NO_NAME, true };
    switch (nodeTag(n)) {
    case T_ColumnRef:
        n = llast(((const ColumnRef *)n)->fields);
        return strong(IsA(n, String) ? strVal(n) : NULL);
    case T_A_Indirection:
        return name_of_part((const A_Indirection *)n, depth);
    case T_FuncCall:
        return strong(strVal(llast(((const FuncCall *)n)->funcname)));
    case T_TypeCast:
        return or_weak(name_of(((const TypeCast *)n)->arg, depth),
                       strVal(llast(((const TypeCast *)n)->typeName->names)));
    case T_CollateClause:
        return name_of((const Node *)((const CollateClause *)n)->arg, depth);
    case T_SubLink:
        return name_of_sublink((const SubLink *)n, depth);
    case T_CaseExpr:
        return or_weak(name_of((const Node *)((const CaseExpr *)n)->defresult, depth), "case");
    case T_CoalesceExpr:
        return strong("coalesce");
    case T_MinMaxExpr:
        return strong(((const MinMaxExpr *)n)->op == IS_GREATEST ? "greatest" : "least");
    case T_A_ArrayExpr:
        return strong("array");
    case T_RowExpr:
        return strong("row");
    case T_GroupingFunc:
        return strong("grouping");
    case T_A_Expr:
        if (((const A_Expr *)n)->kind == AEXPR_NULLIF)
            return strong("nullif");
        return (gh_output_name){ NO_NAME, true };
    case T_A_Const:
    case T_ParamRef:
    case T_BoolExpr:
    case T_NullTest:
    case T_BooleanTest:
        return (gh_output_name){ NO_NAME, true };
    default:
        return strong(NULL);
    }
}

const char *gh_infer_output_name(const ResTarget *t)
{
    return t->name != NULL ? t->name : name_of((const Node *)t->val, 0).text;
}
