/*
 * What stands in place of a relation that the policy governs:
 *
 *     FROM sales.orders o   becomes
 *     FROM (SELECT "gh"."id",
 *                  CASE WHEN (<filter 1>) IS TRUE THEN "gh"."email" ELSE NULL END AS "email"
 *           FROM "sales"."orders" AS "gh"
 *           WHERE (<filter 1>) OR (<filter 2>) OFFSET 0) o
 *
 * Hidden columns and rows are simply not in it, so every other part of the query, whatever it is,
 * works on what the user may see. OFFSET 0 is the fence: PostgreSQL neither pulls such a sub-select
 * up nor pushes conditions into it, so no expression of the client's meets a row before the filter
 * did.
 */
#include "allow.h"
#include "apart.h"
#include "fence.h"
#include "judge.h"

#include "overload.h"

static bool is_system_schema(gh_str schema)
{
    return gh_str_is(schema, "pg_catalog") || gh_str_is(schema, "information_schema");
}

bool gh_relation_is_known(const gh_judge *j, const gh_relation *r)
{
    if (is_system_schema(r->schema))
        return gh_system_relation_find(r->schema, r->name) != NULL;
    return gh_judge_decide(j, r)->exists;
}

static bool is_readable_kind(char kind)
{
    return kind != '\0' && strchr("rpvmfS", kind) != NULL;
}

/* The first relation of the name that exists for this user. */
static bool take_known(gh_judge *j, gh_item *item, gh_str schema)
{
    gh_str name = gh_str_of(item->var->relname);
    bool is_temporary = gh_temporary_is_schema(j, schema);
    const gh_relation *r = is_temporary ? gh_temporary_relation(j, name)
                                        : gh_catalog_relation(j->in->catalog, schema, name);

    item->system = gh_my_access_find(schema, name, &r);
    if (item->system != NULL) {
        item->relation = r;
        item->inner = GH_INNER;
        return true;
    }
    if (r == NULL || !is_readable_kind(r->kind))
        return false;
    if (is_system_schema(schema)) {
        item->system = gh_system_relation_find(r->schema, r->name);
        if (item->system == NULL)
            return false;
    } else {
        item->decision = j->view_depth > 0 ? gh_through_decide(j, r) : gh_judge_decide(j, r);
        if (!item->decision->exists)
            return false;
        j->has_others |= r->kind == 'v' && !item->decision->is_through;
    }
    item->relation = r;
    if (item->inner == NULL)
        item->inner = GH_INNER;
    return true;
}

bool gh_relation_lookup(gh_judge *j, gh_item *item)
{
    gh_str_list path = j->in->search_path;
    bool names_catalog = false;
    bool names_temporary = false;
    gh_str name;

    if (item->var->schemaname != NULL)
        return take_known(j, item, gh_str_of(item->var->schemaname));
    name = gh_str_of(item->var->relname);
    for (size_t i = 0; i < path.count; i++) {
        names_catalog |= gh_str_is(path.items[i], "pg_catalog");
        names_temporary |= gh_temporary_is_schema(j, path.items[i]);
    }
    if (!names_temporary && take_known(j, item, GH_STR(GH_TEMPORARY_SCHEMA)))
        return true;
    if (!names_temporary && gh_temporary_is_unknown(j, name))
        return false; /* no other relation is meant */
    if (!names_catalog && take_known(j, item, GH_STR("pg_catalog")))
        return true;
    for (size_t i = 0; i < path.count; i++) {
        if (take_known(j, item, path.items[i]))
            return true;
        if (gh_temporary_is_schema(j, path.items[i]) && gh_temporary_is_unknown(j, name))
            return false;
    }
    return false;
}

static void refuse_unknown(gh_judge *j, const gh_item *item)
{
    const RangeVar *v = item->var;

    gh_judge_refuse(j, GH_DENIED, "42P01", v->location, "relation \"%s%s%s\" does not exist",
                    v->schemaname != NULL ? v->schemaname : "", v->schemaname != NULL ? "." : "",
                    v->relname);
}

/* Relations of pg_catalog are public knowledge; saying that one is closed tells nothing. */
static bool refuse_system(gh_judge *j, const gh_item *item)
{
    gh_str schema =
        item->var->schemaname != NULL ? gh_str_of(item->var->schemaname) : GH_STR("pg_catalog");

    if (!is_system_schema(schema) ||
        gh_catalog_relation(j->in->catalog, schema, gh_str_of(item->var->relname)) == NULL)
        return false;
    gh_judge_refuse(j, GH_DENIED, "42501", item->var->location, "permission denied for table %s",
                    item->var->relname);
    return true;
}

