/* How long who guesses has to wait, on a clock of our own. */
#include "auth_tests.h"

#include <stdio.h>

#define MS INT64_C(1000)

static const uint8_t s_key[GH_AUTH_KEY_LEN] = { 7 };

/* What an attempt waits; -1: refused. */
static int64_t attempt(gh_auth_throttle *t, const char *user, const char *address, int64_t now_us)
{
    uint32_t wait_ms = 0;
    gh_err err = { 0 };
    gh_rc rc =
        gh_auth_throttle_admit(t, gh_str_of(user), gh_str_of(address), now_us, &wait_ms, &err);

    if (rc == GH_OK)
        return wait_ms;
    ck_assert_int_eq(rc, GH_LIMIT);
    ck_assert_str_eq(err.sqlstate, "28000");
    ck_assert_ptr_nonnull(strstr(err.public_msg, "try again in"));
    return -1;
}

START_TEST(delays_double_up_to_a_bound)
{
    gh_auth_throttle *t = gh_auth_throttle_new(s_key);
    int64_t now_us = 0;
    int64_t expected_ms = 0;

    for (int i = 0; i < 40; i++) {
        int64_t wait_ms = attempt(t, "alice", "here", now_us);

        ck_assert_int_eq(wait_ms, expected_ms);
        now_us += wait_ms * MS;
        /* What the failure number i + 1 costs the next one. */
        if (i + 1 > GH_THROTTLE_PAIR_FREE) {
            int doublings = i - GH_THROTTLE_PAIR_FREE;
            expected_ms =
                doublings < 10 ? (int64_t)GH_THROTTLE_FIRST_MS << doublings : GH_THROTTLE_PAIR_MS;
            if (expected_ms > GH_THROTTLE_PAIR_MS)
                expected_ms = GH_THROTTLE_PAIR_MS;
        }
        if (now_us >= GH_THROTTLE_FORGET_MS * MS)
            break; /* from here on failures are forgotten too */
    }
    ck_assert_int_eq(expected_ms, GH_THROTTLE_PAIR_MS);
    gh_auth_throttle_free(t);
}
END_TEST

/* At once instead of one after the other: each stands behind the others, and then no more. */
START_TEST(parallel_guesses_queue)
{
    gh_auth_throttle *t = gh_auth_throttle_new(s_key);
    int64_t last_ms = 0;
    int refused = 0;

    for (int i = 0; i < 1000; i++) {
        int64_t wait_ms = attempt(t, "alice", "here", 0);

        if (wait_ms < 0) {
            refused++;
            continue;
        }
        ck_assert_int_eq(refused, 0);
        ck_assert_int_ge(wait_ms, last_ms);
        ck_assert_int_le(wait_ms, GH_THROTTLE_WAIT_MS);
        last_ms = wait_ms;
    }
    ck_assert_int_ge(refused, 980);
    /* Those that were refused made it no longer. */
    ck_assert_int_ge(attempt(t, "alice", "here", (GH_THROTTLE_WAIT_MS + GH_THROTTLE_PAIR_MS) * MS),
                     0);
    gh_auth_throttle_free(t);
}
END_TEST

/*
 * SECURITY: whoever sends wrong passwords for alice, from here or from a thousand places, must not
 * keep alice out elsewhere, nor others out here.
 */
START_TEST(others_are_not_locked_out)
{
    gh_auth_throttle *t = gh_auth_throttle_new(s_key);
    char address[16];
    char user[16];

    for (int i = 0; i < 500; i++)
        (void)attempt(t, "alice", "here", 0);
    ck_assert_int_eq(attempt(t, "alice", "there", 0), 0);
    ck_assert_int_eq(attempt(t, "bob", "here", 0), 0);
    for (int i = 0; i < 5000; i++) {
        ck_assert_int_gt(snprintf(address, sizeof(address), "a%d", i), 0);
        ck_assert_int_le(attempt(t, "carol", address, 0), GH_THROTTLE_SHARED_MS);
        ck_assert_int_gt(snprintf(user, sizeof(user), "u%d", i), 0);
        ck_assert_int_le(attempt(t, user, "office", 0), GH_THROTTLE_SHARED_MS);
    }
    ck_assert_int_eq(attempt(t, "carol", "home", 0), GH_THROTTLE_SHARED_MS);
    ck_assert_int_eq(attempt(t, "dave", "office", 0), GH_THROTTLE_SHARED_MS);
    gh_auth_throttle_free(t);
}
END_TEST

