/*
 * Types and casts. A type of pg_catalog is known to everyone; any other exists for those who see a
 * column of it or to whom a grant names it. The reg* types are names of objects in disguise: a cast to one answers whether an
 * object exists, so they stand only over constants that name something visible.
 */
#include "allow.h"
#include "function_list.h"
#include "system_catalog.h"

static const char *const s_reg_types[] = { "regclass",      "regcollation", "regconfig",
                                           "regdictionary", "regnamespace", "regoper",
                                           "regoperator",   "regproc",      "regprocedure",
                                           "regrole",       "regtype" };

/* Types whose input tells of the server's objects or roles. */
static const char *const s_denied_types[] = { "aclitem",
                                              "pg_node_tree",
                                              "pg_ndistinct",
                                              "pg_dependencies",
                                              "pg_mcv_list",
                                              "pg_brin_bloom_summary",
                                              "pg_brin_minmax_multi_summary",
                                              "cstring",
                                              "internal" };

static bool is_listed(const char *const *list, size_t count, gh_str name)
{
    for (size_t i = 0; i < count; i++) {
        if (gh_str_is(name, list[i]))
            return true;
    }
    return false;
}

static bool is_reg_type(const gh_type *t)
{
    return gh_str_is(t->schema, "pg_catalog") &&
           is_listed(s_reg_types, GH_COUNT(s_reg_types), t->name);
}

/* The type behind arrays and domains. */
static const gh_type *innermost(const gh_catalog *c, const gh_type *t)
{
    for (int i = 0; t != NULL && i < 16; i++) {
        if (t->element != 0 && t->category == 'A')
            t = gh_catalog_type_by_oid(c, t->element);
        else
            return t;
    }
    return t;
}

/* The type of a table's rows, which names every column. */
static bool is_row_type(const gh_judge *j, const gh_type *t, const gh_relation **r)
{
    *r = t->relation != 0 ? gh_catalog_relation_by_oid(j->in->catalog, t->relation) : NULL;
    return t->relation != 0 && (*r == NULL || (*r)->kind != 'c');
}

/*
 * Then its type names nothing but what the catalogs show, whatever rows there are and how they are masked.
 *
 * SECURITY: nor a column that was added a moment ago. Attack: tests/attack/new_column.
 */
static bool shows_every_column(const gh_judge *j, const gh_relation *r)
{
    const gh_decision *d = gh_view_decide(j->in->view, j->in->catalog, r);

    return d->exists && d->is_named && d->column_count == r->column_count;
}

bool gh_type_is_visible(gh_judge *j, const gh_type *t)
{
    const gh_relation *r;

    t = innermost(j->in->catalog, t);
    if (t == NULL)
        return false;
    if (t->oid < GH_OID_MADE_MIN && t->kind != 'c')
        return !is_listed(s_denied_types, GH_COUNT(s_denied_types), t->name);
    if (is_row_type(j, t, &r))
        return r != NULL && !gh_str_is(r->schema, "pg_catalog") &&
               !gh_str_is(r->schema, "information_schema") && shows_every_column(j, r);
    return gh_system_type_is_visible(j, t->oid);
}

/* A view's author may name what the user does not know of: a type shows nothing of a table. */
static bool may_name(gh_judge *j, const gh_type *t)
{
    const gh_type *inner = innermost(j->in->catalog, t);

    return gh_type_is_visible(j, t) ||
           (j->view_depth > 0 && inner != NULL && inner->oid >= GH_OID_MADE_MIN);
}

/* By name as the client wrote it; NULL where it does not exist for the user. */
static const gh_type *find_type(gh_judge *j, gh_str schema, gh_str name)
{
    const gh_catalog *c = j->in->catalog;
    const gh_type *t;

    if (schema.len != 0) {
        t = gh_catalog_type(c, schema, name);
        return t != NULL && may_name(j, t) ? t : NULL;
    }
    t = gh_catalog_type(c, GH_STR("pg_catalog"), name);
    if (t != NULL)
        return gh_type_is_visible(j, t) ? t : NULL;
    for (size_t i = 0; i < j->in->search_path.count; i++) {
        t = gh_catalog_type(c, j->in->search_path.items[i], name);
        if (t != NULL && gh_type_is_visible(j, t))
            return t;
    }
    return NULL;
}

