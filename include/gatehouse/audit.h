/*
 * audit: what an audit record is, as bytes. Encodes records as one line of JSON each, closes each
 * line with its place in the hash chain, checks chains and reads records back. Pure: no file, clock
 * or thread; auditlog does those.
 *
 *     {"kind":"intent","time":"...", ...fields... ,"seq":7,"prev":"<64 hex>","hash":"<64 hex>"}\n
 *      └────────── body: encoded by the worker ──┘└──── link: added in the order of the chain ──┘
 *
 *     hash = SHA-256(every byte of the line before `,"hash":`)      prev = hash of record seq - 1
 *
 * The body is hashed before the order is known; the link behind it costs one or two more blocks of
 * SHA-256, so the part that all workers must do one after the other is small. What does not change
 * from statement to statement (who; what a cached plan reads) is encoded once, as fragments, and
 * copied.
 *
 * Strings are valid JSON in valid UTF-8 whatever a client sent, without loss: docs/audit-format.md.
 * Threads: any; an object belongs to one thread at a time.
 */
#ifndef GATEHOUSE_AUDIT_H
#define GATEHOUSE_AUDIT_H

#include <gatehouse/base.h>

enum {
    GH_AUDIT_HASH_LEN = 32,
    GH_AUDIT_ID_TEXT = 49,   /* bytes that hold any id as text, with its NUL */
    GH_AUDIT_TIME_TEXT = 28, /* 2026-01-31T23:59:59.123456Z and a NUL */
    GH_AUDIT_LINK_MAX = 192  /* bytes that a link adds to a body */
};

/* ---- what is recorded ---------------------------------------------------------------------- */

/* Unique over restarts: a random number of the process, the writer, a counter. Zeroed: none. */
typedef struct gh_audit_id {
    uint64_t boot;
    uint64_t number;
    uint32_t writer;
} gh_audit_id;

/* "<16 hex>.<writer>.<number>"; returns the length. */
size_t gh_audit_id_text(gh_audit_id id, char out[GH_AUDIT_ID_TEXT]);

typedef enum gh_audit_kind {
    GH_AUDIT_NONE = 0,
    GH_AUDIT_START, /* the process: message = version */
    GH_AUDIT_STOP,
    GH_AUDIT_LOGIN,        /* who */
    GH_AUDIT_LOGIN_FAILED, /* who as far as known, sqlstate, message */
    GH_AUDIT_LOGOUT,       /* who, duration_us of the session */
    GH_AUDIT_INTENT,       /* statement, who, plan, sql, rewritten */
    GH_AUDIT_OUTCOME,      /* statement, who, rows, bytes, duration_us, sqlstate, message */
    GH_AUDIT_REFUSED,      /* as an intent, with sqlstate and message */
    GH_AUDIT_POLICY,       /* policy_version took effect; message */
    GH_AUDIT_ADMIN, /* somebody acted on the running proxy: by, message; who: on which session */
    GH_AUDIT_RECOVERED, /* auditlog's own: the tail of a segment was set aside */
    GH_AUDIT_GAP        /* auditlog's own: records could not be written for a while */
} gh_audit_kind;

const char *gh_audit_kind_name(gh_audit_kind kind); /* "intent" */
gh_audit_kind gh_audit_kind_parse(gh_str name);     /* GH_AUDIT_NONE: no such kind */

/* Who: what is the same for a whole session. Strings are borrowed for the encoding call. */
typedef struct gh_audit_session {
    gh_audit_id id;
    gh_str user;
    gh_str warehouse;
    const gh_str *roles;
    size_t role_count;
    gh_str client;       /* address and port */
    gh_str application;  /* application_name */
    gh_str tls_version;  /* empty: no TLS */
    gh_str tls_identity; /* subject of the client's certificate; empty: none */
} gh_audit_session;

/* The same, encoded. Made at login and again when application_name or the roles change. */
typedef struct gh_audit_who {
    gh_buf text;      /* the fragment for logins, intents and refusals */
    size_t brief_len; /* its beginning: session, user and warehouse, for outcomes */
} gh_audit_who;

void gh_audit_who_init(gh_audit_who *w);
void gh_audit_who_set(gh_audit_who *w, const gh_audit_session *s); /* may be called again */
void gh_audit_who_fini(gh_audit_who *w);

typedef struct gh_audit_relation {
    gh_str schema;
    gh_str name;
    uint32_t
        privileges; /* bits as in policy.h: 1 select, 2 insert, 4 update, 8 delete, 16 truncate */
    const gh_str *clear;
    size_t clear_count;
    const gh_str *masked;
    size_t masked_count;
    const gh_str *filtered;
    size_t filtered_count;
    const gh_str *hidden; /* written in observe mode only */
    size_t hidden_count;
    bool is_row_filtered;
} gh_audit_relation;

