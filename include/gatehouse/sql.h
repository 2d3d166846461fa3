/*
 * sql: PostgreSQL's own parser and lexer, made safe to call: guarded input, errors that do not jump
 * past the caller, canonical text out, and the proof that this text means the tree that was judged.
 *
 *     gh_sql_guard   may the parser see this text?
 *     gh_sql_parse   text to tokens and tree; the rewriter edits both
 *     gh_sql_emit    edited tokens to text
 *     gh_sql_verify  does this text parse to the edited tree?
 *
 * The tree consists of the parser's nodes (nodes/parsenodes.h); this header names only `struct
 * Node` and `struct List`, so that modules without PostgreSQL's headers can include it.
 *
 * Memory: trees, tokens and everything that PostgreSQL allocates live in the memory context that
 * gh_sql_run opens, and die with it; copy what must outlive it. Threads: any; the parser's globals
 * are thread-local. gh_sql_run does not nest. Source: PostgreSQL 15
 * src/backend/parser/{scan.l,gram.y,parser.c}.
 */
#ifndef GATEHOUSE_SQL_H
#define GATEHOUSE_SQL_H

#include <gatehouse/base.h>

struct Node;
struct List;

/* Runs fn with a fresh memory context and PostgreSQL's errors caught: they become *err and
 * GH_INVALID (GH_LIMIT where memory ran out). fn must hold no resources of its own across calls
 * into the parser. */
typedef gh_rc (*gh_sql_fn)(void *arg, gh_err *err);
GH_MUST_USE gh_rc gh_sql_run(gh_sql_fn fn, void *arg, gh_err *err);

/* Size, NUL, UTF-8, nesting of comments: what must hold before the lexer may see a text. */
GH_MUST_USE gh_rc gh_sql_guard(gh_str text, gh_err *err);

/*
 * Of a text that need not parse, by what its bytes at `i` begin; each answers with the byte behind it, or the text's
 * length where it does not end.
 */
size_t gh_sql_behind_quotes(gh_str text, size_t i);  /* a string or a quoted name */
size_t gh_sql_behind_dollars(gh_str text, size_t i); /* $x$...$x$; i where it is none */
bool gh_sql_begins_comment(gh_str text, size_t i);
size_t gh_sql_behind_comment(gh_str text, size_t i);
/* May a name hold the byte, other than in quotes? */
bool gh_sql_is_name_byte(char c);

/* ---- within gh_sql_run only ------------------------------------------------------------------ */

typedef enum gh_token_kind {
    GH_TOKEN_END = 0,
    GH_TOKEN_IDENT,   /* text: the name, unquoted and folded */
    GH_TOKEN_KEYWORD, /* text: canonical spelling */
    GH_TOKEN_STRING,  /* text: the value */
    GH_TOKEN_BITS,    /* text: b0101 or x1F */
    GH_TOKEN_NUMBER,  /* text: the digits */
    GH_TOKEN_PARAM,   /* number */
    GH_TOKEN_OPERATOR,
    GH_TOKEN_SELF /* a single character or :: .. := => <= >= <> */
} gh_token_kind;

typedef struct gh_token {
    gh_token_kind kind;
    uint32_t start;   /* byte in the source */
    const char *text; /* NUL-terminated */
    int number;       /* GH_TOKEN_PARAM */
} gh_token;

typedef struct gh_sql_text {
    const char *source; /* NUL-terminated */
    size_t source_len;
    gh_token *tokens; /* token_count of them and then one GH_TOKEN_END */
    size_t token_count;
    struct List *stmts; /* of RawStmt */
} gh_sql_text;

/* Lexes and parses a guarded text; a syntax error is GH_INVALID with PostgreSQL's SQLSTATE and
 * position. */
GH_MUST_USE gh_rc gh_sql_parse(gh_str text, gh_sql_text *out, gh_err *err);
/* The same for a text that is not edited: its tree (a list of RawStmt) alone. */
GH_MUST_USE gh_rc gh_sql_parse_tree(gh_str text, struct List **stmts, gh_err *err);

/* Index of the token that starts at a byte, or SIZE_MAX. */
size_t gh_sql_token_at(const gh_sql_text *t, int location);
/* Index of the bracket that closes the one at `open`, or SIZE_MAX. */
size_t gh_sql_token_closing(const gh_sql_text *t, size_t open);

/* Nesting of the tree is within GH_SQL_DEPTH_MAX, and every node is of a kind that is known. Must
 * hold before anything that recurses over the tree. */
GH_MUST_USE gh_rc gh_sql_check_tree(struct Node *node, gh_err *err);

/*
 * Visits the child slots of a node, in the order of its struct, so that a visitor can replace what
 * stands in one. Lists are passed through: their elements are the slots. False: the node's kind is
 * not known.
 */
typedef void (*gh_sql_visit)(struct Node **slot, void *arg);
GH_MUST_USE bool gh_sql_children(struct Node *node, gh_sql_visit visit, void *arg);

/* A change of the token stream: the tokens [first, end) become `text` (already canonical SQL); with
 * first == end the text is inserted before that token. */
typedef struct gh_edit {
    size_t first;
    size_t end;
    const char *text;
} gh_edit;

typedef struct gh_sql_offset {
    uint32_t sent;
    uint32_t source;
} gh_sql_offset;

/* Appends the tokens [first, end) with the edits applied (ascending, not overlapping; several
 * insertions at one place keep their order). is_ascii: non-ASCII bytes are written as escapes.
 * offsets may be NULL. */
GH_MUST_USE gh_rc gh_sql_emit(const gh_sql_text *t, size_t first, size_t end, const gh_edit *edits,
                              size_t edit_count, bool is_ascii, gh_buf *out, gh_buf *offsets,
                              gh_err *err);

/* SQL literals and identifiers as the emitter writes them. */
void gh_sql_put_ident(gh_buf *out, gh_str name, bool is_ascii);
void gh_sql_put_string(gh_buf *out, gh_str value, bool is_ascii);

/* Parses `text` (one statement) and compares it with the statement `judged`; GH_INTERNAL if they
 * differ. */
GH_MUST_USE gh_rc gh_sql_verify(gh_str text, struct Node *judged, gh_err *err);

#endif
