#ifndef GATEHOUSE_TEST_LOOP_TESTS_H
#define GATEHOUSE_TEST_LOOP_TESTS_H

#include <check.h>

#include <gatehouse/loop.h>

TCase *loop_tests(void);
TCase *listener_tests(void);

gh_loop *loop_for_test(void);
/* Runs until stopped; fails after 5 s. */
void loop_run_for_test(gh_loop *l);

#endif
