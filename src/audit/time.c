/*
 * Times: Unix microseconds to RFC 3339 in UTC and back. The calendar is Howard Hinnant's
 * days_from_civil and civil_from_days (proleptic Gregorian), since libc's are slow and take the
 * process's time zone.
 */
#include "audit_priv.h"

#define SECOND_US 1000000
#define DAY_S     86400

static void put_digits(char *out, unsigned v, unsigned count)
{
    for (unsigned i = count; i-- > 0;) {
        out[i] = (char)('0' + v % 10);
        v /= 10;
    }
}

size_t gh_audit_time_text(int64_t time_us, char out[GH_AUDIT_TIME_TEXT])
{
    int64_t second = time_us / SECOND_US - (time_us % SECOND_US < 0);
    unsigned micro = (unsigned)(time_us - second * SECOND_US);
    int64_t day = second / DAY_S - (second % DAY_S < 0);
    unsigned in_day = (unsigned)(second - day * DAY_S);
    int64_t z = day + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned doe = (unsigned)(z - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    unsigned month = mp < 10 ? mp + 3 : mp - 9;
    int64_t year = (int64_t)yoe + era * 400 + (month <= 2);

    memcpy(out, "0000-00-00T00:00:00.000000Z", GH_AUDIT_TIME_TEXT);
    if (year < 0 || year > 9999)
        return GH_AUDIT_TIME_TEXT - 1; /* no clock says so; the format has four digits */
    put_digits(out, (unsigned)year, 4);
    put_digits(out + 5, month, 2);
    put_digits(out + 8, doy - (153 * mp + 2) / 5 + 1, 2);
    put_digits(out + 11, in_day / 3600, 2);
    put_digits(out + 14, in_day / 60 % 60, 2);
    put_digits(out + 17, in_day % 60, 2);
    put_digits(out + 20, micro, 6);
    return GH_AUDIT_TIME_TEXT - 1;
}

static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    unsigned yoe = (unsigned)(y - era * 400);
    unsigned doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

    return era * 146097 + (int64_t)doe - 719468;
}

/* Exactly `count` digits, as a number; sticky as gh_rd is. */
static unsigned rd_digits(gh_rd *r, size_t count)
{
    gh_str text = gh_rd_bytes(r, count);
    unsigned v = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            r->failed = true;
        v = v * 10 + (unsigned char)text.ptr[i] - '0';
    }
    return r->failed ? 0 : v;
}

static bool rd_is(gh_rd *r, char c)
{
    if (r->failed || r->pos == r->end || *r->pos != c)
        return false;
    r->pos++;
    return true;
}

static void rd_must(gh_rd *r, char c)
{
    if (!rd_is(r, c))
        r->failed = true;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && is_leap ? 29 : days[month - 1];
}

/* ".5" is 500000; digits past the sixth are dropped. */
static unsigned rd_fraction(gh_rd *r)
{
    unsigned v = 0;
    unsigned scale = SECOND_US / 10;
    size_t digits = 0;

    while (r->pos < r->end && *r->pos >= '0' && *r->pos <= '9') {
        v += (unsigned)(*r->pos - '0') * scale;
        scale /= 10;
        r->pos++;
        digits++;
    }
    if (digits == 0)
        r->failed = true;
    return v;
}

/* Seconds east of UTC; nothing and Z are UTC. */
static int64_t rd_zone(gh_rd *r)
{
    int64_t sign = 1;
    unsigned hours;

    if (r->pos == r->end || rd_is(r, 'Z') || rd_is(r, 'z'))
        return 0;
    if (rd_is(r, '-'))
        sign = -1;
    else
        rd_must(r, '+');
    hours = rd_digits(r, 2);
    rd_must(r, ':');
    return sign * (int64_t)(hours * 3600 + rd_digits(r, 2) * 60);
}

static bool parse_absolute(gh_str text, int64_t *out)
{
    gh_rd r = { text.ptr, text.ptr + text.len, false };
    unsigned year = rd_digits(&r, 4);
    unsigned month;
    unsigned day;
    unsigned hour = 0;
    unsigned minute = 0;
    unsigned second = 0;
    unsigned micro = 0;
    int64_t zone = 0;

    rd_must(&r, '-');
    month = rd_digits(&r, 2);
    rd_must(&r, '-');
    day = rd_digits(&r, 2);
    if (!r.failed && r.pos < r.end) {
        if (!rd_is(&r, 'T') && !rd_is(&r, 't'))
            rd_must(&r, ' ');
        hour = rd_digits(&r, 2);
        rd_must(&r, ':');
        minute = rd_digits(&r, 2);
        if (rd_is(&r, ':'))
            second = rd_digits(&r, 2);
        if (rd_is(&r, '.'))
            micro = rd_fraction(&r);
        zone = rd_zone(&r);
    }
    if (!gh_rd_finish(&r) || month < 1 || month > 12 || day < 1 ||
        day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 60)
        return false;
    *out = (days_from_civil(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second - zone) *
               SECOND_US +
           micro;
    return true;
}

static bool parse_ago(gh_str text, int64_t now_us, int64_t *out)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', DAY_S }, { 'w', 7 * DAY_S } };
    uint64_t count;

    if (text.len < 2 || !gh_audit_u64_parse((gh_str){ text.ptr, text.len - 1 }, &count) ||
        count > 100000000)
        return false;
    for (size_t i = 0; i < GH_COUNT(units); i++) {
        if (text.ptr[text.len - 1] == units[i].unit) {
            *out = now_us - (int64_t)count * units[i].seconds * SECOND_US;
            return true;
        }
    }
    return false;
}

gh_rc gh_audit_time_parse(gh_str text, int64_t now_us, int64_t *out, gh_err *err)
{
    int64_t v;

    if (!parse_ago(text, now_us, &v) && !parse_absolute(text, &v))
        return gh_fail(err, GH_INVALID, "22007",
                       "\"" GH_STR_FMT "\" is no time: expected 2026-01-31, "
                       "2026-01-31T23:59:59Z, or so long ago as 30s, 15m, 4h, 7d, 2w",
                       GH_STR_ARG(text));
    *out = v;
    return GH_OK;
}
