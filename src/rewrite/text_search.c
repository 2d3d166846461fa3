/*
 * Text search: the first argument of many functions names a configuration, a dictionary or a parser. Those of initdb may
 * be named by anybody.
 *
 * SECURITY: one of the warehouse's own is what an administrator made of code and files (synonyms, a thesaurus), and tells
 * of those by what it makes of words; so it may be named by whom the policy's `functions` allow it as they would a
 * function. A name becomes one with its schema here, since upstream no path leads there. Attack: tests/attack/cases/01-functions.txt.
 */
#include "allow.h"
#include "function_list.h"

/* What the first argument of a function names. */
typedef enum gh_search_kind {
    GH_TEXT_SEARCH_NOTHING = 0,
    GH_TEXT_SEARCH_CONFIG,
    GH_TEXT_SEARCH_DICTIONARY,
    GH_TEXT_SEARCH_PARSER,
} gh_search_kind;

static bool is_language(gh_str name)
{
    static const char *const names[] = {
        "arabic",  "armenian",  "basque",     "catalan",  "danish",  "dutch",
        "english", "estonian",  "finnish",    "french",   "german",  "greek",
        "hindi",   "hungarian", "indonesian", "irish",    "italian", "lithuanian",
        "nepali",  "norwegian", "portuguese", "romanian", "russian", "serbian",
        "spanish", "swedish",   "tamil",      "turkish",  "yiddish",
    };

    for (size_t i = 0; i < GH_COUNT(names); i++) {
        if (gh_str_is(name, names[i]))
            return true;
    }
    return false;
}

static gh_search_kind kind_of(const char *function)
{
    if (strcmp(function, "ts_lexize") == 0)
        return GH_TEXT_SEARCH_DICTIONARY;
    if (strcmp(function, "ts_parse") == 0 || strcmp(function, "ts_token_type") == 0)
        return GH_TEXT_SEARCH_PARSER;
    return strcmp(function, "ts_rewrite") == 0 ? GH_TEXT_SEARCH_NOTHING : GH_TEXT_SEARCH_CONFIG;
}

/* Is it one that every server has? */
static bool is_builtin(gh_search_kind kind, gh_str name)
{
    static const char ending[] = "_stem";
    size_t behind = sizeof(ending) - 1;

    switch (kind) {
    case GH_TEXT_SEARCH_CONFIG:
        return gh_str_is(name, "simple") || is_language(name);
    case GH_TEXT_SEARCH_DICTIONARY:
        return gh_str_is(name, "simple") ||
               (name.len > behind && memcmp(name.ptr + name.len - behind, ending, behind) == 0 &&
                is_language((gh_str){ name.ptr, name.len - behind }));
    case GH_TEXT_SEARCH_PARSER:
        return gh_str_is(name, "default");
    case GH_TEXT_SEARCH_NOTHING:
        return false;
    }
    return false;
}

static bool is_allowed(const gh_judge *j, gh_search_kind kind, gh_str schema, gh_str name)
{
    size_t count;
    const gh_search_object *const *all = gh_catalog_search_objects(j->in->catalog, &count);

    for (size_t i = 0; i < count; i++) {
        if (gh_str_eq(all[i]->schema, schema) && gh_str_eq(all[i]->name, name) &&
            all[i]->is_dictionary == (kind == GH_TEXT_SEARCH_DICTIONARY))
            return kind != GH_TEXT_SEARCH_PARSER &&
                   gh_view_allows_function(j->in->view, schema, name);
    }
    return false;
}

/* The text of the name with its schema; NULL: nothing that the user may know of is called so. */
static char *qualified(const gh_judge *j, gh_search_kind kind, const char *text)
{
    char *schema;
    char *name;
    gh_str found = { NULL, 0 };

    if (!gh_type_split_name(j, text, &schema, &name))
        return NULL;
    if ((schema == NULL || strcmp(schema, "pg_catalog") == 0) && is_builtin(kind, gh_str_of(name)))
        return gh_judge_printf("pg_catalog.%s", name);
    if (schema != NULL && is_allowed(j, kind, gh_str_of(schema), gh_str_of(name)))
        found = gh_str_of(schema);
    for (size_t i = 0; schema == NULL && found.len == 0 && i < j->in->search_path.count; i++) {
        if (is_allowed(j, kind, j->in->search_path.items[i], gh_str_of(name)))
            found = j->in->search_path.items[i];
    }
    return found.len == 0 ? NULL
                          : gh_judge_printf("%s.%s", gh_judge_ident(j, found),
                                            gh_judge_ident(j, gh_str_of(name)));
}

