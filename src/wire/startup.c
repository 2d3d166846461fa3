/*
 * Startup packets: what a client says before it has a type byte.
 *
 *     +--------+---------+------+---+-------+---+ ... +---+
 *     | length | version | name | 0 | value | 0 | ... | 0 |     StartupMessage
 *     +--------+---------+------+---+-------+---+ ... +---+
 *     | length | 80877102 | pid | key |                         CancelRequest
 *     | length | 80877103 |                                     SSLRequest; 80877104: GSSENCRequest
 */
#include "wire_priv.h"

#define CODE_CANCEL GH_WIRE_VERSION(1234, 5678)
#define CODE_SSL    GH_WIRE_VERSION(1234, 5679)
#define CODE_GSSENC GH_WIRE_VERSION(1234, 5680)

static gh_rc arena_spent(gh_err *err)
{
    return gh_fail(err, GH_LIMIT, "53200", "startup packet needs too much memory");
}

/* ---- options: PostgreSQL's pg_split_opts and the part of its getopt that sets parameters ----- */

/* isspace() of the C locale. */
static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

typedef struct words {
    gh_str *ptr;
    size_t len;
} words;

/* Splits at white space; a backslash takes the next byte as it is. A backslash at the very end
 * vanishes. */
static gh_rc split_words(gh_arena *a, gh_str text, words *out, gh_err *err)
{
    char *to = gh_arena_alloc(a, text.len + 1);
    size_t i = 0;

    out->len = 0;
    out->ptr = gh_arena_alloc(a, (text.len / 2 + 1) *
                                     sizeof(*out->ptr)); /* a word and its space: 2 bytes */
    if (to == NULL || out->ptr == NULL)
        return arena_spent(err);
    while (i < text.len) {
        gh_str word = { to, 0 };

        while (i < text.len && is_space(text.ptr[i]))
            i++;
        if (i == text.len)
            break;
        while (i < text.len && !is_space(text.ptr[i])) {
            if (text.ptr[i] == '\\' && ++i == text.len)
                break;
            to[word.len++] = text.ptr[i++];
        }
        out->ptr[out->len++] = word;
        to += word.len;
    }
    return GH_OK;
}

/* `name=value`; a dash in the name means an underscore (ParseLongOption). */
static gh_rc read_setting(gh_arena *a, gh_str word, const char *dashes, gh_wire_param *out,
                          gh_err *err)
{
    const char *equals = word.len == 0 ? NULL : memchr(word.ptr, '=', word.len);
    size_t name_len = equals == NULL ? word.len : (size_t)(equals - word.ptr);
    char *name;

    if (equals == NULL)
        return gh_fail(err, GH_BADMSG, "42601", "%s" GH_STR_FMT " requires a value", dashes,
                       GH_STR_ARG(word));
    name = gh_arena_alloc(a, name_len + 1);
    if (name == NULL)
        return arena_spent(err);
    for (size_t i = 0; i < name_len; i++)
        name[i] = (char)(word.ptr[i] == '-' ? '_' : word.ptr[i]);
    out->name = (gh_str){ name, name_len };
    out->value = (gh_str){ equals + 1, word.len - name_len - 1 };
    return GH_OK;
}

gh_rc gh_wire_split_options(gh_arena *a, gh_str options, gh_wire_param **out, size_t *out_len,
                            gh_err *err)
{
    gh_wire_param *settings;
    size_t settings_len = 0;
    words all;
    gh_rc rc;

    rc = split_words(a, options, &all, err);
    if (rc != GH_OK)
        return rc;
    settings = gh_arena_alloc(a, (all.len + 1) * sizeof(*settings));
    if (settings == NULL)
        return arena_spent(err);
    for (size_t i = 0; i < all.len; i++) {
        gh_str word = all.ptr[i];
        const char *dashes =
            word.len > 1 && word.ptr[0] == '-' && word.ptr[1] == '-' ? "--" : "-c ";
        gh_str setting = { NULL, 0 };

        if (word.len > 2 && word.ptr[0] == '-' && (word.ptr[1] == 'c' || word.ptr[1] == '-'))
            setting = (gh_str){ word.ptr + 2, word.len - 2 };
        else if (gh_str_is(word, "-c") && i + 1 < all.len)
            setting = all.ptr[++i];
        else
            return gh_fail(err, GH_BADMSG, "42601",
                           "invalid command-line argument for server process: " GH_STR_FMT,
                           GH_STR_ARG(word));
        rc = read_setting(a, setting, dashes, &settings[settings_len], err);
        if (rc != GH_OK)
            return rc;
        settings_len++;
    }
    *out = settings;
    *out_len = settings_len;
    return GH_OK;
}

/* ---- the packet ------------------------------------------------------------------------------ */

/*
 * PostgreSQL's parse_bool: any unambiguous prefix of true, false, yes, no, on, off, in any case; 1;
 * 0. Returns false if it is none; *out tells which.
 */
static bool read_bool(gh_str s, bool *out)
{
    static const struct {
        const char *word;
        size_t least;
        bool means;
    } words_of[] = { { "true", 1, true }, { "false", 1, false }, { "yes", 1, true },
                     { "no", 1, false },  { "on", 2, true },     { "off", 2, false },
                     { "1", 1, true },    { "0", 1, false } };

    for (size_t i = 0; i < GH_COUNT(words_of); i++) {
        gh_str word = gh_str_of(words_of[i].word);

        if (s.len >= words_of[i].least && s.len <= word.len &&
            gh_str_ieq(s, (gh_str){ word.ptr, s.len })) {
            *out = words_of[i].means;
            return true;
        }
    }
    return false;
}

