/*
 * From an ACL to a policy: names become numbers, roles and users first, then masks and tags, then
 * rules. Whatever refers to something that is not there refuses the whole ACL: a policy half
 * understood grants or denies something that nobody wrote.
 */
#include "compile_priv.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <gatehouse/config.h>

/* ---- small things --------------------------------------------------------------------------- */

void pol_numbers_add(pol_numbers *n, uint32_t v)
{
    if (n->count == n->cap) {
        n->cap = n->cap == 0 ? 16 : n->cap * 2;
        n->items = gh_realloc_array(n->items, n->cap, sizeof(*n->items));
    }
    n->items[n->count++] = v;
}

static int number_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x == y ? 0 : x < y ? -1 : 1;
}

void pol_numbers_sort(pol_numbers *n)
{
    uint32_t kept = 0;

    if (n->count > 1)
        qsort(n->items, n->count, sizeof(*n->items), number_order);
    for (uint32_t i = 0; i < n->count; i++) {
        if (i == 0 || n->items[i] != n->items[i - 1])
            n->items[kept++] = n->items[i];
    }
    n->count = kept;
}

pol_place pol_place_of(const gh_acl *acl, gh_acl_place place, gh_str text)
{
    pol_place out = { "" };

    place = gh_policy_place_of(acl, place, text);
    if (place.line != 0)
        (void)snprintf(out.text, sizeof(out.text),
                       "%.*s:%u:%u: ", (int)(place.file.len > 130 ? 130 : place.file.len),
                       place.file.ptr, place.line, place.column);
    return out;
}

gh_rc pol_check_name(gh_str name, const char *what, gh_err *err)
{
    bool is_fine = name.len > 0 && name.len <= GH_POLICY_NAME_MAX && gh_utf8_is_valid(name);

    for (size_t i = 0; is_fine && i < name.len; i++)
        is_fine = (unsigned char)name.ptr[i] >= ' ' && name.ptr[i] != 0x7f;
    if (!is_fine)
        return gh_fail(err, GH_INVALID, POL_SQLSTATE,
                       "a %s needs a name: 1 to %d bytes of UTF-8 without control characters", what,
                       GH_POLICY_NAME_MAX);
    if (name.len >= 5 && memcmp(name.ptr, "user:", 5) == 0)
        return gh_fail(err, GH_INVALID, POL_SQLSTATE,
                       "%s \"" GH_STR_FMT "\": no name may begin with user:", what,
                       GH_STR_ARG(name));
    return GH_OK;
}

gh_rc pol_fail_unknown(const pol_builder *b, const pol_strings *known, gh_str name,
                       const char *what, const pol_where *where)
{
    uint32_t count = pol_strings_end(known);
    const char **words = gh_alloc(((size_t)count + 1) * sizeof(*words));
    const char *meant;
    gh_rc rc;

    for (uint32_t i = 1; i < count; i++)
        words[i - 1] = pol_strings_at(known, i).ptr; /* the table ends its strings with NUL */
    meant = gh_config_suggest(name, words, count - 1);
    rc = gh_fail(b->err, GH_INVALID, POL_SQLSTATE, "%s%s: unknown %s \"" GH_STR_FMT "\"%s%s%s",
                 pol_place_of(b->acl, where->place, name).text, where->text, what, GH_STR_ARG(name),
                 meant != NULL ? " (did you mean \"" : "", meant != NULL ? meant : "",
                 meant != NULL ? "\"?)" : "");
    free(words);
    return rc;
}

static uint32_t find_role(const gh_policy *p, gh_str name)
{
    uint32_t i = pol_strings_find(&p->role_names, name);

    return i == POL_NONE || i == 0 || p->roles[i - 1] == NULL ? POL_NONE : i - 1;
}

uint32_t pol_lookup_principal(const gh_policy *p, gh_str name)
{
    uint32_t i;

    if (name.len > 5 && memcmp(name.ptr, "user:", 5) == 0) {
        i = pol_strings_find(&p->user_names, (gh_str){ name.ptr + 5, name.len - 5 });
        return i == POL_NONE || i == 0 || p->users[i - 1] == NULL ? POL_NONE
                                                                  : pol_principal_of_user(i - 1);
    }
    i = find_role(p, name);
    return i == POL_NONE ? POL_NONE : pol_principal_of_role(i);
}