typedef enum gh_audit_decision {
    GH_AUDIT_DECIDED_REFUSED = 0,
    GH_AUDIT_DECIDED_ALLOWED,
    GH_AUDIT_DECIDED_BYPASSED,
    GH_AUDIT_DECIDED_OBSERVED /* let through by `mode: observe`; the policy would refuse it, or show less */
} gh_audit_decision;

/* What a plan decided: the same for every run of it, so encode it once and keep the bytes beside
 * it. */
typedef struct gh_audit_plan {
    gh_audit_decision decision;
    gh_str command; /* statement kind: "select", "insert" ... */
    const int64_t *grant_ids;
    size_t grant_count;
    uint64_t policy_version;
    uint64_t catalog_epoch;
    const gh_audit_relation *relations;
    size_t relation_count;
    bool is_observed;      /* `mode: observe`: the rest is what the policy would have done */
    gh_str would_sqlstate; /* ...refuse; empty: it would not */
    gh_str would_message;
} gh_audit_plan;

/* Appends the fragment of a plan to out; check out->failed (its `max`) once. */
void gh_audit_plan_encode(const gh_audit_plan *p, gh_buf *out);

/* Appends what observe mode says of a login that the policy would refuse. */
void gh_audit_would_encode(gh_str sqlstate, gh_str message, gh_buf *out);

/* One record. Only the fields that gh_audit_kind names for its kind are written. Strings are
 * borrowed. */
typedef struct gh_audit_record {
    gh_audit_kind kind;
    int64_t time_us; /* Unix microseconds */
    gh_audit_id statement;
    const gh_audit_who
        *who;            /* NULL: nobody (start, stop, policy, a startup packet without a user) */
    gh_str plan;         /* by gh_audit_plan_encode */
    gh_str texts;        /* by gh_audit_texts_encode, in place of the next three; empty: not made */
    gh_str sql;          /* the client's, or its fingerprint ... */
    gh_str rewritten;    /* what goes upstream, or its fingerprint ... */
    bool is_fingerprint; /* ... which this says (`statements: fingerprint`) */
    uint64_t rows;
    uint64_t bytes;
    uint64_t duration_us;
    uint64_t policy_version;
    gh_str sqlstate; /* empty: no error */
    gh_str message;
    gh_str plan_would; /* GH_AUDIT_LOGIN: by gh_audit_would_encode; empty: none */
    gh_str by;         /* GH_AUDIT_ADMIN: the operating system's user */
} gh_audit_record;

/*
 * Appends what a record says of sql, rewritten and is_fingerprint: as much as all else in it, and the same
 * for every run of a prepared statement.
 */
void gh_audit_texts_encode(const gh_audit_record *r, gh_buf *out);

/*
 * Appends the record's body to out: no newline, no link. Texts longer than GH_AUDIT_SQL_MAX are cut
 * there and their full length and SHA-256 recorded. Check out->failed.
 */
void gh_audit_encode(const gh_audit_record *r, gh_buf *out);

/*
 * The code point at s.ptr[at], 0 for a byte that starts no valid sequence (RFC 3629); *len is its
 * length. A NUL is one, too: callers take ASCII before they come here.
 */
uint32_t gh_audit_utf8_at(gh_str s, size_t at, size_t *len);
/* Would a terminal take the character for a command, or print what stands around it in another order? */
bool gh_audit_is_unprintable(uint32_t code);
/* Appends s as a JSON string with its quotes. */
void gh_audit_put_string(gh_buf *out, gh_str s);
size_t gh_audit_time_text(int64_t time_us, char out[GH_AUDIT_TIME_TEXT]);
/*
 * A point in time as people write it: RFC 3339 (a space for the T and no zone, meaning UTC, are
 * fine), a date, or so long ago: 30s, 15m, 4h, 7d, 2w.
 */
GH_MUST_USE gh_rc gh_audit_time_parse(gh_str text, int64_t now_us, int64_t *out, gh_err *err);

/* ---- the chain ----------------------------------------------------------------------------- */

/* The end of a chain. Zeroed: before the first record, whose seq is 1 and whose prev is 64 zeros. */
typedef struct gh_audit_chain {
    uint64_t seq;
    uint8_t hash[GH_AUDIT_HASH_LEN];
    char hex[2 * GH_AUDIT_HASH_LEN]; /* the hash, where a link made it; else zeros */
} gh_audit_chain;

