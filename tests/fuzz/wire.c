/*
 * The wire's decoders. The first byte picks one, the rest is its body, in memory of exactly its size. What a decoder took is walked
 * to its last item, as the session would.
 */
#include <gatehouse/wire.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t s_sum; /* what was read cannot be optimised away */

static void see(gh_str s)
{
    for (size_t i = 0; i < s.len; i++)
        s_sum += (unsigned char)s.ptr[i];
}

static gh_rc startup(gh_arena *a, gh_str body)
{
    gh_wire_startup s;
    gh_err err = { 0 };
    gh_rc rc = gh_wire_decode_startup(a, body, (body.len & 1) != 0, false, &s, &err);

    if (rc == GH_OK)
        s_sum += gh_wire_needs_negotiation(&s);
    return rc;
}

static gh_rc options(gh_arena *a, gh_str body)
{
    gh_wire_param *params;
    size_t count;
    gh_err err = { 0 };
    gh_rc rc = gh_wire_split_options(a, body, &params, &count, &err);

    for (size_t i = 0; rc == GH_OK && i < count; i++) {
        see(params[i].name);
        see(params[i].value);
    }
    return rc;
}

static gh_rc frontend(uint8_t which, gh_arena *a, gh_str body, gh_err *err)
{
    gh_str text;
    gh_wire_parse parse;
    gh_wire_bind bind;
    gh_wire_target target;
    gh_wire_execute execute;
    gh_wire_function_call call;
    gh_wire_sasl_initial sasl;
    gh_wire_frame frame;

    switch (which) {
    case 0:
        return startup(a, body);
    case 1:
        return options(a, body);
    case 2:
        return gh_wire_decode_query(body, &text, err);
    case 3:
        return gh_wire_decode_parse(body, &parse, err);
    case 4:
        return gh_wire_decode_bind(body, &bind, err);
    case 5:
        return gh_wire_decode_describe(body, &target, err);
    case 6:
        return gh_wire_decode_close(body, &target, err);
    case 7:
        return gh_wire_decode_execute(body, &execute, err);
    case 8:
        return gh_wire_decode_function_call(body, &call, err);
    case 9:
        return gh_wire_decode_copy_fail(body, &text, err);
    case 10:
        return gh_wire_decode_password(body, &text, err);
    case 11:
        return gh_wire_decode_sasl_initial(body, &sasl, err);
    case 12:
        return gh_wire_decode_empty(body, err);
    case 13:
        return gh_wire_frame_startup(body, &frame, err);
    default:
        return gh_wire_frame_frontend((gh_wire_phase)(which % 2), body, &frame, err);
    }
}

static gh_rc backend(uint8_t which, gh_arena *a, gh_str body, gh_err *err)
{
    gh_wire_fields fields;
    gh_wire_columns columns;
    gh_wire_data_row row;
    gh_wire_param param;
    gh_wire_key_data key;
    gh_wire_ints ints;
    gh_wire_notification notification;
    gh_wire_copy_response copy;
    gh_wire_authentication authentication;
    gh_wire_negotiate negotiate;
    gh_wire_frame frame;
    gh_str tag;
    char status;

    switch (which) {
    case 0:
        return gh_wire_decode_fields(body, &fields, err);
    case 1:
        return gh_wire_decode_row_description(a, body, &columns, err);
    case 2:
        return gh_wire_decode_data_row(body, &row, err);
    case 3:
        return gh_wire_decode_parameter_status(body, &param, err);
    case 4:
        return gh_wire_decode_key_data(body, &key, err);
    case 5:
        return gh_wire_decode_ready(body, &status, err);
    case 6:
        s_sum += gh_wire_tag_rows(body);
        return gh_wire_decode_command_complete(body, &tag, err);
    case 7:
        return gh_wire_decode_parameter_description(body, &ints, err);
    case 8:
        return gh_wire_decode_notification(body, &notification, err);
    case 9:
        return gh_wire_decode_copy_response(body, &copy, err);
    case 10:
        return gh_wire_decode_authentication(body, &authentication, err);
    case 11:
        return gh_wire_decode_negotiate(body, &negotiate, err);
    default:
        return gh_wire_frame_backend(body, &frame, err);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_arena *a;
    char *body;
    gh_err err = { 0 };
    gh_rc rc;

    if (size < 1)
        return 0;
    body = malloc(size - 1 == 0 ? 1 : size - 1);
    memcpy(body, data + 1, size - 1);
    a = gh_arena_new((size_t)1 << 20);
    rc = (data[0] & 0x80) != 0 ? backend((data[0] & 0x7f) % 13, a, (gh_str){ body, size - 1 }, &err)
                               : frontend(data[0] % 16, a, (gh_str){ body, size - 1 }, &err);
    if (rc == GH_INTERNAL)
        abort();
    gh_arena_free(a);
    free(body);
    return 0;
}