gh_rc pol_find_principal(const pol_builder *b, gh_str name, const pol_where *where, uint32_t *out)
{
    bool is_user = name.len > 5 && memcmp(name.ptr, "user:", 5) == 0;
    uint32_t principal = pol_lookup_principal(b->p, name);

    if (principal != POL_NONE) {
        *out = principal;
        return GH_OK;
    }
    if (is_user)
        return pol_fail_unknown(b, &b->p->user_names, (gh_str){ name.ptr + 5, name.len - 5 },
                                "user", where);
    return pol_fail_unknown(b, &b->p->role_names, name, "role", where);
}

/* ---- roles ---------------------------------------------------------------------------------- */

static gh_rc resolve_roles(const pol_builder *b, gh_str_list names, const char *what, gh_str owner,
                           gh_acl_place place, uint32_t **out)
{
    pol_where where = { .place = place };

    *out = gh_arena_alloc(b->p->arena, (names.count + 1) * sizeof(**out));
    (void)snprintf(where.text, sizeof(where.text), "%s \"%.*s\"", what,
                   (int)(owner.len > 200 ? 200 : owner.len), owner.ptr);
    for (size_t i = 0; i < names.count; i++) {
        uint32_t role = find_role(b->p, names.items[i]);

        if (role == POL_NONE)
            return pol_fail_unknown(b, &b->p->role_names, names.items[i], "role", &where);
        (*out)[i] = role;
    }
    return GH_OK;
}

gh_rc pol_take_role_members(const pol_builder *b, const gh_acl_role *from, pol_role *to)
{
    to->member_of_count = (uint32_t)from->member_of.count;
    return resolve_roles(b, from->member_of, "role", to->name, from->place, &to->member_of);
}

static gh_rc compile_roles(pol_builder *b)
{
    gh_policy *p = b->p;

    p->all_roles = gh_arena_alloc(p->arena, (b->acl->role_count + 1) * sizeof(*p->all_roles));
    p->roles = gh_alloc((b->acl->role_count + 1) * sizeof(*p->roles));
    for (size_t i = 0; i < b->acl->role_count; i++) {
        const gh_acl_role *role = &b->acl->roles[i];
        gh_rc rc = pol_check_name(role->name, "role", b->err);

        if (rc != GH_OK)
            return rc;
        if (pol_strings_add(&p->role_names, role->name) != i + 1)
            return gh_fail(b->err, GH_INVALID, POL_SQLSTATE,
                           "role \"" GH_STR_FMT "\" is defined twice", GH_STR_ARG(role->name));
        p->all_roles[i] =
            (pol_role){ .name = p->role_names.items[i + 1], .may = role->may, .stamp = p->version };
        p->roles[i] = &p->all_roles[i];
        p->role_count++;
    }
    for (uint32_t i = 0; i < p->role_count; i++) {
        gh_rc rc = pol_take_role_members(b, &b->acl->roles[i], &p->all_roles[i]);

        if (rc != GH_OK)
            return rc;
    }
    return GH_OK;
}

/* Names the roles on the stack from the one that was met again. */
static gh_rc fail_cycle(const pol_builder *b, const uint32_t *stack, uint32_t depth, uint32_t met)
{
    pol_place at = { "" };
    gh_buf text;
    uint32_t from = depth;
    gh_rc rc;

    if (b->p->base == NULL) { /* the roles of the policy are those of the acl, in its order */
        const gh_acl_role *role = &b->acl->roles[met];

        at = pol_place_of(b->acl, role->place, role->name);
    }
    gh_buf_init(&text, 300);
    while (from > 0 && stack[from - 1] != met)
        from--;
    for (uint32_t i = from - 1; i < depth; i++)
        gh_buf_printf(&text, GH_STR_FMT " -> ", GH_STR_ARG(b->p->roles[stack[i]]->name));
    rc = gh_fail(b->err, GH_INVALID, POL_SQLSTATE,
                 "%srole \"" GH_STR_FMT "\" is a member of itself: " GH_STR_FMT "%s" GH_STR_FMT,
                 at.text, GH_STR_ARG(b->p->roles[met]->name), GH_STR_ARG(gh_buf_str(&text)),
                 text.failed ? "... -> " : "", GH_STR_ARG(b->p->roles[met]->name));
    gh_buf_fini(&text);
    return rc;
}

/*
 * Walks every chain of memberships once, depth first, on a stack of its own. height[r] is the
 * number of roles on the longest chain that starts at r; 0 while r was not met, OPEN while it is on
 * the stack.
 */
#define OPEN POL_NONE

