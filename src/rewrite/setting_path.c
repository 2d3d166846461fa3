/*
 * The names of a search_path as PostgreSQL reads them.
 *
 *     a, "B c" ,d-e  ─▶  a   B c   d-e        "a   a,,b   a,   ─▶  no list
 */
#include "judge.h"

static bool is_space(char ch)
{
    return ch == ' ' || (ch >= '\t' && ch <= '\r');
}

static void skip_spaces(gh_str text, size_t *at)
{
    while (*at < text.len && is_space(text.ptr[*at]))
        (*at)++;
}

static void put(char *to, size_t *len, char ch)
{
    if (to != NULL)
        to[*len] = ch;
    (*len)++;
}

/* Behind its first quote. */
static size_t read_quoted(gh_str text, size_t *at, char *to)
{
    size_t len = 0;

    while (*at < text.len) {
        char ch = text.ptr[(*at)++];

        if (ch != '"') {
            put(to, &len, ch);
            continue;
        }
        if (*at == text.len || text.ptr[*at] != '"')
            return len;
        put(to, &len, ch);
        (*at)++;
    }
    return SIZE_MAX;
}

static size_t read_plain(gh_str text, size_t *at, char *to)
{
    size_t len = 0;

    while (*at < text.len && text.ptr[*at] != ',' && !is_space(text.ptr[*at])) {
        char ch = text.ptr[(*at)++];

        put(to, &len, ch >= 'A' && ch <= 'Z' ? (char)(ch + ('a' - 'A')) : ch);
    }
    return len > 0 ? len : SIZE_MAX;
}

size_t gh_setting_read_path(gh_str text, size_t *at, char *to)
{
    bool is_quoted;
    size_t len;

    skip_spaces(text, at);
    is_quoted = *at < text.len && text.ptr[*at] == '"';
    *at += is_quoted;
    len = is_quoted ? read_quoted(text, at, to) : read_plain(text, at, to);
    if (len == SIZE_MAX)
        return len;
    skip_spaces(text, at);
    if (*at == text.len)
        return len;
    if (text.ptr[(*at)++] != ',')
        return SIZE_MAX;
    skip_spaces(text, at);
    return *at < text.len ? len : SIZE_MAX;
}

bool gh_setting_is_path(gh_str text)
{
    size_t at = 0;

    skip_spaces(text, &at);
    while (at < text.len) {
        if (gh_setting_read_path(text, &at, NULL) == SIZE_MAX)
            return false;
    }
    return true;
}
