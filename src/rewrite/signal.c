/*
 * pg_cancel_backend and pg_terminate_backend. A client knows a session of the proxy's by the process id that it was
 * told at login, and may end what its own user runs: so the upstream is asked for the process id alone, and whoever
 * relays the answer (session/answer.c) sends the signal and shows the boolean.
 *
 *     SELECT pg_cancel_backend(x)   ─▶   SELECT (SELECT CAST(gh.a1 AS int8) AS "pg_cancel_backend"
 *                                                FROM (SELECT CAST((x) AS int4)) AS gh (a1))
 *
 * Superset asks it of the row of pg_stat_activity that has the process id, where only the own session's row is. Since
 * whoever relays knows whose sessions there are, the row need not be there:
 *
 *     ... FROM pg_stat_activity WHERE pid = '4711'   ─▶   ... FROM (SELECT CAST('4711' AS int4) AS pid) ... WHERE pid = '4711'
 *
 * SECURITY: upstream all sessions belong to one role, which may end each of them; neither function is ever
 * called there. Attack: tests/protocol/signals.
 */
#include "allow.h"
#include "fence.h"
#include "judge.h"

/* Is the call the one column of the final result, so that a row of it is one evaluation? */
static bool is_result(const gh_judge *j, const FuncCall *f)
{
    const SelectStmt *s = j->block->select;

    return !j->is_from_function && gh_reg_is_kept_in(j->block) && s != NULL &&
           s->op == SETOP_NONE && s->distinctClause == NIL && list_length(s->targetList) == 1 &&
           linitial_node(ResTarget, s->targetList)->val == (const Node *)f;
}

static bool is_pid(gh_judge *j, const Node *n, const gh_item *item)
{
    gh_item *found = NULL;
    const gh_column *c =
        n != NULL && IsA(n, ColumnRef) ? gh_judge_bind(j, (const ColumnRef *)n, &found) : NULL;

    return c != NULL && found == item && gh_str_is(c->name, "pid");
}

static const char *number_of(gh_judge *j, const Node *n)
{
    const A_Const *c = (const A_Const *)n;

    if (n == NULL || !IsA(n, A_Const) || c->isnull)
        return NULL;
    if (IsA(&c->val, Integer))
        return gh_judge_printf("%d", c->val.ival.ival);
    return IsA(&c->val, String) ? gh_judge_literal(j, gh_str_of(c->val.sval.sval)) : NULL;
}

static void note_signalled(gh_judge *j, const FuncCall *f)
{
    const SelectStmt *s = j->block->select;
    const A_Expr *e = (const A_Expr *)s->whereClause;
    gh_item *item = list_length(j->block->items) == 1 ? linitial(j->block->items) : NULL;

    if (item == NULL || item->system == NULL || e == NULL || !IsA(e, A_Expr) ||
        e->kind != AEXPR_OP || strcmp(strVal(llast(e->name)), "=") != 0 ||
        !gh_str_is(item->relation->name, "pg_stat_activity") ||
        !is_pid(j, linitial(f->args), item) || !is_pid(j, e->lexpr, item))
        return;
    item->signalled = number_of(j, e->rexpr);
    j->reads_literal = j->reads_literal || item->signalled != NULL;
}

void gh_signal_call(gh_judge *j, Node **slot, size_t first, const size_t *delimiters)
{
    FuncCall *f = (FuncCall *)*slot;
    const char *name = strVal(llast(f->funcname));
    int args = list_length(f->args);
    char *prefix = gh_judge_printf("(SELECT CAST(gh.a1 AS pg_catalog.int8) AS \"%s\" FROM (SELECT "
                                   "CAST((",
                                   name);
    const char *between = ") AS pg_catalog.int4), CAST((";
    const char *suffix =
        args == 1 ? ") AS pg_catalog.int4)) AS gh (a1))" : ") AS pg_catalog.int8)) AS gh (a1, a2))";

    if (!is_result(j, f)) {
        gh_judge_refuse(j, GH_DENIED, "42501", f->location,
                        "function %s is not allowed here: ask for it alone, SELECT %s(...)", name,
                        name);
        return;
    }
    note_signalled(j, f);
    j->plan->signal =
        strcmp(name, "pg_cancel_backend") == 0 ? GH_SIGNAL_CANCEL : GH_SIGNAL_TERMINATE;
    gh_judge_edit(j, first, delimiters[0] + 1, prefix);
    if (args == 2)
        gh_judge_edit(j, delimiters[1], delimiters[1] + 1, between);
    gh_judge_edit(j, delimiters[args], delimiters[args] + 1, suffix);
    *slot = gh_function_build_list(j,
                                   gh_judge_printf("%s$1%s%s%s", prefix, args == 2 ? between : "",
                                                   args == 2 ? "$2" : "", suffix),
                                   f->args);
}
