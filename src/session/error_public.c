/*
 * error_public.c: the rule for error texts.
 *
 * An upstream's message may quote anything: values of hidden rows, names of hidden relations, the
 * text of a row filter. So a message passes only if it has a shape of the table below and every
 * variable part of it is harmless:
 *
 *     %q  a part that stands in the client's own statement as a whole token
 *     %n  a name with dots, each part of which does
 *     %t  names of built-in types, with modifiers, separated by commas
 *     %o  an operator
 *     %w  words in capitals: a command or a clause
 *     %d  digits
 *
 * Everything else becomes the fixed text of its SQLSTATE, or of its class. Where hidden values meet the statement, there is
 * no text of the client's to compare with: error_rebuild.c.
 *
 * SECURITY: a cast such as `ssn::int` makes the upstream print a cell's value; "Key (email)=(x)
 * already exists" prints another's row. Attack: tests/unit/session, test_public_error_values;
 * shared attack corpus, errors.
 */
#include "error_public.h"

#include <gatehouse/rewrite.h>

typedef struct shape {
    char sqlstate[6];
    const char *text;
} shape;

static const shape s_shapes[] = {
    { "08P01", "bind message supplies %d parameters, but prepared statement \"%q\" requires %d" },
    { "08P01", "bind message has %d parameter formats but %d parameters" },
    { "08P01", "bind message has %d result formats but query has %d columns" },
    { "08P01", "invalid message format" },
    { "08P01", "insufficient data left in message" },
    { "08P01", "invalid string in message" },
    { "08P01", "no data left in message" },
    { "0A000", "DISTINCT is not implemented for window functions" },
    { "0A000", "aggregate ORDER BY is not implemented for window functions" },
    { "0A000", "%w is not allowed with %w clause" },
    { "0A000", "%w is not allowed with aggregate functions" },
    { "0A000", "%w is not allowed with window functions" },
    { "0A000", "set-returning functions are not allowed in %w" },
    { "0A000", "unit \"%q\" not supported for type %t" },
    { "21000", "more than one row returned by a subquery used as an expression" },
    { "21000", "ON CONFLICT DO UPDATE command cannot affect row a second time" },
    { "22000", "range lower bound must be less than or equal to range upper bound" },
    { "22000", "result of range union would not be contiguous" },
    { "22000", "result of range difference would not be contiguous" },
    { "22001", "value too long for type %t" },
    { "22003", "integer out of range" },
    { "22003", "bigint out of range" },
    { "22003", "smallint out of range" },
    { "22003", "numeric field overflow" },
    { "22003", "value out of range: overflow" },
    { "22003", "value out of range: underflow" },
    { "22003", "value \"%q\" is out of range for type %t" },
    { "22003", "\"%q\" is out of range for type %t" },
    { "22007", "invalid input syntax for type %t: \"%q\"" },
    { "22007", "invalid input syntax for type %t" },
    { "22007", "invalid value \"%q\" for \"%q\"" },
    { "22008", "date/time field value out of range: \"%q\"" },
    { "22008", "interval field value out of range: \"%q\"" },
    { "22008", "timestamp out of range" },
    { "22008", "date out of range for timestamp" },
    { "22008", "interval out of range" },
    { "22011", "negative substring length not allowed" },
    { "22012", "division by zero" },
    { "22013", "frame starting offset must not be negative" },
    { "22013", "frame ending offset must not be negative" },
    { "22019", "invalid escape string" },
    { "2201B", "invalid regular expression: parentheses () not balanced" },
    { "2201B", "invalid regular expression: brackets [] not balanced" },
    { "2201B", "invalid regular expression: braces {} not balanced" },
    { "2201B", "invalid regular expression: quantifier operand invalid" },
    { "2201B", "invalid regular expression: invalid escape \\ sequence" },
    { "2201B", "invalid regular expression: invalid character range" },
    { "2201B", "invalid regular expression: invalid backreference number" },
    { "2201B", "invalid regular expression: invalid repetition count(s)" },
    { "2201B", "invalid regular expression: invalid character class" },
    { "2201W", "LIMIT must not be negative" },
    { "2201X", "OFFSET must not be negative" },
    { "22023", "invalid value for parameter \"%q\": \"%q\"" },
    { "22023", "time zone \"%q\" not recognized" },
    { "22023", "LIMIT must not be negative" },
    { "22023", "unit \"%q\" not recognized for type %t" },
    { "22023", "step size cannot equal zero" },
    { "22023", "argument list must have even number of elements" },
    { "22023", "field position must not be zero" },
    { "22023", "lower bound cannot equal upper bound" },
    { "22023", "count must be greater than zero" },
    { "22023", "MinWords should be less than MaxWords" },
    { "22023", "invalid regular expression option: \"%q\"" },
    { "22025", "LIKE pattern must not end with escape character" },
    { "2202E", "array subscript out of range" },
    { "22P02", "invalid input syntax for type %t: \"%q\"" },
    { "22P02", "invalid input syntax for type %t" },
    { "22P02", "malformed array literal: \"%q\"" },
    { "22P02", "malformed record literal: \"%q\"" },
    { "22P02", "invalid input value for enum %q: \"%q\"" },
    { "22P03", "incorrect binary data format in bind parameter %d" },
    { "22P03", "insufficient data left in message" },
    { "22P04", "extra data after last expected column" },
    { "22P04", "missing data for column \"%q\"" },
    { "25001", "%w cannot run inside a transaction block" },
    { "25001", "there is already a transaction in progress" },
    { "25001", "SET TRANSACTION ISOLATION LEVEL must be called before any query" },
    { "25006", "cannot execute %w in a read-only transaction" },
    { "25P01", "%w can only be used in transaction blocks" },
    { "25P01", "there is no transaction in progress" },
    { "25P02", "current transaction is aborted, commands ignored until end of transaction block" },
    { "25P03", "terminating connection due to idle-in-transaction timeout" },
    { "26000", "prepared statement \"%q\" does not exist" },
    { "26000", "unnamed prepared statement does not exist" },
    { "34000", "cursor \"%q\" does not exist" },
    { "34000", "portal \"%q\" does not exist" },
    { "3B001", "savepoint \"%q\" does not exist" },
    { "40001", "could not serialize access due to concurrent update" },
    { "40001", "could not serialize access due to concurrent delete" },
    { "40001", "could not serialize access due to read/write dependencies among transactions" },
    { "40P01", "deadlock detected" },
    { "42601", "syntax error at or near \"%q\"" },
    { "42601", "syntax error at end of input" },
    { "42601", "each %w query must have the same number of columns" },
    { "42601", "subquery must return only one column" },
    { "42601", "subquery has too many columns" },
    { "42601", "subquery has too few columns" },
    { "42601", "cannot insert multiple commands into a prepared statement" },
    { "42601", "VALUES lists must all be the same length" },
    { "42601", "INSERT has more target columns than expressions" },
    { "42601", "INSERT has more expressions than target columns" },
    { "42601", "number of columns does not match number of values" },
    { "42601", "multiple assignments to same column \"%q\"" },
    { "42601", "a column definition list is required for functions returning \"record\"" },
    { "42601", "syntax error in tsquery: \"%q\"" },
    { "42601", "syntax error at end of jsonpath input" },
    { "42601", "syntax error at or near \"%q\" of jsonpath input" },
    { "42701", "column \"%q\" specified more than once" },
    { "42701", "column \"%q\" of relation \"%q\" already exists" },
    { "42702", "column reference \"%q\" is ambiguous" },
    { "42702", "%w \"%q\" is ambiguous" },
    { "42702", "common column name \"%q\" appears more than once in left table" },
    { "42702", "common column name \"%q\" appears more than once in right table" },
    { "42703", "column \"%q\" does not exist" },
    { "42703", "column %q does not exist" },
    { "42704", "type \"%q\" does not exist" },
    { "42704", "collation \"%q\" for encoding \"%q\" does not exist" },
    { "42704", "unrecognized configuration parameter \"%q\"" },
    { "42704", "unrecognized configuration parameter \"%n\"" },
    { "42704", "window \"%q\" does not exist" },
    { "42712", "table name \"%q\" specified more than once" },
    { "42725", "function %q(%t) is not unique" },
    { "42725", "operator is not unique: %t %o %t" },
    { "42803", "aggregate functions are not allowed in %w" },
    { "42803", "aggregate function calls cannot be nested" },
    { "42803",
      "column \"%n\" must appear in the GROUP BY clause or be used in an aggregate function" },
    { "42803", "subquery uses ungrouped column \"%n\" from outer query" },
    { "42804", "argument of %w must be type %t, not type %t" },
    { "42804", "column \"%q\" is of type %t but expression is of type %t" },
    { "42804", "%w types %t and %t cannot be matched" },
    { "42804", "%w could not convert type %t to %t" },
    { "42804", "cannot subscript type %t because it does not support subscripting" },
    { "42804",
      "recursive query \"%q\" column %d has type %t in non-recursive term but type %t overall" },
    { "42809", "%q is not an aggregate function" },
    { "42809", "window function %q requires an OVER clause" },
    { "42809", "OVER specified, but %q is not a window function nor an aggregate function" },
    { "42809", "%w specified, but %q is not an aggregate function" },
    { "42809", "WITHIN GROUP is required for ordered-set aggregate %q" },
    { "42809", "op ANY/ALL (array) requires array on right side" },
    { "42809", "column notation .%q applied to type %t, which is not a composite type" },
    { "42846", "cannot cast type %t to %t" },
    { "42883", "function %q(%t) does not exist" },
    { "42883", "function %q() does not exist" },
    { "42883", "operator does not exist: %t %o %t" },
    { "42883", "operator does not exist: %o %t" },
    { "428C9", "cannot insert a non-DEFAULT value into column \"%q\"" },
    { "428C9", "column \"%q\" can only be updated to DEFAULT" },
    { "42P01", "relation \"%q\" does not exist" },
    { "42P01", "missing FROM-clause entry for table \"%q\"" },
    { "42P01", "invalid reference to FROM-clause entry for table \"%q\"" },
    { "42P02", "there is no parameter $%d" },
    { "42P03", "cursor \"%q\" already exists" },
    { "42P05", "prepared statement \"%q\" already exists" },
    { "42P07", "relation \"%q\" already exists" },
    { "42P07", "relation \"%q\" already exists, skipping" },
    { "42P08", "inconsistent types deduced for parameter $%d" },
    { "42P10", "%w position %d is not in select list" },
    { "42P10", "for SELECT DISTINCT, ORDER BY expressions must appear in select list" },
    { "42P10", "table \"%q\" has %d columns available but %d columns specified" },
    { "42P10", "SELECT DISTINCT ON expressions must match initial ORDER BY expressions" },
    { "42P10",
      "there is no unique or exclusion constraint matching the ON CONFLICT specification" },
    { "42P18", "could not determine data type of parameter $%d" },
    { "42P18", "could not determine polymorphic type because input has type %t" },
    { "42P19", "recursive reference to query \"%q\" must not appear more than once" },
    { "42P19",
      "recursive reference to query \"%q\" must not appear within its non-recursive term" },
    { "42P19", "recursive reference to query \"%q\" must not appear within a subquery" },
    { "42P19", "recursive reference to query \"%q\" must not appear within an outer join" },
    { "42P19", "recursive reference to query \"%q\" must not appear within EXCEPT" },
    { "42P19", "recursive reference to query \"%q\" must not appear within INTERSECT" },
    { "42P19",
      "query \"%q\" does not have the form non-recursive-term UNION [ALL] recursive-term" },
    { "42P20", "window functions are not allowed in %w" },
    { "42P20", "window function calls cannot be nested" },
    { "42P22", "could not determine which collation to use for string comparison" },
    { "54001", "stack depth limit exceeded" },
    { "55000", "currval of sequence \"%q\" is not yet defined in this session" },
    { "55000", "portal \"%q\" cannot be run" },
    { "55000", "cursor can only scan forward" },
    { "55P03", "canceling statement due to lock timeout" },
    { "57014", "canceling statement due to user request" },
    { "57014", "canceling statement due to statement timeout" },
    { "57P01", "terminating connection due to administrator command" },
    { "57P05", "terminating connection due to idle-session timeout" },
};

