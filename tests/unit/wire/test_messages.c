/* Decoders and builders of typed messages, against each other and against every cut. */
#include "wire_tests.h"

static const gh_wire_value s_values[] = { { { "one", 3 }, false },
                                          { { NULL, 0 }, true },
                                          { { "", 0 }, false } };
static const char s_oids[] = "\0\0\0\x17\0\0\0\0";

/* ---- every message, cut at every byte and with one byte too many -------------------------------
 */

#define DECODER(name, type)                                                                        \
    static gh_rc try_##name(gh_str body, gh_err *err)                                              \
    {                                                                                              \
        type out;                                                                                  \
        return gh_wire_decode_##name(body, &out, err);                                             \
    }
DECODER(query, gh_str)
DECODER(parse, gh_wire_parse)
DECODER(bind, gh_wire_bind)
DECODER(describe, gh_wire_target)
DECODER(close, gh_wire_target)
DECODER(execute, gh_wire_execute)
DECODER(function_call, gh_wire_function_call)
DECODER(copy_fail, gh_str)
DECODER(password, gh_str)
DECODER(sasl_initial, gh_wire_sasl_initial)
DECODER(fields, gh_wire_fields)
DECODER(data_row, gh_wire_data_row)
DECODER(parameter_status, gh_wire_param)
DECODER(key_data, gh_wire_key_data)
DECODER(ready, char)
DECODER(command_complete, gh_str)
DECODER(parameter_description, gh_wire_ints)
DECODER(notification, gh_wire_notification)
DECODER(copy_response, gh_wire_copy_response)
DECODER(authentication, gh_wire_authentication)
DECODER(negotiate, gh_wire_negotiate)

static gh_rc try_row_description(gh_str body, gh_err *err)
{
    gh_arena *a = gh_arena_new(1u << 20);
    gh_wire_columns out;
    gh_rc rc = gh_wire_decode_row_description(a, body, &out, err);

    gh_arena_free(a);
    return rc;
}

static gh_rc try_empty(gh_str body, gh_err *err)
{
    return gh_wire_decode_empty(body, err);
}

static void build_function_call(gh_buf *b)
{
    size_t start = gh_wire_begin(b, GH_WIRE_F_FUNCTION_CALL);

    gh_buf_put_u32(b, 1598);
    gh_buf_put_str(b, GH_STR("\0\1\0\1"));
    gh_buf_put_str(b, GH_STR("\0\2\0\0\0\3abc\xff\xff\xff\xff"));
    gh_buf_put_u16(b, 1);
    gh_wire_end(b, start);
}

static void build_notification(gh_buf *b)
{
    size_t start = gh_wire_begin(b, GH_WIRE_B_NOTIFICATION_RESPONSE);

    gh_buf_put_u32(b, 12);
    gh_buf_put_cstr(b, "channel");
    gh_buf_put_cstr(b, "payload");
    gh_wire_end(b, start);
}

static void build_copy_response(gh_buf *b)
{
    size_t start = gh_wire_begin(b, GH_WIRE_B_COPY_OUT_RESPONSE);

    gh_buf_put_str(b, GH_STR("\0\0\2\0\0\0\1"));
    gh_wire_end(b, start);
}

typedef struct message {
    const char *name;
    gh_rc (*decode)(gh_str body, gh_err *err);
    bool takes_rest; /* its last field is "the rest", so another byte is legal */
    size_t least;    /* with takes_rest: the shortest legal body */
} message;

static const message s_messages[] = {
    { "query", try_query, false, 0 },
    { "parse", try_parse, false, 0 },
    { "bind", try_bind, false, 0 },
    { "describe", try_describe, false, 0 },
    { "close", try_close, false, 0 },
    { "execute", try_execute, false, 0 },
    { "function_call", try_function_call, false, 0 },
    { "copy_fail", try_copy_fail, false, 0 },
    { "password", try_password, false, 0 },
    { "sasl_initial", try_sasl_initial, false, 0 },
    { "sync", try_empty, false, 0 },
    { "error", try_fields, false, 0 },
    { "row_description", try_row_description, false, 0 },
    { "data_row", try_data_row, false, 0 },
    { "parameter_status", try_parameter_status, false, 0 },
    { "key_data", try_key_data, true, 8 },
    { "ready", try_ready, false, 0 },
    { "command_complete", try_command_complete, false, 0 },
    { "parameter_description", try_parameter_description, false, 0 },
    { "notification", try_notification, false, 0 },
    { "copy_response", try_copy_response, false, 0 },
    { "auth_ok", try_authentication, false, 0 },
    { "auth_sasl", try_authentication, false, 0 },
    { "auth_continue", try_authentication, true, 4 },
    { "negotiate", try_negotiate, false, 0 },
};

