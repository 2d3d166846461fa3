/*
 * The exchange. Four messages, in RFC 5802's words:
 *
 *     client-first   gs2-header n=<ignored>,r=<client nonce>
 *                    gs2-header: n,,  y,,  or  p=<type>,,
 *     server-first   r=<client nonce><server nonce>,s=<salt>,i=<iterations>
 *     client-final   c=<base64 of gs2-header and binding>,r=<both nonces>,p=<proof>
 *     server-final   v=<signature>
 *
 *     FIRST ──client-first──▶ FINAL ──client-final, proof holds──▶ DONE
 *       │ (an empty one asks for an empty challenge and stays)
 *       └─────── anything else, anywhere ─────────────────────────▶ FAILED, for good
 *
 * The user's name inside the exchange is ignored, as in PostgreSQL: the startup packet's counts.
 */
#include "auth_priv.h"

#include <stdlib.h>

#define MECHANISM      "SCRAM-SHA-256"
#define MECHANISM_PLUS "SCRAM-SHA-256-PLUS"
#define BINDING_TYPE   "tls-server-end-point"

typedef enum scram_state { SCRAM_FAILED = 0, SCRAM_FIRST, SCRAM_FINAL, SCRAM_DONE } scram_state;

struct gh_auth_scram {
    scram_state state;
    bool has_started; /* the mechanism is chosen */
    bool uses_plus;
    bool is_known; /* the verifier is a user's, not a mock */
    char gs2_flag; /* 'n', 'y' or 'p', as the client said */
    gh_auth_verifier verifier;
    gh_buf user;
    gh_buf cert_hash;         /* empty: -PLUS is not offered */
    gh_buf nonce;             /* ours until client-first came, then the client's and ours */
    gh_buf client_first_bare; /* what the signatures are over */
    gh_buf server_first;
};

size_t gh_auth_mechanisms(bool offers_plus, const char *out[2])
{
    size_t n = 0;

    if (offers_plus)
        out[n++] = MECHANISM_PLUS;
    out[n++] = MECHANISM;
    return n;
}

gh_auth_scram *gh_auth_scram_new(const gh_auth_scram_args *args)
{
    gh_auth_scram *s = gh_alloc(sizeof(*s));
    gh_auth_verifier mock;

    /* The mock is made for known users too: the time until the first answer must not tell the two
     * apart. */
    auth_verifier_mock(args->mock_secret, args->user, &mock);
    s->is_known = args->verifier != NULL;
    s->verifier = s->is_known ? *args->verifier : mock;
    gh_buf_put_str(&s->user, args->user);
    gh_buf_put_str(&s->cert_hash, args->cert_hash);
    auth_put_base64(&s->nonce, args->nonce, GH_AUTH_NONCE_LEN);
    s->state = SCRAM_FIRST;
    gh_cleanse(&mock, sizeof(mock));
    return s;
}

void gh_auth_scram_free(gh_auth_scram *s)
{
    if (s == NULL)
        return;
    gh_buf_fini(&s->user);
    gh_buf_fini(&s->cert_hash);
    gh_buf_fini(&s->nonce);
    gh_buf_fini(&s->client_first_bare);
    gh_buf_fini(&s->server_first);
    gh_cleanse(s, sizeof(*s));
    free(s);
}

/* PostgreSQL's public text for all of these; what exactly was wrong is for operators. */
static gh_rc malformed(const char *detail, gh_err *err)
{
    gh_rc rc = gh_fail(err, GH_BADMSG, "08P01", "malformed SCRAM message");

    gh_err_detail(err, "%s", detail);
    return rc;
}

/* ---- attributes ------------------------------------------------------------------------------ */

/* `<letter>=<value>`, up to a comma or the end; the comma is taken too. False: it is not there. */
static bool read_any_attr(gh_str *text, char *letter, gh_str *value)
{
    const char *comma;
    size_t len;

    if (text->len < 2 || text->ptr[1] != '=')
        return false;
    *letter = text->ptr[0];
    if (!((*letter >= 'a' && *letter <= 'z') || (*letter >= 'A' && *letter <= 'Z')))
        return false;
    comma = memchr(text->ptr, ',', text->len);
    len = comma == NULL ? text->len : (size_t)(comma - text->ptr);
    *value = (gh_str){ text->ptr + 2, len - 2 };
    if (comma != NULL)
        len++;
    text->ptr += len;
    text->len -= len;
    return true;
}

