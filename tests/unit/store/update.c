/*
 * Policies by update against policies of the whole: after every random change the next policy, made of
 * the last one and what changed, must say of everyone and everything what a full load and compile says.
 */
#include "world.h"

#include "rounds.h"
#include "store_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static gh_store *s_writer;
static gh_store *s_reader;
static gh_catalog *s_catalog;
static uint32_t s_seed;

static size_t pick(size_t n)
{
    s_seed = s_seed * 1664525u + 1013904223u;
    return (s_seed >> 8) % n;
}

#define PICK(list) (list)[pick(GH_COUNT(list))]

static const char *const s_roles[] = { "r0", "r1", "r2", "r3", "r4", "r5", "both" };
static const char *const s_users[] = { "u0", "u1", "u2", "u3", "both" };
static const char *const s_who[] = { "r0", "r1", "r2", "r3", "r4", "user:u0", "user:u1", "both" };
static const char *const s_tables[] = { "a.t",     "a.*", "*.t",    "w:a.t",
                                        "\"a\".t", "b.t", "w*:b.*", "b.u" };
static const char *const s_columns[] = { "c", "\"c\"", "d", "e" };
static const char *const s_masks[] = { "hash",    "redact",       "null",         "named",
                                       " named ", "value || 'a'", "partial(1,2)", "constant('a')" };
static const char *const s_filters[] = { "", "", "c = 'x'", "d = attr('region')", "e IS NOT NULL" };
static const char *const s_tags[] = { "pii", "money" };
static const char *const s_patterns[] = { "a.t.c", "a.t.d", "*.*.e", "b.*.c", "w:b.u.c" };
static const char *const s_attributes[] = { "region", "team" };

static void add_relation(gh_catalog_builder *b, gh_oid oid, const char *schema, const char *name)
{
    static const char *const names[] = { "c", "d", "e", "id" };
    gh_column columns[4] = { 0 };
    gh_relation r = { .oid = oid,
                      .schema_oid = (gh_oid)schema[0],
                      .schema = gh_str_of(schema),
                      .name = gh_str_of(name),
                      .kind = name[0] == 'u' ? 'v' : 'r',
                      .columns = columns,
                      .column_count = 4 };

    for (size_t i = 0; i < 4; i++)
        columns[i] = (gh_column){ .name = gh_str_of(names[i]),
                                  .attnum = (int16_t)(i + 1),
                                  .type_oid = 25,
                                  .typmod = -1,
                                  .type_sql = GH_STR("text") };
    gh_catalog_add_relation(b, &r);
}

static void setup(void)
{
    gh_catalog_builder *b = gh_catalog_builder_new();

    world_setup();
    s_writer = world_open(GH_STORE_CREATE);
    /* Thousands of changes: what a crash would leave is not the question here. */
    ck_assert_int_eq(sqlite3_exec(s_writer->db, "PRAGMA synchronous = OFF", NULL, NULL, NULL), 0);
    s_reader = world_open(GH_STORE_READ);
    gh_catalog_add_schema(b, 'a', GH_STR("a"));
    gh_catalog_add_schema(b, 'b', GH_STR("b"));
    add_relation(b, 16400, "a", "t");
    add_relation(b, 16401, "a", "u");
    add_relation(b, 16402, "b", "t");
    add_relation(b, 16403, "b", "u");
    s_catalog = gh_catalog_builder_finish(b, 1);
}

static void teardown(void)
{
    gh_catalog_release(s_catalog);
    gh_store_close(s_reader);
    gh_store_close(s_writer);
    world_teardown();
}

/* ---- all that a policy says, as text --------------------------------------------------------- */

static void put_set(gh_buf *b, const gh_decision *d, gh_filter_set set)
{
    gh_buf_puts(b, "(");
    for (uint16_t i = 0; i < set.count; i++) {
        gh_buf_put_str(b, d->filters[set.items[i]]);
        gh_buf_puts(b, ";");
    }
    gh_buf_puts(b, ")");
}