static void build(const char *name, gh_buf *b)
{
    static const char *const mechanisms[] = { "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256" };
    static const uint32_t types[] = { 23, 25 };
    gh_str pq_options[] = { GH_STR("_pq_.a"), GH_STR("_pq_.b") };
    gh_wire_startup startup = { .minor = 9, .pq_options = pq_options, .pq_options_len = 2 };
    gh_wire_column columns[] = { gh_wire_text_column(GH_STR("first")),
                                 gh_wire_text_column(GH_STR("")) };
    gh_err e = { .sqlstate = "42501", .public_msg = "no", .hint = "ask", .position = 12 };

    if (strcmp(name, "query") == 0)
        gh_wire_put_query(b, GH_STR("select 1"));
    else if (strcmp(name, "parse") == 0)
        gh_wire_put_parse(b, GH_STR("s1"), GH_STR("select $1"), (gh_wire_ints){ s_oids, 2 });
    else if (strcmp(name, "bind") == 0)
        gh_wire_put_bind_text(b, GH_STR("p1"), GH_STR("s1"), s_values, GH_COUNT(s_values), 1);
    else if (strcmp(name, "describe") == 0)
        gh_wire_put_describe(b, 'S', GH_STR("s1"));
    else if (strcmp(name, "close") == 0)
        gh_wire_put_close(b, 'P', GH_STR("p1"));
    else if (strcmp(name, "execute") == 0)
        gh_wire_put_execute(b, GH_STR("p1"), 100);
    else if (strcmp(name, "function_call") == 0)
        build_function_call(b);
    else if (strcmp(name, "copy_fail") == 0)
        gh_wire_put_copy_fail(b, GH_STR("gone"));
    else if (strcmp(name, "password") == 0)
        gh_wire_put_password(b, GH_STR("secret"));
    else if (strcmp(name, "sasl_initial") == 0)
        gh_wire_put_sasl_initial(b, GH_STR("SCRAM-SHA-256"), GH_STR("n,,n=,r=abc"));
    else if (strcmp(name, "sync") == 0)
        gh_wire_put_empty(b, GH_WIRE_F_SYNC);
    else if (strcmp(name, "error") == 0)
        gh_wire_put_error(b, GH_WIRE_ERROR, &e);
    else if (strcmp(name, "row_description") == 0)
        gh_wire_put_row_description(b, columns, 2);
    else if (strcmp(name, "data_row") == 0)
        gh_wire_put_data_row(b, s_values, GH_COUNT(s_values));
    else if (strcmp(name, "parameter_status") == 0)
        gh_wire_put_parameter_status(b, GH_STR("TimeZone"), GH_STR("UTC"));
    else if (strcmp(name, "key_data") == 0)
        gh_wire_put_key_data(b, 7, GH_STR("01234567890123456789012345678901"));
    else if (strcmp(name, "ready") == 0)
        gh_wire_put_ready(b, GH_WIRE_TX_ACTIVE);
    else if (strcmp(name, "command_complete") == 0)
        gh_wire_put_command_complete(b, GH_STR("SELECT 1"));
    else if (strcmp(name, "parameter_description") == 0)
        gh_wire_put_parameter_description(b, types, 2);
    else if (strcmp(name, "notification") == 0)
        build_notification(b);
    else if (strcmp(name, "copy_response") == 0)
        build_copy_response(b);
    else if (strcmp(name, "auth_ok") == 0)
        gh_wire_put_auth(b, GH_WIRE_AUTH_OK, (gh_str){ NULL, 0 });
    else if (strcmp(name, "auth_sasl") == 0)
        gh_wire_put_auth_sasl(b, mechanisms, 2);
    else if (strcmp(name, "auth_continue") == 0)
        gh_wire_put_auth(b, GH_WIRE_AUTH_SASL_CONTINUE, GH_STR("r=abc"));
    else if (strcmp(name, "negotiate") == 0)
        gh_wire_put_negotiate(b, &startup);
    else
        ck_abort_msg("no builder for %s", name);
}

START_TEST(every_message_every_cut)
{
    const message *m = &s_messages[_i];
    gh_buf b = { 0 };
    gh_rd len_word;

    build(m->name, &b);
    ck_assert(!b.failed);
    len_word = (gh_rd){ b.ptr + 1, b.ptr + 5, false };
    ck_assert_uint_eq(gh_rd_u32(&len_word), b.len - 1);
    gh_buf_put_u8(&b, 'x');
    for (size_t len = 0; len <= b.len - 5; len++) {
        gh_str body = exact_copy(b.ptr + 5, len);
        gh_err err = { 0 };
        bool is_whole = len == b.len - 6;
        bool is_legal = is_whole || (m->takes_rest && len >= m->least);

        ck_assert_msg(m->decode(body, &err) == (is_legal ? GH_OK : GH_BADMSG), "%s at %zu", m->name,
                      len);
        if (!is_legal)
            ck_assert_str_eq(err.sqlstate, "08P01");
        free_copy(body);
    }
    gh_buf_fini(&b);
}
END_TEST

