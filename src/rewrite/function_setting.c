/*
 * current_setting() and set_config(): of what SHOW and SET know alone.
 */
#include "allow.h"
#include "function_call.h"
#include "setting.h"
#include "system_catalog.h"

static bool is_true(const Node *n)
{
    return IsA(n, A_Const) && !((const A_Const *)n)->isnull &&
           IsA(&((const A_Const *)n)->val, Boolean) && ((const A_Const *)n)->val.boolval.boolval;
}

/* Is it a variable of the client's own? In a view or a policy it is not the client who asks. */
static bool is_own(const gh_judge *j, const Node *name)
{
    return gh_call_is_string(name) && gh_setting_is_own(gh_str_of(gh_call_string(name))) &&
           !j->is_policy && j->view_depth == 0;
}

/* The call names it as it is called upstream. */
static void name_own(gh_judge *j, gh_call *c)
{
    A_Const *name = linitial(c->f->args);
    gh_buf b;

    gh_buf_init(&b, 0);
    gh_setting_put_own(gh_str_of(gh_call_string((Node *)name)), false, &b);
    name->val.sval.sval = gh_judge_cstr(gh_buf_str(&b));
    gh_buf_fini(&b);
    gh_judge_edit(j, c->delimiters[0] + 1, c->delimiters[1],
                  gh_judge_literal(j, gh_str_of(name->val.sval.sval)));
    gh_call_qualify(j, c);
}

void gh_call_setting(gh_judge *j, Node **slot, gh_call *c)
{
    const Node *arg = linitial(c->f->args);
    gh_str name;

    if (is_own(j, arg)) {
        name_own(j, c);
        return;
    }
    if (!gh_call_is_string(arg)) {
        char *condition = gh_system_expand(j, "pg_catalog.lower(gh.a1) IN (@settings)");

        if (condition != NULL)
            gh_call_guard_argument(j, c, 0, "text", condition, "");
        return;
    }
    name = gh_str_of(gh_call_string(arg));
    /* Whether the upstream has it is nobody's business: as one that nobody knows. */
    if (!gh_setting_may_show(name) && c->args == 2 && is_true(lsecond(c->f->args))) {
        gh_call_replace(j, slot, c, "CAST(NULL AS pg_catalog.text)", "");
        return;
    }
    if (!gh_setting_may_show(name)) {
        gh_setting_refuse_show(j, name);
        return;
    }
    if (gh_setting_is_virtual(name)) {
        gh_str shown = gh_setting_virtual_value(j->in, name);

        gh_call_replace(j, slot, c,
                        gh_judge_printf("CAST(%s AS pg_catalog.text)", gh_judge_literal(j, shown)),
                        "");
        return;
    }
    gh_call_qualify(j, c);
}

/* Is the call all that its statement does, whatever its column is called? */
static bool is_whole_statement(const gh_judge *j, const gh_call *c)
{
    const gh_token *t = j->text->tokens;
    size_t end = c->delimiters[c->args] + 1;

    if (end + 1 < j->text->token_count && t[end].kind == GH_TOKEN_KEYWORD &&
        strcmp(t[end].text, "as") == 0)
        end += 2;
    else if (end < j->text->token_count && t[end].kind == GH_TOKEN_IDENT)
        end++;
    return gh_setting_is_statement(j->text, c->first, end);
}

static gh_str keep(gh_judge *j, const char *s)
{
    gh_str copy = gh_arena_dup(j->arena, gh_str_of(s));

    if (copy.ptr == NULL)
        gh_judge_refuse(j, GH_LIMIT, "54000", -1, "statement needs too much memory");
    return copy;
}

/* pg_dump asks for a setting by `SELECT set_config(name, ...) FROM pg_settings WHERE name = ...`, of which
 * no row shows: a computed name may stand, and fails where a row brings it to be evaluated. */
#define FAILS_IF_RUN                                                                               \
    "CASE WHEN gh.a1 IS NOT NULL THEN CAST(CAST('permission denied to set parameter ' || gh.a1 "   \
    "AS "                                                                                          \
    "pg_catalog.int4) AS pg_catalog.text) END"

/* `$1`, also `$1::text`, which is a string of which nothing is known before Bind; 0: it is not that. */
static uint16_t string_param(const gh_judge *j, const Node *n)
{
    const ParamRef *p = (const ParamRef *)n;
    gh_oid type;

    if (IsA(n, TypeCast)) {
        const TypeCast *cast = (const TypeCast *)n;
        const char *name = strVal(llast(cast->typeName->names));

        if (cast->typeName->arrayBounds != NIL || cast->typeName->typmods != NIL ||
            (strcmp(name, "text") != 0 && strcmp(name, "varchar") != 0))
            return 0;
        p = (const ParamRef *)cast->arg;
    }
    if (!IsA(p, ParamRef) || p->number < 1 || p->number > UINT16_MAX || !j->in->is_extended)
        return 0;
    type = gh_judge_param_type(j, p);
    return type == 0 || type == GH_OID_UNKNOWN || type == GH_OID_TEXT || type == GH_OID_VARCHAR
               ? (uint16_t)p->number
               : 0;
}

