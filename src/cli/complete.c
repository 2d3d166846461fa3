/*
 * Completion: what may stand where the cursor is. The shells' scripts (verb_completion.c) ask for it with
 * every key, so that what they offer is what this program takes: its verbs, options and words are read
 * from the table that --help is made of, and names from the ACL.
 *
 *     gatehouse complete grant select on sa     ──▶  sales.orders
 *                                                    sales.refunds
 *
 * A line a candidate, what it means behind a tab; `:files` and `:dirs` say that the shell's own will do.
 */
#include "complete.h"

#include <stdlib.h>

enum { NAMES_MAX = 1000 }; /* of one kind */

typedef struct completion {
    cli_call *c;
    gh_str cur;    /* the word at the cursor */
    gh_str before; /* of it, what stands before the part that is completed: "--user=", "select," */
    const char *args[CLI_OPTIONS_MAX];
    size_t arg_count; /* arguments before the cursor */
    gh_store *store;
    bool has_asked; /* for the store */
} completion;

static bool starts_with(gh_str s, gh_str prefix)
{
    return s.len >= prefix.len && memcmp(s.ptr, prefix.ptr, prefix.len) == 0;
}

/* The part of the word behind `before`. */
static gh_str rest(const completion *k)
{
    return (gh_str){ k->cur.ptr + k->before.len, k->cur.len - k->before.len };
}

static void offer(const completion *k, gh_str word, const char *help)
{
    if (!starts_with(word, rest(k)))
        return;
    (void)printf(GH_STR_FMT GH_STR_FMT "%s%s\n", GH_STR_ARG(k->before), GH_STR_ARG(word),
                 help != NULL ? "\t" : "", help != NULL ? help : "");
}

static void offer_words(const completion *k, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        offer(k, gh_str_of(words[i]), NULL);
}

/* Only what follows the last comma is completed. */
static void behind_comma(completion *k)
{
    for (size_t i = k->before.len; i < k->cur.len; i++)
        if (k->cur.ptr[i] == ',')
            k->before = (gh_str){ k->cur.ptr, i + 1 };
}

/* ---- names of the ACL ------------------------------------------------------------------------ */

/* Without an ACL there are no names to offer, and nothing to say about it. */
static gh_store *store_of(completion *k)
{
    if (!k->has_asked && cli_open_acl(k->c, GH_STORE_READ, &k->store) != GH_CLI_DONE)
        k->store = NULL;
    k->has_asked = true;
    return k->store;
}

static void offer_names(completion *k, gh_store_names which, const char *prefix, const char *help)
{
    gh_store *st = store_of(k);
    gh_str_list names = { 0 };
    gh_str part = rest(k);
    gh_str skip = gh_str_of(prefix);

    if (st == NULL)
        return;
    if (skip.len > 0 && starts_with(part, skip))
        part = (gh_str){ part.ptr + skip.len, part.len - skip.len };
    else if (skip.len > 0 && starts_with(skip, part))
        part = (gh_str){ "", 0 };
    else if (skip.len > 0)
        return;
    if (gh_store_list_names(st, which, part, NAMES_MAX, k->c->arena, &names, NULL) != GH_OK)
        return;
    for (size_t i = 0; i < names.count; i++)
        offer(k, gh_arena_printf(k->c->arena, "%s" GH_STR_FMT, prefix, GH_STR_ARG(names.items[i])),
              help);
}

static void offer_principals(completion *k)
{
    behind_comma(k);
    offer_names(k, GH_STORE_NAMES_ROLES, "", "role");
    offer_names(k, GH_STORE_NAMES_USERS, "user:", "user");
}

static void offer_objects(completion *k)
{
    behind_comma(k);
    offer_names(k, GH_STORE_NAMES_OBJECTS, "", NULL);
}

static void offer_privileges(completion *k)
{
    static const char *const words[] = {
        "select", "insert", "update", "delete", "truncate", "all"
    };

    behind_comma(k);
    offer_words(k, words, GH_COUNT(words));
}

static void offer_masks(completion *k)
{
    static const char *const words[] = { "round(", "month", "year",   "partial(", "email",
                                         "hash",   "null",  "redact", "constant(" };

    offer_words(k, words, GH_COUNT(words));
    offer_names(k, GH_STORE_NAMES_MASKS, "", "named mask");
}

static void offer_warehouses(completion *k)
{
    if (cli_read_config(k->c) != GH_CLI_DONE)
        return;
    for (size_t i = 0; i < k->c->config.warehouse_count; i++)
        offer(k, k->c->config.warehouses[i].name, NULL);
}

/* ---- options --------------------------------------------------------------------------------- */

static bool is_word(const char *a, const char *b)
{
    return a != NULL && strcmp(a, b) == 0;
}

