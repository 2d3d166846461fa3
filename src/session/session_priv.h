/*
 * session_priv.h: what the files of the session module share.
 *
 *     life       session.c       start, states, close
 *                startup.c       greeting, TLS, startup packet
 *                login.c         SCRAM, warehouse, welcome
 *                mode.c          enforce, observe, bypass
 *     messages   client.c        bytes from the client, message by message
 *                query.c         Query, and what goes upstream in its place
 *                extended.c      Parse, Bind, Describe, Execute, Close, Sync
 *                lookup*.c       lookups that come again, sent as prepared statements
 *                judge.c         view, scope, rewriter, plan cache
 *                judge_pool.c    threads for long statements; judge_line.c: whose turn it is
 *     answers    relay.c         bytes from the upstream, spans to the client
 *                answer.c        what each answer means
 *                error_*.c       what of an error's text is shown
 *     state      expect.c        the answers that are due
 *                names.c, sql_names.c, evict.c, bound_value.c   prepared statements and portals
 *                settings.c      search_path through transactions
 *                temporary*.c    temporary tables
 *                revoke.c        what the policy no longer allows
 *                cancel.c, signal.c   cancel keys, pg_cancel_backend
 *     people     record.c, fingerprint.c   audit records
 *                report.c        what operators see of it
 *     env.c      the worker's part, turns
 *
 * Lifetime of a session's memory: session. What a statement needs is counted (gh_plan_set) and
 * dropped with its expectation.
 */
#ifndef GATEHOUSE_SESSION_PRIV_H
#define GATEHOUSE_SESSION_PRIV_H

#include <gatehouse/audit.h>
#include <gatehouse/auth.h>
#include <gatehouse/session.h>
#include <gatehouse/wire.h>

#include "expect.h"
#include "names.h"
#include "settings.h"
#include "temporary.h"

#define GH_SPARE_BUFFERS 64
#define GH_PIPELINE_MAX  1024 /* answers outstanding before the client is not read further */
#define GH_UPSTREAM_OUT_MAX                                                                        \
    (256u << 10) /* bytes unsent upstream before the client is not read further */
#define GH_DEFAULT_PATH       "\"$user\", public"
#define GH_ANSWER_BYTES_MAX   (1u << 20) /* of a message that must be looked at as a whole */
#define GH_CLOSE_TIMEOUT_MS   5000       /* to get the last error out to a client */
#define GH_CATALOG_TIMEOUT_MS 10000      /* to wait for a catalog read */
#define GH_POLICY_FRESH_US    1000000    /* how long a change of the policy explains a refusal */

typedef enum gh_session_state {
    GH_SESSION_CLOSED = 0, /* unlinked; freed at the end of the turn */
    GH_SESSION_HELLO,      /* not a byte was read: plain or direct TLS? */
    GH_SESSION_GREETING,   /* waits for a startup packet */
    GH_SESSION_TLS_SHAKE,
    GH_SESSION_AUTH_FIRST, /* waits for SASLInitialResponse */
    GH_SESSION_AUTH_NEXT,  /* ...for SASLResponse */
    GH_SESSION_AUTH_WAIT,  /* the proof is here; guesses before it have to be waited for */
    GH_SESSION_RECORDING,  /* the login's record waits for its commit */
    GH_SESSION_CONNECTING, /* waits for an upstream connection, or for the first catalog */
    GH_SESSION_READY,
    GH_SESSION_CLOSING /* the last bytes go out to the client */
} gh_session_state;

typedef struct gh_env_warehouse {
    gh_str name;
    gh_pool *pool;
    gh_str init_sql; /* owned */
    size_t index;
    gh_catalog *catalog; /* NULL: not read yet */
    uint64_t read;       /* number of the read that brought it */
    bool has_failed;     /* the last read failed */
    bool is_observed;    /* observe mode; zero enforces */
} gh_env_warehouse;

typedef struct gh_view_entry gh_view_entry;
struct gh_view_entry {
    gh_view_entry *next;
    const gh_env_warehouse *warehouse;
    gh_view *view;
    uint64_t id;         /* never used again: scopes are made of it */
    uint64_t generation; /* of the policy that the view is of */
};

typedef struct gh_cancel_entry gh_cancel_entry;
typedef struct gh_env_mail gh_env_mail;
typedef struct gh_session gh_session;
typedef struct gh_judgement gh_judgement;

