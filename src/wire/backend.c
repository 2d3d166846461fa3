/*
 * Decoders of what the upstream sends. It is trusted to be PostgreSQL, not to be free of faults:
 * the same strictness as for clients, and a failure means that its connection is given up.
 */
#include "wire_priv.h"

#define COLUMN_BYTES_MIN 19 /* an empty name's NUL, and 18 bytes */

gh_rc gh_wire_decode_fields(gh_str body, gh_wire_fields *out, gh_err *err)
{
    gh_rd r = wire_reader(body);
    gh_wire_fields m;
    gh_rc rc;

    memset(&m, 0, sizeof(m));
    for (;;) {
        uint8_t letter = gh_rd_u8(&r);
        gh_str value;

        if (r.failed || letter == 0)
            break;
        value = gh_rd_cstr(&r);
        /* The protocol asks frontends to ignore what they do not know. */
        if (letter >= 'A' && letter <= 'z')
            gh_wire_set_field(&m, (char)letter, value);
    }
    rc = wire_finish(&r, err);
    if (rc != GH_OK)
        return rc;
    *out = m;
    return GH_OK;
}

static gh_wire_column read_column(gh_rd *r)
{
    gh_wire_column c;

    c.name = gh_rd_cstr(r);
    c.table_oid = gh_rd_u32(r);
    c.attnum = (int16_t)gh_rd_u16(r);
    c.type_oid = gh_rd_u32(r);
    c.type_len = (int16_t)gh_rd_u16(r);
    c.typmod = (int32_t)gh_rd_u32(r);
    c.format = gh_rd_u16(r);
    return c;
}

gh_rc gh_wire_decode_row_description(gh_arena *a, gh_str body, gh_wire_columns *out, gh_err *err)
{
    gh_rd r = wire_reader(body);
    gh_wire_columns m;
    gh_rc rc;

    m.len = gh_rd_u16(&r);
    /* The count is not believed further than the bytes behind it could make it true. */
    if (m.len > (size_t)(r.end - r.pos) / COLUMN_BYTES_MIN)
        return gh_fail(err, GH_BADMSG, "08P01", "insufficient data left in message");
    m.ptr = gh_arena_alloc(a, m.len * sizeof(*m.ptr));
    if (m.ptr == NULL)
        return gh_fail(err, GH_LIMIT, "53200", "the result's description needs too much memory");
    for (size_t i = 0; i < m.len; i++)
        m.ptr[i] = read_column(&r);
    rc = wire_finish(&r, err);
    if (rc != GH_OK)
        return rc;
    *out = m;
    return GH_OK;
}

gh_rc gh_wire_decode_data_row(gh_str body, gh_wire_data_row *out, gh_err *err)
{
    gh_rd r = wire_reader(body);
    gh_wire_data_row m;
    gh_rc rc;

    m.len = gh_rd_u16(&r);
    m.values = wire_read_values(&r, m.len);
    rc = wire_finish(&r, err);
    if (rc != GH_OK)
        return rc;
    *out = m;
    return GH_OK;
}

gh_rc gh_wire_decode_parameter_status(gh_str body, gh_wire_param *out, gh_err *err)
{
    gh_rd r = wire_reader(body);
    gh_wire_param m;
    gh_rc rc;

    m.name = gh_rd_cstr(&r);
    m.value = gh_rd_cstr(&r);
    rc = wire_finish(&r, err);
    if (rc != GH_OK)
        return rc;
    *out = m;
    return GH_OK;
}

gh_rc gh_wire_decode_key_data(gh_str body, gh_wire_key_data *out, gh_err *err)
{
    gh_rd r = wire_reader(body);
    gh_wire_key_data m;

    m.pid = gh_rd_u32(&r);
    m.key = gh_rd_bytes(&r, (size_t)(r.end - r.pos));
    if (r.failed || m.key.len < GH_WIRE_CANCEL_KEY_MIN || m.key.len > GH_WIRE_CANCEL_KEY_MAX)
        return gh_fail(err, GH_BADMSG, "08P01", "invalid length of a cancel key");
    *out = m;
    return GH_OK;
}

