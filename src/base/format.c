/*
 * printf for the few formats that plans and records are made of, by the hundred: %s, %.*s, %d, %lld and %%. Any
 * other format goes to the C library, whose way through its streams takes several times as long.
 */
#include <gatehouse/base.h>

#include <limits.h>
#include <stdio.h>

/* What was not NUL-terminated is not known to the C library either: what does not fit is counted only. */
typedef struct gh_formatter {
    char *to;
    size_t room;
    size_t len;
} gh_formatter;

static bool is_few(const char *fmt)
{
    for (const char *p = strchr(fmt, '%'); p != NULL; p = strchr(p + 1, '%')) {
        p++;
        if (p[0] == '.' && p[1] == '*' && p[2] == 's')
            p += 2;
        else if (p[0] == 'l' && p[1] == 'l' && p[2] == 'd')
            p += 2;
        else if (*p != 's' && *p != 'd' && *p != '%')
            return false;
    }
    return true;
}

static void put(gh_formatter *f, const char *bytes, size_t len)
{
    size_t left = f->len < f->room ? f->room - f->len : 0;

    if (len > 0 && left > 0)
        memcpy(f->to + f->len, bytes, len < left ? len : left);
    f->len += len;
}

static void put_int(gh_formatter *f, long long v)
{
    char digits[20];
    size_t at = sizeof(digits);
    unsigned long long left = v < 0 ? 0ull - (unsigned long long)v : (unsigned long long)v;

    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left != 0);
    if (v < 0)
        digits[--at] = '-';
    put(f, digits + at, sizeof(digits) - at);
}

int gh_vformat(char *to, size_t room, const char *fmt, va_list args)
{
    gh_formatter f = { to, room, 0 };
    const char *p = fmt;

    if (!is_few(fmt))
        return vsnprintf(to, room, fmt, args);
    while (*p != '\0') {
        size_t plain = strcspn(p, "%");
        const char *s;

        put(&f, p, plain);
        p += plain;
        if (*p == '\0')
            break;
        p++;
        if (*p == 's') {
            s = va_arg(args, const char *);
            put(&f, s, strlen(s));
        } else if (*p == 'd') {
            put_int(&f, va_arg(args, int));
        } else if (*p == 'l') {
            put_int(&f, va_arg(args, long long));
            p += 2;
        } else if (*p == '%') {
            put(&f, p, 1);
        } else { /* .*s */
            int most = va_arg(args, int);

            s = va_arg(args, const char *);
            put(&f, s, most < 0 ? strlen(s) : strnlen(s, (size_t)most));
            p += 2;
        }
        p++;
    }
    if (room > 0)
        to[f.len < room ? f.len : room - 1] = '\0';
    GH_ASSERT(f.len <= INT_MAX);
    return (int)f.len;
}
