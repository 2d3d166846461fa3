/*
 * What verbs that change the ACL share: lists of names on the command line, edits made and shown.
 */
#include "cli_priv.h"

#include <inttypes.h>

#include <gatehouse/audit.h> /* gh_audit_put_string */
#include <gatehouse/policy.h>
#include <gatehouse/rewrite.h>

gh_str_list cli_values(cli_call *c, const char *option)
{
    gh_str *items = gh_arena_alloc(c->arena, (c->given_count + 1) * sizeof(*items));
    gh_str_list list = { items, 0 };

    GH_ASSERT(items != NULL);
    for (size_t i = 0; i < c->given_count; i++)
        if (strcmp(c->given[i].option->name, option) == 0)
            items[list.count++] = gh_str_of(c->given[i].value);
    return list;
}

static gh_str trimmed(gh_str s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = (gh_str){ s.ptr + 1, s.len - 1 };
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

gh_str_list cli_split(cli_call *c, gh_str_list words)
{
    size_t max = words.count;
    bool is_quoted = false;

    for (size_t i = 0; i < words.count; i++)
        for (size_t j = 0; j < words.items[i].len; j++)
            max += words.items[i].ptr[j] == ',' ? 1 : 0;
    gh_str *items = gh_arena_alloc(c->arena, (max + 1) * sizeof(*items));
    gh_str_list list = { items, 0 };
    GH_ASSERT(items != NULL);
    for (size_t i = 0; i < words.count; i++) {
        gh_str word = words.items[i];
        size_t start = 0;
        is_quoted = false;
        for (size_t j = 0; j <= word.len; j++) {
            if (j < word.len && word.ptr[j] == '"')
                is_quoted = !is_quoted;
            if (j < word.len && (word.ptr[j] != ',' || is_quoted))
                continue;
            gh_str name = trimmed((gh_str){ word.ptr + start, j - start });
            if (name.len > 0)
                items[list.count++] = gh_arena_dup(c->arena, name);
            start = j + 1;
        }
    }
    return list;
}

int cli_choose(cli_call *c, gh_str word, const char *what, const char *const *known, size_t count,
               size_t *index)
{
    for (size_t i = 0; i < count; i++) {
        if (gh_str_ieq(word, gh_str_of(known[i]))) {
            *index = i;
            return GH_CLI_DONE;
        }
    }
    gh_buf all;
    gh_buf_init(&all, 0);
    for (size_t i = 0; i < count; i++)
        gh_buf_printf(&all, "%s%s", i > 0 ? ", " : "", known[i]);
    gh_str text = gh_arena_dup(c->arena, gh_buf_str(&all));
    gh_buf_fini(&all);
    return cli_usage(c, "unknown %s \"" GH_STR_FMT "\": expected " GH_STR_FMT "%s", what,
                     GH_STR_ARG(word), GH_STR_ARG(text), cli_did_you_mean(c, word, known, count));
}

int cli_check_words(cli_call *c)
{
    for (size_t i = 0; i < c->arg_count; i++)
        if (!gh_utf8_is_valid(gh_str_of(c->args[i])))
            return cli_usage(c, "argument %zu is no UTF-8", i + 1);
    for (size_t i = 0; i < c->given_count; i++)
        if (c->given[i].value != NULL && !gh_utf8_is_valid(gh_str_of(c->given[i].value)))
            return cli_usage(c, "the value of %s is no UTF-8", c->given[i].option->name);
    return GH_CLI_DONE;
}

/* ---- what was changed ------------------------------------------------------------------------ */

static const char *word_of(char sign)
{
    return sign == '+' ? "added" : sign == '-' ? "removed" : sign == '~' ? "changed" : "unchanged";
}

static void put_json(gh_buf *b, const gh_store_changed *x, uint64_t version)
{
    gh_buf_printf(b, "{\"change\":\"%s\",\"kind\":", word_of(x->sign));
    gh_audit_put_string(b, x->kind);
    gh_buf_puts(b, ",\"key\":");
    gh_audit_put_string(b, x->key);
    if (x->id != 0)
        gh_buf_printf(b, ",\"id\":%" PRId64, x->id);
    gh_buf_puts(b, ",\"what\":");
    gh_audit_put_string(b, x->title);
    gh_buf_puts(b, ",\"before\":");
    gh_buf_put_str(b, x->before.len > 0 ? x->before : GH_STR("null"));
    gh_buf_puts(b, ",\"after\":");
    gh_buf_put_str(b, x->after.len > 0 ? x->after : GH_STR("null"));
    gh_buf_printf(b, ",\"origin\":\"%s\",\"version\":%" PRIu64 "}\n",
                  x->origin == GH_ORIGIN_POLICY ? "policy" : "cli", version);
}

static void put_line(const cli_call *c, gh_buf *b, const gh_store_changed *x)
{
    gh_buf_printf(b, "%c ", x->sign);
    if (gh_str_is(x->kind, "grant"))
        gh_buf_printf(b, "%s %" PRId64 ": ", x->is_deny ? "deny" : "grant", x->id);
    gh_buf_put_str(b, cli_one_line(c->arena, x->title));
    gh_buf_puts(b, x->sign == '=' ? " (it was so already)\n" : "\n");
}

void cli_print_changes(const cli_call *c, const gh_store_changes *changes)
{
    bool is_of_files = false;
    gh_buf b;

    gh_buf_init(&b, 0);
    for (size_t i = 0; i < changes->count; i++) {
        const gh_store_changed *x = &changes->list[i];
        if (x->sign == '=' && changes->changed > 0)
            continue; /* what had to be there for the rest */
        is_of_files =
            is_of_files || (x->sign != '=' && x->sign != '+' && x->origin == GH_ORIGIN_POLICY);
        if (cli_has(c, "--json"))
            put_json(&b, x, changes->version);
        else
            put_line(c, &b, x);
    }
    cli_print_lines(gh_buf_str(&b)); /* JSON has nothing that would change */
    gh_buf_fini(&b);
    if (is_of_files)
        (void)fputs("gatehouse: policy files made this: change them, too, or the next "
                    "`policy apply` undoes it\n",
                    stderr);
}

int cli_make_edits_in(cli_call *c, gh_store *st, const gh_store_edit *edits, size_t count)
{
    gh_err err = { 0 };
    gh_store_changes changes = { 0 };
    gh_store_author author = cli_author(c);

    if (gh_store_edit_all(st, edits, count, &author, c->arena, &changes, &err) == GH_OK) {
        cli_print_changes(c, &changes);
        return GH_CLI_DONE;
    }
    if (strcmp(err.sqlstate, "42710") == 0 && err.hint[0] == '\0')
        (void)snprintf(err.hint, sizeof(err.hint), "--change changes it.");
    if (strcmp(err.sqlstate, "2BP01") == 0 && edits[0].thing != GH_STORE_TAG &&
        edits[0].thing != GH_STORE_MASK)
        (void)snprintf(err.hint, sizeof(err.hint), "--cascade takes it out of them.");
    return cli_fail_err(&err);
}

int cli_make_edits(cli_call *c, const gh_store_edit *edits, size_t count)
{
    gh_store *st = NULL;
    int code = cli_check_words(c);

    if (code == GH_CLI_DONE)
        code = cli_open_acl(c, GH_STORE_WRITE, &st);
    if (code != GH_CLI_DONE)
        return code;
    code = cli_make_edits_in(c, st, edits, count);
    gh_store_close(st);
    return code;
}

/* ---- expressions ----------------------------------------------------------------------------- */

int cli_want_expression(const char *what, gh_str text)
{
    enum { TEXT_SHOWN_MAX = 300 };
    gh_err err = { 0 };

    if (gh_rewrite_check_expression(text, &err) == GH_OK)
        return GH_CLI_DONE;
    gh_str shown = text.len <= TEXT_SHOWN_MAX ? text : (gh_str){ 0 };
    if (err.position > 0)
        return cli_fail("%s: %s, at character %u%s" GH_STR_FMT, what, err.public_msg, err.position,
                        shown.len > 0 ? " of: " : "", GH_STR_ARG(shown));
    return cli_fail("%s: %s%s" GH_STR_FMT, what, err.public_msg, shown.len > 0 ? ": " : "",
                    GH_STR_ARG(shown));
}

int cli_want_mask(cli_call *c, gh_store *st, const char *what, gh_str text)
{
    bool is_named = false;
    gh_mask mask = { 0 };
    gh_err err = { 0 };

    /* A word may be a misspelt name: the store knows which there are. */
    if (gh_mask_parse(text, NULL, 0, c->arena, &mask, NULL) != GH_OK || mask.kind != GH_MASK_EXPR)
        return GH_CLI_DONE;
    if (st != NULL && gh_store_has(st, GH_STORE_MASK, mask.expr, &is_named, &err) != GH_OK)
        return cli_fail_err(&err);
    return is_named ? GH_CLI_DONE : cli_want_expression(what, mask.expr);
}
