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

void gh_audit_utf8_put(gh_buf *out, uint32_t code);

#endif
