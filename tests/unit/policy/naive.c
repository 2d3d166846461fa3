/*
 * The words of CONTRACT.md's one rule, one grant after the other, and random policies of every kind.
 */
#include "naive.h"

/* ---- what random policies are made of ------------------------------------------------------- */

const gh_str naive_filters[FILTERS] = { { "f0", 2 }, { "f1", 2 }, { "f2", 2 }, { "f3", 2 } };
const gh_str naive_columns[COLUMNS] = { { "a", 1 }, { "n", 1 }, { "d", 1 }, { "z z", 3 } };
const gh_oid naive_types[COLUMNS] = { 25, 23, 1082, 25 };
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
const naive_mask naive_masks[] = { { "round(5)", "round(5)", 10, 2 },
                                   { "round(50)", "round(50)", 11, 2 },
                                   { "year", "year", 20, 4 },
                                   { "partial(2,2)", "partial(2,2)", 30, 9 },
                                   { "partial(1,1)", "partial(1,1)", 31, 9 },
                                   { "email", "email", 40, 9 },
                                   { "hash", "hash", 50, 11 },
                                   { "redact", "redact", 80, 15 },
                                   { "null", "null", 90, 15 },
                                   { "constant('1')", "constant('1')", 60,
                                     15 }, /* only total orders up to here */
                                   { "constant('2')", "constant('2')", 60, 15 },
                                   { "upper(value)", "upper(value)", 70, 15 },
                                   { "named", "named", 70, 15 } };

const size_t naive_mask_count = GH_COUNT(naive_masks);

uint32_t naive_draw(random_world *w, uint32_t below)
{
    w->state ^= w->state << 13;
    w->state ^= w->state >> 7;
    w->state ^= w->state << 17;
    return (uint32_t)(w->state >> 33) % below;
}

static bool chance(random_world *w, uint32_t percent)
{
    return naive_draw(w, 100) < percent;
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
        w->names[w->name_count++] = from[naive_draw(w, count)];
    return cut(w, start);
}

static gh_str_list some_tables(random_world *w)
{
    size_t start = w->name_count;

    do {
        w->names[w->name_count++] = gh_str_of(s_tables[naive_draw(w, GH_COUNT(s_tables))].text);
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
        if ((!r->has_columns || list_has(r->columns, naive_columns[i]) != r->is_except) &&
            chance(w, 30))
            out[r->mask_count++] = (gh_acl_column_mask){
                naive_columns[i],
                gh_str_of(naive_masks[naive_draw(w, (uint32_t)w->mask_kinds)].text)
            };
    }
}

void naive_rule(random_world *w, gh_acl_rule *r, int64_t id, bool is_deny,
                gh_acl_column_mask *masks)
{
    *r = (gh_acl_rule){
        .id = id, .is_deny = is_deny, .valid_from = INT64_MIN, .valid_until = INT64_MAX
    };
    r->to = some_people(w);
    r->tables = some_tables(w);
    r->privileges =
        chance(w, 60) ? (is_deny ? GH_ALL_PRIVILEGES : GH_SELECT) : 1 + naive_draw(w, 31);
    if (chance(w, is_deny ? 50 : 60)) {
        r->has_columns = true;
        r->is_except = chance(w, 25);
        r->columns = some_of(w, naive_columns, COLUMNS, 45, false);
    }
    if (is_deny && chance(w, 30))
        r->tags = some_of(w, s_tags, 2, 50, false);
    if (chance(w, 70))
        r->rows = naive_filters[naive_draw(w, FILTERS)];
    if (!is_deny)
        some_masks(w, r, masks);
    if (chance(w, 10))
        r->valid_from = NOW - 1 + naive_draw(w, 3);
    if (chance(w, 10) && r->valid_from < NOW)
        r->valid_until = NOW + naive_draw(w, 2);
    r->is_blind = chance(w, 20);
}

