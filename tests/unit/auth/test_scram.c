/* The exchange, played with the tests' own client. */
#include "auth_tests.h"

#include <time.h>

static const uint8_t s_nonce[GH_AUTH_NONCE_LEN] = "server nonce 18byt";
static const char s_cert_hash[] =
    "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"
    "\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x20";
static gh_auth_verifier s_verifier;
static gh_buf s_out;
static gh_buf s_in;
static gh_err s_err;

static void set_up(void)
{
    ck_assert_int_eq(
        gh_auth_verifier_make(GH_STR("pencil"), "0123456789abcdef", 16, 4096, &s_verifier, NULL),
        GH_OK);
    gh_buf_init(&s_out, 0);
    gh_buf_init(&s_in, 0);
    memset(&s_err, 0, sizeof(s_err));
}

static void tear_down(void)
{
    gh_buf_fini(&s_out);
    gh_buf_fini(&s_in);
}

static gh_auth_scram *server(const gh_auth_verifier *v, bool offers_plus)
{
    gh_auth_scram_args args = { .user = GH_STR("alice"),
                                .verifier = v,
                                .mock_secret = GH_STR("mock secret"),
                                .nonce = s_nonce,
                                .cert_hash =
                                    offers_plus ? GH_STR(s_cert_hash) : (gh_str){ NULL, 0 } };

    memset(&s_err, 0, sizeof(s_err));
    gh_buf_clear(&s_out);
    return gh_auth_scram_new(&args);
}

static scram_client client(const char *gs2, const char *password)
{
    return (scram_client){ .gs2 = gs2, .user = "", .nonce = "clientnonce", .password = password };
}

static gh_rc start(gh_auth_scram *s, const char *mechanism, gh_str first)
{
    gh_wire_sasl_initial msg = { gh_str_of(mechanism), true, first };

    gh_buf_clear(&s_out);
    return gh_auth_scram_start(s, &msg, &s_out, &s_err);
}

/* A whole exchange; the last result, with s_out the server's last data. */
static gh_rc exchange(gh_auth_scram *s, const char *mechanism, scram_client *c)
{
    gh_buf in = { 0 };
    gh_rc rc;

    client_first(c, &in);
    rc = start(s, mechanism, gh_buf_str(&in));
    if (rc == GH_AGAIN) {
        gh_buf_clear(&in);
        client_final(c, gh_buf_str(&s_out), &in);
        gh_buf_clear(&s_out);
        rc = gh_auth_scram_step(s, gh_buf_str(&in), &s_out, &s_err);
    }
    gh_buf_fini(&in);
    return rc;
}

START_TEST(right_password)
{
    static const char *const flags[] = { "n,,", "y,," };

    for (size_t i = 0; i < GH_COUNT(flags); i++) {
        gh_auth_scram *s = server(&s_verifier, false);
        scram_client c = client(flags[i], "pencil");
        gh_buf expected = { 0 };

        ck_assert_int_eq(exchange(s, "SCRAM-SHA-256", &c), GH_OK);
        gh_buf_printf(&expected, "v=%s", c.signature); /* the server proved itself */
        ck_assert(gh_str_eq(gh_buf_str(&s_out), gh_buf_str(&expected)));
        /* over is over */
        ck_assert_int_eq(gh_auth_scram_step(s, GH_STR("c=biws,r=x,p=y"), &s_out, &s_err),
                         GH_BADMSG);
        ck_assert_int_eq(start(s, "SCRAM-SHA-256", GH_STR("n,,n=,r=x")), GH_BADMSG);
        gh_buf_fini(&expected);
        gh_auth_scram_free(s);
    }
    gh_auth_scram_free(NULL);
}
END_TEST

START_TEST(wrong_password)
{
    static const char *const wrong[] = { "Pencil", "pencil ", "p", "" };

    for (size_t i = 0; i < GH_COUNT(wrong); i++) {
        gh_auth_scram *s = server(&s_verifier, false);
        scram_client c = client("n,,", wrong[i]);

        ck_assert_int_eq(exchange(s, "SCRAM-SHA-256", &c), GH_DENIED);
        ck_assert_str_eq(s_err.sqlstate, "28P01");
        ck_assert_str_eq(s_err.public_msg, "password authentication failed for user \"alice\"");
        ck_assert_uint_eq(s_out.len, 0); /* no signature for who has not proved anything */
        gh_auth_scram_free(s);
    }
}
END_TEST

