/*
 * template.c: statements that differ in their literals share one plan.
 *
 *     SELECT x FROM t WHERE id = 17 AND name = 'ann'      text
 *     SELECT x FROM t WHERE id = N  AND name = S           shape: the key
 *                             └─ slot        └─ slot       where the literals stand, in text and plan
 *
 * The scanner knows a plain subset of SQL's lexer: names, operators, white space, whole numbers of at most
 * nine digits and quoted strings without quotes or backslashes in them. Everything else (comments, dollar
 * quotes, prefixed strings, parameters, bytes beyond ASCII, a string that the next line continues) makes it
 * give up, and the statement is judged by itself. A literal of the same kind lexes to the same token
 * wherever it stands, so the verified text stays what was judged but for the literal's own value, and the
 * rewriter says (gh_plan.is_shareable) that it looked at none.
 */
#include <gatehouse/plan_cache.h>

#include <stdio.h>
#include <stdlib.h>

#define NUMBER_DIGITS_MAX 9
#define PARAMETER_BYTES   4 /* $64 and a NUL */
#define MARK_NUMBER       '\x01'
#define MARK_STRING       '\x02'

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void add_slot(gh_template *t, size_t start, size_t len, char mark)
{
    t->slots[t->slot_count++] = (gh_template_slot){ (uint32_t)start, (uint32_t)len };
    t->shape[t->shape_len++] = mark;
}

static void keep(gh_template *t, gh_str text, size_t start, size_t end)
{
    memcpy(t->shape + t->shape_len, text.ptr + start, end - start);
    t->shape_len += end - start;
}

/* End of the name at `i`; 0: a prefixed string begins there. */
static size_t end_of_name(gh_str text, size_t i)
{
    while (i < text.len &&
           (is_name_start(text.ptr[i]) || is_digit(text.ptr[i]) || text.ptr[i] == '$'))
        i++;
    if (i < text.len && (text.ptr[i] == '\'' || text.ptr[i] == '&'))
        return 0;
    return i;
}

static size_t end_of_quoted_name(gh_str text, size_t i)
{
    for (i++; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < ' ' || (unsigned char)text.ptr[i] >= 0x7f)
            return 0;
        if (text.ptr[i] == '"' && (i + 1 == text.len || text.ptr[i + 1] != '"'))
            return i + 1;
        if (text.ptr[i] == '"')
            i++;
    }
    return 0;
}

/* A plain string's end, with nothing behind it that could belong to it; 0: not plain. */
static size_t end_of_string(gh_str text, size_t i)
{
    size_t end;

    for (i++; i < text.len && text.ptr[i] != '\''; i++) {
        if (text.ptr[i] == '\\' || (unsigned char)text.ptr[i] < ' ' ||
            (unsigned char)text.ptr[i] >= 0x7f)
            return 0;
    }
    if (i == text.len)
        return 0;
    end = i + 1;
    for (i = end; i < text.len && is_space(text.ptr[i]); i++)
        ;
    return i < text.len && text.ptr[i] == '\'' ? 0 : end;
}

/* A number: a slot where it is a short whole one, else part of the shape. */
static size_t take_number(gh_template *t, gh_str text, size_t i)
{
    size_t start = i;
    bool is_fraction = i > 0 && text.ptr[i - 1] == '.';

    while (i < text.len && is_digit(text.ptr[i]))
        i++;
    if (i < text.len && (text.ptr[i] == '.' || is_name_start(text.ptr[i]))) {
        while (i < text.len &&
               (is_digit(text.ptr[i]) || is_name_start(text.ptr[i]) || text.ptr[i] == '.'))
            i++;
        keep(t, text, start, i);
    } else if (is_fraction || i - start > NUMBER_DIGITS_MAX ||
               (text.ptr[start] == '0' && i - start > 1)) {
        keep(t, text, start, i);
    } else {
        add_slot(t, start, i - start, MARK_NUMBER);
    }
    return i;
}

static bool begins_what_is_not_plain(gh_str text, size_t i)
{
    char c = text.ptr[i];
    char next = i + 1 < text.len ? text.ptr[i + 1] : ' ';

    return c == '$' || c == '\\' || (unsigned char)c >= 0x7f ||
           ((unsigned char)c < ' ' && !is_space(c)) || (c == '-' && next == '-') ||
           (c == '/' && next == '*') || (c == '&' && (next == '\'' || next == '"'));
}

