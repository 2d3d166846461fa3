/*
 * tls: bytes over a socket, encrypted or not. A gh_stream is what a session reads from and writes
 * to, on both of its sides; the only owner of OpenSSL's SSL.
 *
 *     client ── fd ──▶ gh_stream_init ────────── plain ─────────┐
 *                  └─▶ gh_tls_accept ──handshake── TLS ─────────┼──▶ gh_stream_read / gh_stream_write
 *     upstream ── fd (+ libpq's SSL) ──▶ gh_stream_adopt ───────┤
 *              └─ fd ──▶ gh_tls_connect_like ──handshake────────┘
 *
 * Every call is non-blocking and answers
 *     GH_OK      some bytes moved (at least one)
 *     GH_AGAIN   none: wait until the descriptor is what `wants` says (TLS may need to write in
 *                order to read), then make the same call again
 *     GH_CLOSED  the peer ended the stream (end of file, close_notify, reset)
 *     GH_IO      a failure; the stream is unusable
 *
 * The pitfall: OpenSSL may hold decrypted bytes, or whole records, while the descriptor is quiet.
 * Before sleeping, read until GH_AGAIN, or, when stopping early, ask gh_stream_pending and
 * gh_watch_wake.
 *
 * Memory: a gh_stream is the caller's storage; an idle TLS stream keeps no record buffers.
 * gh_tls_server is a counted, immutable snapshot: a reload makes a new one, open streams keep
 * theirs.
 * Threads: a stream belongs to one thread at a time; a gh_tls_server is shared. SIGPIPE must be
 * ignored (gh_loop_new does so).
 * Source: PostgreSQL documentation, "SSL Session Encryption" (protocol flow); RFC 5929 section 4;
 * RFC 7301.
 */
#ifndef GATEHOUSE_TLS_H
#define GATEHOUSE_TLS_H

#include <gatehouse/base.h>

struct ssl_st; /* OpenSSL's SSL */

#define GH_WANTS_READ  1u /* equal to loop's GH_READABLE and GH_WRITABLE */
#define GH_WANTS_WRITE 2u

/* Zeroed is no stream: reads and writes of it fail. Fields are read-only outside tls. */
typedef struct gh_stream {
    struct ssl_st *ssl; /* NULL: plain */
    int fd;
    uint8_t wants; /* after GH_AGAIN */
    bool is_open;
    bool is_adopted; /* fd and ssl belong to someone else: fini closes nothing */
    bool needs_alpn; /* direct TLS: the handshake must have agreed on one */
    bool is_broken;  /* TLS failed: not to be shut down in an orderly way */
} gh_stream;

/* Takes over a connected, non-blocking socket, in plaintext. */
void gh_stream_init(gh_stream *s, int fd);
/* Borrows a socket and, if not NULL, the SSL over it that libpq made (PQsslStruct). */
void gh_stream_adopt(gh_stream *s, int fd, void *ssl);
/*
 * Sends close_notify if it fits, frees and closes what the stream owns; NULL and zeroed are fine.
 */
void gh_stream_fini(gh_stream *s);

GH_MUST_USE gh_rc gh_stream_read(gh_stream *s, void *buf, size_t cap, size_t *got, gh_err *err);
GH_MUST_USE gh_rc gh_stream_write(gh_stream *s, const void *buf, size_t len, size_t *put,
                                  gh_err *err);
/* True: read again before sleeping on the descriptor. It may then say GH_AGAIN (half a record). */
bool gh_stream_pending(const gh_stream *s);
/*
 * Whether nothing can be read now, without consuming anything of a plain stream. False as well when
 * closed.
 */
bool gh_stream_is_quiet(gh_stream *s);
static inline bool gh_stream_has_tls(const gh_stream *s)
{
    return s->ssl != NULL;
}

/* ---- TLS: serving clients ------------------------------------------------------------------- */

typedef struct gh_tls_server gh_tls_server;

typedef struct gh_tls_options {
    gh_str cert_file;      /* PEM, the chain, leaf first */
    gh_str key_file;       /* PEM, not encrypted */
    gh_str client_ca_file; /* empty: client certificates are not asked for */
} gh_tls_options;

/*
 * TLS 1.2 and 1.3, AEAD suites, no renegotiation, no compression, no session tickets and no session
 * cache (a ticket key would outlive the sessions it protects). The key file must be a regular file,
 * owned by this user without access for group and others, or by root with at most group read.
 * SECURITY: a world-readable key lets any local user impersonate the proxy and read passwords'
 * proofs.
 * Attack: tests/unit/tls/test_server.c, key_permissions.
 */
GH_MUST_USE gh_rc gh_tls_server_new(const gh_tls_options *options, gh_tls_server **out,
                                    gh_err *err);
gh_tls_server *gh_tls_server_acquire(gh_tls_server *t);
void gh_tls_server_release(gh_tls_server *t); /* NULL is fine */
/*
 * The certificate's hash for the channel binding `tls-server-end-point`; empty when the
 * certificate's signature algorithm has none (Ed25519): then SCRAM-SHA-256-PLUS must not be
 * offered.
 */
gh_str gh_tls_server_end_point(const gh_tls_server *t);

/*
 * What the client's first byte says, left in the socket. `*is_hello`: a TLS ClientHello, that is,
 * direct TLS. GH_AGAIN until a byte has come.
 */
GH_MUST_USE gh_rc gh_tls_peek_hello(int fd, bool *is_hello, gh_err *err);
/*
 * Starts TLS on a plain stream as its server. is_direct: no SSLRequest came before, so the client
 * must offer ALPN `postgresql`; any client that offers ALPN without it is refused.
 * SECURITY: bytes that were read from the plain stream and not yet used must be none when this is
 * called, or what a man in the middle sent ahead in plaintext is taken for the client's own
 * (CVE-2021-23214). The caller checks that: read no more than the SSLRequest's 8 bytes.
 */
GH_MUST_USE gh_rc gh_tls_accept(gh_tls_server *t, gh_stream *s, bool is_direct, gh_err *err);
/* GH_OK once established; GH_AGAIN with `wants`. */
GH_MUST_USE gh_rc gh_tls_handshake(gh_stream *s, gh_err *err);

typedef struct gh_tls_info {
    const char *version; /* TLSv1.3 */
    const char *cipher;  /* TLS_AES_256_GCM_SHA384 */
    int bits;
    char client_cn[65]; /* of a verified certificate; empty: none, or one whose CN holds a NUL */
} gh_tls_info;
/* Zeroed, with empty strings, for a plain stream. */
void gh_tls_info_get(const gh_stream *s, gh_tls_info *out);

/* ---- TLS: a second connection to an upstream ------------------------------------------------ */

/*
 * Starts TLS on a plain stream as a client, with the trust, client certificate and verification of
 * `model`, an established TLS stream to the same server; then gh_tls_handshake. Where `model`
 * verifies the server's chain, so does this; and with a host (empty: any that the CA vouches for)
 * the certificate must be the very one that `model` was shown, or one for that host.
 */
GH_MUST_USE gh_rc gh_tls_connect_like(gh_stream *s, const gh_stream *model, gh_str host,
                                      gh_err *err);

#endif
