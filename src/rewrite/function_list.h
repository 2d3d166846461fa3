/*
 * Private to rewrite: which functions of pg_catalog clients may call, by name.
 *
 *     gh_function_listed_allow   whatever their overloads look like: looked at by hand
 *     gh_function_listed_deny    although their overloads look harmless
 *     gh_function_special_find   with a meaning of their own (function_special.c)
 *
 * What is on no list is decided by the shape of its overloads (function.c).
 */
#ifndef GATEHOUSE_REWRITE_FUNCTION_LIST_H
#define GATEHOUSE_REWRITE_FUNCTION_LIST_H

#include "judge.h"

bool gh_function_listed_allow(gh_str name);
bool gh_function_listed_deny(gh_str name); /* of what is not allowed by name */
/* Helpers of information_schema's own views that clients call. */
bool gh_function_listed_information_schema(gh_str name);

/* How a call is rewritten; see function_special.c. */
typedef enum gh_special_kind {
    GH_SPECIAL_VALUE = 0, /* the whole call becomes `sql` over its arguments gh.a1, gh.a2 ... */
    GH_SPECIAL_GUARD,     /* argument `guarded` becomes NULL unless `sql` holds for it as gh.a1 */
    GH_SPECIAL_RELATION,  /* a guard over a relation that a literal may name too */
    GH_SPECIAL_PRINTED, /* a guard over whose columns an expression names: none where `sql` fails */
    GH_SPECIAL_SEQUENCE, /* the same for a sequence, whose rights a literal is asked for at once */
    GH_SPECIAL_SETTING,
    GH_SPECIAL_SET_CONFIG,
    GH_SPECIAL_SET,         /* in FROM: the whole call becomes `sql`, "f(...) AS (name, ...)" */
    GH_SPECIAL_SEARCH,      /* to_reg*: a name that is looked for along the client's path */
    GH_SPECIAL_TEXT_SEARCH, /* a text search configuration may be named by a literal */
    GH_SPECIAL_SIGNAL,      /* of a session of the proxy's, which answer.c sends */
    GH_SPECIAL_WAIT         /* only where the statement reads no relation */
} gh_special_kind;

typedef struct gh_special {
    const char *name;
    gh_special_kind kind;
    uint8_t min; /* arguments */
    uint8_t max;
    uint8_t guarded; /* 1-based */
    const char *sql; /* a template: system_catalog.h */
} gh_special;

/* NULL: the name is not special; and the entry for so many arguments. */
const gh_special *gh_function_special_find(gh_str name);
const gh_special *gh_function_special_of(gh_str name, int args);

/* What a reg* type looks up by, and what must hold for the OID gr.o that is found. */
typedef struct gh_reg_lookup {
    const char *type;
    const char *absent;   /* text of the type that names nothing */
    const char *function; /* of `text`, where `when` holds; NULL: `find` */
    const char *find;     /* OID of the name in gt.t */
    const char *guard;
    const char *text;
    const char *when;
} gh_reg_lookup;

const gh_reg_lookup *gh_reg_lookup_of(gh_str type); /* NULL: no such type */
/* SQL of the OID of the first object that the text gt.t names along the client's path and that may be seen; NULL
 * after a refusal. */
char *gh_reg_search(gh_judge *j, const gh_reg_lookup *l);
/* What around a text gives the OID of what it names, in a column of that name; an error where it names nothing that
 * may be seen. Of `number`, an expression that is an OID already, NULL where that is of nothing that may be. */
gh_wrap gh_reg_wrap(gh_judge *j, const gh_reg_lookup *l, const char *column, const Node *number);
/* The same of a relation or index that a literal names, for which nobody's name is an error, which shows it as `shown`. */
char *gh_reg_literal_class(gh_judge *j, const char *text, const char *shown);
/* SQL of the OID of what the text gt.t names along the client's path, read as that reg* type would, if it
 * may be seen. */
char *gh_function_find(gh_judge *j, const char *type);

/* ---- text_search.c --------------------------------------------------------------------------- */

/* Judges what the first argument of a call names; false: the call is not allowed. */
bool gh_text_search_judge(gh_judge *j, const FuncCall *f, const gh_special *special);
/* Is the type one of text search whose literal `text` is a name? */
bool gh_text_search_is_name(const gh_type *t, const char *text);
/* Puts the schema to the name that a literal of such a type is, or refuses. */
void gh_text_search_literal(gh_judge *j, A_Const *literal, bool is_dictionary);
/* ts_token_type('default'): a name, and no number. */
bool gh_text_search_is_parser(const FuncCall *f, const gh_special *special);

/* ---- reg_array.c ----------------------------------------------------------------------------- */

/* Notes arrays of names, casts in what stands in ANY (...), of which OIDs are enough... */
void gh_reg_note_names(gh_judge *j, Node *n);
bool gh_reg_is_noted(const gh_judge *j, const Node *n);
/* $1, $1::text, '{a,b}' or ARRAY[$1, 'b']: the same for every row. */
bool gh_reg_is_given(const Node *n);
/* Is this what stands for such a name or names, in place of the cast? It may fail, and does so whatever the row is. */
bool gh_reg_is_looked_up(const gh_judge *j, const Node *n);
/* ...and puts those in the place of such a cast; false: it is none. */
bool gh_reg_judge_names(gh_judge *j, Node **slot);

#endif