static void refuse_type(gh_judge *j, const TypeName *t)
{
    int parts = list_length(t->names);

    gh_judge_refuse(j, GH_DENIED, "42704", t->location, "type \"%s%s%s\" does not exist",
                    parts > 1 ? strVal(list_nth(t->names, parts - 2)) : "", parts > 1 ? "." : "",
                    strVal(list_nth(t->names, parts - 1)));
}

/* float(7): the grammar itself reads the number, and the type is another from 25 on. */
static bool is_float_of_precision(const gh_sql_text *text, const TypeName *t)
{
    size_t at = gh_sql_token_at(text, t->location);
    const gh_token *token = at != SIZE_MAX ? &text->tokens[at] : NULL;

    return token != NULL && token->kind == GH_TOKEN_KEYWORD && strcmp(token->text, "float") == 0 &&
           token[1].kind == GH_TOKEN_SELF && token[1].text[0] == '(';
}

/* Looks the type up and writes its schema; NULL after a refusal. */
static const gh_type *judge_type(gh_judge *j, TypeName *t)
{
    int parts = list_length(t->names);
    const gh_type *type;
    gh_str schema = { NULL, 0 };
    ListCell *cell;

    if (parts == 0 || t->pct_type || t->setof || parts > 2) {
        gh_judge_refuse(j, GH_DENIED, "42501", t->location,
                        "the statement uses a construct that is not allowed");
        return NULL;
    }
    foreach (cell, t->typmods)
        gh_judge_expr(j, (Node **)&lfirst(cell));
    j->reads_literal = j->reads_literal || is_float_of_precision(j->text, t);
    if (parts == 2)
        schema = gh_str_of(strVal(linitial(t->names)));
    type = find_type(j, schema, gh_str_of(strVal(llast(t->names))));
    if (type == NULL) {
        refuse_type(j, t);
        return NULL;
    }
    if (!gh_cast_may_check(j, type->oid, 0)) {
        gh_judge_refuse(j, GH_DENIED, "42501", t->location,
                        "type %s is not allowed here, since its checks call a function",
                        strVal(llast(t->names)));
        return NULL;
    }
    j->asks_statistics =
        j->asks_statistics ||
        (type->kind == 'd' && type->oid >= GH_OID_MADE_MIN); /* of its own collation */
    if (parts == 1) {
        size_t token = gh_judge_token(j, t->location);

        gh_judge_edit(j, token, token, gh_judge_printf("%s.", gh_judge_ident(j, type->schema)));
        t->names = list_make2(makeString(gh_judge_cstr(type->schema)), linitial(t->names));
    }
    return type;
}

bool gh_type_is_named(gh_judge *j, const TypeName *t)
{
    gh_str schema = { NULL, 0 };

    if (list_length(t->names) == 2)
        schema = gh_str_of(strVal(linitial(t->names)));
    return find_type(j, schema, gh_str_of(strVal(llast(t->names)))) != NULL;
}

/* The built-in type to which `name(x)` casts, where no function has that name. PostgreSQL does so by the type's
 * text alone, never by a cast that somebody made. */
const gh_type *gh_type_of_call(gh_judge *j, gh_str schema, gh_str name)
{
    const gh_type *type = find_type(j, schema, name);

    if (type == NULL || type->oid >= GH_OID_MADE_MIN || type->kind == 'c' ||
        type->category == 'A' || is_reg_type(innermost(j->in->catalog, type)))
        return NULL;
    return type;
}

void gh_judge_type(gh_judge *j, TypeName *t)
{
    const gh_type *type = judge_type(j, t);

    if (type != NULL && is_reg_type(innermost(j->in->catalog, type)))
        gh_judge_refuse(j, GH_DENIED, "42501", t->location, "type %s is not allowed here",
                        strVal(list_nth(t->names, list_length(t->names) - 1)));
}

/* ---- casts ----------------------------------------------------------------------------------- */

