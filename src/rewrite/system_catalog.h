/*
 * Private to rewrite: what of the system catalogs this user may see, as SQL.
 *
 * Templates are SQL with macros; gh_system_expand replaces them, arguments may hold macros again:
 *
 *     @rel(o)       the relation of OID o is visible: built in, granted, an index whose columns are all
 *                   visible, the sequence of a visible column
 *     @full(o)      ... and every row and column of it is granted in clear
 *     @attr(o,n)    column n of relation o is visible
 *     @key(o,n)     the same, of a relation that is neither built in nor an index
 *     @index(i)     the row i of pg_index; @indexid(o) by OID
 *     @con(c)       the row c of pg_constraint; @conid(o) by OID
 *     @part(p)      the row p of pg_partitioned_table; @partid(o) by OID
 *     @sequence(o)  the values of a sequence are visible
 *     @source(p)    the source of the function with row p of pg_proc shows; @sourceid(o) by OID
 *     @viewdef(o)   text: what a visible view gives, as if that were its source
 *     @type(o) @func(o) @schema(o) @builtin(o)
 *     @any(o,a)     o is in the array a: @rels @fulls @types @funcs @visible_schemas @may0 ...
 *     @object(c,o,n) part n of the object o of catalog c (pg_depend, pg_description)
 *     @relname(s,r) @colname(s,r,c) @typename(s,t)   by names
 *     @may(p,o)     p is a privilege's name, o a relation
 *     @user @db     names, as this user knows them
 *     @owner        OID under which the user's own name is shown
 *     @schemas      schema OIDs of the client's search_path, pg_catalog first
 *     @current_schema @path @implicit_path @settings
 *     @statement_names @statement_texts @cursor_names @cursor_texts   text[]: what the session made
 *     @last_number   lastval()
 *     @may_temporary @has_tls   false or true, of the user and of the client's connection
 *     @column_default @parameter_default   that column, as the client's path prints it
 *     @find_relation @find_type @find_function  OID of what the text gt.t names, if it is visible
 *
 * Aliases inside macros begin with g, and nothing in them is unqualified, so nothing of a client's is
 * captured. Memory: palloc, as everything of a statement.
 */
#ifndef GATEHOUSE_REWRITE_SYSTEM_CATALOG_H
#define GATEHOUSE_REWRITE_SYSTEM_CATALOG_H

#include "judge.h"

/* One column that does not show as it is. */
typedef struct gh_system_column {
    const char *name;
    const char *sql; /* over the alias gh; NULL: the column is not there */
} gh_system_column;

/*
 * OID of the role that owns everything and that the user is. SECURITY: no role has it (initdb gives those below
 * 16384, and never gets there), so that no output function can print the name of the upstream's account.
 * Attack: tests/attack, upstream-account.
 */
#define GH_SYSTEM_OWNER "16383"

struct gh_system_relation {
    const char *name;
    const char *where;               /* over the alias gh; NULL: every row */
    const gh_system_column *columns; /* ends with a zeroed one; NULL for none */
};

/* system_session.c: @statement_names, @statement_texts, @cursor_names, @cursor_texts, @last_number; NULL for other names and
 * after a refusal. */
char *gh_system_session_value(gh_judge *j, gh_str name);

/* NULL after a refusal. */
char *gh_system_expand(gh_judge *j, const char *text);

/* SQL of one of the arrays; NULL: there is none of that name. */
const char *gh_system_set_sql(gh_judge *j, gh_str name);
/* OID of the session's temporary schema; 0 without one. */
gh_oid gh_system_temporary_schema(const gh_judge *j);
/* From here to gh_system_sets_sql the arrays are columns of a FROM item gu. */
void gh_system_sets_beside(gh_judge *j);
/* That item with what was used of it, behind `glue`; empty where nothing was. */
char *gh_system_sets_sql(gh_judge *j, const char *glue);

/* Is this type, outside initdb's, one that the catalogs show? Of tables' row types: the table's. */
bool gh_system_type_is_visible(gh_judge *j, gh_oid oid);

bool gh_system_schema_is_visible(gh_judge *j, gh_oid oid);

/* A query that stands for a view of information_schema, as a template; NULL: the view itself. */
const char *gh_system_information_query(gh_str name);
const gh_system_relation *gh_system_information_find(gh_str name);

#endif
