#ifndef TEST_CONFIG_SUITES_H
#define TEST_CONFIG_SUITES_H

#include <check.h>

Suite *suite_yaml(void);
Suite *suite_values(void);
Suite *suite_config(void);

#endif
