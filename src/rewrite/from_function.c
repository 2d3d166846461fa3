/*
 * from_function.c: functions in FROM.
 */
#include "row_value.h"

/* "name, version)" */
static List *names_of(const char *columns)
{
    List *names = NIL;

    while (*columns != '\0') {
        size_t len = strcspn(columns, ",)");

        names = lappend(names, makeString(gh_judge_printf("%.*s", (int)len, columns)));
        columns += len;
        columns += strspn(columns, ",) ");
    }
    return names;
}

/*
 * What stands for a call of FROM is no call by that name any more, but it and its columns go by the names.
 *
 *     FROM current_schema()            ─▶   FROM COALESCE((SELECT ...)) AS "current_schema"
 *     FROM pg_available_extensions()   ─▶   FROM unnest(...) AS "pg_available_extensions" (name, ...)
 */
static void keep_function_name(gh_judge *j, RangeFunction *f, const Node *was)
{
    const FuncCall *call = (const FuncCall *)was; /* the alternative: CURRENT_USER and kin */
    bool is_call = IsA(was, FuncCall);
    int location = is_call ? call->location : ((const SQLValueFunction *)was)->location;
    size_t end = gh_judge_token(j, location);
    const char *column = is_call ? strVal(llast(call->funcname)) : NULL;

    if (is_call && end != SIZE_MAX)
        end = gh_sql_token_closing(j->text, end + 2 * (size_t)list_length(call->funcname) - 1);
    if (f->ordinality || f->is_rowsfrom || f->coldeflist != NIL || end == SIZE_MAX) {
        gh_judge_refuse(j, GH_DENIED, "42501", location,
                        "the statement uses a construct that is not allowed");
        return;
    }
    if (column == NULL)
        column = j->text->tokens[end].text;
    gh_judge_edit(j, end + 1, end + 1,
                  gh_judge_printf(" AS %s%s%s", gh_judge_ident(j, gh_str_of(column)),
                                  j->from_columns != NULL ? " (" : "",
                                  j->from_columns != NULL ? j->from_columns : ""));
    f->alias = makeNode(Alias);
    f->alias->aliasname = pstrdup(column);
    if (j->from_columns != NULL)
        f->alias->colnames = names_of(j->from_columns);
}

/* FROM pg_available_extensions() e: what stands for the call has no names for its columns. */
static void name_columns(gh_judge *j, RangeFunction *f, const Node *was)
{
    const FuncCall *call = (const FuncCall *)was;
    List *names = names_of(j->from_columns);
    size_t name = gh_judge_token(j, call->location);
    size_t alias = gh_sql_token_closing(
        j->text, name == SIZE_MAX ? 0 : name + 2 * (size_t)list_length(call->funcname) - 1);

    if (name == SIZE_MAX || alias == SIZE_MAX || f->ordinality || f->is_rowsfrom ||
        f->coldeflist != NIL ||
        (f->alias->colnames != NIL && list_length(f->alias->colnames) != list_length(names))) {
        gh_judge_refuse(j, GH_DENIED, "42501", call->location,
                        "the statement uses a construct that is not allowed");
        return;
    }
    if (f->alias->colnames != NIL)
        return; /* the client's own stand */
    alias++;
    if (strcmp(j->text->tokens[alias].text, "as") == 0 &&
        j->text->tokens[alias].kind == GH_TOKEN_KEYWORD)
        alias++;
    gh_judge_edit(j, alias + 1, alias + 1, gh_judge_printf(" (%s", j->from_columns));
    f->alias->colnames = names;
}

void gh_judge_range_function(gh_judge *j, RangeFunction *f)
{
    ListCell *cell;

    foreach (cell, f->functions) { /* lists of a call and its column definitions */
        List *pair = lfirst(cell);

        if (gh_row_tell_populate(j, f, pair))
            continue;
        if (linitial(pair) != NULL) {
            bool was_from_function = j->is_from_function;
            const Node *was = linitial(pair);

            j->is_from_function = IsA(was, FuncCall) || IsA(was, SQLValueFunction);
            j->from_columns = NULL;
            gh_judge_expr(j, (Node **)&linitial(pair));
            j->is_from_function = was_from_function;
            if (j->rc == GH_OK && f->alias == NULL &&
                (j->from_columns != NULL ||
                 (!IsA(was, CoalesceExpr) && IsA(linitial(pair), CoalesceExpr))))
                keep_function_name(j, f, was);
            else if (j->rc == GH_OK && j->from_columns != NULL)
                name_columns(j, f, was);
        }
        if (lsecond(pair) != NULL)
            gh_judge_expr_list(j, (List *)lsecond(pair));
    }
    gh_judge_expr_list(j, f->coldeflist);
    gh_judge_add_item(j, f->alias)->function = f;
}
