/*
 * Row filters and masks, as the policy's author wrote them, become SQL that means the same wherever
 * it is put: columns by the alias of the inner relation, functions and types by their schema,
 * attr() and current_user as literals that the proxy computes. A filter's sub-selects keep their
 * own scope: a name that a table of theirs has is theirs, as in SQL.
 *
 * SECURITY: attributes and user names come from the ACL, never from what a client can set, and go
 * in as quoted literals. Attack: tests/attack capture.
 */
#include "policy_expr.h"
#include "infer.h"

/* An expression of PostgreSQL's own operators that is no longer than this costs less than any sub-select. */
#define CHEAP_BYTES_MAX 4096

/* `name`, which may be empty, goes into the error only: the log's fields are no place for it. */
static void broken_by(gh_policy_scope *p, const char *why, gh_str name)
{
    if (p->is_broken)
        return;
    p->is_broken = true;
    p->judge.rc = gh_fail(p->judge.err, GH_INVALID, "42601", "%s%s" GH_STR_FMT, why,
                          name.len > 0 ? ": " : "", GH_STR_ARG(name));
    gh_log(GH_WARN, "policy.expression", "relation=" GH_STR_FMT "." GH_STR_FMT " reason=\"%s\"",
           GH_STR_ARG(p->relation->schema), GH_STR_ARG(p->relation->name), why);
}

void gh_policy_broken(gh_policy_scope *p, const char *why)
{
    broken_by(p, why, (gh_str){ 0 });
}

/* Does a table of an enclosing sub-select have this column? Unknown ones are taken not to. */
bool gh_policy_is_inner_column(const gh_policy_scope *p, gh_str name)
{
    ListCell *cell;

    foreach (cell, p->inner) {
        const gh_relation *r = lfirst(cell);

        if (r != NULL && gh_relation_column(r, name) != NULL)
            return true;
    }
    return false;
}

void gh_policy_walk_children(gh_policy_scope *p, Node *n)
{
    if (!gh_sql_children(n, gh_policy_walk, p))
        gh_policy_broken(p, "construct is not known");
}

/* Its operators are PostgreSQL's own. */
static bool is_plain_type(const gh_type *t)
{
    return t != NULL && (t->kind == 'e' || gh_str_is(t->schema, "pg_catalog"));
}

/*
 * By the name of a table in a FROM around it.
 *
 * SECURITY: any other name might be one that the client gives to something of its own around the relation. Attack:
 * tests/attack/cases/06-captured-names.txt.
 */
static bool is_qualified_inside(const gh_policy_scope *p, const ColumnRef *ref)
{
    const Node *first = linitial(ref->fields);
    ListCell *cell;

    if (!IsA(first, String)) /* a bare star is of the FROM that it stands beside */
        return list_length(ref->fields) == 1;
    foreach (cell, p->names) {
        if (list_length(ref->fields) == 2 && strcmp(strVal(first), lfirst(cell)) == 0)
            return true;
    }
    return false;
}

/*
 * SECURITY: the target of a write goes by the name that the client gives to it, which may be one of the sub-select's tables.
 * Attack: tests/attack/cases/06-captured-names.txt.
 */
static bool is_captured(const gh_policy_scope *p)
{
    ListCell *cell;

    foreach (cell, p->names) {
        if (strcmp(gh_judge_ident(&p->judge, gh_str_of(lfirst(cell))), p->alias) == 0)
            return true;
    }
    return false;
}

/*
 * SECURITY: a cast that somebody made AS IMPLICIT fails as one that is written does, over a value that the client may guess.
 * Attack: tests/attack code-behind-names.
 */
static void note_cast(gh_policy_scope *p, gh_oid type)
{
    if (p->has_made_casts && !p->may_quote)
        p->may_quote = gh_cast_is_made_from(p->judge.in->catalog, type);
}

