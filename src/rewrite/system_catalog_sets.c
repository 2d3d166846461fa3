/*
 * What a user may see, as arrays of OIDs that the templates of system_catalog_macros.c use.
 *
 *     policy view + catalog snapshot ──▶ rels  full  keys  types  funcs  schemas ──▶ '{1,2,3}'::oid[]
 *
 * Objects of initdb (OID below 16384) are the same on every server of that version, so they are visible to
 * all, rows of theirs that hold values aside. Everything else is visible only if it is in an array, or
 * reached from one by a condition that looks at every column involved (indexes, constraints).
 *
 * SECURITY: the arrays name what is visible, never what is hidden, so that an object made after the
 * snapshot is not there. Attack: tests/attack corpora catalog, stats, exists.
 */
#include "system_catalog.h"

#define OID_PG_TOAST 99
#define ATTRIBUTES   2048 /* a relation has 1,600 at most */

typedef struct gh_numbers {
    int64_t *items;
    size_t count;
    size_t cap;
} gh_numbers;

/* The arrays, by the names that templates have for them. */
typedef enum gh_set {
    SET_RELS = 0, /* OIDs of granted relations and of composite types */
    SET_FULLS,
    SET_KEYS, /* relation * ATTRIBUTES + attnum */
    SET_TYPES,
    SET_FUNCS,
    SET_SCHEMAS,
    SET_MAY, /* and those behind it, by privilege bit: OIDs of relations */
    SETS = SET_MAY + 5
} gh_set;

static const char *const s_set_names[SETS] = { "rels",  "fulls", "keys",
                                               "types", "funcs", "visible_schemas",
                                               "may0",  "may1",  "may2",
                                               "may3",  "may4" };

struct gh_system_sets {
    gh_numbers of[SETS];
    gh_numbers withheld; /* types of columns that do not show */
    const char *sql[SETS];
};

static void add(gh_numbers *n, int64_t value)
{
    if (n->count == n->cap) {
        n->cap = n->cap == 0 ? 64 : n->cap * 2;
        n->items = n->items == NULL ? palloc(n->cap * sizeof(int64_t))
                                    : repalloc(n->items, n->cap * sizeof(int64_t));
    }
    n->items[n->count++] = value;
}

static bool contains(const gh_numbers *n, int64_t value)
{
    for (size_t i = 0; i < n->count; i++) {
        if (n->items[i] == value)
            return true;
    }
    return false;
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static void sort(gh_numbers *n)
{
    if (n->count != 0)
        qsort(n->items, n->count, sizeof(int64_t), compare);
}

static void put_number(gh_buf *b, bool is_first, int64_t value)
{
    char digits[24];
    char *at = digits + sizeof(digits);
    uint64_t left = (uint64_t)value;

    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left != 0);
    if (!is_first)
        gh_buf_put_u8(b, ',');
    gh_buf_put(b, at, (size_t)(digits + sizeof(digits) - at));
}

/* '{1,2,3}'::pg_catalog.oid[], of sorted ones */
static const char *array_of(const gh_numbers *n)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    gh_buf_puts(&b, "CAST('{");
    for (size_t i = 0; i < n->count; i++) {
        if (i == 0 || n->items[i] != n->items[i - 1])
            put_number(&b, i == 0, n->items[i]);
    }
    gh_buf_puts(&b, "}' AS pg_catalog.oid[])");
    return gh_judge_take(&b);
}

/*
 * Numbers that follow one another, as where they begin and where they have ended: of {5,6,7,9} '{5,8,9,10}'. Of a
 * number that is one of them width_bucket() counts an odd number of these. A table of which all columns show
 * is two numbers, however many those are.
 */
