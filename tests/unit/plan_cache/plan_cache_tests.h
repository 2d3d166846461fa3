#ifndef PLAN_CACHE_TESTS_H
#define PLAN_CACHE_TESTS_H

#include <check.h>

TCase *tcase_template(void);

#endif
