#include "tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fixture.h"
#include "upstream_priv.h"

static gh_loop *new_loop(void)
{
    gh_loop *l = NULL;
    gh_err err = { 0 };

    ck_assert_int_eq(gh_loop_new(&l, &err), GH_OK);
    return l;
}

static void assert_works(gh_conn *c)
{
    char value[256];
    char sqlstate[6];

    raw_query(c, "SELECT 6 * 7", value, sqlstate);
    ck_assert_str_eq(value, "42");
    ck_assert_str_eq(sqlstate, "");
}

START_TEST(verified_tls_is_taken_over)
{
    gh_loop *l = new_loop();
    gh_upstream *u = fixture_upstream("", "");
    char value[256];
    char sqlstate[6];
    char pid[16];
    size_t count;

    gh_conn *c = connect_now(l, u, NULL);
    ck_assert_ptr_nonnull(c);
    ck_assert(gh_stream_has_tls(gh_conn_stream(c)));
    ck_assert_int_ge(gh_conn_server_version(c), 130000);
    assert_works(c);
    raw_query(c, "SELECT pg_backend_pid()", value, sqlstate);
    snprintf(pid, sizeof(pid), "%u", gh_conn_pid(c));
    ck_assert_str_eq(value, pid);
    raw_query(c, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", value, sqlstate);
    ck_assert_str_eq(value, "t");
    ck_assert(gh_str_is(gh_conn_parameter(c, "client_encoding"), "UTF8"));
    ck_assert(gh_str_is(gh_conn_parameter(c, "integer_datetimes"), "on"));
    ck_assert(gh_str_is(gh_conn_parameter(c, "application_name"), "gatehouse"));
    ck_assert_ptr_null(gh_conn_parameter(c, "no_such").ptr);
    ck_assert_ptr_nonnull(gh_conn_parameters(c, &count));
    ck_assert_uint_ge(count, 13);
    gh_conn_close(c);
    gh_upstream_release(u);
    gh_loop_free(l);
}
END_TEST

START_TEST(plain_is_taken_over)
{
    char conninfo[256];
    gh_loop *l = new_loop();

    snprintf(conninfo, sizeof(conninfo),
             "host=localhost hostaddr=127.0.0.1 port=%d dbname=warehouse user=plain "
             "sslmode=disable",
             fixture_port());
    gh_upstream *u = fixture_upstream_of(conninfo, "right", "", 0);
    gh_conn *c = connect_now(l, u, NULL);
    ck_assert_ptr_nonnull(c);
    ck_assert(!gh_stream_has_tls(gh_conn_stream(c)));
    assert_works(c);
    gh_conn_close(c);
    gh_upstream_release(u);
    gh_loop_free(l);
}
END_TEST

/* A password that is sent in clear text passes by the trace that picks the key. */
START_TEST(key_is_the_backends_own)
{
    gh_key_trace t = { 0 };
    gh_upstream *u = fixture_upstream("", "");
    PGconn *pg = gh_upstream_start(u, NULL);
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;

    gh_key_trace_start(&t, pg);
    while (status != PGRES_POLLING_OK) {
        ck_assert_int_ne(status, PGRES_POLLING_FAILED);
        status = PQconnectPoll(pg);
    }
    gh_key_trace_end(&t, pg);
    ck_assert(t.has_key);
    ck_assert_int_eq((int)t.pid, PQbackendPID(pg));
    for (size_t i = 0; i < sizeof(t.line); i++)
        ck_assert_int_eq(t.line[i], 0);
    PQfinish(pg);
    gh_upstream_release(u);
}
END_TEST

static void assert_fails(const char *conninfo, const char *password, const char *sqlstate,
                         const char *in_detail)
{
    static const char *const secrets[] = { "127.0.0.1", "localhost", "gatehouse", "warehouse_x",
                                           "right",     "full",      "password",  "wrong" };
    gh_loop *l = new_loop();
    gh_upstream *u = fixture_upstream_of(conninfo, password, "", 1500);
    gh_err err = { 0 };

    ck_assert_ptr_null(connect_now(l, u, &err));
    ck_assert_str_eq(err.sqlstate, sqlstate);
    ck_assert_msg(strstr(err.detail, in_detail) != NULL, "%s", err.detail);
    for (size_t i = 0; i < GH_COUNT(secrets); i++) {
        ck_assert_msg(strstr(err.public_msg, secrets[i]) == NULL, "%s", err.public_msg);
        ck_assert_msg(strstr(err.hint, secrets[i]) == NULL, "%s", err.hint);
    }
    gh_upstream_release(u);
    gh_loop_free(l);
}

START_TEST(errors_do_not_name_the_account)
{
    char conninfo[512];
    int port = fixture_port();

    /* wrong password, unknown database, no such rule (no TLS), role full: only the last shows its
     * code */
    snprintf(conninfo, sizeof(conninfo),
             "host=127.0.0.1 port=%d dbname=warehouse user=gatehouse sslmode=require", port);
    assert_fails(conninfo, "wrong", "08001", "28P01");
    snprintf(conninfo, sizeof(conninfo),
             "host=127.0.0.1 port=%d dbname=warehouse_x user=gatehouse sslmode=require", port);
    assert_fails(conninfo, "right", "08001", "3D000");
    snprintf(conninfo, sizeof(conninfo),
             "host=127.0.0.1 port=%d dbname=warehouse user=gatehouse sslmode=disable", port);
    assert_fails(conninfo, "right", "08001", "28000");
    snprintf(conninfo, sizeof(conninfo),
             "host=127.0.0.1 port=%d dbname=warehouse user=full sslmode=require", port);
    assert_fails(conninfo, "right", "53300", "53300");
}
END_TEST

START_TEST(certificate_of_another_ca_is_refused)
{
    char conninfo[512];

    snprintf(conninfo, sizeof(conninfo),
             "host=127.0.0.1 port=%d dbname=warehouse user=gatehouse sslmode=verify-full "
             "sslrootcert=%s/other_ca.crt",
             fixture_port(), fixture_dir());
    assert_fails(conninfo, "right", "08001", "certificate verify failed");
}
END_TEST

START_TEST(closed_port_is_refused)
{
    assert_fails("host=127.0.0.1 port=1 dbname=warehouse user=gatehouse", "right", "08001",
                 "refused");
}
END_TEST

START_TEST(unknown_host_is_refused)
{
    assert_fails("host=no-such-host.invalid port=1 dbname=warehouse user=gatehouse", "right",
                 "08001", "no-such-host.invalid");
}
END_TEST

static void ignore_client(void *arg, int fd, const gh_address *peer)
{
    (void)fd; /* accepted, and never answered */
    (void)peer;
    (*(int *)arg)++;
}

START_TEST(silent_server_times_out)
{
    gh_loop *l = new_loop();
    gh_address address;
    gh_listener *li = NULL;
    gh_err err = { 0 };
    char conninfo[128];
    int accepted = 0;

    ck_assert_int_eq(gh_address_parse(GH_STR("127.0.0.1:0"), &address, &err), GH_OK);
    ck_assert_int_eq(gh_listener_open(l, &address, ignore_client, &accepted, &li, &err), GH_OK);
    snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d dbname=warehouse user=gatehouse",
             gh_listener_port(li));
    gh_upstream *u = fixture_upstream_of(conninfo, "right", "", 400);
    int64_t start_us = gh_clock_us();
    ck_assert_ptr_null(connect_now(l, u, &err));
    int64_t took_us = gh_clock_us() - start_us;
    ck_assert_int_ge(took_us, 350000);
    ck_assert_int_le(took_us, 5000000);
    ck_assert_int_eq(accepted, 1);
    ck_assert_str_eq(err.sqlstate, "08001");
    ck_assert_ptr_nonnull(strstr(err.detail, "within 400 ms"));
    gh_listener_close(li);
    gh_upstream_release(u);
    gh_loop_free(l);
}
END_TEST