bool gh_judge_resolve(gh_judge *j, gh_item *item)
{
    if (j->rc != GH_OK)
        return false;
    if (item->var->catalogname != NULL && !gh_str_is(j->in->database, item->var->catalogname)) {
        gh_judge_refuse(j, GH_INVALID, "0A000", item->var->location,
                        "cross-database references are not implemented: \"%s.%s.%s\"",
                        item->var->catalogname, item->var->schemaname, item->var->relname);
        return false;
    }
    if (!gh_relation_lookup(j, item)) {
        if (!refuse_system(j, item))
            refuse_unknown(j, item);
        return false;
    }
    if (item->decision != NULL && !item->is_target &&
        (item->decision->privileges & GH_SELECT) == 0) {
        gh_judge_refuse(j, GH_DENIED, "42501", item->var->location,
                        "permission denied for table %s", item->var->relname);
        return false;
    }
    if (item->decision != NULL && item->decision->column_count != item->relation->column_count) {
        gh_judge_refuse(j, GH_INTERNAL, "XX000", -1, "statement cannot be rewritten");
        gh_err_detail(j->err, "decision and relation differ in columns");
        return false;
    }
    item->keeps_hidden = j->view_depth > 0;
    if (item->decision != NULL && item->decision->is_through && !item->is_target)
        gh_through_expand(j, item);
    return j->rc == GH_OK;
}

/* ---- the sub-select -------------------------------------------------------------------------- */

/* (f1) OR (f2), or with suffix IS TRUE on each; "" for an empty set. */
char *gh_relation_any_of(gh_judge *j, gh_item *item, gh_filter_set set, const char *suffix)
{
    List *filters = NIL;

    for (uint16_t i = 0; i < set.count; i++) {
        char *f = gh_judge_filter(j, item, item->decision->filters[set.items[i]]);

        if (f == NULL)
            return NULL;
        filters = lappend(filters, gh_judge_printf("(%s)%s", f, suffix));
    }
    return gh_judge_join(filters, " OR ");
}

static char *column_ref(const gh_judge *j, const gh_item *item, const gh_column *c)
{
    return gh_judge_printf("%s.%s", item->inner, gh_judge_ident(j, c->name));
}

/* The value of one arm: the column, or its mask. */
static char *arm_value(gh_judge *j, gh_item *item, const gh_column *c, const gh_arm *arm)
{
    return arm->mask == NULL ? column_ref(j, item, c) : gh_judge_mask(j, item, c, arm->mask);
}

/* A cell that depends on its row: CASE over the arms, in the type of the column. */
static char *by_cell(gh_judge *j, gh_item *item, const gh_column *c, const gh_column_decision *d)
{
    List *arms = NIL;

    if (d->null_where.count != 0) {
        char *deny = gh_relation_any_of(j, item, d->null_where, " IS NOT FALSE");

        if (deny == NULL)
            return NULL;
        arms = lappend(arms, gh_judge_printf("WHEN %s THEN NULL", deny));
    }
    for (uint16_t i = 0; i < d->arm_count; i++) {
        const gh_arm *arm = &d->arms[i];
        char *when =
            arm->is_always ? pstrdup("true") : gh_relation_any_of(j, item, arm->when, " IS TRUE");
        char *value = arm_value(j, item, c, arm);

        if (when == NULL || value == NULL || (!arm->is_always && arm->when.count == 0))
            return NULL;
        arms = lappend(arms, gh_judge_printf("WHEN %s THEN %s", when, value));
    }
    if (d->arm_count == 0)
        return gh_judge_printf("CAST(NULL AS " GH_STR_FMT ")", GH_STR_ARG(c->type_sql));
    return gh_judge_printf("CAST(CASE %s ELSE NULL END AS " GH_STR_FMT ")",
                           gh_judge_join(arms, " "), GH_STR_ARG(c->type_sql));
}

