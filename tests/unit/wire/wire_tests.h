#ifndef WIRE_TESTS_H
#define WIRE_TESTS_H

#include <gatehouse/wire.h>

#include <check.h>
#include <stdlib.h>

Suite *wire_frame_suite(void);
Suite *wire_startup_suite(void);
Suite *wire_messages_suite(void);
Suite *wire_state_suite(void);

/*
 * A copy in a block of exactly its size, so that the sanitizer sees a read past its end. The caller
 * frees the pointer.
 */
static inline gh_str exact_copy(const char *bytes, size_t len)
{
    char *p = malloc(len == 0 ? 1 : len);

    ck_assert_ptr_nonnull(p);
    if (len > 0)
        memcpy(p, bytes, len);
    return (gh_str){ p, len };
}

static inline void free_copy(gh_str s)
{
    free((void *)(uintptr_t)s.ptr);
}

#endif
