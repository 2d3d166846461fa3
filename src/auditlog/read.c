/*
 * Reading a folder while a proxy may be writing to it. Lines are read in chunks with pread, never
 * mapped: a failed write is cut off again, and a mapping of the cut part would kill the reader.
 *
 * A last line without a newline is being written; it is not there yet.
 */
#include "auditlog_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 1 << 20, NEEDLES_MAX = 6, POLL_MS = 100, RETRIES = 5 };

/* false: stop reading. */
typedef bool line_fn(void *ctx, gh_str line, gh_err *err);

/* ---- chunks -------------------------------------------------------------------------------- */

static gh_rc load(int fd, uint64_t from, uint64_t to, gh_buf *out, gh_err *err)
{
    gh_buf_clear(out);
    while (out->len < to - from) {
        size_t want = (size_t)(to - from) - out->len;
        char *room = gh_buf_reserve(out, want);
        ssize_t n = room == NULL ? -1 : pread(fd, room, want, (off_t)(from + out->len));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return gh_audit_failed(err, "read", "a segment", errno);
        if (n == 0)
            break; /* cut meanwhile */
        out->len += (size_t)n;
    }
    return GH_OK;
}

static gh_rc size_of(int fd, uint64_t *out, gh_err *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return gh_audit_failed(err, "look at", "a segment", errno);
    *out = (uint64_t)st.st_size;
    return GH_OK;
}

/* Whole lines from *at on, to the end as it is now; *at is behind the last one. *more: fn wants
 * more. */
static gh_rc each_forward(int fd, uint64_t *at, line_fn *fn, void *ctx, bool *more, gh_err *err)
{
    uint64_t chunk = CHUNK;
    uint64_t size = 0;
    gh_buf buf;
    gh_rc rc = size_of(fd, &size, err);

    gh_buf_init(&buf, 0);
    *more = true;
    while (rc == GH_OK && *more && *at < size) {
        uint64_t to = size - *at > chunk ? *at + chunk : size;
        gh_str rest;
        const char *newline = NULL;

        rc = load(fd, *at, to, &buf, err);
        rest = gh_buf_str(&buf);
        while (rc == GH_OK && *more && rest.len > 0) {
            gh_str line;

            newline = memchr(rest.ptr, '\n', rest.len);
            if (newline == NULL)
                break;
            line = (gh_str){ rest.ptr, (size_t)(newline - rest.ptr) };
            *more = fn(ctx, line, err);
            rest.ptr += line.len + 1;
            rest.len -= line.len + 1;
        }
        *at += buf.len - rest.len;
        if (rest.len < buf.len)
            chunk = CHUNK;
        else if (to == size)
            break; /* only the beginning of a line is there */
        else
            chunk *= 2;
    }
    gh_buf_fini(&buf);
    return rc;
}

/* Whole lines from the end to the start; *lines_end is behind the last one. */
static gh_rc each_backward(int fd, uint64_t *lines_end, line_fn *fn, void *ctx, bool *more,
                           gh_err *err)
{
    uint64_t chunk = CHUNK;
    uint64_t to = 0;
    bool is_tail = true; /* what follows the last newline is no line yet */
    gh_buf buf;
    gh_rc rc = size_of(fd, &to, err);

    gh_buf_init(&buf, 0);
    *more = true;
    *lines_end = 0;
    while (rc == GH_OK && *more && to > 0) {
        uint64_t from = to > chunk ? to - chunk : 0;
        size_t end;
        size_t start = 0;

        rc = load(fd, from, to, &buf, err);
        if (rc != GH_OK)
            break;
        end = buf.len;
        if (from > 0) {
            const char *first = memchr(buf.ptr, '\n', buf.len);

            start = first == NULL ? buf.len : (size_t)(first - buf.ptr) + 1;
        }
        if (is_tail) {
            const char *last = memrchr(buf.ptr, '\n', buf.len);

            end = last == NULL ? 0 : (size_t)(last - buf.ptr) + 1;
        }
        if (end <= start && from > 0) {
            chunk *= 2; /* a line longer than the chunk */
            continue;
        }
        if (is_tail)
            *lines_end = from + end;
        is_tail = false;
        chunk = CHUNK;
        while (*more && end > start) {
            const char *before = memrchr(buf.ptr + start, '\n', end - 1 - start);
            size_t line = before == NULL ? start : (size_t)(before - buf.ptr) + 1;

            *more = fn(ctx, (gh_str){ buf.ptr + line, end - 1 - line }, err);
            end = line;
        }
        to = from + start;
    }
    gh_buf_fini(&buf);
    return rc;
}

