/* A real PostgreSQL for these tests, and waiting on a loop with a bound. */
#ifndef GATEHOUSE_TEST_UPSTREAM_FIXTURE_H
#define GATEHOUSE_TEST_UPSTREAM_FIXTURE_H

#include <gatehouse/upstream.h>

void fixture_start(void);
void fixture_stop(void);
int fixture_port(void);
const char *fixture_dir(void);

/* By TLS, verified: user gatehouse. `extra` may be "". */
gh_upstream *fixture_upstream(const char *extra, const char *init_sql);
gh_upstream *fixture_upstream_of(const char *conninfo, const char *password, const char *init_sql,
                                 uint32_t timeout_ms);

/* One awaited connection or error. */
typedef struct outcome {
    gh_loop *loop;
    bool is_done;
    gh_conn *conn;
    gh_err err;
} outcome;
void outcome_take(void *arg, gh_conn *conn, const gh_err *err); /* a gh_conn_fn; stops the loop */
/* Runs the loop until it is stopped; the test fails after `seconds`. */
void run_loop(gh_loop *loop, unsigned seconds);
/* Runs the loop for that long. */
void run_loop_for(gh_loop *loop, uint32_t ms);
gh_conn *connect_now(gh_loop *loop, gh_upstream *u, gh_err *err);
gh_conn *acquire_now(gh_loop *loop, gh_pool *p, const char *session_sql, gh_err *err);

/*
 * Sends a Query over the raw stream and reads up to ReadyForQuery, waiting by poll. `value`: the
 * last row's first column; `sqlstate`: of the error, or empty.
 */
void raw_send(gh_conn *c, const char *sql);
void raw_answer(gh_conn *c, char value[256], char sqlstate[6]);
/* Starts a statement that takes a minute; it runs when this returns. */
void raw_sleep(gh_conn *c);
void raw_query(gh_conn *c, const char *sql, char value[256], char sqlstate[6]);
/* As the superuser, over libpq; the first value. */
void admin_query(const char *database, const char *sql, char value[256]);

#endif
