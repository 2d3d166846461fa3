#include "judge.h"

#include "join_on.h"

/* What one text's run through the parser carries. */
typedef struct gh_run {
    const gh_rewrite_input *in;
    gh_arena *arena;
    gh_str sql; /* UTF-8 */
    bool is_ascii;
    size_t memory_before; /* bytes that parsing took */
    gh_plan *plans;
    size_t count;
    gh_oid took_number; /* by the statements so far */
    List *announced;    /* temporary tables that the statements so far make */
} gh_run;

/* ---- plans ----------------------------------------------------------------------------------- */

static uint32_t count_chars(const char *text, uint32_t from, uint32_t to, bool is_single)
{
    return is_single ? to - from : (uint32_t)pg_mbstrlen_with_len(text + from, (int)(to - from));
}

/* From bytes of two texts to characters of both: ascending, so one pass over each is enough. */
static gh_rc keep_offsets(gh_judge *j, const gh_buf *raw, gh_str sent)
{
    bool is_single = gh_str_is_ascii(sent);
    size_t n = raw->len / sizeof(gh_sql_offset);
    gh_offset *out = gh_arena_alloc(j->arena, (n + 1) * sizeof(gh_offset));
    uint32_t byte = 0;
    uint32_t chars = 0;

    if (out == NULL)
        return gh_fail(j->err, GH_LIMIT, "54000", "statement needs too much memory");
    for (size_t i = 0; i < n; i++) {
        gh_sql_offset o;

        memcpy(&o, raw->ptr + i * sizeof(o), sizeof(o));
        chars += count_chars(sent.ptr, byte, o.sent, is_single);
        byte = o.sent;
        out[i].sent = chars + 1;
        out[i].source = o.source;
    }
    byte = 0;
    chars = 0;
    is_single = gh_str_is_ascii((gh_str){ j->text->source, j->text->source_len });
    for (size_t i = 0; i < n; i++) {
        uint32_t source = out[i].source;

        if (source == UINT32_MAX) {
            out[i].source = 0;
            continue;
        }
        chars += count_chars(j->text->source, byte, source, is_single);
        byte = source;
        out[i].source = chars + 1;
    }
    j->plan->offsets = out;
    j->plan->offset_count = n;
    return GH_OK;
}

/* Text of the judged statement, verified to mean the judged tree. */
static gh_rc emit_plan(gh_judge *j, Node *stmt, size_t first, size_t end)
{
    gh_buf out;
    gh_buf offsets;
    gh_rc rc;

    gh_buf_init(&out, GH_SQL_BYTES_MAX * 2u);
    gh_buf_init(&offsets, 0);
    rc = gh_judge_emit(j, first, end, &out, &offsets);
    if (rc == GH_OK)
        rc = gh_sql_verify(gh_buf_str(&out), stmt, j->err);
    if (rc == GH_OK) {
        j->plan->sql = gh_arena_dup(j->arena, gh_buf_str(&out));
        rc = j->plan->sql.ptr == NULL
                 ? gh_fail(j->err, GH_LIMIT, "54000", "statement needs too much memory")
                 : keep_offsets(j, &offsets, j->plan->sql);
    }
    gh_buf_fini(&out);
    gh_buf_fini(&offsets);
    return rc;
}

static void refuse_plan(gh_plan *plan, const gh_err *err)
{
    uint32_t start = plan->source_start;
    uint32_t len = plan->source_len;
    bool reads_session = plan->reads_session;

    memset(plan, 0, sizeof(*plan));
    plan->kind = GH_STMT_REFUSED;
    plan->error = *err;
    plan->reads_session = reads_session; /* another time it may be allowed */
    plan->source_start = start;
    plan->source_len = len;
}

static bool is_token(const gh_judge *j, size_t i, const char *text)
{
    return i < j->text->token_count && strcmp(j->text->tokens[i].text, text) == 0;
}

/* Of `$1::a.b` and CAST($1 AS a.b) the token where the type's name begins; else SIZE_MAX. */
static size_t type_of_cast(const gh_judge *j, size_t param)
{
    if (is_token(j, param + 1, "::"))
        return param + 2;
    if (param >= j->first + 2 && is_token(j, param - 2, "cast") && is_token(j, param - 1, "(") &&
        is_token(j, param + 1, "as"))
        return param + 2;
    return SIZE_MAX;
}

