#ifndef BASE_TESTS_H
#define BASE_TESTS_H

#include <gatehouse/base.h>

#include <check.h>

Suite *base_text_suite(void);
Suite *base_memory_suite(void);
Suite *base_log_suite(void);

#endif
