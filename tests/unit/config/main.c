/* config: the YAML tree, values as text, and the config file. */
#include "suites.h"

#include <stdlib.h>

int main(void)
{
    SRunner *sr = srunner_create(suite_yaml());

    srunner_add_suite(sr, suite_values());
    srunner_add_suite(sr, suite_config());
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
