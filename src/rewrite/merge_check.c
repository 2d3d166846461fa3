/*
 * The check of a row that MERGE stores. It is made of what the action will store in the columns that a filter reads: the
 * value given, the old one, or a default, and is that of the stored row only where nothing changes it on its way
 * (is_inserted_as_written ...).
 *
 *     values that mean the same wherever they stand, however often they are computed: columns, constants, parameters, and
 *     what expressions make of them that run no volatile code
 *         AND (SELECT <may store it> FROM (SELECT s.region AS region, t.note AS note) AS gh)      in WHEN
 *     one that does not, a sub-select as well: it is computed once, and the check stands around it
 *         SET region = (SELECT CASE WHEN <may store it> THEN gh.v WHEN <fails> THEN NULL END
 *             FROM (SELECT CAST(value.v AS text) AS region, given.note AS note, value.v FROM (SELECT t.note AS note) AS given
 *                 LEFT JOIN (SELECT (<value>) OFFSET 0) AS value (v) ON true) AS gh)
 *     several of them, unless one sub-select gives them all: refused
 *
 * A default that is a literal or the time is written in its place, so that what is checked is what is stored, whatever the default is by
 * then.
 *
 * SECURITY: a value that is computed twice is checked once and stored another time. Attack:
 * tests/integration/checked_writes, Merge.
 */
#include "default.h"
#include "infer.h"
#include "merge.h"
#include "write.h"

#define GIVEN "\"gh_given\""
#define VALUE "\"gh_value\""

static void refuse(gh_judge *j, const gh_item *target, const char *why)
{
    if (j->rc != GH_OK)
        return;
    gh_judge_refuse(j, GH_DENIED, "42501", target->var->location,
                    "this MERGE of table %s is not allowed, since its new rows cannot be checked",
                    target->var->relname);
    (void)snprintf(j->err->hint, sizeof(j->err->hint), "%s", why);
}

#define WHY_TRIGGER                                                                                \
    "A trigger, a rule or a generated column may make another row of it than MERGE says; INSERT, " \
    "also with ON CONFLICT, and UPDATE are checked as they are stored."
#define WHY_DEFAULT                                                                                \
    "A column that decides on the row is left to what the table computes: give it a value."
#define WHY_PART "A column that decides on the row is set in part: set the whole value."
#define WHY_SEVERAL                                                                                \
    "Several columns that decide on the row take their values from sub-selects or volatile "       \
    "functions: let USING compute them."
#define WHY_SETTING                                                                                \
    "A value changes a setting, by which another may be a different one when it is stored: set "   \
    "it "                                                                                          \
    "before."

/* ---- what means the same twice ------------------------------------------------------------------ */

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

/* *arg becomes true where set_config() is called, or it is not known. */
static void look_for_setting(struct Node **slot, void *arg)
{
    const Node *n = (const Node *)*slot;

    if (IsA(n, FuncCall) &&
        strcmp(strVal(llast(((const FuncCall *)n)->funcname)), "set_config") == 0)
        *(bool *)arg = true;
    if (!*(bool *)arg && !gh_sql_children(*slot, look_for_setting, arg))
        *(bool *)arg = true;
}

/*
 * SECURITY: what a value changes holds from there on, so of current_setting() or of the text of a time one is checked, in
 * WHEN, and another stored; also where it stands in USING, from where PostgreSQL brings it here. Attack:
 * tests/integration/checked_writes, test_settings.
 */
