#include "overload.h"

#include <stdarg.h>

bool gh_judge_is_spent(gh_judge *j)
{
    size_t budget = gh_arena_budget(j->arena);

    if (budget == 0)
        budget = GH_SQL_MEMORY_MAX;
    if (CurrentMemoryContext->mem_allocated <= budget ||
        CurrentMemoryContext->mem_allocated - budget <= j->memory_before)
        return false;
    gh_judge_refuse(j, GH_LIMIT, "54000", -1, "statement needs too much memory");
    return true;
}

void gh_judge_refuse(gh_judge *j, gh_rc rc, const char *sqlstate, int location, const char *fmt,
                     ...)
{
    char msg[sizeof(((gh_err *)0)->public_msg)];
    va_list ap;

    if (j->rc != GH_OK)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    j->rc = gh_fail(j->err, rc, sqlstate, "%s", msg);
    if (gh_sqlstate_is_absence(sqlstate))
        (void)snprintf(j->err->hint, sizeof(j->err->hint), "%s", GH_ABSENCE_HINT);
    /* A position inside the policy's own text would mean nothing to the client. */
    if (location >= 0 && !j->is_policy && (size_t)location <= j->text->source_len)
        j->err->position = (uint32_t)pg_mbstrlen_with_len(j->text->source, location) + 1;
}

bool gh_judge_may_add(gh_judge *j, size_t len)
{
    bool takes_long;

    j->edit_bytes += len;
    takes_long = j->in->added_max != 0 && j->edit_bytes > j->in->added_max;
    if (!takes_long && j->edit_bytes <= GH_SQL_ADDED_MAX + 2 * j->text->source_len)
        return true;
    gh_judge_refuse(j, GH_LIMIT, "54000", -1, "rewritten statement is too long");
    j->err->takes_long = takes_long || j->err->takes_long;
    return false;
}

void gh_judge_edit(gh_judge *j, size_t first, size_t end, const char *text)
{
    if (j->rc != GH_OK)
        return;
    if (first == SIZE_MAX || end == SIZE_MAX || end < first) {
        gh_judge_refuse(j, GH_INTERNAL, "XX000", -1, "statement cannot be rewritten");
        gh_err_detail(j->err, "edit without a place");
        return;
    }
    if (!gh_judge_may_add(j, strlen(text)))
        return;
    if (j->edit_count == j->edit_cap) {
        j->edit_cap = j->edit_cap == 0 ? 16 : j->edit_cap * 2;
        if (j->edits == NULL)
            j->edits = palloc(j->edit_cap * sizeof(gh_placed));
        else
            j->edits = repalloc(j->edits, j->edit_cap * sizeof(gh_placed));
    }
    j->edits[j->edit_count++] = (gh_placed){ .edit = { first, end, text } };
}

void gh_judge_edit_around(gh_judge *j, size_t first, size_t end, const char *before,
                          const char *behind)
{
    gh_judge_edit(j, first, first, before);
    if (j->rc == GH_OK)
        j->edits[j->edit_count - 1].opens = true;
    gh_judge_edit(j, end, end, behind);
}

size_t gh_judge_token(gh_judge *j, int location)
{
    size_t i = gh_sql_token_at(j->text, location);

    if (i == SIZE_MAX && j->rc == GH_OK) {
        gh_judge_refuse(j, GH_INTERNAL, "XX000", -1, "statement cannot be rewritten");
        gh_err_detail(j->err, "no token at byte %d", location);
    }
    return i;
}

char *gh_judge_printf(const char *fmt, ...)
{
    char small[512]; /* seldom twice */
    va_list ap;
    va_list again;
    int len;
    char *out;

    va_start(ap, fmt);
    va_copy(again, ap);
    len = gh_vformat(small, sizeof(small), fmt, ap);
    va_end(ap);
    GH_ASSERT(len >= 0);
    out = palloc((size_t)len + 1);
    if ((size_t)len < sizeof(small))
        memcpy(out, small, (size_t)len + 1);
    else
        (void)gh_vformat(out, (size_t)len + 1, fmt, again);
    va_end(again);
    return out;
}

char *gh_judge_cstr(gh_str s)
{
    char *out = palloc(s.len + 1);

    if (s.len != 0)
        memcpy(out, s.ptr, s.len);
    out[s.len] = '\0';
    return out;
}

bool gh_judge_is_among(const List *names, const char *name)
{
    ListCell *cell;

    foreach (cell, names) {
        if (strcmp(lfirst(cell), name) == 0)
            return true;
    }
    return false;
}

char *gh_judge_join(const List *texts, const char *glue)
{
    size_t glue_len = strlen(glue);
    size_t len = 1;
    char *out;
    char *end;
    ListCell *cell;

    foreach (cell, texts)
        len += strlen(lfirst(cell)) + glue_len;
    out = palloc(len);
    end = out;
    *end = '\0';
    foreach (cell, texts) {
        if (foreach_current_index(cell) > 0)
            end = stpcpy(end, glue);
        end = stpcpy(end, lfirst(cell));
    }
    return out;
}

char *gh_judge_take(gh_buf *b)
{
    char *out = gh_judge_cstr(gh_buf_str(b));

    gh_buf_fini(b);
    return out;
}

char *gh_judge_ident(const gh_judge *j, gh_str name)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    gh_sql_put_ident(&b, name, j->is_ascii);
    return gh_judge_take(&b);
}

