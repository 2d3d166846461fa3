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

/* Is the column among the plain references of GROUP BY? */
static bool is_grouped(gh_judge *j, const List *group, gh_item *item, size_t column)
{
    ListCell *cell;

    foreach (cell, group) {
        gh_item *found = NULL;
        const gh_column *c;

        if (!IsA(lfirst(cell), ColumnRef))
            continue;
        c = gh_judge_bind(j, lfirst_node(ColumnRef, cell), &found);
        if (c != NULL && found == item && c == &item->relation->columns[column])
            return true;
    }
    return false;
}

static bool has_grouped_key(gh_judge *j, const List *group, gh_item *item)
{
    const gh_relation *r = item->relation;

    for (uint16_t i = 0; i < r->primary_key_len; i++) {
        size_t column = column_index(r, r->primary_key[i]);

        if (column == SIZE_MAX || !is_clear(item, column) || !is_grouped(j, group, item, column))
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

        if (!(item->is_used[i] || item->has_star) || item->decision->columns[i].show == GH_HIDDEN ||
            is_grouped(j, group, item, i))
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
            item->alias != NULL && !item->decision->is_full &&
            has_grouped_key(j, s->groupClause, item))
            text = add_columns(j, s, item, text);
    }
    if (text[0] == '\0' || start == SIZE_MAX)
        return;
    end = gh_judge_clause_end(j, start);
    gh_judge_edit(j, end, end, text);
}
