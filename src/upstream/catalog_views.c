/*
 * The definitions of the views that shall be expanded, and of the views below them.
 *
 *     patterns ─▶ oids, with the views that they read ─▶ pg_get_viewdef one by one ─▶ the builder
 *                                                            └ each digest as before? else none
 *
 * pg_get_viewdef locks every relation that the view reads, and a table that is being altered makes it wait:
 * so a definition is asked for only where a grant needs it, each in a transaction of its own and not for
 * long. What could not be read is empty, which shows nothing, and is asked for again at the next reading.
 * With search_path = pg_catalog every name outside of it is qualified; what literals look like must not
 * depend on settings that a client may change, so the reader prints dates and intervals in ISO 8601.
 */
#include <stdlib.h>

#include "catalog_read_priv.h"

#define DEFINITION_TIMEOUT_MS 10000

static const char s_head_sql[] =
    "WITH RECURSIVE wanted AS ("
    "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'v' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND (";

static const char s_tail_sql[] =
    ") UNION SELECT v.oid FROM wanted w JOIN pg_rewrite r ON r.ev_class = w.oid "
    "JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid "
    "AND d.refclassid = 'pg_class'::regclass JOIN pg_class v ON v.oid = d.refobjid "
    "JOIN pg_namespace n ON n.oid = v.relnamespace "
    "WHERE v.relkind = 'v' AND n.nspname NOT IN ('pg_catalog', 'information_schema')) "
    "SELECT oid FROM wanted ORDER BY oid";

/* ---- which ---------------------------------------------------------------------------------- */

/* A literal; of a pattern with stars, as LIKE wants it. */
static void put_part(gh_buf *b, const char *column, gh_str part, bool is_glob)
{
    gh_buf_printf(b, "%s %s E'", column, is_glob ? "LIKE" : "=");
    for (size_t i = 0; i < part.len; i++) {
        char c = part.ptr[i];

        if (is_glob && c == '*')
            gh_buf_puts(b, "%");
        else if (is_glob && (c == '%' || c == '_' || c == '\\'))
            gh_buf_printf(b, c == '\\' ? "\\\\\\\\" : "\\\\%c", c);
        else if (c == '\'' || c == '\\')
            gh_buf_printf(b, "%c%c", c, c);
        else
            gh_buf_put(b, &c, 1);
    }
    gh_buf_puts(b, "'");
}

void gh_catalog_reader_expand(gh_catalog_reader *r, const gh_name_pattern *patterns, size_t count)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    for (size_t i = 0; i < count; i++) {
        gh_buf_puts(&b, i == 0 ? "(" : " OR (");
        put_part(&b, "n.nspname", patterns[i].schema, patterns[i].is_schema_glob);
        gh_buf_puts(&b, " AND ");
        put_part(&b, "c.relname", patterns[i].name, patterns[i].is_name_glob);
        gh_buf_puts(&b, ")");
    }
    gh_buf_put(&b, "", 1);
    if (r->views == NULL || strcmp(r->views, b.ptr) != 0) {
        free(r->views);
        r->views = gh_alloc(b.len);
        memcpy(r->views, b.ptr, b.len);
        r->digest[0] = '\0'; /* the last snapshot does not have them */
    }
    gh_buf_fini(&b);
}

/* ---- reading -------------------------------------------------------------------------------- */

static gh_rc read_definition(gh_catalog_reader *r, const char *oid, PGresult **out, gh_err *err)
{
    char sql[96];

    (void)snprintf(sql, sizeof(sql), "SELECT pg_get_viewdef(%lu::oid)", strtoul(oid, NULL, 10));
    return gh_blocking_query(r->pg, sql, r->stop_fd, DEFINITION_TIMEOUT_MS, out, err);
}

/* A server's refusal costs one definition, a broken connection all. */
static gh_rc read_definitions(gh_catalog_reader *r, const PGresult *oids, PGresult **texts,
                              bool *is_whole, gh_err *err)
{
    gh_rc rc = gh_blocking_query(r->pg, "SET lock_timeout = '500ms'", r->stop_fd,
                                 DEFINITION_TIMEOUT_MS, NULL, err);

    for (int i = 0; i < PQntuples(oids) && rc == GH_OK; i++) {
        gh_err refused = { 0 };

        if (read_definition(r, PQgetvalue(oids, i, 0), &texts[i], &refused) == GH_OK)
            continue;
        *is_whole = false;
        if (PQstatus(r->pg) != CONNECTION_OK || PQtransactionStatus(r->pg) != PQTRANS_IDLE) {
            rc = gh_fail(err, GH_IO, refused.sqlstate, "%s", refused.public_msg);
            gh_err_detail(err, "%s", refused.detail);
        } else
            gh_log(GH_WARN, "catalog.view", "oid=%s sqlstate=%s", PQgetvalue(oids, i, 0),
                   refused.sqlstate);
    }
    if (rc == GH_OK)
        rc = gh_blocking_query(r->pg, "SET lock_timeout = '10s'", r->stop_fd, DEFINITION_TIMEOUT_MS,
                               NULL, err);
    return rc;
}

static gh_rc list_views(gh_catalog_reader *r, PGresult **out, gh_err *err)
{
    gh_buf sql;
    gh_rc rc;

    gh_buf_init(&sql, 0);
    gh_buf_printf(&sql, "%s%s%s", s_head_sql, r->views, s_tail_sql);
    gh_buf_put(&sql, "", 1);
    rc = gh_blocking_query(r->pg, sql.ptr, r->stop_fd, DEFINITION_TIMEOUT_MS, out, err);
    gh_buf_fini(&sql);
    return rc;
}

gh_rc gh_catalog_read_views(gh_catalog_reader *r, gh_catalog_builder *builder,
                            gh_catalog_same_fn is_same, bool *is_whole, gh_err *err)
{
    PGresult *oids = NULL;
    PGresult **texts = NULL;
    int count = 0;
    gh_rc rc;

    *is_whole = true;
    if (r->views == NULL || r->views[0] == '\0')
        return GH_OK;
    rc = list_views(r, &oids, err);
    if (rc != GH_OK)
        return rc;
    count = PQntuples(oids);
    texts = gh_alloc(((size_t)count + 1) * sizeof(PGresult *));
    rc = read_definitions(r, oids, texts, is_whole, err);
    /* What was read since may belong to a later catalog than the rest. */
    if (rc == GH_OK && !is_same(r, &rc, err))
        *is_whole = false;
    else if (rc == GH_OK)
        for (int i = 0; i < count; i++) {
            if (texts[i] != NULL && PQntuples(texts[i]) == 1 && !PQgetisnull(texts[i], 0, 0))
                gh_catalog_set_definition(
                    builder, (gh_oid)strtoul(PQgetvalue(oids, i, 0), NULL, 10),
                    (gh_str){ PQgetvalue(texts[i], 0, 0), (size_t)PQgetlength(texts[i], 0, 0) });
        }
    for (int i = 0; i < count; i++)
        PQclear(texts[i]);
    free(texts);
    PQclear(oids);
    return rc;
}
