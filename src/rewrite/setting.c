/*
 * Settings that a client may change or see. A setting is on the list only if no value of it changes
 * what a statement means to the parser, who the session is, what is logged or loaded, or where code
 * comes from; everything else is refused by name.
 *
 *     SET name = value ──▶ gh_setting_check ──▶ allowed, refused (42501) or a bad value (22023)
 *     SHOW name        ──▶ gh_setting_may_show
 *
 * Virtual settings are answered by Gatehouse: the upstream's own value would name the upstream
 * account or the search_path that Gatehouse itself set there.
 *
 * A name with a dot is a variable that the client made up (Hasura, PostgREST, what row-level security goes by elsewhere).
 *
 *     SET app.user = '7' ──▶ SET "gatehouse_client"."app"."user" = '7'        current_setting('app.user') ──▶ the same name
 *
 * SECURITY: upstream it has a name that nobody else uses, so that no function, trigger, view or policy of the warehouse
 * takes the client's word for one of theirs, and that of theirs none is read. PostgreSQL keeps such a name for as long as the
 * connection is open, so that goes with the session (session.c). Attack: tests/attack functions.
 */
#include "allow.h"
#include "judge.h"

#include <ctype.h>

#include "setting.h"

typedef enum gh_setting_kind {
    GH_SETTING_SHOWN = 0, /* may be seen, not set */
    GH_SETTING_ANY,       /* every value is harmless; the upstream says which are valid */
    GH_SETTING_ON,        /* only what it is already */
    GH_SETTING_BOOL,
    GH_SETTING_ENCODING,
    GH_SETTING_MESSAGES,
    GH_SETTING_MEMORY,
    GH_SETTING_FEW, /* a small number: what planning takes grows with it beyond all bounds */
    GH_SETTING_VIRTUAL
} gh_setting_kind;

typedef struct gh_setting {
    const char *name;
    gh_setting_kind kind;
} gh_setting;

/*
 * Sorted by name.
 *
 * SECURITY: the planner's costs are not to be set, for by them PostgreSQL orders the conditions on a row: a
 * sub-select could be made cheaper than the row filter and run before it. The ways of planning that are on by
 * themselves may be turned off, which makes nothing cheaper. Attack: tests/unit/rewrite, test_what_clients_must_not_set.
 */
