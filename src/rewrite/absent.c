/*
 * A column that is not there, or is there twice. Most often PostgreSQL says so itself; but where the types of operands are asked before the
 * statement goes there, a name that nothing has is no operand of unknown type.
 *
 * SECURITY: a hidden column is not there, and answers as a name that nobody ever used. Attack: tests/attack existence.
 */
#include "overload.h"

static void refuse(gh_judge *j, const ColumnRef *ref, gh_name_state state)
{
    const char *first = strVal(linitial(ref->fields));

    switch (state) {
    case GH_NAME_OPEN:
        return;
    case GH_NAME_ABSENT:
        if (list_length(ref->fields) == 1)
            gh_judge_refuse(j, GH_DENIED, "42703", ref->location, "column \"%s\" does not exist",
                            first);
        else
            gh_judge_refuse(j, GH_DENIED, "42703", ref->location, "column %s.%s does not exist",
                            first, strVal(lsecond(ref->fields)));
        return;
    case GH_NAME_NO_TABLE:
        gh_judge_refuse(j, GH_INVALID, "42P01", ref->location,
                        "missing FROM-clause entry for table \"%s\"", first);
        return;
    case GH_NAME_AMBIGUOUS:
        gh_judge_refuse(j, GH_INVALID, "42702", ref->location,
                        "column reference \"%s\" is ambiguous", first);
        return;
    }
}

static void look(struct Node **slot, void *arg)
{
    gh_judge *j = arg;
    Node *n = (Node *)*slot;

    if (n == NULL || j->rc != GH_OK || IsA(n, SubLink)) /* of another scope */
        return;
    if (!IsA(n, ColumnRef)) {
        if (!gh_sql_children(*slot, look, arg)) /* it is refused for its type, then */
            return;
    } else {
        refuse(j, (const ColumnRef *)n, gh_infer_name(j, (const ColumnRef *)n));
    }
}

void gh_absent_refuse(gh_judge *j, Node *n)
{
    look((struct Node **)&n, j);
}