static const char *ranges_of(const gh_numbers *n)
{
    bool is_first = true;
    gh_buf b;

    gh_buf_init(&b, 0);
    gh_buf_puts(&b, "CAST('{");
    for (size_t i = 0; i < n->count; i++) {
        if (i == 0 || n->items[i] > n->items[i - 1] + 1) {
            put_number(&b, is_first, n->items[i]);
            is_first = false;
        }
        if (i + 1 == n->count || n->items[i + 1] > n->items[i] + 1)
            put_number(&b, false, n->items[i] + 1);
    }
    gh_buf_puts(&b, "}' AS pg_catalog.int8[])");
    return gh_judge_take(&b);
}

/* ---- what is visible ------------------------------------------------------------------------------ */

static bool is_system_schema(gh_str schema)
{
    return (schema.len >= 3 && memcmp(schema.ptr, "pg_", 3) == 0) ||
           gh_str_is(schema, "information_schema");
}

static int64_t key_of(const gh_relation *r, const gh_column *c)
{
    return (int64_t)r->oid * ATTRIBUTES + c->attnum;
}

static void see_type(const gh_judge *j, gh_system_sets *s, gh_oid oid);

/* The columns of a composite type that no table has: nothing of it is governed. */
static void see_composite(const gh_judge *j, gh_system_sets *s, const gh_relation *r)
{
    if (r == NULL || r->kind != 'c')
        return;
    add(&s->of[SET_RELS], r->oid);
    add(&s->of[SET_FULLS], r->oid);
    for (uint16_t i = 0; i < r->column_count; i++) {
        add(&s->of[SET_KEYS], key_of(r, &r->columns[i]));
        see_type(j, s, r->columns[i].type_oid);
    }
}

/* A type that something visible is of, with those that it is made of. */
static void see_type(const gh_judge *j, gh_system_sets *s, gh_oid oid)
{
    const gh_type *t;
    const gh_relation *r;

    if (oid < GH_OID_MADE_MIN || contains(&s->of[SET_TYPES], oid))
        return;
    t = gh_catalog_type_by_oid(j->in->catalog, oid);
    if (t == NULL)
        return;
    r = t->relation != 0 ? gh_catalog_relation_by_oid(j->in->catalog, t->relation) : NULL;
    if (t->relation != 0 && (r == NULL || r->kind != 'c'))
        return; /* a table's row: visible with the table */
    add(&s->of[SET_TYPES], oid);
    see_composite(j, s, r);
    if (t->array != 0)
        add(&s->of[SET_TYPES], t->array);
    see_type(j, s, t->element);
    see_type(j, s, t->base);
}

static void see_schema(const gh_judge *j, gh_system_sets *s, gh_str name)
{
    gh_oid oid = gh_catalog_schema(j->in->catalog, name);

    if (oid != 0 && !contains(&s->of[SET_SCHEMAS], oid))
        add(&s->of[SET_SCHEMAS], oid);
}

gh_oid gh_system_temporary_schema(const gh_judge *j)
{
    const gh_str *names;
    size_t count = 0;

    if (j->in->temporary == NULL || j->is_policy)
        return 0;
    names = gh_catalog_schemas(j->in->temporary, &count);
    return count == 1 ? gh_catalog_schema(j->in->temporary, names[0]) : 0;
}

static void see_columns(const gh_judge *j, gh_system_sets *s, const gh_relation *r,
                        const gh_decision *d)
{
    for (uint16_t i = 0; i < r->column_count; i++) {
        if (d->columns[i].show == GH_HIDDEN && !d->columns[i].is_writable[1] &&
            !d->columns[i].is_writable[2])
            continue;
        add(&s->of[SET_KEYS], key_of(r, &r->columns[i]));
        see_type(j, s, r->columns[i].type_oid);
    }
}

static void see_decided(const gh_judge *j, gh_system_sets *s, const gh_relation *r)
{
    const gh_decision *d = gh_judge_decide(j, r);

    if (!d->exists || d->column_count != r->column_count)
        return;
    add(&s->of[SET_RELS], r->oid);
    if (d->is_full)
        add(&s->of[SET_FULLS], r->oid);
    for (unsigned bit = 0; bit < SETS - SET_MAY; bit++) {
        if ((d->privileges & (1u << bit)) != 0)
            add(&s->of[SET_MAY + bit], r->oid);
    }
    see_columns(j, s, r, d);
    if (!r->is_temporary)
        see_schema(j, s, r->schema);
}

