/*
 * wire: PostgreSQL's frontend/backend protocol 3.0 to 3.2 as pure code: what bytes mean, how
 * messages are built, which message is legal when. No socket, clock, log or global; any thread may
 * call it.
 *
 *     bytes ──▶ gh_wire_frame_* ──▶ body ──▶ gh_wire_decode_* ──▶ struct, borrowing from the body
 *                    │                            │
 *                    └▶ 08P01: stream lost, close └▶ 08P01: message wrong, answer ERROR
 *     struct ──▶ gh_wire_put_* ──▶ gh_buf (sticky failure, checked once)
 *
 * Framing. A header is judged (type known, length legal for phase and type) before a byte of its
 * body is waited for, so a large message can be passed on in pieces: header first, then body bytes
 * as they come. A failure of gh_wire_frame_* is fatal: nothing behind it can be trusted.
 *
 * Decoders want the whole body. They are strict: what is declared must be there, what is there
 * must have been declared. Their failure (08P01, PostgreSQL's texts) leaves the framing intact:
 * PostgreSQL answers ERROR, and skips to the next Sync if gh_wire_is_extended(type).
 *
 * Structs borrow from the body unless an arena is passed. Names of statements and portals are cut
 * to GH_WIRE_NAME_MAX bytes, as PostgreSQL's own hash tables do: two names that are one upstream
 * are one here.
 *
 * Builders append one whole message. A String argument that holds a NUL fails the buffer.
 */
#ifndef GATEHOUSE_WIRE_H
#define GATEHOUSE_WIRE_H

#include <gatehouse/base.h>

/* ---- message types --------------------------------------------------------------------------- */

/* What a frontend sends. */
typedef enum gh_wire_frontend {
    GH_WIRE_F_BIND = 'B',
    GH_WIRE_F_CLOSE = 'C',
    GH_WIRE_F_COPY_DATA = 'd',
    GH_WIRE_F_COPY_DONE = 'c',
    GH_WIRE_F_COPY_FAIL = 'f',
    GH_WIRE_F_DESCRIBE = 'D',
    GH_WIRE_F_EXECUTE = 'E',
    GH_WIRE_F_FLUSH = 'H',
    GH_WIRE_F_FUNCTION_CALL = 'F',
    GH_WIRE_F_PARSE = 'P',
    GH_WIRE_F_PASSWORD = 'p', /* and SASLInitialResponse, SASLResponse */
    GH_WIRE_F_QUERY = 'Q',
    GH_WIRE_F_SYNC = 'S',
    GH_WIRE_F_TERMINATE = 'X'
} gh_wire_frontend;

/* What a backend sends. */
typedef enum gh_wire_backend {
    GH_WIRE_B_AUTHENTICATION = 'R',
    GH_WIRE_B_BACKEND_KEY_DATA = 'K',
    GH_WIRE_B_BIND_COMPLETE = '2',
    GH_WIRE_B_CLOSE_COMPLETE = '3',
    GH_WIRE_B_COMMAND_COMPLETE = 'C',
    GH_WIRE_B_COPY_DATA = 'd',
    GH_WIRE_B_COPY_DONE = 'c',
    GH_WIRE_B_COPY_IN_RESPONSE = 'G',
    GH_WIRE_B_COPY_OUT_RESPONSE = 'H',
    GH_WIRE_B_COPY_BOTH_RESPONSE = 'W',
    GH_WIRE_B_DATA_ROW = 'D',
    GH_WIRE_B_EMPTY_QUERY_RESPONSE = 'I',
    GH_WIRE_B_ERROR_RESPONSE = 'E',
    GH_WIRE_B_FUNCTION_CALL_RESPONSE = 'V',
    GH_WIRE_B_NEGOTIATE_PROTOCOL_VERSION = 'v',
    GH_WIRE_B_NO_DATA = 'n',
    GH_WIRE_B_NOTICE_RESPONSE = 'N',
    GH_WIRE_B_NOTIFICATION_RESPONSE = 'A',
    GH_WIRE_B_PARAMETER_DESCRIPTION = 't',
    GH_WIRE_B_PARAMETER_STATUS = 'S',
    GH_WIRE_B_PARSE_COMPLETE = '1',
    GH_WIRE_B_PORTAL_SUSPENDED = 's',
    GH_WIRE_B_READY_FOR_QUERY = 'Z',
    GH_WIRE_B_ROW_DESCRIPTION = 'T'
} gh_wire_backend;