/* One guess a connection: after a failure even the right proof fails. */
START_TEST(no_second_try)
{
    gh_auth_scram *s = server(&s_verifier, false);
    scram_client c = client("n,,", "wrong");
    gh_buf first = { 0 };

    client_first(&c, &s_in);
    ck_assert_int_eq(start(s, "SCRAM-SHA-256", gh_buf_str(&s_in)), GH_AGAIN);
    gh_buf_put_str(&first, gh_buf_str(&s_out));
    gh_buf_clear(&s_in);
    client_final(&c, gh_buf_str(&first), &s_in);
    ck_assert_int_eq(gh_auth_scram_step(s, gh_buf_str(&s_in), &s_out, &s_err), GH_DENIED);
    c.password = "pencil";
    gh_buf_clear(&s_in);
    client_final(&c, gh_buf_str(&first), &s_in);
    ck_assert_int_eq(gh_auth_scram_step(s, gh_buf_str(&s_in), &s_out, &s_err), GH_BADMSG);
    gh_buf_fini(&first);
    gh_auth_scram_free(s);
}
END_TEST

/* The CPU time of `rounds` failing exchanges, server's side only; the smallest of some tries. */
static double failing_time(const gh_auth_verifier *v, gh_str final)
{
    struct timespec from, to;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    for (int i = 0; i < 100; i++) {
        gh_auth_scram *s = server(v, false);

        (void)!start(s, "SCRAM-SHA-256", GH_STR("n,,n=,r=clientnonce"));
        (void)!gh_auth_scram_step(s, final, &s_out, &s_err);
        gh_auth_scram_free(s);
    }
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

START_TEST(unknown_user_looks_like_wrong_password)
{
    gh_buf firsts[3] = { { 0 } };
    const gh_auth_verifier *verifiers[] = { NULL, NULL, &s_verifier };
    gh_err errors[3];
    scram_client c = client("n,,", "whatever");
    double unknown = 1e9;
    double wrong = 1e9;

    for (size_t i = 0; i < 3; i++) {
        gh_auth_scram *s = server(verifiers[i], false);

        gh_buf_clear(&s_in);
        client_first(&c, &s_in);
        ck_assert_int_eq(start(s, "SCRAM-SHA-256", gh_buf_str(&s_in)), GH_AGAIN);
        gh_buf_put_str(&firsts[i], gh_buf_str(&s_out));
        gh_buf_clear(&s_in);
        client_final(&c, gh_buf_str(&firsts[i]), &s_in);
        ck_assert_int_eq(gh_auth_scram_step(s, gh_buf_str(&s_in), &s_out, &s_err), GH_DENIED);
        errors[i] = s_err;
        gh_auth_scram_free(s);
    }
    /* the salt of a user that does not exist stays the same, and looks like one that does */
    ck_assert(gh_str_eq(gh_buf_str(&firsts[0]), gh_buf_str(&firsts[1])));
    ck_assert(!gh_str_eq(gh_buf_str(&firsts[0]), gh_buf_str(&firsts[2])));
    ck_assert_uint_eq(firsts[0].len, firsts[2].len);
    ck_assert_mem_eq(&errors[0], &errors[2], sizeof(errors[0]));
    /* other users, other salts; another secret, other salts */
    {
        gh_auth_scram_args args = { .user = GH_STR("bob"),
                                    .mock_secret = GH_STR("mock secret"),
                                    .nonce = s_nonce };
        gh_auth_scram *s = gh_auth_scram_new(&args);

        ck_assert_int_eq(start(s, "SCRAM-SHA-256", GH_STR("n,,n=,r=clientnonce")), GH_AGAIN);
        ck_assert(!gh_str_eq(gh_buf_str(&firsts[0]), gh_buf_str(&s_out)));
        gh_auth_scram_free(s);
        args.user = GH_STR("alice");
        args.mock_secret = GH_STR("another secret");
        s = gh_auth_scram_new(&args);
        ck_assert_int_eq(start(s, "SCRAM-SHA-256", GH_STR("n,,n=,r=clientnonce")), GH_AGAIN);
        ck_assert(!gh_str_eq(gh_buf_str(&firsts[0]), gh_buf_str(&s_out)));
        gh_auth_scram_free(s);
    }
    for (int i = 0; i < 40; i++) { /* in turns, the least of each: others on the machine only add */
        double a = failing_time(NULL, gh_buf_str(&s_in));
        double b = failing_time(&s_verifier, gh_buf_str(&s_in));

        unknown = a < unknown ? a : unknown;
        wrong = b < wrong ? b : wrong;
    }
    ck_assert_msg(unknown < wrong * 1.5 && wrong < unknown * 1.5, "unknown %g s, wrong %g s",
                  unknown, wrong);
    for (size_t i = 0; i < 3; i++)
        gh_buf_fini(&firsts[i]);
}
END_TEST

START_TEST(mechanisms)
{
    const char *names[2] = { NULL, NULL };
    static const struct {
        const char *mechanism;
        bool offers_plus;
    } refused[] = { { "SCRAM-SHA-256-PLUS", false },
                    { "SCRAM-SHA-1", true },
                    { "", false },
                    { "scram-sha-256", false },
                    { "SCRAM-SHA-256-PLU", true } };

    ck_assert_uint_eq(gh_auth_mechanisms(false, names), 1);
    ck_assert_str_eq(names[0], "SCRAM-SHA-256");
    ck_assert_uint_eq(gh_auth_mechanisms(true, names), 2);
    ck_assert_str_eq(names[0], "SCRAM-SHA-256-PLUS");
    ck_assert_str_eq(names[1], "SCRAM-SHA-256");
    for (size_t i = 0; i < GH_COUNT(refused); i++) {
        gh_auth_scram *s = server(&s_verifier, refused[i].offers_plus);

        ck_assert_int_eq(start(s, refused[i].mechanism, GH_STR("n,,n=,r=x")), GH_BADMSG);
        ck_assert_str_eq(s_err.sqlstate, "08P01");
        ck_assert_int_eq(start(s, "SCRAM-SHA-256", GH_STR("n,,n=,r=x")),
                         GH_BADMSG); /* no second choice */
        gh_auth_scram_free(s);
    }
}
END_TEST

START_TEST(channel_binding)
{
    char other[32];
    const struct {
        gh_str hash;
        gh_rc rc;
    } cases[] = { { GH_STR(s_cert_hash), GH_OK },
                  { { other, 32 }, GH_DENIED },
                  { { s_cert_hash, 31 }, GH_DENIED },
                  { { s_cert_hash, 33 }, GH_DENIED },
                  { { NULL, 0 }, GH_DENIED } };

    memcpy(other, s_cert_hash, 32);
    other[31] ^= 1; /* another certificate: somebody is in the middle */
    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_auth_scram *s = server(&s_verifier, true);
        scram_client c = client("p=tls-server-end-point,,", "pencil");

        c.binding = cases[i].hash;
        ck_assert_int_eq(exchange(s, "SCRAM-SHA-256-PLUS", &c), cases[i].rc);
        if (cases[i].rc != GH_OK) {
            ck_assert_str_eq(s_err.sqlstate, "28000");
            ck_assert_str_eq(s_err.public_msg, "SCRAM channel binding check failed");
        }
        gh_auth_scram_free(s);
    }
}
END_TEST

