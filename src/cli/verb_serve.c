/*
 * serve: reads the config file and hands over to the server.
 */
#include "cli_priv.h"

#include <gatehouse/server.h>

static gh_rc reload(void *arg, gh_arena *a, gh_config *out, gh_buf *faults)
{
    const gh_config *running = arg;
    gh_str bytes;
    gh_err err = { 0 };
    gh_rc rc = cli_read_file(running->path.ptr, GH_CONFIG_BYTES_MAX, a, &bytes, &err);

    if (rc != GH_OK)
        gh_buf_puts(faults, err.public_msg);
    return rc == GH_OK ? gh_config_read(running->path, bytes, a, out, faults) : rc;
}

static int run_serve(cli_call *c)
{
    gh_err err = { 0 };
    int code = cli_read_config(c);

    if (code != GH_CLI_DONE)
        return code;
    return gh_server_run(&c->config, reload, &c->config, &err) == GH_OK ? GH_CLI_DONE
                                                                        : cli_fail_err(&err);
}

const cli_verb cli_serve = {
    .name = "serve",
    .summary = "Run the proxy in the foreground",
    .help = "SIGTERM drains and stops, SIGHUP reads the config file, certificates and client CA\n"
            "again. The log goes to stderr.",
    .example = "  gatehouse serve --config gatehouse.yaml",
    .shared = CLI_CONFIG,
    .run = run_serve,
};