gh_rc gh_wire_decode_ready(gh_str body, char *tx_status, gh_err *err)
{
    gh_rd r = wire_reader(body);
    char status = (char)gh_rd_u8(&r);
    gh_rc rc;

    rc = wire_finish(&r, err);
    if (rc != GH_OK)
        return rc;
    if (status != GH_WIRE_TX_IDLE && status != GH_WIRE_TX_ACTIVE && status != GH_WIRE_TX_FAILED)
        return gh_fail(err, GH_BADMSG, "08P01", "invalid transaction status %d",
                       (int)(unsigned char)status);
    *tx_status = status;
    return GH_OK;
}

gh_rc gh_wire_decode_command_complete(gh_str body, gh_str *tag, gh_err *err)
{
    gh_rd r = wire_reader(body);
    gh_str s = gh_rd_cstr(&r);
    gh_rc rc;

    rc = wire_finish(&r, err);
    if (rc != GH_OK)
        return rc;
    *tag = s;
    return GH_OK;
}

gh_rc gh_wire_decode_parameter_description(gh_str body, gh_wire_ints *types, gh_err *err)
{
    gh_rd r = wire_reader(body);
    gh_wire_ints ints = wire_read_ints(&r, 4);
    gh_rc rc;

    rc = wire_finish(&r, err);
    if (rc != GH_OK)
        return rc;
    *types = ints;
    return GH_OK;
}

gh_rc gh_wire_decode_notification(gh_str body, gh_wire_notification *out, gh_err *err)
{
    gh_rd r = wire_reader(body);
    gh_wire_notification m;
    gh_rc rc;

    m.pid = gh_rd_u32(&r);
    m.channel = gh_rd_cstr(&r);
    m.payload = gh_rd_cstr(&r);
    rc = wire_finish(&r, err);
    if (rc != GH_OK)
        return rc;
    *out = m;
    return GH_OK;
}

gh_rc gh_wire_decode_copy_response(gh_str body, gh_wire_copy_response *out, gh_err *err)
{
    gh_rd r = wire_reader(body);
    gh_wire_copy_response m;
    gh_rc rc;

    m.format = gh_rd_u8(&r);
    m.formats = wire_read_ints(&r, 2);
    rc = wire_finish(&r, err);
    if (rc != GH_OK)
        return rc;
    *out = m;
    return GH_OK;
}

/* Names, each with its NUL, up to an empty one. */
static void read_mechanisms(gh_rd *r)
{
    while (gh_rd_cstr(r).len > 0) {
    }
}

gh_rc gh_wire_decode_authentication(gh_str body, gh_wire_authentication *out, gh_err *err)
{
    gh_rd r = wire_reader(body);
    gh_wire_authentication m;
    const char *start;
    gh_rc rc;

    m.code = gh_rd_u32(&r);
    start = r.pos;
    if (m.code == GH_WIRE_AUTH_SASL)
        read_mechanisms(&r);
    else if (m.code != GH_WIRE_AUTH_OK)
        (void)gh_rd_bytes(&r, (size_t)(r.end - r.pos));
    rc = wire_finish(&r, err);
    if (rc != GH_OK)
        return rc;
    m.data = (gh_str){ start, (size_t)(r.pos - start) };
    *out = m;
    return GH_OK;
}

gh_rc gh_wire_decode_negotiate(gh_str body, gh_wire_negotiate *out, gh_err *err)
{
    gh_rd r = wire_reader(body);
    gh_wire_negotiate m;
    const char *start;
    gh_rc rc;

    m.version = gh_rd_u32(&r);
    m.options_len = gh_rd_u32(&r);
    start = r.pos;
    for (uint32_t i = 0; i < m.options_len && !r.failed; i++)
        (void)gh_rd_cstr(&r);
    rc = wire_finish(&r, err);
    if (rc != GH_OK)
        return rc;
    m.options = (gh_str){ start, (size_t)(r.pos - start) };
    *out = m;
    return GH_OK;
}

uint64_t gh_wire_tag_rows(gh_str tag)
{
    size_t start = tag.len;
    uint64_t rows = 0;

    while (start > 0 && tag.ptr[start - 1] >= '0' && tag.ptr[start - 1] <= '9')
        start--;
    if (start == 0 || tag.ptr[start - 1] != ' ')
        return 0;
    for (size_t i = start; i < tag.len; i++) {
        uint64_t digit = (uint64_t)(tag.ptr[i] - '0');

        if (rows > (UINT64_MAX - digit) / 10)
            return 0;
        rows = rows * 10 + digit;
    }
    return rows;
}