bool gh_type_split_name(const gh_judge *j, const char *s, char **schema, char **name)
{
    char *parts[3];
    int count = 0;

    for (;;) {
        char *out = palloc(strlen(s) + 1);
        size_t n = 0;

        if (count == 3)
            return false;
        if (*s == '"') {
            for (s++; *s != '\0'; s++) {
                if (*s == '"' && s[1] != '"')
                    break;
                if (*s == '"')
                    s++;
                out[n++] = *s;
            }
            if (*s != '"')
                return false;
            s++;
        } else {
            for (; *s != '\0' && *s != '.'; s++) {
                if (strchr("\" \t\n\r", *s) != NULL)
                    return false;
                out[n++] = (char)(*s >= 'A' && *s <= 'Z' ? *s + 32 : *s);
            }
        }
        out[n] = '\0';
        if (n == 0)
            return false;
        parts[count++] = out;
        if (*s == '\0')
            break;
        if (*s != '.')
            return false;
        s++;
    }
    if (count == 3 && !gh_str_is(j->in->database, parts[0]))
        return false;
    *name = parts[count - 1];
    *schema = count >= 2 ? parts[count - 2] : NULL;
    return true;
}

/* The relation that a regclass literal names, or NULL. Digits name it by OID. */
const gh_relation *gh_type_regclass(gh_judge *j, const char *text)
{
    gh_item item = { 0 };
    char *schema;
    char *name;

    if (text[0] != '\0' && strspn(text, "0123456789") == strlen(text)) {
        const gh_relation *r =
            gh_catalog_relation_by_oid(j->in->catalog, (gh_oid)strtoul(text, NULL, 10));

        if (r == NULL)
            r = gh_temporary_relation_by_oid(j, (gh_oid)strtoul(text, NULL, 10));
        return r != NULL && gh_relation_is_known(j, r) ? r : NULL;
    }
    if (!gh_type_split_name(j, text, &schema, &name))
        return NULL;
    item.var = makeNode(RangeVar);
    item.var->schemaname = schema;
    item.var->relname = name;
    return gh_relation_lookup(j, &item) && item.relation->oid != 0 ? item.relation : NULL;
}

char *gh_type_regclass_sql(gh_judge *j, const char *text)
{
    char *schema;
    char *name;

    if (!gh_type_split_name(j, text, &schema, &name)) {
        gh_judge_refuse(j, GH_DENIED, "42P01", -1, "relation \"%s\" does not exist", text);
        return NULL;
    }
    if (gh_function_is_one_too_many(j, -1))
        return NULL;
    return gh_reg_literal_class(j, text,
                                schema != NULL ? gh_judge_printf("%s.%s", schema, name) : name);
}

void gh_type_cast_literal(gh_judge *j, TypeCast *c, const char *sql)
{
    size_t token = gh_judge_token(j, ((const A_Const *)c->arg)->location);
    size_t first = gh_judge_token(j, c->typeName->location);
    const char *schema = gh_judge_printf("%s.", gh_judge_ident(j, GH_STR("pg_catalog")));
    char *prefix = gh_judge_printf("CAST(%s AS ", sql);
    const gh_edit *last = j->edit_count > 0 ? &j->edits[j->edit_count - 1].edit : NULL;

    if (last != NULL && last->first == first && last->end == first &&
        strcmp(last->text, schema) == 0) /* judge_type's, which is to stand behind ours */
        j->edit_count--;
    else
        last = NULL;
    gh_judge_edit(j, first, first, prefix);
    if (last != NULL)
        gh_judge_edit(j, first, first, schema);
    gh_judge_edit(j, token, token + 1, ")");
}

/* An index, perhaps: the catalog's picture holds none. */
static void judge_unknown_regclass(gh_judge *j, TypeCast *c)
{
    A_Const *arg = (A_Const *)c->arg;
    size_t token = gh_judge_token(j, arg->location);
    char *sql = gh_type_regclass_sql(j, strVal(&arg->val));

    if (sql == NULL)
        return;
    if (c->location < 0) /* regclass 'name' */
        gh_type_cast_literal(j, c, sql);
    else
        gh_judge_edit(j, token, token + 1, sql);
    c->arg = gh_judge_parse_expr(j, sql);
}