/* A SHA-256 that has eaten a body and waits for the link. */
typedef struct gh_audit_digest gh_audit_digest;
GH_MUST_USE gh_audit_digest *gh_audit_digest_new(void);
void gh_audit_digest_free(gh_audit_digest *d);
void gh_audit_digest_body(gh_audit_digest *d, gh_str body); /* starts afresh */

/* Writes the link of the next record to out, a newline at its end, and moves the chain; the length. */
size_t gh_audit_chain_link(gh_audit_chain *c, gh_audit_digest *d, char out[GH_AUDIT_LINK_MAX]);

/*
 * Checks that a line (without its newline) is the record that follows c, and moves c. GH_INVALID:
 * the error says what does not fit, and c stays.
 */
GH_MUST_USE gh_rc gh_audit_chain_check(gh_audit_chain *c, gh_str line, gh_err *err);
/* The same without a predecessor: the record agrees with itself; *out is the chain's end behind it. */
GH_MUST_USE gh_rc gh_audit_chain_anchor(gh_str line, gh_audit_chain *out, gh_err *err);
/* Checks whole lines of `text`, the bytes of a segment. A last line without a newline is
 * GH_INVALID. */
GH_MUST_USE gh_rc gh_audit_chain_check_text(gh_audit_chain *c, gh_str text, gh_err *err);

void gh_audit_sha256(gh_str bytes, uint8_t out[GH_AUDIT_HASH_LEN]);
void gh_audit_hex(const uint8_t *bytes, size_t len, char *out); /* 2 * len characters, no NUL */

/* ---- reading records ----------------------------------------------------------------------- */

typedef enum gh_json_type {
    GH_JSON_NONE = 0,
    GH_JSON_NULL,
    GH_JSON_BOOL,
    GH_JSON_NUMBER,
    GH_JSON_STRING,
    GH_JSON_ARRAY,
    GH_JSON_OBJECT
} gh_json_type;

/*
 * A strict JSON value (RFC 8259, at most GH_AUDIT_JSON_DEPTH_MAX deep), read by walking: arrays and
 * objects are the raw text between their brackets, entered with gh_json_first. Strings are decoded
 * into the arena, with bytes that were no UTF-8 as the client sent them; numbers, true and false
 * are their text.
 */
typedef struct gh_json_value {
    gh_json_type type;
    gh_str text; /* string: decoded; array, object: its inside; else as written */
} gh_json_value;

typedef struct gh_json_item {
    gh_str key; /* of an object's member */
    gh_json_value value;
    gh_str rest;
} gh_json_item;

/* One value and nothing else but white space around it, checked to its last byte. */
GH_MUST_USE gh_rc gh_json_parse(gh_str text, gh_arena *a, gh_json_value *out, gh_err *err);
/* Walks a checked array or object: for (ok = gh_json_first(&v, a, &i); ok; ok = gh_json_next(a,
 * &i)) */
bool gh_json_first(const gh_json_value *v, gh_arena *a, gh_json_item *item);
bool gh_json_next(gh_arena *a, gh_json_item *item);
/* The member of an object; type GH_JSON_NONE if it has none of that name. */
gh_json_value gh_json_member(const gh_json_value *object, gh_arena *a, const char *key);

/*
 * What people filter by. Zeroed lets everything through. Strings are borrowed; empty: do not care.
 * A name of a relation is `name` or `schema.name`.
 */
typedef struct gh_audit_filter {
    gh_str user;
    gh_str warehouse;
    gh_str relation;
    gh_str column; /* read in clear, masked or in a condition, of `relation` if that is given */
    gh_str sqlstate;
    gh_str text; /* within sql, rewritten or message, ASCII case ignored */
    gh_str session;
    gh_str id;    /* of a statement or of a session */
    uint64_t seq; /* 0: any */
    gh_audit_kind kind;
    int64_t since_us; /* 0: from the start */
    int64_t until_us; /* exclusive; 0: to the end */
} gh_audit_filter;

/* Does the record (a parsed line) pass? */
bool gh_audit_filter_matches(const gh_audit_filter *f, const gh_json_value *record, gh_arena *a);

/*
 * The record as one line for people: time, kind, user, warehouse, what. Nothing in it can move a
 * terminal's cursor. `width` 0: not cut.
 */
void gh_audit_show(const gh_json_value *record, gh_arena *a, size_t width, gh_buf *out);
/*
 * The whole record for people, a field a line. What a text continues on further lines is indented, so
 * that it cannot pass for a field; otherwise as safe as gh_audit_show.
 */
void gh_audit_show_fields(const gh_json_value *record, gh_arena *a, gh_buf *out);

#endif
