/*
 * A naive second implementation of the one rule, cell by cell, against the compiled decision.
 *
 *     random ACL ─┬─ compile, view, decide ─▶ decision ─▶ what the decision says of this row's cells ─┐
 *                 └─ the words of CONTRACT.md, one grant after the other ─────────────────────────────┴▶ equal?
 *
 * A row is an assignment of true, false or unknown to each filter text: all 3^4 of them are tried. The
 * naive side shares no code with the module: own pattern match, own order of masks, own roles.
 * Then the laws: a grant more never hides, a deny more never reveals, order changes nothing.
 *
 * GH_LONG=1 takes a new seed and ten times as many policies.
 */
#include "policy_priv.h"
#include "policy_tests.h"

#include <stdlib.h>
#include <time.h>

/* ---- what random policies are made of ------------------------------------------------------------ */

#define FILTERS  4
#define COLUMNS  4
#define ROLES    4
#define RULES    7
#define NOW      100
#define ROWS_MAX 81 /* 3^FILTERS */

static const gh_str s_filters[FILTERS] = { { "f0", 2 }, { "f1", 2 }, { "f2", 2 }, { "f3", 2 } };
static const gh_str s_columns[COLUMNS] = { { "a", 1 }, { "n", 1 }, { "d", 1 }, { "z z", 3 } };
static const gh_oid s_types[COLUMNS] = { 25, 23, 1082, 25 };
static const gh_str s_roles[ROLES] = { { "r0", 2 }, { "r1", 2 }, { "r2", 2 }, { "r3", 2 } };
static const gh_str s_tags[2] = { { "t0", 2 }, { "t1", 2 } };

static const struct {
    const char *text;
    bool is_match;
} s_tables[] = { { "s.t", true },        { "*.*", true },   { "s.*", true },  { "wh:s.t", true },
                 { "w*:*.\"t\"", true }, { "*.tt", false }, { "s.u", false }, { "x:*.*", false },
                 { "\"*\".t", false },   { "S.t", false } };

static const struct {
    const char *text;
    uint32_t columns; /* that it names, as bits */
} s_tag_columns[] = { { "s.t.a", 1 },    { "*.*.*", 15 },  { "s.t.\"z z\"", 8 }, { "s.*.n*", 2 },
                      { "wh:s.t.d", 4 }, { "x:s.t.a", 0 }, { "s.u.a", 0 },       { "*.t.A", 0 } };

/* Masks by how much they show; 60 and 70 are not comparable with all. */
static const struct {
    const char *text;
    const char *shown; /* name in the decision */
    int rank;
    uint32_t fits; /* columns, as bits */
} s_masks[] = { { "round(5)", "round(5)", 10, 2 },
                { "round(50)", "round(50)", 11, 2 },
                { "year", "year", 20, 4 },
                { "partial(2,2)", "partial(2,2)", 30, 9 },
                { "partial(1,1)", "partial(1,1)", 31, 9 },
                { "email", "email", 40, 9 },
                { "hash", "hash", 50, 11 },
                { "redact", "redact", 80, 15 },
                { "null", "null", 90, 15 },
                { "constant('1')", "constant('1')", 60, 15 }, /* only total orders up to here */
                { "constant('2')", "constant('2')", 60, 15 },
                { "upper(value)", "upper(value)", 70, 15 },
                { "named", "named", 70, 15 } };

#define TOTAL_MASKS 10
#define NULL_MASK   8
#define NO_MASK     (-1)

typedef struct random_world {
    gh_acl acl;
    gh_acl_role roles[ROLES];
    gh_acl_user user;
    gh_acl_rule rules[RULES + 1];
    gh_acl_tag tags[2];
    gh_acl_masking masking[3];
    gh_acl_mask_def def;
    gh_str names[400]; /* what lists are cut from */
    size_t name_count;
    gh_acl_column_mask masks[RULES + 1][COLUMNS];
    uint64_t state;
    uint64_t seed;
    size_t mask_kinds; /* how many of s_masks are drawn from */
} random_world;

static uint32_t draw(random_world *w, uint32_t below)
{
    w->state ^= w->state << 13;
    w->state ^= w->state >> 7;
    w->state ^= w->state << 17;
    return (uint32_t)(w->state >> 33) % below;
}

static bool chance(random_world *w, uint32_t percent)
{
    return draw(w, 100) < percent;
}

