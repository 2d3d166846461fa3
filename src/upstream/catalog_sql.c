/*
 * What the warehouse is asked for its catalog (catalog_read.c).
 *
 * Only columns that exist in PostgreSQL 13 to 18 are read. With search_path = pg_catalog,
 * format_type qualifies every type outside pg_catalog.
 */
#include "catalog_sql.h"

#define HIDDEN                                                                                     \
    "hidden AS MATERIALIZED (SELECT oid FROM pg_namespace "                                        \
    "WHERE nspname ~ '^pg_(toast|temp_|toast_temp_)') "

/* i: which catalog; k: which row; x: which version of it. */
const char gh_catalog_sql_digest[] =
    "WITH " HIDDEN ", hidden_class AS MATERIALIZED (SELECT oid FROM pg_class "
    "WHERE relnamespace IN (TABLE hidden)), versions AS ("
    "SELECT 1 AS i, oid::int8 AS k, xmin::text::int8 AS x FROM pg_namespace "
    "WHERE oid NOT IN (TABLE hidden) "
    "UNION ALL SELECT 2, oid::int8, xmin::text::int8 FROM pg_class "
    "WHERE relnamespace NOT IN (TABLE hidden) "
    "UNION ALL SELECT 3, attrelid::int8 * 65536 + attnum, xmin::text::int8 FROM pg_attribute "
    "WHERE attnum > 0 AND attrelid NOT IN (TABLE hidden_class) "
    "UNION ALL SELECT 4, oid::int8, xmin::text::int8 FROM pg_constraint "
    "WHERE (contype IN ('p', 'u', 'x') OR contypid <> 0) AND connamespace NOT IN (TABLE hidden) "
    "UNION ALL SELECT 5, oid::int8, xmin::text::int8 FROM pg_type "
    "WHERE typnamespace NOT IN (TABLE hidden) "
    "UNION ALL SELECT 6, oid::int8, xmin::text::int8 FROM pg_proc "
    "WHERE pronamespace NOT IN (TABLE hidden) "
    "UNION ALL SELECT 7, oid::int8, xmin::text::int8 FROM pg_operator "
    "UNION ALL SELECT 8, oid::int8, xmin::text::int8 FROM pg_cast "
    "UNION ALL SELECT 9, oid::int8, xmin::text::int8 FROM pg_trigger "
    "WHERE tgrelid NOT IN (TABLE hidden_class) "
    "UNION ALL SELECT 10, oid::int8, xmin::text::int8 FROM pg_rewrite "
    "WHERE ev_class NOT IN (TABLE hidden_class) "
    "UNION ALL SELECT 11, inhrelid::int8, xmin::text::int8 FROM pg_inherits "
    "WHERE inhrelid NOT IN (TABLE hidden_class) "
    "UNION ALL SELECT 12, oid::int8, xmin::text::int8 FROM pg_opclass "
    "UNION ALL SELECT 13, oid::int8, xmin::text::int8 FROM pg_ts_config WHERE oid >= 16384 "
    "UNION ALL SELECT 14, oid::int8, xmin::text::int8 FROM pg_ts_dict WHERE oid >= 16384), "
    "sums AS (SELECT i, count(*) AS n, sum(hashint8extended(k, x)) AS h FROM versions GROUP BY i) "
    "SELECT concat_ws(' ', current_setting('server_version_num'), current_user, "
    "current_database(), string_agg(i || ':' || n || '/' || h, ' ' ORDER BY i)) FROM sums";

const char gh_catalog_sql_schemas[] =
    "SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp_|toast_temp_)'";

/*
 * Which columns, in lower case, a BEFORE ROW trigger may change; NULL: any. Of a function in PL/pgSQL those that it names
 * as NEW.column, where it says NEW for nothing else but to read it and returns nothing else: by its text, comments and strings
 * included, so that what is not understood counts as any. What stands among a call's arguments is read, but by CALL, which
 * may give it back changed; so are NEW.*, NEW IS ..., ... DISTINCT FROM NEW, and what a variable is set to.
 */
