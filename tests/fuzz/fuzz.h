/*
 * What the targets of the rewriter share: a world to rewrite in, and a mutator that knows SQL's words.
 *
 *     shop.orders    id region amount email note secret   alice: her region's rows, email masked, no secret
 *     shop.regions   region title                         everyone, whole
 *     shop.v_open    id region (a view)                   everyone, whole
 *     shop.mixed     id region a b c                      alice: two grants, so that cells show by row
 *     ops.tickets    id region title body secret          alice: read and write her region but secret
 *     hr.people      id name                              nobody but root
 *
 * Memory: the world lives as long as the process. Threads: one.
 */
#ifndef GATEHOUSE_FUZZ_H
#define GATEHOUSE_FUZZ_H

#include <gatehouse/rewrite.h>

#define FUZZ_USERS 2 /* 0: alice, 1: root */

/* Plans for the text as this user; the arena is reset by the next call. */
gh_rc fuzz_rewrite(int user, gh_str sql, bool is_extended, const gh_plan **plans, size_t *count,
                   gh_err *err);

/* Names of the world, for the mutator. */
extern const char *const fuzz_words[];
extern const size_t fuzz_word_count;

/* Does the SQL that was emitted for alice keep what every such text must keep? Aborts with the reason. */
void fuzz_check_sent(gh_str client, const gh_plan *plan, bool is_governed);

/* Prints both texts and aborts. */
_Noreturn void fuzz_fail(const char *why, gh_str first, gh_str second);

#endif
