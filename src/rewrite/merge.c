/*
 * MERGE. The target stands as it is; what hides its rows and checks new ones goes into conditions, since
 * PostgreSQL 15 has no RETURNING here:
 *
 *     MERGE INTO ops.tickets t USING s ON t.id = s.id
 *       ON          → <row condition> AND (t.id = s.id): a row that is not visible matches nothing
 *       WHEN MATCHED AND c THEN UPDATE SET region = s.region
 *         AND c     → CASE WHEN (c) THEN CASE WHEN <may change the old row> AND
 *                       (SELECT <may store it> FROM (SELECT s.region AS region) AS gh)
 *                       THEN true ELSE <fails> END ELSE false END
 *
 * So the check of a new row is made of what the action will store: of each column that a filter reads, the value
 * given for it or the old one. That is the stored row only where nothing changes it on its way (is_stored_as_written),
 * and where the value means the same at both places, computed twice: columns, constants and parameters, and what
 * expressions make of them that run no volatile code. Anything else, a sub-select as well, is refused. A row that is visible, but not the user's to change, is 42501 and no other
 * WHEN: to go on to the next would do what was not meant.
 *
 * SECURITY: the client's ON may run before the row condition where it is not safe; then it stands behind CASE. An
 * INSERT for a hidden row tells by 23505 that its key is taken, as INSERT does. Attack: tests/attack merge.
 */
#include "judge.h"

#define MERGE_FAILS gh_write_failure("\"pg_catalog\".\"bool\"")

/* Tokens of one WHEN clause. */
typedef struct merge_clause {
    size_t condition; /* its AND; SIZE_MAX without one */
    size_t then;
    size_t end;
} merge_clause;

/* What a clause stores in a column. */
typedef struct merge_value {
    Node *node;   /* NULL: nothing is said of the column */
    size_t first; /* its tokens */
    size_t end;
} merge_value;

static bool is_keyword(const gh_judge *j, size_t i, const char *word)
{
    const gh_token *t = &j->text->tokens[i];

    return t->kind == GH_TOKEN_KEYWORD && strcmp(t->text, word) == 0;
}

static bool is_self(const gh_judge *j, size_t i, char c)
{
    const gh_token *t = &j->text->tokens[i];

    return t->kind == GH_TOKEN_SELF && t->text[0] == c;
}

/* The next `word` at no depth of brackets or CASE; `end` without one. */
static size_t find(const gh_judge *j, size_t first, size_t end, const char *word)
{
    int depth = 0;

    for (size_t i = first; i < end; i++) {
        if (depth == 0 && is_keyword(j, i, word))
            return i;
        if (is_self(j, i, '(') || is_self(j, i, '[')) {
            i = gh_sql_token_closing(j->text, i);
            if (i == SIZE_MAX)
                return end;
        } else if (is_keyword(j, i, "case"))
            depth++;
        else if (is_keyword(j, i, "end") && depth > 0)
            depth--;
    }
    return end;
}

/* WHEN [NOT] MATCHED [AND condition] THEN ... */
static merge_clause clause_at(const gh_judge *j, size_t when, size_t end)
{
    size_t and = when + (is_keyword(j, when + 1, "not") ? 3 : 2);
    merge_clause c = { .condition = SIZE_MAX, .then = find(j, and, end, "then") };

    if (and < end && is_keyword(j, and, "and"))
        c.condition = and;
    c.end = find(j, c.then, end, "when");
    return c;
}

static void refuse(gh_judge *j, const gh_item *target)
{
    gh_judge_refuse(j, GH_DENIED, "42501", target->var->location, "permission denied for table %s",
                    target->var->relname);
}

static void refuse_check(gh_judge *j, const gh_item *target)
{
    gh_judge_refuse(j, GH_DENIED, "42501", target->var->location,
                    "this MERGE of table %s is not allowed, since its new rows cannot be checked",
                    target->var->relname);
}

/* ---- ON ---------------------------------------------------------------------------------------- */

static void guard_on(gh_judge *j, gh_item *target, MergeStmt *s, size_t when)
{
    size_t on = SIZE_MAX;
    char *rows = gh_relation_row_condition(j, target);

    for (size_t i = find(j, target->end, when, "on"); i < when; i = find(j, i + 1, when, "on"))
        on = i; /* the last one: those before it are of joins in USING */
    if (rows == NULL)
        return;
    if (on == SIZE_MAX)
        refuse(j, target);
    else
        gh_write_guard(j, target, &s->joinCondition, on, when, "ON", rows);
}

/* ---- values ------------------------------------------------------------------------------------- */

