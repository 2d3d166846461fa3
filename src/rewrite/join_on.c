/*
 * Joins by names over types whose `=` is an extension's. Upstream USING and NATURAL look for an operator by name, which
 * there is pg_catalog's alone, and have no place for another; so the client's text is told anew, with ON:
 *
 *     SELECT *, email FROM people p JOIN logins l USING (email)
 *     ─▶  SELECT p.email, p.id, ..., l.at, ..., p.email FROM people p JOIN logins l ON (p.email = l.email)
 *
 * What such a join merged is the left side's column (RIGHT: the right side's; FULL: the COALESCE of both), and so is
 * said where a name or a star means it.
 *
 * SECURITY: it is text for text, before anything is decided: what is told anew is parsed and judged as if the client
 * had sent it. A mistake here would be another question, never another right. One that is left to be told anew then is
 * refused. Tests: tests/integration/operators.py, tests/differential/everyday.txt.
 */
#include "join_on.h"
#include "write.h"

#include "infer.h"
#include "operand.h"

typedef enum gh_side_state {
    GH_SIDE_OPEN = 0, /* not known, or PostgreSQL says that it is ambiguous */
    GH_SIDE_ABSENT,
    GH_SIDE_FOUND
} gh_side_state;

/* What a name means on one side of a join. */
typedef struct gh_side {
    gh_side_state state;
    char *sql;
    gh_oid type;
    bool is_coalesced;
    List *leaves; /* of gh_item *: whose columns the SQL names */
} gh_side;

/* A join that is said with ON. */
typedef struct gh_on_join {
    const JoinExpr *join;
    List *names;  /* of char *: what it merges... */
    List *sides;  /* ...and of gh_side *: how that is said */
    List *leaves; /* of gh_item *: all that it joins */
} gh_on_join;

/* A join with an alias, and of char * the names of its columns. */
typedef struct gh_covered {
    const JoinExpr *join;
    List *names;
} gh_covered;

/* A column of a star; name NULL: all of an item of which nothing more is known. */
typedef struct gh_starred {
    const char *name;
    const char *sql;
    gh_item *item;
} gh_starred;

/* ---- one side ------------------------------------------------------------------------------------------ */

/* One whose parts no alias covers yet. */
static bool is_join(gh_judge *j, const Node *n)
{
    ListCell *cell;

    if (!IsA(n, JoinExpr))
        return false;
    foreach (cell, ((const JoinExpr *)n)->alias != NULL ? j->block->items : NIL) {
        if ((const Node *)((const gh_item *)lfirst(cell))->join == n)
            return false;
    }
    return true;
}

static bool is_of(const gh_item *item, const Node *leaf)
{
    switch (nodeTag(leaf)) {
    case T_RangeVar:
        return (const Node *)item->var == leaf;
    case T_RangeTableSample:
        return is_of(item, ((const RangeTableSample *)leaf)->relation);
    case T_RangeSubselect:
        return (const Node *)item->query == ((const RangeSubselect *)leaf)->subquery;
    case T_RangeFunction:
        return (const Node *)item->function == leaf;
    case T_RangeTableFunc:
        return (const Node *)item->table == leaf;
    case T_JoinExpr:
        return (const Node *)item->join == leaf;
    default:
        return false;
    }
}

/* NULL: it has no name. */
static gh_item *leaf_item(gh_judge *j, const Node *leaf)
{
    ListCell *cell;

    foreach (cell, j->block->items) {
        gh_item *item = lfirst(cell);

        if (is_of(item, leaf))
            return item->alias != NULL ? item : NULL;
    }
    return NULL;
}

/* SECURITY: natural joins of many relations ask for each name of each. Attack: tests/attack/states. */
static bool is_too_much(gh_judge *j)
{
    return ++j->infer_steps > GH_SQL_INFER_STEPS_MAX + 16 * j->text->token_count;
}