static gh_rc walk_roles(const pol_builder *b, uint32_t start, uint32_t *height, uint32_t *stack,
                        uint32_t *next)
{
    const gh_policy *p = b->p;
    uint32_t depth = 0;

    stack[depth++] = start;
    height[start] = OPEN;
    while (depth > 0) {
        uint32_t role = stack[depth - 1];
        const pol_role *r = p->roles[role];
        uint32_t longest = 0;

        if (next[role] < r->member_of_count) {
            uint32_t of = r->member_of[next[role]++];

            if (height[of] == OPEN)
                return fail_cycle(b, stack, depth, of);
            if (height[of] == 0) {
                height[of] = OPEN;
                stack[depth++] = of;
            }
            continue;
        }
        for (uint32_t i = 0; i < r->member_of_count; i++)
            longest = height[r->member_of[i]] > longest ? height[r->member_of[i]] : longest;
        height[role] = longest + 1;
        if (height[role] > GH_POLICY_ROLE_DEPTH_MAX)
            return gh_fail(b->err, GH_LIMIT, POL_SQLSTATE,
                           "role \"" GH_STR_FMT "\": a chain of more than %d roles in roles",
                           GH_STR_ARG(r->name), GH_POLICY_ROLE_DEPTH_MAX);
        depth--;
    }
    return GH_OK;
}

gh_rc pol_check_cycles(const pol_builder *b)
{
    size_t n = b->p->role_count;
    uint32_t *memory = gh_alloc((n * 3 + 1) * sizeof(*memory));
    gh_rc rc = GH_OK;

    for (uint32_t i = 0; i < n && rc == GH_OK; i++) {
        if (memory[i] == 0 && b->p->roles[i] != NULL)
            rc = walk_roles(b, i, memory, memory + n, memory + 2 * n);
    }
    free(memory);
    return rc;
}

/* ---- users ---------------------------------------------------------------------------------- */

static gh_str dup(const pol_builder *b, gh_str s)
{
    return gh_arena_dup(b->p->arena, s);
}

static gh_rc compile_attributes(const pol_builder *b, const gh_acl_user *from, pol_user *to)
{
    gh_acl_attribute *all = gh_arena_alloc(b->p->arena, (from->attribute_count + 1) * sizeof(*all));

    for (size_t i = 0; i < from->attribute_count; i++) {
        const gh_acl_attribute *a = &from->attributes[i];
        gh_str *values = gh_arena_alloc(b->p->arena, (a->values.count + 1) * sizeof(*values));

        if (a->name.len == 0 || a->name.len > GH_POLICY_NAME_MAX ||
            (!a->is_list && a->values.count != 1))
            return gh_fail(b->err, GH_INVALID, POL_SQLSTATE,
                           "user \"" GH_STR_FMT "\": an attribute needs a name and a value",
                           GH_STR_ARG(from->name));
        for (size_t j = 0; j < i; j++) {
            if (gh_str_eq(all[j].name, a->name))
                return gh_fail(b->err, GH_INVALID, POL_SQLSTATE,
                               "user \"" GH_STR_FMT "\": attribute \"" GH_STR_FMT
                               "\" is defined twice",
                               GH_STR_ARG(from->name), GH_STR_ARG(a->name));
        }
        for (size_t j = 0; j < a->values.count; j++)
            values[j] = dup(b, a->values.items[j]);
        all[i] = (gh_acl_attribute){ .name = dup(b, a->name),
                                     .is_list = a->is_list,
                                     .values = { values, a->values.count } };
    }
    to->attributes = all;
    to->attribute_count = from->attribute_count;
    return GH_OK;
}

gh_rc pol_take_user(const pol_builder *b, const gh_acl_user *from, gh_str name, pol_user *u)
{
    gh_rc rc;

    *u = (pol_user){ .stamp = b->p->version,
                     .pub = { .name = name,
                              .verifier = dup(b, from->verifier),
                              .is_disabled = from->is_disabled } };
    rc = resolve_roles(b, from->roles, "user", name, from->place, &u->roles);
    if (rc != GH_OK)
        return rc;
    u->role_count = (uint32_t)from->roles.count;
    return compile_attributes(b, from, u);
}