/* ---- matching and printing ----------------------------------------------------------------- */

typedef struct reader {
    const gh_auditlog_query *query;
    FILE *out;
    gh_arena *arena; /* of one line */
    gh_buf text;
    gh_str needles[NEEDLES_MAX]; /* what a matching line must hold; saves most of the parsing */
    size_t needle_count;
    gh_arena *needle_arena;
    gh_arena *kept_arena; /* lines that match, newest first, when only the last ones are wanted */
    gh_str *kept;
    size_t kept_count;
    size_t kept_cap;
    uint64_t matched;
    uint64_t unreadable;
    bool has_printed;
    bool is_broken; /* out does not take any more */
} reader;

static void add_needle(reader *r, gh_str value)
{
    gh_buf text;

    if (value.len == 0)
        return;
    GH_ASSERT(r->needle_count < NEEDLES_MAX);
    gh_buf_init(&text, 0);
    gh_audit_put_string(&text, value);
    r->needles[r->needle_count++] = gh_arena_dup(r->needle_arena, gh_buf_str(&text));
    gh_buf_fini(&text);
}

static void reader_init(reader *r, const gh_auditlog_query *q, FILE *out)
{
    *r = (reader){ .query = q, .out = out };
    r->arena = gh_arena_new(0);
    r->needle_arena = gh_arena_new(0);
    r->kept_arena = gh_arena_new(0);
    gh_buf_init(&r->text, 0);
    add_needle(r, q->filter.user);
    add_needle(r, q->filter.warehouse);
    add_needle(r, q->filter.session);
    add_needle(r, q->filter.sqlstate);
    add_needle(r, q->filter.column);
    add_needle(r, q->filter.id);
}

static void reader_fini(reader *r)
{
    if (r->unreadable > 0)
        gh_log(GH_WARN, "audit.unreadable", "lines=%" PRIu64, r->unreadable);
    gh_arena_free(r->arena);
    gh_arena_free(r->needle_arena);
    gh_arena_free(r->kept_arena);
    gh_buf_fini(&r->text);
    free(r->kept);
}

static bool parse_matching(reader *r, gh_str line, gh_json_value *record)
{
    for (size_t i = 0; i < r->needle_count; i++) {
        if (memmem(line.ptr, line.len, r->needles[i].ptr, r->needles[i].len) == NULL)
            return false;
    }
    gh_arena_reset(r->arena);
    if (gh_json_parse(line, r->arena, record, NULL) != GH_OK || record->type != GH_JSON_OBJECT) {
        r->unreadable++;
        return false;
    }
    return gh_audit_filter_matches(&r->query->filter, record, r->arena);
}

static void print_line(reader *r, gh_str line, const gh_json_value *record)
{
    if (r->query->each != NULL) {
        r->query->each(r->query->each_arg, record, r->arena);
        return;
    }
    gh_buf_clear(&r->text);
    if (r->query->is_json) {
        gh_buf_put_str(&r->text, line);
        gh_buf_puts(&r->text, "\n");
    } else if (r->query->is_whole) {
        gh_buf_puts(&r->text, r->has_printed ? "\n" : "");
        gh_audit_show_fields(record, r->arena, &r->text);
    } else {
        gh_audit_show(record, r->arena, r->query->width, &r->text);
    }
    if (fwrite(r->text.ptr, 1, r->text.len, r->out) != r->text.len)
        r->is_broken = true;
    r->has_printed = true;
}

static bool is_stopped(const reader *r)
{
    return r->is_broken || (r->query->stop != NULL && *r->query->stop != 0);
}

static bool print_matching(void *ctx, gh_str line, gh_err *err)
{
    reader *r = ctx;
    gh_json_value record;

    (void)err;
    if (parse_matching(r, line, &record)) {
        r->matched++;
        print_line(r, line, &record);
    }
    return !is_stopped(r) && (r->query->filter.seq == 0 || r->matched == 0);
}

