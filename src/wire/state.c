/*
 * Which message is legal when: a table, read from PostgreSQL 15's behaviour.
 *
 *                      STARTUP   AUTH      READY     COPY_IN   SKIP
 *     p                -         handle    -         -         -
 *     Q P B D E C      -         -         handle    -         ignore
 *     H                -         -         handle    ignore    ignore
 *     S                -         -         handle    ignore    handle
 *     d c f            -         -         ignore    handle    ignore
 *     F                -         -         refuse    -         ignore
 *     X                -         -         end       -         end
 *
 * READY ignores what is left of a COPY that failed. COPY_IN ignores Flush and Sync for the
 * convenience of clients, and takes even Terminate for a violation; after one the framing counts as
 * lost.
 *
 * What is not in the table is illegal everywhere: zero is GH_WIRE_ILLEGAL.
 */
#include "wire_priv.h"

static const uint8_t s_table[GH_WIRE_STATES][128] = {
    [GH_WIRE_STATE_AUTH] = { [GH_WIRE_F_PASSWORD] = GH_WIRE_HANDLE },
    [GH_WIRE_STATE_READY] = {
        [GH_WIRE_F_QUERY] = GH_WIRE_HANDLE,
        [GH_WIRE_F_PARSE] = GH_WIRE_HANDLE,
        [GH_WIRE_F_BIND] = GH_WIRE_HANDLE,
        [GH_WIRE_F_DESCRIBE] = GH_WIRE_HANDLE,
        [GH_WIRE_F_EXECUTE] = GH_WIRE_HANDLE,
        [GH_WIRE_F_CLOSE] = GH_WIRE_HANDLE,
        [GH_WIRE_F_FLUSH] = GH_WIRE_HANDLE,
        [GH_WIRE_F_SYNC] = GH_WIRE_HANDLE,
        [GH_WIRE_F_COPY_DATA] = GH_WIRE_IGNORE,
        [GH_WIRE_F_COPY_DONE] = GH_WIRE_IGNORE,
        [GH_WIRE_F_COPY_FAIL] = GH_WIRE_IGNORE,
        [GH_WIRE_F_FUNCTION_CALL] = GH_WIRE_REFUSE,
        [GH_WIRE_F_TERMINATE] = GH_WIRE_END,
    },
    [GH_WIRE_STATE_COPY_IN] = {
        [GH_WIRE_F_COPY_DATA] = GH_WIRE_HANDLE,
        [GH_WIRE_F_COPY_DONE] = GH_WIRE_HANDLE,
        [GH_WIRE_F_COPY_FAIL] = GH_WIRE_HANDLE,
        [GH_WIRE_F_FLUSH] = GH_WIRE_IGNORE,
        [GH_WIRE_F_SYNC] = GH_WIRE_IGNORE,
    },
    [GH_WIRE_STATE_SKIP] = {
        [GH_WIRE_F_QUERY] = GH_WIRE_IGNORE,
        [GH_WIRE_F_PARSE] = GH_WIRE_IGNORE,
        [GH_WIRE_F_BIND] = GH_WIRE_IGNORE,
        [GH_WIRE_F_DESCRIBE] = GH_WIRE_IGNORE,
        [GH_WIRE_F_EXECUTE] = GH_WIRE_IGNORE,
        [GH_WIRE_F_CLOSE] = GH_WIRE_IGNORE,
        [GH_WIRE_F_FLUSH] = GH_WIRE_IGNORE,
        [GH_WIRE_F_SYNC] = GH_WIRE_HANDLE,
        [GH_WIRE_F_COPY_DATA] = GH_WIRE_IGNORE,
        [GH_WIRE_F_COPY_DONE] = GH_WIRE_IGNORE,
        [GH_WIRE_F_COPY_FAIL] = GH_WIRE_IGNORE,
        [GH_WIRE_F_FUNCTION_CALL] = GH_WIRE_IGNORE,
        [GH_WIRE_F_TERMINATE] = GH_WIRE_END,
    },
};

gh_wire_action gh_wire_judge(gh_wire_state state, uint8_t type)
{
    if ((size_t)state >= GH_COUNT(s_table) || type >= GH_COUNT(s_table[0]))
        return GH_WIRE_ILLEGAL;
    return (gh_wire_action)s_table[state][type];
}

gh_rc gh_wire_illegal(gh_wire_state state, uint8_t type, gh_err *err)
{
    switch (state) {
    case GH_WIRE_STATE_AUTH:
        return gh_fail(err, GH_BADMSG, "08P01", "expected SASL response, got message type %d",
                       (int)type);
    case GH_WIRE_STATE_COPY_IN:
        return gh_fail(err, GH_BADMSG, "08P01",
                       "unexpected message type 0x%02X during COPY from stdin", (unsigned int)type);
    case GH_WIRE_STATE_STARTUP:
    case GH_WIRE_STATE_READY:
    case GH_WIRE_STATE_SKIP:
        break;
    }
    return gh_fail(err, GH_BADMSG, "08P01", "invalid frontend message type %d", (int)type);
}

bool gh_wire_is_extended(uint8_t type)
{
    switch (type) {
    case GH_WIRE_F_PARSE:
    case GH_WIRE_F_BIND:
    case GH_WIRE_F_DESCRIBE:
    case GH_WIRE_F_EXECUTE:
    case GH_WIRE_F_CLOSE:
    case GH_WIRE_F_FLUSH:
        return true;
    }
    return false;
}
