/* upstream against a real PostgreSQL with TLS and SCRAM, started and stopped here. */
#include "tests.h"

#include <stdlib.h>

#include "fixture.h"

int main(void)
{
    Suite *s = suite_create("upstream");
    TCase *cases[] = { connect_tests(), cancel_tests(), pool_tests(), catalog_read_tests(),
                       link_tests() };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        tcase_set_timeout(cases[i], 60);
        suite_add_tcase(s, cases[i]);
    }
    fixture_start();
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    fixture_stop();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
