/*
 * Names of objects as a client's search_path prints them. The upstream's own path holds pg_catalog alone, so
 * what it prints of other schemas is qualified; PostgreSQL would leave out the schema of what the path finds:
 *
 *     format_type(oid of public.status)      public.status                          ─▶ status
 *     'public.orders'::regclass::text        public.orders                          ─▶ orders
 *     pg_get_constraintdef(a foreign key)    FOREIGN KEY (a) REFERENCES public.b(c) ─▶ ... REFERENCES b(c)
 *     pg_get_expr(a default)                 nextval('public.s'::regclass)          ─▶ nextval('s'::regclass)
 *
 * Object-relational mappers compare these with the names that they know. And some columns hold less than what
 * PostgreSQL shows of them, since their types would let a client ask more (reg_value.c); where they are
 * printed, and nothing else can be done with them, they show as they should:
 *
 *     pg_type.typinput    OID of a function of initdb     ─▶ its name
 *     pg_class.relacl     rights of the role @owner       ─▶ text, in which the role goes by the user's name
 *     pg_class.*          both, where no part of the statement reads them but the star of the final result
 */
#include "fence.h"
#include "system_catalog.h"

static bool is_in_path(const gh_judge *j, gh_str name)
{
    for (size_t i = 0; i < j->in->search_path.count; i++) {
        if (gh_str_eq(j->in->search_path.items[i], name))
            return true;
    }
    return false;
}

/* Does the path find something else by the name of a relation or type of this schema? */
static bool is_shadowed(gh_judge *j, gh_str schema)
{
    const gh_catalog *c = j->in->catalog;
    size_t count;
    const gh_type *const *types = gh_catalog_types(c, &count);

    for (size_t i = 0; i < count; i++) {
        const gh_type *t = types[i];

        if (!gh_str_eq(t->schema, schema) || t->category == 'A' || !gh_type_is_visible(j, t))
            continue;
        if (gh_catalog_type(c, GH_STR("pg_catalog"), t->name) != NULL)
            return true;
        for (size_t k = 0; k < j->in->search_path.count; k++) {
            gh_str other = j->in->search_path.items[k];

            if (!gh_str_eq(other, schema) && gh_catalog_type(c, other, t->name) != NULL)
                return true;
        }
    }
    return false;
}

static void put_escaped(gh_buf *b, gh_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c >= 0x80;

        if (c == '"')
            gh_buf_puts(b, "\"");
        if (!is_plain && !(c >= 'A' && c <= 'Z'))
            gh_buf_puts(b, "\\");
        gh_buf_put_u8(b, c);
    }
}

/* A regular expression of the schemas whose names are left out, quoted or not, with the dot; NULL: none. */
static const char *path_pattern(gh_judge *j)
{
    const char *out = NULL;
    gh_buf b;

    gh_buf_init(&b, 0);
    for (size_t i = 0; i < j->in->search_path.count; i++) {
        gh_str name = j->in->search_path.items[i];

        if (gh_str_is(name, "pg_catalog") || gh_str_is(name, "information_schema") ||
            !gh_system_schema_is_visible(j, gh_catalog_schema(j->in->catalog, name)) ||
            !is_in_path(j, name) || is_shadowed(j, name))
            continue;
        gh_buf_puts(&b, b.len == 0 ? "(?:" : "|");
        gh_buf_puts(&b, "\"?");
        put_escaped(&b, name);
        gh_buf_puts(&b, "\"?");
    }
    if (b.len != 0 && !b.failed) {
        gh_buf_puts(&b, ")[.]");
        out = gh_judge_cstr(gh_buf_str(&b));
    }
    gh_buf_fini(&b);
    return out;
}

/* ---- wraps ---------------------------------------------------------------------------------------- */

