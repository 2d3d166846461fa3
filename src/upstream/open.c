/*
 * A warehouse's options, and how libpq is asked to connect by them.
 *
 * The secret key of a backend, which a CancelRequest needs, is not in libpq's API. Its trace shows
 * it: while a connection is made, PQtrace writes every message as a line to a stream of our own,
 * which keeps two numbers of one line and nothing else:
 *
 *     B<tab>12<tab>BackendKeyData<tab> 12345 -678901234
 *
 * SECURITY: the trace also shows what libpq sends, a clear text password included. The stream is
 * unbuffered, lines that are not BackendKeyData are overwritten by the next, and the buffer is
 * cleansed at the end.
 */
#include <stdlib.h>

#include "open_priv.h"
#include "upstream_priv.h"

#define CONNECT_TIMEOUT_MS 10000

/* ---- key ------------------------------------------------------------------------------------ */

static void take_line(gh_key_trace *t)
{
    static const char marker[] = "\tBackendKeyData\t";
    char *end;

    if (t->len >= sizeof(t->line))
        return;
    t->line[t->len] = '\0';
    const char *at = strstr(t->line, marker);
    if (t->line[0] != 'B' || at == NULL)
        return;
    long long pid = strtoll(at + sizeof(marker) - 1, &end, 10);
    if (*end != ' ')
        return;
    long long key = strtoll(end, &end, 10);
    if (*end != '\0')
        return;
    t->pid = (uint32_t)pid;
    t->key = (uint32_t)key; /* printed as a signed 32-bit number */
    t->has_key = true;
}

static ssize_t trace_write(void *cookie, const char *bytes, size_t len)
{
    gh_key_trace *t = cookie;

    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            take_line(t);
            t->len = 0;
        } else {
            if (t->len < sizeof(t->line) - 1)
                t->line[t->len] = bytes[i];
            if (t->len < sizeof(t->line))
                t->len++;
        }
    }
    return (ssize_t)len;
}

void gh_key_trace_start(gh_key_trace *t, PGconn *pg)
{
    cookie_io_functions_t functions = { .write = trace_write };

    *t = (gh_key_trace){ 0 };
    t->file = fopencookie(t, "w", functions);
    GH_ASSERT(t->file != NULL);
    (void)setvbuf(t->file, NULL, _IONBF, 0);
    PQtrace(pg, t->file);
    PQsetTraceFlags(pg, PQTRACE_SUPPRESS_TIMESTAMPS);
}

void gh_key_trace_end(gh_key_trace *t, PGconn *pg)
{
    if (t->file == NULL)
        return;
    PQuntrace(pg);
    (void)fclose(t->file);
    t->file = NULL;
    gh_cleanse(t->line, sizeof(t->line));
}

/* ---- options -------------------------------------------------------------------------------- */

typedef struct override {
    const char *keyword;
    const char *value;
} override;

static void add_parameter(gh_upstream *u, const char *keyword, const char *value)
{
    u->keywords = gh_realloc_array(u->keywords, u->parameter_count + 2, sizeof(char *));
    u->values = gh_realloc_array(u->values, u->parameter_count + 2, sizeof(char *));
    u->keywords[u->parameter_count] = gh_strdup(gh_str_of(keyword));
    u->values[u->parameter_count] = gh_strdup(gh_str_of(value));
    u->parameter_count++;
    u->keywords[u->parameter_count] = NULL;
    u->values[u->parameter_count] = NULL;
}

static bool is_overridden(const char *keyword, const override *overrides, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (overrides[i].value != NULL && strcmp(keyword, overrides[i].keyword) == 0)
            return true;
    }
    return false;
}

/* Keywords whose value is a path; libpq takes relative ones from the working folder. */
static const char *const s_paths[] = {
    "passfile", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir",
};

/*
 * A config file's relative paths are relative to it. Left alone: absolute ones, `system`
 * (sslrootcert) and engine:key (sslkey).
 */
static void add_path(gh_upstream *u, const char *keyword, const char *value, gh_str dir)
{
    gh_buf path;
    bool is_special = strcmp(keyword, "sslrootcert") == 0 && strcmp(value, "system") == 0;

    if (dir.len == 0 || value[0] == '/' || value[0] == '\0' || is_special ||
        (strcmp(keyword, "sslkey") == 0 && strchr(value, ':') != NULL)) {
        add_parameter(u, keyword, value);
        return;
    }
    gh_buf_init(&path, 0);
    gh_buf_put_str(&path, dir);
    if (dir.ptr[dir.len - 1] != '/')
        gh_buf_put_u8(&path, '/');
    gh_buf_put_cstr(&path, value);
    add_parameter(u, keyword, path.ptr);
    gh_buf_fini(&path);
}

static bool is_path(const char *keyword)
{
    for (size_t i = 0; i < GH_COUNT(s_paths); i++) {
        if (strcmp(keyword, s_paths[i]) == 0)
            return true;
    }
    return false;
}

