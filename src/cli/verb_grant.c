/*
 * grant, deny, revoke: PRIVS on OBJECTS to WHOM, and what narrows it.
 */
#include "grant_check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include <gatehouse/policy.h>

/* ---- the sentence ---------------------------------------------------------------------------- */

typedef struct sentence {
    gh_str_list privileges; /* words as given, each perhaps several by commas */
    gh_str_list objects;
    gh_str_list whom;
} sentence;

/* One argument that holds it all is taken apart at its blanks. */
static gh_str_list words_of(cli_call *c)
{
    gh_str *items = gh_arena_alloc(c->arena, (c->arg_count + 1) * sizeof(*items));
    gh_str_list list = { items, 0 };

    GH_ASSERT(items != NULL);
    for (size_t i = 0; i < c->arg_count; i++)
        items[list.count++] = gh_str_of(c->args[i]);
    if (c->arg_count != 1)
        return list;
    gh_str all = items[0];
    bool is_quoted = false;
    size_t start = 0;
    items = gh_arena_alloc(c->arena, (all.len + 1) * sizeof(*items));
    GH_ASSERT(items != NULL);
    list = (gh_str_list){ items, 0 };
    for (size_t i = 0; i <= all.len; i++) {
        if (i < all.len && all.ptr[i] == '"')
            is_quoted = !is_quoted;
        if (i < all.len && (all.ptr[i] != ' ' || is_quoted))
            continue;
        if (i > start)
            items[list.count++] = (gh_str){ all.ptr + start, i - start };
        start = i + 1;
    }
    return list;
}

static gh_str_list slice(gh_str_list list, size_t from, size_t to)
{
    return (gh_str_list){ list.items + from, to - from };
}

static int read_sentence(cli_call *c, sentence *out)
{
    gh_str_list words = words_of(c);
    size_t on = SIZE_MAX;
    size_t to = SIZE_MAX;

    for (size_t i = 0; i < words.count; i++) {
        if (on == SIZE_MAX && gh_str_ieq(words.items[i], GH_STR("on")))
            on = i;
        else if (on != SIZE_MAX && to == SIZE_MAX &&
                 (gh_str_ieq(words.items[i], GH_STR("to")) ||
                  gh_str_ieq(words.items[i], GH_STR("from"))))
            to = i;
    }
    if (on == SIZE_MAX || to == SIZE_MAX)
        return cli_usage(c, "expected %sPRIVS on OBJECTS to WHOM",
                         strcmp(c->verb->name, "revoke") == 0 ? "the id of a grant or deny, or "
                                                              : "");
    out->privileges = cli_split(c, slice(words, 0, on));
    out->objects = cli_split(c, slice(words, on + 1, to));
    out->whom = cli_split(c, slice(words, to + 1, words.count));
    if (out->objects.count == 0)
        return cli_usage(c,
                         "on what? expected [warehouse:]schema.relation between \"on\" and \"to\"");
    if (out->whom.count == 0)
        return cli_usage(c, "to whom? expected roles, or user:NAME, behind \"to\"");
    return GH_CLI_DONE;
}

static int read_privileges(cli_call *c, gh_str_list words, bool is_deny, uint32_t *out)
{
    static const char *const known[] = {
        "select", "insert", "update", "delete", "truncate", "all"
    };

    if (words.count == 0 && !is_deny)
        return cli_usage(c, "which privileges? expected select, insert, update, delete, truncate "
                            "or all in front of \"on\"");
    *out = words.count == 0 ? GH_ALL_PRIVILEGES : 0;
    for (size_t i = 0; i < words.count; i++) {
        size_t index = 0;
        int code = cli_choose(c, words.items[i], "privilege", known, GH_COUNT(known), &index);
        if (code != GH_CLI_DONE)
            return code;
        *out |= index == 5 ? GH_ALL_PRIVILEGES : 1u << index;
    }
    return GH_CLI_DONE;
}

/* ---- what narrows it ------------------------------------------------------------------------- */

