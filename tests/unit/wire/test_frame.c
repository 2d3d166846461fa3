/* Framing: headers in pieces, and every length bound. */
#include "wire_tests.h"

#include <stdio.h>

/* A header with this length word (type 0: a startup packet's). */
static gh_str header(char out[5], uint8_t type, uint32_t len)
{
    gh_buf b = { 0 };
    gh_str s;

    if (type != 0)
        gh_buf_put_u8(&b, type);
    gh_buf_put_u32(&b, len);
    memcpy(out, b.ptr, b.len);
    s = (gh_str){ out, b.len };
    gh_buf_fini(&b);
    return s;
}

static gh_rc frame_client(gh_wire_phase phase, uint8_t type, uint32_t len, gh_wire_frame *f,
                          gh_err *err)
{
    char bytes[5];

    memset(err, 0, sizeof(*err));
    return gh_wire_frame_frontend(phase, header(bytes, type, len), f, err);
}

static gh_rc frame_server(uint8_t type, uint32_t len, gh_wire_frame *f, gh_err *err)
{
    char bytes[5];

    memset(err, 0, sizeof(*err));
    return gh_wire_frame_backend(header(bytes, type, len), f, err);
}

START_TEST(frame_startup_bound)
{
    static const struct {
        uint32_t len;
        gh_rc rc;
    } cases[] = { { 0, GH_BADMSG },
                  { 3, GH_BADMSG },
                  { 4, GH_BADMSG },
                  { 7, GH_BADMSG },
                  { 8, GH_OK },
                  { GH_WIRE_STARTUP_MAX + 4, GH_OK },
                  { GH_WIRE_STARTUP_MAX + 5, GH_BADMSG },
                  { UINT32_MAX, GH_BADMSG },
                  { 0x47455420, GH_BADMSG } }; /* "GET " */

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        char bytes[5];
        gh_wire_frame f;
        gh_err err = { 0 };

        ck_assert_int_eq(gh_wire_frame_startup(header(bytes, 0, cases[i].len), &f, &err),
                         cases[i].rc);
        if (cases[i].rc == GH_OK) {
            ck_assert_uint_eq(f.type, 0);
            ck_assert_uint_eq(gh_wire_frame_len(&f), cases[i].len);
            ck_assert_uint_eq(f.missing, cases[i].len - 4);
        } else {
            ck_assert_str_eq(err.sqlstate, "08P01");
            ck_assert_str_eq(err.public_msg, "invalid length of startup packet");
        }
    }
}
END_TEST

START_TEST(frame_auth_bound)
{
    gh_wire_frame f;
    gh_err err;

    ck_assert_int_eq(frame_client(GH_WIRE_PHASE_AUTH, 'p', 4, &f, &err), GH_OK);
    ck_assert_int_eq(frame_client(GH_WIRE_PHASE_AUTH, 'p', GH_WIRE_AUTH_MAX, &f, &err), GH_OK);
    ck_assert_uint_eq(f.body_len, GH_WIRE_AUTH_MAX - 4);
    ck_assert_int_eq(frame_client(GH_WIRE_PHASE_AUTH, 'p', GH_WIRE_AUTH_MAX + 1, &f, &err),
                     GH_BADMSG);
    ck_assert_str_eq(err.public_msg, "invalid message length");
    ck_assert_int_eq(frame_client(GH_WIRE_PHASE_AUTH, 'p', 3, &f, &err), GH_BADMSG);
    for (int type = 0; type < 256; type++) {
        char byte = (char)type;

        if (type == 'p')
            continue;
        memset(&err, 0, sizeof(err));
        /* the type byte alone is enough to refuse */
        ck_assert_int_eq(gh_wire_frame_frontend(GH_WIRE_PHASE_AUTH, (gh_str){ &byte, 1 }, &f, &err),
                         GH_BADMSG);
        ck_assert_str_eq(err.sqlstate, "08P01");
    }
}
END_TEST

START_TEST(frame_session_bound)
{
    static const char large[] = "QPBFd";
    static const char small[] = "DCEHSXcf";

    for (int type = 0; type < 256; type++) {
        bool is_large = type != 0 && strchr(large, type) != NULL;
        bool is_small = type != 0 && strchr(small, type) != NULL;
        uint32_t max = is_large ? GH_WIRE_BODY_MAX : 10000;
        gh_wire_frame f;
        gh_err err;
        char byte = (char)type;

        if (!is_large && !is_small) {
            char text[64];

            memset(&err, 0, sizeof(err));
            ck_assert_int_eq(
                gh_wire_frame_frontend(GH_WIRE_PHASE_SESSION, (gh_str){ &byte, 1 }, &f, &err),
                GH_BADMSG);
            snprintf(text, sizeof(text), "invalid frontend message type %d", type);
            ck_assert_str_eq(err.public_msg, text);
            continue;
        }
        ck_assert_int_eq(frame_client(GH_WIRE_PHASE_SESSION, (uint8_t)type, 4, &f, &err), GH_OK);
        ck_assert_uint_eq(f.missing, 0);
        ck_assert_int_eq(frame_client(GH_WIRE_PHASE_SESSION, (uint8_t)type, max, &f, &err), GH_OK);
        ck_assert_uint_eq(f.type, (uint8_t)type);
        ck_assert_uint_eq(f.body_len, max - 4);
        ck_assert_int_eq(frame_client(GH_WIRE_PHASE_SESSION, (uint8_t)type, max + 1, &f, &err),
                         GH_BADMSG);
        ck_assert_int_eq(frame_client(GH_WIRE_PHASE_SESSION, (uint8_t)type, UINT32_MAX, &f, &err),
                         GH_BADMSG);
        for (uint32_t len = 0; len < 4; len++) {
            ck_assert_int_eq(frame_client(GH_WIRE_PHASE_SESSION, (uint8_t)type, len, &f, &err),
                             GH_BADMSG);
            ck_assert_str_eq(err.sqlstate, "08P01");
        }
        /* no phase set: nothing is legal */
        ck_assert_int_eq(frame_client(GH_WIRE_PHASE_NONE, (uint8_t)type, 4, &f, &err), GH_BADMSG);
    }
}
END_TEST

