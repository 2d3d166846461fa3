/*
 * The YAML tree over libyaml's event stream. No recursion: open containers are frames on an
 * explicit stack, finished nodes pile up behind them and move into the arena when their container
 * closes.
 *
 *     frames   [ mapping from 0 | sequence from 3 ]
 *     pile     [ key value key | item item item ...
 *                                └ container end: copied to the arena, one node replaces them
 */
#include <gatehouse/config.h>

#include <stdlib.h>
#include <yaml.h>

#define YAML_NO_ALIAS "an alias (*name) is not allowed; quote a text that starts with *"

typedef struct yaml_frame {
    size_t start; /* index into the pile of its first item */
    gh_yaml_node node;
} yaml_frame;

typedef struct yaml_build {
    gh_str name;
    gh_arena *arena;
    gh_err *err;
    gh_yaml_node *pile;
    size_t pile_len;
    size_t pile_cap;
    size_t node_count; /* of the whole file */
    yaml_frame frames[GH_YAML_DEPTH_MAX];
    size_t depth;
} yaml_build;

static gh_rc yaml_refuse(yaml_build *b, gh_rc rc, const gh_yaml_node *at, const char *what)
{
    return gh_fail(b->err, rc, "F0000", GH_STR_FMT ":%u:%u: %s", GH_STR_ARG(b->name), at->line,
                   at->column, what);
}

static gh_yaml_node yaml_node_at(const yaml_event_t *ev, gh_yaml_kind kind)
{
    gh_yaml_node n = { 0 };

    n.kind = kind;
    n.line = (uint32_t)ev->start_mark.line + 1;
    n.column = (uint32_t)ev->start_mark.column + 1;
    return n;
}

static gh_rc yaml_push(yaml_build *b, const gh_yaml_node *n)
{
    if (b->node_count >= GH_YAML_NODES_MAX)
        return yaml_refuse(b, GH_LIMIT, n, "the file has too many values");
    b->node_count++;
    if (b->pile_len == b->pile_cap) {
        b->pile_cap = b->pile_cap == 0 ? 256 : b->pile_cap * 2;
        b->pile = gh_realloc_array(b->pile, b->pile_cap, sizeof(*b->pile));
    }
    b->pile[b->pile_len] = *n;
    b->pile_len++;
    return GH_OK;
}

/* A key must be text, and is about to be pushed if the open container is a mapping with whole
 * pairs. */
static bool yaml_expects_key(const yaml_build *b)
{
    if (b->depth == 0)
        return false;
    const yaml_frame *top = &b->frames[b->depth - 1];
    return top->node.kind == GH_YAML_MAPPING && (b->pile_len - top->start) % 2 == 0;
}

static int yaml_key_order(const void *x, const void *y)
{
    const gh_yaml_node *const *a = x;
    const gh_yaml_node *const *b = y;
    int order = gh_str_cmp((*a)->text, (*b)->text);

    if (order != 0)
        return order;
    return (*a)->line < (*b)->line ? -1
                                   : 1; /* so that the later of two equal keys is the one blamed */
}

static gh_rc yaml_refuse_duplicate(yaml_build *b, const gh_yaml_node *first,
                                   const gh_yaml_node *again)
{
    return gh_fail(b->err, GH_INVALID, "F0000",
                   GH_STR_FMT ":%u:%u: " GH_STR_FMT ": given twice, first in line %u",
                   GH_STR_ARG(b->name), again->line, again->column, GH_STR_ARG(again->text),
                   first->line);
}