void gh_policy_column(gh_policy_scope *p, ColumnRef *ref)
{
    gh_judge *j = &p->judge;
    size_t token = gh_judge_token(j, ref->location);
    const gh_column *c;
    gh_str name;

    if (list_length(ref->fields) > 1 || !IsA(linitial(ref->fields), String)) {
        /* alias.column inside a sub-select is the sub-select's own; table.column is the relation's */
        if (list_length(ref->fields) == 2 && p->inner == NIL &&
            gh_str_is(p->relation->name, strVal(linitial(ref->fields)))) {
            gh_judge_edit(j, token, token + 1, p->alias);
        } else if (p->inner == NIL) {
            gh_policy_broken(p, "column reference is qualified");
        } else if (!is_qualified_inside(p, ref)) {
            broken_by(p, "column of a sub-select is qualified by what is no table of it",
                      gh_str_of(strVal(linitial(ref->fields))));
        }
        return;
    }
    name = gh_str_of(strVal(linitial(ref->fields)));
    if (gh_policy_is_inner_column(p, name))
        return;
    p->is_captured |= is_captured(p);
    if (p->value != NULL && gh_str_is(name, "value")) {
        note_cast(p, p->value->type_oid);
        gh_judge_edit(j, token, token + 1,
                      gh_judge_printf("%s.%s", p->alias, gh_judge_ident(j, p->value->name)));
        return;
    }
    c = gh_relation_column(p->relation, name);
    if (c == NULL) {
        broken_by(p, "column does not exist", name);
        return;
    }
    if (p->is_guard != NULL)
        p->is_guard[c - p->relation->columns] = true;
    if (!is_plain_type(gh_catalog_type_by_oid(j->in->catalog, c->type_oid))) {
        p->calls_code = true;
        p->is_volatile |= p->has_made_casts;
    }
    note_cast(p, c->type_oid);
    gh_judge_edit(j, token, token, gh_judge_printf("%s.", p->alias));
}

/*
 * attr('x'): a text literal, a text array, or NULL where the attribute is missing. Right of ANY and
 * ALL it is an array in any case: PostgreSQL would refuse the whole query for a user who has one
 * value, or none.
 */
static void attribute(gh_policy_scope *p, FuncCall *f, bool is_array)
{
    gh_judge *j = &p->judge;
    const A_Const *arg = list_length(f->args) == 1 ? linitial(f->args) : NULL;
    size_t first = gh_judge_token(j, f->location);
    size_t close = first == SIZE_MAX ? SIZE_MAX : gh_sql_token_closing(j->text, first + 1);
    const gh_acl_attribute *a;
    char *sql;

    if (arg == NULL || !IsA(arg, A_Const) || arg->isnull || !IsA(&arg->val, String) ||
        close == SIZE_MAX) {
        gh_policy_broken(p, "attr() wants one literal");
        return;
    }
    a = gh_view_attribute(j->in->view, gh_str_of(strVal(&arg->val)));
    if (a == NULL) {
        sql = gh_judge_printf("CAST(NULL AS \"pg_catalog\".\"text\"%s)", is_array ? "[]" : "");
    } else if (!a->is_list && !is_array) {
        sql = gh_judge_printf("CAST(%s AS \"pg_catalog\".\"text\")",
                              gh_judge_literal(j, a->values.items[0]));
    } else {
        gh_buf list;

        gh_buf_init(&list, 0);
        gh_buf_puts(&list, "CAST(ARRAY[");
        for (size_t i = 0; i < a->values.count; i++) {
            gh_buf_puts(&list, i == 0 ? "" : ", ");
            gh_sql_put_string(&list, a->values.items[i], j->is_ascii);
        }
        gh_buf_puts(&list, "] AS \"pg_catalog\".\"text\"[])");
        sql = gh_judge_take(&list);
    }
    gh_judge_edit(j, first, close + 1, sql);
}

bool gh_policy_is_attribute(const Node *n)
{
    const FuncCall *f = (const FuncCall *)n;

    return n != NULL && IsA(n, FuncCall) && list_length(f->funcname) == 1 &&
           strcmp(strVal(linitial(f->funcname)), "attr") == 0;
}

