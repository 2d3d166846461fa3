#include "effect.h"

#include <stdlib.h>

#include <gatehouse/rewrite.h>

/* ---- users that see the same ----------------------------------------------------------------- */

typedef struct person {
    gh_str name;
    gh_str signature;
    const gh_acl_attribute *changed;
    size_t changed_count;
} person;

typedef struct work {
    cli_call *call;
    const effect_side *sides[2]; /* before, after */
    cli_people people[2];
    bool *has_own[2]; /* by user of a side: a rule or function names the user */
    const cli_live *live;
    person *persons;
    size_t person_count;
    effect *found;
    gh_str *keys; /* parallel to found: equal keys are one effect */
    size_t found_count;
    size_t found_cap;
} work;

static void mark_own(work *w, int side, gh_str_list to)
{
    for (size_t i = 0; i < to.count; i++) {
        size_t user = cli_people_principal_user(&w->people[side], to.items[i]);
        if (user != SIZE_MAX)
            w->has_own[side][user] = true;
    }
}

static void find_own(work *w, int side)
{
    const gh_acl *acl = w->sides[side]->acl;

    w->has_own[side] = gh_alloc(acl->user_count + 1);
    for (size_t i = 0; i < acl->rule_count; i++)
        mark_own(w, side, acl->rules[i].to);
    for (size_t i = 0; i < acl->masking_count; i++)
        mark_own(w, side, acl->masking[i].except);
}

static const gh_acl_user *user_of(const work *w, int side, gh_str name)
{
    size_t i = cli_people_user(&w->people[side], name);

    return i == SIZE_MAX ? NULL : &w->sides[side]->acl->users[i];
}

static const gh_acl_attribute *attribute_of(const gh_acl_user *u, gh_str name)
{
    for (size_t i = 0; u != NULL && i < u->attribute_count; i++)
        if (gh_str_eq(u->attributes[i].name, name))
            return &u->attributes[i];
    return NULL;
}

static bool same_attribute(const gh_acl_attribute *x, const gh_acl_attribute *y)
{
    if (x == NULL || y == NULL)
        return x == y;
    if (x->is_list != y->is_list || x->values.count != y->values.count)
        return false;
    for (size_t i = 0; i < x->values.count; i++)
        if (!gh_str_eq(x->values.items[i], y->values.items[i]))
            return false;
    return true;
}

/* Only of users who are there on both sides: for others everything changes. */
static void find_changed(work *w, person *p)
{
    const gh_acl_user *b = user_of(w, 0, p->name);
    const gh_acl_user *d = user_of(w, 1, p->name);

    if (b == NULL || d == NULL)
        return;
    gh_acl_attribute *out = gh_arena_alloc(
        w->call->arena, (b->attribute_count + d->attribute_count + 1) * sizeof(*out));
    GH_ASSERT(out != NULL);
    for (size_t i = 0; i < b->attribute_count; i++)
        if (!same_attribute(&b->attributes[i], attribute_of(d, b->attributes[i].name)))
            out[p->changed_count++] = b->attributes[i];
    for (size_t i = 0; i < d->attribute_count; i++)
        if (attribute_of(b, d->attributes[i].name) == NULL)
            out[p->changed_count++] = d->attributes[i];
    p->changed = out;
}

/* Users of one signature get the same decisions on both sides. */
static void sign(work *w, person *p)
{
    gh_buf b;
    bool is_alone = p->changed_count > 0;

    gh_buf_init(&b, 0);
    for (int side = 0; side < 2; side++) {
        size_t i = cli_people_user(&w->people[side], p->name);
        const gh_acl_user *u = user_of(w, side, p->name);
        gh_view *v =
            gh_view_new(w->sides[side]->policy, w->live->warehouse->name, p->name, cli_now_us());
        gh_str_list roles = gh_view_roles(v);
        gh_buf_puts(&b, u == NULL ? "-" : u->is_disabled ? "x" : "+");
        for (size_t j = 0; j < roles.count; j++) {
            gh_buf_put_str(&b, roles.items[j]);
            gh_buf_put(&b, "", 1);
        }
        gh_buf_put(&b, "", 1);
        gh_view_release(v);
        is_alone |= i != SIZE_MAX && w->has_own[side][i];
    }
    if (is_alone)
        gh_buf_put_str(&b, p->name);
    p->signature = gh_arena_dup(w->call->arena, gh_buf_str(&b));
    gh_buf_fini(&b);
}

static int person_order(const void *x, const void *y)
{
    const person *p = x;
    const person *q = y;
    int order = gh_str_cmp(p->signature, q->signature);

    return order != 0 ? order : gh_str_cmp(p->name, q->name);
}