static const gh_setting s_settings[] = {
    { "application_name", GH_SETTING_ANY },
    { "archive_mode", GH_SETTING_SHOWN },
    { "archive_timeout", GH_SETTING_SHOWN },
    { "array_nulls", GH_SETTING_SHOWN },
    { "autovacuum", GH_SETTING_SHOWN },
    { "autovacuum_analyze_scale_factor", GH_SETTING_SHOWN },
    { "autovacuum_analyze_threshold", GH_SETTING_SHOWN },
    { "autovacuum_freeze_max_age", GH_SETTING_SHOWN },
    { "autovacuum_max_workers", GH_SETTING_SHOWN },
    { "autovacuum_multixact_freeze_max_age", GH_SETTING_SHOWN },
    { "autovacuum_naptime", GH_SETTING_SHOWN },
    { "autovacuum_vacuum_cost_delay", GH_SETTING_SHOWN },
    { "autovacuum_vacuum_cost_limit", GH_SETTING_SHOWN },
    { "autovacuum_vacuum_insert_scale_factor", GH_SETTING_SHOWN },
    { "autovacuum_vacuum_insert_threshold", GH_SETTING_SHOWN },
    { "autovacuum_vacuum_max_threshold", GH_SETTING_SHOWN },
    { "autovacuum_vacuum_scale_factor", GH_SETTING_SHOWN },
    { "autovacuum_vacuum_threshold", GH_SETTING_SHOWN },
    { "autovacuum_work_mem", GH_SETTING_SHOWN },
    { "autovacuum_worker_slots", GH_SETTING_SHOWN },
    { "backend_flush_after", GH_SETTING_SHOWN },
    { "backslash_quote", GH_SETTING_SHOWN },
    { "bgwriter_delay", GH_SETTING_SHOWN },
    { "bgwriter_flush_after", GH_SETTING_SHOWN },
    { "bgwriter_lru_maxpages", GH_SETTING_SHOWN },
    { "bgwriter_lru_multiplier", GH_SETTING_SHOWN },
    { "block_size", GH_SETTING_SHOWN },
    { "bytea_output", GH_SETTING_ANY },
    { "check_function_bodies", GH_SETTING_ANY },
    { "checkpoint_completion_target", GH_SETTING_SHOWN },
    { "checkpoint_flush_after", GH_SETTING_SHOWN },
    { "checkpoint_timeout", GH_SETTING_SHOWN },
    { "checkpoint_warning", GH_SETTING_SHOWN },
    { "client_connection_check_interval", GH_SETTING_SHOWN },
    { "client_encoding", GH_SETTING_ENCODING },
    { "client_min_messages", GH_SETTING_MESSAGES },
    { "commit_delay", GH_SETTING_SHOWN },
    { "commit_siblings", GH_SETTING_SHOWN },
    { "constraint_exclusion", GH_SETTING_ANY },
    { "cpu_index_tuple_cost", GH_SETTING_SHOWN },
    { "cpu_operator_cost", GH_SETTING_SHOWN },
    { "cpu_tuple_cost", GH_SETTING_SHOWN },
    { "cursor_tuple_fraction", GH_SETTING_ANY },
    { "data_checksums", GH_SETTING_SHOWN },
    { "datestyle", GH_SETTING_ANY },
    { "deadlock_timeout", GH_SETTING_SHOWN },
    { "debug_assertions", GH_SETTING_SHOWN },
    { "default_statistics_target", GH_SETTING_ANY },
    { "default_table_access_method", GH_SETTING_SHOWN },
    { "default_tablespace", GH_SETTING_SHOWN },
    { "default_text_search_config", GH_SETTING_SHOWN },
    { "default_toast_compression", GH_SETTING_SHOWN },
    { "default_transaction_deferrable", GH_SETTING_ANY },
    { "default_transaction_isolation", GH_SETTING_ANY },
    { "default_transaction_read_only", GH_SETTING_ANY },
    { "default_with_oids", GH_SETTING_ANY }, /* there for old dumps alone */
    { "effective_cache_size", GH_SETTING_SHOWN },
    { "effective_io_concurrency", GH_SETTING_SHOWN },
    { "enable_async_append", GH_SETTING_ANY },
    { "enable_bitmapscan", GH_SETTING_ANY },
    { "enable_distinct_reordering", GH_SETTING_SHOWN },
    { "enable_gathermerge", GH_SETTING_ANY },
    { "enable_group_by_reordering", GH_SETTING_SHOWN },
    { "enable_hashagg", GH_SETTING_ANY },
    { "enable_hashjoin", GH_SETTING_ANY },
    { "enable_incremental_sort", GH_SETTING_ANY },
    { "enable_indexonlyscan", GH_SETTING_ANY },
    { "enable_indexscan", GH_SETTING_ANY },
    { "enable_material", GH_SETTING_ANY },
    { "enable_memoize", GH_SETTING_ANY },
    { "enable_mergejoin", GH_SETTING_ANY },
    { "enable_nestloop", GH_SETTING_ANY },
    { "enable_parallel_append", GH_SETTING_ANY },
    { "enable_parallel_hash", GH_SETTING_ANY },
    { "enable_partition_pruning", GH_SETTING_ANY },
    { "enable_partitionwise_aggregate", GH_SETTING_SHOWN },
    { "enable_partitionwise_join", GH_SETTING_SHOWN },
    { "enable_presorted_aggregate", GH_SETTING_SHOWN },
    { "enable_self_join_elimination", GH_SETTING_SHOWN },
    { "enable_seqscan", GH_SETTING_ANY },
    { "enable_sort", GH_SETTING_ANY },
    { "enable_tidscan", GH_SETTING_ANY },
    { "escape_string_warning", GH_SETTING_ANY },
    { "extra_float_digits", GH_SETTING_ANY },
    { "from_collapse_limit", GH_SETTING_FEW },
    { "fsync", GH_SETTING_SHOWN },
    { "full_page_writes", GH_SETTING_SHOWN },
    { "geqo", GH_SETTING_BOOL },
    { "geqo_effort", GH_SETTING_SHOWN },
    { "geqo_generations", GH_SETTING_SHOWN },
    { "geqo_pool_size", GH_SETTING_SHOWN },
    { "geqo_seed", GH_SETTING_SHOWN },
    { "geqo_selection_bias", GH_SETTING_SHOWN },
    { "geqo_threshold", GH_SETTING_FEW },
    { "gin_fuzzy_search_limit", GH_SETTING_SHOWN },
    { "gin_pending_list_limit", GH_SETTING_SHOWN },
    { "hash_mem_multiplier", GH_SETTING_SHOWN },
    { "hot_standby", GH_SETTING_SHOWN },
    { "hot_standby_feedback", GH_SETTING_SHOWN },
    { "huge_page_size", GH_SETTING_SHOWN },
    { "huge_pages", GH_SETTING_SHOWN },
    { "idle_in_transaction_session_timeout", GH_SETTING_ANY },
    { "idle_session_timeout", GH_SETTING_ANY },
    { "in_hot_standby", GH_SETTING_SHOWN },
    { "integer_datetimes", GH_SETTING_SHOWN },
    { "intervalstyle", GH_SETTING_ANY },
    { "io_combine_limit", GH_SETTING_SHOWN },
    { "io_max_combine_limit", GH_SETTING_SHOWN },
    { "io_max_concurrency", GH_SETTING_SHOWN },
    { "io_method", GH_SETTING_SHOWN },
    { "io_workers", GH_SETTING_SHOWN },
    { "is_superuser", GH_SETTING_VIRTUAL },
    { "jit", GH_SETTING_ANY },
    { "jit_above_cost", GH_SETTING_SHOWN },
    { "jit_expressions", GH_SETTING_SHOWN },
    { "jit_inline_above_cost", GH_SETTING_SHOWN },
    { "jit_optimize_above_cost", GH_SETTING_SHOWN },
    { "jit_tuple_deforming", GH_SETTING_SHOWN },
    { "join_collapse_limit", GH_SETTING_FEW },
    { "lc_collate", GH_SETTING_SHOWN },
    { "lc_ctype", GH_SETTING_SHOWN },
    { "lc_messages", GH_SETTING_SHOWN },
    { "lc_monetary", GH_SETTING_SHOWN },
    { "lc_numeric", GH_SETTING_SHOWN },
    { "lc_time", GH_SETTING_SHOWN },
    { "lo_compat_privileges", GH_SETTING_SHOWN },
    { "lock_timeout", GH_SETTING_ANY },
    { "logical_decoding_work_mem", GH_SETTING_SHOWN },
    { "maintenance_io_concurrency", GH_SETTING_SHOWN },
    { "maintenance_work_mem", GH_SETTING_MEMORY },
    { "max_connections", GH_SETTING_SHOWN },
    { "max_files_per_process", GH_SETTING_SHOWN },
    { "max_function_args", GH_SETTING_SHOWN },
    { "max_identifier_length", GH_SETTING_SHOWN },
    { "max_index_keys", GH_SETTING_SHOWN },
    { "max_locks_per_transaction", GH_SETTING_SHOWN },
    { "max_logical_replication_workers", GH_SETTING_SHOWN },
    { "max_parallel_maintenance_workers", GH_SETTING_SHOWN },
    { "max_parallel_workers", GH_SETTING_SHOWN },
    { "max_parallel_workers_per_gather", GH_SETTING_FEW },
    { "max_pred_locks_per_page", GH_SETTING_SHOWN },
    { "max_pred_locks_per_relation", GH_SETTING_SHOWN },
    { "max_pred_locks_per_transaction", GH_SETTING_SHOWN },
    { "max_prepared_transactions", GH_SETTING_SHOWN },
    { "max_replication_slots", GH_SETTING_SHOWN },
    { "max_slot_wal_keep_size", GH_SETTING_SHOWN },
    { "max_stack_depth", GH_SETTING_SHOWN },
    { "max_standby_archive_delay", GH_SETTING_SHOWN },
    { "max_standby_streaming_delay", GH_SETTING_SHOWN },
    { "max_sync_workers_per_subscription", GH_SETTING_SHOWN },
    { "max_wal_senders", GH_SETTING_SHOWN },
    { "max_wal_size", GH_SETTING_SHOWN },
    { "max_worker_processes", GH_SETTING_SHOWN },
    { "min_parallel_index_scan_size", GH_SETTING_SHOWN },
    { "min_parallel_table_scan_size", GH_SETTING_SHOWN },
    { "min_wal_size", GH_SETTING_SHOWN },
    { "parallel_leader_participation", GH_SETTING_SHOWN },
    { "parallel_setup_cost", GH_SETTING_SHOWN },
    { "parallel_tuple_cost", GH_SETTING_SHOWN },
    { "password_encryption", GH_SETTING_SHOWN },
    { "plan_cache_mode", GH_SETTING_ANY },
    { "quote_all_identifiers", GH_SETTING_SHOWN },
    { "random_page_cost", GH_SETTING_SHOWN },
    { "recursive_worktable_factor", GH_SETTING_SHOWN },
    { "reserved_connections", GH_SETTING_SHOWN },
    { "role", GH_SETTING_VIRTUAL },
    { "row_security", GH_SETTING_BOOL },
    { "search_path", GH_SETTING_VIRTUAL },
    { "segment_size", GH_SETTING_SHOWN },
    { "seq_page_cost", GH_SETTING_SHOWN },
    { "server_encoding", GH_SETTING_SHOWN },
    { "server_version", GH_SETTING_SHOWN },
    { "server_version_num", GH_SETTING_SHOWN },
    { "session_authorization", GH_SETTING_VIRTUAL },
    { "shared_buffers", GH_SETTING_SHOWN },
    { "ssl", GH_SETTING_SHOWN },
    { "ssl_renegotiation_limit", GH_SETTING_ANY }, /* there for old drivers alone */
    { "standard_conforming_strings", GH_SETTING_ON },
    { "statement_timeout", GH_SETTING_ANY },
    { "stats_fetch_consistency", GH_SETTING_SHOWN },
    { "superuser_reserved_connections", GH_SETTING_SHOWN },
    { "synchronize_seqscans", GH_SETTING_ANY },
    { "synchronous_commit", GH_SETTING_ANY },
    { "tcp_keepalives_count", GH_SETTING_SHOWN },
    { "tcp_keepalives_idle", GH_SETTING_SHOWN },
    { "tcp_keepalives_interval", GH_SETTING_SHOWN },
    { "tcp_user_timeout", GH_SETTING_SHOWN },
    { "temp_buffers", GH_SETTING_SHOWN },
    { "temp_file_limit", GH_SETTING_SHOWN },
    { "temp_tablespaces", GH_SETTING_SHOWN },
    { "timezone", GH_SETTING_ANY },
    { "timezone_abbreviations", GH_SETTING_SHOWN },
    { "track_activities", GH_SETTING_SHOWN },
    { "track_activity_query_size", GH_SETTING_SHOWN },
    { "track_commit_timestamp", GH_SETTING_SHOWN },
    { "track_cost_delay_timing", GH_SETTING_SHOWN },
    { "track_counts", GH_SETTING_SHOWN },
    { "track_functions", GH_SETTING_SHOWN },
    { "track_io_timing", GH_SETTING_SHOWN },
    { "track_wal_io_timing", GH_SETTING_SHOWN },
    { "transaction_deferrable", GH_SETTING_ANY },
    { "transaction_isolation", GH_SETTING_ANY },
    { "transaction_read_only", GH_SETTING_ANY },
    { "transaction_timeout", GH_SETTING_ANY },
    { "transform_null_equals", GH_SETTING_SHOWN },
    { "vacuum_buffer_usage_limit", GH_SETTING_SHOWN },
    { "vacuum_cost_delay", GH_SETTING_SHOWN },
    { "vacuum_cost_limit", GH_SETTING_SHOWN },
    { "vacuum_cost_page_dirty", GH_SETTING_SHOWN },
    { "vacuum_cost_page_hit", GH_SETTING_SHOWN },
    { "vacuum_cost_page_miss", GH_SETTING_SHOWN },
    { "vacuum_failsafe_age", GH_SETTING_SHOWN },
    { "vacuum_freeze_min_age", GH_SETTING_SHOWN },
    { "vacuum_freeze_table_age", GH_SETTING_SHOWN },
    { "vacuum_max_eager_freeze_failure_rate", GH_SETTING_SHOWN },
    { "vacuum_multixact_failsafe_age", GH_SETTING_SHOWN },
    { "vacuum_multixact_freeze_min_age", GH_SETTING_SHOWN },
    { "vacuum_multixact_freeze_table_age", GH_SETTING_SHOWN },
    { "vacuum_truncate", GH_SETTING_SHOWN },
    { "wal_block_size", GH_SETTING_SHOWN },
    { "wal_buffers", GH_SETTING_SHOWN },
    { "wal_compression", GH_SETTING_SHOWN },
    { "wal_init_zero", GH_SETTING_SHOWN },
    { "wal_keep_size", GH_SETTING_SHOWN },
    { "wal_level", GH_SETTING_SHOWN },
    { "wal_log_hints", GH_SETTING_SHOWN },
    { "wal_recycle", GH_SETTING_SHOWN },
    { "wal_segment_size", GH_SETTING_SHOWN },
    { "wal_sender_timeout", GH_SETTING_SHOWN },
    { "wal_skip_threshold", GH_SETTING_SHOWN },
    { "wal_sync_method", GH_SETTING_SHOWN },
    { "wal_writer_delay", GH_SETTING_SHOWN },
    { "wal_writer_flush_after", GH_SETTING_SHOWN },
    { "work_mem", GH_SETTING_MEMORY },
    { "xmlbinary", GH_SETTING_ANY },
    { "xmloption", GH_SETTING_ANY },
};