/* Every byte of every message set to the values that break lengths and counts: no crash, no read
 * past. */
START_TEST(every_message_every_byte)
{
    static const unsigned char values[] = { 0x00, 0x01, 0x7F, 0x80, 0xFF };
    const message *m = &s_messages[_i];
    gh_buf b = { 0 };

    build(m->name, &b);
    for (size_t at = 5; at < b.len; at++) {
        char saved = b.ptr[at];

        for (size_t v = 0; v < sizeof(values); v++) {
            gh_str body;
            gh_rc rc;

            b.ptr[at] = (char)values[v];
            body = exact_copy(b.ptr + 5, b.len - 5);
            rc = m->decode(body, NULL);
            ck_assert(rc == GH_OK || rc == GH_BADMSG);
            free_copy(body);
        }
        b.ptr[at] = saved;
    }
    gh_buf_fini(&b);
}
END_TEST

/* ---- round trips -------------------------------------------------------------------------------
 */

static gh_str body_of(const gh_buf *b)
{
    ck_assert(!b->failed);
    return (gh_str){ b->ptr + 5, b->len - 5 };
}

START_TEST(round_trip_frontend)
{
    gh_buf b = { 0 }, again = { 0 };
    gh_wire_parse parse;
    gh_wire_bind bind;
    gh_wire_target target;
    gh_wire_execute execute;
    gh_wire_sasl_initial sasl;
    gh_wire_function_call call;
    gh_str text;
    gh_rd r;

    build("query", &b);
    ck_assert_int_eq(b.ptr[0], 'Q');
    ck_assert_int_eq(gh_wire_decode_query(body_of(&b), &text, NULL), GH_OK);
    ck_assert(gh_str_is(text, "select 1"));

    gh_buf_clear(&b);
    build("parse", &b);
    ck_assert_int_eq(gh_wire_decode_parse(body_of(&b), &parse, NULL), GH_OK);
    ck_assert(gh_str_is(parse.name, "s1"));
    ck_assert(gh_str_is(parse.sql, "select $1"));
    ck_assert_uint_eq(parse.types.len, 2);
    ck_assert_uint_eq(gh_wire_u32_at(parse.types, 0), 23);
    ck_assert_uint_eq(gh_wire_u32_at(parse.types, 1), 0);

    gh_buf_clear(&b);
    build("bind", &b);
    ck_assert_int_eq(gh_wire_decode_bind(body_of(&b), &bind, NULL), GH_OK);
    ck_assert(gh_str_is(bind.portal, "p1"));
    ck_assert(gh_str_is(bind.statement, "s1"));
    ck_assert_uint_eq(bind.param_formats.len, 0);
    ck_assert_uint_eq(bind.params_len, 3);
    ck_assert_uint_eq(bind.result_formats.len, 1);
    ck_assert_uint_eq(gh_wire_u16_at(bind.result_formats, 0), 1);
    r = (gh_rd){ bind.params.ptr, bind.params.ptr + bind.params.len, false };
    for (size_t i = 0; i < bind.params_len; i++) {
        gh_wire_value v = gh_wire_next_value(&r);

        ck_assert_int_eq(v.is_null, s_values[i].is_null);
        ck_assert(gh_str_eq(v.bytes, s_values[i].bytes));
    }
    ck_assert(gh_rd_finish(&r));
    gh_wire_put_bind(&again, GH_STR("p1"), GH_STR("s1"), bind.tail);
    ck_assert(gh_str_eq(gh_buf_str(&again), gh_buf_str(&b)));
    gh_buf_clear(&again);
    gh_wire_put_bind(&again, GH_STR(""), GH_STR("other"), bind.tail);
    ck_assert_int_eq(gh_wire_decode_bind(body_of(&again), &bind, NULL), GH_OK);
    ck_assert(gh_str_is(bind.statement, "other"));
    ck_assert_uint_eq(bind.params_len, 3);

    gh_buf_clear(&b);
    build("describe", &b);
    ck_assert_int_eq(gh_wire_decode_describe(body_of(&b), &target, NULL), GH_OK);
    ck_assert_int_eq(target.kind, 'S');
    ck_assert(gh_str_is(target.name, "s1"));

    gh_buf_clear(&b);
    build("execute", &b);
    ck_assert_int_eq(gh_wire_decode_execute(body_of(&b), &execute, NULL), GH_OK);
    ck_assert_uint_eq(execute.rows_max, 100);
    gh_buf_clear(&b);
    gh_wire_put_execute(&b, GH_STR(""), 0x80000000u);
    ck_assert_int_eq(gh_wire_decode_execute(body_of(&b), &execute, NULL), GH_OK);
    ck_assert_uint_eq(execute.rows_max, 0); /* negative: all */

    gh_buf_clear(&b);
    build("sasl_initial", &b);
    ck_assert_int_eq(gh_wire_decode_sasl_initial(body_of(&b), &sasl, NULL), GH_OK);
    ck_assert(gh_str_is(sasl.mechanism, "SCRAM-SHA-256"));
    ck_assert(sasl.has_response);
    ck_assert(gh_str_is(sasl.response, "n,,n=,r=abc"));
    ck_assert_int_eq(gh_wire_decode_sasl_initial(GH_STR("X\0\xff\xff\xff\xff"), &sasl, NULL),
                     GH_OK);
    ck_assert(!sasl.has_response);

    gh_buf_clear(&b);
    build("function_call", &b);
    ck_assert_int_eq(gh_wire_decode_function_call(body_of(&b), &call, NULL), GH_OK);
    ck_assert_uint_eq(call.function, 1598);
    ck_assert_uint_eq(call.args_len, 2);
    ck_assert_uint_eq(call.result_format, 1);

    gh_buf_clear(&b);
    gh_wire_put_copy_data(&b, GH_STR("a\0b"));
    ck_assert(gh_str_eq(gh_buf_str(&b), GH_STR("d\0\0\0\7a\0b")));
    gh_buf_clear(&b);
    gh_wire_put_sasl_response(&b, GH_STR("c=biws"));
    ck_assert(gh_str_eq(gh_buf_str(&b), GH_STR("p\0\0\0\x0a"
                                               "c=biws")));
    gh_buf_clear(&b);
    gh_wire_put_empty(&b, GH_WIRE_F_TERMINATE);
    ck_assert(gh_str_eq(gh_buf_str(&b), GH_STR("X\0\0\0\4")));
    gh_buf_fini(&b);
    gh_buf_fini(&again);
}
END_TEST

