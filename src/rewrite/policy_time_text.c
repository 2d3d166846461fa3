/*
 * Dates and times as a policy's author writes them: does the text mean the same in every session?
 *
 *     2026-01-01              a wall clock's: of UTC
 *     2026-01-01 00:00+02     an instant, whatever the zone
 *     01/02/2026, today       the session would decide
 */
#include "policy_expr.h"

static bool is_word(const char *s, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(s, words[i]) == 0)
            return true;
    }
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Days that are reckoned from today: of the session. */
bool gh_time_text_is_relative(const char *s)
{
    static const char *const words[] = { "today", "tomorrow", "yesterday", "now" };

    for (size_t i = 0; i < GH_COUNT(words); i++) {
        if (gh_str_ieq(gh_str_of(s), gh_str_of(words[i])))
            return true;
    }
    return false;
}

/* 01/02/2026: which of the two is the month DateStyle says. */
bool gh_time_text_is_ambiguous(const char *s)
{
    size_t first = strspn(s, "0123456789");
    size_t second;

    if (first == 0 || first > 2 || s[first] == '\0' || strchr("/.-", s[first]) == NULL)
        return false;
    s += first + 1;
    second = strspn(s, "0123456789");
    return second > 0 && second <= 2 && s[second] != '\0' && strchr("/.-", s[second]) != NULL;
}

/* Words that end a text without being a zone. */
static bool is_no_zone(const char *word)
{
    static const char *const words[] = { "am", "pm", "bc", "ad" };
    static const char *const beginnings[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul",
                                              "aug", "sep", "oct", "nov", "dec", "mon", "tue",
                                              "wed", "thu", "fri", "sat", "sun" };

    for (size_t i = 0; i < GH_COUNT(beginnings); i++) {
        if (strncmp(word, beginnings[i], 3) == 0)
            return true;
    }
    return is_word(word, words, GH_COUNT(words));
}

/*
 * Does the text mean the same instant in every time zone: "2026-01-01 00:00+02", "... UTC", "infinity"? A sign
 * is that of a zone only behind a time of day, else it is a date's.
 */
bool gh_time_text_has_zone(const char *s)
{
    char word[8] = { 0 };
    size_t len = strlen(s);
    size_t start;

    while (len > 0 && s[len - 1] == ' ')
        len--;
    start = len;
    while (start > 0 && (is_letter(s[start - 1]) || s[start - 1] == '/' || s[start - 1] == '_'))
        start--;
    if (start < len) {
        for (size_t i = start; i < len && i - start < sizeof(word) - 1; i++)
            word[i - start] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] + 32 : s[i]);
        return !is_no_zone(word);
    }
    for (size_t i = 0; i < len; i++) {
        if ((s[i] == '+' || s[i] == '-') && memchr(s, ':', i) != NULL)
            return true;
    }
    return false;
}

/*
 * Is the sign in front of one field, with others behind that have none: "-1 day 2:00"? IntervalStyle says whether it is theirs
 * as well.
 */
bool gh_time_text_is_signed(const char *s)
{
    s += strspn(s, " ");
    if (*s != '-')
        return false;
    for (s++; *s != '\0'; s++) {
        if (s[0] == ' ' && s[1] >= '0' && s[1] <= '9')
            return true;
    }
    return false;
}