/* Fixed texts: the longest code that is a prefix of the SQLSTATE wins, the empty one is for all the
 * rest. */
static const shape s_fixed[] = {
    { "", "the statement failed" },
    { "08", "the connection to the warehouse failed" },
    { "08P01", "protocol violation" },
    { "0A", "feature not supported" },
    { "21", "cardinality violation" },
    { "22", "the statement met a value that it cannot process" },
    { "22001", "value too long for its type" },
    { "22003", "numeric value out of range" },
    { "22007", "invalid datetime format" },
    { "22008", "datetime field overflow" },
    { "22012", "division by zero" },
    { "22021", "invalid byte sequence for the encoding" },
    { "22023", "invalid parameter value" },
    { "22P02", "invalid input syntax" },
    { "22P03", "incorrect binary data format" },
    { "22P04", "bad COPY data" },
    { "23", "the statement violates a constraint" },
    { "23001", "the statement violates a RESTRICT setting of a foreign key" },
    { "23502", "null value violates a not-null constraint" },
    { "23503", "the statement violates a foreign key constraint" },
    { "23505", "duplicate key value violates a unique constraint" },
    { "23514", "new row violates a check constraint" },
    { "23P01", "conflicting key value violates an exclusion constraint" },
    { "24", "invalid cursor state" },
    { "25", "invalid transaction state" },
    { "26", "prepared statement does not exist" },
    { "28", "the warehouse refused the connection" },
    { "34", "cursor or portal does not exist" },
    { "38", "a function of the warehouse failed" },
    { "39", "a function of the warehouse failed" },
    { "3B", "savepoint does not exist" },
    { "3F", "schema does not exist" },
    { "40", "the transaction was rolled back" },
    { "42", "the statement is not valid" },
    { "42501", "permission denied" },
    { "42601", "syntax error" },
    { "42701", "a column is named twice" },
    { "42P07", "the relation already exists" },
    { "42702", "column reference is ambiguous" },
    { "42703", "column does not exist" },
    { "42704", "object does not exist" },
    { "42725", "function or operator is not unique" },
    { "42803", "grouping error" },
    { "42804", "datatype mismatch" },
    { "42883", "function or operator does not exist" },
    { "42P01", "relation does not exist" },
    { "42P18", "could not determine a data type" },
    { "44", "new row violates a check option" },
    { "53", "the warehouse has not enough resources" },
    { "53300", "the warehouse has too many connections" },
    { "54", "a limit of the warehouse was exceeded" },
    { "55", "an object is not in the state that the statement needs" },
    { "55P03", "lock not available" },
    { "57", "the warehouse ended the statement" },
    { "57014", "canceling statement due to user request" },
    { "57P01", "terminating connection due to administrator command" },
    { "57P02", "terminating connection because of a crash of the warehouse" },
    { "57P03", "the warehouse is not accepting connections now" },
    { "58", "the warehouse met a system error" },
    { "P0", "a function of the warehouse raised an error" },
    { "XX", "the warehouse met an internal error" },
};

