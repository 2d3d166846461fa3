/*
 * The plan cache's templates: a plan made for one text and filled with the literals of another must be, byte for byte,
 * the plan that the rewriter makes for the other text itself.
 */
#include <gatehouse/plan_cache.h>

#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Another text of the same shape: each literal becomes another of its class. */
static gh_str vary(gh_str text, const gh_template *t, uint8_t seed, gh_arena *a)
{
    static const char *const numbers[] = { "0", "7", "42", "999999999", "2147483", "1" };
    static const char *const strings[] = {
        "''", "'a'", "'EU'", "'%x'", "'shop.orders'", "'2020-01-31'", "'hr.people'", "'1'"
    };
    char *out = gh_arena_alloc(a, text.len + GH_TEMPLATE_SLOTS_MAX * 16 + 1);
    size_t at = 0;
    size_t len = 0;

    for (uint32_t i = 0; i < t->slot_count; i++) {
        const gh_template_slot *slot = &t->slots[i];
        const char *with = text.ptr[slot->start] == '\'' ? strings[(seed + i) % GH_COUNT(strings)]
                                                         : numbers[(seed + i) % GH_COUNT(numbers)];

        memcpy(out + len, text.ptr + at, slot->start - at);
        len += slot->start - at;
        memcpy(out + len, with, strlen(with));
        len += strlen(with);
        at = slot->start + slot->len;
    }
    memcpy(out + len, text.ptr + at, text.len - at);
    return (gh_str){ out, len + text.len - at };
}

static gh_plan_set *plan_of(int user, gh_str text)
{
    const gh_plan *plans = NULL;
    size_t count = 0;
    gh_err err = { 0 };

    return fuzz_rewrite(user, text, false, &plans, &count, &err) == GH_OK
               ? gh_plan_set_new(text, plans, count, GH_STR("POISON"))
               : NULL;
}

static void compare(gh_str text, const gh_plan_set *filled, const gh_plan_set *own)
{
    if (own == NULL)
        fuzz_fail("a text that is not taken got a plan from the cache", text, filled->query);
    if (!gh_str_eq(filled->query, own->query) || filled->count != own->count ||
        filled->is_refused != own->is_refused)
        fuzz_fail("the cache's plan differs from the text's own", filled->query, own->query);
    for (size_t i = 0; i < own->count; i++) {
        const gh_plan *x = &filled->plans[i];
        const gh_plan *y = &own->plans[i];

        if (x->kind != y->kind || !gh_str_eq(x->sql, y->sql) || !gh_str_eq(x->tag, y->tag) ||
            x->offset_count != y->offset_count || x->touch_count != y->touch_count ||
            x->output_count != y->output_count || x->strips_column != y->strips_column ||
            x->strips_result != y->strips_result || x->source_start != y->source_start ||
            x->source_len != y->source_len)
            fuzz_fail("the cache's plan differs from the text's own", x->sql, y->sql);
        for (size_t k = 0; k < x->offset_count; k++) {
            if (x->offsets[k].sent != y->offsets[k].sent ||
                x->offsets[k].source != y->offsets[k].source)
                fuzz_fail("positions differ", text, y->sql);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static gh_template t;
    static gh_template u;
    gh_arena *a;
    gh_str text;
    gh_str other;
    int user;

    if (size < 2)
        return 0;
    user = data[0] & 1;
    text = (gh_str){ (const char *)data + 1, size - 1 };
    if (!gh_template_scan(text, &t))
        return 0;
    a = gh_arena_new((size_t)1 << 20);
    other = vary(text, &t, data[0] >> 1, a);
    if (gh_template_scan(other, &u) && u.shape_len == t.shape_len &&
        memcmp(u.shape, t.shape, t.shape_len) == 0) {
        gh_plan_set *own = plan_of(user, text);
        gh_plan_set *shared = own == NULL ? NULL : gh_template_make(&t, own);

        if (shared != NULL) {
            gh_plan_set *filled = gh_template_fill(shared, &u, other);
            gh_plan_set *fresh = plan_of(user, other);

            compare(other, filled, fresh);
            gh_plan_set_release(filled);
            gh_plan_set_release(fresh);
        }
        gh_plan_set_release(shared);
        gh_plan_set_release(own);
    }
    gh_arena_free(a);
    return 0;
}
