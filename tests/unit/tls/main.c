#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tls_tests.h"

int main(void)
{
    char command[160];
    Suite *s = suite_create("tls");

    signal(SIGPIPE, SIG_IGN); /* as gh_loop_new does */
    (void)test_path("", "");  /* the folder, before Check forks */
    suite_add_tcase(s, server_tests());
    suite_add_tcase(s, stream_tests());
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    snprintf(command, sizeof(command), "rm -rf %s", test_path("", ""));
    if (system(command) != 0)
        failed++;
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
