/*
 * Builders: what every message shares, and the messages that the proxy itself sends to clients.
 */
#include "wire_priv.h"

size_t gh_wire_begin(gh_buf *b, uint8_t type)
{
    size_t start = b->len;

    gh_buf_put_u8(b, type);
    gh_buf_put_u32(b, 0);
    return start;
}

/* Writes the length word at `at`, now that the message behind it is whole. */
static void patch_len(gh_buf *b, size_t at)
{
    size_t len;

    if (b->failed)
        return;
    len = b->len - at;
    if (len > (size_t)GH_WIRE_BODY_MAX) {
        b->failed = true;
        return;
    }
    b->ptr[at] = (char)(len >> 24);
    b->ptr[at + 1] = (char)(len >> 16);
    b->ptr[at + 2] = (char)(len >> 8);
    b->ptr[at + 3] = (char)len;
}

void gh_wire_end(gh_buf *b, size_t start)
{
    patch_len(b, start + 1);
}

void gh_wire_put_string(gh_buf *b, gh_str s)
{
    /*
     * SECURITY: a NUL inside would end the String early and make what follows the next field: a
     * statement that was judged as one thing would arrive as another. Test: tests/unit/wire,
     * strings_hold_no_nul.
     */
    if (s.len > 0 && memchr(s.ptr, '\0', s.len) != NULL) {
        b->failed = true;
        return;
    }
    gh_buf_put_str(b, s);
    gh_buf_put_u8(b, 0);
}

void gh_wire_put_empty(gh_buf *b, uint8_t type)
{
    gh_wire_end(b, gh_wire_begin(b, type));
}

static const char *severity_name(gh_wire_severity severity)
{
    switch (severity) {
    case GH_WIRE_ERROR:
        return "ERROR";
    case GH_WIRE_FATAL:
        return "FATAL";
    case GH_WIRE_PANIC:
        return "PANIC";
    case GH_WIRE_WARNING:
        return "WARNING";
    case GH_WIRE_NOTICE:
        return "NOTICE";
    case GH_WIRE_INFO:
        return "INFO";
    case GH_WIRE_DEBUG:
        return "DEBUG";
    case GH_WIRE_LOG:
        return "LOG";
    }
    return "ERROR";
}

void gh_wire_put_fields(gh_buf *b, uint8_t type, const gh_wire_fields *f)
{
    /* PostgreSQL's order; those of no known meaning follow. */
    static const char order[] = "SVCMDHPpqWstcdnFLR";
    size_t start = gh_wire_begin(b, type);

    for (size_t i = 0; i < sizeof(order) - 1; i++) {
        gh_str value = gh_wire_field(f, order[i]);

        if (value.ptr == NULL)
            continue;
        gh_buf_put_u8(b, (uint8_t)order[i]);
        gh_wire_put_string(b, value);
    }
    for (char letter = 'A'; letter <= 'z'; letter++) {
        gh_str value = gh_wire_field(f, letter);

        if (value.ptr == NULL || strchr(order, letter) != NULL)
            continue;
        gh_buf_put_u8(b, (uint8_t)letter);
        gh_wire_put_string(b, value);
    }
    gh_buf_put_u8(b, 0);
    gh_wire_end(b, start);
}

static gh_wire_fields basic_fields(gh_wire_severity severity, const char *sqlstate,
                                   const char *message)
{
    gh_wire_fields f;

    memset(&f, 0, sizeof(f));
    gh_wire_set_field(&f, 'S', gh_str_of(severity_name(severity)));
    gh_wire_set_field(&f, 'V', gh_str_of(severity_name(severity)));
    gh_wire_set_field(&f, 'C', gh_str_of(sqlstate));
    gh_wire_set_field(&f, 'M', gh_str_of(message));
    return f;
}

void gh_wire_put_error(gh_buf *b, gh_wire_severity severity, const gh_err *e)
{
    bool is_set = e->sqlstate[0] != '\0';
    gh_wire_fields f = basic_fields(severity, is_set ? e->sqlstate : "XX000",
                                    is_set ? e->public_msg : "internal error");
    gh_buf position;

    gh_buf_init(&position, 0);
    if (e->hint[0] != '\0')
        gh_wire_set_field(&f, 'H', gh_str_of(e->hint));
    if (e->position > 0) {
        gh_buf_printf(&position, "%u", e->position);
        gh_wire_set_field(&f, 'P', gh_buf_str(&position));
    }
    gh_wire_put_fields(b, GH_WIRE_B_ERROR_RESPONSE, &f);
    gh_buf_fini(&position);
}

void gh_wire_put_notice(gh_buf *b, gh_wire_severity severity, const char *sqlstate,
                        const char *message, const char *hint)
{
    gh_wire_fields f = basic_fields(severity, sqlstate, message);

    if (hint != NULL)
        gh_wire_set_field(&f, 'H', gh_str_of(hint));
    gh_wire_put_fields(b, GH_WIRE_B_NOTICE_RESPONSE, &f);
}

void gh_wire_put_auth_sasl(gh_buf *b, const char *const *mechanisms, size_t mechanisms_len)
{
    size_t start = gh_wire_begin(b, GH_WIRE_B_AUTHENTICATION);

    gh_buf_put_u32(b, GH_WIRE_AUTH_SASL);
    for (size_t i = 0; i < mechanisms_len; i++)
        gh_buf_put_cstr(b, mechanisms[i]);
    gh_buf_put_u8(b, 0);
    gh_wire_end(b, start);
}

