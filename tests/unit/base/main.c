/* Unit tests of base. */
#include "base_tests.h"

#include <stdlib.h>

int main(void)
{
    SRunner *runner = srunner_create(suite_create("base"));
    int failed;

    srunner_add_suite(runner, base_text_suite());
    srunner_add_suite(runner, base_memory_suite());
    srunner_add_suite(runner, base_log_suite());
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
