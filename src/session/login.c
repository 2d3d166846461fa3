/*
 * login.c: who the client is, which warehouse it gets, and its welcome.
 *
 *     StartupMessage ▶ certificate? ──yes────────────────────────┐
 *                        └─no─▶ SASL ▶ ... ▶ proof ▶ [throttle] ▶ AuthenticationOk ▶ [login recorded]
 *     ▶ [upstream connection] ▶ ParameterStatus* ▶ BackendKeyData ▶ ReadyForQuery
 *
 * SECURITY: a warehouse that does not exist and one in which the user has no grant are answered
 * alike, after the password proof, so that neither strangers nor users learn which there are.
 * Attack: tests/integration, hidden warehouse.
 */
#include "session_priv.h"

#include <netinet/in.h>
#include <stdlib.h>

/* ---- those who have not logged in ------------------------------------------------------------ */

/*
 * The network that failures count for: an IPv4 address, or the 64 bits of an IPv6 address that a
 * provider gives to one customer.
 */
static void read_network(const gh_address *peer, uint8_t network[16])
{
    if (peer->addr.ss_family == AF_INET) {
        struct sockaddr_in in4;

        memcpy(&in4, &peer->addr, sizeof(in4));
        memcpy(network + 12, &in4.sin_addr, 4);
    } else if (peer->addr.ss_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, &peer->addr, sizeof(in6));
        if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
            memcpy(network + 12, in6.sin6_addr.s6_addr + 12, 4);
        else
            memcpy(network, &in6.sin6_addr, 8);
    }
}

static void unlist(gh_login *l)
{
    gh_session_env *env = l->session->env;

    if (!l->is_listed)
        return;
    l->is_listed = false;
    if (l->older != NULL)
        l->older->newer = l->newer;
    else
        env->oldest_login = l->newer;
    if (l->newer != NULL)
        l->newer->older = l->older;
    else
        env->newest_login = l->older;
    env->login_count--;
}

/*
 * SECURITY: connections that say nothing, or stop in the middle of a login, would keep everyone out
 * until their time is up. The oldest makes room: an honest login is over before a thousand others
 * began. Attack: tests/integration/logins.py, test_half_open_connections_keep_nobody_out.
 */
void gh_login_new(gh_session *s, const gh_address *peer)
{
    gh_session_env *env = s->env;
    gh_login *l = gh_alloc(sizeof(*l));

    while (env->login_count >= env->o.logins_max && env->oldest_login != NULL) {
        gh_session *oldest = env->oldest_login->session;

        gh_log(GH_WARN, "login.crowded", "peer=%s max=%u", oldest->peer, env->o.logins_max);
        unlist(oldest->login);
        gh_session_fatal_text(oldest, "53300", "too many connections are logging in");
    }
    l->session = s;
    gh_buf_init(&l->proof, 0);
    read_network(peer, l->network);
    l->older = env->newest_login;
    if (l->older != NULL)
        l->older->newer = l;
    else
        env->oldest_login = l;
    env->newest_login = l;
    env->login_count++;
    l->is_listed = true;
    s->login = l;
}

void gh_login_free(gh_session *s)
{
    gh_login *l = s->login;

    if (l == NULL)
        return;
    unlist(l);
    gh_auth_scram_free(l->scram);
    gh_arena_free(l->arena);
    gh_buf_fini(&l->proof);
    free(l);
    s->login = NULL;
}

uint32_t gh_login_left_ms(const gh_session *s)
{
    int64_t left_ms = s->env->o.login_timeout_ms - (gh_clock_us() - s->started_us) / 1000;

    return left_ms > 1 ? (uint32_t)left_ms : 1;
}

/* ---- who it is ------------------------------------------------------------------------------- */

static void refuse_login(gh_session *s, const gh_err *err)
{
    gh_log(GH_INFO, "login.refused", "peer=%s sqlstate=%s", s->peer, err->sqlstate);
    gh_session_record_failure(s, err);
    gh_session_fatal(s, err);
}

static void finish_auth(gh_session *s, const gh_buf *final);