/* 'name'::regclass becomes '"schema"."name"'::regclass, so that no search_path is asked. */
static void judge_regclass(gh_judge *j, TypeCast *c)
{
    A_Const *arg = (A_Const *)c->arg;
    const gh_relation *r = gh_type_regclass(j, strVal(&arg->val));
    size_t token = gh_judge_token(j, arg->location);
    char *quoted;

    if (r == NULL) {
        judge_unknown_regclass(j, c);
        return;
    }
    quoted = gh_judge_printf("\"%s\".\"%s\"", gh_judge_cstr(r->schema), gh_judge_cstr(r->name));
    if (memchr(r->schema.ptr, '"', r->schema.len) != NULL ||
        memchr(r->name.ptr, '"', r->name.len) != NULL)
        quoted = gh_judge_printf("%u", r->oid);
    arg->val.sval.sval = quoted;
    gh_judge_edit(j, token, token + 1, gh_judge_literal(j, gh_str_of(quoted)));
}

/* 'name'::regnamespace likewise; false: no schema of the name shows. */
static bool judge_regnamespace(gh_judge *j, A_Const *arg)
{
    size_t token = gh_judge_token(j, arg->location);
    char *schema;
    char *name;
    gh_oid oid;

    if (strspn(strVal(&arg->val), "0123456789-") != 0 || /* a number, or none */
        !gh_type_split_name(j, strVal(&arg->val), &schema, &name) || schema != NULL)
        return false;
    oid = gh_catalog_schema(j->in->catalog, gh_str_of(name));
    if (!gh_system_schema_is_visible(j, oid))
        return false;
    arg->val.sval.sval = gh_judge_printf("%u", oid);
    gh_judge_edit(j, token, token + 1, gh_judge_literal(j, gh_str_of(arg->val.sval.sval)));
    return true;
}

/* One of PostgreSQL's own that is not to be cast to has a name and a number all the same. */
static const gh_type *type_of_name(gh_judge *j, gh_str schema, gh_str name)
{
    const gh_type *type = find_type(j, schema, name);

    if (type == NULL && (schema.len == 0 || gh_str_is(schema, "pg_catalog")))
        type = gh_catalog_type(j->in->catalog, GH_STR("pg_catalog"), name);
    return type != NULL && (type->oid < GH_OID_MADE_MIN || gh_type_is_visible(j, type)) ? type
                                                                                        : NULL;
}

/* The type that a text names as SQL does; it must be there for the user. NULL after a refusal. */
static const gh_type *type_of_text(gh_judge *j, const char *text)
{
    gh_sql_text parsed;
    gh_err ignored = { 0 };
    const SelectStmt *s;
    const TypeName *t;
    const gh_type *type = NULL;

    if (text[0] != '\0' && strspn(text, "0123456789") == strlen(text)) {
        type = gh_catalog_type_by_oid(j->in->catalog, (gh_oid)strtoul(text, NULL, 10));
        type = type != NULL && gh_type_is_visible(j, type) ? type : NULL;
    } else if (gh_sql_parse(gh_str_of(gh_judge_printf("SELECT NULL::%s", text)), &parsed,
                            &ignored) == GH_OK) {
        s = (const SelectStmt *)linitial_node(RawStmt, parsed.stmts)->stmt;
        if (list_length(parsed.stmts) == 1 && IsA(s, SelectStmt) &&
            list_length(s->targetList) == 1 &&
            IsA(linitial_node(ResTarget, s->targetList)->val, TypeCast)) {
            t = ((const TypeCast *)linitial_node(ResTarget, s->targetList)->val)->typeName;
            type = list_length(t->names) > 2
                       ? NULL
                       : type_of_name(j,
                                      list_length(t->names) == 2
                                          ? gh_str_of(strVal(linitial(t->names)))
                                          : GH_STR(""),
                                      gh_str_of(strVal(llast(t->names))));
            if (type != NULL && t->arrayBounds != NIL)
                type = gh_catalog_type_by_oid(j->in->catalog, type->array);
        }
    }
    if (type == NULL)
        gh_judge_refuse(j, GH_DENIED, "42704", -1, "type \"%s\" does not exist", text);
    return type;
}