static bool is_one_name(const gh_judge *j, size_t a, size_t b)
{
    const gh_token *t = j->text->tokens;

    if (a == SIZE_MAX || b == SIZE_MAX)
        return false;
    for (;; a += 2, b += 2) {
        bool goes_on = is_token(j, a + 1, ".");

        if (t[a].kind != t[b].kind || strcmp(t[a].text, t[b].text) != 0 ||
            goes_on != is_token(j, b + 1, "."))
            return false;
        if (!goes_on)
            return true;
    }
}

static void count_params(gh_judge *j, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        const gh_token *t = &j->text->tokens[i];
        gh_param_use *use;

        if (t->kind != GH_TOKEN_PARAM || t->number < 1 || (size_t)t->number > GH_COUNT(j->params))
            continue;
        use = &j->params[t->number - 1];
        if (use->count++ == 0)
            use->type = type_of_cast(j, i);
        else if (!is_one_name(j, use->type, type_of_cast(j, i)))
            use->type = SIZE_MAX;
    }
}

static gh_rc check_param_types(gh_judge *j)
{
    for (size_t i = 0; i < j->in->param_count; i++) {
        if (!gh_type_param_is_allowed(j, j->in->param_types[i]))
            return gh_fail(j->err, GH_DENIED, "42704", "type with OID %u does not exist",
                           j->in->param_types[i]);
    }
    return GH_OK;
}

static void ignore(struct Node **slot, void *arg)
{
    (void)slot;
    (void)arg;
}

/* A cursor, COPY or EXPLAIN of it: its rows are not those of an answer to this statement. */
static void refuse_stray_signal(gh_judge *j, bool is_select)
{
    const gh_plan *p = j->plan;

    if (p->signal != GH_SIGNAL_NONE && (!is_select || p->kind != GH_STMT_QUERY) &&
        (p->kind != GH_STMT_PREPARE || p->inner != GH_STMT_QUERY))
        gh_judge_refuse(j, GH_DENIED, "42501", -1,
                        "a function that signals a session is not allowed here");
}

/*
 * SECURITY: the session keeps the path, and takes it apart, for as long as it lives, once for each savepoint, and
 * sends it with others to a connection of another mode. Attack: tests/attack/limits.
 */
static void refuse_long_path(gh_judge *j)
{
    const gh_plan *p = j->plan;

    if (j->rc == GH_OK && p->kind == GH_STMT_SET && gh_str_is(p->name, "search_path") &&
        p->value.len > GH_SESSION_PATH_MAX)
        gh_judge_refuse(j, GH_LIMIT, "54000", -1, "the search_path is longer than %d bytes",
                        GH_SESSION_PATH_MAX);
}

static gh_rc retell(gh_run *run, gh_judge *j, gh_plan *plan);

/*
 * Drivers try their timeouts and cancel requests by pg_sleep().
 *
 * SECURITY: over a relation the time that a statement takes would tell how many rows, hidden ones too, a condition was
 * computed for, and the same where the warehouse's own code is a query that the planner takes apart. Where nothing is
 * read there is nothing to tell of. Attack: tests/attack functions.
 */
static void refuse_wait_over_rows(gh_judge *j)
{
    bool reads = j->calls_code;
    ListCell *cell;

    if (j->wait == NULL)
        return;
    foreach (cell, j->items) {
        const gh_item *item = lfirst(cell);

        reads = reads || item->relation != NULL || item->system != NULL;
    }
    if (reads)
        gh_judge_refuse(
            j, GH_DENIED, "42501", j->wait->location,
            "function %s is not allowed in a statement that reads a relation or calls the "
            "warehouse's functions",
            strVal(llast(j->wait->funcname)));
}

