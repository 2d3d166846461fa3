/*
 * user add, drop; member add, drop.
 */
#include "cli_priv.h"

#include <stdlib.h>

/* ---- user add -------------------------------------------------------------------------------- */

/* NAME=VALUE. */
static int split_pair(cli_call *c, const char *option, gh_str text, gh_str *name, gh_str *value)
{
    const char *equals = text.len > 0 ? memchr(text.ptr, '=', text.len) : NULL;

    if (equals == NULL || equals == text.ptr)
        return cli_usage(c, "%s wants NAME=VALUE, not \"" GH_STR_FMT "\"", option,
                         GH_STR_ARG(text));
    *name = (gh_str){ text.ptr, (size_t)(equals - text.ptr) };
    *value = (gh_str){ equals + 1, text.len - name->len - 1 };
    return GH_CLI_DONE;
}

typedef struct user_edits {
    cli_call *c;
    gh_str user;
    gh_store_edit *list;
    size_t count;
} user_edits;

static gh_store_edit *next_edit(user_edits *e, gh_store_act act, gh_store_thing thing)
{
    gh_store_edit *edit = &e->list[e->count++];

    *edit = (gh_store_edit){ .act = act, .thing = thing, .name = e->user };
    return edit;
}

static int add_attributes(user_edits *e, const char *option, bool is_list)
{
    gh_str_list given = cli_values(e->c, option);

    for (size_t i = 0; i < given.count; i++) {
        gh_acl_attribute *attribute = gh_arena_alloc(e->c->arena, sizeof(*attribute));
        gh_str *value = gh_arena_alloc(e->c->arena, sizeof(*value));
        GH_ASSERT(attribute != NULL);
        GH_ASSERT(value != NULL);
        int code = split_pair(e->c, option, given.items[i], &attribute->name, value);
        if (code != GH_CLI_DONE)
            return code;
        attribute->is_list = is_list;
        attribute->values = (gh_str_list){ value, 1 };
        if (is_list)
            attribute->values = cli_split(e->c, attribute->values);
        gh_store_edit *edit = next_edit(e, GH_STORE_PUT, GH_STORE_ATTRIBUTE);
        edit->other = attribute->name;
        edit->of.attribute = attribute;
    }
    return GH_CLI_DONE;
}

static void add_roles(user_edits *e)
{
    gh_str_list roles = cli_split(e->c, cli_values(e->c, "--role"));

    e->list =
        gh_realloc_array(e->list, e->count + roles.count + e->c->given_count + 2, sizeof(*e->list));
    for (size_t i = 0; i < roles.count; i++) {
        gh_store_edit *edit = next_edit(e, GH_STORE_ADD, GH_STORE_MEMBER);
        edit->name = gh_arena_printf(e->c->arena, "user:" GH_STR_FMT, GH_STR_ARG(e->user));
        edit->other = roles.items[i];
    }
}

static int run_add(cli_call *c)
{
    static const char *const kinds[] = { "human", "service" };
    const char *kind = cli_value(c, "--kind");
    gh_acl_user user = { .name = gh_str_of(c->args[0]) };
    user_edits e = { .c = c, .user = user.name };
    size_t index = 0;
    int code = GH_CLI_DONE;

    if (kind != NULL)
        code = cli_choose(c, gh_str_of(kind), "kind", kinds, GH_COUNT(kinds), &index);
    if (code != GH_CLI_DONE)
        return code;
    user.is_service = index == 1;
    e.list = gh_realloc_array(NULL, 1, sizeof(*e.list));
    gh_store_edit *edit =
        next_edit(&e, cli_has(c, "--change") ? GH_STORE_PUT : GH_STORE_ADD, GH_STORE_USER);
    edit->of.user = &user;
    edit->keeps = kind == NULL ? GH_STORE_KEEP_KIND : 0;
    add_roles(&e);
    code = add_attributes(&e, "--attribute", false);
    if (code == GH_CLI_DONE)
        code = add_attributes(&e, "--list", true);
    gh_str_list dropped = cli_split(c, cli_values(c, "--drop-attribute"));
    e.list = gh_realloc_array(e.list, e.count + dropped.count + 1, sizeof(*e.list));
    for (size_t i = 0; i < dropped.count; i++)
        next_edit(&e, GH_STORE_DROP, GH_STORE_ATTRIBUTE)->other = dropped.items[i];
    if (code == GH_CLI_DONE)
        code = cli_make_edits(c, e.list, e.count);
    free(e.list);
    return code;
}

