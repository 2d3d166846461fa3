#include "sql_priv.h"

#include <gatehouse/sql.h>

/*
 * The lexer as the grammar sees it (base_yylex): U& forms are decoded, NOT/NULLS/WITH carry their
 * lookahead. Values are decoded here once; the emitter writes them back in one canonical form, so
 * that the upstream's lexer settings have nothing left to decide.
 */

/* Tokens cost memory that the text's size does not bound: a tree takes up to ~512 bytes for each. */
#define TOKENS_MAX (GH_SQL_MEMORY_MAX / 512)
/* Room for these is made before the first; more is made as they come. */
#define TOKENS_AT_FIRST 4096

static const struct {
    int code;
    const char *text;
} s_digraphs[] = {
    { TYPECAST, "::" },       { DOT_DOT, ".." },     { COLON_EQUALS, ":=" },
    { EQUALS_GREATER, "=>" }, { LESS_EQUALS, "<=" }, { GREATER_EQUALS, ">=" },
    { NOT_EQUALS, "<>" },
};

static const char *self_text(int code)
{
    for (size_t i = 0; i < GH_COUNT(s_digraphs); i++) {
        if (s_digraphs[i].code == code)
            return s_digraphs[i].text;
    }
    if (code > 0 && code < 256) {
        char *s = palloc(2);
        s[0] = (char)code;
        s[1] = '\0';
        return s;
    }
    return NULL;
}

/* False: a token of a kind that is not known. */
static bool token_fill(gh_token *t, int code, const YYSTYPE *v)
{
    switch (code) {
    case IDENT:
        t->kind = GH_TOKEN_IDENT;
        t->text = v->str;
        return true;
    case SCONST:
        t->kind = GH_TOKEN_STRING;
        t->text = v->str;
        return true;
    case BCONST:
    case XCONST:
        t->kind = GH_TOKEN_BITS;
        t->text = v->str;
        return true;
    case FCONST:
        t->kind = GH_TOKEN_NUMBER;
        t->text = v->str;
        return true;
    case ICONST:
        t->kind = GH_TOKEN_NUMBER;
        t->text = psprintf("%d", v->ival);
        return true;
    case PARAM:
        t->kind = GH_TOKEN_PARAM;
        t->text = psprintf("$%d", v->ival);
        t->number = v->ival;
        return true;
    case Op:
        t->kind = GH_TOKEN_OPERATOR;
        t->text = v->str;
        return true;
    default:
        break;
    }
    t->text = self_text(code);
    if (t->text != NULL) {
        t->kind = GH_TOKEN_SELF;
        return true;
    }
    /* What is left are the keywords, whose canonical spelling the lexer hands over. */
    t->kind = GH_TOKEN_KEYWORD;
    t->text = v->keyword;
    return t->text != NULL && ScanKeywordLookup(t->text, &ScanKeywords) >= 0;
}

static bool is_dot(const gh_token *t)
{
    return t->kind == GH_TOKEN_SELF && t->text[0] == '.' && t->text[1] == '\0';
}

/* What the parse under way has read of its text; a thread has one at a time. */
typedef struct recorder {
    bool is_on;
    gh_token *tokens; /* NULL: they are only counted */
    size_t cap;
    size_t count;
    bool is_over;    /* more tokens than may be */
    bool is_unknown; /* one of a kind that is not known */
    bool has_ended;
} recorder;

static _Thread_local recorder s_recorder;

static void record(recorder *r, int code, const YYSTYPE *value, int location)
{
    gh_token *t;

    if (code == 0)
        r->has_ended = true;
    else if (r->count >= TOKENS_MAX)
        r->is_over = true;
    if (r->is_over || r->tokens == NULL) {
        r->count += code != 0;
        return;
    }
    if (r->count == r->cap) {
        r->cap *= 2;
        r->tokens = repalloc(r->tokens, r->cap * sizeof(gh_token));
    }
    t = &r->tokens[r->count];
    memset(t, 0, sizeof(*t));
    t->start = (uint32_t)location; /* of the end: the text's length */
    t->text = "";
    if (code == 0)
        return;
    if (!token_fill(t, code, value))
        r->is_unknown = true;
    else if (t->kind == GH_TOKEN_KEYWORD && r->count > 0 && is_dot(t - 1))
        t->kind = GH_TOKEN_IDENT; /* k.order, k.where: no clause begins there */
    r->count++;
}

