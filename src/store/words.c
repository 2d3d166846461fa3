/*
 * Enums as the tables spell them. A word that is not known here came from elsewhere: the ACL is
 * refused.
 */
#include "store_priv.h"

static const char *const s_privileges[] = { "select", "insert", "update", "delete", "truncate" };
static const char *const s_may[] = { "explain", "temp_tables", "notify", "bypass" };
static const char *const s_origins[] = { "cli", "policy" };
static const char *const s_column_kinds[] = { "all", "only", "except", "tag", "mask", "none" };
static const char *const s_kinds[] = { "",          "role",      "user",       "member",
                                       "attribute", "tag",       "tag_column", "mask",
                                       "masking",   "functions", "grant" };

static bool word_find(const char *const *words, size_t count, gh_str word, size_t *index)
{
    for (size_t i = 0; i < count; i++) {
        if (gh_str_is(word, words[i])) {
            *index = i;
            return true;
        }
    }
    return false;
}

const char *store_privilege_word(uint32_t bit)
{
    GH_ASSERT(bit != 0 && (bit & (bit - 1)) == 0 && bit <= GH_TRUNCATE);
    return s_privileges[__builtin_ctz(bit)];
}

bool store_privilege_parse(gh_str word, uint32_t *bit)
{
    size_t i;

    if (!word_find(s_privileges, GH_COUNT(s_privileges), word, &i))
        return false;
    *bit = 1u << i;
    return true;
}

gh_str store_may_text(uint32_t may, gh_arena *a)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    for (size_t i = 0; i < GH_COUNT(s_may); i++)
        if ((may & (1u << i)) != 0)
            gh_buf_printf(&b, "%s%s", b.len > 0 ? "," : "", s_may[i]);
    gh_str text = gh_arena_dup(a, gh_buf_str(&b));
    gh_buf_fini(&b);
    return text;
}

bool store_may_parse(gh_str text, uint32_t *may)
{
    uint32_t bits = 0;
    size_t start = 0;

    for (size_t i = 0; i <= text.len && text.len > 0; i++) {
        size_t index;
        if (i < text.len && text.ptr[i] != ',')
            continue;
        if (!word_find(s_may, GH_COUNT(s_may), (gh_str){ text.ptr + start, i - start }, &index))
            return false;
        bits |= 1u << index;
        start = i + 1;
    }
    *may = bits;
    return true;
}

const char *store_origin_word(gh_origin origin)
{
    return s_origins[origin];
}

bool store_origin_parse(gh_str word, gh_origin *origin)
{
    size_t i;

    if (!word_find(s_origins, GH_COUNT(s_origins), word, &i))
        return false;
    *origin = (gh_origin)i;
    return true;
}

const char *store_column_kind_word(store_column_kind kind)
{
    return s_column_kinds[kind];
}

bool store_column_kind_parse(gh_str word, store_column_kind *kind)
{
    size_t i;

    if (!word_find(s_column_kinds, GH_COUNT(s_column_kinds), word, &i))
        return false;
    *kind = (store_column_kind)i;
    return true;
}

const char *store_kind_word(store_kind kind)
{
    return s_kinds[kind];
}

bool store_kind_parse(gh_str word, store_kind *kind)
{
    size_t i;

    if (word.len == 0 || !word_find(s_kinds, GH_COUNT(s_kinds), word, &i))
        return false;
    *kind = (store_kind)i;
    return true;
}

bool store_kind_has_id(store_kind kind)
{
    return kind == STORE_MASKING || kind == STORE_FUNCTION || kind == STORE_RULE;
}
