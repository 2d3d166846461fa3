/* FROM, queries and statements, to the type checker of positions of rows: position.c. */
#include "infer.h"
#include "position.h"

/* Each reference is looked for among those understood. */
#define WORDS_MAX 256

/* ---- FROM --------------------------------------------------------------------------------------- */

static bool has_children(const gh_judge *j, gh_oid oid)
{
    size_t count;
    const gh_relation *const *all = gh_catalog_relations(j->in->catalog, &count);

    for (size_t i = 0; i < count; i++) {
        for (uint16_t k = 0; k < all[i]->parent_count; k++) {
            if (all[i]->parents[k] == oid)
                return true;
        }
    }
    return false;
}

bool gh_position_is_single(const gh_judge *j, const gh_relation *r, bool with_children)
{
    return strchr("rm", r->kind) != NULL && (!with_children || !has_children(j, r->oid));
}

/* The columns under the names that an alias gives the first of them. */
static List *renamed(gh_positions *p, const List *columns, const List *names, bool is_known)
{
    List *out = NIL;
    ListCell *cell;

    if (names == NIL)
        return list_copy(columns);
    if (!is_known || list_length(names) > list_length(columns)) {
        gh_source probe = { .columns = list_copy(columns) };

        if (gh_position_is_among(&probe))
            p->is_refused = true;
        return NIL;
    }
    foreach (cell, columns) {
        gh_given *g = palloc(sizeof(*g));
        int i = foreach_current_index(cell);

        *g = *(const gh_given *)lfirst(cell);
        if (i < list_length(names))
            g->name = strVal(list_nth(names, i));
        out = lappend(out, g);
    }
    return out;
}

static const gh_named_query *named_query(const gh_positions *p, const RangeVar *v)
{
    for (const gh_named_query *q = p->with; q != NULL && v->schemaname == NULL; q = q->outer) {
        if (strcmp(q->name, v->relname) == 0)
            return q;
    }
    return NULL;
}

static gh_source *add_source(gh_positions *p, const Alias *alias)
{
    gh_source *s = palloc0(sizeof(*s));

    s->alias = alias != NULL ? alias->aliasname : NULL;
    p->reach->sources = lappend(p->reach->sources, s);
    return s;
}

static void add_relation(gh_positions *p, RangeVar *v)
{
    const gh_named_query *q = named_query(p, v);
    const List *names = v->alias != NULL ? v->alias->colnames : NIL;
    gh_source *s = add_source(p, v->alias);
    gh_item probe = { .var = v };

    if (s->alias == NULL)
        s->alias = v->relname;
    if (q != NULL) {
        s->columns = renamed(p, q->columns, names, q->is_known);
        s->is_known = q->is_known;
        return;
    }
    if (!gh_relation_lookup(p->j, &probe))
        return;
    if (probe.decision != NULL && names == NIL &&
        gh_position_is_single(p->j, probe.relation, v->inh))
        s->table = probe.relation->oid;
    for (uint16_t i = 0; probe.decision != NULL && i < probe.relation->column_count; i++) {
        gh_given *g = palloc0(sizeof(*g));

        g->name = gh_judge_cstr(probe.relation->columns[i].name);
        if (probe.decision->columns[i].show != GH_HIDDEN)
            s->columns = lappend(s->columns, g);
    }
    s->is_known = probe.decision != NULL && names == NIL;
}

static void add_from(gh_positions *p, Node *n);

static void add_join(gh_positions *p, JoinExpr *join)
{
    ListCell *cell;
    ListCell *name;

    add_from(p, join->larg);
    add_from(p, join->rarg);
    if (join->alias != NULL || join->join_using_alias != NULL)
        p->is_refused = true;
    foreach (cell, p->reach->sources) {
        const gh_source *s = lfirst(cell);
        bool is_double = false;

        if ((join->isNatural || (join->usingClause != NIL && !s->is_known)) &&
            gh_position_is_among(s))
            p->is_refused = true;
        foreach (name, join->usingClause) {
            const gh_given *g = gh_position_given(s, strVal(lfirst(name)), &is_double);

            if (is_double || (g != NULL && g->place.table != 0))
                p->is_refused = true;
        }
    }
    p->reach->is_partial = true;
    gh_position_plain(p, join->quals);
    p->reach->is_partial = false;
}

