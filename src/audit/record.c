/*
 * Records to JSON. The order of fields is fixed (docs/audit-format.md) and every value that came
 * from outside passes gh_audit_put_string.
 *
 * SECURITY: a client that gets a quote, a newline or a backslash into the file unescaped could
 * write records of its own. Attack: tests/unit/audit, "hostile_strings".
 */
#include "audit_priv.h"

static const char *const s_kinds[] = {
    [GH_AUDIT_NONE] = "none",
    [GH_AUDIT_START] = "start",
    [GH_AUDIT_STOP] = "stop",
    [GH_AUDIT_LOGIN] = "login",
    [GH_AUDIT_LOGIN_FAILED] = "login_failed",
    [GH_AUDIT_LOGOUT] = "logout",
    [GH_AUDIT_INTENT] = "intent",
    [GH_AUDIT_OUTCOME] = "outcome",
    [GH_AUDIT_REFUSED] = "refused",
    [GH_AUDIT_POLICY] = "policy",
    [GH_AUDIT_ADMIN] = "admin",
    [GH_AUDIT_RECOVERED] = "recovered",
    [GH_AUDIT_GAP] = "gap",
};

const char *gh_audit_kind_name(gh_audit_kind kind)
{
    return (size_t)kind < GH_COUNT(s_kinds) ? s_kinds[kind] : s_kinds[GH_AUDIT_NONE];
}

gh_audit_kind gh_audit_kind_parse(gh_str name)
{
    for (size_t i = GH_AUDIT_NONE + 1; i < GH_COUNT(s_kinds); i++) {
        if (gh_str_is(name, s_kinds[i]))
            return (gh_audit_kind)i;
    }
    return GH_AUDIT_NONE;
}

/* ---- fields: each puts `,"name":value` ----------------------------------------------------- */

/* `literal` is `,"name":` */
#define PUT_NAME(out, literal) gh_buf_put((out), (literal), sizeof(literal) - 1)

static void put_id(gh_buf *out, gh_audit_id id)
{
    char text[GH_AUDIT_ID_TEXT];
    size_t len = gh_audit_id_text(id, text);

    gh_buf_put(out, "\"", 1);
    gh_buf_put(out, text, len);
    gh_buf_put(out, "\"", 1);
}

static void put_string_or_null(gh_buf *out, gh_str s)
{
    if (s.len == 0)
        gh_buf_put(out, "null", 4);
    else
        gh_audit_put_string(out, s);
}

static void put_strings(gh_buf *out, const gh_str *items, size_t count)
{
    gh_buf_put(out, "[", 1);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            gh_buf_put(out, ",", 1);
        gh_audit_put_string(out, items[i]);
    }
    gh_buf_put(out, "]", 1);
}

/* A statement's text, cut at the bound; what was cut is pinned by its length and hash. */
static void put_sql(gh_buf *out, const char *name, gh_str sql)
{
    uint8_t hash[GH_AUDIT_HASH_LEN];
    char hex[2 * GH_AUDIT_HASH_LEN];

    gh_buf_puts(out, ",\"");
    gh_buf_puts(out, name);
    gh_buf_puts(out, "\":");
    if (sql.len <= GH_AUDIT_SQL_MAX) {
        gh_audit_put_string(out, sql);
        return;
    }
    gh_audit_put_string(out, (gh_str){ sql.ptr, GH_AUDIT_SQL_MAX });
    gh_audit_sha256(sql, hash);
    gh_audit_hex(hash, sizeof(hash), hex);
    gh_buf_printf(out, ",\"%s_len\":%zu,\"%s_sha256\":\"", name, sql.len, name);
    gh_buf_put(out, hex, sizeof(hex));
    gh_buf_put(out, "\"", 1);
}

/* ---- who ----------------------------------------------------------------------------------- */

void gh_audit_who_init(gh_audit_who *w)
{
    gh_buf_init(&w->text, 0);
    w->brief_len = 0;
}

void gh_audit_who_fini(gh_audit_who *w)
{
    gh_buf_fini(&w->text);
    w->brief_len = 0;
}

