/*
 * What every text that is sent keeps, read from its own tree and by nothing of the rewriter:
 *
 *  - each relation has a schema, unless a WITH of the statement bears its name;
 *  - a governed relation stands inside a sub-select as "gh" alone, but as the target of a write or under row
 *    locks, where it may stand as it is, and in a query whose WHERE has its row filter, as a condition or as that of a CASE, and which names nothing of it
 *    that does not show in clear, but for columns of the result that are masks; a relation without a grant stands
 *    nowhere;
 *  - no column without a grant is read by that alias;
 *  - each function has a schema, and is none of those that run SQL or read files.
 */
#include "pg.h"

#include "fuzz.h"

#include <gatehouse/sql.h>

#include <string.h>

typedef struct check {
    gh_str client;
    gh_str sent;
    bool is_governed;
    bool is_target;           /* the target of a write, or locked */
    const SelectStmt *select; /* around */
    const char *ctes[64];
    size_t cte_count;
} check;

static void walk(struct Node **slot, void *arg);

static void visit_list(check *c, List *list)
{
    ListCell *cell;

    foreach (cell, list)
        walk((struct Node **)&lfirst(cell), c);
}

/* What a query says of a governed relation that stands in it as it is. */
typedef struct look {
    const RangeVar *relation;
    const char *alias;
    bool is_filter;   /* names nothing but its columns, and the attribute's value */
    bool is_telling;  /* names what does not show in clear, or the row */
    bool is_shadowed; /* in a sub-select that has the alias for something else */
} look;

static bool is_clear(const RangeVar *v, const char *column)
{
    static const char *const never[] = { "secret", "ctid", "xmin",    "xmax",
                                         "cmin",   "cmax", "tableoid" };
    static const char *const mixed[] = { "region", "a", "b", "c" };

    for (size_t i = 0; i < GH_COUNT(never); i++) {
        if (strcmp(column, never[i]) == 0)
            return false;
    }
    for (size_t i = 0; strcmp(v->relname, "mixed") == 0 && i < GH_COUNT(mixed); i++) {
        if (strcmp(column, mixed[i]) == 0)
            return false;
    }
    return strcmp(v->relname, "orders") != 0 || strcmp(column, "email") != 0;
}

static bool brings(const Node *from, const char *alias)
{
    const Alias *own = NULL;
    ListCell *cell;

    if (from == NULL)
        return false;
    if (IsA(from, List)) {
        foreach (cell, (const List *)from) {
            if (brings(lfirst(cell), alias))
                return true;
        }
        return false;
    }
    if (IsA(from, JoinExpr))
        return brings(((const JoinExpr *)from)->larg, alias) ||
               brings(((const JoinExpr *)from)->rarg, alias);
    if (IsA(from, RangeSubselect))
        own = ((const RangeSubselect *)from)->alias;
    else if (IsA(from, RangeVar) && ((const RangeVar *)from)->alias == NULL)
        return strcmp(((const RangeVar *)from)->relname, alias) == 0;
    else if (IsA(from, RangeVar))
        own = ((const RangeVar *)from)->alias;
    return own != NULL && strcmp(own->aliasname, alias) == 0;
}

static void look_at(struct Node **slot, void *arg)
{
    look *l = arg;
    const Node *n = (const Node *)*slot;

    if (n == NULL)
        return;
    if (IsA(n, List)) {
        ListCell *cell;

        foreach (cell, (List *)n)
            look_at((struct Node **)&lfirst(cell), arg);
        return;
    }
    if (IsA(n, SelectStmt)) {
        bool was_shadowed = l->is_shadowed;

        l->is_shadowed =
            was_shadowed || brings((const Node *)((const SelectStmt *)n)->fromClause, l->alias);
        if (!gh_sql_children(*slot, look_at, arg))
            l->is_telling = true;
        l->is_shadowed = was_shadowed;
        return;
    }
    if (IsA(n, ColumnRef)) {
        const List *fields = ((const ColumnRef *)n)->fields;
        bool is_own = !l->is_shadowed && IsA(linitial(fields), String) &&
                      strcmp(strVal(linitial(fields)), l->alias) == 0;
        const Node *last = llast(fields);

        l->is_filter = l->is_filter && is_own && list_length(fields) == 2;
        if (list_length(fields) == 2 && !is_own) /* of another relation */
            return;
        if (IsA(last, String)
                ? !is_clear(l->relation, strVal(last)) || (is_own && list_length(fields) == 1)
                : is_own)
            l->is_telling = true;
        return;
    }
    if (IsA(n, A_Const) && IsA(&((const A_Const *)n)->val, Integer))
        return;
    if (!gh_sql_children(*slot, look_at, arg))
        l->is_telling = true;
}

