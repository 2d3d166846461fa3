/*
 * Inside the policy module: the compiled form of an ACL.
 *
 *     gh_acl_rule ──┬─ to ──────▶ principals ─┐
 *                   ├─ tables ──▶ patterns ───┴▶ held: principal ─▶ [(pattern, rule) sorted]
 *                   └─ the rest ▶ pol_rule (32 bytes: every text and list is a number)
 *
 * A decision walks only the entries of its user's principals: those whose pattern names the
 * relation exactly are found by a hash of (schema, relation) and a binary search, those with a `*`
 * are matched one by one. So a statement costs what the user's own rules for the relation cost, not
 * what the ACL holds.
 *
 * A policy that an update made (update.c) stands on the one that was compiled as a whole, its base:
 * numbers below the base's counts mean what they mean there, the rest are its own. Who and what a
 * principal holds are pointers, to the base's or to its own.
 *
 *     base:    strings 0..9999   rules 0..4999   held[0] held[1] held[2]
 *                  ▲                  ▲             ▲       ▲
 *     updated: strings 10000..   rules 5000..    held[0] held[1] held[2]──▶ its own
 *
 * Everything here is written by gh_policy_compile or gh_policy_update and immutable afterwards.
 */
#ifndef GATEHOUSE_POLICY_PRIV_H
#define GATEHOUSE_POLICY_PRIV_H

#include <gatehouse/base.h>
#include <gatehouse/catalog.h>
#include <gatehouse/policy.h>

#define POL_NONE       UINT32_MAX
#define POL_GLOB       (1u << 31) /* in a pattern's part: it holds a `*` */
#define POL_SQLSTATE   "F0000"    /* config_file_error */
#define POL_PRIVILEGES 5

/* ---- strings and lists as numbers ----------------------------------------------------------- */

/* Distinct strings, numbered from 0 in order of arrival; number 0 is the empty string. */
typedef struct pol_strings {
    const struct pol_strings *base; /* whose numbers come first, and are all below `first` */
    uint32_t first;
    gh_str *items;
    uint32_t *hashes; /* parallel to items */
    uint32_t count;   /* of items */
    uint32_t cap;
    uint32_t *slots; /* open addressing: index + 1, 0 is free */
    uint32_t slot_mask;
    char *chunk; /* where copies are carved from */
    size_t chunk_left;
    gh_arena *arena;
} pol_strings;

void pol_strings_init(pol_strings *t, gh_arena *a);
/* A table on the last one's base (or on the last one, which has none), with a copy of what is its own. */
void pol_strings_follow(pol_strings *t, const pol_strings *last, gh_arena *a);
void pol_strings_fini(pol_strings *t);
uint32_t pol_strings_add(pol_strings *t, gh_str s);
uint32_t pol_strings_find(const pol_strings *t, gh_str s); /* POL_NONE: not there */

static inline gh_str pol_strings_at(const pol_strings *t, uint32_t number)
{
    return number < t->first ? t->base->items[number] : t->items[number - t->first];
}
static inline uint32_t pol_strings_end(const pol_strings *t)
{
    return t->first + t->count;
}

/* Distinct sequences of numbers, known by their offset; offset 0 is the empty one. */
typedef struct pol_lists {
    const struct pol_lists *base; /* as above: offsets below `first` are its */
    uint32_t first;
    uint32_t *pool; /* at an offset less `first`: the length, then the numbers */
    size_t len;
    size_t cap;
    uint32_t *slots; /* offset less `first`, plus 1; 0 is free */
    uint32_t slot_mask;
    uint32_t count;
} pol_lists;

void pol_lists_init(pol_lists *t);
void pol_lists_follow(pol_lists *t, const pol_lists *last);
void pol_lists_fini(pol_lists *t);
uint32_t pol_lists_add(pol_lists *t, const uint32_t *items, uint32_t count);

