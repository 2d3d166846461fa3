/*
 * The history's JSON back into an item: the reverse of item.c. What it does not know is refused:
 * half a grant could give what nobody granted.
 */
#include "store_priv.h"

#include <stdlib.h>

#include <gatehouse/audit.h>
#include <gatehouse/config.h> /* gh_config_parse_time */

typedef struct reading {
    gh_arena *arena;
    bool is_broken;
} reading;

static gh_str text_of(reading *r, const gh_json_value *v)
{
    if (v->type != GH_JSON_STRING)
        r->is_broken = true;
    return v->text;
}

static void *room(reading *r, size_t size)
{
    void *p = gh_arena_alloc(r->arena, size);

    GH_ASSERT(p != NULL);
    return p;
}

static gh_str_list list_of(reading *r, const gh_json_value *v)
{
    gh_json_item i;
    size_t count = 0;

    if (v->type != GH_JSON_ARRAY) {
        r->is_broken = true;
        return (gh_str_list){ 0 };
    }
    for (bool ok = gh_json_first(v, r->arena, &i); ok; ok = gh_json_next(r->arena, &i))
        count++;
    gh_str *items = room(r, (count + 1) * sizeof(*items));
    count = 0;
    for (bool ok = gh_json_first(v, r->arena, &i); ok; ok = gh_json_next(r->arena, &i))
        items[count++] = text_of(r, &i.value);
    return (gh_str_list){ items, count };
}

static void read_masks(reading *r, const gh_json_value *v, gh_acl_rule *rule)
{
    gh_json_item i;
    size_t count = 0;

    if (v->type != GH_JSON_OBJECT) {
        r->is_broken = true;
        return;
    }
    for (bool ok = gh_json_first(v, r->arena, &i); ok; ok = gh_json_next(r->arena, &i))
        count++;
    gh_acl_column_mask *masks = room(r, (count + 1) * sizeof(*masks));
    count = 0;
    for (bool ok = gh_json_first(v, r->arena, &i); ok; ok = gh_json_next(r->arena, &i))
        masks[count++] = (gh_acl_column_mask){ i.key, text_of(r, &i.value) };
    rule->masks = masks;
    rule->mask_count = count;
}

static int64_t time_of(reading *r, const gh_json_value *v)
{
    int64_t us = 0;

    if (!gh_config_parse_time(text_of(r, v), false, &us))
        r->is_broken = true;
    return us;
}

static bool is_yes(reading *r, const gh_json_value *v)
{
    if (!gh_str_is(text_of(r, v), "true"))
        r->is_broken = true;
    return true;
}

static uint32_t privileges_of(reading *r, const gh_json_value *v)
{
    gh_str_list words = list_of(r, v);
    uint32_t privileges = 0;

    for (size_t i = 0; i < words.count; i++) {
        uint32_t bit = 0;
        if (!store_privilege_parse(words.items[i], &bit))
            r->is_broken = true;
        privileges |= bit;
    }
    return privileges;
}

static void read_rule_member(reading *r, const gh_json_item *i, gh_acl_rule *rule)
{
    if (gh_str_is(i->key, "effect")) {
        gh_str effect = text_of(r, &i->value);
        rule->is_deny = gh_str_is(effect, "deny");
        r->is_broken |= !rule->is_deny && !gh_str_is(effect, "grant");
    } else if (gh_str_is(i->key, "to")) {
        rule->to = list_of(r, &i->value);
    } else if (gh_str_is(i->key, "tables")) {
        rule->tables = list_of(r, &i->value);
    } else if (gh_str_is(i->key, "privileges")) {
        rule->privileges = privileges_of(r, &i->value);
    } else if (gh_str_is(i->key, "columns") || gh_str_is(i->key, "except")) {
        rule->has_columns = true;
        rule->is_except = gh_str_is(i->key, "except");
        rule->columns = list_of(r, &i->value);
    } else if (gh_str_is(i->key, "tags")) {
        rule->tags = list_of(r, &i->value);
    } else if (gh_str_is(i->key, "rows")) {
        rule->rows = text_of(r, &i->value);
    } else if (gh_str_is(i->key, "mask")) {
        read_masks(r, &i->value, rule);
    } else if (gh_str_is(i->key, "valid_from")) {
        rule->valid_from = time_of(r, &i->value);
    } else if (gh_str_is(i->key, "valid_until")) {
        rule->valid_until = time_of(r, &i->value);
    } else if (gh_str_is(i->key, "reason")) {
        rule->reason = text_of(r, &i->value);
    } else if (gh_str_is(i->key, "through")) {
        rule->is_through = is_yes(r, &i->value);
    } else if (gh_str_is(i->key, "blind")) {
        rule->is_blind = is_yes(r, &i->value);
    } else {
        r->is_broken = true;
    }
}

static void read_rule(reading *r, const gh_json_value *v, store_item *like)
{
    gh_acl_rule *rule = room(r, sizeof(*rule));
    gh_json_item i;

    *rule = (gh_acl_rule){
        .valid_from = INT64_MIN, .valid_until = INT64_MAX, .id = like->id, .origin = like->origin
    };
    r->is_broken |= v->type != GH_JSON_OBJECT;
    for (bool ok = !r->is_broken && gh_json_first(v, r->arena, &i); ok;
         ok = gh_json_next(r->arena, &i))
        read_rule_member(r, &i, rule);
    r->is_broken |= rule->to.count == 0 || rule->tables.count == 0 || rule->privileges == 0;
    like->of.rule = rule;
}

