/*
 * The fence, on demand. PostgreSQL may run a condition of the client's on a row before the row
 * filter did; a condition that can fail, or print a value, would tell of hidden rows. So:
 *
 *  - A statement whose every condition is safe (cannot fail on any input, has no side effect) needs
 * no fence: the planner may order safe conditions and row filters as it likes.
 *  - Any other gets the fence (OFFSET 0) around every governed relation, and the safe conjuncts
 * over a relation are copied inside, so that its indexes still serve; the originals stay where they
 * are.
 *
 * What is safe is decided by a short list of shapes over columns in clear of known types;
 * everything that is not on it is unsafe. Target lists of sub-selects count as conditions, since a
 * condition of the outer query on such a column is a condition on the expression.
 *
 * Copies are made of strict conjuncts alone: a copy of IS NULL under an outer join would make rows
 * appear that the join then extends with NULLs. A parameter is copied only where it stands once in
 * the text, since its first use would otherwise decide its type.
 */
#include "judge.h"

/* ---- types ----------------------------------------------------------------------------------- */

#define COLLATION_DEFAULT 100
#define COLLATION_C       950
#define COLLATION_POSIX   951
#define TYPE_NAME         19
#define TYPE_BIGINT       20
#define TYPE_TIMETZ       1266

typedef enum gh_type_class {
    CLASS_NONE = 0, /* not known to be safe */
    CLASS_BOOL,
    CLASS_INTEGER,
    CLASS_NUMERIC,
    CLASS_FLOAT,
    CLASS_TEXT,
    CLASS_TIME_POINT,
    CLASS_TIME,
    CLASS_INTERVAL,
    CLASS_UUID,
    CLASS_BYTEA,
    CLASS_OID,
    CLASS_CHAR,
    CLASS_CONST, /* a literal, or a parameter that stands once: takes the type of what it is
                    compared with */
    CLASS_PARAM, /* a parameter whose type another place may have decided */
    CLASS_ENUM   /* + the type's own OID */
} gh_type_class;

typedef struct gh_operand {
    gh_type_class class;
    gh_oid type;
    gh_oid collation; /* 0: none, or the default */
} gh_operand;

static const gh_operand s_none = { CLASS_NONE, 0, 0 };

static gh_operand operand_of_type(const gh_judge *j, gh_oid oid, gh_oid collation)
{
    static const struct {
        gh_oid oid;
        gh_type_class class;
    } known[] = {
        { 16, CLASS_BOOL },         { TYPE_BIGINT, CLASS_INTEGER },
        { 21, CLASS_INTEGER },      { 23, CLASS_INTEGER },
        { 1700, CLASS_NUMERIC },    { 700, CLASS_FLOAT },
        { 701, CLASS_FLOAT },       { 25, CLASS_TEXT },
        { 1043, CLASS_TEXT },       { 1042, CLASS_TEXT },
        { TYPE_NAME, CLASS_TEXT },  { 1082, CLASS_TIME_POINT },
        { 1114, CLASS_TIME_POINT }, { GH_OID_TIMESTAMPTZ, CLASS_TIME_POINT },
        { 1083, CLASS_TIME },       { TYPE_TIMETZ, CLASS_TIME },
        { 1186, CLASS_INTERVAL },   { 2950, CLASS_UUID },
        { 17, CLASS_BYTEA },        { 26, CLASS_OID },
        { 2205, CLASS_OID },        { 18, CLASS_CHAR },
    };
    const gh_type *t;

    if (collation == COLLATION_DEFAULT)
        collation = 0;
    for (size_t i = 0; i < GH_COUNT(known); i++) {
        if (known[i].oid == oid)
            return (gh_operand){ known[i].class, oid, collation };
    }
    t = gh_catalog_type_by_oid(j->in->catalog, oid);
    if (t != NULL && t->kind == 'e')
        return (gh_operand){ CLASS_ENUM, oid, 0 };
    return s_none;
}

/*
 * A parameter of a type that nobody sees from here. SECURITY: the column may be the side that is
 * cast (numeric to float8, bigint to oid), which fails on some of its values. Attack:
 * tests/differential/interference.
 */
