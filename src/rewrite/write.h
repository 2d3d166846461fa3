/*
 * Private to rewrite: what writes need. Their target stands as it is, so what SELECT would make a sub-select of is done in place.
 *
 *     INSERT, COPY FROM     the columns written ─▶ grants that cover them ─▶ the check of each new row
 *     UPDATE, DELETE        the row condition before the client's; the check of each changed row
 *     MERGE                 both, in its WHEN conditions
 *
 * As judge.h: in the parser's memory, on the thread that judges; what is refused is in the gh_judge.
 */
#ifndef GATEHOUSE_REWRITE_WRITE_H
#define GATEHOUSE_REWRITE_WRITE_H

#include "judge.h"

/* ---- write.c, write_target.c ----------------------------------------------------------------- */

void gh_judge_insert(gh_judge *j, InsertStmt *s, size_t first, size_t end, bool is_top);
void gh_judge_update(gh_judge *j, UpdateStmt *s, size_t first, size_t end, bool is_top);
void gh_judge_delete(gh_judge *j, DeleteStmt *s, size_t first, size_t end, bool is_top);
/* Top-level keyword within the tokens [first, end), at no depth of brackets; SIZE_MAX without. */
size_t gh_write_find_keyword(const gh_judge *j, size_t first, size_t end, const char *keyword);
/*
 * The client's condition goes behind the row condition: beside it where it is safe, else inside a
 * CASE that PostgreSQL may not look into before the row condition held.
 */
void gh_write_guard_where(gh_judge *j, const gh_item *target, Node **where, size_t where_token,
                          size_t where_end, const char *condition);
/* The same for a condition that stands behind another keyword. */
void gh_write_guard(gh_judge *j, const gh_item *target, Node **where, size_t where_token,
                    size_t where_end, const char *keyword, const char *condition);
void gh_write_open_block(gh_judge *j, const Node *write);
void gh_write_close_block(gh_judge *j);
/* Judges SET, or INSERT's list of columns: by index, which columns are written. */
bool *gh_write_set_list(gh_judge *j, gh_item *target, List *sets);
bool *gh_write_insert_list(gh_judge *j, const gh_item *target, const List *columns);
/* Refuses a cast that SET, or the values and the query of an INSERT into these columns (NIL: all of the table's), would run. */
void gh_assign_set(gh_judge *j, const gh_item *target, const List *sets);
void gh_assign_rows(gh_judge *j, const gh_item *target, const List *columns, const List *rows);
void gh_assign_query(gh_judge *j, const gh_item *target, const List *columns, const SelectStmt *s);
/* Does ON CONFLICT (...) WHERE say what a unique index's own condition says? As it was parsed. */
bool gh_arbiter_is_named(gh_judge *j, const gh_item *target, const Node *where);
/* A cell that the user does not see in clear cannot be written, unless the grants say blind. */
void gh_write_refuse_unseen(gh_judge *j, const gh_item *target, const bool *written, bool is_blind);
/* Nothing that the filters read is written, by the statement, a trigger or a generated column. */
bool gh_write_stays_inside(const gh_item *target, const bool *written);
/* Is the column one of those that INSERT without a list means? */
bool gh_write_is_insertable(const gh_item *target, size_t column);
void gh_judge_copy_from(gh_judge *j, CopyStmt *c);
/* Puts a new item for the target of a write into the block, with the privilege that it needs. */
gh_item *gh_write_add_target(gh_judge *j, RangeVar *v, uint32_t privilege);
/* A column that every table has: ctid ... */
bool gh_write_is_system_column(const char *name);
/* May a word of the text be the name of one? */
bool gh_write_names_system_column(gh_judge *j);
/* Is there a target around the current block? */
bool gh_judge_is_of_write(const gh_judge *j);
/* A reference that reaches the target of a write shows what SELECT would. is_expanded: a star stands for columns here,
 * not for the row. */
void gh_write_column_ref(gh_judge *j, Node **slot, bool is_expanded);
/* ROW(t.*) of a target: the columns that the star stands for; NIL where it is none of that. */
List *gh_write_row_star(gh_judge *j, const Node *n);
/* Columns in place of a star that has this name, or NULL. */
void gh_write_edit_star(gh_judge *j, const ColumnRef *ref, const char *name, const char *columns);
/* RETURNING judged, with its stars as the visible columns. */
List *gh_write_returning(gh_judge *j, gh_item *target, List *targets);
/*
 * The condition under which `privilege` holds for a row of the target, given the columns written:
 * some grant that covers them all gives the row, and no deny takes row or cell. "" for always; NULL
 * after a refusal (42501: no grant covers the columns). *is_blind: every such grant may write what
 * is not seen.
 */
char *gh_write_condition(gh_judge *j, gh_item *target, uint32_t privilege, const bool *written,
                         bool *is_blind);
/* Replaces every $0 in the tree by `with`. */
void gh_judge_fill(Node **slot, Node *with);

/* ---- number.c ----------------------------------------------------------------------------------- */

/* The statement takes a number of this sequence, or of those of a table's columns. */
void gh_number_note(gh_judge *j, gh_oid of);
/* ...by what a row of the target is not `given`, where that may come of a sequence; by column. */
void gh_number_note_row(gh_judge *j, const gh_item *target, const bool *given);
/* SQL of what the session's last such number was. */
char *gh_number_last(gh_judge *j);

/* ---- row_check.c ----------------------------------------------------------------------------- */

/* Adds the check of a written row to RETURNING, as far as one is needed. */
List *gh_write_check(gh_judge *j, gh_item *target, const char *condition, List *returning,
                     size_t end, bool is_top);
/* SQL of the type that fails, and says GH_CHECK_MARK, whenever it is computed. */
char *gh_write_failure(const char *type);
/* Does it hold a column or a sub-select? */
bool gh_write_reads_column(Node *n);
/* Computing it tells nothing of a row: it fails for none. */
bool gh_write_is_quiet(gh_judge *j, Node *n);
/* Where the value that begins at `at` ends: at a comma outside of brackets, or with the list. */
size_t gh_write_value_end(const gh_judge *j, size_t at, size_t end);

/* ---- current_of.c ---------------------------------------------------------------------------- */

bool gh_write_is_current(const Node *where);
/*
 * Keeps values of SET that may fail from a row that does not fulfil the condition; `where`: the list's end. Unless the
 * row is checked elsewhere, some value fails for it.
 */
void gh_write_guard_sets(gh_judge *j, const gh_item *target, const UpdateStmt *s,
                         bool is_checked_elsewhere, size_t where, const char *condition);

/* ---- truncate.c ------------------------------------------------------------------------------ */

void gh_judge_truncate(gh_judge *j, TruncateStmt *s);

/* ---- merge.c --------------------------------------------------------------------------------- */

void gh_judge_merge(gh_judge *j, MergeStmt *s, size_t end);

#endif