/* A list whose items `add` appends to w->names. */
static gh_str_list cut(random_world *w, size_t from)
{
    ck_assert_uint_le(w->name_count, GH_COUNT(w->names));
    return (gh_str_list){ &w->names[from], w->name_count - from };
}

static gh_str_list some_of(random_world *w, const gh_str *from, uint32_t count, uint32_t percent,
                           bool may_be_empty)
{
    size_t start = w->name_count;

    for (uint32_t i = 0; i < count; i++) {
        if (chance(w, percent))
            w->names[w->name_count++] = from[i];
    }
    if (w->name_count == start && !may_be_empty)
        w->names[w->name_count++] = from[draw(w, count)];
    return cut(w, start);
}

static gh_str_list some_tables(random_world *w)
{
    size_t start = w->name_count;

    do {
        w->names[w->name_count++] = gh_str_of(s_tables[draw(w, GH_COUNT(s_tables))].text);
    } while (chance(w, 40));
    return cut(w, start);
}

static gh_str_list some_people(random_world *w)
{
    static const gh_str user = { "user:u", 6 };
    gh_str_list out = some_of(w, s_roles, ROLES, 30, false);

    if (chance(w, 15)) {
        w->names[w->name_count++] = user;
        out.count++;
    }
    return out;
}

static bool list_has(gh_str_list list, gh_str s)
{
    for (size_t i = 0; i < list.count; i++) {
        if (gh_str_eq(list.items[i], s))
            return true;
    }
    return false;
}

static void some_masks(random_world *w, gh_acl_rule *r, gh_acl_column_mask *out)
{
    r->masks = out;
    for (int i = 0; i < COLUMNS; i++) {
        if ((!r->has_columns || list_has(r->columns, s_columns[i]) != r->is_except) &&
            chance(w, 30))
            out[r->mask_count++] =
                (gh_acl_column_mask){ s_columns[i],
                                      gh_str_of(s_masks[draw(w, (uint32_t)w->mask_kinds)].text) };
    }
}

static void some_rule(random_world *w, gh_acl_rule *r, int64_t id, bool is_deny,
                      gh_acl_column_mask *masks)
{
    *r = (gh_acl_rule){
        .id = id, .is_deny = is_deny, .valid_from = INT64_MIN, .valid_until = INT64_MAX
    };
    r->to = some_people(w);
    r->tables = some_tables(w);
    r->privileges = chance(w, 60) ? (is_deny ? GH_ALL_PRIVILEGES : GH_SELECT) : 1 + draw(w, 31);
    if (chance(w, is_deny ? 50 : 60)) {
        r->has_columns = true;
        r->is_except = chance(w, 25);
        r->columns = some_of(w, s_columns, COLUMNS, 45, false);
    }
    if (is_deny && chance(w, 30))
        r->tags = some_of(w, s_tags, 2, 50, false);
    if (chance(w, 70))
        r->rows = s_filters[draw(w, FILTERS)];
    if (!is_deny)
        some_masks(w, r, masks);
    if (chance(w, 10))
        r->valid_from = NOW - 1 + draw(w, 3);
    if (chance(w, 10) && r->valid_from < NOW)
        r->valid_until = NOW + draw(w, 2);
    r->is_blind = chance(w, 20);
}

static void some_world(random_world *w, uint64_t seed, size_t mask_kinds, size_t rules)
{
    *w = (random_world){ .state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1,
                         .seed = seed,
                         .mask_kinds = mask_kinds };
    for (int i = 0; i < 8; i++)
        (void)draw(w, 2);
    for (int i = 0; i < ROLES; i++)
        w->roles[i] = (gh_acl_role){ .name = s_roles[i],
                                     .member_of = some_of(w, s_roles, (uint32_t)i, 30, true) };
    w->user = (gh_acl_user){ .name = S("u"), .roles = some_of(w, s_roles, ROLES, 50, true) };
    for (int i = 0; i < 2; i++) {
        size_t start = w->name_count;

        w->names[w->name_count++] = gh_str_of(s_tag_columns[draw(w, GH_COUNT(s_tag_columns))].text);
        if (chance(w, 40))
            w->names[w->name_count++] =
                gh_str_of(s_tag_columns[draw(w, GH_COUNT(s_tag_columns))].text);
        w->tags[i] = (gh_acl_tag){ .name = s_tags[i], .columns = cut(w, start) };
    }
    w->def = (gh_acl_mask_def){ .name = S("named"), .expr = S("lower(value)") };
    for (size_t i = 0; i < rules; i++)
        some_rule(w, &w->rules[i], (int64_t)i + 1, chance(w, 30), w->masks[i]);
    for (int i = 0; i < 3; i++) {
        if (chance(w, 20))
            w->masking[w->acl.masking_count++] =
                (gh_acl_masking){ .tag = s_tags[draw(w, 2)],
                                  .mask = gh_str_of(s_masks[draw(w, (uint32_t)mask_kinds)].text),
                                  .except = some_of(w, s_roles, ROLES, 15, true) };
    }
    w->acl.roles = w->roles;
    w->acl.role_count = ROLES;
    w->acl.users = &w->user;
    w->acl.user_count = 1;
    w->acl.tags = w->tags;
    w->acl.tag_count = 2;
    w->acl.masks = &w->def;
    w->acl.mask_count = 1;
    w->acl.rules = w->rules;
    w->acl.rule_count = rules;
    w->acl.masking = w->masking;
}

