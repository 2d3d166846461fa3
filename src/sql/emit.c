/*
 * Canonical text: every token is written anew from its decoded value, in the one form that reads
 * the same under every lexer setting and in every server version: names always quoted (a later
 * version may have made a keyword of one), strings without backslashes plain and others as E'', no
 * comments.
 */
#include <gatehouse/sql.h>

/* ASCII bytes of a code point; *len bytes are consumed. Input is valid UTF-8 (gh_sql_guard). */
static uint32_t code_point(const char *p, size_t *len)
{
    unsigned char c = (unsigned char)p[0];
    uint32_t v;
    size_t n;

    if (c < 0xE0) {
        n = 2;
        v = c & 0x1Fu;
    } else if (c < 0xF0) {
        n = 3;
        v = c & 0x0Fu;
    } else {
        n = 4;
        v = c & 0x07u;
    }
    for (size_t i = 1; i < n; i++)
        v = (v << 6) | ((unsigned char)p[i] & 0x3Fu);
    *len = n;
    return v;
}

void gh_sql_put_ident(gh_buf *out, gh_str name, bool is_ascii)
{
    bool escapes = is_ascii && !gh_str_is_ascii(name);

    if (!escapes && name.len > 0 && memchr(name.ptr, '"', name.len) == NULL) {
        gh_buf_put(out, "\"", 1);
        gh_buf_put_str(out, name);
        gh_buf_put(out, "\"", 1);
        return;
    }
    gh_buf_puts(out, escapes ? "U&\"" : "\"");
    for (size_t i = 0; i < name.len;) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (c >= 0x80 && escapes) {
            size_t n;
            gh_buf_printf(out, "\\+%06X", (unsigned)code_point(name.ptr + i, &n));
            i += n;
            continue;
        }
        if (c == '"' || (c == '\\' && escapes))
            gh_buf_put_u8(out, c);
        gh_buf_put_u8(out, c);
        i++;
    }
    gh_buf_puts(out, "\"");
}

static size_t quote_from(gh_str s, size_t i)
{
    const char *found = i < s.len ? memchr(s.ptr + i, '\'', s.len - i) : NULL;

    return found == NULL ? s.len : (size_t)(found - s.ptr);
}

void gh_sql_put_string(gh_buf *out, gh_str value, bool is_ascii)
{
    bool escapes = is_ascii && !gh_str_is_ascii(value);
    bool is_plain = !escapes && (value.len == 0 || memchr(value.ptr, '\\', value.len) == NULL);
    size_t run = 0;

    gh_buf_puts(out, is_plain ? "'" : "E'");
    for (size_t i = is_plain ? quote_from(value, 0) : 0; i < value.len;) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c >= 0x80 && escapes) {
            size_t n;
            gh_buf_put(out, value.ptr + run, i - run);
            gh_buf_printf(out, "\\U%08X", (unsigned)code_point(value.ptr + i, &n));
            i += n;
            run = i;
            continue;
        }
        if (c == '\'' || c == '\\') {
            gh_buf_put(out, value.ptr + run, i + 1 - run);
            run = i; /* the next run writes it a second time: doubled */
        }
        i = is_plain ? quote_from(value, i + 1) : i + 1;
    }
    if (value.len != 0)
        gh_buf_put(out, value.ptr + run, value.len - run);
    gh_buf_puts(out, "'");
}

static void put_token(gh_buf *out, const gh_token *t, bool is_ascii)
{
    switch (t->kind) {
    case GH_TOKEN_IDENT:
        gh_sql_put_ident(out, gh_str_of(t->text), is_ascii);
        return;
    case GH_TOKEN_STRING:
        gh_sql_put_string(out, gh_str_of(t->text), is_ascii);
        return;
    case GH_TOKEN_BITS:
        gh_buf_printf(out, "%c'%s'", t->text[0] == 'x' ? 'X' : 'B', t->text + 1);
        return;
    case GH_TOKEN_KEYWORD:
    case GH_TOKEN_NUMBER:
    case GH_TOKEN_PARAM:
    case GH_TOKEN_OPERATOR:
    case GH_TOKEN_SELF:
        gh_buf_puts(out, t->text);
        return;
    case GH_TOKEN_END:
        return;
    }
}