static gh_side side_of_leaf(gh_judge *j, const Node *leaf, const char *name)
{
    gh_item *item = leaf_item(j, leaf);
    gh_side out = { .state = GH_SIDE_OPEN };
    gh_found f = { 0 };

    if (item == NULL || gh_write_is_system_column(name))
        return out;
    gh_infer_in_item(j, item, name, &f, 0);
    if (f.is_open || f.is_mixed)
        return out;
    if (!f.is_any)
        return (gh_side){ .state = GH_SIDE_ABSENT };
    return (gh_side){ .state = GH_SIDE_FOUND,
                      .type = f.type == GH_OID_UNKNOWN ? GH_OID_TEXT : f.type,
                      .sql = gh_judge_printf("%s.%s", gh_judge_ident(j, gh_str_of(item->alias)),
                                             gh_judge_ident(j, gh_str_of(name))),
                      .leaves = list_make1(item) };
}

static bool merges(const JoinExpr *join, const char *name)
{
    ListCell *cell;

    foreach (cell, join->usingClause) {
        if (strcmp(strVal(lfirst(cell)), name) == 0)
            return true;
    }
    return join->isNatural;
}

/* What PostgreSQL makes one column of: of the type that both become, without a cast where one side has it. */
static gh_side merge(gh_judge *j, const JoinExpr *join, gh_side l, gh_side r)
{
    gh_oid type = l.type == r.type ? l.type : gh_infer_common(j, l.type, r.type);
    bool takes_left = join->jointype != JOIN_RIGHT && l.type == type;
    bool takes_right = (join->jointype == JOIN_RIGHT || join->jointype == JOIN_INNER) &&
                       r.type == type && !takes_left;

    if (type == 0)
        return (gh_side){ .state = GH_SIDE_OPEN };
    if (join->jointype == JOIN_FULL)
        return (gh_side){ .state = GH_SIDE_FOUND,
                          .type = type,
                          .sql = gh_judge_printf("COALESCE(%s, %s)", l.sql, r.sql),
                          .is_coalesced = true,
                          .leaves = list_concat(list_copy(l.leaves), r.leaves) };
    return takes_left ? l : takes_right ? r : (gh_side){ .state = GH_SIDE_OPEN };
}

static gh_side side_of(gh_judge *j, const Node *n, const char *name, int depth)
{
    const JoinExpr *join = (const JoinExpr *)n;
    gh_side l;
    gh_side r;

    if (depth > GH_SQL_DEPTH_MAX || is_too_much(j))
        return (gh_side){ .state = GH_SIDE_OPEN };
    if (!is_join(j, n))
        return side_of_leaf(j, n, name);
    l = side_of(j, join->larg, name, depth + 1);
    r = side_of(j, join->rarg, name, depth + 1);
    if (l.state == GH_SIDE_OPEN || r.state == GH_SIDE_OPEN)
        return (gh_side){ .state = GH_SIDE_OPEN };
    if (l.state == GH_SIDE_ABSENT || r.state == GH_SIDE_ABSENT)
        return l.state == GH_SIDE_ABSENT ? r : l;
    return merges(join, name) ? merge(j, join, l, r) : (gh_side){ .state = GH_SIDE_OPEN };
}

void gh_join_on_types(gh_judge *j, const JoinExpr *join, const char *name, gh_oid types[2])
{
    types[0] = side_of(j, join->larg, name, 0).type;
    types[1] = side_of(j, join->rarg, name, 0).type;
}

/* ---- all columns --------------------------------------------------------------------------------------- */

static List *columns_of(gh_judge *j, const Node *n, bool *is_known, int depth);

static List *add_column(List *out, const char *name, const char *sql, gh_item *item)
{
    gh_starred *c = palloc(sizeof(*c));

    *c = (gh_starred){ name, sql, item };
    return lappend(out, c);
}

