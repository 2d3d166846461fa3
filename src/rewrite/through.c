/*
 * A view that a grant gives with `through` is the query that its definition is, run by the user:
 *
 *     FROM mart.v_orders v   becomes   FROM (SELECT "gh"."id", ... FROM (<definition>) AS "gh"("id", ...)
 *                                            WHERE <rows of the view's own grants>) v
 *
 * and in the definition each relation stands as it would in the user's own query. It obeys all that such a
 * query obeys, the list of functions too, with two differences, since its author named what the user may not
 * know of: a column that is hidden is NULL there, and a relation of which the user sees nothing has no rows.
 * A view inside that no grant names is expanded in turn.
 *
 * SECURITY: whatever of a definition is not understood refuses the view as a whole, by a text that names
 * nothing of it. Attack: tests/integration/through.
 */
#include "join_on.h"

/* ---- the relations of a definition ------------------------------------------------------------ */

/* Nothing shows, and every column is there to be named. */
static const gh_decision *empty_decision(const gh_relation *r)
{
    gh_decision *d = palloc0(sizeof(*d));

    d->exists = true;
    d->privileges = GH_SELECT;
    d->columns = palloc0(((size_t)r->column_count + 1) * sizeof(gh_column_decision));
    d->column_count = r->column_count;
    return d;
}

const gh_decision *gh_through_decide(const gh_judge *j, const gh_relation *r)
{
    const gh_decision *d = gh_view_decide_inside(j->in->view, j->in->catalog, r);

    return d->exists && (d->privileges & GH_SELECT) != 0 ? d : empty_decision(r);
}

bool gh_through_is_empty(const gh_item *item)
{
    const gh_decision *d = item->decision;

    return item->keeps_hidden && !d->rows_all && d->rows.count == 0;
}

/* ---- the definition --------------------------------------------------------------------------- */

/* The only statement of the definition, a query, or NULL. */
static SelectStmt *parse(gh_str definition, gh_sql_text *text, gh_err *why)
{
    SelectStmt *s;

    if (gh_sql_guard(definition, why) != GH_OK || gh_sql_parse(definition, text, why) != GH_OK ||
        list_length(text->stmts) != 1)
        return NULL;
    s = (SelectStmt *)linitial_node(RawStmt, text->stmts)->stmt;
    if (!IsA(s, SelectStmt) || gh_sql_check_tree((struct Node *)s, why) != GH_OK)
        return NULL;
    return s;
}

/* Emits what was judged, and holds the text against the tree. */
static char *emit(gh_judge *j, const SelectStmt *s)
{
    gh_buf out;
    char *sql = NULL;

    gh_buf_init(&out, GH_SQL_ADDED_MAX);
    j->rc = gh_judge_emit(j, j->first, j->end, &out, NULL);
    if (j->rc == GH_OK)
        j->rc = gh_sql_verify(gh_buf_str(&out), (struct Node *)(uintptr_t)s, j->err);
    if (j->rc == GH_OK)
        sql = gh_judge_cstr(gh_buf_str(&out));
    gh_buf_fini(&out);
    return sql;
}

/* Does the view's own grant leave every row and cell as the definition gives it? */
static bool is_plain(const gh_decision *d)
{
    for (uint16_t i = 0; i < d->column_count; i++) {
        if (d->columns[i].show != GH_CLEAR && d->columns[i].show != GH_HIDDEN)
            return false;
    }
    return d->is_every_row;
}

static char *judge_definition(gh_judge *j, const gh_item *view, const gh_sql_text *text,
                              SelectStmt *s)
{
    gh_block *root = palloc0(sizeof(*root));
    gh_block *around = palloc0(sizeof(*around));

    around->outer = root; /* so the query is not taken for the statement's own */
    j->block = around;
    j->view_block = around;
    j->column_count = view->relation->column_count;
    j->is_computed = palloc((size_t)j->column_count + 1);
    memset(j->is_computed, true, (size_t)j->column_count + 1);
    j->end = text->token_count;
    while (j->end > 0 && text->tokens[j->end - 1].kind == GH_TOKEN_SELF &&
           text->tokens[j->end - 1].text[0] == ';')
        j->end--;
    gh_judge_select(j, s);
    if (j->retold != NIL)
        return NULL;
    /* Its filters and masks are conditions on what the definition computes. */
    j->is_unsafe = j->is_unsafe || !is_plain(view->decision);
    gh_judge_place_items(j);
    return j->rc == GH_OK ? emit(j, s) : NULL;
}

