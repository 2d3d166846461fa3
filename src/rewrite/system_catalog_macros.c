/*
 * The templates' language: `@name` is a value of the session or an array of what the user may see, `@name(a, b)` a
 * condition or value over SQL.
 *
 *     "@rel(gh.oid)" ──▶ (gh.oid < 16384 OR ... '{1,2,3}' ... OR gh.oid IN (SELECT ...))
 */
#include "setting.h"
#include "system_catalog.h"

#include "bland_default.h"
#include "function_list.h"

#define EXPAND_DEPTH_MAX 12

/* ---- values of the session ------------------------------------------------------------------------- */

static char *name_literal(const gh_judge *j, gh_str value)
{
    return gh_judge_printf("CAST(%s AS pg_catalog.name)", gh_judge_literal(j, value));
}

/* The first schema of the path that exists for this user. */
static char *current_schema(gh_judge *j)
{
    for (size_t i = 0; i < j->in->search_path.count; i++) {
        gh_oid oid = gh_catalog_schema(j->in->catalog, j->in->search_path.items[i]);

        if (gh_system_schema_is_visible(j, oid))
            return name_literal(j, j->in->search_path.items[i]);
    }
    return pstrdup("CAST(NULL AS pg_catalog.name)");
}

static char *path_names(gh_judge *j, bool is_implicit)
{
    List *names = NIL;

    if (is_implicit && gh_system_temporary_schema(j) != 0)
        names = lappend(names,
                        name_literal(j, gh_catalog_schemas(j->in->temporary, &(size_t){ 0 })[0]));
    if (is_implicit)
        names = lappend(names, name_literal(j, GH_STR("pg_catalog")));
    for (size_t i = 0; i < j->in->search_path.count; i++) {
        gh_str name = j->in->search_path.items[i];
        gh_oid oid = gh_catalog_schema(j->in->catalog, name);

        if (!gh_system_schema_is_visible(j, oid) || (is_implicit && gh_str_is(name, "pg_catalog")))
            continue;
        names = lappend(names, name_literal(j, name));
    }
    return gh_judge_printf("CAST(ARRAY[%s] AS pg_catalog.name[])", gh_judge_join(names, ", "));
}

static char *path_oids(const gh_judge *j)
{
    gh_oid temporary = gh_system_temporary_schema(j);
    List *oids =
        list_make1(gh_judge_printf("%u", gh_catalog_schema(j->in->catalog, GH_STR("pg_catalog"))));

    if (temporary != 0)
        oids = lappend(oids, gh_judge_printf("%u", temporary));
    for (size_t i = 0; i < j->in->search_path.count; i++) {
        gh_oid oid = gh_catalog_schema(j->in->catalog, j->in->search_path.items[i]);

        if (oid != 0)
            oids = lappend(oids, gh_judge_printf("%u", oid));
    }
    return gh_judge_printf("CAST('{%s}' AS pg_catalog.oid[])", gh_judge_join(oids, ","));
}

/* Settings whose upstream value may be seen: not the virtual ones. */
static char *setting_names(const gh_judge *j)
{
    List *names = NIL;
    const char *name;

    for (size_t i = 0; (name = gh_setting_name(i)) != NULL; i++) {
        if (!gh_setting_is_virtual(gh_str_of(name)))
            names = lappend(names, gh_judge_literal(j, gh_str_of(name)));
    }
    return gh_judge_join(names, ", ");
}

/* ---- macros --------------------------------------------------------------------------------------- */

typedef struct gh_macro {
    const char *name;
    int args;
    const char *body; /* $1 $2 $3 are the arguments */
} gh_macro;

