/*
 * tls: bytes over a socket, encrypted or not. A gh_stream is what a session reads from and writes
 * to, on both of its sides; the only owner of OpenSSL's SSL.
 *
 *     client ── fd ──▶ gh_stream_init ────────── plain ─────────┐
 *                  └─▶ gh_tls_accept ──handshake── TLS ─────────┼──▶ gh_stream_read / gh_stream_write
 *     upstream ── fd (+ libpq's SSL) ──▶ gh_stream_take ────────┤
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

struct ssl_st;        /* OpenSSL's SSL */
struct x509_store_st; /* OpenSSL's X509_STORE */

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
    bool is_dry;     /* the last read took all there was, but for half a record */
} gh_stream;

/* Takes over a connected, non-blocking socket, in plaintext. */
void gh_stream_init(gh_stream *s, int fd);
/* Borrows a socket and, if not NULL, an SSL over it. */
void gh_stream_adopt(gh_stream *s, int fd, void *ssl);
/*
 * Takes a socket, and if not NULL the SSL over it (PQsslStruct), away from libpq, whose buffers an
 * idle session need not keep. What libpq is left with leads nowhere: PQfinish comes next, reaches
 * no server, and then gh_stream_taken makes the stream usable. No loop may still watch fd. GH_IO:
 * no descriptor is free; nothing was taken.
 */
GH_MUST_USE gh_rc gh_stream_take(gh_stream *s, int fd, void *ssl, gh_err *err);
void gh_stream_taken(gh_stream *s);
/*
 * libpq reads the trusted certificates anew for each connection, and a system's bundle takes a
 * megabyte. Where this stream's are the same as *shared it uses those and frees its own; else they
 * become *shared. One thread; the last one is let go by gh_tls_release_trust.
 */
void gh_stream_share_trust(const gh_stream *s, struct x509_store_st **shared);
void gh_tls_release_trust(struct x509_store_st *shared); /* NULL is fine */
/*
 * Sends close_notify if it fits, frees and closes what the stream owns; NULL and zeroed are fine.
 */
void gh_stream_fini(gh_stream *s);

GH_MUST_USE gh_rc gh_stream_read(gh_stream *s, void *buf, size_t cap, size_t *got, gh_err *err);
GH_MUST_USE gh_rc gh_stream_write(gh_stream *s, const void *buf, size_t len, size_t *put,
                                  gh_err *err);
/* True: read again before sleeping on the descriptor: there are bytes, or the stream ended. */
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

/* Which name in a client's certificate says whose it is. */
typedef enum gh_tls_name {
    GH_TLS_NAME_CN = 0, /* the subject's only common name */
    GH_TLS_NAME_DN,     /* the whole subject, RFC 2253: CN=alice,OU=BI,O=Example */
    GH_TLS_NAME_DNS,    /* a subjectAltName of that kind, one of several */
    GH_TLS_NAME_EMAIL,
    GH_TLS_NAME_URI
} gh_tls_name;

/* A name in a certificate and the user that it stands for. */
typedef struct gh_tls_mapping {
    gh_str name;
    gh_str user;
} gh_tls_mapping;

typedef struct gh_tls_options {
    gh_str cert_file;       /* PEM, the chain, leaf first */
    gh_str key_file;        /* PEM, not encrypted */
    gh_str client_ca_file;  /* empty: client certificates are not asked for */
    gh_str client_crl_file; /* PEM, one for each CA of client_ca_file; empty: none is looked at */
    gh_tls_name client_name;
    const gh_tls_mapping *client_map; /* copied; with none a name is the user's own, else only what
                                         is listed names anyone */
    size_t client_map_len;
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
} gh_tls_info;
/* Zeroed, with empty strings, for a plain stream. */
void gh_tls_info_get(const gh_stream *s, gh_tls_info *out);

typedef enum gh_tls_client {
    GH_TLS_CLIENT_NONE = 0, /* no certificate, or none that was verified */
    GH_TLS_CLIENT_OTHER,    /* a good one that does not name the user */
    GH_TLS_CLIENT_IS_USER
} gh_tls_client;

#define GH_TLS_IDENTITY_MAX 512 /* bytes of a name, with its NUL; a longer one names nobody */

/*
 * Is the client of this stream, by its verified certificate, `user`? `identity`
 * (GH_TLS_IDENTITY_MAX) gets the name that says so, or the first one that says something else, or
 * nothing.
 */
GH_MUST_USE gh_tls_client gh_tls_client_check(const gh_tls_server *t, const gh_stream *s,
                                              gh_str user, char *identity);

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
