#ifndef GATEHOUSE_TEST_UPSTREAM_TESTS_H
#define GATEHOUSE_TEST_UPSTREAM_TESTS_H

#include <check.h>

TCase *connect_tests(void);
TCase *cancel_tests(void);
TCase *pool_tests(void);
TCase *catalog_read_tests(void);
TCase *link_tests(void);

#endif
