/*
 * error_rebuild.c: what a client is told of an error of the upstream's: its code, a text that may pass (error_public.c), and
 * where in the client's own text it is.
 */
#include "error_rebuild.h"

#include "session_priv.h"

#include <string.h>

/* How many characters stand before a byte. */
static uint32_t characters(gh_str text)
{
    uint32_t n = 0;

    for (size_t i = 0; i < text.len; i++)
        n += ((unsigned char)text.ptr[i] & 0xc0u) != 0x80u ? 1 : 0;
    return n;
}

/* The upstream counts from the beginning of the joined text; the plan from that of its own. */
static uint32_t client_position(const gh_expect *e, uint32_t position)
{
    const gh_plan *p = gh_expect_plan(e);

    if (p == NULL || position == 0 || e->is_lookup) /* whose text was another */
        return 0;
    if (p->is_bypassed)
        return position;
    if (e->kind == GH_EXPECT_QUERY) {
        uint32_t before = 0;

        for (uint32_t i = 0; i < e->plan_at && i + 1 < e->set->count; i++)
            before += characters(e->set->plans[i].sql) + 1;
        if (position <= before)
            return 0;
        position -= before;
    }
    return gh_plan_position(p, position);
}

/*
 * SECURITY: a row filter's ssn::int fails for a hidden row, as the cast of a generated column does for a row that is
 * written, and PostgreSQL's text for it quotes the value. It would pass where the client's text holds a guess. What stands
 * in his text has a position there. Attack: tests/attack error-fields.
 */
static bool may_quote(const gh_expect *e, const gh_upstream_error *up, const gh_err *out)
{
    const gh_plan *p = gh_expect_plan(e);

    return e->set != NULL && (gh_session_error_is_of_names(up->sqlstate) || out->position != 0 ||
                              (p != NULL && (p->tells_values || p->is_bypassed)));
}

void gh_session_rebuild_error(const gh_expect *e, const gh_upstream_error *up, gh_err *out)
{
    gh_str client_sql = { NULL, 0 };
    gh_buf text;

    memcpy(out->sqlstate, up->sqlstate.ptr, 5);
    if (e != NULL) {
        out->position = client_position(e, up->position);
        if (may_quote(e, up, out))
            client_sql = e->set->source;
    }
    gh_buf_init(&text, 0);
    gh_session_public_error(up->sqlstate, up->is_of_code ? (gh_str){ NULL, 0 } : up->message,
                            client_sql, &text);
    memcpy(out->public_msg, text.ptr,
           text.len < sizeof(out->public_msg) ? text.len : sizeof(out->public_msg) - 1);
    gh_buf_fini(&text);
    if (gh_sqlstate_is_absence(out->sqlstate))
        memcpy(out->hint, GH_ABSENCE_HINT, sizeof(GH_ABSENCE_HINT));
}
