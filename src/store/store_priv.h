/*
 * The store's inside: the connection, statements that fail once, and the ACL taken apart into
 * items.
 */
#ifndef GATEHOUSE_STORE_PRIV_H
#define GATEHOUSE_STORE_PRIV_H

#include <sqlite3.h>
#include <sys/types.h>

#include <gatehouse/store.h>

struct gh_store {
    sqlite3 *db;
    char *path;
    gh_store_mode mode;
    sqlite3_stmt *data_version; /* PRAGMA data_version, kept prepared for gh_store_poll */
    int64_t seen_data_version;
    dev_t device; /* of the file that is open: it may be replaced under its name */
    ino_t inode;
};

extern const char store_schema_sql[];

/* ---- db.c: SQLite's results as ours
 * --------------------------------------------------------------- */

/* Maps what SQLite says to a gh_rc, naming the file. */
GH_MUST_USE gh_rc store_fail(gh_store *st, int sqlite_rc, gh_err *err);
GH_MUST_USE gh_rc store_exec(gh_store *st, const char *sql, gh_err *err);
GH_MUST_USE gh_rc store_corrupt(gh_store *st, gh_err *err, const char *fmt, ...) GH_PRINTF(3, 4);

/*
 * A statement with a sticky error: bind, step and read in a row, then ask store_stmt_end once. `st`
 * and its SQL outlive it.
 */
typedef struct store_stmt {
    gh_store *st;
    sqlite3_stmt *stmt;
    int rc; /* the first failure of SQLite's, or SQLITE_OK */
    int bound;
} store_stmt;

store_stmt store_stmt_of(gh_store *st, const char *sql);
void store_bind_text(store_stmt *s, gh_str v); /* the next parameter; v must live until it is run */
void store_bind_null(store_stmt *s);
void store_bind_int(store_stmt *s, int64_t v);
bool store_stmt_row(store_stmt *s); /* steps; true: a row is there */
void store_stmt_run(store_stmt *s); /* steps to the end and makes it ready for the next bindings */
gh_str store_text(store_stmt *s,
                  int column); /* lives until the next step; NULL is the empty string */
int64_t store_int(store_stmt *s, int column);
bool store_is_null(store_stmt *s, int column);
GH_MUST_USE gh_rc store_stmt_end(store_stmt *s, gh_err *err); /* finalizes */

GH_MUST_USE gh_rc store_begin(gh_store *st, gh_err *err); /* for writing */
GH_MUST_USE gh_rc store_commit(gh_store *st, gh_err *err);
void store_rollback(gh_store *st);
/* Raises the version, inside a transaction. */
GH_MUST_USE gh_rc store_next_version(gh_store *st, uint64_t *version, gh_err *err);
GH_MUST_USE gh_rc store_version(gh_store *st, uint64_t *version, gh_err *err);
int64_t store_now_us(void);

/* One line of history, in the running transaction. before and after are JSON, or empty for nothing.
 */
typedef struct store_change {
    uint64_t version;
    int64_t at_us;
    const gh_store_author *author;
} store_change;
store_stmt store_history_stmt(gh_store *st);
void store_history_put(store_stmt *s, const store_change *c, const char *kind, gh_str key,
                       gh_str before, gh_str after);

/* The list without repetitions, in its order; sorted: in byte order. */
gh_str_list store_unique(gh_str_list list, bool is_sorted, gh_arena *a);

/* ---- load.c
 * --------------------------------------------------------------------------------------- */

/* gh_store_load inside a transaction of the caller's. */
GH_MUST_USE gh_rc store_load(gh_store *st, gh_arena *a, gh_acl *out, gh_err *err);

/* ---- words.c: enums as the tables spell them
 * ------------------------------------------------------- */

const char *store_privilege_word(uint32_t bit);
bool store_privilege_parse(gh_str word, uint32_t *bit);
gh_str store_may_text(uint32_t may, gh_arena *a); /* "explain,notify" */
bool store_may_parse(gh_str text, uint32_t *may);
const char *store_origin_word(gh_origin origin);
bool store_origin_parse(gh_str word, gh_origin *origin);

/* ---- item.c: the ACL as items to compare
 * ----------------------------------------------------------- */

typedef enum store_kind {
    STORE_NO_KIND = 0,
    STORE_ROLE,
    STORE_USER,
    STORE_MEMBER,    /* key: member, role */
    STORE_ATTRIBUTE, /* key: user, attribute */
    STORE_TAG,
    STORE_TAG_COLUMN, /* key: tag, column */
    STORE_MASK,
    STORE_MASKING,  /* these three have no name of their own: */
    STORE_FUNCTION, /* what tells them apart is their content */
    STORE_RULE
} store_kind;

typedef struct store_item {
    store_kind kind;
    gh_origin origin;
    bool is_matched; /* while two lists are compared */
    int64_t id;      /* maskings, functions, rules: of the store; 0: not stored yet */
    gh_str key;      /* within the kind, equal for the two forms of one changed thing */
    gh_str json;     /* the whole content: equal means equal */
    gh_str title;    /* for people: "role analyst" */
    union {
        const gh_acl_role *role;
        const gh_acl_user *user;
        const gh_acl_attribute *attribute;
        const gh_acl_mask_def *mask;
        const gh_acl_masking *masking;
        const gh_acl_function *function;
        const gh_acl_rule *rule;
    } of;
    gh_str names[2]; /* members, attributes, tags and their columns: the parts of the key */
} store_item;

/* Zeroed but for the arena (the caller's) is the empty list. */
typedef struct store_items {
    store_item *list;
    size_t count;
    size_t cap;
    gh_arena *arena;
} store_items;

const char *store_kind_word(store_kind kind);
void store_items_fini(store_items *items);
/* Items of policy files. */
void store_items_from_files(store_items *items, const gh_acl *acl);
/* Items of the store; `acl` is what store_load gave in the same transaction. */
GH_MUST_USE gh_rc store_items_from_store(gh_store *st, store_items *items, const gh_acl *acl,
                                         gh_err *err);

/* ---- write.c: items into tables
 * --------------------------------------------------------------------- */

typedef struct store_writer store_writer;
GH_MUST_USE store_writer *store_writer_new(gh_store *st, const store_change *change);
void store_write_add(store_writer *w, store_item *item); /* gives rules and kin their id */
void store_write_change(store_writer *w, const store_item *old, store_item *item);
void store_write_remove(store_writer *w, const store_item *item);
GH_MUST_USE gh_rc store_writer_end(store_writer *w, gh_err *err); /* frees */

/* ---- rule_rows.c: a rule as the rows of the acl table
 * ------------------------------------------------ */

/* How a row's column pattern is meant. */
typedef enum store_column_kind {
    STORE_COLUMN_ALL = 0, /* every column */
    STORE_COLUMN_ONLY,
    STORE_COLUMN_EXCEPT,
    STORE_COLUMN_TAG,
    STORE_COLUMN_MASK, /* no column of the list: only masked, if it is given at all */
    STORE_COLUMN_NONE  /* an empty list */
} store_column_kind;

typedef struct store_rule_column {
    store_column_kind kind;
    gh_str pattern;
    gh_str mask;
    bool has_mask;
} store_rule_column;

/* A rule's columns in their one canonical form: what a row each is written for. */
const store_rule_column *store_rule_columns(const gh_acl_rule *r, gh_arena *a, size_t *count);
const char *store_column_kind_word(store_column_kind kind);
bool store_column_kind_parse(gh_str word, store_column_kind *kind);

#endif