char *gh_relation_column_sql(gh_judge *j, gh_item *item, size_t i)
{
    const gh_column *c = &item->relation->columns[i];
    const gh_column_decision *d = &item->decision->columns[i];

    switch (d->show) {
    case GH_HIDDEN:
        return NULL;
    case GH_CLEAR:
        return column_ref(j, item, c);
    case GH_MASKED:
        if (d->arm_count == 0)
            return by_cell(j, item, c, d);
        return arm_value(j, item, c, &d->arms[0]);
    case GH_BY_CELL:
        return by_cell(j, item, c, d);
    }
    return NULL;
}

/* The words of the text are a set that may hold more than was put in, never less: a bit for each that goes there. */
static size_t word_bit(const gh_judge *j, gh_str word)
{
    uint32_t h = (uint32_t)word.len;

    for (size_t i = 0; i < word.len; i++)
        h = h * 33 + (unsigned char)word.ptr[i];
    return (h ^ h >> 15) % (64 * GH_COUNT(j->words));
}

static void note_words(gh_judge *j)
{
    for (size_t i = 0; i < j->text->token_count; i++) {
        const gh_token *t = &j->text->tokens[i];

        if (t->kind == GH_TOKEN_IDENT || t->kind == GH_TOKEN_KEYWORD) {
            size_t bit = word_bit(j, gh_str_of(t->text));

            j->words[bit / 64] |= UINT64_C(1) << (bit % 64);
        }
    }
    j->has_words = true;
}

bool gh_judge_may_be_word(gh_judge *j, gh_str name)
{
    size_t bit = word_bit(j, name);

    if (!j->has_words)
        note_words(j);
    return (j->words[bit / 64] >> (bit % 64) & 1) != 0;
}

/*
 * What the statement does not read need not be there: it costs the parsers on both sides, and the planner. But a
 * name that is not found here would be looked for further out, so a column is left out only where nothing in the
 * text, in whatever place, is a word like its name, and nothing reads the row as a whole.
 */
static bool is_unread(gh_judge *j, const gh_item *item, size_t column)
{
    return item->is_used != NULL && !item->is_used[column] && !item->has_star &&
           !item->is_renamed && !gh_judge_may_be_word(j, item->relation->columns[column].name);
}

/* Of a view that is expanded: what it computes may fail, so what is only called like a word is not computed. */
static bool is_left_out(const gh_item *item, size_t column)
{
    return item->is_computed != NULL && item->is_computed[column] && item->is_used != NULL &&
           !item->is_used[column] && !item->has_star;
}

/* Does the sub-select have the column? */
static bool stands_in_list(gh_judge *j, const gh_item *item, size_t column)
{
    return (item->decision->columns[column].show != GH_HIDDEN || item->keeps_hidden) &&
           !is_unread(j, item, column);
}

static char *column_list(gh_judge *j, gh_item *item)
{
    gh_buf b;
    bool is_first = true;

    gh_buf_init(&b, 0);
    for (size_t i = 0; i < item->relation->column_count && j->rc == GH_OK; i++) {
        const gh_column *c = &item->relation->columns[i];
        bool is_hidden = item->decision->columns[i].show == GH_HIDDEN;
        char *value;

        if (!stands_in_list(j, item, i))
            continue;
        is_hidden = is_hidden || gh_through_is_empty(item) || is_left_out(item, i);
        value = is_hidden ? gh_judge_printf("CAST(NULL AS " GH_STR_FMT ")", GH_STR_ARG(c->type_sql))
                          : gh_relation_column_sql(j, item, i);
        if (value == NULL) {
            gh_judge_refuse(j, GH_DENIED, "42501", -1, "permission denied for table %s",
                            item->var->relname);
            break;
        }
        gh_buf_printf(&b, "%s%s", is_first ? "" : ", ", value);
        if (item->decision->columns[i].show != GH_CLEAR || is_hidden)
            gh_buf_printf(&b, " AS %s", gh_judge_ident(j, c->name));
        is_first = false;
    }
    gh_buf_puts(&b, gh_system_columns(j, item, false, is_first));
    return gh_judge_take(&b);
}

/* Which rows show: grants' filters joined by OR, then each deny. */
char *gh_relation_row_condition(gh_judge *j, gh_item *item)
{
    const gh_decision *d = item->decision;
    List *all = NIL;

    if (d->is_every_row)
        return pstrdup("");
    if (!d->rows_all) {
        char *rows = gh_relation_any_of(j, item, d->rows, "");

        if (rows == NULL)
            return NULL;
        all = list_make1(d->rows.count == 0 ? pstrdup("false") : gh_judge_printf("(%s)", rows));
    }
    for (uint16_t i = 0; i < d->row_denies.count; i++) {
        char *f = gh_judge_filter(j, item, d->filters[d->row_denies.items[i]]);

        if (f == NULL)
            return NULL;
        all = lappend(all, gh_judge_printf("(%s) IS FALSE", f));
    }
    return gh_judge_join(all, " AND ");
}