static bool changes_setting(const MergeWhenClause *w)
{
    bool is_found = false;
    ListCell *cell;

    foreach (cell, w->targetList)
        look_for_setting((struct Node **)&lfirst(cell), &is_found);
    foreach (cell, w->values)
        look_for_setting((struct Node **)&lfirst(cell), &is_found);
    return is_found;
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

/* ---- what a column will hold ---------------------------------------------------------------------- */

/* The new row, as far as the filters read it. */
typedef struct merge_row {
    const gh_merge_value
        *once;    /* the value that is computed once; NULL: each means the same twice */
    List *given;  /* SQL of the others, each under its column's name... */
    List *copies; /* ...and of the same, out of GIVEN... */
    List *casts;  /* ...and of what is computed once, out of VALUE */
} merge_row;

/* The n-th name that no column of the relation has. */
static const char *unused_name(const gh_relation *r, int n)
{
    const char *name = "";

    for (int i = 1; n >= 0; i++) {
        name = gh_judge_printf("gh%d", i);
        if (gh_relation_column(r, gh_str_of(name)) == NULL)
            n--;
    }
    return gh_judge_printf("\"%s\"", name);
}

/* As the column will hold it. Its type without a length comes first, which assignment enforces and a cast would cut to. */
static char *as_stored(gh_judge *j, const gh_column *c, const char *value)
{
    const gh_type *t = gh_catalog_type_by_oid(j->in->catalog, c->type_oid);
    char *sql = c->typmod < 0 || t == NULL
                    ? gh_judge_printf("CAST(%s AS " GH_STR_FMT ")", value, GH_STR_ARG(c->type_sql))
                    : gh_judge_printf("CAST(%s AS %s.%s)", value, gh_judge_ident(j, t->schema),
                                      gh_judge_ident(j, t->name));
    Node *cast = gh_judge_parse_expr(j, sql);

    if (cast == NULL || !IsA(cast, TypeCast))
        return NULL;
    gh_cast_judge(j, (const TypeCast *)cast, c->type_oid);
    return c->typmod < 0
               ? sql
               : gh_judge_printf("CAST(%s AS " GH_STR_FMT ")", sql, GH_STR_ARG(c->type_sql));
}

/* ---- each column ----------------------------------------------------------------------------------- */

/* The value that the client gave is the one that is stored. */
static bool is_given(const gh_merge_action *a, const gh_column *c, const gh_merge_value *v)
{
    if (v->is_part || v->query != NULL)
        return true;
    if (v->slot == NULL || IsA(*v->slot, SetToDefault))
        return false;
    return a->is_update || c->identity == 0 || a->when->override == OVERRIDING_SYSTEM_VALUE ||
           (c->identity == 'd' && a->when->override == OVERRIDING_NOT_SET);
}

/* Where nothing is given: the old value, or a default, which is put in its place. NULL after a refusal. */
static char *other_value(gh_judge *j, gh_merge_action *a, const gh_column *c, gh_merge_value *v)
{
    char *value;

    if (v->slot == NULL && a->is_update)
        return gh_judge_printf("%s.%s", a->target->inner, gh_judge_ident(j, c->name));
    value = c->identity == 0 ? gh_default_known(j, c) : NULL;
    if (value == NULL) {
        refuse(j, a->target, WHY_DEFAULT);
    } else if (v->slot != NULL) {
        *v->slot = gh_judge_parse_expr(j, value);
        gh_judge_edit(j, v->first, v->end, value);
    } else {
        ResTarget *t = makeNode(ResTarget);

        t->name = gh_judge_cstr(c->name);
        t->location = -1;
        a->when->targetList = lappend(a->when->targetList, t);
        a->added = lappend(a->added, gh_judge_parse_expr(j, value));
        a->added_columns = lappend(a->added_columns, gh_judge_ident(j, c->name));
        a->added_values = lappend(a->added_values, value);
    }
    return value == NULL ? NULL : as_stored(j, c, value);
}

/* False: another column's value is already computed once, and this one is not of the same sub-select. */
static bool computes_once(gh_judge *j, const gh_merge_action *a, const gh_column *c,
                          const gh_merge_value *v, merge_row *row)
{
    char *value = gh_judge_printf(VALUE ".%s", unused_name(a->target->relation, v->place));

    if (row->once != NULL && (v->query == NULL || row->once->query != v->query))
        return false;
    row->once = v;
    value = as_stored(j, c, value);
    if (value != NULL)
        row->casts =
            lappend(row->casts, gh_judge_printf("%s AS %s", value, gh_judge_ident(j, c->name)));
    return true;
}

static void take_column(gh_judge *j, gh_merge_action *a, size_t i, merge_row *row)
{
    const gh_relation *r = a->target->relation;
    const gh_column *c = &r->columns[i];
    gh_merge_value *v = &a->values[i];
    const char *name = gh_judge_ident(j, c->name);
    char *value;

    if (c->generated != 0 || (a->is_update ? c->is_altered_by_update : c->is_altered_by_insert) ||
        !(a->is_update ? r->is_updated_as_written : r->is_inserted_as_written)) {
        refuse(j, a->target, WHY_TRIGGER);
        return;
    }
    if (v->is_part) {
        refuse(j, a->target, WHY_PART);
        return;
    }
    if (!is_given(a, c, v)) {
        value = other_value(j, a, c, v);
    } else if (v->query == NULL && is_repeatable(j, *v->slot)) {
        value = sent(j, v->first, v->end);
        value = value == NULL ? NULL : as_stored(j, c, value);
    } else {
        if (!computes_once(j, a, c, v, row))
            refuse(j, a->target, WHY_SEVERAL);
        return;
    }
    if (value == NULL || j->rc != GH_OK)
        return;
    row->given = lappend(row->given, gh_judge_printf("%s AS %s", value, name));
    row->copies = lappend(row->copies, gh_judge_printf(GIVEN ".%s AS %s", name, name));
}

/* ---- the check around a value ------------------------------------------------------------------------ */

/* The client's sub-select with OFFSET 0, through which PostgreSQL does not look; a limit of its own does as much. */
static void close_query(gh_judge *j, SelectStmt *s, size_t bracket)
{
    const SelectStmt *parsed;

    if (s->limitCount != NULL || s->limitOffset != NULL)
        return;
    parsed = (const SelectStmt *)gh_judge_parse_query(j, "SELECT 1 OFFSET 0");
    if (parsed == NULL)
        return;
    s->limitOffset = parsed->limitOffset;
    s->limitOption = parsed->limitOption;
    gh_judge_edit(j, bracket, bracket, "OFFSET 0");
}

/* Its columns under names of ours; `values`: of what it gives, `results`: of what comes out with the check in the first. */
static void name_values(const gh_item *target, const gh_merge_value *once, const char *condition,
                        List **values, List **results, List **names)
{
    int width = once->query != NULL ? once->width : 1;

    *values = *results = *names = NIL;
    for (int i = 0; i < width; i++) {
        const char *name = unused_name(target->relation, i);

        *names = lappend(*names, pstrdup(name));
        *values = lappend(*values, gh_judge_printf(VALUE ".%s", name));
        *results = lappend(
            *results,
            i > 0 ? gh_judge_printf(GH_INNER ".%s", name)
                  : gh_judge_printf("CASE WHEN %s THEN " GH_INNER ".%s WHEN %s THEN NULL END",
                                    condition, name, gh_write_failure("\"pg_catalog\".\"bool\"")));
    }
}

/* The query that the client's, or `SELECT (<value>)`, stands in. */
static void check_around(gh_judge *j, const gh_item *target, const merge_row *row,
                         const char *condition)
{
    const gh_merge_value *once = row->once;
    bool is_query = once->query != NULL;
    size_t before =
        once->first -
        1; /* `=`, a bracket or a comma: a name behind it may have been given its schema */
    List *values;
    List *results;
    List *names;
    char *head;
    char *tail;
    Node *tree;
    Node *client;
    SelectStmt *s;
    JoinExpr *join;

    name_values(target, once, condition, &values, &results, &names);
    values = list_concat(list_concat(list_copy(row->copies), row->casts), values);
    head = gh_judge_printf("(SELECT %s FROM (SELECT %s FROM (SELECT %s) AS " GIVEN " LEFT JOIN ",
                           gh_judge_join(results, ", "), gh_judge_join(values, ", "),
                           gh_judge_join(row->given, ", "));
    tail =
        gh_judge_printf(" AS " VALUE " (%s) ON true) AS " GH_INNER ")", gh_judge_join(names, ", "));
    tree = gh_judge_parse_expr(j, gh_judge_printf("%s(SELECT 1)%s", head, tail));
    if (is_query) {
        client = once->query->subselect;
        close_query(j, (SelectStmt *)client, once->end - 1);
    } else {
        client = gh_judge_parse_query(j, "SELECT ($0) OFFSET 0");
        if (client != NULL)
            gh_judge_fill(&client, *once->slot);
    }
    if (tree == NULL || client == NULL || j->rc != GH_OK)
        return;
    s = (SelectStmt *)((SubLink *)tree)->subselect;
    s = (SelectStmt *)linitial_node(RangeSubselect, s->fromClause)->subquery;
    join = linitial_node(JoinExpr, s->fromClause);
    ((RangeSubselect *)join->rarg)->subquery = client;
    if (is_query)
        once->query->subselect = ((SubLink *)tree)->subselect;
    else
        *once->slot = tree;
    gh_judge_edit(j, before, before + 1,
                  gh_judge_printf("%s %s%s", j->text->tokens[before].text, head,
                                  is_query ? "" : "(SELECT ("));
    gh_judge_edit(j, once->end, once->end,
                  gh_judge_printf("%s%s", is_query ? "" : ") OFFSET 0)", tail));
    j->plan->checks_rows = true;
}

char *gh_merge_check(gh_judge *j, gh_merge_action *a)
{
    gh_item as_read = *a->target; /* the target as filters are to see it: under another name */
    merge_row row = { .once = NULL };
    bool is_blind;
    char *condition;

    as_read.inner = GH_INNER;
    as_read.is_guard = palloc0((size_t)as_read.relation->column_count + 1);
    condition = gh_write_condition(j, &as_read, a->is_update ? GH_UPDATE : GH_INSERT, a->written,
                                   &is_blind);
    if (condition == NULL || condition[0] == '\0')
        return condition;
    if (changes_setting(a->when))
        refuse(j, a->target, WHY_SETTING);
    for (size_t i = 0; i < as_read.relation->column_count && j->rc == GH_OK; i++) {
        if (as_read.is_guard[i])
            take_column(j, a, i, &row);
    }
    if (j->rc != GH_OK)
        return NULL;
    if (row.once != NULL) {
        check_around(j, a->target, &row, condition);
        return pstrdup("");
    }
    if (row.given == NIL) /* it is of the user alone */
        return condition;
    return gh_judge_printf("(SELECT %s FROM (SELECT %s) AS " GH_INNER ")", condition,
                           gh_judge_join(row.given, ", "));
}
