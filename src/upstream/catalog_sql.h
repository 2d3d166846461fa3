/* Private to upstream: the queries of catalog_sql.c, whose columns catalog_read.c takes by their numbers. */
#ifndef GATEHOUSE_UPSTREAM_CATALOG_SQL_H
#define GATEHOUSE_UPSTREAM_CATALOG_SQL_H

extern const char gh_catalog_sql_digest[];
extern const char gh_catalog_sql_schemas[];
extern const char gh_catalog_sql_relations[];
extern const char gh_catalog_sql_columns[];
extern const char gh_catalog_sql_defaults[];
extern const char gh_catalog_sql_constraints[];
extern const char gh_catalog_sql_partial_keys[];
extern const char gh_catalog_sql_types[];
extern const char gh_catalog_sql_functions[];
extern const char gh_catalog_sql_outputs[];
extern const char gh_catalog_sql_operators[];
extern const char gh_catalog_sql_casts[];
extern const char gh_catalog_sql_search[];

#endif
