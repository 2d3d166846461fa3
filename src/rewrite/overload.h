/* Private to rewrite: which of several operators or functions of one name PostgreSQL would take. */
#ifndef GATEHOUSE_REWRITE_OVERLOAD_H
#define GATEHOUSE_REWRITE_OVERLOAD_H

#include "judge.h"

/* PostgreSQL's types that stand for others. */

typedef struct gh_candidate {
    const gh_oid *args;
    int count;
    const void *what; /* gh_operator or gh_function */
    int rank;         /* of its schema in the path; 0: pg_catalog */
} gh_candidate;

typedef struct gh_candidates {
    gh_candidate *items;
    int count;
    bool are_operators;
} gh_candidates;

typedef enum gh_overload {
    GH_OVERLOAD_NONE = 0, /* none fits, or several do: PostgreSQL says so itself */
    GH_OVERLOAD_FOUND,
    GH_OVERLOAD_OPEN /* it depends on a type that is not known here */
} gh_overload;

/* Operators of one name that the client's search_path finds; left or right 0: not there. */
gh_candidates gh_overload_operators(gh_judge *j, gh_str name, bool is_prefix);
/* Those of pg_catalog, too, where the path holds no other. */
gh_candidates gh_overload_all_operators(gh_judge *j, gh_str name, bool is_prefix);
gh_candidates gh_overload_functions(gh_judge *j, gh_str name, int args);

/*
 * Of the candidates the one for arguments of these types, GH_OID_UNKNOWN for literals, 0 for what is not known.
 * With a type that is not known the answer is FOUND only where every type that it may be leads to pg_catalog.
 */
gh_overload gh_overload_select(gh_judge *j, gh_candidates all, const gh_oid *types, int count,
                               const gh_candidate **found);

/* Does PostgreSQL make one of the other by itself? */
bool gh_overload_can_coerce(const gh_judge *j, gh_oid from, gh_oid to);

/* The type behind domains. */
gh_oid gh_overload_base(const gh_catalog *c, gh_oid oid);

/* ---- operator.c ------------------------------------------------------------------------------ */

/* Is it a type outside pg_catalog that the user may know of? */
bool gh_operator_is_seen(gh_judge *j, gh_oid type);
/* Leaves out what the user cannot know of. */
gh_candidates gh_operator_known(gh_judge *j, gh_candidates all);
/* Those that the user knows of; `is_nameless`: of a construct that has no place for a schema. */
gh_candidates gh_operator_candidates(gh_judge *j, const char *name, bool is_prefix,
                                     bool is_nameless);
/* Over types as gh_overload_select has them. NULL: one of pg_catalog's, or none, or it is refused. */
const gh_operator *gh_operator_meant(gh_judge *j, gh_candidates all, const gh_oid *types, int count,
                                     const char *name, int location);
/* Of what cannot be written with an operator's schema. */
void gh_operator_refuse(gh_judge *j, const gh_operator *o, int location, const char *construct,
                        const char *instead);
/* The operator of that name over the operands; NULL: nothing is to be done. */
const gh_operator *gh_operator_meant_by(gh_judge *j, const char *name, Node *left, Node *right,
                                        int location, bool is_nameless);
/* Rows are compared by each pair's operator: the first that is an extension's. */
const gh_operator *gh_operator_meant_by_rows(gh_judge *j, const char *name, const Node *left,
                                             const Node *right, int location);
List *gh_operator_qualified(const gh_operator *o);
const char *gh_operator_type_name(const gh_judge *j, gh_oid oid); /* "?" where there is none */

/* ---- operator_text.c ------------------------------------------------------------------------- */

bool gh_operator_is_word(const gh_judge *j, size_t token, const char *word);
/* Behind what closes the bracket. */
size_t gh_operator_closing(const gh_judge *j, size_t open);
/* The token after an operand, brackets around it left out; SIZE_MAX where that is not known. */
size_t gh_operator_operand_end(const gh_judge *j, const Node *n, int depth);

/* ---- operator_wrap.c ------------------------------------------------------------------------- */

/* What compares by the name of an operator, where it is an extension's: written so that PostgreSQL takes it, else refused. */
void gh_operator_bind_distinct(gh_judge *j, A_Expr *e);
void gh_operator_bind_nullif(gh_judge *j, Node **slot);
void gh_operator_bind_between(gh_judge *j, A_Expr *e);
void gh_operator_bind_case(gh_judge *j, CaseExpr *c);
void gh_operator_bind_rows(gh_judge *j, A_Expr *e);
/* The same for a row compared with a query, with its one row or by ANY or ALL. */
void gh_operator_bind_row_query(gh_judge *j, RowExpr *row, SubLink *s, const char *name);
/* LIKE and SIMILAR TO, whose tokens end before `end`, with what ESCAPE makes of the pattern; false: where it ends is not known. */
bool gh_operator_escape(gh_judge *j, const gh_operator *o, A_Expr *e, size_t end);

/* ---- infer.c, absent.c --------------------------------------------------------------------------------- */

/* The type of an expression whose parts are judged: 0 where it is not known. */
gh_oid gh_infer_type(gh_judge *j, const Node *n);
/* The type of what a judged query gives at a place, from 0; of a literal GH_OID_UNKNOWN; 0: not known. */
gh_oid gh_infer_output(gh_judge *j, const Node *query, int place);
/* The same to who reads the query as a table: a literal has become text. */
gh_oid gh_infer_settled(gh_oid type);
/* Can some expression of the statement, of those judged so far, be of a type outside pg_catalog? */
bool gh_infer_may_occur(gh_judge *j, gh_oid type);
/* Can a value of `from` turn into one of `type` on its way: its element, its base, a field of it? */
bool gh_infer_leads_to(const gh_judge *j, gh_oid from, gh_oid type, int depth);
/* The type that values of these types become beside each other; 0 where that is not known. */
gh_oid gh_infer_common(gh_judge *j, gh_oid a, gh_oid b);
/* The type of the columns of this name in the items of the current block: see gh_infer_type. */
gh_oid gh_infer_column(gh_judge *j, const char *name);
typedef enum gh_name_state {
    GH_NAME_OPEN = 0,  /* found, or not known */
    GH_NAME_ABSENT,    /* nothing in scope has a column of the name, as far as the user knows */
    GH_NAME_NO_TABLE,  /* nothing in scope is called so */
    GH_NAME_AMBIGUOUS, /* several things have it */
} gh_name_state;

gh_name_state gh_infer_name(gh_judge *j, const ColumnRef *ref);
/* Refuses an expression that names what is not there, or several things, as PostgreSQL does before it looks at types. */
void gh_absent_refuse(gh_judge *j, Node *n);

#endif