bool gh_policy_name_call(gh_policy_scope *p, FuncCall *f)
{
    gh_judge *j = &p->judge;
    bool is_builtin = false;
    size_t count;
    const gh_function *const *found;
    size_t token;

    found = gh_catalog_functions(j->in->catalog, gh_str_of(strVal(llast(f->funcname))), &count);
    for (size_t i = 0; i < count; i++)
        p->is_volatile |= found[i]->volatility == 'v';
    if (list_length(f->funcname) != 1) {
        p->calls_code |= strcmp(strVal(linitial(f->funcname)), "pg_catalog") != 0;
        return true;
    }
    for (size_t i = 0; i < count; i++)
        is_builtin |= gh_str_is(found[i]->schema, "pg_catalog");
    if (!is_builtin) {
        broken_by(p, "function is not of pg_catalog and has no schema",
                  gh_str_of(strVal(linitial(f->funcname))));
        return false;
    }
    token = gh_judge_token(j, f->location);
    gh_judge_edit(j, token, token, "\"pg_catalog\".");
    return true;
}

static void call(gh_policy_scope *p, FuncCall *f)
{
    if (gh_policy_is_attribute((Node *)f))
        attribute(p, f, false);
    else if (gh_policy_name_call(p, f))
        gh_policy_walk_children(p, (Node *)f);
}

static void operation(gh_policy_scope *p, A_Expr *e)
{
    bool is_array = e->kind == AEXPR_OP_ANY || e->kind == AEXPR_OP_ALL;

    if (list_length(e->name) > 1 && strcmp(strVal(linitial(e->name)), "pg_catalog") != 0)
        p->calls_code = p->is_volatile = true;

    if (!is_array || !gh_policy_is_attribute(e->rexpr)) {
        gh_policy_walk_children(p, (Node *)e);
        return;
    }
    if (e->lexpr != NULL)
        gh_policy_walk((struct Node **)&e->lexpr, p);
    attribute(p, (FuncCall *)e->rexpr, true);
}

static void value_function(gh_policy_scope *p, const SQLValueFunction *f)
{
    gh_judge *j = &p->judge;
    size_t token = gh_judge_token(j, f->location);
    gh_str value = gh_view_user(j->in->view);

    if (f->op == SVFOP_CURRENT_CATALOG)
        value = j->in->database;
    else if (f->op == SVFOP_CURRENT_SCHEMA)
        gh_policy_broken(p, "current_schema has no meaning in a policy");
    else if (f->op != SVFOP_CURRENT_USER && f->op != SVFOP_USER && f->op != SVFOP_SESSION_USER &&
             f->op != SVFOP_CURRENT_ROLE)
        return; /* dates and times */
    gh_judge_edit(
        j, token, token + 1,
        gh_judge_printf("CAST(%s AS \"pg_catalog\".\"name\")", gh_judge_literal(j, value)));
}

static void type_name(gh_policy_scope *p, const TypeName *t)
{
    gh_judge *j = &p->judge;
    const gh_type *type;

    if (list_length(t->names) != 1) {
        if (strcmp(strVal(linitial(t->names)), "pg_catalog") != 0) {
            p->calls_code = true;
            p->is_volatile |= p->has_made_casts;
        }
        return;
    }
    type = gh_catalog_type(j->in->catalog, GH_STR("pg_catalog"),
                           gh_str_of(strVal(linitial(t->names))));
    if (type == NULL) {
        broken_by(p, "type is not of pg_catalog and has no schema",
                  gh_str_of(strVal(linitial(t->names))));
        return;
    }
    gh_judge_edit(j, gh_judge_token(j, t->location), gh_judge_token(j, t->location),
                  "\"pg_catalog\".");
}

/* The tables that a sub-select's FROM brings into scope, NULL for what has no catalog entry. */
static List *tables_of(gh_policy_scope *p, Node *item, List *out)
{
    if (item == NULL)
        return out;
    if (IsA(item, RangeVar)) {
        const RangeVar *v = (const RangeVar *)item;
        const gh_relation *r;

        if (v->schemaname == NULL) {
            broken_by(p, "table of a sub-select has no schema", gh_str_of(v->relname));
            return out;
        }
        p->names = lappend(p->names, v->alias != NULL ? v->alias->aliasname : v->relname);
        r = gh_catalog_relation(p->judge.in->catalog, gh_str_of(v->schemaname),
                                gh_str_of(v->relname));
        if (r == NULL)
            note_cast(p, 0);
        for (uint16_t i = 0; r != NULL && i < r->column_count; i++)
            note_cast(p, r->columns[i].type_oid);
        return lappend(out, (void *)(uintptr_t)r);
    }
    if (IsA(item, JoinExpr) && ((JoinExpr *)item)->alias != NULL)
        gh_policy_broken(p, "join of a sub-select has an alias");
    if (IsA(item, JoinExpr))
        return tables_of(p, ((JoinExpr *)item)->rarg, tables_of(p, ((JoinExpr *)item)->larg, out));
    gh_policy_broken(p, "FROM of a sub-select holds more than tables");
    return out;
}