/* 'type name'::regtype */
static void judge_regtype(gh_judge *j, A_Const *arg)
{
    size_t token = gh_judge_token(j, arg->location);
    const gh_type *type = type_of_text(j, strVal(&arg->val));

    if (type != NULL && !gh_str_is(type->schema, "pg_catalog")) {
        char *oid = gh_judge_printf("%u", type->oid);

        arg->val.sval.sval = oid;
        gh_judge_edit(j, token, token + 1, gh_judge_literal(j, gh_str_of(oid)));
    }
}

/* ---- arrays of names --------------------------------------------------------------------------- */

static const char *oid_of_name(gh_judge *j, const char *type, const char *text)
{
    const gh_relation *r;
    const gh_type *t;

    if (strcmp(type, "regtype") == 0) {
        t = type_of_text(j, text);
        return gh_judge_printf("%u", t != NULL ? t->oid : 0);
    }
    r = gh_type_regclass(j, text);
    if (r == NULL)
        gh_judge_refuse(j, GH_DENIED, "42P01", -1, "relation \"%s\" does not exist", text);
    return gh_judge_printf("%u", r != NULL ? r->oid : 0);
}

/* Bytes to where it ends; of one with escapes that is further than it gets. */
static size_t element_len(const char *s, bool is_quoted)
{
    size_t len = 0;

    while (s[len] != '\0' && (is_quoted ? s[len] != '"' : strchr(",{}\" \t\r\n", s[len]) == NULL))
        len += s[len] == '\\' && s[len + 1] != '\0' ? 2 : 1;
    return len;
}

/* One element of an array's text at *p, which ends behind its comma or bracket; NULL: no plain one. */
static char *array_element(const char **p)
{
    const char *s = *p + strspn(*p, " \t\r\n");
    bool is_quoted = *s == '"';
    size_t n = 0;
    char *out;

    s += is_quoted;
    out = palloc(element_len(s, is_quoted) + 1);
    for (; *s != '\0' && (is_quoted ? *s != '"' : strchr(",{}\" \t\r\n", *s) == NULL); s++) {
        if (*s == '\\' && *++s == '\0')
            return NULL;
        out[n++] = *s;
    }
    out[n] = '\0';
    if (is_quoted && *s++ != '"')
        return NULL;
    s += strspn(s, " \t\r\n");
    if ((*s != ',' && *s != '}') || n == 0 || (!is_quoted && strcasecmp(out, "null") == 0))
        return NULL;
    *p = s + 1;
    return out;
}

static void judge_text_array(gh_judge *j, const char *type, A_Const *arg)
{
    const char *text = strVal(&arg->val);
    const char *p = text + 1;
    size_t token = gh_judge_token(j, arg->location);
    const char *element = text;
    gh_buf out;

    if (text[0] != '{') {
        gh_judge_refuse(j, GH_DENIED, "22P02", -1, "malformed array literal: \"%s\"", text);
        return;
    }
    gh_buf_init(&out, 0);
    gh_buf_puts(&out, "{");
    while (j->rc == GH_OK && element != NULL && p[-1] != '}') {
        element = array_element(&p);
        if (element == NULL)
            break;
        gh_buf_puts(&out, out.len == 1 ? "" : ",");
        gh_buf_puts(&out, oid_of_name(j, type, element));
    }
    gh_buf_puts(&out, "}");
    arg->val.sval.sval = gh_judge_take(&out);
    if (element == NULL || *p != '\0') {
        gh_judge_refuse(j, GH_DENIED, "42501", arg->location, "type %s is not allowed here", type);
        return;
    }
    gh_judge_edit(j, token, token + 1, gh_judge_literal(j, gh_str_of(strVal(&arg->val))));
}

static bool is_text(const Node *n)
{
    const A_Const *c = (const A_Const *)n;

    return IsA(c, A_Const) && !c->isnull && IsA(&c->val, String);
}