static bool is_self(const gh_token *t, const char *text)
{
    return t != NULL && t->kind == GH_TOKEN_SELF && strcmp(t->text, text) == 0;
}

static bool is_name(const gh_token *t)
{
    return t->kind == GH_TOKEN_IDENT || t->kind == GH_TOKEN_KEYWORD;
}

/* Spaces are for readers, except where two tokens would run into one. */
static bool wants_space(const gh_token *prev, const gh_token *t)
{
    if (is_self(prev, "(") || is_self(prev, "[") || is_self(t, ",") || is_self(t, ")") ||
        is_self(t, "]"))
        return false;
    if (is_self(t, "("))
        return prev->kind != GH_TOKEN_IDENT;
    if (is_self(t, "[") || is_self(t, "."))
        return !is_name(prev) && !is_self(prev, ")") && !is_self(prev, "]");
    if (is_self(prev, "."))
        return !is_name(t) && !is_self(t, "*");
    if (is_self(t, "::"))
        return prev->kind == GH_TOKEN_OPERATOR || prev->kind == GH_TOKEN_SELF;
    if (is_self(prev, "::"))
        return !is_name(t);
    return true;
}

typedef struct gh_emitter {
    const gh_sql_text *text;
    gh_buf *out;
    gh_buf *offsets;
    bool is_ascii;
    const gh_token *prev; /* NULL at the start and behind an edit */
} gh_emitter;

static void note_offset(gh_emitter *e, uint32_t source)
{
    gh_sql_offset o = { (uint32_t)e->out->len, source };

    if (e->offsets != NULL)
        gh_buf_put(e->offsets, &o, sizeof(o));
}

static char last_byte(const gh_buf *b)
{
    return b->len == 0 ? ' ' : b->ptr[b->len - 1];
}

static void emit_edit(gh_emitter *e, const char *text)
{
    if (text[0] == '\0')
        return;
    if (strchr(" (.[", last_byte(e->out)) == NULL && strchr(",)]", text[0]) == NULL)
        gh_buf_puts(e->out, " ");
    note_offset(e, UINT32_MAX);
    gh_buf_puts(e->out, text);
    e->prev = NULL;
}

static void emit_token(gh_emitter *e, const gh_token *t)
{
    char last = last_byte(e->out);
    bool space;

    if (e->prev != NULL)
        space = wants_space(e->prev, t);
    else
        space = last != '(' && last != '.' && !is_self(t, ",") && !is_self(t, ")");
    if (space && e->out->len != 0 && last != ' ')
        gh_buf_puts(e->out, " ");
    note_offset(e, t->start);
    put_token(e->out, t, e->is_ascii);
    e->prev = t;
}

gh_rc gh_sql_emit(const gh_sql_text *t, size_t first, size_t end, const gh_edit *edits,
                  size_t edit_count, bool is_ascii, gh_buf *out, gh_buf *offsets, gh_err *err)
{
    gh_emitter e = { t, out, offsets, is_ascii, NULL };
    size_t next = 0;

    GH_ASSERT(end <= t->token_count);
    for (size_t i = first; i <= end;) {
        size_t skip = i;

        while (next < edit_count && edits[next].first == i) {
            if (edits[next].end < edits[next].first || edits[next].end > end)
                return gh_fail(err, GH_INTERNAL, "XX000", "edit out of range");
            emit_edit(&e, edits[next].text);
            skip = edits[next].end;
            next++;
            if (skip != i)
                break;
        }
        if (skip != i) {
            i = skip;
            continue;
        }
        if (i == end)
            break;
        emit_token(&e, &t->tokens[i]);
        i++;
    }
    if (next != edit_count)
        return gh_fail(err, GH_INTERNAL, "XX000", "overlapping edits");
    if (out->failed || (offsets != NULL && offsets->failed))
        return gh_fail(err, GH_LIMIT, "54000", "rewritten statement is too long");
    return GH_OK;
}
