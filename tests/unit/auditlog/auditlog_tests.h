#ifndef AUDITLOG_TESTS_H
#define AUDITLOG_TESTS_H

#include <gatehouse/auditlog.h>

#include <check.h>

Suite *auditlog_write_suite(void);
Suite *auditlog_crash_suite(void);
Suite *auditlog_read_suite(void);

/* A fresh folder name below a scratch folder that `scratch_remove` takes away; fixtures of every
 * case. */
void scratch_make(void);
void scratch_remove(void);
const char *scratch_dir(void);            /* the audit folder; not made yet */
const char *scratch_path(const char *in); /* a name within it; good until the next call */
int segment_names(char names[64][64]);    /* sorted; how many */

gh_auditlog *open_log(gh_durability durability, uint64_t segment_bytes);
void put(gh_auditlog_writer *w, gh_audit_kind kind, const char *message);
void put_and_commit(gh_auditlog_writer *w, gh_audit_kind kind, const char *message);
uint64_t verified(void);           /* the folder's chain holds; its last seq */
char *folder_text(void);           /* all segments, one behind the other; the caller frees it */
size_t count_of(const char *what); /* in folder_text */

#endif