/* ---- the naive implementation -------------------------------------------------------------------- */

typedef enum truth { FALSE, TRUE, UNKNOWN } truth;

typedef struct shown { /* a cell, or a column that is not there */
    bool is_there;
    bool is_clear;
    int mask; /* index into s_masks; NULL_MASK: NULL */
} shown;

static bool naive_has_role(const gh_acl *acl, gh_str_list of, gh_str role)
{
    for (size_t i = 0; i < of.count; i++) {
        if (gh_str_eq(of.items[i], role))
            return true;
        for (size_t j = 0; j < acl->role_count; j++) {
            if (gh_str_eq(acl->roles[j].name, of.items[i]) &&
                naive_has_role(acl, acl->roles[j].member_of, role))
                return true;
        }
    }
    return false;
}

static bool naive_concerns(const gh_acl *acl, gh_str_list to)
{
    for (size_t i = 0; i < to.count; i++) {
        if (gh_str_is(to.items[i], "user:u") ||
            naive_has_role(acl, acl->users[0].roles, to.items[i]))
            return true;
    }
    return false;
}

static bool naive_applies(const gh_acl *acl, const gh_acl_rule *r, int privilege)
{
    bool names = false;

    for (size_t i = 0; i < r->tables.count; i++) {
        for (size_t j = 0; j < GH_COUNT(s_tables); j++)
            names =
                names || (s_tables[j].is_match && gh_str_is(r->tables.items[i], s_tables[j].text));
    }
    return names && naive_concerns(acl, r->to) && (r->privileges & (1u << privilege)) != 0 &&
           r->valid_from <= NOW && NOW < r->valid_until;
}

static bool naive_tagged(const gh_acl *acl, gh_str tag, int column)
{
    for (size_t i = 0; i < acl->tag_count; i++) {
        for (size_t j = 0; j < acl->tags[i].columns.count && gh_str_eq(acl->tags[i].name, tag);
             j++) {
            for (size_t k = 0; k < GH_COUNT(s_tag_columns); k++) {
                if (gh_str_is(acl->tags[i].columns.items[j], s_tag_columns[k].text) &&
                    (s_tag_columns[k].columns >> column & 1) != 0)
                    return true;
            }
        }
    }
    return false;
}

static bool naive_names_column(const gh_acl *acl, const gh_acl_rule *r, int column)
{
    for (size_t i = 0; i < r->tags.count; i++) {
        if (naive_tagged(acl, r->tags.items[i], column))
            return true;
    }
    if (r->has_columns)
        return list_has(r->columns, s_columns[column]) != r->is_except;
    return r->tags.count == 0;
}

static bool naive_is_whole(const gh_acl_rule *r)
{
    return !r->has_columns && r->tags.count == 0;
}

static truth naive_filter(const gh_acl_rule *r, const truth *row)
{
    for (int i = 0; i < FILTERS; i++) {
        if (gh_str_eq(r->rows, s_filters[i]))
            return row[i];
    }
    return TRUE;
}

static int naive_mask_index(gh_str text, int column)
{
    for (int i = 0; i < (int)GH_COUNT(s_masks); i++) {
        if (gh_str_is(text, s_masks[i].text))
            return (s_masks[i].fits >> column & 1) != 0 ? i : NULL_MASK;
    }
    return NULL_MASK;
}

static int naive_mask_of(const gh_acl_rule *r, int column)
{
    for (size_t i = 0; i < r->mask_count; i++) {
        if (gh_str_eq(r->masks[i].column, s_columns[column]))
            return naive_mask_index(r->masks[i].mask, column);
    }
    return NO_MASK;
}

