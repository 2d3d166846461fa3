/*
 * MERGE. The target stands as it is; what hides its rows and checks new ones goes into conditions, since
 * PostgreSQL 15 has no RETURNING here:
 *
 *     MERGE INTO ops.tickets t USING s ON t.id = s.id
 *       ON          → <row condition> AND (t.id = s.id): a row that is not visible matches nothing
 *       WHEN MATCHED AND c THEN UPDATE SET region = s.region
 *         AND c     → CASE WHEN (c) THEN CASE WHEN <may change the old row> AND
 *                       (SELECT <may store it> FROM (SELECT s.region AS region) AS gh)
 *                       THEN true ELSE <fails> END ELSE false END
 *
 * So the check of a new row is made of what the action will store: merge_check.c. A row that is visible, but not the user's
 * to change, is 42501 and no other WHEN: to go on to the next would do what was not meant.
 *
 * SECURITY: the client's ON may run before the row condition where it is not safe; then it stands behind CASE. An
 * INSERT for a hidden row tells by 23505 that its key is taken, as INSERT does. Attack: tests/attack merge.
 */
#include "merge.h"

#include "fence.h"
#include "write.h"

#define MERGE_FAILS gh_write_failure("\"pg_catalog\".\"bool\"")

/* Tokens of one WHEN clause. */
typedef struct merge_clause {
    size_t condition; /* its AND; SIZE_MAX without one */
    size_t then;
    size_t end;
} merge_clause;

static bool is_keyword(const gh_judge *j, size_t i, const char *word)
{
    const gh_token *t = &j->text->tokens[i];

    return t->kind == GH_TOKEN_KEYWORD && strcmp(t->text, word) == 0;
}

static bool is_self(const gh_judge *j, size_t i, char c)
{
    const gh_token *t = &j->text->tokens[i];

    return t->kind == GH_TOKEN_SELF && t->text[0] == c;
}

/* The next `word` at no depth of brackets or CASE; `end` without one. */
static size_t find(const gh_judge *j, size_t first, size_t end, const char *word)
{
    int depth = 0;

    for (size_t i = first; i < end; i++) {
        if (depth == 0 && is_keyword(j, i, word))
            return i;
        if (is_self(j, i, '(') || is_self(j, i, '[')) {
            i = gh_sql_token_closing(j->text, i);
            if (i == SIZE_MAX)
                return end;
        } else if (is_keyword(j, i, "case"))
            depth++;
        else if (is_keyword(j, i, "end") && depth > 0)
            depth--;
    }
    return end;
}

/* WHEN [NOT] MATCHED [AND condition] THEN ... */
static merge_clause clause_at(const gh_judge *j, size_t when, size_t end)
{
    size_t and = when + (is_keyword(j, when + 1, "not") ? 3 : 2);
    merge_clause c = { .condition = SIZE_MAX, .then = find(j, and, end, "then") };

    if (and < end && is_keyword(j, and, "and"))
        c.condition = and;
    c.end = find(j, c.then, end, "when");
    return c;
}

static void refuse(gh_judge *j, const gh_item *target)
{
    gh_judge_refuse(j, GH_DENIED, "42501", target->var->location, "permission denied for table %s",
                    target->var->relname);
}

/* ---- ON ---------------------------------------------------------------------------------------- */

static void guard_on(gh_judge *j, gh_item *target, MergeStmt *s, size_t when)
{
    size_t on = SIZE_MAX;
    char *rows = gh_relation_row_condition(j, target);

    for (size_t i = find(j, target->end, when, "on"); i < when; i = find(j, i + 1, when, "on"))
        on = i; /* the last one: those before it are of joins in USING */
    if (rows == NULL)
        return;
    if (on == SIZE_MAX)
        refuse(j, target);
    else
        gh_write_guard(j, target, &s->joinCondition, on, when, "ON", rows);
}

/* ---- WHEN ----------------------------------------------------------------------------------------- */