static bool keep_matching(void *ctx, gh_str line, gh_err *err)
{
    reader *r = ctx;
    gh_json_value record;

    (void)err;
    if (r->query->limit == 0)
        return false; /* follow only */
    if (!parse_matching(r, line, &record))
        return !is_stopped(r);
    if (r->kept_count == r->kept_cap) {
        r->kept_cap = r->kept_cap == 0 ? 64 : r->kept_cap * 2;
        r->kept = gh_realloc_array(r->kept, r->kept_cap, sizeof(*r->kept));
    }
    r->kept[r->kept_count++] = gh_arena_dup(r->kept_arena, line);
    r->matched++;
    return r->matched < r->query->limit && !is_stopped(r);
}

static void print_kept(reader *r)
{
    for (size_t i = r->kept_count; i-- > 0 && !is_stopped(r);) {
        gh_json_value record;

        if (parse_matching(r, r->kept[i], &record))
            print_line(r, r->kept[i], &record);
    }
}

static gh_rc finish_output(reader *r, gh_rc rc, gh_err *err)
{
    if (rc == GH_OK && (fflush(r->out) != 0 || r->is_broken))
        return gh_fail(err, GH_IO, "58030", "cannot write the output");
    return rc;
}

/* ---- folders ------------------------------------------------------------------------------- */

static gh_rc open_dir(gh_str dir, int *out, gh_err *err)
{
    char *path = gh_strdup(dir);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int errnum = errno;

    free(path);
    if (fd < 0) {
        char text[128];

        return gh_fail(err, errnum == ENOENT ? GH_NOT_FOUND : GH_IO, "58030",
                       "audit folder \"" GH_STR_FMT "\": %s", GH_STR_ARG(dir),
                       strerror_r(errnum, text, sizeof(text)));
    }
    *out = fd;
    return GH_OK;
}

static gh_rc open_segment(int dir_fd, const char *name, int *out, gh_err *err)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return gh_audit_failed(err, "open", name, errno);
    *out = fd;
    return GH_OK;
}

/* Where to begin: a record of a known number is in the last segment that does not begin behind it. */
static size_t first_segment(const gh_segments *list, const gh_audit_filter *f)
{
    char name[GH_SEGMENT_NAME];
    size_t first = 0;

    if (f->seq == 0)
        return 0;
    gh_segment_name(f->seq, name);
    while (first + 1 < list->count && strcmp(list->names[first + 1], name) <= 0)
        first++;
    return first;
}

static gh_rc read_all(int dir_fd, const gh_segments *list, reader *r, gh_err *err)
{
    gh_rc rc = GH_OK;
    bool more = true;

    for (size_t i = first_segment(list, &r->query->filter); i < list->count && rc == GH_OK && more;
         i++) {
        uint64_t at = 0;
        int fd = -1;

        rc = open_segment(dir_fd, list->names[i], &fd, err);
        if (rc != GH_OK)
            break;
        rc = each_forward(fd, &at, print_matching, r, &more, err);
        (void)close(fd);
    }
    return rc;
}

/* Where a follower stands. */
typedef struct place {
    char name[GH_SEGMENT_NAME]; /* empty: no segment yet */
    int fd;
    uint64_t at;
} place;

/* The last lines; *p is the end of what was there. Its fd is the caller's to close. */
static gh_rc read_last(int dir_fd, const gh_segments *list, reader *r, place *p, gh_err *err)
{
    gh_rc rc = GH_OK;
    bool more = true;

    *p = (place){ .fd = -1 };
    for (size_t i = list->count; i-- > 0 && rc == GH_OK && more;) {
        uint64_t end;
        int fd = -1;

        rc = open_segment(dir_fd, list->names[i], &fd, err);
        if (rc != GH_OK)
            break;
        rc = each_backward(fd, &end, keep_matching, r, &more, err);
        if (p->fd >= 0) {
            (void)close(fd);
        } else {
            *p = (place){ .fd = fd, .at = end };
            memcpy(p->name, list->names[i], GH_SEGMENT_NAME);
        }
    }
    if (rc == GH_OK)
        print_kept(r);
    return rc;
}

