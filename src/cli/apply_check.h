/*
 * What `policy apply` refuses, and `policy plan` with it.
 */
#ifndef GATEHOUSE_CLI_APPLY_CHECK_H
#define GATEHOUSE_CLI_APPLY_CHECK_H

#include "policy_code.h"

/* Row filters and masks that are no SQL expression are printed, a line each. */
GH_MUST_USE int cli_check_expressions(cli_call *c, const gh_acl *acl);

typedef struct cli_apply_check {
    cli_call *call; /* whose config file is read */
    const gh_acl *files;
    bool is_quiet; /* without warnings */
} cli_apply_check;

/*
 * A gh_store_look: names, filters and masks against the warehouses that can be reached. GH_INVALID where one
 * does not fit; all faults but the last, which is the error, are printed.
 */
GH_MUST_USE gh_rc cli_apply_look(void *check, const gh_acl *after, gh_err *err);

#endif
