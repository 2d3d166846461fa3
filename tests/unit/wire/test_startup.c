/* Startup packets and the `options` parameter. */
#include "wire_tests.h"

static gh_arena *s_arena;
static gh_buf s_packet;

static void set_up(void)
{
    s_arena = gh_arena_new(1u << 20);
    gh_buf_init(&s_packet, 0);
}

static void tear_down(void)
{
    gh_arena_free(s_arena);
    gh_buf_fini(&s_packet);
}

/* Decodes s_packet, which is a whole packet. */
static gh_rc decode(gh_wire_startup *out, gh_err *err)
{
    gh_wire_frame f;

    memset(err, 0, sizeof(*err));
    ck_assert_int_eq(gh_wire_frame_startup(gh_buf_str(&s_packet), &f, err), GH_OK);
    ck_assert_uint_eq(f.missing, 0);
    return gh_wire_decode_startup(s_arena, f.body, false, false, out, err);
}

static void pack(uint32_t version, const gh_wire_param *params, size_t n)
{
    gh_buf_clear(&s_packet);
    gh_wire_put_startup(&s_packet, version, params, n);
    ck_assert(!s_packet.failed);
}

#define PARAM(n, v)                                                                                \
    {                                                                                              \
        GH_STR_OF(n), GH_STR_OF(v)                                                                 \
    }
#define GH_STR_OF(s)                                                                               \
    {                                                                                              \
        (s), sizeof(s) - 1                                                                         \
    }

START_TEST(startup_plain)
{
    static const gh_wire_param params[] = { PARAM("user", "alice"), PARAM("database", "wh"),
                                            PARAM("application_name", "psql"),
                                            PARAM("client_encoding", "UTF8") };
    gh_wire_startup s;
    gh_err err;

    pack(GH_WIRE_VERSION(3, 0), params, GH_COUNT(params));
    ck_assert_int_eq(decode(&s, &err), GH_OK);
    gh_buf_fini(&s_packet); /* what came out is a copy */
    ck_assert_int_eq(s.kind, GH_WIRE_STARTUP_MESSAGE);
    ck_assert_uint_eq(s.major, 3);
    ck_assert_uint_eq(s.minor, 0);
    ck_assert(gh_str_is(s.user, "alice"));
    ck_assert(gh_str_is(s.database, "wh"));
    ck_assert(!s.wants_replication);
    ck_assert_uint_eq(s.settings_len, 2);
    ck_assert(gh_str_is(s.settings[0].name, "application_name"));
    ck_assert(gh_str_is(s.settings[0].value, "psql"));
    ck_assert(gh_str_is(s.settings[1].name, "client_encoding"));
    ck_assert(!gh_wire_needs_negotiation(&s));
}
END_TEST

/* Order as PostgreSQL applies them: `options` first, wherever it stands; of user and database the
 * last one counts. */
START_TEST(startup_order)
{
    static const gh_wire_param params[] = { PARAM("user", "eve"), PARAM("DateStyle", "ISO"),
                                            PARAM("options", "-c a=9"),
                                            PARAM("options", "-c geqo=off --search-path=x"),
                                            PARAM("user", "alice") };
    gh_wire_startup s;
    gh_err err;

    pack(GH_WIRE_VERSION(3, 0), params, GH_COUNT(params));
    ck_assert_int_eq(decode(&s, &err), GH_OK);
    ck_assert(gh_str_is(s.user, "alice"));
    ck_assert(gh_str_is(s.database, "alice"));
    ck_assert_uint_eq(s.settings_len, 3);
    ck_assert(gh_str_is(s.settings[0].name, "geqo"));
    ck_assert(gh_str_is(s.settings[0].value, "off"));
    ck_assert(gh_str_is(s.settings[1].name, "search_path"));
    ck_assert(gh_str_is(s.settings[2].name, "DateStyle"));
}
END_TEST

START_TEST(startup_faults)
{
    static const struct {
        gh_wire_param params[2];
        const char *sqlstate;
        const char *message;
    } cases[] = {
        { { PARAM("database", "x"), PARAM("a", "b") },
          "28000",
          "no PostgreSQL user name specified in startup packet" },
        { { PARAM("user", ""), PARAM("database", "b") },
          "28000",
          "no PostgreSQL user name specified in startup packet" },
        { { PARAM("user", "a"), PARAM("replication", "maybe") },
          "22023",
          "invalid value for parameter \"replication\": \"maybe\"" },
        { { PARAM("user", "a"), PARAM("replication", "o") },
          "22023",
          "invalid value for parameter \"replication\": \"o\"" },
        { { PARAM("user", "a"), PARAM("replication", "") },
          "22023",
          "invalid value for parameter \"replication\": \"\"" },
        { { PARAM("user", "a"), PARAM("options", "-c a") }, "42601", "-c a requires a value" },
        { { PARAM("user", "a"), PARAM("options", "-e") },
          "42601",
          "invalid command-line argument for server process: -e" },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_wire_startup s;
        gh_err err;

        pack(GH_WIRE_VERSION(3, 0), cases[i].params, 2);
        ck_assert_int_eq(decode(&s, &err), GH_BADMSG);
        ck_assert_str_eq(err.sqlstate, cases[i].sqlstate);
        ck_assert_str_eq(err.public_msg, cases[i].message);
    }
}
END_TEST