static gh_rc read_last_or_all(int dir_fd, const gh_segments *list, reader *r, gh_err *err)
{
    place p;
    gh_rc rc;

    if (r->query->limit == 0)
        return read_all(dir_fd, list, r, err);
    rc = read_last(dir_fd, list, r, &p, err);
    if (p.fd >= 0)
        (void)close(p.fd);
    return rc;
}

gh_rc gh_auditlog_search(const gh_auditlog_query *q, FILE *out, uint64_t *matched, gh_err *err)
{
    gh_segments list;
    reader r;
    int dir_fd = -1;
    gh_rc rc = open_dir(q->dir, &dir_fd, err);

    if (rc != GH_OK)
        return rc;
    rc = gh_segments_list(dir_fd, &list, err);
    if (rc == GH_OK) {
        reader_init(&r, q, out);
        rc = read_last_or_all(dir_fd, &list, &r, err);
        rc = finish_output(&r, rc, err);
        if (rc == GH_OK && matched != NULL)
            *matched = r.matched;
        reader_fini(&r);
        gh_segments_free(&list);
    }
    (void)close(dir_fd);
    return rc;
}

/* ---- following ----------------------------------------------------------------------------- */

/* The segment behind the place's, or the first. False: there is none yet. */
static bool next_segment(const gh_segments *list, const place *p, char out[GH_SEGMENT_NAME])
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->names[i], p->name) > 0) {
            memcpy(out, list->names[i], GH_SEGMENT_NAME);
            return true;
        }
    }
    return false;
}

/* Prints what is new. A segment is left only when its successor exists, and after one more look at
 * it. */
static gh_rc follow_once(int dir_fd, place *p, reader *r, gh_err *err)
{
    gh_segments list = { NULL, 0 };
    bool more = true;
    bool has_next = true;
    gh_rc rc = gh_segments_list(dir_fd, &list, err);

    while (rc == GH_OK && more && has_next) {
        char next[GH_SEGMENT_NAME];

        has_next = next_segment(&list, p, next);
        if (p->fd >= 0)
            rc = each_forward(p->fd, &p->at, print_matching, r, &more, err);
        if (rc != GH_OK || !has_next || !more)
            break;
        if (p->fd >= 0)
            (void)close(p->fd);
        p->fd = -1;
        rc = open_segment(dir_fd, next, &p->fd, err);
        memcpy(p->name, next, sizeof(next));
        p->at = 0;
    }
    gh_segments_free(&list);
    return rc;
}

static void pause_ms(long ms)
{
    struct timespec ts = { 0, ms * 1000000 };

    (void)nanosleep(&ts, NULL); /* a signal may end it: the caller looks at `stop` */
}

static gh_rc follow(int dir_fd, place *p, reader *r, gh_err *err)
{
    gh_rc rc = GH_OK;

    while (rc == GH_OK && !is_stopped(r)) {
        rc = follow_once(dir_fd, p, r, err);
        if (fflush(r->out) != 0)
            r->is_broken = true;
        if (rc == GH_OK && !is_stopped(r))
            pause_ms(POLL_MS);
    }
    return rc;
}

gh_rc gh_auditlog_tail(const gh_auditlog_query *q, FILE *out, gh_err *err)
{
    gh_segments list;
    place p = { .fd = -1 };
    reader r;
    int dir_fd = -1;
    gh_rc rc = open_dir(q->dir, &dir_fd, err);

    if (rc != GH_OK)
        return rc;
    rc = gh_segments_list(dir_fd, &list, err);
    if (rc == GH_OK) {
        reader_init(&r, q, out);
        rc = read_last(dir_fd, &list, &r, &p, err);
        if (rc == GH_OK && q->is_following)
            rc = follow(dir_fd, &p, &r, err);
        rc = finish_output(&r, rc, err);
        reader_fini(&r);
        gh_segments_free(&list);
    }
    if (p.fd >= 0)
        (void)close(p.fd);
    (void)close(dir_fd);
    return rc;
}

/* ---- checking ------------------------------------------------------------------------------ */

typedef struct checker {
    gh_audit_chain chain;
    bool has_start; /* false: older segments are gone; the first record tells the chain's start */
    uint64_t first_seq;
    const gh_audit_chain *known; /* NULL: nothing is */
    bool is_known_met;
    uint64_t line;
    gh_rc rc;
} checker;

