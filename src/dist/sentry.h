/* The watch over the ranks of a machine. Each has a thread that gives signs of life in memory that they share and looks at
 * those of the others. A rank that is gone (killed, crashed, left without ending MPI), or gives none for `limit` seconds
 * (stopped), ends the job: whoever notices first says so in one line that names the rank, what it was at and what became of it,
 * and all leave, upon which the launcher ends what is left. A rank that crashes says so itself where it can.
 *
 * Ranks of other machines are watched there. What nobody can see is a whole machine that stands still; that is the launcher's.
 */
#ifndef STAC_DIST_SENTRY_H
#define STAC_DIST_SENTRY_H

#include <pthread.h>
#include <stdbool.h>

#include "dist/ranks.h"

struct stac_sentry_slot;

struct stac_sentry {
    MPI_Comm local; /* ranks of this machine */
    MPI_Win window;
    struct stac_sentry_slot *slot; /* [n] shared */
    int n, mine;
    double limit;
    bool watches; /* the thread runs */
    pthread_t thread;
};

/* Begin; with limit 0, or one rank on the machine, nobody is watched, and a crash is told all the same. Collective over all
 * ranks. */
int stac_sentry_begin(struct stac_sentry *w, const struct stac_ranks *r, double limit, struct stac_error *err);

/* This rank leaves, and need not be missed. With `together` all ranks do, and the memory is given back (collective). */
void stac_sentry_end(struct stac_sentry *w, bool together);

#endif
