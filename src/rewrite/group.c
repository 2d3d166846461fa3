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

/*
 * SECURITY: which columns the GROUP BY names is noted once. To look through it anew for each column of each relation
 * took a minute for 8 KiB of text. Attack: tests/attack/states, test_group_by_of_many_relations.
 */
static void note_key(gh_judge *j, const SelectStmt *s, const ColumnRef *ref)
{
    gh_item *item = NULL;
    const gh_column *c = gh_judge_bind(j, ref, &item);

    if (c == NULL && list_length(ref->fields) == 1 && list_length(s->fromClause) == 1 &&
        IsA(linitial(ref->fields), String)) {
        item = merged_item(j, linitial(s->fromClause), strVal(linitial(ref->fields)));
        if (item != NULL && item->relation != NULL && !item->is_renamed)
            c = gh_relation_column(item->relation, gh_str_of(strVal(linitial(ref->fields))));
    }
    if (c == NULL)
        return;
    if (item->is_grouped == NULL)
        item->is_grouped = palloc0((size_t)item->relation->column_count + 1);
    item->is_grouped[c - item->relation->columns] = true;
}

static bool has_grouped_key(const gh_item *item)
{
    const gh_relation *r = item->relation;

    for (uint16_t i = 0; i < r->primary_key_len; i++) {
        size_t column = column_index(r, r->primary_key[i]);

        if (column == SIZE_MAX || !is_clear(item, column) || !item->is_grouped[column])
            return false;
    }
    return r->primary_key_len != 0;
}

/* Adds the item's other columns that the query names, and their text. */
static void add_columns(gh_judge *j, SelectStmt *s, const gh_item *item, gh_buf *text)
{
    for (size_t i = 0; i < item->relation->column_count; i++) {
        ColumnRef *ref;

        if (!(item->is_used[i] || item->has_star) ||
            (item->decision->columns[i].show == GH_HIDDEN && !item->keeps_hidden) ||
            item->is_grouped[i])
            continue;
        ref = makeNode(ColumnRef);
        ref->fields = list_make2(makeString(pstrdup(item->alias)),
                                 makeString(gh_judge_cstr(item->relation->columns[i].name)));
        ref->location = -1;
        s->groupClause = lappend(s->groupClause, ref);
        gh_buf_printf(text, ", %s.%s", gh_judge_ident(j, gh_str_of(item->alias)),
                      gh_judge_ident(j, item->relation->columns[i].name));
    }
}

void gh_judge_group(gh_judge *j, SelectStmt *s)
{
    const Node *first = s->groupClause == NIL ? NULL : linitial(s->groupClause);
    gh_buf text;
    size_t start;
    ListCell *cell;

    if (j->rc != GH_OK || first == NULL || !IsA(first, ColumnRef))
        return;
    start = gh_judge_token(j, ((const ColumnRef *)first)->location);
    foreach (cell, s->groupClause) {
        if (!IsA(lfirst(cell), ColumnRef))
            return; /* grouping sets, expressions, positions */
    }
    foreach (cell, s->groupClause)
        note_key(j, s, lfirst(cell));
    gh_buf_init(&text, GH_SQL_BYTES_MAX);
    foreach (cell, j->block->items) {
        const gh_item *item = lfirst(cell);

        if (item->is_grouped != NULL && item->decision != NULL && !item->is_renamed &&
            item->alias != NULL && !gh_relation_stands(item) && has_grouped_key(item))
            add_columns(j, s, item, &text);
    }
    if (text.failed) {
        gh_judge_refuse(j, GH_LIMIT, "54000", -1, "statement needs too much memory");
    } else if (gh_buf_str(&text).len != 0 && start != SIZE_MAX) {
        size_t end = gh_judge_clause_end(j, start);

        gh_judge_edit(j, end, end, gh_judge_cstr(gh_buf_str(&text)));
    }
    gh_buf_fini(&text);
}