/* Transaction status of ReadyForQuery. */
#define GH_WIRE_TX_IDLE   'I'
#define GH_WIRE_TX_ACTIVE 'T'
#define GH_WIRE_TX_FAILED 'E'

/* ---- framing --------------------------------------------------------------------------------- */

typedef enum gh_wire_phase {
    GH_WIRE_PHASE_NONE = 0,
    GH_WIRE_PHASE_AUTH,   /* startup packet read, not authenticated: GH_WIRE_AUTH_MAX, 'p' only */
    GH_WIRE_PHASE_SESSION /* authenticated: up to GH_WIRE_BODY_MAX, less for types that are short */
} gh_wire_phase;

typedef struct gh_wire_frame {
    uint8_t type;       /* 0 for a startup packet, which has none */
    uint8_t header_len; /* 5; 4 for a startup packet */
    uint32_t body_len;  /* behind the header */
    gh_str body;        /* the body bytes that are buffered, at most body_len of them */
    size_t missing;     /* body bytes not buffered yet; 0: the message is complete */
} gh_wire_frame;

/*
 * Looks at the message at the front of `bytes`. GH_AGAIN: the header is not whole yet (nothing is
 * written). GH_OK: *out tells type and size, complete or not. GH_BADMSG: close, answering FATAL as
 * far as that is possible. The whole message is header_len + body_len bytes.
 */
GH_MUST_USE gh_rc gh_wire_frame_startup(gh_str bytes, gh_wire_frame *out, gh_err *err);
GH_MUST_USE gh_rc gh_wire_frame_frontend(gh_wire_phase phase, gh_str bytes, gh_wire_frame *out,
                                         gh_err *err);
GH_MUST_USE gh_rc gh_wire_frame_backend(gh_str bytes, gh_wire_frame *out, gh_err *err);

static inline size_t gh_wire_frame_len(const gh_wire_frame *f)
{
    return (size_t)f->header_len + f->body_len;
}

/* A TLS ClientHello instead of a startup packet: direct TLS (ALPN `postgresql`). */
static inline bool gh_wire_is_tls_hello(gh_str bytes)
{
    return bytes.len > 0 && bytes.ptr[0] == 0x16;
}

/* ---- startup packets ------------------------------------------------------------------------- */

#define GH_WIRE_VERSION(major, minor) ((uint32_t)(major) << 16 | (uint32_t)(minor))
#define GH_WIRE_MINOR_MAX             2   /* the newest 3.x that is spoken */
#define GH_WIRE_CANCEL_KEY_MIN        4   /* 3.0 */
#define GH_WIRE_CANCEL_KEY_MAX        256 /* 3.2 */

typedef enum gh_wire_startup_kind {
    GH_WIRE_STARTUP_NONE = 0,
    GH_WIRE_STARTUP_MESSAGE,
    GH_WIRE_SSL_REQUEST, /* answer one byte 'S' or 'N'. SECURITY: bytes already buffered behind it
                            are plaintext injected into the TLS session (CVE-2021-23214): refuse */
    GH_WIRE_GSSENC_REQUEST, /* answer 'N'; same rule */
    GH_WIRE_CANCEL_REQUEST  /* act, answer nothing, close */
} gh_wire_startup_kind;

typedef struct gh_wire_param {
    gh_str name;
    gh_str value;
} gh_wire_param;

