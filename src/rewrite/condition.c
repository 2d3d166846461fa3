/*
 * Which conditions need no fence: those that PostgreSQL may run on a hidden row, since they fail for no value
 * and do nothing else. What is safe is decided by a short list of shapes over values that cannot fail
 * (value.c); everything that is not on it is unsafe.
 */
#include "fence.h"
#include "operand.h"
#include "overload.h"

#define COLLATION_C     950
#define COLLATION_POSIX 951
#define PATTERN_MAX     256 /* of a longer one nothing is known */

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

/* Letters, digits, `_`, `-`, `.`, anchors, brackets around them and bars between; `*`, `+` and `?` behind one of them. */
static bool is_plain_pattern(const char *s)
{
    size_t len = strlen(s);
    int depth = 0;
    bool is_atom = false; /* the byte before may be repeated */

    if (len > PATTERN_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        bool was_atom = is_atom;

        is_atom = false;
        if (s[i] == '(') {
            depth++;
        } else if (s[i] == ')') {
            is_atom = true;
            if (--depth < 0)
                return false;
        } else if (s[i] == '*' || s[i] == '+' || s[i] == '?') {
            if (!was_atom)
                return false;
        } else if ((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
                   (s[i] >= '0' && s[i] <= '9') || s[i] == '_' || s[i] == '-' || s[i] == '.') {
            is_atom = true;
        } else if (s[i] != '^' && s[i] != '$' && s[i] != '|') {
            return false;
        }
    }
    return depth == 0;
}

static bool is_pattern_operator(const List *name)
{
    static const char *const names[] = { "~", "!~", "~*", "!~*" };

    if (list_length(name) != 1 &&
        (list_length(name) != 2 || strcmp(strVal(linitial(name)), "pg_catalog") != 0))
        return false;
    for (size_t i = 0; i < GH_COUNT(names); i++) {
        if (strcmp(strVal(llast(name)), names[i]) == 0)
            return true;
    }
    return false;
}

/* psql writes COLLATE pg_catalog.default behind its patterns. */
static const Node *without_default_collation(const Node *n)
{
    const CollateClause *c = (const CollateClause *)n;

    if (n == NULL || !IsA(n, CollateClause) || list_length(c->collname) != 2 ||
        strcmp(strVal(linitial(c->collname)), "pg_catalog") != 0 ||
        strcmp(strVal(lsecond(c->collname)), "default") != 0)
        return n;
    return c->arg;
}

/*
 * A regular expression of plain words over a name, which has 63 bytes: of it a machine is made that any such text goes through.
 *
 * SECURITY: a text of 256 MB and more is too large for it, so other texts are not meant. Attack: tests/unit/rewrite,
 * patterns.
 */
static bool is_safe_match(gh_judge *j, const A_Expr *e)
{
    const Node *pattern = without_default_collation(e->rexpr);
    gh_operand left;

    if (e->kind != AEXPR_OP || e->lexpr == NULL || !is_pattern_operator(e->name) ||
        !gh_operand_is_string(pattern))
        return false;
    left = gh_value(j, e->lexpr);
    if (left.class != GH_CLASS_TEXT || left.type != GH_OID_NAME || left.is_cast ||
        !is_deterministic(left.collation) ||
        !is_plain_pattern(strVal(&((const A_Const *)pattern)->val)))
        return false;
    j->reads_literal = true; /* another may be no such pattern */
    return true;
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
        if (is_safe_match(j, (const A_Expr *)n))
            return true;
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

/* ---- joins by names ---------------------------------------------------------------------------- */

/* Of more columns of one name, or names of NATURAL, nothing is known, so that looking at them stays quick. */
#define JOINED_MAX  32
#define NATURAL_MAX 128

/* What an item's column of the name is; false: nobody knows. *is_there: has it one at all? */
static bool joined_column(gh_judge *j, const gh_item *item, const char *name, gh_operand *value,
                          bool *is_there)
{
    const gh_column *c;
    gh_oid type;

    *is_there = false;
    if (item->is_covered)
        return false;
    if (item->result != NULL) {
        for (int i = 0; i < item->result->output_count; i++) {
            const char *output = item->result->outputs[i].name;

            if (output == NULL || strcmp(output, name) != 0)
                continue;
            *value = item->result->outputs[i].value;
            *is_there = true;
        }
        return item->result->is_complete;
    }
    if (item->relation == NULL || item->is_renamed)
        return false;
    c = gh_relation_column(item->relation, gh_str_of(name));
    if (c == NULL || (item->decision != NULL && !item->keeps_hidden &&
                      item->decision->columns[c - item->relation->columns].show == GH_HIDDEN))
        return true;
    *is_there = true;
    /* Those of information_schema are domains. */
    type = item->decision == NULL ? gh_overload_base(j->in->catalog, c->type_oid) : c->type_oid;
    if (item->decision == NULL || gh_operand_of_column(j, item, c).class != GH_CLASS_NONE)
        *value = gh_operand_of_type(j, type, -1, c->collation);
    return true;
}

/*
 * The columns of this name of any two items compare without failing: of three, the second joins what the first two make.
 *
 * SECURITY: float USING integer USING numeric compares the first with the last. Attack: tests/unit/rewrite, joins_by_names.
 */
static bool is_safe_name(gh_judge *j, const char *name)
{
    gh_operand found[JOINED_MAX];
    size_t count = 0;
    ListCell *cell;

    foreach (cell, j->block->items) {
        gh_operand o = { .class = GH_CLASS_NONE };
        bool is_there;

        if (!joined_column(j, lfirst(cell), name, &o, &is_there))
            return false;
        if (!is_there)
            continue;
        for (size_t i = 0; i < count; i++) {
            if (!gh_operand_are_comparable(found[i], o))
                return false;
        }
        if (count == JOINED_MAX)
            return false;
        found[count++] = o;
    }
    return true;
}

/* How often the name is one of an item's. */
static bool is_shared(gh_judge *j, const char *name)
{
    int count = 0;
    ListCell *cell;

    foreach (cell, j->block->items) {
        gh_operand ignored;
        bool is_there;

        (void)joined_column(j, lfirst(cell), name, &ignored, &is_there);
        count += is_there;
    }
    return count > 1;
}

/* A table may have another column by now, which NATURAL joins by where a star would show it. */
static bool may_have_more(const gh_item *item)
{
    return item->relation != NULL && item->decision != NULL && item->decision->is_full &&
           item->decision->is_open;
}

/* Each name that two of the items share. */
static bool is_safe_natural(gh_judge *j)
{
    int names = 0;
    ListCell *cell;

    foreach (cell, j->block->items) {
        const gh_item *item = lfirst(cell);
        int count = item->result != NULL     ? item->result->output_count
                    : item->relation != NULL ? item->relation->column_count
                                             : 0;

        names += count;
        if ((item->result == NULL && item->relation == NULL) || may_have_more(item) ||
            names > NATURAL_MAX)
            return false;
        for (int i = 0; i < count; i++) {
            const char *name = item->result != NULL
                                   ? item->result->outputs[i].name
                                   : gh_judge_cstr(item->relation->columns[i].name);

            if (name == NULL || (is_shared(j, name) && !is_safe_name(j, name)))
                return false;
        }
    }
    return true;
}

/*
 * USING and NATURAL compare columns of one name: all of the block's items count, though a join has two sides alone.
 *
 * SECURITY: a relation of the catalogs is on one side like any other. A bigint that is compared with its oid is cast,
 * which fails for some of them. Attack: tests/unit/rewrite, joins_with_catalogs.
 */
bool gh_judge_is_safe_using(gh_judge *j, const JoinExpr *join)
{
    ListCell *cell;

    if (join->isNatural)
        return is_safe_natural(j);
    foreach (cell, join->usingClause) {
        if (!is_safe_name(j, strVal(lfirst(cell))))
            return false;
    }
    return true;
}
