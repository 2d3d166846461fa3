/*
 * audit verify: whether the chain holds, and where it ends, so that this can be kept somewhere else.
 *
 *     $ gatehouse audit verify ...                    the end: 4711:9c56cc51...
 *     $ gatehouse audit verify ... --known 4711:9c56cc51...    is that still in it?
 */
#include "cli_priv.h"

#include <inttypes.h>

#include <gatehouse/auditlog.h>

enum { HEX_LEN = 2 * GH_AUDIT_HASH_LEN };

static bool read_hex(const char *text, uint8_t out[GH_AUDIT_HASH_LEN])
{
    char again[HEX_LEN];

    for (size_t i = 0; i < GH_AUDIT_HASH_LEN; i++) {
        unsigned int byte = 0;

        if (sscanf(text + 2 * i, "%2x", &byte) != 1)
            return false;
        out[i] = (uint8_t)byte;
    }
    /* Only what reads as it is written: no signs, no blanks, no capitals. */
    gh_audit_hex(out, GH_AUDIT_HASH_LEN, again);
    return memcmp(text, again, HEX_LEN) == 0;
}

/* SEQ:HASH, as the verb prints it. */
static bool read_known(const char *text, gh_audit_chain *out)
{
    const char *colon = strchr(text, ':');
    int64_t seq = 0;

    if (colon == NULL || strlen(colon + 1) != HEX_LEN ||
        !gh_config_parse_int((gh_str){ text, (size_t)(colon - text) }, &seq) || seq < 1)
        return false;
    out->seq = (uint64_t)seq;
    return read_hex(colon + 1, out->hash);
}

static void print_extent(const cli_call *c, const gh_auditlog_extent *x)
{
    char hash[HEX_LEN + 1] = "";
    uint64_t count = x->end.seq > 0 ? x->end.seq - x->first_seq + 1 : 0;

    gh_audit_hex(x->end.hash, GH_AUDIT_HASH_LEN, hash);
    if (cli_has(c, "--json"))
        (void)printf("{\"records\":%" PRIu64 ",\"first\":%" PRIu64 ",\"last\":%" PRIu64
                     ",\"hash\":\"%s\"}\n",
                     count, x->first_seq, x->end.seq, hash);
    else if (count == 0)
        (void)printf("there is no record yet\n");
    else
        (void)printf("%" PRIu64 " records, %" PRIu64 " to %" PRIu64 ": the chain holds\n%" PRIu64
                     ":%s\n",
                     count, x->first_seq, x->end.seq, x->end.seq, hash);
}

static int run_verify(cli_call *c)
{
    const char *text = cli_value(c, "--known");
    gh_audit_chain known = { 0 };
    gh_auditlog_extent extent = { 0 };
    gh_err err = { 0 };
    gh_str dir = { NULL, 0 };

    if (text != NULL && !read_known(text, &known))
        return cli_usage(
            c, "--known: expected a record's number and hash, 17:9c56..., found \"%s\"", text);
    int code = cli_audit_dir(c, &dir);
    if (code != GH_CLI_DONE)
        return code;
    if (gh_auditlog_verify(dir, text != NULL ? &known : NULL, &extent, &err) != GH_OK)
        return cli_fail_err(&err);
    print_extent(c, &extent);
    return GH_CLI_DONE;
}

static const cli_option s_verify_options[] = {
    { "--dir", "DIR", "the folder of the audit log, instead of the config file's" },
    { "--known", "SEQ:HASH", "a record that must be in it: the end that was printed earlier" },
};

const cli_verb cli_audit_verify = {
    .group = "audit",
    .name = "verify",
    .summary = "Check the hash chain of the audit log, and print its end",
    .help = "Reads every record, also while a proxy writes. Exit code 1, with file and line, where "
            "the\n"
            "chain breaks: a record was changed, removed, inserted or moved. What was cut off the\n"
            "end, or written anew as a whole, breaks nothing: keep the end, SEQ:HASH, somewhere\n"
            "else, and give it with --known the next time. Old segments may be gone.",
    .example = "  gatehouse audit verify --config gatehouse.yaml\n"
               "  gatehouse audit verify --dir audit --known \"$(tail -1 noted)\"",
    .shared = CLI_CONFIG | CLI_JSON,
    .options = s_verify_options,
    .option_count = GH_COUNT(s_verify_options),
    .run = run_verify,
};
