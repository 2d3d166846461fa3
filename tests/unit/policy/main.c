/* policy: patterns, masks, compiling, views, decisions, files; and the masks' SQL for another test. */
#include "policy_tests.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    SRunner *sr;
    int failed;

    if (argc > 1 && strcmp(argv[1], "--mask-sql") == 0)
        return print_mask_sql(stdin, stdout);
    sr = srunner_create(policy_pattern_suite());
    srunner_add_suite(sr, policy_mask_suite());
    srunner_add_suite(sr, policy_compile_suite());
    srunner_add_suite(sr, policy_view_suite());
    srunner_add_suite(sr, policy_decide_suite());
    srunner_add_suite(sr, policy_oracle_suite());
    srunner_add_suite(sr, policy_file_suite());
    srunner_add_suite(sr, policy_scale_suite());
    srunner_run_all(sr, CK_ENV);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
