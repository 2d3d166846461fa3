/*
 * Policy as code: the files of the command line as one policy, and a warehouse to hold it against.
 */
#include "policy_code.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include <gatehouse/server.h>

/* ---- files ----------------------------------------------------------------------------------- */

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

int cli_read_policy(cli_call *c, gh_acl *out)
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

int cli_fail_policy(const gh_acl *files, const gh_err *err)
{
    for (size_t i = 0; i < files->tree_count; i++) {
        gh_str file = files->trees[i].file;
        if (strncmp(err->public_msg, file.ptr, file.len) != 0 || err->public_msg[file.len] != ':')
            continue;
        (void)fprintf(stderr, "%s\n", err->public_msg); /* as compilers say it */
        return GH_CLI_FAILED;
    }
    return cli_fail_err(err);
}

/* ---- a warehouse ----------------------------------------------------------------------------- */

int64_t cli_now_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int cli_pick_warehouse(cli_call *c, const gh_config_warehouse **out)
{
    const char *name = cli_value(c, "--warehouse");
    const gh_config *config = &c->config;

    if (name == NULL && config->warehouse_count != 1)
        return cli_usage(c, "--warehouse must say which of the config file's %zu is meant",
                         config->warehouse_count);
    *out =
        name == NULL ? &config->warehouses[0] : gh_config_warehouse_find(config, gh_str_of(name));
    return *out != NULL ? GH_CLI_DONE
                        : cli_usage(c, "the config file has no warehouse \"%s\"", name);
}

/*
 * As the proxy's own sessions, with times that end and without what a client could set.
 *
 * SECURITY: the key of the `hash` mask comes from the ACL's file; what is no hexadecimal number is
 * not put into SQL.
 */
static gh_str link_sql(cli_call *c, gh_str hash_key)
{
    gh_str key = hash_key;

    for (size_t i = 0; i < hash_key.len; i++)
        if (memchr("0123456789abcdefABCDEF", hash_key.ptr[i], 22) == NULL)
            key.len = 0;
    return gh_arena_printf(
        c->arena,
        "SET search_path TO pg_catalog, pg_temp; SET standard_conforming_strings TO on; "
        "SET client_encoding TO 'UTF8'; SET client_min_messages TO warning; "
        "SET statement_timeout TO '60s'; SET lock_timeout TO '10s'; "
        "SET gatehouse.hash_key TO '" GH_STR_FMT "'",
        GH_STR_ARG(key));
}

void cli_expand_views(gh_catalog_reader *reader, const gh_policy *policy, gh_str warehouse)
{
    gh_arena *a = gh_arena_new(0);
    size_t count = 0;
    const gh_name_pattern *patterns = gh_policy_through(policy, warehouse, a, &count);

    gh_catalog_reader_expand(reader, patterns, count);
    gh_arena_free(a);
}

static gh_rc live_open(cli_call *c, const gh_config_warehouse *w, gh_str hash_key,
                       const gh_policy *policy, cli_live *out, gh_err *err)
{
    gh_secret password = { 0 };
    gh_catalog_reader *reader = NULL;
    cli_live live = { .warehouse = w };
    gh_rc rc = gh_server_password(w, &password, err);

    if (rc == GH_OK) {
        gh_upstream_options options = { .name = w->name,
                                        .conninfo = w->conninfo,
                                        .dir = c->config.dir,
                                        .password = password.len > 0 ? &password : NULL,
                                        .init_sql = link_sql(c, hash_key) };
        rc = gh_upstream_new(&options, &live.upstream, err);
    }
    gh_secret_fini(&password);
    if (rc == GH_OK) {
        reader = gh_catalog_reader_new(live.upstream);
        if (policy != NULL)
            cli_expand_views(reader, policy, w->name);
        rc = gh_catalog_read(reader, NULL, &live.catalog, err);
    }
    gh_catalog_reader_free(reader);
    if (rc != GH_OK) {
        cli_live_close(&live);
        return rc;
    }
    live.link = gh_link_new(live.upstream);
    *out = live;
    return GH_OK;
}

gh_rc cli_live_open(cli_call *c, const gh_config_warehouse *w, gh_str hash_key, cli_live *out,
                    gh_err *err)
{
    return live_open(c, w, hash_key, NULL, out, err);
}

gh_rc cli_live_open_for(cli_call *c, const gh_config_warehouse *w, const gh_policy *policy,
                        gh_str hash_key, cli_live *out, gh_err *err)
{
    return live_open(c, w, hash_key, policy, out, err);
}

void cli_live_close(cli_live *live)
{
    gh_link_free(live->link);
    gh_catalog_release(live->catalog);
    gh_upstream_release(live->upstream);
    *live = (cli_live){ 0 };
}

bool cli_is_table(const gh_relation *r)
{
    return strchr("rpvmf", r->kind) != NULL && !gh_str_is(r->schema, "pg_catalog") &&
           !gh_str_is(r->schema, "information_schema");
}

/* ---- texts ----------------------------------------------------------------------------------- */

gh_str cli_place(gh_arena *a, gh_acl_place place, const char *kind, int64_t id)
{
    if (place.line != 0)
        return gh_arena_printf(a, GH_STR_FMT ":%u:%u", GH_STR_ARG(place.file), place.line,
                               place.column);
    return id != 0 ? gh_arena_printf(a, "%s %" PRId64, kind, id) : gh_str_of(kind);
}

gh_str cli_quote_ident(gh_arena *a, gh_str name)
{
    gh_buf b;

    gh_buf_init(&b, 0);
    gh_buf_puts(&b, "\"");
    for (size_t i = 0; i < name.len; i++) {
        gh_buf_put(&b, &name.ptr[i], 1);
        if (name.ptr[i] == '"')
            gh_buf_puts(&b, "\"");
    }
    gh_buf_puts(&b, "\"");
    gh_str s = gh_arena_dup(a, gh_buf_str(&b));
    gh_buf_fini(&b);
    return s;
}

gh_str cli_name_text(gh_arena *a, gh_str name)
{
    bool is_plain = name.len > 0;

    for (size_t i = 0; i < name.len; i++)
        is_plain = is_plain && strchr(".*\":, ", name.ptr[i]) == NULL;
    return is_plain ? name : cli_quote_ident(a, name);
}

gh_str_list cli_privileges(gh_arena *a, uint32_t privileges)
{
    static const char *const words[] = { "select", "insert", "update", "delete", "truncate" };
    gh_str *items = gh_arena_alloc(a, GH_COUNT(words) * sizeof(*items));
    gh_str_list list = { items, 0 };

    GH_ASSERT(items != NULL);
    for (size_t i = 0; i < GH_COUNT(words); i++)
        if ((privileges & (1u << i)) != 0)
            items[list.count++] = gh_str_of(words[i]);
    return list;
}
