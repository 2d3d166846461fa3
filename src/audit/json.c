/*
 * A strict JSON reader. gh_json_parse checks a text to its last byte, without recursion; the
 * walkers then cut it up and may trust it.
 */
#include "audit_priv.h"

/* ---- scanning: each moves r over one thing or sets r->failed ------------------------------- */

static void skip_space(gh_rd *r)
{
    while (r->pos < r->end &&
           (*r->pos == ' ' || *r->pos == '\t' || *r->pos == '\n' || *r->pos == '\r'))
        r->pos++;
}

static char peek(const gh_rd *r)
{
    return r->failed || r->pos == r->end ? '\0' : *r->pos;
}

static bool take(gh_rd *r, char c)
{
    if (peek(r) != c || c == '\0')
        return false;
    r->pos++;
    return true;
}

static void need(gh_rd *r, char c)
{
    if (!take(r, c))
        r->failed = true;
}

static uint32_t scan_hex4(gh_rd *r)
{
    gh_str digits = gh_rd_bytes(r, 4);
    uint32_t v = 0;

    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.ptr[i];

        if (c >= '0' && c <= '9')
            v = v * 16 + (uint32_t)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            v = v * 16 + (uint32_t)((c | 32) - 'a') + 10;
        else
            r->failed = true;
    }
    return v;
}

/* Behind "\u": the code point, of a surrogate pair if need be; half a pair fails. */
static uint32_t scan_unicode(gh_rd *r)
{
    uint32_t code = scan_hex4(r);
    uint32_t low;

    if (code >= 0xDC00 && code <= 0xDFFF)
        r->failed = true;
    if (code < 0xD800 || code > 0xDBFF)
        return code;
    need(r, '\\');
    need(r, 'u');
    low = scan_hex4(r);
    if (low < 0xDC00 || low > 0xDFFF)
        r->failed = true;
    return 0x10000 + ((code - 0xD800) << 10) + ((low - 0xDC00) & 0x3FF);
}

/* The character of a one-letter escape, or NUL. */
static char escape_of(char letter)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char *at = letter == '\0' ? NULL : strchr(letters, letter);

    return at == NULL ? '\0' : meanings[at - letters];
}

/* A string; *raw is what stands between its quotes. */
static void scan_string(gh_rd *r, gh_str *raw)
{
    const char *start;

    need(r, '"');
    start = r->pos;
    while (!r->failed && peek(r) != '"') {
        unsigned char c = r->pos == r->end ? 0 : (unsigned char)*r->pos;

        if (c < 0x20) {
            r->failed = true;
        } else if (c == '\\') {
            r->pos++;
            if (take(r, 'u'))
                (void)scan_unicode(r);
            else if (escape_of(peek(r)) == '\0')
                r->failed = true;
            else
                r->pos++;
        } else {
            size_t len;
            gh_str rest = { r->pos, (size_t)(r->end - r->pos) };

            if (gh_audit_utf8_at(rest, 0, &len) == 0)
                r->failed = true;
            r->pos += len;
        }
    }
    *raw = (gh_str){ start, (size_t)(r->pos - start) };
    need(r, '"');
}

static void scan_digits(gh_rd *r)
{
    if (peek(r) < '0' || peek(r) > '9')
        r->failed = true;
    while (peek(r) >= '0' && peek(r) <= '9')
        r->pos++;
}

static void scan_number(gh_rd *r)
{
    (void)take(r, '-');
    if (!take(r, '0'))
        scan_digits(r);
    if (take(r, '.'))
        scan_digits(r);
    if (take(r, 'e') || take(r, 'E')) {
        if (!take(r, '+'))
            (void)take(r, '-');
        scan_digits(r);
    }
}

static void scan_word(gh_rd *r, const char *word)
{
    while (*word != '\0')
        need(r, *word++);
}

static gh_json_type scan_scalar(gh_rd *r, gh_str *raw)
{
    const char *start = r->pos;
    gh_json_type type;

    switch (peek(r)) {
    case '"':
        scan_string(r, raw);
        return GH_JSON_STRING;
    case 't':
        scan_word(r, "true");
        type = GH_JSON_BOOL;
        break;
    case 'f':
        scan_word(r, "false");
        type = GH_JSON_BOOL;
        break;
    case 'n':
        scan_word(r, "null");
        type = GH_JSON_NULL;
        break;
    default:
        scan_number(r);
        type = GH_JSON_NUMBER;
    }
    *raw = (gh_str){ start, (size_t)(r->pos - start) };
    return type;
}

static void scan_key(gh_rd *r, gh_str *raw)
{
    skip_space(r);
    scan_string(r, raw);
    skip_space(r);
    need(r, ':');
    skip_space(r);
}

/* What is open: one bracket a level. */
typedef struct nest {
    char open[GH_AUDIT_JSON_DEPTH_MAX];
    size_t depth;
} nest;

/* Behind a value: closes what closes. False: another value follows. */
static bool scan_closings(gh_rd *r, nest *n)
{
    gh_str key;

    while (!r->failed && n->depth > 0) {
        bool is_object = n->open[n->depth - 1] == '{';

        skip_space(r);
        if (take(r, ',')) {
            if (is_object)
                scan_key(r, &key);
            return false;
        }
        need(r, is_object ? '}' : ']');
        n->depth--;
    }
    return true;
}

/* An opening bracket. True: it closed at once. */
static bool scan_opening(gh_rd *r, nest *n)
{
    bool is_object = peek(r) == '{';
    gh_str key;

    r->pos++;
    skip_space(r);
    if (take(r, is_object ? '}' : ']'))
        return true;
    if (n->depth == GH_AUDIT_JSON_DEPTH_MAX) {
        r->failed = true;
        return false;
    }
    n->open[n->depth++] = is_object ? '{' : '[';
    if (is_object)
        scan_key(r, &key);
    return false;
}

