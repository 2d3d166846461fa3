/*
 * Time in row filters and masks. What PostgreSQL reads, prints and cuts of an instant (timestamp with time zone)
 * depends on the session's TimeZone, which the client sets; how it prints any date, on DateStyle. So an
 * expression of the policy works on the wall clock of UTC instead, in plain timestamps:
 *
 *     at >= '2026-01-01'        gh.at >= timezone('UTC', CAST('2026-01-01' AS timestamp))   index still serves
 *     at::date = current_date   CAST(timezone('UTC', gh.at) AS date) = <today in UTC>
 *     left(day::text, 4)        ISO's digits, whatever the style
 *
 * An instant that is compared stays one, and the other side becomes one; everywhere else it becomes UTC's
 * timestamp where it enters the expression. A literal that says its own zone keeps it.
 *
 * SECURITY: a client that moves its time zone moves the edge of a filter by up to a week, and reads what lies
 * between. Attack: tests/integration/policy_time.py.
 */
#include "policy_expr.h"

#include "infer.h"

#define TO_UTC   "\"pg_catalog\".\"timezone\"('UTC', "
#define OF_UTC   TO_UTC "CAST("
#define NOW_UTC  TO_UTC "CURRENT_TIMESTAMP)"
#define TODAY    "CAST(" NOW_UTC " AS \"pg_catalog\".\"date\")"
#define AS_STAMP " AS \"pg_catalog\".\"timestamp\")"

static bool is_word(const char *s, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(s, words[i]) == 0)
            return true;
    }
    return false;
}

/* ---- literals -------------------------------------------------------------------------------- */

const char *gh_policy_literal(const Node *n)
{
    const A_Const *c = (const A_Const *)n;

    return n != NULL && IsA(n, A_Const) && !c->isnull && IsA(&c->val, String) ? strVal(&c->val)
                                                                              : NULL;
}

static const gh_acl_attribute *attribute_of(const gh_policy_scope *p, const Node *n)
{
    const FuncCall *f = (const FuncCall *)n;
    const char *name = gh_policy_is_attribute(n) && list_length(f->args) == 1
                           ? gh_policy_literal(linitial(f->args))
                           : NULL;

    return name != NULL ? gh_view_attribute(p->judge.in->view, gh_str_of(name)) : NULL;
}

/* The text that a cast reads, where it is known: a literal, or an attribute of the user's. */
static const char *text_of(const gh_policy_scope *p, const Node *n)
{
    const FuncCall *f = (const FuncCall *)n;
    const gh_acl_attribute *a = attribute_of(p, n);

    if (!gh_policy_is_attribute(n) || list_length(f->args) != 1)
        return gh_policy_literal(n);
    return a != NULL && !a->is_list ? gh_judge_cstr(a->values.items[0]) : NULL;
}

/* A literal of a date or time that means the same in every session; else the expression is broken. */
static void check_literal(gh_policy_scope *p, const char *s, gh_time_kind kind)
{
    if (s == NULL || kind == GH_TIME_NONE)
        return;
    if (gh_time_text_is_ambiguous(s))
        gh_policy_broken(p, "date is not written as year-month-day: DateStyle would decide");
    else if (gh_time_text_is_relative(s) && !(kind == GH_TIME_INSTANT && strlen(s) == 3))
        gh_policy_broken(p, "day is relative to the session's: current_date is not");
}

/* ---- edits ----------------------------------------------------------------------------------- */

static void put(gh_policy_scope *p, size_t at, const char *text)
{
    if (at == SIZE_MAX)
        gh_policy_broken(p, "where a time ends is not clear: write it as a function, or with CAST");
    else
        gh_judge_edit(&p->judge, at, at, text);
}

static void walk(gh_policy_scope *p, const Node *n)
{
    Node *slot = (Node *)(uintptr_t)n;

    if (slot != NULL)
        gh_policy_walk((struct Node **)&slot, p);
}

