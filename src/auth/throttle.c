/*
 * Counts of failed logins in a set-associative table.
 *
 *     HMAC(key, kind, user, address) ─▶ set ─▶ 8 ways: the tag's own, or the one with the fewest failures
 *
 * Each entry is a leaky bucket (a failure leaks every GH_THROTTLE_FORGET_MS) and a time before which
 * the next attempt is not looked at.
 */
#include "auth_priv.h"

#include <stdlib.h>

#define WAYS 8u
#define SETS (GH_THROTTLE_ENTRIES / WAYS)
#define MS   INT64_C(1000)

typedef struct entry {
    uint64_t tag; /* 0: free */
    int64_t leak_us;
    int64_t next_us;
    uint32_t failures;
} entry;

struct gh_auth_throttle {
    uint8_t key[GH_AUTH_KEY_LEN];
    entry sets[SETS][WAYS];
};

typedef struct rule {
    uint32_t free;
    int64_t longest_ms;
} rule;

static const rule s_pair = { GH_THROTTLE_PAIR_FREE, GH_THROTTLE_PAIR_MS };
static const rule s_user = { GH_THROTTLE_USER_FREE, GH_THROTTLE_SHARED_MS };
static const rule s_address = { GH_THROTTLE_ADDRESS_FREE, GH_THROTTLE_SHARED_MS };

gh_auth_throttle *gh_auth_throttle_new(const uint8_t key[GH_AUTH_KEY_LEN])
{
    gh_auth_throttle *t = gh_alloc(sizeof(*t));

    memcpy(t->key, key, sizeof(t->key));
    return t;
}

void gh_auth_throttle_free(gh_auth_throttle *t)
{
    if (t == NULL)
        return;
    gh_cleanse(t->key, sizeof(t->key));
    free(t);
}

static void leak(entry *e, int64_t now_us)
{
    int64_t forgotten = (now_us - e->leak_us) / (GH_THROTTLE_FORGET_MS * MS);

    if (forgotten <= 0)
        return;
    e->failures = forgotten < e->failures ? e->failures - (uint32_t)forgotten : 0;
    e->leak_us += forgotten * GH_THROTTLE_FORGET_MS * MS;
}

/* Never NULL: another one makes room. */
static entry *find(gh_auth_throttle *t, const char *kind, gh_str user, gh_str address,
                   int64_t now_us)
{
    uint8_t digest[GH_AUTH_KEY_LEN];
    uint64_t words[2];
    gh_buf name;
    entry *set;
    entry *least;

    gh_buf_init(&name, 0);
    gh_buf_puts(&name, kind);
    gh_buf_put_u32(&name, (uint32_t)user.len);
    gh_buf_put_str(&name, user);
    auth_hmac(t->key, sizeof(t->key), gh_buf_str(&name), address, digest);
    gh_buf_fini(&name);
    memcpy(words, digest, sizeof(words));
    words[0] |= 1; /* no tag is 0 */
    set = t->sets[words[1] % SETS];
    least = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        leak(&set[i], now_us);
        if (set[i].tag == words[0])
            return &set[i];
        if (set[i].failures < least->failures)
            least = &set[i];
    }
    *least = (entry){ .tag = words[0], .leak_us = now_us };
    return least;
}

/* Counts a failure and puts the next attempt off. */
static void count(entry *e, rule r, int64_t start_us, int64_t now_us)
{
    int64_t delay_ms = 0;

    if (e->failures == 0)
        e->leak_us = now_us;
    if (e->failures < UINT32_MAX)
        e->failures++;
    if (e->failures > r.free) {
        uint32_t doublings = e->failures - r.free - 1;

        delay_ms = doublings < 16 ? (int64_t)GH_THROTTLE_FIRST_MS << doublings : r.longest_ms;
        if (delay_ms > r.longest_ms)
            delay_ms = r.longest_ms;
    }
    e->next_us = start_us + delay_ms * MS;
}

/*
 * SECURITY: were the queue of a user, or of an address, as long as it takes, then whoever sends
 * wrong passwords for a name could keep its owner out. So it is cut here.
 * Attack: tests/unit/auth, others_are_not_locked_out.
 */
static int64_t count_shared(entry *e, rule r, int64_t now_us)
{
    int64_t latest_us = now_us + r.longest_ms * MS;
    int64_t start_us = e->next_us > now_us ? e->next_us : now_us;

    if (start_us > latest_us)
        start_us = latest_us;
    count(e, r, start_us, now_us);
    return start_us;
}

gh_rc gh_auth_throttle_admit(gh_auth_throttle *t, gh_str user, gh_str address, int64_t now_us,
                             uint32_t *wait_ms, gh_err *err)
{
    int64_t start_us;
    int64_t user_us;
    int64_t address_us;
    entry *pair;

    pair = find(t, "pair", user, address, now_us);
    start_us = pair->next_us > now_us ? pair->next_us : now_us;
    if (start_us - now_us > GH_THROTTLE_WAIT_MS * MS)
        return gh_fail(err, GH_LIMIT, "28000",
                       "too many failed logins of this user from this address: try again in %d s",
                       (int)((start_us - now_us) / 1000000 + 1));
    count(pair, s_pair, start_us, now_us);
    user_us = count_shared(find(t, "user", user, GH_STR(""), now_us), s_user, now_us);
    address_us = count_shared(find(t, "address", GH_STR(""), address, now_us), s_address, now_us);
    if (user_us > start_us)
        start_us = user_us;
    if (address_us > start_us)
        start_us = address_us;
    *wait_ms = (uint32_t)((start_us - now_us) / MS);
    return GH_OK;
}

/* What this attempt itself had counted. */
static void uncount(entry *e)
{
    if (e->failures > 0)
        e->failures--;
}

/*
 * SECURITY: only the pair is forgiven everything. Who guesses one user's password could otherwise
 * log in as another one in between, from the same address, and begin anew each time.
 * Attack: tests/unit/auth, own_success_does_not_reset.
 */
void gh_auth_throttle_succeeded(gh_auth_throttle *t, gh_str user, gh_str address, int64_t now_us)
{
    entry *pair;

    pair = find(t, "pair", user, address, now_us);
    pair->failures = 0;
    pair->next_us = 0;
    uncount(find(t, "user", user, GH_STR(""), now_us));
    uncount(find(t, "address", GH_STR(""), address, now_us));
}
