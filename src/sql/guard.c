#include <gatehouse/sql.h>

#include <string.h>

/*
 * SECURITY: the lexer copies the rest of the input for every level of comment nesting (80 KB of
 * slashes and stars cost 1.4 s), so depth is bounded before it runs. A slash-star inside a string
 * counts as well: that only refuses a little more, and no real statement nests 32 of them. Attack:
 * tests/unit/sql comment_nesting.
 */
static bool comments_nest_too_deep(gh_str text)
{
    unsigned depth = 0;
    const char *first = text.len == 0 ? NULL : memmem(text.ptr, text.len, "/*", 2);

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

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

/* Behind the string or quoted name that begins at `i`. */
static size_t behind_quotes(gh_str text, size_t i)
{
    char quote = text.ptr[i];
    bool has_escapes = quote == '\'' && i > 0 && (text.ptr[i - 1] | 32) == 'e' &&
                       (i == 1 || !is_name_char(text.ptr[i - 2]));

    for (i++; i < text.len; i++) {
        if (has_escapes && text.ptr[i] == '\\')
            i++;
        else if (text.ptr[i] == quote && (i + 1 == text.len || text.ptr[i + 1] != quote))
            return i + 1;
        else if (text.ptr[i] == quote)
            i++;
    }
    return text.len;
}

/* Behind the dollar quotes that begin at `i`; i + 1 where none do. */
static size_t behind_dollars(gh_str text, size_t i)
{
    size_t end = i + 1;
    const char *close;

    if (i > 0 && is_name_char(text.ptr[i - 1]))
        return i + 1;
    while (end < text.len && text.ptr[end] != '$' && is_name_char(text.ptr[end]))
        end++;
    if (end == text.len || text.ptr[end] != '$' ||
        (text.ptr[i + 1] >= '0' && text.ptr[i + 1] <= '9'))
        return i + 1;
    end++;
    close = memmem(text.ptr + end, text.len - end, text.ptr + i, end - i);
    return close == NULL ? text.len : (size_t)(close - text.ptr) + (end - i);
}

/* Behind the comment that begins at `i`. */
static size_t behind_comment(gh_str text, size_t i)
{
    unsigned depth = 0;

    if (text.ptr[i] == '-') {
        while (i < text.len && text.ptr[i] != '\n' && text.ptr[i] != '\r')
            i++;
        return i;
    }
    while (i + 1 < text.len) {
        if (text.ptr[i] == '/' && text.ptr[i + 1] == '*') {
            depth++;
            i += 2;
        } else if (text.ptr[i] == '*' && text.ptr[i + 1] == '/') {
            depth--;
            i += 2;
            if (depth == 0)
                return i;
        } else {
            i++;
        }
    }
    return text.len;
}

static bool begins_comment(gh_str text, size_t i)
{
    return i + 1 < text.len && ((text.ptr[i] == '-' && text.ptr[i + 1] == '-') ||
                                (text.ptr[i] == '/' && text.ptr[i + 1] == '*'));
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
            i = behind_quotes(text, i);
        } else if (c == '$') {
            i = behind_dollars(text, i);
        } else if (is_operator_char(c)) {
            if (i >= row_end) {
                row_end = i;
                while (row_end < text.len && is_operator_char(text.ptr[row_end]))
                    row_end++;
            }
            work += row_end - i;
            i = begins_comment(text, i) ? behind_comment(text, i) : i + 1;
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
