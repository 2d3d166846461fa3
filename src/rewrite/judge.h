/*
 * The state of one statement's judgement, shared by this module's files.
 *
 *     rewrite.c    text in, plans out; one gh_judge a statement
 *     statement.c  which statement kinds there are and what each needs
 *     query.c      SELECT and its clauses: blocks, FROM items, common table expressions
 *     reference.c  references to columns
 *     expr.c       expressions: columns, functions
 *     operator.c   operators, by their own name or by that of a construct (IN, LIKE, USING)
 *     join_on.c    joins by names over an extension's types, told anew with ON
 *     overload.c   which operator or function of a name is meant, by types: infer.c
 *     type.c cast.c types and casts
 *     write.c write_target.c merge.c merge_check.c row_check.c current_of.c truncate.c   writes: checked, their target as it stands
 *     copy_table.c what COPY of a table reads
 *     relation.c   what stands in place of a governed relation
 *     flat.c       those whose row filter may stand in the query's own WHERE
 *     conjunct.c   ...and what of that WHERE may fail
 *     through.c    views that are expanded: their definition is judged as a query of the user's
 *     policy_expr.c row filters and masks of the policy, compiled to SQL
 *     condition.c  conditions that may run on hidden rows; over values that cannot fail:
 *     operand.c value.c query_value.c   columns and literals, what is computed, sub-selects
 *     push.c       which relations need a fence, and conditions that may be copied behind it
 *     early.c      what is computed before a view's own joins
 *     aggregate.c  what is computed from aggregates: of visible rows alone
 *     system_column.c position.c   tableoid, xmin and ctid of what is filtered
 *     like.c default.c what LIKE takes along of a relation that does not show in full; defaults of columns
 *     function.c setting.c system_catalog.c   allow-lists
 *     number.c     lastval()
 *     catalog_print.c names of objects as the client's search_path prints them
 *
 * What writes, fences and the lists of what is allowed share beside this: write.h, fence.h, allow.h.
 *
 * Everything here lives in the parser's memory context (palloc) and dies with gh_sql_run; what the
 * plan keeps is copied into the caller's arena.
 */
#ifndef GATEHOUSE_REWRITE_JUDGE_H
#define GATEHOUSE_REWRITE_JUDGE_H

#include "memo.h"
#include "pg.h"

#include <gatehouse/policy.h>
#include <gatehouse/rewrite.h>
#include <gatehouse/sql.h>

/* Alias of a governed relation inside the sub-select that stands for it. Nothing of the client's
 * stands in there but conditions that name its columns by this alias, so nothing can capture it or
 * be captured. */
#define GH_INNER "\"gh\""

typedef struct gh_block gh_block;
typedef struct gh_query gh_query; /* operand.h */
typedef struct gh_system_relation gh_system_relation;
typedef struct gh_system_sets gh_system_sets;

/* What RETURNING says at a place that is no star: the first value that may fail for some row, or else any. */
typedef struct gh_returned {
    ResTarget *target; /* NULL: it says nothing such */
    int place;
    bool is_named;    /* by the client... */
    const char *name; /* ...or what PostgreSQL calls it; NULL: not known */
    bool may_fail;
} gh_returned;

/* An item of FROM, or the target of a write. */
typedef struct gh_placed {
    gh_edit edit;
    bool opens; /* an insertion that stands before others at its place */
} gh_placed;

