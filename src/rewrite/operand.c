/*
 * Columns, literals and parameters as operands of conditions: what can be compared with what without an error,
 * whatever the values are, and how large a number can get.
 */
#include "operand.h"

#include "allow.h"
#include "fence.h"

#define COLLATION_DEFAULT 100
#define COLLATION_C       950

static const gh_operand s_none = { 0 };

/* ---- types ----------------------------------------------------------------------------------- */

/* Digits that numeric(p, s) holds: of what is stored in such a column, PostgreSQL saw to it. */
static void bound_numeric(gh_operand *o, int32_t typmod)
{
    int precision = (typmod - 4) >> 16;
    int scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;

    if (typmod < 4 || precision < 1 || precision > 1000 || scale < -1000 || scale > 1000)
        return;
    o->digits = (uint16_t)(precision > scale ? precision - scale : 1);
    o->scale = (uint16_t)(scale > 0 ? scale : 0);
}

/* Of names in information_schema: a domain over `name` without a CHECK, whose operators are those of `name`. */
static bool is_identifier(const gh_judge *j, const gh_type *t)
{
    return t->kind == 'd' && t->base == GH_OID_NAME && t->check == 0 &&
           gh_str_is(t->schema, "information_schema") && gh_str_is(t->name, "sql_identifier") &&
           !gh_catalog_is_sorted_by_code(j->in->catalog, GH_OID_NAME);
}

/*
 * SECURITY: GREATEST, and what a sub-select sorts and groups by, compare by a type's default operator class. One that
 * somebody made may fail by the value, also of an enumeration, of varchar or another type that has none of its own.
 * Attack: tests/attack code-behind-names.
 */
gh_operand gh_operand_of_type(const gh_judge *j, gh_oid oid, int32_t typmod, gh_oid collation)
{
    static const struct {
        gh_oid oid;
        gh_type_class class;
        uint16_t digits;
    } known[] = {
        { GH_OID_BOOL, GH_CLASS_BOOL, 0 },
        { GH_OID_INT8, GH_CLASS_INTEGER, 19 },
        { GH_OID_INT2, GH_CLASS_INTEGER, 5 },
        { GH_OID_INT4, GH_CLASS_INTEGER, 10 },
        { GH_OID_NUMERIC, GH_CLASS_NUMERIC, 0 },
        { GH_OID_FLOAT4, GH_CLASS_FLOAT, 0 },
        { GH_OID_FLOAT8, GH_CLASS_FLOAT, 0 },
        { GH_OID_TEXT, GH_CLASS_TEXT, 0 },
        { GH_OID_VARCHAR, GH_CLASS_TEXT, 0 },
        { GH_OID_BPCHAR, GH_CLASS_TEXT, 0 },
        { GH_OID_NAME, GH_CLASS_TEXT, 0 },
        { GH_OID_DATE, GH_CLASS_TIME_POINT, 0 },
        { GH_OID_TIMESTAMP, GH_CLASS_TIME_POINT, 0 },
        { GH_OID_TIMESTAMPTZ, GH_CLASS_TIME_POINT, 0 },
        { GH_OID_TIME, GH_CLASS_TIME, 0 },
        { GH_OID_TIMETZ, GH_CLASS_TIME, 0 },
        { GH_OID_INTERVAL, GH_CLASS_INTERVAL, 0 },
        { GH_OID_UUID, GH_CLASS_UUID, 0 },
        { GH_OID_BYTEA, GH_CLASS_BYTEA, 0 },
        { GH_OID_OID, GH_CLASS_OID, 0 },
        { GH_OID_REGCLASS, GH_CLASS_OID, 0 }, /* and kin that are compared as it is */
        { GH_OID_REGTYPE, GH_CLASS_OID, 0 },
        { GH_OID_REGNAMESPACE, GH_CLASS_OID, 0 },
        { GH_OID_CHAR, GH_CLASS_CHAR, 0 },
    };
    const gh_type *t;

    if (gh_catalog_is_sorted_by_code(j->in->catalog, oid))
        return s_none;
    if (collation == COLLATION_DEFAULT)
        collation = 0;
    for (size_t i = 0; i < GH_COUNT(known); i++) {
        gh_operand o = { .class = known[i].class,
                         .type = oid,
                         .collation = collation,
                         .digits = known[i].digits,
                         .is_cast = gh_catalog_is_cast_by_code(j->in->catalog, oid) };

        if (known[i].oid != oid)
            continue;
        if (o.class == GH_CLASS_NUMERIC)
            bound_numeric(&o, typmod);
        return o;
    }
    t = gh_catalog_type_by_oid(j->in->catalog, oid);
    if (t != NULL && t->kind == 'e')
        return (gh_operand){ .class = GH_CLASS_ENUM, .type = oid, .is_cast = t->is_cast_by_code };
    if (t != NULL && is_identifier(j, t))
        return (gh_operand){ .class = GH_CLASS_TEXT,
                             .type = GH_OID_NAME,
                             .collation = collation,
                             .is_cast = t->is_cast_by_code ||
                                        gh_catalog_is_cast_by_code(j->in->catalog, GH_OID_NAME) };
    return s_none;
}

