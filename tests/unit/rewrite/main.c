#include "rewrite_tests.h"

#include <stdlib.h>

int main(void)
{
    SRunner *runner = srunner_create(suite_query());
    int failed;

    srunner_add_suite(runner, suite_write());
    srunner_add_suite(runner, suite_fence());
    srunner_add_suite(runner, suite_through());
    srunner_add_suite(runner, suite_function());
    srunner_add_suite(runner, suite_setting());
    srunner_add_suite(runner, suite_memory());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