static int64_t now_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int read_validity(cli_call *c, gh_acl_rule *r)
{
    const char *from = cli_value(c, "--from");
    const char *until = cli_value(c, "--until");
    const char *length = cli_value(c, "--for");
    int64_t ms = 0;
    int64_t now = now_us();

    r->valid_from = INT64_MIN;
    r->valid_until = INT64_MAX;
    if (until != NULL && length != NULL)
        return cli_usage(c, "--for and --until say the same; give one");
    if (from != NULL && !gh_config_parse_time(gh_str_of(from), false, &r->valid_from))
        return cli_usage(c, "--from: expected 2026-12-31 or 2026-12-31T08:00Z, found \"%s\"", from);
    if (until != NULL && !gh_config_parse_time(gh_str_of(until), true, &r->valid_until))
        return cli_usage(c, "--until: expected 2026-12-31 or 2026-12-31T08:00Z, found \"%s\"",
                         until);
    if (length != NULL &&
        (!gh_config_parse_duration_ms(gh_str_of(length), &ms) || ms < 1 ||
         __builtin_mul_overflow(ms, 1000, &ms) ||
         __builtin_add_overflow(from != NULL ? r->valid_from : now, ms, &r->valid_until)))
        return cli_usage(c, "--for: expected a time such as 30m, 4h, 7d, found \"%s\"", length);
    if (r->valid_until <= now)
        return cli_fail("--until: %s is over already", until != NULL ? until : length);
    if (r->valid_from >= r->valid_until)
        return cli_fail("it would end before it begins");
    return GH_CLI_DONE;
}

static int read_masks(cli_call *c, gh_acl_rule *r)
{
    gh_str_list given = cli_values(c, "--mask");
    gh_acl_column_mask *masks = gh_arena_alloc(c->arena, (given.count + 1) * sizeof(*masks));

    GH_ASSERT(masks != NULL);
    for (size_t i = 0; i < given.count; i++) {
        gh_str text = given.items[i];
        size_t at = 0;
        bool is_quoted = false;
        while (at < text.len && (text.ptr[at] != '=' || is_quoted)) {
            is_quoted = is_quoted != (text.ptr[at] == '"');
            at++;
        }
        if (at == 0 || at + 1 >= text.len)
            return cli_usage(c, "--mask wants COLUMN=MASK, not \"" GH_STR_FMT "\"",
                             GH_STR_ARG(text));
        masks[i] =
            (gh_acl_column_mask){ { text.ptr, at }, { text.ptr + at + 1, text.len - at - 1 } };
    }
    r->masks = masks;
    r->mask_count = given.count;
    return GH_CLI_DONE;
}

static int read_columns(cli_call *c, gh_acl_rule *r)
{
    bool has_except = cli_has(c, "--except");

    if (cli_has(c, "--columns") && has_except)
        return cli_usage(c, "--columns and --except exclude each other");
    r->has_columns = cli_has(c, "--columns") || has_except;
    r->is_except = has_except;
    r->columns = cli_split(c, cli_values(c, has_except ? "--except" : "--columns"));
    if (r->has_columns && r->columns.count == 0)
        return cli_usage(c, "%s: the list is empty", has_except ? "--except" : "--columns");
    r->tags = cli_split(c, cli_values(c, "--tags"));
    if (cli_has(c, "--tags") && r->tags.count == 0)
        return cli_usage(c, "--tags: the list is empty");
    return GH_CLI_DONE;
}

static int read_rule(cli_call *c, bool is_deny, gh_acl_rule *r)
{
    sentence s = { 0 };
    int code = cli_check_words(c);

    *r = (gh_acl_rule){ .is_deny = is_deny,
                        .rows = gh_str_of(cli_value(c, "--rows")),
                        .reason = gh_str_of(cli_value(c, "--reason")),
                        .is_through = cli_has(c, "--through"),
                        .is_blind = cli_has(c, "--blind") };
    if (code == GH_CLI_DONE)
        code = read_sentence(c, &s);
    if (code == GH_CLI_DONE)
        code = read_privileges(c, s.privileges, is_deny, &r->privileges);
    if (code == GH_CLI_DONE)
        code = read_columns(c, r);
    if (code == GH_CLI_DONE)
        code = read_masks(c, r);
    if (code == GH_CLI_DONE && cli_has(c, "--rows") && r->rows.len == 0)
        code = cli_usage(c, "--rows: the filter is empty; without --rows it is every row");
    r->tables = s.objects;
    r->to = s.whom;
    return code;
}

static int check_expressions(cli_call *c, gh_store *st, const gh_acl_rule *r)
{
    int code = r->rows.len > 0 ? cli_want_expression("--rows", r->rows) : GH_CLI_DONE;

    for (size_t i = 0; i < r->mask_count && code == GH_CLI_DONE; i++)
        code = cli_want_mask(c, st,
                             gh_arena_printf(c->arena, "--mask of column " GH_STR_FMT,
                                             GH_STR_ARG(r->masks[i].column))
                                 .ptr,
                             r->masks[i].mask);
    return code;
}