static gh_rc yaml_check_unique(yaml_build *b, const gh_yaml_node *map)
{
    enum { YAML_FEW_KEYS = 16 };
    gh_rc rc = GH_OK;

    if (map->count <= YAML_FEW_KEYS) {
        for (size_t i = 1; i < map->count; i++)
            for (size_t j = 0; j < i; j++)
                if (gh_str_eq(gh_yaml_key(map, i)->text, gh_yaml_key(map, j)->text))
                    return yaml_refuse_duplicate(b, gh_yaml_key(map, j), gh_yaml_key(map, i));
        return GH_OK;
    }
    const gh_yaml_node **keys = gh_realloc_array(NULL, map->count, sizeof(*keys));
    for (size_t i = 0; i < map->count; i++)
        keys[i] = gh_yaml_key(map, i);
    qsort(keys, map->count, sizeof(*keys), yaml_key_order);
    for (size_t i = 1; i < map->count && rc == GH_OK; i++)
        if (gh_str_eq(keys[i - 1]->text, keys[i]->text))
            rc = yaml_refuse_duplicate(b, keys[i - 1], keys[i]);
    free(keys);
    return rc;
}

static gh_rc yaml_scalar(yaml_build *b, const yaml_event_t *ev)
{
    gh_yaml_node n = yaml_node_at(ev, GH_YAML_SCALAR);

    n.is_plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (ev->data.scalar.tag != NULL)
        return yaml_refuse(b, GH_INVALID, &n, "tags (!name) are not allowed");
    gh_str text = { (const char *)ev->data.scalar.value, ev->data.scalar.length };
    /* "\0" in double quotes: a name that ends earlier for one reader than for another. */
    if (text.len > 0 && !gh_utf8_is_valid(text))
        return yaml_refuse(b, GH_INVALID, &n, "text must be UTF-8 without NUL");
    n.text = gh_arena_dup(b->arena, text);
    if (n.text.ptr == NULL)
        return yaml_refuse(b, GH_LIMIT, &n, "the file takes too much memory");
    return yaml_push(b, &n);
}

static gh_rc yaml_open(yaml_build *b, const yaml_event_t *ev, gh_yaml_kind kind, bool has_tag)
{
    gh_yaml_node n = yaml_node_at(ev, kind);

    if (has_tag)
        return yaml_refuse(b, GH_INVALID, &n, "tags (!name) are not allowed");
    if (yaml_expects_key(b))
        return yaml_refuse(b, GH_INVALID, &n, "a key must be text");
    if (b->depth == GH_YAML_DEPTH_MAX)
        return yaml_refuse(b, GH_LIMIT, &n, "nested too deeply");
    b->frames[b->depth].start = b->pile_len;
    b->frames[b->depth].node = n;
    b->depth++;
    return GH_OK;
}

static gh_rc yaml_close(yaml_build *b)
{
    GH_ASSERT(b->depth > 0);
    yaml_frame *top = &b->frames[b->depth - 1];
    gh_yaml_node n = top->node;
    size_t len = b->pile_len - top->start;

    if (len > 0) {
        gh_yaml_node *items = gh_arena_alloc(b->arena, len * sizeof(*items));
        if (items == NULL)
            return yaml_refuse(b, GH_LIMIT, &n, "the file takes too much memory");
        memcpy(items, &b->pile[top->start], len * sizeof(*items));
        n.items = items;
    }
    n.count = n.kind == GH_YAML_MAPPING ? len / 2 : len;
    b->pile_len = top->start;
    b->depth--;
    if (n.kind == GH_YAML_MAPPING) {
        gh_rc rc = yaml_check_unique(b, &n);
        if (rc != GH_OK)
            return rc;
    }
    return yaml_push(b, &n);
}

/*
 * SECURITY: an alias multiplies what it stands for (nine lines make a billion nodes), and an anchor
 * serves nothing else: both are refused. Attack: tests/unit/config, yaml_refuses_bombs.
 */
