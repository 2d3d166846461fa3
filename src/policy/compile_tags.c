/*
 * Tags, tag masking and function grants of an ACL.
 */
#include "compile_priv.h"

#include <stdio.h>
#include <stdlib.h>

static gh_rc take_tag(pol_builder *b, const gh_acl_tag *tag, uint32_t number, size_t *cap)
{
    pol_tags *t = b->p->tags;

    for (size_t i = 0; i < tag->columns.count; i++) {
        gh_str text = tag->columns.items[i];
        const char *why = NULL;
        pol_parsed parsed;

        if (!pol_pattern_parse(text, 3, b->scratch, &parsed, &why))
            return gh_fail(b->err, GH_INVALID, POL_SQLSTATE,
                           "tag \"" GH_STR_FMT "\": column \"%.*s\": %s; expected "
                           "[warehouse:]schema.relation.column",
                           GH_STR_ARG(tag->name), (int)(text.len > 100 ? 100 : text.len),
                           text.ptr != NULL ? text.ptr : "", why);
        if (t->column_count == *cap) {
            *cap = *cap == 0 ? 64 : *cap * 2;
            t->columns = gh_realloc_array(t->columns, *cap, sizeof(*t->columns));
        }
        t->columns[t->column_count++] =
            (pol_tag_column){ .pattern = pol_pattern_of(b, &parsed, 3), .tag = number };
    }
    return GH_OK;
}

/* Those that name their relation exactly come first and are chained by it. */
static void index_tags(pol_tags *t)
{
    pol_tag_column *sorted = gh_alloc(((size_t)t->column_count + 1) * sizeof(*sorted));
    uint32_t at = 0;

    for (int is_exact = 1; is_exact >= 0; is_exact--) {
        for (uint32_t i = 0; i < t->column_count; i++) {
            if (pol_pattern_is_exact(&t->columns[i].pattern) == (is_exact == 1))
                sorted[at++] = t->columns[i];
        }
        if (is_exact == 1)
            t->globs = at;
    }
    free(t->columns);
    t->columns = sorted;
    for (uint32_t i = 0; i < t->globs; i++) {
        pol_pattern *pattern = &sorted[i].pattern;
        uint32_t *head = pol_relations_at(&t->exact, pattern->parts[0], pattern->parts[1]);

        pattern->next = *head;
        *head = i;
    }
}

static gh_rc take_masking(pol_builder *b, const gh_acl_masking *from, pol_masking *to)
{
    pol_where where = { .place = from->place };
    uint32_t tag = pol_strings_find(&b->p->tag_names, from->tag);
    gh_rc rc;

    (void)snprintf(where.text, sizeof(where.text), "masking of tag \"%.*s\"",
                   (int)(from->tag.len > 200 ? 200 : from->tag.len),
                   from->tag.ptr != NULL ? from->tag.ptr : "");
    if (tag == POL_NONE || tag == 0)
        return pol_fail_unknown(b, &b->p->tag_names, from->tag, "tag", &where);
    to->tag = tag - 1;
    rc = pol_find_mask(b, from->mask, &where, &to->mask);
    if (rc != GH_OK)
        return rc;
    to->except = gh_arena_alloc(b->p->tags->arena, (from->except.count + 1) * sizeof(*to->except));
    for (size_t i = 0; i < from->except.count; i++) {
        rc = pol_find_principal(b, from->except.items[i], &where, &to->except[i]);
        if (rc != GH_OK)
            return rc;
    }
    to->except_count = (uint32_t)from->except.count;
    return GH_OK;
}

gh_rc pol_compile_tags(pol_builder *b)
{
    pol_tags *t = gh_alloc(sizeof(*t));
    size_t cap = 0;

    t->refs = 1;
    t->arena = gh_arena_new(0);
    pol_relations_init(&t->exact);
    b->p->tags = t;
    for (size_t i = 0; i < b->acl->tag_count; i++) {
        const gh_acl_tag *tag = &b->acl->tags[i];
        gh_rc rc = pol_check_name(tag->name, "tag", b->err);
        uint32_t number;

        if (rc != GH_OK)
            return rc;
        number = pol_strings_add(&b->p->tag_names, tag->name);
        if (b->p->base == NULL && number != i + 1)
            return gh_fail(b->err, GH_INVALID, POL_SQLSTATE,
                           "tag \"" GH_STR_FMT "\" is defined twice", GH_STR_ARG(tag->name));
        rc = take_tag(b, tag, number - 1, &cap);
        if (rc != GH_OK)
            return rc;
    }
    index_tags(t);
    t->maskings = gh_alloc((b->acl->masking_count + 1) * sizeof(*t->maskings));
    for (size_t i = 0; i < b->acl->masking_count; i++) {
        gh_rc rc = take_masking(b, &b->acl->masking[i], &t->maskings[i]);

        if (rc != GH_OK)
            return rc;
        t->masking_count++;
    }
    return GH_OK;
}

/* ---- functions ------------------------------------------------------------------------------ */

static int function_order(const void *a, const void *b)
{
    uint32_t x = ((const pol_function *)a)->principal;
    uint32_t y = ((const pol_function *)b)->principal;

    return x == y ? 0 : x < y ? -1 : 1;
}

static gh_rc take_function(pol_builder *b, uint32_t principal, gh_str text, size_t *cap)
{
    pol_functions *f = b->p->functions;
    const char *why = NULL;
    pol_parsed parsed;

    if (!pol_pattern_parse(text, 2, b->scratch, &parsed, &why))
        return gh_fail(
            b->err, GH_INVALID, POL_SQLSTATE, "function \"%.*s\": %s; expected schema.name",
            (int)(text.len > 100 ? 100 : text.len), text.ptr != NULL ? text.ptr : "", why);
    if (f->count == *cap) {
        *cap = *cap == 0 ? 16 : *cap * 2;
        f->items = gh_realloc_array(f->items, *cap, sizeof(*f->items));
    }
    f->items[f->count++] =
        (pol_function){ .principal = principal, .pattern = pol_pattern_of(b, &parsed, 2) };
    return GH_OK;
}

gh_rc pol_compile_functions(pol_builder *b)
{
    pol_functions *list = gh_alloc(sizeof(*list));
    size_t cap = 0;

    list->refs = 1;
    b->p->functions = list;
    for (size_t i = 0; i < b->acl->function_count; i++) {
        const gh_acl_function *f = &b->acl->functions[i];
        pol_where where = { .place = f->place, .text = "functions" };

        for (size_t j = 0; j < f->to.count; j++) {
            uint32_t principal;
            gh_rc rc = pol_find_principal(b, f->to.items[j], &where, &principal);

            for (size_t k = 0; k < f->allow.count && rc == GH_OK; k++)
                rc = take_function(b, principal, f->allow.items[k], &cap);
            if (rc != GH_OK)
                return rc;
        }
    }
    if (list->count > 1)
        qsort(list->items, list->count, sizeof(*list->items), function_order);
    return GH_OK;
}
