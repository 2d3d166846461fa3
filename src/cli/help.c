/*
 * --help: of everything, of a group, of a verb.
 */
#include "cli_priv.h"

static const cli_option s_acl[] = {
    { "--acl", "FILE", "the ACL; or GATEHOUSE_ACL, or the acl of the config file" },
};
static const cli_option s_config[] = {
    { "--config", "FILE", "the config file; or GATEHOUSE_CONFIG" },
};
static const cli_option s_author[] = {
    { "--by", "NAME", "who makes the change, for the history (default: who you are)" },
    { "--reason", "TEXT", "why, for the history" },
};
static const cli_option s_json[] = {
    { "--json", NULL, "an object a line, for programs" },
};

/* Where what a word means stands, behind an indent of two. */
enum { SUMMARY_COLUMN = 32, OPTION_COLUMN = 24 };

const cli_option *cli_shared_options(uint32_t bit, size_t *count)
{
    *count = 1;
    if (bit == CLI_ACL)
        return s_acl;
    if (bit == CLI_CONFIG)
        return s_config;
    if (bit == CLI_JSON)
        return s_json;
    *count = bit == CLI_AUTHOR ? GH_COUNT(s_author) : 0;
    return s_author;
}

static void usage_line(FILE *out, const cli_verb *v)
{
    (void)fprintf(out, "gatehouse %s%s%s%s%s", v->group != NULL ? v->group : "",
                  v->group != NULL ? " " : "", v->name, v->args != NULL ? " " : "",
                  v->args != NULL ? v->args : "");
}

/* Words that reach into the column of what they mean have a line of their own. */
static void put_pair(FILE *out, const char *words, int column, const char *meaning)
{
    if (strlen(words) > (size_t)column)
        (void)fprintf(out, "  %s\n  %-*s %s\n", words, column, "", meaning);
    else
        (void)fprintf(out, "  %-*s %s\n", column, words, meaning);
}

static void summary_line(FILE *out, const cli_verb *v)
{
    char words[80];

    (void)snprintf(words, sizeof(words), "%s%s%s%s%s", v->group != NULL ? v->group : "",
                   v->group != NULL ? " " : "", v->name, v->args != NULL ? " " : "",
                   v->args != NULL ? v->args : "");
    put_pair(out, words, SUMMARY_COLUMN, v->summary);
}

static void option_lines(FILE *out, const cli_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char words[80];
        (void)snprintf(words, sizeof(words), "%s%s%s", options[i].name,
                       options[i].value != NULL ? " " : "",
                       options[i].value != NULL ? options[i].value : "");
        put_pair(out, words, OPTION_COLUMN, options[i].help);
    }
}

void cli_help_verb(FILE *out, const cli_verb *v)
{
    (void)fputs("Usage: ", out);
    usage_line(out, v);
    (void)fprintf(out, "%s\n\n%s.\n", v->option_count > 0 || v->shared != 0 ? " [OPTIONS]" : "",
                  v->summary);
    if (v->help != NULL)
        (void)fprintf(out, "\n%s\n", v->help);
    (void)fputs("\nOptions:\n", out);
    option_lines(out, v->options, v->option_count);
    for (uint32_t bit = 1; bit <= CLI_JSON; bit <<= 1) {
        size_t count = 0;
        const cli_option *shared = cli_shared_options(v->shared & bit, &count);
        option_lines(out, shared, count);
    }
    put_pair(out, "--help", OPTION_COLUMN, "this text");
    (void)fprintf(out, "\nExample:\n%s\n", v->example);
}

void cli_help_group(FILE *out, const cli_verb *const *verbs, size_t count, const char *group)
{
    (void)fprintf(out, "Usage: gatehouse %s COMMAND [OPTIONS]\n\nCommands:\n", group);
    for (size_t i = 0; i < count; i++)
        if (verbs[i]->group != NULL && strcmp(verbs[i]->group, group) == 0)
            summary_line(out, verbs[i]);
    (void)fprintf(out, "\nSee `gatehouse %s COMMAND --help`.\n", group);
}

void cli_help_all(FILE *out, const cli_verb *const *verbs, size_t count)
{
    (void)fputs(
        "Gatehouse: a PostgreSQL proxy that shows everyone exactly what the policy grants.\n\n"
        "Usage: gatehouse COMMAND [ARGUMENTS] [OPTIONS]\n\nCommands:\n",
        out);
    for (size_t i = 0; i < count; i++)
        summary_line(out, verbs[i]);
    (void)fputs("\n  --version                        print the version\n"
                "  --help                           this text; each command has its own, with an "
                "example\n\n"
                "Exit codes: 0 done, 1 refused or failed, 2 wrong usage.\n",
                out);
}
