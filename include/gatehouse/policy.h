/*
 * policy: the one place that decides what a user may see. An ACL (plain rows, as the store or the policy
 * files hold them) compiles into an immutable policy; a policy and a user's name give a view; a view and a
 * relation of the catalog give a decision, which says for every row and cell how it shows, as sets of row
 * filters. The rewriter turns decisions into SQL and decides nothing itself.
 *
 *     policy files ─▶ gh_acl ─▶ store (SQLite) ─▶ gh_acl ─compile▶ gh_policy ─▶ gh_view ─▶ gh_decision
 *
 * The rule (docs/semantics.md): a cell shows in clear if some single grant covers its row and its column
 * without masking it and nothing denies it; grants never combine one's rows with another's columns; denies
 * win, and count wherever their filter is not false.
 *
 * Memory: an acl lives in the arena that it was read into. A policy owns copies of all. A view belongs to
 * a policy reference that it holds; its decisions live as long as the view. Threads: policies and views are
 * immutable to callers and counted; a view fills its memo of decisions under its own lock.
 * Source: CONTRACT "the one rule"; NIST INCITS 359 for the words role, user, permission.
 */
#ifndef GATEHOUSE_POLICY_H
#define GATEHOUSE_POLICY_H

#include <gatehouse/base.h>
#include <gatehouse/catalog.h>

/* ---- the ACL as rows ------------------------------------------------------------------------ */

/* Privileges, a bit set. */
enum {
    GH_SELECT = 1,
    GH_INSERT = 2,
    GH_UPDATE = 4,
    GH_DELETE = 8,
    GH_TRUNCATE = 16,
    GH_ALL_PRIVILEGES = 31
};

/* `may:` of a role, a bit set. */
enum { GH_MAY_EXPLAIN = 1, GH_MAY_TEMP_TABLES = 2, GH_MAY_NOTIFY = 4, GH_MAY_BYPASS = 8 };

typedef struct gh_str_list {
    const gh_str *items;
    size_t count;
} gh_str_list;

/* Where a row came from: policy files or the CLI; `policy apply` touches only its own. */
typedef enum gh_origin { GH_ORIGIN_CLI = 0, GH_ORIGIN_POLICY } gh_origin;

/* Where a policy file says it; line 0: it was not read from a file. */
typedef struct gh_acl_place {
    gh_str file;
    uint32_t line;   /* 1-based */
    uint32_t column; /* 1-based */
} gh_acl_place;

/* A file as it was read, for gh_policy_place_of. */
typedef struct gh_policy_tree {
    gh_str file;
    const struct gh_yaml_node *root;
} gh_policy_tree;

typedef struct gh_acl_attribute {
    gh_str name;
    bool is_list;
    gh_str_list values; /* one, unless is_list */
} gh_acl_attribute;

typedef struct gh_acl_user {
    gh_str name;
    bool is_service;
    bool is_disabled;
    gh_str verifier; /* SCRAM-SHA-256$...; empty: cannot log in by password */
    gh_str_list roles;
    const gh_acl_attribute *attributes;
    size_t attribute_count;
    gh_origin origin;
    gh_acl_place place;
} gh_acl_user;

typedef struct gh_acl_role {
    gh_str name;
    gh_str description;
    uint32_t may;
    gh_str_list member_of;
    gh_origin origin;
    gh_acl_place place;
} gh_acl_role;

typedef struct gh_acl_tag {
    gh_str name;
    gh_str_list columns; /* [warehouse:]schema.relation.column patterns */
    gh_origin origin;
    gh_acl_place place;
} gh_acl_tag;

typedef struct gh_acl_mask_def {
    gh_str name;
    gh_str expr; /* over `value` */
    gh_origin origin;
    gh_acl_place place;
} gh_acl_mask_def;

typedef struct gh_acl_column_mask {
    gh_str column;
    gh_str mask; /* a named mask, a built-in mask, or an expression */
} gh_acl_column_mask;

/* A grant, or with is_deny a deny. */
typedef struct gh_acl_rule {
    int64_t id; /* the store's; 0 before it is stored */
    bool is_deny;
    gh_str_list to;      /* role names, or user:NAME */
    gh_str_list tables;  /* [warehouse:]schema.relation patterns */
    uint32_t privileges; /* grants: GH_SELECT by default; denies: all by default */
    bool has_columns;    /* `columns` given */
    bool is_except;      /* columns: all but these */
    gh_str_list columns;
    gh_str_list tags; /* denies only */
    gh_str rows;      /* row filter; empty: every row */
    const gh_acl_column_mask *masks;
    size_t mask_count;
    int64_t valid_from;  /* Unix microseconds; INT64_MIN: always */
    int64_t valid_until; /* exclusive; INT64_MAX: for ever */
    gh_str reason;
    bool is_through;
    bool is_blind;
    gh_origin origin;
    gh_acl_place place;
} gh_acl_rule;

