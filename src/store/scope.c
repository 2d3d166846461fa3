/*
 * A part of the ACL by name: what a single change needs to read, and what must compile with it.
 */
#include "store_priv.h"

gh_rc store_scope_clear(gh_store *st, gh_err *err)
{
    return store_exec(st,
                      "CREATE TEMP TABLE IF NOT EXISTS scope (kind TEXT NOT NULL, name NOT NULL, "
                      "PRIMARY KEY (kind, name)) WITHOUT ROWID; DELETE FROM temp.scope",
                      err);
}

store_stmt store_scope_stmt(gh_store *st)
{
    return store_stmt_of(st, "INSERT OR IGNORE INTO temp.scope VALUES (?, ?)");
}

void store_scope_put(store_stmt *put, const char *kind, gh_str name)
{
    store_bind_text(put, gh_str_of(kind));
    store_bind_text(put, name);
    store_stmt_run(put);
}

void store_scope_put_id(store_stmt *put, const char *kind, int64_t id)
{
    store_bind_text(put, gh_str_of(kind));
    store_bind_int(put, id);
    store_stmt_run(put);
}

gh_rc store_scope_up(gh_store *st, gh_err *err)
{
    return store_exec(st,
                      "INSERT OR IGNORE INTO temp.scope WITH RECURSIVE up (name) AS ("
                      "SELECT name FROM temp.scope WHERE kind = 'principal' UNION "
                      "SELECT m.role FROM up JOIN members m ON m.member = up.name) "
                      "SELECT 'principal', name FROM up",
                      err);
}
