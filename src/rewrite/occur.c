/*
 * Which types can turn up in a statement at all: only where one of an extension's can does it matter what an operand
 * of unknown type is.
 */
#include "overload.h"

bool gh_infer_leads_to(const gh_judge *j, gh_oid from, gh_oid type, int depth)
{
    const gh_type *t = gh_catalog_type_by_oid(j->in->catalog, from);
    const gh_relation *r;

    if (from == type)
        return true;
    if (t == NULL || from < GH_OID_MADE_MIN || depth > 8)
        return false;
    if ((t->element != 0 && gh_infer_leads_to(j, t->element, type, depth + 1)) ||
        (t->kind == 'd' && gh_infer_leads_to(j, t->base, type, depth + 1)))
        return true;
    r = t->relation != 0 ? gh_catalog_relation_by_oid(j->in->catalog, t->relation) : NULL;
    for (uint16_t i = 0; r != NULL && i < r->column_count; i++) {
        if (gh_infer_leads_to(j, r->columns[i].type_oid, type, depth + 1))
            return true;
    }
    return t->relation != 0 && r == NULL;
}

static bool is_text_function(const gh_function *f)
{
    return gh_str_is(f->schema, "pg_catalog") && f->arg_count == 1 && f->args[0] == GH_OID_TEXT;
}

static bool is_cast_to(gh_judge *j, gh_oid type)
{
    size_t count;
    const gh_cast *const *all = gh_catalog_casts(j->in->catalog, &count);

    for (size_t i = 0; i < count; i++) {
        if (all[i]->target == type && all[i]->context == 'i')
            return true;
    }
    return false;
}

/*
 * max(citext) gives a citext only to who has one already: beside pg_catalog's max(text) no literal is one, and no cast
 * that PostgreSQL makes by itself leads there. Named with its schema it stands alone.
 */
static bool needs_one(gh_judge *j, const gh_token *t, const gh_function *f, gh_oid type)
{
    size_t count;
    const gh_function *const *all = gh_catalog_functions(j->in->catalog, f->name, &count);

    if (f->arg_count != 1 || f->default_count != 0 || f->args[0] != type || f->result != type ||
        (t > j->text->tokens && t[-1].kind == GH_TOKEN_SELF && t[-1].text[0] == '.') ||
        is_cast_to(j, type))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (is_text_function(all[i]))
            return true;
    }
    return false;
}

/*
 * A word of the text may name a type, or a function that gives it.
 *
 * SECURITY: only one that the user may name. Every relation has a type of its name, so a refusal for what is called
 * like one would tell that there is a hidden relation. Attack: tests/integration/operators.
 */
static bool word_leads_to(gh_judge *j, const gh_token *t, gh_oid type)
{
    gh_str name = gh_str_of(t->text);
    size_t count;
    const gh_function *const *f = gh_catalog_functions(j->in->catalog, name, &count);
    const gh_type *found;

    for (size_t i = 0; i < count; i++) {
        if ((f[i]->is_builtin || gh_function_may_call(j, f[i]->schema, f[i]->name)) &&
            gh_infer_leads_to(j, f[i]->result, type, 0) && !needs_one(j, t, f[i], type))
            return true;
    }
    count = 0;
    for (const gh_str *schema = gh_catalog_schemas(j->in->catalog, &count); count > 0;
         count--, schema++) {
        found = gh_catalog_type(j->in->catalog, *schema, name);
        if (found != NULL && gh_type_is_visible(j, found) &&
            gh_infer_leads_to(j, found->oid, type, 0))
            return true;
    }
    return false;
}

/* Hidden columns are in no sub-select and behind no name. */
static bool may_reach(const gh_item *item, uint16_t column)
{
    return item->decision == NULL || item->keeps_hidden ||
           item->decision->columns[column].show != GH_HIDDEN;
}

/* Among the columns of the items so far. */
static bool is_among_items(gh_judge *j, gh_oid type)
{
    const void *key = (const void *)(uintptr_t)type;
    const void *count = (const void *)(uintptr_t)list_length(j->items);
    uint32_t found = 0;
    ListCell *cell;

    if (gh_memo_find(&j->occurs, key, count, &found))
        return found != 0;
    foreach (cell, j->items) {
        const gh_item *item = lfirst(cell);
        const gh_relation *r = item->relation;

        for (uint16_t i = 0; found == 0 && i < r->column_count; i++)
            found = may_reach(item, i) && gh_infer_leads_to(j, r->columns[i].type_oid, type, 0);
    }
    gh_memo_put(&j->occurs, key, count, found);
    return found != 0;
}

static bool is_among_words(gh_judge *j, gh_oid type)
{
    const void *key = (const void *)(uintptr_t)type;
    uint32_t found = 0;

    if (gh_memo_find(&j->types_named, key, NULL, &found))
        return found != 0;
    for (size_t i = j->first; found == 0 && i < j->end; i++)
        found = j->text->tokens[i].kind == GH_TOKEN_IDENT &&
                word_leads_to(j, &j->text->tokens[i], type);
    gh_memo_put(&j->types_named, key, NULL, found);
    return found != 0;
}

/* Among the columns of the session's temporary tables, whose row types may be named, too. */
static bool is_among_temporary(gh_judge *j, gh_oid type)
{
    size_t count = 0;
    const gh_relation *const *all =
        j->in->temporary != NULL ? gh_catalog_relations(j->in->temporary, &count) : NULL;

    if (j->announced != NULL && *j->announced != NIL) /* made just now: of what is not known yet */
        return true;
    for (size_t i = 0; i < count; i++) {
        for (uint16_t k = 0; k < all[i]->column_count; k++) {
            gh_oid from = all[i]->columns[k].type_oid;

            if (gh_catalog_type_by_oid(j->in->catalog, from) == NULL ||
                gh_infer_leads_to(j, from, type, 0))
                return true;
        }
    }
    return false;
}

bool gh_infer_may_occur(gh_judge *j, gh_oid type)
{
    if (type < GH_OID_MADE_MIN)
        return true;
    if (j->view_depth > 0 || is_among_temporary(j, type))
        return true;
    for (size_t i = 0; i < j->in->param_count; i++) {
        if (gh_infer_leads_to(j, j->in->param_types[i], type, 0))
            return true;
    }
    for (size_t i = 0; i < j->prepared_count; i++) {
        if (gh_infer_leads_to(j, j->prepared_types[i], type, 0))
            return true;
    }
    return is_among_items(j, type) || is_among_words(j, type);
}
