/*
 * Calls that mean something else here than upstream. Each is rewritten in the tokens and, alike, in the
 * tree; what the client wrote as an argument keeps its tokens and its node:
 *
 *     f(x, y)  a value    (SELECT <sql of gh.a1, gh.a2> AS "f" FROM (SELECT x, y) AS gh (a1, a2))
 *     f(x, y)  a guard    f((SELECT gh.a1 FROM (SELECT CAST((x) AS oid)) AS gh (a1)
 *                            WHERE <may be seen>), y)
 *     nextval('s')        pg_catalog.nextval('<OID of s, if the user may>')
 *     x::regclass         (SELECT <OID of x, if it may be seen>)::regclass
 *
 * The argument is evaluated once, in a sub-select of its own in which no name of ours is in scope, and the
 * condition looks at its value. A guarded function is strict or has been given NULL by clients before, so
 * what may not be seen answers as what is not there.
 */
#include "allow.h"
#include "function_call.h"
#include "write.h"

#include "overload.h"
#include "setting.h"
#include "system_catalog.h"

/* pg_type.oid */

void gh_call_refuse(gh_judge *j, const gh_call *c)
{
    gh_judge_refuse(j, GH_DENIED, "42501", c->f->location, "function %s is not allowed here",
                    c->name);
}

static bool is_self(const gh_token *t, const char *text)
{
    return t->kind == GH_TOKEN_SELF && strcmp(t->text, text) == 0;
}

/* Finds the brackets and the commas between the arguments; false where the call is of another form. */
static bool locate(gh_judge *j, gh_call *c)
{
    const gh_token *t = j->text->tokens;
    size_t open;
    size_t close;
    int depth = 0;
    int n = 0;

    c->first = gh_judge_token(j, c->f->location);
    if (c->first == SIZE_MAX)
        return false;
    open = c->first + 2 * (size_t)list_length(c->f->funcname) - 1;
    if (open >= j->text->token_count || !is_self(&t[open], "("))
        return false;
    close = gh_sql_token_closing(j->text, open);
    if (close == SIZE_MAX)
        return false;
    c->delimiters[n++] = open;
    for (size_t i = open + 1; i < close; i++) {
        if (is_self(&t[i], "(") || is_self(&t[i], "["))
            depth++;
        else if (is_self(&t[i], ")") || is_self(&t[i], "]"))
            depth--;
        else if (depth == 0 && is_self(&t[i], ",")) {
            if (n >= c->args)
                return false;
            c->delimiters[n++] = i;
        }
    }
    if (c->args > 0 && n != c->args)
        return false;
    c->delimiters[c->args > 0 ? c->args : 1] = close;
    return true;
}

static bool is_plain(const FuncCall *f)
{
    ListCell *cell;

    foreach (cell, f->args) {
        if (IsA(lfirst(cell), NamedArgExpr))
            return false;
    }
    return f->agg_order == NIL && f->agg_filter == NULL && f->over == NULL && !f->agg_distinct &&
           !f->agg_star && !f->agg_within_group && !f->func_variadic &&
           f->funcformat != COERCE_SQL_SYNTAX;
}

/* ---- templates ------------------------------------------------------------------------------------- */

typedef struct gh_placing {
    Node **args;
    int count;
    Node **slot; /* where the first argument was put */
    bool is_failed;
} gh_placing;

static void place(struct Node **slot, void *arg)
{
    gh_placing *p = arg;
    Node **at = (Node **)slot;

    if (IsA(*at, ParamRef)) {
        int n = ((const ParamRef *)*at)->number;

        if (n >= 1 && n <= p->count) {
            *at = p->args[n - 1];
            if (n == 1)
                p->slot = at;
        }
        return;
    }
    if (!gh_sql_children(*at, place, p))
        p->is_failed = true;
}

/* Parses a template and puts nodes in place of $1, $2 ... */
static Node *build(gh_judge *j, const char *sql, gh_placing *p)
{
    Node *n = gh_judge_parse_expr(j, sql);

    if (n != NULL && p->count > 0)
        place((struct Node **)&n, p);
    if (p->is_failed) {
        gh_judge_refuse(j, GH_INTERNAL, "XX000", -1, "statement cannot be rewritten");
        return NULL;
    }
    return n;
}

Node *gh_function_build(gh_judge *j, const char *sql, Node *first)
{
    return gh_function_build_list(j, sql, list_make1(first));
}

