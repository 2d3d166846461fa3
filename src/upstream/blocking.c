/*
 * libpq for threads that may wait: each wait has a deadline and can be ended from another thread,
 * so that a dead server never holds up the end of the process.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "upstream_priv.h"

/* GH_OK: the socket is ready. */
static gh_rc wait_for(PGconn *pg, short events, int stop_fd, int64_t deadline_us, gh_err *err)
{
    struct pollfd fds[2] = {
        { .fd = PQsocket(pg), .events = events },
        { .fd = stop_fd, .events = POLLIN },
    };

    for (;;) {
        int64_t left_us = deadline_us - gh_clock_us();
        if (left_us <= 0)
            return gh_upstream_unavailable(GH_IO, err, "no answer from %s in time", PQhost(pg));
        int64_t left_ms = left_us / 1000 + 1;
        int n = poll(fds, 2, left_ms > 60000 ? 60000 : (int)left_ms);
        if (n < 0 && errno != EINTR)
            return gh_upstream_unavailable(GH_IO, err, "poll: %s", strerror(errno));
        if (n > 0 && fds[1].revents != 0)
            return gh_upstream_unavailable(GH_CLOSED, err, "shutting down");
        if (n > 0)
            return GH_OK;
    }
}

gh_rc gh_blocking_connect(gh_upstream *u, int stop_fd, PGconn **out, gh_err *err)
{
    int64_t deadline_us = gh_clock_us() + (int64_t)gh_upstream_connect_timeout_ms(u) * 1000;
    PGconn *pg = gh_upstream_start(u, NULL);
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    gh_rc rc = GH_OK;

    if (PQstatus(pg) == CONNECTION_BAD)
        status = PGRES_POLLING_FAILED;
    while (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
        rc = wait_for(pg, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, stop_fd, deadline_us,
                      err);
        if (rc != GH_OK) {
            PQfinish(pg);
            return rc;
        }
        status = PQconnectPoll(pg);
    }
    if (status != PGRES_POLLING_OK) {
        rc = gh_upstream_refused(PQerrorMessage(pg), err);
        PQfinish(pg);
        return rc;
    }
    *out = pg;
    return GH_OK;
}

static gh_rc send_query(PGconn *pg, const char *sql, int stop_fd, int64_t deadline_us, gh_err *err)
{
    if (PQsetnonblocking(pg, 1) != 0 || PQsendQuery(pg, sql) != 1)
        return gh_upstream_unavailable(GH_IO, err, "%s", PQerrorMessage(pg));
    for (;;) {
        int left = PQflush(pg);
        if (left == 0)
            return GH_OK;
        if (left < 0)
            return gh_upstream_unavailable(GH_IO, err, "%s", PQerrorMessage(pg));
        gh_rc rc = wait_for(pg, POLLIN | POLLOUT, stop_fd, deadline_us, err);
        if (rc != GH_OK)
            return rc;
        if (PQconsumeInput(pg) != 1)
            return gh_upstream_unavailable(GH_IO, err, "%s", PQerrorMessage(pg));
    }
}

static gh_rc wait_for_result(PGconn *pg, int stop_fd, int64_t deadline_us, gh_err *err)
{
    while (PQisBusy(pg) != 0) {
        gh_rc rc = wait_for(pg, POLLIN, stop_fd, deadline_us, err);
        if (rc != GH_OK)
            return rc;
        if (PQconsumeInput(pg) != 1)
            return gh_upstream_unavailable(GH_IO, err, "%s", PQerrorMessage(pg));
    }
    return GH_OK;
}

/* GH_OK: a result that is no failure. */
static gh_rc judge(PGconn *pg, const PGresult *result, gh_err *err)
{
    ExecStatusType status = PQresultStatus(result);

    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY)
        return GH_OK;
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    bool is_fatal = severity == NULL || strcmp(severity, "ERROR") != 0;
    if (code == NULL || is_fatal || PQstatus(pg) == CONNECTION_BAD)
        return gh_upstream_unavailable(GH_IO, err, "%s", PQresultErrorMessage(result));
    gh_rc rc =
        gh_fail(err, GH_INVALID, code, "the warehouse refused a statement of the proxy's own");
    gh_upstream_detail(err, gh_str_of(PQresultErrorMessage(result)));
    return rc;
}

