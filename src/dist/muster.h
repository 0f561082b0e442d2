/* The watch while ranks gather: from before MPI begins until the sentry watches. Each rank has a thread that looks, among the
 * processes of this machine, for ranks of the same job (the variable PMIX_NAMESPACE that Open MPI's and Slurm's launchers set)
 * that a signal has stopped. One that stays so ends the job: who sees it says which in one line and leaves, upon which the
 * launcher ends what is left. One that is killed there is the launcher's to notice, and it does. Where ranks are still missing
 * after `limit` seconds (stopped alone on its machine, or that machine is lost), the job ends too.
 */
#ifndef STAC_DIST_MUSTER_H
#define STAC_DIST_MUSTER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/status.h"

struct stac_muster {
    double limit, began; /* seconds; by the clock of stac_clock_now */
    long stopped;        /* the process that was stopped at the last look, 0: none */
    double since;        /* and when that was seen first */
    char namespace[256];
    atomic_bool over;
    bool watches; /* the thread runs */
    pthread_t thread;
};

/* Begin, before MPI. A job without a launcher has one rank, and nobody watches. The watch stays where it is in memory. */
int stac_muster_begin(struct stac_muster *m, double limit, struct stac_error *err);

/* All are there: nobody is looked for any more. */
void stac_muster_dismiss(struct stac_muster *m);

/* This rank leaves. */
void stac_muster_end(struct stac_muster *m);

#endif