static bool is_param_comparable(gh_operand o)
{
    return o.class != CLASS_NUMERIC && o.class != CLASS_FLOAT && o.class != CLASS_OID &&
           o.type != TYPE_BIGINT;
}

/* Comparing the two cannot fail, implicit casts included. */
static bool are_comparable(gh_operand a, gh_operand b)
{
    if (a.class == CLASS_NONE || b.class == CLASS_NONE)
        return false;
    if (a.class == CLASS_PARAM)
        return is_param_comparable(b);
    if (b.class == CLASS_PARAM)
        return is_param_comparable(a);
    if (a.class == CLASS_CONST || b.class == CLASS_CONST)
        return true;
    if (a.class == CLASS_ENUM || b.class == CLASS_ENUM)
        return a.class == b.class && a.type == b.type;
    /* SECURITY: two collations of one weight are an error, raised when a row is compared. Attack:
     * tests/differential/interference. */
    if (a.collation != 0 && b.collation != 0 && a.collation != b.collation)
        return false;
    if (a.class == b.class)
        return true;
    return (a.class == CLASS_INTEGER && (b.class == CLASS_NUMERIC || b.class == CLASS_FLOAT)) ||
           (b.class == CLASS_INTEGER && (a.class == CLASS_NUMERIC || a.class == CLASS_FLOAT));
}

/* ---- columns --------------------------------------------------------------------------------- */

const gh_column *gh_judge_bind(gh_judge *j, const ColumnRef *ref, gh_item **item)
{
    const char *column;
    gh_block *b;

    if (list_length(ref->fields) > 2 || !IsA(llast(ref->fields), String))
        return NULL;
    column = strVal(llast(ref->fields));
    if (list_length(ref->fields) == 2) {
        *item = gh_judge_find_item(j, strVal(linitial(ref->fields)), NULL);
        if (*item == NULL || (*item)->relation == NULL || (*item)->is_renamed)
            return NULL;
        return gh_relation_column((*item)->relation, gh_str_of(column));
    }
    for (b = j->block; b != NULL; b = b->outer) {
        const gh_column *found = NULL;
        ListCell *cell;

        foreach (cell, b->items) {
            gh_item *i = lfirst(cell);
            const gh_column *c;

            if (i->relation == NULL || i->is_renamed)
                return NULL;
            c = gh_relation_column(i->relation, gh_str_of(column));
            if (c == NULL || (i->decision != NULL && !i->keeps_hidden &&
                              i->decision->columns[c - i->relation->columns].show == GH_HIDDEN))
                continue;
            if (found != NULL)
                return NULL; /* ambiguous, or merged by USING */
            found = c;
            *item = i;
        }
        if (found != NULL)
            return found;
    }
    return NULL;
}

/*
 * SECURITY: a view's column may be an expression, which a condition on it would evaluate before the view's own
 * conditions and joins; so may a virtual generated column. Attack: tests/attack views.
 */
static bool is_stored(const gh_item *item, const gh_column *c)
{
    bool is_computed =
        item->is_computed != NULL ? item->is_computed[c - item->relation->columns] : c->is_computed;

    return !is_computed && c->generated != 'v';
}

/* A column whose cells show as they are: nothing but the stored value is evaluated. */
static const gh_column *bind_clear(gh_judge *j, const ColumnRef *ref, gh_item **item)
{
    const gh_column *c = gh_judge_bind(j, ref, item);

    if (c == NULL || !is_stored(*item, c))
        return NULL;
    if ((*item)->system != NULL)
        return gh_system_is_plain((*item)->system, (*item)->relation, c) ? c : NULL;
    if ((*item)->decision == NULL)
        return NULL;
    switch ((*item)->decision->columns[c - (*item)->relation->columns].show) {
    case GH_CLEAR:
        return c;
    case GH_HIDDEN: /* found, so it is NULL */
        return (*item)->keeps_hidden ? c : NULL;
    case GH_MASKED:
    case GH_BY_CELL:
        break;
    }
    return NULL;
}

/* ---- what is safe ---------------------------------------------------------------------------- */