START_TEST(downgrade_is_refused)
{
    gh_auth_scram *s = server(&s_verifier, true);
    scram_client c = client("y,,", "pencil");

    /* the client can bind and was told that we cannot */
    ck_assert_int_eq(exchange(s, "SCRAM-SHA-256", &c), GH_DENIED);
    ck_assert_str_eq(s_err.sqlstate, "28000");
    ck_assert_str_eq(s_err.public_msg, "SCRAM channel binding negotiation error");
    gh_auth_scram_free(s);
    /* a client that cannot bind at all may go on */
    s = server(&s_verifier, true);
    c = client("n,,", "pencil");
    ck_assert_int_eq(exchange(s, "SCRAM-SHA-256", &c), GH_OK);
    gh_auth_scram_free(s);
    /* -PLUS chosen and not used; used and not chosen */
    s = server(&s_verifier, true);
    ck_assert_int_eq(start(s, "SCRAM-SHA-256-PLUS", GH_STR("n,,n=,r=x")), GH_BADMSG);
    gh_auth_scram_free(s);
    s = server(&s_verifier, true);
    ck_assert_int_eq(start(s, "SCRAM-SHA-256-PLUS", GH_STR("y,,n=,r=x")), GH_BADMSG);
    gh_auth_scram_free(s);
    s = server(&s_verifier, true);
    ck_assert_int_eq(start(s, "SCRAM-SHA-256", GH_STR("p=tls-server-end-point,,n=,r=x")),
                     GH_BADMSG);
    gh_auth_scram_free(s);
    /* the header of client-first changed on its way: c= does not repeat it */
    s = server(&s_verifier, false);
    c = client("n,,", "pencil");
    client_first(&c, &s_in);
    ck_assert_int_eq(start(s, "SCRAM-SHA-256", gh_buf_str(&s_in)), GH_AGAIN);
    c.gs2 = "y,,";
    gh_buf_clear(&s_in);
    client_final(&c, gh_buf_str(&s_out), &s_in);
    memset(&s_err, 0, sizeof(s_err));
    ck_assert_int_eq(gh_auth_scram_step(s, gh_buf_str(&s_in), &s_out, &s_err), GH_BADMSG);
    ck_assert_str_eq(s_err.sqlstate, "08P01");
    gh_auth_scram_free(s);
}
END_TEST