bool gh_template_scan(gh_str text, gh_template *t)
{
    size_t i = 0;

    t->slot_count = 0;
    t->shape_len = 0;
    if (text.len > GH_TEMPLATE_BYTES_MAX)
        return false;
    while (i < text.len) {
        size_t end = i + 1;

        if (t->slot_count == GH_TEMPLATE_SLOTS_MAX || begins_what_is_not_plain(text, i))
            return false;
        if (is_digit(text.ptr[i])) {
            i = take_number(t, text, i);
            continue;
        }
        if (is_name_start(text.ptr[i]))
            end = end_of_name(text, i);
        else if (text.ptr[i] == '"')
            end = end_of_quoted_name(text, i);
        else if (text.ptr[i] == '\'')
            end = end_of_string(text, i);
        if (end == 0)
            return false;
        if (text.ptr[i] == '\'')
            add_slot(t, i, end - i, MARK_STRING);
        else
            keep(t, text, i, end);
        i = end;
    }
    return t->slot_count != 0;
}

/* ---- plans with slots ----------------------------------------------------------------------------- */

typedef struct gh_slots {
    uint32_t count;
    gh_template_slot source[GH_TEMPLATE_SLOTS_MAX];
    gh_template_slot sent[GH_TEMPLATE_SLOTS_MAX];
    size_t prepared_len; /* 0: it is no lookup */
    char prepared[];     /* the plan's text with $1, $2 ... for the literals */
} gh_slots;

/* What a filled set is, in one block: the set, its plan, and behind them offsets and texts. */
typedef struct filled_set {
    gh_plan_set set;
    gh_plan plan;
    gh_offset offsets[];
} filled_set;

/* Where the literal at `source` went: the one place whose offset says so, holding the same bytes. */
static bool find_sent(const gh_plan *p, gh_str text, gh_template_slot source,
                      gh_template_slot *sent)
{
    size_t found = 0;

    for (size_t i = 0; i < p->offset_count; i++) {
        if (p->offsets[i].source != source.start + 1)
            continue;
        sent->start = p->offsets[i].sent - 1;
        sent->len = source.len;
        found++;
    }
    return found == 1 && (size_t)sent->start + sent->len <= p->sql.len &&
           memcmp(p->sql.ptr + sent->start, text.ptr + source.start, source.len) == 0;
}

/* A parameter lexes apart from what stands beside it, as a literal does but for a name's characters and digits. */
static bool may_be_parameter(gh_str sql, gh_template_slot at)
{
    size_t end = (size_t)at.start + at.len;

    return (at.start == 0 || !is_name_start(sql.ptr[at.start - 1])) &&
           (end == sql.len || !(is_name_start(sql.ptr[end]) || is_digit(sql.ptr[end])));
}

static void put_prepared(gh_slots *slots, const gh_plan *p)
{
    char *to = slots->prepared;
    size_t done = 0;

    for (uint32_t i = 0; i < slots->count; i++) {
        if (!may_be_parameter(p->sql, slots->sent[i]))
            return;
        to = mempcpy(to, p->sql.ptr + done, slots->sent[i].start - done);
        to += snprintf(to, PARAMETER_BYTES, "$%u", (unsigned)(i + 1));
        done = slots->sent[i].start + slots->sent[i].len;
    }
    to = mempcpy(to, p->sql.ptr + done, p->sql.len - done);
    slots->prepared_len = (size_t)(to - slots->prepared);
}

gh_str gh_template_prepared(const gh_plan_set *set)
{
    return set->slots == NULL ? (gh_str){ NULL, 0 }
                              : (gh_str){ set->slots->prepared, set->slots->prepared_len };
}

gh_str gh_template_value(gh_str text, gh_template_slot slot)
{
    return text.ptr[slot.start] == '\'' ? (gh_str){ text.ptr + slot.start + 1, slot.len - 2 }
                                        : (gh_str){ text.ptr + slot.start, slot.len };
}

