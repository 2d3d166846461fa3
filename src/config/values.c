/*
 * Values as text: numbers, sizes, durations, times; and the guess at a misspelt word.
 */
#include <gatehouse/config.h>

#include <time.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits at *pos; false if there are none or the value passes INT64_MAX. */
static bool take_digits(gh_str s, size_t *pos, int64_t *out)
{
    int64_t v = 0;
    size_t i = *pos;

    while (i < s.len && is_digit(s.ptr[i])) {
        if (__builtin_mul_overflow(v, (int64_t)10, &v) ||
            __builtin_add_overflow(v, (int64_t)(s.ptr[i] - '0'), &v))
            return false;
        i++;
    }
    if (i == *pos)
        return false;
    *pos = i;
    *out = v;
    return true;
}

bool gh_config_parse_int(gh_str s, int64_t *out)
{
    size_t pos = 0;
    int64_t v;
    int64_t exponent = 0;
    bool is_negative = s.len > 0 && s.ptr[0] == '-';

    if (is_negative)
        pos++;
    if (!take_digits(s, &pos, &v))
        return false;
    if (pos < s.len && (s.ptr[pos] == 'e' || s.ptr[pos] == 'E')) {
        pos++;
        if (!take_digits(s, &pos, &exponent) || exponent > 18)
            return false;
        for (; exponent > 0; exponent--)
            if (__builtin_mul_overflow(v, (int64_t)10, &v))
                return false;
    }
    if (pos != s.len)
        return false;
    *out = is_negative ? -v : v;
    return true;
}

typedef struct unit {
    const char *name;
    int64_t factor;
} unit;

/* A number, then a unit or nothing (where the table has a unit ""). */
static bool parse_with_unit(gh_str s, const unit *units, size_t unit_count, int64_t *out)
{
    size_t pos = 0;
    int64_t v;

    if (!take_digits(s, &pos, &v))
        return false;
    gh_str rest = { s.ptr + pos, s.len - pos };
    for (size_t i = 0; i < unit_count; i++) {
        if (gh_str_ieq(rest, gh_str_of(units[i].name))) {
            if (__builtin_mul_overflow(v, units[i].factor, &v))
                return false;
            *out = v;
            return true;
        }
    }
    return false;
}

bool gh_config_parse_size(gh_str s, uint64_t *out)
{
    static const unit units[] = {
        { "", 1 },
        { "B", 1 },
        { "kB", 1000 },
        { "KiB", 1024 },
        { "MB", 1000000 },
        { "MiB", 1 << 20 },
        { "GB", 1000000000 },
        { "GiB", 1 << 30 },
        { "TB", 1000000000000 },
        { "TiB", (int64_t)1 << 40 },
    };
    int64_t v;

    if (!parse_with_unit(s, units, GH_COUNT(units), &v))
        return false;
    *out = (uint64_t)v;
    return true;
}

