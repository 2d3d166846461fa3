/*
 * Policy files against the store. Both become items; the difference becomes one transaction.
 *
 *     file item             stored item made by policy files    made on the command line
 *     ─────────             ───────────────────────────────    ────────────────────────
 *     same content          nothing                            nothing (--prune: taken over)
 *     same key              changed                            refused (--prune: taken over)
 *     neither               added                              added
 *     stored, in no file    removed                            kept    (--prune: removed)
 *
 * Grants, maskings and function entries have no names: what the command line made is never in the
 * files' way, and only --prune removes it.
 */
#include "store_priv.h"

#include <stdlib.h>

/* ---- finding an item ------------------------------------------------------------------------- */

/* Open addressing over a list of items: equal items lie on one run of slots. */
typedef struct item_map {
    store_items *items;
    size_t *slots; /* index + 1 */
    size_t mask;
    bool is_by_json;
} item_map;

static uint64_t item_hash(const item_map *m, const store_item *item)
{
    uint64_t seed = (uint64_t)item->kind;

    seed = gh_hash(item->key.ptr, item->key.len, seed);
    return m->is_by_json ? gh_hash(item->json.ptr, item->json.len, seed) : seed;
}

static item_map map_of(store_items *items, bool is_by_json)
{
    item_map m = { .items = items, .is_by_json = is_by_json };
    size_t size = 16;

    while (size < 2 * items->count)
        size *= 2;
    m.mask = size - 1;
    m.slots = gh_realloc_array(NULL, size, sizeof(*m.slots));
    memset(m.slots, 0, size * sizeof(*m.slots));
    for (size_t i = 0; i < items->count; i++) {
        size_t at = item_hash(&m, &items->list[i]) & m.mask;
        while (m.slots[at] != 0)
            at = (at + 1) & m.mask;
        m.slots[at] = i + 1;
    }
    return m;
}

/* The first item like `like` that is not matched yet and has the origin. */
static store_item *map_find(const item_map *m, const store_item *like, gh_origin origin)
{
    size_t at = item_hash(m, like) & m->mask;

    for (; m->slots[at] != 0; at = (at + 1) & m->mask) {
        store_item *item = &m->items->list[m->slots[at] - 1];
        if (!item->is_matched && item->origin == origin && item->kind == like->kind &&
            gh_str_eq(item->key, like->key) &&
            (!m->is_by_json || gh_str_eq(item->json, like->json)))
            return item;
    }
    return NULL;
}

/* ---- the difference -------------------------------------------------------------------------- */

typedef struct applying {
    gh_store *st;
    uint32_t flags;
    store_items files;
    store_items stored;
    item_map exact; /* of stored */
    item_map named;
    store_item **changed_from; /* parallel to files: what it changes; NULL: added, or matched */
    store_writer *writer;
    gh_store_summary *out;
    gh_err *err;
} applying;

static bool has_name(store_kind kind)
{
    return kind != STORE_MASKING && kind != STORE_FUNCTION && kind != STORE_RULE;
}

/* A thing said twice in the same words is one thing. */
static void drop_repeated(store_items *files)
{
    item_map m = map_of(files, true);

    for (size_t i = 0; i < files->count; i++)
        files->list[i].is_matched = true;
    for (size_t i = 0; i < files->count; i++) {
        store_item *item = &files->list[i];
        /* Only those before i are unmatched: a hit is an earlier one. */
        if (map_find(&m, item, item->origin) == NULL)
            item->is_matched = false;
    }
    free(m.slots);
}

static void match_equal(applying *p)
{
    for (size_t i = 0; i < p->files.count; i++) {
        store_item *item = &p->files.list[i];
        if (item->is_matched)
            continue;
        store_item *old = map_find(&p->exact, item, GH_ORIGIN_POLICY);
        if (old == NULL && has_name(item->kind) && (p->flags & GH_STORE_PRUNE) == 0)
            old = map_find(&p->exact, item, GH_ORIGIN_CLI);
        if (old != NULL) {
            old->is_matched = true;
            item->is_matched = true;
        }
    }
}

static gh_rc match_changed(applying *p)
{
    for (size_t i = 0; i < p->files.count; i++) {
        store_item *item = &p->files.list[i];
        if (item->is_matched)
            continue;
        store_item *old = map_find(&p->named, item, GH_ORIGIN_POLICY);
        if (old == NULL && has_name(item->kind)) {
            old = map_find(&p->named, item, GH_ORIGIN_CLI);
            if (old != NULL && (p->flags & GH_STORE_PRUNE) == 0)
                return gh_fail(p->err, GH_INVALID, "42710",
                               GH_STR_FMT " was made on the command line, and the policy files say "
                                          "something else; --prune lets the files take it over",
                               GH_STR_ARG(item->title));
        }
        p->changed_from[i] = old;
        if (old != NULL) {
            old->is_matched = true;
            old->is_taken = true;
        }
    }
    return GH_OK;
}

