/*
 * INSERT, UPDATE, DELETE, COPY FROM: the semantics of row-level security with the policy's grants.
 * Rows that no grant covers are not there to be changed; all columns that a statement writes must
 * be covered by one grant; a new or changed row must satisfy that grant's filter as it is finally
 * stored. What the statement reads of the target obeys select (write_target.c).
 */
#include "write.h"

#include "fence.h"
#include "infer.h"
#include "operand.h"

static const gh_column *written_column(gh_judge *j, const gh_item *item, const ResTarget *t)
{
    const gh_column *c = gh_relation_column(item->relation, gh_str_of(t->name));
    const gh_column_decision *d =
        c == NULL ? NULL : &item->decision->columns[c - item->relation->columns];
    bool is_known = false;

    for (size_t i = 0; d != NULL && i < GH_COUNT(d->is_writable); i++)
        is_known |= d->is_writable[i];
    if (c == NULL || (d->show == GH_HIDDEN && !is_known)) {
        gh_judge_refuse(j, GH_DENIED, "42703", t->location,
                        "column \"%s\" of relation \"%s\" does not exist", t->name,
                        item->var->relname);
        return NULL;
    }
    if ((t->indirection != NIL &&
         d->show != GH_CLEAR) || /* the rest of the value would stay unseen */
        (item->relation->is_temporary && !gh_cast_may_check(j, c->type_oid, 0))) {
        gh_judge_refuse(j, GH_DENIED, "42501", t->location, "permission denied for table %s",
                        item->var->relname);
        return NULL;
    }
    return c;
}