/* Is the one comparable with the other, and does it show at least as much? */
static bool naive_comparable(int a, int b)
{
    if (a == b)
        return true;
    if (s_masks[a].rank == 70 || s_masks[b].rank == 70)
        return s_masks[a].rank >= 80 || s_masks[b].rank >= 80;
    return s_masks[a].rank != s_masks[b].rank;
}

static bool naive_weaker(int a, int b)
{
    return naive_comparable(a, b) && s_masks[a].rank <= s_masks[b].rank;
}

/* Of what the tags say about a column: the one that is as strong as all, else NULL; NO_MASK: nothing. */
static int naive_tag_mask(const gh_acl *acl, int column)
{
    int masks[8];
    int count = 0;

    for (size_t i = 0; i < acl->masking_count; i++) {
        if (naive_tagged(acl, acl->masking[i].tag, column) &&
            !naive_concerns(acl, acl->masking[i].except))
            masks[count++] = naive_mask_index(acl->masking[i].mask, column);
    }
    for (int i = 0; i < count; i++) {
        bool is_strongest = true;

        for (int j = 0; j < count; j++)
            is_strongest = is_strongest && naive_weaker(masks[j], masks[i]);
        if (is_strongest)
            return masks[i];
    }
    return count == 0 ? NO_MASK : NULL_MASK;
}

/* The columns of a grant that exist; a grant without any of them is not one of this relation. */
static bool naive_is_grant(const gh_acl *acl, const gh_acl_rule *r, int privilege)
{
    bool has_any = false;

    for (int i = 0; i < COLUMNS; i++)
        has_any = has_any || naive_names_column(acl, r, i);
    return !r->is_deny && has_any && naive_applies(acl, r, privilege);
}

static bool naive_is_gone(const gh_acl *acl, int privilege, int column)
{
    for (size_t i = 0; i < acl->rule_count; i++) {
        const gh_acl_rule *r = &acl->rules[i];

        if (r->is_deny && naive_applies(acl, r, privilege) && r->rows.len == 0 &&
            (naive_is_whole(r) || naive_names_column(acl, r, column)))
            return true;
    }
    return false;
}

/* Does any grant of the privilege name the column, and no deny take it everywhere? */
static bool naive_has_column(const gh_acl *acl, int privilege, int column)
{
    for (size_t i = 0; i < acl->rule_count; i++) {
        if (naive_is_grant(acl, &acl->rules[i], privilege) &&
            naive_names_column(acl, &acl->rules[i], column))
            return !naive_is_gone(acl, privilege, column);
    }
    return false;
}

static bool naive_has_privilege(const gh_acl *acl, int privilege)
{
    for (int i = 0; i < COLUMNS; i++) {
        if (naive_has_column(acl, privilege, i))
            return true;
    }
    return false;
}

static bool naive_row(const gh_acl *acl, int privilege, const truth *row)
{
    bool is_shown = false;

    if (!naive_has_privilege(acl, privilege))
        return false;
    for (size_t i = 0; i < acl->rule_count; i++) {
        const gh_acl_rule *r = &acl->rules[i];

        if (r->is_deny && naive_applies(acl, r, privilege) && naive_is_whole(r) &&
            naive_filter(r, row) != FALSE)
            return false;
        if (naive_is_grant(acl, r, privilege) && naive_filter(r, row) == TRUE)
            is_shown = true;
    }
    return is_shown;
}

static bool naive_cell_denied(const gh_acl *acl, int privilege, int column, const truth *row)
{
    for (size_t i = 0; i < acl->rule_count; i++) {
        const gh_acl_rule *r = &acl->rules[i];

        if (r->is_deny && naive_applies(acl, r, privilege) && !naive_is_whole(r) &&
            naive_names_column(acl, r, column) && naive_filter(r, row) != FALSE)
            return true;
    }
    return false;
}

/* Two masks of a column that cannot be compared, on whatever rows: both are lost. */
static bool naive_is_lost(const gh_acl *acl, int mask, int column)
{
    for (size_t i = 0; i < acl->rule_count; i++) {
        int other = naive_mask_of(&acl->rules[i], column);

        if (naive_is_grant(acl, &acl->rules[i], 0) &&
            naive_names_column(acl, &acl->rules[i], column) && other != NO_MASK &&
            !naive_comparable(mask, other))
            return true;
    }
    return false;
}

