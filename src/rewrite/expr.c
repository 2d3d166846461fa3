/*
 * Expressions: every function, operator, type and cast is looked up, allowed or refused, and
 * written with its schema, so that the upstream's search_path has no vote. What a switch here does
 * not name is walked through by gh_sql_children, which refuses node kinds that it does not know.
 */
#include "allow.h"
#include "fence.h"
#include "function_list.h"
#include "join_on.h"
#include "row_value.h"
#include "write.h"

#include "system_catalog.h"

/* ---- replacing a node by trusted text -------------------------------------------------------- */

/*
 * Puts SQL in place of tokens and its tree into the slot. Where the value would be an output column
 * the text is a sub-select, since the name of a column comes from what computes it.
 */
static void replace_value(gh_judge *j, Node **slot, size_t first, size_t end, const char *sql,
                          const char *name)
{
    const char *text = sql;
    /* Alone in brackets it may be what IN or ANY looks through, and a sub-select would be a set. */
    bool is_bracketed =
        first >= 1 && first != SIZE_MAX && strcmp(j->text->tokens[first - 1].text, "(") == 0;

    if (j->is_from_function)
        text = gh_judge_printf("COALESCE(%s)", sql);
    else if (!j->block->is_condition && !is_bracketed)
        text = gh_judge_printf("(SELECT %s AS %s)", sql, gh_judge_ident(j, gh_str_of(name)));
    gh_judge_edit(j, first, end, text);
    *slot = gh_judge_parse_expr(j, text);
}

static void judge_value_function(gh_judge *j, Node **slot)
{
    const SQLValueFunction *f = (const SQLValueFunction *)*slot;
    size_t token = gh_judge_token(j, f->location);
    gh_str value = { NULL, 0 };
    const char *name;
    char *sql;

    switch (f->op) {
    case SVFOP_CURRENT_ROLE:
        name = "current_role";
        value = gh_view_user(j->in->view);
        break;
    case SVFOP_CURRENT_USER:
        name = "current_user";
        value = gh_view_user(j->in->view);
        break;
    case SVFOP_USER:
        name = "user";
        value = gh_view_user(j->in->view);
        break;
    case SVFOP_SESSION_USER:
        name = "session_user";
        value = gh_view_user(j->in->view);
        break;
    case SVFOP_CURRENT_CATALOG:
        name = "current_catalog";
        value = j->in->database;
        break;
    case SVFOP_CURRENT_SCHEMA:
        name = "current_schema";
        break;
    case SVFOP_CURRENT_DATE:
    case SVFOP_CURRENT_TIME:
    case SVFOP_CURRENT_TIME_N:
    case SVFOP_CURRENT_TIMESTAMP:
    case SVFOP_CURRENT_TIMESTAMP_N:
    case SVFOP_LOCALTIME:
    case SVFOP_LOCALTIME_N:
    case SVFOP_LOCALTIMESTAMP:
    case SVFOP_LOCALTIMESTAMP_N:
    default:
        return;
    }
    sql = f->op == SVFOP_CURRENT_SCHEMA
              ? gh_system_expand(j, "@current_schema")
              : gh_judge_printf("CAST(%s AS \"pg_catalog\".\"name\")", gh_judge_literal(j, value));
    if (sql != NULL)
        replace_value(j, slot, token, token + 1, sql, name);
}

/* ---- statistics ------------------------------------------------------------------------------ */

/*
 * SECURITY: to guess how many rows a condition leaves the planner runs its operator over the most common
 * values and the histogram of a column, hidden rows' values among them, and looks for those through the
 * fence. Of what it runs, patterns can fail or be slow by the value, and jsonpath can. Comparisons,
 * arithmetic and the like cannot, or are never run so. Attack: tests/differential/interference.
 */
