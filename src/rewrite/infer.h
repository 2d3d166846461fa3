/* Private to infer*.c: columns by name, and what they are of. */
#ifndef GATEHOUSE_REWRITE_INFER_H
#define GATEHOUSE_REWRITE_INFER_H

#include "overload.h"

/* A name in a scope: found once, found with one type, with two, or in some way not known. */
typedef struct gh_found {
    gh_oid type;
    gh_oid other; /* where there are two */
    bool is_any;
    bool is_mixed;
    bool is_open; /* something there whose columns are not known */
} gh_found;

typedef struct gh_inferred {
    const RangeFunction *function;
    const struct gh_inferred *outer;
} gh_inferred;

#define GH_INFER_ARGS_MAX 8

/* The function that a call means, and how it is called. */
typedef struct gh_outputs {
    const gh_function *function;
    gh_candidate candidate;
    gh_oid types[GH_INFER_ARGS_MAX];
} gh_outputs;

void gh_infer_take(gh_found *f, gh_oid type);
/* The type of an expression at a depth; 0: not known. */
gh_oid gh_infer_at(gh_judge *j, const Node *n, int depth);
gh_oid gh_infer_named_type(const gh_judge *j, const TypeName *t);
gh_oid gh_infer_element(const gh_judge *j, gh_oid array);
gh_oid gh_infer_array(const gh_judge *j, gh_oid element);
/* What a range or multirange begins and ends with; 0: it is none, or not known. */
gh_oid gh_infer_bound(const gh_judge *j, gh_oid range);
/* What calls and operators give; 0: not known. */
gh_oid gh_infer_call(gh_judge *j, const FuncCall *f, int depth);
gh_oid gh_infer_operator(gh_judge *j, const A_Expr *e, int depth);
/* The function that is meant, for its OUT parameters; false: not known. */
bool gh_infer_outputs(gh_judge *j, const FuncCall *f, gh_outputs *out, int depth);
gh_oid gh_infer_output_type(gh_judge *j, const gh_outputs *out, int i);
/* The type of a field of what an expression gives; 0: not known. */
gh_oid gh_infer_field(gh_judge *j, const Node *n, const char *name, int depth);
gh_oid gh_infer_field_of(const gh_judge *j, gh_oid type, const char *name);
/* A name looked for among the columns that `(f(x)).*` stands for; false: they are not known. */
bool gh_infer_in_row(gh_judge *j, const Node *n, const char *name, gh_found *f, int depth);
/* What is known of a query that was judged; NULL: nothing. */
gh_block *gh_infer_block(gh_judge *j, const Node *query);
/* Does a name without an alias reach the item's columns? */
bool gh_infer_is_reached(const gh_item *item);
/* A name looked for in a join with an alias, among what USING merged, in XMLTABLE. */
void gh_infer_in_join(gh_judge *j, const gh_item *item, const char *name, gh_found *f, int depth);
void gh_infer_in_merged(gh_judge *j, const gh_item *item, const char *name, gh_found *f, int depth);
void gh_infer_in_table(gh_judge *j, const gh_item *item, const char *name, gh_found *f);
/* A name looked for in one item. */
void gh_infer_in_item(gh_judge *j, const gh_item *item, const char *name, gh_found *f, int depth);
/* Of char *: what its columns are called; NIL: that is not known. */
List *gh_infer_function_columns(gh_judge *j, const RangeFunction *r);
/* The types that one name was found with, as one; 0: not known. */
gh_oid gh_infer_found(gh_judge *j, const gh_block *b, const char *name, const gh_found *f);
/* A name looked for among what calls in FROM give. */
void gh_infer_in_function(gh_judge *j, const RangeFunction *r, const char *name, gh_found *f,
                          int depth);
/* What an output column is called; NULL: a star, or not known. */
const char *gh_infer_output_name(const ResTarget *t);
/* Does a join of the block make one column of those of this name (USING, NATURAL)? */
bool gh_infer_merges(const gh_block *b, const char *name);
bool gh_infer_join_merges(const JoinExpr *join, const char *name);

#endif
