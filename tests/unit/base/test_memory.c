/* Arenas, buffers, readers, secrets. */
#include "base_tests.h"

#include <stdlib.h>

START_TEST(arena_budget_bound)
{
    gh_arena *a = gh_arena_new(4096);

    ck_assert_ptr_nonnull(gh_arena_alloc(a, 4096));
    ck_assert_uint_eq(gh_arena_used(a), 4096);
    ck_assert_ptr_null(gh_arena_alloc(a, 1));
    ck_assert_ptr_null(gh_arena_alloc(a, 0));
    gh_arena_reset(a);
    ck_assert_ptr_null(gh_arena_alloc(a, 4097));
    ck_assert_ptr_null(gh_arena_alloc(a, SIZE_MAX));
    ck_assert_ptr_null(gh_arena_alloc(a, SIZE_MAX - 8));
    ck_assert_uint_eq(gh_arena_used(a), 0);
    ck_assert_ptr_null(gh_arena_dup(a, (gh_str){ "x", SIZE_MAX }).ptr);
    ck_assert_ptr_nonnull(gh_arena_alloc(a, 4096));
    ck_assert_ptr_null(gh_arena_dup(a, GH_STR("")).ptr);
    ck_assert_ptr_null(gh_arena_printf(a, "%s", "no").ptr);
    gh_arena_free(a);
    gh_arena_free(NULL);
}
END_TEST

/* Every block zeroed, aligned, apart from the others, across resets that leave dirty memory behind.
 */
START_TEST(arena_blocks_are_clean_and_apart)
{
    enum { COUNT = 600 };
    gh_arena *a = gh_arena_new(0);
    static unsigned char *blocks[COUNT];
    static size_t sizes[COUNT];
    size_t wrong = 0;

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            sizes[i] = i % 50 == 7 ? 100000 + i : (i * 37) % 700;
            blocks[i] = gh_arena_alloc(a, sizes[i]);
            ck_assert_ptr_nonnull(blocks[i]);
            ck_assert_uint_eq((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
            for (size_t k = 0; k < sizes[i]; k++)
                wrong += blocks[i][k] != 0;
            memset(blocks[i], (int)(i % 255) + 1, sizes[i]);
        }
        for (size_t i = 0; i < COUNT; i++) {
            for (size_t k = 0; k < sizes[i]; k++)
                wrong += blocks[i][k] != i % 255 + 1;
        }
        ck_assert_uint_eq(wrong, 0);
        gh_arena_reset(a);
        ck_assert_uint_eq(gh_arena_used(a), 0);
    }
    gh_arena_free(a);
}
END_TEST

START_TEST(arena_copies)
{
    gh_arena *a = gh_arena_new(0);
    gh_str empty = gh_arena_dup(a, (gh_str){ NULL, 0 });
    gh_str copy = gh_arena_dup(a, GH_STR("a\0b"));
    gh_str text = gh_arena_printf(a, "%d-%s", 42, "x");

    ck_assert_ptr_nonnull(empty.ptr);
    ck_assert_uint_eq(empty.len, 0);
    ck_assert_int_eq(empty.ptr[0], '\0');
    ck_assert(gh_str_eq(copy, GH_STR("a\0b")));
    ck_assert_int_eq(copy.ptr[3], '\0');
    ck_assert_str_eq(text.ptr, "42-x");
    ck_assert_uint_eq(text.len, 4);
    gh_arena_free(a);
}
END_TEST

START_TEST(alloc_zeroes_and_copies)
{
    char *s = gh_strdup(GH_STR("abc"));
    unsigned char *p = gh_alloc(100);
    uint32_t *numbers = gh_realloc_array(NULL, 4, sizeof(*numbers));

    ck_assert_str_eq(s, "abc");
    for (size_t i = 0; i < 100; i++)
        ck_assert_uint_eq(p[i], 0);
    numbers[3] = 7;
    numbers = gh_realloc_array(numbers, 4000, sizeof(*numbers));
    ck_assert_uint_eq(numbers[3], 7);
    free(s);
    free(p);
    free(numbers);
}
END_TEST

