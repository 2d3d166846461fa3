/*
 * Patterns of names and who is in which role, for verbs that look at an ACL without a user at hand.
 * The policy module decides by its own compiled forms; what is said here is advice to authors.
 */
#include "policy_code.h"

#include <stdlib.h>

/* ---- patterns -------------------------------------------------------------------------------- */

static cli_part take_quoted(gh_arena *a, gh_str s, size_t *pos)
{
    char *text = gh_arena_alloc(a, s.len + 1);
    size_t len = 0;

    GH_ASSERT(text != NULL); /* the call's arena has no budget */
    for (*pos += 1; *pos < s.len; *pos += 1) {
        if (s.ptr[*pos] == '"') {
            *pos += 1;
            if (*pos >= s.len || s.ptr[*pos] != '"')
                break;
        }
        text[len++] = s.ptr[*pos];
    }
    return (cli_part){ .text = { text, len }, .is_given = true };
}

static cli_part take_bare(gh_str s, size_t *pos, bool is_first)
{
    size_t start = *pos;
    bool is_glob = false;

    for (; *pos < s.len && s.ptr[*pos] != '.' && !(is_first && s.ptr[*pos] == ':'); *pos += 1)
        is_glob = is_glob || s.ptr[*pos] == '*';
    return (
        cli_part){ .text = { s.ptr + start, *pos - start }, .is_given = true, .is_glob = is_glob };
}

cli_pattern cli_pattern_of(gh_arena *a, gh_str text)
{
    cli_pattern p = { 0 };
    size_t pos = 0;

    while (pos < text.len && p.count < GH_COUNT(p.parts)) {
        bool is_first = p.count == 0 && !p.warehouse.is_given;
        cli_part part =
            text.ptr[pos] == '"' ? take_quoted(a, text, &pos) : take_bare(text, &pos, is_first);
        if (is_first && pos < text.len && text.ptr[pos] == ':')
            p.warehouse = part;
        else
            p.parts[p.count++] = part;
        pos++; /* the dot, or the colon */
    }
    return p;
}

gh_str cli_name_of(gh_arena *a, gh_str text)
{
    size_t pos = 0;

    return text.len > 0 && text.ptr[0] == '"' ? take_quoted(a, text, &pos).text : text;
}

static bool glob_fits(gh_str glob, gh_str s)
{
    size_t g = 0;
    size_t i = 0;
    size_t star = SIZE_MAX; /* behind the last star, and what it had swallowed by then */
    size_t swallowed = 0;

    while (i < s.len) {
        if (g < glob.len && glob.ptr[g] == '*') {
            star = ++g;
            swallowed = i;
        } else if (g < glob.len && glob.ptr[g] == s.ptr[i]) {
            g++;
            i++;
        } else if (star != SIZE_MAX) {
            i = ++swallowed;
            g = star;
        } else {
            return false;
        }
    }
    while (g < glob.len && glob.ptr[g] == '*')
        g++;
    return g == glob.len;
}

bool cli_part_fits(const cli_part *p, gh_str name)
{
    return p->is_glob ? glob_fits(p->text, name) : gh_str_eq(p->text, name);
}

bool cli_pattern_fits(const cli_pattern *p, gh_str warehouse, gh_str schema, gh_str name)
{
    return (!p->warehouse.is_given || cli_part_fits(&p->warehouse, warehouse)) &&
           cli_part_fits(&p->parts[0], schema) && cli_part_fits(&p->parts[1], name);
}

/* A star of the inner one is taken for a character: only a star of the outer one fits it. */
static bool part_covers(const cli_part *outer, const cli_part *inner)
{
    if (inner->is_glob && !outer->is_glob)
        return false;
    return cli_part_fits(outer, inner->text);
}

bool cli_pattern_covers(const cli_pattern *outer, const cli_pattern *inner)
{
    if (outer->warehouse.is_given &&
        !(inner->warehouse.is_given && part_covers(&outer->warehouse, &inner->warehouse)))
        return false;
    return part_covers(&outer->parts[0], &inner->parts[0]) &&
           part_covers(&outer->parts[1], &inner->parts[1]);
}

bool cli_rule_names_column(gh_arena *a, const gh_acl_rule *r, gh_str column)
{
    bool is_listed = false;

    if (!r->has_columns)
        return r->tags.count == 0;
    for (size_t i = 0; i < r->columns.count && !is_listed; i++)
        is_listed = gh_str_eq(cli_name_of(a, r->columns.items[i]), column);
    return is_listed != r->is_except;
}

/* ---- people ---------------------------------------------------------------------------------- */

static void index_init(cli_index *x, size_t count)
{
    x->mask = 15;
    while (x->mask / 2 < count)
        x->mask = x->mask * 2 + 1;
    x->names = gh_alloc((x->mask + 1) * sizeof(const gh_str *));
    x->numbers = gh_alloc((x->mask + 1) * sizeof(*x->numbers));
}

