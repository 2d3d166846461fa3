/*
 * The file: made, opened, checked, watched; and SQLite's calls with our results.
 */
#include "store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    STORE_APPLICATION_ID = 0x47484143, /* "GHAC": tells an ACL from any other SQLite file */
    STORE_HASH_KEY_BYTES = 32
};

static bool only_reads(const gh_store *st)
{
    return st->mode == GH_STORE_READ || st->mode == GH_STORE_WATCH;
}

static int busy_ms(const gh_store *st)
{
    return st->mode == GH_STORE_WATCH ? GH_STORE_WATCH_BUSY_MS : GH_STORE_BUSY_MS;
}

gh_rc store_fail(gh_store *st, int sqlite_rc, gh_err *err)
{
    switch (sqlite_rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return gh_fail(err, GH_AGAIN, "55P03", "%s: locked by another process for %d s", st->path,
                       busy_ms(st) / 1000);
    case SQLITE_NOTADB:
        return gh_fail(err, GH_INVALID, "XX001", "%s: not an ACL file", st->path);
    case SQLITE_CORRUPT:
        return gh_fail(
            err, GH_INVALID, "XX001",
            "%s: the file is damaged; restore it from a copy, or apply the policy files to "
            "a new one",
            st->path);
    case SQLITE_CONSTRAINT:
        return gh_fail(err, GH_INVALID, "XX001", "%s: %s", st->path, sqlite3_errmsg(st->db));
    case SQLITE_FULL:
        return gh_fail(err, GH_IO, "53100", "%s: the disk is full", st->path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        return gh_fail(err, GH_IO, "58030",
                       "%s: cannot be opened for writing (its folder must be "
                       "writable too)",
                       st->path);
    }
    return gh_fail(err, GH_IO, "58030", "%s: %s", st->path, sqlite3_errmsg(st->db));
}

gh_rc store_corrupt(gh_store *st, gh_err *err, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    int len = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    GH_ASSERT(len >= 0);
    return gh_fail(err, GH_INVALID, "XX001", "%s: the ACL makes no sense: %s", st->path, text);
}

gh_rc store_exec(gh_store *st, const char *sql, gh_err *err)
{
    int rc = sqlite3_exec(st->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? GH_OK : store_fail(st, rc, err);
}

/* ---- statements ------------------------------------------------------------------------------ */

store_stmt store_stmt_of(gh_store *st, const char *sql)
{
    store_stmt s = { .st = st };

    s.rc = sqlite3_prepare_v2(st->db, sql, -1, &s.stmt, NULL);
    return s;
}

static void stmt_note(store_stmt *s, int rc)
{
    if (s->rc == SQLITE_OK && rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE)
        s->rc = rc;
}

void store_bind_text(store_stmt *s, gh_str v)
{
    s->bound++;
    if (s->rc == SQLITE_OK)
        stmt_note(s, sqlite3_bind_text64(s->stmt, s->bound, v.ptr != NULL ? v.ptr : "", v.len,
                                         SQLITE_STATIC, SQLITE_UTF8));
}

void store_bind_null(store_stmt *s)
{
    s->bound++;
    if (s->rc == SQLITE_OK)
        stmt_note(s, sqlite3_bind_null(s->stmt, s->bound));
}

void store_bind_int(store_stmt *s, int64_t v)
{
    s->bound++;
    if (s->rc == SQLITE_OK)
        stmt_note(s, sqlite3_bind_int64(s->stmt, s->bound, v));
}

bool store_stmt_row(store_stmt *s)
{
    if (s->rc != SQLITE_OK)
        return false;
    int rc = sqlite3_step(s->stmt);
    stmt_note(s, rc);
    return rc == SQLITE_ROW;
}

void store_stmt_run(store_stmt *s)
{
    while (store_stmt_row(s)) {
    }
    if (s->stmt != NULL)
        stmt_note(s, sqlite3_reset(s->stmt));
    s->bound = 0;
}

gh_str store_text(store_stmt *s, int column)
{
    const unsigned char *text = sqlite3_column_text(s->stmt, column);
    int len = sqlite3_column_bytes(s->stmt, column);

    return text == NULL || len <= 0 ? (gh_str){ 0 } : (gh_str){ (const char *)text, (size_t)len };
}

int64_t store_int(store_stmt *s, int column)
{
    return sqlite3_column_int64(s->stmt, column);
}

bool store_is_null(store_stmt *s, int column)
{
    return sqlite3_column_type(s->stmt, column) == SQLITE_NULL;
}

gh_rc store_stmt_end(store_stmt *s, gh_err *err)
{
    gh_rc rc = s->rc == SQLITE_OK ? GH_OK : store_fail(s->st, s->rc, err);

    (void)sqlite3_finalize(s->stmt); /* repeats the failure that is noted already */
    s->stmt = NULL;
    return rc;
}

/* ---- transactions ---------------------------------------------------------------------------- */

gh_rc store_begin(gh_store *st, gh_err *err)
{
    return store_exec(st, "BEGIN IMMEDIATE", err);
}

gh_rc store_commit(gh_store *st, gh_err *err)
{
    return store_exec(st, "COMMIT", err);
}

void store_rollback(gh_store *st)
{
    if (sqlite3_get_autocommit(st->db) == 0)
        (void)sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
}

gh_rc store_version(gh_store *st, uint64_t *version, gh_err *err)
{
    store_stmt s =
        store_stmt_of(st, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'version'");
    bool has_row = store_stmt_row(&s);

    if (has_row)
        *version = (uint64_t)store_int(&s, 0);
    gh_rc rc = store_stmt_end(&s, err);
    if (rc == GH_OK && !has_row)
        return store_corrupt(st, err, "it has no version");
    return rc;
}

gh_rc store_next_version(gh_store *st, uint64_t *version, gh_err *err)
{
    gh_rc rc = store_exec(
        st, "UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'version'", err);

    return rc == GH_OK ? store_version(st, version, err) : rc;
}

int64_t store_now_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

store_stmt store_history_stmt(gh_store *st)
{
    return store_stmt_of(st, "INSERT INTO history (version, at, author, action, reason, kind, key, "
                             "before, before_origin, after) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
}

static void bind_optional_text(store_stmt *s, gh_str v)
{
    if (v.len > 0)
        store_bind_text(s, v);
    else
        store_bind_null(s);
}

void store_history_put(store_stmt *s, const store_change *c, const char *kind, gh_str key,
                       gh_str before, gh_str before_origin, gh_str after)
{
    store_bind_int(s, (int64_t)c->version);
    store_bind_int(s, c->at_us);
    store_bind_text(s, c->author->name);
    store_bind_text(s, c->author->action);
    store_bind_text(s, c->author->reason);
    store_bind_text(s, gh_str_of(kind));
    store_bind_text(s, key);
    bind_optional_text(s, before);
    bind_optional_text(s, before_origin);
    bind_optional_text(s, after);
    store_stmt_run(s);
}

/* ---- opening --------------------------------------------------------------------------------- */

static gh_rc pragma_int(gh_store *st, const char *sql, int64_t *out, gh_err *err)
{
    store_stmt s = store_stmt_of(st, sql);

    *out = store_stmt_row(&s) ? store_int(&s, 0) : 0;
    return store_stmt_end(&s, err);
}

/* The key of the `hash` mask: made once, with the file, and never shown. */
static gh_rc put_hash_key(gh_store *st, gh_err *err)
{
    uint8_t key[STORE_HASH_KEY_BYTES];
    char hex[2 * STORE_HASH_KEY_BYTES + 1];

    if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
        return gh_fail(err, GH_IO, "58030", "%s: no random bytes", st->path);
    for (size_t i = 0; i < sizeof(key); i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", key[i]);
    store_stmt s = store_stmt_of(st, "INSERT INTO meta VALUES ('hash_key', ?)");
    store_bind_text(&s, (gh_str){ hex, sizeof(hex) - 1 });
    store_stmt_run(&s);
    gh_rc rc = store_stmt_end(&s, err);
    gh_cleanse(key, sizeof(key));
    gh_cleanse(hex, sizeof(hex));
    return rc;
}

/* Makes the tables in an empty file. Two processes may try at once: the second finds them made. */
static gh_rc make_tables(gh_store *st, gh_err *err)
{
    int64_t version = 0;
    char pragmas[100];
    gh_rc rc = store_begin(st, err);

    if (rc == GH_OK)
        rc = pragma_int(st, "PRAGMA user_version", &version, err);
    if (rc == GH_OK && version == 0) {
        rc = store_exec(st, store_schema_sql, err);
        if (rc == GH_OK)
            rc = put_hash_key(st, err);
        (void)snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id=%d; PRAGMA user_version=%d",
                       STORE_APPLICATION_ID, GH_STORE_SCHEMA_VERSION);
        if (rc == GH_OK)
            rc = store_exec(st, pragmas, err);
    }
    if (rc == GH_OK)
        rc = store_commit(st, err);
    store_rollback(st);
    return rc;
}

/* Is it an ACL, and one of a version that we know? */
static gh_rc check_version(gh_store *st, gh_err *err)
{
    int64_t application = 0;
    int64_t version = 0;
    gh_rc rc = pragma_int(st, "PRAGMA application_id", &application, err);

    if (rc == GH_OK)
        rc = pragma_int(st, "PRAGMA user_version", &version, err);
    if (rc != GH_OK)
        return rc;
    if (application != STORE_APPLICATION_ID)
        return gh_fail(err, GH_INVALID, "XX001", "%s: not an ACL file", st->path);
    if (version != GH_STORE_SCHEMA_VERSION)
        return gh_fail(err, GH_INVALID, "XX001",
                       "%s: its format is version %" PRId64
                       ", this gatehouse knows version %d; use the "
                       "gatehouse that made it",
                       st->path, version, GH_STORE_SCHEMA_VERSION);
    return GH_OK;
}

/*
 * SECURITY: SQLite makes files by the umask, and its -wal and -shm take the file's mode: so the
 * file is made here, for its owner alone. Whoever reads it has the verifiers and the key of the
 * `hash` mask. Attack: tests/integration/cli.py, test_acl_permissions.
 */
static gh_rc prepare_file(const char *path, gh_store_mode mode, struct stat *info, gh_err *err)
{
    int flags = O_RDONLY | O_CLOEXEC | (mode == GH_STORE_CREATE ? O_CREAT : 0);
    int fd = open(path, flags, 0600);

    if (fd < 0 && errno == ENOENT && mode != GH_STORE_CREATE)
        return gh_fail(err, GH_NOT_FOUND, "58P01",
                       "%s: no such ACL file; `gatehouse policy apply` makes one", path);
    if (fd < 0)
        return gh_fail(err, GH_IO, "58030", "%s: %s", path, strerror(errno));
    int rc = fstat(fd, info);
    (void)close(fd);
    if (rc != 0)
        return gh_fail(err, GH_IO, "58030", "%s: %s", path, strerror(errno));
    if (!S_ISREG(info->st_mode))
        return gh_fail(err, GH_INVALID, "58030", "%s: not a file", path);
    if ((info->st_mode & S_IRWXO) != 0)
        return gh_fail(
            err, GH_INVALID, "42501",
            "%s: others may read it (mode %04o), and it holds password verifiers; chmod 600 "
            "it",
            path, (unsigned int)(info->st_mode & 07777));
    return GH_OK;
}

static gh_rc open_db(gh_store *st, gh_err *err)
{
    int64_t version = 0;
    int rc = sqlite3_open_v2(st->path, &st->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    if (rc != SQLITE_OK)
        return store_fail(st, rc, err);
    (void)sqlite3_extended_result_codes(st->db, 1);
    (void)sqlite3_busy_timeout(st->db, busy_ms(st));
    (void)sqlite3_db_config(st->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(st->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    /* FULL: what was said to be done survives power loss; WAL: readers and a writer do not wait. */
    gh_rc grc = pragma_int(st, "PRAGMA user_version", &version, err);
    if (grc == GH_OK && version == 0 && st->mode == GH_STORE_CREATE) {
        grc = store_exec(st, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", err);
        if (grc == GH_OK)
            grc = make_tables(st, err);
    }
    if (grc == GH_OK)
        grc = check_version(st, err);
    if (grc == GH_OK)
        grc = store_exec(st,
                         only_reads(st) ? "PRAGMA query_only = 1; PRAGMA cell_size_check = 1"
                                        : "PRAGMA synchronous = FULL; PRAGMA cell_size_check = 1; "
                                          "PRAGMA journal_size_limit = 16777216",
                         err);
    if (grc == GH_OK) {
        rc = sqlite3_prepare_v3(st->db, "PRAGMA data_version", -1, SQLITE_PREPARE_PERSISTENT,
                                &st->data_version, NULL);
        grc = rc == SQLITE_OK ? GH_OK : store_fail(st, rc, err);
    }
    return grc;
}

static void close_db(gh_store *st)
{
    (void)sqlite3_finalize(st->data_version);
    (void)sqlite3_close(st->db);
    st->data_version = NULL;
    st->db = NULL;
    st->seen_data_version = 0;
    st->is_loaded = false;
}

static gh_rc open_file(gh_store *st, gh_err *err)
{
    struct stat info;
    gh_rc rc = prepare_file(st->path, st->mode, &info, err);

    if (rc == GH_OK)
        rc = open_db(st, err);
    if (rc == GH_OK) {
        st->device = info.st_dev;
        st->inode = info.st_ino;
    }
    return rc;
}

gh_rc gh_store_open(const char *path, gh_store_mode mode, gh_store **out, gh_err *err)
{
    gh_store *st = gh_alloc(sizeof(*st));

    st->path = gh_strdup(gh_str_of(path));
    st->mode = mode;
    gh_rc rc = open_file(st, err);
    if (rc != GH_OK) {
        gh_store_close(st);
        return rc;
    }
    *out = st;
    return GH_OK;
}

void gh_store_close(gh_store *st)
{
    if (st == NULL)
        return;
    close_db(st);
    free(st->path);
    free(st);
}

/* ---- watching -------------------------------------------------------------------------------- */

static gh_rc read_data_version(gh_store *st, int64_t *out, gh_err *err)
{
    int rc = sqlite3_step(st->data_version);

    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(st->data_version, 0);
    int reset = sqlite3_reset(st->data_version);
    if (rc != SQLITE_ROW)
        return store_fail(st, reset, err);
    return GH_OK;
}

gh_rc gh_store_poll(gh_store *st, bool *is_changed, gh_err *err)
{
    struct stat info;
    int64_t version = 0;

    if (stat(st->path, &info) != 0)
        return gh_fail(err, GH_NOT_FOUND, "58P01", "%s: %s", st->path, strerror(errno));
    bool is_replaced = st->db == NULL || info.st_dev != st->device || info.st_ino != st->inode;
    if (is_replaced) {
        close_db(st);
        gh_rc rc = open_file(st, err);
        if (rc != GH_OK) {
            close_db(st);
            return rc;
        }
    }
    gh_rc rc = read_data_version(st, &version, err);
    if (rc != GH_OK)
        return rc;
    *is_changed = is_replaced || version != st->seen_data_version;
    st->seen_data_version = version;
    return GH_OK;
}

static void note_loaded(gh_store *st, int64_t data_version, uint64_t version, uint64_t mark)
{
    st->seen_data_version = data_version;
    st->is_loaded = true;
    st->loaded_version = version;
    st->loaded_mark = mark;
}

gh_rc gh_store_load(gh_store *st, gh_arena *a, gh_acl *out, gh_err *err)
{
    int64_t version = 0;
    uint64_t mark = 0;
    gh_acl acl = { 0 };

    if (st->db == NULL)
        return gh_fail(err, GH_CLOSED, "58030", "%s: not open", st->path);
    /* The version is taken first: a change that lands in between is seen again by the next poll. */
    gh_rc rc = read_data_version(st, &version, err);
    if (rc == GH_OK)
        rc = store_exec(st, "BEGIN", err);
    if (rc == GH_OK)
        rc = store_load(st, false, a, &acl, err);
    if (rc == GH_OK)
        rc = store_history_mark(st, acl.version, &mark, err);
    store_rollback(st);
    st->is_loaded = false;
    /* Locked or unreadable just now: the next poll must say `changed`, or a revoke would be missed. */
    if (rc != GH_OK && rc != GH_INVALID)
        st->seen_data_version = 0;
    if (rc != GH_OK)
        return rc;
    note_loaded(st, version, acl.version, mark);
    *out = acl;
    return GH_OK;
}

gh_rc gh_store_load_change(gh_store *st, uint64_t since, gh_arena *a, gh_acl_change *out,
                           gh_err *err)
{
    gh_acl_change change = { 0 };
    int64_t version = 0;
    uint64_t mark = 0;

    if (st->db == NULL)
        return gh_fail(err, GH_CLOSED, "58030", "%s: not open", st->path);
    gh_rc rc = read_data_version(st, &version, err);
    /* Of a store that only reads, temporary tables are all that is written meanwhile. */
    if (rc == GH_OK && only_reads(st))
        rc = store_exec(st, "PRAGMA query_only = 0", err);
    if (rc == GH_OK)
        rc = store_exec(st, "BEGIN", err);
    if (rc == GH_OK)
        rc = store_load_change(st, since, a, &change, err);
    if (rc == GH_OK)
        rc = store_history_mark(st, change.now.version, &mark, err);
    store_rollback(st);
    if (only_reads(st) && store_exec(st, "PRAGMA query_only = 1", NULL) != GH_OK)
        rc = rc == GH_OK ? gh_fail(err, GH_AGAIN, "58030", "%s: not ready", st->path) : rc;
    if (rc != GH_OK)
        return rc;
    note_loaded(st, version, change.now.version, mark);
    *out = change;
    return GH_OK;
}

gh_rc gh_store_changed_us(gh_store *st, uint64_t version, int64_t *wall_us, gh_err *err)
{
    if (st->db == NULL)
        return gh_fail(err, GH_CLOSED, "58030", "%s: not open", st->path);
    store_stmt s = store_stmt_of(st, "SELECT max(at) FROM history WHERE version = ?");

    store_bind_int(&s, (int64_t)version);
    *wall_us = store_stmt_row(&s) ? store_int(&s, 0) : 0;
    gh_rc rc = store_stmt_end(&s, err);
    if (rc == GH_OK && *wall_us == 0)
        return gh_fail(err, GH_NOT_FOUND, "F0000", "no change of version %" PRIu64, version);
    return rc;
}

gh_rc gh_store_verify(gh_store *st, gh_err *err)
{
    store_stmt s = store_stmt_of(st, "PRAGMA quick_check(1)");
    char found[200] = "";

    if (store_stmt_row(&s))
        (void)snprintf(found, sizeof(found), GH_STR_FMT, GH_STR_ARG(store_text(&s, 0)));
    gh_rc rc = store_stmt_end(&s, err);
    if (rc == GH_OK && strcmp(found, "ok") != 0)
        return gh_fail(
            err, GH_INVALID, "XX001",
            "%s: the file is damaged; restore it from a copy, or apply the policy files to "
            "a new one (%s)",
            st->path, found);
    return rc;
}