Node *gh_function_build_list(gh_judge *j, const char *sql, List *args)
{
    Node *nodes[GH_CALL_ARGS_MAX];
    gh_placing p = { .args = nodes };
    ListCell *cell;

    foreach (cell, args)
        nodes[p.count++] = lfirst(cell);
    return build(j, sql, &p);
}

/* An argument that is more than a name or a literal is computed once, however often a condition looks at
 * it; a name is cheaper without the fence. */
static const char *fence(const List *args)
{
    ListCell *cell;

    foreach (cell, args) {
        if (!IsA(lfirst(cell), ColumnRef) && !IsA(lfirst(cell), A_Const) &&
            !IsA(lfirst(cell), ParamRef))
            return " OFFSET 0";
    }
    return "";
}

bool gh_call_is_string(const Node *n)
{
    return IsA(n, A_Const) && !((const A_Const *)n)->isnull &&
           IsA(&((const A_Const *)n)->val, String);
}

const char *gh_call_string(const Node *n)
{
    return ((const A_Const *)n)->val.sval.sval;
}

void gh_call_qualify(gh_judge *j, gh_call *c)
{
    if (list_length(c->f->funcname) != 1)
        return;
    gh_judge_edit(j, c->first, c->first, "\"pg_catalog\".");
    c->f->funcname = list_make2(makeString(pstrdup("pg_catalog")), linitial(c->f->funcname));
}

/* ---- a value --------------------------------------------------------------------------------------- */

/* Does the call stand alone in IN (...) or = ANY (...)? A sub-select there would be read as a set. */
static bool is_alone_in_set(const gh_judge *j, const gh_call *c)
{
    static const char *const words[] = { "in", "any", "some", "all", "exists", "array" };
    const gh_token *t = j->text->tokens;

    if (c->first < 2 || !is_self(&t[c->first - 1], "("))
        return false;
    for (size_t i = 0; i < GH_COUNT(words); i++) {
        if (t[c->first - 2].kind == GH_TOKEN_KEYWORD && strcmp(t[c->first - 2].text, words[i]) == 0)
            return true;
    }
    return is_self(&t[c->first - 2], "("); /* brackets around brackets: whatever is before them */
}

/* The whole call becomes a sub-select. Where it is a FROM item it must look like a call: COALESCE does, and
 * judge_range_function gives the item the call's name. */
void gh_call_replace(gh_judge *j, Node **slot, gh_call *c, const char *sql, const char *sets)
{
    bool is_from = j->is_from_function;
    bool is_wrapped = !is_from && is_alone_in_set(j, c);
    gh_placing p = { .count = c->args };
    Node *args[GH_CALL_ARGS_MAX];
    char *columns = pstrdup("");
    char *marks = pstrdup("");
    char *prefix;
    char *suffix;
    ListCell *cell;
    int n = 0;

    foreach (cell, c->f->args) {
        args[n++] = lfirst(cell);
        columns = gh_judge_printf("%s%sa%d", columns, n == 1 ? "" : ", ", n);
        marks = gh_judge_printf("%s%s$%d", marks, n == 1 ? "" : ", ", n);
    }
    p.args = args;
    prefix = gh_judge_printf("%s(SELECT %s AS \"%s\"%s",
                             is_wrapped ? "CASE WHEN true THEN " : (is_from ? "COALESCE(" : ""),
                             sql, c->name, n == 0 ? "" : " FROM (SELECT ");
    suffix = n == 0 ? gh_judge_printf("%s)", sets)
                    : gh_judge_printf("%s) AS gh (%s)%s)", fence(c->f->args), columns, sets);
    if (is_wrapped || is_from)
        suffix = gh_judge_printf("%s%s", suffix, is_wrapped ? " END" : ")");
    if (n == 0) {
        gh_judge_edit(j, c->first, c->delimiters[1] + 1, gh_judge_printf("%s%s", prefix, suffix));
    } else {
        gh_judge_edit(j, c->first, c->delimiters[0] + 1, prefix);
        gh_judge_edit(j, c->delimiters[n], c->delimiters[n] + 1, suffix);
    }
    *slot = build(j, gh_judge_printf("%s%s%s", prefix, marks, suffix), &p);
}

