/*
 * tag add, drop, list; mask add, drop, list.
 */
#include "cli_priv.h"

#include <stdlib.h>

static gh_str origin_text(gh_origin origin)
{
    return gh_str_of(origin == GH_ORIGIN_POLICY ? "policy" : "cli");
}

/* ---- tags ------------------------------------------------------------------------------------ */

/* The columns of the tag, or the tag itself where none is given (and, to add, both). */
static int change_tag(cli_call *c, bool is_add)
{
    gh_str *words = gh_arena_alloc(c->arena, (c->arg_count + 1) * sizeof(*words));
    gh_str tag = gh_str_of(c->args[0]);
    size_t n = 0;

    GH_ASSERT(words != NULL);
    for (size_t i = 1; i < c->arg_count; i++)
        words[i - 1] = gh_str_of(c->args[i]);
    gh_str_list columns = cli_split(c, (gh_str_list){ words, c->arg_count - 1 });
    gh_store_edit *edits = gh_realloc_array(NULL, columns.count + 1, sizeof(*edits));
    if (is_add || columns.count == 0)
        edits[n++] = (gh_store_edit){ .act = is_add ? GH_STORE_PUT : GH_STORE_DROP,
                                      .thing = GH_STORE_TAG,
                                      .name = tag };
    for (size_t i = 0; i < columns.count; i++)
        edits[n++] = (gh_store_edit){ .act = is_add ? GH_STORE_ADD : GH_STORE_DROP,
                                      .thing = GH_STORE_TAG_COLUMN,
                                      .name = tag,
                                      .other = columns.items[i] };
    int code = cli_make_edits(c, edits, n);
    free(edits);
    return code;
}

static int run_tag_add(cli_call *c)
{
    return change_tag(c, true);
}

static int run_tag_drop(cli_call *c)
{
    return change_tag(c, false);
}

const cli_verb cli_tag_add = {
    .group = "tag",
    .name = "add",
    .args = "TAG [COLUMN...]",
    .summary = "Put a tag on columns; makes the tag if it is new",
    .help =
        "COLUMN: [warehouse:]schema.relation.column; * matches within one part. What is masked\n"
        "or denied by the tag is so at once for the new columns.",
    .example = "  gatehouse tag add --acl acl.db pii crm.customers.email '*.*.ssn'",
    .shared = CLI_ACL | CLI_CONFIG | CLI_AUTHOR | CLI_JSON,
    .args_min = 1,
    .args_max = CLI_ARGS_MAX,
    .run = run_tag_add,
};

const cli_verb cli_tag_drop = {
    .group = "tag",
    .name = "drop",
    .args = "TAG [COLUMN...]",
    .summary = "Take a tag off columns; without COLUMN, remove the tag",
    .help = "A tag that a deny or a masking names stays. What the tag masked or denied may show.",
    .example = "  gatehouse tag drop --acl acl.db pii crm.customers.email",
    .shared = CLI_ACL | CLI_CONFIG | CLI_AUTHOR | CLI_JSON,
    .args_min = 1,
    .args_max = CLI_ARGS_MAX,
    .run = run_tag_drop,
};

/* How columns of the tag are masked: "hash except pii_reader". */
static gh_str masking_of(cli_call *c, const gh_acl *acl, gh_str tag)
{
    gh_str text = { 0 };

    for (size_t i = 0; i < acl->masking_count; i++) {
        const gh_acl_masking *m = &acl->masking[i];
        if (!gh_str_eq(m->tag, tag))
            continue;
        text = gh_arena_printf(c->arena, GH_STR_FMT "%s" GH_STR_FMT "%s" GH_STR_FMT,
                               GH_STR_ARG(text), text.len > 0 ? "; " : "", GH_STR_ARG(m->mask),
                               m->except.count > 0 ? " except " : "",
                               GH_STR_ARG(cli_join(c->arena, m->except)));
    }
    return text;
}