static bool asks_statistics(const A_Expr *e)
{
    static const char *const quiet[] = { "=",  "<>",  "<",  "<=",  ">",  ">=", "+", "-",
                                         "*",  "/",   "%",  "^",   "|",  "&",  "#", "||",
                                         "->", "->>", "#>", "#>>", "<<", ">>", "&&" };

    switch (e->kind) {
    case AEXPR_OP:
    case AEXPR_OP_ANY:
    case AEXPR_OP_ALL:
        if (e->lexpr == NULL)
            return false;
        for (size_t i = 0; i < GH_COUNT(quiet); i++) {
            if (strcmp(strVal(llast(e->name)), quiet[i]) == 0)
                return false;
        }
        return true;
    case AEXPR_LIKE:
    case AEXPR_ILIKE:
        return !gh_judge_is_safe_pattern(e->rexpr);
    case AEXPR_SIMILAR:
        return true;
    case AEXPR_DISTINCT:
    case AEXPR_NOT_DISTINCT:
    case AEXPR_NULLIF:
    case AEXPR_IN:
    case AEXPR_BETWEEN:
    case AEXPR_NOT_BETWEEN:
    case AEXPR_BETWEEN_SYM:
    case AEXPR_NOT_BETWEEN_SYM:
        return false;
    default:
        return true;
    }
}

/* The functions behind those operators, whose estimates are the operators'. */
static bool is_pattern_function(gh_str name)
{
    static const char *const names[] = { "like", "ilike", "regexeq", "regexne", "starts_with" };

    for (size_t i = 0; i < GH_COUNT(names); i++) {
        size_t len = strlen(names[i]);

        if (name.len >= len && (memcmp(name.ptr + name.len - len, names[i], len) == 0))
            return true;
    }
    return false;
}

/* ---- functions ------------------------------------------------------------------------------- */

/* In FROM the grammar itself knows `unnest` of several arrays, and only by its bare name. */
static bool is_unnest_of_many(const gh_judge *j, const FuncCall *f)
{
    return j->is_from_function && list_length(f->funcname) == 1 && list_length(f->args) > 1 &&
           strcmp(strVal(linitial(f->funcname)), "unnest") == 0;
}

static void qualify_call(gh_judge *j, FuncCall *f, gh_str schema)
{
    size_t token;

    if (list_length(f->funcname) != 1 || is_unnest_of_many(j, f))
        return;
    token = gh_judge_token(j, f->location);
    gh_judge_edit(j, token, token, gh_judge_printf("%s.", gh_judge_ident(j, schema)));
    f->funcname = list_make2(makeString(gh_judge_cstr(schema)), linitial(f->funcname));
}

static void judge_call(gh_judge *j, Node **slot)
{
    FuncCall *f = (FuncCall *)*slot;
    int parts = list_length(f->funcname);
    gh_str name = gh_str_of(strVal(llast(f->funcname)));
    gh_str schema = { NULL, 0 };
    gh_str found = { NULL, 0 };
    bool is_from_function = j->is_from_function;
    ListCell *cell;

    if (parts > 2) {
        gh_judge_refuse(j, GH_INVALID, "0A000", f->location,
                        "cross-database references are not implemented");
        return;
    }
    if (parts == 2)
        schema = gh_str_of(strVal(linitial(f->funcname)));
    j->is_from_function = false;
    foreach (cell, f->args) {
        int column = gh_str_is(name, "array_to_string") ? gh_print_parts(lfirst(cell)) : 0;

        j->takes_reg = gh_reg_may_be_argument(j, f);
        gh_judge_expr(j, (Node **)&lfirst(cell));
        gh_print_column(j, (Node **)&lfirst(cell), column);
    }
    j->is_from_function = is_from_function;
    gh_judge_expr_list(j, f->agg_order);
    gh_judge_expr(j, &f->agg_filter);
    if (f->over != NULL)
        gh_judge_expr(j, (Node **)&f->over);
    if (j->rc != GH_OK)
        return;

    j->asks_statistics = j->asks_statistics || is_pattern_function(name);
    found = gh_operator_function_schema(j, f);
    if (found.len != 0) {
        qualify_call(j, f, found);
        return;
    }
    switch (gh_function_judge(j, schema, name, &found)) {
    case GH_FUNCTION_ALLOWED:
        j->calls_code = j->calls_code || !gh_str_is(found, "pg_catalog");
        gh_cast_judge_inner(j, f, name);
        qualify_call(j, f, found);
        return;
    case GH_FUNCTION_SPECIAL:
        j->reads_literal = true;
        gh_function_special(j, slot);
        return;
    case GH_FUNCTION_DENIED:
        gh_judge_refuse(j, GH_DENIED, "42501", f->location,
                        "function " GH_STR_FMT " is not allowed", GH_STR_ARG(name));
        return;
    case GH_FUNCTION_UNKNOWN:
        if (!gh_function_is_cast(j, schema, f, &found))
            break;
        qualify_call(j, f, found);
        return;
    }
    gh_judge_refuse(j, GH_DENIED, "42883", f->location,
                    "function " GH_STR_FMT "%s" GH_STR_FMT " does not exist", GH_STR_ARG(schema),
                    parts == 2 ? "." : "", GH_STR_ARG(name));
}

