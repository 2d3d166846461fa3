/*
 * Statements that make, change and drop temporary tables. Whatever a client calls the table, it is
 * sent as "pg_temp"."name", so what comes into being is the session's own and ends with it; nothing
 * permanent can come of any of these. Expressions in defaults, checks, generated columns and
 * indexes go through the same judge as those of a query.
 *
 *     CREATE TEMP TABLE t (id serial, region text DEFAULT lower('EU'), LIKE sales.orders)
 *       t                 → "pg_temp"."t"
 *       lower             → "pg_catalog".lower
 *       LIKE sales.orders → the visible columns with their types, unless all of it is visible
 *
 * What is not about a temporary table is not judged here but refused by its kind, hidden and absent
 * names alike.
 */
#include "default.h"

/* pg_class.relpersistence */
#define TEMPORARY 't'
#define PERMANENT 'p'

/* ---- names ----------------------------------------------------------------------------------- */

/* Writes the name of a relation as it is sent. */
static void place_name(gh_judge *j, RangeVar *v, gh_str schema, gh_str name)
{
    size_t token = gh_judge_token(j, v->location);
    size_t len = 1 + (v->schemaname != NULL ? 2u : 0u) + (v->catalogname != NULL ? 2u : 0u);

    v->catalogname = NULL;
    v->schemaname = gh_judge_cstr(schema);
    if (token != SIZE_MAX)
        gh_judge_edit(j, token, token + len,
                      gh_judge_printf("%s.%s", gh_judge_ident(j, schema), gh_judge_ident(j, name)));
}

/* The relation that the name means to the client; NULL: none that it may know of. */
static const gh_relation *find(gh_judge *j, RangeVar *v)
{
    gh_item probe = { .var = v };

    if (v->catalogname != NULL && !gh_str_is(j->in->database, v->catalogname))
        return NULL;
    if (!gh_relation_lookup(j, &probe))
        return NULL;
    return probe.relation;
}

/* An index is no relation that a query may name. */
static const gh_relation *find_index(const gh_judge *j, const RangeVar *v)
{
    const gh_relation *r =
        v->schemaname == NULL || gh_temporary_is_schema(j, gh_str_of(v->schemaname))
            ? gh_temporary_relation(j, gh_str_of(v->relname))
            : NULL;

    return r != NULL && r->kind == 'i' ? r : NULL;
}

/* Announced, its columns not known, and what the name means. */
static bool is_unknown(const gh_judge *j, const RangeVar *v)
{
    if (!gh_temporary_is_unknown(j, gh_str_of(v->relname)) || v->catalogname != NULL)
        return false;
    if (v->schemaname != NULL)
        return gh_temporary_is_schema(j, gh_str_of(v->schemaname));
    for (size_t i = 0; i < j->in->search_path.count; i++) {
        if (gh_temporary_is_schema(j, j->in->search_path.items[i]))
            return false; /* another relation may come first */
    }
    return true;
}

bool gh_judge_unknown_relation(gh_judge *j, RangeVar *v)
{
    if (!is_unknown(j, v))
        return false;
    place_name(j, v, GH_STR(GH_TEMPORARY_SCHEMA), gh_str_of(v->relname));
    return true;
}

/* An existing temporary relation, its name placed; false: the name means no such thing. */
static bool place_existing(gh_judge *j, RangeVar *v)
{
    const gh_relation *r = find(j, v);

    if (r == NULL && gh_judge_unknown_relation(j, v))
        return true;
    if (r == NULL)
        r = find_index(j, v);
    if (r == NULL || !r->is_temporary)
        return false;
    place_name(j, v, r->schema, r->name);
    return true;
}

/* Would CREATE of this name make something temporary? */
static bool is_new_temporary(const gh_judge *j, const RangeVar *v)
{
    if (v->relpersistence == TEMPORARY)
        return true;
    if (v->relpersistence != PERMANENT)
        return false;
    if (v->schemaname != NULL)
        return gh_temporary_is_schema(j, gh_str_of(v->schemaname));
    return j->in->search_path.count > 0 && gh_temporary_is_schema(j, j->in->search_path.items[0]);
}