/*
 * A client that showed a certificate is who it says, or nobody: as PostgreSQL's `cert`. False: it
 * showed none.
 *
 * SECURITY: a good certificate of somebody else must not be worth anything, and who is disabled or
 * does not exist looks the same. Attack: tests/integration/certificates.py,
 * test_of_another_user.
 */
static bool take_certificate(gh_session *s, const gh_policy_user *user)
{
    char identity[GH_TLS_IDENTITY_MAX];
    gh_tls_client client = s->tls != NULL
                               ? gh_tls_client_check(s->tls, &s->client, s->user, identity)
                               : GH_TLS_CLIENT_NONE;
    gh_err err = { 0 };
    gh_buf none;

    if (client == GH_TLS_CLIENT_NONE)
        return false;
    if (client == GH_TLS_CLIENT_IS_USER && user != NULL && !user->is_disabled) {
        gh_buf_init(&none, 0);
        finish_auth(s, &none);
        gh_buf_fini(&none);
        return true;
    }
    gh_log(GH_INFO, "certificate.refused", "peer=%s name=\"%s\"", s->peer, identity);
    gh_session_say(&err, "28000", "certificate authentication failed for user \"%.*s\"",
                   (int)(s->user.len < 128 ? s->user.len : 128), s->user.ptr);
    refuse_login(s, &err);
    return true;
}

void gh_session_begin_auth(gh_session *s)
{
    const gh_policy_user *user = gh_policy_user_find(s->env->policy, s->login->startup.user);
    gh_auth_verifier verifier = { 0 };
    uint8_t nonce[GH_AUTH_NONCE_LEN];
    const char *mechanisms[2];
    gh_str cert = { NULL, 0 };
    bool may_log_in = user != NULL && !user->is_disabled && user->verifier.len > 0 &&
                      gh_auth_verifier_parse(user->verifier, &verifier, NULL) == GH_OK;

    s->user = (gh_str){ gh_strdup(s->login->startup.user), s->login->startup.user.len };
    s->database = (gh_str){ gh_strdup(s->login->startup.database), s->login->startup.database.len };
    gh_session_record_who(s);
    if (take_certificate(s, user)) {
        gh_cleanse(&verifier, sizeof(verifier));
        return;
    }
    if (gh_stream_has_tls(&s->client))
        cert = gh_tls_server_end_point(s->tls);
    gh_env_random(nonce, sizeof(nonce));
    gh_auth_scram_args args = { .user = s->user,
                                .verifier = may_log_in ? &verifier : NULL,
                                .mock_secret = s->env->o.mock_secret,
                                .nonce = nonce,
                                .cert_hash = cert };

    s->login->scram = gh_auth_scram_new(&args);
    gh_cleanse(&verifier, sizeof(verifier));
    gh_wire_put_auth_sasl(gh_session_out(s), mechanisms,
                          gh_auth_mechanisms(cert.len > 0, mechanisms));
    s->state = GH_SESSION_AUTH_FIRST;
    (void)gh_session_flush_client(s);
}

static gh_env_warehouse *find_warehouse(gh_session_env *env, gh_str name)
{
    for (size_t i = 0; i < env->o.warehouse_count; i++) {
        if (gh_str_eq(env->warehouses[i].name, name))
            return &env->warehouses[i];
    }
    return NULL;
}

/* In lower case, cut to what any setting's name fits in. */
static gh_str fold_name(gh_str name, char *to, size_t cap)
{
    size_t len = name.len < cap ? name.len : cap;

    for (size_t i = 0; i < len; i++) {
        char ch = name.ptr[i];

        to[i] = ch >= 'A' && ch <= 'Z' ? (char)(ch + ('a' - 'A')) : ch;
    }
    return (gh_str){ to, len };
}

static gh_rc check_setting(gh_str name, gh_str value, gh_err *err)
{
    if (gh_setting_is_virtual(name))
        return gh_fail(err, GH_DENIED, "42501", "permission denied to set parameter \"%.*s\"",
                       GH_STR_ARG(name));
    return gh_setting_is_own(name) ? GH_OK : gh_setting_check(name, value, err);
}