/* SQL's spelling of `SET TIME ZONE`, `SET NAMES` and kin is resolved by the grammar; names ignore
 * case. */
static const gh_setting *find(gh_str name)
{
    for (size_t i = 0; i < GH_COUNT(s_settings); i++) {
        if (gh_str_ieq(name, gh_str_of(s_settings[i].name)))
            return &s_settings[i];
    }
    return NULL;
}

bool gh_setting_may_show(gh_str name)
{
    return find(name) != NULL;
}

bool gh_setting_is_custom(gh_str name)
{
    return memchr(name.ptr, '.', name.len) != NULL;
}

bool gh_setting_is_own_role(gh_str user, gh_str role)
{
    return gh_str_eq(user, role) || gh_str_is(role, "none");
}

static bool is_own_byte(char ch, bool is_first)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_' ||
           ((unsigned char)ch & 0x80u) != 0 ||
           (!is_first && ((ch >= '0' && ch <= '9') || ch == '$'));
}

bool gh_setting_is_own(gh_str name)
{
    bool is_first = true;

    if (name.len > GH_WIRE_NAME_MAX || !gh_setting_is_custom(name) ||
        gh_str_ieq((gh_str){ name.ptr, name.len < 10 ? name.len : 10 }, GH_STR("gatehouse.")))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        bool is_dot = name.ptr[i] == '.';

        if (is_dot ? is_first : !is_own_byte(name.ptr[i], is_first))
            return false;
        is_first = is_dot;
    }
    return !is_first;
}

