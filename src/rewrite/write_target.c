/*
 * The target of a write cannot become a sub-select, so it stands as it is, and every reference that
 * reaches it is replaced in place by what SELECT would show:
 *
 *     UPDATE ops.tickets SET body = phone WHERE region = 'EU' RETURNING *
 *       phone   → its mask          hidden columns → they do not exist
 *       *       → the visible columns
 *       tickets → a row of them, in a sub-select: (SELECT "gh" AS "tickets" FROM (SELECT ...) AS "gh")
 *       WHERE   → <row condition> AND ..., the client's part behind CASE where it can fail
 *       RETURNING   what is checked there: row_check.c
 *
 * SECURITY: `t.f` is a column or else the call f(t), and a bare `t`, `t.*` or `excluded` is the whole stored row;
 * all would reach hidden columns, so a row is made of what is visible, and any other name does not exist.
 * Attack: tests/attack writes.
 */
#include "infer.h"
#include "operand.h"
#include "write.h"

static const char *const s_system_columns[] = {
    "ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"
};

gh_item *gh_write_add_target(gh_judge *j, RangeVar *v, uint32_t privilege)
{
    gh_item *item = gh_judge_add_item(j, v->alias);

    item->var = v;
    if (v->alias == NULL)
        item->alias = v->relname;
    item->is_target = true;
    item->inner = gh_judge_ident(j, gh_str_of(item->alias));
    gh_judge_locate(j, item);
    if (!gh_judge_resolve(j, item))
        return NULL;
    if (item->decision == NULL || (item->decision->privileges & privilege) == 0 ||
        item->is_renamed || strchr("rpvf", item->relation->kind) == NULL ||
        (item->decision->is_through && privilege != GH_INSERT)) {
        gh_judge_refuse(j, GH_DENIED, "42501", v->location, "permission denied for table %s",
                        v->relname);
        return NULL;
    }
    item->is_used = palloc0((size_t)item->relation->column_count + 1);
    item->is_filtered = palloc0((size_t)item->relation->column_count + 1);
    item->is_guard = palloc0((size_t)item->relation->column_count + 1);
    item->privilege = privilege;
    j->items = lappend(j->items, item);
    j->block->target = item;
    return item;
}

/* ---- references ------------------------------------------------------------------------------ */

/* A target stands as it is: the tables' own rules cannot be had inside it. */
static bool may_read(const gh_item *item)
{
    return (item->decision->privileges & GH_SELECT) != 0 && !item->decision->is_through;
}

bool gh_write_is_system_column(const char *name)
{
    for (size_t i = 0; i < GH_COUNT(s_system_columns); i++) {
        if (strcmp(s_system_columns[i], name) == 0)
            return true;
    }
    return false;
}

bool gh_write_names_system_column(gh_judge *j)
{
    for (size_t i = 0; i < GH_COUNT(s_system_columns); i++) {
        if (gh_judge_may_be_word(j, gh_str_of(s_system_columns[i])))
            return true;
    }
    return false;
}

static void refuse_column(gh_judge *j, const ColumnRef *ref)
{
    bool is_qualified = list_length(ref->fields) > 1;

    if (j->rc != GH_OK)
        return;
    gh_judge_refuse(j, GH_DENIED, "42703", ref->location,
                    is_qualified ? "column %s%s%s does not exist"
                                 : "column \"%s%s%s\" does not exist",
                    is_qualified ? strVal(linitial(ref->fields)) : "", is_qualified ? "." : "",
                    IsA(llast(ref->fields), String) ? strVal(llast(ref->fields)) : "*");
    if (IsA(llast(ref->fields), String))
        gh_system_column_explain(j, strVal(llast(ref->fields)));
}

static void refuse_table(gh_judge *j, const gh_item *item, int location)
{
    gh_judge_refuse(j, GH_DENIED, "42501", location, "permission denied for table %s",
                    item->var->relname);
}

