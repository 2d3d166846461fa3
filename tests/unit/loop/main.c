#include <stdlib.h>

#include "loop_tests.h"

int main(void)
{
    Suite *s = suite_create("loop");

    suite_add_tcase(s, loop_tests());
    suite_add_tcase(s, listener_tests());
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