/* Of two columns of one name none can be named. */
static bool has_twins(const List *names)
{
    for (int i = 1; i < list_length(names); i++) {
        for (int k = 0; k < i; k++) {
            if (strcmp(list_nth(names, i), list_nth(names, k)) == 0)
                return true;
        }
    }
    return false;
}

static List *columns_of_leaf(gh_judge *j, const Node *leaf, bool *is_known)
{
    gh_item *item = leaf_item(j, leaf);
    const gh_query *q = item != NULL ? item->result : NULL;
    char *alias;
    List *names = NIL;
    List *out = NIL;
    ListCell *cell;

    if (item == NULL) {
        *is_known = false;
        return NIL;
    }
    alias = gh_judge_ident(j, gh_str_of(item->alias));
    for (uint16_t i = 0;
         item->relation != NULL && item->decision != NULL && i < item->relation->column_count;
         i++) {
        if (item->keeps_hidden || item->decision->columns[i].show != GH_HIDDEN)
            names = lappend(names, gh_judge_cstr(item->relation->columns[i].name));
    }
    for (int i = 0; q != NULL && q->is_complete && i < q->output_count; i++) {
        if (q->outputs[i].name == NULL)
            return add_column(NIL, NULL, gh_judge_printf("%s.*", alias), item);
        names = lappend(names, (void *)(uintptr_t)q->outputs[i].name);
    }
    foreach (cell, item->join != NULL ? j->block->on_covered : NIL) {
        const gh_covered *c = lfirst(cell);

        if (c->join == item->join)
            names = list_copy(c->names);
    }
    if (item->function != NULL)
        names = gh_infer_function_columns(j, item->function);
    for (int i = 0; item->query != NULL && item->query->valuesLists != NIL &&
                    i < list_length(linitial(item->query->valuesLists));
         i++)
        names = lappend(names, gh_judge_printf("column%d", i + 1));
    for (int i = 0; q == NULL && i < list_length(item->names) && i < list_length(names); i++)
        lfirst(list_nth_cell(names, i)) = strVal(list_nth(item->names, i));
    if (names == NIL || (item->relation == NULL && has_twins(names)))
        return add_column(NIL, NULL, gh_judge_printf("%s.*", alias), item);
    foreach (cell, names)
        out = add_column(
            out, lfirst(cell),
            gh_judge_printf("%s.%s", alias, gh_judge_ident(j, gh_str_of(lfirst(cell)))), item);
    return out;
}

/* The names that the join merges, in the order of a star, by its left side's columns; false: they are not known. */
static bool merged_among(gh_judge *j, const JoinExpr *join, const List *left, List **names,
                         int depth)
{
    ListCell *cell;

    *names = NIL;
    foreach (cell, join->usingClause)
        *names = lappend(*names, strVal(lfirst(cell)));
    foreach (cell, join->isNatural ? left : NIL) {
        const gh_starred *c = lfirst(cell);
        gh_side r = { 0 };

        if (c->name != NULL)
            r = side_of(j, join->rarg, c->name, depth + 1);
        if (r.state == GH_SIDE_OPEN)
            return false;
        if (r.state == GH_SIDE_FOUND)
            *names = lappend(*names, (void *)(uintptr_t)c->name);
    }
    return true;
}

static bool merged_names(gh_judge *j, const JoinExpr *join, List **names)
{
    bool is_known = true;
    const List *left = join->isNatural ? columns_of(j, join->larg, &is_known, 0) : NIL;

    return is_known && merged_among(j, join, left, names, 0);
}

/* Those of one side that the join does not merge. */
static List *rest(gh_judge *j, List *side, const List *names, bool *is_known)
{
    List *out = NIL;
    ListCell *cell;
    ListCell *name;

    foreach (cell, side) {
        const gh_starred *c = lfirst(cell);

        foreach (name, c->name == NULL ? names : NIL) {
            gh_found f = { 0 };

            gh_infer_in_item(j, c->item, lfirst(name), &f, 0);
            *is_known = *is_known && !f.is_any && !f.is_open;
        }
        if (c->name == NULL || !gh_judge_is_among(names, c->name))
            out = lappend(out, lfirst(cell));
    }
    return out;
}

