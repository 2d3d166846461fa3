/*
 * What FROM makes of columns: those of functions, and those that a join merges.
 *
 *     f(x) AS a                            one column, called like the alias where the function names none itself
 *     f(x) AS a (p, q) | AS (p int, ...)   called so
 *     ROWS FROM (f(x), g(y)) AS a (p, q)   one beside the other, and at last `ordinality`
 */
#include "infer.h"

typedef struct gh_columns {
    const RangeFunction *from;
    const char *name;
    gh_found *found;
    int count;
    gh_oid last; /* the type of the last one */
    List *names; /* of char * */
} gh_columns;

static void add(gh_columns *c, const char *own, gh_oid type)
{
    const List *names = c->from->alias != NULL ? c->from->alias->colnames : NIL;
    const char *is = c->count < list_length(names) ? strVal(list_nth(names, c->count)) : own;

    c->count++;
    c->last = type;
    c->names = lappend(c->names, pstrdup(is));
    if (strcmp(is, c->name) != 0)
        return;
    if (type == 0)
        c->found->is_open = true;
    else
        gh_infer_take(c->found, type);
}

static void add_defined(gh_judge *j, gh_columns *c, const List *definitions)
{
    ListCell *cell;

    foreach (cell, definitions) {
        const ColumnDef *d = lfirst_node(ColumnDef, cell);

        add(c, d->colname, gh_infer_named_type(j, d->typeName));
    }
}

/* What a function gives alone goes by its name, by the alias, or by that of the OUT parameter. */
static void add_one(gh_columns *c, const FuncCall *call, const gh_outputs *out, gh_oid type)
{
    const char *own = c->from->alias != NULL && list_length(c->from->functions) == 1
                          ? c->from->alias->aliasname
                          : strVal(llast(call->funcname));

    if (out != NULL && out->function->output_count == 1 && out->function->outputs[0].name.len > 0)
        own = gh_judge_cstr(out->function->outputs[0].name);
    add(c, own, type);
}

/* False: whatever follows has no place that is known. */
static bool add_call(gh_judge *j, gh_columns *c, const Node *call, int depth)
{
    gh_outputs out;
    bool is_known = false;
    const gh_relation *r;
    const gh_type *t;

    if (!IsA(call, FuncCall))
        return false;
    is_known = gh_infer_outputs(j, (const FuncCall *)call, &out, depth);
    for (int i = 0; is_known && out.function->output_count > 1 && i < out.function->output_count;
         i++)
        add(c, gh_judge_cstr(out.function->outputs[i].name), gh_infer_output_type(j, &out, i));
    if (is_known && out.function->output_count > 1)
        return true;
    t = gh_catalog_type_by_oid(j->in->catalog, gh_infer_at(j, call, depth));
    if (t == NULL || t->kind == 'p')
        return false;
    if (t->relation != 0) {
        r = gh_catalog_relation_by_oid(j->in->catalog, t->relation);
        for (uint16_t i = 0; r != NULL && i < r->column_count; i++)
            add(c, gh_judge_cstr(r->columns[i].name), r->columns[i].type_oid);
        return r != NULL;
    }
    add_one(c, (const FuncCall *)call, is_known ? &out : NULL, t->oid);
    return true;
}

/* In FROM unnest(a, b) stands for two calls, one beside the other. */
static void add_unnest(gh_judge *j, gh_columns *c, const FuncCall *f, int depth)
{
    ListCell *cell;

    foreach (cell, f->args)
        add(c, "unnest", gh_infer_element(j, gh_infer_at(j, lfirst(cell), depth)));
}

static bool is_unnest_of_many(const Node *call)
{
    const FuncCall *f = (const FuncCall *)call;

    return IsA(call, FuncCall) && list_length(f->args) > 1 &&
           strcmp(strVal(llast(f->funcname)), "unnest") == 0;
}

static bool is_plain(const gh_judge *j, gh_oid type)
{
    const gh_type *t = gh_catalog_type_by_oid(j->in->catalog, type);

    return t != NULL && t->relation == 0;
}

/* False: it gives what is not known. */
static bool add_all(gh_judge *j, gh_columns *c, int depth)
{
    ListCell *cell;

    foreach (cell, c->from->functions) {
        const List *pair = lfirst(cell);
        const Node *call = linitial(pair);
        bool is_known = true;

        if (lsecond(pair) != NULL)
            add_defined(j, c, (const List *)lsecond(pair));
        else if (c->from->coldeflist != NIL)
            add_defined(j, c, c->from->coldeflist);
        else if (is_unnest_of_many(call))
            add_unnest(j, c, (const FuncCall *)call, depth);
        else
            is_known = add_call(j, c, call, depth);
        if (!is_known)
            return false;
    }
    if (c->from->ordinality)
        add(c, "ordinality", GH_OID_INT8);
    return true;
}

void gh_infer_in_function(gh_judge *j, const RangeFunction *r, const char *name, gh_found *f,
                          int depth)
{
    gh_columns c = { .from = r, .name = name, .found = f };
    gh_inferred here = { .function = r, .outer = j->inferred };

    /* What it is called with sees neither it nor what stands behind it. */
    for (const gh_inferred *i = j->inferred; i != NULL; i = i->outer) {
        if (i->function == r)
            return;
    }
    j->inferred = &here;
    if (!add_all(j, &c, depth))
        f->is_open = true;
    else if (c.count == 1 && !f->is_any && r->alias != NULL &&
             strcmp(r->alias->aliasname, name) == 0 && is_plain(j, c.last))
        gh_infer_take(f, c.last); /* the alias means its one value */
    j->inferred = here.outer;
}

List *gh_infer_function_columns(gh_judge *j, const RangeFunction *r)
{
    gh_found ignored = { 0 };
    gh_columns c = { .from = r, .name = "", .found = &ignored };

    return add_all(j, &c, 0) ? c.names : NIL;
}

/* ---- joins ----------------------------------------------------------------------------------- */

static bool merges(const Node *n, const char *name, int depth)
{
    const JoinExpr *join = (const JoinExpr *)n;
    ListCell *cell;

    if (n == NULL || !IsA(n, JoinExpr) || depth > GH_SQL_DEPTH_MAX)
        return false;
    if (join->isNatural)
        return true;
    foreach (cell, join->usingClause) {
        if (strcmp(strVal(lfirst(cell)), name) == 0)
            return true;
    }
    return merges(join->larg, name, depth + 1) || merges(join->rarg, name, depth + 1);
}

bool gh_infer_join_merges(const JoinExpr *join, const char *name)
{
    return merges((const Node *)join, name, 0);
}

bool gh_infer_merges(const gh_block *b, const char *name)
{
    ListCell *cell;

    foreach (cell, b->select != NULL ? b->select->fromClause : NIL) {
        if (merges(lfirst(cell), name, 0))
            return true;
    }
    return false;
}
