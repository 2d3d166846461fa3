/*
 * Reads the warehouse's catalog into a snapshot.
 *
 *     digest ── as last time ──▶ the previous snapshot (one round trip)
 *        └───── another ──▶ BEGIN REPEATABLE READ ▶ digest ▶ schemas ▶ relations ▶ columns ▶ types
 *                           ▶ functions ▶ operators ▶ casts ▶ COMMIT ──▶ a new snapshot
 *
 * The digest counts and sums, per catalog, a hash of each row's identity and its xmin: any
 * committed change of a row writes a new version with another xmin, while what VACUUM and ANALYZE
 * write in place (row counts, frozen xids) leaves it alone. Temporary and TOAST schemas are left
 * out of the digest and of the snapshot: other sessions make and drop tables there all the time,
 * and nobody may name them. Measured on PostgreSQL 15: 4 ms of server time on an empty database,
 * 80 ms with 2,000 tables of 100,000 columns.
 *
 * Only columns that exist in PostgreSQL 13 to 18 are read. With search_path = pg_catalog,
 * format_type qualifies every type outside pg_catalog.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "catalog_read_priv.h"

#define READ_TIMEOUT_MS 120000
#define DIGEST_MAX      GH_CATALOG_DIGEST_MAX

#define HIDDEN                                                                                     \
    "hidden AS MATERIALIZED (SELECT oid FROM pg_namespace "                                        \
    "WHERE nspname ~ '^pg_(toast|temp_|toast_temp_)') "

/* i: which catalog; k: which row; x: which version of it. */
static const char s_digest_sql[] =
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

static const char s_schemas_sql[] =
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

static const char s_relations_sql[] =
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
static const char s_columns_sql[] =
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
static const char s_defaults_sql[] =
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
static const char s_constraints_sql[] =
    "WITH " HIDDEN "SELECT conrelid, conname, conkey, contype FROM pg_constraint "
    "WHERE contype IN ('p', 'u', 'x') AND conrelid <> 0 AND connamespace NOT IN (TABLE hidden) "
    "ORDER BY conrelid, conname";

/* What ON CONFLICT (...) WHERE can name. */
static const char s_partial_keys_sql[] =
    "WITH " HIDDEN "SELECT i.indrelid, pg_get_expr(i.indpred, i.indrelid) FROM pg_index i "
    "JOIN pg_class c ON c.oid = i.indrelid WHERE i.indisunique AND i.indpred IS NOT NULL "
    "AND c.relnamespace NOT IN (TABLE hidden) ORDER BY i.indrelid, i.indexrelid";

static const char s_types_sql[] =
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

static const char s_functions_sql[] =
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
static const char s_outputs_sql[] =
    "WITH " HIDDEN
    "SELECT p.oid, COALESCE(NULLIF(p.proargnames[a.n], ''), CASE WHEN count(*) OVER w "
    "> 1 THEN 'column' || row_number() OVER (w ORDER BY a.n) ELSE '' END), p.proallargtypes[a.n] "
    "FROM pg_proc p, unnest(p.proargmodes) WITH ORDINALITY AS a (mode, n) "
    "WHERE a.mode IN ('o', 'b', 't') AND p.pronamespace NOT IN (TABLE hidden) "
    "WINDOW w AS (PARTITION BY p.oid) ORDER BY p.oid, a.n";

static const char s_operators_sql[] =
    "SELECT o.oid, n.nspname, o.oprname, o.oprleft, o.oprright, o.oprresult, o.oprcode::oid, "
    "o.oid < 16384 OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_operator'::regclass "
    "AND d.objid = o.oid AND d.deptype = 'e') "
    "FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace";

static const char s_casts_sql[] =
    "SELECT castsource, casttarget, castfunc, castcontext, castmethod, castfunc < 16384 OR EXISTS ("
    "SELECT FROM pg_depend d WHERE d.classid = 'pg_cast'::regclass AND d.objid = c.oid "
    "AND d.deptype = 'e'), c.oid >= 16384 FROM pg_cast c";

