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

static gh_span span_of_cast(const gh_policy_scope *p, const TypeCast *c)
{
    const gh_sql_text *text = p->judge.text;
    size_t at = gh_sql_token_at(text, c->location);
    gh_span arg = gh_policy_span(p, c->arg);
    size_t type = gh_sql_token_at(text, c->typeName->location);

    if (arg.end == SIZE_MAX || c->typeName->arrayBounds != NIL)
        return s_nowhere;
    if (at != SIZE_MAX && strcmp(text->tokens[at].text, "::") == 0)
        return arg.end == at ? (gh_span){ arg.first, gh_policy_type_end(p, c->typeName) }
                             : s_nowhere;
    if (at != SIZE_MAX && strcmp(text->tokens[at].text, "cast") == 0) {
        size_t close = gh_sql_token_closing(text, at + 1);

        return close == SIZE_MAX ? s_nowhere : (gh_span){ at, close + 1 };
    }
    return type != SIZE_MAX && type < arg.first ? (gh_span){ type, arg.end } : s_nowhere;
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

/* ats[1], (pr).at */
static gh_span span_of_part(const gh_policy_scope *p, const A_Indirection *a)
{
    const gh_sql_text *text = p->judge.text;
    gh_span span = gh_policy_span(p, a->arg);
    ListCell *cell;

    if (span.end != SIZE_MAX && span.first > 0 &&
        strcmp(text->tokens[span.first - 1].text, "(") == 0 &&
        gh_sql_token_closing(text, span.first - 1) == span.end)
        span = (gh_span){ span.first - 1, span.end + 1 };
    foreach (cell, a->indirection) {
        bool is_name = IsA(lfirst(cell), String);

        if (span.end >= text->token_count ||
            strcmp(text->tokens[span.end].text, is_name ? "." : "[") != 0)
            return s_nowhere;
        span.end = is_name ? span.end + 2 : gh_sql_token_closing(text, span.end) + 1;
    }
    return span;
}

gh_span gh_policy_span(const gh_policy_scope *p, const Node *n)
{
    size_t at = n == NULL ? SIZE_MAX : gh_sql_token_at(p->judge.text, exprLocation(n));

    if (n != NULL && IsA(n, A_Indirection))
        return span_of_part(p, (const A_Indirection *)n);
    if (at == SIZE_MAX)
        return s_nowhere;
    switch (nodeTag(n)) {
    case T_A_Const:
        return gh_policy_literal(n) != NULL || IsA(&((const A_Const *)n)->val, Integer)
                   ? (gh_span){ at, at + 1 }
                   : s_nowhere;
    case T_ColumnRef:
        return (gh_span){ at, at + 2 * (size_t)list_length(((const ColumnRef *)n)->fields) - 1 };
    case T_SQLValueFunction:
        return strcmp(p->judge.text->tokens[at + 1].text, "(") == 0 ? up_to_closing(p, at, at + 1)
                                                                    : (gh_span){ at, at + 1 };
    case T_FuncCall: {
        const FuncCall *f = (const FuncCall *)n;

        if (f->funcformat == COERCE_SQL_SYNTAX || f->agg_filter != NULL || f->over != NULL ||
            f->agg_within_group)
            return s_nowhere;
        return up_to_closing(p, at, at + 2 * (size_t)list_length(f->funcname) - 1);
    }
    case T_SubLink:
        return up_to_closing(p, at, at);
    case T_TypeCast:
        return gh_policy_whole(p, span_of_cast(p, (const TypeCast *)n));
    case T_A_Expr: {
        const A_Expr *e = (const A_Expr *)n;
        gh_span left = gh_policy_span(p, e->lexpr);
        gh_span right = gh_policy_span(p, e->rexpr);

        if (e->kind != AEXPR_OP || left.end == SIZE_MAX || right.end == SIZE_MAX)
            return s_nowhere;
        return gh_policy_whole(p, (gh_span){ left.first, right.end });
    }
    default:
        return s_nowhere;
    }
}
