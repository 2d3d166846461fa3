/*
 * The SQL of masks, for tests/integration/masks.py, which runs it in a real PostgreSQL.
 *
 *     type <TAB> oid <TAB> schema <TAB> name <TAB> kind <TAB> category <TAB> base      adds to the catalog
 *     mask <TAB> mask <TAB> type oid <TAB> typmod <TAB> type as SQL <TAB> value        prints a line
 *
 * A mask that is refused prints a line that begins with `error:`.
 */
#include "policy_tests.h"

#include <stdlib.h>

static size_t split(char *line, char **fields, size_t max)
{
    size_t count = 0;

    line[strcspn(line, "\n")] = '\0';
    while (count < max) {
        fields[count++] = line;
        line = strchr(line, '\t');
        if (line == NULL)
            break;
        *line++ = '\0';
    }
    return count;
}

static gh_oid to_oid(const char *s)
{
    return (gh_oid)strtoul(s, NULL, 10);
}

static void print_one(char **f, const gh_catalog *c, FILE *out)
{
    gh_column column = { .name = S("c"),
                         .type_oid = to_oid(f[2]),
                         .typmod = (int32_t)strtol(f[3], NULL, 10),
                         .type_sql = gh_str_of(f[4]) };
    gh_arena *a = gh_arena_new(0);
    gh_err err = { 0 };
    gh_mask m;
    gh_buf sql;

    gh_buf_init(&sql, 0);
    if (gh_mask_parse(gh_str_of(f[1]), NULL, 0, a, &m, &err) != GH_OK ||
        gh_mask_sql(&m, c, &column, gh_str_of(f[5]), &sql, &err) != GH_OK)
        fprintf(out, "error: %s\n", err.public_msg);
    else
        fprintf(out, GH_STR_FMT "\n", GH_STR_ARG(gh_buf_str(&sql)));
    gh_buf_fini(&sql);
    gh_arena_free(a);
}

int print_mask_sql(FILE *in, FILE *out)
{
    gh_catalog_builder *b = gh_catalog_builder_new();
    gh_catalog *c = NULL;
    static char line[65536];
    char *f[7];

    while (fgets(line, sizeof(line), in) != NULL) {
        size_t n = split(line, f, GH_COUNT(f));

        if (n == 7 && strcmp(f[0], "type") == 0 && b != NULL) {
            gh_type t = { .oid = to_oid(f[1]),
                          .schema = gh_str_of(f[2]),
                          .name = gh_str_of(f[3]),
                          .kind = f[4][0],
                          .category = f[5][0],
                          .base = to_oid(f[6]) };

            gh_catalog_add_type(b, &t);
        } else if (n == 6 && strcmp(f[0], "mask") == 0) {
            if (b != NULL)
                c = gh_catalog_builder_finish(b, 1);
            b = NULL;
            print_one(f, c, out);
        } else {
            fprintf(stderr, "mask_sql: cannot read the line\n");
            return EXIT_FAILURE;
        }
    }
    gh_catalog_builder_free(b);
    gh_catalog_release(c);
    return EXIT_SUCCESS;
}
