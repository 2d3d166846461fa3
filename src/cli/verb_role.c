/*
 * role add, show, drop.
 */
#include "cli_priv.h"

#include <inttypes.h>
#include <stdlib.h>

static const char *const s_may[] = { "explain", "temp_tables", "notify", "bypass" };

static int read_may(cli_call *c, uint32_t *out)
{
    gh_str_list words = cli_split(c, cli_values(c, "--may"));

    for (size_t i = 0; i < words.count; i++) {
        size_t index = 0;
        if (gh_str_is(words.items[i], "none") && words.count == 1)
            return GH_CLI_DONE;
        int code = cli_choose(c, words.items[i], "--may", s_may, GH_COUNT(s_may), &index);
        if (code != GH_CLI_DONE)
            return code;
        *out |= 1u << index;
    }
    return GH_CLI_DONE;
}

static int run_add(cli_call *c)
{
    gh_acl_role role = { .name = gh_str_of(c->args[0]),
                         .description = gh_str_of(cli_value(c, "--description")) };
    gh_str_list of = cli_split(c, cli_values(c, "--member-of"));
    gh_store_edit *edits;
    int code = read_may(c, &role.may);

    if (code != GH_CLI_DONE)
        return code;
    edits = gh_realloc_array(NULL, of.count + 1, sizeof(*edits));
    edits[0] = (gh_store_edit){
        .act = cli_has(c, "--change") ? GH_STORE_PUT : GH_STORE_ADD,
        .thing = GH_STORE_ROLE,
        .name = role.name,
        .of.role = &role,
        .keeps = (cli_has(c, "--description") ? 0u : (uint32_t)GH_STORE_KEEP_DESCRIPTION) |
                 (cli_has(c, "--may") ? 0u : (uint32_t)GH_STORE_KEEP_MAY)
    };
    for (size_t i = 0; i < of.count; i++)
        edits[i + 1] = (gh_store_edit){
            .act = GH_STORE_ADD, .thing = GH_STORE_MEMBER, .name = role.name, .other = of.items[i]
        };
    code = cli_make_edits(c, edits, of.count + 1);
    free(edits);
    return code;
}

static const cli_option s_add_options[] = {
    { "--description", "TEXT", "what the role is for" },
    { "--may", "WORDS", "explain, temp_tables, notify, bypass; by commas; none: nothing of these" },
    { "--member-of", "ROLE", "put it into this role; several by commas, or again" },
    { "--change", NULL, "change the role if there is one; what is not said stays" },
};

const cli_verb cli_role_add = {
    .group = "role",
    .name = "add",
    .args = "NAME",
    .summary = "Add a role",
    .help = "A new role grants nothing; `gatehouse grant` does.",
    .example =
        "  gatehouse role add --acl acl.db analyst --description 'Reads marts' --may explain",
    .shared = CLI_ACL | CLI_CONFIG | CLI_AUTHOR | CLI_JSON,
    .options = s_add_options,
    .option_count = GH_COUNT(s_add_options),
    .args_min = 1,
    .args_max = 1,
    .run = run_add,
};

/* ---- show ------------------------------------------------------------------------------------ */

static bool lists(gh_str_list list, gh_str name)
{
    for (size_t i = 0; i < list.count; i++)
        if (gh_str_eq(list.items[i], name))
            return true;
    return false;
}

static gh_str_list may_list(cli_call *c, uint32_t may)
{
    gh_str *words = gh_arena_alloc(c->arena, sizeof(gh_str) * GH_COUNT(s_may));
    gh_str_list list = { words, 0 };

    GH_ASSERT(words != NULL);
    for (size_t i = 0; i < GH_COUNT(s_may); i++)
        if ((may & (1u << i)) != 0)
            words[list.count++] = gh_str_of(s_may[i]);
    return list;
}

/* Roles by name and users as user:NAME that are in the role directly. */
static gh_str_list members_of(cli_call *c, const gh_acl *acl, gh_str role)
{
    gh_str *items =
        gh_arena_alloc(c->arena, (acl->role_count + acl->user_count + 1) * sizeof(*items));
    gh_str_list list = { items, 0 };

    GH_ASSERT(items != NULL);
    for (size_t i = 0; i < acl->role_count; i++)
        if (lists(acl->roles[i].member_of, role))
            items[list.count++] = acl->roles[i].name;
    for (size_t i = 0; i < acl->user_count; i++)
        if (lists(acl->users[i].roles, role))
            items[list.count++] =
                gh_arena_printf(c->arena, "user:" GH_STR_FMT, GH_STR_ARG(acl->users[i].name));
    return list;
}