List *gh_policy_enter(gh_policy_scope *p, const SelectStmt *s)
{
    List *outer = p->inner;
    ListCell *cell;

    p->outer_names = lcons(p->names, p->outer_names);
    p->names = list_copy(p->names);
    p->inner = list_copy(outer);
    if (p->inner == NIL)
        p->inner = list_make1(NULL); /* marks that names are in a sub-select */
    foreach (cell, s->fromClause)
        p->inner = tables_of(p, lfirst(cell), p->inner);
    return outer;
}

void gh_policy_leave(gh_policy_scope *p, List *outer)
{
    p->inner = outer;
    p->names = linitial(p->outer_names);
    p->outer_names = list_copy_tail(p->outer_names, 1);
}

const Node *gh_policy_enter_value(gh_policy_scope *p, const SubLink *s, List **outer)
{
    const SelectStmt *q = (const SelectStmt *)s->subselect;

    if (!IsA(q, SelectStmt) || q->targetList == NIL)
        return NULL;
    *outer = gh_policy_enter(p, q);
    return linitial_node(ResTarget, q->targetList)->val;
}

static void sub_select(gh_policy_scope *p, SelectStmt *s)
{
    List *outer;

    p->has_query = true;
    /* SECURITY: the columns of VALUES have types that nothing here knows, so the session would have a say in their text
     * and time. Attack: tests/integration/policy_print.py. */
    if (s->op != SETOP_NONE || s->valuesLists != NIL || s->withClause != NULL ||
        s->intoClause != NULL || s->lockingClause != NIL) {
        gh_policy_broken(p, "sub-select is more than SELECT ... FROM ... WHERE ...");
        return;
    }
    outer = gh_policy_enter(p, s);
    gh_policy_walk_children(p, (Node *)s);
    gh_policy_leave(p, outer);
}

/* Without a cast of what is stored, and functions but a few. */
static bool may_quote(const Node *n)
{
    static const char *const quiet[] = { "attr",  "lower", "upper",  "length",    "abs",
                                         "left",  "right", "substr", "substring", "concat",
                                         "round", "now",   "btrim",  "ltrim",     "rtrim" };

    if (IsA(n, TypeCast))
        return !IsA(((const TypeCast *)n)->arg, A_Const) &&
               !gh_policy_is_attribute(((const TypeCast *)n)->arg);
    if (!IsA(n, FuncCall))
        return false;
    for (size_t i = 0; i < GH_COUNT(quiet); i++) {
        if (strcmp(gh_policy_own_name(((const FuncCall *)n)->funcname), quiet[i]) == 0)
            return false;
    }
    return true;
}

/* Of what is computed: each type that it may be of. */
static void note_results(gh_policy_scope *p, const Node *n)
{
    size_t count;

    if (gh_policy_is_attribute(n)) {
        note_cast(p, GH_OID_TEXT);
    } else if (IsA(n, FuncCall)) {
        const gh_function *const *f =
            gh_catalog_functions(p->judge.in->catalog,
                                 gh_str_of(strVal(llast(((const FuncCall *)n)->funcname))), &count);

        for (size_t i = 0; i < count; i++)
            note_cast(p, f[i]->result);
    } else if (IsA(n, A_Expr)) {
        const gh_operator *const *o = gh_catalog_operators(
            p->judge.in->catalog, gh_str_of(strVal(llast(((const A_Expr *)n)->name))), &count);

        for (size_t i = 0; i < count; i++)
            note_cast(p, o[i]->result);
    } else if (IsA(n, TypeCast)) {
        note_cast(p, gh_infer_named_type(&p->judge, ((const TypeCast *)n)->typeName));
    } else if (IsA(n, SQLValueFunction)) {
        note_cast(p, 0);
    }
}