static void see_relation(const gh_judge *j, gh_system_sets *s, const gh_relation *r)
{
    if (r->kind != '\0' && strchr("rpvmfS", r->kind) != NULL && r->oid >= GH_OID_MADE_MIN &&
        !is_system_schema(r->schema))
        see_decided(j, s, r);
}

/* The session's own temporary relations with their schema and row types; indexes by their tables. */
static void see_temporary(const gh_judge *j, gh_system_sets *s)
{
    size_t count;
    const gh_relation *const *relations;

    if (j->in->temporary == NULL || j->is_policy)
        return;
    relations = gh_catalog_relations(j->in->temporary, &count);
    for (size_t i = 0; i < count; i++) {
        const gh_type *t = gh_catalog_type_by_oid(j->in->temporary, relations[i]->row_type);

        if (strchr("rpvS", relations[i]->kind) == NULL)
            continue;
        see_decided(j, s, relations[i]);
        if (t == NULL)
            continue;
        add(&s->of[SET_TYPES], t->oid);
        if (t->array != 0)
            add(&s->of[SET_TYPES], t->array);
    }
    add(&s->of[SET_SCHEMAS], gh_system_temporary_schema(j));
}

/* The same walk as see_type, of what stays hidden. */
static void withhold(const gh_judge *j, gh_system_sets *s, gh_oid oid)
{
    const gh_type *t;
    const gh_relation *r;

    if (oid < GH_OID_MADE_MIN || contains(&s->withheld, oid))
        return;
    t = gh_catalog_type_by_oid(j->in->catalog, oid);
    if (t == NULL)
        return;
    add(&s->withheld, oid);
    r = t->relation != 0 ? gh_catalog_relation_by_oid(j->in->catalog, t->relation) : NULL;
    for (uint16_t i = 0; r != NULL && r->kind == 'c' && i < r->column_count; i++)
        withhold(j, s, r->columns[i].type_oid);
    withhold(j, s, t->element);
    withhold(j, s, t->base);
}

static void withhold_columns(const gh_judge *j, gh_system_sets *s, const gh_relation *r)
{
    const gh_decision *d;

    if (r->kind == 'c' || r->oid < GH_OID_MADE_MIN || is_system_schema(r->schema))
        return;
    d = gh_view_decide(j->in->view, j->in->catalog, r);
    for (uint16_t i = 0; i < r->column_count; i++) {
        if (d->column_count != r->column_count || d->columns[i].show == GH_HIDDEN)
            withhold(j, s, r->columns[i].type_oid);
    }
}

/* Does a grant name the type, as it names relations? A composite's attributes are its columns. */
static bool is_named(const gh_judge *j, const gh_type *t)
{
    const gh_relation *r;
    const gh_decision *d;

    if (t->kind != 'c')
        return gh_view_names(j->in->view, j->in->catalog, t->schema, t->name);
    r = gh_catalog_relation_by_oid(j->in->catalog, t->relation);
    if (r == NULL || r->kind != 'c')
        return false;
    d = gh_view_decide(j->in->view, j->in->catalog, r);
    if (!d->exists || d->column_count != r->column_count)
        return false;
    for (uint16_t i = 0; i < r->column_count; i++) {
        if (d->columns[i].show == GH_HIDDEN)
            return false;
    }
    return true;
}

/*
 * Types that stand for themselves. What decides is the grants' names alone: were it whether all of the
 * schema's relations show, a type that shows would tell that there are no others.
 */
