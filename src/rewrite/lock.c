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
