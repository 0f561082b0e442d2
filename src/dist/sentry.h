/* The watch over the ranks of a machine. Each has a thread that gives signs of life in memory that they share and looks at
 * those of the others. A rank that is gone (killed, crashed, left without ending MPI), or gives none for `limit` seconds
 * (stopped), ends the job: whoever notices first says so in one line that names the rank, what it was at and what became of it,
 * and all leave, upon which the launcher ends what is left. A rank that crashes says so itself where it can.
 *
 * Machines are watched in a ring by the first rank of each: one whose first rank is not heard for `limit` seconds (it
 * is down or cut off, or that rank is stopped and alone there) ends the job too, on both sides of a cut.
 */
#ifndef STAC_DIST_SENTRY_H
#define STAC_DIST_SENTRY_H

#include <pthread.h>
#include <stdbool.h>

#include "dist/heartbeat.h"

struct stac_sentry_slot;

struct stac_sentry {
    struct stac_sentry_slot *slot; /* [n] shared by the ranks of this machine */
    int n, mine;
    struct stac_heartbeat machines; /* those of the first rank here */
    double limit;
    bool watches; /* the thread runs */
    pthread_t thread;
};

/* Begin; with limit 0, or one rank in all, nobody is watched, and a crash is told all the same. Collective over all ranks. */
int stac_sentry_begin(struct stac_sentry *w, const struct stac_ranks *r, double limit, struct stac_error *err);

/* This rank leaves, and need not be missed. It makes no MPI call: where all ranks leave together, call it after MPI_Finalize,
 * so that one that is lost in there is noticed too. Where a rank leaves alone, call it before MPI_Abort. */
void stac_sentry_end(struct stac_sentry *w);

#endif