typedef struct gh_item {
    Node **slot; /* where the RangeVar hangs; NULL for items that are no relation */
    RangeVar *var;
    const gh_relation *relation; /* NULL: it is none (sub-select, function, CTE, join alias) */
    const gh_query *result;      /* of a sub-select or CTE: what is known of its columns */
    const gh_decision *decision; /* NULL for a system relation */
    const gh_system_relation *system;
    gh_block *block;
    const char *inner;    /* SQL name by which filters and masks refer to its columns */
    const char *alias;    /* the name that references use; NULL for none */
    const char *invented; /* alias that we gave it, since two relations shared one name */
    bool has_alias;       /* written by the client */
    bool is_renamed;      /* an alias with a column list */
    bool is_covered;      /* inside a join with an alias: no name reaches it... */
    bool is_join;         /* ...but through that */
    uint32_t privilege;   /* of a target: what the write needs */
    bool must_stand;      /* TABLESAMPLE: no sub-select may stand for it */
    bool is_placed;       /* text and tree hold what stands for it */
    bool *is_guard;       /* columns that filters read, by index; NULL: nobody asks */
    bool is_excluded;     /* `excluded` of ON CONFLICT DO UPDATE... */
    const bool
        *is_given;     /* ...where the INSERT gives these columns, by index, a value of its own */
    bool keeps_hidden; /* inside a view: hidden columns are NULL */
    char *body;        /* of a view that is expanded: its definition as the user may run it... */
    bool *is_computed; /* ...and by index which columns are more than a column of a table */
    bool is_target;    /* of INSERT, UPDATE, DELETE, MERGE */
    size_t star_edit;  /* of a target: the text that stands for a star of RETURNING... */
    ResTarget *star_target; /* ...and its first column; NULL: there is none */
    gh_returned returned;   /* of a target */
    bool is_returning;      /* what is judged stands in its RETURNING */
    char *sample;           /* TABLESAMPLE that goes inside... */
    Node **sample_slot;     /* ...from here... */
    size_t sample_first;    /* ...and from these tokens */
    size_t sample_end;
    bool has_star;   /* all columns are read */
    bool is_starred; /* of a catalog: ...by a star of the final result alone */
    const char
        *signalled; /* of pg_stat_activity: the one process id that is asked for, to be signalled */
    bool is_probed; /* a name was looked for in it that is none of its columns that show */
    bool is_flat;   /* it stands as it is, and its row condition in WHERE: flat.c */
    bool is_guarded;         /* ...where it has been put */
    List *results;           /* ...and columns of the result that its masks stand for: flat.c */
    const List *names;       /* of String *: an alias's column list */
    const SelectStmt *query; /* what its columns are computed by... */
    const RangeFunction *function; /* ...or by this call... */
    const RangeTableFunc *table;   /* ...or by XMLTABLE */
    const JoinExpr *join;          /* of a join's alias: the join... */
    const List *parts;             /* ...and of gh_item *: what it covers */
    const List *merged;            /* of USING (...) AS alias: its names */
    size_t first;                  /* tokens of the name, with ONLY and * */
    size_t end;
    bool *is_used;              /* by index into relation->columns */
    bool *is_filtered;          /* of them: read by a condition */
    struct gh_grouped *grouped; /* group.c: by index, what GROUP BY says; NULL: it names none */
    List *pushed;               /* of char *: conditions copied inside... */
    List *pushed_flat; /* ...and the same for WHERE, where it may stand there though fenced */
    bool is_fenced;    /* some condition on it may fail or tell */
    bool is_locked;    /* FOR UPDATE and kin */
    bool has_query;    /* its filters or masks hold sub-selects */
    bool is_captured;  /* ...do not mean it by the client's name for it */
    bool calls_code;   /* its filters or masks call other code than PostgreSQL's own */
    bool is_volatile;  /* ...which may be volatile, as may PostgreSQL's */
    bool is_dear;      /* its row condition may cost more than a sub-select of the client's */
    char *columns;     /* SQL of the sub-select's target list... */
    char *where;       /* ...and of its condition; NULL until prepared */
} gh_item;

/* A query block: what one FROM brings into scope. */
struct gh_block {
    gh_block *outer;
    List *items;        /* of gh_item * */
    gh_item *target;    /* of a write: its columns are reached as they are stored */
    List *ctes;         /* of char *: names that WITH brings into scope here */
    List *cte_queries;  /* of const gh_query *, beside them; NULL: nothing is known */
    List *bare_ctes;    /* of them: writes without RETURNING, which nothing may read... */
    List *written_ctes; /* ...and with */
    bool is_output; /* what it computes goes to the client: no outer query has conditions on it */
    bool is_tested; /* it stands in EXISTS, where a star is not computed */
    bool merges_columns;      /* a join merges columns of one name: a star shows them once */
    bool is_arms;             /* the walk stands in the arms of a set operation */
    bool is_condition;        /* the walk stands in WHERE, ON or HAVING */
    bool is_part;             /* items are narrowed to what ON or a FROM item may see */
    List *outer_aliases;      /* of char *: what ON takes for relations of queries around this */
    bool has_unsafe;          /* a condition here or further inside may fail */
    bool reads_cte;           /* a name of WITH is read here or further inside */
    bool reads_outer;         /* ...or what a query around it has */
    size_t offset;            /* the token where OFFSET 0 is to stand; 0: nowhere */
    bool may_guard;           /* of its conditions only WHERE may fail: flat.c... */
    bool *is_apart;           /* ...and by index which conjuncts of that may not; NULL: not known */
    List *keys;               /* of String *: names that those compare with constants by = */
    List *on_joins;           /* of gh_on_join *: join_on.c... */
    List *on_covered;         /* ...of gh_covered *... */
    const char *told_star;    /* ...and what a star stands for there */
    int first_relation;       /* its relations in gh_judge.items start here */
    const SelectStmt *select; /* NULL: of a write... */
    const Node *write;        /* ...which is this */
    const WithClause *with;
};

