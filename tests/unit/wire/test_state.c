/* The table of legal pairs, all 5 times 256 of them. */
#include "wire_tests.h"

/* A column of letters a state, in the order of `types`: h handle, i ignore, r refuse, e end, -
 * illegal. */
static const char s_types[] = "QPBDECHSdcfFXp";
static const char *const s_expected[GH_WIRE_STATES] = {
    [GH_WIRE_STATE_STARTUP] = "--------------", [GH_WIRE_STATE_AUTH] = "-------------h",
    [GH_WIRE_STATE_READY] = "hhhhhhhhiiire-",   [GH_WIRE_STATE_COPY_IN] = "------iihhh---",
    [GH_WIRE_STATE_SKIP] = "iiiiiiihiiiie-",
};

START_TEST(every_pair)
{
    for (int state = 0; state < GH_WIRE_STATES; state++) {
        for (int type = 0; type < 256; type++) {
            const char *at = type == 0 ? NULL : strchr(s_types, type);
            char expected = at == NULL ? '-' : s_expected[state][at - s_types];
            gh_wire_action action = gh_wire_judge((gh_wire_state)state, (uint8_t)type);

            ck_assert_msg("-hire"[action] == expected, "state %d, type %d: %d", state, type,
                          action);
        }
    }
    ck_assert_int_eq(gh_wire_judge((gh_wire_state)GH_WIRE_STATES, 'Q'), GH_WIRE_ILLEGAL);
}
END_TEST

/* The framing lets through exactly the types that some state knows. */
START_TEST(framing_and_table_agree)
{
    for (int type = 0; type < 256; type++) {
        const char bytes[] = { (char)type, 0, 0, 0, 4 };
        gh_wire_frame f;
        bool is_known = gh_wire_judge(GH_WIRE_STATE_READY, (uint8_t)type) != GH_WIRE_ILLEGAL;

        ck_assert_int_eq(
            gh_wire_frame_frontend(GH_WIRE_PHASE_SESSION, (gh_str){ bytes, 5 }, &f, NULL),
            is_known ? GH_OK : GH_BADMSG);
    }
}
END_TEST

START_TEST(texts_are_postgresqls)
{
    static const struct {
        gh_wire_state state;
        uint8_t type;
        const char *message;
    } cases[] = {
        { GH_WIRE_STATE_READY, 'z', "invalid frontend message type 122" },
        { GH_WIRE_STATE_SKIP, 0, "invalid frontend message type 0" },
        { GH_WIRE_STATE_STARTUP, 'Q', "invalid frontend message type 81" },
        { GH_WIRE_STATE_AUTH, 'Q', "expected SASL response, got message type 81" },
        { GH_WIRE_STATE_COPY_IN, 'Q', "unexpected message type 0x51 during COPY from stdin" },
    };

    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_err err = { 0 };

        ck_assert_int_eq(gh_wire_illegal(cases[i].state, cases[i].type, &err), GH_BADMSG);
        ck_assert_str_eq(err.sqlstate, "08P01");
        ck_assert_str_eq(err.public_msg, cases[i].message);
    }
}
END_TEST

START_TEST(extended_types)
{
    for (int type = 0; type < 256; type++)
        ck_assert_int_eq(gh_wire_is_extended((uint8_t)type),
                         type != 0 && strchr("PBDECH", type) != NULL);
}
END_TEST

Suite *wire_state_suite(void)
{
    Suite *s = suite_create("wire/state");
    TCase *tc = tcase_create("state");

    tcase_add_test(tc, every_pair);
    tcase_add_test(tc, framing_and_table_agree);
    tcase_add_test(tc, texts_are_postgresqls);
    tcase_add_test(tc, extended_types);
    suite_add_tcase(s, tc);
    return s;
}