/* What stands before a name in what a function prints: a regular expression with one group, which is kept. */
static const char *before_name(const char *function)
{
    if (strcmp(function, "format_type") == 0)
        return "^()";
    if (strcmp(function, "pg_get_constraintdef") == 0)
        return "^(FOREIGN KEY [(].*[)] REFERENCES )";
    /* of an expression, what cannot be within a string: a sequence, or the type of a constant */
    return strcmp(function, "pg_get_expr") == 0 ||
                   strcmp(function, "pg_get_function_arg_default") == 0
               ? "^(nextval[(]'|'[^']*'::)"
               : NULL;
}

gh_wrap gh_print_call(gh_judge *j, const char *function)
{
    const char *before = before_name(function);
    const char *path = before != NULL ? path_pattern(j) : NULL;

    if (path == NULL)
        return (gh_wrap){ 0 };
    return (gh_wrap){
        .prefix = "(SELECT pg_catalog.regexp_replace(",
        .suffix =
            gh_judge_printf(", %s, %s) AS \"%s\")",
                            gh_judge_literal(j, gh_str_of(gh_judge_printf("%s%s", before, path))),
                            gh_judge_literal(j, GH_STR("\\1")), function),
    };
}

const char *gh_print_default(gh_judge *j, const char *function, const char *column)
{
    gh_wrap w = gh_print_call(j, function);

    return w.prefix == NULL ? gh_judge_printf("gh.%s", column)
                            : gh_judge_printf("CAST(%sCAST(gh.%s AS pg_catalog.text)%s AS "
                                              "information_schema.character_data)",
                                              w.prefix, column, w.suffix);
}

/* What of the text of a reg* type is replaced: the schema, or the whole name of a role. NULL: nothing. */
static const char *reg_pattern(gh_judge *j, const TypeName *n, const char **with)
{
    static const char *const names[] = { "regclass", "regtype", "regproc", "regprocedure" };
    const char *name = n->arrayBounds == NIL && n->names != NIL ? strVal(llast(n->names)) : "";

    *with = "''";
    if (strcmp(name, "regrole") == 0) {
        *with = gh_judge_printf("pg_catalog.replace(pg_catalog.quote_ident(%s), '\\', '\\\\')",
                                gh_judge_literal(j, gh_view_user(j->in->view)));
        return "^" GH_SYSTEM_OWNER "$";
    }
    for (size_t i = 0; i < GH_COUNT(names); i++) {
        const char *path = strcmp(name, names[i]) == 0 ? path_pattern(j) : NULL;

        if (path != NULL)
            return gh_judge_printf("^%s", path);
    }
    return NULL;
}

static gh_wrap text_wrap(gh_judge *j, const char *pattern, const char *with, const char *column)
{
    return (gh_wrap){
        .prefix = "(SELECT pg_catalog.regexp_replace(CAST((",
        .suffix = gh_judge_printf(") AS pg_catalog.text), %s, %s) AS %s)",
                                  gh_judge_literal(j, gh_str_of(pattern)), with,
                                  gh_judge_ident(j, gh_str_of(column))),
    };
}

typedef struct gh_reach_set {
    const gh_catalog *catalog;
    bool is_found;
} gh_reach_set;

/* Rows of a set would be those of the sub-select. */
static void find_set(struct Node **slot, void *arg)
{
    gh_reach_set *r = arg;
    const FuncCall *f = (const FuncCall *)*slot;
    size_t count = 0;
    const gh_function *const *all =
        IsA(f, FuncCall)
            ? gh_catalog_functions(r->catalog, gh_str_of(strVal(llast(f->funcname))), &count)
            : NULL;

    for (size_t i = 0; i < count; i++)
        r->is_found = r->is_found || all[i]->returns_set;
    if (!gh_sql_children(*slot, find_set, arg))
        r->is_found = true;
}

