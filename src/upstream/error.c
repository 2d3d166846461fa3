/*
 * What a client may learn of a failed login: only that the warehouse is not available, or that it
 * is full, starting or stopping. libpq's own text names host, port, account and database and goes
 * to the operator.
 */
#include <ctype.h>
#include <stdarg.h>

#include "upstream_priv.h"

/* libpq writes "FATAL:  28P01: password ...", the severity in the server's language. The last one
 * counts. */
static bool find_sqlstate(const char *message, char out[6])
{
    bool is_found = false;

    for (const char *at = strstr(message, ":  "); at != NULL; at = strstr(at + 1, ":  ")) {
        const char *code = at + 3;
        size_t len = 0;
        while (len < 5 && (isdigit((unsigned char)code[len]) || isupper((unsigned char)code[len])))
            len++;
        if (len == 5 && code[5] == ':') {
            memcpy(out, code, 5);
            out[5] = '\0';
            is_found = true;
        }
    }
    return is_found;
}

/*
 * One line, without what would end the quotes it stands in: a server's text must not make log
 * fields of its own.
 */
void gh_upstream_detail(gh_err *err, gh_str text)
{
    char line[sizeof(((gh_err *)NULL)->detail)];
    size_t len = 0;

    for (size_t i = 0; i < text.len && len < sizeof(line) - 1; i++) {
        char ch = text.ptr[i];
        if (isspace((unsigned char)ch) || iscntrl((unsigned char)ch))
            ch = ' ';
        if (ch == ' ' && (len == 0 || line[len - 1] == ' '))
            continue;
        line[len] = ch == '"' ? '\'' : ch;
        len++;
    }
    while (len > 0 && line[len - 1] == ' ')
        len--;
    line[len] = '\0';
    gh_err_detail(err, "%s", line);
}

gh_rc gh_upstream_refused(const char *libpq_message, gh_err *err)
{
    char code[6] = "";
    gh_rc rc;

    /*
     * SECURITY: 28P01 would tell every client that our account's password is wrong, 3D000 the name
     * of a database: the code is passed on only where it says nothing of either. Attack:
     * tests/unit/upstream/test_connect.c, errors_do_not_name_the_account.
     */
    if (!find_sqlstate(libpq_message, code))
        code[0] = '\0';
    if (strcmp(code, "53300") == 0)
        rc = gh_fail(err, GH_LIMIT, "53300", "the warehouse has too many connections");
    else if (strcmp(code, "57P01") == 0 || strcmp(code, "57P02") == 0 || strcmp(code, "57P03") == 0)
        rc = gh_fail(err, GH_IO, code, "the warehouse is starting up or shutting down");
    else
        rc = gh_fail(err, GH_IO, "08001", "the warehouse is not available");
    gh_upstream_detail(err, gh_str_of(libpq_message));
    return rc;
}

gh_rc gh_upstream_unavailable(gh_rc rc, gh_err *err, const char *fmt, ...)
{
    char detail[sizeof(((gh_err *)NULL)->detail)];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);
    gh_rc failed = gh_fail(err, rc, "08001", "the warehouse is not available");
    gh_upstream_detail(err, gh_str_of(detail));
    return failed;
}
