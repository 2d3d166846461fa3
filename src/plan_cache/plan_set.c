/*
 * plan_set.c: a compact copy of the rewriter's plans.
 *
 *     one malloc: │ gh_plan_set │ gh_plan[] │ texts, offsets, touches, outputs, grant ids ... │
 *
 * The copy runs twice over the same code: first with no block, to measure, then for real. So the
 * two cannot disagree about the size, and freeing is one free.
 */
#include <gatehouse/plan_cache.h>

#include <stdlib.h>

typedef struct copier {
    char *base; /* NULL: only measure */
    size_t used;
    size_t size;
} copier;

static void *take(copier *c, size_t size)
{
    const size_t align = _Alignof(max_align_t);
    size_t at = (c->used + (align - 1)) & ~(align - 1);

    c->used = at + size;
    if (c->base == NULL)
        return NULL;
    GH_ASSERT(c->used <= c->size);
    return c->base + at;
}

static void *copy_bytes(copier *c, const void *bytes, size_t size)
{
    void *to;

    if (size == 0)
        return NULL;
    to = take(c, size);
    if (to != NULL)
        memcpy(to, bytes, size);
    return to;
}

static gh_str copy_str(copier *c, gh_str s)
{
    char *to = take(c, s.len + 1);

    if (to == NULL)
        return (gh_str){ NULL, s.len };
    if (s.len > 0)
        memcpy(to, s.ptr, s.len);
    to[s.len] = '\0';
    return (gh_str){ to, s.len };
}

static gh_str_list copy_list(copier *c, gh_str_list list)
{
    gh_str *to;

    if (list.count == 0)
        return (gh_str_list){ NULL, 0 };
    to = take(c, list.count * sizeof(gh_str));
    for (size_t i = 0; i < list.count; i++) {
        gh_str s = copy_str(c, list.items[i]);

        if (to != NULL)
            to[i] = s;
    }
    return (gh_str_list){ to, list.count };
}

static const gh_touch *copy_touches(copier *c, const gh_touch *touches, size_t count)
{
    gh_touch *to;

    if (count == 0)
        return NULL;
    to = take(c, count * sizeof(gh_touch));
    for (size_t i = 0; i < count; i++) {
        gh_touch t = touches[i];

        t.schema = copy_str(c, t.schema);
        t.name = copy_str(c, t.name);
        t.clear = copy_list(c, t.clear);
        t.masked = copy_list(c, t.masked);
        t.filtered = copy_list(c, t.filtered);
        t.hidden = copy_list(c, t.hidden);
        if (to != NULL)
            to[i] = t;
    }
    return to;
}

static const gh_output_column *copy_outputs(copier *c, const gh_output_column *from, size_t count)
{
    gh_output_column *to = take(c, (count + 1) * sizeof(*to));

    if (to != NULL && count > 0)
        memcpy(to, from, count * sizeof(*to));
    return to;
}

static gh_plan copy_plan(copier *c, const gh_plan *from)
{
    gh_plan p = *from;

    p.sql = copy_str(c, p.sql);
    p.name = copy_str(c, p.name);
    p.value = copy_str(c, p.value);
    p.tag = copy_str(c, p.tag);
    p.offsets = copy_bytes(c, p.offsets, p.offset_count * sizeof(*p.offsets));
    p.touches = copy_touches(c, p.touches, p.touch_count);
    p.grant_ids = copy_bytes(c, p.grant_ids, p.grant_count * sizeof(*p.grant_ids));
    if (p.outputs != NULL) /* an empty list is not the same as none */
        p.outputs = copy_outputs(c, p.outputs, p.output_count);
    return p;
}

/* What one Query sends: every statement's text in order, so that the upstream runs them as one
 * implicit transaction. */
static gh_str join_query(copier *c, const gh_plan *plans, size_t count, gh_str poison)
{
    size_t len = 0;
    char *to;
    char *pos;

    for (size_t i = 0; i < count; i++)
        len += (plans[i].kind == GH_STMT_REFUSED ? poison.len : plans[i].sql.len) + 1;
    to = take(c, len + 1);
    if (to == NULL)
        return (gh_str){ NULL, 0 };
    pos = to;
    for (size_t i = 0; i < count; i++) {
        gh_str s = plans[i].kind == GH_STMT_REFUSED ? poison : plans[i].sql;

        if (s.len == 0)
            continue;
        if (pos != to)
            *pos++ = ';';
        memcpy(pos, s.ptr, s.len);
        pos += s.len;
    }
    *pos = '\0';
    return (gh_str){ to, (size_t)(pos - to) };
}

static gh_plan_set *copy_set(copier *c, gh_str source, const gh_plan *plans, size_t count,
                             gh_str poison)
{
    gh_plan_set *set = take(c, sizeof(gh_plan_set));
    gh_plan *to = take(c, (count + 1) * sizeof(gh_plan));
    gh_str text = copy_str(c, source);
    bool is_cacheable = true;
    bool names_setting = false;

    for (size_t i = 0; i < count; i++) {
        gh_plan p = copy_plan(c, &plans[i]);

        if (plans[i].reads_session)
            is_cacheable = false;
        names_setting = names_setting || plans[i].names_setting;
        if (to != NULL)
            to[i] = p;
    }
    gh_str query = join_query(c, plans, count, poison);

    if (set == NULL)
        return NULL;
    *set = (gh_plan_set){ .plans = to,
                          .count = count,
                          .source = text,
                          .query = query,
                          .is_refused = count > 0 && plans[count - 1].kind == GH_STMT_REFUSED,
                          .is_cacheable = is_cacheable,
                          .names_setting = names_setting,
                          .bytes = c->size,
                          .references = 1 };
    return set;
}

gh_plan_set *gh_plan_set_new(gh_str source, const gh_plan *plans, size_t count, gh_str poison)
{
    copier measure = { NULL, 0, 0 };

    (void)copy_set(&measure, source, plans, count, poison);

    copier real = { gh_alloc(measure.used), 0, measure.used };
    gh_plan_set *set = copy_set(&real, source, plans, count, poison);

    GH_ASSERT(set != NULL);
    GH_ASSERT(real.used == measure.used);
    return set;
}

gh_plan_set *gh_plan_set_acquire(gh_plan_set *set)
{
    if (set != NULL)
        set->references++;
    return set;
}

void gh_plan_set_release(gh_plan_set *set)
{
    if (set == NULL)
        return;
    GH_ASSERT(set->references > 0);
    set->references--;
    if (set->references > 0)
        return;
    if (set->extra_free != NULL)
        set->extra_free(set->extra);
    gh_plan_set_release(set->origin); /* a template itself has none: no deeper than this */
    free((void *)(uintptr_t)set->slots);
    gh_plan_set_release(set->judged); /* which has none: no deeper than this */
    free(set->unjudged);
    free(set);
}