char *gh_judge_literal(const gh_judge *j, gh_str value)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    gh_sql_put_string(&b, value, j->is_ascii);
    return gh_judge_take(&b);
}

/* The only statement of trusted text; our own templates and compiled policy come here. */
static SelectStmt *parse_select(gh_judge *j, const char *sql)
{
    List *stmts;

    if (j->rc != GH_OK || gh_sql_parse_tree(gh_str_of(sql), &stmts, j->err) != GH_OK ||
        list_length(stmts) != 1 || !IsA(linitial_node(RawStmt, stmts)->stmt, SelectStmt)) {
        gh_judge_refuse(j, GH_INTERNAL, "XX000", -1, "statement cannot be rewritten");
        gh_err_detail(j->err, "a replacement does not parse");
        return NULL;
    }
    return (SelectStmt *)linitial_node(RawStmt, stmts)->stmt;
}

Node *gh_judge_parse_expr(gh_judge *j, const char *sql)
{
    SelectStmt *s = parse_select(j, gh_judge_printf("SELECT %s", sql));

    return s != NULL && list_length(s->targetList) == 1
               ? linitial_node(ResTarget, s->targetList)->val
               : NULL;
}

Node *gh_judge_parse_item(gh_judge *j, const char *sql)
{
    SelectStmt *s = parse_select(j, gh_judge_printf("SELECT 1 FROM %s", sql));

    return s != NULL && list_length(s->fromClause) == 1 ? linitial(s->fromClause) : NULL;
}

Node *gh_judge_parse_query(gh_judge *j, const char *sql)
{
    return (Node *)parse_select(j, sql);
}

/* Ascending by place; an insertion stands before a replacement at its place; the rest keep their
 * order. */
typedef struct gh_ordered_edit {
    gh_edit edit;
    bool opens;
    size_t order;
} gh_ordered_edit;

static int compare_edits(const void *a, const void *b)
{
    const gh_ordered_edit *x = a;
    const gh_ordered_edit *y = b;
    bool x_inserts = x->edit.first == x->edit.end;
    bool y_inserts = y->edit.first == y->edit.end;

    if (x->edit.first != y->edit.first)
        return x->edit.first < y->edit.first ? -1 : 1;
    if (x_inserts != y_inserts)
        return x_inserts ? -1 : 1;
    if (x_inserts && x->opens != y->opens)
        return x->opens ? -1 : 1;
    if (x_inserts && x->opens) /* what is put around comes later */
        return x->order > y->order ? -1 : x->order < y->order;
    return x->order < y->order ? -1 : x->order > y->order;
}

gh_rc gh_judge_emit(gh_judge *j, size_t first, size_t end, gh_buf *out, gh_buf *offsets)
{
    gh_ordered_edit *ordered = palloc((j->edit_count + 1) * sizeof(gh_ordered_edit));
    gh_edit *edits = palloc((j->edit_count + 1) * sizeof(gh_edit));
    size_t count = 0;
    bool is_sorted = true;

    for (size_t i = 0; i < j->edit_count; i++) {
        if (j->edits[i].edit.first < first || j->edits[i].edit.end > end)
            continue;
        ordered[count++] = (gh_ordered_edit){ j->edits[i].edit, j->edits[i].opens, i };
        is_sorted = is_sorted &&
                    (count < 2 || compare_edits(&ordered[count - 2], &ordered[count - 1]) <= 0);
    }
    if (!is_sorted)
        qsort(ordered, count, sizeof(gh_ordered_edit), compare_edits);
    for (size_t i = 0; i < count; i++)
        edits[i] = ordered[i].edit;
    return gh_sql_emit(j->text, first, end, edits, count, j->is_ascii, out, offsets, j->err);
}

/* ---- parameters ---------------------------------------------------------------------------------- */

gh_oid gh_judge_param_type(const gh_judge *j, const ParamRef *p)
{
    bool is_prepared = j->prepared_types != NULL;
    const gh_oid *types = is_prepared ? j->prepared_types : j->in->param_types;
    size_t count = is_prepared ? j->prepared_count : j->in->param_count;
    gh_oid declared = p->number >= 1 && (size_t)p->number <= count ? types[p->number - 1] : 0;

    return declared == GH_OID_UNKNOWN ? 0 : declared;
}

static const gh_param_use *param_use(const gh_judge *j, const ParamRef *p)
{
    return p->number >= 1 && (size_t)p->number <= GH_COUNT(j->params) ? &j->params[p->number - 1]
                                                                      : NULL;
}

unsigned gh_judge_param_uses(const gh_judge *j, const ParamRef *p)
{
    const gh_param_use *use = param_use(j, p);

    return use != NULL ? use->count : 2;
}

bool gh_judge_param_is_cast_alike(const gh_judge *j, const ParamRef *p)
{
    const gh_param_use *use = param_use(j, p);

    return use != NULL && use->count > 0 && use->type != SIZE_MAX;
}

void gh_judge_note_sequence(gh_judge *j, const gh_relation *r, uint32_t privilege)
{
    gh_sequence_use *use;
    ListCell *cell;

    foreach (cell, j->sequences) {
        use = lfirst(cell);
        if (use->relation == r) {
            use->privileges |= privilege;
            return;
        }
    }
    use = palloc(sizeof(*use));
    *use = (gh_sequence_use){ r, privilege };
    j->sequences = lappend(j->sequences, use);
}
