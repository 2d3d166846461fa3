/* The hash chain: what follows, and that nothing else passes for it. */
#include "audit_tests.h"

#include <stdlib.h>

static void append(gh_audit_chain *c, const char *message, gh_buf *out)
{
    gh_audit_record r = { .kind = GH_AUDIT_STOP, .message = gh_str_of(message) };
    gh_audit_digest *d = gh_audit_digest_new();
    char link[GH_AUDIT_LINK_MAX];
    size_t start = out->len;
    size_t len;

    gh_audit_encode(&r, out);
    gh_audit_digest_body(d, GH_STR("an earlier body, thrown away"));
    gh_audit_digest_body(d, (gh_str){ out->ptr + start, out->len - start });
    len = gh_audit_chain_link(c, d, link);
    ck_assert_uint_le(len, GH_AUDIT_LINK_MAX);
    gh_buf_put(out, link, len);
    gh_audit_digest_free(d);
}

static gh_rc check(gh_str text, gh_err *err)
{
    gh_audit_chain c = { 0 };

    return gh_audit_chain_check_text(&c, text, err);
}

START_TEST(sha256_is_sha256)
{
    uint8_t hash[GH_AUDIT_HASH_LEN];
    char hex[2 * GH_AUDIT_HASH_LEN + 1] = "";

    gh_audit_sha256(GH_STR("abc"), hash);
    gh_audit_hex(hash, sizeof(hash), hex);
    ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    gh_audit_sha256((gh_str){ NULL, 0 }, hash);
    gh_audit_hex(hash, sizeof(hash), hex);
    ck_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
END_TEST

START_TEST(a_chain_holds)
{
    gh_audit_chain made = { 0 };
    gh_audit_chain read = { 0 };
    gh_buf text;

    gh_buf_init(&text, 0);
    for (int i = 0; i < 100; i++)
        append(&made, "x", &text);
    ck_assert_int_eq(gh_audit_chain_check_text(&read, gh_buf_str(&text), NULL), GH_OK);
    ck_assert_uint_eq(read.seq, 100);
    ck_assert_mem_eq(read.hash, made.hash, sizeof(made.hash));
    gh_buf_fini(&text);
}
END_TEST

START_TEST(any_flipped_bit_is_found)
{
    gh_audit_chain c = { 0 };
    gh_buf text;

    gh_buf_init(&text, 0);
    append(&c, "one", &text);
    append(&c, "two", &text);
    append(&c, "three", &text);
    ck_assert_int_eq(check(gh_buf_str(&text), NULL), GH_OK);
    for (size_t i = 0; i < text.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            text.ptr[i] = (char)(text.ptr[i] ^ (1 << bit));
            ck_assert_msg(check(gh_buf_str(&text), NULL) == GH_INVALID, "byte %zu bit %d", i, bit);
            text.ptr[i] = (char)(text.ptr[i] ^ (1 << bit));
        }
    }
    for (size_t len = 1; len < text.len; len++) {
        bool is_whole = text.ptr[len - 1] == '\n';

        ck_assert_int_eq(check((gh_str){ text.ptr, len }, NULL) == GH_OK, is_whole);
    }
    gh_buf_fini(&text);
}
END_TEST

/* Lines of two chains, to be put together wrongly. */
static gh_str line_of(const gh_buf *text, size_t wanted)
{
    const char *at = text->ptr;

    for (;;) {
        const char *end = memchr(at, '\n', (size_t)(text->ptr + text->len - at));

        ck_assert_ptr_nonnull(end);
        if (wanted-- == 0)
            return (gh_str){ at, (size_t)(end - at) };
        at = end + 1;
    }
}

START_TEST(lines_cannot_be_moved)
{
    gh_audit_chain c = { 0 };
    gh_audit_chain other = { 0 };
    gh_audit_chain at = { 0 };
    gh_err err = { .sqlstate = "" };
    gh_buf text;
    gh_buf forged;

    gh_buf_init(&text, 0);
    gh_buf_init(&forged, 0);
    for (int i = 0; i < 4; i++) {
        append(&c, "x", &text);
        append(&other, "y", &forged);
    }
    ck_assert_int_eq(gh_audit_chain_check(&at, line_of(&text, 1), NULL), GH_INVALID);
    ck_assert_uint_eq(at.seq, 0);
    ck_assert_int_eq(gh_audit_chain_check(&at, line_of(&text, 0), NULL), GH_OK);
    ck_assert_int_eq(gh_audit_chain_check(&at, line_of(&text, 0), NULL), GH_INVALID); /* twice */
    ck_assert_int_eq(gh_audit_chain_check(&at, line_of(&text, 2), NULL),
                     GH_INVALID); /* one left out */
    ck_assert_int_eq(gh_audit_chain_check(&at, line_of(&forged, 1), &err), GH_INVALID);
    ck_assert_str_eq(err.public_msg, "record 2 does not follow from its predecessor");
    ck_assert_int_eq(gh_audit_chain_check(&at, line_of(&text, 1), NULL), GH_OK);
    ck_assert_uint_eq(at.seq, 2);
    ck_assert_int_eq(gh_audit_chain_anchor(line_of(&text, 3), &at, NULL), GH_OK);
    ck_assert_uint_eq(at.seq, 4);
    ck_assert_mem_eq(at.hash, c.hash, sizeof(c.hash));
    gh_buf_fini(&text);
    gh_buf_fini(&forged);
}
END_TEST

START_TEST(what_is_no_record)
{
    static const char *const wrong[] = { "",
                                         "{",
                                         "{}",
                                         "x",
                                         "{\"kind\":\"stop\"}",
                                         ",\"hash\":\"",
                                         "{,\"seq\":1,\"prev\":\"\",\"hash\":\"\"}" };
    gh_audit_chain c = { 0 };
    gh_err err = { .sqlstate = "" };
    gh_buf text;

    for (size_t i = 0; i < GH_COUNT(wrong); i++)
        ck_assert_int_eq(gh_audit_chain_anchor(gh_str_of(wrong[i]), &c, NULL), GH_INVALID);
    gh_buf_init(&text, 0);
    append(&c, "one", &text);
    append(&c, "two", &text);
    text.len--;
    ck_assert_int_eq(check(gh_buf_str(&text), &err), GH_INVALID);
    ck_assert_str_eq(err.public_msg, "line 2 is cut off");
    gh_buf_fini(&text);
}
END_TEST

Suite *audit_chain_suite(void)
{
    Suite *s = suite_create("chain");
    TCase *c = tcase_create("chain");

    tcase_add_test(c, sha256_is_sha256);
    tcase_add_test(c, a_chain_holds);
    tcase_add_test(c, any_flipped_bit_is_found);
    tcase_add_test(c, lines_cannot_be_moved);
    tcase_add_test(c, what_is_no_record);
    suite_add_tcase(s, c);
    return s;
}