void gh_wire_put_auth(gh_buf *b, uint32_t code, gh_str data)
{
    size_t start = gh_wire_begin(b, GH_WIRE_B_AUTHENTICATION);

    gh_buf_put_u32(b, code);
    gh_buf_put_str(b, data);
    gh_wire_end(b, start);
}

void gh_wire_put_parameter_status(gh_buf *b, gh_str name, gh_str value)
{
    size_t start = gh_wire_begin(b, GH_WIRE_B_PARAMETER_STATUS);

    gh_wire_put_string(b, name);
    gh_wire_put_string(b, value);
    gh_wire_end(b, start);
}

void gh_wire_put_key_data(gh_buf *b, uint32_t pid, gh_str key)
{
    size_t start = gh_wire_begin(b, GH_WIRE_B_BACKEND_KEY_DATA);

    GH_ASSERT(key.len >= GH_WIRE_CANCEL_KEY_MIN);
    GH_ASSERT(key.len <= GH_WIRE_CANCEL_KEY_MAX);
    gh_buf_put_u32(b, pid);
    gh_buf_put_str(b, key);
    gh_wire_end(b, start);
}

void gh_wire_put_ready(gh_buf *b, char tx_status)
{
    size_t start = gh_wire_begin(b, GH_WIRE_B_READY_FOR_QUERY);

    gh_buf_put_u8(b, (uint8_t)tx_status);
    gh_wire_end(b, start);
}

void gh_wire_put_negotiate(gh_buf *b, const gh_wire_startup *s)
{
    uint16_t minor = s->minor < GH_WIRE_MINOR_MAX ? s->minor : GH_WIRE_MINOR_MAX;
    size_t start = gh_wire_begin(b, GH_WIRE_B_NEGOTIATE_PROTOCOL_VERSION);

    gh_buf_put_u32(b, GH_WIRE_VERSION(3, minor));
    gh_buf_put_u32(b, (uint32_t)s->pq_options_len);
    for (size_t i = 0; i < s->pq_options_len; i++)
        gh_wire_put_string(b, s->pq_options[i]);
    gh_wire_end(b, start);
}

void gh_wire_put_command_complete(gh_buf *b, gh_str tag)
{
    size_t start = gh_wire_begin(b, GH_WIRE_B_COMMAND_COMPLETE);

    gh_wire_put_string(b, tag);
    gh_wire_end(b, start);
}

void gh_wire_put_row_description(gh_buf *b, const gh_wire_column *columns, size_t columns_len)
{
    size_t start = gh_wire_begin(b, GH_WIRE_B_ROW_DESCRIPTION);

    GH_ASSERT(columns_len <= UINT16_MAX);
    gh_buf_put_u16(b, (uint16_t)columns_len);
    for (size_t i = 0; i < columns_len; i++) {
        gh_wire_put_string(b, columns[i].name);
        gh_buf_put_u32(b, columns[i].table_oid);
        gh_buf_put_u16(b, (uint16_t)columns[i].attnum);
        gh_buf_put_u32(b, columns[i].type_oid);
        gh_buf_put_u16(b, (uint16_t)columns[i].type_len);
        gh_buf_put_u32(b, (uint32_t)columns[i].typmod);
        gh_buf_put_u16(b, columns[i].format);
    }
    gh_wire_end(b, start);
}

gh_wire_column gh_wire_text_column(gh_str name)
{
    const uint32_t text_oid = 25;

    return (gh_wire_column){ .name = name, .type_oid = text_oid, .type_len = -1, .typmod = -1 };
}

void gh_wire_put_data_row(gh_buf *b, const gh_wire_value *values, size_t values_len)
{
    size_t start = gh_wire_begin(b, GH_WIRE_B_DATA_ROW);

    GH_ASSERT(values_len <= UINT16_MAX);
    gh_buf_put_u16(b, (uint16_t)values_len);
    for (size_t i = 0; i < values_len; i++)
        wire_put_value(b, &values[i]);
    gh_wire_end(b, start);
}

void gh_wire_put_parameter_description(gh_buf *b, const uint32_t *types, size_t types_len)
{
    size_t start = gh_wire_begin(b, GH_WIRE_B_PARAMETER_DESCRIPTION);

    GH_ASSERT(types_len <= UINT16_MAX);
    gh_buf_put_u16(b, (uint16_t)types_len);
    for (size_t i = 0; i < types_len; i++)
        gh_buf_put_u32(b, types[i]);
    gh_wire_end(b, start);
}

void wire_put_value(gh_buf *b, const gh_wire_value *value)
{
    if (value->is_null) {
        gh_buf_put_u32(b, UINT32_MAX); /* -1 */
        return;
    }
    if (value->bytes.len > (size_t)GH_WIRE_BODY_MAX) {
        b->failed = true;
        return;
    }
    gh_buf_put_u32(b, (uint32_t)value->bytes.len);
    gh_buf_put_str(b, value->bytes);
}

/* A packet without a type byte; its length word is the first thing in it. */
size_t wire_begin_untyped(gh_buf *b)
{
    size_t start = b->len;

    gh_buf_put_u32(b, 0);
    return start;
}

void wire_end_untyped(gh_buf *b, size_t start)
{
    patch_len(b, start);
}
