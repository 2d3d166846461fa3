/*
 * SELECT ... FOR UPDATE. Locks take the update privilege, as in PostgreSQL, and only what the query finds may be
 * locked:
 *
 *     one filtered table     stays as it is, as the target of a write does; the query's references are replaced in place
 *     several of them        PostgreSQL pulls a sub-select without a fence up into its query, and then locks what comes out
 *                            of the joins; a fenced one would be locked as a whole, so that is refused, unless the tables
 *                            can stand as they are, with the client's WHERE behind their filters: flat.c. For that, stars
 *                            are columns by their names
 *     a sub-select           PostgreSQL locks what is in it; so the clause is written into it, and judged there
 */
#include "fence.h"
#include "judge.h"
#include "write.h"

/* TABLE t has no star in its text that could be replaced. */
static bool is_table_command(const SelectStmt *s)
{
    return s->targetList != NIL && linitial_node(ResTarget, s->targetList)->location < 0;
}

static bool is_candidate(const SelectStmt *s)
{
    return s->lockingClause != NIL && !is_table_command(s) && list_length(s->fromClause) == 1 &&
           IsA(linitial(s->fromClause), RangeVar) && s->groupClause == NIL &&
           s->havingClause == NULL && s->distinctClause == NIL && s->windowClause == NIL;
}

size_t gh_lock_query_end(const gh_judge *j, size_t from)
{
    for (size_t i = from; i < j->end; i++) {
        const gh_token *t = &j->text->tokens[i];

        if (t->kind != GH_TOKEN_SELF)
            continue;
        if (t->text[0] == ')' || t->text[0] == ';')
            return i;
        if (t->text[0] == '(' || t->text[0] == '[')
            i = gh_sql_token_closing(j->text, i);
        if (i == SIZE_MAX)
            break;
    }
    return j->end;
}

/*
 * SECURITY: PostgreSQL pushes conditions of a query around it into a sub-select, below its locks, and may run them on a
 * row before the row condition. OFFSET keeps them out. Attack: tests/integration/checked_writes, Locks.
 */
size_t gh_judge_keep_conditions_out(gh_judge *j, SelectStmt *s, size_t from)
{
    const SelectStmt *parsed;
    size_t place;

    if (j->block->outer->outer == NULL || s->limitCount != NULL || s->limitOffset != NULL)
        return 0;
    parsed = (const SelectStmt *)gh_judge_parse_query(j, "SELECT 1 OFFSET 0");
    if (parsed == NULL)
        return 0;
    s->limitOffset = parsed->limitOffset;
    s->limitOption = parsed->limitOption;
    place = gh_write_find_keyword(j, from, gh_lock_query_end(j, from), "for");
    return place != SIZE_MAX ? place : gh_lock_query_end(j, from);
}

static void keep_conditions_out(gh_judge *j, SelectStmt *s, const gh_item *target)
{
    size_t place = gh_judge_keep_conditions_out(j, s, target->end);

    if (place != 0)
        gh_judge_edit(j, place, place, "OFFSET 0");
}

bool gh_judge_locked_select(gh_judge *j, SelectStmt *s)
{
    RangeVar *v;
    gh_item probe = { 0 };
    gh_item *target;
    char *condition;
    size_t where;
    size_t end;

    if (!is_candidate(s))
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
    where = gh_write_find_keyword(j, target->end, gh_lock_query_end(j, target->end), "where");
    end = gh_judge_clause_end(j, where != SIZE_MAX ? where : target->end);
    gh_judge_push_write(j, NIL, s->whereClause);
    gh_write_guard_where(j, target, &s->whereClause, where, end, condition);
    keep_conditions_out(j, s, target);
    return true;
}

/* ---- stars ----------------------------------------------------------------------------------------- */

/* All that shows of it shows in clear, and may be named one by one. */
static bool is_nameable(const gh_judge *j, const gh_item *item)
{
    bool has_any = false;

    if (item->relation == NULL || item->decision == NULL || item->is_renamed ||
        strchr("rp", item->relation->kind) == NULL || gh_relation_stands(item))
        return false;
    for (size_t i = 0; i < item->relation->column_count; i++) {
        gh_show show = item->decision->columns[i].show;

        has_any |= show != GH_HIDDEN;
        if (show != GH_HIDDEN &&
            (show != GH_CLEAR || gh_reg_is(gh_catalog_type_by_oid(
                                     j->in->catalog, item->relation->columns[i].type_oid))))
            return false;
    }
    return has_any;
}

