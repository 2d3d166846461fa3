/*
 * Masks: what policies write, and the order of how much masks show, weakest first.
 *
 *     round(n) ─ month ─ year ─ partial(a,b) ─ email ─ hash ─ constant ─┬─ redact ─ null
 *                                                     an expression ────┘
 *
 * Within a kind, a smaller n and a larger a + b are weaker. What the picture does not order
 * (expressions with all but redact and null, two constants, partial(1,2) with partial(2,1)) cannot
 * be compared; masks that are the same are equal, however they are written.
 */
#include "policy_priv.h"

#include <stdlib.h>

#include <gatehouse/config.h>

const gh_mask pol_null_mask = { .kind = GH_MASK_NULL, .name = { "null", 4 } };

static const char *const s_plain_words[] = { "month", "year", "email", "hash", "redact", "null" };
static const gh_mask_kind s_plain_kinds[] = { GH_MASK_MONTH, GH_MASK_YEAR,   GH_MASK_EMAIL,
                                              GH_MASK_HASH,  GH_MASK_REDACT, GH_MASK_NULL };
static const char *const s_all_words[] = { "month",   "year",         "email",    "hash",
                                           "redact",  "null",         "round(n)", "round",
                                           "partial", "partial(a,b)", "constant" };

/* ---- reading -------------------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

gh_str pol_trim(gh_str s)
{
    while (s.len > 0 && is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

static bool is_word(gh_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

        if (!is_letter && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return s.len > 0;
}

/* The arguments of `word(...)`, if the text is that and nothing else follows the last parenthesis. */
static bool take_call(gh_str text, const char *word, gh_str *args)
{
    size_t len = strlen(word);
    gh_str rest;

    if (text.len <= len || !gh_str_ieq((gh_str){ text.ptr, len }, gh_str_of(word)))
        return false;
    rest = pol_trim((gh_str){ text.ptr + len, text.len - len });
    if (rest.len < 2 || rest.ptr[0] != '(' || rest.ptr[rest.len - 1] != ')')
        return false;
    *args = pol_trim((gh_str){ rest.ptr + 1, rest.len - 2 });
    return true;
}

static size_t count_digits(gh_str s, size_t pos)
{
    size_t n = 0;

    while (pos + n < s.len && s.ptr[pos + n] >= '0' && s.ptr[pos + n] <= '9')
        n++;
    return n;
}

static bool looks_like_number(gh_str s)
{
    return s.len > 0 && strchr("+-.0123456789", s.ptr[0]) != NULL && s.ptr[0] != '\0' &&
           memchr(s.ptr, ',', s.len) == NULL && memchr(s.ptr, '(', s.len) == NULL;
}

/* Digits on both sides of a point, above zero. */
static bool parse_round(gh_str s, gh_mask *out)
{
    size_t whole = count_digits(s, 0);
    size_t fraction = 0;
    size_t used = whole;
    bool is_zero = true;

    if (used < s.len && s.ptr[used] == '.') {
        fraction = count_digits(s, used + 1);
        used += fraction + 1;
        if (fraction == 0)
            return false;
    }
    for (size_t i = 0; i < used; i++)
        is_zero = is_zero && (s.ptr[i] == '0' || s.ptr[i] == '.');
    if (whole == 0 || used != s.len || is_zero || whole > GH_POLICY_ROUND_DIGITS_MAX ||
        fraction > GH_POLICY_ROUND_DIGITS_MAX)
        return false;
    out->kind = GH_MASK_ROUND;
    out->n = s;
    return true;
}

static bool parse_count(gh_str s, size_t *pos, int64_t *out)
{
    size_t digits;
    int64_t v = 0;

    while (*pos < s.len && is_space(s.ptr[*pos]))
        (*pos)++;
    digits = count_digits(s, *pos);
    if (digits == 0 || digits > 9)
        return false;
    for (size_t i = 0; i < digits; i++)
        v = v * 10 + (s.ptr[*pos + i] - '0');
    *pos += digits;
    while (*pos < s.len && is_space(s.ptr[*pos]))
        (*pos)++;
    *out = v;
    return v <= GH_POLICY_MASK_ARG_MAX;
}

static bool parse_partial(gh_str s, gh_mask *out)
{
    size_t pos = 0;

    if (!parse_count(s, &pos, &out->a) || pos == s.len || s.ptr[pos] != ',')
        return false;
    pos++;
    if (!parse_count(s, &pos, &out->b) || pos != s.len)
        return false;
    out->kind = GH_MASK_PARTIAL;
    return true;
}

