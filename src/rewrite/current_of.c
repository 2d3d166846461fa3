/*
 * UPDATE and DELETE ... WHERE CURRENT OF. The grammar lets no other condition stand beside it, so the row that the
 * cursor is on is checked where its values are read:
 *
 *     UPDATE ops.tickets SET hits = hits + 1 WHERE CURRENT OF c
 *       SET         hits = CASE WHEN <row condition> THEN (hits + 1) ELSE <fails> END    where it reads the row
 *       RETURNING   CASE WHEN <row condition> THEN NULL ELSE <fails> END
 *
 * RETURNING sees the row that is deleted, and of one that is updated the columns that stay. Where a column is written that
 * the row condition reads, it sees the new row alone, which is checked there as by any UPDATE, and some value of SET checks
 * the old one, whatever it reads.
 *
 * SECURITY: the row was visible when the cursor found it, but somebody else may have changed it since, or a function
 * that the policy allows may have opened the cursor. Attack: tests/integration/checked_writes, CurrentOf.
 */
#include "overload.h"
#include "write.h"

bool gh_write_is_current(const Node *where)
{
    return where != NULL && IsA(where, CurrentOfExpr);
}

static void refuse(gh_judge *j, const gh_item *target, const char *why)
{
    gh_judge_refuse(j, GH_DENIED, "42501", target->var->location,
                    "WHERE CURRENT OF is not allowed here, since %s", why);
}

/*
 * CASE in place of the value. It is of the value's own type where that is known, as assignment may cast where CASE does
 * not; a literal takes the column's type from the other arm.
 */
static void guard_value(gh_judge *j, const gh_item *target, ResTarget *t, size_t end,
                        const char *condition)
{
    const gh_column *c = gh_relation_column(target->relation, gh_str_of(t->name));
    size_t name = gh_judge_token(j, t->location);
    gh_oid type = gh_infer_type(j, t->val);
    const char *before = gh_judge_printf("CASE WHEN %s THEN (", condition);
    const char *behind =
        type == 0 || type == GH_OID_UNKNOWN
            ? gh_judge_printf(") ELSE %s END", gh_write_failure(gh_judge_cstr(c->type_sql)))
            : gh_judge_printf(") WHEN %s THEN NULL END",
                              gh_write_failure("\"pg_catalog\".\"bool\""));
    Node *tree = gh_judge_parse_expr(j, gh_judge_printf("%s$0%s", before, behind));
    size_t after;

    if (name == SIZE_MAX || tree == NULL)
        return;
    after = gh_write_value_end(j, name + 2, end);
    gh_judge_fill(&tree, t->val);
    t->val = tree;
    /* In place of `=`, since a name behind it may have been given its schema there. */
    gh_judge_edit(j, name + 1, name + 2, gh_judge_printf("= %s", before));
    gh_judge_edit(j, after, after, behind);
}

static bool can_be_guarded(const ResTarget *t)
{
    return t->indirection == NIL && !IsA(t->val, MultiAssignRef) && !IsA(t->val, SetToDefault);
}

void gh_write_guard_sets(gh_judge *j, const gh_item *target, const UpdateStmt *s,
                         bool is_checked_elsewhere, size_t where, const char *condition)
{
    bool is_checked = is_checked_elsewhere || condition[0] == '\0';
    ListCell *cell;

    foreach (cell, s->targetList) {
        ResTarget *t = lfirst_node(ResTarget, cell);
        bool may_fail = IsA(t->val, MultiAssignRef) || gh_write_reads_column(t->val);

        if (j->rc != GH_OK || condition[0] == '\0')
            return;
        if (may_fail && (!can_be_guarded(t) || s->fromClause != NIL)) {
            refuse(j, target, "a value that it sets may fail");
        } else if (may_fail || (!is_checked && can_be_guarded(t))) {
            guard_value(j, target, t, where, condition);
            is_checked = true;
        }
    }
    if (!is_checked)
        refuse(j, target, "no value that it sets can check the row");
}