static inline const uint32_t *pol_list_at(const pol_lists *t, uint32_t list)
{
    return list < t->first ? &t->base->pool[list] : &t->pool[list - t->first];
}
static inline uint32_t pol_list_len(const pol_lists *t, uint32_t list)
{
    return pol_list_at(t, list)[0];
}
static inline const uint32_t *pol_list_items(const pol_lists *t, uint32_t list)
{
    return pol_list_at(t, list) + 1;
}

/* ---- patterns ------------------------------------------------------------------------------- */

/* A pattern's parts in text: what was quoted is exact, what was not may hold `*`. */
typedef struct pol_part {
    gh_str text;
    bool is_given;
    bool is_glob;
} pol_part;

/* The most parts behind the warehouse: schema.relation.column. */
#define POL_PARTS 3

typedef struct pol_parsed {
    pol_part warehouse;
    pol_part parts[POL_PARTS];
} pol_parsed;

/* Takes `[warehouse:]` and exactly `count` parts; *why says what is wrong otherwise. */
bool pol_pattern_parse(gh_str text, size_t count, gh_arena *a, pol_parsed *out, const char **why);
/* A column's name in a list: as it is, or in SQL's double quotes. */
bool pol_name_parse(gh_str text, gh_arena *a, gh_str *out, const char **why);
bool pol_glob_match(gh_str glob, gh_str s);
/* Is there a text that both match? Either may be without a star. */
bool pol_glob_overlap(gh_str a, bool a_is_glob, gh_str b, bool b_is_glob);

typedef struct pol_pattern {
    uint32_t
        warehouse; /* string numbers, with POL_GLOB where they hold a star; 0: every warehouse */
    uint32_t parts[POL_PARTS];
    uint32_t next; /* the next one of the same exact schema and relation; POL_NONE */
} pol_pattern;

/* ---- the compiled policy -------------------------------------------------------------------- */

enum { POL_DENY = 1, POL_HAS_COLUMNS = 2, POL_EXCEPT = 4, POL_THROUGH = 8, POL_BLIND = 16 };

typedef struct pol_rule {
    int64_t id;
    uint32_t rows;     /* string; 0: every row */
    uint32_t columns;  /* list of column names, ascending by number */
    uint32_t tags;     /* list of tags */
    uint32_t masks;    /* list of (column name, mask) pairs, ascending by column */
    uint32_t validity; /* list of 4 halves of from and until; 0: always */
    uint8_t privileges;
    uint8_t flags;
} pol_rule;

typedef struct pol_entry {
    uint32_t pattern;
    uint32_t rule;
} pol_entry;

/*
 * What one principal's rules are. `stamp` is the version that it came with: within one base, equal
 * stamps of a principal are equal contents (and so below).
 */
typedef struct pol_held {
    uint64_t stamp;
    pol_entry *by_name;  /* whose pattern names schema and relation exactly; ascending by pattern */
    pol_entry *by_glob;  /* the others; ascending by pattern */
    int64_t *boundaries; /* times at which a rule starts or ends, ascending */
    uint32_t by_name_count;
    uint32_t by_glob_count;
    uint32_t boundary_count;
} pol_held;

typedef struct pol_user {
    uint64_t stamp;
    gh_policy_user pub;
    uint32_t *roles;
    uint32_t role_count;
    const gh_acl_attribute *attributes;
    size_t attribute_count;
} pol_user;

typedef struct pol_role {
    uint64_t stamp;
    gh_str name;
    uint32_t may;
    uint32_t *member_of;
    uint32_t member_of_count;
} pol_role;

/* A tag's pattern of columns. */
typedef struct pol_tag_column {
    pol_pattern pattern;
    uint32_t tag;
} pol_tag_column;

typedef struct pol_masking {
    uint32_t tag;
    uint32_t mask;
    uint32_t *except; /* principals */
    uint32_t except_count;
} pol_masking;

typedef struct pol_function {
    uint32_t principal;
    pol_pattern pattern;
} pol_function;

/* From (schema, relation), both exact, to the head of a chain of patterns. */
typedef struct pol_relations {
    const struct pol_relations *base; /* asked for what is not here; NULL */
    uint64_t *keys;
    uint32_t *heads; /* POL_NONE: free */
    uint32_t mask;
    uint32_t count;
} pol_relations;

