/*
 * serve: reads the config file and hands over to the server.
 */
#include "cli_priv.h"

#include <gatehouse/server.h>

/* A fault's line goes to the log's stream; the running config stays. */
static gh_rc reload(void *arg, gh_arena *a, gh_config *out, gh_err *err)
{
    const gh_config *running = arg;
    gh_str bytes;
    gh_buf faults;
    gh_rc rc = cli_read_file(running->path.ptr, GH_CONFIG_BYTES_MAX, a, &bytes, err);

    if (rc != GH_OK)
        return rc;
    gh_buf_init(&faults, 0);
    rc = gh_config_read(running->path, bytes, a, out, &faults);
    if (rc != GH_OK) {
        (void)fprintf(stderr, GH_STR_FMT, GH_STR_ARG(gh_buf_str(&faults)));
        rc = gh_fail(err, rc, "F0000", GH_STR_FMT ": the config file has faults",
                     GH_STR_ARG(running->path));
    }
    gh_buf_fini(&faults);
    return rc;
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
    .help = "SIGTERM drains and stops, SIGHUP reads the config file, certificates and client CA "
            "again. The log goes to stderr.",
    .example = "  gatehouse serve --config gatehouse.yaml",
    .shared = CLI_CONFIG,
    .run = run_serve,
};
