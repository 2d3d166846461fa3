/*
 * Values of the reg* types. Such a type reads any name or number, says by an error whether there is such an
 * object, and prints the name of it; and PostgreSQL gives the type to whatever stands beside such a value:
 *
 *     CASE WHEN true THEN 16402 ELSE to_regclass('a.b') END          the name of relation 16402
 *     SELECT pg_typeof(1) UNION SELECT 'hidden.thing'                is there a hidden.thing?
 *
 * SECURITY: so a value keeps such a type only where nothing can take it over: as a column of the final
 * result, under a cast, in a comparison (which is one of OIDs), as an argument that has a type of its own.
 * Everywhere else it becomes the text or the OID that it is. Attack: tests/attack reg-values.
 */
#include "allow.h"
#include "judge.h"

bool gh_reg_is(const gh_type *t)
{
    return t != NULL && gh_str_is(t->schema, "pg_catalog") &&
           ((t->name.len > 3 && memcmp(t->name.ptr, "reg", 3) == 0) ||
            (t->name.len > 4 && memcmp(t->name.ptr, "_reg", 4) == 0));
}

bool gh_reg_is_kept_in(const gh_block *b)
{
    return b->is_output && b->outer != NULL && !b->outer->is_arms;
}

/* ---- calls ----------------------------------------------------------------------------------------- */

typedef struct gh_overloads {
    gh_function_rule rule;
    gh_str schema;
    gh_str name;
    const gh_function *const *all;
    size_t count;
} gh_overloads;

static gh_overloads overloads_of(gh_judge *j, const FuncCall *f)
{
    gh_overloads o = { .name = gh_str_of(strVal(llast(f->funcname))) };
    gh_str schema = list_length(f->funcname) == 2 ? gh_str_of(strVal(linitial(f->funcname)))
                                                  : (gh_str){ NULL, 0 };

    o.rule = gh_function_judge(j, schema, o.name, &o.schema);
    o.all = gh_catalog_functions(j->in->catalog, o.name, &o.count);
    return o;
}

static bool is_polymorphic(gh_oid type)
{
    static const gh_oid types[] = {
        2277, 2283, 2776, 3500, 3831, 4537, 4538, 5077, 5078, 5079, 5080
    };

    for (size_t i = 0; i < GH_COUNT(types); i++) {
        if (types[i] == type)
            return true;
    }
    return false;
}

bool gh_reg_may_be_argument(gh_judge *j, const FuncCall *f)
{
    gh_overloads o = overloads_of(j, f);

    for (size_t i = 0; i < o.count; i++) {
        for (uint16_t k = 0; gh_str_eq(o.all[i]->schema, o.schema) && k < o.all[i]->arg_count;
             k++) {
            if (is_polymorphic(o.all[i]->args[k]))
                return false;
        }
    }
    return f->agg_order == NIL;
}

const char *gh_reg_of_call(gh_judge *j, const FuncCall *f)
{
    gh_overloads o = overloads_of(j, f);

    if (o.rule != GH_FUNCTION_ALLOWED && o.rule != GH_FUNCTION_SPECIAL)
        return NULL;
    if (gh_str_is(o.name, "pg_partition_tree"))
        return "record";
    for (size_t i = 0; i < o.count; i++) {
        if (gh_str_eq(o.all[i]->schema, o.schema) &&
            gh_reg_is(gh_catalog_type_by_oid(j->in->catalog, o.all[i]->result)))
            return gh_str_is(o.name, "pg_typeof") ? "text" : "oid";
    }
    return NULL;
}

/* ---- in FROM --------------------------------------------------------------------------------------- */

/* Names by which the query may reach the columns of a function in FROM. */
typedef struct gh_reach {
    gh_judge *j;
    const RangeFunction *from;
    const char *function;
    bool is_kept; /* the block's targets are the final result */
    bool is_own;  /* the walk is in no sub-select */
    bool is_bad;
} gh_reach;

