/* Unit tests of audit. */
#include "audit_tests.h"

#include <stdlib.h>

int main(void)
{
    SRunner *runner = srunner_create(suite_create("audit"));
    int failed;

    srunner_add_suite(runner, audit_text_suite());
    srunner_add_suite(runner, audit_record_suite());
    srunner_add_suite(runner, audit_chain_suite());
    srunner_add_suite(runner, audit_read_suite());
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
