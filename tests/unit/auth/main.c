/* Unit tests of auth. */
#include "auth_tests.h"

int main(void)
{
    SRunner *runner = srunner_create(suite_create("auth"));
    int failed;

    srunner_add_suite(runner, auth_verifier_suite());
    srunner_add_suite(runner, auth_scram_suite());
    srunner_add_suite(runner, auth_psql_suite());
    srunner_add_suite(runner, auth_throttle_suite());
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