void pol_relations_init(pol_relations *t);
void pol_relations_follow(pol_relations *t, const pol_relations *last);
void pol_relations_fini(pol_relations *t);
uint32_t *pol_relations_at(pol_relations *t, uint32_t schema, uint32_t relation); /* makes it */
uint32_t pol_relations_find(const pol_relations *t, uint32_t schema, uint32_t relation);

/* Tags and their masks: made anew as a whole when any of them changes, shared otherwise. */
typedef struct pol_tags {
    _Atomic unsigned int refs;
    pol_tag_column *columns; /* exact relations first; those with a star from `globs` on */
    uint32_t column_count;
    uint32_t globs;
    pol_relations exact;
    pol_masking *maskings;
    uint32_t masking_count;
    gh_arena *arena;
} pol_tags;

/* Functions likewise. */
typedef struct pol_functions {
    _Atomic unsigned int refs;
    pol_function *items; /* ascending by principal */
    uint32_t count;
} pol_functions;

struct gh_policy {
    _Atomic unsigned int
        refs;        /* acquire adds relaxed; release subtracts acq_rel, the last one frees */
    gh_policy *base; /* what this was updated from, a reference; NULL: compiled as a whole */
    gh_arena *arena;
    uint64_t version;
    gh_str hash_key;
    pol_strings strings; /* every text that is compared with the catalog, and filters */
    pol_lists lists;

    /* Role i is the principal 2 i, user j is 2 j + 1: so that either may grow. */
    pol_strings role_names; /* role i is string i + 1 */
    pol_strings user_names;
    const pol_role **roles; /* NULL: dropped */
    uint32_t role_count;
    const pol_user **users; /* NULL: dropped */
    uint32_t user_count;

    pol_pattern *patterns; /* from base's pattern_count on: see pol_pattern_at */
    uint32_t pattern_first;
    uint32_t pattern_count; /* base's included */
    pol_relations exact;
    pol_rule *rules; /* likewise */
    uint32_t rule_first;
    uint32_t rule_count;
    const pol_held **held; /* by principal; NULL: nothing */
    size_t entry_count;    /* of all that is held */

    gh_mask *masks; /* likewise */
    uint32_t mask_first;
    uint32_t mask_count;
    pol_strings mask_texts; /* string i + 1 is mask i as a policy writes it */
    pol_strings tag_names;  /* string i + 1 is tag i */
    pol_tags *tags;
    pol_functions *functions;

    size_t own; /* how much of an update's is not its base's; grows with every update */

    /* Of a whole one: what stands behind the pointers above. */
    pol_role *all_roles;
    pol_user *all_users;
    pol_held *all_held;
    pol_entry *all_entries;
    int64_t *all_boundaries;
};

static inline const pol_pattern *pol_pattern_at(const gh_policy *p, uint32_t n)
{
    return n < p->pattern_first ? &p->base->patterns[n] : &p->patterns[n - p->pattern_first];
}
static inline const pol_rule *pol_rule_at(const gh_policy *p, uint32_t n)
{
    return n < p->rule_first ? &p->base->rules[n] : &p->rules[n - p->rule_first];
}
static inline const gh_mask *pol_mask_at(const gh_policy *p, uint32_t n)
{
    return n < p->mask_first ? &p->base->masks[n] : &p->masks[n - p->mask_first];
}
static inline gh_str pol_text(const gh_policy *p, uint32_t string)
{
    return pol_strings_at(&p->strings, string);
}

static inline uint32_t pol_principal_of_role(uint32_t role)
{
    return role * 2;
}
static inline uint32_t pol_principal_of_user(uint32_t user)
{
    return user * 2 + 1;
}
static inline bool pol_principal_is_role(uint32_t principal)
{
    return principal % 2 == 0;
}
extern const pol_held pol_holds_nothing;
static inline const pol_held *pol_held_by(const gh_policy *p, uint32_t principal)
{
    return p->held[principal] != NULL ? p->held[principal] : &pol_holds_nothing;
}

