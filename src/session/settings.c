/*
 * settings.c: see settings.h.
 */
#include "settings.h"

#include <stdlib.h>

#include <gatehouse/rewrite.h>

struct gh_savepoint {
    gh_savepoint *older;
    gh_settings_state state;
    size_t bytes; /* its share of savepoint_bytes */
    size_t name_len;
    char name[];
};

/* ---- search_path ----------------------------------------------------------------------------- */

static void add_schema(gh_path *p, gh_str *items, gh_str name, gh_str user)
{
    if (gh_str_is(name, "$user"))
        name = user;
    if (name.len == 0 || gh_str_is(name, "pg_catalog"))
        return;
    items[p->schemas.count] = name;
    p->schemas.count++;
}

gh_rc gh_path_new(gh_str text, gh_str user, gh_path **out, gh_err *err)
{
    /* One block: struct, at most one item per two bytes, text, names, user. */
    size_t items_max = text.len / 2 + 1;
    size_t size = sizeof(gh_path) + items_max * sizeof(gh_str) + 2 * text.len + user.len + 3;
    gh_path *p;
    gh_str *items;
    char *pos;
    size_t i = 0;

    if (text.len > GH_SESSION_PATH_MAX)
        return gh_fail(err, GH_LIMIT, "54000", "the search_path is longer than %d bytes",
                       GH_SESSION_PATH_MAX);
    if (!gh_setting_is_path(text))
        return gh_fail(err, GH_INVALID, "22023", "invalid value for parameter \"search_path\"");
    p = gh_alloc(size);
    items = (gh_str *)(void *)(p + 1);
    pos = (char *)(items + items_max);
    p->references = 1;
    p->bytes = size;
    p->schemas.items = items;
    if (text.len > 0)
        memcpy(pos, text.ptr, text.len);
    p->text = (gh_str){ pos, text.len };
    pos += text.len + 1;
    if (user.len > 0)
        memcpy(pos, user.ptr, user.len);
    user.ptr = pos;
    pos += user.len + 1;

    while (i < text.len) {
        size_t len = gh_setting_read_path(text, &i, pos);

        if (len == SIZE_MAX) /* nothing but spaces */
            break;
        add_schema(p, items, (gh_str){ pos, len }, user);
        pos += len;
    }
    *out = p;
    return GH_OK;
}

gh_path *gh_path_acquire(gh_path *p)
{
    if (p != NULL)
        p->references++;
    return p;
}

void gh_path_release(gh_path *p)
{
    if (p == NULL)
        return;
    GH_ASSERT(p->references > 0);
    p->references--;
    if (p->references == 0)
        free(p);
}

/* ---- the stack ------------------------------------------------------------------------------- */

static gh_settings_state state_copy(const gh_settings_state *s)
{
    return (gh_settings_state){ gh_path_acquire(s->session), gh_path_acquire(s->local) };
}

static void state_fini(gh_settings_state *s)
{
    gh_path_release(s->session);
    gh_path_release(s->local);
    *s = (gh_settings_state){ 0 };
}

static void drop_savepoint(gh_settings *s)
{
    gh_savepoint *sp = s->savepoints;

    s->savepoints = sp->older;
    s->savepoint_bytes -= sp->bytes;
    state_fini(&sp->state);
    free(sp);
}

static gh_savepoint *find_savepoint(const gh_settings *s, gh_str name)
{
    gh_savepoint *sp = s->savepoints;

    while (sp != NULL && !gh_str_eq((gh_str){ sp->name, sp->name_len }, name))
        sp = sp->older;
    return sp;
}

void gh_settings_init(gh_settings *s, gh_path *initial)
{
    *s = (gh_settings){ .initial = initial };
    s->now.session = gh_path_acquire(initial);
    s->committed.session = gh_path_acquire(initial);
}

void gh_settings_fini(gh_settings *s)
{
    while (s->savepoints != NULL)
        drop_savepoint(s);
    state_fini(&s->now);
    state_fini(&s->committed);
    gh_path_release(s->initial);
    s->initial = NULL;
}

gh_path *gh_settings_path(const gh_settings *s)
{
    return s->now.local != NULL ? s->now.local : s->now.session;
}

