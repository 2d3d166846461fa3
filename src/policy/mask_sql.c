/*
 * Masks as SQL. Every function is written pg_catalog.f, every operator OPERATOR(pg_catalog.x),
 * every type with its schema, and no construct is used that looks an operator up by its bare name
 * (IN, BETWEEN, LIKE, NULLIF, IS DISTINCT FROM, CASE x WHEN): the search_path has no vote.
 *
 * No mask may fail on any value: an error that only some values raise tells them apart.
 */
#include "policy_priv.h"

#include <stdio.h>

#define OP(x) " OPERATOR(pg_catalog." x ") "

/* ---- literals and types --------------------------------------------------------------------- */

static void put_literal(gh_buf *b, gh_str s)
{
    if (s.len > 0 && memchr(s.ptr, '\\', s.len) != NULL)
        gh_buf_puts(b, "E");
    gh_buf_puts(b, "'");
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\'' || s.ptr[i] == '\\')
            gh_buf_put(b, &s.ptr[i], 1);
        gh_buf_put(b, &s.ptr[i], 1);
    }
    gh_buf_puts(b, "'");
}

static void put_name(gh_buf *b, gh_str s)
{
    if (gh_str_is(s, "pg_catalog")) {
        gh_buf_put_str(b, s);
        return;
    }
    gh_buf_puts(b, "\"");
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '"')
            gh_buf_puts(b, "\"");
        gh_buf_put(b, &s.ptr[i], 1);
    }
    gh_buf_puts(b, "\"");
}

/*
 * The column's type. format_type() leaves pg_catalog out, so a plain name is written from the
 * catalog; types with a length or precision are keywords of the grammar or carry their schema
 * already.
 *
 * SECURITY: of a domain it is the base type. A domain's CHECK holds for the values, not for their
 * masks: a cast would fail on some rows only, and tell them apart. (Clients are told base types
 * anyway.) Attack: tests/integration/masks.py, domain_check_tells_nothing.
 */
static void put_type(gh_buf *b, const gh_catalog *c, const gh_column *column)
{
    gh_oid base = pol_base_type(c, column->type_oid);
    const gh_type *t = c == NULL ? NULL : gh_catalog_type_by_oid(c, base);

    if (t == NULL || (base == column->type_oid && column->typmod >= 0)) {
        gh_buf_put_str(b, column->type_sql);
        return;
    }
    put_name(b, t->schema);
    gh_buf_puts(b, ".");
    put_name(b, t->name);
}

/* ---- text ----------------------------------------------------------------------------------- */

static void put_text(gh_buf *b, gh_str value)
{
    gh_buf_puts(b, "CAST(");
    gh_buf_put_str(b, value);
    gh_buf_puts(b, " AS pg_catalog.text)");
}

static void put_length(gh_buf *b, gh_str value)
{
    gh_buf_puts(b, "pg_catalog.length(");
    put_text(b, value);
    gh_buf_puts(b, ")");
}

static void put_partial(gh_buf *b, const gh_mask *m, gh_str value)
{
    int shown = (int)(m->a + m->b);

    gh_buf_puts(b, "CASE WHEN ");
    put_length(b, value);
    gh_buf_printf(b, OP(">") "%d THEN pg_catalog.left(", shown);
    put_text(b, value);
    gh_buf_printf(b, ", %d)" OP("||") "pg_catalog.repeat('*', ", (int)m->a);
    put_length(b, value);
    gh_buf_printf(b, OP("-") "%d)" OP("||") "pg_catalog.right(", shown);
    put_text(b, value);
    gh_buf_printf(b, ", %d) ELSE pg_catalog.repeat('*', ", (int)m->b);
    put_length(b, value);
    gh_buf_puts(b, ") END");
}