static void value(gh_judge *j, Node **slot, gh_call *c)
{
    char *sql;
    char *sets;

    gh_system_sets_beside(j);
    sql = gh_system_expand(j, c->special->sql);
    sets = gh_system_sets_sql(j, c->args == 0 ? " FROM " : ", ");
    /* SECURITY: of a literal the client asks about the server itself, not about what a catalog showed. */
    if (c->special->guarded != 0 && IsA(list_nth(c->f->args, c->special->guarded - 1), A_Const))
        gh_call_refuse(j, c);
    if (sql != NULL && j->rc == GH_OK)
        gh_call_replace(j, slot, c, sql, sets);
}

static void set(gh_judge *j, Node **slot, gh_call *c)
{
    const char *columns;
    char *sql;
    char *call;

    if (!j->is_from_function) {
        gh_call_refuse(j, c);
        return;
    }
    sql = gh_system_expand(j, c->special->sql);
    if (sql == NULL)
        return;
    columns = strstr(sql, " AS (name");
    GH_ASSERT(columns != NULL);
    call = gh_judge_printf("%.*s", (int)(columns - sql), sql);
    j->from_columns = columns + strlen(" AS (");
    gh_judge_edit(j, c->first, c->delimiters[1] + 1, call);
    *slot = gh_judge_parse_expr(j, call);
}

/* ---- a guard --------------------------------------------------------------------------------------- */

/* Only the argument changes, so the call stays one and may stand in FROM. */
static void wrap_argument(gh_judge *j, gh_call *c, int index, const char *prefix,
                          const char *suffix)
{
    const gh_token *t = j->text->tokens;
    size_t before = c->delimiters[index];
    size_t after = c->delimiters[index + 1];
    ListCell *cell = list_nth_cell(c->f->args, index);
    Node *arg = lfirst(cell);
    gh_placing p = { .args = &arg, .count = 1 };

    gh_judge_edit(j, before, before + 1, gh_judge_printf("%s%s", t[before].text, prefix));
    gh_judge_edit(j, after, after + 1, gh_judge_printf("%s%s", suffix, t[after].text));
    lfirst(cell) = build(j, gh_judge_printf("%s$1%s", prefix, suffix), &p);
    gh_call_qualify(j, c);
}

void gh_call_guard_argument(gh_judge *j, gh_call *c, int index, const char *type,
                            const char *condition, const char *sets)
{
    char *suffix = gh_judge_printf(") AS pg_catalog.%s)%s) AS gh (a1)%s WHERE %s)", type,
                                   fence(list_make1(list_nth(c->f->args, index))), sets, condition);

    wrap_argument(j, c, index, "(SELECT gh.a1 FROM (SELECT CAST((", suffix);
}

/* Around the whole call, where the client's path prints its text otherwise. */
static gh_wrap wrap_call(gh_judge *j, const gh_call *c)
{
    gh_wrap w = j->is_from_function ? (gh_wrap){ 0 } : gh_print_call(j, c->name);

    if (w.prefix != NULL && is_alone_in_set(j, c)) {
        w.prefix = gh_judge_printf("CASE WHEN true THEN %s", w.prefix);
        w.suffix = gh_judge_printf("%s END", w.suffix);
    }
    return w;
}

/*
 * SECURITY: the expression of one relation could be printed with the columns of another. Of a relation that does not
 * show in full, what shows names no column (the catalogs see to that), so it is printed as of none; the upstream
 * refuses to print any other. Attack: tests/integration/catalogs, test_expressions_are_printed_as_their_own.
 */
static void printed(gh_judge *j, Node **slot, gh_call *c)
{
    gh_wrap w = wrap_call(j, c);
    int index = c->special->guarded - 1;
    char *own;
    char *may;
    char *sets;

    gh_system_sets_beside(j);
    own = gh_system_expand(j, c->special->sql);
    may = gh_system_expand(j, "@any(gh.a1, @rels)");
    sets = gh_system_sets_sql(j, ", ");

    if (own == NULL || may == NULL)
        return;
    gh_print_wrap(j, &w, c->first, c->delimiters[c->args] + 1);
    wrap_argument(
        j, c, index,
        gh_judge_printf("(SELECT CASE WHEN %s THEN gh.a1 ELSE 0 END FROM (SELECT CAST((", own),
        gh_judge_printf(") AS pg_catalog.oid)%s) AS gh (a1)%s WHERE %s OR %s)",
                        fence(list_make1(list_nth(c->f->args, index))), sets, own, may));
    gh_print_place(j, &w, slot);
}

/* May the expression be a text, which names a relation, and no OID? */
static bool may_name(gh_judge *j, const Node *arg)
{
    gh_oid type = gh_infer_type(j, arg);

    return type != GH_OID_OID && type != GH_OID_REGCLASS && type != GH_OID_INT4 &&
           type != GH_OID_INT8;
}

