/*
 * startup.c: from the first byte to a startup packet that may try to log in.
 *
 * SECURITY: bytes that came in plaintext behind an SSLRequest are not the client's for sure; where
 * there are any, the connection ends (CVE-2021-23214). Attack: tests/protocol, injected_before_tls.
 */
#include "session_priv.h"

#include <stdlib.h>

void gh_session_hello(gh_session *s)
{
    bool is_hello = false;
    gh_err err = { 0 };
    gh_rc rc = gh_tls_peek_hello(s->client.fd, &is_hello, &err);

    if (rc == GH_AGAIN)
        return;
    if (rc != GH_OK) {
        gh_session_close(s);
        return;
    }
    if (!is_hello) {
        s->state = GH_SESSION_GREETING;
        gh_session_read_client(s);
        return;
    }
    rc = gh_tls_accept(s->tls, &s->client, true, &err);
    if (rc != GH_OK) {
        gh_session_close(s);
        return;
    }
    s->has_ssl_answer = true;
    s->state = GH_SESSION_TLS_SHAKE;
    gh_session_shake(s);
}

void gh_session_shake(gh_session *s)
{
    gh_err err = { 0 };
    gh_rc rc = gh_tls_handshake(&s->client, &err);

    if (rc == GH_AGAIN)
        return;
    if (rc != GH_OK) {
        gh_log(GH_INFO, "tls.failed", "peer=%s cause=\"%s\"", s->peer, err.detail);
        gh_session_close(s);
        return;
    }
    s->state = GH_SESSION_GREETING;
    gh_session_read_client(s);
}

/* A CancelRequest is acted on and answered with nothing. */
static void take_cancel(gh_session *s)
{
    gh_cancel_request(s->env->o.cancels, s->login->startup.cancel_pid,
                      s->login->startup.cancel_key);
    gh_session_close(s);
}

static void take_ssl_request(gh_session *s, bool has_more)
{
    gh_err err = { 0 };

    if (has_more) {
        gh_session_fatal_text(s, "08P01", "received unencrypted data after SSL request");
        return;
    }
    s->has_ssl_answer = true;
    gh_buf_put_u8(gh_session_out(s), s->tls != NULL ? 'S' : 'N');
    if (!gh_session_flush_client(s) || s->tls == NULL)
        return;
    if (s->out.len > 0 || gh_tls_accept(s->tls, &s->client, false, &err) != GH_OK) {
        gh_session_close(s);
        return;
    }
    s->state = GH_SESSION_TLS_SHAKE;
    gh_session_shake(s);
}

static void take_gss_request(gh_session *s, bool has_more)
{
    if (has_more) {
        gh_session_fatal_text(s, "08P01",
                              "received unencrypted data after GSSAPI encryption request");
        return;
    }
    s->has_gss_answer = true;
    gh_buf_put_u8(gh_session_out(s), 'N');
    (void)gh_session_flush_client(s);
}

static void take_startup_message(gh_session *s)
{
    gh_session_env *env = s->env;

    if (env->o.tls_mode == GH_SESSION_TLS_REQUIRE && !gh_stream_has_tls(&s->client)) {
        gh_session_fatal_text(s, "28000", "no entry for this host without encryption: use TLS");
        return;
    }
    if (s->login->startup.wants_replication) {
        gh_session_fatal_text(s, "42501", "permission denied to start WAL sender");
        return;
    }
    if (env->is_draining) {
        gh_session_fatal_text(s, "57P03", "the proxy is shutting down");
        return;
    }
    if (atomic_load_explicit(env->o.clients, memory_order_relaxed) >= env->o.clients_max) {
        gh_session_fatal_text(s, "53300", "sorry, too many clients already");
        return;
    }
    s->minor =
        s->login->startup.minor < GH_WIRE_MINOR_MAX ? s->login->startup.minor : GH_WIRE_MINOR_MAX;
    if (gh_wire_needs_negotiation(&s->login->startup))
        gh_wire_put_negotiate(gh_session_out(s), &s->login->startup);
    gh_session_begin_auth(s);
}

size_t gh_session_take_startup(gh_session *s, gh_str bytes)
{
    gh_wire_frame f;
    gh_err err = { 0 };
    gh_rc rc = gh_wire_frame_startup(bytes, &f, &err);
    size_t len;

    if (rc == GH_AGAIN || (rc == GH_OK && f.missing > 0))
        return 0;
    if (rc != GH_OK) {
        gh_session_fatal(s, &err);
        return bytes.len;
    }
    len = gh_wire_frame_len(&f);
    gh_arena_free(s->login->arena);
    s->login->arena = gh_arena_new(4 * GH_WIRE_STARTUP_MAX * sizeof(gh_wire_param));
    rc = gh_wire_decode_startup(s->login->arena, f.body, s->has_ssl_answer, s->has_gss_answer,
                                &s->login->startup, &err);
    if (rc != GH_OK) {
        gh_session_record_failure(s, &err);
        gh_session_fatal(s, &err);
        return len;
    }
    switch (s->login->startup.kind) {
    case GH_WIRE_SSL_REQUEST:
        take_ssl_request(s, len < bytes.len);
        return len;
    case GH_WIRE_GSSENC_REQUEST:
        take_gss_request(s, len < bytes.len);
        return len;
    case GH_WIRE_CANCEL_REQUEST:
        take_cancel(s);
        return len;
    case GH_WIRE_STARTUP_MESSAGE:
        take_startup_message(s);
        return len;
    case GH_WIRE_STARTUP_NONE:
        break;
    }
    gh_session_fatal_text(s, "08P01", "invalid startup packet");
    return len;
}