static bool read_attr(gh_str *text, char letter, gh_str *value)
{
    gh_str rest = *text;
    char found;

    if (!read_any_attr(&rest, &found, value) || found != letter)
        return false;
    *text = rest;
    return true;
}

/* RFC 5802's "printable": a nonce goes back to the client inside our own message. */
static bool is_printable(gh_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < 0x21 || s.ptr[i] > 0x7E)
            return false;
    }
    return s.len > 0;
}

/* ---- client-first ---------------------------------------------------------------------------- */

/*
 * The gs2 flag: what the client knows of channel binding.
 *
 * SECURITY: 'y' says "I can bind, but you do not offer it". If we do offer it, somebody between us
 * took -PLUS out of the list to be able to sit in the middle. Test: tests/unit/auth,
 * downgrade_is_refused.
 */
static gh_rc read_gs2_flag(gh_auth_scram *s, gh_str *text, gh_err *err)
{
    gh_str type;

    s->gs2_flag = text->ptr[0];
    switch (s->gs2_flag) {
    case 'n':
    case 'y':
        if (s->uses_plus)
            return malformed("SCRAM-SHA-256-PLUS without channel binding data", err);
        if (s->gs2_flag == 'y' && s->cert_hash.len > 0) {
            gh_rc rc = gh_fail(err, GH_DENIED, "28000", "SCRAM channel binding negotiation error");

            gh_err_detail(
                err, "the client supports channel binding but was told that the server does not");
            return rc;
        }
        if (text->len < 2 || text->ptr[1] != ',')
            return malformed("no comma behind the channel-binding flag", err);
        text->ptr += 2;
        text->len -= 2;
        return GH_OK;
    case 'p':
        if (!s->uses_plus)
            return malformed("SCRAM-SHA-256 with channel binding data", err);
        if (!read_attr(text, 'p', &type))
            return malformed("no channel-binding type", err);
        if (!gh_str_is(type, BINDING_TYPE))
            return gh_fail(err, GH_BADMSG, "08P01",
                           "unsupported SCRAM channel-binding type \"" GH_STR_FMT "\"",
                           GH_STR_ARG(type));
        return GH_OK;
    }
    return malformed("unexpected channel-binding flag", err);
}

static gh_rc read_client_first(gh_auth_scram *s, gh_str text, gh_err *err)
{
    gh_buf ours = s->nonce;
    gh_str ignored, nonce;
    gh_rc rc;
    char letter;

    rc = read_gs2_flag(s, &text, err);
    if (rc != GH_OK)
        return rc;
    if (text.len > 0 && text.ptr[0] == 'a')
        return gh_fail(err, GH_BADMSG, "0A000",
                       "client uses authorization identity, but it is not supported");
    if (text.len == 0 || text.ptr[0] != ',')
        return malformed("unexpected attribute in client-first-message", err);
    text.ptr++;
    text.len--;
    gh_buf_put_str(&s->client_first_bare, text);
    if (text.len > 0 && text.ptr[0] == 'm')
        return gh_fail(err, GH_BADMSG, "0A000", "client requires an unsupported SCRAM extension");
    if (!read_attr(&text, 'n', &ignored) || !read_attr(&text, 'r', &nonce))
        return malformed("no user name or no nonce in client-first-message", err);
    if (!is_printable(nonce))
        return gh_fail(err, GH_BADMSG, "08P01", "non-printable characters in SCRAM nonce");
    while (text.len > 0) { /* optional extensions are allowed and ignored */
        if (!read_any_attr(&text, &letter, &ignored))
            return malformed("malformed extension in client-first-message", err);
    }
    gh_buf_init(&s->nonce, 0);
    gh_buf_put_str(&s->nonce, nonce);
    gh_buf_put_str(&s->nonce, gh_buf_str(&ours));
    gh_buf_fini(&ours);
    return GH_OK;
}