/* A parameter in the text, and the token where the type's name begins that each use is cast to; SIZE_MAX: there is no
 * such type. */
typedef struct gh_param_use {
    unsigned count;
    size_t type;
} gh_param_use;

/* A sequence that the client names in a call of nextval, setval or currval. */
typedef struct gh_sequence_use {
    const gh_relation *relation;
    uint32_t privileges; /* used */
} gh_sequence_use;

typedef struct gh_judge {
    const gh_rewrite_input *in;
    gh_arena *arena; /* of the plan */
    const gh_sql_text *text;
    gh_plan *plan;
    gh_err *err;
    gh_rc rc; /* sticky: the first refusal stays */
    gh_placed *edits;
    size_t edit_count;
    size_t edit_cap;
    size_t edit_bytes; /* of their texts */
    int special_calls; /* function_special.c */
    gh_block *block;
    List *items;         /* of gh_item *: every relation of the statement */
    List *name_arrays;   /* of TypeCast *: reg_array.c */
    List *sequences;     /* of gh_sequence_use *, each once */
    List *blocks;        /* of gh_block *: every query that the walk entered */
    gh_memo types;       /* infer.c: of nodes within a block */
    gh_memo occurs;      /* of types, among so many items */
    gh_memo types_named; /* of types, in the text */
    struct {
        const void *list; /* the catalog's, of all of one name */
        uint32_t rule;
    } builtins[16];     /* function.c: what was found out about functions of pg_catalog */
    uint64_t words[32]; /* relation.c: of the text, each a bit... */
    bool has_words;     /* ...once they are noted */
    size_t infer_steps;
    const struct gh_inferred *inferred; /* calls in FROM that are being looked at: infer_from.c */
    size_t memory_before;               /* bytes that parsing took; gh_judge_is_spent */
    size_t first;                       /* the statement's tokens */
    size_t end;
    gh_oid took_number; /* gh_rewrite_input's, or of a statement before this one in the text */
    bool reads_literal; /* what a literal says was looked at, or copied elsewhere */
    bool is_ascii;
    bool is_policy; /* the text is not the client's, but a policy's or a view's */
    bool
        has_others; /* the policy's or a view's expressions, which may fail by an error that quotes a value */
    bool is_unsafe;  /* some condition may fail or tell: all governed relations are fenced */
    bool has_unsafe; /* some condition may; which relations it is on is known */
    bool runs_early; /* something computes with columns before a view's own joins have been made */
    bool has_exists_condition; /* a safe condition holds EXISTS, which takes time... */
    bool has_query_condition;  /* ...or another sub-select */
    List *queries;             /* of gh_query *: of the sub-selects judged so far */
    List *positions; /* of ColumnRef *: each `ctid` of the statement, where all may be compared */
    bool has_outer_join;
    const FuncCall *wait; /* pg_sleep() and kin are called, as here; NULL: they are not */
    bool calls_code;      /* some function is not PostgreSQL's own */
    bool asks_statistics; /* some operator may be run over the planner's statistics */
    List *apart;          /* of gh_apart *: apart.c */
    List *locked_outside; /* of SelectStmt *: by the clause of a query around them, too... */
    List *clauses_told;   /* ...and of those, whose clause is about others by now */
    bool is_expanded;     /* a star as the next expression stands for columns, not for the row */
    bool is_exists;       /* the query that is judged next stands in EXISTS */
    bool is_inferring;    /* what is judged names an index: ON CONFLICT (...) */
    const char *from_columns; /* of what stands for a call: "name, version)"; NULL: see its name */
    bool is_from_function;    /* the call that is judged stands in FROM: it must stay a call */
    bool is_nameless;         /* operators of every schema are looked at: gh_operator_candidates */
    bool is_output_name;     /* the reference judged next, of ORDER BY, means the result's column */
    List *retold;            /* of gh_edit *: the client's own text, told anew (join_on.c)... */
    bool is_retold;          /* ...as this one was */
    const Node *sort_key;    /* of ORDER BY or DISTINCT ON: a name there may be a result's column */
    const ResTarget *naming; /* the result's column that is judged */
    bool takes_reg;          /* the expression judged next may be of a reg* type (reg_value.c) */
    List *given;             /* of Node *: gh_reg_is_looked_up */
    gh_system_sets *sets;    /* what the user may see, once something asked (system_catalog.h) */
    bool has_sets_beside;    /* templates refer to its arrays as columns of gu... */
    unsigned sets_beside;    /* ...and these did: bits */
    List **announced;        /* of gh_announced *; NULL: nothing is (temporary.c) */
    int view_depth;          /* the text is the definition of a view in so many */
    int relations_outside;   /* of what is around the view: for the limit */
    gh_block *view_block;    /* around the definition's query */
    bool *is_computed;       /* see gh_item... */
    int column_count;        /* ...of which there are so many */
    gh_param_use params[64]; /* $1..$64 in the text; of others nobody knows */
    List *casts;             /* of operands of unknown type, gh_cast_judge_unsure... */
    bool keeps_casts;        /* ...will look at them... */
    bool has_all_items;      /* ...when the statement has been judged */
    const gh_oid *prepared_types; /* of PREPARE, in place of Parse's; NULL: it is none */
    size_t prepared_count;
} gh_judge;