static void find_persons(work *w)
{
    const gh_acl *before = w->sides[0]->acl;
    const gh_acl *after = w->sides[1]->acl;

    w->persons = gh_alloc((before->user_count + after->user_count + 1) * sizeof(*w->persons));
    for (size_t i = 0; i < before->user_count; i++)
        w->persons[w->person_count++].name = before->users[i].name;
    for (size_t i = 0; i < after->user_count; i++)
        if (user_of(w, 0, after->users[i].name) == NULL)
            w->persons[w->person_count++].name = after->users[i].name;
    for (size_t i = 0; i < w->person_count; i++) {
        find_changed(w, &w->persons[i]);
        sign(w, &w->persons[i]);
    }
    if (w->person_count > 1)
        qsort(w->persons, w->person_count, sizeof(*w->persons), person_order);
}

/* ---- effects --------------------------------------------------------------------------------- */

static gh_str key_of(gh_arena *a, const gh_relation *r, const effect_change *changes, size_t count)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    gh_buf_put_str(&b, r->schema);
    gh_buf_put(&b, "", 1);
    gh_buf_put_str(&b, r->name);
    for (size_t i = 0; i < count; i++) {
        gh_buf_put(&b, "", 1);
        gh_buf_puts(&b, changes[i].what);
        for (size_t j = 0; j < changes[i].columns.count; j++) {
            gh_buf_put(&b, "", 1);
            gh_buf_put_str(&b, changes[i].columns.items[j]);
        }
        gh_buf_put(&b, "", 1);
        gh_buf_put_str(&b, changes[i].before);
        gh_buf_put(&b, "", 1);
        gh_buf_put_str(&b, changes[i].after);
    }
    gh_str s = gh_arena_dup(a, gh_buf_str(&b));
    gh_buf_fini(&b);
    return s;
}

static void keep(work *w, effect e)
{
    if (w->found_count == w->found_cap) {
        w->found_cap = w->found_cap == 0 ? 64 : w->found_cap * 2;
        w->found = gh_realloc_array(w->found, w->found_cap, sizeof(*w->found));
        w->keys = gh_realloc_array(w->keys, w->found_cap, sizeof(*w->keys));
    }
    w->keys[w->found_count] = key_of(w->call->arena, e.relation, e.changes, e.count);
    w->found[w->found_count++] = e;
}

/* The persons [first, end) have one signature: the first stands for all. */
static void decide(work *w, size_t first, size_t end)
{
    const person *p = &w->persons[first];
    effect_view views[2];
    gh_str *names = NULL;
    size_t count;
    const gh_relation *const *all = gh_catalog_relations(w->live->catalog, &count);

    for (int side = 0; side < 2; side++)
        views[side] =
            (effect_view){ .view = gh_view_new(w->sides[side]->policy, w->live->warehouse->name,
                                               p->name, cli_now_us()),
                           .changed = p->changed,
                           .changed_count = p->changed_count };
    for (size_t i = 0; i < count; i++) {
        effect e = { .relation = all[i] };
        if (!cli_is_table(all[i]))
            continue;
        e.changes =
            cli_decision_diff(w->call->arena, all[i], &views[0],
                              gh_view_decide(views[0].view, w->live->catalog, all[i]), &views[1],
                              gh_view_decide(views[1].view, w->live->catalog, all[i]), &e.count);
        if (e.count == 0)
            continue;
        for (size_t j = first; names == NULL && j < end; j++) {
            names = gh_arena_alloc(w->call->arena, (end - first) * sizeof(*names));
            GH_ASSERT(names != NULL);
            for (size_t k = first; k < end; k++)
                names[k - first] = w->persons[k].name;
        }
        e.users = (gh_str_list){ names, end - first };
        keep(w, e);
    }
    gh_view_release(views[0].view);
    gh_view_release(views[1].view);
}

static int index_order(const void *x, const void *y, void *keys)
{
    const gh_str *all = keys;
    size_t i = *(const size_t *)x;
    size_t j = *(const size_t *)y;
    int order = gh_str_cmp(all[i], all[j]);

    return order != 0 ? order : i < j ? -1 : 1;
}

static int name_order(const void *x, const void *y)
{
    return gh_str_cmp(*(const gh_str *)x, *(const gh_str *)y);
}

/* Effects of one key become one, with the users of all. */
static void merge(work *w, const effect **out, size_t *count)
{
    size_t *order = gh_alloc((w->found_count + 1) * sizeof(*order));
    effect *merged = gh_arena_alloc(w->call->arena, (w->found_count + 1) * sizeof(*merged));
    size_t n = 0;

    GH_ASSERT(merged != NULL);
    for (size_t i = 0; i < w->found_count; i++)
        order[i] = i;
    qsort_r(order, w->found_count, sizeof(*order), index_order, w->keys);
    for (size_t first = 0, end; first < w->found_count; first = end) {
        size_t users = 0;
        for (end = first;
             end < w->found_count && gh_str_eq(w->keys[order[end]], w->keys[order[first]]); end++)
            users += w->found[order[end]].users.count;
        gh_str *names = gh_arena_alloc(w->call->arena, users * sizeof(*names));
        GH_ASSERT(names != NULL);
        users = 0;
        for (size_t i = first; i < end; i++)
            for (size_t j = 0; j < w->found[order[i]].users.count; j++)
                names[users++] = w->found[order[i]].users.items[j];
        qsort(names, users, sizeof(*names), name_order);
        merged[n] = w->found[order[first]];
        merged[n++].users = (gh_str_list){ names, users };
    }
    free(order);
    *out = merged;
    *count = n;
}

