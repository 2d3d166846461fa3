/*
 * cli: the command line. One table of verbs; a verb is one file that says what it is called, which
 * options it takes, what its help shows, and what it does.
 *
 *     argv ─▶ verb (one word, or group and word) ─▶ options, anywhere ─▶ run ─▶ exit code
 *
 * Exit codes: 0 done, 1 refused or failed, 2 wrong usage. Results go to stdout, diagnostics to
 * stderr. Secrets come from stdin, a file or the environment, never from argv.
 *
 * Called once, by the main thread.
 */
#ifndef GATEHOUSE_CLI_H
#define GATEHOUSE_CLI_H

enum { GH_CLI_DONE = 0, GH_CLI_FAILED = 1, GH_CLI_USAGE = 2 };

int gh_cli_run(int argc, char *const *argv);

#endif
