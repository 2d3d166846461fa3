/*
 * Builders of what the proxy sends upstream.
 */
#include "wire_priv.h"

void gh_wire_put_ssl_request(gh_buf *b)
{
    size_t start = wire_begin_untyped(b);

    gh_buf_put_u32(b, GH_WIRE_VERSION(1234, 5679));
    wire_end_untyped(b, start);
}

void gh_wire_put_startup(gh_buf *b, uint32_t version, const gh_wire_param *params,
                         size_t params_len)
{
    size_t start = wire_begin_untyped(b);

    gh_buf_put_u32(b, version);
    for (size_t i = 0; i < params_len; i++) {
        gh_wire_put_string(b, params[i].name);
        gh_wire_put_string(b, params[i].value);
    }
    gh_buf_put_u8(b, 0);
    wire_end_untyped(b, start);
}

void gh_wire_put_cancel(gh_buf *b, uint32_t pid, gh_str key)
{
    size_t start = wire_begin_untyped(b);

    GH_ASSERT(key.len >= GH_WIRE_CANCEL_KEY_MIN);
    GH_ASSERT(key.len <= GH_WIRE_CANCEL_KEY_MAX);
    gh_buf_put_u32(b, GH_WIRE_VERSION(1234, 5678));
    gh_buf_put_u32(b, pid);
    gh_buf_put_str(b, key);
    wire_end_untyped(b, start);
}

void gh_wire_put_query(gh_buf *b, gh_str sql)
{
    size_t start = gh_wire_begin(b, GH_WIRE_F_QUERY);

    gh_wire_put_string(b, sql);
    gh_wire_end(b, start);
}

void gh_wire_put_parse(gh_buf *b, gh_str name, gh_str sql, gh_wire_ints types)
{
    size_t start = gh_wire_begin(b, GH_WIRE_F_PARSE);

    gh_wire_put_string(b, name);
    gh_wire_put_string(b, sql);
    gh_buf_put_u16(b, types.len);
    gh_buf_put(b, types.ptr, (size_t)types.len * 4);
    gh_wire_end(b, start);
}

void gh_wire_put_bind(gh_buf *b, gh_str portal, gh_str statement, gh_str tail)
{
    size_t start = gh_wire_begin(b, GH_WIRE_F_BIND);

    gh_wire_put_string(b, portal);
    gh_wire_put_string(b, statement);
    gh_buf_put_str(b, tail);
    gh_wire_end(b, start);
}

void gh_wire_put_bind_text(gh_buf *b, gh_str portal, gh_str statement, const gh_wire_value *values,
                           size_t values_len, uint16_t result_format)
{
    size_t start = gh_wire_begin(b, GH_WIRE_F_BIND);

    GH_ASSERT(values_len <= GH_WIRE_PARAMS_MAX);
    gh_wire_put_string(b, portal);
    gh_wire_put_string(b, statement);
    gh_buf_put_u16(b, 0); /* no formats: all text */
    gh_buf_put_u16(b, (uint16_t)values_len);
    for (size_t i = 0; i < values_len; i++)
        wire_put_value(b, &values[i]);
    gh_buf_put_u16(b, 1); /* one format for all */
    gh_buf_put_u16(b, result_format);
    gh_wire_end(b, start);
}

static void put_target(gh_buf *b, uint8_t type, char kind, gh_str name)
{
    size_t start = gh_wire_begin(b, type);

    gh_buf_put_u8(b, (uint8_t)kind);
    gh_wire_put_string(b, name);
    gh_wire_end(b, start);
}

void gh_wire_put_describe(gh_buf *b, char kind, gh_str name)
{
    put_target(b, GH_WIRE_F_DESCRIBE, kind, name);
}

void gh_wire_put_close(gh_buf *b, char kind, gh_str name)
{
    put_target(b, GH_WIRE_F_CLOSE, kind, name);
}

void gh_wire_put_execute(gh_buf *b, gh_str portal, uint32_t rows_max)
{
    size_t start = gh_wire_begin(b, GH_WIRE_F_EXECUTE);

    gh_wire_put_string(b, portal);
    gh_buf_put_u32(b, rows_max);
    gh_wire_end(b, start);
}

void gh_wire_put_copy_data(gh_buf *b, gh_str data)
{
    size_t start = gh_wire_begin(b, GH_WIRE_F_COPY_DATA);

    gh_buf_put_str(b, data);
    gh_wire_end(b, start);
}

void gh_wire_put_copy_fail(gh_buf *b, gh_str reason)
{
    size_t start = gh_wire_begin(b, GH_WIRE_F_COPY_FAIL);

    gh_wire_put_string(b, reason);
    gh_wire_end(b, start);
}

void gh_wire_put_password(gh_buf *b, gh_str password)
{
    size_t start = gh_wire_begin(b, GH_WIRE_F_PASSWORD);

    gh_wire_put_string(b, password);
    gh_wire_end(b, start);
}

void gh_wire_put_sasl_initial(gh_buf *b, gh_str mechanism, gh_str response)
{
    const gh_wire_value value = { response, false };
    size_t start = gh_wire_begin(b, GH_WIRE_F_PASSWORD);

    gh_wire_put_string(b, mechanism);
    wire_put_value(b, &value);
    gh_wire_end(b, start);
}

void gh_wire_put_sasl_response(gh_buf *b, gh_str data)
{
    size_t start = gh_wire_begin(b, GH_WIRE_F_PASSWORD);

    gh_buf_put_str(b, data);
    gh_wire_end(b, start);
}
