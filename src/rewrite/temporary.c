/*
 * The session's temporary relations. They lie in a small catalog of their own, under the schema
 * pg_temp, beside the warehouse's:
 *
 *     FROM t   ─▶ pg_temp.t of this session?  ─no▶ pg_catalog, then the client's path
 *                        └─yes▶ "pg_temp"."t": every row, every column, every privilege
 *
 * What is in them is the person's own copy of what was visible when it was taken; the policy has no
 * say in it.
 *
 * SECURITY: "pg_temp" always means the session's own schema, so not even a wrong snapshot could
 * reach another session's table; and text of the policy or of a view never looks there. Attack: tests/attack
 * cases/21-temporary-tables.
 */
#include "judge.h"

#define EVERY (GH_SELECT | GH_INSERT | GH_UPDATE | GH_DELETE | GH_TRUNCATE)

/* Is the text that is judged the client's? */
static bool is_own_text(const gh_judge *j)
{
    return !j->is_policy && j->view_depth == 0;
}

bool gh_temporary_is_schema(const gh_judge *j, gh_str schema)
{
    const gh_str *own;
    size_t count = 0;

    if (!is_own_text(j))
        return false;
    if (gh_str_is(schema, GH_TEMPORARY_SCHEMA))
        return true;
    own = j->in->temporary == NULL ? NULL : gh_catalog_schemas(j->in->temporary, &count);
    return count == 1 && gh_str_eq(schema, own[0]);
}

static const gh_announced *announced(const gh_judge *j, gh_str name)
{
    const gh_announced *found = NULL;
    ListCell *cell;

    if (!is_own_text(j) || j->announced == NULL)
        return NULL;
    foreach (cell, *j->announced) {
        if (gh_str_is(name, ((const gh_announced *)lfirst(cell))->name))
            found = lfirst(cell); /* the last one counts */
    }
    return found;
}

void gh_temporary_announce(gh_judge *j, const char *name, const gh_relation *r)
{
    gh_announced *a = palloc(sizeof(*a));

    *a = (gh_announced){ name, r };
    if (j->announced != NULL)
        *j->announced = lappend(*j->announced, a);
}

void gh_temporary_withdraw(gh_judge *j, const char *name)
{
    ListCell *cell;
    List *kept = NIL;

    if (j->announced == NULL)
        return;
    foreach (cell, *j->announced) {
        if (strcmp(((const gh_announced *)lfirst(cell))->name, name) != 0)
            kept = lappend(kept, lfirst(cell));
    }
    *j->announced = kept;
}

bool gh_temporary_is_unknown(const gh_judge *j, gh_str name)
{
    const gh_announced *a = announced(j, name);

    return a != NULL && a->relation == NULL;
}

const gh_relation *gh_temporary_relation(const gh_judge *j, gh_str name)
{
    const gh_announced *a = announced(j, name);

    if (a != NULL)
        return a->relation;
    if (!is_own_text(j) || j->in->temporary == NULL)
        return NULL;
    return gh_catalog_relation(j->in->temporary, GH_STR(GH_TEMPORARY_SCHEMA), name);
}

const gh_relation *gh_temporary_relation_by_oid(const gh_judge *j, gh_oid oid)
{
    if (!is_own_text(j) || j->in->temporary == NULL)
        return NULL;
    return gh_catalog_relation_by_oid(j->in->temporary, oid);
}

/*
 * A value of a reg* type reads any name that is put beside it; a query that stores one stores text,
 * so such a column comes from elsewhere (a table made while the user could bypass).
 */
static bool is_shown(const gh_judge *j, const gh_column *c)
{
    return !gh_reg_is(gh_catalog_type_by_oid(j->in->catalog, c->type_oid));
}

static const gh_decision *decide_temporary(const gh_judge *j, const gh_relation *r)
{
    static const int64_t no_grants[1];
    gh_decision *d = palloc0(sizeof(*d));
    gh_column_decision *columns = palloc0((r->column_count + 1u) * sizeof(*columns));
    gh_write_grant *grant = palloc0(sizeof(*grant));
    uint8_t *covered = palloc0(r->column_count / 8u + 1u);

    d->exists = true;
    d->privileges = r->kind == 'S' ? GH_SELECT | GH_UPDATE : EVERY;
    d->is_full = true;
    d->is_every_row = true;
    d->rows_all = true;
    for (uint16_t i = 0; i < r->column_count; i++) {
        if (!is_shown(j, &r->columns[i])) {
            d->is_full = false;
            continue;
        }
        columns[i].show = GH_CLEAR;
        memset(columns[i].is_writable, true, sizeof(columns[i].is_writable));
        covered[i / 8] |= (uint8_t)(1u << (i % 8));
    }
    *grant = (gh_write_grant){
        .privileges = d->privileges, .is_every_row = true, .is_blind = true, .columns = covered
    };
    d->is_open = d->is_named = d->is_full; /* nobody else adds columns */
    d->columns = columns;
    d->column_count = r->column_count;
    d->writes = grant;
    d->write_count = 1;
    d->grant_ids = no_grants;
    return d;
}

const gh_decision *gh_judge_decide(const gh_judge *j, const gh_relation *r)
{
    return r->is_temporary ? decide_temporary(j, r)
                           : gh_view_decide(j->in->view, j->in->catalog, r);
}