#define NEW_COLUMN "\\mnew\\s*\\.\\s*(\"[^\"]*\"|[a-z_][a-z0-9_$]*)"
#define NEW_READ                                                                                   \
    "[(,]\\s*new\\s*(?=[,)])|\\mnew\\s*\\.\\s*\\*|\\mnew\\s+is\\M|\\mdistinct\\s+from\\s+"         \
    "new\\M(?!\\s*\\.)|:=\\s*new\\s*;"
#define TRIGGER_COLUMNS                                                                            \
    "CASE WHEN f.oid < 16384 AND f.proname = 'suppress_redundant_updates_trigger' THEN '{}' "      \
    "WHEN f.oid < 16384 AND f.proname IN ('tsvector_update_trigger', "                             \
    "'tsvector_update_trigger_column') OR f.prosrc = 'moddatetime' AND f.probin = "                \
    "'$libdir/moddatetime' THEN ARRAY[lower(split_part(encode(t.tgargs, 'escape'), "               \
    "E'\\\\000', 1))] WHEN l.lanname = 'plpgsql' AND f.prosrc !~* "                                \
    "'u&|\"\"|[^\\x01-\\x7f]|[a-z0-9_$]{64}' AND "                                                 \
    "regexp_replace(regexp_replace(regexp_replace(f.prosrc, '" NEW_COLUMN "', '', 'gi'), CASE "    \
    "WHEN f.prosrc ~* '\\mcall\\M' THEN '$.' ELSE '" NEW_READ "' END, '', 'gi'), "                 \
    "'\\mreturn\\s+(new|null)\\s*;', '', 'gi') !~* '\\m(new|return)\\M' THEN ARRAY(SELECT "        \
    "DISTINCT "                                                                                    \
    "lower(btrim(m[1], '\"')) FROM regexp_matches(f.prosrc, '" NEW_COLUMN "', 'gi') AS m) END"

/*
 * `altered`: relations where what is stored may differ from what INSERT, or UPDATE, writes: BEFORE ROW
 * triggers, rules, foreign tables (whose triggers are elsewhere), and whatever has such a partition
 * or child. An UPDATE that moves a row to another partition inserts it there.
 */
#define ALTERED                                                                                    \
    ", altered (oid, on_insert, on_update, columns) AS (("                                         \
    "SELECT t.tgrelid, t.tgtype & 4 <> 0, t.tgtype & 16 <> 0, " TRIGGER_COLUMNS " FROM "           \
    "pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid JOIN pg_language l ON l.oid = f.prolang "     \
    "WHERE t.tgtype & 3 = 3 "                                                                      \
    "UNION SELECT ev_class, true, true, NULL FROM pg_rewrite WHERE ev_type <> '1' "                \
    "UNION SELECT oid, true, true, NULL FROM pg_class WHERE relkind = 'f') "                       \
    "UNION SELECT i.inhparent, a.on_insert, a.on_update OR a.on_insert AND p.relkind = 'p', "      \
    "a.columns FROM pg_inherits i JOIN altered a ON a.oid = i.inhrelid "                           \
    "JOIN pg_class p ON p.oid = i.inhparent) "

const char gh_catalog_sql_relations[] =
    "WITH RECURSIVE " HIDDEN ALTERED
    "SELECT c.oid, c.relnamespace, n.nspname, c.relname, c.relkind, c.relkind = 'v' AND EXISTS ("
    "SELECT FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = 'security_barrier' "
    "AND o.option_value::bool), c.relispartition, c.reltype, p.conkey, "
    "c.relkind IN ('r', 'p') AND c.oid NOT IN (SELECT oid FROM altered WHERE on_insert "
    "AND columns IS NULL), c.relkind IN ('r', 'p') AND c.oid NOT IN (SELECT oid FROM altered "
    "WHERE on_update AND columns IS NULL), f.oids, "
    "ARRAY(SELECT inhparent FROM pg_inherits WHERE inhrelid = c.oid), CASE WHEN c.relkind = 'v' "
    "AND EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type = '1' "
    "AND r.ev_action::text !~ ':quals [{]' AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_class u "
    "ON u.oid = d.refobjid WHERE d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid "
    "AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid "
    "AND u.relkind NOT IN ('r', 'p'))) "
    "THEN pg_relation_is_updatable(c.oid, false) & 28 = 28 ELSE false END "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "LEFT JOIN pg_constraint p ON p.conrelid = c.oid AND p.contype = 'p' "
    "LEFT JOIN (SELECT confrelid, array_agg(DISTINCT conrelid) AS oids FROM pg_constraint "
    "WHERE contype = 'f' AND conparentid = 0 GROUP BY confrelid) f ON f.confrelid = c.oid "
    "WHERE c.relkind <> 't' AND c.relnamespace NOT IN (TABLE hidden) ORDER BY c.oid";