gh_rc gh_blocking_query(PGconn *pg, const char *sql, int stop_fd, uint32_t timeout_ms,
                        PGresult **out, gh_err *err)
{
    int64_t deadline_us = gh_clock_us() + (int64_t)timeout_ms * 1000;
    PGresult *last = NULL;
    gh_rc rc = send_query(pg, sql, stop_fd, deadline_us, err);

    while (rc == GH_OK) {
        rc = wait_for_result(pg, stop_fd, deadline_us, err);
        if (rc != GH_OK)
            break;
        PGresult *next = PQgetResult(pg);
        if (next == NULL)
            break;
        PQclear(last);
        last = next;
        gh_rc failed = judge(pg, last, err);
        if (failed != GH_OK && PQstatus(pg) == CONNECTION_BAD)
            rc = failed;
    }
    if (rc == GH_OK && last == NULL)
        rc = gh_upstream_unavailable(GH_IO, err, "no result");
    if (rc == GH_OK)
        rc = judge(pg, last, err);
    if (rc == GH_OK && out != NULL) {
        *out = last;
        last = NULL;
    }
    PQclear(last);
    return rc;
}

/* ---- links ---------------------------------------------------------------------------------- */

#define LINK_TIMEOUT_MS 120000

struct gh_link {
    gh_upstream *upstream;
    PGconn *pg; /* NULL: not connected */
};

/* The rows of one statement while they come, one result a row. */
typedef struct link_rows {
    gh_arena *arena;
    size_t rows_max;
    gh_link_rows out;
    gh_str *cells; /* moved to the arena at the end */
    size_t cell_count;
    size_t cell_cap;
} link_rows;

gh_link *gh_link_new(gh_upstream *u)
{
    gh_link *l = gh_alloc(sizeof(*l));

    l->upstream = gh_upstream_acquire(u);
    return l;
}

void gh_link_free(gh_link *l)
{
    if (l == NULL)
        return;
    PQfinish(l->pg);
    gh_upstream_release(l->upstream);
    free(l);
}

static gh_rc link_connect(gh_link *l, gh_err *err)
{
    gh_rc rc = GH_OK;

    if (l->pg != NULL)
        return GH_OK;
    rc = gh_blocking_connect(l->upstream, -1, &l->pg, err);
    if (rc != GH_OK)
        return rc;
    if (PQserverVersion(l->pg) < 130000)
        return gh_upstream_unavailable(GH_IO, err, "the server is older than PostgreSQL 13");
    gh_str init_sql = gh_upstream_init_sql(l->upstream);
    if (init_sql.len > 0)
        rc = gh_blocking_query(l->pg, init_sql.ptr, -1, LINK_TIMEOUT_MS, NULL, err);
    return rc;
}

static gh_rc too_much(gh_err *err)
{
    return gh_fail(err, GH_LIMIT, "54000", "the answer takes too much memory");
}

/* A new statement's answer begins: only the last one's rows are kept. */
static gh_rc take_columns(link_rows *rows, const PGresult *result, gh_err *err)
{
    size_t count = (size_t)PQnfields(result);
    gh_str *names = gh_arena_alloc(rows->arena, (count + 1) * sizeof(*names));
    gh_oid *types = gh_arena_alloc(rows->arena, (count + 1) * sizeof(*types));

    if (names == NULL || types == NULL)
        return too_much(err);
    for (size_t i = 0; i < count; i++) {
        names[i] = gh_arena_dup(rows->arena, gh_str_of(PQfname(result, (int)i)));
        types[i] = PQftype(result, (int)i);
        if (names[i].ptr == NULL)
            return too_much(err);
    }
    rows->out = (gh_link_rows){ .columns = names, .types = types, .column_count = count };
    rows->cell_count = 0;
    return GH_OK;
}