/* One value with all that is in it; raw is a string's, array's or object's inside. */
static gh_json_type scan_value(gh_rd *r, gh_str *raw)
{
    nest n = { .depth = 0 };
    const char *start;
    char first;
    bool is_done = false;

    skip_space(r);
    start = r->pos;
    first = peek(r);
    if (first != '{' && first != '[')
        return scan_scalar(r, raw);
    while (!r->failed && !is_done) {
        gh_str scalar;

        skip_space(r);
        if (peek(r) == '{' || peek(r) == '[')
            is_done = scan_opening(r, &n) && scan_closings(r, &n);
        else {
            (void)scan_scalar(r, &scalar);
            is_done = scan_closings(r, &n);
        }
    }
    if (r->failed)
        return GH_JSON_NONE;
    *raw = (gh_str){ start + 1, (size_t)(r->pos - start) - 2 };
    return first == '{' ? GH_JSON_OBJECT : GH_JSON_ARRAY;
}

/* ---- decoding ------------------------------------------------------------------------------ */

/* Undoes gh_audit_put_string: an escaped U+EF80..U+EFFF is the byte that no UTF-8 was. */
static bool decode(gh_str raw, gh_arena *a, gh_str *out)
{
    gh_rd r = { raw.ptr, raw.ptr + raw.len, false };
    gh_buf text;

    if (raw.len == 0 || memchr(raw.ptr, '\\', raw.len) == NULL) {
        *out = raw;
        return true;
    }
    gh_buf_init(&text, 0);
    while (r.pos < r.end) {
        uint32_t code;

        if (!take(&r, '\\')) {
            gh_buf_put_u8(&text, (uint8_t)*r.pos++);
            continue;
        }
        if (!take(&r, 'u')) {
            gh_buf_put_u8(&text, (uint8_t)escape_of(*r.pos++));
            continue;
        }
        code = scan_unicode(&r);
        if (code >= 0xEF80 && code <= 0xEFFF)
            gh_buf_put_u8(&text, (uint8_t)(code - 0xEF00));
        else
            gh_audit_utf8_put(&text, code);
    }
    *out = gh_arena_dup(a, gh_buf_str(&text));
    gh_buf_fini(&text);
    return out->ptr != NULL;
}

static bool read_value(gh_rd *r, gh_arena *a, gh_json_value *out)
{
    gh_str raw;
    gh_json_type type = scan_value(r, &raw);

    if (r->failed)
        return false;
    if (type == GH_JSON_STRING && !decode(raw, a, &raw))
        return false;
    *out = (gh_json_value){ type, raw };
    return true;
}

gh_rc gh_json_parse(gh_str text, gh_arena *a, gh_json_value *out, gh_err *err)
{
    gh_rd r = { text.ptr, text.ptr + text.len, false };
    gh_json_value v;
    gh_str raw;
    gh_json_type type = scan_value(&r, &raw);

    skip_space(&r);
    if (!gh_rd_finish(&r))
        return gh_fail(err, GH_INVALID, "22P02", "not JSON at byte %zu",
                       (size_t)(r.pos - text.ptr) + 1);
    v = (gh_json_value){ type, raw };
    if (type == GH_JSON_STRING && !decode(raw, a, &v.text))
        return gh_fail(err, GH_LIMIT, "54000", "a string does not fit into memory");
    *out = v;
    return GH_OK;
}

/* ---- walking ------------------------------------------------------------------------------- */

static bool read_item(gh_rd *r, gh_arena *a, bool is_object, gh_json_item *item)
{
    gh_json_item next = { .key = { NULL, 0 } };
    gh_str raw;

    skip_space(r);
    if (r->pos == r->end)
        return false;
    if (is_object) {
        scan_key(r, &raw);
        if (r->failed || !decode(raw, a, &next.key))
            return false;
    }
    if (!read_value(r, a, &next.value))
        return false;
    skip_space(r);
    (void)take(r, ',');
    next.rest = (gh_str){ r->pos, (size_t)(r->end - r->pos) };
    *item = next;
    return true;
}

bool gh_json_first(const gh_json_value *v, gh_arena *a, gh_json_item *item)
{
    gh_rd r = { v->text.ptr, v->text.ptr + v->text.len, false };

    if (v->type != GH_JSON_OBJECT && v->type != GH_JSON_ARRAY)
        return false;
    return read_item(&r, a, v->type == GH_JSON_OBJECT, item);
}

bool gh_json_next(gh_arena *a, gh_json_item *item)
{
    gh_rd r = { item->rest.ptr, item->rest.ptr + item->rest.len, false };

    return read_item(&r, a, item->key.ptr != NULL, item);
}

/* A key is compared as written, and decoded only if it has to be. */
static bool key_is(gh_str raw, gh_arena *a, const char *key)
{
    return decode(raw, a, &raw) && gh_str_is(raw, key);
}

gh_json_value gh_json_member(const gh_json_value *object, gh_arena *a, const char *key)
{
    const gh_json_value none = { GH_JSON_NONE, { NULL, 0 } };
    gh_rd r = { object->text.ptr, object->text.ptr + object->text.len, false };

    if (object->type != GH_JSON_OBJECT)
        return none;
    for (skip_space(&r); !r.failed && r.pos < r.end; skip_space(&r)) {
        gh_json_value v = none;
        gh_str raw;

        scan_key(&r, &raw);
        if (r.failed)
            break;
        if (key_is(raw, a, key))
            return read_value(&r, a, &v) ? v : none;
        (void)scan_value(&r, &raw);
        skip_space(&r);
        (void)take(&r, ',');
    }
    return none;
}