void gh_setting_put_own(gh_str name, bool is_sql, gh_buf *out)
{
    gh_buf_puts(out, is_sql ? "\"gatehouse_client\".\"" : GH_SETTING_OWN_PREFIX);
    for (size_t i = 0; i < name.len; i++) {
        char ch = name.ptr[i];

        if (is_sql && ch == '.')
            gh_buf_puts(out, "\".\"");
        else
            gh_buf_put_u8(out, (uint8_t)(ch >= 'A' && ch <= 'Z' ? ch + ('a' - 'A') : ch));
    }
    gh_buf_puts(out, is_sql ? "\"" : "");
}

void gh_setting_refuse_show(gh_judge *j, gh_str name)
{
    if (gh_setting_is_custom(name) || !gh_setting_is_known(name))
        gh_judge_refuse(j, GH_DENIED, "42704", -1,
                        "unrecognized configuration parameter \"" GH_STR_FMT "\"",
                        GH_STR_ARG(name));
    else
        gh_judge_refuse(j, GH_DENIED, "42501", -1,
                        "permission denied to examine \"" GH_STR_FMT "\"", GH_STR_ARG(name));
}

bool gh_setting_is_free(gh_str name)
{
    const gh_setting *s = find(name);

    return s != NULL && (s->kind == GH_SETTING_ANY || s->kind == GH_SETTING_BOOL);
}

