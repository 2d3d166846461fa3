/* The file itself: modes, versions, damage, locks, watching. */
#include "store_priv.h"
#include "world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void refused(gh_store_mode mode, gh_rc rc, const char *end)
{
    gh_store *st = NULL;
    gh_err err = { 0 };
    char expected[300];

    ck_assert_int_eq(gh_store_open(world_path(), mode, &st, &err), rc);
    ck_assert_ptr_null(st);
    (void)snprintf(expected, sizeof(expected), "%s: %s", world_path(), end);
    ck_assert_str_eq(err.public_msg, expected);
}

static unsigned int mode_of(const char *suffix)
{
    struct stat info;
    char path[128];

    (void)snprintf(path, sizeof(path), "%s%s", world_path(), suffix);
    ck_assert_int_eq(stat(path, &info), 0);
    return info.st_mode & 07777;
}

START_TEST(file_is_made_for_its_owner)
{
    mode_t mask = umask(0);
    gh_store *st = world_open(GH_STORE_CREATE);

    ck_assert_uint_eq(mode_of(""), 0600);
    ck_assert_uint_eq(mode_of("-wal"), 0600);
    ck_assert_uint_eq(mode_of("-shm"), 0600);
    gh_store_close(st);
    umask(mask);
}
END_TEST

START_TEST(file_open_to_others_is_refused)
{
    gh_store_close(world_open(GH_STORE_CREATE));
    ck_assert_int_eq(chmod(world_path(), 0604), 0);
    refused(GH_STORE_READ, GH_INVALID,
            "others may read it (mode 0604), and it holds password verifiers; chmod 600 it");
    ck_assert_int_eq(chmod(world_path(), 0640), 0);
    gh_store_close(world_open(GH_STORE_READ));
}
END_TEST

START_TEST(file_must_exist_to_be_read)
{
    refused(GH_STORE_READ, GH_NOT_FOUND, "no such ACL file; `gatehouse policy apply` makes one");
    refused(GH_STORE_WRITE, GH_NOT_FOUND, "no such ACL file; `gatehouse policy apply` makes one");
    ck_assert_int_eq(access(world_path(), F_OK), -1);
}
END_TEST

START_TEST(file_of_newer_version_is_refused)
{
    gh_store_close(world_open(GH_STORE_CREATE));
    world_sql("PRAGMA user_version = 2");
    refused(
        GH_STORE_READ, GH_INVALID,
        "its format is version 2, this gatehouse knows version 1; use the gatehouse that made it");
    refused(
        GH_STORE_CREATE, GH_INVALID,
        "its format is version 2, this gatehouse knows version 1; use the gatehouse that made it");
}
END_TEST

START_TEST(file_of_another_kind_is_refused)
{
    world_sql("CREATE TABLE something (x)");
    world_sql("PRAGMA user_version = 1");
    ck_assert_int_eq(chmod(world_path(), 0600), 0);
    refused(GH_STORE_CREATE, GH_INVALID, "not an ACL file");
    ck_assert_int_eq(unlink(world_path()), 0);
    int fd = open(world_path(), O_WRONLY | O_CREAT, 0600);
    ck_assert_int_eq(write(fd,
                           "this is text, and long enough to be looked at as a header .......... "
                           "...............................................",
                           100),
                     100);
    close(fd);
    refused(GH_STORE_READ, GH_INVALID, "not an ACL file");
}
END_TEST

