/*
 * A row filter or a mask, looked at before it enters the ACL: what is wrong in form is said to its
 * author at once, not to a user by a refused statement. Whether columns and functions exist only a
 * relation can tell.
 */
#include "judge.h"

typedef struct check {
    gh_str text;
} check;

/* The text is put behind SELECT, as policy_expr.c does: it must be one target of it, no more. */
static bool is_one_expression(const gh_sql_text *text)
{
    const SelectStmt *s;
    const ColumnRef *star;

    if (list_length(text->stmts) != 1)
        return false;
    s = (const SelectStmt *)linitial_node(RawStmt, text->stmts)->stmt;
    if (s == NULL || !IsA(s, SelectStmt) || list_length(s->targetList) != 1)
        return false;
    star = (const ColumnRef *)linitial_node(ResTarget, s->targetList)->val;
    if (star == NULL || (IsA(star, ColumnRef) && IsA(llast(star->fields), A_Star)))
        return false;
    return s->fromClause == NIL && s->whereClause == NULL && s->groupClause == NIL &&
           s->havingClause == NULL && s->windowClause == NIL && s->sortClause == NIL &&
           s->limitCount == NULL && s->limitOffset == NULL && s->lockingClause == NIL &&
           s->intoClause == NULL && s->op == SETOP_NONE && s->distinctClause == NIL &&
           s->valuesLists == NIL && linitial_node(ResTarget, s->targetList)->name == NULL;
}

static gh_rc run(void *arg, gh_err *err)
{
    static const char prefix[] = "SELECT ";
    check *c = arg;
    gh_sql_text text;
    gh_rc rc = gh_sql_parse(
        gh_str_of(gh_judge_printf("%s" GH_STR_FMT, prefix, GH_STR_ARG(c->text))), &text, err);

    if (rc != GH_OK) {
        if (err != NULL && err->position > sizeof(prefix) - 1)
            err->position -= (uint32_t)(sizeof(prefix) - 1);
        return rc;
    }
    /* SELECT ALL x is one target, but (ALL x) is no condition. */
    if (!is_one_expression(&text) ||
        (text.tokens[1].kind == GH_TOKEN_KEYWORD && strcmp(text.tokens[1].text, "all") == 0))
        return gh_fail(err, GH_INVALID, "42601", "expected one SQL expression and nothing else");
    return gh_sql_check_tree((Node *)(uintptr_t)linitial_node(RawStmt, text.stmts)->stmt, err);
}

gh_rc gh_rewrite_check_expression(gh_str text, gh_err *err)
{
    check c = { .text = text };
    gh_rc rc = gh_sql_guard(text, err);

    if (rc != GH_OK)
        return rc;
    if (text.len > GH_POLICY_EXPR_MAX)
        return gh_fail(err, GH_LIMIT, "54000", "the expression is longer than %d bytes",
                       GH_POLICY_EXPR_MAX);
    return gh_sql_run(run, &c, err);
}