static shown naive_cell(const gh_acl *acl, int column, const truth *row)
{
    int masks[RULES + 1];
    int count = 0;
    int best = NULL_MASK;
    int tag = naive_tag_mask(acl, column);
    bool is_clear = false;

    if (!naive_has_privilege(acl, 0) || !naive_has_column(acl, 0, column))
        return (shown){ 0 };
    if (naive_cell_denied(acl, 0, column, row))
        return (shown){ .is_there = true, .mask = NULL_MASK };
    for (size_t i = 0; i < acl->rule_count; i++) {
        const gh_acl_rule *r = &acl->rules[i];

        if (!naive_is_grant(acl, r, 0) || !naive_names_column(acl, r, column) ||
            naive_filter(r, row) != TRUE)
            continue;
        if (naive_mask_of(r, column) == NO_MASK)
            is_clear = true;
        else
            masks[count++] = naive_mask_of(r, column);
    }
    if (is_clear)
        return (shown){ .is_there = true, .is_clear = tag == NO_MASK, .mask = tag };
    if (count == 0)
        return (shown){ .is_there = true, .mask = NULL_MASK };
    for (int i = 0; i < count; i++) {
        bool is_weakest = !naive_is_lost(acl, masks[i], column);

        for (int j = 0; j < count; j++)
            is_weakest = is_weakest && naive_weaker(masks[i], masks[j]);
        if (is_weakest)
            best = masks[i];
    }
    if (tag != NO_MASK && (!naive_comparable(best, tag) || naive_weaker(best, tag)))
        best = tag;
    return (shown){ .is_there = true, .mask = best };
}

/* ---- what a decision says ------------------------------------------------------------------------ */

static truth truth_of(const gh_decision *d, uint16_t filter, const truth *row)
{
    for (int i = 0; i < FILTERS; i++) {
        if (gh_str_eq(d->filters[filter], s_filters[i]))
            return row[i];
    }
    ck_abort_msg("a filter that nobody wrote");
    return UNKNOWN;
}

static bool any_true(const gh_decision *d, gh_filter_set set, const truth *row)
{
    for (uint16_t i = 0; i < set.count; i++) {
        if (truth_of(d, set.items[i], row) == TRUE)
            return true;
    }
    return false;
}

static bool any_not_false(const gh_decision *d, gh_filter_set set, const truth *row)
{
    for (uint16_t i = 0; i < set.count; i++) {
        if (truth_of(d, set.items[i], row) != FALSE)
            return true;
    }
    return false;
}

static bool decided_row(const gh_decision *d, const truth *row)
{
    if ((d->privileges & GH_SELECT) == 0)
        return false;
    if (d->is_every_row)
        return true;
    return (d->rows_all || any_true(d, d->rows, row)) && !any_not_false(d, d->row_denies, row);
}

static shown shown_of(const gh_mask *m)
{
    if (m == NULL)
        return (shown){ .is_there = true, .is_clear = true, .mask = NO_MASK };
    for (int i = 0; i < (int)GH_COUNT(s_masks); i++) {
        if (gh_str_is(m->name, s_masks[i].shown))
            return (shown){ .is_there = true, .mask = i };
    }
    ck_abort_msg("a mask that nobody wrote");
    return (shown){ 0 };
}

static shown decided_cell(const gh_decision *d, int column, const truth *row)
{
    const gh_column_decision *c;

    if (!d->exists || d->columns[column].show == GH_HIDDEN)
        return (shown){ 0 };
    c = &d->columns[column];
    if (c->show == GH_CLEAR)
        return shown_of(NULL);
    if (c->show == GH_MASKED)
        return shown_of(c->arms[0].mask);
    if (any_not_false(d, c->null_where, row))
        return (shown){ .is_there = true, .mask = NULL_MASK };
    for (uint16_t i = 0; i < c->arm_count; i++) {
        if (c->arms[i].is_always || any_true(d, c->arms[i].when, row))
            return shown_of(c->arms[i].mask);
    }
    return (shown){ .is_there = true, .mask = NULL_MASK };
}

static bool shown_eq(shown a, shown b)
{
    return a.is_there == b.is_there && a.is_clear == b.is_clear &&
           (!a.is_there || a.is_clear || a.mask == b.mask);
}

/* ---- running both -------------------------------------------------------------------------------- */

static gh_catalog *s_catalog;