START_TEST(file_damage_is_found)
{
    gh_acl_rule rules[50];
    gh_acl files = { .rules = rules, .rule_count = GH_COUNT(rules) };
    gh_acl_role role = { .name = GH_STR("analyst") };
    gh_store *st = world_open(GH_STORE_CREATE);
    gh_err err = { 0 };
    char zeros[4096] = { 0 };
    gh_acl acl;

    files.roles = &role;
    files.role_count = 1;
    for (size_t i = 0; i < GH_COUNT(rules); i++) {
        char table[200];
        (void)snprintf(table, sizeof(table), "s.t%zu_%0150d", i, 1);
        rules[i] = rule_of("analyst", table);
    }
    (void)apply(st, &files, 0, GH_OK, NULL);
    ck_assert_int_eq(gh_store_verify(st, &err), GH_OK);
    gh_store_close(st); /* the last one: the WAL goes into the file */
    int64_t page = world_sql("SELECT rootpage FROM sqlite_master WHERE name = 'acl'");
    int fd = open(world_path(), O_WRONLY);
    ck_assert_int_eq(pwrite(fd, zeros, sizeof(zeros), (page - 1) * 4096), 4096);
    close(fd);
    st = world_open(GH_STORE_READ);
    ck_assert_int_eq(gh_store_verify(st, &err), GH_INVALID);
    ck_assert_ptr_nonnull(strstr(err.public_msg, "the file is damaged; restore it from a copy"));
    err = (gh_err){ 0 };
    ck_assert_int_eq(gh_store_load(st, world_arena(), &acl, &err), GH_INVALID);
    ck_assert_ptr_nonnull(strstr(err.public_msg, "the file is damaged; restore it from a copy"));
    gh_store_close(st);
}
END_TEST

