/*
 * Which kinds of statement there are, and what each of them needs. A kind that has no case here is
 * refused by its name.
 */
#include "allow.h"
#include "infer.h"
#include "setting.h"
#include "system_catalog.h"
#include "write.h"

static char *keep(gh_judge *j, gh_str s)
{
    gh_str out = gh_arena_dup(j->arena, s);

    if (out.ptr == NULL)
        gh_judge_refuse(j, GH_LIMIT, "54000", -1, "statement needs too much memory");
    return (char *)(uintptr_t)out.ptr;
}

static void set_name(gh_judge *j, const char *name)
{
    if (name != NULL)
        j->plan->name = gh_str_of(keep(j, gh_str_of(name)));
}

/* Sends this text instead of the client's; it is ours, so there is nothing to verify. */
static void send_text(gh_judge *j, const char *sql)
{
    j->plan->sql = gh_str_of(keep(j, gh_str_of(sql)));
}

/* ---- transactions ---------------------------------------------------------------------------- */

static void judge_transaction(gh_judge *j, const TransactionStmt *t)
{
    set_name(j, t->savepoint_name);
    switch (t->kind) {
    case TRANS_STMT_BEGIN:
    case TRANS_STMT_START:
        j->plan->kind = GH_STMT_BEGIN;
        return;
    case TRANS_STMT_COMMIT:
        j->plan->kind = GH_STMT_COMMIT;
        return;
    case TRANS_STMT_ROLLBACK:
        j->plan->kind = GH_STMT_ROLLBACK;
        return;
    case TRANS_STMT_SAVEPOINT:
        j->plan->kind = GH_STMT_SAVEPOINT;
        return;
    case TRANS_STMT_RELEASE:
        j->plan->kind = GH_STMT_RELEASE;
        return;
    case TRANS_STMT_ROLLBACK_TO:
        j->plan->kind = GH_STMT_ROLLBACK_TO;
        return;
    case TRANS_STMT_PREPARE:
    case TRANS_STMT_COMMIT_PREPARED:
    case TRANS_STMT_ROLLBACK_PREPARED:
    default:
        gh_judge_refuse(j, GH_DENIED, "42501", -1, "prepared transactions are not allowed");
        return;
    }
}

/* ---- settings -------------------------------------------------------------------------------- */