static const char s_search_sql[] =
    "SELECT n.nspname, c.cfgname, false FROM pg_ts_config c JOIN pg_namespace n "
    "ON n.oid = c.cfgnamespace WHERE c.oid >= 16384 UNION ALL SELECT n.nspname, d.dictname, true "
    "FROM pg_ts_dict d JOIN pg_namespace n ON n.oid = d.dictnamespace WHERE d.oid >= 16384";

/* ---- values --------------------------------------------------------------------------------- */

static gh_str text_at(const PGresult *r, int row, int column)
{
    return (gh_str){ PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column) };
}

static gh_oid oid_at(const PGresult *r, int row, int column)
{
    return (gh_oid)strtoul(PQgetvalue(r, row, column), NULL, 10);
}

static int32_t int_at(const PGresult *r, int row, int column)
{
    return (int32_t)strtol(PQgetvalue(r, row, column), NULL, 10);
}

static bool bool_at(const PGresult *r, int row, int column)
{
    return PQgetvalue(r, row, column)[0] == 't';
}

/* Of a "char": NUL shows as no text. */
static char char_at(const PGresult *r, int row, int column)
{
    return PQgetvalue(r, row, column)[0];
}

/* The numbers in "{1,2}" (int2[]) or "23 25" (oidvector), at most `max`. */
static size_t numbers_at(const PGresult *r, int row, int column, uint32_t *out, size_t max)
{
    const char *at = PQgetvalue(r, row, column);
    size_t count = 0;

    while (*at != '\0' && count < max) {
        char *end;
        unsigned long n = strtoul(at, &end, 10);
        if (end == at) {
            at++;
            continue;
        }
        out[count] = (uint32_t)n;
        count++;
        at = end;
    }
    return count;
}

/* ---- rows into the builder ------------------------------------------------------------------ */

#define NUMBERS_MAX                                                                                \
    1600 /* PostgreSQL: 1600 columns of a table, 32 of an index, 100 arguments (by default) */

#define INDEX_COLUMNS_MAX 32
#define OUTPUTS_MAX       1600 /* as many as a table's columns; those beyond are not known */
#define CONSTRAINTS_MAX   256  /* of one relation; more are not known, and so may not be named */
#define PARTIAL_KEYS_MAX  256  /* the same */

typedef struct reading {
    gh_catalog_builder *builder;
    gh_column *columns; /* of one relation */
    uint32_t numbers[NUMBERS_MAX];
    gh_oid references[NUMBERS_MAX];
    gh_oid parents[NUMBERS_MAX];
    int16_t key[NUMBERS_MAX];
    gh_constraint constraints[CONSTRAINTS_MAX];
    int16_t constraint_columns[CONSTRAINTS_MAX][INDEX_COLUMNS_MAX];
    gh_str partial_keys[PARTIAL_KEYS_MAX];
    gh_out_param outputs[OUTPUTS_MAX]; /* of one function */
} reading;

static void take_schemas(reading *rd, const PGresult *r)
{
    for (int i = 0; i < PQntuples(r); i++)
        gh_catalog_add_schema(rd->builder, oid_at(r, i, 0), text_at(r, i, 1));
}

static void take_column(gh_column *c, const PGresult *r, int row)
{
    *c = (gh_column){
        .name = text_at(r, row, 1),
        .attnum = (int16_t)int_at(r, row, 2),
        .type_oid = oid_at(r, row, 3),
        .typmod = int_at(r, row, 4),
        .collation = oid_at(r, row, 5),
        .type_sql = text_at(r, row, 6),
        .is_not_null = bool_at(r, row, 7),
        .has_default = bool_at(r, row, 8),
        .identity = char_at(r, row, 9),
        .generated = char_at(r, row, 10),
        .is_computed = bool_at(r, row, 11),
        .is_altered_by_insert = bool_at(r, row, 12),
        .is_altered_by_update = bool_at(r, row, 13),
    };
}

/* Of the relation, from row *next on. */
static void take_defaults(reading *rd, const gh_relation *rel, const PGresult *r, int *next)
{
    int end = PQntuples(r);
    uint16_t at = 0;

    while (*next < end && oid_at(r, *next, 0) < rel->oid)
        (*next)++;
    for (; *next < end && oid_at(r, *next, 0) == rel->oid; (*next)++) {
        while (at < rel->column_count && rd->columns[at].attnum < int_at(r, *next, 1))
            at++;
        if (at < rel->column_count && rd->columns[at].attnum == int_at(r, *next, 1))
            rd->columns[at].default_sql = text_at(r, *next, 2);
    }
}