START_TEST(round_trip_backend)
{
    gh_arena *a = gh_arena_new(0);
    gh_buf b = { 0 };
    gh_wire_column sent[2];
    gh_wire_columns columns;
    gh_wire_data_row row;
    gh_wire_param param;
    gh_wire_key_data key;
    gh_wire_ints types;
    gh_wire_notification note;
    gh_wire_copy_response copy;
    gh_wire_authentication auth;
    gh_str tag;
    gh_rd r;
    char status;

    sent[0] = gh_wire_text_column(GH_STR("first"));
    sent[1] = (gh_wire_column){ GH_STR("id"), 16385, -3, 23, 4, -1, 1 };
    gh_wire_put_row_description(&b, sent, 2);
    ck_assert_int_eq(gh_wire_decode_row_description(a, body_of(&b), &columns, NULL), GH_OK);
    ck_assert_uint_eq(columns.len, 2);
    ck_assert(gh_str_is(columns.ptr[0].name, "first"));
    ck_assert_uint_eq(columns.ptr[0].type_oid, 25);
    ck_assert_int_eq(columns.ptr[0].type_len, -1);
    ck_assert_int_eq(columns.ptr[0].typmod, -1);
    ck_assert(gh_str_is(columns.ptr[1].name, "id"));
    ck_assert_uint_eq(columns.ptr[1].table_oid, 16385);
    ck_assert_int_eq(columns.ptr[1].attnum, -3);
    ck_assert_uint_eq(columns.ptr[1].format, 1);

    gh_buf_clear(&b);
    build("data_row", &b);
    ck_assert_int_eq(gh_wire_decode_data_row(body_of(&b), &row, NULL), GH_OK);
    ck_assert_uint_eq(row.len, 3);
    r = (gh_rd){ row.values.ptr, row.values.ptr + row.values.len, false };
    ck_assert(gh_str_is(gh_wire_next_value(&r).bytes, "one"));
    ck_assert(gh_wire_next_value(&r).is_null);
    ck_assert(!gh_wire_next_value(&r).is_null);

    gh_buf_clear(&b);
    build("parameter_status", &b);
    ck_assert_int_eq(gh_wire_decode_parameter_status(body_of(&b), &param, NULL), GH_OK);
    ck_assert(gh_str_is(param.name, "TimeZone"));
    ck_assert(gh_str_is(param.value, "UTC"));

    gh_buf_clear(&b);
    build("key_data", &b);
    ck_assert_int_eq(gh_wire_decode_key_data(body_of(&b), &key, NULL), GH_OK);
    ck_assert_uint_eq(key.pid, 7);
    ck_assert_uint_eq(key.key.len, 32);

    for (const char *s = "ITE"; *s != '\0'; s++) {
        gh_buf_clear(&b);
        gh_wire_put_ready(&b, *s);
        ck_assert_int_eq(gh_wire_decode_ready(body_of(&b), &status, NULL), GH_OK);
        ck_assert_int_eq(status, *s);
    }
    ck_assert_int_eq(gh_wire_decode_ready(GH_STR("i"), &status, NULL), GH_BADMSG);

    gh_buf_clear(&b);
    build("command_complete", &b);
    ck_assert_int_eq(gh_wire_decode_command_complete(body_of(&b), &tag, NULL), GH_OK);
    ck_assert(gh_str_is(tag, "SELECT 1"));

    gh_buf_clear(&b);
    build("parameter_description", &b);
    ck_assert_int_eq(gh_wire_decode_parameter_description(body_of(&b), &types, NULL), GH_OK);
    ck_assert_uint_eq(types.len, 2);
    ck_assert_uint_eq(gh_wire_u32_at(types, 1), 25);

    gh_buf_clear(&b);
    build("notification", &b);
    ck_assert_int_eq(gh_wire_decode_notification(body_of(&b), &note, NULL), GH_OK);
    ck_assert_uint_eq(note.pid, 12);
    ck_assert(gh_str_is(note.channel, "channel"));
    ck_assert(gh_str_is(note.payload, "payload"));

    gh_buf_clear(&b);
    build("copy_response", &b);
    ck_assert_int_eq(gh_wire_decode_copy_response(body_of(&b), &copy, NULL), GH_OK);
    ck_assert_uint_eq(copy.formats.len, 2);
    ck_assert_uint_eq(gh_wire_u16_at(copy.formats, 1), 1);

    gh_buf_clear(&b);
    build("auth_sasl", &b);
    ck_assert_int_eq(gh_wire_decode_authentication(body_of(&b), &auth, NULL), GH_OK);
    ck_assert_uint_eq(auth.code, GH_WIRE_AUTH_SASL);
    ck_assert(gh_str_eq(auth.data, GH_STR("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")));
    gh_buf_clear(&b);
    build("auth_continue", &b);
    ck_assert_int_eq(gh_wire_decode_authentication(body_of(&b), &auth, NULL), GH_OK);
    ck_assert_uint_eq(auth.code, GH_WIRE_AUTH_SASL_CONTINUE);
    ck_assert(gh_str_is(auth.data, "r=abc"));
    gh_buf_fini(&b);
    gh_arena_free(a);
}
END_TEST

