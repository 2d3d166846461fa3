#include <gatehouse/sql.h>

/*
 * SECURITY: the lexer copies the rest of the input for every level of comment nesting (80 KB of
 * slashes and stars cost 1.4 s), so depth is bounded before it runs. A slash-star inside a string
 * counts as well: that only refuses a little more, and no real statement nests 32 of them. Attack:
 * tests/unit/sql comment_nesting.
 */
static bool comments_nest_too_deep(gh_str text)
{
    unsigned depth = 0;

    for (size_t i = 0; i + 1 < text.len; i++) {
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
    return GH_OK;
}
