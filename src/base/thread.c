#include "base/thread.h"

#include <signal.h>
#include <string.h>

int stac_thread_begin(pthread_t *thread, void *(*body)(void *), void *ctx, struct stac_error *err) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int failed = pthread_create(thread, NULL, body, ctx);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed ? stac_fail(err, STAC_ERR_MEMORY, "cannot start a thread: %s", strerror(failed)) : STAC_OK;
}
