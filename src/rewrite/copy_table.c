/*
 * COPY of a table to the client, as the query that it is:
 *
 *     COPY t (a, b) TO STDOUT     becomes     COPY (SELECT a, b FROM <what stands for t>) TO STDOUT
 *
 * The grammar of the latter lacks what PostgreSQL took before 7.3, so that goes to the options of today.
 */
#include "judge.h"

static void put_name(const gh_judge *j, gh_buf *list, gh_str name)
{
    gh_buf_puts(list, list->len == 0 ? "" : ", ");
    gh_sql_put_ident(list, name, j->is_ascii);
}

static char *copy_columns(gh_judge *j, const gh_item *item, const List *names)
{
    gh_buf out;
    ListCell *cell;

    gh_buf_init(&out, 0);
    for (size_t i = 0; names == NIL && i < item->relation->column_count; i++) {
        /* As COPY does: every column that is not generated. */
        if (item->decision->columns[i].show != GH_HIDDEN &&
            item->relation->columns[i].generated == 0)
            put_name(j, &out, item->relation->columns[i].name);
    }
    foreach (cell, names) {
        const gh_column *c = gh_relation_column(item->relation, gh_str_of(strVal(lfirst(cell))));

        if (c == NULL || item->decision->columns[c - item->relation->columns].show == GH_HIDDEN) {
            gh_judge_refuse(j, GH_DENIED, "42703", -1,
                            "column \"%s\" of relation \"%s\" does not exist", strVal(lfirst(cell)),
                            item->var->relname);
            gh_buf_fini(&out);
            return NULL;
        }
        item->is_used[c - item->relation->columns] = true;
        put_name(j, &out, c->name);
    }
    return gh_judge_take(&out);
}

static bool is_keyword(const gh_judge *j, size_t i, const char *word)
{
    return i < j->end && j->text->tokens[i].kind == GH_TOKEN_KEYWORD &&
           strcmp(j->text->tokens[i].text, word) == 0;
}

/*
 * What may be said of a table alone, as before PostgreSQL 7.3: COPY BINARY t TO STDOUT USING DELIMITERS ','. It goes to the
 * other options; `options`: the token behind STDOUT.
 */
static void move_old_options(gh_judge *j, const CopyStmt *c, size_t table, size_t options)
{
    bool is_binary = is_keyword(j, table - 1, "binary");
    size_t at = options + (is_keyword(j, options, "using") ? 1 : 0);
    bool is_delimited = is_keyword(j, at, "delimiters");
    bool is_list;
    const char *moved = "";
    ListCell *cell;

    if (!is_binary && !is_delimited)
        return;
    at += is_delimited ? 2 : 0;
    at += is_keyword(j, at, "with") ? 1 : 0;
    is_list = at < j->end && strcmp(j->text->tokens[at].text, "(") == 0;
    if (is_binary) {
        gh_judge_edit(j, table - 1, table, "");
        moved = is_list ? "FORMAT 'binary'," : "BINARY";
    }
    foreach (cell, is_delimited ? c->options : NIL) {
        const DefElem *d = lfirst_node(DefElem, cell);

        if (strcmp(d->defname, "delimiter") != 0 || d->arg == NULL || !IsA(d->arg, String))
            continue;
        moved = gh_judge_printf("%s DELIMITER %s%s", moved,
                                gh_judge_literal(j, gh_str_of(strVal(d->arg))), is_list ? "," : "");
        j->reads_literal = true; /* it stands elsewhere now */
        break;
    }
    gh_judge_edit(j, options, is_list ? at + 1 : at,
                  gh_judge_printf(is_list ? "WITH (%s" : "WITH %s", moved));
}

void gh_judge_copy_table(gh_judge *j, CopyStmt *c)
{
    gh_item *item = palloc0(sizeof(gh_item));
    size_t end;
    char *columns;
    char *from;
    char *sql;

    item->block = j->block;
    item->var = c->relation;
    item->has_star = c->attlist == NIL;
    if (!gh_judge_resolve(j, item))
        return;
    if (item->decision == NULL) {
        gh_judge_refuse(j, GH_DENIED, "42501", c->relation->location,
                        "COPY of a system catalog is not allowed");
        return;
    }
    item->is_used = palloc0((size_t)item->relation->column_count + 1);
    item->is_filtered = palloc0((size_t)item->relation->column_count + 1);
    c->relation->inh = false; /* COPY of a table reads no children */
    if (item->relation->kind == 'p' || item->relation->kind == 'v')
        c->relation->inh = true;
    columns = copy_columns(j, item, c->attlist);
    from = columns == NULL ? NULL : gh_relation_governed_sql(j, item);
    if (from == NULL)
        return;
    item->first = gh_judge_token(j, c->relation->location);
    end = item->first == SIZE_MAX ? SIZE_MAX
                                  : item->first + 1 + (c->relation->schemaname != NULL ? 2u : 0u) +
                                        (c->relation->catalogname != NULL ? 2u : 0u);
    if (c->attlist != NIL && end != SIZE_MAX)
        end = gh_sql_token_closing(j->text, end) + 1;
    if (end == SIZE_MAX)
        return;
    move_old_options(j, c, item->first, end + 2);
    sql = gh_judge_printf("(SELECT %s FROM %s AS gh)", columns, from);
    gh_judge_edit(j, item->first, end, sql);
    c->query = gh_judge_parse_query(j, sql);
    c->relation = NULL;
    c->attlist = NIL;
    j->items = lappend(j->items, item);
    item->is_placed = true;
}
