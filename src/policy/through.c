/* Which relations the grants with `through` name: what the catalog's reader must know. */
#include "policy_priv.h"

#include <stdlib.h>

static void take(const gh_policy *p, const pol_entry *entries, uint32_t count, gh_str warehouse,
                 uint64_t *seen)
{
    for (uint32_t i = 0; i < count; i++) {
        const pol_rule *r = pol_rule_at(p, entries[i].rule);
        uint32_t pattern = entries[i].pattern;

        if ((r->flags & POL_THROUGH) != 0 && (r->flags & POL_DENY) == 0 &&
            pol_pattern_in_warehouse(p, pol_pattern_at(p, pattern), warehouse))
            seen[pattern / 64] |= UINT64_C(1) << (pattern % 64);
    }
}

const gh_name_pattern *gh_policy_through(const gh_policy *p, gh_str warehouse, gh_arena *a,
                                         size_t *count)
{
    uint64_t *seen = gh_alloc(((size_t)p->pattern_count / 64 + 1) * sizeof(*seen));
    gh_name_pattern *out;
    size_t n = 0;

    for (uint32_t i = 0; i < pol_principal_count(p); i++) {
        const pol_held *held = pol_held_by(p, i);

        take(p, held->by_name, held->by_name_count, warehouse, seen);
        take(p, held->by_glob, held->by_glob_count, warehouse, seen);
    }
    for (uint32_t i = 0; i < p->pattern_count; i++)
        n += seen[i / 64] >> (i % 64) & 1;
    out = gh_arena_alloc(a, (n + 1) * sizeof(*out));
    GH_ASSERT(out != NULL); /* the arena has no budget */
    n = 0;
    for (uint32_t i = 0; i < p->pattern_count; i++) {
        const uint32_t *parts = pol_pattern_at(p, i)->parts;

        if ((seen[i / 64] >> (i % 64) & 1) == 0)
            continue;
        out[n] = (gh_name_pattern){ .schema = pol_text(p, parts[0] & ~POL_GLOB),
                                    .name = pol_text(p, parts[1] & ~POL_GLOB),
                                    .is_schema_glob = (parts[0] & POL_GLOB) != 0,
                                    .is_name_glob = (parts[1] & POL_GLOB) != 0 };
        n++;
    }
    free(seen);
    *count = n;
    return out;
}