static List *name_columns(const gh_judge *j, const gh_item *item, List *names)
{
    const char *alias =
        gh_judge_ident(j, gh_str_of(item->invented != NULL ? item->invented : item->alias));

    if (!is_nameable(j, item))
        return lappend(names, gh_judge_printf("%s.*", alias));
    for (size_t i = 0; i < item->relation->column_count; i++) {
        if (item->decision->columns[i].show != GH_HIDDEN)
            names =
                lappend(names, gh_judge_printf("%s.%s", alias,
                                               gh_judge_ident(j, item->relation->columns[i].name)));
    }
    return names;
}

/* SQL for `alias.*` or `*`; NULL where it is neither, or is to stay. */
static char *named_star(gh_judge *j, const Node *n)
{
    const ColumnRef *ref = (const ColumnRef *)n;
    const gh_item *only = NULL;
    List *names = NIL;
    bool names_any = false;
    ListCell *cell;

    if (!IsA(ref, ColumnRef) || !IsA(llast(ref->fields), A_Star) || ref->location < 0) /* TABLE t */
        return NULL;
    if (list_length(ref->fields) > 1) {
        only = gh_reference_item(j, ref);
        if (only == NULL)
            return NULL;
    }
    foreach (cell, j->block->items) {
        const gh_item *item = lfirst(cell);

        if (item->is_covered || item->is_join || item->alias == NULL)
            return NULL;
        if (only != NULL && item != only)
            continue;
        names_any |= is_nameable(j, item);
        names = name_columns(j, item, names);
    }
    return names_any ? gh_judge_join(names, ", ") : NULL;
}

/* The columns judged later have the place of the star. */
static List *columns_of(gh_judge *j, const ColumnRef *star, const char *sql)
{
    const SelectStmt *s =
        (const SelectStmt *)gh_judge_parse_query(j, gh_judge_printf("SELECT %s", sql));
    ListCell *cell;

    foreach (cell, s == NULL ? NIL : s->targetList) {
        ResTarget *t = lfirst_node(ResTarget, cell);

        t->location = star->location;
        ((ColumnRef *)t->val)->location = star->location;
    }
    return s == NULL ? NIL : s->targetList;
}

void gh_judge_locked_stars(gh_judge *j, SelectStmt *s)
{
    List *out = NIL;
    ListCell *cell;

    if (s->lockingClause == NIL || j->block->merges_columns)
        return;
    foreach (cell, s->targetList) {
        ResTarget *t = lfirst_node(ResTarget, cell);
        char *sql = named_star(j, t->val);

        if (sql == NULL) {
            out = lappend(out, t);
            continue;
        }
        gh_write_edit_star(j, (const ColumnRef *)t->val, t->name, sql);
        out = list_concat(out, columns_of(j, (const ColumnRef *)t->val, sql));
    }
    s->targetList = out;
}

/* ---- everything else that locks rows ----------------------------------------------------------- */

/* Without names a clause is about all of FROM. */
static bool is_meant(const List *names, const char *alias)
{
    ListCell *cell;

    foreach (cell, names) {
        if (alias != NULL && strcmp(lfirst_node(RangeVar, cell)->relname, alias) == 0)
            return true;
    }
    return names == NIL;
}

/*
 * SECURITY: PostgreSQL locks through a sub-select whatever is read in it, without asking for any privilege but
 * the upstream account's. Attack: tests/attack writes.
 */
static void refuse(gh_judge *j, int location, const char *what, const char *why)
{
    if (j->rc != GH_OK)
        return;
    gh_judge_refuse(j, GH_DENIED, "42501", location, "row locks on %s", what);
    (void)snprintf(j->err->hint, sizeof(j->err->hint), "%s", why);
}

const char *gh_lock_clause_text(const LockingClause *c, const char *names)
{
    const char *strength = c->strength == LCS_FORKEYSHARE      ? "KEY SHARE"
                           : c->strength == LCS_FORSHARE       ? "SHARE"
                           : c->strength == LCS_FORNOKEYUPDATE ? "NO KEY UPDATE"
                                                               : "UPDATE";

    return gh_judge_printf("FOR %s%s%s", strength, names,
                           c->waitPolicy == LockWaitError  ? " NOWAIT"
                           : c->waitPolicy == LockWaitSkip ? " SKIP LOCKED"
                                                           : "");
}

