/* error_rebuild: an error of the upstream's as the client is told of it. */
#ifndef GATEHOUSE_SESSION_ERROR_REBUILD_H
#define GATEHOUSE_SESSION_ERROR_REBUILD_H

#include "error_public.h"
#include "expect.h"

/* `e`: what it answers, NULL: nothing. */
void gh_session_rebuild_error(const gh_expect *e, const gh_upstream_error *up, gh_err *out);

#endif
