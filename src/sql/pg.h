/* PostgreSQL's headers as this module needs them, in the order that they need. */
#ifndef GATEHOUSE_SQL_PG_H
#define GATEHOUSE_SQL_PG_H

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <postgres.h>

/* The library's globals are thread-local (PGDLLIMPORT=__thread), but for these tables of constants. */
#pragma push_macro("PGDLLIMPORT")
#undef PGDLLIMPORT
#define PGDLLIMPORT
#include <common/keywords.h>
#include <parser/scanner.h>
#pragma pop_macro("PGDLLIMPORT")

#include <mb/pg_wchar.h>
#include <miscadmin.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <nodes/pg_list.h>
#include <parser/parser.h>
#include <utils/memutils.h>

/* gramparse.h must come last: gram.h defines token names that other headers use as field names. */
#include <parser/gramparse.h>
#pragma GCC diagnostic pop

/* Node tags are PostgreSQL's enum of hundreds; a switch over them names what is known and refuses
 * the rest. */
#pragma GCC diagnostic ignored "-Wswitch-enum"

/* Exported by libpg_query beside PostgreSQL's own entry points (pg_query_internal.h). */
MemoryContext pg_query_enter_memory_context(void);
void pg_query_exit_memory_context(MemoryContext ctx);

/* postgres.h replaces printf and kin by the server's own, which the library does not export. */
#undef snprintf
#undef vsnprintf
#undef sprintf
#undef vsprintf
#undef printf
#undef fprintf
#undef vprintf
#undef vfprintf
#undef strerror
#undef strerror_r

#endif