START_TEST(startup_replication)
{
    static const struct {
        const char *value;
        bool wants;
    } cases[] = { { "true", true }, { "T", true },        { "on", true },   { "yes", true },
                  { "1", true },    { "database", true }, { "off", false }, { "FALSE", false },
                  { "of", false },  { "n", false },       { "0", false } };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_wire_param params[] = { PARAM("user", "a"),
                                   { GH_STR("replication"), gh_str_of(cases[i].value) } };
        gh_wire_startup s;
        gh_err err;

        pack(GH_WIRE_VERSION(3, 0), params, 2);
        ck_assert_int_eq(decode(&s, &err), GH_OK);
        ck_assert_int_eq(s.wants_replication, cases[i].wants);
        ck_assert_uint_eq(s.settings_len, 0);
    }
}
END_TEST

START_TEST(startup_versions)
{
    static const gh_wire_param params[] = { PARAM("user", "a"),
                                            PARAM("_pq_.command_compression", "x"),
                                            PARAM("_pq_.", "y") };
    static const uint32_t refused[] = { GH_WIRE_VERSION(2, 0), GH_WIRE_VERSION(4, 0),
                                        GH_WIRE_VERSION(0, 0), GH_WIRE_VERSION(1234, 5677),
                                        GH_WIRE_VERSION(65535, 65535) };
    gh_wire_startup s;
    gh_wire_frame f;
    gh_wire_negotiate n;
    gh_err err;

    for (size_t i = 0; i < GH_COUNT(refused); i++) {
        pack(refused[i], params, 1);
        ck_assert_int_eq(decode(&s, &err), GH_BADMSG);
        ck_assert_str_eq(err.sqlstate, "0A000");
    }
    pack(GH_WIRE_VERSION(2, 0), params, 1);
    (void)!decode(&s, &err);
    ck_assert_str_eq(err.public_msg,
                     "unsupported frontend protocol 2.0: server supports 3.0 to 3.2");
    for (uint32_t minor = 0; minor < 5; minor++) {
        pack(GH_WIRE_VERSION(3, minor), params, 1);
        ck_assert_int_eq(decode(&s, &err), GH_OK);
        ck_assert_uint_eq(s.minor, minor);
        ck_assert_int_eq(gh_wire_needs_negotiation(&s), minor > 2);
    }
    /* 3.9 and two options that nobody knows: the answer names 3.2 and both */
    pack(GH_WIRE_VERSION(3, 9), params, 3);
    ck_assert_int_eq(decode(&s, &err), GH_OK);
    ck_assert_uint_eq(s.pq_options_len, 2);
    ck_assert_uint_eq(s.settings_len, 0);
    gh_buf_clear(&s_packet);
    gh_wire_put_negotiate(&s_packet, &s);
    ck_assert_int_eq(gh_wire_frame_backend(gh_buf_str(&s_packet), &f, &err), GH_OK);
    ck_assert_int_eq(gh_wire_decode_negotiate(f.body, &n, &err), GH_OK);
    ck_assert_uint_eq(n.version, GH_WIRE_VERSION(3, 2));
    ck_assert_uint_eq(n.options_len, 2);
    ck_assert(gh_str_eq(n.options, GH_STR("_pq_.command_compression\0_pq_.\0")));
    /* 3.0 and an option: it stays 3.0 */
    pack(GH_WIRE_VERSION(3, 0), params, 2);
    ck_assert_int_eq(decode(&s, &err), GH_OK);
    ck_assert(gh_wire_needs_negotiation(&s));
    gh_buf_clear(&s_packet);
    gh_wire_put_negotiate(&s_packet, &s);
    ck_assert_int_eq(gh_wire_frame_backend(gh_buf_str(&s_packet), &f, &err), GH_OK);
    ck_assert_int_eq(gh_wire_decode_negotiate(f.body, &n, &err), GH_OK);
    ck_assert_uint_eq(n.version, GH_WIRE_VERSION(3, 0));
}
END_TEST