/* What a session needs until it is READY. */
typedef struct gh_login gh_login;
struct gh_login {
    gh_login *older; /* among those who have not proved who they are */
    gh_login *newer;
    gh_session *session;
    bool is_listed;
    uint8_t network[16]; /* the address that failures count for */
    gh_arena *arena;     /* of `startup`; NULL: none came */
    gh_wire_startup startup;
    gh_auth_scram *scram;
    gh_buf proof; /* the message that is judged after the wait */
};

struct gh_session_env {
    gh_session_env_options o;
    gh_policy *policy;
    uint64_t policy_generation; /* grows with every gh_session_env_set_policy */
    gh_tls_server *tls;
    char *mock_secret;
    gh_auditlog_writer *writer;
    gh_env_mail *mail;
    gh_plan_cache *plans;
    gh_template *template; /* of the text that is being judged */
    gh_env_warehouse *warehouses;
    gh_view_entry *views[256];
    uint64_t next_view;
    uint64_t next_temporary;
    gh_arena *arena;  /* of the statement that is being judged */
    char *read_bytes; /* GH_RELAY_BUFFER_BYTES that every read of this worker goes to */
    gh_buf spare[GH_SPARE_BUFFERS];
    size_t spare_count;
    struct gh_session *sessions;
    size_t session_count;
    gh_login *oldest_login;
    gh_login *newest_login;
    uint32_t login_count;
    struct gh_session *dirty; /* wants something at the end of the turn */
    struct gh_session *dead;
    gh_timer *audit_timer;
    gh_timer *revoke_timer; /* on while statements have been told that they are over: revoke.c */
    gh_timer *expiry_timer; /* on while next_expiry is not for ever */
    int64_t next_expiry;    /* the first end of validity of any session's view; wall clock */
    bool is_audit_timer_on;
    bool is_revoke_timer_on;
    bool
        wants_commit; /* a record should be in the log at the end of this turn, though nobody waits for it */
    gh_session_counts counts; /* those that grow */
    bool is_draining;
    void (*drained)(void *arg);
    void *drained_arg;
};

/* Statements that lookup.c has prepared, or may. */
typedef struct gh_lookup gh_lookup;
typedef struct gh_lookups {
    gh_lookup *items;
    uint32_t count;
    uint32_t cap;
    uint64_t clock;
    uint64_t key; /* makes their names the session's own; 0: not drawn yet */
} gh_lookups;

/* The client's messages since a Parse for which a statement of lookup.c's stands: lookup_parse.c. */
typedef struct gh_kept {
    gh_buf bytes;      /* empty: none are kept */
    uint64_t batch;    /* the number of the Sync that ends them */
    bool is_on;        /* it has not come yet */
    bool is_whole;     /* it has */
    gh_buf parameters; /* an answer that waits for the one behind it */
} gh_kept;

struct gh_session {
    gh_session_env *env;
    gh_session *next;
    gh_session *prev;
    gh_session *next_dirty;
    gh_session_state state;
    char tx_status; /* as the upstream last said */
    bool is_dirty;
    bool wants_commit;   /* a record of this turn must be durable before anything goes on */
    bool is_held;        /* written, not yet synced: see ticket */
    bool is_skipping;    /* an extended message failed: drop up to Sync */
    bool is_copying_in;  /* the upstream waits for CopyData */
    bool is_terminating; /* Terminate was read: close when everything is answered */
    bool is_bypass;      /* statements go upstream as they are... */
    bool is_observed;    /* ...and are judged for the audit: mode.c */
    bool saw_observed;   /* the warehouse's mode that these follow */
    bool is_blocked;     /* only the transaction's end may pass: the connection is another mode's */
    bool wants_renewal;  /* of the upstream's connection, once nothing is under way */
    bool leaves_setting; /* ...which has names of variables that the client made up */
    bool holds_key;      /* ...which knows the key of the `hash` mask */
    bool has_revoked;    /* the queue holds what the policy no longer allows */
    bool owes_failure;   /* the client was told an error that the upstream did not make: revoke.c */
    bool is_mid_batch;   /* extended messages went upstream since the last Sync */
    bool has_login;      /* a login was recorded: a logout must follow */
    bool is_counted;     /* among the clients of all workers */
    bool has_ssl_answer;
    bool has_gss_answer;
    bool is_upstream_lost; /* it said FATAL: the end of its stream is no surprise */
    bool has_failed_since; /* an error since the last ReadyForQuery: an implicit transaction was
                              rolled back */
    bool needs_init;       /* the upstream's session lost what init_sql and startup_sql had set */
    bool has_waited;       /* the message at hand has had its wait for the catalog */
    bool has_barrier;      /* read no further before entry `barrier` is answered */
    bool is_dropping;      /* client_left bytes are dropped, not sent */
    bool is_relaying;      /* answer_left bytes go to the client */
    uint16_t minor;
    uint64_t barrier;
    uint64_t batches;     /* Syncs and Queries sent upstream */
    uint64_t wrote_batch; /* one more than the last one in which an Execute does more than read */
    uint64_t wait_read;   /* the catalog read that is waited for; 0: none */
    uint64_t client_left; /* bytes of a client's message that are passed on as they come */
    uint32_t answer_left; /* the same, of an answer */
    uint32_t answer_trim; /* of them, the last ones are not shown */
    gh_auditlog_ticket ticket;
    gh_judgement *judgement; /* of the message at hand, by another thread; NULL: none */

