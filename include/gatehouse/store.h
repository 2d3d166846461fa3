/*
 * store: the ACL in its SQLite file. One table is the heart, `acl`: a row per effect, principal,
 * privilege, object pattern and column pattern, with row filter, mask, validity, reason, author,
 * time and origin; a grant id ties the rows of one grant together. Beside it stand users, roles,
 * membership, attributes, tags, masks, masking, functions, the history of every change, and a
 * version that grows with each. docs/acl.md shows the tables.
 *
 *     policy files ─▶ gh_acl ──gh_store_apply──▶ acl.db ──gh_store_load──▶ gh_acl ─▶ gh_policy
 *                                                   ▲  └──gh_store_load_change──▶ the next one
 *                                                   │ gh_store_poll (every 20 ms, microseconds)
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
#define GH_STORE_BUSY_MS        5000 /* how long another process' change is waited for... */
#define GH_STORE_WATCH_BUSY_MS                                                                     \
    1000 /* ...by who looks again soon, and has other things to tell meanwhile */

typedef struct gh_store gh_store;

typedef enum gh_store_mode {
    GH_STORE_READ = 0, /* the file must exist; nothing is ever written */
    GH_STORE_WATCH,    /* the same, again and again */
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
 * Reads what changed since this store's last load, which gave version `since`, in a time that depends on
 * what changed. GH_AGAIN: load the whole (much changed, or the file is another one).
 */
GH_MUST_USE gh_rc gh_store_load_change(gh_store *st, uint64_t since, gh_arena *a,
                                       gh_acl_change *out, gh_err *err);

/*
 * Has anything been committed (or the file replaced) since the last gh_store_poll or gh_store_load
 * of this store? Costs a few microseconds and no read of the file while nothing has.
 */
GH_MUST_USE gh_rc gh_store_poll(gh_store *st, bool *is_changed, gh_err *err);

/* When a version was made, by the wall clock of who made it; GH_NOT_FOUND: the history does not say. */
GH_MUST_USE gh_rc gh_store_changed_us(gh_store *st, uint64_t version, int64_t *wall_us,
                                      gh_err *err);

/* Every page and index examined: GH_INVALID names the first damage. Slow on a large file. */
GH_MUST_USE gh_rc gh_store_verify(gh_store *st, gh_err *err);

/* ---- changes --------------------------------------------------------------------------------- */

/* Who changes the ACL and why, for its history. */
typedef struct gh_store_author {
    gh_str name;   /* the operating system's user, or --by */
    gh_str action; /* the verb: "policy apply" */
    gh_str reason; /* --reason; may be empty */
} gh_store_author;

enum {                       /* how gh_store_apply works, a bit set */
       GH_STORE_PRUNE = 1,   /* remove, or take over, what policy files did not make */
       GH_STORE_DRY_RUN = 2, /* say what would change, change nothing */
       GH_STORE_CONTENT = 4  /* say what each thing held and will hold, not only of what changes */
};

typedef struct gh_store_summary {
    size_t added;
    size_t changed;
    size_t removed;
    size_t kept;      /* made on the command line, left alone */
    uint64_t version; /* of the ACL afterwards */
    /* "+ grant 12: ...", "~ user alice: ...", "- ...", "= ..." (kept); a line each. Behind what changes, and with
     * GH_STORE_CONTENT behind every other, a line of its content as JSON: a tab, what was (empty: nothing), a tab,
     * what will be. */
    gh_buf lines;
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
/*
 * The same, and `look` sees the whole ACL as it would be, before the commit (or, in a dry run, instead
 * of it): what it refuses is not changed. The acl lives for the call. NULL: nobody looks.
 */
typedef gh_rc (*gh_store_look)(void *arg, const gh_acl *after, gh_err *err);
GH_MUST_USE gh_rc gh_store_apply_looked_at(gh_store *st, const gh_acl *files, uint32_t flags,
                                           const gh_store_author *author, gh_store_look look,
                                           void *arg, gh_store_summary *out, gh_err *err);

/* ---- single changes -------------------------------------------------------------------------- */

typedef enum gh_store_thing {
    GH_STORE_NO_THING = 0,
    GH_STORE_ROLE,
    GH_STORE_USER,
    GH_STORE_MEMBER,    /* name: a role, or user:NAME; other: the role */
    GH_STORE_ATTRIBUTE, /* name: the user; other: the attribute */
    GH_STORE_TAG,
    GH_STORE_TAG_COLUMN, /* name: the tag; other: [warehouse:]schema.relation.column */
    GH_STORE_MASK,
    GH_STORE_RULE /* a grant or deny */
} gh_store_thing;

typedef enum gh_store_act {
    GH_STORE_NO_ACT = 0,
    GH_STORE_ADD, /* 42710 if there is a role, user, tag or mask of the name; the same membership,
                     column of a tag or rule again is no change */
    GH_STORE_PUT, /* added, or changed */
    GH_STORE_DROP /* 42704 if it is not there */
} gh_store_act;

enum { /* what GH_STORE_PUT leaves as it is where the thing is there */
       GH_STORE_KEEP_DESCRIPTION = 1, /* of a role */
       GH_STORE_KEEP_MAY = 2,
       GH_STORE_KEEP_KIND = 4 /* of a user */
};

/*
 * One thing to change. All texts are borrowed for the call. Of what `of` points to, only what the
 * thing itself holds counts: roles of a user and columns of a tag are things of their own.
 */
typedef struct gh_store_edit {
    gh_store_act act;
    gh_store_thing thing;
    gh_str name;
    gh_str other;
    union {
        const gh_acl_role *role;
        const gh_acl_user *user;
        const gh_acl_attribute *attribute;
        const gh_acl_mask_def *mask;
        const gh_acl_rule *rule; /* dropped: the one that says this, if id is 0 */
    } of;                        /* not looked at where a named thing is dropped */
    int64_t id;                  /* a rule to drop */
    uint32_t keeps;              /* GH_STORE_KEEP_... */
    bool is_guess;   /* of a member: the name may be a role's or, without user:, a user's */
    bool is_cascade; /* dropping a role or user: from the grants and denies that name it, too */
} gh_store_edit;

typedef struct gh_store_changed {
    char sign;   /* '+', '~', '-', or '=': it was so already */
    gh_str kind; /* as the history has it: role, user, member, ... grant (of denies, too) */
    gh_str key;
    int64_t id; /* of a grant or deny */
    bool is_deny;
    gh_str title;  /* for people: "role analyst" */
    gh_str before; /* the content as JSON; empty: it was not there */
    gh_str after;
    gh_origin origin;
} gh_store_changed;

typedef struct gh_store_changes {
    const gh_store_changed *list; /* in the order of the edits, with what went along */
    size_t count;
    size_t changed;   /* without those of sign '=' */
    uint64_t version; /* of the ACL afterwards */
} gh_store_changes;

/*
 * Makes all the edits in one transaction with their history, or none. Costs what the edits touch,
 * not what the ACL holds, and refuses what gh_policy_compile would refuse (GH_INVALID, GH_LIMIT):
 * unknown names, cycles, masks of one user that cannot be ordered. What policy files made keeps its
 * origin: the next apply may undo the change. The result lives in the arena.
 */
GH_MUST_USE gh_rc gh_store_edit_all(gh_store *st, const gh_store_edit *edits, size_t count,
                                    const gh_store_author *author, gh_arena *a,
                                    gh_store_changes *out, gh_err *err);

/* Is there a role, user, tag or mask of this name? */
GH_MUST_USE gh_rc gh_store_has(gh_store *st, gh_store_thing thing, gh_str name, bool *is_there,
                               gh_err *err);

typedef enum gh_store_names {
    GH_STORE_NAMES_ROLES = 0,
    GH_STORE_NAMES_USERS,
    GH_STORE_NAMES_TAGS,
    GH_STORE_NAMES_MASKS,
    GH_STORE_NAMES_OBJECTS, /* patterns of relations, as grants and denies write them */
    GH_STORE_NAMES_RULES    /* ids of grants and denies */
} gh_store_names;

/* Those that begin with `prefix`, in order, at most `max`. */
GH_MUST_USE gh_rc gh_store_list_names(gh_store *st, gh_store_names which, gh_str prefix, size_t max,
                                      gh_arena *a, gh_str_list *out, gh_err *err);

/* ---- history --------------------------------------------------------------------------------- */

typedef struct gh_store_past { /* a thing that changed */
    uint64_t version;
    int64_t at_us;
    gh_str author;
    gh_str action;
    gh_str reason;
    gh_str kind;
    gh_str key;    /* a name, a JSON array of names, or an id */
    gh_str before; /* JSON; empty: it was not there */
    gh_str after;
} gh_store_past;

/*
 * What the changes from..to (versions, both included) changed, oldest first, at most `max` things
 * of each. *left_out: how many more there were.
 */
GH_MUST_USE gh_rc gh_store_history(gh_store *st, uint64_t from, uint64_t to, size_t max,
                                   gh_arena *a, const gh_store_past **list, size_t *count,
                                   uint64_t *left_out, gh_err *err);
GH_MUST_USE gh_rc gh_store_version(gh_store *st, uint64_t *version, gh_err *err);

/*
 * Makes the ACL what it was after change `version` (0: empty), as a new change; ids of grants
 * included. Passwords are not part of it: who stays keeps the present one, who comes back has none.
 * The whole ACL is compiled before it is committed. GH_NOT_FOUND: no such change, or the history
 * does not reach so far back.
 */
GH_MUST_USE gh_rc gh_store_rollback(gh_store *st, uint64_t version, const gh_store_author *author,
                                    gh_arena *a, gh_store_changes *out, gh_err *err);

/* ---- passwords, access ----------------------------------------------------------------------- */

/* Sets a user's SCRAM verifier (empty: no password login). GH_NOT_FOUND: no such user. */
GH_MUST_USE gh_rc gh_store_user_set_verifier(gh_store *st, gh_str user, gh_str verifier,
                                             const gh_store_author *author, gh_err *err);
/* GH_NOT_FOUND: no such user. *is_changed is false if it was so already. */
GH_MUST_USE gh_rc gh_store_user_set_disabled(gh_store *st, gh_str user, bool is_disabled,
                                             const gh_store_author *author, bool *is_changed,
                                             gh_err *err);

#endif