static List *columns_of(gh_judge *j, const Node *n, bool *is_known, int depth)
{
    const JoinExpr *join = (const JoinExpr *)n;
    List *names = NIL;
    List *left;
    List *out = NIL;
    ListCell *cell;

    if (depth > GH_SQL_DEPTH_MAX || is_too_much(j) || !*is_known) {
        *is_known = false;
        return NIL;
    }
    if (!is_join(j, n))
        return columns_of_leaf(j, n, is_known);
    left = columns_of(j, join->larg, is_known, depth + 1);
    *is_known = *is_known && merged_among(j, join, left, &names, depth);
    foreach (cell, names) {
        const char *name = lfirst(cell);
        gh_side s = side_of(j, n, name, depth);

        *is_known = *is_known && s.state == GH_SIDE_FOUND;
        if (*is_known)
            out = add_column(out, name,
                             s.is_coalesced ? gh_judge_printf("%s AS %s", s.sql,
                                                              gh_judge_ident(j, gh_str_of(name)))
                                            : s.sql,
                             NULL);
    }
    out =
        list_concat(out, rest(j, columns_of(j, join->larg, is_known, depth + 1), names, is_known));
    return list_concat(out,
                       rest(j, columns_of(j, join->rarg, is_known, depth + 1), names, is_known));
}

/* ---- a join ---------------------------------------------------------------------------------------------- */

/* SQL of these columns; NULL: there are none. */
static const char *sql_of(const List *columns)
{
    char *out = NULL;
    gh_buf b;
    ListCell *cell;

    gh_buf_init(&b, 0);
    foreach (cell, columns)
        gh_buf_printf(&b, "%s%s", b.len == 0 ? "" : ", ", ((const gh_starred *)lfirst(cell))->sql);
    if (b.len > 0)
        out = gh_judge_cstr(gh_buf_str(&b));
    gh_buf_fini(&b);
    return out;
}

void gh_join_on_tell(gh_judge *j, size_t first, size_t end, const char *text)
{
    gh_edit *e = palloc(sizeof(*e));

    *e = (gh_edit){ first, end, text };
    if (gh_judge_may_add(j, strlen(text)))
        j->retold = lappend(j->retold, e);
}

static List *leaves_of(gh_judge *j, const Node *n, List *out, int depth)
{
    const JoinExpr *join = (const JoinExpr *)n;

    if (depth > GH_SQL_DEPTH_MAX)
        return out;
    if (!is_join(j, n))
        return lappend(out, leaf_item(j, n));
    return leaves_of(j, join->rarg, leaves_of(j, join->larg, out, depth + 1), depth + 1);
}

/* In a view, where no path says which `=` is meant, it is said. */
static const char *equality(gh_judge *j, gh_oid left, gh_oid right)
{
    gh_oid types[2] = { left, right };
    const gh_operator *o =
        j->view_depth == 0
            ? NULL
            : gh_operator_meant(j, gh_operator_candidates(j, "=", false, true), types, 2, "=", -1);

    return o == NULL ? "=" : gh_judge_printf("OPERATOR(%s.=)", gh_judge_ident(j, o->schema));
}