static const gh_macro s_macros[] = {
    { "builtin", 1, "($1 < 16384)" },
    /* The planner would look up the frequency of each number in the array; into CASE it does not look. */
    { "any", 2, "(CASE WHEN $1 = ANY ($2) THEN true ELSE false END)" },
    { "type", 1, "($1 < 16384 OR @any($1, @types))" },
    { "func", 1, "($1 < 16384 OR @any($1, @funcs))" },
    { "schema", 1, "@any($1, @visible_schemas)" },
    { "full", 1, "($1 < 16384 OR @any($1, @fulls))" },
    /*
     * SECURITY: a number that is no column's may be another relation's key, and functions cut it to 16 bits. Attack:
     * tests/integration/catalogs, test_numbers_that_are_no_columns.
     */
    { "key", 2,
      "($2 BETWEEN 1 AND 2047 AND pg_catalog.width_bucket(CAST($1 AS pg_catalog.int8) * 2048 + $2, "
      "@keys) % 2 <> 0)" },
    /* Every column, INCLUDE's too; expressions and conditions only of what is seen in full. */
    { "index", 1,
      "($1.indrelid < 16384 OR (@any($1.indrelid, @rels) AND (@any($1.indrelid, @fulls) OR "
      "($1.indpred IS NULL AND $1.indexprs IS NULL)) AND NOT EXISTS (SELECT FROM "
      "pg_catalog.unnest(CAST($1.indkey AS pg_catalog.int2[])) AS gk (n) WHERE gk.n <> 0 AND NOT "
      "@key($1.indrelid, gk.n))))" },
    /*
     * What is looked up by a number is EXISTS, for which the planner chooses between one look and a table of all; the aliases
     * in it are nobody else's.
     */
    { "indexid", 1,
      "(EXISTS (SELECT FROM pg_catalog.pg_index AS gxi WHERE gxi.indexrelid = $1 AND "
      "@index(gxi)))" },
    /* The same of many. */
    { "indexin", 1,
      "($1 IN (SELECT gi.indexrelid FROM pg_catalog.pg_index AS gi WHERE @index(gi)))" },
    { "owned", 1,
      "(EXISTS (SELECT FROM pg_catalog.pg_depend AS gxd JOIN pg_catalog.pg_class AS gxs ON gxs.oid "
      "= "
      "gxd.objid AND gxs.relkind = 'S' WHERE gxd.objid = $1 AND gxd.classid = 1259 AND "
      "gxd.refclassid = 1259 AND gxd.objsubid = 0 AND gxd.deptype IN ('a', 'i') AND "
      "@key(gxd.refobjid, gxd.refobjsubid)))" },
    { "sequence", 1,
      "(@any($1, @fulls) OR $1 IN (SELECT gd.objid FROM pg_catalog.pg_depend AS gd WHERE "
      "gd.classid = 1259 AND gd.refclassid = 1259 AND gd.deptype IN ('a', 'i') AND "
      "@any(gd.refobjid, @fulls)))" },
    { "bland", 1, "(" GH_BLAND_TEXT("$1") " OR " GH_BLAND_SEQUENCE("$1") ")" },
    { "blandname", 3,
      "(EXISTS (SELECT FROM pg_catalog.pg_attrdef AS gb JOIN pg_catalog.pg_attribute AS ga ON "
      "ga.attrelid = gb.adrelid AND ga.attnum = gb.adnum JOIN pg_catalog.pg_class AS gc ON gc.oid "
      "= gb.adrelid JOIN pg_catalog.pg_namespace AS gn ON gn.oid = gc.relnamespace WHERE "
      "gn.nspname = $1 AND gc.relname = $2 AND ga.attname = $3 AND @bland(gb)))" },
    /* The name that information_schema gives to NOT NULL (before 18), if no constraint has it. */
    { "notnull", 1,
      "(CASE WHEN $1 ~ '^[0-9]{1,9}_[0-9]{1,9}_[0-9]{1,4}_not_null$' AND NOT EXISTS (SELECT FROM "
      "pg_catalog.pg_constraint AS gc WHERE gc.conname = $1) THEN "
      "@key(CAST(pg_catalog.split_part(CAST($1 AS pg_catalog.text), '_', 2) AS pg_catalog.int8), "
      "CAST(pg_catalog.split_part(CAST($1 AS pg_catalog.text), '_', 3) AS pg_catalog.int8)) ELSE "
      "false END)" },
    { "rel", 1, "($1 < 16384 OR @any($1, @rels) OR @indexid($1) OR @owned($1))" },
    { "attr", 2, "($1 < 16384 OR @key($1, $2) OR @indexin($1))" },
    { "conby", 2,
      "(CASE WHEN $1.contypid <> 0 THEN @type($1.contypid) WHEN $1.conrelid < 16384 THEN true "
      "WHEN NOT @any($1.conrelid, @rels) OR EXISTS (SELECT FROM pg_catalog.unnest($1.conkey) AS "
      "gk (n) WHERE NOT @key($1.conrelid, gk.n)) THEN false WHEN $1.contype = 'f' THEN "
      "@any($1.confrelid, @rels) AND NOT EXISTS (SELECT FROM pg_catalog.unnest($1.confkey) AS gk "
      "(n) WHERE NOT @key($1.confrelid, gk.n)) WHEN $1.contype = 'c' THEN "
      "@any($1.conrelid, @fulls) WHEN $1.contype IN ('p', 'u', 'x') THEN $2 "
      "WHEN $1.contype = "
      "'n' THEN true ELSE false END)" },
    { "con", 1, "@conby($1, @indexid($1.conindid))" },
    { "conin", 1, "@conby($1, @indexin($1.conindid))" }, /* of many */
    { "conid", 1,
      "(EXISTS (SELECT FROM pg_catalog.pg_constraint AS gxc WHERE gxc.oid = $1 AND @con(gxc)))" },
    { "part", 1,
      "(@any($1.partrelid, @rels) AND (@any($1.partrelid, @fulls) OR $1.partexprs IS NULL) AND "
      "NOT EXISTS (SELECT FROM pg_catalog.unnest(CAST($1.partattrs AS pg_catalog.int2[])) AS gk "
      "(n) "
      "WHERE gk.n <> 0 AND NOT @key($1.partrelid, gk.n)))" },
    { "partid", 1,
      "($1 IN (SELECT gp.partrelid FROM pg_catalog.pg_partitioned_table AS gp WHERE @part(gp)))" },
    /* pg_class pg_type pg_proc pg_constraint pg_attrdef pg_namespace pg_extension; never pg_authid and
     * pg_database */
    { "object", 3,
      "(CASE $1 WHEN 1259 THEN @rel($2) AND ($3 = 0 OR @attr($2, $3)) WHEN 1247 THEN @type($2) "
      "WHEN "
      "1255 THEN @func($2) WHEN 2606 THEN @conid($2) WHEN 2604 THEN $2 IN (SELECT ga.oid FROM "
      "pg_catalog.pg_attrdef AS ga WHERE @attr(ga.adrelid, ga.adnum) AND (@full(ga.adrelid) OR "
      "@bland(ga))) WHEN 2615 THEN @schema($2) "
      "WHEN 3079 THEN @extension($2) WHEN 1260 THEN false WHEN 1262 THEN false ELSE $2 < 16384 "
      "END)" },
    { "extension", 1,
      "($1 < 16384 OR $1 IN (SELECT gd.refobjid FROM pg_catalog.pg_depend AS gd WHERE gd.classid = "
      "1247 AND gd.refclassid = 3079 AND gd.deptype = 'e' AND @any(gd.objid, @types)))" },
    { "extname", 1,
      "(EXISTS (SELECT FROM pg_catalog.pg_extension AS ge WHERE ge.extname = $1 AND "
      "@extension(ge.oid)))" },
    /* What pg_class.relhasindex and relhastriggers tell, of a row of pg_class. */
    { "hasindex", 1,
      "(CASE WHEN @full($1.oid) THEN $1.relhasindex ELSE EXISTS (SELECT FROM pg_catalog.pg_index "
      "AS gx WHERE gx.indrelid = $1.oid AND @index(gx)) END)" },
    { "hastriggers", 1,
      "(EXISTS (SELECT FROM pg_catalog.pg_constraint AS gf WHERE gf.contype = 'f' AND "
      "(gf.conrelid = $1.oid OR gf.confrelid = $1.oid) AND @con(gf)))" },
    { "relname", 2,
      "(EXISTS (SELECT FROM pg_catalog.pg_class AS gc JOIN pg_catalog.pg_namespace AS gn ON gn.oid "
      "= gc.relnamespace WHERE gn.nspname = $1 AND gc.relname = $2 AND @rel(gc.oid)))" },
    { "relfull", 2,
      "(EXISTS (SELECT FROM pg_catalog.pg_class AS gc JOIN pg_catalog.pg_namespace AS gn ON gn.oid "
      "= gc.relnamespace WHERE gn.nspname = $1 AND gc.relname = $2 AND @full(gc.oid)))" },
    { "colname", 3,
      "(EXISTS (SELECT FROM pg_catalog.pg_attribute AS ga JOIN pg_catalog.pg_class AS gc ON gc.oid "
      "= ga.attrelid JOIN pg_catalog.pg_namespace AS gn ON gn.oid = gc.relnamespace WHERE "
      "gn.nspname = $1 AND gc.relname = $2 AND ga.attname = $3 AND @attr(ga.attrelid, "
      "ga.attnum)))" },
    /* The same for all rows at once. */
    { "anycolname", 3,
      "((($1, $2, $3) IN (SELECT gn.nspname, gc.relname, ga.attname FROM pg_catalog.pg_attribute "
      "AS ga JOIN pg_catalog.pg_class AS gc ON gc.oid = ga.attrelid JOIN pg_catalog.pg_namespace "
      "AS gn ON gn.oid = gc.relnamespace WHERE @attr(ga.attrelid, ga.attnum))) IS TRUE)" },
    { "colnumber", 3,
      "((($1, $2, CAST($3 AS pg_catalog.text)) IN (SELECT gn.nspname, gc.relname, "
      "CAST(ga.attnum AS pg_catalog.text) FROM pg_catalog.pg_attribute AS ga JOIN "
      "pg_catalog.pg_class AS gc ON gc.oid = ga.attrelid JOIN pg_catalog.pg_namespace AS gn ON "
      "gn.oid = gc.relnamespace WHERE @attr(ga.attrelid, ga.attnum))) IS TRUE)" },
    { "conname", 2,
      "((($1, $2) IN (SELECT gn.nspname, gc.conname FROM pg_catalog.pg_constraint AS gc JOIN "
      "pg_catalog.pg_namespace AS gn ON gn.oid = gc.connamespace WHERE @conin(gc))) IS TRUE)" },
    { "relcon", 4,
      "((($1, $2, $3, $4) IN (SELECT gn.nspname, gc.conname, gm.nspname, gr.relname FROM "
      "pg_catalog.pg_constraint AS gc JOIN pg_catalog.pg_namespace AS gn ON gn.oid = "
      "gc.connamespace JOIN pg_catalog.pg_class AS gr ON gr.oid = gc.conrelid JOIN "
      "pg_catalog.pg_namespace AS gm ON gm.oid = gr.relnamespace WHERE @conin(gc))) IS TRUE)" },
    { "typename", 2,
      "(EXISTS (SELECT FROM pg_catalog.pg_type AS gt JOIN pg_catalog.pg_namespace AS gn ON gn.oid "
      "= "
      "gt.typnamespace WHERE gn.nspname = $1 AND gt.typname = $2 AND @type(gt.oid)))" },
    /* The name that information_schema gives to a function ends with its OID. */
    { "routineoid", 1,
      "CAST(pg_catalog.\"substring\"(CAST($1 AS pg_catalog.text), '[0-9]+$') AS pg_catalog.oid)" },
    { "routine", 1, "@func(@routineoid($1))" },
    { "may", 2,
      "(CASE WHEN $1 ~* 'grant option' THEN false ELSE ($1 ~* 'select' AND ($2 < 16384 OR "
      "@any($2, @may0))) OR ($1 ~* 'insert' AND @any($2, @may1)) OR ($1 ~* 'update' AND @any($2, "
      "@may2)) OR ($1 ~* 'delete' AND @any($2, @may3)) OR ($1 ~* 'truncate' AND @any($2, @may4)) "
      "END)" },
    { "maybyname", 3,
      "(EXISTS (SELECT FROM pg_catalog.pg_class AS gc JOIN pg_catalog.pg_namespace AS gn ON gn.oid "
      "= gc.relnamespace WHERE gn.nspname = $1 AND gc.relname = $2 AND @may(CAST($3 AS "
      "pg_catalog.text), gc.oid)))" },
    /* Of a privilege's name and a relation: those that the user holds, in PostgreSQL's order. */
    { "acl", 1,
      "(SELECT pg_catalog.array_agg(pg_catalog.makeaclitem(@owner, @owner, gp.p, false) ORDER BY "
      "gp.n) FROM "
      "(VALUES (1, 'INSERT'), (2, 'SELECT'), (3, 'UPDATE'), (4, 'DELETE'), (5, 'TRUNCATE')) AS gp "
      "(n, p) "
      "WHERE @may(gp.p, $1))" },
    { "viewdefname", 2,
      "(SELECT @viewdef(gv.oid) FROM pg_catalog.pg_class AS gv JOIN pg_catalog.pg_namespace AS gm "
      "ON "
      "gm.oid = gv.relnamespace WHERE gm.nspname = $1 AND gv.relname = $2)" },
    { "viewdef", 1,
      "(SELECT ' SELECT ' || pg_catalog.string_agg(pg_catalog.quote_ident(CAST(ga.attname AS "
      "pg_catalog.text)), ', ' ORDER BY ga.attnum) || ' FROM ' || pg_catalog.quote_ident(CAST("
      "gn.nspname AS pg_catalog.text)) || '.' || pg_catalog.quote_ident(CAST(gc.relname AS "
      "pg_catalog.text)) || ';' FROM pg_catalog.pg_class AS gc JOIN pg_catalog.pg_namespace AS gn "
      "ON gn.oid = gc.relnamespace JOIN pg_catalog.pg_attribute AS ga ON ga.attrelid = gc.oid AND "
      "ga.attnum > 0 WHERE gc.oid = $1 AND gc.relkind IN ('v', 'm') AND @rel(gc.oid) AND "
      "@attr(ga.attrelid, ga.attnum) GROUP BY gn.nspname, gc.relname)" },
    /* The row of pg_proc: SQL that runs with the caller's rights and in which every word is a parameter's
     * name, a keyword, or the name of a function or type of initdb; nothing is quoted. A body of SQL (from 14
     * on) has no text. */
    { "source", 1,
      "(@any($1.oid, @funcs) AND $1.prolang = 14 AND NOT $1.prosecdef AND $1.proconfig IS NULL "
      "AND "
      "$1.prosrc <> '' AND $1.prosrc ~ '^[][A-Za-z0-9_$ \\t\\r\\n+*/%(),;:.<>=!|&~^#?-]*$' "
      "AND "
      "NOT EXISTS (SELECT FROM pg_catalog.regexp_matches(pg_catalog.lower($1.prosrc), "
      "'[a-z_][a-z0-9_$]*', 'g') AS gw (w) WHERE gw.w[1] <> ALL (COALESCE($1.proargnames, '{}')) "
      "AND NOT EXISTS (SELECT FROM pg_catalog.pg_get_keywords() AS gk WHERE gk.word = gw.w[1]) AND "
      "NOT EXISTS (SELECT FROM pg_catalog.pg_proc AS gb WHERE gb.proname = gw.w[1] AND "
      "@builtin(gb.oid)) AND NOT EXISTS (SELECT FROM pg_catalog.pg_type AS gt WHERE gt.typname = "
      "gw.w[1] AND @builtin(gt.oid))))" },
    { "sourceid", 1,
      "(EXISTS (SELECT FROM pg_catalog.pg_proc AS gp WHERE gp.oid = $1 AND @source(gp)))" },
    { "owner", 0, "CAST(" GH_SYSTEM_OWNER " AS pg_catalog.oid)" },
};

