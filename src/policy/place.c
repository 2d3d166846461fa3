/*
 * Where a policy file says something. The trees that the acl was read from stay as they are, and its texts
 * point into them: so what is wrong with a text is told with its line and column, and an acl without
 * faults pays nothing for it.
 */
#include "policy_priv.h"

#include <gatehouse/config.h>

static int order_of(const gh_yaml_node *n, gh_acl_place place)
{
    if (n->line != place.line)
        return n->line < place.line ? -1 : 1;
    return n->column == place.column ? 0 : n->column < place.column ? -1 : 1;
}

/* What begins at the place, by name or in a list; these are in the order of the file. */
static const gh_yaml_node *item_at(const gh_yaml_node *section, gh_acl_place place)
{
    bool is_named = section->kind == GH_YAML_MAPPING;
    size_t from = 0;
    size_t to = section->count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const gh_yaml_node *n = is_named ? gh_yaml_key(section, middle) : &section->items[middle];
        int order = order_of(n, place);

        if (order == 0)
            return is_named ? gh_yaml_value(section, middle) : n;
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

static bool is_said_by(const gh_yaml_node *n, gh_str text)
{
    return n->kind == GH_YAML_SCALAR && n->text.len > 0 && text.ptr >= n->text.ptr &&
           text.ptr < n->text.ptr + n->text.len;
}

/* The scalar below n that holds the text's bytes themselves. */
static const gh_yaml_node *find_text(const gh_yaml_node *n, gh_str text)
{
    struct {
        const gh_yaml_node *node;
        size_t next;
    } open[GH_YAML_DEPTH_MAX + 1];
    size_t depth = 0;

    if (is_said_by(n, text))
        return n;
    open[depth].node = n;
    open[depth++].next = 0;
    while (depth > 0) {
        const gh_yaml_node *at = open[depth - 1].node;
        size_t count = at->kind == GH_YAML_MAPPING ? 2 * at->count : at->count;

        if (open[depth - 1].next == count) {
            depth--;
            continue;
        }
        n = &at->items[open[depth - 1].next++];
        if (is_said_by(n, text))
            return n;
        if (n->kind != GH_YAML_SCALAR && depth < GH_COUNT(open)) {
            open[depth].node = n;
            open[depth++].next = 0;
        }
    }
    return NULL;
}

gh_acl_place gh_policy_place_of(const gh_acl *acl, gh_acl_place place, gh_str text)
{
    for (size_t i = 0; i < acl->tree_count && place.line != 0 && text.ptr != NULL; i++) {
        const gh_yaml_node *root = acl->trees[i].root;

        if (!gh_str_eq(acl->trees[i].file, place.file) || root->kind != GH_YAML_MAPPING)
            continue;
        for (size_t j = 0; j < root->count; j++) {
            const gh_yaml_node *item = item_at(gh_yaml_value(root, j), place);
            const gh_yaml_node *said = item != NULL ? find_text(item, text) : NULL;

            if (said != NULL) {
                place.line = said->line;
                place.column = said->column;
                return place;
            }
        }
    }
    return place;
}