static gh_rc take_row(link_rows *rows, const PGresult *result, gh_err *err)
{
    size_t count = rows->out.column_count;

    if (rows->out.row_count == rows->rows_max)
        return gh_fail(err, GH_LIMIT, "54000", "more than %zu rows", rows->rows_max);
    if (rows->cell_cap - rows->cell_count < count) {
        rows->cell_cap = rows->cell_cap * 2 + count;
        rows->cells = gh_realloc_array(rows->cells, rows->cell_cap, sizeof(*rows->cells));
    }
    for (size_t i = 0; i < count; i++) {
        gh_str cell = { 0 };

        if (PQgetisnull(result, 0, (int)i) == 0) {
            cell = gh_arena_dup(rows->arena, (gh_str){ PQgetvalue(result, 0, (int)i),
                                                       (size_t)PQgetlength(result, 0, (int)i) });
            if (cell.ptr == NULL)
                return too_much(err);
        }
        rows->cells[rows->cell_count++] = cell;
    }
    rows->out.row_count++;
    return GH_OK;
}

/* One result: a row (is_open: a further one of its statement), the end of a statement, an error. */
static gh_rc take_result(PGconn *pg, link_rows *rows, const PGresult *result, bool *is_open,
                         gh_err *err)
{
    bool is_row = PQresultStatus(result) == PGRES_SINGLE_TUPLE;
    gh_rc rc = GH_OK;

    if (!is_row) {
        rc = judge(pg, result, err);
        if (rc != GH_OK)
            return rc;
    }
    if (!*is_open)
        rc = take_columns(rows, result, err);
    *is_open = is_row;
    return rc == GH_OK && is_row ? take_row(rows, result, err) : rc;
}

/* Takes everything in, also what follows a server's error, so that the connection stays in step. */
static gh_rc read_link(PGconn *pg, link_rows *rows, int64_t deadline_us, gh_err *err)
{
    bool is_open = false;
    gh_rc rc = GH_OK;

    for (;;) {
        gh_rc waited = wait_for_result(pg, -1, deadline_us, err);
        if (waited != GH_OK)
            return waited;
        PGresult *result = PQgetResult(pg);
        if (result == NULL)
            return rc;
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
            rc = gh_upstream_unavailable(GH_IO, err, "COPY cannot run here");
        else if (rc == GH_OK)
            rc = take_result(pg, rows, result, &is_open, err);
        PQclear(result);
        if (rc != GH_OK && rc != GH_INVALID)
            return rc;
    }
}

static gh_rc finish_rows(link_rows *rows, gh_link_rows *out, gh_err *err)
{
    gh_str *cells = gh_arena_alloc(rows->arena, (rows->cell_count + 1) * sizeof(*cells));

    if (cells == NULL)
        return too_much(err);
    if (rows->cell_count > 0)
        memcpy(cells, rows->cells, rows->cell_count * sizeof(*cells));
    rows->out.cells = cells;
    *out = rows->out;
    return GH_OK;
}

gh_rc gh_link_query(gh_link *l, gh_str sql, size_t rows_max, gh_arena *a, gh_link_rows *out,
                    gh_err *err)
{
    int64_t deadline_us = gh_clock_us() + (int64_t)LINK_TIMEOUT_MS * 1000;
    link_rows rows = { .arena = a, .rows_max = rows_max };
    char *text = gh_strdup(sql);
    gh_rc rc = link_connect(l, err);

    if (rc == GH_OK)
        rc = send_query(l->pg, text, -1, deadline_us, err);
    if (rc == GH_OK && PQsetSingleRowMode(l->pg) != 1)
        rc = gh_upstream_unavailable(GH_IO, err, "%s", PQerrorMessage(l->pg));
    if (rc == GH_OK)
        rc = read_link(l->pg, &rows, deadline_us, err);
    if (rc == GH_OK)
        rc = finish_rows(&rows, out, err);
    if (rc != GH_OK && rc != GH_INVALID) { /* out of step: the next call connects anew */
        PQfinish(l->pg);
        l->pg = NULL;
    }
    free(rows.cells);
    gh_cleanse(text, strlen(text));
    free(text);
    return rc;
}