    gh_stream client;
    gh_watch *client_watch;
    gh_timer *timer;
    gh_buf in;  /* the client's bytes that are not a whole message yet */
    gh_buf out; /* bytes that the client has not taken yet */
    gh_str run; /* relayed bytes that still lie in the read buffer, behind `out` */

    gh_conn *conn;
    gh_watch *conn_watch;
    gh_ticket *ticket_conn;
    gh_cancel *cancel;
    gh_buf up_in;      /* an answer that is not whole yet */
    gh_buf up_out;     /* bytes that the upstream has not taken yet */
    uint64_t up_taken; /* bytes that it has taken so far */
    gh_expect_queue queue;

    gh_login *login; /* until READY */
    gh_tls_server *tls;

    gh_env_warehouse *warehouse;
    gh_str user;        /* owned */
    gh_str database;    /* owned */
    gh_str startup_sql; /* owned: makes the upstream's session as the startup packet wanted it */
    gh_str raw_sql;     /* owned: the same of what is allowed only while nothing is enforced */
    gh_view *view;
    gh_catalog *catalog;
    gh_path *path; /* the one that scope was made of */
    uint64_t scope;
    uint64_t earlier_scope;    /* the one before, if the policy alone is what changed; 0: none */
    int64_t policy_changed_us; /* when it did; monotonic */
    uint64_t policy_generation;
    uint64_t encoding_changes;
    uint64_t scope_encoding;
    uint64_t scope_temporary;
    gh_oid took_number; /* gh_plan.takes_number of what is complete */
    gh_temporary temporary;
    gh_settings settings;
    gh_path *told_path; /* what ParameterStatus said last */
    gh_names statements;
    gh_names portals;
    gh_lru lru; /* of statements */
    gh_lookups lookups;
    gh_kept kept;

    gh_cancel_entry *key;
    gh_audit_id id;
    gh_audit_who who;
    int64_t started_us;
    int64_t idle_since_us; /* the end of the last statement; 0: there was none */
    char peer[GH_ADDRESS_TEXT_MAX];
};

/* ---- session.c ------------------------------------------------------------------------------- */

void gh_session_close(gh_session *s);
/* Makes an error to show to the client. A text too long is cut. */
void gh_session_say(gh_err *err, const char *sqlstate, const char *fmt, ...) GH_PRINTF(3, 4);
/* Sends the error as FATAL and closes once it is out. */
void gh_session_fatal(gh_session *s, const gh_err *err);
void gh_session_fatal_text(gh_session *s, const char *sqlstate, const char *text);
void gh_session_free_dead(gh_session_env *env);
/* Writes what is pending to the client; false: the session closed. */
bool gh_session_flush_client(gh_session *s);
bool gh_session_flush_upstream(gh_session *s);
/* Sets the watches to what the state wants. */
void gh_session_watch(gh_session *s);
/* Something to do at the end of the turn. */
void gh_session_mark(gh_session *s);
/* The turn's commit ended: rc GH_OK, or why the records are not durable. */
void gh_session_committed(gh_session *s, gh_rc rc, const gh_err *err);
bool gh_session_is_idle(const gh_session *s);
void gh_session_lost_upstream(gh_session *s);
/* Ends the session if it is draining, terminating, or its user lost access, and nothing is under
 * way. */