START_TEST(malformed_client_first)
{
    static const struct {
        gh_str text;
        const char *sqlstate;
    } cases[] = {
        { { "", 0 }, "08P01" },
        { { "n", 1 }, "08P01" },
        { { "n,", 2 }, "08P01" },
        { { "n,,", 3 }, "08P01" },
        { { "x,,n=,r=a", 9 }, "08P01" },
        { { "nn,n=,r=a", 9 }, "08P01" },
        { { "n,,n=", 5 }, "08P01" },
        { { "n,,n=,", 6 }, "08P01" },
        { { "n,,n=,r=", 8 }, "08P01" },
        { { "n,,r=a,n=", 9 }, "08P01" },
        { { "n,,n=,r=a b", 11 }, "08P01" },
        { { "n,,n=,r=\x80", 9 }, "08P01" },
        { { "n,,n=,r=a\0", 10 }, "08P01" },
        { { "n,,n=,r=a,x", 11 }, "08P01" },
        { { "n,,n=,r=a,1=x", 13 }, "08P01" },
        { { "n,a=root,n=,r=a", 15 }, "0A000" },
        { { "n,b=root,n=,r=a", 15 }, "08P01" },
        { { "n,,m=x,n=,r=a", 13 }, "0A000" },
        { { "p=tls-unique,,n=,r=a", 20 }, "08P01" },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_auth_scram *s = server(&s_verifier, false);

        ck_assert_msg(start(s, "SCRAM-SHA-256", cases[i].text) == GH_BADMSG, "%s",
                      cases[i].text.ptr);
        ck_assert_str_eq(s_err.sqlstate, cases[i].sqlstate);
        ck_assert_uint_eq(s_out.len, 0);
        gh_auth_scram_free(s);
    }
    {
        gh_auth_scram *s = server(&s_verifier, true);

        ck_assert_int_eq(start(s, "SCRAM-SHA-256-PLUS", GH_STR("p=tls-unique,,n=,r=a")), GH_BADMSG);
        ck_assert_str_eq(s_err.public_msg, "unsupported SCRAM channel-binding type \"tls-unique\"");
        gh_auth_scram_free(s);
        /* extensions that need no understanding */
        s = server(&s_verifier, false);
        ck_assert_int_eq(start(s, "SCRAM-SHA-256", GH_STR("n,,n=ignored,r=a,x=1,y=")), GH_AGAIN);
        gh_auth_scram_free(s);
    }
}
END_TEST