static void see_named_types(const gh_judge *j, gh_system_sets *s)
{
    size_t count;
    const gh_type *const *all = gh_catalog_types(j->in->catalog, &count);

    for (size_t i = 0; i < count; i++) {
        const gh_type *t = all[i];

        if (t->oid >= GH_OID_MADE_MIN && t->kind != '\0' && strchr("edcrm", t->kind) != NULL &&
            !is_system_schema(t->schema) && !contains(&s->withheld, t->oid) && is_named(j, t))
            see_type(j, s, t->oid);
    }
}

/* Beside a visible type stands what an extension's operators take with it: ltree ~ lquery. */
static void see_operands(const gh_judge *j, gh_system_sets *s)
{
    size_t count;
    const gh_operator *const *all = gh_catalog_all_operators(j->in->catalog, &count);

    for (size_t i = 0; i < count; i++) {
        if (all[i]->oid < GH_OID_MADE_MIN || !all[i]->is_trusted)
            continue;
        if (contains(&s->of[SET_TYPES], all[i]->left))
            see_type(j, s, all[i]->right);
        else if (contains(&s->of[SET_TYPES], all[i]->right))
            see_type(j, s, all[i]->left);
    }
}

/* Row types of visible relations, and their arrays. */
static void see_row_types(const gh_judge *j, gh_system_sets *s)
{
    size_t count = s->of[SET_RELS].count;

    for (size_t i = 0; i < count; i++) {
        const gh_relation *r =
            gh_catalog_relation_by_oid(j->in->catalog, (gh_oid)s->of[SET_RELS].items[i]);
        const gh_type *t = r != NULL && r->row_type != 0
                               ? gh_catalog_type_by_oid(j->in->catalog, r->row_type)
                               : NULL;

        if (t == NULL)
            continue;
        add(&s->of[SET_TYPES], t->oid);
        if (t->array != 0)
            add(&s->of[SET_TYPES], t->array);
    }
}

static void see_functions(const gh_judge *j, gh_system_sets *s)
{
    size_t count;
    const gh_function *const *all = gh_catalog_all_functions(j->in->catalog, &count);

    for (size_t i = 0; i < count; i++) {
        const gh_function *f = all[i];

        if (f->oid < GH_OID_MADE_MIN || !gh_view_allows_function(j->in->view, f->schema, f->name))
            continue;
        add(&s->of[SET_FUNCS], f->oid);
        see_schema(j, s, f->schema);
        see_type(j, s, f->result);
        for (uint16_t k = 0; k < f->arg_count; k++)
            see_type(j, s, f->args[k]);
    }
}

static void see_all(gh_judge *j, gh_system_sets *s)
{
    size_t count;
    const gh_relation *const *relations = gh_catalog_relations(j->in->catalog, &count);

    for (size_t i = 0; i < count; i++) {
        see_relation(j, s, relations[i]);
        withhold_columns(j, s, relations[i]);
    }
    see_temporary(j, s);
    see_functions(j, s);
    see_named_types(j, s);
    see_operands(j, s);
    for (size_t i = 0; i < s->of[SET_TYPES].count; i++) {
        const gh_type *t =
            gh_catalog_type_by_oid(j->in->catalog, (gh_oid)s->of[SET_TYPES].items[i]);

        if (t != NULL)
            see_schema(j, s, t->schema);
    }
    see_row_types(j, s);
    add(&s->of[SET_SCHEMAS], OID_PG_TOAST); /* as pg_catalog: initdb's relations are in it */
    see_schema(j, s, GH_STR("pg_catalog"));
    see_schema(j, s, GH_STR("information_schema"));
    see_schema(j, s, GH_STR("public")); /* every database has it, in every client's path */
    for (unsigned i = 0; i < SETS; i++)
        sort(&s->of[i]);
}

/* ---- kept with the view ----------------------------------------------------------------------------- */