/* The row condition and, behind the fence, the client's conditions that are copied inside. */
static const char *inner_condition(gh_judge *j, const gh_item *item)
{
    const char *copies;

    if (item->is_locked && item->has_query && item->where[0] != '\0') /* so that it is no join */
        return gh_judge_printf("CASE WHEN %s THEN true ELSE false END", item->where);
    if (!gh_judge_is_fenced(j, item))
        return item->where;
    copies = gh_judge_copies(j, item->pushed);
    if (item->where[0] != '\0')
        return gh_judge_printf("%s%s", item->where, copies);
    return copies[0] == '\0' ? copies : copies + strlen(" AND ");
}

/* A composite type, or an array of one. */
static bool is_of_rows(const gh_judge *j, gh_oid type)
{
    const gh_type *t =
        gh_catalog_type_by_oid(j->in->catalog, gh_overload_base(j->in->catalog, type));

    if (t != NULL && t->category == 'A')
        t = gh_catalog_type_by_oid(j->in->catalog, gh_overload_base(j->in->catalog, t->element));
    return t != NULL && t->kind == 'c';
}

/*
 * SECURITY: a comparison fails where two collations meet that nothing decides between, and rows where they come to
 * fields of two types: `address = ROW(7, 5)` fails by the statistics of rows whose first field is 7. Attack:
 * tests/attack statistics.
 */
static bool has_odd_column(const gh_judge *j)
{
    ListCell *cell;

    foreach (cell, j->items) {
        const gh_item *item = lfirst(cell);

        for (size_t i = 0; item->decision != NULL && i < item->relation->column_count; i++) {
            const gh_column *c = &item->relation->columns[i];

            if ((c->collation != 0 && c->collation != 100) || /* none, or the database's own */
                is_of_rows(j, c->type_oid))
                return true;
        }
    }
    return false;
}

/* Compiles what the sub-select holds; whether it is fenced is known only when all items are. */
static bool prepare(gh_judge *j, gh_item *item)
{
    if (item->columns == NULL)
        item->columns = column_list(j, item);
    if (item->where == NULL)
        item->where = gh_relation_row_condition(j, item);
    return j->rc == GH_OK && item->columns != NULL && item->where != NULL;
}

/*
 * What ends a sub-select that must be a fence. Through one that is a set operation the planner sees no
 * statistics of the columns; the second arm is never run and keeps their types.
 */
static const char *fence(gh_judge *j, const gh_item *item)
{
    gh_buf b;
    bool is_first = true;

    if (!gh_judge_is_fenced(j, item))
        return "";
    if (!j->asks_statistics)
        return " OFFSET 0";
    gh_buf_init(&b, 0);
    gh_buf_puts(&b, " UNION ALL SELECT ");
    for (size_t i = 0; i < item->relation->column_count; i++) {
        if (!stands_in_list(j, item, i))
            continue;
        gh_buf_printf(&b, "%sCAST(NULL AS " GH_STR_FMT ")", is_first ? "" : ", ",
                      GH_STR_ARG(item->relation->columns[i].type_sql));
        is_first = false;
    }
    gh_buf_puts(&b, gh_system_columns(j, item, true, is_first));
    gh_buf_puts(&b, " WHERE false OFFSET 0");
    return gh_judge_take(&b);
}

/* What the sub-select reads: the relation, or the definition of a view that is expanded. */
static char *source(gh_judge *j, const gh_item *item)
{
    List *names = NIL;

    if (item->body == NULL)
        return gh_judge_printf("%s%s.%s AS " GH_INNER "%s", item->var->inh ? "" : "ONLY ",
                               gh_judge_ident(j, item->relation->schema),
                               gh_judge_ident(j, item->relation->name),
                               item->sample != NULL ? item->sample : "");
    for (size_t i = 0; i < item->relation->column_count; i++)
        names = lappend(names, gh_judge_ident(j, item->relation->columns[i].name));
    return gh_judge_printf("(%s) AS " GH_INNER "(%s)", item->body, gh_judge_join(names, ", "));
}