/* Has the target a column of the name that does not exist for the user, who may not write it either? */
static bool hides_name(const gh_item *target, const char *name)
{
    const gh_column *c = gh_relation_column(target->relation, gh_str_of(name));
    const gh_column_decision *d =
        c == NULL ? NULL : &target->decision->columns[c - target->relation->columns];
    bool is_known = d == NULL || d->show != GH_HIDDEN;

    for (size_t i = 0; !is_known && i < GH_COUNT(d->is_writable); i++)
        is_known = d->is_writable[i];
    return !is_known;
}

/*
 * Is it a value of `excluded` that the client gave, and nothing changed? That is no cell of the table, so no mask is
 * over it. SECURITY: a default, a trigger and a generated column make values that are. Attack:
 * tests/integration/checked_writes, Proposals.
 */
static bool is_proposal(const gh_item *item, size_t column)
{
    return item->is_excluded && item->is_given != NULL && item->is_given[column] &&
           item->relation->is_inserted_as_written &&
           item->relation->columns[column].generated == 0 &&
           item->relation->columns[column].identity == 0 &&
           !item->relation->columns[column].is_altered_by_insert;
}

/*
 * Of a table that is not granted in full those that SELECT shows, and xmax in RETURNING of INSERT, which tells whether
 * ON CONFLICT updated the row, and that row is one that the user may see.
 */
static bool shows_system_column(const gh_judge *j, const gh_item *item, const char *name)
{
    return gh_write_is_system_column(name) && may_read(item) &&
           (item->decision->is_full ||
            (!item->is_excluded && gh_system_column_type(j, item, name) != 0) ||
            (item->is_returning && item->privilege == GH_INSERT && strcmp(name, "xmax") == 0));
}

/* `name` of the target: shown as SELECT shows it. */
static void target_column(gh_judge *j, gh_item *item, Node **slot, const char *name,
                          bool is_certain)
{
    ColumnRef *ref = (ColumnRef *)*slot;
    const gh_column *c = gh_relation_column(item->relation, gh_str_of(name));
    size_t index = c == NULL ? 0 : (size_t)(c - item->relation->columns);
    size_t token = gh_judge_token(j, ref->location);
    char *sql;

    if (j->is_inferring && c != NULL &&
        !hides_name(item, name)) /* it is no value, but a part of an index */
        return;
    if (!may_read(item)) {
        refuse_table(j, item, ref->location);
        return;
    }
    if (c == NULL || item->decision->columns[index].show == GH_HIDDEN) {
        refuse_column(j, ref);
        return;
    }
    if (item->decision->columns[index].show == GH_CLEAR || is_proposal(item, index))
        return;
    /* What else `excluded` holds is made by the table; masking that would need another name for the row. */
    if (!is_certain || item->is_excluded) {
        refuse_column(j, ref);
        return;
    }
    sql = gh_relation_column_sql(j, item, index);
    if (sql == NULL || token == SIZE_MAX)
        return;
    sql = j->block->is_condition
              ? gh_judge_printf("(%s)", sql)
              : gh_judge_printf("(SELECT %s AS %s)", sql, gh_judge_ident(j, c->name));
    gh_judge_edit(j, token, token + 2 * (size_t)list_length(ref->fields) - 1, sql);
    *slot = gh_judge_parse_expr(j, sql);
}

/* A system column that shows. What it would tell of a partition that is not there, it tells of the target. */
static void target_system_column(gh_judge *j, const gh_item *item, Node **slot, const char *name,
                                 bool is_certain)
{
    const ColumnRef *ref = (const ColumnRef *)*slot;
    size_t token = gh_judge_token(j, ref->location);
    char *sql;

    if (item->decision->is_full || strcmp(name, "tableoid") != 0)
        return;
    if (!is_certain || token == SIZE_MAX) {
        refuse_column(j, ref);
        return;
    }
    sql = gh_judge_printf(j->block->is_condition ? "(%s)" : "(SELECT %s AS tableoid)",
                          gh_system_column_table(j, item));
    gh_judge_edit(j, token, token + 2 * (size_t)list_length(ref->fields) - 1, sql);
    *slot = gh_judge_parse_expr(j, sql);
}