/* ---- grant, deny ----------------------------------------------------------------------------- */

static int add_rule(cli_call *c, bool is_deny)
{
    gh_acl_rule rule;
    gh_store *st = NULL;
    gh_store_edit edit = { .act = GH_STORE_ADD, .thing = GH_STORE_RULE, .of.rule = &rule };
    int code = read_rule(c, is_deny, &rule);

    if (code == GH_CLI_DONE)
        code = read_validity(c, &rule);
    if (code == GH_CLI_DONE)
        code = cli_open_acl(c, GH_STORE_WRITE, &st);
    if (code != GH_CLI_DONE)
        return code;
    code = check_expressions(c, st, &rule);
    if (code == GH_CLI_DONE && cli_has(c, "--check"))
        code = cli_check_rule(c, &rule);
    if (code == GH_CLI_DONE)
        code = cli_make_edits_in(c, st, &edit, 1);
    gh_store_close(st);
    return code;
}

static int run_grant(cli_call *c)
{
    return add_rule(c, false);
}

static int run_deny(cli_call *c)
{
    return add_rule(c, true);
}

#define OPTION_COLUMNS                                                                             \
    {                                                                                              \
        "--columns", "A,B", "these columns (default: all)"                                         \
    }
#define OPTION_ROWS                                                                                \
    {                                                                                              \
        "--rows", "EXPR", "the rows for which this SQL is true (default: all)"                     \
    }
#define OPTION_FROM                                                                                \
    {                                                                                              \
        "--from", "TIME", "it begins then: 2026-12-31, or 2026-12-31T08:00Z"                       \
    }
#define OPTION_UNTIL                                                                               \
    {                                                                                              \
        "--until", "TIME", "it ends then; a date is the whole day, in UTC"                         \
    }
#define OPTION_FOR                                                                                 \
    {                                                                                              \
        "--for", "TIME", "it ends after 30m, 4h, 7d"                                               \
    }
#define OPTION_EXCEPT                                                                              \
    {                                                                                              \
        "--except", "A,B", "all columns but these"                                                 \
    }
#define OPTION_MASK                                                                                \
    {                                                                                              \
        "--mask", "COLUMN=MASK", "show the column so; may be given again"                          \
    }
#define OPTION_THROUGH                                                                             \
    {                                                                                              \
        "--through", NULL, "on a view: the rules of its tables apply inside, too"                  \
    }
#define OPTION_BLIND                                                                               \
    {                                                                                              \
        "--blind", NULL, "with update: cells may be written that are not seen"                     \
    }
#define OPTION_TAGS                                                                                \
    {                                                                                              \
        "--tags", "A,B", "the columns that have one of these tags"                                 \
    }

#define OPTION_CHECK                                                                               \
    {                                                                                              \
        "--check", NULL, "with --config: hold it against the warehouses first"                     \
    }

static const cli_option s_grant_options[] = {
    OPTION_COLUMNS, OPTION_EXCEPT, OPTION_ROWS,    OPTION_MASK,  OPTION_FOR,
    OPTION_UNTIL,   OPTION_FROM,   OPTION_THROUGH, OPTION_BLIND, OPTION_CHECK,
};
static const cli_option s_deny_options[] = {
    OPTION_COLUMNS, OPTION_TAGS, OPTION_ROWS, OPTION_FOR, OPTION_UNTIL, OPTION_FROM, OPTION_CHECK,
};

const cli_verb cli_grant = {
    .name = "grant",
    .args = "PRIVS on OBJECTS to WHOM",
    .summary = "Grant privileges on relations, columns, rows; prints the grant's id",
    .help = "PRIVS: select, insert, update, delete, truncate, or all; several by commas.\n"
            "OBJECTS: [warehouse:]schema.relation; * matches within one part (quote it from the\n"
            "shell). WHOM: roles, or user:NAME. --rows may use attr('NAME'), an attribute of the\n"
            "user, and current_user. MASK: round(n), month, year, partial(a,b), email, hash,\n"
            "constant('...'), redact, null, a named mask, or an SQL expression over value.",
    .example = "  gatehouse grant select on sales.orders to analyst --columns id,region,amount \\\n"
               "      --rows \"region = attr('region')\" --reason DATA-123\n"
               "  gatehouse grant select on 'crm.*' to user:bob --mask email=email --for 4h",
    .shared = CLI_ACL | CLI_CONFIG | CLI_AUTHOR | CLI_JSON,
    .options = s_grant_options,
    .option_count = GH_COUNT(s_grant_options),
    .args_min = 1,
    .args_max = CLI_ARGS_MAX,
    .run = run_grant,
};

