/*
 * TRUNCATE, of tables whose every row the user may truncate. CASCADE empties what references them as well; those tables
 * are judged alike, by the foreign keys that the catalog knows, and named in its place:
 *
 *     TRUNCATE a RESTART IDENTITY CASCADE
 *       → TRUNCATE s.a, ONLY s.b RESTART IDENTITY RESTRICT
 *
 * SECURITY: so a foreign key that is made before the catalog tells of it makes PostgreSQL refuse, instead of emptying a
 * table that nobody judged. Attack: tests/integration/checked_writes, Truncate.
 */
#include "judge.h"
#include "write.h"

static bool has_every_row(gh_judge *j, gh_item *item)
{
    bool is_blind;
    char *condition = gh_write_condition(j, item, GH_TRUNCATE, NULL, &is_blind);

    return condition != NULL && condition[0] == '\0';
}

static gh_item *judge_target(gh_judge *j, RangeVar *v)
{
    gh_item *target = gh_write_add_target(j, v, GH_TRUNCATE);

    if (target != NULL && !has_every_row(j, target))
        gh_judge_refuse(j, GH_DENIED, "42501", v->location, "permission denied for table %s",
                        v->relname);
    return target;
}

/* ---- CASCADE ----------------------------------------------------------------------------------- */

/* Names nothing: the table may be one that the user does not know of. */
static void refuse_reached(gh_judge *j)
{
    gh_judge_refuse(j, GH_DENIED, "42501", -1,
                    "TRUNCATE ... CASCADE is not allowed here, since a table that it would empty "
                    "may not be truncated");
}

/* As PostgreSQL reaches it: without its children, but with its partitions. */
static RangeVar *name_reached(const gh_relation *r)
{
    RangeVar *v = makeNode(RangeVar);

    v->schemaname = gh_judge_cstr(r->schema);
    v->relname = gh_judge_cstr(r->name);
    v->inh = r->kind == 'p';
    v->relpersistence = 'p';
    v->location = -1;
    return v;
}

static void judge_reached(gh_judge *j, RangeVar *v, const gh_relation *r)
{
    gh_item *item = gh_judge_add_item(j, NULL);

    item->var = v;
    item->relation = r;
    item->decision = gh_judge_decide(j, r);
    item->is_target = true;
    item->is_placed = true;
    item->inner = gh_judge_ident(j, r->name);
    item->is_used = palloc0((size_t)r->column_count + 1);
    item->is_filtered = palloc0((size_t)r->column_count + 1);
    item->is_guard = palloc0((size_t)r->column_count + 1);
    item->privilege = GH_TRUNCATE;
    if (!item->decision->exists || (item->decision->privileges & GH_TRUNCATE) == 0 ||
        !has_every_row(j, item))
        refuse_reached(j);
    else
        j->items = lappend(j->items, item);
}

static bool is_among(const List *relations, const gh_relation *r)
{
    ListCell *cell;

    foreach (cell, relations) {
        if (lfirst(cell) == r)
            return true;
    }
    return false;
}

/* `reached`: the relations that are named. Its end moves away while it is walked. */
static void cascade(gh_judge *j, TruncateStmt *s, List *reached, size_t end)
{
    size_t word = gh_write_find_keyword(j, end, j->end, "cascade");

    for (int i = 0; i < list_length(reached) && j->rc == GH_OK; i++) {
        const gh_relation *r = list_nth(reached, i);

        for (uint16_t k = 0; k < r->referenced_by_count && j->rc == GH_OK; k++) {
            const gh_relation *from =
                gh_catalog_relation_by_oid(j->in->catalog, r->referenced_by[k]);
            RangeVar *v;

            if (from == NULL) {
                refuse_reached(j);
                return;
            }
            if (is_among(reached, from))
                continue;
            v = name_reached(from);
            judge_reached(j, v, from);
            reached = lappend(reached, (void *)(uintptr_t)from);
            s->relations = lappend(s->relations, v);
            gh_judge_edit(j, end, end,
                          gh_judge_printf(", %s%s.%s", v->inh ? "" : "ONLY ",
                                          gh_judge_ident(j, from->schema),
                                          gh_judge_ident(j, from->name)));
        }
    }
    s->behavior = DROP_RESTRICT;
    gh_judge_edit(j, word, word == SIZE_MAX ? word : word + 1, "RESTRICT");
}

void gh_judge_truncate(gh_judge *j, TruncateStmt *s)
{
    List *named = NIL;
    size_t end = SIZE_MAX;
    ListCell *cell;

    foreach (cell, s->relations) {
        gh_item *target = judge_target(j, lfirst_node(RangeVar, cell));

        if (target == NULL || j->rc != GH_OK)
            return;
        named = lappend(named, (void *)(uintptr_t)target->relation);
        end = target->end;
    }
    if (s->behavior == DROP_CASCADE)
        cascade(j, s, named, end);
}