/*
 * A parameter of a type that nobody sees from here. SECURITY: the column may be the side that is
 * cast (numeric to float8, bigint to oid; text to integer, where somebody made that cast), which fails on some of its
 * values. Attack: tests/differential/interference; tests/attack code-behind-names.
 */
static bool is_param_comparable(gh_operand o)
{
    return !o.is_cast && o.class != GH_CLASS_NUMERIC && o.class != GH_CLASS_FLOAT &&
           o.class != GH_CLASS_OID && o.type != GH_OID_INT8;
}

/*
 * A literal beside what is not one. SECURITY: beside a number or CURRENT_DATE, what is none becomes one by a cast that
 * somebody made alone, and that fails for some values: name = 5. Attack: tests/attack code-behind-names.
 */
static bool is_literal_comparable(gh_operand literal, gh_operand o)
{
    if (literal.type == GH_OID_DATE)
        return o.class == GH_CLASS_CONST || o.class == GH_CLASS_TIME_POINT ||
               o.class == GH_CLASS_TIME;
    return literal.type == 0 || o.class == GH_CLASS_CONST || o.class == GH_CLASS_INTEGER ||
           o.class == GH_CLASS_NUMERIC || o.class == GH_CLASS_FLOAT || o.class == GH_CLASS_OID;
}

bool gh_operand_are_comparable(gh_operand a, gh_operand b)
{
    if (a.class == GH_CLASS_NONE || b.class == GH_CLASS_NONE)
        return false;
    if (a.class == GH_CLASS_PARAM)
        return is_param_comparable(b);
    if (b.class == GH_CLASS_PARAM)
        return is_param_comparable(a);
    if (a.class == GH_CLASS_CONST)
        return is_literal_comparable(a, b);
    if (b.class == GH_CLASS_CONST)
        return is_literal_comparable(b, a);
    if (a.class == GH_CLASS_ENUM || b.class == GH_CLASS_ENUM)
        return a.class == b.class && a.type == b.type;
    /* SECURITY: two collations of one weight are an error, raised when a row is compared. Attack:
     * tests/differential/interference. */
    if (a.collation != 0 && b.collation != 0 && a.collation != b.collation)
        return false;
    if (a.class == b.class)
        return true;
    return (a.class == GH_CLASS_INTEGER &&
            (b.class == GH_CLASS_NUMERIC || b.class == GH_CLASS_FLOAT)) ||
           (b.class == GH_CLASS_INTEGER &&
            (a.class == GH_CLASS_NUMERIC || a.class == GH_CLASS_FLOAT));
}

/* ---- columns --------------------------------------------------------------------------------- */

/* Where a name leads. */
typedef struct gh_found {
    gh_item *item;
    const gh_column *column; /* of a relation... */
    const gh_output *output; /* ...or of a query */
} gh_found;

/* False: what the item's columns are called is not known for certain. */
static bool look_in(gh_item *item, const char *name, gh_found *found)
{
    const gh_query *q = item->result;
    const gh_column *c;

    if (q != NULL && !item->is_covered) {
        bool is_complete = q->is_complete;

        for (int i = 0; i < q->output_count; i++) {
            if (q->outputs[i].name == NULL)
                is_complete = false;
            else if (strcmp(q->outputs[i].name, name) == 0)
                *found = (gh_found){ item, NULL, &q->outputs[i] };
        }
        return is_complete;
    }
    if (item->relation == NULL || item->is_renamed)
        return false;
    c = gh_relation_column(item->relation, gh_str_of(name));
    if (c != NULL && (item->decision == NULL || item->keeps_hidden ||
                      item->decision->columns[c - item->relation->columns].show != GH_HIDDEN))
        *found = (gh_found){ item, c, NULL };
    return true;
}