/* The same of an argument that names a relation by text or OID. */
static void guard_named(gh_judge *j, gh_call *c, const char *condition, const char *sets)
{
    char *find = gh_system_expand(j, "@find_relation");

    if (find != NULL)
        wrap_argument(
            j, c, 0,
            gh_judge_printf("(SELECT gh.a1 FROM (SELECT CASE WHEN gt.t ~ '^[0-9]+$' THEN "
                            "CAST(gt.t AS pg_catalog.oid) ELSE %s END FROM (SELECT CAST((",
                            find),
            gh_judge_printf(") AS pg_catalog.text) OFFSET 0) AS gt (t) OFFSET 0) AS gh "
                            "(a1)%s WHERE %s)",
                            sets, condition));
}

static void guard(gh_judge *j, Node **slot, gh_call *c, bool is_named)
{
    gh_wrap w = wrap_call(j, c);
    char *condition;
    char *sets;

    gh_system_sets_beside(j);
    condition = gh_system_expand(j, c->special->sql);
    sets = gh_system_sets_sql(j, ", ");
    if (condition == NULL)
        return;
    gh_print_wrap(j, &w, c->first, c->delimiters[c->args] + 1);
    if (is_named)
        guard_named(j, c, condition, sets);
    else
        gh_call_guard_argument(j, c, c->special->guarded - 1, "oid", condition, sets);
    gh_print_place(j, &w, slot);
}

static bool is_system(const gh_relation *r)
{
    return gh_str_is(r->schema, "pg_catalog") || gh_str_is(r->schema, "information_schema");
}

/* A literal's name is looked up here, along the client's path, and becomes its OID; any other where it runs. */
static void relation(gh_judge *j, Node **slot, gh_call *c)
{
    A_Const *arg = linitial(c->f->args);
    const gh_relation *r;
    size_t token;
    const char *text;

    if (!gh_call_is_string((Node *)arg) ||
        strspn(gh_call_string((Node *)arg), "0123456789") == strlen(gh_call_string((Node *)arg))) {
        guard(j, slot, c, !gh_call_is_string((Node *)arg) && may_name(j, (Node *)arg));
        return;
    }
    text = gh_call_string((Node *)arg);
    r = gh_type_regclass(j, text);
    token = gh_judge_token(j, arg->location);
    if (r == NULL) {
        gh_judge_refuse(j, GH_DENIED, "42P01", -1, "relation \"%s\" does not exist", text);
        return;
    }
    /* Of a name that a query finds the size is NULL; of one that the client writes it is what was asked for. */
    if (strstr(c->special->sql, "@fulls") != NULL &&
        (is_system(r) || !gh_judge_decide(j, r)->is_full)) {
        gh_judge_refuse(j, GH_DENIED, "42501", c->f->location,
                        "function %s is not allowed for %s, which is not granted in full", c->name,
                        gh_judge_cstr(r->name));
        return;
    }
    arg->val.sval.sval = gh_judge_printf("%u", r->oid);
    gh_judge_edit(j, token, token + 1, gh_judge_literal(j, gh_str_of(arg->val.sval.sval)));
    guard(j, slot, c, false);
}

/* ---- sequences ------------------------------------------------------------------------------------- */

/*
 * What a sequence gives next is there for who may update it, what it gave last in the session for who may read it,
 * too: as PostgreSQL's rights have it. A name that is computed is looked up where it runs, and NULL where the right
 * is missing.
 */
static void sequence(gh_judge *j, Node **slot, gh_call *c)
{
    A_Const *arg = linitial(c->f->args);
    bool is_read = strcmp(c->name, "currval") == 0;
    const gh_relation *r;
    size_t token;

    if (!gh_call_is_string((Node *)arg)) {
        relation(j, slot, c);
        return;
    }
    r = gh_type_regclass(j, gh_call_string((Node *)arg));
    token = gh_judge_token(j, arg->location);
    if (r == NULL)
        gh_judge_refuse(j, GH_DENIED, "42P01", -1, "relation \"%s\" does not exist",
                        gh_call_string((Node *)arg));
    else if (r->kind != 'S')
        gh_judge_refuse(j, GH_DENIED, "42809", -1, "\"%s\" is not a sequence",
                        gh_judge_cstr(r->name));
    else if ((gh_judge_decide(j, r)->privileges &
              (is_read ? (uint32_t)GH_SELECT | GH_UPDATE : (uint32_t)GH_UPDATE)) == 0)
        gh_judge_refuse(j, GH_DENIED, "42501", -1, "permission denied for sequence %s",
                        gh_judge_cstr(r->name));
    if (j->rc != GH_OK)
        return;
    gh_judge_note_sequence(j, r, is_read ? GH_SELECT : GH_UPDATE);
    if (strcmp(c->name, "nextval") == 0)
        gh_number_note(j, r->oid);
    arg->val.sval.sval = gh_judge_printf("%u", r->oid);
    gh_judge_edit(j, token, token + 1, gh_judge_literal(j, gh_str_of(arg->val.sval.sval)));
    gh_call_qualify(j, c);
}

