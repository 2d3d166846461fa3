/*
 * The table of verbs, and the way from argv to one of them.
 */
#include "cli_priv.h"
#include "complete.h"

#include <stdlib.h>

static const cli_verb *const s_verbs[] = {
    &cli_serve,           &cli_check,         &cli_init,
    &cli_policy_apply,    &cli_policy_export, &cli_policy_history,
    &cli_policy_rollback, &cli_policy_plan,   &cli_policy_lint,
    &cli_policy_test,     &cli_policy_import, &cli_policy_unused,
    &cli_user_add,        &cli_user_list,     &cli_user_show,
    &cli_user_password,   &cli_user_disable,  &cli_user_enable,
    &cli_user_drop,       &cli_role_add,      &cli_role_list,
    &cli_role_show,       &cli_role_drop,     &cli_member_add,
    &cli_member_drop,     &cli_grant,         &cli_deny,
    &cli_revoke,          &cli_tag_add,       &cli_tag_drop,
    &cli_tag_list,        &cli_mask_add,      &cli_mask_drop,
    &cli_mask_list,       &cli_grants,        &cli_who,
    &cli_explain,         &cli_audit_tail,    &cli_audit_search,
    &cli_audit_show,      &cli_audit_stats,   &cli_audit_verify,
    &cli_session_list,    &cli_session_kill,  &cli_status,
    &cli_reload,          &cli_completion,
};

static const cli_verb *find_verb(const char *group, const char *name)
{
    for (size_t i = 0; i < GH_COUNT(s_verbs); i++) {
        const cli_verb *v = s_verbs[i];
        bool is_group =
            group == NULL ? v->group == NULL : v->group != NULL && strcmp(v->group, group) == 0;
        if (is_group && strcmp(v->name, name) == 0)
            return v;
    }
    return NULL;
}

static bool is_group(const char *word)
{
    for (size_t i = 0; i < GH_COUNT(s_verbs); i++)
        if (s_verbs[i]->group != NULL && strcmp(s_verbs[i]->group, word) == 0)
            return true;
    return false;
}

static int unknown_verb(const char *group, const char *word)
{
    const char *names[2 * GH_COUNT(s_verbs)];
    size_t count = 0;

    for (size_t i = 0; i < GH_COUNT(s_verbs); i++) {
        const cli_verb *v = s_verbs[i];
        if (group == NULL)
            names[count++] = v->group != NULL ? v->group : v->name;
        else if (v->group != NULL && strcmp(v->group, group) == 0)
            names[count++] = v->name;
    }
    const char *meant = gh_config_suggest(gh_str_of(word), names, count);
    const char *space = group != NULL ? " " : "";
    const char *prefix = group != NULL ? group : "";
    if (meant != NULL)
        (void)fprintf(stderr, "gatehouse: unknown command \"%s%s%s\"; did you mean \"%s%s%s\"?\n",
                      prefix, space, word, prefix, space, meant);
    else
        (void)fprintf(stderr, "gatehouse: unknown command \"%s%s%s\"; see `gatehouse%s%s --help`\n",
                      prefix, space, word, space, prefix);
    return GH_CLI_USAGE;
}

/* ---- options --------------------------------------------------------------------------------- */

const cli_option *cli_find_option(const cli_verb *v, const char *name, size_t len)
{
    for (size_t i = 0; i < v->option_count; i++)
        if (strlen(v->options[i].name) == len && memcmp(v->options[i].name, name, len) == 0)
            return &v->options[i];
    for (uint32_t bit = 1; bit <= CLI_JSON; bit <<= 1) {
        size_t count = 0;
        const cli_option *shared = cli_shared_options(v->shared & bit, &count);
        for (size_t i = 0; i < count; i++)
            if (strlen(shared[i].name) == len && memcmp(shared[i].name, name, len) == 0)
                return &shared[i];
    }
    return NULL;
}

static int unknown_option(const cli_call *c, const char *word)
{
    const char *names[64];
    size_t count = 0;

    names[count++] = "--help";
    for (size_t i = 0; i < c->verb->option_count && count < GH_COUNT(names); i++)
        names[count++] = c->verb->options[i].name;
    for (uint32_t bit = 1; bit <= CLI_JSON; bit <<= 1) {
        size_t shared_count = 0;
        const cli_option *shared = cli_shared_options(c->verb->shared & bit, &shared_count);
        for (size_t i = 0; i < shared_count && count < GH_COUNT(names); i++)
            names[count++] = shared[i].name;
    }
    const char *meant = gh_config_suggest(gh_str_of(word), names, count);
    if (meant != NULL)
        return cli_usage(c, "unknown option \"%s\": did you mean \"%s\"?", word, meant);
    return cli_usage(c, "unknown option \"%s\"", word);
}