gh_rc gh_session_check_startup(const gh_session *s, gh_err *err)
{
    gh_rc rc = GH_OK;

    for (size_t i = 0; rc == GH_OK && i < s->login->startup.settings_len; i++) {
        const gh_wire_param *p = &s->login->startup.settings[i];
        char folded[GH_WIRE_NAME_MAX + 1];
        gh_str name = fold_name(p->name, folded, sizeof(folded));

        if (!gh_str_is(name, "search_path"))
            rc = check_setting(name, p->value, err);
    }
    return rc;
}

static void put_own(gh_session *s, gh_str name, gh_str value, gh_buf *sql)
{
    gh_buf own;

    gh_buf_init(&own, 0);
    gh_setting_put_own(name, true, &own);
    gh_settings_put_sql(gh_buf_str(&own), value, sql);
    gh_buf_fini(&own);
    s->leaves_setting = true;
}

/*
 * SQL that makes the upstream's session what the client asked for; search_path stays here. `raw` takes what is
 * allowed only while nothing is enforced.
 */
static gh_rc startup_settings(gh_session *s, gh_buf *sql, gh_buf *raw, gh_path **path, gh_err *err)
{
    gh_str path_text = GH_STR(GH_DEFAULT_PATH);
    bool is_named = false;

    for (size_t i = 0; i < s->login->startup.settings_len; i++) {
        const gh_wire_param *p = &s->login->startup.settings[i];
        char folded[GH_WIRE_NAME_MAX + 1];
        gh_str name = fold_name(p->name, folded, sizeof(folded));
        gh_err refused = { 0 };

        is_named = is_named || gh_str_is(name, "application_name");
        if (gh_str_is(name, "search_path"))
            path_text = p->value;
        else if (s->is_bypass && gh_setting_is_own(name))
            gh_settings_put_config(p->name, p->value, raw);
        else if (gh_setting_is_own(name))
            put_own(s, name, p->value, sql);
        else if (check_setting(name, p->value, &refused) == GH_OK)
            gh_settings_put_sql(name, p->value, sql);
        else if (s->is_bypass)
            gh_settings_put_config(p->name, p->value, raw);
        else
            return gh_fail(err, GH_DENIED, refused.sqlstate, "%s", refused.public_msg);
    }
    if (!is_named) /* the upstream's is Gatehouse's own */
        gh_settings_put_sql(GH_STR("application_name"), GH_STR(""), sql);
    return gh_path_new(path_text, s->user, path, err);
}

/* Takes a place among the clients of all workers. */
static gh_rc take_place(gh_session *s, gh_err *err)
{
    unsigned before = atomic_fetch_add_explicit(s->env->o.clients, 1, memory_order_relaxed);

    s->is_counted = true;
    if (before >= s->env->o.clients_max)
        return gh_fail(err, GH_LIMIT, "53300", "sorry, too many clients already");
    return GH_OK;
}

static gh_rc admit(gh_session *s, gh_err *err)
{
    gh_env_warehouse *w = find_warehouse(s->env, s->database);
    gh_view_entry *entry = NULL;

    if (w != NULL)
        entry = gh_env_view(s->env, w, s->user, gh_env_now(s->env));
    if (entry == NULL || !(gh_view_has_any_grant(entry->view) ||
                           (gh_view_may(entry->view) & GH_MAY_BYPASS) != 0 || w->is_observed))
        return gh_fail(err, GH_DENIED, "3D000", "database \"%.*s\" does not exist",
                       (int)(s->database.len < 128 ? s->database.len : 128), s->database.ptr);
    s->warehouse = w;
    s->view = gh_view_acquire(entry->view);
    s->saw_observed = w->is_observed;
    s->is_observed = w->is_observed && (gh_view_may(s->view) & GH_MAY_BYPASS) == 0;
    s->is_bypass = s->is_observed || (gh_view_may(s->view) & GH_MAY_BYPASS) != 0;
    return take_place(s, err);
}

