/*
 * The differences between policy files and the ACL, as `policy plan` and `policy apply` show them.
 */
#include "policy_code.h"

#include <gatehouse/audit.h> /* gh_json_parse */

typedef struct differences {
    const cli_call *c;
    gh_buf out;
    gh_str rest; /* of the store's lines */
} differences;

/* Up to the next `end`, which is taken too. */
static gh_str take_until(gh_str *rest, char end)
{
    const char *at = rest->len == 0 ? NULL : memchr(rest->ptr, end, rest->len);
    gh_str taken = { rest->ptr, at == NULL ? rest->len : (size_t)(at - rest->ptr) };
    size_t len = taken.len + (at != NULL);

    rest->ptr += len;
    rest->len -= len;
    return taken;
}

/* ---- for people ------------------------------------------------------------------------------ */

static void put_value(differences *d, const gh_json_value *v)
{
    gh_json_item i;
    bool is_first = true;

    if (v->text.len == 0)
        gh_buf_puts(&d->out, "(none)");
    if (v->type != GH_JSON_ARRAY && v->type != GH_JSON_OBJECT) {
        gh_buf_put_str(&d->out, cli_one_line(d->c->arena, v->text));
        return;
    }
    for (bool ok = gh_json_first(v, d->c->arena, &i); ok; ok = gh_json_next(d->c->arena, &i)) {
        gh_buf_puts(&d->out, is_first ? "" : ", ");
        if (v->type == GH_JSON_OBJECT) {
            gh_buf_put_str(&d->out, cli_one_line(d->c->arena, i.key));
            gh_buf_puts(&d->out, "=");
        }
        gh_buf_put_str(&d->out, cli_one_line(d->c->arena, i.value.text));
        is_first = false;
    }
}

static gh_json_value member(differences *d, const gh_json_value *object, gh_str key)
{
    return gh_json_member(object, d->c->arena, gh_arena_dup(d->c->arena, key).ptr);
}

static bool same(const gh_json_value *a, const gh_json_value *b)
{
    return a->type == b->type && gh_str_eq(a->text, b->text);
}

static void put_member(differences *d, gh_str name, const gh_json_value *before,
                       const gh_json_value *after)
{
    gh_buf_puts(&d->out, "    ");
    if (name.len > 0) {
        gh_buf_put_str(&d->out, name);
        gh_buf_puts(&d->out, ": ");
    }
    put_value(d, before);
    gh_buf_puts(&d->out, " -> ");
    put_value(d, after);
    gh_buf_puts(&d->out, "\n");
}

/* The members of both that are not the same, and those that only one has. */
static void put_change(differences *d, const gh_json_value *before, const gh_json_value *after)
{
    gh_json_item i;
    const gh_json_value none = { .type = GH_JSON_NONE };

    if (before->type != GH_JSON_OBJECT || after->type != GH_JSON_OBJECT) {
        if (!same(before, after))
            put_member(d, (gh_str){ 0 }, before, after);
        return;
    }
    for (bool ok = gh_json_first(before, d->c->arena, &i); ok; ok = gh_json_next(d->c->arena, &i)) {
        gh_json_value now = member(d, after, i.key);
        if (!same(&i.value, &now))
            put_member(d, i.key, &i.value, &now);
    }
    for (bool ok = gh_json_first(after, d->c->arena, &i); ok; ok = gh_json_next(d->c->arena, &i))
        if (member(d, before, i.key).type == GH_JSON_NONE)
            put_member(d, i.key, &none, &i.value);
}

/* What the line above does not say yet of a grant or deny. */
static void put_rule(differences *d, const gh_json_value *rule)
{
    static const char *const said[] = { "effect", "to", "tables", "privileges" };
    gh_json_item i;

    for (bool ok = gh_json_first(rule, d->c->arena, &i); ok; ok = gh_json_next(d->c->arena, &i)) {
        bool is_said = false;
        for (size_t j = 0; j < GH_COUNT(said); j++)
            is_said = is_said || gh_str_is(i.key, said[j]);
        if (is_said)
            continue;
        gh_buf_printf(&d->out, "    " GH_STR_FMT ": ", GH_STR_ARG(i.key));
        put_value(d, &i.value);
        gh_buf_puts(&d->out, "\n");
    }
}

static gh_json_value value_of(differences *d, gh_str json)
{
    gh_json_value v = { .type = GH_JSON_NONE };

    if (json.len > 0 && gh_json_parse(json, d->c->arena, &v, NULL) != GH_OK)
        v = (gh_json_value){ .type = GH_JSON_STRING, .text = json };
    return v;
}

static void put_content(differences *d, char sign, gh_str before, gh_str after)
{
    gh_json_value old = value_of(d, before);
    gh_json_value new = value_of(d, after);

    if (sign == '~')
        put_change(d, &old, &new);
    else if (sign == '+' && gh_json_member(&new, d->c->arena, "effect").type != GH_JSON_NONE)
        put_rule(d, &new);
    else if (sign == '-' && gh_json_member(&old, d->c->arena, "effect").type != GH_JSON_NONE)
        put_rule(d, &old);
}

/* ---- for programs ---------------------------------------------------------------------------- */

static void put_object(differences *d, char sign, gh_str what, bool has_content, gh_str before,
                       gh_str after)
{
    gh_buf_printf(&d->out, "{\"change\":\"%c\",\"what\":", sign);
    gh_audit_put_string(&d->out, what);
    if (has_content)
        gh_buf_printf(&d->out, ",\"before\":" GH_STR_FMT ",\"after\":" GH_STR_FMT,
                      GH_STR_ARG(before.len > 0 ? before : GH_STR("null")),
                      GH_STR_ARG(after.len > 0 ? after : GH_STR("null")));
    gh_buf_puts(&d->out, "}\n");
}

/* ---- both ------------------------------------------------------------------------------------ */

static void put_difference(differences *d)
{
    gh_str line = take_until(&d->rest, '\n');
    char sign = line.ptr[0];
    gh_str what = { line.ptr + 2, line.len < 2 ? 0 : line.len - 2 };
    bool has_content = d->rest.len > 0 && d->rest.ptr[0] == '\t';
    gh_str content = { 0 };
    gh_str before = { 0 };

    if (has_content) {
        content = take_until(&d->rest, '\n');
        (void)take_until(&content, '\t');
        before = take_until(&content, '\t');
    }
    if (cli_has(d->c, "--json")) {
        put_object(d, sign, what, has_content, before, content);
        return;
    }
    gh_buf_put_str(&d->out, line);
    gh_buf_puts(&d->out, "\n");
    if (has_content)
        put_content(d, sign, before, content);
}

void cli_print_differences(const cli_call *c, gh_str lines)
{
    differences d = { .c = c, .rest = lines };

    gh_buf_init(&d.out, 0);
    while (d.rest.len > 0)
        put_difference(&d);
    if (cli_has(c, "--json") && d.out.len > 0)
        (void)fwrite(d.out.ptr, 1, d.out.len, stdout);
    else
        cli_print_lines(gh_buf_str(&d.out));
    gh_buf_fini(&d.out);
}
