/* Inside the catalog reader: what catalog_read.c and catalog_views.c share. */
#ifndef GATEHOUSE_UPSTREAM_CATALOG_READ_PRIV_H
#define GATEHOUSE_UPSTREAM_CATALOG_READ_PRIV_H

#include "upstream_priv.h"

#define GH_CATALOG_DIGEST_MAX 768

struct gh_catalog_reader {
    gh_upstream *upstream;
    PGconn *pg; /* NULL: not connected */
    int stop_fd;
    uint64_t epoch;                     /* of the last snapshot given; 0: none yet */
    char digest[GH_CATALOG_DIGEST_MAX]; /* of that; empty: the next one must be read anew */
    char *views; /* SQL: which views' definitions are wanted; NULL or empty: none */
};

/* Is the catalog what it was when the snapshot was read? *rc tells when that cannot be known. */
typedef bool (*gh_catalog_same_fn)(gh_catalog_reader *r, gh_rc *rc, gh_err *err);

/*
 * Adds the definitions to the builder, or none where is_same says no. *is_whole: nothing is missing. Outside
 * of a transaction.
 */
GH_MUST_USE gh_rc gh_catalog_read_views(gh_catalog_reader *r, gh_catalog_builder *builder,
                                        gh_catalog_same_fn is_same, bool *is_whole, gh_err *err);

#endif