/* Where the first @ of the text is; with is_last, how far the last one is from the end. */
static void put_at(gh_buf *b, gh_str value, bool is_last)
{
    /* Under the collation C: one that is not deterministic makes strpos() fail. The number that
     * comes out has no collation, so the result keeps the column's. */
    gh_buf_puts(b, is_last ? "pg_catalog.strpos(pg_catalog.reverse(" : "pg_catalog.strpos(");
    put_text(b, value);
    gh_buf_puts(b, " COLLATE pg_catalog.\"C\"");
    gh_buf_puts(b, is_last ? "), '@')" : ", '@')");
}

static void put_email(gh_buf *b, gh_str value)
{
    gh_buf_puts(b, "CASE WHEN ");
    put_at(b, value, false);
    gh_buf_puts(b, OP(">") "0 THEN pg_catalog.left(");
    put_text(b, value);
    gh_buf_puts(b, ", CASE WHEN ");
    put_at(b, value, false);
    gh_buf_puts(b, OP("=") "1 THEN 0 ELSE 1 END)" OP("||") "'***@'" OP("||") "pg_catalog.right(");
    put_text(b, value);
    gh_buf_puts(b, ", ");
    put_at(b, value, true);
    gh_buf_puts(b, OP("-") "1) WHEN ");
    put_text(b, value);
    gh_buf_puts(b, " IS NOT NULL THEN '***' END");
}

/* ---- dates ---------------------------------------------------------------------------------- */

/*
 * The first instant of the month or year. Infinity stays; what lies outside of both date's and
 * timestamp's common range is NULL, since truncating or casting it fails.
 *
 * SECURITY: timestamps with time zone are cut in UTC, never in the session's zone: a client that
 * may set TimeZone to any offset moves the month's edge, and finds the masked instant by halving.
 * Attack: tests/integration/masks.py, time_zone_moves_nothing.
 */
static void put_truncated(gh_buf *b, const char *unit, pol_type type, gh_str value)
{
    static const char *const open[] = { "CAST(", "CAST(", "pg_catalog.timezone('UTC', CAST(" };
    static const char *const close[] = { " AS pg_catalog.date)", " AS pg_catalog.timestamp)",
                                         " AS pg_catalog.timestamptz))" };
    size_t i = type == POL_TYPE_DATE ? 0 : type == POL_TYPE_TIMESTAMP ? 1 : 2;

    gh_buf_puts(b, "CASE WHEN NOT pg_catalog.isfinite(");
    gh_buf_puts(b, open[i]);
    gh_buf_put_str(b, value);
    gh_buf_puts(b, close[i]);
    gh_buf_puts(b, ") OR (");
    gh_buf_puts(b, open[i]);
    gh_buf_put_str(b, value);
    gh_buf_puts(b, close[i]);
    gh_buf_puts(b, OP(">=") "pg_catalog.make_date(-4713, 1, 1) AND ");
    gh_buf_puts(b, open[i]);
    gh_buf_put_str(b, value);
    gh_buf_puts(b, close[i]);
    gh_buf_puts(b, OP("<") "pg_catalog.make_date(294276, 1, 1)) THEN ");
    gh_buf_puts(b, type == POL_TYPE_TIMESTAMPTZ ? "pg_catalog.timezone('UTC', " : "CAST(");
    gh_buf_printf(b, "pg_catalog.date_trunc('%s', CAST(", unit);
    gh_buf_puts(b, open[i]);
    gh_buf_put_str(b, value);
    gh_buf_puts(b, close[i]);
    gh_buf_puts(b, " AS pg_catalog.timestamp))");
    if (type == POL_TYPE_DATE)
        gh_buf_puts(b, " AS pg_catalog.date) END");
    else if (type == POL_TYPE_TIMESTAMP)
        gh_buf_puts(b, " AS pg_catalog.timestamp) END");
    else
        gh_buf_puts(b, ") END");
}

/* ---- numbers -------------------------------------------------------------------------------- */

/*
 * How far the type reaches above (or, as an absolute value, below) zero, as an expression of type
 * numeric. Of numeric types only those with a precision have an end.
 */
