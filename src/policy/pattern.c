/*
 * Patterns of names: [warehouse:]schema.relation[.column].
 *
 *     wh:"Sales Dept".ord*      bare part:   exact, but for `*`: any characters
 *     ── ──────────── ────      quoted part: exact, "" is one quote, a star in it is a star
 *
 * Names are exact, as the catalog shows them: no case folding, no trimming.
 */
#include "policy_priv.h"

/* Reads a quoted part; *pos stands on the opening quote. */
static bool take_quoted(gh_str s, size_t *pos, gh_arena *a, pol_part *out, const char **why)
{
    char *text = gh_arena_alloc(a, s.len);
    size_t len = 0;
    size_t i = *pos + 1;

    if (text == NULL) {
        *why = "it is too long";
        return false;
    }
    for (;; i++) {
        if (i >= s.len) {
            *why = "a double quote is not closed";
            return false;
        }
        if (s.ptr[i] == '"') {
            if (i + 1 >= s.len || s.ptr[i + 1] != '"')
                break;
            i++;
        }
        text[len++] = s.ptr[i];
    }
    *pos = i + 1;
    *out = (pol_part){ .text = { text, len }, .is_given = true };
    return true;
}

static bool take_bare(gh_str s, size_t *pos, bool is_first, pol_part *out, const char **why)
{
    size_t start = *pos;
    size_t i = start;
    bool is_glob = false;

    for (; i < s.len && s.ptr[i] != '.' && !(is_first && s.ptr[i] == ':'); i++) {
        if (s.ptr[i] == '"') {
            *why = "a name with a double quote must be quoted as a whole";
            return false;
        }
        is_glob = is_glob || s.ptr[i] == '*';
    }
    *pos = i;
    *out = (pol_part){ .text = { s.ptr + start, i - start }, .is_given = true, .is_glob = is_glob };
    return true;
}

static bool take_part(gh_str s, size_t *pos, bool is_first, gh_arena *a, pol_part *out,
                      const char **why)
{
    bool ok;

    if (*pos < s.len && s.ptr[*pos] == '"')
        ok = take_quoted(s, pos, a, out, why);
    else
        ok = take_bare(s, pos, is_first, out, why);
    if (ok && out->text.len == 0) {
        *why = "a part of it is empty";
        return false;
    }
    return ok;
}

bool pol_pattern_parse(gh_str text, size_t count, gh_arena *a, pol_parsed *out, const char **why)
{
    pol_parsed result = { 0 };
    size_t pos = 0;
    size_t n = 0;

    if (text.len == 0 || text.len > GH_POLICY_NAME_MAX ||
        memchr(text.ptr, '\0', text.len) != NULL) {
        *why = "it is empty or too long";
        return false;
    }
    for (;;) {
        if (n == count) {
            *why = "it has too many parts (a name that holds a dot must be quoted)";
            return false;
        }
        if (!take_part(text, &pos, n == 0 && !result.warehouse.is_given, a, &result.parts[n], why))
            return false;
        if (pos < text.len && text.ptr[pos] == ':' && n == 0 && !result.warehouse.is_given) {
            result.warehouse = result.parts[0];
            pos++;
            continue;
        }
        n++;
        if (pos == text.len)
            break;
        if (text.ptr[pos] != '.') {
            *why = "a quoted name must end where its part ends";
            return false;
        }
        pos++;
    }
    if (n != count) {
        *why = "it has too few parts";
        return false;
    }
    *out = result;
    return true;
}

bool pol_name_parse(gh_str text, gh_arena *a, gh_str *out, const char **why)
{
    pol_part part;
    size_t pos = 0;

    if (text.len == 0 || text.len > GH_POLICY_NAME_MAX ||
        memchr(text.ptr, '\0', text.len) != NULL) {
        *why = "it is empty or too long";
        return false;
    }
    if (text.ptr[0] == '"') {
        if (!take_quoted(text, &pos, a, &part, why))
            return false;
        if (pos != text.len || part.text.len == 0) {
            *why = "something follows its closing quote, or it is empty";
            return false;
        }
        *out = part.text;
        return true;
    }
    if (memchr(text.ptr, '*', text.len) != NULL || memchr(text.ptr, '.', text.len) != NULL ||
        memchr(text.ptr, '"', text.len) != NULL) {
        *why =
            "columns are names, not patterns (one that holds a dot, a star or a quote is written "
            "in double quotes)";
        return false;
    }
    *out = text;
    return true;
}

/* On a mismatch, the last star takes one character more: at most len(glob) * len(s) steps. */
bool pol_glob_match(gh_str glob, gh_str s)
{
    size_t g = 0;
    size_t i = 0;
    size_t star = SIZE_MAX;
    size_t resume = 0;

    while (i < s.len) {
        if (g < glob.len && glob.ptr[g] == '*') {
            star = g++;
            resume = i;
        } else if (g < glob.len && glob.ptr[g] == s.ptr[i]) {
            g++;
            i++;
        } else if (star != SIZE_MAX) {
            g = star + 1;
            i = ++resume;
        } else {
            return false;
        }
    }
    while (g < glob.len && glob.ptr[g] == '*')
        g++;
    return g == glob.len;
}

static size_t prefix_len(gh_str s)
{
    const char *star = memchr(s.ptr, '*', s.len);

    return star == NULL ? s.len : (size_t)(star - s.ptr);
}

static size_t suffix_len(gh_str s)
{
    const char *star = memrchr(s.ptr, '*', s.len);

    return star == NULL ? s.len : (size_t)(s.ptr + s.len - star - 1);
}

/*
 * Where both hold a star, whatever stands between the first and the last star can be put one after
 * the other in the middle of one text; only the fixed beginnings and the fixed ends can disagree.
 */
bool pol_glob_overlap(gh_str a, bool a_is_glob, gh_str b, bool b_is_glob)
{
    size_t head;
    size_t tail;

    if (!a_is_glob && !b_is_glob)
        return gh_str_eq(a, b);
    if (!a_is_glob)
        return pol_glob_match(b, a);
    if (!b_is_glob)
        return pol_glob_match(a, b);
    head = prefix_len(a) < prefix_len(b) ? prefix_len(a) : prefix_len(b);
    tail = suffix_len(a) < suffix_len(b) ? suffix_len(a) : suffix_len(b);
    return memcmp(a.ptr, b.ptr, head) == 0 &&
           memcmp(a.ptr + a.len - tail, b.ptr + b.len - tail, tail) == 0;
}

bool pol_part_match(const gh_policy *p, uint32_t part, uint32_t number, gh_str s)
{
    if ((part & POL_GLOB) == 0)
        return part == number;
    return pol_glob_match(pol_text(p, part & ~POL_GLOB), s);
}

bool pol_pattern_in_warehouse(const gh_policy *p, const pol_pattern *pattern, gh_str warehouse)
{
    if (pattern->warehouse == 0)
        return true;
    if ((pattern->warehouse & POL_GLOB) == 0)
        return gh_str_eq(pol_text(p, pattern->warehouse), warehouse);
    return pol_glob_match(pol_text(p, pattern->warehouse & ~POL_GLOB), warehouse);
}
