/*
 * serve: reads the config file and hands over to the server.
 */
#include "cli_priv.h"

#include <gatehouse/server.h>

static int run_serve(cli_call *c)
{
    gh_err err = { 0 };
    int code = cli_read_config(c);

    if (code != GH_CLI_DONE)
        return code;
    return gh_server_run(&c->config, &err) == GH_OK ? GH_CLI_DONE : cli_fail_err(&err);
}

const cli_verb cli_serve = {
    .name = "serve",
    .summary = "Run the proxy in the foreground",
    .help = "SIGTERM drains and stops, SIGHUP reloads the certificate and the policy. The log goes "
            "to stderr.",
    .example = "  gatehouse serve --config gatehouse.yaml",
    .shared = CLI_CONFIG,
    .run = run_serve,
};