/* The right client-final, cut at every byte and changed at every byte: never accepted, never read
 * past. */
START_TEST(malformed_client_final)
{
    scram_client c = client("n,,", "pencil");
    gh_buf final = { 0 };
    gh_auth_scram *s = server(&s_verifier, false);

    client_first(&c, &s_in);
    ck_assert_int_eq(start(s, "SCRAM-SHA-256", gh_buf_str(&s_in)), GH_AGAIN);
    client_final(&c, gh_buf_str(&s_out), &final);
    ck_assert_int_eq(gh_auth_scram_step(s, gh_buf_str(&final), &s_out, &s_err), GH_OK);
    gh_auth_scram_free(s);
    for (size_t i = 0; i <= 2 * final.len; i++) {
        size_t len = i < final.len ? i : final.len;
        char *exact = malloc(len == 0 ? 1 : len);
        gh_rc rc;

        memcpy(exact, final.ptr, len);
        if (i >= final.len && i - final.len < len)
            exact[i - final.len] ^= 1;
        else if (i == 2 * final.len)
            exact[len - 1] = ','; /* the proof's padding gone */
        s = server(&s_verifier, false);
        ck_assert_int_eq(start(s, "SCRAM-SHA-256", gh_buf_str(&s_in)), GH_AGAIN);
        rc = gh_auth_scram_step(s, (gh_str){ exact, len }, &s_out, &s_err);
        ck_assert_msg(rc == GH_BADMSG || rc == GH_DENIED, "%zu: %d", i, rc);
        ck_assert(s_err.sqlstate[0] != '\0');
        gh_auth_scram_free(s);
        free(exact);
    }
    /* a trailing comma, a second proof */
    gh_buf_puts(&final, ",");
    s = server(&s_verifier, false);
    ck_assert_int_eq(start(s, "SCRAM-SHA-256", gh_buf_str(&s_in)), GH_AGAIN);
    ck_assert_int_eq(gh_auth_scram_step(s, gh_buf_str(&final), &s_out, &s_err), GH_BADMSG);
    gh_auth_scram_free(s);
    gh_buf_puts(&final, "p=AAAA");
    s = server(&s_verifier, false);
    ck_assert_int_eq(start(s, "SCRAM-SHA-256", gh_buf_str(&s_in)), GH_AGAIN);
    ck_assert_int_eq(gh_auth_scram_step(s, gh_buf_str(&final), &s_out, &s_err), GH_BADMSG);
    gh_auth_scram_free(s);
    gh_buf_fini(&final);
}
END_TEST

/* A recorded exchange does not work twice: the server's nonce is another. */
START_TEST(replay_fails)
{
    scram_client c = client("n,,", "pencil");
    gh_buf final = { 0 };
    gh_auth_scram *s = server(&s_verifier, false);
    static const uint8_t other_nonce[GH_AUTH_NONCE_LEN] = "another nonce 18by";
    gh_auth_scram_args args = { .user = GH_STR("alice"),
                                .verifier = &s_verifier,
                                .mock_secret = GH_STR("mock secret"),
                                .nonce = other_nonce };

    client_first(&c, &s_in);
    ck_assert_int_eq(start(s, "SCRAM-SHA-256", gh_buf_str(&s_in)), GH_AGAIN);
    client_final(&c, gh_buf_str(&s_out), &final);
    gh_auth_scram_free(s);
    s = gh_auth_scram_new(&args);
    ck_assert_int_eq(start(s, "SCRAM-SHA-256", gh_buf_str(&s_in)), GH_AGAIN);
    ck_assert_int_eq(gh_auth_scram_step(s, gh_buf_str(&final), &s_out, &s_err), GH_BADMSG);
    ck_assert_str_eq(s_err.public_msg, "invalid SCRAM response");
    gh_auth_scram_free(s);
    gh_buf_fini(&final);
}
END_TEST

