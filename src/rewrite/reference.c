/*
 * References to columns. They are not resolved to the last: a governed relation becomes a sub-select that
 * holds only what the user may see, so the upstream resolves them among visible columns alone, or it stands
 * where that could not be otherwise (flat.c). What needs resolving here is which relation a name means, references
 * that carry a schema, and, for the audit, for what is left out and for conditions that may be copied, which
 * columns are read.
 */
#include "operand.h"
#include "write.h"

static void use_column(gh_item *item, int index, bool is_condition)
{
    item->is_used[index] = true;
    if (is_condition)
        item->is_filtered[index] = true;
}

/* Does it have a column of the name, as far as is known? */
static bool has_column(const gh_judge *j, const gh_item *item, const char *name)
{
    const gh_column *c;
    ListCell *cell;

    foreach (cell, item->names) {
        if (strcmp(strVal(lfirst(cell)), name) == 0)
            return true;
    }
    for (int i = 0; item->result != NULL && i < item->result->output_count; i++) {
        const char *output = item->result->outputs[i].name;

        if (output != NULL && strcmp(output, name) == 0)
            return true;
    }
    if (item->relation == NULL || item->is_renamed)
        return false;
    c = gh_relation_column(item->relation, gh_str_of(name));
    if (c == NULL)
        return gh_system_column_type(j, item, name) != 0;
    return item->decision == NULL || item->keeps_hidden ||
           item->decision->columns[c - item->relation->columns].show != GH_HIDDEN;
}

static void use_name(gh_item *item, const char *name, bool is_condition)
{
    const gh_column *c;

    if (item->relation == NULL || item->is_used == NULL) /* not known, or refused */
        return;
    if (item->is_renamed) { /* the client's names stand for others */
        item->has_star = true;
        return;
    }
    c = gh_relation_column(item->relation, gh_str_of(name));
    if (c != NULL)
        use_column(item, (int)(c - item->relation->columns), is_condition);
}

/*
 * SECURITY: a name that is looked for in a relation, and is none of its columns that show, would find one that
 * somebody adds before the catalog tells of it. PostgreSQL looks further out where a query has none of the name.
 * Attack: tests/attack new_column.
 */
static void probe(gh_judge *j, const char *name)
{
    if (j->is_output_name ||
        gh_write_is_system_column(name)) /* which no added one is called like */
        return;
    for (gh_block *b = j->block; b != NULL; b = b->outer) {
        ListCell *cell;

        foreach (cell, b->items) {
            if (has_column(j, lfirst(cell), name))
                return;
        }
        foreach (cell, b->items)
            ((gh_item *)lfirst(cell))->is_probed = true;
    }
}

/*
 * SECURITY: what a LATERAL or correlated query computes from the columns of a query around it PostgreSQL puts in place
 * of its own columns, so a condition on these meets the rows there: push.c has to know. `found`: where the name is;
 * NULL: that is not certain. Attack: tests/attack early-predicates.
 */
static void note_outer(gh_judge *j, const gh_block *found)
{
    for (gh_block *b = j->block; b != NULL && b != found; b = b->outer)
        b->reads_outer = true;
}

/* The innermost query that certainly has the name. */
static const gh_block *block_of(const gh_judge *j, const char *name)
{
    for (const gh_block *b = j->block; b != NULL; b = b->outer) {
        ListCell *cell;

        foreach (cell, b->items) {
            const gh_item *item = lfirst(cell);

            if (has_column(j, item, name) ||
                (item->alias != NULL && strcmp(item->alias, name) == 0))
                return b;
        }
    }
    return NULL;
}

/* A join's alias leads to whatever the join holds. */
static void use_join(const gh_item *join)
{
    ListCell *cell;

    foreach (cell, join->block->items) {
        gh_item *item = lfirst(cell);

        item->has_star |= item->is_covered;
    }
}

gh_item *gh_judge_find_item(gh_judge *j, const char *alias, gh_block **block)
{
    for (gh_block *b = j->block; b != NULL; b = b->outer) {
        ListCell *cell;

        foreach (cell, b->items) {
            gh_item *item = lfirst(cell);

            if (item->alias != NULL && strcmp(item->alias, alias) == 0) {
                if (block != NULL)
                    *block = b;
                return item;
            }
        }
    }
    return NULL;
}

