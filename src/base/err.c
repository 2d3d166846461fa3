/*
 * Results and errors. The first failure wins: cleanup that fails later never hides the cause.
 */
#include <gatehouse/base.h>

#include <stdio.h>
#include <stdlib.h>

void gh_assert_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "gatehouse: defect: \"%s\" does not hold at %s:%d\n", what, file, line);
    abort();
}

const char *gh_rc_name(gh_rc rc)
{
    switch (rc) {
    case GH_UNSET:
        return "unset";
    case GH_OK:
        return "ok";
    case GH_DENIED:
        return "denied";
    case GH_BADMSG:
        return "bad_message";
    case GH_INVALID:
        return "invalid";
    case GH_LIMIT:
        return "limit";
    case GH_NOT_FOUND:
        return "not_found";
    case GH_AGAIN:
        return "again";
    case GH_CLOSED:
        return "closed";
    case GH_IO:
        return "io";
    case GH_INTERNAL:
        return "internal";
    }
    return "unknown";
}

/*
 * Formats into a field of fixed size. A text that does not fit is cut, but never inside a UTF-8
 * sequence: a client must not get half a character.
 */
static void format_text(char *out, size_t size, const char *fmt, va_list args) GH_PRINTF(3, 0);
static void format_text(char *out, size_t size, const char *fmt, va_list args)
{
    int n = vsnprintf(out, size, fmt, args);
    size_t end;

    if (n < 0) {
        out[0] = '\0';
        return;
    }
    if ((size_t)n < size)
        return;
    end = size - 1;
    /* Back over continuation bytes to the lead byte of the last character, and drop it if it is
     * cut. */
    while (end > 0 && size - 1 - end < 3 && ((unsigned char)out[end - 1] & 0xC0) == 0x80)
        end--;
    if (end > 0) {
        unsigned char lead = (unsigned char)out[end - 1];
        size_t have = size - 1 - (end - 1);
        size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;

        if (need > have)
            out[end - 1] = '\0';
    }
}

gh_rc gh_fail(gh_err *err, gh_rc rc, const char *sqlstate, const char *fmt, ...)
{
    va_list args;

    GH_ASSERT(rc != GH_OK);
    GH_ASSERT(strlen(sqlstate) == sizeof(err->sqlstate) - 1);
    if (err == NULL || err->sqlstate[0] != '\0')
        return rc;
    memcpy(err->sqlstate, sqlstate, sizeof(err->sqlstate));
    va_start(args, fmt);
    format_text(err->public_msg, sizeof(err->public_msg), fmt, args);
    va_end(args);
    return rc;
}

void gh_err_detail(gh_err *err, const char *fmt, ...)
{
    va_list args;

    if (err == NULL || err->detail[0] != '\0')
        return;
    va_start(args, fmt);
    format_text(err->detail, sizeof(err->detail), fmt, args);
    va_end(args);
}