gh_plan_set *gh_template_make(const gh_template *t, const gh_plan_set *set)
{
    const gh_plan *p = &set->plans[0];
    gh_slots *slots;
    gh_plan_set *copy;

    if (set->count != 1 || set->is_refused || !p->is_shareable || p->is_bypassed ||
        !set->is_cacheable || !gh_str_is_ascii(p->sql))
        return NULL;
    slots = gh_alloc(sizeof(*slots) + p->sql.len + GH_TEMPLATE_SLOTS_MAX * PARAMETER_BYTES);
    slots->count = t->slot_count;
    for (uint32_t i = 0; i < t->slot_count; i++) {
        slots->source[i] = t->slots[i];
        if (!find_sent(p, set->source, t->slots[i], &slots->sent[i]) ||
            (i > 0 && slots->sent[i].start < slots->sent[i - 1].start + slots->sent[i - 1].len)) {
            free(slots);
            return NULL;
        }
    }
    if (p->is_lookup)
        put_prepared(slots, p);
    copy = gh_plan_set_new(set->source, set->plans, 1, (gh_str){ NULL, 0 });
    copy->scope = set->scope;
    copy->slots = slots;
    return copy;
}

/* The plan's text with this statement's literals, a NUL behind it. Returns its end. */
static char *put_sql(char *to, const gh_plan *p, const gh_slots *slots, const gh_template *t,
                     gh_str text)
{
    size_t done = 0;

    for (uint32_t i = 0; i < slots->count; i++) {
        to = mempcpy(to, p->sql.ptr + done, slots->sent[i].start - done);
        to = mempcpy(to, text.ptr + t->slots[i].start, t->slots[i].len);
        done = slots->sent[i].start + slots->sent[i].len;
    }
    to = mempcpy(to, p->sql.ptr + done, p->sql.len - done);
    *to = '\0';
    return to;
}

/* How far a position behind the slots that end before it has moved. */
static uint32_t moved(uint32_t position, const gh_template_slot *from, const gh_template_slot *to,
                      uint32_t count)
{
    int64_t shift = 0;

    for (uint32_t i = 0; i < count && from[i].start + 1 < position; i++)
        shift += (int64_t)to[i].len - from[i].len;
    return (uint32_t)((int64_t)position + shift);
}

static void put_offsets(gh_offset *to, const gh_plan *p, const gh_slots *slots,
                        const gh_template *t)
{
    for (size_t i = 0; i < p->offset_count; i++) {
        to[i] = p->offsets[i];
        to[i].sent = moved(to[i].sent, slots->sent, t->slots, slots->count);
        if (to[i].source != 0)
            to[i].source = moved(to[i].source, slots->source, t->slots, slots->count);
    }
}

static size_t sql_len(const gh_plan *p, const gh_slots *slots, const gh_template *t)
{
    size_t len = p->sql.len;

    for (uint32_t i = 0; i < slots->count; i++)
        len = len + t->slots[i].len - slots->sent[i].len;
    return len;
}

gh_plan_set *gh_template_fill(gh_plan_set *set, const gh_template *t, gh_str text)
{
    const gh_slots *slots = set->slots;
    const gh_plan *p = &set->plans[0];
    size_t size;
    filled_set *f;
    char *sql;
    char *source;

    GH_ASSERT(slots != NULL);
    GH_ASSERT(slots->count == t->slot_count);
    size =
        sizeof(*f) + p->offset_count * sizeof(gh_offset) + sql_len(p, slots, t) + 1 + text.len + 1;
    f = gh_realloc_array(NULL, size, 1);
    sql = (char *)(f->offsets + p->offset_count);
    put_offsets(f->offsets, p, slots, t);
    source = put_sql(sql, p, slots, t, text) + 1;
    *(char *)mempcpy(source, text.ptr, text.len) = '\0';
    f->plan = *p;
    f->plan.sql = (gh_str){ sql, (size_t)(source - sql) - 1 };
    f->plan.offsets = f->offsets;
    f->plan.source_len = (uint32_t)(p->source_len + text.len - set->source.len);
    f->set = (gh_plan_set){ .plans = &f->plan,
                            .count = 1,
                            .source = { source, text.len },
                            .query = f->plan.sql,
                            .is_cacheable = set->is_cacheable,
                            .scope = set->scope,
                            .bytes = size,
                            .origin = gh_plan_set_acquire(set),
                            .references = 1 };
    return &f->set;
}