START_TEST(realloc_array_sees_overflow)
{
    size_t huge = SIZE_MAX / 4;

    free(gh_realloc_array(NULL, huge, 16));
}
END_TEST

START_TEST(buf_bound)
{
    gh_buf b;

    gh_buf_init(&b, 1000);
    for (int i = 0; i < 999; i++)
        gh_buf_put_u8(&b, 'x');
    ck_assert_ptr_nonnull(gh_buf_reserve(&b, 1));
    ck_assert_ptr_null(gh_buf_reserve(&b, 2));
    ck_assert_ptr_null(gh_buf_reserve(&b, SIZE_MAX));
    ck_assert(!b.failed);
    gh_buf_put_u8(&b, 'y');
    ck_assert(!b.failed);
    ck_assert_uint_eq(b.len, 1000);
    gh_buf_put(&b, "", 0);
    ck_assert(!b.failed);
    gh_buf_put_u8(&b, 'z');
    ck_assert(b.failed);
    ck_assert_uint_eq(b.len, 1000);
    gh_buf_consume(&b, 500);
    gh_buf_put_u8(&b, 'z'); /* the failure stays */
    ck_assert_uint_eq(b.len, 500);
    gh_buf_clear(&b);
    ck_assert(!b.failed);
    gh_buf_put_u8(&b, 'z');
    ck_assert(gh_str_is(gh_buf_str(&b), "z"));
    gh_buf_fini(&b);
    ck_assert_ptr_null(b.ptr);
    ck_assert_uint_eq(b.max, 1000);
}
END_TEST