/* No function, or no operator, of the name is volatile. */
static bool is_steady_call(const gh_judge *j, const List *name)
{
    size_t count;
    const gh_function *const *f =
        gh_catalog_functions(j->in->catalog, gh_str_of(strVal(llast(name))), &count);
    bool is_steady = count > 0;

    for (size_t i = 0; i < count; i++)
        is_steady = is_steady && f[i]->volatility != 'v';
    return is_steady;
}

static bool is_steady_operator(const gh_judge *j, const List *name)
{
    size_t count;
    const gh_operator *const *o =
        gh_catalog_operators(j->in->catalog, gh_str_of(strVal(llast(name))), &count);
    bool is_steady = count > 0;

    for (size_t i = 0; i < count; i++) {
        const gh_function *f = gh_catalog_function_by_oid(j->in->catalog, o[i]->function);

        is_steady = is_steady && f != NULL && f->volatility != 'v';
    }
    return is_steady;
}

/* What it compares by are PostgreSQL's own. */
static bool is_between(const A_Expr *e)
{
    return e->kind == AEXPR_BETWEEN || e->kind == AEXPR_NOT_BETWEEN ||
           e->kind == AEXPR_BETWEEN_SYM || e->kind == AEXPR_NOT_BETWEEN_SYM;
}

typedef struct merge_look {
    const gh_judge *j;
    bool is_repeatable;
} merge_look;

static void look(struct Node **slot, void *arg)
{
    merge_look *l = arg;
    const Node *n = (const Node *)*slot;

    switch (nodeTag(n)) {
    case T_ColumnRef:
        l->is_repeatable &= IsA(llast(((const ColumnRef *)n)->fields), String);
        return;
    case T_A_Const:
    case T_ParamRef:
    case T_SQLValueFunction:
        return;
    case T_FuncCall:
        l->is_repeatable &= is_steady_call(l->j, ((const FuncCall *)n)->funcname);
        break;
    case T_A_Expr:
        l->is_repeatable &=
            is_between((const A_Expr *)n) || is_steady_operator(l->j, ((const A_Expr *)n)->name);
        break;
    case T_TypeCast:
    case T_TypeName:
    case T_BoolExpr:
    case T_NullTest:
    case T_BooleanTest:
    case T_CaseExpr:
    case T_CaseWhen:
    case T_CoalesceExpr:
    case T_MinMaxExpr:
    case T_A_ArrayExpr:
    case T_A_Indirection:
    case T_A_Indices:
    case T_CollateClause:
        break;
    default:
        l->is_repeatable = false;
        return;
    }
    if (l->is_repeatable && !gh_sql_children(*slot, look, arg))
        l->is_repeatable = false;
}

/* Means the same wherever it stands, however often it is computed. */
static bool is_repeatable(const gh_judge *j, Node *n)
{
    merge_look l = { .j = j, .is_repeatable = n != NULL };

    if (n != NULL)
        look((struct Node **)&n, &l);
    return l.is_repeatable;
}

/* What is sent for these tokens. */
static char *sent(gh_judge *j, size_t first, size_t end)
{
    gh_buf out;
    char *text = NULL;

    /* SECURITY: what is checked and what is stored are two literals now; a plan that serves other literals too
     * would check one and store another. Attack: tests/integration/checked_writes, test_new_rows. */
    j->reads_literal = true;
    gh_buf_init(&out, GH_SQL_BYTES_MAX);
    j->rc = gh_judge_emit(j, first, end, &out, NULL);
    if (j->rc == GH_OK)
        text = gh_judge_cstr(gh_buf_str(&out));
    gh_buf_fini(&out);
    return text;
}

/* The type without its length, which assignment enforces and a cast would cut to. */
static char *bare_type(gh_judge *j, const gh_column *c)
{
    const gh_type *t = gh_catalog_type_by_oid(j->in->catalog, c->type_oid);

    if (c->typmod < 0 || t == NULL)
        return gh_judge_cstr(c->type_sql);
    return gh_judge_printf("%s.%s", gh_judge_ident(j, t->schema), gh_judge_ident(j, t->name));
}

