/*
 * judge_line.c: see judge_line.h. Users are few where many wait, so a user's line is found by looking at each.
 */
#include "judge_line.h"

#include <stdlib.h>

struct gh_user_line {
    gh_user_line *next;
    gh_waiting *first;
    gh_waiting **end;
    size_t user_len;
    char user[];
};

void gh_judge_line_init(gh_judge_line *l)
{
    l->first = NULL;
    l->end = &l->first;
}

static void append(gh_judge_line *l, gh_user_line *u)
{
    u->next = NULL;
    *l->end = u;
    l->end = &u->next;
}

void gh_judge_line_put(gh_judge_line *l, gh_str user, gh_waiting *w)
{
    gh_user_line *u = l->first;

    while (u != NULL && !gh_str_eq((gh_str){ u->user, u->user_len }, user))
        u = u->next;
    if (u == NULL) {
        u = gh_alloc(sizeof(*u) + user.len);
        u->end = &u->first;
        u->user_len = user.len;
        if (user.len > 0)
            memcpy(u->user, user.ptr, user.len);
        append(l, u);
    }
    w->next = NULL;
    *u->end = w;
    u->end = &w->next;
}

gh_waiting *gh_judge_line_take(gh_judge_line *l)
{
    gh_user_line *u = l->first;
    gh_waiting *w;

    if (u == NULL)
        return NULL;
    l->first = u->next;
    if (l->first == NULL)
        l->end = &l->first;
    w = u->first;
    u->first = w->next;
    if (u->first != NULL)
        append(l, u);
    else
        free(u);
    return w;
}