static gh_found find(gh_judge *j, const ColumnRef *ref)
{
    static const gh_found nowhere;
    const char *column;

    if (list_length(ref->fields) > 2 || !IsA(llast(ref->fields), String))
        return nowhere;
    column = strVal(llast(ref->fields));
    if (list_length(ref->fields) == 2) {
        gh_found found = { 0 };
        gh_item *item = gh_judge_find_item(j, strVal(linitial(ref->fields)), NULL);

        return item != NULL && look_in(item, column, &found) ? found : nowhere;
    }
    for (gh_block *b = j->block; b != NULL; b = b->outer) {
        gh_found only = { 0 };
        ListCell *cell;

        foreach (cell, b->items) {
            gh_found found = { 0 };

            if (!look_in(lfirst(cell), column, &found) || (found.item != NULL && only.item != NULL))
                return nowhere; /* not certain; ambiguous, or merged by USING */
            if (found.item != NULL)
                only = found;
        }
        if (only.item != NULL)
            return only;
    }
    return nowhere;
}

const gh_column *gh_judge_bind(gh_judge *j, const ColumnRef *ref, gh_item **item)
{
    gh_found found = find(j, ref);

    if (found.column != NULL)
        *item = found.item;
    return found.column;
}

const gh_item *gh_operand_item(gh_judge *j, const ColumnRef *ref)
{
    return find(j, ref).item;
}

/*
 * SECURITY: a view's column may be an expression, which a condition on it would evaluate before the view's own
 * conditions and joins; so may a virtual generated column. Attack: tests/attack views.
 */
bool gh_operand_is_stored(const gh_item *item, const gh_column *c)
{
    bool is_computed =
        item->is_computed != NULL ? item->is_computed[c - item->relation->columns] : c->is_computed;

    return !is_computed && c->generated != 'v';
}

static bool is_clear(const gh_item *item, const gh_column *c)
{
    if (item->system != NULL && gh_system_is_name(item->relation, c))
        return true;
    if (!gh_operand_is_stored(item, c))
        return false;
    if (item->system != NULL)
        return gh_system_is_plain(item->system, item->relation, c);
    if (item->decision == NULL)
        return false;
    switch (item->decision->columns[c - item->relation->columns].show) {
    case GH_CLEAR:
        return true;
    case GH_HIDDEN: /* found, so it is NULL */
        return item->keeps_hidden;
    case GH_MASKED:
    case GH_BY_CELL:
        break;
    }
    return false;
}

const gh_column *gh_operand_clear(gh_judge *j, const ColumnRef *ref, gh_item **item)
{
    const gh_column *c = gh_judge_bind(j, ref, item);

    return c != NULL && is_clear(*item, c) ? c : NULL;
}

gh_operand gh_operand_of_column(const gh_judge *j, const gh_item *item, const gh_column *c)
{
    /* What a foreign table's server sends need not keep within the column's precision. */
    int32_t typmod = item->relation->kind == 'f' ? -1 : c->typmod;

    return is_clear(item, c) ? gh_operand_of_type(j, c->type_oid, typmod, c->collation) : s_none;
}

gh_operand gh_operand_column(gh_judge *j, const ColumnRef *ref)
{
    gh_found found = find(j, ref);

    if (found.output != NULL)
        return found.output->value;
    if (gh_position_is(j, ref))
        return (gh_operand){ .class = GH_CLASS_POSITION };
    return found.column != NULL ? gh_operand_of_column(j, found.item, found.column) : s_none;
}

/* ---- literals and parameters ----------------------------------------------------------------- */

gh_oid gh_operand_cast_type(const gh_judge *j, const TypeCast *c)
{
    const TypeName *n = c->typeName;
    const gh_type *t;

    if (list_length(n->names) != 2 || n->arrayBounds != NIL || n->setof ||
        strcmp(strVal(linitial(n->names)), "pg_catalog") != 0)
        return 0;
    t = gh_catalog_type(j->in->catalog, GH_STR("pg_catalog"), gh_str_of(strVal(lsecond(n->names))));
    return t != NULL ? t->oid : 0;
}

bool gh_operand_is_literal(const Node *n)
{
    return n != NULL && IsA(n, A_Const);
}

bool gh_operand_is_string(const Node *n)
{
    return gh_operand_is_literal(n) && !((const A_Const *)n)->isnull &&
           IsA(&((const A_Const *)n)->val, String);
}

/*
 * SECURITY: -0 is no less than zero, but the next text of its template says -7 in its place. Attack: tests/unit/rewrite,
 * computed_values, sub_selects.
 */