/* As it is: whatever instants are in it stay instants. */
static void walk_kept(gh_policy_scope *p, const Node *n)
{
    bool before = p->keeps_instants;

    p->keeps_instants = true;
    walk(p, n);
    p->keeps_instants = before;
}

/* An instant that is there as such: nothing of the session is asked to make it. */
static bool is_bare_instant(gh_policy_scope *p, const Node *n)
{
    const FuncCall *f = (const FuncCall *)n;

    if (gh_policy_time_kind(p, n) != GH_TIME_INSTANT)
        return false;
    if (IsA(n, FuncCall))
        return (gh_policy_makes_instant(f) && list_length(f->args) < 2) ||
               gh_policy_cuts_in_a_zone(f) || gh_policy_gives_instant(p, f);
    if (IsA(n, TypeCast))
        return text_of(p, ((const TypeCast *)n)->arg) != NULL &&
               gh_time_text_has_zone(text_of(p, ((const TypeCast *)n)->arg));
    return IsA(n, ColumnRef) || IsA(n, A_Indirection) || IsA(n, SQLValueFunction);
}

static void wrap(gh_policy_scope *p, const Node *n, const char *before, const char *after)
{
    gh_span span = gh_policy_span(p, n);

    put(p, span.first, before);
    walk_kept(p, n);
    put(p, span.end, after);
}

/* ---- comparisons ----------------------------------------------------------------------------- */

static bool can_be_instant(gh_policy_scope *p, const Node *n)
{
    return is_bare_instant(p, n) || gh_policy_span(p, n).end != SIZE_MAX;
}

/* PostgreSQL knows, but not whether the session would be asked for a zone. */
static bool is_unknown(gh_policy_scope *p, const Node *n)
{
    return !IsA(n, A_Const) && !gh_policy_is_attribute(n) && !IsA(n, SubLink) &&
           gh_policy_time_kind(p, n) == GH_TIME_NONE && gh_policy_type(p, n) == 0;
}

static void arguments(gh_policy_scope *p, const FuncCall *f);
static bool alternatives(gh_policy_scope *p, const List *values);

static void refuse_asking(gh_policy_scope *p)
{
    gh_policy_broken(p, "function reads or makes a time by the session's zone");
}

/* A bare one: what a function makes it of is looked at by itself. */
static void walk_instant(gh_policy_scope *p, const Node *n)
{
    FuncCall *f = (FuncCall *)(uintptr_t)n;

    if (IsA(n, FuncCall) && gh_policy_asks_session(f))
        refuse_asking(p);
    else if (!IsA(n, FuncCall) || gh_policy_is_timezone(f) ||
             (gh_policy_makes_instant(f) && !gh_policy_cuts_in_a_zone(f)))
        walk_kept(p, n);
    else if (gh_policy_name_call(p, f))
        arguments(p, f);
}

/* One side of a comparison with an instant, as an instant. */
static void side(gh_policy_scope *p, const Node *n, bool is_kept)
{
    const char *text = gh_policy_literal(n);
    gh_span span = gh_policy_span(p, n);

    if (text != NULL && gh_time_text_has_zone(text) && !is_kept) {
        put(p, span.first, OF_UTC);
        put(p, span.end, " AS \"pg_catalog\".\"timestamptz\"))");
    } else if (!is_kept) {
        walk(p, n);
    } else if (is_unknown(p, n)) {
        gh_policy_broken(p, "type of what is compared with a time is not known: cast it");
    } else if (is_bare_instant(p, n) || (text != NULL && gh_time_text_has_zone(text))) {
        walk_instant(p, n);
    } else if (text == NULL && gh_policy_time_kind(p, n) == GH_TIME_NONE) {
        walk(p, n);
    } else {
        put(p, span.first, OF_UTC);
        walk(p, n);
        put(p, span.end, AS_STAMP ")");
    }
}