typedef struct gh_acl_masking {
    gh_str tag;
    gh_str mask;
    gh_str_list except; /* roles */
    gh_origin origin;
    gh_acl_place place;
} gh_acl_masking;

typedef struct gh_acl_function {
    gh_str_list to;
    gh_str_list allow; /* schema.name patterns */
    gh_origin origin;
    gh_acl_place place;
} gh_acl_function;

/* A test of the policy's own, for `policy test`: what a query answers to a user. */
typedef struct gh_acl_test {
    gh_str as;
    gh_str query;
    bool has_rows;
    const gh_str_list *rows; /* in order; a cell whose ptr is NULL is SQL's NULL */
    size_t row_count;
    bool has_columns;
    gh_str_list columns; /* names of the answer's columns */
    gh_str error;        /* SQLSTATE; empty: none expected */
    gh_acl_place place;
} gh_acl_test;

typedef struct gh_acl {
    uint64_t version; /* the store's, grows with every change */
    gh_str hash_key;  /* of the `hash` mask; hex; never shown */
    const gh_acl_user *users;
    size_t user_count;
    const gh_acl_role *roles;
    size_t role_count;
    const gh_acl_tag *tags;
    size_t tag_count;
    const gh_acl_mask_def *masks;
    size_t mask_count;
    const gh_acl_rule *rules;
    size_t rule_count;
    const gh_acl_masking *masking;
    size_t masking_count;
    const gh_acl_function *functions;
    size_t function_count;
    const gh_acl_test *tests; /* of policy files only; not stored, not compiled */
    size_t test_count;
    const gh_policy_tree *trees; /* of policy files only */
    size_t tree_count;
} gh_acl;

/* ---- reading policy files ------------------------------------------------------------------- */

typedef struct gh_policy_file {
    gh_str name; /* for messages and places, which borrow it */
    gh_str text;
} gh_policy_file;

/*
 * Merges files into one acl in the arena. GH_INVALID: unknown key, thing defined twice, bad value; the
 * error's public_msg is "file:line:column: what was expected".
 */
GH_MUST_USE gh_rc gh_policy_read_files(const gh_policy_file *files, size_t count, gh_arena *a,
                                       gh_acl *out, gh_err *err);
/*
 * Where the files that the acl was read from say `text`, one of its own strings, in what begins at `place`;
 * the place itself where they do not, or where the text is not a file's.
 */
gh_acl_place gh_policy_place_of(const gh_acl *acl, gh_acl_place place, gh_str text);
/* Writes the acl as one policy file; reading it back gives an equal acl. */
void gh_policy_write_file(const gh_acl *acl, gh_buf *out);

/* ---- policy, view, decision ----------------------------------------------------------------- */

typedef struct gh_policy gh_policy;
typedef struct gh_view gh_view;

/* Checks the acl as a whole (unknown roles, cycles, incomparable masks) and indexes it. References: 1. */
GH_MUST_USE gh_rc gh_policy_compile(const gh_acl *acl, gh_policy **out, gh_err *err);

/* What changed of an ACL since a policy was made of it. */
typedef struct gh_acl_change {
    gh_acl now; /* what is there now of what changed; and all named masks, version, hash_key */
    gh_str_list roles; /* names; what `now` does not have is gone */
    gh_str_list users;
    gh_str_list masks;
    const int64_t *rules; /* ids of grants and denies, ascending; likewise */
    size_t rule_count;
    bool has_tags;      /* tags, their columns or masks changed: `now` has all of them */
    bool has_functions; /* likewise */
} gh_acl_change;

/*
 * The policy of the ACL as it is now, in a time that depends on what changed: the next one shares the rest
 * with `last`, which it refers to. Not GH_OK: compile the whole, which decides; GH_AGAIN where it is only
 * that this is no case for an update, or that many have been made. References: 1.
 */
GH_MUST_USE gh_rc gh_policy_update(gh_policy *last, const gh_acl_change *change, gh_policy **out,
                                   gh_err *err);
gh_policy *gh_policy_acquire(gh_policy *p);
void gh_policy_release(gh_policy *p);
uint64_t gh_policy_version(const gh_policy *p);

typedef struct gh_policy_user {
    gh_str name;
    gh_str verifier;
    bool is_disabled;
} gh_policy_user;

