/* Private to rewrite: defaults of columns, as SQL that may be sent in their place. */
#ifndef GATEHOUSE_REWRITE_DEFAULT_H
#define GATEHOUSE_REWRITE_DEFAULT_H

#include "judge.h"

/* SQL of what is stored where nothing is given, which is the same each time it is computed in a transaction: NULL, a literal, the
 * time; NULL of any other. */
char *gh_default_known(gh_judge *j, const gh_column *c);
/* Is it the next number of the column's own sequence? */
bool gh_default_is_number(const gh_column *c);
/* SQL of any default that the catalog tells; NULL of any other. *says_nothing: its text tells nothing of what is stored
 * (bland_default.h). */
char *gh_default_sql(gh_judge *j, const gh_column *c, bool *says_nothing);

/* ---- like.c ---------------------------------------------------------------------------------- */

/* The visible columns, with what of LIKE's options shows, as elements of CREATE TABLE; NULL after a refusal. */
char *gh_like_elements(gh_judge *j, gh_item *item, bits32 options);

#endif