static bool is_comparison(const A_Expr *e)
{
    static const char *const names[] = { "=", "<>", "<", "<=", ">", ">=" };

    switch (e->kind) {
    case AEXPR_IN:
    case AEXPR_BETWEEN:
    case AEXPR_NOT_BETWEEN:
    case AEXPR_BETWEEN_SYM:
    case AEXPR_NOT_BETWEEN_SYM:
        return true;
    case AEXPR_OP:
    case AEXPR_DISTINCT:
    case AEXPR_NOT_DISTINCT:
        return e->lexpr != NULL && is_word(gh_policy_own_name(e->name), names, GH_COUNT(names));
    case AEXPR_OP_ANY:
    case AEXPR_OP_ALL:
    case AEXPR_NULLIF:
    case AEXPR_LIKE:
    case AEXPR_ILIKE:
    case AEXPR_SIMILAR:
    default:
        return false;
    }
}

static bool comparison(gh_policy_scope *p, const A_Expr *e)
{
    List *sides = IsA(e->rexpr, List) ? lcons(e->lexpr, list_copy((const List *)e->rexpr))
                                      : list_make2(e->lexpr, e->rexpr);
    gh_time_kind kind = GH_TIME_NONE;
    bool is_kept = true;
    ListCell *cell;

    foreach (cell, sides) {
        gh_time_kind one = gh_policy_time_kind(p, lfirst(cell));

        if (kind == GH_TIME_NONE || one == GH_TIME_INSTANT)
            kind = one;
        is_kept &= can_be_instant(p, lfirst(cell));
    }
    foreach (cell, sides)
        check_literal(p, gh_policy_literal(lfirst(cell)), kind);
    if (kind != GH_TIME_INSTANT)
        return false;
    foreach (cell, sides)
        side(p, lfirst(cell), is_kept);
    return true;
}

/* ---- casts ----------------------------------------------------------------------------------- */

static bool is_text(gh_oid type)
{
    static const gh_oid types[] = { GH_OID_TEXT, GH_OID_VARCHAR, GH_OID_BPCHAR, GH_OID_NAME };

    for (size_t i = 0; i < GH_COUNT(types); i++) {
        if (types[i] == type)
            return true;
    }
    return false;
}

static bool is_text_type(const TypeName *t)
{
    static const char *const names[] = { "text", "varchar", "bpchar", "name" };

    return t->arrayBounds == NIL && is_word(gh_policy_own_name(t->names), names, GH_COUNT(names));
}

/* JSON prints dates and times in ISO's form under every DateStyle. */
static void iso_text(gh_policy_scope *p, const Node *n)
{
    gh_span span = gh_policy_span(p, n);

    put(p, span.first, "\"pg_catalog\".\"replace\"(\"pg_catalog\".\"jsonb_build_array\"(");
    walk(p, n);
    put(p, span.end, ") OPERATOR(\"pg_catalog\".->>) 0, 'T', ' ')");
}

/* Of a domain over timestamptz the words are not replaced, so that nothing but a literal with a zone may become one. */
static bool check_cast(gh_policy_scope *p, const TypeCast *c)
{
    gh_oid type = gh_policy_type(p, (const Node *)c);
    unsigned what = gh_policy_traits(p, type);
    bool is_plain = strcmp(gh_policy_own_name(c->typeName->names), "timestamptz") == 0;
    const char *text = text_of(p, c->arg);
    const gh_acl_attribute *a = attribute_of(p, c->arg);

    if (is_plain) /* of UTC, see below */
        what = (what & ~GH_TRAIT_ZONE) | ((what & GH_TRAIT_HOLDS) != 0 ? GH_TRAIT_NO_ZONE : 0);
    else if (text == NULL && type == GH_OID_TIMESTAMPTZ)
        gh_policy_broken(p, "cast to a domain over timestamptz: cast to timestamptz");
    gh_policy_check_literal(p, text, what);
    for (size_t i = 0; a != NULL && i < a->values.count; i++)
        gh_policy_check_literal(p, gh_judge_cstr(a->values.items[i]), what);
    return !p->is_broken;
}