char *gh_relation_governed_sql(gh_judge *j, gh_item *item)
{
    const char *where;

    if (!prepare(j, item))
        return NULL;
    if (gh_through_is_empty(item)) /* nothing of it is asked for: it may be closed to the account */
        return gh_judge_printf("(SELECT %s WHERE false)", item->columns);
    where = inner_condition(j, item);
    return gh_judge_printf("(SELECT %s FROM %s%s%s%s)", item->columns, source(j, item),
                           where[0] != '\0' ? " WHERE " : "", where, fence(j, item));
}

/* TABLE t is SELECT * FROM t; only the latter may hold a sub-select. */
static void expand_table_command(gh_judge *j, const gh_item *item)
{
    const gh_token *t = j->text->tokens;

    if (item->first >= 1 && t[item->first - 1].kind == GH_TOKEN_KEYWORD &&
        strcmp(t[item->first - 1].text, "table") == 0)
        gh_judge_edit(j, item->first - 1, item->first, "SELECT * FROM");
}

static void place_qualified(gh_judge *j, gh_item *item)
{
    const char *only = item->var->inh ? "" : "ONLY ";
    const char *alias =
        item->invented != NULL
            ? gh_judge_printf(" AS %s", gh_judge_ident(j, gh_str_of(item->invented)))
            : "";

    item->var->catalogname = NULL;
    item->var->schemaname = gh_judge_cstr(item->relation->schema);
    if (item->invented != NULL) {
        expand_table_command(j, item);
        item->var->alias = makeNode(Alias);
        item->var->alias->aliasname = pstrdup(item->invented);
    }
    gh_judge_edit(j, item->first, item->end,
                  gh_judge_printf("%s%s.%s%s", only, gh_judge_ident(j, item->relation->schema),
                                  gh_judge_ident(j, item->relation->name), alias));
}

static void place_subselect(gh_judge *j, gh_item *item)
{
    const char *name = item->invented != NULL ? item->invented : item->var->relname;
    char *sql =
        item->system != NULL ? gh_system_relation_sql(j, item) : gh_relation_governed_sql(j, item);
    RangeSubselect *node;

    if (sql == NULL) {
        gh_judge_refuse(j, GH_DENIED, "42501", -1, "permission denied for table %s",
                        item->var->relname);
        return;
    }
    node = (RangeSubselect *)gh_judge_parse_item(j, gh_judge_printf("%s AS gh", sql));
    if (node == NULL)
        return;
    GH_ASSERT(IsA(node, RangeSubselect));
    expand_table_command(j, item);
    if (item->has_alias) {
        node->alias = item->var->alias;
        gh_judge_edit(j, item->first, item->end, sql);
    } else {
        node->alias = makeNode(Alias);
        node->alias->aliasname = pstrdup(name);
        gh_judge_edit(j, item->first, item->end,
                      gh_judge_printf("%s AS %s", sql, gh_judge_ident(j, gh_str_of(name))));
    }
    if (item->sample == NULL) {
        *item->slot = (Node *)node;
        return;
    }
    *item->sample_slot = (Node *)node;
    gh_judge_edit(j, item->sample_first, item->sample_end, "");
    j->reads_literal = true; /* what was cut out stands elsewhere */
}

/* A view's own conditions can leak as a row filter's can, so only a barrier is left unfenced. A star stands for what
 * the catalog says, and a name for what it has, unless whatever the warehouse has by now may show. */
bool gh_relation_stands(const gh_item *item)
{
    return item->system == NULL && item->decision->is_full && !item->decision->is_through &&
           (item->decision->is_open || (!item->has_star && !item->is_probed)) &&
           (item->relation->kind != 'v' || item->relation->is_security_barrier);
}

/* Its rows are not all told by conditions on the row that is read here. */
static bool has_ways_of_its_own(const gh_item *item)
{
    return item->decision != NULL && !item->is_target &&
           (item->relation->kind == 'v' || item->relation->kind == 'f');
}

/* What push.c noted, of views whose own joins and expressions it may run into. */
static bool may_run_early(const gh_judge *j, const gh_item *item)
{
    if (!has_ways_of_its_own(item))
        return false;
    if (j->runs_early)
        return true;
    for (uint16_t i = 0; j->has_outer_join && i < item->relation->column_count; i++) {
        bool is_computed = item->is_computed != NULL ? item->is_computed[i]
                                                     : item->relation->columns[i].is_computed;

        if (is_computed && item->decision->columns[i].show != GH_HIDDEN)
            return true;
    }
    return false;
}

