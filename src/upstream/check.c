/* What `gatehouse check` asks a warehouse: does it answer, as whom, and how well is the way
 * secured. */
#include <stdio.h>
#include <stdlib.h>

#include "upstream_priv.h"

#define CHECK_TIMEOUT_MS 30000

static void copy_text(char *out, size_t cap, const char *text)
{
    (void)snprintf(out, cap, "%s", text != NULL ? text : "");
}

static bool is_verified(PGconn *pg)
{
    PQconninfoOption *options = PQconninfo(pg);
    bool answer = false;

    for (PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++) {
        if (o->val == NULL)
            continue;
        if (strcmp(o->keyword, "sslmode") == 0)
            answer = strncmp(o->val, "verify-", 7) == 0;
        if (strcmp(o->keyword, "password") == 0 || strcmp(o->keyword, "sslpassword") == 0)
            gh_cleanse(o->val, strlen(o->val));
    }
    PQconninfoFree(options);
    return answer && PQsslInUse(pg) != 0;
}

static void describe(PGconn *pg, const PGresult *facts, gh_upstream_report *out)
{
    const char *host = PQhost(pg);

    *out = (gh_upstream_report){ .version_num = PQserverVersion(pg) };
    copy_text(out->version, sizeof(out->version), PQparameterStatus(pg, "server_version"));
    copy_text(out->account, sizeof(out->account), PQgetvalue(facts, 0, 0));
    copy_text(out->database, sizeof(out->database), PQgetvalue(facts, 0, 1));
    out->is_superuser = strcmp(PQgetvalue(facts, 0, 2), "on") == 0;
    (void)snprintf(out->server, sizeof(out->server), "%s:%s", host != NULL ? host : "", PQport(pg));
    out->has_tls = PQsslInUse(pg) != 0;
    if (out->has_tls)
        copy_text(out->tls_version, sizeof(out->tls_version), PQsslAttribute(pg, "protocol"));
    out->is_verified = is_verified(pg);
}

gh_rc gh_upstream_check(gh_upstream *u, gh_upstream_report *out, gh_err *err)
{
    gh_str init_sql = gh_upstream_init_sql(u);
    PGconn *pg = NULL;
    PGresult *facts = NULL;
    gh_rc rc;

    rc = gh_blocking_connect(u, -1, &pg, err);
    if (rc != GH_OK)
        goto done;
    if (PQserverVersion(pg) < 130000) {
        rc = gh_upstream_unavailable(GH_INVALID, err, "the server is older than PostgreSQL 13");
        goto done;
    }
    if (init_sql.len > 0) {
        rc = gh_blocking_query(pg, init_sql.ptr, -1, CHECK_TIMEOUT_MS, NULL, err);
        if (rc != GH_OK)
            goto done;
    }
    rc = gh_blocking_query(pg,
                           "SELECT current_user, pg_catalog.current_database(), "
                           "pg_catalog.current_setting('is_superuser')",
                           -1, CHECK_TIMEOUT_MS, &facts, err);
    if (rc == GH_OK)
        describe(pg, facts, out);

done:
    PQclear(facts);
    PQfinish(pg);
    return rc;
}