/* Is it the filter of the relation? Of `mixed` a column of the filter does not show in clear. */
static bool is_filter(const RangeVar *v, const char *alias, const Node *condition)
{
    look l = { .relation = v, .alias = alias, .is_filter = !IsA(condition, A_Const) };

    look_at((struct Node **)&condition, &l);
    return l.is_filter;
}

/* CASE WHEN <filter> THEN ... ELSE false END */
static bool is_guard(const RangeVar *v, const char *alias, const Node *condition)
{
    const CaseExpr *e = (const CaseExpr *)condition;
    const A_Const *other;

    if (!IsA(condition, CaseExpr) || e->arg != NULL || list_length(e->args) != 1 ||
        e->defresult == NULL || !IsA(e->defresult, A_Const))
        return false;
    other = (const A_Const *)e->defresult;
    return IsA(&other->val, Boolean) && !boolVal(&other->val) &&
           is_filter(v, alias, (const Node *)linitial_node(CaseWhen, e->args)->expr);
}

static bool has_filter(const RangeVar *v, const char *alias, const Node *where)
{
    ListCell *cell;

    if (where == NULL)
        return false;
    if (is_filter(v, alias, where) || is_guard(v, alias, where))
        return true;
    if (!IsA(where, BoolExpr) || ((const BoolExpr *)where)->boolop != AND_EXPR)
        return false;
    foreach (cell, ((const BoolExpr *)where)->args) {
        if (has_filter(v, alias, lfirst(cell)))
            return true;
    }
    return false;
}

/* Is each condition that lets a stored value through a filter of the relation? */
static bool shows_by_filters(const RangeVar *v, const char *alias, const CaseExpr *e)
{
    ListCell *cell;

    if (e->arg != NULL || (e->defresult != NULL && !IsA(e->defresult, A_Const)))
        return false;
    foreach (cell, e->args) {
        const CaseWhen *when = lfirst_node(CaseWhen, cell);

        if (!IsA(when->result, A_Const) && !is_filter(v, alias, (const Node *)when->expr))
            return false;
    }
    return true;
}

/* The mask of orders.email, or a cell of `mixed`. */
static bool is_mask(const RangeVar *v, const char *alias, const Node *value)
{
    const Node *arg = IsA(value, TypeCast) ? (const Node *)((const TypeCast *)value)->arg : value;
    const A_Expr *e = (const A_Expr *)arg;

    if (strcmp(v->relname, "mixed") == 0)
        return arg != value && IsA(arg, CaseExpr) &&
               shows_by_filters(v, alias, (const CaseExpr *)arg);
    return arg != value && IsA(arg, A_Expr) && IsA(e->lexpr, A_Const) &&
           IsA(&((const A_Const *)e->lexpr)->val, String) &&
           strcmp(strVal(&((const A_Const *)e->lexpr)->val), "***@") == 0 &&
           IsA(e->rexpr, FuncCall) &&
           strcmp(strVal(llast(((const FuncCall *)e->rexpr)->funcname)), "split_part") == 0;
}

