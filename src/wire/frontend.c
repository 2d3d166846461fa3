/*
 * Decoders of what clients send, and the pieces that backend messages have in common with them.
 * Each reads like the protocol's documentation and is checked once, at its end.
 */
#include "wire_priv.h"

gh_rc wire_finish(const gh_rd *r, gh_err *err)
{
    if (r->failed)
        return gh_fail(err, GH_BADMSG, "08P01", "insufficient data left in message");
    if (!gh_rd_finish(r))
        return gh_fail(err, GH_BADMSG, "08P01", "invalid message format");
    return GH_OK;
}

gh_wire_ints wire_read_ints(gh_rd *r, size_t size)
{
    uint16_t len = gh_rd_u16(r);
    gh_str bytes = gh_rd_bytes(r, len * size);

    return r->failed ? (gh_wire_ints){ NULL, 0 } : (gh_wire_ints){ bytes.ptr, len };
}

gh_str wire_read_name(gh_rd *r)
{
    gh_str name = gh_rd_cstr(r);

    /*
     * SECURITY: PostgreSQL keeps 63 bytes of a name. Were two longer ones told apart here, the
     * second would replace the first upstream, and what was judged is not what runs. Test:
     * tests/unit/wire, names_are_cut.
     */
    if (name.len > GH_WIRE_NAME_MAX)
        name.len = GH_WIRE_NAME_MAX;
    return name;
}

gh_wire_value gh_wire_next_value(gh_rd *r)
{
    gh_wire_value value = { { NULL, 0 }, true };
    uint32_t len = gh_rd_u32(r);

    if (len == UINT32_MAX ||
        r->failed) /* -1: NULL. Other negative lengths are more than can be left */
        return value;
    value.bytes = gh_rd_bytes(r, len);
    value.is_null = r->failed;
    return value;
}

gh_str wire_read_values(gh_rd *r, size_t count)
{
    const char *start = r->pos;

    for (size_t i = 0; i < count && !r->failed; i++)
        (void)gh_wire_next_value(r);
    return r->failed ? (gh_str){ NULL, 0 } : (gh_str){ start, (size_t)(r->pos - start) };
}

uint16_t gh_wire_u16_at(gh_wire_ints ints, size_t i)
{
    gh_rd r;

    GH_ASSERT(i < ints.len);
    r = wire_reader((gh_str){ ints.ptr + 2 * i, 2 });
    return gh_rd_u16(&r);
}

uint32_t gh_wire_u32_at(gh_wire_ints ints, size_t i)
{
    gh_rd r;

    GH_ASSERT(i < ints.len);
    r = wire_reader((gh_str){ ints.ptr + 4 * i, 4 });
    return gh_rd_u32(&r);
}

/* A body that is one String. */
static gh_rc decode_string(gh_str body, gh_str *out, gh_err *err)
{
    gh_rd r = wire_reader(body);
    gh_str s = gh_rd_cstr(&r);

    if (r.failed)
        return gh_fail(err, GH_BADMSG, "08P01", "invalid string in message");
    if (!gh_rd_finish(&r))
        return gh_fail(err, GH_BADMSG, "08P01", "invalid message format");
    *out = s;
    return GH_OK;
}

gh_rc gh_wire_decode_query(gh_str body, gh_str *sql, gh_err *err)
{
    return decode_string(body, sql, err);
}

gh_rc gh_wire_decode_parse(gh_str body, gh_wire_parse *out, gh_err *err)
{
    gh_rd r = wire_reader(body);
    gh_wire_parse m;
    gh_rc rc;

    m.name = wire_read_name(&r);
    m.sql = gh_rd_cstr(&r);
    if (r.failed)
        return gh_fail(err, GH_BADMSG, "08P01", "invalid string in message");
    m.types = wire_read_ints(&r, 4);
    rc = wire_finish(&r, err);
    if (rc != GH_OK)
        return rc;
    *out = m;
    return GH_OK;
}

gh_rc gh_wire_decode_bind(gh_str body, gh_wire_bind *out, gh_err *err)
{
    gh_rd r = wire_reader(body);
    gh_wire_bind m;
    gh_rc rc;

    m.portal = wire_read_name(&r);
    m.statement = wire_read_name(&r);
    if (r.failed)
        return gh_fail(err, GH_BADMSG, "08P01", "invalid string in message");
    m.tail = (gh_str){ r.pos, (size_t)(r.end - r.pos) };
    m.param_formats = wire_read_ints(&r, 2);
    m.params_len = gh_rd_u16(&r);
    if (!r.failed && m.param_formats.len > 1 && m.param_formats.len != m.params_len)
        return gh_fail(err, GH_BADMSG, "08P01",
                       "bind message has %u parameter formats but %u parameters",
                       m.param_formats.len, m.params_len);
    m.params = wire_read_values(&r, m.params_len);
    m.result_formats = wire_read_ints(&r, 2);
    rc = wire_finish(&r, err);
    if (rc != GH_OK)
        return rc;
    *out = m;
    return GH_OK;
}

