/*
 * Where a join stands in the text. The tree says where tables and expressions begin alone; from the right side of a join
 * its words are looked for:
 *
 *     FROM a NATURAL LEFT JOIN (SELECT ...) b    JOIN c JOIN d ON ... USING (x)
 *            natural      token            behind                    qualifier, of the first JOIN behind `b`
 *
 * What is found wrongly makes a text that does not parse, or another join by names, which is refused: join_on.c.
 */
#include "join_on.h"
#include "overload.h"

static void find_start(struct Node **slot, void *arg)
{
    int *start = arg;
    int location = exprLocation((const Node *)*slot);

    if (location >= 0 && (*start < 0 || location < *start))
        *start = location;
    if (!gh_sql_children(*slot, find_start, arg))
        return;
}

/* A token of the leftmost item: its first one, but of a sub-select some one within its brackets. */
static size_t token_of(const gh_judge *j, const Node *n, int depth)
{
    int location = -1;

    if (depth > GH_SQL_DEPTH_MAX)
        return SIZE_MAX;
    switch (nodeTag(n)) {
    case T_JoinExpr:
        return token_of(j, ((const JoinExpr *)n)->larg, depth + 1);
    case T_RangeTableSample:
        return token_of(j, ((const RangeTableSample *)n)->relation, depth + 1);
    case T_RangeVar:
        location = ((const RangeVar *)n)->location;
        break;
    case T_RangeTableFunc:
        location = ((const RangeTableFunc *)n)->location;
        break;
    case T_RangeFunction:
        location = exprLocation(linitial((List *)linitial(((const RangeFunction *)n)->functions)));
        break;
    case T_RangeSubselect:
        find_start((struct Node **)(uintptr_t) & ((const RangeSubselect *)n)->subquery, &location);
        break;
    default:
        break;
    }
    return location < 0 ? SIZE_MAX : gh_sql_token_at(j->text, location);
}

/* The bracket around a token; SIZE_MAX: there is none. */
size_t gh_join_on_opening(const gh_judge *j, size_t token)
{
    int depth = 0;

    while (token != SIZE_MAX && token-- > j->first) {
        if (gh_operator_is_word(j, token, ")") || gh_operator_is_word(j, token, "]"))
            depth++;
        else if ((gh_operator_is_word(j, token, "(") || gh_operator_is_word(j, token, "[")) &&
                 depth-- == 0)
            return token;
    }
    return SIZE_MAX;
}

/* The JOIN in front of its right side. */
size_t gh_join_on_token(const gh_judge *j, const JoinExpr *join)
{
    size_t i = token_of(j, join->rarg, 0);

    while (i != SIZE_MAX && i > j->first) {
        if (gh_operator_is_word(j, i - 1, "join"))
            return i - 1;
        if (gh_operator_is_word(j, i - 1, "lateral") || gh_operator_is_word(j, i - 1, "only") ||
            gh_operator_is_word(j, i - 1, "("))
            i--;
        else if (gh_operator_is_word(j, i - 1, "from") && gh_operator_is_word(j, i - 2, "rows"))
            i -= 2;
        else
            i = gh_join_on_opening(j, i);
    }
    return SIZE_MAX;
}

/* The ON or USING that a JOIN has: those of joins within its right side come first. */
size_t gh_join_on_qualifier(const gh_judge *j, size_t join)
{
    int inner = 0;

    for (size_t i = join + 1; i < j->end; i++) {
        if (gh_operator_is_word(j, i, ")") || gh_operator_is_word(j, i, "]"))
            return SIZE_MAX;
        if (gh_operator_is_word(j, i, "(") || gh_operator_is_word(j, i, "["))
            i = gh_sql_token_closing(j->text, i);
        else if (gh_operator_is_word(j, i, "join"))
            inner += !gh_operator_is_word(j, i - 1, "cross");
        else if ((gh_operator_is_word(j, i, "on") || gh_operator_is_word(j, i, "using")) &&
                 inner-- == 0)
            return i;
        if (i == SIZE_MAX)
            return SIZE_MAX;
    }
    return SIZE_MAX;
}

/* Behind the right side of a NATURAL JOIN, which is one item or stands in brackets. */
size_t gh_join_on_behind(const gh_judge *j, size_t join)
{
    static const char *const ends[] = { "join",  "cross", "left",    "right",      "full",
                                        "inner", "on",    "natural", "using",      "where",
                                        "set",   "when",  ",",       "tablesample" };

    for (size_t i = join + 1; i < j->end; i++) {
        if (gh_operator_is_word(j, i, "(") || gh_operator_is_word(j, i, "[")) {
            i = gh_sql_token_closing(j->text, i);
            if (i == SIZE_MAX)
                return SIZE_MAX;
            continue;
        }
        for (size_t k = 0; k < GH_COUNT(ends); k++) {
            if (gh_operator_is_word(j, i, ends[k]))
                return i;
        }
        if (gh_judge_clause_end(j, i) == i)
            return i;
    }
    return j->end;
}

/* NATURAL [INNER | LEFT | RIGHT | FULL] [OUTER] JOIN */
size_t gh_join_on_natural(const gh_judge *j, size_t join)
{
    for (size_t i = join; i-- > j->first && join - i <= 3;) {
        if (gh_operator_is_word(j, i, "natural"))
            return i;
    }
    return SIZE_MAX;
}
