/* How long random tests go on. */
#ifndef TESTS_UNIT_ROUNDS_H
#define TESTS_UNIT_ROUNDS_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool is_set(const char *variable)
{
    const char *value = getenv(variable);

    return value != NULL && strcmp(value, "1") == 0;
}

/*
 * Rounds of a test that makes so many by itself: many more in a long run, and a quarter under the sanitizers, since
 * the plain build makes them all and what a sanitizer finds it finds in each.
 */
static inline size_t rounds(size_t usual, size_t in_long_run)
{
    if (is_set("GH_LONG"))
        return in_long_run;
    return is_set("GH_SANITIZED") ? (usual + 3) / 4 : usual;
}

#endif
