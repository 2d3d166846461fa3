/* A real client: psql logs in over a socket that this test serves with wire and auth alone. */
#include "auth_tests.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct place {
    char dir[64];
    char path[108];
    int listener;
} place;

static place s_place;

static void set_up(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    snprintf(s_place.dir, sizeof(s_place.dir), "/tmp/gatehouse-auth-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(s_place.dir));
    snprintf(s_place.path, sizeof(s_place.path), "%s/.s.PGSQL.5432", s_place.dir);
    memcpy(address.sun_path, s_place.path, sizeof(address.sun_path));
    s_place.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(s_place.listener, 0);
    ck_assert_int_eq(bind(s_place.listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(s_place.listener, 1), 0);
}

static void tear_down(void)
{
    close(s_place.listener);
    unlink(s_place.path);
    rmdir(s_place.dir);
}

/* Reads until a frame is whole, gives it, and drops it from `in` at the next call. */
static gh_wire_frame receive(int fd, gh_buf *in, size_t *consumed, bool is_startup,
                             gh_wire_phase phase)
{
    gh_wire_frame f = { 0 };

    gh_buf_consume(in, *consumed);
    for (;;) {
        gh_rc rc = is_startup ? gh_wire_frame_startup(gh_buf_str(in), &f, NULL)
                              : gh_wire_frame_frontend(phase, gh_buf_str(in), &f, NULL);
        char bytes[4096];
        ssize_t n;

        ck_assert(rc == GH_OK || rc == GH_AGAIN);
        if (rc == GH_OK && f.missing == 0)
            break;
        n = read(fd, bytes, sizeof(bytes));
        ck_assert_int_gt(n, 0);
        gh_buf_put(in, bytes, (size_t)n);
    }
    *consumed = gh_wire_frame_len(&f);
    return f;
}

static void send_all(int fd, gh_buf *out)
{
    ck_assert(!out->failed);
    ck_assert_int_eq(write(fd, out->ptr, out->len), (ssize_t)out->len);
    gh_buf_clear(out);
}

/* The exchange over the socket; its result. */
static gh_rc authenticate(int fd, gh_buf *in, size_t *consumed, const gh_auth_scram_args *args,
                          gh_err *err)
{
    const char *mechanisms[2];
    size_t n = gh_auth_mechanisms(args->cert_hash.len > 0, mechanisms);
    gh_auth_scram *s = gh_auth_scram_new(args);
    gh_buf out = { 0 }, data = { 0 };
    gh_wire_sasl_initial msg;
    gh_wire_frame f;
    gh_rc rc;

    gh_wire_put_auth_sasl(&out, mechanisms, n);
    send_all(fd, &out);
    f = receive(fd, in, consumed, false, GH_WIRE_PHASE_AUTH);
    ck_assert_int_eq(gh_wire_decode_sasl_initial(f.body, &msg, err), GH_OK);
    rc = gh_auth_scram_start(s, &msg, &data, err);
    while (rc == GH_AGAIN) {
        gh_wire_put_auth(&out, GH_WIRE_AUTH_SASL_CONTINUE, gh_buf_str(&data));
        send_all(fd, &out);
        gh_buf_clear(&data);
        f = receive(fd, in, consumed, false, GH_WIRE_PHASE_AUTH);
        rc = gh_auth_scram_step(s, f.body, &data, err);
    }
    if (rc == GH_OK) {
        gh_wire_put_auth(&out, GH_WIRE_AUTH_SASL_FINAL, gh_buf_str(&data));
        gh_wire_put_auth(&out, GH_WIRE_AUTH_OK, (gh_str){ NULL, 0 });
        gh_wire_put_parameter_status(&out, GH_STR("server_version"), GH_STR("15.0"));
        gh_wire_put_parameter_status(&out, GH_STR("client_encoding"), GH_STR("UTF8"));
        gh_wire_put_parameter_status(&out, GH_STR("standard_conforming_strings"), GH_STR("on"));
        gh_wire_put_key_data(&out, 1, GH_STR("abcd"));
        gh_wire_put_ready(&out, GH_WIRE_TX_IDLE);
    } else {
        gh_wire_put_error(&out, GH_WIRE_FATAL, err);
    }
    send_all(fd, &out);
    gh_buf_fini(&out);
    gh_buf_fini(&data);
    gh_auth_scram_free(s);
    return rc;
}

/* Answers one query with one row that holds the statement's text, until the client says goodbye. */
static void answer(int fd, gh_buf *in, size_t *consumed)
{
    gh_buf out = { 0 };

    for (;;) {
        gh_wire_frame f = receive(fd, in, consumed, false, GH_WIRE_PHASE_SESSION);
        gh_wire_column column = gh_wire_text_column(GH_STR("echo"));
        gh_wire_value value = { { NULL, 0 }, false };

        if (gh_wire_judge(GH_WIRE_STATE_READY, f.type) == GH_WIRE_END)
            break;
        ck_assert_int_eq(f.type, GH_WIRE_F_QUERY);
        ck_assert_int_eq(gh_wire_decode_query(f.body, &value.bytes, NULL), GH_OK);
        gh_wire_put_notice(&out, GH_WIRE_NOTICE, "00000", "served by a test", NULL);
        gh_wire_put_row_description(&out, &column, 1);
        gh_wire_put_data_row(&out, &value, 1);
        gh_wire_put_command_complete(&out, GH_STR("SELECT 1"));
        gh_wire_put_ready(&out, GH_WIRE_TX_IDLE);
        send_all(fd, &out);
    }
    gh_buf_fini(&out);
}

static pid_t run_psql(const char *password, int output)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        (void)setenv("PGPASSWORD", password, 1);
        (void)setenv("PGGSSENCMODE", "disable", 1);
        (void)dup2(output, STDOUT_FILENO);
        (void)dup2(output, STDERR_FILENO);
        (void)execlp("psql", "psql", "-XwAt", "-h", s_place.dir, "-p", "5432", "-U", "alice", "-d",
                     "wh", "-c", "select 'hello'", (char *)NULL);
        _exit(127);
    }
    return pid;
}

