/*
 * Mutation by SQL's tokens: most of what is made still parses, so that the judge sees it and not only the
 * parser. A token's bounds are guessed, which is good enough: what comes out wrong is an input as well.
 *
 *     swap two tokens · drop, double or move a run of them · one bracketed part in place of another, of
 *     the same text or of a second · a word of the world or of SQL · a name by a name · bytes
 */
#include "fuzz.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define TOKENS_MAX 1024

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len,
                                 uint8_t *out, size_t max_size, unsigned seed);

typedef struct span {
    size_t start;
    size_t end;
} span;

typedef struct tokens {
    span at[TOKENS_MAX];
    size_t count;
} tokens;

static unsigned next(unsigned *state)
{
    *state = *state * 1103515245u + 12345u;
    return (*state >> 16) & 0x7fff;
}

static size_t token_end(const uint8_t *s, size_t len, size_t at)
{
    uint8_t c = s[at];

    if (isalpha(c) || c == '_' || c >= 128) {
        while (at < len && (isalnum(s[at]) || s[at] == '_' || s[at] == '$' || s[at] >= 128))
            at++;
    } else if (isdigit(c)) {
        while (at < len && (isalnum(s[at]) || s[at] == '.'))
            at++;
    } else if (c == '\'' || c == '"') {
        for (at++; at < len && s[at] != c; at++) {
        }
        at++;
    } else if (strchr("+-*/<>=~!@#%^&|`?:", c) != NULL && c != 0) {
        while (at < len && s[at] != 0 && strchr("+-*/<>=~!@#%^&|`?:", s[at]) != NULL)
            at++;
    } else {
        at++;
    }
    return at < len ? at : len;
}

static void scan(const uint8_t *s, size_t len, tokens *t)
{
    t->count = 0;
    for (size_t at = 0; at < len && t->count < TOKENS_MAX;) {
        size_t end;

        if (isspace(s[at])) {
            at++;
            continue;
        }
        end = token_end(s, len, at);
        t->at[t->count++] = (span){ at, end };
        at = end;
    }
}

/* Some bracketed part, brackets included; else some token. */
static span part(const uint8_t *s, const tokens *t, unsigned *state)
{
    size_t first = next(state) % t->count;

    for (size_t i = 0; i < t->count; i++) {
        size_t open = (first + i) % t->count;
        int depth = 0;

        if (s[t->at[open].start] != '(')
            continue;
        for (size_t k = open; k < t->count; k++) {
            depth += s[t->at[k].start] == '(' ? 1 : s[t->at[k].start] == ')' ? -1 : 0;
            if (depth == 0)
                return (span){ t->at[open].start, t->at[k].end };
        }
    }
    return t->at[first];
}

/* data with [at.start, at.end) replaced by spaces around `with`. */
static size_t put(uint8_t *data, size_t size, size_t max, span at, const uint8_t *with,
                  size_t with_len)
{
    size_t tail = size - at.end;
    uint8_t *copy;

    if (at.start + with_len + 2 + tail > max)
        return size;
    copy = malloc(with_len + 1);
    memcpy(copy, with, with_len);
    memmove(data + at.start + with_len + 2, data + at.end, tail);
    data[at.start] = ' ';
    memcpy(data + at.start + 1, copy, with_len);
    data[at.start + 1 + with_len] = ' ';
    free(copy);
    return at.start + with_len + 2 + tail;
}

static size_t mutate(uint8_t *data, size_t size, size_t max, unsigned *state)
{
    static tokens t;
    span a;
    span b;

    scan(data, size, &t);
    if (t.count == 0)
        return LLVMFuzzerMutate(data, size, max);
    a = t.at[next(state) % t.count];
    b = t.at[next(state) % t.count];
    switch (next(state) % 10) {
    case 0: /* swap */
        if (a.start > b.start) {
            span c = a;
            a = b;
            b = c;
        }
        if (a.end <= b.start && a.end - a.start < 256 && b.end - b.start < 256) {
            uint8_t first[256];
            uint8_t second[256];
            size_t first_len = a.end - a.start;
            size_t second_len = b.end - b.start;

            memcpy(first, data + a.start, first_len);
            memcpy(second, data + b.start, second_len);
            size = put(data, size, max, b, first, first_len);
            return put(data, size, max, a, second, second_len);
        }
        return size;
    case 1: /* drop a run */
        b = a;
        b.end = t.at[next(state) % t.count].end;
        if (b.end <= b.start || b.end - b.start > 60)
            b = a;
        return put(data, size, max, b, (const uint8_t *)"", 0);
    case 2: /* double it somewhere else */
        if (b.end > a.start && b.end - a.start < 200)
            a.end = b.end > a.end ? b.end : a.end;
        b = t.at[next(state) % t.count];
        b.end = b.start;
        return put(data, size, max, b, data + a.start, a.end - a.start);
    case 3:
    case 4: /* one bracketed part for another, or for a token */
        b = part(data, &t, state);
        if (next(state) % 2 == 0)
            a = part(data, &t, state);
        return put(data, size, max, a, data + b.start, b.end - b.start);
    case 5: /* bytes */
        return LLVMFuzzerMutate(data, size, max);
    case 6: /* a name by a name */
        if (isalpha(data[a.start]) && isalpha(data[b.start]))
            return put(data, size, max, a, data + b.start, b.end - b.start);
        return size;
    case 7: /* a word more */
        a.end = a.start;
        break;
    default: /* another word */
        break;
    }
    const char *word = fuzz_words[next(state) % fuzz_word_count];
    return put(data, size, max, a, (const uint8_t *)word, strlen(word));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    unsigned state = seed;

    for (unsigned n = 1 + next(&state) % 4; n > 0; n--)
        size = mutate(data, size, max_size, &state);
    return size;
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len,
                                 uint8_t *out, size_t max_size, unsigned seed)
{
    static tokens t;
    static tokens u;
    unsigned state = seed;
    span from;

    if (a_len > max_size)
        a_len = max_size;
    memcpy(out, a, a_len);
    scan(out, a_len, &t);
    scan(b, b_len, &u);
    if (t.count == 0 || u.count == 0)
        return a_len;
    from = part(b, &u, &state);
    return put(out, a_len, max_size,
               next(&state) % 2 == 0 ? part(out, &t, &state) : t.at[next(&state) % t.count],
               b + from.start, from.end - from.start);
}
