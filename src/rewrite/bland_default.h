/*
 * Private to rewrite: which defaults of columns show although their table does not show in full.
 *
 * A default may hold anything: a key, a price, a name. It shows where its text says nothing of what is stored: the next
 * number of a sequence that shows, the time, a random number, the person, or what anybody would guess (yes and no,
 * zero and one, what is empty), whatever it is cast to of PostgreSQL's own. Mappers take from it that a column need not be given.
 *
 * SECURITY: the texts are PostgreSQL's own, printed where nothing but pg_catalog is in the path, so that a function
 * or type of anybody else's comes with its schema and is no match. Attack: tests/integration/catalogs,
 * test_defaults_that_say_nothing.
 */
#ifndef GATEHOUSE_REWRITE_BLAND_DEFAULT_H
#define GATEHOUSE_REWRITE_BLAND_DEFAULT_H

#define GH_BLAND_EXPR(d) "pg_catalog.pg_get_expr(" d ".adbin, " d ".adrelid)"
#define GH_BLAND_CALLS                                                                             \
    "(now|clock_timestamp|statement_timestamp|transaction_timestamp|gen_random_uuid|uuidv4|"       \
    "uuidv7|random)\\(\\)|CURRENT_DATE|CURRENT_USER|SESSION_USER|"                                 \
    "(CURRENT_TIMESTAMP|CURRENT_TIME|LOCALTIMESTAMP|LOCALTIME)(\\([0-6]\\))?|"                     \
    "\\((now\\(\\)|CURRENT_TIMESTAMP) AT TIME ZONE ''[Uu][Tt][Cc]''::text\\)|"                     \
    "timezone\\(''[Uu][Tt][Cc]''::text, (now\\(\\)|CURRENT_TIMESTAMP)\\)"
#define GH_BLAND_CONSTANTS "true|false|NULL|0|1|0[.]0+|''(0|0[.]0+|[{][}]|[[][]])?''"
#define GH_BLAND_TYPES                                                                             \
    "(text|character varying|character|bpchar|name|jsonb?|boolean|smallint|integer|bigint|"        \
    "numeric|real|double precision|money|uuid|bytea|interval|date|"                                \
    "(timestamp|time)(\\([0-6]\\))?( with(out)? time zone)?)"                                      \
    "(\\([0-9]+(,[0-9]+)?\\))?([[][]])?"

/* Conditions on d, a row of pg_attrdef; templates of system_catalog_macros.c. */
#define GH_BLAND_TEXT(d)                                                                           \
    GH_BLAND_EXPR(d)                                                                               \
    " ~ '^\\(?(" GH_BLAND_CALLS "|" GH_BLAND_CONSTANTS ")\\)?(::" GH_BLAND_TYPES ")?$'"
#define GH_BLAND_SEQUENCE(d)                                                                       \
    "EXISTS (SELECT FROM pg_catalog.pg_depend AS gd JOIN pg_catalog.pg_class AS gs ON gs.oid = "   \
    "gd.refobjid AND gs.relkind = 'S' WHERE gd.classid = 2604 AND gd.objid = " d                   \
    ".oid AND gd.refclassid = 1259 AND @rel(gs.oid) AND " GH_BLAND_EXPR(                           \
        d) " = 'nextval(' || pg_catalog.quote_literal(CAST(CAST(gs.oid AS pg_catalog.regclass) "   \
           "AS "                                                                                   \
           "pg_catalog.text)) || '::regclass)')"

#endif