/* Remarks that have no SQLSTATE of their own. */
static const shape s_remarks[] = {
    { "00000", "table \"%q\" does not exist, skipping" },
    { "00000", "index \"%q\" does not exist, skipping" },
    { "00000", "relation \"%q\" does not exist, skipping" },
    { "00000", "schema \"%q\" does not exist, skipping" },
    { "00000", "column \"%q\" of relation \"%q\" does not exist, skipping" },
    { "00000", "constraint \"%q\" of relation \"%q\" does not exist, skipping" },
};

static const char *const s_types[] = {
    "smallint",
    "integer",
    "bigint",
    "numeric",
    "real",
    "double precision",
    "money",
    "text",
    "character varying",
    "character",
    "\"char\"",
    "name",
    "bytea",
    "boolean",
    "date",
    "time without time zone",
    "time with time zone",
    "timestamp without time zone",
    "timestamp with time zone",
    "timestamp",
    "time",
    "interval",
    "uuid",
    "json",
    "jsonb",
    "jsonpath",
    "xml",
    "inet",
    "cidr",
    "macaddr",
    "macaddr8",
    "bit",
    "bit varying",
    "oid",
    "point",
    "line",
    "lseg",
    "box",
    "path",
    "polygon",
    "circle",
    "tsvector",
    "tsquery",
    "int4range",
    "int8range",
    "numrange",
    "tsrange",
    "tstzrange",
    "daterange",
    "record",
    "unknown",
    "void",
    "anyelement",
    "regclass",
    "regtype",
    "regproc",
    "regnamespace",
};