void gh_audit_who_set(gh_audit_who *w, const gh_audit_session *s)
{
    gh_buf *out = &w->text;

    gh_buf_clear(out);
    PUT_NAME(out, ",\"session\":");
    put_id(out, s->id);
    PUT_NAME(out, ",\"user\":");
    gh_audit_put_string(out, s->user);
    PUT_NAME(out, ",\"warehouse\":");
    gh_audit_put_string(out, s->warehouse);
    w->brief_len = out->len;
    PUT_NAME(out, ",\"roles\":");
    put_strings(out, s->roles, s->role_count);
    PUT_NAME(out, ",\"client\":");
    gh_audit_put_string(out, s->client);
    PUT_NAME(out, ",\"application\":");
    gh_audit_put_string(out, s->application);
    PUT_NAME(out, ",\"tls\":");
    put_string_or_null(out, s->tls_version);
    PUT_NAME(out, ",\"tls_identity\":");
    put_string_or_null(out, s->tls_identity);
}

/* ---- plan ---------------------------------------------------------------------------------- */

static void put_privileges(gh_buf *out, uint32_t privileges)
{
    static const char *const names[] = { "select", "insert", "update", "delete", "truncate" };
    bool is_first = true;

    gh_buf_put(out, "[", 1);
    for (size_t i = 0; i < GH_COUNT(names); i++) {
        if ((privileges >> i & 1) == 0)
            continue;
        gh_buf_puts(out, is_first ? "\"" : ",\"");
        gh_buf_puts(out, names[i]);
        gh_buf_put(out, "\"", 1);
        is_first = false;
    }
    gh_buf_put(out, "]", 1);
}

static void put_relation(gh_buf *out, const gh_audit_relation *r, bool has_hidden)
{
    gh_buf_puts(out, "{\"schema\":");
    gh_audit_put_string(out, r->schema);
    PUT_NAME(out, ",\"name\":");
    gh_audit_put_string(out, r->name);
    PUT_NAME(out, ",\"privileges\":");
    put_privileges(out, r->privileges);
    PUT_NAME(out, ",\"clear\":");
    put_strings(out, r->clear, r->clear_count);
    PUT_NAME(out, ",\"masked\":");
    put_strings(out, r->masked, r->masked_count);
    PUT_NAME(out, ",\"filtered\":");
    put_strings(out, r->filtered, r->filtered_count);
    if (has_hidden) {
        PUT_NAME(out, ",\"hidden\":");
        put_strings(out, r->hidden, r->hidden_count);
    }
    PUT_NAME(out, ",\"row_filtered\":");
    gh_buf_puts(out, r->is_row_filtered ? "true}" : "false}");
}

static const char *decision_name(gh_audit_decision d)
{
    switch (d) {
    case GH_AUDIT_DECIDED_REFUSED:
        return "refused";
    case GH_AUDIT_DECIDED_ALLOWED:
        return "allowed";
    case GH_AUDIT_DECIDED_BYPASSED:
        return "bypassed";
    case GH_AUDIT_DECIDED_OBSERVED:
        return "observed";
    }
    return "refused";
}

void gh_audit_would_encode(gh_str sqlstate, gh_str message, gh_buf *out)
{
    PUT_NAME(out, ",\"mode\":\"observe\",\"would\":");
    if (sqlstate.len == 0) {
        gh_buf_puts(out, "null");
        return;
    }
    PUT_NAME(out, "{\"sqlstate\":");
    gh_audit_put_string(out, sqlstate);
    PUT_NAME(out, ",\"message\":");
    gh_audit_put_string(out, message);
    gh_buf_puts(out, "}");
}

void gh_audit_plan_encode(const gh_audit_plan *p, gh_buf *out)
{
    PUT_NAME(out, ",\"decision\":\"");
    gh_buf_puts(out, decision_name(p->decision));
    PUT_NAME(out, "\",\"command\":");
    gh_audit_put_string(out, p->command);
    PUT_NAME(out, ",\"grants\":[");
    for (size_t i = 0; i < p->grant_count; i++) {
        if (i > 0)
            gh_buf_put(out, ",", 1);
        gh_audit_put_i64(out, p->grant_ids[i]);
    }
    PUT_NAME(out, "],\"policy_version\":");
    gh_audit_put_u64(out, p->policy_version);
    PUT_NAME(out, ",\"catalog_epoch\":");
    gh_audit_put_u64(out, p->catalog_epoch);
    PUT_NAME(out, ",\"relations\":[");
    for (size_t i = 0; i < p->relation_count; i++) {
        if (i > 0)
            gh_buf_put(out, ",", 1);
        put_relation(out, &p->relations[i], p->is_observed);
    }
    gh_buf_put(out, "]", 1);
    if (p->is_observed)
        gh_audit_would_encode(p->would_sqlstate, p->would_message, out);
}