/* The type that a cast names; 0 where it is none of pg_catalog's plain ones. */
static gh_oid cast_type(const gh_judge *j, const TypeCast *c)
{
    const TypeName *n = c->typeName;
    const gh_type *t;

    if (list_length(n->names) != 2 || n->arrayBounds != NIL || n->setof ||
        strcmp(strVal(linitial(n->names)), "pg_catalog") != 0)
        return 0;
    t = gh_catalog_type(j->in->catalog, GH_STR("pg_catalog"), gh_str_of(strVal(lsecond(n->names))));
    return t != NULL ? t->oid : 0;
}

static bool is_literal(const Node *n)
{
    return n != NULL && IsA(n, A_Const);
}

static bool is_string(const Node *n)
{
    return is_literal(n) && !((const A_Const *)n)->isnull &&
           IsA(&((const A_Const *)n)->val, String);
}

static unsigned param_uses(const gh_judge *j, const ParamRef *p)
{
    return p->number >= 1 && (size_t)p->number <= GH_COUNT(j->param_uses)
               ? j->param_uses[p->number - 1]
               : 2; /* nobody counted: it may stand elsewhere */
}

/* What Parse declared; 0: the statement decides. */
static gh_oid param_type(const gh_judge *j, const ParamRef *p)
{
    gh_oid declared = p->number >= 1 && (size_t)p->number <= j->in->param_count
                          ? j->in->param_types[p->number - 1]
                          : 0;

    return declared == 705 ? 0 : declared; /* `unknown` */
}

static gh_operand param_operand(const gh_judge *j, const ParamRef *p)
{
    gh_oid declared = param_type(j, p);

    if (declared != 0)
        return operand_of_type(j, declared, declared == TYPE_NAME ? COLLATION_C : 0);
    return (gh_operand){ param_uses(j, p) == 1 ? CLASS_CONST : CLASS_PARAM, 0, 0 };
}

/*
 * SECURITY: what the planner does not fold is evaluated for each row, hidden ones included, and
 * tells by its error that there are rows: a stable cast ('x'::text::timestamptz), a cast or sum of
 * a parameter under a generic plan. So a cast stands over a literal, which the parser itself
 * converts, or gives a parameter its type. Attack: tests/differential/interference.
 */
static gh_operand cast_operand(const gh_judge *j, const TypeCast *c)
{
    gh_oid type = cast_type(j, c);
    gh_operand o = operand_of_type(j, type, type == TYPE_NAME ? COLLATION_C : 0);

    if (is_string(c->arg))
        return o;
    if (is_literal(c->arg))
        return o.class == CLASS_INTEGER || o.class == CLASS_NUMERIC || o.class == CLASS_FLOAT ||
                       o.class == CLASS_BOOL || o.class == CLASS_TEXT
                   ? o
                   : s_none;
    if (IsA(c->arg, ParamRef) && c->typeName->typmods == NIL) {
        gh_oid declared = param_type(j, (const ParamRef *)c->arg);

        if (declared == type || (declared == 0 && param_uses(j, (const ParamRef *)c->arg) == 1))
            return o;
    }
    return s_none;
}

/* A sum or difference of literals, which is folded when planned: an error there depends on no row. */
static gh_operand folded_operand(const gh_judge *j, const Node *n)
{
    const A_Expr *e = (const A_Expr *)n;
    gh_operand left = { CLASS_CONST, 0, 0 };
    gh_operand right;

    if (is_literal(n))
        return left;
    if (n != NULL && IsA(n, TypeCast) && is_literal(((const TypeCast *)n)->arg)) {
        right = cast_operand(j, (const TypeCast *)n);
        return right.type == GH_OID_TIMESTAMPTZ || right.type == TYPE_TIMETZ ||
                       right.class == CLASS_OID
                   ? s_none
                   : right;
    }
    if (n == NULL || !IsA(n, A_Expr) || e->kind != AEXPR_OP || list_length(e->name) != 1 ||
        (strcmp(strVal(linitial(e->name)), "+") != 0 &&
         strcmp(strVal(linitial(e->name)), "-") != 0))
        return s_none;
    if (e->lexpr != NULL)
        left = folded_operand(j, e->lexpr);
    right = folded_operand(j, e->rexpr);
    if (left.class == CLASS_NONE || right.class == CLASS_NONE)
        return s_none;
    if (left.class == CLASS_TIME_POINT || right.class == CLASS_TIME_POINT)
        return left.class == CLASS_TIME_POINT ? left : right;
    if (left.class == CLASS_FLOAT || right.class == CLASS_FLOAT)
        return left.class == CLASS_FLOAT ? left : right;
    return left.class == CLASS_CONST ? right : left;
}