static bool is_word(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           ch == '_' || ((unsigned char)ch) >= 0x80;
}

/* Does `part` stand in `text`, not in the middle of a word? */
static bool occurs(gh_str text, gh_str part)
{
    const char *pos = text.ptr;
    const char *end = text.ptr + text.len;

    if (part.len == 0)
        return text.len > 0;
    if (text.len < part.len)
        return false;
    for (;;) {
        const char *at = memmem(pos, (size_t)(end - pos), part.ptr, part.len);
        const char *after;

        if (at == NULL)
            return false;
        after = at + part.len;
        if (!(at > text.ptr && is_word(at[-1]) && is_word(part.ptr[0])) &&
            !(after < end && is_word(*after) && is_word(part.ptr[part.len - 1])))
            return true;
        pos = at + 1;
    }
}

/* A type's modifiers: any of (1,2) and []. */
static size_t skip_modifiers(gh_str s, size_t i)
{
    size_t from = i;

    while (i < s.len && strchr("()[],0123456789", s.ptr[i]) != NULL && s.ptr[i] != '\0')
        i++;
    /* A comma that is followed by a space separates types. */
    if (i > from && s.ptr[i - 1] == ',')
        i--;
    return i;
}

static bool is_type_list(gh_str s)
{
    size_t i = 0;

    while (i < s.len) {
        size_t best = 0;

        for (size_t k = 0; k < GH_COUNT(s_types); k++) {
            size_t len = strlen(s_types[k]);

            if (len > best && s.len - i >= len && memcmp(s.ptr + i, s_types[k], len) == 0 &&
                (s.len - i == len || !is_word(s.ptr[i + len])))
                best = len;
        }
        if (best == 0)
            return false;
        i = skip_modifiers(s, i + best);
        if (s.len - i > 2 && memcmp(s.ptr + i, ", ", 2) == 0)
            i += 2;
        else if (i < s.len)
            return false;
    }
    return s.len > 0;
}