static bool cast(gh_policy_scope *p, const TypeCast *c)
{
    size_t type = gh_sql_token_at(p->judge.text, c->typeName->location);
    size_t end = gh_policy_type_end(p, c->typeName);

    if (!check_cast(p, c))
        return true;
    if (is_text(gh_infer_element(&p->judge, gh_policy_type(p, (const Node *)c))) &&
        gh_policy_print(p, c->arg))
        return true;
    if (is_text_type(c->typeName) && gh_policy_print_cast(p, c)) {
        walk(p, (const Node *)c->typeName);
        return true;
    }
    if (is_text_type(c->typeName) && gh_policy_time_kind(p, c->arg) != GH_TIME_NONE) {
        iso_text(p, c->arg);
        walk(p, (const Node *)c->typeName);
        return true;
    }
    if (gh_policy_time_kind(p, (const Node *)c) == GH_TIME_INSTANT && text_of(p, c->arg) != NULL &&
        gh_time_text_has_zone(text_of(p, c->arg))) {
        wrap(p, (const Node *)c, TO_UTC, ")");
        return true;
    }
    if (strcmp(gh_policy_own_name(c->typeName->names), "timestamptz") != 0 || type == SIZE_MAX ||
        end == SIZE_MAX)
        return false;
    if (IsA(c->arg, A_ArrayExpr)) {
        ListCell *cell;

        foreach (cell, ((const A_ArrayExpr *)c->arg)->elements)
            side(p, lfirst(cell), false);
    } else {
        walk(p, c->arg);
    }
    gh_judge_edit(&p->judge, type, end, "\"pg_catalog\".\"timestamp\"");
    return true;
}

/* ---- functions ------------------------------------------------------------------------------- */

/* `x AT TIME ZONE z`: of an instant it asks nobody else for a zone; of a timestamp it makes an instant. */
static bool at_time_zone(gh_policy_scope *p, const FuncCall *f)
{
    const Node *zone = linitial(f->args);
    const Node *time = lsecond(f->args);
    gh_span span = gh_policy_span(p, (const Node *)f);

    check_literal(p, gh_policy_literal(time), GH_TIME_INSTANT);
    if (gh_policy_literal(time) != NULL || gh_policy_time_kind(p, time) == GH_TIME_INSTANT) {
        walk(p, zone);
        side(p, time, true);
        return true;
    }
    put(p, span.first, TO_UTC);
    walk(p, zone);
    walk(p, time);
    put(p, span.end, ")");
    return true;
}

/* Functions that work on timestamps as they do on instants, in the session's zone there. */
static bool takes_stamps(const gh_policy_scope *p, const FuncCall *f)
{
    static const char *const names[] = { "date_trunc", "date_part", "extract",  "to_char",
                                         "date_bin",   "age",       "isfinite", "overlaps",
                                         "max",        "min",       "count" };
    const char *name = gh_policy_own_name(f->funcname);

    if (gh_policy_cuts_in_a_zone(f) || name[0] == '\0')
        return false;
    return is_word(name, names, GH_COUNT(names)) || !gh_policy_has_instants(p, name);
}

static bool prints(const FuncCall *f)
{
    static const char *const names[] = { "concat",        "concat_ws",      "format",
                                         "quote_literal", "quote_nullable", "text",
                                         "varchar",       "bpchar",         "name" };

    return is_word(gh_policy_own_name(f->funcname), names, GH_COUNT(names));
}

static void arguments(gh_policy_scope *p, const FuncCall *f)
{
    bool is_overlaps = strcmp(gh_policy_own_name(f->funcname), "overlaps") == 0;
    ListCell *cell;

    if (is_overlaps && alternatives(p, f->args))
        return;
    foreach (cell, f->args) {
        gh_time_kind kind = gh_policy_time_kind(p, lfirst(cell));
        const char *text = gh_policy_literal(lfirst(cell));

        if (gh_policy_prints(f) && kind == GH_TIME_NONE && gh_policy_print(p, lfirst(cell)))
            continue;
        if (text != NULL)
            gh_policy_check_literal(p, text,
                                    gh_policy_argument_traits(p, f, foreach_current_index(cell)));
        if (prints(f) && kind != GH_TIME_NONE)
            iso_text(p, lfirst(cell));
        else if (!takes_stamps(p, f) &&
                 (kind == GH_TIME_INSTANT ||
                  (kind != GH_TIME_NONE &&
                   gh_policy_wants_instant(p, f, foreach_current_index(cell)))))
            side(p, lfirst(cell), true);
        else
            walk(p, lfirst(cell));
    }
}