static void read_role(reading *r, const gh_json_value *v, store_item *like)
{
    gh_acl_role *role = room(r, sizeof(*role));
    gh_json_value description = gh_json_member(v, r->arena, "description");
    gh_json_value may = gh_json_member(v, r->arena, "may");

    role->name = like->key;
    role->description = text_of(r, &description);
    r->is_broken |= !store_may_parse(text_of(r, &may), &role->may);
    role->origin = like->origin;
    like->of.role = role;
}

static void read_user(reading *r, const gh_json_value *v, store_item *like)
{
    gh_acl_user *user = room(r, sizeof(*user));
    gh_json_value kind = gh_json_member(v, r->arena, "kind");

    user->name = like->key;
    user->is_service = gh_str_is(text_of(r, &kind), "service");
    user->origin = like->origin;
    like->of.user = user;
}

static void read_attribute(reading *r, const gh_json_value *v, store_item *like)
{
    gh_acl_attribute *attribute = room(r, sizeof(*attribute));

    attribute->name = like->names[1];
    attribute->is_list = v->type == GH_JSON_ARRAY;
    if (attribute->is_list) {
        attribute->values = list_of(r, v);
    } else {
        gh_str *value = room(r, sizeof(*value));
        *value = text_of(r, v);
        attribute->values = (gh_str_list){ value, 1 };
    }
    like->of.attribute = attribute;
}

static void read_mask(reading *r, const gh_json_value *v, store_item *like)
{
    gh_acl_mask_def *mask = room(r, sizeof(*mask));

    *mask = (gh_acl_mask_def){ .name = like->key, .expr = text_of(r, v), .origin = like->origin };
    like->of.mask = mask;
}

static void read_masking(reading *r, const gh_json_value *v, store_item *like)
{
    gh_acl_masking *m = room(r, sizeof(*m));
    gh_json_value tag = gh_json_member(v, r->arena, "tag");
    gh_json_value with = gh_json_member(v, r->arena, "with");
    gh_json_value except = gh_json_member(v, r->arena, "except");

    *m = (gh_acl_masking){ .tag = text_of(r, &tag),
                           .mask = text_of(r, &with),
                           .except = list_of(r, &except),
                           .origin = like->origin };
    like->of.masking = m;
}

static void read_function(reading *r, const gh_json_value *v, store_item *like)
{
    gh_acl_function *f = room(r, sizeof(*f));
    gh_json_value to = gh_json_member(v, r->arena, "to");
    gh_json_value allow = gh_json_member(v, r->arena, "allow");

    *f = (gh_acl_function){ .to = list_of(r, &to),
                            .allow = list_of(r, &allow),
                            .origin = like->origin };
    r->is_broken |= f->to.count == 0 || f->allow.count == 0;
    like->of.function = f;
}

static void read_content(reading *r, const gh_json_value *v, store_item *like)
{
    switch (like->kind) {
    case STORE_ROLE:
        read_role(r, v, like);
        return;
    case STORE_USER:
        read_user(r, v, like);
        return;
    case STORE_ATTRIBUTE:
        read_attribute(r, v, like);
        return;
    case STORE_MASK:
        read_mask(r, v, like);
        return;
    case STORE_MASKING:
        read_masking(r, v, like);
        return;
    case STORE_FUNCTION:
        read_function(r, v, like);
        return;
    case STORE_RULE:
        read_rule(r, v, like);
        return;
    case STORE_MEMBER:
    case STORE_TAG:
    case STORE_TAG_COLUMN:
        return; /* the key says it all */
    case STORE_NO_KIND:
        break;
    }
    r->is_broken = true;
}

static void read_key(reading *r, gh_str key, store_item *like)
{
    gh_json_value v;

    like->key = key;
    like->names[0] = key;
    if (store_kind_has_id(like->kind)) {
        r->is_broken |= !gh_config_parse_int(key, &like->id) || like->id < 1;
        return;
    }
    if (like->kind != STORE_MEMBER && like->kind != STORE_ATTRIBUTE &&
        like->kind != STORE_TAG_COLUMN)
        return;
    if (gh_json_parse(key, r->arena, &v, NULL) != GH_OK) {
        r->is_broken = true;
        return;
    }
    gh_str_list names = list_of(r, &v);
    if (names.count != 2) {
        r->is_broken = true;
        return;
    }
    like->names[0] = names.items[0];
    like->names[1] = names.items[1];
}

bool store_past_key(gh_str kind, gh_str key, gh_arena *a, store_item *like)
{
    reading r = { .arena = a };

    *like = (store_item){ 0 };
    if (!store_kind_parse(kind, &like->kind))
        return false;
    read_key(&r, key, like);
    return !r.is_broken;
}

bool store_past_item(const store_item *key, gh_str json, gh_origin origin, gh_arena *a,
                     store_item *out)
{
    reading r = { .arena = a };
    store_item like = *key;
    gh_json_value v;

    like.origin = origin;
    if (gh_json_parse(json, a, &v, NULL) != GH_OK)
        return false;
    read_content(&r, &v, &like);
    if (r.is_broken)
        return false;
    *out = store_item_of(&like, a);
    return true;
}