START_TEST(startup_encryption_requests)
{
    gh_wire_startup s;
    gh_err err;
    char gss[] = "\x04\xd2\x16\x30";

    gh_wire_put_ssl_request(&s_packet);
    ck_assert(gh_str_eq(gh_buf_str(&s_packet), GH_STR("\0\0\0\x08\x04\xd2\x16\x2f")));
    ck_assert_int_eq(decode(&s, &err), GH_OK);
    ck_assert_int_eq(s.kind, GH_WIRE_SSL_REQUEST);
    ck_assert_int_eq(gh_wire_decode_startup(s_arena, (gh_str){ gss, 4 }, false, false, &s, &err),
                     GH_OK);
    ck_assert_int_eq(s.kind, GH_WIRE_GSSENC_REQUEST);
    /* more than the code in it */
    ck_assert_int_eq(gh_wire_decode_startup(s_arena, (gh_str){ gss, 5 }, false, false, &s, &err),
                     GH_BADMSG);
    ck_assert_str_eq(err.sqlstate, "08P01");
    /* asked twice: a version that does not exist, as PostgreSQL has it */
    memset(&err, 0, sizeof(err));
    ck_assert_int_eq(
        gh_wire_decode_startup(s_arena, (gh_str){ s_packet.ptr + 4, 4 }, true, false, &s, &err),
        GH_BADMSG);
    ck_assert_str_eq(err.public_msg,
                     "unsupported frontend protocol 1234.5679: server supports 3.0 to 3.2");
    memset(&err, 0, sizeof(err));
    ck_assert_int_eq(gh_wire_decode_startup(s_arena, (gh_str){ gss, 4 }, false, true, &s, &err),
                     GH_BADMSG);
    ck_assert_str_eq(err.public_msg,
                     "unsupported frontend protocol 1234.5680: server supports 3.0 to 3.2");
    /* the other one is still to be had */
    ck_assert_int_eq(gh_wire_decode_startup(s_arena, (gh_str){ gss, 4 }, true, false, &s, &err),
                     GH_OK);
}
END_TEST

START_TEST(startup_cancel_key_bound)
{
    char key[GH_WIRE_CANCEL_KEY_MAX + 1];

    memset(key, 0xA5, sizeof(key));
    for (size_t len = 0; len <= sizeof(key); len++) {
        bool is_legal = len >= GH_WIRE_CANCEL_KEY_MIN && len <= GH_WIRE_CANCEL_KEY_MAX;
        gh_buf b = { 0 };
        gh_wire_startup s;
        gh_err err = { 0 };

        gh_buf_put_u32(&b, GH_WIRE_VERSION(1234, 5678));
        gh_buf_put_u32(&b, 4711);
        gh_buf_put(&b, key, len);
        ck_assert_int_eq(gh_wire_decode_startup(s_arena, gh_buf_str(&b), false, false, &s, &err),
                         is_legal ? GH_OK : GH_BADMSG);
        if (is_legal) {
            ck_assert_int_eq(s.kind, GH_WIRE_CANCEL_REQUEST);
            ck_assert_uint_eq(s.cancel_pid, 4711);
            ck_assert(gh_str_eq(s.cancel_key, (gh_str){ key, len }));
            gh_buf_clear(&s_packet);
            gh_wire_put_cancel(&s_packet, 4711, (gh_str){ key, len });
            ck_assert_mem_eq(s_packet.ptr + 4, b.ptr, b.len);
        } else {
            ck_assert_str_eq(err.sqlstate, "08P01");
        }
        gh_buf_fini(&b);
    }
}
END_TEST

/* Cut anywhere, or with a byte too many: refused, never read past. */
START_TEST(startup_truncated)
{
    static const gh_wire_param params[] = { PARAM("user", "alice"), PARAM("database", "wh"),
                                            PARAM("options", "-c a=b"),
                                            PARAM("replication", "off") };
    gh_wire_startup s;
    size_t whole;

    pack(GH_WIRE_VERSION(3, 0), params, GH_COUNT(params));
    whole = s_packet.len - 4;
    gh_buf_put_u8(&s_packet, 'x');
    for (size_t len = 0; len <= whole + 1; len++) {
        gh_str body = exact_copy(s_packet.ptr + 4, len);
        gh_err err = { 0 };

        ck_assert_int_eq(gh_wire_decode_startup(s_arena, body, false, false, &s, &err),
                         len == whole ? GH_OK : GH_BADMSG);
        free_copy(body);
    }
}
END_TEST

