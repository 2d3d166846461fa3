/* What judging takes is bounded, in whatever way it grows: every expression asks whether the budget is spent. */
#include "rewrite_tests.h"

#include "judge.h"

#define BUDGET ((size_t)1 << 20)

typedef struct memory_case {
    size_t taken;
    gh_rc rc;
    gh_err err;
} memory_case;

/* Judges a literal where that much is taken already. */
static gh_rc judge_literal(void *arg, gh_err *err)
{
    memory_case *c = arg;
    gh_arena *arena = gh_arena_new(BUDGET);
    gh_rewrite_input in = { .sql = GH_STR("1") };
    gh_sql_text text = { 0 };
    gh_block block = { 0 };
    gh_judge j = { .in = &in,
                   .arena = arena,
                   .text = &text,
                   .err = &c->err,
                   .rc = GH_OK,
                   .block = &block,
                   .memory_before = CurrentMemoryContext->mem_allocated };
    Node *literal = (Node *)makeNode(A_Const);

    (void)err;
    ((A_Const *)literal)->isnull = true;
    ck_assert_ptr_nonnull(palloc(c->taken));
    gh_judge_expr(&j, &literal);
    c->rc = j.rc;
    gh_arena_free(arena);
    return GH_OK;
}

START_TEST(memory_is_bounded)
{
    memory_case within = { .taken = BUDGET / 2 };
    memory_case beyond = { .taken = BUDGET + 1 };
    gh_err err = { 0 };

    ck_assert_int_eq(gh_sql_run(judge_literal, &within, &err), GH_OK);
    ck_assert_int_eq(within.rc, GH_OK);
    ck_assert_int_eq(gh_sql_run(judge_literal, &beyond, &err), GH_OK);
    ck_assert_int_eq(beyond.rc, GH_LIMIT);
    ck_assert_str_eq(beyond.err.sqlstate, "54000");
    ck_assert_str_eq(beyond.err.public_msg, "statement needs too much memory");
}
END_TEST

Suite *suite_memory(void)
{
    Suite *s = suite_create("memory");
    TCase *t = tcase_create("memory");

    tcase_add_test(t, memory_is_bounded);
    suite_add_tcase(s, t);
    return s;
}
