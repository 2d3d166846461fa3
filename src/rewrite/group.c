/*
 * GROUP BY a primary key lets a query name every other column of the table: PostgreSQL knows that the key
 * determines them. Of a sub-select it does not know, so the columns that the query names are added to the
 * GROUP BY; since the key is unique among the visible rows, the groups stay the same. Beside grouping sets they
 * become a part of each set; a column that a set names itself is none of them, as it is NULL in the other sets.
 */
#include "fence.h"
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

/* What GROUP BY says of a column. */
struct gh_grouped {
    bool is_named;    /* somewhere */
    bool is_keyed;    /* in every group */
    unsigned clause;  /* of the GROUPING SETS that named it last... */
    unsigned set;     /* ...the set, counted through all... */
    unsigned in_sets; /* ...and how many of them have it */
};

/* The walk through a GROUP BY. */
typedef struct gh_grouping {
    gh_judge *j;
    const SelectStmt *s;
    int star_at;     /* from this target on no position is certain */
    unsigned clause; /* GROUPING SETS so far */
    unsigned set;    /* that the walk is in; 0: none */
    unsigned sets;   /* so far */
} gh_grouping;

/* Where a star stands in the target list, or its end. */
static int star_at(const SelectStmt *s)
{
    ListCell *cell;

    foreach (cell, s->targetList) {
        const Node *v = lfirst_node(ResTarget, cell)->val;

        if (IsA(v, ColumnRef) && IsA(llast(((const ColumnRef *)v)->fields), A_Star))
            return foreach_current_index(cell);
    }
    return list_length(s->targetList);
}

/* The column that a key is, by name or by position; NULL: none, or not for certain. */
static struct gh_grouped *column_of(const gh_grouping *g, const Node *n)
{
    const A_Const *position = (const A_Const *)n;
    const ColumnRef *ref;
    gh_item *item = NULL;
    const gh_column *c;

    if (IsA(n, A_Const) && !position->isnull && IsA(&position->val, Integer)) {
        g->j->reads_literal = true;
        if (intVal(&position->val) >= 1 && intVal(&position->val) <= g->star_at)
            n = list_nth_node(ResTarget, g->s->targetList, intVal(&position->val) - 1)->val;
    }
    if (!IsA(n, ColumnRef))
        return NULL;
    ref = (const ColumnRef *)n;
    c = gh_judge_bind(g->j, ref, &item);
    if (c == NULL && list_length(ref->fields) == 1 && list_length(g->s->fromClause) == 1 &&
        IsA(linitial(ref->fields), String)) {
        item = merged_item(g->j, linitial(g->s->fromClause), strVal(linitial(ref->fields)));
        if (item != NULL && item->relation != NULL && !item->is_renamed)
            c = gh_relation_column(item->relation, gh_str_of(strVal(linitial(ref->fields))));
    }
    if (c == NULL)
        return NULL;
    if (item->grouped == NULL)
        item->grouped =
            palloc0(((size_t)item->relation->column_count + 1) * sizeof(*item->grouped));
    return &item->grouped[c - item->relation->columns];
}

/*
 * SECURITY: which columns the GROUP BY names is noted once. To look through it anew for each column of each relation
 * took a minute for 8 KiB of text. Attack: tests/attack/states, test_group_by_of_many_relations.
 */
static void note_key(const gh_grouping *g, const Node *n)
{
    struct gh_grouped *column = column_of(g, n);

    if (column == NULL)
        return;
    column->is_named = true;
    column->is_keyed = column->is_keyed || g->set == 0;
    if (column->clause != g->clause)
        column->in_sets = 0;
    column->in_sets += column->set != g->set;
    column->clause = g->clause;
    column->set = g->set;
}

/* (a, b) is a and b; ROW(a, b) is a value. */
static bool is_list(const Node *n)
{
    return IsA(n, RowExpr) && ((const RowExpr *)n)->row_format == COERCE_IMPLICIT_CAST;
}

/* What a set names: (a, b), a, or sets of its own. */
static void note_set(const gh_grouping *g, const Node *n)
{
    const List *parts = IsA(n, GroupingSet) ? ((const GroupingSet *)n)->content
                        : is_list(n)        ? ((const RowExpr *)n)->args
                                            : NIL;
    ListCell *cell;

    if (IsA(n, GroupingSet) || is_list(n)) {
        foreach (cell, parts)
            note_set(g, lfirst(cell));
    } else {
        note_key(g, n);
    }
}

