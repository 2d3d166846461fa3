/*
 * The readers of files and of what people type: config, policy (what is read, written and read again is the same), YAML, masks,
 * row filters, the audit log's JSON. The first byte picks one.
 */
#include <gatehouse/audit.h>
#include <gatehouse/config.h>
#include <gatehouse/policy.h>
#include <gatehouse/rewrite.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_config(gh_str text, gh_arena *a)
{
    gh_config config;
    gh_buf faults;

    gh_buf_init(&faults, (size_t)16 << 20);
    if (gh_config_read(GH_STR("gatehouse.yaml"), text, a, &config, &faults) != GH_OK &&
        faults.len == 0)
        abort(); /* a fault that says nothing */
    gh_buf_fini(&faults);
}

static void read_policy(gh_str text, gh_arena *a)
{
    gh_policy_file file = { GH_STR("policy.yaml"), text };
    gh_acl acl = { 0 };
    gh_acl again = { 0 };
    gh_policy *policy = NULL;
    gh_err err = { 0 };
    gh_buf first;
    gh_buf second;

    if (gh_policy_read_files(&file, 1, a, &acl, &err) != GH_OK)
        return;
    gh_buf_init(&first, (size_t)16 << 20);
    gh_buf_init(&second, (size_t)16 << 20);
    gh_policy_write_file(&acl, &first);
    file.text = (gh_str){ first.ptr, first.len };
    if (gh_policy_read_files(&file, 1, a, &again, &err) != GH_OK) {
        fprintf(stderr, "what was written cannot be read: %s\n%.*s\n", err.public_msg,
                (int)first.len, first.ptr);
        abort();
    }
    gh_policy_write_file(&again, &second);
    if (first.len != second.len || memcmp(first.ptr, second.ptr, first.len) != 0) {
        fprintf(stderr, "a round trip changes the policy:\n%.*s\n--\n%.*s\n", (int)first.len,
                first.ptr, (int)second.len, second.ptr);
        abort();
    }
    if (gh_policy_compile(&acl, &policy, &err) == GH_OK)
        gh_policy_release(policy);
    gh_buf_fini(&first);
    gh_buf_fini(&second);
}

static void walk_json(const gh_json_value *v, gh_arena *a, int depth)
{
    gh_json_item item;

    if (depth > 64 || (v->type != GH_JSON_ARRAY && v->type != GH_JSON_OBJECT))
        return;
    for (bool more = gh_json_first(v, a, &item); more; more = gh_json_next(a, &item))
        walk_json(&item.value, a, depth + 1);
}

static void read_json(gh_str text, gh_arena *a)
{
    gh_json_value v;
    gh_err err = { 0 };

    if (gh_json_parse(text, a, &v, &err) == GH_OK)
        walk_json(&v, a, 0);
}

static void read_small(gh_str text, gh_arena *a)
{
    gh_mask mask;
    gh_err err = { 0 };
    int64_t i;
    uint64_t u;

    if (gh_mask_parse(text, NULL, 0, a, &mask, &err) == GH_OK && text.len == 0)
        abort();
    if (gh_config_parse_int(text, &i) && text.len == 0)
        abort();
    (void)gh_config_parse_size(text, &u);
    (void)gh_config_parse_duration_ms(text, &i);
    (void)gh_config_parse_time(text, text.len % 2 == 0, &i);
    if (gh_audit_time_parse(text, 1700000000000000, &i, &err) == GH_INTERNAL)
        abort();
    if (gh_rewrite_check_expression(text, &err) == GH_INTERNAL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_arena *a;
    char *copy;
    gh_str text;

    if (size < 1)
        return 0;
    copy = malloc(size);
    memcpy(copy, data + 1, size - 1);
    copy[size - 1] = '\0';
    text = (gh_str){ copy, size - 1 };
    a = gh_arena_new((size_t)16 << 20);
    switch (data[0] % 4) {
    case 0:
        read_config(text, a);
        break;
    case 1:
        read_policy(text, a);
        break;
    case 2:
        read_json(text, a);
        break;
    default:
        read_small(text, a);
        break;
    }
    gh_arena_free(a);
    free(copy);
    return 0;
}
