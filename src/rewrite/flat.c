/*
 * Relations whose row filter stands in WHERE of the query that reads them:
 *
 *     FROM orders o WHERE o.id = 7     becomes     FROM "sales"."orders" "o" WHERE ("o"."region" = 'EU') AND (o.id = 7)
 *
 * PostgreSQL makes just that of the sub-select that relation.c would put there, if that is no fence; but it takes a
 * fifth of a point query's time for it.
 *
 * A column that is masked may be a column of the result, whose place its mask then takes:
 *
 *     SELECT o.id, o.email FROM ...    becomes    SELECT "o"."id", CAST('***' AS text) AS "email" FROM ...
 *
 * SECURITY: nothing stands between the query and what the user may not see, so this is for queries alone that
 * cannot name any of it, now or when somebody adds a column before the catalog tells of it: each name that is
 * looked for in the relation is one of its columns that show (is_probed), nothing reads the row as a whole, no
 * word of the text is called like a column that is hidden, or like a system column, and each that is called like a
 * masked one is that column of the result, and is replaced.
 * Attack: tests/attack new_column, places; tests/unit/rewrite "filters_stand_in_where", "masks_stand_in_results".
 */
#include "fence.h"
#include "judge.h"
#include "write.h"

/* A column of the result that is a masked column of the relation. */
typedef struct gh_flat_result {
    ResTarget *target;
    size_t column; /* of the relation */
    size_t first;  /* tokens of the reference */
    size_t end;
    char *sql; /* what stands in its place; NULL until prepared */
} gh_flat_result;

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

char *gh_flat_name(const gh_judge *j, const gh_item *item)
{
    return gh_judge_ident(j, gh_str_of(item->invented != NULL ? item->invented : item->alias));
}

/* The token, or where no bracket is open between the word FROM and it: behind those of joins that it stands in. SIZE_MAX: not
 * known. */
static size_t outside_brackets(const gh_judge *j, size_t token)
{
    size_t out = token;
    size_t depth = 0;

    for (size_t i = token; i > j->first && out != SIZE_MAX;) {
        const gh_token *t = &j->text->tokens[--i];

        if (t->kind == GH_TOKEN_SELF && (t->text[0] == ')' || t->text[0] == ']')) {
            depth++;
        } else if (t->kind == GH_TOKEN_SELF && (t->text[0] == '(' || t->text[0] == '[')) {
            if (depth > 0)
                depth--;
            else if (gh_sql_token_closing(j->text, i) == SIZE_MAX)
                return SIZE_MAX;
            else
                out = gh_sql_token_closing(j->text, i) + 1;
        } else if (depth == 0 && t->kind == GH_TOKEN_KEYWORD && strcmp(t->text, "from") == 0) {
            /* or IS DISTINCT FROM, in a condition of a join */
            return i > j->first && strcmp(j->text->tokens[i - 1].text, "distinct") != 0 ? out
                                                                                        : SIZE_MAX;
        }
    }
    return SIZE_MAX;
}

/* Where to look for WHERE from. */
static size_t behind(const gh_judge *j, const gh_item *item)
{
    size_t outside = outside_brackets(j, item->first);

    return outside == item->first ? item->end : outside;
}

/* Under row locks, where there is no fence to fall back on, in brackets as well. */
static bool is_reached(const gh_judge *j, const gh_item *item)
{
    size_t outside = outside_brackets(j, item->first);

    return outside == item->first || (outside != SIZE_MAX && item->is_locked && !item->is_covered);
}

static bool is_token(const gh_judge *j, size_t i, const char *text)
{
    return i < j->text->token_count && strcmp(j->text->tokens[i].text, text) == 0;
}

/* The column of the result is this column of the relation's, and nothing else. */
static gh_flat_result *as_result(gh_judge *j, const gh_item *item, ResTarget *target, size_t column)
{
    const char *name = gh_judge_cstr(item->relation->columns[column].name);
    const ColumnRef *ref = (const ColumnRef *)target->val;
    gh_flat_result *r;
    size_t first;
    size_t end;

    if (!IsA(ref, ColumnRef) || !IsA(llast(ref->fields), String) ||
        strcmp(strVal(llast(ref->fields)), name) != 0)
        return NULL;
    first = gh_judge_token(j, ref->location);
    if (first == SIZE_MAX)
        return NULL;
    end = first + 2 * (size_t)list_length(ref->fields) - 1;
    if (list_length(ref->fields) == 1) {
        if (list_length(item->block->items) != 1) /* whose it is, PostgreSQL says */
            return NULL;
    } else if (list_length(ref->fields) != 2 || item->alias == NULL ||
               strcmp(strVal(linitial(ref->fields)), item->alias) != 0 ||
               !is_token(j, first, item->alias) || !is_token(j, first + 1, ".")) {
        return NULL;
    }
    /* Not behind a schema, nor in brackets, where no name may be given. */
    if (!is_token(j, end - 1, name) || is_token(j, end, ".") ||
        (first > 0 && is_token(j, first - 1, "(")))
        return NULL;
    r = palloc0(sizeof(*r));
    *r = (gh_flat_result){ .target = target, .column = column, .first = first, .end = end };
    return r;
}