bool gh_setting_is_virtual(gh_str name)
{
    const gh_setting *s = find(name);

    return s != NULL && s->kind == GH_SETTING_VIRTUAL;
}

const char *gh_setting_name(size_t index)
{
    return index < GH_COUNT(s_settings) ? s_settings[index].name : NULL;
}

/*
 * SECURITY: in these every byte below 0x80 is that ASCII character and nothing else. In SJIS, BIG5,
 * GBK, GB18030, UHC and JOHAB a second byte may be a backslash or a quote, so that a server reads a
 * string's end where the judge saw none. Attack: tests/attack parser-and-server.
 * Letters and digits only, upper case, as PostgreSQL's own pg_char_to_encoding compares names.
 */
static const char *const s_encodings[] = {
    "UTF8",        "UNICODE",     "SQLASCII",    "EUCJP",       "EUCCN",       "EUCKR",
    "EUCTW",       "EUCJIS2004",  "LATIN1",      "LATIN2",      "LATIN3",      "LATIN4",
    "LATIN5",      "LATIN6",      "LATIN7",      "LATIN8",      "LATIN9",      "LATIN10",
    "ISO88591",    "ISO88592",    "ISO88593",    "ISO88594",    "ISO88595",    "ISO88596",
    "ISO88597",    "ISO88598",    "ISO88599",    "ISO885910",   "ISO885913",   "ISO885914",
    "ISO885915",   "ISO885916",   "WIN1250",     "WIN1251",     "WIN1252",     "WIN1253",
    "WIN1254",     "WIN1255",     "WIN1256",     "WIN1257",     "WIN1258",     "WINDOWS1250",
    "WINDOWS1251", "WINDOWS1252", "WINDOWS1253", "WINDOWS1254", "WINDOWS1255", "WINDOWS1256",
    "WINDOWS1257", "WINDOWS1258", "WIN866",      "WIN874",      "WINDOWS866",  "WINDOWS874",
    "WIN",         "ALT",         "ABC",         "TCVN",        "TCVN5712",    "VSCII",
    "KOI8",        "KOI8R",       "KOI8U",
};