/* A name that no visible column has, in quotes. */
static const char *row_alias(const gh_item *item)
{
    const char *name = "gh";

    for (int i = 1; gh_relation_column(item->relation, gh_str_of(name)) != NULL; i++)
        name = gh_judge_printf("gh%d", i);
    return gh_judge_printf("\"%s\"", name);
}

/* Of the proposed row masks cannot be made, see target_column. */
static bool is_clear(const gh_item *item)
{
    for (size_t i = 0; i < item->relation->column_count; i++) {
        gh_show show = item->decision->columns[i].show;

        if (show != GH_CLEAR && show != GH_HIDDEN && !is_proposal(item, i))
            return false;
    }
    return true;
}

static char *star_columns(gh_judge *j, gh_item *item, bool is_named);

/* `t` or `t.*` where it is a value: as many tokens, the row as the value of a sub-select. */
static void target_row(gh_judge *j, gh_item *item, Node **slot, size_t tokens)
{
    const ColumnRef *ref = (const ColumnRef *)*slot;
    size_t token = gh_judge_token(j, ref->location);
    const char *alias = row_alias(item);
    char *columns;
    char *sql;

    if (!may_read(item)) {
        refuse_table(j, item, ref->location);
        return;
    }
    if (item->decision->is_open)
        return;
    columns = item->is_excluded && !is_clear(item) ? NULL : star_columns(j, item, true);
    if (columns == NULL || columns[0] == '\0' || token == SIZE_MAX) {
        refuse_column(j, ref);
        return;
    }
    sql = gh_judge_printf("(SELECT %s AS %s FROM (SELECT %s) AS %s)", alias,
                          gh_judge_ident(j, gh_str_of(item->alias)), columns, alias);
    gh_judge_edit(j, token, token + tokens, sql);
    *slot = gh_judge_parse_expr(j, sql);
}

static bool has_visible_column(const gh_item *item, const char *name)
{
    const gh_column *c = gh_relation_column(item->relation, gh_str_of(name));

    return c != NULL && (item->decision == NULL ||
                         item->decision->columns[c - item->relation->columns].show != GH_HIDDEN);
}

/* A name that is made up may be any. */
static bool has_output(const gh_query *q, const char *name)
{
    for (int i = 0; i < q->output_count; i++) {
        if (q->outputs[i].name == NULL || strcmp(q->outputs[i].name, name) == 0)
            return true;
    }
    return false;
}

/* The row that ON CONFLICT proposes, by its name. */
static gh_item *excluded_item(const gh_block *b, const char *name)
{
    ListCell *cell;

    foreach (cell, b->items) {
        gh_item *item = lfirst(cell);

        if (item->is_excluded && strcmp(item->alias, name) == 0)
            return item;
    }
    return NULL;
}

/* Has it the name, as far as is known? *is_certain is cleared where nobody knows. */
static bool has_name(gh_judge *j, const gh_item *item, const char *name, bool *is_certain)
{
    gh_found found = { 0 };
    ListCell *cell;

    foreach (cell, item->names) {
        if (strcmp(strVal(lfirst(cell)), name) == 0)
            return true;
    }
    if (item->relation == NULL && item->result != NULL && item->result->is_complete &&
        !item->is_covered)
        return has_output(item->result, name);
    if (item->relation != NULL && !item->is_renamed)
        return has_visible_column(item, name) || gh_system_column_type(j, item, name) != 0;
    if (item->function != NULL) {
        gh_infer_in_item(j, item, name, &found, 0);
        if (found.is_any || !found.is_open)
            return found.is_any;
    }
    *is_certain = false;
    return false;
}