typedef struct gh_wire_startup {
    gh_wire_startup_kind kind;

    /* CANCEL_REQUEST */
    uint32_t cancel_pid;
    gh_str cancel_key;

    /* STARTUP_MESSAGE; an SSLRequest that comes a second time is one too, of version 1234.5679 */
    uint16_t major;
    uint16_t minor;
    gh_str user;
    gh_str database;        /* the user's name where the client gave none */
    bool wants_replication; /* physical or logical; neither is served */
    gh_wire_param
        *settings; /* in the order in which PostgreSQL applies them: those of `options`, then the */
    size_t settings_len; /* parameters that are none of the above; names as sent, not yet allowed */
    gh_str *pq_options;  /* names that begin with `_pq_.`: none is known, answer
                            NegotiateProtocolVersion */
    size_t pq_options_len;
} gh_wire_startup;

/*
 * Decodes the body of a startup packet; what *out holds is copied into the arena. ssl_done:
 * an SSLRequest was answered before on this connection (or it began with TLS); gss_done likewise.
 * Failures, all FATAL: 08P01 (layout), 28000 (no user), 0A000 (protocol version), 22023
 * (replication), 42601 (options). The version is judged before the parameters are looked at.
 */
GH_MUST_USE gh_rc gh_wire_decode_startup(gh_arena *a, gh_str body, bool ssl_done, bool gss_done,
                                         gh_wire_startup *out, gh_err *err);

/* True if the client must be told by NegotiateProtocolVersion; the session then speaks the lower
 * minor. */
bool gh_wire_needs_negotiation(const gh_wire_startup *s);

/* The startup parameter `options`: `-c x=y`, `-cx=y`, `--x=y`; spaces separate, a backslash
 * escapes. */
GH_MUST_USE gh_rc gh_wire_split_options(gh_arena *a, gh_str options, gh_wire_param **out,
                                        size_t *out_len, gh_err *err);

/* ---- frontend messages ----------------------------------------------------------------------- */

/* A column or parameter value. */
typedef struct gh_wire_value {
    gh_str bytes;
    bool is_null;
} gh_wire_value;

/* An array of 16- or 32-bit integers in network order, inside the body. */
typedef struct gh_wire_ints {
    const char *ptr;
    uint16_t len; /* elements */
} gh_wire_ints;

uint16_t gh_wire_u16_at(gh_wire_ints ints, size_t i);
uint32_t gh_wire_u32_at(gh_wire_ints ints, size_t i);

typedef struct gh_wire_parse {
    gh_str name; /* empty: the unnamed statement */
    gh_str sql;
    gh_wire_ints types; /* u32: type OIDs, 0 for unspecified */
} gh_wire_parse;

typedef struct gh_wire_bind {
    gh_str portal;
    gh_str statement;
    gh_wire_ints param_formats; /* u16: none (all text), one for all, or one each */
    uint16_t params_len;
    gh_str params;               /* the values, checked: walk them with gh_wire_next_value */
    gh_wire_ints result_formats; /* u16 */
    gh_str tail;                 /* everything behind the two names, to send on under other names */
} gh_wire_bind;

/* Describe and Close. */
typedef struct gh_wire_target {
    char kind; /* 'S': statement, 'P': portal */
    gh_str name;
} gh_wire_target;

typedef struct gh_wire_execute {
    gh_str portal;
    uint32_t rows_max; /* 0: all. A negative number is all too, and given as 0 */
} gh_wire_execute;

typedef struct gh_wire_function_call {
    uint32_t function;
    gh_wire_ints arg_formats;
    uint16_t args_len;
    gh_str args;
    uint16_t result_format;
} gh_wire_function_call;

typedef struct gh_wire_sasl_initial {
    gh_str mechanism;
    bool has_response;
    gh_str response;
} gh_wire_sasl_initial;