/* ---- judge.c --------------------------------------------------------------------------------- */

/* What Parse or PREPARE declared the parameter to be; 0: the statement decides, by its first use of it. */
gh_oid gh_judge_param_type(const gh_judge *j, const ParamRef *p);
/* How often the parameter stands in the text; 2 where nobody knows. */
unsigned gh_judge_param_uses(const gh_judge *j, const ParamRef *p);
/* Are all its uses casts to one type, which it then is of? */
bool gh_judge_param_is_cast_alike(const gh_judge *j, const ParamRef *p);

/* Refuses a statement whose judging takes more memory than the arena's budget: what grows faster than the text, in
 * whatever way. Asked for at each expression. */
bool gh_judge_is_spent(gh_judge *j);
/* Refuses; location is a byte of the text or -1. The first refusal stays. */
void gh_judge_refuse(gh_judge *j, gh_rc rc, const char *sqlstate, int location, const char *fmt,
                     ...) GH_PRINTF(5, 6);
/* Counts what the text grows by; false after a refusal. */
bool gh_judge_may_add(gh_judge *j, size_t len);
void gh_judge_edit(gh_judge *j, size_t first, size_t end, const char *text);
/* Two insertions, of which the first stands before whatever else is inserted there. */
void gh_judge_edit_around(gh_judge *j, size_t first, size_t end, const char *before,
                          const char *behind);
/* Token at a byte; refuses as a defect if there is none. */
size_t gh_judge_token(gh_judge *j, int location);
/* printf into the parser's memory. */
char *gh_judge_printf(const char *fmt, ...) GH_PRINTF(1, 2);
/* NUL-terminated copy in the parser's memory. */
char *gh_judge_cstr(gh_str s);
/*
 * What is put together piece by piece, of as many as the client, the policy or the catalog likes: texts (char *) with
 * `glue` between them; "" of none. By gh_judge_printf each piece would copy, and keep, all those before it.
 */
char *gh_judge_join(const List *texts, const char *glue);
/* The same of a buffer, which is given back. */
char *gh_judge_take(gh_buf *b);
/* Is the name among these, of char *? */
bool gh_judge_is_among(const List *names, const char *name);
char *gh_judge_ident(const gh_judge *j, gh_str name);
char *gh_judge_literal(const gh_judge *j, gh_str value);
/* Parses trusted text: the expression after SELECT, the item after SELECT 1 FROM. NULL after
 * refusal. */
Node *gh_judge_parse_expr(gh_judge *j, const char *sql);
Node *gh_judge_parse_item(gh_judge *j, const char *sql);
Node *gh_judge_parse_query(gh_judge *j, const char *sql);
/* Emits the tokens [first, end) with the edits among them, ordered. */
gh_rc gh_judge_emit(gh_judge *j, size_t first, size_t end, gh_buf *out, gh_buf *offsets);

/* A sequence that the client names: for the audit. */
void gh_judge_note_sequence(gh_judge *j, const gh_relation *r, uint32_t privilege);

/* ---- statement.c ----------------------------------------------------------------------------- */

void gh_judge_statement(gh_judge *j, Node **stmt, size_t first, size_t end);
/* A data-modifying statement of WITH. */
void gh_judge_cte_statement(gh_judge *j, CommonTableExpr *c);

