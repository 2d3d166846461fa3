/* A connection after libpq: its stream, its server's parameters, its end. */
#include <stdlib.h>

#include "upstream_priv.h"

/* What a server may report at the start of a session: PQparameterStatus has no iterator. */
static const char *const s_reported[] = {
    "server_version",
    "server_encoding",
    "client_encoding",
    "application_name",
    "default_transaction_read_only",
    "in_hot_standby",
    "is_superuser",
    "session_authorization",
    "DateStyle",
    "IntervalStyle",
    "TimeZone",
    "integer_datetimes",
    "standard_conforming_strings",
    "scram_iterations",
    "search_path",
};

/* With sslmode=verify-full: the name to verify. Otherwise empty. */
static char *host_to_verify(PGconn *pg)
{
    PQconninfoOption *options = PQconninfo(pg);
    const char *host = "";

    for (PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++) {
        if (o->val == NULL)
            continue;
        if (strcmp(o->keyword, "sslmode") == 0 && strcmp(o->val, "verify-full") == 0)
            host = PQhost(pg);
        if (strcmp(o->keyword, "password") == 0 || strcmp(o->keyword, "sslpassword") == 0)
            gh_cleanse(o->val, strlen(o->val));
    }
    char *copy = gh_strdup(gh_str_of(host));
    PQconninfoFree(options);
    return copy;
}

/* Is this a session that can be spoken to directly? NULL: yes. Otherwise why not. */
static const char *find_obstacle(PGconn *pg, const gh_key_trace *key)
{
    /* Parses what whole messages libpq may already hold behind ReadyForQuery: a late notice or
     * parameter. */
    if (PQisBusy(pg) != 0 || PQtransactionStatus(pg) != PQTRANS_IDLE)
        return "the connection is not idle";
    if (PQprotocolVersion(pg) != 3)
        return "the server does not speak protocol 3";
    if (!key->has_key || (int)key->pid != PQbackendPID(pg))
        return "the server gave no key to cancel by";
    const char *encoding = PQparameterStatus(pg, "client_encoding");
    if (encoding == NULL || strcmp(encoding, "UTF8") != 0)
        return "the server did not take client_encoding UTF8";
    if (PQsslInUse(pg) != 0 && PQsslStruct(pg, "OpenSSL") == NULL)
        return "libpq encrypts by another library than OpenSSL";
    if (PQserverVersion(pg) < 130000)
        return "the server is older than PostgreSQL 13";
    return NULL;
}

gh_rc gh_conn_new(PGconn *pg, const gh_key_trace *key, gh_keys *keys, struct x509_store_st **trust,
                  gh_conn **out, gh_err *err)
{
    const char *obstacle = find_obstacle(pg, key);

    if (obstacle != NULL) {
        gh_rc rc = gh_upstream_unavailable(GH_IO, err, "%s", obstacle);
        PQfinish(pg);
        return rc;
    }
    if (!gh_keys_add(keys, key->pid, key->key)) {
        gh_rc rc = gh_fail(err, GH_LIMIT, "53300", "the warehouse has too many connections");
        gh_err_detail(err,
                      "the server gives its connections one session and one key: set workers: 1 "
                      "and the pool's size: 1");
        PQfinish(pg);
        return rc;
    }
    gh_conn *c = gh_alloc(sizeof(*c));
    gh_rc rc = gh_stream_take(&c->stream, PQsocket(pg),
                              PQsslInUse(pg) != 0 ? PQsslStruct(pg, "OpenSSL") : NULL, err);
    if (rc != GH_OK) {
        gh_keys_remove(keys, key->pid, key->key);
        PQfinish(pg);
        free(c);
        return rc;
    }
    c->pid = key->pid;
    c->key = key->key;
    c->keys = gh_keys_acquire(keys);
    c->version = PQserverVersion(pg);
    c->host = host_to_verify(pg);
    for (size_t i = 0; i < GH_COUNT(s_reported); i++) {
        const char *value = PQparameterStatus(pg, s_reported[i]);
        if (value != NULL && !gh_conn_set_parameter(c, gh_str_of(s_reported[i]), gh_str_of(value)))
            rc = gh_upstream_unavailable(GH_BADMSG, err, "the server reports a %s beyond sense",
                                         s_reported[i]);
    }
    PQfinish(pg);
    gh_stream_taken(&c->stream);
    gh_stream_share_trust(&c->stream, trust);
    if (rc != GH_OK)
        gh_conn_close(c);
    else
        *out = c;
    return rc;
}

void gh_conn_close(gh_conn *c)
{
    static const char terminate[5] = { 'X', 0, 0, 0, 4 };
    size_t put = 0;

    if (c == NULL)
        return;
    GH_ASSERT(c->query == NULL);
    GH_ASSERT(c->watch == NULL);
    /* As far as it goes out at once: a server sees the connection's end all the same. */
    gh_rc rc = gh_stream_write(&c->stream, terminate, sizeof(terminate), &put, NULL);
    (void)rc;
    gh_stream_fini(&c->stream);
    gh_keys_remove(c->keys, c->pid, c->key);
    gh_keys_release(c->keys);
    for (size_t i = 0; i < c->parameter_count; i++) {
        free((void *)(uintptr_t)c->parameters[i].name.ptr);
        free((void *)(uintptr_t)c->parameters[i].value.ptr);
    }
    free(c->parameters);
    free(c->host);
    gh_cleanse(&c->key, sizeof(c->key));
    free(c);
}

gh_stream *gh_conn_stream(gh_conn *c)
{
    return &c->stream;
}

uint32_t gh_conn_pid(const gh_conn *c)
{
    return c->pid;
}

int gh_conn_server_version(const gh_conn *c)
{
    return c->version;
}

const gh_parameter *gh_conn_parameters(const gh_conn *c, size_t *count)
{
    *count = c->parameter_count;
    return c->parameters;
}

static gh_parameter *find_parameter(const gh_conn *c, gh_str name)
{
    for (size_t i = 0; i < c->parameter_count; i++) {
        if (gh_str_eq(c->parameters[i].name, name))
            return &c->parameters[i];
    }
    return NULL;
}

gh_str gh_conn_parameter(const gh_conn *c, const char *name)
{
    const gh_parameter *p = find_parameter(c, gh_str_of(name));

    return p == NULL ? (gh_str){ NULL, 0 } : p->value;
}

bool gh_conn_set_parameter(gh_conn *c, gh_str name, gh_str value)
{
    if (name.len == 0 || name.len > GH_WIRE_NAME_MAX || value.len > GH_CONN_PARAMETER_VALUE_MAX)
        return false;
    gh_parameter *p = find_parameter(c, name);
    if (p == NULL) {
        if (c->parameter_count == GH_CONN_PARAMETERS_MAX)
            return false;
        c->parameters =
            gh_realloc_array(c->parameters, c->parameter_count + 1, sizeof(c->parameters[0]));
        p = &c->parameters[c->parameter_count];
        *p = (gh_parameter){ .name = { gh_strdup(name), name.len } };
        c->parameter_count++;
    }
    char *copy = gh_strdup(value); /* first: value may be the old one */
    free((void *)(uintptr_t)p->value.ptr);
    p->value = (gh_str){ copy, value.len };
    return true;
}