static void put_column(gh_buf *b, const gh_decision *d, const gh_column_decision *c)
{
    gh_buf_printf(b, " show %d null", (int)c->show);
    put_set(b, d, c->null_where);
    for (uint16_t i = 0; i < c->arm_count; i++) {
        const gh_mask *m = c->arms[i].mask;

        gh_buf_printf(b, " arm %d", c->arms[i].is_always);
        put_set(b, d, c->arms[i].when);
        if (m != NULL)
            gh_buf_printf(b, "%d " GH_STR_FMT " " GH_STR_FMT " %lld %lld", (int)m->kind,
                          GH_STR_ARG(m->name), GH_STR_ARG(m->expr), (long long)m->a,
                          (long long)m->b);
    }
    for (size_t i = 0; i < 5; i++) {
        gh_buf_printf(b, " w%d", c->is_writable[i]);
        put_set(b, d, c->deny_where[i]);
    }
}

static void put_decision(gh_buf *b, const gh_decision *d)
{
    gh_buf_printf(b, " exists %d through %d privileges %u full %d open %d every %d all %d",
                  d->exists, d->is_through, d->privileges, d->is_full, d->is_open, d->is_every_row,
                  d->rows_all);
    put_set(b, d, d->rows);
    put_set(b, d, d->row_denies);
    for (size_t i = 0; i < 5; i++)
        put_set(b, d, d->deny_rows[i]);
    for (uint16_t i = 0; i < d->column_count; i++)
        put_column(b, d, &d->columns[i]);
    for (uint16_t i = 0; i < d->write_count; i++) {
        const gh_write_grant *g = &d->writes[i];

        gh_buf_printf(b, " write %lld %u %d %d %d ", (long long)g->grant_id, g->privileges,
                      g->is_every_row, g->is_blind, g->columns[0]);
        if (!g->is_every_row)
            gh_buf_put_str(b, d->filters[g->filter]);
    }
    for (uint16_t i = 0; i < d->grant_count; i++)
        gh_buf_printf(b, " #%lld", (long long)d->grant_ids[i]);
    gh_buf_puts(b, "\n");
}

static void put_view(gh_buf *b, gh_view *v)
{
    gh_str_list roles = gh_view_roles(v);
    size_t count;
    const gh_relation *const *all = gh_catalog_relations(s_catalog, &count);

    gh_buf_printf(b, "may %u any %d until %lld version %" PRIu64 " roles", gh_view_may(v),
                  gh_view_has_any_grant(v), (long long)gh_view_valid_until(v),
                  gh_view_policy_version(v));
    for (size_t i = 0; i < roles.count; i++)
        gh_buf_printf(b, " " GH_STR_FMT, GH_STR_ARG(roles.items[i]));
    for (size_t i = 0; i < GH_COUNT(s_attributes); i++) {
        const gh_acl_attribute *a = gh_view_attribute(v, gh_str_of(s_attributes[i]));

        for (size_t j = 0; a != NULL && j < a->values.count; j++)
            gh_buf_printf(b, " %s=" GH_STR_FMT, s_attributes[i], GH_STR_ARG(a->values.items[j]));
    }
    gh_buf_printf(b, " f %d g %d", gh_view_allows_function(v, GH_STR("app"), GH_STR("f")),
                  gh_view_allows_function(v, GH_STR("app"), GH_STR("g")));
    for (size_t i = 0; i < count; i++) {
        gh_arena *a = gh_arena_new(0);
        int64_t until = 0;
        const gh_str *sources = gh_view_sources(v, s_catalog, all[i], a, &until);

        gh_buf_printf(b, "\n  %zu until %lld", i, (long long)until);
        for (size_t j = 0; j < 4; j++)
            gh_buf_printf(b, " %zu words",
                          sources[j].len); /* roles in the order of their numbers */
        put_decision(b, gh_view_decide(v, s_catalog, all[i]));
        gh_arena_free(a);
    }
}

static void put_user(gh_buf *b, gh_policy *p, gh_str name, int64_t now)
{
    const gh_policy_user *u = gh_policy_user_find(p, name);

    gh_buf_printf(b, "user " GH_STR_FMT " at %lld: ", GH_STR_ARG(name), (long long)now);
    if (u != NULL)
        gh_buf_printf(b, "disabled %d " GH_STR_FMT " ", u->is_disabled, GH_STR_ARG(u->verifier));
    for (size_t i = 0; i < 2; i++) {
        gh_view *v = gh_view_new(p, i == 0 ? GH_STR("w") : GH_STR("other"), name, now);

        put_view(b, v);
        gh_view_release(v);
    }
}

