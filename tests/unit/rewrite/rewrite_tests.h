/*
 * What the rewriter's tests stand on: a small catalog, one policy, and a call that rewrites a text for a
 * user and gives the first plan.
 *
 *     sales.orders   id region amount email note secret   alice: id..note, rows of her region, email masked
 *     sales.regions  region title                          everyone, whole
 *     sales.lines    order_id price rate shipped at note   alice: rows that a filter gives
 *     sales.words    id price amount moment code tag odd note   likewise; of three collations, price is a float
 *     sales.v_open   id region (a view)                    everyone, whole
 *     ops.tickets    id region title body secret           alice: read and write all but secret, her region
 *     hr.people      id name                               nobody but root
 *     mart.*         id x (views)                          alice: with `through`
 *     inner_.v_inner region title (a view)                 nobody but root
 *     inner_.v_rows  id region (a view)                    alice: with `through`, rows that a filter gives
 */
#ifndef REWRITE_TESTS_H
#define REWRITE_TESTS_H

#include <check.h>
#include <gatehouse/rewrite.h>

Suite *suite_query(void);
Suite *suite_write(void);
Suite *suite_fence(void);
Suite *suite_function(void);
Suite *suite_memory(void);
Suite *suite_setting(void);
Suite *suite_through(void);

/* Fresh for each test; freed with it. */
void world_setup(void);
void world_teardown(void);
/* The plans for a text; the arena is the world's. */
const gh_plan *rewrite_as(const char *user, const char *sql, size_t *count, gh_err *err);
/* The same; more than so many bytes longer, and it is given up with err.takes_long. */
const gh_plan *rewrite_within(const char *user, const char *sql, size_t added_max, size_t *count,
                              gh_err *err);
/* The only plan; fails the test where the text is not taken at all. */
const gh_plan *plan_as(const char *user, const char *sql);

void check_sent(const char *user, const char *sql, const char *sent);
void check_refused(const char *user, const char *sql, const char *sqlstate, const char *message);

#endif