/* schema.relation.column, as PostgreSQL's refnameNamespaceItem finds it: by the relation, never an
 * alias. */
static gh_item *find_by_schema(gh_judge *j, const char *schema, const char *name)
{
    for (gh_block *b = j->block; b != NULL; b = b->outer) {
        ListCell *cell;

        foreach (cell, b->items) {
            gh_item *item = lfirst(cell);

            if (item->relation != NULL && !item->has_alias && !item->is_covered &&
                gh_str_is(item->relation->name, name) &&
                (gh_str_is(item->relation->schema, schema) ||
                 (item->relation->is_temporary && gh_temporary_is_schema(j, gh_str_of(schema)))))
                return item;
        }
    }
    return NULL;
}

gh_item *gh_reference_item(gh_judge *j, const ColumnRef *ref)
{
    int count = list_length(ref->fields);

    if (count == 2)
        return gh_judge_find_item(j, strVal(linitial(ref->fields)), NULL);
    if (count < 2 || count > 4 ||
        (count == 4 && !gh_str_is(j->in->database, strVal(linitial(ref->fields)))))
        return NULL;
    return find_by_schema(j, strVal(list_nth(ref->fields, count - 3)),
                          strVal(list_nth(ref->fields, count - 2)));
}

static void note_unqualified(gh_judge *j, Node *field)
{
    if (IsA(field, String)) {
        probe(j, strVal(field));
        note_outer(j, block_of(j, strVal(field)));
    }
    for (gh_block *b = j->block; b != NULL; b = b->outer) {
        ListCell *cell;

        foreach (cell, b->items) {
            gh_item *item = lfirst(cell);

            if (IsA(field, A_Star)) {
                item->has_star = true;
                continue;
            }
            use_name(item, strVal(field), j->block->is_condition);
            /* A bare alias is the whole row. */
            if (item->alias != NULL && strcmp(item->alias, strVal(field)) == 0)
                item->has_star = true;
        }
        if (IsA(field, A_Star))
            break;
    }
}

static void note_qualified(gh_judge *j, gh_item *item, Node *field)
{
    if (item->is_join)
        use_join(item);
    /* What is no column may be a function, and t.f is f(t). */
    if (IsA(field, A_Star) ||
        (item->relation != NULL && !gh_write_is_system_column(strVal(field)) &&
         gh_relation_column(item->relation, gh_str_of(strVal(field))) == NULL))
        item->has_star = true;
    else
        use_name(item, strVal(field), j->block->is_condition);
}

/* `db.schema.rel.col` and `schema.rel.col` become `rel.col`, the name by which the sub-select
 * stands. */
static void strip_schema(gh_judge *j, ColumnRef *ref)
{
    int count = list_length(ref->fields);
    int drop = count - 2;
    size_t token = gh_judge_token(j, ref->location);
    const char *schema = strVal(list_nth(ref->fields, count - 3));
    const char *name = strVal(list_nth(ref->fields, count - 2));
    gh_item *item = find_by_schema(j, schema, name);

    if (count == 4 && !gh_str_is(j->in->database, strVal(linitial(ref->fields)))) {
        gh_judge_refuse(j, GH_INVALID, "0A000", ref->location,
                        "cross-database references are not implemented");
        return;
    }
    if (item == NULL || token == SIZE_MAX) {
        gh_judge_refuse(j, GH_INVALID, "42P01", ref->location,
                        "missing FROM-clause entry for table \"%s\"", name);
        return;
    }
    note_outer(j, item->block);
    note_qualified(j, item, llast(ref->fields));
    ref->fields = list_copy_tail(ref->fields, drop);
    if (item->invented != NULL) {
        linitial(ref->fields) = makeString(pstrdup(item->invented));
        gh_judge_edit(j, token, token + 2 * (size_t)drop + 1,
                      gh_judge_ident(j, gh_str_of(item->invented)));
    } else {
        gh_judge_edit(j, token, token + 2 * (size_t)drop, "");
        /* What a write puts in its place begins behind that edit. */
        if (gh_judge_is_of_write(j))
            ref->location = (int)j->text->tokens[token + 2 * (size_t)drop].start;
    }
}