static gh_catalog *new_catalog(void)
{
    gh_catalog_builder *b = gh_catalog_builder_new();
    gh_column columns[COLUMNS] = { 0 };
    gh_relation r = { .oid = 1,
                      .schema = S("s"),
                      .name = S("t"),
                      .kind = 'r',
                      .columns = columns,
                      .column_count = COLUMNS };

    for (int i = 0; i < COLUMNS; i++)
        columns[i] = (gh_column){
            .name = s_columns[i], .attnum = (int16_t)(i + 1), .type_oid = s_types[i], .typmod = -1
        };
    gh_catalog_add_relation(b, &r);
    return gh_catalog_builder_finish(b, 1);
}

typedef struct decided {
    gh_policy *policy;
    gh_view *view;
    const gh_decision *d;
} decided;

static decided decide_acl(const gh_acl *acl)
{
    decided out = { 0 };
    gh_err err = { 0 };
    gh_rc rc = pol_compile(acl, false, &out.policy, &err);

    ck_assert_msg(rc == GH_OK, "%s", err.public_msg);
    out.view = gh_view_new(out.policy, S("wh"), S("u"), NOW);
    out.d = gh_view_decide(out.view, s_catalog, only_relation(s_catalog));
    return out;
}

static void release(decided *x)
{
    gh_view_release(x->view);
    gh_policy_release(x->policy);
}

static void row_of(int number, truth *row)
{
    for (int i = 0; i < FILTERS; i++, number /= 3)
        row[i] = (truth)(number % 3);
}

static void compare_writes(const random_world *w, const gh_decision *d, int privilege,
                           const truth *row)
{
    const gh_acl *acl = &w->acl;
    bool is_held = naive_has_privilege(acl, privilege);

    ck_assert_msg(((d->privileges >> privilege & 1) != 0) == is_held, "seed %lu privilege %d",
                  w->seed, privilege);
    for (int c = 0; c < COLUMNS && is_held; c++) {
        bool has = naive_has_column(acl, privilege, c);
        bool is_free = !any_not_false(d, d->deny_rows[privilege], row) &&
                       !any_not_false(d, d->columns[c].deny_where[privilege], row);
        bool row_denied = false;

        ck_assert_msg(d->columns[c].is_writable[privilege] == has, "seed %lu column %d", w->seed,
                      c);
        for (size_t i = 0; i < acl->rule_count; i++)
            row_denied = row_denied || (acl->rules[i].is_deny && naive_is_whole(&acl->rules[i]) &&
                                        naive_applies(acl, &acl->rules[i], privilege) &&
                                        naive_filter(&acl->rules[i], row) != FALSE);
        if (has)
            ck_assert_msg(is_free == (!row_denied && !naive_cell_denied(acl, privilege, c, row)),
                          "seed %lu privilege %d column %d", w->seed, privilege, c);
        for (size_t i = 0; i < acl->rule_count; i++) { /* each grant has its entry */
            const gh_acl_rule *r = &acl->rules[i];
            bool want = naive_is_grant(acl, r, privilege) && naive_names_column(acl, r, c) && has;
            bool got = false;

            for (uint16_t j = 0; j < d->write_count; j++) {
                const gh_write_grant *g = &d->writes[j];

                if (g->grant_id == r->id && (g->privileges >> privilege & 1) != 0 &&
                    (g->columns[c / 8] >> (c % 8) & 1) != 0) {
                    got = g->is_blind == r->is_blind && g->is_every_row == (r->rows.len == 0) &&
                          (g->is_every_row || gh_str_eq(d->filters[g->filter], r->rows));
                }
            }
            ck_assert_msg(got == want, "seed %lu grant %d column %d", w->seed, (int)r->id, c);
        }
    }
}

static void compare(const random_world *w, const gh_decision *d)
{
    bool is_full = true;

    for (int n = 0; n < ROWS_MAX; n++) {
        truth row[FILTERS];
        bool is_shown;

        row_of(n, row);
        is_shown = naive_row(&w->acl, 0, row);
        is_full = is_full && is_shown;
        ck_assert_msg(decided_row(d, row) == is_shown, "seed %lu row %d", w->seed, n);
        for (int c = 0; c < COLUMNS; c++) {
            shown want = naive_cell(&w->acl, c, row);

            is_full = is_full && want.is_clear;
            if (is_shown)
                ck_assert_msg(shown_eq(want, decided_cell(d, c, row)), "seed %lu row %d column %d",
                              w->seed, n, c);
            ck_assert_msg(want.is_there == (d->exists && d->columns[c].show != GH_HIDDEN),
                          "seed %lu column %d", w->seed, c);
        }
        for (int p = 1; p < POL_PRIVILEGES; p++)
            compare_writes(w, d, p, row);
    }
    ck_assert_msg(!d->is_full || is_full, "seed %lu", w->seed);
    /* Nothing is missed either: filters that never matter may hide that all is full, nothing else. */
    if (is_full && d->filter_count == 0)
        ck_assert_msg(d->is_full, "seed %lu", w->seed);
}

