#ifndef SQL_TESTS_H
#define SQL_TESTS_H

#include <check.h>
#include <gatehouse/sql.h>

Suite *suite_guard(void);
Suite *suite_emit(void);
Suite *suite_tree(void);

#endif