static void place_new(gh_judge *j, RangeVar *v)
{
    size_t count = 0;

    if (v->catalogname != NULL && !gh_str_is(j->in->database, v->catalogname)) {
        gh_judge_refuse(j, GH_INVALID, "0A000", v->location,
                        "cross-database references are not implemented: \"%s.%s.%s\"",
                        v->catalogname, v->schemaname, v->relname);
        return;
    }
    if (v->schemaname != NULL && !gh_temporary_is_schema(j, gh_str_of(v->schemaname))) {
        gh_judge_refuse(j, GH_INVALID, "42P16", v->location,
                        "cannot create temporary relation in non-temporary schema");
        return;
    }
    if (j->in->temporary != NULL)
        (void)gh_catalog_relations(j->in->temporary, &count);
    if (count >= GH_SESSION_TEMPORARY_MAX) {
        gh_judge_refuse(j, GH_LIMIT, "54000", v->location,
                        "more than %d temporary relations in one session",
                        GH_SESSION_TEMPORARY_MAX);
        return;
    }
    place_name(j, v, GH_STR(GH_TEMPORARY_SCHEMA), gh_str_of(v->relname));
}

static void refuse_part(gh_judge *j, int location, const char *what)
{
    gh_judge_refuse(j, GH_DENIED, "42501", location, "%s is not allowed for a temporary table",
                    what);
}

/* ---- options --------------------------------------------------------------------------------- */

static void judge_storage(gh_judge *j, const List *options)
{
    static const char *const known[] = { "fillfactor", "autovacuum_enabled", "oids",
                                         "parallel_workers" };
    ListCell *cell;

    foreach (cell, options) {
        const DefElem *d = lfirst_node(DefElem, cell);
        bool is_known = false;

        for (size_t i = 0; i < GH_COUNT(known); i++)
            is_known |= strcmp(d->defname, known[i]) == 0;
        if (!is_known || d->defnamespace != NULL)
            refuse_part(j, d->location, gh_judge_printf("option \"%.40s\"", d->defname));
    }
}

/* Options of a sequence that name nothing. */
static void judge_identity(gh_judge *j, const List *options)
{
    static const char *const known[] = { "start", "increment", "minvalue", "maxvalue",
                                         "cache", "cycle",     "restart" };
    ListCell *cell;

    foreach (cell, options) {
        const DefElem *d = lfirst_node(DefElem, cell);
        bool is_known = false;

        for (size_t i = 0; i < GH_COUNT(known); i++)
            is_known |= strcmp(d->defname, known[i]) == 0;
        if (!is_known)
            refuse_part(j, d->location, gh_judge_printf("sequence option \"%.40s\"", d->defname));
    }
}

/* ---- columns and constraints ----------------------------------------------------------------- */

/*
 * The tree of a statement is checked for its depth before it is judged; constraints hang beside. As in a
 * condition no sub-select may stand for a value.
 */
static void judge_expression(gh_judge *j, Node **slot)
{
    if (*slot == NULL || j->rc != GH_OK)
        return;
    j->rc = gh_sql_check_tree((struct Node *)*slot, j->err);
    gh_judge_condition(j, slot);
}

