/*
 * What wire's files share: how a decoder ends, and the bodies of arrays.
 */
#ifndef GATEHOUSE_WIRE_PRIV_H
#define GATEHOUSE_WIRE_PRIV_H

#include <gatehouse/wire.h>

/* PostgreSQL's bound for types whose messages are short (PQ_SMALL_MESSAGE_LIMIT), length word
 * included. */
#define WIRE_SMALL_MAX 10000u

static inline gh_rd wire_reader(gh_str body)
{
    return (gh_rd){ body.ptr, body.len == 0 ? body.ptr : body.ptr + body.len, false };
}

/* The end of a decoder: GH_OK, or 08P01 with the text that PostgreSQL has for it. */
GH_MUST_USE gh_rc wire_finish(const gh_rd *r, gh_err *err);

/* A count of 16 bits and that many integers of `size` bytes. */
gh_wire_ints wire_read_ints(gh_rd *r, size_t size);

/* A statement's or portal's name, cut as the header says. */
gh_str wire_read_name(gh_rd *r);

/* Walks over `count` values and gives the bytes they take. */
gh_str wire_read_values(gh_rd *r, size_t count);

/* A length, -1 for NULL, and the bytes. */
void wire_put_value(gh_buf *b, const gh_wire_value *value);

/* A startup packet's frame: no type byte. */
size_t wire_begin_untyped(gh_buf *b);
void wire_end_untyped(gh_buf *b, size_t start);

#endif
