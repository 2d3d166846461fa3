/*
 * server: the running proxy. Threads, signals, reloads, and what the workers share.
 *
 *     main thread      signals: TERM, INT drain; HUP reloads certificates and policy
 *     workers (N)      one event loop each: listeners (SO_REUSEPORT), sessions, upstream pools,
 * plan cache store thread     polls the ACL's version, compiles, swaps the policy catalog threads
 * one a warehouse: reads the catalog every few seconds and at once when poked audit writer     the
 * auditlog module's own
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

/*
 * Serves until SIGTERM or SIGINT, then drains. `reload` (may be NULL) reads the config file again
 * on SIGHUP. GH_OK: drained. Anything else: could not start; err says why.
 */
GH_MUST_USE gh_rc gh_server_run(const gh_config *config, gh_err *err);

#endif