/* Fails where the clause would run and the check does not hold. */
static void guard_clause(gh_judge *j, MergeWhenClause *w, const merge_clause *c, const char *check)
{
    char *checked;
    Node *tree;

    if (check[0] == '\0' || j->rc != GH_OK)
        return;
    checked = gh_judge_printf("CASE WHEN %s THEN true ELSE %s END", check, MERGE_FAILS);
    j->plan->checks_rows = true;
    if (w->condition == NULL) {
        w->condition = gh_judge_parse_expr(j, checked);
        gh_judge_edit(j, c->then, c->then, gh_judge_printf("AND %s", checked));
        return;
    }
    tree =
        gh_judge_parse_expr(j, gh_judge_printf("CASE WHEN ($0) THEN %s ELSE false END", checked));
    if (tree == NULL)
        return;
    gh_judge_fill(&tree, w->condition);
    w->condition = tree;
    gh_judge_edit(j, c->condition, c->condition + 1, "AND CASE WHEN (");
    gh_judge_edit(j, c->then, c->then, gh_judge_printf(") THEN %s ELSE false END", checked));
}

static char *both(char *a, char *b)
{
    if (a == NULL || b == NULL)
        return NULL;
    if (a[0] == '\0')
        return b;
    return b[0] == '\0' ? a : gh_judge_printf("%s AND %s", a, b);
}

static size_t index_of(const gh_item *target, const char *name)
{
    const gh_column *c = gh_relation_column(target->relation, gh_str_of(name));

    return c == NULL ? SIZE_MAX : (size_t)(c - target->relation->columns);
}

/* Where the items of a row stand that (b, c) is set to, from the bracket before b on; *close: the row's end. SIZE_MAX: it is
 * no row. */
static size_t row_items(const gh_judge *j, size_t at, size_t end, size_t *close)
{
    size_t row = is_self(j, at, '(') ? gh_sql_token_closing(j->text, at) : SIZE_MAX;

    if (row == SIZE_MAX)
        return SIZE_MAX;
    row += 2; /* behind `) =` */
    if (row < end && is_keyword(j, row, "row"))
        row++;
    if (row >= end || !is_self(j, row, '('))
        return SIZE_MAX;
    *close = gh_sql_token_closing(j->text, row);
    return *close != SIZE_MAX && *close + 1 == end ? row + 1 : SIZE_MAX;
}

/* What one of (b, c) is set to by a row; *at: where its text begins, then the next one's. */
static gh_merge_value row_value(const gh_judge *j, const MultiAssignRef *m, size_t *at,
                                size_t close)
{
    RowExpr *row = (RowExpr *)m->source;
    gh_merge_value v = { .is_part = true };

    if (*at == SIZE_MAX || !IsA(row, RowExpr) || list_length(row->args) != m->ncolumns)
        return v;
    v = (gh_merge_value){ .slot = (Node **)&lfirst(list_nth_cell(row->args, m->colno - 1)),
                          .first = *at,
                          .end = gh_write_value_end(j, *at, close) };
    *at = v.end + 1;
    return v;
}

/* The same by a sub-select, which stands in the brackets behind those before b. */
static gh_merge_value query_value(const gh_judge *j, const MultiAssignRef *m, size_t at, size_t end)
{
    size_t first = is_self(j, at, '(') ? gh_sql_token_closing(j->text, at) : SIZE_MAX;

    if (first == SIZE_MAX || first + 2 >= end || !is_self(j, first + 2, '(') ||
        gh_sql_token_closing(j->text, first + 2) + 1 != end)
        return (gh_merge_value){ .is_part = true };
    return (gh_merge_value){ .first = first + 2,
                             .end = end,
                             .query = (SubLink *)m->source,
                             .place = m->colno - 1,
                             .width = m->ncolumns };
}

/* SET a = x, (b, c) = (y, z), d[1] = w: of each its value and where it stands. */
static void set_values(const gh_judge *j, const gh_item *target, const MergeWhenClause *w,
                       const merge_clause *c, gh_merge_value *values)
{
    size_t at = find(j, c->then, c->end, "set") + 1;
    size_t row = SIZE_MAX;
    size_t close = SIZE_MAX;
    ListCell *cell;

    foreach (cell, w->targetList) {
        ResTarget *t = lfirst_node(ResTarget, cell);
        const MultiAssignRef *m = IsA(t->val, MultiAssignRef) ? (MultiAssignRef *)t->val : NULL;
        size_t i = index_of(target, t->name);
        size_t end = gh_write_value_end(j, at, c->end);

        if (i == SIZE_MAX)
            return;
        if (m == NULL) /* behind name and `=` */
            values[i] = (gh_merge_value){ .slot = &t->val, .first = at + 2, .end = end };
        else if (IsA(m->source, SubLink))
            values[i] = query_value(j, m, at, end);
        else {
            if (m->colno == 1)
                row = row_items(j, at, end, &close);
            values[i] = row_value(j, m, &row, close);
        }
        values[i].is_part |= t->indirection != NIL;
        if (m == NULL ||
            m->colno == m->ncolumns) /* the others of its brackets stand at the same place */
            at = end + 1;
    }
}