GH_MUST_USE gh_rc gh_wire_decode_query(gh_str body, gh_str *sql, gh_err *err);
GH_MUST_USE gh_rc gh_wire_decode_parse(gh_str body, gh_wire_parse *out, gh_err *err);
GH_MUST_USE gh_rc gh_wire_decode_bind(gh_str body, gh_wire_bind *out, gh_err *err);
GH_MUST_USE gh_rc gh_wire_decode_describe(gh_str body, gh_wire_target *out, gh_err *err);
GH_MUST_USE gh_rc gh_wire_decode_close(gh_str body, gh_wire_target *out, gh_err *err);
GH_MUST_USE gh_rc gh_wire_decode_execute(gh_str body, gh_wire_execute *out, gh_err *err);
GH_MUST_USE gh_rc gh_wire_decode_function_call(gh_str body, gh_wire_function_call *out,
                                               gh_err *err);
GH_MUST_USE gh_rc gh_wire_decode_copy_fail(gh_str body, gh_str *reason, gh_err *err);
GH_MUST_USE gh_rc gh_wire_decode_password(gh_str body, gh_str *password, gh_err *err);
GH_MUST_USE gh_rc gh_wire_decode_sasl_initial(gh_str body, gh_wire_sasl_initial *out, gh_err *err);
/* SASLResponse and CopyData: the body is the data. Terminate: PostgreSQL looks at nothing. */

/* Flush, Sync, CopyDone, and every backend message without contents. */
GH_MUST_USE gh_rc gh_wire_decode_empty(gh_str body, gh_err *err);

/* The next of the values in a Bind, FunctionCall or DataRow; call it as often as there are values. */
gh_wire_value gh_wire_next_value(gh_rd *r);

/* ---- which message when ---------------------------------------------------------------------- */

typedef enum gh_wire_state {
    GH_WIRE_STATE_STARTUP = 0, /* untyped packets only */
    GH_WIRE_STATE_AUTH,        /* waits for 'p' */
    GH_WIRE_STATE_READY,       /* between messages, in or out of an extended series */
    GH_WIRE_STATE_COPY_IN,     /* COPY FROM STDIN runs, by Query or by Execute */
    GH_WIRE_STATE_SKIP         /* an extended message failed: everything is dropped until Sync */
} gh_wire_state;
#define GH_WIRE_STATES 5

typedef enum gh_wire_action {
    GH_WIRE_ILLEGAL = 0, /* FATAL: gh_wire_illegal has the text */
    GH_WIRE_HANDLE,      /* act on it */
    GH_WIRE_IGNORE,      /* read it and drop it, answer nothing */
    GH_WIRE_REFUSE, /* legal, but never served: ERROR 42501, and ReadyForQuery (FunctionCall) */
    GH_WIRE_END     /* Terminate: close, answer nothing */
} gh_wire_action;

/* What PostgreSQL does with this message in this state. A type that does not exist is ILLEGAL
 * everywhere. */
gh_wire_action gh_wire_judge(gh_wire_state state, uint8_t type);
/* PostgreSQL's own text for an illegal pair, 08P01. Returns GH_BADMSG. */
GH_MUST_USE gh_rc gh_wire_illegal(gh_wire_state state, uint8_t type, gh_err *err);
/* True for the messages whose failure skips everything until the next Sync. */
bool gh_wire_is_extended(uint8_t type);

/* ---- backend messages ------------------------------------------------------------------------ */

/* Fields of ErrorResponse and NoticeResponse by their letter, 'A' to 'z'; absent ones have a NULL
 * ptr. */
typedef struct gh_wire_fields {
    gh_str of['z' - 'A' + 1];
} gh_wire_fields;

static inline gh_str gh_wire_field(const gh_wire_fields *f, char letter)
{
    return f->of[letter - 'A'];
}
static inline void gh_wire_set_field(gh_wire_fields *f, char letter, gh_str value)
{
    f->of[letter - 'A'] = value;
}