/* The client's own nonce alone, nothing, or more than was sent: not the one of this exchange. */
START_TEST(nonce_must_be_whole)
{
    char proof[64], nonce[64];

    client_base64(s_cert_hash, 32, proof);
    client_base64(s_nonce, sizeof(s_nonce), nonce);
    for (int i = 0; i < 3; i++) {
        gh_auth_scram *s = server(&s_verifier, false);

        ck_assert_int_eq(start(s, "SCRAM-SHA-256", GH_STR("n,,n=,r=clientnonce")), GH_AGAIN);
        gh_buf_clear(&s_in);
        if (i == 0)
            gh_buf_printf(&s_in, "c=biws,r=clientnonce,p=%s", proof);
        else if (i == 1)
            gh_buf_printf(&s_in, "c=biws,r=,p=%s", proof);
        else
            gh_buf_printf(&s_in, "c=biws,r=clientnonce%sx,p=%s", nonce, proof);
        ck_assert_int_eq(gh_auth_scram_step(s, gh_buf_str(&s_in), &s_out, &s_err), GH_BADMSG);
        ck_assert_str_eq(s_err.public_msg, "invalid SCRAM response");
        gh_auth_scram_free(s);
    }
}
END_TEST

/* A client may begin without data; it gets an empty challenge, once. */
START_TEST(empty_start)
{
    gh_auth_scram *s = server(&s_verifier, false);
    gh_wire_sasl_initial msg = { GH_STR("SCRAM-SHA-256"), false, { NULL, 0 } };
    scram_client c = client("n,,", "pencil");

    ck_assert_int_eq(gh_auth_scram_start(s, &msg, &s_out, &s_err), GH_AGAIN);
    ck_assert_uint_eq(s_out.len, 0);
    client_first(&c, &s_in);
    ck_assert_int_eq(gh_auth_scram_step(s, gh_buf_str(&s_in), &s_out, &s_err), GH_AGAIN);
    gh_buf_clear(&s_in);
    client_final(&c, gh_buf_str(&s_out), &s_in);
    ck_assert_int_eq(gh_auth_scram_step(s, gh_buf_str(&s_in), &s_out, &s_err), GH_OK);
    gh_auth_scram_free(s);
    /* a step before any start */
    s = server(&s_verifier, false);
    gh_buf_clear(&s_in);
    client_first(&c, &s_in);
    ck_assert_int_eq(gh_auth_scram_step(s, gh_buf_str(&s_in), &s_out, &s_err), GH_BADMSG);
    gh_auth_scram_free(s);
}
END_TEST

START_TEST(message_bound)
{
    for (size_t len = GH_AUTH_SASL_BYTES_MAX - 1; len <= GH_AUTH_SASL_BYTES_MAX + 1; len++) {
        gh_auth_scram *s = server(&s_verifier, false);

        gh_buf_clear(&s_in);
        gh_buf_puts(&s_in, "n,,n=,r=");
        while (s_in.len < len)
            gh_buf_puts(&s_in, "x");
        ck_assert_int_eq(start(s, "SCRAM-SHA-256", gh_buf_str(&s_in)),
                         len <= GH_AUTH_SASL_BYTES_MAX ? GH_AGAIN : GH_BADMSG);
        gh_auth_scram_free(s);
    }
    ck_assert_str_eq(s_err.public_msg, "invalid message length");
}
END_TEST

Suite *auth_scram_suite(void)
{
    Suite *s = suite_create("auth/scram");
    TCase *tc = tcase_create("scram");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, right_password);
    tcase_add_test(tc, wrong_password);
    tcase_add_test(tc, no_second_try);
    tcase_add_test(tc, unknown_user_looks_like_wrong_password);
    tcase_add_test(tc, mechanisms);
    tcase_add_test(tc, channel_binding);
    tcase_add_test(tc, downgrade_is_refused);
    tcase_add_test(tc, malformed_client_first);
    tcase_add_test(tc, malformed_client_final);
    tcase_add_test(tc, replay_fails);
    tcase_add_test(tc, nonce_must_be_whole);
    tcase_add_test(tc, empty_start);
    tcase_add_test(tc, message_bound);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(s, tc);
    return s;
}