static void put_reach(gh_buf *b, bool is_below, pol_type type, int32_t typmod)
{
    static const char *const whole[][2] = { { "32767", "32768" },
                                            { "2147483647", "2147483648" },
                                            { "9223372036854775807", "9223372036854775808" } };
    int precision;
    int scale;

    if (type == POL_TYPE_INT2 || type == POL_TYPE_INT4 || type == POL_TYPE_INT8) {
        gh_buf_printf(b, "CAST(%s AS pg_catalog.numeric)", whole[type - POL_TYPE_INT2][is_below]);
    } else if (type ==
               POL_TYPE_FLOAT4) { /* below FLT_MAX in the six digits of the cast to numeric */
        gh_buf_puts(b, "CAST('3.40282e38' AS pg_catalog.numeric)");
    } else if (type == POL_TYPE_FLOAT8) {
        gh_buf_puts(b, "CAST('1.79769313486231e308' AS pg_catalog.numeric)");
    } else { /* numeric(p,s): 10^(p-s) - 10^-s; s is signed, in 11 bits */
        precision = ((typmod - 4) >> 16) & 0xffff;
        scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
        gh_buf_printf(
            b, "(CAST('1e%d' AS pg_catalog.numeric)" OP("-") "CAST('1e%d' AS pg_catalog.numeric))",
            precision - scale, -scale);
    }
}

/*
 * The nearest multiple, halves away from zero, in exact integer steps, and never past the type's last multiple:
 *     sign(x) * div(2|x| + n, 2n) * n
 * (x / n rounded has only so many digits, and rounds twice.)
 */
static void put_nearest(gh_buf *b, gh_str n, gh_str value)
{
    gh_buf_puts(b, "pg_catalog.sign(CAST(");
    gh_buf_put_str(b, value);
    gh_buf_puts(b, " AS pg_catalog.numeric))" OP("*") "pg_catalog.div(pg_catalog.abs(CAST(");
    gh_buf_put_str(b, value);
    gh_buf_printf(b,
                  " AS pg_catalog.numeric))" OP("*") "2" OP(
                      "+") "CAST(" GH_STR_FMT " AS pg_catalog.numeric), CAST(" GH_STR_FMT
                           " AS pg_catalog.numeric)" OP("*") "2)" OP("*") "CAST(" GH_STR_FMT
                                                                          " AS pg_catalog.numeric)",
                  GH_STR_ARG(n), GH_STR_ARG(n), GH_STR_ARG(n));
}

/* The last multiple of n within the type's reach. */
static void put_last(gh_buf *b, bool is_below, gh_str n, pol_type type, int32_t typmod)
{
    gh_buf_puts(b, is_below ? "OPERATOR(pg_catalog.-) (pg_catalog.div(" : "(pg_catalog.div(");
    put_reach(b, is_below, type, typmod);
    gh_buf_printf(b,
                  ", CAST(" GH_STR_FMT
                  " AS pg_catalog.numeric))" OP("*") "CAST(" GH_STR_FMT " AS pg_catalog.numeric))",
                  GH_STR_ARG(n), GH_STR_ARG(n));
}

static void put_clamped(gh_buf *b, gh_str n, pol_type type, int32_t typmod, gh_str value)
{
    if (type == POL_TYPE_NUMERIC && typmod < 4) {
        put_nearest(b, n, value); /* numeric without precision has no end */
        return;
    }
    gh_buf_puts(b, "LEAST(GREATEST(");
    put_nearest(b, n, value);
    gh_buf_puts(b, ", ");
    put_last(b, true, n, type, typmod);
    gh_buf_puts(b, "), ");
    put_last(b, false, n, type, typmod);
    gh_buf_puts(b, ")");
}