/* The proof is good: record the login; what follows waits until the record is durable. */
static void finish_auth(gh_session *s, const gh_buf *final)
{
    gh_err err = { 0 };

    if (final->len > 0)
        gh_wire_put_auth(gh_session_out(s), GH_WIRE_AUTH_SASL_FINAL, gh_buf_str(final));
    gh_wire_put_auth(gh_session_out(s), GH_WIRE_AUTH_OK, (gh_str){ NULL, 0 });
    gh_auth_scram_free(s->login->scram);
    s->login->scram = NULL;
    unlist(s->login);
    if (admit(s, &err) != GH_OK) {
        refuse_login(s, &err);
        return;
    }
    gh_session_record_who(s);
    if (gh_session_record_login(s, &err) != GH_OK) {
        gh_session_fatal(s, &err);
        return;
    }
    s->state = GH_SESSION_RECORDING;
    s->wants_commit = true;
    gh_session_mark(s);
}

static gh_rc step(gh_session *s, gh_str body, gh_buf *out, gh_err *err)
{
    gh_wire_sasl_initial first;
    gh_rc rc;

    if (s->state == GH_SESSION_AUTH_NEXT)
        return gh_auth_scram_step(s->login->scram, body, out, err);
    rc = gh_wire_decode_sasl_initial(body, &first, err);
    if (rc != GH_OK)
        return rc;
    return gh_auth_scram_start(s->login->scram, &first, out, err);
}

static gh_str network_of(const gh_session *s)
{
    return (gh_str){ (const char *)s->login->network, sizeof(s->login->network) };
}

/* GH_OK: the proof is looked at in *wait_ms. Once a login: no lock of the per-message path. */
static gh_rc throttle(gh_session *s, uint32_t *wait_ms, gh_err *err)
{
    const gh_session_env_options *o = &s->env->o;
    gh_rc rc;

    *wait_ms = 0;
    if (o->throttle == NULL)
        return GH_OK;
    (void)pthread_mutex_lock(o->throttle_lock);
    rc = gh_auth_throttle_admit(o->throttle, s->user, network_of(s), gh_clock_us(), wait_ms, err);
    (void)pthread_mutex_unlock(o->throttle_lock);
    return rc;
}

static void forgive(gh_session *s)
{
    const gh_session_env_options *o = &s->env->o;

    if (o->throttle == NULL)
        return;
    (void)pthread_mutex_lock(o->throttle_lock);
    gh_auth_throttle_succeeded(o->throttle, s->user, network_of(s), gh_clock_us());
    (void)pthread_mutex_unlock(o->throttle_lock);
}

static void judge(gh_session *s, gh_str body)
{
    bool is_proof = gh_auth_scram_wants_proof(s->login->scram);
    gh_err err = { 0 };
    gh_buf out;
    gh_rc rc;

    gh_buf_init(&out, 0);
    rc = step(s, body, &out, &err);
    if (rc == GH_AGAIN) {
        s->state = GH_SESSION_AUTH_NEXT;
        gh_wire_put_auth(gh_session_out(s), GH_WIRE_AUTH_SASL_CONTINUE, gh_buf_str(&out));
        (void)gh_session_flush_client(s);
    } else if (rc == GH_OK) {
        if (is_proof)
            forgive(s);
        finish_auth(s, &out);
    } else
        refuse_login(s, &err);
    gh_buf_fini(&out);
}

/*
 * SECURITY: guessing passwords by the thousand. A proof is looked at when those before it have been
 * paid for, right or wrong: an answer that comes at once only if it is yes would let a guesser hang
 * up on the others. Attack: tests/integration/logins.py, Throttle.
 */
static void take_proof(gh_session *s, gh_str body)
{
    gh_err err = { 0 };
    uint32_t wait_ms = 0;

    if (throttle(s, &wait_ms, &err) != GH_OK) {
        gh_log(GH_WARN, "login.throttled", "peer=%s", s->peer);
        refuse_login(s, &err);
        return;
    }
    if (wait_ms == 0) {
        judge(s, body);
        return;
    }
    gh_log(GH_INFO, "login.delayed", "peer=%s wait_ms=%u", s->peer, wait_ms);
    gh_buf_put_str(&s->login->proof, body);
    s->state = GH_SESSION_AUTH_WAIT;
    gh_timer_start(s->timer, wait_ms);
}