/* Without temporary relations all of it follows from view and catalog: the counts, and the numbers behind them. */
static bool recall(const gh_judge *j, gh_system_sets *s)
{
    size_t size = gh_view_kept(j->in->view, j->in->catalog, NULL, 0);
    int64_t *numbers;
    size_t at = SETS;

    if (size == 0)
        return false;
    numbers = palloc(size);
    if (gh_view_kept(j->in->view, j->in->catalog, numbers, size) != size)
        return false; /* another catalog came meanwhile */
    for (unsigned i = 0; i < SETS; i++) {
        s->of[i] = (gh_numbers){ numbers + at, (size_t)numbers[i], (size_t)numbers[i] };
        at += (size_t)numbers[i];
    }
    GH_ASSERT(at * sizeof(*numbers) == size);
    return true;
}

static void keep(const gh_judge *j, const gh_system_sets *s)
{
    size_t count = SETS;
    size_t at = SETS;
    int64_t *numbers;

    for (unsigned i = 0; i < SETS; i++)
        count += s->of[i].count;
    numbers = palloc(count * sizeof(*numbers));
    for (unsigned i = 0; i < SETS; i++) {
        numbers[i] = (int64_t)s->of[i].count;
        if (s->of[i].count != 0)
            memcpy(numbers + at, s->of[i].items, s->of[i].count * sizeof(*numbers));
        at += s->of[i].count;
    }
    gh_view_keep(j->in->view, j->in->catalog, numbers, count * sizeof(*numbers));
}

static gh_system_sets *sets_of(gh_judge *j)
{
    gh_system_sets *s;

    if (j->sets != NULL)
        return j->sets;
    s = palloc0(sizeof(*s));
    if (j->in->temporary != NULL) {
        see_all(j, s);
    } else if (!recall(j, s)) {
        see_all(j, s);
        keep(j, s);
    }
    j->sets = s;
    return s;
}

/* Written when it is asked for: few templates use all of them. */
static const char *sql_of(gh_judge *j, unsigned set)
{
    gh_system_sets *s = sets_of(j);

    if (s->sql[set] == NULL)
        s->sql[set] = set == SET_KEYS ? ranges_of(&s->of[set]) : array_of(&s->of[set]);
    return s->sql[set];
}

bool gh_system_schema_is_visible(gh_judge *j, gh_oid oid)
{
    return oid != 0 && contains(&sets_of(j)->of[SET_SCHEMAS], oid);
}

bool gh_system_type_is_visible(gh_judge *j, gh_oid oid)
{
    return contains(&sets_of(j)->of[SET_TYPES], oid);
}

/* ---- in templates --------------------------------------------------------------------------------- */

const char *gh_system_set_sql(gh_judge *j, gh_str name)
{
    for (unsigned i = 0; i < SETS; i++) {
        if (!gh_str_is(name, s_set_names[i]))
            continue;
        if (!j->has_sets_beside)
            return sql_of(j, i);
        j->sets_beside |= 1u << i;
        return gh_judge_printf("gu.%s", s_set_names[i]);
    }
    return NULL;
}

/*
 * A long array costs PostgreSQL its reading wherever it stands, so one that stands beside a relation is referred to. The
 * planner puts it where it is meant, and then knows it for a constant.
 */
void gh_system_sets_beside(gh_judge *j)
{
    j->has_sets_beside = true;
    j->sets_beside = 0;
}

char *gh_system_sets_sql(gh_judge *j, const char *glue)
{
    bool is_first = true;
    gh_buf b;

    j->has_sets_beside = false;
    if (j->sets_beside == 0)
        return pstrdup("");
    gh_buf_init(&b, 0);
    gh_buf_printf(&b, "%s(SELECT ", glue);
    for (unsigned i = 0; i < SETS; i++) {
        if ((j->sets_beside & (1u << i)) == 0)
            continue;
        gh_buf_printf(&b, "%s%s AS %s", is_first ? "" : ", ", sql_of(j, i), s_set_names[i]);
        is_first = false;
    }
    gh_buf_puts(&b, ") AS gu");
    return gh_judge_take(&b);
}
