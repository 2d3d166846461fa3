/*
 * config: YAML as a bounded tree, and the config file as a typed struct. Bytes in, values out: no
 * file is opened here. libyaml is behind this header and nowhere else.
 *
 *     bytes ──gh_yaml_parse──▶ gh_yaml_node tree ──getters──▶ values
 *                                    │                 └────▶ faults, a line each:
 *                                    │                        "file:line:column: key: ..."
 *                                    └──gh_config_read──▶ gh_config
 *
 * A YAML file is a program that its author may not control: anchors and aliases (bombs), tags,
 * several documents, duplicate keys, more bytes, depth or nodes than limits.h names are refused.
 *
 * Reading is sticky: a getter that meets a wrong value records a fault in the reader and returns
 * its fallback; the caller looks at the reader once, at the end, and must throw everything away if
 * it holds a fault. So one run reports every fault of a file.
 *
 * Memory: nodes, strings and structs live in the arena that was given; a NUL follows every string.
 * Threads: any, one call an arena and reader at a time.
 */
#ifndef GATEHOUSE_CONFIG_H
#define GATEHOUSE_CONFIG_H

#include <gatehouse/base.h>

/* ---- the YAML tree --------------------------------------------------------------------------- */

typedef enum gh_yaml_kind {
    GH_YAML_NONE = 0,
    GH_YAML_SCALAR,
    GH_YAML_SEQUENCE,
    GH_YAML_MAPPING
} gh_yaml_kind;

typedef struct gh_yaml_node gh_yaml_node;
struct gh_yaml_node {
    gh_yaml_kind kind;
    bool is_plain; /* a scalar without quotes: the only kind that can be a number, true or null */
    uint32_t line; /* 1-based, as editors count */
    uint32_t column;
    gh_str text; /* scalars */
    /* Sequences: `count` items. Mappings: `count` pairs, key i at [2 * i], its value behind it. */
    const gh_yaml_node *items;
    size_t count;
};

/*
 * Parses one document. An empty one gives an empty plain scalar. GH_INVALID or GH_LIMIT: public_msg
 * is "name:line:column: what is wrong". Keys are scalars and unique within their mapping.
 */
GH_MUST_USE gh_rc gh_yaml_parse(gh_str name, gh_str bytes, gh_arena *a, const gh_yaml_node **root,
                                gh_err *err);

static inline const gh_yaml_node *gh_yaml_key(const gh_yaml_node *map, size_t i)
{
    return &map->items[2 * i];
}
static inline const gh_yaml_node *gh_yaml_value(const gh_yaml_node *map, size_t i)
{
    return &map->items[2 * i + 1];
}
/* The value of a key; NULL if the mapping lacks it (or is none). Linear: for mappings with known
 * keys. */
const gh_yaml_node *gh_yaml_get(const gh_yaml_node *map, const char *key);
/* Plain and empty, `~` or `null`. */
bool gh_yaml_is_null(const gh_yaml_node *n);

/* ---- reading values, faults collected -------------------------------------------------------- */

typedef struct gh_yaml_reader {
    gh_str name; /* of the file */
    gh_arena *arena;
    gh_buf *faults; /* a line each, with its newline */
    size_t fault_count;
} gh_yaml_reader;

/* Faults go to the caller's buffer (initialised, bounded as the caller likes; it may collect
 * several files). */
gh_yaml_reader gh_yaml_reader_of(gh_str name, gh_arena *a, gh_buf *faults);
/* "name:line:column: key: fmt..."; key may be NULL. */
void gh_yaml_fault(gh_yaml_reader *r, const gh_yaml_node *at, const char *key, const char *fmt, ...)
    GH_PRINTF(4, 5);
/* GH_OK without faults, else GH_INVALID with the first fault as public_msg (as much as fits). */
GH_MUST_USE gh_rc gh_yaml_finish(const gh_yaml_reader *r, gh_err *err);

/*
 * Is n a mapping with no other keys than these? Faults: not a mapping; each unknown key, with the
 * known one that was probably meant. False only if it is no mapping. `key` names n itself (NULL:
 * the whole file).
 */
