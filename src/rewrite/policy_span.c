/* Where a part of a policy's expression stands in its text. */
#include "policy_expr.h"

static const gh_span s_nowhere = { 0, SIZE_MAX };

size_t gh_policy_type_end(const gh_policy_scope *p, const TypeName *t)
{
    const gh_sql_text *text = p->judge.text;
    size_t i = gh_sql_token_at(text, t->location);

    if (i == SIZE_MAX)
        return SIZE_MAX;
    for (i++; i + 1 < text->token_count && strcmp(text->tokens[i].text, ".") == 0;)
        i += 2;
    if (i < text->token_count && strcmp(text->tokens[i].text, "(") == 0) {
        i = gh_sql_token_closing(text, i);
        if (i == SIZE_MAX)
            return SIZE_MAX;
        i++;
    }
    if (i + 2 < text->token_count && strcmp(text->tokens[i + 1].text, "time") == 0 &&
        strcmp(text->tokens[i + 2].text, "zone") == 0)
        i += 3;
    return i;
}

/* `timestamp '...'` of the grammar ends with the literal; what is in between must be whole. */
gh_span gh_policy_whole(const gh_policy_scope *p, gh_span span)
{
    int depth = 0;

    for (size_t i = span.first; span.end != SIZE_MAX && i < span.end; i++) {
        const gh_token *t = &p->judge.text->tokens[i];

        if (t->kind != GH_TOKEN_SELF || t->text[1] != '\0')
            continue;
        depth += t->text[0] == '(' ? 1 : t->text[0] == ')' ? -1 : 0;
        if (depth < 0)
            return s_nowhere;
    }
    return depth == 0 ? span : s_nowhere;
}

static gh_span up_to_closing(const gh_policy_scope *p, size_t first, size_t open)
{
    size_t close =
        open < p->judge.text->token_count && strcmp(p->judge.text->tokens[open].text, "(") == 0
            ? gh_sql_token_closing(p->judge.text, open)
            : SIZE_MAX;

    return close == SIZE_MAX ? s_nowhere : (gh_span){ first, close + 1 };
}

static bool is_token(const gh_policy_scope *p, size_t i, const char *text)
{
    return i < p->judge.text->token_count && strcmp(p->judge.text->tokens[i].text, text) == 0;
}

/* With the brackets around it. */
static gh_span widened(const gh_policy_scope *p, gh_span span)
{
    return span.end != SIZE_MAX && span.first > 0 && is_token(p, span.first - 1, "(") &&
                   gh_sql_token_closing(p->judge.text, span.first - 1) == span.end
               ? (gh_span){ span.first - 1, span.end + 1 }
               : s_nowhere;
}

static gh_span up_to(const gh_policy_scope *p, gh_span span, size_t end)
{
    while (span.end != SIZE_MAX && span.end != end)
        span = widened(p, span);
    return span;
}

static gh_span from(const gh_policy_scope *p, gh_span span, size_t first)
{
    while (span.end != SIZE_MAX && span.first != first)
        span = widened(p, span);
    return span;
}

static gh_span between(const gh_policy_scope *p, gh_span left, gh_span right)
{
    return left.end == SIZE_MAX || right.end == SIZE_MAX
               ? s_nowhere
               : gh_policy_whole(p, (gh_span){ left.first, right.end });
}

static gh_span span_of_cast(const gh_policy_scope *p, const TypeCast *c)
{
    size_t at = gh_sql_token_at(p->judge.text, c->location);
    gh_span arg = gh_policy_span(p, c->arg);
    size_t type = gh_sql_token_at(p->judge.text, c->typeName->location);

    if (at != SIZE_MAX && is_token(p, at, "cast"))
        return up_to_closing(p, at, at + 1);
    if (c->typeName->arrayBounds != NIL)
        return s_nowhere;
    if (at != SIZE_MAX && is_token(p, at, "::")) {
        arg = up_to(p, arg, at);
        return arg.end == SIZE_MAX ? s_nowhere
                                   : (gh_span){ arg.first, gh_policy_type_end(p, c->typeName) };
    }
    return arg.end != SIZE_MAX && type != SIZE_MAX && type < arg.first
               ? gh_policy_whole(p, (gh_span){ type, arg.end })
               : s_nowhere;
}

