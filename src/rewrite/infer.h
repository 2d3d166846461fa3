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

void gh_infer_take(gh_found *f, gh_oid type);
/* The type of an expression at a depth; 0: not known. */
gh_oid gh_infer_at(gh_judge *j, const Node *n, int depth);
gh_oid gh_infer_named_type(const gh_judge *j, const TypeName *t);
gh_oid gh_infer_element(const gh_judge *j, gh_oid array);
gh_oid gh_infer_array(const gh_judge *j, gh_oid element);
/* A name looked for among what calls in FROM give. */
void gh_infer_in_function(gh_judge *j, const RangeFunction *r, const char *name, gh_found *f,
                          int depth);
/* What an output column is called; NULL: a star, or not known. */
const char *gh_infer_output_name(const ResTarget *t);
/* Does a join of the block make one column of those of this name (USING, NATURAL)? */
bool gh_infer_merges(const gh_block *b, const char *name);

#endif
