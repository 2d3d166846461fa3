/*
 * policy apply, policy export.
 */
#include "policy_code.h"

/* ---- apply
 * -----------------------------------------------------------------------------------------------
 */

static void print_summary(const cli_call *c, const gh_store_summary *s)
{
    cli_print_lines(gh_buf_str(&s->lines));
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

static bool is_bad_expression(cli_call *c, gh_acl_place at, const char *what, gh_str expr)
{
    gh_err err = { 0 };

    if (cli_check_expression(c, expr, &err) == GH_OK)
        return false;
    gh_str place = cli_place(c->arena, at, what, 0);
    (void)fprintf(stderr, GH_STR_FMT ": %s: %s: " GH_STR_FMT "\n", GH_STR_ARG(place), what,
                  err.public_msg, GH_STR_ARG(expr));
    return true;
}

static bool is_bad_mask(cli_call *c, const gh_acl *acl, gh_acl_place at, gh_str text)
{
    gh_mask mask;

    for (size_t i = 0; i < acl->mask_count; i++)
        if (gh_str_eq(acl->masks[i].name, text))
            return false; /* looked at where it is defined */
    /* What is no mask at all is for the policy's own check to tell. */
    return gh_mask_parse(text, NULL, 0, c->arena, &mask, NULL) == GH_OK &&
           mask.kind == GH_MASK_EXPR && is_bad_expression(c, at, "mask", mask.expr);
}

/*
 * SECURITY: `true) OR (true` reads differently inside a statement than by itself, so what is not one
 * whole expression does not get into the ACL (the rewriter would refuse it at every statement).
 * Attack: test_unknown_names_and_broken_filters in tests/attack/policy_life.py.
 */
static int check_expressions(cli_call *c, const gh_acl *acl)
{
    size_t faults = 0;

    for (size_t i = 0; i < acl->mask_count; i++)
        faults += is_bad_expression(c, acl->masks[i].place, "mask", acl->masks[i].expr);
    for (size_t i = 0; i < acl->masking_count; i++)
        faults += is_bad_mask(c, acl, acl->masking[i].place, acl->masking[i].mask);
    for (size_t i = 0; i < acl->rule_count; i++) {
        const gh_acl_rule *r = &acl->rules[i];
        if (r->rows.len > 0)
            faults += is_bad_expression(c, r->place, "rows", r->rows);
        for (size_t j = 0; j < r->mask_count; j++)
            faults += is_bad_mask(c, acl, r->place, r->masks[j].mask);
    }
    return faults == 0 ? GH_CLI_DONE : GH_CLI_FAILED;
}

/* ---- masks against the warehouses --------------------------------------------------------------- */

typedef struct apply_check {
    cli_call *c;
    const gh_acl *files; /* with the places of what they say */
    gh_err *err;
    gh_rc rc;
} apply_check;

static bool refuse_mask(void *arg, const cli_fault *f)
{
    apply_check *k = arg;
    gh_str where = cli_place(k->c->arena, f->place, f->kind, f->id);

    k->rc = gh_fail(k->err, GH_INVALID, "42804",
                    GH_STR_FMT ": mask " GH_STR_FMT " of " GH_STR_FMT "." GH_STR_FMT "." GH_STR_FMT
                               ": %s",
                    GH_STR_ARG(where), GH_STR_ARG(f->mask), GH_STR_ARG(f->relation->schema),
                    GH_STR_ARG(f->relation->name), GH_STR_ARG(f->column->name), f->err->public_msg);
    return false;
}

/* What the files say first, since they have lines; then all the ACL would hold. */
static gh_rc check_masks(apply_check *k, const gh_acl *after, cli_live *live, gh_err *err)
{
    gh_acl said = *after;
    const gh_acl *both[] = { &said, after };

    said.rules = k->files->rules;
    said.rule_count = k->files->rule_count;
    said.masking = k->files->masking;
    said.masking_count = k->files->masking_count;
    k->err = err;
    k->rc = GH_OK;
    for (size_t i = 0; i < GH_COUNT(both) && k->rc == GH_OK; i++) {
        cli_fit fit;
        gh_rc rc = cli_fit_init(&fit, k->c, both[i], live, err);
        if (rc == GH_OK)
            rc = cli_fit_masks(&fit, refuse_mask, k, err);
        cli_fit_fini(&fit);
        if (rc != GH_OK)
            return rc;
    }
    return k->rc;
}

static gh_rc look(void *arg, const gh_acl *after, gh_err *err)
{
    apply_check *k = arg;
    const gh_config *config = &k->c->config;
    gh_rc rc = GH_OK;

    for (size_t i = 0; i < config->warehouse_count && rc == GH_OK; i++) {
        cli_live live;
        gh_err said = { 0 };
        if (cli_live_open(k->c, &config->warehouses[i], after->hash_key, &live, &said) != GH_OK) {
            (void)fprintf(stderr,
                          "warehouse " GH_STR_FMT ": masks are not held against it: %s (%s)\n",
                          GH_STR_ARG(config->warehouses[i].name), said.public_msg, said.detail);
            continue;
        }
        rc = check_masks(k, after, &live, err);
        cli_live_close(&live);
    }
    return rc;
}

static int run_apply(cli_call *c)
{
    apply_check check = { .c = c };
    gh_store *st = NULL;
    gh_acl files = { 0 };
    gh_store_summary summary;
    gh_err err = { 0 };
    uint32_t flags = (cli_has(c, "--prune") ? GH_STORE_PRUNE : 0u) |
                     (cli_has(c, "--dry-run") ? GH_STORE_DRY_RUN : 0u);
    gh_store_author author = cli_author(c);
    int code =
        cli_read_policy(c, &files); /* before the ACL is made: a typo leaves no file behind */

    if (code == GH_CLI_DONE)
        code = check_expressions(c, &files);
    if (code == GH_CLI_DONE && cli_value(c, "--config") != NULL)
        code = cli_read_config(c); /* its warehouses, also where --acl names another ACL */
    if (code == GH_CLI_DONE)
        code = cli_open_acl(c, GH_STORE_CREATE, &st);
    if (code != GH_CLI_DONE)
        return code;
    gh_store_summary_init(&summary);
    check.files = &files;
    gh_log_set_level(GH_ERROR); /* what a mask lacks is said as an error */
    gh_rc rc = gh_store_apply_looked_at(st, &files, flags, &author, c->has_config ? look : NULL,
                                        &check, &summary, &err);
    if (rc == GH_OK)
        print_summary(c, &summary);
    else
        code = cli_fail_err(&err);
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
        "proxy obeys at once. The ACL is made if it is absent. With --config, a mask that does "
        "not\n"
        "fit its column in a warehouse that can be reached is refused.",
    .example = "  gatehouse policy apply --acl acl.db policies/\n"
               "  gatehouse policy apply --config gatehouse.yaml --dry-run policy.yaml",
    .shared = CLI_ACL | CLI_CONFIG | CLI_AUTHOR,
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