START_TEST(errors_show_only_what_is_public)
{
    gh_err e = { .sqlstate = "42P01",
                 .public_msg = "relation \"x\" does not exist",
                 .hint = "It may exist.",
                 .detail = "rule 7 on host db1",
                 .position = 15 };
    gh_err none = { 0 };
    gh_buf b = { 0 };
    gh_wire_fields f, again;

    gh_wire_put_error(&b, GH_WIRE_FATAL, &e);
    ck_assert_int_eq(b.ptr[0], 'E');
    ck_assert_ptr_null(memmem(b.ptr, b.len, "rule 7", 6));
    ck_assert_int_eq(gh_wire_decode_fields(body_of(&b), &f, NULL), GH_OK);
    ck_assert(gh_str_is(gh_wire_field(&f, 'S'), "FATAL"));
    ck_assert(gh_str_is(gh_wire_field(&f, 'V'), "FATAL"));
    ck_assert(gh_str_is(gh_wire_field(&f, 'C'), "42P01"));
    ck_assert(gh_str_is(gh_wire_field(&f, 'M'), "relation \"x\" does not exist"));
    ck_assert(gh_str_is(gh_wire_field(&f, 'H'), "It may exist."));
    ck_assert(gh_str_is(gh_wire_field(&f, 'P'), "15"));
    ck_assert_ptr_null(gh_wire_field(&f, 'D').ptr);

    gh_buf_clear(&b);
    gh_wire_put_error(&b, GH_WIRE_ERROR, &none);
    ck_assert_int_eq(gh_wire_decode_fields(body_of(&b), &f, NULL), GH_OK);
    ck_assert(gh_str_is(gh_wire_field(&f, 'C'), "XX000"));
    ck_assert(gh_str_is(gh_wire_field(&f, 'M'), "internal error"));
    ck_assert_ptr_null(gh_wire_field(&f, 'H').ptr);
    ck_assert_ptr_null(gh_wire_field(&f, 'P').ptr);

    gh_buf_clear(&b);
    gh_wire_put_notice(&b, GH_WIRE_WARNING, "01000", "careful", "look");
    ck_assert_int_eq(b.ptr[0], 'N');
    ck_assert_int_eq(gh_wire_decode_fields(body_of(&b), &f, NULL), GH_OK);
    ck_assert(gh_str_is(gh_wire_field(&f, 'S'), "WARNING"));
    ck_assert(gh_str_is(gh_wire_field(&f, 'H'), "look"));

    /* explicit fields, all letters: what goes in comes out */
    memset(&f, 0, sizeof(f));
    for (char letter = 'A'; letter <= 'z'; letter++)
        gh_wire_set_field(&f, letter, letter % 3 == 0 ? (gh_str){ NULL, 0 } : GH_STR("v"));
    gh_wire_set_field(&f, 'q', GH_STR(""));
    gh_buf_clear(&b);
    gh_wire_put_fields(&b, GH_WIRE_B_ERROR_RESPONSE, &f);
    ck_assert_int_eq(gh_wire_decode_fields(body_of(&b), &again, NULL), GH_OK);
    for (char letter = 'A'; letter <= 'z'; letter++) {
        ck_assert(gh_str_eq(gh_wire_field(&f, letter), gh_wire_field(&again, letter)));
        ck_assert_int_eq(gh_wire_field(&f, letter).ptr == NULL,
                         gh_wire_field(&again, letter).ptr == NULL);
    }
    /* letters outside the alphabet are skipped */
    ck_assert_int_eq(gh_wire_decode_fields(GH_STR("\x01x\0\xffy\0Mm\0\0"), &f, NULL), GH_OK);
    ck_assert(gh_str_is(gh_wire_field(&f, 'M'), "m"));
    gh_buf_fini(&b);
}
END_TEST

