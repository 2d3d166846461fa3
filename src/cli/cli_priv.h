/*
 * What verbs are made of. A new verb: a file src/cli/verb_<name>.c that defines a cli_verb, its
 * declaration below, and its line in the table of cli.c.
 */
#ifndef GATEHOUSE_CLI_PRIV_H
#define GATEHOUSE_CLI_PRIV_H

#include <stdio.h>

#include <gatehouse/base.h>
#include <gatehouse/cli.h>
#include <gatehouse/config.h>
#include <gatehouse/store.h>

typedef struct cli_option {
    const char *name;  /* "--acl" */
    const char *value; /* "FILE"; NULL: the option takes none */
    const char *help;
} cli_option;

enum {                 /* options that many verbs take, a bit set */
       CLI_ACL = 1,    /* --acl, --config: which ACL (cli_open_acl) */
       CLI_CONFIG = 2, /* --config: which config file (cli_read_config) */
       CLI_AUTHOR = 4, /* --by, --reason: for the history (cli_author) */
       CLI_JSON = 8    /* --json */
};

enum { CLI_ARGS_MAX = 10000, CLI_OPTIONS_MAX = 100 }; /* words of one command line */

typedef struct cli_call cli_call;

typedef struct cli_verb {
    const char *group; /* "policy"; NULL: the verb stands alone */
    const char *name;
    const char *args; /* usage of what is no option: "FILE-OR-DIR..." */
    const char *summary;
    const char *help;    /* a paragraph or two; NULL: the summary says it */
    const char *example; /* at least one line to type */
    uint32_t shared;     /* CLI_... */
    const cli_option *options;
    size_t option_count;
    size_t args_min;
    size_t args_max;
    int (*run)(cli_call *c); /* an exit code */
} cli_verb;

struct cli_call {
    const cli_verb *verb;
    gh_arena *arena; /* as long as the call */
    const char *args[CLI_ARGS_MAX];
    size_t arg_count;
    struct {
        const cli_option *option;
        const char *value;
    } given[CLI_OPTIONS_MAX];
    size_t given_count;
    gh_config config; /* see cli_read_config */
    bool has_config;
};

/* ---- what verbs ask -------------------------------------------------------------------------- */

bool cli_has(const cli_call *c, const char *option);
const char *cli_value(const cli_call *c, const char *option); /* the last given; NULL: none */

/* "gatehouse: ..." on stderr; returns GH_CLI_FAILED. */
int cli_fail(const char *fmt, ...) GH_PRINTF(1, 2);
int cli_fail_err(const gh_err *err); /* with its detail */
/* The same with a pointer to --help; returns GH_CLI_USAGE. */
int cli_usage(const cli_call *c, const char *fmt, ...) GH_PRINTF(2, 3);

/*
 * The config file of --config or GATEHOUSE_CONFIG, read once, its faults printed. GH_CLI_DONE, or
 * the exit code to return.
 */
GH_MUST_USE int cli_read_config(cli_call *c);
/* Which ACL the call names: see cli_open_acl. GH_CLI_DONE, or the exit code to return. */
GH_MUST_USE int cli_acl_path(cli_call *c, const char **out);
/* Which folder holds the audit log: --dir, or the config file's. GH_CLI_DONE, or the exit code to return. */
GH_MUST_USE int cli_audit_dir(cli_call *c, gh_str *out);
/*
 * Opens the ACL of --acl, --config, GATEHOUSE_ACL or GATEHOUSE_CONFIG, whichever comes first.
 * GH_CLI_DONE, or the exit code to return.
 */
GH_MUST_USE int cli_open_acl(cli_call *c, gh_store_mode mode, gh_store **out);
/* Opens, loads, closes. */
GH_MUST_USE int cli_load_acl(cli_call *c, gh_acl *out);
/* Who makes the change: --by, or the operating system's user (whoever called sudo). */
gh_store_author cli_author(cli_call *c);

/* A whole file, of at most `max` bytes, into the arena. GH_LIMIT, GH_NOT_FOUND, GH_IO. */
GH_MUST_USE gh_rc cli_read_file(const char *path, size_t max, gh_arena *a, gh_str *out,
                                gh_err *err);
/* Names that look like `name` among `known`: " (did you mean X?)", or "". */
const char *cli_did_you_mean(cli_call *c, gh_str name, const char *const *known, size_t count);

/* ---- changing the ACL: changes.c ------------------------------------------------------------- */

gh_str_list cli_values(cli_call *c, const char *option); /* every one given, in order */
/* Names by commas outside double quotes; blanks around them do not count. NUL-terminated. */
gh_str_list cli_split(cli_call *c, gh_str_list words);
/* Finds a word, whatever its case; wrong usage names what there is. */
GH_MUST_USE int cli_choose(cli_call *c, gh_str word, const char *what, const char *const *known,
                           size_t count, size_t *index);
GH_MUST_USE int cli_check_words(cli_call *c); /* UTF-8, all of them */
/* Opens the ACL, makes the edits by the call's author, prints what they changed. */
GH_MUST_USE int cli_make_edits(cli_call *c, const gh_store_edit *edits, size_t count);
GH_MUST_USE int cli_make_edits_in(cli_call *c, gh_store *st, const gh_store_edit *edits,
                                  size_t count);
void cli_print_changes(const cli_call *c, const gh_store_changes *changes);
/* One SQL expression? `what` ("--rows") names it in the error. */
GH_MUST_USE int cli_want_expression(const char *what, gh_str text);
/* The same of a mask that is neither built in nor, in the store (NULL: none), named. */
GH_MUST_USE int cli_want_mask(cli_call *c, gh_store *st, const char *what, gh_str text);

