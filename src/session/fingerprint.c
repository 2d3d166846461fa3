/*
 * fingerprint.c: see fingerprint.h. A literal ends here where it ends for PostgreSQL with standard_conforming_strings
 * on, which holds for whatever is sent; of a text that nobody can read, what is behind the fault may be anything.
 *
 * SECURITY: a literal that is taken to end too early is recorded. Attack: tests/unit/session, test_fingerprints.
 */
#include "fingerprint.h"

static bool is_digit(char ch)
{
    return ch >= '0' && ch <= '9';
}

/* A byte of a name. */
static bool is_word(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || is_digit(ch) || ch == '_' ||
           ch == '$' || ((unsigned char)ch) >= 0x80;
}

/* The byte behind a quoted string that begins at i. */
static size_t skip_string(gh_str sql, size_t i, bool has_escapes)
{
    char quote = sql.ptr[i];

    for (i++; i < sql.len; i++) {
        if (has_escapes && sql.ptr[i] == '\\')
            i++;
        else if (sql.ptr[i] == quote && i + 1 < sql.len && sql.ptr[i + 1] == quote)
            i++;
        else if (sql.ptr[i] == quote)
            return i + 1;
    }
    return sql.len;
}

/* The byte behind a dollar-quoted string that begins at i; i if none does. */
static size_t skip_dollar(gh_str sql, size_t i)
{
    size_t end = i + 1;
    const char *close;

    while (end < sql.len && is_word(sql.ptr[end]) && sql.ptr[end] != '$')
        end++;
    if (end == sql.len || sql.ptr[end] != '$')
        return i;
    end++;
    close = memmem(sql.ptr + end, sql.len - end, sql.ptr + i, end - i);
    return close == NULL ? sql.len : (size_t)(close - sql.ptr) + (end - i);
}

/* The byte behind a comment that begins at i; comments nest. */
static size_t skip_comment(gh_str sql, size_t i)
{
    size_t depth = 0;

    while (i + 1 < sql.len) {
        if (sql.ptr[i] == '/' && sql.ptr[i + 1] == '*') {
            depth++;
            i += 2;
        } else if (sql.ptr[i] == '*' && sql.ptr[i + 1] == '/') {
            depth--;
            i += 2;
            if (depth == 0)
                return i;
        } else {
            i++;
        }
    }
    return sql.len;
}

/* Does a string that begins at i know backslashes? E'...', and not the end of a name: date'...' */
static bool has_escapes(gh_str sql, size_t i)
{
    return i > 0 && (sql.ptr[i - 1] == 'e' || sql.ptr[i - 1] == 'E') &&
           (i == 1 || !is_word(sql.ptr[i - 2]));
}

void gh_fingerprint(gh_str sql, gh_buf *out)
{
    size_t i = 0;

    while (i < sql.len) {
        char ch = sql.ptr[i];
        char after = i + 1 < sql.len ? sql.ptr[i + 1] : ' ';
        size_t next = i + 1;
        bool is_literal = false;

        if (ch == '\'') {
            next = skip_string(sql, i, has_escapes(sql, i));
            is_literal = true;
        } else if (ch == '"') {
            next = skip_string(sql, i, false);
        } else if (ch == '$' && !is_digit(after)) {
            next = skip_dollar(sql, i);
            next = next == i ? sql.len : next;
            is_literal = true;
        } else if (ch == '-' && after == '-') {
            while (next < sql.len && sql.ptr[next] != '\n')
                next++;
            i = next;
            continue;
        } else if (ch == '/' && after == '*') {
            i = skip_comment(sql, i);
            continue;
        } else if (is_digit(ch)) {
            while (next < sql.len && (is_word(sql.ptr[next]) || sql.ptr[next] == '.'))
                next++;
            is_literal = true;
        } else if (ch == '$') { /* a parameter's number */
            while (next < sql.len && is_digit(sql.ptr[next]))
                next++;
        } else {
            while (is_word(ch) && next < sql.len && is_word(sql.ptr[next]))
                next++;
        }
        if (is_literal)
            gh_buf_put_u8(out, '?');
        else
            gh_buf_put(out, sql.ptr + i, next - i);
        i = next;
    }
}

/* ---- messages -------------------------------------------------------------------------------------- */

/* Is it a whole word of the text, in whatever case? */
static bool has_word(gh_str text, gh_str word)
{
    size_t i = 0;

    while (i < text.len) {
        size_t end = i;

        while (end < text.len && is_word(text.ptr[end]))
            end++;
        if (gh_str_ieq((gh_str){ text.ptr + i, end - i }, word))
            return true;
        i = end + 1;
    }
    return false;
}

/* Stands between what one message quotes: column "a" of relation "b". */
static bool is_between(gh_str word)
{
    return gh_str_is(word, "of") || gh_str_is(word, "relation") || gh_str_is(word, "to") ||
           gh_str_is(word, "for") || gh_str_is(word, "encoding");
}

static bool has_all_words(gh_str text, gh_str part)
{
    size_t i = 0;

    while (i < part.len) {
        size_t end = i;
        gh_str word;

        while (end < part.len && is_word(part.ptr[end]))
            end++;
        word = (gh_str){ part.ptr + i, end - i };
        if (word.len > 0 && !is_between(word) && !has_word(text, word))
            return false;
        i = end + 1;
    }
    return true;
}

/* A literal may hold quotes, too, so all from the first to the last counts as quoted; of a message that was cut, all
 * that follows. */
void gh_fingerprint_message(gh_str message, gh_str fingerprint, gh_buf *out)
{
    static const gh_err sample;
    bool is_cut = message.len + 1 >= sizeof(sample.public_msg);
    const char *end = message.ptr + message.len;
    const char *first = message.len > 0 ? memchr(message.ptr, '"', message.len) : NULL;
    const char *last = first != NULL ? memrchr(message.ptr, '"', message.len) : NULL;

    if (is_cut || first == last)
        last = end;
    if (first == NULL ||
        has_all_words(fingerprint, (gh_str){ first + 1, (size_t)(last - first) - 1 })) {
        gh_buf_put_str(out, message);
        return;
    }
    gh_buf_put(out, message.ptr, (size_t)(first - message.ptr) + 1);
    gh_buf_puts(out, "?");
    if (last == end)
        gh_buf_puts(out, "\"");
    else
        gh_buf_put(out, last, (size_t)(end - last));
}