/* What brings the name into the block's scope beside its target, the first of it; *is_certain as above. */
static const gh_item *other_with(gh_judge *j, const gh_block *b, const char *name, bool *is_certain)
{
    ListCell *cell;

    foreach (cell, b->items) {
        const gh_item *item = lfirst(cell);

        if (item != b->target && !item->is_excluded && has_name(j, item, name, is_certain))
            return item;
    }
    return NULL;
}

/* Is the alias one of a query between here and the block? */
static bool is_shadowed(const gh_judge *j, const gh_block *block, const char *alias)
{
    for (const gh_block *b = j->block; b != block; b = b->outer) {
        ListCell *cell;

        foreach (cell, b->items) {
            const gh_item *item = lfirst(cell);

            if (item->alias != NULL && !item->is_covered && strcmp(item->alias, alias) == 0)
                return true;
        }
    }
    return false;
}

/*
 * SECURITY: PostgreSQL would find a hidden column of a target beside the one that is meant, or before it, and say that the
 * name is ambiguous. So that one is named with its table. Attack: tests/integration/checked_writes, HiddenNames.
 */
static void name_table(gh_judge *j, Node **slot, const gh_block *b, const char *name)
{
    ColumnRef *ref = (ColumnRef *)*slot;
    size_t token = gh_judge_token(j, ref->location);
    const gh_item *found = NULL;
    const char *alias;
    bool ignored = true;
    ListCell *cell;

    foreach (cell, b->items) {
        const gh_item *item = lfirst(cell);

        if (item == b->target || item->is_excluded || item->is_covered ||
            !has_name(j, item, name, &ignored))
            continue;
        if (found != NULL && !b->merges_columns)
            return; /* ambiguous without the hidden one, too */
        found = found != NULL ? found : item;
    }
    alias = found == NULL ? NULL : found->invented != NULL ? found->invented : found->alias;
    if (alias == NULL || b->merges_columns || is_shadowed(j, b, alias)) {
        gh_judge_refuse(j, GH_DENIED, "42501", ref->location,
                        "column reference \"%s\" is not allowed here without its table's name",
                        name);
        return;
    }
    gh_judge_edit(j, token, token + 1,
                  gh_judge_printf("%s.%s", gh_judge_ident(j, gh_str_of(alias)),
                                  gh_judge_ident(j, gh_str_of(name))));
    ref->fields = list_make2(makeString(pstrdup(alias)), llast(ref->fields));
}

/*
 * SECURITY: from PostgreSQL 18 on `old` and `new` in RETURNING are the stored rows before and after the write,
 * with every column, unless a relation in the same scope has that name. Refused as 15 would.
 * Attack: tests/clients/versions.py, test_old_and_new.
 */
static bool is_stored_row(const gh_judge *j, const char *name)
{
    if (gh_catalog_server_version(j->in->catalog) < 180000 ||
        (strcmp(name, "old") != 0 && strcmp(name, "new") != 0))
        return false;
    for (const gh_block *b = j->block; b != NULL; b = b->outer) {
        ListCell *cell;

        foreach (cell, b->items) {
            const gh_item *item = lfirst(cell);

            if (item->alias != NULL && !item->is_covered && strcmp(item->alias, name) == 0)
                return false;
        }
        if (b->target != NULL)
            return true;
    }
    return false;
}

static void unqualified(gh_judge *j, Node **slot, const char *name)
{
    bool is_certain = true;
    bool is_taken = false; /* by a column that does not exist for the user */

    for (gh_block *b = j->block; b != NULL; b = b->outer) {
        gh_item *t = b->target;
        gh_item *excluded;

        is_taken |= t != NULL && hides_name(t, name);
        if (other_with(j, b, name, &is_certain) != NULL) {
            if (is_taken)
                name_table(j, slot, b, name);
            return;
        }
        if (t == NULL)
            continue;
        if (gh_relation_column(t->relation, gh_str_of(name)) != NULL && !hides_name(t, name)) {
            target_column(j, t, slot, name, is_certain && !is_taken);
            return;
        }
        excluded = excluded_item(b, name);
        if (is_certain && (excluded != NULL || strcmp(t->alias, name) == 0)) {
            target_row(j, excluded != NULL ? excluded : t, slot, 1);
            return;
        }
        if (excluded != NULL || strcmp(t->alias, name) == 0 || gh_write_is_system_column(name)) {
            if (shows_system_column(j, t, name))
                target_system_column(j, t, slot, name, is_certain && !is_taken);
            else if (!t->decision->is_open || !may_read(t))
                refuse_column(j, (const ColumnRef *)*slot);
            return;
        }
        if (is_stored_row(j, name)) {
            refuse_column(j, (const ColumnRef *)*slot);
            return;
        }
    }
    if (is_taken)
        refuse_column(j, (const ColumnRef *)*slot);
}