static gh_rc compile_users(pol_builder *b)
{
    gh_policy *p = b->p;

    p->all_users = gh_arena_alloc(p->arena, (b->acl->user_count + 1) * sizeof(*p->all_users));
    p->users = gh_alloc((b->acl->user_count + 1) * sizeof(*p->users));
    for (size_t i = 0; i < b->acl->user_count; i++) {
        const gh_acl_user *from = &b->acl->users[i];
        gh_rc rc = pol_check_name(from->name, "user", b->err);

        if (rc != GH_OK)
            return rc;
        if (pol_strings_add(&p->user_names, from->name) != i + 1)
            return gh_fail(b->err, GH_INVALID, POL_SQLSTATE,
                           "user \"" GH_STR_FMT "\" is defined twice", GH_STR_ARG(from->name));
        rc = pol_take_user(b, from, p->user_names.items[i + 1], &p->all_users[i]);
        if (rc != GH_OK)
            return rc;
        p->users[i] = &p->all_users[i];
        p->user_count++;
    }
    return GH_OK;
}

/* ---- masks ---------------------------------------------------------------------------------- */

/* The mask lives in the policy's arena: its texts are copied there by the parser's caller. */
void pol_add_mask(pol_builder *b, const gh_mask *m)
{
    gh_policy *p = b->p;
    gh_mask copy = *m;

    uint32_t own = p->mask_count - p->mask_first;

    if (own == b->mask_cap) {
        b->mask_cap = b->mask_cap == 0 ? 16 : b->mask_cap * 2;
        p->masks = gh_realloc_array(p->masks, b->mask_cap, sizeof(*p->masks));
    }
    copy.name = dup(b, m->name);
    copy.expr = dup(b, m->expr);
    copy.n = dup(b, m->n);
    p->masks[own] = copy;
    p->mask_count++;
}

gh_rc pol_find_mask(pol_builder *b, gh_str text, const pol_where *where, uint32_t *out)
{
    gh_str s = pol_trim(text);
    uint32_t number = pol_strings_find(&b->p->mask_texts, s);
    uint32_t def;
    gh_mask m;
    gh_err why = { 0 };
    gh_rc rc;

    if (number != POL_NONE && number != 0) {
        *out = number - 1;
        return GH_OK;
    }
    def = pol_strings_find(&b->mask_names, s);
    if (def != POL_NONE && def != 0)
        rc = gh_mask_parse(s, &b->acl->masks[def - 1], 1, b->scratch, &m, &why);
    else
        rc = gh_mask_parse(s, NULL, 0, b->scratch, &m, &why);
    if (rc != GH_OK) { /* once more, with every name that could have been meant */
        why = (gh_err){ 0 };
        rc = gh_mask_parse(s, b->acl->masks, b->acl->mask_count, b->scratch, &m, &why);
        return gh_fail(b->err, rc, POL_SQLSTATE, "%s%s: %s",
                       pol_place_of(b->acl, where->place, text).text, where->text, why.public_msg);
    }
    pol_add_mask(b, &m);
    *out = pol_strings_add(&b->p->mask_texts, s) - 1;
    return GH_OK;
}