/* pg_typeof(x), whose value is a regtype. */
static bool is_type_of(const gh_judge *j, Node *n)
{
    const FuncCall *f = (const FuncCall *)n;
    gh_reach_set r = { .catalog = j->in->catalog };
    size_t count;

    if (!IsA(f, FuncCall) || strcmp(strVal(llast(f->funcname)), "pg_typeof") != 0 ||
        list_length(f->args) != 1)
        return false;
    (void)gh_catalog_functions(j->in->catalog, GH_STR("pg_typeof"), &count);
    find_set((struct Node **)&n, &r);
    return count == 1 && !r.is_found;
}

gh_wrap gh_print_reg_cast(gh_judge *j, const TypeCast *c, const gh_type *target, size_t *first,
                          size_t *end)
{
    size_t cast = c->location < 0 ? SIZE_MAX : gh_sql_token_at(j->text, c->location);
    TypeName *type = makeNode(TypeName);
    const char *with;
    const char *pattern;

    *first = SIZE_MAX;
    *end = cast;
    if (target->category != 'S' || cast == SIZE_MAX ||
        !(IsA(c->arg, TypeCast) || is_type_of(j, c->arg)))
        return (gh_wrap){ 0 };
    if (strcmp(j->text->tokens[cast].text, "::") == 0) {
        *first = gh_function_operand_start(j, c->arg, cast);
    } else if (strcmp(j->text->tokens[cast].text, "cast") == 0) { /* CAST ( operand AS type ) */
        *first = cast + 2;
        *end = gh_sql_token_at(j->text, c->typeName->location) - 1;
    }
    if (!IsA(c->arg, TypeCast))
        type->names = list_make1(makeString(pstrdup("regtype")));
    else
        type = ((const TypeCast *)c->arg)->typeName;
    pattern = *first == SIZE_MAX ? NULL : reg_pattern(j, type, &with);
    return pattern == NULL ? (gh_wrap){ 0 }
                           : text_wrap(j, pattern, with, gh_function_column_name(c->arg, target));
}

gh_wrap gh_print_role(gh_judge *j, const Node *n, size_t *first, size_t *end)
{
    const TypeCast *c = (const TypeCast *)n;
    const gh_type *type = gh_catalog_type(j->in->catalog, GH_STR("pg_catalog"), GH_STR("regrole"));
    const char *with;
    const char *pattern;
    size_t cast;

    *first = SIZE_MAX;
    *end = SIZE_MAX;
    if (n == NULL || !IsA(n, TypeCast) || type == NULL || gh_reg_of_cast(j, c, end) == NULL ||
        *end == SIZE_MAX || strcmp(strVal(llast(c->typeName->names)), "regrole") != 0)
        return (gh_wrap){ 0 };
    cast = gh_sql_token_at(j->text, c->location);
    *first = cast;
    if (cast != SIZE_MAX && strcmp(j->text->tokens[cast].text, "::") == 0)
        *first = gh_function_operand_start(j, c->arg, cast);
    pattern = *first == SIZE_MAX ? NULL : reg_pattern(j, c->typeName, &with);
    return pattern == NULL ? (gh_wrap){ 0 }
                           : text_wrap(j, pattern, with, gh_function_column_name(c->arg, type));
}

/* The token behind the type's name and its brackets. */
size_t gh_print_type_end(const gh_judge *j, const TypeName *n)
{
    const gh_sql_text *t = j->text;
    size_t i = gh_sql_token_at(t, n->location);

    if (i == SIZE_MAX)
        return SIZE_MAX;
    i += 2 * (size_t)list_length(n->names) - 1;
    if (i < t->token_count && strcmp(t->tokens[i].text, "array") == 0)
        i++;
    while (i < t->token_count && strcmp(t->tokens[i].text, "[") == 0) {
        i = gh_sql_token_closing(t, i);
        if (i == SIZE_MAX)
            return SIZE_MAX;
        i++;
    }
    return i;
}