bool gh_judge_is_of_write(const gh_judge *j)
{
    for (const gh_block *b = j->block; b != NULL; b = b->outer) {
        if (b->target != NULL)
            return true;
    }
    return false;
}

void gh_write_column_ref(gh_judge *j, Node **slot, bool is_expanded)
{
    ColumnRef *ref = (ColumnRef *)*slot;
    gh_item *item;
    Node *last = llast(ref->fields);

    if (!gh_judge_is_of_write(j))
        return;
    if (list_length(ref->fields) == 1) {
        if (IsA(last, String))
            unqualified(j, slot, strVal(last));
        else if (j->block->target != NULL) /* a star that RETURNING did not expand */
            refuse_column(j, ref);
        return;
    }
    if (is_stored_row(j, strVal(linitial(ref->fields)))) {
        gh_judge_refuse(j, GH_DENIED, "42P01", ref->location,
                        "missing FROM-clause entry for table \"%s\"",
                        strVal(linitial(ref->fields)));
        return;
    }
    item = gh_judge_find_item(j, strVal(linitial(ref->fields)), NULL);
    if (item == NULL || !item->is_target)
        return;
    if (IsA(last, String) && shows_system_column(j, item, strVal(last)))
        target_system_column(j, item, slot, strVal(last), true);
    else if (IsA(last, String))
        target_column(j, item, slot, strVal(last), true);
    else if (!IsA(last, A_Star) || (item->decision->is_open && may_read(item)))
        return;
    else if (is_expanded || list_length(ref->fields) > 2)
        refuse_column(j, ref);
    else
        target_row(j, item, slot, 3);
}

static bool is_self(const gh_token *t, char c)
{
    return t->kind == GH_TOKEN_SELF && t->text[0] == c;
}

/* In place of the brackets around it alone, too: (t.*) is t.*, but (a, b) would be a row. A name behind it PostgreSQL forgets. */
void gh_write_edit_star(gh_judge *j, const ColumnRef *ref, const char *name, const char *columns)
{
    const gh_token *t = j->text->tokens;
    size_t first = gh_judge_token(j, ref->location);
    size_t end = first + 2 * (size_t)list_length(ref->fields) - 1;

    while (first != SIZE_MAX && first > 1 && end < j->end && is_self(&t[first - 1], '(') &&
           is_self(&t[end], ')') &&
           (t[first - 2].kind != GH_TOKEN_KEYWORD || strcmp(t[first - 2].text, "row") != 0)) {
        first--;
        end++;
    }
    if (name != NULL && first != SIZE_MAX && end < j->end)
        end += t[end].kind == GH_TOKEN_KEYWORD && strcmp(t[end].text, "as") == 0 ? 2 : 1;
    gh_judge_edit(j, first, end, columns);
}