/* Values of this statement; NULL if the name is not one. */
static const char *value_of(gh_judge *j, gh_str name)
{
    const char *set = gh_system_set_sql(j, name);

    if (set != NULL)
        return set;
    if (gh_str_is(name, "user"))
        return name_literal(j, gh_view_user(j->in->view));
    if (gh_str_is(name, "db"))
        return name_literal(j, j->in->database);
    if (gh_str_is(name, "schemas"))
        return path_oids(j);
    if (gh_str_is(name, "current_schema"))
        return current_schema(j);
    if (gh_str_is(name, "path"))
        return path_names(j, false);
    if (gh_str_is(name, "implicit_path"))
        return path_names(j, true);
    if (gh_str_is(name, "find_relation"))
        return gh_function_find(j, "regclass");
    if (gh_str_is(name, "find_type"))
        return gh_function_find(j, "regtype");
    if (gh_str_is(name, "find_function"))
        return gh_function_find(j, "regprocedure");
    if (gh_str_is(name, "settings"))
        return setting_names(j);
    if (gh_str_is(name, "column_default"))
        return gh_print_default(j, "pg_get_expr", "column_default");
    if (gh_str_is(name, "parameter_default"))
        return gh_print_default(j, "pg_get_function_arg_default", "parameter_default");
    if (gh_str_is(name, "may_temporary"))
        return (gh_view_may(j->in->view) & GH_MAY_TEMP_TABLES) != 0 ? "true" : "false";
    if (gh_str_is(name, "search_path"))
        return gh_judge_literal(j, j->in->search_path_text);
    return gh_system_session_value(j, name);
}