void gh_session_settle(gh_session *s);

/* ---- startup.c, login.c: each takes the bytes at hand and returns how many it used ----------- */

void gh_session_hello(gh_session *s);
void gh_session_shake(gh_session *s);
size_t gh_session_take_startup(gh_session *s, gh_str bytes);
void gh_session_begin_auth(gh_session *s);
size_t gh_session_take_auth(gh_session *s, gh_str bytes);
/* The wait for earlier failures is over. */
void gh_session_end_wait(gh_session *s);
void gh_login_new(gh_session *s, const gh_address *peer); /* makes room among them if need be */
void gh_login_free(gh_session *s);                        /* safe to call twice */
uint32_t gh_login_left_ms(const gh_session *s);           /* of the time to log in */
void gh_session_connect(gh_session *s);
void gh_session_welcome(gh_session *s);
/* Would the policy let the startup packet set what it sets? */
GH_MUST_USE gh_rc gh_session_check_startup(const gh_session *s, gh_err *err);
/* What the session waited for: the connection becomes its own; or (NULL) the session ends, and false. */
GH_MUST_USE bool gh_session_take_conn(gh_session *s, gh_conn *conn, const gh_err *err);
/* Tells the client every parameter that it may know. */
void gh_session_put_parameters(gh_session *s);
/* Does the upstream take the client's text in an encoding in which ASCII bytes mean ASCII? */
bool gh_session_has_safe_encoding(const gh_session *s);
/* May the client be told this parameter, and how does it read? */
bool gh_session_show_parameter(const gh_session *s, gh_str name, gh_str *value);
/* Tells a client of a server that reports search_path (18 on) what its own is now. */
void gh_session_tell_path(gh_session *s);

/* ---- client.c -------------------------------------------------------------------------------- */

bool gh_session_may_read(const gh_session *s);
void gh_session_read_client(gh_session *s);
/* Goes on with bytes that were left when reading paused. */
void gh_session_resume(gh_session *s);

/* ---- query.c, extended.c: false when the message must wait (for the catalog, for answers) ----- */

bool gh_session_query(gh_session *s, gh_str body);
/* A statement that was a Query, from its text. */
void gh_session_query_again(gh_session *s, gh_str sql);
bool gh_session_parse(gh_session *s, gh_str body);
/* The newest message takes the unnamed statement away, as every Query does. */
void gh_session_drop_unnamed(gh_session *s);
bool gh_session_bind(gh_session *s, gh_str body);
/* Sends Close and Parse of a statement that the upstream does not have; the client sees neither's
 * answer. */
void gh_session_prepare_upstream(gh_session *s, gh_named *n);
/* Puts a Parse of the statement under that name into up_out. */
void gh_session_put_parse(gh_session *s, gh_str name, const gh_named *n);
/* A Bind whose body does not fit the buffer: its names are at hand, the rest follows. Returns the
 * bytes used, 0: need more. */
size_t gh_session_bind_large(gh_session *s, const gh_wire_frame *f);
bool gh_session_describe(gh_session *s, gh_str body);
bool gh_session_execute(gh_session *s, gh_str body);
void gh_session_close_name(gh_session *s, gh_str body);
void gh_session_flush_message(gh_session *s, gh_str body);
void gh_session_sync(gh_session *s, gh_str body);
void gh_session_too_large(gh_session *s, uint8_t type);
void gh_session_refuse_function_call(gh_session *s);
/* Of a user who may bypass. */
void gh_session_function_call(gh_session *s, gh_str message);
/* Puts a statement that fails upstream in place of the refused message; `record`: the refusal is
 * audited with this text. */
void gh_session_refuse(gh_session *s, bool is_extended, const gh_err *err);
gh_str gh_session_poison(void);
/* Reads no further before the newest entry is answered. */
void gh_session_set_barrier(gh_session *s);
/* Must what the plans do be known before the next message is judged? */
bool gh_session_needs_barrier(const gh_session *s, const gh_plan_set *set);
/* Replaces every message of this turn whose intent was not recorded. */
void gh_session_poison_turn(gh_session *s, const gh_err *err);
/* Begin and end of a message in up_out that an entry stands for. */
gh_expect *gh_session_push(gh_session *s, gh_expect_kind kind);
void gh_session_pushed(gh_session *s, gh_expect *e);
void gh_session_undo(gh_session *s, gh_expect *e);

