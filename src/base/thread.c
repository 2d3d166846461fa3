#include <gatehouse/base.h>

#include <signal.h>

int gh_thread_start(pthread_t *out, size_t stack_bytes, void *(*fn)(void *arg), void *arg)
{
    pthread_attr_t attr;
    sigset_t all;
    sigset_t before;
    int failed = pthread_attr_init(&attr);

    if (failed != 0)
        return failed;
    if (stack_bytes > 0)
        failed = pthread_attr_setstacksize(&attr, stack_bytes);
    /* A thread begins with its maker's mask, so that no signal can meet it in between. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    if (failed == 0)
        failed = pthread_create(out, &attr, fn, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    return failed;
}