/* ---- record -------------------------------------------------------------------------------- */

static void put_error(gh_buf *out, const gh_audit_record *r)
{
    PUT_NAME(out, ",\"sqlstate\":");
    put_string_or_null(out, r->sqlstate);
    PUT_NAME(out, ",\"message\":");
    put_string_or_null(out, r->message);
}

static void put_who(gh_buf *out, const gh_audit_record *r)
{
    if (r->who != NULL)
        gh_buf_put_str(out, gh_buf_str(&r->who->text));
}

void gh_audit_texts_encode(const gh_audit_record *r, gh_buf *out)
{
    if (r->is_fingerprint)
        PUT_NAME(out, ",\"fingerprint\":true");
    put_sql(out, "sql", r->sql);
    put_sql(out, "rewritten", r->rewritten);
}

static void put_statement(gh_buf *out, const gh_audit_record *r)
{
    PUT_NAME(out, ",\"statement\":");
    put_id(out, r->statement);
    put_who(out, r);
    gh_buf_put_str(out, r->plan);
    if (r->texts.len > 0)
        gh_buf_put_str(out, r->texts);
    else
        gh_audit_texts_encode(r, out);
}

static void put_outcome(gh_buf *out, const gh_audit_record *r)
{
    PUT_NAME(out, ",\"statement\":");
    put_id(out, r->statement);
    if (r->who != NULL)
        gh_buf_put(out, r->who->text.ptr, r->who->brief_len);
    PUT_NAME(out, ",\"rows\":");
    gh_audit_put_u64(out, r->rows);
    PUT_NAME(out, ",\"bytes\":");
    gh_audit_put_u64(out, r->bytes);
    PUT_NAME(out, ",\"duration_us\":");
    gh_audit_put_u64(out, r->duration_us);
    put_error(out, r);
}

static void put_fields(gh_buf *out, const gh_audit_record *r)
{
    switch (r->kind) {
    case GH_AUDIT_INTENT:
        put_statement(out, r);
        return;
    case GH_AUDIT_REFUSED:
        put_statement(out, r);
        put_error(out, r);
        return;
    case GH_AUDIT_OUTCOME:
        put_outcome(out, r);
        return;
    case GH_AUDIT_LOGIN:
    case GH_AUDIT_LOGIN_FAILED:
        put_who(out, r);
        gh_buf_put_str(out, r->plan_would);
        put_error(out, r);
        return;
    case GH_AUDIT_LOGOUT:
        put_who(out, r);
        PUT_NAME(out, ",\"duration_us\":");
        gh_audit_put_u64(out, r->duration_us);
        put_error(out, r);
        return;
    case GH_AUDIT_POLICY:
        PUT_NAME(out, ",\"policy_version\":");
        gh_audit_put_u64(out, r->policy_version);
        put_error(out, r);
        return;
    case GH_AUDIT_ADMIN:
        put_who(out, r);
        PUT_NAME(out, ",\"by\":");
        gh_audit_put_string(out, r->by);
        put_error(out, r);
        return;
    case GH_AUDIT_START:
    case GH_AUDIT_STOP:
    case GH_AUDIT_RECOVERED:
    case GH_AUDIT_GAP:
        put_error(out, r);
        return;
    case GH_AUDIT_NONE:
        break;
    }
    out->failed = true; /* a record that nobody described is no record */
}

void gh_audit_encode(const gh_audit_record *r, gh_buf *out)
{
    char time[GH_AUDIT_TIME_TEXT];
    size_t len = gh_audit_time_text(r->time_us, time);

    PUT_NAME(out, "{\"kind\":\"");
    gh_buf_puts(out, gh_audit_kind_name(r->kind));
    PUT_NAME(out, "\",\"time\":\"");
    gh_buf_put(out, time, len);
    gh_buf_put(out, "\"", 1);
    put_fields(out, r);
}