static void offer_value(completion *k, const cli_option *o)
{
    static const char *const may[] = { "explain", "temp_tables", "notify", "bypass" };
    static const char *const kinds[] = { "human", "service" };

    if (is_word(o->value, "FILE") || is_word(o->value, "SOCKET"))
        (void)puts(":files");
    else if (is_word(o->value, "DIR"))
        (void)puts(":dirs");
    else if (is_word(o->name, "--user"))
        offer_names(k, GH_STORE_NAMES_USERS, "", NULL);
    else if (is_word(o->name, "--role") || is_word(o->name, "--member-of"))
        offer_names(k, GH_STORE_NAMES_ROLES, "", NULL);
    else if (is_word(o->name, "--warehouse"))
        offer_warehouses(k);
    else if (is_word(o->name, "--on"))
        offer_names(k, GH_STORE_NAMES_OBJECTS, "", NULL);
    else if (is_word(o->name, "--tags")) {
        behind_comma(k);
        offer_names(k, GH_STORE_NAMES_TAGS, "", NULL);
    } else if (is_word(o->name, "--may")) {
        behind_comma(k);
        offer_words(k, may, GH_COUNT(may));
    } else if (is_word(o->name, "--kind") && is_word(k->c->verb->group, "user"))
        offer_words(k, kinds, GH_COUNT(kinds));
    else if (is_word(o->name, "--mask")) {
        const char *equals = memchr(rest(k).ptr, '=', rest(k).len);

        if (equals != NULL) {
            k->before = (gh_str){ k->cur.ptr, (size_t)(equals - k->cur.ptr) + 1 };
            offer_masks(k);
        }
    }
}

static void offer_options(completion *k)
{
    const cli_verb *v = k->c->verb;

    for (size_t i = 0; i < v->option_count; i++)
        offer(k, gh_str_of(v->options[i].name), v->options[i].help);
    for (uint32_t bit = 1; bit <= CLI_JSON; bit <<= 1) {
        size_t count = 0;
        const cli_option *shared = cli_shared_options(v->shared & bit, &count);

        for (size_t i = 0; i < count; i++)
            offer(k, gh_str_of(shared[i].name), shared[i].help);
    }
    offer(k, GH_STR("--help"), "what the command does, with an example");
}

/* ---- arguments ------------------------------------------------------------------------------- */

/* PRIVS on OBJECTS to WHOM; `to` is from for a revoke. */
static void offer_grant(completion *k, const char *to)
{
    bool has_to = false;
    bool has_on = false;

    for (size_t i = 0; i < k->arg_count; i++) {
        has_on = has_on || is_word(k->args[i], "on");
        has_to = has_to || is_word(k->args[i], to);
    }
    if (has_to)
        offer_principals(k);
    else if (has_on && !is_word(k->args[k->arg_count - 1], "on"))
        offer(k, gh_str_of(to), NULL);
    if (has_on && !has_to)
        offer_objects(k);
    if (!has_on && k->arg_count > 0)
        offer(k, GH_STR("on"), NULL);
    if (!has_on)
        offer_privileges(k);
}

/* The word of the usage that stands for the argument at the cursor; the last one may repeat. */
static gh_str usage_word(const completion *k)
{
    gh_str s = gh_str_of(k->c->verb->args);
    gh_str word = { 0 };
    size_t at = 0;
    size_t number = 0;

    while (at < s.len) {
        size_t end = at;

        while (end < s.len && s.ptr[end] != ' ')
            end++;
        word = (gh_str){ s.ptr + at, end - at };
        if (number == k->arg_count)
            return word;
        number++;
        at = end + 1;
    }
    return word.len > 3 && strstr(word.ptr, "...") != NULL ? word : (gh_str){ 0 };
}

static void offer_name(completion *k)
{
    const cli_verb *v = k->c->verb;

    if (is_word(v->name, "add"))
        return; /* a new one */
    if (is_word(v->group, "user"))
        offer_names(k, GH_STORE_NAMES_USERS, "", NULL);
    else if (is_word(v->group, "role"))
        offer_names(k, GH_STORE_NAMES_ROLES, "", NULL);
    else if (is_word(v->group, "mask"))
        offer_names(k, GH_STORE_NAMES_MASKS, "", NULL);
}

static void offer_argument(completion *k)
{
    gh_str word = usage_word(k);
    const char *usage = k->c->verb->args;

    if (usage == NULL)
        return;
    if (strstr(usage, "PRIVS") != NULL) {
        offer_grant(k, strstr(usage, " from ") != NULL ? "from" : "to");
        if (usage[0] == 'I' && (k->arg_count == 0 || k->args[0][0] <= '9'))
            offer_names(k, GH_STORE_NAMES_RULES, "", "grant or deny");
    } else if (word.len == 0) {
        return;
    } else if (strstr(word.ptr, "FILE") != NULL) {
        (void)puts(":files");
    } else if (starts_with(word, GH_STR("DIR"))) {
        (void)puts(":dirs");
    } else if (starts_with(word, GH_STR("NAME"))) {
        offer_name(k);
    } else if (starts_with(word, GH_STR("ROLE"))) {
        offer_names(k, GH_STORE_NAMES_ROLES, "", NULL);
    } else if (starts_with(word, GH_STR("USER"))) {
        offer_names(k, GH_STORE_NAMES_USERS, "", "user");
        offer_names(k, GH_STORE_NAMES_ROLES, "", "role");
    } else if (starts_with(word, GH_STR("TAG")) || starts_with(word, GH_STR("[TAG"))) {
        offer_names(k, GH_STORE_NAMES_TAGS, "", NULL);
    } else if (starts_with(word, GH_STR("OBJECT"))) {
        offer_names(k, GH_STORE_NAMES_OBJECTS, "", NULL);
    } else if (starts_with(word, GH_STR("SHELL"))) {
        offer(k, GH_STR("bash"), NULL);
        offer(k, GH_STR("zsh"), NULL);
    }
}

