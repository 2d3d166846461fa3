#include "judge.h"

gh_stmt_kind gh_bypass_kind(const Node *stmt, const char **name)
{
    switch (nodeTag(stmt)) {
    case T_SelectStmt:
        return ((const SelectStmt *)stmt)->intoClause == NULL ? GH_STMT_QUERY : GH_STMT_OTHER;
    case T_InsertStmt:
    case T_UpdateStmt:
    case T_DeleteStmt:
    case T_MergeStmt:
    case T_TruncateStmt:
        return GH_STMT_WRITE;
    case T_CopyStmt:
        return ((const CopyStmt *)stmt)->is_from ? GH_STMT_COPY_IN : GH_STMT_COPY_OUT;
    case T_PrepareStmt:
        *name = ((const PrepareStmt *)stmt)->name;
        return GH_STMT_PREPARE;
    case T_ExecuteStmt:
        *name = ((const ExecuteStmt *)stmt)->name;
        return GH_STMT_EXECUTE;
    case T_DeallocateStmt:
        *name = ((const DeallocateStmt *)stmt)->name;
        return GH_STMT_DEALLOCATE;
    case T_DeclareCursorStmt:
        *name = ((const DeclareCursorStmt *)stmt)->portalname;
        return GH_STMT_DECLARE;
    case T_FetchStmt:
        *name = ((const FetchStmt *)stmt)->portalname;
        return GH_STMT_FETCH;
    case T_ClosePortalStmt:
        *name = ((const ClosePortalStmt *)stmt)->portalname;
        return GH_STMT_CLOSE;
    case T_DiscardStmt:
        *name = ((const DiscardStmt *)stmt)->target == DISCARD_ALL ? "all" : "plans";
        return GH_STMT_DISCARD;
    case T_TransactionStmt:
        break;
    default:
        return GH_STMT_OTHER;
    }
    *name = ((const TransactionStmt *)stmt)->savepoint_name;
    switch (((const TransactionStmt *)stmt)->kind) {
    case TRANS_STMT_BEGIN:
    case TRANS_STMT_START:
        return GH_STMT_BEGIN;
    case TRANS_STMT_COMMIT:
        return GH_STMT_COMMIT;
    case TRANS_STMT_ROLLBACK:
        return GH_STMT_ROLLBACK;
    case TRANS_STMT_SAVEPOINT:
        return GH_STMT_SAVEPOINT;
    case TRANS_STMT_RELEASE:
        return GH_STMT_RELEASE;
    case TRANS_STMT_ROLLBACK_TO:
        return GH_STMT_ROLLBACK_TO;
    case TRANS_STMT_PREPARE:
    case TRANS_STMT_COMMIT_PREPARED:
    case TRANS_STMT_ROLLBACK_PREPARED:
    default:
        return GH_STMT_OTHER;
    }
}
