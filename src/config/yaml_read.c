/*
 * Typed values out of the YAML tree; every wrong one becomes a line in the reader's faults.
 */
#include <gatehouse/config.h>

#include <inttypes.h>
#include <stdio.h>

const gh_yaml_node *gh_yaml_get(const gh_yaml_node *map, const char *key)
{
    if (map == NULL || map->kind != GH_YAML_MAPPING)
        return NULL;
    for (size_t i = 0; i < map->count; i++)
        if (gh_str_is(gh_yaml_key(map, i)->text, key))
            return gh_yaml_value(map, i);
    return NULL;
}

bool gh_yaml_is_null(const gh_yaml_node *n)
{
    return n->kind == GH_YAML_SCALAR && n->is_plain &&
           (n->text.len == 0 || gh_str_is(n->text, "~") || gh_str_is(n->text, "null"));
}

gh_yaml_reader gh_yaml_reader_of(gh_str name, gh_arena *a, gh_buf *faults)
{
    return (gh_yaml_reader){ .name = name, .arena = a, .faults = faults };
}

void gh_yaml_fault(gh_yaml_reader *r, const gh_yaml_node *at, const char *key, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    int len = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    GH_ASSERT(len >= 0);
    r->fault_count++;
    gh_buf_printf(r->faults, GH_STR_FMT ":%u:%u: %s%s%s\n", GH_STR_ARG(r->name),
                  at != NULL ? at->line : 1, at != NULL ? at->column : 1, key != NULL ? key : "",
                  key != NULL ? ": " : "", text);
}

gh_rc gh_yaml_finish(const gh_yaml_reader *r, gh_err *err)
{
    if (r->fault_count == 0)
        return GH_OK;
    const gh_buf *faults = r->faults;
    const char *end = faults->len > 0 ? memchr(faults->ptr, '\n', faults->len) : NULL;
    gh_str first = { faults->ptr, end != NULL ? (size_t)(end - faults->ptr) : faults->len };
    return gh_fail(err, GH_INVALID, "F0000", GH_STR_FMT, GH_STR_ARG(first));
}

/* What a value is, for messages: "a list", "text" ... */
static const char *kind_word(const gh_yaml_node *n)
{
    switch (n->kind) {
    case GH_YAML_NONE:
        break;
    case GH_YAML_SCALAR:
        return gh_yaml_is_null(n) ? "nothing" : "a single value";
    case GH_YAML_SEQUENCE:
        return "a list";
    case GH_YAML_MAPPING:
        return "keys";
    }
    return "nothing";
}

bool gh_yaml_want_mapping(gh_yaml_reader *r, const gh_yaml_node *n, const char *key)
{
    if (n->kind == GH_YAML_MAPPING)
        return true;
    gh_yaml_fault(r, n, key, "expected keys with values, found %s", kind_word(n));
    return false;
}

bool gh_yaml_want_sequence(gh_yaml_reader *r, const gh_yaml_node *n, const char *key)
{
    if (n->kind == GH_YAML_SEQUENCE)
        return true;
    gh_yaml_fault(r, n, key, "expected a list, found %s", kind_word(n));
    return false;
}

/* "a, b, c", for messages; cut where it does not fit. */
static void list_words(char *out, size_t size, const char *const *words, size_t count)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < count && len < size; i++) {
        int n = snprintf(out + len, size - len, "%s%s", i > 0 ? ", " : "", words[i]);
        GH_ASSERT(n >= 0);
        len += (size_t)n;
    }
}

static void fault_unknown_key(gh_yaml_reader *r, const gh_yaml_node *at, const char *const *known,
                              size_t known_count)
{
    char words[300];
    char key[80];
    const char *meant = gh_config_suggest(at->text, known, known_count);

    (void)snprintf(key, sizeof(key), GH_STR_FMT, GH_STR_ARG(at->text));
    if (meant != NULL) {
        gh_yaml_fault(r, at, key, "unknown key; did you mean \"%s\"?", meant);
        return;
    }
    list_words(words, sizeof(words), known, known_count);
    gh_yaml_fault(r, at, key, "unknown key; expected one of %s", words);
}

bool gh_yaml_want_keys(gh_yaml_reader *r, const gh_yaml_node *n, const char *key,
                       const char *const *known, size_t known_count)
{
    if (!gh_yaml_want_mapping(r, n, key))
        return false;
    for (size_t i = 0; i < n->count; i++) {
        const gh_yaml_node *k = gh_yaml_key(n, i);
        size_t j = 0;

        while (j < known_count && !gh_str_is(k->text, known[j]))
            j++;
        if (j == known_count)
            fault_unknown_key(r, k, known, known_count);
    }
    return true;
}

const gh_yaml_node *gh_yaml_require(gh_yaml_reader *r, const gh_yaml_node *map, const char *key)
{
    const gh_yaml_node *n = gh_yaml_get(map, key);

    if (n == NULL)
        gh_yaml_fault(r, map, key, "missing");
    return n;
}

/* A scalar that is no null; a fault otherwise. */
static bool want_value(gh_yaml_reader *r, const gh_yaml_node *n, const char *key,
                       const char *expected)
{
    if (n->kind == GH_YAML_SCALAR && !gh_yaml_is_null(n))
        return true;
    gh_yaml_fault(r, n, key, "expected %s, found %s", expected, kind_word(n));
    return false;
}