void naive_world(random_world *w, uint64_t seed, size_t mask_kinds, size_t rules)
{
    *w = (random_world){ .state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1,
                         .seed = seed,
                         .mask_kinds = mask_kinds };
    for (int i = 0; i < 8; i++)
        (void)naive_draw(w, 2);
    for (int i = 0; i < ROLES; i++)
        w->roles[i] = (gh_acl_role){ .name = s_roles[i],
                                     .member_of = some_of(w, s_roles, (uint32_t)i, 30, true) };
    w->user = (gh_acl_user){ .name = S("u"), .roles = some_of(w, s_roles, ROLES, 50, true) };
    for (int i = 0; i < 2; i++) {
        size_t start = w->name_count;

        w->names[w->name_count++] =
            gh_str_of(s_tag_columns[naive_draw(w, GH_COUNT(s_tag_columns))].text);
        if (chance(w, 40))
            w->names[w->name_count++] =
                gh_str_of(s_tag_columns[naive_draw(w, GH_COUNT(s_tag_columns))].text);
        w->tags[i] = (gh_acl_tag){ .name = s_tags[i], .columns = cut(w, start) };
    }
    w->def = (gh_acl_mask_def){ .name = S("named"), .expr = S("lower(value)") };
    for (size_t i = 0; i < rules; i++)
        naive_rule(w, &w->rules[i], (int64_t)i + 1, chance(w, 30), w->masks[i]);
    for (int i = 0; i < 3; i++) {
        if (chance(w, 20))
            w->masking[w->acl.masking_count++] = (gh_acl_masking){
                .tag = s_tags[naive_draw(w, 2)],
                .mask = gh_str_of(naive_masks[naive_draw(w, (uint32_t)mask_kinds)].text),
                .except = some_of(w, s_roles, ROLES, 15, true)
            };
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

/* ---- the naive implementation --------------------------------------------------------------- */

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

bool naive_applies(const gh_acl *acl, const gh_acl_rule *r, int privilege)
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

bool naive_names_column(const gh_acl *acl, const gh_acl_rule *r, int column)
{
    for (size_t i = 0; i < r->tags.count; i++) {
        if (naive_tagged(acl, r->tags.items[i], column))
            return true;
    }
    if (r->has_columns)
        return list_has(r->columns, naive_columns[column]) != r->is_except;
    return r->tags.count == 0;
}

bool naive_is_whole(const gh_acl_rule *r)
{
    return !r->has_columns && r->tags.count == 0;
}

truth naive_filter(const gh_acl_rule *r, const truth *row)
{
    for (int i = 0; i < FILTERS; i++) {
        if (gh_str_eq(r->rows, naive_filters[i]))
            return row[i];
    }
    return TRUE;
}

static int naive_mask_index(gh_str text, int column)
{
    for (int i = 0; i < (int)GH_COUNT(naive_masks); i++) {
        if (gh_str_is(text, naive_masks[i].text))
            return (naive_masks[i].fits >> column & 1) != 0 ? i : NULL_MASK;
    }
    return NULL_MASK;
}

int naive_mask_of(const gh_acl_rule *r, int column)
{
    for (size_t i = 0; i < r->mask_count; i++) {
        if (gh_str_eq(r->masks[i].column, naive_columns[column]))
            return naive_mask_index(r->masks[i].mask, column);
    }
    return NO_MASK;
}

/* Is the one comparable with the other, and does it show at least as much? */
bool naive_comparable(int a, int b)
{
    if (a == b)
        return true;
    if (naive_masks[a].rank == 70 || naive_masks[b].rank == 70)
        return naive_masks[a].rank >= 80 || naive_masks[b].rank >= 80;
    return naive_masks[a].rank != naive_masks[b].rank;
}

static bool naive_weaker(int a, int b)
{
    return naive_comparable(a, b) && naive_masks[a].rank <= naive_masks[b].rank;
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
bool naive_is_grant(const gh_acl *acl, const gh_acl_rule *r, int privilege)
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
bool naive_has_column(const gh_acl *acl, int privilege, int column)
{
    for (size_t i = 0; i < acl->rule_count; i++) {
        if (naive_is_grant(acl, &acl->rules[i], privilege) &&
            naive_names_column(acl, &acl->rules[i], column))
            return !naive_is_gone(acl, privilege, column);
    }
    return false;
}

bool naive_has_privilege(const gh_acl *acl, int privilege)
{
    for (int i = 0; i < COLUMNS; i++) {
        if (naive_has_column(acl, privilege, i))
            return true;
    }
    return false;
}

bool naive_row(const gh_acl *acl, int privilege, const truth *row)
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

bool naive_cell_denied(const gh_acl *acl, int privilege, int column, const truth *row)
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
bool naive_is_lost(const gh_acl *acl, int mask, int column)
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

shown naive_cell(const gh_acl *acl, int column, const truth *row)
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
