/*
 * Which column of which relation a result column is, where the target list says so plainly. PostgreSQL
 * tells clients in RowDescription, but loses it where a mask or a CASE stands for the column; drivers
 * look up by it what is a key or may be NULL. Only what is certain is said:
 *
 *     SELECT o.email, id, r.*, 1   ─▶   orders.4  orders.1  regions.1 regions.2  -
 */
#include "fence.h"
#include "judge.h"

typedef struct gh_outputs {
    gh_output_column *items;
    size_t count;
    size_t cap;
} gh_outputs;

static void add(gh_outputs *o, const gh_item *item, const gh_column *c)
{
    if (o->count == o->cap) {
        o->cap = o->cap == 0 ? 32 : o->cap * 2;
        o->items = o->items == NULL ? palloc(o->cap * sizeof(*o->items))
                                    : repalloc(o->items, o->cap * sizeof(*o->items));
    }
    o->items[o->count++] =
        c == NULL ? (gh_output_column){ 0 } : (gh_output_column){ item->relation->oid, c->attnum };
}

static bool shows(const gh_item *item, const gh_column *c)
{
    return item->decision->columns[c - item->relation->columns].show != GH_HIDDEN;
}

/* The visible columns of a governed relation; false: what is behind the star is not known. */
static bool add_all(gh_outputs *o, const gh_item *item)
{
    if (item->relation == NULL || item->decision == NULL || item->is_covered)
        return false;
    for (uint16_t i = 0; i < item->relation->column_count; i++) {
        if (shows(item, &item->relation->columns[i]))
            add(o, item, &item->relation->columns[i]);
    }
    return true;
}

/* USING and NATURAL put the columns that they merge first. */
static bool merges(const Node *from)
{
    const JoinExpr *join = (const JoinExpr *)from;

    if (from == NULL || !IsA(from, JoinExpr))
        return false;
    return join->isNatural || join->usingClause != NIL || join->alias != NULL ||
           merges(join->larg) || merges(join->rarg);
}

static bool add_star(gh_judge *j, gh_outputs *o, const SelectStmt *s, const ColumnRef *ref)
{
    ListCell *cell;

    if (list_length(ref->fields) == 2) {
        const gh_item *item = gh_judge_find_item(j, strVal(linitial(ref->fields)), NULL);

        return item != NULL && add_all(o, item);
    }
    if (list_length(ref->fields) != 1)
        return false;
    foreach (cell, s->fromClause) {
        if (merges(lfirst(cell)))
            return false;
    }
    foreach (cell, j->block->items) {
        if (!add_all(o, lfirst(cell)))
            return false;
    }
    return true;
}

static bool add_target(gh_judge *j, gh_outputs *o, const SelectStmt *s, const ResTarget *t)
{
    const ColumnRef *ref = (const ColumnRef *)t->val;
    gh_item *item = NULL;
    const gh_column *c = NULL;

    if (IsA(t->val, A_Indirection) && /* (row).* */
        IsA(llast(((const A_Indirection *)t->val)->indirection), A_Star))
        return false;
    if (IsA(ref, ColumnRef)) {
        if (IsA(llast(ref->fields), A_Star))
            return add_star(j, o, s, ref);
        c = gh_judge_bind(j, ref, &item);
    }
    add(o, item, c != NULL && item->decision != NULL && shows(item, c) ? c : NULL);
    return true;
}

void gh_judge_outputs(gh_judge *j, const SelectStmt *s)
{
    gh_outputs o = { 0 };
    gh_output_column *kept;
    bool is_any = false;
    ListCell *cell;

    j->plan->outputs = NULL; /* of a query inside */
    j->plan->output_count = 0;
    /* A locked table is judged by itself, without a block that knows it. */
    if (j->rc != GH_OK || s->lockingClause != NIL)
        return;
    foreach (cell, s->targetList) {
        if (!add_target(j, &o, s, lfirst_node(ResTarget, cell)))
            break; /* from here on no position is certain */
    }
    for (size_t i = 0; i < o.count; i++)
        is_any = is_any || o.items[i].attnum != 0;
    if (!is_any)
        return;
    kept = gh_arena_alloc(j->arena, o.count * sizeof(*kept));
    if (kept == NULL) {
        gh_judge_refuse(j, GH_LIMIT, "54000", -1, "statement needs too much memory");
        return;
    }
    memcpy(kept, o.items, o.count * sizeof(*kept));
    j->plan->outputs = kept;
    j->plan->output_count = o.count;
}