/*
 * Stands between the grammar and its lexer (the linker's --wrap), so that a text is lexed once for tokens and tree both,
 * and what is edited is what was parsed.
 */
int __real_base_yylex(YYSTYPE *value, YYLTYPE *location, core_yyscan_t scanner);
int __wrap_base_yylex(YYSTYPE *value, YYLTYPE *location, core_yyscan_t scanner);

int __wrap_base_yylex(YYSTYPE *value, YYLTYPE *location, core_yyscan_t scanner)
{
    int code;

    memset(value, 0, sizeof(*value));
    code = __real_base_yylex(value, location, scanner);
    if (!s_recorder.is_on)
        return code;
    record(&s_recorder, code, value, *location);
    return s_recorder.is_over ? 0 : code;
}

static gh_rc parse(gh_str text, bool wants_tokens, gh_sql_text *out, gh_err *err)
{
    char *copy = palloc(text.len + 1);
    MemoryContext ctx = CurrentMemoryContext;
    recorder *r = &s_recorder;
    volatile gh_rc rc = GH_OK;

    if (text.len != 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    memset(out, 0, sizeof(*out));
    out->source = copy;
    out->source_len = text.len;
    *r = (recorder){ .cap = text.len < TOKENS_AT_FIRST ? text.len + 1 : TOKENS_AT_FIRST };
    if (wants_tokens)
        r->tokens = palloc(r->cap * sizeof(gh_token));
    PG_TRY();
    {
        r->is_on = true;
        out->stmts = raw_parser(copy, RAW_PARSE_DEFAULT);
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(ctx);
        rc = gh_sql_caught(err);
    }
    PG_END_TRY();
    r->is_on = false;
    if (r->is_over)
        return gh_fail(err, GH_LIMIT, "54000", "statement has more than %u tokens",
                       (unsigned)TOKENS_MAX);
    if (rc != GH_OK)
        return rc;
    if (r->is_unknown || !r->has_ended)
        return gh_fail(err, GH_INTERNAL, "XX000", "unknown token in statement");
    out->tokens = r->tokens;
    out->token_count = r->count;
    return GH_OK;
}

gh_rc gh_sql_parse(gh_str text, gh_sql_text *out, gh_err *err)
{
    return parse(text, true, out, err);
}

gh_rc gh_sql_parse_tree(gh_str text, struct List **stmts, gh_err *err)
{
    gh_sql_text parsed;
    gh_rc rc = parse(text, false, &parsed, err);

    if (rc == GH_OK)
        *stmts = parsed.stmts;
    return rc;
}

size_t gh_sql_token_at(const gh_sql_text *t, int location)
{
    size_t low = 0;
    size_t high = t->token_count;

    if (location < 0)
        return SIZE_MAX;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (t->tokens[mid].start < (uint32_t)location)
            low = mid + 1;
        else
            high = mid;
    }
    return low < t->token_count && t->tokens[low].start == (uint32_t)location ? low : SIZE_MAX;
}

size_t gh_sql_token_closing(const gh_sql_text *t, size_t open)
{
    size_t depth = 0;

    for (size_t i = open; i < t->token_count; i++) {
        const gh_token *k = &t->tokens[i];

        if (k->kind != GH_TOKEN_SELF || k->text[1] != '\0')
            continue;
        if (k->text[0] == '(' || k->text[0] == '[') {
            depth++;
        } else if (k->text[0] == ')' || k->text[0] == ']') {
            depth--;
            if (depth == 0)
                return i;
        }
    }
    return SIZE_MAX;
}
