/*
 * Texts without the literals in them, for an audit that keeps none (`statements: fingerprint`) and for the list of
 * sessions. Pure.
 *
 *     SELECT * FROM t WHERE name = 'Ann' AND id > 7      SELECT * FROM t WHERE name = ? AND id > ?
 */
#ifndef GATEHOUSE_SESSION_FINGERPRINT_H
#define GATEHOUSE_SESSION_FINGERPRINT_H

#include <gatehouse/base.h>

/* Appends the text with every literal as `?` and without comments. What is not understood is left out, never left in. */
void gh_fingerprint(gh_str sql, gh_buf *out);
/* Appends a message about a text of this fingerprint: what it quotes stands there only if it stands in the fingerprint. */
void gh_fingerprint_message(gh_str message, gh_str fingerprint, gh_buf *out);

#endif
