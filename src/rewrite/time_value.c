/*
 * time_value.c: points in time that are the same for every row, and cannot fail: today, and what is so near to it that no
 * calendar ends there.
 *
 *     current_date - 30          now() - interval '3 months'          date_trunc('month', now())::date
 *
 * and not
 *
 *     current_date - 3000000     now() - $1::interval                 clock_timestamp(), which is another for each
 *
 * SECURITY: PostgreSQL computes them for each row of a scan, hidden ones included, so they are bounded by what their literals
 * say, which templates must then not change. Attack: tests/unit/rewrite, times_near_today; tests/differential/early.
 */
#include "operand.h"

/* So many steps of so many months lead to no year that no calendar has. */
#define STEPS_MAX  4
#define MONTHS_MAX 9999
#define DAYS_MAX   99999

static const gh_operand s_none = { 0 };

typedef struct gh_unit {
    const char *name;
    long max; /* of an interval */
} gh_unit;

static const gh_unit s_units[] = {
    { "second", 999999999 }, { "minute", DAYS_MAX },
    { "hour", DAYS_MAX },    { "day", DAYS_MAX },
    { "week", 9999 },        { "month", MONTHS_MAX },
    { "quarter", 0 },        { "year", MONTHS_MAX / 12 },
};

static const char *text_of(const Node *n)
{
    return gh_operand_is_string(n) ? strVal(&((const A_Const *)n)->val) : "";
}

/* Of a name in singular or plural; NULL: none. */
static const gh_unit *unit(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < GH_COUNT(s_units); i++) {
        size_t own = strlen(s_units[i].name);

        if (strncmp(name, s_units[i].name, own) == 0 &&
            (len == own || (len == own + 1 && name[own] == 's')))
            return &s_units[i];
    }
    return NULL;
}

/* interval '30 days' */
static bool is_short_interval(gh_judge *j, const Node *n)
{
    const TypeCast *c = (const TypeCast *)n;
    const char *text;
    size_t digits;
    const gh_unit *u;

    if (!IsA(n, TypeCast) || gh_operand_cast_type(j, c) != GH_OID_INTERVAL ||
        c->typeName->typmods != NIL)
        return false;
    text = text_of(c->arg);
    digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9 || text[digits] != ' ')
        return false;
    u = unit(text + digits + 1);
    return u != NULL && strtol(text, NULL, 10) <= u->max;
}

static bool is_short_number(const gh_judge *j, const Node *n)
{
    return gh_operand_is_unsigned(j, n) && intVal(&((const A_Const *)n)->val) <= DAYS_MAX;
}

static gh_oid time_type(gh_judge *j, const Node *n, int steps);

static gh_oid moved(gh_judge *j, const A_Expr *e, int steps)
{
    gh_oid of;

    if (e->kind != AEXPR_OP || list_length(e->name) != 1 || e->lexpr == NULL ||
        (strcmp(strVal(linitial(e->name)), "+") != 0 &&
         strcmp(strVal(linitial(e->name)), "-") != 0))
        return 0;
    of = time_type(j, e->lexpr, steps + 1);
    if (of == GH_OID_DATE && is_short_number(j, e->rexpr))
        return of;
    if (of == 0 || !is_short_interval(j, e->rexpr))
        return 0;
    return of == GH_OID_DATE ? GH_OID_TIMESTAMP : of;
}

static gh_oid called(gh_judge *j, const FuncCall *f, int steps)
{
    const char *name = gh_value_plain_name(f);
    int count = list_length(f->args);
    gh_oid of;

    if (name == NULL || f->over != NULL)
        return 0;
    if (count == 0)
        return strcmp(name, "now") == 0 || strcmp(name, "transaction_timestamp") == 0 ||
                       strcmp(name, "statement_timestamp") == 0
                   ? GH_OID_TIMESTAMPTZ
                   : 0;
    of = count == 2 ? time_type(j, lsecond(f->args), steps + 1) : 0;
    if (strcmp(name, "date_trunc") == 0 && of != 0 && unit(text_of(linitial(f->args))) != NULL)
        return of == GH_OID_DATE ? GH_OID_TIMESTAMPTZ : of;
    if (strcmp(name, "timezone") == 0 && of == GH_OID_TIMESTAMPTZ &&
        strcmp(text_of(linitial(f->args)), "UTC") == 0)
        return GH_OID_TIMESTAMP;
    return 0;
}

static gh_oid cast(gh_judge *j, const TypeCast *c, int steps)
{
    gh_oid type = gh_operand_cast_type(j, c);

    if ((type != GH_OID_DATE && type != GH_OID_TIMESTAMP && type != GH_OID_TIMESTAMPTZ) ||
        c->typeName->typmods != NIL || time_type(j, c->arg, steps + 1) == 0)
        return 0;
    return type;
}

/* 0: it is no such time. */
static gh_oid time_type(gh_judge *j, const Node *n, int steps)
{
    if (n == NULL || steps > STEPS_MAX)
        return 0;
    switch (nodeTag(n)) {
    case T_SQLValueFunction:
        switch (((const SQLValueFunction *)n)->op) {
        case SVFOP_CURRENT_DATE:
            return GH_OID_DATE;
        case SVFOP_CURRENT_TIMESTAMP:
            return GH_OID_TIMESTAMPTZ;
        case SVFOP_LOCALTIMESTAMP:
            return GH_OID_TIMESTAMP;
        default:
            return 0;
        }
    case T_FuncCall:
        return called(j, (const FuncCall *)n, steps);
    case T_TypeCast:
        return cast(j, (const TypeCast *)n, steps);
    case T_A_Expr:
        return moved(j, (const A_Expr *)n, steps);
    default:
        return 0;
    }
}

bool gh_time_is_near(gh_judge *j, const Node *n)
{
    bool is_near = time_type(j, n, 0) != 0;

    j->reads_literal = j->reads_literal || is_near;
    return is_near;
}

gh_operand gh_time_value(gh_judge *j, const Node *n)
{
    return gh_time_is_near(j, n) ? gh_operand_of_type(j, time_type(j, n, 0), -1, 0) : s_none;
}