/* An element, as text, if it may be seen. */
static const char *element_sql(gh_judge *j, const char *type)
{
    static const struct {
        const char *type;
        const char *guard;
    } guards[] = {
        { "regclass", "@rel(ge.o)" },        { "regtype", "@type(ge.o)" },
        { "regproc", "@func(ge.o)" },        { "regprocedure", "@func(ge.o)" },
        { "regnamespace", "@schema(ge.o)" },
    };
    const char *path = path_pattern(j);

    for (size_t i = 0; i < GH_COUNT(guards); i++) {
        const char *text;

        if (strcmp(type, guards[i].type) != 0)
            continue;
        text = gh_judge_printf("CAST(CAST(ge.o AS pg_catalog.%s) AS pg_catalog.text)", type);
        if (path != NULL)
            text = gh_judge_printf("pg_catalog.regexp_replace(%s, %s, '')", text,
                                   gh_judge_literal(j, gh_str_of(gh_judge_printf("^%s", path))));
        return gh_judge_printf("CASE WHEN %s THEN %s END", gh_system_expand(j, guards[i].guard),
                               text);
    }
    return NULL;
}

/*
 * p.proargtypes::regtype[]  ─▶  the names, as text[]: nothing can take over a type that is not there.
 * SECURITY: from OIDs alone; text would be read as names. Attack: tests/attack reg-values.
 */
bool gh_print_reg_array(gh_judge *j, Node **slot)
{
    TypeCast *c = (TypeCast *)*slot;
    int parts = list_length(c->typeName->names);
    const gh_type *type = parts == 1 || (parts == 2 && strcmp(strVal(linitial(c->typeName->names)),
                                                              "pg_catalog") == 0)
                              ? gh_catalog_type(j->in->catalog, GH_STR("pg_catalog"),
                                                gh_str_of(strVal(llast(c->typeName->names))))
                              : NULL;
    size_t cast = c->location < 0 ? SIZE_MAX : gh_sql_token_at(j->text, c->location);
    const char *element = gh_reg_is(type) && list_length(c->typeName->arrayBounds) == 1 &&
                                  !IsA(c->arg, A_Const) && !IsA(c->arg, ParamRef)
                              ? element_sql(j, strVal(llast(c->typeName->names)))
                              : NULL;
    size_t after = element == NULL ? SIZE_MAX : gh_print_type_end(j, c->typeName);
    const char *name;
    gh_wrap w;

    if (after == SIZE_MAX || cast == SIZE_MAX || j->rc != GH_OK)
        return false;
    name = gh_judge_ident(j, gh_str_of(gh_function_column_name(c->arg, type)));
    w.prefix = "(SELECT CASE WHEN gr.a IS NOT NULL THEN ARRAY(SELECT ";
    w.prefix = gh_judge_printf("%s%s FROM pg_catalog.unnest(gr.a) WITH ORDINALITY AS ge (o, n) "
                               "ORDER BY ge.n) END AS %s FROM "
                               "(SELECT CAST((",
                               w.prefix, element, name);
    w.suffix = ") AS pg_catalog.oid[]) OFFSET 0) AS gr (a))";
    if (strcmp(j->text->tokens[cast].text, "::") == 0) {
        size_t first = gh_function_operand_start(j, c->arg, cast);

        if (first == SIZE_MAX)
            return false;
        gh_judge_edit(j, first, first, w.prefix);
        gh_judge_edit(j, cast, after, w.suffix);
    } else if (strcmp(j->text->tokens[cast].text, "cast") == 0) { /* CAST ( operand AS type ) */
        size_t as = gh_sql_token_at(j->text, c->typeName->location) - 1;

        gh_judge_edit(j, cast, cast + 2, w.prefix);
        gh_judge_edit(j, as, after + 1, w.suffix);
    } else {
        return false;
    }
    j->takes_reg = false;
    gh_judge_expr(j, &c->arg);
    *slot = c->arg;
    gh_print_place(j, &w, slot);
    return true;
}

void gh_print_wrap(gh_judge *j, const gh_wrap *w, size_t first, size_t end)
{
    if (w->prefix == NULL || j->rc != GH_OK)
        return;
    gh_judge_edit(j, first, first, w->prefix);
    gh_judge_edit(j, end, end, w->suffix);
}