static void fault_value(gh_yaml_reader *r, const gh_yaml_node *n, const char *key,
                        const char *expected)
{
    int shown = n->text.len > 60 ? 60 : (int)n->text.len;

    gh_yaml_fault(r, n, key, "expected %s, found \"%.*s\"", expected, shown, n->text.ptr);
}

gh_str gh_yaml_str(gh_yaml_reader *r, const gh_yaml_node *n, const char *key, gh_str fallback)
{
    if (n == NULL || !want_value(r, n, key, "text"))
        return fallback;
    return n->text;
}

bool gh_yaml_bool(gh_yaml_reader *r, const gh_yaml_node *n, const char *key, bool fallback)
{
    if (n == NULL || !want_value(r, n, key, "true or false"))
        return fallback;
    if (n->is_plain && gh_str_is(n->text, "true"))
        return true;
    if (n->is_plain && gh_str_is(n->text, "false"))
        return false;
    fault_value(r, n, key, "true or false");
    return fallback;
}

int64_t gh_yaml_int(gh_yaml_reader *r, const gh_yaml_node *n, const char *key, int64_t min,
                    int64_t max, int64_t fallback)
{
    char expected[80];
    int64_t v;

    if (n == NULL)
        return fallback;
    (void)snprintf(expected, sizeof(expected), "a whole number from %" PRId64 " to %" PRId64, min,
                   max);
    if (!want_value(r, n, key, expected))
        return fallback;
    if (n->is_plain && gh_config_parse_int(n->text, &v) && v >= min && v <= max)
        return v;
    fault_value(r, n, key, expected);
    return fallback;
}

/* 16777216 as 16MiB where that is exact. */
static void size_text(char *out, size_t size, uint64_t v)
{
    if (v > 0 && v % (1u << 20) == 0)
        (void)snprintf(out, size, "%" PRIu64 "MiB", v >> 20);
    else
        (void)snprintf(out, size, "%" PRIu64, v);
}

uint64_t gh_yaml_size(gh_yaml_reader *r, const gh_yaml_node *n, const char *key, uint64_t min,
                      uint64_t max, uint64_t fallback)
{
    char low[32];
    char high[32];
    char expected[120];
    uint64_t v;

    if (n == NULL)
        return fallback;
    size_text(low, sizeof(low), min);
    size_text(high, sizeof(high), max);
    (void)snprintf(expected, sizeof(expected), "a size from %s to %s, such as 64kB, 16MiB or 1GB",
                   low, high);
    if (!want_value(r, n, key, expected))
        return fallback;
    if (n->is_plain && gh_config_parse_size(n->text, &v) && v >= min && v <= max)
        return v;
    fault_value(r, n, key, expected);
    return fallback;
}

int64_t gh_yaml_duration_ms(gh_yaml_reader *r, const gh_yaml_node *n, const char *key,
                            int64_t max_ms, int64_t fallback)
{
    char expected[120];
    int64_t v;

    if (n == NULL)
        return fallback;
    (void)snprintf(expected, sizeof(expected),
                   "a duration up to %" PRId64 "s, such as 500ms, 60s, 5m, 4h or 7d",
                   max_ms / 1000);
    if (!want_value(r, n, key, expected))
        return fallback;
    if (n->is_plain && gh_config_parse_duration_ms(n->text, &v) && v >= 1 && v <= max_ms)
        return v;
    fault_value(r, n, key, expected);
    return fallback;
}

int64_t gh_yaml_time(gh_yaml_reader *r, const gh_yaml_node *n, const char *key, bool is_until,
                     int64_t fallback)
{
    static const char expected[] =
        "a date such as 2026-12-31 or a time such as 2026-12-31T08:00:00Z";
    int64_t v;

    if (n == NULL || !want_value(r, n, key, expected))
        return fallback;
    if (gh_config_parse_time(n->text, is_until, &v))
        return v;
    fault_value(r, n, key, expected);
    return fallback;
}

size_t gh_yaml_choice(gh_yaml_reader *r, const gh_yaml_node *n, const char *key,
                      const char *const *words, size_t word_count, size_t fallback)
{
    char list[200];
    char expected[220];

    if (n == NULL)
        return fallback;
    list_words(list, sizeof(list), words, word_count);
    (void)snprintf(expected, sizeof(expected), "%s%s", word_count > 1 ? "one of " : "", list);
    if (!want_value(r, n, key, expected))
        return fallback;
    for (size_t i = 0; i < word_count; i++)
        if (gh_str_is(n->text, words[i]))
            return i;
    fault_value(r, n, key, expected);
    return fallback;
}

const gh_str *gh_yaml_str_list(gh_yaml_reader *r, const gh_yaml_node *n, const char *key,
                               size_t *count)
{
    *count = 0;
    if (n == NULL || !gh_yaml_want_sequence(r, n, key) || n->count == 0)
        return NULL;
    gh_str *list = gh_arena_alloc(r->arena, n->count * sizeof(*list));
    if (list == NULL) {
        gh_yaml_fault(r, n, key, "the file takes too much memory");
        return NULL;
    }
    for (size_t i = 0; i < n->count; i++)
        list[i] = gh_yaml_str(r, &n->items[i], key, GH_STR(""));
    *count = n->count;
    return list;
}