gh_rc gh_upstream_parse(gh_upstream *u, const gh_upstream_options *options, gh_err *err)
{
    char *conninfo = gh_strdup(options->conninfo);
    char *application = gh_strdup(options->application_name.len > 0 ? options->application_name
                                                                    : GH_STR("gatehouse"));
    char *password = options->password == NULL
                         ? NULL
                         : gh_strdup((gh_str){ options->password->ptr, options->password->len });
    char *reason = NULL;
    gh_rc rc = GH_OK;
    const override overrides[] = {
        { "password", password },
        { "application_name", application },
        /* Names are bytes of the catalog snapshot, which is UTF-8; sessions set their own. */
        { "client_encoding", "UTF8" },
        /* The socket is spoken to directly, so nothing but TLS may wrap it. */
        { "gssencmode", "disable" },
    };

    PQconninfoOption *parsed = PQconninfoParse(conninfo, &reason);
    if (parsed == NULL) {
        rc = gh_fail(err, GH_INVALID, "F0000", "conninfo of warehouse " GH_STR_FMT ": %s",
                     GH_STR_ARG(options->name), reason != NULL ? reason : "out of memory");
        PQfreemem(reason);
        goto done;
    }
    for (const PQconninfoOption *o = parsed; o->keyword != NULL && rc == GH_OK; o++) {
        if (o->val == NULL || is_overridden(o->keyword, overrides, GH_COUNT(overrides)))
            continue;
        if (strcmp(o->keyword, "replication") == 0)
            rc = gh_fail(err, GH_INVALID, "F0000",
                         "conninfo of warehouse " GH_STR_FMT ": replication cannot be asked for",
                         GH_STR_ARG(options->name));
        else if (strcmp(o->keyword, "options") == 0)
            u->options = gh_strdup(gh_str_of(o->val));
        else if (is_path(o->keyword))
            add_path(u, o->keyword, o->val, options->dir);
        else
            add_parameter(u, o->keyword, o->val);
    }
    PQconninfoFree(parsed);
    for (size_t i = 0; i < GH_COUNT(overrides) && rc == GH_OK; i++) {
        if (overrides[i].value != NULL)
            add_parameter(u, overrides[i].keyword, overrides[i].value);
    }

done:
    if (password != NULL)
        gh_cleanse(password, strlen(password));
    gh_cleanse(conninfo, strlen(conninfo));
    free(password);
    free(application);
    free(conninfo);
    return rc;
}

static void drop_secret(char *text)
{
    if (text != NULL)
        gh_cleanse(text, strlen(text));
    free(text);
}

void gh_upstream_forget(gh_upstream *u)
{
    drop_secret(u->settings);
    drop_secret(u->options);
    for (size_t i = 0; i < u->parameter_count; i++) {
        gh_cleanse(u->values[i], strlen(u->values[i])); /* one of them is a password */
        free(u->values[i]);
        free(u->keywords[i]);
    }
    free(u->keywords);
    free(u->values);
}

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

/* The conninfo's own options and then ours, which win; NULL: neither has any. */
static char *current_options(gh_upstream *u, unsigned *generation)
{
    gh_buf b;
    char *both = NULL;

    gh_buf_init(&b, 0);
    (void)pthread_mutex_lock(&u->lock);
    if (u->options != NULL)
        gh_buf_puts(&b, u->options);
    if (u->settings != NULL) {
        gh_buf_puts(&b, " ");
        gh_buf_puts(&b, u->settings);
    }
    if (generation != NULL)
        *generation = gh_upstream_generation(u);
    (void)pthread_mutex_unlock(&u->lock);
    if (b.len > 0) {
        both = gh_strdup(gh_buf_str(&b));
        gh_cleanse(b.ptr, b.len);
    }
    gh_buf_fini(&b);
    return both;
}

PGconn *gh_upstream_start(gh_upstream *u, unsigned *generation)
{
    size_t count = u->parameter_count;
    const char **keywords = gh_alloc((count + 2) * sizeof(*keywords)); /* NULL behind the last */
    const char **values = gh_alloc((count + 2) * sizeof(*values));
    char *options = current_options(u, generation);

    memcpy(keywords, u->keywords, count * sizeof(*keywords));
    memcpy(values, u->values, count * sizeof(*values));
    if (options != NULL) {
        keywords[count] = "options";
        values[count] = options;
    }
    PGconn *pg = PQconnectStartParams(keywords, values, 0);

    GH_ASSERT(pg != NULL); /* out of memory */
    free(keywords);
    free(values);
    drop_secret(options);
    (void)PQsetErrorVerbosity(pg, PQERRORS_VERBOSE);
    (void)PQsetNoticeReceiver(pg, ignore_notice, NULL); /* or libpq prints to stderr */
    return pg;
}

uint32_t gh_upstream_connect_timeout_ms(const gh_upstream *u)
{
    return u->connect_timeout_ms > 0 ? u->connect_timeout_ms : CONNECT_TIMEOUT_MS;
}

gh_room *gh_upstream_room(gh_upstream *u)
{
    return u->room;
}

gh_str gh_upstream_init_sql(const gh_upstream *u)
{
    return gh_str_of(u->init_sql);
}

unsigned gh_upstream_generation(const gh_upstream *u)
{
    return atomic_load_explicit(&u->generation, memory_order_relaxed);
}

void gh_upstream_set_settings(gh_upstream *u, gh_str settings)
{
    char *next = gh_strdup(settings);
    char *last;

    (void)pthread_mutex_lock(&u->lock);
    last = u->settings;
    u->settings = next;
    (void)atomic_fetch_add_explicit(&u->generation, 1, memory_order_relaxed);
    (void)pthread_mutex_unlock(&u->lock);
    drop_secret(last);
}

gh_str gh_upstream_name(const gh_upstream *u)
{
    return gh_str_of(u->name);
}
