/*
 * Names that begin in a certain way: for completion.
 */
#include "store_priv.h"

#include <stdlib.h>

static const char *const s_sql[] = {
    [GH_STORE_NAMES_ROLES] =
        "SELECT name FROM roles WHERE name >= ?1 AND name < ?2 ORDER BY 1 LIMIT ?3",
    [GH_STORE_NAMES_USERS] =
        "SELECT name FROM users WHERE name >= ?1 AND name < ?2 ORDER BY 1 LIMIT ?3",
    [GH_STORE_NAMES_TAGS] =
        "SELECT name FROM tags WHERE name >= ?1 AND name < ?2 ORDER BY 1 LIMIT ?3",
    [GH_STORE_NAMES_MASKS] =
        "SELECT name FROM masks WHERE name >= ?1 AND name < ?2 ORDER BY 1 LIMIT ?3",
    [GH_STORE_NAMES_OBJECTS] =
        "SELECT DISTINCT object FROM acl WHERE object >= ?1 AND object < ?2 ORDER BY 1 LIMIT ?3",
    [GH_STORE_NAMES_RULES] =
        ("SELECT DISTINCT CAST(grant_id AS TEXT) FROM acl WHERE row_no = 0 AND "
         "CAST(grant_id AS TEXT) >= ?1 AND CAST(grant_id AS TEXT) < ?2 LIMIT ?3"),
};

gh_rc gh_store_list_names(gh_store *st, gh_store_names which, gh_str prefix, size_t max,
                          gh_arena *a, gh_str_list *out, gh_err *err)
{
    gh_str *items = gh_arena_alloc(a, (max + 1) * sizeof(*items));
    gh_str end = gh_arena_printf(a, GH_STR_FMT "\xf4\x8f\xbf\xbf", GH_STR_ARG(prefix));
    store_stmt s = store_stmt_of(st, s_sql[which]);
    size_t count = 0;

    GH_ASSERT(items != NULL); /* the call's arena has no budget */
    store_bind_text(&s, prefix);
    store_bind_text(&s,
                    end); /* the last character there is: behind all that begin with the prefix */
    store_bind_int(&s, (int64_t)max);
    while (count < max && store_stmt_row(&s))
        items[count++] = gh_arena_dup(a, store_text(&s, 0));
    *out = (gh_str_list){ items, count };
    return store_stmt_end(&s, err);
}
