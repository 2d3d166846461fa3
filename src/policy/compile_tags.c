/*
 * Tags, tag masking and function grants of an ACL.
 */
#include "compile_priv.h"

#include <stdio.h>
#include <stdlib.h>

static gh_rc take_tag(pol_builder *b, const gh_acl_tag *tag, uint32_t number, size_t *cap)
{
    gh_policy *p = b->p;

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
        if (p->tag_column_count == *cap) {
            *cap = *cap == 0 ? 64 : *cap * 2;
            p->tag_columns = gh_realloc_array(p->tag_columns, *cap, sizeof(*p->tag_columns));
        }
        p->tag_columns[p->tag_column_count++] =
            (pol_tag_column){ .pattern = pol_pattern_of(b, &parsed, 3), .tag = number };
    }
    return GH_OK;
}

/* Those that name their relation exactly come first and are chained by it. */
static void index_tags(gh_policy *p)
{
    pol_tag_column *sorted = gh_alloc(((size_t)p->tag_column_count + 1) * sizeof(*sorted));
    uint32_t at = 0;

    for (int is_exact = 1; is_exact >= 0; is_exact--) {
        for (uint32_t i = 0; i < p->tag_column_count; i++) {
            if (pol_pattern_is_exact(&p->tag_columns[i].pattern) == (is_exact == 1))
                sorted[at++] = p->tag_columns[i];
        }
        if (is_exact == 1)
            p->tag_globs = at;
    }
    free(p->tag_columns);
    p->tag_columns = sorted;
    for (uint32_t i = 0; i < p->tag_globs; i++) {
        pol_pattern *pattern = &sorted[i].pattern;
        uint32_t *head = pol_relations_at(&p->tag_exact, pattern->parts[0], pattern->parts[1]);

        pattern->next = *head;
        *head = i;
    }
}

static gh_rc take_masking(pol_builder *b, const gh_acl_masking *from, pol_masking *to)
{
    char where[400];
    uint32_t tag = pol_strings_find(&b->tag_names, from->tag);
    gh_rc rc;

    (void)snprintf(where, sizeof(where), "%smasking of tag \"%.*s\"",
                   pol_place_of(from->place).text, (int)(from->tag.len > 200 ? 200 : from->tag.len),
                   from->tag.ptr != NULL ? from->tag.ptr : "");
    if (tag == POL_NONE || tag == 0)
        return pol_fail_unknown(b, &b->tag_names, from->tag, "tag", where);
    to->tag = tag - 1;
    rc = pol_find_mask(b, from->mask, where, &to->mask);
    if (rc != GH_OK)
        return rc;
    to->except = gh_arena_alloc(b->p->arena, (from->except.count + 1) * sizeof(*to->except));
    for (size_t i = 0; i < from->except.count; i++) {
        rc = pol_find_principal(b, from->except.items[i], where, &to->except[i]);
        if (rc != GH_OK)
            return rc;
    }
    to->except_count = (uint32_t)from->except.count;
    return GH_OK;
}

gh_rc pol_compile_tags(pol_builder *b)
{
    gh_policy *p = b->p;
    size_t cap = 0;

    for (size_t i = 0; i < b->acl->tag_count; i++) {
        const gh_acl_tag *tag = &b->acl->tags[i];
        gh_rc rc = pol_check_name(tag->name, "tag", b->err);

        if (rc != GH_OK)
            return rc;
        if (pol_strings_add(&b->tag_names, tag->name) != i + 1)
            return gh_fail(b->err, GH_INVALID, POL_SQLSTATE,
                           "tag \"" GH_STR_FMT "\" is defined twice", GH_STR_ARG(tag->name));
        rc = take_tag(b, tag, (uint32_t)i, &cap);
        if (rc != GH_OK)
            return rc;
    }
    p->tag_count = (uint32_t)b->acl->tag_count;
    index_tags(p);
    p->maskings = gh_alloc((b->acl->masking_count + 1) * sizeof(*p->maskings));
    for (size_t i = 0; i < b->acl->masking_count; i++) {
        gh_rc rc = take_masking(b, &b->acl->masking[i], &p->maskings[i]);

        if (rc != GH_OK)
            return rc;
        p->masking_count++;
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
    gh_policy *p = b->p;
    const char *why = NULL;
    pol_parsed parsed;

    if (!pol_pattern_parse(text, 2, b->scratch, &parsed, &why))
        return gh_fail(
            b->err, GH_INVALID, POL_SQLSTATE, "function \"%.*s\": %s; expected schema.name",
            (int)(text.len > 100 ? 100 : text.len), text.ptr != NULL ? text.ptr : "", why);
    if (p->function_count == *cap) {
        *cap = *cap == 0 ? 16 : *cap * 2;
        p->functions = gh_realloc_array(p->functions, *cap, sizeof(*p->functions));
    }
    p->functions[p->function_count++] =
        (pol_function){ .principal = principal, .pattern = pol_pattern_of(b, &parsed, 2) };
    return GH_OK;
}

gh_rc pol_compile_functions(pol_builder *b)
{
    gh_policy *p = b->p;
    size_t cap = 0;

    for (size_t i = 0; i < b->acl->function_count; i++) {
        const gh_acl_function *f = &b->acl->functions[i];

        for (size_t j = 0; j < f->to.count; j++) {
            uint32_t principal;
            gh_rc rc = pol_find_principal(b, f->to.items[j], "functions", &principal);

            for (size_t k = 0; k < f->allow.count && rc == GH_OK; k++)
                rc = take_function(b, principal, f->allow.items[k], &cap);
            if (rc != GH_OK)
                return rc;
        }
    }
    if (p->function_count > 1)
        qsort(p->functions, p->function_count, sizeof(*p->functions), function_order);
    return GH_OK;
}
