/*
 * Results: aligned for a terminal, tabs for a pipe, an object a line for programs. What comes from
 * the ACL is shown with what a terminal would obey as `?`: a name must neither move its cursor nor turn text
 * around, which would make the review of a policy see another one. Test: tests/integration/cli.py.
 */
#include "cli_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <gatehouse/audit.h> /* gh_audit_put_string, gh_audit_is_unprintable */

void cli_table_init(cli_table *t, const char *const *headings, size_t columns, gh_arena *a)
{
    memset(t, 0, sizeof(*t));
    t->headings = headings;
    t->columns = columns;
    t->arena = a;
}

void cli_table_fini(cli_table *t)
{
    free(t->cells);
}

static void put_cell(cli_table *t, cli_cell cell)
{
    if (t->count == t->cap) {
        t->cap = t->cap == 0 ? 256 : t->cap * 2;
        t->cells = gh_realloc_array(t->cells, t->cap, sizeof(*t->cells));
    }
    t->cells[t->count] = cell;
    t->count++;
}

void cli_table_put(cli_table *t, gh_str text)
{
    put_cell(t, (cli_cell){ .kind = CLI_CELL_TEXT, .text = text });
}

void cli_table_put_list(cli_table *t, gh_str_list list)
{
    put_cell(t,
             (cli_cell){ .kind = CLI_CELL_LIST, .text = cli_join(t->arena, list), .list = list });
}

void cli_table_put_map(cli_table *t, gh_str text, gh_str json)
{
    put_cell(t, (cli_cell){ .kind = CLI_CELL_MAP, .text = text, .json = json });
}

void cli_table_put_number(cli_table *t, int64_t v)
{
    put_cell(
        t, (cli_cell){ .kind = CLI_CELL_NUMBER, .text = gh_arena_printf(t->arena, "%" PRId64, v) });
}

/* Characters, as far as a table cares: bytes that do not continue one. */
static size_t shown_width(gh_str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        if (((unsigned char)s.ptr[i] & 0xc0) != 0x80)
            n++;
    return n;
}

static void put_shown(FILE *out, gh_str s, bool keeps_lines)
{
    size_t len;

    for (size_t i = 0; i < s.len; i += len) {
        uint32_t code = gh_audit_utf8_at(s, i, &len);

        if (gh_audit_is_unprintable(code) && !(keeps_lines && code == '\n'))
            (void)fputc('?', out);
        else
            (void)fwrite(s.ptr + i, 1, len, out);
    }
}

void cli_print_lines(gh_str lines)
{
    put_shown(stdout, lines, true);
}

gh_str cli_one_line(gh_arena *a, gh_str s)
{
    gh_str out = gh_arena_dup(a, s);

    for (size_t i = 0; i < out.len; i++)
        if (out.ptr[i] == '\n')
            ((char *)(uintptr_t)out.ptr)[i] = '?';
    return out;
}

void cli_put_json_list(gh_buf *b, gh_str_list list)
{
    gh_buf_puts(b, "[");
    for (size_t i = 0; i < list.count; i++) {
        gh_buf_puts(b, i > 0 ? "," : "");
        gh_audit_put_string(b, list.items[i]);
    }
    gh_buf_puts(b, "]");
}

static void put_json_cell(gh_buf *b, const cli_cell *cell)
{
    switch (cell->kind) {
    case CLI_CELL_NUMBER:
        gh_buf_put_str(b, cell->text);
        break;
    case CLI_CELL_MAP:
        gh_buf_put_str(b, cell->json);
        break;
    case CLI_CELL_LIST:
        cli_put_json_list(b, cell->list);
        break;
    case CLI_CELL_NONE:
    case CLI_CELL_TEXT:
        gh_audit_put_string(b, cell->text);
        break;
    }
}

static void print_json(const cli_table *t, FILE *out)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    for (size_t row = 0; row < t->count; row += t->columns) {
        gh_buf_clear(&b);
        for (size_t i = 0; i < t->columns; i++) {
            gh_buf_printf(&b, "%s\"%s\":", i == 0 ? "{" : ",", t->headings[i]);
            put_json_cell(&b, &t->cells[row + i]);
        }
        gh_buf_puts(&b, "}\n");
        (void)fwrite(b.ptr, 1, b.len, out);
    }
    gh_buf_fini(&b);
}

static void print_row(const cli_table *t, const cli_cell *cells, const size_t *widths, FILE *out)
{
    for (size_t i = 0; i < t->columns; i++) {
        put_shown(out, cells[i].text, false);
        if (i + 1 == t->columns)
            break;
        if (widths == NULL)
            (void)fputc('\t', out);
        for (size_t n = shown_width(cells[i].text); widths != NULL && n < widths[i] + 2; n++)
            (void)fputc(' ', out);
    }
    (void)fputc('\n', out);
}

void cli_table_print(cli_table *t, const cli_call *c, FILE *out)
{
    GH_ASSERT(t->count % t->columns == 0);
    if (cli_has(c, "--json")) {
        print_json(t, out);
        return;
    }
    if (isatty(fileno(out)) == 0) {
        for (size_t row = 0; row < t->count; row += t->columns)
            print_row(t, &t->cells[row], NULL, out);
        return;
    }
    size_t *widths = gh_alloc(t->columns * sizeof(*widths));
    cli_cell *headings = gh_alloc(t->columns * sizeof(*headings));
    for (size_t i = 0; i < t->columns; i++) {
        headings[i].text = gh_str_of(t->headings[i]);
        widths[i] = headings[i].text.len;
    }
    for (size_t i = 0; i < t->count; i++)
        if (shown_width(t->cells[i].text) > widths[i % t->columns])
            widths[i % t->columns] = shown_width(t->cells[i].text);
    print_row(t, headings, widths, out);
    for (size_t row = 0; row < t->count; row += t->columns)
        print_row(t, &t->cells[row], widths, out);
    free(headings);
    free(widths);
}

gh_str cli_join(gh_arena *a, gh_str_list list)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    for (size_t i = 0; i < list.count; i++) {
        gh_buf_puts(&b, i > 0 ? ", " : "");
        gh_buf_put_str(&b, list.items[i]);
    }
    gh_str s = gh_arena_dup(a, gh_buf_str(&b));
    gh_buf_fini(&b);
    return s;
}

gh_str cli_time_text(gh_arena *a, int64_t us)
{
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;
    char text[40];

    if (us == INT64_MIN || us == INT64_MAX || gmtime_r(&seconds, &tm) == NULL)
        return (gh_str){ 0 };
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return gh_arena_dup(a, gh_str_of(text));
}

void cli_print_state(const cli_call *c, const char *kind, const char *name, const char *state,
                     bool is_changed, const char *text)
{
    gh_buf b;

    if (!cli_has(c, "--json")) {
        (void)printf("%s\n", text);
        return;
    }
    gh_buf_init(&b, 0);
    gh_buf_printf(&b, "{\"%s\":", kind);
    gh_audit_put_string(&b, gh_str_of(name));
    gh_buf_printf(&b, ",\"state\":\"%s\",\"changed\":%s}\n", state, is_changed ? "true" : "false");
    (void)fwrite(b.ptr, 1, b.len, stdout);
    gh_buf_fini(&b);
}
