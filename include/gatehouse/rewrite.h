/*
 * rewrite: a client's statement in, the statement to send upstream out, by one policy view and one
 * catalog snapshot. Pure: the same input gives the same bytes.
 *
 *     SQL ─guard─parse─▶ tree ─judge─▶ edits ─splice─▶ canonical SQL ─parse again─▶ equal to the judged tree?
 *                                                                                   yes: gh_plan   no: refused
 *
 * What is not known is refused: statement kinds, nodes, functions, types, settings, catalog
 * relations.
 *
 * Memory: everything in the result lives in the caller's arena.
 * Threads: any, one call an arena at a time.
 */
#ifndef GATEHOUSE_REWRITE_H
#define GATEHOUSE_REWRITE_H

#include <gatehouse/base.h>
#include <gatehouse/catalog.h>
#include <gatehouse/policy.h>

/* What the upstream's error says when a written row is outside the grant (plans with strips_*):
 * 22P02 with this text in its message. To the client it is 42501. */
#define GH_CHECK_MARK "gatehouse row check"

/* The schema under which gh_rewrite_input.temporary holds its relations, and the name by which they are
 * sent: upstream it means the session's own, always. */
#define GH_TEMPORARY_SCHEMA "pg_temp"

/* What the session must know of a statement that it forwards. */
typedef enum gh_stmt_kind {
    GH_STMT_REFUSED = 0, /* `error` says why; nothing of it is sent */
    GH_STMT_EMPTY,       /* no statement: EmptyQueryResponse */
    GH_STMT_QUERY,       /* SELECT, VALUES, TABLE and everything else that is just sent */
    GH_STMT_WRITE,       /* INSERT, UPDATE, DELETE, MERGE, TRUNCATE */
    GH_STMT_BEGIN,
    GH_STMT_COMMIT,
    GH_STMT_ROLLBACK,
    GH_STMT_SAVEPOINT,   /* name */
    GH_STMT_RELEASE,     /* name */
    GH_STMT_ROLLBACK_TO, /* name */
    GH_STMT_SET,         /* name, value: a tracked setting; is_local */
    GH_STMT_RESET,       /* name; empty: all */
    GH_STMT_SHOW,        /* of a virtual setting: sent as SELECT; the tag must become SHOW */
    GH_STMT_PREPARE,     /* name; `inner` is what it prepares */
    GH_STMT_EXECUTE,     /* name */
    GH_STMT_DEALLOCATE,  /* name; empty: all */
    GH_STMT_DECLARE,     /* name: a cursor */
    GH_STMT_FETCH,       /* name: FETCH or MOVE */
    GH_STMT_CLOSE,       /* name; empty: all */
    GH_STMT_COPY_OUT,
    GH_STMT_COPY_IN,
    GH_STMT_DISCARD, /* name: all, plans, sequences, temp */
    GH_STMT_OTHER    /* LOCK, LISTEN ... as far as allowed */
} gh_stmt_kind;

/* From this character of the sent text on (1-based) the text is the client's at `source` (1-based),
 * or Gatehouse's own where that is 0. Ascending. */
typedef struct gh_offset {
    uint32_t sent;
    uint32_t source;
} gh_offset;

/* A relation that the statement reads or writes, for the audit. */
typedef struct gh_touch {
    gh_oid relation;
    gh_str schema;
    gh_str name;
    uint32_t privileges;  /* used */
    gh_str_list clear;    /* columns that the statement may read in clear ... */
    gh_str_list masked;   /* ... masked or by cell */
    gh_str_list filtered; /* of them, those that its conditions read */
    gh_str_list hidden;   /* columns that a `*` leaves out, since they do not exist for the user */
    bool is_row_filtered;
    bool is_sequence; /* that nextval() and kin name: the statement is no write for it */
} gh_touch;

/* What is done to the session whose process id a row of the answer holds. */
typedef enum gh_signal_kind {
    GH_SIGNAL_NONE = 0,
    GH_SIGNAL_CANCEL,   /* pg_cancel_backend */
    GH_SIGNAL_TERMINATE /* pg_terminate_backend */
} gh_signal_kind;

/* RowDescription of the answer must name this column: by position, what the filtered catalog says. */
typedef struct gh_output_column {
    gh_oid relation;
    int16_t attnum; /* 0: leave what the upstream says */
} gh_output_column;

