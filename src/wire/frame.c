/*
 * Framing: a type byte (not for startup packets) and a length that counts itself.
 *
 *     +------+--------+------------------+        +--------+------------------+
 *     | type | length | body             |        | length | body (startup)   |
 *     +------+--------+------------------+        +--------+------------------+
 *              4 bytes  length - 4 bytes
 *
 * SECURITY: the length is compared with what the type and the phase allow before anything is done
 * with it; a peer that names a gigabyte before it has logged in makes nobody wait or allocate for
 * it. Test: tests/unit/wire, frame_*_bound.
 */
#include "wire_priv.h"

#define TYPED_HEADER   5
#define STARTUP_HEADER 4
#define BACKEND_SHORT  30000u /* libpq's own bound for backend types that are short */

/* The body bytes that are buffered, and how many are not. */
static void fill_frame(gh_wire_frame *out, uint8_t type, size_t header_len, uint32_t body_len,
                       gh_str bytes)
{
    size_t have = bytes.len - header_len;

    if (have > body_len)
        have = body_len;
    out->type = type;
    out->header_len = (uint8_t)header_len;
    out->body_len = body_len;
    out->body = (gh_str){ bytes.ptr + header_len, have };
    out->missing = body_len - have;
}

gh_rc gh_wire_frame_startup(gh_str bytes, gh_wire_frame *out, gh_err *err)
{
    gh_rd r = wire_reader(bytes);
    uint32_t len;

    if (bytes.len < STARTUP_HEADER)
        return GH_AGAIN;
    len = gh_rd_u32(&r);
    /* Behind the length word: at least the version, at most MAX_STARTUP_PACKET_LENGTH. */
    if (len < 8 || len - 4 > GH_WIRE_STARTUP_MAX)
        return gh_fail(err, GH_BADMSG, "08P01", "invalid length of startup packet");
    fill_frame(out, 0, STARTUP_HEADER, len - 4, bytes);
    return GH_OK;
}

/* The largest length word of a frontend message, or 0 for a type that does not exist. */
static uint32_t frontend_len_max(uint8_t type)
{
    switch (type) {
    case GH_WIRE_F_BIND:
    case GH_WIRE_F_COPY_DATA:
    case GH_WIRE_F_FUNCTION_CALL:
    case GH_WIRE_F_PARSE:
    case GH_WIRE_F_QUERY:
        return GH_WIRE_BODY_MAX;
    case GH_WIRE_F_CLOSE:
    case GH_WIRE_F_COPY_DONE:
    case GH_WIRE_F_COPY_FAIL:
    case GH_WIRE_F_DESCRIBE:
    case GH_WIRE_F_EXECUTE:
    case GH_WIRE_F_FLUSH:
    case GH_WIRE_F_SYNC:
    case GH_WIRE_F_TERMINATE:
        return WIRE_SMALL_MAX;
    }
    return 0;
}

gh_rc gh_wire_frame_frontend(gh_wire_phase phase, gh_str bytes, gh_wire_frame *out, gh_err *err)
{
    gh_rd r = wire_reader(bytes);
    uint32_t len_max;
    uint32_t len;
    uint8_t type;

    if (bytes.len == 0)
        return GH_AGAIN;
    type = gh_rd_u8(&r);
    /* The type alone decides this: an illegal one is refused before its length has come. */
    if (phase == GH_WIRE_PHASE_AUTH) {
        if (type != GH_WIRE_F_PASSWORD)
            return gh_wire_illegal(GH_WIRE_STATE_AUTH, type, err);
        len_max = GH_WIRE_AUTH_MAX;
    } else {
        len_max = phase == GH_WIRE_PHASE_SESSION ? frontend_len_max(type) : 0;
        if (len_max == 0)
            return gh_wire_illegal(GH_WIRE_STATE_READY, type, err);
    }
    if (bytes.len < TYPED_HEADER)
        return GH_AGAIN;
    len = gh_rd_u32(&r);
    if (len < 4 || len > len_max)
        return gh_fail(err, GH_BADMSG, "08P01", "invalid message length");
    fill_frame(out, type, TYPED_HEADER, len - 4, bytes);
    return GH_OK;
}

/* The largest body of a backend message, or 0 for a type that does not exist. */
static uint32_t backend_body_max(uint8_t type)
{
    switch (type) {
    case GH_WIRE_B_COPY_DATA:
    case GH_WIRE_B_DATA_ROW:
    case GH_WIRE_B_ERROR_RESPONSE:
    case GH_WIRE_B_FUNCTION_CALL_RESPONSE:
    case GH_WIRE_B_NOTICE_RESPONSE:
    case GH_WIRE_B_NOTIFICATION_RESPONSE:
    case GH_WIRE_B_PARAMETER_DESCRIPTION: /* libpq calls it short, yet 65,535 parameters take
                                             262,142 bytes */
    case GH_WIRE_B_ROW_DESCRIPTION:
        return GH_WIRE_BODY_MAX;
    case GH_WIRE_B_AUTHENTICATION:
    case GH_WIRE_B_BACKEND_KEY_DATA:
    case GH_WIRE_B_BIND_COMPLETE:
    case GH_WIRE_B_CLOSE_COMPLETE:
    case GH_WIRE_B_COMMAND_COMPLETE:
    case GH_WIRE_B_COPY_BOTH_RESPONSE:
    case GH_WIRE_B_COPY_DONE:
    case GH_WIRE_B_COPY_IN_RESPONSE:
    case GH_WIRE_B_COPY_OUT_RESPONSE:
    case GH_WIRE_B_EMPTY_QUERY_RESPONSE:
    case GH_WIRE_B_NEGOTIATE_PROTOCOL_VERSION:
    case GH_WIRE_B_NO_DATA:
    case GH_WIRE_B_PARAMETER_STATUS:
    case GH_WIRE_B_PARSE_COMPLETE:
    case GH_WIRE_B_PORTAL_SUSPENDED:
    case GH_WIRE_B_READY_FOR_QUERY:
        return BACKEND_SHORT;
    }
    return 0;
}

/* The least body of one that is passed on without being read; the others are checked by who reads them. */
static uint32_t backend_body_min(uint8_t type)
{
    return type == GH_WIRE_B_DATA_ROW ? 2 : 0; /* its count of columns */
}

gh_rc gh_wire_frame_backend(gh_str bytes, gh_wire_frame *out, gh_err *err)
{
    gh_rd r = wire_reader(bytes);
    uint32_t body_max;
    uint32_t len;
    uint8_t type;

    if (bytes.len == 0)
        return GH_AGAIN;
    type = gh_rd_u8(&r);
    body_max = backend_body_max(type);
    if (body_max == 0)
        return gh_fail(err, GH_BADMSG, "08P01", "invalid backend message type %d", (int)type);
    if (bytes.len < TYPED_HEADER)
        return GH_AGAIN;
    len = gh_rd_u32(&r);
    if (len < 4 || len - 4 < backend_body_min(type) || len - 4 > body_max)
        return gh_fail(err, GH_BADMSG, "08P01", "lost synchronization with server");
    fill_frame(out, type, TYPED_HEADER, len - 4, bytes);
    return GH_OK;
}
