/* Unit tests of wire. */
#include "wire_tests.h"

int main(void)
{
    SRunner *runner = srunner_create(suite_create("wire"));
    int failed;

    srunner_add_suite(runner, wire_frame_suite());
    srunner_add_suite(runner, wire_startup_suite());
    srunner_add_suite(runner, wire_messages_suite());
    srunner_add_suite(runner, wire_state_suite());
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
