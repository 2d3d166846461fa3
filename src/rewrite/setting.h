/*
 * Private to rewrite: the list of settings beyond what rewrite.h tells the session.
 */
#ifndef GATEHOUSE_REWRITE_SETTING_H
#define GATEHOUSE_REWRITE_SETTING_H

#include "allow.h"
#include "judge.h"

/* work_mem that a client may ask for, in kilobytes. */
#define GH_SETTING_WORK_MEM_KB_MAX (1024u * 1024u)

bool gh_setting_may_show(gh_str name);
/* PostgreSQL of some version has it, whether it may be shown or not (setting_known.c). */
bool gh_setting_is_known(gh_str name);
/* Of a name that PostgreSQL leaves to others, app.user: what an operator keeps there is nobody's business. */
bool gh_setting_is_custom(gh_str name);
/* Refuses to show a setting that may not be shown. */
void gh_setting_refuse_show(gh_judge *j, gh_str name);
/* No value of it matters to Gatehouse, nor when it changes. */
bool gh_setting_is_free(gh_str name);
/*
 * Is the call of set_config between the tokens all that its statement consists of, or behind nothing but what settings are
 * until then, as Atlas asks, or among such calls for other settings, as PostgREST makes?
 *
 *     SELECT set_config(...)        SELECT current_setting('search_path'), set_config('search_path', '', false)
 *     SELECT set_config('search_path', $1, true), set_config('role', $2, true), set_config('request.path', $3, true)
 */
bool gh_setting_is_statement(const gh_sql_text *text, size_t first, size_t end);
/* Encodings in which bytes below 0x80 are ASCII and nothing else. */
bool gh_setting_is_safe_encoding(gh_str value);
/* Names of the list by index, folded to lower case; NULL past the end. */
const char *gh_setting_name(size_t index);

#endif