/* A call whose result is of a reg* type. */
static void judge_reg_call(gh_judge *j, Node **slot, const char *type)
{
    const FuncCall *f = (const FuncCall *)*slot;
    size_t name = gh_judge_token(j, f->location);
    size_t close =
        name == SIZE_MAX
            ? SIZE_MAX
            : gh_sql_token_closing(j->text, name + 2 * (size_t)list_length(f->funcname) - 1);

    if (close == SIZE_MAX || strcmp(type, "record") == 0 || j->is_from_function) {
        if (!j->is_from_function || !gh_reg_may_stand_in_from(j, f))
            gh_judge_refuse(j, GH_DENIED, "42501", f->location, "function %s is not allowed here",
                            strVal(llast(f->funcname)));
        judge_call(j, slot);
        return;
    }
    judge_call(j, slot);
    gh_reg_flatten(j, slot, close + 1, type);
}

/* ---- operators ------------------------------------------------------------------------------- */

static void judge_collation(gh_judge *j, const CollateClause *c)
{
    int parts = list_length(c->collname);

    /* Where another meets it, comparing fails, over statistics as over rows. */
    j->asks_statistics = j->asks_statistics || strcmp(strVal(llast(c->collname)), "default") != 0;
    if (parts == 1 || (parts == 2 && strcmp(strVal(linitial(c->collname)), "pg_catalog") == 0))
        return;
    gh_judge_refuse(j, GH_DENIED, "42704", c->location,
                    "collation \"%s\" for encoding \"UTF8\" does not exist",
                    strVal(llast(c->collname)));
}

/* ---- the walk -------------------------------------------------------------------------------- */

static void visit(struct Node **slot, void *arg)
{
    gh_judge_expr(arg, (Node **)slot);
}

static void judge_children(gh_judge *j, Node *n)
{
    if (!gh_sql_children(n, visit, j))
        gh_judge_refuse(j, GH_DENIED, "42501", -1,
                        "the statement uses a construct that is not allowed");
}

/* No item of the list is a literal or a parameter, which would take the type of the others. */
static bool is_of_own_types(const List *list)
{
    ListCell *cell;

    foreach (cell, list) {
        if (!IsA(lfirst(cell), TypeCast))
            return false;
    }
    return true;
}

/* A bare literal beside it would be read as names, of which nothing is known. */
static bool is_array_cast(const Node *n)
{
    return n != NULL && IsA(n, TypeCast) && ((const TypeCast *)n)->typeName->arrayBounds != NIL;
}