/* A plan tells the session of one setting. */
static bool sets_another(const gh_judge *j)
{
    return j->plan->kind == GH_STMT_SET;
}

/*
 * SECURITY: constants only, but for values of settings of which each is harmless, and for a value that is a parameter and is
 * looked at by gh_session_bind_value when it is bound. A computed name or value would be known
 * after the judgement, and a call that runs for some rows only would leave it open which value holds, where that matters.
 * Attack: tests/attack parser-and-server; tests/protocol/flow.
 */
static void set_config_bound(gh_judge *j, Node **slot, gh_call *c)
{
    const char *name = gh_call_string(linitial(c->f->args));
    const A_Const *is_local = lthird(c->f->args);
    bool is_path = gh_str_ieq(gh_str_of(name), GH_STR("search_path"));
    gh_rc rc = gh_setting_check_name(gh_str_of(name), j->err);

    if (rc != GH_OK) {
        j->rc = rc;
        return;
    }
    if ((gh_setting_is_virtual(gh_str_of(name)) && !is_path) || sets_another(j)) {
        gh_call_refuse(j, c);
        return;
    }
    j->plan->kind = GH_STMT_SET;
    j->plan->name = is_path ? GH_STR("search_path") : keep(j, name);
    j->plan->value_param = string_param(j, lsecond(c->f->args));
    j->plan->is_local = is_local->val.boolval.boolval;
    if (is_path)
        gh_call_replace(j, slot, c, "CAST(gh.a2 AS pg_catalog.text)", "");
    else
        gh_call_qualify(j, c);
}

/* Into the role that one has already, as SET ROLE; a parameter is looked at as that of set_config_bound is. */
static void set_role(gh_judge *j, Node **slot, gh_call *c, bool is_whole)
{
    const Node *value = lsecond(c->f->args);
    uint16_t param = is_whole ? string_param(j, value) : 0;

    if (param != 0 && (j->plan->role_param == 0 || j->plan->role_param == param))
        j->plan->role_param = param;
    else if (!gh_call_is_string(value) ||
             !gh_setting_is_own_role(gh_view_user(j->in->view), gh_str_of(gh_call_string(value)))) {
        gh_judge_refuse(j, GH_DENIED, "42501", -1, "permission denied to set parameter \"role\"");
        return;
    }
    gh_call_replace(j, slot, c, "CAST(gh.a2 AS pg_catalog.text)", "");
}

void gh_call_set_config(gh_judge *j, Node **slot, gh_call *c)
{
    const Node *name = linitial(c->f->args);
    const Node *new_value = lsecond(c->f->args);
    const Node *is_local = lthird(c->f->args);
    bool is_whole = IsA(is_local, A_Const) && IsA(&((const A_Const *)is_local)->val, Boolean) &&
                    gh_call_is_string(name) && is_whole_statement(j, c);
    gh_rc rc;

    if (is_own(j, name)) {
        j->plan->names_setting = true;
        name_own(j, c);
        return;
    }
    if (gh_call_is_string(name) && gh_str_ieq(gh_str_of(gh_call_string(name)), GH_STR("role"))) {
        set_role(j, slot, c, is_whole);
        return;
    }
    if (!gh_call_is_string(name) && gh_call_is_string(new_value)) {
        gh_call_replace(j, slot, c, FAILS_IF_RUN, "");
        return;
    }
    if (gh_call_is_string(name) && !gh_call_is_string(new_value) && IsA(is_local, A_Const) &&
        gh_setting_is_free(gh_str_of(gh_call_string(name)))) { /* whatever it turns out to be */
        gh_call_qualify(j, c);
        return;
    }
    if (is_whole && string_param(j, new_value) != 0) {
        set_config_bound(j, slot, c);
        return;
    }
    if (!gh_call_is_string(name) || !gh_call_is_string(new_value) || !IsA(is_local, A_Const) ||
        !IsA(&((const A_Const *)is_local)->val, Boolean) ||
        (!is_whole && !gh_setting_is_free(gh_str_of(gh_call_string(name))))) {
        gh_call_refuse(j, c);
        return;
    }
    rc = gh_setting_check(gh_str_of(gh_call_string(name)), gh_str_of(gh_call_string(new_value)),
                          j->err);
    if (rc != GH_OK) {
        j->rc = rc;
        return;
    }
    if (!gh_setting_is_virtual(gh_str_of(gh_call_string(name)))) {
        gh_call_qualify(j, c);
        return;
    }
    if (sets_another(j)) {
        gh_call_refuse(j, c);
        return;
    }
    j->plan->kind = GH_STMT_SET;
    j->plan->name = GH_STR("search_path");
    j->plan->value = keep(j, gh_call_string(new_value));
    j->plan->is_local = ((const A_Const *)is_local)->val.boolval.boolval;
    gh_call_replace(j, slot, c,
                    gh_judge_printf("CAST(%s AS pg_catalog.text)",
                                    gh_judge_literal(j, gh_str_of(gh_call_string(new_value)))),
                    "");
}