static const cli_option s_add_options[] = {
    { "--kind", "KIND", "human (default) or service" },
    { "--role", "ROLE", "put the user into this role; several by commas, or again" },
    { "--attribute", "NAME=VALUE", "attr('NAME') in filters is VALUE; may be given again" },
    { "--list", "NAME=A,B", "attr('NAME') is a list; may be given again" },
    { "--drop-attribute", "NAME", "with --change: take an attribute away" },
    { "--change", NULL, "change the user if there is one; what is not said stays" },
};

const cli_verb cli_user_add = {
    .group = "user",
    .name = "add",
    .args = "NAME",
    .summary = "Add a user",
    .help = "A new user has no password: `gatehouse user password NAME` sets one.",
    .example = "  gatehouse user add --acl acl.db alice --role eu_analyst --attribute region=EU\n"
               "  gatehouse user add --acl acl.db etl_bot --kind service --list teams=growth,core",
    .shared = CLI_ACL | CLI_CONFIG | CLI_AUTHOR | CLI_JSON,
    .options = s_add_options,
    .option_count = GH_COUNT(s_add_options),
    .args_min = 1,
    .args_max = 1,
    .run = run_add,
};

/* ---- user drop ------------------------------------------------------------------------------- */

static int run_drop(cli_call *c)
{
    gh_store_edit edit = { .act = GH_STORE_DROP,
                           .thing = GH_STORE_USER,
                           .name = gh_str_of(c->args[0]),
                           .is_cascade = cli_has(c, "--cascade") };

    return cli_make_edits(c, &edit, 1);
}

static const cli_option s_drop_options[] = {
    { "--cascade", NULL, "take it out of the grants and denies that name it, too" },
};

const cli_verb cli_user_drop = {
    .group = "user",
    .name = "drop",
    .args = "NAME",
    .summary = "Remove a user, with its memberships, attributes and password",
    .help = "Refused where grants or denies name the user, unless --cascade takes it out of them;\n"
            "those that name nobody else go along. `user disable` shuts a user out and keeps all.",
    .example = "  gatehouse user drop --acl acl.db alice --cascade --reason 'left the company'",
    .shared = CLI_ACL | CLI_CONFIG | CLI_AUTHOR | CLI_JSON,
    .options = s_drop_options,
    .option_count = GH_COUNT(s_drop_options),
    .args_min = 1,
    .args_max = 1,
    .run = run_drop,
};

/* ---- member ---------------------------------------------------------------------------------- */

static bool begins(gh_str s, const char *prefix)
{
    size_t len = strlen(prefix);

    return s.len > len && memcmp(s.ptr, prefix, len) == 0;
}

static int change_member(cli_call *c, gh_store_act act)
{
    gh_store_edit edit = { .act = act,
                           .thing = GH_STORE_MEMBER,
                           .name = gh_str_of(c->args[0]),
                           .other = gh_str_of(c->args[1]) };

    if (begins(edit.name, "role:"))
        edit.name = gh_str_of(c->args[0] + strlen("role:"));
    else
        edit.is_guess = !begins(edit.name, "user:");
    return cli_make_edits(c, &edit, 1);
}

static int run_member_add(cli_call *c)
{
    return change_member(c, GH_STORE_ADD);
}

static int run_member_drop(cli_call *c)
{
    return change_member(c, GH_STORE_DROP);
}

const cli_verb cli_member_add = {
    .group = "member",
    .name = "add",
    .args = "USER-OR-ROLE ROLE",
    .summary = "Put a user or a role into a role",
    .help =
        "Whoever is in a role has all that the role is granted, and all that is denied to it.\n"
        "Where a user and a role have one name, write user:NAME or role:NAME. A role cannot be\n"
        "in itself, however far around.",
    .example = "  gatehouse member add --acl acl.db alice analyst\n"
               "  gatehouse member add --acl acl.db eu_analyst analyst",
    .shared = CLI_ACL | CLI_CONFIG | CLI_AUTHOR | CLI_JSON,
    .args_min = 2,
    .args_max = 2,
    .run = run_member_add,
};

const cli_verb cli_member_drop = {
    .group = "member",
    .name = "drop",
    .args = "USER-OR-ROLE ROLE",
    .summary = "Take a user or a role out of a role",
    .example = "  gatehouse member drop --acl acl.db alice analyst --reason 'changed teams'",
    .shared = CLI_ACL | CLI_CONFIG | CLI_AUTHOR | CLI_JSON,
    .args_min = 2,
    .args_max = 2,
    .run = run_member_drop,
};