/* The same. */
static void take_constraints(reading *rd, gh_relation *rel, const PGresult *r, int *next)
{
    int end = PQntuples(r);

    rel->constraints = rd->constraints;
    while (*next < end && oid_at(r, *next, 0) < rel->oid)
        (*next)++;
    for (; *next < end && oid_at(r, *next, 0) == rel->oid; (*next)++) {
        gh_constraint *c = &rd->constraints[rel->constraint_count];
        int16_t *columns = rd->constraint_columns[rel->constraint_count];

        if (rel->constraint_count == CONSTRAINTS_MAX)
            continue;
        *c = (gh_constraint){ .name = text_at(r, *next, 1),
                              .kind = char_at(r, *next, 3),
                              .columns = columns };
        c->column_count = (uint16_t)numbers_at(r, *next, 2, rd->numbers, INDEX_COLUMNS_MAX);
        for (size_t k = 0; k < c->column_count; k++)
            columns[k] = (int16_t)rd->numbers[k];
        rel->constraint_count++;
    }
}

/* The same. */
static void take_partial_keys(reading *rd, gh_relation *rel, const PGresult *r, int *next)
{
    int end = PQntuples(r);

    rel->partial_keys = rd->partial_keys;
    while (*next < end && oid_at(r, *next, 0) < rel->oid)
        (*next)++;
    for (; *next < end && oid_at(r, *next, 0) == rel->oid; (*next)++) {
        if (rel->partial_key_count < PARTIAL_KEYS_MAX)
            rd->partial_keys[rel->partial_key_count++] = text_at(r, *next, 1);
    }
}

/* All ordered by the relation's OID: one pass. */
static void take_relations(reading *rd, const PGresult *relations, const PGresult *columns,
                           const PGresult *defaults, const PGresult *constraints,
                           const PGresult *partial_keys)
{
    int next = 0;
    int next_default = 0;
    int next_key = 0;
    int next_constraint = 0;
    int columns_end = PQntuples(columns);

    for (int i = 0; i < PQntuples(relations); i++) {
        gh_relation rel = {
            .oid = oid_at(relations, i, 0),
            .schema_oid = oid_at(relations, i, 1),
            .schema = text_at(relations, i, 2),
            .name = text_at(relations, i, 3),
            .kind = char_at(relations, i, 4),
            .is_security_barrier = bool_at(relations, i, 5),
            .is_partition = bool_at(relations, i, 6),
            .row_type = oid_at(relations, i, 7),
            .is_inserted_as_written = bool_at(relations, i, 9),
            .is_updated_as_written = bool_at(relations, i, 10),
            .columns = rd->columns,
            .primary_key = rd->key,
            .referenced_by = rd->references,
            .referenced_by_count =
                (uint16_t)numbers_at(relations, i, 11, rd->references, NUMBERS_MAX),
            .parents = rd->parents,
            .parent_count = (uint16_t)numbers_at(relations, i, 12, rd->parents, NUMBERS_MAX),
            .is_projection = bool_at(relations, i, 13),
        };
        size_t key_len = numbers_at(relations, i, 8, rd->numbers, NUMBERS_MAX);
        for (size_t k = 0; k < key_len; k++)
            rd->key[k] = (int16_t)rd->numbers[k];
        rel.primary_key_len = (uint16_t)key_len;
        while (next < columns_end && oid_at(columns, next, 0) < rel.oid)
            next++;
        while (next < columns_end && oid_at(columns, next, 0) == rel.oid &&
               rel.column_count < NUMBERS_MAX) {
            take_column(&rd->columns[rel.column_count], columns, next);
            rel.column_count++;
            next++;
        }
        take_defaults(rd, &rel, defaults, &next_default);
        take_constraints(rd, &rel, constraints, &next_constraint);
        take_partial_keys(rd, &rel, partial_keys, &next_key);
        gh_catalog_add_relation(rd->builder, &rel);
    }
}