bool gh_setting_is_safe_encoding(gh_str value)
{
    char name[32];
    size_t n = 0;

    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];

        if (!isalnum(c))
            continue; /* as PostgreSQL does: "utf-8", "'utf8'" */
        if (n == sizeof(name) - 1)
            return false;
        name[n++] = (char)toupper(c);
    }
    name[n] = '\0';
    for (size_t i = 0; i < GH_COUNT(s_encodings); i++) {
        if (strcmp(name, s_encodings[i]) == 0)
            return true;
    }
    return false;
}

static bool is_one_of(gh_str value, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (gh_str_ieq(value, gh_str_of(words[i])))
            return true;
    }
    return false;
}

static bool is_true(gh_str value)
{
    static const char *const words[] = { "on", "true", "yes", "1" };

    return is_one_of(value, words, GH_COUNT(words));
}

static bool is_false(gh_str value)
{
    static const char *const words[] = { "off", "false", "no", "0" };

    return is_one_of(value, words, GH_COUNT(words));
}

/* SECURITY: below `notice` the upstream would send what debug_print_* and its own planner say of
 * the rewritten statement. Attack: tests/attack error-fields. */
static bool is_safe_level(gh_str value)
{
    static const char *const levels[] = { "notice", "warning", "error" };

    return is_one_of(value, levels, GH_COUNT(levels));
}

static bool is_few(gh_str value)
{
    return (value.len == 1 && value.ptr[0] >= '0' && value.ptr[0] <= '9') ||
           (value.len == 2 && value.ptr[0] == '1' && value.ptr[1] >= '0' && value.ptr[1] <= '2');
}