/* The class of a value that is the same for every row and fails on none; else CLASS_NONE. */
static gh_operand constant(const gh_judge *j, const Node *n)
{
    if (n == NULL)
        return s_none;
    switch (nodeTag(n)) {
    case T_A_Const:
        return (gh_operand){ CLASS_CONST, 0, 0 };
    case T_SQLValueFunction: /* what is left of them are dates and times */
        return (gh_operand){ CLASS_CONST, 0, 0 };
    case T_ParamRef:
        return param_operand(j, (const ParamRef *)n);
    case T_TypeCast:
        return cast_operand(j, (const TypeCast *)n);
    case T_A_Expr:
        return folded_operand(j, n);
    default:
        return s_none;
    }
}

static bool is_constant(const gh_judge *j, const Node *n)
{
    return constant(j, n).class != CLASS_NONE;
}

/* The elements of an array that `= ANY` looks through. */
static gh_operand constant_elements(const gh_judge *j, const Node *n)
{
    const TypeCast *c = (const TypeCast *)n;
    TypeCast element;
    TypeName name;

    if (is_literal(n))
        return (gh_operand){ CLASS_CONST, 0, 0 };
    if (n != NULL && IsA(n, ParamRef))
        return (gh_operand){ param_type(j, (const ParamRef *)n) == 0 &&
                                     param_uses(j, (const ParamRef *)n) == 1
                                 ? CLASS_CONST
                                 : CLASS_PARAM,
                             0, 0 };
    if (n == NULL || !IsA(n, TypeCast) || list_length(c->typeName->arrayBounds) != 1)
        return s_none;
    element = *c;
    name = *c->typeName;
    name.arrayBounds = NIL;
    element.typeName = &name;
    return cast_operand(j, &element);
}

/* The class of a plain operand; CLASS_NONE where it is anything else. */
static gh_operand operand(gh_judge *j, const Node *n, gh_item **item)
{
    const gh_column *c;

    if (n == NULL || !IsA(n, ColumnRef))
        return constant(j, n);
    c = bind_clear(j, (const ColumnRef *)n, item);
    return c == NULL ? s_none : operand_of_type(j, c->type_oid, c->collation);
}

static bool is_comparison(const A_Expr *e)
{
    static const char *const names[] = { "=", "<>", "<", "<=", ">", ">=" };

    if (list_length(e->name) != 1)
        return false;
    for (size_t i = 0; i < GH_COUNT(names); i++) {
        if (strcmp(strVal(linitial(e->name)), names[i]) == 0)
            return true;
    }
    return false;
}

/*
 * SECURITY: LIKE raises an error for a pattern that ends in its escape character, and only on rows
 * that match up to there. Attack: tests/attack predicates.
 */
bool gh_judge_is_safe_pattern(const Node *n)
{
    const A_Const *c = (const A_Const *)n;
    const char *s;
    size_t len;

    if (n == NULL || !IsA(n, A_Const) || c->isnull || !IsA(&c->val, String))
        return false;
    s = strVal(&c->val);
    len = strlen(s);
    return len == 0 || s[len - 1] != '\\';
}

/* LIKE fails over a nondeterministic collation; of one that somebody made nobody knows here. */
static bool is_deterministic(gh_oid collation)
{
    return collation == 0 || collation == COLLATION_C || collation == COLLATION_POSIX;
}