static uint64_t first_seed(size_t *count)
{
    const char *is_long = getenv("GH_LONG");

    if (is_long == NULL || strcmp(is_long, "1") != 0)
        return 1;
    *count *= 10;
    return (uint64_t)time(NULL) << 20;
}

START_TEST(decisions_follow_the_rule)
{
    size_t count = 2000;
    uint64_t seed = first_seed(&count);
    size_t kinds[4] = { 0 };
    random_world w;

    s_catalog = new_catalog();
    for (size_t i = 0; i < count; i++) {
        decided x;

        some_world(&w, seed + i, i % 2 == 0 ? GH_COUNT(s_masks) : TOTAL_MASKS, 1 + i % RULES);
        x = decide_acl(&w.acl);
        compare(&w, x.d);
        for (int c = 0; x.d->exists && c < COLUMNS; c++)
            kinds[x.d->columns[c].show]++;
        release(&x);
    }
    for (size_t i = 0; i < 4; i++) /* the policies reach everything that a column can be */
        ck_assert_uint_gt(kinds[i], count / 20);
    gh_catalog_release(s_catalog);
}
END_TEST

/* How much a cell shows: less is more. */
static int level(const gh_decision *d, int column, const truth *row)
{
    shown s;

    if (!d->exists || !decided_row(d, row))
        return 1000;
    s = decided_cell(d, column, row);
    if (!s.is_there)
        return 90; /* as NULL: what is not there and what is empty say the same */
    return s.is_clear ? 0 : s_masks[s.mask].rank;
}

/* Masks are drawn from a total order: two that cannot be compared are refused before. */
static void check_law(bool is_deny, size_t count)
{
    uint64_t seed = first_seed(&count) + 7000000;
    random_world w;
    size_t changed = 0;

    s_catalog = new_catalog();
    for (size_t i = 0; i < count; i++) {
        decided before;
        decided after;

        some_world(&w, seed + i, TOTAL_MASKS, i % RULES);
        before = decide_acl(&w.acl);
        some_rule(&w, &w.rules[w.acl.rule_count], 50, is_deny, w.masks[RULES]);
        w.acl.rule_count++;
        after = decide_acl(&w.acl);
        for (int n = 0; n < ROWS_MAX; n++) {
            truth row[FILTERS];

            row_of(n, row);
            for (int c = 0; c < COLUMNS; c++) {
                int x = level(before.d, c, row);
                int y = level(after.d, c, row);

                changed += x != y;
                ck_assert_msg(is_deny ? x <= y : x >= y, "seed %lu row %d column %d: %d to %d",
                              w.seed, n, c, x, y);
            }
        }
        release(&before);
        release(&after);
    }
    ck_assert_uint_gt(changed, count);
    gh_catalog_release(s_catalog);
}

START_TEST(a_grant_never_hides)
{
    check_law(false, 2500);
}
END_TEST

START_TEST(a_deny_never_reveals)
{
    check_law(true, 2500);
}
END_TEST

/* ---- order --------------------------------------------------------------------------------------- */

static void put_set(gh_buf *b, gh_filter_set set)
{
    gh_buf_puts(b, "[");
    for (uint16_t i = 0; i < set.count; i++)
        gh_buf_printf(b, "%u ", set.items[i]);
    gh_buf_puts(b, "]");
}