static gh_str said(gh_policy *p)
{
    static const int64_t times[] = { 0, 2, 100 };
    gh_buf b;

    gh_buf_init(&b, 0);
    gh_buf_printf(&b, "%" PRIu64 "\n", gh_policy_version(p));
    for (size_t i = 0; i < GH_COUNT(s_users); i++)
        for (size_t j = 0; j < GH_COUNT(times); j++)
            put_user(&b, p, gh_str_of(s_users[i]), times[j]);
    put_user(&b, p, GH_STR("nobody"), 0);
    gh_str text = gh_arena_dup(world_arena(), gh_buf_str(&b));
    gh_buf_fini(&b);
    return text;
}

/* From the line on in which it differs from the other. */
static const char *difference(gh_str text, gh_str other)
{
    size_t line = 0;

    for (size_t i = 0; i < text.len && i < other.len && text.ptr[i] == other.ptr[i]; i++)
        line = text.ptr[i] == '\n' ? i + 1 : line;
    return text.ptr + line;
}

/* ---- random changes -------------------------------------------------------------------------- */

static void *keep(const void *thing, size_t size)
{
    void *copy = gh_arena_alloc(world_arena(), size);

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, thing, size);
    return copy;
}

static gh_acl_rule random_rule(void)
{
    gh_acl_rule r = rule_of(PICK(s_who), PICK(s_tables));
    gh_acl_column_mask mask = { gh_str_of(PICK(s_columns)), gh_str_of(PICK(s_masks)) };

    if (pick(3) == 0) {
        r.to = list_of("r1 user:u0 r3");
        r.tables = list_of("b.t a.* w:a.u");
    }
    r.is_deny = pick(5) == 0;
    r.privileges = pick(3) == 0   ? GH_UPDATE | GH_SELECT
                   : pick(5) == 0 ? GH_ALL_PRIVILEGES
                                  : GH_SELECT;
    r.rows = gh_str_of(PICK(s_filters));
    if (!r.is_deny && pick(3) == 0) {
        r.masks = keep(&mask, sizeof(mask));
        r.mask_count = 1;
    } else if (r.is_deny && pick(2) == 0) {
        r.tags = list_of(PICK(s_tags));
    } else if (pick(2) == 0) {
        r.has_columns = true;
        r.is_except = pick(3) == 0;
        r.columns = list_of(pick(2) == 0 ? "c" : "d id");
    }
    r.is_through = !r.is_deny && pick(4) == 0;
    if (pick(3) == 0) {
        r.valid_from = (int64_t)pick(4);
        r.valid_until = (int64_t)pick(6);
    }
    return r;
}