bool gh_yaml_want_keys(gh_yaml_reader *r, const gh_yaml_node *n, const char *key,
                       const char *const *known, size_t known_count);
bool gh_yaml_want_mapping(gh_yaml_reader *r, const gh_yaml_node *n, const char *key); /* any keys */
bool gh_yaml_want_sequence(gh_yaml_reader *r, const gh_yaml_node *n, const char *key);
/* The value of a key; a fault at the mapping if it is missing. */
const gh_yaml_node *gh_yaml_require(gh_yaml_reader *r, const gh_yaml_node *map, const char *key);

/*
 * Getters: n may be NULL (the key is absent) and gives the fallback without a fault. A wrong value
 * is a fault and gives the fallback too. Strings point into the tree. A string is any scalar but a
 * null; the YAML 1.1 words yes, no, on, off are strings.
 */
gh_str gh_yaml_str(gh_yaml_reader *r, const gh_yaml_node *n, const char *key, gh_str fallback);
bool gh_yaml_bool(gh_yaml_reader *r, const gh_yaml_node *n, const char *key, bool fallback);
/* Within [min, max]; `1e6` is a number as well. */
int64_t gh_yaml_int(gh_yaml_reader *r, const gh_yaml_node *n, const char *key, int64_t min,
                    int64_t max, int64_t fallback);
/* Bytes within [min, max]: 512, 64kB, 16MiB, 1GB. */
uint64_t gh_yaml_size(gh_yaml_reader *r, const gh_yaml_node *n, const char *key, uint64_t min,
                      uint64_t max, uint64_t fallback);
/* Milliseconds within [1, max_ms]: 500ms, 60s, 5m, 4h, 7d. */
int64_t gh_yaml_duration_ms(gh_yaml_reader *r, const gh_yaml_node *n, const char *key,
                            int64_t max_ms, int64_t fallback);
/* Unix microseconds; see gh_config_parse_time. */
int64_t gh_yaml_time(gh_yaml_reader *r, const gh_yaml_node *n, const char *key, bool is_until,
                     int64_t fallback);
/* The index of the word in `words`; a fault names them all. */
size_t gh_yaml_choice(gh_yaml_reader *r, const gh_yaml_node *n, const char *key,
                      const char *const *words, size_t word_count, size_t fallback);
/* A sequence of strings; a lone scalar is a fault. Sets *count to 0 if absent. */
const gh_str *gh_yaml_str_list(gh_yaml_reader *r, const gh_yaml_node *n, const char *key,
                               size_t *count);

/* ---- values as text, shared with the command line -------------------------------------------- */

/* False: not of this form, or out of range. Nothing may stand around the value. */
bool gh_config_parse_int(gh_str s, int64_t *out);
bool gh_config_parse_size(gh_str s, uint64_t *out);
bool gh_config_parse_duration_ms(gh_str s, int64_t *out);
/*
 * Unix microseconds of 2026-12-31 or 2026-12-31T08:00[:00[.5]][Z|+01:00] (a space for T is fine;
 * without zone it is UTC). A date is the whole day: with is_until its end, which is the next day's
 * start.
 */
bool gh_config_parse_time(gh_str s, bool is_until, int64_t *out);
/* Exact, in UTC, as gh_config_parse_time reads it: 2026-12-31T08:00:00.500000Z */
void gh_config_put_time(gh_buf *b, int64_t us);
/* The known word that a misspelt one probably meant, or NULL. */
const char *gh_config_suggest(gh_str word, const char *const *known, size_t known_count);

/* ---- the config file ------------------------------------------------------------------------- */

#define GH_CONFIG_BYTES_MAX       (1u << 20)
#define GH_CONFIG_LISTEN_MAX      64
#define GH_CONFIG_WAREHOUSES_MAX  1000
#define GH_CONFIG_WORKERS_MAX     256
#define GH_CONFIG_POOL_MAX        100000
#define GH_CONFIG_CLIENT_MAP_MAX  10000
#define GH_CONFIG_SOCKET_PATH_MAX 107 /* bytes; unix(7): sun_path with its NUL */