/* Digits only: a whole multiple, below 10^GH_POLICY_ROUND_DIGITS_MAX. 0: it has a fraction. */
static int64_t whole_multiple(gh_str n)
{
    int64_t v = 0;

    for (size_t i = 0; i < n.len; i++) {
        if (n.ptr[i] < '0' || n.ptr[i] > '9' || i >= GH_POLICY_ROUND_DIGITS_MAX)
            return 0;
        v = v * 10 + (n.ptr[i] - '0');
    }
    return v;
}

/*
 * Of whole numbers, in whole numbers, and by few operators, each of which costs the server's planner more than it costs to run:
 *
 *     (x / n                            multiples in x, cut towards zero
 *      + between(x, first, last)        and one more where the rest is at least h, the half of n rounded up
 *        % n / h) * n
 *
 * Beyond the type's first and last multiple there is none to go on to: what is kept between has no rest there. At an
 * end whose rest is less than h nothing need be kept. LEAST and GREATEST skip NULL, and look no operator up; x / n stays NULL.
 */
static void put_round_whole(gh_buf *b, int64_t n, pol_type type, gh_str value)
{
    static const int64_t ends[][2] = { { INT16_MIN, INT16_MAX },
                                       { INT32_MIN, INT32_MAX },
                                       { INT64_MIN, INT64_MAX } };
    const int64_t *end = ends[type - POL_TYPE_INT2];
    int64_t half = n - n / 2;
    bool has_first = -(end[0] % n) >= half;
    bool has_last = end[1] % n >= half;

    /* A minus before a number makes another number of it, in the grammar, and calls no operator. */
    gh_buf_printf(b, "(" GH_STR_FMT OP("/") "%lld" OP("+") "(", GH_STR_ARG(value), (long long)n);
    gh_buf_puts(b, has_last ? "LEAST(" : "");
    gh_buf_puts(b, has_first ? "GREATEST(" : "");
    gh_buf_put_str(b, value);
    if (has_first)
        gh_buf_printf(b, ", %lld)", (long long)(end[0] / n * n));
    if (has_last)
        gh_buf_printf(b, ", %lld)", (long long)(end[1] / n * n));
    gh_buf_printf(b, OP("%%") "%lld" OP("/") "%lld))" OP("*") "%lld", (long long)n, (long long)half,
                  (long long)n);
}

/* Is it of the column's type already? PostgreSQL computes in the widest of its numbers, int4 at least. */
static bool is_round_of_type(const gh_mask *m, pol_type type)
{
    int64_t whole = m->kind == GH_MASK_ROUND ? whole_multiple(m->n) : 0;

    return whole > 0 && (type == POL_TYPE_INT8 || (type == POL_TYPE_INT4 && whole <= INT32_MAX));
}

/* LEAST and GREATEST skip NULL, and take NaN for the largest: both are kept apart. */
static void put_round(gh_buf *b, const gh_mask *m, pol_type type, int32_t typmod, gh_str value)
{
    static const char *const special[] = { "NaN", "Infinity", "-Infinity" };
    bool is_float = type == POL_TYPE_FLOAT4 || type == POL_TYPE_FLOAT8;
    const char *name = type == POL_TYPE_FLOAT4 ? "float4" : is_float ? "float8" : "numeric";
    size_t special_count = is_float ? 3 : type == POL_TYPE_NUMERIC ? 1 : 0;
    int64_t whole = special_count == 0 ? whole_multiple(m->n) : 0;

    if (whole > 0) {
        put_round_whole(b, whole, type, value);
        return;
    }
    gh_buf_puts(b, "CASE");
    for (size_t i = 0; i < special_count; i++) {
        gh_buf_puts(b, " WHEN CAST(");
        gh_buf_put_str(b, value);
        gh_buf_printf(b, " AS pg_catalog.%s)" OP("=") "CAST('%s' AS pg_catalog.%s) THEN CAST(",
                      name, special[i], name);
        gh_buf_put_str(b, value);
        gh_buf_printf(b, " AS pg_catalog.%s)", name);
    }
    gh_buf_puts(b, " WHEN ");
    gh_buf_put_str(b, value);
    gh_buf_puts(b, " IS NOT NULL THEN CAST(");
    put_clamped(b, m->n, type, typmod, value);
    gh_buf_printf(b, " AS pg_catalog.%s) END", name);
}