typedef struct gh_plan {
    gh_stmt_kind kind;
    gh_str sql;         /* to send; empty with GH_STMT_EMPTY and GH_STMT_REFUSED */
    gh_err error;       /* with GH_STMT_REFUSED */
    gh_stmt_kind inner; /* GH_STMT_PREPARE, GH_STMT_DECLARE: of what they prepare */
    gh_str name;        /* see gh_stmt_kind */
    gh_str value;
    /* GH_STMT_SET: the parameter that is the value, in the place of `value`: by whom it is bound, it is looked at. 0: none. */
    uint16_t value_param;
    uint16_t role_param; /* the same of the role, which must be the user's own */
    bool is_local;
    bool is_held;       /* GH_STMT_DECLARE: WITH HOLD */
    bool names_setting; /* it sets a variable of the client's own: gh_setting_is_own */
    bool
        is_explained; /* GH_STMT_EXECUTE: only how it would run is asked; its result is no answer of it */
    bool is_bypassed; /* sent as the client wrote it */
    gh_str tag; /* the CommandComplete tag to show instead of the upstream's; empty: as it comes */
    const gh_offset *offsets;
    size_t offset_count;
    uint32_t source_start; /* byte range of the statement in the client's text */
    uint32_t source_len;
    const gh_touch *touches;
    size_t touch_count;
    const int64_t *grant_ids;
    size_t grant_count;
    const gh_output_column *outputs; /* NULL: relay RowDescription as it is */
    size_t output_count;
    bool strips_column; /* the answer's last column is Gatehouse's check of the new row: not
                             shown... */
    bool strips_result; /* ...or, where the client asked for no result, the whole result */
    gh_signal_kind
        signal; /* the answer's one column, a process id as int8, is shown as the boolean that
                              says whether there was such a session of the user's */
    bool
        tells_values; /* what may fail over a row is the client's own: the error may quote what its text says */
    bool checks_rows;  /* a written row may be refused: GH_CHECK_MARK */
    bool is_shareable; /* another literal of the same kind in its place would change nothing but
                              itself: numbers of at most nine digits, strings without backslash */
    bool is_lookup; /* ...and they may be parameters: it finds a row by the table's primary key */
    bool
        reads_session; /* depends on more than the cache's key says: neither cached, nor bound again without
                             being judged again */
    gh_oid
        takes_number; /* the sequence, or the table by whose columns' defaults, that the next number is taken
                               of: for lastval(). 0: none */
    bool changes_catalog;   /* DDL went through (bypass): refresh the catalog */
    bool changes_temporary; /* the session's temporary tables are others now */
} gh_plan;

/* Has it run when it is complete? (PREPARE and DECLARE say what will.) */
static inline bool gh_plan_runs_at_once(const gh_plan *p)
{
    return p->kind == GH_STMT_QUERY || p->kind == GH_STMT_WRITE || p->kind == GH_STMT_COPY_IN ||
           p->kind == GH_STMT_COPY_OUT;
}

/* A prepared statement or cursor of the session, and the client's text of it. */
typedef struct gh_session_name {
    gh_str name;
    gh_str text;
} gh_session_name;

/* What the session tells of itself. Strings are borrowed for the call. */
typedef struct gh_rewrite_input {
    gh_str sql; /* the Query's or Parse's text, without its NUL */
    const gh_catalog *catalog;
    /* The session's temporary relations, under GH_TEMPORARY_SCHEMA; its one schema is their real one.
     * NULL: it has none. */
    const gh_catalog *temporary;
    gh_view *view;
    gh_str database;         /* the warehouse as the client named it */
    gh_str_list search_path; /* the client's, effective schemas in order, without pg_catalog */
    gh_str search_path_text; /* as SHOW search_path must print it */
    gh_str startup; /* what the startup packet set: gh_settings_put_sql of each; may be empty */
    gh_str client_encoding;    /* of the text */
    const gh_oid *param_types; /* of Parse; 0: not given */
    size_t param_count;
    /* For a text that speaks of pg_prepared_statements or pg_cursors: what they are to show. */
    const gh_session_name *statements;
    size_t statement_count;
    const gh_session_name *cursors;
    size_t cursor_count;
    gh_oid took_number; /* gh_plan.takes_number of what ran last with one; 0: nothing did */
    bool has_tls;       /* so the client came */
    bool is_extended;   /* one statement only: several are 42601, as PostgreSQL says */
    /* What the text may grow by before it is given up as GH_LIMIT with err.takes_long; 0: until it is refused. */
    size_t added_max;
} gh_rewrite_input;