/* Is each word that is called like the column a column of the result? */
static bool is_result_alone(gh_judge *j, gh_item *item, size_t column)
{
    gh_str name = item->relation->columns[column].name;
    const SelectStmt *s = item->block->select;
    size_t words = 0;
    ListCell *cell;

    for (size_t i = 0; i < j->text->token_count; i++) {
        const gh_token *t = &j->text->tokens[i];

        if ((t->kind == GH_TOKEN_IDENT || t->kind == GH_TOKEN_KEYWORD) && gh_str_is(name, t->text))
            words++;
    }
    foreach (cell, s->targetList) {
        gh_flat_result *r = as_result(j, item, lfirst_node(ResTarget, cell), column);

        if (r == NULL)
            continue;
        item->results = lappend(item->results, r);
        words--;
    }
    return words == 0;
}

/* Can no word of the text mean what does not show as it is stored, but for results that are replaced? */
static bool hides_nothing(gh_judge *j, gh_item *item)
{
    item->results = NIL;
    for (uint16_t i = 0; i < item->relation->column_count; i++) {
        gh_show show = item->decision->columns[i].show;

        if (show == GH_CLEAR || !gh_judge_may_be_word(j, item->relation->columns[i].name))
            continue;
        /* GROUP BY a key has the columns of the result added to it, by their names (group.c). */
        if (show == GH_HIDDEN || item->block->select->groupClause != NIL ||
            !is_result_alone(j, item, i))
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

bool gh_flat_may_stand(gh_judge *j, gh_item *item)
{
    const SelectStmt *s = item->block->select;

    return s != NULL && (s->lockingClause == NIL || gh_flat_is_guarded(j, item)) &&
           j->view_depth == 0 && item->decision != NULL &&
           strchr("rpm", item->relation->kind) != NULL && !item->is_renamed && !item->has_star &&
           !item->is_probed && !item->must_stand && !item->keeps_hidden &&
           (s->lockingClause != NIL || !has_target(j)) && is_in_from(s, item->var) &&
           is_reached(j, item) && hides_nothing(j, item);
}

bool gh_flat_prepare(gh_judge *j, gh_item *item)
{
    ListCell *cell;

    item->inner = gh_flat_name(j, item);
    item->where = gh_relation_row_condition(j, item);
    foreach (cell, item->results) {
        gh_flat_result *r = lfirst(cell);

        r->sql = gh_relation_column_sql(j, item, r->column);
        if (r->sql == NULL)
            return false;
    }
    return item->where != NULL;
}

/* ---- conditions that may fail -------------------------------------------------------------------- */

static bool are_safe(gh_judge *j, const Node *n)
{
    ListCell *cell;

    if (n == NULL || !IsA(n, BoolExpr) || ((const BoolExpr *)n)->boolop != AND_EXPR)
        return gh_judge_is_safe(j, n);
    foreach (cell, ((const BoolExpr *)n)->args) {
        if (!are_safe(j, lfirst(cell)))
            return false;
    }
    return true;
}

/* A query that no row of its neighbours can make fail before it has passed their WHERE. */
static bool is_apart(const gh_judge *j, const RangeSubselect *s)
{
    ListCell *cell;

    if (!s->lateral)
        return true;
    foreach (cell, j->blocks) {
        const gh_block *b = lfirst(cell);

        if ((const Node *)b->select == s->subquery)
            return !b->has_unsafe;
    }
    return false;
}

/* Relations, queries and their joins alone, by conditions that fail for no row. */
static bool joins_safely(gh_judge *j, const Node *n)
{
    const JoinExpr *join = (const JoinExpr *)n;

    if (IsA(n, RangeSubselect))
        return is_apart(j, (const RangeSubselect *)n);
    if (!IsA(n, JoinExpr))
        return IsA(n, RangeVar);
    return joins_safely(j, join->larg) && joins_safely(j, join->rarg) &&
           gh_judge_is_safe_using(j, join) && are_safe(j, join->quals);
}

/*
 * A fence costs a point query a third of its time, and under row locks all that is fenced would be locked. Instead
 * what may fail of the client's WHERE may run behind CASE:
 *
 *     FROM jobs j JOIN w ON w.id = j.w WHERE j.id = 7 AND 1 / j.x > 0 FOR UPDATE OF j
 *       → WHERE <row condition> AND (j.id = 7 AND CASE WHEN <row condition> THEN (1 / j.x > 0) ELSE false END)
 *
 * Where the words do not tell where that is (conjunct.c), all of it does, beside copies of what is safe.
 *
 * SECURITY: so no other condition may meet a row of it: none of a join, none of a query around this one, which OFFSET keeps
 * out, nor HAVING, which PostgreSQL moves to WHERE where it names keys alone. The planner runs nothing of what stands
 * within CASE but what is of constants alone, over no row and no statistics. Without locks there is a fence to fall back
 * on, so there this is for queries of one relation and nothing else, whose conditions are few enough to be written twice.
 * Attack: tests/integration/checked_writes, Locks; tests/attack early-predicates; tests/differential/interference.
 */
void gh_flat_note_guard(gh_judge *j, SelectStmt *s)
{
    size_t from = SIZE_MAX;
    ListCell *cell;

    if (s->whereClause == NULL || s->groupClause != NIL || s->havingClause != NULL)
        return;
    if (s->lockingClause == NIL &&
        (j->block->outer->outer != NULL || list_length(s->fromClause) != 1 ||
         !IsA(linitial(s->fromClause), RangeVar)))
        return;
    foreach (cell, s->fromClause) {
        if (!joins_safely(j, lfirst(cell)))
            return;
    }
    foreach (cell, j->block->items) {
        const gh_item *item = lfirst(cell);

        if (item->is_locked && is_reached(j, item))
            from = behind(j, item);
    }
    if (s->lockingClause != NIL && from == SIZE_MAX)
        return;
    if (s->lockingClause != NIL)
        j->block->offset = gh_judge_keep_conditions_out(j, s, from);
    j->block->may_guard = true;
}

/*
 * Could it be false or NULL for every row, whatever that holds (an attribute that the user lacks)? PostgreSQL then throws
 * what stands within CASE away before it has computed its constants, among which one may fail as it would without rows.
 */
bool gh_flat_may_hold_for_none(const char *where, const char *inner)
{
    const char *at = strcasestr(where, "null");

    for (; at != NULL; at = strcasestr(at + 1, "null")) {
        bool is_test = at - where >= 4 &&
                       (strncasecmp(at - 3, "is ", 3) == 0 || strncasecmp(at - 4, "not ", 4) == 0);

        if (!is_test)
            return true;
    }
    return strstr(where, inner) == NULL;
}

/* Of several queries each has conditions of its own, which may meet here. */
bool gh_flat_is_guarded(const gh_judge *j, const gh_item *item)
{
    return item->block->may_guard &&
           (item->is_locked
                ? !item->is_volatile
                : (!item->calls_code && !item->has_query &&
                   item->block->select->lockingClause == NIL && list_length(j->blocks) == 1 &&
                   !gh_flat_may_hold_for_none(item->where, item->inner)));
}

/* ---- their masks and filters ------------------------------------------------------------------- */

static void place_results(gh_judge *j, const gh_item *item)
{
    ListCell *cell;

    foreach (cell, item->results) {
        const gh_flat_result *r = lfirst(cell);
        gh_str name = item->relation->columns[r->column].name;
        const char *as = "";

        if (r->target->name == NULL) {
            as = gh_judge_printf(" AS %s", gh_judge_ident(j, name));
            r->target->name = gh_judge_cstr(name);
        }
        r->target->val = gh_judge_parse_expr(j, r->sql);
        gh_judge_edit(j, r->first, r->end, gh_judge_printf("%s%s", r->sql, as));
    }
}

/* In CASE it is no join, before which other conditions may run. */
static const char *where_of(const gh_item *item)
{
    return item->is_locked && item->has_query
               ? gh_judge_printf("CASE WHEN %s THEN true ELSE false END", item->where)
               : item->where;
}

/* `plain`: without those that hold sub-selects, which are worth to be run once only. */
static char *conditions_of(gh_judge *j, const List *items, size_t *first, char **plain)
{
    gh_buf b;
    ListCell *cell;

    *plain = pstrdup("");
    gh_buf_init(&b, 0);
    foreach (cell, items) {
        gh_item *item = lfirst(cell);

        item->is_guarded = item->is_flat;
        if (!item->is_flat)
            continue;
        place_results(j, item);
        if (item->where[0] == '\0')
            continue;
        gh_buf_printf(&b, "%s%s", b.len == 0 ? "" : " AND ", where_of(item));
        if (!item->has_query)
            *plain =
                gh_judge_printf("%s%s%s", *plain, (*plain)[0] == '\0' ? "" : " AND ", item->where);
        *first = behind(j, item);
    }
    return gh_judge_take(&b);
}

static bool has_fenced(const gh_judge *j, const gh_block *b)
{
    ListCell *cell;

    foreach (cell, b->items) {
        if (((const gh_item *)lfirst(cell))->is_flat && gh_judge_is_fenced(j, lfirst(cell)))
            return true;
    }
    return false;
}

/* What is safe of the client's condition, so that indexes serve. */
static const char *copies_of(gh_judge *j, const gh_block *b)
{
    List *all = NIL;
    ListCell *cell;

    foreach (cell, b->items) {
        const gh_item *item = lfirst(cell);

        if (item->is_flat && gh_judge_is_fenced(j, item))
            all = list_concat(all, item->pushed_flat);
    }
    return gh_judge_copies(j, all);
}

/* As one condition, which the parser has made flat. */
static Node *conjunction_of(List *args)
{
    const BoolExpr *first = linitial(args);
    BoolExpr *all;

    if (list_length(args) == 1)
        return linitial(args);
    if (IsA(first, BoolExpr) && first->boolop == AND_EXPR)
        args = list_concat(list_copy(first->args), list_copy_tail(args, 1));
    all = makeNode(BoolExpr);
    all->boolop = AND_EXPR;
    all->args = args;
    return (Node *)all;
}

/* What may fail alone goes behind CASE; false: where that is, is not known. */
static bool guard_run(gh_judge *j, gh_block *b, Node **where, size_t first, size_t end,
                      const char *condition)
{
    const List *args = IsA(*where, BoolExpr) ? ((const BoolExpr *)*where)->args : NIL;
    const char *before = gh_judge_printf("CASE WHEN %s THEN (", condition);
    const char *after;
    gh_flat_run run;
    Node *tree;
    Node *guarded;

    if (!gh_flat_find_run(j, b, args, first, end, &run))
        return false;
    guarded = conjunction_of(list_copy_tail(list_truncate(list_copy(args), run.to), run.from));
    after = gh_flat_case_end(j, b, guarded);
    tree = gh_judge_parse_expr(j, gh_judge_printf("%s$0%s", before, after));
    if (tree == NULL)
        return true;
    gh_judge_fill(&tree, guarded);
    *where = conjunction_of(list_concat(lappend(list_truncate(list_copy(args), run.from), tree),
                                        list_copy_tail(args, run.to)));
    gh_judge_edit_around(j, run.first, run.end, before, after);
    return true;
}

/* What is put in front of the client's condition, and `after` behind it; NULL: nothing more need be. */
static const char *prefix_of(gh_judge *j, gh_block *b, Node **where, size_t first, size_t end,
                             const char *condition, const char *plain, const char **after)
{
    *after = ")";
    if (!has_fenced(j, b))
        return gh_judge_printf("%s AND (", condition);
    if (guard_run(j, b, where, first, end, condition)) {
        bool is_found = b->select->lockingClause == NIL && gh_lookup_is_by_key(j, b->keys);

        /* Of the one row that a key finds, CASE alone tells enough. */
        return is_found || plain[0] == '\0' ? NULL : gh_judge_printf("%s AND (", plain);
    }
    *after = gh_flat_case_end(j, b, *where);
    return gh_judge_printf("%s%s AND CASE WHEN %s THEN (", plain[0] == '\0' ? "true" : plain,
                           copies_of(j, b), condition);
}

static void place_conditions(gh_judge *j, gh_block *b)
{
    SelectStmt *s = (SelectStmt *)(uintptr_t)b->select;
    size_t start = 0;
    char *plain;
    char *condition = conditions_of(j, b->items, &start, &plain);
    const char *before;
    const char *after;
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
    if (where == SIZE_MAX) {
        gh_judge_edit(j, where, where, ""); /* refuses */
        return;
    }
    before = prefix_of(j, b, &s->whereClause, where + 1, end, condition, plain, &after);
    if (before == NULL)
        return;
    tree = gh_judge_parse_expr(j, gh_judge_printf("%s$0%s", before, after));
    if (tree == NULL)
        return;
    gh_judge_fill(&tree, s->whereClause);
    s->whereClause = tree;
    /* In place of the keyword, since a name right behind it may have been given its schema there. */
    gh_judge_edit(j, where, where + 1, gh_judge_printf("WHERE %s", before));
    gh_judge_edit(j, end, end, after);
}

void gh_flat_place_filters(gh_judge *j, gh_block *b)
{
    place_conditions(j, b);
    if (b->offset != 0) /* behind what was put at the end of WHERE */
        gh_judge_edit(j, b->offset, b->offset, "OFFSET 0");
}