static void put_server_first(gh_auth_scram *s, gh_buf *out)
{
    gh_buf_puts(&s->server_first, "r=");
    gh_buf_put_str(&s->server_first, gh_buf_str(&s->nonce));
    gh_buf_puts(&s->server_first, ",s=");
    auth_put_base64(&s->server_first, s->verifier.salt, s->verifier.salt_len);
    gh_buf_printf(&s->server_first, ",i=%u", s->verifier.iterations);
    gh_buf_put_str(out, gh_buf_str(&s->server_first));
}

/* ---- client-final ---------------------------------------------------------------------------- */

/* The client's `c=` must repeat the gs2 header, and for -PLUS hold the hash of our certificate. */
static gh_rc check_binding(const gh_auth_scram *s, gh_str given, gh_err *err)
{
    gh_buf plain, expected;
    bool is_equal;

    gh_buf_init(&plain, 0);
    gh_buf_init(&expected, 0);
    if (s->uses_plus) {
        gh_buf_puts(&plain, "p=" BINDING_TYPE ",,");
        gh_buf_put_str(&plain, gh_buf_str(&s->cert_hash));
    } else {
        gh_buf_puts(&plain, s->gs2_flag == 'y' ? "y,," : "n,,");
    }
    auth_put_base64(&expected, plain.ptr, plain.len);
    is_equal = given.len == expected.len && gh_secret_eq(given.ptr, expected.ptr, given.len);
    gh_buf_fini(&plain);
    gh_buf_fini(&expected);
    if (is_equal)
        return GH_OK;
    if (s->uses_plus)
        return gh_fail(err, GH_DENIED, "28000", "SCRAM channel binding check failed");
    return gh_fail(err, GH_BADMSG, "08P01",
                   "unexpected SCRAM channel-binding attribute in client-final-message");
}

/* Takes client-final apart; `signed_part` is all of it before `,p=`. */
static gh_rc read_client_final(const gh_auth_scram *s, gh_str text, gh_str *signed_part,
                               uint8_t proof[GH_AUTH_KEY_LEN], gh_err *err)
{
    const char *start = text.ptr;
    gh_str binding, nonce, value;
    size_t proof_len = 0;
    char letter = '\0';
    gh_rc rc;

    if (!read_attr(&text, 'c', &binding))
        return malformed("no channel-binding attribute in client-final-message", err);
    rc = check_binding(s, binding, err);
    if (rc != GH_OK)
        return rc;
    if (!read_attr(&text, 'r', &nonce))
        return malformed("no nonce in client-final-message", err);
    while (letter != 'p') {
        *signed_part = (gh_str){ start, (size_t)(text.ptr - start) };
        if (!read_any_attr(&text, &letter, &value))
            return malformed("no proof in client-final-message", err);
    }
    GH_ASSERT(signed_part->len > 0);
    signed_part->len--; /* the comma before p= */
    if (!auth_read_base64(value, proof, GH_AUTH_KEY_LEN, &proof_len) ||
        proof_len != GH_AUTH_KEY_LEN)
        return malformed("malformed proof in client-final-message", err);
    if (text.len > 0 || start[text.ptr - start - 1] == ',')
        return malformed("garbage found at the end of client-final-message", err);
    if (nonce.len != s->nonce.len || !gh_secret_eq(nonce.ptr, s->nonce.ptr, nonce.len)) {
        rc = gh_fail(err, GH_BADMSG, "08P01", "invalid SCRAM response");
        gh_err_detail(err, "the nonce does not match");
        return rc;
    }
    return GH_OK;
}

/*
 * ClientKey = proof XOR HMAC(StoredKey, AuthMessage) must hash to StoredKey. Writes server-final's
 * signature whether or not it does.
 */