size_t gh_write_find_keyword(const gh_judge *j, size_t first, size_t end, const char *keyword)
{
    for (size_t i = first; i < end; i++) {
        const gh_token *t = &j->text->tokens[i];

        if (t->kind == GH_TOKEN_SELF && (t->text[0] == '(' || t->text[0] == '[')) {
            i = gh_sql_token_closing(j->text, i);
            if (i == SIZE_MAX)
                return SIZE_MAX;
        } else if (t->kind == GH_TOKEN_KEYWORD && strcmp(t->text, keyword) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

void gh_write_open_block(gh_judge *j, const Node *write)
{
    gh_block *b = palloc0(sizeof(gh_block));

    b->outer = j->block;
    b->write = write;
    j->blocks = lappend(j->blocks, b);
    j->block = b;
}

void gh_write_close_block(gh_judge *j)
{
    j->block = j->block->outer;
}

/* ---- the condition of UPDATE and DELETE, and of ON CONFLICT DO UPDATE ------------------------ */

void gh_write_guard(gh_judge *j, const gh_item *target, Node **where, size_t where_token,
                    size_t where_end, const char *keyword, const char *condition)
{
    bool is_safe;
    const char *before;
    const char *after;
    Node *tree;

    if (j->rc != GH_OK || condition[0] == '\0')
        return;
    if (*where == NULL) {
        gh_judge_edit(j, where_end, where_end, gh_judge_printf("%s %s", keyword, condition));
        *where = gh_judge_parse_expr(j, condition);
        return;
    }
    is_safe = gh_judge_is_safe(j, *where);
    before = is_safe ? gh_judge_printf("%s AND (", condition)
                     : gh_judge_printf("%s%s AND CASE WHEN %s THEN (", condition,
                                       gh_judge_copies(j, target->pushed), condition);
    after = is_safe ? ")" : gh_flat_case_end(j, j->block, *where);
    tree = gh_judge_parse_expr(j, gh_judge_printf("%s$0%s", before, after));
    if (tree == NULL)
        return;
    gh_judge_fill(&tree, *where);
    *where = tree;
    /* In place of the keyword, since a name right behind it may have been given its schema there. */
    gh_judge_edit(j, where_token, where_token + 1, gh_judge_printf("%s %s", keyword, before));
    gh_judge_edit(j, where_end, where_end, after);
}

void gh_write_guard_where(gh_judge *j, const gh_item *target, Node **where, size_t where_token,
                          size_t where_end, const char *condition)
{
    gh_write_guard(j, target, where, where_token, where_end, "WHERE", condition);
}

/* Both, as one condition. */
static char *both(char *a, char *b)
{
    if (a == NULL || b == NULL)
        return NULL;
    if (a[0] == '\0' || strcmp(a, b) == 0)
        return b;
    return b[0] == '\0' ? a : gh_judge_printf("%s AND %s", a, b);
}

/* Rows that a write may touch: those that its grants give, of those that the user may see. */
static char *touchable(gh_judge *j, gh_item *target, char *granted)
{
    if ((target->decision->privileges & GH_SELECT) == 0)
        return granted;
    return both(gh_relation_row_condition(j, target), granted);
}

/*
 * What a new row must be. SECURITY: RETURNING shows it with what defaults and triggers made of it, so one that the user
 * could not read is refused, as PostgreSQL does by its policies for SELECT. Attack: tests/integration/checked_writes.
 */
static char *storable(gh_judge *j, gh_item *target, char *granted, const List *returning)
{
    return returning == NIL ? granted : touchable(j, target, granted);
}

/* ---- SET ------------------------------------------------------------------------------------- */

/* Of SET (a, b) = (...) every target holds the one source; those of MERGE's INSERT hold none. */
static void judge_set_value(gh_judge *j, Node **slot)
{
    MultiAssignRef *m;

    if (*slot == NULL || !IsA(*slot, MultiAssignRef)) {
        gh_judge_expr(j, slot);
        return;
    }
    m = (MultiAssignRef *)*slot;
    if (m->colno != 1)
        return;
    if (IsA(m->source, RowExpr) ||
        (IsA(m->source, SubLink) && ((const SubLink *)m->source)->subLinkType == EXPR_SUBLINK))
        gh_judge_expr(j, &m->source);
    else
        gh_judge_refuse(j, GH_DENIED, "0A000", exprLocation(m->source),
                        "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() "
                        "expression");
}

bool *gh_write_set_list(gh_judge *j, gh_item *target, List *sets)
{
    bool *written = palloc0((size_t)target->relation->column_count + 1);
    ListCell *cell;

    foreach (cell, sets) {
        ResTarget *t = lfirst_node(ResTarget, cell);
        const gh_column *c = written_column(j, target, t);

        if (c == NULL)
            return written;
        written[c - target->relation->columns] = true;
        gh_judge_expr_list(j, t->indirection);
    }
    foreach (cell, sets)
        judge_set_value(j, &lfirst_node(ResTarget, cell)->val);
    gh_assign_set(j, target, sets);
    return written;
}

/* A cell that the user does not see in clear cannot be written, unless the grants say blind. */
void gh_write_refuse_unseen(gh_judge *j, const gh_item *target, const bool *written, bool is_blind)
{
    for (size_t i = 0; !is_blind && i < target->relation->column_count; i++) {
        if (written[i] && target->decision->columns[i].show != GH_CLEAR)
            gh_judge_refuse(j, GH_DENIED, "42501", target->var->location,
                            "permission denied for table %s", target->var->relname);
    }
}

/* Nothing that the filters read is written, by the statement, a trigger or a generated column. */
bool gh_write_stays_inside(const gh_item *target, const bool *written)
{
    if (!target->relation->is_updated_as_written)
        return false;
    for (size_t i = 0; i < target->relation->column_count; i++) {
        const gh_column *c = &target->relation->columns[i];

        if (target->is_guard[i] && (written[i] || c->generated != 0 || c->is_altered_by_update))
            return false;
    }
    return true;
}

/*
 * SECURITY: PostgreSQL may run the client's condition on rows that the view leaves out, unless the view is a
 * barrier, and there is no place for a fence around a target. Attack: tests/attack writes.
 */
static void refuse_leaking_view(gh_judge *j, const gh_item *target, const Node *where)
{
    if (target->relation->kind == 'v' && !target->relation->is_security_barrier &&
        !target->relation->is_projection && !gh_judge_is_safe(j, where))
        gh_judge_refuse(j, GH_DENIED, "42501", target->var->location,
                        "this condition on a view that is no security barrier is not allowed");
}

/* ---- statements ------------------------------------------------------------------------------ */

/* The client's condition; the row of a cursor is checked elsewhere. */
static void judge_where(gh_judge *j, Node **where)
{
    if (!gh_write_is_current(*where))
        gh_judge_condition(j, where);
}

static void push_where(gh_judge *j, const gh_item *target, const List *from, const Node *where)
{
    gh_judge_push_write(j, from, gh_write_is_current(where) ? NULL : where);
    refuse_leaking_view(j, target, where);
}

/*
 * Of a row that a cursor is on; PostgreSQL takes no views here. `row`: which it must be; `granted`: what the grants say
 * of the new one. Where that may be another, RETURNING cannot tell of the old one, so SET alone checks it.
 */
static void guard_current_update(gh_judge *j, gh_item *target, UpdateStmt *s, const bool *written,
                                 char *row, char *granted, size_t where, size_t end, bool is_top)
{
    bool stays = row[0] == '\0' || gh_write_stays_inside(target, written);

    gh_write_guard_sets(j, target, s, stays, where, row);
    if (!stays)
        row = storable(j, target, granted, s->returningList);
    if (row != NULL)
        s->returningList = gh_write_check(j, target, row, s->returningList, end, is_top);
}

void gh_judge_update(gh_judge *j, UpdateStmt *s, size_t first, size_t end, bool is_top)
{
    size_t returning = gh_write_find_keyword(j, first, end, "returning");
    size_t body_end = returning != SIZE_MAX ? returning : end;
    gh_item *target;
    bool *written;
    bool is_blind;
    char *granted;
    char *condition;
    size_t where;

    gh_write_open_block(j, (const Node *)s);
    gh_judge_with(j, s->withClause);
    target = gh_write_add_target(j, s->relation, GH_UPDATE);
    if (target == NULL)
        return;
    gh_judge_from_list(j, s->fromClause);
    written = gh_write_set_list(j, target, s->targetList);
    judge_where(j, &s->whereClause);
    s->returningList = gh_write_returning(j, target, s->returningList);
    if (j->rc != GH_OK)
        return;
    push_where(j, target, s->fromClause, s->whereClause);
    granted = gh_write_condition(j, target, GH_UPDATE, written, &is_blind);
    condition = granted == NULL ? NULL : touchable(j, target, granted);
    if (condition == NULL)
        return;
    gh_write_refuse_unseen(j, target, written, is_blind);
    where = gh_write_find_keyword(j, target->end, body_end, "where");
    if (gh_write_is_current(s->whereClause)) {
        guard_current_update(j, target, s, written, condition, granted, where, end, is_top);
    } else {
        gh_write_guard_where(j, target, &s->whereClause, where, body_end, condition);
        granted = gh_write_stays_inside(target, written)
                      ? pstrdup("")
                      : storable(j, target, granted, s->returningList);
        if (granted != NULL)
            s->returningList = gh_write_check(j, target, granted, s->returningList, end, is_top);
    }
    gh_write_close_block(j);
}

void gh_judge_delete(gh_judge *j, DeleteStmt *s, size_t first, size_t end, bool is_top)
{
    size_t returning = gh_write_find_keyword(j, first, end, "returning");
    size_t body_end = returning != SIZE_MAX ? returning : end;
    gh_item *target;
    bool is_blind;
    char *granted;
    char *condition;

    gh_write_open_block(j, (const Node *)s);
    gh_judge_with(j, s->withClause);
    target = gh_write_add_target(j, s->relation, GH_DELETE);
    if (target == NULL)
        return;
    gh_judge_from_list(j, s->usingClause);
    judge_where(j, &s->whereClause);
    s->returningList = gh_write_returning(j, target, s->returningList);
    if (j->rc != GH_OK)
        return;
    push_where(j, target, s->usingClause, s->whereClause);
    granted = gh_write_condition(j, target, GH_DELETE, NULL, &is_blind);
    condition = granted == NULL ? NULL : touchable(j, target, granted);
    if (condition == NULL)
        return;
    if (gh_write_is_current(s->whereClause))
        s->returningList = gh_write_check(j, target, condition, s->returningList, end, is_top);
    else
        gh_write_guard_where(j, target, &s->whereClause,
                             gh_write_find_keyword(j, target->end, body_end, "where"), body_end,
                             condition);
    gh_write_close_block(j);
}

/* How many columns the item has; 0: not known. If that were wrong, PostgreSQL would count otherwise and refuse. */
static size_t item_width(gh_judge *j, const gh_item *item)
{
    const SelectStmt *arm = item->query;
    const gh_query *q;
    size_t width = 0;

    if (item->is_covered)
        return 0;
    if (item->function != NULL)
        return (size_t)list_length(gh_infer_function_columns(j, item->function));
    while (arm != NULL && arm->op != SETOP_NONE)
        arm = arm->larg;
    if (arm != NULL && arm->valuesLists != NIL)
        return (size_t)list_length(linitial(arm->valuesLists));
    q = arm != NULL ? gh_query_of(j, (const Node *)arm) : item->result;
    if (q != NULL)
        return q->is_complete ? (size_t)q->output_count : 0;
    if (item->relation == NULL || item->decision == NULL)
        return 0;
    for (size_t i = 0; i < item->relation->column_count; i++)
        width += item->decision->columns[i].show != GH_HIDDEN;
    return width;
}

/* How many columns a star of the block stands for, of all its items or of one alone; 0: not known. */
static size_t star_width(gh_judge *j, const gh_block *b, const ColumnRef *ref)
{
    size_t width = 0;
    ListCell *cell;

    if (b == NULL || b->merges_columns || list_length(ref->fields) > 2)
        return 0;
    foreach (cell, b->items) {
        const gh_item *item = lfirst(cell);
        size_t one;

        if (list_length(ref->fields) == 2 &&
            (item->alias == NULL || strcmp(item->alias, strVal(linitial(ref->fields))) != 0))
            continue;
        one = item_width(j, item);
        if (one == 0)
            return 0;
        width += one;
    }
    return width;
}

/* Width of the rows to insert, 0 where it is not known. */
static size_t source_width(gh_judge *j, const SelectStmt *s)
{
    size_t width = 0;
    ListCell *cell;

    while (s->op != SETOP_NONE)
        s = s->larg;
    if (s->valuesLists != NIL)
        return (size_t)list_length(linitial(s->valuesLists));
    foreach (cell, s->targetList) {
        const Node *v = lfirst_node(ResTarget, cell)->val;

        if (IsA(v, ColumnRef) && IsA(llast(((const ColumnRef *)v)->fields), A_Star)) {
            size_t star = star_width(j, gh_infer_block(j, (const Node *)s), (const ColumnRef *)v);

            if (star == 0)
                return 0;
            width += star;
        } else if (IsA(v, A_Indirection))
            return 0;
        else
            width++;
    }
    return width;
}

bool gh_write_is_insertable(const gh_item *target, size_t i)
{
    return target->decision->columns[i].is_writable[1] ||
           target->decision->columns[i].show != GH_HIDDEN;
}

static bool sees_every_column(const gh_item *target)
{
    for (size_t i = 0; i < target->relation->column_count; i++) {
        if (!gh_write_is_insertable(target, i))
            return false;
    }
    return true;
}

/* Without a column list INSERT means the first columns of the table: of the table that the user
 * sees. */
static void add_column_list(gh_judge *j, InsertStmt *s, const gh_item *target, size_t place)
{
    size_t width = source_width(j, (const SelectStmt *)s->selectStmt);
    size_t n = 0;
    List *names = NIL;

    if (width == 0 && sees_every_column(target))
        return; /* what the table's first columns are is the same to both */
    if (width == 0 && j->retold != NIL)
        width = 1; /* what is told anew says it */
    if (width == 0) {
        gh_judge_refuse(j, GH_DENIED, "42501", target->var->location,
                        "INSERT of a star without a list of columns is not allowed");
        return;
    }
    for (size_t i = 0; i < target->relation->column_count && n < width; i++) {
        ResTarget *t;

        if (!gh_write_is_insertable(target, i))
            continue;
        t = makeNode(ResTarget);
        t->name = gh_judge_cstr(target->relation->columns[i].name);
        s->cols = lappend(s->cols, t);
        names = lappend(names, gh_judge_ident(j, target->relation->columns[i].name));
        n++;
    }
    if (n < width) {
        gh_judge_refuse(j, GH_INVALID, "42601", -1,
                        "INSERT has more expressions than target columns");
        return;
    }
    gh_judge_edit(j, place, place, gh_judge_printf("(%s)", gh_judge_join(names, ", ")));
}

/* Does a row of VALUES leave its column at this place to the default? */
static bool leaves_default(const InsertStmt *s, int place)
{
    const SelectStmt *source = (const SelectStmt *)s->selectStmt;
    ListCell *cell;

    foreach (cell, source->valuesLists) {
        const List *row = lfirst(cell);

        if (place >= list_length(row) || IsA(list_nth(row, place), SetToDefault))
            return true;
    }
    return false;
}

/* Columns for which each row to insert holds a value of the client's, by index. */
static const bool *given_columns(const InsertStmt *s, const gh_item *target)
{
    bool *given = palloc0((size_t)target->relation->column_count + 1);
    int place = 0;
    ListCell *cell;

    foreach (cell, s->selectStmt == NULL ? NIL : s->cols) {
        const ResTarget *t = lfirst_node(ResTarget, cell);
        const gh_column *c = gh_relation_column(target->relation, gh_str_of(t->name));

        if (c != NULL && t->indirection == NIL && !leaves_default(s, place))
            given[c - target->relation->columns] = true;
        place++;
    }
    return given;
}

/* DO UPDATE touches rows that are already there: those that the user could UPDATE, and no other. */
static void judge_do_update(gh_judge *j, InsertStmt *s, gh_item *target, size_t end, char **granted)
{
    OnConflictClause *c = s->onConflictClause;
    size_t returning = gh_write_find_keyword(j, gh_judge_token(j, c->location), end, "returning");
    size_t body_end = returning != SIZE_MAX ? returning : end;
    size_t set = gh_write_find_keyword(j, gh_judge_token(j, c->location), body_end, "set");
    gh_item *excluded = gh_judge_add_item(j, NULL);
    bool *written;
    bool is_blind;
    char *condition;

    if ((target->decision->privileges & GH_UPDATE) == 0) {
        gh_judge_refuse(j, GH_DENIED, "42501", target->var->location,
                        "permission denied for table %s", target->var->relname);
        return;
    }
    *excluded = (gh_item){ .block = j->block,
                           .var = target->var,
                           .relation = target->relation,
                           .decision = target->decision,
                           .alias = "excluded",
                           .has_alias = true,
                           .is_target = true,
                           .is_excluded = true,
                           .is_given = given_columns(s, target),
                           .is_placed = true,
                           .inner = "\"excluded\"",
                           .is_used = target->is_used,
                           .is_filtered = target->is_filtered };
    written = gh_write_set_list(j, target, c->targetList);
    gh_judge_condition(j, &c->whereClause);
    if (j->rc != GH_OK)
        return;
    condition = gh_write_condition(j, target, GH_UPDATE, written, &is_blind);
    if (condition == NULL)
        return;
    gh_write_refuse_unseen(j, target, written, is_blind);
    *granted = both(*granted, condition); /* the final row must be one that both may store */
    condition = touchable(j, target, condition);
    if (condition == NULL || set == SIZE_MAX)
        return;
    gh_write_guard_where(j, target, &c->whereClause,
                         gh_write_find_keyword(j, set, body_end, "where"), body_end, condition);
    j->block->items = list_truncate(j->block->items, list_length(j->block->items) - 1);
}

static bool knows_column(const gh_item *target, int16_t attnum)
{
    for (size_t i = 0; i < target->relation->column_count; i++) {
        if (target->relation->columns[i].attnum != attnum)
            continue;
        for (size_t k = 0; k < GH_COUNT(target->decision->columns[i].is_writable); k++) {
            if (target->decision->columns[i].is_writable[k])
                return true;
        }
        return target->decision->columns[i].show != GH_HIDDEN;
    }
    return false; /* an expression: what it reads is not known */
}

/* SECURITY: a constraint exists for who knows all of its columns, as in the catalogs. Attack: tests/attack writes. */
static bool knows_constraint(const gh_item *target, const char *name)
{
    const gh_relation *r = target->relation;

    if (target->decision->is_full)
        return true;
    for (size_t i = 0; i < r->constraint_count; i++) {
        const gh_constraint *c = &r->constraints[i];
        bool knows_all = c->column_count > 0;

        if (!gh_str_is(c->name, name))
            continue;
        for (size_t k = 0; k < c->column_count; k++)
            knows_all = knows_all && knows_column(target, c->columns[k]);
        return knows_all;
    }
    return false;
}

static void judge_infer(gh_judge *j, InferClause *infer, const gh_item *target)
{
    Node *where;
    ListCell *cell;

    if (infer == NULL)
        return;
    if (infer->conname != NULL && !knows_constraint(target, infer->conname)) {
        gh_judge_refuse(j, GH_DENIED, "42704", -1,
                        "constraint \"%s\" for table \"%s\" does not exist", infer->conname,
                        target->var->relname);
        return;
    }
    j->is_inferring = true;
    foreach (cell, infer->indexElems) {
        IndexElem *e = lfirst_node(IndexElem, cell);
        const Node *expr = e->expr;

        if (e->name != NULL) {
            ResTarget t = { .type = T_ResTarget, .name = e->name, .location = infer->location };

            (void)written_column(j, target, &t);
        }
        gh_judge_expr(j, &e->expr);
        /* What something else stands for is in no index, and its text need not be one that may stand here. */
        if (e->collation != NIL || e->opclass != NIL || e->expr != expr)
            gh_judge_refuse(j, GH_DENIED, "42501", infer->location,
                            "this ON CONFLICT target is not allowed");
    }
    where = (Node *)copyObjectImpl(infer->whereClause);
    gh_judge_expr(j, &infer->whereClause);
    j->is_inferring = false;
    if (where != NULL && !target->decision->is_full && !gh_arbiter_is_named(j, target, where))
        gh_judge_refuse(j, GH_INVALID, "42P10", -1,
                        "there is no unique or exclusion constraint matching the ON CONFLICT "
                        "specification");
}

bool *gh_write_insert_list(gh_judge *j, const gh_item *target, const List *columns)
{
    bool *written = palloc0((size_t)target->relation->column_count + 1);
    ListCell *cell;

    foreach (cell, columns) {
        ResTarget *t = lfirst_node(ResTarget, cell);
        const gh_column *c = t->location >= 0
                                 ? written_column(j, target, t)
                                 : gh_relation_column(target->relation, gh_str_of(t->name));

        if (c != NULL)
            written[c - target->relation->columns] = true;
    }
    return written;
}

void gh_judge_insert(gh_judge *j, InsertStmt *s, size_t first, size_t end, bool is_top)
{
    gh_item *target;
    gh_block *outer;
    bool *written;
    bool is_blind;
    char *granted;
    size_t place;

    (void)first;
    gh_write_open_block(j, (const Node *)s);
    gh_judge_with(j, s->withClause);
    outer = j->block;
    gh_write_open_block(j, NULL); /* the rows to insert see WITH, but neither target nor excluded */
    if (s->selectStmt != NULL)
        gh_judge_select(j, (SelectStmt *)s->selectStmt);
    j->block = outer;
    target = gh_write_add_target(j, s->relation, GH_INSERT);
    if (target == NULL)
        return;
    place = target->end + (target->has_alias ? 2 : 0);
    if (s->cols == NIL && s->selectStmt != NULL)
        add_column_list(j, s, target, place);
    written = gh_write_insert_list(j, target, s->cols);
    if (s->cols == NIL && s->selectStmt != NULL) /* as many as it has: any of them */
        memset(written, true, target->relation->column_count);
    if (j->rc == GH_OK && s->selectStmt != NULL)
        gh_assign_query(j, target, s->cols, (const SelectStmt *)s->selectStmt);
    if (j->rc != GH_OK)
        return;
    granted = gh_write_condition(j, target, GH_INSERT, written, &is_blind);
    if (granted == NULL)
        return;
    if (s->onConflictClause != NULL) {
        judge_infer(j, s->onConflictClause->infer, target);
        if (s->onConflictClause->action == ONCONFLICT_UPDATE && j->rc == GH_OK)
            judge_do_update(j, s, target, end, &granted);
    }
    if (j->rc != GH_OK || granted == NULL)
        return;
    s->returningList = gh_write_returning(j, target, s->returningList);
    granted = storable(j, target, granted, s->returningList);
    if (granted == NULL)
        return;
    s->returningList = gh_write_check(j, target, granted, s->returningList, end, is_top);
    gh_number_note_row(j, target, given_columns(s, target));
    gh_write_close_block(j);
}

/* COPY FROM without a list of columns means all of them: all that the user may write. */
static char *copy_list(gh_judge *j, CopyStmt *c, const gh_item *target)
{
    List *names = NIL;

    for (size_t i = 0; i < target->relation->column_count; i++) {
        const gh_column *column = &target->relation->columns[i];

        if (!gh_write_is_insertable(target, i) || column->generated != 0)
            continue;
        c->attlist = lappend(c->attlist, makeString(gh_judge_cstr(column->name)));
        names = lappend(names, gh_judge_ident(j, column->name));
    }
    return gh_judge_printf("(%s)", gh_judge_join(names, ", "));
}

/*
 * COPY FROM has no RETURNING, but a WHERE, which sees each row as it came in, defaults filled in. Where nothing
 * changes a row between there and the table, and no filter reads what is generated later, a check there is one
 * of the stored row. A sub-select may not stand there.
 */
static bool may_check_copy(const gh_judge *j, const gh_item *target)
{
    const gh_relation *r = target->relation;

    if (!r->is_inserted_as_written || strchr("rp", r->kind) == NULL || j->is_unsafe)
        return false;
    for (size_t i = 0; i < r->column_count; i++) {
        if (target->is_guard[i] &&
            (r->columns[i].generated != 0 || r->columns[i].is_altered_by_insert))
            return false;
    }
    return true;
}

static void check_copy(gh_judge *j, CopyStmt *c, gh_item *target, const char *condition)
{
    size_t where = gh_write_find_keyword(j, target->end, j->end, "where");
    char *check = gh_judge_printf("CASE WHEN %s THEN true ELSE %s END", condition,
                                  gh_write_failure("pg_catalog.bool"));
    Node *tree;

    j->plan->checks_rows = true;
    if (c->whereClause == NULL) {
        gh_judge_edit(j, j->end, j->end, gh_judge_printf("WHERE %s", check));
        c->whereClause = gh_judge_parse_expr(j, check);
        return;
    }
    tree = gh_judge_parse_expr(j, gh_judge_printf("CASE WHEN ($0) THEN %s ELSE false END", check));
    if (tree == NULL || where == SIZE_MAX)
        return;
    gh_judge_fill(&tree, c->whereClause);
    c->whereClause = tree;
    gh_judge_edit(j, where, where + 1, "WHERE CASE WHEN (");
    gh_judge_edit(j, j->end, j->end, gh_judge_printf(") THEN %s ELSE false END", check));
}

static void judge_copied_rows(gh_judge *j, CopyStmt *c, gh_item *target, const bool *written)
{
    bool was_unsafe = j->is_unsafe;
    bool is_blind;
    char *condition;

    j->is_unsafe = false; /* a sub-select of a filter sets it */
    condition = gh_write_condition(j, target, GH_INSERT, written, &is_blind);
    if (condition != NULL && condition[0] != '\0') {
        if (may_check_copy(j, target))
            check_copy(j, c, target, condition);
        else
            gh_judge_refuse(j, GH_DENIED, "42501", target->var->location,
                            "permission denied for table %s", target->var->relname);
    }
    j->is_unsafe = j->is_unsafe || was_unsafe;
}

void gh_judge_copy_from(gh_judge *j, CopyStmt *c)
{
    gh_item *target;
    bool *written;
    ListCell *cell;

    gh_write_open_block(j, NULL);
    target = gh_write_add_target(j, c->relation, GH_INSERT);
    if (target == NULL)
        return;
    if (c->attlist == NIL)
        gh_judge_edit(j, target->end, target->end, copy_list(j, c, target));
    written = palloc0((size_t)target->relation->column_count + 1);
    foreach (cell, c->attlist) {
        ResTarget t = { .type = T_ResTarget,
                        .name = strVal(lfirst(cell)),
                        .location = c->relation->location };
        const gh_column *column = written_column(j, target, &t);

        if (column != NULL)
            written[column - target->relation->columns] = true;
    }
    gh_judge_condition(j, &c->whereClause);
    if (j->rc == GH_OK)
        judge_copied_rows(j, c, target, written);
    gh_number_note_row(j, target, written);
    gh_write_close_block(j);
}