static void take_types(reading *rd, const PGresult *r)
{
    for (int i = 0; i < PQntuples(r); i++) {
        gh_type t = {
            .oid = oid_at(r, i, 0),
            .schema = text_at(r, i, 1),
            .name = text_at(r, i, 2),
            .kind = char_at(r, i, 3),
            .category = char_at(r, i, 4),
            .relation = oid_at(r, i, 5),
            .element = oid_at(r, i, 6),
            .array = oid_at(r, i, 7),
            .base = oid_at(r, i, 8),
            .is_preferred = bool_at(r, i, 9),
            .check = oid_at(r, i, 10),
            .is_sorted_by_code = bool_at(r, i, 11),
            .is_cast_by_code = bool_at(r, i, 12),
        };
        gh_catalog_add_type(rd->builder, &t);
    }
}

/* From row *at on, those of one function; *at is behind them then. */
static uint16_t take_outputs(reading *rd, const PGresult *r, int *at, gh_oid function)
{
    uint16_t count = 0;

    for (; *at < PQntuples(r) && oid_at(r, *at, 0) <= function; (*at)++) {
        if (oid_at(r, *at, 0) == function && count < OUTPUTS_MAX)
            rd->outputs[count++] =
                (gh_out_param){ .name = text_at(r, *at, 1), .type = oid_at(r, *at, 2) };
    }
    return count;
}

static void take_functions(reading *rd, const PGresult *r, const PGresult *outputs)
{
    int at = 0;

    for (int i = 0; i < PQntuples(r); i++) {
        gh_function f = {
            .oid = oid_at(r, i, 0),
            .schema = text_at(r, i, 1),
            .name = text_at(r, i, 2),
            .kind = char_at(r, i, 3),
            .volatility = char_at(r, i, 4),
            .is_strict = bool_at(r, i, 5),
            .is_leakproof = bool_at(r, i, 6),
            .returns_set = bool_at(r, i, 7),
            .is_security_definer = bool_at(r, i, 8),
            .is_builtin = bool_at(r, i, 9),
            .variadic = oid_at(r, i, 10),
            .result = oid_at(r, i, 11),
            .args = rd->numbers,
            .arg_count = (uint16_t)numbers_at(r, i, 12, rd->numbers, NUMBERS_MAX),
            .default_count = (uint16_t)int_at(r, i, 13),
            .outputs = rd->outputs,
            .output_count = take_outputs(rd, outputs, &at, oid_at(r, i, 0)),
            .extension = text_at(r, i, 14),
            .temporary_front = (gh_front)int_at(r, i, 15),
            .is_constructor = bool_at(r, i, 16),
        };
        gh_catalog_add_function(rd->builder, &f);
    }
}

static void take_operators(reading *rd, const PGresult *r)
{
    for (int i = 0; i < PQntuples(r); i++) {
        gh_operator o = {
            .oid = oid_at(r, i, 0),
            .schema = text_at(r, i, 1),
            .name = text_at(r, i, 2),
            .left = oid_at(r, i, 3),
            .right = oid_at(r, i, 4),
            .result = oid_at(r, i, 5),
            .function = oid_at(r, i, 6),
            .is_trusted = bool_at(r, i, 7),
        };
        gh_catalog_add_operator(rd->builder, &o);
    }
}

static void take_casts(reading *rd, const PGresult *r)
{
    for (int i = 0; i < PQntuples(r); i++) {
        gh_cast c = {
            .source = oid_at(r, i, 0),
            .target = oid_at(r, i, 1),
            .function = oid_at(r, i, 2),
            .context = char_at(r, i, 3),
            .method = char_at(r, i, 4),
            .is_trusted = bool_at(r, i, 5),
            .is_made = bool_at(r, i, 6),
        };
        gh_catalog_add_cast(rd->builder, &c);
    }
}

static void take_search_objects(reading *rd, const PGresult *r)
{
    for (int i = 0; i < PQntuples(r); i++) {
        gh_search_object o = {
            .schema = text_at(r, i, 0),
            .name = text_at(r, i, 1),
            .is_dictionary = bool_at(r, i, 2),
        };
        gh_catalog_add_search_object(rd->builder, &o);
    }
}