static bool is_string(const Node *n)
{
    return IsA(n, A_Const) && !((const A_Const *)n)->isnull &&
           IsA(&((const A_Const *)n)->val, String);
}

static const char *string_of(const Node *n)
{
    return ((const A_Const *)n)->val.sval.sval;
}

bool gh_text_search_is_parser(const FuncCall *f, const gh_special *special)
{
    const Node *first = strcmp(special->name, "ts_token_type") == 0 ? linitial(f->args) : NULL;

    return first != NULL && is_string(first) &&
           strspn(string_of(first), "0123456789") != strlen(string_of(first));
}

/* A parameter that names a configuration is a text that is looked up, among those that every server has. */
static void name_by_parameter(gh_judge *j, Node **slot)
{
    size_t first = gh_judge_token(j, ((const ParamRef *)*slot)->location);
    static const char prefix[] =
        "(SELECT COALESCE((SELECT CAST(gc.oid AS pg_catalog.regconfig) FROM "
        "pg_catalog.pg_ts_config "
        "AS gc WHERE gc.oid < 16384 AND gp.t IN (CAST(gc.cfgname AS pg_catalog.text), "
        "'pg_catalog.' "
        "|| CAST(gc.cfgname AS pg_catalog.text))), CAST('pg_catalog.\"gatehouse: absent\"' || "
        "pg_catalog.substr(gp.t, 1, 0) AS pg_catalog.regconfig)) FROM (SELECT CAST(";
    static const char suffix[] = " AS pg_catalog.text)) AS gp (t))";
    Node *built;

    if (j->rc != GH_OK || gh_function_is_one_too_many(j, ((const ParamRef *)*slot)->location))
        return;
    gh_judge_edit_around(j, first, first + 1, prefix, suffix);
    built = gh_function_build(j, gh_judge_printf("%s$1%s", prefix, suffix), *slot);
    if (built != NULL)
        *slot = built;
}

static void put_schema(gh_judge *j, A_Const *literal, gh_search_kind kind)
{
    const char *text = literal->val.sval.sval;
    char *named = qualified(j, kind, text);
    size_t token = gh_judge_token(j, literal->location);

    if (named == NULL) {
        gh_judge_refuse(j, GH_DENIED, "42704", -1, "text search %s \"%s\" does not exist",
                        kind == GH_TEXT_SEARCH_PARSER       ? "parser"
                        : kind == GH_TEXT_SEARCH_DICTIONARY ? "dictionary"
                                                            : "configuration",
                        text);
        return;
    }
    literal->val.sval.sval = named;
    gh_judge_edit(j, token, token + 1, gh_judge_literal(j, gh_str_of(named)));
}

/* There is a name if there is one argument more than the shortest form takes. */
bool gh_text_search_judge(gh_judge *j, const FuncCall *f, const gh_special *special)
{
    gh_search_kind kind = kind_of(special->name);
    const Node *first = linitial(f->args);

    if (special->guarded == 0)
        return false;
    if (list_length(f->args) <= special->min && kind != GH_TEXT_SEARCH_PARSER)
        return true;
    if (IsA(first, ParamRef) && kind == GH_TEXT_SEARCH_CONFIG)
        name_by_parameter(j, (Node **)&linitial(f->args));
    else if (IsA(first, ParamRef) || (kind == GH_TEXT_SEARCH_PARSER && !is_string(first)))
        return false;
    else if (is_string(first))
        put_schema(j, linitial(f->args), kind);
    return true;
}

bool gh_text_search_is_name(const gh_type *t, const char *text)
{
    return (gh_str_is(t->name, "regconfig") || gh_str_is(t->name, "regdictionary")) &&
           strcmp(text, "-") != 0 && strspn(text, "0123456789") != strlen(text);
}

void gh_text_search_literal(gh_judge *j, A_Const *literal, bool is_dictionary)
{
    put_schema(j, literal, is_dictionary ? GH_TEXT_SEARCH_DICTIONARY : GH_TEXT_SEARCH_CONFIG);
}