static bool parse_constant(gh_str s, gh_arena *a, gh_mask *out)
{
    char *text;
    size_t len = 0;

    if (s.len < 2 || s.ptr[0] != '\'' || s.ptr[s.len - 1] != '\'')
        return false;
    text = gh_arena_alloc(a, s.len);
    if (text == NULL)
        return false;
    for (size_t i = 1; i < s.len - 1; i++) {
        if (s.ptr[i] == '\'') {
            if (i + 1 >= s.len - 1 || s.ptr[i + 1] != '\'')
                return false;
            i++;
        }
        text[len++] = s.ptr[i];
    }
    out->kind = GH_MASK_CONSTANT;
    out->expr = (gh_str){ text, len };
    return true;
}

/* A built-in mask, or *is_one is false. */
static gh_rc parse_builtin(gh_str text, gh_arena *a, gh_mask *out, bool *is_one, gh_err *err)
{
    gh_str args = { 0 };
    gh_mask m = { .name = text };

    *is_one = true;
    for (size_t i = 0; i < GH_COUNT(s_plain_words); i++) {
        if (gh_str_ieq(text, gh_str_of(s_plain_words[i]))) {
            m.kind = s_plain_kinds[i];
            *out = m;
            return GH_OK;
        }
    }
    if (take_call(text, "round", &args) && looks_like_number(args)) {
        if (!parse_round(args, &m))
            return gh_fail(
                err, GH_INVALID, POL_SQLSTATE,
                "mask round(n): n must be a number above zero, with at most %d digits on "
                "each side of its point",
                GH_POLICY_ROUND_DIGITS_MAX);
    } else if (take_call(text, "partial", &args)) {
        if (!parse_partial(args, &m))
            return gh_fail(err, GH_INVALID, POL_SQLSTATE,
                           "mask partial(a,b): a and b must be whole numbers from 0 to %d",
                           GH_POLICY_MASK_ARG_MAX);
    } else if (take_call(text, "constant", &args)) {
        if (!parse_constant(args, a, &m))
            return gh_fail(err, GH_INVALID, POL_SQLSTATE,
                           "mask constant('...'): expected one literal in single quotes (a quote "
                           "inside it is doubled)");
    } else {
        *is_one = false;
        return GH_OK;
    }
    *out = m;
    return GH_OK;
}

/* Names the mask that a misspelt word probably meant. */
static gh_rc fail_unknown(gh_str text, const gh_acl_mask_def *defs, size_t def_count, gh_err *err)
{
    size_t known_count = GH_COUNT(s_all_words) + def_count;
    const char **known = gh_alloc(known_count * sizeof(*known));
    const char *meant;
    gh_rc rc;

    for (size_t i = 0; i < GH_COUNT(s_all_words); i++)
        known[i] = s_all_words[i];
    for (size_t i = 0; i < def_count; i++)
        known[GH_COUNT(s_all_words) + i] = gh_strdup(defs[i].name);
    meant = gh_config_suggest(text, known, known_count);
    if (meant != NULL)
        rc = gh_fail(err, GH_INVALID, POL_SQLSTATE,
                     "unknown mask \"" GH_STR_FMT "\" (did you mean \"%s\"?)", GH_STR_ARG(text),
                     meant);
    else
        rc =
            gh_fail(err, GH_INVALID, POL_SQLSTATE,
                    "unknown mask \"" GH_STR_FMT "\" (an expression that is one word is written in "
                    "parentheses)",
                    GH_STR_ARG(text));
    for (size_t i = GH_COUNT(s_all_words); i < known_count; i++)
        free((void *)(uintptr_t)known[i]); /* ours: gh_strdup above */
    free(known);
    return rc;
}

/* Anything but a named mask; *is_unknown: it is a word that no built-in mask has. */
static gh_rc parse_text(gh_str text, gh_arena *a, gh_mask *out, bool *is_unknown, gh_err *err)
{
    gh_str s = pol_trim(text);
    bool is_builtin;
    gh_rc rc;

    *is_unknown = false;
    if (s.len == 0 || memchr(s.ptr, '\0', s.len) != NULL)
        return gh_fail(err, GH_INVALID, POL_SQLSTATE, "a mask is empty");
    if (s.len > GH_POLICY_EXPR_MAX)
        return gh_fail(err, GH_LIMIT, POL_SQLSTATE, "a mask is longer than %d bytes",
                       GH_POLICY_EXPR_MAX);
    rc = parse_builtin(s, a, out, &is_builtin, err);
    if (rc != GH_OK || is_builtin)
        return rc;
    *is_unknown = is_word(s) && !gh_str_is(s, "value");
    *out = (gh_mask){ .kind = GH_MASK_EXPR, .name = s, .expr = s };
    return GH_OK;
}

