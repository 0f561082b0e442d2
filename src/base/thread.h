/* Threads beside the one that works. */
#ifndef STAC_BASE_THREAD_H
#define STAC_BASE_THREAD_H

#include <pthread.h>

#include "base/status.h"

/* Begin a thread that gets no signals: they are for the one that works. The caller joins it. */
int stac_thread_begin(pthread_t *thread, void *(*body)(void *), void *ctx, struct stac_error *err);

#endif