/* ---- expansion ------------------------------------------------------------------------------------ */

/* Splits "(a, b)" into arguments; returns what follows, NULL if it is not closed. */
static const char *split_args(const char *p, gh_str *args, int max, int *count)
{
    int depth = 0;
    const char *start = p + 1;

    *count = 0;
    for (; *p != '\0'; p++) {
        if (*p == '(' && depth++ == 0)
            start = p + 1;
        else if (*p == ')')
            depth--;
        if ((*p == ',' && depth == 1) || depth == 0) {
            if (*count == max)
                return NULL;
            while (*start == ' ')
                start++;
            args[(*count)++] = (gh_str){ start, (size_t)(p - start) };
            start = p + 1;
        }
        if (depth == 0)
            return p + 1;
    }
    return NULL;
}

static bool expand(gh_judge *j, gh_str text, int depth, gh_buf *out);

static bool expand_macro(gh_judge *j, const gh_macro *m, const gh_str *args, int depth, gh_buf *out)
{
    gh_buf b;
    bool is_ok;

    gh_buf_init(&b, 0);
    for (const char *p = m->body; *p != '\0'; p++) {
        if (*p == '$' && p[1] >= '1' && p[1] <= '4' && p[1] - '1' < m->args)
            gh_buf_put_str(&b, args[*++p - '1']);
        else
            gh_buf_put_u8(&b, (uint8_t)*p);
    }
    is_ok = expand(j, gh_buf_str(&b), depth + 1, out);
    gh_buf_fini(&b);
    return is_ok;
}