/* ---- names of objects ------------------------------------------------------------------------------ */

static void search_call(gh_judge *j, Node **slot, gh_call *c)
{
    const gh_reg_lookup *l = gh_reg_lookup_of(gh_str_of(c->name + 3));
    char *sql;
    char *sets;

    gh_system_sets_beside(j);
    sql = l != NULL ? gh_reg_search(j, l) : NULL;
    sets = gh_system_sets_sql(j, ", ");
    if (sql == NULL) {
        gh_call_refuse(j, c);
        return;
    }
    gh_call_replace(
        j, slot, c,
        gh_judge_printf("CAST((SELECT %s FROM (SELECT CAST(gh.a1 AS pg_catalog.text)) AS gt "
                        "(t)) AS pg_catalog.%s)",
                        sql, l->type),
        sets);
}

/* ---- text search ----------------------------------------------------------------------------------- */

static void text_search(gh_judge *j, gh_call *c)
{
    if (gh_text_search_judge(j, c->f, c->special))
        gh_call_qualify(j, c);
    else
        gh_call_refuse(j, c);
}

/*
 * SECURITY: each of these becomes some 10 KB of sub-selects, for which the upstream's planner takes megabytes:
 * a thousand of them in 17 KB of text took gigabytes. Attack: tests/attack many-catalog-calls.
 */
bool gh_function_is_one_too_many(gh_judge *j, int location)
{
    j->special_calls++;
    if (j->special_calls <= GH_SQL_SPECIAL_CALLS_MAX)
        return false;
    gh_judge_refuse(j, GH_LIMIT, "54000", location,
                    "statement asks the catalogs more than %d questions", GH_SQL_SPECIAL_CALLS_MAX);
    return true;
}

/* ---- entry ----------------------------------------------------------------------------------------- */

void gh_function_special(gh_judge *j, Node **slot)
{
    gh_call c = { .f = (FuncCall *)*slot };

    c.name = strVal(llast(c.f->funcname));
    c.args = list_length(c.f->args);
    c.special = gh_function_special_of(gh_str_of(c.name), c.args);
    if (c.special == NULL) {
        gh_judge_refuse(j, GH_DENIED, "42883", c.f->location,
                        "function %s with %d arguments does not exist", c.name, c.args);
        return;
    }
    if (c.args > GH_CALL_ARGS_MAX || !is_plain(c.f) || !locate(j, &c)) {
        gh_call_refuse(j, &c);
        return;
    }
    if (c.args > 0 && c.special->kind != GH_SPECIAL_TEXT_SEARCH &&
        gh_function_is_one_too_many(j, c.f->location))
        return;
    switch (c.special->kind) {
    case GH_SPECIAL_VALUE:
        value(j, slot, &c);
        return;
    case GH_SPECIAL_SET:
        set(j, slot, &c);
        return;
    case GH_SPECIAL_GUARD:
        if (gh_text_search_is_parser(c.f, c.special))
            text_search(j, &c);
        else
            guard(j, slot, &c, false);
        return;
    case GH_SPECIAL_RELATION:
        relation(j, slot, &c);
        return;
    case GH_SPECIAL_PRINTED:
        printed(j, slot, &c);
        return;
    case GH_SPECIAL_SEQUENCE:
        sequence(j, slot, &c);
        return;
    case GH_SPECIAL_SETTING:
        gh_call_setting(j, slot, &c);
        return;
    case GH_SPECIAL_SET_CONFIG:
        gh_call_set_config(j, slot, &c);
        return;
    case GH_SPECIAL_SEARCH:
        search_call(j, slot, &c);
        return;
    case GH_SPECIAL_TEXT_SEARCH:
        text_search(j, &c);
        return;
    case GH_SPECIAL_WAIT:
        if (j->is_policy || j->view_depth > 0)
            break;
        j->wait = c.f;
        gh_call_qualify(j, &c);
        return;
    case GH_SPECIAL_SIGNAL:
        gh_signal_call(j, slot, c.first, c.delimiters);
        return;
    }
    gh_call_refuse(j, &c);
}