/* ---- lookup.c -------------------------------------------------------------------------------- */

/* The columns (String *) that a statement of a lookup's shape compares for equality; NIL: it is none. */
List *gh_lookup_keys(const Node *stmt);
/* Are the whole primary key of the one table that was judged among them? */
bool gh_lookup_is_by_key(const gh_judge *j, const List *keys);

/* ---- copy_table.c ---------------------------------------------------------------------------- */

/* COPY t TO STDOUT. */
void gh_judge_copy_table(gh_judge *j, CopyStmt *c);

/* ---- bypass.c -------------------------------------------------------------------------------- */

/* The plan kind of a statement that is sent as it is. */
gh_stmt_kind gh_bypass_kind(const Node *stmt, const char **name);

/* ---- query.c --------------------------------------------------------------------------------- */

void gh_judge_select(gh_judge *j, SelectStmt *s);
void gh_judge_with(gh_judge *j, WithClause *w);
void gh_judge_from_list(gh_judge *j, List *from);
void gh_judge_from_item(gh_judge *j, Node **slot);
gh_item *gh_judge_add_item(gh_judge *j, const Alias *alias);
void gh_judge_range_function(gh_judge *j, RangeFunction *f); /* from_function.c */
void gh_judge_locate(gh_judge *j, gh_item *item);
void gh_judge_condition(gh_judge *j, Node **slot);

/* The token where the clause of SELECT ends that the token `start` stands in. */
size_t gh_judge_clause_end(const gh_judge *j, size_t start);

/* ---- reference.c ----------------------------------------------------------------------------- */

/* When all of FROM is in scope: does none of it take the aliases that its parts meant further out? */
void gh_reference_settle(gh_judge *j);
/* The schema-qualified name of a column reference loses its schema; usage is noted for the audit. */
void gh_judge_column_ref(gh_judge *j, ColumnRef *ref);
gh_item *gh_judge_find_item(gh_judge *j, const char *alias, gh_block **block);
/* What `t.x`, `schema.t.x` or `db.schema.t.x` is of, for x a name or a star; NULL: none that is known. */
gh_item *gh_reference_item(gh_judge *j, const ColumnRef *ref);
/* The names of USING are read on both sides. */
void gh_reference_note_using(gh_judge *j, const JoinExpr *join);

/* ---- system_column.c, position.c --------------------------------------------------------------- */

/* The type of one that shows of the relation; 0: it has none of the name. */
gh_oid gh_system_column_type(const gh_judge *j, const gh_item *item, const char *name);
/* Those that the statement names, as a list of columns of the sub-select that stands for it. */
char *gh_system_columns(gh_judge *j, const gh_item *item, bool is_empty, bool is_first);
/* SQL of `tableoid` over a relation that stands as it is. */
char *gh_system_column_table(gh_judge *j, const gh_item *item);
/* Refuses one that does not show, and says why. */
void gh_system_column_refuse(gh_judge *j, const gh_item *item, const ColumnRef *ref);
void gh_system_column_explain(gh_judge *j, const char *name);
/* Beside them a star stands for columns one by one. */
void gh_system_column_stars(gh_judge *j, SelectStmt *s);
/* Notes whether the statement does no more with `ctid` than comparing. */
void gh_position_note(gh_judge *j, Node *stmt);
/* Does the reference mean a position of a row, in such a statement? */
bool gh_position_is(const gh_judge *j, const ColumnRef *ref);
/* Is each position of the relation's rows there once? */
bool gh_position_is_single(const gh_judge *j, const gh_relation *r, bool with_children);

/* ---- output.c -------------------------------------------------------------------------------- */

/* Says in the plan which columns the result of the outermost query has; its block is the current one. */
void gh_judge_outputs(gh_judge *j, const SelectStmt *s);

/* ---- group.c, lock.c ------------------------------------------------------------------------------ */

void gh_judge_group(gh_judge *j, SelectStmt *s);
/* SELECT ... FOR UPDATE of one governed table: judged whole. False: it is no such query. */
bool gh_judge_locked_select(gh_judge *j, SelectStmt *s);
/* Lets no condition of a query around a locking one into it: the tree has OFFSET 0 then, and the text is to have it at the
 * token that is returned; 0: it is not needed. `from`: a token of FROM, at no depth of brackets. */
