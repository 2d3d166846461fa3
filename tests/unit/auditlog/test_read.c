/* tail, search, verify, and the checker of docs/audit-format.md. */
#include "auditlog_tests.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int s_stop;

static void on_term(int sig)
{
    (void)sig;
    s_stop = 1;
}

static gh_auditlog_query query(uint64_t limit, bool is_json)
{
    return (gh_auditlog_query){
        .dir = gh_str_of(scratch_dir()), .limit = limit, .is_json = is_json, .stop = &s_stop
    };
}

typedef gh_rc reading(const gh_auditlog_query *q, FILE *out, gh_err *err);

static gh_rc search(const gh_auditlog_query *q, FILE *out, gh_err *err)
{
    return gh_auditlog_search(q, out, NULL, err);
}

/* What a reading prints; good until the next call. */
static const char *printed(reading *fn, gh_auditlog_query q)
{
    static char *text;
    size_t len = 0;
    FILE *out;
    gh_err err = { .sqlstate = "" };

    free(text);
    text = NULL;
    out = open_memstream(&text, &len);
    ck_assert_ptr_nonnull(out);
    ck_assert_msg(fn(&q, out, &err) == GH_OK, "%s %s", err.public_msg, err.detail);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

static int lines_of(const char *text)
{
    int count = 0;

    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

/* Records 1 ... count, of segments of a few lines each; the text of each is its number. */
static void write_numbered(int count)
{
    gh_auditlog *log = open_log(GH_DURABILITY_WRITE, 3000);
    gh_auditlog_writer *w = gh_auditlog_writer_new(log, NULL, NULL);

    for (int i = 1; i <= count; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "number-%d.", i);
        put_and_commit(w, i % 3 == 0 ? GH_AUDIT_OUTCOME : GH_AUDIT_INTENT, text);
    }
    gh_auditlog_writer_free(w);
    gh_auditlog_close(log);
}

START_TEST(tail_prints_the_last)
{
    const char *text;

    write_numbered(60);
    ck_assert_int_eq(lines_of(printed(gh_auditlog_tail, query(0, true))), 0);
    ck_assert_int_eq(lines_of(printed(gh_auditlog_tail, query(1000, true))), 60);
    text = printed(gh_auditlog_tail, query(25, true));
    ck_assert_int_eq(lines_of(text), 25);
    ck_assert_ptr_nonnull(strstr(text, "number-36."));
    ck_assert_ptr_null(strstr(text, "number-35."));
    ck_assert(strstr(text, "number-36.") < strstr(text, "number-60."));
    text = printed(gh_auditlog_tail, query(2, false));
    ck_assert_str_eq(text,
                     "2026-07-31 12:00:00.000  intent        -            -          number-59.\n"
                     "2026-07-31 12:00:00.000  outcome       -            -          "
                     "0 rows, 0 bytes, 0.000 ms number-60.\n");
}
END_TEST

START_TEST(search_prints_what_matches)
{
    gh_auditlog_query q = query(0, true);
    uint64_t matched = 0;
    const char *text;
    FILE *null = fopen("/dev/null", "w");

    write_numbered(60);
    ck_assert_int_eq(lines_of(printed(search, q)), 60);
    q.filter.kind = GH_AUDIT_OUTCOME;
    ck_assert_int_eq(lines_of(printed(search, q)), 20);
    ck_assert_int_eq(gh_auditlog_search(&q, null, &matched, NULL), GH_OK);
    ck_assert_uint_eq(matched, 20);
    q.limit = 3;
    text = printed(search, q);
    ck_assert_int_eq(lines_of(text), 3);
    ck_assert(strstr(text, "number-54.") < strstr(text, "number-60."));
    q.filter.text = GH_STR("NUMBER-3");
    text = printed(search, q);
    ck_assert_int_eq(lines_of(text), 3);
    ck_assert_ptr_nonnull(strstr(text, "number-39."));
    q.filter.user = GH_STR("nobody");
    ck_assert_str_eq(printed(search, q), "");
    (void)fclose(null);
}
END_TEST

/* A record longer than the reader's chunk, between short ones. */
START_TEST(long_records_are_read)
{
    gh_auditlog *log = open_log(GH_DURABILITY_WRITE, 0);
    gh_auditlog_writer *w = gh_auditlog_writer_new(log, NULL, NULL);
    size_t len = 3u << 20;
    char *text = gh_alloc(len + 1);

    memset(text, 'x', len);
    for (int i = 0; i < 3; i++) {
        put_and_commit(w, GH_AUDIT_STOP, "short");
        put_and_commit(w, GH_AUDIT_STOP, text);
    }
    put_and_commit(w, GH_AUDIT_STOP, "short");
    ck_assert_int_eq(lines_of(printed(gh_auditlog_tail, query(6, true))), 6);
    ck_assert_int_eq(lines_of(printed(search, query(0, true))), 7);
    ck_assert_uint_eq(verified(), 7);
    gh_auditlog_writer_free(w);
    gh_auditlog_close(log);
    free(text);
}
END_TEST

START_TEST(a_line_being_written_is_not_there)
{
    gh_auditlog_query q = query(10, true);
    gh_auditlog_extent found;
    gh_err err = { .sqlstate = "" };
    FILE *f;

    write_numbered(2);
    f = fopen(scratch_path("audit-00000000000000000001.jsonl"), "ab");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_gt(fprintf(f, "{\"kind\":\"half"), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(lines_of(printed(gh_auditlog_tail, q)), 2);
    q.limit = 0;
    ck_assert_int_eq(lines_of(printed(search, q)), 2);
    ck_assert_int_eq(gh_auditlog_verify(gh_str_of(scratch_dir()), NULL, &found, &err), GH_INVALID);
    ck_assert_str_eq(err.detail, "audit-00000000000000000001.jsonl, line 3");
}
END_TEST

/* Over several segments, each record is found by its number, and no other with it. */
START_TEST(search_finds_a_number)
{
    gh_auditlog_query q = query(0, true);
    char seq[32];

    write_numbered(60);
    for (uint64_t n = 1; n <= 60; n++) {
        const char *text;

        q.filter.seq = n;
        text = printed(search, q);
        ck_assert_int_eq(lines_of(text), 1);
        (void)snprintf(seq, sizeof(seq), "\"seq\":%d,", (int)n);
        ck_assert_ptr_nonnull(strstr(text, seq));
    }
    q.filter.seq = 61;
    ck_assert_int_eq(lines_of(printed(search, q)), 0);
}
END_TEST

START_TEST(no_folder)
{
    gh_auditlog_query q = query(10, true);
    gh_auditlog_extent found;

    q.dir = GH_STR("/nonexistent/audit");
    ck_assert_int_eq(gh_auditlog_tail(&q, stdout, NULL), GH_NOT_FOUND);
    ck_assert_int_eq(gh_auditlog_search(&q, stdout, NULL, NULL), GH_NOT_FOUND);
    ck_assert_int_eq(gh_auditlog_verify(q.dir, NULL, &found, NULL), GH_NOT_FOUND);
    q.dir = GH_STR("/dev/null");
    ck_assert_int_eq(gh_auditlog_tail(&q, stdout, NULL), GH_IO);
}
END_TEST

START_TEST(output_that_is_full)
{
    gh_auditlog_query q = query(10, true);
    FILE *full = fopen("/dev/full", "w");

    write_numbered(5);
    ck_assert_int_eq(gh_auditlog_tail(&q, full, NULL), GH_IO);
    (void)fclose(full);
}
END_TEST

/* Reads lines from fd until `want` is in one; how many lines that took. */
static int read_until(int fd, const char *want)
{
    static char buf[1 << 20];
    static size_t len;
    int lines = 0;

    for (;;) {
        char *end = memchr(buf, '\n', len);
        struct pollfd p = { fd, POLLIN, 0 };
        ssize_t got;

        if (end != NULL) {
            bool found;

            *end = '\0';
            found = strstr(buf, want) != NULL;
            len -= (size_t)(end + 1 - buf);
            memmove(buf, end + 1, len);
            lines++;
            if (found)
                return lines;
            continue;
        }
        ck_assert_msg(poll(&p, 1, 20000) == 1, "%s did not come", want);
        got = read(fd, buf + len, sizeof(buf) - len);
        ck_assert_int_gt(got, 0);
        len += (size_t)got;
    }
}

/* From a folder that is still empty, over segments that come and go, to a clean end by a signal. */
START_TEST(tail_follows)
{
    gh_auditlog *log;
    gh_auditlog_writer *w;
    int fds[2];
    int status;
    pid_t pid;

    write_numbered(2);
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        gh_auditlog_query q = query(1, true);
        FILE *out = fdopen(fds[1], "w");

        (void)signal(SIGTERM, on_term);
        q.is_following = true;
        _exit(out != NULL && gh_auditlog_tail(&q, out, NULL) == GH_OK ? 0 : 1);
    }
    (void)close(fds[1]);
    ck_assert_int_eq(read_until(fds[0], "number-2."), 1);
    log = open_log(GH_DURABILITY_WRITE, 2000);
    w = gh_auditlog_writer_new(log, NULL, NULL);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 20; i++)
            put_and_commit(w, GH_AUDIT_INTENT, "between");
        put_and_commit(w, GH_AUDIT_INTENT, "the last one");
        ck_assert_int_eq(read_until(fds[0], "the last one"), 21);
    }
    gh_auditlog_writer_free(w);
    gh_auditlog_close(log);
    ck_assert_int_eq(kill(pid, SIGTERM), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    (void)close(fds[0]);
}
END_TEST

