/*
 * signal.c: the answer to pg_cancel_backend and pg_terminate_backend. The upstream was asked for the process id that
 * they are to signal (rewrite/signal.c); the session it belongs to is signalled when the row comes by, and whether it
 * was is what the client sees.
 *
 *     T  int8 ▶ boolean       D  4711 ▶ t
 */
#include "session_priv.h"

#include <stdlib.h>

/* The process id's type, int8, becomes that of what is shown for it. */
bool gh_session_signal_description(const gh_plan *p, char *body, size_t len)
{
    static const char is_bool[] = { 0, 0, 0, 16, 0, 1 };
    gh_rd r = { body, body + len, false };
    uint16_t count = gh_rd_u16(&r);
    char *at;

    if (p == NULL || p->signal == GH_SIGNAL_NONE)
        return true;
    (void)gh_rd_cstr(&r);
    (void)gh_rd_bytes(&r, 6);
    at = body + (r.pos - body);
    (void)gh_rd_bytes(&r, 12);
    if (r.failed || count != 1)
        return false;
    memcpy(at, is_bool, sizeof(is_bool));
    return true;
}

/* An int8 in either format: the digits of one never begin as the bytes of the other. False: it is none. */
static bool read_pid(gh_str value, bool *is_binary, int64_t *pid)
{
    uint64_t bits = 0;
    char digits[24];
    char *end;

    *is_binary = value.len == 8 && (value.ptr[0] == '\0' || value.ptr[0] == '\xff');
    if (*is_binary) {
        for (size_t i = 0; i < 8; i++)
            bits = bits << 8 | (unsigned char)value.ptr[i];
        *pid = (int64_t)bits;
        return true;
    }
    if (value.len == 0 || value.len >= sizeof(digits))
        return false;
    memcpy(digits, value.ptr, value.len);
    digits[value.len] = '\0';
    *pid = strtoll(digits, &end, 10);
    return *end == '\0';
}

gh_answer gh_session_signal_row(gh_session *s, gh_expect *e, const gh_plan *p, gh_str body)
{
    gh_rd r = { body.ptr, body.ptr + body.len, false };
    uint16_t count = gh_rd_u16(&r);
    uint32_t len = gh_rd_u32(&r);
    bool is_null = len == UINT32_MAX;
    gh_str value = is_null ? (gh_str){ NULL, 0 } : gh_rd_bytes(&r, len);
    bool is_binary;
    bool is_sent;
    int64_t pid;
    gh_buf *out;
    size_t at;

    if (count != 1 || !gh_rd_finish(&r) || (!is_null && !read_pid(value, &is_binary, &pid)))
        return GH_ANSWER_BROKEN;
    e->rows++;
    e->bytes += body.len + 5;
    if (is_null)
        return GH_ANSWER_RELAY;
    is_sent = gh_cancel_signal(s, pid, p->signal);
    out = gh_session_out(s);
    at = gh_wire_begin(out, GH_WIRE_B_DATA_ROW);
    gh_buf_put_u16(out, 1);
    gh_buf_put_u32(out, 1);
    if (is_binary)
        gh_buf_put_u8(out, is_sent ? 1 : 0);
    else
        gh_buf_put_u8(out, is_sent ? 't' : 'f');
    gh_wire_end(out, at);
    return GH_ANSWER_DROP;
}
