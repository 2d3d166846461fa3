/* Private to rewrite: what reads a field of a row, or makes a row, where the type of a relation's rows cannot be named. */
#ifndef GATEHOUSE_REWRITE_ROW_VALUE_H
#define GATEHOUSE_REWRITE_ROW_VALUE_H

#include "judge.h"

/* Tells a field of a row that is computed anew, where it can be told; what it is of is judged. */
void gh_row_tell_field(gh_judge *j, const A_Indirection *a);
/* Tells (json_populate_record(NULL::t, x)).field, and with a star, anew, and judges x; false: it is no such value. */
bool gh_row_tell_made(gh_judge *j, A_Indirection *a);
/* Tells json_populate_record(NULL::t, x) and kin of FROM anew, and judges x; false: it is no such call. `pair`: the call and its
 * column definitions. */
bool gh_row_tell_populate(gh_judge *j, const RangeFunction *f, List *pair);

#endif
