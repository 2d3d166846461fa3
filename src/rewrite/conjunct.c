/*
 * conjunct.c: of a WHERE behind CASE (flat.c), which conjuncts need to stand there, and where in the text they do.
 *
 *     WHERE o.id = 7 AND 1 / o.x > 0 AND o.y > 2
 *           └ apart    └ run of those that may fail: CASE WHEN <row condition> THEN (1 / o.x > 0) ELSE false END
 *                                    └ apart
 *
 * One that cannot fail meets hidden rows wherever no condition of the query may (condition.c), so it needs no CASE, in
 * which no index serves it and from which PostgreSQL learns nothing.
 *
 * The text is told apart by its words alone. If that were wrong, what is sent would not parse to the tree that was
 * judged, and be refused; where the words do not give as many conjuncts as the tree has, all of WHERE goes behind CASE.
 */
#include "fence.h"
#include "operand.h"
#include "overload.h"

static bool is_comparison_with_constant(const gh_judge *j, const A_Expr *e, const Node **column)
{
    if (!IsA(e, A_Expr) || e->kind != AEXPR_OP || strcmp(strVal(linitial(e->name)), "=") != 0)
        return false;
    *column = e->lexpr != NULL && IsA(e->lexpr, ColumnRef) ? e->lexpr : e->rexpr;
    return IsA(*column, ColumnRef) &&
           gh_operand_constant(j, *column == e->lexpr ? e->rexpr : e->lexpr).class != GH_CLASS_NONE;
}

static void find_query(Node **slot, void *arg)
{
    bool *has_query = arg;

    if (IsA(*slot, SubLink) || !gh_sql_children(*slot, find_query, arg))
        *has_query = true;
}

void gh_flat_note_conjunct(gh_judge *j, const Node *where, int index, bool is_safe)
{
    const List *args = ((const BoolExpr *)where)->args;
    Node *n = list_nth(args, index);
    const Node *column;
    bool has_query = false;

    if (j->block->is_apart == NULL)
        j->block->is_apart = palloc0((size_t)list_length(args) * sizeof(bool));
    if (is_safe) /* one with a sub-select would tell by its time */
        find_query(&n, &has_query);
    j->block->is_apart[index] = is_safe && !has_query;
    if (j->block->is_apart[index] && is_comparison_with_constant(j, (const A_Expr *)n, &column))
        j->block->keys = lappend(j->block->keys, llast(((const ColumnRef *)column)->fields));
}

/* ---- in the text ----------------------------------------------------------------------------- */

static bool is_self(const gh_judge *j, size_t i, char c)
{
    const gh_token *t = &j->text->tokens[i];

    return t->kind == GH_TOKEN_SELF && t->text[0] == c && t->text[1] == '\0';
}

/* Which words stand for what is between two ANDs. */
typedef struct gh_scan {
    int cases;        /* CASE without its END so far */
    bool has_between; /* the next AND is its */
} gh_scan;

/* Does this word stand between two conjuncts? */
static bool separates(const gh_judge *j, gh_scan *s, size_t i)
{
    const gh_token *t = &j->text->tokens[i];
    bool is_name = i > 0 && is_self(j, i - 1, '.');
    bool had_between = s->has_between;

    if (t->kind != GH_TOKEN_KEYWORD || is_name)
        return false;
    if (strcmp(t->text, "case") == 0)
        s->cases++;
    else if (strcmp(t->text, "end") == 0)
        s->cases--;
    else if (s->cases == 0 && strcmp(t->text, "between") == 0)
        s->has_between = true;
    else if (s->cases == 0 && strcmp(t->text, "and") == 0)
        s->has_between = false;
    else
        return false;
    return t->text[0] == 'a' && !had_between;
}

/* ORMs put brackets around all of it. */
static void strip_brackets(const gh_judge *j, size_t *first, size_t *end)
{
    while (*first < *end && is_self(j, *first, '(') &&
           gh_sql_token_closing(j->text, *first) == *end - 1) {
        ++*first;
        --*end;
    }
}

bool gh_flat_find_run(gh_judge *j, const gh_block *b, const List *args, size_t first, size_t end,
                      gh_flat_run *run)
{
    gh_scan scan = { 0 };
    int index = 0;
    size_t start;

    if (b->is_apart == NULL)
        return false;
    strip_brackets(j, &first, &end);
    *run = (gh_flat_run){ .from = -1, .first = first };
    start = first;
    for (size_t i = first; i <= end; i++) {
        if (i < end && (is_self(j, i, '(') || is_self(j, i, '['))) {
            i = gh_sql_token_closing(j->text, i);
            if (i >= end)
                return false;
            continue;
        }
        if (i < end && !separates(j, &scan, i))
            continue;
        if (index == list_length(args))
            return false;
        if (!b->is_apart[index] && run->from >= 0 && run->to != index)
            return false; /* in two places: the row condition would be there three times */
        if (!b->is_apart[index]) {
            run->first = run->from < 0 ? start : run->first;
            run->from = run->from < 0 ? index : run->from;
            run->end = i;
            run->to = index + 1;
        }
        start = i + 1;
        index++;
    }
    return index == list_length(args) && run->from >= 0 && scan.cases == 0 && !scan.has_between;
}

/* WHERE takes what somebody made a cast to boolean for; a branch of CASE is of the type that it is of. */
const char *gh_flat_case_end(gh_judge *j, gh_block *b, const Node *guarded)
{
    gh_block *block = j->block;
    bool compares = IsA(guarded, A_Expr) && gh_judge_is_comparison(((const A_Expr *)guarded)->name);
    gh_oid type;

    j->block = b;
    type = gh_infer_type(j, guarded);
    j->block = block;
    return compares || type == GH_OID_BOOL || type == GH_OID_UNKNOWN ? ") ELSE false END"
                                                                     : ") IS TRUE ELSE false END";
}