/* SQL of what the column will hold; NULL after a refusal. */
static char *stored(gh_judge *j, const gh_item *target, size_t i, const merge_value *v,
                    bool is_update)
{
    const gh_column *c = &target->relation->columns[i];
    const gh_type *t = gh_catalog_type_by_oid(j->in->catalog, c->type_oid);
    char *value;
    Node *cast;

    if (c->identity != 0 && !is_update) { /* OVERRIDING says whose value it is */
        refuse_check(j, target);
        return NULL;
    }
    if (v->node == NULL && is_update)
        return gh_judge_printf("%s.%s", target->inner, gh_judge_ident(j, c->name));
    if (v->node == NULL && !c->has_default && t != NULL && t->kind != 'd')
        return gh_judge_printf("CAST(NULL AS " GH_STR_FMT ")", GH_STR_ARG(c->type_sql));
    if (!is_repeatable(j, v->node)) { /* or a default */
        refuse_check(j, target);
        return NULL;
    }
    value = sent(j, v->first, v->end);
    if (value == NULL)
        return NULL;
    value = gh_judge_printf("CAST(%s AS %s)", value, bare_type(j, c));
    cast = gh_judge_parse_expr(j, value);
    if (cast == NULL || !IsA(cast, TypeCast))
        return NULL;
    gh_cast_judge(j, (const TypeCast *)cast, c->type_oid);
    return c->typmod < 0
               ? value
               : gh_judge_printf("CAST(%s AS " GH_STR_FMT ")", value, GH_STR_ARG(c->type_sql));
}

/*
 * The condition under which the new row may be stored, over the values given; "" for always, NULL after a refusal.
 * `row` is the target as filters are to see it: under another name.
 */
static char *new_row(gh_judge *j, const gh_item *target, uint32_t privilege, const bool *written,
                     const merge_value *values)
{
    gh_item row = *target;
    bool is_blind;
    char *condition;
    char *columns = pstrdup("");

    row.inner = GH_INNER;
    row.is_guard = palloc0((size_t)row.relation->column_count + 1);
    condition = gh_write_condition(j, &row, privilege, written, &is_blind);
    if (condition == NULL || condition[0] == '\0')
        return condition;
    for (size_t i = 0; i < row.relation->column_count; i++) {
        const gh_column *c = &row.relation->columns[i];
        char *value;

        if (!row.is_guard[i])
            continue;
        if (c->generated != 0 || !target->relation->is_stored_as_written) {
            refuse_check(j, target);
            return NULL;
        }
        value = stored(j, target, i, &values[i], privilege == GH_UPDATE);
        if (value == NULL || j->rc != GH_OK)
            return NULL;
        columns = gh_judge_printf("%s%s%s AS %s", columns, columns[0] == '\0' ? "" : ", ", value,
                                  gh_judge_ident(j, c->name));
    }
    if (columns[0] == '\0') /* it is of the user alone */
        return condition;
    return gh_judge_printf("(SELECT %s FROM (SELECT %s) AS " GH_INNER ")", condition, columns);
}

/* ---- WHEN ----------------------------------------------------------------------------------------- */

/* Fails where the clause would run and the check does not hold. */
static void guard_clause(gh_judge *j, MergeWhenClause *w, const merge_clause *c, const char *check)
{
    char *checked;
    Node *tree;

    if (check[0] == '\0' || j->rc != GH_OK)
        return;
    checked = gh_judge_printf("CASE WHEN %s THEN true ELSE %s END", check, MERGE_FAILS);
    j->plan->checks_rows = true;
    if (w->condition == NULL) {
        w->condition = gh_judge_parse_expr(j, checked);
        gh_judge_edit(j, c->then, c->then, gh_judge_printf("AND %s", checked));
        return;
    }
    tree =
        gh_judge_parse_expr(j, gh_judge_printf("CASE WHEN ($0) THEN %s ELSE false END", checked));
    if (tree == NULL)
        return;
    gh_judge_fill(&tree, w->condition);
    w->condition = tree;
    gh_judge_edit(j, c->condition, c->condition + 1, "AND CASE WHEN (");
    gh_judge_edit(j, c->then, c->then, gh_judge_printf(") THEN %s ELSE false END", checked));
}

static char *both(char *a, char *b)
{
    if (a == NULL || b == NULL)
        return NULL;
    if (a[0] == '\0')
        return b;
    return b[0] == '\0' ? a : gh_judge_printf("%s AND %s", a, b);
}

static size_t index_of(const gh_item *target, const char *name)
{
    const gh_column *c = gh_relation_column(target->relation, gh_str_of(name));

    return c == NULL ? SIZE_MAX : (size_t)(c - target->relation->columns);
}

/* The next comma at no depth of brackets, or `end`. */
static size_t comma(const gh_judge *j, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        if (is_self(j, i, ','))
            return i;
        if (is_self(j, i, '(') || is_self(j, i, '[')) {
            i = gh_sql_token_closing(j->text, i);
            if (i == SIZE_MAX)
                return end;
        }
    }
    return end;
}