START_TEST(verify_finds_what_was_changed)
{
    gh_auditlog_extent found;
    gh_err err = { .sqlstate = "" };
    char names[64][64];
    int count;
    FILE *f;

    write_numbered(60);
    count = segment_names(names);
    ck_assert_int_gt(count, 3);
    f = fopen(scratch_path(names[1]), "r+b");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, 100, SEEK_SET), 0);
    ck_assert_int_ne(fputc('#', f), EOF);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(gh_auditlog_verify(gh_str_of(scratch_dir()), NULL, &found, &err), GH_INVALID);
    ck_assert_ptr_nonnull(strstr(err.detail, names[1]));
    ck_assert_ptr_nonnull(strstr(err.detail, "line 1"));
    /* A whole segment is missing. */
    ck_assert_int_eq(unlink(scratch_path(names[1])), 0);
    memset(&err, 0, sizeof(err));
    ck_assert_int_eq(gh_auditlog_verify(gh_str_of(scratch_dir()), NULL, &found, &err), GH_INVALID);
    ck_assert_ptr_nonnull(strstr(err.detail, names[2]));
    /* The oldest ones may be gone: the chain begins with what is left. */
    ck_assert_int_eq(unlink(scratch_path(names[0])), 0);
    ck_assert_uint_eq(verified(), 60);
}
END_TEST