void gh_policy_walk(struct Node **slot, void *arg)
{
    gh_policy_scope *p = arg;
    Node *n = (Node *)*slot;

    p->may_quote |= may_quote(n);
    if (p->has_made_casts)
        note_results(p, n);
    if (p->is_broken || p->judge.rc != GH_OK || gh_policy_time(p, n))
        return;
    switch (nodeTag(n)) {
    case T_ColumnRef:
        gh_policy_column(p, (ColumnRef *)n);
        return;
    case T_FuncCall:
        call(p, (FuncCall *)n);
        return;
    case T_A_Expr:
        operation(p, (A_Expr *)n);
        return;
    case T_SQLValueFunction:
        value_function(p, (SQLValueFunction *)n);
        return;
    case T_TypeName:
        type_name(p, (TypeName *)n);
        return;
    case T_SelectStmt:
        sub_select(p, (SelectStmt *)n);
        return;
    case T_RangeVar:
        return; /* tables_of saw that it is qualified */
    case T_ParamRef:
        gh_policy_broken(p, "parameters have no meaning in a policy");
        return;
    default:
        gh_policy_walk_children(p, n);
        return;
    }
}

/* Parses SELECT <expr>, compiles it, emits what follows SELECT; of a mask the value, or the text that it becomes where the
 * column is one. NULL where the policy's text is broken: *why says how. */
static char *compile(gh_judge *outer, gh_item *item, const gh_column *value, gh_str expr,
                     bool is_value, gh_err *why)
{
    gh_policy_scope p = {
        .relation = item->relation, .alias = item->inner, .value = value, .is_guard = item->is_guard
    };
    gh_sql_text text;
    const SelectStmt *s;
    gh_buf out;
    char *sql;

    p.judge = (gh_judge){ .in = outer->in,
                          .arena = outer->arena,
                          .text = &text,
                          .err = why,
                          .rc = GH_OK,
                          .is_ascii = outer->is_ascii,
                          .memory_before = outer->memory_before,
                          .is_policy = true };
    p.has_made_casts = gh_catalog_has_made_casts(outer->in->catalog);
    if (expr.len > GH_POLICY_EXPR_MAX) {
        gh_policy_broken(&p, "is too long");
        return NULL;
    }
    if (gh_sql_parse(gh_str_of(gh_judge_printf("SELECT " GH_STR_FMT, GH_STR_ARG(expr))), &text,
                     why) != GH_OK)
        return NULL;
    s = list_length(text.stmts) == 1 ? (const SelectStmt *)linitial_node(RawStmt, text.stmts)->stmt
                                     : NULL;
    if (s == NULL || !IsA(s, SelectStmt) || list_length(s->targetList) != 1 ||
        s->fromClause != NIL || s->whereClause != NULL || s->groupClause != NIL ||
        s->havingClause != NULL || s->windowClause != NIL || s->sortClause != NIL ||
        s->limitCount != NULL || s->limitOffset != NULL || s->lockingClause != NIL ||
        s->intoClause != NULL || s->op != SETOP_NONE || s->distinctClause != NIL ||
        s->valuesLists != NIL || linitial_node(ResTarget, s->targetList)->name != NULL) {
        gh_policy_broken(&p, "is not one expression");
        return NULL;
    }
    if (gh_sql_check_tree((Node *)(uintptr_t)s, why) != GH_OK)
        return NULL;
    if (is_value)
        gh_policy_walk((struct Node **)&linitial_node(ResTarget, s->targetList)->val, &p);
    else
        gh_policy_value(&p, linitial_node(ResTarget, s->targetList)->val);
    if (p.is_captured && item->is_flat) /* so it gets a name of ours, in a sub-select */
        item->is_captured = true;
    else if (p.is_captured)
        gh_policy_broken(&p, "a table of a sub-select goes by the name of the table around it");
    gh_buf_init(&out, GH_SQL_BYTES_MAX);
    if (p.is_broken || p.judge.rc != GH_OK ||
        gh_judge_emit(&p.judge, 1, text.token_count, &out, NULL) != GH_OK) {
        gh_buf_fini(&out);
        return NULL;
    }
    sql = gh_judge_cstr(gh_buf_str(&out));
    gh_buf_fini(&out);
    item->has_query |= p.has_query;
    if (p.has_query && (item->is_target || outer->view_depth > 0))
        outer->is_unsafe = true;
    item->calls_code |= p.calls_code;
    item->is_volatile |= p.is_volatile;
    outer->has_others |= p.may_quote || p.calls_code;
    if (p.calls_code || strlen(sql) > CHEAP_BYTES_MAX)
        item->is_dear = true;
    return sql;
}

