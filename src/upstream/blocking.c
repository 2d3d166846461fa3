/*
 * libpq for threads that may wait: each wait has a deadline and can be ended from another thread,
 * so that a dead server never holds up the end of the process.
 */
#include <errno.h>
#include <poll.h>

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

gh_rc gh_blocking_connect(const gh_upstream *u, int stop_fd, PGconn **out, gh_err *err)
{
    int64_t deadline_us = gh_clock_us() + (int64_t)gh_upstream_connect_timeout_ms(u) * 1000;
    PGconn *pg = gh_upstream_start(u);
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
