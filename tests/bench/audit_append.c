/*
 * What the audit costs a worker: N threads that each put an intent and an outcome of ordinary size
 * (a batch of a turn at a time) and commit. Prints records a second, CPU time a record, bytes a
 * record, commits and syncs.
 *
 *     audit_append DIR write|fsync THREADS BATCH SECONDS
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <gatehouse/auditlog.h>

static gh_auditlog *s_log;
static int s_batch;
static volatile int s_stop;

static void wake(void *ctx)
{
    uint64_t one = 1;

    if (write(*(int *)ctx, &one, sizeof(one)) < 0)
        abort();
}

static void put_pair(gh_auditlog_writer *w, const gh_audit_who *who, gh_str plan, int64_t now)
{
    gh_str sql = GH_STR("SELECT abalance FROM pgbench_accounts WHERE aid = 4711123;");
    gh_str sent =
        GH_STR("SELECT abalance FROM (SELECT aid, bid, CASE WHEN region = 'EU' THEN abalance END "
               "AS abalance FROM public.pgbench_accounts WHERE (bid < 100) OFFSET 0) "
               "AS pgbench_accounts WHERE aid OPERATOR(pg_catalog.=) 4711123");
    gh_audit_record r = { .kind = GH_AUDIT_INTENT,
                          .time_us = now,
                          .statement = gh_auditlog_next_id(w),
                          .who = who,
                          .plan = plan,
                          .sql = sql,
                          .rewritten = sent };

    if (gh_auditlog_put(w, &r, NULL) != GH_OK)
        abort();
    r.kind = GH_AUDIT_OUTCOME;
    r.rows = 1;
    r.bytes = 37;
    r.duration_us = 123;
    if (gh_auditlog_put(w, &r, NULL) != GH_OK)
        abort();
}

static void *work(void *arg)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    gh_auditlog_writer *w = gh_auditlog_writer_new(s_log, wake, &fd);
    gh_str roles[2] = { GH_STR("analyst"), GH_STR("eu_analyst") };
    gh_str clear[2] = { GH_STR("aid"), GH_STR("bid") };
    gh_str masked[1] = { GH_STR("abalance") };
    gh_audit_relation rel = { .schema = GH_STR("public"),
                              .name = GH_STR("pgbench_accounts"),
                              .privileges = 1,
                              .clear = clear,
                              .clear_count = 2,
                              .masked = masked,
                              .masked_count = 1,
                              .filtered = clear,
                              .filtered_count = 1,
                              .is_row_filtered = true };
    int64_t grants[2] = { 17, 23 };
    gh_audit_plan p = { .decision = GH_AUDIT_DECIDED_ALLOWED,
                        .command = GH_STR("select"),
                        .grant_ids = grants,
                        .grant_count = 2,
                        .policy_version = 12,
                        .catalog_epoch = 3,
                        .relations = &rel,
                        .relation_count = 1 };
    gh_audit_session s = { .id = gh_auditlog_next_id(w),
                           .user = GH_STR("alice"),
                           .warehouse = GH_STR("wh"),
                           .roles = roles,
                           .role_count = 2,
                           .client = GH_STR("127.0.0.1:50123"),
                           .application = GH_STR("pgbench"),
                           .tls_version = GH_STR("TLSv1.3") };
    gh_audit_who who;
    gh_buf plan;

    (void)arg;
    gh_audit_who_init(&who);
    gh_audit_who_set(&who, &s);
    gh_buf_init(&plan, 0);
    gh_audit_plan_encode(&p, &plan);
    while (s_stop == 0) {
        gh_auditlog_ticket ticket;
        struct timespec ts;
        gh_rc rc;

        clock_gettime(CLOCK_REALTIME, &ts);
        for (int i = 0; i < s_batch; i++)
            put_pair(w, &who, gh_buf_str(&plan), ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
        rc = gh_auditlog_commit(w, &ticket, NULL);
        while (rc == GH_AGAIN) {
            uint64_t n;

            if (read(fd, &n, sizeof(n)) < 0)
                abort();
            rc = gh_auditlog_ticket_state(s_log, ticket);
        }
        if (rc != GH_OK)
            abort();
    }
    gh_auditlog_writer_free(w);
    gh_audit_who_fini(&who);
    gh_buf_fini(&plan);
    close(fd);
    return NULL;
}

static double cpu_s(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
    pthread_t threads[64];
    gh_auditlog_stats st;
    gh_auditlog_config cfg = { .dir = { NULL, 0 } };
    gh_err err = { .sqlstate = "" };
    int n;
    int seconds;

    if (argc != 6)
        return 2;
    cfg.dir = gh_str_of(argv[1]);
    cfg.durability = strcmp(argv[2], "fsync") == 0 ? GH_DURABILITY_FSYNC : GH_DURABILITY_WRITE;
    n = (int)strtol(argv[3], NULL, 10);
    s_batch = (int)strtol(argv[4], NULL, 10);
    seconds = (int)strtol(argv[5], NULL, 10);
    if (n < 1 || n > 64 || gh_auditlog_open(&cfg, &s_log, &err) != GH_OK) {
        fprintf(stderr, "audit_append: %s %s\n", err.public_msg, err.detail);
        return 1;
    }
    for (int i = 0; i < n; i++) {
        if (pthread_create(&threads[i], NULL, work, NULL) != 0)
            abort();
    }
    sleep((unsigned)seconds);
    s_stop = 1;
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    gh_auditlog_get_stats(s_log, &st);
    printf("%s threads=%d batch=%d: %.0f records/s, %.2f us CPU/record, %.0f bytes/record, %.0f "
           "commits/s, "
           "%.0f syncs/s\n",
           argv[2], n, s_batch, (double)st.records / seconds, cpu_s() * 1e6 / (double)st.records,
           (double)st.bytes / (double)st.records, (double)st.commits / seconds,
           (double)st.syncs / seconds);
    gh_auditlog_close(s_log);
    return 0;
}
