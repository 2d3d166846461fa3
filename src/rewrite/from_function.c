/*
 * from_function.c: functions in FROM.
 */
#include "operand.h"
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

/* The type of generate_series(): none of the arguments is wider. */
static gh_operand number_of(gh_judge *j, const List *args)
{
    gh_oid type = GH_OID_INT4;
    ListCell *cell;

    foreach (cell, args) {
        gh_operand o = gh_value(j, lfirst(cell));

        if ((o.class != GH_CLASS_INTEGER && o.class != GH_CLASS_CONST) ||
            (o.type != GH_OID_INT2 && o.type != GH_OID_INT4 && o.type != GH_OID_INT8))
            return (gh_operand){ .class = GH_CLASS_NONE };
        if (o.type == GH_OID_INT8)
            type = GH_OID_INT8;
    }
    return gh_operand_of_type(j, type, -1, 0);
}

/* What the call gives in its column `index`. */
static gh_operand column_of(gh_judge *j, const FuncCall *call, int index)
{
    const char *name = strVal(llast(call->funcname));

    if (strcmp(name, "unnest") == 0)
        return gh_operand_elements(j, list_nth(call->args, index));
    if (strcmp(name, "generate_series") == 0)
        return number_of(j, call->args);
    return strcmp(name, "generate_subscripts") == 0 ? gh_operand_of_type(j, GH_OID_INT4, -1, 0)
                                                    : (gh_operand){ .class = GH_CLASS_NONE };
}

/* PostgreSQL takes unnest() apart by its name alone where it has several arguments, so there it stands without a schema. */
static bool is_own(const FuncCall *call)
{
    int parts = list_length(call->funcname);

    return parts == 1 ? list_length(call->args) > 1 &&
                            strcmp(strVal(linitial(call->funcname)), "unnest") == 0
                      : strcmp(strVal(linitial(call->funcname)), "pg_catalog") == 0;
}

/*
 * The columns of unnest(), generate_series() and generate_subscripts(), where they are certain: a condition on them may be
 * one that fails for none.
 *
 *     unnest(c.conkey, c.confkey) WITH ORDINALITY AS k (col, ref, n)      two int2 and a bigint
 *
 * SECURITY: rows of other relations pass through the arguments, so a condition that may fail is taken to be on any of them,
 * which is what reads_outer says. Attack: tests/attack early-predicates.
 */
static const gh_query *columns_of(gh_judge *j, const RangeFunction *f)
{
    const FuncCall *call = linitial((List *)linitial(f->functions));
    List *names = f->alias != NULL ? f->alias->colnames : NIL;
    gh_output *outputs;
    gh_query *q;
    int count;
    int calls;

    if (f->alias == NULL || f->is_rowsfrom || f->coldeflist != NIL ||
        list_length(f->functions) != 1 || call == NULL || !IsA(call, FuncCall) || !is_own(call) ||
        call->func_variadic || call->args == NIL)
        return NULL;
    calls = strcmp(strVal(llast(call->funcname)), "unnest") == 0 ? list_length(call->args) : 1;
    count = calls + f->ordinality;
    if (names == NIL && count == 1)
        names = list_make1(makeString(f->alias->aliasname));
    if (list_length(names) != count)
        return NULL;
    outputs = palloc0((size_t)count * sizeof(*outputs));
    for (int i = 0; i < count; i++) {
        gh_operand o =
            i < calls ? column_of(j, call, i) : gh_operand_of_type(j, GH_OID_INT8, -1, 0);

        if (o.class == GH_CLASS_NONE || o.class == GH_CLASS_CONST || o.class == GH_CLASS_PARAM)
            return NULL;
        outputs[i] = (gh_output){ strVal(list_nth(names, i)), o };
    }
    q = palloc0(sizeof(*q));
    q->outputs = outputs;
    q->output_count = count;
    q->is_complete = true;
    q->reads_outer = true;
    return q;
}

void gh_judge_range_function(gh_judge *j, RangeFunction *f)
{
    const gh_query *result;
    gh_item *item;
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
    result = j->rc == GH_OK ? columns_of(j, f) : NULL; /* before the item is one that it may name */
    item = gh_judge_add_item(j, f->alias);
    item->function = f;
    item->result = result;
}