/* psql's exit status for this password; `verifier` is alice's. What it printed goes to `printed`.
 */
static int log_in(const char *password, const gh_auth_verifier *verifier, char *printed,
                  size_t printed_max)
{
    static const uint8_t nonce[GH_AUTH_NONCE_LEN] = "server nonce 18byt";
    gh_arena *a = gh_arena_new(1u << 20);
    gh_buf in = { 0 };
    size_t consumed = 0;
    gh_wire_startup startup;
    gh_auth_scram_args args = { .verifier = verifier,
                                .mock_secret = GH_STR("secret"),
                                .nonce = nonce };
    FILE *output = tmpfile();
    gh_err err = { 0 };
    gh_wire_frame f;
    size_t n;
    int status = 0;
    int fd;
    pid_t pid = run_psql(password, fileno(output));
    struct pollfd waits = { s_place.listener, POLLIN, 0 };

    ck_assert_int_eq(poll(&waits, 1, 20000), 1); /* no psql: it never comes */
    fd = accept(s_place.listener, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    f = receive(fd, &in, &consumed, true, GH_WIRE_PHASE_NONE);
    ck_assert_int_eq(gh_wire_decode_startup(a, f.body, false, false, &startup, &err), GH_OK);
    ck_assert(gh_str_is(startup.user, "alice"));
    ck_assert(gh_str_is(startup.database, "wh"));
    args.user = startup.user;
    if (authenticate(fd, &in, &consumed, &args, &err) == GH_OK)
        answer(fd, &in, &consumed);
    close(fd);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    rewind(output);
    n = fread(printed, 1, printed_max - 1, output);
    printed[n] = '\0';
    fclose(output);
    gh_buf_fini(&in);
    gh_arena_free(a);
    return WEXITSTATUS(status);
}

START_TEST(psql_logs_in)
{
    gh_auth_verifier v;
    char printed[1024];

    ck_assert_int_eq(
        gh_auth_verifier_make(GH_STR("s3cret \xc3\xa9"), "0123456789abcdef", 16, 4096, &v, NULL),
        GH_OK);
    ck_assert_int_eq(log_in("s3cret \xc3\xa9", &v, printed, sizeof(printed)), 0);
    ck_assert_ptr_nonnull(strstr(printed, "select 'hello'"));
    ck_assert_ptr_nonnull(strstr(printed, "served by a test"));
    ck_assert_int_eq(log_in("wrong", &v, printed, sizeof(printed)), 2);
    ck_assert_ptr_nonnull(
        strstr(printed, "FATAL:  password authentication failed for user \"alice\""));
    ck_assert_int_eq(log_in("s3cret \xc3\xa9", NULL, printed, sizeof(printed)), 2);
    ck_assert_ptr_nonnull(
        strstr(printed, "FATAL:  password authentication failed for user \"alice\""));
}
END_TEST

Suite *auth_psql_suite(void)
{
    Suite *s = suite_create("auth/psql");
    TCase *tc = tcase_create("psql");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, psql_logs_in);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(s, tc);
    return s;
}
