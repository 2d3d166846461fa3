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
#include "naive.h"
#include "policy_priv.h"
#include "rounds.h"

#include <stdlib.h>
#include <time.h>

/* ---- what a decision says ------------------------------------------------------------------- */

static truth truth_of(const gh_decision *d, uint16_t filter, const truth *row)
{
    for (int i = 0; i < FILTERS; i++) {
        if (gh_str_eq(d->filters[filter], naive_filters[i]))
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
    for (int i = 0; i < (int)naive_mask_count; i++) {
        if (gh_str_is(m->name, naive_masks[i].shown))
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

/* ---- running both --------------------------------------------------------------------------- */

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
        columns[i] = (gh_column){ .name = naive_columns[i],
                                  .attnum = (int16_t)(i + 1),
                                  .type_oid = naive_types[i],
                                  .typmod = -1 };
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
    *count = rounds(*count, 10 * *count);
    return is_set("GH_LONG") ? (uint64_t)time(NULL) << 20 : 1;
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

        naive_world(&w, seed + i, i % 2 == 0 ? naive_mask_count : TOTAL_MASKS, 1 + i % RULES);
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
    return s.is_clear ? 0 : naive_masks[s.mask].rank;
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

        naive_world(&w, seed + i, TOTAL_MASKS, i % RULES);
        before = decide_acl(&w.acl);
        naive_rule(&w, &w.rules[w.acl.rule_count], 50, is_deny, w.masks[RULES]);
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

/* ---- order ---------------------------------------------------------------------------------- */

static void put_set(gh_buf *b, gh_filter_set set)
{
    gh_buf_puts(b, "[");
    for (uint16_t i = 0; i < set.count; i++)
        gh_buf_printf(b, "%u ", set.items[i]);
    gh_buf_puts(b, "]");
}

static void put_decision(gh_buf *b, const gh_decision *d)
{
    gh_buf_printf(b, "%d %u %d %d %d %d\n", d->exists, d->privileges, d->is_full, d->is_open,
                  d->is_every_row, d->rows_all);
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
        size_t other_ = naive_draw((w), (uint32_t)k_);                                             \
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

        naive_world(&w, seed + i, naive_mask_count, 2 + i % (RULES - 1));
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

        naive_world(&w, seed + i, naive_mask_count, 1 + i % RULES);
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