size_t gh_judge_keep_conditions_out(gh_judge *j, SelectStmt *s, size_t from);
/* Any other, when its FROM is judged: names the columns that its stars stand for, as far as that lets a relation stand as it is. */
void gh_judge_locked_stars(gh_judge *j, SelectStmt *s);
/* Where the query ends that the token stands in: at its closing bracket, or with the statement. */
size_t gh_lock_query_end(const gh_judge *j, size_t from);
/* FOR UPDATE and kin in SQL; `names`: " OF a, b", or nothing. */
const char *gh_lock_clause_text(const LockingClause *c, const char *names);
/* The bracket behind a query; SIZE_MAX: its text is not found. */
size_t gh_lock_closing(gh_judge *j, const SelectStmt *s);
/* Writes its clauses into the sub-selects of its FROM that they are about, which are judged next. */
void gh_judge_lock_queries(gh_judge *j, SelectStmt *s);
/* Notes which relations it locks, or refuses. */
void gh_judge_locking(gh_judge *j, const SelectStmt *s);
/* Refuses the lock of a relation for which a sub-select will stand that cannot be locked row by row. */
void gh_judge_locked_item(gh_judge *j, const gh_item *item);

/* ---- expr.c ---------------------------------------------------------------------------------- */

void gh_judge_expr(gh_judge *j, Node **slot);
void gh_judge_expr_list(gh_judge *j, List *list);
/* The query behind IN, ANY, EXISTS ... */
void gh_judge_sublink_query(gh_judge *j, SubLink *s);

/* ---- operator.c ------------------------------------------------------------------------------ */

/* An operator that is written with its schema: allowed or refused. */
void gh_operator_judge_name(gh_judge *j, const List *name, int location);
/*
 * Binds what an expression's operator means, once its operands are judged: nothing changes where that is one of
 * pg_catalog's, an extension's is written with its schema, and what cannot be told apart is refused.
 */
void gh_operator_bind(gh_judge *j, Node **slot);
/* The same for NOT around `x IN (SELECT ...)`, before its operand is judged; false: it is something else. */
bool gh_operator_bind_not_in(gh_judge *j, Node **slot);
/* Refuses a join's USING, or NATURAL's, that would compare by an extension's operator. */
void gh_operator_judge_using(gh_judge *j, const JoinExpr *join);
/* The schema of the function that a call without one means, where that is outside pg_catalog, though pg_catalog has
 * one of the name; refuses a call that cannot be told. */
gh_str gh_operator_function_schema(gh_judge *j, const FuncCall *f);
/* May a function outside pg_catalog be called, whichever of its overloads it is? */
bool gh_function_may_call(const gh_judge *j, gh_str schema, gh_str name);

/* ---- reg_value.c ----------------------------------------------------------------------------- */

bool gh_reg_is(const gh_type *t);
/* Is what the block computes the statement's own result, as it is? */
bool gh_reg_is_kept_in(const gh_block *b);
bool gh_reg_is_comparison(const A_Expr *e);
/* Does no parameter of the function take its type from its neighbours? */
bool gh_reg_may_be_argument(gh_judge *j, const FuncCall *f);
/* May a function whose result holds values of a reg* type stand in this block's FROM? */
bool gh_reg_may_stand_in_from(gh_judge *j, const FuncCall *f);
/* What a value of a reg* type becomes where it may not stay one; NULL where it is of another type. */
const char *gh_reg_of_call(gh_judge *j, const FuncCall *f);
const char *gh_reg_of_cast(const gh_judge *j, const TypeCast *c, size_t *after);
/* Makes x::regtype[], which would be printed by a query, x::oid[] where the grammar would take that query for a set. */
void gh_reg_array_as_oids(gh_judge *j, Node *n);

/* Casts the expression that ends before the token `after`. */
void gh_reg_flatten(gh_judge *j, Node **slot, size_t after, const char *type);

/* ---- catalog_print.c --------------------------------------------------------------------------- */

/* Text around an expression, as tokens and as a tree over $1; zeroed: nothing is put around. */
typedef struct gh_wrap {
    const char *prefix;
    const char *suffix;
} gh_wrap;

/* What goes around a call of a function that prints names as the search_path has them. */
gh_wrap gh_print_call(gh_judge *j, const char *function);
/* The token behind a type's name and brackets; SIZE_MAX: it is nowhere. */
size_t gh_print_type_end(const gh_judge *j, const TypeName *n);
/* SQL of gh.column_default, of information_schema.columns, likewise. */
const char *gh_print_default(gh_judge *j, const char *function, const char *column);
/* The same around the operand of a cast from a reg* type to text. */
gh_wrap gh_print_reg_cast(gh_judge *j, const TypeCast *c, const gh_type *target, size_t *first,
                          size_t *end);
