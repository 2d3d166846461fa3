/*
 * reg_lookup.c: what the text of a reg* value names, among what may be seen: SQL that the upstream computes, since
 * the text may be a parameter or a column's value.
 *
 *     gt.t ─▶ as it stands ─▶ with each schema of the client's path in front ─▶ the first that may be seen
 */
#include "judge.h"

#include "function_list.h"
#include "system_catalog.h"

/* A name of three parts fails unless the first is the upstream's database, whose name does not show. */
#define TWO_PARTS(text) "pg_catalog.regexp_replace(" text ", '\"[^\"]*\"', '', 'g') !~ '[.].*[.]'"
/* A modifier, which does not matter here, is refused for a type that exists and takes none. */
#define BARE(text) "pg_catalog.regexp_replace(" text ", '[(][0-9, ]*[)]', '')"
/*
 * SECURITY: the types of arguments are looked up with an error for one that is not there, so only those
 * that may be seen get there. A part with half a quote is an error by its text alone. Attack: catalogs.
 */
#define OF_VISIBLE_TYPES                                                                           \
    "(CASE WHEN gt.t ~ '^[^()]*[(][^()]*[)] *$' AND " TWO_PARTS(                                   \
        "pg_catalog.split_part(gt.t, '(', 1)") " THEN NOT EXISTS (SELECT FROM "                    \
                                               "pg_catalog.regexp_split_to_table(pg_catalog."      \
                                               "rtrim(pg_catalog.split_part(gt.t, '(', 2), ') "    \
                                               "'), ',') AS ga (t) WHERE "                         \
                                               "pg_catalog.lower(pg_catalog.btrim(ga.t)) NOT IN "  \
                                               "('', 'none') AND "                                 \
                                               "(CASE WHEN " TWO_PARTS(                            \
                                                   "ga.t") " THEN "                                \
                                                           "@type(COALESCE(CAST(pg_catalog.to_"    \
                                                           "regtype(ga.t) AS "                     \
                                                           "pg_catalog.oid), 4294967295)) ELSE "   \
                                                           "false END) IS NOT TRUE) ELSE false "   \
                                                           "END)"

/* The name of a relation, type ... that nobody has: initdb makes none of the kind in pg_catalog. */
#define ABSENT "\"pg_catalog\".\"gatehouse: absent\""

static const gh_reg_lookup s_lookups[] = {
    { "regclass", ABSENT, "to_regclass", NULL, "@rel(gr.o)", "gt.t", TWO_PARTS("gt.t") },
    { "regtype", ABSENT, "to_regtype", NULL, "@type(gr.o)", BARE("gt.t"),
      "gt.t !~ '[(](?![0-9, ]*[)])' AND " TWO_PARTS("gt.t") },
    { "regproc", ABSENT, "to_regproc", NULL, "@func(gr.o)", "gt.t", TWO_PARTS("gt.t") },
    { "regprocedure", ABSENT "()", "to_regprocedure", NULL, "@func(gr.o)", "gt.t",
      OF_VISIBLE_TYPES },
    { "regoper", ABSENT, "to_regoper", NULL, "@builtin(gr.o)", "gt.t", TWO_PARTS("gt.t") },
    { "regoperator", ABSENT "(none, pg_catalog.int4)", "to_regoperator", NULL, "@builtin(gr.o)",
      "gt.t", OF_VISIBLE_TYPES },
    { "regcollation", ABSENT, "to_regcollation", NULL, "@builtin(gr.o)", "gt.t",
      TWO_PARTS("gt.t") },
    { "regnamespace", "\"gatehouse: absent\"", NULL,
      "(SELECT gn.oid FROM pg_catalog.pg_namespace AS gn WHERE "
      "pg_catalog.quote_ident(CAST(gn.nspname AS pg_catalog.text)) = gt.t)",
      "@schema(gr.o)", NULL, NULL },
    { "regrole", "\"gatehouse: absent\"", NULL,
      "(CASE WHEN gt.t IN (CAST(@user AS pg_catalog.text), pg_catalog.quote_ident(CAST(@user AS "
      "pg_catalog.text))) THEN @owner END)",
      "gr.o = @owner", NULL, NULL },
    { "regconfig", ABSENT, NULL,
      "(SELECT gc.oid FROM pg_catalog.pg_ts_config AS gc WHERE gc.cfgname = gt.t)",
      "@builtin(gr.o)", NULL, NULL },
    { "regdictionary", ABSENT, NULL,
      "(SELECT gc.oid FROM pg_catalog.pg_ts_dict AS gc WHERE gc.dictname = gt.t)", "@builtin(gr.o)",
      NULL, NULL },
};

