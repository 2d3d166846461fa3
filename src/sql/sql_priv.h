/* What this module's files share. */
#ifndef GATEHOUSE_SQL_PRIV_H
#define GATEHOUSE_SQL_PRIV_H

#include "pg.h"

#include <gatehouse/sql.h>

/* In a PG_CATCH, in the caller's memory context: takes PostgreSQL's error as *err. */
GH_MUST_USE gh_rc gh_sql_caught(gh_err *err);

#endif
