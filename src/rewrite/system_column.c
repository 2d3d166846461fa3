/*
 * System columns of relations that a sub-select stands for.
 *
 *     SELECT tableoid::regclass, * FROM sales.orders
 *     ─▶  SELECT ..., orders.id, orders.region FROM (SELECT gh.id, gh.region, CASE ... AS tableoid FROM ...) AS orders
 *
 * A star must not show them, so beside one that is named it stands for the columns one by one; where it cannot, and in
 * a whole row, they are not there.
 *
 * SECURITY: `tableoid` tells of a partition or child that is visible that the row is in it, of any other that it is in
 * the relation that was asked for. `xmin` tells when a row was written, so it is there where no cell of a row is hidden
 * or masked, for else it would tell of writes to that. `ctid` tells how hidden rows lie among the visible, so it may be
 * compared alone: position.c. `xmax` tells who locks a row: it is not there. Attack: tests/attack/cases/23-system-columns.txt.
 */
#include "judge.h"
#include "write.h"

static const struct {
    const char *name;
    const char *type;
    gh_oid oid;
} s_columns[] = { { "tableoid", "pg_catalog.oid", GH_OID_OID },
                  { "xmin", "pg_catalog.xid", GH_OID_XID },
                  { "ctid", "pg_catalog.tid", GH_OID_TID } };

/* ---- which ------------------------------------------------------------------------------------------- */

static bool is_all_clear(const gh_item *item)
{
    for (uint16_t i = 0; i < item->relation->column_count; i++) {
        if (item->decision->columns[i].show != GH_CLEAR)
            return false;
    }
    return true;
}

static bool has(const gh_judge *j, const gh_item *item, size_t column)
{
    if (item->relation == NULL || item->decision == NULL || item->body != NULL ||
        item->keeps_hidden || item->is_covered || item->decision->is_through)
        return false;
    if (s_columns[column].oid == GH_OID_OID)
        return strchr("rpmf", item->relation->kind) != NULL;
    if (s_columns[column].oid == GH_OID_TID)
        return j->positions != NIL && gh_position_is_single(j, item->relation, item->var->inh);
    return strchr("rpm", item->relation->kind) != NULL && is_all_clear(item);
}

gh_oid gh_system_column_type(const gh_judge *j, const gh_item *item, const char *name)
{
    for (size_t i = 0; i < GH_COUNT(s_columns); i++) {
        if (strcmp(s_columns[i].name, name) == 0 && has(j, item, i))
            return s_columns[i].oid;
    }
    return 0;
}

#define WHY_POSITION                                                                               \
    "Of a table that is not granted in full, ctid may be compared with ctid of the same table, "   \
    "and rows sorted, grouped and counted by it, where the statement does nothing else with it."
#define WHY_XMIN "xmin shows of tables none of whose columns is hidden or masked."
#define WHY_REST "It shows of tables that are granted in full."

void gh_system_column_explain(gh_judge *j, const char *name)
{
    const char *why = strcmp(name, "ctid") == 0   ? WHY_POSITION
                      : strcmp(name, "xmin") == 0 ? WHY_XMIN
                                                  : WHY_REST;

    if (gh_write_is_system_column(name))
        (void)snprintf(j->err->hint, sizeof(j->err->hint), "%s", why);
}

static bool is_output(const SelectStmt *s, const char *name)
{
    ListCell *cell;

    foreach (cell, s == NULL ? NIL : s->targetList) {
        const ResTarget *t = lfirst_node(ResTarget, cell);

        if (t->name != NULL && strcmp(t->name, name) == 0)
            return true;
    }
    return false;
}