const gh_reg_lookup *gh_reg_lookup_of(gh_str type)
{
    for (size_t i = 0; i < GH_COUNT(s_lookups); i++) {
        if (gh_str_is(type, s_lookups[i].type))
            return &s_lookups[i];
    }
    return NULL;
}

/* The name of a schema as the input functions of reg* types read it, with its dot. */
static char *text_prefix(gh_str schema)
{
    char *out = palloc(2 * schema.len + 4);
    size_t n = 0;

    out[n++] = '"';
    for (size_t i = 0; i < schema.len; i++) {
        if (schema.ptr[i] == '"')
            out[n++] = '"';
        out[n++] = schema.ptr[i];
    }
    out[n++] = '"';
    out[n++] = '.';
    out[n] = '\0';
    return out;
}

static char *visible(gh_judge *j, const gh_reg_lookup *l, const char *oid)
{
    char *guarded = gh_system_expand(j, l->guard);

    return guarded == NULL
               ? NULL
               : gh_judge_printf("(SELECT gr.o FROM (SELECT %s OFFSET 0) AS gr (o) WHERE %s)", oid,
                                 guarded);
}

/*
 * gt.t without the name of the database that may stand before schema and relation, where that is the one the
 * client knows.
 */
static char *without_database(gh_judge *j)
{
#define PART "(\"([^\"]|\"\")*\"|[^\".]+)"
    char *quoted = gh_judge_literal(j, gh_str_of(text_prefix(j->in->database)));
    char *bare = gh_judge_literal(
        j, gh_str_of(gh_judge_printf(GH_STR_FMT ".", GH_STR_ARG(j->in->database))));

    return gh_judge_printf(
        "(SELECT CASE WHEN gt.t !~ '^" PART "[.]" PART "[.]" PART "$' THEN gt.t "
        "WHEN pg_catalog.starts_with(gt.t, gd.q) THEN pg_catalog.substr(gt.t, "
        "pg_catalog.length(gd.q) + 1) "
        "WHEN pg_catalog.starts_with(pg_catalog.lower(gt.t), gd.b) THEN pg_catalog.substr(gt.t, "
        "pg_catalog.length(gd.b) + 1) ELSE gt.t END "
        "FROM (SELECT CAST(%s AS pg_catalog.text), CAST(%s AS pg_catalog.text)) AS gd (q, b))",
        quoted, bare);
#undef PART
}

/* OID of the first object that the text gt.t names along the client's path and that may be seen. */
char *gh_reg_search(gh_judge *j, const gh_reg_lookup *l)
{
    const char *when;
    char *out;

    if (l->function == NULL) {
        const char *find = gh_system_expand(j, l->find);

        return find == NULL ? NULL : visible(j, l, find);
    }
    when = gh_system_expand(j, l->when);
    if (when == NULL)
        return NULL;
    out = visible(j, l,
                  gh_judge_printf("CASE WHEN %s THEN CAST(pg_catalog.%s(%s) AS pg_catalog.oid) END",
                                  when, l->function, l->text));
    for (size_t i = 0; i < j->in->search_path.count && out != NULL; i++) {
        char *prefix = gh_judge_literal(j, gh_str_of(text_prefix(j->in->search_path.items[i])));
        char *next = visible(
            j, l,
            gh_judge_printf("CASE WHEN %s THEN CAST(pg_catalog.%s(%s || %s) AS pg_catalog.oid) END",
                            when, l->function, prefix, l->text));

        if (next == NULL)
            return NULL;
        out = gh_judge_printf("%s, CASE WHEN gt.t !~ '[.]' THEN %s END", out, next);
    }
    if (out == NULL)
        return NULL;
    if (strcmp(l->type, "regclass") != 0)
        return gh_judge_printf("COALESCE(%s)", out);
    return gh_judge_printf("(SELECT COALESCE(%s) FROM (SELECT %s OFFSET 0) AS gt (t))", out,
                           without_database(j));
}

