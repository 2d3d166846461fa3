/*
 * The tables of an ACL file, version 1.
 *
 *     acl        a row per effect, principal, privilege, object and column pattern (the heart)
 *     users, roles, members, attributes          who
 *     tags, tag_columns, masks, masking, functions
 *     history    a row per thing changed, in the transaction that changed it
 *     meta       version: grows with every change; hash_key: of the `hash` mask; next_id
 *
 * The rows of one grant share grant_id and everything but principal, privilege, object, column and
 * mask: they are the product of the four lists, in this order, and row_no counts them. A grant that
 * lacks a row of its product is refused as damaged: guessing the rest could grant what nobody
 * granted.
 */
#include "store_priv.h"

const char store_schema_sql[] =
    "CREATE TABLE meta ("
    " key TEXT NOT NULL PRIMARY KEY,"
    " value ANY NOT NULL) STRICT, WITHOUT ROWID;"
    "INSERT INTO meta VALUES ('version', 0), ('next_id', 1);"

    "CREATE TABLE roles ("
    " name TEXT NOT NULL PRIMARY KEY,"
    " description TEXT NOT NULL,"
    " may TEXT NOT NULL," /* explain,temp_tables,notify,bypass */
    " origin TEXT NOT NULL) STRICT;"

    "CREATE TABLE users ("
    " name TEXT NOT NULL PRIMARY KEY,"
    " kind TEXT NOT NULL CHECK (kind IN ('human', 'service')),"
    " disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),"
    " verifier TEXT NOT NULL," /* SCRAM-SHA-256$...; empty: no password */
    " origin TEXT NOT NULL) STRICT;"

    "CREATE TABLE members ("
    " member TEXT NOT NULL," /* a role, or user:NAME */
    " role TEXT NOT NULL,"
    " origin TEXT NOT NULL,"
    " PRIMARY KEY (member, role)) STRICT;"
    "CREATE INDEX members_role ON members (role);"

    "CREATE TABLE attributes ("
    " user TEXT NOT NULL,"
    " name TEXT NOT NULL,"
    " position INTEGER NOT NULL," /* in a list, from 0; -1: not a list */
    " value TEXT,"                /* NULL: the list is empty */
    " origin TEXT NOT NULL,"
    " PRIMARY KEY (user, name, position)) STRICT;"

    "CREATE TABLE tags ("
    " name TEXT NOT NULL PRIMARY KEY,"
    " origin TEXT NOT NULL) STRICT;"

    "CREATE TABLE tag_columns ("
    " tag TEXT NOT NULL,"
    " pattern TEXT NOT NULL,"
    " origin TEXT NOT NULL,"
    " PRIMARY KEY (tag, pattern)) STRICT;"

    "CREATE TABLE masks ("
    " name TEXT NOT NULL PRIMARY KEY,"
    " expression TEXT NOT NULL,"
    " origin TEXT NOT NULL) STRICT;"

    "CREATE TABLE masking ("
    " id INTEGER NOT NULL,"
    " row_no INTEGER NOT NULL,"
    " tag TEXT NOT NULL,"
    " mask TEXT NOT NULL,"
    " except_role TEXT," /* NULL: for everyone */
    " origin TEXT NOT NULL,"
    " PRIMARY KEY (id, row_no)) STRICT;"

    "CREATE TABLE functions ("
    " id INTEGER NOT NULL,"
    " row_no INTEGER NOT NULL,"
    " principal TEXT NOT NULL,"
    " pattern TEXT NOT NULL,"
    " origin TEXT NOT NULL,"
    " PRIMARY KEY (id, row_no)) STRICT;"

    "CREATE TABLE acl ("
    " grant_id INTEGER NOT NULL,"
    " row_no INTEGER NOT NULL,"
    " effect TEXT NOT NULL CHECK (effect IN ('grant', 'deny')),"
    " principal TEXT NOT NULL," /* a role, or user:NAME */
    " privilege TEXT NOT NULL,"
    " object TEXT NOT NULL,"
    " column_kind TEXT NOT NULL," /* all, only, except, tag, mask, none */
    " column_pattern TEXT NOT NULL,"
    " mask TEXT,"
    " row_filter TEXT NOT NULL," /* empty: every row */
    " valid_from INTEGER,"       /* Unix microseconds */
    " valid_until INTEGER,"      /* exclusive */
    " through INTEGER NOT NULL,"
    " blind INTEGER NOT NULL,"
    " reason TEXT NOT NULL,"
    " author TEXT NOT NULL,"
    " changed_at INTEGER NOT NULL,"
    " origin TEXT NOT NULL,"
    " PRIMARY KEY (grant_id, row_no)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX acl_principal ON acl (principal, object);"
    "CREATE INDEX acl_object ON acl (object);"
    /* Who masks a column, and how: what a new mask must be comparable with (neighbours.c). */
    "CREATE INDEX acl_masked ON acl (column_pattern, mask, object) WHERE mask IS NOT NULL;"

    "CREATE TABLE history ("
    " id INTEGER PRIMARY KEY,"
    " version INTEGER NOT NULL,"
    " at INTEGER NOT NULL," /* Unix microseconds */
    " author TEXT NOT NULL,"
    " action TEXT NOT NULL,"
    " reason TEXT NOT NULL,"
    " kind TEXT NOT NULL,"
    " key TEXT NOT NULL,"
    " before TEXT,"        /* JSON; NULL: it was not there */
    " before_origin TEXT," /* who had made it; NULL: it was not there, or a part of it changed */
    " after TEXT) STRICT;"
    "CREATE INDEX history_version ON history (version);";
