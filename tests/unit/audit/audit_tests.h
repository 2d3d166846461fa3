#ifndef AUDIT_TESTS_H
#define AUDIT_TESTS_H

#include <gatehouse/audit.h>

#include <check.h>

Suite *audit_text_suite(void);
Suite *audit_record_suite(void);
Suite *audit_chain_suite(void);
Suite *audit_read_suite(void);

#endif