/* Judges one statement into *plan; a refusal is a plan too. Other results are of the whole text. */
static gh_rc plan_statement(gh_run *run, const gh_sql_text *text, Node **stmt, size_t first,
                            size_t end, bool is_retold, gh_plan *plan)
{
    List *announced = run->announced == NIL || is_retold ? NIL : list_copy(run->announced);
    gh_err err = { 0 };
    gh_judge j = { .in = run->in,
                   .arena = run->arena,
                   .text = text,
                   .plan = plan,
                   .err = &err,
                   .rc = GH_OK,
                   .is_ascii = run->is_ascii,
                   .memory_before = run->memory_before,
                   .announced = &run->announced,
                   .took_number = run->took_number,
                   .is_retold = is_retold,
                   .keeps_casts = true };
    gh_block top = { 0 };
    List *keys = NIL;
    gh_rc rc = gh_sql_children(*stmt, ignore, NULL) ? gh_sql_check_tree(*stmt, &err) : GH_OK;

    j.block = &top;
    j.first = first;
    j.end = end;
    count_params(&j, first, end);
    if (rc == GH_OK)
        rc = check_param_types(&j);
    if (rc == GH_OK) {
        bool is_select = IsA(*stmt, SelectStmt);

        keys = gh_lookup_keys(*stmt);
        gh_position_note(&j, *stmt);
        gh_judge_statement(&j, stmt, first, end);
        if (j.retold != NIL && j.rc == GH_OK) {
            run->announced = announced;
            return retell(run, &j, plan);
        }
        if (j.rc == GH_OK)
            gh_cast_judge_unsure(&j);
        if (!is_select) { /* what answers is EXPLAIN, RETURNING ... */
            plan->outputs = NULL;
            plan->output_count = 0;
        }
        refuse_stray_signal(&j, is_select);
        refuse_wait_over_rows(&j);
        refuse_long_path(&j);
        gh_judge_place_items(&j);
        gh_judge_note_touches(&j);
        rc = j.rc;
    }
    if (rc == GH_OK && plan->sql.len == 0) {
        rc = emit_plan(&j, *stmt, first, end);
        plan->is_shareable =
            !j.reads_literal && (plan->kind == GH_STMT_QUERY || plan->kind == GH_STMT_WRITE);
        plan->tells_values = !j.has_others && plan->kind != GH_STMT_EXECUTE &&
                             plan->kind != GH_STMT_FETCH &&
                             plan->kind != GH_STMT_COMMIT; /* which say nothing of what they run */
        plan->is_lookup = plan->is_shareable && gh_lookup_is_by_key(&j, keys);
    }
    if (rc != GH_OK) {
        if (rc == GH_INTERNAL)
            gh_log(GH_ERROR, "rewrite.defect", "detail=\"%s\"", err.detail);
        refuse_plan(plan, &err);
    }
    return GH_OK;
}

/* ---- statements that are told anew ------------------------------------------------------------ */

/* The character of the client's text at which the one of what was told anew stands; 0: at none. */
typedef struct gh_way_back {
    const gh_judge *j; /* of the client's text */
    const char *told;
    bool is_single; /* its characters are bytes */
    uint32_t byte;  /* of what was told, where so many characters are passed */
    uint32_t chars;
    const gh_buf *raw;
    size_t next;
    uint32_t source_byte; /* of the client's text, likewise */
    uint32_t source_chars;
} gh_way_back;

static uint32_t find_back(gh_way_back *w, uint32_t position)
{
    gh_sql_offset o = { 0, UINT32_MAX };

    if (position == 0)
        return 0;
    for (; w->chars + 1 < position && w->told[w->byte] != '\0'; w->chars++)
        w->byte +=
            w->is_single ? 1u : (uint32_t)pg_utf_mblen((const unsigned char *)w->told + w->byte);
    for (; w->next < w->raw->len / sizeof(o); w->next++) {
        memcpy(&o, w->raw->ptr + w->next * sizeof(o), sizeof(o));
        if (o.sent > w->byte)
            break;
    }
    if (w->next == 0)
        return 0;
    memcpy(&o, w->raw->ptr + (w->next - 1) * sizeof(o), sizeof(o));
    if (o.source == UINT32_MAX)
        return 0;
    if (o.source >= w->source_byte) {
        w->source_chars += count_chars(w->j->text->source, w->source_byte, o.source, w->is_single);
        w->source_byte = o.source;
    }
    return w->source_chars + 1;
}

/* Positions are told of the client's text. Its literals stand elsewhere in what was told. */
static void lead_back(gh_way_back w, gh_plan *plan)
{
    gh_offset *out = (gh_offset *)(uintptr_t)plan->offsets;

    for (size_t i = 0; i < plan->offset_count; i++)
        out[i].source = find_back(&w, out[i].source);
    plan->error.position = find_back(&w, plan->error.position);
    plan->is_shareable = false;
    plan->is_lookup = false;
}