static bool is_made_of(gh_str s, const char *alphabet)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\0' || strchr(alphabet, s.ptr[i]) == NULL)
            return false;
    }
    return s.len > 0;
}

static bool occur_all(gh_str text, gh_str name)
{
    size_t from = 0;

    for (size_t i = 0; i <= name.len; i++) {
        if (i < name.len && name.ptr[i] != '.')
            continue;
        if (!occurs(text, (gh_str){ name.ptr + from, i - from }))
            return false;
        from = i + 1;
    }
    return name.len > 0;
}

static bool is_harmless(char kind, gh_str part, gh_str client_sql)
{
    switch (kind) {
    case 'q':
        return occurs(client_sql, part);
    case 'n':
        return occur_all(client_sql, part);
    case 't':
        return is_type_list(part);
    case 'o':
        return is_made_of(part, "+-*/<>=~!@#%^&|`?");
    case 'w':
        return part.len < 64 && is_made_of(part, "ABCDEFGHIJKLMNOPQRSTUVWXYZ /");
    case 'd':
        return part.len < 11 && is_made_of(part, "0123456789");
    }
    return false;
}

/* Matches left to right; a variable part ends where the literal text behind it is first found and
 * fits. */
static bool matches(const char *text, gh_str message, gh_str client_sql)
{
    const char *pos = message.ptr;
    const char *end = message.ptr + message.len;

    while (*text != '\0') {
        size_t literal = strcspn(text, "%");

        if (literal > 0) {
            if ((size_t)(end - pos) < literal || memcmp(pos, text, literal) != 0)
                return false;
            pos += literal;
            text += literal;
            continue;
        }

        char kind = text[1];
        const char *part = pos;

        text += 2;
        literal = strcspn(text, "%");
        if (*text == '\0')
            pos = end;
        else if (text[literal] == '\0') /* the last literal: at the very end of the message */
            pos = (size_t)(end - pos) < literal ? NULL : end - literal;
        else
            pos = memmem(pos, (size_t)(end - pos), text, literal);
        if (pos == NULL || !is_harmless(kind, (gh_str){ part, (size_t)(pos - part) }, client_sql))
            return false;
    }
    return pos == end;
}

