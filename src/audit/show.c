/*
 * Records for people: which ones they ask for, and as what line they see them.
 */
#include "audit_priv.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- filter -------------------------------------------------------------------------------- */

static bool member_is(const gh_json_value *record, gh_arena *a, const char *key, gh_str wanted)
{
    gh_json_value v;

    if (wanted.len == 0)
        return true;
    v = gh_json_member(record, a, key);
    return v.type == GH_JSON_STRING && gh_str_eq(v.text, wanted);
}

/* Of an error, or of one that observe mode kept from the client. */
static bool sqlstate_fits(gh_str wanted, const gh_json_value *record, gh_arena *a)
{
    gh_json_value would = gh_json_member(record, a, "would");

    return member_is(record, a, "sqlstate", wanted) ||
           (would.type == GH_JSON_OBJECT && member_is(&would, a, "sqlstate", wanted));
}

static bool time_fits(const gh_audit_filter *f, const gh_json_value *record, gh_arena *a)
{
    gh_json_value v;
    int64_t at;

    if (f->since_us == 0 && f->until_us == 0)
        return true;
    v = gh_json_member(record, a, "time");
    if (v.type != GH_JSON_STRING || gh_audit_time_parse(v.text, 0, &at, NULL) != GH_OK)
        return false;
    return at >= f->since_us && (f->until_us == 0 || at < f->until_us);
}

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool contains(gh_str text, gh_str part)
{
    for (size_t i = 0; part.len <= text.len - i; i++) {
        size_t same = 0;

        while (same < part.len && fold(text.ptr[i + same]) == fold(part.ptr[same]))
            same++;
        if (same == part.len)
            return true;
        if (i == text.len)
            break;
    }
    return false;
}

static bool text_fits(gh_str part, const gh_json_value *record, gh_arena *a)
{
    static const char *const keys[] = { "sql", "rewritten", "message" };

    if (part.len == 0)
        return true;
    for (size_t i = 0; i < GH_COUNT(keys); i++) {
        gh_json_value v = gh_json_member(record, a, keys[i]);

        if (v.type == GH_JSON_STRING && contains(v.text, part))
            return true;
    }
    return false;
}

/* Is `wanted` this relation: name, or schema.name? */
static bool relation_is(const gh_json_value *relation, gh_arena *a, gh_str wanted)
{
    gh_str schema = gh_json_member(relation, a, "schema").text;
    gh_str name = gh_json_member(relation, a, "name").text;

    if (wanted.len == 0 || gh_str_eq(wanted, name))
        return true;
    return wanted.len == schema.len + 1 + name.len && wanted.ptr[schema.len] == '.' &&
           gh_str_eq((gh_str){ wanted.ptr, schema.len }, schema) &&
           gh_str_eq((gh_str){ wanted.ptr + schema.len + 1, name.len }, name);
}

static bool relation_has_column(const gh_json_value *relation, gh_arena *a, gh_str column)
{
    static const char *const keys[] = { "clear", "masked", "filtered" };

    if (column.len == 0)
        return true;
    for (size_t i = 0; i < GH_COUNT(keys); i++) {
        gh_json_value list = gh_json_member(relation, a, keys[i]);
        gh_json_item item;

        for (bool ok = gh_json_first(&list, a, &item); ok; ok = gh_json_next(a, &item)) {
            if (item.value.type == GH_JSON_STRING && gh_str_eq(item.value.text, column))
                return true;
        }
    }
    return false;
}

static bool relation_fits(const gh_audit_filter *f, const gh_json_value *record, gh_arena *a)
{
    gh_json_value list;
    gh_json_item item;

    if (f->relation.len == 0 && f->column.len == 0)
        return true;
    list = gh_json_member(record, a, "relations");
    for (bool ok = gh_json_first(&list, a, &item); ok; ok = gh_json_next(a, &item)) {
        if (relation_is(&item.value, a, f->relation) &&
            relation_has_column(&item.value, a, f->column))
            return true;
    }
    return false;
}

/* Every record of a session or a statement. */
static bool id_fits(gh_str id, const gh_json_value *record, gh_arena *a)
{
    return id.len == 0 || member_is(record, a, "statement", id) ||
           member_is(record, a, "session", id);
}

