/*
 * What a user has that no policy file holds: the verifier of the password, and whether the user may
 * log in.
 */
#include "store_priv.h"

/* A change of one user's row in its own transaction; the history never holds a verifier. */
typedef struct user_change {
    gh_str user;
    const char *read_sql;  /* the row's present value as text */
    const char *write_sql; /* parameters: value, name */
    gh_str value;
    gh_str before; /* JSON for the history; empty: not shown */
    gh_str after;
    bool is_idempotent; /* the same value again is no change */
    bool is_changed;
} user_change;

static gh_rc change_row(gh_store *st, user_change *u, const gh_store_author *author, gh_err *err)
{
    store_change change = { .at_us = store_now_us(), .author = author };
    store_stmt s = store_stmt_of(st, u->read_sql);

    store_bind_text(&s, u->user);
    bool is_there = store_stmt_row(&s);
    bool is_same = is_there && gh_str_eq(store_text(&s, 0), u->value);
    gh_rc rc = store_stmt_end(&s, err);
    if (rc == GH_OK && !is_there)
        return gh_fail(err, GH_NOT_FOUND, "42704", "no such user: " GH_STR_FMT,
                       GH_STR_ARG(u->user));
    if (rc != GH_OK || (is_same && u->is_idempotent))
        return rc;
    rc = store_next_version(st, &change.version, err);
    if (rc != GH_OK)
        return rc;
    s = store_stmt_of(st, u->write_sql);
    store_bind_text(&s, u->value);
    store_bind_text(&s, u->user);
    store_stmt_run(&s);
    rc = store_stmt_end(&s, err);
    if (rc != GH_OK)
        return rc;
    s = store_history_stmt(st);
    store_history_put(&s, &change, "user", u->user, u->before, GH_STR(""), u->after);
    u->is_changed = true;
    return store_stmt_end(&s, err);
}

static gh_rc change_user(gh_store *st, user_change *u, const gh_store_author *author, gh_err *err)
{
    gh_rc rc = store_begin(st, err);

    if (rc == GH_OK)
        rc = change_row(st, u, author, err);
    if (rc == GH_OK)
        rc = store_commit(st, err);
    store_rollback(st);
    return rc;
}

gh_rc gh_store_user_set_verifier(gh_store *st, gh_str user, gh_str verifier,
                                 const gh_store_author *author, gh_err *err)
{
    user_change u = {
        .user = user,
        .read_sql = "SELECT verifier FROM users WHERE name = ?",
        .write_sql = "UPDATE users SET verifier = ? WHERE name = ?",
        .value = verifier,
        .after = verifier.len > 0 ? GH_STR("{\"password\":\"set\"}")
                                  : GH_STR("{\"password\":\"removed\"}"),
    };
    return change_user(st, &u, author, err);
}

gh_rc gh_store_user_set_disabled(gh_store *st, gh_str user, bool is_disabled,
                                 const gh_store_author *author, bool *is_changed, gh_err *err)
{
    user_change u = {
        .user = user,
        .read_sql = "SELECT CAST(disabled AS TEXT) FROM users WHERE name = ?",
        .write_sql = "UPDATE users SET disabled = CAST(? AS INTEGER) WHERE name = ?",
        .value = is_disabled ? GH_STR("1") : GH_STR("0"),
        .before = is_disabled ? GH_STR("{\"disabled\":false}") : GH_STR("{\"disabled\":true}"),
        .after = is_disabled ? GH_STR("{\"disabled\":true}") : GH_STR("{\"disabled\":false}"),
        .is_idempotent = true,
    };
    gh_rc rc = change_user(st, &u, author, err);

    if (rc == GH_OK)
        *is_changed = u.is_changed;
    return rc;
}