/*
 * Plans for every statement of the text, in order. A refusal is a plan of kind GH_STMT_REFUSED and
 * ends the list (what follows would not run). GH_OK unless the text cannot be taken at all:
 * GH_INVALID (42601 and other syntax errors, position set), GH_LIMIT, GH_INTERNAL (the verifier did
 * not agree: a defect). An empty text gives one plan of kind GH_STMT_EMPTY.
 */
GH_MUST_USE gh_rc gh_rewrite(const gh_rewrite_input *in, gh_arena *a, const gh_plan **plans,
                             size_t *count, gh_err *err);

/*
 * The same for a text that is sent as it is, whatever the policy says: bypass and observe mode. What cannot be
 * parsed is one plan of kind GH_STMT_OTHER.
 */
GH_MUST_USE gh_rc gh_rewrite_raw(const gh_rewrite_input *in, gh_arena *a, const gh_plan **plans,
                                 size_t *count, gh_err *err);

/* The client's position for one that the upstream gave within plan->sql (both 1-based, in
 * characters); 0 where that text is not the client's. */
uint32_t gh_plan_position(const gh_plan *plan, uint32_t upstream_position);

/* ---- a row filter or mask by itself: `policy lint`, `policy apply` ---------------------------- */

/*
 * The SQL that in->sql, a row filter of the policy or (with `value`, a column of r) an expression
 * mask, becomes over r, whose alias is "gh"; of `in`, only sql, catalog, view and database count.
 * is_value: of a mask over text the value itself, of its own type, not what is printed of it.
 * GH_INVALID: public_msg says what is wrong with it.
 */
GH_MUST_USE gh_rc gh_rewrite_expression(const gh_rewrite_input *in, const gh_relation *r,
                                        const gh_column *value, bool is_value, gh_arena *a,
                                        gh_str *out, gh_err *err);

/* ---- expressions of the policy -------------------------------------------------------------- */

/*
 * Is the text (a row filter, or a mask over `value`) one SQL expression, within the bounds?
 * GH_INVALID (42601, position within the text), GH_LIMIT. Whether what it names exists only a
 * relation of a warehouse can tell. Pure.
 */
GH_MUST_USE gh_rc gh_rewrite_check_expression(gh_str text, gh_err *err);

/* The hint of every answer that says "does not exist", for what is hidden and what is absent alike. */
#define GH_ABSENCE_HINT "It may exist without being granted to you."
bool gh_sqlstate_is_absence(const char *sqlstate); /* 42P01, 42703, 3F000 */

/* ---- settings that clients may set (SET, startup parameters, options) ------------------------ */

/* GH_DENIED: not a setting that clients may set. GH_INVALID: not to this value. Names are lower
 * case. */
GH_MUST_USE gh_rc gh_setting_check_name(gh_str name, gh_err *err);
GH_MUST_USE gh_rc gh_setting_check(gh_str name, gh_str value, gh_err *err);
/* Kept by the session and never sent upstream: search_path, session_authorization, role,
 * is_superuser. */
bool gh_setting_is_virtual(gh_str name);
/*
 * Reads one name of a search_path from text[*at] on, with the spaces around it and, where another follows, the comma: unquoted
 * and folded into `to`, which has room for the rest of the text, or nowhere where that is NULL. Its length; SIZE_MAX: that is no name.
 */
size_t gh_setting_read_path(gh_str text, size_t *at, char *to);
/* Is it a list of names, or empty? */
bool gh_setting_is_path(gh_str text);
/* May SET ROLE name it? The user's own, or none. */
bool gh_setting_is_own_role(gh_str user, gh_str role);
/* app.user_id: a variable of the client's own, which nothing upstream reads. */
bool gh_setting_is_own(gh_str name);
/* The name that it has upstream: "gatehouse_client"."app"."user_id" as SQL, gatehouse_client.app.user_id as a text. */
void gh_setting_put_own(gh_str name, bool is_sql, gh_buf *out);
#define GH_SETTING_OWN_PREFIX "gatehouse_client."

#endif