typedef struct gh_wire_column {
    gh_str name;
    uint32_t table_oid; /* 0: no plain column of a table */
    int16_t attnum;
    uint32_t type_oid;
    int16_t type_len;
    int32_t typmod;
    uint16_t format; /* 0 text, 1 binary */
} gh_wire_column;

typedef struct gh_wire_columns {
    gh_wire_column *ptr;
    uint16_t len;
} gh_wire_columns;

typedef struct gh_wire_data_row {
    uint16_t len;
    gh_str values; /* walk with gh_wire_next_value */
} gh_wire_data_row;

typedef struct gh_wire_key_data {
    uint32_t pid;
    gh_str key; /* 4 bytes, up to 256 by 3.2 */
} gh_wire_key_data;

typedef struct gh_wire_notification {
    uint32_t pid;
    gh_str channel;
    gh_str payload;
} gh_wire_notification;

/* CopyIn-, CopyOut- and CopyBothResponse. */
typedef struct gh_wire_copy_response {
    uint8_t format;
    gh_wire_ints formats; /* u16, a column each */
} gh_wire_copy_response;

#define GH_WIRE_AUTH_OK            0
#define GH_WIRE_AUTH_SASL          10
#define GH_WIRE_AUTH_SASL_CONTINUE 11
#define GH_WIRE_AUTH_SASL_FINAL    12

typedef struct gh_wire_authentication {
    uint32_t code;
    gh_str data; /* SASL: mechanism names, each with its NUL, and a NUL; CONTINUE, FINAL: the SASL
                    data */
} gh_wire_authentication;

typedef struct gh_wire_negotiate {
    uint32_t version; /* GH_WIRE_VERSION */
    uint32_t options_len;
    gh_str options; /* names, each with its NUL */
} gh_wire_negotiate;

GH_MUST_USE gh_rc gh_wire_decode_fields(gh_str body, gh_wire_fields *out, gh_err *err);
/* The array is the arena's, the names are the body's. GH_LIMIT: the arena's budget is spent. */
GH_MUST_USE gh_rc gh_wire_decode_row_description(gh_arena *a, gh_str body, gh_wire_columns *out,
                                                 gh_err *err);
GH_MUST_USE gh_rc gh_wire_decode_data_row(gh_str body, gh_wire_data_row *out, gh_err *err);
GH_MUST_USE gh_rc gh_wire_decode_parameter_status(gh_str body, gh_wire_param *out, gh_err *err);
GH_MUST_USE gh_rc gh_wire_decode_key_data(gh_str body, gh_wire_key_data *out, gh_err *err);
GH_MUST_USE gh_rc gh_wire_decode_ready(gh_str body, char *tx_status, gh_err *err);
GH_MUST_USE gh_rc gh_wire_decode_command_complete(gh_str body, gh_str *tag, gh_err *err);
GH_MUST_USE gh_rc gh_wire_decode_parameter_description(gh_str body, gh_wire_ints *types,
                                                       gh_err *err);
GH_MUST_USE gh_rc gh_wire_decode_notification(gh_str body, gh_wire_notification *out, gh_err *err);
GH_MUST_USE gh_rc gh_wire_decode_copy_response(gh_str body, gh_wire_copy_response *out,
                                               gh_err *err);
GH_MUST_USE gh_rc gh_wire_decode_authentication(gh_str body, gh_wire_authentication *out,
                                                gh_err *err);
GH_MUST_USE gh_rc gh_wire_decode_negotiate(gh_str body, gh_wire_negotiate *out, gh_err *err);

/* The row count at the end of a command tag (`SELECT 5`, `INSERT 0 3`); 0 where there is none. */
uint64_t gh_wire_tag_rows(gh_str tag);

/* ---- builders -------------------------------------------------------------------------------- */

/* Any message: begin, append the body with gh_buf_put_*, end with what begin returned. */
size_t gh_wire_begin(gh_buf *b, uint8_t type);
void gh_wire_end(gh_buf *b, size_t start);
/* A protocol String; fails the buffer where s holds a NUL. */
void gh_wire_put_string(gh_buf *b, gh_str s);
/* A message without contents, of either side: GH_WIRE_B_PARSE_COMPLETE, GH_WIRE_F_SYNC ... */
void gh_wire_put_empty(gh_buf *b, uint8_t type);