START_TEST(file_locked_by_another_is_told)
{
    gh_store *st = world_open(GH_STORE_CREATE);
    gh_err err = { 0 };
    gh_acl files = { 0 };
    gh_store_summary s;
    sqlite3 *other;

    ck_assert_int_eq(sqlite3_open(world_path(), &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    gh_store_summary_init(&s);
    ck_assert_int_eq(gh_store_apply(st, &files, 0, &world_author, &s, &err), GH_AGAIN);
    ck_assert_ptr_nonnull(strstr(err.public_msg, "locked by another process for 5 s"));
    ck_assert_int_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(gh_store_apply(st, &files, 0, &world_author, &s, NULL), GH_OK);
    gh_store_summary_fini(&s);
    sqlite3_close(other);
    gh_store_close(st);
}
END_TEST

START_TEST(file_hash_key_is_random)
{
    gh_store_close(world_open(GH_STORE_CREATE));
    gh_acl first = world_load();
    gh_store_close(world_open(GH_STORE_CREATE));
    gh_acl again = world_load();
    ck_assert_int_eq(unlink(world_path()), 0);
    gh_store_close(world_open(GH_STORE_CREATE));
    gh_acl other = world_load();

    ck_assert_uint_eq(first.hash_key.len, 64);
    ck_assert_uint_eq(strspn(first.hash_key.ptr, "0123456789abcdef"), 64);
    ck_assert(gh_str_eq(first.hash_key, again.hash_key));
    ck_assert(!gh_str_eq(first.hash_key, other.hash_key));
    ck_assert_uint_eq(first.version, 0);
}
END_TEST

static bool polled(gh_store *st)
{
    bool is_changed = false;
    gh_err err = { 0 };

    ck_assert_msg(gh_store_poll(st, &is_changed, &err) == GH_OK, "%s", err.public_msg);
    return is_changed;
}

START_TEST(file_changes_are_seen)
{
    gh_store *writer = world_open(GH_STORE_CREATE);
    gh_store *reader = world_open(GH_STORE_READ);
    gh_acl_role role = { .name = GH_STR("analyst") };
    gh_acl files = { .roles = &role, .role_count = 1 };
    gh_acl acl;

    ck_assert_int_eq(gh_store_load(reader, world_arena(), &acl, NULL), GH_OK);
    ck_assert(!polled(reader));
    (void)apply(writer, &files, GH_STORE_DRY_RUN, GH_OK, NULL);
    (void)apply(writer, &files, 0, GH_OK, NULL);
    ck_assert(polled(reader));
    ck_assert(!polled(reader));
    ck_assert_int_eq(gh_store_load(reader, world_arena(), &acl, NULL), GH_OK);
    ck_assert_uint_eq(acl.version, 1);
    ck_assert_uint_eq(acl.role_count, 1);
    ck_assert(!polled(reader));
    (void)apply(writer, &files, 0, GH_OK, NULL); /* nothing to change */
    ck_assert(!polled(reader));
    gh_store_close(writer);
    gh_store_close(reader);
}
END_TEST

static int give_up(void *arg)
{
    (void)arg;
    return 1;
}

/* SECURITY: a load that fails for a moment is tried again; or a revoke would wait for the next change. */
START_TEST(file_load_that_failed_is_tried_again)
{
    gh_acl_role role = { .name = GH_STR("analyst") };
    gh_acl files = { .roles = &role, .role_count = 1 };
    gh_store *writer = world_open(GH_STORE_CREATE);
    gh_store *reader = world_open(GH_STORE_READ);
    gh_acl acl;

    (void)apply(writer, &files, 0, GH_OK, NULL);
    ck_assert(polled(reader));
    sqlite3_progress_handler(reader->db, 1, give_up, NULL);
    ck_assert_int_eq(gh_store_load(reader, world_arena(), &acl, NULL), GH_IO);
    sqlite3_progress_handler(reader->db, 0, NULL, NULL);
    ck_assert(polled(reader));
    ck_assert_int_eq(gh_store_load(reader, world_arena(), &acl, NULL), GH_OK);
    ck_assert_uint_eq(acl.role_count, 1);
    ck_assert(!polled(reader));
    gh_store_close(writer);
    gh_store_close(reader);
}
END_TEST

/* Somebody moves another ACL over the file: the old one is open still, and nothing would ever
 * change in it. */
START_TEST(file_replacement_is_seen)
{
    gh_store *reader;
    gh_acl acl;
    char aside[128];
    bool is_changed;

    gh_store_close(world_open(GH_STORE_CREATE));
    reader = world_open(GH_STORE_READ);
    ck_assert_int_eq(gh_store_load(reader, world_arena(), &acl, NULL), GH_OK);
    (void)snprintf(aside, sizeof(aside), "%s.old", world_path());
    ck_assert_int_eq(rename(world_path(), aside), 0);
    ck_assert_int_eq(gh_store_poll(reader, &is_changed, NULL), GH_NOT_FOUND);
    gh_store_close(world_open(GH_STORE_CREATE));
    ck_assert(polled(reader));
    ck_assert(!polled(reader));
    ck_assert_int_eq(gh_store_load(reader, world_arena(), &acl, NULL), GH_OK);
    gh_store_close(reader);
    unlink(aside);
}
END_TEST

START_TEST(file_read_mode_writes_nothing)
{
    gh_store_close(world_open(GH_STORE_CREATE));
    gh_store *st = world_open(GH_STORE_READ);
    gh_acl_role role = { .name = GH_STR("analyst") };
    gh_acl files = { .roles = &role, .role_count = 1 };

    (void)apply(st, &files, 0, GH_IO, NULL);
    gh_store_close(st);
    ck_assert_uint_eq(world_load().role_count, 0);
}
END_TEST

Suite *suite_file(void)
{
    Suite *s = suite_create("file");
    TCase *t = tcase_create("file");

    tcase_add_checked_fixture(t, world_setup, world_teardown);
    tcase_add_test(t, file_is_made_for_its_owner);
    tcase_add_test(t, file_open_to_others_is_refused);
    tcase_add_test(t, file_must_exist_to_be_read);
    tcase_add_test(t, file_of_newer_version_is_refused);
    tcase_add_test(t, file_of_another_kind_is_refused);
    tcase_add_test(t, file_damage_is_found);
    tcase_add_test(t, file_locked_by_another_is_told);
    tcase_add_test(t, file_hash_key_is_random);
    tcase_add_test(t, file_changes_are_seen);
    tcase_add_test(t, file_load_that_failed_is_tried_again);
    tcase_add_test(t, file_replacement_is_seen);
    tcase_add_test(t, file_read_mode_writes_nothing);
    tcase_set_timeout(t, 30);
    suite_add_tcase(s, t);
    return s;
}
