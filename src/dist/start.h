/* How every program begins: ranks, the job, the same on all of them. */
#ifndef STAC_DIST_START_H
#define STAC_DIST_START_H

#include "base/log.h"
#include "dist/muster.h"
#include "dist/sentry.h"
#include "job/job.h"

struct stac_start {
    struct stac_ranks ranks;
    struct stac_job job;
    struct stac_log log;       /* to standard error on rank 0, silent elsewhere */
    struct stac_muster muster; /* while ranks gather */
    struct stac_sentry sentry; /* over the ranks of this machine */
    struct stac_live live;     /* of the folder that the job is about, for stac-eval --watch */
    struct stac_strbuf answer; /* help, reference or version: to be printed instead of running the job; rank 0 */
    bool answered;
};

/* Begin MPI, read the job file on rank 0 and give it to all, take the command line, set the threads. `version` answers
 * --version. Collective over all ranks; every rank returns the same status. */
int stac_start(struct stac_start *s, enum stac_program program, int argc, char *const *argv, const char *version,
               struct stac_error *err);

/* The end of the program: tells the failure in err if there is one, frees everything, ends MPI. Returns the exit code. */
int stac_finish(struct stac_start *s, int code, const struct stac_error *err);

#endif