bool gh_operand_is_unsigned(const gh_judge *j, const Node *n)
{
    const A_Const *c = (const A_Const *)n;
    size_t token;

    if (!gh_operand_is_literal(n) || c->isnull || !IsA(&c->val, Integer))
        return false;
    token = gh_sql_token_at(j->text, c->location);
    return token != SIZE_MAX && j->text->tokens[token].kind == GH_TOKEN_NUMBER;
}

static gh_operand type_operand(const gh_judge *j, gh_oid type)
{
    return gh_operand_of_type(j, type, -1, type == GH_OID_NAME ? COLLATION_C : 0);
}

static gh_operand param_operand(const gh_judge *j, const ParamRef *p)
{
    gh_oid declared = gh_judge_param_type(j, p);

    if (declared != 0)
        return type_operand(j, declared);
    return (gh_operand){ .class =
                             gh_judge_param_uses(j, p) == 1 ? GH_CLASS_CONST : GH_CLASS_PARAM };
}

/* Digits of a number as it is written; one with an exponent has no bound here. */
static void bound_literal(gh_operand *o, const char *text)
{
    size_t whole = strspn(text, "0123456789");
    size_t scale = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;

    if (text[whole + (text[whole] == '.') + scale] != '\0' || whole > 100 || scale > 100)
        return;
    o->digits = (uint16_t)(whole == 0 ? 1 : whole);
    o->scale = (uint16_t)scale;
}

/* A number too large for an integer is a bigint while it can be. */
static bool is_bigint(const char *text)
{
    size_t len = strspn(text, "0123456789");

    return text[len] == '\0' &&
           (len < 19 || (len == 19 && strcmp(text, "9223372036854775807") <= 0));
}

/*
 * SECURITY: what a template's slot holds may be any number of nine digits, so all that an integer can have
 * count, not those that this one has. Attack: tests/unit/rewrite, computed_values.
 */
static gh_operand literal_operand(const A_Const *c)
{
    gh_operand o = { .class = GH_CLASS_CONST };

    if (c->isnull)
        return o;
    if (IsA(&c->val, Integer)) {
        o.type = GH_OID_INT4;
        o.digits = 10;
    } else if (IsA(&c->val, Float)) {
        const char *text = c->val.fval.fval[0] == '-' ? c->val.fval.fval + 1 : c->val.fval.fval;

        o.type = is_bigint(text) ? GH_OID_INT8 : GH_OID_NUMERIC;
        bound_literal(&o, text);
    }
    return o;
}

/*
 * SECURITY: what the planner does not fold is evaluated for each row, hidden ones included, and
 * tells by its error that there are rows: a stable cast ('x'::text::timestamptz), a cast or sum of
 * a parameter under a generic plan. So a cast stands over a literal, which the parser itself
 * converts, or gives a parameter its type. Attack: tests/differential/interference.
 */
gh_operand gh_operand_cast(const gh_judge *j, const TypeCast *c)
{
    gh_oid type = gh_operand_cast_type(j, c);
    gh_operand o = type_operand(j, type);

    if (gh_operand_is_string(c->arg))
        return o;
    if (gh_operand_is_literal(c->arg))
        return o.class == GH_CLASS_INTEGER || o.class == GH_CLASS_NUMERIC ||
                       o.class == GH_CLASS_FLOAT || o.class == GH_CLASS_BOOL ||
                       o.class == GH_CLASS_TEXT
                   ? o
                   : s_none;
    if (IsA(c->arg, ParamRef) && c->typeName->typmods == NIL) {
        gh_oid declared = gh_judge_param_type(j, (const ParamRef *)c->arg);

        if (declared == type ||
            (declared == 0 && gh_judge_param_uses(j, (const ParamRef *)c->arg) == 1))
            return o;
    }
    return s_none;
}

/* Of two numbers' types the later one here is that of their sum; 0: it is no number. */
static int width(gh_operand o)
{
    static const gh_oid types[] = { GH_OID_INT2,    GH_OID_INT4,   GH_OID_INT8,
                                    GH_OID_NUMERIC, GH_OID_FLOAT4, GH_OID_FLOAT8 };

    for (size_t i = 0; i < GH_COUNT(types); i++) {
        if (types[i] == o.type)
            return (int)i + 1;
    }
    return 0;
}

/*
 * SECURITY: 1e400 + 1 is a numeric, whichever stands first, and so is what CASE makes of it and of an integer: a
 * value that fails to become the float that it is compared with. Attack: tests/unit/rewrite, computed_values.
 */
