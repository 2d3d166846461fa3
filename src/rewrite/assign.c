/*
 * What PostgreSQL casts by itself when a value is stored in a column: it takes casts that somebody made AS IMPLICIT or AS
 * ASSIGNMENT, whose functions must be allowed as if they were called.
 *
 *     UPDATE t SET n = 5             int4 into int4: no cast
 *     UPDATE t SET n = box           lib.boxed into int4: the function of that cast
 *     INSERT INTO t (n) VALUES ('5') int4 reads the text
 *
 * COPY casts nothing: each column's type reads the client's text.
 */
#include "infer.h"
#include "write.h"

static const gh_column *column_at(const gh_item *target, const List *columns, int place)
{
    if (place < list_length(columns))
        return gh_relation_column(target->relation,
                                  gh_str_of(list_nth_node(ResTarget, columns, place)->name));
    return columns == NIL && place < target->relation->column_count
               ? &target->relation->columns[place]
               : NULL;
}

static void refuse(gh_judge *j, const gh_item *target, int location)
{
    gh_judge_refuse(j, GH_DENIED, "42501", location, "permission denied for table %s",
                    target->var->relname);
}

/* Of (a, b) = (...) the one value, or what the sub-select gives. */
static bool may_assign_one_of(gh_judge *j, const MultiAssignRef *m, gh_oid type)
{
    const Node *source = m->source;
    gh_oid given;

    if (IsA(source, RowExpr) && list_length(((const RowExpr *)source)->args) == m->ncolumns)
        return gh_cast_may_assign_value(j, list_nth(((const RowExpr *)source)->args, m->colno - 1),
                                        type);
    if (!IsA(source, SubLink))
        return gh_cast_may_assign(j, type);
    given = gh_infer_output(j, ((const SubLink *)source)->subselect, m->colno - 1);
    return gh_cast_may_assign_from(j, gh_infer_settled(given), type);
}

void gh_assign_set(gh_judge *j, const gh_item *target, const List *sets)
{
    ListCell *cell;

    foreach (cell, sets) {
        const ResTarget *t = lfirst_node(ResTarget, cell);
        const gh_column *c = gh_relation_column(target->relation, gh_str_of(t->name));
        bool is_allowed;

        if (j->rc != GH_OK)
            return;
        if (c == NULL)
            is_allowed = false;
        else if (t->indirection != NIL) /* a part, of another type */
            is_allowed = gh_cast_may_assign(j, c->type_oid);
        else if (IsA(t->val, MultiAssignRef))
            is_allowed = may_assign_one_of(j, (const MultiAssignRef *)t->val, c->type_oid);
        else
            is_allowed = gh_cast_may_assign_value(j, t->val, c->type_oid);
        if (!is_allowed)
            refuse(j, target, t->location);
    }
}

/* One value for the column; in a list of columns it may be for a part of it, which is of another type. */
static bool may_assign(gh_judge *j, const List *columns, int place, const Node *value, gh_oid type)
{
    if (place < list_length(columns) &&
        list_nth_node(ResTarget, columns, place)->indirection != NIL)
        return false;
    return gh_cast_may_assign_value(j, value, type);
}

void gh_assign_rows(gh_judge *j, const gh_item *target, const List *columns, const List *rows)
{
    const gh_column *c;
    ListCell *cell;

    for (int i = 0; (c = column_at(target, columns, i)) != NULL && j->rc == GH_OK; i++) {
        if (gh_cast_may_assign(j, c->type_oid))
            continue;
        foreach (cell, rows) {
            const List *row = lfirst(cell);

            if (i < list_length(row) && !may_assign(j, columns, i, list_nth(row, i), c->type_oid)) {
                refuse(j, target, exprLocation(list_nth(row, i)));
                return;
            }
        }
    }
}

/* Of what it compares or has several of, PostgreSQL makes a literal a text; so it does of any in VALUES that are sorted or cut. */
static bool is_settled(const SelectStmt *s)
{
    bool is_plain_values = s->limitCount == NULL && s->limitOffset == NULL &&
                           s->lockingClause == NIL && s->withClause == NULL;

    return s->op != SETOP_NONE || s->distinctClause != NIL || s->groupClause != NIL ||
           s->sortClause != NIL || (s->valuesLists != NIL && !is_plain_values);
}

/* What a query gives at a place, where that is a literal or a parameter. */
static const Node *literal_at(const SelectStmt *s, int place)
{
    const Node *value;

    if (is_settled(s) || place >= list_length(s->targetList))
        return NULL;
    value = list_nth_node(ResTarget, s->targetList, place)->val;
    return IsA(value, A_Const) || IsA(value, ParamRef) ? value : NULL;
}

void gh_assign_query(gh_judge *j, const gh_item *target, const List *columns, const SelectStmt *s)
{
    const gh_column *c;

    if (s->valuesLists != NIL && !is_settled(s)) {
        gh_assign_rows(j, target, columns, s->valuesLists);
        return;
    }
    for (int i = 0; (c = column_at(target, columns, i)) != NULL && j->rc == GH_OK; i++) {
        const Node *value = literal_at(s, i);
        gh_oid type;

        if (gh_cast_may_assign(j, c->type_oid) ||
            (value != NULL && gh_cast_may_assign_value(j, value, c->type_oid)))
            continue;
        type = gh_infer_output(j, (const Node *)s, i);
        if (is_settled(s))
            type = gh_infer_settled(type);
        if (!gh_cast_may_assign_from(j, type, c->type_oid))
            refuse(j, target, -1);
    }
}