static void judge_a_expr(gh_judge *j, A_Expr *e)
{
    bool compares = e->kind == AEXPR_OP || e->kind == AEXPR_DISTINCT ||
                    e->kind == AEXPR_NOT_DISTINCT || e->kind == AEXPR_OP_ANY ||
                    e->kind == AEXPR_OP_ALL;
    bool is_in = e->kind == AEXPR_IN && is_of_own_types((List *)e->rexpr);
    ListCell *cell;

    compares = compares && gh_reg_is_comparison(e) && !is_array_cast(e->lexpr) &&
               !(is_array_cast(e->rexpr) && e->kind != AEXPR_OP_ANY && e->kind != AEXPR_OP_ALL);
    gh_operator_judge_name(j, e->name, e->location);
    if (e->kind == AEXPR_OP_ANY || e->kind == AEXPR_OP_ALL) {
        gh_reg_note_names(j, e->rexpr);
        if (!gh_reg_is_noted(j, e->rexpr))
            gh_reg_array_as_oids(j, e->rexpr);
    }
    if (e->kind == AEXPR_IN && list_length((List *)e->rexpr) == 1)
        gh_reg_array_as_oids(j, linitial((List *)e->rexpr));
    j->takes_reg = compares || is_in;
    gh_judge_expr(j, &e->lexpr);
    if (is_in) {
        foreach (cell, (List *)e->rexpr) {
            j->takes_reg = true;
            gh_judge_expr(j, (Node **)&lfirst(cell));
        }
        return;
    }
    j->takes_reg = compares && e->kind != AEXPR_OP_ANY && e->kind != AEXPR_OP_ALL;
    gh_judge_expr(j, &e->rexpr);
    j->takes_reg = false;
    if (j->rc == GH_OK)
        gh_cast_judge_operator(j, e);
}

void gh_judge_sublink_query(gh_judge *j, SubLink *s)
{
    if (!IsA(s->subselect, SelectStmt)) {
        gh_judge_refuse(j, GH_DENIED, "42501", s->location,
                        "the statement uses a construct that is not allowed");
        return;
    }
    j->is_exists = s->subLinkType == EXISTS_SUBLINK;
    gh_judge_select(j, (SelectStmt *)s->subselect);
}

static void judge_sublink(gh_judge *j, SubLink *s)
{
    gh_operator_judge_name(j, s->operName, s->location);
    j->takes_reg = true;
    if (s->operName != NIL) {
        A_Expr e = {
            .type = T_A_Expr, .kind = AEXPR_OP, .name = s->operName, .lexpr = s->testexpr
        };

        j->asks_statistics = j->asks_statistics || asks_statistics(&e);
    }
    gh_judge_expr(j, &s->testexpr);
    gh_judge_sublink_query(j, s);
}

/* Of a catalog a star in the final result reads what is printed there and goes no further. */
static void judge_printed_star(gh_judge *j, Node **star)
{
    List *catalogs = NIL;
    ListCell *cell;

    foreach (cell, j->block->items) {
        gh_item *item = lfirst(cell);

        if (item->system != NULL && !item->has_star)
            catalogs = lappend(catalogs, item);
    }
    gh_judge_expr(j, star);
    foreach (cell, catalogs) {
        gh_item *item = lfirst(cell);

        item->is_starred = item->is_starred || item->has_star;
        item->has_star = false;
    }
}

static bool is_star(const Node *n)
{
    return IsA(n, ColumnRef) && IsA(llast(((const ColumnRef *)n)->fields), A_Star);
}

static void judge_target(gh_judge *j, ResTarget *t)
{
    Node **value = (Node **)&t->val;
    int parts = gh_print_parts(*value);
    bool is_printed = gh_reg_is_kept_in(j->block);
    size_t first = SIZE_MAX;
    size_t end = SIZE_MAX;
    gh_wrap w = is_printed ? gh_print_role(j, *value, &first, &end) : (gh_wrap){ 0 };
    const ResTarget *naming = j->naming;

    j->naming = t;
    gh_print_wrap(j, &w, first, end);
    j->takes_reg = is_printed;
    j->is_expanded = true;
    if (is_printed && is_star(*value))
        judge_printed_star(j, value);
    else
        gh_judge_expr(j, value);
    gh_print_place(j, &w, value);
    if (is_printed)
        gh_print_column(j, value, parts);
    j->naming = naming;
    gh_judge_expr_list(j, t->indirection);
}

/* A star in ROW(...) stands for columns. */
static void judge_row(gh_judge *j, RowExpr *r)
{
    List *args = NIL;
    ListCell *cell;

    foreach (cell, r->args) {
        List *columns = gh_write_row_star(j, lfirst(cell));

        if (columns == NIL) {
            j->is_expanded = true;
            gh_judge_expr(j, (Node **)&lfirst(cell));
            columns = list_make1(lfirst(cell));
        }
        args = list_concat(args, columns);
    }
    r->args = args;
}