/* Failures that others can make add up from one past the free ones on. */
START_TEST(shared_failures_are_free_up_to_a_bound)
{
    gh_auth_throttle *t = gh_auth_throttle_new(s_key);
    char name[16];

    for (int i = 0; i <= GH_THROTTLE_USER_FREE; i++) {
        ck_assert_int_gt(snprintf(name, sizeof(name), "a%d", i), 0);
        ck_assert_int_eq(attempt(t, "carol", name, 0), 0);
    }
    ck_assert_int_eq(attempt(t, "carol", "home", 0), GH_THROTTLE_FIRST_MS);
    for (int i = 0; i <= GH_THROTTLE_ADDRESS_FREE; i++) {
        ck_assert_int_gt(snprintf(name, sizeof(name), "u%d", i), 0);
        ck_assert_int_eq(attempt(t, name, "office", 0), 0);
    }
    ck_assert_int_eq(attempt(t, "dave", "office", 0), GH_THROTTLE_FIRST_MS);
    gh_auth_throttle_free(t);
}
END_TEST

START_TEST(success_forgives_the_pair)
{
    gh_auth_throttle *t = gh_auth_throttle_new(s_key);

    for (int i = 0; i <= GH_THROTTLE_PAIR_FREE; i++)
        ck_assert_int_eq(attempt(t, "alice", "here", 0), 0);
    ck_assert_int_gt(attempt(t, "alice", "here", 0), 0);
    gh_auth_throttle_succeeded(t, GH_STR("alice"), GH_STR("here"), 0);
    ck_assert_int_eq(attempt(t, "alice", "here", 0), 0);
    gh_auth_throttle_free(t);
}
END_TEST

/* SECURITY: logging in as oneself in between must not wash away the guesses at others. */
START_TEST(own_success_does_not_reset)
{
    gh_auth_throttle *t = gh_auth_throttle_new(s_key);
    char user[16];
    int64_t wait_ms = 0;

    for (int i = 0; i < 2 * GH_THROTTLE_ADDRESS_FREE; i++) {
        ck_assert_int_gt(snprintf(user, sizeof(user), "u%d", i), 0);
        wait_ms = attempt(t, user, "here", 0);
        (void)attempt(t, "mallory", "here", 0);
        gh_auth_throttle_succeeded(t, GH_STR("mallory"), GH_STR("here"), 0);
    }
    ck_assert_int_eq(wait_ms, GH_THROTTLE_SHARED_MS);
    gh_auth_throttle_free(t);
}
END_TEST

START_TEST(failures_are_forgotten)
{
    gh_auth_throttle *t = gh_auth_throttle_new(s_key);

    for (int i = 0; i < GH_THROTTLE_PAIR_FREE + 4; i++)
        ck_assert_int_ge(attempt(t, "alice", "here", 0), 0);
    /* All but one: then the free ones are free again. */
    int64_t later_us = (GH_THROTTLE_PAIR_FREE + 3) * GH_THROTTLE_FORGET_MS * MS;
    for (int i = 0; i < GH_THROTTLE_PAIR_FREE; i++)
        ck_assert_int_eq(attempt(t, "alice", "here", later_us), 0);
    ck_assert_int_gt(attempt(t, "alice", "here", later_us), 0);
    /* A clock that goes back breaks nothing. */
    ck_assert_int_le(attempt(t, "alice", "here", later_us - MS), GH_THROTTLE_WAIT_MS);
    gh_auth_throttle_free(t);
}
END_TEST

/* A flood of made-up names fills the table many times over and does not drive out who is being guessed. */
START_TEST(flood_keeps_what_matters)
{
    gh_auth_throttle *t = gh_auth_throttle_new(s_key);
    char name[32];

    for (int i = 0; i < GH_THROTTLE_PAIR_FREE + 8; i++)
        (void)attempt(t, "alice", "here", 0);
    for (int i = 0; i < 10 * GH_THROTTLE_ENTRIES; i++) {
        ck_assert_int_gt(snprintf(name, sizeof(name), "made-up-%d", i), 0);
        (void)attempt(t, name, name, 0);
    }
    ck_assert_int_ne(attempt(t, "alice", "here", 0), 0);
    gh_auth_throttle_free(t);
}
END_TEST

Suite *auth_throttle_suite(void)
{
    Suite *s = suite_create("throttle");
    TCase *t = tcase_create("throttle");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, delays_double_up_to_a_bound);
    tcase_add_test(t, parallel_guesses_queue);
    tcase_add_test(t, others_are_not_locked_out);
    tcase_add_test(t, shared_failures_are_free_up_to_a_bound);
    tcase_add_test(t, success_forgives_the_pair);
    tcase_add_test(t, own_success_does_not_reset);
    tcase_add_test(t, failures_are_forgotten);
    tcase_add_test(t, flood_keeps_what_matters);
    suite_add_tcase(s, t);
    return s;
}