static size_t *index_slot(const cli_index *x, gh_str name, const gh_str ***at)
{
    size_t i = (size_t)gh_hash(name.ptr, name.len, 0) & x->mask;

    while (x->names[i] != NULL && !gh_str_eq(*x->names[i], name))
        i = (i + 1) & x->mask;
    *at = &x->names[i];
    return &x->numbers[i];
}

static void index_add(cli_index *x, const gh_str *name, size_t number)
{
    const gh_str **at;
    size_t *slot = index_slot(x, *name, &at);

    *at = name;
    *slot = number;
}

static size_t index_find(const cli_index *x, gh_str name)
{
    const gh_str **at;
    const size_t *slot = index_slot(x, name, &at);

    return *at == NULL ? SIZE_MAX : *slot;
}

void cli_people_init(cli_people *p, const gh_acl *acl)
{
    p->acl = acl;
    index_init(&p->roles, acl->role_count);
    index_init(&p->users, acl->user_count);
    for (size_t i = 0; i < acl->role_count; i++)
        index_add(&p->roles, &acl->roles[i].name, i);
    for (size_t i = 0; i < acl->user_count; i++)
        index_add(&p->users, &acl->users[i].name, i);
}

void cli_people_fini(cli_people *p)
{
    free(p->roles.names);
    free(p->roles.numbers);
    free(p->users.names);
    free(p->users.numbers);
}

size_t cli_people_role(const cli_people *p, gh_str name)
{
    return index_find(&p->roles, name);
}

size_t cli_people_user(const cli_people *p, gh_str name)
{
    return index_find(&p->users, name);
}

size_t cli_people_principal_user(const cli_people *p, gh_str principal)
{
    static const char prefix[] = "user:";
    const size_t len = sizeof(prefix) - 1;

    if (principal.len <= len || memcmp(principal.ptr, prefix, len) != 0)
        return SIZE_MAX;
    return cli_people_user(p, (gh_str){ principal.ptr + len, principal.len - len });
}

/* The roles found so far are the queue of those whose own roles are to come. */
size_t cli_people_hold(const cli_people *p, gh_str_list roles, bool *is_held)
{
    size_t *queue = gh_alloc((p->acl->role_count + 1) * sizeof(*queue));
    size_t count = 0;
    gh_str_list list = roles;

    for (size_t next = 0;; next++) {
        for (size_t i = 0; i < list.count; i++) {
            size_t role = cli_people_role(p, list.items[i]);
            if (role == SIZE_MAX || is_held[role])
                continue;
            is_held[role] = true;
            queue[count++] = role;
        }
        if (next == count)
            break;
        list = p->acl->roles[queue[next]].member_of;
    }
    free(queue);
    return count;
}

/* ---- rules ---------------------------------------------------------------------------------- */

const gh_acl_rule *cli_find_rule(const gh_acl *acl, int64_t id)
{
    size_t first = 0;
    size_t end = acl->rule_count;

    while (first < end) { /* the store gives them by id */
        size_t middle = first + (end - first) / 2;
        if (acl->rules[middle].id == id)
            return &acl->rules[middle];
        if (acl->rules[middle].id < id)
            first = middle + 1;
        else
            end = middle;
    }
    return NULL;
}

gh_str cli_held(gh_str_list to, gh_str user, gh_str_list roles)
{
    for (size_t i = 0; i < to.count; i++) {
        gh_str name = to.items[i];
        if (name.len == user.len + 5 && memcmp(name.ptr, "user:", 5) == 0 &&
            memcmp(name.ptr + 5, user.ptr, user.len) == 0)
            return name;
        for (size_t j = 0; j < roles.count; j++)
            if (gh_str_eq(roles.items[j], name))
                return name;
    }
    return (gh_str){ 0 };
}

/* ---- what was met before --------------------------------------------------------------------- */

/* The slot of the hash, or the free one where it would be. */
static size_t seen_at(const cli_seen *s, uint64_t hash)
{
    size_t at = hash & s->mask;

    while (s->slots[at] != 0 && s->slots[at] != hash)
        at = (at + 1) & s->mask;
    return at;
}

static uint64_t seen_key(uint64_t hash)
{
    return hash == 0 ? 1 : hash;
}

bool cli_seen_has(const cli_seen *s, uint64_t hash)
{
    return s->slots != NULL && s->slots[seen_at(s, seen_key(hash))] != 0;
}

bool cli_seen_add(cli_seen *s, uint64_t hash)
{
    if (s->count * 2 >= s->mask) {
        cli_seen old = *s;

        s->mask = old.mask == 0 ? 127 : old.mask * 2 + 1;
        s->slots = gh_alloc((s->mask + 1) * sizeof(*s->slots));
        for (size_t i = 0; old.slots != NULL && i <= old.mask; i++)
            if (old.slots[i] != 0)
                s->slots[seen_at(s, old.slots[i])] = old.slots[i];
        free(old.slots);
    }
    size_t at = seen_at(s, seen_key(hash));
    bool is_new = s->slots[at] == 0;
    s->slots[at] = seen_key(hash);
    s->count += is_new;
    return is_new;
}

void cli_seen_fini(cli_seen *s)
{
    free(s->slots);
    *s = (cli_seen){ 0 };
}