size_t gh_lock_closing(gh_judge *j, const SelectStmt *s)
{
    const ResTarget *t = s->targetList == NIL ? NULL : linitial_node(ResTarget, s->targetList);
    const RangeVar *v = s->fromClause == NIL ? NULL : linitial(s->fromClause);
    int location = t != NULL && t->location >= 0   ? t->location
                   : v != NULL && IsA(v, RangeVar) ? v->location
                                                   : -1;
    size_t first = location < 0 ? SIZE_MAX : gh_judge_token(j, location);
    size_t end = first == SIZE_MAX ? j->end : gh_lock_query_end(j, first);

    return end < j->end && strcmp(j->text->tokens[end].text, ")") == 0 ? end : SIZE_MAX;
}

/* In place of the bracket, so that it stands behind whatever else is put into the query. */
static void lock_query(gh_judge *j, SelectStmt *s, const List *clauses, const char *alias)
{
    size_t end = gh_lock_closing(j, s);
    const char *text = "";
    ListCell *cell;

    foreach (cell, clauses) {
        const LockingClause *c = lfirst_node(LockingClause, cell);
        LockingClause *own = makeNode(LockingClause);

        own->strength = c->strength;
        own->waitPolicy = c->waitPolicy;
        if (!is_meant(c->lockedRels, alias))
            continue;
        s->lockingClause = lappend(s->lockingClause, own);
        text = gh_judge_printf("%s%s ", text, gh_lock_clause_text(c, ""));
    }
    if (text[0] == '\0')
        return;
    if (s->op != SETOP_NONE)
        gh_judge_refuse(j, GH_INVALID, "0A000", -1,
                        "row locks are not allowed with UNION/INTERSECT/EXCEPT");
    else if (end == SIZE_MAX)
        refuse(j, -1, "this sub-select are not allowed",
               "Lock inside of the sub-select, or name the tables to lock by OF.");
    else
        gh_judge_edit(j, end, end + 1, gh_judge_printf("%s)", text));
    j->locked_outside = lappend(j->locked_outside, s);
}

static void lock_queries(gh_judge *j, Node *n, const List *clauses)
{
    const RangeSubselect *s = (const RangeSubselect *)n;

    if (n == NULL || j->rc != GH_OK)
        return;
    if (IsA(n, JoinExpr)) {
        lock_queries(j, ((JoinExpr *)n)->larg, clauses);
        lock_queries(j, ((JoinExpr *)n)->rarg, clauses);
    } else if (IsA(n, RangeSubselect) && IsA(s->subquery, SelectStmt) &&
               ((const SelectStmt *)s->subquery)->valuesLists == NIL) {
        lock_query(j, (SelectStmt *)s->subquery, clauses,
                   s->alias != NULL ? s->alias->aliasname : NULL);
    }
}

void gh_judge_lock_queries(gh_judge *j, SelectStmt *s)
{
    ListCell *cell;

    foreach (cell, s->lockingClause == NIL ? NIL : s->fromClause)
        lock_queries(j, lfirst(cell), s->lockingClause);
}

static void lock_item(gh_judge *j, gh_item *item)
{
    if (item->decision == NULL || (item->decision->privileges & GH_UPDATE) == 0) {
        gh_judge_refuse(j, GH_DENIED, "42501", item->var->location,
                        "permission denied for table %s", item->var->relname);
        return;
    }
    if (!item->decision->is_full &&
        (item->decision->is_through || strchr("rp", item->relation->kind) == NULL)) {
        refuse(j, -1, "a view that the policy filters are not allowed",
               "Lock rows of the tables that the view is made of, or name other tables by OF.");
        return;
    }
    item->is_locked = true;
}

void gh_judge_locking(gh_judge *j, const SelectStmt *s)
{
    ListCell *cell;
    ListCell *name;

    if (s->lockingClause == NIL)
        return;
    foreach (cell, s->lockingClause) {
        const List *names = lfirst_node(LockingClause, cell)->lockedRels;

        foreach (name, names) {
            if (lfirst_node(RangeVar, name)->schemaname != NULL)
                gh_judge_refuse(j, GH_INVALID, "42601", lfirst_node(RangeVar, name)->location,
                                "row locks must specify unqualified relation names");
        }
        foreach (name, j->block->items) {
            gh_item *item = lfirst(name);

            if (item->relation != NULL && !item->is_target && j->rc == GH_OK &&
                is_meant(names, item->alias))
                lock_item(j, item);
        }
    }
}

void gh_judge_locked_item(gh_judge *j, const gh_item *item)
{
    if (item->is_locked && (gh_judge_is_fenced(j, item) || item->is_volatile))
        refuse(j, -1,
               gh_judge_printf("table %s are not allowed here, since a condition may fail "
                               "and the policy filters its rows",
                               item->var->relname),
               "Move what may fail from ON to WHERE, and name columns of the table one by one; or "
               "find the "
               "keys first, and lock by them.");
}
