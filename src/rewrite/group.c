/*
 * GROUP BY a primary key lets a query name every other column of the table: PostgreSQL knows that the key
 * determines them. Of a sub-select it does not know, so the columns that the query names are added to the
 * GROUP BY; since the key is unique among the visible rows, the groups stay the same.
 */
#include "judge.h"

static bool is_clear(const gh_item *item, size_t column)
{
    return item->decision->columns[column].show == GH_CLEAR;
}

static size_t column_index(const gh_relation *r, int16_t attnum)
{
    for (size_t i = 0; i < r->column_count; i++) {
        if (r->columns[i].attnum == attnum)
            return i;
    }
    return SIZE_MAX;
}

static gh_item *item_of(gh_judge *j, const Node *n)
{
    ListCell *cell;

    foreach (cell, j->block->items) {
        gh_item *item = lfirst(cell);

        if (n != NULL && IsA(n, RangeVar) && item->var == (const RangeVar *)n)
            return item;
    }
    return NULL;
}

/* The relation whose column stands for a name that USING merged; NULL where none alone does. */
static gh_item *merged_item(gh_judge *j, const Node *from, const char *name)
{
    const JoinExpr *join = (const JoinExpr *)from;
    gh_item *item;
    ListCell *cell;

    if (from == NULL || !IsA(from, JoinExpr))
        return NULL;
    foreach (cell, join->usingClause) {
        const Node *side = join->jointype == JOIN_RIGHT ? join->rarg : join->larg;

        if (strcmp(strVal(lfirst(cell)), name) != 0)
            continue;
        if (join->jointype == JOIN_FULL)
            return NULL;
        item = item_of(j, side);
        return item != NULL ? item : merged_item(j, side, name);
    }
    item = merged_item(j, join->larg, name);
    return item != NULL ? item : merged_item(j, join->rarg, name);
}

/* Is the column among the plain references of GROUP BY? */
static bool is_grouped(gh_judge *j, const SelectStmt *s, const List *group, gh_item *item,
                       size_t column)
{
    ListCell *cell;

    foreach (cell, group) {
        const ColumnRef *ref = lfirst(cell);
        gh_item *found = NULL;
        const gh_column *c;

        if (!IsA(ref, ColumnRef))
            continue;
        c = gh_judge_bind(j, ref, &found);
        if (c == NULL && list_length(ref->fields) == 1 && list_length(s->fromClause) == 1 &&
            IsA(linitial(ref->fields), String)) {
            found = merged_item(j, linitial(s->fromClause), strVal(linitial(ref->fields)));
            if (found != NULL && found->relation != NULL && !found->is_renamed)
                c = gh_relation_column(found->relation, gh_str_of(strVal(linitial(ref->fields))));
        }
        if (c != NULL && found == item && c == &item->relation->columns[column])
            return true;
    }
    return false;
}

static bool has_grouped_key(gh_judge *j, const SelectStmt *s, gh_item *item)
{
    const gh_relation *r = item->relation;

    for (uint16_t i = 0; i < r->primary_key_len; i++) {
        size_t column = column_index(r, r->primary_key[i]);

        if (column == SIZE_MAX || !is_clear(item, column) ||
            !is_grouped(j, s, s->groupClause, item, column))
            return false;
    }
    return r->primary_key_len != 0;
}

/* Adds the item's other columns that the query names; returns their text. */
static char *add_columns(gh_judge *j, SelectStmt *s, gh_item *item, char *text)
{
    List *group = list_copy(s->groupClause);

    for (size_t i = 0; i < item->relation->column_count; i++) {
        ColumnRef *ref;

        if (!(item->is_used[i] || item->has_star) ||
            (item->decision->columns[i].show == GH_HIDDEN && !item->keeps_hidden) ||
            is_grouped(j, s, group, item, i))
            continue;
        ref = makeNode(ColumnRef);
        ref->fields = list_make2(makeString(pstrdup(item->alias)),
                                 makeString(gh_judge_cstr(item->relation->columns[i].name)));
        ref->location = -1;
        s->groupClause = lappend(s->groupClause, ref);
        text = gh_judge_printf("%s, %s.%s", text, gh_judge_ident(j, gh_str_of(item->alias)),
                               gh_judge_ident(j, item->relation->columns[i].name));
    }
    return text;
}

void gh_judge_group(gh_judge *j, SelectStmt *s)
{
    const Node *first = s->groupClause == NIL ? NULL : linitial(s->groupClause);
    char *text = pstrdup("");
    size_t start;
    size_t end;
    ListCell *cell;

    if (j->rc != GH_OK || first == NULL || !IsA(first, ColumnRef))
        return;
    start = gh_judge_token(j, ((const ColumnRef *)first)->location);
    foreach (cell, s->groupClause) {
        if (!IsA(lfirst(cell), ColumnRef))
            return; /* grouping sets, expressions, positions */
    }
    foreach (cell, j->block->items) {
        gh_item *item = lfirst(cell);

        if (item->relation != NULL && item->decision != NULL && !item->is_renamed &&
            item->alias != NULL && !gh_relation_stands(item) && has_grouped_key(j, s, item))
            text = add_columns(j, s, item, text);
    }
    if (text[0] == '\0' || start == SIZE_MAX)
        return;
    end = gh_judge_clause_end(j, start);
    gh_judge_edit(j, end, end, text);
}