/* ---- reading -------------------------------------------------------------------------------- */

static gh_rc query(gh_catalog_reader *r, const char *sql, PGresult **out, gh_err *err)
{
    return gh_blocking_query(r->pg, sql, r->stop_fd, READ_TIMEOUT_MS, out, err);
}

static gh_rc read_digest(gh_catalog_reader *r, char out[DIGEST_MAX], gh_err *err)
{
    PGresult *result = NULL;
    gh_rc rc = query(r, s_digest_sql, &result, err);

    if (rc != GH_OK)
        return rc;
    if (PQntuples(result) != 1 || (size_t)PQgetlength(result, 0, 0) >= DIGEST_MAX)
        rc = gh_upstream_unavailable(GH_BADMSG, err, "the catalog's digest is no digest");
    else
        memcpy(out, PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0) + 1);
    PQclear(result);
    return rc;
}

static gh_rc read_one(gh_catalog_reader *r, const char *sql, reading *rd,
                      void (*take)(reading *rd, const PGresult *result), gh_err *err)
{
    PGresult *result = NULL;
    gh_rc rc = query(r, sql, &result, err);

    if (rc == GH_OK)
        take(rd, result);
    PQclear(result);
    return rc;
}

static gh_rc read_relations(gh_catalog_reader *r, reading *rd, gh_err *err)
{
    PGresult *relations = NULL;
    PGresult *columns = NULL;
    PGresult *defaults = NULL;
    PGresult *constraints = NULL;
    PGresult *partial_keys = NULL;
    gh_rc rc = query(r, s_relations_sql, &relations, err);

    if (rc == GH_OK)
        rc = query(r, s_columns_sql, &columns, err);
    if (rc == GH_OK)
        rc = query(r, s_defaults_sql, &defaults, err);
    if (rc == GH_OK)
        rc = query(r, s_constraints_sql, &constraints, err);
    if (rc == GH_OK)
        rc = query(r, s_partial_keys_sql, &partial_keys, err);
    if (rc == GH_OK)
        take_relations(rd, relations, columns, defaults, constraints, partial_keys);
    PQclear(relations);
    PQclear(columns);
    PQclear(defaults);
    PQclear(constraints);
    PQclear(partial_keys);
    return rc;
}

static gh_rc read_functions(gh_catalog_reader *r, reading *rd, gh_err *err)
{
    PGresult *functions = NULL;
    PGresult *outputs = NULL;
    gh_rc rc = query(r, s_functions_sql, &functions, err);

    if (rc == GH_OK)
        rc = query(r, s_outputs_sql, &outputs, err);
    if (rc == GH_OK)
        take_functions(rd, functions, outputs);
    PQclear(functions);
    PQclear(outputs);
    return rc;
}

static gh_rc read_server(gh_catalog_reader *r, reading *rd, gh_err *err)
{
    PGresult *result = NULL;
    gh_rc rc = query(r, "SELECT current_user, current_database()", &result, err);

    if (rc == GH_OK)
        gh_catalog_set_server(rd->builder, PQserverVersion(r->pg), text_at(result, 0, 0),
                              text_at(result, 0, 1));
    PQclear(result);
    return rc;
}

static gh_rc read_all(gh_catalog_reader *r, reading *rd, gh_err *err)
{
    gh_rc rc = read_server(r, rd, err);

    if (rc == GH_OK)
        rc = read_one(r, s_schemas_sql, rd, take_schemas, err);
    if (rc == GH_OK)
        rc = read_relations(r, rd, err);
    if (rc == GH_OK)
        rc = read_one(r, s_types_sql, rd, take_types, err);
    if (rc == GH_OK)
        rc = read_functions(r, rd, err);
    if (rc == GH_OK)
        rc = read_one(r, s_operators_sql, rd, take_operators, err);
    if (rc == GH_OK)
        rc = read_one(r, s_casts_sql, rd, take_casts, err);
    if (rc == GH_OK)
        rc = read_one(r, s_search_sql, rd, take_search_objects, err);
    return rc;
}