void gh_settings_set(gh_settings *s, gh_path *path, bool is_local)
{
    gh_path *value = gh_path_acquire(path != NULL ? path : s->initial);

    /* A plain SET after a SET LOCAL is what counts from then on. */
    gh_path_release(s->now.local);
    s->now.local = NULL;
    if (is_local) {
        s->now.local = value;
        return;
    }
    gh_path_release(s->now.session);
    s->now.session = value;
}

bool gh_settings_is_changed(const gh_settings *s)
{
    return s->now.session != s->committed.session || s->now.local != s->committed.local ||
           s->savepoints != NULL;
}

void gh_settings_commit(gh_settings *s)
{
    if (!gh_settings_is_changed(s))
        return;
    while (s->savepoints != NULL)
        drop_savepoint(s);
    gh_path_release(s->now.local);
    s->now.local = NULL;
    state_fini(&s->committed);
    s->committed = state_copy(&s->now);
}

void gh_settings_rollback(gh_settings *s)
{
    if (!gh_settings_is_changed(s))
        return;
    while (s->savepoints != NULL)
        drop_savepoint(s);
    state_fini(&s->now);
    s->now = state_copy(&s->committed);
}

static size_t bytes_of(const gh_path *p, const gh_path *before)
{
    return p == NULL || p == before ? 0 : p->bytes;
}

/* What a savepoint of now would keep. */
static size_t savepoint_bytes(const gh_settings *s, gh_str name)
{
    const gh_settings_state *before = s->savepoints != NULL ? &s->savepoints->state : &s->committed;

    return sizeof(gh_savepoint) + name.len + bytes_of(s->now.session, before->session) +
           bytes_of(s->now.local, before->local);
}

gh_rc gh_settings_check_savepoint(const gh_settings *s, gh_err *err)
{
    if (s->savepoint_bytes < GH_SESSION_SAVEPOINT_BYTES_MAX)
        return GH_OK;
    return gh_fail(err, GH_LIMIT, "54000",
                   "too many savepoints in one transaction: they keep more than %u bytes",
                   GH_SESSION_SAVEPOINT_BYTES_MAX);
}

void gh_settings_savepoint(gh_settings *s, gh_str name)
{
    gh_savepoint *sp = gh_alloc(sizeof(*sp) + name.len);

    sp->bytes = savepoint_bytes(s, name);
    s->savepoint_bytes += sp->bytes;
    sp->name_len = name.len;
    if (name.len > 0)
        memcpy(sp->name, name.ptr, name.len);
    sp->state = state_copy(&s->now);
    sp->older = s->savepoints;
    s->savepoints = sp;
}

void gh_settings_release(gh_settings *s, gh_str name)
{
    const gh_savepoint *sp = find_savepoint(s, name);

    if (sp == NULL)
        return;
    while (s->savepoints != sp)
        drop_savepoint(s);
    drop_savepoint(s);
}

void gh_settings_rollback_to(gh_settings *s, gh_str name)
{
    const gh_savepoint *sp = find_savepoint(s, name);

    if (sp == NULL)
        return;
    while (s->savepoints != sp)
        drop_savepoint(s);
    state_fini(&s->now);
    s->now = state_copy(&sp->state);
}

void gh_settings_put_sql(gh_str name, gh_str value, gh_buf *out)
{
    gh_buf_puts(out, "SET ");
    gh_buf_put_str(out, name);
    gh_buf_puts(out, " = '");
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\'')
            gh_buf_put_u8(out, '\'');
        gh_buf_put_u8(out, (uint8_t)value.ptr[i]);
    }
    gh_buf_puts(out, "';");
}

static void put_literal(gh_str s, gh_buf *out)
{
    gh_buf_puts(out, "E'");
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\'' || s.ptr[i] == '\\')
            gh_buf_put_u8(out, (uint8_t)s.ptr[i]);
        gh_buf_put_u8(out, (uint8_t)s.ptr[i]);
    }
    gh_buf_puts(out, "'");
}

void gh_settings_put_config(gh_str name, gh_str value, gh_buf *out)
{
    gh_buf_puts(out, "SELECT pg_catalog.set_config(");
    put_literal(name, out);
    gh_buf_puts(out, ", ");
    put_literal(value, out);
    gh_buf_puts(out, ", false);");
}