static bool stands_filtered(const check *c, const RangeVar *v)
{
    const char *alias = v->alias != NULL ? v->alias->aliasname : v->relname;
    SelectStmt rest;
    Node *n = (Node *)&rest;
    look l = { .relation = v, .alias = alias };
    ListCell *cell;

    if (c->select == NULL || !has_filter(v, alias, c->select->whereClause))
        return false;
    foreach (cell, c->select->targetList) {
        const Node *value = lfirst_node(ResTarget, cell)->val;

        if (IsA(value, ColumnRef) && IsA(linitial(((const ColumnRef *)value)->fields), A_Star))
            return false;
    }
    rest = *c->select;
    rest.targetList = NIL;
    foreach (cell, c->select->targetList) {
        if (!is_mask(v, alias, (const Node *)lfirst_node(ResTarget, cell)->val))
            rest.targetList = lappend(rest.targetList, lfirst(cell));
    }
    if (strcmp(v->relname, "mixed") == 0)
        rest.whereClause = NULL;
    if (!gh_sql_children((struct Node *)n, look_at, &l))
        return false;
    return !l.is_telling;
}

static void check_relation(const check *c, const RangeVar *v)
{
    bool is_shop = v->schemaname != NULL && strcmp(v->schemaname, "shop") == 0;
    bool is_ops = v->schemaname != NULL && strcmp(v->schemaname, "ops") == 0;

    if (v->schemaname == NULL) {
        for (size_t i = 0; i < c->cte_count; i++) {
            if (strcmp(c->ctes[i], v->relname) == 0)
                return;
        }
        fuzz_fail("a relation without schema", c->client, c->sent);
    }
    if (!c->is_governed)
        return;
    if (strcmp(v->schemaname, "hr") == 0 || strcmp(v->schemaname, "lib") == 0)
        fuzz_fail("a relation without a grant", c->client, c->sent);
    if (((is_shop && (strcmp(v->relname, "orders") == 0 || strcmp(v->relname, "mixed") == 0)) ||
         (is_ops && strcmp(v->relname, "tickets") == 0)) &&
        !c->is_target && (v->alias == NULL || strcmp(v->alias->aliasname, "gh") != 0) &&
        !stands_filtered(c, v))
        fuzz_fail("a governed relation outside its sub-select", c->client, c->sent);
}

static void check_function(const check *c, const FuncCall *f)
{
    static const char *const never[] = { "pg_read_file", "query_to_xml", "leak", "set_config" };
    const char *name = strVal(llast(f->funcname));

    if (list_length(f->funcname) != 2 && strcmp(name, "unnest") != 0)
        fuzz_fail("a function without schema", c->client, c->sent);
    for (size_t i = 0; i < GH_COUNT(never); i++) {
        bool is_setting =
            strcmp(never[i], "set_config") == 0; /* by constants, of allowed settings */

        if (strcmp(name, never[i]) == 0 && !is_setting && (c->is_governed || i < 2))
            fuzz_fail("a function that is never allowed", c->client, c->sent);
    }
}

static void check_column(const check *c, const ColumnRef *r)
{
    if (c->is_governed && list_length(r->fields) == 2 && IsA(lsecond(r->fields), String) &&
        strcmp(strVal(linitial(r->fields)), "gh") == 0 &&
        strcmp(strVal(lsecond(r->fields)), "secret") == 0)
        fuzz_fail("a column without a grant", c->client, c->sent);
}

static void note_ctes(check *c, const WithClause *w)
{
    ListCell *cell;

    if (w == NULL)
        return;
    foreach (cell, w->ctes) {
        if (c->cte_count < GH_COUNT(c->ctes))
            c->ctes[c->cte_count++] = lfirst_node(CommonTableExpr, cell)->ctename;
    }
}

/* A write's target, and all that FROM names beside it: under a guard instead of a sub-select. */
static void walk_write(check *c, struct Node *n, RangeVar *target)
{
    bool before = c->is_target;

    c->is_target = true;
    check_relation(c, target);
    c->is_target = before;
    target->alias = makeNode(Alias); /* it was looked at */
    target->alias->aliasname = pstrdup("gh");
    if (!gh_sql_children(n, walk, c))
        fuzz_fail("a node that nobody knows", c->client, c->sent);
}

