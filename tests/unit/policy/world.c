/* Small ACLs and catalogs for the tests. */
#include "policy_tests.h"

#include <stdlib.h>

void world_init(world *w)
{
    memset(w, 0, sizeof(*w));
    w->acl.version = 7;
    w->acl.hash_key = S("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
    w->acl.users = w->users;
    w->acl.roles = w->roles;
    w->acl.rules = w->rules;
    w->acl.tags = w->tags;
    w->acl.masks = w->masks;
    w->acl.masking = w->masking;
    w->acl.functions = w->functions;
}

gh_acl_user *world_user(world *w, gh_str name, gh_str_list roles)
{
    gh_acl_user *u = &w->users[w->acl.user_count++];

    ck_assert_uint_le(w->acl.user_count, GH_COUNT(w->users));
    *u = (gh_acl_user){ .name = name, .roles = roles };
    return u;
}

gh_acl_role *world_role(world *w, gh_str name, gh_str_list member_of)
{
    gh_acl_role *r = &w->roles[w->acl.role_count++];

    ck_assert_uint_le(w->acl.role_count, GH_COUNT(w->roles));
    *r = (gh_acl_role){ .name = name, .member_of = member_of };
    return r;
}

static gh_acl_rule *rule(world *w, gh_str_list to, gh_str_list tables)
{
    gh_acl_rule *r = &w->rules[w->acl.rule_count++];

    ck_assert_uint_le(w->acl.rule_count, GH_COUNT(w->rules));
    *r = (gh_acl_rule){ .id = (int64_t)w->acl.rule_count,
                        .to = to,
                        .tables = tables,
                        .privileges = GH_SELECT,
                        .valid_from = INT64_MIN,
                        .valid_until = INT64_MAX };
    return r;
}

gh_acl_rule *world_grant(world *w, gh_str_list to, gh_str_list tables)
{
    return rule(w, to, tables);
}

gh_acl_rule *world_deny(world *w, gh_str_list to, gh_str_list tables)
{
    gh_acl_rule *r = rule(w, to, tables);

    r->is_deny = true;
    r->privileges = GH_ALL_PRIVILEGES;
    return r;
}

void world_tag(world *w, gh_str name, gh_str_list columns)
{
    w->tags[w->acl.tag_count++] = (gh_acl_tag){ .name = name, .columns = columns };
}

void world_mask(world *w, gh_str name, gh_str expr)
{
    w->masks[w->acl.mask_count++] = (gh_acl_mask_def){ .name = name, .expr = expr };
}

gh_acl_masking *world_masking(world *w, gh_str tag, gh_str mask)
{
    gh_acl_masking *m = &w->masking[w->acl.masking_count++];

    *m = (gh_acl_masking){ .tag = tag, .mask = mask };
    return m;
}

gh_policy *world_compile(world *w)
{
    gh_policy *p = NULL;
    gh_err err = { 0 };
    gh_rc rc = gh_policy_compile(&w->acl, &p, &err);

    ck_assert_msg(rc == GH_OK, "%s", err.public_msg);
    return p;
}

void world_refused(world *w, gh_rc rc, const char *text)
{
    gh_policy *p = NULL;
    gh_err err = { 0 };

    ck_assert_str_eq(gh_rc_name(gh_policy_compile(&w->acl, &p, &err)), gh_rc_name(rc));
    ck_assert_ptr_null(p);
    ck_assert_str_eq(err.sqlstate, "F0000");
    ck_assert_msg(strstr(err.public_msg, text) != NULL, "\"%s\" is not in: %s", text,
                  err.public_msg);
}

gh_catalog *table_of(const char *schema, const char *name, const char *columns, uint64_t epoch)
{
    gh_catalog_builder *b = gh_catalog_builder_new();
    gh_column all[64] = { 0 };
    uint16_t count = 0;
    gh_relation r = { .oid = 16400, .schema_oid = 16399, .kind = 'r' };

    for (const char *at = columns; *at != '\0';) {
        size_t len = strcspn(at, " ");

        all[count] = (gh_column){ .name = { at, len },
                                  .attnum = (int16_t)(count + 1),
                                  .type_oid = 25,
                                  .typmod = -1,
                                  .type_sql = S("text") };
        count++;
        at += len + strspn(at + len, " ");
    }
    r.schema = gh_str_of(schema);
    r.name = gh_str_of(name);
    r.columns = all;
    r.column_count = count;
    gh_catalog_add_schema(b, r.schema_oid, r.schema);
    gh_catalog_add_relation(b, &r);
    return gh_catalog_builder_finish(b, epoch);
}

const gh_relation *only_relation(const gh_catalog *c)
{
    size_t count;
    const gh_relation *const *all = gh_catalog_relations(c, &count);

    ck_assert_uint_eq(count, 1);
    return all[0];
}