static char *update_check(gh_judge *j, gh_item *target, MergeWhenClause *w, const merge_clause *c)
{
    bool *written = gh_write_set_list(j, target, w->targetList);
    gh_merge_value *values = palloc0(target->relation->column_count * sizeof(*values) + 1);
    gh_merge_action action = {
        .target = target, .when = w, .values = values, .written = written, .is_update = true
    };
    bool is_blind;
    char *old;

    if (j->rc != GH_OK || (target->decision->privileges & GH_UPDATE) == 0)
        return NULL;
    old = gh_write_condition(j, target, GH_UPDATE, written, &is_blind);
    if (old == NULL)
        return NULL;
    gh_write_refuse_unseen(j, target, written, is_blind);
    if (gh_write_stays_inside(target, written))
        return old;
    set_values(j, target, w, c, values);
    return both(old, gh_merge_check(j, &action));
}

/* Without a list of columns INSERT means the first of the table: of the table that the user sees. */
static List *list_columns(gh_judge *j, const gh_item *target, MergeWhenClause *w)
{
    List *names = NIL;

    for (size_t i = 0; i < target->relation->column_count; i++) {
        ResTarget *t;

        if (!gh_write_is_insertable(target, i) ||
            list_length(w->targetList) == list_length(w->values))
            continue;
        t = makeNode(ResTarget);
        t->name = gh_judge_cstr(target->relation->columns[i].name);
        t->location = -1;
        w->targetList = lappend(w->targetList, t);
        names = lappend(names, gh_judge_ident(j, target->relation->columns[i].name));
    }
    if (list_length(w->targetList) < list_length(w->values))
        gh_judge_refuse(j, GH_INVALID, "42601", -1,
                        "INSERT has more expressions than target columns");
    return names;
}

/* Each given value, which stand between `at` and `close`. */
static void insert_values(const gh_judge *j, const gh_item *target, MergeWhenClause *w, size_t at,
                          size_t close, gh_merge_value *values)
{
    int n = 0;
    ListCell *cell;

    foreach (cell, w->targetList) {
        const ResTarget *t = lfirst_node(ResTarget, cell);
        size_t i = index_of(target, t->name);
        size_t end = gh_write_value_end(j, at, close);

        if (n == list_length(w->values) || i == SIZE_MAX)
            break;
        values[i] = (gh_merge_value){ .slot = (Node **)&lfirst(list_nth_cell(w->values, n)),
                                      .first = at,
                                      .end = end,
                                      .is_part = t->indirection != NIL };
        at = end + 1;
        n++;
    }
}

/* Lists of columns and values as they are by now; `place`: behind INSERT; `values`: the bracket before those, SIZE_MAX: there
 * are none. */
static void edit_lists(gh_judge *j, const gh_merge_action *a, List *columns, size_t place,
                       size_t values)
{
    const char *added_columns = gh_judge_join(a->added_columns, ", ");
    const char *added_values = gh_judge_join(a->added_values, ", ");
    bool has_added = a->added_columns != NIL;

    if (values == SIZE_MAX) { /* DEFAULT VALUES */
        if (has_added)
            gh_judge_edit(j, place, place + 2,
                          gh_judge_printf("(%s) VALUES (%s)", added_columns, added_values));
        return;
    }
    if (columns != NIL)
        gh_judge_edit(
            j, place, place,
            gh_judge_printf("(%s)", gh_judge_join(list_concat(columns, a->added_columns), ", ")));
    if (!has_added)
        return;
    if (columns == NIL) {
        place = gh_sql_token_closing(j->text, place);
        gh_judge_edit(j, place, place, gh_judge_printf(", %s", added_columns));
    }
    values = gh_sql_token_closing(j->text, values);
    gh_judge_edit(j, values, values, gh_judge_printf(", %s", added_values));
}

