/*
 * Names of settings that PostgreSQL has or had (13 to 18) beyond those of setting.c: what they hold is the operator's own.
 *
 *     SHOW log_statement   42501, permission denied       SHOW tables   42704, as PostgreSQL says of what nobody has
 *
 * SECURITY: the lists alone decide, whatever the server has, so that no answer tells of what an extension or an operator
 * brought. Attack: tests/attack functions.
 */
#include "setting.h"

static const char *const s_names[] = {
    "allow_alter_system", "allow_in_place_tablespaces", "allow_system_table_mods",
    "archive_cleanup_command", "archive_command", "archive_library", "authentication_timeout",
    "backtrace_functions", "bonjour", "bonjour_name", "cluster_name", "commit_timestamp_buffers",
    "composite_type_mismatch", "compute_query_id", "config_file", "createrole_self_grant",
    "data_directory", "data_directory_mode", "data_sync_retry", "db_user_namespace",
    "debug_copy_parse_plan_trees", "debug_deadlocks", "debug_discard_caches", "debug_io_direct",
    "debug_logical_replication_streaming", "debug_parallel_query", "debug_pretty_print",
    "debug_print_parse", "debug_print_plan", "debug_print_rewritten",
    "debug_raw_expression_coverage_test", "debug_write_read_parse_plan_trees",
    "dynamic_library_path", "dynamic_shared_memory_type", "event_source", "event_triggers",
    "exit_on_error", "extension_control_path", "extension_destdir", "external_pid_file",
    "file_copy_method", "file_extend_method", "force_parallel_mode", "gss_accept_delegation",
    "hba_file", "huge_pages_status", "icu_validation_level", "ident_file",
    "idle_replication_slot_timeout", "ignore_checksum_failure", "ignore_invalid_pages",
    "ignore_system_indexes", "jit_debugging_support", "jit_dump_bitcode", "jit_profiling_support",
    "jit_provider", "krb_caseins_users", "krb_server_keyfile", "listen_addresses",
    "local_preload_libraries", "log_autovacuum_min_duration", "log_btree_build_stats",
    "log_checkpoints", "log_connections", "log_destination", "log_directory", "log_disconnections",
    "log_duration", "log_error_verbosity", "log_executor_stats", "log_file_mode", "log_filename",
    "log_hostname", "log_line_prefix", "log_lock_failures", "log_lock_waits",
    "log_min_duration_sample", "log_min_duration_statement", "log_min_error_statement",
    "log_min_messages", "log_parameter_max_length", "log_parameter_max_length_on_error",
    "log_parser_stats", "log_planner_stats", "log_recovery_conflict_waits",
    "log_replication_commands", "log_rotation_age", "log_rotation_size",
    "log_startup_progress_interval", "log_statement", "log_statement_sample_rate",
    "log_statement_stats", "log_temp_files", "log_timezone", "log_transaction_sample_rate",
    "log_truncate_on_rotation", "logging_collector", "logical_replication_mode",
    "max_active_replication_origins", "max_notify_queue_pages",
    "max_parallel_apply_workers_per_subscription", "md5_password_warnings",
    "min_dynamic_shared_memory", "multixact_member_buffers", "multixact_offset_buffers",
    "notify_buffers", "num_os_semaphores", "oauth_validator_libraries", "old_snapshot_threshold",
    "operator_precedence_warning", "optimize_bounded_sort", "output_plugin_libraries", "port",
    "post_auth_delay", "pre_auth_delay", "primary_conninfo", "primary_slot_name",
    "promote_trigger_file", "recovery_end_command", "recovery_init_sync_method",
    "recovery_min_apply_delay", "recovery_prefetch", "recovery_target", "recovery_target_action",
    "recovery_target_inclusive", "recovery_target_lsn", "recovery_target_name",
    "recovery_target_time", "recovery_target_timeline", "recovery_target_xid",
    "remove_temp_files_after_crash", "restart_after_crash", "restore_command",
    "restrict_nonsystem_relation_kind", "scram_iterations", "seed", "send_abort_for_crash",
    "send_abort_for_kill", "serializable_buffers", "session_preload_libraries",
    "session_replication_role", "shared_memory_size", "shared_memory_size_in_huge_pages",
    "shared_memory_type", "shared_preload_libraries", "ssl_ca_file", "ssl_cert_file", "ssl_ciphers",
    "ssl_crl_dir", "ssl_crl_file", "ssl_dh_params_file", "ssl_ecdh_curve", "ssl_groups",
    "ssl_key_file", "ssl_library", "ssl_max_protocol_version", "ssl_min_protocol_version",
    "ssl_passphrase_command", "ssl_passphrase_command_supports_reload", "ssl_prefer_server_ciphers",
    "ssl_tls13_ciphers", "stats_temp_directory", "subtransaction_buffers", "summarize_wal",
    "sync_replication_slots", "synchronized_standby_slots", "synchronous_standby_names",
    "syslog_facility", "syslog_ident", "syslog_sequence_numbers", "syslog_split_messages",
    "trace_connection_negotiation", "trace_lock_oidmin", "trace_lock_table", "trace_locks",
    "trace_lwlocks", "trace_notify", "trace_recovery_messages", "trace_sort", "trace_syncscan",
    "trace_userlocks", "transaction_buffers", "unix_socket_directories", "unix_socket_group",
    "unix_socket_permissions", "update_process_title", "vacuum_cleanup_index_scale_factor",
    "vacuum_defer_cleanup_age", "wal_consistency_checking", "wal_debug", "wal_decode_buffer_size",
    "wal_receiver_create_temp_slot", "wal_receiver_status_interval", "wal_receiver_timeout",
    "wal_retrieve_retry_interval", "wal_summary_keep_time", "zero_damaged_pages",
};

bool gh_setting_is_known(gh_str name)
{
    if (gh_setting_may_show(name))
        return true;
    for (size_t i = 0; i < GH_COUNT(s_names); i++) {
        if (gh_str_ieq(name, gh_str_of(s_names[i])))
            return true;
    }
    return false;
}
