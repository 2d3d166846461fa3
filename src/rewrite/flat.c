/*
 * Relations whose row filter stands in WHERE of the query that reads them:
 *
 *     FROM orders o WHERE o.id = 7     becomes     FROM "sales"."orders" "o" WHERE ("o"."region" = 'EU') AND (o.id = 7)
 *
 * PostgreSQL makes just that of the sub-select that relation.c would put there, if that is no fence and gives
 * columns as they are stored; but it takes a fifth of a point query's time for it.
 *
 * SECURITY: nothing stands between the query and what the user may not see, so this is for queries alone that
 * cannot name any of it, now or when somebody adds a column before the catalog tells of it: each name that is
 * looked for in the relation is a column that shows in clear (is_probed), nothing reads the row as a whole, and
 * no word of the text is called like a column that does not show in clear, or like a system column.
 * Attack: tests/attack new_column, places; tests/unit/rewrite "filters_stand_in_where".
 */
#include "judge.h"

/* ---- which relations -------------------------------------------------------------------------- */

/* Do inner joins alone, or the side of an outer one that keeps its rows, lead from WHERE to the relation? */
static bool reaches_where(const Node *from, const RangeVar *var)
{
    const JoinExpr *join = (const JoinExpr *)from;
    bool is_left;
    bool is_right;

    if (from == NULL || !IsA(from, JoinExpr))
        return from == (const Node *)var;
    is_left = join->jointype == JOIN_INNER || join->jointype == JOIN_LEFT;
    is_right = join->jointype == JOIN_INNER || join->jointype == JOIN_RIGHT;
    return (is_left && reaches_where(join->larg, var)) ||
           (is_right && reaches_where(join->rarg, var));
}

static bool is_in_from(const SelectStmt *s, const RangeVar *var)
{
    ListCell *cell;

    foreach (cell, s->fromClause) {
        if (reaches_where(lfirst(cell), var))
            return true;
    }
    return false;
}

/* Is there no bracket open between the word FROM and the token? */
static bool is_outside_brackets(const gh_judge *j, size_t token)
{
    size_t depth = 0;

    for (size_t i = token; i > j->first;) {
        const gh_token *t = &j->text->tokens[--i];

        if (t->kind == GH_TOKEN_SELF && (t->text[0] == ')' || t->text[0] == ']')) {
            depth++;
        } else if (t->kind == GH_TOKEN_SELF && (t->text[0] == '(' || t->text[0] == '[')) {
            if (depth == 0)
                return false;
            depth--;
        } else if (depth == 0 && t->kind == GH_TOKEN_KEYWORD && strcmp(t->text, "from") == 0) {
            /* or IS DISTINCT FROM, in a condition of a join */
            return i > j->first && strcmp(j->text->tokens[i - 1].text, "distinct") != 0;
        }
    }
    return false;
}

/* Can no word of the text mean what does not show as it is stored? */
static bool hides_nothing(gh_judge *j, const gh_item *item)
{
    for (uint16_t i = 0; i < item->relation->column_count; i++) {
        if (item->decision->columns[i].show != GH_CLEAR &&
            gh_judge_may_be_word(j, item->relation->columns[i].name))
            return false;
    }
    return !gh_write_names_system_column(j);
}

/* A write's own conditions and checks stand in the same places. */
static bool has_target(const gh_judge *j)
{
    ListCell *cell;

    foreach (cell, j->items) {
        if (((const gh_item *)lfirst(cell))->is_target)
            return true;
    }
    return false;
}

bool gh_flat_may_stand(gh_judge *j, const gh_item *item)
{
    const SelectStmt *s = item->block->select;

    return s != NULL && s->lockingClause == NIL && j->view_depth == 0 && item->decision != NULL &&
           strchr("rpm", item->relation->kind) != NULL && !item->is_renamed && !item->has_star &&
           !item->is_probed && !item->must_stand && !item->keeps_hidden && !has_target(j) &&
           is_in_from(s, item->var) && is_outside_brackets(j, item->first) &&
           hides_nothing(j, item);
}

/* ---- their filters ----------------------------------------------------------------------------- */

static char *conditions_of(const List *items, size_t *first)
{
    gh_buf b;
    char *out;
    ListCell *cell;

    gh_buf_init(&b, 0);
    foreach (cell, items) {
        gh_item *item = lfirst(cell);

        item->is_guarded = item->is_flat;
        if (!item->is_flat || item->where[0] == '\0')
            continue;
        gh_buf_printf(&b, "%s%s", b.len == 0 ? "" : " AND ", item->where);
        *first = item->end;
    }
    out = gh_judge_cstr(gh_buf_str(&b));
    gh_buf_fini(&b);
    return out;
}

void gh_flat_place_filters(gh_judge *j, gh_block *b)
{
    SelectStmt *s = (SelectStmt *)(uintptr_t)b->select;
    size_t start = 0;
    char *condition = conditions_of(b->items, &start);
    size_t end;
    size_t where;
    Node *tree;

    if (condition[0] == '\0' || j->rc != GH_OK)
        return;
    end = gh_judge_clause_end(j, start);
    where = gh_write_find_keyword(j, start, end, "where");
    if (s->whereClause == NULL) {
        s->whereClause = gh_judge_parse_expr(j, condition);
        gh_judge_edit(j, end, end, gh_judge_printf("WHERE %s", condition));
        return;
    }
    /* In place of the keyword, since a name right behind it may have been given its schema there. */
    tree = gh_judge_parse_expr(j, gh_judge_printf("%s AND ($0)", condition));
    if (tree == NULL)
        return;
    gh_judge_fill(&tree, s->whereClause);
    s->whereClause = tree;
    gh_judge_edit(j, where, where == SIZE_MAX ? SIZE_MAX : where + 1,
                  gh_judge_printf("WHERE %s AND (", condition));
    gh_judge_edit(j, end, end, ")");
}