static void say(applying *p, char sign, const store_item *item, const char *more)
{
    gh_buf *b = &p->out->lines;

    gh_buf_printf(b, "%c ", sign);
    if (item->kind == STORE_RULE)
        gh_buf_printf(b, "%s %lld: ", item->of.rule->is_deny ? "deny" : "grant",
                      (long long)item->id);
    for (size_t i = 0; i < item->title.len; i++) /* a line each, whatever is in it */
        gh_buf_put_u8(b, item->title.ptr[i] == '\n' ? '?' : (uint8_t)item->title.ptr[i]);
    gh_buf_printf(b, "%s\n", more);
}

/* JSON holds no bare tab or newline. */
static void say_content(applying *p, const store_item *before, const store_item *after)
{
    bool is_change = before != NULL && after != NULL && before != after;

    if (is_change || (p->flags & GH_STORE_CONTENT) != 0)
        gh_buf_printf(&p->out->lines, "\t" GH_STR_FMT "\t" GH_STR_FMT "\n",
                      GH_STR_ARG(before == NULL ? GH_STR("") : before->json),
                      GH_STR_ARG(after == NULL ? GH_STR("") : after->json));
}

static void write_files(applying *p)
{
    for (size_t i = 0; i < p->files.count; i++) {
        store_item *item = &p->files.list[i];
        if (item->is_matched)
            continue;
        if (p->changed_from[i] != NULL) {
            store_write_change(p->writer, p->changed_from[i], item);
            p->out->changed++;
            say(p, '~', item, "");
            say_content(p, p->changed_from[i], item);
        } else {
            store_write_add(p->writer, item);
            p->out->added++;
            say(p, '+', item, "");
            say_content(p, NULL, item);
        }
    }
}

static bool is_to_go(const applying *p, const store_item *item)
{
    return !item->is_matched &&
           (item->origin == GH_ORIGIN_POLICY || (p->flags & GH_STORE_PRUNE) != 0);
}

/* Does the membership or attribute belong to a user or role that goes? */
static bool owner_goes(const applying *p, const store_item *item)
{
    static const char prefix[] = "user:";
    const size_t prefix_len = sizeof(prefix) - 1;
    store_item owner = { .kind = STORE_USER, .key = item->names[0] };

    if (item->kind != STORE_MEMBER && item->kind != STORE_ATTRIBUTE)
        return false;
    if (item->kind == STORE_MEMBER) {
        if (owner.key.len > prefix_len && memcmp(owner.key.ptr, prefix, prefix_len) == 0)
            owner.key = (gh_str){ owner.key.ptr + prefix_len, owner.key.len - prefix_len };
        else
            owner.kind = STORE_ROLE;
    }
    /* map_find passes over what is matched, that is over what stays. */
    const store_item *found = map_find(&p->named, &owner, GH_ORIGIN_POLICY);
    return found != NULL && is_to_go(p, found);
}

static void write_removals(applying *p)
{
    for (size_t i = 0; i < p->stored.count; i++) {
        const store_item *item = &p->stored.list[i];
        if (is_to_go(p, item) || (!item->is_matched && owner_goes(p, item))) {
            store_write_remove(p->writer, item);
            p->out->removed++;
            say(p, '-', item, "");
            say_content(p, item, NULL);
        } else if (item->origin == GH_ORIGIN_CLI && !item->is_taken) {
            p->out->kept++;
            say(p, '=', item, " (made on the command line, kept)");
            say_content(p, item, item);
        }
    }
}

gh_rc store_check_all(gh_store *st, gh_err *err)
{
    gh_arena *a = gh_arena_new(0);
    gh_policy *policy = NULL;
    gh_acl acl = { 0 };
    gh_rc rc = store_load(st, false, a, &acl, err);

    if (rc == GH_OK)
        rc = gh_policy_compile(&acl, &policy, err);
    if (rc == GH_OK)
        gh_policy_release(policy);
    gh_arena_free(a);
    return rc;
}

/* ---- where the files say what is refused ------------------------------------------------------ */

static bool is_in_files(const item_map *files, store_kind kind, gh_str name)
{
    store_item like = { .kind = kind, .key = name };

    return map_find(files, &like, GH_ORIGIN_POLICY) != NULL;
}

/* `out` = what the files define, and what the command line made beside it. */
#define TAKE_KEPT(type, list, number, kind)                                                        \
    do {                                                                                           \
        type *all = gh_arena_alloc(a, (files->number + before->number + 1) * sizeof(*all));        \
        size_t count = files->number;                                                              \
        GH_ASSERT(all != NULL);                                                                    \
        if (count > 0)                                                                             \
            memcpy(all, files->list, count * sizeof(*all));                                        \
        for (size_t i = 0; i < before->number; i++)                                                \
            if (before->list[i].origin == GH_ORIGIN_CLI &&                                         \
                !is_in_files(m, kind, before->list[i].name))                                       \
                all[count++] = before->list[i];                                                    \
        out->list = all;                                                                           \
        out->number = count;                                                                       \
    } while (0)

static void add_kept(const item_map *m, const gh_acl *files, const gh_acl *before, gh_arena *a,
                     gh_acl *out)
{
    TAKE_KEPT(gh_acl_role, roles, role_count, STORE_ROLE);
    TAKE_KEPT(gh_acl_user, users, user_count, STORE_USER);
    TAKE_KEPT(gh_acl_tag, tags, tag_count, STORE_TAG);
    TAKE_KEPT(gh_acl_mask_def, masks, mask_count, STORE_MASK);
}