static gh_rc retell(gh_run *run, gh_judge *j, gh_plan *plan)
{
    gh_plan told = { .source_start = plan->source_start, .source_len = plan->source_len };
    gh_sql_text text = { 0 };
    gh_buf offsets;
    char *sql = NULL;
    gh_rc rc;

    gh_buf_init(&offsets, 0);
    *plan = told;
    rc = gh_join_on_retell(j, j->first, j->end, &sql, &offsets);
    if (rc == GH_OK)
        rc = gh_sql_guard(gh_str_of(sql), j->err);
    if (rc == GH_OK)
        rc = gh_sql_parse(gh_str_of(sql), &text, j->err);
    if (rc == GH_OK && list_length(text.stmts) != 1)
        rc = gh_fail(j->err, GH_INTERNAL, "XX000", "statement cannot be rewritten");
    if (rc == GH_OK) {
        RawStmt *raw = linitial_node(RawStmt, text.stmts);
        gh_way_back back = {
            .j = j, .told = sql, .is_single = gh_str_is_ascii(run->sql), .raw = &offsets
        };

        rc = plan_statement(run, &text, &raw->stmt, 0, text.token_count, true, plan);
        if (rc == GH_OK)
            lead_back(back, plan);
    } else {
        refuse_plan(plan, j->err);
        rc = GH_OK;
    }
    gh_buf_fini(&offsets);
    return rc;
}

/* ---- statements of a text -------------------------------------------------------------------- */

static bool is_semicolon(const gh_token *t)
{
    return t->kind == GH_TOKEN_SELF && strcmp(t->text, ";") == 0;
}

/* Tokens of a statement, without the semicolons around it. *end: where the one before it ended; 0: it is the first. */
static void span(const gh_sql_text *text, const RawStmt *raw, size_t *first, size_t *end)
{
    uint32_t start = (uint32_t)raw->stmt_location;
    uint32_t stop = raw->stmt_len == 0 ? UINT32_MAX : start + (uint32_t)raw->stmt_len;
    size_t i = *end;

    while (i < text->token_count &&
           (text->tokens[i].start < start || is_semicolon(&text->tokens[i])))
        i++;
    *first = i;
    while (i < text->token_count && text->tokens[i].start < stop)
        i++;
    while (i > *first && is_semicolon(&text->tokens[i - 1]))
        i--;
    *end = i;
}

static gh_rc plan_empty(gh_run *run, gh_err *err)
{
    run->plans = gh_arena_alloc(run->arena, sizeof(gh_plan));
    if (run->plans == NULL)
        return gh_fail(err, GH_LIMIT, "54000", "statement needs too much memory");
    run->plans[0].kind = GH_STMT_EMPTY;
    run->count = 1;
    return GH_OK;
}

static bool takes_settings(const gh_plan *plan)
{
    return (plan->kind == GH_STMT_RESET && plan->name.len == 0) ||
           (plan->kind == GH_STMT_DISCARD && gh_str_is(plan->name, "all"));
}

/* SELECT f(): neither a name that the upstream looks for nor an operator. */
static bool is_plain_call(const Node *stmt)
{
    const SelectStmt *s = (const SelectStmt *)stmt;
    ListCell *cell;

    if (!IsA(stmt, SelectStmt) || s->op != SETOP_NONE || s->fromClause != NIL ||
        s->whereClause != NULL || s->valuesLists != NIL || s->sortClause != NIL ||
        s->groupClause != NIL || s->havingClause != NULL || s->withClause != NULL ||
        s->limitCount != NULL || s->limitOffset != NULL || s->distinctClause != NIL)
        return false;
    foreach (cell, s->targetList) {
        const FuncCall *f = (const FuncCall *)lfirst_node(ResTarget, cell)->val;

        if (!IsA(f, FuncCall) || list_length(f->funcname) != 2 || f->args != NIL ||
            f->over != NULL || f->agg_filter != NULL)
            return false;
    }
    return true;
}

