/*
 * store: the ACL in its SQLite file. One table is the heart, `acl`: a row per effect, principal,
 * privilege, object pattern and column pattern, with row filter, mask, validity, reason, author,
 * time and origin; a grant id ties the rows of one grant together. Beside it stand users, roles,
 * membership, attributes, tags, masks, masking, functions, the history of every change, and a
 * version that grows with each. docs/acl.md shows the tables.
 *
 *     policy files ─▶ gh_acl ──gh_store_apply──▶ acl.db ──gh_store_load──▶ gh_acl ─▶ gh_policy
 *                                                   ▲ gh_store_poll (every 20 ms, microseconds)
 *
 * Every change is one transaction together with its history: kill -9 at any moment leaves the old
 * ACL or the new one. The file is made with mode 0600 and is refused when others may read it: it
 * holds verifiers and the key of the `hash` mask.
 *
 * Memory: a store is the caller's to close; what it loads lives in the arena given. Threads: a
 * store belongs to one thread; several stores, in several processes, may have one file open.
 */
#ifndef GATEHOUSE_STORE_H
#define GATEHOUSE_STORE_H

#include <gatehouse/base.h>
#include <gatehouse/policy.h>

#define GH_STORE_SCHEMA_VERSION 1    /* a file of a newer one is refused */
#define GH_STORE_BUSY_MS        5000 /* how long another process' change is waited for */

typedef struct gh_store gh_store;

typedef enum gh_store_mode {
    GH_STORE_READ = 0, /* the file must exist; nothing is ever written */
    GH_STORE_WRITE,    /* must exist */
    GH_STORE_CREATE    /* made, empty, if absent */
} gh_store_mode;

/*
 * Opens an ACL file. GH_NOT_FOUND: there is none; GH_INVALID: no ACL, corrupted, of a newer
 * version, or open to others; GH_AGAIN: locked by another process; GH_IO. public_msg names the file
 * and what to do.
 */
GH_MUST_USE gh_rc gh_store_open(const char *path, gh_store_mode mode, gh_store **out, gh_err *err);
void gh_store_close(gh_store *st); /* NULL is fine */

/*
 * Reads the whole ACL, as one moment saw it, into the arena. GH_INVALID: rows that make no sense.
 * After any other failure (locked, disk) the next gh_store_poll says `changed`: try again.
 */
GH_MUST_USE gh_rc gh_store_load(gh_store *st, gh_arena *a, gh_acl *out, gh_err *err);

/*
 * Has anything been committed (or the file replaced) since the last gh_store_poll or gh_store_load
 * of this store? Costs a few microseconds and no read of the file while nothing has.
 */
GH_MUST_USE gh_rc gh_store_poll(gh_store *st, bool *is_changed, gh_err *err);

/* Every page and index examined: GH_INVALID names the first damage. Slow on a large file. */
GH_MUST_USE gh_rc gh_store_verify(gh_store *st, gh_err *err);

/* ---- changes
 * ------------------------------------------------------------------------------------- */

/* Who changes the ACL and why, for its history. */
typedef struct gh_store_author {
    gh_str name;   /* the operating system's user, or --by */
    gh_str action; /* the verb: "policy apply" */
    gh_str reason; /* --reason; may be empty */
} gh_store_author;

enum {                      /* how gh_store_apply works, a bit set */
       GH_STORE_PRUNE = 1,  /* remove, or take over, what policy files did not make */
       GH_STORE_DRY_RUN = 2 /* say what would change, change nothing */
};

typedef struct gh_store_summary {
    size_t added;
    size_t changed;
    size_t removed;
    size_t kept;      /* made on the command line, left alone */
    uint64_t version; /* of the ACL afterwards */
    gh_buf lines; /* "+ grant 12: ...", "~ user alice: ...", "- ...", "= ..." (kept); a line each */
} gh_store_summary;

void gh_store_summary_init(gh_store_summary *s);
void gh_store_summary_fini(gh_store_summary *s);

/*
 * Makes the ACL's policy part equal to `files` in one transaction: adds, changes and removes only
 * what policy files made. The whole ACL that results must compile (gh_policy_compile), or nothing
 * is changed. Passwords and `disabled` of users that stay are kept. GH_INVALID: it does not
 * compile, or a name was made on the command line already (GH_STORE_PRUNE takes it over).
 */
GH_MUST_USE gh_rc gh_store_apply(gh_store *st, const gh_acl *files, uint32_t flags,
                                 const gh_store_author *author, gh_store_summary *out, gh_err *err);

/* Sets a user's SCRAM verifier (empty: no password login). GH_NOT_FOUND: no such user. */
GH_MUST_USE gh_rc gh_store_user_set_verifier(gh_store *st, gh_str user, gh_str verifier,
                                             const gh_store_author *author, gh_err *err);
/* GH_NOT_FOUND: no such user. *is_changed is false if it was so already. */
GH_MUST_USE gh_rc gh_store_user_set_disabled(gh_store *st, gh_str user, bool is_disabled,
                                             const gh_store_author *author, bool *is_changed,
                                             gh_err *err);

#endif