typedef struct gh_config_listen {
    gh_str address;   /* 127.0.0.1:6432, [::1]:6432, *:6432: numbers, no names */
    gh_str host;      /* of it, without brackets */
    uint16_t port;    /* 0: there is no address */
    bool is_loopback; /* 127.0.0.0/8 or ::1 */
} gh_config_listen;

typedef enum gh_config_tls_mode {
    GH_CONFIG_TLS_REQUIRE = 0,
    GH_CONFIG_TLS_PREFER,
    GH_CONFIG_TLS_DISABLE
} gh_config_tls_mode;

/* Which name in a client's certificate says whose it is. */
typedef enum gh_config_client_name {
    GH_CONFIG_CLIENT_CN = 0,
    GH_CONFIG_CLIENT_DN,
    GH_CONFIG_CLIENT_DNS,
    GH_CONFIG_CLIENT_EMAIL,
    GH_CONFIG_CLIENT_URI
} gh_config_client_name;

typedef struct gh_config_mapping {
    gh_str name; /* in the certificate */
    gh_str user;
} gh_config_mapping;

typedef enum gh_config_durability { GH_CONFIG_FSYNC = 0, GH_CONFIG_WRITE } gh_config_durability;

typedef enum gh_config_statements {
    GH_CONFIG_FINGERPRINT = 0, /* no literals */
    GH_CONFIG_FULL
} gh_config_statements;

typedef struct gh_config_warehouse {
    gh_str name;          /* the database that clients ask for */
    gh_str conninfo;      /* libpq's; file names in it are relative to gh_config.dir */
    gh_str password_file; /* resolved; empty: none */
    gh_str password_env;  /* a variable's name; empty: none */
    uint32_t pool_size;   /* upstream connections at most, all workers together; session mode */
    uint32_t pool_idle;   /* kept open while nobody uses them */
    bool is_observed;     /* `mode: observe`; zero enforces */
} gh_config_warehouse;

typedef struct gh_config {
    gh_str path; /* of the file, as given */
    gh_str dir;  /* where it stands, ending in '/'; empty: the working directory */
    const gh_config_listen *listen;
    size_t listen_count;
    struct {
        gh_config_tls_mode mode;
        gh_str cert; /* resolved, as all paths below; empty only with GH_CONFIG_TLS_DISABLE */
        gh_str key;
        gh_str client_ca;  /* empty: client certificates are not asked for */
        gh_str client_crl; /* empty: none */
        gh_config_client_name client_name;
        const gh_config_mapping *client_map;
        size_t client_map_len;
    } tls;
    gh_str acl;
    struct {
        gh_str dir;
        gh_config_durability durability;
        gh_config_statements statements;
    } audit;
    const gh_config_warehouse *warehouses;
    size_t warehouse_count;
    uint32_t workers;       /* 0: one per core */
    gh_str control;         /* path of the control socket; empty: none */
    gh_config_listen admin; /* metrics and health over HTTP; without an address: none */
    struct {
        uint64_t statement_bytes;
        uint64_t statement_memory;
        uint32_t clients;
        uint32_t logins;           /* connections that have not logged in yet, of each worker */
        uint32_t login_timeout_ms; /* to log in */
    } limits;
} gh_config;

/*
 * Reads the config file's bytes. `path` names it in messages and is what relative paths start from.
 * GH_INVALID: *faults holds a line per fault, "path:line:column: key: what was expected". What this
 * version does not have (transaction pools ...) is a fault that says so.
 */
GH_MUST_USE gh_rc gh_config_read(gh_str path, gh_str bytes, gh_arena *a, gh_config *out,
                                 gh_buf *faults);
/* NULL if no warehouse has the name. */
const gh_config_warehouse *gh_config_warehouse_find(const gh_config *c, gh_str name);
/* `path` as seen from the folder `dir` (ending in '/' or empty); absolute ones as they are. */
gh_str gh_config_resolve(gh_str dir, gh_str path, gh_arena *a);

#endif