/* ---- judge.c --------------------------------------------------------------------------------- */

/* Renews view, catalog and scope where something changed. False: the user may no longer be here
 * (the session is ending). */
bool gh_session_refresh(gh_session *s);
/* *set is acquired. Not GH_OK: the text cannot be taken; err says why. */
GH_MUST_USE gh_rc gh_session_judge(gh_session *s, gh_str sql, const gh_oid *types,
                                   size_t type_count, bool is_extended, gh_plan_set **set,
                                   gh_err *err);
/* The same; GH_AGAIN: another thread judges, and the message is to be taken again afterwards. */
GH_MUST_USE gh_rc gh_session_judge_or_wait(gh_session *s, gh_str sql, const gh_oid *types,
                                           size_t type_count, bool is_extended, gh_plan_set **set,
                                           gh_err *err);
/*
 * Could a newer catalog know what this error says is missing? Then starts the wait and returns true. The text is the
 * one that was judged. */
bool gh_session_wait_catalog(gh_session *s, gh_str sql, const gh_oid *types, size_t type_count,
                             bool is_extended, const gh_err *err);
/* The time by which grants are valid, Unix microseconds: never goes back. */
int64_t gh_env_now(const gh_session_env *env);
gh_view_entry *gh_env_view(gh_session_env *env, const gh_env_warehouse *w, gh_str user,
                           int64_t now);
void gh_env_forget_views(gh_session_env *env, uint64_t before); /* of earlier generations */
/* Some view ends to be valid then: what runs by it is looked at again at that time. */
void gh_env_expect_expiry(gh_session_env *env, int64_t until);

/* ---- revoke.c -------------------------------------------------------------------------------- */

/* The policy changed while statements run: what the user may no longer run is ended. */
void gh_session_recheck(gh_session *s);
/* Ends what runs now, if it is no longer allowed; to be asked again when the next one runs. */
void gh_session_end_revoked(gh_session *s);
/* Is what runs now no longer allowed, and answered with the error? That is done if it can be: not within a row. */
bool gh_session_tell_revoked(gh_session *s);
/* Does a set of one statement do nothing but read? */
bool gh_session_only_reads(const gh_session *s, const gh_plan_set *set);
/* Does nothing more of what runs now go to the client? */
bool gh_session_is_muted(const gh_session *s);
/* `ended`, at the head still, has this ReadyForQuery. True: the client was told of a failure that did not happen in its
 * transaction; now it is made to, and the answer to that is the client's. */
bool gh_session_pay_failure(gh_session *s, const gh_expect *ended, char status);
void gh_env_on_revoke_timer(void *env);

/* ---- judge_pool.c ---------------------------------------------------------------------------- */

/* Has `in` judged by another thread; the session pauses until then. */
void gh_judgement_begin(gh_session *s, const gh_rewrite_input *in);
/* What came of it; *set is acquired. False: there is none for this question. */
bool gh_judgement_take(gh_session *s, const gh_rewrite_input *in, gh_rc *rc, gh_plan_set **set,
                       gh_err *err);
bool gh_judgement_is_awaited(const gh_session *s);
void gh_judgement_drop(gh_session *s);

/* ---- mode.c ---------------------------------------------------------------------------------- */

typedef enum gh_session_mode_kind {
    GH_MODE_ENFORCE = 0,
    GH_MODE_OBSERVE, /* as they are, judged for the audit */
    GH_MODE_BYPASS   /* as they are */
} gh_session_mode_kind;

gh_session_mode_kind gh_session_mode(const gh_session *s);
/* Pure: any thread. */
GH_MUST_USE gh_rc gh_session_make_set(const gh_rewrite_input *in, gh_session_mode_kind mode,
                                      gh_arena *a, gh_plan_set **set, gh_err *err);
/* How the view and the warehouse's mode want statements to be treated from now on. */
void gh_session_choose_mode(gh_session *s);
/* 42501 where the session waits for a connection of its new mode. */
GH_MUST_USE gh_rc gh_session_check_mode(const gh_session *s, const gh_plan_set *set, gh_err *err);
/* Takes another upstream connection, if one is wanted and nothing is under way. */
void gh_session_renew(gh_session *s);
/* Appends what makes a new upstream session the client's, by its mode. */
void gh_session_put_startup(const gh_session *s, gh_str path, gh_buf *sql);

