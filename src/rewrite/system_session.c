/*
 * system_session.c: pg_prepared_statements and pg_cursors show what the session itself made, in its own words.
 * Upstream they hold the texts that were sent, with row filters and masks in them, and what Gatehouse prepares for
 * itself; so of each row that the session knows by name the text is put in its place, and no other row shows.
 *
 *     @statement_names ─▶ CAST(ARRAY['a', 'b'] AS text[])       @statement_texts ─▶ ... beside them
 *
 * In pg_stat_ssl stands of the client's connection what the client sees of it, not how the upstream is reached: @has_tls.
 */
#include "system_catalog.h"
#include "write.h"

static char *array(gh_judge *j, const gh_session_name *names, size_t count, bool is_text)
{
    gh_buf b;
    char *out = NULL;

    gh_buf_init(&b, 0);
    gh_buf_puts(&b, "CAST(ARRAY[");
    for (size_t i = 0; i < count && j->rc == GH_OK; i++) {
        gh_str value = is_text ? names[i].text : names[i].name;
        bool must_escape;

        if (gh_encoding_to_utf8(j->in->client_encoding, value, j->arena, &value, &must_escape,
                                j->err) != GH_OK) {
            gh_judge_refuse(j, GH_LIMIT, "54000", -1, "statement needs too much memory");
            break;
        }
        gh_buf_puts(&b, i == 0 ? "" : ", ");
        gh_buf_puts(&b, gh_judge_literal(j, value));
    }
    gh_buf_puts(&b, "] AS pg_catalog.text[])");
    if (j->rc == GH_OK)
        out = gh_judge_cstr(gh_buf_str(&b));
    gh_buf_fini(&b);
    return out;
}

char *gh_system_session_value(gh_judge *j, gh_str name)
{
    const gh_rewrite_input *in = j->in;
    bool is_text = name.len > 6 && memcmp(name.ptr + name.len - 6, "_texts", 6) == 0;

    if (gh_str_is(name, "last_number"))
        return gh_number_last(j);
    j->plan->reads_session = true;
    if (gh_str_is(name, "has_tls"))
        return in->has_tls ? pstrdup("true") : pstrdup("false");
    if (gh_str_is(name, "statement_names") || gh_str_is(name, "statement_texts"))
        return array(j, in->statements, in->statement_count, is_text);
    if (gh_str_is(name, "cursor_names") || gh_str_is(name, "cursor_texts"))
        return array(j, in->cursors, in->cursor_count, is_text);
    return NULL;
}