static bool seq_fits(uint64_t wanted, const gh_json_value *record, gh_arena *a)
{
    uint64_t seq;

    return wanted == 0 ||
           (gh_audit_u64_parse(gh_json_member(record, a, "seq").text, &seq) && seq == wanted);
}

bool gh_audit_filter_matches(const gh_audit_filter *f, const gh_json_value *record, gh_arena *a)
{
    gh_str kind =
        f->kind == GH_AUDIT_NONE ? (gh_str){ NULL, 0 } : gh_str_of(gh_audit_kind_name(f->kind));

    return member_is(record, a, "kind", kind) && member_is(record, a, "user", f->user) &&
           member_is(record, a, "warehouse", f->warehouse) &&
           member_is(record, a, "session", f->session) && id_fits(f->id, record, a) &&
           seq_fits(f->seq, record, a) && sqlstate_fits(f->sqlstate, record, a) &&
           time_fits(f, record, a) && relation_fits(f, record, a) && text_fits(f->text, record, a);
}

/* ---- a line for people --------------------------------------------------------------------- */

/* A line under construction that counts what a terminal will show, a column a character. */
typedef struct line {
    gh_buf *out;
    size_t width; /* 0: any */
    size_t used;
} line;

static void put_char(line *l, const char *bytes, size_t len)
{
    if (l->width != 0 && l->used >= l->width)
        return;
    gh_buf_put(l->out, bytes, len);
    l->used++;
}

static void put_visible(line *l, uint32_t code, gh_str character)
{
    if (code == 0 || gh_audit_is_unprintable(code))
        put_char(l, "?", 1);
    else
        put_char(l, character.ptr, character.len);
}

/*
 * White space of any length is one space; what could move the cursor, or is no UTF-8, is a question
 * mark. SECURITY: an application_name with an escape sequence in it must not repaint the auditor's
 * terminal. Attack: tests/unit/audit, "show_is_safe".
 */
static void put_text(line *l, gh_str s)
{
    bool was_space = false;
    size_t len;

    for (size_t at = 0; at < s.len; at += len) {
        uint32_t code = gh_audit_utf8_at(s, at, &len);
        bool is_space = code == ' ' || (code >= '\t' && code <= '\r');

        if (is_space && !was_space)
            put_char(l, " ", 1);
        else if (!is_space)
            put_visible(l, code, (gh_str){ s.ptr + at, len });
        was_space = is_space;
    }
}

/* Our own ASCII words, as they are. */
static void put_words(line *l, const char *text)
{
    for (; *text != '\0'; text++)
        put_char(l, text, 1);
}

/* Text in a column of its own. */
static void put_padded(line *l, gh_str s, size_t width)
{
    size_t start = l->used;

    put_text(l, s.len == 0 ? GH_STR("-") : s);
    do {
        put_char(l, " ", 1);
    } while (l->used < start + width && (l->width == 0 || l->used < l->width));
}

static gh_str text_of(const gh_json_value *record, gh_arena *a, const char *key)
{
    gh_json_value v = gh_json_member(record, a, key);

    return v.type == GH_JSON_NULL || v.type == GH_JSON_NONE ? (gh_str){ NULL, 0 } : v.text;
}

static void put_field(line *l, const char *before, gh_str s)
{
    if (s.len == 0)
        return;
    put_words(l, before);
    put_text(l, s);
}

/* " masked sales.orders.email, ..." of all relations */
static void put_columns(line *l, const gh_json_value *record, gh_arena *a, const char *key)
{
    gh_json_value list = gh_json_member(record, a, "relations");
    gh_json_item r;
    bool is_first = true;

    for (bool ok = gh_json_first(&list, a, &r); ok; ok = gh_json_next(a, &r)) {
        gh_json_value columns = gh_json_member(&r.value, a, key);
        gh_json_item c;

        for (bool more = gh_json_first(&columns, a, &c); more; more = gh_json_next(a, &c)) {
            put_words(l, is_first ? "  " : ",");
            put_words(l, is_first ? key : "");
            put_words(l, " ");
            put_text(l, gh_json_member(&r.value, a, "name").text);
            put_words(l, ".");
            put_text(l, c.value.text);
            is_first = false;
        }
    }
}

