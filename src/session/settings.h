/*
 * settings: what the session keeps of its settings itself. Pure. Only search_path: the upstream's
 * is fixed, since names are sent qualified, but the client's own decides what its names mean.
 *
 *     SET ──▶ session value ┐
 *     SET LOCAL ──▶ local  ─┼─ savepoints: a copy of both each ── ROLLBACK TO gives it back
 *                           └─ COMMIT: local is forgotten; ROLLBACK: all as before the transaction
 */
#ifndef GATEHOUSE_SESSION_SETTINGS_H
#define GATEHOUSE_SESSION_SETTINGS_H

#include <gatehouse/base.h>
#include <gatehouse/policy.h>

/* A search_path: its text as SHOW prints it, and its schemas. Counted and immutable. */
typedef struct gh_path {
    uint32_t references;
    size_t bytes; /* of all of it */
    gh_str text;
    gh_str_list schemas; /* without pg_catalog; `$user` is the user's name */
} gh_path;

/* GH_INVALID: not a list of identifiers. */
GH_MUST_USE gh_rc gh_path_new(gh_str text, gh_str user, gh_path **out, gh_err *err);
gh_path *gh_path_acquire(gh_path *p);
void gh_path_release(gh_path *p); /* NULL is fine */

typedef struct gh_settings_state {
    gh_path *session;
    gh_path *local; /* NULL: no SET LOCAL */
} gh_settings_state;

typedef struct gh_savepoint gh_savepoint;

typedef struct gh_settings {
    gh_path *initial; /* what RESET goes back to */
    gh_settings_state now;
    gh_settings_state committed; /* as before the transaction */
    gh_savepoint *savepoints;    /* newest first */
    size_t savepoint_bytes; /* that they keep, with each path that the one before does not have */
} gh_settings;

void gh_settings_init(gh_settings *s, gh_path *initial); /* takes the reference */
void gh_settings_fini(gh_settings *s);
gh_path *gh_settings_path(const gh_settings *s); /* borrowed */
/* NULL path: back to the initial one. */
void gh_settings_set(gh_settings *s, gh_path *path, bool is_local);
bool gh_settings_is_changed(const gh_settings *s); /* since the last commit */
void gh_settings_commit(gh_settings *s);
void gh_settings_rollback(gh_settings *s);
/* GH_LIMIT: one more would keep more than GH_SESSION_SAVEPOINT_BYTES_MAX. */
GH_MUST_USE gh_rc gh_settings_check_savepoint(const gh_settings *s, gh_err *err);
void gh_settings_savepoint(gh_settings *s, gh_str name); /* it is there upstream: is not refused */
void gh_settings_release(gh_settings *s, gh_str name);
void gh_settings_rollback_to(gh_settings *s, gh_str name);

/* Appends `SET name = 'value';`. */
void gh_settings_put_sql(gh_str name, gh_str value, gh_buf *out);
/* The same of a name that nobody looked at. */
void gh_settings_put_config(gh_str name, gh_str value, gh_buf *out);

#endif
