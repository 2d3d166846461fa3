/*
 * Where an operand ends in the text: the tree says where things begin alone.
 */
#include "overload.h"

bool gh_operator_is_word(const gh_judge *j, size_t token, const char *word)
{
    return token < j->text->token_count && strcmp(j->text->tokens[token].text, word) == 0 &&
           (j->text->tokens[token].kind == GH_TOKEN_KEYWORD ||
            j->text->tokens[token].kind == GH_TOKEN_SELF ||
            j->text->tokens[token].kind == GH_TOKEN_OPERATOR);
}

size_t gh_operator_closing(const gh_judge *j, size_t open)
{
    size_t close = gh_sql_token_closing(j->text, open);

    return close == SIZE_MAX ? SIZE_MAX : close + 1;
}

/* After the type of `x::type`, of the names that are one word. */
static size_t type_end(const gh_judge *j, const TypeName *t)
{
    size_t at = t->location < 0 ? SIZE_MAX : gh_sql_token_at(j->text, t->location);

    if (at == SIZE_MAX)
        return SIZE_MAX;
    at += gh_operator_is_word(j, at + 1, ".") ? 3 : 1;
    if (gh_operator_is_word(j, at, "("))
        at = gh_operator_closing(j, at);
    while (at != SIZE_MAX && gh_operator_is_word(j, at, "["))
        at = gh_operator_closing(j, at);
    return at == SIZE_MAX || gh_operator_is_word(j, at, "precision") ||
                   gh_operator_is_word(j, at, "varying") || gh_operator_is_word(j, at, "with") ||
                   gh_operator_is_word(j, at, "without")
               ? SIZE_MAX
               : at;
}

/* After a plain call. Its name may have got a schema since it was parsed. */
static size_t call_end(const gh_judge *j, const FuncCall *f, size_t at)
{
    size_t open = at + (gh_operator_is_word(j, at + 1, ".") ? 3 : 1);

    if (!gh_operator_is_word(j, open, "(") || f->agg_within_group ||
        f->funcformat == COERCE_SQL_SYNTAX)
        return SIZE_MAX;
    open = gh_operator_closing(j, open);
    if (open != SIZE_MAX && f->agg_filter != NULL)
        open = gh_operator_is_word(j, open, "filter") ? gh_operator_closing(j, open + 1) : SIZE_MAX;
    if (open != SIZE_MAX && f->over != NULL) {
        if (!gh_operator_is_word(j, open, "over"))
            return SIZE_MAX;
        open = gh_operator_is_word(j, open + 1, "(") ? gh_operator_closing(j, open + 1) : open + 2;
    }
    return open;
}

/* The token after an operand, brackets around it left out; SIZE_MAX where that is not known. */
size_t gh_operator_operand_end(const gh_judge *j, const Node *n, int depth)
{
    size_t at;

    if (n == NULL || depth > GH_SQL_DEPTH_MAX)
        return SIZE_MAX;
    at = exprLocation(n) < 0 ? SIZE_MAX : gh_sql_token_at(j->text, exprLocation(n));
    switch (nodeTag(n)) {
    case T_A_Const:
        return at == SIZE_MAX ? SIZE_MAX : at + (gh_operator_is_word(j, at, "-") ? 2 : 1);
    case T_ParamRef:
        return at == SIZE_MAX ? SIZE_MAX : at + 1;
    case T_ColumnRef:
        return at == SIZE_MAX ? SIZE_MAX
                              : at + 2 * (size_t)list_length(((const ColumnRef *)n)->fields) - 1;
    case T_FuncCall:
        return at == SIZE_MAX ? SIZE_MAX : call_end(j, (const FuncCall *)n, at);
    case T_SubLink:
        return at == SIZE_MAX || !gh_operator_is_word(j, at, "(") ||
                       ((const SubLink *)n)->subLinkType != EXPR_SUBLINK
                   ? SIZE_MAX
                   : gh_operator_closing(j, at);
    case T_CoalesceExpr:
    case T_MinMaxExpr:
        return at == SIZE_MAX || !gh_operator_is_word(j, at + 1, "(")
                   ? SIZE_MAX
                   : gh_operator_closing(j, at + 1);
    case T_TypeCast:
        at = gh_sql_token_at(j->text, ((const TypeCast *)n)->location);
        return at != SIZE_MAX && gh_operator_is_word(j, at, "::")
                   ? type_end(j, ((const TypeCast *)n)->typeName)
                   : SIZE_MAX;
    case T_A_Expr:
        if (((const A_Expr *)n)->kind != AEXPR_OP)
            return SIZE_MAX;
        at = gh_operator_operand_end(j, ((const A_Expr *)n)->rexpr, depth + 1);
        /* Brackets that open behind the operator and close behind the operand. */
        for (size_t i = gh_sql_token_at(j->text, ((const A_Expr *)n)->location) + 1;
             at != SIZE_MAX && gh_operator_is_word(j, i, "(") &&
             gh_sql_token_closing(j->text, i) >= at;
             i++)
            at = at < gh_operator_closing(j, i) ? gh_operator_closing(j, i) : at;
        return at;
    default:
        return SIZE_MAX;
    }
}