START_TEST(severities_have_names)
{
    static const char *const names[] = { "ERROR",  "FATAL", "PANIC", "WARNING",
                                         "NOTICE", "INFO",  "DEBUG", "LOG" };

    for (size_t i = 0; i < GH_COUNT(names); i++) {
        gh_buf b = { 0 };
        gh_wire_fields f;

        gh_wire_put_notice(&b, (gh_wire_severity)i, "00000", "x", NULL);
        ck_assert_int_eq(gh_wire_decode_fields(body_of(&b), &f, NULL), GH_OK);
        ck_assert(gh_str_is(gh_wire_field(&f, 'V'), names[i]));
        gh_buf_fini(&b);
    }
}
END_TEST

/* ---- bounds and particular faults --------------------------------------------------------------
 */

START_TEST(names_are_cut)
{
    char name[GH_WIRE_NAME_MAX + 2];
    gh_buf b = { 0 };
    gh_wire_target target;
    gh_wire_parse parse;
    gh_wire_bind bind;
    gh_wire_execute execute;

    memset(name, 'n', sizeof(name));
    for (size_t len = GH_WIRE_NAME_MAX - 1; len <= sizeof(name); len++) {
        size_t kept = len > GH_WIRE_NAME_MAX ? GH_WIRE_NAME_MAX : len;
        gh_str s = { name, len };

        gh_buf_clear(&b);
        gh_wire_put_close(&b, 'S', s);
        ck_assert_int_eq(gh_wire_decode_close(body_of(&b), &target, NULL), GH_OK);
        ck_assert_uint_eq(target.name.len, kept);
        gh_buf_clear(&b);
        gh_wire_put_parse(&b, s, GH_STR(""), (gh_wire_ints){ NULL, 0 });
        ck_assert_int_eq(gh_wire_decode_parse(body_of(&b), &parse, NULL), GH_OK);
        ck_assert_uint_eq(parse.name.len, kept);
        gh_buf_clear(&b);
        gh_wire_put_bind_text(&b, s, s, NULL, 0, 0);
        ck_assert_int_eq(gh_wire_decode_bind(body_of(&b), &bind, NULL), GH_OK);
        ck_assert_uint_eq(bind.portal.len, kept);
        ck_assert_uint_eq(bind.statement.len, kept);
        gh_buf_clear(&b);
        gh_wire_put_execute(&b, s, 0);
        ck_assert_int_eq(gh_wire_decode_execute(body_of(&b), &execute, NULL), GH_OK);
        ck_assert_uint_eq(execute.portal.len, kept);
    }
    gh_buf_fini(&b);
}
END_TEST