static gh_store_edit random_edit(void)
{
    gh_acl_role role = { .name = gh_str_of(PICK(s_roles)), .may = (uint32_t)pick(16) };
    gh_acl_user user = { .name = gh_str_of(PICK(s_users)), .is_service = pick(2) == 0 };
    gh_str value = gh_str_of(PICK(s_columns));
    gh_acl_attribute attribute = { .name = gh_str_of(PICK(s_attributes)),
                                   .is_list = pick(2) == 0,
                                   .values = { keep(&value, sizeof(value)), 1 } };
    gh_acl_mask_def mask = { .name = GH_STR("named"),
                             .expr = gh_str_of(pick(2) == 0 ? "value || 'n'" : "hash") };
    gh_acl_rule rule = random_rule();
    gh_store_act act = pick(3) == 0 ? GH_STORE_DROP : pick(2) == 0 ? GH_STORE_PUT : GH_STORE_ADD;
    gh_store_edit e = { .act = act, .is_cascade = pick(2) == 0 };

    switch (pick(12)) {
    case 0:
        e.thing = GH_STORE_ROLE;
        e.name = role.name;
        e.of.role = keep(&role, sizeof(role));
        break;
    case 1:
        e.thing = GH_STORE_USER;
        e.name = user.name;
        e.of.user = keep(&user, sizeof(user));
        break;
    case 2:
    case 3:
    case 4:
        e.thing = GH_STORE_MEMBER;
        e.name = gh_str_of(PICK(s_who));
        e.other = gh_str_of(PICK(s_roles));
        break;
    case 5:
        e.thing = GH_STORE_ATTRIBUTE;
        e.name = user.name;
        e.other = attribute.name;
        e.of.attribute = keep(&attribute, sizeof(attribute));
        break;
    case 6:
        e.thing = GH_STORE_TAG;
        e.name = gh_str_of(PICK(s_tags));
        break;
    case 7:
        e.thing = GH_STORE_TAG_COLUMN;
        e.name = gh_str_of(PICK(s_tags));
        e.other = gh_str_of(PICK(s_patterns));
        break;
    case 8:
        e.act = GH_STORE_PUT;
        e.thing = GH_STORE_MASK;
        e.name = mask.name;
        e.of.mask = keep(&mask, sizeof(mask));
        break;
    default:
        e.thing = GH_STORE_RULE;
        e.act = pick(3) == 0 ? GH_STORE_DROP : GH_STORE_ADD;
        e.id = e.act == GH_STORE_DROP ? 1 + (int64_t)pick(60) : 0;
        e.of.rule = keep(&rule, sizeof(rule));
        break;
    }
    return e;
}

/* What only policy files can say: masks of tags, functions; and many things at once. */
static void random_apply(void)
{
    gh_str pattern = gh_str_of(PICK(s_patterns));
    gh_str name = GH_STR("filed");
    gh_acl_role role = { .name = name, .may = (uint32_t)pick(16) };
    gh_acl_tag filed = { .name = GH_STR("filed"), .columns = { &pattern, 1 } };
    gh_acl_masking masking = { .tag = filed.name,
                               .mask = GH_STR("redact"),
                               .except = { &name, pick(2) } };
    gh_acl_function function = { .to = { &name, 1 },
                                 .allow = list_of(pick(2) == 0 ? "app.f" : "app.*") };
    gh_acl_rule rules[3] = { random_rule(), random_rule(), random_rule() };
    gh_acl files = { .roles = &role,
                     .role_count = 1,
                     .tags = &filed,
                     .tag_count = 1,
                     .masking = &masking,
                     .masking_count = pick(2),
                     .functions = &function,
                     .function_count = pick(2),
                     .rules = rules,
                     .rule_count = 3 };
    gh_store_summary s;

    for (size_t i = 0; i < 3; i++) {
        rules[i].to = (gh_str_list){ &name, 1 };
        rules[i].tags = (gh_str_list){ 0 };
        rules[i].is_deny = false;
    }
    gh_store_summary_init(&s);
    (void)!gh_store_apply(s_writer, &files, 0, &world_author, &s, NULL);
    gh_store_summary_fini(&s);
}

static void random_change(void)
{
    gh_store_changes changes = { 0 };
    gh_store_edit edits[3];
    size_t count = pick(3) == 0 ? 3 : 1;
    uint64_t version = 0;
    bool is_changed;

    switch (pick(16)) {
    case 0:
        random_apply();
        return;
    case 1:
        (void)!gh_store_user_set_verifier(s_writer, gh_str_of(PICK(s_users)),
                                          gh_str_of(PICK(s_columns)), &world_author, NULL);
        return;
    case 2:
        (void)!gh_store_user_set_disabled(s_writer, gh_str_of(PICK(s_users)), pick(2) == 0,
                                          &world_author, &is_changed, NULL);
        return;
    case 3:
        if (pick(4) == 0 && gh_store_version(s_writer, &version, NULL) == GH_OK && version > 0)
            (void)!gh_store_rollback(s_writer, version - pick(version < 20 ? version : 20),
                                     &world_author, world_arena(), &changes, NULL);
        return;
    default:
        for (size_t i = 0; i < count; i++)
            edits[i] = random_edit();
        (void)!gh_store_edit_all(s_writer, edits, count, &world_author, world_arena(), &changes,
                                 NULL);
        return;
    }
}

