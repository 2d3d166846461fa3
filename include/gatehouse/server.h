/*
 * server: the running proxy. Threads, signals, reloads, and what the workers share.
 *
 *     main thread      signals: TERM, INT drain; HUP reads the config file again. The control socket:
 *                      docs/operations.md
 *     workers (N)      one event loop each: listeners (SO_REUSEPORT), sessions, upstream pools, plan cache
 *     store thread     polls the ACL's version, compiles, swaps the policy
 *     catalog threads  one a warehouse: reads the catalog every few seconds and at once when poked
 *     judge threads    statements that are too long for a worker to stop for: session's own
 *     audit writer     the auditlog module's own
 *
 * Workers share immutable snapshots, handed over under a lock that is taken only when a version
 * counter moved, a sharded table of cancel keys, and their mailboxes.
 *
 * Memory: all of it ends with gh_server_run. Threads: gh_server_run is called by the main thread,
 * once a process.
 */
#ifndef GATEHOUSE_SERVER_H
#define GATEHOUSE_SERVER_H

#include <gatehouse/base.h>
#include <gatehouse/config.h>
#include <gatehouse/tls.h>

/*
 * Reads the config file again, into the arena. Anything but GH_OK: it stays as it was, and *faults says why, a line each.
 */
typedef gh_rc (*gh_server_reload_fn)(void *arg, gh_arena *a, gh_config *out, gh_buf *faults);

/*
 * Serves until SIGTERM or SIGINT, then drains. `reload` is called on SIGHUP, on the caller's
 * thread: `tls` and `limits` take effect for new clients and statements; what else differs is named
 * in the log and waits for a restart. GH_OK: drained. Anything else: could not start; err says why.
 */
GH_MUST_USE gh_rc gh_server_run(const gh_config *config, gh_server_reload_fn reload, void *arg,
                                gh_err *err);

/*
 * The password of a warehouse's account: the first line of password_file, or password_env; empty where neither is
 * configured. The caller wipes it by gh_secret_fini. GH_INVALID: others may read the file.
 */
GH_MUST_USE gh_rc gh_server_password(const gh_config_warehouse *w, gh_secret *out, gh_err *err);

/* What the config's `tls` says, files read and checked. *out is NULL with `mode: disable`. */
GH_MUST_USE gh_rc gh_server_load_tls(const gh_config *config, gh_tls_server **out, gh_err *err);

#endif
