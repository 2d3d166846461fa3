#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char s_dir[64];
static char s_path[96];
static gh_arena *s_arena;

const gh_store_author world_author = {
    .name = { "tester", 6 },
    .action = { "policy apply", 12 },
    .reason = { "why", 3 },
};

void world_setup(void)
{
    (void)snprintf(s_dir, sizeof(s_dir), "/tmp/gatehouse-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(s_dir));
    (void)snprintf(s_path, sizeof(s_path), "%s/acl.db", s_dir);
    s_arena = gh_arena_new(0);
}

void world_teardown(void)
{
    char path[128];

    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof(path), "%s%s", s_path,
                       ((const char *[]){ "", "-wal", "-shm" })[i]);
        (void)unlink(path);
    }
    ck_assert_int_eq(rmdir(s_dir), 0);
    gh_arena_free(s_arena);
}

const char *world_path(void)
{
    return s_path;
}

gh_arena *world_arena(void)
{
    return s_arena;
}

gh_store *world_open(gh_store_mode mode)
{
    gh_store *st = NULL;
    gh_err err = { 0 };

    ck_assert_msg(gh_store_open(s_path, mode, &st, &err) == GH_OK, "%s", err.public_msg);
    return st;
}

int64_t world_sql(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    int64_t value = 0;

    ck_assert_int_eq(sqlite3_open(s_path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, "%s: %s", sql,
                  sqlite3_errmsg(db));
    int rc = sqlite3_step(stmt);
    ck_assert_msg(rc == SQLITE_ROW || rc == SQLITE_DONE, "%s: %s", sql, sqlite3_errmsg(db));
    if (rc == SQLITE_ROW)
        value = sqlite3_column_int64(stmt, 0);
    ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    return value;
}

gh_acl world_load(void)
{
    gh_store *st = world_open(GH_STORE_READ);
    gh_acl acl = { 0 };
    gh_err err = { 0 };

    ck_assert_msg(gh_store_load(st, s_arena, &acl, &err) == GH_OK, "%s", err.public_msg);
    gh_store_close(st);
    return acl;
}

gh_str_list list_of(const char *words)
{
    gh_str *items = gh_arena_alloc(s_arena, (strlen(words) + 1) * sizeof(*items));
    size_t n = 0;

    while (*words != '\0') {
        size_t len = strcspn(words, " ");
        items[n++] = gh_arena_dup(s_arena, (gh_str){ words, len });
        words += len + (words[len] == ' ' ? 1 : 0);
    }
    return (gh_str_list){ items, n };
}

gh_acl_rule rule_of(const char *to, const char *tables)
{
    return (gh_acl_rule){ .to = list_of(to),
                          .tables = list_of(tables),
                          .privileges = GH_SELECT,
                          .valid_from = INT64_MIN,
                          .valid_until = INT64_MAX,
                          .origin = GH_ORIGIN_POLICY };
}

gh_store_summary apply(gh_store *st, const gh_acl *files, uint32_t flags, gh_rc rc,
                       const char *lines)
{
    gh_store_summary s;
    gh_err err = { 0 };

    gh_store_summary_init(&s);
    gh_rc got = gh_store_apply(st, files, flags, &world_author, &s, &err);
    ck_assert_msg(got == rc, "%s: %s", gh_rc_name(got), err.public_msg);
    if (rc != GH_OK)
        ck_assert_msg(err.public_msg[0] != '\0', "a refusal without a reason");
    gh_buf_put_u8(&s.lines, 0);
    if (lines != NULL && rc == GH_OK)
        ck_assert_str_eq(s.lines.ptr, lines);
    gh_store_summary_fini(&s);
    return s;
}

void expect_counts(gh_store_summary s, size_t added, size_t changed, size_t removed, size_t kept)
{
    ck_assert_uint_eq(s.added, added);
    ck_assert_uint_eq(s.changed, changed);
    ck_assert_uint_eq(s.removed, removed);
    ck_assert_uint_eq(s.kept, kept);
}