void gh_print_place(gh_judge *j, const gh_wrap *w, Node **slot)
{
    Node *built;

    if (w->prefix == NULL || j->rc != GH_OK)
        return;
    built = gh_function_build(j, gh_judge_printf("%s$1%s", w->prefix, w->suffix), *slot);
    if (built != NULL)
        *slot = built;
}

/* ---- columns -------------------------------------------------------------------------------------- */

/* A role as aclitem's output function writes it. */
static char *acl_role(gh_str name)
{
    bool is_plain = name.len != 0;
    char *out = palloc(2 * name.len + 3);
    size_t n = 0;

    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];

        is_plain = is_plain && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                (c >= '0' && c <= '9') || c == '_');
    }
    if (!is_plain)
        out[n++] = '"';
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"')
            out[n++] = '"';
        out[n++] = name.ptr[i];
    }
    if (!is_plain)
        out[n++] = '"';
    out[n] = '\0';
    return out;
}

/* One item a privilege (system_catalog.c) becomes one of all: {16383=r/16383,16383=w/16383} ─▶ {ann=rw/ann}. */
static gh_wrap acl_wrap(gh_judge *j, const gh_column *c)
{
    gh_str role = gh_str_of(acl_role(gh_view_user(j->in->view)));
    const char *before =
        gh_judge_literal(j, gh_str_of(gh_judge_printf(GH_STR_FMT "=", GH_STR_ARG(role))));
    const char *after =
        gh_judge_literal(j, gh_str_of(gh_judge_printf("/" GH_STR_FMT, GH_STR_ARG(role))));

    return (gh_wrap){
        .prefix = gh_judge_printf(
            "(SELECT CASE WHEN pg_catalog.count(*) > 0 THEN ARRAY[%s || pg_catalog.string_agg("
            "pg_catalog.split_part(pg_catalog.split_part(CAST(gx.x AS pg_catalog.text), '=', 2), "
            "'/', 1), "
            "'') || %s] END AS %s FROM pg_catalog.unnest(",
            before, after, gh_judge_ident(j, c->name)),
        .suffix = ") AS gx (x))",
    };
}

gh_wrap gh_print_system_column(gh_judge *j, const gh_relation *r, const gh_column *c)
{
    if (!gh_str_is(r->schema, "pg_catalog"))
        return (gh_wrap){ 0 };
    if (c->type_oid == GH_OID_REGPROC)
        return (gh_wrap){ .prefix = "CAST(", .suffix = " AS pg_catalog.regproc)" };
    if (c->type_oid == GH_OID_ACL_ARRAY &&
        (gh_str_is(r->name, "pg_class") || gh_str_is(r->name, "pg_namespace")))
        return acl_wrap(j, c);
    return (gh_wrap){ 0 };
}

int gh_print_parts(const Node *n)
{
    return n != NULL && IsA(n, ColumnRef) ? list_length(((const ColumnRef *)n)->fields) : 0;
}

void gh_print_column(gh_judge *j, Node **slot, int parts)
{
    const ColumnRef *ref = (const ColumnRef *)*slot;
    gh_item *item = NULL;
    const gh_column *c;
    size_t first;
    size_t end;
    gh_wrap w;

    if (j->rc != GH_OK || parts == 0 || !IsA(ref, ColumnRef) || ref->location < 0)
        return;
    c = gh_judge_bind(j, ref, &item);
    first = gh_sql_token_at(j->text, ref->location);
    if (c == NULL || item->system == NULL || item->block != j->block || first == SIZE_MAX)
        return;
    w = gh_print_system_column(j, item->relation, c);
    if (w.prefix == NULL)
        return;
    end = first + 2 * (size_t)parts - 1;
    gh_print_wrap(j, &w, first, end);
    gh_print_place(j, &w, slot);
}