/* ---- the view --------------------------------------------------------------------------------- */

static void refuse(gh_judge *j, const gh_item *item, const gh_judge *inner, const gh_err *why)
{
    if (inner->rc == GH_LIMIT || inner->rc == GH_INTERNAL) {
        gh_judge_refuse(j, inner->rc, why->sqlstate, item->var->location, "%s", why->public_msg);
        gh_err_detail(j->err, "%s", why->detail);
        return;
    }
    gh_judge_refuse(j, GH_DENIED, "42501", item->var->location, "permission denied for view %s",
                    item->var->relname);
    gh_err_detail(j->err, "the definition of " GH_STR_FMT "." GH_STR_FMT " cannot be expanded: %s",
                  GH_STR_ARG(item->relation->schema), GH_STR_ARG(item->relation->name),
                  why->detail[0] != '\0' ? why->detail : why->public_msg);
    j->err->awaits_catalog = why->awaits_catalog;
}

/* What the definition reads is read, for the audit; it stands in its text already. */
static void take_items(gh_judge *j, const gh_judge *inner)
{
    ListCell *cell;

    foreach (cell, inner->items) {
        gh_item *item = lfirst(cell);

        item->is_placed = true;
        j->items = lappend(j->items, item);
    }
}

/* The definition as the user may run it; *told: it is to be judged again, as this text. */
static char *expand(gh_judge *j, const gh_item *item, gh_str definition, char **told)
{
    gh_sql_text text = { 0 };
    SelectStmt *s = parse(definition, &text, j->err);
    char *body;

    *told = NULL;
    if (s == NULL) {
        j->rc = GH_DENIED;
        return NULL;
    }
    j->text = &text;
    body = judge_definition(j, item, &text, s);
    if (j->retold != NIL && j->rc == GH_OK)
        j->rc = gh_join_on_retell(j, 0, j->end, told, NULL);
    j->text = NULL;
    return body;
}

void gh_through_expand(gh_judge *j, gh_item *item)
{
    gh_err why = { 0 };
    gh_rewrite_input in = *j->in;
    gh_judge first = { .in = &in,
                       .arena = j->arena,
                       .plan = j->plan,
                       .err = &why,
                       .rc = GH_OK,
                       .is_ascii = j->is_ascii,
                       .memory_before = j->memory_before,
                       .is_policy = true,
                       .view_depth = j->view_depth + 1,
                       .relations_outside = j->relations_outside + list_length(j->items) + 1 };
    gh_judge inner = first;
    char *told = NULL;

    if (inner.view_depth > GH_SQL_VIEW_DEPTH_MAX) {
        gh_judge_refuse(j, GH_LIMIT, "54001", item->var->location,
                        "views are nested deeper than %d", GH_SQL_VIEW_DEPTH_MAX);
        return;
    }
    in.search_path = (gh_str_list){ 0 }; /* what has no schema is of pg_catalog... */
    in.temporary = NULL;                 /* ...and nothing of the session's */
    in.param_count = 0;
    if (item->relation->definition.len == 0) {
        why.awaits_catalog = true;
        gh_err_detail(&why, "it was not read yet, or could not be read");
        inner.rc = GH_DENIED;
    } else {
        item->body = expand(&inner, item, item->relation->definition, &told);
    }
    if (told != NULL) {
        inner = first;
        inner.is_retold = true;
        item->body = expand(&inner, item, gh_str_of(told), &told);
    }
    if (inner.rc != GH_OK || item->body == NULL) {
        refuse(j, item, &inner, &why);
        return;
    }
    item->is_computed = inner.is_computed;
    j->is_unsafe = j->is_unsafe || inner.is_unsafe;
    take_items(j, &inner);
}