/* ats[1], (pr).at */
static gh_span span_of_part(const gh_policy_scope *p, const A_Indirection *a)
{
    gh_span span = gh_policy_span(p, a->arg);
    ListCell *cell;

    foreach (cell, a->indirection) {
        bool is_name = IsA(lfirst(cell), String);

        while (span.end != SIZE_MAX && !is_token(p, span.end, is_name ? "." : "["))
            span = widened(p, span);
        if (span.end == SIZE_MAX)
            return s_nowhere;
        span.end = is_name ? span.end + 2 : gh_sql_token_closing(p->judge.text, span.end) + 1;
    }
    return span;
}

static gh_span span_of_case(const gh_policy_scope *p, size_t at)
{
    int depth = 0;

    for (size_t i = at; i < p->judge.text->token_count; i++) {
        if (is_token(p, i, "(") || is_token(p, i, "["))
            i = gh_sql_token_closing(p->judge.text, i);
        else if (is_token(p, i, "case"))
            depth++;
        else if (is_token(p, i, "end") && --depth == 0)
            return (gh_span){ at, i + 1 };
        if (i == SIZE_MAX)
            break;
    }
    return s_nowhere;
}

static gh_span span_of_call(const gh_policy_scope *p, const FuncCall *f, size_t at)
{
    if (f->agg_filter != NULL || f->over != NULL || f->agg_within_group)
        return s_nowhere;
    if (f->funcformat != COERCE_SQL_SYNTAX)
        return up_to_closing(p, at, at + 2 * (size_t)list_length(f->funcname) - 1);
    if (is_token(p, at, "at") && list_length(f->args) == 2) /* AT TIME ZONE */
        return between(p, up_to(p, gh_policy_span(p, lsecond(f->args)), at),
                       from(p, gh_policy_span(p, linitial(f->args)), at + 3));
    return up_to_closing(p, at, at + 1); /* EXTRACT(year FROM at) */
}

static gh_span span_of_operation(const gh_policy_scope *p, const A_Expr *e, size_t at)
{
    size_t behind = at + 1;

    if (e->kind == AEXPR_NULLIF)
        return up_to_closing(p, at, at + 1);
    if (e->kind != AEXPR_OP || e->lexpr == NULL)
        return s_nowhere;
    if (is_token(p, at, "operator")) {
        behind = gh_sql_token_closing(p->judge.text, at + 1);
        if (behind == SIZE_MAX)
            return s_nowhere;
        behind++;
    }
    return between(p, up_to(p, gh_policy_span(p, e->lexpr), at),
                   from(p, gh_policy_span(p, e->rexpr), behind));
}

/* Not that of what stands before its operator. */
static int own_location(const Node *n)
{
    return IsA(n, A_Expr)     ? ((const A_Expr *)n)->location
           : IsA(n, FuncCall) ? ((const FuncCall *)n)->location
                              : exprLocation(n);
}

gh_span gh_policy_span(const gh_policy_scope *p, const Node *n)
{
    size_t at;

    if (n == NULL)
        return s_nowhere;
    if (IsA(n, A_Indirection))
        return span_of_part(p, (const A_Indirection *)n);
    if (IsA(n, TypeCast))
        return span_of_cast(p, (const TypeCast *)n);
    at = gh_sql_token_at(p->judge.text, own_location(n));
    if (at == SIZE_MAX)
        return s_nowhere;
    switch (nodeTag(n)) {
    case T_A_Const:
        return (gh_span){ at, is_token(p, at, "-") ? at + 2 : at + 1 };
    case T_ColumnRef:
        return (gh_span){ at, at + 2 * (size_t)list_length(((const ColumnRef *)n)->fields) - 1 };
    case T_SQLValueFunction:
        return is_token(p, at + 1, "(") ? up_to_closing(p, at, at + 1) : (gh_span){ at, at + 1 };
    case T_FuncCall:
        return span_of_call(p, (const FuncCall *)n, at);
    case T_SubLink:
        return up_to_closing(p, at, at);
    case T_CoalesceExpr:
    case T_MinMaxExpr:
        return up_to_closing(p, at, at + 1);
    case T_CaseExpr:
        return span_of_case(p, at);
    case T_A_Expr:
        return span_of_operation(p, (const A_Expr *)n, at);
    default:
        return s_nowhere;
    }
}