static int run_tag_list(cli_call *c)
{
    static const char *const headings[] = { "tag", "columns", "masking", "origin" };
    gh_acl acl = { 0 };
    bool is_found = c->arg_count == 0;
    cli_table t;
    int code = cli_load_acl(c, &acl);

    if (code != GH_CLI_DONE)
        return code;
    const char **names = gh_arena_alloc(c->arena, (acl.tag_count + 1) * sizeof(*names));
    GH_ASSERT(names != NULL);
    cli_table_init(&t, headings, GH_COUNT(headings), c->arena);
    for (size_t i = 0; i < acl.tag_count; i++) {
        names[i] = acl.tags[i].name.ptr;
        if (c->arg_count > 0 && !gh_str_is(acl.tags[i].name, c->args[0]))
            continue;
        is_found = true;
        cli_table_put(&t, acl.tags[i].name);
        cli_table_put_list(&t, acl.tags[i].columns);
        cli_table_put(&t, masking_of(c, &acl, acl.tags[i].name));
        cli_table_put(&t, origin_text(acl.tags[i].origin));
    }
    if (is_found)
        cli_table_print(&t, c, stdout);
    else
        code = cli_fail("no such tag: %s%s", c->args[0],
                        cli_did_you_mean(c, gh_str_of(c->args[0]), names, acl.tag_count));
    cli_table_fini(&t);
    return code;
}

const cli_verb cli_tag_list = {
    .group = "tag",
    .name = "list",
    .args = "[TAG]",
    .summary = "List the tags, their columns and how they are masked",
    .example = "  gatehouse tag list --acl acl.db pii",
    .shared = CLI_ACL | CLI_CONFIG | CLI_JSON,
    .args_max = 1,
    .run = run_tag_list,
};

/* ---- masks ----------------------------------------------------------------------------------- */

static int run_mask_add(cli_call *c)
{
    gh_acl_mask_def mask = { .name = gh_str_of(c->args[0]), .expr = gh_str_of(c->args[1]) };
    gh_store_edit edit = { .act = cli_has(c, "--change") ? GH_STORE_PUT : GH_STORE_ADD,
                           .thing = GH_STORE_MASK,
                           .name = mask.name,
                           .of.mask = &mask };
    int code = cli_check_words(c);

    if (code == GH_CLI_DONE)
        code = cli_want_mask(c, NULL, "the mask", mask.expr);
    return code == GH_CLI_DONE ? cli_make_edits(c, &edit, 1) : code;
}

static const cli_option s_mask_options[] = {
    { "--change", NULL, "change the mask if there is one, for all grants that use it" },
};

const cli_verb cli_mask_add = {
    .group = "mask",
    .name = "add",
    .args = "NAME EXPR",
    .summary = "Name a mask: an SQL expression over value, or a built-in mask",
    .help =
        "The expression keeps the column's type. Masks are not ordered with other expressions:\n"
        "no user may be granted two of them for one column.",
    .example =
        "  gatehouse mask add --acl acl.db email_domain \"'***@' || split_part(value, '@', 2)\"",
    .shared = CLI_ACL | CLI_CONFIG | CLI_AUTHOR | CLI_JSON,
    .options = s_mask_options,
    .option_count = GH_COUNT(s_mask_options),
    .args_min = 2,
    .args_max = 2,
    .run = run_mask_add,
};

static int run_mask_drop(cli_call *c)
{
    gh_store_edit edit = { .act = GH_STORE_DROP,
                           .thing = GH_STORE_MASK,
                           .name = gh_str_of(c->args[0]) };

    return cli_make_edits(c, &edit, 1);
}

const cli_verb cli_mask_drop = {
    .group = "mask",
    .name = "drop",
    .args = "NAME",
    .summary = "Remove a named mask that nothing uses",
    .example = "  gatehouse mask drop --acl acl.db email_domain",
    .shared = CLI_ACL | CLI_CONFIG | CLI_AUTHOR | CLI_JSON,
    .args_min = 1,
    .args_max = 1,
    .run = run_mask_drop,
};

static int run_mask_list(cli_call *c)
{
    static const char *const headings[] = { "mask", "expression", "origin" };
    gh_acl acl = { 0 };
    cli_table t;
    int code = cli_load_acl(c, &acl);

    if (code != GH_CLI_DONE)
        return code;
    cli_table_init(&t, headings, GH_COUNT(headings), c->arena);
    for (size_t i = 0; i < acl.mask_count; i++) {
        cli_table_put(&t, acl.masks[i].name);
        cli_table_put(&t, acl.masks[i].expr);
        cli_table_put(&t, origin_text(acl.masks[i].origin));
    }
    cli_table_print(&t, c, stdout);
    cli_table_fini(&t);
    return GH_CLI_DONE;
}

const cli_verb cli_mask_list = {
    .group = "mask",
    .name = "list",
    .summary = "List the named masks",
    .example = "  gatehouse mask list --acl acl.db",
    .shared = CLI_ACL | CLI_CONFIG | CLI_JSON,
    .run = run_mask_list,
};