static void put_error(line *l, const gh_json_value *record, gh_arena *a)
{
    put_field(l, "", text_of(record, a, "sqlstate"));
    put_field(l, " ", text_of(record, a, "message"));
}

static void put_duration(line *l, gh_str duration_us)
{
    uint64_t us;
    char text[48];

    if (!gh_audit_u64_parse(duration_us, &us))
        return;
    (void)snprintf(text, sizeof(text), "%" PRIu64 ".%03" PRIu64 " ms", us / 1000, us % 1000);
    put_words(l, text);
}

static void put_outcome(line *l, const gh_json_value *record, gh_arena *a)
{
    put_field(l, "", text_of(record, a, "rows"));
    put_words(l, " rows, ");
    put_field(l, "", text_of(record, a, "bytes"));
    put_words(l, " bytes, ");
    put_duration(l, text_of(record, a, "duration_us"));
    put_field(l, ", ", text_of(record, a, "sqlstate"));
    put_field(l, " ", text_of(record, a, "message"));
}

/* What observe mode let through. */
static void put_would(line *l, const gh_json_value *record, gh_arena *a)
{
    gh_json_value would = gh_json_member(record, a, "would");

    if (would.type == GH_JSON_OBJECT) {
        put_words(l, "[would be ");
        put_error(l, &would, a);
        put_words(l, "] ");
    } else if (gh_str_is(text_of(record, a, "decision"), "observed"))
        put_words(l, "[would show less] ");
}

static void put_statement(line *l, const gh_json_value *record, gh_arena *a)
{
    if (gh_str_is(text_of(record, a, "decision"), "bypassed"))
        put_words(l, "[bypassed] ");
    put_would(l, record, a);
    put_text(l, text_of(record, a, "sql"));
    put_columns(l, record, a, "masked");
    put_columns(l, record, a, "hidden");
}

static void put_session(line *l, const gh_json_value *record, gh_arena *a)
{
    put_would(l, record, a);
    put_field(l, "from ", text_of(record, a, "client"));
    put_field(l, ", ", text_of(record, a, "tls"));
    put_field(l, ", ", text_of(record, a, "application"));
    if (text_of(record, a, "sqlstate").len != 0 || text_of(record, a, "message").len != 0)
        put_words(l, ": ");
    put_error(l, record, a);
}

static void put_what(line *l, gh_audit_kind kind, const gh_json_value *record, gh_arena *a)
{
    switch (kind) {
    case GH_AUDIT_INTENT:
        put_statement(l, record, a);
        return;
    case GH_AUDIT_REFUSED:
        put_error(l, record, a);
        put_words(l, ": ");
        put_statement(l, record, a);
        return;
    case GH_AUDIT_OUTCOME:
        put_outcome(l, record, a);
        return;
    case GH_AUDIT_LOGIN:
    case GH_AUDIT_LOGIN_FAILED:
    case GH_AUDIT_LOGOUT:
        put_session(l, record, a);
        return;
    case GH_AUDIT_POLICY:
        put_field(l, "version ", text_of(record, a, "policy_version"));
        put_field(l, " ", text_of(record, a, "message"));
        return;
    case GH_AUDIT_ADMIN:
        put_field(l, "by ", text_of(record, a, "by"));
        put_words(l, ": ");
        put_error(l, record, a);
        return;
    case GH_AUDIT_START:
    case GH_AUDIT_STOP:
    case GH_AUDIT_RECOVERED:
    case GH_AUDIT_GAP:
    case GH_AUDIT_NONE: /* a kind of a later version: what it says is all there is to show */
        put_error(l, record, a);
        return;
    }
}

void gh_audit_show(const gh_json_value *record, gh_arena *a, size_t width, gh_buf *out)
{
    line l = { out, width, 0 };
    gh_str time = text_of(record, a, "time");
    gh_str kind = text_of(record, a, "kind");

    /* To the millisecond, without the T and the Z: it is for reading. */
    if (time.len == GH_AUDIT_TIME_TEXT - 1) {
        put_text(&l, (gh_str){ time.ptr, 10 });
        put_words(&l, " ");
        put_text(&l, (gh_str){ time.ptr + 11, 12 });
    } else {
        put_text(&l, time);
    }
    put_words(&l, "  ");
    put_padded(&l, kind, 14);
    put_padded(&l, text_of(record, a, "user"), 13);
    put_padded(&l, text_of(record, a, "warehouse"), 11);
    put_what(&l, gh_audit_kind_parse(kind), record, a);
    gh_buf_put(out, "\n", 1);
}