/*
 * SECURITY: PostgreSQL runs what is cheaper first, so a sub-select of the client's runs behind a row filter of a
 * few operators; behind one that costs more, or a view's own joins, it would not, and take its time for hidden
 * rows. Attack: tests/unit/rewrite, views_are_fenced_from_what_runs_early.
 */
static bool may_be_slow(const gh_judge *j, const gh_item *item)
{
    return (j->has_exists_condition || j->has_query_condition) &&
           (item->is_dear || has_ways_of_its_own(item));
}

/* Compiles what will stand for it, from which follows what is fenced. */
static void prepare_item(gh_judge *j, gh_item *item)
{
    bool is_ready;

    if (item->is_placed || item->is_target || item->decision == NULL || gh_relation_stands(item))
        return;
    item->is_flat = gh_flat_may_stand(j, item);
    if (!item->is_flat)
        item->inner = GH_INNER;
    is_ready = item->is_flat ? gh_flat_prepare(j, item) : prepare(j, item);
    if (item->is_captured) {
        item->is_flat = item->is_captured = false;
        item->inner = GH_INNER;
        item->where = NULL;
        is_ready = prepare(j, item);
    }
    if (!is_ready)
        gh_judge_refuse(j, GH_DENIED, "42501", -1, "permission denied for table %s",
                        item->var->relname);
}

/* A fence is around a sub-select, whose conditions have another name for the relation. */
static void settle(gh_judge *j, gh_item *item)
{
    if (!item->is_flat || gh_flat_is_guarded(j, item) ||
        (!item->is_locked && !gh_judge_is_fenced(j, item)))
        return;
    item->is_flat = false;
    item->inner = GH_INNER;
    item->where = NULL;
}

void gh_judge_place_items(gh_judge *j)
{
    ListCell *cell;
    bool is_any_fenced = false;

    foreach (cell, j->items) {
        gh_item *item = lfirst(cell);

        prepare_item(j, item);
        if (may_run_early(j, item) || may_be_slow(j, item))
            item->is_fenced = true;
        is_any_fenced |= gh_judge_is_fenced(j, item);
    }
    j->asks_statistics =
        j->asks_statistics || ((is_any_fenced || j->apart != NIL) && has_odd_column(j));
    foreach (cell, j->items) {
        gh_item *item = lfirst(cell);

        if (j->rc != GH_OK)
            return;
        if (item->is_placed)
            continue;
        settle(j, item);
        if (item->is_target || item->is_flat || gh_relation_stands(item)) {
            place_qualified(j, item);
            continue;
        }
        gh_judge_locked_item(j, item);
        if (item->must_stand && item->sample == NULL)
            gh_judge_refuse(j, GH_DENIED, "42501", item->var->location,
                            "TABLESAMPLE of a relation that the policy filters is not allowed");
        else
            place_subselect(j, item);
    }
    foreach (cell, j->blocks)
        gh_flat_place_filters(j, lfirst(cell));
    gh_apart_place(j);
    /* SECURITY: one whose query was not among them would stand without its filter, in text and tree alike. */
    foreach (cell, j->items) {
        const gh_item *item = lfirst(cell);

        if (item->is_flat && !item->is_guarded)
            gh_judge_refuse(j, GH_INTERNAL, "XX000", -1, "statement cannot be rewritten");
    }
}

/* ---- for the audit --------------------------------------------------------------------------- */

static gh_str_list names_of(gh_judge *j, const gh_item *item, const bool *mask, bool masked_only,
                            bool clear_only)
{
    gh_str *out =
        gh_arena_alloc(j->arena, ((size_t)item->relation->column_count + 1) * sizeof(gh_str));
    size_t n = 0;

    if (out == NULL) {
        gh_judge_refuse(j, GH_LIMIT, "54000", -1, "statement needs too much memory");
        return (gh_str_list){ NULL, 0 };
    }
    for (size_t i = 0; i < item->relation->column_count; i++) {
        gh_show show = item->decision->columns[i].show;

        if (!(mask[i] || (item->has_star && mask == item->is_used)) || show == GH_HIDDEN)
            continue;
        if ((masked_only && show == GH_CLEAR) || (clear_only && show != GH_CLEAR))
            continue;
        out[n++] = gh_arena_dup(j->arena, item->relation->columns[i].name);
    }
    return (gh_str_list){ out, n };
}