bool gh_config_parse_duration_ms(gh_str s, int64_t *out)
{
    static const unit units[] = {
        { "ms", 1 },      { "s", 1000 },    { "m", 60000 },
        { "min", 60000 }, { "h", 3600000 }, { "d", 86400000 },
    };
    return parse_with_unit(s, units, GH_COUNT(units), out);
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    /* March starts the year, so that the leap day ends it; 400 years are 146097 days. */
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t days_in(int64_t year, int64_t month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && is_leap ? 29 : days[month - 1];
}

/* Exactly `width` digits within [min, max]. */
static bool take_field(gh_str s, size_t *pos, size_t width, int64_t min, int64_t max, int64_t *out)
{
    size_t start = *pos;

    if (s.len - start < width)
        return false;
    gh_str field = { s.ptr, start + width };
    if (!take_digits(field, pos, out))
        return false;
    return *pos == start + width && *out >= min && *out <= max;
}

static bool take_char(gh_str s, size_t *pos, char c)
{
    if (*pos >= s.len || s.ptr[*pos] != c)
        return false;
    ++*pos;
    return true;
}

/* [:seconds[.fraction]] */
static bool take_seconds(gh_str s, size_t *pos, int64_t *us)
{
    int64_t seconds;
    int64_t scale = 1000000;

    *us = 0;
    if (!take_char(s, pos, ':'))
        return true;
    if (!take_field(s, pos, 2, 0, 59, &seconds))
        return false;
    *us = seconds * 1000000;
    if (!take_char(s, pos, '.'))
        return true;
    size_t start = *pos;
    for (; *pos < s.len && is_digit(s.ptr[*pos]); ++*pos) {
        scale /= 10;
        *us += (s.ptr[*pos] - '0') * scale;
    }
    return *pos > start && *pos - start <= 6;
}

/* Nothing, Z, or +hh[:mm]. */
static bool take_zone(gh_str s, size_t *pos, int64_t *offset_us)
{
    int64_t hours;
    int64_t minutes = 0;

    *offset_us = 0;
    if (*pos == s.len || take_char(s, pos, 'Z'))
        return true;
    bool is_west = s.ptr[*pos] == '-';
    if (!is_west && s.ptr[*pos] != '+')
        return false;
    ++*pos;
    if (!take_field(s, pos, 2, 0, 15, &hours))
        return false;
    if (*pos < s.len && (!take_char(s, pos, ':') || !take_field(s, pos, 2, 0, 59, &minutes)))
        return false;
    *offset_us = (hours * 60 + minutes) * 60000000 * (is_west ? -1 : 1);
    return true;
}

bool gh_config_parse_time(gh_str s, bool is_until, int64_t *out)
{
    const int64_t day_us = (int64_t)86400 * 1000000;
    size_t pos = 0;
    int64_t year;
    int64_t month;
    int64_t day;
    int64_t hour;
    int64_t minute;
    int64_t second_us;
    int64_t offset_us;

    if (!take_field(s, &pos, 4, 1, 9999, &year) || !take_char(s, &pos, '-') ||
        !take_field(s, &pos, 2, 1, 12, &month) || !take_char(s, &pos, '-') ||
        !take_field(s, &pos, 2, 1, days_in(year, month), &day))
        return false;
    int64_t start = days_of(year, month, day) * day_us;
    if (pos == s.len) {
        *out = is_until ? start + day_us : start;
        return true;
    }
    if (!take_char(s, &pos, 'T') && !take_char(s, &pos, ' '))
        return false;
    if (!take_field(s, &pos, 2, 0, 23, &hour) || !take_char(s, &pos, ':') ||
        !take_field(s, &pos, 2, 0, 59, &minute) || !take_seconds(s, &pos, &second_us) ||
        !take_zone(s, &pos, &offset_us) || pos != s.len)
        return false;
    *out = start + (hour * 60 + minute) * 60000000 + second_us - offset_us;
    return true;
}

void gh_config_put_time(gh_buf *b, int64_t us)
{
    int64_t second = us / 1000000;
    int64_t fraction = us % 1000000;
    time_t t;
    struct tm tm;

    if (fraction < 0) {
        fraction += 1000000;
        second--;
    }
    t = (time_t)second;
    if (gmtime_r(&t, &tm) == NULL) {
        gh_buf_puts(b, "out of range"); /* read back as a fault, never as another time */
        return;
    }
    gh_buf_printf(b, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                  tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (fraction != 0)
        gh_buf_printf(b, ".%06d", (int)fraction);
    gh_buf_puts(b, "Z");
}

/*
 * Optimal string alignment distance: edits and swaps of neighbours, over two rows kept and one
 * before. Words longer than the bound are nobody's misspelling.
 */
enum { SUGGEST_WORD_MAX = 40 };

static size_t distance(gh_str a, gh_str b)
{
    size_t rows[3][SUGGEST_WORD_MAX + 1];

    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *now = rows[i % 3];
        const size_t *last = rows[(i + 2) % 3];
        const size_t *before = rows[(i + 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = last[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1] ? 1u : 0u);
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[a.len % 3][b.len];
}

const char *gh_config_suggest(gh_str word, const char *const *known, size_t known_count)
{
    const char *best = NULL;
    /* Edits forgiven: one, two from 4 letters on, three from 9. */
    size_t best_distance = word.len < 4 ? 2 : (word.len < 9 ? 3 : 4);

    if (word.len == 0 || word.len > SUGGEST_WORD_MAX)
        return NULL;
    for (size_t i = 0; i < known_count; i++) {
        gh_str candidate = gh_str_of(known[i]);
        if (candidate.len == 0 || candidate.len > SUGGEST_WORD_MAX)
            continue;
        size_t d = distance(word, candidate);
        if (d < best_distance && d < candidate.len) {
            best = known[i];
            best_distance = d;
        }
    }
    return best;
}