static bool call(gh_policy_scope *p, FuncCall *f)
{
    gh_span span = gh_policy_span(p, (const Node *)f);
    size_t open = 2 * (size_t)list_length(f->funcname) - 1;
    bool is_instant =
        gh_policy_makes_instant(f) || gh_policy_cuts_in_a_zone(f) || gh_policy_gives_instant(p, f);
    /* Of a text or of numbers without a zone: what the session's zone makes of it is taken back. */
    bool is_local =
        gh_policy_makes_instant(f) && (list_length(f->args) == 2 || list_length(f->args) == 6);

    if (gh_policy_is_timezone(f))
        return at_time_zone(p, f);
    if (gh_policy_is_attribute((const Node *)f) || f->agg_order != NIL || f->agg_filter != NULL ||
        f->over != NULL)
        return false;
    if (is_instant)
        put(p, span.first, is_local ? "CAST(" : TO_UTC);
    if (!gh_policy_name_call(p, f))
        return true;
    if (strcmp(gh_policy_own_name(f->funcname), "age") == 0 && list_length(f->args) == 1 &&
        span.end != SIZE_MAX) /* counted from today */
        put(p, span.first + open + 1, "CAST(" TODAY AS_STAMP ", ");
    arguments(p, f);
    if (is_instant)
        put(p, span.end, is_local ? AS_STAMP : ")");
    return true;
}

static bool value_function(gh_policy_scope *p, const SQLValueFunction *f)
{
    gh_span span = gh_policy_span(p, (const Node *)f);
    const char *sql;

    switch (f->op) {
    case SVFOP_CURRENT_TIMESTAMP:
    case SVFOP_CURRENT_TIMESTAMP_N:
    case SVFOP_LOCALTIMESTAMP:
    case SVFOP_LOCALTIMESTAMP_N:
        sql = NOW_UTC;
        break;
    case SVFOP_CURRENT_DATE:
        sql = TODAY;
        break;
    case SVFOP_CURRENT_TIME:
    case SVFOP_CURRENT_TIME_N:
    case SVFOP_LOCALTIME:
    case SVFOP_LOCALTIME_N:
        sql = "CAST(" NOW_UTC " AS \"pg_catalog\".\"time\")";
        break;
    case SVFOP_CURRENT_ROLE:
    case SVFOP_CURRENT_USER:
    case SVFOP_USER:
    case SVFOP_SESSION_USER:
    case SVFOP_CURRENT_CATALOG:
    case SVFOP_CURRENT_SCHEMA:
    default:
        return false;
    }
    gh_judge_edit(&p->judge, span.first, span.end, sql);
    return true;
}

/* ---- entry ----------------------------------------------------------------------------------- */

/*
 * Of values of which one type is made, an instant is UTC's timestamp here, as which a literal would lose the zone that it says:
 * greatest(at, '2026-01-01 00:00+02').
 */
static bool alternatives(gh_policy_scope *p, const List *values)
{
    bool has_instant = false;
    bool has_zone = false;
    ListCell *cell;

    gh_policy_check_alike(p, values);
    foreach (cell, values) {
        const char *text = gh_policy_literal(lfirst(cell));

        has_instant |= gh_policy_time_kind(p, lfirst(cell)) == GH_TIME_INSTANT;
        has_zone |= text != NULL && gh_time_text_has_zone(text);
    }
    if (!has_instant || !has_zone)
        return false;
    foreach (cell, values)
        side(p, lfirst(cell), false);
    return true;
}