void gh_judge_expr(gh_judge *j, Node **slot)
{
    Node *n = *slot;
    bool takes_reg = j->takes_reg;
    bool is_expanded = j->is_expanded;
    const char *reg = NULL;
    size_t after = SIZE_MAX;

    j->takes_reg = false;
    j->is_expanded = false;
    if (n == NULL || j->rc != GH_OK || gh_judge_is_spent(j))
        return;
    switch (nodeTag(n)) {
    case T_List:
        gh_judge_expr_list(j, (List *)n);
        return;
    case T_ColumnRef:
        gh_join_on_column_ref(j, (ColumnRef *)n);
        gh_judge_column_ref(j, (ColumnRef *)n);
        if (j->rc == GH_OK)
            gh_write_column_ref(j, slot, is_expanded);
        return;
    case T_FuncCall:
        reg = takes_reg && !j->is_from_function ? NULL : gh_reg_of_call(j, (FuncCall *)n);
        if (reg != NULL)
            judge_reg_call(j, slot, reg);
        else
            judge_call(j, slot);
        return;
    case T_TypeCast:
        reg = takes_reg ? NULL : gh_reg_of_cast(j, (TypeCast *)n, &after);
        gh_judge_cast(j, slot);
        if (reg != NULL && IsA(*slot, TypeCast)) /* else it became text */
            gh_reg_flatten(j, slot, after, reg);
        return;
    case T_ResTarget:
        judge_target(j, (ResTarget *)n);
        return;
    case T_NullTest:
        j->takes_reg = true;
        gh_judge_expr(j, (Node **)&((NullTest *)n)->arg);
        return;
    case T_TypeName:
        gh_judge_type(j, (TypeName *)n);
        return;
    case T_SubLink:
        judge_sublink(j, (SubLink *)n);
        gh_operator_bind(j, slot);
        return;
    case T_SQLValueFunction:
        judge_value_function(j, slot);
        return;
    case T_A_Expr:
        j->asks_statistics = j->asks_statistics || asks_statistics((const A_Expr *)n);
        judge_a_expr(j, (A_Expr *)n);
        gh_operator_bind(j, slot);
        return;
    case T_BoolExpr:
        if (!gh_operator_bind_not_in(j, slot))
            judge_children(j, n);
        return;
    case T_CaseExpr:
        judge_children(j, n);
        gh_operator_bind(j, slot);
        return;
    case T_SortBy:
        gh_operator_judge_name(j, ((SortBy *)n)->useOp, ((SortBy *)n)->location);
        j->takes_reg = takes_reg;
        gh_judge_expr(j, &((SortBy *)n)->node);
        gh_operator_bind(j, slot);
        return;
    case T_CollateClause:
        judge_collation(j, (CollateClause *)n);
        judge_children(j, n);
        return;
    case T_A_Indirection:
        if (gh_row_tell_made(j, (A_Indirection *)n))
            return;
        judge_children(j, n);
        gh_row_tell_field(j, (const A_Indirection *)n);
        return;
    case T_RowExpr:
        judge_row(j, (RowExpr *)n);
        return;
    case T_CurrentOfExpr:
        gh_judge_refuse(j, GH_DENIED, "42501", -1, "WHERE CURRENT OF is not allowed");
        return;
    case T_SelectStmt: /* a query may stand only where query.c expects one */
    case T_InsertStmt:
    case T_UpdateStmt:
    case T_DeleteStmt:
    case T_MergeStmt:
    case T_RangeVar:
        gh_judge_refuse(j, GH_DENIED, "42501", -1,
                        "the statement uses a construct that is not allowed");
        return;
    default:
        judge_children(j, n);
        return;
    }
}

void gh_judge_expr_list(gh_judge *j, List *list)
{
    ListCell *cell;

    foreach (cell, list)
        gh_judge_expr(j, (Node **)&lfirst(cell));
}
