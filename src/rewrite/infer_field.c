/*
 * Names that reach through something: fields of rows, columns of joins that have an alias, what USING merged, what
 * XMLTABLE makes.
 *
 *     (f(x)).a, (t).a                    an OUT parameter; a column, where t is the row of a FROM item
 *     (q.r).a                            where the query q computes r by one of these
 *     (t JOIN u ON ...) AS j (a, b)      the columns of both, one behind the other, as far as there are names
 */
#include "infer.h"

#define DEPTH_MAX 60

static void take(gh_found *f, gh_oid type)
{
    if (type == 0)
        f->is_open = true;
    else
        gh_infer_take(f, type);
}

/* ---- fields ------------------------------------------------------------------------------------------ */

gh_oid gh_infer_field_of(const gh_judge *j, gh_oid type, const char *name)
{
    const gh_type *t =
        gh_catalog_type_by_oid(j->in->catalog, gh_overload_base(j->in->catalog, type));
    const gh_relation *r = t != NULL && t->relation != 0
                               ? gh_catalog_relation_by_oid(j->in->catalog, t->relation)
                               : NULL;
    const gh_column *c = r != NULL ? gh_relation_column(r, gh_str_of(name)) : NULL;

    return c != NULL ? c->type_oid : 0;
}

static gh_oid output_named(gh_judge *j, const gh_outputs *out, const char *name)
{
    for (int i = 0; i < out->function->output_count; i++) {
        if (gh_str_is(out->function->outputs[i].name, name))
            return gh_infer_output_type(j, out, i);
    }
    return 0;
}

/* Is the current query part of what the item computes? Then it cannot name it. */
static bool is_within(const gh_judge *j, const gh_item *item)
{
    for (const gh_block *b = j->block; b != NULL && item->query != NULL; b = b->outer) {
        if (b->select == item->query)
            return true;
    }
    return false;
}

/* The one item that has a column of the name; NULL: none, or several. */
static const gh_item *owner(gh_judge *j, const char *alias, const char *name, bool *is_any,
                            int depth)
{
    for (const gh_block *b = j->block; b != NULL; b = b->outer) {
        const gh_item *found = NULL;
        int count = 0;
        ListCell *cell;

        foreach (cell, b->items) {
            const gh_item *item = lfirst(cell);
            gh_found f = { 0 };

            if (is_within(j, item))
                continue;
            if (alias == NULL ? !gh_infer_is_reached(item)
                              : item->alias == NULL || strcmp(item->alias, alias) != 0)
                continue;
            gh_infer_in_item(j, item, name, &f, depth);
            count += f.is_any || f.is_open;
            found = f.is_any || f.is_open ? item : found;
        }
        *is_any = count > 0;
        if (count > 0)
            return count == 1 ? found : NULL;
    }
    return NULL;
}

/* The field of a column that a query in FROM computes. */
static gh_oid field_of_target(gh_judge *j, const gh_item *item, const char *column,
                              const char *name, int depth)
{
    const SelectStmt *s = item->query;
    gh_block *block = s != NULL && s->op == SETOP_NONE && item->names == NIL
                          ? gh_infer_block(j, (const Node *)s)
                          : NULL;
    gh_block *outer = j->block;
    const ResTarget *found = NULL;
    ListCell *cell;
    gh_oid type;

    foreach (cell, block != NULL ? s->targetList : NIL) {
        const ResTarget *t = lfirst_node(ResTarget, cell);
        const char *own = gh_infer_output_name(t);

        if (own == NULL || (found != NULL && strcmp(own, column) == 0))
            return 0;
        if (strcmp(own, column) == 0)
            found = t;
    }
    if (found == NULL)
        return 0;
    j->block = block;
    type = gh_infer_field(j, found->val, name, depth + 1);
    j->block = outer;
    return type;
}

static gh_oid field_of_reference(gh_judge *j, const ColumnRef *ref, const char *name, int depth)
{
    const char *alias = list_length(ref->fields) == 2 ? strVal(linitial(ref->fields)) : NULL;
    const char *column = IsA(llast(ref->fields), String) ? strVal(llast(ref->fields)) : NULL;
    const gh_item *item;
    gh_found f = { 0 };
    bool is_any = false;

    if (column == NULL || list_length(ref->fields) > 2)
        return 0;
    item = owner(j, alias, column, &is_any, depth + 1);
    if (item != NULL)
        return field_of_target(j, item, column, name, depth);
    item = is_any || alias != NULL ? NULL : gh_judge_find_item(j, column, NULL);
    if (item == NULL)
        return 0;
    gh_infer_in_item(j, item, name, &f, depth + 1); /* the row of a FROM item */
    return gh_infer_found(j, item->block, name, &f);
}

