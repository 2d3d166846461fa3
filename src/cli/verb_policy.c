/*
 * policy apply, policy export.
 */
#include "cli_priv.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <gatehouse/policy.h>

/* ---- files
 * ------------------------------------------------------------------------------------------- */

typedef struct policy_files {
    cli_call *c;
    gh_policy_file *list;
    size_t count;
    size_t cap;
} policy_files;

static int add_file(policy_files *files, const char *path)
{
    gh_err err = { 0 };

    if (files->count == files->cap) {
        files->cap = files->cap == 0 ? 16 : files->cap * 2;
        files->list = gh_realloc_array(files->list, files->cap, sizeof(*files->list));
    }
    gh_policy_file *file = &files->list[files->count];
    if (cli_read_file(path, GH_YAML_BYTES_MAX, files->c->arena, &file->text, &err) != GH_OK)
        return cli_fail_err(&err);
    file->name = gh_arena_dup(files->c->arena, gh_str_of(path));
    files->count++;
    return GH_CLI_DONE;
}

static int is_policy_file(const struct dirent *entry)
{
    gh_str name = gh_str_of(entry->d_name);

    if (name.len == 0 || name.ptr[0] == '.') /* an editor's */
        return 0;
    if (name.len > 5 && memcmp(name.ptr + name.len - 5, ".yaml", 5) == 0)
        return 1;
    return name.len > 4 && memcmp(name.ptr + name.len - 4, ".yml", 4) == 0 ? 1 : 0;
}

/* The *.yaml and *.yml of a folder, in the order of their names. */
static int add_folder(policy_files *files, const char *path)
{
    struct dirent **entries = NULL;
    int code = GH_CLI_DONE;
    int count = scandir(path, &entries, is_policy_file, alphasort);

    if (count < 0)
        return cli_fail("%s: %s", path, strerror(errno));
    if (count == 0)
        code = cli_fail("%s: no .yaml file in this folder", path);
    for (int i = 0; i < count; i++) {
        if (code == GH_CLI_DONE)
            code = add_file(
                files, gh_arena_printf(files->c->arena, "%s/%s", path, entries[i]->d_name).ptr);
        free(entries[i]);
    }
    free(entries);
    return code;
}

/* The reader's faults, a line each: the detail holds them all, as far as they fit in whole lines. */
static int fail_faults(const gh_err *err)
{
    gh_str all = gh_str_of(err->detail);

    while (all.len > 0 && all.ptr[all.len - 1] != '\n')
        all.len--;
    if (all.len > 0)
        (void)fprintf(stderr, GH_STR_FMT, GH_STR_ARG(all));
    else
        (void)fprintf(stderr, "%s\n", err->public_msg);
    return GH_CLI_FAILED;
}

static int read_policy(cli_call *c, gh_acl *out)
{
    policy_files files = { .c = c };
    gh_err err = { 0 };
    int code = GH_CLI_DONE;

    for (size_t i = 0; i < c->arg_count && code == GH_CLI_DONE; i++) {
        struct stat info;
        bool is_folder = stat(c->args[i], &info) == 0 && S_ISDIR(info.st_mode);
        code = is_folder ? add_folder(&files, c->args[i]) : add_file(&files, c->args[i]);
    }
    if (code == GH_CLI_DONE &&
        gh_policy_read_files(files.list, files.count, c->arena, out, &err) != GH_OK)
        code = fail_faults(&err);
    free(files.list);
    return code;
}

/* ---- apply
 * -----------------------------------------------------------------------------------------------
 */

static void print_summary(const cli_call *c, const gh_store_summary *s)
{
    if (s->lines.len > 0)
        (void)fwrite(s->lines.ptr, 1, s->lines.len, stdout);
    if (s->added + s->changed + s->removed == 0)
        (void)printf("nothing to change; the ACL is at version %llu\n",
                     (unsigned long long)s->version);
    else
        (void)printf("%s%zu added, %zu changed, %zu removed; %s version %llu\n",
                     cli_has(c, "--dry-run") ? "would be: " : "", s->added, s->changed, s->removed,
                     cli_has(c, "--dry-run") ? "nothing was changed, this would be"
                                             : "the ACL is at",
                     (unsigned long long)s->version);
    if (s->kept > 0)
        (void)printf("%zu made on the command line and kept; --prune removes what no file says\n",
                     s->kept);
}

static int run_apply(cli_call *c)
{
    gh_store *st = NULL;
    gh_acl files = { 0 };
    gh_store_summary summary;
    gh_err err = { 0 };
    uint32_t flags = (cli_has(c, "--prune") ? GH_STORE_PRUNE : 0u) |
                     (cli_has(c, "--dry-run") ? GH_STORE_DRY_RUN : 0u);
    gh_store_author author = cli_author(c);
    int code = read_policy(c, &files); /* before the ACL is made: a typo leaves no file behind */

    if (code == GH_CLI_DONE)
        code = cli_open_acl(c, GH_STORE_CREATE, &st);
    if (code != GH_CLI_DONE)
        return code;
    gh_store_summary_init(&summary);
    gh_rc rc = gh_store_apply(st, &files, flags, &author, &summary, &err);
    if (rc == GH_OK)
        print_summary(c, &summary);
    else
        code = cli_fail_err(&err);
    gh_store_summary_fini(&summary);
    gh_store_close(st);
    return code;
}

static const cli_option s_apply_options[] = {
    { "--dry-run", NULL, "say what would change, change nothing" },
    { "--prune", NULL, "remove, or take over, what was made on the command line" },
};

const cli_verb cli_policy_apply = {
    .group = "policy",
    .name = "apply",
    .args = "FILE-OR-DIR...",
    .summary = "Make the ACL say what policy files say",
    .help =
        "All files, and all .yaml and .yml files of the folders, merge into one policy. In one\n"
        "transaction, things that policy files made are added, changed and removed; what was made "
        "on\n"
        "the command line is kept and listed. A policy that makes no sense changes nothing. A "
        "running\n"
        "proxy obeys at once. The ACL is made if it is absent.",
    .example = "  gatehouse policy apply --acl acl.db policies/\n"
               "  gatehouse policy apply --config gatehouse.yaml --dry-run policy.yaml",
    .shared = CLI_ACL | CLI_CONFIG | CLI_AUTHOR,
    .options = s_apply_options,
    .option_count = GH_COUNT(s_apply_options),
    .args_min = 1,
    .args_max = CLI_ARGS_MAX,
    .run = run_apply,
};

/* ---- export
 * ---------------------------------------------------------------------------------------------- */

static int run_export(cli_call *c)
{
    gh_acl acl = { 0 };
    gh_buf out;
    int code = cli_load_acl(c, &acl);

    if (code != GH_CLI_DONE)
        return code;
    gh_buf_init(&out, 0);
    gh_policy_write_file(&acl, &out);
    if (out.len > 0)
        (void)fwrite(out.ptr, 1, out.len, stdout);
    gh_buf_fini(&out);
    return GH_CLI_DONE;
}

const cli_verb cli_policy_export = {
    .group = "policy",
    .name = "export",
    .summary = "Write the ACL as a policy file to stdout",
    .help =
        "Everything but passwords and the key of the hash mask. Applied to an empty ACL, the file\n"
        "gives the same ACL again.",
    .example = "  gatehouse policy export --acl acl.db > policy.yaml",
    .shared = CLI_ACL | CLI_CONFIG,
    .run = run_export,
};
