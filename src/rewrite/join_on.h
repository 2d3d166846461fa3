/* Private to rewrite: joins by names that are said with ON, and the text that comes of it. */
#ifndef GATEHOUSE_REWRITE_JOIN_ON_H
#define GATEHOUSE_REWRITE_JOIN_ON_H

#include "judge.h"

/* A name or star that means what a join merged which is said with ON. */
void gh_join_on_column_ref(gh_judge *j, const ColumnRef *ref);
/* An alias is about to cover what the join joins. */
void gh_join_on_cover(gh_judge *j, JoinExpr *join);
/* Does a side of the join hold one that is said with ON, whose names this one merges, too? */
bool gh_join_on_is_needed(gh_judge *j, const JoinExpr *join);
/* Says the join with ON; false: it cannot be. */
bool gh_join_on_say(gh_judge *j, const JoinExpr *join);
/* The type of the columns of that name on either side, 0: not known, or several have it. */
void gh_join_on_types(gh_judge *j, const JoinExpr *join, const char *name, gh_oid types[2]);
/* The text stands in place of these tokens of the client's where the statement is told anew. */
void gh_join_on_tell(gh_judge *j, size_t first, size_t end, const char *text);
/* The statement as it is told then, NUL-terminated, and where its tokens come from. */
GH_MUST_USE gh_rc gh_join_on_retell(gh_judge *j, size_t first, size_t end, char **out,
                                    gh_buf *offsets);

/* ---- join_place.c ---------------------------------------------------------------------------- */

/* Tokens, SIZE_MAX where they are not found: the join's JOIN... */
size_t gh_join_on_token(const gh_judge *j, const JoinExpr *join);
/* ...and from that its NATURAL, its ON or USING, and what stands behind a natural one. */
size_t gh_join_on_natural(const gh_judge *j, size_t join);
size_t gh_join_on_qualifier(const gh_judge *j, size_t join);
size_t gh_join_on_behind(const gh_judge *j, size_t join);
/* The bracket around a token. */
size_t gh_join_on_opening(const gh_judge *j, size_t token);

#endif