/* Kilobytes of a memory setting; SIZE_MAX if it cannot be told. */
static size_t kilobytes(gh_str value)
{
    size_t n = 0;
    size_t i = 0;
    gh_str unit;

    while (i < value.len && value.ptr[i] >= '0' && value.ptr[i] <= '9') {
        if (n > SIZE_MAX / 16)
            return SIZE_MAX;
        n = n * 10 + (size_t)(value.ptr[i++] - '0');
    }
    if (i == 0)
        return SIZE_MAX;
    while (i < value.len && value.ptr[i] == ' ')
        i++;
    unit = (gh_str){ value.ptr + i, value.len - i };
    if (unit.len == 0 || gh_str_is(unit, "kB"))
        return n;
    if (gh_str_is(unit, "MB") && n < SIZE_MAX >> 10)
        return n << 10;
    if (gh_str_is(unit, "GB") && n < SIZE_MAX >> 20)
        return n << 20;
    return gh_str_is(unit, "B") ? n >> 10 : SIZE_MAX;
}

gh_rc gh_setting_check_name(gh_str name, gh_err *err)
{
    const gh_setting *s = find(name);

    if (!gh_setting_is_custom(name) && !gh_setting_is_known(name))
        return gh_fail(err, GH_DENIED, "42704",
                       "unrecognized configuration parameter \"" GH_STR_FMT "\"", GH_STR_ARG(name));
    /* With a dot known and unknown names get one answer: which settings the upstream has (extensions'
     * ones, or an operator's own) is nobody's business. */
    if (s == NULL || s->kind == GH_SETTING_SHOWN)
        return gh_fail(err, GH_DENIED, "42501",
                       "permission denied to set parameter \"" GH_STR_FMT "\"", GH_STR_ARG(name));
    return GH_OK;
}

/* May it stand as a value of this setting? */
static bool is_fine(const gh_setting *s, gh_str value)
{
    switch (s->kind) {
    case GH_SETTING_SHOWN:
        return false;
    case GH_SETTING_ANY:
        return true;
    case GH_SETTING_ON:
        return is_true(value);
    case GH_SETTING_BOOL:
        return is_true(value) || is_false(value);
    case GH_SETTING_ENCODING:
        return gh_setting_is_safe_encoding(value);
    case GH_SETTING_MESSAGES:
        return is_safe_level(value);
    case GH_SETTING_MEMORY:
        return kilobytes(value) <= GH_SETTING_WORK_MEM_KB_MAX;
    case GH_SETTING_FEW:
        return is_few(value);
    case GH_SETTING_VIRTUAL:
        return gh_str_is(gh_str_of(s->name), "search_path");
    }
    return false;
}

gh_rc gh_setting_check(gh_str name, gh_str value, gh_err *err)
{
    const gh_setting *s = find(name);

    if (s == NULL || s->kind == GH_SETTING_SHOWN)
        return gh_setting_check_name(name, err);
    if (gh_str_is(gh_str_of(s->name), "search_path") && !gh_setting_is_path(value))
        return gh_fail(err, GH_INVALID, "22023",
                       "invalid value for parameter \"search_path\": \"" GH_STR_FMT "\"",
                       GH_STR_ARG(value));
    if (is_fine(s, value))
        return GH_OK;
    return gh_fail(err, GH_DENIED, "42501",
                   "permission denied to set parameter \"" GH_STR_FMT "\" to \"" GH_STR_FMT "\"",
                   GH_STR_ARG(name), GH_STR_ARG(value));
}

gh_str gh_setting_virtual_value(const gh_rewrite_input *in, gh_str name)
{
    if (gh_str_ieq(name, GH_STR("search_path")))
        return in->search_path_text;
    if (gh_str_ieq(name, GH_STR("session_authorization")))
        return gh_view_user(in->view);
    return gh_str_ieq(name, GH_STR("is_superuser")) ? GH_STR("off") : GH_STR("none");
}

static bool is_self(const gh_token *t, const char *text)
{
    return t->kind == GH_TOKEN_SELF && strcmp(t->text, text) == 0;
}

/* The first token of `current_setting('x')`, `current_setting('x', true)` or one of them with AS, which ends at
 * `last`; SIZE_MAX: it is something else. */