static char *lower(const char *s)
{
    char *out = pstrdup(s);

    for (char *p = out; *p != '\0'; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    return out;
}

static char *constant_text(const A_Const *c)
{
    if (IsA(&c->val, Integer))
        return gh_judge_printf("%d", intVal(&c->val));
    if (IsA(&c->val, Float))
        return pstrdup(c->val.fval.fval);
    if (IsA(&c->val, Boolean))
        return pstrdup(boolVal(&c->val) ? "true" : "false");
    return IsA(&c->val, String) ? pstrdup(strVal(&c->val)) : NULL;
}

/* The value as SHOW would print a list: parts joined by comma; NULL if it is no constant. */
static char *setting_value(const List *args)
{
    gh_buf out;
    ListCell *cell;

    gh_buf_init(&out, 0);
    foreach (cell, args) {
        const Node *n = lfirst(cell);
        const char *one = NULL;

        if (IsA(n, TypeCast)) /* SET TIME ZONE INTERVAL '...' HOUR TO MINUTE */
            n = ((const TypeCast *)n)->arg;
        if (IsA(n, A_Const) && !((const A_Const *)n)->isnull)
            one = constant_text((const A_Const *)n);
        if (one == NULL) {
            gh_buf_fini(&out);
            return NULL;
        }
        gh_buf_puts(&out, foreach_current_index(cell) == 0 ? "" : ", ");
        gh_buf_puts(&out, one);
    }
    return gh_judge_take(&out);
}

/* A variable of the client's own by the name that it has upstream. */
static char *own_name(const char *name, bool is_sql)
{
    gh_buf b;
    char *out;

    gh_buf_init(&b, 0);
    gh_setting_put_own(gh_str_of(name), is_sql, &b);
    out = gh_judge_cstr(gh_buf_str(&b));
    gh_buf_fini(&b);
    return out;
}

/* A name as PostgreSQL's quote_identifier writes it, near enough: quoted unless plain. */
static char *quote_part(const char *s)
{
    size_t len = strlen(s);
    char *out;
    size_t n = 0;

    if (len != 0 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == len &&
        (*s < '0' || *s > '9'))
        return pstrdup(s);
    out = palloc(2 * len + 3);
    out[n++] = '"';
    for (; *s != '\0'; s++) {
        if (*s == '"')
            out[n++] = '"';
        out[n++] = *s;
    }
    out[n++] = '"';
    out[n] = '\0';
    return out;
}

/* search_path as a list that quotes each part, so that the session can split it again. False: it is none. */
static bool put_search_path(const List *args, gh_buf *out)
{
    ListCell *cell;

    foreach (cell, args) {
        const A_Const *c = lfirst(cell);

        if (!IsA(c, A_Const) || c->isnull || !IsA(&c->val, String))
            return false;
        gh_buf_puts(out, out->len > 0 ? ", " : "");
        gh_buf_puts(out, quote_part(strVal(&c->val)));
    }
    return true;
}

static void take_search_path(gh_judge *j, const List *args)
{
    gh_buf value;

    gh_buf_init(&value, 0);
    if (put_search_path(args, &value))
        j->plan->value = gh_str_of(keep(j, gh_buf_str(&value)));
    else
        gh_judge_refuse(j, GH_INVALID, "22023", -1, "invalid value for parameter \"search_path\"");
    gh_buf_fini(&value);
}

/* SET ROLE and SET SESSION AUTHORIZATION to who one is already: pools and tools say so when they are done. */
static bool names_oneself(const gh_judge *j, const VariableSetStmt *v, const char *name)
{
    bool is_role = strcmp(name, "role") == 0;
    const A_Const *c;

    if (!is_role && strcmp(name, "session_authorization") != 0)
        return false;
    if (v->kind != VAR_SET_VALUE)
        return true;
    c = linitial(v->args);
    return list_length(v->args) == 1 && IsA(c, A_Const) && !c->isnull && IsA(&c->val, String) &&
           (gh_str_is(gh_view_user(j->in->view), strVal(&c->val)) ||
            (is_role && strcmp(strVal(&c->val), "none") == 0));
}

static void take_virtual(gh_judge *j, const VariableSetStmt *v, const char *name)
{
    if (names_oneself(j, v, name)) {
        send_text(j, v->is_local ? "SET LOCAL search_path TO \"pg_catalog\", \"pg_temp\""
                                 : "SET search_path TO \"pg_catalog\", \"pg_temp\"");
        j->plan->kind = GH_STMT_OTHER;
        if (v->kind == VAR_RESET)
            j->plan->tag = GH_STR("RESET");
        return;
    }
    if (strcmp(name, "search_path") != 0) {
        gh_judge_refuse(j, GH_DENIED, "42501", -1, "permission denied to set parameter \"%s\"",
                        name);
        return;
    }
    /* The upstream's own path never changes; this only keeps the answer's shape. */
    send_text(j, "SET search_path TO \"pg_catalog\", \"pg_temp\"");
    if (v->kind == VAR_RESET)
        j->plan->tag = GH_STR("RESET");
    if (v->kind == VAR_SET_VALUE)
        take_search_path(j, v->args);
}

static void judge_set_multi(gh_judge *j, const VariableSetStmt *v)
{
    ListCell *cell;

    if (strcmp(v->name, "TRANSACTION") != 0 && strcmp(v->name, "SESSION CHARACTERISTICS") != 0) {
        gh_judge_refuse(j, GH_DENIED, "42501", -1, "SET %s is not allowed", v->name);
        return;
    }
    foreach (cell, v->args) {
        const DefElem *d = lfirst_node(DefElem, cell);

        if (strcmp(d->defname, "transaction_isolation") != 0 &&
            strcmp(d->defname, "transaction_read_only") != 0 &&
            strcmp(d->defname, "transaction_deferrable") != 0)
            gh_judge_refuse(j, GH_DENIED, "42501", -1, "SET %s is not allowed", v->name);
    }
    j->plan->kind = GH_STMT_OTHER;
}

/* The statement of the session's start that set it, `name = 'value'`; empty: none did. */
static gh_str startup_setting(gh_str startup, gh_str name)
{
    const char *p = startup.ptr;
    const char *end = p == NULL ? NULL : p + startup.len;

    while (p != NULL && (size_t)(end - p) > name.len + 4) { /* "SET " and the name */
        gh_str set = { p + 4, 0 };
        bool is_it = memcmp(set.ptr, name.ptr, name.len) == 0 && set.ptr[name.len] == ' ';
        bool is_quoted = false;

        for (p = set.ptr; p < end && (is_quoted || *p != ';'); p++)
            is_quoted = is_quoted != (*p == '\'');
        set.len = (size_t)(p - set.ptr);
        if (is_it)
            return set;
        p += p < end;
    }
    return (gh_str){ NULL, 0 };
}

/* What is set back is what the client's startup packet said: the upstream does not know of that. */
static void reset_setting(gh_judge *j, const VariableSetStmt *v, const char *name)
{
    gh_str set = startup_setting(j->in->startup, gh_str_of(name));

    j->rc = gh_setting_check_name(gh_str_of(name), j->err);
    if (j->rc != GH_OK || set.len == 0)
        return;
    send_text(j,
              gh_judge_printf("SET %s" GH_STR_FMT, v->is_local ? "LOCAL " : "", GH_STR_ARG(set)));
    if (v->kind == VAR_RESET)
        j->plan->tag = GH_STR("RESET");
    j->plan->reads_session = true;
}

/* SET, RESET and SET ... TO DEFAULT of a variable of the client's own. */
static void take_own(gh_judge *j, const VariableSetStmt *v, const char *name)
{
    char *own = own_name(name, true);
    char *value = v->kind == VAR_SET_VALUE ? setting_value(v->args) : NULL;
    gh_str set = startup_setting(j->in->startup, gh_str_of(own));

    j->plan->kind = GH_STMT_OTHER;
    j->plan->names_setting = v->kind == VAR_SET_VALUE;
    if (v->kind == VAR_SET_VALUE && (value == NULL || list_length(v->args) != 1)) {
        gh_judge_refuse(j, GH_INVALID, "22023", -1,
                        value == NULL ? "invalid value for parameter \"%s\""
                                      : "SET %s takes only one argument",
                        name);
        return;
    }
    if (value != NULL) {
        send_text(j, gh_judge_printf("SET %s%s TO %s", v->is_local ? "LOCAL " : "", own,
                                     gh_judge_literal(j, gh_str_of(value))));
        return;
    }
    j->plan->reads_session = set.len != 0;
    if (set.len != 0) /* as reset_setting does */
        send_text(
            j, gh_judge_printf("SET %s" GH_STR_FMT, v->is_local ? "LOCAL " : "", GH_STR_ARG(set)));
    else
        send_text(j, gh_judge_printf("RESET %s", own));
    j->plan->tag = v->kind == VAR_RESET ? GH_STR("RESET") : GH_STR("SET");
}

static void judge_set(gh_judge *j, const VariableSetStmt *v)
{
    char *name = v->name != NULL ? lower(v->name) : NULL;
    char *value;

    j->plan->is_local = v->is_local;
    switch (v->kind) {
    case VAR_SET_MULTI:
        judge_set_multi(j, v);
        return;
    case VAR_RESET_ALL:
        j->plan->kind = GH_STMT_RESET;
        return;
    case VAR_SET_CURRENT:
        gh_judge_refuse(j, GH_DENIED, "42501", -1, "SET ... FROM CURRENT is not allowed");
        return;
    case VAR_SET_DEFAULT:
    case VAR_RESET:
        j->plan->kind = GH_STMT_RESET;
        break;
    case VAR_SET_VALUE:
    default:
        j->plan->kind = GH_STMT_SET;
        break;
    }
    set_name(j, name);
    if (gh_setting_is_virtual(gh_str_of(name))) {
        take_virtual(j, v, name);
        return;
    }
    if (gh_setting_is_own(gh_str_of(name))) {
        take_own(j, v, name);
        return;
    }
    if (v->kind != VAR_SET_VALUE) {
        reset_setting(j, v, name);
        return;
    }
    value = setting_value(v->args);
    if (value == NULL) {
        gh_judge_refuse(j, GH_INVALID, "22023", -1, "invalid value for parameter \"%s\"", name);
        return;
    }
    j->rc = gh_setting_check(gh_str_of(name), gh_str_of(value), j->err);
    j->plan->value = gh_str_of(keep(j, gh_str_of(value)));
}

static void show_all(gh_judge *j)
{
    gh_str path = gh_setting_virtual_value(j->in, GH_STR("search_path"));
    char *where = gh_system_expand(j, "pg_catalog.lower(gh.name) IN (@settings, 'search_path')");

    if (where == NULL)
        return;
    send_text(j, gh_judge_printf("SELECT gh.name, CASE gh.name WHEN 'search_path' THEN %s ELSE "
                                 "pg_catalog.current_setting(gh.name) END AS setting, "
                                 "gh.short_desc AS description FROM pg_catalog.pg_settings AS gh "
                                 "WHERE %s ORDER BY pg_catalog.lower(gh.name)",
                                 gh_judge_literal(j, path), where));
    j->plan->tag = GH_STR("SHOW");
}

static void judge_show(gh_judge *j, const VariableShowStmt *v)
{
    char *name = lower(v->name);
    gh_str value = { NULL, 0 };

    set_name(j, name);
    j->plan->kind = GH_STMT_SHOW;
    if (strcmp(name, "all") == 0) {
        show_all(j);
        return;
    }
    if (gh_setting_is_own(gh_str_of(name))) {
        send_text(j, gh_judge_printf("SELECT pg_catalog.current_setting(%s) AS %s",
                                     gh_judge_literal(j, gh_str_of(own_name(name, false))),
                                     gh_judge_ident(j, gh_str_of(v->name))));
        j->plan->tag = GH_STR("SHOW");
        return;
    }
    if (!gh_setting_is_virtual(gh_str_of(name))) {
        if (!gh_setting_may_show(gh_str_of(name)))
            gh_setting_refuse_show(j, gh_str_of(v->name));
        return;
    }
    value = gh_setting_virtual_value(j->in, gh_str_of(name));
    send_text(j, gh_judge_printf("SELECT CAST(%s AS \"pg_catalog\".\"text\") AS %s",
                                 gh_judge_literal(j, value), gh_judge_ident(j, gh_str_of(name))));
    j->plan->tag = GH_STR("SHOW");
}

/* ---- COPY ------------------------------------------------------------------------------------ */

/* The grammar takes any word for an option, and a later server has more of them: ON_ERROR would skip
 * what cannot be read, LOG_VERBOSITY print it. */
static void judge_copy_option(gh_judge *j, const DefElem *d)
{
    static const char *const options[] = { "format",      "delimiter",      "null",
                                           "header",      "quote",          "escape",
                                           "force_quote", "force_not_null", "force_null" };

    for (size_t i = 0; i < GH_COUNT(options); i++) {
        if (strcmp(d->defname, options[i]) == 0)
            return;
    }
    /* What is copied is data, so any encoding that the session itself may have is fine. */
    if (strcmp(d->defname, "encoding") == 0 && d->arg != NULL && IsA(d->arg, String) &&
        gh_setting_is_safe_encoding(gh_str_of(strVal(d->arg))))
        return;
    if (strcmp(d->defname, "encoding") == 0 || strcmp(d->defname, "freeze") == 0)
        gh_judge_refuse(j, GH_DENIED, "42501", d->location, "COPY option \"%s\" is not allowed",
                        d->defname);
    else
        gh_judge_refuse(j, GH_INVALID, "42601", d->location, "option \"%s\" not recognized",
                        d->defname);
}

/* is_top: its answer is the client's, and may have a column more. */
static void judge_write(gh_judge *j, Node *n, size_t first, size_t end, bool is_top)
{
    if (is_top)
        j->plan->kind = GH_STMT_WRITE;
    if (IsA(n, InsertStmt))
        gh_judge_insert(j, (InsertStmt *)n, first, end, is_top);
    else if (IsA(n, UpdateStmt))
        gh_judge_update(j, (UpdateStmt *)n, first, end, is_top);
    else
        gh_judge_delete(j, (DeleteStmt *)n, first, end, is_top);
}

static bool has_returning(const Node *n)
{
    if (n == NULL)
        return false;
    if (IsA(n, InsertStmt))
        return ((const InsertStmt *)n)->returningList != NIL;
    if (IsA(n, UpdateStmt))
        return ((const UpdateStmt *)n)->returningList != NIL;
    return IsA(n, DeleteStmt) && ((const DeleteStmt *)n)->returningList != NIL;
}

/* COPY (UPDATE ... RETURNING ...) TO STDOUT: a check can stand only in a column that is copied anyway. */
static void judge_copied_write(gh_judge *j, const CopyStmt *c, size_t first)
{
    size_t close = first == SIZE_MAX ? SIZE_MAX : gh_sql_token_closing(j->text, first + 1);

    if (close == SIZE_MAX || c->query == NULL ||
        (!IsA(c->query, InsertStmt) && !IsA(c->query, UpdateStmt) && !IsA(c->query, DeleteStmt)))
        gh_judge_refuse(j, GH_DENIED, "42501", -1, "COPY of this statement is not allowed");
    else if (!has_returning(c->query)) /* nothing but the check would be copied */
        gh_judge_refuse(j, GH_INVALID, "0A000", -1, "COPY query must have a RETURNING clause");
    else
        judge_write(j, c->query, first + 2, close, false);
}

static void judge_copy(gh_judge *j, CopyStmt *c, size_t first)
{
    ListCell *cell;

    if (c->is_program || c->filename != NULL) {
        gh_judge_refuse(j, GH_DENIED, "42501", -1,
                        "COPY to or from a file or program is not allowed");
        return;
    }
    foreach (cell, c->options)
        judge_copy_option(j, lfirst_node(DefElem, cell));
    if (c->is_from) {
        j->plan->kind = GH_STMT_COPY_IN;
        gh_judge_copy_from(j, c);
        return;
    }
    j->plan->kind = GH_STMT_COPY_OUT;
    if (c->relation != NULL)
        gh_judge_copy_table(j, c);
    else if (c->query != NULL && IsA(c->query, SelectStmt))
        gh_judge_select(j, (SelectStmt *)c->query);
    else
        judge_copied_write(j, c, first);
}

/* ---- EXPLAIN, LISTEN and small ones ---------------------------------------------------------- */

static void judge_execute(gh_judge *j, ExecuteStmt *e)
{
    ListCell *cell;

    gh_judge_expr_list(j, e->params);
    foreach (cell, e->params) {
        if (j->rc == GH_OK && !gh_cast_may_be_argument(j, lfirst(cell)))
            gh_judge_refuse(
                j, GH_DENIED, "42501", -1,
                "argument %d of EXECUTE is not allowed to be cast: write it as a string",
                foreach_current_index(cell) + 1);
    }
    j->plan->kind = GH_STMT_EXECUTE;
    set_name(j, e->name);
}

/* sqlx asks so which columns of a prepared statement may be NULL. */
static void judge_explain_execute(gh_judge *j, const ExplainStmt *e)
{
    ListCell *cell;

    foreach (cell, e->options) {
        /* It would run what was prepared, whose answer is not this one. */
        if (strcmp(lfirst_node(DefElem, cell)->defname, "analyze") == 0)
            gh_judge_refuse(j, GH_DENIED, "42501", -1, "EXPLAIN ANALYZE EXECUTE is not allowed");
    }
    judge_execute(j, (ExecuteStmt *)e->query);
    j->plan->is_explained = true;
}

static void judge_explain(gh_judge *j, ExplainStmt *e)
{
    static const char *const options[] = { "analyze", "verbose", "costs",   "buffers",
                                           "wal",     "timing",  "summary", "format" };
    ListCell *cell;

    if ((gh_view_may(j->in->view) & GH_MAY_EXPLAIN) == 0) {
        gh_judge_refuse(j, GH_DENIED, "42501", -1, "EXPLAIN is not allowed");
        return;
    }
    foreach (cell, e->options) {
        const DefElem *d = lfirst_node(DefElem, cell);
        bool is_known = false;

        for (size_t i = 0; i < GH_COUNT(options); i++)
            is_known |= strcmp(d->defname, options[i]) == 0;
        if (!is_known)
            gh_judge_refuse(j, GH_DENIED, "42501", d->location,
                            "EXPLAIN option \"%s\" is not allowed", d->defname);
    }
    if (IsA(e->query, ExecuteStmt)) {
        judge_explain_execute(j, e);
        return;
    }
    if (!IsA(e->query, SelectStmt)) {
        gh_judge_refuse(j, GH_DENIED, "42501", -1, "EXPLAIN of this statement is not allowed");
        return;
    }
    j->plan->kind = GH_STMT_QUERY;
    gh_judge_select(j, (SelectStmt *)e->query);
}

static void judge_discard(gh_judge *j, const DiscardStmt *d)
{
    j->plan->kind = GH_STMT_DISCARD;
    j->plan->changes_temporary = d->target == DISCARD_ALL || d->target == DISCARD_TEMP;
    switch (d->target) {
    case DISCARD_ALL:
        set_name(j, "all");
        return;
    case DISCARD_PLANS:
        set_name(j, "plans");
        return;
    case DISCARD_SEQUENCES:
        set_name(j, "sequences");
        return;
    case DISCARD_TEMP:
        set_name(j, "temp");
        return;
    }
}

static void judge_notify(gh_judge *j, const char *what)
{
    j->plan->kind = GH_STMT_OTHER;
    if ((gh_view_may(j->in->view) & GH_MAY_NOTIFY) == 0)
        gh_judge_refuse(j, GH_DENIED, "42501", -1, "%s is not allowed", what);
}

/* ---- PREPARE, EXECUTE and cursors ------------------------------------------------------------- */

/* PREPARE name (types) AS statement: the inner statement's tokens begin behind AS. */
static void judge_prepare(gh_judge *j, PrepareStmt *p, size_t first, size_t end)
{
    size_t inner = first + 2;
    ListCell *cell;

    gh_oid *types = palloc0(((size_t)list_length(p->argtypes) + 1) * sizeof(*types));

    foreach (cell, p->argtypes) {
        TypeName *name = lfirst_node(TypeName, cell);

        types[foreach_current_index(cell)] = gh_infer_named_type(j, name);
        gh_judge_type(j, name);
        if (j->rc == GH_OK && types[foreach_current_index(cell)] == 0)
            gh_judge_refuse(j, GH_DENIED, "42501", name->location,
                            "this type of a parameter is not allowed");
    }
    j->prepared_types = types;
    j->prepared_count = (size_t)list_length(p->argtypes);
    if (p->argtypes != NIL)
        inner = gh_sql_token_closing(j->text, inner) + 1;
    inner++;
    if (!IsA(p->query, SelectStmt) && !IsA(p->query, InsertStmt) && !IsA(p->query, UpdateStmt) &&
        !IsA(p->query, DeleteStmt) && !IsA(p->query, MergeStmt)) {
        gh_judge_refuse(j, GH_DENIED, "42501", -1, "PREPARE of this statement is not allowed");
        return;
    }
    gh_judge_statement(j, &p->query, inner, end);
    j->plan->inner = j->plan->kind;
    j->plan->kind = GH_STMT_PREPARE;
    set_name(j, p->name);
}

static void judge_declare(gh_judge *j, DeclareCursorStmt *d)
{
    if (!IsA(d->query, SelectStmt)) {
        gh_judge_refuse(j, GH_DENIED, "42501", -1,
                        "DECLARE CURSOR of this statement is not allowed");
        return;
    }
    gh_judge_select(j, (SelectStmt *)d->query);
    j->plan->kind = GH_STMT_DECLARE;
    j->plan->inner = GH_STMT_QUERY;
    j->plan->is_held = (d->options & CURSOR_OPT_HOLD) != 0;
    set_name(j, d->portalname);
}

/* ---- the switch ------------------------------------------------------------------------------ */

/* Of CREATE TEMP VIEW the words between tell nothing yet. */
static bool is_between(const char *word)
{
    static const char *const words[] = { "temp",     "temporary", "local",   "global",
                                         "unlogged", "or",        "replace", "materialized",
                                         "unique",   "recursive", "create",  "alter",
                                         "drop",     "foreign",   "refresh" };

    for (size_t i = 0; i < GH_COUNT(words); i++) {
        if (strcmp(word, words[i]) == 0)
            return true;
    }
    return false;
}

static void refuse_kind(gh_judge *j, Node *stmt, size_t first)
{
    const gh_token *t = j->text->tokens;
    char name[96] = "this statement";
    size_t len = 0;

    for (size_t i = first; first != SIZE_MAX && i < j->text->token_count && i < first + 6; i++) {
        if (i > first &&
            (t[i].kind != GH_TOKEN_KEYWORD || (i > first + 1 && !is_between(t[i - 1].text))))
            break;
        len += (size_t)snprintf(name + len, sizeof(name) - len, "%s%.14s", i > first ? " " : "",
                                t[i].text);
    }
    for (char *p = name; *p != '\0' && len > 0; p++)
        *p = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
    gh_judge_refuse(j, GH_DENIED, "42501", -1, "%s is not allowed", name);
    gh_err_detail(j->err, "statement tag %d", (int)nodeTag(stmt));
}

/* A statement inside WITH stands in brackets behind the name of its CTE. */
void gh_judge_cte_statement(gh_judge *j, CommonTableExpr *c)
{
    size_t open = gh_judge_token(j, c->location);
    size_t close;

    if (open == SIZE_MAX)
        return;
    open++;
    if (c->aliascolnames != NIL)
        open = gh_sql_token_closing(j->text, open) + 1;
    while (open < j->text->token_count && strcmp(j->text->tokens[open].text, "(") != 0)
        open++;
    close = gh_sql_token_closing(j->text, open);
    if (close == SIZE_MAX || (!IsA(c->ctequery, InsertStmt) && !IsA(c->ctequery, UpdateStmt) &&
                              !IsA(c->ctequery, DeleteStmt))) {
        gh_judge_refuse(j, GH_DENIED, "42501", c->location,
                        "this statement in WITH is not allowed");
        return;
    }
    judge_write(j, c->ctequery, open + 1, close, false);
}

void gh_judge_statement(gh_judge *j, Node **stmt, size_t first, size_t end)
{
    Node *n = *stmt;

    switch (nodeTag(n)) {
    case T_SelectStmt:
        j->plan->kind = GH_STMT_QUERY;
        if (!gh_judge_select_into(j, (SelectStmt *)n))
            gh_judge_select(j, (SelectStmt *)n);
        return;
    case T_InsertStmt:
    case T_UpdateStmt:
    case T_DeleteStmt:
        judge_write(j, n, first, end, true);
        return;
    case T_MergeStmt:
        j->plan->kind = GH_STMT_WRITE;
        gh_judge_merge(j, (MergeStmt *)n, end);
        return;
    case T_TruncateStmt:
        j->plan->kind = GH_STMT_WRITE;
        gh_judge_truncate(j, (TruncateStmt *)n);
        return;
    case T_TransactionStmt:
        judge_transaction(j, (TransactionStmt *)n);
        return;
    case T_VariableSetStmt:
        judge_set(j, (VariableSetStmt *)n);
        return;
    case T_ConstraintsSetStmt: /* by name it would tell which there are */
        j->plan->kind = GH_STMT_OTHER;
        if (((const ConstraintsSetStmt *)n)->constraints != NIL)
            gh_judge_refuse(j, GH_DENIED, "42501", -1,
                            "SET CONSTRAINTS of other than ALL is not allowed");
        return;
    case T_VariableShowStmt:
        judge_show(j, (VariableShowStmt *)n);
        return;
    case T_CopyStmt:
        judge_copy(j, (CopyStmt *)n, first);
        return;
    case T_ExplainStmt:
        judge_explain(j, (ExplainStmt *)n);
        return;
    case T_DiscardStmt:
        judge_discard(j, (DiscardStmt *)n);
        return;
    case T_PrepareStmt:
        judge_prepare(j, (PrepareStmt *)n, first, end);
        return;
    case T_ExecuteStmt:
        judge_execute(j, (ExecuteStmt *)n);
        return;
    case T_DeclareCursorStmt:
        judge_declare(j, (DeclareCursorStmt *)n);
        return;
    case T_FetchStmt:
        j->plan->kind = GH_STMT_FETCH;
        set_name(j, ((FetchStmt *)n)->portalname);
        return;
    case T_ClosePortalStmt:
        j->plan->kind = GH_STMT_CLOSE;
        set_name(j, ((ClosePortalStmt *)n)->portalname);
        return;
    case T_DeallocateStmt:
        j->plan->kind = GH_STMT_DEALLOCATE;
        set_name(j, ((DeallocateStmt *)n)->name);
        return;
    case T_ListenStmt:
        judge_notify(j, "LISTEN");
        return;
    case T_UnlistenStmt:
        j->plan->kind = GH_STMT_OTHER;
        return;
    case T_NotifyStmt:
        judge_notify(j, "NOTIFY");
        return;
    default:
        if (!gh_judge_temporary(j, n))
            refuse_kind(j, n, first);
        return;
    }
}
