/*
 * would_deny.c: see would_deny.h.
 *
 *     record ─┬─ would: refused ──▶ (user, warehouse, refused, SQLSTATE, what it names, why)
 *             └─ relations ───────▶ (user, warehouse, hidden | masked, relation, column)
 *                                   (user, warehouse, filtered, relation)
 *
 * A statement that would be refused counts as that alone: what it would have shown does not matter.
 */
#include "would_deny.h"

#include <stdlib.h>

void would_init(would_sums *w, gh_arena *a)
{
    *w = (would_sums){ .arena = a };
}

void would_fini(would_sums *w)
{
    free(w->groups);
    free(w->slots);
}

static size_t *slot_of(const would_sums *w, gh_str key)
{
    size_t i = (size_t)gh_hash(key.ptr, key.len, 0) & (w->slot_count - 1);

    while (w->slots[i] != 0 && !gh_str_eq(w->groups[w->slots[i] - 1].key, key))
        i = (i + 1) & (w->slot_count - 1);
    return &w->slots[i];
}

static void grow(would_sums *w)
{
    free(w->slots);
    w->slot_count = w->slot_count == 0 ? 1024 : w->slot_count * 2;
    w->slots = gh_alloc(w->slot_count * sizeof(*w->slots));
    for (size_t i = 0; i < w->count; i++)
        *slot_of(w, w->groups[i].key) = i + 1;
}

static gh_str keep(would_sums *w, gh_str s)
{
    return gh_arena_dup(w->arena, s);
}

static void append(would_sums *w, const would_group *g)
{
    if (w->count == w->cap) {
        w->cap = w->cap == 0 ? 64 : w->cap * 2;
        w->groups = gh_realloc_array(w->groups, w->cap, sizeof(*w->groups));
    }
    w->groups[w->count] = (would_group){ .key = keep(w, g->key),
                                         .user = keep(w, g->user),
                                         .warehouse = keep(w, g->warehouse),
                                         .effect = g->effect,
                                         .sqlstate = keep(w, g->sqlstate),
                                         .relation = keep(w, g->relation),
                                         .column = keep(w, g->column),
                                         .message = keep(w, g->message) };
    w->count++;
}

static void count(would_sums *w, would_group *g)
{
    const gh_str parts[] = { g->user,     g->warehouse, gh_str_of(g->effect),
                             g->sqlstate, g->relation,  g->column,
                             g->message };
    size_t *slot;
    gh_buf key;

    gh_buf_init(&key, 0);
    for (size_t i = 0; i < GH_COUNT(parts); i++) {
        gh_buf_put_u32(&key, (uint32_t)parts[i].len);
        gh_buf_put_str(&key, parts[i]);
    }
    g->key = gh_buf_str(&key);
    if (w->count * 2 >= w->slot_count)
        grow(w);
    slot = slot_of(w, g->key);
    if (*slot == 0) {
        append(w, g);
        *slot = w->count;
    }
    would_group *found = &w->groups[*slot - 1];

    found->count++;
    if (found->example.len != g->example.len)
        found->example = keep(w, g->example);
    else if (g->example.len > 0) /* ids of one length take the place of each other */
        memcpy((char *)(uintptr_t)found->example.ptr, g->example.ptr, g->example.len);
    if (found->last.len != g->last.len)
        found->last = keep(w, g->last);
    else if (g->last.len > 0)
        memcpy((char *)(uintptr_t)found->last.ptr, g->last.ptr, g->last.len);
    gh_buf_fini(&key);
}

/* What stands in the message's first double quotes: the name that would not be there. */
static gh_str quoted(gh_str message)
{
    const char *start = message.len > 0 ? memchr(message.ptr, '"', message.len) : NULL;
    const char *end;

    if (start == NULL)
        return GH_STR("");
    start++;
    end = memchr(start, '"', message.len - (size_t)(start - message.ptr));
    return end == NULL ? GH_STR("") : (gh_str){ start, (size_t)(end - start) };
}

static gh_str text_of(const gh_json_value *object, gh_arena *a, const char *key)
{
    gh_json_value v = gh_json_member(object, a, key);

    return v.type == GH_JSON_STRING ? v.text : GH_STR("");
}

static void add_refused(would_sums *w, would_group g, const gh_json_value *would, gh_arena *a)
{
    g.effect = "refused";
    g.sqlstate = text_of(would, a, "sqlstate");
    g.message = text_of(would, a, "message");
    if (gh_str_is(g.sqlstate, "42P01"))
        g.relation = quoted(g.message);
    else if (gh_str_is(g.sqlstate, "42703"))
        g.column = quoted(g.message);
    count(w, &g);
}

static void add_columns(would_sums *w, would_group g, const char *effect,
                        const gh_json_value *relation, gh_arena *a)
{
    gh_json_value list = gh_json_member(relation, a, effect);
    gh_json_item item;

    g.effect = effect;
    for (bool ok = gh_json_first(&list, a, &item); ok; ok = gh_json_next(a, &item)) {
        g.column = item.value.text;
        count(w, &g);
    }
}

static void add_relation(would_sums *w, would_group g, const gh_json_value *relation, gh_arena *a)
{
    g.relation =
        gh_arena_printf(a, GH_STR_FMT "." GH_STR_FMT, GH_STR_ARG(text_of(relation, a, "schema")),
                        GH_STR_ARG(text_of(relation, a, "name")));
    add_columns(w, g, "hidden", relation, a);
    add_columns(w, g, "masked", relation, a);
    if (gh_str_is(gh_json_member(relation, a, "row_filtered").text, "true")) {
        g.effect = "filtered";
        count(w, &g);
    }
}

void would_add(would_sums *w, const gh_json_value *record, gh_arena *a)
{
    gh_json_value would = gh_json_member(record, a, "would");
    gh_json_value list = gh_json_member(record, a, "relations");
    gh_json_item item;
    would_group g = { .user = text_of(record, a, "user"),
                      .warehouse = text_of(record, a, "warehouse"),
                      .relation = GH_STR(""),
                      .column = GH_STR(""),
                      .sqlstate = GH_STR(""),
                      .message = GH_STR(""),
                      .example = text_of(record, a, "statement"),
                      .last = text_of(record, a, "time") };

    if (!gh_str_is(text_of(record, a, "mode"), "observe"))
        return;
    if (would.type == GH_JSON_OBJECT) {
        add_refused(w, g, &would, a);
        return;
    }
    for (bool ok = gh_json_first(&list, a, &item); ok; ok = gh_json_next(a, &item))
        add_relation(w, g, &item.value, a);
}

static int by_count(const void *a, const void *b)
{
    const would_group *x = a;
    const would_group *y = b;

    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return gh_str_cmp(x->key, y->key);
}

void would_sort(would_sums *w)
{
    if (w->count > 1)
        qsort(w->groups, w->count, sizeof(*w->groups), by_count);
}