void gh_session_end_wait(gh_session *s)
{
    s->state = GH_SESSION_AUTH_NEXT;
    gh_timer_start(s->timer, gh_login_left_ms(s));
    judge(s, gh_buf_str(&s->login->proof));
}

size_t gh_session_take_auth(gh_session *s, gh_str bytes)
{
    gh_wire_frame f;
    gh_err err = { 0 };
    gh_rc rc = gh_wire_frame_frontend(GH_WIRE_PHASE_AUTH, bytes, &f, &err);

    if (rc == GH_AGAIN || (rc == GH_OK && f.missing > 0))
        return 0;
    if (rc == GH_OK && f.type == GH_WIRE_F_TERMINATE) {
        gh_session_close(s);
        return bytes.len;
    }
    if (rc == GH_OK && gh_wire_judge(GH_WIRE_STATE_AUTH, f.type) != GH_WIRE_HANDLE)
        rc = gh_wire_illegal(GH_WIRE_STATE_AUTH, f.type, &err);
    if (rc != GH_OK) {
        refuse_login(s, &err);
        return bytes.len;
    }
    if (s->state == GH_SESSION_AUTH_NEXT && gh_auth_scram_wants_proof(s->login->scram))
        take_proof(s, f.body);
    else
        judge(s, f.body);
    return gh_wire_frame_len(&f);
}

/* ---- the upstream ---------------------------------------------------------------------------- */

static void on_conn(void *arg, gh_conn *conn, const gh_err *err);

void gh_session_connect(gh_session *s)
{
    gh_err err = { 0 };
    gh_path *path = NULL;
    gh_buf sql;
    gh_buf raw;
    gh_rc rc;

    gh_buf_init(&sql, 0);
    gh_buf_init(&raw, 0);
    rc = startup_settings(s, &sql, &raw, &path, &err);
    if (rc != GH_OK)
        gh_session_fatal(s, &err);
    else {
        gh_settings_init(&s->settings, path);
        s->startup_sql = (gh_str){ gh_strdup(gh_buf_str(&sql)), sql.len };
        s->raw_sql = (gh_str){ gh_strdup(gh_buf_str(&raw)), raw.len };
        s->state = GH_SESSION_CONNECTING;
        gh_buf_clear(&sql);
        gh_session_put_startup(s, path->text, &sql);
        s->ticket_conn = gh_pool_acquire(s->warehouse->pool, gh_buf_str(&sql), on_conn, s);
        (void)gh_session_flush_client(s);
    }
    gh_buf_fini(&sql);
    gh_buf_fini(&raw);
}

static void on_upstream(void *arg, unsigned ready)
{
    gh_session *s = arg;

    if ((ready & GH_WRITABLE) != 0 && !gh_session_flush_upstream(s))
        return;
    if ((ready & GH_READABLE) != 0 && s->state == GH_SESSION_READY)
        gh_session_read_upstream(s);
    if ((ready & GH_WRITABLE) != 0 && s->up_out.len < GH_UPSTREAM_OUT_MAX)
        gh_session_resume(s); /* with what was left while the upstream had too much to take */
    gh_session_watch(s);
}

bool gh_session_take_conn(gh_session *s, gh_conn *conn, const gh_err *err)
{
    s->ticket_conn = NULL;
    if (conn == NULL) {
        gh_log(GH_WARN, "upstream.refused", "warehouse=" GH_STR_FMT " sqlstate=%s cause=\"%s\"",
               GH_STR_ARG(s->warehouse->name), err->sqlstate, err->detail);
        gh_session_fatal(s, err);
        return false;
    }
    s->conn = conn;
    s->conn_watch = gh_watch_new(s->env->o.loop, gh_conn_stream(conn)->fd, on_upstream, s);
    /* Its settings are those of the warehouse's mode: gh_session_env_set_observed. */
    s->holds_key = !s->warehouse->is_observed;
    return true;
}