/* ---- the line -------------------------------------------------------------------------------- */

/* Reads the words before the last; returns the option whose value the last one is, or NULL. */
static const cli_option *read_line(completion *k, char *const *words, size_t count)
{
    cli_call *c = k->c;

    for (size_t i = 0; i + 1 < count; i++) {
        const char *equals = strchr(words[i], '=');
        size_t len = equals != NULL ? (size_t)(equals - words[i]) : strlen(words[i]);
        const cli_option *o = words[i][0] == '-' ? cli_find_option(c->verb, words[i], len) : NULL;

        if (words[i][0] != '-' || words[i][1] == '\0') {
            if (k->arg_count < GH_COUNT(k->args))
                k->args[k->arg_count++] = words[i];
            continue;
        }
        if (o == NULL || o->value == NULL)
            continue;
        if (equals == NULL && i + 2 == count)
            return o;
        if (c->given_count < GH_COUNT(c->given)) {
            c->given[c->given_count].option = o;
            c->given[c->given_count].value = equals != NULL ? equals + 1 : words[i + 1];
            c->given_count++;
        }
        i += equals == NULL;
    }
    return NULL;
}

static void complete_verb(const cli_verb *v, char *const *words, size_t count)
{
    completion k = { .c = gh_alloc(sizeof(*k.c)), .cur = gh_str_of(words[count - 1]) };
    const char *equals = strchr(words[count - 1], '=');
    const cli_option *o;

    k.before = (gh_str){ k.cur.ptr, 0 };
    k.c->verb = v;
    k.c->arena = gh_arena_new(0);
    o = read_line(&k, words, count);
    if (o == NULL && k.cur.len > 0 && k.cur.ptr[0] == '-' && equals != NULL) {
        o = cli_find_option(v, k.cur.ptr, (size_t)(equals - k.cur.ptr));
        k.before.len = (size_t)(equals - k.cur.ptr) + 1;
    }
    if (o != NULL && o->value != NULL)
        offer_value(&k, o);
    else if (k.cur.len > 0 && k.cur.ptr[0] == '-')
        offer_options(&k);
    else
        offer_argument(&k);
    gh_store_close(k.store);
    gh_arena_free(k.c->arena);
    free(k.c);
}

/* Verbs of a group, or (NULL) those that stand alone, and groups. */
static void complete_name(const cli_verb *const *verbs, size_t count, const char *group,
                          const char *word)
{
    completion k = { .cur = gh_str_of(word) };

    k.before = (gh_str){ k.cur.ptr, 0 };
    for (size_t i = 0; i < count; i++) {
        const cli_verb *v = verbs[i];
        bool is_first = i == 0 || v->group == NULL || !is_word(verbs[i - 1]->group, v->group);

        if (group != NULL && is_word(v->group, group))
            offer(&k, gh_str_of(v->name), v->summary);
        else if (group == NULL && v->group == NULL)
            offer(&k, gh_str_of(v->name), v->summary);
        else if (group == NULL && is_first)
            offer(&k, gh_str_of(v->group), NULL);
    }
    offer(&k, GH_STR("--help"), NULL);
    if (group == NULL)
        offer(&k, GH_STR("--version"), NULL);
}

int cli_complete(const cli_verb *const *verbs, size_t verb_count, char *const *words, size_t count)
{
    const cli_verb *found = NULL;
    bool is_group = false;

    if (count == 0)
        return GH_CLI_USAGE;
    for (size_t i = 0; i < verb_count && count > 1; i++) {
        is_group = is_group || is_word(verbs[i]->group, words[0]);
        if (verbs[i]->group == NULL && is_word(verbs[i]->name, words[0]))
            found = verbs[i];
        if (count > 2 && is_word(verbs[i]->group, words[0]) && is_word(verbs[i]->name, words[1]))
            found = verbs[i];
    }
    if (count == 1 || (count == 2 && is_group))
        complete_name(verbs, verb_count, count == 1 ? NULL : words[0], words[count - 1]);
    else if (found != NULL)
        complete_verb(found, words + (is_group ? 2 : 1), count - (is_group ? 2 : 1));
    return fflush(stdout) == 0 ? GH_CLI_DONE : GH_CLI_FAILED;
}