void gh_system_column_refuse(gh_judge *j, const gh_item *item, const ColumnRef *ref)
{
    const char *name = strVal(llast(ref->fields));
    bool is_qualified = list_length(ref->fields) > 1;

    if (j->rc != GH_OK || !gh_write_is_system_column(name) || item->relation == NULL ||
        item->decision == NULL || item->decision->is_full || item->is_target || item->is_covered ||
        item->is_renamed || j->view_depth > 0 || j->is_policy ||
        strchr("rpm", item->relation->kind) == NULL || gh_system_column_type(j, item, name) != 0 ||
        (!is_qualified && (j->is_output_name || is_output(j->block->select, name))))
        return;
    gh_judge_refuse(j, GH_DENIED, "42703", ref->location,
                    is_qualified ? "column %s.%s does not exist" : "column \"%s%s\" does not exist",
                    is_qualified ? item->alias : "", name);
    gh_system_column_explain(j, name);
}

/* ---- what stands for them ---------------------------------------------------------------------------- */

static bool descends(const gh_judge *j, const gh_relation *r, gh_oid from, int depth)
{
    if (r == NULL || depth > GH_SQL_DEPTH_MAX)
        return false;
    for (uint16_t i = 0; i < r->parent_count; i++) {
        if (r->parents[i] == from ||
            descends(j, gh_catalog_relation_by_oid(j->in->catalog, r->parents[i]), from, depth + 1))
            return true;
    }
    return false;
}

char *gh_system_column_table(gh_judge *j, const gh_item *item)
{
    size_t count;
    const gh_relation *const *all = gh_catalog_relations(j->in->catalog, &count);
    char *own = gh_judge_printf("CAST(%u AS pg_catalog.oid)", item->relation->oid);
    gh_buf b;
    char *out;
    bool is_any = false;

    gh_buf_init(&b, 0);
    for (size_t i = 0; i < count && item->var->inh; i++) {
        if (all[i]->parent_count == 0 || !descends(j, all[i], item->relation->oid, 0) ||
            !gh_judge_decide(j, all[i])->exists)
            continue;
        gh_buf_printf(&b, "%s%u", is_any ? ", " : "", all[i]->oid);
        is_any = true;
    }
    out = gh_judge_cstr(gh_buf_str(&b));
    gh_buf_fini(&b);
    return is_any ? gh_judge_printf("CASE WHEN %s.tableoid IN (%s) THEN %s.tableoid ELSE %s END",
                                    item->inner, out, item->inner, own)
                  : own;
}

/*
 * SECURITY: what is not there is looked for further out, where it would be the position of a row of another table.
 * Attack: tests/attack/cases/23-system-columns.txt.
 */
static void refuse_whole(gh_judge *j, const gh_item *item, gh_oid type)
{
    if (type == GH_OID_TID)
        gh_judge_refuse(j, GH_DENIED, "42501", item->var->location,
                        "ctid is not allowed beside %s read as a whole row", item->var->relname);
}

char *gh_system_columns(gh_judge *j, const gh_item *item, bool is_empty, bool is_first)
{
    char *out = pstrdup("");

    for (size_t i = 0; i < GH_COUNT(s_columns); i++) {
        const char *name = s_columns[i].name;

        if (!gh_judge_may_be_word(j, gh_str_of(name)) || !has(j, item, i))
            continue;
        if (item->has_star) {
            refuse_whole(j, item, s_columns[i].oid);
            continue;
        }
        out = gh_judge_printf("%s%s%s AS %s", out, is_first ? "" : ", ",
                              is_empty ? gh_judge_printf("CAST(NULL AS %s)", s_columns[i].type)
                              : s_columns[i].oid == GH_OID_OID
                                  ? gh_system_column_table(j, item)
                                  : gh_judge_printf("%s.%s", item->inner, name),
                              name);
        is_first = false;
    }
    return out;
}

/* ---- stars ------------------------------------------------------------------------------------------- */

/* A star over it stands for the columns that the catalog knows, as it does where a sub-select stands for it. */
static bool is_listed(const gh_item *item)
{
    return item->relation != NULL && item->decision != NULL && item->alias != NULL &&
           !item->is_covered && !item->keeps_hidden && item->names == NIL &&
           !(item->decision->is_full && item->decision->is_open);
}