/* (at, id) > ('2026-01-01', 5): of each place by itself. False: they are no rows of one length. */
static bool rows(gh_policy_scope *p, const A_Expr *e)
{
    List *all = IsA(e->rexpr, List) ? lcons(e->lexpr, list_copy((const List *)e->rexpr))
                                    : list_make2(e->lexpr, e->rexpr);
    int width = e->lexpr != NULL && IsA(e->lexpr, RowExpr)
                    ? list_length(((const RowExpr *)e->lexpr)->args)
                    : 0;
    ListCell *cell;

    foreach (cell, all) {
        if (width == 0 || !IsA(lfirst(cell), RowExpr) ||
            list_length(((const RowExpr *)lfirst(cell))->args) != width)
            return false;
    }
    for (int i = 0; i < width; i++) {
        List *column = NIL;

        foreach (cell, all)
            column = lappend(column, list_nth(((const RowExpr *)lfirst(cell))->args, i));
        if (alternatives(p, column))
            continue;
        foreach (cell, column)
            walk(p, lfirst(cell));
    }
    return true;
}

static List *results_of(const CaseExpr *c)
{
    List *out = NIL;
    ListCell *cell;

    foreach (cell, c->args)
        out = lappend(out, lfirst_node(CaseWhen, cell)->result);
    return c->defresult != NULL ? lappend(out, c->defresult) : out;
}

static bool choice(gh_policy_scope *p, const CaseExpr *c)
{
    List *tested = c->arg != NULL ? list_make1(c->arg) : NIL;
    ListCell *cell;

    foreach (cell, c->arg != NULL ? c->args : NIL)
        tested = lappend(tested, lfirst_node(CaseWhen, cell)->expr);
    gh_policy_check_alike(p, tested);
    if (!alternatives(p, results_of(c)))
        return false;
    walk(p, (const Node *)c->arg);
    foreach (cell, c->args)
        walk(p, (const Node *)lfirst_node(CaseWhen, cell)->expr);
    return true;
}

/* at = ANY (ats): what is stored there are instants, a cast's or a query's are timestamps here. */
static bool holds_instants(gh_policy_scope *p, const A_Expr *e)
{
    return (e->kind == AEXPR_OP_ANY || e->kind == AEXPR_OP_ALL) && IsA(e->rexpr, ColumnRef) &&
           gh_infer_element(&p->judge, gh_policy_type(p, e->rexpr)) == GH_OID_TIMESTAMPTZ;
}

/* Operators that are neither comparisons nor sums: `||` prints, others want instants, ranges among them. */
static bool operation(gh_policy_scope *p, const A_Expr *e)
{
    const Node *sides[] = { e->lexpr, e->rexpr };
    const char *name = gh_policy_own_name(e->name);

    gh_policy_check_neighbours(p, e, is_comparison(e));
    if (rows(p, e))
        return true;
    if (is_comparison(e))
        return comparison(p, e);
    if (holds_instants(p, e)) {
        side(p, e->lexpr, true);
        walk(p, e->rexpr);
        return true;
    }
    if (e->kind == AEXPR_NULLIF ||
        (e->kind == AEXPR_OP && e->lexpr != NULL && strcmp(name, "-") == 0))
        return alternatives(p, list_make2(e->lexpr, e->rexpr));
    if (e->kind != AEXPR_OP || e->lexpr == NULL || strcmp(name, "+") == 0)
        return false;
    for (size_t i = 0; i < GH_COUNT(sides); i++) {
        gh_time_kind kind = gh_policy_time_kind(p, sides[i]);

        if (strcmp(name, "||") == 0 && kind == GH_TIME_NONE && !gh_policy_is_bytes(p, sides[i]) &&
            gh_policy_print(p, sides[i]))
            continue;
        if (strcmp(name, "||") == 0 && kind != GH_TIME_NONE)
            iso_text(p, sides[i]);
        else if (kind == GH_TIME_INSTANT)
            side(p, sides[i], true);
        else
            walk(p, sides[i]);
    }
    return true;
}