/* "ON (a.x = b.x AND ...)"; NULL: what is compared is not known. */
static char *condition(gh_judge *j, gh_on_join *on)
{
    gh_buf b;
    char *out;
    ListCell *cell;

    gh_buf_init(&b, 0);
    foreach (cell, on->names) {
        gh_side l = side_of(j, on->join->larg, lfirst(cell), 0);
        gh_side r = side_of(j, on->join->rarg, lfirst(cell), 0);
        gh_side *both = palloc(sizeof(*both));

        *both = l.state == GH_SIDE_FOUND && r.state == GH_SIDE_FOUND
                    ? merge(j, on->join, l, r)
                    : (gh_side){ .state = GH_SIDE_OPEN };
        if (both->state != GH_SIDE_FOUND)
            break;
        on->sides = lappend(on->sides, both);
        gh_buf_printf(&b, "%s%s %s %s", b.len == 0 ? "ON (" : " AND ", l.sql,
                      equality(j, l.type, r.type), r.sql);
    }
    gh_buf_puts(&b, ")");
    out = list_length(on->sides) == list_length(on->names) && on->names != NIL
              ? gh_judge_cstr(gh_buf_str(&b))
              : NULL;
    gh_buf_fini(&b);
    return out;
}

static bool is_within(const Node *n, const JoinExpr *join, int depth)
{
    const JoinExpr *other = (const JoinExpr *)n;

    return IsA(n, JoinExpr) && depth <= GH_SQL_DEPTH_MAX &&
           (other == join || is_within(other->larg, join, depth + 1) ||
            is_within(other->rarg, join, depth + 1));
}

bool gh_join_on_is_needed(gh_judge *j, const JoinExpr *join)
{
    List *names = NIL;
    bool is_known = false;
    ListCell *cell;
    ListCell *name;

    foreach (cell, j->block->on_joins) {
        const gh_on_join *on = lfirst(cell);

        if (!is_within((const Node *)join, on->join, 0))
            continue;
        is_known = is_known || merged_names(j, join, &names);
        if (!is_known)
            return true;
        foreach (name, on->names) {
            if (gh_judge_is_among(names, lfirst(name)))
                return true;
        }
    }
    return false;
}

bool gh_join_on_say(gh_judge *j, const JoinExpr *join)
{
    gh_on_join *on = palloc0(sizeof(*on));
    size_t at = gh_join_on_token(j, join);
    size_t place;
    char *sql;

    if ((j->is_policy && j->view_depth == 0) || j->is_retold || join->join_using_alias != NULL ||
        at == SIZE_MAX || !merged_names(j, join, &on->names))
        return false;
    on->join = join;
    on->leaves = leaves_of(j, (const Node *)join, NIL, 0);
    sql = condition(j, on);
    place = join->isNatural ? gh_join_on_behind(j, at) : gh_join_on_qualifier(j, at);
    if (sql == NULL || place == SIZE_MAX)
        return false;
    if (join->isNatural) {
        size_t natural = gh_join_on_natural(j, at);

        if (natural == SIZE_MAX)
            return false;
        gh_join_on_tell(j, natural, natural + 1, "");
        gh_join_on_tell(j, place, place, sql);
    } else {
        size_t close = gh_sql_token_closing(j->text, place + 1);

        if (!gh_operator_is_word(j, place, "using") || close == SIZE_MAX)
            return false;
        gh_join_on_tell(j, place, close + 1, sql);
    }
    j->block->on_joins = lappend(j->block->on_joins, on);
    return true;
}

/* (a JOIN b USING (x)) AS c   ─▶   (SELECT a.x, ... FROM a JOIN b ON ...) AS c */
void gh_join_on_cover(gh_judge *j, JoinExpr *join)
{
    bool is_told = false;
    bool is_known = true;
    List *columns;
    const char *star;
    size_t open;
    gh_covered *covered = palloc0(sizeof(*covered));
    ListCell *cell;

    foreach (cell, j->block->on_joins)
        is_told =
            is_told || is_within((const Node *)join, ((const gh_on_join *)lfirst(cell))->join, 0);
    if (!is_told || j->rc != GH_OK)
        return;
    columns = columns_of(j, (const Node *)join, &is_known, 0);
    star = is_known ? sql_of(columns) : NULL;
    open = gh_join_on_opening(j, gh_join_on_token(j, join));
    if (star == NULL || open == SIZE_MAX)
        gh_judge_refuse(j, GH_DENIED, "42501", -1,
                        "a join by names with an alias is not allowed here: write ON");
    else
        gh_join_on_tell(j, open + 1, open + 1, gh_judge_printf("SELECT %s FROM", star));
    covered->join = join;
    foreach (cell, columns) {
        const gh_starred *c = lfirst(cell);

        if (c->name == NULL) /* nor are they of one that it stands in */
            return;
        covered->names = lappend(covered->names, (void *)(uintptr_t)c->name);
    }
    j->block->on_covered = lappend(j->block->on_covered, covered);
}