static gh_policy *whole(void)
{
    gh_store *st = world_open(GH_STORE_READ); /* of its own: the reader remembers what it loaded */
    gh_policy *p = NULL;
    gh_acl acl = { 0 };
    gh_err err = { 0 };

    ck_assert_msg(gh_store_load(st, world_arena(), &acl, &err) == GH_OK, "%s", err.public_msg);
    ck_assert_msg(gh_policy_compile(&acl, &p, &err) == GH_OK, "%s", err.public_msg);
    gh_store_close(st);
    return p;
}

static gh_policy *first(void)
{
    gh_policy *p = NULL;
    gh_acl acl = { 0 };

    ck_assert_int_eq(gh_store_load(s_reader, world_arena(), &acl, NULL), GH_OK);
    ck_assert_int_eq(gh_policy_compile(&acl, &p, NULL), GH_OK);
    return p;
}

/* The next policy by update, NULL: it asks for the whole. */
static gh_policy *next(gh_policy *last, gh_err *err)
{
    gh_acl_change change = { 0 };
    gh_policy *p = NULL;
    gh_rc rc = gh_store_load_change(s_reader, gh_policy_version(last), world_arena(), &change, err);

    if (rc == GH_OK)
        rc = gh_policy_update(last, &change, &p, err);
    ck_assert_msg(rc == GH_OK || rc == GH_AGAIN, "%s: %s", gh_rc_name(rc), err->public_msg);
    return rc == GH_OK ? p : NULL;
}

/*
 * Views of the last policy that say they follow must say what new ones do. The time is one at which
 * both hold. How many follow.
 */
static size_t compare_views(gh_policy *last, gh_policy *p)
{
    size_t count = 0;

    for (size_t i = 0; i < GH_COUNT(s_users); i++) {
        gh_view *old = gh_view_new(last, GH_STR("w"), gh_str_of(s_users[i]), 2);
        gh_view *followed = gh_view_follow(old, p, 3);
        gh_buf said_by[2];

        if (followed != NULL) {
            gh_view *made = gh_view_new(p, GH_STR("w"), gh_str_of(s_users[i]), 3);

            gh_buf_init(&said_by[0], 0);
            gh_buf_init(&said_by[1], 0);
            put_view(&said_by[0], followed);
            put_view(&said_by[1], made);
            ck_assert(gh_str_eq(gh_buf_str(&said_by[0]), gh_buf_str(&said_by[1])));
            gh_buf_fini(&said_by[0]);
            gh_buf_fini(&said_by[1]);
            gh_view_release(made);
            count++;
        }
        gh_view_release(followed);
        gh_view_release(old);
    }
    return count;
}

START_TEST(updates_agree_with_the_whole)
{
    gh_policy *last;
    size_t updated = 0;
    size_t whole_ones = 0;
    size_t followed = 0;

    s_seed = (uint32_t)_i + 1;
    for (size_t i = 0; i < 40; i++)
        random_change();
    last = first();
    for (size_t i = 0; i < 400; i++) {
        gh_err err = { 0 };
        uint64_t version = 0;
        gh_policy *p;

        random_change();
        if (pick(4) == 0)
            random_change();
        ck_assert_int_eq(gh_store_version(s_writer, &version, NULL), GH_OK);
        if (version == gh_policy_version(last))
            continue;
        p = next(last, &err);
        if (p != NULL) {
            gh_policy *full = whole();
            gh_str a = said(p);
            gh_str b = said(full);

            if (!gh_str_eq(a, b))
                ck_abort_msg("seed %d, step %zu, version %" PRIu64 ":\n%.500s\n---\n%.500s", _i, i,
                             version, difference(a, b), difference(b, a));
            gh_policy_release(full);
            followed += compare_views(last, p);
            updated++;
        } else {
            p = first();
            whole_ones++;
        }
        gh_policy_release(last);
        last = p;
    }
    gh_policy_release(last);
    ck_assert_uint_gt(updated, 60);
    ck_assert_uint_lt(whole_ones, updated / 4);
    ck_assert_uint_gt(followed, 5);
}
END_TEST

/* ---- when in doubt --------------------------------------------------------------------------- */

