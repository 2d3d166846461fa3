/*
 * grant --check, deny --check.
 */
#ifndef GATEHOUSE_CLI_GRANT_CHECK_H
#define GATEHOUSE_CLI_GRANT_CHECK_H

#include "policy_code.h"

/* GH_CLI_DONE: relations and columns exist in the config file's warehouses, and what narrows the
 * rule fits them. Otherwise it is printed what does not. */
GH_MUST_USE int cli_check_rule(cli_call *c, const gh_acl_rule *rule);

#endif
