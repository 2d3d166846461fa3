/*
 * user list, show, password, disable, enable; role list.
 */
#include "cli_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <termios.h>
#include <unistd.h>

#include <gatehouse/audit.h> /* gh_audit_put_string */
#include <gatehouse/auth.h>

static int no_such_user(cli_call *c, const gh_acl *acl, const char *name)
{
    const char **names = gh_realloc_array(NULL, acl->user_count + 1, sizeof(*names));

    for (size_t i = 0; i < acl->user_count; i++)
        names[i] = acl->users[i].name.ptr;
    const char *meant = cli_did_you_mean(c, gh_str_of(name), names, acl->user_count);
    free(names);
    return cli_fail("no such user: %s%s", name, meant);
}

/* What failed on the user of the command line; an unknown one gets a suggestion. */
static int fail_for_user(cli_call *c, gh_store *st, gh_rc rc, const gh_err *err)
{
    gh_acl acl = { 0 };

    if (rc == GH_NOT_FOUND && gh_store_load(st, c->arena, &acl, NULL) == GH_OK)
        return no_such_user(c, &acl, c->args[0]);
    return cli_fail_err(err);
}

/* ---- list, show ------------------------------------------------------------------------------ */

static void put_attributes(cli_table *t, const gh_acl_user *u)
{
    gh_str text = { 0 };
    gh_buf json;

    gh_buf_init(&json, 0);
    gh_buf_puts(&json, "{");
    for (size_t i = 0; i < u->attribute_count; i++) {
        const gh_acl_attribute *at = &u->attributes[i];
        text = gh_arena_printf(t->arena, GH_STR_FMT "%s" GH_STR_FMT "=%s" GH_STR_FMT "%s",
                               GH_STR_ARG(text), i > 0 ? ", " : "", GH_STR_ARG(at->name),
                               at->is_list ? "[" : "", GH_STR_ARG(cli_join(t->arena, at->values)),
                               at->is_list ? "]" : "");
        gh_buf_puts(&json, i > 0 ? "," : "");
        gh_audit_put_string(&json, at->name);
        gh_buf_puts(&json, ":");
        if (at->is_list)
            cli_put_json_list(&json, at->values);
        else
            gh_audit_put_string(&json, at->values.count > 0 ? at->values.items[0] : GH_STR(""));
    }
    gh_buf_puts(&json, "}");
    cli_table_put_map(t, text, gh_arena_dup(t->arena, gh_buf_str(&json)));
    gh_buf_fini(&json);
}

static const char *const s_user_headings[] = { "user",  "kind",       "login",
                                               "roles", "attributes", "origin" };

static void put_user(cli_table *t, const gh_acl_user *u)
{
    const char *login = "password";

    if (u->verifier.len == 0)
        login = "no password";
    if (u->is_disabled)
        login = "disabled";
    cli_table_put(t, u->name);
    cli_table_put(t, gh_str_of(u->is_service ? "service" : "human"));
    cli_table_put(t, gh_str_of(login));
    cli_table_put_list(t, u->roles);
    put_attributes(t, u);
    cli_table_put(t, gh_str_of(u->origin == GH_ORIGIN_POLICY ? "policy" : "cli"));
}

static int run_list(cli_call *c)
{
    gh_acl acl = { 0 };
    cli_table t;
    int code = cli_load_acl(c, &acl);

    if (code != GH_CLI_DONE)
        return code;
    cli_table_init(&t, s_user_headings, GH_COUNT(s_user_headings), c->arena);
    for (size_t i = 0; i < acl.user_count; i++)
        put_user(&t, &acl.users[i]);
    cli_table_print(&t, c, stdout);
    cli_table_fini(&t);
    return GH_CLI_DONE;
}

static int run_show(cli_call *c)
{
    gh_acl acl = { 0 };
    cli_table t;
    int code = cli_load_acl(c, &acl);

    if (code != GH_CLI_DONE)
        return code;
    for (size_t i = 0; i < acl.user_count; i++) {
        if (!gh_str_is(acl.users[i].name, c->args[0]))
            continue;
        cli_table_init(&t, s_user_headings, GH_COUNT(s_user_headings), c->arena);
        put_user(&t, &acl.users[i]);
        cli_table_print(&t, c, stdout);
        cli_table_fini(&t);
        return GH_CLI_DONE;
    }
    return no_such_user(c, &acl, c->args[0]);
}