/* ---- what means it --------------------------------------------------------------------------------------- */

/* Are they all in scope? ON and LATERAL see a part of FROM alone. */
static bool are_seen(const gh_block *b, const List *leaves)
{
    ListCell *cell;

    foreach (cell, leaves) {
        const gh_item *leaf = lfirst(cell);
        ListCell *item;

        foreach (item, b->items) {
            if (lfirst(item) == leaf && !leaf->is_covered)
                break;
        }
        if (item == NULL)
            return false;
    }
    return true;
}

static bool is_among(const List *leaves, const gh_item *item)
{
    ListCell *cell;

    foreach (cell, leaves) {
        if (lfirst(cell) == item)
            return true;
    }
    return false;
}

/* Has anything but these a column of the name? */
static bool has_column(gh_judge *j, const gh_block *b, const List *but, const char *name)
{
    ListCell *cell;

    foreach (cell, b->items) {
        gh_found f = { 0 };

        if (!gh_infer_is_reached(lfirst(cell)) || is_among(but, lfirst(cell)))
            continue;
        gh_infer_in_item(j, lfirst(cell), name, &f, 0);
        if (f.is_any || f.is_open)
            return true;
    }
    return false;
}

/* NULL: it is none of theirs, or one of several: PostgreSQL says so then. */
static const gh_side *side_in(gh_judge *j, const gh_block *b, const char *name)
{
    for (int i = list_length(b->on_joins); i-- > 0;) { /* the outermost comes last */
        const gh_on_join *on = list_nth(b->on_joins, i);

        j->infer_steps += (size_t)list_length(on->names);
        if (is_too_much(j)) {
            gh_judge_refuse(j, GH_LIMIT, "54000", -1, "too many columns are joined by name");
            return NULL;
        }
        for (int k = 0; k < list_length(on->names); k++) {
            if (strcmp(list_nth(on->names, k), name) == 0 && are_seen(b, on->leaves))
                return has_column(j, b, on->leaves, name) ? NULL : list_nth(on->sides, k);
        }
    }
    return NULL;
}

static bool is_behind_star(gh_judge *j, const Node *n, const char *name)
{
    const List *fields = IsA(n, ColumnRef) ? ((const ColumnRef *)n)->fields : NIL;
    const gh_item *item;
    gh_found f = { 0 };

    if (fields == NIL || !IsA(llast(fields), A_Star) || list_length(fields) > 2)
        return false;
    item = list_length(fields) == 2 ? gh_judge_find_item(j, strVal(linitial(fields)), NULL) : NULL;
    if (item != NULL)
        gh_infer_in_item(j, item, name, &f, 0);
    return item == NULL || f.is_any || f.is_open;
}

/* A name that ORDER BY or DISTINCT ON finds among the columns of the result first. */
static bool is_output(gh_judge *j, const char *name)
{
    ListCell *cell;

    foreach (cell, j->block->select != NULL ? j->block->select->targetList : NIL) {
        const ResTarget *t = lfirst_node(ResTarget, cell);
        const char *own = gh_infer_output_name(t);

        if (own != NULL ? strcmp(own, name) == 0 : is_behind_star(j, t->val, name))
            return true;
    }
    return false;
}

/* Its names must mean here what they mean beside the join. */
static bool is_reachable(gh_judge *j, const gh_block *b, const gh_side *side)
{
    ListCell *cell;

    foreach (cell, side->leaves) {
        gh_block *found = NULL;

        if (gh_judge_find_item(j, ((const gh_item *)lfirst(cell))->alias, &found) != lfirst(cell) ||
            found != b)
            return false;
    }
    return true;
}

