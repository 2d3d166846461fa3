/*
 * reg_array.c: arrays of names that a parameter holds, or a literal, where something is compared with each of them. PostgREST
 * asks for its schemas so.
 *
 *     relnamespace = ANY ($1::regnamespace[])   ─▶   relnamespace = ANY (COALESCE((SELECT ARRAY(SELECT <OID of ge.t> FROM
 *                                                       unnest(gp.a) AS ge (t)) FROM (SELECT CAST(($1) AS text[])) AS gp (a))))
 *
 * SECURITY: each name is looked for among what may be seen (reg_lookup.c), and what comes of it are OIDs, so that nothing
 * beside it is read as a name. Attack: tests/attack reg-values.
 */
#include "allow.h"
#include "judge.h"

#include "function_list.h"

static bool is_string(const Node *n)
{
    const A_Const *c = (const A_Const *)n;

    return IsA(c, A_Const) && !c->isnull && IsA(&c->val, String);
}

static bool is_of_strings(const A_ArrayExpr *a)
{
    ListCell *cell;

    foreach (cell, a->elements) {
        if (!IsA(lfirst(cell), ParamRef) && !is_string(lfirst(cell)))
            return false;
    }
    return a->elements != NIL;
}

bool gh_reg_is_given(const Node *n)
{
    if (IsA(n, TypeCast)) {
        const TypeCast *c = (const TypeCast *)n;
        const char *type = strVal(llast(c->typeName->names));

        return IsA(c->arg, ParamRef) && c->typeName->typmods == NIL &&
               (strcmp(type, "text") == 0 || strcmp(type, "varchar") == 0);
    }
    return IsA(n, ParamRef) || is_string(n) ||
           (IsA(n, A_ArrayExpr) && is_of_strings((const A_ArrayExpr *)n));
}

static const gh_reg_lookup *lookup_of(const gh_judge *j, const TypeCast *c)
{
    const TypeName *t = c->typeName;
    int parts = list_length(t->names);
    gh_str name = parts == 0 ? (gh_str){ NULL, 0 } : gh_str_of(strVal(llast(t->names)));

    if (list_length(t->arrayBounds) != 1 || t->typmods != NIL || parts > 2 ||
        (parts == 2 && strcmp(strVal(linitial(t->names)), "pg_catalog") != 0) ||
        !gh_reg_is(gh_catalog_type(j->in->catalog, GH_STR("pg_catalog"), name)))
        return NULL;
    return gh_reg_lookup_of(name);
}

void gh_reg_note_names(gh_judge *j, Node *n)
{
    if (n != NULL && IsA(n, A_Expr) && ((const A_Expr *)n)->kind == AEXPR_OP &&
        strcmp(strVal(llast(((const A_Expr *)n)->name)), "||") == 0) {
        gh_reg_note_names(j, ((A_Expr *)n)->lexpr);
        gh_reg_note_names(j, ((A_Expr *)n)->rexpr);
    } else if (n != NULL && IsA(n, TypeCast) && gh_reg_is_given(((const TypeCast *)n)->arg) &&
               list_length(j->name_arrays) <= GH_SQL_SPECIAL_CALLS_MAX && /* more are refused */
               lookup_of(j, (const TypeCast *)n) != NULL) {
        j->name_arrays = lappend(j->name_arrays, n);
    }
}

static bool is_in(const List *nodes, const Node *n)
{
    ListCell *cell;

    foreach (cell, nodes) {
        if (lfirst(cell) == n)
            return true;
    }
    return false;
}

bool gh_reg_is_noted(const gh_judge *j, const Node *n)
{
    return is_in(j->name_arrays, n);
}

bool gh_reg_is_looked_up(const gh_judge *j, const Node *n)
{
    return is_in(j->given, n);
}

bool gh_reg_judge_names(gh_judge *j, Node **slot)
{
    TypeCast *c = (TypeCast *)*slot;
    const gh_token *t = j->text->tokens;
    size_t cast = c->location < 0 ? SIZE_MAX : gh_sql_token_at(j->text, c->location);
    size_t first = SIZE_MAX;
    size_t after;
    gh_wrap element;
    gh_wrap w;

    if (!gh_reg_is_noted(j, (Node *)c))
        return false;
    after = gh_print_type_end(j, c->typeName);
    if (cast == SIZE_MAX || after == SIZE_MAX)
        return false;
    if (strcmp(t[cast].text, "::") == 0)
        first = gh_function_operand_start(j, c->arg, cast);
    else if (strcmp(t[cast].text, "cast") != 0)
        return false;
    else if (t[after].kind != GH_TOKEN_SELF || strcmp(t[after].text, ")") != 0)
        return false;
    if (gh_function_is_one_too_many(j, c->typeName->location))
        return true;
    element = gh_reg_wrap(j, lookup_of(j, c), "o", NULL);
    if (element.prefix == NULL || (first == SIZE_MAX && strcmp(t[cast].text, "::") == 0))
        return false;
    w.prefix =
        gh_judge_printf("COALESCE((SELECT CASE WHEN gp.a IS NOT NULL THEN ARRAY(SELECT %sge.t%s "
                        "FROM pg_catalog.unnest(gp.a) WITH ORDINALITY AS ge (t, n) "
                        "ORDER BY ge.n) END FROM (SELECT CAST((",
                        element.prefix, element.suffix);
    w.suffix = ") AS pg_catalog.text[]) OFFSET 0) AS gp (a)))";
    if (first != SIZE_MAX) {
        gh_judge_edit(j, first, first, w.prefix);
        gh_judge_edit(j, cast, after, w.suffix);
    } else { /* CAST ( operand AS type ) */
        gh_judge_edit(j, cast, cast + 2, w.prefix);
        gh_judge_edit(j, gh_sql_token_at(j->text, c->typeName->location) - 1, after + 1, w.suffix);
    }
    j->reads_literal = true;
    gh_judge_expr(j, &c->arg);
    *slot = c->arg;
    gh_print_place(j, &w, slot);
    j->given = lappend(j->given, *slot);
    return true;
}