static bool is_safe_a_expr(gh_judge *j, const A_Expr *e, gh_item **item)
{
    gh_operand left = operand(j, e->lexpr, item);
    gh_item *other = NULL;
    ListCell *cell;

    switch (e->kind) {
    case AEXPR_OP:
    case AEXPR_DISTINCT:
    case AEXPR_NOT_DISTINCT:
        if (!is_comparison(e) || e->lexpr == NULL)
            return false;
        if (!IsA(e->lexpr, ColumnRef))
            return are_comparable(left, operand(j, e->rexpr, item));
        return are_comparable(left, operand(j, e->rexpr, &other));
    case AEXPR_OP_ANY:
    case AEXPR_OP_ALL:
        return is_comparison(e) && IsA(e->lexpr, ColumnRef) &&
               are_comparable(left, constant_elements(j, e->rexpr));
    case AEXPR_IN:
    case AEXPR_BETWEEN:
    case AEXPR_NOT_BETWEEN:
        if (left.class == CLASS_NONE || !IsA(e->lexpr, ColumnRef))
            return false;
        foreach (cell, (List *)e->rexpr) {
            if (!are_comparable(left, operand(j, lfirst(cell), &other)))
                return false;
        }
        return true;
    case AEXPR_LIKE:
        return left.class == CLASS_TEXT && IsA(e->lexpr, ColumnRef) &&
               is_deterministic(left.collation) && gh_judge_is_safe_pattern(e->rexpr);
    case AEXPR_ILIKE:
    case AEXPR_NULLIF:
    case AEXPR_SIMILAR:
    case AEXPR_BETWEEN_SYM:
    case AEXPR_NOT_BETWEEN_SYM:
    default:
        return false;
    }
}

static bool is_safe(gh_judge *j, const Node *n);

static bool are_safe(gh_judge *j, const List *list)
{
    ListCell *cell;

    foreach (cell, list) {
        if (!is_safe(j, lfirst(cell)))
            return false;
    }
    return true;
}

/* A condition that cannot fail on any row and does nothing else. */
static bool is_safe(gh_judge *j, const Node *n)
{
    gh_item *item = NULL;

    if (n == NULL)
        return true;
    switch (nodeTag(n)) {
    case T_A_Const:
    case T_ParamRef:
        return true;
    case T_ColumnRef:
        return operand(j, n, &item).class != CLASS_NONE;
    case T_BoolExpr:
        return are_safe(j, ((const BoolExpr *)n)->args);
    case T_NullTest: {
        const Node *arg = (const Node *)((const NullTest *)n)->arg;
        return IsA(arg, ColumnRef) ? bind_clear(j, (const ColumnRef *)arg, &item) != NULL
                                   : is_safe(j, arg);
    }
    case T_BooleanTest:
        return is_safe(j, (const Node *)((const BooleanTest *)n)->arg);
    case T_A_Expr:
        return is_safe_a_expr(j, (const A_Expr *)n, &item);
    case T_SubLink: /* its own conditions are judged in its own block */
        return gh_judge_is_safe_exists((const SubLink *)n);
    default:
        return is_constant(j, n);
    }
}

/* ---- copies ---------------------------------------------------------------------------------- */

/* SQL of a constant operand, or NULL where it may not be copied. */
static char *constant_sql(gh_judge *j, const Node *n)
{
    if (IsA(n, ParamRef))
        return param_uses(j, (const ParamRef *)n) == 1
                   ? gh_judge_printf("$%d", ((const ParamRef *)n)->number)
                   : NULL;
    if (IsA(n, A_Const)) {
        const A_Const *c = (const A_Const *)n;
        if (c->isnull)
            return NULL;
        if (IsA(&c->val, Integer))
            return gh_judge_printf("%d", intVal(&c->val));
        if (IsA(&c->val, Float))
            return pstrdup(c->val.fval.fval);
        if (IsA(&c->val, String))
            return gh_judge_literal(j, gh_str_of(strVal(&c->val)));
        return NULL;
    }
    if (IsA(n, TypeCast)) {
        const TypeCast *c = (const TypeCast *)n;
        char *arg = IsA(c->arg, A_Const) ? constant_sql(j, c->arg) : NULL;

        if (arg == NULL || c->typeName->typmods != NIL || c->typeName->arrayBounds != NIL)
            return NULL;
        return gh_judge_printf("CAST(%s AS \"pg_catalog\".%s)", arg,
                               gh_judge_ident(j, gh_str_of(strVal(llast(c->typeName->names)))));
    }
    return NULL;
}