/* Where the items of a row stand that (b, c) is set to, from the bracket before b on; *close: the row's end. SIZE_MAX: it is
 * no row. */
static size_t row_items(const gh_judge *j, size_t at, size_t end, size_t *close)
{
    size_t row = is_self(j, at, '(') ? gh_sql_token_closing(j->text, at) : SIZE_MAX;

    if (row == SIZE_MAX)
        return SIZE_MAX;
    row += 2; /* behind `) =` */
    if (row < end && is_keyword(j, row, "row"))
        row++;
    if (row >= end || !is_self(j, row, '('))
        return SIZE_MAX;
    *close = gh_sql_token_closing(j->text, row);
    return *close != SIZE_MAX && *close + 1 == end ? row + 1 : SIZE_MAX;
}

/* What one of (b, c) is set to; *at: where its text begins, then the next one's. */
static merge_value row_value(const gh_judge *j, const MultiAssignRef *m, size_t *at, size_t close)
{
    const RowExpr *row = (const RowExpr *)m->source;
    merge_value v = { .node = (Node *)makeNode(SetToDefault) }; /* not repeatable */

    if (*at == SIZE_MAX || !IsA(row, RowExpr) || list_length(row->args) != m->ncolumns)
        return v;
    v = (merge_value){ list_nth(row->args, m->colno - 1), *at, comma(j, *at, close) };
    *at = v.end + 1;
    return v;
}

/* SET a = x, (b, c) = (y, z), d[1] = w: of each its value and where it stands; of d nothing that could be repeated. */
static void set_values(const gh_judge *j, const gh_item *target, const MergeWhenClause *w,
                       const merge_clause *c, merge_value *values)
{
    size_t at = find(j, c->then, c->end, "set") + 1;
    size_t row = SIZE_MAX;
    size_t close = SIZE_MAX;
    ListCell *cell;

    foreach (cell, w->targetList) {
        const ResTarget *t = lfirst_node(ResTarget, cell);
        size_t i = index_of(target, t->name);
        size_t end = comma(j, at, c->end);

        if (i == SIZE_MAX)
            return;
        if (IsA(t->val, MultiAssignRef)) {
            const MultiAssignRef *m = (const MultiAssignRef *)t->val;

            if (m->colno == 1)
                row = row_items(j, at, end, &close);
            values[i] = row_value(j, m, &row, close);
            if (t->indirection != NIL)
                values[i].node = (Node *)makeNode(SetToDefault);
            if (m->colno < m->ncolumns)
                continue; /* the others of its brackets stand at the same place */
        } else if (t->indirection != NIL) {
            values[i].node = (Node *)makeNode(SetToDefault);
        } else {
            values[i] = (merge_value){ t->val, at + 2, end }; /* behind name and `=` */
        }
        at = end + 1;
    }
}

static char *update_check(gh_judge *j, gh_item *target, MergeWhenClause *w, const merge_clause *c)
{
    bool *written = gh_write_set_list(j, target, w->targetList);
    merge_value *values = palloc0(target->relation->column_count * sizeof(*values) + 1);
    bool is_blind;
    char *old;

    if (j->rc != GH_OK || (target->decision->privileges & GH_UPDATE) == 0)
        return NULL;
    old = gh_write_condition(j, target, GH_UPDATE, written, &is_blind);
    if (old == NULL)
        return NULL;
    gh_write_refuse_unseen(j, target, written, is_blind);
    if (gh_write_stays_inside(target, written))
        return old;
    set_values(j, target, w, c, values);
    return both(old, new_row(j, target, GH_UPDATE, written, values));
}

/* Without a list of columns INSERT means the first of the table: of the table that the user sees. */
static void add_columns(gh_judge *j, const gh_item *target, MergeWhenClause *w,
                        const merge_clause *c)
{
    size_t place = find(j, c->then, c->end, "insert") + 1;
    char *out = pstrdup("");

    for (size_t i = 0; i < target->relation->column_count; i++) {
        ResTarget *t;

        if (!gh_write_is_insertable(target, i) ||
            list_length(w->targetList) == list_length(w->values))
            continue;
        t = makeNode(ResTarget);
        t->name = gh_judge_cstr(target->relation->columns[i].name);
        t->location = -1;
        w->targetList = lappend(w->targetList, t);
        out = gh_judge_printf("%s%s%s", out, out[0] == '\0' ? "" : ", ",
                              gh_judge_ident(j, target->relation->columns[i].name));
    }
    if (list_length(w->targetList) < list_length(w->values))
        gh_judge_refuse(j, GH_INVALID, "42601", -1,
                        "INSERT has more expressions than target columns");
    else
        gh_judge_edit(j, place, place, gh_judge_printf("(%s)", out));
}