void cli_effects(cli_call *c, const effect_side *before, const effect_side *after,
                 const cli_live *live, const effect **out, size_t *count)
{
    work w = { .call = c, .sides = { before, after }, .live = live };

    for (int side = 0; side < 2; side++) {
        cli_people_init(&w.people[side], w.sides[side]->acl);
        find_own(&w, side);
    }
    find_persons(&w);
    for (size_t first = 0, end; first < w.person_count; first = end) {
        for (end = first + 1; end < w.person_count &&
                              gh_str_eq(w.persons[end].signature, w.persons[first].signature);)
            end++;
        decide(&w, first, end);
    }
    merge(&w, out, count);
    for (int side = 0; side < 2; side++) {
        cli_people_fini(&w.people[side]);
        free(w.has_own[side]);
    }
    free(w.persons);
    free(w.found);
    free(w.keys);
}

/* ---- witness --------------------------------------------------------------------------------- */

/* What `SELECT *` of the user becomes; empty where it is refused. */
static gh_rc select_of(cli_call *c, const cli_live *live, const gh_relation *r, gh_view *view,
                       gh_str *out, gh_err *err)
{
    gh_rewrite_input in = { .sql = gh_arena_printf(c->arena,
                                                   "SELECT * FROM " GH_STR_FMT "." GH_STR_FMT,
                                                   GH_STR_ARG(cli_quote_ident(c->arena, r->schema)),
                                                   GH_STR_ARG(cli_quote_ident(c->arena, r->name))),
                            .catalog = live->catalog,
                            .view = view,
                            .database = live->warehouse->name,
                            .client_encoding = GH_STR("UTF8") };
    const gh_plan *plans;
    size_t count = 0;
    gh_rc rc = gh_rewrite(&in, c->arena, &plans, &count, err);

    *out =
        rc == GH_OK && count == 1 && plans[0].kind == GH_STMT_QUERY ? plans[0].sql : (gh_str){ 0 };
    return rc;
}

/* The columns that `like` shows, as text, out of a select by the name of t; those that it lacks are
 * NULL. */
static void put_columns(gh_buf *b, cli_call *c, const cli_live *live, const gh_relation *r,
                        gh_view *like, gh_view *from)
{
    const gh_decision *d = gh_view_decide(like, live->catalog, r);
    const gh_decision *e = gh_view_decide(from, live->catalog, r);
    bool is_bypassed = (gh_view_may(from) & GH_MAY_BYPASS) != 0;
    bool is_all = (gh_view_may(like) & GH_MAY_BYPASS) != 0;
    size_t n = 0;

    for (uint16_t i = 0; i < r->column_count; i++) {
        gh_str name = cli_quote_ident(c->arena, r->columns[i].name);
        if (!is_all && (i >= d->column_count || d->columns[i].show == GH_HIDDEN))
            continue;
        gh_buf_puts(b, n++ > 0 ? ", " : "");
        if (is_bypassed || (i < e->column_count && e->columns[i].show != GH_HIDDEN))
            gh_buf_printf(b, "CAST(t." GH_STR_FMT " AS pg_catalog.text)", GH_STR_ARG(name));
        else
            gh_buf_puts(b, "CAST(NULL AS pg_catalog.text)");
        gh_buf_printf(b, " AS " GH_STR_FMT, GH_STR_ARG(name));
    }
}

gh_rc cli_witness(cli_call *c, cli_live *live, const gh_relation *r, gh_view *shown,
                  gh_view *missing, gh_link_rows *out, gh_err *err)
{
    gh_str with = { 0 };
    gh_str without = { 0 };
    gh_buf b;
    gh_rc rc = select_of(c, live, r, shown, &with, err);

    if (rc == GH_OK)
        rc = select_of(c, live, r, missing, &without, err);
    *out = (gh_link_rows){ 0 };
    if (rc != GH_OK || with.len == 0)
        return rc;
    gh_buf_init(&b, 0);
    gh_buf_puts(&b, "SELECT ");
    put_columns(&b, c, live, r, shown, shown);
    gh_buf_printf(&b, " FROM (" GH_STR_FMT ") AS t", GH_STR_ARG(with));
    if (without.len > 0) {
        gh_buf_puts(&b, " EXCEPT SELECT ");
        put_columns(&b, c, live, r, shown, missing);
        gh_buf_printf(&b, " FROM (" GH_STR_FMT ") AS t", GH_STR_ARG(without));
    }
    gh_buf_puts(&b, " LIMIT 1");
    rc = gh_link_query(live->link, gh_buf_str(&b), 1, c->arena, out, err);
    gh_buf_fini(&b);
    return rc;
}