static void must_not_be_called(void *arg, gh_conn *conn, const gh_err *err)
{
    (void)arg;
    (void)conn;
    (void)err;
    ck_abort_msg("called after it was abandoned");
}

/* The connection that still comes is closed, not leaked: the server sees it go. */
START_TEST(abandoned_attempt_is_closed)
{
    gh_loop *l = new_loop();
    gh_upstream *u = fixture_upstream("application_name=ignored", "");
    char value[256];

    gh_connect_abandon(gh_upstream_connect(u, l, must_not_be_called, NULL));
    run_loop_for(l, 500);
    admin_query("warehouse", "SELECT count(*) FROM pg_stat_activity WHERE usename = 'gatehouse'",
                value);
    ck_assert_str_eq(value, "0");
    gh_upstream_release(u);
    gh_loop_free(l);
}
END_TEST

/* The end of the process does not wait for a server that says nothing. */
START_TEST(release_ends_attempts)
{
    gh_loop *l = new_loop();
    gh_address address;
    gh_listener *li = NULL;
    gh_err err = { 0 };
    char conninfo[128];
    int accepted = 0;

    ck_assert_int_eq(gh_address_parse(GH_STR("127.0.0.1:0"), &address, &err), GH_OK);
    ck_assert_int_eq(gh_listener_open(l, &address, ignore_client, &accepted, &li, &err), GH_OK);
    snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d", gh_listener_port(li));
    gh_upstream *u = fixture_upstream_of(conninfo, "right", "", 60000);
    outcome o = { .loop = l };
    gh_upstream_connect(u, l, outcome_take, &o);
    run_loop_for(l, 100);
    ck_assert(!o.is_done);
    gh_upstream_release(u);
    run_loop(l, 5);
    ck_assert(o.is_done);
    ck_assert_ptr_null(o.conn);
    gh_listener_close(li);
    gh_loop_free(l);
}
END_TEST