static size_t start_of_setting(const gh_token *t, size_t last)
{
    if (last >= 2 && t[last].kind == GH_TOKEN_IDENT && strcmp(t[last - 1].text, "as") == 0)
        last -= 2;
    if (last < 4 || !is_self(&t[last], ")"))
        return SIZE_MAX;
    last--;
    if (last >= 5 && t[last].kind == GH_TOKEN_KEYWORD && is_self(&t[last - 1], ","))
        last -= 2;
    if (t[last].kind != GH_TOKEN_STRING || !is_self(&t[last - 1], "(") ||
        t[last - 2].kind != GH_TOKEN_IDENT || strcmp(t[last - 2].text, "current_setting") != 0)
        return SIZE_MAX;
    last -= 2;
    if (last >= 3 && is_self(&t[last - 1], ".") && strcmp(t[last - 2].text, "pg_catalog") == 0)
        last -= 2;
    return last;
}

/* Is it `f` or pg_catalog.f at `at`, with an alias or without? Its token behind the bracket that opens; 0: no. */
static size_t arguments_of(const gh_token *t, size_t at, size_t count, const char *f)
{
    if (at + 2 < count && t[at].kind == GH_TOKEN_IDENT && strcmp(t[at].text, "pg_catalog") == 0 &&
        is_self(&t[at + 1], "."))
        at += 2;
    return at + 1 < count && t[at].kind == GH_TOKEN_IDENT && strcmp(t[at].text, f) == 0 &&
                   is_self(&t[at + 1], "(")
               ? at + 2
               : 0;
}

static bool is_path(const gh_token *name)
{
    return name->kind == GH_TOKEN_STRING && strcasecmp(name->text, "search_path") == 0;
}

/* The token behind `set_config('x', 'y', true)` or `set_config('x', $1, true)`, also with AS; 0: it is something else. x is not
 * search_path where what is asked for is that: it is set once. */
static size_t end_of_other(const gh_sql_text *text, size_t at, bool is_of_path)
{
    const gh_token *t = text->tokens;
    size_t name = arguments_of(t, at, text->token_count, "set_config");
    size_t value = name + 2;

    if (name == 0 || value + 3 >= text->token_count || t[name].kind != GH_TOKEN_STRING ||
        (is_of_path && is_path(&t[name])) || !is_self(&t[name + 1], ",") ||
        (t[value].kind != GH_TOKEN_STRING && t[value].kind != GH_TOKEN_PARAM) ||
        !is_self(&t[value + 1], ",") || t[value + 2].kind != GH_TOKEN_KEYWORD ||
        !is_self(&t[value + 3], ")"))
        return 0;
    at = value + 4;
    return at + 1 < text->token_count && t[at].kind == GH_TOKEN_KEYWORD &&
                   strcmp(t[at].text, "as") == 0
               ? at + 2
               : at;
}

/* The first token of the item before the comma at `comma`; SIZE_MAX: there is none of the two kinds. */
static size_t start_of_item(const gh_sql_text *text, size_t first, size_t comma, bool is_of_path)
{
    size_t at = start_of_setting(text->tokens, comma - 1);

    if (at != SIZE_MAX)
        return at;
    for (at = comma; at > first && comma - at < 14; at--) { /* tokens of the longest */
        if (end_of_other(text, at - 1, is_of_path) == comma &&
            (is_self(&text->tokens[at - 2], ",") || at - 2 == first))
            return at - 1;
    }
    return SIZE_MAX;
}

bool gh_setting_is_statement(const gh_sql_text *text, size_t first, size_t end)
{
    const gh_token *t = text->tokens;
    size_t name = arguments_of(t, first, text->token_count, "set_config");
    bool is_of_path = name == 0 || name >= text->token_count || is_path(&t[name]);
    size_t start = first;

    while (start > 0 && !is_self(&t[start - 1], ";"))
        start--; /* SELECT */
    while (first != SIZE_MAX && first >= 2 && is_self(&t[first - 1], ","))
        first = start_of_item(text, start, first - 1, is_of_path);
    if (first == SIZE_MAX || first == 0 || t[first - 1].kind != GH_TOKEN_KEYWORD ||
        strcmp(t[first - 1].text, "select") != 0)
        return false;
    if (first >= 2 && !is_self(&t[first - 2], ";"))
        return false;
    while (end < text->token_count && is_self(&t[end], ",")) {
        end = end_of_other(text, end + 1, is_of_path);
        if (end == 0)
            return false;
    }
    return end >= text->token_count || is_self(&t[end], ";");
}