List *gh_write_row_star(gh_judge *j, const Node *n)
{
    const ColumnRef *ref = (const ColumnRef *)n;
    List *out = NIL;
    gh_item *item;
    char *sql;
    const SelectStmt *s;
    ListCell *cell;

    if (!IsA(n, ColumnRef) || !IsA(llast(ref->fields), A_Star))
        return NIL;
    item = gh_reference_item(j, ref);
    if (item == NULL || !item->is_target || item->decision->is_open || !may_read(item) ||
        (item->is_excluded && !is_clear(item)))
        return NIL;
    sql = star_columns(j, item, false);
    s = sql == NULL || sql[0] == '\0'
            ? NULL
            : (const SelectStmt *)gh_judge_parse_query(j, gh_judge_printf("SELECT %s", sql));
    if (s == NULL)
        return NIL;
    foreach (cell, s->targetList)
        out = lappend(out, lfirst_node(ResTarget, cell)->val);
    gh_write_edit_star(j, ref, NULL, sql);
    return out;
}

/* ---- RETURNING ------------------------------------------------------------------------------- */

/* is_named: what is no plain column keeps the column's name. */
static char *star_columns(gh_judge *j, gh_item *item, bool is_named)
{
    List *columns = NIL;

    for (size_t i = 0; i < item->relation->column_count; i++) {
        const gh_column *c = &item->relation->columns[i];
        char *sql;

        if (item->decision->columns[i].show == GH_HIDDEN)
            continue;
        sql = is_proposal(item, i)
                  ? gh_judge_printf("%s.%s", item->inner, gh_judge_ident(j, c->name))
                  : gh_relation_column_sql(j, item, i);
        if (sql == NULL)
            return NULL;
        if (is_named && item->decision->columns[i].show != GH_CLEAR)
            sql = gh_judge_printf("%s AS %s", sql, gh_judge_ident(j, c->name));
        columns = lappend(columns, sql);
    }
    item->has_star = true;
    return gh_judge_join(columns, ", ");
}

/* What a bare star takes in beside the target: one `alias.*` an item of FROM or USING. */
static char *other_stars(gh_judge *j, const gh_item *target, char *columns)
{
    List *all = list_make1(columns);
    ListCell *cell;

    if (j->block->merges_columns) /* a bare star would show the merged column once */
        return NULL;
    foreach (cell, j->block->items) {
        gh_item *item = lfirst(cell);

        if (item == target || item->is_excluded || item->is_covered)
            continue;
        if (item->alias == NULL)
            return NULL;
        item->has_star = true;
        all = lappend(all, gh_judge_printf("%s.*", gh_judge_ident(j, gh_str_of(item->alias))));
    }
    return gh_judge_join(all, ", ");
}

/* `*` or `target.*` as the visible columns; NULL where it is neither. */
static List *expand_star(gh_judge *j, gh_item *target, const ResTarget *t)
{
    const ColumnRef *ref = (const ColumnRef *)t->val;
    char *sql;
    const SelectStmt *s;

    if (!IsA(ref, ColumnRef) || !IsA(llast(ref->fields), A_Star))
        return NULL;
    if (list_length(ref->fields) > 1 && gh_reference_item(j, ref) != target)
        return NULL;
    if (!may_read(target)) {
        refuse_table(j, target, ref->location);
        return NULL;
    }
    sql = star_columns(j, target, true);
    if (sql != NULL && list_length(ref->fields) == 1)
        sql = other_stars(j, target, sql);
    if (sql == NULL || sql[0] == '\0') {
        refuse_column(j, ref);
        return NULL;
    }
    gh_write_edit_star(j, ref, t->name, sql);
    s = (const SelectStmt *)gh_judge_parse_query(j, gh_judge_printf("SELECT %s", sql));
    if (s == NULL || j->rc != GH_OK)
        return NULL;
    target->star_edit = j->edit_count - 1;
    target->star_target = linitial(s->targetList);
    return s->targetList;
}

static bool is_star(const Node *n)
{
    return IsA(n, ColumnRef) && IsA(llast(((const ColumnRef *)n)->fields), A_Star);
}

