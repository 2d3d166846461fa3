/*
 * The policy by itself: who and what it names without use, and expressions that are none.
 */
#include "lint.h"

#include <stdlib.h>

/* ---- who ------------------------------------------------------------------------------------- */

/* Calls `mark` for every list of principals that the acl holds. */
static void each_to(const gh_acl *acl, void (*mark)(void *arg, gh_str_list to), void *arg)
{
    for (size_t i = 0; i < acl->rule_count; i++)
        mark(arg, acl->rules[i].to);
    for (size_t i = 0; i < acl->masking_count; i++)
        mark(arg, acl->masking[i].except);
    for (size_t i = 0; i < acl->function_count; i++)
        mark(arg, acl->functions[i].to);
}

typedef struct named {
    const lint *l;
    bool *roles;
    bool *users;
} named;

static void mark_named(void *arg, gh_str_list to)
{
    named *n = arg;

    for (size_t i = 0; i < to.count; i++) {
        size_t role = cli_people_role(&n->l->people, to.items[i]);
        size_t user = cli_people_principal_user(&n->l->people, to.items[i]);
        if (role != SIZE_MAX)
            n->roles[role] = true;
        if (user != SIZE_MAX)
            n->users[user] = true;
    }
}

static void check_people(lint *l)
{
    const gh_acl *acl = l->acl;
    bool *has_members = gh_alloc(acl->role_count + 1);
    named n = { l, gh_alloc(acl->role_count + 1), gh_alloc(acl->user_count + 1) };

    each_to(acl, mark_named, &n);
    for (size_t i = 0; i < acl->user_count; i++) {
        const gh_acl_user *u = &acl->users[i];
        (void)cli_people_hold(&l->people, u->roles, has_members);
        if (u->roles.count == 0 && !n.users[i])
            lint_warning(l, "user-without-grants", lint_at_user(u),
                         "user " GH_STR_FMT " has no role and no grant: nothing exists for them",
                         GH_STR_ARG(u->name));
    }
    for (size_t i = 0; i < acl->role_count; i++) {
        const gh_acl_role *r = &acl->roles[i];
        if (!has_members[i])
            lint_warning(l, "role-without-members", lint_at_role(r),
                         "role " GH_STR_FMT " has no members", GH_STR_ARG(r->name));
        if (!n.roles[i] && r->may == 0 && r->member_of.count == 0)
            lint_warning(l, "role-without-grants", lint_at_role(r),
                         "role " GH_STR_FMT " gives nothing and takes nothing away",
                         GH_STR_ARG(r->name));
    }
    free(has_members);
    free(n.roles);
    free(n.users);
}

/* ---- attributes ------------------------------------------------------------------------------ */

/* A rule of a role or user reads an attribute. */
typedef struct need {
    gh_str attribute;
    const gh_acl_rule *rule;
    size_t role; /* SIZE_MAX: of a user */
    size_t user;
} need;

typedef struct needs {
    need *list;
    size_t count;
    size_t cap;
} needs;

/* The next 'x' of attr('x') in the text; moves it on. */
static bool next_attribute(gh_str *text, gh_str *out)
{
    static const char word[] = "attr";
    const size_t len = sizeof(word) - 1;

    while (text->len > len) {
        const char *hit = memmem(text->ptr, text->len, word, len);
        if (hit == NULL)
            return false;
        size_t left = text->len - (size_t)(hit - text->ptr) - len;
        const char *at = hit + len;
        *text = (gh_str){ at, left };
        while (left > 0 && (*at == ' ' || *at == '(')) {
            at++;
            left--;
        }
        if (left < 2 || *at != '\'')
            continue;
        const char *end = memchr(at + 1, '\'', left - 1);
        if (end == NULL)
            continue;
        *out = (gh_str){ at + 1, (size_t)(end - at - 1) };
        return true;
    }
    return false;
}

static void add_need(needs *n, need x)
{
    for (size_t i = 0; i < n->count; i++)
        if (n->list[i].role == x.role && n->list[i].user == x.user &&
            gh_str_eq(n->list[i].attribute, x.attribute))
            return;
    if (n->count == n->cap) {
        n->cap = n->cap == 0 ? 32 : n->cap * 2;
        n->list = gh_realloc_array(n->list, n->cap, sizeof(*n->list));
    }
    n->list[n->count++] = x;
}

static bool has_attribute(const gh_acl_user *u, gh_str name)
{
    for (size_t i = 0; i < u->attribute_count; i++)
        if (gh_str_eq(u->attributes[i].name, name))
            return true;
    return false;
}

static void check_user_attributes(lint *l, const needs *n, size_t user, bool *is_held)
{
    const gh_acl_user *u = &l->acl->users[user];

    memset(is_held, 0, l->acl->role_count + 1);
    (void)cli_people_hold(&l->people, u->roles, is_held);
    for (size_t i = 0; i < n->count; i++) {
        const need *x = &n->list[i];
        bool is_concerned = x->role != SIZE_MAX ? is_held[x->role] : x->user == user;
        bool is_told = false;
        for (size_t j = 0; j < i && is_concerned && !is_told; j++)
            is_told =
                gh_str_eq(n->list[j].attribute, x->attribute) &&
                (n->list[j].role != SIZE_MAX ? is_held[n->list[j].role] : n->list[j].user == user);
        if (!is_concerned || is_told || has_attribute(u, x->attribute))
            continue;
        gh_str where =
            cli_place(l->arena, x->rule->place, x->rule->is_deny ? "deny" : "grant", x->rule->id);
        lint_warning(l, "missing-attribute", lint_at_user(u),
                     "user " GH_STR_FMT " has no attribute " GH_STR_FMT
                     ", which the row filter at " GH_STR_FMT " reads: it is NULL",
                     GH_STR_ARG(u->name), GH_STR_ARG(x->attribute), GH_STR_ARG(where));
    }
}