/*
 * Columns of views that are more than a column of a table, by the stored query: every target list in it says
 * `{TARGETENTRY :expr {...} :resno n`, where a column is a VAR and nothing else. A view with queries inside
 * (rtekind 1 and 6), functions or VALUES in its FROM (3 and 5), or other views is taken as a whole: column 0
 * stands for all.
 */
#define PLAIN_ENTRY                                                                                \
    "\\{TARGETENTRY :expr (?:\\{(?:VAR|CONST) [^{}]*\\}|\\{RELABELTYPE :arg \\{VAR [^{}]*\\} "     \
    "[^{}]*\\}) "
/* From 18 on what a query groups by has an entry of its own, of kind 9. */
#define COMPUTED_GROUP ":rtekind 9 :groupexprs [(](?![{]VAR [^{}]*[}]( [{]VAR [^{}]*[}])*[)])"
#define COMPUTED                                                                                   \
    ", views AS MATERIALIZED (SELECT r.oid AS rule, r.ev_class AS oid, r.ev_action::text AS q "    \
    "FROM pg_rewrite r JOIN pg_class v ON v.oid = r.ev_class WHERE v.relkind = 'v' "               \
    "AND r.ev_type = '1' AND v.oid >= 16384 AND v.relnamespace NOT IN (TABLE hidden)), entries "   \
    "AS MATERIALIZED ("                                                                            \
    "SELECT v.oid, e.m[2]::int AS resno FROM views v, "                                            \
    "regexp_matches(v.q, '(" PLAIN_ENTRY ")?:resno ([0-9]+) ', 'g') AS e (m) "                     \
    "WHERE e.m[1] IS NULL), uses AS MATERIALIZED (SELECT v.oid, d.refobjid AS used FROM views v "  \
    "JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = v.rule "                 \
    "AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid "                             \
    "JOIN views u ON u.oid = d.refobjid), tainted AS ((SELECT oid FROM entries "                   \
    "UNION SELECT oid FROM views WHERE q ~ ':rtekind [35] ' OR q ~ '" COMPUTED_GROUP "') "         \
    "UNION SELECT u.oid FROM tainted t JOIN uses u ON u.used = t.oid), "                           \
    "computed AS MATERIALIZED (SELECT oid, resno FROM entries UNION SELECT v.oid, 0 FROM views v " \
    "JOIN tainted t ON t.oid = v.oid WHERE v.q ~ ':rtekind [1356] ' OR v.q ~ '" COMPUTED_GROUP     \
    "' "                                                                                           \
    "OR v.oid IN (SELECT oid FROM uses)) "

#define ALTERS(event)                                                                              \
    "EXISTS (SELECT FROM altered x WHERE x.oid = a.attrelid AND x." event                          \
    " AND lower(a.attname::text COLLATE \"C\") = ANY (x.columns))"

/* The sequence that is the column's own: of an identity, or of serial. */
#define SEQUENCE_OF(relation, column, dependency)                                                  \
    "p.refclassid = 'pg_class'::regclass AND p.refobjid = " relation                               \
    " AND p.refobjsubid = " column                                                                 \
    " AND p.classid = 'pg_class'::regclass AND p.deptype = '" dependency "'"

