/*
 * Queries around which no fence can stand, through which the planner would see the statistics of a filtered table:
 *
 *     FROM (SELECT ... FOR UPDATE) q                      ─▶   FROM (WITH gh AS (SELECT ... FOR UPDATE) <both of gh>) q
 *     WITH w AS (DELETE ... RETURNING x) ... FROM w q     ─▶   FROM (<both of w>) q
 *
 *     <both of gh>:  SELECT * FROM gh UNION ALL SELECT * FROM gh WHERE false OFFSET 0
 *
 * A set operation keeps them from it, as in relation.c; of a query that is named by WITH, a second arm needs no types.
 *
 * SECURITY: an operator that fails for some values is run over the most common ones, hidden ones too, where a condition outside
 * compares what comes out: LIKE 'x_\' asks for one that begins with an x. Attack: tests/attack statistics.
 */
#include "apart.h"

#include "join_on.h"
#include "overload.h"
#include "write.h"

#define BOTH_OF(name) "SELECT * FROM " name " UNION ALL SELECT * FROM " name " WHERE false OFFSET 0"

/* A query whose rows are locked, or the name of a write's RETURNING. */
typedef struct gh_apart {
    const gh_block *block;
    SelectStmt *query; /* NULL: it is a name... */
    Node **slot;       /* ...which hangs here */
    size_t first;      /* tokens: the query's brackets, or the name */
    size_t end;
} gh_apart;

static void note(gh_judge *j, gh_apart a)
{
    gh_apart *kept = palloc(sizeof(*kept));

    *kept = a;
    j->apart = lappend(j->apart, kept);
}

/* Of INSERT the query has nothing around it but the block of its rows, and may have no brackets. */
static bool is_inserted(const gh_block *rows, const SelectStmt *s)
{
    const InsertStmt *write = (const InsertStmt *)rows->outer->write;

    return write != NULL && IsA(write, InsertStmt) && write->selectStmt == (const Node *)s;
}

void gh_apart_note_query(gh_judge *j, const gh_block *block, SelectStmt *s)
{
    size_t close;

    if (s->lockingClause == NIL || s->targetList == NIL || block->outer->outer == NULL ||
        is_inserted(block->outer, s))
        return;
    close = gh_lock_closing(j, s);
    note(j, (gh_apart){ .block = block,
                        .query = s,
                        .first = close == SIZE_MAX ? close : gh_join_on_opening(j, close),
                        .end = close });
}

void gh_apart_note_name(gh_judge *j, Node **slot)
{
    size_t first = gh_judge_token(j, ((const RangeVar *)*slot)->location);

    if (j->rc == GH_OK)
        note(j, (gh_apart){ .block = j->block, .slot = slot, .first = first, .end = first + 1 });
}

/* ---- what stands there ---------------------------------------------------------------------------- */

static bool is_one_of(const List *all, const SelectStmt *s)
{
    ListCell *cell;

    foreach (cell, all) {
        if (lfirst(cell) == s)
            return true;
    }
    return false;
}

/* The block whose clause PostgreSQL would take to what stands here, a set operation, which may not be locked; NULL: none is. */
static const gh_block *locked_by(const gh_judge *j, const gh_apart *a)
{
    const gh_block *b = a->query != NULL ? a->block->outer : a->block;
    bool is_locked = a->query != NULL ? is_one_of(j->locked_outside, a->query)
                                      : b->select != NULL && b->select->lockingClause != NIL;

    return is_locked && !is_one_of(j->clauses_told, b->select) ? b : NULL;
}

/* The words of the clauses begin here; SIZE_MAX: that is not known, or one came from further out. */
static size_t clauses_begin(gh_judge *j, const SelectStmt *s)
{
    int location = s->targetList == NIL ? -1 : linitial_node(ResTarget, s->targetList)->location;
    size_t first = location < 0 ? SIZE_MAX : gh_judge_token(j, location);

    return first == SIZE_MAX || is_one_of(j->locked_outside, s)
               ? SIZE_MAX
               : gh_write_find_keyword(j, first, gh_lock_query_end(j, first), "for");
}

/* Behind FOR UPDATE OF a, b SKIP LOCKED and others that follow. */
static size_t clauses_end(const gh_judge *j, size_t i)
{
    static const char *const words[] = { "for", "update", "no",   "key",    "share",
                                         "of",  "nowait", "skip", "locked", "," };
    bool is_clause = true;

    while (is_clause && i < j->end) {
        is_clause = gh_operator_is_word(j, i - 1, "of") || gh_operator_is_word(j, i - 1, ",");
        for (size_t k = 0; k < GH_COUNT(words); k++)
            is_clause = is_clause || gh_operator_is_word(j, i, words[k]);
        i += is_clause;
    }
    return i;
}

static bool is_named(const List *names, const gh_item *item)
{
    ListCell *cell;

    foreach (cell, names) {
        if (item->alias != NULL && strcmp(lfirst_node(RangeVar, cell)->relname, item->alias) == 0)
            return true;
    }
    return names == NIL;
}

