/*
 * The parser reports errors by siglongjmp to PG_exception_stack. Jump targets are set here and
 * around the parse itself, so nothing outside this module ever sees a jump.
 */
#include "sql_priv.h"

/* SQLSTATE from PostgreSQL's packed form: five characters of six bits (utils/elog.h). */
static void put_sqlstate(char out[6], int code)
{
    for (int i = 0; i < 5; i++) {
        out[i] = (char)((code & 0x3F) + '0');
        code >>= 6;
    }
    out[5] = '\0';
}

gh_rc gh_sql_caught(gh_err *err)
{
    ErrorData *e = CopyErrorData();
    char sqlstate[6];
    gh_rc rc;

    FlushErrorState();
    put_sqlstate(sqlstate, e->sqlerrcode);
    rc = gh_fail(err, strcmp(sqlstate, "53200") == 0 ? GH_LIMIT : GH_INVALID, sqlstate, "%s",
                 e->message != NULL ? e->message : "syntax error");
    if (err != NULL && e->cursorpos > 0)
        err->position = (uint32_t)e->cursorpos;
    return rc;
}

gh_rc gh_sql_run(gh_sql_fn fn, void *arg, gh_err *err)
{
    MemoryContext ctx = pg_query_enter_memory_context();
    volatile gh_rc rc = GH_INTERNAL;

    PG_TRY();
    {
        rc = fn(arg, err);
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(ctx);
        rc = gh_sql_caught(err);
    }
    PG_END_TRY();
    pg_query_exit_memory_context(ctx);
    return rc;
}