static bool proof_holds(const gh_auth_scram *s, gh_str signed_part,
                        const uint8_t proof[GH_AUTH_KEY_LEN], uint8_t signature[GH_AUTH_KEY_LEN])
{
    uint8_t client_key[GH_AUTH_KEY_LEN];
    uint8_t stored_key[GH_AUTH_KEY_LEN];
    gh_buf message;
    bool is_equal;

    gh_buf_init(&message, 0);
    gh_buf_put_str(&message, gh_buf_str(&s->client_first_bare));
    gh_buf_puts(&message, ",");
    gh_buf_put_str(&message, gh_buf_str(&s->server_first));
    gh_buf_puts(&message, ",");
    auth_hmac(s->verifier.stored_key, GH_AUTH_KEY_LEN, gh_buf_str(&message), signed_part,
              client_key);
    auth_hmac(s->verifier.server_key, GH_AUTH_KEY_LEN, gh_buf_str(&message), signed_part,
              signature);
    gh_buf_fini(&message);
    for (size_t i = 0; i < GH_AUTH_KEY_LEN; i++)
        client_key[i] = (uint8_t)(client_key[i] ^ proof[i]);
    auth_sha256(client_key, sizeof(client_key), stored_key);
    is_equal = gh_secret_eq(stored_key, s->verifier.stored_key, GH_AUTH_KEY_LEN);
    gh_cleanse(client_key, sizeof(client_key));
    return is_equal;
}

static gh_rc finish(gh_auth_scram *s, gh_str text, gh_buf *out, gh_err *err)
{
    uint8_t proof[GH_AUTH_KEY_LEN];
    uint8_t signature[GH_AUTH_KEY_LEN];
    gh_str signed_part = { NULL, 0 };
    bool is_right;
    gh_rc rc;

    rc = read_client_final(s, text, &signed_part, proof, err);
    if (rc != GH_OK)
        return rc;
    is_right = proof_holds(s, signed_part, proof, signature);
    /* Both are computed before either is looked at: see auth_verifier_mock. */
    if (!is_right || !s->is_known)
        return gh_fail(err, GH_DENIED, "28P01",
                       "password authentication failed for user \"" GH_STR_FMT "\"",
                       GH_STR_ARG(gh_buf_str(&s->user)));
    gh_buf_puts(out, "v=");
    auth_put_base64(out, signature, sizeof(signature));
    return GH_OK;
}

/* ---- the machine ----------------------------------------------------------------------------- */

gh_rc gh_auth_scram_step(gh_auth_scram *s, gh_str data, gh_buf *out, gh_err *err)
{
    scram_state state = s->has_started ? s->state : SCRAM_FAILED;
    gh_rc rc;

    s->state = SCRAM_FAILED; /* until this step has succeeded */
    if (data.len > GH_AUTH_SASL_BYTES_MAX)
        return gh_fail(err, GH_BADMSG, "08P01", "invalid message length");
    if (data.len == 0)
        return malformed("the message is empty", err);
    if (memchr(data.ptr, '\0', data.len) != NULL)
        return malformed("message length does not match input length", err);
    switch (state) {
    case SCRAM_FIRST:
        rc = read_client_first(s, data, err);
        if (rc != GH_OK)
            return rc;
        put_server_first(s, out);
        s->state = SCRAM_FINAL;
        return GH_AGAIN;
    case SCRAM_FINAL:
        rc = finish(s, data, out, err);
        if (rc == GH_OK)
            s->state = SCRAM_DONE;
        return rc;
    case SCRAM_FAILED:
    case SCRAM_DONE:
        break;
    }
    return malformed("the exchange is over", err);
}

bool gh_auth_scram_wants_proof(const gh_auth_scram *s)
{
    return s->has_started && s->state == SCRAM_FINAL;
}

gh_rc gh_auth_scram_start(gh_auth_scram *s, const gh_wire_sasl_initial *msg, gh_buf *out,
                          gh_err *err)
{
    bool wants_plus = gh_str_is(msg->mechanism, MECHANISM_PLUS);

    if (s->has_started || (!wants_plus && !gh_str_is(msg->mechanism, MECHANISM)) ||
        (wants_plus && s->cert_hash.len == 0)) {
        s->state = SCRAM_FAILED;
        return gh_fail(err, GH_BADMSG, "08P01",
                       "client selected an invalid SASL authentication mechanism");
    }
    s->has_started = true;
    s->uses_plus = wants_plus;
    if (!msg->has_response)
        return GH_AGAIN; /* an empty challenge asks for client-first */
    return gh_auth_scram_step(s, msg->response, out, err);
}