/* The relations beside the queries, which have the clause by now, each by its name; *is_known: all have one. */
static const char *name_relations(gh_judge *j, const gh_block *b, LockingClause *c, bool *is_known)
{
    List *names = NIL;
    const char *text = "";
    ListCell *cell;

    foreach (cell, b->items) {
        const gh_item *item = lfirst(cell);
        const char *name = item->invented != NULL ? item->invented : item->alias;
        RangeVar *v;

        if (item->relation == NULL || !is_named(c->lockedRels, item))
            continue;
        if (name == NULL) {
            *is_known = false;
            return "";
        }
        v = makeNode(RangeVar);
        v->relname = pstrdup(name);
        v->inh = true;
        v->relpersistence = 'p';
        v->location = -1;
        names = lappend(names, v);
        text = gh_judge_printf("%s%s%s", text, text[0] == '\0' ? " OF " : ", ",
                               gh_judge_ident(j, gh_str_of(name)));
    }
    c->lockedRels = names;
    return text;
}

/* Writes the clauses of a query anew, about the relations beside its queries alone; false: it cannot be said. */
static bool tell_clauses(gh_judge *j, const gh_block *b)
{
    SelectStmt *s = (SelectStmt *)(uintptr_t)b->select;
    size_t at = clauses_begin(j, s);
    bool is_known = at != SIZE_MAX;
    const char *text = "";
    List *kept = NIL;
    ListCell *cell;

    foreach (cell, is_known ? s->lockingClause : NIL) {
        LockingClause *c = lfirst_node(LockingClause, cell);
        const char *names = name_relations(j, b, c, &is_known);

        if (!is_known)
            return false;
        if (names[0] == '\0')
            continue;
        kept = lappend(kept, c);
        text = gh_judge_printf("%s%s%s", text, text[0] == '\0' ? "" : " ",
                               gh_lock_clause_text(c, names));
    }
    if (!is_known)
        return false;
    s->lockingClause = kept;
    j->clauses_told = lappend(j->clauses_told, s);
    gh_judge_edit(j, at, clauses_end(j, at), text);
    return true;
}

/* Does it read a table of which not every row shows? A name may stand for one. */
static bool is_filtered(const gh_apart *a)
{
    ListCell *cell;

    foreach (cell, a->query != NULL ? a->block->items : NIL) {
        const gh_item *item = lfirst(cell);

        if (item->decision != NULL && !item->decision->is_full)
            return true;
    }
    return a->query == NULL;
}

static void place_query(gh_judge *j, const gh_apart *a)
{
    SelectStmt *own = palloc(sizeof(*own));
    SelectStmt *around =
        (SelectStmt *)gh_judge_parse_query(j, "WITH gh AS (SELECT) " BOTH_OF("gh"));

    if (around == NULL)
        return;
    *own = *a->query;
    linitial_node(CommonTableExpr, around->withClause->ctes)->ctequery = (Node *)own;
    *a->query = *around;
    gh_judge_edit(j, a->first, a->first + 1, "(WITH gh AS (");
    for (size_t i = 0; i < j->edit_count; i++) {
        gh_edit *e = &j->edits[i].edit;

        if (e->first != a->end || e->end != a->end + 1)
            continue;
        e->text = gh_judge_printf("%s " BOTH_OF("gh") ")", e->text); /* a clause from outside */
        return;
    }
    gh_judge_edit(j, a->end, a->end + 1, ") " BOTH_OF("gh") ")");
}

static void place_name(gh_judge *j, const gh_apart *a)
{
    RangeVar *v = (RangeVar *)*a->slot;
    const char *name = gh_judge_ident(j, gh_str_of(v->relname));
    char *sql = gh_judge_printf(
        "(SELECT * FROM %s UNION ALL SELECT * FROM %s WHERE false OFFSET 0)", name, name);
    RangeSubselect *node =
        (RangeSubselect *)gh_judge_parse_item(j, gh_judge_printf("%s AS gh", sql));
    bool is_command = a->first > 0 && gh_operator_is_word(j, a->first - 1, "table");

    if (node == NULL)
        return;
    if (is_command) /* TABLE w */
        gh_judge_edit(j, a->first - 1, a->first, "SELECT * FROM");
    if (v->alias != NULL)
        node->alias = v->alias;
    else
        node->alias->aliasname = v->relname;
    gh_judge_edit(j, a->first, a->end,
                  v->alias != NULL ? sql : gh_judge_printf("%s AS %s", sql, name));
    *a->slot = (Node *)node;
}

void gh_apart_place(gh_judge *j)
{
    /* Of one query in another the inner one first: what is around it has its tree still. */
    for (int i = j->asks_statistics ? list_length(j->apart) : 0; i-- > 0 && j->rc == GH_OK;) {
        const gh_apart *a = list_nth(j->apart, i);
        const gh_block *by = locked_by(j, a);

        if (!is_filtered(a))
            continue;
        if (a->first == SIZE_MAX || a->end == SIZE_MAX || (by != NULL && !tell_clauses(j, by))) {
            gh_judge_refuse(
                j, GH_DENIED, "42501", -1,
                "row locks on this sub-select are not allowed beside patterns and other "
                "operators of its values");
            (void)snprintf(j->err->hint, sizeof(j->err->hint),
                           "Lock inside of the sub-select, or name the tables to lock by OF.");
        } else if (a->query != NULL) {
            place_query(j, a);
        } else {
            place_name(j, a);
        }
    }
}
