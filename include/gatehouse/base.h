/*
 * base: what every module stands on. Results and errors, borrowed strings, arenas with a budget,
 * growing buffers with a bound, readers and writers of network order with a sticky error, secrets,
 * logging, threads. No I/O but the log's write to stderr.
 *
 *     bytes ──▶ gh_rd ──▶ values          values ──▶ gh_buf ──▶ bytes
 *     statement ──▶ gh_arena (budget) ──▶ everything that lives as long as the statement
 *
 * Threads: nothing here is shared; an object belongs to the thread that uses it. gh_log may be called by
 * any thread.
 */
#ifndef GATEHOUSE_BASE_H
#define GATEHOUSE_BASE_H

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <gatehouse/limits.h>

#define GH_MUST_USE     __attribute__((warn_unused_result))
#define GH_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define GH_COUNT(x)     (sizeof(x) / sizeof((x)[0]))

/* Our own mistakes, never a peer's, a file's or a policy author's: stays on in release builds, aborts. */
#define GH_ASSERT(x) ((x) ? (void)0 : gh_assert_failed(#x, __FILE__, __LINE__))
_Noreturn void gh_assert_failed(const char *what, const char *file, int line);

/* ---- results ----------------------------------------------------------------------------------- */

/* What to do next. Zero is no success: a result that nobody set is a failure. */
typedef enum gh_rc {
    GH_UNSET = 0,
    GH_OK,
    GH_DENIED,    /* the policy says no */
    GH_BADMSG,    /* a peer broke the protocol */
    GH_INVALID,   /* an input (SQL, YAML, argument) is wrong; the error says where */
    GH_LIMIT,     /* a named bound was passed */
    GH_NOT_FOUND, /* what was named does not exist */
    GH_AGAIN,     /* not now: wait for readiness and call again */
    GH_CLOSED,    /* the peer is gone */
    GH_IO,        /* the operating system or a library failed */
    GH_INTERNAL   /* a defect of Gatehouse, reported instead of hidden */
} gh_rc;

const char *gh_rc_name(gh_rc rc);

/* What happened. Two audiences, two fields. Zeroed is "no error". */
typedef struct gh_err {
    char sqlstate[6];     /* what the client sees... */
    char public_msg[512]; /* ...and nothing else reaches it */
    char hint[200];       /* public too; empty for none */
    char detail[512];     /* operators only: may name rules, hosts */
    uint32_t position;    /* 1-based character position in the client's statement, 0 for none */
    bool awaits_catalog;  /* a newer catalog of the warehouse may have what was missing */
    bool takes_long;      /* given up only because others wait: a thread of its own may do it */
} gh_err;

/* No failure yet. For what runs with each message: `= { 0 }` would clear a kilobyte of texts that nobody reads. */
static inline void gh_err_init(gh_err *err)
{
    memset(err->sqlstate, 0, sizeof(err->sqlstate));
    err->public_msg[0] = '\0';
    err->hint[0] = '\0';
    err->detail[0] = '\0';
    err->position = 0;
    err->awaits_catalog = false;
    err->takes_long = false;
}

/* Fills *err (may be NULL) unless it holds an earlier failure, and returns rc. fmt makes public_msg. */
GH_MUST_USE gh_rc gh_fail(gh_err *err, gh_rc rc, const char *sqlstate, const char *fmt, ...)
    GH_PRINTF(4, 5);
/* Adds the operator's text to a failure; the first one stays. */
void gh_err_detail(gh_err *err, const char *fmt, ...) GH_PRINTF(2, 3);

/* ---- strings ----------------------------------------------------------------------------------- */

/* Borrowed bytes, not NUL-terminated. Zeroed is the empty string. */
typedef struct gh_str {
    const char *ptr;
    size_t len;
} gh_str;

#define GH_STR(literal) ((gh_str){ (literal), sizeof(literal) - 1 })
#define GH_STR_FMT      "%.*s"
#define GH_STR_ARG(s)   (int)(s).len, ((s).ptr != NULL ? (s).ptr : "")

