/* store: the ACL file, what goes in and what comes out. */
#include "world.h"

#include <stdlib.h>

int main(void)
{
    SRunner *sr = srunner_create(suite_file());

    srunner_add_suite(sr, suite_apply());
    srunner_add_suite(sr, suite_edit());
    srunner_add_suite(sr, suite_update());
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
