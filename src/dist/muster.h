/* The watch while ranks gather: from before MPI begins until the sentry watches. A rank that a launcher started (the variable
 * PMIX_NAMESPACE, which Open MPI's and Slurm's set) has a process beside it that looks at it alone, so it matters not which
 * machine the others are on. A rank that a signal has stopped, or that has waited for others longer than `limit` seconds (their
 * machine is lost), is killed there, after one line on the standard error that says which and why; then the launcher ends what
 * is left. A rank that is killed as ranks gather is the launcher's to notice, and it does.
 */
#ifndef STAC_DIST_MUSTER_H
#define STAC_DIST_MUSTER_H

#include "base/status.h"

struct stac_muster {
    int held;     /* our end of a pipe: when it closes, the watch is over */
    long watcher; /* the process that watches, 0: there is none */
};

/* Begin, before MPI: this forks. A job without a launcher has one rank, and nobody watches. */
int stac_muster_begin(struct stac_muster *m, double limit, struct stac_error *err);

/* All are there, or this rank leaves. Also where nothing has begun. */
void stac_muster_end(struct stac_muster *m);

#endif