/* ---- record.c -------------------------------------------------------------------------------- */

void gh_session_record_who(gh_session *s);
GH_MUST_USE gh_rc gh_session_record_intent(gh_session *s, gh_expect *e, gh_err *err);
void gh_session_record_outcome(gh_session *s, gh_expect *e);
/* `set` may be NULL: the text could not be taken. */
GH_MUST_USE gh_rc gh_session_record_refusal(gh_session *s, gh_str sql, gh_plan_set *set,
                                            const gh_err *refusal, gh_err *err);
GH_MUST_USE gh_rc gh_session_record_login(gh_session *s, gh_err *err);
void gh_session_record_failure(gh_session *s, const gh_err *err);
void gh_session_record_logout(gh_session *s);
void gh_session_record_admin(gh_session *s, gh_str by, const char *what);
const char *gh_session_command(const gh_plan *p); /* "select" */

/* ---- relay.c, answer.c ----------------------------------------------------------------------- */

void gh_session_read_upstream(gh_session *s);
/* Queues bytes for the client behind what was relayed. */
gh_buf *gh_session_out(gh_session *s);
typedef enum gh_answer { GH_ANSWER_BROKEN = 0, GH_ANSWER_RELAY, GH_ANSWER_DROP } gh_answer;
/* A whole message; it may be changed in place. */
gh_answer gh_session_answer(gh_session *s, uint8_t type, char *message, size_t len);
/* Must a row of the answer be seen as a whole? */
bool gh_session_answer_is_looked_at(const gh_session *s);
/* The header of a message that is passed on in pieces. */
gh_answer gh_session_answer_begin(gh_session *s, uint8_t type, size_t len);
/* Bytes at the end of such a message that the client does not get. */
size_t gh_session_answer_trim(const gh_session *s, uint8_t type);

/* ---- signal.c ------------------------------------------------------------------------------------ */

/* Names the type of what is shown in a RowDescription's body; p may be NULL. False: it has another shape. */
GH_MUST_USE bool gh_session_signal_description(const gh_plan *p, char *body, size_t len);
/* A DataRow's body: signals the session that it names and shows whether there was one. */
gh_answer gh_session_signal_row(gh_session *s, gh_expect *e, const gh_plan *p, gh_str body);

/* ---- bound_value.c ------------------------------------------------------------------------------ */

/* Does the statement set something to what one of its parameters says? */
bool gh_session_sets_bound(const gh_plan_set *set);
/* That value in *value, for the portal to keep, if it is one that may be set. */
GH_MUST_USE gh_rc gh_session_bind_value(const gh_session *s, const gh_wire_bind *msg,
                                        const gh_plan_set *set, char **value, gh_err *err);
/* What a SET that is complete set: the plan's own value, or the portal's. */
gh_str gh_session_set_value(const gh_expect *e, const gh_plan *p);

/* ---- sql_names.c -------------------------------------------------------------------------------- */

/* What PREPARE and DECLARE made takes its place among the session's names. */
void gh_session_note_prepared(gh_session *s, const gh_expect *e, const gh_plan *p);
void gh_session_note_declared(gh_session *s, const gh_expect *e, const gh_plan *p);
/* The plan whose result a plan's answer holds: of EXECUTE, what was prepared. NULL for NULL. */
const gh_plan *gh_session_answering(const gh_session *s, const gh_plan *p);
/* May an entry still be used as it is? GH_DENIED and others: err says why not. */
GH_MUST_USE gh_rc gh_session_check_named(gh_session *s, gh_named *n, gh_err *err);
/* The same of all that the statements of a set use by name. */
GH_MUST_USE gh_rc gh_session_check_names(gh_session *s, const gh_plan_set *set, gh_err *err);

/* ---- lookup.c -------------------------------------------------------------------------------- */

/* Sends the statement of a Query as a prepared one; false: it is not one to be sent so, and nothing was. */
bool gh_session_send_lookup(gh_session *s, gh_plan_set *set);
/* The head failed with this SQLSTATE. True: the client is not told; at its ReadyForQuery the Query is sent. */
bool gh_session_retry_lookup(gh_session *s, gh_str sqlstate);
/* The head, a ReadyForQuery, is that of such a Query: it takes its place. */
bool gh_session_end_lookup(gh_session *s);
/* The upstream has none of them any more, or settings are others by which it reads constants. */
void gh_lookups_renew(gh_lookups *t);
void gh_lookups_fini(gh_lookups *t);