/* The sockets that epoll sets of this process hold, by inode. */
static bool is_polled(ino_t inode)
{
    char path[64];
    char line[256];
    bool found = false;

    for (int fd = 0; fd < 256 && !found; fd++) {
        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
        FILE *f = fopen(path, "r");
        if (f == NULL)
            continue;
        while (fgets(line, sizeof(line), f) != NULL) {
            const char *ino = strncmp(line, "tfd:", 4) == 0 ? strstr(line, "ino:") : NULL;
            found = found || (ino != NULL && strtoull(ino + 4, NULL, 16) == inode);
        }
        fclose(f);
    }
    return found;
}

/* What was connected at once with others is in no epoll set of the connector's any more. */
START_TEST(connector_lets_go)
{
    gh_loop *l = new_loop();
    gh_upstream *u = fixture_upstream("", "");
    outcome o[6] = { 0 };
    struct stat st;

    for (size_t i = 0; i < GH_COUNT(o); i++) {
        o[i].loop = l;
        gh_upstream_connect(u, l, outcome_take, &o[i]);
    }
    for (size_t i = 0; i < GH_COUNT(o); i++) {
        while (!o[i].is_done)
            run_loop(l, 20);
        ck_assert_ptr_nonnull(o[i].conn);
        ck_assert_int_eq(fstat(gh_conn_stream(o[i].conn)->fd, &st), 0);
        ck_assert(!is_polled(st.st_ino));
    }
    for (size_t i = 0; i < GH_COUNT(o); i++)
        gh_conn_close(o[i].conn);
    gh_upstream_release(u);
    gh_loop_free(l);
}
END_TEST

/* As a config file says it: names of files beside it, wherever the process was started. */
START_TEST(files_are_relative_to_dir)
{
    static const char *const ends[] = { "", "/" };
    char conninfo[256];
    char dir[96];
    gh_secret password;
    gh_upstream_report report;

    snprintf(conninfo, sizeof(conninfo),
             "host=127.0.0.1 port=%d dbname=warehouse user=gatehouse sslmode=verify-full "
             "sslrootcert=ca.crt",
             fixture_port());
    gh_secret_init(&password, "right", 5);
    for (size_t i = 0; i < GH_COUNT(ends); i++) {
        gh_upstream *u = NULL;
        gh_err err = { 0 };
        snprintf(dir, sizeof(dir), "%s%s", fixture_dir(), ends[i]);
        gh_upstream_options options = { .name = GH_STR("wh"),
                                        .conninfo = gh_str_of(conninfo),
                                        .dir = gh_str_of(dir),
                                        .password = &password };
        ck_assert_int_eq(gh_upstream_new(&options, &u, &err), GH_OK);
        ck_assert_msg(gh_upstream_check(u, &report, &err) == GH_OK, "%s", err.detail);
        gh_upstream_release(u);
        options.dir = GH_STR("/nonexistent");
        ck_assert_int_eq(gh_upstream_new(&options, &u, &err), GH_OK);
        ck_assert_int_eq(gh_upstream_check(u, &report, &err), GH_IO);
        ck_assert_ptr_nonnull(strstr(err.detail, "/nonexistent/ca.crt"));
        gh_upstream_release(u);
    }
    gh_secret_fini(&password);
}
END_TEST