/* What pools send beside RESET ALL (Npgsql, asyncpg): the same whatever is set. */
static bool needs_no_setting(const gh_plan *plan, const Node *stmt)
{
    switch (plan->kind) {
    case GH_STMT_CLOSE:
    case GH_STMT_DEALLOCATE:
        return true;
    case GH_STMT_DISCARD:
        return !gh_str_is(plan->name, "all");
    case GH_STMT_OTHER:
        return IsA(stmt, UnlistenStmt);
    case GH_STMT_QUERY:
        return is_plain_call(stmt);
    case GH_STMT_REFUSED:
    case GH_STMT_EMPTY:
    case GH_STMT_WRITE:
    case GH_STMT_BEGIN:
    case GH_STMT_COMMIT:
    case GH_STMT_ROLLBACK:
    case GH_STMT_SAVEPOINT:
    case GH_STMT_RELEASE:
    case GH_STMT_ROLLBACK_TO:
    case GH_STMT_SET:
    case GH_STMT_RESET:
    case GH_STMT_SHOW:
    case GH_STMT_PREPARE:
    case GH_STMT_EXECUTE:
    case GH_STMT_DECLARE:
    case GH_STMT_FETCH:
    case GH_STMT_COPY_OUT:
    case GH_STMT_COPY_IN:
        return false;
    }
    return false;
}

/*
 * SECURITY: RESET ALL and DISCARD ALL take away what Gatehouse set upstream, its search_path among it; it is
 * set again behind the message, so nothing may stand between that a setting could change. Attack: tests/attack
 * code-behind-names.
 */
static void refuse_after_reset(gh_plan *reset, const gh_plan *plan, const Node *stmt)
{
    bool is_reset = reset->kind == GH_STMT_RESET;
    gh_err err = { 0 };
    gh_rc rc;

    if (is_reset && needs_no_setting(plan, stmt))
        return;
    rc = gh_fail(&err, GH_DENIED, "42501", "%s must be the last statement of a query",
                 is_reset ? "RESET ALL" : "DISCARD ALL");
    if (rc != GH_OK)
        refuse_plan(reset, &err);
}

static gh_rc plan_text(void *arg, gh_err *err)
{
    gh_run *run = arg;
    gh_sql_text text;
    gh_rc rc = gh_sql_parse(run->sql, &text, err);
    gh_plan *reset = NULL;
    size_t added = 0;
    size_t end = 0;
    size_t count;

    if (rc != GH_OK)
        return rc;
    run->memory_before = CurrentMemoryContext->mem_allocated;
    count = (size_t)list_length(text.stmts);
    if (count == 0)
        return plan_empty(run, err);
    if (count > 1 && run->in->is_extended)
        return gh_fail(err, GH_INVALID, "42601",
                       "cannot insert multiple commands into a prepared statement");
    if (count > GH_SQL_STATEMENTS_MAX)
        return gh_fail(err, GH_LIMIT, "54000", "more than %d statements in one query",
                       GH_SQL_STATEMENTS_MAX);
    run->plans = gh_arena_alloc(run->arena, count * sizeof(gh_plan));
    if (run->plans == NULL)
        return gh_fail(err, GH_LIMIT, "54000", "statement needs too much memory");
    for (size_t i = 0; i < count; i++) {
        RawStmt *raw = list_nth_node(RawStmt, text.stmts, (int)i);
        gh_plan *plan = &run->plans[i];
        size_t first;

        span(&text, raw, &first, &end);
        plan->source_start = text.tokens[first].start;
        plan->source_len = text.tokens[end].start - plan->source_start;
        rc = plan_statement(run, &text, &raw->stmt, first, end, false, plan);
        if (rc != GH_OK)
            return rc;
        run->count = i + 1;
        added += plan->sql.len;
        if (run->in->added_max != 0 && (plan->error.takes_long || added > run->in->added_max)) {
            rc = gh_fail(err, GH_LIMIT, "54000", "rewritten statement is too long");
            err->takes_long = true;
            return rc;
        }
        if (reset != NULL)
            refuse_after_reset(reset, plan, raw->stmt);
        if (reset != NULL && reset->kind == GH_STMT_REFUSED) {
            run->count = (size_t)(reset - run->plans) + 1;
            break;
        }
        if (takes_settings(plan))
            reset = plan;
        if (plan->takes_number != 0 && gh_plan_runs_at_once(plan))
            run->took_number = plan->takes_number;
        if (plan->kind == GH_STMT_REFUSED)
            break;
    }
    return GH_OK;
}

/* ---- entry ----------------------------------------------------------------------------------- */