/* ---- output: a table for people, --json for programs ----------------------------------------- */

/*
 * Rows of cells. cli_table_print aligns them for a terminal, separates them by tabs for a pipe, and with
 * --json prints an object a row, keyed by the headings, where lists are arrays and numbers numbers. What cells
 * borrow must live until the table is printed.
 */
typedef enum cli_cell_kind {
    CLI_CELL_NONE = 0,
    CLI_CELL_TEXT,
    CLI_CELL_NUMBER,
    CLI_CELL_LIST,
    CLI_CELL_MAP
} cli_cell_kind;

typedef struct cli_cell {
    cli_cell_kind kind;
    gh_str text; /* as people see it */
    gh_str_list list;
    gh_str json; /* a map's */
} cli_cell;

typedef struct cli_table {
    const char *const *headings;
    size_t columns;
    cli_cell *cells;
    size_t count;
    size_t cap;
    gh_arena *arena;
} cli_table;

void cli_table_init(cli_table *t, const char *const *headings, size_t columns, gh_arena *a);
/* Row by row. */
void cli_table_put(cli_table *t, gh_str text);
void cli_table_put_list(cli_table *t, gh_str_list list);
/* Names and what each has: `json` is an object for programs. */
void cli_table_put_map(cli_table *t, gh_str text, gh_str json);
void cli_table_put_number(cli_table *t, int64_t v);
/* An array of strings. */
void cli_put_json_list(gh_buf *b, gh_str_list list);
void cli_table_print(cli_table *t, const cli_call *c, FILE *out);
void cli_table_fini(cli_table *t);
/*
 * What became of one thing: `text` for people, with --json {"<kind>":"<name>","state":"<state>","changed":...}.
 */
void cli_print_state(const cli_call *c, const char *kind, const char *name, const char *state,
                     bool is_changed, const char *text);
/* Lines for people, with what a terminal would obey as `?`; a name in them must be one line. */
void cli_print_lines(gh_str lines);
gh_str cli_one_line(gh_arena *a, gh_str s);
gh_str cli_join(gh_arena *a, gh_str_list list); /* "a, b" */
gh_str cli_time_text(gh_arena *a,
                     int64_t us); /* 2026-12-31T08:00:00Z; empty for "always" and "for ever" */

/* ---- the rest of the module ------------------------------------------------------------------ */

void cli_help_all(FILE *out, const cli_verb *const *verbs, size_t count);
void cli_help_group(FILE *out, const cli_verb *const *verbs, size_t count, const char *group);
void cli_help_verb(FILE *out, const cli_verb *v);
const cli_option *cli_find_option(const cli_verb *v, const char *name, size_t len); /* or NULL */
/* Shared options by bit. */
const cli_option *cli_shared_options(uint32_t bit, size_t *count);

/*
 * A self-signed certificate for the names and addresses given, valid for `days`, and its key, as
 * files of mode 0644 and 0600. The files must not exist.
 */
GH_MUST_USE gh_rc cli_make_certificate(const char *cert_path, const char *key_path,
                                       const char *common_name, int days, gh_err *err);
/* Do certificate and key belong together? *expires_us: the end of its validity. */
GH_MUST_USE gh_rc cli_check_certificate(gh_str cert_pem, gh_str key_pem, int64_t *starts_us,
                                        int64_t *expires_us, gh_err *err);

extern const cli_verb cli_serve;
extern const cli_verb cli_check;
extern const cli_verb cli_init;
extern const cli_verb cli_policy_apply;
extern const cli_verb cli_policy_export;
extern const cli_verb cli_policy_plan;
extern const cli_verb cli_policy_lint;
extern const cli_verb cli_policy_test;
extern const cli_verb cli_policy_import;
extern const cli_verb cli_policy_unused;
extern const cli_verb cli_user_list;
extern const cli_verb cli_user_show;
extern const cli_verb cli_user_password;
extern const cli_verb cli_user_disable;
extern const cli_verb cli_user_enable;
extern const cli_verb cli_role_list;
extern const cli_verb cli_explain;
extern const cli_verb cli_grants;
extern const cli_verb cli_user_add;
extern const cli_verb cli_user_drop;
extern const cli_verb cli_member_add;
extern const cli_verb cli_member_drop;
extern const cli_verb cli_role_add;
extern const cli_verb cli_role_show;
extern const cli_verb cli_role_drop;
extern const cli_verb cli_grant;
extern const cli_verb cli_deny;
extern const cli_verb cli_revoke;
extern const cli_verb cli_tag_add;
extern const cli_verb cli_tag_drop;
extern const cli_verb cli_tag_list;
extern const cli_verb cli_mask_add;
extern const cli_verb cli_mask_drop;
extern const cli_verb cli_mask_list;
extern const cli_verb cli_policy_history;
extern const cli_verb cli_policy_rollback;
extern const cli_verb cli_who;
extern const cli_verb cli_audit_tail;
extern const cli_verb cli_audit_search;
extern const cli_verb cli_audit_show;
extern const cli_verb cli_audit_stats;
extern const cli_verb cli_audit_verify;
extern const cli_verb cli_completion;
extern const cli_verb cli_session_list;
extern const cli_verb cli_session_kill;
extern const cli_verb cli_status;
extern const cli_verb cli_reload;

#endif