const cli_verb cli_deny = {
    .name = "deny",
    .args = "PRIVS on OBJECTS to WHOM",
    .summary = "Deny what no grant can give back; prints the deny's id",
    .help =
        "The words of `gatehouse grant`; without PRIVS it denies all of them. With --columns or\n"
        "--tags it takes cells, without them whole rows; --rows limits it, and counts where it\n"
        "is unknown, too.",
    .example = "  gatehouse deny select on '*.*' to contractor --tags pii --reason GDPR\n"
               "  gatehouse deny all on hr.employees to analyst --rows 'level > 5'",
    .shared = CLI_ACL | CLI_CONFIG | CLI_AUTHOR | CLI_JSON,
    .options = s_deny_options,
    .option_count = GH_COUNT(s_deny_options),
    .args_min = 1,
    .args_max = CLI_ARGS_MAX,
    .run = run_deny,
};

/* ---- revoke ---------------------------------------------------------------------------------- */

/* True if all the arguments are ids. */
static bool read_ids(cli_call *c, gh_store_edit *edits, size_t *count)
{
    gh_str_list words = cli_split(c, words_of(c));

    for (size_t i = 0; i < words.count; i++) {
        int64_t id = 0;
        if (!gh_config_parse_int(words.items[i], &id) || id < 1)
            return false;
        edits[i] = (gh_store_edit){ .act = GH_STORE_DROP, .thing = GH_STORE_RULE, .id = id };
    }
    *count = words.count;
    return words.count > 0;
}

static size_t commas(const cli_call *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->arg_count; i++)
        for (const char *p = c->args[i]; *p != '\0'; p++)
            n += *p == ',' || *p == ' ' ? 1 : 0;
    return n;
}

static int run_revoke(cli_call *c)
{
    gh_acl_rule rule;
    gh_store_edit *edits = gh_realloc_array(NULL, c->arg_count + commas(c) + 1, sizeof(*edits));
    size_t count = 0;
    int code = GH_CLI_DONE;

    if (!read_ids(c, edits, &count)) {
        bool has_time = cli_has(c, "--from") || cli_has(c, "--until");
        code = read_rule(c, cli_has(c, "--deny"), &rule);
        rule.valid_from = INT64_MIN;
        rule.valid_until = INT64_MAX;
        if (code == GH_CLI_DONE && has_time)
            code = read_validity(c, &rule);
        edits[0] =
            (gh_store_edit){ .act = GH_STORE_DROP, .thing = GH_STORE_RULE, .of.rule = &rule };
        count = 1;
    }
    if (code == GH_CLI_DONE)
        code = cli_make_edits(c, edits, count);
    free(edits);
    return code;
}

static const cli_option s_revoke_options[] = {
    { "--deny", NULL, "the words are a deny's, not a grant's" },
    OPTION_COLUMNS,
    OPTION_EXCEPT,
    OPTION_TAGS,
    OPTION_ROWS,
    OPTION_MASK,
    OPTION_UNTIL,
    OPTION_FROM,
    OPTION_THROUGH,
    OPTION_BLIND,
};

const cli_verb cli_revoke = {
    .name = "revoke",
    .args = "ID... | PRIVS on OBJECTS from WHOM",
    .summary = "Take a grant or a deny back, by its id or by its words",
    .help = "By words, exactly the grant goes that says the same (whatever its reason and, unless\n"
            "they are given, its times). `gatehouse grants` lists them with their ids. Running\n"
            "statements that depend on it end.",
    .example = "  gatehouse revoke --acl acl.db 12 --reason 'project is over'\n"
               "  gatehouse revoke --acl acl.db select on sales.orders from analyst",
    .shared = CLI_ACL | CLI_CONFIG | CLI_AUTHOR | CLI_JSON,
    .options = s_revoke_options,
    .option_count = GH_COUNT(s_revoke_options),
    .args_min = 1,
    .args_max = CLI_ARGS_MAX,
    .run = run_revoke,
};