static gh_rc read_replication(gh_str value, bool *wants_replication, gh_err *err)
{
    if (gh_str_is(value, "database")) {
        *wants_replication = true;
        return GH_OK;
    }
    if (read_bool(value, wants_replication))
        return GH_OK;
    if (err != NULL && err->sqlstate[0] == '\0') {
        static const char hint[] = "Valid values are: \"false\", 0, \"true\", 1, \"database\".";

        memcpy(err->hint, hint, sizeof(hint));
    }
    return gh_fail(err, GH_BADMSG, "22023",
                   "invalid value for parameter \"replication\": \"" GH_STR_FMT "\"",
                   GH_STR_ARG(value));
}

/* Sorts the parameters into *out; `options` is given back apart, since it is applied before the
 * others. */
static gh_rc read_params(gh_rd *r, gh_wire_startup *out, gh_str *options, gh_err *err)
{
    gh_rc rc;

    for (;;) {
        gh_str name = gh_rd_cstr(r);
        gh_str value;

        if (r->failed || name.len == 0)
            break; /* the terminator, or none: the caller looks */
        value = gh_rd_cstr(r);
        if (r->failed)
            break;
        if (gh_str_is(name, "user")) {
            out->user = value;
        } else if (gh_str_is(name, "database")) {
            out->database = value;
        } else if (gh_str_is(name, "options")) {
            *options = value;
        } else if (gh_str_is(name, "replication")) {
            rc = read_replication(value, &out->wants_replication, err);
            if (rc != GH_OK)
                return rc;
        } else if (name.len >= 5 && memcmp(name.ptr, "_pq_.", 5) == 0) {
            out->pq_options[out->pq_options_len++] = name;
        } else {
            out->settings[out->settings_len++] = (gh_wire_param){ name, value };
        }
    }
    if (!gh_rd_finish(r))
        return gh_fail(err, GH_BADMSG, "08P01",
                       "invalid startup packet layout: expected terminator as last byte");
    return GH_OK;
}

/* Puts the settings of `options` in front of those that are there. */
static gh_rc prepend_options(gh_arena *a, gh_str options, gh_wire_startup *out, gh_err *err)
{
    gh_wire_param *first = NULL;
    gh_wire_param *all;
    size_t first_len = 0;
    gh_rc rc;

    rc = gh_wire_split_options(a, options, &first, &first_len, err);
    if (rc != GH_OK || first_len == 0)
        return rc;
    all = gh_arena_alloc(a, (first_len + out->settings_len) * sizeof(*all));
    if (all == NULL)
        return arena_spent(err);
    memcpy(all, first, first_len * sizeof(*all));
    if (out->settings_len > 0)
        memcpy(all + first_len, out->settings, out->settings_len * sizeof(*all));
    out->settings = all;
    out->settings_len += first_len;
    return GH_OK;
}

static gh_rc decode_message(gh_arena *a, gh_rd *r, gh_wire_startup *out, gh_err *err)
{
    size_t params_max =
        (size_t)(r->end - r->pos) / 3 + 1; /* a name of one byte and two NULs: 3 bytes */
    gh_str options = { NULL, 0 };
    gh_rc rc;

    if (out->major != 3)
        return gh_fail(err, GH_BADMSG, "0A000",
                       "unsupported frontend protocol %u.%u: server supports 3.0 to 3.%d",
                       out->major, out->minor, GH_WIRE_MINOR_MAX);
    out->settings = gh_arena_alloc(a, params_max * sizeof(*out->settings));
    out->pq_options = gh_arena_alloc(a, params_max * sizeof(*out->pq_options));
    if (out->settings == NULL || out->pq_options == NULL)
        return arena_spent(err);
    rc = read_params(r, out, &options, err);
    if (rc != GH_OK)
        return rc;
    if (out->user.len == 0)
        return gh_fail(err, GH_BADMSG, "28000",
                       "no PostgreSQL user name specified in startup packet");
    if (out->database.len == 0)
        out->database = out->user;
    return prepend_options(a, options, out, err);
}

gh_rc gh_wire_decode_startup(gh_arena *a, gh_str body, bool ssl_done, bool gss_done,
                             gh_wire_startup *out, gh_err *err)
{
    gh_str copy = gh_arena_dup(a, body);
    gh_wire_startup s = { .kind = GH_WIRE_STARTUP_MESSAGE };
    gh_rd r = wire_reader(copy);
    uint32_t code;
    gh_rc rc = GH_OK;

    if (copy.ptr == NULL)
        return arena_spent(err);
    code = gh_rd_u32(&r);
    s.major = (uint16_t)(code >> 16);
    s.minor = (uint16_t)code;
    if (code == CODE_CANCEL) {
        s.kind = GH_WIRE_CANCEL_REQUEST;
        s.cancel_pid = gh_rd_u32(&r);
        s.cancel_key = gh_rd_bytes(&r, (size_t)(r.end - r.pos));
        if (r.failed || s.cancel_key.len < GH_WIRE_CANCEL_KEY_MIN ||
            s.cancel_key.len > GH_WIRE_CANCEL_KEY_MAX)
            return gh_fail(err, GH_BADMSG, "08P01", "invalid length of cancel request packet");
    } else if (code == CODE_SSL && !ssl_done) {
        s.kind = GH_WIRE_SSL_REQUEST;
        rc = wire_finish(&r, err);
    } else if (code == CODE_GSSENC && !gss_done) {
        s.kind = GH_WIRE_GSSENC_REQUEST;
        rc = wire_finish(&r, err);
    } else {
        rc = decode_message(a, &r, &s, err);
    }
    if (rc == GH_OK)
        *out = s;
    return rc;
}

bool gh_wire_needs_negotiation(const gh_wire_startup *s)
{
    return s->minor > GH_WIRE_MINOR_MAX || s->pq_options_len > 0;
}