/* Ids of the grants and denies that name the role itself. */
static gh_str_list rules_of(cli_call *c, const gh_acl *acl, gh_str role, bool is_deny)
{
    gh_str *items = NULL;
    size_t count = 0;

    for (size_t i = 0; i < acl->rule_count; i++) {
        if (acl->rules[i].is_deny != is_deny || !lists(acl->rules[i].to, role))
            continue;
        if ((count & (count - 1)) == 0)
            items = gh_realloc_array(items, count == 0 ? 1 : 2 * count, sizeof(*items));
        items[count++] = gh_arena_printf(c->arena, "%" PRId64, acl->rules[i].id);
    }
    gh_str *copy = gh_arena_alloc(c->arena, (count + 1) * sizeof(*copy));
    GH_ASSERT(copy != NULL);
    if (count > 0)
        memcpy(copy, items, count * sizeof(*copy));
    free(items);
    return (gh_str_list){ copy, count };
}

static int run_show(cli_call *c)
{
    static const char *const headings[] = { "role",    "description", "may",    "member_of",
                                            "members", "grants",      "denies", "origin" };
    gh_acl acl = { 0 };
    cli_table t;
    int code = cli_load_acl(c, &acl);

    if (code != GH_CLI_DONE)
        return code;
    const char **names = gh_arena_alloc(c->arena, (acl.role_count + 1) * sizeof(*names));
    GH_ASSERT(names != NULL);
    for (size_t i = 0; i < acl.role_count; i++) {
        const gh_acl_role *r = &acl.roles[i];
        names[i] = r->name.ptr;
        if (!gh_str_is(r->name, c->args[0]))
            continue;
        cli_table_init(&t, headings, GH_COUNT(headings), c->arena);
        cli_table_put(&t, r->name);
        cli_table_put(&t, r->description);
        cli_table_put_list(&t, may_list(c, r->may));
        cli_table_put_list(&t, r->member_of);
        cli_table_put_list(&t, members_of(c, &acl, r->name));
        cli_table_put_list(&t, rules_of(c, &acl, r->name, false));
        cli_table_put_list(&t, rules_of(c, &acl, r->name, true));
        cli_table_put(&t, gh_str_of(r->origin == GH_ORIGIN_POLICY ? "policy" : "cli"));
        cli_table_print(&t, c, stdout);
        cli_table_fini(&t);
        return GH_CLI_DONE;
    }
    return cli_fail("no such role: %s%s", c->args[0],
                    cli_did_you_mean(c, gh_str_of(c->args[0]), names, acl.role_count));
}

const cli_verb cli_role_show = {
    .group = "role",
    .name = "show",
    .args = "NAME",
    .summary = "Show one role: who is in it, and the ids of what it is granted and denied",
    .example = "  gatehouse role show --acl acl.db analyst",
    .shared = CLI_ACL | CLI_CONFIG | CLI_JSON,
    .args_min = 1,
    .args_max = 1,
    .run = run_show,
};

/* ---- drop ------------------------------------------------------------------------------------ */

static int run_drop(cli_call *c)
{
    gh_store_edit edit = { .act = GH_STORE_DROP,
                           .thing = GH_STORE_ROLE,
                           .name = gh_str_of(c->args[0]),
                           .is_cascade = cli_has(c, "--cascade") };

    return cli_make_edits(c, &edit, 1);
}

static const cli_option s_drop_options[] = {
    { "--cascade", NULL, "take it out of the grants and denies that name it, too" },
};

const cli_verb cli_role_drop = {
    .group = "role",
    .name = "drop",
    .args = "NAME",
    .summary = "Remove a role; its members lose what they have through it",
    .help = "Refused where grants or denies name the role, unless --cascade takes it out of them;\n"
            "those that name nobody else go along. A deny that goes may show more.",
    .example = "  gatehouse role drop --acl acl.db analyst --cascade",
    .shared = CLI_ACL | CLI_CONFIG | CLI_AUTHOR | CLI_JSON,
    .options = s_drop_options,
    .option_count = GH_COUNT(s_drop_options),
    .args_min = 1,
    .args_max = 1,
    .run = run_drop,
};