static void refuse(gh_judge *j, const gh_relation *relation, const gh_err *why)
{
    gh_judge_refuse(j, GH_DENIED, "42501", -1, "permission denied for table " GH_STR_FMT,
                    GH_STR_ARG(relation->name));
    gh_err_detail(j->err,
                  "a row filter or mask of the policy does not compile for this relation: %s",
                  why->public_msg);
}

char *gh_judge_filter(gh_judge *j, gh_item *item, gh_str filter)
{
    gh_err why = { 0 };
    char *sql = compile(j, item, NULL, filter, false, &why);

    if (sql == NULL)
        refuse(j, item->relation, &why);
    return sql;
}

char *gh_judge_mask(gh_judge *j, gh_item *item, const gh_column *column, const gh_mask *mask)
{
    gh_err why = { 0 };
    char *sql = NULL;

    if (mask->kind == GH_MASK_EXPR) {
        sql = compile(j, item, column, mask->expr, false, &why);
        if (sql != NULL)
            sql = gh_overload_base(j->in->catalog, column->type_oid) == GH_OID_TIMESTAMPTZ
                      ? gh_policy_time_mask(sql, column->type_sql)
                      : gh_judge_printf("CAST((%s) AS " GH_STR_FMT ")", sql,
                                        GH_STR_ARG(column->type_sql));
    } else {
        gh_buf b;
        char *value = gh_judge_printf("%s.%s", item->inner, gh_judge_ident(j, column->name));

        gh_buf_init(&b, GH_SQL_BYTES_MAX);
        if (gh_mask_sql(mask, j->in->catalog, column, gh_str_of(value), &b, &why) == GH_OK &&
            !b.failed)
            sql = gh_judge_cstr(gh_buf_str(&b));
        gh_buf_fini(&b);
    }
    if (sql == NULL)
        refuse(j, item->relation, &why);
    return sql;
}

/* ---- an expression by itself ----------------------------------------------------------------- */

typedef struct expression_run {
    const gh_rewrite_input *in;
    const gh_relation *relation;
    const gh_column *value;
    bool is_value;
    gh_arena *arena;
    gh_str out;
} expression_run;

static gh_rc run_expression(void *arg, gh_err *err)
{
    expression_run *run = arg;
    gh_judge j = { .in = run->in, .arena = run->arena, .err = err, .rc = GH_OK };
    gh_item item = { .relation = run->relation, .inner = GH_INNER };
    char *sql = compile(&j, &item, run->value, run->in->sql, run->is_value, err);

    if (sql == NULL)
        return gh_fail(err, GH_INVALID, "42601", "is not an expression");
    run->out = gh_arena_dup(run->arena, gh_str_of(sql));
    return run->out.ptr != NULL
               ? GH_OK
               : gh_fail(err, GH_LIMIT, "54000", "expression needs too much memory");
}

gh_rc gh_rewrite_expression(const gh_rewrite_input *in, const gh_relation *r,
                            const gh_column *value, bool is_value, gh_arena *a, gh_str *out,
                            gh_err *err)
{
    expression_run run = {
        .in = in, .relation = r, .value = value, .is_value = is_value, .arena = a
    };
    gh_rc rc = gh_sql_guard(in->sql, err);

    if (rc == GH_OK)
        rc = gh_sql_run(run_expression, &run, err);
    if (rc == GH_OK)
        *out = run.out;
    return rc;
}