static void on_conn(void *arg, gh_conn *conn, const gh_err *err)
{
    gh_session *s = arg;

    if (gh_session_take_conn(s, conn, err))
        gh_session_welcome(s);
}

/* ---- the welcome ----------------------------------------------------------------------------- */

bool gh_session_show_parameter(const gh_session *s, gh_str name, gh_str *value)
{
    static const char *const shown[] = {
        "application_name",
        "client_encoding",
        "DateStyle",
        "in_hot_standby",
        "integer_datetimes",
        "IntervalStyle",
        "server_encoding",
        "server_version",
        "standard_conforming_strings",
        "TimeZone",
        "default_transaction_read_only",
        "scram_iterations",
    };

    /* SECURITY: these two would name the upstream's account. Attack: tests/protocol,
     * parameter_status. */
    if (gh_str_is(name, "is_superuser")) {
        *value = GH_STR("off");
        return true;
    }
    if (gh_str_is(name, "session_authorization")) {
        *value = s->user;
        return true;
    }
    if (gh_str_is(name, "search_path")) /* gh_session_tell_path says it */
        return s->is_bypass;
    for (size_t i = 0; i < GH_COUNT(shown); i++) {
        if (gh_str_is(name, shown[i]))
            return true;
    }
    return false;
}

bool gh_session_has_safe_encoding(const gh_session *s)
{
    gh_str encoding = gh_conn_parameter(s->conn, "client_encoding");

    return gh_setting_check(GH_STR("client_encoding"), encoding, NULL) == GH_OK;
}

void gh_session_tell_path(gh_session *s)
{
    gh_path *path = gh_settings_path(&s->settings);

    if (s->is_bypass || gh_conn_parameter(s->conn, "search_path").ptr == NULL)
        return;
    if (s->told_path != NULL && gh_str_eq(s->told_path->text, path->text))
        return;
    gh_path_release(s->told_path);
    s->told_path = gh_path_acquire(path);
    gh_wire_put_parameter_status(gh_session_out(s), GH_STR("search_path"), path->text);
}

void gh_session_put_parameters(gh_session *s)
{
    gh_buf *out = gh_session_out(s);
    size_t count = 0;
    const gh_parameter *p = gh_conn_parameters(s->conn, &count);

    for (size_t i = 0; i < count; i++) {
        gh_str value = p[i].value;

        if (gh_session_show_parameter(s, p[i].name, &value))
            gh_wire_put_parameter_status(out, p[i].name, value);
    }
}

void gh_session_welcome(gh_session *s)
{
    gh_buf *out;

    if (s->conn == NULL)
        return;
    if (s->warehouse->catalog == NULL) {
        /* Nothing can be judged without a catalog: wait for the first. */
        if (s->warehouse->has_failed)
            gh_session_fatal_text(s, "57P03", "the warehouse is not available");
        else
            s->wait_read = s->env->o.poke_catalog(s->env->o.poke_arg, s->warehouse->index);
        return;
    }
    if (!gh_session_refresh(s))
        return;
    if (!gh_session_has_safe_encoding(s)) {
        gh_session_fatal_text(s, "0A000", "the client encoding is not supported");
        return;
    }
    gh_session_put_parameters(s);
    out = gh_session_out(s);
    gh_session_tell_path(s);
    s->key = gh_cancel_add(s->env->o.cancels, s, s->minor >= 2 ? 32 : 4);
    gh_wire_put_key_data(out, gh_cancel_pid(s->key), gh_cancel_key(s->key));
    gh_wire_put_ready(out, GH_WIRE_TX_IDLE);
    s->tx_status = GH_WIRE_TX_IDLE;
    s->state = GH_SESSION_READY;
    gh_timer_stop(s->timer);
    gh_session_record_who(s);
    gh_login_free(s);
    if (!gh_session_flush_client(s))
        return;
    gh_session_settle(s);
    gh_session_resume(s);
    gh_session_watch(s);
}
