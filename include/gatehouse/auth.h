/*
 * auth: proves who a client is: SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the server's side, as
 * PostgreSQL speaks it (RFC 5802, RFC 7677, RFC 5929). Pure: randomness, the certificate's hash and
 * the mock secret come in as parameters; any thread may call it, an exchange belongs to one.
 *
 *     AuthenticationSASL with gh_auth_mechanisms ──▶
 *     ◀── SASLInitialResponse: gh_auth_scram_start
 *           GH_AGAIN   send `out` as SASLContinue, wait for SASLResponse
 *     ◀── SASLResponse: gh_auth_scram_step
 *           GH_AGAIN   the same again (the client's first message was empty)
 *           GH_OK      send `out` as SASLFinal, then AuthenticationOk
 *           else       send *err as FATAL and close
 *
 * A user that is unknown, disabled or has no verifier goes through the whole exchange with a mock
 * verifier and fails where a wrong password fails, with the same text and the same work done.
 *
 * Passwords: clients normalise theirs with SASLprep (RFC 4013), which changes nothing in ASCII.
 * Here the bytes are used as they are, as PostgreSQL does where SASLprep is not possible: a
 * non-ASCII password must be given to Gatehouse in its normalised form (NFKC), which is what
 * keyboards produce for letters.
 */
#ifndef GATEHOUSE_AUTH_H
#define GATEHOUSE_AUTH_H

#include <gatehouse/base.h>
#include <gatehouse/wire.h>

#define GH_AUTH_KEY_LEN            32   /* SHA-256 */
#define GH_AUTH_SALT_LEN           16   /* of new verifiers and of mock ones */
#define GH_AUTH_NONCE_LEN          18   /* random bytes of the server's nonce */
#define GH_AUTH_ITERATIONS_DEFAULT 4096 /* PostgreSQL's */

/* What is kept instead of a password: SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey> */
typedef struct gh_auth_verifier {
    uint32_t iterations;
    uint32_t salt_len;
    uint8_t salt[GH_AUTH_SALT_MAX];
    uint8_t stored_key[GH_AUTH_KEY_LEN];
    uint8_t server_key[GH_AUTH_KEY_LEN];
} gh_auth_verifier;

/* GH_INVALID for anything but exactly that form; the error does not quote the text. */
GH_MUST_USE gh_rc gh_auth_verifier_parse(gh_str text, gh_auth_verifier *out, gh_err *err);
void gh_auth_verifier_format(const gh_auth_verifier *v, gh_buf *out);
/* salt: random bytes. GH_INVALID: the password is empty, holds a NUL or is longer than
 * GH_AUTH_PASSWORD_MAX. */
GH_MUST_USE gh_rc gh_auth_verifier_make(gh_str password, const void *salt, size_t salt_len,
                                        uint32_t iterations, gh_auth_verifier *out, gh_err *err);

/*
 * The names for AuthenticationSASL, strongest first; returns how many (1 or 2). -PLUS is offered
 * exactly if a certificate hash is at hand, that is on TLS.
 */
size_t gh_auth_mechanisms(bool offers_plus, const char *out[2]);

typedef struct gh_auth_scram_args {
    gh_str user; /* the startup packet's; for the error's text and the mock */
    const gh_auth_verifier
        *verifier;        /* copied; NULL: there is no such user, or none that may log in */
    gh_str mock_secret;   /* SECURITY: must live as long as the users do: were it new at each start,
                             the salts that change at a restart would be those of unknown users */
    const uint8_t *nonce; /* GH_AUTH_NONCE_LEN random bytes, fresh for every exchange */
    gh_str cert_hash;     /* tls-server-end-point (RFC 5929) of our certificate; empty: no -PLUS */
} gh_auth_scram_args;

typedef struct gh_auth_scram gh_auth_scram;
GH_MUST_USE gh_auth_scram *gh_auth_scram_new(const gh_auth_scram_args *args);
void gh_auth_scram_free(gh_auth_scram *s); /* cleanses; NULL is fine */

/*
 * Both append to `out` what to send. Errors: 08P01 malformed, 28P01 wrong password or unknown user,
 * 28000 channel binding, 0A000 extensions and authorization identities. After a failure every step
 * fails.
 */
GH_MUST_USE gh_rc gh_auth_scram_start(gh_auth_scram *s, const gh_wire_sasl_initial *msg,
                                      gh_buf *out, gh_err *err);
GH_MUST_USE gh_rc gh_auth_scram_step(gh_auth_scram *s, gh_str data, gh_buf *out, gh_err *err);
/* Is what the next step judges a proof, that is, possibly a guess? */
bool gh_auth_scram_wants_proof(const gh_auth_scram *s);

/* ---- failed logins --------------------------------------------------------------------------- */

/*
 * How long who guesses has to wait. Three counts, each of which forgets a failure every
 * GH_THROTTLE_FORGET_MS:
 *
 *     this user from this address   doubles from GH_THROTTLE_FIRST_MS up to GH_THROTTLE_PAIR_MS;
 *                                   attempts queue up behind each other
 *     this user from anywhere   ┐   the same, but nobody waits longer than GH_THROTTLE_SHARED_MS:
 *     anyone from this address  ┘   who guesses can slow others down by that much, not lock them out
 *
 * Users that do not exist count as those that do. Memory is one table of a fixed size: where it is
 * full the entry with the fewest failures makes room, so that a flood of made-up names drives out
 * itself and not the ones that are being guessed.
 *
 * Threads: the workers share one; whoever calls holds the lock that goes with it.
 */
typedef struct gh_auth_throttle gh_auth_throttle;
/* key: random bytes, so that nobody can choose what shares an entry. */
GH_MUST_USE gh_auth_throttle *gh_auth_throttle_new(const uint8_t key[GH_AUTH_KEY_LEN]);
void gh_auth_throttle_free(gh_auth_throttle *t); /* NULL is fine */
/*
 * To be called with the proof at hand and before it is looked at. It counts as failed from here on,
 * so that guesses made at the same time do not pass side by side. GH_OK: look at it in `*wait_ms`.
 * GH_LIMIT: the wait would be longer than GH_THROTTLE_WAIT_MS; nothing was counted.
 */
GH_MUST_USE gh_rc gh_auth_throttle_admit(gh_auth_throttle *t, gh_str user, gh_str address,
                                         int64_t now_us, uint32_t *wait_ms, gh_err *err);
/* The proof was right after all. */
void gh_auth_throttle_succeeded(gh_auth_throttle *t, gh_str user, gh_str address, int64_t now_us);

#endif