START_TEST(frame_backend_bound)
{
    static const char large[] = "dDEVNAtT";
    static const char small[] = "RK23CWcGHIvnS1sZ";

    for (int type = 0; type < 256; type++) {
        bool is_large = type != 0 && strchr(large, type) != NULL;
        bool is_small = type != 0 && strchr(small, type) != NULL;
        uint32_t max = is_large ? GH_WIRE_BODY_MAX + 4 : 30004;
        gh_wire_frame f;
        gh_err err;

        if (!is_large && !is_small) {
            ck_assert_int_eq(frame_server((uint8_t)type, 4, &f, &err), GH_BADMSG);
            continue;
        }
        uint32_t min = type == 'D' ? 6 : 4;

        ck_assert_int_eq(frame_server((uint8_t)type, min, &f, &err), GH_OK);
        ck_assert_int_eq(frame_server((uint8_t)type, min - 1, &f, &err), GH_BADMSG);
        ck_assert_int_eq(frame_server((uint8_t)type, max, &f, &err), GH_OK);
        ck_assert_uint_eq(gh_wire_frame_len(&f), (size_t)max + 1);
        ck_assert_int_eq(frame_server((uint8_t)type, max + 1, &f, &err), GH_BADMSG);
        ck_assert_int_eq(frame_server((uint8_t)type, 3, &f, &err), GH_BADMSG);
        ck_assert_str_eq(err.public_msg, "lost synchronization with server");
    }
}
END_TEST

/* However the bytes arrive, the frame says the same, and what is missing. */
START_TEST(frame_in_pieces)
{
    gh_buf b = { 0 };
    size_t whole;

    gh_wire_put_query(&b, GH_STR("select 1"));
    whole = b.len;
    gh_wire_put_empty(&b, GH_WIRE_F_SYNC); /* the next one behind it */
    for (size_t len = 0; len <= b.len; len++) {
        gh_str part = exact_copy(b.ptr, len);
        gh_wire_frame f = { 0 };
        gh_rc rc = gh_wire_frame_frontend(GH_WIRE_PHASE_SESSION, part, &f, NULL);

        if (len < 5) {
            ck_assert_int_eq(rc, GH_AGAIN);
            ck_assert_uint_eq(f.type, 0);
        } else {
            ck_assert_int_eq(rc, GH_OK);
            ck_assert_uint_eq(f.type, 'Q');
            ck_assert_uint_eq(f.header_len, 5);
            ck_assert_uint_eq(f.body_len, 9);
            ck_assert_uint_eq(f.missing, len < whole ? whole - len : 0);
            ck_assert_uint_eq(f.body.len, 9 - f.missing);
            ck_assert_ptr_eq(f.body.ptr, part.ptr + 5);
        }
        free_copy(part);
    }
    gh_buf_clear(&b);
    gh_wire_put_ready(&b, GH_WIRE_TX_IDLE);
    for (size_t len = 0; len <= b.len; len++) {
        gh_str part = exact_copy(b.ptr, len);
        gh_wire_frame f;

        ck_assert_int_eq(gh_wire_frame_backend(part, &f, NULL), len < 5 ? GH_AGAIN : GH_OK);
        free_copy(part);
    }
    gh_buf_clear(&b);
    gh_wire_put_ssl_request(&b);
    for (size_t len = 0; len <= b.len; len++) {
        gh_str part = exact_copy(b.ptr, len);
        gh_wire_frame f;

        ck_assert_int_eq(gh_wire_frame_startup(part, &f, NULL), len < 4 ? GH_AGAIN : GH_OK);
        free_copy(part);
    }
    gh_buf_fini(&b);
}
END_TEST

START_TEST(frame_tells_tls)
{
    ck_assert(gh_wire_is_tls_hello(GH_STR("\x16\x03\x01")));
    ck_assert(!gh_wire_is_tls_hello(GH_STR("\x00\x00\x00\x08")));
    ck_assert(!gh_wire_is_tls_hello((gh_str){ NULL, 0 }));
}
END_TEST

Suite *wire_frame_suite(void)
{
    Suite *s = suite_create("wire/frame");
    TCase *tc = tcase_create("frame");

    tcase_add_test(tc, frame_startup_bound);
    tcase_add_test(tc, frame_auth_bound);
    tcase_add_test(tc, frame_session_bound);
    tcase_add_test(tc, frame_backend_bound);
    tcase_add_test(tc, frame_in_pieces);
    tcase_add_test(tc, frame_tells_tls);
    suite_add_tcase(s, tc);
    return s;
}
