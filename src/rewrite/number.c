/*
 * lastval(): the number that the session took last of a sequence. The session tells whose that was, a table's into which it
 * inserted or a sequence's that it named:
 *
 *     lastval()   →   currval(COALESCE(pg_get_serial_sequence('"shop"."jobs"', 'id'), ...)::regclass)
 *
 * Where it took none, or none any longer that shows, it is 55000 as in PostgreSQL, by a function of PostgreSQL's that fails so; NULL where
 * one statement took numbers of several, of which it is not known which came last.
 *
 * SECURITY: PostgreSQL's own tells of any sequence, of one that a trigger took for a table that is hidden, too. Of a table's this
 * tells no more than RETURNING would: columns that show in clear count. Attack: tests/attack/cases/01-functions.txt.
 */
#include "default.h"
#include "write.h"

#define GH_NUMBER_OF_SEVERAL 1u /* no relation has this OID */

/* May the column, which shows in clear, be filled from a sequence? */
static bool may_be(const gh_decision *d, const gh_relation *r, size_t column)
{
    const gh_column *c = &r->columns[column];

    return d->columns[column].show == GH_CLEAR && c->generated == 0 &&
           (c->identity != 0 ||
            (c->has_default && (c->default_sql.len == 0 || gh_default_is_number(c))));
}

void gh_number_note(gh_judge *j, gh_oid of)
{
    gh_oid *noted = &j->plan->takes_number;

    *noted = *noted == 0 || *noted == of ? of : GH_NUMBER_OF_SEVERAL;
}

void gh_number_note_row(gh_judge *j, const gh_item *target, const bool *given)
{
    for (size_t i = 0; i < target->relation->column_count; i++) {
        if (!given[i] && may_be(target->decision, target->relation, i))
            gh_number_note(j, target->relation->oid);
    }
}

static char *of_table(gh_judge *j, const gh_relation *r, const gh_decision *d)
{
    char *table =
        gh_judge_literal(j, gh_str_of(gh_judge_printf("%s.%s", gh_judge_ident(j, r->schema),
                                                      gh_judge_ident(j, r->name))));
    List *sequences = NIL;

    for (size_t i = 0; i < r->column_count; i++) {
        if (may_be(d, r, i))
            sequences =
                lappend(sequences, gh_judge_printf("pg_catalog.pg_get_serial_sequence(%s, %s)",
                                                   table, gh_judge_literal(j, r->columns[i].name)));
    }
    return sequences == NIL ? NULL
                            : gh_judge_printf("COALESCE(%s)", gh_judge_join(sequences, ", "));
}

char *gh_number_last(gh_judge *j)
{
    const gh_relation *r =
        j->took_number == 0 ? NULL : gh_catalog_relation_by_oid(j->in->catalog, j->took_number);
    const gh_decision *d = r == NULL ? NULL : gh_judge_decide(j, r);
    char *sql = NULL;

    j->plan->reads_session = true;
    if (d != NULL && r->kind == 'S' && (d->privileges & (GH_SELECT | GH_UPDATE)) != 0)
        sql = gh_judge_printf("%u", r->oid);
    else if (d != NULL && r->kind != 'S' && (d->privileges & GH_SELECT) != 0 && !d->is_through)
        sql = of_table(j, r, d);
    if (sql == NULL && j->took_number != GH_NUMBER_OF_SEVERAL)
        return pstrdup("CASE WHEN pg_catalog.pg_is_wal_replay_paused() THEN "
                       "CAST(NULL AS pg_catalog.int8) END");
    return sql == NULL
               ? pstrdup("CAST(NULL AS pg_catalog.int8)")
               : gh_judge_printf("pg_catalog.currval(CAST(%s AS pg_catalog.regclass))", sql);
}