/* The column where the copy will stand: in the sub-select, or in the condition of a write. */
static char *inner_column(gh_judge *j, const gh_item *item, const Node *n)
{
    return gh_judge_printf(
        "%s.%s", item->inner,
        gh_judge_ident(j, gh_str_of(strVal(llast(((const ColumnRef *)n)->fields)))));
}

/* In two passes: an IN list may hold a hundred thousand items. */
static char *list_sql(gh_judge *j, const List *list, const char *glue)
{
    const char **items = palloc((size_t)list_length(list) * sizeof(*items));
    size_t glue_len = strlen(glue);
    size_t len = 1;
    char *out;
    char *end;
    ListCell *cell;

    foreach (cell, list) {
        int i = foreach_current_index(cell);

        items[i] = constant_sql(j, lfirst(cell));
        if (items[i] == NULL)
            return NULL;
        len += strlen(items[i]) + glue_len;
    }
    out = palloc(len);
    end = out;
    for (int i = 0; i < list_length(list); i++) {
        if (i > 0)
            end = stpcpy(end, glue);
        end = stpcpy(end, items[i]);
    }
    *end = '\0';
    return out;
}

/* The copy of a strict comparison of one column with constants; NULL: there is none to make. */
static char *copy_of(gh_judge *j, const gh_item *item, const A_Expr *e)
{
    const Node *column = e->lexpr;
    const Node *other = e->rexpr;
    char *value;

    switch (e->kind) {
    case AEXPR_OP:
        if (IsA(column, ColumnRef) && is_constant(j, other)) {
            value = constant_sql(j, other);
            return value == NULL ? NULL
                                 : gh_judge_printf("%s %s %s", inner_column(j, item, column),
                                                   strVal(linitial(e->name)), value);
        }
        if (is_constant(j, column) && IsA(other, ColumnRef)) {
            value = constant_sql(j, column);
            return value == NULL ? NULL
                                 : gh_judge_printf("%s %s %s", value, strVal(linitial(e->name)),
                                                   inner_column(j, item, other));
        }
        return NULL;
    case AEXPR_IN:
        value = list_sql(j, (const List *)other, ", ");
        return value == NULL
                   ? NULL
                   : gh_judge_printf("%s %s (%s)", inner_column(j, item, column),
                                     strcmp(strVal(linitial(e->name)), "=") == 0 ? "IN" : "NOT IN",
                                     value);
    case AEXPR_BETWEEN:
        value = list_sql(j, (const List *)other, " AND ");
        return value == NULL
                   ? NULL
                   : gh_judge_printf("%s BETWEEN %s", inner_column(j, item, column), value);
    case AEXPR_OP_ANY:
        if (!IsA(other, ParamRef))
            return NULL;
        value = constant_sql(j, other);
        return value == NULL ? NULL
                             : gh_judge_printf("%s %s ANY (%s)", inner_column(j, item, column),
                                               strVal(linitial(e->name)), value);
    case AEXPR_LIKE:
        return gh_judge_printf("%s %s %s", inner_column(j, item, column),
                               strcmp(strVal(linitial(e->name)), "~~") == 0 ? "LIKE" : "NOT LIKE",
                               constant_sql(j, other));
    case AEXPR_OP_ALL:
    case AEXPR_DISTINCT:
    case AEXPR_NOT_DISTINCT:
    case AEXPR_NOT_BETWEEN:
    case AEXPR_ILIKE:
    case AEXPR_NULLIF:
    case AEXPR_SIMILAR:
    case AEXPR_BETWEEN_SYM:
    case AEXPR_NOT_BETWEEN_SYM:
    default:
        return NULL;
    }
}

static void copy_conjunct(gh_judge *j, const Node *n)
{
    gh_item *item = NULL;
    char *sql;

    if (n == NULL)
        return;
    if (IsA(n, BoolExpr) && ((const BoolExpr *)n)->boolop == AND_EXPR) {
        ListCell *cell;

        foreach (cell, ((const BoolExpr *)n)->args)
            copy_conjunct(j, lfirst(cell));
        return;
    }
    if (!IsA(n, A_Expr) || !is_safe_a_expr(j, (const A_Expr *)n, &item) || item == NULL ||
        item->block != j->block)
        return;
    sql = copy_of(j, item, (const A_Expr *)n);
    if (sql != NULL)
        item->pushed = lappend(item->pushed, sql);
}