/* ---- all of it for people ------------------------------------------------------------------- */

enum { FIELD_WIDTH = 17 }; /* of the names, the longest that we write is rewritten_sha256 */

/* A text as it is laid out, its further lines under its first. */
static void put_lines(line *l, gh_str s)
{
    size_t len;

    for (size_t at = 0; at < s.len; at += len) {
        uint32_t code = gh_audit_utf8_at(s, at, &len);

        if (code == '\n') {
            put_char(l, "\n", 1);
            for (size_t i = 0; i < FIELD_WIDTH; i++)
                put_char(l, " ", 1);
        } else if (code == '\t') {
            put_char(l, " ", 1);
        } else if (code != '\r' || at + 1 == s.len || s.ptr[at + 1] != '\n') {
            put_visible(l, code, (gh_str){ s.ptr + at, len });
        }
    }
}

static void put_list(line *l, const gh_json_value *list, gh_arena *a)
{
    gh_json_item item;
    const char *before = "";

    for (bool ok = gh_json_first(list, a, &item); ok; ok = gh_json_next(a, &item)) {
        put_words(l, before);
        put_text(l, item.value.text);
        before = ", ";
    }
}

/* sales.orders: privileges select; clear id, amount; masked email; filtered region */
static void put_relation(line *l, const gh_json_value *relation, gh_arena *a)
{
    gh_json_item item;
    const char *before = ": ";

    put_text(l, gh_json_member(relation, a, "schema").text);
    put_words(l, ".");
    put_text(l, gh_json_member(relation, a, "name").text);
    for (bool ok = gh_json_first(relation, a, &item); ok; ok = gh_json_next(a, &item)) {
        bool is_list = item.value.type == GH_JSON_ARRAY && item.value.text.len > 0;

        if (!is_list && (item.value.type != GH_JSON_BOOL || !gh_str_is(item.value.text, "true")))
            continue;
        put_words(l, before);
        put_text(l, item.key);
        put_words(l, is_list ? " " : "");
        if (is_list)
            put_list(l, &item.value, a);
        before = "; ";
    }
}

static void put_value(line *l, const gh_json_value *v, gh_arena *a)
{
    switch (v->type) {
    case GH_JSON_STRING:
        put_lines(l, v->text);
        return;
    case GH_JSON_ARRAY:
        put_list(l, v, a);
        return;
    case GH_JSON_OBJECT: /* what observe mode let through: an error */
        put_error(l, v, a);
        return;
    case GH_JSON_NULL:
        put_words(l, "-");
        return;
    case GH_JSON_NONE:
    case GH_JSON_BOOL:
    case GH_JSON_NUMBER:
        put_text(l, v->text);
        return;
    }
}

static void put_name(line *l, gh_str name)
{
    l->used = 0;
    put_padded(l, name, FIELD_WIDTH - 1);
    while (l->used < FIELD_WIDTH)
        put_char(l, " ", 1);
}

void gh_audit_show_fields(const gh_json_value *record, gh_arena *a, gh_buf *out)
{
    line l = { out, 0, 0 };
    gh_json_item field;

    for (bool ok = gh_json_first(record, a, &field); ok; ok = gh_json_next(a, &field)) {
        gh_json_item r;
        gh_json_value list = field.value;
        bool is_relations = gh_str_is(field.key, "relations") && list.type == GH_JSON_ARRAY;

        for (bool more = is_relations && gh_json_first(&list, a, &r); more;
             more = gh_json_next(a, &r)) {
            put_name(&l, GH_STR("relation"));
            put_relation(&l, &r.value, a);
            put_char(&l, "\n", 1);
        }
        if (is_relations)
            continue;
        put_name(&l, field.key);
        put_value(&l, &field.value, a);
        put_char(&l, "\n", 1);
    }
}