static char *insert_check(gh_judge *j, gh_item *target, MergeWhenClause *w, const merge_clause *c)
{
    merge_value *values = palloc0(target->relation->column_count * sizeof(*values) + 1);
    size_t at = find(j, c->then, c->end, "values") + 2; /* behind its bracket */
    size_t close = w->values != NIL ? gh_sql_token_closing(j->text, at - 1) : SIZE_MAX;
    bool *written;
    int n = 0;
    ListCell *cell;

    gh_judge_expr_list(j, w->values);
    if (w->targetList == NIL && w->values != NIL)
        add_columns(j, target, w, c);
    written = gh_write_insert_list(j, target, w->targetList);
    if (j->rc != GH_OK || (target->decision->privileges & GH_INSERT) == 0)
        return NULL;
    foreach (cell, w->targetList) {
        size_t i = index_of(target, lfirst_node(ResTarget, cell)->name);
        size_t end = comma(j, at, close);

        if (n == list_length(w->values) || i == SIZE_MAX || close == SIZE_MAX)
            break;
        values[i] = (merge_value){ list_nth(w->values, n++), at, end };
        if (lfirst_node(ResTarget, cell)->indirection != NIL)
            values[i].node = (Node *)makeNode(SetToDefault);
        at = end + 1;
    }
    return new_row(j, target, GH_INSERT, written, values);
}

static char *delete_check(gh_judge *j, gh_item *target)
{
    bool is_blind;

    if ((target->decision->privileges & GH_DELETE) == 0)
        return NULL;
    return gh_write_condition(j, target, GH_DELETE, NULL, &is_blind);
}

static void judge_when(gh_judge *j, gh_item *target, MergeWhenClause *w, const merge_clause *c)
{
    char *check = pstrdup("");

    gh_judge_condition(j, &w->condition);
    switch (w->commandType) {
    case CMD_UPDATE:
        check = update_check(j, target, w, c);
        break;
    case CMD_INSERT:
        check = insert_check(j, target, w, c);
        break;
    case CMD_DELETE:
        check = delete_check(j, target);
        break;
    case CMD_NOTHING:
        break;
    default:
        gh_judge_refuse(j, GH_DENIED, "42501", -1, "this MERGE is not allowed");
        return;
    }
    if (check == NULL)
        refuse(j, target);
    else
        guard_clause(j, w, c, check);
}

static uint32_t privilege_of(const MergeWhenClause *w)
{
    return w->commandType == CMD_INSERT   ? GH_INSERT
           : w->commandType == CMD_UPDATE ? GH_UPDATE
           : w->commandType == CMD_DELETE ? GH_DELETE
                                          : 0;
}

void gh_judge_merge(gh_judge *j, MergeStmt *s, size_t end)
{
    bool is_last[2] = { false, false };
    uint32_t used = 0;
    gh_item *target;
    size_t when;
    ListCell *cell;

    gh_write_open_block(j, (const Node *)s);
    gh_judge_with(j, s->withClause);
    target = gh_write_add_target(j, s->relation, GH_INSERT | GH_UPDATE | GH_DELETE);
    if (target == NULL)
        return;
    if ((target->decision->privileges & GH_SELECT) == 0 || target->decision->is_through ||
        strchr("rp", target->relation->kind) == NULL) {
        refuse(j, target);
        return;
    }
    gh_judge_from_item(j, &s->sourceRelation);
    gh_judge_condition(j, &s->joinCondition);
    gh_judge_push_write(j, list_make1(s->sourceRelation), NULL); /* no copies: an outer join */
    j->is_unsafe |= !gh_judge_is_safe(j, s->joinCondition);
    if (j->rc != GH_OK)
        return;
    when = find(j, target->end, end, "when");
    guard_on(j, target, s, when);
    foreach (cell, s->mergeWhenClauses) {
        MergeWhenClause *w = lfirst_node(MergeWhenClause, cell);
        merge_clause c = clause_at(j, when, end);

        if (is_last[w->matched]) /* said here, as the condition that is added would hide it */
            gh_judge_refuse(j, GH_INVALID, "42601", -1,
                            "unreachable WHEN clause specified after unconditional WHEN clause");
        if (j->rc != GH_OK)
            return;
        is_last[w->matched] = w->condition == NULL;
        judge_when(j, target, w, &c);
        when = c.end;
        used |= privilege_of(w);
    }
    target->privilege =
        used != 0 ? used : GH_SELECT; /* for the audit: what was judged is each clause */
    gh_write_close_block(j);
}