/* Words that PostgreSQL takes for an integer with a sequence, whatever types there are. */
static bool is_serial(const TypeName *t)
{
    static const char *const names[] = { "serial",  "serial4",     "bigserial",
                                         "serial8", "smallserial", "serial2" };
    const char *name;

    if (list_length(t->names) != 1 || t->arrayBounds != NIL || t->typmods != NIL || t->setof ||
        t->pct_type)
        return false;
    name = strVal(linitial(t->names));
    for (size_t i = 0; i < GH_COUNT(names); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* PostgreSQL takes only temporary tables for what a temporary table references. */
static void judge_references(gh_judge *j, Constraint *c)
{
    const gh_relation *r = find(j, c->pktable);

    if (r == NULL)
        gh_judge_refuse(j, GH_DENIED, "42P01", c->pktable->location,
                        "relation \"%s%s%s\" does not exist",
                        c->pktable->schemaname != NULL ? c->pktable->schemaname : "",
                        c->pktable->schemaname != NULL ? "." : "", c->pktable->relname);
    else if (!r->is_temporary)
        gh_judge_refuse(j, GH_INVALID, "42P16", c->pktable->location,
                        "constraints on temporary tables may reference only temporary tables");
    else
        place_name(j, c->pktable, r->schema, r->name);
}

static void judge_constraint(gh_judge *j, Constraint *c)
{
    switch (c->contype) {
    case CONSTR_NULL:
    case CONSTR_NOTNULL:
    case CONSTR_ATTR_DEFERRABLE:
    case CONSTR_ATTR_NOT_DEFERRABLE:
    case CONSTR_ATTR_DEFERRED:
    case CONSTR_ATTR_IMMEDIATE:
        return;
    case CONSTR_DEFAULT:
    case CONSTR_GENERATED:
    case CONSTR_CHECK:
        judge_expression(j, &c->raw_expr);
        return;
    case CONSTR_IDENTITY:
        judge_identity(j, c->options);
        return;
    case CONSTR_PRIMARY:
    case CONSTR_UNIQUE:
        if (c->indexname != NULL || c->indexspace != NULL || c->access_method != NULL ||
            c->where_clause != NULL)
            refuse_part(j, c->location, "this constraint");
        judge_storage(j, c->options);
        return;
    case CONSTR_FOREIGN:
        judge_references(j, c);
        return;
    case CONSTR_EXCLUSION:
    default:
        refuse_part(j, c->location, "this constraint");
        return;
    }
}

/* Is it text, which the column's own type reads? */
/*
 * SECURITY: what PostgreSQL casts to the column's type by itself may call what the policy does not allow. `is_altered`: the old
 * values, or those of USING. Attack: tests/attack temporary-tables.
 */
static void judge_stored(gh_judge *j, const ColumnDef *c, bool is_altered)
{
    const List *names = c->typeName->names;
    const gh_type *type = list_length(names) != 2
                              ? NULL
                              : gh_catalog_type(j->in->catalog, gh_str_of(strVal(linitial(names))),
                                                gh_str_of(strVal(lsecond(names))));
    bool is_allowed = !is_altered || (type != NULL && gh_cast_may_assign(j, type->oid));
    ListCell *cell;

    foreach (cell, c->constraints) {
        const Constraint *k = lfirst_node(Constraint, cell);

        if ((k->contype == CONSTR_DEFAULT || k->contype == CONSTR_GENERATED) &&
            (type == NULL || !gh_cast_may_assign_value(j, k->raw_expr, type->oid)))
            is_allowed = false;
    }
    if (!is_allowed)
        refuse_part(j, c->location, "this column");
}

static void judge_column(gh_judge *j, ColumnDef *c, bool is_altered)
{
    ListCell *cell;

    if (c->fdwoptions != NIL || c->typeName == NULL)
        refuse_part(j, c->location, "this column");
    else if (!is_serial(c->typeName))
        gh_judge_type(j, c->typeName);
    if (c->collClause != NULL)
        gh_judge_expr(j, (Node **)&c->collClause);
    judge_expression(j, &c->raw_default); /* USING of ALTER COLUMN ... TYPE */
    foreach (cell, c->constraints)
        judge_constraint(j, lfirst_node(Constraint, cell));
    if (j->rc == GH_OK && !is_serial(c->typeName))
        judge_stored(j, c, is_altered);
}

/* ---- LIKE ------------------------------------------------------------------------------------ */

/* Takes along expressions of the relation, which run as it is written to. */
#define LIKE_HARMLESS                                                                              \
    (CREATE_TABLE_LIKE_COMMENTS | CREATE_TABLE_LIKE_COMPRESSION | CREATE_TABLE_LIKE_STORAGE)

static bool may_stand(const gh_item *item, bits32 options)
{
    if (item->relation->is_temporary)
        return item->decision->is_full;
    return item->decision->is_open && !item->decision->is_through &&
           ((options & ~(bits32)LIKE_HARMLESS) == 0 ||
            (item->decision->privileges & GH_INSERT) != 0);
}

static List *parse_definitions(gh_judge *j, const char *definitions)
{
    gh_sql_text t;
    char *sql = gh_judge_printf("CREATE TABLE x (%s)", definitions);

    if (gh_sql_parse(gh_str_of(sql), &t, j->err) != GH_OK || list_length(t.stmts) != 1) {
        gh_judge_refuse(j, GH_INTERNAL, "XX000", -1, "statement cannot be rewritten");
        return NIL;
    }
    return ((CreateStmt *)linitial_node(RawStmt, t.stmts)->stmt)->tableElts;
}

/* The token behind LIKE name INCLUDING x EXCLUDING y. */
static size_t like_end(const gh_judge *j, size_t name_end)
{
    const gh_token *t = j->text->tokens;

    while (
        name_end + 1 < j->text->token_count && t[name_end].kind == GH_TOKEN_KEYWORD &&
        (strcmp(t[name_end].text, "including") == 0 || strcmp(t[name_end].text, "excluding") == 0))
        name_end += 2;
    return name_end;
}

/* The elements that stand for it. */
static List *judge_like(gh_judge *j, TableLikeClause *l)
{
    gh_item *item = palloc0(sizeof(gh_item));
    RangeVar *v = l->relation;
    size_t token = gh_judge_token(j, v->location);
    size_t end = token + 1 + (v->schemaname != NULL ? 2u : 0u) + (v->catalogname != NULL ? 2u : 0u);
    char *definitions;

    item->block = j->block;
    item->var = v;
    if (token == SIZE_MAX || !gh_judge_resolve(j, item))
        return NIL;
    if (item->decision == NULL) {
        refuse_part(j, v->location, "LIKE a system catalog");
        return NIL;
    }
    item->is_used = palloc0((size_t)item->relation->column_count + 1);
    item->is_filtered = palloc0((size_t)item->relation->column_count + 1);
    item->is_placed = true;
    j->items = lappend(j->items, item);
    if (may_stand(item, l->options)) {
        (void)gh_like_elements(j, item, 0);
        place_name(j, v, item->relation->schema, item->relation->name);
        return list_make1(l);
    }
    definitions = gh_like_elements(j, item, l->options);
    if (j->rc != GH_OK)
        return NIL;
    gh_judge_edit(j, token - 1, like_end(j, end), definitions);
    return parse_definitions(j, definitions);
}

/* ---- for later statements of the same text ---------------------------------------------------- */

static gh_oid type_of(const gh_judge *j, const TypeName *t)
{
    const gh_type *type;

    if (list_length(t->names) != 2) /* a serial: nothing asks which */
        return 0;
    type = gh_catalog_type(j->in->catalog, gh_str_of(strVal(linitial(t->names))),
                           gh_str_of(strVal(llast(t->names))));
    if (type == NULL)
        return 0;
    return t->arrayBounds != NIL ? type->array : type->oid;
}

static bool is_generated(const ColumnDef *c)
{
    ListCell *cell;

    foreach (cell, c->constraints) {
        if (lfirst_node(Constraint, cell)->contype == CONSTR_GENERATED)
            return true;
    }
    return false;
}

/* The relation as it will be, but for its OID; NULL where LIKE brings columns along. */
static const gh_relation *relation_to_be(const gh_judge *j, const CreateStmt *s)
{
    gh_relation *r = palloc0(sizeof(*r));
    gh_column *columns = palloc0(((size_t)list_length(s->tableElts) + 1) * sizeof(*columns));
    ListCell *cell;

    foreach (cell, s->tableElts) {
        const ColumnDef *c = lfirst(cell);

        if (IsA(c, TableLikeClause))
            return NULL;
        if (!IsA(c, ColumnDef) || r->column_count == UINT16_MAX)
            continue;
        columns[r->column_count] = (gh_column){ .name = gh_str_of(c->colname),
                                                .type_oid = type_of(j, c->typeName),
                                                .typmod = -1,
                                                .generated = is_generated(c) ? 's' : '\0' };
        r->column_count++;
    }
    r->schema = GH_STR(GH_TEMPORARY_SCHEMA);
    r->name = gh_str_of(s->relation->relname);
    r->kind = 'r';
    r->is_inserted_as_written = true;
    r->is_updated_as_written = true;
    r->is_temporary = true;
    r->columns = columns;
    return r;
}

static bool is_there(const gh_judge *j, const RangeVar *v)
{
    return gh_temporary_relation(j, gh_str_of(v->relname)) != NULL;
}

/* ---- CREATE TABLE ---------------------------------------------------------------------------- */

static bool has_privilege(const gh_judge *j)
{
    return (gh_view_may(j->in->view) & GH_MAY_TEMP_TABLES) != 0;
}

static bool may_create(gh_judge *j, const RangeVar *v)
{
    if (!has_privilege(j))
        return false;
    if (gh_temporary_is_in_front(j, gh_str_of(v->relname))) {
        gh_judge_refuse(j, GH_DENIED, "42501", -1,
                        "this temporary table is not allowed, since a function of the policy "
                        "would read it first");
        (void)snprintf(j->err->hint, sizeof(j->err->hint),
                       "The search_path of each function that a filter or mask calls must end in "
                       "pg_temp.");
    }
    return true;
}

static void changes(gh_judge *j)
{
    j->plan->kind = GH_STMT_OTHER;
    j->plan->changes_temporary = true;
}

static bool create_table(gh_judge *j, CreateStmt *s)
{
    List *elements = NIL;
    ListCell *cell;

    if (!is_new_temporary(j, s->relation) || !may_create(j, s->relation))
        return false;
    changes(j);
    if (s->inhRelations != NIL || s->partbound != NULL || s->partspec != NULL ||
        s->ofTypename != NULL || s->tablespacename != NULL || s->accessMethod != NULL) {
        refuse_part(j, -1, "this form of CREATE TABLE");
        return true;
    }
    place_new(j, s->relation);
    judge_storage(j, s->options);
    foreach (cell, s->tableElts) {
        Node *n = lfirst(cell);

        if (IsA(n, TableLikeClause)) {
            elements = list_concat(elements, judge_like(j, (TableLikeClause *)n));
            continue;
        }
        if (IsA(n, ColumnDef))
            judge_column(j, (ColumnDef *)n, false);
        else if (IsA(n, Constraint))
            judge_constraint(j, (Constraint *)n);
        else
            refuse_part(j, -1, "this form of CREATE TABLE");
        elements = lappend(elements, n);
    }
    s->tableElts = elements;
    if (j->rc == GH_OK && !(s->if_not_exists && is_there(j, s->relation)))
        gh_temporary_announce(j, s->relation->relname, relation_to_be(j, s));
    return true;
}

/* ---- CREATE TABLE AS, SELECT INTO ------------------------------------------------------------ */

static void judge_into(gh_judge *j, IntoClause *into)
{
    changes(j);
    if (into->accessMethod != NULL || into->tableSpaceName != NULL || into->viewQuery != NULL)
        refuse_part(j, -1, "this form of CREATE TABLE AS");
    judge_storage(j, into->options);
    place_new(j, into->rel);
}

/* What is stored is read again, so nothing of it is the final result. */
static void judge_source(gh_judge *j, SelectStmt *s)
{
    gh_stmt_kind kind = j->plan->kind;
    gh_block *inner = palloc0(sizeof(gh_block));

    inner->outer = j->block;
    j->block = inner;
    gh_judge_select(j, s);
    j->block = inner->outer;
    j->plan->kind = kind;
}

/* WITH [NO] DATA is no part of the query. */
static void leave_out_data(gh_judge *j)
{
    const gh_token *t = j->text->tokens;
    size_t end = j->end;

    if (end < j->first + 3 || t[end - 1].kind != GH_TOKEN_KEYWORD ||
        strcmp(t[end - 1].text, "data") != 0)
        return;
    end -= strcmp(t[end - 2].text, "no") == 0 ? 3 : 2;
    if (t[end].kind == GH_TOKEN_KEYWORD && strcmp(t[end].text, "with") == 0)
        j->end = end;
}

static bool create_table_as(gh_judge *j, CreateTableAsStmt *s)
{
    if (s->objtype != OBJECT_TABLE || !is_new_temporary(j, s->into->rel) ||
        !may_create(j, s->into->rel))
        return false;
    judge_into(j, s->into);
    leave_out_data(j);
    if (IsA(s->query, SelectStmt))
        judge_source(j, (SelectStmt *)s->query);
    else
        refuse_part(j, -1, "CREATE TABLE AS EXECUTE");
    if (!(s->if_not_exists && is_there(j, s->into->rel)))
        gh_temporary_announce(j, s->into->rel->relname, NULL);
    return true;
}

bool gh_judge_select_into(gh_judge *j, SelectStmt *s)
{
    SelectStmt *leaf = s;
    IntoClause *into;

    while (leaf->op != SETOP_NONE)
        leaf = leaf->larg;
    into = leaf->intoClause;
    if (into == NULL || !is_new_temporary(j, into->rel) || !may_create(j, into->rel))
        return false;
    judge_into(j, into);
    leaf->intoClause = NULL; /* what the query itself does is judged without */
    judge_source(j, s);
    leaf->intoClause = into;
    gh_temporary_announce(j, into->rel->relname, NULL);
    return true;
}

/* ---- CREATE INDEX ---------------------------------------------------------------------------- */

/* Nothing stands in place of what is indexed: it would be no call any more, which alone needs no brackets here. */
static void judge_index_element(gh_judge *j, IndexElem *e)
{
    const Node *expr = e->expr;

    judge_expression(j, &e->expr);
    if (list_length(e->collation) > 1 || list_length(e->opclass) > 1 || e->opclassopts != NIL ||
        e->expr != expr)
        refuse_part(j, -1, "this index");
}

static bool create_index(gh_judge *j, IndexStmt *s)
{
    static const char *const methods[] = { "btree", "hash", "gin", "gist", "brin", "spgist" };
    bool is_known = false;
    ListCell *cell;

    if (!place_existing(j, s->relation))
        return false;
    changes(j);
    for (size_t i = 0; i < GH_COUNT(methods); i++)
        is_known |= strcmp(s->accessMethod, methods[i]) == 0;
    if (!is_known || s->tableSpace != NULL || s->excludeOpNames != NIL)
        refuse_part(j, -1, "this index");
    judge_storage(j, s->options);
    foreach (cell, s->indexParams)
        judge_index_element(j, lfirst_node(IndexElem, cell));
    foreach (cell, s->indexIncludingParams)
        judge_index_element(j, lfirst_node(IndexElem, cell));
    judge_expression(j, &s->whereClause);
    return true;
}

/* ---- ALTER TABLE ----------------------------------------------------------------------------- */

static void judge_alteration(gh_judge *j, const gh_relation *r, AlterTableCmd *c)
{
    const gh_column *column;

    switch (c->subtype) {
    case AT_AddColumn:
    case AT_AlterColumnType:
        if (c->def != NULL && IsA(c->def, ColumnDef)) {
            judge_column(j, (ColumnDef *)c->def, c->subtype == AT_AlterColumnType);
            return;
        }
        break;
    case AT_AddConstraint:
        if (c->def != NULL && IsA(c->def, Constraint)) {
            judge_constraint(j, (Constraint *)c->def);
            return;
        }
        break;
    case AT_ColumnDefault:
        column = gh_relation_column(r, gh_str_of(c->name));
        judge_expression(j, &c->def);
        if (column == NULL || !gh_cast_may_assign_value(j, c->def, column->type_oid))
            refuse_part(j, -1, "this default");
        return;
    case AT_DropColumn:
    case AT_DropNotNull:
    case AT_SetNotNull:
    case AT_DropExpression:
    case AT_DropIdentity:
    case AT_DropConstraint:
    case AT_ValidateConstraint:
        return;
    default:
        break;
    }
    refuse_part(j, -1, "this form of ALTER TABLE");
}

static bool alter_table(gh_judge *j, AlterTableStmt *s)
{
    const gh_relation *r = s->objtype == OBJECT_TABLE ? find(j, s->relation) : NULL;
    ListCell *cell;

    if (r == NULL || !place_existing(j, s->relation))
        return false;
    changes(j);
    foreach (cell, s->cmds)
        judge_alteration(j, r, lfirst_node(AlterTableCmd, cell));
    return true;
}

static bool rename_object(gh_judge *j, RenameStmt *s)
{
    if (s->relation == NULL ||
        (s->renameType != OBJECT_TABLE && s->renameType != OBJECT_INDEX &&
         s->renameType != OBJECT_TABCONSTRAINT &&
         !(s->renameType == OBJECT_COLUMN && s->relationType == OBJECT_TABLE)))
        return false;
    if (!place_existing(j, s->relation))
        return false;
    changes(j);
    return true;
}

/* ---- DROP, ANALYZE --------------------------------------------------------------------------- */

static RangeVar *name_of(const List *parts)
{
    int count = list_length(parts);
    RangeVar *v = makeNode(RangeVar);

    v->relname = strVal(llast(parts));
    if (count > 1)
        v->schemaname = strVal(list_nth(parts, count - 2));
    if (count > 2)
        v->catalogname = strVal(list_nth(parts, count - 3));
    v->location = -1;
    return v;
}

/*
 * Whether a name that means nothing temporary is hidden or absent must not show, so IF EXISTS finds
 * nothing then; what the client may see it may not drop.
 */
static bool judge_dropped(gh_judge *j, const DropStmt *s, RangeVar *v)
{
    const gh_relation *r = s->removeType == OBJECT_INDEX ? find_index(j, v) : find(j, v);

    if ((r != NULL && r->is_temporary) || (r == NULL && is_unknown(j, v)))
        return true;
    if (!has_privilege(j))
        return false;
    if (r != NULL)
        gh_judge_refuse(j, GH_DENIED, "42501", -1, "must be owner of table %s", v->relname);
    else if (!s->missing_ok)
        gh_judge_refuse(j, GH_DENIED, "42P01", -1, "%s \"%s\" does not exist",
                        s->removeType == OBJECT_INDEX ? "index" : "table", v->relname);
    return true;
}

/* The names have no places in the text; what is sent is made of them. */
static bool put_dropped(gh_judge *j, const DropStmt *s, gh_buf *sql)
{
    ListCell *cell;

    gh_buf_printf(sql, "DROP %s%s ", s->removeType == OBJECT_INDEX ? "INDEX" : "TABLE",
                  s->missing_ok ? " IF EXISTS" : "");
    foreach (cell, s->objects) {
        RangeVar *v = name_of(lfirst(cell));

        if (!judge_dropped(j, s, v))
            return false;
        gh_temporary_withdraw(j, v->relname);
        gh_buf_printf(sql, "%s\"" GH_TEMPORARY_SCHEMA "\".",
                      foreach_current_index(cell) == 0 ? "" : ", ");
        gh_sql_put_ident(sql, gh_str_of(v->relname), j->is_ascii);
    }
    gh_buf_puts(sql, s->behavior == DROP_CASCADE ? " CASCADE" : "");
    return true;
}

static bool drop(gh_judge *j, const DropStmt *s)
{
    bool is_taken = s->removeType == OBJECT_TABLE || s->removeType == OBJECT_INDEX;
    gh_buf sql;

    gh_buf_init(&sql, 0);
    is_taken = is_taken && put_dropped(j, s, &sql);
    if (is_taken) {
        changes(j);
        j->plan->sql = gh_arena_dup(j->arena, gh_buf_str(&sql));
        if (j->plan->sql.ptr == NULL)
            gh_judge_refuse(j, GH_LIMIT, "54000", -1, "statement needs too much memory");
    }
    gh_buf_fini(&sql);
    return is_taken;
}

static bool analyze(gh_judge *j, const VacuumStmt *s)
{
    ListCell *cell;

    if (s->is_vacuumcmd || s->rels == NIL || s->options != NIL)
        return false;
    foreach (cell, s->rels) {
        if (!place_existing(j, lfirst_node(VacuumRelation, cell)->relation))
            return false;
    }
    j->plan->kind = GH_STMT_OTHER;
    return true;
}

/* ---- entry ----------------------------------------------------------------------------------- */

bool gh_judge_temporary(gh_judge *j, Node *stmt)
{
    switch (nodeTag(stmt)) {
    case T_CreateStmt:
        return create_table(j, (CreateStmt *)stmt);
    case T_CreateTableAsStmt:
        return create_table_as(j, (CreateTableAsStmt *)stmt);
    case T_IndexStmt:
        return create_index(j, (IndexStmt *)stmt);
    case T_AlterTableStmt:
        return alter_table(j, (AlterTableStmt *)stmt);
    case T_RenameStmt:
        return rename_object(j, (RenameStmt *)stmt);
    case T_DropStmt:
        return drop(j, (DropStmt *)stmt);
    case T_VacuumStmt:
        return analyze(j, (VacuumStmt *)stmt);
    default:
        return false;
    }
}