/* What a `*` would show of the table as it is, and does not show to this user. */
static gh_str_list hidden_of(gh_judge *j, const gh_item *item)
{
    size_t count = item->has_star ? item->relation->column_count : 0;
    gh_str *out = gh_arena_alloc(j->arena, (count + 1) * sizeof(gh_str));
    size_t n = 0;

    if (out == NULL) {
        gh_judge_refuse(j, GH_LIMIT, "54000", -1, "statement needs too much memory");
        return (gh_str_list){ NULL, 0 };
    }
    for (size_t i = 0; i < count; i++) {
        if (item->decision->columns[i].show == GH_HIDDEN)
            out[n++] = gh_arena_dup(j->arena, item->relation->columns[i].name);
    }
    return (gh_str_list){ out, n };
}

static void note_item(gh_judge *j, const gh_item *item, gh_touch *t)
{
    *t = (gh_touch){ .relation = item->relation->oid,
                     .schema = gh_arena_dup(j->arena, item->relation->schema),
                     .name = gh_arena_dup(j->arena, item->relation->name),
                     .privileges = item->is_target ? item->privilege : GH_SELECT,
                     .clear = names_of(j, item, item->is_used, false, true),
                     .masked = names_of(j, item, item->is_used, true, false),
                     .filtered = names_of(j, item, item->is_filtered, false, false),
                     .hidden = hidden_of(j, item),
                     .is_row_filtered =
                         !item->decision->is_every_row || item->decision->is_through };
}

static void note_sequence(gh_judge *j, const gh_sequence_use *use, gh_touch *t)
{
    *t = (gh_touch){ .relation = use->relation->oid,
                     .schema = gh_arena_dup(j->arena, use->relation->schema),
                     .name = gh_arena_dup(j->arena, use->relation->name),
                     .privileges = use->privileges,
                     .is_sequence = true };
}

static void note_grants(gh_judge *j, int64_t *grants, const gh_decision *d)
{
    if (d->grant_count > 0)
        memcpy(&grants[j->plan->grant_count], d->grant_ids, d->grant_count * sizeof(int64_t));
    j->plan->grant_count += d->grant_count;
}

/*
 * SECURITY: generated columns, checks and indexes of what is written compute with all of its row, and a function that the
 * policy allows with what it likes, and no context tells of it where PostgreSQL writes it out in the query. Attack:
 * tests/attack error-fields.
 */
static bool has_others(const gh_judge *j)
{
    ListCell *cell;

    foreach (cell, j->items) {
        const gh_item *item = lfirst(cell);

        if (item->is_target && !item->decision->is_full)
            return true;
    }
    return j->calls_code;
}

static size_t grant_count(const gh_judge *j)
{
    size_t n = 0;
    ListCell *cell;

    foreach (cell, j->items) {
        const gh_item *item = lfirst(cell);

        n += item->decision != NULL ? item->decision->grant_count : 0;
    }
    foreach (cell, j->sequences) {
        const gh_sequence_use *use = lfirst(cell);

        n += gh_judge_decide(j, use->relation)->grant_count;
    }
    return n;
}

void gh_judge_note_touches(gh_judge *j)
{
    size_t count = (size_t)list_length(j->items) + (size_t)list_length(j->sequences);
    gh_touch *touches = gh_arena_alloc(j->arena, (count + 1) * sizeof(gh_touch));
    int64_t *grants = gh_arena_alloc(j->arena, (grant_count(j) + 1) * sizeof(int64_t));
    size_t n = 0;
    ListCell *cell;

    if (touches == NULL || grants == NULL) {
        gh_judge_refuse(j, GH_LIMIT, "54000", -1, "statement needs too much memory");
        return;
    }
    foreach (cell, j->items) {
        const gh_item *item = lfirst(cell);

        if (item->decision == NULL) /* the catalogs hold no data of the warehouse */
            continue;
        note_item(j, item, &touches[n++]);
        note_grants(j, grants, item->decision);
    }
    foreach (cell, j->sequences) {
        const gh_sequence_use *use = lfirst(cell);

        note_sequence(j, use, &touches[n++]);
        note_grants(j, grants, gh_judge_decide(j, use->relation));
    }
    j->plan->touches = touches;
    j->plan->touch_count = n;
    j->plan->grant_ids = grants;
    j->has_others |= has_others(j);
}
