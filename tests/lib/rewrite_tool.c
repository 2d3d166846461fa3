/*
 * The rewriter on a command line, for tests that compare what it sends with what a real server answers:
 *
 *     rewrite_tool CONNINFO POLICY.yaml USER DATABASE SEARCH_PATH < statements > answers
 *
 * The catalog is read from the server. Statements and answers end with a NUL byte; an answer is
 * "=" and the SQL to send, or "!SQLSTATE message". SEARCH_PATH is a list of schemas with commas between.
 */
#include <gatehouse/policy.h>
#include <gatehouse/rewrite.h>
#include <gatehouse/upstream.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static char *read_all(FILE *f, size_t *len)
{
    gh_buf b;
    char chunk[65536];
    size_t n;

    gh_buf_init(&b, 0);
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        gh_buf_put(&b, chunk, n);
    gh_buf_put_u8(&b, 0);
    *len = b.len - 1;
    return b.ptr;
}

static int fail(const char *what, const gh_err *err)
{
    fprintf(stderr, "%s: %s %s (%s)\n", what, err->sqlstate, err->public_msg, err->detail);
    return 1;
}

static gh_catalog *load_catalog(const char *conninfo, gh_err *err)
{
    gh_upstream_options options = { .name = GH_STR("test"), .conninfo = gh_str_of(conninfo) };
    gh_upstream *u = NULL;
    gh_catalog *c = NULL;
    gh_catalog_reader *r;

    if (gh_upstream_new(&options, &u, err) != GH_OK)
        return NULL;
    r = gh_catalog_reader_new(u);
    if (gh_catalog_read(r, NULL, &c, err) != GH_OK)
        c = NULL;
    gh_catalog_reader_free(r);
    gh_upstream_release(u);
    return c;
}

static gh_policy *load_policy(const char *path, gh_arena *a, gh_err *err)
{
    FILE *f = fopen(path, "r");
    gh_policy_file file = { .name = gh_str_of(path) };
    gh_acl acl = { 0 };
    gh_policy *p = NULL;

    if (f == NULL)
        return NULL;
    file.text.ptr = read_all(f, &file.text.len);
    (void)fclose(f);
    if (gh_policy_read_files(&file, 1, a, &acl, err) != GH_OK ||
        gh_policy_compile(&acl, &p, err) != GH_OK)
        return NULL;
    return p;
}

static void answer(const gh_rewrite_input *in)
{
    gh_arena *a = gh_arena_new(0);
    const gh_plan *plans = NULL;
    size_t count = 0;
    gh_err err = { 0 };

    if (gh_rewrite(in, a, &plans, &count, &err) != GH_OK) {
        printf("!%s %s (%s)", err.sqlstate, err.public_msg, err.detail);
    } else if (count > 0 && plans[count - 1].kind == GH_STMT_REFUSED) {
        const gh_err *e = &plans[count - 1].error;

        printf("!%s %s (%s)", e->sqlstate, e->public_msg, e->detail);
    } else {
        putchar('=');
        for (size_t i = 0; i < count; i++)
            printf("%s" GH_STR_FMT, i == 0 ? "" : ";\n", GH_STR_ARG(plans[i].sql));
    }
    putchar('\0');
    gh_arena_free(a);
}

int main(int argc, char **argv)
{
    gh_err err = { 0 };
    gh_arena *a = gh_arena_new(0);
    gh_rewrite_input in = { .client_encoding = GH_STR("UTF8") };
    gh_str path[16];
    struct timespec now;
    gh_policy *policy;
    char *text;
    size_t len;

    if (argc != 6)
        return 2;
    in.catalog = load_catalog(argv[1], &err);
    if (in.catalog == NULL)
        return fail("catalog", &err);
    policy = load_policy(argv[2], a, &err);
    if (policy == NULL)
        return fail("policy", &err);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    in.view = gh_view_new(policy, gh_str_of(argv[4]), gh_str_of(argv[3]),
                          (int64_t)now.tv_sec * 1000000);
    in.database = gh_str_of(argv[4]);
    in.search_path_text = gh_str_of(argv[5]);
    in.search_path.items = path;
    for (char *p = strtok(gh_strdup(gh_str_of(argv[5])), ","); p != NULL && in.search_path.count < 16;
         p = strtok(NULL, ","))
        path[in.search_path.count++] = gh_str_of(p);
    text = read_all(stdin, &len);
    for (char *p = text; p < text + len; p += strlen(p) + 1) {
        in.sql = gh_str_of(p);
        answer(&in);
    }
    return 0;
}