static void add_from(gh_positions *p, Node *n)
{
    gh_reach *own = p->reach;
    RangeSubselect *s = (RangeSubselect *)n;
    bool is_known = true;
    List *gives;
    gh_source *source;

    if (p->is_refused)
        return;
    switch (nodeTag(n)) {
    case T_RangeVar:
        add_relation(p, (RangeVar *)n);
        return;
    case T_JoinExpr:
        add_join(p, (JoinExpr *)n);
        return;
    case T_RangeSubselect:
        if (!IsA(s->subquery, SelectStmt))
            break;
        own->is_partial = true;
        p->reach = s->lateral ? own : own->outer;
        gives = gh_position_select(p, (SelectStmt *)s->subquery, &is_known);
        p->reach = own;
        own->is_partial = false;
        source = add_source(p, s->alias);
        source->columns = renamed(p, gives, s->alias != NULL ? s->alias->colnames : NIL, is_known);
        source->is_known = is_known;
        return;
    case T_RangeFunction:
        own->is_partial = true;
        if (!gh_position_plain_children(p, n))
            p->is_refused = true;
        own->is_partial = false;
        (void)add_source(p, ((RangeFunction *)n)->alias);
        return;
    default:
        break;
    }
    p->is_refused = true;
}

static void add_all(gh_positions *p, List *from)
{
    ListCell *cell;

    foreach (cell, from)
        add_from(p, lfirst(cell));
}

/* ---- queries ------------------------------------------------------------------------------------- */

static bool is_star(const Node *n)
{
    return IsA(n, ColumnRef) && IsA(llast(((const ColumnRef *)n)->fields), A_Star);
}

/* What a star of the result gives; `*is_known` is cleared where that is not all. */
static List *star_gives(gh_positions *p, const ColumnRef *ref, bool *is_known)
{
    const char *alias = list_length(ref->fields) == 2 && IsA(linitial(ref->fields), String)
                            ? strVal(linitial(ref->fields))
                            : NULL;
    List *out = NIL;
    ListCell *cell;

    if (list_length(ref->fields) > (alias == NULL ? 1 : 2))
        *is_known = false; /* of a table with its schema: nothing but columns */
    foreach (cell, list_length(ref->fields) > 2 ? NIL : p->reach->sources) {
        const gh_source *s = lfirst(cell);

        if (alias != NULL && (s->alias == NULL || strcmp(s->alias, alias) != 0))
            continue;
        *is_known = *is_known && s->is_known;
        out = list_concat(out, s->columns);
    }
    if (alias != NULL && out == NIL) /* of a query around this one */
        (void)gh_position_reference(p, (ColumnRef *)(uintptr_t)ref);
    return out;
}

static List *targets_give(gh_positions *p, List *targets, bool *is_known)
{
    List *out = NIL;
    ListCell *cell;

    foreach (cell, targets) {
        ResTarget *t = lfirst_node(ResTarget, cell);
        gh_given *g;

        if (is_star(t->val)) {
            out = list_concat(out, star_gives(p, (const ColumnRef *)t->val, is_known));
            continue;
        }
        g = palloc0(sizeof(*g));
        g->place = gh_position_visit(p, t->val);
        g->name = gh_infer_output_name(t);
        if (IsA(t->val, A_Indirection) && g->place.table == 0) /* (row).* */
            *is_known = false;
        if (t->name != NULL && strcmp(t->name, "ctid") == 0 && g->place.table != 0)
            p->names++;
        out = lappend(out, g);
    }
    return out;
}

/* Columns of a set operation: of one kind on both sides. */
static List *arms_give(gh_positions *p, SelectStmt *s, bool *is_known)
{
    bool is_right_known = true;
    List *left = gh_position_select(p, s->larg, is_known);
    List *right = gh_position_select(p, s->rarg, &is_right_known);
    gh_source probes[2] = { { .columns = left }, { .columns = right } };
    ListCell *a;
    ListCell *b;

    if (!gh_position_is_among(&probes[0]) && !gh_position_is_among(&probes[1]))
        return left;
    if (!*is_known || !is_right_known || list_length(left) != list_length(right))
        p->is_refused = true;
    forboth(a, left, b, right)
    {
        if (!gh_position_are_alike(((const gh_given *)lfirst(a))->place,
                                   ((const gh_given *)lfirst(b))->place))
            p->is_refused = true;
    }
    return left;
}

static void written(gh_positions *p, Node *n);

static void with(gh_positions *p, WithClause *w)
{
    ListCell *cell;

    foreach (cell, w == NULL ? NIL : w->ctes) {
        CommonTableExpr *c = lfirst_node(CommonTableExpr, cell);
        gh_named_query *q = palloc0(sizeof(*q));
        bool is_known = true;
        List *gives = NIL;

        if (w->recursive || c->cycle_clause != NULL || c->search_clause != NULL)
            p->is_refused = true;
        if (IsA(c->ctequery, SelectStmt)) {
            gives = gh_position_select(p, (SelectStmt *)c->ctequery, &is_known);
        } else {
            written(p, c->ctequery);
            is_known = false;
        }
        *q = (gh_named_query){ .outer = p->with,
                               .name = c->ctename,
                               .columns = renamed(p, gives, c->aliascolnames, is_known),
                               .is_known = is_known };
        p->with = q;
    }
}

