/*
 * who: the relation that is asked about, from a warehouse's catalog or, without one, made of what
 * the ACL says about it.
 */
#ifndef GATEHOUSE_CLI_WHO_H
#define GATEHOUSE_CLI_WHO_H

#include "policy_code.h"

typedef struct cli_who_object {
    gh_str warehouse; /* empty: not said */
    gh_str schema;
    gh_str name;
    gh_str column; /* empty: the relation as a whole */
} cli_who_object;

/*
 * A catalog with the one relation: the columns that rules and tags name, the one that is asked
 * about, and `*` for all others. Types are such that the masks of a column fit it. The caller
 * releases it.
 */
gh_catalog *cli_who_catalog(cli_call *c, const gh_acl *acl, const cli_who_object *object);
/* The warehouses that rules on the relation name, and "" for all others. */
gh_str_list cli_who_warehouses(cli_call *c, const gh_acl *acl, const cli_who_object *object);
/* The tags that lie on the column. */
gh_str_list cli_who_tags(cli_call *c, const gh_acl *acl, const cli_who_object *object);

#endif
