/*
 * fingerprint.c: see fingerprint.h. A literal ends here where it ends for PostgreSQL with standard_conforming_strings
 * on, which holds for whatever is sent; of a text that nobody can read, what is behind the fault may be anything.
 *
 * SECURITY: a literal that is taken to end too early is recorded. Attack: tests/unit/session, test_fingerprints.
 */
#include "fingerprint.h"

#include <gatehouse/sql.h>

static bool is_digit(char ch)
{
    return ch >= '0' && ch <= '9';
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
            next = gh_sql_behind_quotes(sql, i);
            is_literal = true;
        } else if (ch == '"') {
            next = gh_sql_behind_quotes(sql, i);
        } else if (ch == '$' && !is_digit(after)) {
            next = gh_sql_behind_dollars(sql, i);
            next = next == i ? sql.len : next;
            is_literal = true;
        } else if (gh_sql_begins_comment(sql, i)) {
            i = gh_sql_behind_comment(sql, i);
            continue;
        } else if (is_digit(ch)) {
            while (next < sql.len && (gh_sql_is_name_byte(sql.ptr[next]) || sql.ptr[next] == '.'))
                next++;
            is_literal = true;
        } else if (ch == '$') { /* a parameter's number */
            while (next < sql.len && is_digit(sql.ptr[next]))
                next++;
        } else {
            while (gh_sql_is_name_byte(ch) && next < sql.len && gh_sql_is_name_byte(sql.ptr[next]))
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

        while (end < text.len && gh_sql_is_name_byte(text.ptr[end]))
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

        while (end < part.len && gh_sql_is_name_byte(part.ptr[end]))
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