static gh_rc plan_bypass_whole(gh_run *run, gh_err *err)
{
    run->plans = gh_arena_alloc(run->arena, sizeof(gh_plan));
    if (run->plans == NULL)
        return gh_fail(err, GH_LIMIT, "54000", "statement needs too much memory");
    run->plans[0] = (gh_plan){ .kind = GH_STMT_OTHER,
                               .sql = run->in->sql,
                               .is_bypassed = true,
                               .changes_catalog = true,
                               .source_len = (uint32_t)run->in->sql.len };
    run->count = 1;
    return GH_OK;
}

static gh_rc plan_bypass_parsed(void *arg, gh_err *err)
{
    gh_run *run = arg;
    gh_sql_text text;
    gh_rc rc = gh_sql_parse(run->in->sql, &text, err);
    size_t count = rc == GH_OK ? (size_t)list_length(text.stmts) : 0;
    size_t end = 0;

    if (rc != GH_OK)
        return rc;
    if (count == 0)
        return plan_empty(run, err);
    run->plans = gh_arena_alloc(run->arena, count * sizeof(gh_plan));
    if (run->plans == NULL)
        return gh_fail(err, GH_LIMIT, "54000", "statement needs too much memory");
    for (size_t i = 0; i < count; i++) {
        const RawStmt *raw = list_nth_node(RawStmt, text.stmts, (int)i);
        const char *name = NULL;
        gh_plan *plan = &run->plans[i];
        size_t first;

        span(&text, raw, &first, &end);
        plan->kind = gh_bypass_kind(raw->stmt, &name);
        plan->source_start = text.tokens[first].start;
        plan->source_len = text.tokens[end].start - plan->source_start;
        plan->sql = (gh_str){ run->in->sql.ptr + plan->source_start, plan->source_len };
        plan->name = name == NULL ? (gh_str){ NULL, 0 } : gh_arena_dup(run->arena, gh_str_of(name));
        plan->is_bypassed = true;
        plan->changes_catalog = plan->kind == GH_STMT_OTHER;
    }
    run->count = count;
    return GH_OK;
}

/* The client's own bytes; what the lexer may not see or the parser does not know goes as one piece. */
static gh_rc plan_bypass(gh_run *run, gh_err *err)
{
    gh_err ignored = { 0 };

    if (gh_sql_guard(run->in->sql, &ignored) == GH_OK &&
        gh_sql_run(plan_bypass_parsed, run, &ignored) == GH_OK)
        return GH_OK;
    return plan_bypass_whole(run, err);
}

gh_rc gh_rewrite_raw(const gh_rewrite_input *in, gh_arena *a, const gh_plan **plans, size_t *count,
                     gh_err *err)
{
    gh_run run = { .in = in, .arena = a, .sql = in->sql };
    gh_rc rc = plan_bypass(&run, err);

    if (rc != GH_OK)
        return rc;
    *plans = run.plans;
    *count = run.count;
    return GH_OK;
}

gh_rc gh_rewrite(const gh_rewrite_input *in, gh_arena *a, const gh_plan **plans, size_t *count,
                 gh_err *err)
{
    gh_run run = { .in = in, .arena = a, .sql = in->sql, .took_number = in->took_number };
    gh_rc rc;

    if ((gh_view_may(in->view) & GH_MAY_BYPASS) != 0)
        return gh_rewrite_raw(in, a, plans, count, err);
    rc = gh_encoding_to_utf8(in->client_encoding, in->sql, a, &run.sql, &run.is_ascii, err);
    if (rc == GH_OK)
        rc = gh_sql_guard(run.sql, err);
    if (rc == GH_OK)
        rc = gh_sql_run(plan_text, &run, err);
    if (rc != GH_OK)
        return rc;
    *plans = run.plans;
    *count = run.count;
    return GH_OK;
}

uint32_t gh_plan_position(const gh_plan *plan, uint32_t upstream_position)
{
    size_t low = 0;
    size_t high = plan->offset_count;

    if (plan->is_bypassed)
        return upstream_position;
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (plan->offsets[mid].sent <= upstream_position)
            low = mid + 1;
        else
            high = mid;
    }
    return low == 0 ? 0 : plan->offsets[low - 1].source;
}

bool gh_sqlstate_is_absence(const char *sqlstate)
{
    return strcmp(sqlstate, "42P01") == 0 || strcmp(sqlstate, "42703") == 0 ||
           strcmp(sqlstate, "3F000") == 0;
}
