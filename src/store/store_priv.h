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
    bool is_loaded; /* from the file that is open now; what follows says what */
    uint64_t loaded_version;
    uint64_t loaded_mark; /* store_history_mark of that version */
    dev_t device;         /* of the file that is open: it may be replaced under its name */
    ino_t inode;
};

extern const char store_schema_sql[];

/* ---- db.c: SQLite's results as ours ---------------------------------------------------------- */

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

/* One line of history, in the running transaction. before and after are JSON, or empty for nothing. */
typedef struct store_change {
    uint64_t version;
    int64_t at_us;
    const gh_store_author *author;
} store_change;
store_stmt store_history_stmt(gh_store *st);
/* `before_origin`: who had made it ("cli", "policy"); empty where `before` is, or is not whole. */
void store_history_put(store_stmt *s, const store_change *c, const char *kind, gh_str key,
                       gh_str before, gh_str before_origin, gh_str after);

/* The list without repetitions, in its order; sorted: in byte order. */
gh_str_list store_unique(gh_str_list list, bool is_sorted, gh_arena *a);

/* ---- load.c ---------------------------------------------------------------------------------- */

/*
 * gh_store_load inside a transaction of the caller's. Scoped: only what temp.scope names, and all
 * named masks.
 */
GH_MUST_USE gh_rc store_load(gh_store *st, bool is_scoped, gh_arena *a, gh_acl *out, gh_err *err);

/* ---- load_change.c --------------------------------------------------------------------------- */

/* A hash of what the history says of one version. */
GH_MUST_USE gh_rc store_history_mark(gh_store *st, uint64_t version, uint64_t *mark, gh_err *err);
/* gh_store_load_change inside a transaction of the caller's, which may write temporary tables. */
GH_MUST_USE gh_rc store_load_change(gh_store *st, uint64_t since, gh_arena *a, gh_acl_change *out,
                                    gh_err *err);

/* ---- words.c: enums as the tables spell them ------------------------------------------------- */

const char *store_privilege_word(uint32_t bit);
bool store_privilege_parse(gh_str word, uint32_t *bit);
gh_str store_may_text(uint32_t may, gh_arena *a); /* "explain,notify" */
bool store_may_parse(gh_str text, uint32_t *may);
const char *store_origin_word(gh_origin origin);
bool store_origin_parse(gh_str word, gh_origin *origin);

/* ---- item.c: the ACL as items to compare ----------------------------------------------------- */

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
    bool is_taken;   /* made on the command line, and a policy file says it now */
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
bool store_kind_parse(gh_str word, store_kind *kind);
bool store_kind_has_id(store_kind kind);
/* One item, made from the kind, content, names, origin and id of `like`; its texts in the arena. */
store_item store_item_of(const store_item *like, gh_arena *a);
void store_items_fini(store_items *items);
/* Items of policy files. */
void store_items_from_files(store_items *items, const gh_acl *acl);
/* Items of the store; `acl` is what store_load gave in the same transaction. */
GH_MUST_USE gh_rc store_items_from_store(gh_store *st, store_items *items, const gh_acl *acl,
                                         gh_err *err);

/* ---- write.c: items into tables -------------------------------------------------------------- */

typedef struct store_writer store_writer;
GH_MUST_USE store_writer *store_writer_new(gh_store *st, const store_change *change);
void store_write_add(store_writer *w, store_item *item); /* gives rules and kin their id */
void store_write_change(store_writer *w, const store_item *old, store_item *item);
void store_write_remove(store_writer *w, const store_item *item);
GH_MUST_USE gh_rc store_writer_end(store_writer *w, gh_err *err); /* frees */

/* ---- find.c: one thing as it is stored ------------------------------------------------------- */

/* A thing that has a name. `other` is the second name of members, attributes, columns of tags. */
GH_MUST_USE gh_rc store_find_named(gh_store *st, store_kind kind, gh_str name, gh_str other,
                                   gh_arena *a, store_item *out, bool *is_there, gh_err *err);
/* Things that have an id; ids ascend. What is not there is passed over. Takes the scope. */
GH_MUST_USE gh_rc store_find_ids(gh_store *st, store_kind kind, const int64_t *ids, size_t count,
                                 gh_arena *a, store_item **out, size_t *found, gh_err *err);
/* The first column of a query's rows; text2 is bound unless its ptr is NULL. */
GH_MUST_USE gh_rc store_ids_of(gh_store *st, const char *sql, gh_str text, gh_str text2,
                               gh_arena *a, const int64_t **out, size_t *count, gh_err *err);

/* ---- edit.c, edit_drop.c: single changes ----------------------------------------------------- */

typedef struct store_editing {
    gh_store *st;
    gh_arena *arena;
    store_writer *writer;
    store_items changed; /* added or changed: what must compile */
    gh_store_changed *list;
    size_t count;
    size_t cap;
    size_t change_count;
    const store_change *change;
    gh_err *err;
} store_editing;

/* Writes and notes: one of old and item may be NULL. */
void store_edit_write(store_editing *e, const store_item *old, store_item *item);
/* For the answer only. */
void store_edit_note(store_editing *e, char sign, const store_item *item, gh_str before,
                     gh_str after);
GH_MUST_USE gh_rc store_edit_drop(store_editing *e, const gh_store_edit *edit, store_kind kind);
/* GH_NOT_FOUND, with what was probably meant among the names of `table`. */
GH_MUST_USE gh_rc store_fail_unknown(gh_store *st, const char *what, const char *table, gh_str name,
                                     gh_err *err);
/* Starts, checks and ends an edit around `work`, in one transaction. */
GH_MUST_USE gh_rc store_editing_run(gh_store *st, const gh_store_author *author, gh_arena *a,
                                    gh_rc (*work)(store_editing *e, const void *arg),
                                    const void *arg, bool checks_all, gh_store_changes *out,
                                    gh_err *err);

/* ---- past_item.c: what the history says ------------------------------------------------------ */

/* Kind, names and id of a history row. False: it makes no sense. */
bool store_past_key(gh_str kind, gh_str key, gh_arena *a, store_item *like);
/* With its content. */
bool store_past_item(const store_item *key, gh_str json, gh_origin origin, gh_arena *a,
                     store_item *out);

/* ---- scope.c: a part of the ACL, by name ----------------------------------------------------- */

/*
 * temp.scope names what a scoped load takes: principals (a role, or user:NAME) with their
 * memberships, attributes (of a user), tags, tag_columns (of the tags in scope), masking, functions
 * and grants by id. It is part of the transaction: a rollback takes it away.
 */
GH_MUST_USE gh_rc store_scope_clear(gh_store *st, gh_err *err);
void store_scope_put(store_stmt *put, const char *kind, gh_str name);
void store_scope_put_id(store_stmt *put, const char *kind, int64_t id);
store_stmt store_scope_stmt(gh_store *st); /* for the two above; ends by store_stmt_end */
/* Puts every role that the principals in scope are in, however far. */
GH_MUST_USE gh_rc store_scope_up(gh_store *st, gh_err *err);

/* ---- neighbours.c, apply.c: what must compile before it is committed ------------------------- */

/* The whole ACL as it would be: it must compile, or the change is refused. */
GH_MUST_USE gh_rc store_check_all(gh_store *st, gh_err *err);
/*
 * The same verdict for an ACL that compiled before these items were added or changed, in a time
 * that depends on what they touch and not on the size of the ACL.
 */
GH_MUST_USE gh_rc store_check_changed(gh_store *st, const store_items *changed, gh_err *err);

/* ---- rule_rows.c: a rule as the rows of the acl table ---------------------------------------- */

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