/* Of relations that can be read or whose row can be a value; an index's columns are nobody's. */
const char gh_catalog_sql_columns[] =
    "WITH RECURSIVE " HIDDEN ALTERED COMPUTED
    "SELECT a.attrelid, a.attname, a.attnum, a.atttypid, a.atttypmod, a.attcollation, "
    "format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef, a.attidentity, "
    "a.attgenerated, c.relkind = 'v' AND EXISTS (SELECT FROM computed p WHERE p.oid = a.attrelid "
    "AND p.resno IN (0, a.attnum)), " ALTERS("on_insert") ", " ALTERS(
        "on_update") " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
                     "WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind NOT IN ('t', 'i', "
                     "'I') "
                     "AND c.relnamespace NOT IN (TABLE hidden) ORDER BY a.attrelid, a.attnum";

/* gh_column.default_sql */
const char gh_catalog_sql_defaults[] =
    "WITH " HIDDEN
    "SELECT a.attrelid, a.attnum, CASE WHEN a.attidentity = '' THEN d.sql ELSE (SELECT "
    "format('START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s%s', s.seqstart, "
    "s.seqincrement, s.seqmin, s.seqmax, CASE WHEN s.seqcycle THEN ' CYCLE' END) FROM pg_depend p "
    "JOIN pg_sequence s ON s.seqrelid = p.objid WHERE " SEQUENCE_OF(
        "a.attrelid", "a.attnum",
        "i") ") END FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
             "LEFT JOIN (SELECT adrelid, adnum, pg_get_expr(adbin, adrelid) AS sql FROM "
             "pg_attrdef) d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
             "AND length(d.sql) < 200 AND (d.sql ~ "
             "'^([(]*(''|[0-9])|[(]*(true|false|NULL|now\\(\\)|CURRENT_TIMESTAMP|CURRENT_DATE|"
             "LOCALTIMESTAMP)([)]*::|$)|"
             "((clock|statement|transaction)_timestamp|gen_random_uuid)\\(\\)$)' "
             "OR d.sql LIKE 'nextval(%' AND EXISTS (SELECT FROM pg_depend p WHERE " SEQUENCE_OF(
                 "d.adrelid", "d.adnum",
                 "a") " AND d.sql = format('nextval(%L::regclass)', p.objid::regclass::text))) "
                      "WHERE a.attnum > 0 AND (a.attidentity <> '' OR a.atthasdef AND "
                      "a.attgenerated = '' AND d.sql IS NOT NULL) AND c.relkind NOT IN "
                      "('t', 'i', 'I') AND c.relnamespace NOT IN (TABLE hidden) "
                      "ORDER BY a.attrelid, a.attnum";

/* What ON CONFLICT ON CONSTRAINT can name. */
const char gh_catalog_sql_constraints[] =
    "WITH " HIDDEN "SELECT conrelid, conname, conkey, contype FROM pg_constraint "
    "WHERE contype IN ('p', 'u', 'x') AND conrelid <> 0 AND connamespace NOT IN (TABLE hidden) "
    "ORDER BY conrelid, conname";

/* What ON CONFLICT (...) WHERE can name. */
const char gh_catalog_sql_partial_keys[] =
    "WITH " HIDDEN "SELECT i.indrelid, pg_get_expr(i.indpred, i.indrelid) FROM pg_index i "
    "JOIN pg_class c ON c.oid = i.indrelid WHERE i.indisunique AND i.indpred IS NOT NULL "
    "AND c.relnamespace NOT IN (TABLE hidden) ORDER BY i.indrelid, i.indexrelid";