/* What a check with something known says, or "" where the chain holds it. */
static const char *verified_with(const gh_audit_chain *known)
{
    static gh_err err;
    gh_auditlog_extent found;

    memset(&err, 0, sizeof(err));
    if (gh_auditlog_verify(gh_str_of(scratch_dir()), known, &found, &err) == GH_OK)
        ck_assert_str_eq(err.public_msg, "");
    return err.public_msg;
}

static bool holds(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

START_TEST(verify_misses_what_is_known)
{
    gh_auditlog_extent all;
    gh_auditlog_extent left;
    gh_audit_chain other;
    char names[64][64];
    int count;

    write_numbered(60);
    ck_assert_int_eq(gh_auditlog_verify(gh_str_of(scratch_dir()), NULL, &all, NULL), GH_OK);
    ck_assert_uint_eq(all.first_seq, 1);
    ck_assert_uint_eq(all.end.seq, 60);
    ck_assert_str_eq(verified_with(&all.end), "");
    other = all.end;
    other.hash[31] ^= 1;
    ck_assert(holds(verified_with(&other), "record 60 is another than the one that is known"));
    other = all.end;
    other.seq++;
    ck_assert(holds(verified_with(&other),
                    "record 61, which is known, is not here: the log ends with 60"));
    /* The newest segment cut off: the chain holds, but not to where it is known to have gone. */
    count = segment_names(names);
    ck_assert_int_gt(count, 3);
    ck_assert_int_eq(unlink(scratch_path(names[count - 1])), 0);
    ck_assert_int_eq(gh_auditlog_verify(gh_str_of(scratch_dir()), NULL, &left, NULL), GH_OK);
    ck_assert(holds(verified_with(&all.end), "record 60, which is known, is not here"));
    /* The oldest one moved away: the record before the first that is left is known by that one's `prev`. */
    ck_assert_int_eq(unlink(scratch_path(names[0])), 0);
    ck_assert_str_eq(verified_with(&left.end), "");
    ck_assert_int_eq(gh_auditlog_verify(gh_str_of(scratch_dir()), NULL, &left, NULL), GH_OK);
    ck_assert_uint_gt(left.first_seq, 1);
    other = (gh_audit_chain){ .seq = left.first_seq - 1 };
    ck_assert(holds(verified_with(&other), "does not follow from its predecessor"));
    other.seq--;
    ck_assert(holds(verified_with(&other), "is not here: the log begins with"));
}
END_TEST

/* The checker as the documentation prints it, run by Python. */
static int run_documented_checker(char *out, size_t cap)
{
    char command[1024];
    FILE *p;
    size_t len;

    (void)snprintf(command, sizeof(command),
                   "awk '/^```/ { on = /python/ && !seen; seen = 1; next } on' "
                   "'" SOURCE_DIR "/docs/audit-format.md' | python3 - '%s' 2>&1",
                   scratch_dir());
    p = popen(command, "r");
    ck_assert_ptr_nonnull(p);
    len = fread(out, 1, cap - 1, p);
    out[len] = '\0';
    return pclose(p);
}

START_TEST(the_documented_checker_agrees)
{
    char out[4096];
    char want[128];
    char hex[2 * GH_AUDIT_HASH_LEN + 1] = "";
    char names[64][64];
    gh_auditlog_extent found;
    FILE *f;

    write_numbered(40);
    ck_assert_int_eq(gh_auditlog_verify(gh_str_of(scratch_dir()), NULL, &found, NULL), GH_OK);
    gh_audit_hex(found.end.hash, sizeof(found.end.hash), hex);
    (void)snprintf(want, sizeof(want), "40 %s\n", hex);
    ck_assert_int_eq(run_documented_checker(out, sizeof(out)), 0);
    ck_assert_str_eq(out, want);
    (void)segment_names(names);
    f = fopen(scratch_path(names[1]), "r+b");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, 30, SEEK_SET), 0);
    ck_assert_int_ne(fputc('3', f), EOF);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_ne(run_documented_checker(out, sizeof(out)), 0);
    ck_assert_ptr_nonnull(strstr(out, names[1]));
}
END_TEST