const pol_user *pol_user_find(const gh_policy *p, gh_str name); /* NULL: unknown */

void pol_tags_release(pol_tags *t);           /* NULL is fine */
void pol_functions_release(pol_functions *f); /* NULL is fine */

/* Is the part (a string number with POL_GLOB) met by the string `number` (POL_NONE: unknown to the
 * policy) with the text s? */
bool pol_part_match(const gh_policy *p, uint32_t part, uint32_t number, gh_str s);
void pol_rule_validity(const gh_policy *p, const pol_rule *r, int64_t *from, int64_t *until);

/* Sets bit p of a principal and of all roles that it is a member of, however far; appends them. */
typedef struct pol_closure {
    uint64_t *bits;
    uint32_t *items;
    uint32_t count;
} pol_closure;

size_t pol_principal_count(const gh_policy *p); /* one more than the greatest */
void pol_closure_init(pol_closure *c, const gh_policy *p);
void pol_closure_fini(pol_closure *c);
void pol_closure_of_user(pol_closure *c, const gh_policy *p, uint32_t user); /* replaces */

/* gh_policy_compile; without the check of masks what it stops at is left to the decision, as in a test. */
GH_MUST_USE gh_rc pol_compile(const gh_acl *acl, bool checks_masks, gh_policy **out, gh_err *err);

/*
 * Refuses two masks that cannot be ordered where one user is granted both for one column. `acl` is what p
 * was made of, rule by rule.
 */
GH_MUST_USE gh_rc pol_check_masks(const gh_policy *p, const gh_acl *acl, gh_err *err);

/* ---- masks ---------------------------------------------------------------------------------- */

gh_str pol_trim(gh_str s);
extern const gh_mask pol_null_mask;
bool pol_mask_eq(const gh_mask *a, const gh_mask *b);
/* A linear order that agrees with gh_mask_compare and does not depend on anything but the masks. */
int pol_mask_order(const gh_mask *a, const gh_mask *b);

/* What a mask can be taken of. */
typedef enum pol_type {
    POL_TYPE_OTHER = 0,
    POL_TYPE_TEXT,   /* text, varchar, char, name */
    POL_TYPE_STRING, /* of the string category, but none of these: citext */
    POL_TYPE_INT2,
    POL_TYPE_INT4,
    POL_TYPE_INT8,
    POL_TYPE_NUMERIC,
    POL_TYPE_FLOAT4,
    POL_TYPE_FLOAT8,
    POL_TYPE_DATE,
    POL_TYPE_TIMESTAMP,
    POL_TYPE_TIMESTAMPTZ,
    POL_TYPE_UUID
} pol_type;

gh_oid pol_base_type(const gh_catalog *c, gh_oid oid); /* of a domain; any other type: itself */
pol_type pol_type_of(const gh_catalog *c, const gh_column *column);

/* ---- views ---------------------------------------------------------------------------------- */

typedef struct pol_memo {
    struct pol_memo *next;
    gh_oid oid;
    bool is_inside; /* see gh_view_decide_inside */
    uint64_t epoch;
    gh_str shape; /* of the relation that was decided on: names and types */
    const gh_decision *decision;
} pol_memo;

/* Decides; everything in the result lives in the arena. `principals` is ascending. */
const gh_decision *pol_decide(const gh_policy *p, gh_str warehouse, const uint32_t *principals,
                              uint32_t principal_count, int64_t now, bool is_inside,
                              const gh_catalog *c, const gh_relation *r, gh_arena *a);
/* The first end of a grant to any of them that names the relation and holds now. */
int64_t pol_grants_end(const gh_policy *p, gh_str warehouse, const uint32_t *principals,
                       uint32_t principal_count, int64_t now, const gh_relation *r);
/* Does the pattern's warehouse part name this one? */
bool pol_pattern_in_warehouse(const gh_policy *p, const pol_pattern *pattern, gh_str warehouse);

#endif
