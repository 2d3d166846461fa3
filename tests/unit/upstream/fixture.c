#include "fixture.h"

#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libpq-fe.h>

static char s_dir[64];
static int s_port;

/* ---- server --------------------------------------------------------------------------------- */

static int free_port(void)
{
    struct sockaddr_in in4 = { .sin_family = AF_INET };
    socklen_t len = sizeof(in4);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    in4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&in4, sizeof(in4)) != 0 ||
        getsockname(fd, (struct sockaddr *)&in4, &len) != 0)
        abort();
    close(fd);
    return ntohs(in4.sin_port);
}

void fixture_start(void)
{
    char command[512];

    strcpy(s_dir, "/tmp/gatehouse-upstream.XXXXXX");
    if (mkdtemp(s_dir) == NULL)
        abort();
    s_port = free_port();
    snprintf(command, sizeof(command), "%s/tests/unit/upstream/postgres.sh start %s %d", SOURCE_DIR,
             s_dir, s_port);
    if (system(command) != 0) {
        fprintf(stderr, "PostgreSQL did not start: see %s/pg\n", s_dir);
        exit(1);
    }
}

void fixture_stop(void)
{
    char command[512];

    snprintf(command, sizeof(command), "%s/tests/unit/upstream/postgres.sh stop %s", SOURCE_DIR,
             s_dir);
    if (system(command) != 0)
        fprintf(stderr, "PostgreSQL in %s did not stop\n", s_dir);
}

int fixture_port(void)
{
    return s_port;
}

const char *fixture_dir(void)
{
    return s_dir;
}

gh_upstream *fixture_upstream_of(const char *conninfo, const char *password, const char *init_sql,
                                 uint32_t timeout_ms)
{
    gh_secret secret;
    gh_err err = { 0 };
    gh_upstream *u = NULL;

    gh_secret_init(&secret, password, strlen(password));
    gh_upstream_options options = {
        .name = GH_STR("wh"),
        .conninfo = gh_str_of(conninfo),
        .password = password[0] != '\0' ? &secret : NULL,
        .init_sql = gh_str_of(init_sql),
        .connect_timeout_ms = timeout_ms,
    };
    gh_rc rc = gh_upstream_new(&options, &u, &err);
    gh_secret_fini(&secret);
    ck_assert_msg(rc == GH_OK, "%s", err.public_msg);
    return u;
}

