#include "pg.h"

#include <gatehouse/sql.h>

/*
 * SECURITY: what was checked is what is sent. Splicing works on text; an edit at a wrong token, a
 * name that escapes its quotes or a parser that reads the text in another way would send something
 * that nobody judged. The bytes to be sent are parsed once more and must give the judged tree.
 * Attack: tests/unit/sql verify_refuses_difference; tests/attack lexer.
 */
gh_rc gh_sql_verify(gh_str text, struct Node *judged, gh_err *err)
{
    struct List *stmts;
    gh_err why = { 0 };
    gh_rc rc = gh_sql_parse_tree(text, &stmts, &why);

    if (rc ==
        GH_INVALID) { /* the client's own text did parse, and these words quote what it did not send */
        rc = gh_fail(err, GH_INTERNAL, "XX000", "rewritten statement does not verify");
        gh_err_detail(err, "%s", why.public_msg);
        return rc;
    }
    if (rc != GH_OK) {
        *err = why;
        return rc;
    }
    if (list_length(stmts) != 1)
        return gh_fail(err, GH_INTERNAL, "XX000", "rewritten statement does not verify");
    rc = gh_sql_check_tree(linitial_node(RawStmt, stmts)->stmt, err);
    if (rc != GH_OK)
        return rc;
    if (!equal(linitial_node(RawStmt, stmts)->stmt, judged)) {
        rc = gh_fail(err, GH_INTERNAL, "XX000", "rewritten statement does not verify");
        gh_err_detail(err, "the text to send does not parse to the judged tree");
        return rc;
    }
    return GH_OK;
}