gh_rc gh_mask_parse(gh_str text, const gh_acl_mask_def *defs, size_t def_count, gh_arena *a,
                    gh_mask *out, gh_err *err)
{
    const gh_acl_mask_def *def = NULL;
    gh_mask m = { 0 };
    bool is_unknown;
    gh_rc rc = parse_text(text, a, &m, &is_unknown, err);

    if (rc != GH_OK)
        return rc;
    for (size_t i = 0; i < def_count && m.kind == GH_MASK_EXPR && def == NULL; i++) {
        if (gh_str_eq(defs[i].name, m.name))
            def = &defs[i];
    }
    if (def != NULL) { /* a built-in mask or an expression, not another definition */
        rc = parse_text(def->expr, a, &m, &is_unknown, err);
        if (rc != GH_OK)
            return rc;
    }
    if (is_unknown)
        return fail_unknown(m.name, defs, def_count, err);
    if (def != NULL)
        m.name = def->name;
    *out = m;
    return GH_OK;
}

/* ---- order ---------------------------------------------------------------------------------- */

/* Any place before redact is right for expressions: they are compared with nothing else. */
static int rank(gh_mask_kind kind)
{
    switch (kind) {
    case GH_MASK_ROUND:
        return 0;
    case GH_MASK_MONTH:
        return 1;
    case GH_MASK_YEAR:
        return 2;
    case GH_MASK_PARTIAL:
        return 3;
    case GH_MASK_EMAIL:
        return 4;
    case GH_MASK_HASH:
        return 5;
    case GH_MASK_CONSTANT:
        return 6;
    case GH_MASK_EXPR:
        return 7;
    case GH_MASK_REDACT:
        return 8;
    case GH_MASK_NULL:
        return 9;
    }
    return 9;
}

/* Splits a number as written into whole part without leading zeros and fraction without trailing
 * ones. */
static void split_number(gh_str s, gh_str *whole, gh_str *fraction)
{
    const char *point = s.len == 0 ? NULL : memchr(s.ptr, '.', s.len);
    size_t at = point == NULL ? s.len : (size_t)(point - s.ptr);

    *whole = (gh_str){ s.ptr, at };
    *fraction = at == s.len ? (gh_str){ s.ptr, 0 } : (gh_str){ s.ptr + at + 1, s.len - at - 1 };
    while (whole->len > 0 && whole->ptr[0] == '0') {
        whole->ptr++;
        whole->len--;
    }
    while (fraction->len > 0 && fraction->ptr[fraction->len - 1] == '0')
        fraction->len--;
}

static int number_cmp(gh_str a, gh_str b)
{
    gh_str whole_a;
    gh_str whole_b;
    gh_str fraction_a;
    gh_str fraction_b;

    split_number(a, &whole_a, &fraction_a);
    split_number(b, &whole_b, &fraction_b);
    if (whole_a.len != whole_b.len)
        return whole_a.len < whole_b.len ? -1 : 1;
    if (gh_str_cmp(whole_a, whole_b) != 0)
        return gh_str_cmp(whole_a, whole_b);
    return gh_str_cmp(fraction_a, fraction_b);
}

static int int_cmp(int64_t a, int64_t b)
{
    return a == b ? 0 : a < b ? -1 : 1;
}

int pol_mask_order(const gh_mask *a, const gh_mask *b)
{
    int order = int_cmp(rank(a->kind), rank(b->kind));

    if (order != 0)
        return order;
    if (a->kind == GH_MASK_ROUND)
        return number_cmp(a->n, b->n);
    if (a->kind == GH_MASK_PARTIAL) {
        order = int_cmp(b->a + b->b, a->a + a->b);
        return order != 0 ? order : int_cmp(a->a, b->a);
    }
    if (a->kind == GH_MASK_CONSTANT || a->kind == GH_MASK_EXPR)
        return gh_str_cmp(a->expr, b->expr);
    return 0;
}

bool pol_mask_eq(const gh_mask *a, const gh_mask *b)
{
    return pol_mask_order(a, b) == 0;
}