/*
 * Which relations of the warehouse the grants with `through` name, whoever holds them: what their views'
 * definitions are needed of. In the arena, which must have no budget; strings belong to the policy.
 */
const gh_name_pattern *gh_policy_through(const gh_policy *p, gh_str warehouse, gh_arena *a,
                                         size_t *count);

/* NULL if unknown. */
const gh_policy_user *gh_policy_user_find(const gh_policy *p, gh_str name);

/*
 * What `user` may see in `warehouse` at `now` (Unix microseconds). The view holds a reference to p and is
 * valid in [now, gh_view_valid_until). Never NULL: an unknown or disabled user's view shows nothing.
 */
gh_view *gh_view_new(gh_policy *p, gh_str warehouse, gh_str user, int64_t now);
gh_view *gh_view_acquire(gh_view *v);
void gh_view_release(gh_view *v);
/*
 * The view of p that decides everything as v does, if p is a later policy in which nothing of v's changed
 * and v is valid at `now`; NULL where that cannot be said. What is derived from v may be kept with it.
 */
gh_view *gh_view_follow(const gh_view *v, gh_policy *p, int64_t now);
uint64_t gh_view_policy_version(const gh_view *v);
int64_t gh_view_valid_until(const gh_view *v);
gh_str gh_view_user(const gh_view *v);
gh_str gh_view_warehouse(const gh_view *v);
gh_str_list gh_view_roles(const gh_view *v); /* inherited ones included, sorted by name */
uint32_t gh_view_may(const gh_view *v);
/* False: the warehouse does not exist for this user (3D000). */
bool gh_view_has_any_grant(const gh_view *v);
/* The user's attribute; NULL if missing. */
const gh_acl_attribute *gh_view_attribute(const gh_view *v, gh_str name);
/* Is a function outside pg_catalog (schema.name) allowed to this user? */
bool gh_view_allows_function(const gh_view *v, gh_str schema, gh_str name);
gh_str gh_view_hash_key(const gh_view *v);

/* How a column shows. Zero hides. */
typedef enum gh_show {
    GH_HIDDEN = 0, /* the column does not exist for the user */
    GH_CLEAR,      /* every visible row's cell is clear */
    GH_MASKED,     /* every visible row's cell shows masks[arms[0].mask] */
    GH_BY_CELL     /* see arms */
} gh_show;

/* A set of row filters by index into gh_decision.filters. */
typedef struct gh_filter_set {
    const uint16_t *items;
    uint16_t count;
} gh_filter_set;

typedef enum gh_mask_kind {
    GH_MASK_NULL = 0, /* shows NULL */
    GH_MASK_REDACT,
    GH_MASK_CONSTANT,
    GH_MASK_HASH,
    GH_MASK_EMAIL,
    GH_MASK_PARTIAL,
    GH_MASK_YEAR,
    GH_MASK_MONTH,
    GH_MASK_ROUND,
    GH_MASK_EXPR
} gh_mask_kind;

typedef struct gh_mask {
    gh_mask_kind kind;
    gh_str name;  /* as the policy wrote it, for explain and my_access */
    gh_str expr;  /* GH_MASK_EXPR: SQL over `value`; GH_MASK_CONSTANT: the literal's value */
    int64_t a, b; /* partial(a, b) */
    gh_str n;     /* round(n): the number as written */
} gh_mask;

/* One arm of a cell's CASE: where any of `when` IS TRUE (or always), the cell shows so. */
typedef struct gh_arm {
    bool is_always;
    gh_filter_set when;
    gh_mask const *mask; /* NULL: in clear */
} gh_arm;

typedef struct gh_column_decision {
    gh_show show;
    gh_filter_set null_where; /* denies: NULL where any IS NOT FALSE; comes before the arms */
    const gh_arm *arms;       /* tried in order; where none applies the cell is NULL */
    uint16_t arm_count;
    /* By privilege bit position: some grant of that privilege covers the column, but not in rows
     * where any of deny_where IS NOT FALSE; [0] is null_where. */
    bool is_writable[5];
    gh_filter_set deny_where[5];
} gh_column_decision;

typedef struct gh_write_grant { /* one grant that allows insert, update or delete */
    int64_t grant_id;
    uint32_t privileges;
    bool is_every_row;
    uint16_t filter; /* unless is_every_row */
    bool is_blind;
    const uint8_t *columns; /* bit per index into gh_relation.columns */
} gh_write_grant;

