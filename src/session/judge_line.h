/*
 * Who waits for a thread that judges: each user's judgements in the order in which they came, and the users in turn.
 *
 *     first ─▶ ann: 1 2 3 4 ─▶ ben: 5          taken: 1 5 2 3 4
 *
 * SECURITY: in one line for all, a user with many sessions and many megabytes in each would keep the others from being
 * answered. Attack: tests/unit/session, test_judge_line.
 *
 * Items are the caller's and stay so; a line's memory is freed with its last item. No locks: the caller holds one.
 */
#ifndef GATEHOUSE_SESSION_JUDGE_LINE_H
#define GATEHOUSE_SESSION_JUDGE_LINE_H

#include <gatehouse/base.h>

/* The first member of what waits. */
typedef struct gh_waiting {
    struct gh_waiting *next;
} gh_waiting;

typedef struct gh_user_line gh_user_line;

typedef struct gh_judge_line {
    gh_user_line *first; /* in turn; none is empty */
    gh_user_line **end;
} gh_judge_line;

void gh_judge_line_init(gh_judge_line *l);
/* Behind what else the user waits for; a user who does not wait yet is the last of all. */
void gh_judge_line_put(gh_judge_line *l, gh_str user, gh_waiting *w);
/* The next in turn; NULL: nobody waits. */
gh_waiting *gh_judge_line_take(gh_judge_line *l);

#endif