static char *insert_check(gh_judge *j, gh_item *target, MergeWhenClause *w, const merge_clause *c)
{
    size_t place = find(j, c->then, c->end, "insert") + 1;
    size_t values = w->values == NIL ? SIZE_MAX : find(j, c->then, c->end, "values") + 1;
    gh_merge_action a = { .target = target,
                          .when = w,
                          .values =
                              palloc0(target->relation->column_count * sizeof(*a.values) + 1) };
    List *columns = NIL;
    char *check;

    gh_judge_expr_list(j, w->values);
    if (w->targetList == NIL && w->values != NIL)
        columns = list_columns(j, target, w);
    else if (w->values != NIL && list_length(w->targetList) > list_length(w->values))
        gh_judge_refuse(j, GH_INVALID, "42601", -1,
                        "INSERT has more target columns than expressions");
    a.written = gh_write_insert_list(j, target, w->targetList);
    gh_assign_rows(j, target, w->targetList, list_make1(w->values));
    if (j->rc != GH_OK || (target->decision->privileges & GH_INSERT) == 0)
        return NULL;
    if (values != SIZE_MAX)
        insert_values(j, target, w, values + 1, gh_sql_token_closing(j->text, values), a.values);
    check = gh_merge_check(j, &a);
    w->values = list_concat(w->values, a.added);
    if (check != NULL)
        edit_lists(j, &a, columns, place, values);
    return check;
}

static char *delete_check(gh_judge *j, gh_item *target)
{
    bool is_blind;

    if ((target->decision->privileges & GH_DELETE) == 0)
        return NULL;
    return gh_write_condition(j, target, GH_DELETE, NULL, &is_blind);
}

static void judge_when(gh_judge *j, gh_item *target, MergeWhenClause *w, const merge_clause *c)
{
    char *check = pstrdup("");

    gh_judge_condition(j, &w->condition);
    switch (w->commandType) {
    case CMD_UPDATE:
        check = update_check(j, target, w, c);
        break;
    case CMD_INSERT:
        check = insert_check(j, target, w, c);
        break;
    case CMD_DELETE:
        check = delete_check(j, target);
        break;
    case CMD_NOTHING:
        break;
    default:
        gh_judge_refuse(j, GH_DENIED, "42501", -1, "this MERGE is not allowed");
        return;
    }
    if (check == NULL)
        refuse(j, target);
    else
        guard_clause(j, w, c, check);
}

static uint32_t privilege_of(const MergeWhenClause *w)
{
    return w->commandType == CMD_INSERT   ? GH_INSERT
           : w->commandType == CMD_UPDATE ? GH_UPDATE
           : w->commandType == CMD_DELETE ? GH_DELETE
                                          : 0;
}

void gh_judge_merge(gh_judge *j, MergeStmt *s, size_t end)
{
    bool is_last[2] = { false, false };
    uint32_t used = 0;
    gh_item *target;
    size_t when;
    ListCell *cell;

    gh_write_open_block(j, (const Node *)s);
    gh_judge_with(j, s->withClause);
    target = gh_write_add_target(j, s->relation, GH_INSERT | GH_UPDATE | GH_DELETE);
    if (target == NULL)
        return;
    if ((target->decision->privileges & GH_SELECT) == 0 || target->decision->is_through ||
        strchr("rp", target->relation->kind) == NULL) {
        refuse(j, target);
        return;
    }
    gh_judge_from_item(j, &s->sourceRelation);
    gh_judge_condition(j, &s->joinCondition);
    gh_judge_push_write(j, list_make1(s->sourceRelation), NULL); /* no copies: an outer join */
    j->is_unsafe |= !gh_judge_is_safe(j, s->joinCondition);
    if (j->rc != GH_OK)
        return;
    when = find(j, target->end, end, "when");
    guard_on(j, target, s, when);
    foreach (cell, s->mergeWhenClauses) {
        MergeWhenClause *w = lfirst_node(MergeWhenClause, cell);
        merge_clause c = clause_at(j, when, end);

        if (is_last[w->matched]) /* said here, as the condition that is added would hide it */
            gh_judge_refuse(j, GH_INVALID, "42601", -1,
                            "unreachable WHEN clause specified after unconditional WHEN clause");
        if (j->rc != GH_OK)
            return;
        is_last[w->matched] = w->condition == NULL;
        judge_when(j, target, w, &c);
        when = c.end;
        used |= privilege_of(w);
    }
    target->privilege =
        used != 0 ? used : GH_SELECT; /* for the audit: what was judged is each clause */
    gh_write_close_block(j);
}