gh_rc pol_compile_mask_defs(pol_builder *b)
{
    for (size_t i = 0; i < b->acl->mask_count; i++) {
        const gh_acl_mask_def *def = &b->acl->masks[i];
        gh_mask m;
        gh_err why = { 0 };
        gh_rc rc = pol_check_name(def->name, "mask", b->err);

        if (rc != GH_OK)
            return rc;
        if (pol_strings_add(&b->mask_names, def->name) != i + 1)
            return gh_fail(b->err, GH_INVALID, POL_SQLSTATE,
                           "mask \"" GH_STR_FMT "\" is defined twice", GH_STR_ARG(def->name));
        rc = gh_mask_parse(def->name, NULL, 0, b->scratch, &m, &why);
        if (rc == GH_OK && (m.kind != GH_MASK_EXPR || gh_str_is(def->name, "value")))
            return gh_fail(b->err, GH_INVALID, POL_SQLSTATE,
                           "%smask \"" GH_STR_FMT "\": the name is a built-in one",
                           pol_place_of(b->acl, def->place, def->name).text, GH_STR_ARG(def->name));
        why = (gh_err){ 0 };
        rc = gh_mask_parse(def->expr, NULL, 0, b->scratch, &m, &why);
        if (rc != GH_OK)
            return gh_fail(b->err, rc, POL_SQLSTATE, "%smask \"" GH_STR_FMT "\": %s",
                           pol_place_of(b->acl, def->place, def->expr).text, GH_STR_ARG(def->name),
                           why.public_msg);
    }
    return GH_OK;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static gh_policy *new_policy(const gh_acl *acl)
{
    gh_policy *p = gh_alloc(sizeof(*p));

    p->refs = 1;
    p->arena = gh_arena_new(0);
    p->version = acl->version;
    p->hash_key = gh_arena_dup(p->arena, acl->hash_key);
    pol_strings_init(&p->strings, p->arena);
    pol_strings_init(&p->role_names, p->arena);
    pol_strings_init(&p->user_names, p->arena);
    pol_lists_init(&p->lists);
    pol_strings_init(&p->mask_texts, p->arena);
    pol_strings_init(&p->tag_names, p->arena);
    pol_relations_init(&p->exact);
    return p;
}

void pol_tags_release(pol_tags *t)
{
    if (t == NULL || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(t->columns);
    free(t->maskings);
    pol_relations_fini(&t->exact);
    gh_arena_free(t->arena);
    free(t);
}

void pol_functions_release(pol_functions *f)
{
    if (f == NULL || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(f->items);
    free(f);
}

static void free_policy(gh_policy *p)
{
    gh_cleanse((void *)(uintptr_t)p->hash_key.ptr, p->hash_key.len);
    pol_strings_fini(&p->strings);
    pol_strings_fini(&p->role_names);
    pol_strings_fini(&p->user_names);
    pol_lists_fini(&p->lists);
    pol_strings_fini(&p->mask_texts);
    pol_strings_fini(&p->tag_names);
    pol_relations_fini(&p->exact);
    free(p->roles);
    free(p->users);
    free(p->patterns);
    free(p->rules);
    free(p->held);
    free(p->all_held);
    free(p->all_entries);
    free(p->all_boundaries);
    free(p->masks);
    pol_tags_release(p->tags);
    pol_functions_release(p->functions);
    gh_arena_free(p->arena);
    gh_policy_release(p->base);
    free(p);
}

void pol_builder_init(pol_builder *b, gh_policy *p, const gh_acl *acl, gh_err *err)
{
    *b = (pol_builder){ .acl = acl, .err = err };
    b->p = p;
    b->pattern_start = p->pattern_count;
    b->pattern_cap = p->pattern_count - p->pattern_first;
    b->scratch = gh_arena_new(0);
    pol_strings_init(&b->pattern_texts, b->scratch);
    pol_strings_init(&b->mask_names, b->scratch);
}

void pol_builder_fini(pol_builder *b)
{
    pol_strings_fini(&b->pattern_texts);
    pol_strings_fini(&b->mask_names);
    free(b->triples);
    free(b->boundaries);
    free(b->principals.items);
    free(b->patterns.items);
    free(b->columns.items);
    free(b->pairs.items);
    gh_arena_free(b->scratch);
    gh_policy_release(b->p);
}

gh_rc pol_compile(const gh_acl *acl, bool checks_masks, gh_policy **out, gh_err *err)
{
    static gh_rc (*const steps[])(pol_builder *) = { compile_roles,         compile_users,
                                                     pol_compile_mask_defs, pol_compile_tags,
                                                     pol_compile_rules,     pol_compile_functions };
    pol_builder b;
    gh_rc rc;

    pol_builder_init(&b, new_policy(acl), acl, err);
    for (size_t i = 0; i < GH_COUNT(steps); i++) {
        rc = steps[i](&b);
        if (rc != GH_OK)
            goto done;
        if (i == 0)
            rc = pol_check_cycles(&b);
        if (rc != GH_OK)
            goto done;
    }
    if (checks_masks)
        rc = pol_check_masks(b.p, acl, err);
    if (rc != GH_OK)
        goto done;
    *out = b.p;
    b.p = NULL;

done:
    pol_builder_fini(&b);
    return rc;
}

gh_rc gh_policy_compile(const gh_acl *acl, gh_policy **out, gh_err *err)
{
    return pol_compile(acl, true, out, err);
}

gh_policy *gh_policy_acquire(gh_policy *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void gh_policy_release(gh_policy *p)
{
    if (p != NULL && atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
        free_policy(p);
}

uint64_t gh_policy_version(const gh_policy *p)
{
    return p->version;
}

const pol_user *pol_user_find(const gh_policy *p, gh_str name)
{
    uint32_t i = pol_strings_find(&p->user_names, name);

    return i == POL_NONE || i == 0 ? NULL : p->users[i - 1];
}

const gh_policy_user *gh_policy_user_find(const gh_policy *p, gh_str name)
{
    const pol_user *u = pol_user_find(p, name);

    return u == NULL ? NULL : &u->pub;
}