int gh_mask_compare(const gh_mask *a, const gh_mask *b, bool *comparable)
{
    int order = pol_mask_order(a, b);

    if (order == 0)
        *comparable = true;
    else if (a->kind == GH_MASK_EXPR || b->kind == GH_MASK_EXPR)
        *comparable =
            rank(a->kind) >= rank(GH_MASK_REDACT) || rank(b->kind) >= rank(GH_MASK_REDACT);
    else if (a->kind != b->kind)
        *comparable = true;
    else if (a->kind == GH_MASK_PARTIAL)
        *comparable = a->a + a->b != b->a + b->b;
    else
        *comparable = a->kind == GH_MASK_ROUND;
    return *comparable ? order : 0;
}

/* ---- types ---------------------------------------------------------------------------------- */

#define DOMAIN_DEPTH_MAX 32

static const struct {
    gh_oid oid; /* of pg_type, fixed in every version */
    pol_type type;
} s_types[] = {
    { GH_OID_TEXT, POL_TYPE_TEXT },
    { GH_OID_VARCHAR, POL_TYPE_TEXT },
    { GH_OID_BPCHAR, POL_TYPE_TEXT },
    { GH_OID_NAME, POL_TYPE_TEXT },
    { GH_OID_INT2, POL_TYPE_INT2 },
    { GH_OID_INT4, POL_TYPE_INT4 },
    { GH_OID_INT8, POL_TYPE_INT8 },
    { GH_OID_NUMERIC, POL_TYPE_NUMERIC },
    { GH_OID_FLOAT4, POL_TYPE_FLOAT4 },
    { GH_OID_FLOAT8, POL_TYPE_FLOAT8 },
    { GH_OID_DATE, POL_TYPE_DATE },
    { GH_OID_TIMESTAMP, POL_TYPE_TIMESTAMP },
    { GH_OID_TIMESTAMPTZ, POL_TYPE_TIMESTAMPTZ },
    { GH_OID_UUID, POL_TYPE_UUID },
};

gh_oid pol_base_type(const gh_catalog *c, gh_oid oid)
{
    for (int depth = 0; c != NULL && depth < DOMAIN_DEPTH_MAX; depth++) {
        const gh_type *t = gh_catalog_type_by_oid(c, oid);

        if (t == NULL || t->kind != 'd')
            break;
        oid = t->base;
    }
    return oid;
}

pol_type pol_type_of(const gh_catalog *c, const gh_column *column)
{
    gh_oid oid = pol_base_type(c, column->type_oid);
    const gh_type *t = c == NULL ? NULL : gh_catalog_type_by_oid(c, oid);

    for (size_t i = 0; i < GH_COUNT(s_types); i++) {
        if (s_types[i].oid == oid)
            return s_types[i].type;
    }
    return t != NULL && t->kind == 'b' && t->category == 'S' ? POL_TYPE_STRING : POL_TYPE_OTHER;
}

static bool is_whole(gh_str n)
{
    gh_str whole;
    gh_str fraction;

    split_number(n, &whole, &fraction);
    return fraction.len == 0;
}

/* varchar(n) and char(n) shorter than a pseudonym would cut it, and different values could meet. */
static bool holds_hash(const gh_column *column)
{
    bool is_bounded = column->type_oid == GH_OID_VARCHAR || column->type_oid == GH_OID_BPCHAR;

    return !is_bounded || column->typmod < 0 || column->typmod - 4 >= 32;
}

static bool fits(const gh_mask *m, pol_type type, const gh_column *column)
{
    switch (m->kind) {
    case GH_MASK_NULL:
    case GH_MASK_REDACT:
    case GH_MASK_CONSTANT:
    case GH_MASK_EXPR:
        return true;
    case GH_MASK_HASH:
        if (type == POL_TYPE_TEXT)
            return holds_hash(column);
        return type == POL_TYPE_INT2 || type == POL_TYPE_INT4 || type == POL_TYPE_INT8 ||
               type == POL_TYPE_UUID;
    case GH_MASK_EMAIL:
    case GH_MASK_PARTIAL:
        return type == POL_TYPE_TEXT || type == POL_TYPE_STRING;
    case GH_MASK_YEAR:
    case GH_MASK_MONTH:
        return type == POL_TYPE_DATE || type == POL_TYPE_TIMESTAMP || type == POL_TYPE_TIMESTAMPTZ;
    case GH_MASK_ROUND:
        if (type == POL_TYPE_INT2 || type == POL_TYPE_INT4 || type == POL_TYPE_INT8)
            return is_whole(m->n);
        return type == POL_TYPE_NUMERIC || type == POL_TYPE_FLOAT4 || type == POL_TYPE_FLOAT8;
    }
    return false;
}

bool gh_mask_fits(const gh_mask *m, const gh_catalog *c, const gh_column *column)
{
    return fits(m, pol_type_of(c, column), column);
}
