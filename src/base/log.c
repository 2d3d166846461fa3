/*
 * The operator's log: one logfmt line an event on stderr, written by one write(2) so that threads
 * do not mix their lines.
 *
 *     time=2026-03-01T09:15:00.123Z level=warn event=upstream.lost session=7 rc=closed
 *
 * SECURITY: values come from peers (user names, addresses). A newline in one would forge a line, an
 * escape sequence would reach the operator's terminal: control bytes are written as '?'. Test:
 * tests/unit/base, log_takes_no_control_bytes.
 */
#include <gatehouse/base.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048
#define EVENTS_MAX     256 /* events counted apart; those past it share the last slot */
#define LINES_A_SECOND 20

typedef struct event_rate {
    const char *event; /* a constant of the program's text */
    int64_t second;
    uint32_t lines;
    uint32_t held_back;
} event_rate;

/* Shared by all threads: the level by its atomicity alone (no other memory hangs on it), the table
 * by the lock. */
static atomic_int s_level = GH_INFO;
static pthread_mutex_t s_lock = PTHREAD_MUTEX_INITIALIZER;
static event_rate s_rates[EVENTS_MAX];

void gh_log_set_level(gh_level level)
{
    atomic_store_explicit(&s_level, (int)level, memory_order_relaxed);
}

static const char *level_name(gh_level level)
{
    switch (level) {
    case GH_ERROR:
        return "error";
    case GH_WARN:
        return "warn";
    case GH_INFO:
        return "info";
    case GH_DEBUG:
        return "debug";
    }
    return "unknown";
}

/* True if the line may be written; then *held_back is the number of lines that were not since the
 * last. */
static bool may_pass(const char *event, int64_t second, uint32_t *held_back)
{
    event_rate *rate;
    bool passes;
    size_t i = 0;

    (void)pthread_mutex_lock(&s_lock);
    while (i < EVENTS_MAX - 1 && s_rates[i].event != NULL && strcmp(s_rates[i].event, event) != 0)
        i++;
    rate = &s_rates[i];
    rate->event = event;
    if (rate->second != second) {
        rate->second = second;
        rate->lines = 0;
    }
    passes = rate->lines < LINES_A_SECOND;
    if (passes) {
        rate->lines++;
        *held_back = rate->held_back;
        rate->held_back = 0;
    } else if (rate->held_back < UINT32_MAX) {
        rate->held_back++;
    }
    (void)pthread_mutex_unlock(&s_lock);
    return passes;
}

/* What snprintf wrote into `room` bytes when it returned n. */
static size_t written(int n, size_t room)
{
    if (n < 0)
        return 0;
    return (size_t)n < room ? (size_t)n : room - 1;
}

void gh_log(gh_level level, const char *event, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    const size_t room = sizeof(line) - 1; /* the newline's byte is kept free */
    struct timespec now;
    struct tm tm;
    uint32_t held_back = 0;
    size_t len;
    va_list args;

    if ((int)level > atomic_load_explicit(&s_level, memory_order_relaxed))
        return;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (!may_pass(event, (int64_t)now.tv_sec, &held_back))
        return;
    (void)gmtime_r(&now.tv_sec, &tm);
    len = strftime(line, room, "time=%Y-%m-%dT%H:%M:%S", &tm);
    len += written(snprintf(line + len, room - len, ".%03ldZ level=%s event=%s ",
                            now.tv_nsec / 1000000, level_name(level), event),
                   room - len);
    if (held_back > 0)
        len += written(snprintf(line + len, room - len, "held_back=%u ", held_back), room - len);
    va_start(args, fmt);
    len += written(vsnprintf(line + len, room - len, fmt, args), room - len);
    va_end(args);
    while (len > 0 && line[len - 1] == ' ')
        len--;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7F)
            line[i] = '?';
    }
    line[len] = '\n';
    /* A log that cannot be written has nowhere to say so; evidence is the audit's, which does. */
    if (write(STDERR_FILENO, line, len + 1) < 0)
        return;
}