/* Of what the reader is about to give. */
static bool is_same_digest(gh_catalog_reader *r, gh_rc *rc, gh_err *err)
{
    char digest[DIGEST_MAX];

    *rc = read_digest(r, digest, err);
    return *rc == GH_OK && strcmp(digest, r->digest) == 0;
}

/* One snapshot of the server for all queries, the digest among them: it must belong to what was
 * read. */
static gh_rc read_snapshot(gh_catalog_reader *r, gh_catalog **next, gh_err *err)
{
    char digest[DIGEST_MAX];
    reading *rd = gh_alloc(sizeof(*rd));
    bool is_whole = false;
    gh_rc rc;

    rd->builder = gh_catalog_builder_new();
    rd->columns = gh_realloc_array(NULL, NUMBERS_MAX, sizeof(rd->columns[0]));
    rc = query(r, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, err);
    if (rc == GH_OK)
        rc = read_digest(r, digest, err);
    if (rc == GH_OK)
        rc = read_all(r, rd, err);
    if (rc == GH_OK)
        rc = query(r, "COMMIT", NULL, err);
    if (rc == GH_OK) {
        memcpy(r->digest, digest, sizeof(r->digest));
        rc = gh_catalog_read_views(r, rd->builder, is_same_digest, &is_whole, err);
    }
    if (rc != GH_OK || !is_whole)
        r->digest[0] = '\0';
    if (rc == GH_OK) {
        r->epoch++;
        *next = gh_catalog_builder_finish(rd->builder, r->epoch);
        rd->builder = NULL;
    }
    gh_catalog_builder_free(rd->builder);
    free(rd->columns);
    free(rd);
    return rc;
}

static gh_rc connect_reader(gh_catalog_reader *r, gh_err *err)
{
    gh_rc rc;

    if (r->pg != NULL)
        return GH_OK;
    rc = gh_blocking_connect(r->upstream, r->stop_fd, &r->pg, err);
    if (rc != GH_OK)
        return rc;
    if (PQserverVersion(r->pg) < 130000)
        return gh_upstream_unavailable(GH_IO, err, "the server is older than PostgreSQL 13");
    return query(r,
                 "SET search_path = pg_catalog; SET statement_timeout = '60s'; "
                 "SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '60s'; "
                 "SET extra_float_digits = 1; SET jit = off; SET datestyle = 'ISO, MDY'; "
                 "SET intervalstyle = 'iso_8601'; SET quote_all_identifiers = off",
                 NULL, err);
}

static gh_rc read_if_changed(gh_catalog_reader *r, gh_catalog *previous, gh_catalog **next,
                             gh_err *err)
{
    char digest[DIGEST_MAX];
    gh_rc rc = connect_reader(r, err);

    if (rc != GH_OK)
        return rc;
    if (previous != NULL && gh_catalog_epoch(previous) == r->epoch) {
        rc = read_digest(r, digest, err);
        if (rc != GH_OK)
            return rc;
        if (strcmp(digest, r->digest) == 0) {
            *next = gh_catalog_acquire(previous);
            return GH_OK;
        }
    }
    return read_snapshot(r, next, err);
}

gh_rc gh_catalog_read(gh_catalog_reader *r, gh_catalog *previous, gh_catalog **next, gh_err *err)
{
    gh_rc rc = read_if_changed(r, previous, next, err);

    if (rc != GH_OK) {
        PQfinish(r->pg); /* in whatever state: the next call connects anew */
        r->pg = NULL;
    }
    return rc;
}

gh_catalog_reader *gh_catalog_reader_new(gh_upstream *u)
{
    gh_catalog_reader *r = gh_alloc(sizeof(*r));

    r->upstream = gh_upstream_acquire(u);
    r->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    GH_ASSERT(r->stop_fd >= 0); /* made once, at start */
    return r;
}

void gh_catalog_reader_free(gh_catalog_reader *r)
{
    if (r == NULL)
        return;
    PQfinish(r->pg);
    (void)close(r->stop_fd);
    gh_upstream_release(r->upstream);
    free(r->views);
    free(r);
}

void gh_catalog_reader_stop(gh_catalog_reader *r)
{
    uint64_t one = 1;

    while (write(r->stop_fd, &one, sizeof(one)) < 0) {
        if (errno != EINTR)
            break;
    }
}
