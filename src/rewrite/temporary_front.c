/*
 * Would a temporary table stand in front of what the policy's own functions read?
 *
 *     CREATE FUNCTION acl.sees(region text) ... SET search_path = acl AS 'SELECT EXISTS (SELECT FROM members ...)'
 *     rows: "acl.sees(region)"                          CREATE TEMP TABLE members ...
 *
 * PostgreSQL looks into pg_temp first where a path does not name it. The session's path ends in pg_temp (session.c), and so does
 * that of functions without one of their own; of another with a path that does not, no word of what it reads is known here. But
 * where its path is empty, what it reads without a schema is of pg_catalog.
 *
 * SECURITY: so who has such a function in a filter or mask has no temporary tables, or none of a name in pg_catalog. It is looked for as a word, whatever it
 * means there. Attack: tests/integration/temporary.py, test_functions_of_filters.
 */
#include "judge.h"

#include <strings.h>

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || ((unsigned char)c & 0x80u) != 0;
}

static bool has_word(gh_str text, gh_str word)
{
    for (size_t i = 0; i + word.len <= text.len; i++) {
        if (strncasecmp(text.ptr + i, word.ptr, word.len) == 0 &&
            (i == 0 || !is_name_byte(text.ptr[i - 1])) &&
            (i + word.len == text.len || !is_name_byte(text.ptr[i + word.len])))
            return true;
    }
    return false;
}

static bool is_in_masks(const gh_decision *d, gh_str name)
{
    for (uint16_t i = 0; i < d->column_count; i++) {
        for (uint16_t k = 0; k < d->columns[i].arm_count; k++) {
            const gh_mask *m = d->columns[i].arms[k].mask;

            if (m != NULL && m->kind == GH_MASK_EXPR && has_word(m->expr, name))
                return true;
        }
    }
    return false;
}

static bool is_called(const gh_judge *j, gh_str name)
{
    size_t count;
    const gh_relation *const *all = gh_catalog_relations(j->in->catalog, &count);

    for (size_t i = 0; i < count; i++) {
        const gh_decision *d = gh_view_decide(j->in->view, j->in->catalog, all[i]);

        for (uint16_t k = 0; k < d->filter_count; k++) {
            if (has_word(d->filters[k], name))
                return true;
        }
        if (is_in_masks(d, name))
            return true;
    }
    return false;
}

/* As a relation, or as the type of its rows? */
static bool is_of_system(const gh_catalog *c, gh_str name)
{
    return gh_catalog_relation(c, GH_STR("pg_catalog"), name) != NULL ||
           gh_catalog_type(c, GH_STR("pg_catalog"), name) != NULL;
}

bool gh_temporary_is_in_front(const gh_judge *j, gh_str name)
{
    size_t count;
    const gh_function *const *all = gh_catalog_all_functions(j->in->catalog, &count);
    gh_front least = is_of_system(j->in->catalog, name) ? GH_FRONT_SYSTEM : GH_FRONT_ALL;

    for (size_t i = 0; i < count; i++) {
        if (all[i]->temporary_front >= least && is_called(j, all[i]->name))
            return true;
    }
    return false;
}