/* Does the reference mean something of this very part of FROM? */
static bool is_of_part(gh_judge *j, const ColumnRef *ref)
{
    const char *name = strVal(linitial(ref->fields));
    const gh_item *named =
        list_length(ref->fields) > 2 ? gh_reference_item(j, ref) : NULL; /* with its schema */
    ListCell *cell;

    foreach (cell, j->block->items) {
        const gh_item *item = lfirst(cell);

        if (named != NULL && item == named)
            return true;
        if (list_length(ref->fields) > 2)
            continue;
        if (list_length(ref->fields) > 1
                ? item->alias != NULL && strcmp(item->alias, name) == 0
                : (item->result != NULL ? !item->is_covered
                                        : item->relation != NULL && !item->is_renamed) &&
                      has_column(j, item, name))
            return true;
    }
    return false;
}

/*
 * Is it a column of a query further out, by an alias? What a part of FROM does not see of its own query may have that alias,
 * too, and would be what is found when all of FROM is in scope; so the alias is looked for then: gh_reference_settle.
 */
static bool is_of_outer_query(gh_judge *j, const ColumnRef *ref)
{
    gh_block *found = NULL;
    char *alias = strVal(linitial(ref->fields));

    if (list_length(ref->fields) != 2 || j->block->select == NULL ||
        gh_judge_find_item(j, alias, &found) == NULL || found == j->block)
        return false;
    j->block->outer_aliases = lappend(j->block->outer_aliases, alias);
    return true;
}

static void expose_block(gh_judge *j)
{
    j->block->has_unsafe = true;
    j->is_unsafe = true;
}

void gh_reference_settle(gh_judge *j)
{
    ListCell *alias;
    ListCell *cell;

    foreach (alias, j->block->outer_aliases) {
        foreach (cell, j->block->items) {
            const gh_item *item = lfirst(cell);

            if (item->alias != NULL && strcmp(item->alias, lfirst(alias)) == 0)
                expose_block(j);
        }
    }
}

/* The only item that a bare name of a system column can be of. */
static const gh_item *only_item(const gh_judge *j)
{
    const gh_block *b = j->block;

    while (b != NULL && b->items == NIL)
        b = b->outer;
    return b != NULL && list_length(b->items) == 1 ? linitial(b->items) : NULL;
}

void gh_judge_column_ref(gh_judge *j, ColumnRef *ref)
{
    int count = list_length(ref->fields);
    ListCell *cell;

    foreach (cell, ref->fields) {
        if (!IsA(lfirst(cell), String) && !IsA(lfirst(cell), A_Star)) {
            gh_judge_refuse(j, GH_DENIED, "42501", ref->location,
                            "the statement uses a construct that is not allowed");
            return;
        }
    }
    /* What is safe is judged when all of FROM is in scope, where this name may mean another column. */
    if (j->block->is_part && IsA(linitial(ref->fields), String) && !is_of_part(j, ref) &&
        !is_of_outer_query(j, ref))
        expose_block(j);
    if (count == 1) {
        const gh_item *item = only_item(j);

        note_unqualified(j, linitial(ref->fields));
        if (item != NULL && IsA(linitial(ref->fields), String))
            gh_system_column_refuse(j, item, ref);
    } else if (count == 2) {
        gh_block *found = NULL;
        gh_item *item = gh_judge_find_item(j, strVal(linitial(ref->fields)), &found);

        note_outer(j, found);
        if (item != NULL) {
            note_qualified(j, item, lsecond(ref->fields));
            if (IsA(lsecond(ref->fields), String))
                gh_system_column_refuse(j, item, ref);
        } else { /* a join's alias, or a composite column: whatever it may reach counts as read */
            note_unqualified(j, (Node *)makeNode(A_Star));
        }
    } else if (count <= 4) {
        strip_schema(j, ref);
    } else {
        gh_judge_refuse(j, GH_INVALID, "42601", ref->location,
                        "improper qualified name (too many dotted names)");
    }
}

void gh_reference_note_using(gh_judge *j, const JoinExpr *join)
{
    ListCell *name;

    foreach (name, join->usingClause) {
        ListCell *cell;

        foreach (cell, j->block->items) {
            gh_item *item = lfirst(cell);

            use_name(item, strVal(lfirst(name)), true);
            item->is_probed |= !has_column(j, item, strVal(lfirst(name)));
        }
    }
}
