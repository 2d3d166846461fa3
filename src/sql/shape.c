/*
 * The shape of every node that a statement may hold: which fields are child nodes or lists of them.
 * One table serves the depth check, the judge and the rewriter, so none of them can know a node
 * that another does not; a tag that is not here is refused wherever it turns up. tests/unit/sql
 * compares the table with PostgreSQL's own raw_expression_tree_walker.
 *
 *     A_Expr ───┬─ lexpr   a slot: struct Node ** into the parent, so that a visitor can replace
 *               └─ rexpr   the child
 *     FuncCall ─── args    a list: every cell is a slot
 */
#include "pg.h"

#include <gatehouse/sql.h>

static void visit_value(Node **slot, gh_sql_visit visit, void *arg);

static void visit_list(List *list, gh_sql_visit visit, void *arg)
{
    ListCell *cell;

    foreach (cell, list)
        visit_value((Node **)&lfirst(cell), visit, arg);
}

static void visit_value(Node **slot, gh_sql_visit visit, void *arg)
{
    if (*slot == NULL)
        return;
    if (IsA(*slot, List))
        visit_list((List *)*slot, visit, arg);
    else
        visit((struct Node **)slot, arg);
}

static void visit_slots(Node *node, const size_t *slots, size_t count, gh_sql_visit visit,
                        void *arg)
{
    for (size_t i = 0; i < count; i++)
        visit_value((Node **)(void *)((char *)node + slots[i]), visit, arg);
}

typedef struct gh_shape {
    NodeTag tag;
    uint8_t count;
    size_t slots[12];
} gh_shape;