static void one_grant(const char *table)
{
    gh_acl_rule r = rule_of("r0", table);
    gh_store_edit e = { .act = GH_STORE_ADD, .thing = GH_STORE_RULE, .of.rule = &r };
    gh_store_changes changes = { 0 };
    gh_err err = { 0 };
    gh_rc rc = gh_store_edit_all(s_writer, &e, 1, &world_author, world_arena(), &changes, &err);

    ck_assert_msg(rc == GH_OK, "%s", err.public_msg);
}

static gh_policy *start(void)
{
    gh_acl_role role = { .name = GH_STR("r0") };
    gh_store_edit e = {
        .act = GH_STORE_ADD, .thing = GH_STORE_ROLE, .name = role.name, .of.role = &role
    };
    gh_store_changes changes = { 0 };

    ck_assert_int_eq(
        gh_store_edit_all(s_writer, &e, 1, &world_author, world_arena(), &changes, NULL), GH_OK);
    one_grant("a.t");
    return first();
}

static void expect_whole(gh_policy *last, const char *why)
{
    gh_err err = { 0 };

    ck_assert_ptr_null(next(last, &err));
    ck_assert_msg(strstr(err.public_msg, why) != NULL, "%s", err.public_msg);
    gh_policy_release(last);
}

START_TEST(the_next_version_only)
{
    expect_whole(start(), "it is not the next version");
}
END_TEST

START_TEST(a_history_with_gaps_is_none)
{
    gh_policy *p = start();

    one_grant("a.u");
    one_grant("b.t");
    (void)world_sql("DELETE FROM history WHERE version = 3");
    expect_whole(p, "the history has gaps");
}
END_TEST

START_TEST(a_history_that_was_changed_is_another_one)
{
    gh_policy *p = start();

    (void)world_sql("UPDATE history SET at = at + 1 WHERE version = 2");
    one_grant("a.u");
    expect_whole(p, "another history");
}
END_TEST

START_TEST(another_key_is_another_base)
{
    gh_policy *p = start();

    (void)world_sql("UPDATE meta SET value = 'ab' || substr(value, 3) WHERE key = 'hash_key'");
    one_grant("a.u");
    expect_whole(p, "another key of the hash mask");
}
END_TEST

/* The same versions in a file of its own, with another content. */
START_TEST(another_file_is_another_base)
{
    gh_policy *p = start();
    gh_view *old;
    gh_policy *other;
    bool is_changed = false;

    gh_store_close(s_writer);
    ck_assert_int_eq(remove(world_path()), 0);
    s_writer = world_open(GH_STORE_CREATE);
    gh_policy_release(start());
    one_grant("a.u");
    ck_assert_int_eq(gh_store_poll(s_reader, &is_changed, NULL), GH_OK);
    ck_assert(is_changed);
    old = gh_view_new(p, GH_STR("w"), GH_STR("u0"), 1);
    other = whole();
    ck_assert_ptr_null(gh_view_follow(old, other, 1));
    gh_view_release(old);
    gh_policy_release(other);
    expect_whole(p, "it is not the next version");
}
END_TEST

START_TEST(many_updates_end_in_a_whole_one)
{
    gh_policy *last = start();
    gh_err err = { 0 };
    size_t i;

    for (i = 0; i < 10000; i++) {
        char table[20];
        gh_policy *p;

        (void)snprintf(table, sizeof(table), "a.x%zu", i);
        one_grant(table);
        p = next(last, &err);
        if (p == NULL)
            break;
        gh_policy_release(last);
        last = p;
    }
    ck_assert_msg(strstr(err.public_msg, "many updates") != NULL, "%zu: %s", i, err.public_msg);
    gh_policy_release(last);
}
END_TEST

Suite *suite_update(void)
{
    Suite *s = suite_create("update");
    TCase *t = tcase_create("update");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, updates_agree_with_the_whole, 0, (int)rounds(10, 200));
    tcase_add_test(t, the_next_version_only);
    tcase_add_test(t, a_history_with_gaps_is_none);
    tcase_add_test(t, a_history_that_was_changed_is_another_one);
    tcase_add_test(t, another_key_is_another_base);
    tcase_add_test(t, another_file_is_another_base);
    tcase_add_test(t, many_updates_end_in_a_whole_one);
    suite_add_tcase(s, t);
    return s;
}
