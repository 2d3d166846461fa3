/* PostgreSQL's node headers, as this module needs them. */
#ifndef GATEHOUSE_REWRITE_PG_H
#define GATEHOUSE_REWRITE_PG_H

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <postgres.h>

#include <mb/pg_wchar.h>
#include <miscadmin.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <nodes/pg_list.h>
#include <parser/parser.h>
#include <utils/memutils.h>

#pragma GCC diagnostic pop

/* Node tags are PostgreSQL's enum of hundreds; a switch over them names what is known and refuses
 * the rest. */
#pragma GCC diagnostic ignored "-Wswitch-enum"

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