START_TEST(strings_hold_no_nul)
{
    gh_str sly = GH_STR("select 1\0; drop");
    gh_buf b = { 0 };

    gh_wire_put_query(&b, sly);
    ck_assert(b.failed);
    gh_buf_clear(&b);
    gh_wire_put_parse(&b, sly, GH_STR("x"), (gh_wire_ints){ NULL, 0 });
    ck_assert(b.failed);
    gh_buf_clear(&b);
    gh_wire_put_parse(&b, GH_STR("x"), sly, (gh_wire_ints){ NULL, 0 });
    ck_assert(b.failed);
    gh_buf_clear(&b);
    gh_wire_put_bind(&b, GH_STR(""), sly, GH_STR(""));
    ck_assert(b.failed);
    gh_buf_clear(&b);
    gh_wire_put_describe(&b, 'S', sly);
    ck_assert(b.failed);
    gh_buf_clear(&b);
    gh_wire_put_execute(&b, sly, 0);
    ck_assert(b.failed);
    gh_buf_clear(&b);
    gh_wire_put_parameter_status(&b, GH_STR("a"), sly);
    ck_assert(b.failed);
    gh_buf_clear(&b);
    gh_wire_put_command_complete(&b, sly);
    ck_assert(b.failed);
    gh_buf_fini(&b);
}
END_TEST

START_TEST(parameters_bound)
{
    static gh_wire_value values[GH_WIRE_PARAMS_MAX];
    static uint32_t types[GH_WIRE_PARAMS_MAX];
    gh_buf b = { 0 };
    gh_wire_bind bind;
    gh_wire_ints ints;

    for (size_t i = 0; i < GH_COUNT(values); i++)
        values[i].is_null = true;
    gh_wire_put_bind_text(&b, GH_STR(""), GH_STR(""), values, GH_COUNT(values), 0);
    ck_assert_int_eq(gh_wire_decode_bind(body_of(&b), &bind, NULL), GH_OK);
    ck_assert_uint_eq(bind.params_len, GH_WIRE_PARAMS_MAX);
    gh_buf_clear(&b);
    gh_wire_put_parameter_description(&b, types, GH_COUNT(types));
    ck_assert_int_eq(gh_wire_decode_parameter_description(body_of(&b), &ints, NULL), GH_OK);
    ck_assert_uint_eq(ints.len, GH_WIRE_PARAMS_MAX);
    gh_buf_fini(&b);
}
END_TEST

START_TEST(parameters_past_bound)
{
    static gh_wire_value values[GH_WIRE_PARAMS_MAX + 1];
    gh_buf b = { 0 };

    gh_wire_put_bind_text(&b, GH_STR(""), GH_STR(""), values, GH_COUNT(values),
                          0); /* our defect: aborts */
}
END_TEST

/* A message past GH_WIRE_BODY_MAX is not built. The value is borrowed address space, never read. */
START_TEST(builders_bound)
{
    char head[8] = { 0 };
    gh_buf claims = { .ptr = head, .len = (size_t)GH_WIRE_BODY_MAX + 1, .cap = SIZE_MAX };
    gh_wire_value huge = { { "", (size_t)GH_WIRE_BODY_MAX + 1 }, false };
    gh_buf b;

    gh_wire_end(&claims,
                0); /* as if a gigabyte had been appended: the length word is at the bound */
    ck_assert(!claims.failed);
    claims.len++;
    gh_wire_end(&claims, 0);
    ck_assert(claims.failed);
    gh_buf_init(&b, 0);
    gh_wire_put_data_row(&b, &huge, 1);
    ck_assert(b.failed);
    gh_buf_fini(&b);
    gh_buf_init(&b, 16);
    gh_wire_put_query(&b, GH_STR("0123456789")); /* 16 bytes */
    ck_assert(!b.failed);
    gh_buf_clear(&b);
    gh_wire_put_query(&b, GH_STR("0123456789a"));
    ck_assert(b.failed);
    gh_buf_fini(&b);
}
END_TEST

