/*
 * Client encodings. The parser and the policy speak UTF-8; a text in another encoding is turned
 * into it first, and what is sent upstream is then pure ASCII (escapes for the rest), which means
 * the same in every encoding that clients may choose.
 */
#include "judge.h"

#include <iconv.h>

static const struct {
    const char *name; /* PostgreSQL's, lower case without - and _ */
    const char *iconv;
} s_encodings[] = {
    { "latin1", "ISO-8859-1" },   { "latin2", "ISO-8859-2" },   { "latin3", "ISO-8859-3" },
    { "latin4", "ISO-8859-4" },   { "latin5", "ISO-8859-9" },   { "latin6", "ISO-8859-10" },
    { "latin7", "ISO-8859-13" },  { "latin8", "ISO-8859-14" },  { "latin9", "ISO-8859-15" },
    { "latin10", "ISO-8859-16" }, { "iso88595", "ISO-8859-5" }, { "iso88596", "ISO-8859-6" },
    { "iso88597", "ISO-8859-7" }, { "iso88598", "ISO-8859-8" }, { "iso88591", "ISO-8859-1" },
    { "win1250", "CP1250" },      { "win1251", "CP1251" },      { "win1252", "CP1252" },
    { "win1253", "CP1253" },      { "win1254", "CP1254" },      { "win1255", "CP1255" },
    { "win1256", "CP1256" },      { "win1257", "CP1257" },      { "win1258", "CP1258" },
    { "win866", "CP866" },        { "win874", "CP874" },        { "koi8r", "KOI8-R" },
    { "koi8u", "KOI8-U" },        { "euckr", "EUC-KR" },        { "euccn", "EUC-CN" },
    { "eucjp", "EUC-JP" },        { "euctw", "EUC-TW" },
};

static const char *iconv_name(gh_str encoding)
{
    char plain[32];
    size_t n = 0;

    for (size_t i = 0; i < encoding.len && n < sizeof(plain) - 1; i++) {
        char c = encoding.ptr[i];
        if (c == '-' || c == '_' || c == '\'' || c == ' ')
            continue;
        plain[n++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    plain[n] = '\0';
    if (n == 0 || strcmp(plain, "utf8") == 0 || strcmp(plain, "unicode") == 0)
        return "UTF-8";
    for (size_t i = 0; i < GH_COUNT(s_encodings); i++) {
        if (strcmp(plain, s_encodings[i].name) == 0)
            return s_encodings[i].iconv;
    }
    return NULL;
}

static bool is_ascii(gh_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] >= 0x80)
            return false;
    }
    return true;
}

static gh_rc convert(const char *from, gh_str text, gh_arena *a, gh_str *out, gh_err *err)
{
    size_t left = text.len * 4 + 4;
    char *to = gh_arena_alloc(a, left);
    char *in = (char *)(uintptr_t)text.ptr; /* iconv reads only, whatever its prototype says */
    char *pos = to;
    size_t in_left = text.len;
    iconv_t cd;
    size_t rc;

    if (to == NULL)
        return gh_fail(err, GH_LIMIT, "54000", "statement needs too much memory");
    cd = iconv_open("UTF-8", from);
    if (cd == (iconv_t)-1)
        return gh_fail(err, GH_DENIED, "22023", "client encoding is not available");
    rc = iconv(cd, &in, &in_left, &pos, &left);
    (void)iconv_close(cd);
    if (rc == (size_t)-1 || in_left != 0)
        return gh_fail(err, GH_INVALID, "22021", "invalid byte sequence for the client's encoding");
    *out = (gh_str){ to, (size_t)(pos - to) };
    return GH_OK;
}

gh_rc gh_encoding_to_utf8(gh_str encoding, gh_str text, gh_arena *a, gh_str *out, bool *must_escape,
                          gh_err *err)
{
    const char *from = iconv_name(encoding);

    if (from == NULL) { /* fail closed: only ASCII means the same everywhere */
        if (!is_ascii(text))
            return gh_fail(err, GH_DENIED, "22023",
                           "client encoding \"" GH_STR_FMT "\" is not allowed",
                           GH_STR_ARG(encoding));
        *must_escape = true;
        *out = text;
        return GH_OK;
    }
    *must_escape = strcmp(from, "UTF-8") != 0;
    if (!*must_escape || is_ascii(text)) {
        *out = text;
        return GH_OK;
    }
    return convert(from, text, a, out, err);
}
