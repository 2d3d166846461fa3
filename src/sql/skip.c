/*
 * Where strings, quoted names and comments end, as PostgreSQL's lexer has it with standard_conforming_strings on: for
 * those who look at a text that is not parsed, or not yet.
 */
#include <gatehouse/sql.h>

#include <string.h>

bool gh_sql_is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

/* E'...', and not the end of a name: date'...' */
static bool has_escapes(gh_str text, size_t i)
{
    return text.ptr[i] == '\'' && i > 0 && (text.ptr[i - 1] == 'e' || text.ptr[i - 1] == 'E') &&
           (i == 1 || !gh_sql_is_name_byte(text.ptr[i - 2]));
}

size_t gh_sql_behind_quotes(gh_str text, size_t i)
{
    char quote = text.ptr[i];
    bool is_escaped = has_escapes(text, i);

    while (!is_escaped) {
        const char *end =
            i + 1 < text.len ? memchr(text.ptr + i + 1, quote, text.len - i - 1) : NULL;

        if (end == NULL)
            return text.len;
        i = (size_t)(end - text.ptr) + 1;
        if (i == text.len || text.ptr[i] != quote)
            return i;
    }
    for (i++; i < text.len; i++) {
        if (is_escaped && text.ptr[i] == '\\')
            i++;
        else if (text.ptr[i] == quote && (i + 1 == text.len || text.ptr[i + 1] != quote))
            return i + 1;
        else if (text.ptr[i] == quote)
            i++;
    }
    return text.len;
}

size_t gh_sql_behind_dollars(gh_str text, size_t i)
{
    size_t end = i + 1;
    const char *close;

    while (end < text.len && text.ptr[end] != '$' && gh_sql_is_name_byte(text.ptr[end]))
        end++;
    if (end == text.len || text.ptr[end] != '$' ||
        (text.ptr[i + 1] >= '0' && text.ptr[i + 1] <= '9'))
        return i;
    end++;
    close = memmem(text.ptr + end, text.len - end, text.ptr + i, end - i);
    return close == NULL ? text.len : (size_t)(close - text.ptr) + (end - i);
}

bool gh_sql_begins_comment(gh_str text, size_t i)
{
    return i + 1 < text.len && ((text.ptr[i] == '-' && text.ptr[i + 1] == '-') ||
                                (text.ptr[i] == '/' && text.ptr[i + 1] == '*'));
}

size_t gh_sql_behind_comment(gh_str text, size_t i)
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