static bool merges(const Node *from, int depth)
{
    const JoinExpr *join = (const JoinExpr *)from;

    return depth > GH_SQL_DEPTH_MAX ||
           (IsA(from, JoinExpr) &&
            (join->isNatural || join->usingClause != NIL || join->alias != NULL ||
             merges(join->larg, depth + 1) || merges(join->rarg, depth + 1)));
}

static void put(gh_buf *text, List **targets, const char *alias, Node *field, const char *shown,
                const ColumnRef *star)
{
    ColumnRef *ref = makeNode(ColumnRef);
    ResTarget *t = makeNode(ResTarget);

    ref->fields = list_make2(makeString(pstrdup(alias)), field);
    ref->location = star->location;
    t->val = (Node *)ref;
    t->location = star->location;
    *targets = lappend(*targets, t);
    gh_buf_printf(text, "%s%s", text->len > 0 ? ", " : "", shown);
}

static void put_item(gh_judge *j, gh_buf *text, List **targets, const gh_item *item,
                     const ColumnRef *star)
{
    char *alias = gh_judge_ident(j, gh_str_of(item->alias));

    for (uint16_t i = 0; is_listed(item) && i < item->relation->column_count; i++) {
        const gh_column *c = &item->relation->columns[i];

        if (item->decision->columns[i].show != GH_HIDDEN)
            put(text, targets, item->alias, (Node *)makeString(gh_judge_cstr(c->name)),
                gh_judge_printf("%s.%s", alias, gh_judge_ident(j, c->name)), star);
    }
    if (!is_listed(item))
        put(text, targets, item->alias, (Node *)makeNode(A_Star), gh_judge_printf("%s.*", alias),
            star);
}

/* The columns of a star, as targets; NIL: it is left as it is. */
static List *listed(gh_judge *j, const ColumnRef *star)
{
    const char *alias = list_length(star->fields) == 2 ? strVal(linitial(star->fields)) : NULL;
    size_t token = gh_judge_token(j, star->location);
    List *targets = NIL;
    bool is_any = false;
    gh_buf text;
    ListCell *cell;

    gh_buf_init(&text, 0);
    foreach (cell, j->block->items) {
        const gh_item *item = lfirst(cell);

        if (alias != NULL && (item->alias == NULL || strcmp(item->alias, alias) != 0))
            continue;
        is_any = is_any || is_listed(item);
        if (item->alias == NULL || item->is_covered || item->merged != NIL) {
            is_any = false;
            break;
        }
        put_item(j, &text, &targets, item, star);
    }
    if (is_any)
        gh_judge_edit(j, token, token + (alias != NULL ? 3 : 1), gh_judge_cstr(gh_buf_str(&text)));
    gh_buf_fini(&text);
    return is_any ? targets : NIL;
}

void gh_system_column_stars(gh_judge *j, SelectStmt *s)
{
    List *targets = NIL;
    bool is_named = false;
    bool is_merged = false;
    ListCell *cell;

    for (size_t i = 0; i < GH_COUNT(s_columns); i++)
        is_named = is_named || gh_judge_may_be_word(j, gh_str_of(s_columns[i].name));
    if (!is_named || j->view_depth > 0 || j->is_policy || j->rc != GH_OK)
        return;
    foreach (cell, s->fromClause)
        is_merged = is_merged || merges(lfirst(cell), 0);
    foreach (cell, s->targetList) {
        ResTarget *t = lfirst_node(ResTarget, cell);
        const ColumnRef *ref = (const ColumnRef *)t->val;
        bool is_star = IsA(ref, ColumnRef) && list_length(ref->fields) <= 2 &&
                       IsA(llast(ref->fields), A_Star) && ref->location >= 0; /* TABLE has none */
        List *columns =
            is_star && (!is_merged || list_length(ref->fields) == 2) ? listed(j, ref) : NIL;

        targets = columns != NIL ? list_concat(targets, columns) : lappend(targets, t);
    }
    s->targetList = targets;
}