/* XML: dates and times are in ISO's form. */
static bool xml(gh_policy_scope *p, const XmlExpr *x)
{
    List *values = list_concat(list_copy(x->named_args), list_copy(x->args));
    ListCell *cell;

    foreach (cell, values) {
        const Node *n = lfirst(cell);

        if (IsA(n, ResTarget))
            n = ((const ResTarget *)n)->val;
        if (gh_policy_time_kind(p, n) != GH_TIME_NONE || !gh_policy_print(p, n))
            walk(p, n);
    }
    return true;
}

/* Of a part that is kept as it is, a literal has no zone but its own. */
static bool kept(gh_policy_scope *p, Node *n)
{
    const SQLValueFunction *v = (const SQLValueFunction *)n;
    ListCell *cell;

    switch (nodeTag(n)) {
    case T_A_Expr:
        gh_policy_check_neighbours(p, (const A_Expr *)n, false);
        return false;
    case T_TypeCast:
        gh_policy_check_literal(p, text_of(p, ((const TypeCast *)n)->arg),
                                gh_policy_traits(p, gh_policy_type(p, n)));
        return false;
    case T_FuncCall:
        foreach (cell, ((const FuncCall *)n)->args)
            gh_policy_check_literal(
                p, gh_policy_literal(lfirst(cell)),
                gh_policy_argument_traits(p, (const FuncCall *)n, foreach_current_index(cell)));
        return false;
    case T_SQLValueFunction:
        return v->op != SVFOP_CURRENT_TIMESTAMP && v->op != SVFOP_CURRENT_TIMESTAMP_N &&
               value_function(p, v);
    default:
        return false;
    }
}

bool gh_policy_time(gh_policy_scope *p, Node *n)
{
    if (IsA(n, FuncCall) && gh_policy_asks_session((const FuncCall *)n))
        refuse_asking(p);
    if (p->keeps_instants)
        return kept(p, n);
    switch (nodeTag(n)) {
    case T_A_Expr:
        return operation(p, (const A_Expr *)n);
    case T_TypeCast:
        return cast(p, (const TypeCast *)n);
    case T_FuncCall:
        return call(p, (FuncCall *)n);
    case T_SQLValueFunction:
        return value_function(p, (const SQLValueFunction *)n);
    case T_CoalesceExpr:
        return alternatives(p, ((const CoalesceExpr *)n)->args);
    case T_MinMaxExpr:
        return alternatives(p, ((const MinMaxExpr *)n)->args);
    case T_A_ArrayExpr:
        return alternatives(p, ((const A_ArrayExpr *)n)->elements);
    case T_CaseExpr:
        return choice(p, (const CaseExpr *)n);
    case T_XmlExpr:
        return xml(p, (const XmlExpr *)n);
    case T_A_Indirection:
        if (gh_policy_time_kind(p, n) != GH_TIME_INSTANT)
            return false;
        if (gh_policy_span(p, n).end == SIZE_MAX)
            gh_policy_broken(p, "part of an array or row: cast it to timestamp");
        wrap(p, n, TO_UTC, ")");
        return true;
    case T_ColumnRef:
        if (gh_policy_time_kind(p, n) != GH_TIME_INSTANT)
            return false;
        put(p, gh_policy_span(p, n).first, TO_UTC);
        gh_policy_column(p, (ColumnRef *)n);
        put(p, gh_policy_span(p, n).end, ")");
        return true;
    default:
        return false;
    }
}

/* What a mask gives becomes of the column's type: text, of whatever it is. */
void gh_policy_value(gh_policy_scope *p, Node *n)
{
    gh_oid type = p->value != NULL ? gh_policy_base(p, p->value->type_oid) : 0;

    if (is_text(type) && gh_policy_time_kind(p, n) != GH_TIME_NONE)
        iso_text(p, n);
    else if (!(is_text(type) || is_text(gh_infer_element(&p->judge, type))) ||
             !gh_policy_print(p, n))
        walk(p, n);
}

char *gh_policy_time_mask(const char *sql, gh_str type_sql)
{
    return gh_judge_printf("CAST(" OF_UTC "(%s)" AS_STAMP ") AS " GH_STR_FMT ")", sql,
                           GH_STR_ARG(type_sql));
}