gh_oid gh_infer_field(gh_judge *j, const Node *n, const char *name, int depth)
{
    gh_oid type = depth > DEPTH_MAX ? 0 : gh_infer_field_of(j, gh_infer_at(j, n, depth), name);
    gh_outputs out;

    if (type != 0 || depth > DEPTH_MAX)
        return type;
    if (IsA(n, FuncCall) && gh_infer_outputs(j, (const FuncCall *)n, &out, depth + 1))
        return output_named(j, &out, name);
    return IsA(n, ColumnRef) ? field_of_reference(j, (const ColumnRef *)n, name, depth + 1) : 0;
}

bool gh_infer_in_row(gh_judge *j, const Node *n, const char *name, gh_found *f, int depth)
{
    const A_Indirection *a = (const A_Indirection *)n;
    gh_outputs out;

    if (!IsA(n, A_Indirection) || list_length(a->indirection) != 1 ||
        !IsA(linitial(a->indirection), A_Star) || !IsA(a->arg, FuncCall) ||
        !gh_infer_outputs(j, (const FuncCall *)a->arg, &out, depth + 1) ||
        out.function->output_count == 0)
        return false;
    for (int i = 0; i < out.function->output_count; i++) {
        if (gh_str_is(out.function->outputs[i].name, name))
            take(f, gh_infer_output_type(j, &out, i));
    }
    return true;
}

/* ---- joins and XMLTABLE ------------------------------------------------------------------------------ */

bool gh_infer_is_reached(const gh_item *item)
{
    return !item->is_covered && item->merged == NIL;
}

static bool merges_any(const Node *n, int depth)
{
    const JoinExpr *join = (const JoinExpr *)n;

    return IsA(n, JoinExpr) &&
           (depth > DEPTH_MAX || join->isNatural || join->usingClause != NIL ||
            merges_any(join->larg, depth + 1) || merges_any(join->rarg, depth + 1));
}

/* A join's columns by their places, of which the first have names of the alias. */
static void find_by_place(const gh_item *item, const char *name, gh_found *f)
{
    int place = 0;
    ListCell *cell;

    foreach (cell, (List *)(uintptr_t)item->parts) {
        const gh_item *part = lfirst(cell);
        const gh_relation *r = part->relation;

        if (r == NULL || part->decision == NULL || part->names != NIL) {
            f->is_open = true;
            return;
        }
        for (uint16_t i = 0; i < r->column_count; i++) {
            if (part->decision->columns[i].show == GH_HIDDEN && !part->keeps_hidden)
                continue;
            if (place < list_length(item->names)
                    ? strcmp(strVal(list_nth(item->names, place)), name) == 0
                    : gh_str_is(r->columns[i].name, name))
                gh_infer_take(f, r->columns[i].type_oid);
            place++;
        }
    }
}

void gh_infer_in_join(gh_judge *j, const gh_item *item, const char *name, gh_found *f, int depth)
{
    bool merges = merges_any((const Node *)item->join, 0);
    gh_found all = { 0 };
    ListCell *cell;

    if (item->names != NIL && !merges) {
        find_by_place(item, name, f);
        return;
    }
    if (item->names != NIL) {
        f->is_open = true;
        return;
    }
    foreach (cell, (List *)(uintptr_t)item->parts)
        gh_infer_in_item(j, lfirst(cell), name, merges ? &all : f, depth + 1);
    if (all.is_open || (all.is_mixed && !gh_infer_join_merges(item->join, name)))
        f->is_open = true;
    else if (all.is_any)
        take(f, all.is_mixed ? gh_infer_common(j, all.type, all.other) : all.type);
}

void gh_infer_in_merged(gh_judge *j, const gh_item *item, const char *name, gh_found *f, int depth)
{
    gh_found all = { 0 };
    ListCell *cell;

    foreach (cell, item->merged) {
        if (strcmp(strVal(lfirst(cell)), name) == 0)
            break;
    }
    if (cell == NULL)
        return;
    foreach (cell, item->block->items) {
        if (gh_infer_is_reached(lfirst(cell)))
            gh_infer_in_item(j, lfirst(cell), name, &all, depth + 1);
    }
    take(f, gh_infer_found(j, item->block, name, &all));
}

void gh_infer_in_table(gh_judge *j, const gh_item *item, const char *name, gh_found *f)
{
    ListCell *cell;

    foreach (cell, item->table->columns) {
        const RangeTableFuncCol *c = lfirst_node(RangeTableFuncCol, cell);
        int i = foreach_current_index(cell);
        const char *is =
            i < list_length(item->names) ? strVal(list_nth(item->names, i)) : c->colname;

        if (strcmp(is, name) == 0)
            take(f, c->for_ordinality ? GH_OID_INT4 : gh_infer_named_type(j, c->typeName));
    }
}