static inline gh_str gh_str_of(const char *cstr)
{
    return cstr == NULL ? (gh_str){ NULL, 0 } : (gh_str){ cstr, strlen(cstr) };
}
static inline bool gh_str_eq(gh_str a, gh_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
static inline bool gh_str_is(gh_str a, const char *cstr)
{
    /* Searched lists of names differ at their first byte; their lengths need not be counted. */
    return (a.len == 0 || a.ptr[0] == cstr[0]) && gh_str_eq(a, gh_str_of(cstr));
}
bool gh_str_is_ascii(gh_str s);
/* ASCII case folded comparison, for keywords and parameter names. */
bool gh_str_ieq(gh_str a, gh_str b);
int gh_str_cmp(gh_str a, gh_str b); /* bytewise, as memcmp; a prefix sorts first */
uint64_t gh_hash(const void *bytes, size_t len, uint64_t seed);
bool gh_utf8_is_valid(gh_str s); /* RFC 3629: no surrogates, no overlong forms, no NUL */

/* ---- arena ------------------------------------------------------------------------------------- */

/*
 * Memory of one lifetime: grows in blocks, freed at once. A budget bounds what a peer can make it take;
 * past it, gh_arena_alloc returns NULL (the caller answers GH_LIMIT). A failed malloc aborts.
 * Blocks are zeroed. Alignment is that of max_align_t.
 */
typedef struct gh_arena gh_arena;
GH_MUST_USE gh_arena *gh_arena_new(size_t budget); /* 0: unbounded */
void gh_arena_free(gh_arena *a);                   /* NULL is fine */
void gh_arena_reset(gh_arena *a);                  /* frees all but one block */
GH_MUST_USE void *gh_arena_alloc(gh_arena *a, size_t size);
size_t gh_arena_used(const gh_arena *a);
size_t gh_arena_budget(const gh_arena *a); /* 0: unbounded */
/* Copies; the result's ptr is NULL only when the budget is spent. A NUL follows the copy. */
gh_str gh_arena_dup(gh_arena *a, gh_str s);
gh_str gh_arena_printf(gh_arena *a, const char *fmt, ...) GH_PRINTF(2, 3);

/* vsnprintf, and faster where nothing but %s, %.*s, %d and %% is in fmt; what %s stands for is not NULL. */
int gh_vformat(char *to, size_t room, const char *fmt, va_list args) GH_PRINTF(3, 0);

/* malloc and kin that abort when memory is out; the caller frees. */
GH_MUST_USE void *gh_alloc(size_t size);                            /* zeroed */
GH_MUST_USE void *gh_realloc_array(void *p, size_t n, size_t size); /* checks n * size */
GH_MUST_USE char *gh_strdup(gh_str s);                              /* NUL-terminated */

/* ---- buffer and reader ------------------------------------------------------------------------- */

/*
 * A growing byte buffer. Appending past `max` (0: no bound) or to a buffer that failed before does
 * nothing and sets `failed`, so that a message is built in a row and checked once.
 */
typedef struct gh_buf {
    char *ptr;
    size_t len;
    size_t cap;
    size_t max;
    bool failed;
} gh_buf;

void gh_buf_init(gh_buf *b, size_t max);
void gh_buf_fini(gh_buf *b);
void gh_buf_clear(gh_buf *b); /* keeps the memory, forgets contents and failure */
void gh_buf_put_grown(gh_buf *b, const void *bytes, size_t len); /* of gh_buf_put: makes room */
/* In the header, since records and messages are made of many short pieces. */
static inline void gh_buf_put(gh_buf *b, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    if (b->failed || b->ptr == NULL || len > b->cap - b->len) {
        gh_buf_put_grown(b, bytes, len);
        return;
    }
    memcpy(b->ptr + b->len, bytes, len);
    b->len += len;
}
static inline void gh_buf_put_str(gh_buf *b, gh_str s)
{
    gh_buf_put(b, s.ptr, s.len);
}
void gh_buf_put_cstr(gh_buf *b, const char *s);          /* with its NUL: a protocol String */
static inline void gh_buf_puts(gh_buf *b, const char *s) /* without; a literal's length is known */
{
    gh_buf_put(b, s, strlen(s));
}
void gh_buf_put_u8(gh_buf *b, uint8_t v);
void gh_buf_put_u16(gh_buf *b, uint16_t v); /* network order, as all below */
void gh_buf_put_u32(gh_buf *b, uint32_t v);
void gh_buf_printf(gh_buf *b, const char *fmt, ...) GH_PRINTF(2, 3);
void gh_buf_consume(gh_buf *b, size_t len); /* drops bytes at the front */
/* Makes room for at least `extra` bytes behind len and returns it, or NULL past the bound. */
GH_MUST_USE char *gh_buf_reserve(gh_buf *b, size_t extra);
static inline gh_str gh_buf_str(const gh_buf *b)
{
    return (gh_str){ b->ptr, b->len };
}

/* Reads what a peer sent. After the first read past the end every value is 0 and `failed` stays set. */
typedef struct gh_rd {
    const char *pos;
    const char *end;
    bool failed;
} gh_rd;

uint8_t gh_rd_u8(gh_rd *r);
uint16_t gh_rd_u16(gh_rd *r);
uint32_t gh_rd_u32(gh_rd *r);
gh_str gh_rd_cstr(gh_rd *r); /* up to and over a NUL; without it: failed */
gh_str gh_rd_bytes(gh_rd *r, size_t len);
bool gh_rd_finish(const gh_rd *r); /* true: nothing failed and nothing is left */

/* ---- secrets ----------------------------------------------------------------------------------- */

/* No formatter prints it, fini cleanses it, comparison takes the same time wherever the bytes differ. */
typedef struct gh_secret {
    char *ptr;
    size_t len;
} gh_secret;

void gh_secret_init(gh_secret *s, const void *bytes, size_t len);
void gh_secret_fini(gh_secret *s);
bool gh_secret_eq(const void *a, const void *b, size_t len);
void gh_cleanse(void *p, size_t len);

/* ---- threads ----------------------------------------------------------------------------------- */

/*
 * Starts fn(arg) with all signals masked: they are the main thread's, whose loop answers them. `stack_bytes` 0: the
 * system's default. 0, or why not as an errno; who gets 0 joins the thread. Source: pthread_create(3), signal(7).
 */
GH_MUST_USE int gh_thread_start(pthread_t *out, size_t stack_bytes, void *(*fn)(void *arg),
                                void *arg);

/* ---- log --------------------------------------------------------------------------------------- */

/*
 * For operators: logfmt on stderr, one event name a line, never SQL text, never a secret. At most
 * 20 lines an event and second pass; what was held back is counted in the next line that does.
 *     gh_log(GH_WARN, "upstream.lost", "session=%" PRIu64 " rc=%s", id, gh_rc_name(rc));
 */
typedef enum gh_level { GH_ERROR = 0, GH_WARN, GH_INFO, GH_DEBUG } gh_level;
void gh_log(gh_level level, const char *event, const char *fmt, ...) GH_PRINTF(3, 4);
void gh_log_set_level(gh_level level); /* before threads start */

#endif