/* ---- hash ----------------------------------------------------------------------------------- */

/*
 * SECURITY: the key comes from a setting that the session gives at connect; a session that lost it
 * (a RESET makes it the empty string) would hash without a key, and pseudonyms of guessable values
 * could be computed by anyone. A short key is no key: the result is NULL. Attack:
 * tests/integration/masks.py, hash_without_key_is_null.
 */
#define KEY                                                                                        \
    "(SELECT CASE WHEN pg_catalog.length(pg_catalog.current_setting('gatehouse.hash_key')) "       \
    "OPERATOR(pg_catalog.>=) 32 THEN "                                                             \
    "pg_catalog.decode(pg_catalog.current_setting('gatehouse.hash_key'), 'hex') END)"

/* sha256(key || tag || message || key), its first `bytes` bytes as hex. The tag keeps types apart. */
static void put_digest(gh_buf *b, const char *key, const char *tag, const char *message, int bytes)
{
    gh_buf_printf(
        b,
        "pg_catalog.encode(pg_catalog.substr(pg_catalog.sha256(%s" OP(
            "||") "pg_catalog.decode('%s', 'hex')" OP("||") "%s" OP("||") "%s), 1, %d), 'hex')",
        key, tag, message, key, bytes);
}

/*
 * A keyed permutation of the integers of a type: a Feistel network over the two halves of its bits.
 *
 *     l ─────────┐   ┌──▶ l' = r            each round can be undone, whatever f is, so different
 *     r ──┬──────┼───┘                      values stay different; f is the first 32 bits of a
 *         └─ f ─▶⊕──────▶ r' = l # f(r)     keyed digest of (type, round, r)
 *
 * Each round is a sub-select of its own; OFFSET 0 keeps the planner from flattening them, which
 * would double the work with every round.
 */
#define ROUNDS 6

static void put_round_of_permutation(gh_buf *b, int round, const char *tag, const char *mask)
{
    char message[96]; /* r and the round's number, in 8 bytes */

    (void)snprintf(message, sizeof(message), "pg_catalog.int8send(h.r" OP("+") "%lld)",
                   (long long)round << 32);
    gh_buf_puts(b, " FROM (SELECT h.k AS k, h.r AS l, h.l" OP("#") "(CAST(CAST('x'" OP("||"));
    put_digest(b, "h.k", tag, message, 4);
    gh_buf_printf(b, " AS bit(32)) AS pg_catalog.int8)" OP("&") "%s) AS r", mask);
}

static void put_permutation(gh_buf *b, pol_type type, gh_str value)
{
    int half = type == POL_TYPE_INT2 ? 8 : type == POL_TYPE_INT4 ? 16 : 32;
    const char *mask = half == 8 ? "255" : half == 16 ? "65535" : "4294967295";
    const char *tag = half == 8 ? "02" : half == 16 ? "04" : "08";

    gh_buf_printf(b, "(SELECT (h.l" OP("<<") "%d" OP("|") "h.r)", half);
    if (half != 32) /* 64 bits wrap into the sign by themselves */
        gh_buf_puts(b, half == 8 ? OP("-") "32768" : OP("-") "2147483648");
    for (int round = ROUNDS; round > 0; round--)
        put_round_of_permutation(b, round, tag, mask);
    gh_buf_puts(b, " FROM (SELECT " KEY " AS k, CAST(");
    gh_buf_put_str(b, value);
    gh_buf_printf(b, " AS pg_catalog.int8)" OP(">>") "%d" OP("&") "%s AS l, CAST(", half, mask);
    gh_buf_put_str(b, value);
    gh_buf_printf(b, " AS pg_catalog.int8)" OP("&") "%s AS r", mask);
    for (int level = 0; level <= ROUNDS; level++)
        gh_buf_puts(b, " OFFSET 0) AS h");
    gh_buf_puts(b, ")");
}

