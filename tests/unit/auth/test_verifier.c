/* Verifiers and base64. */
#include "auth_tests.h"

#include "auth_priv.h"

#include <openssl/evp.h>

static const char s_salt[] =
    "\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81"; /* RFC 7677's */

/* RFC 7677, section 3: the verifier made from the password checks the RFC's proof and makes its
 * signature. */
START_TEST(rfc7677_vector)
{
    static const char message[] = "n=user,r=rOprNGfwEbeRWgbNEkqO,"
                                  "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                                  "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
                                  "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    scram_client client = {
        .gs2 = "n,,", .user = "user", .nonce = "rOprNGfwEbeRWgbNEkqO", .password = "pencil"
    };
    gh_auth_verifier v;
    uint8_t key[32], hash[32], proof[32], signature[32];
    size_t len = 0;
    gh_buf b = { 0 };

    ck_assert_int_eq(gh_auth_verifier_make(GH_STR("pencil"), s_salt, 16, 4096, &v, NULL), GH_OK);
    auth_hmac(v.stored_key, 32, GH_STR(message), (gh_str){ NULL, 0 }, key);
    ck_assert(
        auth_read_base64(GH_STR("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), proof, 32, &len));
    ck_assert_uint_eq(len, 32);
    for (size_t i = 0; i < 32; i++)
        key[i] ^= proof[i];
    auth_sha256(key, 32, hash);
    ck_assert_mem_eq(hash, v.stored_key, 32);
    auth_hmac(v.server_key, 32, GH_STR(message), (gh_str){ NULL, 0 }, signature);
    auth_put_base64(&b, signature, 32);
    ck_assert(gh_str_is(gh_buf_str(&b), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));

    /* and the tests' own client is a client by the same vector */
    gh_buf_clear(&b);
    client_first(&client, &b);
    ck_assert(gh_str_is(gh_buf_str(&b), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
    gh_buf_clear(&b);
    client_final(&client,
                 GH_STR("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s="
                        "W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"),
                 &b);
    ck_assert(gh_str_is(gh_buf_str(&b),
                        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                        "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
    ck_assert_str_eq(client.signature, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    gh_buf_fini(&b);
}
END_TEST

START_TEST(text_round_trip)
{
    gh_auth_verifier v, again;
    gh_buf b = { 0 };

    ck_assert_int_eq(
        gh_auth_verifier_make(GH_STR("p\xc3\xa4ss w\xc3\xb6rd"), s_salt, 16, 5000, &v, NULL),
        GH_OK);
    gh_auth_verifier_format(&v, &b);
    ck_assert_int_eq(strncmp(b.ptr, "SCRAM-SHA-256$5000:W22ZaJ0SNY7soEsUEjb6gQ==$", 44), 0);
    ck_assert_int_eq(gh_auth_verifier_parse(gh_buf_str(&b), &again, NULL), GH_OK);
    ck_assert_mem_eq(&v, &again, sizeof(v));
    /* cut anywhere, or longer: not a verifier */
    for (size_t len = 0; len < b.len; len++)
        ck_assert_int_eq(gh_auth_verifier_parse((gh_str){ b.ptr, len }, &again, NULL), GH_INVALID);
    gh_buf_puts(&b, "=");
    ck_assert_int_eq(gh_auth_verifier_parse(gh_buf_str(&b), &again, NULL), GH_INVALID);
    gh_buf_fini(&b);
}
END_TEST

#define KEY64 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

START_TEST(texts_that_are_none)
{
    static const struct {
        const char *text;
        gh_rc rc;
    } cases[] = {
        { "SCRAM-SHA-256$1:AA==$" KEY64 ":" KEY64, GH_OK },
        { "SCRAM-SHA-256$10000000:AA==$" KEY64 ":" KEY64, GH_OK },
        { "SCRAM-SHA-256$10000001:AA==$" KEY64 ":" KEY64, GH_INVALID },
        { "SCRAM-SHA-256$99999999999999999999:AA==$" KEY64 ":" KEY64, GH_INVALID },
        { "SCRAM-SHA-256$0:AA==$" KEY64 ":" KEY64, GH_INVALID },
        { "SCRAM-SHA-256$-1:AA==$" KEY64 ":" KEY64, GH_INVALID },
        { "SCRAM-SHA-256$:AA==$" KEY64 ":" KEY64, GH_INVALID },
        { "SCRAM-SHA-256$1:$" KEY64 ":" KEY64, GH_INVALID },
        { "SCRAM-SHA-256$1:AA=$" KEY64 ":" KEY64, GH_INVALID },
        { "SCRAM-SHA-256$1:AA==$" KEY64, GH_INVALID },
        { "SCRAM-SHA-256$1:AA==$AAAA:" KEY64, GH_INVALID },
        { "SCRAM-SHA-256$1:AA==$" KEY64 ":AAAA", GH_INVALID },
        { "SCRAM-SHA-256$1:AA==$" KEY64 ":" KEY64 "\n", GH_INVALID },
        { "SCRAM-SHA-1$1:AA==$" KEY64 ":" KEY64, GH_INVALID },
        { "md5a3556571e93b0d20722ba62be61e8c2d", GH_INVALID },
        { "", GH_INVALID },
        { "secret", GH_INVALID },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_auth_verifier v;
        gh_err err = { 0 };

        ck_assert_msg(gh_auth_verifier_parse(gh_str_of(cases[i].text), &v, &err) == cases[i].rc,
                      "%s", cases[i].text);
        if (cases[i].rc != GH_OK)
            ck_assert_str_eq(err.public_msg, "not a SCRAM-SHA-256 verifier");
    }
}
END_TEST

START_TEST(salt_bound)
{
    for (size_t len = GH_AUTH_SALT_MAX - 1; len <= GH_AUTH_SALT_MAX + 1; len++) {
        uint8_t salt[GH_AUTH_SALT_MAX + 1] = { 7 };
        gh_auth_verifier v;
        gh_buf b = { 0 };

        gh_buf_puts(&b, "SCRAM-SHA-256$4096:");
        auth_put_base64(&b, salt, len);
        gh_buf_puts(&b, "$" KEY64 ":" KEY64);
        ck_assert_int_eq(gh_auth_verifier_parse(gh_buf_str(&b), &v, NULL),
                         len <= GH_AUTH_SALT_MAX ? GH_OK : GH_INVALID);
        gh_buf_fini(&b);
    }
}
END_TEST

START_TEST(password_bound)
{
    char password[GH_AUTH_PASSWORD_MAX + 1];
    gh_auth_verifier v;
    gh_err err = { 0 };

    memset(password, 'x', sizeof(password));
    ck_assert_int_eq(
        gh_auth_verifier_make((gh_str){ password, GH_AUTH_PASSWORD_MAX }, s_salt, 16, 1, &v, &err),
        GH_OK);
    ck_assert_int_eq(gh_auth_verifier_make((gh_str){ password, GH_AUTH_PASSWORD_MAX + 1 }, s_salt,
                                           16, 1, &v, &err),
                     GH_INVALID);
    ck_assert_ptr_null(strstr(err.public_msg, "xx"));
    ck_assert_int_eq(gh_auth_verifier_make((gh_str){ password, 0 }, s_salt, 16, 1, &v, NULL),
                     GH_INVALID);
    ck_assert_int_eq(gh_auth_verifier_make(GH_STR("a\0b"), s_salt, 16, 1, &v, NULL), GH_INVALID);
    ck_assert_int_eq(gh_auth_verifier_make(GH_STR("a"), s_salt, 16, 0, &v, NULL), GH_INVALID);
    ck_assert_int_eq(
        gh_auth_verifier_make(GH_STR("a"), s_salt, 16, GH_AUTH_ITERATIONS_MAX + 1, &v, NULL),
        GH_INVALID);
}
END_TEST

/* Against OpenSSL's: every length, and every text that OpenSSL would let pass but RFC 4648 does
 * not. */
START_TEST(base64)
{
    static const char *const bad[] = {
        "A",    "AA",   "AAA",  "A===",  "====", "AA=A",     "AAAAA",
        "AB==", "AAB=", "AA A", "AA\n=", "AAA*", "AA==AAAA", "\xff\xff\xff\xff",
        "AA-_"
    };
    unsigned char bytes[64];
    uint8_t got[64];
    size_t len = 0;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 151 + 3);
    for (size_t n = 1; n <= sizeof(bytes); n++) {
        char expected[128];
        gh_buf b = { 0 };

        client_base64(bytes, n, expected);
        auth_put_base64(&b, bytes, n);
        ck_assert(gh_str_is(gh_buf_str(&b), expected));
        ck_assert(auth_read_base64(gh_buf_str(&b), got, n, &len));
        ck_assert_uint_eq(len, n);
        ck_assert_mem_eq(got, bytes, n);
        ck_assert(!auth_read_base64(gh_buf_str(&b), got, n - 1, &len));
        gh_buf_fini(&b);
    }
    for (size_t i = 0; i < GH_COUNT(bad); i++)
        ck_assert_msg(!auth_read_base64(gh_str_of(bad[i]), got, sizeof(got), &len), "%s", bad[i]);
    ck_assert(!auth_read_base64(GH_STR("AA\0A"), got, sizeof(got), &len));
}
END_TEST

Suite *auth_verifier_suite(void)
{
    Suite *s = suite_create("auth/verifier");
    TCase *tc = tcase_create("verifier");

    tcase_add_test(tc, rfc7677_vector);
    tcase_add_test(tc, text_round_trip);
    tcase_add_test(tc, texts_that_are_none);
    tcase_add_test(tc, salt_bound);
    tcase_add_test(tc, password_bound);
    tcase_add_test(tc, base64);
    suite_add_tcase(s, tc);
    return s;
}