/* The same around a cast to regrole in the final result. */
gh_wrap gh_print_role(gh_judge *j, const Node *n, size_t *first, size_t *end);
/* A cast of OIDs to an array of a reg* type becomes one of text; false: it is no such cast. */
bool gh_print_reg_array(gh_judge *j, Node **slot);
/* Puts a wrap around the tokens [first, end), and later around the node that came of them. */
void gh_print_wrap(gh_judge *j, const gh_wrap *w, size_t first, size_t end);
void gh_print_place(gh_judge *j, const gh_wrap *w, Node **slot);
/* A column of a catalog that stands where it is printed: in the final result, under a cast to text, as the
 * argument of array_to_string. `parts`: of its name, as the client wrote it. */
void gh_print_column(gh_judge *j, Node **slot, int parts);
/* What goes around such a column. */
gh_wrap gh_print_system_column(gh_judge *j, const gh_relation *r, const gh_column *c);
/* Those parts; 0 for what is no column. */
int gh_print_parts(const Node *n);

/* ---- function_special.c ------------------------------------------------------------------------ */

/* Parses trusted text in which $1 stands for the node. */
Node *gh_function_build(gh_judge *j, const char *sql, Node *first);
/* $1, $2 ... for the nodes of the list, eight at most. */
Node *gh_function_build_list(gh_judge *j, const char *sql, List *args);
/* The token at which the operand of `::` starts: the leftmost of its nodes and the brackets around. */
size_t gh_function_operand_start(gh_judge *j, Node *operand, size_t cast);
/* The name that PostgreSQL gives to a column computed from this operand, or the type's. */
const char *gh_function_column_name(const Node *operand, const gh_type *type);

/* ---- type.c ---------------------------------------------------------------------------------- */

void gh_judge_type(gh_judge *j, TypeName *t);
void gh_judge_cast(gh_judge *j, Node **slot);
bool gh_type_is_visible(gh_judge *j, const gh_type *t);
/* Is there one of the name, of one part or two, for the user? */
bool gh_type_is_named(gh_judge *j, const TypeName *t);
/* The type that a call of this name casts to, or NULL. */
const gh_type *gh_type_of_call(gh_judge *j, gh_str schema, gh_str name);
bool gh_type_param_is_allowed(gh_judge *j, gh_oid oid);
/* Splits a qualified name as regclass's input does; of three parts the first is the database's name. */
bool gh_type_split_name(const gh_judge *j, const char *s, char **schema, char **name);
/* The visible relation that a regclass literal names, or NULL. */
const gh_relation *gh_type_regclass(gh_judge *j, const char *text);
/* SQL by which the upstream finds the OID of any other relation or index that it names and that may be seen; NULL
 * after a refusal. */
char *gh_type_regclass_sql(gh_judge *j, const char *text);
/* Writes `reg* 'literal'` as the cast that it is, with sql for the literal; the tree is the caller's. */
void gh_type_cast_literal(gh_judge *j, TypeCast *c, const char *sql);

/* ---- cast.c ---------------------------------------------------------------------------------- */

/* Refuses a cast that may call a function which the policy does not allow. */
void gh_cast_judge(gh_judge *j, const TypeCast *cast, gh_oid target);
/* The same for what PostgreSQL casts by itself when a column of the type is written: from whatever there is, from one type (0:
 * nobody knows), from a value. */
bool gh_cast_may_assign(gh_judge *j, gh_oid type);
bool gh_cast_may_assign_from(gh_judge *j, gh_oid source, gh_oid type);
bool gh_cast_may_assign_value(gh_judge *j, const Node *value, gh_oid type);
/* May somebody have made a cast from the type, or an element of it, that runs without a word in an expression? */
bool gh_cast_is_made_from(const gh_catalog *c, gh_oid type);
/* What is left of these where all of the statement is known: for a judge that keeps them. */
void gh_cast_judge_unsure(gh_judge *j);
/* May a value become one of the type, by the functions that checks of domains in it call? */
bool gh_cast_may_check(const gh_judge *j, gh_oid type, int depth);
/* Refuse a function or operator of PostgreSQL's that casts an operand, by a cast that may not run. */
void gh_cast_judge_inner(gh_judge *j, const FuncCall *f, gh_str name);
void gh_cast_judge_operator(gh_judge *j, const A_Expr *e);
/* May the value become a parameter of EXECUTE, of whatever type that is? */
bool gh_cast_may_be_argument(gh_judge *j, Node *value);