static bool reaches(const gh_reach *r, const ColumnRef *ref)
{
    const Alias *alias = r->from->alias;
    const char *name;
    ListCell *cell;

    if (IsA(llast(ref->fields), A_Star)) {
        if (list_length(ref->fields) == 1)
            return r->is_own;
        name = strVal(list_nth(ref->fields, list_length(ref->fields) - 2));
    } else {
        name = strVal(llast(ref->fields));
    }
    if (strcmp(name, "relid") == 0 || strcmp(name, "parentrelid") == 0 ||
        strcmp(name, r->function) == 0)
        return true;
    if (alias != NULL && strcmp(name, alias->aliasname) == 0)
        return true;
    foreach (cell, alias != NULL ? alias->colnames : NIL) {
        if (strcmp(name, strVal(lfirst(cell))) == 0)
            return true;
    }
    return false;
}

static void look(struct Node **slot, void *arg);

static void look_at(gh_reach *r, Node *n)
{
    if (n != NULL && !(IsA(n, ColumnRef)))
        look((struct Node **)&n, r);
}

static void look(struct Node **slot, void *arg)
{
    gh_reach *r = arg;
    Node *n = (Node *)*slot;
    bool was_own = r->is_own;

    switch (nodeTag(n)) {
    case T_ColumnRef:
        r->is_bad = r->is_bad || reaches(r, (const ColumnRef *)n);
        return;
    case T_ResTarget:
        if (!r->is_own || !r->is_kept)
            break;
        look_at(r, ((ResTarget *)n)->val);
        return;
    case T_SortBy:
        look_at(r, ((SortBy *)n)->node);
        return;
    case T_TypeCast:
        look_at(r, ((TypeCast *)n)->arg);
        return;
    case T_NullTest:
        look_at(r, (Node *)((NullTest *)n)->arg);
        return;
    case T_A_Expr:
        if (((const A_Expr *)n)->kind != AEXPR_OP || !gh_reg_is_comparison((const A_Expr *)n))
            break;
        look_at(r, ((A_Expr *)n)->lexpr);
        look_at(r, ((A_Expr *)n)->rexpr);
        return;
    case T_FuncCall:
        if (((const FuncCall *)n)->over != NULL || ((const FuncCall *)n)->agg_filter != NULL ||
            !gh_reg_may_be_argument(r->j, (const FuncCall *)n))
            break;
        for (int i = 0; i < list_length(((FuncCall *)n)->args); i++)
            look_at(r, list_nth(((FuncCall *)n)->args, i));
        return;
    case T_SubLink:
    case T_RangeSubselect:
        r->is_own = false;
        break;
    default:
        break;
    }
    r->is_bad = !gh_sql_children(*slot, look, r) || r->is_bad;
    r->is_own = was_own;
}

/* The FROM item that holds the call, NULL if it is none of the plain ones. */
static const RangeFunction *item_of(const SelectStmt *s, const FuncCall *f)
{
    ListCell *cell;

    foreach (cell, s->fromClause) {
        const RangeFunction *from = lfirst(cell);

        if (IsA(from, RangeFunction) && list_length(from->functions) == 1 &&
            linitial((List *)linitial(from->functions)) == f)
            return from;
        if (!IsA(from, RangeFunction) && !IsA(from, RangeVar))
            return NULL;
    }
    return NULL;
}

bool gh_reg_may_stand_in_from(gh_judge *j, const FuncCall *f)
{
    SelectStmt *s = (SelectStmt *)(uintptr_t)j->block->select;
    gh_reach r = { .j = j,
                   .from = s != NULL ? item_of(s, f) : NULL,
                   .function = strVal(llast(f->funcname)),
                   .is_kept = gh_reg_is_kept_in(j->block),
                   .is_own = true };

    if (r.from == NULL || s->withClause != NULL || s->distinctClause != NIL)
        return false;
    return gh_sql_children((struct Node *)s, look, &r) && !r.is_bad;
}

/* ---- casts ----------------------------------------------------------------------------------------- */