static const char *said(gh_judge *j, const ColumnRef *ref, const char *name, const gh_side *side)
{
    const ResTarget *t = j->naming;
    char *ident = gh_judge_ident(j, gh_str_of(name));
    const char *own = t != NULL && t->name == NULL ? gh_infer_output_name(t) : NULL;

    if (!side->is_coalesced || own == NULL || strcmp(own, name) != 0)
        return side->sql;
    return t->val == (const Node *)ref ? gh_judge_printf("%s AS %s", side->sql, ident)
                                       : gh_judge_printf("(SELECT %s AS %s)", side->sql, ident);
}

static void tell_name(gh_judge *j, const ColumnRef *ref, const char *name)
{
    const gh_side *side = NULL;
    gh_block *b = j->block;
    size_t token;

    if (j->sort_key == (const Node *)ref &&
        (b->select == NULL || b->select->op != SETOP_NONE || is_output(j, name)))
        return;
    for (; b != NULL; b = b->outer) {
        side = side_in(j, b, name);
        if (side != NULL || has_column(j, b, NIL, name))
            break;
    }
    if (side == NULL)
        return;
    if (!is_reachable(j, b, side)) {
        gh_judge_refuse(j, GH_DENIED, "42501", ref->location,
                        "column \"%s\" is not allowed here: name the table, too", name);
        return;
    }
    token = gh_judge_token(j, ref->location);
    gh_join_on_tell(j, token, token + 1, said(j, ref, name, side));
}

static void tell_star(gh_judge *j, const ColumnRef *ref)
{
    size_t token = gh_judge_token(j, ref->location);
    bool is_known = true;
    List *columns = NIL;
    ListCell *cell;

    foreach (cell, j->block->told_star == NULL && j->block->select != NULL
                       ? j->block->select->fromClause
                       : NIL)
        columns = list_concat(columns, columns_of(j, lfirst(cell), &is_known, 0));
    if (columns != NIL && is_known)
        j->block->told_star = sql_of(columns);
    if (j->block->told_star == NULL)
        gh_judge_refuse(j, GH_DENIED, "42501", ref->location,
                        "* over this join is not allowed: name the columns");
    else
        gh_join_on_tell(j, token, token + 1, j->block->told_star);
}

void gh_join_on_column_ref(gh_judge *j, const ColumnRef *ref)
{
    const Node *field = linitial(ref->fields);

    if (j->retold == NIL || list_length(ref->fields) != 1 || ref->location < 0)
        return;
    if (IsA(field, String))
        tell_name(j, ref, strVal(field));
    else if (IsA(field, A_Star) && j->block->on_joins != NIL)
        tell_star(j, ref);
}

/* ---- the text ------------------------------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
    const gh_edit *x = a;
    const gh_edit *y = b;

    return x->first != y->first ? (x->first < y->first ? -1 : 1)
           : x->end != y->end   ? (x->end < y->end ? -1 : 1)
                                : 0;
}

gh_rc gh_join_on_retell(gh_judge *j, size_t first, size_t end, char **out, gh_buf *offsets)
{
    size_t count = 0;
    gh_edit *edits = palloc((size_t)list_length(j->retold) * sizeof(*edits));
    gh_buf text;
    ListCell *cell;
    gh_rc rc;

    foreach (cell, j->retold)
        edits[count++] = *(const gh_edit *)lfirst(cell);
    qsort(edits, count, sizeof(*edits), compare);
    gh_buf_init(&text, GH_SQL_BYTES_MAX);
    rc = gh_sql_emit(j->text, first, end, edits, count, false, &text, offsets, j->err);
    if (rc == GH_OK)
        *out = gh_judge_cstr(gh_buf_str(&text));
    gh_buf_fini(&text);
    return rc;
}