const cli_verb cli_user_list = {
    .group = "user",
    .name = "list",
    .summary = "List the users",
    .example = "  gatehouse user list --acl acl.db",
    .shared = CLI_ACL | CLI_CONFIG | CLI_JSON,
    .run = run_list,
};

const cli_verb cli_user_show = {
    .group = "user",
    .name = "show",
    .args = "NAME",
    .summary = "Show one user",
    .example = "  gatehouse user show --acl acl.db alice",
    .shared = CLI_ACL | CLI_CONFIG | CLI_JSON,
    .args_min = 1,
    .args_max = 1,
    .run = run_show,
};

static int run_roles(cli_call *c)
{
    static const char *const headings[] = { "role", "member_of", "may", "description", "origin" };
    static const char *const may[] = { "explain", "temp_tables", "notify", "bypass" };
    gh_acl acl = { 0 };
    cli_table t;
    int code = cli_load_acl(c, &acl);

    if (code != GH_CLI_DONE)
        return code;
    cli_table_init(&t, headings, GH_COUNT(headings), c->arena);
    for (size_t i = 0; i < acl.role_count; i++) {
        const gh_acl_role *r = &acl.roles[i];
        gh_str *words = gh_arena_alloc(c->arena, sizeof(gh_str) * GH_COUNT(may));
        gh_str_list list = { words, 0 };
        GH_ASSERT(words != NULL);
        for (size_t j = 0; j < GH_COUNT(may); j++)
            if ((r->may & (1u << j)) != 0)
                words[list.count++] = gh_str_of(may[j]);
        cli_table_put(&t, r->name);
        cli_table_put_list(&t, r->member_of);
        cli_table_put_list(&t, list);
        cli_table_put(&t, r->description);
        cli_table_put(&t, gh_str_of(r->origin == GH_ORIGIN_POLICY ? "policy" : "cli"));
    }
    cli_table_print(&t, c, stdout);
    cli_table_fini(&t);
    return GH_CLI_DONE;
}

const cli_verb cli_role_list = {
    .group = "role",
    .name = "list",
    .summary = "List the roles",
    .example = "  gatehouse role list --acl acl.db --json",
    .shared = CLI_ACL | CLI_CONFIG | CLI_JSON,
    .run = run_roles,
};

/* ---- password -------------------------------------------------------------------------------- */

enum { PASSWORD_LINE_MAX = GH_AUTH_PASSWORD_MAX + 2 };

/* One line from stdin, without its end. A terminal does not show it. */
static int read_password_line(char line[PASSWORD_LINE_MAX], size_t *len)
{
    struct termios shown;
    bool is_terminal = isatty(STDIN_FILENO) != 0 && tcgetattr(STDIN_FILENO, &shown) == 0;
    size_t n = 0;

    if (is_terminal) {
        struct termios hidden = shown;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        (void)fputs("Password: ", stderr);
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    }
    /* Byte by byte and unbuffered: no copy of the password stays in a stdio buffer. */
    ssize_t got = 1;
    while (n < PASSWORD_LINE_MAX && got == 1) {
        got = read(STDIN_FILENO, line + n, 1);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got == 1 && line[n] == '\n')
            break;
        else if (got == 1)
            n++;
    }
    if (is_terminal) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
        (void)fputc('\n', stderr);
    }
    if (got < 0)
        return cli_fail("the password could not be read: %s", strerror(errno));
    if (n > 0 && line[n - 1] == '\r')
        n--;
    if (n == 0)
        return cli_fail("expected the password on stdin, found an empty line");
    *len = n;
    return GH_CLI_DONE;
}