START_TEST(particular_faults)
{
    static const struct {
        gh_rc (*decode)(gh_str body, gh_err *err);
        gh_str body;
        const char *message;
    } cases[] = {
        { try_query, { "no end", 6 }, "invalid string in message" },
        { try_query, { "a\0b", 4 }, "invalid message format" },
        { try_describe, { "", 0 }, "no data left in message" },
        { try_describe, { "Xs", 3 }, "invalid DESCRIBE message subtype 88" },
        { try_close, { "\xffs", 3 }, "invalid CLOSE message subtype 255" },
        { try_bind,
          { "\0\0\0\2\0\0\0\0\0\1", 10 },
          "bind message has 2 parameter formats but 1 parameters" },
        { try_bind,
          { "\0\0\0\0\0\1\xff\xff\xff\xfe\0\0", 12 },
          "insufficient data left in message" },
        { try_bind,
          { "\0\0\0\0\0\1\x7f\xff\xff\xff\0\0", 12 },
          "insufficient data left in message" },
        { try_bind, { "\0\0\0\0\xff\xff", 6 }, "insufficient data left in message" },
        { try_parse, { "\0\0\xff\xff", 4 }, "insufficient data left in message" },
        { try_password, { "abc", 3 }, "invalid password packet size" },
        { try_password, { "a\0c", 4 }, "invalid password packet size" },
        { try_empty, { "x", 1 }, "invalid message format" },
        { try_row_description, { "\xff\xff", 2 }, "insufficient data left in message" },
        { try_negotiate, { "\0\3\0\0\xff\xff\xff\xff", 8 }, "insufficient data left in message" },
        { try_function_call,
          { "\0\0\0\1\0\2\0\0\0\0\0\1", 12 },
          "function call message contains 2 argument formats but 1 arguments" },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_str body = exact_copy(cases[i].body.ptr, cases[i].body.len);
        gh_err err = { 0 };

        ck_assert_int_eq(cases[i].decode(body, &err), GH_BADMSG);
        ck_assert_str_eq(err.sqlstate, "08P01");
        ck_assert_str_eq(err.public_msg, cases[i].message);
        free_copy(body);
    }
}
END_TEST

START_TEST(cancel_key_bound)
{
    char body[4 + GH_WIRE_CANCEL_KEY_MAX + 1] = { 0 };
    gh_wire_key_data key;

    for (size_t len = 0; len <= GH_WIRE_CANCEL_KEY_MAX + 1; len++) {
        bool is_legal = len >= GH_WIRE_CANCEL_KEY_MIN && len <= GH_WIRE_CANCEL_KEY_MAX;

        ck_assert_int_eq(gh_wire_decode_key_data((gh_str){ body, 4 + len }, &key, NULL),
                         is_legal ? GH_OK : GH_BADMSG);
    }
}
END_TEST

START_TEST(row_description_budget)
{
    gh_arena *a = gh_arena_new(64);
    gh_wire_column columns[3];
    gh_wire_columns out;
    gh_buf b = { 0 };
    gh_err err = { 0 };

    for (size_t i = 0; i < GH_COUNT(columns); i++)
        columns[i] = gh_wire_text_column(GH_STR("c"));
    gh_wire_put_row_description(&b, columns, GH_COUNT(columns));
    ck_assert_int_eq(gh_wire_decode_row_description(a, body_of(&b), &out, &err), GH_LIMIT);
    ck_assert_str_eq(err.sqlstate, "53200");
    gh_buf_fini(&b);
    gh_arena_free(a);
}
END_TEST

START_TEST(tag_rows)
{
    static const struct {
        const char *tag;
        uint64_t rows;
    } cases[] = { { "SELECT 5", 5 },
                  { "INSERT 0 3", 3 },
                  { "BEGIN", 0 },
                  { "", 0 },
                  { "5", 0 },
                  { "FETCH 18446744073709551615", UINT64_MAX },
                  { "FETCH 18446744073709551616", 0 },
                  { "SELECT ", 0 },
                  { "X5", 0 } };

    for (size_t i = 0; i < GH_COUNT(cases); i++)
        ck_assert_uint_eq(gh_wire_tag_rows(gh_str_of(cases[i].tag)), cases[i].rows);
}
END_TEST

Suite *wire_messages_suite(void)
{
    Suite *s = suite_create("wire/messages");
    TCase *tc = tcase_create("messages");

    tcase_add_loop_test(tc, every_message_every_cut, 0, (int)GH_COUNT(s_messages));
    tcase_add_loop_test(tc, every_message_every_byte, 0, (int)GH_COUNT(s_messages));
    tcase_add_test(tc, round_trip_frontend);
    tcase_add_test(tc, round_trip_backend);
    tcase_add_test(tc, errors_show_only_what_is_public);
    tcase_add_test(tc, severities_have_names);
    tcase_add_test(tc, names_are_cut);
    tcase_add_test(tc, strings_hold_no_nul);
    tcase_add_test(tc, parameters_bound);
    tcase_add_test_raise_signal(tc, parameters_past_bound, 6);
    tcase_add_test(tc, builders_bound);
    tcase_add_test(tc, particular_faults);
    tcase_add_test(tc, cancel_key_bound);
    tcase_add_test(tc, row_description_budget);
    tcase_add_test(tc, tag_rows);
    suite_add_tcase(s, tc);
    return s;
}
