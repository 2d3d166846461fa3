/*
 * The check of a written row, in RETURNING, the only place that sees it as it is stored, for every row that is written:
 *
 *     at the top         RETURNING id, CASE WHEN <row condition> THEN NULL ELSE <fails> END     the client is not shown it
 *     in WITH, COPY      RETURNING CASE WHEN <row condition> THEN id ELSE <fails> END AS id     in a column that is named
 *     where a value may fail, and where no column is named
 *                        RETURNING id, CASE WHEN CASE WHEN <row condition> THEN false ELSE <fails> END THEN NULL ELSE (1 / x) END
 *
 * SECURITY: PostgreSQL computes what RETURNING says from left to right, and what fails for one row and not for another
 * tells of it. A row that does not fulfil the condition is not the user's to know of: defaults and triggers made it. So
 * the check comes before the first such value. Attack: tests/integration/checked_writes, NewRowsThatAreNotVisible.
 */
#include "fence.h"
#include "operand.h"
#include "write.h"

/* Raised by a stable function, so that the planner cannot run it ahead of time. */
#define CHECK_FAILS                                                                                \
    "CAST(\"pg_catalog\".\"concat\"('" GH_CHECK_MARK "') AS \"pg_catalog\".\"int4\")"

/* ---- what RETURNING says ------------------------------------------------------------------------ */

static void look_for_column(struct Node **slot, void *arg)
{
    bool *is_found = arg;

    if (IsA(*slot, ColumnRef) || IsA(*slot, SubLink) ||
        !gh_sql_children(*slot, look_for_column, arg))
        *is_found = true;
}

bool gh_write_reads_column(Node *n)
{
    bool is_found = false;

    look_for_column((struct Node **)&n, &is_found);
    return is_found;
}

bool gh_write_is_quiet(gh_judge *j, Node *n)
{
    return IsA(n, ColumnRef) || !gh_write_reads_column(n) || gh_value(j, n).class != GH_CLASS_NONE;
}

size_t gh_write_value_end(const gh_judge *j, size_t at, size_t end)
{
    for (; at < end; at++) {
        const gh_token *t = &j->text->tokens[at];

        if (t->kind != GH_TOKEN_SELF)
            continue;
        if (t->text[0] == ',')
            return at;
        if (t->text[0] == '(' || t->text[0] == '[')
            at = gh_sql_token_closing(j->text, at);
        if (at == SIZE_MAX)
            break;
    }
    return end;
}

/* ---- the check ------------------------------------------------------------------------------------ */

char *gh_write_failure(const char *type)
{
    return gh_judge_printf("CAST(CAST(" CHECK_FAILS " AS \"pg_catalog\".\"text\") AS %s)", type);
}

/* In the first column that a star stands for. */
static bool check_in_star(gh_judge *j, gh_item *target, const char *condition)
{
    gh_edit *edit = &j->edits[target->star_edit].edit;
    const gh_column *c = NULL;
    char *value = NULL;
    char *checked;
    size_t head;

    for (size_t i = 0; i < target->relation->column_count && value == NULL; i++) {
        if (target->decision->columns[i].show == GH_HIDDEN)
            continue;
        c = &target->relation->columns[i];
        value = gh_relation_column_sql(j, target, i);
        if (value == NULL)
            return false;
        head = strlen(value);
        if (target->decision->columns[i].show != GH_CLEAR)
            head += strlen(" AS ") + strlen(gh_judge_ident(j, c->name));
    }
    if (value == NULL)
        return false;
    checked = gh_judge_printf("CASE WHEN %s THEN %s ELSE %s END", condition, value,
                              gh_write_failure(gh_judge_cstr(c->type_sql)));
    target->star_target->val = gh_judge_parse_expr(j, checked);
    target->star_target->name = gh_judge_cstr(c->name);
    j->edit_bytes += strlen(checked);
    edit->text =
        gh_judge_printf("%s AS %s%s", checked, gh_judge_ident(j, c->name), edit->text + head);
    return true;
}