static bool is_at_place(const gh_acl *files, const char *message)
{
    for (size_t i = 0; i < files->tree_count; i++) {
        gh_str file = files->trees[i].file;
        if (strncmp(message, file.ptr, file.len) == 0 && message[file.len] == ':')
            return true;
    }
    return false;
}

/*
 * The store's rows say nothing of files: what is wrong with one that a file gave is told once more, by the
 * same compiler, from the files themselves, which know line and column.
 */
static void say_where(applying *p, const gh_acl *before, const gh_acl *files)
{
    item_map m;
    gh_acl acl = *files;
    gh_policy *policy = NULL;
    gh_err said = { 0 };

    for (size_t i = 0; i < p->files.count; i++)
        p->files.list[i].is_matched = false;
    m = map_of(&p->files, false);
    if ((p->flags & GH_STORE_PRUNE) == 0)
        add_kept(&m, files, before, p->files.arena, &acl);
    if (gh_policy_compile(&acl, &policy, &said) != GH_OK && is_at_place(files, said.public_msg))
        *p->err = said;
    gh_policy_release(policy);
    free(m.slots);
}

/* ---- one transaction -------------------------------------------------------------------------- */

static gh_rc write_all(applying *p, const gh_acl *before, const gh_acl *files,
                       const gh_store_author *author)
{
    store_change change = { .at_us = store_now_us(), .author = author };
    gh_rc rc = store_version(p->st, &change.version, p->err);

    if (rc != GH_OK)
        return rc;
    change.version++;
    p->writer = store_writer_new(p->st, &change);
    write_files(p);
    write_removals(p);
    rc = store_writer_end(p->writer, p->err);
    if (rc != GH_OK)
        return rc;
    p->out->version = change.version - 1;
    if (p->out->added + p->out->changed + p->out->removed > 0)
        rc = store_next_version(p->st, &p->out->version, p->err);
    if (rc != GH_OK)
        return rc;
    rc = store_check_all(p->st, p->err);
    if (rc != GH_OK && p->err != NULL)
        say_where(p, before, files);
    return rc;
}

static gh_rc compare_and_write(applying *p, const gh_acl *files, const gh_store_author *author)
{
    gh_acl acl = { 0 };
    gh_rc rc = store_load(p->st, false, p->stored.arena, &acl, p->err);

    if (rc == GH_OK)
        rc = store_items_from_store(p->st, &p->stored, &acl, p->err);
    if (rc != GH_OK)
        return rc;
    store_items_from_files(&p->files, files);
    drop_repeated(&p->files);
    p->exact = map_of(&p->stored, true);
    p->named = map_of(&p->stored, false);
    p->changed_from = gh_realloc_array(NULL, p->files.count + 1, sizeof(store_item *));
    memset(p->changed_from, 0, (p->files.count + 1) * sizeof(store_item *));
    match_equal(p);
    rc = match_changed(p);
    if (rc == GH_OK)
        rc = write_all(p, &acl, files, author);
    free(p->exact.slots);
    free(p->named.slots);
    free(p->changed_from);
    return rc;
}

static gh_rc show_result(gh_store *st, gh_store_look look, void *arg, gh_err *err)
{
    gh_arena *a = gh_arena_new(0);
    gh_acl acl = { 0 };
    gh_rc rc = store_load(st, false, a, &acl, err);

    if (rc == GH_OK)
        rc = look(arg, &acl, err);
    gh_arena_free(a);
    return rc;
}

gh_rc gh_store_apply_looked_at(gh_store *st, const gh_acl *files, uint32_t flags,
                               const gh_store_author *author, gh_store_look look, void *arg,
                               gh_store_summary *out, gh_err *err)
{
    gh_arena *arena = gh_arena_new(0);
    applying p = { .st = st, .flags = flags, .out = out, .err = err };
    gh_rc rc = store_begin(st, err);

    p.files.arena = arena;
    p.stored.arena = arena;
    if (rc == GH_OK)
        rc = compare_and_write(&p, files, author);
    if (rc == GH_OK && look != NULL)
        rc = show_result(st, look, arg, err);
    if (rc == GH_OK && (flags & GH_STORE_DRY_RUN) == 0)
        rc = store_commit(st, err);
    store_rollback(st); /* of a dry run or a failure; nothing after a commit */
    store_items_fini(&p.files);
    store_items_fini(&p.stored);
    gh_arena_free(arena);
    return rc;
}

gh_rc gh_store_apply(gh_store *st, const gh_acl *files, uint32_t flags,
                     const gh_store_author *author, gh_store_summary *out, gh_err *err)
{
    return gh_store_apply_looked_at(st, files, flags, author, NULL, NULL, out, err);
}

void gh_store_summary_init(gh_store_summary *s)
{
    memset(s, 0, sizeof(*s));
    gh_buf_init(&s->lines, 0);
}

void gh_store_summary_fini(gh_store_summary *s)
{
    gh_buf_fini(&s->lines);
}