/* ---- relation.c ------------------------------------------------------------------------------ */

/* Resolves a name to a relation that the user may know of; NULL and a refusal (42P01) if there is
 * none. */
bool gh_judge_resolve(gh_judge *j, gh_item *item);
/* The same without a refusal. */
bool gh_relation_lookup(gh_judge *j, gh_item *item);
/* Does the user know of this relation at all? */
bool gh_relation_is_known(const gh_judge *j, const gh_relation *r);
/* (f1) OR (f2) of a set of filters, each followed by suffix; "" for an empty set, NULL after a
 * refusal. */
char *gh_relation_any_of(gh_judge *j, gh_item *item, gh_filter_set set, const char *suffix);
/* What a column shows, over item->inner; NULL where it is hidden or after a refusal. */
char *gh_relation_column_sql(gh_judge *j, gh_item *item, size_t column);
/* Which rows show; "" for every row, NULL after a refusal. */
char *gh_relation_row_condition(gh_judge *j, gh_item *item);
/* The sub-select that stands for a governed relation, without alias; NULL after a refusal. */
char *gh_relation_governed_sql(gh_judge *j, gh_item *item);
/* False: no word of the statement's text is this. */
bool gh_judge_may_be_word(gh_judge *j, gh_str name);
/* May the relation itself stand where it is, with its schema? Known when the statement was judged. */
bool gh_relation_stands(const gh_item *item);
/* Puts what stands for each relation into text and tree. */
void gh_judge_place_items(gh_judge *j);
void gh_judge_note_touches(gh_judge *j);

/* ---- through.c ------------------------------------------------------------------------------- */

/* What a relation inside a view shows. */
const gh_decision *gh_through_decide(const gh_judge *j, const gh_relation *r);
/* Is it one that shows no row? */
bool gh_through_is_empty(const gh_item *item);
/* Fills item->body, or refuses. */
void gh_through_expand(gh_judge *j, gh_item *item);

/* ---- temporary.c, temporary_table.c ----------------------------------------------------------- */

/* A temporary table that an earlier statement of the same text makes. */
typedef struct gh_announced {
    const char *name;
    const gh_relation *relation; /* NULL: its columns are not known */
} gh_announced;

void gh_temporary_announce(gh_judge *j, const char *name, const gh_relation *r);
void gh_temporary_withdraw(gh_judge *j, const char *name);
/* Would a function of the policy read it before what it means? */
bool gh_temporary_is_in_front(const gh_judge *j, gh_str name);
/* Is it announced, with columns that are not known? */
bool gh_temporary_is_unknown(const gh_judge *j, gh_str name);
/* A relation of FROM that is so: its name is placed, and its columns stay unknown. */
bool gh_judge_unknown_relation(gh_judge *j, RangeVar *v);
/* Does the name of a schema mean the session's temporary one? */
bool gh_temporary_is_schema(const gh_judge *j, gh_str schema);
const gh_relation *gh_temporary_relation(const gh_judge *j, gh_str name);
const gh_relation *gh_temporary_relation_by_oid(const gh_judge *j, gh_oid oid);
/* What the user may do with a relation: the policy's word, or everything where it is temporary. */
const gh_decision *gh_judge_decide(const gh_judge *j, const gh_relation *r);
/* CREATE, ALTER, DROP ... of a temporary table. False: it is of nothing temporary. */
bool gh_judge_temporary(gh_judge *j, Node *stmt);
/* SELECT INTO; false where it says so, or nothing is put anywhere. */
bool gh_judge_select_into(gh_judge *j, SelectStmt *s);

/* ---- policy_expr.c --------------------------------------------------------------------------- */

/* SQL of a row filter over columns of the relation by item->inner; NULL after a refusal. */
char *gh_judge_filter(gh_judge *j, gh_item *item, gh_str filter);
/* SQL of a mask over a column; NULL after a refusal. */
char *gh_judge_mask(gh_judge *j, gh_item *item, const gh_column *column, const gh_mask *mask);

/* ---- encoding.c ------------------------------------------------------------------------------ */

/* The text as UTF-8; *must_escape: what is sent must be ASCII. */
gh_rc gh_encoding_to_utf8(gh_str encoding, gh_str text, gh_arena *a, gh_str *out, bool *must_escape,
                          gh_err *err);

#endif