/* ---- the block ------------------------------------------------------------------------------- */

/* USING and NATURAL compare columns of one name; only plain relations' types are known. */
static bool is_safe_using(gh_judge *j, const JoinExpr *join)
{
    ListCell *cell;
    ListCell *inner;

    if (join->isNatural)
        return false;
    foreach (cell, join->usingClause) {
        gh_operand first = { CLASS_CONST, 0, 0 };

        foreach (inner, j->block->items) {
            const gh_item *item = lfirst(inner);
            const gh_column *c;
            gh_operand o;

            if (item->relation == NULL || item->is_renamed)
                return false;
            c = gh_relation_column(item->relation, gh_str_of(strVal(lfirst(cell))));
            if (c == NULL || item->decision == NULL)
                continue;
            if (item->decision->columns[c - item->relation->columns].show != GH_CLEAR ||
                !is_stored(item, c))
                return false;
            o = operand_of_type(j, c->type_oid, c->collation);
            if (!are_comparable(first, o))
                return false;
            first = o;
        }
    }
    return true;
}

static bool is_safe_from(gh_judge *j, const Node *n)
{
    const JoinExpr *join = (const JoinExpr *)n;

    if (n == NULL || !IsA(n, JoinExpr))
        return true;
    return is_safe_from(j, join->larg) && is_safe_from(j, join->rarg) && is_safe_using(j, join) &&
           is_safe(j, join->quals);
}

/* A value that the parser made: of whatever type. */
static bool is_parsed_value(const Node *n)
{
    return is_literal(n) || (IsA(n, TypeCast) && is_string(((const TypeCast *)n)->arg));
}

static bool is_plain_output(gh_judge *j, const List *targets)
{
    ListCell *cell;

    foreach (cell, targets) {
        const ResTarget *t = lfirst(cell);
        gh_item *item = NULL;

        if (IsA(t->val, ColumnRef) && IsA(llast(((const ColumnRef *)t->val)->fields), A_Star)) {
            if (j->block->is_tested)
                continue;
            return false; /* may hold masked columns */
        }
        if (!is_parsed_value(t->val) && operand(j, t->val, &item).class == CLASS_NONE &&
            !gh_judge_is_aggregated(j, t->val))
            return false;
    }
    return true;
}

/* Of a view that is expanded: a condition on a column that is no plain one is one on what computes it. */
static void note_computed(gh_judge *j, const List *targets)
{
    for (int i = 0; i < list_length(targets) && i < j->column_count; i++) {
        const Node *value = list_nth_node(ResTarget, targets, i)->val;
        bool is_column = IsA(value, ColumnRef);
        gh_item *item = NULL;

        if (is_column && IsA(llast(((const ColumnRef *)value)->fields), A_Star))
            return; /* from here on no position is certain */
        j->is_computed[i] = !is_parsed_value(value) &&
                            (!is_column || bind_clear(j, (const ColumnRef *)value, &item) == NULL);
    }
}

bool gh_judge_is_safe(gh_judge *j, const Node *condition)
{
    return is_safe(j, condition);
}

void gh_judge_push_write(gh_judge *j, const List *from, const Node *where)
{
    ListCell *cell;

    copy_conjunct(j, where);
    if (!is_safe(j, where))
        j->is_unsafe = true;
    foreach (cell, from) {
        gh_judge_note_early(j, lfirst(cell));
        if (!is_safe_from(j, lfirst(cell)))
            j->is_unsafe = true;
    }
}

void gh_judge_push(gh_judge *j, SelectStmt *s)
{
    ListCell *cell;

    gh_judge_push_write(j, s->fromClause, s->whereClause);
    foreach (cell, s->valuesLists)
        gh_judge_note_early_row(j, lfirst(cell));
    if (!gh_judge_is_safe_grouping(j, s))
        j->is_unsafe = true;
    if (j->view_block != NULL && j->block->outer == j->view_block)
        note_computed(j, s->targetList);
    else if (!j->block->is_output && !is_plain_output(j, s->targetList))
        j->is_unsafe = true;
}