/* '{int,text}'::regtype[] and ARRAY['a','b']::regclass[]: names that are written out, which become numbers. */
static bool judge_name_array(gh_judge *j, TypeCast *c)
{
    const char *type = c->typeName->names != NIL ? strVal(llast(c->typeName->names)) : "";
    const A_ArrayExpr *array = (const A_ArrayExpr *)c->arg;
    ListCell *cell;

    if (list_length(c->typeName->arrayBounds) != 1 ||
        (strcmp(type, "regtype") != 0 && strcmp(type, "regclass") != 0))
        return false;
    if (!is_text(c->arg)) {
        if (!IsA(array, A_ArrayExpr) || array->elements == NIL)
            return false;
        foreach (cell, array->elements) {
            if (!is_text(lfirst(cell)))
                return false;
        }
    }
    if (judge_type(j, c->typeName) == NULL)
        return true;
    j->reads_literal = true;
    if (is_text(c->arg)) {
        judge_text_array(j, type, (A_Const *)c->arg);
        return true;
    }
    foreach (cell, array->elements) {
        A_Const *arg = lfirst(cell);
        size_t token = gh_judge_token(j, arg->location);

        arg->val.sval.sval = pstrdup(oid_of_name(j, type, strVal(&arg->val)));
        gh_judge_edit(j, token, token + 1, gh_judge_literal(j, gh_str_of(strVal(&arg->val))));
    }
    return true;
}

static bool is_text_array(const gh_judge *j, const gh_type *type)
{
    const gh_type *element = gh_catalog_type_by_oid(j->in->catalog, type->element);

    return type->category == 'A' && element != NULL && element->category == 'S';
}

static void judge_plain_cast(gh_judge *j, TypeCast *c, const gh_type *type)
{
    size_t first;
    size_t end;
    gh_wrap w = gh_print_reg_cast(j, c, type, &first, &end);
    int parts = gh_print_parts(c->arg);

    gh_print_wrap(j, &w, first, end);
    gh_cast_judge(j, c, type->oid);
    j->takes_reg = true;
    gh_judge_expr(j, &c->arg);
    gh_print_place(j, &w, &c->arg);
    if (type->category == 'S' || is_text_array(j, type))
        gh_print_column(j, &c->arg, parts);
}

void gh_judge_cast(gh_judge *j, Node **slot)
{
    TypeCast *c = (TypeCast *)*slot;
    const gh_type *type;
    A_Const *arg = (A_Const *)c->arg;
    bool is_text_const;
    bool is_given = gh_reg_is_given(c->arg);

    if (judge_name_array(j, c) || gh_reg_judge_names(j, slot) || gh_print_reg_array(j, slot))
        return;
    type = judge_type(j, c->typeName);
    if (type == NULL)
        return;
    if (!is_reg_type(innermost(j->in->catalog, type))) {
        judge_plain_cast(j, c, type);
        return;
    }
    j->reads_literal = true;
    is_text_const = IsA(arg, A_Const) && !arg->isnull && IsA(&arg->val, String) &&
                    c->typeName->arrayBounds == NIL && type->category != 'A';
    if (is_text_const && gh_str_is(type->name, "regclass"))
        judge_regclass(j, c);
    else if (is_text_const && gh_str_is(type->name, "regtype"))
        judge_regtype(j, arg);
    else if (is_text_const && gh_str_is(type->name, "regnamespace") && judge_regnamespace(j, arg))
        return;
    else if (is_text_const && gh_text_search_is_name(type, strVal(&arg->val)))
        gh_text_search_literal(j, arg, gh_str_is(type->name, "regdictionary"));
    else
        gh_function_reg_cast(j, slot, type);
    if (is_given && !IsA(c->arg, A_Const))
        j->given = lappend(j->given, *slot);
}

/* Parameter types that Parse declares obey the same list. */
bool gh_type_param_is_allowed(gh_judge *j, gh_oid oid)
{
    const gh_type *t = oid == 0 ? NULL : gh_catalog_type_by_oid(j->in->catalog, oid);

    if (oid == 0 || oid == 705) /* not given, or `unknown` */
        return true;
    return t != NULL && gh_type_is_visible(j, t) && gh_cast_may_check(j, oid, 0) &&
           !is_reg_type(innermost(j->in->catalog, t));
}