static const char *fixed_text(gh_str sqlstate)
{
    const char *best = s_fixed[0].text;
    size_t best_len = 0;

    for (size_t i = 0; i < GH_COUNT(s_fixed); i++) {
        size_t len = strlen(s_fixed[i].sqlstate);

        if (len > best_len && len <= sqlstate.len &&
            memcmp(sqlstate.ptr, s_fixed[i].sqlstate, len) == 0) {
            best = s_fixed[i].text;
            best_len = len;
        }
    }
    return best;
}

static bool has_shape(const shape *shapes, size_t count, gh_str sqlstate, gh_str message,
                      gh_str client_sql)
{
    for (size_t i = 0; i < count; i++) {
        if (gh_str_is(sqlstate, shapes[i].sqlstate) && matches(shapes[i].text, message, client_sql))
            return true;
    }
    return false;
}

/* What is said of a column that the client's text does not name, behind a star, say. */
static bool is_about_group(gh_str sqlstate, gh_str message)
{
    static const char end[] =
        "\" must appear in the GROUP BY clause or be used in an aggregate function";
    size_t len = sizeof(end) - 1;

    return gh_str_is(sqlstate, "42803") && message.len > len &&
           memcmp(message.ptr + message.len - len, end, len) == 0;
}

/* invalid input value for enum shop.state: "bogus": the type may be one that the client's text does not name. */
static bool put_enum_error(gh_str sqlstate, gh_str message, gh_str client_sql, gh_buf *out)
{
    static const char start[] = "invalid input value for enum ";
    const char *at = memmem(message.ptr, message.len, ": \"", 3);
    gh_str value;

    if (!gh_str_is(sqlstate, "22P02") || message.len < sizeof(start) || at == NULL ||
        memcmp(message.ptr, start, sizeof(start) - 1) != 0 || message.ptr[message.len - 1] != '"')
        return false;
    value = (gh_str){ at + 3, (size_t)(message.ptr + message.len - 1 - (at + 3)) };
    if (value.len == 0 || !occurs(client_sql, value))
        return false;
    gh_buf_puts(out, "invalid input value for enum: \"");
    gh_buf_put_str(out, value);
    gh_buf_puts(out, "\"");
    return true;
}

/* The client did not write the schema that was put before the names of PostgreSQL's own functions, nor what is before
 * those of variables of his own. */
static bool put_unqualified(gh_str sqlstate, gh_str message, gh_str client_sql, gh_buf *out)
{
    bool is_own = gh_str_is(sqlstate, "42704");
    gh_str put = is_own ? GH_STR(GH_SETTING_OWN_PREFIX) : GH_STR("pg_catalog.");
    char text[512];
    gh_str cut = { text, 0 };
    size_t i = 0;

    if (message.len > sizeof(text) || memmem(message.ptr, message.len, put.ptr, put.len) == NULL)
        return false;
    while (i < message.len) {
        if (message.len - i >= put.len && memcmp(message.ptr + i, put.ptr, put.len) == 0)
            i += put.len;
        else
            text[cut.len++] = message.ptr[i++];
    }
    if (!has_shape(s_shapes, GH_COUNT(s_shapes), sqlstate, cut, client_sql))
        return false;
    gh_buf_put_str(out, cut);
    return true;
}

bool gh_session_error_is_of_names(gh_str sqlstate)
{
    /* Of the protocol, columns of COPY, transactions, statements, cursors and savepoints; of what is named twice. */
    static const char *const codes[] = { "08",    "22P04", "25",    "26",    "34",
                                         "3B",    "42701", "42702", "42712", "428C9",
                                         "42P03", "42P05", "42P07", "42P10" };

    for (size_t i = 0; i < GH_COUNT(codes); i++) {
        size_t len = strlen(codes[i]);

        if (sqlstate.len >= len && memcmp(sqlstate.ptr, codes[i], len) == 0)
            return true;
    }
    return false;
}

