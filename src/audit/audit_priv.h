/*
 * What the files of audit share: number formatting and UTF-8 without printf, since records are made
 * once or twice a statement.
 */
#ifndef GATEHOUSE_AUDIT_PRIV_H
#define GATEHOUSE_AUDIT_PRIV_H

#include <gatehouse/audit.h>

enum { GH_AUDIT_NUMBER_MAX = 20 }; /* digits of UINT64_MAX */

/* Decimal digits without a NUL; the length. */
size_t gh_audit_u64_text(uint64_t v, char out[GH_AUDIT_NUMBER_MAX]);
void gh_audit_put_u64(gh_buf *out, uint64_t v);
void gh_audit_put_i64(gh_buf *out, int64_t v);
/* Decimal digits and nothing else, in range. */
bool gh_audit_u64_parse(gh_str text, uint64_t *out);

/*
 * The code point at s.ptr[at], 0 for a byte that starts no valid sequence (RFC 3629); *len is its
 * length. A NUL is one, too: callers take ASCII before they come here.
 */
uint32_t gh_audit_utf8_at(gh_str s, size_t at, size_t *len);
void gh_audit_utf8_put(gh_buf *out, uint32_t code);
/* May a terminal take this code point as more than a character: control, or direction? */
bool gh_audit_is_unprintable(uint32_t code);

#endif