const char gh_catalog_sql_types[] =
    "WITH " HIDDEN "SELECT t.oid, n.nspname, t.typname, t.typtype, t.typcategory, t.typrelid, "
    "CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END, t.typarray, t.typbasetype, "
    "t.typispreferred, CASE WHEN t.typtype = 'd' THEN (SELECT CASE WHEN count(DISTINCT f.oid) > 1 "
    "THEN 1 ELSE max(f.oid) END FROM pg_constraint k JOIN pg_depend d ON d.classid = "
    "'pg_constraint'::regclass AND d.objid = k.oid AND d.refobjid >= 16384 AND d.refclassid IN "
    "('pg_proc'::regclass, 'pg_operator'::regclass) "
    "LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid "
    "CROSS JOIN LATERAL (SELECT COALESCE(o.oprcode::oid, d.refobjid) AS oid) f "
    "WHERE k.contypid = t.oid AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = "
    "d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e')) END, "
    "EXISTS (SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod WHERE o.oid >= 16384 "
    "AND o.opcintype = t.oid AND o.opcdefault AND m.amname IN ('btree', 'hash') AND NOT EXISTS ("
    "SELECT FROM pg_depend e WHERE e.classid = 'pg_opclass'::regclass AND e.objid = o.oid "
    "AND e.deptype = 'e')), EXISTS (SELECT FROM pg_cast c WHERE c.oid >= 16384 AND "
    "c.castsource = t.oid AND (c.castcontext = 'i' OR c.castcontext = 'a' AND c.casttarget = 16)) "
    "FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace "
    "WHERE t.typnamespace NOT IN (TABLE hidden)";

const char gh_catalog_sql_functions[] =
    "WITH " HIDDEN "SELECT p.oid, n.nspname, p.proname, p.prokind, p.provolatile, p.proisstrict, "
    "p.proleakproof, p.proretset, p.prosecdef, n.nspname = 'pg_catalog' AND p.oid < 16384 AND "
    "p.prolang IN (SELECT oid FROM pg_language WHERE lanname IN ('internal', 'c')), "
    "p.provariadic, p.prorettype, p.proargtypes, p.pronargdefaults, "
    "CASE WHEN p.oid >= 16384 THEN (SELECT e.extname FROM pg_depend d JOIN pg_extension e "
    "ON e.oid = d.refobjid WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid "
    "AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e') END, "
    "coalesce((SELECT CASE WHEN c.setting ~ '[=, ]\"?pg_temp\"?$' THEN 0 "
    "WHEN c.setting ~ '^search_path=(\"\"|pg_catalog)?$' THEN 1 ELSE 2 END "
    "FROM unnest(p.proconfig) AS c (setting) WHERE c.setting ~ '^search_path='), 0), "
    "p.oid >= 16384 AND p.prolang = 12 AND p.prosrc ~ '^(multi)?range_constructor[0-9]$' "
    "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
    "WHERE p.pronamespace NOT IN (TABLE hidden) ORDER BY p.oid";

/* One that has no name is a column by its number; alone, it is no column but the value. */
const char gh_catalog_sql_outputs[] =
    "WITH " HIDDEN
    "SELECT p.oid, COALESCE(NULLIF(p.proargnames[a.n], ''), CASE WHEN count(*) OVER w "
    "> 1 THEN 'column' || row_number() OVER (w ORDER BY a.n) ELSE '' END), p.proallargtypes[a.n] "
    "FROM pg_proc p, unnest(p.proargmodes) WITH ORDINALITY AS a (mode, n) "
    "WHERE a.mode IN ('o', 'b', 't') AND p.pronamespace NOT IN (TABLE hidden) "
    "WINDOW w AS (PARTITION BY p.oid) ORDER BY p.oid, a.n";

const char gh_catalog_sql_operators[] =
    "SELECT o.oid, n.nspname, o.oprname, o.oprleft, o.oprright, o.oprresult, o.oprcode::oid, "
    "o.oid < 16384 OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_operator'::regclass "
    "AND d.objid = o.oid AND d.deptype = 'e') "
    "FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace";

const char gh_catalog_sql_casts[] =
    "SELECT castsource, casttarget, castfunc, castcontext, castmethod, castfunc < 16384 OR EXISTS ("
    "SELECT FROM pg_depend d WHERE d.classid = 'pg_cast'::regclass AND d.objid = c.oid "
    "AND d.deptype = 'e'), c.oid >= 16384 FROM pg_cast c";

const char gh_catalog_sql_search[] =
    "SELECT n.nspname, c.cfgname, false FROM pg_ts_config c JOIN pg_namespace n "
    "ON n.oid = c.cfgnamespace WHERE c.oid >= 16384 UNION ALL SELECT n.nspname, d.dictname, true "
    "FROM pg_ts_dict d JOIN pg_namespace n ON n.oid = d.dictnamespace WHERE d.oid >= 16384";