static const gh_macro *find_macro(gh_str name)
{
    for (size_t i = 0; i < GH_COUNT(s_macros); i++) {
        if (gh_str_is(name, s_macros[i].name))
            return &s_macros[i];
    }
    return NULL;
}

/* One macro at p, behind its @; returns what follows it. */
static const char *expand_at(gh_judge *j, const char *p, int depth, gh_buf *out)
{
    gh_str name = { p, strspn(p, "abcdefghijklmnopqrstuvwxyz_01234") };
    const gh_macro *m = find_macro(name);
    const char *value;
    gh_str args[4];
    int count = 0;

    p += name.len;
    if (m != NULL) {
        if (m->args > 0)
            p = split_args(p, args, 4, &count);
        if (p == NULL || count != m->args || !expand_macro(j, m, args, depth, out))
            return NULL;
        return p;
    }
    value = value_of(j, name);
    if (value != NULL)
        gh_buf_puts(out, value);
    return value != NULL ? p : NULL;
}

static bool expand(gh_judge *j, gh_str text, int depth, gh_buf *out)
{
    char *copy = gh_judge_cstr(text);

    if (depth > EXPAND_DEPTH_MAX)
        return false;
    for (const char *p = copy; *p != '\0';) {
        size_t plain = strcspn(p, "@");

        gh_buf_put(out, p, plain);
        p += plain;
        if (*p != '@')
            continue;
        p = expand_at(j, p + 1, depth, out);
        if (p == NULL)
            return false;
    }
    return true;
}

char *gh_system_expand(gh_judge *j, const char *text)
{
    gh_buf b;
    char *out = NULL;

    gh_buf_init(&b, 0);
    if (expand(j, gh_str_of(text), 0, &b) && !b.failed) {
        out = gh_judge_cstr(gh_buf_str(&b));
    } else {
        gh_judge_refuse(j, GH_INTERNAL, "XX000", -1, "statement cannot be rewritten");
        gh_err_detail(j->err, "a template of the system catalogs is wrong");
    }
    gh_buf_fini(&b);
    return out;
}