List *gh_position_select(gh_positions *p, SelectStmt *s, bool *is_known)
{
    const gh_named_query *old = p->with;
    gh_reach reach = { .outer = p->reach };
    List *out = NIL;
    ListCell *cell;

    p->steps++;
    with(p, s->withClause);
    p->reach = &reach;
    if (s->op != SETOP_NONE) {
        p->reach = reach.outer;
        out = arms_give(p, s, is_known);
        p->reach = &reach;
    }
    foreach (cell, s->valuesLists)
        gh_position_plain_list(p, lfirst(cell));
    *is_known = *is_known && s->valuesLists == NIL;
    add_all(p, s->fromClause);
    if (s->op == SETOP_NONE)
        out = targets_give(p, s->targetList, is_known);
    gh_position_keys(p, s->distinctClause);
    gh_position_plain(p, s->whereClause);
    gh_position_keys(p, s->groupClause);
    gh_position_plain(p, s->havingClause);
    foreach (cell, s->windowClause)
        gh_position_window(p, lfirst_node(WindowDef, cell));
    gh_position_keys(p, s->sortClause);
    gh_position_plain(p, s->limitOffset);
    gh_position_plain(p, s->limitCount);
    p->reach = reach.outer;
    p->with = old;
    return out;
}

/* ---- statements ----------------------------------------------------------------------------------- */

/* Nothing that it gives is a position. */
static void plain_query(gh_positions *p, Node *n)
{
    bool is_known = true;
    gh_source probe = { 0 };

    if (n == NULL)
        return;
    if (!IsA(n, SelectStmt)) {
        p->is_refused = true;
        return;
    }
    probe.columns = gh_position_select(p, (SelectStmt *)n, &is_known);
    if (gh_position_is_among(&probe))
        p->is_refused = true;
}

/* The target alone first, then what the write joins it with. */
static void write_parts(gh_positions *p, RangeVar *target, List *from, Node **parts, size_t count)
{
    gh_reach reach = { .outer = p->reach };

    p->reach = &reach;
    add_relation(p, target);
    add_all(p, from);
    for (size_t i = 0; i < count; i++)
        gh_position_plain(p, parts[i]);
    p->reach = reach.outer;
}

static void written(gh_positions *p, Node *n)
{
    const gh_named_query *old = p->with;

    if (IsA(n, UpdateStmt)) {
        UpdateStmt *s = (UpdateStmt *)n;
        Node *parts[] = { (Node *)s->targetList, s->whereClause, (Node *)s->returningList };

        with(p, s->withClause);
        write_parts(p, s->relation, s->fromClause, parts, GH_COUNT(parts));
    } else if (IsA(n, DeleteStmt)) {
        DeleteStmt *s = (DeleteStmt *)n;
        Node *parts[] = { s->whereClause, (Node *)s->returningList };

        with(p, s->withClause);
        write_parts(p, s->relation, s->usingClause, parts, GH_COUNT(parts));
    } else if (IsA(n, InsertStmt)) {
        InsertStmt *s = (InsertStmt *)n;
        Node *parts[] = { (Node *)s->onConflictClause, (Node *)s->returningList };

        with(p, s->withClause);
        plain_query(p, s->selectStmt);
        write_parts(p, s->relation, NIL, parts, GH_COUNT(parts));
    } else {
        p->is_refused = true;
    }
    p->with = old;
}

static size_t words(const gh_judge *j)
{
    size_t count = 0;

    for (size_t i = j->first; i < j->end; i++) {
        const gh_token *t = &j->text->tokens[i];

        if ((t->kind == GH_TOKEN_IDENT || t->kind == GH_TOKEN_KEYWORD) &&
            strcmp(t->text, "ctid") == 0)
            count++;
    }
    return count;
}

/* The query or write that the statement is, or holds. */
static Node *inner(Node *n)
{
    switch (nodeTag(n)) {
    case T_ExplainStmt:
        return inner(((ExplainStmt *)n)->query);
    case T_DeclareCursorStmt:
        return ((DeclareCursorStmt *)n)->query;
    case T_PrepareStmt:
        return ((PrepareStmt *)n)->query;
    case T_CopyStmt:
        return ((CopyStmt *)n)->query;
    case T_CreateTableAsStmt:
        return ((CreateTableAsStmt *)n)->query;
    default:
        return n;
    }
}

void gh_position_note(gh_judge *j, Node *stmt)
{
    gh_positions p = { .j = j };
    size_t count = gh_judge_may_be_word(j, GH_STR("ctid")) ? words(j) : 0;
    Node *n = inner(stmt);

    if (count == 0 || count > WORDS_MAX || n == NULL)
        return;
    if (IsA(n, SelectStmt))
        plain_query(&p, n);
    else
        written(&p, n);
    if (p.is_refused || (size_t)list_length(j->positions) + p.names != count)
        j->positions = NIL;
}