static gh_operand folded_sum(gh_operand left, gh_operand right)
{
    gh_operand o = left;

    if (width(left) != 0 && width(right) != 0) {
        o = width(right) > width(left) ? right : left;
    } else if (left.class != GH_CLASS_TIME_POINT &&
               (right.class == GH_CLASS_TIME_POINT || left.class == GH_CLASS_CONST)) {
        o = right;
    }
    if (o.class == GH_CLASS_TIME_POINT) /* a date may be a timestamp */
        o.type = 0;
    o.digits = 0;
    return o;
}

/* A sum or difference of literals, which is folded when planned: an error there depends on no row. */
static gh_operand folded_operand(const gh_judge *j, const Node *n)
{
    const A_Expr *e = (const A_Expr *)n;
    gh_operand left = { .class = GH_CLASS_CONST };
    gh_operand right;

    if (gh_operand_is_literal(n))
        return literal_operand((const A_Const *)n);
    if (n != NULL && IsA(n, TypeCast) && gh_operand_is_literal(((const TypeCast *)n)->arg)) {
        right = gh_operand_cast(j, (const TypeCast *)n);
        return right.type == GH_OID_TIMESTAMPTZ || right.type == GH_OID_TIMETZ ||
                       right.class == GH_CLASS_OID
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
    if (left.class == GH_CLASS_NONE || right.class == GH_CLASS_NONE)
        return s_none;
    return folded_sum(left, right);
}

gh_operand gh_operand_settled(const gh_judge *j, gh_operand o)
{
    if (o.class != GH_CLASS_CONST)
        return o;
    if (o.type == GH_OID_DATE) /* CURRENT_DATE, or one of its kin */
        return (gh_operand){ .class = GH_CLASS_TIME_POINT };
    if (o.type != GH_OID_NUMERIC)
        return gh_operand_of_type(j, width(o) != 0 ? o.type : GH_OID_TEXT, -1, 0);
    o.class = GH_CLASS_NUMERIC;
    return o;
}

gh_operand gh_operand_constant(const gh_judge *j, const Node *n)
{
    if (n == NULL)
        return s_none;
    switch (nodeTag(n)) {
    case T_A_Const:
        return literal_operand((const A_Const *)n);
    case T_SQLValueFunction: /* what is left of them are dates and times */
        return (gh_operand){ .class = GH_CLASS_CONST, .type = GH_OID_DATE };
    case T_ParamRef:
        return param_operand(j, (const ParamRef *)n);
    case T_TypeCast:
        return gh_operand_cast(j, (const TypeCast *)n);
    case T_A_Expr:
        return folded_operand(j, n);
    default:
        return s_none;
    }
}

/*
 * Of an array that a row holds, each element of which is one of a type that is known: reading them fails for none.
 *
 * SECURITY: it takes time by how many there are, as LIKE does by how long a text is. Attack: tests/differential/interference.
 */
static gh_operand column_elements(gh_judge *j, const ColumnRef *ref)
{
    gh_item *item = NULL;
    const gh_column *c = gh_operand_clear(j, ref, &item);
    const gh_type *t = c != NULL ? gh_catalog_type_by_oid(j->in->catalog, c->type_oid) : NULL;

    return t != NULL && t->category == 'A' && t->element != 0
               ? gh_operand_of_type(j, t->element, -1, c->collation)
               : s_none;
}

gh_operand gh_operand_elements(gh_judge *j, const Node *n)
{
    const TypeCast *c = (const TypeCast *)n;
    TypeCast element;
    TypeName name;

    if (n != NULL && IsA(n, ColumnRef))
        return column_elements(j, (const ColumnRef *)n);
    if (gh_operand_is_literal(n))
        return (gh_operand){ .class = GH_CLASS_CONST };
    if (n != NULL && IsA(n, ParamRef))
        return (gh_operand){ .class = gh_judge_param_type(j, (const ParamRef *)n) == 0 &&
                                              gh_judge_param_uses(j, (const ParamRef *)n) == 1
                                          ? GH_CLASS_CONST
                                          : GH_CLASS_PARAM };
    if (n != NULL && IsA(n, SubLink))
        return gh_query_elements(j, (const SubLink *)n);
    if (n == NULL || !IsA(n, TypeCast) || list_length(c->typeName->arrayBounds) != 1)
        return s_none;
    element = *c;
    name = *c->typeName;
    name.arrayBounds = NIL;
    element.typeName = &name;
    return gh_operand_cast(j, &element);
}