const char *gh_reg_of_cast(const gh_judge *j, const TypeCast *c, size_t *after)
{
    const gh_sql_text *t = j->text;
    const TypeName *n = c->typeName;
    gh_str name = n->names == NIL ? (gh_str){ NULL, 0 } : gh_str_of(strVal(llast(n->names)));
    size_t cast = gh_sql_token_at(t, c->location);
    bool is_const = IsA(c->arg, A_Const);

    if (!gh_reg_is(gh_catalog_type(j->in->catalog, GH_STR("pg_catalog"), name)) ||
        (list_length(n->names) == 2 && strcmp(strVal(linitial(n->names)), "pg_catalog") != 0))
        return NULL;
    if (cast == SIZE_MAX) { /* regclass 'name' */
        *after = is_const ? gh_sql_token_at(t, ((const A_Const *)c->arg)->location) : SIZE_MAX;
        *after += *after != SIZE_MAX;
    } else if (strcmp(t->tokens[cast].text, "::") == 0) {
        *after = gh_sql_token_at(t, n->location);
        *after += *after == SIZE_MAX ? 0 : 2 * (size_t)list_length(n->names) - 1;
        if (n->typmods != NIL && *after != SIZE_MAX) { /* regclass(1), which is an error there */
            *after = gh_sql_token_closing(t, *after);
            *after += *after != SIZE_MAX;
        }
        if (n->arrayBounds != NIL)
            *after = gh_print_type_end(j, n);
    } else {
        *after = gh_sql_token_closing(t, cast + 1);
        *after += *after != SIZE_MAX;
    }
    if (n->arrayBounds != NIL)
        return "oid[]";
    return is_const ? "oid" : "text";
}

/* ARRAY['int', 'text'] and '{int,text}' are names, which type.c makes numbers of. */
static bool is_of_literals(const Node *n)
{
    const List *elements = IsA(n, A_ArrayExpr) ? ((const A_ArrayExpr *)n)->elements : NIL;
    ListCell *cell;

    foreach (cell, elements) {
        const A_Const *c = lfirst(cell);

        if (!IsA(c, A_Const) || c->isnull || !IsA(&c->val, String))
            return false;
    }
    return elements != NIL || IsA(n, A_Const);
}

void gh_reg_array_as_oids(gh_judge *j, Node *n)
{
    TypeCast *c = (TypeCast *)n;
    TypeName *t = n != NULL && IsA(n, TypeCast) ? c->typeName : NULL;
    int parts = t == NULL ? 0 : list_length(t->names);
    size_t first = parts == 0 ? SIZE_MAX : gh_sql_token_at(j->text, t->location);

    if (first == SIZE_MAX || t->arrayBounds == NIL || t->typmods != NIL || parts > 2 ||
        is_of_literals(c->arg) || IsA(c->arg, ParamRef) ||
        !gh_reg_is(gh_catalog_type(j->in->catalog, GH_STR("pg_catalog"),
                                   gh_str_of(strVal(llast(t->names))))) ||
        (parts == 2 && strcmp(strVal(linitial(t->names)), "pg_catalog") != 0))
        return;
    gh_judge_edit(j, first, first + 2 * (size_t)parts - 1, "\"pg_catalog\".\"oid\"");
    t->names = list_make2(makeString(pstrdup("pg_catalog")), makeString(pstrdup("oid")));
}

bool gh_reg_is_comparison(const A_Expr *e)
{
    static const char *const names[] = { "=", "<>", "<", "<=", ">", ">=" };

    for (size_t i = 0; i < GH_COUNT(names); i++) {
        if (strcmp(strVal(llast(e->name)), names[i]) == 0)
            return true;
    }
    return false;
}

void gh_reg_flatten(gh_judge *j, Node **slot, size_t after, const char *type)
{
    TypeCast *c = makeNode(TypeCast);
    bool is_array = strcmp(type, "oid[]") == 0;

    if (j->rc != GH_OK)
        return;
    if (is_array)
        type = "oid";
    gh_judge_edit(j, after, after,
                  gh_judge_printf("::\"pg_catalog\".\"%s\"%s", type, is_array ? "[]" : ""));
    c->arg = *slot;
    c->typeName = makeNode(TypeName);
    c->typeName->names = list_make2(makeString(pstrdup("pg_catalog")), makeString(pstrdup(type)));
    if (is_array)
        c->typeName->arrayBounds = list_make1(makeInteger(-1));
    c->typeName->typemod = -1;
    c->typeName->location = -1;
    c->location = -1;
    *slot = (Node *)c;
}