static void check_attributes(lint *l)
{
    needs n = { 0 };
    bool *is_held = gh_alloc(l->acl->role_count + 1);

    for (size_t i = 0; i < l->acl->rule_count; i++) {
        const gh_acl_rule *r = &l->acl->rules[i];
        gh_str text = r->rows;
        gh_str attribute;
        while (next_attribute(&text, &attribute))
            for (size_t j = 0; j < r->to.count; j++)
                add_need(&n, (need){ attribute, r, cli_people_role(&l->people, r->to.items[j]),
                                     cli_people_principal_user(&l->people, r->to.items[j]) });
    }
    for (size_t i = 0; i < l->acl->user_count && n.count > 0; i++)
        check_user_attributes(l, &n, i, is_held);
    free(n.list);
    free(is_held);
}

/* ---- names without use ----------------------------------------------------------------------- */

static bool mask_is_used(const gh_acl *acl, gh_str name)
{
    for (size_t i = 0; i < acl->rule_count; i++)
        for (size_t j = 0; j < acl->rules[i].mask_count; j++)
            if (gh_str_eq(acl->rules[i].masks[j].mask, name))
                return true;
    for (size_t i = 0; i < acl->masking_count; i++)
        if (gh_str_eq(acl->masking[i].mask, name))
            return true;
    return false;
}

static bool tag_is_used(const gh_acl *acl, gh_str name)
{
    for (size_t i = 0; i < acl->rule_count; i++)
        for (size_t j = 0; j < acl->rules[i].tags.count; j++)
            if (gh_str_eq(acl->rules[i].tags.items[j], name))
                return true;
    for (size_t i = 0; i < acl->masking_count; i++)
        if (gh_str_eq(acl->masking[i].tag, name))
            return true;
    return false;
}

static void check_unused(lint *l)
{
    const gh_acl *acl = l->acl;

    for (size_t i = 0; i < acl->mask_count; i++) {
        const gh_acl_mask_def *m = &acl->masks[i];
        if (!mask_is_used(acl, m->name))
            lint_warning(l, "unused-mask", (lint_place){ m->place, "mask", 0, m->name },
                         "mask " GH_STR_FMT " is not used", GH_STR_ARG(m->name));
    }
    for (size_t i = 0; i < acl->tag_count; i++) {
        const gh_acl_tag *t = &acl->tags[i];
        if (!tag_is_used(acl, t->name))
            lint_warning(l, "unused-tag", lint_at_tag(t),
                         "tag " GH_STR_FMT " is on columns, but nothing masks or denies by it",
                         GH_STR_ARG(t->name));
        if (t->columns.count == 0)
            lint_warning(l, "empty-tag", lint_at_tag(t), "tag " GH_STR_FMT " is on no column",
                         GH_STR_ARG(t->name));
    }
}

/* ---- expressions ----------------------------------------------------------------------------- */

static void check_mask_text(lint *l, lint_place at, gh_str mask)
{
    gh_mask m;
    gh_err err = { 0 };
    gh_rc rc = gh_mask_parse(mask, l->acl->masks, l->acl->mask_count, l->arena, &m, &err);

    if (rc == GH_OK && m.kind == GH_MASK_EXPR)
        rc = cli_check_expression(l->call, m.expr, &err);
    if (rc != GH_OK)
        lint_error(l, "bad-mask", lint_at_text(l, at, mask), "mask " GH_STR_FMT ": %s",
                   GH_STR_ARG(mask), err.public_msg);
}

static void check_masks_of(lint *l, const gh_acl_rule *r)
{
    for (size_t i = 0; i < r->mask_count; i++) {
        bool is_named = false;
        for (size_t j = 0; j < l->acl->mask_count && !is_named; j++)
            is_named = gh_str_eq(l->acl->masks[j].name, r->masks[i].mask);
        if (!is_named)
            check_mask_text(l, lint_at_rule(r), r->masks[i].mask);
    }
}

static void check_expressions(lint *l)
{
    const gh_acl *acl = l->acl;

    for (size_t i = 0; i < acl->mask_count; i++) {
        const gh_acl_mask_def *m = &acl->masks[i];
        gh_err err = { 0 };
        if (cli_check_expression(l->call, m->expr, &err) != GH_OK)
            lint_error(l, "bad-mask",
                       lint_at_text(l, (lint_place){ m->place, "mask", 0, m->name }, m->expr),
                       "mask " GH_STR_FMT ": %s", GH_STR_ARG(m->name), err.public_msg);
    }
    for (size_t i = 0; i < acl->rule_count; i++) {
        const gh_acl_rule *r = &acl->rules[i];
        gh_err err = { 0 };
        if (r->rows.len > 0 && cli_check_expression(l->call, r->rows, &err) != GH_OK)
            lint_error(l, "bad-filter", lint_at_text(l, lint_at_rule(r), r->rows), "rows: %s",
                       err.public_msg);
        check_masks_of(l, r);
    }
}

static void check_dates(lint *l)
{
    int64_t now = cli_now_us();

    for (size_t i = 0; i < l->acl->rule_count; i++) {
        const gh_acl_rule *r = &l->acl->rules[i];
        if (r->valid_until <= now)
            lint_warning(l, "expired", lint_at_rule(r), "the %s ended at " GH_STR_FMT,
                         r->is_deny ? "deny" : "grant",
                         GH_STR_ARG(cli_time_text(l->arena, r->valid_until)));
    }
}

void lint_acl(lint *l)
{
    check_people(l);
    check_attributes(l);
    check_unused(l);
    check_expressions(l);
    check_dates(l);
}