List *gh_write_returning(gh_judge *j, gh_item *target, List *targets)
{
    List *out = NIL;
    ListCell *cell;

    target->is_returning = true;
    foreach (cell, targets) {
        ResTarget *t = lfirst_node(ResTarget, cell);
        gh_returned r = { t, foreach_current_index(cell), t->name != NULL, gh_infer_output_name(t),
                          !IsA(t->val, ColumnRef) };
        List *columns = expand_star(j, target, t);

        if (j->rc != GH_OK)
            return out;
        if (columns != NIL) {
            out = list_concat(out, columns);
            continue;
        }
        gh_judge_expr(j, (Node **)&lfirst(cell));
        if (j->rc != GH_OK)
            return out;
        r.may_fail = r.may_fail && !gh_write_is_quiet(j, t->val);
        if (!target->returned.may_fail && !is_star(t->val))
            target->returned = r;
        out = lappend(out, t);
    }
    return out;
}

/* ---- conditions and checks ------------------------------------------------------------------- */

static size_t bit_position(uint32_t privilege)
{
    size_t i = 0;

    while (privilege > 1) {
        privilege >>= 1;
        i++;
    }
    return i;
}

static bool covers(const gh_item *item, const gh_write_grant *g, const bool *written)
{
    for (size_t i = 0; written != NULL && i < item->relation->column_count; i++) {
        if (written[i] && (g->columns[i / 8] & (1u << (i % 8))) == 0)
            return false;
    }
    return true;
}

static char *and_denies(gh_judge *j, gh_item *item, gh_filter_set denies, char *condition)
{
    List *all = condition[0] == '\0' ? NIL : list_make1(condition);

    for (uint16_t i = 0; i < denies.count; i++) {
        char *f = gh_judge_filter(j, item, item->decision->filters[denies.items[i]]);

        if (f == NULL)
            return NULL;
        all = lappend(all, gh_judge_printf("(%s) IS FALSE", f));
    }
    return gh_judge_join(all, " AND ");
}

/* Grants that cover all columns written, as one OR; *count of them. */
static char *grants_condition(gh_judge *j, gh_item *item, uint32_t privilege, const bool *written,
                              unsigned *count, bool *is_blind)
{
    const gh_decision *d = item->decision;
    bool is_every_row = false;
    List *any = NIL;

    for (uint16_t i = 0; i < d->write_count; i++) {
        const gh_write_grant *g = &d->writes[i];
        char *f;

        if ((g->privileges & privilege) == 0 || !covers(item, g, written))
            continue;
        (*count)++;
        *is_blind = *is_blind && g->is_blind;
        if (g->is_every_row) {
            is_every_row = true;
            continue;
        }
        f = gh_judge_filter(j, item, d->filters[g->filter]);
        if (f == NULL)
            return NULL;
        any = lappend(any, gh_judge_printf("(%s)", f));
    }
    if (is_every_row || any == NIL)
        return pstrdup("");
    return gh_judge_printf("(%s)", gh_judge_join(any, " OR "));
}

char *gh_write_condition(gh_judge *j, gh_item *target, uint32_t privilege, const bool *written,
                         bool *is_blind)
{
    size_t bit = bit_position(privilege);
    unsigned count = 0;
    char *out;

    *is_blind = true;
    out = grants_condition(j, target, privilege, written, &count, is_blind);
    if (count == 0) {
        refuse_table(j, target, target->var->location);
        return NULL;
    }
    out = out == NULL ? NULL : and_denies(j, target, target->decision->deny_rows[bit], out);
    for (size_t i = 0; out != NULL && written != NULL && i < target->relation->column_count; i++) {
        if (written[i])
            out = and_denies(j, target, target->decision->columns[i].deny_where[bit], out);
    }
    return out;
}

/* ---- trees ----------------------------------------------------------------------------------- */

static void fill(struct Node **slot, void *arg)
{
    gh_judge_fill((Node **)slot, arg);
}

void gh_judge_fill(Node **slot, Node *with)
{
    if (IsA(*slot, ParamRef) && ((const ParamRef *)*slot)->number == 0)
        *slot = with;
    else if (!gh_sql_children(*slot, fill, with))
        *slot = NULL; /* not reached: the text parsed before */
}
