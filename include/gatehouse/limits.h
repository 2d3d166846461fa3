/*
 * Every bound that Gatehouse puts on an input, in one place. Each has a test at the bound and one past
 * it. Those that an operator may change are defaults here and keys of `limits:` in the config file.
 */
#ifndef GATEHOUSE_LIMITS_H
#define GATEHOUSE_LIMITS_H

/* Protocol */
#define GH_WIRE_STARTUP_MAX 10000             /* bytes; PostgreSQL's own bound */
#define GH_WIRE_AUTH_MAX    65536             /* bytes of one message before authentication ended */
#define GH_WIRE_BODY_MAX    ((1u << 30) - 2u) /* bytes of any message; PostgreSQL's own bound */
#define GH_WIRE_PARAMS_MAX  65535             /* parameters of one Bind */
#define GH_WIRE_NAME_MAX    63                /* bytes of an identifier: NAMEDATALEN - 1 */

/* Authentication */
#define GH_AUTH_SASL_BYTES_MAX 1024     /* bytes of a SASL message; PostgreSQL's own bound */
#define GH_AUTH_PASSWORD_MAX   1024     /* bytes of a password that is set */
#define GH_AUTH_SALT_MAX       64       /* bytes of a verifier's salt */
#define GH_AUTH_ITERATIONS_MAX 10000000 /* PBKDF2 rounds of a verifier */

/* Failed logins (gh_auth_throttle). A pair is one user from one address. */
#define GH_THROTTLE_ENTRIES      32768 /* users, addresses and pairs remembered: 1 MiB */
#define GH_THROTTLE_FORGET_MS    30000 /* after which one failure is forgotten */
#define GH_THROTTLE_FIRST_MS     250   /* the first delay; each further failure doubles it */
#define GH_THROTTLE_PAIR_FREE    10    /* failures of a pair without a delay */
#define GH_THROTTLE_PAIR_MS      5000  /* the longest delay of a pair */
#define GH_THROTTLE_WAIT_MS      10000 /* who would wait longer, in a queue, is refused */
#define GH_THROTTLE_USER_FREE    50    /* failures of one user, from wherever */
#define GH_THROTTLE_ADDRESS_FREE 100   /* failures from one address, for whomever */
#define GH_THROTTLE_SHARED_MS    2000  /* the longest wait that others can cause */

/* SQL */
#define GH_SQL_BYTES_MAX         (16u << 20) /* one Query or Parse; limits.statement_bytes */
#define GH_SQL_INLINE_MAX        16384 /* bytes that a worker judges itself; longer ones go to threads */
#define GH_JUDGE_THREADS_MAX     4          /* such threads */
#define GH_SQL_ADDED_MAX         (8u << 20) /* what rewriting may add: one call may become 10 KB */
#define GH_SQL_INLINE_ADDED_MAX  (128u << 10) /* of that, what a worker does itself: some 50 ms */
#define GH_SQL_SPECIAL_CALLS_MAX 100 /* of functions that become sub-selects over catalogs */
#define GH_SQL_MEMORY_MAX        (512u << 20) /* budget of a statement; limits.statement_memory */
#define GH_SQL_COMMENT_DEPTH_MAX 32           /* nested comments: the lexer is quadratic */
#define GH_SQL_LEXER_WORK_MAX                                                                      \
    (1u << 20) /* bytes that runs of operators may be read again, + 4 a byte */
#define GH_SQL_INFER_STEPS_MAX 100000     /* of finding out types, + 16 a token */
#define GH_SQL_DEPTH_MAX       500        /* nesting of the parse tree */
#define GH_SQL_ASSIGNED_MAX    (1u << 24) /* of rows in SET (...) = (...): 4096 columns, squared */
#define GH_SQL_SORTED_MAX      (1u << 24) /* columns of a result x what it is sorted by */
#define GH_SQL_VIEW_DEPTH_MAX  16         /* views in views that are expanded */
#define GH_SQL_RELATIONS_MAX   200        /* relations in one statement: planning is superlinear */
#define GH_SQL_STATEMENTS_MAX  10000      /* statements in one Query */

/* Policy */
#define GH_POLICY_ROLE_DEPTH_MAX   64           /* roles in roles */
#define GH_POLICY_EXPR_MAX         65536        /* bytes of a row filter or a mask */
#define GH_POLICY_NAME_MAX         500          /* bytes of a name or pattern */
#define GH_POLICY_ENTRIES_MAX      (1u << 24)   /* principals x patterns, over all rules */
#define GH_POLICY_RULES_MAX        4096         /* rules on one relation for one user */
#define GH_POLICY_MASK_TESTS_MAX   50000000     /* pairs of masks that compile compares */
#define GH_POLICY_MASK_ARG_MAX     65535        /* partial(a, b): each of a and b */
#define GH_POLICY_ROUND_DIGITS_MAX 15           /* round(n): digits of n, either side */
#define GH_YAML_BYTES_MAX          (256u << 20) /* one YAML file */
#define GH_YAML_DEPTH_MAX          32           /* nesting of one YAML file */
#define GH_YAML_NODES_MAX          (32u << 20)  /* nodes of one YAML file */

/* Sessions */
#define GH_SESSION_STATEMENTS_MAX          10000 /* statements, portals of a session */
#define GH_SESSION_UPSTREAM_STATEMENTS_MAX 500   /* of them that the upstream keeps */
#define GH_SESSION_LOOKUPS_MAX             64    /* beside them: lookup.c */
#define GH_SESSION_KEPT_MAX                16384 /* bytes of messages that may be taken again: lookup_parse.c */
#define GH_SESSION_TEMPORARY_MAX           1000 /* temporary relations of a session, indexes too */
#define GH_SESSION_PATH_MAX                8192 /* bytes of a search_path */
#define GH_SESSION_SAVEPOINT_BYTES_MAX                                                             \
    (16u << 20)                   /* that a transaction's savepoints keep of the settings */
#define GH_LOGIN_TIMEOUT_MS 60000 /* limits.login_timeout */
#define GH_LOGINS_MAX       1000  /* a worker's, not logged in yet; limits.logins */
#define GH_CLIENTS_MAX      10000 /* limits.clients */

/* Relay */
#define GH_RELAY_BUFFER_BYTES 65536 /* one I/O buffer; an idle client owns none */

/* Control socket */
#define GH_CONTROL_REQUEST_MAX 1024 /* bytes of a request, without its newline */
#define GH_CONTROL_CLIENTS_MAX 16   /* connections at once */
#define GH_CONTROL_IDLE_MS     10000 /* to send a request, and to take the next bytes of the answer */
#define GH_CONTROL_WAIT_MS     5000  /* for the workers to tell what they know */
#define GH_CONTROL_RELOAD_MS   60000 /* for the ACL to be read */

/* Admin address */
#define GH_ADMIN_REQUEST_MAX 8192 /* bytes of a request and its headers */
#define GH_ADMIN_CLIENTS_MAX 32   /* connections at once */

/* Audit */
#define GH_AUDIT_SQL_MAX          65536        /* bytes of SQL in a record; then cut */
#define GH_AUDIT_RECORD_MAX       (4u << 20)   /* one record, encoded */
#define GH_AUDIT_PENDING_MAX      (32u << 20)  /* bytes of records held until written */
#define GH_AUDIT_SEGMENT_BYTES    (128u << 20) /* one file of the audit log */
#define GH_AUDIT_OUTCOME_DELAY_MS 50           /* an outcome is written by then */
#define GH_AUDIT_JSON_DEPTH_MAX   16           /* nesting of a record that is read back */

#endif
