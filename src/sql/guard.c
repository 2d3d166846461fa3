#include <gatehouse/sql.h>

#include <string.h>

/* memmem() looks at each byte of a text. */
static const char *find_comment(gh_str text)
{
    const char *end = text.ptr + text.len;
    const char *at = text.len == 0 ? NULL : memchr(text.ptr, '/', text.len);

    while (at != NULL && (at + 1 == end || at[1] != '*'))
        at = memchr(at + 1, '/', (size_t)(end - at - 1));
    return at;
}

/*
 * SECURITY: the lexer copies the rest of the input for every level of comment nesting (80 KB of
 * slashes and stars cost 1.4 s), so depth is bounded before it runs. A slash-star inside a string
 * counts as well: that only refuses a little more, and no real statement nests 32 of them. Attack:
 * tests/unit/sql comment_nesting.
 */
static bool comments_nest_too_deep(gh_str text)
{
    unsigned depth = 0;
    const char *first = find_comment(text);

    if (first == NULL)
        return false;
    for (size_t i = (size_t)(first - text.ptr); i + 1 < text.len; i++) {
        if (text.ptr[i] == '/' && text.ptr[i + 1] == '*') {
            depth++;
            i++;
            if (depth > GH_SQL_COMMENT_DEPTH_MAX)
                return true;
        } else if (text.ptr[i] == '*' && text.ptr[i + 1] == '/') {
            if (depth > 0)
                depth--;
            i++;
        }
    }
    return false;
}

/* ---- runs of operator characters ------------------------------------------------------------- */

static bool is_operator_char(char c)
{
    if ((c >= 'a' && c <= 'z') || c == ' ') /* what most of a text is */
        return false;
    return c != '\0' && strchr("~!@#^&|`?+-*/%<>=", c) != NULL;
}

/*
 * SECURITY: where an operator or a comment begins the lexer reads all operator characters that stand in a row,
 * and goes back to where the token ends; so plus signs in a row and comments without a gap cost the square of
 * their length: 100 KB of the former 42 s of a processor, 16 KB a second of a worker's. What it may read is
 * added up here beforehand:
 *
 *     1 +++ 2          as many tokens as characters, each of which reads the rest of the row
 *     two comments     the first reads the second too, and so on
 *
 * Attack: tests/attack/states, test_runs_of_operators.
 */
static bool operators_cost_too_much(gh_str text)
{
    uint64_t most = GH_SQL_LEXER_WORK_MAX + 4 * (uint64_t)text.len;
    uint64_t work = 0;
    size_t row_end = 0; /* of the row that was measured last */
    size_t i = 0;

    while (i < text.len && work <= most) {
        char c = text.ptr[i];

        if (c == '\'' || c == '"') {
            i = gh_sql_behind_quotes(text, i);
        } else if (c == '$') {
            size_t end =
                i > 0 && gh_sql_is_name_byte(text.ptr[i - 1]) ? i : gh_sql_behind_dollars(text, i);

            i = end == i ? i + 1 : end;
        } else if (is_operator_char(c)) {
            if (i >= row_end) {
                row_end = i;
                while (row_end < text.len && is_operator_char(text.ptr[row_end]))
                    row_end++;
            }
            work += row_end - i;
            i = gh_sql_begins_comment(text, i) ? gh_sql_behind_comment(text, i) : i + 1;
        } else {
            i++;
        }
    }
    return work > most;
}

gh_rc gh_sql_guard(gh_str text, gh_err *err)
{
    if (text.len > GH_SQL_BYTES_MAX)
        return gh_fail(err, GH_LIMIT, "54000", "statement is longer than %u bytes",
                       GH_SQL_BYTES_MAX);
    if (text.len != 0 && memchr(text.ptr, '\0', text.len) != NULL)
        return gh_fail(err, GH_INVALID, "08P01", "statement holds a NUL byte");
    if (!gh_utf8_is_valid(text))
        return gh_fail(err, GH_INVALID, "22021", "invalid byte sequence for encoding \"UTF8\"");
    if (comments_nest_too_deep(text))
        return gh_fail(err, GH_LIMIT, "54001", "comments nest deeper than %d",
                       GH_SQL_COMMENT_DEPTH_MAX);
    if (operators_cost_too_much(text))
        return gh_fail(err, GH_LIMIT, "54001", "too many operators or comments without a gap");
    return GH_OK;
}