static gh_rc yaml_event(yaml_build *b, const yaml_event_t *ev, size_t *documents)
{
    const yaml_char_t *anchor = NULL;
    gh_yaml_node at = yaml_node_at(ev, GH_YAML_NONE);

    switch (ev->type) {
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return GH_OK;
    case YAML_DOCUMENT_START_EVENT:
        ++*documents;
        if (*documents > 1)
            return yaml_refuse(b, GH_INVALID, &at, "a second document (---) is not allowed");
        return GH_OK;
    case YAML_ALIAS_EVENT:
        return yaml_refuse(b, GH_INVALID, &at, YAML_NO_ALIAS);
    case YAML_SCALAR_EVENT:
        anchor = ev->data.scalar.anchor;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = ev->data.sequence_start.anchor;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = ev->data.mapping_start.anchor;
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return yaml_close(b);
    }
    if (anchor != NULL)
        return yaml_refuse(b, GH_INVALID, &at, "an anchor (&name) is not allowed");
    if (ev->type == YAML_SCALAR_EVENT)
        return yaml_scalar(b, ev);
    if (ev->type == YAML_SEQUENCE_START_EVENT)
        return yaml_open(b, ev, GH_YAML_SEQUENCE, ev->data.sequence_start.tag != NULL);
    return yaml_open(b, ev, GH_YAML_MAPPING, ev->data.mapping_start.tag != NULL);
}

static gh_rc yaml_parser_failed(yaml_build *b, const yaml_parser_t *p)
{
    gh_yaml_node at = { 0 };
    const char *what = p->problem != NULL ? p->problem : "this is no YAML";

    if (p->error == YAML_READER_ERROR)
        return gh_fail(b->err, GH_INVALID, "F0000", GH_STR_FMT ":1:1: byte %zu: %s",
                       GH_STR_ARG(b->name), p->problem_offset, what);
    at.line = (uint32_t)p->problem_mark.line + 1;
    at.column = (uint32_t)p->problem_mark.column + 1;
    if (p->context == NULL)
        return yaml_refuse(b, GH_INVALID, &at, what);
    if (strcmp(p->context, "while scanning an alias") == 0) /* tables: [*.*], the usual slip */
        return yaml_refuse(b, GH_INVALID, &at, YAML_NO_ALIAS);
    return gh_fail(b->err, GH_INVALID, "F0000",
                   GH_STR_FMT ":%u:%u: %s, %s (which began in line %zu)", GH_STR_ARG(b->name),
                   at.line, at.column, what, p->context, p->context_mark.line + 1);
}

static gh_rc yaml_run(yaml_build *b, yaml_parser_t *p)
{
    size_t documents = 0;
    bool is_end = false;

    while (!is_end) {
        yaml_event_t ev;

        if (yaml_parser_parse(p, &ev) == 0)
            return yaml_parser_failed(b, p);
        is_end = ev.type == YAML_STREAM_END_EVENT;
        gh_rc rc = yaml_event(b, &ev, &documents);
        yaml_event_delete(&ev);
        if (rc != GH_OK)
            return rc;
    }
    return GH_OK;
}

gh_rc gh_yaml_parse(gh_str name, gh_str bytes, gh_arena *a, const gh_yaml_node **root, gh_err *err)
{
    yaml_build b = { 0 };
    yaml_parser_t parser;
    gh_yaml_node *top = gh_arena_alloc(a, sizeof(*top));
    gh_rc rc;

    if (top == NULL || bytes.len > GH_YAML_BYTES_MAX)
        return gh_fail(err, GH_LIMIT, "F0000", GH_STR_FMT ": the file is larger than %u MiB",
                       GH_STR_ARG(name), GH_YAML_BYTES_MAX >> 20);
    if (yaml_parser_initialize(&parser) == 0)
        return gh_fail(err, GH_IO, "F0000", GH_STR_FMT ": libyaml failed", GH_STR_ARG(name));
    b.name = name;
    b.arena = a;
    b.err = err;
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)(bytes.len > 0 ? bytes.ptr : ""),
                                 bytes.len);
    rc = yaml_run(&b, &parser);
    yaml_parser_delete(&parser);
    if (rc == GH_OK) {
        *top = (gh_yaml_node){ .kind = GH_YAML_SCALAR, .is_plain = true, .line = 1, .column = 1 };
        GH_ASSERT(b.pile_len <= 1);
        if (b.pile_len == 1)
            *top = b.pile[0];
        *root = top;
    }
    free(b.pile);
    return rc;
}