static void put_hash(gh_buf *b, pol_type type, gh_str value)
{
    gh_buf message;

    if (type != POL_TYPE_TEXT && type != POL_TYPE_UUID) {
        put_permutation(b, type, value);
        return;
    }
    gh_buf_init(&message, 0);
    if (type == POL_TYPE_UUID) {
        gh_buf_puts(&message, "pg_catalog.uuid_send(CAST(");
        gh_buf_put_str(&message, value);
        gh_buf_puts(&message, " AS pg_catalog.uuid))");
    } else {
        /* The server's own encoding: textsend() would answer in the client's. */
        gh_buf_puts(&message, "pg_catalog.convert_to(");
        put_text(&message, value);
        gh_buf_puts(&message, ", pg_catalog.getdatabaseencoding())");
        gh_buf_puts(b, "pg_catalog.left("); /* an empty text that carries the column's collation */
        put_text(b, value);
        gh_buf_puts(b, ", 0)" OP("||"));
    }
    gh_buf_put(&message, "", 1);
    put_digest(b, KEY, type == POL_TYPE_UUID ? "10" : "01", message.ptr, 16);
    gh_buf_fini(&message);
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* The masks that make a new value; it is cast to the column's type. */
static void put_masked(gh_buf *b, const gh_mask *m, pol_type type, const gh_column *column,
                       gh_str value)
{
    switch (m->kind) {
    case GH_MASK_REDACT:
        gh_buf_puts(b, "'***'");
        break;
    case GH_MASK_CONSTANT:
        put_literal(b, m->expr);
        break;
    case GH_MASK_HASH:
        put_hash(b, type, value);
        break;
    case GH_MASK_EMAIL:
        put_email(b, value);
        break;
    case GH_MASK_PARTIAL:
        put_partial(b, m, value);
        break;
    case GH_MASK_YEAR:
        put_truncated(b, "year", type, value);
        break;
    case GH_MASK_MONTH:
        put_truncated(b, "month", type, value);
        break;
    case GH_MASK_ROUND:
        put_round(b, m, type, column->typmod, value);
        break;
    case GH_MASK_NULL:
    case GH_MASK_EXPR:
        gh_buf_puts(b, "NULL"); /* the caller sends neither here */
        break;
    }
}

gh_rc gh_mask_sql(const gh_mask *m, const gh_catalog *c, const gh_column *column, gh_str value,
                  gh_buf *out, gh_err *err)
{
    pol_type type = pol_type_of(c, column);
    bool is_text = type == POL_TYPE_TEXT || type == POL_TYPE_STRING;
    bool is_cast;

    if (m->kind == GH_MASK_EXPR || !gh_mask_fits(m, c, column)) {
        gh_rc rc =
            gh_fail(err, GH_INVALID, POL_SQLSTATE, "the mask does not fit its column's type");

        gh_err_detail(err, "mask " GH_STR_FMT " of column " GH_STR_FMT " of type " GH_STR_FMT,
                      GH_STR_ARG(m->name), GH_STR_ARG(column->name), GH_STR_ARG(column->type_sql));
        return rc;
    }
    is_cast = !is_round_of_type(m, type);
    gh_buf_puts(out, is_cast ? "CAST(" : "(");
    if (m->kind == GH_MASK_NULL || (m->kind == GH_MASK_REDACT && !is_text))
        gh_buf_puts(out, "NULL");
    else
        put_masked(out, m, type, column, value);
    if (is_cast) {
        gh_buf_puts(out, " AS ");
        put_type(out, c, column);
    }
    gh_buf_puts(out, ")");
    if (out->failed)
        return gh_fail(err, GH_LIMIT, "54001", "a mask's SQL passes the statement's bound");
    return GH_OK;
}