START_TEST(startup_largest)
{
    gh_buf b = { 0 };
    gh_wire_startup s;
    gh_err err = { 0 };

    gh_buf_put_u32(&b, GH_WIRE_VERSION(3, 0));
    gh_buf_put_str(&b, GH_STR("user\0a\0"));
    while (b.len + 3 < GH_WIRE_STARTUP_MAX)
        gh_buf_put_str(&b, GH_STR("x\0\0")); /* as many parameters as fit */
    gh_buf_put_u8(&b, 0);
    ck_assert_int_eq(gh_wire_decode_startup(s_arena, gh_buf_str(&b), false, false, &s, &err),
                     GH_OK);
    ck_assert_uint_eq(s.settings_len, (b.len - 4 - 7 - 1) / 3);
    gh_buf_fini(&b);
}
END_TEST

START_TEST(startup_budget)
{
    static const gh_wire_param params[] = { PARAM("user", "alice"), PARAM("options", "-c a=b") };
    gh_wire_startup s;
    gh_rc rc = GH_UNSET;

    pack(GH_WIRE_VERSION(3, 0), params, GH_COUNT(params));
    for (size_t budget = 16; rc != GH_OK;
         budget += 16) { /* it runs out at every allocation in turn */
        gh_arena *a = gh_arena_new(budget);
        gh_err err = { 0 };

        rc = gh_wire_decode_startup(a, (gh_str){ s_packet.ptr + 4, s_packet.len - 4 }, false, false,
                                    &s, &err);
        ck_assert(rc == GH_OK || rc == GH_LIMIT);
        ck_assert_uint_lt(budget, 4096);
        gh_arena_free(a);
    }
}
END_TEST

START_TEST(options_split)
{
    static const struct {
        const char *text;
        const char *expected; /* name=value, separated by | ; or ! and the error */
    } cases[] = {
        { "", "" },
        { "  \t\n\v\f\r ", "" },
        { "-c x=y", "x=y" },
        { "-cx=y", "x=y" },
        { "--x=y", "x=y" },
        { " -c  x=y\t--a-b=c=d ", "x=y|a_b=c=d" },
        { "-c a=", "a=" },
        { "-c search_path=a\\ b", "search_path=a b" },
        { "-c x=\\\\y", "x=\\y" },
        { "-c x=y\\", "x=y" },
        { "-c \\ x=1", " x=1" },
        { "-c =1", "=1" },
        { "-c x-y=a-b", "x_y=a-b" },
        { "-c", "!invalid command-line argument for server process: -c" },
        { "-c x", "!-c x requires a value" },
        { "-cx", "!-c x requires a value" },
        { "--x", "!--x requires a value" },
        { "--", "!invalid command-line argument for server process: --" },
        { "-", "!invalid command-line argument for server process: -" },
        { "x=y", "!invalid command-line argument for server process: x=y" },
        { "-c a=b -d 5", "!invalid command-line argument for server process: -d" },
        { "\\", "!invalid command-line argument for server process: " },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_str text = exact_copy(cases[i].text, strlen(cases[i].text));
        gh_wire_param *params = NULL;
        size_t params_len = 0;
        gh_buf got = { 0 };
        gh_err err = { 0 };
        gh_rc rc = gh_wire_split_options(s_arena, text, &params, &params_len, &err);

        gh_buf_puts(&got, "");
        if (rc != GH_OK) {
            ck_assert_str_eq(err.sqlstate, "42601");
            gh_buf_printf(&got, "!%s", err.public_msg);
        }
        for (size_t k = 0; k < params_len; k++)
            gh_buf_printf(&got, "%s" GH_STR_FMT "=" GH_STR_FMT, k == 0 ? "" : "|",
                          GH_STR_ARG(params[k].name), GH_STR_ARG(params[k].value));
        gh_buf_put_u8(&got, 0);
        ck_assert_str_eq(got.ptr, cases[i].expected);
        gh_buf_fini(&got);
        free_copy(text);
    }
}
END_TEST

Suite *wire_startup_suite(void)
{
    Suite *s = suite_create("wire/startup");
    TCase *tc = tcase_create("startup");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, startup_plain);
    tcase_add_test(tc, startup_order);
    tcase_add_test(tc, startup_faults);
    tcase_add_test(tc, startup_replication);
    tcase_add_test(tc, startup_versions);
    tcase_add_test(tc, startup_encryption_requests);
    tcase_add_test(tc, startup_cancel_key_bound);
    tcase_add_test(tc, startup_truncated);
    tcase_add_test(tc, startup_largest);
    tcase_add_test(tc, startup_budget);
    tcase_add_test(tc, options_split);
    suite_add_tcase(s, tc);
    return s;
}
