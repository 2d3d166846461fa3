/*
 * Any text through the rewriter, as a governed user and as one who may do all: no crash, no disagreement of the
 * verifier, and what is sent keeps the invariants of invariants.c.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); /* of its own, so that a read past it is seen */
    gh_str sql = { text, size };

    memcpy(text, data, size);
    text[size] = '\0';
    for (int user = 0; user < FUZZ_USERS; user++) {
        const gh_plan *plans = NULL;
        size_t count = 0;
        gh_err err = { 0 };
        gh_rc rc = fuzz_rewrite(user, sql, false, &plans, &count, &err);

        if (rc == GH_INTERNAL)
            fuzz_fail("what would be sent does not mean what was judged", sql,
                      gh_str_of(err.detail));
        for (size_t i = 0; rc == GH_OK && i < count; i++) {
            if (plans[i].kind == GH_STMT_REFUSED && strcmp(plans[i].error.sqlstate, "XX000") == 0)
                fuzz_fail("a defect was met", sql, gh_str_of(plans[i].error.detail));
            fuzz_check_sent(sql, &plans[i], user == 0);
        }
    }
    free(text);
    return 0;
}