/* Bytes that are no UTF-8, quotes, controls: Python reads the file and gets the bytes back. */
START_TEST(python_reads_hostile_bytes)
{
    gh_auditlog *log = open_log(GH_DURABILITY_WRITE, 0);
    gh_auditlog_writer *w = gh_auditlog_writer_new(log, NULL, NULL);
    char bytes[600];
    char command[1024];
    size_t len = 0;
    gh_auditlog_ticket ticket;
    gh_audit_record r = { .kind = GH_AUDIT_INTENT };

    for (int c = 0; c < 256; c++)
        bytes[len++] = (char)c;
    for (int c = 255; c >= 0; c--)
        bytes[len++] = (char)c;
    memcpy(bytes + len, "\xee\xbe\x80\xe2\x80\xa8\xf0\x9f\x98\x80", 10);
    len += 10;
    r.sql = (gh_str){ bytes, len };
    ck_assert_int_eq(gh_auditlog_put(w, &r, NULL), GH_OK);
    ck_assert_int_eq(gh_auditlog_commit(w, &ticket, NULL), GH_OK);
    (void)snprintf(command, sizeof(command),
                   "python3 -c '\n"
                   "import json, sys\n"
                   "lines = open(sys.argv[1], \"rb\").read().decode().split(\"\\n\")\n"
                   "assert len(lines) == 2 and lines[1] == \"\", lines\n"
                   "text = json.loads(lines[0])[\"sql\"]\n"
                   "raw = b\"\".join(bytes([ord(c) - 0xEF00]) if 0xEF80 <= ord(c) <= 0xEFFF else "
                   "c.encode() for c in text)\n"
                   "want = bytes(range(256)) + bytes(range(255, -1, -1)) + "
                   "bytes.fromhex(\"eebe80e280a8f09f9880\")\n"
                   "assert raw == want, (raw, want)\n"
                   "' '%s'",
                   scratch_path("audit-00000000000000000001.jsonl"));
    ck_assert_int_eq(system(command), 0);
    gh_auditlog_writer_free(w);
    gh_auditlog_close(log);
}
END_TEST

Suite *auditlog_read_suite(void)
{
    Suite *s = suite_create("read");
    TCase *c = tcase_create("read");

    tcase_add_checked_fixture(c, scratch_make, scratch_remove);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, tail_prints_the_last);
    tcase_add_test(c, search_prints_what_matches);
    tcase_add_test(c, long_records_are_read);
    tcase_add_test(c, a_line_being_written_is_not_there);
    tcase_add_test(c, search_finds_a_number);
    tcase_add_test(c, no_folder);
    tcase_add_test(c, output_that_is_full);
    tcase_add_test(c, tail_follows);
    tcase_add_test(c, verify_finds_what_was_changed);
    tcase_add_test(c, verify_misses_what_is_known);
    tcase_add_test(c, the_documented_checker_agrees);
    tcase_add_test(c, python_reads_hostile_bytes);
    suite_add_tcase(s, c);
    return s;
}