/* ---- casts ----------------------------------------------------------------------------------------- */

static void leftmost(struct Node **slot, void *arg)
{
    int *least = arg;
    int location = exprLocation((Node *)*slot);

    if (location >= 0 && (*least < 0 || location < *least))
        *least = location;
    if (!gh_sql_children(*slot, leftmost, least))
        *least = 0; /* a node that nobody knows: no token of ours starts there */
}

size_t gh_function_operand_start(gh_judge *j, Node *operand, size_t cast)
{
    const gh_token *t = j->text->tokens;
    int location = -1;
    size_t first;
    int depth = 0;
    int open = 0;

    leftmost((struct Node **)&operand, &location);
    first = location < 0 ? SIZE_MAX : gh_sql_token_at(j->text, location);
    if (first == SIZE_MAX || first >= cast)
        return SIZE_MAX;
    for (size_t i = first; i < cast; i++) {
        if (is_self(&t[i], "("))
            depth++;
        else if (is_self(&t[i], ")") && --depth < -open)
            open++;
    }
    for (; open > 0; open--) {
        if (first == 0 || !is_self(&t[first - 1], "("))
            return SIZE_MAX;
        first--;
    }
    return first;
}

const char *gh_function_column_name(const Node *operand, const gh_type *type)
{
    if (IsA(operand, ColumnRef) && IsA(llast(((const ColumnRef *)operand)->fields), String))
        return strVal(llast(((const ColumnRef *)operand)->fields));
    if (IsA(operand, FuncCall))
        return strVal(llast(((const FuncCall *)operand)->funcname));
    if (IsA(operand, TypeCast))
        return gh_function_column_name(((const TypeCast *)operand)->arg, type);
    return gh_judge_cstr(type->name);
}

void gh_function_reg_cast(gh_judge *j, Node **slot, const gh_type *type)
{
    TypeCast *c = (TypeCast *)*slot;
    const gh_reg_lookup *l = gh_reg_lookup_of(type->name);
    size_t cast = c->location < 0 ? SIZE_MAX : gh_sql_token_at(j->text, c->location);
    size_t first = SIZE_MAX;
    size_t end = cast;
    bool is_literal = c->location < 0 && gh_call_is_string(c->arg); /* regnamespace 'shop' */
    gh_placing p = { .args = &c->arg, .count = 1 };
    bool is_refused = gh_function_is_one_too_many(j, c->typeName->location);
    gh_wrap w = { 0 };
    Node *built;

    if (l != NULL && !is_refused)
        w = gh_reg_wrap(j, l, gh_function_column_name(c->arg, type),
                        gh_infer_type(j, c->arg) == GH_OID_OID ? c->arg : NULL);
    if (j->rc != GH_OK)
        return;
    if (cast != SIZE_MAX && is_self(&j->text->tokens[cast], "::")) {
        first = gh_function_operand_start(j, c->arg, cast);
    } else if (cast != SIZE_MAX) { /* CAST ( operand AS type ) */
        first = cast + 2;
        end = gh_sql_token_at(j->text, c->typeName->location) - 1;
    }
    if (w.prefix == NULL || (first == SIZE_MAX && !is_literal) || c->typeName->arrayBounds != NIL) {
        gh_judge_refuse(j, GH_DENIED, "42501", c->typeName->location,
                        "type " GH_STR_FMT " is not allowed here", GH_STR_ARG(type->name));
        return;
    }
    if (is_literal)
        gh_type_cast_literal(j, c,
                             gh_judge_printf("%s%s%s", w.prefix,
                                             gh_judge_literal(j, gh_str_of(gh_call_string(c->arg))),
                                             w.suffix));
    else
        gh_judge_edit(j, first, first, w.prefix);
    built = build(j, gh_judge_printf("%s$1%s", w.prefix, w.suffix), &p);
    if (built == NULL || p.slot == NULL)
        return;
    c->arg = built;
    j->takes_reg = true;
    gh_judge_expr(j, p.slot); /* its own text stands within ours */
    if (!is_literal)
        gh_judge_edit(j, end, end, w.suffix);
}
