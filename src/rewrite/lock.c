/*
 * SELECT ... FOR UPDATE. Over a sub-select it would lock every row that the fence reads, whatever the client
 * asked for; so the one table that it locks stays as it is, as the target of a write does, and the query's
 * references are replaced in place. Locks take the update privilege, as in PostgreSQL.
 */
#include "judge.h"

static bool is_candidate(const gh_judge *j, const SelectStmt *s)
{
    return s->lockingClause != NIL && j->block->is_output && j->block->outer->outer == NULL &&
           list_length(s->fromClause) == 1 && IsA(linitial(s->fromClause), RangeVar) &&
           s->groupClause == NIL && s->havingClause == NULL && s->distinctClause == NIL &&
           s->windowClause == NIL && s->withClause == NULL && j->end > j->first &&
           j->text->tokens[j->first].kind == GH_TOKEN_KEYWORD &&
           strcmp(j->text->tokens[j->first].text, "select") == 0;
}

bool gh_judge_locked_select(gh_judge *j, SelectStmt *s)
{
    RangeVar *v;
    gh_item probe = { 0 };
    gh_item *target;
    char *condition;
    size_t where;
    size_t end;

    if (!is_candidate(j, s))
        return false;
    v = linitial_node(RangeVar, s->fromClause);
    probe.var = v;
    if (!gh_relation_lookup(j, &probe) || probe.decision == NULL || probe.decision->is_full ||
        (probe.decision->privileges & GH_SELECT) == 0 || strchr("rp", probe.relation->kind) == NULL)
        return false; /* refused, or allowed as it is, where every FROM is */
    target = gh_write_add_target(j, v, GH_UPDATE);
    if (target == NULL)
        return true;
    target->privilege = GH_SELECT;
    s->targetList = gh_write_returning(j, target, s->targetList);
    gh_judge_condition(j, &s->whereClause);
    condition = j->rc == GH_OK ? gh_relation_row_condition(j, target) : NULL;
    if (condition == NULL)
        return true;
    where = gh_write_find_keyword(j, target->end, j->end, "where");
    end = gh_judge_clause_end(j, where != SIZE_MAX ? where : target->end);
    gh_judge_push_write(j, NIL, s->whereClause);
    gh_write_guard_where(j, target, &s->whereClause, where, end, condition);
    return true;
}

/* ---- everything else that locks rows ----------------------------------------------------------- */

/* Is it a sub-select that the clause locks the rows of? Without names it locks those of all. */
static bool locks_query(const Node *n, const List *names)
{
    const Alias *alias;
    ListCell *cell;

    if (n == NULL)
        return false;
    if (IsA(n, JoinExpr))
        return locks_query(((const JoinExpr *)n)->larg, names) ||
               locks_query(((const JoinExpr *)n)->rarg, names);
    if (!IsA(n, RangeSubselect))
        return false;
    alias = ((const RangeSubselect *)n)->alias;
    foreach (cell, names) {
        if (alias != NULL && strcmp(lfirst_node(RangeVar, cell)->relname, alias->aliasname) == 0)
            return true;
    }
    return names == NIL;
}

/*
 * SECURITY: PostgreSQL locks through a sub-select whatever is read in it, without asking for any privilege but
 * the upstream account's. Attack: tests/attack writes.
 */
static void refuse_locked_queries(gh_judge *j, const SelectStmt *s)
{
    ListCell *clause;
    ListCell *item;

    foreach (clause, s->lockingClause) {
        foreach (item, s->fromClause) {
            if (locks_query(lfirst(item), lfirst_node(LockingClause, clause)->lockedRels))
                gh_judge_refuse(j, GH_DENIED, "42501", -1,
                                "row locks on a sub-select are not allowed");
        }
    }
}

/*
 * FOR UPDATE of a sub-select would lock what the fence reads, not what the client names, so only
 * relations that stand as they are may be locked.
 */
void gh_judge_locking(gh_judge *j, const SelectStmt *s)
{
    ListCell *cell;

    if (s->lockingClause == NIL)
        return;
    refuse_locked_queries(j, s);
    foreach (cell, j->block->items) {
        const gh_item *item = lfirst(cell);

        if (item->relation == NULL)
            continue;
        if (item->decision == NULL || !item->decision->is_full ||
            (item->decision->privileges & GH_UPDATE) == 0) {
            gh_judge_refuse(j, GH_DENIED, "42501", -1,
                            "row locks on a relation that the policy filters are not allowed");
            return;
        }
    }
    foreach (cell, s->lockingClause) {
        ListCell *name;

        foreach (name, lfirst_node(LockingClause, cell)->lockedRels) {
            if (lfirst_node(RangeVar, name)->schemaname != NULL)
                gh_judge_refuse(j, GH_INVALID, "42601", lfirst_node(RangeVar, name)->location,
                                "row locks must specify unqualified relation names");
        }
    }
}
