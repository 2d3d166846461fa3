/*
 * policy apply, policy export.
 */
#include "apply_check.h"

/* ---- apply ----------------------------------------------------------------------------------- */

static void print_summary(const cli_call *c, const gh_store_summary *s)
{
    cli_print_differences(c, gh_buf_str(&s->lines));
    if (cli_has(c, "--json")) {
        (void)printf(
            "{\"added\":%zu,\"changed\":%zu,\"removed\":%zu,\"kept\":%zu,\"version\":%llu}\n",
            s->added, s->changed, s->removed, s->kept, (unsigned long long)s->version);
        return;
    }
    if (s->added + s->changed + s->removed == 0)
        (void)printf("nothing to change; the ACL is at version %llu\n",
                     (unsigned long long)s->version);
    else
        (void)printf("%s%zu added, %zu changed, %zu removed; %s version %llu\n",
                     cli_has(c, "--dry-run") ? "would be: " : "", s->added, s->changed, s->removed,
                     cli_has(c, "--dry-run") ? "nothing was changed, this would be"
                                             : "the ACL is at",
                     (unsigned long long)s->version);
    if (s->kept > 0)
        (void)printf("%zu made on the command line and kept; --prune removes what no file says\n",
                     s->kept);
}

static int run_apply(cli_call *c)
{
    cli_apply_check check = { .call = c };
    gh_store *st = NULL;
    gh_acl files = { 0 };
    gh_store_summary summary;
    gh_err err = { 0 };
    uint32_t flags = (cli_has(c, "--prune") ? GH_STORE_PRUNE : 0u) |
                     (cli_has(c, "--dry-run") ? GH_STORE_DRY_RUN : 0u) |
                     (cli_has(c, "--json") ? GH_STORE_CONTENT : 0u);
    gh_store_author author = cli_author(c);
    int code =
        cli_read_policy(c, &files); /* before the ACL is made: a typo leaves no file behind */

    if (code == GH_CLI_DONE)
        code = cli_check_expressions(c, &files);
    if (code == GH_CLI_DONE && cli_value(c, "--config") != NULL)
        code = cli_read_config(c); /* its warehouses, also where --acl names another ACL */
    if (code == GH_CLI_DONE)
        code = cli_open_acl(c, GH_STORE_CREATE, &st);
    if (code != GH_CLI_DONE)
        return code;
    gh_store_summary_init(&summary);
    check.files = &files;
    gh_log_set_level(GH_ERROR); /* what a mask lacks is said as an error */
    gh_rc rc = gh_store_apply_looked_at(
        st, &files, flags, &author, c->has_config ? cli_apply_look : NULL, &check, &summary, &err);
    if (rc == GH_OK)
        print_summary(c, &summary);
    else
        code = cli_fail_policy(&files, &err);
    gh_store_summary_fini(&summary);
    gh_store_close(st);
    return code;
}

static const cli_option s_apply_options[] = {
    { "--dry-run", NULL, "say what would change, change nothing" },
    { "--prune", NULL, "remove, or take over, what was made on the command line" },
};

const cli_verb cli_policy_apply = {
    .group = "policy",
    .name = "apply",
    .args = "FILE-OR-DIR...",
    .summary = "Make the ACL say what policy files say",
    .help =
        "All files, and all .yaml and .yml files of the folders, merge into one policy. In one\n"
        "transaction, things that policy files made are added, changed and removed; what was made "
        "on\n"
        "the command line is kept and listed. A policy that makes no sense changes nothing. A "
        "running\n"
        "proxy obeys at once. The ACL is made if it is absent. With --config, what its warehouses\n"
        "cannot take is refused: a column that no table has, a filter that does not fit, a mask "
        "that\n"
        "does not fit its column.",
    .example = "  gatehouse policy apply --acl acl.db policies/\n"
               "  gatehouse policy apply --config gatehouse.yaml --dry-run policy.yaml",
    .shared = CLI_ACL | CLI_CONFIG | CLI_AUTHOR | CLI_JSON,
    .options = s_apply_options,
    .option_count = GH_COUNT(s_apply_options),
    .args_min = 1,
    .args_max = CLI_ARGS_MAX,
    .run = run_apply,
};

/* ---- export ---------------------------------------------------------------------------------- */

static int run_export(cli_call *c)
{
    gh_acl acl = { 0 };
    gh_buf out;
    int code = cli_load_acl(c, &acl);

    if (code != GH_CLI_DONE)
        return code;
    gh_buf_init(&out, 0);
    gh_policy_write_file(&acl, &out);
    if (out.len > 0)
        (void)fwrite(out.ptr, 1, out.len, stdout);
    gh_buf_fini(&out);
    return GH_CLI_DONE;
}

const cli_verb cli_policy_export = {
    .group = "policy",
    .name = "export",
    .summary = "Write the ACL as a policy file to stdout",
    .help =
        "Everything but passwords and the key of the hash mask. Applied to an empty ACL, the file\n"
        "gives the same ACL again.",
    .example = "  gatehouse policy export --acl acl.db > policy.yaml",
    .shared = CLI_ACL | CLI_CONFIG,
    .run = run_export,
};
