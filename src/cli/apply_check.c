/*
 * What `policy apply` refuses beyond what does not compile: expressions that do not parse, and what the
 * config file's warehouses cannot take.
 */
#include "apply_check.h"

#include <stdlib.h>

#include "lint.h"

/* ---- expressions -------------------------------------------------------------------------------- */

static bool is_bad_expression(cli_call *c, const gh_acl *acl, gh_acl_place at, const char *what,
                              gh_str expr)
{
    gh_err err = { 0 };

    at = gh_policy_place_of(acl, at, expr);

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
           mask.kind == GH_MASK_EXPR && is_bad_expression(c, acl, at, "mask", mask.expr);
}

/*
 * SECURITY: `true) OR (true` reads differently inside a statement than by itself, so what is not one
 * whole expression does not get into the ACL (the rewriter would refuse it at every statement).
 * Attack: test_unknown_names_and_broken_filters in tests/attack/policy_life.py.
 */
int cli_check_expressions(cli_call *c, const gh_acl *acl)
{
    size_t faults = 0;

    for (size_t i = 0; i < acl->mask_count; i++)
        faults += is_bad_expression(c, acl, acl->masks[i].place, "mask", acl->masks[i].expr);
    for (size_t i = 0; i < acl->masking_count; i++)
        faults += is_bad_mask(c, acl, acl->masking[i].place, acl->masking[i].mask);
    for (size_t i = 0; i < acl->rule_count; i++) {
        const gh_acl_rule *r = &acl->rules[i];
        if (r->rows.len > 0)
            faults += is_bad_expression(c, acl, r->place, "rows", r->rows);
        for (size_t j = 0; j < r->mask_count; j++)
            faults += is_bad_mask(c, acl, r->place, r->masks[j].mask);
    }
    return faults == 0 ? GH_CLI_DONE : GH_CLI_FAILED;
}

/* ---- masks against the warehouses --------------------------------------------------------------- */

typedef struct refusal {
    gh_arena *arena;
    gh_err *err;
    gh_rc rc;
} refusal;

static bool refuse_mask(void *arg, const cli_fault *f)
{
    refusal *k = arg;
    gh_str where = cli_place(k->arena, f->place, f->kind, f->id);

    k->rc = gh_fail(k->err, GH_INVALID, "42804",
                    GH_STR_FMT ": mask " GH_STR_FMT " of " GH_STR_FMT "." GH_STR_FMT "." GH_STR_FMT
                               ": %s",
                    GH_STR_ARG(where), GH_STR_ARG(f->mask), GH_STR_ARG(f->relation->schema),
                    GH_STR_ARG(f->relation->name), GH_STR_ARG(f->column->name), f->err->public_msg);
    return false;
}

/* The ACL as it would be, but of its rules and tags those that the files say, with their places. */
static gh_acl said_of(const cli_apply_check *k, const gh_acl *after)
{
    gh_acl said = *after;

    said.rules = k->files->rules;
    said.rule_count = k->files->rule_count;
    said.tags = k->files->tags;
    said.tag_count = k->files->tag_count;
    said.masking = k->files->masking;
    said.masking_count = k->files->masking_count;
    said.trees = k->files->trees;
    said.tree_count = k->files->tree_count;
    return said;
}

/* What the files say first, since they have lines; then all the ACL would hold. */
static gh_rc check_masks(const cli_apply_check *k, const gh_acl *after, cli_live *live, gh_err *err)
{
    refusal refused = { k->call->arena, err, GH_OK };
    gh_acl said = said_of(k, after);
    const gh_acl *both[] = { &said, after };

    for (size_t i = 0; i < GH_COUNT(both) && refused.rc == GH_OK; i++) {
        cli_fit fit;
        gh_rc rc = cli_fit_init(&fit, k->call, both[i], live, err);
        if (rc == GH_OK)
            rc = cli_fit_masks(&fit, refuse_mask, &refused, err);
        cli_fit_fini(&fit);
        if (rc != GH_OK)
            return rc;
    }
    return refused.rc;
}

/* ---- names and filters -------------------------------------------------------------------------- */

/*
 * What the files say of columns and in filters must be there: a column that a deny or a tag misspells shows.
 * A table may come later.
 */
static gh_rc check_names(const cli_apply_check *k, const gh_acl *after, cli_live *lives,
                         size_t count, gh_err *err)
{
    gh_acl said = said_of(k, after);
    lint l = { .call = k->call, .arena = k->call->arena, .acl = &said, .lives = lives };
    const lint_finding *last = NULL;

    l.live_count = count;
    gh_rc rc = lint_names(&l, err);
    for (size_t i = 0; i < l.count && rc == GH_OK; i++) {
        const lint_finding *f = &l.findings[i];
        bool is_refused = f->is_error && strcmp(f->check, "no-such-table") != 0;
        if (!is_refused && !k->is_quiet)
            (void)fprintf(stderr, GH_STR_FMT ": warning: " GH_STR_FMT "\n", GH_STR_ARG(f->where),
                          GH_STR_ARG(f->text));
        else if (is_refused && last != NULL)
            (void)fprintf(stderr, GH_STR_FMT ": " GH_STR_FMT "\n", GH_STR_ARG(last->where),
                          GH_STR_ARG(last->text));
        last = is_refused ? f : last;
    }
    if (last != NULL)
        rc = gh_fail(err, GH_INVALID, "42703", GH_STR_FMT ": " GH_STR_FMT, GH_STR_ARG(last->where),
                     GH_STR_ARG(last->text));
    free(l.findings);
    return rc;
}

gh_rc cli_apply_look(void *arg, const gh_acl *after, gh_err *err)
{
    const cli_apply_check *k = arg;
    const gh_config *config = &k->call->config;
    cli_live *lives = gh_alloc((config->warehouse_count + 1) * sizeof(*lives));
    size_t count = 0;
    gh_rc rc = GH_OK;

    for (size_t i = 0; i < config->warehouse_count; i++) {
        gh_err said = { 0 };
        if (cli_live_open(k->call, &config->warehouses[i], after->hash_key, &lives[count], &said) ==
            GH_OK)
            count++;
        else if (!k->is_quiet)
            (void)fprintf(stderr,
                          "warehouse " GH_STR_FMT
                          ": masks and names are not held against it: %s (%s)\n",
                          GH_STR_ARG(config->warehouses[i].name), said.public_msg, said.detail);
    }
    if (count == config->warehouse_count) /* otherwise a name may be that one's */
        rc = check_names(k, after, lives, count, err);
    for (size_t i = 0; i < count && rc == GH_OK; i++)
        rc = check_masks(k, after, &lives[i], err);
    for (size_t i = 0; i < count; i++)
        cli_live_close(&lives[i]);
    free(lives);
    return rc;
}
