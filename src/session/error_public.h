/*
 * error_public: what a client may read of an upstream's error or notice. Pure.
 *
 *     upstream: S V C M D H P p q W s t c d n F L R ──▶ severity, SQLSTATE, message, position:
 *                                                       nothing else exists here
 *     message ─▶ a known shape whose every part is the client's own? kept : fixed text
 */
#ifndef GATEHOUSE_SESSION_ERROR_PUBLIC_H
#define GATEHOUSE_SESSION_ERROR_PUBLIC_H

#include <gatehouse/base.h>

typedef struct gh_upstream_error {
    gh_str severity; /* the unlocalised one (V), or S from a server that has no V */
    gh_str sqlstate; /* always five characters */
    gh_str message;
    uint32_t position; /* 0: none */
    bool is_of_code;   /* a trigger or a function raised it: its message is not for clients */
} gh_upstream_error;

/* Reads the body of an ErrorResponse or NoticeResponse; strings are borrowed. GH_BADMSG. */
GH_MUST_USE gh_rc gh_upstream_error_read(gh_str body, gh_upstream_error *out);

/* Is what such an error quotes the name of a thing, and no value? */
bool gh_session_error_is_of_names(gh_str sqlstate);

/* Appends the message to show. `client_sql`: the statement's text as the client wrote it, empty if
 * there is none. */
void gh_session_public_error(gh_str sqlstate, gh_str message, gh_str client_sql, gh_buf *out);

/* Appends the message to show of a notice; false, and nothing appended, if a client may not see it. */
GH_MUST_USE bool gh_session_public_notice(const gh_upstream_error *notice, gh_str client_sql,
                                          gh_buf *out);

#endif