/* Of a number, which needs no search; what is more than a column is computed once. */
static gh_wrap number_wrap(gh_judge *j, const gh_reg_lookup *l, const char *column,
                           const Node *number)
{
    char *guarded;
    char *sets;
    gh_wrap w = { 0 };

    gh_system_sets_beside(j);
    guarded = gh_system_expand(j, l->guard);
    sets = gh_system_sets_sql(j, ", ");
    if (guarded == NULL)
        return w;
    w.prefix = gh_judge_printf("(SELECT gr.o AS %s FROM (SELECT CAST((",
                               gh_judge_ident(j, gh_str_of(column)));
    w.suffix = gh_judge_printf(") AS pg_catalog.oid)%s) AS gr (o)%s WHERE gr.o = 0 OR %s)",
                               IsA(number, ColumnRef) ? "" : " OFFSET 0", sets, guarded);
    return w;
}

/*
 * A name that may not be seen, or is nobody's, fails as in PostgreSQL, where it is read: by the name of
 * what never exists, which varies with the row, so that no planner reads it before.
 *
 * SECURITY: what the client wrote stands in a FROM item of its own that is not LATERAL, so that no name of ours is in its
 * scope. Attack: tests/attack captured-names.
 */
gh_wrap gh_reg_wrap(gh_judge *j, const gh_reg_lookup *l, const char *column, const Node *number)
{
    char *sql;
    char *guarded;
    char *sets;
    gh_wrap w = { 0 };

    if (number != NULL)
        return number_wrap(j, l, column, number);
    gh_system_sets_beside(j);
    sql = gh_reg_search(j, l);
    guarded = sql != NULL ? gh_system_expand(j, l->guard) : NULL;
    sets = gh_system_sets_sql(j, ", ");
    if (guarded == NULL)
        return w;
    w.prefix = gh_judge_printf(
        "(SELECT CASE WHEN gr.o IS NULL AND gr.t IS NOT NULL THEN CAST(CAST('%s' || "
        "pg_catalog.substr(gr.t, 1, 0) AS pg_catalog.%s) AS pg_catalog.oid) ELSE gr.o END AS %s "
        "FROM (SELECT CAST((",
        l->absent, l->type, gh_judge_ident(j, gh_str_of(column)));
    w.suffix = gh_judge_printf(
        ") AS pg_catalog.text)) AS gt (t)%s, LATERAL (SELECT CASE WHEN gt.t ~ '^[0-9]+$' THEN "
        "CAST(gt.t AS pg_catalog.oid) WHEN gt.t = '-' THEN 0 ELSE %s END, gt.t OFFSET 0) AS gr (o, "
        "t) WHERE gr.o IS NULL OR gr.o = 0 OR %s)",
        sets, sql, guarded);
    return w;
}

/* The name as the upstream would quote it in an error, so that the client reads its own words there; what nobody has
 * where a relation of pg_catalog that may not be seen has it. */
static const char *absent_name(const gh_judge *j, const gh_reg_lookup *l, const char *shown)
{
    const gh_relation *r =
        gh_catalog_relation(j->in->catalog, GH_STR("pg_catalog"), gh_str_of(shown));

    if (r != NULL || strlen(shown) >= NAMEDATALEN || strchr(shown, '"') != NULL)
        return l->absent;
    return gh_judge_printf("\"%s\"", shown);
}

char *gh_reg_literal_class(gh_judge *j, const char *text, const char *shown)
{
    const gh_reg_lookup *l = gh_reg_lookup_of(GH_STR("regclass"));
    char *search;
    char *sets;

    gh_system_sets_beside(j);
    search = gh_reg_search(j, l);
    sets = gh_system_sets_sql(j, ", ");
    if (search == NULL)
        return NULL;
    return gh_judge_printf(
        "(SELECT CASE WHEN gr.o IS NULL THEN CAST(CAST(%s || pg_catalog.substr(gr.t, 1, 0) AS "
        "pg_catalog.regclass) AS pg_catalog.oid) ELSE gr.o END AS regclass FROM (SELECT CAST(%s AS "
        "pg_catalog.text)) AS gt (t)%s, LATERAL (SELECT %s, gt.t OFFSET 0) AS gr (o, t))",
        gh_judge_literal(j, gh_str_of(absent_name(j, l, shown))),
        gh_judge_literal(j, gh_str_of(text)), sets, search);
}

char *gh_function_find(gh_judge *j, const char *type)
{
    return gh_reg_search(j, gh_reg_lookup_of(gh_str_of(type)));
}