static gh_rc decode_target(gh_str body, const char *message, gh_wire_target *out, gh_err *err)
{
    gh_rd r = wire_reader(body);
    gh_wire_target m;

    if (body.len == 0)
        return gh_fail(err, GH_BADMSG, "08P01", "no data left in message");
    m.kind = (char)gh_rd_u8(&r);
    m.name = wire_read_name(&r);
    if (r.failed)
        return gh_fail(err, GH_BADMSG, "08P01", "invalid string in message");
    if (!gh_rd_finish(&r))
        return gh_fail(err, GH_BADMSG, "08P01", "invalid message format");
    if (m.kind != 'S' && m.kind != 'P')
        return gh_fail(err, GH_BADMSG, "08P01", "invalid %s message subtype %d", message,
                       (int)(unsigned char)m.kind);
    *out = m;
    return GH_OK;
}

gh_rc gh_wire_decode_describe(gh_str body, gh_wire_target *out, gh_err *err)
{
    return decode_target(body, "DESCRIBE", out, err);
}

gh_rc gh_wire_decode_close(gh_str body, gh_wire_target *out, gh_err *err)
{
    return decode_target(body, "CLOSE", out, err);
}

gh_rc gh_wire_decode_execute(gh_str body, gh_wire_execute *out, gh_err *err)
{
    gh_rd r = wire_reader(body);
    gh_wire_execute m;
    gh_rc rc;

    m.portal = wire_read_name(&r);
    if (r.failed)
        return gh_fail(err, GH_BADMSG, "08P01", "invalid string in message");
    m.rows_max = gh_rd_u32(&r);
    if (m.rows_max > INT32_MAX)
        m.rows_max = 0;
    rc = wire_finish(&r, err);
    if (rc != GH_OK)
        return rc;
    *out = m;
    return GH_OK;
}

gh_rc gh_wire_decode_function_call(gh_str body, gh_wire_function_call *out, gh_err *err)
{
    gh_rd r = wire_reader(body);
    gh_wire_function_call m;
    gh_rc rc;

    m.function = gh_rd_u32(&r);
    m.arg_formats = wire_read_ints(&r, 2);
    m.args_len = gh_rd_u16(&r);
    if (!r.failed && m.arg_formats.len > 1 && m.arg_formats.len != m.args_len)
        return gh_fail(err, GH_BADMSG, "08P01",
                       "function call message contains %u argument formats but %u arguments",
                       m.arg_formats.len, m.args_len);
    m.args = wire_read_values(&r, m.args_len);
    m.result_format = gh_rd_u16(&r);
    rc = wire_finish(&r, err);
    if (rc != GH_OK)
        return rc;
    *out = m;
    return GH_OK;
}

gh_rc gh_wire_decode_copy_fail(gh_str body, gh_str *reason, gh_err *err)
{
    return decode_string(body, reason, err);
}

gh_rc gh_wire_decode_password(gh_str body, gh_str *password, gh_err *err)
{
    gh_str s;

    if (decode_string(body, &s, NULL) != GH_OK)
        return gh_fail(err, GH_BADMSG, "08P01", "invalid password packet size");
    *password = s;
    return GH_OK;
}

gh_rc gh_wire_decode_sasl_initial(gh_str body, gh_wire_sasl_initial *out, gh_err *err)
{
    gh_rd r = wire_reader(body);
    gh_wire_sasl_initial m;
    gh_wire_value response;
    gh_rc rc;

    m.mechanism = gh_rd_cstr(&r);
    if (r.failed)
        return gh_fail(err, GH_BADMSG, "08P01", "invalid string in message");
    response = gh_wire_next_value(&r); /* the same layout: a length, -1 for none, and the bytes */
    m.has_response = !response.is_null;
    m.response = response.bytes;
    rc = wire_finish(&r, err);
    if (rc != GH_OK)
        return rc;
    *out = m;
    return GH_OK;
}

gh_rc gh_wire_decode_empty(gh_str body, gh_err *err)
{
    if (body.len != 0)
        return gh_fail(err, GH_BADMSG, "08P01", "invalid message format");
    return GH_OK;
}