/* In a column that RETURNING names. */
static bool check_in_column(gh_judge *j, const char *condition, ResTarget *t)
{
    const ColumnRef *ref = (const ColumnRef *)t->val;
    gh_item *item = NULL;
    const gh_column *c = IsA(ref, ColumnRef) ? gh_judge_bind(j, ref, &item) : NULL;
    size_t first = c == NULL ? SIZE_MAX : gh_judge_token(j, ref->location);
    size_t after = first + 1;
    const char *before;
    const char *behind;
    Node *tree;

    if (first == SIZE_MAX)
        return false;
    while (after < j->text->token_count && strcmp(j->text->tokens[after].text, ".") == 0)
        after += 2;
    before = gh_judge_printf("CASE WHEN %s THEN ", condition);
    behind = gh_judge_printf("ELSE %s END", gh_write_failure(gh_judge_cstr(c->type_sql)));
    tree = gh_judge_parse_expr(j, gh_judge_printf("%s$0 %s", before, behind));
    if (tree == NULL)
        return false;
    gh_judge_fill(&tree, t->val);
    t->val = tree;
    gh_judge_edit(j, first, first, before);
    gh_judge_edit(
        j, after, after,
        t->name != NULL ? behind : gh_judge_printf("%s AS %s", behind, gh_judge_ident(j, c->name)));
    if (t->name == NULL)
        t->name = gh_judge_cstr(c->name);
    return true;
}

/* Before the value that was noted, which is computed behind it. */
static bool check_before_value(gh_judge *j, gh_item *target, const char *condition, size_t end)
{
    const gh_returned *r = &target->returned;
    size_t at = gh_write_find_keyword(j, target->end, end, "returning");
    const char *before;
    const char *behind;
    size_t after;
    Node *tree;

    if (r->target == NULL || at == SIZE_MAX || (!r->is_named && r->target->name != NULL))
        return false; /* a name that was put behind it */
    for (int i = 0; i < r->place; i++)
        at = gh_write_value_end(j, at + 1, end);
    after = gh_write_value_end(j, at + 1, end);
    if (r->is_named) {
        const gh_token *t = &j->text->tokens[after - 2];

        after -= t->kind == GH_TOKEN_KEYWORD && strcmp(t->text, "as") == 0 ? 2 : 1;
    }
    before = gh_judge_printf("CASE WHEN CASE WHEN %s THEN false ELSE %s END THEN NULL ELSE (",
                             condition, gh_write_failure("\"pg_catalog\".\"bool\""));
    behind = r->is_named || r->name == NULL
                 ? ") END"
                 : gh_judge_printf(") END AS %s", gh_judge_ident(j, gh_str_of(r->name)));
    tree = gh_judge_parse_expr(j, gh_judge_printf("%s$0) END", before));
    if (tree == NULL)
        return false;
    gh_judge_fill(&tree, r->target->val);
    r->target->val = tree;
    if (!r->is_named && r->name != NULL)
        r->target->name = pstrdup(r->name);
    /* In place of the comma or RETURNING, since a name behind it may have been given its schema there. */
    gh_judge_edit(j, at, at + 1,
                  gh_judge_printf("%s %s", r->place == 0 ? "RETURNING" : ",", before));
    gh_judge_edit(j, after, after, behind);
    j->plan->checks_rows = true;
    return true;
}

/* Where the answer may have no column more: in a column that is returned anyway. */
static bool check_in_place(gh_judge *j, gh_item *target, const char *condition, List *returning)
{
    ListCell *cell;

    foreach (cell, returning) {
        ResTarget *t = lfirst_node(ResTarget, cell);

        if (t == target->star_target
                ? check_in_star(j, target, condition)
                : target->star_target == NULL && check_in_column(j, condition, t)) {
            j->plan->checks_rows = true;
            return true;
        }
    }
    return false;
}

static List *check_in_column_of_ours(gh_judge *j, const char *condition, List *returning,
                                     size_t end, bool is_top)
{
    char *check = gh_judge_printf("CASE WHEN %s THEN NULL ELSE " CHECK_FAILS " END", condition);
    ResTarget *t = makeNode(ResTarget);

    t->val = gh_judge_parse_expr(j, check);
    gh_judge_edit(j, end, end, gh_judge_printf(returning == NIL ? "RETURNING %s" : ", %s", check));
    j->plan->checks_rows = true;
    if (is_top) {
        j->plan->strips_result = returning == NIL;
        j->plan->strips_column = returning != NIL;
    }
    return lappend(returning, t);
}

List *gh_write_check(gh_judge *j, gh_item *target, const char *condition, List *returning,
                     size_t end, bool is_top)
{
    bool may_fail = returning != NIL && target->returned.may_fail;

    if (j->rc != GH_OK || condition[0] == '\0')
        return returning;
    if (!may_fail && (returning == NIL || is_top))
        return check_in_column_of_ours(j, condition, returning, end, is_top);
    if ((may_fail || !check_in_place(j, target, condition, returning)) &&
        !check_before_value(j, target, condition, end))
        gh_judge_refuse(
            j, GH_DENIED, "42501", target->var->location,
            "this write is not allowed here unless RETURNING names a column, in which its rows "
            "can be checked");
    return returning;
}