void gh_session_public_error(gh_str sqlstate, gh_str message, gh_str client_sql, gh_buf *out)
{
    if (message.len == 0) {
        gh_buf_puts(out, fixed_text(sqlstate));
        return;
    }
    if (put_unqualified(sqlstate, message, client_sql, out))
        return;
    if (has_shape(s_shapes, GH_COUNT(s_shapes), sqlstate, message, client_sql))
        gh_buf_put_str(out, message);
    else if (put_enum_error(sqlstate, message, client_sql, out))
        return;
    else if (is_about_group(sqlstate, message))
        gh_buf_puts(out, "a column must appear in the GROUP BY clause or be used in an aggregate "
                         "function");
    else
        gh_buf_puts(out, fixed_text(sqlstate));
}

static uint32_t read_position(gh_str digits)
{
    uint32_t n = 0;

    for (size_t i = 0; i < digits.len && i < 9; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return 0;
        n = n * 10 + (uint32_t)(digits.ptr[i] - '0');
    }
    return n;
}

/*
 * SECURITY: what a trigger or a function says is about rows that it reads by itself, and a message of PostgreSQL's that
 * quotes one would pass by its shape where the client's text holds a guess of the value, in a comment, say. Where such
 * code raised it, the context has a line for it; so only lines of these kinds may be there. Attack: tests/attack
 * error-fields; tests/unit/session, errors_of_code.
 */
static bool is_of_statement(gh_str context)
{
    static const char *const lines[] = { "COPY ", "JSON data, ", "unnamed portal ", "portal \"",
                                         "parallel worker" };

    while (context.len > 0) {
        const char *end = memchr(context.ptr, '\n', context.len);
        size_t len = end != NULL ? (size_t)(end - context.ptr) : context.len;
        bool is_known = false;

        for (size_t i = 0; i < GH_COUNT(lines); i++)
            is_known |=
                len >= strlen(lines[i]) && memcmp(context.ptr, lines[i], strlen(lines[i])) == 0;
        if (!is_known)
            return false;
        len += end != NULL;
        context = (gh_str){ context.ptr + len, context.len - len };
    }
    return true;
}

gh_rc gh_upstream_error_read(gh_str body, gh_upstream_error *out)
{
    gh_rd r = { body.ptr, body.ptr + body.len, false };
    gh_upstream_error e = { 0 };
    gh_str localised = { 0 };
    uint8_t field;

    for (field = gh_rd_u8(&r); field != 0; field = gh_rd_u8(&r)) {
        gh_str value = gh_rd_cstr(&r);

        if (field == 'V')
            e.severity = value;
        else if (field == 'S')
            localised = value;
        else if (field == 'C')
            e.sqlstate = value;
        else if (field == 'M')
            e.message = value;
        else if (field == 'P')
            e.position = read_position(value);
        else if (field == 'W' || field == 'q')
            e.is_of_code |= field == 'q' || !is_of_statement(value);
    }
    if (!gh_rd_finish(&r))
        return GH_BADMSG;
    if (e.severity.len == 0)
        e.severity = localised;
    for (size_t i = 0; i < e.sqlstate.len; i++) {
        if (!is_word(e.sqlstate.ptr[i]))
            return GH_BADMSG;
    }
    if (e.sqlstate.len != 5 || e.severity.len == 0 || e.severity.len > 16)
        return GH_BADMSG;
    *out = e;
    return GH_OK;
}

/*
 * SECURITY: RAISE NOTICE in a trigger has the SQLSTATE of remarks, and how many of them come tells how many
 * rows a cascade met, hidden ones among them. Attack: tests/attack error-fields.
 */
bool gh_session_public_notice(const gh_upstream_error *notice, gh_str client_sql, gh_buf *out)
{
    /* Transaction warnings, and what PREPARE, CLOSE and temporary tables remark. */
    static const char *const codes[] = { "25001", "25P01", "42P06", "42P07" };

    if (notice->is_of_code)
        return false;
    if (!gh_str_is(notice->severity, "NOTICE") && !gh_str_is(notice->severity, "WARNING"))
        return false;
    for (size_t i = 0; i < GH_COUNT(codes); i++) {
        if (gh_str_is(notice->sqlstate, codes[i])) {
            gh_session_public_error(notice->sqlstate, notice->message, client_sql, out);
            return true;
        }
    }
    if (!has_shape(s_remarks, GH_COUNT(s_remarks), notice->sqlstate, notice->message, client_sql))
        return false;
    gh_buf_put_str(out, notice->message);
    return true;
}
