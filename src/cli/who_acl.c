/*
 * A relation as far as an ACL knows it: for `who` without a warehouse at hand.
 */
#include "who.h"

#include <stdlib.h>

typedef struct names {
    gh_str *items;
    size_t count;
    cli_call *c;
} names;

static void add_name(names *n, gh_str name)
{
    for (size_t i = 0; i < n->count; i++)
        if (gh_str_eq(n->items[i], name))
            return;
    if ((n->count & (n->count - 1)) == 0)
        n->items = gh_realloc_array(n->items, n->count == 0 ? 1 : 2 * n->count, sizeof(*n->items));
    n->items[n->count++] = name;
}

static gh_str_list names_end(names *n)
{
    gh_str *copy = gh_arena_alloc(n->c->arena, (n->count + 1) * sizeof(*copy));

    GH_ASSERT(copy != NULL); /* the call's arena has no budget */
    if (n->count > 0)
        memcpy(copy, n->items, n->count * sizeof(*copy));
    free(n->items);
    return (gh_str_list){ copy, n->count };
}

/* Schema and name only: a warehouse that is not known may be any. */
static bool fits_object(const cli_pattern *p, const cli_who_object *object)
{
    return cli_part_fits(&p->parts[0], object->schema) &&
           cli_part_fits(&p->parts[1], object->name) &&
           (object->warehouse.len == 0 || !p->warehouse.is_given ||
            cli_part_fits(&p->warehouse, object->warehouse));
}

static bool rule_fits(cli_call *c, const gh_acl_rule *r, const cli_who_object *object)
{
    for (size_t i = 0; i < r->tables.count; i++) {
        cli_pattern p = cli_pattern_of(c->arena, r->tables.items[i]);
        if (fits_object(&p, object))
            return true;
    }
    return false;
}

gh_str_list cli_who_warehouses(cli_call *c, const gh_acl *acl, const cli_who_object *object)
{
    names n = { .c = c };

    add_name(&n, (gh_str){ 0 });
    for (size_t i = 0; i < acl->rule_count; i++) {
        for (size_t j = 0; j < acl->rules[i].tables.count; j++) {
            gh_str text = acl->rules[i].tables.items[j];
            if (text.len == 0 || memchr(text.ptr, ':', text.len) == NULL)
                continue;
            cli_pattern p = cli_pattern_of(c->arena, text);
            if (p.warehouse.is_given && fits_object(&p, object))
                add_name(&n, p.warehouse.text); /* one with a star fits itself */
        }
    }
    return names_end(&n);
}

gh_str_list cli_who_tags(cli_call *c, const gh_acl *acl, const cli_who_object *object)
{
    names n = { .c = c };

    for (size_t i = 0; i < acl->tag_count; i++) {
        for (size_t j = 0; j < acl->tags[i].columns.count; j++) {
            cli_pattern p = cli_pattern_of(c->arena, acl->tags[i].columns.items[j]);
            if (fits_object(&p, object) && cli_part_fits(&p.parts[2], object->column))
                add_name(&n, acl->tags[i].name);
        }
    }
    return names_end(&n);
}

/* ---- the columns ----------------------------------------------------------------------------- */

static gh_str_list column_names(cli_call *c, const gh_acl *acl, const cli_who_object *object)
{
    names n = { .c = c };

    if (object->column.len > 0)
        add_name(&n, object->column);
    for (size_t i = 0; i < acl->rule_count; i++) {
        const gh_acl_rule *r = &acl->rules[i];
        if ((!r->has_columns && r->mask_count == 0) || !rule_fits(c, r, object))
            continue;
        for (size_t j = 0; j < r->columns.count; j++)
            add_name(&n, cli_name_of(c->arena, r->columns.items[j]));
        for (size_t j = 0; j < r->mask_count; j++)
            add_name(&n, cli_name_of(c->arena, r->masks[j].column));
    }
    for (size_t i = 0; i < acl->tag_count; i++) {
        for (size_t j = 0; j < acl->tags[i].columns.count; j++) {
            cli_pattern p = cli_pattern_of(c->arena, acl->tags[i].columns.items[j]);
            if (!p.parts[2].is_glob && fits_object(&p, object))
                add_name(&n, p.parts[2].text);
        }
    }
    add_name(&n, GH_STR("*"));
    return names_end(&n);
}

static bool mask_fits(cli_call *c, const gh_acl *acl, gh_str text, const gh_column *column)
{
    gh_mask mask = { 0 };

    return gh_mask_parse(text, acl->masks, acl->mask_count, c->arena, &mask, NULL) != GH_OK ||
           gh_mask_fits(&mask, NULL, column);
}

static bool masks_fit(cli_call *c, const gh_acl *acl, const cli_who_object *object,
                      const gh_column *column)
{
    cli_who_object asked = *object;

    for (size_t i = 0; i < acl->rule_count; i++) {
        const gh_acl_rule *r = &acl->rules[i];
        for (size_t j = 0; j < r->mask_count; j++)
            if (gh_str_eq(cli_name_of(c->arena, r->masks[j].column), column->name) &&
                !mask_fits(c, acl, r->masks[j].mask, column) && rule_fits(c, r, object))
                return false;
    }
    asked.column = column->name;
    gh_str_list tags = cli_who_tags(c, acl, &asked);
    for (size_t i = 0; i < acl->masking_count; i++)
        for (size_t j = 0; j < tags.count; j++)
            if (gh_str_eq(acl->masking[i].tag, tags.items[j]) &&
                !mask_fits(c, acl, acl->masking[i].mask, column))
                return false;
    return true;
}

/* The first type that all masks of the column can be taken of; text where there is none. */
static void choose_type(cli_call *c, const gh_acl *acl, const cli_who_object *object,
                        gh_column *column)
{
    enum { TEXT = 25, INT8 = 20, NUMERIC = 1700, TIMESTAMPTZ = 1184, UUID = 2950 };
    static const gh_oid types[] = { TEXT, NUMERIC, INT8, TIMESTAMPTZ, UUID };

    for (size_t i = 0; i < GH_COUNT(types); i++) {
        column->type_oid = types[i];
        if (masks_fit(c, acl, object, column))
            return;
    }
    column->type_oid = TEXT;
}

gh_catalog *cli_who_catalog(cli_call *c, const gh_acl *acl, const cli_who_object *object)
{
    enum { SCHEMA = 16384, RELATION, COLUMNS_MAX = 1600 };
    gh_catalog_builder *b = gh_catalog_builder_new();
    gh_str_list found = column_names(c, acl, object);
    size_t count = found.count < COLUMNS_MAX ? found.count : COLUMNS_MAX;
    gh_column *columns = gh_alloc((count + 1) * sizeof(*columns));

    for (size_t i = 0; i < count; i++) {
        columns[i] = (gh_column){ .name = found.items[i],
                                  .attnum = (int16_t)(i + 1),
                                  .typmod = -1,
                                  .type_sql = GH_STR("text") };
        choose_type(c, acl, object, &columns[i]);
    }
    gh_relation r = { .oid = RELATION,
                      .schema_oid = SCHEMA,
                      .schema = object->schema,
                      .name = object->name,
                      .kind = 'r',
                      .columns = columns,
                      .column_count = (uint16_t)count };
    gh_catalog_add_schema(b, SCHEMA, object->schema);
    gh_catalog_add_relation(b, &r);
    free(columns);
    return gh_catalog_builder_finish(b, 1);
}
