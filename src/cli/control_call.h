/*
 * control_call.h: a request to a running proxy, over its control socket.
 */
#ifndef GATEHOUSE_CLI_CONTROL_CALL_H
#define GATEHOUSE_CLI_CONTROL_CALL_H

#include "cli_priv.h"

extern const cli_option cli_control_options[];
#define CLI_CONTROL_OPTIONS 1

/*
 * Sends the line (without its newline) to the proxy of --control or of the config's `control`, and waits for the
 * answer, into the call's arena: *lines are its lines of JSON without the last, which says how it went.
 * GH_CLI_DONE: it went well. Otherwise what went wrong was said, and *lines may hold something all the same.
 */
GH_MUST_USE int cli_control_ask(cli_call *c, gh_str request, gh_str *lines);

/* The next line; false: there is none. */
bool cli_control_line(gh_str *lines, gh_str *line);

#endif