gh_upstream *fixture_upstream(const char *extra, const char *init_sql)
{
    char conninfo[512];

    snprintf(conninfo, sizeof(conninfo),
             "host=127.0.0.1 port=%d dbname=warehouse user=gatehouse sslmode=verify-full "
             "sslrootcert=%s/ca.crt %s",
             s_port, s_dir, extra);
    return fixture_upstream_of(conninfo, "right", init_sql, 0);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static void on_late(void *arg)
{
    (void)arg;
    ck_abort_msg("nothing happened in time");
}

static void on_enough(void *arg)
{
    gh_loop_stop(arg);
}

static void run_with(gh_loop *loop, void (*fn)(void *arg), uint32_t ms)
{
    gh_timer *t = gh_timer_new(loop, fn, loop);
    gh_err err = { 0 };

    gh_timer_start(t, ms);
    ck_assert_int_eq(gh_loop_run(loop, &err), GH_OK);
    gh_timer_free(t);
}

void run_loop(gh_loop *loop, unsigned seconds)
{
    run_with(loop, on_late, seconds * 1000);
}

void run_loop_for(gh_loop *loop, uint32_t ms)
{
    run_with(loop, on_enough, ms);
}

void outcome_take(void *arg, gh_conn *conn, const gh_err *err)
{
    outcome *o = arg;

    ck_assert(!o->is_done);
    o->is_done = true;
    o->conn = conn;
    o->err = *err;
    gh_loop_stop(o->loop);
}

gh_conn *connect_now(gh_loop *loop, gh_upstream *u, gh_err *err)
{
    outcome o = { .loop = loop };

    gh_upstream_connect(u, loop, outcome_take, &o);
    ck_assert(!o.is_done);
    run_loop(loop, 20);
    if (err != NULL)
        *err = o.err;
    return o.conn;
}

gh_conn *acquire_now(gh_loop *loop, gh_pool *p, const char *session_sql, gh_err *err)
{
    outcome o = { .loop = loop };

    gh_pool_acquire(p, gh_str_of(session_sql), outcome_take, &o);
    ck_assert(!o.is_done);
    run_loop(loop, 20);
    if (err != NULL)
        *err = o.err;
    return o.conn;
}

/* ---- protocol ------------------------------------------------------------------------------- */

static void wait_stream(const gh_stream *s)
{
    struct pollfd fd = { .fd = s->fd,
                         .events = (s->wants & GH_WANTS_WRITE) != 0 ? POLLOUT : POLLIN };

    ck_assert_int_eq(poll(&fd, 1, 20000), 1);
}

void raw_send(gh_conn *c, const char *sql)
{
    gh_stream *s = gh_conn_stream(c);
    gh_buf out;
    size_t sent = 0;

    gh_buf_init(&out, 0);
    gh_buf_put_u8(&out, 'Q');
    gh_buf_put_u32(&out, (uint32_t)(4 + strlen(sql) + 1));
    gh_buf_put_cstr(&out, sql);
    while (sent < out.len) {
        size_t put = 0;
        gh_err err = { 0 };
        gh_rc rc = gh_stream_write(s, out.ptr + sent, out.len - sent, &put, &err);
        if (rc == GH_AGAIN)
            wait_stream(s);
        else
            ck_assert_msg(rc == GH_OK, "%s: %s", gh_rc_name(rc), err.detail);
        sent += put;
    }
    gh_buf_fini(&out);
}

static void read_exactly(gh_stream *s, char *out, size_t len)
{
    size_t have = 0;

    while (have < len) {
        size_t got = 0;
        gh_err err = { 0 };
        gh_rc rc = gh_stream_read(s, out + have, len - have, &got, &err);
        if (rc == GH_AGAIN)
            wait_stream(s);
        else
            ck_assert_msg(rc == GH_OK, "%s: %s", gh_rc_name(rc), err.detail);
        have += got;
    }
}

static void note_row(gh_rd *r, char value[256])
{
    if (gh_rd_u16(r) == 0)
        return;
    gh_str v = gh_rd_bytes(r, gh_rd_u32(r));
    snprintf(value, 256, GH_STR_FMT, GH_STR_ARG(v));
}

static void note_error(gh_rd *r, char sqlstate[6])
{
    for (;;) {
        uint8_t field = gh_rd_u8(r);
        if (field == 0)
            return;
        gh_str v = gh_rd_cstr(r);
        if (field == 'C')
            snprintf(sqlstate, 6, GH_STR_FMT, GH_STR_ARG(v));
    }
}

static void read_until(gh_conn *c, char last, char value[256], char sqlstate[6])
{
    gh_stream *s = gh_conn_stream(c);
    char type = 0;

    value[0] = '\0';
    sqlstate[0] = '\0';
    while (type != last) {
        char header[5];
        read_exactly(s, header, sizeof(header));
        gh_rd h = { header, header + 5, false };
        type = (char)gh_rd_u8(&h);
        uint32_t len = gh_rd_u32(&h) - 4;
        char *body = gh_alloc(len + 1);
        read_exactly(s, body, len);
        gh_rd r = { body, body + len, false };
        if (type == 'D')
            note_row(&r, value);
        if (type == 'E')
            note_error(&r, sqlstate);
        ck_assert(!r.failed);
        free(body);
    }
}

void raw_answer(gh_conn *c, char value[256], char sqlstate[6])
{
    read_until(c, 'Z', value, sqlstate);
}

/*
 * A cancel that comes before the statement has begun cancels nothing: a notice says that it runs.
 */
void raw_sleep(gh_conn *c)
{
    char value[256];
    char sqlstate[6];

    raw_send(c, "DO $$ BEGIN RAISE NOTICE 'running'; PERFORM pg_sleep(60); END $$");
    read_until(c, 'N', value, sqlstate);
}

void raw_query(gh_conn *c, const char *sql, char value[256], char sqlstate[6])
{
    raw_send(c, sql);
    raw_answer(c, value, sqlstate);
}

void admin_query(const char *database, const char *sql, char value[256])
{
    char conninfo[256];

    snprintf(conninfo, sizeof(conninfo),
             "host=127.0.0.1 port=%d user=postgres dbname=%s sslmode=require", s_port, database);
    PGconn *pg = PQconnectdb(conninfo);
    ck_assert_msg(PQstatus(pg) == CONNECTION_OK, "%s", PQerrorMessage(pg));
    PGresult *r = PQexec(pg, sql);
    ck_assert_msg(PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK,
                  "%s", PQerrorMessage(pg));
    if (value != NULL)
        snprintf(value, 256, "%s", PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
    PQclear(r);
    PQfinish(pg);
}
