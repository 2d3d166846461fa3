/*
 * report.c: what an administrator sees of the sessions, and the end that one can put to them.
 *
 * SECURITY: texts without literals, and no key, password or parameter: whoever may read this may still not see
 * data. Attack: tests/integration/control, test_list_has_no_secrets.
 */
#include "fingerprint.h"
#include "session_priv.h"

#define TEXT_SHOWN_MAX 200 /* bytes of a statement */

void gh_session_env_counts(const gh_session_env *env, gh_session_counts *out)
{
    *out = env->counts;
    out->sessions = env->session_count;
    for (const gh_session *s = env->sessions; s != NULL; s = s->next)
        out->active += s->queue.count > 0 ? 1 : 0;
}

void gh_session_env_pool(const gh_session_env *env, size_t index, gh_pool_stats *out)
{
    gh_pool_stats_get(env->warehouses[index].pool, out);
}

/* The statement that is under way; NULL: none. */
static const gh_expect *running(const gh_session *s)
{
    for (uint32_t i = 0; i < s->queue.count; i++) {
        const gh_expect *e = gh_expect_at(&s->queue, i);

        if ((e->kind == GH_EXPECT_QUERY || e->kind == GH_EXPECT_EXECUTE) && e->set != NULL)
            return e;
    }
    return NULL;
}

static const char *state_name(const gh_session *s)
{
    switch (s->state) {
    case GH_SESSION_HELLO:
    case GH_SESSION_GREETING:
    case GH_SESSION_TLS_SHAKE:
    case GH_SESSION_AUTH_FIRST:
    case GH_SESSION_AUTH_NEXT:
    case GH_SESSION_AUTH_WAIT:
    case GH_SESSION_RECORDING:
        return "logging in";
    case GH_SESSION_CONNECTING:
        return "connecting";
    case GH_SESSION_CLOSING:
    case GH_SESSION_CLOSED:
        return "closing";
    case GH_SESSION_READY:
        break;
    }
    if (s->conn == NULL)
        return "connecting";
    if (s->queue.count > 0)
        return "active";
    if (s->tx_status == GH_WIRE_TX_FAILED)
        return "idle in failed transaction";
    return s->tx_status == GH_WIRE_TX_IDLE ? "idle" : "idle in transaction";
}

static void put_member(gh_buf *out, const char *name, gh_str value)
{
    gh_buf_printf(out, ",\"%s\":", name);
    if (value.ptr == NULL)
        gh_buf_puts(out, "null");
    else
        gh_audit_put_string(out, value);
}

/* A moment of the monotonic clock, as people write it. */
static void put_moment(gh_buf *out, const char *name, int64_t clock_us)
{
    char text[GH_AUDIT_TIME_TEXT];
    size_t len = gh_audit_time_text(gh_wall_us() - (gh_clock_us() - clock_us), text);

    put_member(out, name, (gh_str){ text, len });
}

static void put_running(gh_buf *out, const gh_session *s)
{
    const gh_expect *e = running(s);
    int64_t since = s->idle_since_us != 0 ? s->idle_since_us : s->started_us;
    gh_buf text;

    put_moment(out, "state_since", e != NULL && e->started_us != 0 ? e->started_us : since);
    if (e == NULL) {
        gh_buf_puts(out, ",\"command\":null,\"statement\":null,\"sql\":null");
        return;
    }
    put_member(out, "command",
               e->set->count > 0 ? gh_str_of(gh_session_command(&e->set->plans[0]))
                                 : GH_STR("empty"));
    if (e->has_intent) {
        char id[GH_AUDIT_ID_TEXT];
        size_t len = gh_audit_id_text(e->statement, id);

        put_member(out, "statement", (gh_str){ id, len });
    } else
        gh_buf_puts(out, ",\"statement\":null");
    gh_buf_init(&text, 0);
    gh_fingerprint(e->set->source, &text);
    put_member(out, "sql",
               (gh_str){ text.ptr != NULL ? text.ptr : "",
                         text.len < TEXT_SHOWN_MAX ? text.len : TEXT_SHOWN_MAX });
    gh_buf_fini(&text);
}

static void put_session(gh_buf *out, const gh_session *s)
{
    char id[GH_AUDIT_ID_TEXT];
    gh_str application = { NULL, 0 };

    if (s->conn != NULL)
        application = gh_conn_parameter(s->conn, "application_name");
    (void)gh_audit_id_text(s->id, id);
    gh_buf_printf(out, "{\"id\":\"%s\"", id);
    if (s->key != NULL)
        gh_buf_printf(out, ",\"pid\":%u", (unsigned)gh_cancel_pid(s->key));
    else
        gh_buf_puts(out, ",\"pid\":null");
    put_member(out, "user", s->user);
    put_member(out, "warehouse", s->database);
    put_member(out, "address", gh_str_of(s->peer));
    put_member(out, "application", application);
    put_member(out, "state", gh_str_of(state_name(s)));
    put_moment(out, "since", s->started_us);
    put_running(out, s);
    gh_buf_puts(out, "}\n");
}

void gh_session_env_list(const gh_session_env *env, gh_buf *out)
{
    for (const gh_session *s = env->sessions; s != NULL; s = s->next)
        put_session(out, s);
}

bool gh_session_env_end(gh_session_env *env, gh_str id, gh_str by)
{
    for (gh_session *s = env->sessions; s != NULL; s = s->next) {
        char text[GH_AUDIT_ID_TEXT];
        size_t len = gh_audit_id_text(s->id, text);

        if (!gh_str_eq(id, (gh_str){ text, len }) || s->state == GH_SESSION_CLOSING)
            continue;
        gh_log(GH_INFO, "session.killed", "peer=%s", s->peer);
        gh_session_record_admin(s, by, "session killed");
        gh_session_fatal_text(s, "57P01", "terminating connection due to administrator command");
        return true;
    }
    return false;
}