START_TEST(bad_conninfo_is_invalid)
{
    gh_upstream *u = NULL;
    gh_err err = { 0 };
    gh_upstream_options options = { .name = GH_STR("wh"),
                                    .conninfo = GH_STR("host=x no_such_keyword=1") };

    ck_assert_int_eq(gh_upstream_new(&options, &u, &err), GH_INVALID);
    ck_assert_ptr_nonnull(strstr(err.public_msg, "no_such_keyword"));
    memset(&err, 0, sizeof(err));
    options.conninfo = GH_STR("host=x replication=database");
    ck_assert_int_eq(gh_upstream_new(&options, &u, &err), GH_INVALID);
    ck_assert_ptr_nonnull(strstr(err.public_msg, "replication"));
    ck_assert_ptr_null(u);
}
END_TEST

START_TEST(parameters_have_bounds)
{
    gh_loop *l = new_loop();
    gh_upstream *u = fixture_upstream("", "");
    gh_conn *c = connect_now(l, u, NULL);
    char name[GH_WIRE_NAME_MAX + 2];
    char *value = gh_alloc(GH_CONN_PARAMETER_VALUE_MAX + 2);
    size_t count;

    memset(name, 'n', sizeof(name));
    memset(value, 'v', GH_CONN_PARAMETER_VALUE_MAX + 1);
    ck_assert(gh_conn_set_parameter(c, (gh_str){ name, GH_WIRE_NAME_MAX }, GH_STR("x")));
    ck_assert(!gh_conn_set_parameter(c, (gh_str){ name, GH_WIRE_NAME_MAX + 1 }, GH_STR("x")));
    ck_assert(
        gh_conn_set_parameter(c, GH_STR("v"), (gh_str){ value, GH_CONN_PARAMETER_VALUE_MAX }));
    ck_assert(
        !gh_conn_set_parameter(c, GH_STR("v"), (gh_str){ value, GH_CONN_PARAMETER_VALUE_MAX + 1 }));
    ck_assert(gh_conn_set_parameter(c, GH_STR("v"), GH_STR("short")));
    ck_assert(gh_str_is(gh_conn_parameter(c, "v"), "short"));
    gh_conn_parameters(c, &count);
    for (; count < GH_CONN_PARAMETERS_MAX; count++) {
        snprintf(name, sizeof(name), "p%zu", count);
        ck_assert(gh_conn_set_parameter(c, gh_str_of(name), GH_STR("1")));
    }
    ck_assert(!gh_conn_set_parameter(c, GH_STR("one_more"), GH_STR("1")));
    ck_assert(gh_conn_set_parameter(c, GH_STR("v"), GH_STR("known ones still change")));
    free(value);
    gh_conn_close(c);
    gh_upstream_release(u);
    gh_loop_free(l);
}
END_TEST

START_TEST(check_reports)
{
    gh_upstream *u = fixture_upstream("", "SELECT set_config('gatehouse.k', 'v', false)");
    gh_upstream_report report;
    gh_err err = { 0 };

    ck_assert_msg(gh_upstream_check(u, &report, &err) == GH_OK, "%s", err.detail);
    ck_assert_str_eq(report.account, "gatehouse");
    ck_assert_str_eq(report.database, "warehouse");
    ck_assert(report.has_tls);
    ck_assert(report.is_verified);
    ck_assert(!report.is_superuser);
    ck_assert_str_eq(report.tls_version, "TLSv1.3");
    gh_upstream_release(u);

    u = fixture_upstream("", "SELECT no_such_column");
    ck_assert_int_eq(gh_upstream_check(u, &report, &err), GH_INVALID);
    ck_assert_ptr_nonnull(strstr(err.detail, "no_such_column"));
    gh_upstream_release(u);
}
END_TEST

TCase *connect_tests(void)
{
    TCase *t = tcase_create("connect");

    tcase_add_test(t, verified_tls_is_taken_over);
    tcase_add_test(t, plain_is_taken_over);
    tcase_add_test(t, key_is_the_backends_own);
    tcase_add_test(t, errors_do_not_name_the_account);
    tcase_add_test(t, certificate_of_another_ca_is_refused);
    tcase_add_test(t, closed_port_is_refused);
    tcase_add_test(t, unknown_host_is_refused);
    tcase_add_test(t, silent_server_times_out);
    tcase_add_test(t, abandoned_attempt_is_closed);
    tcase_add_test(t, release_ends_attempts);
    tcase_add_test(t, connector_lets_go);
    tcase_add_test(t, files_are_relative_to_dir);
    tcase_add_test(t, bad_conninfo_is_invalid);
    tcase_add_test(t, parameters_have_bounds);
    tcase_add_test(t, check_reports);
    return t;
}