/* Takes the option at argv[*i], and its value where that is the next word. */
static int take_option(cli_call *c, int argc, char *const *argv, int *i)
{
    const char *word = argv[*i];
    const char *equals = strchr(word, '=');
    size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);
    const cli_option *option = cli_find_option(c->verb, word, len);

    if (option == NULL)
        return unknown_option(c, word);
    if (c->given_count == CLI_OPTIONS_MAX)
        return cli_usage(c, "more than %d options", CLI_OPTIONS_MAX);
    const char *value = NULL;
    if (option->value == NULL && equals != NULL)
        return cli_usage(c, "%s takes no value", option->name);
    if (option->value != NULL) {
        if (equals == NULL && *i + 1 == argc)
            return cli_usage(c, "%s needs a value: %s", option->name, option->value);
        if (equals == NULL)
            ++*i;
        value = equals != NULL ? equals + 1 : argv[*i];
    }
    c->given[c->given_count].option = option;
    c->given[c->given_count].value = value;
    c->given_count++;
    return GH_CLI_DONE;
}

/* Options may stand anywhere; behind `--` every word is an argument. */
static int read_words(cli_call *c, int argc, char *const *argv, int first)
{
    bool has_options = true;

    for (int i = first; i < argc; i++) {
        const char *word = argv[i];
        if (has_options && strcmp(word, "--") == 0) {
            has_options = false;
            continue;
        }
        if (has_options && word[0] == '-' && word[1] != '\0') {
            int code = take_option(c, argc, argv, &i);
            if (code != GH_CLI_DONE)
                return code;
            continue;
        }
        if (c->arg_count == c->verb->args_max || c->arg_count == CLI_ARGS_MAX)
            return cli_usage(c, "unexpected argument \"%s\"", word);
        c->args[c->arg_count] = word;
        c->arg_count++;
    }
    if (c->arg_count < c->verb->args_min)
        return cli_usage(c, "%s is missing", c->verb->args);
    return GH_CLI_DONE;
}

static bool asks_for_help(int argc, char *const *argv, int first)
{
    for (int i = first; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0)
            return false;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

static int run_verb(const cli_verb *v, int argc, char *const *argv, int first)
{
    if (asks_for_help(argc, argv, first)) {
        cli_help_verb(stdout, v);
        return GH_CLI_DONE;
    }
    cli_call *c = gh_alloc(sizeof(*c));
    c->verb = v;
    c->arena = gh_arena_new(0);
    int code = read_words(c, argc, argv, first);
    if (code == GH_CLI_DONE)
        code = v->run(c);
    gh_arena_free(c->arena);
    free(c);
    /* A result that did not reach its reader is no result. */
    if (fflush(stdout) != 0 && code == GH_CLI_DONE)
        code = cli_fail("the output could not be written");
    return code;
}

static int run_group(const char *group, int argc, char *const *argv)
{
    if (argc < 3 || strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0) {
        bool is_asked = argc >= 3;
        cli_help_group(is_asked ? stdout : stderr, s_verbs, GH_COUNT(s_verbs), group);
        return is_asked ? GH_CLI_DONE : GH_CLI_USAGE;
    }
    const cli_verb *v = find_verb(group, argv[2]);
    return v != NULL ? run_verb(v, argc, argv, 3) : unknown_verb(group, argv[2]);
}

/* `gatehouse help VERB` is `gatehouse VERB --help`. */
static int help_of(int argc, char *const *argv)
{
    bool is_grouped = is_group(argv[2]);
    const cli_verb *v = !is_grouped ? find_verb(NULL, argv[2])
                        : argc > 3  ? find_verb(argv[2], argv[3])
                                    : NULL;

    if (is_grouped && argc == 3)
        cli_help_group(stdout, s_verbs, GH_COUNT(s_verbs), argv[2]);
    else if (v != NULL)
        cli_help_verb(stdout, v);
    else
        return unknown_verb(is_grouped ? argv[2] : NULL, is_grouped ? argv[3] : argv[2]);
    return GH_CLI_DONE;
}

int gh_cli_run(int argc, char *const *argv)
{
    if (argc < 2) {
        cli_help_all(stderr, s_verbs, GH_COUNT(s_verbs));
        return GH_CLI_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "help") == 0 && argc > 2)
        return help_of(argc, argv);
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        cli_help_all(stdout, s_verbs, GH_COUNT(s_verbs));
        return GH_CLI_DONE;
    }
    if (strcmp(word, "complete") == 0) /* not for people: the shells' scripts ask it */
        return cli_complete(s_verbs, GH_COUNT(s_verbs), argv + 2, (size_t)(argc - 2));
    if (strcmp(word, "--version") == 0) {
        (void)printf("gatehouse %s\n", GATEHOUSE_VERSION);
        return GH_CLI_DONE;
    }
    if (is_group(word))
        return run_group(word, argc, argv);
    const cli_verb *v = find_verb(NULL, word);
    return v != NULL ? run_verb(v, argc, argv, 2) : unknown_verb(NULL, word);
}