/* The keys of a plain set; NIL for one with sets inside, which need not have all that it names. */
static List *keys_of(Node *n)
{
    if (is_list(n))
        return ((RowExpr *)n)->args;
    return IsA(n, GroupingSet) ? NIL : list_make1(n);
}

/* What all sets of GROUPING SETS name is in every group; ROLLUP and CUBE have a set of nothing. */
static void note_grouping_sets(gh_grouping *g, const GroupingSet *sets)
{
    unsigned outer = g->set;
    bool is_plain = sets->kind == GROUPING_SET_SETS;
    ListCell *cell;

    g->clause++;
    foreach (cell, sets->content) {
        g->set = ++g->sets;
        is_plain = is_plain && keys_of(lfirst(cell)) != NIL;
        note_set(g, lfirst(cell));
    }
    g->set = outer;
    if (!is_plain || sets->content == NIL)
        return;
    foreach (cell, keys_of(linitial(sets->content))) {
        struct gh_grouped *column = column_of(g, lfirst(cell));

        if (column != NULL && column->clause == g->clause &&
            column->in_sets == (unsigned)list_length(sets->content))
            column->is_keyed = true;
    }
}

static bool has_grouped_key(const gh_item *item)
{
    const gh_relation *r = item->relation;

    for (uint16_t i = 0; i < r->primary_key_len; i++) {
        size_t column = column_index(r, r->primary_key[i]);

        if (column == SIZE_MAX || !is_clear(item, column) || !item->grouped[column].is_keyed)
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
            item->grouped[i].is_named)
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

/* Where the word BY stands before a key, around which there may be brackets; SIZE_MAX: nowhere. */
static size_t by_before(const gh_judge *j, size_t key)
{
    size_t depth = 0;

    for (size_t i = key; i > j->first; i--) {
        const gh_token *t = &j->text->tokens[i - 1];

        if (t->kind == GH_TOKEN_SELF && (t->text[0] == ')' || t->text[0] == ']'))
            depth++;
        else if (t->kind == GH_TOKEN_SELF && (t->text[0] == '(' || t->text[0] == '['))
            depth -= depth > 0;
        else if (depth == 0 && t->kind == GH_TOKEN_KEYWORD && strcmp(t->text, "by") == 0)
            return i - 1;
    }
    return SIZE_MAX;
}

/* A token of GROUP BY that stands in no brackets of it; SIZE_MAX: none is known. */
static size_t clause_token(gh_judge *j, const List *group)
{
    ListCell *cell;

    foreach (cell, group) {
        const Node *n = lfirst(cell);
        int location = IsA(n, ColumnRef)     ? ((const ColumnRef *)n)->location
                       : IsA(n, A_Const)     ? ((const A_Const *)n)->location
                       : IsA(n, GroupingSet) ? ((const GroupingSet *)n)->location
                                             : -1;

        if (location >= 0)
            return by_before(j, gh_judge_token(j, location));
    }
    return SIZE_MAX;
}

void gh_judge_group(gh_judge *j, SelectStmt *s)
{
    gh_grouping g = { .j = j, .s = s, .star_at = star_at(s) };
    gh_buf text;
    size_t start;
    ListCell *cell;

    if (j->rc != GH_OK || s->groupClause == NIL)
        return;
    start = clause_token(j, s->groupClause);
    if (start == SIZE_MAX)
        return;
    foreach (cell, s->groupClause) {
        if (IsA(lfirst(cell), GroupingSet))
            note_grouping_sets(&g, lfirst(cell));
        else
            note_set(&g, lfirst(cell));
    }
    gh_buf_init(&text, GH_SQL_BYTES_MAX);
    foreach (cell, j->block->items) {
        const gh_item *item = lfirst(cell);

        if (item->grouped != NULL && item->decision != NULL && !item->is_renamed &&
            item->alias != NULL && !gh_relation_stands(item) && has_grouped_key(item))
            add_columns(j, s, item, &text);
    }
    if (text.failed) {
        gh_judge_refuse(j, GH_LIMIT, "54000", -1, "statement needs too much memory");
    } else if (gh_buf_str(&text).len != 0) {
        size_t end = gh_judge_clause_end(j, start);

        gh_judge_edit(j, end, end, gh_judge_cstr(gh_buf_str(&text)));
    }
    gh_buf_fini(&text);
}