static void walk(struct Node **slot, void *arg)
{
    check *c = arg;
    Node *n = (Node *)*slot;
    bool before = c->is_target;
    const SelectStmt *around = c->select;

    if (n == NULL)
        return;
    switch (nodeTag(n)) {
    case T_List:
        visit_list(c, (List *)n);
        return;
    case T_RangeVar:
        check_relation(c, (const RangeVar *)n);
        return;
    case T_LockingClause: /* FOR UPDATE OF names items of FROM, never a relation */
        return;
    case T_ColumnRef:
        check_column(c, (const ColumnRef *)n);
        return;
    case T_FuncCall:
        check_function(c, (const FuncCall *)n);
        break;
    case T_SelectStmt:
        note_ctes(c, ((const SelectStmt *)n)->withClause);
        c->is_target = ((const SelectStmt *)n)->lockingClause != NIL;
        c->select = (const SelectStmt *)n;
        break;
    case T_InsertStmt:
        note_ctes(c, ((const InsertStmt *)n)->withClause);
        walk_write(c, *slot, ((InsertStmt *)n)->relation);
        return;
    case T_UpdateStmt:
        note_ctes(c, ((const UpdateStmt *)n)->withClause);
        walk_write(c, *slot, ((UpdateStmt *)n)->relation);
        return;
    case T_DeleteStmt:
        note_ctes(c, ((const DeleteStmt *)n)->withClause);
        walk_write(c, *slot, ((DeleteStmt *)n)->relation);
        return;
    case T_MergeStmt:
        note_ctes(c, ((const MergeStmt *)n)->withClause);
        walk_write(c, *slot, ((MergeStmt *)n)->relation);
        return;
    default:
        break;
    }
    if (!gh_sql_children(*slot, walk, c))
        fuzz_fail("a node that nobody knows", c->client, c->sent);
    c->is_target = before;
    c->select = around;
}

/* The query or write within; NULL where there is none. */
static Node **inner(Node **slot)
{
    switch (nodeTag(*slot)) {
    case T_SelectStmt:
    case T_InsertStmt:
    case T_UpdateStmt:
    case T_DeleteStmt:
    case T_MergeStmt:
        return slot;
    case T_ExplainStmt:
        return inner(&((ExplainStmt *)*slot)->query);
    case T_PrepareStmt:
        return inner(&((PrepareStmt *)*slot)->query);
    case T_DeclareCursorStmt:
        return inner(&((DeclareCursorStmt *)*slot)->query);
    case T_CopyStmt:
        return ((CopyStmt *)*slot)->query == NULL ? NULL : inner(&((CopyStmt *)*slot)->query);
    default:
        return NULL;
    }
}

static gh_rc check_text(void *arg, gh_err *err)
{
    check *c = arg;
    gh_sql_text text;
    Node **slot;

    if (gh_sql_parse(c->sent, &text, err) != GH_OK)
        fuzz_fail("what is sent does not parse", c->client, c->sent);
    if (list_length(text.stmts) != 1)
        fuzz_fail("what is sent is not one statement", c->client, c->sent);
    slot = inner(&linitial_node(RawStmt, text.stmts)->stmt);
    if (slot != NULL)
        walk((struct Node **)slot, c);
    return GH_OK;
}

void fuzz_check_sent(gh_str client, const gh_plan *plan, bool is_governed)
{
    check c = { .client = client, .sent = plan->sql, .is_governed = is_governed };
    gh_err err = { 0 };

    if (plan->kind == GH_STMT_REFUSED || plan->kind == GH_STMT_EMPTY) {
        if (plan->sql.len != 0)
            fuzz_fail("a refused statement is sent", client, plan->sql);
        return;
    }
    if (plan->sql.len == 0)
        return;
    if (gh_sql_run(check_text, &c, &err) != GH_OK)
        fuzz_fail("what is sent cannot be read", client, plan->sql);
}