START_TEST(buf_writers)
{
    gh_buf b = { 0 };
    char long_text[700];

    gh_buf_put_u8(&b, 1);
    gh_buf_put_u16(&b, 0x0203);
    gh_buf_put_u32(&b, 0x04050607);
    gh_buf_put_cstr(&b, "ab");
    gh_buf_puts(&b, "cd");
    gh_buf_put_str(&b, GH_STR("e\0f"));
    ck_assert(gh_str_eq(gh_buf_str(&b), GH_STR("\1\2\3\4\5\6\7ab\0cde\0f")));
    gh_buf_consume(&b, 7);
    ck_assert(gh_str_eq(gh_buf_str(&b), GH_STR("ab\0cde\0f")));
    gh_buf_consume(&b, b.len);
    ck_assert_uint_eq(b.len, 0);
    memset(long_text, 'q', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    gh_buf_printf(&b, "%d|%s|", 5, long_text); /* past the printer's small buffer */
    ck_assert_uint_eq(b.len, 2 + 699 + 1);
    ck_assert_int_eq(b.ptr[b.len - 1], '|');
    gh_buf_fini(&b);
}
END_TEST

START_TEST(buf_consume_too_much)
{
    gh_buf b = { 0 };

    gh_buf_puts(&b, "abc");
    gh_buf_consume(&b, 4);
}
END_TEST

START_TEST(rd_round_trip_and_every_cut)
{
    gh_buf b = { 0 };

    gh_buf_put_u8(&b, 0xFE);
    gh_buf_put_u16(&b, 0xFEDC);
    gh_buf_put_u32(&b, 0xFEDCBA98);
    gh_buf_put_cstr(&b, "name");
    gh_buf_put_str(&b, GH_STR("xyz"));
    for (size_t len = 0; len <= b.len; len++) {
        char *exact =
            malloc(len == 0 ? 1 : len); /* so that a read past the end is one past a block */
        gh_rd r = { exact, exact + len, false };
        uint32_t got = 0;

        memcpy(exact, b.ptr, len);
        got += gh_rd_u8(&r) == 0xFE;
        got += gh_rd_u16(&r) == 0xFEDC;
        got += gh_rd_u32(&r) == 0xFEDCBA98;
        got += gh_str_is(gh_rd_cstr(&r), "name");
        got += gh_str_is(gh_rd_bytes(&r, 3), "xyz");
        ck_assert_int_eq(gh_rd_finish(&r), len == b.len);
        ck_assert_int_eq(got == 5, len == b.len);
        ck_assert_int_eq(r.failed, len != b.len);
        free(exact);
    }
    gh_buf_fini(&b);
}
END_TEST

START_TEST(rd_failure_stays)
{
    const char bytes[] = { 1, 2, 3 };
    gh_rd r = { bytes, bytes + 3, false };

    ck_assert_uint_eq(gh_rd_u32(&r), 0);
    ck_assert_uint_eq(gh_rd_u8(&r), 0);
    ck_assert_uint_eq(gh_rd_u16(&r), 0);
    ck_assert_uint_eq(gh_rd_bytes(&r, 1).len, 0);
    ck_assert(!gh_rd_finish(&r));
    r = (gh_rd){ bytes, bytes + 3, false };
    ck_assert_uint_eq(gh_rd_bytes(&r, SIZE_MAX).len, 0);
    ck_assert(r.failed);
    r = (gh_rd){ bytes, bytes + 3, false };
    ck_assert_ptr_null(gh_rd_cstr(&r).ptr); /* no NUL */
    ck_assert(r.failed);
    r = (gh_rd){ bytes, bytes + 3, false };
    ck_assert_uint_eq(gh_rd_u16(&r), 0x0102);
    ck_assert(!gh_rd_finish(&r)); /* a byte is left */
    r = (gh_rd){ NULL, NULL, false };
    ck_assert(gh_rd_finish(&r));
    ck_assert_uint_eq(gh_rd_bytes(&r, 0).len, 0);
    ck_assert(!r.failed);
    ck_assert_ptr_null(gh_rd_cstr(&r).ptr);
    ck_assert(r.failed);
}
END_TEST

START_TEST(secrets)
{
    gh_secret s;
    char bytes[64];

    gh_secret_init(&s, "pa\0ss", 5);
    ck_assert_uint_eq(s.len, 5);
    ck_assert_mem_eq(s.ptr, "pa\0ss", 6);
    gh_secret_fini(&s);
    ck_assert_ptr_null(s.ptr);
    gh_secret_fini(&s);
    gh_secret_init(&s, NULL, 0);
    gh_secret_fini(&s);
    memset(bytes, 7, sizeof(bytes));
    for (size_t i = 0; i < 32; i++) {
        ck_assert(gh_secret_eq(bytes, bytes + 32, 32));
        bytes[i] ^= (char)0x80;
        ck_assert(!gh_secret_eq(bytes, bytes + 32, 32));
        ck_assert(gh_secret_eq(bytes, bytes + 32, i));
        bytes[i] ^= (char)0x80;
    }
    gh_cleanse(bytes, 32);
    for (size_t i = 0; i < 64; i++)
        ck_assert_int_eq(bytes[i], i < 32 ? 0 : 7);
    gh_cleanse(NULL, 0);
}
END_TEST

Suite *base_memory_suite(void)
{
    Suite *s = suite_create("base/memory");
    TCase *tc = tcase_create("memory");

    tcase_add_test(tc, arena_budget_bound);
    tcase_add_test(tc, arena_blocks_are_clean_and_apart);
    tcase_add_test(tc, arena_copies);
    tcase_add_test(tc, alloc_zeroes_and_copies);
    tcase_add_test_raise_signal(tc, realloc_array_sees_overflow, 6);
    tcase_add_test(tc, buf_bound);
    tcase_add_test(tc, buf_writers);
    tcase_add_test_raise_signal(tc, buf_consume_too_much, 6);
    tcase_add_test(tc, rd_round_trip_and_every_cut);
    tcase_add_test(tc, rd_failure_stays);
    tcase_add_test(tc, secrets);
    suite_add_tcase(s, tc);
    return s;
}