typedef enum gh_wire_severity {
    GH_WIRE_ERROR = 0,
    GH_WIRE_FATAL,
    GH_WIRE_PANIC,
    GH_WIRE_WARNING,
    GH_WIRE_NOTICE,
    GH_WIRE_INFO,
    GH_WIRE_DEBUG,
    GH_WIRE_LOG
} gh_wire_severity;

/* ErrorResponse from what is public in *e: never its detail. An empty *e becomes XX000 "internal
 * error". */
void gh_wire_put_error(gh_buf *b, gh_wire_severity severity, const gh_err *e);
/* NoticeResponse; hint may be NULL. */
void gh_wire_put_notice(gh_buf *b, gh_wire_severity severity, const char *sqlstate,
                        const char *message, const char *hint);
/* ErrorResponse or NoticeResponse (by type) with exactly the fields that are set. */
void gh_wire_put_fields(gh_buf *b, uint8_t type, const gh_wire_fields *f);

void gh_wire_put_auth_sasl(gh_buf *b, const char *const *mechanisms, size_t mechanisms_len);
void gh_wire_put_auth(gh_buf *b, uint32_t code,
                      gh_str data); /* OK (no data), SASL_CONTINUE, SASL_FINAL */
void gh_wire_put_parameter_status(gh_buf *b, gh_str name, gh_str value);
void gh_wire_put_key_data(gh_buf *b, uint32_t pid, gh_str key);
void gh_wire_put_ready(gh_buf *b, char tx_status);
/* Says 3.GH_WIRE_MINOR_MAX, or the client's minor if that is lower, and the `_pq_.` names. */
void gh_wire_put_negotiate(gh_buf *b, const gh_wire_startup *s);
void gh_wire_put_command_complete(gh_buf *b, gh_str tag);
void gh_wire_put_row_description(gh_buf *b, const gh_wire_column *columns, size_t columns_len);
/* A column of type text in text format, for results that the proxy makes itself. */
gh_wire_column gh_wire_text_column(gh_str name);
void gh_wire_put_data_row(gh_buf *b, const gh_wire_value *values, size_t values_len);
void gh_wire_put_parameter_description(gh_buf *b, const uint32_t *types, size_t types_len);

void gh_wire_put_ssl_request(gh_buf *b);
void gh_wire_put_startup(gh_buf *b, uint32_t version, const gh_wire_param *params,
                         size_t params_len);
void gh_wire_put_cancel(gh_buf *b, uint32_t pid, gh_str key);
void gh_wire_put_query(gh_buf *b, gh_str sql);
void gh_wire_put_parse(gh_buf *b, gh_str name, gh_str sql, gh_wire_ints types);
void gh_wire_put_bind(gh_buf *b, gh_str portal, gh_str statement,
                      gh_str tail); /* tail: of a decoded Bind */
/* All parameters as text, all results in result_format. */
void gh_wire_put_bind_text(gh_buf *b, gh_str portal, gh_str statement, const gh_wire_value *values,
                           size_t values_len, uint16_t result_format);
void gh_wire_put_describe(gh_buf *b, char kind, gh_str name);
void gh_wire_put_close(gh_buf *b, char kind, gh_str name);
void gh_wire_put_execute(gh_buf *b, gh_str portal, uint32_t rows_max);
void gh_wire_put_copy_data(gh_buf *b, gh_str data);
void gh_wire_put_copy_fail(gh_buf *b, gh_str reason);
void gh_wire_put_password(gh_buf *b, gh_str password);
void gh_wire_put_sasl_initial(gh_buf *b, gh_str mechanism, gh_str response);
void gh_wire_put_sasl_response(gh_buf *b, gh_str data);

#endif
