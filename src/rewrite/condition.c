/*
 * Which conditions need no fence: those that PostgreSQL may run on a hidden row, since they fail for no value
 * and do nothing else. What is safe is decided by a short list of shapes over values that cannot fail
 * (value.c); everything that is not on it is unsafe.
 */
#include "operand.h"
#include "overload.h"

#define COLLATION_C     950
#define COLLATION_POSIX 951

bool gh_judge_is_comparison(const List *name)
{
    static const char *const names[] = { "=", "<>", "<", "<=", ">", ">=" };

    if (name == NIL) /* IN, of a sub-select */
        return true;
    if (list_length(name) != 1)
        return false;
    for (size_t i = 0; i < GH_COUNT(names); i++) {
        if (strcmp(strVal(linitial(name)), names[i]) == 0)
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

/* Of a type that its neighbours have no say in: PostgreSQL looks at it more than once. */
static bool has_own_type(gh_operand o)
{
    return o.class != GH_CLASS_NONE && o.class != GH_CLASS_CONST && o.class != GH_CLASS_PARAM;
}

static bool are_all_comparable(gh_judge *j, gh_operand left, const List *list)
{
    ListCell *cell;

    foreach (cell, list) {
        if (!gh_operand_are_comparable(left, gh_value(j, lfirst(cell))))
            return false;
    }
    return true;
}

/* What is converted when the statement is parsed or planned, and fails then or never. */
static bool is_parsed(const Node *n)
{
    return gh_operand_is_literal(n) ||
           (IsA(n, TypeCast) && gh_operand_is_literal((const Node *)((const TypeCast *)n)->arg));
}

/* What the items of an IN list are of. */
typedef struct gh_list_types {
    bool is_computed; /* one at least is not converted before there are rows */
    bool has_float;
    bool has_numeric;
    bool
        has_unknown; /* of a type that only the planner sees, which another item may have to become */
    bool mixes_times;
    bool mixes_collations;
    gh_oid time; /* of those that are points in time */
    gh_oid collation;
} gh_list_types;

static void note_type(gh_list_types *t, gh_operand o)
{
    t->has_float |= o.class == GH_CLASS_FLOAT;
    t->has_numeric |= o.class == GH_CLASS_NUMERIC;
    if (o.class == GH_CLASS_TIME_POINT) {
        t->mixes_times |= o.type == 0 || (t->time != 0 && t->time != o.type);
        t->time = o.type;
    }
    if (o.collation != 0) {
        t->mixes_collations |= t->collation != 0 && t->collation != o.collation;
        t->collation = o.collation;
    }
}

/*
 * SECURITY: IN makes one array of what holds no column of the query's own tables, outer columns among it, and first
 * takes all to one type: `i.id IN (o.rate, 1.5::float8)` fails for a rate of 1e400, though each may be compared
 * with an id. Attack: tests/unit/rewrite, sub_selects; tests/differential/early.
 */
static bool is_safe_list(gh_judge *j, gh_operand left, const List *list)
{
    gh_list_types t = { 0 };
    ListCell *cell;

    note_type(&t,
              (gh_operand){ .class = left.class == GH_CLASS_TIME_POINT ? left.class : GH_CLASS_NONE,
                            .type = left.type,
                            .collation = left.collation });
    foreach (cell, list) {
        const Node *n = lfirst(cell);
        gh_operand o = gh_value(j, n);

        if (!gh_operand_are_comparable(left, o))
            return false;
        note_type(&t, o);
        t.has_unknown |= IsA(n, SQLValueFunction) || o.class == GH_CLASS_PARAM;
        t.is_computed |= !is_parsed(n) && !IsA(n, SQLValueFunction) && o.class != GH_CLASS_CONST;
    }
    if (!t.is_computed)
        return true;
    return !(t.has_numeric && (t.has_float || t.has_unknown)) && !t.mixes_times &&
           !(t.time != 0 && t.has_unknown) && !t.mixes_collations;
}

static bool is_safe_a_expr(gh_judge *j, const A_Expr *e)
{
    gh_operand left;

    switch (e->kind) {
    case AEXPR_OP:
    case AEXPR_DISTINCT:
    case AEXPR_NOT_DISTINCT:
        return gh_judge_is_comparison(e->name) && e->lexpr != NULL &&
               gh_operand_are_comparable(gh_value(j, e->lexpr), gh_value(j, e->rexpr));
    case AEXPR_OP_ANY:
    case AEXPR_OP_ALL:
        left = gh_value(j, e->lexpr);
        return gh_judge_is_comparison(e->name) && has_own_type(left) &&
               gh_operand_are_comparable(left, gh_operand_elements(j, e->rexpr));
    case AEXPR_IN:
        left = gh_value(j, e->lexpr);
        return has_own_type(left) && is_safe_list(j, left, (const List *)e->rexpr);
    case AEXPR_BETWEEN:
    case AEXPR_NOT_BETWEEN:
        left = gh_value(j, e->lexpr);
        return has_own_type(left) && are_all_comparable(j, left, (const List *)e->rexpr);
    case AEXPR_LIKE:
        left = gh_value(j, e->lexpr);
        return left.class == GH_CLASS_TEXT && is_deterministic(left.collation) &&
               gh_judge_is_safe_pattern(e->rexpr);
    case AEXPR_ILIKE:
    case AEXPR_NULLIF:
    case AEXPR_SIMILAR:
    case AEXPR_BETWEEN_SYM:
    case AEXPR_NOT_BETWEEN_SYM:
    default:
        return false;
    }
}

static bool are_safe(gh_judge *j, const List *list)
{
    ListCell *cell;

    foreach (cell, list) {
        if (!gh_judge_is_safe(j, lfirst(cell)))
            return false;
    }
    return true;
}

static bool is_safe(gh_judge *j, const Node *n, bool is_condition);

/* Of a column that is stored nobody need know the type. */
static bool is_safe_null_test(gh_judge *j, const Node *arg)
{
    gh_item *item = NULL;

    return (IsA(arg, ColumnRef) && gh_operand_clear(j, (const ColumnRef *)arg, &item) != NULL) ||
           is_safe(j, arg, false);
}

/* SECURITY: a text is a condition by a cast that somebody made alone, which fails for some. Attack: tests/attack
 * code-behind-names. */
static bool is_truth(gh_operand o)
{
    return o.class != GH_CLASS_NONE && !o.is_cast;
}

static bool is_safe(gh_judge *j, const Node *n, bool is_condition)
{
    gh_operand o;

    if (n == NULL)
        return true;
    switch (nodeTag(n)) {
    case T_A_Const:
    case T_ParamRef:
        return true;
    case T_BoolExpr:
        return are_safe(j, ((const BoolExpr *)n)->args);
    case T_NullTest:
        return is_safe_null_test(j, (const Node *)((const NullTest *)n)->arg);
    case T_BooleanTest:
        return gh_judge_is_safe(j, (const Node *)((const BooleanTest *)n)->arg);
    case T_A_Expr: /* each part is looked at once: conditions and values nest in each other */
        if (((const A_Expr *)n)->kind == AEXPR_OP &&
            !gh_judge_is_comparison(((const A_Expr *)n)->name))
            break;
        return is_safe_a_expr(j, (const A_Expr *)n);
    case T_SubLink:
        if (((const SubLink *)n)->subLinkType == EXPR_SUBLINK)
            break;
        return gh_query_is_safe(j, (const SubLink *)n);
    default:
        break;
    }
    o = gh_value(j, n);
    return is_condition ? is_truth(o) : o.class != GH_CLASS_NONE;
}

bool gh_judge_is_safe(gh_judge *j, const Node *n)
{
    return is_safe(j, n, true);
}

/*
 * USING and NATURAL compare columns of one name; only plain relations' types are known.
 *
 * SECURITY: a relation of the catalogs is on one side like any other. A bigint that is compared with its oid is cast,
 * which fails for some of them. Attack: tests/unit/rewrite, joins_with_catalogs.
 */
bool gh_judge_is_safe_using(gh_judge *j, const JoinExpr *join)
{
    ListCell *cell;
    ListCell *inner;

    if (join->isNatural)
        return false;
    foreach (cell, join->usingClause) {
        gh_operand first = { .class = GH_CLASS_CONST };

        foreach (inner, j->block->items) {
            const gh_item *item = lfirst(inner);
            const gh_column *c;
            gh_oid type;
            gh_operand o;

            if (item->relation == NULL || item->is_renamed)
                return false;
            c = gh_relation_column(item->relation, gh_str_of(strVal(lfirst(cell))));
            if (c == NULL)
                continue;
            if (item->decision != NULL &&
                (item->decision->columns[c - item->relation->columns].show != GH_CLEAR ||
                 !gh_operand_is_stored(item, c)))
                return false;
            /* Those of information_schema are domains. */
            type = item->decision == NULL ? gh_overload_base(j->in->catalog, c->type_oid)
                                          : c->type_oid;
            o = gh_operand_of_type(j, type, -1, c->collation);
            if (!gh_operand_are_comparable(first, o))
                return false;
            first = o;
        }
    }
    return true;
}