typedef struct gh_decision {
    bool exists; /* some privilege and some column: otherwise the relation is not there (42P01) */
    uint32_t privileges; /* that the user holds on some rows and columns */
    bool is_full;        /* select of every row and every column in clear: only qualify it */
    bool is_open;  /* full, and so would be with any column that somebody adds to the relation */
    bool is_named; /* each column shows somewhere, if masked, and so would any that somebody adds */
    bool is_every_row;     /* no row filter and no row deny */
    bool is_through;       /* a view whose base tables' own rules apply inside */
    const gh_str *filters; /* texts of row filters; `attr()` and column names unresolved */
    uint16_t filter_count;
    gh_filter_set rows;       /* unless rows_all: a row shows where any IS TRUE */
    bool rows_all;            /* grants give every row; only row_denies limit */
    gh_filter_set row_denies; /* a row does not show where any IS NOT FALSE */
    /* By privilege bit position: nor is it written where any IS NOT FALSE; [0] is row_denies. */
    gh_filter_set deny_rows[5];
    const gh_column_decision *columns; /* parallel to gh_relation.columns */
    uint16_t column_count;
    const gh_write_grant *writes;
    uint16_t write_count;
    const int64_t *grant_ids; /* of every rule that took part, ascending, for the audit */
    uint16_t grant_count;
} gh_decision;

/*
 * Decides for a relation of the catalog outside the system schemas. Memoised by the view per catalog
 * epoch; the result lives as long as the view. Never NULL: what no grant names gives a zeroed decision.
 */
const gh_decision *gh_view_decide(gh_view *v, const gh_catalog *c, const gh_relation *r);

/*
 * The same of a relation inside a view that is expanded: a view that no grant of select names is decided as
 * if a grant with `through` gave all of it, so that the rules of its own tables, and denies and tags, are
 * what limits it.
 */
const gh_decision *gh_view_decide_inside(gh_view *v, const gh_catalog *c, const gh_relation *r);

/*
 * Does a grant of select name schema.name as a whole, and no deny take it? For what is named as relations
 * are and is none: types. Not memoised.
 */
bool gh_view_names(gh_view *v, const gh_catalog *c, gh_str schema, gh_str name);

/*
 * What somebody worked out of the view and one catalog and nothing else, by the bytes: kept for as long as that catalog is the
 * one that is asked of. gh_view_kept: how many there are, 0 without any; they are copied to `to` where that has room for just
 * so many.
 */
void gh_view_keep(gh_view *v, const gh_catalog *c, const void *bytes, size_t size);
size_t gh_view_kept(gh_view *v, const gh_catalog *c, void *to, size_t size);

/*
 * For gatehouse.my_access: by index of each column that shows, the names of the user's roles (user:NAME for
 * the user) whose own grants show it, joined by ", "; and the first end of a grant of the relation that the
 * user holds, INT64_MAX without one. In the arena, which must have no budget. Not memoised.
 */
const gh_str *gh_view_sources(gh_view *v, const gh_catalog *c, const gh_relation *r, gh_arena *a,
                              int64_t *valid_until);

/*
 * Can the mask be taken of a column of this type? A decision shows NULL instead of a mask that does not
 * fit; `policy apply` refuses it. Of an expression only the rewriter can tell: true. c may be NULL.
 */
bool gh_mask_fits(const gh_mask *m, const gh_catalog *c, const gh_column *column);
/* Masks' order, weakest first: negative if a shows more than b. *comparable is false where the rule
 * cannot tell. */
int gh_mask_compare(const gh_mask *a, const gh_mask *b, bool *comparable);
/* Parses a mask as policies write it; named masks come from defs. */
GH_MUST_USE gh_rc gh_mask_parse(gh_str text, const gh_acl_mask_def *defs, size_t def_count,
                                gh_arena *a, gh_mask *out, gh_err *err);
/*
 * The SQL of a mask over the SQL expression `value` of a column of type `column` (its base type known to
 * c); keeps the type by a cast (of a domain, its base type: its CHECK could fail on a mask). `value` is a
 * column reference: it may occur several times, and stands inside sub-selects that bring no names of
 * their own into its scope. No name in the text depends on the search_path, and no value makes it fail.
 * GH_INVALID: the mask does not fit the type, or is GH_MASK_EXPR, which the rewriter compiles itself (its
 * `value` and functions must be resolved). The `hash` mask reads its key from the session setting
 * gatehouse.hash_key (64 hex digits); with a missing one it fails, with a short one it shows NULL.
 */
GH_MUST_USE gh_rc gh_mask_sql(const gh_mask *m, const gh_catalog *c, const gh_column *column,
                              gh_str value, gh_buf *out, gh_err *err);

#endif