/* ---- lookup_parse.c -------------------------------------------------------------------------- */

/* May a statement of lookup.c's stand for this one, which is being parsed? Then Parse needs no message. */
bool gh_session_parse_lookup(gh_session *s, gh_named *n);
/* The next message is not about the statement that was parsed last (NULL: about none), or too long to be kept: if
 * another stands for that, it is sent after all. */
void gh_session_settle_parse(gh_session *s, const gh_named *next, size_t len);
/* Has the upstream what stands for the statement? */
bool gh_session_has_stand_in(const gh_session *s, const gh_named *n);
/* The statement's name upstream; `name` may come to hold it. */
gh_str gh_session_upstream_name(gh_session *s, const gh_named *n, char *name);
/* Keeps a message that was taken, while that is asked for. */
void gh_session_keep_message(gh_session *s, uint8_t type, gh_str message);
void gh_session_stop_keeping(gh_session *s);
/* An answer comes: before it that of a Parse without a message is due. */
void gh_session_tell_parsed(gh_session *s);
/* Is this ParameterDescription to wait for what comes behind it? Then it was kept. */
bool gh_session_hold_parameters(gh_session *s, gh_str message);
/* As gh_session_retry_lookup and gh_session_end_lookup, of what was kept. */
bool gh_session_retry_batch(gh_session *s, gh_str sqlstate);
bool gh_session_end_batch(gh_session *s);

/* ---- evict.c --------------------------------------------------------------------------------- */

/* A statement is about to be prepared or used; whatever is one too many upstream is closed there. */
void gh_session_use_statement(gh_session *s, gh_named *n);
void gh_session_undo_eviction(gh_session *s, gh_named *n);
void gh_session_forget_use(gh_session *s, gh_named *n); /* NULL is fine */
void gh_session_forget_uses(gh_session *s);
/* Prepares again what the statements of a set name in SQL. */
void gh_session_restore_named(gh_session *s, const gh_plan_set *set, bool is_query);

/* ---- temporary_read.c ------------------------------------------------------------------------ */

/* A statement is complete. */
void gh_session_note_temporary(gh_session *s, const gh_plan *p);
/* Could the temporary tables be others behind this statement? */
bool gh_session_changes_temporary(const gh_session *s, const gh_plan *p);
/* Asks for them; `is_idle`: no pipeline is under way, so a Sync ends the question, and its answer is
 * the client's. */
void gh_session_read_temporary(gh_session *s, bool is_idle);
/* The answer is complete. False: it is none. */
bool gh_session_take_temporary(gh_session *s);
/* The question failed. */
void gh_session_fail_temporary(gh_session *s);
/* Must they be read before the client has this ReadyForQuery, the answer to `ended`? */
bool gh_session_wants_temporary(gh_session *s, const gh_expect *ended, char status);

/* ---- env.c, cancel.c ------------------------------------------------------------------------- */

void gh_env_lend(gh_session_env *env,
                 gh_buf *b); /* gives an unused buffer memory, if it has none */
void gh_env_return(gh_session_env *env, gh_buf *b); /* takes it back when it is empty */
void gh_env_turn(void *arg);
void gh_env_free_str(gh_str *s); /* of gh_strdup */
void gh_env_random(void *bytes, size_t len);

/* Under the process id that the upstream gave the session's connection, by which clients know it in
 * pg_backend_pid() and notifications as well. */
gh_cancel_entry *gh_cancel_add(gh_cancel_table *t, gh_session *s, size_t key_len);
void gh_cancel_remove(gh_cancel_table *t, gh_cancel_entry *e); /* NULL is fine */
uint32_t gh_cancel_pid(const gh_cancel_entry *e);
gh_str gh_cancel_key(const gh_cancel_entry *e);
void gh_cancel_request(gh_cancel_table *t, uint32_t pid, gh_str key);
void gh_cancel_running(gh_session *s); /* on its worker's thread */
/* Signals the session of that process id, if it is one of the same user in the same warehouse; false: it is
 * none, which another user's and nobody's are alike. */
GH_MUST_USE bool gh_cancel_signal(gh_session *by, int64_t pid, gh_signal_kind kind);

#endif