static gh_rc make_verifier(gh_str password, gh_buf *out, gh_err *err)
{
    uint8_t salt[GH_AUTH_SALT_LEN];
    gh_auth_verifier verifier;

    if (getrandom(salt, sizeof(salt), 0) != (ssize_t)sizeof(salt))
        return gh_fail(err, GH_IO, "58030", "no random bytes");
    gh_rc rc = gh_auth_verifier_make(password, salt, sizeof(salt), GH_AUTH_ITERATIONS_DEFAULT,
                                     &verifier, err);
    if (rc == GH_OK)
        gh_auth_verifier_format(&verifier, out);
    gh_cleanse(&verifier, sizeof(verifier));
    return rc;
}

static int run_password(cli_call *c)
{
    char line[PASSWORD_LINE_MAX];
    gh_store *st = NULL;
    gh_err err = { 0 };
    gh_buf verifier;
    size_t len = 0;
    gh_store_author author = cli_author(c);
    int code = cli_open_acl(c, GH_STORE_WRITE, &st);

    if (code != GH_CLI_DONE)
        return code;
    gh_buf_init(&verifier, 0);
    code = read_password_line(line, &len);
    if (code == GH_CLI_DONE) {
        gh_rc rc = make_verifier((gh_str){ line, len }, &verifier, &err);
        if (rc == GH_OK)
            rc = gh_store_user_set_verifier(st, gh_str_of(c->args[0]), gh_buf_str(&verifier),
                                            &author, &err);
        if (rc != GH_OK)
            code = fail_for_user(c, st, rc, &err);
        else
            cli_print_state(c, "user", c->args[0], "password set", true,
                            gh_arena_printf(c->arena, "the password of %s is set", c->args[0]).ptr);
    }
    gh_cleanse(line, sizeof(line));
    gh_buf_fini(&verifier);
    gh_store_close(st);
    return code;
}

const cli_verb cli_user_password = {
    .group = "user",
    .name = "password",
    .args = "NAME",
    .summary = "Set a user's password, a line read from stdin",
    .help = "Only a SCRAM-SHA-256 verifier is kept. A terminal does not show what is typed.",
    .example = "  gatehouse user password --acl acl.db alice < alice.pass",
    .shared = CLI_ACL | CLI_CONFIG | CLI_AUTHOR | CLI_JSON,
    .args_min = 1,
    .args_max = 1,
    .run = run_password,
};

/* ---- disable, enable ------------------------------------------------------------------------- */

static int set_disabled(cli_call *c, bool is_disabled)
{
    const char *word = is_disabled ? "disabled" : "enabled";
    gh_store *st = NULL;
    gh_err err = { 0 };
    bool is_changed = false;
    gh_store_author author = cli_author(c);
    int code = cli_open_acl(c, GH_STORE_WRITE, &st);

    if (code != GH_CLI_DONE)
        return code;
    gh_rc rc = gh_store_user_set_disabled(st, gh_str_of(c->args[0]), is_disabled, &author,
                                          &is_changed, &err);
    if (rc != GH_OK)
        code = fail_for_user(c, st, rc, &err);
    else
        cli_print_state(c, "user", c->args[0], word, is_changed,
                        gh_arena_printf(c->arena, "%s %s %s%s", c->args[0],
                                        is_changed ? "is" : "was", word,
                                        is_changed ? "" : " already")
                            .ptr);
    gh_store_close(st);
    return code;
}

static int run_disable(cli_call *c)
{
    return set_disabled(c, true);
}

static int run_enable(cli_call *c)
{
    return set_disabled(c, false);
}

const cli_verb cli_user_disable = {
    .group = "user",
    .name = "disable",
    .args = "NAME",
    .summary = "Take a user's access away, and keep the user",
    .help = "`policy apply` does not undo it; `user enable` does.",
    .example = "  gatehouse user disable --acl acl.db alice --reason 'left the company'",
    .shared = CLI_ACL | CLI_CONFIG | CLI_AUTHOR | CLI_JSON,
    .args_min = 1,
    .args_max = 1,
    .run = run_disable,
};

const cli_verb cli_user_enable = {
    .group = "user",
    .name = "enable",
    .args = "NAME",
    .summary = "Give a disabled user access again",
    .example = "  gatehouse user enable --acl acl.db alice",
    .shared = CLI_ACL | CLI_CONFIG | CLI_AUTHOR | CLI_JSON,
    .args_min = 1,
    .args_max = 1,
    .run = run_enable,
};