#define AT(type, field) offsetof(type, field)
#define LEAF(type)                                                                                 \
    {                                                                                              \
        T_##type, 0,                                                                               \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define SHAPE(type, n, ...)                                                                        \
    {                                                                                              \
        T_##type, n,                                                                               \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

/* Expressions first, then what stands in FROM, then statements and their clauses. */
static const gh_shape s_shapes[] = {
    LEAF(A_Const),
    LEAF(A_Star),
    LEAF(ColumnRef), /* its fields are names */
    LEAF(ParamRef),
    LEAF(SQLValueFunction),
    LEAF(SetToDefault),
    LEAF(CurrentOfExpr),
    LEAF(String),
    LEAF(Integer),
    LEAF(Float),
    LEAF(Boolean),
    LEAF(BitString),
    SHAPE(A_Expr, 2, AT(A_Expr, lexpr), AT(A_Expr, rexpr)),
    SHAPE(BoolExpr, 1, AT(BoolExpr, args)),
    SHAPE(A_Indices, 2, AT(A_Indices, lidx), AT(A_Indices, uidx)),
    SHAPE(A_Indirection, 2, AT(A_Indirection, arg), AT(A_Indirection, indirection)),
    SHAPE(A_ArrayExpr, 1, AT(A_ArrayExpr, elements)),
    SHAPE(ResTarget, 2, AT(ResTarget, indirection), AT(ResTarget, val)),
    SHAPE(MultiAssignRef, 1, AT(MultiAssignRef, source)),
    SHAPE(TypeCast, 2, AT(TypeCast, arg), AT(TypeCast, typeName)),
    SHAPE(TypeName, 2, AT(TypeName, typmods), AT(TypeName, arrayBounds)),
    SHAPE(CollateClause, 1, AT(CollateClause, arg)),
    SHAPE(SortBy, 1, AT(SortBy, node)),
    SHAPE(WindowDef, 4, AT(WindowDef, partitionClause), AT(WindowDef, orderClause),
          AT(WindowDef, startOffset), AT(WindowDef, endOffset)),
    SHAPE(FuncCall, 4, AT(FuncCall, args), AT(FuncCall, agg_order), AT(FuncCall, agg_filter),
          AT(FuncCall, over)),
    SHAPE(NamedArgExpr, 1, AT(NamedArgExpr, arg)),
    SHAPE(SubLink, 2, AT(SubLink, testexpr), AT(SubLink, subselect)),
    SHAPE(CaseExpr, 3, AT(CaseExpr, arg), AT(CaseExpr, args), AT(CaseExpr, defresult)),
    SHAPE(CaseWhen, 2, AT(CaseWhen, expr), AT(CaseWhen, result)),
    SHAPE(CoalesceExpr, 1, AT(CoalesceExpr, args)),
    SHAPE(MinMaxExpr, 1, AT(MinMaxExpr, args)),
    SHAPE(NullTest, 1, AT(NullTest, arg)),
    SHAPE(BooleanTest, 1, AT(BooleanTest, arg)),
    SHAPE(RowExpr, 1, AT(RowExpr, args)),
    SHAPE(XmlExpr, 2, AT(XmlExpr, named_args), AT(XmlExpr, args)),
    SHAPE(XmlSerialize, 2, AT(XmlSerialize, expr), AT(XmlSerialize, typeName)),
    SHAPE(GroupingFunc, 1, AT(GroupingFunc, args)),
    SHAPE(GroupingSet, 1, AT(GroupingSet, content)),

    LEAF(RangeVar), /* names and an alias */
    SHAPE(RangeSubselect, 1, AT(RangeSubselect, subquery)),
    SHAPE(RangeFunction, 2, AT(RangeFunction, functions), AT(RangeFunction, coldeflist)),
    SHAPE(RangeTableFunc, 4, AT(RangeTableFunc, docexpr), AT(RangeTableFunc, rowexpr),
          AT(RangeTableFunc, namespaces), AT(RangeTableFunc, columns)),
    SHAPE(RangeTableFuncCol, 3, AT(RangeTableFuncCol, typeName), AT(RangeTableFuncCol, colexpr),
          AT(RangeTableFuncCol, coldefexpr)),
    SHAPE(RangeTableSample, 3, AT(RangeTableSample, relation), AT(RangeTableSample, args),
          AT(RangeTableSample, repeatable)),
    SHAPE(JoinExpr, 3, AT(JoinExpr, larg), AT(JoinExpr, rarg), AT(JoinExpr, quals)),
    SHAPE(ColumnDef, 3, AT(ColumnDef, typeName), AT(ColumnDef, raw_default),
          AT(ColumnDef, collClause)),

    SHAPE(SelectStmt, 12, AT(SelectStmt, withClause), AT(SelectStmt, distinctClause),
          AT(SelectStmt, targetList), AT(SelectStmt, fromClause), AT(SelectStmt, whereClause),
          AT(SelectStmt, groupClause), AT(SelectStmt, havingClause), AT(SelectStmt, windowClause),
          AT(SelectStmt, valuesLists), AT(SelectStmt, sortClause), AT(SelectStmt, limitOffset),
          AT(SelectStmt, limitCount)),
    SHAPE(LockingClause, 1, AT(LockingClause, lockedRels)),
    SHAPE(WithClause, 1, AT(WithClause, ctes)),
    SHAPE(CommonTableExpr, 3, AT(CommonTableExpr, ctequery), AT(CommonTableExpr, search_clause),
          AT(CommonTableExpr, cycle_clause)),
    LEAF(CTESearchClause),
    SHAPE(CTECycleClause, 2, AT(CTECycleClause, cycle_mark_value),
          AT(CTECycleClause, cycle_mark_default)),
    SHAPE(InsertStmt, 6, AT(InsertStmt, withClause), AT(InsertStmt, relation), AT(InsertStmt, cols),
          AT(InsertStmt, selectStmt), AT(InsertStmt, onConflictClause),
          AT(InsertStmt, returningList)),
    SHAPE(OnConflictClause, 3, AT(OnConflictClause, infer), AT(OnConflictClause, targetList),
          AT(OnConflictClause, whereClause)),
    SHAPE(InferClause, 2, AT(InferClause, indexElems), AT(InferClause, whereClause)),
    SHAPE(IndexElem, 1, AT(IndexElem, expr)),
    SHAPE(UpdateStmt, 6, AT(UpdateStmt, withClause), AT(UpdateStmt, relation),
          AT(UpdateStmt, targetList), AT(UpdateStmt, fromClause), AT(UpdateStmt, whereClause),
          AT(UpdateStmt, returningList)),
    SHAPE(DeleteStmt, 5, AT(DeleteStmt, withClause), AT(DeleteStmt, relation),
          AT(DeleteStmt, usingClause), AT(DeleteStmt, whereClause), AT(DeleteStmt, returningList)),
    SHAPE(MergeStmt, 5, AT(MergeStmt, withClause), AT(MergeStmt, relation),
          AT(MergeStmt, sourceRelation), AT(MergeStmt, joinCondition),
          AT(MergeStmt, mergeWhenClauses)),
    SHAPE(MergeWhenClause, 3, AT(MergeWhenClause, condition), AT(MergeWhenClause, targetList),
          AT(MergeWhenClause, values)),
    SHAPE(CopyStmt, 4, AT(CopyStmt, relation), AT(CopyStmt, query), AT(CopyStmt, options),
          AT(CopyStmt, whereClause)),
    SHAPE(DefElem, 1, AT(DefElem, arg)),
    SHAPE(PrepareStmt, 2, AT(PrepareStmt, argtypes), AT(PrepareStmt, query)),
    SHAPE(ExecuteStmt, 1, AT(ExecuteStmt, params)),
    SHAPE(DeclareCursorStmt, 1, AT(DeclareCursorStmt, query)),
    SHAPE(ExplainStmt, 2, AT(ExplainStmt, query), AT(ExplainStmt, options)),
    SHAPE(TransactionStmt, 1, AT(TransactionStmt, options)),
    SHAPE(VariableSetStmt, 1, AT(VariableSetStmt, args)),
    LEAF(VariableShowStmt),
    LEAF(DeallocateStmt),
    LEAF(DiscardStmt),
    LEAF(FetchStmt),
    LEAF(ClosePortalStmt),
    LEAF(ListenStmt),
    LEAF(UnlistenStmt),
    LEAF(NotifyStmt),
    SHAPE(TruncateStmt, 1, AT(TruncateStmt, relations)),
    SHAPE(LockStmt, 1, AT(LockStmt, relations)),
    SHAPE(ConstraintsSetStmt, 1, AT(ConstraintsSetStmt, constraints)),

    /* Of temporary tables. What hangs on a column's constraints is checked where they are judged. */
    SHAPE(CreateStmt, 6, AT(CreateStmt, relation), AT(CreateStmt, tableElts),
          AT(CreateStmt, inhRelations), AT(CreateStmt, ofTypename), AT(CreateStmt, constraints),
          AT(CreateStmt, options)),
    SHAPE(Constraint, 4, AT(Constraint, raw_expr), AT(Constraint, options),
          AT(Constraint, where_clause), AT(Constraint, pktable)),
    SHAPE(TableLikeClause, 1, AT(TableLikeClause, relation)),
    SHAPE(CreateTableAsStmt, 2, AT(CreateTableAsStmt, query), AT(CreateTableAsStmt, into)),
    SHAPE(IntoClause, 2, AT(IntoClause, rel), AT(IntoClause, options)),
    SHAPE(IndexStmt, 5, AT(IndexStmt, relation), AT(IndexStmt, indexParams),
          AT(IndexStmt, indexIncludingParams), AT(IndexStmt, options), AT(IndexStmt, whereClause)),
    SHAPE(AlterTableStmt, 2, AT(AlterTableStmt, relation), AT(AlterTableStmt, cmds)),
    SHAPE(AlterTableCmd, 1, AT(AlterTableCmd, def)),
    SHAPE(RenameStmt, 1, AT(RenameStmt, relation)),
    SHAPE(VacuumStmt, 2, AT(VacuumStmt, options), AT(VacuumStmt, rels)),
    SHAPE(VacuumRelation, 1, AT(VacuumRelation, relation)),
};

/* Tags are small numbers: a direct index, filled on first use by each thread. */
static const gh_shape *shape_of(NodeTag tag)
{
    static _Thread_local const gh_shape *index[T_ForeignKeyCacheInfo + 1];
    static _Thread_local bool is_filled;

    if (!is_filled) {
        for (size_t i = 0; i < GH_COUNT(s_shapes); i++)
            index[s_shapes[i].tag] = &s_shapes[i];
        is_filled = true;
    }
    return (size_t)tag < GH_COUNT(index) ? index[tag] : NULL;
}

bool gh_sql_children(struct Node *node, gh_sql_visit visit, void *arg)
{
    const gh_shape *shape = shape_of(nodeTag(node));

    if (shape == NULL)
        return false;
    visit_slots(node, shape->slots, shape->count, visit, arg);
    if (IsA(node, SelectStmt)) {
        SelectStmt *s = (SelectStmt *)node;
        visit_list(s->lockingClause, visit, arg);
        visit_value((Node **)&s->larg, visit, arg);
        visit_value((Node **)&s->rarg, visit, arg);
    }
    return true;
}

typedef struct gh_tree_check {
    unsigned depth;
    gh_rc rc;
    gh_err *err;
    uint64_t assigned; /* columns of rows that are assigned, each time they are met */
} gh_tree_check;

static void check_node(struct Node **slot, void *arg)
{
    gh_tree_check *c = arg;

    if (c->rc != GH_OK)
        return;
    if (c->depth >= GH_SQL_DEPTH_MAX) {
        c->rc = gh_fail(c->err, GH_LIMIT, "54001", "statement is nested deeper than %d",
                        GH_SQL_DEPTH_MAX);
        return;
    }
    /*
     * SECURITY: `SET (a, b, ...) = (1, 2, ...)` hangs the whole row below each of its columns, so every walk over the
     * tree takes the square of their number: 100 KB took ten seconds. Attack: tests/attack/limits.
     */
    if (*slot != NULL && nodeTag(*slot) == T_MultiAssignRef)
        c->assigned += (uint64_t)((const MultiAssignRef *)*slot)->ncolumns;
    if (c->assigned > GH_SQL_ASSIGNED_MAX) {
        c->rc = gh_fail(c->err, GH_LIMIT, "54001", "rows of too many columns are assigned");
        return;
    }
    c->depth++;
    if (!gh_sql_children(*slot, check_node, c) && c->rc == GH_OK) {
        c->rc = gh_fail(c->err, GH_DENIED, "42501",
                        "the statement uses a construct that is not allowed");
        gh_err_detail(c->err, "unknown node tag %d", (int)nodeTag(*slot));
    }
    c->depth--;
}

gh_rc gh_sql_check_tree(struct Node *node, gh_err *err)
{
    gh_tree_check c = { .rc = GH_OK, .err = err };

    check_node(&node, &c);
    return c.rc;
}
