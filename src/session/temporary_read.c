/*
 * temporary_read.c: when the session asks for its temporary tables, and how. See temporary.h.
 *
 * Changes of a transaction that rolls back are known by asking again, not by following its
 * savepoints; a failed transaction can run nothing, so its end is when that is done.
 */
#include "session_priv.h"

#define NAME "gatehouse_temporary" /* of the statement and the portal, while they are asked */

void gh_session_note_temporary(gh_session *s, const gh_plan *p)
{
    bool ends =
        p->kind == GH_STMT_COMMIT || p->kind == GH_STMT_ROLLBACK || p->kind == GH_STMT_ROLLBACK_TO;

    if (s->is_bypass || !(p->changes_temporary || (ends && s->temporary.is_touched)))
        return;
    s->temporary.is_touched = true;
    s->temporary.is_stale = true;
}

bool gh_session_changes_temporary(const gh_session *s, const gh_plan *p)
{
    return p->changes_temporary ||
           (s->temporary.is_touched && (p->kind == GH_STMT_COMMIT || p->kind == GH_STMT_ROLLBACK ||
                                        p->kind == GH_STMT_ROLLBACK_TO));
}

static gh_expect *push(gh_session *s, gh_expect_kind kind)
{
    gh_expect *e = gh_session_push(s, kind);

    e->is_temporary = true;
    e->is_swallowed = kind != GH_EXPECT_SYNC;
    return e;
}

void gh_session_read_temporary(gh_session *s, bool is_idle)
{
    gh_buf *out = &s->up_out;
    gh_expect *e;

    s->temporary.is_stale = false;
    gh_buf_clear(&s->temporary.incoming);
    e = push(s, GH_EXPECT_CLOSE); /* one that an error left behind */
    gh_wire_put_close(out, 'S', GH_STR(NAME));
    gh_session_pushed(s, e);
    e = push(s, GH_EXPECT_PARSE);
    gh_wire_put_parse(out, GH_STR(NAME), gh_temporary_sql(), (gh_wire_ints){ NULL, 0 });
    gh_session_pushed(s, e);
    e = push(s, GH_EXPECT_BIND);
    gh_wire_put_bind(out, GH_STR(NAME), GH_STR(NAME), gh_temporary_bind_tail());
    gh_session_pushed(s, e);
    e = push(s, GH_EXPECT_EXECUTE);
    gh_wire_put_execute(out, GH_STR(NAME), 0);
    gh_session_pushed(s, e);
    e = push(s, GH_EXPECT_CLOSE);
    e->is_portal = true;
    gh_wire_put_close(out, 'P', GH_STR(NAME));
    gh_session_pushed(s, e);
    e = push(s, GH_EXPECT_CLOSE);
    gh_wire_put_close(out, 'S', GH_STR(NAME));
    gh_session_pushed(s, e);
    if (is_idle) {
        e = push(s, GH_EXPECT_SYNC);
        gh_wire_put_empty(out, GH_WIRE_F_SYNC);
        gh_session_pushed(s, e);
    }
    gh_session_set_barrier(s);
}

bool gh_session_take_temporary(gh_session *s)
{
    return gh_temporary_take(&s->temporary, &s->env->next_temporary) == GH_OK;
}

void gh_session_fail_temporary(gh_session *s)
{
    gh_temporary_forget(&s->temporary);
    s->temporary.is_stale = false;
    s->temporary.is_touched = true;
}

bool gh_session_wants_temporary(gh_session *s, const gh_expect *ended, char status)
{
    if (status == GH_WIRE_TX_FAILED || s->is_bypass)
        return false;
    if (status == GH_WIRE_TX_IDLE && s->temporary.is_touched && !ended->is_temporary) {
        s->temporary.is_touched = false;
        s->temporary.is_stale = true;
    }
    return s->temporary.is_stale;
}