/* Is what is known of this record, or of the one before the oldest, so? */
static gh_rc check_known(checker *c, const gh_audit_chain *at, gh_err *err)
{
    if (c->known == NULL || c->known->seq != at->seq)
        return GH_OK;
    c->is_known_met = true;
    if (memcmp(c->known->hash, at->hash, sizeof(at->hash)) == 0)
        return GH_OK;
    return gh_fail(err, GH_INVALID, "XX001",
                   "record %" PRIu64
                   " is another than the one that is known: the log was written anew",
                   at->seq);
}

/* The oldest record that is left: what is known may be what it follows. */
static gh_rc check_oldest(checker *c, gh_str line, gh_err *err)
{
    gh_rc rc = gh_audit_chain_anchor(line, &c->chain, err);

    c->first_seq = c->chain.seq;
    if (rc != GH_OK || c->known == NULL || c->known->seq + 1 != c->chain.seq)
        return rc;
    c->is_known_met = true;
    c->chain = *c->known;
    return gh_audit_chain_check(&c->chain, line, err);
}

static bool check_line(void *ctx, gh_str line, gh_err *err)
{
    checker *c = ctx;

    c->line++;
    if (c->has_start)
        c->rc = gh_audit_chain_check(&c->chain, line, err);
    else
        c->rc = check_oldest(c, line, err);
    c->has_start = true;
    if (c->rc == GH_OK)
        c->rc = check_known(c, &c->chain, err);
    return c->rc == GH_OK;
}

/* A whole segment. The last one may be in the middle of a write: then the rest comes in a moment. */
static gh_rc check_segment(int fd, bool is_last, checker *c, gh_err *err)
{
    int tries = is_last ? RETRIES : 1;
    uint64_t at = 0;
    uint64_t size = 0;
    bool more = true;
    gh_rc rc;

    for (;;) {
        rc = each_forward(fd, &at, check_line, c, &more, err);
        if (rc == GH_OK)
            rc = size_of(fd, &size, err);
        if (rc != GH_OK || c->rc != GH_OK)
            return rc != GH_OK ? rc : c->rc;
        if (at == size)
            return GH_OK;
        if (--tries == 0)
            break;
        pause_ms(POLL_MS);
    }
    c->line++;
    return gh_fail(err, GH_INVALID, "XX001", "a record is cut off");
}

static gh_rc known_is_missing(const checker *c, gh_err *err)
{
    if (c->known->seq < c->first_seq)
        return gh_fail(err, GH_INVALID, "XX001",
                       "record %" PRIu64
                       ", which is known, is not here: the log begins with %" PRIu64,
                       c->known->seq, c->first_seq);
    return gh_fail(err, GH_INVALID, "XX001",
                   "record %" PRIu64 ", which is known, is not here: the log ends with %" PRIu64,
                   c->known->seq, c->chain.seq);
}

gh_rc gh_auditlog_verify(gh_str dir, const gh_audit_chain *known, gh_auditlog_extent *out,
                         gh_err *err)
{
    char first[GH_SEGMENT_NAME];
    checker c = { .known = known, .rc = GH_OK };
    gh_segments list = { NULL, 0 };
    int dir_fd = -1;
    gh_rc rc = open_dir(dir, &dir_fd, err);

    if (rc != GH_OK)
        return rc;
    rc = gh_segments_list(dir_fd, &list, err);
    gh_segment_name(1, first);
    c.has_start = list.count == 0 || strcmp(list.names[0], first) == 0;
    c.first_seq = c.has_start ? 1 : 0;
    for (size_t i = 0; i < list.count && rc == GH_OK; i++) {
        int fd = -1;

        rc = open_segment(dir_fd, list.names[i], &fd, err);
        if (rc != GH_OK)
            break;
        c.line = 0;
        rc = check_segment(fd, i + 1 == list.count, &c, err);
        (void)close(fd);
        if (rc != GH_OK)
            gh_err_detail(err, "%s, line %" PRIu64, list.names[i], c.line);
    }
    gh_segments_free(&list);
    (void)close(dir_fd);
    if (rc == GH_OK && known != NULL && !c.is_known_met)
        rc = known_is_missing(&c, err);
    if (rc == GH_OK)
        *out = (gh_auditlog_extent){ c.chain.seq > 0 ? c.first_seq : 0, c.chain };
    return rc;
}