static void put_decision(gh_buf *b, const gh_decision *d)
{
    gh_buf_printf(b, "%d %u %d %d %d\n", d->exists, d->privileges, d->is_full, d->is_every_row,
                  d->rows_all);
    for (uint16_t i = 0; i < d->filter_count; i++)
        gh_buf_put_str(b, d->filters[i]);
    put_set(b, d->rows);
    for (int p = 0; p < POL_PRIVILEGES; p++)
        put_set(b, d->deny_rows[p]);
    for (uint16_t i = 0; i < d->column_count; i++) {
        const gh_column_decision *c = &d->columns[i];

        gh_buf_printf(b, "\n%d ", (int)c->show);
        for (uint16_t j = 0; j < c->arm_count; j++) {
            gh_buf_printf(b, "%d" GH_STR_FMT, c->arms[j].is_always,
                          GH_STR_ARG(c->arms[j].mask == NULL ? S("clear") : c->arms[j].mask->name));
            put_set(b, c->arms[j].when);
        }
        for (int p = 0; p < POL_PRIVILEGES; p++) {
            gh_buf_printf(b, "%d", c->is_writable[p]);
            put_set(b, c->deny_where[p]);
        }
    }
    for (uint16_t i = 0; i < d->write_count; i++)
        gh_buf_printf(b, "\n%d %u %d %u %d %u", (int)d->writes[i].grant_id, d->writes[i].privileges,
                      d->writes[i].is_every_row, d->writes[i].filter, d->writes[i].is_blind,
                      d->writes[i].columns[0]);
    for (uint16_t i = 0; i < d->grant_count; i++)
        gh_buf_printf(b, " #%d", (int)d->grant_ids[i]);
}

#define SHUFFLE(w, array, count)                                                                   \
    for (size_t k_ = (count); k_ > 1; k_--) {                                                      \
        size_t other_ = draw((w), (uint32_t)k_);                                                   \
        __typeof__((array)[0]) kept_ = (array)[k_ - 1];                                            \
                                                                                                   \
        (array)[k_ - 1] = (array)[other_];                                                         \
        (array)[other_] = kept_;                                                                   \
    }

START_TEST(order_changes_nothing)
{
    size_t count = 3000;
    uint64_t seed = first_seed(&count) + 9000000;
    random_world w;

    s_catalog = new_catalog();
    for (size_t i = 0; i < count; i++) {
        gh_buf texts[2];

        some_world(&w, seed + i, GH_COUNT(s_masks), 2 + i % (RULES - 1));
        for (int j = 0; j < 2; j++) {
            decided x = decide_acl(&w.acl);

            gh_buf_init(&texts[j], 0);
            put_decision(&texts[j], x.d);
            release(&x);
            SHUFFLE(&w, w.rules, w.acl.rule_count)
            SHUFFLE(&w, w.roles, ROLES)
            SHUFFLE(&w, w.tags, 2)
            SHUFFLE(&w, w.masking, w.acl.masking_count)
        }
        ck_assert_msg(gh_str_eq(gh_buf_str(&texts[0]), gh_buf_str(&texts[1])), "seed %lu", w.seed);
        gh_buf_fini(&texts[0]);
        gh_buf_fini(&texts[1]);
    }
    gh_catalog_release(s_catalog);
}
END_TEST

/* What compile refuses is exactly what would make a decision lose masks, as far as this relation goes. */
START_TEST(lost_masks_are_refused)
{
    size_t count = 3000;
    uint64_t seed = first_seed(&count) + 11000000;
    random_world w;
    size_t refused = 0;

    s_catalog = new_catalog();
    for (size_t i = 0; i < count; i++) {
        gh_policy *p = NULL;
        gh_err err = { 0 };
        bool is_lost = false;

        some_world(&w, seed + i, GH_COUNT(s_masks), 1 + i % RULES);
        for (size_t j = 0; j < w.acl.rule_count; j++) {
            for (size_t k = 0; k < COLUMNS; k++) {
                int mask = naive_mask_of(&w.rules[j], (int)k);

                is_lost = is_lost || (mask != NO_MASK && naive_is_grant(&w.acl, &w.rules[j], 0) &&
                                      naive_is_lost(&w.acl, mask, (int)k));
            }
        }
        if (gh_policy_compile(&w.acl, &p, &err) != GH_OK)
            refused++;
        else
            ck_assert_msg(!is_lost, "seed %lu", w.seed);
        gh_policy_release(p);
    }
    ck_assert_uint_gt(refused, count / 50);
    ck_assert_uint_lt(refused, count);
    gh_catalog_release(s_catalog);
}
END_TEST

Suite *policy_oracle_suite(void)
{
    Suite *s = suite_create("policy oracle");
    TCase *t = tcase_create("oracle");

    tcase_set_timeout(t, 1200);
    tcase_add_test(t, decisions_follow_the_rule);
    tcase_add_test(t, a_grant_never_hides);
    tcase_add_test(t, a_deny_never_reveals);
    tcase_add_test(t, order_changes_nothing);
    tcase_add_test(t, lost_masks_are_refused);
    suite_add_tcase(s, t);
    return s;
}
